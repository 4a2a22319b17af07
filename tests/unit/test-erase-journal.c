/* tests/unit/test-erase-journal.c -- whatever dies, an order that erases goes on from its journal. */
#include "tests/test.h"
#include "tests/unit/erasing.h"

#include <stdio.h>

/* ---- the journal ---- */

static void reload(struct erase *e, uint64_t newest, uint64_t now_ms)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	struct error err = { 0 };

	erase_write(&text, e);
	erase_done(e);
	CHECK_OK(erase_read(e, buf_bytes(&text), &seen, newest, now_ms, &err));
}

TEST(a_restart_of_the_agent_keeps_the_delay_and_one_of_the_machine_begins_it_anew)
{
	struct erase e;

	arm(&e);
	seen.said = NUMBER;
	reload(&e, 5, 1000);
	CHECK_EQ(e.began_ms, 0);
	CHECK_EQ(next(&e, at(1000)), ERASE_REST); /* no second receipt */
	snprintf(e.boot, sizeof(e.boot), "another");
	reload(&e, 5, 1000);
	CHECK_EQ(e.began_ms, 1000);
	CHECK_EQ(next(&e, at(1000)), ERASE_STORE);
	erase_stored(&e, true, 1000);
	CHECK_EQ(next(&e, at(DELAY_MS)), ERASE_REST);
	CHECK_EQ(e.phase, ERASE_ARMED);
	CHECK(objection(&e) == NULL);
	seen.said = 0;
	reload(&e, 5, 2000);
	CHECK_EQ(next(&e, at(2000)), ERASE_SAY_ARMED);
	erase_done(&e);
}

TEST(a_journal_comes_back_whole_and_damaged_it_is_refused)
{
	_cleanup_(buf_done) struct buf text = { 0 }, again = { 0 };
	struct apply_erased all = areas(AREA_DONE, AREA_DONE);
	struct error err = { 0 };
	struct erase e, back;

	start_erasing(&e);
	snprintf(all.erased.left[0], sizeof(all.erased.left[0]), "a USB stick");
	all.erased.left_count = 1;
	all.erased.has_transcript = true;
	all.erased.transcript[0] = 9;
	erase_answered(&e, &fine, &all, 0);
	CHECK_EQ(next(&e, at(0)), ERASE_STORE);
	erase_write(&text, &e);
	CHECK_OK(erase_read(&back, buf_bytes(&text), &seen, 5, 0, &err));
	CHECK(back.is_sure && back.erased.area_count == 2 && back.erased.has_transcript && back.erased.transcript[0] == 9);
	CHECK_STR(back.erased.left[0], "a USB stick");
	erase_write(&again, &back);
	CHECK(bytes_equal(buf_bytes(&text), buf_bytes(&again)));
	erase_done(&back);
	for (size_t i = 0; i < text.len; i += 7) {
		text.ptr[i] ^= 1;
		CHECK(erase_read(&back, buf_bytes(&text), &seen, 5, 0, &err) < 0);
		text.ptr[i] ^= 1;
		CHECK(erase_read(&back, bytes_of(text.ptr, i), &seen, 5, 0, &err) < 0);
	}
	erase_done(&e);
}

TEST(a_receipt_that_was_made_is_not_made_again)
{
	struct apply_erased all = areas(AREA_DONE, AREA_DONE), half = areas(AREA_DONE, AREA_PARTIAL);
	struct erase e;

	start_erasing(&e);
	erase_answered(&e, &fine, &all, 0);
	reload(&e, 5, 0);
	CHECK_EQ(next(&e, at(0)), ERASE_SAY_LAST);
	seen.closed = NUMBER;
	reload(&e, 6, 0);
	CHECK_EQ(e.phase, ERASE_SENDING);
	CHECK_EQ(e.receipt, 6);
	erase_done(&e);
	start_erasing(&e);
	erase_answered(&e, &fine, &half, 0);
	seen.closed = NUMBER;
	reload(&e, 6, 0);
	CHECK(!erase_is_open(&e)); /* it failed, and that was said */
}

