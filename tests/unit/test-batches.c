/* tests/unit/test-batches.c -- the archive's half of orders: what is taken, what is refused and why, and that nothing but the statements
 * decides what a batch has come to. */
#include "tests/orders.h"
#include "tests/unit/archive.h"

#include "tests/test.h"

#include "base/clock.h"
#include "base/fs.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { DEVICES = 4 };

/* The archive's first device, and three more. */
struct plant {
	struct world w;
	struct fleet_device more[DEVICES - 1], *devices[DEVICES];
	struct orders_batch batch;
};

static int post(struct plant *p, struct bytes container, struct error *err)
{
	*err = (struct error){ 0 };
	return repo_submit_wait(p->w.repo, container, err);
}

static void posted(struct plant *p, struct bytes container)
{
	struct error err;

	CHECK_OK(post(p, container, &err));
}

/* Posts it: refused with these words in the reason. */
static void refused(struct plant *p, struct bytes container, const char *why)
{
	struct error err;
	int r = post(p, container, &err);

	if (r >= 0 || !strstr(err.text, why))
		fail_msg("answered %d '%s' where '%s' was expected", r, r < 0 ? err.text : "", why);
}

static void join(struct plant *p, struct fleet_device *device, const char *name, bool admit)
{
	_cleanup_(buf_done) struct buf invite = { 0 }, enrol = { 0 }, admitted = { 0 };
	uint8_t secret[32];

	memset(secret, name[1], sizeof(secret));
	fleet_device_init(device, name);
	fleet_invite(&invite, &p->w.fleet, name, secret);
	fleet_enrol(&enrol, &p->w.fleet, device, secret);
	posted(p, buf_bytes(&invite));
	posted(p, buf_bytes(&enrol));
	if (!admit)
		return;
	fleet_admit(&admitted, &p->w.fleet, device);
	posted(p, buf_bytes(&admitted));
}

static void plant_init(struct plant *p)
{
	*p = (struct plant){ 0 };
	world_init(&p->w);
	p->devices[0] = &p->w.device;
	for (int i = 1; i < DEVICES; i++) {
		char name[8];

		snprintf(name, sizeof(name), "r%d", i + 1);
		p->devices[i] = &p->more[i - 1];
		join(p, p->devices[i], name, true);
	}
}

static void plant_done(struct plant *p)
{
	orders_batch_done(&p->batch);
	for (int i = 1; i < DEVICES; i++)
		fleet_device_done(p->devices[i]);
	world_done(&p->w);
}

static void make_batch(struct plant *p, const struct orders_plan *plan)
{
	orders_batch_done(&p->batch);
	orders_batch_make(&p->batch, &p->w.fleet, p->devices, DEVICES, plan);
}

/* A batch with all its orders, posted. */
static void post_batch(struct plant *p, const struct orders_plan *plan)
{
	make_batch(p, plan);
	posted(p, buf_bytes(&p->batch.whole));
	for (size_t i = 0; i < DEVICES; i++)
		posted(p, buf_bytes(&p->batch.orders[i]));
}

static void post_receipt(struct plant *p, size_t i, const char *outcome, const char *check)
{
	_cleanup_(buf_done) struct buf receipt = { 0 };

	orders_receipt(&receipt, &p->w.fleet, p->devices[i], &p->batch, i, outcome, check);
	posted(p, buf_bytes(&receipt));
}

static int post_control(struct plant *p, const char *action, const char *reason)
{
	_cleanup_(buf_done) struct buf control = { 0 };
	struct error err;

	orders_control(&control, &p->w.fleet, &p->batch, action, "alice", &p->w.fleet.operator, reason);
	return post(p, buf_bytes(&control), &err);
}

/* Everything that the index says of a batch, as text. */
static int add_row(void *ctx, const struct repo_order *o)
{
	buf_addf(ctx, "%u %s %s %llu wave %u '%s' '%s' '%s' receipt %llu at %lld settled %d\n", o->index, o->device, o->name,
		 (unsigned long long)o->number, o->wave, o->outcome, o->check, o->note, (unsigned long long)o->receipt,
		 (long long)o->time_s, o->is_settled);
	return 0;
}

