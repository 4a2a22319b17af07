/* tests/fuzz/fuzz-frr.c -- configurations of FRRouting: canonical form and secrets.
 *
 * The canonical form of a canonical form is itself; no line is invented. Secrets that are split off leave tokens, and putting the
 * secrets back gives the very text. */
#include "tests/fuzz/fuzz.h"

#include "agent/device.h"
#include "agent/snapshot.h"
#include "policies/form.h"

#include <ctype.h>
#include <string.h>

static const char token_head[] = "{{secret ";
enum { HEAD = sizeof(token_head) - 1, DIGITS = 16, TOKEN = HEAD + DIGITS + 2, COUNTED_MAX = 2048 };

static struct bytes trimmed(struct bytes line)
{
	while (line.len && (isspace(line.ptr[line.len - 1]) || !line.ptr[line.len - 1]))
		line.len--;
	return line;
}

static size_t count_line(struct bytes text, struct bytes wanted)
{
	struct bytes line;
	size_t n = 0;

	while (bytes_next_line(&text, &line))
		n += bytes_equal(trimmed(line), wanted);
	return n;
}

static void check_canonical(struct bytes in)
{
	_cleanup_(buf_done) struct buf once = { 0 }, twice = { 0 };
	struct bytes rest, line;

	driver_frr.canonical(&once, in);
	driver_frr.canonical(&twice, buf_bytes(&once));
	MUST(bytes_equal(buf_bytes(&once), buf_bytes(&twice)));
	rest = buf_bytes(&once);
	if (in.len > COUNTED_MAX)
		return;
	while (bytes_next_line(&rest, &line)) /* blocks may change places, but nothing is invented */
		MUST(line.len && count_line(buf_bytes(&once), line) <= count_line(in, line));
}

struct stretches {
	struct bytes text;
	size_t end;
};

static void found(void *ctx, size_t at, size_t len)
{
	struct stretches *s = ctx;

	MUST(at >= s->end && len && at + len <= s->text.len); /* in order, without overlaps, inside */
	MUST(!memchr(s->text.ptr + at, '\n', len));
	s->end = at + len;
}

/* The secret behind these digits, from lines "<digits> <base64>". */
static bool find_secret(struct buf *out, struct bytes table, const uint8_t *digits)
{
	struct bytes line;

	while (bytes_next_line(&table, &line))
		if (line.len > DIGITS && !memcmp(line.ptr, digits, DIGITS) && line.ptr[DIGITS] == ' ')
			return base64_decode(out, bytes_from(line, DIGITS + 1));
	return false;
}

/* What the reader of an archive does. */
static void put_back(struct buf *out, struct bytes text, struct bytes table)
{
	const uint8_t *at;

	while (text.len && (at = memmem(text.ptr, text.len, token_head, HEAD))) {
		size_t before = (size_t)(at - text.ptr);

		MUST(text.len - before >= TOKEN && !memcmp(at + HEAD + DIGITS, "}}", 2));
		buf_add(out, text.ptr, before);
		MUST(find_secret(out, table, at + HEAD));
		text = bytes_from(text, before + TOKEN);
	}
	buf_add_bytes(out, text);
}

/* The same for those who have no key of a device: as the operator's command plans with. */
static void check_form(struct bytes in)
{
	_cleanup_(buf_done) struct buf split = { 0 }, table = { 0 }, back = { 0 };
	const struct form *form = form_of("frr");

	form_split(&split, &table, form, in);
	put_back(&back, buf_bytes(&split), buf_bytes(&table));
	MUST(bytes_equal(buf_bytes(&back), in));
}

static void check_secrets(struct bytes in)
{
	static const uint8_t key[SNAPSHOT_TOKEN_KEY_LEN] = { 1 };
	_cleanup_(secret_table_done) struct secret_table table = { 0 }, again_table = { 0 };
	_cleanup_(buf_done) struct buf split = { 0 }, lines = { 0 }, back = { 0 }, blank = { 0 }, again = { 0 };
	struct stretches s = { in, 0 };

	driver_frr.secrets(in, found, &s);
	secrets_split(&split, &table, &driver_frr, key, in);
	for (size_t i = 1; i < table.count; i++)
		MUST(strcmp(table.entries[i - 1].token, table.entries[i].token) < 0);
	secret_table_text(&lines, &table);
	put_back(&back, buf_bytes(&split), buf_bytes(&lines));
	MUST(bytes_equal(buf_bytes(&back), in));
	tokens_blank(&blank, buf_bytes(&split));
	secrets_split(&again, &again_table, &driver_frr, key, in);
	MUST(bytes_equal(buf_bytes(&again), buf_bytes(&split)) && blank.len <= split.len); /* always the same tokens */
}

/* What was added one way was removed the other. */
static void check_changed(struct bytes a, struct bytes b)
{
	uint64_t added, removed, added_back, removed_back;

	lines_changed(&added, &removed, a, b);
	lines_changed(&added_back, &removed_back, b, a);
	MUST(added == removed_back && removed == added_back);
	lines_changed(&added, &removed, a, a);
	MUST(!added && !removed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes in = bytes_of(data, size);

	check_canonical(in);
	check_secrets(in);
	check_form(in);
	check_changed(in, bytes_from(in, size / 2));
	return 0;
}
