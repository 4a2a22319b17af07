/* tests/unit/test-ahead.c -- snapshots that wait for their rows: what memory says of them is what the index will say, whatever comes
 * between. */
#include "repo/ahead.h"
#include "repo/parts.h"
#include "repo/sql.h"
#include "repo/store-state.h"

#include "tests/test.h"
#include "tests/unit/archive.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* ---- memory and index alone ---- */

enum { ITEMS_MAX = 16 };

struct bench {
	struct fleet fleet;
	struct fleet_device devices[2];
	struct store *store;
	struct ahead *ahead;
	struct item *items[ITEMS_MAX];
	size_t count;
};

static struct item *keep(struct bench *b, const struct buf *container)
{
	struct error err = { 0 };
	struct item *item = NULL;

	CHECK(b->count < ITEMS_MAX);
	CHECK_OK(item_new(&item, buf_bytes(container), &err));
	b->items[b->count++] = item;
	return item;
}

static void enter(struct bench *b, const struct item *item)
{
	struct error err = { 0 };

	CHECK_OK(store_enter(b->store, item->c.st, &err));
}

static struct item *epoch_of(struct bench *b, struct fleet_device *device)
{
	_cleanup_(buf_done) struct buf out = { 0 };

	fleet_epoch(&out, &b->fleet, device);
	return keep(b, &out);
}

static struct item *snapshot_of(struct bench *b, struct fleet_device *device)
{
	_cleanup_(buf_done) struct buf out = { 0 };
	char text[64];

	snprintf(text, sizeof(text), "hostname n%llu\n", (unsigned long long)device->number);
	fleet_snapshot(&out, &b->fleet, device, text, "x\n");
	return keep(b, &out);
}

static void begin(struct bench *b)
{
	struct error err = { 0 };

	CHECK_OK(store_begin(b->store, &err));
}

static void commit(struct bench *b)
{
	struct error err = { 0 };

	CHECK_OK(store_commit(b->store, &err));
	ahead_committed(b->ahead);
}

static void roll_back(struct bench *b)
{
	store_rollback(b->store);
	ahead_rolled_back(b->ahead);
}

static int take(struct bench *b, struct item *item)
{
	return ahead_take(b->ahead, b->store, item);
}

static void settle(struct bench *b)
{
	struct error err = { 0 };

	CHECK_OK(ahead_settle(b->ahead, b->store, &err));
}

static void take_alone(struct bench *b, struct item *item)
{
	CHECK_EQ(take(b, item), 0);
	ahead_publish(b->ahead);
}

/* What is here goes into the index, as before it judges something itself, and after it did. */
static void begin_settled(struct bench *b)
{
	begin(b);
	settle(b);
}

static void commit_judged(struct bench *b)
{
	commit(b);
	ahead_forget(b->ahead);
}

static int judge(struct bench *b, const struct item *item)
{
	struct error err = { 0 };
	bool keep_fork;

	return store_judge(b->store, &item->c, NULL, &keep_fork, &err);
}

static struct state state_of(struct bench *b, const struct fleet_device *device)
{
	struct error err = { 0 };
	struct state state;

	CHECK_OK(store_state(&state, b->store, device->id, &err));
	return state;
}

static void bench_init(struct bench *b)
{
	static const uint8_t secret[32] = { 7 };
	_cleanup_(mem_freep) char *path = mem_printf("%s/index.db", test_folder());
	struct error err = { 0 };

	*b = (struct bench){ 0 };
	fleet_init(&b->fleet);
	CHECK_OK(store_open(&b->store, path, &err));
	b->ahead = ahead_new();
	for (size_t i = 0; i < ARRAY_SIZE(b->devices); i++) {
		_cleanup_(buf_done) struct buf out = { 0 };
		struct fleet_device *device = &b->devices[i];

		fleet_device_init(device, i ? "r2" : "r1");
		fleet_enrol(&out, &b->fleet, device, secret);
		enter(b, keep(b, &out));
		enter(b, epoch_of(b, device));
	}
}

static void bench_done(struct bench *b)
{
	b->ahead = ahead_free(b->ahead);
	for (size_t i = 0; i < b->count; i++)
		item_free(b->items[i]);
	store_close(b->store);
	for (size_t i = 0; i < ARRAY_SIZE(b->devices); i++)
		fleet_device_done(&b->devices[i]);
	fleet_done(&b->fleet);
}

