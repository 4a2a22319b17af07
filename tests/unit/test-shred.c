/* tests/unit/test-shred.c -- what is shredded is gone and stays gone, wherever it is cut off; and nothing of others goes with it. */
#include "tests/orders.h"
#include "tests/unit/archive.h"

#include "tests/test.h"
#include "tests/unit/disk.h"

#include "base/clock.h"
#include "base/fs.h"

#include <glob.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* One more device of the world, with an order that brings something and one to shred it. */
struct doomed {
	struct fleet_device device;
	struct orders_batch apply, shred;
};

static void post(struct world *w, const struct buf *container)
{
	struct error err = { 0 };

	CHECK_OK(repo_submit_wait(w->repo, buf_bytes(container), &err));
}

static void join(struct world *w, struct fleet_device *device, const char *name)
{
	struct buf posts[6] = { 0 };
	uint8_t secret[32];

	randombytes_buf(secret, sizeof(secret));
	fleet_device_init(device, name);
	fleet_invite(&posts[0], &w->fleet, name, secret);
	fleet_enrol(&posts[1], &w->fleet, device, secret);
	fleet_admit(&posts[2], &w->fleet, device);
	fleet_epoch(&posts[3], &w->fleet, device);
	fleet_snapshot(&posts[4], &w->fleet, device, "hostname n\n", "x\n");
	fleet_epoch(&posts[5], &w->fleet, device);
	for (size_t i = 0; i < ARRAY_SIZE(posts); i++) {
		post(w, &posts[i]);
		buf_done(&posts[i]);
	}
}

static void doomed_init(struct doomed *d, struct world *w, const char *name)
{
	struct fleet_device *devices[] = { &d->device };

	*d = (struct doomed){ 0 };
	join(w, &d->device, name);
	orders_batch_make(&d->apply, &w->fleet, devices, 1, &(struct orders_plan){ 0 });
	orders_batch_make(&d->shred, &w->fleet, devices, 1, &(struct orders_plan){ .kind = "shred", .number = 2 });
	post(w, &d->apply.whole);
	post(w, &d->apply.orders[0]);
	post(w, &d->shred.whole);
	post(w, &d->shred.orders[0]);
}

static void doomed_done(struct doomed *d)
{
	orders_batch_done(&d->apply);
	orders_batch_done(&d->shred);
	fleet_device_done(&d->device);
}

/* The archive's word about it. */
static void make_word(struct buf *out, const struct world *w, const struct doomed *d)
{
	struct error err = { 0 };
	uint8_t leaf[HASH_LEN];

	sha256(leaf, buf_bytes(&d->shred.texts[0]));
	statement_begin(out, STATEMENT_SHREDDED);
	statement_add(out, "fleet", "%s", w->fleet.id);
	statement_add(out, "device", "%s", d->device.id);
	statement_add(out, "by", "archive");
	statement_add_time(out, "time", clock_now_s());
	statement_add(out, "root", "1");
	statement_add_hash(out, "batch", d->shred.hash);
	statement_add_hash(out, "leaf", leaf);
	CHECK_OK(statement_sign(out, &w->fleet.archive, &err));
}

static size_t count_files(const char *dir, const char *pattern)
{
	_cleanup_(mem_freep) char *path = mem_printf("%s/%s", dir, pattern);
	glob_t found = { 0 };
	size_t n;

	glob(path, 0, NULL, &found);
	n = found.gl_pathc;
	globfree(&found);
	return n;
}

static size_t keys_of(const struct world *w, const char *device)
{
	_cleanup_(mem_freep) char *pattern = mem_printf("keyring/%s/*", device);

	return count_files(w->dir, pattern);
}

static size_t payloads_of(const struct world *w, const char *device)
{
	_cleanup_(mem_freep) char *pattern = mem_printf("payloads/*/%s.age", device);

	return count_files(w->dir, pattern);
}

