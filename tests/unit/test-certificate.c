/* tests/unit/test-certificate.c -- the proof of a retirement: drafted from what was seen, it holds offline, and nothing in it can be
 * changed, left out, exchanged or made stronger. */
#include "tests/test.h"

#include "base/clock.h"
#include "cli/bundle.h"
#include "cli/certificate.h"
#include "cli/cli.h"
#include "tests/fleet.h"

#include <stdio.h>
#include <stdlib.h>

enum { ALICE, BOB, CAROL, ARCHIVE, TOWER, MALLORY, KEYS };
enum { LEAVES_MAX = 64, PARTS_MAX = 64 };

static const char *const people[] = { "alice", "bob", "carol" };
static const char purged[] = "area: flash method=boot-menu claimed=vendor-purge seen=seen-after-reboot result=done\n"
			     "area: config method=factory-reset claimed=clear seen=read-back result=done\nleft: the USB stick\n"
			     "transcript: 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\n";

/* What the story is told with; a test changes one thing of it. */
struct story {
	const char *areas, *outcome;
	bool is_lost, hides_bob, is_dismissed, lowers_threshold, is_by_one, is_unarchived, is_early, has_no_witness;
	const char *from, *to; /* in the certificate's text, before it is signed */
};

struct world {
	struct story story;
	struct sign_key keys[KEYS];
	struct age_identity readers[2];
	struct fleet fleet; /* only its id and alice's key */
	struct fleet_device device;
	struct merkle_hash leaves[LEAVES_MAX];
	uint64_t leaf_count;
	struct bundle bundle;
	uint64_t index[PARTS_MAX]; /* of each part of the bundle in the log; UINT64_MAX: a head */
	struct statement *root, *erase, *erase_order, *receipt, *shred, *shred_order, *shredded[3];
	size_t shredded_count;
	uint64_t log_size; /* that the certificate names */
	int64_t now_s;
};

/* ---- the log ---- */

static int leaf_of(void *ctx, uint64_t i, struct merkle_hash *out, struct error *err _unused_)
{
	*out = ((struct world *)ctx)->leaves[i];
	return 0;
}

static struct merkle_hash tree_of(const struct world *w, uint64_t size)
{
	struct merkle tree = { 0 };

	for (uint64_t i = 0; i < size; i++)
		merkle_add(&tree, w->leaves[i]);
	return merkle_root(&tree);
}

/* Of another device, nothing to us. */
static void add_noise(struct world *w)
{
	w->leaves[w->leaf_count] = merkle_leaf(bytes_of(&w->leaf_count, sizeof(w->leaf_count)));
	w->leaf_count++;
}

/* A statement that is archived: in the log, and in the bundle, which owns it. */
static struct statement *archive(struct world *w, const struct buf *whole)
{
	struct statement *st = NULL;
	struct error err = { 0 };

	CHECK_OK(statement_parse(&st, buf_bytes(whole), false, NULL, &err));
	w->leaves[w->leaf_count] = merkle_leaf(statement_text(st));
	w->index[w->bundle.count] = w->leaf_count++;
	bundle_add(&w->bundle, st);
	return st;
}

static struct statement *archive_signed(struct world *w, struct buf *text, enum statement_type type, const int *signers)
{
	_cleanup_(buf_done) struct buf whole = { 0 };

	buf_add_bytes(&whole, buf_bytes(text));
	for (; *signers >= 0; signers++)
		sshsig_sign(&whole, &w->keys[*signers], statement_namespace(type), buf_bytes(text));
	return archive(w, &whole);
}

#define BY(...) ((const int[]){ __VA_ARGS__, -1 })

/* ---- who there is ---- */

static void add_root(struct world *w, int count, const char *retirers, const char *more, const int *signers)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	char pub[SIGN_PUB_TEXT_MAX], reader[AGE_RECIPIENT_LEN + 1];

	statement_begin(&text, STATEMENT_ROOT);
	if (w->root)
		statement_add(&text, "fleet", "%s", w->fleet.id);
	statement_add(&text, "version", "%llu", w->root ? (unsigned long long)statement_number(w->root, "version") + 1 : 1);
	if (w->root)
		statement_add_hash(&text, "prev", statement_hash(w->root));
	buf_add_str(&text, "time: 2026-01-01T00:00:00Z\nexpires: 2199-01-01T00:00:00Z\nname: plant\n");
	for (int i = 0; i < count; i++)
		buf_addf(&text, "person: %s\n", people[i]);
	for (int i = 0; i < count; i++) {
		sign_pub_text(pub, &w->keys[i].pub);
		buf_addf(&text, "key: %s %s\n", people[i], pub);
	}
	for (int i = 0; i < 2; i++) {
		age_recipient_text(reader, &w->readers[i].pub);
		buf_addf(&text, "reading-key: %s %s\n", people[i], reader);
	}
	sign_pub_text(pub, &w->keys[ARCHIVE].pub);
	buf_addf(&text, "role: root alice bob\nrole: admin alice\nrole: reader alice bob\nrole: retirer %s\n%sarchive: %s\n", retirers,
		 more, pub);
	sign_pub_text(pub, &w->keys[TOWER].pub);
	buf_addf(&text, "witness: tower %s\ntls-pin: AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\nserver: localhost:8443\n", pub);
	w->root = archive_signed(w, &text, STATEMENT_ROOT, signers);
	if (!*w->fleet.id)
		id_of_hash(w->fleet.id, statement_hash(w->root));
}