static void describe(struct buf *out, struct plant *p, bool with_times)
{
	struct repo_batch counts;
	struct error err = { 0 };

	CHECK_OK(repo_batch(&counts, out, out, p->w.repo, p->batch.id, &err));
	buf_addf(out, "orders %u\n", counts.orders);
	for (size_t i = 0; i < counts.wave_count; i++) {
		const struct repo_wave *v = &counts.waves[i];

		buf_addf(out, "wave to %u: %u orders, %u answered, %u settled, %u done, %u failed, %u placed at %lld\n", v->end, v->orders,
			 v->answered, v->settled, v->done, v->failed, v->placed, with_times ? (long long)v->settled_s : 0);
	}
	CHECK_OK(repo_orders(p->w.repo, p->batch.id, 0, DEVICES, add_row, out, &err));
	for (size_t i = 0; i < DEVICES; i++) {
		struct repo_device device;

		CHECK_OK(repo_device_get(&device, p->w.repo, p->devices[i]->id, &err));
		buf_addf(out, "%s head %llu order %llu\n", device.id, (unsigned long long)device.head_number,
			 (unsigned long long)device.order);
	}
	CHECK_OK(repo_batch_receipts(out, p->w.repo, p->batch.id, &err));
}

TEST(a_batch_its_orders_decisions_and_receipts_lie_where_the_format_says_and_stock_git_and_an_audit_accept_them)
{
	_cleanup_(mem_freep) char *paths = NULL;
	struct error err = { 0 };
	struct plant p;

	plant_init(&p);
	post_batch(&p, &(struct orders_plan){ 0 });
	CHECK_EQ(post_control(&p, "approve", NULL), 0);
	post_receipt(&p, 0, "done", NULL);
	post_receipt(&p, 1, "refused", "held");
	CHECK_EQ(world_post(&p.w, make_snapshot), 0); /* the chain goes on behind a receipt, and in the same epoch */
	CHECK_OK(repo_flush(p.w.repo, &err));
	check_shell(p.w.dir, "git -C archive.git fsck --strict --no-dangling");
	paths = mem_printf(
		"set -- $(git -C archive.git ls-tree -r --name-only main | grep -e ^batches/ -e /receipts/ | sort) && test $# = 8"
		" && test $1 = batches/%s/batch && test -n \"$(echo $2 | grep -E '^batches/%s/control/[0-9a-f]{16}$')\""
		" && test $7 = devices/$(echo %s | cut -c1-2)/$(echo %s | cut -c3-4)/%s/receipts/000000000003 -o"
		" $8 = devices/$(echo %s | cut -c1-2)/$(echo %s | cut -c3-4)/%s/receipts/000000000003",
		p.batch.id, p.batch.id, p.devices[0]->id, p.devices[0]->id, p.devices[0]->id, p.devices[0]->id, p.devices[0]->id,
		p.devices[0]->id);
	check_shell(p.w.dir, paths);
	for (size_t i = 0; i < DEVICES; i++) {
		_cleanup_(mem_freep) char *path = mem_printf("git -C archive.git cat-file -e main:batches/%s/orders/%.2s/%s", p.batch.id,
							     p.devices[i]->id, p.devices[i]->id);

		check_shell(p.w.dir, path);
	}
	check_shell(p.w.dir, "! git -C archive.git rev-list --objects main | grep -q payload");
	check_audit(&p.w);
	check_log(&p.w, p.w.device.number);
	plant_done(&p);
}

TEST(what_is_posted_again_is_seen)
{
	_cleanup_(buf_done) struct buf control = { 0 }, receipt = { 0 };
	struct error err;
	struct plant p;

	plant_init(&p);
	post_batch(&p, &(struct orders_plan){ 0 });
	orders_control(&control, &p.w.fleet, &p.batch, "approve", "alice", &p.w.fleet.operator, NULL);
	orders_receipt(&receipt, &p.w.fleet, p.devices[0], &p.batch, 0, "done", NULL);
	posted(&p, buf_bytes(&control));
	posted(&p, buf_bytes(&receipt));
	CHECK_EQ(post(&p, buf_bytes(&p.batch.whole), &err), REPO_SEEN);
	CHECK_EQ(post(&p, buf_bytes(&p.batch.orders[1]), &err), REPO_SEEN);
	CHECK_EQ(post(&p, buf_bytes(&control), &err), REPO_SEEN);
	CHECK_EQ(post(&p, buf_bytes(&receipt), &err), REPO_SEEN);
	plant_done(&p);
}

