/* cli/follow.c -- follows a rollout. */
#include "cli/follow.h"

#include "base/clock.h"
#include "base/plural.h"
#include "cli/api.h"
#include "cli/output.h"
#include "cli/receipts.h"
#include "cli/show.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { STEP_MS = 1000, STEP_PER_DEVICES = 1000, TRIES = 60 };

static volatile sig_atomic_t interrupted; /* a handler has nothing else to write to */

static void note_interrupt(int signal _unused_)
{
	interrupted = 1;
}

/* What was shown last. */
struct shown {
	bool in_place;
	size_t rows; /* drawn on the terminal */
	char state[64];
	char (*outcomes)[64]; /* by place in devices */
	size_t count;
};

/* ---- a line for each change ---- */

static void note_device(const struct rollout_device *d)
{
	struct receipt_words words = receipt_words(d->outcome, d->check);
	bool is_done = !strcmp(d->outcome, "done");

	output_note("wave %zu  %s: %s%s%s%s%s%s%s", d->wave + 1, *d->name ? d->name : d->id, d->outcome, *d->check ? ", " : "", d->check,
		    is_done ? "" : ": ", is_done ? "" : words.says, *d->note ? "; it says: " : "", d->note);
}

static void note_state(const struct rollout *r)
{
	struct rollout_counts c = rollout_count(r, batch_waves(r->batch));

	output_note("%s  wave %zu/%zu  released %zu/%llu  done %zu  failed %zu", r->state, rollout_wave(r) + 1, batch_waves(r->batch),
		    c.released, (unsigned long long)statement_number(r->batch, "count"), c.done, c.failed);
}

static void show_lines(struct shown *s, const struct rollout *r)
{
	bool moved = strcmp(s->state, r->state) != 0;

	for (size_t i = 0; i < r->count; i++) {
		if (!*r->devices[i].outcome || (i < s->count && !strcmp(s->outcomes[i], r->devices[i].outcome)))
			continue;
		note_device(&r->devices[i]);
		moved = true;
	}
	if (moved)
		note_state(r);
}

/* ---- a table in its place ---- */

static void add_wave(struct table *table, const struct rollout *r, size_t wave)
{
	struct rollout_counts c = rollout_count(r, wave);
	uint32_t begin = wave ? batch_wave_end(r->batch, wave - 1) : 0, end = batch_wave_end(r->batch, wave);
	char cells[6][24];

	snprintf(cells[0], sizeof(cells[0]), "%zu/%zu", wave + 1, batch_waves(r->batch));
	snprintf(cells[1], sizeof(cells[1]), "%u", end - begin);
	snprintf(cells[2], sizeof(cells[2]), "%zu", c.released);
	snprintf(cells[3], sizeof(cells[3]), "%zu", c.done);
	snprintf(cells[4], sizeof(cells[4]), "%zu", c.failed);
	snprintf(cells[5], sizeof(cells[5]), "%zu", c.released - c.last);
	table_add(table, (const char *const[]){ cells[0], cells[1], cells[2], cells[3], cells[4], cells[5] });
}

static void show_table(struct shown *s, const struct rollout *r)
{
	static const char *const heads[] = { "WAVE", "DEVICES", "RELEASED", "DONE", "FAILED", "RUNNING" };
	_cleanup_(table_done) struct table table;
	_cleanup_(buf_done) struct buf text = { 0 }, drawn = { 0 };
	struct bytes rest, line;

	table_init(&table, ARRAY_SIZE(heads), heads);
	for (size_t i = 0; i < batch_waves(r->batch); i++)
		add_wave(&table, r, i);
	table_text(&text, &table, true);
	if (s->rows)
		buf_addf(&drawn, "\033[%zuA", s->rows);
	s->rows = 1;
	buf_addf(&drawn, "\r\033[K%s  %s\n", r->id, r->state);
	for (rest = buf_bytes(&text); bytes_next_line(&rest, &line); s->rows++)
		buf_addf(&drawn, "\033[K%.*s\n", (int)line.len, (const char *)line.ptr);
	fputs(buf_text(&drawn), stderr);
}

