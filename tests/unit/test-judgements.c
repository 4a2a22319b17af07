/* tests/unit/test-judgements.c -- what people decide about advisories is archived once, found again, in the log, and audited. */
#include "tests/unit/archive.h"

#include "tests/test.h"

#include "crypto/judgement.h"
#include "crypto/seal.h"

#include <stdio.h>
#include <stdlib.h>

struct made {
	const char *advisory, *verdict, *feature, *device, *person, *reason;
	const struct sign_key *key, *also;
	const char *document; /* that it brings */
	const char *instead;  /* what stands where the document belongs */
	bool is_left_out;     /* named, and not brought */
	unsigned number;      /* of its seal; 0: 1 */
};

static void make(struct buf *out, const struct world *w, const struct made *m)
{
	struct error err = { 0 };
	_cleanup_(buf_done) struct buf text = { 0 };
	char document[2 * HASH_LEN + 1];

	buf_truncate(out, 0);
	if (m->document)
		CHECK_OK(judgement_pack_text(&text, bytes_str(m->instead ? m->instead : m->document), &err));
	if (m->document)
		sha256_hex(document, bytes_str(m->document));
	statement_begin(out, STATEMENT_JUDGEMENT);
	statement_add(out, "fleet", "%s", w->fleet.id);
	statement_add(out, "advisory", "%s", m->advisory ? m->advisory : "EX-2026-01");
	if (m->document)
		statement_add(out, "document", "%s", document);
	else
		statement_add(out, "document", "%064d", 7);
	statement_add(out, "verdict", "%s", m->verdict ? m->verdict : "accepted");
	if (m->device)
		statement_add(out, "device", "%s", m->device);
	if (m->feature)
		statement_add(out, "feature", "%s", m->feature);
	statement_add(out, "person", "%s", m->person ? m->person : "alice");
	statement_add_time(out, "time", 1780000000); /* the same each time it is made */
	statement_add(out, "root", "1");
	statement_add(out, "reason", "%s", m->reason ? m->reason : "why not");
	if (m->document)
		statement_add_seal(out, "text", m->number ? m->number : 1, buf_bytes(&text));
	CHECK_OK(statement_sign(out, m->key ? m->key : &w->fleet.operator, &err));
	if (m->also)
		sshsig_sign(out, m->also, "judgement@holdfast",
			    bytes_of(out->ptr, (size_t)(strstr(buf_text(out), "-----BEGIN") - buf_text(out))));
	if (m->document && !m->is_left_out)
		buf_add_bytes(out, buf_bytes(&text));
}

static void post(struct world *w, const struct made *m, int want)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	struct error err = { 0 };

	make(&text, w, m);
	CHECK_EQ(repo_submit_wait(w->repo, buf_bytes(&text), &err), want);
}

struct seen {
	size_t count, unplaced;
	uint64_t last;
};

static int note(void *ctx, uint64_t position, struct bytes whole)
{
	_cleanup_(statement_freep) struct statement *st = NULL;
	struct seen *seen = ctx;
	struct error err = { 0 };
	size_t used;

	CHECK_OK(statement_parse(&st, whole, false, &used, &err));
	CHECK_EQ(used, whole.len);
	CHECK(position == REPO_NO_POSITION || !seen->count || position > seen->last);
	seen->count++;
	seen->unplaced += position == REPO_NO_POSITION;
	seen->last = position;
	return 0;
}

static struct seen look(struct world *w, uint64_t from, unsigned limit)
{
	struct seen seen = { 0 };
	struct error err = { 0 };

	CHECK_OK(repo_judgements(w->repo, from, limit, note, &seen, &err));
	return seen;
}

