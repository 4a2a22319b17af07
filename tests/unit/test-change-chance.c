/* tests/unit/test-change-chance.c -- a device, its agent and a disk that fail at random: a change ends wholly old or wholly new. */
#include "tests/test.h"
#include "tests/unit/changing.h"

/* A device, its agent and a disk, all of which fail at random. */
struct world {
	unsigned seed;
	enum state running, startup;
	bool touched_by_hand, startup_by_hand, return_broken;
	uint64_t now, good_since; /* 0: something is not well */
	struct buf journal;
	bool has_journal, was_proven;
	uint64_t closed, healthy;
	int receipts, deaths, return_failures;
	const char *outcome;
	struct change c;
};

static unsigned dice(struct world *w, unsigned sides)
{
	w->seed = w->seed * 1103515245 + 12345;
	return (w->seed >> 16) % sides;
}

static void die(struct world *w)
{
	struct error err = { 0 };

	w->deaths++;
	change_done(&w->c);
	if (!w->has_journal)
		return;
	CHECK_OK(change_read(&w->c, buf_bytes(&w->journal), w->healthy, w->now, &err));
	if (w->c.number > w->closed)
		return;
	w->has_journal = false; /* its receipt exists: the journal is only a leftover */
	change_done(&w->c);
}

static void world_store(struct world *w)
{
	if (dice(w, 40) == 0) {
		change_stored(&w->c, false, &full);
		return;
	}
	buf_truncate(&w->journal, 0);
	change_write(&w->journal, &w->c);
	w->has_journal = true;
	change_stored(&w->c, true, NULL);
}

static const struct error *world_apply(struct world *w)
{
	unsigned n = dice(w, 10);

	if (w->running != OLD || n == 0)
		return &denied;
	w->running = n == 1 ? HALF : NEW;
	return n < 3 ? &broken : &fine;
}

static const struct error *world_save(struct world *w)
{
	if (w->running != w->c.running[0])
		return &denied;
	if (w->c.kind == ORDER_APPLY)
		CHECK(w->was_proven);
	if (dice(w, 6) == 0)
		return &full;
	w->startup = w->running;
	return dice(w, 6) ? &fine : &broken;
}

static const struct error *world_return(struct world *w)
{
	if (w->running != w->c.running[0])
		return &denied;
	if (w->return_broken || (w->return_failures < CHANGE_TRIES - 1 && dice(w, 4) == 0)) {
		w->return_failures++;
		w->running = HALF;
		return &broken;
	}
	w->running = w->startup;
	return &fine;
}

static void world_prove(struct world *w)
{
	bool is_good = dice(w, 5) != 0;

	if (!is_good)
		w->good_since = 0;
	else if (!w->good_since)
		w->good_since = w->now;
	change_proved(&w->c, w->now, w->now, is_good ? "" : "no answer");
}

static void world_end(struct world *w)
{
	if (dice(w, 10) == 0)
		return; /* the disk is full: it is tried again */
	w->receipts++;
	w->closed = NUMBER;
	w->outcome = w->c.end.outcome;
	if (!strcmp(w->outcome, "failed") && w->c.kind == ORDER_APPLY)
		CHECK(w->c.end.is_held);
	if (dice(w, 10) == 0) {
		die(w);
		return;
	}
	w->has_journal = false;
	change_close(&w->c);
}

