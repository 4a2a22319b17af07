/* tests/unit/test-retirement.c -- where a device stands on its way out follows from statements and time alone: every state, every way back,
 * and never a stronger word than the weakest of what was seen. Each case is computed with its statements in several orders. */
#include "tests/test.h"

#include "base/clock.h"
#include "cli/retirement.h"

#include <stdio.h>
#include <stdlib.h>

#define DEVICE "abcdefghijklmnopqrstuvwxyz"
#define HASH_A "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define AGE_A "age1s73k9tlmr5kg98lcccfpf89f9sjd45gal77ry8l5kh7xl8u2cagq4c7ukj"
#define FLEET "aaaaaaaaaaaaaaaaaaaaaaaaaa"

enum { BATCHES_MAX = 6, WORDS_MAX = 8, KEYS = 5, DAY_S = 86400, PLAIN = -1 };

static const int64_t t0 = 1800000000;
static const char all_done[] = "area: startup-config method=factory-reset claimed=clear seen=seen-after-reboot result=done\n"
			       "area: flash method=factory-reset claimed=vendor-purge seen=seen-after-reboot result=done\n";

struct one {
	struct statement *batch, *order, *controls[WORDS_MAX], *receipts[WORDS_MAX];
	size_t control_count, receipt_count;
};

struct script {
	struct root *roots[3];
	size_t root_count;
	struct one batches[BATCHES_MAX];
	struct statement *shredded[WORDS_MAX], *certificates[2];
	size_t batch_count, shredded_count, certificate_count;
	int64_t now_s;
};

static struct statement *parsed(const struct buf *text)
{
	struct statement *st = NULL;
	struct error err = { 0 };

	CHECK_OK(statement_parse(&st, buf_bytes(text), true, NULL, &err));
	return st;
}

/* ---- people: alice, bob and carol retire, alice and dave read, two have to agree ---- */

static void add_root(struct script *s, const char *people, const char *roles)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	struct error err = { 0 };
	char names[64], *name, *rest = names;
	uint8_t i = 0;

	snprintf(names, sizeof(names), "%s", people);
	statement_begin(&text, STATEMENT_ROOT);
	if (s->root_count)
		buf_addf(&text, "fleet: " FLEET "\nversion: %zu\nprev: " HASH_A "\n", s->root_count + 1);
	else
		buf_add_str(&text, "version: 1\n");
	buf_add_str(&text, "time: 2026-01-01T00:00:00Z\nexpires: 2199-01-01T00:00:00Z\nname: plant\n");
	while ((name = strsep(&rest, " ")))
		buf_addf(&text, "person: %s\n", name);
	snprintf(names, sizeof(names), "%s", people);
	for (rest = names; (name = strsep(&rest, " "));) {
		struct sign_key key = { 0 };
		uint8_t seed[32];
		char pub[SIGN_PUB_TEXT_MAX];

		memset(seed, ++i, sizeof(seed));
		sign_key_from_seed(&key, seed);
		sign_pub_text(pub, &key.pub);
		sign_key_done(&key);
		if (strcmp(name, "escrow") != 0)
			buf_addf(&text, "key: %s %s\n", name, pub);
	}
	buf_add_str(&text, roles);
	buf_add_str(&text, "threshold: factory-reset 2\nthreshold: shred 2\narchive: ssh-ed25519 "
			   "AAAAC3NzaC1lZDI1NTE5AAAAIPOJ8IblTQQ3J+mTQlwxUVUHFTQi0E1w7a4ZfLFdxvFx\n"
			   "tls-pin: AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\nserver: localhost:8443\n");
	CHECK_OK(root_new(&s->roots[s->root_count], parsed(&text), &err));
	s->root_count++;
}

static const char first_roles[] =
	"reading-key: alice " AGE_A "\nreading-key: dave age1xmwwc06ly3ee5rytxm9mflaz2u56jjj36s0mypdrwsvlul66mv4q47ryef\n"
	"role: root alice\nrole: admin alice\nrole: reader alice dave\nrole: deployer alice\nrole: retirer alice bob carol\n";

