/* cli/bundle-verify.c -- does a bundle prove what its certificate says? Each step refuses in its own words.
 *
 * Order of judgement: the succession of roots; the log's head; every statement's place in that log; who the device is; each statement by
 * the root that was in force where it lies, or by the device's own key; how many people had agreed before anything was done; then all of it
 * together, and the certificate against it. */
#include "cli/bundle.h"

#include "cli/certificate.h"
#include "cli/enrolment.h"
#include "cli/receipts.h"

#include <stdlib.h>
#include <string.h>

/* ---- finding parts ---- */

static const struct bundle_part *part_of(const struct bundle *b, const struct statement *st)
{
	for (size_t i = 0; i < b->count; i++)
		if (b->parts[i].st == st)
			return &b->parts[i];
	return NULL;
}

static uint64_t index_of(const struct bundle *b, const struct statement *st)
{
	const struct bundle_part *part = part_of(b, st);

	return part ? part->place.index : UINT64_MAX;
}

/* The one part of this type. */
static int only(const struct statement **out, const struct bundle *b, enum statement_type type, bool is_needed, struct error *err)
{
	*out = NULL;
	for (size_t i = 0; i < b->count; i++) {
		if (statement_type(b->parts[i].st) != type)
			continue;
		if (*out)
			return error_set(err, E_SEAL, "it has two statements of type '%s'", statement_type_name(type));
		*out = b->parts[i].st;
	}
	return *out || !is_needed ? 0 : error_set(err, E_SEAL, "its %s is missing", statement_type_name(type));
}

/* ---- roots ---- */

static int take_root(struct bundle_proof *p, const struct bundle_part *part, struct error *err)
{
	struct statement *copy = NULL;
	struct root *root = NULL;
	int r;

	if (p->root_count == ROOT_CHAIN_MAX)
		return error_set(err, E_LIMIT, "it has more than %d roots", ROOT_CHAIN_MAX);
	r = statement_parse(&copy, statement_whole(part->st), false, NULL, err);
	if (r == 0)
		r = root_new(&root, copy, err);
	if (r < 0)
		return r;
	p->root_index[p->root_count] = part->place.index;
	p->roots[p->root_count++] = root;
	return 0;
}

/* Each by the one before it, and the first by its hash, which is the fleet's id. */
static int verify_succession(struct bundle_proof *p, const char *fleet, struct error *err)
{
	if (!p->root_count)
		return error_set(err, E_SEAL, "its roots are missing");
	if (root_accept_first(p->roots[0], fleet, err) < 0)
		return err->code;
	for (size_t i = 1; i < p->root_count; i++) {
		if (root_succeeds(p->roots[i - 1], p->roots[i], err) < 0)
			return error_add(err, "root %zu", i + 1);
		if (p->root_index[i] <= p->root_index[i - 1])
			return error_set(err, E_SEAL, "root %zu does not lie behind root %zu in the log", i + 1, i);
	}
	return 0;
}

static int compare_roots(const struct bundle_proof *p, const struct bundle_trust *trust, struct error *err)
{
	for (size_t i = 0; i < trust->root_count && i < p->root_count; i++)
		if (memcmp(statement_hash(root_statement(trust->roots[i])), statement_hash(root_statement(p->roots[i])), HASH_LEN) != 0)
			return error_set(err, E_SEAL, "its root %zu is another one than yours", i + 1);
	return 0;
}

static int verify_roots(struct bundle_proof *p, const struct bundle *b, const struct bundle_trust *trust, struct error *err)
{
	int r = 0;

	if (trust->fleet && strcmp(trust->fleet, b->fleet) != 0)
		return error_set(err, E_DENIED, "it is of fleet '%s', not of '%s'", b->fleet, trust->fleet);
	for (size_t i = 0; i < b->count && r == 0; i++)
		if (statement_type(b->parts[i].st) == STATEMENT_ROOT)
			r = take_root(p, &b->parts[i], err);
	if (r == 0)
		r = verify_succession(p, b->fleet, err);
	return r == 0 ? compare_roots(p, trust, err) : r;
}

/* ---- the log ---- */

