/* tests/unit/test-verdict.c -- the archive's half of policies and firmware: verdicts with their findings, and what an image is. */
#include "tests/unit/archive.h"

#include "tests/test.h"

#include "crypto/seal.h"

#include <stdio.h>

#define COUNTS "pass: 41\nfail: 2\nunknown: 1\nwaived: 3\nnot-applicable: 5\n"

static const char *says = COUNTS, *findings = "weos telnet fail\n\t12 config/system: telnet\n";

static void make_verdict(struct world *w, struct buf *out)
{
	fleet_verdict(out, &w->fleet, &w->device, says, findings);
}

/* The findings of verdict `number` as a reader opens them. */
static void check_findings(struct world *w, uint64_t number, const char *expected)
{
	_cleanup_(buf_done) struct buf full = { 0 }, text = { 0 };
	_cleanup_(container_done) struct container c = { 0 };
	struct error err = { 0 };
	size_t used;

	CHECK_OK(repo_verdict(&full, w->repo, w->device.id, number, &err));
	CHECK_OK(container_parse(&c, buf_bytes(&full), CONTAINER_FULL, &used, &err));
	CHECK_EQ(used, full.len);
	CHECK(!number || statement_number(c.st, "number") == number);
	CHECK_OK(seal_open_text(&text, &w->device.body, container_seal(&c, "findings"), (struct bytes){ 0 }, &err));
	CHECK_BYTES(buf_bytes(&text), expected);
}

TEST(every_verdict_opens_with_its_own_findings_also_from_the_past)
{
	uint64_t first;
	struct world w;

	world_init(&w);
	CHECK_EQ(world_post(&w, make_snapshot), 0);
	findings = "weos telnet fail\n";
	CHECK_EQ(world_post(&w, make_verdict), 0);
	first = w.device.number;
	check_findings(&w, 0, "weos telnet fail\n");
	CHECK_EQ(world_post(&w, make_snapshot), 0);
	findings = "weos telnet pass\n";
	CHECK_EQ(world_post(&w, make_verdict), 0);
	CHECK_EQ(world_post(&w, make_snapshot), 0);
	check_findings(&w, 0, "weos telnet pass\n");
	check_findings(&w, first, "weos telnet fail\n");
	check_log(&w, w.device.number);
	check_audit(&w);
	check_shell(w.dir, "test $(git -C archive.git ls-tree -r --name-only main | grep -c -e /verdict$ -e /findings.age$) = 2");
	world_done(&w);
}

struct list {
	size_t count;
	struct repo_verdict verdicts[8];
};

static int keep(void *ctx, const struct repo_verdict *verdict)
{
	struct list *list = ctx;

	list->verdicts[list->count++] = *verdict;
	return list->count == ARRAY_SIZE(list->verdicts);
}

static struct list verdicts(struct world *w, uint64_t below, unsigned limit)
{
	struct list list = { 0 };
	struct error err = { 0 };

	CHECK_OK(repo_verdicts(w->repo, w->device.id, below, limit, keep, &list, &err));
	return list;
}

