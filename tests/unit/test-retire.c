/* tests/unit/test-retire.c -- what the archive takes about a device that leaves, when its key counts no more, and what an audit says. */
#include "tests/orders.h"
#include "tests/unit/archive.h"

#include "tests/test.h"
#include "tests/unit/disk.h"

#include "base/clock.h"

struct plant {
	struct world w;
	struct orders_batch reset, shred, other;
};

static void post(struct plant *p, const struct buf *container)
{
	struct error err = { 0 };

	CHECK_OK(repo_submit_wait(p->w.repo, buf_bytes(container), &err));
}

static void post_batch(struct plant *p, struct orders_batch *batch, const char *kind, uint64_t number)
{
	struct fleet_device *devices[] = { &p->w.device };

	orders_batch_make(batch, &p->w.fleet, devices, 1, &(struct orders_plan){ .kind = kind, .number = number });
	post(p, &batch->whole);
	post(p, &batch->orders[0]);
}

/* An order to reset it, one to shred it, and one that is neither; a snapshot, so that there is something. */
static void plant_init(struct plant *p)
{
	*p = (struct plant){ 0 };
	disk_ok();
	world_init(&p->w);
	CHECK_EQ(world_post(&p->w, make_snapshot), 0);
	post_batch(p, &p->reset, "factory-reset", 1);
	post_batch(p, &p->other, "save", 2);
	post_batch(p, &p->shred, "shred", 3);
}

static void plant_done(struct plant *p)
{
	orders_batch_done(&p->reset);
	orders_batch_done(&p->other);
	orders_batch_done(&p->shred);
	world_done(&p->w);
}

static int answer(struct plant *p, const struct orders_batch *batch, const char *outcome)
{
	_cleanup_(buf_done) struct buf receipt = { 0 };
	struct error err = { 0 };

	orders_receipt(&receipt, &p->w.fleet, &p->w.device, batch, 0, outcome, NULL);
	return repo_submit_wait(p->w.repo, buf_bytes(&receipt), &err);
}

/* ---- statements about shredding ---- */

static void word_of(struct buf *out, const struct plant *p, const struct orders_batch *batch, const char *by, const char *note)
{
	struct error err = { 0 };
	uint8_t leaf[HASH_LEN];

	sha256(leaf, buf_bytes(&batch->texts[0]));
	buf_truncate(out, 0);
	statement_begin(out, STATEMENT_SHREDDED);
	statement_add(out, "fleet", "%s", p->w.fleet.id);
	statement_add(out, "device", "%s", p->w.device.id);
	statement_add(out, "by", "%s", by);
	statement_add_time(out, "time", clock_now_s());
	statement_add(out, "root", "1");
	statement_add_hash(out, "batch", batch->hash);
	statement_add_hash(out, "leaf", leaf);
	if (note)
		statement_add(out, "note", "%s", note);
	CHECK_OK(statement_sign(out, !strcmp(by, "archive") ? &p->w.fleet.archive : &p->w.fleet.operator, &err));
}

static void certificate_of(struct buf *out, const struct plant *p, const uint8_t shredded[static HASH_LEN], const char *limit)
{
	struct error err = { 0 };

	buf_truncate(out, 0);
	statement_begin(out, STATEMENT_CERTIFICATE);
	statement_add(out, "fleet", "%s", p->w.fleet.id);
	statement_add(out, "device", "%s", p->w.device.id);
	statement_add(out, "device-name", "%s", p->w.device.name);
	statement_add(out, "state", "lost");
	statement_add(out, "standard", "NIST SP 800-88 Rev. 1");
	statement_add(out, "category", "none");
	statement_add(out, "evidence", "nothing");
	statement_add_hash(out, "shred", p->shred.hash);
	statement_add_hash(out, "shredded", shredded);
	statement_add_point(out, "log", 1, shredded);
	statement_add(out, "performed", "alice");
	statement_add(out, "limit", "%s", limit);
	statement_add_time(out, "time", clock_now_s());
	statement_add(out, "root", "1");
	CHECK_OK(statement_sign(out, &p->w.fleet.operator, &err));
	CHECK_OK(statement_sign(out, &p->w.fleet.archive, &err));
}

static int submit(struct plant *p, const struct buf *container)
{
	struct error err = { 0 };

	return repo_submit_wait(p->w.repo, buf_bytes(container), &err);
}

static void hash_of(uint8_t out[static HASH_LEN], const struct buf *whole)
{
	struct statement *st = NULL;
	struct error err = { 0 };

	CHECK_OK(statement_parse(&st, buf_bytes(whole), false, NULL, &err));
	memcpy(out, statement_hash(st), HASH_LEN);
	statement_free(st);
}

