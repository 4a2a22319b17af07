/* tests/unit/test-witness.c -- what a witness cosigned lies in the archive beside the log, and what others saw is held against it. */
#include "tests/unit/archive.h"

#include "tests/test.h"

#include "base/clock.h"
#include "base/fs.h"
#include "cli/witnessed.h"
#include "crypto/checkpoint.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Root 2: as the one before, with a witness "tower". */
static void name_witness(struct world *w, const struct sign_key *witness)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	char key[SIGN_PUB_TEXT_MAX];
	struct error err = { 0 };
	struct bytes rest, line;
	struct statement *st = NULL;

	fleet_next_root(&w->fleet);
	CHECK_OK(statement_parse(&st, buf_bytes(&w->fleet.root), false, NULL, &err));
	sign_pub_text(key, &witness->pub);
	rest = statement_text(st);
	while (bytes_next_line(&rest, &line)) {
		if (line.len > 8 && !memcmp(line.ptr, "tls-pin:", 8))
			buf_addf(&text, "witness: tower %s\n", key);
		buf_add_bytes(&text, line);
		buf_add_char(&text, '\n');
	}
	statement_free(st);
	CHECK_OK(statement_sign(&text, &w->fleet.operator, & err));
	CHECK_EQ(repo_submit_wait(w->repo, buf_bytes(&text), &err), 0);
}

static void newest(struct buf *out, struct world *w)
{
	struct error err = { 0 };

	CHECK_OK(repo_flush(w->repo, &err));
	CHECK_OK(repo_checkpoint(out, w->repo, &err));
}

static int post_cosigned(struct world *w, struct bytes checkpoint, const struct sign_key *witness)
{
	_cleanup_(statement_freep) struct statement *st = NULL, *plain = NULL;
	_cleanup_(buf_done) struct buf whole = { 0 };
	const struct root *root;
	struct error err = { 0 };
	int r;

	CHECK_OK(statement_parse(&plain, checkpoint, false, NULL, &err));
	buf_add_bytes(&whole, checkpoint);
	sshsig_sign(&whole, witness, "checkpoint@holdfast", statement_text(plain));
	CHECK_OK(statement_parse(&st, buf_bytes(&whole), false, NULL, &err));
	CHECK_OK(repo_root_get(&root, w->repo, &err));
	r = repo_cosign(w->repo, root, st, &err);
	repo_root_put(w->repo, root);
	return r;
}

/* Waits for the commit that brings it. */
static void wait_for_commits(struct world *w, unsigned count)
{
	char line[200];

	snprintf(line, sizeof(line),
		 "for i in $(seq 100); do [ $(git -C archive.git rev-list --count main) -ge %u ] && exit 0; sleep 0.1; done; exit 1",
		 count);
	check_shell(w->dir, line);
}

static unsigned commits(const struct world *w)
{
	_cleanup_(mem_freep) char *line = mem_printf("git -C '%s/archive.git' rev-list --count main", w->dir);
	unsigned n = 0;
	FILE *f = popen(line, "r");

	CHECK(f && fscanf(f, "%u", &n) == 1);
	pclose(f);
	return n;
}

struct findings {
	char kinds[400];
	struct repo_audit result;
};

static void note(void *ctx, const char *kind, const char *where _unused_, const char *text _unused_)
{
	struct findings *f = ctx;
	size_t len = strlen(f->kinds);

	snprintf(f->kinds + len, sizeof(f->kinds) - len, "%s ", kind);
}

static struct findings audit(struct world *w)
{
	_cleanup_(mem_freep) char *git = mem_printf("%s/archive.git", w->dir);
	struct findings f = { 0 };
	struct error err = { 0 };

	CHECK_OK(repo_audit(&f.result, git, w->fleet.id, NULL, note, &f, NULL, &err));
	return f;
}

