/* agent/transcript.c -- what was said on a console, as evidence. */
#include "agent/transcript.h"

#include "base/plural.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

/* Of what is held because it may become a secret; of one record; of a quotation, whose bytes
 * may each become four. */
enum { HELD_MAX = 2048, RECORD_MAX = 400, QUOTE_MAX = 90 };

void transcript_init(struct transcript *t, uint64_t now_ms)
{
	*t = (struct transcript){ .begin_ms = now_ms, .now_ms = now_ms, .in.mark = '<', .out.mark = '>' };
}

void transcript_done(struct transcript *t)
{
	for (size_t i = 0; i < t->secret_count; i++)
		buf_done(&t->secrets[i]);
	buf_done(&t->in.held);
	buf_done(&t->in.line);
	buf_done(&t->out.held);
	buf_done(&t->out.line);
	buf_done(&t->text);
	*t = (struct transcript){ 0 };
}

void transcript_time(struct transcript *t, uint64_t now_ms)
{
	t->now_ms = now_ms;
}

/* ---- records ---- */

static void hash_of(char out[static TRANSCRIPT_HASH_LEN], struct bytes in)
{
	uint8_t hash[crypto_hash_sha256_BYTES];

	crypto_hash_sha256(hash, in.len ? in.ptr : (const uint8_t *)"", in.len);
	hex_encode(out, hash, sizeof(hash));
}

/* The older half gives way to its hash, so whoever has kept it can show that it belongs here. */
static void make_room(struct transcript *t)
{
	struct bytes all = buf_bytes(&t->text), old = bytes_of(all.ptr, all.len / 2);
	const uint8_t *end = memchr(all.ptr + old.len, '\n', all.len - old.len);
	struct buf text = { 0 };
	char hash[TRANSCRIPT_HASH_LEN];

	old.len = end ? (size_t)(end - all.ptr) + 1 : all.len;
	hash_of(hash, old);
	buf_addf(&text, "before this: %zu %s, SHA-256 %s\n", old.len, plural(old.len, "byte", "bytes"), hash);
	buf_add_bytes(&text, bytes_from(all, old.len));
	buf_done(&t->text);
	t->text = text;
}

static void add_record(struct transcript *t, uint64_t at_ms, char mark, struct bytes body)
{
	uint64_t ms = at_ms - t->begin_ms;

	if (t->text.len + body.len > TRANSCRIPT_MAX - RECORD_MAX)
		make_room(t);
	buf_addf(&t->text, "+%llu.%03u %c ", (unsigned long long)(ms / 1000), (unsigned)(ms % 1000), mark);
	buf_add_bytes(&t->text, body);
	buf_add_char(&t->text, '\n');
}

static void end_record(struct transcript *t, struct transcript_stream *s)
{
	if (s->line.len)
		add_record(t, s->line_ms, s->mark, buf_bytes(&s->line));
	buf_truncate(&s->line, 0);
}

static void show_byte(struct buf *out, uint8_t c)
{
	if (c >= 0x20 && c < 0x7f && c != '\\')
		buf_add_char(out, (char)c);
	else
		buf_addf(out, c == '\\' ? "\\\\" : "\\x%02x", c);
}

static void open_record(struct transcript *t, struct transcript_stream *s)
{
	end_record(t, s == &t->in ? &t->out : &t->in);
	if (!s->line.len)
		s->line_ms = t->now_ms;
}

static void put(struct transcript *t, struct transcript_stream *s, uint8_t c)
{
	if (c == '\n' && s == &t->in) {
		end_record(t, s);
		return;
	}
	open_record(t, s);
	show_byte(&s->line, c);
	if (s->line.len > RECORD_MAX - 32)
		end_record(t, s);
}

static void put_word(struct transcript *t, struct transcript_stream *s, const char *word)
{
	open_record(t, s);
	buf_add_str(&s->line, word);
	if (s->line.len > RECORD_MAX - 32)
		end_record(t, s);
}

/* ---- secrets ---- */

/* Line breaks and blanks that a terminal puts into a long line do not hide a secret from us. */
static bool is_filler(uint8_t c)
{
	return c < 0x20;
}

enum match { MATCH_NONE, MATCH_WHOLE, MATCH_BEGIN };

static enum match match_one(struct bytes secret, struct bytes held)
{
	size_t at = 0;

	for (size_t i = 0; i < held.len; i++) {
		if (at == secret.len)
			return MATCH_NONE;
		if (at && is_filler(held.ptr[i]) && held.ptr[i] != secret.ptr[at])
			continue;
		if (held.ptr[i] != secret.ptr[at++])
			return MATCH_NONE;
	}
	return at == secret.len ? MATCH_WHOLE : MATCH_BEGIN;
}

/* A begin counts more than a whole: of two secrets, one may be the begin of the other. */
static enum match match_any(const struct transcript *t, struct bytes held)
{
	enum match best = MATCH_NONE;

