/* tests/unit/recorded.c -- a device that records, the people who read it, and what the archive opens of it. */
#include "tests/unit/recorded.h"

#include "tests/test.h"

static const char *const seal_names[SEALS_MAX] = { "base", "delta", "startup", "secrets" };

static struct bytes first_line(struct bytes text)
{
	struct bytes line = { 0 };

	CHECK(bytes_next_line(&text, &line));
	return line;
}

struct root *make_root(const struct world *w, const struct root *before, bool has_reader, bool is_bob)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	char key[SIGN_PUB_TEXT_MAX], recipient[AGE_RECIPIENT_LEN + 1];
	struct statement *st;
	struct root *root;
	struct error err = { 0 };
	size_t used;

	sign_pub_text(key, &w->operator.pub);
	statement_begin(&text, STATEMENT_ROOT);
	if (before)
		statement_add(&text, "fleet", "%s", root_fleet(before));
	statement_add(&text, "version", "%llu", before ? (unsigned long long)root_version(before) + 1 : 1ULL);
	if (before)
		statement_add_hash(&text, "prev", statement_hash(root_statement(before)));
	statement_add_time(&text, "time", START_S);
	statement_add_time(&text, "expires", START_S + 365 * DAY_S);
	statement_add(&text, "name", "plant-a");
	statement_add(&text, "person", "alice");
	statement_add(&text, "person", "bob");
	statement_add(&text, "key", "alice %s", key);
	age_recipient_text(recipient, &w->alice.pub);
	if (has_reader)
		statement_add(&text, "reading-key", "alice %s", recipient);
	age_recipient_text(recipient, &w->bob.pub);
	if (is_bob || !has_reader)
		statement_add(&text, "reading-key", "bob %s", recipient);
	statement_add(&text, "role", "root alice");
	statement_add(&text, "role", "admin alice");
	statement_add(&text, "role", "reader alice%s", is_bob ? " bob" : "");
	sign_pub_text(key, &w->server.pub);
	statement_add(&text, "archive", "%s", key);
	statement_add(&text, "tls-pin", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
	statement_add(&text, "server", "localhost:8443");
	CHECK_OK(statement_sign(&text, &w->operator, &err));
	CHECK_OK(statement_parse(&st, buf_bytes(&text), false, &used, &err));
	CHECK_OK(root_new(&root, st, &err));
	return root;
}

void world_init(struct world *w)
{
	struct error err = { 0 };

	*w = (struct world){ .now_s = START_S, .facts = { .model = "FRRouting", .firmware = "8.4.4" } };
	CHECK_OK(crypto_start(&err));
	sign_key_new(&w->operator);
	sign_key_new(&w->server);
	sign_key_new(&w->device);
	age_identity_new(&w->alice);
	age_identity_new(&w->bob);
	sign_pub_id(w->id, &w->device.pub);
	w->root = make_root(w, NULL, true, false);
	w->chain.number = 1; /* the enrolment */
	w->chain.time_s = START_S;
	memset(w->chain.hash, 7, HASH_LEN);
}

void world_done(struct world *w)
{
	sign_key_done(&w->operator);
	sign_key_done(&w->server);
	sign_key_done(&w->device);
	age_identity_done(&w->alice);
	age_identity_done(&w->bob);
	age_identity_done(&w->body);
	age_identity_done(&w->secrets);
	root_free(w->root);
	chain_done(&w->chain);
	statement_free(w->newest);
	for (size_t i = 0; i < SEALS_MAX; i++)
		buf_done(&w->seals[i]);
}

struct snapshot_by by(const struct world *w)
{
	return (struct snapshot_by){ &w->device, w->id, w->root, NULL, w->now_s };
}

static void open_epoch_key(struct age_identity *out, const struct world *w, struct bytes sealed)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	struct error err = { 0 };

	age_identity_done(out);
	CHECK_OK(seal_open_secret(&text, &w->alice, sealed, &err));
	CHECK_OK(age_identity_parse(out, first_line(buf_bytes(&text)), &err));
}

void archive(struct world *w, uint64_t number, const uint8_t prev[static HASH_LEN])
{
	uint8_t named[HASH_LEN];
	struct container c;
	struct error err = { 0 };
	size_t used;

	CHECK_OK(container_parse(&c, buf_bytes(&w->chain.newest), CONTAINER_ATTACHED, &used, &err));
	CHECK_EQ(used, w->chain.newest.len);
	CHECK_OK(statement_verify_by(c.st, &w->device.pub, &err));
	CHECK_EQ(statement_number(c.st, "number"), number);
	CHECK(statement_get_hash(named, c.st, "prev"));
	assert_memory_equal(named, prev, HASH_LEN);
	assert_memory_equal(statement_hash(c.st), w->chain.hash, HASH_LEN);
	if (statement_type(c.st) == STATEMENT_EPOCH) {
		open_epoch_key(&w->body, w, container_seal(&c, "body-key"));
		open_epoch_key(&w->secrets, w, container_seal(&c, "secrets-key"));
	}
	for (size_t i = 0; i < SEALS_MAX; i++) {
		struct bytes seal = container_seal(&c, seal_names[i]);

		if (!seal.ptr)
			continue;
		buf_done(&w->seals[i]);
		buf_add_bytes(&w->seals[i], seal);
	}
	statement_free(w->newest);
	w->newest = steal(c.st);
	container_done(&c);
}