TEST(a_judgement_is_archived_once_below_its_advisory_and_found_again_after_a_reindex)
{
	char id[ID_LEN + 1], line[300];
	struct error err = { 0 };
	struct seen seen;
	struct world w;

	world_init(&w);
	post(&w, &(struct made){ 0 }, 0);
	post(&w, &(struct made){ 0 }, REPO_SEEN);
	post(&w, &(struct made){ .advisory = "ex-2026-01", .reason = "in small letters" }, 0);
	post(&w, &(struct made){ .advisory = "Other (7)/b", .device = w.device.id }, 0);
	CHECK_EQ(look(&w, 0, 10).count, 3);
	CHECK_OK(repo_flush(w.repo, &err));
	seen = look(&w, 0, 10);
	CHECK_EQ(seen.count, 3);
	CHECK_EQ(seen.unplaced, 0);
	CHECK_EQ(look(&w, 0, 2).count, 2);
	CHECK_EQ(look(&w, seen.last, 10).count, 1);
	CHECK_EQ(look(&w, seen.last + 1, 10).count, 0);
	judgement_advisory_id(id, "EX-2026-01");
	snprintf(line, sizeof(line),
		 "test $(git -C archive.git ls-tree -r --name-only main | grep -cE '^advisories/%.2s/%s/[0-9a-f]{16}$') = 2", id, id);
	check_shell(w.dir, line);
	check_shell(w.dir, "test $(git -C archive.git ls-tree -r --name-only main | grep -c ^advisories/) = 3");
	w.repo = repo_close(w.repo);
	check_audit(&w);

	check_shell(w.dir, "rm index.db*");
	CHECK_OK(repo_reindex(w.dir, &w.fleet.archive, &err));
	CHECK_OK(repo_open(&w.repo, w.dir, &w.fleet.archive, 0, &err));
	CHECK_EQ(look(&w, 0, 10).count, 3);
	CHECK_EQ(look(&w, 0, 10).last, seen.last);
	post(&w, &(struct made){ 0 }, REPO_SEEN);
	world_done(&w);
}

static void check_text(struct world *w, const char *document, int want)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	struct error err = { 0 };
	uint8_t hash[HASH_LEN];

	sha256(hash, bytes_str(document));
	CHECK_EQ(repo_judged_text(&text, w->repo, hash, &err), want);
	if (want == 0) {
		_cleanup_(buf_done) struct buf opened = { 0 };

		CHECK_OK(seal_unpack(&opened, buf_bytes(&text), JUDGEMENT_DOCUMENT_MAX, &err));
		CHECK(bytes_equal(buf_bytes(&opened), bytes_str(document)));
	}
}

static const char advisory[] = "{\"document\": {\"title\": \"a document that somebody judged\"}}\n";

TEST(the_document_that_a_judgement_brings_lies_beside_it_and_opens_with_stock_tools_after_a_reindex)
{
	struct error err = { 0 };
	struct world w;

	world_init(&w);
	check_text(&w, advisory, REPO_ABSENT);
	post(&w, &(struct made){ .document = advisory }, 0);
	check_text(&w, advisory, 0); /* it is packed for that */
	post(&w, &(struct made){ .document = advisory, .reason = "somebody else brings it too" }, 0);
	post(&w, &(struct made){ .reason = "of another document, which nobody brought" }, 0);
	check_text(&w, "", REPO_ABSENT);
	CHECK_OK(repo_flush(w.repo, &err));
	check_shell(w.dir, "test $(git -C archive.git ls-tree -r --name-only main | grep -c '^advisories/.*zst$') = 2");
	check_shell(
		w.dir,
		"test $(git -C archive.git ls-tree -r main | grep 'zst$' | cut -d' ' -f3 | cut -f1 | sort -u | wc -l) = 1"); /* kept once */
	check_shell(w.dir, "cd archive.git; for P in $(git ls-tree -r --name-only main | grep 'zst$'); do"
			   " test \"$(git show main:$P | zstd -qdc | sha256sum | cut -d' ' -f1)\" = \"$(git show main:${P%.zst} | sed -n "
			   "'s/^document: //p')\" || exit 1; done");
	w.repo = repo_close(w.repo);
	check_audit(&w);

	check_shell(w.dir, "rm index.db*");
	CHECK_OK(repo_reindex(w.dir, &w.fleet.archive, &err));
	CHECK_OK(repo_open(&w.repo, w.dir, &w.fleet.archive, 0, &err));
	check_text(&w, advisory, 0);
	world_done(&w);
}

