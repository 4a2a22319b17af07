/* tests/unit/test-batches.c -- the archive's half of orders: what is taken, what is refused and why, and that nothing but the statements
 * decides what a batch has come to. */
#include "tests/test.h"
#include "tests/unit/planted.h"

#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

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