TEST(what_memory_took_is_what_the_index_says_once_it_is_entered)
{
	struct fleet_device *device;
	struct bench b;
	uint64_t before;

	bench_init(&b);
	device = &b.devices[0];
	before = state_of(&b, device).head;
	for (int i = 0; i < 3; i++)
		take_alone(&b, snapshot_of(&b, device));
	CHECK_EQ(ahead_count(b.ahead), 3);
	CHECK(ahead_has(b.ahead, device->id));
	CHECK_EQ(state_of(&b, device).head, before);
	begin(&b);
	settle(&b);
	commit(&b);
	CHECK_EQ(ahead_count(b.ahead), 0);
	CHECK_EQ(state_of(&b, device).head, device->number);
	CHECK(!memcmp(state_of(&b, device).head_hash, device->head, HASH_LEN));
	bench_done(&b);
}

TEST(what_a_failed_round_took_is_gone_and_what_was_taken_before_stays)
{
	struct item *first, *lost, *other;
	struct fleet_device *device, before;
	struct bench b;

	bench_init(&b);
	device = &b.devices[0];
	first = snapshot_of(&b, device);
	take_alone(&b, first);
	before = *device;
	lost = snapshot_of(&b, device);
	CHECK_EQ(take(&b, lost), 0);
	ahead_drop(b.ahead);
	CHECK(first->is_ahead && !lost->is_ahead);
	/* the device was refused and says something else with that number */
	device->number = before.number;
	memcpy(device->head, before.head, HASH_LEN);
	other = snapshot_of(&b, device);
	take_alone(&b, other);
	begin_settled(&b);
	commit(&b);
	CHECK(!memcmp(state_of(&b, device).head_hash, statement_hash(other->c.st), HASH_LEN));
	bench_done(&b);
}

TEST(rows_that_were_entered_in_a_failed_transaction_wait_again)
{
	struct fleet_device *device;
	struct bench b;

	bench_init(&b);
	device = &b.devices[0];
	take_alone(&b, snapshot_of(&b, device));
	begin_settled(&b);
	roll_back(&b);
	CHECK_EQ(ahead_count(b.ahead), 1);
	take_alone(&b, snapshot_of(&b, device));
	CHECK_EQ(ahead_count(b.ahead), 2);
	begin_settled(&b);
	commit(&b);
	CHECK_EQ(state_of(&b, device).head, device->number);
	bench_done(&b);
}

/* A round is journaled while somebody looks: it is shown when it is acknowledged, not before, and nothing of it is lost. */
TEST(rows_are_entered_of_what_is_journaled_while_another_round_is_under_way)
{
	struct fleet_device *device;
	struct item *under_way, *later;
	struct bench b;
	uint64_t shown;

	bench_init(&b);
	device = &b.devices[0];
	take_alone(&b, snapshot_of(&b, device));
	shown = device->number;
	under_way = snapshot_of(&b, device);
	CHECK_EQ(take(&b, under_way), 0);
	begin_settled(&b);
	CHECK_EQ(state_of(&b, device).head, shown);
	ahead_publish(b.ahead);
	later = snapshot_of(&b, &b.devices[1]);
	take_alone(&b, later);
	settle(&b); /* once more: for somebody who asks about the device that came */
	commit(&b);
	CHECK_EQ(ahead_count(b.ahead), 0);
	CHECK(!under_way->is_ahead && !later->is_ahead);
	CHECK_EQ(state_of(&b, device).head, device->number);
	CHECK_EQ(state_of(&b, &b.devices[1]).head, b.devices[1].number);
	bench_done(&b);
}

TEST(what_comes_while_rows_are_entered_stays_for_the_next_time)
{
	struct fleet_device *device;
	struct bench b;

	bench_init(&b);
	device = &b.devices[0];
	take_alone(&b, snapshot_of(&b, device));
	begin_settled(&b);
	take_alone(&b, snapshot_of(&b, device));
	commit(&b);
	CHECK_EQ(ahead_count(b.ahead), 1);
	CHECK(ahead_has(b.ahead, device->id));
	CHECK_EQ(state_of(&b, device).head, device->number - 1);
	begin_settled(&b);
	commit(&b);
	CHECK_EQ(state_of(&b, device).head, device->number);
	bench_done(&b);
}