TEST(each_says_once_what_they_shredded_for_an_order_that_is_there_and_nobody_before_the_archive)
{
	_cleanup_(buf_done) struct buf word = { 0 }, all = { 0 }, expected = { 0 };
	struct error err = { 0 };
	struct plant p;

	plant_init(&p);
	word_of(&word, &p, &p.shred, "alice", NULL);
	CHECK_EQ(submit(&p, &word), E_DENIED);
	word_of(&word, &p, &p.other, "archive", NULL);
	CHECK_EQ(submit(&p, &word), E_DENIED);
	word_of(&word, &p, &p.shred, "archive", NULL);
	CHECK_EQ(submit(&p, &word), 0);
	CHECK_EQ(submit(&p, &word), REPO_SEEN);
	buf_add_bytes(&expected, buf_bytes(&word));
	word_of(&word, &p, &p.shred, "archive", "again");
	CHECK_EQ(submit(&p, &word), E_DENIED);
	word_of(&word, &p, &p.other, "alice", NULL);
	CHECK_EQ(submit(&p, &word), E_DENIED);
	word_of(&word, &p, &p.shred, "alice", NULL);
	CHECK_EQ(submit(&p, &word), 0);
	CHECK_EQ(submit(&p, &word), REPO_SEEN);
	buf_add_bytes(&expected, buf_bytes(&word));
	word_of(&word, &p, &p.shred, "alice", "once more");
	CHECK_EQ(submit(&p, &word), E_DENIED);
	CHECK_OK(repo_said(&all, p.w.repo, p.w.device.id, STATEMENT_SHREDDED, &err));
	CHECK_STR(buf_text(&all), buf_text(&expected));
	CHECK_OK(repo_flush(p.w.repo, &err));
	check_shell(p.w.dir, "test $(git -C archive.git ls-tree -r --name-only main | grep -c '/shredded/[a-z]*$') = 2");
	check_audit(&p.w);
	plant_done(&p);
}

TEST(there_is_one_certificate_and_it_names_what_is_archived)
{
	_cleanup_(buf_done) struct buf word = { 0 }, certificate = { 0 }, found = { 0 };
	uint8_t hash[HASH_LEN], wrong[HASH_LEN] = { 1 };
	struct repo_device device;
	struct error err = { 0 };
	struct plant p;

	plant_init(&p);
	word_of(&word, &p, &p.shred, "archive", NULL);
	hash_of(hash, &word);
	certificate_of(&certificate, &p, hash, "none");
	CHECK_EQ(submit(&p, &certificate), E_DENIED); /* too early */
	post(&p, &word);
	certificate_of(&certificate, &p, wrong, "none");
	CHECK_EQ(submit(&p, &certificate), E_DENIED);
	CHECK_OK(repo_device_get(&device, p.w.repo, p.w.device.id, &err));
	CHECK(!device.certified);
	certificate_of(&certificate, &p, hash, "none");
	CHECK_EQ(submit(&p, &certificate), 0);
	CHECK_EQ(submit(&p, &certificate), REPO_SEEN);
	CHECK_OK(repo_said(&found, p.w.repo, p.w.device.id, STATEMENT_CERTIFICATE, &err));
	CHECK_STR(buf_text(&found), buf_text(&certificate));
	CHECK_OK(repo_device_get(&device, p.w.repo, p.w.device.id, &err));
	CHECK(device.certified);
	certificate_of(&certificate, &p, hash, "another");
	CHECK_EQ(submit(&p, &certificate), E_DENIED);
	plant_done(&p);
}

/* ---- the key ---- */

static void check_device(struct plant *p, const char *retired, unsigned misuses)
{
	struct repo_device device;
	struct error err = { 0 };

	CHECK_OK(repo_device_get(&device, p->w.repo, p->w.device.id, &err));
	CHECK_STR(device.retired, retired);
	CHECK_EQ(device.misuses, misuses);
	CHECK_EQ(device.shreds, 1);
}

static int try_order(struct plant *p, const char *kind, uint64_t number)
{
	struct fleet_device *devices[] = { &p->w.device };
	struct orders_batch batch;
	int r;

	orders_batch_make(&batch, &p->w.fleet, devices, 1, &(struct orders_plan){ .kind = kind, .number = number });
	post(p, &batch.whole);
	r = submit(p, &batch.orders[0]);
	orders_batch_done(&batch);
	return r;
}

