/* tests/unit/test-dossier.c -- what a device's retirement is believed to be is what people, the device and the archive signed: a server in
 * memory tells the truth about a whole ceremony, and then lies about each part of it. */
#include "tests/fleet.h"
#include "tests/test.h"

#include "base/clock.h"
#include "cli/batch.h"
#include "cli/cli.h"
#include "cli/dossier.h"

#include <stdio.h>
#include <stdlib.h>

enum { ERASE, SHRED, BATCHES, LIES_MAX = 4 };

struct one {
	struct buf batch, control, order, receipt;
	struct statement *st, *order_st;
	char id[ID_LEN + 1];
};

struct lie {
	char path[160];
	struct buf answer;
};

struct world {
	struct fleet fleet;
	struct sign_key bob, stranger;
	struct root *roots[1];
	struct fleet_device device, other;
	struct buf enrol, admit, shredded, certificate;
	struct one batches[BATCHES];
	struct lie lies[LIES_MAX];
	size_t lie_count;
	struct open_source source;
	struct opener *opener;
	struct fleet_member member;
};

/* ---- what is true ---- */

/* alice has every role, bob retires; two have to agree. */
static void make_root(struct world *w)
{
	char alice[SIGN_PUB_TEXT_MAX], bob[SIGN_PUB_TEXT_MAX], archive[SIGN_PUB_TEXT_MAX], reader[AGE_RECIPIENT_LEN + 1];
	_cleanup_(buf_done) struct buf text = { 0 };
	struct statement *st = NULL;
	struct error err = { 0 };

	sign_pub_text(alice, &w->fleet.operator.pub);
	sign_pub_text(bob, &w->bob.pub);
	sign_pub_text(archive, &w->fleet.archive.pub);
	age_recipient_text(reader, &w->fleet.reader.pub);
	statement_begin(&text, STATEMENT_ROOT);
	buf_add_str(&text, "version: 1\n");
	statement_add_time(&text, "time", clock_now_s() - 60);
	statement_add_time(&text, "expires", clock_now_s() + 86400);
	buf_addf(&text, "name: plant-a\nperson: alice\nperson: bob\nkey: alice %s\nkey: bob %s\nreading-key: alice %s\n", alice, bob,
		 reader);
	for (int i = 0; i < ROLES; i++)
		statement_add(&text, "role", "%s alice%s", role_name((enum role)i), i == ROLE_RETIRER ? " bob" : "");
	buf_addf(&text,
		 "threshold: factory-reset 2\nthreshold: shred 2\narchive: %s\ntls-pin: AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"
		 "server: localhost:8443\n",
		 archive);
	must(statement_sign(&text, &w->fleet.operator, & err), &err);
	must(statement_parse(&st, buf_bytes(&text), false, NULL, &err), &err);
	id_of_hash(w->fleet.id, statement_hash(st));
	must(root_new(&w->roots[0], st, &err), &err);
	must(root_accept_first(w->roots[0], w->fleet.id, &err), &err);
}

static void make_control(struct buf *out, const struct world *w, const struct statement *batch, const char *person,
			 const struct sign_key *key)
{
	struct error err = { 0 };

	statement_begin(out, STATEMENT_CONTROL);
	statement_add(out, "fleet", "%s", w->fleet.id);
	statement_add_hash(out, "batch", statement_hash(batch));
	buf_addf(out, "action: approve\nperson: %s\n", person);
	statement_add_time(out, "time", clock_now_s());
	buf_add_str(out, "root: 1\n");
	must(statement_sign(out, key, &err), &err);
}