TEST(counts_are_what_the_device_said_and_absent_is_not_zero)
{
	struct repo_device device;
	struct error err = { 0 };
	struct list list;
	struct world w;

	world_init(&w);
	CHECK_OK(repo_device_get(&device, w.repo, w.device.id, &err));
	CHECK_EQ(device.verdict.number, 0);
	CHECK_EQ(world_post(&w, make_snapshot), 0);
	says = "pass: 41\nfail: 0\n";
	CHECK_EQ(world_post(&w, make_verdict), 0);
	CHECK_OK(repo_device_get(&device, w.repo, w.device.id, &err)); /* only journaled, maybe */
	CHECK_EQ(device.verdict.number, w.device.number);
	CHECK_EQ(device.verdict.pass, 41);
	CHECK_EQ(device.verdict.fail, 0);
	CHECK_EQ(device.verdict.unknown, -1);
	CHECK_EQ(device.verdict.snapshot, w.device.snapshot_number);
	CHECK(!memcmp(device.verdict.snapshot_hash, w.device.snapshot_hash, HASH_LEN));
	CHECK(!memcmp(device.verdict.hash, w.device.head, HASH_LEN));
	CHECK_EQ(device.verdict.policy, 1);
	CHECK_EQ(device.verdict.leaf[0], 1);
	says = "";
	CHECK_EQ(world_post(&w, make_verdict), 0);
	list = verdicts(&w, 0, 8);
	CHECK_EQ(list.count, 2);
	CHECK_EQ(list.verdicts[0].pass, -1);
	CHECK_EQ(list.verdicts[1].pass, 41);
	CHECK_EQ(verdicts(&w, list.verdicts[0].number, 8).count, 1);
	CHECK_EQ(verdicts(&w, 0, 1).verdicts[0].number, w.device.number);
	CHECK_EQ(repo_verdicts(w.repo, "aaaaaaaaaaaaaaaaaaaaaaaaaa", 0, 8, keep, &list, &err), REPO_ABSENT);
	says = COUNTS;
	world_done(&w);
}

TEST(a_verdict_is_about_a_snapshot_of_its_own_chain_and_epoch)
{
	_cleanup_(buf_done) struct buf good = { 0 }, out = { 0 };
	struct fleet_device before;
	struct error err = { 0 };
	struct world w;

	world_init(&w);
	CHECK_EQ(repo_verdict(&out, w.repo, w.device.id, 0, &err), REPO_ABSENT);
	CHECK_EQ(world_post(&w, make_snapshot), 0);
	before = w.device;
	w.device.snapshot_hash[0] ^= 1;
	CHECK_EQ(world_post(&w, make_verdict), E_DENIED);
	w.device = before;
	w.device.snapshot_number--; /* the epoch */
	CHECK_EQ(world_post(&w, make_verdict), E_DENIED);
	w.device = before;
	w.device.epoch = 2;
	CHECK_EQ(world_post(&w, make_verdict), E_DENIED);
	w.device = before;
	make_verdict(&w, &good);
	CHECK_EQ(repo_submit_wait(w.repo, buf_bytes(&good), &err), 0);
	CHECK_EQ(repo_submit_wait(w.repo, buf_bytes(&good), &err), REPO_SEEN);
	memcpy(w.device.head, before.head, HASH_LEN);
	w.device.number = before.number;
	says = "";
	CHECK_EQ(world_post(&w, make_verdict), REPO_FORK);
	says = COUNTS;
	w.device.number = before.number + 5;
	CHECK_EQ(world_post(&w, make_verdict), REPO_GAP);
	CHECK_EQ(repo_verdict(&out, w.repo, w.device.id, before.number, &err), REPO_ABSENT); /* that is the snapshot */
	world_done(&w);
}

static void post_image(struct world *w, const char *version, const char *image)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	struct error err = { 0 };

	fleet_firmware(&text, &w->fleet, version, bytes_str(image));
	CHECK_OK(repo_submit_wait(w->repo, buf_bytes(&text), &err));
	CHECK_EQ(repo_submit_wait(w->repo, buf_bytes(&text), &err), REPO_SEEN);
}

static int named(struct world *w, const char *image, size_t size)
{
	char hash[2 * HASH_LEN + 1];
	struct error err = { 0 };

	sha256_hex(hash, bytes_str(image));
	return repo_firmware_named(w->repo, hash, size, &err);
}

