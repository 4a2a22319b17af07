/* agent/weos-apply.c -- changes of what WeOS runs: lines in its configuration contexts, and whole configurations.
 *
 * Lines are entered into the candidate that `configure` opens; nothing of it counts before `leave`, so a check is the same with `abort` at
 * its end. A whole text replaces running by `copy console running-config`. Before, its sections that differ from what runs are entered and
 * aborted, which finds the line that the device does not take. Neither has a rollback, so what ran is put back by hand when it fails. */
#include "agent/weos-parts.h"

#include <stdio.h>
#include <string.h>

enum { PATH_MAX_LEN = CONSOLE_PART_MAX, APPLY_MS = 60000, PASTE_MS = 120000, INDENT = 8 };

#define IN CONSOLE_SET

/* ---- lines ---- */

struct entering {
	struct weos *w;
	const struct weos_items *items;
	char at[PATH_MAX_LEN];                         /* the context we are in */
	char before[WEOS_DEPTH_MAX + 1][PATH_MAX_LEN]; /* of the last line on each level: the context in which it was entered */
};

/* "/config/system/" and "/config/system" are one. */
static void take_path(char out[static PATH_MAX_LEN], const struct console_seen *seen)
{
	size_t len = strnlen(seen->part[0], PATH_MAX_LEN - 1);

	while (len > 1 && seen->part[0][len - 1] == '/')
		len--;
	memcpy(out, seen->part[0], len);
	out[len] = 0;
}

static int go_up(struct entering *e, const char *to, unsigned number, struct error *err)
{
	const struct weos_ask ask = { .command = "end", .want = IN(WEOS_CONFIG) };

	if (!strcmp(e->at, to))
		return 0;
	if (weos_command(e->w, NULL, &ask, err) < 0)
		return err->code;
	take_path(e->at, &e->w->seen);
	return strcmp(e->at, to) ? error_set(err, E_PEER, "line %u: its end led to another context", number) : 0;
}

static int enter_line(struct entering *e, size_t i, struct error *err)
{
	const struct weos_item *item = &e->items->at[i];
	_cleanup_(mem_freep) char *line = mem_strndup((const char *)item->text.ptr, item->text.len);
	const struct weos_ask ask = { .command = line, .want = IN(WEOS_CONFIG), .is_private = true };
	bool has_inside = i + 1 < e->items->count && (e->items->at[i + 1].depth > item->depth ||
						      (e->items->at[i + 1].is_end && e->items->at[i + 1].depth == item->depth));
	_cleanup_(buf_done) struct buf said = { 0 };

	memcpy(e->before[item->depth], e->at, sizeof(e->at));
	if (weos_command(e->w, &said, &ask, err) < 0)
		return error_add(err, "line %u", item->number);
	take_path(e->at, &e->w->seen);
	if (weos_is_refusal(buf_bytes(&said)))
		return error_set(err, E_FORMAT, "line %u: the device does not take it", item->number);
	if (has_inside && !strcmp(e->at, e->before[item->depth]))
		return error_set(err, E_FORMAT, "line %u: the device opens no block for it", item->number);
	return has_inside ? 0 : go_up(e, e->before[item->depth], item->number, err);
}

/* wanted: which items; NULL: all. Ends in the root of the configuration, or fails. */
static int enter_items(struct weos *w, const struct weos_items *items, const bool *wanted, struct error *err)
{
	const struct weos_ask configure = { .command = "configure", .want = IN(WEOS_CONFIG) };
	struct entering e = { .w = w, .items = items };
	int r = weos_command(w, NULL, &configure, err);

	if (r == 0)
		take_path(e.at, &w->seen);
	for (size_t i = 0; r == 0 && i < items->count; i++) {
		if (wanted && !wanted[i])
			continue;
		r = items->at[i].is_end ? go_up(&e, e.before[items->at[i].depth], items->at[i].number, err) : enter_line(&e, i, err);
	}
	return r;
}

static int drop_candidate(struct weos *w, struct error *err)
{
	const struct weos_ask ask = { .command = "abort", .want = IN(WEOS_EXEC) };

	return weos_command(w, NULL, &ask, err);
}

/* Keeps the failure that is there already; a session that is lost loses its candidate. */
static int give_up(struct weos *w, int code)
{
	struct error second = { 0 };

	if (!w->is_broken && w->seen.shape == WEOS_CONFIG)
		(void)!drop_candidate(w, &second);
	return code;
}