static int shred(struct repo_span *span, struct world *w, const struct doomed *d)
{
	struct error err = { 0 };
	int r = repo_shred(span, w->repo, d->device.id, d->shred.id, &err);

	if (r < 0)
		printf("%s\n", err.text);
	return r;
}

/* ---- the bytes ---- */

/* A second name for each file that matches: what is in it is seen after the first is gone. */
static void keep_names(const struct world *w, const char *pattern, const char *to)
{
	_cleanup_(mem_freep) char *line =
		mem_printf("mkdir -p '%s' && for f in %s; do ln $f '%s'/$(echo $f | tr / _); done", to, pattern, to);

	check_shell(w->dir, line);
}

TEST(keys_payloads_and_journal_are_overwritten_before_they_go)
{
	struct error err = { 0 };
	struct repo_span span;
	struct doomed d;
	struct fleet_device other;
	struct world w;
	char command[256];

	disk_ok();
	world_init(&w);
	join(&w, &other, "other");
	CHECK_OK(repo_flush(w.repo, &err));
	doomed_init(&d, &w, "doomed");
	keep_names(&w, "journal/*", "seen/journal");
	snprintf(command, sizeof(command), "keyring/%s/* payloads/*/%s.age", d.device.id, d.device.id);
	keep_names(&w, command, "seen/keys");
	check_shell(w.dir, "test $(ls seen/keys | wc -l) = 5"); /* two epochs, two keys each; one payload */
	CHECK_EQ(shred(&span, &w, &d), 0);
	CHECK_EQ(keys_of(&w, d.device.id), 0);
	CHECK_EQ(payloads_of(&w, d.device.id), 0);
	check_shell(w.dir, "for f in seen/*/*; do test -s $f && test $(tr -d '\\0' <$f | wc -c) = 0 || { echo $f; exit 1; }; done");
	CHECK_EQ(span.first_epoch, 1);
	CHECK_EQ(span.last_epoch, 2);
	CHECK_EQ(span.first_snapshot, 3);
	CHECK_EQ(span.last_snapshot, 3);
	CHECK_EQ(span.payloads, 1);
	CHECK_EQ(keys_of(&w, other.id), 4);
	CHECK_EQ(keys_of(&w, w.device.id), 2);
	fleet_device_done(&other);
	doomed_done(&d);
	world_done(&w);
}

/* ---- nothing comes back ---- */

static int try_epoch(struct world *w, struct fleet_device *device)
{
	_cleanup_(buf_done) struct buf epoch = { 0 };
	struct error err = { 0 };

	fleet_epoch(&epoch, &w->fleet, device);
	return repo_submit_wait(w->repo, buf_bytes(&epoch), &err);
}

/* Whatever is posted, nothing that opens is there afterwards. */
static void check_closed(struct world *w, struct doomed *d)
{
	_cleanup_(buf_done) struct buf found = { 0 };
	struct fleet_device *devices[] = { &d->device };
	struct orders_batch again;
	struct error err = { 0 };

	CHECK(try_epoch(w, &d->device) != 0);
	orders_batch_make(&again, &w->fleet, devices, 1, &(struct orders_plan){ .number = 3 });
	CHECK_OK(repo_submit_wait(w->repo, buf_bytes(&again.whole), &err));
	CHECK_EQ(repo_submit_wait(w->repo, buf_bytes(&again.orders[0]), &err), E_DENIED);
	CHECK_EQ(repo_submit_wait(w->repo, buf_bytes(&d->apply.orders[0]), &err), REPO_SEEN); /* an open order, its payload is not mended */
	CHECK_EQ(repo_rewrap_put(w->repo, d->device.id, 1, "body", bytes_str("age"), &err), REPO_ABSENT);
	CHECK_EQ(repo_epoch(&found, w->repo, d->device.id, 1, &err), REPO_ABSENT);
	CHECK_EQ(keys_of(w, d->device.id), 0);
	CHECK_EQ(payloads_of(w, d->device.id), 0);
	orders_batch_done(&again);
}

static int note_begun(void *ctx, const char *device, const char *batch)
{
	struct buf *out = ctx;

	buf_addf(out, "%s %s\n", device, batch);
	return 0;
}