void make_epoch(struct world *w)
{
	uint64_t number = w->chain.number + 1;
	uint8_t prev[HASH_LEN];
	struct snapshot_by signer = by(w);
	struct error err = { 0 };

	memcpy(prev, w->chain.hash, HASH_LEN);
	CHECK_OK(epoch_make(&w->chain, &signer, &err));
	archive(w, number, prev);
}

struct snapshot_input input_of(const struct world *w, const char *running, const char *startup)
{
	return (struct snapshot_input){
		.reason = "change",
		.driver = &driver_frr,
		.running = bytes_str(running),
		.startup = bytes_str(startup ? startup : ""),
		.has_startup = startup != NULL,
		.saved = startup && !strcmp(running, startup) ? SAVED_YES : SAVED_NO,
		.mode = "commit",
		.note = "",
		.facts = &w->facts,
	};
}

void take(struct world *w, const char *running, const char *startup)
{
	struct snapshot_input in = input_of(w, running, startup);
	uint64_t number = w->chain.number + 1;
	uint8_t prev[HASH_LEN];
	struct snapshot_by signer = by(w);
	struct error err = { 0 };

	memcpy(prev, w->chain.hash, HASH_LEN);
	CHECK_OK(snapshot_make(&w->chain, &in, &signer, &err));
	archive(w, number, prev);
}

bool lists(const struct world *w, const char *name)
{
	struct seal_ref ref;

	return statement_seal(&ref, w->newest, name);
}

uint64_t brought_by(const struct world *w, const char *name)
{
	struct seal_ref ref;

	return statement_seal(&ref, w->newest, name) ? ref.number : 0;
}

static struct bytes seal_of(const struct world *w, const char *name)
{
	size_t i = 0;
	struct seal_ref ref;
	uint8_t hash[HASH_LEN];

	while (strcmp(seal_names[i], name) != 0)
		i++;
	CHECK(statement_seal(&ref, w->newest, name));
	sha256(hash, buf_bytes(&w->seals[i]));
	assert_memory_equal(hash, ref.hash, HASH_LEN); /* what it names is what the archive has */
	return buf_bytes(&w->seals[i]);
}

/* Puts secrets where their tokens stand. */
static void reveal(struct buf *out, struct bytes text, struct bytes table)
{
	while (text.len) {
		const uint8_t *at = memmem(text.ptr, text.len, "{{secret ", 9), *row;

		buf_add(out, text.ptr, at ? (size_t)(at - text.ptr) : text.len);
		if (!at)
			return;
		row = memmem(table.ptr, table.len, at + 9, 16);
		CHECK(row != NULL);
		CHECK(base64_decode(out, first_line(bytes_of(row + 17, table.len - (size_t)(row + 17 - table.ptr)))));
		text = bytes_from(text, (size_t)(at - text.ptr) + 27);
	}
}

void check_opens(const struct world *w, const char *running, const char *startup)
{
	_cleanup_(buf_done) struct buf base = { 0 }, now = { 0 }, boot = { 0 }, table = { 0 }, shown = { 0 }, shown_boot = { 0 };
	struct bytes none = { 0 };
	struct error err = { 0 };

	CHECK_OK(seal_open_text(&base, &w->body, seal_of(w, "base"), none, &err));
	if (lists(w, "delta"))
		CHECK_OK(seal_open_text(&now, &w->body, seal_of(w, "delta"), buf_bytes(&base), &err));
	else
		buf_add_bytes(&now, buf_bytes(&base));
	if (lists(w, "startup"))
		CHECK_OK(seal_open_text(&boot, &w->body, seal_of(w, "startup"), buf_bytes(&base), &err));
	if (lists(w, "secrets"))
		CHECK_OK(seal_open_secret(&table, &w->secrets, seal_of(w, "secrets"), &err));
	reveal(&shown, buf_bytes(&now), buf_bytes(&table));
	CHECK_STR(buf_text(&shown), running);
	CHECK_EQ(lists(w, "startup"), startup && strcmp(running, startup) != 0);
	if (lists(w, "startup")) {
		reveal(&shown_boot, buf_bytes(&boot), buf_bytes(&table));
		CHECK_STR(buf_text(&shown_boot), startup);
	}
}

char *config(int lines, int changed, int round)
{
	struct buf text = { 0 };

	for (int i = 0; i < lines; i++)
		buf_addf(&text, "ip route 10.%d.%d.0/24 10.0.0.%d\n", (i * 7919) % 251, i % 256, i == changed ? 100 + round : i % 50);
	buf_addf(&text, "password hunter-%d\n", 2);
	return buf_steal_text(&text);
}
