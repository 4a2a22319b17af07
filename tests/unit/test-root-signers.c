/* tests/unit/test-root-signers.c -- what a root lets whom sign, by us and by ssh-keygen. */
#include "tests/test.h"
#include "tests/unit/recipe.h"

#include "base/fs.h"
#include "base/proc.h"

#include <stdlib.h>

#define SOME_HASH "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static const char *shredded_by = "archive";

static void write_statement(struct buf *text, enum statement_type type, const char *fleet)
{
	static const char seal[] = "1 1000 " SOME_HASH, to[] = "age1s73k9tlmr5kg98lcccfpf89f9sjd45gal77ry8l5kh7xl8u2cagq4c7ukj";
	char pub[SIGN_PUB_TEXT_MAX];
	const struct {
		const char *key, *value;
	} lines[STATEMENT_TYPES][14] = {
		[STATEMENT_INVITE] = { { "invite", "abcdefghijklmnopqrstuvwxyz" },
				       { "device-name", "r1" },
				       { "time", "2026-01-01T00:00:00Z" },
				       { "expires", "2026-01-02T00:00:00Z" },
				       { "root", "1" },
				       { "secret", seal } },
		[STATEMENT_ENROL] = { { "device", "abcdefghijklmnopqrstuvwxyz" },
				      { "number", "1" },
				      { "invite", "abcdefghijklmnopqrstuvwxyz" },
				      { "key", pub },
				      { "box", to },
				      { "driver", "frr" },
				      { "time", "2026-01-01T00:00:00Z" },
				      { "mac", SOME_HASH } },
		[STATEMENT_ADMIT] = { { "device", "abcdefghijklmnopqrstuvwxyz" },
				      { "enrol", SOME_HASH },
				      { "device-name", "r1" },
				      { "time", "2026-01-01T00:00:00Z" },
				      { "root", "1" } },
		[STATEMENT_EPOCH] = { { "device", "abcdefghijklmnopqrstuvwxyz" },
				      { "number", "2" },
				      { "prev", SOME_HASH },
				      { "time", "2026-01-01T00:00:00Z" },
				      { "epoch", "1" },
				      { "root", "1" },
				      { "body", to },
				      { "secrets", to },
				      { "body-key", seal },
				      { "secrets-key", seal } },
		[STATEMENT_SNAPSHOT] = { { "device", "abcdefghijklmnopqrstuvwxyz" },
					 { "number", "3" },
					 { "prev", SOME_HASH },
					 { "time", "2026-01-01T00:00:00Z" },
					 { "epoch", "1" },
					 { "root", "1" },
					 { "reason", "change" },
					 { "saved", "no" },
					 { "mode", "observe" },
					 { "changed", "1 1" },
					 { "base", seal } },
		[STATEMENT_STATUS] = { { "device", "abcdefghijklmnopqrstuvwxyz" },
				       { "time", "2026-01-01T00:00:00Z" },
				       { "head", "1 " SOME_HASH },
				       { "root", "1" },
				       { "saved", "no" },
				       { "mode", "observe" },
				       { "wait", "1" } },
		[STATEMENT_CHECKPOINT] = { { "size", "1" }, { "tree", SOME_HASH }, { "root", "1" }, { "time", "2026-01-01T00:00:00Z" } },
		[STATEMENT_LOGIN] = { { "person", "alice" },
				      { "server", "https://localhost:8443" },
				      { "challenge", SOME_HASH },
				      { "time", "2026-01-01T00:00:00Z" } },
		[STATEMENT_SHREDDED] = { { "device", "abcdefghijklmnopqrstuvwxyz" },
					 { "by", shredded_by },
					 { "time", "2026-01-01T00:00:00Z" },
					 { "root", "1" },
					 { "batch", SOME_HASH },
					 { "leaf", SOME_HASH } },
		[STATEMENT_CERTIFICATE] = { { "device", "abcdefghijklmnopqrstuvwxyz" },
					    { "device-name", "r1" },
					    { "state", "lost" },
					    { "standard", "a standard" },
					    { "category", "none" },
					    { "evidence", "nothing" },
					    { "shred", SOME_HASH },
					    { "shredded", SOME_HASH },
					    { "log", "1 " SOME_HASH },
					    { "performed", "alice" },
					    { "limit", "all that was not seen" },
					    { "time", "2026-01-01T00:00:00Z" },
					    { "root", "1" } },
		[STATEMENT_JUDGEMENT] = { { "advisory", "CVE-2026-0001" },
					  { "document", SOME_HASH },
					  { "verdict", "not-affected" },
					  { "person", "carol" },
					  { "time", "2026-01-01T00:00:00Z" },
					  { "root", "1" },
					  { "reason", "it is not in use" } },
		[STATEMENT_WAIVER] = { { "policy", "weos" },
				       { "rule", "http" },
				       { "person", "carol" },
				       { "time", "2026-01-01T00:00:00Z" },
				       { "until", "2026-02-01T00:00:00Z" },
				       { "root", "1" },
				       { "reason", "the old panel needs it" } },
		[STATEMENT_FIRMWARE] = { { "driver", "weos" },
					 { "part", "system" },
					 { "version", "5.24.0" },
					 { "size", "1000" },
					 { "image", SOME_HASH },
					 { "person", "bob" },
					 { "time", "2026-01-01T00:00:00Z" },
					 { "root", "1" } },
	};

	sign_pub_text(pub, &keys[STRANGER - 1].pub);
	statement_begin(text, type);
	statement_add(text, "fleet", "%s", fleet);
	for (size_t i = 0; lines[type][i].key; i++)
		statement_add(text, lines[type][i].key, "%s", lines[type][i].value);
}