static void add_device(struct world *w)
{
	static const uint8_t secret[32] = { 9 };
	_cleanup_(buf_done) struct buf enrol = { 0 }, admit = { 0 }, epoch = { 0 }, snapshot = { 0 };

	fleet_device_init(&w->device, "sw1");
	fleet_enrol(&enrol, &w->fleet, &w->device, secret);
	fleet_admit(&admit, &w->fleet, &w->device);
	archive(w, &enrol);
	archive(w, &admit);
	fleet_epoch(&epoch, &w->fleet, &w->device);
	add_noise(w);
	fleet_snapshot(&snapshot, &w->fleet, &w->device, "hostname sw1\n", "");
	archive(w, &snapshot);
}

/* ---- what is ordered, agreed to and said ---- */

static void order(struct world *w, struct statement **batch, struct statement **out, const char *kind, uint64_t number, const char *more)
{
	_cleanup_(buf_done) struct buf text = { 0 }, order = { 0 };
	struct merkle_hash leaf;

	statement_begin(&order, STATEMENT_ORDER);
	buf_addf(&order, "fleet: %s\ndevice: %s\norder: %llu\nkind: %s\nnonce: %064d\n%s", w->fleet.id, w->device.id,
		 (unsigned long long)number, kind, 5, more);
	leaf = merkle_leaf(buf_bytes(&order));
	statement_begin(&text, STATEMENT_BATCH);
	buf_addf(&text, "fleet: %s\nkind: %s\nperson: alice\n", w->fleet.id, kind);
	statement_add_time(&text, "time", w->now_s);
	statement_add_time(&text, "not-before", w->now_s);
	statement_add_time(&text, "expires", w->now_s + 86400);
	buf_addf(&text, "root: 1\nreason: end of life\ncount: 1\n");
	statement_add_hash(&text, "tree", leaf.b);
	*batch = archive_signed(w, &text, STATEMENT_BATCH, BY(ALICE));
	order_prove(&order, statement_hash(*batch), &leaf, 1, 0);
	*out = archive(w, &order);
}

static void control(struct world *w, const struct statement *batch, int who, const char *action, const char *more)
{
	_cleanup_(buf_done) struct buf text = { 0 };

	statement_begin(&text, STATEMENT_CONTROL);
	statement_add(&text, "fleet", "%s", w->fleet.id);
	statement_add_hash(&text, "batch", statement_hash(batch));
	buf_addf(&text, "action: %s\nperson: %s\n", action, people[who]);
	statement_add_time(&text, "time", w->now_s + (int64_t)w->leaf_count);
	buf_addf(&text, "root: 1\n%s", more);
	archive_signed(w, &text, STATEMENT_CONTROL, BY(who));
}

static void add_receipt(struct world *w)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	struct error err = { 0 };

	statement_begin(&text, STATEMENT_RECEIPT);
	buf_addf(&text, "fleet: %s\ndevice: %s\nnumber: %llu\n", w->fleet.id, w->device.id, (unsigned long long)w->device.number + 1);
	statement_add_hash(&text, "prev", w->device.head);
	statement_add_time(&text, "time", w->now_s);
	statement_add(&text, "root", "1");
	statement_add(&text, "order", "1");
	statement_add_hash(&text, "batch", statement_hash(w->erase));
	statement_add_hash(&text, "leaf", statement_hash(w->erase_order));
	buf_addf(&text, "outcome: %s\nevidence: read-back\n%s", w->story.outcome, w->story.areas);
	CHECK_OK(statement_sign(&text, &w->device.key, &err));
	w->receipt = archive(w, &text);
}

static void add_shredded(struct world *w, int who, const char *by, const char *more)
{
	_cleanup_(buf_done) struct buf text = { 0 };

	statement_begin(&text, STATEMENT_SHREDDED);
	buf_addf(&text, "fleet: %s\ndevice: %s\nby: %s\n", w->fleet.id, w->device.id, by);
	statement_add_time(&text, "time", w->now_s + 10);
	statement_add(&text, "root", "1");
	statement_add_hash(&text, "batch", statement_hash(w->shred));
	statement_add_hash(&text, "leaf", statement_hash(w->shred_order));
	buf_add_str(&text, more);
	w->shredded[w->shredded_count++] = archive_signed(w, &text, STATEMENT_SHREDDED, BY(who));
}

/* ---- the certificate ---- */

/* As dossier.c would bring them. */
struct facts {
	struct root *roots[4];
	struct retirement_batch batches[2];
	const struct statement *controls[2][8];
	const struct statement *receipts[1];
	struct retirement_facts f;
	struct retirement r;
	struct certificate_source source;
};

static void facts_done(struct facts *f)
{
	for (size_t i = 0; i < f->f.root_count; i++)
		root_free(f->roots[i]);
}

static void take_control(struct facts *f, const struct statement *st)
{
	for (size_t i = 0; i < f->f.batch_count; i++) {
		uint8_t about[HASH_LEN];

		if (statement_get_hash(about, st, "batch") && !memcmp(about, statement_hash(f->batches[i].batch), HASH_LEN))
			f->controls[i][f->batches[i].control_count++] = st;
	}
}