static void make_batch(struct world *w, int which)
{
	static const uint8_t challenge[HASH_LEN] = { 7 };
	struct one *b = &w->batches[which];
	_cleanup_(batch_draft_done) struct batch_draft draft = { 0 };
	struct batch_order order = { .device = w->device.id, .number = (uint64_t)which + 1 };
	struct merkle_hash leaf;
	struct error err = { 0 };

	draft.terms = (struct batch_terms){ .kind = which == ERASE ? ORDER_FACTORY_RESET : ORDER_SHRED,
					    .fleet = w->fleet.id,
					    .person = "alice",
					    .reason = "end of life",
					    .root = w->roots[0],
					    .time_s = clock_now_s() - 30,
					    .not_before_s = clock_now_s() - 30,
					    .expires_s = clock_now_s() + 3600,
					    .confirm_s = -1,
					    .settle_s = -1 };
	order.challenge = which == ERASE ? challenge : NULL;
	order.after = which == SHRED ? statement_hash(w->batches[ERASE].st) : NULL;
	must(batch_add(&draft, &order, &err), &err);
	must(batch_finish(&draft, &err), &err);
	buf_add_bytes(&b->batch, buf_bytes(&draft.batch));
	must(statement_sign(&b->batch, &w->fleet.operator, & err), &err);
	must(statement_parse(&b->st, buf_bytes(&b->batch), false, NULL, &err), &err);
	batch_id(b->id, b->st);
	leaf = draft.leaves[0].leaf;
	batch_put_order(&b->order, &draft, statement_hash(b->st), &leaf, 0);
	must(statement_parse(&b->order_st, buf_bytes(&b->order), false, NULL, &err), &err);
	make_control(&b->control, w, b->st, "bob", &w->bob);
}

static void make_receipt(struct buf *out, const struct world *w, const char *device, const struct sign_key *key, const uint8_t *leaf)
{
	struct error err = { 0 };

	statement_begin(out, STATEMENT_RECEIPT);
	statement_add(out, "fleet", "%s", w->fleet.id);
	statement_add(out, "device", "%s", device);
	statement_add(out, "number", "4");
	statement_add_hash(out, "prev", w->device.head);
	statement_add_time(out, "time", clock_now_s());
	buf_add_str(out, "root: 1\norder: 1\n");
	statement_add_hash(out, "batch", statement_hash(w->batches[ERASE].st));
	statement_add_hash(out, "leaf", leaf);
	buf_add_str(out,
		    "outcome: done\nevidence: read-back\narea: startup method=factory-file claimed=clear seen=read-back result=done\n");
	must(statement_sign(out, key, &err), &err);
}

static void add_shredded(struct buf *out, const struct world *w, const char *by, const struct sign_key *key)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	struct error err = { 0 };

	statement_begin(&text, STATEMENT_SHREDDED);
	statement_add(&text, "fleet", "%s", w->fleet.id);
	statement_add(&text, "device", "%s", w->device.id);
	statement_add(&text, "by", "%s", by);
	statement_add_time(&text, "time", clock_now_s());
	buf_add_str(&text, "root: 1\n");
	statement_add_hash(&text, "batch", statement_hash(w->batches[SHRED].st));
	statement_add_hash(&text, "leaf", statement_hash(w->batches[SHRED].order_st));
	must(statement_sign(&text, key, &err), &err);
	buf_add_bytes(out, buf_bytes(&text));
}

static void make_certificate(struct buf *out, const struct world *w, const struct sign_key *keys[], size_t count)
{
	_cleanup_(buf_done) struct buf text = { 0 }, one = { 0 };
	struct error err = { 0 };
	size_t plain;

	statement_begin(&text, STATEMENT_CERTIFICATE);
	statement_add(&text, "fleet", "%s", w->fleet.id);
	statement_add(&text, "device", "%s", w->device.id);
	buf_add_str(&text, "device-name: sw1\nstate: wiped\nstandard: NIST SP 800-88r2\ncategory: clear\nevidence: read-back\n");
	statement_add_hash(&text, "shred", statement_hash(w->batches[SHRED].st));
	statement_add_hash(&text, "shredded", statement_hash(w->batches[SHRED].st));
	statement_add_point(&text, "log", 9, statement_hash(w->batches[SHRED].st));
	buf_add_str(&text, "performed: alice\nlimit: ciphertext stays\n");
	statement_add_time(&text, "time", clock_now_s());
	buf_add_str(&text, "root: 1\n");
	plain = text.len;
	buf_add_bytes(out, buf_bytes(&text));
	for (size_t i = 0; i < count; i++) {
		buf_truncate(&one, 0);
		buf_add(&one, text.ptr, plain);
		must(statement_sign(&one, keys[i], &err), &err);
		buf_add_bytes(out, bytes_from(buf_bytes(&one), plain));
	}
}

