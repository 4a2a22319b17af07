/* agent/duty.c -- one device's duty: look, record what differs, see to it that it is saved. */
#include "agent/duty-parts.h"

#include "agent/apply.h"
#include "agent/core.h"
#include "agent/retired.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	JOIN_CHECK_MS = 5000,
	NOTICE_MS = 200,      /* a save touches the file more than once */
	LOOK_DEADLINE_MS = 60000,
	CHANGE_DEADLINE_MS = 300000,
};

void duty_ask(struct duty *d, enum ipc_kind kind, struct bytes body, uint64_t deadline_ms)
{
	d->asked = kind;
	d->asked_id = core_id(d->core);
	loop_arm(d->core->loop, &d->deadline, clock_mono_ms() + deadline_ms);
	(void)child_send(&d->apply, kind, d->asked_id, body); /* failing ends the child, and duty_lost() clears what was asked */
}

static void ask_look(struct duty *d)
{
	bool knows = d->has_digest && !d->wants_texts;

	duty_ask(d, IPC_LOOK, bytes_of(d->digest, knows ? sizeof(d->digest) : 0), LOOK_DEADLINE_MS);
}

static void ask_facts(struct duty *d)
{
	d->is_facts_asked = true;
	duty_ask(d, IPC_FACTS, (struct bytes){ 0 }, LOOK_DEADLINE_MS);
}

void duty_look_in(struct duty *d, uint64_t ms)
{
	loop_arm(d->core->loop, &d->look, clock_mono_ms() + ms);
}

/* The next look: after `watch` seconds, or when the quiet period ends. */
void duty_look_later(struct duty *d)
{
	uint64_t now = clock_mono_ms(), due = now + d->dev->commit->watch * 1000ULL;
	uint64_t quiet_end = d->commit.changed_ms + d->commit.quiet_ms;

	if (d->decision.why == WHY_QUIET && quiet_end < due)
		due = quiet_end;
	loop_arm(d->core->loop, &d->look, due);
}

static void set_trouble(struct duty *d, const char *text)
{
	if (*text && strcmp(text, d->trouble) != 0)
		log_warning("trouble device=%s why=\"%s\"", d->dev->name, text);
	if (!*text && *d->trouble)
		log_notice("trouble-ended device=%s", d->dev->name);
	snprintf(d->trouble, sizeof(d->trouble), "%s", text);
}

/* ---- deciding ---- */

static void act(struct duty *d)
{
	_cleanup_(buf_done) struct buf body = { 0 };
	struct apply_ask asked = { 0 };
	bool is_save = d->decision.action == COMMIT_SAVE;

	if (d->decision.action == COMMIT_REMIND) {
		char since[CLOCK_TEXT_LEN];

		clock_text(since, d->decision.unsaved_since_s);
		log_warning("unsaved device=%s since=%s what-to-do=\"save the running configuration, or hold it with a reason\"",
			    d->dev->name, since);
	}
	if (!is_save && d->decision.action != COMMIT_RETURN) {
		duty_look_later(d);
		return;
	}
	memcpy(asked.seen.running, d->view.running, sizeof(asked.seen.running));
	memcpy(asked.seen.startup, d->view.startup, sizeof(asked.seen.startup));
	apply_ask_put(&body, &asked);
	log_info("%s device=%s", is_save ? "saving" : "returning", d->dev->name);
	duty_ask(d, is_save ? IPC_SAVE : IPC_REVERT, buf_bytes(&body), CHANGE_DEADLINE_MS);
}

static void note_hold(struct duty *d)
{
	struct error err = { 0 };
	int r = hold_read(&d->hold, d->dir, state_clock(&d->state), &err);

	/* a hold that cannot be read is one: doing nothing is the side on which an engineer loses nothing */
	d->is_held = r != HOLD_NONE;
	if (r < 0)
		d->hold = (struct hold){ .until_s = state_clock(&d->state) + 3600, .who = "nobody", .why = "the hold file cannot be read" };
}

static void decide(struct duty *d)
{
	enum commit_saved before = d->decision.saved;

	note_hold(d);
	d->view.is_held = d->is_held;
	duty_policies_before(d);
	d->decision = commit_step(&d->commit, &d->view, clock_mono_ms(), state_now(&d->state));
	duty_policies_behind(d);
	if (d->decision.saved != before)
		log_notice("saved device=%s is=%s was=%s", d->dev->name, commit_saved_name(d->decision.saved), commit_saved_name(before));
}

