/* tests/unit/judging.c -- orders as an operator plans them and a server brings them, right or wrong, and what a device makes of them. */
#include "tests/unit/judging.h"

#include "tests/fleet.h"
#include "tests/test.h"

#include "agent/device.h"
#include "crypto/seal.h"

struct sign_key keys[KEYS];
struct root *root; /* alice and bob deploy, carol audits; dave is not in it */
struct age_identity box, reader;
char device[ID_LEN + 1];
struct orders_seen seen;
struct orders_view view;
struct orders_device place;
uint8_t running_hash[HASH_LEN] = { 1 }, newest_hash[HASH_LEN] = { 2 };

static void make_root(const char *more)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	struct statement *st = NULL;
	struct error err = { 0 };
	char pub[KEYS][SIGN_PUB_TEXT_MAX], to[AGE_RECIPIENT_LEN + 1];

	for (size_t i = 0; i < KEYS; i++)
		sign_pub_text(pub[i], &keys[i].pub);
	age_recipient_text(to, &reader.pub);
	statement_begin(&text, STATEMENT_ROOT);
	buf_addf(&text,
		 "version: 1\ntime: 2026-01-01T00:00:00Z\nexpires: 2199-01-01T00:00:00Z\nname: plant\nperson: alice\nperson: bob\nperson: "
		 "carol\n"
		 "key: alice %s\nkey: bob %s\nkey: carol %s\nreading-key: alice %s\nrole: root alice\nrole: admin alice\nrole: reader "
		 "alice\n"
		 "role: deployer alice bob\nrole: auditor carol\n%sarchive: %s\ntls-pin: AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"
		 "server: localhost:8443\n",
		 pub[ALICE], pub[BOB], pub[CAROL], to, more, pub[ARCHIVE]);
	CHECK_OK(statement_sign(&text, &keys[ALICE], &err));
	CHECK_OK(statement_parse(&st, buf_bytes(&text), false, NULL, &err));
	root_free(root);
	root = NULL;
	CHECK_OK(root_new(&root, st, &err));
}

void begin_test(const char *more_of_root)
{
	struct error err = { 0 };

	CHECK_OK(crypto_start(&err));
	if (!keys[0].pair.ptr) {
		for (size_t i = 0; i < KEYS; i++)
			sign_key_new(&keys[i]);
		age_identity_new(&box);
		age_identity_new(&reader);
		sign_pub_id(device, &keys[STRANGER].pub);
	}
	make_root(more_of_root);
	seen = (struct orders_seen){ .last = 6 };
	view = (struct orders_view){
		device, root_fleet(root), root, &seen, NOW, NOW, DEVICE_APPLY | DEVICE_SAVE | DEVICE_REVERT | DEVICE_STARTUP
	};
	place = (struct orders_device){
		.has_startup = true, .running_since = 40, .newest = 42, .running_hash = running_hash, .newest_hash = newest_hash
	};
}

__attribute__((destructor)) static void end_tests(void)
{
	for (size_t i = 0; i < KEYS; i++)
		sign_key_done(&keys[i]);
	age_identity_done(&box);
	age_identity_done(&reader);
	root_free(root);
}

static const char *or_else(const char *value, const char *normal)
{
	return value ? value : normal;
}

static void seal_payload(struct buf *out, const struct plan *p)
{
	struct age_recipient to[2] = { p->to ? p->to->pub : box.pub, reader.pub };
	struct error err = { 0 };

	CHECK_OK(seal_secret(out, to, 2, bytes_str(or_else(p->payload_text, "ip route 10.0.0.0/8 Null0\n")), &err));
}

static void order_text(struct buf *text, const struct plan *p, const struct buf *payload, unsigned i)
{
	const char *kind = or_else(p->kind, "apply");

	statement_begin(text, STATEMENT_ORDER);
	buf_addf(text, "fleet: %s\ndevice: %s\norder: %llu\nkind: %s\nnonce: %064x\n", or_else(p->fleet, root_fleet(root)),
		 i == AT ? or_else(p->device, device) : OTHER, (unsigned long long)(p->number ? p->number : 7), kind, i);
	buf_add_str(text, or_else(p->more, strcmp(kind, "apply") ? "" : "mode: lines\n"));
	if (payload->len)
		statement_add_seal(text, "payload", 1, buf_bytes(payload));
}

static void batch_text(struct buf *text, const struct plan *p, const struct merkle *tree)
{
	struct merkle_hash top = merkle_root(tree);
	struct error err = { 0 };

	statement_begin(text, STATEMENT_BATCH);
	buf_addf(text, "fleet: %s\nkind: %s\nperson: %s\n", or_else(p->fleet, root_fleet(root)),
		 or_else(p->batch_kind, or_else(p->kind, "apply")), or_else(p->person, "alice"));
	statement_add_time(text, "time", NOW - 60);
	statement_add_time(text, "not-before", p->begins ? p->begins : NOW - 60);
	statement_add_time(text, "expires", p->expires ? p->expires : NOW + 3600);
	buf_addf(text, "root: %llu\nreason: a test\ncount: %d\n", (unsigned long long)(p->root ? p->root : 1), ORDERS);
	statement_add_hash(text, "tree", top.b);
	if (p->window)
		buf_addf(text, "window: %s\n", p->window);
	CHECK_OK(statement_sign(text, &keys[p->key], &err));
}

