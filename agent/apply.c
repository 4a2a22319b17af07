/* agent/apply.c -- the process that alone touches one device. */
#include "agent/apply-judge.h"

#include "agent/confine.h"
#include "agent/hold.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/rest.h"
#include "crypto/key.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

enum { GLANCES_MAX = 60 };

struct apply {
	const struct settings_device *dev;
	const struct device_driver *driver;
	const char *state_dir;
	struct ipc ipc;
	int watch;     /* inotify; -1: none */
	char *startup; /* the file that is watched for */

	/* While the glance stays the same, so does the look that had `digest`. */
	bool has_glance;
	unsigned glances; /* since that look */
	uint8_t glance[DEVICE_GLANCE_LEN];
	uint8_t digest[APPLY_DIGEST_LEN];
};

void apply_look_put(struct buf *out, const struct apply_look *look)
{
	buf_add_u32be(out, look->is_same);
	buf_add(out, look->digest, sizeof(look->digest));
	if (look->is_same)
		return;
	buf_add_u32be(out, look->is_whole);
	buf_add_u32be(out, look->has_startup);
	put_field(out, bytes_str(look->missing));
	put_field(out, bytes_str(look->incarnation));
	put_field(out, bytes_str(look->doubt));
	put_field(out, bytes_str(look->remark));
	put_field(out, bytes_str(look->changed_by));
	put_field(out, look->running);
	put_field(out, look->startup);
}

bool apply_look_get(struct apply_look *out, struct reader *rd)
{
	struct bytes digest;

	*out = (struct apply_look){ 0 };
	out->is_same = read_u32(rd) != 0;
	digest = read_bytes(rd, sizeof(out->digest));
	if (!digest.len)
		return false;
	memcpy(out->digest, digest.ptr, digest.len);
	if (out->is_same)
		return reader_done(rd);
	out->is_whole = read_u32(rd) != 0;
	out->has_startup = read_u32(rd) != 0;
	if (!get_text_field(rd, out->missing, sizeof(out->missing)) ||
	    !get_text_field(rd, out->incarnation, sizeof(out->incarnation)) || !get_text_field(rd, out->doubt, sizeof(out->doubt)) ||
	    !get_text_field(rd, out->remark, sizeof(out->remark)) || !get_text_field(rd, out->changed_by, sizeof(out->changed_by)))
		return false;
	out->running = get_field(rd);
	out->startup = get_field(rd);
	return reader_done(rd) && out->running.len <= DEVICE_TEXT_MAX && out->startup.len <= DEVICE_TEXT_MAX;
}

void apply_ask_put(struct buf *out, const struct apply_ask *ask)
{
	buf_add(out, ask->seen.running, sizeof(ask->seen.running));
	buf_add(out, ask->seen.startup, sizeof(ask->seen.startup));
	buf_add_u32be(out, ask->is_ordered);
	buf_add_u32be(out, ask->how);
	put_field(out, ask->text);
}

bool apply_ask_get(struct apply_ask *out, struct bytes in)
{
	struct reader rd = reader_over(in);
	struct bytes running = read_bytes(&rd, APPLY_DIGEST_LEN), startup = read_bytes(&rd, APPLY_DIGEST_LEN);
	uint32_t how;

	*out = (struct apply_ask){ .is_ordered = read_u32(&rd) != 0 };
	how = read_u32(&rd);
	out->text = get_field(&rd);
	if (!reader_done(&rd) || how > DEVICE_LINES || out->text.len > DEVICE_TEXT_MAX)
		return false;
	out->how = (enum device_apply)how;
	memcpy(out->seen.running, running.ptr, running.len);
	memcpy(out->seen.startup, startup.ptr, startup.len);
	return true;
}

void apply_result_put(struct buf *out, int code, const char *text)
{
	buf_add_u32be(out, (uint32_t)-code);
	put_field(out, bytes_str(code ? text : ""));
}