static int check_place(const struct bundle *b, size_t i, uint64_t size, const uint8_t tree[static HASH_LEN], struct error *err)
{
	const struct bundle_part *part = &b->parts[i];
	const char *type = statement_type_name(statement_type(part->st));

	if (!part->has_place)
		return error_set(err, E_SEAL, "the place of its %s in the log is missing (part %zu)", type, i + 1);
	if (part->place.size != size || memcmp(part->place.tree.b, tree, HASH_LEN) != 0)
		return error_set(err, E_SEAL, "the place of its %s is one in another log (part %zu)", type, i + 1);
	if (!merkle_place_holds(&part->place, merkle_leaf(statement_text(part->st))))
		return error_set(err, E_SEAL, "its %s does not lie in the log where it says (part %zu)", type, i + 1);
	for (size_t k = 0; k < i; k++)
		if (b->parts[k].has_place && b->parts[k].place.index == part->place.index)
			return error_set(err, E_SEAL, "it has one statement twice (parts %zu and %zu)", k + 1, i + 1);
	return 0;
}

/* The head is the first part. All others but further heads have their place in its log. */
static int verify_places(struct bundle_proof *p, const struct bundle *b, struct error *err)
{
	uint8_t tree[HASH_LEN];
	uint64_t size;

	p->head = b->parts[0].st;
	if (statement_type(p->head) != STATEMENT_CHECKPOINT || b->parts[0].has_place || b->parts[0].has_growth)
		return error_set(err, E_SEAL, "it does not begin with the head of the log");
	size = statement_number(p->head, "size");
	statement_get_hash(tree, p->head, "tree");
	for (size_t i = 1; i < b->count; i++) {
		bool is_checkpoint = statement_type(b->parts[i].st) == STATEMENT_CHECKPOINT;

		if (is_checkpoint && b->parts[i].has_place)
			return error_set(err, E_SEAL, "part %zu is a head of the log, and has a place in it", i + 1);
		if (!is_checkpoint && check_place(b, i, size, tree, err) < 0)
			return err->code;
	}
	return 0;
}

static int verify_head(const struct bundle_proof *p, struct error *err)
{
	if (statement_number(p->head, "root") != p->root_count)
		return error_set(err, E_SEAL, "the head of its log names root %llu, and the newest root in it is %zu",
				 (unsigned long long)statement_number(p->head, "root"), p->root_count);
	return root_verify(p->roots[p->root_count - 1], p->head, err) < 0 ? error_add(err, "the head of its log") : 0;
}

/* ---- by whom ---- */

/* The version in force behind so many statements of the log. */
static size_t version_at(const struct bundle_proof *p, uint64_t index)
{
	size_t version = 1;

	while (version < p->root_count && p->root_index[version] < index)
		version++;
	return version;
}

/* By the root in force where it lies. A statement that names a later root may lie before it by the order of paths, if both came in one
 * commit: then that root judges. It never helps who was dismissed. */
static size_t judging_version(const struct bundle_proof *p, const struct bundle *b, const struct statement *st)
{
	uint64_t named = statement_number(st, "root");
	size_t version = version_at(p, index_of(b, st));

	return named > version && named <= p->root_count ? (size_t)named : version;
}

static const struct root *judge_of(const struct bundle_proof *p, const struct bundle *b, const struct statement *st)
{
	return p->roots[judging_version(p, b, st) - 1];
}

static int check_fleet(const struct bundle *b, struct error *err)
{
	for (size_t i = 0; i < b->count; i++) {
		const char *fleet = statement_get(b->parts[i].st, "fleet"), *device = statement_get(b->parts[i].st, "device");
		const char *type = statement_type_name(statement_type(b->parts[i].st));

		if (fleet && strcmp(fleet, b->fleet) != 0)
			return error_set(err, E_SEAL, "its %s is of another fleet (part %zu)", type, i + 1);
		if (device && strcmp(device, b->device) != 0)
			return error_set(err, E_SEAL, "its %s is about another device (part %zu)", type, i + 1);
	}
	return 0;
}