static int judge(const struct root *root, enum statement_type type, const char *fleet, const int *signers)
{
	_cleanup_(statement_freep) struct statement *st = NULL;
	_cleanup_(buf_done) struct buf whole = { 0 };
	struct error err = { 0 };

	write_statement(&whole, type, fleet ? fleet : root_fleet(root));
	sign_by(&whole, type, signers);
	CHECK_OK(statement_parse(&st, buf_bytes(&whole), false, NULL, &err));
	return root_verify(root, st, &err);
}

#define JUDGE(root, type, ...) judge(root, type, NULL, (const int[]){ __VA_ARGS__, 0 })

TEST(operators_sign_what_their_roles_allow)
{
	_cleanup_(root_freep) struct root *root = must_make(&two_people);

	CHECK_EQ(JUDGE(root, STATEMENT_INVITE, ALICE), 0);
	CHECK_EQ(JUDGE(root, STATEMENT_INVITE, CAROL), 0);
	CHECK_EQ(JUDGE(root, STATEMENT_INVITE, BOB), E_DENIED);
	CHECK_EQ(JUDGE(root, STATEMENT_INVITE, STRANGER), E_DENIED);
	CHECK_EQ(JUDGE(root, STATEMENT_INVITE, ARCHIVE), E_DENIED);
	CHECK_EQ(JUDGE(root, STATEMENT_ADMIT, ALICE), 0);
	CHECK_EQ(JUDGE(root, STATEMENT_ADMIT, BOB), E_DENIED);
	CHECK_EQ(JUDGE(root, STATEMENT_ADMIT, ALICE, BOB), E_DENIED);
	CHECK_EQ(JUDGE(root, STATEMENT_LOGIN, BOB), 0);
	CHECK_EQ(JUDGE(root, STATEMENT_LOGIN, CAROL), 0);
	CHECK_EQ(JUDGE(root, STATEMENT_LOGIN, STRANGER), E_DENIED);
	CHECK_EQ(JUDGE(root, STATEMENT_LOGIN, ARCHIVE), E_DENIED);
	CHECK_EQ(JUDGE(root, STATEMENT_JUDGEMENT, CAROL), 0); /* admin */
	CHECK_EQ(JUDGE(root, STATEMENT_JUDGEMENT, BOB), E_DENIED); /* deployer, but it says that it is by carol */
	CHECK_EQ(JUDGE(root, STATEMENT_WAIVER, CAROL), 0);
	CHECK_EQ(JUDGE(root, STATEMENT_WAIVER, ALICE), E_DENIED); /* admin, but it says that it is by carol */
	CHECK_EQ(JUDGE(root, STATEMENT_WAIVER, BOB), E_DENIED);
	CHECK_EQ(JUDGE(root, STATEMENT_FIRMWARE, BOB), 0); /* deployer */
	CHECK_EQ(JUDGE(root, STATEMENT_FIRMWARE, CAROL), E_DENIED);
	CHECK_EQ(JUDGE(root, STATEMENT_JUDGEMENT, ARCHIVE), E_DENIED);
	CHECK_EQ(JUDGE(root, STATEMENT_JUDGEMENT, STRANGER), E_DENIED);
}