static void show(struct shown *s, const struct rollout *r)
{
	if (s->in_place)
		show_table(s, r);
	else
		show_lines(s, r);
	snprintf(s->state, sizeof(s->state), "%s", r->state);
	s->outcomes = mem_grow(s->outcomes, (r->count + 1) * sizeof(*s->outcomes));
	for (size_t i = 0; i < r->count; i++)
		memcpy(s->outcomes[i], r->devices[i].outcome, sizeof(s->outcomes[i]));
	s->count = r->count;
}

static bool has_cursor(void)
{
	const char *term = getenv("TERM");

	return isatty(STDERR_FILENO) && term && strcmp(term, "dumb") != 0;
}

/* ---- what is still in hand ---- */

/* What was given out before a batch was stopped or aborted is carried out all the same; whether it was given out, the server does not say.
 * So those that may be at it are waited for, as long as one can be: the longest confirm of theirs, and what a device may need around it. */
enum { CONFIRM_DEFAULT_S = 60, AROUND_S = 60 };

static bool may_be_in_hand(const struct rollout_device *d)
{
	return (d->is_released || *d->outcome) && !order_outcome_is_last(d->outcome);
}

static size_t count_in_hand(const struct rollout *r)
{
	size_t n = 0;

	for (size_t i = 0; i < r->count && consent_is_enough(&r->consent); i++)
		n += may_be_in_hand(&r->devices[i]);
	return n;
}

static int take_confirm(void *ctx, const struct rollout_device *d, const struct statement *order, struct error *err _unused_)
{
	int64_t *longest_s = ctx,
		confirm_s = statement_get(order, "confirm") ? (int64_t)statement_number(order, "confirm") : CONFIRM_DEFAULT_S;

	if (may_be_in_hand(d) && confirm_s > *longest_s)
		*longest_s = confirm_s;
	return 0;
}

/* When it ended, as far as statements tell. */
static int64_t ended_s(const struct rollout *r)
{
	int64_t at_s = statement_time(r->batch, "time"), expires_s = statement_time(r->batch, "expires");

	for (size_t i = 0; i < r->count; i++)
		if (order_outcome_is_failure(r->devices[i].outcome) && r->devices[i].time_s > at_s)
			at_s = r->devices[i].time_s;
	for (size_t i = 0; i < r->control_count; i++)
		if (!strcmp(statement_get(r->controls[i], "action"), "abort") && statement_time(r->controls[i], "time") > at_s)
			at_s = statement_time(r->controls[i], "time");
	if (!strcmp(r->state, "expired") && expires_s > at_s)
		at_s = expires_s;
	return at_s < clock_now_s() ? at_s : clock_now_s();
}

/* Sets until when they are waited for; *until_s is 0 before the first call. */
static int hand_until(int64_t *until_s, const struct follow *f, const struct open_source *source, struct error *err)
{
	char when[CLOCK_TEXT_LEN];
	int64_t confirm_s = 0;
	int r = *until_s ? 0 : rollout_orders(f->rollout, source, take_confirm, &confirm_s, err);

	if (*until_s || r < 0)
		return r;
	*until_s = ended_s(f->rollout) + confirm_s + AROUND_S;
	if (*until_s <= clock_now_s())
		return 0;
	clock_text(when, *until_s);
	output_note("It is %s; %zu %s may still carry out what was given out before: waiting for them until %s", f->rollout->state,
		    count_in_hand(f->rollout), plural(count_in_hand(f->rollout), "device", "devices"), when);
	return 0;
}

/* 1: over, and nothing is waited for. */
static int is_finished(int64_t *until_s, const struct follow *f, const struct open_source *source, struct error *err)
{
	int r;

	if (!rollout_is_over(f->rollout) || !count_in_hand(f->rollout))
		return rollout_is_over(f->rollout);
	if (f->rollout->orders < statement_number(f->rollout->batch, "count"))
		return 1; /* nothing was given out of it */
	r = hand_until(until_s, f, source, err);
	return r < 0 ? r : clock_now_s() >= *until_s;
}