TEST(what_does_not_belong_is_refused_by_its_reason)
{
	_cleanup_(buf_done) struct buf swapped = { 0 }, control = { 0 }, mine = { 0 };
	struct orders_batch first = { 0 };
	struct fleet_device outsider = { 0 };
	struct sign_key stranger;
	struct error err = { 0 };
	struct plant p;

	plant_init(&p);
	sign_key_new(&stranger);
	make_batch(&p, &(struct orders_plan){ .key = &stranger });
	refused(&p, buf_bytes(&p.batch.whole), "signed by a stranger");
	make_batch(&p, &(struct orders_plan){ .person = "bob" });
	refused(&p, buf_bytes(&p.batch.whole), "says it is by 'bob'");
	make_batch(&p, &(struct orders_plan){ .kind = "polish" });
	refused(&p, buf_bytes(&p.batch.whole), "unknown kind");
	make_batch(&p, &(struct orders_plan){ 0 });
	refused(&p, buf_bytes(&p.batch.orders[0]), "post the batch first");
	orders_control(&control, &p.w.fleet, &p.batch, "approve", "alice", &p.w.fleet.operator, NULL);
	refused(&p, buf_bytes(&control), "post the batch first");

	/* a leaf of one batch with the proof of another */
	orders_batch_make(&first, &p.w.fleet, p.devices, DEVICES, &(struct orders_plan){ .kind = "snapshot" });
	make_batch(&p, &(struct orders_plan){ .kind = "snapshot" });
	posted(&p, buf_bytes(&p.batch.whole));
	posted(&p, buf_bytes(&first.whole));
	buf_add_bytes(&swapped, buf_bytes(&p.batch.texts[0]));
	buf_add_bytes(&swapped, bytes_from(buf_bytes(&first.orders[0]), first.texts[0].len));
	refused(&p, buf_bytes(&swapped), "no leaf of the batch");
	buf_truncate(&swapped, p.batch.texts[0].len);
	refused(&p, buf_bytes(&swapped), "has no proof");
	make_batch(&p, &(struct orders_plan){ .waves = (const uint32_t[]){ 1, 9 }, .wave_count = 2 });
	refused(&p, buf_bytes(&p.batch.whole), "last wave of the batch ends at 9 of 4");
	make_batch(&p, &(struct orders_plan){ 0 });
	posted(&p, buf_bytes(&p.batch.whole));
	buf_truncate(&swapped, 0);
	buf_add(&swapped, p.batch.orders[0].ptr, p.batch.orders[0].len - 1);
	buf_add_char(&swapped, 'x');
	refused(&p, buf_bytes(&swapped), "seal 'payload' is not the one");

	/* somebody who is enrolled and not admitted */
	join(&p, &outsider, "x9", false);
	orders_batch_done(&first);
	orders_batch_make(&first, &p.w.fleet, (struct fleet_device *[]){ &outsider, p.devices[1] }, 2,
			  &(struct orders_plan){ .number = 7 });
	posted(&p, buf_bytes(&first.whole));
	refused(&p, buf_bytes(&first.orders[0]), "not admitted here");

	/* numbers rise */
	posted(&p, buf_bytes(&first.orders[1]));
	refused(&p, buf_bytes(&p.batch.orders[1]), "order 1 of device");
	posted(&p, buf_bytes(&p.batch.orders[2]));

	/* decisions */
	buf_truncate(&control, 0);
	orders_control(&control, &p.w.fleet, &p.batch, "approve", "alice", &stranger, NULL);
	refused(&p, buf_bytes(&control), "signed by a stranger");
	buf_truncate(&control, 0);
	orders_control(&control, &p.w.fleet, &p.batch, "praise", "alice", &p.w.fleet.operator, NULL);
	refused(&p, buf_bytes(&control), "unknown action");
	CHECK_EQ(post_control(&p, "abort", NULL), 0);
	orders_control(&mine, &p.w.fleet, &p.batch, "resume", "alice", &p.w.fleet.operator, NULL);
	refused(&p, buf_bytes(&mine), "aborted");

	CHECK_OK(repo_flush(p.w.repo, &err));
	check_audit(&p.w);
	orders_batch_done(&first);
	fleet_device_done(&outsider);
	sign_key_done(&stranger);
	plant_done(&p);
}

