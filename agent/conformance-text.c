/* agent/conformance-text.c -- does a driver read a device's texts as it must: what is noise in them, what is a secret, what the device
 * would take? */
#include "agent/conformance-parts.h"

#include "agent/snapshot.h"
#include "base/plural.h"

#include <sodium.h>
#include <string.h>

enum { NOISE_ROUNDS = 200, SECRET_SHORT = 8 };

const char conformance_garbage[] = "holdfast this-is-no-command-of-any-device 7f3c\n";

static bool rests(const struct suite *s, struct bytes text)
{
	_cleanup_(buf_done) struct buf once = { 0 }, twice = { 0 };

	s->driver->canonical(&once, text);
	s->driver->canonical(&twice, buf_bytes(&once));
	return moment_same(&once, &twice);
}

static void check_canonical(struct suite *s, struct row *row)
{
	struct bytes running = buf_bytes(&s->first.look.running), startup = buf_bytes(&s->first.look.startup);

	if (!rests(s, running) || !rests(s, startup))
		row_say(row, FAILS, "the canonical form of a canonical form is another");
	else if (!s->first.running.len)
		row_say(row, FAILS, "nothing of running is left in it");
	else
		row_say(row, HOLDS, "%zu of %zu %s no noise", s->first.running.len, running.len,
			plural(running.len, "byte is", "bytes are"));
}

/* What split off is put back; false for a token that the table does not have. */
static bool put_back(struct buf *out, struct bytes text, const struct secret_table *table)
{
	static const char head[] = "{{secret ";
	enum { HEAD = sizeof(head) - 1, DIGITS = 16 };
	const uint8_t *at;

	while (text.len && (at = memmem(text.ptr, text.len, head, HEAD))) {
		size_t i = 0, before = (size_t)(at - text.ptr);

		if (text.len - before < HEAD + DIGITS + 2)
			return false;
		while (i < table->count && memcmp(table->entries[i].token, at + HEAD, DIGITS) != 0)
			i++;
		if (i == table->count)
			return false;
		buf_add(out, text.ptr, before);
		buf_add_bytes(out, table->entries[i].value);
		text = bytes_from(text, before + HEAD + DIGITS + 2);
	}
	buf_add_bytes(out, text);
	return true;
}

/* A short one may be a word that stands elsewhere for something else. */
static bool holds_secret(struct bytes text, const struct secret_table *table)
{
	for (size_t i = 0; i < table->count; i++)
		if (table->entries[i].value.len >= SECRET_SHORT && text.len &&
		    memmem(text.ptr, text.len, table->entries[i].value.ptr, table->entries[i].value.len))
			return true;
	return false;
}

static const char *split(const struct suite *s, struct bytes text, size_t *count)
{
	uint8_t key[SNAPSHOT_TOKEN_KEY_LEN];
	_cleanup_(secret_table_done) struct secret_table table = { 0 };
	_cleanup_(buf_done) struct buf tokens = { 0 }, back = { 0 };

	randombytes_buf(key, sizeof(key));
	secrets_split(&tokens, &table, s->driver, key, text);
	*count = table.count;
	if (!put_back(&back, buf_bytes(&tokens), &table) || !bytes_equal(buf_bytes(&back), text))
		return "put back, it is another text";
	return holds_secret(buf_bytes(&tokens), &table) ? "what is a secret in one place stays in another" : NULL;
}

static void check_secrets(struct suite *s, struct row *row)
{
	size_t count, startup_count;
	const char *why = split(s, buf_bytes(&s->first.running), &count);

	if (!why)
		why = split(s, buf_bytes(&s->first.startup), &startup_count);
	if (why)
		row_say(row, FAILS, "%s", why);
	else
		row_say(row, HOLDS, "%zu in running, split off and put back to the byte", count);
}

/* Damages a copy of running: bytes are changed, or it is cut short. */
static void damage(struct buf *out, struct bytes text)
{
	buf_add_bytes(out, text);
	buf_truncate(out, randombytes_uniform((uint32_t)text.len + 1));
	for (uint32_t i = randombytes_uniform(8); out->len && i; i--)
		out->ptr[randombytes_uniform((uint32_t)out->len)] = (uint8_t)randombytes_uniform(256);
}

static void check_noise(struct suite *s, struct row *row)
{
	for (unsigned i = 0; i < NOISE_ROUNDS; i++) {
		_cleanup_(buf_done) struct buf text = { 0 };
		const char *why;
		size_t count;

		damage(&text, buf_bytes(&s->first.look.running));
		why = split(s, buf_bytes(&text), &count);
		/* of a damaged text nobody can say what is a secret in it, only that it comes back */
		if (why && !strstr(why, "stays"))
			row_say(row, FAILS, "of a damaged text: %s", why);
		else if (!rests(s, buf_bytes(&text)))
			row_say(row, FAILS, "the canonical form of a damaged text has no rest");
		else
			continue;
		return;
	}
	row_say(row, HOLDS, "%d damaged texts", NOISE_ROUNDS);
}

/* ---- orders, judged ---- */

static bool refuses(const struct suite *s, struct row *row, struct bytes text, enum device_apply how, const char *what)
{
	struct error err = { 0 };
	int r = s->driver->check(s->dev, text, how, &err);

	if (r == E_FORMAT && !strstr(err.text, "7f3c"))
		return true;
	row_say(row, FAILS, "%s, %s: %s", what, how == DEVICE_WHOLE ? "whole" : "as lines", r == 0 ? "taken" : err.text);
	return false;
}

static void check_refused(struct suite *s, struct row *row)
{
	_cleanup_(buf_done) struct buf spoiled = { 0 };

	buf_add_bytes(&spoiled, buf_bytes(&s->first.running));
	buf_add_str(&spoiled, conformance_garbage);
	if (refuses(s, row, bytes_str(conformance_garbage), DEVICE_LINES, "nonsense") &&
	    refuses(s, row, bytes_str(conformance_garbage), DEVICE_WHOLE, "nonsense") &&
	    refuses(s, row, bytes_of("a\0b\n", 4), DEVICE_LINES, "a NUL") &&
	    refuses(s, row, (struct bytes){ 0 }, DEVICE_WHOLE, "nothing") &&
	    refuses(s, row, buf_bytes(&spoiled), DEVICE_WHOLE, "running and nonsense") &&
	    moment_still(s, row, &s->first.running, &s->first.startup, "after checks"))
		row_say(row, HOLDS, "5 texts refused, with no effect, and not repeated");
}

static void check_taken(struct suite *s, struct row *row)
{
	struct error err = { 0 };

	if (s->driver->check(s->dev, buf_bytes(&s->first.running), DEVICE_WHOLE, &err) < 0)
		row_say(row, FAILS, "its own running: %s", err.text);
	else if (s->trial && s->driver->check(s->dev, bytes_str(s->trial), DEVICE_LINES, &err) < 0)
		row_say(row, FAILS, "the trial lines: %s", err.text);
	else if (moment_still(s, row, &s->first.running, &s->first.startup, "after checks"))
		row_say(row, HOLDS, s->trial ? "its own running, and the trial lines, with no effect" : "its own running, with no effect");
}

const struct conformance_check conformance_text[] = {
	{ .name = "canonical form", .check = check_canonical },
	{ .name = "secrets", .check = check_secrets },
	{ .name = "damaged text", .check = check_noise },
	{ .name = "check: nonsense is refused", .needs = DEVICE_APPLY, .check = check_refused },
	{ .name = "check: what is right is taken", .needs = DEVICE_APPLY, .check = check_taken },
	{ 0 },
};
