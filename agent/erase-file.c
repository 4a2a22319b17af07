/* agent/erase-file.c -- the journal of an order that erases: the file `erase` in the device's folder.
 *
 * Lines that an engineer can read, then the order's text, its batch, and the decisions that were heard. It holds no secret. */
#include "agent/erase.h"

#include "agent/journal.h"
#include "base/fs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char first_line[] = "holdfast-agent-erase/1";

static const char *const phases[ERASE_PHASES] = { "none", "armed", "recording", "erasing", "saying", "sending", "destroying", "refused" };

const char *erase_phase_name(enum erase_phase phase)
{
	return phases[phase];
}

static void put_erased(struct buf *out, const struct device_erased *d)
{
	buf_addf(out, "areas: %zu\n", d->area_count);
	for (size_t i = 0; i < d->area_count; i++) {
		_cleanup_(buf_done) struct buf text = { 0 };

		area_text(&text, &d->areas[i]);
		journal_put_text(out, "area", buf_text(&text));
	}
	buf_addf(out, "lefts: %zu\n", d->left_count);
	for (size_t i = 0; i < d->left_count; i++)
		journal_put_text(out, "left", d->left[i]);
	journal_put_flag(out, "is-said", d->has_transcript);
	journal_put_hash(out, "transcript", d->transcript);
}

static void put_texts(struct buf *out, const struct erase *e)
{
	_cleanup_(buf_done) struct buf controls = { 0 };

	for (size_t i = 0; i < e->batch->control_count; i++)
		buf_add_bytes(&controls, statement_whole(e->batch->controls[i]));
	buf_addf(out, "order: %zu\nbatch: %zu\ncontrols: %zu\n", statement_text(e->order).len, statement_whole(e->batch->st).len,
		 controls.len);
	buf_add_bytes(out, statement_text(e->order));
	buf_add_bytes(out, statement_whole(e->batch->st));
	buf_add_bytes(out, buf_bytes(&controls));
}

void erase_write(struct buf *out, const struct erase *e)
{
	_cleanup_(buf_done) struct buf body = { 0 };

	buf_addf(&body, "phase: %s\n", phases[erase_is_under_way(e) ? e->phase : ERASE_ARMED]);
	journal_put_hash(&body, "leaf", e->leaf);
	journal_put_began(&body, e->began_ms, e->boot);
	journal_put_flag(&body, "sure", e->is_sure);
	journal_put_flag(&body, "unseen", e->was_unseen);
	journal_put_text(&body, "note", e->note);
	put_erased(&body, &e->erased);
	put_texts(&body, e);
	journal_seal(out, first_line, buf_bytes(&body));
}

/* ---- reading ---- */

static bool take_phase(struct bytes *rest, enum erase_phase *out)
{
	static const unsigned stored[] = { ERASE_ARMED, ERASE_ERASING, ERASE_SAYING };

	return journal_take_name(rest, "phase", phases, stored, ARRAY_SIZE(stored), out);
}

static bool take_areas(struct bytes *rest, struct device_erased *d)
{
	char text[STATEMENT_LINE_MAX];
	uint64_t count;

	if (!journal_take_number(rest, "areas", &count) || count > DEVICE_AREAS_MAX)
		return false;
	d->area_count = (size_t)count;
	for (size_t i = 0; i < d->area_count; i++)
		if (!journal_take_text(rest, "area", text, sizeof(text)) || !area_parse(&d->areas[i], text))
			return false;
	return true;
}

static bool take_erased(struct bytes *rest, struct device_erased *d)
{
	uint64_t count;

	if (!take_areas(rest, d) || !journal_take_number(rest, "lefts", &count) || count > DEVICE_LEFTS_MAX)
		return false;
	d->left_count = (size_t)count;
	for (size_t i = 0; i < d->left_count; i++)
		if (!journal_take_text(rest, "left", d->left[i], sizeof(d->left[i])))
			return false;
	return journal_take_flag(rest, "is-said", &d->has_transcript) && journal_take_hash(rest, "transcript", d->transcript);
}

static bool take_lengths(struct bytes *rest, size_t out[static 3])
{
	static const char *const keys[] = { "order", "batch", "controls" };
	uint64_t len;

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		if (!journal_take_number(rest, keys[i], &len) || len > ERASE_FILE_MAX)
			return false;
		out[i] = (size_t)len;
	}
	return out[0] + out[1] + out[2] == rest->len;
}

static int read_controls(struct orders_batch *batch, struct bytes in, struct error *err)
{
	while (in.len) {
		struct statement *st;
		size_t used;

		if (statement_parse(&st, in, false, &used, err) < 0)
			return err->code;
		in = bytes_from(in, used);
		if (!orders_batch_control(batch, st))
			return error_set(err, E_FORMAT, "too many decisions");
	}
	return 0;
}