TEST(a_cosignature_lies_in_the_archive_and_leaves_the_log_as_it_is)
{
	_cleanup_(buf_done) struct buf cp = { 0 };
	_cleanup_(sign_key_done) struct sign_key witness = { 0 };
	struct repo_head before, after;
	struct error err = { 0 };
	struct findings f;
	struct world w;
	unsigned n;

	world_init(&w);
	sign_key_new(&witness);
	name_witness(&w, &witness);
	newest(&cp, &w);
	CHECK_OK(repo_head(&before, w.repo, &err));
	f = audit(&w);
	CHECK_STR(f.kinds, "");
	CHECK_EQ(f.result.witness_count, 1);
	CHECK(f.result.witnesses[0].is_named && !f.result.witnesses[0].size && f.result.uncovered_s);
	n = commits(&w);
	CHECK_EQ(post_cosigned(&w, buf_bytes(&cp), &witness), 0);
	CHECK_EQ(post_cosigned(&w, buf_bytes(&cp), &witness), REPO_SEEN);
	wait_for_commits(&w, n + 1);
	check_shell(w.dir, "test $(git -C archive.git show main:log/witness/tower | grep -c 'BEGIN SSH SIGNATURE') = 2");
	check_shell(w.dir, "git -C archive.git fsck --strict --no-dangling");
	CHECK_OK(repo_head(&after, w.repo, &err));
	CHECK(!memcmp(&before, &after, sizeof(before))); /* what operators remember: the log and its commit */
	f = audit(&w);
	CHECK_STR(f.kinds, "");
	CHECK_EQ(f.result.witnesses[0].size, before.log_size);
	CHECK(f.result.witnesses[0].is_named && !f.result.uncovered_s);
	CHECK_STR(f.result.witnesses[0].name, "tower");
	/* it goes on, over a restart and a rebuilt index */
	CHECK_EQ(world_post(&w, make_snapshot), 0);
	world_reopen(&w);
	CHECK_EQ(post_cosigned(&w, buf_bytes(&cp), &witness), REPO_SEEN);
	w.repo = repo_close(w.repo);
	CHECK_OK(repo_reindex(w.dir, &w.fleet.archive, &err));
	CHECK_OK(repo_open(&w.repo, w.dir, &w.fleet.archive, 0, &err));
	CHECK_OK(repo_head(&after, w.repo, &err));
	CHECK_EQ(after.log_size, before.log_size + 1);
	CHECK_EQ(world_post(&w, make_snapshot), 0);
	CHECK_OK(repo_flush(w.repo, &err));
	f = audit(&w);
	CHECK_STR(f.kinds, "");
	CHECK_EQ(f.result.witnesses[0].size, before.log_size);
	CHECK(f.result.uncovered_s);
	world_done(&w);
}

TEST(what_no_witness_of_the_root_signed_is_not_kept)
{
	_cleanup_(buf_done) struct buf cp = { 0 };
	_cleanup_(sign_key_done) struct sign_key witness = { 0 }, stranger = { 0 };
	struct world w;
	unsigned n;

	world_init(&w);
	sign_key_new(&witness);
	sign_key_new(&stranger);
	newest(&cp, &w);
	CHECK_EQ(post_cosigned(&w, buf_bytes(&cp), &witness), E_DENIED); /* not named yet */
	name_witness(&w, &witness);
	buf_truncate(&cp, 0);
	newest(&cp, &w);
	n = commits(&w);
	CHECK_EQ(post_cosigned(&w, buf_bytes(&cp), &stranger), E_DENIED);
	CHECK_EQ(post_cosigned(&w, buf_bytes(&cp), &w.fleet.archive), E_DENIED); /* the archive vouches for itself */
	CHECK_EQ(post_cosigned(&w, buf_bytes(&cp), &w.fleet.operator), E_DENIED);
	world_reopen(&w);
	CHECK_EQ(commits(&w), n);
	world_done(&w);
}

/* A checkpoint by the archive's key, of any log. */
static void forge(struct buf *out, const struct world *w, uint64_t size, uint8_t tree, int64_t time_s)
{
	uint8_t hash[HASH_LEN];

	memset(hash, tree, sizeof(hash));
	fleet_checkpoint(out, w->fleet.id, &w->fleet.archive, size, hash, time_s);
}

TEST(a_witness_that_knows_another_log_is_an_alarm)
{
	_cleanup_(sign_key_done) struct sign_key witness = { 0 };
	struct repo_head head;
	struct error err = { 0 };
	struct world w;

	world_init(&w);
	sign_key_new(&witness);
	name_witness(&w, &witness);
	CHECK_OK(repo_flush(w.repo, &err));
	CHECK_OK(repo_head(&head, w.repo, &err));
	for (uint64_t size = 1; size <= head.log_size + 1; size++) { /* another one of each length, and a longer one */
		_cleanup_(buf_done) struct buf cp = { 0 };

		forge(&cp, &w, size, 7, clock_now_s());
		CHECK_EQ(post_cosigned(&w, buf_bytes(&cp), &witness), REPO_FORK);
	}
	world_done(&w);
}

/* Writes a file into the tree with a commit that the archive's own key signs, as a thief of the server would. */
static void commit_as_archive(struct world *w, const char *path, struct bytes content)
{
	_cleanup_(mem_freep) char *file = mem_printf("%s/forged", w->dir), *line = NULL;
	struct error err = { 0 };

	CHECK_OK(fs_write(file, content, 0600, &err));
	line = mem_printf(
		"rm -rf work && git clone -q archive.git work && cd work && mkdir -p log/witness && cp ../forged %s && git add -A && "
		"git -c user.name=x -c user.email=x@localhost commit -qm forged && git push -q origin HEAD:main",
		path);
	check_shell(w->dir, line);
}

