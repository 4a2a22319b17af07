/* tests/fuzz/fuzz-rollout.c -- a server that lies about a batch: what it answers, changed anywhere.
 *
 * The input is a row of changes of eight bytes: which answer, what is done to it, where, how much. Whatever is changed, what the operator's
 * command takes for signed is what people and devices signed: the server can hold back, and nothing else. */
#include "tests/fleet.h"
#include "tests/fuzz/fuzz.h"

#include "base/clock.h"
#include "cli/batch.h"
#include "cli/cli.h"
#include "cli/rollout.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum answer {
	STATE, SIGNED, RECEIPTS, ORDERS, PAYLOAD, ENROL_1, ADMIT_1, ENROL_2, ADMIT_2, OTHER_SIGNED, OTHER_RECEIPTS, OTHER_ORDERS, ANSWERS
};
enum { DEVICES = 2, CONTROLS = 2 };

unsigned fuzz_cost = 16;

static struct world {
	struct fleet fleet;
	struct root *root;
	struct fleet_device devices[DEVICES];
	char id[ID_LEN + 1];
	struct buf truth[ANSWERS], whole[1 + CONTROLS], texts[DEVICES]; /* the batch and its controls; the orders' texts */
	const struct buf *given; /* what the server answers */
} world;

static const char *const outcomes[DEVICES] = { "done", "refused" };

/* ---- the truth ---- */

static void make_device(size_t i)
{
	uint8_t secret[32] = { 9 };
	char name[16];

	snprintf(name, sizeof(name), "r%zu", i + 1);
	fleet_device_init(&world.devices[i], name);
	fleet_enrol(&world.truth[i ? ENROL_2 : ENROL_1], &world.fleet, &world.devices[i], secret);
	fleet_admit(&world.truth[i ? ADMIT_2 : ADMIT_1], &world.fleet, &world.devices[i]);
}

static void add_control(struct buf *out, const uint8_t batch[static HASH_LEN], const char *action, int64_t time_s)
{
	struct error err = { 0 };

	statement_begin(out, STATEMENT_CONTROL);
	statement_add(out, "fleet", "%s", world.fleet.id);
	statement_add_hash(out, "batch", batch);
	statement_add(out, "action", "%s", action);
	statement_add(out, "person", "alice");
	statement_add_time(out, "time", time_s);
	statement_add(out, "root", "1");
	MUST_OK(statement_sign(out, &world.fleet.operator, &err));
}

static void add_receipt(struct buf *out, size_t i, const uint8_t batch[static HASH_LEN], const char *outcome)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	struct error err = { 0 };

	statement_begin(&text, STATEMENT_RECEIPT);
	statement_add(&text, "fleet", "%s", world.fleet.id);
	statement_add(&text, "device", "%s", world.devices[i].id);
	statement_add(&text, "number", "2");
	statement_add_hash(&text, "prev", world.devices[i].head);
	statement_add_time(&text, "time", clock_now_s());
	statement_add(&text, "root", "1");
	statement_add(&text, "order", "1");
	statement_add_hash(&text, "batch", batch);
	statement_add_hash(&text, "leaf", batch);
	statement_add(&text, "outcome", "%s", outcome);
	MUST_OK(statement_sign(&text, &world.devices[i].key, &err));
	buf_add_bytes(out, buf_bytes(&text));
}

static void draft_batch(struct batch_draft *draft, const char *reason)
{
	struct error err = { 0 };

	draft->terms = (struct batch_terms){
		.kind = ORDER_APPLY, .fleet = world.fleet.id, .person = "alice", .reason = reason, .root = world.root,
		.time_s = clock_now_s(), .not_before_s = clock_now_s(), .expires_s = clock_now_s() + 3600, .confirm_s = -1, .settle_s = -1,
	};
	for (size_t i = 0; i < DEVICES; i++) {
		struct batch_order order = { .device = world.devices[i].id, .number = 1 };
		struct buf seal = { 0 };

		order.seal = &seal;
		MUST_OK(batch_seal(&seal, world.root, &world.devices[i].box.pub, bytes_str("ip route 10.9.0.0/16 Null0\n"), &err));
		MUST_OK(batch_add(draft, &order, &err));
	}
	MUST_OK(batch_finish(draft, &err));
	MUST_OK(statement_sign(&draft->batch, &world.fleet.operator, &err));
}

