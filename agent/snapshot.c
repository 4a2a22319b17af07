/* agent/snapshot.c -- makes epochs, snapshots, receipts and statuses: text, seals, statement, signature. */
#include "agent/snapshot-parts.h"

#include "base/clock.h"

#include <sodium.h>
#include <string.h>

enum { DAY_S = 86400 };

static void add_text(struct buf *text, const char *key, const char *value)
{
	char clean[SNAPSHOT_NOTE_MAX + 1];
	size_t n = 0;

	while (*value == ' ')
		value++;
	for (; *value && n < SNAPSHOT_NOTE_MAX; value++)
		clean[n++] = *value >= 0x20 && *value < 0x7f ? *value : '?';
	while (n && clean[n - 1] == ' ')
		n--;
	clean[n] = 0;
	if (n)
		statement_add(text, key, "%s", clean);
}

static int64_t time_for(const struct chain *c, const struct snapshot_by *by)
{
	return by->now_s > c->time_s ? by->now_s : c->time_s;
}

void chain_add_checkpoint(struct buf *text, const struct snapshot_by *by)
{
	uint8_t hash[HASH_LEN];

	if (!by->checkpoint || !statement_get_hash(hash, by->checkpoint, "tree"))
		return;
	statement_add_point(text, "checkpoint", statement_number(by->checkpoint, "size"), hash);
}

void chain_add_head(struct buf *text, const struct chain *c, const struct snapshot_by *by)
{
	statement_add(text, "fleet", "%s", root_fleet(by->root));
	statement_add(text, "device", "%s", by->id);
	statement_add(text, "number", "%llu", (unsigned long long)c->number + 1);
	statement_add_hash(text, "prev", c->hash);
	statement_add_time(text, "time", time_for(c, by));
}

int chain_finish(struct chain *c, struct buf *text, struct bytes seals, const struct snapshot_by *by, struct error *err)
{
	uint8_t hash[HASH_LEN];

	sha256(hash, buf_bytes(text));
	if (statement_sign(text, by->key, err) < 0)
		return err->code;
	if (text->len + seals.len > CONTAINER_MAX)
		return error_set(err, E_LIMIT, "container of %zu bytes is over %d", text->len + seals.len, CONTAINER_MAX);
	buf_add_bytes(text, seals);
	c->number++;
	c->time_s = time_for(c, by);
	memcpy(c->hash, hash, HASH_LEN);
	buf_done(&c->newest);
	buf_add_bytes(&c->newest, buf_bytes(text));
	return 0;
}

static void readers_digest(uint8_t out[static HASH_LEN], const struct root *root)
{
	struct age_recipient to[AGE_RECIPIENTS_MAX];
	_cleanup_(buf_done) struct buf all = { 0 };

	for (int round = 0; round < 2; round++) {
		size_t n = root_recipients(to, NULL, root, ROLE_READER, round ? ROLE_READER : ROLE_AUDITOR);

		buf_add_u32be(&all, (uint32_t)n);
		for (size_t i = 0; i < n; i++)
			buf_add(&all, to[i].pub, sizeof(to[i].pub));
	}
	sha256(out, buf_bytes(&all));
}

bool epoch_is_due(const struct chain *c, const struct root *root, int64_t now_s)
{
	uint8_t readers[HASH_LEN];

	if (!c->epoch || now_s - c->epoch_time_s >= SNAPSHOT_EPOCH_DAYS * DAY_S)
		return true;
	readers_digest(readers, root);
	return memcmp(readers, c->readers, HASH_LEN) != 0;
}