bool apply_result_get(struct reader *rd, struct error *err)
{
	uint32_t code = read_u32(rd);

	err->code = 0;
	if (!get_text_field(rd, err->text, sizeof(err->text)) || code > (uint32_t)-E_PEER)
		return false;
	err->code = -(int)code;
	return true;
}

void apply_erased_put(struct buf *out, const struct apply_erased *answer)
{
	const struct device_erased *e = &answer->erased;

	buf_add_u32be(out, answer->is_more);
	buf_add_u32be(out, (uint32_t)e->area_count);
	for (size_t i = 0; i < e->area_count; i++) {
		_cleanup_(buf_done) struct buf text = { 0 };

		area_text(&text, &e->areas[i]);
		put_field(out, buf_bytes(&text));
	}
	buf_add_u32be(out, (uint32_t)e->left_count);
	for (size_t i = 0; i < e->left_count; i++)
		put_field(out, bytes_str(e->left[i]));
	put_field(out, bytes_of(e->transcript, e->has_transcript ? sizeof(e->transcript) : 0));
}

static bool get_areas(struct device_erased *e, struct reader *rd)
{
	char text[STATEMENT_LINE_MAX];

	e->area_count = read_u32(rd);
	if (e->area_count > DEVICE_AREAS_MAX)
		return false;
	for (size_t i = 0; i < e->area_count; i++)
		if (!get_text_field(rd, text, sizeof(text)) || !area_parse(&e->areas[i], text))
			return false;
	return true;
}

static bool is_value(const char *text)
{
	for (const char *c = text; *c; c++)
		if (*c < 0x20 || *c > 0x7e)
			return false;
	return *text && *text != ' ' && text[strlen(text) - 1] != ' ';
}

static bool get_left(struct device_erased *e, struct reader *rd)
{
	e->left_count = read_u32(rd);
	if (e->left_count > DEVICE_LEFTS_MAX)
		return false;
	for (size_t i = 0; i < e->left_count; i++)
		if (!get_text_field(rd, e->left[i], sizeof(e->left[i])) || !is_value(e->left[i]))
			return false;
	return true;
}

bool apply_erased_get(struct apply_erased *out, struct reader *rd)
{
	struct bytes transcript;

	*out = (struct apply_erased){ .is_more = read_u32(rd) != 0 };
	if (!get_areas(&out->erased, rd) || !get_left(&out->erased, rd))
		return false;
	transcript = get_field(rd);
	if (!reader_done(rd) || (transcript.len && transcript.len != HASH_LEN))
		return false;
	out->erased.has_transcript = transcript.len > 0;
	if (transcript.len)
		memcpy(out->erased.transcript, transcript.ptr, HASH_LEN);
	return true;
}

void apply_upgrade_put(struct buf *out, enum device_upgrade step, const struct device_image *image)
{
	buf_add_u32be(out, step);
	put_field(out, bytes_str(image->part));
	put_field(out, bytes_str(image->version));
	put_field(out, bytes_str(image->slot));
	buf_add_u32be(out, (uint32_t)(image->size >> 32));
	buf_add_u32be(out, (uint32_t)image->size);
	buf_add(out, image->hash, sizeof(image->hash));
}

bool apply_upgrade_get(struct apply_upgrade *out, struct bytes in)
{
	struct reader rd = reader_over(in);
	struct bytes hash;
	uint32_t step = read_u32(&rd);

	if (!get_text_field(&rd, out->part, sizeof(out->part)) || !get_text_field(&rd, out->version, sizeof(out->version)) ||
	    !get_text_field(&rd, out->slot, sizeof(out->slot)) || step >= DEVICE_UPGRADES)
		return false;
	out->step = (enum device_upgrade)step;
	out->image =
		(struct device_image){ .part = out->part, .version = out->version, .slot = out->slot, .path = "", .size = read_u64(&rd) };
	hash = read_bytes(&rd, HASH_LEN);
	if (!reader_done(&rd))
		return false;
	memcpy(out->image.hash, hash.ptr, HASH_LEN);
	return true;
}