TEST(a_batch_that_names_a_root_that_is_not_in_force_is_refused_and_one_of_an_older_root_is_not)
{
	_cleanup_(buf_done) struct buf late = { 0 };
	struct statement *st = NULL;
	struct error err = { 0 };
	struct plant p;
	char *text;

	plant_init(&p);
	make_batch(&p, &(struct orders_plan){ 0 });
	CHECK_OK(statement_parse(&st, buf_bytes(&p.batch.whole), false, NULL, &err));
	text = mem_strndup((const char *)statement_text(st).ptr, statement_text(st).len);
	strstr(text, "\nroot: 1\n")[7] = '2';
	buf_add_str(&late, text);
	CHECK_OK(statement_sign(&late, &p.w.fleet.operator, &err));
	refused(&p, buf_bytes(&late), "names root 2, and 1 is in force");
	fleet_next_root(&p.w.fleet);
	posted(&p, buf_bytes(&p.w.fleet.root));
	posted(&p, buf_bytes(&late));
	posted(&p, buf_bytes(&p.batch.whole));
	CHECK_OK(repo_flush(p.w.repo, &err));
	check_audit(&p.w);
	statement_free(st);
	free(text);
	plant_done(&p);
}

TEST(receipts_are_counted_by_wave_and_the_first_last_one_of_an_order_counts)
{
	static const uint32_t waves[] = { 1, 4 };
	struct repo_batch counts;
	struct error err = { 0 };
	struct plant p;

	plant_init(&p);
	post_batch(&p, &(struct orders_plan){ .waves = waves, .wave_count = 2 });
	post_receipt(&p, 0, "healthy", NULL);
	CHECK_OK(repo_batch(&counts, NULL, NULL, p.w.repo, p.batch.id, &err));
	CHECK_EQ(counts.waves[0].answered, 1);
	CHECK_EQ(counts.waves[0].settled, 0);
	post_receipt(&p, 0, "done", NULL);
	post_receipt(&p, 0, "failed", NULL); /* too late to matter */
	post_receipt(&p, 1, "refused", "base");
	post_receipt(&p, 2, "superseded", NULL);
	CHECK_OK(repo_flush(p.w.repo, &err));
	CHECK_OK(repo_batch(&counts, NULL, NULL, p.w.repo, p.batch.id, &err));
	CHECK_EQ(counts.orders, 4);
	CHECK_EQ(counts.wave_count, 2);
	CHECK_EQ(counts.waves[0].answered, 1);
	CHECK_EQ(counts.waves[0].settled, 1);
	CHECK_EQ(counts.waves[0].done, 1);
	CHECK_EQ(counts.waves[0].failed, 0);
	CHECK_EQ(counts.waves[0].placed, 1);
	CHECK(counts.waves[0].settled_s >= clock_now_s() - 60 && counts.waves[0].settled_s <= clock_now_s());
	CHECK_EQ(counts.waves[1].end, 4);
	CHECK_EQ(counts.waves[1].answered, 2);
	CHECK_EQ(counts.waves[1].settled, 2);
	CHECK_EQ(counts.waves[1].done, 0);
	CHECK_EQ(counts.waves[1].failed, 1);
	plant_done(&p);
}

TEST(a_new_index_says_the_same_of_batches_as_the_old_one)
{
	static const uint32_t waves[] = { 2, 4 };
	_cleanup_(buf_done) struct buf before = { 0 }, after = { 0 };
	struct error err = { 0 };
	struct plant p;

	plant_init(&p);
	post_batch(&p, &(struct orders_plan){ .waves = waves, .wave_count = 2, .is_grouped = true });
	CHECK_EQ(post_control(&p, "pause", "lunch"), 0);
	CHECK_EQ(post_control(&p, "resume", "coffee"), 0);
	post_receipt(&p, 0, "done", NULL);
	post_receipt(&p, 1, "healthy", NULL);
	post_receipt(&p, 3, "returned", NULL);
	CHECK_OK(repo_flush(p.w.repo, &err));
	describe(&before, &p, true);
	p.w.repo = repo_close(p.w.repo);
	CHECK_OK(repo_reindex(p.w.dir, &p.w.fleet.archive, &err));
	CHECK_OK(repo_open(&p.w.repo, p.w.dir, &p.w.fleet.archive, 0, &err));
	describe(&after, &p, true);
	CHECK_STR(buf_text(&before), buf_text(&after));
	/* and goes on from there */
	post_receipt(&p, 2, "done", NULL);
	post_receipt(&p, 1, "done", NULL);
	CHECK_OK(repo_flush(p.w.repo, &err));
	check_audit(&p.w);
	plant_done(&p);
}