static void gather(struct facts *f, const struct world *w)
{
	size_t n = 0;

	*f = (struct facts){ 0 };
	if (w->erase) {
		f->batches[n] = (struct retirement_batch){ w->erase, w->erase_order, 0, f->controls[n], w->receipt != NULL, f->receipts };
		f->receipts[0] = w->receipt;
		n++;
	}
	f->batches[n] = (struct retirement_batch){ w->shred, w->shred_order, 0, f->controls[n], 0, NULL };
	f->f = (struct retirement_facts){ .device = w->device.id,
					  .roots = f->roots,
					  .batch_count = n + 1,
					  .batches = f->batches,
					  .shredded_count = w->shredded_count,
					  .shredded = (const struct statement *const *)w->shredded,
					  .now_s = w->now_s + 100 };
	f->source = (struct certificate_source){ .facts = &f->f, .retirement = &f->r };
	for (size_t i = 0; i < w->bundle.count; i++) {
		const struct statement *st = w->bundle.parts[i].st;
		struct error err = { 0 };

		if (statement_type(st) == STATEMENT_ROOT) {
			struct statement *copy = NULL;

			CHECK_OK(statement_parse(&copy, statement_whole(st), false, NULL, &err));
			CHECK_OK(root_new(&f->roots[f->f.root_count++], copy, &err));
		} else if (statement_type(st) == STATEMENT_CONTROL) {
			take_control(f, st);
		} else if (statement_type(st) == STATEMENT_ENROL) {
			f->source.enrol = st;
		} else if (statement_type(st) == STATEMENT_ADMIT) {
			f->source.admit = st;
		} else if (statement_type(st) == STATEMENT_SNAPSHOT) {
			f->source.snapshot = st;
		}
	}
	retirement_compute(&f->r, &f->f);
}

static struct statement *head_of(const struct world *w, uint64_t size, const int *signers)
{
	_cleanup_(buf_done) struct buf text = { 0 }, whole = { 0 };
	struct merkle_hash tree = tree_of(w, size);
	struct statement *st = NULL;
	struct error err = { 0 };

	statement_begin(&text, STATEMENT_CHECKPOINT);
	statement_add(&text, "fleet", "%s", w->fleet.id);
	statement_add(&text, "size", "%llu", (unsigned long long)size);
	statement_add_hash(&text, "tree", tree.b);
	statement_add(&text, "root", "%s", statement_get(w->root, "version"));
	statement_add_time(&text, "time", w->now_s + 200);
	buf_add_bytes(&whole, buf_bytes(&text));
	for (; *signers >= 0; signers++)
		sshsig_sign(&whole, &w->keys[*signers], "checkpoint@holdfast", buf_bytes(&text));
	CHECK_OK(statement_parse(&st, buf_bytes(&whole), false, NULL, &err));
	return st;
}

/* One thing in it becomes another. */
static void exchange(struct buf *text, const char *from, const char *to)
{
	char *at = from ? strstr(buf_text(text), from) : NULL;
	_cleanup_(buf_done) struct buf out = { 0 };

	if (!from)
		return;
	CHECK(at);
	buf_add(&out, text->ptr, (size_t)(at - buf_text(text)));
	buf_add_str(&out, to);
	buf_add_str(&out, at + strlen(from));
	buf_truncate(text, 0);
	buf_add_bytes(text, buf_bytes(&out));
}

static const struct certificate_words words = { .manufacturer = "Maker & Sons <script>alert(1)</script>",
						 .asset = "A-17",
						 .place = "hall \"3\"",
						 .destination = "scrap",
						 .limits = { "the label 'x' stays" } };

static void draft(struct buf *out, const struct world *w, struct facts *f)
{
	_cleanup_(statement_freep) struct statement *head = head_of(w, w->log_size, BY(ARCHIVE));
	struct error err = { 0 };

	CHECK_OK(certificate_draft(out, &f->source, &words, head, w->now_s + 100, &err));
}

static void add_certificate(struct world *w)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	struct facts f;

	gather(&f, w);
	w->log_size = w->leaf_count - (w->story.is_early ? 3 : 0);
	draft(&text, w, &f);
	facts_done(&f);
	exchange(&text, w->story.from, w->story.to);
	add_noise(w);
	archive_signed(w, &text, STATEMENT_CERTIFICATE,
		       w->story.is_by_one ? BY(ALICE, ARCHIVE) : w->story.is_unarchived ? BY(ALICE, BOB) : BY(ALICE, BOB, ARCHIVE));
}

/* ---- the bundle ---- */

static void grow(struct world *w, struct bundle_part *part, uint64_t from, uint64_t to)
{
	struct error err = { 0 };

	part->has_growth = true;
	CHECK_OK(merkle_prove_growth(&part->growth, from, to, leaf_of, NULL, w, &err));
}

/* The head in front, places behind, and what the witness saw at the end. */
static void finish(struct world *w)
{
	struct bundle b = { 0 };
	struct error err = { 0 };

	memcpy(b.fleet, w->fleet.id, sizeof(b.fleet));
	memcpy(b.device, w->device.id, sizeof(b.device));
	bundle_add(&b, head_of(w, w->leaf_count, BY(ARCHIVE)));
	for (size_t i = 0; i < w->bundle.count; i++) {
		struct bundle_part *part = bundle_add(&b, steal(w->bundle.parts[i].st));

		part->has_place = true;
		CHECK_OK(merkle_prove_place(&part->place, w->index[i], w->leaf_count, leaf_of, NULL, w, &err));
		if (statement_type(part->st) == STATEMENT_CERTIFICATE)
			grow(w, part, w->log_size, w->leaf_count);
	}
	if (!w->story.has_no_witness)
		grow(w, bundle_add(&b, head_of(w, w->leaf_count - 1, BY(ARCHIVE, TOWER))), w->leaf_count - 1, w->leaf_count);
	bundle_done(&w->bundle);
	w->bundle = b;
}