TEST(a_rebuilt_index_knows_the_same_verdicts_and_images)
{
	_cleanup_(buf_done) struct buf firmware = { 0 }, again = { 0 };
	struct repo_device before, after;
	struct error err = { 0 };
	struct list list, relist;
	struct world w;

	world_init(&w);
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(world_post(&w, make_snapshot), 0);
		CHECK_EQ(world_post(&w, make_verdict), 0);
	}
	post_image(&w, "5.24.0", "an image");
	post_image(&w, "5.25.0", "another image");
	list = verdicts(&w, 0, 8);
	CHECK_OK(repo_device_get(&before, w.repo, w.device.id, &err));
	CHECK_OK(repo_firmware(&firmware, w.repo, 0, &err));
	w.repo = repo_close(w.repo);
	CHECK_OK(repo_reindex(w.dir, &w.fleet.archive, &err));
	CHECK_OK(repo_open(&w.repo, w.dir, &w.fleet.archive, 0, &err));
	relist = verdicts(&w, 0, 8);
	CHECK_EQ(list.count, 3);
	CHECK(!memcmp(&list, &relist, sizeof(list)));
	CHECK_OK(repo_device_get(&after, w.repo, w.device.id, &err));
	CHECK(!memcmp(&before, &after, sizeof(before)));
	CHECK_OK(repo_firmware(&again, w.repo, 0, &err));
	CHECK(bytes_equal(buf_bytes(&firmware), buf_bytes(&again)));
	check_findings(&w, 0, findings);
	CHECK_EQ(world_post(&w, make_snapshot), 0);
	CHECK_EQ(world_post(&w, make_verdict), 0);
	check_audit(&w);
	world_done(&w);
}

struct kinds {
	char text[200];
};

static void note(void *ctx, const char *kind, const char *where _unused_, const char *text _unused_)
{
	struct kinds *kinds = ctx;
	size_t len = strlen(kinds->text);

	snprintf(kinds->text + len, sizeof(kinds->text) - len, "%s ", kind);
}

TEST(an_audit_tells_a_verdict_that_says_more_than_the_root_allows)
{
	_cleanup_(mem_freep) char *git = NULL;
	struct kinds kinds = { 0 };
	struct repo_audit out;
	struct error err = { 0 };
	struct world w;

	world_init(&w);
	CHECK_EQ(world_post(&w, make_snapshot), 0);
	CHECK_EQ(world_post(&w, make_verdict), 0);
	CHECK_OK(repo_flush(w.repo, &err));
	check_audit(&w); /* counts: what a root without 'metadata' allows */
	says = COUNTS "section: weos/config-system pass=1 fail=2 unknown=0 waived=0\n";
	CHECK_EQ(world_post(&w, make_verdict), 0);
	says = COUNTS;
	CHECK_OK(repo_flush(w.repo, &err));
	git = mem_printf("%s/archive.git", w.dir);
	CHECK_OK(repo_audit(&out, git, w.fleet.id, NULL, note, &kinds, NULL, &err));
	CHECK_STR(kinds.text, "verdict ");
	world_done(&w);
}

TEST(an_image_is_what_a_deployer_of_the_root_says)
{
	_cleanup_(buf_done) struct buf forged = { 0 }, all = { 0 }, rest = { 0 };
	_cleanup_(statement_freep) struct statement *st = NULL;
	struct sign_key stranger, real;
	struct error err = { 0 };
	struct world w;

	world_init(&w);
	sign_key_new(&stranger);
	CHECK_EQ(named(&w, "an image", 8), REPO_ABSENT);
	real = w.fleet.operator;
	w.fleet.operator = stranger;
	fleet_firmware(&forged, &w.fleet, "5.24.0", bytes_str("an image"));
	w.fleet.operator = real;
	CHECK_EQ(repo_submit_wait(w.repo, buf_bytes(&forged), &err), E_DENIED);
	post_image(&w, "5.24.0", "an image");
	post_image(&w, "5.25.0", "another image");
	CHECK_EQ(named(&w, "an image", 8), 0);
	CHECK_EQ(named(&w, "an image", 9), REPO_ABSENT);
	CHECK_OK(repo_firmware(&all, w.repo, 0, &err));
	CHECK_OK(repo_firmware(&rest, w.repo, 1, &err));
	CHECK(rest.len && rest.len < all.len && !memcmp(all.ptr + all.len - rest.len, rest.ptr, rest.len));
	CHECK_OK(statement_parse(&st, buf_bytes(&rest), false, NULL, &err));
	CHECK_EQ(statement_type(st), STATEMENT_FIRMWARE);
	CHECK_OK(repo_flush(w.repo, &err));
	check_audit(&w);
	sign_key_done(&stranger);
	world_done(&w);
}
