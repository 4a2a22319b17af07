/* tests/unit/test-deliver.c -- what a device's poll gets of its orders: the lowest numbers first, bounded, each batch in front of its
 * orders; and never by a state that an acknowledged statement has changed. */
#include "tests/orders.h"
#include "tests/unit/archive.h"

#include "tests/test.h"

#include "base/clock.h"
#include "server/deliver.h"

#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>

enum { BATCHES = 11, FDS = 64 };

struct plant {
	struct world w;
	struct wait *wait;
	struct rollouts *rollouts;
	struct deliveries *given;
	struct orders_batch batches[BATCHES];
	size_t count;
	bool notes_late; /* an order is noted for its device only when may_note says so */
	sem_t woken, may_note;
};

static void on_news(void *ctx, const struct statement *st)
{
	struct plant *p = ctx;

	rollouts_note(p->rollouts, st);
	if (statement_type(st) != STATEMENT_ORDER)
		return;
	if (p->notes_late)
		sem_wait(&p->may_note);
	deliveries_note(p->given, statement_get(st, "device"));
}

static void on_wake(void *ctx, const char *device)
{
	struct plant *p = ctx;

	deliveries_wake(p->given, device);
	sem_post(&p->woken);
}

static void plant_init(struct plant *p)
{
	struct error err = { 0 };

	*p = (struct plant){ 0 };
	world_init(&p->w);
	CHECK_OK(wait_new(&p->wait, FDS, &err));
	sem_init(&p->woken, 0, 0);
	sem_init(&p->may_note, 0, 0);
	CHECK_OK(deliveries_new(&p->given, p->w.repo, p->wait, &err));
	CHECK_OK(rollouts_new(&p->rollouts, p->w.repo, on_wake, p, &err));
	repo_on_news(p->w.repo, on_news, p);
}

static void plant_done(struct plant *p)
{
	rollouts_stop(p->rollouts);
	world_done(&p->w); /* closes the repository */
	rollouts_free(p->rollouts);
	deliveries_free(p->given);
	wait_free(p->wait);
	for (size_t i = 0; i < p->count; i++)
		orders_batch_done(&p->batches[i]);
}

static void posted(struct plant *p, struct bytes container)
{
	struct error err = { 0 };

	CHECK_OK(repo_submit_wait(p->w.repo, container, &err));
}

/* The next batch: one order, for the one device, with the next number. */
static struct orders_batch *order(struct plant *p, struct orders_plan plan)
{
	struct orders_batch *batch = &p->batches[p->count++];

	plan.number = p->count;
	orders_batch_make(batch, &p->w.fleet, (struct fleet_device *[]){ &p->w.device }, 1, &plan);
	posted(p, buf_bytes(&batch->whole));
	posted(p, buf_bytes(&batch->orders[0]));
	return batch;
}

static void decide(struct plant *p, const struct orders_batch *batch, const char *action)
{
	_cleanup_(buf_done) struct buf control = { 0 };

	orders_control(&control, &p->w.fleet, batch, action, "alice", &p->w.fleet.operator, NULL);
	posted(p, buf_bytes(&control));
}

static void look(struct delivery *out, struct plant *p, uint64_t noted)
{
	struct error err = { 0 };

	CHECK_OK(deliver_look(out, p->given, p->w.repo, p->rollouts, p->w.device.id, noted, true, &err));
}

/* The numbers of the orders that a poll brings, as text: "1 2 3"; each must be whole, behind its batch. */
static void gets(struct plant *p, uint64_t noted, const char *expected)
{
	_cleanup_(buf_done) struct buf out = { 0 }, numbers = { 0 };
	_cleanup_(delivery_done) struct delivery delivery;
	_cleanup_(statement_freep) struct statement *batch = NULL;
	struct error err = { 0 };
	struct bytes rest;
	size_t used = 0;

	look(&delivery, p, noted);
	CHECK_OK(deliver(&out, p->given, &delivery, p->w.repo, p->rollouts, p->w.device.id, 1000, &err));
	CHECK(out.len <= DELIVER_BYTES_MAX);
	for (rest = buf_bytes(&out); rest.len; rest = bytes_from(rest, used)) {
		struct container c;

		CHECK_OK(container_parse(&c, rest, CONTAINER_FULL, &used, &err));
		if (statement_type(c.st) == STATEMENT_BATCH) {
			statement_free(batch);
			batch = c.st;
			continue;
		}
		CHECK_EQ(statement_type(c.st), STATEMENT_ORDER);
		CHECK(batch != NULL);
		CHECK_OK(order_verify(c.st, batch, &err));
		buf_addf(&numbers, "%s%s", numbers.len ? " " : "", statement_get(c.st, "order"));
		container_done(&c);
	}
	CHECK_STR(buf_text(&numbers), expected);
}

TEST(a_poll_brings_at_most_eight_orders_the_lowest_numbers_first)
{
	struct plant p;

	plant_init(&p);
	gets(&p, 0, "");
	for (int i = 0; i < BATCHES; i++)
		order(&p, (struct orders_plan){ .kind = "snapshot" });
	gets(&p, 0, "1 2 3 4 5 6 7 8");
	gets(&p, 8, "9 10 11");
	gets(&p, 3, "4 5 6 7 8 9 10 11");
	gets(&p, 11, "");
	plant_done(&p);
}

