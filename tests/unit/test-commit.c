/* tests/unit/test-commit.c -- what becomes of an unsaved change: every mode by example, and all of them by chance. */
#include "tests/test.h"

#include "agent/commit.h"

enum { QUIET = 30, REMIND = 900, START_S = 1800000000 };

/* A device and its commit machine on a clock of our own. */
struct bench {
	struct settings_commit settings;
	struct commit c;
	struct commit_view view;
	uint64_t now_ms;
};

static void set_text(uint8_t digest[static COMMIT_DIGEST_LEN], int text)
{
	memset(digest, text, COMMIT_DIGEST_LEN);
}

static void begin(struct bench *b, enum settings_mode mode)
{
	*b = (struct bench){ .settings = { .mode = mode, .quiet = QUIET, .remind = REMIND, .watch = 10 }, .now_ms = 1000000 };
	b->view = (struct commit_view){ .is_known = true, .is_whole = true, .has_startup = true };
	set_text(b->view.running, 1);
	set_text(b->view.startup, 1);
	commit_init(&b->c, &b->settings, 0, false);
}

static struct commit_decision step(struct bench *b, unsigned seconds)
{
	struct commit_decision d;

	b->now_ms += seconds * 1000ULL;
	d = commit_step(&b->c, &b->view, b->now_ms, START_S + (int64_t)(b->now_ms / 1000));
	b->view.is_restarted = false;
	return d;
}

static void check(struct commit_decision d, enum commit_action action, enum commit_saved saved, enum commit_why why)
{
	CHECK_EQ(d.action, action);
	CHECK_EQ(d.saved, saved);
	CHECK_EQ(d.why, why);
	CHECK_EQ(d.saved == SAVED_YES, d.saved != SAVED_UNKNOWN && d.unsaved_since_s == 0);
}

TEST(equal_is_saved_in_every_mode)
{
	for (int mode = MODE_OBSERVE; mode <= MODE_REVERT; mode++) {
		struct bench b;

		begin(&b, (enum settings_mode)mode);
		check(step(&b, 0), COMMIT_NOTHING, SAVED_YES, WHY_NONE);
		check(step(&b, 100000), COMMIT_NOTHING, SAVED_YES, WHY_NONE);
	}
}

TEST(a_change_is_saved_once_it_was_quiet_for_long_enough)
{
	struct commit_decision d;
	struct bench b;

	begin(&b, MODE_COMMIT);
	step(&b, 0);
	set_text(b.view.running, 2);
	d = step(&b, 10);
	check(d, COMMIT_NOTHING, SAVED_NO, WHY_QUIET);
	CHECK_EQ(d.unsaved_since_s, START_S + (int64_t)(b.now_ms / 1000));
	check(step(&b, QUIET - 1), COMMIT_NOTHING, SAVED_NO, WHY_QUIET);
	check(step(&b, 1), COMMIT_SAVE, SAVED_NO, WHY_NONE);
	set_text(b.view.startup, 2);
	check(step(&b, 0), COMMIT_NOTHING, SAVED_YES, WHY_NONE);
}

TEST(a_further_change_starts_the_clock_anew_and_unsaved_since_stays)
{
	struct commit_decision first, d;
	struct bench b;

	begin(&b, MODE_COMMIT);
	step(&b, 0);
	set_text(b.view.running, 2);
	first = step(&b, 10);
	set_text(b.view.running, 3);
	check(step(&b, QUIET - 1), COMMIT_NOTHING, SAVED_NO, WHY_QUIET);
	set_text(b.view.startup, 4); /* startup is somebody's work, too */
	check(step(&b, QUIET - 1), COMMIT_NOTHING, SAVED_NO, WHY_QUIET);
	check(step(&b, QUIET - 1), COMMIT_NOTHING, SAVED_NO, WHY_QUIET);
	d = step(&b, 1);
	check(d, COMMIT_SAVE, SAVED_NO, WHY_NONE);
	CHECK_EQ(d.unsaved_since_s, first.unsaved_since_s);
}

TEST(observe_says_so_and_does_nothing)
{
	struct bench b;

	begin(&b, MODE_OBSERVE);
	set_text(b.view.running, 2);
	for (int i = 0; i < 100; i++)
		check(step(&b, 1000), COMMIT_NOTHING, SAVED_NO, WHY_MODE);
}

TEST(remind_reminds_after_the_quiet_period_and_again_after_the_interval)
{
	struct bench b;

	begin(&b, MODE_REMIND);
	step(&b, 0);
	set_text(b.view.running, 2);
	check(step(&b, 1), COMMIT_NOTHING, SAVED_NO, WHY_QUIET);
	check(step(&b, QUIET), COMMIT_REMIND, SAVED_NO, WHY_NONE);
	check(step(&b, REMIND - 1), COMMIT_NOTHING, SAVED_NO, WHY_NONE);
	check(step(&b, 1), COMMIT_REMIND, SAVED_NO, WHY_NONE);
	set_text(b.view.running, 3); /* another change is another reason */
	check(step(&b, 1), COMMIT_NOTHING, SAVED_NO, WHY_QUIET);
	check(step(&b, QUIET), COMMIT_REMIND, SAVED_NO, WHY_NONE);
}

