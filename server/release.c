/* server/release.c -- where a batch stands. */
#include "server/release.h"

#include <stdlib.h>
#include <string.h>

static const char *const names[RELEASE_STATES] = { "collecting", "waiting", "running", "paused", "stopped", "aborted", "expired", "done" };

const char *release_state_name(enum release_state state)
{
	return names[state];
}

bool release_state_parse(enum release_state *out, const char *name)
{
	for (size_t i = 0; i < RELEASE_STATES; i++)
		if (!strcmp(names[i], name)) {
			*out = (enum release_state)i;
			return true;
		}
	return false;
}

bool release_state_is_over(enum release_state state)
{
	return state >= RELEASE_STOPPED;
}

/* ---- who agrees ---- */

int release_controls_parse(struct release_controls *out, struct bytes rest, struct error *err)
{
	size_t used = 0;

	for (; rest.len; rest = bytes_from(rest, used)) {
		struct statement *st = NULL;

		if (statement_parse(&st, rest, false, &used, err) < 0)
			return err->code;
		if (!(out->count & (out->count - 1)))
			out->list = mem_grow(out->list, (out->count ? 2 * out->count : 1) * sizeof(struct statement *));
		out->list[out->count++] = st;
	}
	return 0;
}

void release_controls_done(struct release_controls *controls)
{
	for (size_t i = 0; i < controls->count; i++)
		statement_free(controls->list[i]);
	free(controls->list);
	*controls = (struct release_controls){ 0 };
}

static bool is_approval(const struct statement *control)
{
	return !strcmp(statement_get(control, "action"), order_action_name(ORDER_APPROVE));
}

/* The controls that hold, which the caller frees: an approval by a key that the root does not know any more is none, for a device neither.
 */
static const struct statement **held_of(size_t *held_count, const struct statement *batch, const struct release_controls *controls,
					const struct root *root)
{
	const struct statement **held = mem_alloc((controls->count + 1) * sizeof(struct statement *));
	struct error ignored;

	*held_count = 0;
	for (size_t i = 0; i < controls->count; i++)
		if (!is_approval(controls->list[i]) || control_verify(controls->list[i], batch, root, &ignored) == 0)
			held[(*held_count)++] = controls->list[i];
	return held;
}

void release_count(struct release_consent *out, const struct statement *batch, const struct release_controls *controls,
		   const struct root *root)
{
	size_t count;
	_cleanup_(mem_freep) const struct statement **held = held_of(&count, batch, controls, root);
	struct error ignored;

	*out = (struct release_consent){ .is_signed = batch_verify(batch, root, &ignored) == 0 };
	consent_count(&out->consent, batch, held, count, root);
}

/* Is it the newest that its person decided? */
static bool is_newest(const struct statement *const controls[], size_t count, size_t i)
{
	const char *person = statement_get(controls[i], "person");
	enum order_action action;

	for (size_t k = i + 1; k < count; k++)
		if (!strcmp(statement_get(controls[k], "person"), person) &&
		    order_action_parse(&action, statement_get(controls[k], "action")) && action <= ORDER_WITHDRAW)
			return false;
	return true;
}

void release_approvals(struct buf *out, const struct statement *batch, const struct release_controls *controls, const struct root *root)
{
	size_t count;
	_cleanup_(mem_freep) const struct statement **held = held_of(&count, batch, controls, root);

	for (size_t i = 0; i < count; i++)
		if (is_approval(held[i]) && is_newest(held, count, i))
			buf_add_bytes(out, statement_whole(held[i]));
}

bool release_decisions(struct buf *out, const struct release_controls *controls)
{
	const struct statement *const *list = (const struct statement *const *)controls->list;
	bool stops = false;

	for (size_t i = 0; i < controls->count; i++) {
		enum order_action action = ORDER_PAUSE;

		if (!order_action_parse(&action, statement_get(list[i], "action")))
			continue;
		if (action != ORDER_ABORT && (action > ORDER_WITHDRAW || !is_newest(list, controls->count, i)))
			continue;
		stops = stops || action != ORDER_APPROVE;
		buf_add_bytes(out, statement_whole(list[i]));
	}
	return stops;
}

/* ---- waves ---- */

static uint32_t in_wave(const struct repo_batch *counts, size_t i)
{
	return counts->waves[i].end - (i ? counts->waves[i - 1].end : 0);
}