static void put_orders(struct buf *orders, struct buf *payload, const struct batch_draft *draft, const uint8_t hash[static HASH_LEN])
{
	struct merkle_hash leaves[DEVICES] = { draft->leaves[0].leaf, draft->leaves[1].leaf };
	_cleanup_(mem_freep) struct merkle_hash *levels = batch_levels(leaves, DEVICES);

	for (uint32_t i = 0; i < DEVICES; i++) {
		_cleanup_(statement_freep) struct statement *st = NULL;
		_cleanup_(buf_done) struct buf container = { 0 };
		struct error err = { 0 };

		batch_put_order(&container, draft, hash, levels, i);
		MUST_OK(statement_parse(&st, buf_bytes(&container), false, NULL, &err));
		buf_add_bytes(orders, statement_whole(st));
		if (!payload)
			continue;
		buf_add_bytes(&world.texts[i], statement_whole(st));
		if (!i)
			buf_add_bytes(payload, buf_bytes(&container));
	}
}

static void make_batch(enum answer first, const char *reason)
{
	_cleanup_(batch_draft_done) struct batch_draft draft = { 0 };
	_cleanup_(statement_freep) struct statement *st = NULL;
	struct buf *answers = world.truth, whole[1 + CONTROLS] = { 0 };
	bool is_it = first == SIGNED;
	struct error err = { 0 };

	draft_batch(&draft, reason);
	MUST_OK(statement_parse(&st, buf_bytes(&draft.batch), false, NULL, &err));
	buf_add_bytes(&whole[0], buf_bytes(&draft.batch));
	add_control(&whole[1], statement_hash(st), "reject", clock_now_s());
	add_control(&whole[2], statement_hash(st), "withdraw", clock_now_s() + 1);
	for (size_t i = 0; i < ARRAY_SIZE(whole); i++)
		buf_add_bytes(&answers[first], buf_bytes(&whole[i]));
	for (size_t i = 0; i < DEVICES; i++)
		add_receipt(&answers[first + 1], i, statement_hash(st), outcomes[is_it ? i : 1 - i]);
	put_orders(&answers[first + 2], is_it ? &answers[PAYLOAD] : NULL, &draft, statement_hash(st));
	if (is_it)
		batch_id(world.id, st);
	for (size_t i = 0; i < ARRAY_SIZE(whole); i++) {
		if (is_it)
			world.whole[i] = whole[i];
		else
			buf_done(&whole[i]);
	}
}

static void make_state(void)
{
	struct buf *out = &world.truth[STATE];

	buf_add_str(out, "{\"state\": \"stopped\", \"orders\": 2, \"devices\": [");
	for (size_t i = 0; i < DEVICES; i++)
		buf_addf(out, "%s{\"device\": \"%s\", \"name\": \"r%zu\", \"index\": %zu, \"released\": true, \"outcome\": \"%s\"}",
			 i ? ", " : "", world.devices[i].id, i + 1, i, outcomes[i]);
	buf_add_str(out, "]}");
}

static void make_world(void)
{
	struct statement *st = NULL;
	struct error err = { 0 };

	fleet_init(&world.fleet);
	MUST_OK(statement_parse(&st, buf_bytes(&world.fleet.root), false, NULL, &err));
	MUST_OK(root_new(&world.root, st, &err));
	for (size_t i = 0; i < DEVICES; i++)
		make_device(i);
	make_batch(SIGNED, "it");
	make_batch(OTHER_SIGNED, "another one");
	make_state();
}

__attribute__((destructor)) static void drop_world(void)
{
	root_free(world.root);
	if (!world.truth[STATE].len)
		return;
	for (size_t i = 0; i < DEVICES; i++) {
		fleet_device_done(&world.devices[i]);
		buf_done(&world.texts[i]);
	}
	fleet_done(&world.fleet);
	for (size_t i = 0; i < ANSWERS; i++)
		buf_done(&world.truth[i]);
	for (size_t i = 0; i < ARRAY_SIZE(world.whole); i++)
		buf_done(&world.whole[i]);
}

/* ---- the server ---- */

