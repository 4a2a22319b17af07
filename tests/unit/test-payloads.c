/* tests/unit/test-payloads.c -- what an order brings is given back until it is destroyed, and is there after a stop when the order is. */
#include "tests/test.h"
#include "tests/unit/planted.h"

#include "base/clock.h"
#include "base/fs.h"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

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