/* Before and behind a new index. */
static void check_both(struct plant *p, const char *retired, unsigned misuses)
{
	struct error err = { 0 };

	check_device(p, retired, misuses);
	p->w.repo = repo_close(p->w.repo);
	CHECK_OK(repo_reindex(p->w.dir, &p->w.fleet.archive, &err));
	CHECK_OK(repo_open(&p->w.repo, p->w.dir, &p->w.fleet.archive, 0, &err));
	check_device(p, retired, misuses);
}

TEST(behind_the_last_word_of_an_erased_device_its_key_is_only_evidence)
{
	struct plant p;

	plant_init(&p);
	check_both(&p, "", 0);
	CHECK_EQ(answer(&p, &p.other, "done"), 0); /* of an order that erases nothing */
	CHECK_EQ(answer(&p, &p.reset, "armed"), 0); /* not the last one */
	check_both(&p, "", 0);
	CHECK_EQ(answer(&p, &p.reset, "done"), 0);
	check_both(&p, "wiped", 0);
	CHECK_EQ(world_post(&p.w, make_snapshot), REPO_FORK);
	CHECK_EQ(world_post(&p.w, make_epoch), REPO_FORK);
	check_both(&p, "wiped", 2);
	CHECK_EQ(try_order(&p, "save", 7), E_DENIED);
	CHECK_EQ(try_order(&p, "shred", 8), 0); /* that one is not for the device */
	plant_done(&p);
}

TEST(a_device_that_fails_to_erase_goes_on)
{
	struct plant p;

	plant_init(&p);
	CHECK_EQ(answer(&p, &p.reset, "failed"), 0);
	check_both(&p, "", 0);
	CHECK_EQ(world_post(&p.w, make_snapshot), 0);
	CHECK_EQ(try_order(&p, "factory-reset", 7), 0);
	check_audit(&p.w);
	plant_done(&p);
}

TEST(a_device_that_was_given_up_is_lost_once_its_archive_is_shredded)
{
	_cleanup_(buf_done) struct buf word = { 0 };
	struct repo_order order;
	struct error err = { 0 };
	struct plant p;

	plant_init(&p);
	CHECK_OK(repo_order_look(&order, p.w.repo, p.shred.id, p.w.device.id, &err));
	CHECK(!order.is_settled);
	CHECK_STR(order.kind, "shred");
	CHECK_STR(order.after, "");
	word_of(&word, &p, &p.shred, "archive", NULL);
	post(&p, &word);
	check_both(&p, "lost", 0);
	CHECK_OK(repo_order_look(&order, p.w.repo, p.shred.id, p.w.device.id, &err));
	CHECK(order.is_settled);
	CHECK_STR(order.outcome, "done");
	CHECK_EQ(world_post(&p.w, make_snapshot), REPO_FORK);
	check_both(&p, "lost", 1);
	plant_done(&p);
}

/* ---- what an audit finds ---- */

static void note(void *ctx, const char *kind, const char *where _unused_, const char *text)
{
	buf_addf(ctx, "%s: %s\n", kind, text);
}

static void audit(struct buf *out, struct plant *p)
{
	_cleanup_(mem_freep) char *git = mem_printf("%s/archive.git", p->w.dir);
	struct repo_audit result;
	struct error err = { 0 };

	buf_truncate(out, 0);
	CHECK_OK(repo_flush(p->w.repo, &err));
	CHECK_OK(repo_audit(&result, git, p->w.fleet.id, NULL, note, out, NULL, &err));
}

TEST(an_audit_finds_a_word_that_the_archive_did_not_sign_and_a_certificate_by_too_few)
{
	_cleanup_(buf_done) struct buf word = { 0 }, certificate = { 0 }, found = { 0 };
	struct error err = { 0 };
	uint8_t hash[HASH_LEN];
	struct plant p;

	plant_init(&p);
	word_of(&word, &p, &p.shred, "archive", NULL);
	hash_of(hash, &word);
	buf_truncate(&word, (size_t)(strstr(buf_text(&word), "-----BEGIN") - buf_text(&word)));
	CHECK_OK(statement_sign(&word, &p.w.fleet.operator, &err));
	post(&p, &word); /* who signs is its caller's affair */
	audit(&found, &p);
	CHECK(strstr(buf_text(&found), "statement-signature: shredded says it is by 'archive', and is signed by alice"));
	certificate_of(&certificate, &p, hash, "none");
	post(&p, &certificate);
	audit(&found, &p);
	CHECK(strstr(buf_text(&found), "certificate is signed by 2 of the 3 people that it takes")); /* alice and the archive */
	CHECK_EQ(world_post(&p.w, make_snapshot), REPO_FORK);
	audit(&found, &p);
	CHECK(strstr(buf_text(&found), "retired: the key of a retired device was used"));
	plant_done(&p);
}