static void begin(struct script *s)
{
	*s = (struct script){ .now_s = t0 };
	add_root(s, "alice bob carol dave", first_roles);
}

static void done(struct script *s)
{
	for (size_t i = 0; i < s->root_count; i++)
		root_free(s->roots[i]);
	for (size_t i = 0; i < s->batch_count; i++) {
		statement_free(s->batches[i].batch);
		statement_free(s->batches[i].order);
		for (size_t k = 0; k < WORDS_MAX; k++) {
			statement_free(s->batches[i].controls[k]);
			statement_free(s->batches[i].receipts[k]);
		}
	}
	for (size_t i = 0; i < WORDS_MAX; i++)
		statement_free(s->shredded[i]);
	for (size_t i = 0; i < 2; i++)
		statement_free(s->certificates[i]);
}

/* ---- what people sign ---- */

static int add_batch(struct script *s, const char *kind, uint64_t number, int64_t not_before_s, const char *more)
{
	struct one *b = &s->batches[s->batch_count];
	_cleanup_(buf_done) struct buf text = { 0 }, order = { 0 };

	statement_begin(&text, STATEMENT_BATCH);
	buf_addf(&text, "fleet: " FLEET "\nkind: %s\nperson: alice\n", kind);
	statement_add_time(&text, "time", t0 + (int64_t)s->batch_count);
	statement_add_time(&text, "not-before", not_before_s);
	statement_add_time(&text, "expires", not_before_s + 3 * DAY_S);
	buf_add_str(&text, "root: 1\nreason: end of life\ncount: 1\ntree: " HASH_A "\n");
	b->batch = parsed(&text);
	statement_begin(&order, STATEMENT_ORDER);
	buf_addf(&order, "fleet: " FLEET "\ndevice: " DEVICE "\norder: %llu\nkind: %s\nnonce: " HASH_A "\n%s", (unsigned long long)number,
		 kind, more);
	b->order = parsed(&order);
	return (int)s->batch_count++;
}

static int erase(struct script *s, uint64_t number)
{
	return add_batch(s, "factory-reset", number, t0 - 60, "challenge: " HASH_A "\n");
}

/* after: the batch that erases; PLAIN: given up. */
static int shred(struct script *s, uint64_t number, int after, int64_t hold_s)
{
	char more[100] = "", hash[2 * HASH_LEN + 1];

	if (after != PLAIN) {
		statement_hash_hex(hash, s->batches[after].batch);
		snprintf(more, sizeof(more), "after: %s\n", hash);
	}
	return add_batch(s, "shred", number, t0 + hold_s, more);
}

static void decide(struct script *s, int batch, const char *person, const char *action)
{
	struct one *b = &s->batches[batch];
	_cleanup_(buf_done) struct buf text = { 0 };

	statement_begin(&text, STATEMENT_CONTROL);
	statement_add(&text, "fleet", "%s", FLEET);
	statement_add_hash(&text, "batch", statement_hash(b->batch));
	buf_addf(&text, "action: %s\nperson: %s\n", action, person);
	statement_add_time(&text, "time", t0 + (int64_t)b->control_count);
	statement_add(&text, "root", "%zu", s->root_count);
	b->controls[b->control_count++] = parsed(&text);
}

/* What the device says of its order. */
static void say(struct script *s, int batch, uint64_t number, const char *outcome, const char *check, const char *areas)
{
	struct one *b = &s->batches[batch];
	_cleanup_(buf_done) struct buf text = { 0 };

	statement_begin(&text, STATEMENT_RECEIPT);
	buf_addf(&text, "fleet: " FLEET "\ndevice: " DEVICE "\nnumber: %llu\nprev: " HASH_A "\n", (unsigned long long)number);
	statement_add_time(&text, "time", t0);
	statement_add(&text, "root", "1");
	statement_add(&text, "order", "%llu", (unsigned long long)statement_number(b->order, "order"));
	statement_add_hash(&text, "batch", statement_hash(b->batch));
	statement_add_hash(&text, "leaf", statement_hash(b->order));
	statement_add(&text, "outcome", "%s", outcome);
	if (*check)
		statement_add(&text, "check", "%s", check);
	buf_add_str(&text, areas);
	b->receipts[b->receipt_count++] = parsed(&text);
}