TEST(a_receipt_that_came_before_its_order_counts_once_the_order_is_there)
{
	_cleanup_(buf_done) struct buf before = { 0 }, after = { 0 };
	struct error err = { 0 };
	struct plant p;

	plant_init(&p);
	make_batch(&p, &(struct orders_plan){ 0 });
	post_receipt(&p, 0, "done", NULL); /* as in an archive that was set back to before the batch */
	post_receipt(&p, 1, "healthy", NULL);
	CHECK_OK(repo_flush(p.w.repo, &err));
	post_receipt(&p, 1, "returned", NULL);
	posted(&p, buf_bytes(&p.batch.whole));
	for (size_t i = 0; i < DEVICES; i++)
		posted(&p, buf_bytes(&p.batch.orders[i]));
	CHECK_OK(repo_flush(p.w.repo, &err));
	describe(&before, &p, true);
	CHECK(strstr(buf_text(&before), "2 answered, 2 settled, 1 done, 1 failed, 2 placed"));
	p.w.repo = repo_close(p.w.repo);
	CHECK_OK(repo_reindex(p.w.dir, &p.w.fleet.archive, &err));
	CHECK_OK(repo_open(&p.w.repo, p.w.dir, &p.w.fleet.archive, 0, &err));
	describe(&after, &p, true);
	CHECK_STR(buf_text(&before), buf_text(&after));
	check_audit(&p.w);
	plant_done(&p);
}

TEST(decisions_that_come_in_one_second_keep_their_order_in_the_log)
{
	static const char *const actions[] = { "approve", "withdraw", "reject", "approve", "pause", "resume", "withdraw", "approve" };
	_cleanup_(buf_done) struct buf before = { 0 }, after = { 0 };
	struct error err = { 0 };
	struct bytes rest;
	size_t used = 0, n = 0;
	struct plant p;

	plant_init(&p);
	post_batch(&p, &(struct orders_plan){ 0 });
	CHECK_OK(repo_flush(p.w.repo, &err));
	for (size_t i = 0; i < ARRAY_SIZE(actions); i++) {
		char reason[16];

		snprintf(reason, sizeof(reason), "%zu", i);
		CHECK_EQ(post_control(&p, actions[i], reason), 0);
	}
	CHECK_OK(repo_batch(NULL, NULL, &before, p.w.repo, p.batch.id, &err));
	p.w.repo = repo_close(p.w.repo);
	CHECK_OK(repo_reindex(p.w.dir, &p.w.fleet.archive, &err));
	CHECK_OK(repo_open(&p.w.repo, p.w.dir, &p.w.fleet.archive, 0, &err));
	CHECK_OK(repo_batch(NULL, NULL, &after, p.w.repo, p.batch.id, &err));
	CHECK_STR(buf_text(&before), buf_text(&after));
	for (rest = buf_bytes(&after); rest.len; rest = bytes_from(rest, used)) {
		struct statement *st = NULL;

		CHECK_OK(statement_parse(&st, rest, false, &used, &err));
		CHECK_STR(statement_get(st, "action"), actions[n++]);
		statement_free(st);
	}
	CHECK_EQ(n, ARRAY_SIZE(actions));
	plant_done(&p);
}

/* ---- payloads ---- */

static char *payload_path(const struct plant *p, size_t i)
{
	return mem_printf("%s/payloads/%s/%s.age", p->w.dir, p->batch.id, p->devices[i]->id);
}

static int get_order(struct plant *p, size_t i)
{
	_cleanup_(buf_done) struct buf out = { 0 };
	struct error err = { 0 };
	int r = repo_order(&out, p->w.repo, p->batch.id, p->devices[i]->id, true, &err);

	if (r == 0)
		CHECK(bytes_equal(buf_bytes(&out), buf_bytes(&p->batch.orders[i])));
	else
		CHECK_EQ(out.len, 0);
	return r;
}

TEST(an_order_is_given_back_with_its_payload_until_that_is_destroyed)
{
	_cleanup_(buf_done) struct buf text = { 0 }, changed = { 0 };
	_cleanup_(mem_freep) char *first = NULL, *second = NULL;
	struct error err = { 0 };
	struct stat st;
	size_t count;
	struct plant p;

	plant_init(&p);
	post_batch(&p, &(struct orders_plan){ 0 });
	first = payload_path(&p, 0);
	second = payload_path(&p, 1);
	CHECK_EQ(stat(first, &st), 0);
	CHECK_EQ(st.st_mode & 07777, 0600);
	for (size_t i = 0; i < DEVICES; i++)
		CHECK_EQ(get_order(&p, i), 0);
	CHECK_OK(repo_payloads_destroy(&count, p.w.repo, p.batch.id, p.devices[0]->id, &err));
	CHECK_EQ(count, 1);
	CHECK(access(first, F_OK) < 0);
	CHECK_EQ(get_order(&p, 0), REPO_ABSENT);
	CHECK_EQ(get_order(&p, 1), 0);
	CHECK_OK(repo_order(&text, p.w.repo, p.batch.id, p.devices[0]->id, false, &err)); /* what was ordered stays */
	CHECK(text.len > p.batch.texts[0].len);
	/* another one in its place is as good as none */
	buf_add_str(&changed, "age-encryption.org/v1\n");
	CHECK_OK(fs_write(second, buf_bytes(&changed), 0600, &err));
	CHECK_EQ(get_order(&p, 1), REPO_ABSENT);
	CHECK_OK(repo_payloads_destroy(&count, p.w.repo, NULL, NULL, &err));
	CHECK_EQ(count, DEVICES - 1);
	CHECK_EQ(get_order(&p, 2), REPO_ABSENT);
	CHECK_EQ(repo_order(&text, p.w.repo, p.batch.id, "aaaaaaaaaaaaaaaaaaaaaaaaaa", false, &err), REPO_ABSENT);
	plant_done(&p);
}

