/* agent/change-file.c -- the journal of the order in hand: the file `change` in the device's folder.
 *
 * Lines that an engineer can read, then the order's own text. It holds no text of the device and no secret. */
#include "agent/change.h"

#include "agent/journal.h"
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

static void write_body(struct buf *out, const struct change *c)
{
	char deadline[CLOCK_TEXT_LEN];

	clock_text(deadline, c->deadline_s);
	buf_addf(out, "phase: %s\n", phases[c->phase]);
	journal_put_hash(out, "batch", c->batch);
	journal_put_hash(out, "leaf", c->leaf);
	journal_put_text(out, "person", c->person);
	journal_put_text(out, "reason", c->reason);
	journal_put_hash(out, "before", c->before);
	journal_put_hash(out, "after", c->after);
	journal_put_began(out, c->began_ms, c->boot);
	buf_addf(out, "deadline: %s\n", deadline);
	journal_put_text(out, "why", c->why);
	buf_add_bytes(out, statement_text(c->order));
}

void change_write(struct buf *out, const struct change *c)
{
	_cleanup_(buf_done) struct buf body = { 0 };

	write_body(&body, c);
	journal_seal(out, first_line, buf_bytes(&body));
}

static bool take_phase(struct bytes *rest, enum change_phase *out)
{
	static const unsigned stored[] = { CHANGE_APPLYING, CHANGE_WAITING, CHANGE_SAVING, CHANGE_RETURNING, CHANGE_DOING };

	return journal_take_name(rest, "phase", phases, stored, ARRAY_SIZE(stored), out);
}

static bool take_deadline(struct bytes *rest, struct change *c)
{
	struct bytes value;

	return journal_take(rest, "deadline", &value) && clock_parse(&c->deadline_s, value);
}

static int read_all(struct change *c, struct bytes in, struct error *err)
{
	size_t used;

	if (journal_open(&in, in, first_line, err) < 0)
		return err->code;
	if (!take_phase(&in, &c->phase) || !journal_take_hash(&in, "batch", c->batch) || !journal_take_hash(&in, "leaf", c->leaf) ||
	    !journal_take_text(&in, "person", c->person, sizeof(c->person)) ||
	    !journal_take_text(&in, "reason", c->reason, sizeof(c->reason)) || !journal_take_hash(&in, "before", c->before) ||
	    !journal_take_hash(&in, "after", c->after) || !journal_take_began(&in, &c->began_ms, c->boot) || !take_deadline(&in, c) ||
	    !journal_take_text(&in, "why", c->why, sizeof(c->why)))
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
	snprintf(c->why, sizeof(c->why), "%s",
		 c->phase == CHANGE_WAITING ? "the machine of the agent was started again before the group was complete" :
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