TEST(an_order_takes_as_many_people_as_the_root_says)
{
	struct recipe r = two_people;
	_cleanup_(root_freep) struct root *root = NULL;

	r.thresholds[0] = "admit 2";
	root = must_make(&r);
	CHECK_EQ(JUDGE(root, STATEMENT_ADMIT, ALICE), E_DENIED);
	CHECK_EQ(JUDGE(root, STATEMENT_ADMIT, ALICE, ALICE_2), E_DENIED);
	CHECK_EQ(JUDGE(root, STATEMENT_ADMIT, ALICE, CAROL), 0);
	CHECK_EQ(JUDGE(root, STATEMENT_INVITE, CAROL), 0);
}

TEST(no_operator_signs_for_a_device)
{
	static const enum statement_type types[] = { STATEMENT_ENROL, STATEMENT_EPOCH, STATEMENT_SNAPSHOT, STATEMENT_STATUS };
	_cleanup_(root_freep) struct root *root = must_make(&two_people);

	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		for (int key = 1; key <= STRANGER; key++)
			CHECK_EQ(JUDGE(root, types[i], key), E_DENIED);
}

TEST(statements_of_another_fleet_are_refused)
{
	_cleanup_(root_freep) struct root *root = must_make(&two_people), *other = must_make(&one_person);
	static const int alice[] = { ALICE, 0 }, archive[] = { ARCHIVE, 0 };

	CHECK_EQ(judge(root, STATEMENT_ADMIT, root_fleet(other), alice), E_DENIED);
	CHECK_EQ(judge(other, STATEMENT_ADMIT, root_fleet(root), alice), E_DENIED);
	CHECK_EQ(judge(root, STATEMENT_CHECKPOINT, root_fleet(other), archive), E_DENIED);
}

TEST(a_checkpoint_is_the_archives_and_its_witnesses)
{
	struct recipe r = two_people;
	_cleanup_(root_freep) struct root *root = NULL;

	r.archive[1] = ARCHIVE_2;
	root = must_make(&r);
	CHECK_EQ(JUDGE(root, STATEMENT_CHECKPOINT, ARCHIVE), 0);
	CHECK_EQ(JUDGE(root, STATEMENT_CHECKPOINT, ARCHIVE_2), 0);
	CHECK_EQ(JUDGE(root, STATEMENT_CHECKPOINT, ARCHIVE, WITNESS), 0);
	CHECK_EQ(JUDGE(root, STATEMENT_CHECKPOINT, WITNESS), E_DENIED);
	CHECK_EQ(JUDGE(root, STATEMENT_CHECKPOINT, WITNESS, ARCHIVE), E_DENIED); /* the archive signs first */
	CHECK_EQ(JUDGE(root, STATEMENT_CHECKPOINT, ALICE), E_DENIED);
	CHECK_EQ(JUDGE(root, STATEMENT_CHECKPOINT, STRANGER), E_DENIED);
	CHECK_EQ(JUDGE(root, STATEMENT_CHECKPOINT, ARCHIVE, STRANGER), E_DENIED); /* a vouching that nobody asked for */
	CHECK_EQ(JUDGE(root, STATEMENT_CHECKPOINT, ARCHIVE, ALICE), E_DENIED);
}