static void add_up(struct release *out, const struct repo_batch *counts)
{
	for (size_t i = 0; i < counts->wave_count; i++) {
		out->settled += counts->waves[i].settled;
		out->done += counts->waves[i].done;
		out->failed += counts->waves[i].failed;
	}
}

static void due_at(struct release *out, int64_t time_s, int64_t now_s)
{
	if (time_s > now_s && (!out->due_s || time_s < out->due_s))
		out->due_s = time_s;
}

/* May the wave behind `done` ones have its turn? */
static bool is_next_released(struct release *out, const struct statement *batch, const struct repo_batch *counts, size_t done,
			     int64_t now_s)
{
	int64_t soak_s = (int64_t)statement_number(batch, "soak"), end_s = 0;
	uint32_t failed = 0;
	bool placed = true;

	for (size_t i = 0; i < done; i++) {
		const struct repo_wave *w = &counts->waves[i];

		if (w->settled < in_wave(counts, i))
			return false;
		failed += w->failed;
		placed = placed && w->placed == w->settled;
		end_s = w->settled_s > end_s ? w->settled_s : end_s;
	}
	if (failed > statement_number(batch, "fail-limit"))
		return false;
	/* the soak begins with the commit of the last receipt, which comes within a second or so */
	if (!soak_s || !done || (placed && end_s + soak_s <= now_s))
		return true;
	out->waits_for = "soak";
	due_at(out, placed ? end_s + soak_s : now_s + 1, now_s);
	return false;
}

/* Once it is over no wave has its turn any more, however long it soaked: then only those count that were answered. */
static bool was_released(const struct release *out, const struct repo_batch *counts)
{
	return !release_state_is_over(out->state) || !out->waves || counts->waves[out->waves].answered;
}

static void judge_waves(struct release *out, const struct statement *batch, const struct repo_batch *counts, int64_t now_s)
{
	while (out->waves < counts->wave_count && is_next_released(out, batch, counts, out->waves, now_s) && was_released(out, counts))
		out->waves++;
	if (out->state == RELEASE_DONE) /* whoever agreed, and whatever was withdrawn since */
		out->waves = counts->wave_count;
	out->released = out->waves ? counts->waves[out->waves - 1].end : 0;
}

/* ---- the whole ---- */

static enum release_state state_of(const struct release *out, const struct statement *batch, const struct repo_batch *counts,
				   const struct release_consent *consent, int64_t now_s)
{
	uint64_t count = statement_number(batch, "count");

	if (counts->orders == count && out->settled == count)
		return RELEASE_DONE;
	if (consent->consent.is_aborted)
		return RELEASE_ABORTED;
	if (out->failed > statement_number(batch, "fail-limit"))
		return RELEASE_STOPPED;
	if (batch_time(batch, now_s) == BATCH_EXPIRED)
		return RELEASE_EXPIRED;
	if (counts->orders < count)
		return RELEASE_COLLECTING;
	if (!consent->is_signed || !consent_is_enough(&consent->consent))
		return RELEASE_WAITING;
	return consent->consent.is_paused ? RELEASE_PAUSED : RELEASE_RUNNING;
}

/* Windows are in whole minutes. */
static int64_t next_minute(int64_t now_s)
{
	return (now_s / 60 + 1) * 60;
}

void release_judge(struct release *out, const struct statement *batch, const struct repo_batch *counts,
		   const struct release_consent *consent, int64_t now_s)
{
	enum batch_time time = batch_time(batch, now_s);
	bool agreed = consent->is_signed && consent_is_enough(&consent->consent) && counts->orders == statement_number(batch, "count");

	*out = (struct release){ .waits_for = "" };
	add_up(out, counts);
	out->state = state_of(out, batch, counts, consent, now_s);
	if (out->state == RELEASE_DONE || (agreed && time != BATCH_NOT_YET))
		judge_waves(out, batch, counts, now_s);
	if (release_state_is_over(out->state)) {
		out->waits_for = "";
		out->due_s = 0;
		return;
	}
	out->is_open = out->state == RELEASE_RUNNING && time == BATCH_IN_TIME && out->waves;
	if (out->state == RELEASE_RUNNING && time != BATCH_IN_TIME)
		out->waits_for = time == BATCH_NOT_YET ? "not-before" : "window";
	due_at(out, statement_time(batch, "not-before"), now_s);
	due_at(out, statement_time(batch, "expires"), now_s);
	if (statement_count(batch, "window"))
		due_at(out, next_minute(now_s), now_s);
}