void duty_finish_step(struct duty *d)
{
	struct error ignored;

	if (!d->is_joined)
		return; /* it was retired within this step */
	(void)!floor_keep(&d->state.floor, d->dir, &ignored); /* it then lags behind after a restart, no more */
	duty_write_status(d);
	uplink_kick(d);
}

/* Everything is recorded, or nothing is done about it. */
static void take_recorded(struct duty *d, int r, bool is_recorded, const struct error *err)
{
	d->wants_texts = !is_recorded;
	set_trouble(d, r < 0 ? err->text : "");
	if (r == 0 && is_recorded)
		d->done = NULL;
	if (!obey_act(d, is_recorded, err->text)) {
		if (is_recorded)
			act(d);
		else
			duty_look_later(d);
	}
	duty_judge(d);
	duty_finish_step(d);
}

static bool fill_view(struct duty *d, const struct apply_look *look, struct buf *running, struct buf *startup)
{
	const char *known = d->state.chain.incarnation;

	d->driver->canonical(running, look->running);
	d->driver->canonical(startup, look->startup);
	d->view = (struct commit_view){
		.is_known = true,
		.is_whole = look->is_whole,
		.is_restarted = look->is_whole && *known && strcmp(known, look->incarnation) != 0,
		.has_startup = look->has_startup,
		.is_doubtful = *look->doubt,
	};
	memcpy(d->doubt, look->doubt, sizeof(d->doubt));
	memcpy(d->remark, look->remark, sizeof(d->remark));
	memcpy(d->changed_by, look->changed_by, sizeof(d->changed_by));
	apply_digest(d->view.running, buf_bytes(running), true);
	apply_digest(d->view.startup, buf_bytes(startup), look->has_startup);
	if (d->view.is_restarted)
		obey_restarted(d);
	return look->is_whole;
}

static void take_texts(struct duty *d, const struct apply_look *look)
{
	_cleanup_(buf_done) struct buf running = { 0 }, startup = { 0 };
	bool is_whole = fill_view(d, look, &running, &startup), is_recorded = false;
	char note[DUTY_NOTE_MAX * 2];
	struct snapshot_input in;
	struct error err = { 0 };
	int r;

	memcpy(d->digest, look->digest, sizeof(d->digest));
	d->has_digest = true;
	decide(d);
	if (!is_whole) {
		char text[DUTY_NOTE_MAX];

		snprintf(text, sizeof(text), "a part of the device does not answer: %s", look->missing);
		set_trouble(d, text);
		d->wants_texts = true; /* once it is whole again there may be something to record */
		duty_look_later(d);
		obey_unseen(d, text);
		duty_finish_step(d);
		return;
	}
	set_trouble(d, "");
	duty_input(&in, note, d);
	in.running = buf_bytes(&running);
	in.startup = buf_bytes(&startup);
	in.has_startup = look->has_startup;
	r = duty_record(d, &in, look->incarnation, &is_recorded, &err);
	if (r == 0)
		r = duty_remember(d, look->incarnation, &err);
	d->view.is_restarted = false;
	take_recorded(d, r, is_recorded && r == 0, &err);
}

static void take_same(struct duty *d)
{
	struct error err = { 0 };
	int r;

	decide(d);
	r = d->view.is_whole ? duty_remember(d, d->state.chain.incarnation, &err) : 0;
	if (r < 0)
		set_trouble(d, err.text);
	if (!d->view.is_whole) {
		duty_look_later(d);
		obey_unseen(d, d->trouble);
	} else if (!obey_act(d, r == 0, err.text)) {
		if (r == 0)
			act(d);
		else
			duty_look_later(d);
	}
	if (r == 0)
		duty_judge(d);
	duty_finish_step(d);
}

static void no_look(struct duty *d, const char *why)
{
	char text[DUTY_NOTE_MAX];

	snprintf(text, sizeof(text), "no look at the device: %.300s", why);
	set_trouble(d, text);
	d->has_digest = false;
	d->view = (struct commit_view){ 0 };
	decide(d);
	duty_look_later(d);
	obey_unseen(d, text);
	duty_finish_step(d);
}

/* A device that started anew may run other firmware, and one that did not tell what it is may do so now. */
static bool needs_facts(const struct duty *d, const struct apply_look *look)
{
	const char *known = d->state.chain.incarnation;
	bool is_restarted = !look->is_same && look->is_whole && *known && strcmp(known, look->incarnation) != 0;

	/* of an upgrade, each step tells what runs */
	return !d->is_facts_asked && (!d->has_facts || (is_restarted && !upgrade_is_under_way(&d->obey.upgrade)));
}