static void check_begun(struct world *w, const char *expected)
{
	_cleanup_(buf_done) struct buf begun = { 0 };
	struct error err = { 0 };

	CHECK_OK(repo_shreds_begun(w->repo, note_begun, &begun, &err));
	CHECK_STR(buf_text(&begun), expected);
}

TEST(what_is_being_shredded_takes_no_new_keys_also_after_a_restart)
{
	_cleanup_(mem_freep) char *expected = NULL;
	_cleanup_(buf_done) struct buf word = { 0 };
	struct error err = { 0 };
	struct repo_span span, later;
	struct doomed d;
	struct world w;

	disk_ok();
	world_init(&w);
	doomed_init(&d, &w, "doomed");
	expected = mem_printf("%s %s\n", d.device.id, d.shred.id);
	check_begun(&w, "");
	CHECK_EQ(shred(&span, &w, &d), 0);
	check_closed(&w, &d);
	world_reopen(&w);
	check_begun(&w, expected);
	CHECK(try_epoch(&w, &d.device) != 0);
	CHECK_EQ(keys_of(&w, d.device.id), 0);
	CHECK_EQ(shred(&later, &w, &d), 0); /* again: it says the same, payloads that are long gone among it */
	CHECK(!memcmp(&later, &span, sizeof(span)));
	make_word(&word, &w, &d);
	CHECK_OK(repo_submit_wait(w.repo, buf_bytes(&word), &err));
	CHECK_OK(repo_shred_end(w.repo, d.device.id, &err));
	check_begun(&w, "");
	CHECK(try_epoch(&w, &d.device) != 0); /* now by the archive's own word */
	world_reopen(&w);
	CHECK(try_epoch(&w, &d.device) != 0);
	CHECK_EQ(keys_of(&w, d.device.id), 0);
	CHECK_EQ(world_post(&w, make_snapshot), 0);
	doomed_done(&d);
	world_done(&w);
}

TEST(a_shredding_counts_what_was_acknowledged_just_before)
{
	enum { MORE = 5 };
	struct repo_span span;
	struct doomed d;
	struct world w;

	disk_ok();
	world_init(&w);
	doomed_init(&d, &w, "doomed");
	for (int i = 0; i < MORE; i++) {
		_cleanup_(buf_done) struct buf c = { 0 };

		fleet_snapshot(&c, &w.fleet, &d.device, i % 2 ? "hostname n\n" : "hostname m\n", "x\n");
		post(&w, &c);
	}
	CHECK_EQ(shred(&span, &w, &d), 0);
	CHECK_EQ(span.last_snapshot, d.device.number);
	check_closed(&w, &d);
	doomed_done(&d);
	world_done(&w);
}

/* What the device posts before a step of its shredding. */
struct meanwhile {
	struct world *w;
	struct fleet_device *device;
	uint64_t number; /* of the statement */
	int result;      /* 1: nothing was posted, there are fewer steps */
};

static void post_snapshot(void *ctx)
{
	struct meanwhile *m = ctx;
	_cleanup_(buf_done) struct buf snapshot = { 0 };
	struct error err = { 0 };

	fleet_snapshot(&snapshot, &m->w->fleet, m->device, "hostname late\n", "x\n");
	m->number = m->device->number;
	m->result = repo_submit_wait(m->w->repo, buf_bytes(&snapshot), &err);
}

static void post_epoch(void *ctx)
{
	struct meanwhile *m = ctx;

	m->result = try_epoch(m->w, m->device);
}

static struct meanwhile shred_while(struct repo_span *span, struct world *w, long n, void (*meanwhile)(void *ctx))
{
	static unsigned count;
	struct doomed d;
	struct meanwhile m = { .w = w, .device = &d.device, .result = 1 };
	char name[32];