/* ---- the server ---- */

static int give_batch(struct buf *out, const struct world *w, const struct one *b, const char *what)
{
	if (!*what)
		buf_addf(out,
			 "{\"id\": \"%s\", \"state\": \"done\", \"orders\": 1, \"devices\": [{\"device\": \"%s\", \"name\": \"sw1\", "
			 "\"index\": 0,"
			 " \"order\": 1}]}",
			 b->id, w->device.id);
	else if (!strcmp(what, "/statement"))
		buf_addf(out, "%s%s", buf_text(&b->batch), buf_text(&b->control));
	else if (!strncmp(what, "/orders?", 8))
		buf_add_bytes(out, buf_bytes(&b->order));
	else if (!strcmp(what, "/receipts"))
		buf_add_bytes(out, buf_bytes(&b->receipt));
	return 0;
}

static void give_list(struct buf *out, const struct world *w)
{
	buf_addf(out, "{\"batches\": [{\"id\": \"%s\", \"kind\": \"shred\"}, {\"id\": \"%s\", \"kind\": \"factory-reset\"},"
		      " {\"id\": \"aaaaaaaaaaaaaaaaaaaaaaaaaa\", \"kind\": \"apply\"}]}", w->batches[SHRED].id, w->batches[ERASE].id);
}

static int give_device(struct buf *out, const struct world *w, const char *what, struct error *err)
{
	const struct buf *record = !strcmp(what, "/enrol")        ? &w->enrol
				   : !strcmp(what, "/admit")       ? &w->admit
				   : !strcmp(what, "/shredded")    ? &w->shredded
				   : !strcmp(what, "/certificate") ? &w->certificate
								   : NULL;

	if (!*what)
		buf_addf(out, "{\"id\": \"%s\", \"retired\": \"wiped\"}", w->device.id);
	else if (!record || !record->len)
		return error_set(err, CLI_ABSENT, "server: not here");
	else
		buf_add_bytes(out, buf_bytes(record));
	return 0;
}

static int get(void *ctx, struct buf *out, const char *path, size_t max _unused_, struct error *err)
{
	struct world *w = ctx;
	static const char devices[] = "/v1/devices/", batches[] = "/v1/batches/";

	for (size_t i = 0; i < w->lie_count; i++)
		if (!strcmp(w->lies[i].path, path)) {
			buf_add_bytes(out, buf_bytes(&w->lies[i].answer));
			return 0;
		}
	if (!strncmp(path, "/v1/batches?", 12)) {
		CHECK(strstr(path, w->device.id)); /* it is asked for this device alone */
		give_list(out, w);
		return 0;
	}
	for (int i = 0; i < BATCHES; i++)
		if (!strncmp(path, batches, strlen(batches)) && !strncmp(path + strlen(batches), w->batches[i].id, ID_LEN))
			return give_batch(out, w, &w->batches[i], path + strlen(batches) + ID_LEN);
	if (!strncmp(path, devices, strlen(devices)) && !strncmp(path + strlen(devices), w->device.id, ID_LEN))
		return give_device(out, w, path + strlen(devices) + ID_LEN, err);
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
	uint8_t secret[32] = { 9 };

	fleet_init(&w->fleet);
	sign_key_new(&w->bob);
	sign_key_new(&w->stranger);
	make_root(w);
	fleet_device_init(&w->device, "sw1");
	fleet_device_init(&w->other, "sw2");
	fleet_enrol(&w->enrol, &w->fleet, &w->device, secret);
	fleet_admit(&w->admit, &w->fleet, &w->device);
	make_batch(w, ERASE);
	make_batch(w, SHRED);
	make_receipt(&w->batches[ERASE].receipt, w, w->device.id, &w->device.key, statement_hash(w->batches[ERASE].order_st));
	add_shredded(&w->shredded, w, "archive", &w->fleet.archive);
	add_shredded(&w->shredded, w, "alice", &w->fleet.operator);
	make_certificate(&w->certificate, w, (const struct sign_key *[]){ &w->fleet.operator, & w->bob, &w->fleet.archive }, 3);
	w->source = (struct open_source){ .fleet = w->fleet.id, .roots = w->roots, .root_count = 1, .get = get, .key = key, .ctx = w };
	w->opener = opener_new(&w->source);
	memcpy(w->member.id, w->device.id, sizeof(w->member.id));
	strcpy(w->member.name, "sw1");
	w->member.is_admitted = true;
	return w;
}