static int activate(struct weos *w, struct error *err)
{
	const struct weos_ask ask = { .command = "leave", .want = IN(WEOS_EXEC) | IN(WEOS_CONFIG), .timeout_ms = APPLY_MS };
	_cleanup_(buf_done) struct buf said = { 0 };

	if (weos_command(w, &said, &ask, err) < 0)
		return err->code;
	if (w->seen.shape == WEOS_EXEC && !weos_is_refusal(buf_bytes(&said)))
		return 0;
	return give_up(w, error_set(err, E_PEER, "the device does not activate the change: it calls the whole invalid"));
}

/* ---- what can be judged without the device ---- */

/* The command that changes the password for secrets stands alone: a way back by text would bring secrets that the new password does not
 * open. */
static int check_encryption(const struct weos_items *items, struct error *err)
{
	struct bytes text = items->at[0].text;

	if (items->count > 1)
		return error_set(err, E_FORMAT, "line %u: 'encrypt-password' stands alone", items->at[1].number);
	for (size_t i = sizeof("encrypt-password"); i < text.len; i++)
		if (text.ptr[i] <= ' ' || text.ptr[i] >= 0x7f || strchr("?\"'\\", text.ptr[i]))
			return error_set(err, E_FORMAT, "line %u: the password holds a character that a console may not take",
					 items->at[0].number);
	if (text.len <= sizeof("encrypt-password") || memcmp(text.ptr, "encrypt-password ", sizeof("encrypt-password")) != 0)
		return error_set(err, E_FORMAT, "line %u: it is no 'encrypt-password PASSWORD'", items->at[0].number);
	return 0;
}

static bool has_encryption(const struct weos_items *items)
{
	for (size_t i = 0; i < items->count; i++)
		if (weos_is_encryption(items->at[i].text))
			return true;
	return false;
}

static int check_items(const struct weos_items *items, struct error *err)
{
	if (!items->count)
		return error_set(err, E_FORMAT, "there is no command in it");
	for (size_t i = 0; i < items->count; i++) {
		const struct weos_item *item = &items->at[i];
		const char *why = item->is_end ? NULL : weos_line_refused(item->text);

		if (!why && item->text.len >= CONSOLE_TYPED_MAX)
			why = "it is too long";
		if (!why && !weos_is_clean(item->text))
			why = "it is no text";
		if (why)
			return error_set(err, E_FORMAT, "line %u: %s", item->number, why);
	}
	return 0;
}

static int check_size(struct bytes text, struct error *err)
{
	if (!text.len || text.len >= DEVICE_TEXT_MAX)
		return error_set(err, E_FORMAT, "it has %zu bytes: 1 to %d may be", text.len, DEVICE_TEXT_MAX - 1);
	if (memchr(text.ptr, 0, text.len))
		return error_set(err, E_FORMAT, "there is a NUL in it");
	return 0;
}

/* ---- the password for secrets ---- */

static int change_encryption(struct weos *w, struct bytes text, struct error *err)
{
	_cleanup_(mem_freep) char *line = mem_strndup((const char *)text.ptr, text.len);
	const struct weos_ask ask = { .command = line, .want = IN(WEOS_EXEC), .is_private = true, .timeout_ms = APPLY_MS };
	_cleanup_(buf_done) struct buf said = { 0 }, running = { 0 }, startup = { 0 };
	int r;

	if (weos_running(w, &running, err) < 0)
		return err->code;
	r = weos_startup(w, &startup, err);
	if (r != 0 || !weos_same(buf_bytes(&running), buf_bytes(&startup)))
		return r < 0 ? r :
			       error_set(err, E_PEER, "what runs is not saved: save it first, since the new password comes with a save");
	if (weos_command(w, &said, &ask, err) < 0)
		return err->code;
	if (weos_is_refusal(buf_bytes(&said)))
		return error_set(err, E_FORMAT, "line 1: the device does not take it");
	/* From here on the device cannot read the secrets of its startup file any more. */
	r = weos_save_here(w, err);
	if (r < 0)
		r = weos_save_here(w, err);
	if (r < 0)
		error_add(err, "the password for secrets is changed and not saved, so the device cannot boot its secrets: save it");
	return r;
}

/* ---- a whole configuration ---- */

static void put_item(struct buf *out, const struct weos_item *item, const char *indent)
{
	for (unsigned n = item->depth + item->is_end; n; n--)
		buf_add_str(out, indent);
	buf_add_bytes(out, item->text);
	buf_add_char(out, '\n');
}

