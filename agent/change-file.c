/* agent/change-file.c -- the journal of the order in hand: the file `change` in the device's folder.
 *
 * Lines that an engineer can read, then the order's own text. It holds no text of the device and no secret. */
#include "agent/change.h"

#include "base/clock.h"
#include "base/fs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char first_line[] = "holdfast-agent-change/1";

static const char *const phases[CHANGE_PHASES] = { "none", "applying", "proving", "waiting", "saving", "returning", "doing", "ended" };

const char *change_phase_name(enum change_phase phase)
{
	return phases[phase];
}

static void put_hash(struct buf *out, const char *key, const uint8_t hash[static HASH_LEN])
{
	char hex[2 * HASH_LEN + 1];

	hex_encode(hex, hash, HASH_LEN);
	buf_addf(out, "%s: %s\n", key, hex);
}

/* One line, whatever the text is. */
static void put_text(struct buf *out, const char *key, const char *text)
{
	buf_addf(out, "%s: ", key);
	for (; *text; text++)
		buf_add_char(out, *text >= 0x20 && *text < 0x7f ? *text : '?');
	buf_add_char(out, '\n');
}

static void write_body(struct buf *out, const struct change *c)
{
	char deadline[CLOCK_TEXT_LEN];

	clock_text(deadline, c->deadline_s);
	buf_addf(out, "phase: %s\n", phases[c->phase]);
	put_hash(out, "batch", c->batch);
	put_hash(out, "leaf", c->leaf);
	put_text(out, "person", c->person);
	put_text(out, "reason", c->reason);
	put_hash(out, "before", c->before);
	put_hash(out, "after", c->after);
	buf_addf(out, "began: %llu %s\n", (unsigned long long)c->began_ms, *c->boot ? c->boot : "-");
	buf_addf(out, "deadline: %s\n", deadline);
	put_text(out, "why", c->why);
	buf_add_bytes(out, statement_text(c->order));
}

void change_write(struct buf *out, const struct change *c)
{
	_cleanup_(buf_done) struct buf body = { 0 };
	uint8_t digest[HASH_LEN];

	write_body(&body, c);
	sha256(digest, buf_bytes(&body));
	buf_addf(out, "%s\n", first_line);
	put_hash(out, "digest", digest);
	buf_add_bytes(out, buf_bytes(&body));
}

static bool take(struct bytes *rest, const char *key, struct bytes *value)
{
	size_t len = strlen(key);
	struct bytes line;

	if (!bytes_next_line(rest, &line) || line.len < len + 2 || memcmp(line.ptr, key, len) != 0 || line.ptr[len] != ':')
		return false;
	*value = bytes_from(line, len + 2);
	return true;
}

static bool take_hash(struct bytes *rest, const char *key, uint8_t out[static HASH_LEN])
{
	struct bytes value;

	return take(rest, key, &value) && hex_decode(out, HASH_LEN, value);
}

static bool take_text(struct bytes *rest, const char *key, char *out, size_t size)
{
	struct bytes value;

	if (!take(rest, key, &value) || value.len >= size)
		return false;
	snprintf(out, size, "%.*s", (int)value.len, value.len ? (const char *)value.ptr : "");
	return true;
}

static bool take_phase(struct bytes *rest, enum change_phase *out)
{
	static const enum change_phase stored[] = { CHANGE_APPLYING, CHANGE_WAITING, CHANGE_SAVING, CHANGE_RETURNING, CHANGE_DOING };
	struct bytes value;

	if (!take(rest, "phase", &value))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(stored); i++)
		if (bytes_is(value, phases[stored[i]])) {
			*out = stored[i];
			return true;
		}
	return false;
}

static bool take_began(struct bytes *rest, struct change *c)
{
	struct bytes value, boot;
	size_t at = 0;
	uint64_t ms;

	if (!take(rest, "began", &value))
		return false;
	while (at < value.len && value.ptr[at] != ' ')
		at++;
	boot = bytes_from(value, at + 1);
	if (!number_parse(&ms, bytes_of(value.ptr, at)) || boot.len >= sizeof(c->boot))
		return false;
	c->began_ms = ms;
	snprintf(c->boot, sizeof(c->boot), "%.*s", (int)boot.len, boot.len ? (const char *)boot.ptr : "");
	return true;
}