/* The server judges by these; the archive itself takes no text that is named and not there. */
static int checked(struct world *w, const struct made *m)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	_cleanup_(container_done) struct container c = { 0 };
	struct error err = { 0 };
	size_t used;
	int r;

	make(&text, w, m);
	r = container_parse(&c, buf_bytes(&text), CONTAINER_ATTACHED, &used, &err);
	return r < 0 ? r : judgement_check_text(&c, &err);
}

TEST(a_text_is_the_document_that_was_judged_or_the_judgement_is_refused)
{
	struct world w;

	world_init(&w);
	CHECK_EQ(checked(&w, &(struct made){ 0 }), 0);
	CHECK_EQ(checked(&w, &(struct made){ .document = advisory }), 0);
	CHECK_EQ(checked(&w, &(struct made){ .document = advisory, .instead = "{}" }), E_SEAL);
	CHECK_EQ(checked(&w, &(struct made){ .document = advisory, .is_left_out = true }), E_FORMAT);
	CHECK_EQ(checked(&w, &(struct made){ .document = advisory, .number = 2 }), E_FORMAT);
	post(&w, &(struct made){ .document = advisory, .number = 2, .is_left_out = true }, E_FORMAT);
	world_done(&w);
}

TEST(a_text_that_unpacks_to_more_than_its_bound_is_refused_before_it_takes_memory)
{
	_cleanup_(buf_done) struct buf large = { 0 }, text = { 0 }, out = { 0 };
	_cleanup_(buf_done) struct buf judgement = { 0 };
	_cleanup_(statement_freep) struct statement *st = NULL;
	struct error err = { 0 };
	struct world w;

	world_init(&w);
	make(&judgement, &w, &(struct made){ 0 });
	CHECK_OK(statement_parse(&st, buf_bytes(&judgement), false, NULL, &err));
	memset(buf_extend(&large, JUDGEMENT_DOCUMENT_MAX + 1), ' ', JUDGEMENT_DOCUMENT_MAX + 1);
	CHECK_EQ(judgement_pack_text(&text, buf_bytes(&large), &err), E_LIMIT);
	CHECK_OK(seal_pack(&text, buf_bytes(&large), &err));
	CHECK(text.len < 4096);
	CHECK_EQ(judgement_open_text(&out, st, buf_bytes(&text), &err), E_LIMIT);
	CHECK_EQ(out.len, 0);
	for (size_t len = 0; len < text.len; len++)
		CHECK(judgement_open_text(&out, st, bytes_of(text.ptr, len), &err) < 0);
	world_done(&w);
}

static int judged(const struct root *root, const struct buf *text)
{
	_cleanup_(statement_freep) struct statement *st = NULL;
	struct error err = { 0 };

	CHECK_OK(statement_parse(&st, buf_bytes(text), false, NULL, &err));
	return judgement_verify(st, root, &err);
}

TEST(only_what_the_named_person_signed_alone_and_without_contradiction_is_a_judgement)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	_cleanup_(root_freep) struct root *root = NULL;
	struct statement *st;
	struct sign_key stranger;
	struct error err = { 0 };
	struct world w;

	world_init(&w);
	sign_key_new(&stranger);
	CHECK_OK(statement_parse(&st, buf_bytes(&w.fleet.root), false, NULL, &err));
	CHECK_OK(root_new(&root, st, &err));
	make(&text, &w, &(struct made){ 0 });
	CHECK_EQ(judged(root, &text), 0);
	make(&text, &w, &(struct made){ .verdict = "requires", .feature = "ipsec" });
	CHECK_EQ(judged(root, &text), 0);
	make(&text, &w, &(struct made){ .verdict = "requires" });
	CHECK_EQ(judged(root, &text), E_FORMAT);
	make(&text, &w, &(struct made){ .feature = "ipsec" });
	CHECK_EQ(judged(root, &text), E_FORMAT);
	make(&text, &w, &(struct made){ .verdict = "requires", .feature = "ipsec", .device = w.device.id });
	CHECK_EQ(judged(root, &text), E_FORMAT);
	make(&text, &w, &(struct made){ .verdict = "fine" });
	CHECK_EQ(judged(root, &text), E_FORMAT);
	make(&text, &w, &(struct made){ .key = &stranger });
	CHECK_EQ(judged(root, &text), E_DENIED);
	make(&text, &w, &(struct made){ .key = &w.fleet.archive });
	CHECK_EQ(judged(root, &text), E_DENIED);
	make(&text, &w, &(struct made){ .person = "bob" });
	CHECK_EQ(judged(root, &text), E_DENIED);
	make(&text, &w, &(struct made){ .also = &stranger });
	CHECK_EQ(judged(root, &text), E_DENIED);
	sign_key_done(&stranger);
	world_done(&w);
}