static void tell(struct world *w)
{
	struct story *s = &w->story;
	char after[80], hash[2 * HASH_LEN + 1];

	add_root(w, 3, "alice bob carol", s->lowers_threshold ? "threshold: shred 1\n" : "", BY(ALICE, BOB));
	add_device(w);
	add_noise(w);
	if (!s->is_lost) {
		order(w, &w->erase, &w->erase_order, "purge", 1,
		      "challenge: 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\n");
		control(w, w->erase, CAROL, "approve", "");
		control(w, w->erase, CAROL, "witness", "reason: the console showed the factory login\n");
		add_receipt(w);
		statement_hash_hex(hash, w->erase);
		snprintf(after, sizeof(after), "after: %s\n", hash);
	}
	order(w, &w->shred, &w->shred_order, "shred", 2, s->is_lost ? "" : after);
	control(w, w->shred, CAROL, "approve", "");
	add_shredded(w, ARCHIVE, "archive", "epochs: 1 1\nsnapshots: 3 3\ncopy: backup set B until 2027-02-01\n");
	add_shredded(w, ALICE, "alice", "");
	if (!s->hides_bob)
		add_shredded(w, BOB, "bob", "copy: a print in my drawer\n");
	if (s->is_dismissed)
		add_root(w, 2, "alice bob", "", BY(ALICE, BOB));
}

static void world_init(struct world *w, const struct story *story)
{
	*w = (struct world){ .story = *story, .now_s = 1800000000 };
	w->story.areas = story->areas ? story->areas : purged;
	w->story.outcome = story->outcome ? story->outcome : "done";
	for (uint8_t i = 0; i < KEYS; i++) {
		uint8_t seed[32];

		memset(seed, i + 1, sizeof(seed));
		sign_key_from_seed(&w->keys[i], seed);
	}
	for (int i = 0; i < 2; i++)
		age_identity_new(&w->readers[i]);
	sign_key_from_seed(&w->fleet.operator,(const uint8_t[32]){ 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
								   1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1 });
	w->fleet.reader = w->readers[0];
	tell(w);
}

static void world_done(struct world *w)
{
	for (size_t i = 0; i < KEYS; i++)
		sign_key_done(&w->keys[i]);
	for (int i = 0; i < 2; i++)
		age_identity_done(&w->readers[i]);
	sign_key_done(&w->fleet.operator);
	fleet_device_done(&w->device);
	bundle_done(&w->bundle);
}

static void world_whole(struct world *w, const struct story *story)
{
	world_init(w, story);
	add_certificate(w);
	finish(w);
}

/* Verifies as a stranger would who knows the fleet's id. */
static int judge_text(struct bytes text, const char *fleet, struct error *err)
{
	_cleanup_(bundle_done) struct bundle b = { 0 };
	static struct bundle_proof proof;
	struct bundle_trust trust = { .fleet = fleet };
	int r = bundle_parse(&b, text, err);

	if (r == 0)
		r = bundle_verify(&proof, &b, &trust, err);
	if (r == 0)
		bundle_proof_done(&proof);
	return r;
}

static int judge(const struct world *w, struct error *err)
{
	_cleanup_(buf_done) struct buf text = { 0 };

	bundle_text(&text, &w->bundle);
	return judge_text(buf_bytes(&text), w->fleet.id, err);
}

/* Refused, in these words. */
static void refused(const struct world *w, const char *says)
{
	struct error err = { 0 };

	if (judge(w, &err) == 0)
		fail_msg("it holds, although: %s", says);
	if (!strstr(err.text, says))
		fail_msg("refused because '%s', not because of '%s'", err.text, says);
}

#define REFUSED(says, ...) \
	do { \
		struct world w_; \
		world_whole(&w_, &(struct story){ __VA_ARGS__ }); \
		refused(&w_, says); \
		world_done(&w_); \
	} while (0)

/* ---- what holds ---- */

TEST(a_retirement_is_proved_to_whoever_knows_the_fleets_id)
{
	for (int lost = 0; lost < 2; lost++) {
		for (int dismissed = 0; dismissed < 2; dismissed++) {
			struct error err = { 0 };
			struct world w;

			world_whole(&w, &(struct story){ .is_lost = lost, .is_dismissed = dismissed });
			CHECK_OK(judge(&w, &err));
			world_done(&w);
		}
	}
}

TEST(what_is_proved_is_told_no_stronger_than_it_was_seen)
{
	static struct bundle_proof p;
	struct bundle_trust trust = { 0 };
	struct error err = { 0 };
	struct world w;

	world_whole(&w, &(struct story){ 0 });
	trust.fleet = w.fleet.id;
	CHECK_OK(bundle_verify(&p, &w.bundle, &trust, &err));
	CHECK_STR(statement_get(p.certificate, "state"), "wiped");
	CHECK_STR(statement_get(p.certificate, "category"), "clear"); /* the weakest area, and a maker's purge is none */
	CHECK_STR(statement_get(p.certificate, "evidence"), "read-back");
	CHECK_STR(statement_get(p.certificate, "performed"), "alice");
	CHECK_STR(statement_at(p.certificate, "verified", 0), "carol");
	CHECK_EQ(statement_count(p.certificate, "shredded"), 3);
	CHECK_EQ(statement_count(p.certificate, "copy"), 2);
	CHECK_STR(statement_get(p.certificate, "firmware"), "FRRouting 8.4.4");
	CHECK_EQ(statement_count(p.certificate, "limit"), 5);
	CHECK(p.witness_count == 1 && !strcmp(p.witnesses[0].name, "tower") && !p.witnesses[0].has_certificate);
	CHECK_EQ(p.retirement.state, RETIREMENT_CERTIFIED);
	bundle_proof_done(&p);
	world_done(&w);

	world_whole(&w, &(struct story){ .is_lost = true });
	trust.fleet = w.fleet.id;
	CHECK_OK(bundle_verify(&p, &w.bundle, &trust, &err));
	CHECK_STR(statement_get(p.certificate, "state"), "lost");
	CHECK_STR(statement_get(p.certificate, "category"), "none");
	CHECK_STR(statement_get(p.certificate, "evidence"), "nothing");
	CHECK(strstr(statement_at(p.certificate, "limit", 2), "device side not confirmed"));
	bundle_proof_done(&p);
	world_done(&w);
}