TEST(a_checkpoint_with_a_broken_cosignature_is_refused)
{
	_cleanup_(root_freep) struct root *root = must_make(&two_people);
	_cleanup_(statement_freep) struct statement *st = NULL;
	_cleanup_(buf_done) struct buf whole = { 0 };
	static const int archive[] = { ARCHIVE, 0 };
	struct error err = { 0 };

	write_statement(&whole, STATEMENT_CHECKPOINT, root_fleet(root));
	sign_by(&whole, STATEMENT_CHECKPOINT, archive);
	sshsig_sign(&whole, &keys[WITNESS - 1], "checkpoint@holdfast", bytes_str("another log"));
	CHECK_OK(statement_parse(&st, buf_bytes(&whole), false, NULL, &err));
	CHECK_EQ(root_verify(root, st, &err), E_SEAL);
}

static int judge_shredded(const struct root *root, const char *by, int key)
{
	int r;

	shredded_by = by;
	r = JUDGE(root, STATEMENT_SHREDDED, key);
	shredded_by = "archive";
	return r;
}

TEST(what_is_shredded_is_said_by_whoever_kept_it_and_by_nobody_else)
{
	_cleanup_(root_freep) struct root *root = must_make(&two_people);

	CHECK_EQ(judge_shredded(root, "archive", ARCHIVE), 0);
	CHECK_EQ(judge_shredded(root, "alice", ALICE), 0);
	CHECK_EQ(judge_shredded(root, "carol", CAROL), 0);
	CHECK_EQ(judge_shredded(root, "alice", BOB), E_DENIED);
	CHECK_EQ(judge_shredded(root, "alice", ARCHIVE), E_DENIED); /* the server does not speak for people */
	CHECK_EQ(judge_shredded(root, "archive", ALICE), E_DENIED);
	CHECK_EQ(judge_shredded(root, "archive", WITNESS), E_DENIED);
	CHECK_EQ(judge_shredded(root, "tower", WITNESS), E_DENIED);
	CHECK_EQ(judge_shredded(root, "dave", STRANGER), E_DENIED);
	CHECK_EQ(JUDGE(root, STATEMENT_SHREDDED, ARCHIVE, ALICE), E_DENIED); /* one statement, one who says it */
}

TEST(a_person_called_archive_does_not_speak_for_the_archive)
{
	struct recipe r = one_person;
	_cleanup_(root_freep) struct root *root = NULL;

	r.people[1] = "archive";
	r.keys[1] = (struct owned){ "archive", BOB };
	r.readers[0] = "alice";
	root = must_make(&r);
	CHECK_EQ(judge_shredded(root, "archive", BOB), E_DENIED);
	CHECK_EQ(judge_shredded(root, "archive", ARCHIVE), 0);
}