TEST(revert_returns_after_the_quiet_period_but_never_to_a_file_that_is_not_there)
{
	struct bench b;

	begin(&b, MODE_REVERT);
	step(&b, 0);
	set_text(b.view.running, 2);
	check(step(&b, 1), COMMIT_NOTHING, SAVED_NO, WHY_QUIET);
	check(step(&b, QUIET), COMMIT_RETURN, SAVED_NO, WHY_NONE);
	b.view.has_startup = false;
	set_text(b.view.startup, 0);
	for (int i = 0; i < 10; i++)
		check(step(&b, 1000), COMMIT_NOTHING, SAVED_NO, WHY_NOT_WHOLE);
}

TEST(without_a_startup_file_nothing_is_saved_and_commit_makes_one)
{
	struct bench b;

	begin(&b, MODE_COMMIT);
	b.view.has_startup = false; /* even if the digests were equal */
	check(step(&b, 0), COMMIT_NOTHING, SAVED_NO, WHY_QUIET);
	check(step(&b, QUIET), COMMIT_SAVE, SAVED_NO, WHY_NONE);
}

TEST(a_hold_holds_back_saving_returning_and_reminding_until_it_ends)
{
	static const struct {
		enum settings_mode mode;
		enum commit_action action;
	} cases[] = { { MODE_COMMIT, COMMIT_SAVE }, { MODE_REVERT, COMMIT_RETURN }, { MODE_REMIND, COMMIT_REMIND } };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct bench b;

		begin(&b, cases[i].mode);
		step(&b, 0);
		set_text(b.view.running, 2);
		b.view.is_held = true;
		check(step(&b, 1), COMMIT_NOTHING, SAVED_NO, WHY_HELD);
		check(step(&b, 100000), COMMIT_NOTHING, SAVED_NO, WHY_HELD);
		b.view.is_held = false;
		check(step(&b, 1), cases[i].action, SAVED_NO, WHY_NONE);
	}
}

TEST(in_an_exempt_time_nothing_is_saved_or_returned_and_reminders_go_on)
{
	static const enum commit_action wanted[] = {
		[MODE_REMIND] = COMMIT_REMIND, [MODE_COMMIT] = COMMIT_SAVE, [MODE_REVERT] = COMMIT_RETURN
	};

	for (int mode = MODE_REMIND; mode <= MODE_REVERT; mode++) {
		bool is_remind = mode == MODE_REMIND;
		struct bench b;

		begin(&b, (enum settings_mode)mode);
		step(&b, 0);
		set_text(b.view.running, 2);
		b.view.is_exempt = true;
		step(&b, 10);
		check(step(&b, QUIET + 1), is_remind ? COMMIT_REMIND : COMMIT_NOTHING, SAVED_NO, is_remind ? WHY_NONE : WHY_EXEMPT);
		b.view.is_exempt = false;
		check(step(&b, REMIND), wanted[mode], SAVED_NO, WHY_NONE);
	}
}

TEST(other_settings_count_from_the_next_look_on_and_nothing_seen_is_forgotten)
{
	struct settings_commit other = { .mode = MODE_COMMIT, .quiet = 2 * QUIET, .remind = REMIND, .watch = 10 };
	struct commit_decision d;
	struct bench b;

	begin(&b, MODE_OBSERVE);
	step(&b, 0);
	set_text(b.view.running, 2);
	check(step(&b, 10), COMMIT_NOTHING, SAVED_NO, WHY_MODE);
	check(d = step(&b, QUIET + 1), COMMIT_NOTHING, SAVED_NO, WHY_MODE);
	commit_set(&b.c, &other);
	check(step(&b, 0), COMMIT_NOTHING, SAVED_NO, WHY_QUIET);
	CHECK_EQ(step(&b, 0).unsaved_since_s, d.unsaved_since_s);
	check(step(&b, QUIET), COMMIT_SAVE, SAVED_NO, WHY_NONE);
}

TEST(after_a_restart_nothing_is_saved_until_running_equalled_startup)
{
	struct bench b;

	begin(&b, MODE_COMMIT);
	step(&b, 0);
	set_text(b.view.running, 9); /* a daemon came back with nothing in it */
	b.view.is_restarted = true;
	check(step(&b, 10), COMMIT_NOTHING, SAVED_NO, WHY_RESTARTED);
	check(step(&b, 100000), COMMIT_NOTHING, SAVED_NO, WHY_RESTARTED);
	set_text(b.view.running, 8); /* somebody types: still not all of it */
	check(step(&b, 100000), COMMIT_NOTHING, SAVED_NO, WHY_RESTARTED);
	set_text(b.view.running, 1); /* the file was loaded */
	check(step(&b, 1), COMMIT_NOTHING, SAVED_YES, WHY_NONE);
	set_text(b.view.running, 2);
	step(&b, 1);
	check(step(&b, QUIET), COMMIT_SAVE, SAVED_NO, WHY_NONE);
}