	snprintf(name, sizeof(name), "d%u", count++);
	doomed_init(&d, w, name);
	disk_call_at(n, meanwhile, &m);
	CHECK_EQ(shred(span, w, &d), 0);
	disk_ok();
	CHECK_EQ(keys_of(w, d.device.id), 0);
	CHECK_EQ(payloads_of(w, d.device.id), 0);
	doomed_done(&d);
	return m;
}

/* Who has a lost device goes on posting; no row of it is in the index when the last key goes, unless somebody asks for them. */
TEST(a_snapshot_that_comes_at_any_step_of_a_shredding_is_in_its_span)
{
	struct meanwhile m;
	struct repo_span span;
	struct world w;
	long n = 0;

	disk_ok();
	world_init(&w);
	while ((m = shred_while(&span, &w, n, post_snapshot)).result != 1) {
		CHECK_EQ(m.result, 0);
		CHECK_EQ(span.last_snapshot, m.number);
		n++;
	}
	CHECK(n > 10);
	world_done(&w);
}

TEST(an_epoch_that_comes_at_any_step_of_a_shredding_leaves_no_key)
{
	long n = 0, taken = 0;
	struct meanwhile m;
	struct repo_span span;
	struct world w;

	disk_ok();
	world_init(&w);
	while ((m = shred_while(&span, &w, n, post_epoch)).result != 1) {
		CHECK(m.result == 0 || m.result == E_DENIED);
		CHECK_EQ(span.last_epoch, m.result == 0 ? 3 : 2);
		taken += m.result == 0;
		n++;
	}
	CHECK(taken && taken < n);
	world_done(&w);
}

TEST(a_backup_of_the_keyring_does_not_bring_back_what_was_shredded)
{
	_cleanup_(buf_done) struct buf word = { 0 };
	struct error err = { 0 };
	struct repo_span span;
	struct doomed d, other;
	size_t count;
	struct world w;

	disk_ok();
	world_init(&w);
	doomed_init(&d, &w, "doomed");
	doomed_init(&other, &w, "other");
	check_shell(w.dir, "cp -a keyring payloads ..");
	CHECK_EQ(shred(&span, &w, &d), 0);
	make_word(&word, &w, &d);
	CHECK_OK(repo_submit_wait(w.repo, buf_bytes(&word), &err));
	CHECK_OK(repo_shred_end(w.repo, d.device.id, &err));
	CHECK_OK(repo_shred_again(&count, w.repo, &err));
	CHECK_EQ(count, 0);
	check_shell(w.dir, "cp -a ../keyring ../payloads .");
	CHECK_EQ(keys_of(&w, d.device.id), 4);
	CHECK_OK(repo_shred_again(&count, w.repo, &err));
	CHECK_EQ(count, 2);
	CHECK_EQ(keys_of(&w, d.device.id), 0);
	CHECK_EQ(payloads_of(&w, d.device.id), 0);
	CHECK_EQ(keys_of(&w, other.device.id), 4);
	CHECK_EQ(payloads_of(&w, other.device.id), 1);
	w.repo = repo_close(w.repo);
	CHECK_OK(repo_reindex(w.dir, &w.fleet.archive, &err)); /* git alone says it, too */
	check_shell(w.dir, "cp -a ../keyring .");
	world_reopen(&w);
	CHECK_OK(repo_shred_again(&count, w.repo, &err));
	CHECK_EQ(keys_of(&w, d.device.id), 0);
	CHECK_EQ(keys_of(&w, other.device.id), 4);
	doomed_done(&d);
	doomed_done(&other);
	world_done(&w);
}

TEST(a_mark_that_is_damaged_is_refused_by_name)
{
	struct error err = { 0 };
	struct repo_span span;
	struct doomed d;
	struct world w;

	disk_ok();
	world_init(&w);
	doomed_init(&d, &w, "doomed");
	CHECK_EQ(shred(&span, &w, &d), 0);
	check_shell(w.dir, "for f in shredding/*; do echo x >$f; done");
	CHECK_EQ(shred(&span, &w, &d), E_FORMAT);
	CHECK_EQ(repo_shreds_begun(w.repo, note_begun, NULL, &err), E_FORMAT);
	CHECK(strstr(err.text, d.device.id));
	CHECK(try_epoch(&w, &d.device) != 0); /* and keys are kept away all the same */
	world_reopen(&w);
	CHECK(try_epoch(&w, &d.device) != 0);
	doomed_done(&d);
	world_done(&w);
}