static int verify_device(struct bundle_proof *p, const struct bundle *b, struct sign_pub *key, struct error *err)
{
	_cleanup_(statement_freep) struct statement *copy = NULL;
	int r = only(&p->enrol, b, STATEMENT_ENROL, true, err);

	if (r == 0)
		r = only(&p->admit, b, STATEMENT_ADMIT, true, err);
	if (r == 0)
		r = only(&p->snapshot, b, STATEMENT_SNAPSHOT, false, err);
	if (r < 0)
		return r;
	if (enrolment_open(&copy, statement_whole(p->enrol), b->fleet, b->device, err) < 0)
		return error_add(err, "its enrol");
	if (enrolment_admitted(p->admit, p->enrol, p->roots, p->root_count, err) < 0)
		return error_add(err, "its admit");
	r = root_verify(judge_of(p, b, p->admit), p->admit, err);
	if (r == 0)
		r = sign_pub_parse(key, bytes_str(statement_get(p->enrol, "key")), false, err);
	if (r == 0 && p->snapshot)
		r = statement_verify_by(p->snapshot, key, err);
	return r;
}

/* ---- batches ---- */

static struct retirement_batch *batch_named(struct bundle_proof *p, const struct statement *st)
{
	uint8_t hash[HASH_LEN];

	if (!statement_get_hash(hash, st, "batch"))
		return NULL;
	for (size_t i = 0; i < p->batch_count; i++)
		if (!memcmp(hash, statement_hash(p->batches[i].batch), HASH_LEN))
			return &p->batches[i];
	return NULL;
}

static int take_batch(struct bundle_proof *p, const struct bundle *b, const struct statement *st, struct error *err)
{
	const char *kind = statement_get(st, "kind");

	if (p->batch_count == BUNDLE_BATCHES_MAX)
		return error_set(err, E_LIMIT, "it has more than %d batches", BUNDLE_BATCHES_MAX);
	if (strcmp(kind, "factory-reset") != 0 && strcmp(kind, "purge") != 0 && strcmp(kind, "shred") != 0)
		return error_set(err, E_SEAL, "it has a batch of kind '%s', which retires nothing", kind);
	if (batch_verify(st, judge_of(p, b, st), err) < 0)
		return error_add(err, "its batch of kind '%s'", kind);
	p->batches[p->batch_count] = (struct retirement_batch){ .batch = st,
								  .controls = p->controls[p->batch_count],
								  .receipts = p->receipts[p->batch_count] };
	p->batch_count++;
	return 0;
}

static int take_order(struct bundle_proof *p, const struct statement *st, struct error *err)
{
	const struct order_proof *proof = statement_proof(st);

	for (size_t i = 0; proof && i < p->batch_count; i++) {
		if (memcmp(proof->batch, statement_hash(p->batches[i].batch), HASH_LEN) != 0)
			continue;
		if (p->batches[i].order)
			return error_set(err, E_SEAL, "it has two orders of one batch");
		if (order_verify(st, p->batches[i].batch, err) < 0)
			return error_add(err, "its order of kind '%s'", statement_get(st, "kind"));
		p->batches[i].order = st;
		return 0;
	}
	return error_set(err, E_SEAL, "it has an order of a batch that is not in it");
}

/* Their order is that of the log. */
static int take_control(struct bundle_proof *p, const struct bundle *b, const struct statement *st, struct error *err)
{
	struct retirement_batch *batch = batch_named(p, st);
	size_t at = batch ? (size_t)(batch - p->batches) : 0, n = batch ? batch->control_count : 0;

	if (!batch)
		return error_set(err, E_SEAL, "it has a control about a batch that is not in it");
	if (n == BUNDLE_CONTROLS_MAX)
		return error_set(err, E_LIMIT, "it has more than %d controls of one batch", BUNDLE_CONTROLS_MAX);
	if (control_verify(st, batch->batch, judge_of(p, b, st), err) < 0)
		return error_add(err, "its control '%s' by '%s'", statement_get(st, "action"), statement_get(st, "person"));
	for (; n && index_of(b, p->controls[at][n - 1]) > index_of(b, st); n--)
		p->controls[at][n] = p->controls[at][n - 1];
	p->controls[at][n] = st;
	batch->control_count++;
	return 0;
}