TEST(a_restart_outlives_a_restart_of_the_agent)
{
	struct commit_decision d;
	struct bench b;

	begin(&b, MODE_COMMIT);
	set_text(b.view.running, 2);
	commit_init(&b.c, &b.settings, START_S - 777, true);
	d = step(&b, 0);
	check(d, COMMIT_NOTHING, SAVED_NO, WHY_RESTARTED);
	CHECK_EQ(d.unsaved_since_s, START_S - 777);
	check(step(&b, 100000), COMMIT_NOTHING, SAVED_NO, WHY_RESTARTED);
}

TEST(after_a_restart_revert_may_return_once_the_boot_had_its_time)
{
	struct bench b;

	begin(&b, MODE_REVERT);
	step(&b, 0);
	set_text(b.view.running, 9);
	b.view.is_restarted = true;
	check(step(&b, 10), COMMIT_NOTHING, SAVED_NO, WHY_QUIET);
	b.view.is_restarted = true; /* and another daemon */
	check(step(&b, QUIET - 1), COMMIT_NOTHING, SAVED_NO, WHY_QUIET);
	check(step(&b, QUIET), COMMIT_RETURN, SAVED_NO, WHY_NONE);
}

TEST(what_is_not_whole_is_unknown_and_must_be_quiet_anew)
{
	struct bench b;

	begin(&b, MODE_COMMIT);
	step(&b, 0);
	set_text(b.view.running, 2);
	step(&b, 1);
	b.view.is_whole = false;
	check(step(&b, QUIET * 10), COMMIT_NOTHING, SAVED_UNKNOWN, WHY_NOT_WHOLE);
	b.view.is_whole = true;
	check(step(&b, 1), COMMIT_NOTHING, SAVED_NO, WHY_QUIET);
	b.view.is_known = false;
	check(step(&b, QUIET * 10), COMMIT_NOTHING, SAVED_UNKNOWN, WHY_NOT_WHOLE);
	b.view.is_known = true;
	check(step(&b, QUIET - 1), COMMIT_NOTHING, SAVED_NO, WHY_QUIET);
	check(step(&b, 1), COMMIT_SAVE, SAVED_NO, WHY_NONE);
}

TEST(of_a_device_that_did_not_answer_nothing_counts)
{
	struct bench b;

	begin(&b, MODE_COMMIT);
	step(&b, 0);
	set_text(b.view.running, 2);
	b.view.is_known = false;
	b.view.is_restarted = true;
	step(&b, 1);
	b.view.is_known = true;
	step(&b, 1);
	check(step(&b, QUIET), COMMIT_SAVE, SAVED_NO, WHY_NONE);
}

TEST(failures_wait_longer_each_time_and_an_hour_at_most)
{
	struct bench b;
	unsigned waited = QUIET;

	begin(&b, MODE_COMMIT);
	step(&b, 0);
	set_text(b.view.running, 2);
	step(&b, 0);
	check(step(&b, QUIET), COMMIT_SAVE, SAVED_NO, WHY_NONE);
	for (int i = 0; i < 20; i++) {
		commit_failed(&b.c, b.now_ms);
		check(step(&b, waited - 1), COMMIT_NOTHING, SAVED_NO, WHY_FAILED);
		check(step(&b, 1), COMMIT_SAVE, SAVED_NO, WHY_NONE);
		waited = 2 * waited < 3600 ? 2 * waited : 3600;
	}
	commit_failed(&b.c, b.now_ms);
	set_text(b.view.running, 3); /* another text, another try */
	step(&b, 0);
	check(step(&b, QUIET), COMMIT_SAVE, SAVED_NO, WHY_NONE);
}

/* ---- by chance ---- */

static uint32_t chance(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)(*seed >> 33);
}

/* What must hold, kept by other means than the machine's. */
struct model {
	bool is_blocked, is_seen;
	uint8_t running, startup;
	uint64_t quiet_from_ms;
};

static void shake(struct bench *b, uint64_t *seed)
{
	struct commit_view *v = &b->view;

	v->is_known = chance(seed) % 10 != 0;
	v->is_whole = chance(seed) % 8 != 0;
	v->is_restarted = chance(seed) % 15 == 0;
	v->is_held = chance(seed) % 5 == 0;
	v->is_exempt = chance(seed) % 6 == 0;
	v->is_doubtful = chance(seed) % 7 == 0;
	v->has_startup = chance(seed) % 12 != 0;
	if (chance(seed) % 4 == 0)
		set_text(v->running, 1 + (int)(chance(seed) % 3));
	if (chance(seed) % 6 == 0)
		set_text(v->startup, 1 + (int)(chance(seed) % 3));
}