static bool find_answer(enum answer *out, const char *path)
{
	_cleanup_(mem_freep) char *batch = mem_printf("/v1/batches/%s", world.id);
	const char *rest = path + strlen(batch);

	for (size_t i = 0; i < DEVICES; i++) {
		_cleanup_(mem_freep) char *enrol = mem_printf("/v1/devices/%s/enrol", world.devices[i].id),
					  *admit = mem_printf("/v1/devices/%s/admit", world.devices[i].id);

		*out = !strcmp(path, enrol) ? (i ? ENROL_2 : ENROL_1) : (i ? ADMIT_2 : ADMIT_1);
		if (!strcmp(path, enrol) || !strcmp(path, admit))
			return true;
	}
	if (strncmp(path, batch, strlen(batch)) != 0)
		return false;
	*out = !*rest			       ? STATE :
	       !strcmp(rest, "/statement")     ? SIGNED :
	       !strcmp(rest, "/receipts")      ? RECEIPTS :
	       !strcmp(rest, "/orders?from=0") ? ORDERS :
						 PAYLOAD;
	return *out != PAYLOAD || !strncmp(rest, "/orders/", 8);
}

static int get(void *ctx _unused_, struct buf *out, const char *path, size_t max, struct error *err)
{
	enum answer answer;

	if (!find_answer(&answer, path))
		return error_set(err, CLI_ABSENT, "server: not here");
	if (world.given[answer].len > max)
		return error_set(err, E_LIMIT, "an answer of %zu bytes", world.given[answer].len);
	buf_add_bytes(out, buf_bytes(&world.given[answer]));
	return 0;
}

static int key(void *ctx _unused_, const struct age_identity **out, struct error *err _unused_)
{
	*out = &world.fleet.reader;
	return 0;
}

/* ---- what comes of it ---- */

static void check_signed(const struct rollout *r)
{
	MUST(bytes_equal(statement_whole(r->batch), buf_bytes(&world.whole[0])));
	for (size_t i = 0; i < r->control_count; i++) {
		struct bytes whole = statement_whole(r->controls[i]);

		MUST(bytes_equal(whole, buf_bytes(&world.whole[1])) || bytes_equal(whole, buf_bytes(&world.whole[2])));
	}
}

static void check_outcomes(const struct rollout *r)
{
	for (size_t i = 0; i < r->count; i++) {
		const struct rollout_device *d = &r->devices[i];
		size_t who = strcmp(d->id, world.devices[0].id) ? 1 : 0;

		if (!*d->outcome)
			continue;
		MUST(d->is_proved && !strcmp(d->id, world.devices[who].id) && !strcmp(d->name, world.devices[who].name));
		MUST(!strcmp(d->outcome, outcomes[who]));
	}
}

static int check_order(void *ctx, const struct rollout_device *device, const struct statement *order, struct error *err _unused_)
{
	size_t *next = ctx;

	MUST(*next < DEVICES && !strcmp(device->id, world.devices[*next].id));
	MUST(bytes_equal(statement_whole(order), buf_bytes(&world.texts[*next])));
	++*next;
	return 0;
}

static void check_payload(const struct rollout *r, const struct open_source *source)
{
	_cleanup_(buf_done) struct buf bytes = { 0 };
	struct container c;
	struct error err = { 0 };

	if (rollout_order(&c, &bytes, r, source, world.devices[0].id, &err) < 0)
		return;
	MUST(bytes_equal(buf_bytes(&bytes), buf_bytes(&world.truth[PAYLOAD])));
	container_done(&c);
}

static void look(const struct buf *given, bool must_hold)
{
	struct root *roots[1] = { world.root };
	struct open_source source = { .fleet = world.fleet.id, .roots = roots, .root_count = 1, .get = get, .key = key };
	_cleanup_(opener_freep) struct opener *opener = opener_new(&source);
	_cleanup_(rollout_done) struct rollout r = { 0 };
	struct error err = { 0 };
	size_t orders = 0;
	int result;

	world.given = given;
	result = rollout_get(&r, &source, world.id, &err);
	MUST(result == 0 || !must_hold);
	if (result < 0)
		return;
	check_signed(&r);
	result = rollout_orders(&r, &source, check_order, &orders, &err);
	MUST(result < 0 || orders == DEVICES);
	MUST(result == 0 || !must_hold);
	check_payload(&r, &source);
	result = rollout_receipts(&r, &source, opener, &err);
	MUST(result == 0 || !must_hold);
	if (result == 0)
		check_outcomes(&r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf answers[ANSWERS] = { 0 };

	if (!world.root)
		make_world();
	fuzz_lie(answers, world.truth, ANSWERS, bytes_of(data, size));
	look(answers, size < FUZZ_CHANGE_LEN);
	for (size_t i = 0; i < ANSWERS; i++)
		buf_done(&answers[i]);
	return 0;
}