TEST(an_audit_finds_what_a_witness_vouched_for_and_is_not_there)
{
	_cleanup_(sign_key_done) struct sign_key witness = { 0 };
	_cleanup_(buf_done) struct buf cp = { 0 }, whole = { 0 };
	_cleanup_(statement_freep) struct statement *st = NULL;
	struct error err = { 0 };
	struct findings f;
	struct world w;

	world_init(&w);
	sign_key_new(&witness);
	name_witness(&w, &witness);
	CHECK_OK(repo_flush(w.repo, &err));
	forge(&cp, &w, 3, 9, clock_now_s());
	CHECK_OK(statement_parse(&st, buf_bytes(&cp), false, NULL, &err));
	buf_add_bytes(&whole, buf_bytes(&cp));
	sshsig_sign(&whole, &witness, "checkpoint@holdfast", statement_text(st));
	commit_as_archive(&w, "log/witness/tower", buf_bytes(&whole));
	f = audit(&w);
	CHECK(strstr(f.kinds, "witness"));
	commit_as_archive(&w, "log/witness/mast", buf_bytes(&whole)); /* under a name that is not the signer's */
	f = audit(&w);
	CHECK(strstr(f.kinds, "witness witness") || strstr(strstr(f.kinds, "witness") + 1, "witness"));
	commit_as_archive(&w, "log/witness/-odd", buf_bytes(&whole));
	f = audit(&w);
	CHECK(strstr(f.kinds, "layout"));
	world_done(&w);
}

TEST(an_audit_finds_a_checkpoint_that_is_dated_back)
{
	_cleanup_(buf_done) struct buf cp = { 0 }, back = { 0 };
	_cleanup_(statement_freep) struct statement *st = NULL;
	struct error err = { 0 };
	struct findings f;
	struct world w;
	uint8_t tree[HASH_LEN];

	world_init(&w);
	newest(&cp, &w);
	CHECK_OK(statement_parse(&st, buf_bytes(&cp), false, NULL, &err));
	statement_get_hash(tree, st, "tree");
	fleet_checkpoint(&back, w.fleet.id, &w.fleet.archive, statement_number(st, "size"), tree, statement_time(st, "time") - 60);
	commit_as_archive(&w, "log/checkpoint", buf_bytes(&back));
	f = audit(&w);
	CHECK(strstr(f.kinds, "log"));
	world_done(&w);
}

TEST(who_saw_a_part_of_the_log_is_shown_how_it_grew)
{
	struct error err = { 0 };
	struct repo_head head;
	struct world w;

	world_init(&w);
	for (int i = 0; i < 9; i++)
		CHECK_EQ(world_post(&w, make_snapshot), 0);
	CHECK_OK(repo_flush(w.repo, &err));
	CHECK_OK(repo_head(&head, w.repo, &err));
	for (uint64_t from = 0; from <= head.log_size + 1; from++) {
		_cleanup_(buf_done) struct buf out = { 0 };
		_cleanup_(statement_freep) struct statement *st = NULL;
		struct merkle_growth growth;
		size_t used, more;

		CHECK_OK(repo_checkpoint_since(&out, w.repo, from, &err));
		CHECK_OK(statement_parse(&st, buf_bytes(&out), false, &used, &err));
		CHECK_EQ(statement_number(st, "size"), head.log_size);
		CHECK_EQ(used < out.len, from && from < head.log_size); /* nothing to show to who saw nothing, all, or more than there is */
		if (used == out.len)
			continue;
		CHECK_OK(growth_parse(&growth, bytes_from(buf_bytes(&out), used), &more, &err));
		CHECK_EQ(used + more, out.len);
		CHECK(merkle_growth_holds(&growth) && growth.from == from && growth.to == head.log_size);
	}
	world_done(&w);
}