TEST(one_that_forks_is_judged_with_what_waits_and_the_other_device_goes_on)
{
	struct fleet_device *a, *z, before;
	struct item *fork, *first;
	struct bench b;

	bench_init(&b);
	a = &b.devices[0];
	z = &b.devices[1];
	take_alone(&b, snapshot_of(&b, a)); /* with a base, which both name */
	before = *a;
	take_alone(&b, snapshot_of(&b, a));
	a->number = before.number;
	memcpy(a->head, before.head, HASH_LEN);
	fork = snapshot_of(&b, a);
	first = snapshot_of(&b, z);
	CHECK_EQ(take(&b, first), 0);
	CHECK_EQ(take(&b, fork), AHEAD_ASK);
	ahead_drop(b.ahead);
	begin_settled(&b);
	CHECK_EQ(judge(&b, first), 0);
	enter(&b, first);
	CHECK_EQ(judge(&b, fork), REPO_FORK);
	commit_judged(&b);
	CHECK_EQ(ahead_count(b.ahead), 0);
	take_alone(&b, snapshot_of(&b, z));
	begin_settled(&b);
	commit(&b);
	CHECK_EQ(state_of(&b, z).head, z->number);
	CHECK(memcmp(state_of(&b, a).head_hash, statement_hash(fork->c.st), HASH_LEN) != 0);
	bench_done(&b);
}

TEST(a_device_that_left_in_between_is_not_judged_by_what_memory_knew)
{
	struct fleet_device *device;
	struct item *late;
	struct error err = { 0 };
	struct bench b;

	bench_init(&b);
	device = &b.devices[0];
	take_alone(&b, snapshot_of(&b, device));
	late = snapshot_of(&b, device);
	begin_settled(&b);
	CHECK_OK(sql_exec(b.store, "UPDATE state SET retired = 'wiped'", &err));
	commit_judged(&b);
	CHECK_EQ(take(&b, late), AHEAD_ASK);
	ahead_drop(b.ahead);
	begin_settled(&b);
	CHECK_EQ(judge(&b, late), REPO_FORK); /* misuse of its key: kept as evidence */
	commit_judged(&b);
	bench_done(&b);
}

TEST(an_epoch_in_between_refuses_the_old_one_and_takes_the_new_one)
{
	struct fleet_device *device;
	struct item *gap, *epoch, *fits;
	struct bench b;

	bench_init(&b);
	device = &b.devices[0];
	take_alone(&b, snapshot_of(&b, device));
	epoch = epoch_of(&b, device);
	fits = snapshot_of(&b, device);
	gap = snapshot_of(&b, device);
	CHECK_EQ(take(&b, gap), AHEAD_ASK);
	CHECK_EQ(take(&b, fits), AHEAD_ASK); /* its epoch is not there */
	CHECK_EQ(take(&b, epoch), AHEAD_ASK);
	ahead_drop(b.ahead);
	begin_settled(&b);
	CHECK_EQ(judge(&b, epoch), 0);
	enter(&b, epoch);
	commit_judged(&b);
	take_alone(&b, fits);
	take_alone(&b, gap);
	begin_settled(&b);
	commit(&b);
	CHECK_EQ(state_of(&b, device).head, device->number);
	CHECK_EQ(state_of(&b, device).epoch, device->epoch);
	bench_done(&b);
}

/* A seal that the newest snapshot has not: memory may not take it. */
TEST(a_seal_of_long_ago_is_not_taken_by_memory)
{
	struct fleet_device *device, before;
	struct item *again;
	struct bench b;

	bench_init(&b);
	device = &b.devices[0];
	take_alone(&b, snapshot_of(&b, device)); /* a base */
	before = *device;
	device->base_number = 0;
	take_alone(&b, snapshot_of(&b, device)); /* another one */
	memcpy(device->base_line, before.base_line, sizeof(before.base_line));
	again = snapshot_of(&b, device);
	CHECK_EQ(take(&b, again), AHEAD_ASK);
	ahead_drop(b.ahead);
	begin_settled(&b);
	CHECK_EQ(judge(&b, again), REPO_GAP);
	commit_judged(&b);
	bench_done(&b);
}