static void say_shredded(struct script *s, int batch, const char *by, int64_t time_s)
{
	_cleanup_(buf_done) struct buf text = { 0 };

	statement_begin(&text, STATEMENT_SHREDDED);
	buf_addf(&text, "fleet: " FLEET "\ndevice: " DEVICE "\nby: %s\n", by);
	statement_add_time(&text, "time", time_s);
	statement_add(&text, "root", "%zu", s->root_count);
	statement_add_hash(&text, "batch", statement_hash(s->batches[batch].batch));
	statement_add_hash(&text, "leaf", statement_hash(s->batches[batch].order));
	s->shredded[s->shredded_count++] = parsed(&text);
}

static void certify(struct script *s, int batch, const char *state)
{
	_cleanup_(buf_done) struct buf text = { 0 };

	statement_begin(&text, STATEMENT_CERTIFICATE);
	buf_addf(&text,
		 "fleet: " FLEET "\ndevice: " DEVICE
		 "\ndevice-name: sw1\nstate: %s\nstandard: NIST SP 800-88r2\ncategory: none\nevidence: nothing\n",
		 state);
	statement_add_hash(&text, "shred", statement_hash(s->batches[batch].batch));
	statement_add_hash(&text, "shredded", statement_hash(s->shredded[0]));
	buf_addf(&text, "log: 9 " HASH_A "\nperformed: alice\nlimit: none\n");
	statement_add_time(&text, "time", t0);
	statement_add(&text, "root", "1");
	s->certificates[s->certificate_count++] = parsed(&text);
}

/* Both batches agreed to by alice (author) and bob. */
static int agreed(struct script *s, int batch)
{
	decide(s, batch, "bob", "approve");
	return batch;
}

/* ---- looking ---- */

static void compute(struct retirement *out, const struct script *s, bool is_reversed, struct retirement_batch room[static BATCHES_MAX])
{
	const struct statement *shredded[WORDS_MAX];
	static const struct statement *receipts[2][BATCHES_MAX][WORDS_MAX];
	struct retirement_facts f = { .device = DEVICE, .roots = s->roots, .root_count = s->root_count, .batch_count = s->batch_count,
				      .batches = room, .shredded_count = s->shredded_count, .shredded = shredded,
				      .certificate_count = s->certificate_count,
				      .certificates = (const struct statement *const *)s->certificates, .now_s = s->now_s };

	for (size_t i = 0; i < s->batch_count; i++) {
		const struct one *b = &s->batches[is_reversed ? s->batch_count - 1 - i : i];

		for (size_t k = 0; k < b->receipt_count; k++)
			receipts[is_reversed][i][k] = b->receipts[is_reversed ? b->receipt_count - 1 - k : k];
		room[i] = (struct retirement_batch){ b->batch, b->order, b->control_count, (const struct statement *const *)b->controls,
						     b->receipt_count, receipts[is_reversed][i] };
	}
	for (size_t i = 0; i < s->shredded_count; i++)
		shredded[i] = s->shredded[is_reversed ? s->shredded_count - 1 - i : i];
	retirement_compute(out, &f);
}

/* The same, whatever order the statements come in. */
static struct retirement look(const struct script *s)
{
	static struct retirement_batch rooms[2][BATCHES_MAX]; /* the answer points into them */
	struct retirement a, b;

	compute(&a, s, false, rooms[0]);
	compute(&b, s, true, rooms[1]);
	CHECK_STR(retirement_state_name(a.state), retirement_state_name(b.state));
	CHECK_STR(retirement_phase_name(a.erase.phase), retirement_phase_name(b.erase.phase));
	CHECK_STR(retirement_phase_name(a.shred.phase), retirement_phase_name(b.shred.phase));
	CHECK_EQ(a.is_contradicted, b.is_contradicted);
	CHECK_EQ(a.missing_count, b.missing_count);
	CHECK(!(a.is_wiped && a.is_lost));
	return a;
}