/* ---- what somebody with the folder changes ---- */

struct findings {
	char text[4096];
};

static void found(void *ctx, const char *kind, const char *where, const char *text)
{
	struct findings *all = ctx;
	size_t len = strlen(all->text);

	snprintf(all->text + len, sizeof(all->text) - len, "%s %s %s\n", kind, where, text);
}

static void forge(struct world *w, const char *command, const char *kind)
{
	_cleanup_(mem_freep) char *line = mem_printf(
		"git -C archive.git rev-parse main >kept && rm -rf work && git clone -q archive.git work && cd work && J=$(git ls-files "
		"advisories) && %s && git add -A"
		" && git -c user.name=x -c user.email=x@localhost commit -qm x && git -C ../archive.git fetch -q ../work +HEAD:main",
		command);
	_cleanup_(mem_freep) char *path = mem_printf("%s/archive.git", w->dir), *want = mem_printf("%s advisories/", kind);
	struct findings all = { 0 };
	struct repo_audit out;
	struct error err = { 0 };

	check_shell(w->dir, line);
	CHECK_OK(repo_audit(&out, path, w->fleet.id, NULL, found, &all, NULL, &err));
	if (!strstr(all.text, want))
		fail_msg("no '%s' in:\n%s", want, all.text);
	check_shell(w->dir, "git -C archive.git update-ref refs/heads/main $(cat kept)");
}

TEST(an_audit_finds_a_judgement_that_was_changed_moved_removed_or_never_signed)
{
	struct error err = { 0 };
	struct world w;

	world_init(&w);
	post(&w, &(struct made){ 0 }, 0);
	CHECK_OK(repo_flush(w.repo, &err));
	w.repo = repo_close(w.repo);
	forge(&w, "sed -i 's/^verdict: .*/verdict: not-affected/' $J", "statement-signature");
	forge(&w, "sed -i 's/^verdict: .*/verdict: not-affected/' $J", "layout");
	forge(&w, "git mv $J $(dirname $J)/0123456789abcdef", "layout");
	forge(&w, "git rm -q $J", "layout");
	forge(&w, "echo note >advisories/note", "layout");
	check_audit(&w);
	CHECK_OK(repo_open(&w.repo, w.dir, &w.fleet.archive, 0, &err));
	world_done(&w);
}

TEST(an_audit_finds_a_document_that_was_changed_removed_or_that_nobody_judged)
{
	struct error err = { 0 };
	struct world w;

	world_init(&w);
	post(&w, &(struct made){ .document = advisory }, 0);
	CHECK_OK(repo_flush(w.repo, &err));
	w.repo = repo_close(w.repo);
	forge(&w, "echo x >>$(echo $J | tr ' ' '\\n' | grep zst)", "layout");
	forge(&w, "git rm -q $(echo $J | tr ' ' '\\n' | grep zst)", "layout");
	forge(&w, "git reset -q --soft HEAD~1 && echo x >>$(echo $J | tr ' ' '\\n' | grep zst)", "seal");
	forge(&w, "git reset -q --soft HEAD~1 && git rm -qf $(echo $J | tr ' ' '\\n' | grep zst)", "seal");
	forge(&w, "cp $(echo $J | tr ' ' '\\n' | grep zst) $(dirname $(echo $J | cut -d' ' -f1))/0123456789abcdef.zst", "layout");
	check_audit(&w);
	CHECK_OK(repo_open(&w.repo, w.dir, &w.fleet.archive, 0, &err));
	world_done(&w);
}