TEST(an_objection_that_was_noted_outlives_a_kill)
{
	struct erase e;

	for (int is_recording = 0; is_recording < 2; is_recording++) {
		arm(&e);
		if (is_recording)
			record(&e);
		CHECK(hears(&e, control("carol", "reject", CAROL, NOW + 1)));
		CHECK_EQ(next(&e, at(DELAY_MS)), ERASE_STORE);
		reload(&e, 5, DELAY_MS);
		CHECK_EQ(e.phase, ERASE_ARMED);
		CHECK(objection(&e));
		erase_judged(&e, objection(&e));
		refused(&e, CHECK_CANCELLED, "'carol' rejects it");
	}
	arm(&e);
	CHECK(hears(&e, control("carol", "reject", CAROL, NOW + 1)));
	CHECK_EQ(next(&e, at(0)), ERASE_STORE);
	erase_stored(&e, false, 0); /* a full disk stops no objection */
	CHECK_EQ(e.phase, ERASE_REFUSED);
	refused(&e, CHECK_CANCELLED, "'carol' rejects it");
}

/* ---- dying at every step ---- */

struct world {
	struct erase e;
	struct buf journal;
	struct orders_seen seen;
	uint64_t now, newest, acked, boots;
	unsigned seed, parts, armed, last, deaths; /* parts: of three that the device really is rid of */
	bool has_journal, began, was_heard_after_delay, is_retired, is_key_there, is_failed, is_refused, is_rejected;
	uint64_t armed_since;
};

static unsigned dice(struct world *w, unsigned sides)
{
	w->seed = w->seed * 1103515245 + 12345;
	return (w->seed >> 16) % sides;
}

/* The machine was started again: the journal is of another boot. */
static void boot(struct world *w)
{
	struct error err = { 0 };

	snprintf(w->e.boot, sizeof(w->e.boot), "another");
	if (!erase_is_open(&w->e) || w->e.phase == ERASE_SENDING)
		return;
	buf_truncate(&w->journal, 0);
	erase_write(&w->journal, &w->e);
	erase_done(&w->e);
	CHECK_OK(erase_read(&w->e, buf_bytes(&w->journal), &w->seen, w->newest, w->now, &err));
	if (w->e.phase == ERASE_ARMED)
		w->armed_since = w->now;
}

/* The agent is started again; now and then the whole machine. */
static void die(struct world *w)
{
	struct error err = { 0 };

	w->deaths++;
	erase_done(&w->e);
	w->now += 1000 * dice(w, 20);
	if (!w->has_journal)
		return;
	CHECK_OK(erase_read(&w->e, buf_bytes(&w->journal), &w->seen, w->newest, w->now, &err));
	if (dice(w, 8) == 0)
		boot(w);
	if (!erase_is_open(&w->e))
		w->has_journal = false;
	else if (w->e.phase == ERASE_ARMED && w->is_rejected && dice(w, 2))
		hears(&w->e, control("carol", "reject", CAROL, NOW + 5));
}

static void world_store(struct world *w)
{
	bool is_full = dice(w, 10) == 0;

	if (!is_full) {
		buf_truncate(&w->journal, 0);
		erase_write(&w->journal, &w->e);
		w->has_journal = true;
	}
	erase_stored(&w->e, !is_full, w->now);
}

/* Three parts; each call may do some of them, and die in between; it looks at all of them before it is sure. */
static void world_erase(struct world *w)
{
	struct apply_erased answer;
	unsigned luck = dice(w, 10);

	CHECK(w->has_journal && w->is_key_there && w->was_heard_after_delay);
	CHECK(w->now >= w->armed_since + DELAY_MS);
	w->began = true;
	w->parts += w->parts < 3 && luck;
	answer = areas(w->parts ? AREA_DONE : AREA_NOT_DONE, w->parts == 3 ? AREA_DONE : AREA_PARTIAL);
	answer.is_more = w->parts < 3;
	if (luck == 1)
		erase_answered(&w->e, &broken, NULL, w->now);
	else if (luck == 0)
		erase_answered(&w->e, &broken, &answer, w->now);
	else
		erase_answered(&w->e, &fine, &answer, w->now);
}