static void stands(const struct script *s, const char *state, const char *erase_phase, const char *shred_phase)
{
	struct retirement r = look(s);

	if (r.is_contradicted)
		fail_msg("contradicted: %s", r.contradiction);
	CHECK_STR(retirement_state_name(r.state), state);
	CHECK_STR(retirement_phase_name(r.erase.phase), erase_phase);
	CHECK_STR(retirement_phase_name(r.shred.phase), shred_phase);
}

static void contradicts(const struct script *s, const char *state, const char *says)
{
	struct retirement r = look(s);

	CHECK(r.is_contradicted);
	if (!strstr(r.contradiction, says))
		fail_msg("'%s' is not in '%s'", says, r.contradiction);
	CHECK_STR(retirement_state_name(r.state), state);
}

/* ---- the way out ---- */

TEST(a_device_goes_through_every_state_of_the_ceremony)
{
	_cleanup_(done) struct script s;
	int e, d;

	begin(&s);
	stands(&s, "active", "none", "none");
	e = erase(&s, 5);
	d = shred(&s, 6, e, 10 * DAY_S);
	stands(&s, "retiring", "waiting", "waiting");
	agreed(&s, e);
	stands(&s, "retiring", "given", "waiting");
	agreed(&s, d);
	say(&s, e, 9, "armed", "", "");
	stands(&s, "retiring", "armed", "given");
	CHECK_EQ(look(&s).erase.delay_end_s, t0 + ROOT_DELAY_DEFAULT_S);
	say(&s, e, 10, "done", "", all_done);
	stands(&s, "held", "done", "given");
	s.now_s = t0 + 10 * DAY_S + 1; /* due: the archive has said nothing, and so nothing is said of it */
	stands(&s, "wiped", "done", "given");
	say_shredded(&s, d, "archive", s.now_s);
	stands(&s, "shredding", "done", "done");
	CHECK_EQ(look(&s).missing_count, 2);
	say_shredded(&s, d, "dave", s.now_s);
	CHECK_EQ(look(&s).missing_count, 1);
	CHECK_STR(look(&s).missing[0], "alice");
	say_shredded(&s, d, "alice", s.now_s);
	stands(&s, "shredded", "done", "done");
	certify(&s, d, "wiped");
	stands(&s, "certified", "done", "done");
}

TEST(a_lost_device_is_given_up_when_enough_people_say_so_and_no_later_word_brings_it_back)
{
	_cleanup_(done) struct script s;
	int d;

	begin(&s);
	d = shred(&s, 6, PLAIN, 10 * DAY_S);
	stands(&s, "retiring", "none", "waiting");
	agreed(&s, d);
	stands(&s, "held", "none", "given");
	CHECK(look(&s).is_lost);
	decide(&s, d, "bob", "withdraw");
	stands(&s, "lost", "none", "waiting");
	decide(&s, d, "carol", "abort");
	stands(&s, "lost", "none", "cancelled");
}

TEST(a_lost_decision_outlives_who_made_it)
{
	_cleanup_(done) struct script s;
	int d;

	begin(&s);
	d = shred(&s, 6, PLAIN, 0);
	agreed(&s, d);
	add_root(&s, "alice carol dave", "reading-key: alice " AGE_A "\nrole: root alice\nrole: admin alice\nrole: reader alice\n"
					 "role: deployer alice\nrole: retirer alice carol\n");
	CHECK(look(&s).is_lost);
	CHECK_EQ(look(&s).shred.consent.people, 1);
}