static int read_texts(struct erase *e, struct bytes in, struct error *err)
{
	struct statement *batch = NULL;
	size_t len[3], used;

	if (!take_lengths(&in, len))
		return error_set(err, E_FORMAT, "its texts are cut short or too long");
	if (statement_parse(&e->order, bytes_of(in.ptr, len[0]), true, &used, err) < 0)
		return err->code;
	if (used != len[0] || statement_type(e->order) != STATEMENT_ORDER || !order_kind_parse(&e->kind, statement_get(e->order, "kind")) ||
	    !order_kind_erases(e->kind))
		return error_set(err, E_FORMAT, "it holds no order that erases");
	in = bytes_from(in, len[0]);
	if (statement_parse(&batch, bytes_of(in.ptr, len[1]), false, &used, err) < 0)
		return err->code;
	e->batch = orders_batch_new(batch);
	if (used != len[1] || statement_type(batch) != STATEMENT_BATCH)
		return error_set(err, E_FORMAT, "it holds no batch");
	return read_controls(e->batch, bytes_from(in, len[1]), err);
}

static int read_all(struct erase *e, struct bytes in, struct error *err)
{
	if (journal_open(&in, in, first_line, err) < 0)
		return err->code;
	if (!take_phase(&in, &e->phase) || !journal_take_hash(&in, "leaf", e->leaf) || !journal_take_began(&in, &e->began_ms, e->boot) ||
	    !journal_take_flag(&in, "sure", &e->is_sure) || !journal_take_flag(&in, "unseen", &e->was_unseen) ||
	    !journal_take_text(&in, "note", e->note, sizeof(e->note)) || !take_erased(&in, &e->erased))
		return error_set(err, E_FORMAT, "a line is missing, or of another form");
	if (read_texts(e, in, err) < 0)
		return err->code;
	e->number = statement_number(e->order, "order");
	return 0;
}

/* The delay is counted anew behind a restart of the machine: nobody could object meanwhile. */
static void resume_armed(struct erase *e, uint64_t now_ms)
{
	char boot[FLOOR_BOOT_LEN];

	floor_boot(boot);
	if (*boot && !strcmp(e->boot, boot) && e->began_ms <= now_ms)
		return;
	memcpy(e->boot, boot, sizeof(e->boot));
	e->began_ms = now_ms;
	e->is_dirty = true;
}

/* The agent, or the whole machine, was started again. */
static void resume(struct erase *e, const struct orders_seen *seen, uint64_t newest, uint64_t now_ms)
{
	bool is_closed = seen->closed >= e->number;

	e->stored = e->phase;
	e->is_said = seen->said == e->number;
	if (is_closed && e->phase == ERASE_SAYING && e->is_sure) {
		e->phase = ERASE_SENDING;
		e->receipt = newest;
		e->sending_ms = now_ms;
	} else if (is_closed) {
		erase_done(e);
	} else if (e->phase == ERASE_ARMED) {
		resume_armed(e, now_ms);
	}
}

int erase_read(struct erase *out, struct bytes in, const struct orders_seen *seen, uint64_t newest, uint64_t now_ms, struct error *err)
{
	struct erase e = { 0 };

	if (read_all(&e, in, err) < 0) {
		erase_done(&e);
		return err->code;
	}
	resume(&e, seen, newest, now_ms);
	*out = e;
	return 0;
}

int erase_store(const struct erase *e, const char *dir, struct error *err)
{
	_cleanup_(mem_freep) char *path = mem_printf("%s/erase", dir);
	_cleanup_(buf_done) struct buf text = { 0 };

	erase_write(&text, e);
	return fs_write(path, buf_bytes(&text), 0600, err);
}

int erase_load(struct erase *e, const char *dir, const struct orders_seen *seen, uint64_t newest, uint64_t now_ms, struct error *err)
{
	_cleanup_(mem_freep) char *path = mem_printf("%s/erase", dir);
	_cleanup_(buf_done) struct buf text = { 0 };
	int r = fs_read(&text, path, ERASE_FILE_MAX, err);

	*e = (struct erase){ 0 };
	if (r == FS_ABSENT)
		return ERASE_ABSENT;
	if (r < 0 || erase_read(e, buf_bytes(&text), seen, newest, now_ms, err) < 0)
		return error_add(err, "'%s'", path);
	return 0;
}

int erase_remove(const char *dir, struct error *err)
{
	_cleanup_(mem_freep) char *path = mem_printf("%s/erase", dir);

	return fs_remove(path, err);
}