static int take_receipt(struct bundle_proof *p, const struct bundle *b, const struct statement *st, const struct sign_pub *key,
			struct error *err)
{
	struct retirement_batch *batch = batch_named(p, st);
	uint8_t leaf[HASH_LEN];

	if (receipt_verify(st, b->fleet, b->device, key, err) < 0)
		return error_add(err, "its receipt");
	if (!batch || !batch->order)
		return error_set(err, E_SEAL, "it has a receipt of an order that is not in it");
	if (!statement_get_hash(leaf, st, "leaf") || memcmp(leaf, statement_hash(batch->order), HASH_LEN) != 0 ||
	    statement_number(st, "order") != statement_number(batch->order, "order"))
		return error_set(err, E_SEAL, "its receipt answers another order");
	if (batch->receipt_count == ARRAY_SIZE(p->receipts[0]))
		return error_set(err, E_LIMIT, "it has more than %zu receipts of one order", ARRAY_SIZE(p->receipts[0]));
	p->receipts[batch - p->batches][batch->receipt_count++] = st;
	return 0;
}

static int take_shredded(struct bundle_proof *p, const struct bundle *b, const struct statement *st, struct error *err)
{
	if (p->shredded_count == BUNDLE_SHREDDED_MAX)
		return error_set(err, E_LIMIT, "it has more than %d statements of type 'shredded'", BUNDLE_SHREDDED_MAX);
	if (root_verify(judge_of(p, b, st), st, err) < 0)
		return error_add(err, "its shredded by '%s'", statement_get(st, "by"));
	if (!batch_named(p, st))
		return error_set(err, E_SEAL, "it has a shredded of an order that is not in it");
	p->shredded[p->shredded_count++] = st;
	return 0;
}

static int take(struct bundle_proof *p, const struct bundle *b, const struct statement *st, const struct sign_pub *key, struct error *err)
{
	switch (statement_type(st)) {
	case STATEMENT_BATCH:
		return take_batch(p, b, st, err);
	case STATEMENT_ORDER:
		return take_order(p, st, err);
	case STATEMENT_CONTROL:
		return take_control(p, b, st, err);
	case STATEMENT_RECEIPT:
		return take_receipt(p, b, st, key, err);
	case STATEMENT_SHREDDED:
		return take_shredded(p, b, st, err);
	case STATEMENT_ROOT:
	case STATEMENT_ENROL:
	case STATEMENT_ADMIT:
	case STATEMENT_SNAPSHOT:
	case STATEMENT_CHECKPOINT:
	case STATEMENT_CERTIFICATE:
		return 0;
	case STATEMENT_INVITE:
	case STATEMENT_EPOCH:
	case STATEMENT_STATUS:
	case STATEMENT_LOGIN:
	case STATEMENT_JUDGEMENT:
	case STATEMENT_VERDICT:
	case STATEMENT_WAIVER:
	case STATEMENT_FIRMWARE:
		break;
	}
	return error_set(err, E_SEAL, "it has a %s, which proves nothing here", statement_type_name(statement_type(st)));
}

static int verify_statements(struct bundle_proof *p, const struct bundle *b, const struct sign_pub *key, struct error *err)
{
	for (size_t i = 0; i < b->count; i++)
		if (take(p, b, b->parts[i].st, key, err) < 0)
			return err->code;
	for (size_t i = 0; i < p->batch_count; i++)
		if (!p->batches[i].order)
			return error_set(err, E_SEAL, "the order of its batch of kind '%s' is missing",
					 statement_get(p->batches[i].batch, "kind"));
	return 0;
}

/* ---- enough people, before anything was done ---- */

static bool was_enough_before(const struct bundle_proof *p, const struct bundle *b, const struct retirement_batch *batch, uint64_t index)
{
	const struct statement *last = batch->batch;

	for (size_t n = 0; n <= batch->control_count; n++) {
		struct consent consent;

		last = n ? batch->controls[n - 1] : batch->batch;
		if (index_of(b, last) >= index)
			return false;
		consent_count(&consent, batch->batch, batch->controls, n, judge_of(p, b, last));
		if (consent_is_enough(&consent) && !consent.is_aborted)
			return true;
	}
	return false;
}