TEST(a_device_that_never_answers_an_erasure_may_be_given_up_beside_it)
{
	_cleanup_(done) struct script s;
	int e, d;

	begin(&s);
	e = agreed(&s, erase(&s, 5));
	agreed(&s, shred(&s, 6, e, DAY_S));
	d = shred(&s, 7, PLAIN, 2 * DAY_S);
	stands(&s, "retiring", "given", "waiting"); /* what people are asked for now */
	agreed(&s, d);
	CHECK(look(&s).is_lost);
	CHECK(look(&s).shred.of->order == s.batches[d].order);
	CHECK(!retirement_in_hand(&(struct retirement){ .state = RETIREMENT_LOST }));
	say(&s, e, 9, "done", "", all_done); /* it did answer in the end: that is the stronger word, and it was signed */
	stands(&s, "held", "done", "given");
	CHECK(look(&s).is_wiped);
	CHECK(look(&s).shred.of->order != s.batches[d].order); /* the other one is due before it */
}

TEST(what_a_device_wiped_is_not_called_lost)
{
	_cleanup_(done) struct script s;
	int e;

	begin(&s);
	e = agreed(&s, erase(&s, 5));
	agreed(&s, shred(&s, 6, PLAIN, DAY_S));
	CHECK(look(&s).is_lost);
	say(&s, e, 9, "done", "", all_done);
	CHECK(look(&s).is_wiped);
	stands(&s, "held", "done", "given");
}

/* ---- the ways back ---- */

TEST(what_was_stopped_before_enough_agreed_leaves_the_device_active)
{
	_cleanup_(done) struct script s;
	int e;

	begin(&s);
	e = erase(&s, 5);
	decide(&s, e, "carol", "reject");
	stands(&s, "active", "cancelled", "none");
	decide(&s, e, "carol", "withdraw");
	stands(&s, "retiring", "waiting", "none");
	decide(&s, e, "alice", "abort");
	stands(&s, "active", "cancelled", "none");
}

TEST(what_was_stopped_when_the_device_may_have_it_stays_in_hand_until_the_device_answers)
{
	_cleanup_(done) struct script s;
	int e;

	begin(&s);
	e = agreed(&s, erase(&s, 5));
	decide(&s, e, "carol", "reject");
	stands(&s, "retiring", "stopping", "none");
	say(&s, e, 9, "refused", "cancelled", "");
	stands(&s, "active", "cancelled", "none");
}

TEST(an_armed_device_stays_in_hand_behind_the_end_of_its_batch)
{
	_cleanup_(done) struct script s;
	int e;

	begin(&s);
	e = agreed(&s, erase(&s, 5));
	say(&s, e, 9, "armed", "", "");
	s.now_s = t0 + 30 * DAY_S;
	stands(&s, "retiring", "armed", "none");
	decide(&s, e, "carol", "abort");
	stands(&s, "retiring", "stopping", "none");
	say(&s, e, 10, "done", "", all_done); /* too late: behind the delay nothing stops it */
	stands(&s, "wiped", "done", "none");
}

TEST(what_expired_or_was_refused_leaves_the_device_active)
{
	_cleanup_(done) struct script s;
	int e;

	begin(&s);
	e = erase(&s, 5);
	s.now_s = t0 + 3 * DAY_S;
	stands(&s, "active", "expired", "none");
	CHECK(!look(&s).erase.was_given);
	agreed(&s, e);
	stands(&s, "active", "expired", "none");
	CHECK(look(&s).erase.was_given); /* it is said that nobody knows what became of it */
	say(&s, e, 9, "refused", "challenge", "");
	stands(&s, "active", "refused", "none");
	e = erase(&s, 7);
	s.now_s = t0;
	stands(&s, "retiring", "waiting", "none");
}

TEST(a_failure_stays_until_a_new_order_is_in_hand_and_a_refused_one_does_not_hide_it)
{
	_cleanup_(done) struct script s;
	int e;

	begin(&s);
	e = agreed(&s, erase(&s, 5));
	agreed(&s, shred(&s, 6, e, DAY_S));
	say(&s, e, 9, "failed", "", "area: flash method=factory-reset claimed=clear seen=accepted result=partial\n");
	stands(&s, "failed", "failed", "none"); /* what was to be shredded behind it never will be */
	e = agreed(&s, erase(&s, 7));
	stands(&s, "retiring", "given", "none"); /* the shredding waits for the other one, in vain */
	say(&s, e, 10, "refused", "expired", "");
	stands(&s, "failed", "failed", "none"); /* what was to be shredded behind it never will be */
	e = agreed(&s, erase(&s, 8));
	say(&s, e, 11, "done", "", all_done);
	stands(&s, "wiped", "done", "none");
}