/* ---- following ---- */

static bool waits_for_people(const struct rollout *r)
{
	return !strcmp(r->state, "waiting") && !consent_is_enough(&r->consent);
}

/* The server may be away for a while: it is asked again. */
static int look(struct follow *f, const struct open_source *source, struct error *err)
{
	int r = CLI_UNREACHED;

	for (unsigned i = 0; i < TRIES && r == CLI_UNREACHED && !interrupted; i++) {
		if (i) {
			output_note("holdfast: %s; trying again", err->text);
			poll(NULL, 0, 5 * STEP_MS);
		}
		r = rollout_update(f->rollout, source, err);
	}
	return r;
}

static int look_on(struct follow *f, const struct open_source *source, struct shown *s, struct error *err)
{
	uint64_t end_ms = f->timeout_s ? clock_mono_ms() + (uint64_t)f->timeout_s * 1000 : UINT64_MAX;
	int64_t hand_s = 0;

	for (;;) {
		int r = look(f, source, err);

		if (interrupted) {
			fputs(s->in_place ? "\n" : "", stderr); /* behind the ^C that the terminal shows */
			return FOLLOW_INTERRUPTED;
		}
		if (r < 0)
			return r;
		show(s, f->rollout);
		r = is_finished(&hand_s, f, source, err);
		if (r != 0)
			return r > 0 ? 0 : r;
		if (f->ends_waiting && waits_for_people(f->rollout))
			return FOLLOW_WAITS;
		if (clock_mono_ms() >= end_ms)
			return rollout_is_over(f->rollout) ? 0 : FOLLOW_TIMEOUT;
		poll(NULL, 0, STEP_MS * (1 + (int)(f->rollout->count / STEP_PER_DEVICES))); /* ends with a signal */
	}
}

int follow(struct follow *f, struct error *err)
{
	struct sigaction note = { .sa_handler = note_interrupt, .sa_flags = SA_RESETHAND }, before; /* a second one ends us */
	struct shown s = { .in_place = has_cursor() };
	_cleanup_(opener_freep) struct opener *opener = NULL;
	struct open_source source;
	int r = fleet_source(&source, f->cli, err);

	if (r < 0)
		return r;
	interrupted = 0;
	sigaction(SIGINT, &note, &before);
	r = look_on(f, &source, &s, err);
	sigaction(SIGINT, &before, NULL);
	free(s.outcomes);
	if (r != 0)
		return r;
	opener = opener_new(&source);
	return rollout_receipts(f->rollout, &source, opener, err);
}

/* ---- what became of it ---- */

static const char *result_of(const struct rollout_device *d)
{
	return *d->outcome ? d->outcome : d->is_released ? "released" : "waiting";
}

static void add_device(struct table *table, const struct rollout *r, const struct rollout_device *d)
{
	_cleanup_(mem_freep) char *says = NULL;
	char wave[48], when[CLOCK_TEXT_LEN] = "";
	struct receipt_words words = receipt_words(d->outcome, d->check);
	const char *cells[] = { *d->name ? d->name : d->id, wave, result_of(d), d->check, d->evidence, when, NULL };

	snprintf(wave, sizeof(wave), "%zu/%zu", d->wave + 1, batch_waves(r->batch));
	if (d->time_s)
		clock_text(when, d->time_s);
	if (*d->outcome && strcmp(d->outcome, "done") != 0)
		says = mem_printf("%s%s%s%s%s", words.says, *d->note ? "; it says: " : "", d->note, *words.todo ? ". What to do: " : "",
				  words.todo);
	else
		says = mem_strdup(d->note);
	cells[6] = says;
	table_add(table, cells);
}