static int verify_consent(const struct bundle_proof *p, const struct bundle *b, struct error *err)
{
	const struct retirement_step *erase = &p->retirement.erase, *shred = &p->retirement.shred;

	if (p->retirement.is_wiped && !was_enough_before(p, b, erase->of, index_of(b, erase->receipt)))
		return error_set(err, E_DENIED, "not enough people had agreed to erase the device before it said that it was erased");
	if (!shred->of || !p->retirement.shredded || !was_enough_before(p, b, shred->of, index_of(b, p->retirement.shredded)))
		return error_set(err, E_DENIED, "not enough people had agreed to shred the archive before it was shredded");
	if (p->retirement.is_wiped && index_of(b, erase->receipt) > index_of(b, p->retirement.shredded) &&
	    statement_get(shred->of->order, "after"))
		return error_set(err, E_DENIED, "the archive was shredded before the device said that it was erased");
	return 0;
}

/* ---- the certificate ---- */

void bundle_facts(struct retirement_facts *out, const struct bundle_proof *p)
{
	*out = (struct retirement_facts){
		.device = statement_get(p->enrol, "device"),
		.roots = p->roots,
		.root_count = p->root_count,
		.batch_count = p->batch_count,
		.batches = p->batches,
		.shredded_count = p->shredded_count,
		.shredded = p->shredded,
		.certificate_count = 1,
		.certificates = &p->certificate,
		.now_s = statement_time(p->head, "time"),
	};
}

static int verify_whole(struct bundle_proof *p, struct error *err)
{
	struct retirement_facts facts;
	struct certificate_source source = {
		.facts = &facts, .retirement = &p->retirement, .enrol = p->enrol, .admit = p->admit, .snapshot = p->snapshot
	};

	bundle_facts(&facts, p);
	retirement_compute(&p->retirement, &facts);
	if (p->retirement.is_contradicted)
		return error_set(err, E_DENIED, "it contradicts itself: %s", p->retirement.contradiction);
	return certificate_check(p->certificate, &source, err);
}

static int verify_certificate(struct bundle_proof *p, const struct bundle *b, struct error *err)
{
	int r = only(&p->certificate, b, STATEMENT_CERTIFICATE, true, err);

	if (r < 0)
		return r;
	p->certificate_index = index_of(b, p->certificate);
	if (root_verify(judge_of(p, b, p->certificate), p->certificate, err) < 0)
		return error_add(err, "its certificate");
	if (!root_is_archived(judge_of(p, b, p->certificate), p->certificate))
		return error_set(err, E_DENIED, "its certificate is not signed by the archive");
	return 0;
}

/* Does the log that the certificate names hold all that it names, and is it the beginning of the one in the bundle? */
static int verify_log(const struct bundle_proof *p, const struct bundle *b, struct error *err)
{
	const struct bundle_part *part = part_of(b, p->certificate);
	struct merkle_hash named, tree;
	uint64_t size;

	statement_get_point(&size, named.b, p->certificate, "log");
	statement_get_hash(tree.b, p->head, "tree");
	if (size > p->certificate_index)
		return error_set(err, E_SEAL, "its certificate names a log that is longer than the one before it");
	if (!part->has_growth)
		return error_set(err, E_SEAL, "how the log grew since its certificate was drafted is missing");
	if (part->growth.from != size || memcmp(part->growth.old_tree.b, named.b, HASH_LEN) != 0 ||
	    part->growth.to != statement_number(p->head, "size") || memcmp(part->growth.new_tree.b, tree.b, HASH_LEN) != 0 ||
	    !merkle_growth_holds(&part->growth))
		return error_set(err, E_SEAL, "the log that its certificate names is not the beginning of the one in it");
	return 0;
}