void apply_images_put(struct buf *out, const struct device_images *images)
{
	put_field(out, bytes_str(images->slot));
	put_field(out, bytes_str(images->version));
	put_field(out, bytes_str(images->other));
	put_field(out, bytes_str(images->failure));
	buf_add_u32be(out, images->is_fallback);
}

bool apply_images_get(struct device_images *out, struct reader *rd)
{
	if (!get_text_field(rd, out->slot, sizeof(out->slot)) || !get_text_field(rd, out->version, sizeof(out->version)) ||
	    !get_text_field(rd, out->other, sizeof(out->other)) || !get_text_field(rd, out->failure, sizeof(out->failure)))
		return false;
	out->is_fallback = read_u32(rd) != 0;
	return reader_done(rd);
}

void apply_digest(uint8_t out[static APPLY_DIGEST_LEN], struct bytes text, bool is_there)
{
	_cleanup_(buf_done) struct buf all = { 0 };

	buf_add_char(&all, is_there ? '1' : '0');
	buf_add_bytes(&all, text);
	sha256(out, buf_bytes(&all));
}

static void digest_of_look(uint8_t out[static APPLY_DIGEST_LEN], const struct device_look *look)
{
	_cleanup_(buf_done) struct buf all = { 0 };

	buf_add_char(&all, look->is_whole ? '1' : '0');
	buf_add_char(&all, look->has_startup ? '1' : '0');
	put_field(&all, bytes_str(look->missing));
	put_field(&all, bytes_str(look->incarnation));
	put_field(&all, bytes_str(look->doubt));
	put_field(&all, bytes_str(look->remark));
	put_field(&all, buf_bytes(&look->running));
	put_field(&all, buf_bytes(&look->startup));
	sha256(out, buf_bytes(&all));
}

static bool glance(struct apply *a, uint8_t out[static DEVICE_GLANCE_LEN])
{
	struct error ignored;

	return a->driver->glance && a->driver->glance(out, a->dev, &ignored) == 0;
}

/* Does a glance say that nothing changed since the look that core knows? A whole look is taken now and then all the same. */
static bool is_unchanged(struct apply *a, struct bytes known)
{
	uint8_t now[DEVICE_GLANCE_LEN];

	return a->has_glance && a->glances++ < GLANCES_MAX && known.len == APPLY_DIGEST_LEN &&
	       !memcmp(known.ptr, a->digest, APPLY_DIGEST_LEN) && glance(a, now) && !memcmp(now, a->glance, sizeof(now));
}

/* Looks, with a glance before and one behind: only between two equal ones does the look belong to them. */
static int look_and_glance(struct apply *a, struct device_look *look, struct error *err)
{
	uint8_t before[DEVICE_GLANCE_LEN];
	bool has_before = glance(a, before);

	a->has_glance = false;
	if (a->driver->look(look, a->dev, err) < 0)
		return err->code;
	digest_of_look(a->digest, look);
	a->has_glance = has_before && glance(a, a->glance) && !memcmp(before, a->glance, sizeof(before));
	a->glances = 0;
	return 0;
}

static int do_look(struct apply *a, struct bytes known, struct buf *out, struct error *err)
{
	_cleanup_(device_look_done) struct device_look look = { 0 };
	struct apply_look ans = { .is_same = is_unchanged(a, known) };

	if (!ans.is_same && look_and_glance(a, &look, err) < 0)
		return err->code;
	memcpy(ans.digest, a->digest, sizeof(ans.digest));
	if (ans.is_same) {
		apply_result_put(out, 0, "");
		apply_look_put(out, &ans);
		return 0;
	}
	ans.is_same = known.len == APPLY_DIGEST_LEN && !memcmp(known.ptr, ans.digest, APPLY_DIGEST_LEN);
	ans.is_whole = look.is_whole;
	ans.has_startup = look.has_startup;
	memcpy(ans.missing, look.missing, sizeof(ans.missing));
	memcpy(ans.incarnation, look.incarnation, sizeof(ans.incarnation));
	memcpy(ans.doubt, look.doubt, sizeof(ans.doubt));
	memcpy(ans.remark, look.remark, sizeof(ans.remark));
	if (!ans.is_same)
		apply_changed_by(ans.changed_by, a->dev);
	ans.running = buf_bytes(&look.running);
	ans.startup = buf_bytes(&look.startup);
	apply_result_put(out, 0, "");
	apply_look_put(out, &ans);
	return 0;
}