/* Where the section that begins at `from` is over. */
static size_t section_end(const struct weos_items *items, size_t from)
{
	size_t to = from + 1;

	while (to < items->count && (items->at[to].depth || items->at[to].is_end))
		to++;
	return to;
}

/* Does it stand in running already, line for line? */
static bool runs_already(struct bytes running, const struct weos_items *items, size_t from, size_t to)
{
	_cleanup_(buf_done) struct buf section = { 0 };

	buf_add_char(&section, '\n');
	for (size_t i = from; i < to; i++)
		put_item(&section, &items->at[i], "\t");
	return running.len && memmem(running.ptr, running.len, section.ptr, section.len);
}

/* Enters the sections that the device does not run already, and drops them. */
static int try_sections(struct weos *w, const struct weos_items *items, struct bytes running, struct error *err)
{
	_cleanup_(mem_freep) bool *wanted = mem_alloc(items->count * sizeof(*wanted));
	_cleanup_(buf_done) struct buf known = { 0 };
	int r;

	buf_add_char(&known, '\n');
	weos_canonical(&known, running);
	for (size_t from = 0, to; from < items->count; from = to) {
		to = section_end(items, from);
		if (!runs_already(buf_bytes(&known), items, from, to))
			memset(wanted + from, true, to - from);
	}
	r = enter_items(w, items, wanted, err);
	return r < 0 ? give_up(w, r) : drop_candidate(w, err);
}

/* Blanks for indentation: a tab may be a key that completes. */
static void paste_text(struct buf *out, struct bytes text)
{
	struct weos_items items;

	if (weos_is_json(text)) {
		weos_canonical(out, text);
		return;
	}
	weos_items_read(&items, text);
	for (size_t i = 0; i < items.count; i++)
		put_item(out, &items.at[i], "        ");
	weos_items_done(&items);
}

static int paste(struct weos *w, struct bytes text, struct error *err)
{
	const console_set want = IN(WEOS_EXEC) | IN(WEOS_REFUSED) | IN(WEOS_LOST);
	_cleanup_(buf_done) struct buf ready = { 0 };
	bool is_refused = false;
	int r;

	paste_text(&ready, text);
	w->is_broken = true; /* until its prompt is there again */
	r = console_type(w->console, "copy console running-config", false, err);
	if (r == 0)
		r = console_enter(w->console, err);
	if (r == 0)
		r = console_paste(w->console, buf_bytes(&ready), PASTE_MS, err);
	if (r == 0)
		r = console_key(w->console, "\x04", err); /* ends the text */
	do {
		if (r == 0)
			r = console_wait(w->console, &w->seen, want, APPLY_MS, err);
		is_refused = is_refused || (r == 0 && w->seen.shape != WEOS_EXEC);
	} while (r == 0 && w->seen.shape != WEOS_EXEC);
	if (r < 0)
		return error_add(err, "the device does not answer to a configuration");
	w->is_broken = false;
	return is_refused ? error_set(err, E_FORMAT, "the device does not take it as a whole") : 0;
}

static int paste_and_read(struct weos *w, struct bytes text, struct error *err)
{
	_cleanup_(buf_done) struct buf now = { 0 };

	if (paste(w, text, err) < 0)
		return err->code;
	if (weos_running(w, &now, err) < 0)
		return error_add(err, "reading back");
	return weos_same(buf_bytes(&now), text) ? 0 : error_set(err, E_PEER, "applied, and what runs is not the text");
}

static int replace(struct weos *w, struct bytes text, struct bytes running, struct error *err)
{
	struct error second = { 0 };
	int r = paste_and_read(w, text, err);

	if (r < 0 && !w->is_broken && paste_and_read(w, running, &second) < 0)
		return error_set(err, E_PEER, "it failed, and what ran before could not be put back: %.300s", second.text);
	return r;
}

static int whole(struct weos *w, struct bytes text, bool is_trial, struct error *err)
{
	_cleanup_(buf_done) struct buf running = { 0 };
	struct weos_items items;
	bool is_json = weos_is_json(text);
	int r;

	if ((is_trial ? weos_running(w, &running, err) : weos_running_surely(w, &running, err)) < 0)
		return err->code;
	if (weos_is_json(buf_bytes(&running)) != is_json)
		return error_set(err, E_FORMAT, "line 1: it is not in the form in which this device writes its configuration");
	if (is_json)
		return is_trial ? 0 : replace(w, text, buf_bytes(&running), err);
	weos_items_read(&items, text);
	r = try_sections(w, &items, buf_bytes(&running), err);
	weos_items_done(&items);
	return r < 0 || is_trial ? r : replace(w, text, buf_bytes(&running), err);
}

