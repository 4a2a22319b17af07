/* tests/unit/test-wait.c -- whoever waits is woken when it is time, not before, however long that is; by news, and by nobody else's.
 * Polls wait while answers to others are to go out.
 *
 * libmicrohttpd's two calls are replaced here: what would be a connection is a waiter's number. */
#include "tests/test.h"

#include "base/clock.h"
#include "server/wait.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { WAITERS = 400, HOURS = 4, TURN_MS = 4096 * 256 }; /* of the wheel in wait.c */

static size_t suspended, resumed;

void MHD_suspend_connection(struct MHD_Connection *conn);
void MHD_resume_connection(struct MHD_Connection *conn);

void MHD_suspend_connection(struct MHD_Connection *conn _unused_)
{
	suspended++;
}

void MHD_resume_connection(struct MHD_Connection *conn _unused_)
{
	resumed++;
}

struct hall {
	struct wait *wait;
	struct waiter *waiters;
	size_t count;
	uint64_t begun_ms;
};

static void hall_init(struct hall *h, size_t count)
{
	struct error err;

	*h = (struct hall){ .waiters = mem_alloc(count * sizeof(struct waiter)), .count = count };
	CHECK_OK(wait_new(&h->wait, 8192, &err));
	h->begun_ms = clock_mono_ms();
	suspended = resumed = 0;
}

static void park(struct hall *h, size_t i, uint64_t due_ms)
{
	struct waiter *p = &h->waiters[i];
	struct error err;

	if (p->fd <= 0)
		p->fd = eventfd(0, EFD_CLOEXEC);
	CHECK(p->fd >= 0);
	snprintf(p->device, sizeof(p->device), "%c%c%c%022zu", 'a' + (char)(i % 26), 'a' + (char)(i / 26 % 26), 'a', i);
	p->due_ms = due_ms;
	CHECK_EQ(wait_park(h->wait, p, wait_mark(h->wait), &err), 0);
}

static void hall_done(struct hall *h)
{
	wait_stop(h->wait);
	CHECK_EQ(wait_count(h->wait), 0);
	CHECK_EQ(suspended, resumed);
	for (size_t i = 0; i < h->count; i++)
		close(h->waiters[i].fd);
	wait_free(h->wait);
	free(h->waiters);
}

TEST(whoever_waits_longer_than_a_turn_of_the_wheel_is_woken_in_time)
{
	struct hall h;
	uint64_t at[] = { 100, TURN_MS - 1, TURN_MS, TURN_MS + 300, 3 * (uint64_t)TURN_MS + 5, HOURS * UINT64_C(3600000) };

	hall_init(&h, ARRAY_SIZE(at));
	for (size_t i = 0; i < ARRAY_SIZE(at); i++)
		park(&h, i, h.begun_ms + at[i]);
	for (size_t i = 0; i < ARRAY_SIZE(at); i++) {
		wait_time(h.wait, h.begun_ms + at[i] - 1);
		CHECK_EQ(resumed, i);
		wait_time(h.wait, h.begun_ms + at[i]);
		CHECK_EQ(resumed, i + 1);
		CHECK_EQ(h.waiters[i].why, WAIT_TIME);
	}
	hall_done(&h);
}

TEST(time_that_jumps_wakes_all_that_are_due_and_nobody_else)
{
	struct hall h;
	uint64_t now;

	srand(7);
	hall_init(&h, WAITERS);
	for (size_t i = 0; i < WAITERS; i++)
		park(&h, i, h.begun_ms + (uint64_t)rand() % (HOURS * 3600000));
	for (now = h.begun_ms; wait_count(h.wait); now += (uint64_t)(rand() % 5 ? rand() % 20000 : rand() % (3 * TURN_MS))) {
		wait_time(h.wait, now);
		for (size_t i = 0; i < WAITERS; i++)
			if (h.waiters[i].is_parked != (h.waiters[i].due_ms > now))
				fail_msg("at %llu ms waiter %zu, due at %llu ms, is %s", (unsigned long long)(now - h.begun_ms), i,
					 (unsigned long long)(h.waiters[i].due_ms - h.begun_ms),
					 h.waiters[i].is_parked ? "still there" : "gone");
	}
	hall_done(&h);
}

