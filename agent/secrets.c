/* agent/secrets.c -- splits the secrets off a configuration and counts changed lines: the pure parts of a snapshot. */
#include "agent/snapshot.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char token_head[] = "{{secret ";
enum { TOKEN_DIGITS = 16, TOKEN_LEN = sizeof(token_head) - 1 + TOKEN_DIGITS + 2, LCS_CELLS_MAX = 4 << 20 };

struct splitter {
	struct buf *out;
	struct secret_table *table;
	const uint8_t *key;
	struct bytes text;
	size_t done; /* how far the text has been copied */
};

/* Where the first look-alike of a token begins in text[from, to); `to` when there is none. Its head alone counts: a reader that
 * is laxer than ours must not find one either. */
static size_t find_token(struct bytes text, size_t from, size_t to)
{
	const uint8_t *at = memmem(text.ptr + from, to - from, token_head, sizeof(token_head) - 1);

	return at ? (size_t)(at - text.ptr) : to;
}

static void note_secret(struct splitter *s, struct bytes value, char token[static TOKEN_DIGITS + 1])
{
	uint8_t digest[HASH_LEN];
	struct secret_table *t = s->table;
	size_t at = 0;

	crypto_generichash(digest, sizeof(digest), value.ptr, value.len, s->key, SNAPSHOT_TOKEN_KEY_LEN);
	hex_encode(token, digest, TOKEN_DIGITS / 2);
	while (at < t->count && strcmp(t->entries[at].token, token) < 0)
		at++;
	if (at < t->count && !strcmp(t->entries[at].token, token))
		return;
	t->entries = mem_grow(t->entries, (t->count + 1) * sizeof(*t->entries));
	memmove(&t->entries[at + 1], &t->entries[at], (t->count - at) * sizeof(*t->entries));
	memcpy(t->entries[at].token, token, TOKEN_DIGITS + 1);
	t->entries[at].value = value;
	t->count++;
}

static void put_secret(struct splitter *s, size_t at, size_t len)
{
	char token[TOKEN_DIGITS + 1];

	note_secret(s, bytes_of(s->text.ptr + at, len), token);
	buf_addf(s->out, "%s%s}}", token_head, token);
	s->done = at + len;
}

/* Copies what is no secret, up to `to`. */
static void copy_until(struct splitter *s, size_t to)
{
	while (s->done < to) {
		size_t at = find_token(s->text, s->done, to);

		buf_add(s->out, s->text.ptr + s->done, at - s->done);
		s->done = at;
		if (at < to)
			put_secret(s, at, to - at < TOKEN_LEN ? sizeof(token_head) - 1 : TOKEN_LEN);
	}
}

static void found(void *ctx, size_t at, size_t len)
{
	struct splitter *s = ctx;

	copy_until(s, at);
	if (at < s->done) { /* a look-alike reached into it */
		len -= s->done - at < len ? s->done - at : len;
		at = s->done;
	}
	if (len)
		put_secret(s, at, len);
}

void secrets_split(struct buf *out, struct secret_table *table, const struct device_driver *driver,
		   const uint8_t key[static SNAPSHOT_TOKEN_KEY_LEN], struct bytes text)
{
	struct splitter s = { out, table, key, text, 0 };

	driver->secrets(text, found, &s);
	copy_until(&s, text.len);
}

void tokens_blank(struct buf *out, struct bytes text)
{
	while (text.len) {
		size_t at = find_token(text, 0, text.len);

		buf_add(out, text.ptr, at);
		text = bytes_from(text, at);
		if (!text.len)
			break;
		buf_add_str(out, token_head);
		text = bytes_from(text, text.len < TOKEN_LEN ? text.len : TOKEN_LEN);
	}
}

void secret_table_text(struct buf *out, const struct secret_table *table)
{
	for (size_t i = 0; i < table->count; i++) {
		buf_addf(out, "%s ", table->entries[i].token);
		base64_encode(out, table->entries[i].value);
		buf_add_char(out, '\n');
	}
}

void secret_table_done(struct secret_table *table)
{
	free(table->entries);
	*table = (struct secret_table){ 0 };
}

struct lines {
	struct bytes *at;
	size_t count;
};

static struct lines lines_of(struct bytes text)
{
	struct lines l = { 0 };
	size_t cap = 0;
	struct bytes line;

	while (bytes_next_line(&text, &line)) {
		if (l.count == cap) {
			cap = cap ? 2 * cap : 64;
			l.at = mem_grow(l.at, cap * sizeof(*l.at));
		}
		l.at[l.count++] = line;
	}
	return l;
}

/* The longest common subsequence of a and b, in one row of memory. */
static size_t common_lines(const struct bytes *a, size_t n, const struct bytes *b, size_t m)
{
	_cleanup_(mem_freep) uint32_t *row = mem_alloc((m + 1) * sizeof(*row));

	for (size_t i = 0; i < n; i++) {
		uint32_t diagonal = 0;

		for (size_t k = 0; k < m; k++) {
			uint32_t above = row[k + 1];

			if (bytes_equal(a[i], b[k]))
				row[k + 1] = diagonal + 1;
			else if (row[k] > above)
				row[k + 1] = row[k];
			diagonal = above;
		}
	}
	return row[m];
}

void lines_changed(uint64_t *added, uint64_t *removed, struct bytes before, struct bytes after)
{
	struct lines a = lines_of(before), b = lines_of(after);
	size_t head = 0, tail = 0, n, m, common = 0;

	while (head < a.count && head < b.count && bytes_equal(a.at[head], b.at[head]))
		head++;
	while (tail < a.count - head && tail < b.count - head &&
	       bytes_equal(a.at[a.count - 1 - tail], b.at[b.count - 1 - tail]))
		tail++;
	n = a.count - head - tail;
	m = b.count - head - tail;
	/* beyond the bound everything between the equal ends counts as replaced: it is a figure for people */
	if (n && m && n * m <= LCS_CELLS_MAX)
		common = common_lines(a.at + head, n, b.at + head, m);
	*added = m - common;
	*removed = n - common;
	free(a.at);
	free(b.at);
}
