/* agent/upgrade-file.c -- the journal of an order that gives the device other firmware: the file `upgrade` in the device's folder.
 *
 * Lines that an engineer can read, then the order's text, its batch, and the statement about the image. It holds no secret. */
#include "agent/upgrade.h"

#include "agent/journal.h"
#include "base/fs.h"

#include <stdio.h>
#include <string.h>

static const char first_line[] = "holdfast-agent-upgrade/1";

static const char *const phases[UPGRADE_PHASES] = { "none",	"fetching",   "recording", "installing", "starting", "proving",
						    "keeping", "restarting", "settling",  "returning",  "ended" };

const char *upgrade_phase_name(enum upgrade_phase phase)
{
	return phases[phase];
}

void upgrade_write(struct buf *out, const struct upgrade *u)
{
	_cleanup_(buf_done) struct buf body = { 0 };

	buf_addf(&body, "phase: %s\n", phases[u->phase == UPGRADE_RECORDING ? UPGRADE_FETCHING : u->phase]);
	journal_put_hash(&body, "leaf", u->leaf);
	journal_put_hash(&body, "before", u->before);
	journal_put_text(&body, "slot", u->slot);
	journal_put_text(&body, "version", u->version);
	journal_put_flag(&body, "started", u->was_started || u->phase == UPGRADE_STARTING);
	buf_addf(&body, "starts: %u\n", u->starts);
	journal_put_flag(&body, "fallback", u->seen.is_fallback);
	journal_put_began(&body, u->began_ms, u->boot);
	journal_put_text(&body, "why", u->why);
	buf_addf(&body, "order: %zu\nbatch: %zu\nfirmware: %zu\n", statement_text(u->order).len, statement_whole(u->batch).len,
		 statement_whole(u->firmware).len);
	buf_add_bytes(&body, statement_text(u->order));
	buf_add_bytes(&body, statement_whole(u->batch));
	buf_add_bytes(&body, statement_whole(u->firmware));
	journal_seal(out, first_line, buf_bytes(&body));
}

static bool take_phase(struct bytes *rest, enum upgrade_phase *out)
{
	static const unsigned stored[] = { UPGRADE_FETCHING, UPGRADE_INSTALLING, UPGRADE_STARTING, UPGRADE_PROVING,
					   UPGRADE_KEEPING,  UPGRADE_RESTARTING, UPGRADE_SETTLING, UPGRADE_RETURNING };

	return journal_take_name(rest, "phase", phases, stored, ARRAY_SIZE(stored), out);
}

/* The next statement of so many bytes, which must be of this type. */
static int take_statement(struct statement **out, struct bytes *in, uint64_t len, bool is_text, enum statement_type type, struct error *err)
{
	size_t used;

	if (len > in->len)
		return error_set(err, E_FORMAT, "its texts are cut short");
	if (statement_parse(out, bytes_of(in->ptr, (size_t)len), is_text, &used, err) < 0)
		return err->code;
	*in = bytes_from(*in, (size_t)len);
	return used == len && statement_type(*out) == type ? 0 : error_set(err, E_FORMAT, "it holds no %s", statement_type_name(type));
}

static int read_texts(struct upgrade *u, struct bytes in, struct error *err)
{
	uint64_t order, batch, firmware;

	if (!journal_take_number(&in, "order", &order) || !journal_take_number(&in, "batch", &batch) ||
	    !journal_take_number(&in, "firmware", &firmware))
		return error_set(err, E_FORMAT, "a line is missing, or of another form");
	if (take_statement(&u->order, &in, order, true, STATEMENT_ORDER, err) < 0 ||
	    take_statement(&u->batch, &in, batch, false, STATEMENT_BATCH, err) < 0 ||
	    take_statement(&u->firmware, &in, firmware, false, STATEMENT_FIRMWARE, err) < 0)
		return err->code;
	return in.len ? error_set(err, E_FORMAT, "its texts are too long") : 0;
}

static int read_all(struct upgrade *u, struct bytes in, struct error *err)
{
	uint64_t starts;

	if (journal_open(&in, in, first_line, err) < 0)
		return err->code;
	if (!take_phase(&in, &u->phase) || !journal_take_hash(&in, "leaf", u->leaf) || !journal_take_hash(&in, "before", u->before) ||
	    !journal_take_text(&in, "slot", u->slot, sizeof(u->slot)) ||
	    !journal_take_text(&in, "version", u->version, sizeof(u->version)) || !journal_take_flag(&in, "started", &u->was_started) ||
	    !journal_take_number(&in, "starts", &starts) || !journal_take_flag(&in, "fallback", &u->seen.is_fallback) ||
	    !journal_take_began(&in, &u->began_ms, u->boot) || !journal_take_text(&in, "why", u->why, sizeof(u->why)))
		return error_set(err, E_FORMAT, "a line is missing, or of another form");
	if (read_texts(u, in, err) < 0)
		return err->code;
	u->number = statement_number(u->order, "order");
	u->starts = starts < UPGRADE_STARTS ? (unsigned)starts : UPGRADE_STARTS;
	return 0;
}

/* The agent, or the whole machine, was started again. What has a time to be done in has it anew behind a restart of the machine: its clock
 * began anew, too. A start that was cut off counts as one, and that is noted before the next. */
static void resume(struct upgrade *u, uint64_t now_ms)
{
	char boot[FLOOR_BOOT_LEN];

	u->stored = u->phase;
	if (u->phase == UPGRADE_STARTING) {
		u->is_resumed = true;
		u->starts++;
		u->stored = UPGRADE_INSTALLING;
	}
	floor_boot(boot);
	if (*boot && !strcmp(u->boot, boot) && u->began_ms <= now_ms)
		return;
	memcpy(u->boot, boot, sizeof(u->boot));
	u->began_ms = now_ms;
}

int upgrade_read(struct upgrade *out, struct bytes in, uint64_t now_ms, struct error *err)
{
	struct upgrade u = { 0 };

	if (read_all(&u, in, err) < 0) {
		upgrade_done(&u);
		return err->code;
	}
	resume(&u, now_ms);
	*out = u;
	return 0;
}

int upgrade_store(const struct upgrade *u, const char *dir, struct error *err)
{
	_cleanup_(mem_freep) char *path = mem_printf("%s/upgrade", dir);
	_cleanup_(buf_done) struct buf text = { 0 };

	upgrade_write(&text, u);
	return fs_write(path, buf_bytes(&text), 0600, err);
}

int upgrade_load(struct upgrade *u, const char *dir, uint64_t now_ms, struct error *err)
{
	_cleanup_(mem_freep) char *path = mem_printf("%s/upgrade", dir);
	_cleanup_(buf_done) struct buf text = { 0 };
	int r = fs_read(&text, path, UPGRADE_FILE_MAX, err);

	*u = (struct upgrade){ 0 };
	if (r == FS_ABSENT)
		return UPGRADE_ABSENT;
	if (r < 0 || upgrade_read(u, buf_bytes(&text), now_ms, err) < 0)
		return error_add(err, "'%s'", path);
	return 0;
}

int upgrade_remove(const char *dir, struct error *err)
{
	_cleanup_(mem_freep) char *path = mem_printf("%s/upgrade", dir);

	return fs_remove(path, err);
}