static int do_facts(struct apply *a, struct buf *out, struct error *err)
{
	struct device_facts facts = { 0 };

	if (a->driver->facts(&facts, a->dev, err) < 0)
		return err->code;
	apply_result_put(out, 0, "");
	put_field(out, bytes_str(facts.model));
	put_field(out, bytes_str(facts.serial));
	put_field(out, bytes_str(facts.firmware));
	put_field(out, bytes_str(facts.images));
	return 0;
}

/* Looks, and makes the canonical texts and their digests. E_PEER when a part is missing. */
static int look_whole(struct apply *a, struct device_look *look, struct buf *running, struct buf *startup,
		      struct apply_expect *seen, struct error *err)
{
	if (a->driver->look(look, a->dev, err) < 0)
		return err->code;
	if (!look->is_whole)
		return error_set(err, E_PEER, "the device is not whole, missing: %s", look->missing);
	a->driver->canonical(running, buf_bytes(&look->running));
	a->driver->canonical(startup, buf_bytes(&look->startup));
	apply_digest(seen->running, buf_bytes(running), true);
	apply_digest(seen->startup, buf_bytes(startup), look->has_startup);
	return 0;
}

/* Still what core saw, and nobody holds it? */
static int check_still(struct apply *a, const struct apply_expect *seen, const struct apply_ask *ask, struct error *err)
{
	struct hold hold;
	int r;

	if (memcmp(&ask->seen, seen, sizeof(*seen)) != 0)
		return error_set(err, E_DENIED, "the configuration changed since it was looked at");
	if (ask->is_ordered)
		return 0;
	r = hold_read(&hold, a->state_dir, clock_now_s(), err);
	if (r < 0)
		return r;
	return r == HOLD_NONE ? 0 : error_set(err, E_DENIED, "a hold is in force");
}

/* Read back: nothing that the device or the disk says about its own success counts. */
static int check_equal(struct apply *a, struct error *err)
{
	_cleanup_(device_look_done) struct device_look look = { 0 };
	_cleanup_(buf_done) struct buf running = { 0 }, startup = { 0 };
	struct apply_expect seen;

	if (look_whole(a, &look, &running, &startup, &seen, err) < 0)
		return error_add(err, "reading back");
	if (!look.has_startup || !bytes_equal(buf_bytes(&running), buf_bytes(&startup)))
		return error_set(err, E_PEER, "read back, startup is not equal to running");
	return 0;
}

static int do_change(struct apply *a, bool is_save, const struct apply_ask *ask, struct buf *out, struct error *err)
{
	_cleanup_(device_look_done) struct device_look look = { 0 };
	_cleanup_(buf_done) struct buf running = { 0 }, startup = { 0 };
	unsigned needs = is_save ? DEVICE_SAVE : DEVICE_REVERT;
	struct apply_expect seen;
	int r;

	if (!(a->driver->capabilities & needs))
		return error_set(err, E_DENIED, "driver '%s' cannot do this", a->driver->name);
	if (look_whole(a, &look, &running, &startup, &seen, err) < 0 || check_still(a, &seen, ask, err) < 0)
		return err->code;
	if (!is_save && (!look.has_startup || !startup.len))
		return error_set(err, E_DENIED, "there is no startup configuration to return to");
	r = is_save ? a->driver->save(a->dev, buf_bytes(&look.running), err) :
		      a->driver->revert(a->dev, buf_bytes(&look.startup), err);
	if (r < 0 || check_equal(a, err) < 0)
		return err->code;
	apply_result_put(out, 0, "");
	return 0;
}