TEST(the_exported_roots_serve_as_the_fleets_id_does)
{
	static struct bundle_proof p;
	struct error err = { 0 };
	struct world w, other;
	struct facts ours, theirs;

	world_whole(&w, &(struct story){ .is_dismissed = true });
	world_whole(&other, &(struct story){ .lowers_threshold = true });
	gather(&ours, &w);
	gather(&theirs, &other);
	for (size_t n = 1; n <= 2; n++) { /* an export from before the second root serves, too */
		CHECK_OK(bundle_verify(&p, &w.bundle, &(struct bundle_trust){ .roots = ours.roots, .root_count = n }, &err));
		bundle_proof_done(&p);
	}
	CHECK_EQ(bundle_verify(&p, &w.bundle, &(struct bundle_trust){ .roots = theirs.roots, .root_count = 1 }, &err), E_SEAL);
	CHECK(strstr(err.text, "its root 1 is another one than yours"));
	CHECK_EQ(bundle_verify(&p, &w.bundle, &(struct bundle_trust){ .fleet = other.fleet.id }, &err), E_DENIED);
	facts_done(&ours);
	facts_done(&theirs);
	world_done(&w);
	world_done(&other);
}

/* ---- drafting ---- */

static void no_draft(const struct story *story, int code, const char *says)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	_cleanup_(statement_freep) struct statement *head = NULL;
	struct error err = { 0 };
	struct facts f;
	struct world w;

	world_init(&w, story);
	gather(&f, &w);
	head = head_of(&w, w.leaf_count, BY(ARCHIVE));
	CHECK_EQ(certificate_draft(&text, &f.source, &words, head, w.now_s, &err), code);
	if (!strstr(err.text, says))
		fail_msg("'%s' does not say '%s'", err.text, says);
	CHECK_EQ(text.len, 0);
	facts_done(&f);
	world_done(&w);
}

TEST(nothing_is_certified_before_everybody_has_said_that_it_is_gone)
{
	no_draft(&(struct story){ .hides_bob = true }, CLI_CONFLICT, "bob did not say that what they kept is destroyed");
	no_draft(&(struct story){ .areas = "area: flash method=menu claimed=purge seen=accepted result=partial\n", .outcome = "failed" },
		 E_SEAL, "the erasure that it had to wait for was not done");
	no_draft(&(struct story){ .areas = "area: flash method=menu claimed=purge seen=accepted result=partial\n" }, E_SEAL,
		 "cannot be certified");
}

static const char *category_of(const char *areas)
{
	static char out[64];
	_cleanup_(buf_done) struct buf text = { 0 };
	struct facts f;
	struct world w;
	const char *at;

	world_init(&w, &(struct story){ .areas = areas });
	w.log_size = w.leaf_count;
	gather(&f, &w);
	draft(&text, &w, &f);
	at = strstr(buf_text(&text), "\ncategory: ");
	CHECK(at);
	CHECK(sscanf(at, "\ncategory: %63s", out) == 1);
	facts_done(&f);
	world_done(&w);
	return out;
}

TEST(a_category_is_that_of_the_weakest_area)
{
	CHECK_STR(category_of("area: a method=m claimed=purge seen=read-back result=done\n"), "purge");
	CHECK_STR(category_of("area: a method=m claimed=purge seen=read-back result=done\narea: b method=m claimed=clear seen=read-back "
			      "result=done\n"),
		  "clear");
	CHECK_STR(category_of("area: a method=m claimed=vendor-purge seen=seen-after-reboot result=done\n"), "clear");
	CHECK_STR(category_of("area: a method=m claimed=purge seen=read-back result=done\narea: b method=m claimed=none seen=read-back "
			      "result=done\n"),
		  "none");
	CHECK_STR(category_of("area: a method=m claimed=purge seen=nothing result=done\n"), "none");
}

/* ---- what is refused ---- */

TEST(a_certificate_stronger_than_its_statements_is_refused)
{
	REFUSED("the certificate says 'category: purge', and its statements say 'category: clear'", .from = "category: clear",
		.to = "category: purge");
	REFUSED("evidence", .from = "evidence: read-back", .to = "evidence: seen-after-reboot");
	REFUSED("area", .from = "claimed=vendor-purge", .to = "claimed=purge");
	REFUSED("area", .from = "claimed=clear seen=read-back", .to = "claimed=purge seen=read-back");
	REFUSED("left", .from = "left: the USB stick\n", .to = "");
	REFUSED("leaves out a limit", .from = "limit: an erase that only its maker calls a purge counts as clear\n", .to = "");
	REFUSED("leaves out a limit", .is_lost = true,
		.from = "limit: device side not confirmed: it may still hold its configuration and its key\n", .to = "");
	REFUSED("state", .is_lost = true, .from = "state: lost", .to = "state: wiped");
	REFUSED("'bob' verified it, who is no witness", .from = "verified: carol", .to = "verified: bob");
	REFUSED("performed", .from = "performed: alice", .to = "performed: carol");
	REFUSED("epochs", .from = "epochs: 1 1", .to = "epochs: 1 9");
	REFUSED("says 'performed: alice', and its statements say 'copy: a print", .from = "copy: a print in my drawer\n", .to = "");
	REFUSED("firmware", .from = "firmware: FRRouting 8.4.4", .to = "firmware: FRRouting 9");
}