/* One epoch identity: made, sealed to the readers, forgotten. */
static int make_epoch_key(struct age_recipient *out, struct buf *sealed, const struct root *root, enum role also, struct error *err)
{
	struct age_recipient to[AGE_RECIPIENTS_MAX];
	size_t n = root_recipients(to, NULL, root, ROLE_READER, also);
	_cleanup_(buf_done) struct buf text = { 0 };
	struct age_identity id;
	int r;

	if (!n)
		return error_set(err, E_DENIED, "root %llu names nobody with a reading key for this",
				 (unsigned long long)root_version(root));
	age_identity_new(&id);
	*out = id.pub;
	age_identity_text(&text, &id);
	age_identity_done(&id);
	buf_add_char(&text, '\n');
	r = seal_secret(sealed, to, n, buf_bytes(&text), err);
	return r;
}

/* A new epoch begins with a new base and knows no tokens. */
static void start_epoch(struct chain *c, const struct root *root)
{
	c->epoch++;
	c->epoch_time_s = c->time_s;
	readers_digest(c->readers, root);
	randombytes_buf(c->token_key, sizeof(c->token_key));
	c->base.is_there = c->delta.is_there = c->startup.is_there = c->secrets.is_there = false;
	c->deltas = 0;
	buf_done(&c->base_text);
}

int epoch_make(struct chain *c, const struct snapshot_by *by, struct error *err)
{
	_cleanup_(buf_done) struct buf text = { 0 }, body = { 0 }, secrets = { 0 }, seals = { 0 };
	struct age_recipient body_to, secrets_to;
	char recipient[AGE_RECIPIENT_LEN + 1];

	if (make_epoch_key(&body_to, &body, by->root, ROLE_AUDITOR, err) < 0 ||
	    make_epoch_key(&secrets_to, &secrets, by->root, ROLE_READER, err) < 0)
		return err->code;
	statement_begin(&text, STATEMENT_EPOCH);
	chain_add_head(&text, c, by);
	statement_add(&text, "epoch", "%llu", (unsigned long long)c->epoch + 1);
	statement_add(&text, "root", "%llu", (unsigned long long)root_version(by->root));
	chain_add_checkpoint(&text, by);
	age_recipient_text(recipient, &body_to);
	statement_add(&text, "body", "%s", recipient);
	age_recipient_text(recipient, &secrets_to);
	statement_add(&text, "secrets", "%s", recipient);
	statement_add_seal(&text, "body-key", c->number + 1, buf_bytes(&body));
	statement_add_seal(&text, "secrets-key", c->number + 1, buf_bytes(&secrets));
	buf_add_bytes(&seals, buf_bytes(&body));
	buf_add_bytes(&seals, buf_bytes(&secrets));
	if (chain_finish(c, &text, buf_bytes(&seals), by, err) < 0)
		return err->code;
	c->body = body_to;
	c->secrets_to = secrets_to;
	start_epoch(c, by->root);
	return 0;
}

/* The parts of one snapshot while it is made. */
struct draft {
	struct buf running, startup, secrets; /* tokenised texts; the table's text */
	struct secret_table table;
	struct buf seals; /* new ones, in the order of the statement */
};

static void draft_done(struct draft *d)
{
	buf_done(&d->running);
	buf_done(&d->startup);
	buf_done(&d->secrets);
	buf_done(&d->seals);
	secret_table_done(&d->table);
}

static void draft_make(struct draft *d, const struct chain *c, const struct snapshot_input *in)
{
	secrets_split(&d->running, &d->table, in->driver, c->token_key, in->running);
	if (in->has_startup)
		secrets_split(&d->startup, &d->table, in->driver, c->token_key, in->startup);
	secret_table_text(&d->secrets, &d->table);
}

static void keyed_digest(uint8_t out[static HASH_LEN], const struct chain *c, struct bytes text)
{
	crypto_generichash(out, HASH_LEN, text.ptr, text.len, c->token_key, sizeof(c->token_key));
}

/* Notes a fresh seal and appends it. */
static void take_seal(struct chain *c, struct chain_seal *slot, const char *name, struct draft *d, struct bytes sealed,
		      struct bytes plain)
{
	slot->is_there = true;
	slot->ref.name = name;
	slot->ref.number = c->number + 1;
	slot->ref.len = sealed.len;
	sha256(slot->ref.hash, sealed);
	keyed_digest(slot->digest, c, plain);
	buf_add_bytes(&d->seals, sealed);
}

