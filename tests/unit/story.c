/* tests/unit/story.c -- tells a retirement: who there is, what is ordered, agreed to and said, and how it is proved. */
#include "tests/unit/story.h"

#include "tests/test.h"

#include <stdio.h>

static const char *const people[] = { "alice", "bob", "carol" };
static const char purged[] = "area: flash method=boot-menu claimed=vendor-purge seen=seen-after-reboot result=done\n"
			     "area: config method=factory-reset claimed=clear seen=read-back result=done\nleft: the USB stick\n"
			     "transcript: 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\n";

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

struct statement *archive_signed(struct world *w, struct buf *text, enum statement_type type, const int *signers)
{
	_cleanup_(buf_done) struct buf whole = { 0 };

	buf_add_bytes(&whole, buf_bytes(text));
	for (; *signers >= 0; signers++)
		sshsig_sign(&whole, &w->keys[*signers], statement_namespace(type), buf_bytes(text));
	return archive(w, &whole);
}

/* ---- who there is ---- */

void add_root(struct world *w, int count, const char *retirers, const char *more, const int *signers)
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

void facts_done(struct facts *f)
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

void gather(struct facts *f, const struct world *w)
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

struct statement *head_of(const struct world *w, uint64_t size, const int *signers)
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

void exchange(struct buf *text, const char *from, const char *to)
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

const struct certificate_words words = { .manufacturer = "Maker & Sons <script>alert(1)</script>",
						 .asset = "A-17",
						 .place = "hall \"3\"",
						 .destination = "scrap",
						 .limits = { "the label 'x' stays" } };

void draft(struct buf *out, const struct world *w, struct facts *f)
{
	_cleanup_(statement_freep) struct statement *head = head_of(w, w->log_size, BY(ARCHIVE));
	struct error err = { 0 };

	CHECK_OK(certificate_draft(out, &f->source, &words, head, w->now_s + 100, &err));
}

void add_certificate(struct world *w)
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
void finish(struct world *w)
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

void world_init(struct world *w, const struct story *story)
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

void world_done(struct world *w)
{
	for (size_t i = 0; i < KEYS; i++)
		sign_key_done(&w->keys[i]);
	for (int i = 0; i < 2; i++)
		age_identity_done(&w->readers[i]);
	sign_key_done(&w->fleet.operator);
	fleet_device_done(&w->device);
	bundle_done(&w->bundle);
}

void world_whole(struct world *w, const struct story *story)
{
	world_init(w, story);
	add_certificate(w);
	finish(w);
}

int judge_text(struct bytes text, const char *fleet, struct error *err)
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

int judge(const struct world *w, struct error *err)
{
	_cleanup_(buf_done) struct buf text = { 0 };

	bundle_text(&text, &w->bundle);
	return judge_text(buf_bytes(&text), w->fleet.id, err);
}
