/* tests/fuzz/fuzz-root.c -- roots and successions of them.
 *
 * The input is read as a server's list of roots; and its text is signed by keys that we have, so that mutated roots reach the rules
 * behind the signatures, whose answers are counted a second time here. */
#include "tests/fuzz/fuzz.h"

#include "agent/state.h"

#include <string.h>

enum { KEYS = 6 };

static const struct sign_key *key_of(size_t i)
{
	static struct sign_key keys[KEYS];
	uint8_t seed[32] = { (uint8_t)(i + 1) };

	if (!keys[i].pair.ptr)
		sign_key_from_seed(&keys[i], seed);
	return &keys[i];
}

/* ---- one root ---- */

static unsigned count_role(const struct root *root, enum role role)
{
	unsigned n = 0;

	for (size_t i = 0; i < root_people(root); i++)
		n += root_has_role(root, root_person(root, i), role);
	return n;
}

static void check_keys(const struct root *root)
{
	struct sign_pub pub, other, archive[4];
	size_t count = root_archive_keys(archive, 4, root);
	const char *person, *again;

	for (size_t i = 0; root_key(root, i, &person, &pub); i++) {
		MUST(!strcmp(root_person_of(root, &pub), person));
		for (size_t k = 0; k < i && root_key(root, k, &again, &other); k++)
			MUST(!sign_pub_same_key(&pub, &other));
		for (size_t k = 0; k < count; k++)
			MUST(!sign_pub_same_key(&pub, &archive[k]));
	}
}

static void check_lists(const struct root *root)
{
	struct age_recipient to[AGE_RECIPIENTS_MAX];
	const char *names[AGE_RECIPIENTS_MAX];
	_cleanup_(buf_done) struct buf allowed = { 0 };
	size_t n = root_recipients(to, names, root, ROLE_READER, ROLE_AUDITOR), lines = 0, keys = 0, witnesses = 0;
	struct sign_pub archive[4], pub;
	struct bytes rest, line;
	uint8_t pins[4][32];
	const char *person;

	for (size_t i = 0; i < n; i++)
		MUST(root_has_role(root, names[i], ROLE_READER) || root_has_role(root, names[i], ROLE_AUDITOR));
	MUST(root_tls_pins(pins, 4, root) >= 1);
	root_allowed_signers(&allowed, root);
	rest = buf_bytes(&allowed);
	while (bytes_next_line(&rest, &line))
		lines++;
	while (root_key(root, keys, &person, &pub))
		keys++;
	while (root_witness(root, witnesses)) {
		for (size_t k = 0; k < witnesses; k++)
			MUST(strcmp(root_witness(root, k), root_witness(root, witnesses)) != 0);
		witnesses++;
	}
	MUST(witnesses <= ROOT_WITNESSES_MAX);
	MUST(lines == keys + root_archive_keys(archive, 4, root) + witnesses); /* one line per key */
}

/* What makes a root that cannot be carried on, or carried by fewer people than it seems. */
static void check_thresholds(const struct root *root)
{
	unsigned root_need = root_threshold(root, "root");

	MUST(count_role(root, ROLE_ROOT) >= 1 && root_need >= 1);
	MUST(root_need <= count_role(root, ROLE_ROOT) && root_need <= STATEMENT_SIGS_MAX);
	MUST(root_threshold(root, "login") == 1);
	MUST(root_delay(root, "purge") <= ROOT_DELAY_MAX_S && root_delay(root, "factory-reset") <= ROOT_DELAY_MAX_S);
	MUST(root_threshold(root, "factory-reset") >= 1 && root_threshold(root, "purge") >= 1 && root_threshold(root, "admit") >= 1);
}

static void check_root(const struct root *root)
{
	struct error err = { 0 };

	MUST(root_version(root) >= 1 && id_is_valid(bytes_str(root_fleet(root))));
	MUST(root_people(root) >= 1 && root_people(root) <= ROOT_PEOPLE_MAX);
	MUST(root_succeeds(root, root, &err) < 0);
	check_thresholds(root);
	check_keys(root);
	check_lists(root);
}

/* ---- signed by whom we like ---- */

/* How many people of role root are among the first `signers` keys; -1 when one of these may not sign at all. */
static int count_people(const struct root *root, size_t signers)
{
	const char *seen[KEYS];
	int n = 0;

	for (size_t i = 0; i < signers; i++) {
		const char *person = root_person_of(root, &key_of(i)->pub);
		bool is_new = true;

		if (!person || !root_has_role(root, person, ROLE_ROOT))
			return -1;
		for (int k = 0; k < n; k++)
			is_new = is_new && strcmp(seen[k], person) != 0;
		if (is_new)
			seen[n++] = person;
	}
	return n;
}

static void check_signed(struct bytes text, size_t signers)
{
	_cleanup_(root_freep) struct root *root = NULL;
	_cleanup_(buf_done) struct buf whole = { 0 };
	struct statement *st = NULL;
	struct error err = { 0 };
	int people, r;

	buf_add_bytes(&whole, text);
	for (size_t i = 0; i < signers; i++)
		sshsig_sign(&whole, key_of(i), "root@holdfast", text);
	MUST_OK(statement_parse(&st, buf_bytes(&whole), false, NULL, &err));
	MUST_OK(root_new(&root, st, &err));
	people = count_people(root, signers);
	r = root_accept_first(root, NULL, &err);
	MUST((r == 0) == (root_version(root) == 1 && people >= (int)root_threshold(root, "root")));
}

static void check_text(struct bytes in)
{
	_cleanup_(root_freep) struct root *root = NULL;
	struct statement *st = NULL;
	struct error err = { 0 };

	if (statement_parse(&st, in, true, NULL, &err) < 0)
		return;
	if (root_new(&root, st, &err) < 0) {
		MUST(!root && err.text[0]);
		return;
	}
	check_root(root);
	check_signed(statement_text(root_statement(root)), 1 + in.len % KEYS);
}

/* ---- a list ---- */

static void check_list(struct bytes in)
{
	_cleanup_(root_freep) struct root *root = NULL;
	struct error err = { 0 };
	uint64_t count = 0;

	if (roots_check(&root, in, NULL, &err) < 0) {
		MUST(!root);
		return;
	}
	while (in.len) {
		_cleanup_(statement_freep) struct statement *st = NULL;
		size_t used = 0;

		MUST_OK(statement_parse(&st, in, false, &used, &err));
		MUST(statement_type(st) == STATEMENT_ROOT && statement_number(st, "version") == ++count);
		in = bytes_from(in, used);
		if (!in.len)
			MUST(bytes_equal(statement_whole(st), statement_whole(root_statement(root))));
	}
	MUST(root_version(root) == count);
	check_root(root);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check_text(bytes_of(data, size));
	check_list(bytes_of(data, size));
	return 0;
}