TEST(a_shredding_that_was_stopped_or_expired_holds_nothing)
{
	_cleanup_(done) struct script s;
	int e, d;

	begin(&s);
	e = agreed(&s, erase(&s, 5));
	say(&s, e, 9, "done", "", all_done);
	d = shred(&s, 6, e, 10 * DAY_S);
	stands(&s, "wiped", "done", "waiting");
	agreed(&s, d);
	stands(&s, "held", "done", "given");
	decide(&s, d, "carol", "reject");
	stands(&s, "wiped", "done", "cancelled");
	d = agreed(&s, shred(&s, 7, e, 10 * DAY_S));
	stands(&s, "held", "done", "given");
	s.now_s = t0 + 14 * DAY_S;
	stands(&s, "wiped", "done", "expired");
}

TEST(who_left_the_root_need_not_say_anything_and_who_came_later_has_nothing_to_say)
{
	_cleanup_(done) struct script s;
	int d;

	begin(&s);
	d = agreed(&s, shred(&s, 6, PLAIN, 0));
	say_shredded(&s, d, "archive", t0 + 1);
	say_shredded(&s, d, "alice", t0 + 2);
	stands(&s, "shredding", "none", "done");
	add_root(&s, "alice bob carol erin",
		 "reading-key: alice " AGE_A "\nreading-key: erin age1xmwwc06ly3ee5rytxm9mflaz2u56jjj36s0mypdrwsvlul66mv4q47ryef\n"
		 "role: root alice\nrole: admin alice\nrole: reader alice erin\nrole: deployer alice\n"
		 "role: retirer alice bob carol\n");
	stands(&s, "shredded", "none", "done");
}

TEST(a_key_in_escrow_belongs_to_nobody_who_could_say_anything)
{
	_cleanup_(done) struct script s = { .now_s = t0 };
	int d;

	add_root(&s, "alice bob carol escrow",
		 "reading-key: alice " AGE_A "\nreading-key: escrow age1xmwwc06ly3ee5rytxm9mflaz2u56jjj36s0mypdrwsvlul66mv4q47ryef\n"
		 "role: root alice\nrole: admin alice\nrole: reader alice escrow\nrole: deployer alice\n"
		 "role: retirer alice bob carol\n");
	d = agreed(&s, shred(&s, 6, PLAIN, 0));
	say_shredded(&s, d, "archive", t0 + 1);
	CHECK_EQ(look(&s).missing_count, 1);
	CHECK_STR(look(&s).missing[0], "alice");
	say_shredded(&s, d, "alice", t0 + 2);
	stands(&s, "shredded", "none", "done");
}

/* ---- contradictions ---- */

TEST(done_with_an_area_that_is_not_counts_as_failed)
{
	_cleanup_(done) struct script s;
	int e;

	begin(&s);
	e = agreed(&s, erase(&s, 5));
	say(&s, e, 9, "done", "", "area: flash method=reset claimed=clear seen=read-back result=partial\n");
	contradicts(&s, "failed", "not every area");
}

TEST(done_without_any_area_counts_as_failed)
{
	_cleanup_(done) struct script s;
	int e;

	begin(&s);
	e = agreed(&s, erase(&s, 5));
	say(&s, e, 9, "done", "", "");
	contradicts(&s, "failed", "not every area");
}

TEST(two_last_words_under_one_number_count_as_failed)
{
	_cleanup_(done) struct script s;
	int e;

	begin(&s);
	e = agreed(&s, erase(&s, 5));
	say(&s, e, 9, "done", "", all_done);
	say(&s, e, 9, "refused", "cancelled", "");
	contradicts(&s, "failed", "two receipts with number 9");
}