static int do_check(struct apply *a, const struct apply_ask *ask, struct buf *out, struct error *err)
{
	if (!(a->driver->capabilities & DEVICE_APPLY))
		return error_set(err, E_DENIED, "driver '%s' cannot do this", a->driver->name);
	if (a->driver->check(a->dev, ask->text, ask->how, err) < 0)
		return err->code;
	apply_result_put(out, 0, "");
	return 0;
}

/* What runs now, whole, with a startup configuration that nobody touched: a text must not save itself, unless it must be saved at once. */
static int check_unsaved(struct apply *a, const struct apply_expect *before, struct apply_expect *after, bool saves, struct error *err)
{
	_cleanup_(device_look_done) struct device_look look = { 0 };
	_cleanup_(buf_done) struct buf running = { 0 }, startup = { 0 };

	if (look_whole(a, &look, &running, &startup, after, err) < 0)
		return error_add(err, "reading back");
	if (saves && (!look.has_startup || !bytes_equal(buf_bytes(&running), buf_bytes(&startup))))
		return error_set(err, E_PEER, "read back, startup is not equal to running");
	if (!saves && memcmp(before->startup, after->startup, sizeof(after->startup)) != 0)
		return error_set(err, E_PEER, "read back, the startup configuration is another");
	return 0;
}

static int do_apply(struct apply *a, const struct apply_ask *ask, struct buf *out, struct error *err)
{
	_cleanup_(device_look_done) struct device_look look = { 0 };
	_cleanup_(buf_done) struct buf running = { 0 }, startup = { 0 };
	bool saves = a->driver->saves && a->driver->saves(ask->text, ask->how);
	struct apply_expect before, after;

	if (!(a->driver->capabilities & DEVICE_APPLY))
		return error_set(err, E_DENIED, "driver '%s' cannot do this", a->driver->name);
	if (look_whole(a, &look, &running, &startup, &before, err) < 0 || check_still(a, &before, ask, err) < 0) {
		error_add(err, "nothing was done");
		return err->code = E_DENIED;
	}
	/* from here on no failure may be E_DENIED: something may have been done */
	if (a->driver->apply(a->dev, ask->text, ask->how, err) < 0 || check_unsaved(a, &before, &after, saves, err) < 0)
		return err->code = err->code == E_DENIED ? E_PEER : err->code;
	apply_result_put(out, 0, "");
	buf_add(out, after.running, sizeof(after.running));
	return 0;
}

static int do_show(struct apply *a, struct bytes body, struct buf *out, struct error *err)
{
	_cleanup_(buf_done) struct buf said = { 0 };
	struct reader rd = reader_over(body);
	char command[1024];

	if (!get_text_field(&rd, command, sizeof(command)) || !reader_done(&rd))
		return error_set(err, E_FORMAT, "a command of another form");
	if (!a->driver->show || a->driver->show(&said, a->dev, command, err) < 0)
		return a->driver->show ? err->code : error_set(err, E_DENIED, "driver '%s' cannot do this", a->driver->name);
	apply_result_put(out, 0, "");
	put_field(out, buf_bytes(&said));
	return 0;
}

static int judge(struct apply *a, const struct apply_judge *ask, struct buf *out, struct error *err)
{
	_cleanup_(device_look_done) struct device_look look = { 0 };
	_cleanup_(buf_done) struct buf running = { 0 }, startup = { 0 };
	_cleanup_(verdict_sum_done) struct verdict_sum sum = { .section_count = 0 };
	struct apply_expect seen;

	if (look_whole(a, &look, &running, &startup, &seen, err) < 0)
		return err->code;
	if (memcmp(ask->running, seen.running, sizeof(seen.running)) != 0)
		return error_set(err, E_DENIED, "the configuration changed since it was looked at");
	if (apply_judge(&sum, ask, a->driver->name, buf_bytes(&running), err) < 0)
		return err->code;
	apply_result_put(out, 0, "");
	apply_sum_put(out, &sum);
	return 0;
}