static int took_look(struct duty *d, struct reader *rd, struct error *err)
{
	struct apply_look look;
	struct error failure = { 0 };

	if (!apply_result_get(rd, &failure))
		return error_set(err, E_PEER, "an answer of another form");
	if (failure.code < 0) {
		no_look(d, failure.text);
		return 0;
	}
	if (!apply_look_get(&look, rd) || (look.is_same && !d->has_digest))
		return error_set(err, E_PEER, "a look of another form");
	if (!d->state.admit)
		duty_look_later(d); /* nothing is recorded or done before the admission */
	else if (needs_facts(d, &look))
		ask_facts(d);
	else if (look.is_same)
		take_same(d);
	else
		take_texts(d, &look);
	return 0;
}

/* Done or not, only what the next look shows is believed. */
static int took_change(struct duty *d, enum ipc_kind kind, struct reader *rd, struct error *err)
{
	const char *what = kind == IPC_SAVE ? "save" : "return";
	struct error failure = { 0 };

	if (!apply_result_get(rd, &failure))
		return error_set(err, E_PEER, "an answer of another form");
	if (failure.code == 0) {
		d->done = what;
		log_info("done device=%s what=%s", d->dev->name, what);
	} else {
		log_warning("failed device=%s what=%s why=\"%s\"", d->dev->name, what, failure.text);
		if (!obey_is_changing(d))
			commit_failed(&d->commit, clock_mono_ms());
	}
	if (obey_is_changing(d))
		obey_changed(d, kind, &failure);
	d->wants_texts = true;
	ask_look(d);
	return 0;
}

static int took_check(struct duty *d, struct reader *rd, struct error *err)
{
	struct error failure = { 0 };

	if (!apply_result_get(rd, &failure))
		return error_set(err, E_PEER, "an answer of another form");
	obey_checked(d, &failure);
	duty_finish_step(d);
	return 0;
}

static int took_apply(struct duty *d, struct reader *rd, struct error *err)
{
	struct error failure = { 0 };
	uint8_t running[APPLY_DIGEST_LEN] = { 0 };
	struct bytes digest;

	if (!apply_result_get(rd, &failure))
		return error_set(err, E_PEER, "an answer of another form");
	if (failure.code == 0) {
		digest = read_bytes(rd, sizeof(running));
		if (!reader_done(rd))
			return error_set(err, E_PEER, "an answer of another form");
		memcpy(running, digest.ptr, digest.len);
	}
	obey_applied(d, &failure, running);
	d->wants_texts = true;
	ask_look(d);
	return 0;
}

static int took_show(struct duty *d, struct reader *rd, struct error *err)
{
	struct error failure = { 0 };
	struct bytes said = { 0 };

	if (!apply_result_get(rd, &failure))
		return error_set(err, E_PEER, "an answer of another form");
	if (failure.code == 0)
		said = get_field(rd);
	obey_showed(d, &failure, said);
	return 0;
}

static int took_erase(struct duty *d, struct reader *rd, struct error *err)
{
	struct apply_erased answer;
	struct error failure = { 0 };

	if (!apply_result_get(rd, &failure) || !apply_erased_get(&answer, rd))
		return error_set(err, E_PEER, "an answer of another form");
	obey_erased(d, &failure, &answer);
	duty_finish_step(d);
	return 0;
}

static int took_upgrade(struct duty *d, struct reader *rd, struct error *err)
{
	struct device_images seen = { 0 };
	struct error failure = { 0 };

	if (!apply_result_get(rd, &failure) || (failure.code == 0 && d->obey.is_seeing && !apply_images_get(&seen, rd)))
		return error_set(err, E_PEER, "an answer of another form");
	obey_upgraded(d, &failure, d->obey.is_seeing ? &seen : NULL);
	duty_finish_step(d);
	return 0;
}

static bool get_facts(struct device_facts *out, struct reader *rd)
{
	return get_text_field(rd, out->model, sizeof(out->model)) && get_text_field(rd, out->serial, sizeof(out->serial)) &&
	       get_text_field(rd, out->firmware, sizeof(out->firmware)) && get_text_field(rd, out->images, sizeof(out->images)) &&
	       reader_done(rd);
}