static void add_control(struct orders_batch *batch, const char *words, int key)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	const char *space = strchr(words, ' ');
	struct error err = { 0 };

	statement_begin(&text, STATEMENT_CONTROL);
	statement_add(&text, "fleet", "%s", root_fleet(root));
	statement_add_hash(&text, "batch", statement_hash(batch->st));
	statement_add(&text, "action", "%s", space ? space + 1 : "approve");
	statement_add(&text, "person", "%.*s", (int)(space ? (size_t)(space - words) : strlen(words)), words);
	statement_add_time(&text, "time", NOW);
	statement_add(&text, "root", "1");
	CHECK_OK(statement_sign(&text, &keys[key], &err));
	CHECK(orders_batch_control(batch, fleet_parsed(&text)));
}

void bring(struct orders_item *item, const struct plan *p)
{
	_cleanup_(buf_done) struct buf payload = { 0 }, batch = { 0 }, list = { 0 };
	struct buf texts[ORDERS] = { 0 };
	struct merkle_hash leaves[ORDERS];
	struct merkle tree = { 0 };
	struct orders_batch *shared;
	struct bytes rest;

	if (!strcmp(or_else(p->kind, "apply"), "apply") || !strcmp(p->kind, "upgrade"))
		seal_payload(&payload, p);
	for (unsigned i = 0; i < ORDERS; i++) {
		order_text(&texts[i], p, &payload, i);
		leaves[i] = merkle_leaf(buf_bytes(&texts[i]));
		merkle_add(&tree, leaves[i]);
	}
	batch_text(&batch, p, &tree);
	shared = orders_batch_new(fleet_parsed(&batch));
	for (size_t i = 0; p->approvals && p->approvals[i]; i++)
		add_control(shared, p->approvals[i], p->approval_keys[i]);
	buf_add_bytes(&list, buf_bytes(&texts[AT]));
	if (!p->no_proof)
		order_prove(&list, statement_hash(shared->st), leaves, ORDERS, AT);
	if (!p->no_payload)
		buf_add_bytes(&list, buf_bytes(&payload));
	if (p->twist)
		p->twist(&list);
	rest = buf_bytes(&list);
	CHECK(orders_is_order(rest));
	orders_item_read(item, &rest, p->no_batch ? NULL : shared);
	CHECK_EQ(rest.len, 0);
	orders_batch_drop(shared);
	for (unsigned i = 0; i < ORDERS; i++)
		buf_done(&texts[i]);
}

void judge_item(struct orders_judgement *out, const struct orders_item *item, struct buf *text)
{
	orders_judge(out, item, &view);
	if (out->verdict == ORDERS_OBEY)
		orders_judge_device(out, item, &place);
	if (out->verdict == ORDERS_OBEY)
		orders_open(out, text, item, &box);
}

static struct orders_judgement judge(const struct plan *p)
{
	_cleanup_(orders_item_done) struct orders_item item = { 0 };
	_cleanup_(buf_done) struct buf text = { 0 };
	struct orders_judgement j;

	bring(&item, p);
	judge_item(&j, &item, &text);
	if (j.verdict == ORDERS_OBEY && statement_get(item.st, "payload"))
		CHECK_BYTES(buf_bytes(&text), or_else(p->payload_text, "ip route 10.0.0.0/8 Null0\n"));
	return j;
}

void obeyed(const struct plan *p)
{
	struct orders_judgement j = judge(p);

	if (j.verdict != ORDERS_OBEY)
		fail_msg("not obeyed: %s: %s", orders_check_name(j.check), j.note);
	CHECK(j.is_genuine);
}

void refused(enum orders_check check, const char *words, const struct plan *p)
{
	struct orders_judgement j = judge(p);

	CHECK_EQ(j.verdict, ORDERS_REFUSE);
	CHECK_STR(orders_check_name(j.check), orders_check_name(check));
	if (!strstr(j.note, words))
		fail_msg("'%s' is not in '%s'", words, j.note);
	CHECK(strchr(j.note, ';') && strlen(strrchr(j.note, ';')) > 10);
	CHECK_EQ(j.is_genuine, check > CHECK_NUMBER);
}

void waited(enum orders_check check, const struct plan *p)
{
	struct orders_judgement j = judge(p);

	CHECK_EQ(j.verdict, ORDERS_WAIT);
	CHECK_EQ(j.check, check);
}