static bool holds(const struct chain *c, const struct chain_seal *slot, struct bytes plain)
{
	uint8_t digest[HASH_LEN];

	keyed_digest(digest, c, plain);
	return slot->is_there && !memcmp(digest, slot->digest, HASH_LEN);
}

static bool base_is_worn(const struct chain *c, struct bytes running)
{
	struct bytes base = buf_bytes(&c->base_text);

	if (!c->base.is_there)
		return true;
	if (bytes_equal(base, running) || holds(c, &c->delta, running))
		return false;
	if (c->deltas >= SNAPSHOT_DELTAS_MAX)
		return true;
	return 2 * seal_compressed_len(running, base) > seal_compressed_len(base, (struct bytes){ 0 });
}

static int seal_base(struct chain *c, struct draft *d, struct error *err)
{
	_cleanup_(buf_done) struct buf sealed = { 0 };
	struct bytes running = buf_bytes(&d->running);

	if (!base_is_worn(c, running))
		return 0;
	if (seal_text(&sealed, &c->body, running, (struct bytes){ 0 }, err) < 0)
		return error_add(err, "base");
	take_seal(c, &c->base, "base", d, buf_bytes(&sealed), running);
	buf_done(&c->base_text);
	buf_add_bytes(&c->base_text, running);
	c->deltas = 0;
	c->delta.is_there = c->startup.is_there = false; /* they were made against the old one */
	return 0;
}

/* A text as a delta against the base; the seal of before serves again while the text is the same. */
static int seal_delta(struct chain *c, struct chain_seal *slot, const char *name, struct draft *d, struct bytes text, struct error *err)
{
	_cleanup_(buf_done) struct buf sealed = { 0 };

	if (holds(c, slot, text))
		return 0;
	if (seal_text(&sealed, &c->body, text, buf_bytes(&c->base_text), err) < 0)
		return error_add(err, "%s", name);
	take_seal(c, slot, name, d, buf_bytes(&sealed), text);
	return 0;
}

static int seal_table(struct chain *c, struct draft *d, struct error *err)
{
	_cleanup_(buf_done) struct buf sealed = { 0 };

	if (!d->secrets.len) {
		c->secrets.is_there = false;
		return 0;
	}
	if (holds(c, &c->secrets, buf_bytes(&d->secrets)))
		return 0;
	if (d->secrets.len > SECRETS_MAX)
		return error_set(err, E_LIMIT, "secrets of %zu bytes are over %d", d->secrets.len, SECRETS_MAX);
	if (seal_secret(&sealed, &c->secrets_to, 1, buf_bytes(&d->secrets), err) < 0)
		return error_add(err, "secrets");
	take_seal(c, &c->secrets, "secrets", d, buf_bytes(&sealed), buf_bytes(&d->secrets));
	return 0;
}

static int seal_all(struct chain *c, struct draft *d, const struct snapshot_input *in, struct error *err)
{
	struct bytes running = buf_bytes(&d->running), startup = buf_bytes(&d->startup);

	if (seal_base(c, d, err) < 0)
		return err->code;
	if (bytes_equal(running, buf_bytes(&c->base_text))) {
		c->delta.is_there = false;
	} else {
		uint64_t before = c->delta.is_there ? c->delta.ref.number : 0;

		if (seal_delta(c, &c->delta, "delta", d, running, err) < 0)
			return err->code;
		c->deltas += c->delta.ref.number != before;
	}
	if (!in->has_startup || bytes_equal(running, startup))
		c->startup.is_there = false;
	else if (seal_delta(c, &c->startup, "startup", d, startup, err) < 0)
		return err->code;
	return seal_table(c, d, err);
}

