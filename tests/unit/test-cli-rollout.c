/* tests/unit/test-cli-rollout.c -- what an operator is shown of a batch is what people and devices signed: a server in memory tells the
 * truth, and then lies about each part of it. */
#include "tests/fleet.h"
#include "tests/test.h"

#include "base/clock.h"
#include "cli/batch.h"
#include "cli/preview.h"
#include "cli/cli.h"
#include "cli/receipts.h"
#include "cli/rollout.h"

#include <stdio.h>
#include <stdlib.h>

enum { DEVICES = 5, RECORDS_MAX = 8, LIES_MAX = 4, CONTROLS_MAX = 8, PEOPLE = 3 };

static const char *const names[PEOPLE] = { "alice", "bob", "carol" };

struct device {
	struct fleet_device d;
	struct buf enrol, admit, records[RECORDS_MAX], receipt, order;
	uint64_t newest;
	char outcome[32], check[32];
};

struct lie {
	char path[160];
	struct buf answer;
};

struct world {
	struct fleet fleet;
	struct sign_key keys[PEOPLE]; /* alice's is the fleet's operator */
	struct root *roots[1];
	struct device devices[DEVICES];
	struct buf batch;
	struct buf controls[CONTROLS_MAX];
	size_t control_count;
	struct statement *signed_batch;
	char id[ID_LEN + 1];
	char state[32];
	struct lie lies[LIES_MAX];
	size_t lie_count;
	struct open_source source;
	struct opener *opener;
};

/* ---- people ---- */