TEST(whoever_had_no_order_gets_what_comes_and_a_server_that_starts_knows_what_there_was)
{
	struct error err = { 0 };
	struct plant p;

	plant_init(&p);
	gets(&p, 0, "");
	order(&p, (struct orders_plan){ .kind = "snapshot" });
	gets(&p, 0, "1");
	sem_wait(&p.woken); /* the thread of rollouts is done with what is freed now */
	deliveries_free(p.given);
	CHECK_OK(deliveries_new(&p.given, p.w.repo, p.wait, &err));
	gets(&p, 0, "1");
	plant_done(&p);
}

static void ignore(void *ctx, const struct repo_outcome *outcome)
{
	(void)ctx;
	(void)outcome;
}

TEST(whoever_is_woken_finds_its_order_even_when_the_first_of_many_woke_it)
{
	struct orders_batch *batch;
	struct error err = { 0 };
	struct plant p;

	plant_init(&p);
	p.notes_late = true;
	batch = &p.batches[p.count++];
	orders_batch_make(batch, &p.w.fleet, (struct fleet_device *[]){ &p.w.device }, 1,
			  &(struct orders_plan){ .kind = "snapshot", .number = 1 });
	posted(&p, buf_bytes(&batch->whole));
	CHECK_OK(repo_submit(p.w.repo, buf_bytes(&batch->orders[0]), ignore, NULL, &err));
	sem_wait(&p.woken);
	gets(&p, 0, "1");
	sem_post(&p.may_note);
	plant_done(&p);
}

TEST(a_poll_brings_at_most_eight_mebibytes_but_at_least_one_order)
{
	struct plant p;

	plant_init(&p);
	for (int i = 0; i < 3; i++)
		order(&p, (struct orders_plan){ .payload_len = (1 << 20) - 100 });
	gets(&p, 0, "1 2 3");
	for (int i = 0; i < 7; i++)
		order(&p, (struct orders_plan){ .payload_len = (1 << 20) - 100 });
	gets(&p, 1, "2 3 4 5 6 7 8"); /* 8 of them would be a little more than 8 MiB */
	gets(&p, 8, "9 10");
	plant_done(&p);
}

TEST(no_poll_is_answered_by_a_state_that_an_acknowledged_statement_has_changed)
{
	struct release now;
	struct plant p;

	plant_init(&p);
	for (int i = 0; i < 5; i++) {
		struct orders_batch *batch = order(&p, (struct orders_plan){ .kind = "snapshot" });
		char number[8];

		snprintf(number, sizeof(number), "%d", i + 1);
		gets(&p, (uint64_t)i, number); /* at once, without waiting for anything */
		decide(&p, batch, "pause");
		gets(&p, (uint64_t)i, "");
		decide(&p, batch, "resume");
		gets(&p, (uint64_t)i, number);
		decide(&p, batch, "abort");
		gets(&p, (uint64_t)i, "");
		CHECK(rollouts_look(&now, p.rollouts, batch->id));
		CHECK_EQ(now.state, RELEASE_ABORTED);
	}
	CHECK(!rollouts_look(&now, p.rollouts, "aaaaaaaaaaaaaaaaaaaaaaaaaa"));
	plant_done(&p);
}

/* The actions that a poll brings without an order, as text. */
static void hears(struct plant *p, uint64_t noted, const char *expected)
{
	_cleanup_(delivery_done) struct delivery delivery;
	_cleanup_(buf_done) struct buf actions = { 0 };
	struct error err = { 0 };
	struct bytes rest;
	size_t used = 0;

	look(&delivery, p, noted);
	CHECK_EQ(delivery.count, 0);
	for (rest = buf_bytes(&delivery.news); rest.len; rest = bytes_from(rest, used)) {
		_cleanup_(statement_freep) struct statement *st = NULL;

		CHECK_OK(statement_parse(&st, rest, false, &used, &err));
		buf_addf(&actions, "%s ", statement_type(st) == STATEMENT_BATCH ? "batch" : statement_get(st, "action"));
	}
	CHECK_STR(buf_text(&actions), expected);
}

TEST(who_took_note_of_an_upgrade_hears_that_it_was_stopped_until_it_has_answered)
{
	_cleanup_(buf_done) struct buf receipt = { 0 };
	struct orders_batch *upgrade, *other;
	struct plant p;

	plant_init(&p);
	upgrade = order(&p, (struct orders_plan){ .kind = "upgrade", .payload_len = 100 });
	other = order(&p, (struct orders_plan){ .kind = "snapshot" });
	hears(&p, 2, "");
	decide(&p, upgrade, "pause");
	hears(&p, 2, "");
	decide(&p, upgrade, "abort");
	decide(&p, other, "abort");
	hears(&p, 2, "batch abort ");
	hears(&p, 0, ""); /* it never got it, and never will */
	orders_receipt(&receipt, &p.w.fleet, &p.w.device, upgrade, 0, "refused", "cancelled");
	posted(&p, buf_bytes(&receipt));
	hears(&p, 2, "");
	plant_done(&p);
}