TEST(where_a_statement_lies_in_the_log_is_proved_for_every_size_that_has_it)
{
	_cleanup_(buf_done) struct buf newest = { 0 };
	_cleanup_(statement_freep) struct statement *root = NULL;
	struct merkle_hash first, absent = { { 1 } };
	struct merkle_place place;
	struct error err = { 0 };
	struct repo_head head;
	struct world w;
	uint64_t index;

	world_init(&w);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(world_post(&w, make_snapshot), 0);
	CHECK_OK(repo_flush(w.repo, &err));
	CHECK_OK(repo_head(&head, w.repo, &err));
	CHECK_OK(statement_parse(&root, buf_bytes(&w.fleet.root), false, NULL, &err));
	first = merkle_leaf(statement_text(root));
	CHECK_OK(repo_place(&place, w.repo, &first, head.log_size, &err));
	index = place.index; /* by the order of paths behind what came in the same commit */
	for (uint64_t size = 1; size <= head.log_size; size++) {
		if (size <= index) {
			CHECK_EQ(repo_place(&place, w.repo, &first, size, &err), REPO_ABSENT);
			continue;
		}
		CHECK_OK(repo_place(&place, w.repo, &first, size, &err));
		CHECK(place.index == index && place.size == size && merkle_place_holds(&place, first));
	}
	CHECK_EQ(repo_place(&place, w.repo, &first, 0, &err), REPO_ABSENT);
	CHECK_EQ(repo_place(&place, w.repo, &first, head.log_size + 1, &err), REPO_ABSENT);
	CHECK_EQ(repo_place(&place, w.repo, &absent, head.log_size, &err), REPO_ABSENT);
	CHECK_OK(repo_checkpoint(&newest, w.repo, &err));
	{
		_cleanup_(statement_freep) struct statement *st = NULL;
		uint8_t tree[HASH_LEN];

		CHECK_OK(statement_parse(&st, buf_bytes(&newest), false, NULL, &err));
		CHECK_OK(repo_place(&place, w.repo, &first, head.log_size, &err));
		CHECK(statement_get_hash(tree, st, "tree") && !memcmp(tree, place.tree.b, HASH_LEN));
	}
	world_done(&w);
}

/* Cosigned by tower, or by nobody: one checkpoint of so many statements at that time. */
static struct statement *head_of(struct buf *list, const struct world *w, const struct sign_key *witness, uint64_t size, int64_t time_s)
{
	_cleanup_(statement_freep) struct statement *plain = NULL;
	_cleanup_(buf_done) struct buf whole = { 0 };
	struct statement *st = NULL;
	struct error err = { 0 };

	forge(&whole, w, size, 1, time_s);
	CHECK_OK(statement_parse(&plain, buf_bytes(&whole), false, NULL, &err));
	if (witness)
		sshsig_sign(&whole, witness, "checkpoint@holdfast", statement_text(plain));
	CHECK_OK(statement_parse(&st, buf_bytes(&whole), false, NULL, &err));
	buf_add_bytes(list, buf_bytes(&whole));
	return st;
}

struct late {
	unsigned count;
	int64_t since_s;
};

static void note_late(void *ctx, const char *name, int64_t since_s)
{
	struct late *late = ctx;

	CHECK_STR(name, "tower");
	*late = (struct late){ late->count + 1, since_s };
}

TEST(a_witness_that_stands_still_for_a_day_is_told)
{
	static const struct {
		uint64_t vouched;
		int64_t behind_s;
		unsigned late;
	} cases[] = { { 9, 0, 0 }, { 10, 90000, 0 }, { 9, 86400, 0 }, { 9, 86401, 1 }, { 1, 400 * 86400, 1 } };
	_cleanup_(sign_key_done) struct sign_key witness = { 0 }, stranger = { 0 };
	_cleanup_(buf_done) struct buf ignored = { 0 };
	_cleanup_(statement_freep) struct statement *newest = NULL;
	const struct root *root;
	struct late late = { 0 };
	struct error err = { 0 };
	struct world w;

	world_init(&w);
	sign_key_new(&witness);
	sign_key_new(&stranger);
	name_witness(&w, &witness);
	CHECK_OK(repo_root_get(&root, w.repo, &err));
	newest = head_of(&ignored, &w, NULL, 10, 1790000000);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(buf_done) struct buf list = { 0 };

		late = (struct late){ 0 };
		statement_free(head_of(&list, &w, &witness, cases[i].vouched, 1790000000 - cases[i].behind_s));
		CHECK_OK(witnessed_judge(buf_bytes(&list), root, newest, note_late, &late, &err));
		CHECK_EQ(late.count, cases[i].late);
		CHECK_EQ(late.since_s, cases[i].late ? 1790000000 - cases[i].behind_s : 0);
	}
	late = (struct late){ 0 };
	CHECK_OK(witnessed_judge((struct bytes){ 0 }, root, newest, note_late, &late, &err));
	CHECK(late.count == 1 && late.since_s == 0);
	for (int signed_ = 0; signed_ < 2; signed_++) { /* nobody cosigned it; somebody whom the root does not name */
		_cleanup_(buf_done) struct buf list = { 0 };

		statement_free(head_of(&list, &w, signed_ ? &stranger : NULL, 10, 1790000000));
		late = (struct late){ 0 };
		if (witnessed_judge(buf_bytes(&list), root, newest, note_late, &late, &err) == 0)
			CHECK_EQ(late.count, 1);
	}
	repo_root_put(w.repo, root);
	world_done(&w);
}