/* alice has every role, bob and carol deploy; an apply takes two, and its author is not one of them. */
static void make_root(struct world *w)
{
	char key[SIGN_PUB_TEXT_MAX], archive[SIGN_PUB_TEXT_MAX], reader[AGE_RECIPIENT_LEN + 1];
	_cleanup_(buf_done) struct buf text = { 0 };
	struct statement *st = NULL;
	struct error err = { 0 };

	sign_pub_text(archive, &w->fleet.archive.pub);
	age_recipient_text(reader, &w->fleet.reader.pub);
	statement_begin(&text, STATEMENT_ROOT);
	statement_add(&text, "version", "1");
	statement_add_time(&text, "time", clock_now_s());
	statement_add_time(&text, "expires", clock_now_s() + 86400);
	statement_add(&text, "name", "plant-a");
	for (size_t i = 0; i < PEOPLE; i++)
		statement_add(&text, "person", "%s", names[i]);
	for (size_t i = 0; i < PEOPLE; i++) {
		sign_pub_text(key, i ? &w->keys[i].pub : &w->fleet.operator.pub);
		statement_add(&text, "key", "%s %s", names[i], key);
	}
	statement_add(&text, "reading-key", "alice %s", reader);
	for (int i = 0; i < ROLES; i++)
		statement_add(&text, "role", "%s alice%s", role_name((enum role)i), i == ROLE_DEPLOYER ? " bob carol" : "");
	statement_add(&text, "threshold", "apply 2");
	statement_add(&text, "separate", "apply");
	statement_add(&text, "archive", "%s", archive);
	statement_add(&text, "tls-pin", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
	statement_add(&text, "server", "localhost:8443");
	must(statement_sign(&text, &w->fleet.operator, & err), &err);
	must(statement_parse(&st, buf_bytes(&text), false, NULL, &err), &err);
	id_of_hash(w->fleet.id, statement_hash(st));
	must(root_new(&w->roots[0], st, &err), &err);
	must(root_accept_first(w->roots[0], w->fleet.id, &err), &err);
}

static const struct sign_key *key_of(const struct world *w, const char *person)
{
	for (size_t i = 1; i < PEOPLE; i++)
		if (!strcmp(person, names[i]))
			return &w->keys[i];
	return &w->fleet.operator;
}

/* signer: whose key; person: who it says it is. */
static void control_text(struct buf *out, const struct world *w, const char *action, const char *person, const char *signer, int64_t time_s,
			 const uint8_t *batch)
{
	struct error err = { 0 };

	statement_begin(out, STATEMENT_CONTROL);
	statement_add(out, "fleet", "%s", w->fleet.id);
	statement_add_hash(out, "batch", batch);
	statement_add(out, "action", "%s", action);
	statement_add(out, "person", "%s", person);
	statement_add_time(out, "time", time_s);
	statement_add(out, "root", "1");
	must(statement_sign(out, key_of(w, signer), &err), &err);
}

static void decide(struct world *w, const char *action, const char *person)
{
	control_text(&w->controls[w->control_count], w, action, person, person, clock_now_s() + (int64_t)w->control_count,
		     statement_hash(w->signed_batch));
	w->control_count++;
}

/* ---- devices ---- */

static void device_join(struct world *w, struct device *d, size_t i)
{
	uint8_t secret[32] = { 9 };
	char name[32], text[128];

	snprintf(name, sizeof(name), "r%zu", i + 1);
	snprintf(text, sizeof(text), "password hunter%zu\nip route 10.0.0.0/24 10.1.1.1\n", i);
	fleet_device_init(&d->d, name);
	fleet_enrol(&d->enrol, &w->fleet, &d->d, secret);
	fleet_admit(&d->admit, &w->fleet, &d->d);
	fleet_epoch(&d->records[2], &w->fleet, &d->d);
	fleet_snapshot(&d->records[3], &w->fleet, &d->d, text, "");
	d->newest = 3;
}

static void receipt(struct world *w, size_t i, const char *outcome, const char *check, const struct sign_key *by)
{
	struct device *d = &w->devices[i];
	uint8_t leaf[HASH_LEN] = { 0 };
	struct error err = { 0 };

	buf_truncate(&d->receipt, 0);
	statement_begin(&d->receipt, STATEMENT_RECEIPT);
	statement_add(&d->receipt, "fleet", "%s", w->fleet.id);
	statement_add(&d->receipt, "device", "%s", d->d.id);
	statement_add(&d->receipt, "number", "4");
	statement_add_hash(&d->receipt, "prev", d->d.head);
	statement_add_time(&d->receipt, "time", clock_now_s());
	statement_add(&d->receipt, "root", "1");
	statement_add(&d->receipt, "order", "1");
	statement_add_hash(&d->receipt, "batch", statement_hash(w->signed_batch));
	statement_add_hash(&d->receipt, "leaf", leaf);
	statement_add(&d->receipt, "outcome", "%s", outcome);
	if (*check)
		statement_add(&d->receipt, "check", "%s", check);
	must(statement_sign(&d->receipt, by, &err), &err);
	snprintf(d->outcome, sizeof(d->outcome), "%s", outcome);
	snprintf(d->check, sizeof(d->check), "%s", check);
}

/* ---- the batch ---- */

static void make_batch(struct world *w, const char *author, const char *signer)
{
	_cleanup_(batch_draft_done) struct batch_draft draft = { 0 };
	_cleanup_(mem_freep) struct merkle_hash *leaves = mem_alloc(DEVICES * sizeof(*leaves)), *levels = NULL;
	struct error err = { 0 };

	draft.terms = (struct batch_terms){
		.kind = ORDER_APPLY,
		.fleet = w->fleet.id,
		.person = author,
		.reason = "a reason",
		.root = w->roots[0],
		.time_s = clock_now_s(),
		.not_before_s = clock_now_s(),
		.expires_s = clock_now_s() + 3600,
		.confirm_s = -1,
		.settle_s = -1,
		.waves = { 1, 3, DEVICES },
		.wave_count = 3,
	};
	for (size_t i = 0; i < DEVICES; i++) {
		struct batch_order order = { .device = w->devices[i].d.id, .number = 1, .base = 3 };
		struct buf seal = { 0 };

		memcpy(order.base_hash, w->devices[i].d.head, HASH_LEN);
		order.seal = &seal;
		must(batch_seal(&seal, w->roots[0], &w->devices[i].d.box.pub, bytes_str("ip route 10.9.0.0/16 Null0\n"), &err), &err);
		must(batch_add(&draft, &order, &err), &err);
	}
	must(batch_finish(&draft, &err), &err);
	buf_truncate(&w->batch, 0);
	buf_add_bytes(&w->batch, buf_bytes(&draft.batch));
	must(statement_sign(&w->batch, key_of(w, signer), &err), &err);
	statement_free(w->signed_batch);
	w->signed_batch = NULL;
	must(statement_parse(&w->signed_batch, buf_bytes(&w->batch), false, NULL, &err), &err);
	batch_id(w->id, w->signed_batch);
	for (size_t i = 0; i < DEVICES; i++)
		leaves[i] = draft.leaves[i].leaf;
	levels = batch_levels(leaves, DEVICES);
	for (uint32_t i = 0; i < DEVICES; i++) {
		buf_truncate(&w->devices[i].order, 0);
		batch_put_order(&w->devices[i].order, &draft, statement_hash(w->signed_batch), levels, i);
	}
}

/* ---- the server ---- */

static void put_state(struct buf *out, const struct world *w, size_t first, size_t second)
{
	buf_addf(out, "{\"id\": \"%s\", \"kind\": \"apply\", \"state\": \"%s\", \"orders\": %d, \"devices\": [", w->id, w->state, DEVICES);
	for (size_t i = 0; i < DEVICES; i++) {
		const struct device *d = &w->devices[i == first ? second : i == second ? first : i];

		buf_addf(out, "%s{\"device\": \"%s\", \"name\": \"%s\", \"index\": %zu, \"order\": 1, \"wave\": 0, \"released\": %s",
			 i ? ", " : "", d->d.id, d->d.name, i, *d->outcome ? "true" : "false");
		if (*d->outcome)
			buf_addf(out, ", \"outcome\": \"%s\", \"check\": \"%s\"", d->outcome, d->check);
		buf_add_char(out, '}');
	}
	buf_add_str(out, "]}");
}

static void put_signed(struct buf *out, const struct world *w)
{
	buf_add_bytes(out, buf_bytes(&w->batch));
	for (size_t i = 0; i < w->control_count; i++)
		buf_add_bytes(out, buf_bytes(&w->controls[i]));
}

/* The text of an order and its proof. */
static void put_order(struct buf *out, const struct world *w, size_t i)
{
	_cleanup_(statement_freep) struct statement *st = NULL;
	struct error err = { 0 };

	must(statement_parse(&st, buf_bytes(&w->devices[i].order), false, NULL, &err), &err);
	buf_add_bytes(out, statement_whole(st));
}

/* Two at a time, so that there is more than one answer. */
static void put_orders(struct buf *out, const struct world *w, size_t from)
{
	for (size_t i = from; i < from + 2 && i < DEVICES; i++)
		put_order(out, w, i);
}

static int give_batch(struct buf *out, struct world *w, const char *what, struct error *err)
{
	char device[ID_LEN + 1];
	size_t from;

	if (!*what)
		put_state(out, w, 0, 0);
	else if (!strcmp(what, "/statement"))
		put_signed(out, w);
	else if (!strcmp(what, "/receipts"))
		for (size_t i = 0; i < DEVICES; i++)
			buf_add_bytes(out, buf_bytes(&w->devices[i].receipt));
	else if (sscanf(what, "/orders?from=%zu", &from) == 1)
		put_orders(out, w, from);
	else if (sscanf(what, "/orders/%26[a-z2-7]", device) == 1)
		for (size_t i = 0; i < DEVICES; i++)
			if (!strcmp(w->devices[i].d.id, device))
				buf_add_bytes(out, buf_bytes(&w->devices[i].order));
	return out->len ? 0 : !strcmp(what, "/receipts") ? 0 : error_set(err, CLI_ABSENT, "server: not here");
}

static int give_device(struct buf *out, const struct device *d, const char *what, struct error *err)
{
	const struct buf *record = !strcmp(what, "enrol")              ? &d->enrol
				   : !strcmp(what, "admit")            ? &d->admit
				   : !strcmp(what, "epochs/1")         ? &d->records[2]
				   : !strcmp(what, "snapshots/newest") ? &d->records[d->newest]
				   : !strcmp(what, "snapshots/3")      ? &d->records[3]
								       : NULL;

	if (!record)
		return error_set(err, CLI_ABSENT, "server: not here");
	buf_add_bytes(out, buf_bytes(record));
	return 0;
}

static int get(void *ctx, struct buf *out, const char *path, size_t max _unused_, struct error *err)
{
	struct world *w = ctx;
	char id[ID_LEN + 1] = "", what[64] = "";

	for (size_t i = 0; i < w->lie_count; i++)
		if (!strcmp(w->lies[i].path, path)) {
			buf_add_bytes(out, buf_bytes(&w->lies[i].answer));
			return 0;
		}
	if (!strncmp(path, "/v1/batches?", 12)) {
		buf_addf(out, "{\"batches\": [{\"id\": \"%s\"}]}", w->id);
		return 0;
	}
	if (!strncmp(path, "/v1/batches/", 12) && !strncmp(path + 12, w->id, ID_LEN))
		return give_batch(out, w, path + 12 + ID_LEN, err);
	if (sscanf(path, "/v1/devices/%26[a-z2-7]/%63s", id, what) == 2)
		for (size_t i = 0; i < DEVICES; i++)
			if (!strcmp(w->devices[i].d.id, id))
				return give_device(out, &w->devices[i], what, err);
	return error_set(err, CLI_ABSENT, "server: '%s' is not here", path);
}

static int key(void *ctx, const struct age_identity **out, struct error *err _unused_)
{
	*out = &((struct world *)ctx)->fleet.reader;
	return 0;
}

static struct world *world_new(void)
{
	struct world *w = mem_alloc(sizeof(*w));

	fleet_init(&w->fleet);
	for (size_t i = 1; i < PEOPLE; i++)
		sign_key_new(&w->keys[i]);
	make_root(w);
	for (size_t i = 0; i < DEVICES; i++)
		device_join(w, &w->devices[i], i);
	make_batch(w, "alice", "alice");
	strcpy(w->state, "waiting");
	w->source = (struct open_source){ .fleet = w->fleet.id, .roots = w->roots, .root_count = 1, .get = get, .key = key, .ctx = w };
	w->opener = opener_new(&w->source);
	return w;
}

static void world_freep(struct world **at)
{
	struct world *w = *at;

	opener_free(w->opener);
	for (size_t i = 0; i < DEVICES; i++) {
		struct device *d = &w->devices[i];

		fleet_device_done(&d->d);
		buf_done(&d->enrol);
		buf_done(&d->admit);
		buf_done(&d->receipt);
		buf_done(&d->order);
		for (size_t k = 0; k < RECORDS_MAX; k++)
			buf_done(&d->records[k]);
	}
	for (size_t i = 0; i < CONTROLS_MAX; i++)
		buf_done(&w->controls[i]);
	for (size_t i = 0; i < LIES_MAX; i++)
		buf_done(&w->lies[i].answer);
	for (size_t i = 0; i < PEOPLE; i++)
		sign_key_done(&w->keys[i]);
	statement_free(w->signed_batch);
	buf_done(&w->batch);
	root_free(w->roots[0]);
	fleet_done(&w->fleet);
	free(w);
}

/* The answer that takes the place of the true one, to be filled. */
static struct buf *lie(struct world *w, const char *what)
{
	struct lie *l = &w->lies[w->lie_count++];

	assert_true(w->lie_count <= LIES_MAX);
	snprintf(l->path, sizeof(l->path), "/v1/batches/%s%s", w->id, what);
	buf_truncate(&l->answer, 0);
	return &l->answer;
}

static void check_error(int got, const struct error *err, int code, const char *says)
{
	if (got != code || !strstr(err->text, says))
		fail_msg("got %d, '%s', where %d, '%s' belongs", got, err->text, code, says);
}

/* Gets it, and its receipts. */
static int look(struct rollout *out, struct world *w, struct error *err)
{
	int r;

	*err = (struct error){ 0 };
	r = rollout_get(out, &w->source, w->id, err);
	return r == 0 ? rollout_receipts(out, &w->source, w->opener, err) : r;
}

static void refused(struct world *w, int code, const char *says)
{
	_cleanup_(rollout_done) struct rollout r = { 0 };
	struct error err;

	check_error(look(&r, w, &err), &err, code, says);
	w->lie_count = 0;
}

static void orders_refused(struct world *w, int code, const char *says)
{
	_cleanup_(rollout_done) struct rollout r = { 0 };
	struct error err = { 0 };

	must(rollout_get(&r, &w->source, w->id, &err), &err);
	check_error(rollout_orders(&r, &w->source, NULL, NULL, &err), &err, code, says);
	w->lie_count = 0;
}

/* ---- the truth ---- */

TEST(a_batch_is_found_by_the_beginning_of_its_id)
{
	_cleanup_(world_freep) struct world *w = world_new();
	char id[ID_LEN + 1], part[ID_LEN + 1];
	struct error err = { 0 };

	snprintf(part, sizeof(part), "%.6s", w->id);
	CHECK_OK(rollout_find(id, &w->source, part, &err));
	CHECK_STR(id, w->id);
	CHECK_EQ(rollout_find(id, &w->source, "aaaaaa", &err), CLI_ABSENT);
	CHECK_EQ(rollout_find(id, &w->source, "aaa", &err), CLI_USAGE);
	CHECK_EQ(rollout_find(id, &w->source, "../x12", &err), CLI_USAGE);
}

static void check_consent(struct world *w, const char *want, bool enough)
{
	_cleanup_(rollout_done) struct rollout r = { 0 };
	_cleanup_(buf_done) struct buf text = { 0 };
	struct error err;

	CHECK_OK(look(&r, w, &err));
	rollout_consent(&text, &r, w->roots[0]);
	CHECK_STR(buf_text(&text), want);
	CHECK_EQ(consent_is_enough(&r.consent), enough);
}

TEST(people_are_counted_and_the_author_is_not_where_the_root_says_so)
{
	_cleanup_(world_freep) struct world *w = world_new();

	check_consent(w, "0 of 2 people (nobody); the author, alice, is not counted", false);
	decide(w, "approve", "bob");
	decide(w, "approve", "bob"); /* the same person twice is one */
	check_consent(w, "1 of 2 people (bob); the author, alice, is not counted", false);
	decide(w, "approve", "carol");
	check_consent(w, "2 of 2 people (bob, carol); the author, alice, is not counted", true);
	decide(w, "withdraw", "bob");
	check_consent(w, "1 of 2 people (carol); the author, alice, is not counted", false);
	decide(w, "reject", "bob");
	check_consent(w, "1 of 2 people (carol); the author, alice, is not counted; rejected by bob", false);
}

TEST(what_devices_signed_is_shown_by_wave)
{
	_cleanup_(world_freep) struct world *w = world_new();
	_cleanup_(rollout_done) struct rollout r = { 0 };
	struct rollout_counts c;
	struct error err;

	strcpy(w->state, "stopped");
	receipt(w, 0, "done", "", &w->devices[0].d.key);
	receipt(w, 1, "refused", "base", &w->devices[1].d.key);
	CHECK_OK(look(&r, w, &err));
	CHECK_EQ(r.count, DEVICES);
	CHECK(r.devices[0].is_proved && !strcmp(r.devices[0].outcome, "done") && r.devices[0].wave == 0);
	CHECK(r.devices[1].is_proved && !strcmp(r.devices[1].check, "base") && r.devices[1].wave == 1);
	CHECK(!*r.devices[2].outcome && r.devices[2].wave == 1 && r.devices[4].wave == 2);
	CHECK(rollout_is_over(&r));
	CHECK_EQ(rollout_wave(&r), 1);
	c = rollout_count(&r, 99);
	CHECK(c.done == 1 && c.failed == 1 && c.last == 2 && c.released == 2);
	c = rollout_count(&r, 2);
	CHECK(!c.done && !c.failed && !c.released);
}

TEST(every_refusal_and_outcome_has_its_sentence)
{
	static const char *const checks[] = { "size",   "grammar", "type",   "fleet",  "device",     "root",    "signer", "threshold",
					      "number", "window",  "proof",  "kind",   "payload",    "open",    "base",   "unsaved",
					      "held",   "busy",    "driver", "syntax", "capability", "expired", "not-yet",
					      "root-expired" };
	static const char *const outcomes[] = { "done", "healthy", "superseded", "returned", "failed" };
	struct receipt_words unknown = receipt_words("refused", "nobody-knows");

	for (size_t i = 0; i < ARRAY_SIZE(checks); i++) {
		struct receipt_words words = receipt_words("refused", checks[i]);

		CHECK(strcmp(words.says, unknown.says) != 0 && *words.todo);
	}
	for (size_t i = 0; i < ARRAY_SIZE(outcomes); i++)
		CHECK(strcmp(receipt_words(outcomes[i], "").says, unknown.says) != 0);
	CHECK_STR(receipt_words("undone", NULL).says, unknown.says);
}

struct taking {
	size_t count;
	struct world *w;
	struct rollout *r;
};

static int take(void *ctx, const struct rollout_device *device, const struct statement *order, struct error *err)
{
	struct taking *t = ctx;
	_cleanup_(container_done) struct container c = { 0 };
	_cleanup_(buf_done) struct buf text = { 0 }, bytes = { 0 };

	assert_int_equal(device->index, t->count++);
	CHECK_STR(statement_get(order, "device"), device->id);
	must(rollout_order(&c, &bytes, t->r, &t->w->source, device->id, err), err);
	must(seal_open_secret(&text, &t->w->fleet.reader, container_seal(&c, "payload"), err), err);
	CHECK_STR(buf_text(&text), "ip route 10.9.0.0/16 Null0\n");
	return 0;
}

TEST(all_orders_are_fetched_and_make_the_tree_that_was_signed)
{
	_cleanup_(world_freep) struct world *w = world_new();
	_cleanup_(rollout_done) struct rollout r = { 0 };
	struct taking t = { .w = w, .r = &r };
	struct error err;

	CHECK_OK(look(&r, w, &err));
	CHECK_OK(rollout_orders(&r, &w->source, take, &t, &err));
	CHECK_EQ(t.count, DEVICES);
}

/* ---- lies ---- */

TEST(a_batch_that_its_author_did_not_sign_is_refused)
{
	_cleanup_(world_freep) struct world *w = world_new();
	struct buf *answer;

	make_batch(w, "bob", "carol"); /* carol says that she is bob */
	refused(w, E_SEAL, "signed by 'carol'");
	make_batch(w, "alice", "alice");
	answer = lie(w, "/statement");
	buf_add_bytes(answer, buf_bytes(&w->batch));
	strstr(buf_text(answer), "a reason")[0] ^= 1; /* another text has another id */
	refused(w, E_SEAL, "it is batch");
	answer = lie(w, "/statement");
	buf_add_bytes(answer, buf_bytes(&w->batch));
	answer->ptr[answer->len - 40] ^= 1;
	refused(w, E_SEAL, "/statement");
	answer = lie(w, "/statement");
	buf_add_bytes(answer, statement_text(w->signed_batch)); /* nobody signed */
	refused(w, E_SEAL, "no signature");
	answer = lie(w, "/statement");
	buf_add_bytes(answer, buf_bytes(&w->devices[0].admit));
	refused(w, E_SEAL, "it is batch");
}

TEST(a_decision_that_nobody_made_is_refused)
{
	_cleanup_(world_freep) struct world *w = world_new();
	uint8_t other[HASH_LEN] = { 1 };
	struct buf *answer;
	int64_t now_s = clock_now_s();

	control_text(&w->controls[0], w, "approve", "bob", "carol", now_s, statement_hash(w->signed_batch));
	w->control_count = 1;
	refused(w, E_SEAL, "signed by 'carol'");
	buf_truncate(&w->controls[0], 0);
	control_text(&w->controls[0], w, "approve", "bob", "bob", now_s, other);
	refused(w, E_SEAL, "another batch");
	w->control_count = 0;
	for (size_t i = 0; i < 2; i++)
		buf_truncate(&w->controls[i], 0);
	decide(w, "approve", "bob");
	decide(w, "withdraw", "bob");
	answer = lie(w, "/statement"); /* the withdrawal first: then bob would be counted */
	buf_add_bytes(answer, buf_bytes(&w->batch));
	buf_add_bytes(answer, buf_bytes(&w->controls[1]));
	buf_add_bytes(answer, buf_bytes(&w->controls[0]));
	refused(w, E_SEAL, "another order than it was signed");
	answer = lie(w, "/statement");
	put_signed(answer, w);
	buf_add_str(answer, "and more\n");
	refused(w, E_SEAL, "/statement");
	check_consent(w, "0 of 2 people (nobody); the author, alice, is not counted", false);
}

TEST(an_outcome_that_no_device_signed_is_refused)
{
	_cleanup_(world_freep) struct world *w = world_new();
	struct device *d = &w->devices[0];
	struct buf *answer;

	receipt(w, 0, "done", "", &d->d.key);
	lie(w, "/receipts"); /* it is kept back, and claimed all the same */
	refused(w, E_SEAL, "signed no such thing");
	receipt(w, 0, "done", "", &w->devices[1].d.key);
	refused(w, E_SEAL, "receipt of '");
	receipt(w, 0, "done", "", &d->d.key);
	answer = lie(w, "/receipts");
	buf_add_bytes(answer, buf_bytes(&d->receipt));
	memcpy(strstr(buf_text(answer), "outcome: done"), "outcome: gone", 13);
	refused(w, E_SEAL, "receipt of '");
	answer = lie(w, "/receipts");
	buf_add_bytes(answer, buf_bytes(&d->enrol));
	refused(w, E_SEAL, "something else than receipts");
	strcpy(d->outcome, "refused"); /* the list says so, the receipt does not: the receipt counts */
	{
		_cleanup_(rollout_done) struct rollout r = { 0 };
		struct error err;

		CHECK_OK(look(&r, w, &err));
		CHECK_STR(r.devices[0].outcome, "done");
	}
}

TEST(orders_that_are_swapped_missing_or_changed_are_refused)
{
	_cleanup_(world_freep) struct world *w = world_new();
	struct buf *answer;

	answer = lie(w, ""); /* the first two in each other's place */
	put_state(answer, w, 0, 1);
	orders_refused(w, E_SEAL, "is listed as order 1");
	answer = lie(w, "/orders?from=0");
	put_order(answer, w, 1);
	put_order(answer, w, 0);
	orders_refused(w, E_SEAL, "order 2 of the batch");
	answer = lie(w, "/orders?from=2"); /* one twice, one not at all */
	put_order(answer, w, 2);
	put_order(answer, w, 2);
	orders_refused(w, E_SEAL, "order 3 of the batch");
	answer = lie(w, "/orders?from=4"); /* nothing where the last belongs */
	orders_refused(w, E_SEAL, "gives 4 of the batch's 5 orders");
	answer = lie(w, "/orders?from=4");
	put_order(answer, w, 4);
	put_order(answer, w, 0);
	orders_refused(w, E_SEAL, "more orders than the batch has");
	answer = lie(w, "/orders?from=0");
	put_order(answer, w, 0);
	memcpy(strstr(buf_text(answer), "order: 1"), "order: 2", 8);
	orders_refused(w, E_SEAL, "no leaf");
	answer = lie(w, "");
	buf_addf(answer, "{\"state\": \"running\", \"orders\": %d, \"devices\": []}", DEVICES);
	orders_refused(w, E_SEAL, "lists 0 of the batch's 5 orders");
	answer = lie(w, "");
	buf_addf(answer, "{\"state\": \"collecting\", \"orders\": 0, \"devices\": []}");
	orders_refused(w, CLI_ABSENT, "lists 0");
}

static void payload_refused(struct world *w, size_t i, const char *says)
{
	_cleanup_(container_done) struct container c = { 0 };
	_cleanup_(rollout_done) struct rollout r = { 0 };
	_cleanup_(buf_done) struct buf bytes = { 0 };
	struct error err = { 0 };

	must(rollout_get(&r, &w->source, w->id, &err), &err);
	check_error(rollout_order(&c, &bytes, &r, &w->source, w->devices[i].d.id, &err), &err, E_SEAL, says);
	w->lie_count = 0;
}

TEST(what_an_order_brings_is_what_was_signed_for_this_device)
{
	_cleanup_(world_freep) struct world *w = world_new();
	struct buf *answer;
	char what[64];

	snprintf(what, sizeof(what), "/orders/%s", w->devices[2].d.id);
	answer = lie(w, what);
	buf_add_bytes(answer, buf_bytes(&w->devices[3].order));
	payload_refused(w, 2, "it is for device");
	answer = lie(w, what); /* another payload */
	buf_add_bytes(answer, buf_bytes(&w->devices[2].order));
	answer->ptr[answer->len - 1] ^= 1;
	payload_refused(w, 2, what);
	answer = lie(w, what); /* none at all */
	put_order(answer, w, 2);
	payload_refused(w, 2, what);
}

TEST(an_answer_of_another_form_is_refused)
{
	static const char *const answers[] = {
		"",
		"[]",
		"{}",
		"{\"state\": 1, \"devices\": []}",
		"{\"state\": \"done\"}",
		"{\"state\": \"done\", \"devices\": [1]}",
		"{\"state\": \"done\", \"devices\": [{\"device\": \"x\", \"index\": 0}]}",
		"{\"state\": \"done\", \"devices\": [{\"device\": \"aaaaaaaaaaaaaaaaaaaaaaaaaa\", \"index\": 5}]}",
		"{\"state\": \"done\", \"devices\": [{\"device\": \"aaaaaaaaaaaaaaaaaaaaaaaaaa\", \"index\": -1}]}",
		"{\"state\": \"done\", \"devices\": [{\"device\": \"aaaaaaaaaaaaaaaaaaaaaaaaaa\", \"index\": 0}, {\"index\": 0}]}",
		"{\"state\": \"done\", \"state\": \"done\", \"devices\": []}",
		"{\"state\": \"done\\u001b[2J\", \"devices\": []}", /* it would drive a terminal */
	};
	_cleanup_(world_freep) struct world *w = world_new();

	for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
		buf_add_str(lie(w, ""), answers[i]);
		refused(w, E_PEER, "not of the documented form");
	}
}