TEST(a_certificate_takes_as_many_people_as_shred_and_the_archive_is_none_of_them)
{
	struct recipe r = two_people;
	_cleanup_(root_freep) struct root *root = must_make(&two_people), *three = NULL, *lax = NULL;

	CHECK_EQ(JUDGE(root, STATEMENT_CERTIFICATE, ALICE, BOB), 0);
	CHECK_EQ(JUDGE(root, STATEMENT_CERTIFICATE, ALICE, BOB, ARCHIVE), 0);
	CHECK(JUDGE(root, STATEMENT_CERTIFICATE, ARCHIVE, BOB, ALICE) == 0);
	CHECK_EQ(JUDGE(root, STATEMENT_CERTIFICATE, ALICE), E_DENIED);
	CHECK_EQ(JUDGE(root, STATEMENT_CERTIFICATE, ALICE, ALICE_2), E_DENIED); /* one person, two keys */
	CHECK_EQ(JUDGE(root, STATEMENT_CERTIFICATE, ALICE, ARCHIVE), E_DENIED);
	CHECK_EQ(JUDGE(root, STATEMENT_CERTIFICATE, ARCHIVE), E_DENIED);
	CHECK_EQ(JUDGE(root, STATEMENT_CERTIFICATE, ALICE, CAROL), E_DENIED); /* she does not retire */
	CHECK_EQ(JUDGE(root, STATEMENT_CERTIFICATE, ALICE, BOB, WITNESS), E_DENIED);
	CHECK_EQ(JUDGE(root, STATEMENT_CERTIFICATE, ALICE, BOB, STRANGER), E_DENIED);
	r.archive[1] = ARCHIVE_2;
	r.roles[5] = "retirer alice bob carol";
	r.thresholds[0] = "shred 3";
	three = must_make(&r);
	CHECK_EQ(JUDGE(three, STATEMENT_CERTIFICATE, ALICE, BOB, ARCHIVE, ARCHIVE_2), E_DENIED);
	CHECK_EQ(JUDGE(three, STATEMENT_CERTIFICATE, ALICE, BOB, CAROL, ARCHIVE, ARCHIVE_2), 0);
	r.thresholds[0] = "shred 1";
	lax = must_make(&r);
	CHECK_EQ(JUDGE(lax, STATEMENT_CERTIFICATE, ARCHIVE), E_DENIED); /* somebody must */
	CHECK_EQ(JUDGE(lax, STATEMENT_CERTIFICATE, ARCHIVE, CAROL), 0);
}

TEST(who_archived_a_certificate_is_told_from_its_people)
{
	_cleanup_(root_freep) struct root *root = must_make(&two_people);

	for (int with = 0; with < 2; with++) {
		_cleanup_(statement_freep) struct statement *st = NULL;
		_cleanup_(buf_done) struct buf whole = { 0 };
		struct error err = { 0 };
		const int signers[] = { ALICE, BOB, with ? ARCHIVE : 0, 0 };

		write_statement(&whole, STATEMENT_CERTIFICATE, root_fleet(root));
		sign_by(&whole, STATEMENT_CERTIFICATE, signers);
		CHECK_OK(statement_parse(&st, buf_bytes(&whole), false, NULL, &err));
		CHECK_EQ(root_is_archived(root, st), with);
	}
}

/* ---- allowed_signers, judged by ssh-keygen ---- */

struct stock {
	char *allowed, *sig;
};

static void stock_init(struct stock *s, struct bytes allowed)
{
	const char *dir = test_folder();
	struct error err = { 0 };

	s->allowed = mem_printf("%s/allowed_signers", dir);
	s->sig = mem_printf("%s/sig", dir);
	CHECK_OK(fs_write(s->allowed, allowed, 0600, &err));
}

static void stock_done(struct stock *s)
{
	free(s->allowed);
	free(s->sig);
}

static void stock_signature(const struct stock *s, int key, const char *space)
{
	_cleanup_(buf_done) struct buf sig = { 0 };
	struct error err = { 0 };

	sshsig_sign(&sig, &keys[key - 1], space, bytes_str("text"));
	CHECK_OK(fs_write(s->sig, buf_bytes(&sig), 0600, &err));
}

static bool stock_verifies(const struct stock *s, const char *principal, int key, const char *space)
{
	const char *const argv[] = { "ssh-keygen", "-Y", "verify", "-f", s->allowed, "-I", principal, "-n", space, "-s", s->sig, NULL };
	struct proc_result run = { 0 };
	struct error err = { 0 };
	int status;

	stock_signature(s, key, space);
	CHECK_OK(proc_run(&run, argv, bytes_str("text"), 10000, 4096, &err));
	status = run.status;
	proc_result_done(&run);
	return status == 0;
}