static void follow(struct model *m, const struct commit_view *v, uint64_t now_ms)
{
	bool counts = v->is_known && v->is_whole;

	if (v->is_known && v->is_restarted)
		m->is_blocked = true;
	if (!counts || v->is_restarted || !m->is_seen || m->running != v->running[0] || m->startup != v->startup[0])
		m->quiet_from_ms = now_ms;
	if (!counts)
		return;
	m->is_seen = true;
	m->running = v->running[0];
	m->startup = v->startup[0];
	if (v->has_startup && m->running == m->startup)
		m->is_blocked = false;
}

static void judge(const struct bench *b, const struct model *m, const struct commit_view *v, struct commit_decision d)
{
	bool counts = v->is_known && v->is_whole, is_equal = v->has_startup && v->running[0] == v->startup[0];
	bool acts = d.action == COMMIT_SAVE || d.action == COMMIT_RETURN;

	CHECK_EQ(d.saved, !counts || (is_equal && v->is_doubtful) ? SAVED_UNKNOWN : is_equal ? SAVED_YES : SAVED_NO);
	CHECK_EQ(b->c.is_blocked, m->is_blocked);
	CHECK(d.action != COMMIT_SAVE || b->settings.mode == MODE_COMMIT);
	CHECK(d.action != COMMIT_RETURN || (b->settings.mode == MODE_REVERT && v->has_startup));
	CHECK(d.action != COMMIT_REMIND || b->settings.mode == MODE_REMIND);
	if (acts)
		CHECK(counts && !is_equal && !v->is_held && !v->is_exempt && b->now_ms >= m->quiet_from_ms + QUIET * 1000);
	if (d.action == COMMIT_SAVE)
		CHECK(!m->is_blocked && !v->is_restarted);
	if (d.saved == SAVED_NO)
		CHECK(d.unsaved_since_s != 0);
}

TEST(what_may_boot_something_else_is_never_called_saved_and_yet_is_saved)
{
	struct bench b;

	begin(&b, MODE_COMMIT);
	b.view.is_doubtful = true;
	check(step(&b, 1), COMMIT_NOTHING, SAVED_UNKNOWN, WHY_DOUBTFUL);
	set_text(b.view.running, 2);
	check(step(&b, 1), COMMIT_NOTHING, SAVED_NO, WHY_QUIET);
	check(step(&b, QUIET), COMMIT_SAVE, SAVED_NO, WHY_NONE);
	set_text(b.view.startup, 2);
	check(step(&b, 1), COMMIT_NOTHING, SAVED_UNKNOWN, WHY_DOUBTFUL);
	b.view.is_doubtful = false;
	check(step(&b, 1), COMMIT_NOTHING, SAVED_YES, WHY_NONE);
}

TEST(whatever_happens_nothing_is_saved_that_is_held_exempt_restarted_half_or_not_quiet)
{
	uint64_t seed = 1;
	size_t actions = 0;

	for (int life = 0; life < 400; life++) {
		struct model m = { 0 };
		struct bench b;

		begin(&b, (enum settings_mode)(life % 4));
		for (int i = 0; i < 500; i++) {
			struct commit_view shown;
			struct commit_decision d;

			if (chance(&seed) % 3)
				shake(&b, &seed);
			shown = b.view;
			b.now_ms += chance(&seed) % 20000;
			follow(&m, &shown, b.now_ms);
			d = commit_step(&b.c, &shown, b.now_ms, START_S + i);
			judge(&b, &m, &shown, d);
			actions += d.action == COMMIT_SAVE || d.action == COMMIT_RETURN;
			if (d.action == COMMIT_SAVE && chance(&seed) % 2)
				set_text(b.view.startup, b.view.running[0]);
			else if (d.action == COMMIT_SAVE || d.action == COMMIT_RETURN)
				commit_failed(&b.c, b.now_ms);
		}
		/* and what is left alone is saved, or returned, in the end */
		b.view = (struct commit_view){ .is_known = true, .is_whole = true, .has_startup = true };
		set_text(b.view.running, 1);
		set_text(b.view.startup, 1);
		check(step(&b, 1), COMMIT_NOTHING, SAVED_YES, WHY_NONE);
		set_text(b.view.running, 7);
		step(&b, 1);
		CHECK_EQ(step(&b, QUIET).action, life % 4); /* nothing, remind, save, return: in the order of the modes */
	}
	CHECK(actions > 1000); /* or this showed nothing */
	print_message("figure: %zu saves and returns decided in 200000 random steps\n", actions);
}