/* ---- lines, tried and entered ---- */

/* Activated, and something is gone that nobody wanted to go. */
static int undo_loss(struct weos *w, size_t lost, struct bytes before, struct error *err)
{
	struct error second = { 0 };

	if (paste_and_read(w, before, &second) < 0)
		return error_set(err, E_PEER,
				 "settings that the change does not name are gone (%zu), and what ran before could not be put back: %.300s",
				 lost, second.text);
	return error_set(err, E_PEER, "settings that the change does not name are gone (%zu); what ran before is back", lost);
}

/* The device says that it activated the lines, and not that it kept all the others. What seems to be gone must be gone twice, since
 * something of the console may have got into the answer. */
static int check_loss(struct weos *w, const struct weos_items *items, struct bytes before, struct error *err)
{
	_cleanup_(buf_done) struct buf now = { 0 }, again = { 0 };
	size_t lost;

	if (weos_running(w, &now, err) < 0)
		return error_add(err, "reading back");
	if (!weos_lost(before, buf_bytes(&now), items))
		return 0;
	if (weos_running(w, &again, err) < 0)
		return error_add(err, "reading back");
	lost = weos_lost(before, buf_bytes(&again), items);
	if (lost && !weos_same(buf_bytes(&now), buf_bytes(&again)))
		return error_set(err, E_PEER, "read back twice, it was not the same: somebody is at work, or there is noise on the line");
	return lost ? undo_loss(w, lost, before, err) : 0;
}

static int lines(struct weos *w, const struct weos_items *items, bool is_trial, struct error *err)
{
	_cleanup_(buf_done) struct buf before = { 0 };
	int r;

	if (has_encryption(items))
		return is_trial ? 0 : change_encryption(w, items->at[0].text, err);
	if (!is_trial && weos_running_surely(w, &before, err) < 0)
		return err->code;
	r = enter_items(w, items, NULL, err);
	if (r < 0)
		return give_up(w, r);
	if (is_trial)
		return drop_candidate(w, err);
	r = activate(w, err);
	return r < 0 ? r : check_loss(w, items, buf_bytes(&before), err);
}

/* ---- both ---- */

/* Everything that needs no session. */
static int check_text(struct bytes text, enum device_apply how, struct error *err)
{
	struct weos_items items;
	int r;

	if (check_size(text, err) < 0)
		return err->code;
	if (weos_is_json(text))
		return how == DEVICE_WHOLE ? weos_json_check(text, err) :
					     error_set(err, E_FORMAT, "line 1: lines are commands, and this is JSON");
	weos_items_read(&items, text);
	if (items.count && has_encryption(&items))
		r = how == DEVICE_WHOLE ? error_set(err, E_FORMAT, "'encrypt-password' is no part of a configuration") :
					  check_encryption(&items, err);
	else
		r = check_items(&items, err);
	weos_items_done(&items);
	return r;
}

static int work(const struct settings_device *dev, struct bytes text, enum device_apply how, bool is_trial, struct error *err)
{
	struct weos_items items = { 0 };
	struct weos w;
	int r;

	if (check_text(text, how, err) < 0)
		return err->code;
	r = weos_open(&w, dev, err);
	if (r == 0 && how == DEVICE_LINES) {
		weos_items_read(&items, text);
		r = lines(&w, &items, is_trial, err);
		weos_items_done(&items);
	} else if (r == 0) {
		r = whole(&w, text, is_trial, err);
	}
	weos_close(&w, r);
	return r;
}

int weos_check(const struct settings_device *dev, struct bytes text, enum device_apply how, struct error *err)
{
	return work(dev, text, how, true, err);
}

int weos_apply(const struct settings_device *dev, struct bytes text, enum device_apply how, struct error *err)
{
	return work(dev, text, how, false, err);
}

bool weos_saves(struct bytes text, enum device_apply how)
{
	struct weos_items items;
	bool saves;

	if (how != DEVICE_LINES || weos_is_json(text))
		return false;
	weos_items_read(&items, text);
	saves = has_encryption(&items);
	weos_items_done(&items);
	return saves;
}