/* A copy that somebody named is hidden with their word. */
TEST(a_certificate_that_leaves_out_what_somebody_said_is_refused)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	char line[100], hash[2 * HASH_LEN + 1];
	struct facts f;
	struct world w;

	world_init(&w, &(struct story){ 0 });
	statement_hash_hex(hash, w.shredded[2]);
	snprintf(line, sizeof(line), "shredded: %s\n", hash);
	gather(&f, &w);
	w.log_size = w.leaf_count;
	draft(&text, &w, &f);
	facts_done(&f);
	exchange(&text, line, "");
	exchange(&text, "copy: a print in my drawer\n", "");
	archive_signed(&w, &text, STATEMENT_CERTIFICATE, BY(ALICE, BOB, ARCHIVE));
	finish(&w);
	refused(&w, "leaves out what 'bob' said");
	world_done(&w);
}

TEST(fewer_people_than_the_root_asks_certify_nothing)
{
	REFUSED("its certificate", .is_by_one = true);
	REFUSED("not signed by the archive", .is_unarchived = true);
}

TEST(what_is_not_covered_by_the_log_that_it_names_is_refused)
{
	REFUSED("the log that its certificate names does not hold", .is_early = true);
}

TEST(no_byte_of_it_can_be_changed)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	struct error err = { 0 };
	struct world w;

	world_whole(&w, &(struct story){ 0 });
	bundle_text(&text, &w.bundle);
	CHECK_OK(judge_text(buf_bytes(&text), w.fleet.id, &err));
	for (size_t i = 0; i < text.len; i++) {
		text.ptr[i] ^= 1;
		if (judge_text(buf_bytes(&text), w.fleet.id, &err) == 0)
			fail_msg("byte %zu of %zu can be changed", i, text.len);
		text.ptr[i] ^= 1;
	}
	for (size_t len = 0; len < text.len; len += 1 + len / 50)
		CHECK(judge_text(bytes_of(text.ptr, len), w.fleet.id, &err) < 0);
	world_done(&w);
}

/* The sum is no lock: whoever changes a byte can make it anew. */
static void sum_again(struct buf *text)
{
	char *at = strstr(buf_text(text), "\nsum: ");
	size_t begin = (size_t)(at - buf_text(text)) + 6;
	char sum[2 * HASH_LEN + 1];

	sha256_hex(sum, bytes_from(buf_bytes(text), begin + 2 * HASH_LEN + 1));
	memcpy(text->ptr + begin, sum, 2 * HASH_LEN);
}

TEST(no_byte_of_it_can_be_changed_with_a_true_sum)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	struct error err = { 0 };
	struct world w;
	size_t begin, tried = 0;

	world_whole(&w, &(struct story){ 0 });
	bundle_text(&text, &w.bundle);
	begin = (size_t)(strstr(buf_text(&text), "\nsum: ") - buf_text(&text)) + 7 + 2 * HASH_LEN;
	for (size_t i = begin; i < text.len; i += 1 + (i * 7 + tried) % 9, tried++) {
		text.ptr[i] ^= (uint8_t)(1 << (tried % 7));
		sum_again(&text);
		if (judge_text(buf_bytes(&text), w.fleet.id, &err) == 0)
			fail_msg("byte %zu of %zu can be changed", i, text.len);
		text.ptr[i] ^= (uint8_t)(1 << (tried % 7));
	}
	sum_again(&text);
	CHECK_OK(judge_text(buf_bytes(&text), w.fleet.id, &err));
	printf("figure: %zu of %zu bytes changed under a true sum, 0 taken\n", tried, text.len);
	world_done(&w);
}

/* ---- parts dropped, doubled, exchanged ---- */

static void drop(struct bundle *b, size_t i)
{
	statement_free(b->parts[i].st);
	memmove(&b->parts[i], &b->parts[i + 1], (b->count - i - 1) * sizeof(*b->parts));
	b->count--;
}

TEST(no_part_of_it_can_be_left_out)
{
	struct world w;

	world_whole(&w, &(struct story){ .is_dismissed = true, .has_no_witness = true });
	for (size_t i = 0; i < w.bundle.count; i++) {
		_cleanup_(buf_done) struct buf text = { 0 };
		_cleanup_(bundle_done) struct bundle b = { 0 };
		enum statement_type type;
		struct error err = { 0 };

		bundle_text(&text, &w.bundle);
		CHECK_OK(bundle_parse(&b, buf_bytes(&text), &err));
		type = statement_type(b.parts[i].st);
		if (type == STATEMENT_SNAPSHOT) /* it says nothing that the enrolment did not */
			continue;
		drop(&b, i);
		buf_truncate(&text, 0);
		bundle_text(&text, &b);
		if (judge_text(buf_bytes(&text), w.fleet.id, &err) == 0)
			fail_msg("part %zu, a %s, can be left out", i + 1, statement_type_name(type));
	}
	world_done(&w);
}