static void add_seal_line(struct buf *text, const struct chain_seal *slot)
{
	char hex[2 * HASH_LEN + 1];

	if (!slot->is_there)
		return;
	hex_encode(hex, slot->ref.hash, HASH_LEN);
	statement_add(text, slot->ref.name, "%llu %zu %s", (unsigned long long)slot->ref.number, slot->ref.len, hex);
}

static void add_saved(struct buf *text, const struct snapshot_input *in)
{
	statement_add(text, "saved", "%s", commit_saved_name(in->saved));
	if (in->unsaved_since_s)
		statement_add_time(text, "unsaved-since", in->unsaved_since_s);
	statement_add(text, "mode", "%s", in->mode);
	if (in->hold_s)
		statement_add_time(text, "hold", in->hold_s);
	add_text(text, "hold-by", in->hold_by ? in->hold_by : "");
	add_text(text, "drift", in->drift ? in->drift : "");
	if (in->drift_since_s)
		statement_add_time(text, "drift-since", in->drift_since_s);
	add_text(text, "changed-by", in->changed_by ? in->changed_by : "");
}

/* Each epoch has its own tokens: across two of them only the place of a secret can be compared. */
static void count_changes(uint64_t *added, uint64_t *removed, const struct chain *c, const struct draft *d)
{
	_cleanup_(buf_done) struct buf before = { 0 }, after = { 0 };

	if (c->text_epoch == c->epoch) {
		lines_changed(added, removed, buf_bytes(&c->running_text), buf_bytes(&d->running));
		return;
	}
	tokens_blank(&before, buf_bytes(&c->running_text));
	tokens_blank(&after, buf_bytes(&d->running));
	lines_changed(added, removed, buf_bytes(&before), buf_bytes(&after));
}

static void write_snapshot(struct buf *text, const struct chain *c, const struct draft *d, const struct snapshot_input *in,
			   const struct snapshot_by *by)
{
	uint64_t added, removed;

	count_changes(&added, &removed, c, d);
	statement_begin(text, STATEMENT_SNAPSHOT);
	chain_add_head(text, c, by);
	statement_add(text, "epoch", "%llu", (unsigned long long)c->epoch);
	statement_add(text, "root", "%llu", (unsigned long long)root_version(by->root));
	chain_add_checkpoint(text, by);
	statement_add(text, "reason", "%s", in->reason);
	add_saved(text, in);
	statement_add(text, "changed", "%llu %llu", (unsigned long long)added, (unsigned long long)removed);
	add_text(text, "model", in->facts->model);
	add_text(text, "serial", in->facts->serial);
	add_text(text, "firmware", in->facts->firmware);
	add_text(text, "note", in->note);
	add_seal_line(text, &c->base);
	add_seal_line(text, &c->delta);
	add_seal_line(text, &c->startup);
	add_seal_line(text, &c->secrets);
}

static bool is_zero(const uint8_t *in, size_t len)
{
	return sodium_is_zero(in, len) != 0;
}

/* Has running another text than in the snapshots before? c is already moved on to this one. */
static void note_running(struct chain *c, struct bytes running)
{
	uint8_t digest[HASH_LEN];

	if (is_zero(c->running_key, sizeof(c->running_key)))
		randombytes_buf(c->running_key, sizeof(c->running_key));
	crypto_generichash(digest, sizeof(digest), running.ptr, running.len, c->running_key, sizeof(c->running_key));
	if (c->running_since && !memcmp(digest, c->running_digest, sizeof(digest)))
		return;
	memcpy(c->running_digest, digest, sizeof(digest));
	memcpy(c->running_hash, c->hash, HASH_LEN);
	c->running_since = c->number;
}

static void remember(struct chain *c, struct draft *d, const struct snapshot_input *in)
{
	note_running(c, in->running);
	buf_done(&c->running_text);
	buf_done(&c->startup_text);
	c->running_text = d->running;
	c->startup_text = d->startup;
	d->running = d->startup = (struct buf){ 0 };
	c->had_startup = in->has_startup;
	c->has_snapshot = true;
	c->text_epoch = c->epoch;
	c->saved = in->saved;
	c->unsaved_since_s = in->unsaved_since_s;
}