static int do_judge(struct apply *a, struct bytes body, struct buf *out, struct error *err)
{
	struct apply_judge *ask = mem_alloc(sizeof(*ask)); /* too much for a stack */
	int r = apply_judge_get(ask, body) ? judge(a, ask, out, err) : error_set(err, E_FORMAT, "policies of another form");

	free(ask);
	return r;
}

static unsigned erase_capability(enum device_erase how)
{
	return how == DEVICE_ERASE_PURGE ? DEVICE_PURGE : DEVICE_FACTORY_RESET;
}

/* The answer carries what is known, however it ends. */
static int do_erase(struct apply *a, struct bytes body, struct buf *out, struct error *err)
{
	struct reader rd = reader_over(body);
	uint32_t how = read_u32(&rd);
	struct apply_erased answer = { 0 };
	struct error failure = { 0 };
	int r;

	if (!reader_done(&rd) || how > DEVICE_ERASE_PURGE)
		return error_set(err, E_FORMAT, "an order to erase of another form");
	if (!a->driver->erase || !(device_capabilities(a->driver, a->dev) & erase_capability((enum device_erase)how)))
		r = error_set(&failure, E_DENIED, "driver '%s' cannot do this as it is configured", a->driver->name);
	else
		r = a->driver->erase(&answer.erased, a->dev, (enum device_erase)how, a->state_dir, &failure);
	answer.is_more = r == DEVICE_ERASE_MORE;
	a->has_glance = false;
	apply_result_put(out, r < 0 ? r : 0, failure.text);
	apply_erased_put(out, &answer);
	return 0;
}

static int do_upgrade(struct apply *a, struct bytes body, struct buf *out, struct error *err)
{
	_cleanup_(mem_freep) char *path = mem_printf("%s/image", a->state_dir);
	struct device_images images = { 0 };
	struct apply_upgrade ask;

	if (!apply_upgrade_get(&ask, body))
		return error_set(err, E_FORMAT, "a step of an upgrade of another form");
	if (!a->driver->upgrade || !(device_capabilities(a->driver, a->dev) & DEVICE_UPGRADE))
		return error_set(err, E_DENIED, "driver '%s' cannot do this as it is configured", a->driver->name);
	ask.image.path = path;
	a->has_glance = false;
	if (a->driver->upgrade(&images, a->dev, ask.step, &ask.image, err) < 0)
		return err->code;
	apply_result_put(out, 0, "");
	if (ask.step == DEVICE_UPGRADE_SEE)
		apply_images_put(out, &images);
	return 0;
}

static int act(struct apply *a, const struct ipc_msg *msg, const struct apply_ask *ask, struct buf *out, struct error *err)
{
	if (msg->kind == IPC_CHECK)
		return do_check(a, ask, out, err);
	if (msg->kind == IPC_APPLY)
		return do_apply(a, ask, out, err);
	return do_change(a, msg->kind == IPC_SAVE, ask, out, err);
}

static bool is_ask(enum ipc_kind kind)
{
	return kind == IPC_SAVE || kind == IPC_REVERT || kind == IPC_CHECK || kind == IPC_APPLY;
}

static int answer_one(struct apply *a, const struct ipc_msg *msg, struct error *err)
{
	_cleanup_(buf_done) struct buf out = { 0 };
	struct error failure = { 0 };
	struct apply_ask ask;
	int r;

	if (msg->kind == IPC_FACTS)
		r = do_facts(a, &out, &failure);
	else if (msg->kind == IPC_LOOK)
		r = do_look(a, msg->body, &out, &failure);
	else if (msg->kind == IPC_SHOW)
		r = do_show(a, msg->body, &out, &failure);
	else if (msg->kind == IPC_ERASE)
		r = do_erase(a, msg->body, &out, &failure);
	else if (msg->kind == IPC_UPGRADE)
		r = do_upgrade(a, msg->body, &out, &failure);
	else if (msg->kind == IPC_JUDGE)
		r = do_judge(a, msg->body, &out, &failure);
	else if (is_ask(msg->kind) && apply_ask_get(&ask, msg->body))
		r = act(a, msg, &ask, &out, &failure);
	else
		return error_set(err, E_PEER, "message of kind %d", (int)msg->kind);
	if (r < 0) {
		buf_truncate(&out, 0);
		apply_result_put(&out, r, failure.text);
	}
	return ipc_send_wait(&a->ipc, msg->kind, msg->id, buf_bytes(&out), err);
}