TEST(a_place_or_a_growth_that_is_missing_is_told)
{
	struct world w;

	world_whole(&w, &(struct story){ 0 });
	for (size_t i = 0; i < w.bundle.count; i++) {
		struct bundle_part *part = &w.bundle.parts[i];

		if (part->has_place) {
			part->has_place = false;
			refused(&w, "in the log is missing");
			part->has_place = true;
		}
		if (part->has_growth) {
			part->has_growth = false;
			refused(&w, statement_type(part->st) == STATEMENT_CERTIFICATE ? "how the log grew since" :
											"the log that witness 'tower' saw");
			part->has_growth = true;
		}
	}
	world_done(&w);
}

TEST(no_part_of_another_retirement_takes_the_place_of_one)
{
	struct error err = { 0 };
	struct world w, other;

	world_whole(&w, &(struct story){ 0 });
	world_whole(&other, &(struct story){ .areas = "area: flash method=menu claimed=purge seen=seen-after-reboot result=done\n" });
	CHECK_EQ(w.bundle.count, other.bundle.count);
	for (size_t i = 1; i < w.bundle.count; i++) {
		struct bundle_part ours = w.bundle.parts[i];

		if (memcmp(statement_hash(ours.st), statement_hash(other.bundle.parts[i].st), HASH_LEN) == 0)
			continue;
		w.bundle.parts[i] = other.bundle.parts[i];
		CHECK(judge(&w, &err) < 0);
		w.bundle.parts[i] = ours;
		w.bundle.parts[i].st = other.bundle.parts[i].st; /* ... with the place of ours */
		CHECK(judge(&w, &err) < 0);
		w.bundle.parts[i] = ours;
	}
	CHECK_OK(judge(&w, &err));
	world_done(&w);
	world_done(&other);
}

TEST(a_root_that_nobody_agreed_to_is_not_slipped_in)
{
	static const struct {
		bool by_alice;
		const char *says;
	} forged[] = { { true, "root 2" }, { false, "root 2" } };
	struct world w;

	for (size_t i = 0; i < ARRAY_SIZE(forged); i++) {
		world_init(&w, &(struct story){ .is_by_one = true });
		add_root(&w, 3, "alice bob carol", "threshold: shred 1\nthreshold: root 1\n", forged[i].by_alice ? BY(ALICE) : BY(MALLORY));
		add_certificate(&w);
		finish(&w);
		refused(&w, forged[i].says);
		world_done(&w);
	}
}

/* Carol agreed before she left; had she agreed afterwards, it would count for nothing. */
TEST(who_was_dismissed_before_counts_for_nothing)
{
	struct story story = { .is_dismissed = true };
	struct error err = { 0 };
	struct world w;
	size_t root = 0, control = 0;

	world_whole(&w, &story);
	CHECK_OK(judge(&w, &err));
	for (size_t i = 0; i < w.bundle.count; i++) {
		const struct statement *st = w.bundle.parts[i].st;

		if (statement_type(st) == STATEMENT_ROOT && statement_number(st, "version") == 2)
			root = i;
		if (statement_type(st) == STATEMENT_CONTROL && !strcmp(statement_get(st, "action"), "approve") && !control)
			control = i;
	}
	world_done(&w);

	world_init(&w, &story);
	add_certificate(&w);
	{ /* the same statements, in a log in which the second root lies before her approval */
		uint64_t from = w.index[root - 1], to = w.index[control - 1];
		struct merkle_hash leaf = w.leaves[from];

		for (uint64_t i = from; i > to; i--)
			w.leaves[i] = w.leaves[i - 1];
		w.leaves[to] = leaf;
		for (size_t i = 0; i < w.bundle.count; i++)
			w.index[i] = w.index[i] == from ? to : w.index[i] + (w.index[i] >= to && w.index[i] < from);
	}
	finish(&w);
	refused(&w, "its control 'approve' by 'carol'");
	world_done(&w);
}

TEST(approvals_that_came_too_late_count_for_nothing)
{
	struct world w;
	size_t control = 0, receipt = 0;

	world_init(&w, &(struct story){ 0 });
	add_certificate(&w);
	for (size_t i = w.bundle.count; i-- > 0;) {
		if (statement_type(w.bundle.parts[i].st) == STATEMENT_RECEIPT)
			receipt = i;
		if (receipt && statement_type(w.bundle.parts[i].st) == STATEMENT_CONTROL)
			control = i; /* the approval of the erasure: the first one */
	}
	{ /* approval and receipt change places */
		struct merkle_hash leaf = w.leaves[w.index[control]];
		uint64_t index = w.index[control];

		w.leaves[index] = w.leaves[w.index[receipt]];
		w.leaves[w.index[receipt]] = leaf;
		w.index[control] = w.index[receipt];
		w.index[receipt] = index;
	}
	w.log_size = w.leaf_count - 2;
	finish(&w);
	refused(&w, "");
	world_done(&w);
}

TEST(a_head_that_the_archive_did_not_sign_proves_nothing)
{
	struct world w;

	world_whole(&w, &(struct story){ 0 });
	statement_free(w.bundle.parts[0].st);
	w.bundle.parts[0].st = head_of(&w, w.leaf_count, BY(MALLORY));
	refused(&w, "the head of its log");
	statement_free(w.bundle.parts[0].st);
	w.bundle.parts[0].st = head_of(&w, w.leaf_count - 1, BY(ARCHIVE));
	refused(&w, "is one in another log");
	world_done(&w);
}