	for (size_t i = 0; i < t->secret_count && best != MATCH_BEGIN; i++) {
		enum match m = match_one(buf_bytes(&t->secrets[i]), held);

		best = m > best ? m : best;
	}
	return best;
}

/* How much at the begin is a secret, the longest one. */
static size_t whole_len(const struct transcript *t, struct bytes held)
{
	for (; held.len; held.len--)
		for (size_t i = 0; i < t->secret_count; i++)
			if (match_one(buf_bytes(&t->secrets[i]), held) == MATCH_WHOLE)
				return held.len;
	return 0;
}

static void drop(struct buf *held, size_t len)
{
	memmove(held->ptr, held->ptr + len, held->len - len);
	buf_truncate(held, held->len - len);
}

/* Lets go of what cannot become a secret any more. */
static void settle(struct transcript *t, struct transcript_stream *s)
{
	while (s->held.len && match_any(t, buf_bytes(&s->held)) != MATCH_BEGIN) {
		size_t len = whole_len(t, buf_bytes(&s->held));

		if (len)
			put_word(t, s, "[secret]");
		else
			put(t, s, s->held.ptr[0]);
		drop(&s->held, len ? len : 1);
	}
}

static void feed(struct transcript *t, struct transcript_stream *s, uint8_t c)
{
	buf_add_char(&s->held, (char)c);
	settle(t, s);
	if (s->held.len > HELD_MAX) { /* a begin of a secret and endless fillers: none of it is shown */
		put_word(t, s, "[withheld]");
		buf_truncate(&s->held, 0);
	}
}

bool transcript_hide(struct transcript *t, struct bytes secret)
{
	if (!secret.len)
		return true;
	for (size_t i = 0; i < t->secret_count; i++)
		if (bytes_equal(buf_bytes(&t->secrets[i]), secret))
			return true;
	if (t->secret_count == TRANSCRIPT_SECRETS_MAX || secret.len > TRANSCRIPT_SECRET_LEN_MAX)
		return false;
	buf_add_bytes(&t->secrets[t->secret_count++], secret);
	return true;
}

void transcript_clean(struct buf *out, const struct transcript *t, struct bytes text)
{
	struct transcript copy = { .in.mark = '<', .out.mark = '>', .secret_count = t->secret_count };
	_cleanup_(buf_done) struct buf whole = { 0 };

	for (size_t i = 0; i < t->secret_count; i++)
		copy.secrets[i] = t->secrets[i]; /* borrowed */
	for (size_t i = 0; i < text.len && i < QUOTE_MAX; i++)
		feed(&copy, &copy.in, text.ptr[i] == '\n' ? ' ' : text.ptr[i]);
	buf_add_bytes(&whole, buf_bytes(&copy.in.line));
	if (copy.in.held.len)
		buf_add_str(&whole, "[withheld]");
	buf_add_bytes(out, buf_bytes(&whole));
	copy.secret_count = 0;
	transcript_done(&copy);
}

/* ---- what is told ---- */

void transcript_in(struct transcript *t, uint8_t c)
{
	if (t->is_withheld)
		t->withheld_len++;
	else
		feed(t, &t->in, c);
}

void transcript_out(struct transcript *t, struct bytes in)
{
	for (size_t i = 0; i < in.len; i++)
		feed(t, &t->out, in.ptr[i]);
}

/* What is held may yet become a secret; at an end it is not shown. */
static void flush(struct transcript *t, struct transcript_stream *s)
{
	while (s->held.len) {
		size_t len = whole_len(t, buf_bytes(&s->held));

		put_word(t, s, len ? "[secret]" : "[withheld]");
		drop(&s->held, len ? len : s->held.len);
		settle(t, s);
	}
	end_record(t, s);
}

void transcript_remark(struct transcript *t, const char *fmt, ...)
{
	_cleanup_(buf_done) struct buf text = { 0 }, shown = { 0 };
	va_list ap;

	va_start(ap, fmt);
	buf_vaddf(&text, fmt, ap);
	va_end(ap);
	for (size_t i = 0; i < text.len && shown.len < RECORD_MAX - 32; i++)
		show_byte(&shown, text.ptr[i]);
	end_record(t, &t->in);
	end_record(t, &t->out);
	add_record(t, t->now_ms, '=', buf_bytes(&shown));
}

void transcript_withhold(struct transcript *t, bool withhold)
{
	if (t->is_withheld == withhold)
		return;
	if (!withhold && t->withheld_len)
		transcript_remark(t, "%zu %s came, withheld", t->withheld_len, plural(t->withheld_len, "byte", "bytes"));
	if (withhold)
		flush(t, &t->in);
	t->is_withheld = withhold;
	t->withheld_len = 0;
}

struct bytes transcript_text(struct transcript *t)
{
	flush(t, &t->in);
	flush(t, &t->out);
	return buf_bytes(&t->text);
}

void transcript_hash(char out[static TRANSCRIPT_HASH_LEN], struct transcript *t)
{
	hash_of(out, transcript_text(t));
}