int snapshot_make(struct chain *c, const struct snapshot_input *in, const struct snapshot_by *by, struct error *err)
{
	_cleanup_(draft_done) struct draft d = { 0 };
	_cleanup_(buf_done) struct buf text = { 0 };

	draft_make(&d, c, in);
	if (seal_all(c, &d, in, err) < 0)
		return err->code;
	write_snapshot(&text, c, &d, in, by);
	if (chain_finish(c, &text, buf_bytes(&d.seals), by, err) < 0)
		return err->code;
	remember(c, &d, in);
	return 0;
}

static void add_erased(struct buf *text, const struct device_erased *erased)
{
	for (size_t i = 0; i < erased->area_count; i++) {
		_cleanup_(buf_done) struct buf area = { 0 };

		area_text(&area, &erased->areas[i]);
		statement_add(text, "area", "%s", buf_text(&area));
	}
	for (size_t i = 0; i < erased->left_count; i++)
		add_text(text, "left", erased->left[i]);
	if (erased->has_transcript)
		statement_add_hash(text, "transcript", erased->transcript);
}

int receipt_make(struct chain *c, const struct receipt_input *in, const struct snapshot_by *by, struct error *err)
{
	_cleanup_(buf_done) struct buf text = { 0 };

	statement_begin(&text, STATEMENT_RECEIPT);
	chain_add_head(&text, c, by);
	statement_add(&text, "root", "%llu", (unsigned long long)root_version(by->root));
	chain_add_checkpoint(&text, by);
	statement_add(&text, "order", "%llu", (unsigned long long)in->order);
	statement_add_hash(&text, "batch", in->batch);
	statement_add_hash(&text, "leaf", in->leaf);
	statement_add(&text, "outcome", "%s", in->outcome);
	add_text(&text, "check", in->check ? in->check : "");
	add_text(&text, "evidence", in->evidence ? in->evidence : "");
	if (in->erased)
		add_erased(&text, in->erased);
	add_text(&text, "note", in->note);
	return chain_finish(c, &text, (struct bytes){ 0 }, by, err);
}

bool snapshot_running_differs(const struct chain *c, const struct snapshot_input *in)
{
	_cleanup_(draft_done) struct draft d = { 0 };

	draft_make(&d, c, in);
	return !bytes_equal(buf_bytes(&d.running), buf_bytes(&c->running_text));
}

bool snapshot_startup_differs(const struct chain *c, const struct snapshot_input *in)
{
	_cleanup_(draft_done) struct draft d = { 0 };

	draft_make(&d, c, in);
	return in->has_startup != c->had_startup || !bytes_equal(buf_bytes(&d.startup), buf_bytes(&c->startup_text));
}

int status_make(struct buf *out, const struct chain *c, const struct snapshot_input *in, uint64_t wait_s, const struct snapshot_by *by,
		struct error *err)
{
	_cleanup_(buf_done) struct buf text = { 0 };

	statement_begin(&text, STATEMENT_STATUS);
	statement_add(&text, "fleet", "%s", root_fleet(by->root));
	statement_add(&text, "device", "%s", by->id);
	statement_add_time(&text, "time", time_for(c, by));
	statement_add_point(&text, "head", c->number, c->hash);
	if (in->order)
		statement_add(&text, "order", "%llu", (unsigned long long)in->order);
	statement_add(&text, "root", "%llu", (unsigned long long)root_version(by->root));
	chain_add_checkpoint(&text, by);
	add_saved(&text, in);
	add_text(&text, "note", in->note);
	if (in->challenge)
		statement_add_hash(&text, "challenge", in->challenge);
	statement_add(&text, "wait", "%llu", (unsigned long long)wait_s);
	if (statement_sign(&text, by->key, err) < 0)
		return err->code;
	buf_add_bytes(out, buf_bytes(&text));
	return 0;
}