TEST(a_witness_that_saw_another_log_refuses_the_whole)
{
	struct world w;
	size_t last;

	world_whole(&w, &(struct story){ 0 });
	last = w.bundle.count - 1;
	w.leaves[2].b[0] ^= 1;
	statement_free(w.bundle.parts[last].st);
	w.bundle.parts[last].st = head_of(&w, w.leaf_count - 1, BY(ARCHIVE, TOWER));
	refused(&w, "the log that witness 'tower' saw is another one");
	w.leaves[2].b[0] ^= 1;
	statement_free(w.bundle.parts[last].st);
	w.bundle.parts[last].st = head_of(&w, w.leaf_count - 1, BY(ARCHIVE, MALLORY));
	refused(&w, "that a witness cosigned does not hold");
	statement_free(w.bundle.parts[last].st);
	w.bundle.parts[last].st = head_of(&w, w.leaf_count - 1, BY(ARCHIVE));
	refused(&w, "is cosigned by no witness");
	world_done(&w);
}

TEST(a_file_is_bounded_before_it_is_read)
{
	_cleanup_(bundle_done) struct bundle b = { 0 };
	_cleanup_(buf_done) struct buf text = { 0 };
	struct error err = { 0 };

	buf_extend(&text, BUNDLE_MAX + 1);
	CHECK_EQ(bundle_parse(&b, buf_bytes(&text), &err), E_LIMIT);
	buf_truncate(&text, 0);
	buf_add_str(&text,
		    "holdfast-retirement/1\nfleet: aaaaaaaaaaaaaaaaaaaaaaaaaa\ndevice: aaaaaaaaaaaaaaaaaaaaaaaaaa\nparts: 1025\nsum: 0\n");
	CHECK_EQ(bundle_parse(&b, buf_bytes(&text), &err), E_LIMIT);
	CHECK_EQ(bundle_parse(&b, bytes_str(""), &err), E_FORMAT);
	CHECK_EQ(bundle_parse(&b, bytes_str("holdfast-statement/1 certificate\n"), &err), E_FORMAT);
}

/* ---- the page ---- */

/* Every tag is closed in its place, every & begins one of the five entities, and there is no other <. */
static void check_well_formed(const char *page)
{
	char open[32][16];
	size_t depth = 0;

	CHECK(!strncmp(page, "<!DOCTYPE html>\n", 16));
	for (const char *at = page + 16; *at; at++) {
		char name[16] = "";
		const char *end;

		if (*at == '&')
			CHECK(!strncmp(at, "&amp;", 5) || !strncmp(at, "&lt;", 4) || !strncmp(at, "&gt;", 4) || !strncmp(at, "&quot;", 6) ||
			      !strncmp(at, "&#39;", 5));
		if (*at != '<')
			continue;
		CHECK(sscanf(at + 1 + (at[1] == '/'), "%15[a-z0-9]", name) == 1);
		end = strchr(at, '>');
		CHECK(end);
		if (at[1] == '/') {
			CHECK(depth);
			CHECK_STR(open[--depth], name);
		} else if (end[-1] != '/') {
			CHECK(depth < ARRAY_SIZE(open));
			memcpy(open[depth++], name, sizeof(name));
		}
		at = end;
	}
	CHECK_EQ(depth, 0);
}

static void show(struct buf *page, struct buf *text, json_t **json, const char *sum)
{
	static struct bundle_proof p;
	static const char *const notes[] = { "a <note>", NULL };
	struct error err = { 0 };
	struct world w;
	struct certificate_view view;

	world_whole(&w, &(struct story){ 0 });
	CHECK_OK(bundle_verify(&p, &w.bundle, &(struct bundle_trust){ .fleet = w.fleet.id }, &err));
	view = (struct certificate_view){ p.certificate, p.roots[p.root_count - 1], sum, notes };
	certificate_html(page, &view);
	certificate_text(text, &view, true);
	*json = certificate_json(&view);
	bundle_proof_done(&p);
	world_done(&w);
}

TEST(the_page_is_well_formed_loads_nothing_runs_nothing_and_escapes_all_text)
{
	_cleanup_(buf_done) struct buf page = { 0 }, text = { 0 };
	static const char sum[] = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
	static const char *const bad[] = { "<script", "javascript:", "src=",   "href=",   "url(",    "@import",
					   "<link",   "<img",        "onload", "http://", "https://" };
	json_t *json;

	show(&page, &text, &json, sum);
	check_well_formed(buf_text(&page));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (strstr(buf_text(&page), bad[i]))
			fail_msg("the page has '%s'", bad[i]);
	CHECK(strstr(buf_text(&page), "Maker &amp; Sons &lt;script&gt;alert(1)&lt;/script&gt;"));
	CHECK(strstr(buf_text(&page), "hall &quot;3&quot;") && strstr(buf_text(&page), "the label &#39;x&#39; stays"));
	CHECK(strstr(buf_text(&page), sum) && strstr(buf_text(&page), "a &lt;note&gt;"));
	CHECK(strstr(buf_text(&page), "default-src 'none'"));
	CHECK(strstr(buf_text(&text), "device-name") == NULL && strstr(buf_text(&text), "sw1") && strstr(buf_text(&text), "alice SHA256:"));
	CHECK_STR(json_string_value(json_object_get(json, "category")), "clear");
	CHECK_EQ(json_array_size(json_object_get(json, "area")), 2);
	CHECK_EQ(json_array_size(json_object_get(json, "signatures")), 3);
	CHECK_STR(json_string_value(json_object_get(json, "sum")), sum);
	json_decref(json);
}
