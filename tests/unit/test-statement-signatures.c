/* tests/unit/test-statement-signatures.c -- who signed a statement, and how many; ssh-keygen judges, too. */
#include "tests/test.h"
#include "tests/unit/formats.h"

#include "base/fs.h"
#include "base/proc.h"

enum { KEYS = 18 };

static struct sign_key keys[KEYS];

static void make_keys(void)
{
	for (uint8_t i = 0; i < KEYS; i++) {
		uint8_t seed[32];

		memset(seed, i + 1, sizeof(seed));
		if (!keys[i].pair.ptr)
			sign_key_from_seed(&keys[i], seed);
	}
}

__attribute__((destructor)) static void drop_keys(void)
{
	for (size_t i = 0; i < KEYS; i++)
		sign_key_done(&keys[i]);
}

static const char login[] = LOGIN_TO "https://localhost:8443" LOGIN_FROM;

/* The login, signed by keys[i] for each i of the list up to a negative one. */
static void signed_login(struct buf *out, const int *by)
{
	make_keys();
	buf_add_str(out, login);
	for (; *by >= 0; by++)
		sshsig_sign(out, &keys[*by], "login@holdfast", bytes_str(login));
}

#define SIGNED(out, ...) signed_login(out, (const int[]){ __VA_ARGS__, -1 })

/* Two keys make a person: 0 and 1 are p0, 2 and 3 p1, ... The last one belongs to nobody. */
static const char *who_by_twos(void *ctx _unused_, const struct sign_pub *key, enum statement_type type)
{
	static const char *const people[] = { "p0", "p1", "p2", "p3", "p4", "p5", "p6", "p7", "p8" };

	CHECK_EQ(type, STATEMENT_LOGIN);
	for (size_t i = 0; i + 1 < KEYS; i++)
		if (sign_pub_equal(key, &keys[i].pub))
			return people[i / 2];
	return NULL;
}

static int verify_with(const struct buf *whole, unsigned need)
{
	_cleanup_(statement_freep) struct statement *st = NULL;
	struct signers by = { who_by_twos, NULL };
	struct error err = { 0 };

	CHECK_OK(statement_parse(&st, buf_bytes(whole), false, NULL, &err));
	return statement_verify(st, &by, need, &err);
}

TEST(people_are_counted_not_signatures_or_keys)
{
	_cleanup_(buf_done) struct buf one = { 0 }, twice = { 0 }, two_keys = { 0 }, two = { 0 }, many = { 0 };

	SIGNED(&one, 0);
	SIGNED(&twice, 0, 0);
	SIGNED(&two_keys, 0, 1);
	SIGNED(&two, 1, 2);
	SIGNED(&many, 0, 1, 0, 1, 0, 2, 3, 2, 3, 4, 5, 6, 7, 0, 1, 2);
	CHECK_EQ(verify_with(&one, 1), 0);
	CHECK_EQ(verify_with(&one, 2), E_DENIED);
	CHECK_EQ(verify_with(&twice, 1), 0);
	CHECK_EQ(verify_with(&twice, 2), E_DENIED);
	CHECK_EQ(verify_with(&two_keys, 2), E_DENIED);
	CHECK_EQ(verify_with(&two, 2), 0);
	CHECK_EQ(verify_with(&two, 3), E_DENIED);
	CHECK_EQ(verify_with(&many, 4), 0);
	CHECK_EQ(verify_with(&many, 5), E_DENIED);
}

TEST(a_signature_by_somebody_who_may_not_refuses_the_whole)
{
	_cleanup_(buf_done) struct buf alone = { 0 }, first = { 0 }, last = { 0 };

	SIGNED(&alone, KEYS - 1);
	SIGNED(&first, KEYS - 1, 0, 2);
	SIGNED(&last, 0, 2, KEYS - 1);
	CHECK_EQ(verify_with(&alone, 1), E_DENIED);
	CHECK_EQ(verify_with(&first, 1), E_DENIED);
	CHECK_EQ(verify_with(&last, 1), E_DENIED);
}

TEST(a_signature_that_does_not_hold_refuses_the_whole)
{
	_cleanup_(buf_done) struct buf other_text = { 0 }, other_space = { 0 };

	make_keys();
	SIGNED(&other_text, 0);
	sshsig_sign(&other_text, &keys[2], "login@holdfast", bytes_str("another text"));
	CHECK_EQ(verify_with(&other_text, 1), E_SEAL);
	SIGNED(&other_space, 0);
	sshsig_sign(&other_space, &keys[2], "admit@holdfast", bytes_str(login));
	CHECK_EQ(verify_with(&other_space, 1), E_SEAL);
}

TEST(a_signature_counts_for_its_type_only)
{
	make_keys();
	FOR_SIGNED_TYPES(type)
	{
		FOR_SIGNED_TYPES(other)
		{
			_cleanup_(statement_freep) struct statement *st = NULL;
			_cleanup_(rows_done) struct rows rows = { 0 };
			_cleanup_(buf_done) struct buf whole = { 0 };
			struct error err = { 0 };

			example(&rows, type, false);
			rows_text(&whole, &rows);
			sshsig_sign(&whole, &keys[0], statement_namespace(other), buf_bytes(&whole));
			CHECK_OK(statement_parse(&st, buf_bytes(&whole), false, NULL, &err));
			CHECK_EQ(statement_verify_by(st, &keys[0].pub, &err), type == other ? 0 : E_SEAL);
		}
	}
}

