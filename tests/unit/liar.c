/* tests/unit/liar.c -- devices, a log and a server that can lie, in memory. */
#include "tests/unit/liar.h"

#include "base/clock.h"
#include "cli/cli.h"
#include "crypto/merkle.h"
#include "tests/test.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- roots ---- */

/* alice with all roles and a reading key, bob as auditor, carol as admin from root 2 on, where alice is none any more. */
static void root_text(struct buf *out, const struct world *w, uint64_t version, const struct sign_key *carol)
{
	char alice_key[SIGN_PUB_TEXT_MAX], carol_key[SIGN_PUB_TEXT_MAX], archive[SIGN_PUB_TEXT_MAX];
	char reader[AGE_RECIPIENT_LEN + 1], auditor[AGE_RECIPIENT_LEN + 1];

	sign_pub_text(alice_key, &w->fleet.operator.pub);
	sign_pub_text(carol_key, &carol->pub);
	sign_pub_text(archive, &w->fleet.archive.pub);
	age_recipient_text(reader, &w->fleet.reader.pub);
	age_recipient_text(auditor, &w->auditor.pub);
	statement_begin(out, STATEMENT_ROOT);
	if (version > 1)
		statement_add(out, "fleet", "%s", w->fleet.id);
	statement_add(out, "version", "%llu", (unsigned long long)version);
	if (version > 1)
		statement_add_hash(out, "prev", statement_hash(root_statement(w->roots[version - 2])));
	statement_add_time(out, "time", clock_now_s());
	statement_add_time(out, "expires", clock_now_s() + 86400);
	statement_add(out, "name", "plant-a");
	statement_add(out, "person", "alice");
	statement_add(out, "person", "bob");
	statement_add(out, "person", "carol");
	statement_add(out, "key", "alice %s", alice_key);
	statement_add(out, "key", "carol %s", carol_key);
	statement_add(out, "reading-key", "alice %s", reader);
	statement_add(out, "reading-key", "bob %s", auditor);
	statement_add(out, "role", "root alice");
	statement_add(out, "role", "admin %s", version > 1 ? "carol" : "alice");
	statement_add(out, "role", "reader alice");
	statement_add(out, "role", "auditor bob");
	statement_add(out, "archive", "%s", archive);
	statement_add(out, "tls-pin", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
	statement_add(out, "server", "localhost:8443");
}

void make_root(struct world *w, uint64_t version)
{
	_cleanup_(sign_key_done) struct sign_key carol = { 0 };
	_cleanup_(buf_done) struct buf text = { 0 };
	struct statement *st = NULL;
	struct error err = { 0 };

	sign_key_new(&carol);
	root_text(&text, w, version, &carol);
	must(statement_sign(&text, &w->fleet.operator, &err), &err);
	must(statement_parse(&st, buf_bytes(&text), false, NULL, &err), &err);
	if (version == 1)
		id_of_hash(w->fleet.id, statement_hash(st));
	must(root_new(&w->roots[version - 1], st, &err), &err);
	must(version == 1 ? root_accept_first(w->roots[0], w->fleet.id, &err) : root_succeeds(w->roots[0], w->roots[1], &err), &err);
	w->root_count = version;
}

/* ---- the log ---- */

void sign_checkpoint(struct statement **out, const struct world *w, uint64_t size, struct merkle_hash tree)
{
	_cleanup_(buf_done) struct buf text = { 0 };

	statement_free(*out);
	fleet_checkpoint(&text, w->fleet.id, &w->fleet.archive, size, tree.b, clock_now_s());
	*out = fleet_parsed(&text);
}

struct merkle_hash tree_of(const struct world *w, uint64_t size)
{
	struct merkle tree = { 0 };

	for (uint64_t i = 0; i < size; i++)
		merkle_add(&tree, w->leaves[i]);
	return merkle_root(&tree);
}

/* The server logs a statement and signs the new head. */
static void log_statement(struct world *w, struct bytes container)
{
	_cleanup_(statement_freep) struct statement *st = NULL;
	struct error err = { 0 };

	must(statement_parse(&st, container, false, &(size_t){ 0 }, &err), &err);
	w->leaves[w->log_size++] = merkle_leaf(statement_text(st));
	sign_checkpoint(&w->checkpoint, w, w->log_size, tree_of(w, w->log_size));
}

static int leaf_at(void *ctx, uint64_t i, struct merkle_hash *out, struct error *err _unused_)
{
	*out = ((struct world *)ctx)->leaves[i];
	return 0;
}

static int give_proof(struct buf *out, struct world *w, uint64_t from, uint64_t to, struct error *err)
{
	struct merkle_hash proof[MERKLE_PROOF_MAX];
	char hex[2 * HASH_LEN + 1];
	int n;

	if (!from || from > to || to > w->log_size)
		return error_set(err, CLI_ABSENT, "no such sizes");
	n = merkle_prove_consistency(proof, from, to, leaf_at, w, err);
	buf_add_str(out, "{\"proof\": [");
	for (int i = 0; i < n; i++) {
		hex_encode(hex, proof[i].b, HASH_LEN);
		buf_addf(out, "%s\"%s\"", i ? ", " : "", hex);
	}
	buf_add_str(out, "]}");
	return n < 0 ? n : 0;
}

/* ---- the server ---- */

void put_full(struct buf *out, const struct device *d, uint64_t number)
{
	struct container c = { 0 }, from = { 0 };
	struct error err = { 0 };
	size_t used;

	must(container_parse(&c, buf_bytes(&d->records[number]), CONTAINER_ATTACHED, &used, &err), &err);
	buf_add_bytes(out, statement_whole(c.st));
	for (size_t i = 0; i < c.count; i++) {
		must(container_parse(&from, buf_bytes(&d->records[c.refs[i].number]), CONTAINER_ATTACHED, &used, &err), &err);
		buf_add_bytes(out, container_seal(&from, c.refs[i].name));
		container_done(&from);
	}
	container_done(&c);
}

uint64_t find_record(const struct device *d, enum statement_type type, uint64_t epoch)
{
	for (uint64_t n = d->chain.number; n; n--) {
		_cleanup_(statement_freep) struct statement *st = NULL;
		struct error err = { 0 };

		must(statement_parse(&st, buf_bytes(&d->records[n]), false, &(size_t){ 0 }, &err), &err);
		if (statement_type(st) == type && (!epoch || statement_number(st, "epoch") == epoch))
			return n;
	}
	return 0;
}

static int give_device(struct buf *out, const struct device *d, const char *what, struct error *err)
{
	unsigned long long n = 0;
	uint64_t record = 0;

	if (!strcmp(what, "enrol"))
		return buf_add_bytes(out, buf_bytes(&d->enrol)), 0;
	if (!strcmp(what, "admit"))
		return buf_add_bytes(out, buf_bytes(&d->admit)), 0;
	if (!strcmp(what, "snapshots/newest"))
		record = find_record(d, STATEMENT_SNAPSHOT, 0);
	else if (sscanf(what, "snapshots/%llu", &n) == 1 && n <= d->chain.number)
		record = n;
	else if (!strcmp(what, "verdict"))
		record = find_record(d, STATEMENT_VERDICT, 0);
	else if (sscanf(what, "verdicts/%llu", &n) == 1 && n <= d->chain.number)
		record = n;
	else if (sscanf(what, "epochs/%llu", &n) == 1 && !strstr(what, "-key")) /* nobody has rewrapped anything */
		record = find_record(d, STATEMENT_EPOCH, n);
	if (!record)
		return error_set(err, CLI_ABSENT, "server: not here");
	put_full(out, d, record);
	return 0;
}

static int give_truth(struct buf *out, struct world *w, const char *path, struct error *err)
{
	unsigned long long from, to;
	char id[ID_LEN + 1] = "", what[64];

	if (sscanf(path, "/v1/consistency?from=%llu&to=%llu", &from, &to) == 2)
		return give_proof(out, w, from, to, err);
	if (!strcmp(path, "/v1/checkpoint"))
		return buf_add_bytes(out, statement_whole(w->checkpoint)), 0;
	if (sscanf(path, "/v1/devices/%26[a-z2-7]/%63s", id, what) == 2 && !strcmp(id, w->r1.d.id))
		return give_device(out, &w->r1, what, err);
	if (!strcmp(id, w->r2.d.id))
		return give_device(out, &w->r2, what, err);
	return error_set(err, CLI_ABSENT, "server: '%s' is not here", path);
}

static int get(void *ctx, struct buf *out, const char *path, size_t max, struct error *err)
{
	struct world *w = ctx;
	size_t before = out->len;
	int r;

	for (size_t i = 0; i < w->lie_count; i++) {
		if (strcmp(w->lies[i].path, path) != 0)
			continue;
		if (w->lies[i].is_absent)
			return error_set(err, CLI_ABSENT, "server: not here");
		buf_add_bytes(out, buf_bytes(&w->lies[i].answer));
		return 0;
	}
	r = give_truth(out, w, path, err);
	must(r == CLI_ABSENT ? 0 : r, err);
	assert_true(out->len - before <= max);
	return r;
}

static int key(void *ctx, const struct age_identity **out, struct error *err _unused_)
{
	*out = ((struct world *)ctx)->key;
	return 0;
}

/* ---- devices ---- */

void keep(struct world *w, struct device *d, uint64_t number, struct bytes container)
{
	assert_true(number < RECORDS_MAX);
	buf_add_bytes(&d->records[number], container);
	log_statement(w, container);
}

struct snapshot_by by_of(const struct world *w, const struct device *d)
{
	return (struct snapshot_by){ &d->d.key, d->d.id, w->roots[0], w->checkpoint, clock_now_s() };
}

void new_epoch(struct world *w, struct device *d)
{
	struct snapshot_by by = by_of(w, d);
	struct error err = { 0 };

	must(epoch_make(&d->chain, &by, &err), &err);
	keep(w, d, d->chain.number, buf_bytes(&d->chain.newest));
}

static void device_join(struct world *w, struct device *d, const char *name)
{
	uint8_t secret[32] = { 9 };

	fleet_device_init(&d->d, name);
	fleet_enrol(&d->enrol, &w->fleet, &d->d, secret);
	fleet_admit(&d->admit, &w->fleet, &d->d);
	d->chain.number = 1;
	d->chain.time_s = clock_now_s();
	memcpy(d->chain.hash, d->d.head, HASH_LEN);
	keep(w, d, 1, buf_bytes(&d->enrol));
	log_statement(w, buf_bytes(&d->admit));
	new_epoch(w, d);
}

uint64_t snap_by(struct world *w, struct device *d, const struct look *look, const struct snapshot_by *by)
{
	struct snapshot_by now = by_of(w, d);
	struct device_facts facts = { .firmware = "FRRouting 8.4.4" };
	struct snapshot_input in = {
		.reason = "change",
		.driver = &driver_frr,
		.running = bytes_str(look->running),
		.startup = bytes_str(look->startup ? look->startup : ""),
		.has_startup = look->startup != NULL,
		.saved = look->saved,
		.unsaved_since_s = look->saved == SAVED_NO ? clock_now_s() : 0,
		.mode = "observe",
		.note = "",
		.facts = &facts,
	};
	struct error err = { 0 };

	must(snapshot_make(&d->chain, &in, by ? by : &now, &err), &err);
	keep(w, d, d->chain.number, buf_bytes(&d->chain.newest));
	return d->chain.number;
}

uint64_t snap(struct world *w, struct device *d, const char *running, const char *startup)
{
	struct look look = { running, startup, startup && !strcmp(running, startup) ? SAVED_YES : SAVED_NO };

	return snap_by(w, d, &look, NULL);
}

const char first_text[] = "hostname r1\npassword hunter2\nip route 10.0.0.0/24 10.1.1.1\n";
const char second_text[] = "hostname r1\npassword correct horse\nip route 10.0.0.0/24 10.1.1.1\nip route 10.9.0.0/24 Null0\n";

void new_opener(struct world *w)
{
	struct open_source source = { w->fleet.id, w->roots, w->root_count, w->checkpoint, get, key, w };

	w->opener = opener_free(w->opener);
	w->opener = opener_new(&source);
}

struct world *world_new(void)
{
	struct world *w = mem_alloc(sizeof(*w));

	fleet_init(&w->fleet);
	age_identity_new(&w->auditor);
	age_identity_new(&w->stranger);
	w->key = &w->fleet.reader;
	make_root(w, 1);
	device_join(w, &w->r1, "r1");
	device_join(w, &w->r2, "r2");
	snap(w, &w->r1, first_text, first_text);
	snap(w, &w->r1, second_text, first_text);
	snap(w, &w->r2, first_text, first_text);
	new_opener(w);
	return w;
}

static void device_end(struct device *d)
{
	fleet_device_done(&d->d);
	chain_done(&d->chain);
	buf_done(&d->enrol);
	buf_done(&d->admit);
	for (size_t i = 0; i < RECORDS_MAX; i++)
		buf_done(&d->records[i]);
}

void forget_lies(struct world *w)
{
	for (size_t i = 0; i < w->lie_count; i++)
		buf_done(&w->lies[i].answer);
	w->lie_count = 0;
	memset(w->lies, 0, sizeof(w->lies));
	new_opener(w);
}

void world_freep(struct world **at)
{
	struct world *w = *at;

	forget_lies(w);
	opener_free(w->opener);
	statement_free(w->checkpoint);
	device_end(&w->r1);
	device_end(&w->r2);
	root_free(w->roots[0]);
	root_free(w->roots[1]);
	age_identity_done(&w->auditor);
	age_identity_done(&w->stranger);
	fleet_done(&w->fleet);
	free(w);
}

struct buf *lie_at(struct world *w, const char *path)
{
	struct lie *l = &w->lies[w->lie_count++];

	assert_true(w->lie_count <= LIES_MAX);
	new_opener(w);
	snprintf(l->path, sizeof(l->path), "%s", path);
	return &l->answer;
}

struct buf *lie(struct world *w, const struct device *d, const char *what)
{
	_cleanup_(mem_freep) char *path = mem_printf("/v1/devices/%s/%s", d->d.id, what);

	return lie_at(w, path);
}

int try_open(struct world *w, const struct device *d, uint64_t number, uint64_t at_least, struct error *err)
{
	_cleanup_(opened_done) struct opened opened = { 0 };
	struct open_wanted wanted = { d->d.id, number, at_least };

	*err = (struct error){ 0 };
	return opener_open(&opened, w->opener, &wanted, err);
}

void check_refused(struct world *w, const struct device *d, uint64_t number, uint64_t at_least, int code, const char *says)
{
	struct error err = { 0 };

	CHECK_EQ(try_open(w, d, number, at_least, &err), code);
	if (!strstr(err.text, says))
		fail_msg("'%s' does not say '%s'", err.text, says);
	forget_lies(w);
	CHECK_OK(try_open(w, d, number, 0, &err)); /* it was the lie */
}

void sign_again(struct buf *out, struct bytes full, const struct sign_key *signer)
{
	_cleanup_(container_done) struct container c = { 0 };
	struct error err = { 0 };
	size_t used;

	CHECK_OK(container_parse(&c, full, CONTAINER_FULL, &used, &err));
	buf_add_bytes(out, statement_text(c.st));
	if (signer)
		CHECK_OK(statement_sign(out, signer, &err));
	for (size_t i = 0; i < c.count; i++)
		buf_add_bytes(out, c.seals[i]);
}