/* Is it the certificate's, and before the log that it names ends? */
static int check_covered(const struct bundle_proof *p, const struct bundle *b, struct error *err)
{
	uint8_t tree[HASH_LEN];
	uint64_t size;

	statement_get_point(&size, tree, p->certificate, "log");
	for (size_t i = 0; i < p->batch_count; i++)
		if (index_of(b, p->batches[i].batch) >= size || index_of(b, p->batches[i].order) >= size)
			return error_set(err, E_SEAL, "the log that its certificate names does not hold the batch of kind '%s'",
					 statement_get(p->batches[i].batch, "kind"));
	for (size_t i = 0; i < p->shredded_count; i++)
		if (index_of(b, p->shredded[i]) < size && !certificate_names_shredded(p->certificate, p->shredded[i]))
			return error_set(err, E_DENIED, "the certificate leaves out what '%s' said about shredding",
					 statement_get(p->shredded[i], "by"));
	if (index_of(b, p->retirement.shredded) >= size ||
	    (p->retirement.is_wiped && index_of(b, p->retirement.erase.receipt) >= size))
		return error_set(err, E_SEAL, "the log that its certificate names does not hold what it certifies");
	return 0;
}

/* ---- witnesses ---- */

static bool joins(const struct bundle_part *part, const struct statement *a, const struct statement *b)
{
	bool in_order = statement_number(a, "size") <= statement_number(b, "size");
	struct error ignored;

	return checkpoint_follows(in_order ? a : b, in_order ? b : a, part->has_growth ? &part->growth : NULL, &ignored) == 0;
}

static int take_witness(struct bundle_proof *p, const struct bundle_part *part, struct error *err)
{
	uint64_t version = statement_number(part->st, "root");
	const char *name;

	if (!version || version > p->root_count || root_verify(p->roots[version - 1], part->st, err) < 0)
		return error_set(err, E_SEAL, "a head of the log that a witness cosigned does not hold");
	name = root_cosigner(p->roots[version - 1], part->st);
	if (!name)
		return error_set(err, E_SEAL, "a further head of the log is cosigned by no witness");
	if (!joins(part, part->st, p->head))
		return error_set(err, E_SEAL, "the log that witness '%s' saw is another one", name);
	if (p->witness_count == ARRAY_SIZE(p->witnesses))
		return error_set(err, E_LIMIT, "it has more than %zu heads that witnesses cosigned", ARRAY_SIZE(p->witnesses));
	p->witnesses[p->witness_count++] = (struct bundle_witness){ name, statement_number(part->st, "size"),
								     statement_number(part->st, "size") > p->certificate_index };
	return 0;
}

static int verify_witnesses(struct bundle_proof *p, const struct bundle *b, struct error *err)
{
	for (size_t i = 1; i < b->count; i++) {
		if (statement_type(b->parts[i].st) == STATEMENT_CHECKPOINT && take_witness(p, &b->parts[i], err) < 0)
			return err->code;
		if (statement_type(b->parts[i].st) != STATEMENT_CHECKPOINT && b->parts[i].has_growth && b->parts[i].st != p->certificate)
			return error_set(err, E_SEAL, "part %zu says how the log grew, and has no say in it", i + 1);
	}
	return 0;
}

/* ---- all of it ---- */

void bundle_proof_done(struct bundle_proof *p)
{
	for (size_t i = 0; i < p->root_count; i++)
		root_free(p->roots[i]);
	p->root_count = 0;
}

int bundle_verify(struct bundle_proof *p, const struct bundle *b, const struct bundle_trust *trust, struct error *err)
{
	struct sign_pub key;
	int r;

	*p = (struct bundle_proof){ 0 };
	if (check_fleet(b, err) < 0 || verify_places(p, b, err) < 0 || verify_roots(p, b, trust, err) < 0 || verify_head(p, err) < 0 ||
	    verify_device(p, b, &key, err) < 0 || verify_statements(p, b, &key, err) < 0 || verify_certificate(p, b, err) < 0 ||
	    verify_whole(p, err) < 0 || verify_consent(p, b, err) < 0 || verify_log(p, b, err) < 0 || check_covered(p, b, err) < 0 ||
	    verify_witnesses(p, b, err) < 0)
		r = err->code;
	else
		r = 0;
	if (r < 0)
		bundle_proof_done(p);
	return r;
}