/* The folder is watched, since a save replaces the file; of a link, that of the file behind it. */
static void start_watch(struct apply *a)
{
	const char *path = a->driver->startup_path ? a->driver->startup_path(a->dev) : NULL;
	char *real = path ? realpath(path, NULL) : NULL, *slash;

	if (!path)
		return;
	a->startup = real ? real : mem_strdup(path);
	slash = strrchr(a->startup, '/');
	a->watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (a->watch < 0)
		return;
	*slash = 0;
	if (inotify_add_watch(a->watch, *a->startup ? a->startup : "/", IN_CLOSE_WRITE | IN_MOVED_TO | IN_DELETE) < 0)
		fd_closep(&a->watch);
	*slash = '/';
}

/* Was one of the events about the startup file? */
static bool take_events(struct apply *a)
{
	char events[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
	const char *name = strrchr(a->startup, '/') + 1;
	bool is_ours = false;
	ssize_t n;

	while ((n = read(a->watch, events, sizeof(events))) > 0)
		for (char *at = events; at < events + n;) {
			const struct inotify_event *ev = (const struct inotify_event *)(void *)at;

			is_ours = is_ours || (ev->mask & IN_Q_OVERFLOW) || (ev->len && !strcmp(ev->name, name));
			at += sizeof(*ev) + ev->len;
		}
	return is_ours;
}

static int serve(struct apply *a, struct error *err)
{
	for (;;) {
		struct pollfd pfd[2] = { { a->ipc.fd, POLLIN, 0 }, { a->watch, POLLIN, 0 } };
		struct ipc_msg msg;
		int r;

		if (poll(pfd, 2, -1) < 0 && errno != EINTR)
			return error_sys(err, "cannot wait");
		if (pfd[1].revents && take_events(a) && ipc_send_wait(&a->ipc, IPC_NOTICE, 0, (struct bytes){ 0 }, err) < 0)
			return err->code;
		if (!pfd[0].revents)
			continue;
		if (ipc_fill(&a->ipc, err) < 0)
			return err->code;
		while ((r = ipc_next(&a->ipc, &msg, err)) == 0)
			if (answer_one(a, &msg, err) < 0)
				return err->code;
		if (r < 0)
			return r;
		rest(); /* until the next look */
	}
}

/* Whoever ends all of us at once (Ctrl-C, a service manager) ends core; core lets us leave the device in order, and kills us if need be. */
static void outlive_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
}

void apply_environment(void)
{
	clearenv();
	setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1);
	setenv("LC_ALL", "C", 1);
	setenv("VTYSH_PAGER", "cat", 1);
	setenv("VTYSH_HISTFILE", "/dev/null", 1); /* or the commands that an engineer typed would be pushed out by ours */
	setenv("PYTHONDONTWRITEBYTECODE", "1", 1);
}

int apply_main(int fd, int parent, const struct settings_device *dev, const char *state_dir)
{
	struct apply a = { .dev = dev, .driver = device_driver(dev->driver), .state_dir = state_dir, .watch = -1 };
	struct error err = { 0 };

	signal(SIGPIPE, SIG_IGN);
	outlive_signals();
	apply_environment();
	if (confine_child(parent, &err) < 0) {
		log_failure(LOG_ERROR, "apply-unconfined", &err);
		return 1;
	}
	confine_apply(a.driver->uses_network);
	ipc_init(&a.ipc, fd);
	start_watch(&a);
	if (serve(&a, &err) < 0)
		log_debug("apply-ends device=%s why=\"%s\"", dev->name, err.text);
	ipc_done(&a.ipc);
	fd_closep(&a.watch);
	free(a.startup);
	return 0;
}