static bool take_deadline(struct bytes *rest, struct change *c)
{
	struct bytes value;

	return take(rest, "deadline", &value) && clock_parse(&c->deadline_s, value);
}

static int read_all(struct change *c, struct bytes in, struct error *err)
{
	uint8_t digest[HASH_LEN], is[HASH_LEN];
	struct bytes line;
	size_t used;

	if (!bytes_next_line(&in, &line) || !bytes_is(line, first_line))
		return error_set(err, E_FORMAT, "not a journal of this version");
	if (!take_hash(&in, "digest", digest))
		return error_set(err, E_FORMAT, "it has no digest");
	sha256(is, in);
	if (memcmp(is, digest, HASH_LEN) != 0)
		return error_set(err, E_FORMAT, "it is damaged: its digest does not hold");
	if (!take_phase(&in, &c->phase) || !take_hash(&in, "batch", c->batch) || !take_hash(&in, "leaf", c->leaf) ||
	    !take_text(&in, "person", c->person, sizeof(c->person)) || !take_text(&in, "reason", c->reason, sizeof(c->reason)) ||
	    !take_hash(&in, "before", c->before) || !take_hash(&in, "after", c->after) || !take_began(&in, c) || !take_deadline(&in, c) ||
	    !take_text(&in, "why", c->why, sizeof(c->why)))
		return error_set(err, E_FORMAT, "a line is missing, or of another form");
	if (statement_parse(&c->order, in, true, &used, err) < 0)
		return err->code;
	if (used != in.len || statement_type(c->order) != STATEMENT_ORDER || !order_kind_parse(&c->kind, statement_get(c->order, "kind")))
		return error_set(err, E_FORMAT, "what follows is no order");
	c->number = statement_number(c->order, "order");
	return 0;
}

/* The agent, or the whole machine, was started again. */
static void resume(struct change *c, uint64_t healthy, uint64_t now_ms)
{
	char boot[FLOOR_BOOT_LEN];

	floor_boot(boot);
	c->stored = c->phase;
	c->is_said = healthy == c->number;
	if (c->phase == CHANGE_WAITING && *boot && !strcmp(c->boot, boot) && c->began_ms <= now_ms)
		return;
	if (c->phase != CHANGE_APPLYING && c->phase != CHANGE_WAITING)
		return;
	snprintf(c->why, sizeof(c->why), "%s", c->phase == CHANGE_WAITING ? "the machine of the agent was started again before the group was complete" :
									    "the agent ended before the change was confirmed");
	c->phase = CHANGE_RETURNING;
}

int change_read(struct change *out, struct bytes in, uint64_t healthy, uint64_t now_ms, struct error *err)
{
	struct change c = { 0 };

	if (read_all(&c, in, err) < 0) {
		change_done(&c);
		return err->code;
	}
	resume(&c, healthy, now_ms);
	*out = c;
	return 0;
}

int change_store(const struct change *c, const char *dir, struct error *err)
{
	_cleanup_(mem_freep) char *path = mem_printf("%s/change", dir);
	_cleanup_(buf_done) struct buf text = { 0 };

	change_write(&text, c);
	return fs_write(path, buf_bytes(&text), 0600, err);
}

int change_load(struct change *c, const char *dir, uint64_t healthy, uint64_t now_ms, struct error *err)
{
	_cleanup_(mem_freep) char *path = mem_printf("%s/change", dir);
	_cleanup_(buf_done) struct buf text = { 0 };
	int r = fs_read(&text, path, CHANGE_FILE_MAX, err);

	*c = (struct change){ 0 };
	if (r == FS_ABSENT)
		return CHANGE_ABSENT;
	if (r < 0 || change_read(c, buf_bytes(&text), healthy, now_ms, err) < 0)
		return error_add(err, "'%s'", path);
	return 0;
}

int change_remove(const char *dir, struct error *err)
{
	_cleanup_(mem_freep) char *path = mem_printf("%s/change", dir);

	return fs_remove(path, err);
}