/* Whose key is it, does ssh-keygen say? */
static void stock_finds(const struct stock *s, int key, const char *want)
{
	const char *const argv[] = { "ssh-keygen", "-Y", "find-principals", "-f", s->allowed, "-s", s->sig, NULL };
	struct proc_result run = { 0 };
	struct error err = { 0 };

	stock_signature(s, key, "login@holdfast");
	CHECK_OK(proc_run(&run, argv, (struct bytes){ 0 }, 10000, 4096, &err));
	if (want) {
		CHECK_EQ(run.status, 0);
		CHECK_BYTES(buf_bytes(&run.out), want);
	} else {
		CHECK(run.status != 0);
	}
	proc_result_done(&run);
}

TEST(ssh_keygen_reads_the_exported_signers_as_we_do)
{
	static const enum statement_type types[] = { STATEMENT_ROOT,  STATEMENT_INVITE,     STATEMENT_ADMIT,
						     STATEMENT_LOGIN, STATEMENT_CHECKPOINT, STATEMENT_SNAPSHOT };
	static const struct owned who[] = { { "alice", ALICE }, { "alice", ALICE_2 },   { "bob", BOB },
					    { "carol", CAROL }, { "archive", ARCHIVE }, { "alice", STRANGER } };
	_cleanup_(root_freep) struct root *root = must_make(&two_people);
	_cleanup_(buf_done) struct buf allowed = { 0 };
	_cleanup_(stock_done) struct stock s;
	struct signers by = root_signers(root);

	root_allowed_signers(&allowed, root);
	stock_init(&s, buf_bytes(&allowed));
	for (size_t i = 0; i < ARRAY_SIZE(who); i++) {
		for (size_t t = 0; t < ARRAY_SIZE(types); t++) {
			const char *ours = by.who(by.ctx, &keys[who[i].key - 1].pub, types[t]);
			bool may = who[i].key == ARCHIVE ? types[t] == STATEMENT_CHECKPOINT : ours && !strcmp(ours, who[i].who);

			if (stock_verifies(&s, who[i].who, who[i].key, statement_namespace(types[t])) != may)
				fail_msg("ssh-keygen and we do not agree whether %s may sign a %s", who[i].who,
					 statement_type_name(types[t]));
		}
	}
	CHECK(stock_verifies(&s, "archive", ARCHIVE, "git"));
	CHECK(!stock_verifies(&s, "alice", ALICE, "git"));
	CHECK(!stock_verifies(&s, "alice", ALICE, "file"));
	CHECK(!stock_verifies(&s, "bob", ALICE, "login@holdfast"));
	stock_finds(&s, ALICE_2, "alice\n");
	stock_finds(&s, CAROL, "carol\n");
	stock_finds(&s, ARCHIVE, "archive\n");
	stock_finds(&s, STRANGER, NULL);
}

TEST(ssh_keygen_reads_a_devices_line)
{
	_cleanup_(buf_done) struct buf allowed = { 0 };
	_cleanup_(stock_done) struct stock s;
	char id[ID_LEN + 1];

	sign_pub_id(id, &keys[0].pub);
	allowed_signers_device(&allowed, id, &keys[0].pub);
	stock_init(&s, buf_bytes(&allowed));
	CHECK(stock_verifies(&s, id, 1, "snapshot@holdfast"));
	CHECK(stock_verifies(&s, id, 1, "enrol@holdfast"));
	CHECK(stock_verifies(&s, id, 1, "epoch@holdfast"));
	CHECK(!stock_verifies(&s, id, 1, "admit@holdfast"));
	CHECK(!stock_verifies(&s, id, 1, "root@holdfast"));
	CHECK(!stock_verifies(&s, id, 2, "snapshot@holdfast"));
}