/* One action; the agent may die right before it, or right after. */
static void world_act(struct world *w, enum change_action action)
{
	bool dies_after = dice(w, 25) == 0;
	const struct error *result = &fine;

	if (dice(w, 25) == 0) {
		die(w);
		return;
	}
	if ((w->c.phase == CHANGE_SAVING || w->c.phase == CHANGE_WAITING) && !w->was_proven) {
		CHECK(w->good_since && w->now - w->good_since >= SETTLE_MS - 1000);
		w->was_proven = true;
	}
	switch (action) {
	case CHANGE_STORE:
		world_store(w);
		break;
	case CHANGE_APPLY:
		result = world_apply(w);
		break;
	case CHANGE_PROVE:
		world_prove(w);
		break;
	case CHANGE_SAY_HEALTHY:
		w->healthy = NUMBER;
		change_said(&w->c, true);
		break;
	case CHANGE_SAVE:
		result = world_save(w);
		break;
	case CHANGE_RETURN:
		result = world_return(w);
		break;
	case CHANGE_END:
		world_end(w);
		return;
	case CHANGE_DO:
	case CHANGE_REST:
		break;
	}
	if (dies_after)
		die(w);
	else if (action == CHANGE_APPLY)
		change_applied(&w->c, result, (const uint8_t[APPLY_DIGEST_LEN]){ (uint8_t)w->running });
	else if (action == CHANGE_SAVE)
		change_saved(&w->c, result, w->now);
	else if (action == CHANGE_RETURN)
		change_returned(&w->c, result, w->now);
}

/* Others act, too: an engineer, the power, the group. */
static void world_happens(struct world *w, bool by_hand)
{
	unsigned n = dice(w, 400);

	w->now += 200 + dice(w, 800);
	if (n == 0) { /* the device boots */
		w->running = w->startup;
		change_restarted(&w->c);
	} else if (n == 1 && by_hand) {
		w->running = HAND;
		w->touched_by_hand = true;
	} else if (n == 2 && by_hand) {
		w->startup = w->running;
		w->startup_by_hand = true;
	} else if (n == 3) {
		change_group(&w->c, false, "another one returned");
	} else if (n < 20) {
		change_group(&w->c, true, "");
	} else if (n < 24) {
		change_lost(&w->c, w->now);
	}
	if (n > 360) {
		change_unseen(&w->c, w->now, "missing: ospfd");
		w->good_since = 0;
	} else {
		look(&w->c, w->running, w->startup);
	}
}

/* Until it has its last receipt, or is as if it had never come. */
static void world_run(struct world *w, bool by_hand)
{
	for (int steps = 0; change_is_open(&w->c); steps++) {
		enum change_action action = change_next(&w->c, w->now);

		CHECK(steps < 20000);
		if (action != CHANGE_REST)
			world_act(w, action);
		if (action == CHANGE_REST || dice(w, 4) == 0)
			world_happens(w, by_hand);
	}
}

static void check_end(const struct world *w, bool by_hand)
{
	CHECK(w->receipts <= 1);
	if (!w->receipts) { /* never begun */
		CHECK(by_hand || (w->running == OLD && w->startup == OLD));
		return;
	}
	if (by_hand)
		return;
	if (!strcmp(w->outcome, "done"))
		CHECK(w->running == NEW && w->startup == NEW && w->was_proven);
	else if (!strcmp(w->outcome, "returned") || !strcmp(w->outcome, "refused"))
		CHECK(w->running == OLD && w->startup == OLD);
	else
		CHECK(w->return_broken && w->startup == OLD);
}

TEST(whatever_fails_it_ends_wholly_old_or_wholly_new_with_one_receipt)
{
	int done = 0, returned = 0, failed = 0, none = 0, deaths = 0;

	for (unsigned seed = 1; seed <= 30000; seed++) {
		struct world w = { .seed = seed * 2654435761U, .running = OLD, .startup = OLD, .now = 1000 };
		bool by_hand = seed % 3 == 0;

		w.return_broken = seed % 50 == 0;
		begin(&w.c, "apply", seed % 2 ? APPLY PAYLOAD : GROUP, OLD, w.now);
		world_run(&w, by_hand);
		check_end(&w, by_hand);
		deaths += w.deaths;
		done += w.receipts && !strcmp(w.outcome, "done");
		returned += w.receipts && !strcmp(w.outcome, "returned");
		failed += w.receipts && !strcmp(w.outcome, "failed");
		none += !w.receipts;
		buf_done(&w.journal);
		change_done(&w.c);
	}
	CHECK(done > 1000 && returned > 1000 && failed > 100 && none > 10);
	print_message("figure: 30000 changes with %d deaths of the agent: %d done, %d returned, %d failed, %d never begun\n", deaths, done,
		      returned, failed, none);
}