TEST(payloads_are_destroyed_when_their_order_has_ended_and_texts_are_left_to_git)
{
	_cleanup_(buf_done) struct buf before = { 0 }, after = { 0 };
	struct error err = { 0 };
	size_t count;
	struct plant p;

	plant_init(&p);
	post_batch(&p, &(struct orders_plan){ .expires_s = clock_now_s() + 5000 });
	post_receipt(&p, 0, "done", NULL);
	post_receipt(&p, 1, "healthy", NULL);
	CHECK_OK(repo_payloads_expire(&count, p.w.repo, clock_now_s() - 3600, &err));
	CHECK_EQ(count, 0);
	describe(&before, &p, true);
	CHECK_OK(repo_payloads_expire(&count, p.w.repo, clock_now_s() + 3600, &err)); /* in an hour: one is settled */
	CHECK_EQ(count, 1);
	CHECK_EQ(get_order(&p, 0), REPO_ABSENT);
	for (size_t i = 1; i < DEVICES; i++)
		CHECK_EQ(get_order(&p, i), 0);
	CHECK_OK(repo_payloads_expire(&count, p.w.repo, clock_now_s() + 6000, &err)); /* and all have expired */
	CHECK_EQ(count, DEVICES - 1);
	CHECK_EQ(get_order(&p, 1), REPO_ABSENT);
	describe(&after, &p, true);
	CHECK_STR(buf_text(&before), buf_text(&after)); /* receipts come from git now */
	plant_done(&p);
}

static const char *policy_of(struct plant *p, size_t i, bool is_done)
{
	static struct repo_order order;
	struct error err;
	int r = repo_policy(&order, p->w.repo, p->devices[i]->id, is_done, &err);

	CHECK(r >= 0);
	return r == 0 ? order.batch : "-";
}

static void expire_all(struct plant *p)
{
	struct error err;
	size_t ignored;

	CHECK_OK(repo_payloads_expire(&ignored, p->w.repo, clock_now_s() + 90 * 86400, &err));
}

TEST(the_newest_policies_of_a_device_and_those_in_force_are_kept_until_it_leaves)
{
	struct orders_batch first = { 0 };
	struct plant p;

	plant_init(&p);
	CHECK_STR(policy_of(&p, 0, false), "-");
	post_batch(&p, &(struct orders_plan){ .kind = "policy", .number = 1 });
	post_receipt(&p, 0, "done", NULL);
	post_receipt(&p, 1, "done", NULL);
	first = p.batch;
	p.batch = (struct orders_batch){ 0 };
	post_batch(&p, &(struct orders_plan){ .kind = "policy", .number = 2 });
	post_receipt(&p, 0, "refused", "policy");
	post_receipt(&p, 1, "done", NULL);
	CHECK_STR(policy_of(&p, 0, false), p.batch.id);
	CHECK_STR(policy_of(&p, 0, true), first.id); /* what was refused changed nothing */
	CHECK_STR(policy_of(&p, 1, true), p.batch.id);
	CHECK_STR(policy_of(&p, 2, true), "-");
	expire_all(&p);
	for (size_t i = 0; i < 3; i++)
		CHECK_EQ(get_order(&p, i), 0);
	/* one whose key is gone needs no policies */
	{
		struct orders_batch erase = { 0 };
		_cleanup_(buf_done) struct buf receipt = { 0 };

		orders_batch_make(&erase, &p.w.fleet, p.devices, DEVICES, &(struct orders_plan){ .kind = "purge", .number = 3 });
		posted(&p, buf_bytes(&erase.whole));
		posted(&p, buf_bytes(&erase.orders[2]));
		orders_receipt(&receipt, &p.w.fleet, p.devices[2], &erase, 2, "done", NULL);
		posted(&p, buf_bytes(&receipt));
		orders_batch_done(&erase);
	}
	expire_all(&p);
	CHECK_EQ(get_order(&p, 2), REPO_ABSENT);
	CHECK_EQ(get_order(&p, 0), 0);
	orders_batch_done(&p.batch);
	p.batch = first;
	CHECK_EQ(get_order(&p, 0), 0); /* still in force */
	CHECK_EQ(get_order(&p, 1), REPO_ABSENT);
	plant_done(&p);
}