static void world_say_last(struct world *w)
{
	const char *outcome = erase_outcome(&w->e);

	if (dice(w, 10) == 0) {
		erase_said_last(&w->e, 0, w->now);
		return;
	}
	CHECK_EQ(w->last, 0);
	w->last++;
	w->seen.closed = NUMBER;
	w->newest++;
	if (!strcmp(outcome, "done"))
		CHECK_EQ(w->parts, 3);
	if (!strcmp(outcome, "refused"))
		CHECK(!w->began);
	w->is_failed = !strcmp(outcome, "failed");
	w->is_refused = !strcmp(outcome, "refused");
	if (dice(w, 6) == 0) {
		die(w); /* the receipt counts: nothing but the journal knows less */
		return;
	}
	erase_said_last(&w->e, w->newest, w->now);
	if (!erase_is_open(&w->e))
		w->has_journal = false;
}

static void world_act(struct world *w, enum erase_action action)
{
	switch (action) {
	case ERASE_REST:
		w->now += 1000 * (1 + dice(w, 30));
		if (dice(w, 3))
			w->acked = w->newest;
		if (w->e.phase == ERASE_RECORDING) {
			erase_looked(&w->e, dice(w, 3) > 0);
			if (w->e.is_polling && dice(w, 2)) {
				erase_heard(&w->e);
				w->was_heard_after_delay = true;
			}
		}
		return;
	case ERASE_STORE:
		world_store(w);
		return;
	case ERASE_SAY_ARMED:
		CHECK_EQ(w->seen.said, 0);
		w->armed++;
		w->newest++;
		w->seen.said = NUMBER;
		erase_said(&w->e, true, w->now);
		return;
	case ERASE_POLL:
		return;
	case ERASE_JUDGE:
		CHECK(w->acked == w->newest);
		if (dice(w, 6) == 0)
			w->is_rejected = true;
		erase_judged(&w->e, w->is_rejected ? "'carol' rejects it" : NULL);
		return;
	case ERASE_ERASE:
		world_erase(w);
		return;
	case ERASE_SAY_LAST:
		world_say_last(w);
		return;
	case ERASE_DESTROY:
		CHECK(w->last == 1 && w->parts == 3 && !w->is_failed);
		w->is_key_there = false;
		w->is_retired = true;
		erase_done(&w->e);
		return;
	}
}

static bool world_is_over(const struct world *w)
{
	return w->is_retired || (!erase_is_open(&w->e) && !w->has_journal);
}

static void live(struct world *w)
{
	for (unsigned steps = 0; !world_is_over(w) && steps < 5000; steps++) {
		struct erase_now now = { .ms = w->now, .delay_s = DELAY_S, .acked = w->acked, .newest = w->newest };

		if (dice(w, 12) == 0)
			die(w);
		if (erase_is_open(&w->e))
			world_act(w, erase_next(&w->e, &now));
	}
	CHECK(world_is_over(w));
}

TEST(killed_anywhere_it_goes_on_and_is_never_done_by_half)
{
	unsigned done = 0, failed = 0, refusals = 0, never = 0, deaths = 0;

	begin_tests();
	for (unsigned i = 0; i < 3000; i++) {
		struct world w = { .seed = i * 7919 + 1, .newest = 5, .acked = 5, .is_key_there = true };

		erase_begin(&w.e, &item, root, 0);
		live(&w);
		deaths += w.deaths;
		done += w.is_retired;
		failed += w.is_failed;
		refusals += w.is_refused;
		never += !w.last;
		CHECK(w.armed <= 1);
		CHECK(!w.began || w.is_retired || w.is_failed); /* what has begun comes to its end */
		CHECK(w.is_key_there == !w.is_retired);
		buf_done(&w.journal);
		erase_done(&w.e);
	}
	CHECK(done > 1000 && refusals > 100 && never > 10);
	print_message("figure: 3000 orders to erase with %u deaths of the agent: %u retired, %u failed, %u refused, %u never begun\n",
		      deaths, done, failed, refusals, never);
}