TEST(rows_that_come_late_do_not_undo_newer_ones)
{
	struct repo_device said;
	struct fleet_device *device;
	struct item *older, *newer;
	struct error err = { 0 };
	struct bench b;

	bench_init(&b);
	device = &b.devices[0];
	device->firmware = "1.0";
	older = snapshot_of(&b, device);
	device->firmware = "2.0";
	newer = snapshot_of(&b, device);
	enter(&b, newer);
	enter(&b, older);
	CHECK_OK(store_device(&said, b.store, device->id, &err));
	CHECK_EQ(said.head_number, device->number);
	CHECK_EQ(said.snapshot_number, device->number);
	CHECK_STR(said.firmware, "2.0");
	bench_done(&b);
}

/* ---- the whole archive ---- */

/* Is this the packer, in a transaction of the index? Then that fails. */
static int refuse_packer(void *ctx)
{
	atomic_bool *refuses = ctx;
	char name[16] = "";

	pthread_getname_np(pthread_self(), name, sizeof(name));
	return *refuses && !strcmp(name, "packer");
}

/* Posts until one waits for its row: the packer may just have passed. */
static void post_ahead(struct world *w)
{
	for (int i = 0; i < 200; i++) {
		CHECK_EQ(world_post(w, make_snapshot), 0);
		if (ahead_count(w->repo->ahead))
			return;
	}
	fail_msg("nothing waits for its row");
}

static void hook(struct world *w, atomic_bool *refuses)
{
	pthread_mutex_lock(&w->repo->store_lock);
	sqlite3_commit_hook(w->repo->store->db, refuse_packer, refuses);
	pthread_mutex_unlock(&w->repo->store_lock);
}

enum { ACKNOWLEDGED_MS = 20000 };

static void note_acknowledged(void *ctx, const struct repo_outcome *outcome)
{
	atomic_int *result = ctx;

	*result = outcome->result;
}

static void post_at_once(struct world *w)
{
	static const struct timespec moment = { .tv_nsec = 1000000 };
	_cleanup_(buf_done) struct buf out = { 0 };
	struct error err = { 0 };
	static atomic_int result;

	result = 1000;
	make_snapshot(w, &out);
	CHECK_OK(repo_submit(w->repo, buf_bytes(&out), note_acknowledged, &result, &err));
	for (int i = 0; i < ACKNOWLEDGED_MS && result == 1000; i++)
		nanosleep(&moment, NULL);
	CHECK_EQ(result, 0);
}

/* Somebody is at work on the index for as long as he likes. */
TEST(a_snapshot_that_plainly_fits_is_acknowledged_while_the_index_is_at_work)
{
	struct error err = { 0 };
	struct repo_device device;
	struct world w;

	world_init(&w);
	CHECK_OK(repo_flush(w.repo, &err));
	for (int i = 0; i < 3; i++) { /* a device of whom nothing is known, then one that memory knows */
		pthread_mutex_lock(&w.repo->store_lock);
		CHECK_OK(store_begin(w.repo->store, &err));
		post_at_once(&w);
		post_at_once(&w);
		store_rollback(w.repo->store);
		pthread_mutex_unlock(&w.repo->store_lock);
		CHECK_OK(repo_device_get(&device, w.repo, w.device.id, &err));
		CHECK_EQ(device.head_number, w.device.number);
	}
	CHECK_OK(repo_flush(w.repo, &err));
	check_log(&w, w.device.number);
	check_git(&w);
	world_done(&w);
}

TEST(an_index_that_lacks_what_is_acknowledged_gives_no_answer)
{
	atomic_bool refuses = false;
	struct repo_device device;
	struct error err = { 0 };
	struct world w;
	int i;

	world_init(&w);
	hook(&w, &refuses);
	for (i = 0; i < 50 && !w.repo->rows_are_missing; i++) {
		refuses = false;
		CHECK_OK(repo_flush(w.repo, &err));
		refuses = true;
		CHECK_EQ(world_post(&w, make_snapshot), 0);
		CHECK(repo_flush(w.repo, &err) < 0);
	}
	CHECK(i < 50);
	CHECK_EQ(repo_device_get(&device, w.repo, w.device.id, &err), E_SYS);
	refuses = false;
	CHECK_OK(repo_flush(w.repo, &err));
	CHECK_OK(repo_device_get(&device, w.repo, w.device.id, &err));
	CHECK_EQ(device.head_number, w.device.number);
	check_log(&w, w.device.number);
	CHECK_EQ(world_post(&w, make_snapshot), 0);
	CHECK_OK(repo_flush(w.repo, &err));
	check_git(&w);
	world_done(&w);
}