static int took_facts(struct duty *d, struct reader *rd, struct error *err)
{
	struct device_facts facts = { 0 };
	struct error failure = { 0 };

	if (!apply_result_get(rd, &failure) || (failure.code == 0 && !get_facts(&facts, rd)))
		return error_set(err, E_PEER, "facts of another form");
	if (failure.code < 0)
		log_info("no-facts device=%s why=\"%s\"", d->dev->name, failure.text);
	d->has_facts = failure.code == 0;
	if (d->has_facts) {
		d->facts = facts;
		d->wants_texts = d->wants_texts || duty_facts_differ(d);
	}
	ask_look(d);
	return 0;
}

static int took(struct duty *d, enum ipc_kind asked, struct reader *rd, struct error *err)
{
	if (asked == IPC_LOOK)
		return took_look(d, rd, err);
	if (asked == IPC_FACTS)
		return took_facts(d, rd, err);
	if (asked == IPC_CHECK)
		return took_check(d, rd, err);
	if (asked == IPC_APPLY)
		return took_apply(d, rd, err);
	if (asked == IPC_SHOW)
		return took_show(d, rd, err);
	if (asked == IPC_ERASE)
		return took_erase(d, rd, err);
	if (asked == IPC_UPGRADE)
		return took_upgrade(d, rd, err);
	if (asked == IPC_JUDGE)
		return duty_judged(d, rd, err);
	return took_change(d, asked, rd, err);
}

static int duty_took(struct child *child, const struct ipc_msg *msg, struct error *err)
{
	struct duty *d = container_of(child, struct duty, apply);
	enum ipc_kind asked = d->asked;
	struct reader rd = reader_over(msg->body);
	core_rest_later(d->core);

	if (msg->kind == IPC_NOTICE) {
		if (!d->asked && !obey_is_erasing(d))
			duty_look_in(d, NOTICE_MS);
		return 0;
	}
	if (!asked || msg->kind != asked || msg->id != d->asked_id)
		return error_set(err, E_PEER, "an answer to what was not asked");
	d->asked = 0;
	loop_disarm(&d->deadline);
	return took(d, asked, &rd, err);
}

static void duty_lost(struct child *child)
{
	struct duty *d = container_of(child, struct duty, apply);
	enum ipc_kind asked = d->asked;

	if ((asked == IPC_SAVE || asked == IPC_REVERT) && !obey_is_changing(d))
		commit_failed(&d->commit, clock_mono_ms());
	if (asked == IPC_JUDGE)
		duty_judge_lost(d);
	d->asked = 0;
	d->wants_texts = true;
	loop_disarm(&d->deadline);
	loop_disarm(&d->look);
	obey_lost(d, asked);
}

static void duty_began(struct child *child)
{
	struct duty *d = container_of(child, struct duty, apply);

	if (obey_is_erasing(d))
		obey_drive(d); /* what is half erased is asked for nothing */
	else
		ask_facts(d);
}

static void overdue(struct loop_timer *timer)
{
	struct duty *d = container_of(timer, struct duty, deadline);

	if (!obey_is_erasing(d))
		no_look(d, "it did not answer in time");
	child_fail(&d->apply, "no answer in time");
}

/* ---- joining, starting ---- */

static int start_joined(struct duty *d, struct error *err)
{
	const struct chain *c = &d->state.chain;

	if (obey_start(d, err) < 0)
		return err->code;
	d->is_joined = true;
	commit_init(&d->commit, d->dev->commit, c->unsaved_since_s, c->is_blocked);
	d->drift_since_s = c->drift_since_s;
	duty_policies_load(d);
	log_notice("duty device=%s id=%s mode=%s admitted=%s", d->dev->name, d->state.id, settings_mode_name(d->commit.mode),
		   d->state.admit ? "yes" : "no");
	duty_write_status(d);
	uplink_kick(d);
	return child_start(&d->apply, err);
}

/* What a cut left of a device that was erased is destroyed. */
static int finish_retired(struct duty *d, struct error *err)
{
	struct retired left;
	int r = retired_read(&left, d->dir, err);

	if (r != 0)
		return r;
	r = retired_finish(d->core->settings, d->dev, d->dir, err);
	if (r == 0 && !d->is_cleared)
		log_notice("retired device=%s id=%s acknowledged=%s", d->dev->name, left.device, left.is_acknowledged ? "yes" : "no");
	d->is_retired = true;
	d->is_cleared = r == 0;
	retired_done(&left);
	return r;
}