TEST(what_is_due_already_is_woken_at_the_next_look)
{
	struct hall h;

	hall_init(&h, 1);
	wait_time(h.wait, h.begun_ms + 60000);
	park(&h, 0, h.begun_ms + 1);
	wait_time(h.wait, h.begun_ms + 60000);
	CHECK_EQ(resumed, 1);
	hall_done(&h);
}

TEST(news_wake_the_device_that_they_are_for_or_all)
{
	struct hall h;
	struct error err;
	uint64_t mark;

	hall_init(&h, 3);
	for (size_t i = 0; i < 3; i++)
		park(&h, i, h.begun_ms + 600000);
	mark = wait_mark(h.wait);
	wait_news(h.wait, h.waiters[1].device);
	CHECK(resumed == 1 && !h.waiters[1].is_parked && h.waiters[1].why == WAIT_NEWS);
	CHECK_EQ(wait_park(h.wait, &h.waiters[1], mark, &err), WAIT_CHANGED); /* it looked before they came */
	wait_news(h.wait, NULL);
	CHECK_EQ(resumed, 3);
	hall_done(&h);
}

/* ---- turns ---- */

static void ask(struct hall *h, size_t i, bool may)
{
	if (h->waiters[i].fd <= 0)
		h->waiters[i].fd = eventfd(0, EFD_CLOEXEC);
	CHECK_EQ(wait_turn(h->wait, &h->waiters[i]), may);
}

TEST(polls_are_judged_behind_all_answers_of_a_wake)
{
	enum { WOKEN = 10, ASKING = 3 * TURNS_AT_ONCE };
	struct waiter *asking;
	struct hall h;
	size_t before;

	hall_init(&h, WOKEN + ASKING);
	asking = h.waiters + WOKEN;
	for (size_t i = 0; i < WOKEN; i++)
		park(&h, i, h.begun_ms + 600000);
	ask(&h, WOKEN, true); /* nothing is owed */
	wait_news(h.wait, NULL);
	before = resumed;
	for (size_t i = 0; i < ASKING; i++)
		ask(&h, WOKEN + i, false);
	for (size_t i = 0; i < WOKEN; i++) {
		CHECK_EQ(resumed, before);
		wait_answered(h.wait, &h.waiters[i]);
	}
	for (size_t batch = 0; batch < 3; batch++) {
		CHECK_EQ(resumed, before + (batch + 1) * TURNS_AT_ONCE);
		for (size_t i = batch * TURNS_AT_ONCE; i < (batch + 1) * TURNS_AT_ONCE; i++) {
			CHECK_EQ(asking[i].why, WAIT_TURN); /* as they came */
			if (i % 2)
				park(&h, WOKEN + i, h.begun_ms + 600000); /* judged, and waits for news */
			else
				wait_answered(h.wait, &asking[i]);
		}
	}
	ask(&h, 0, true);
	hall_done(&h);
}

TEST(an_answer_that_does_not_go_out_keeps_nobody_for_long)
{
	struct hall h;

	hall_init(&h, 3);
	park(&h, 0, h.begun_ms + 600000);
	wait_news(h.wait, h.waiters[0].device);
	ask(&h, 1, false);
	wait_time(h.wait, clock_mono_ms());
	CHECK_EQ(resumed, 1);
	wait_time(h.wait, clock_mono_ms() + TURN_WAIT_MS);
	CHECK(resumed == 2 && h.waiters[1].why == WAIT_TURN);
	hall_done(&h);
}

TEST(who_waits_for_a_turn_hears_that_the_server_stops)
{
	struct hall h;

	hall_init(&h, 2);
	park(&h, 0, h.begun_ms + 600000);
	wait_news(h.wait, NULL);
	ask(&h, 1, false);
	wait_stop(h.wait);
	CHECK(resumed == 2 && h.waiters[1].why == WAIT_STOP);
	hall_done(&h);
}

TEST(who_is_woken_and_waits_on_owes_nothing)
{
	struct hall h;

	hall_init(&h, 2);
	park(&h, 0, h.begun_ms + 600000);
	wait_news(h.wait, NULL);
	ask(&h, 1, false);
	park(&h, 0, h.begun_ms + 600000); /* the news were none for it */
	CHECK(resumed == 2 && h.waiters[1].why == WAIT_TURN);
	hall_done(&h);
}