TEST(what_one_key_must_sign_has_one_signature_by_it)
{
	_cleanup_(buf_done) struct buf one = { 0 }, twice = { 0 }, with_other = { 0 };
	const struct buf *const wholes[] = { &one, &twice, &with_other };
	struct sign_pub token;

	SIGNED(&one, 0);
	SIGNED(&twice, 0, 0);
	SIGNED(&with_other, 0, 2);
	token = keys[0].pub;
	token.kind = SIGN_SK_ED25519;
	memcpy(token.application, "ssh:", 5);
	for (size_t i = 0; i < ARRAY_SIZE(wholes); i++) {
		_cleanup_(statement_freep) struct statement *st = NULL;
		struct error err = { 0 };

		CHECK_OK(statement_parse(&st, buf_bytes(wholes[i]), false, NULL, &err));
		CHECK_EQ(statement_verify_by(st, &keys[0].pub, &err), i ? E_DENIED : 0);
		CHECK_EQ(statement_verify_by(st, &keys[2].pub, &err), E_DENIED);
		CHECK_EQ(statement_verify_by(st, &token, &err), E_DENIED); /* the same bytes in a token */
	}
}

TEST(there_are_one_to_sixteen_signatures)
{
	_cleanup_(buf_done) struct buf whole = { 0 };
	struct error err = { 0 };
	uint8_t hash[HASH_LEN];

	make_keys();
	sha256(hash, bytes_str(login));
	buf_add_str(&whole, login);
	for (size_t n = 0; n <= STATEMENT_SIGS_MAX + 1; n++) {
		_cleanup_(statement_freep) struct statement *st = NULL;
		size_t used = 0;
		int r = statement_parse(&st, buf_bytes(&whole), false, &used, &err);

		CHECK_EQ(r, n >= 1 && n <= STATEMENT_SIGS_MAX ? 0 : E_FORMAT);
		if (r == 0) {
			CHECK_EQ(used, whole.len);
			CHECK_EQ(statement_sig_count(st), n);
			assert_memory_equal(statement_hash(st), hash, HASH_LEN); /* further signatures do not change it */
		}
		sshsig_sign(&whole, &keys[n], "login@holdfast", bytes_str(login));
	}
}

/* What stands between two signatures ends the statement there: the second one is none of it. */
TEST(nothing_stands_between_signatures)
{
	static const char *const between[] = { "\n", " ", "x", "time: 2026-01-02T03:04:05Z\n", "holdfast-statement/1 login\n" };

	make_keys();
	for (size_t i = 0; i < ARRAY_SIZE(between); i++) {
		_cleanup_(statement_freep) struct statement *st = NULL;
		_cleanup_(buf_done) struct buf whole = { 0 };
		struct error err = { 0 };
		size_t used = 0, first;

		SIGNED(&whole, 0);
		first = whole.len;
		buf_add_str(&whole, between[i]);
		sshsig_sign(&whole, &keys[2], "login@holdfast", bytes_str(login));
		CHECK_OK(statement_parse(&st, buf_bytes(&whole), false, &used, &err));
		CHECK_EQ(used, first);
		CHECK_EQ(statement_sig_count(st), 1);
	}
}

TEST(a_broken_signature_block_is_refused)
{
	_cleanup_(buf_done) struct buf whole = { 0 };
	_cleanup_(statement_freep) struct statement *st = NULL;
	struct error err = { 0 };

	SIGNED(&whole, 0, 2);
	for (size_t len = strlen(login) + 1; len < whole.len; len++) {
		int r = statement_parse(&st, bytes_of(whole.ptr, len), false, NULL, &err);

		if (r == 0) { /* cut behind the first one, or so early in the second that it does not look like one */
			CHECK_EQ(statement_sig_count(st), 1);
			CHECK(len - statement_whole(st).len <= strlen("-----BEGIN SSH SIGNATURE-----\n"));
			st = statement_free(st);
		} else {
			CHECK_EQ(r, E_FORMAT);
		}
	}
}

TEST(ssh_keygen_verifies_every_type)
{
	const char *dir = test_folder();
	_cleanup_(mem_freep) char *allowed = mem_printf("%s/allowed", dir), *file = mem_printf("%s/sig", dir);
	struct error err = { 0 };

	make_keys();
	CHECK_OK(fs_write(allowed, bytes_str("alice " KEY_1 "\n"), 0600, &err));
	FOR_SIGNED_TYPES(type)
	{
		const char *const argv[] = { "ssh-keygen", "-Y", "verify", "-f", allowed, "-I", "alice", "-n", statement_namespace(type),
					     "-s",         file, NULL };
		_cleanup_(statement_freep) struct statement *st = NULL;
		_cleanup_(rows_done) struct rows rows = { 0 };
		_cleanup_(buf_done) struct buf whole = { 0 };
		struct proc_result run = { 0 };

		example(&rows, type, false);
		rows_text(&whole, &rows);
		CHECK_OK(statement_sign(&whole, &keys[0], &err));
		CHECK_OK(statement_parse(&st, buf_bytes(&whole), false, NULL, &err));
		CHECK_OK(fs_write(file, bytes_from(statement_whole(st), statement_text(st).len), 0600, &err));
		CHECK_OK(proc_run(&run, argv, statement_text(st), 10000, 4096, &err));
		CHECK_EQ(run.status, 0);
		proc_result_done(&run);
	}
}

TEST(what_is_signed_already_or_wrong_is_not_signed)
{
	_cleanup_(buf_done) struct buf whole = { 0 }, wrong = { 0 };
	struct error err = { 0 };

	make_keys();
	SIGNED(&whole, 0);
	CHECK_EQ(statement_check(buf_bytes(&whole), &err), E_FORMAT);
	buf_add_str(&wrong, LOGIN_TO LOGIN_FROM);
	CHECK_EQ(statement_sign(&wrong, &keys[0], &err), E_FORMAT);
	CHECK_BYTES(buf_bytes(&wrong), LOGIN_TO LOGIN_FROM);
}