static int begin(struct duty *d, struct error *err)
{
	int r = finish_retired(d, err);

	if (r < 0) {
		/* the others of this agent go on; it is tried again */
		log_failure(LOG_ERROR, "retired-stays", err);
		err->code = 0;
	}
	if (r != RETIRED_ABSENT)
		return STATE_NOT_JOINED;
	r = state_open(&d->state, d->dir, err);
	if (r != 0)
		return r;
	d->is_retired = d->is_cleared = false;
	return start_joined(d, err);
}

static void due(struct loop_timer *timer)
{
	struct duty *d = container_of(timer, struct duty, look);
	struct error err = { 0 };

	if (d->is_joined) {
		d->is_facts_asked = false;
		if (!d->asked && d->apply.pid && !obey_is_erasing(d))
			ask_look(d);
		return;
	}
	if (begin(d, &err) == 0)
		return;
	if (err.code < 0 && err.code != E_DENIED) /* denied: join holds the lock at this moment */
		log_failure(LOG_ERROR, "not-joined", &err);
	duty_look_in(d, JOIN_CHECK_MS);
}

static int write_retired(struct duty *d, struct error *err)
{
	struct retired left = { .time_s = state_now(&d->state), .number = d->state.chain.number };
	int r;

	left.is_acknowledged = d->state.spool.acked >= left.number;
	snprintf(left.fleet, sizeof(left.fleet), "%s", d->state.fleet);
	snprintf(left.device, sizeof(left.device), "%s", d->state.id);
	buf_add_bytes(&left.receipt, buf_bytes(&d->state.chain.newest));
	r = retired_write(d->dir, &left, err);
	retired_done(&left);
	return r;
}

/* A disk that has become full: what nobody needs any more makes room for what must be said of the device. */
static void make_room(struct duty *d)
{
	static const char *const names[] = { "status", "checkpoint", "floor", "challenge" };
	struct error ignored;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		_cleanup_(mem_freep) char *path = mem_printf("%s/%s", d->dir, names[i]);

		(void)!fs_remove(path, &ignored);
	}
}

void duty_retire(struct duty *d)
{
	struct error err = { 0 };

	if (write_retired(d, &err) < 0) {
		log_failure(LOG_ERROR, "retired", &err);
		make_room(d);
		if (write_retired(d, &err) < 0) {
			obey_unretired(d, &err);
			return;
		}
	}
	d->is_joined = false;
	uplink_stop(d);
	obey_stop(d);
	child_stop(&d->apply, 0);
	d->asked = 0;
	loop_disarm(&d->deadline);
	policies_done(&d->policies);
	state_done(&d->state);
	d->uplink = (struct uplink){ 0 };
	d->has_digest = false;
	d->status_text[0] = 0;
	duty_look_in(d, 0); /* begin() goes on from the file */
}

int duty_start(struct duty *d, struct core *core, const struct settings_device *dev, struct error *err)
{
	int r;

	d->core = core;
	d->dev = dev;
	d->driver = device_driver(dev->driver);
	d->dir = mem_printf("%s/%s", core->settings->state, dev->name);
	d->apply_argv[0] = "apply";
	d->apply_argv[1] = core->config;
	d->apply_argv[2] = dev->name;
	d->apply = (struct child){ .name = dev->name,
				   .argv = d->apply_argv,
				   .loop = core->loop,
				   .took = duty_took,
				   .lost = duty_lost,
				   .began = duty_began };
	d->look.fire = due;
	d->deadline.fire = overdue;
	r = begin(d, err);
	if (r <= 0)
		return r;
	if (!d->is_retired)
		log_notice("not-joined device=%s what-to-do=\"holdfast-agent join -d %s INVITE-FILE\"", dev->name, dev->name);
	duty_look_in(d, JOIN_CHECK_MS);
	return 0;
}

void duty_stop(struct duty *d, uint64_t until_ms)
{
	uplink_stop(d);
	obey_stop(d);
	child_stop(&d->apply, until_ms);
	loop_disarm(&d->look);
	loop_disarm(&d->deadline);
	if (d->is_joined)
		state_done(&d->state);
	policies_done(&d->policies);
	free(d->dir);
	d->dir = NULL;
}

void duty_news(struct duty *d)
{
	duty_write_status(d);
	d->wants_texts = true;
	if (!d->asked && d->apply.pid)
		duty_look_in(d, 0);
}