int follow_print(const struct rollout *r, bool only_failed, struct error *err)
{
	static const char *const heads[] = { "DEVICE", "WAVE", "OUTCOME", "CHECK", "EVIDENCE", "TIME", "WHAT TO KNOW" };
	_cleanup_(table_done) struct table table;

	table_init(&table, ARRAY_SIZE(heads), heads);
	for (size_t i = 0; i < r->count; i++)
		if (!only_failed || order_outcome_is_failure(r->devices[i].outcome))
			add_device(&table, r, &r->devices[i]);
	return table_print(&table, err);
}

static json_t *device_json(const struct rollout_device *d)
{
	struct receipt_words words = receipt_words(d->outcome, d->check);
	json_t *json = json_pack("{s:s, s:I, s:I, s:I, s:b, s:s, s:b}", "device", d->id, "index", (json_int_t)d->index, "order",
				 (json_int_t)d->order, "wave", (json_int_t)d->wave + 1, "released", (int)d->is_released, "result",
				 result_of(d), "verified", (int)d->is_proved);

	show_put_text(json, "name", d->name);
	show_put_text(json, "outcome", d->outcome);
	show_put_text(json, "check", d->check);
	show_put_text(json, "evidence", d->evidence);
	show_put_text(json, "note", d->note);
	show_put_time(json, "time", d->time_s);
	if (*d->outcome && *words.todo) {
		show_put_text(json, "says", words.says);
		show_put_text(json, "todo", words.todo);
	}
	return json;
}

static json_t *controls_json(const struct rollout *r)
{
	json_t *list = json_array();

	for (size_t i = 0; i < r->control_count; i++) {
		const struct statement *st = r->controls[i];
		json_t *one = json_pack("{s:s, s:s, s:s}", "person", statement_get(st, "person"), "action", statement_get(st, "action"),
					"time", statement_get(st, "time"));

		if (statement_get(st, "reason"))
			show_put_text(one, "reason", statement_get(st, "reason"));
		json_array_append_new(list, one);
	}
	return list;
}

int follow_print_json(const struct rollout *r, const struct root *root, const char *kind, struct error *err)
{
	struct rollout_counts c = rollout_count(r, batch_waves(r->batch));
	_cleanup_(buf_done) struct buf consent = { 0 };
	char hash[2 * HASH_LEN + 1];
	json_t *devices = json_array(), *json;

	for (size_t i = 0; i < r->count; i++)
		json_array_append_new(devices, device_json(&r->devices[i]));
	statement_hash_hex(hash, r->batch);
	rollout_consent(&consent, r, root);
	json = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:s, s:o, s:o}", "id", r->id,
			 "hash", hash, "batch-kind", statement_get(r->batch, "kind"), "person", statement_get(r->batch, "person"), "state",
			 r->state, "time", statement_get(r->batch, "time"), "expires", statement_get(r->batch, "expires"), "reason",
			 statement_get(r->batch, "reason"), "count", (json_int_t)statement_number(r->batch, "count"), "orders",
			 (json_int_t)r->orders, "wave", (json_int_t)rollout_wave(r) + 1, "waves", (json_int_t)batch_waves(r->batch),
			 "released", (json_int_t)c.released, "done", (json_int_t)c.done, "failed", (json_int_t)c.failed, "need",
			 (json_int_t)r->consent.need, "consent", buf_text(&consent), "controls", controls_json(r), "devices", devices);
	if (statement_get(r->batch, "ticket"))
		show_put_text(json, "ticket", statement_get(r->batch, "ticket"));
	return output_json(kind, json, err);
}

int follow_status(const struct rollout *r)
{
	struct rollout_counts c = rollout_count(r, batch_waves(r->batch));

	if (c.done == statement_number(r->batch, "count"))
		return EXIT_DONE;
	if (r->count != 1 || !c.failed)
		return EXIT_PARTIAL;
	return receipt_words(r->devices[0].outcome, r->devices[0].check).is_conflict ? EXIT_CONFLICT : EXIT_FAILED;
}