TEST(who_posts_an_order_again_brings_back_a_payload_that_was_lost_but_not_one_that_is_not_needed_any_more)
{
	_cleanup_(mem_freep) char *path = NULL, *settled = NULL;
	struct error err;
	struct plant p;

	plant_init(&p);
	post_batch(&p, &(struct orders_plan){ 0 });
	path = payload_path(&p, 0);
	settled = payload_path(&p, 1);
	post_receipt(&p, 1, "done", NULL);
	CHECK_EQ(unlink(path), 0);
	CHECK_EQ(unlink(settled), 0);
	CHECK_EQ(post(&p, buf_bytes(&p.batch.orders[0]), &err), REPO_SEEN);
	CHECK_EQ(post(&p, buf_bytes(&p.batch.orders[1]), &err), REPO_SEEN);
	CHECK_EQ(get_order(&p, 0), 0);
	CHECK_EQ(get_order(&p, 1), REPO_ABSENT);
	plant_done(&p);
}

/* From the journal thread: everything is acknowledged, and nothing can have been packed yet. */
static void die_at_the_last(void *ctx, const struct repo_outcome *outcome)
{
	size_t *left = ctx;

	if (outcome->result != 0)
		_exit(2);
	if (!--*left)
		_exit(0);
}

/* A child takes the batch and its orders, and ends without closing anything as soon as the last of them is acknowledged. */
static void post_and_die(struct plant *p)
{
	int status = 0;
	pid_t pid;

	p->w.repo = repo_close(p->w.repo);
	pid = fork();
	if (!pid) {
		struct bytes list[1 + DEVICES] = { buf_bytes(&p->batch.whole) };
		size_t left = ARRAY_SIZE(list);
		struct error err = { 0 };

		for (size_t i = 0; i < DEVICES; i++)
			list[1 + i] = buf_bytes(&p->batch.orders[i]);
		if (repo_open(&p->w.repo, p->w.dir, &p->w.fleet.archive, 0, &err) < 0 ||
		    repo_submit_list(p->w.repo, list, left, die_at_the_last, &left, &err) != 0)
			_exit(1);
		for (;;)
			pause();
	}
	waitpid(pid, &status, 0);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

TEST(an_acknowledged_order_has_its_payload_after_a_stop_though_its_file_was_not_on_disk_yet)
{
	struct error err = { 0 };
	struct plant p;

	plant_init(&p);
	make_batch(&p, &(struct orders_plan){ 0 });
	post_and_die(&p);
	for (size_t i = 0; i < DEVICES; i++) { /* what a power cut leaves of a file that was not synced */
		_cleanup_(mem_freep) char *path = payload_path(&p, i);

		if (i % 2)
			CHECK_EQ(truncate(path, 0), 0);
		else
			CHECK(unlink(path) == 0);
	}
	CHECK_OK(repo_open(&p.w.repo, p.w.dir, &p.w.fleet.archive, 0, &err));
	for (size_t i = 0; i < DEVICES; i++)
		CHECK_EQ(get_order(&p, i), 0);
	CHECK_OK(repo_flush(p.w.repo, &err));
	check_audit(&p.w);
	plant_done(&p);
}

/* ---- what an audit finds ---- */

struct findings {
	char text[4000];
};

static void note(void *ctx, const char *kind, const char *where, const char *text)
{
	struct findings *f = ctx;
	size_t len = strlen(f->text);

	snprintf(f->text + len, sizeof(f->text) - len, "%s: %s: %s\n", kind, where, text);
}

static struct findings audit(struct plant *p)
{
	_cleanup_(mem_freep) char *git = mem_printf("%s/archive.git", p->w.dir);
	struct findings f = { 0 };
	struct repo_audit out;
	struct error err = { 0 };

	CHECK_OK(repo_audit(&out, git, p->w.fleet.id, NULL, note, &f, NULL, &err));
	return f;
}

static void finds(struct plant *p, const char *kind, const char *where, const char *text)
{
	_cleanup_(mem_freep) char *line = mem_printf("%s: ", kind);
	struct findings f = audit(p);
	const char *at = f.text;

	while ((at = strstr(at, line))) {
		_cleanup_(mem_freep) char *one = mem_strndup(at, strcspn(at, "\n"));

		if (strstr(one, where) && strstr(one, text))
			return;
		at++;
	}
	fail_msg("no '%s' of '%s' with '%s' in:\n%s", kind, where, text, f.text);
}

/* Somebody with access to the folder commits what a command changes in a clone, and takes it back after the audit. */
static void forge(struct plant *p, const char *command, const char *kind, const char *where, const char *text)
{
	_cleanup_(mem_freep) char *line = mem_printf(
		"rm -rf work && git clone -q archive.git work && cd work && B=%s D=%s && O=batches/$B/orders/$(echo $D | cut -c1-2)/$D"
		" && R=$(git ls-files | grep '/receipts/' | head -n 1) && %s && git add -A && git -c user.name=x -c user.email=x@localhost "
		"commit -qm x"
		" && git push -q origin HEAD:main",
		p->batch.id, p->devices[0]->id, command);

	check_shell(p->w.dir, line);
	finds(p, kind, where, text);
	check_shell(p->w.dir, "git -C archive.git update-ref refs/heads/main main~1");
}

TEST(an_audit_finds_forged_orders_and_receipts_and_files_that_nobody_knows)
{
	_cleanup_(buf_done) struct buf stray = { 0 };
	struct orders_batch unknown = { 0 };
	struct error err = { 0 };
	struct plant p;

	plant_init(&p);
	post_batch(&p, &(struct orders_plan){ 0 });
	CHECK_EQ(post_control(&p, "approve", NULL), 0);
	post_receipt(&p, 0, "done", NULL);
	CHECK_OK(repo_flush(p.w.repo, &err));
	p.w.repo = repo_close(p.w.repo);
	check_audit(&p.w);
	forge(&p, "sed -i 's/^mode: lines/mode: whole/' $O", "order", "/orders/", "no leaf of the batch");
	forge(&p, "sed -i 's/^mode: lines/mode: whole/' $O", "layout", "/orders/", "written once");
	forge(&p, "cp $O $(dirname $O)/aaaaaaaaaaaaaaaaaaaaaaaaaa", "order", "/orders/", "another order with index 0");
	forge(&p, "cp $O $(dirname $O)/aaaaaaaaaaaaaaaaaaaaaaaaaa", "layout", "/orders/", "whose place is elsewhere");
	forge(&p, "sed -i 's/^outcome: done/outcome: failed/' $R", "statement-signature", "/receipts/", "signature");
	forge(&p, "git mv $R $(dirname $R)/000000000009", "layout", "/receipts/", "removed");
	forge(&p, "cp $R $(dirname $R)/000000000009", "chain", "/receipts/", "does not follow");
	forge(&p, "cp $R $(dirname $R)/000000000009", "receipt", "/receipts/", "last word");
	forge(&p, "sed -i 's/^action: approve/action: abort/' batches/$B/control/*", "statement-signature", "/control/", "signature");
	forge(&p, "sed -i 's/^count: 4/count: 5/' batches/$B/batch", "layout", "/batch", "whose place is elsewhere");
	forge(&p, "echo secret >batches/$B/notes", "layout", "/notes", "has a place here");
	forge(&p, "echo secret >batches/$B/orders/x", "layout", "/orders/x", "has a place here");
	forge(&p, "git rm -q $O", "layout", "/orders/", "removed");
	check_audit(&p.w);

	/* a device tells that it was given an order that nobody knows: its chain goes on, and somebody must look */
	CHECK_OK(repo_open(&p.w.repo, p.w.dir, &p.w.fleet.archive, 0, &err));
	orders_batch_make(&unknown, &p.w.fleet, p.devices, DEVICES, &(struct orders_plan){ .number = 9 });
	orders_receipt(&stray, &p.w.fleet, p.devices[0], &unknown, 0, "refused", "signer");
	posted(&p, buf_bytes(&stray));
	CHECK_EQ(world_post(&p.w, make_snapshot), 0);
	CHECK_OK(repo_flush(p.w.repo, &err));
	finds(&p, "stray", "/receipts/", "not in this archive");
	orders_batch_done(&unknown);
	plant_done(&p);
}