static void world_freep(struct world **at)
{
	struct world *w = *at;

	opener_free(w->opener);
	for (int i = 0; i < BATCHES; i++) {
		struct one *b = &w->batches[i];

		buf_done(&b->batch);
		buf_done(&b->control);
		buf_done(&b->order);
		buf_done(&b->receipt);
		statement_free(b->st);
		statement_free(b->order_st);
	}
	for (size_t i = 0; i < LIES_MAX; i++)
		buf_done(&w->lies[i].answer);
	buf_done(&w->enrol);
	buf_done(&w->admit);
	buf_done(&w->shredded);
	buf_done(&w->certificate);
	fleet_device_done(&w->device);
	fleet_device_done(&w->other);
	sign_key_done(&w->bob);
	sign_key_done(&w->stranger);
	root_free(w->roots[0]);
	fleet_done(&w->fleet);
	free(w);
}

/* The answer that takes the place of the true one, to be filled. */
static struct buf *lie_about_device(struct world *w, const char *what)
{
	struct lie *l = &w->lies[w->lie_count++];

	snprintf(l->path, sizeof(l->path), "/v1/devices/%s%s", w->device.id, what);
	buf_truncate(&l->answer, 0);
	return &l->answer;
}

static struct buf *lie_about_batch(struct world *w, int which, const char *what)
{
	struct lie *l = &w->lies[w->lie_count++];

	snprintf(l->path, sizeof(l->path), "/v1/batches/%s%s", w->batches[which].id, what);
	buf_truncate(&l->answer, 0);
	return &l->answer;
}

static void is_state(struct world *w, const char *state)
{
	_cleanup_(dossier_done) struct dossier d = { 0 };
	struct error err = { 0 };

	must(dossier_get(&d, &w->source, w->opener, &w->member, &err), &err);
	if (d.now.is_contradicted)
		fail_msg("contradicted: %s", d.now.contradiction);
	CHECK_STR(retirement_state_name(d.now.state), state);
	w->lie_count = 0;
}

static void refused(struct world *w, int code, const char *says)
{
	_cleanup_(dossier_done) struct dossier d = { 0 };
	struct error err = { 0 };
	int got = dossier_get(&d, &w->source, w->opener, &w->member, &err);

	if (got != code || !strstr(err.text, says))
		fail_msg("got %d, '%s', where %d, '%s' belongs", got, err.text, code, says);
	w->lie_count = 0;
}

/* ---- the truth, and what is hidden ---- */

TEST(a_whole_ceremony_is_believed_by_its_signatures)
{
	_cleanup_(world_freep) struct world *w = world_new();

	is_state(w, "certified");
}

TEST(what_a_server_hides_leaves_an_earlier_state_and_never_a_later_one)
{
	_cleanup_(world_freep) struct world *w = world_new();

	lie_about_device(w, "/certificate");
	is_state(w, "shredded");
	buf_addf(lie_about_device(w, "/certificate"), "%s", "");
	add_shredded(lie_about_device(w, "/shredded"), w, "archive", &w->fleet.archive);
	is_state(w, "shredding");
	lie_about_device(w, "/certificate");
	lie_about_device(w, "/shredded");
	is_state(w, "wiped");
	lie_about_device(w, "/certificate");
	lie_about_device(w, "/shredded");
	lie_about_batch(w, ERASE, "/receipts");
	is_state(w, "retiring");
}