/* ---- a stop ---- */

/* A child does it all, and is killed at the nth step. */
static bool killed_at(struct world *w, const struct doomed *d, const struct buf *word, long n)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		struct error err = { 0 };
		struct repo_span span;
		struct repo *repo;

		if (repo_open(&repo, w->dir, &w->fleet.archive, 0, &err) < 0)
			_exit(1);
		disk_die_at(n);
		if (repo_shred(&span, repo, d->device.id, d->shred.id, &err) < 0 || repo_submit_wait(repo, buf_bytes(word), &err) < 0 ||
		    repo_shred_end(repo, d->device.id, &err) < 0)
			_exit(2);
		disk_ok();
		repo_close(repo);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	CHECK(WIFSIGNALED(status) || (WIFEXITED(status) && !WEXITSTATUS(status)));
	return WIFSIGNALED(status);
}

static bool has_mark(const struct world *w, const struct doomed *d)
{
	_cleanup_(mem_freep) char *path = mem_printf("shredding/%s", d->device.id);

	return count_files(w->dir, path) == 1;
}

static size_t left_of_mark(const struct world *w, const struct doomed *d)
{
	_cleanup_(mem_freep) char *pattern = mem_printf("shredding/%s*", d->device.id);

	return count_files(w->dir, pattern);
}

static bool has_word(struct world *w, const struct doomed *d)
{
	_cleanup_(buf_done) struct buf said = { 0 };
	struct error err = { 0 };

	CHECK_OK(repo_said(&said, w->repo, d->device.id, STATEMENT_SHREDDED, &err));
	return said.len;
}

TEST(killed_at_any_step_it_is_whole_or_finished_and_never_said_too_early)
{
	bool dead = true;
	size_t begun = 0, said = 0;
	struct world w;
	long n;

	disk_ok();
	world_init(&w);
	for (n = 0; dead; n++) {
		_cleanup_(buf_done) struct buf word = { 0 };
		struct error err = { 0 };
		struct repo_span span;
		struct doomed d;
		char name[32];

		snprintf(name, sizeof(name), "d%ld", n);
		doomed_init(&d, &w, name);
		make_word(&word, &w, &d);
		w.repo = repo_close(w.repo);
		dead = killed_at(&w, &d, &word, n);
		CHECK_OK(repo_open(&w.repo, w.dir, &w.fleet.archive, 0, &err));
		if (has_word(&w, &d)) {
			CHECK_EQ(keys_of(&w, d.device.id) + payloads_of(&w, d.device.id), 0);
			said++;
		}
		if (!has_mark(&w, &d) && !has_word(&w, &d)) {
			CHECK_EQ(keys_of(&w, d.device.id), 4);
			CHECK_EQ(payloads_of(&w, d.device.id), 1);
		} else if (has_mark(&w, &d)) {
			CHECK_OK(repo_shred(&span, w.repo, d.device.id, d.shred.id, &err));
			CHECK_EQ(span.payloads, 1);
			CHECK(repo_submit_wait(w.repo, buf_bytes(&word), &err) >= 0);
			CHECK_OK(repo_shred_end(w.repo, d.device.id, &err));
			begun++;
		}
		if (has_word(&w, &d)) {
			CHECK_EQ(keys_of(&w, d.device.id) + payloads_of(&w, d.device.id), 0);
			CHECK_EQ(left_of_mark(&w, &d), 0);
		}
		doomed_done(&d);
	}
	CHECK(begun > 10);
	CHECK(said > 1);
	check_audit(&w);
	printf("figure: killed at %ld steps, %zu times with the mark on the disk\n", n - 1, begun);
	world_done(&w);
}