TEST(an_order_is_not_given_out_after_its_end_though_no_clock_has_ticked)
{
	struct plant p;
	int64_t end_s = clock_now_s() + 2;

	plant_init(&p);
	order(&p, (struct orders_plan){ .kind = "snapshot", .expires_s = end_s });
	gets(&p, 0, "1");
	while (clock_now_s() < end_s)
		;
	gets(&p, 0, "");
	plant_done(&p);
}

TEST(what_was_given_is_given_again_after_a_while_that_grows_and_something_else_at_once)
{
	uint64_t now_ms = 1000, when_ms = 0;
	struct plant p;

	plant_init(&p);
	order(&p, (struct orders_plan){ .kind = "snapshot" });
	for (uint64_t pause_ms = 2000; pause_ms < 400000; pause_ms *= 2) {
		_cleanup_(delivery_done) struct delivery delivery;
		_cleanup_(buf_done) struct buf out = { 0 };
		struct error err = { 0 };

		look(&delivery, &p, 0);
		CHECK_EQ(deliver_when_ms(p.given, p.w.device.id, &delivery, now_ms), 0);
		CHECK_OK(deliver(&out, p.given, &delivery, p.w.repo, p.rollouts, p.w.device.id, now_ms, &err));
		when_ms = deliver_when_ms(p.given, p.w.device.id, &delivery, now_ms + 1);
		CHECK_EQ(when_ms, now_ms + (pause_ms < 60000 ? pause_ms : 60000));
		CHECK_EQ(deliver_when_ms(p.given, p.w.device.id, &delivery, when_ms - 1), when_ms);
		now_ms = when_ms;
	}
	/* whoever asks before it does what cannot be undone does not wait for the end of a pause */
	{
		_cleanup_(delivery_done) struct delivery delivery;

		look(&delivery, &p, 0);
		CHECK(!delivery.is_asked); /* nothing is armed */
		CHECK(deliver_when_ms(p.given, p.w.device.id, &delivery, now_ms - 1) > 0);
		delivery.is_asked = true;
		CHECK_EQ(deliver_when_ms(p.given, p.w.device.id, &delivery, now_ms - 1), 0);
	}
	/* another order: at once, and the pauses begin anew */
	order(&p, (struct orders_plan){ .kind = "snapshot" });
	for (uint64_t pause_ms = 2000; pause_ms < 8000; pause_ms *= 2) {
		_cleanup_(delivery_done) struct delivery delivery;
		_cleanup_(buf_done) struct buf out = { 0 };
		struct error err = { 0 };

		look(&delivery, &p, 0);
		CHECK_EQ(deliver_when_ms(p.given, p.w.device.id, &delivery, now_ms), 0);
		CHECK_OK(deliver(&out, p.given, &delivery, p.w.repo, p.rollouts, p.w.device.id, now_ms, &err));
		CHECK_EQ(deliver_when_ms(p.given, p.w.device.id, &delivery, now_ms), now_ms + pause_ms);
		now_ms += pause_ms;
	}
	/* it took note of everything: forgotten */
	{
		_cleanup_(delivery_done) struct delivery delivery;

		look(&delivery, &p, 2);
		CHECK(delivery_is_empty(&delivery));
		CHECK_EQ(deliver_when_ms(p.given, p.w.device.id, &delivery, now_ms), 0);
	}
	plant_done(&p);
}

TEST(how_many_are_pending_is_what_a_poll_would_bring)
{
	_cleanup_(pending_freep) struct pending *all = NULL, *one = NULL;
	_cleanup_(statement_freep) struct statement *st = NULL;
	_cleanup_(buf_done) struct buf status = { 0 };
	struct orders_batch *paused;
	struct repo_device device;
	struct error err = { 0 };
	struct plant p;

	plant_init(&p);
	order(&p, (struct orders_plan){ .kind = "snapshot" });
	order(&p, (struct orders_plan){ .kind = "snapshot" });
	paused = order(&p, (struct orders_plan){ .kind = "snapshot" });
	decide(&p, paused, "pause");
	CHECK_OK(pending_new(&all, p.w.repo, p.rollouts, NULL, &err));
	CHECK_OK(repo_device_get(&device, p.w.repo, p.w.device.id, &err));
	CHECK_EQ(pending_count(all, &device), 2);
	CHECK_EQ(device.order, 3);
	fleet_status(&status, &p.w.fleet, &p.w.device, 1, 60);
	CHECK_OK(statement_parse(&st, buf_bytes(&status), false, NULL, &err));
	repo_touch(p.w.repo, st, clock_now_s());
	repo_touch_flush(p.w.repo);
	CHECK_OK(repo_device_get(&device, p.w.repo, p.w.device.id, &err));
	CHECK_OK(pending_new(&one, p.w.repo, p.rollouts, p.w.device.id, &err));
	CHECK_EQ(pending_count(one, &device), 1);
	memcpy(device.id, "aaaaaaaaaaaaaaaaaaaaaaaaaa", ID_LEN);
	CHECK_EQ(pending_count(all, &device), 0);
	plant_done(&p);
}