/* Back to where the device was, as a clone of it would be. */
static void set_back(struct world *w, const struct fleet_device *before)
{
	w->device.number = before->number;
	memcpy(w->device.head, before->head, HASH_LEN);
}

TEST(the_same_a_fork_and_a_gap_are_told_while_rows_wait)
{
	_cleanup_(buf_done) struct buf same = { 0 }, other = { 0 }, later = { 0 };
	struct fleet_device before;
	struct repo_device device;
	struct error err = { 0 };
	struct world w;
	uint64_t head;

	world_init(&w);
	post_ahead(&w);
	before = w.device;
	make_snapshot(&w, &same);
	CHECK_EQ(repo_submit_wait(w.repo, buf_bytes(&same), &err), 0);
	head = w.device.number;
	CHECK_EQ(repo_submit_wait(w.repo, buf_bytes(&same), &err), REPO_SEEN);
	set_back(&w, &before);
	fleet_snapshot(&other, &w.fleet, &w.device, "hostname evil\n", "x");
	CHECK_EQ(repo_submit_wait(w.repo, buf_bytes(&other), &err), REPO_FORK);
	w.device.number += 5;
	make_snapshot(&w, &later);
	CHECK_EQ(repo_submit_wait(w.repo, buf_bytes(&later), &err), REPO_GAP);
	CHECK_OK(repo_device_get(&device, w.repo, w.device.id, &err));
	CHECK_EQ(device.forks, 1);
	CHECK_EQ(device.head_number, head);
	world_done(&w);
}

TEST(a_new_index_says_the_same_of_what_waited_for_its_row)
{
	struct repo_device before, after;
	struct error err = { 0 };
	struct world w;

	world_init(&w);
	w.device.firmware = "1.0";
	CHECK_EQ(world_post(&w, make_snapshot), 0);
	w.device.firmware = "2.0";
	post_ahead(&w);
	CHECK_OK(repo_device_get(&before, w.repo, w.device.id, &err));
	CHECK_EQ(before.head_number, w.device.number);
	CHECK_STR(before.firmware, "2.0");
	w.device.firmware = NULL;
	post_ahead(&w);
	world_reopen(&w);
	CHECK_OK(repo_device_get(&before, w.repo, w.device.id, &err));
	CHECK_EQ(before.head_number, w.device.number);
	w.repo = repo_close(w.repo);
	CHECK_OK(repo_reindex(w.dir, &w.fleet.archive, &err));
	CHECK_OK(repo_open(&w.repo, w.dir, &w.fleet.archive, 0, &err));
	CHECK_OK(repo_device_get(&after, w.repo, w.device.id, &err));
	CHECK(!memcmp(&before, &after, sizeof(before)));
	check_log(&w, w.device.number);
	world_done(&w);
}

TEST(who_signs_for_a_device_is_what_the_archive_said_last)
{
	_cleanup_(buf_done) struct buf enrol = { 0 }, admit = { 0 };
	struct fleet_device other;
	struct repo_signer signer;
	struct error err = { 0 };
	struct world w;

	world_init(&w);
	fleet_device_init(&other, "r1");
	fleet_enrol(&enrol, &w.fleet, &other, w.secret);
	fleet_admit(&admit, &w.fleet, &other);
	CHECK_EQ(repo_signer_get(&signer, w.repo, other.id, &err), REPO_ABSENT);
	CHECK_EQ(repo_submit_wait(w.repo, buf_bytes(&enrol), &err), 0);
	for (int i = 0; i < 2; i++) {
		CHECK_OK(repo_signer_get(&signer, w.repo, other.id, &err));
		CHECK(!signer.admitted);
	}
	CHECK_EQ(repo_submit_wait(w.repo, buf_bytes(&admit), &err), 0);
	CHECK_OK(repo_signer_get(&signer, w.repo, other.id, &err));
	CHECK(signer.admitted);
	CHECK(!memcmp(&signer.key, &other.key.pub, sizeof(signer.key)));
	fleet_device_done(&other);
	world_done(&w);
}