TEST(the_first_last_word_counts)
{
	_cleanup_(done) struct script s;
	int e;

	begin(&s);
	e = agreed(&s, erase(&s, 5));
	say(&s, e, 8, "armed", "", "");
	say(&s, e, 9, "failed", "", "area: flash method=reset claimed=clear seen=accepted result=partial\n");
	say(&s, e, 10, "done", "", all_done);
	stands(&s, "failed", "failed", "none");
}

TEST(an_archive_that_shredded_without_leave_is_told_of)
{
	_cleanup_(done) struct script s;
	int e, d;

	begin(&s);
	e = agreed(&s, erase(&s, 5));
	d = shred(&s, 6, e, 0);
	say_shredded(&s, d, "archive", t0 + 1);
	contradicts(&s, "shredding", "not enough people");
	agreed(&s, d);
	contradicts(&s, "shredding", "had to wait for was not done");
	say(&s, e, 9, "done", "", all_done);
	stands(&s, "shredding", "done", "done");
}

TEST(an_archive_that_shredded_too_early_is_told_of)
{
	_cleanup_(done) struct script s;
	int d;

	begin(&s);
	d = agreed(&s, shred(&s, 6, PLAIN, DAY_S));
	say_shredded(&s, d, "archive", t0 + 1);
	contradicts(&s, "shredding", "before its hold was over");
}

TEST(a_certificate_that_says_more_than_was_seen_is_none)
{
	_cleanup_(done) struct script s;
	int d;

	begin(&s);
	d = agreed(&s, shred(&s, 6, PLAIN, 0));
	say_shredded(&s, d, "archive", t0 + 1);
	certify(&s, d, "wiped");
	contradicts(&s, "shredding", "certificate says wiped");
}

TEST(a_certificate_of_a_shredding_that_nobody_knows_is_none)
{
	_cleanup_(done) struct script s;
	int d, other;

	begin(&s);
	d = agreed(&s, shred(&s, 6, PLAIN, 0));
	other = shred(&s, 7, PLAIN, 0);
	say_shredded(&s, d, "archive", t0 + 1);
	certify(&s, other, "lost");
	contradicts(&s, "shredding", "is not known");
}

/* ---- words ---- */

static const char *category(const char *areas)
{
	_cleanup_(done) struct script s;
	int e;

	begin(&s);
	e = erase(&s, 5);
	say(&s, e, 9, "done", "", areas);
	return area_claim_name(area_category(s.batches[e].receipts[0]));
}

TEST(a_category_is_never_more_than_the_weakest_area)
{
	CHECK_STR(category(all_done), "clear"); /* a vendor's purge is a clear */
	CHECK_STR(category("area: sda method=sanitize claimed=purge seen=read-back result=done\n"), "purge");
	CHECK_STR(category("area: sda method=sanitize claimed=purge seen=accepted result=done\n"), "none");
	CHECK_STR(category("area: sda method=sanitize claimed=purge seen=read-back result=partial\n"), "none");
	CHECK_STR(category("area: sda method=sanitize claimed=purge seen=read-back result=done\n"
			   "area: sdb method=overwrite claimed=clear seen=read-back result=done\n"), "clear");
	CHECK_STR(category("area: sda method=sanitize claimed=purge seen=read-back result=done\n"
			   "area: sdb method=none claimed=none seen=read-back result=done\n"), "none");
	CHECK_STR(category(""), "none");
}

TEST(who_may_still_agree_is_named)
{
	_cleanup_(done) struct script s;
	_cleanup_(buf_done) struct buf text = { 0 };
	int e;

	begin(&s);
	e = erase(&s, 5);
	retirement_silent_people(&text, look(&s).erase.of, s.roots[0]);
	CHECK_STR(buf_text(&text), "bob, carol");
	decide(&s, e, "bob", "approve");
	buf_truncate(&text, 0);
	retirement_silent_people(&text, look(&s).erase.of, s.roots[0]);
	CHECK_STR(buf_text(&text), "carol");
}