TEST(approvals_that_a_server_hides_are_missing)
{
	_cleanup_(world_freep) struct world *w = world_new();
	_cleanup_(dossier_done) struct dossier d = { 0 };
	struct error err = { 0 };

	lie_about_device(w, "/certificate");
	lie_about_device(w, "/shredded");
	lie_about_batch(w, ERASE, "/receipts");
	buf_add_bytes(lie_about_batch(w, ERASE, "/statement"), buf_bytes(&w->batches[ERASE].batch));
	must(dossier_get(&d, &w->source, w->opener, &w->member, &err), &err);
	CHECK_EQ(d.now.erase.phase, PHASE_WAITING);
	CHECK_EQ(d.now.erase.consent.people, 1);
}

/* ---- lies ---- */

TEST(a_receipt_of_somebody_else_is_refused)
{
	_cleanup_(world_freep) struct world *w = world_new();

	make_receipt(lie_about_batch(w, ERASE, "/receipts"), w, w->device.id, &w->stranger, statement_hash(w->batches[ERASE].order_st));
	refused(w, E_SEAL, "does not hold");
	make_receipt(lie_about_batch(w, ERASE, "/receipts"), w, w->device.id, &w->device.key, statement_hash(w->batches[SHRED].order_st));
	refused(w, E_SEAL, "answers another order");
}

TEST(the_receipt_of_another_device_says_nothing_about_this_one)
{
	_cleanup_(world_freep) struct world *w = world_new();

	make_receipt(lie_about_batch(w, ERASE, "/receipts"), w, w->other.id, &w->other.key, statement_hash(w->batches[ERASE].order_st));
	lie_about_device(w, "/certificate");
	lie_about_device(w, "/shredded");
	is_state(w, "retiring");
}

TEST(nobody_shreds_in_the_name_of_the_archive)
{
	_cleanup_(world_freep) struct world *w = world_new();

	add_shredded(lie_about_device(w, "/shredded"), w, "archive", &w->fleet.operator);
	refused(w, E_SEAL, "signed by alice");
	add_shredded(lie_about_device(w, "/shredded"), w, "alice", &w->stranger);
	refused(w, E_SEAL, "does not hold");
}

TEST(a_certificate_without_people_or_without_the_archive_is_refused)
{
	_cleanup_(world_freep) struct world *w = world_new();

	make_certificate(lie_about_device(w, "/certificate"), w, (const struct sign_key *[]){ &w->fleet.operator, & w->bob }, 2);
	refused(w, E_SEAL, "archive's signature");
	make_certificate(lie_about_device(w, "/certificate"), w, (const struct sign_key *[]){ &w->fleet.operator, & w->fleet.archive }, 2);
	refused(w, E_SEAL, "does not hold");
}

TEST(an_order_that_is_no_leaf_of_its_batch_is_refused)
{
	_cleanup_(world_freep) struct world *w = world_new();

	buf_add_bytes(lie_about_batch(w, ERASE, "/orders?from=0"), buf_bytes(&w->batches[SHRED].order));
	refused(w, E_SEAL, "does not hold");
}

TEST(a_batch_that_is_listed_as_another_is_refused)
{
	_cleanup_(world_freep) struct world *w = world_new();

	buf_add_bytes(lie_about_batch(w, ERASE, "/statement"), buf_bytes(&w->batches[SHRED].batch));
	refused(w, E_SEAL, "it is batch");
}

TEST(a_challenge_that_is_none_is_refused)
{
	_cleanup_(world_freep) struct world *w = world_new();

	buf_add_str(lie_about_device(w, ""), "{\"challenge\": \"0123\"}");
	refused(w, E_PEER, "malformed");
	buf_add_str(lie_about_device(w, ""), "{\"retired\": \"wiped-for-good-and-ever\"}");
	refused(w, E_PEER, "malformed");
}

TEST(a_device_under_another_name_is_refused)
{
	_cleanup_(world_freep) struct world *w = world_new();

	strcpy(w->member.name, "sw2");
	refused(w, E_SEAL, "admitted as 'sw1'");
}
