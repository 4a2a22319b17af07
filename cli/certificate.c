/* cli/certificate.c -- the certificate of one device: drafted from verified statements, and checked by drafting it again. */
#include "cli/certificate.h"

#include "base/clock.h"
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

enum { AREAS_MAX = 8, COPIES_MAX = 16, VERIFIED_MAX = 8, SHREDDED_MAX = 64, LIMITS_MAX = 8 };

static const char standard[] = "NIST SP 800-88 Rev. 2";

/* What a draft and a check of one differ in. */
struct terms {
	struct certificate_words words;
	size_t shredded_count, verified_count;
	const struct statement *shredded[SHREDDED_MAX];
	const char *verified[VERIFIED_MAX];
	uint64_t log_size;
	uint8_t log_tree[HASH_LEN];
	int64_t time_s;
	uint64_t root;
};

static bool names(const struct statement *st, const char *key, const struct statement *other)
{
	uint8_t hash[HASH_LEN];

	return statement_get_hash(hash, st, key) && !memcmp(hash, statement_hash(other), HASH_LEN);
}

/* ---- what is computed ---- */

static const char *of_device(const struct certificate_source *s, const char *key)
{
	const char *value = s->snapshot ? statement_get(s->snapshot, key) : NULL;

	return value ? value : statement_get(s->enrol, key);
}

static enum area_seen weakest_evidence(const struct statement *receipt)
{
	enum area_seen weakest = AREA_AFTER_REBOOT;
	const char *text;
	size_t n = 0;

	for (; (text = statement_at(receipt, "area", n)); n++) {
		struct area area;

		if (!area_parse(&area, text))
			return AREA_NOTHING;
		weakest = area.seen < weakest ? area.seen : weakest;
	}
	return n ? weakest : AREA_NOTHING;
}

static bool has_claim(const struct statement *receipt, enum area_claim claim)
{
	const char *text;
	struct area area;

	for (size_t i = 0; (text = statement_at(receipt, "area", i)); i++)
		if (area_parse(&area, text) && area.claimed == claim)
			return true;
	return false;
}

/* Whoever wrote the order to erase; for a lost device, the one to give it up. */
static const char *performer(const struct retirement *r)
{
	return statement_get(r->is_wiped ? r->erase.of->batch : r->shred.of->batch, "person");
}

static bool saw_it(const struct retirement_step *step, const char *person)
{
	for (size_t i = 0; step->of && i < step->of->control_count; i++)
		if (!strcmp(statement_get(step->of->controls[i], "action"), "witness") &&
		    !strcmp(statement_get(step->of->controls[i], "person"), person))
			return true;
	return false;
}

static bool is_verifier(const struct retirement *r, const char *person)
{
	return strcmp(person, performer(r)) != 0 && ((r->is_wiped && saw_it(&r->erase, person)) || saw_it(&r->shred, person));
}

/* ---- what it does not say ---- */

static size_t computed_limits(const char *out[static LIMITS_MAX], const struct retirement *r)
{
	size_t n = 0;

	out[n++] = "ciphertext, names, labels, times and sizes stay in the archive's history; destroyed are the keys that open it";
	out[n++] = "that nobody kept another copy of a key cannot be proved; any use of one from now on is evidence of a breach";
	if (r->is_lost) {
		out[n++] = "device side not confirmed: it may still hold its configuration and its key";
		return n;
	}
	if (has_claim(r->erase.receipt, AREA_VENDOR_PURGE))
		out[n++] = "an erase that only its maker calls a purge counts as clear";
	if (weakest_evidence(r->erase.receipt) < AREA_AFTER_REBOOT)
		out[n++] = "not every area was seen again after a restart";
	return n;
}

static void add_limits(struct buf *out, const struct retirement *r, const struct certificate_words *words)
{
	const char *computed[LIMITS_MAX];
	size_t count = computed_limits(computed, r);

	for (size_t i = 0; i < count; i++)
		statement_add(out, "limit", "%s", computed[i]);
	for (size_t i = 0; i < ARRAY_SIZE(words->limits) && words->limits[i]; i++)
		statement_add(out, "limit", "%s", words->limits[i]);
}

/* ---- the text ---- */

static void add_optional(struct buf *out, const char *key, const char *value)
{
	if (value)
		statement_add(out, key, "%s", value);
}

static void add_all(struct buf *out, const char *key, const struct statement *from, size_t max)
{
	const char *value;

	for (size_t i = 0; i < max && from && (value = statement_at(from, key, i)); i++)
		statement_add(out, key, "%s", value);
}

static void add_device(struct buf *out, const struct certificate_source *s, const struct certificate_words *words)
{
	statement_add(out, "fleet", "%s", statement_get(s->enrol, "fleet"));
	statement_add(out, "device", "%s", statement_get(s->enrol, "device"));
	statement_add(out, "device-name", "%s", statement_get(s->admit, "device-name"));
	statement_add(out, "state", "%s", s->retirement->is_wiped ? "wiped" : "lost");
	add_optional(out, "manufacturer", words->manufacturer);
	add_optional(out, "model", of_device(s, "model"));
	add_optional(out, "serial", of_device(s, "serial"));
	add_optional(out, "asset", words->asset);
	add_optional(out, "firmware", of_device(s, "firmware"));
	statement_add(out, "standard", "%s", standard);
}

static void add_erasure(struct buf *out, const struct retirement *r)
{
	const struct statement *receipt = r->is_wiped ? r->erase.receipt : NULL;

	statement_add(out, "category", "%s", area_claim_name(receipt ? area_category(receipt) : AREA_NONE));
	statement_add(out, "evidence", "%s", area_seen_name(receipt ? weakest_evidence(receipt) : AREA_NOTHING));
	if (!receipt)
		return;
	statement_add_hash(out, "erase", statement_hash(r->erase.of->batch));
	statement_add_hash(out, "receipt", statement_hash(receipt));
	add_all(out, "area", receipt, AREAS_MAX);
	add_all(out, "left", receipt, AREAS_MAX);
	add_optional(out, "transcript", statement_get(receipt, "transcript"));
}

static void add_archive(struct buf *out, const struct retirement *r, const struct terms *t)
{
	size_t copies = COPIES_MAX;

	statement_add_hash(out, "shred", statement_hash(r->shred.of->batch));
	for (size_t i = 0; i < t->shredded_count; i++)
		statement_add_hash(out, "shredded", statement_hash(t->shredded[i]));
	add_optional(out, "epochs", statement_get(r->shredded, "epochs"));
	add_optional(out, "snapshots", statement_get(r->shredded, "snapshots"));
	statement_add_point(out, "log", t->log_size, t->log_tree);
	for (size_t i = 0; i < t->shredded_count; i++) {
		add_all(out, "copy", t->shredded[i], copies);
		copies -= statement_count(t->shredded[i], "copy") < copies ? statement_count(t->shredded[i], "copy") : copies;
	}
}

static void write_text(struct buf *out, const struct certificate_source *s, const struct terms *t)
{
	statement_begin(out, STATEMENT_CERTIFICATE);
	add_device(out, s, &t->words);
	add_erasure(out, s->retirement);
	add_archive(out, s->retirement, t);
	statement_add(out, "performed", "%s", performer(s->retirement));
	for (size_t i = 0; i < t->verified_count; i++)
		statement_add(out, "verified", "%s", t->verified[i]);
	add_optional(out, "place", t->words.place);
	add_optional(out, "destination", t->words.destination);
	add_limits(out, s->retirement, &t->words);
	statement_add_time(out, "time", t->time_s);
	statement_add(out, "root", "%llu", (unsigned long long)t->root);
}

/* ---- drafting ---- */

static int check_far_enough(const struct certificate_source *s, struct error *err)
{
	const struct retirement *r = s->retirement;
	const char *name = statement_get(s->admit, "device-name");
	_cleanup_(buf_done) struct buf missing = { 0 };

	if (r->is_contradicted)
		return error_set(err, E_SEAL, "'%s' cannot be certified: %s", name, r->contradiction);
	for (size_t i = 0; i < r->missing_count; i++)
		buf_addf(&missing, "%s%s", i ? ", " : "", r->missing[i]);
	if (r->state == RETIREMENT_SHREDDING)
		return error_set(
			err, CLI_CONFLICT,
			"'%s' cannot be certified yet: %s did not say that what they kept is destroyed (holdfast retire attest %s)", name,
			buf_text(&missing), name);
	if (r->state != RETIREMENT_SHREDDED)
		return error_set(err, CLI_CONFLICT, "'%s' cannot be certified: it is %s; see: holdfast retire status %s", name,
				 retirement_state_name(r->state), name);
	return 0;
}

/* The archive's first; then everybody's who said something, also of those who have left since: they may name further copies. */
static void take_shredded(struct terms *t, const struct certificate_source *s)
{
	const struct retirement *r = s->retirement;

	t->shredded[t->shredded_count++] = r->shredded;
	for (size_t i = 0; i < s->facts->shredded_count && t->shredded_count < SHREDDED_MAX; i++)
		if (s->facts->shredded[i] != r->shredded && names(s->facts->shredded[i], "batch", r->shred.of->batch))
			t->shredded[t->shredded_count++] = s->facts->shredded[i];
}

/* Whoever saw it counts, also when they have left since. */
static void take_verifiers(struct terms *t, const struct certificate_source *s, const struct retirement_step *step)
{
	for (size_t i = 0; step->of && i < step->of->control_count; i++) {
		const char *person = statement_get(step->of->controls[i], "person");
		bool is_new = is_verifier(s->retirement, person);

		for (size_t k = 0; k < t->verified_count; k++)
			is_new = is_new && strcmp(t->verified[k], person) != 0;
		if (is_new && t->verified_count < VERIFIED_MAX)
			t->verified[t->verified_count++] = person;
	}
}

int certificate_draft(struct buf *out, const struct certificate_source *source, const struct certificate_words *words,
		      const struct statement *checkpoint, int64_t now_s, struct error *err)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	struct terms t = { .words = *words, .time_s = now_s };
	int r = check_far_enough(source, err);

	if (r < 0)
		return r;
	t.log_size = statement_number(checkpoint, "size");
	t.root = root_version(source->facts->roots[source->facts->root_count - 1]);
	statement_get_hash(t.log_tree, checkpoint, "tree");
	take_shredded(&t, source);
	if (source->retirement->is_wiped)
		take_verifiers(&t, source, &source->retirement->erase);
	take_verifiers(&t, source, &source->retirement->shred);
	write_text(&text, source, &t);
	r = statement_check(buf_bytes(&text), err);
	if (r == 0)
		buf_add_bytes(out, buf_bytes(&text));
	return r;
}

/* ---- checking ---- */

bool certificate_names_shredded(const struct statement *c, const struct statement *shredded)
{
	char hex[2 * HASH_LEN + 1];
	const char *value;

	statement_hash_hex(hex, shredded);
	for (size_t i = 0; (value = statement_at(c, "shredded", i)); i++)
		if (!strcmp(value, hex))
			return true;
	return false;
}

static int find_shredded(struct terms *t, const struct statement *c, const struct certificate_source *s, struct error *err)
{
	const char *hex;

	for (size_t i = 0; (hex = statement_at(c, "shredded", i)) && i < SHREDDED_MAX; i++) {
		for (size_t k = 0; k < s->facts->shredded_count && t->shredded_count == i; k++) {
			char other[2 * HASH_LEN + 1];

			statement_hash_hex(other, s->facts->shredded[k]);
			if (!strcmp(hex, other))
				t->shredded[t->shredded_count++] = s->facts->shredded[k];
		}
		if (t->shredded_count == i)
			return error_set(err, E_DENIED, "the certificate names a 'shredded' that is not there");
	}
	if (t->shredded[0] != s->retirement->shredded)
		return error_set(err, E_DENIED, "the certificate does not name what the archive shredded first");
	return 0;
}

static int find_verifiers(struct terms *t, const struct statement *c, const struct certificate_source *s, struct error *err)
{
	const char *person;

	for (size_t i = 0; i < VERIFIED_MAX && (person = statement_at(c, "verified", i)); i++) {
		if (!is_verifier(s->retirement, person))
			return error_set(err, E_DENIED, "the certificate says that '%s' verified it, who is no witness of it", person);
		t->verified[t->verified_count++] = person;
	}
	return 0;
}

/* The limits that have to be there, and then people's own. */
static int find_words(struct terms *t, const struct statement *c, const struct certificate_source *s, struct error *err)
{
	const char *computed[LIMITS_MAX], *limit;
	size_t count = computed_limits(computed, s->retirement);

	t->words = (struct certificate_words){ statement_get(c, "manufacturer"), statement_get(c, "asset"), statement_get(c, "place"),
					       statement_get(c, "destination"), { NULL } };
	for (size_t i = 0; i < count; i++) {
		limit = statement_at(c, "limit", i);
		if (!limit || strcmp(limit, computed[i]) != 0)
			return error_set(err, E_DENIED, "the certificate leaves out a limit: %s", computed[i]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(t->words.limits); i++)
		t->words.limits[i] = statement_at(c, "limit", count + i);
	return 0;
}

/* The first line in which they differ. */
static int compare(struct bytes said, struct bytes computed, struct error *err)
{
	struct bytes a, b;

	while (bytes_next_line(&said, &a) && bytes_next_line(&computed, &b))
		if (!bytes_equal(a, b))
			return error_set(err, E_DENIED, "the certificate says '%.*s', and its statements say '%.*s'", (int)a.len,
					 (const char *)a.ptr, (int)b.len, (const char *)b.ptr);
	return said.len || computed.len ? error_set(err, E_DENIED, "the certificate says more, or less, than its statements") : 0;
}

int certificate_check(const struct statement *c, const struct certificate_source *s, struct error *err)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	struct terms t = { .time_s = statement_time(c, "time"), .root = statement_number(c, "root") };
	const struct retirement *r = s->retirement;
	int code;

	if ((!r->is_wiped && !r->is_lost) || !r->shredded || !r->shred.of)
		return error_set(err, E_DENIED, "the certificate is of a device that is %s", retirement_state_name(r->state));
	if (r->missing_count)
		return error_set(err, E_DENIED, "the certificate was made before '%s' had said that what they kept is destroyed",
				 r->missing[0]);
	statement_get_point(&t.log_size, t.log_tree, c, "log");
	code = find_shredded(&t, c, s, err);
	if (code == 0)
		code = find_verifiers(&t, c, s, err);
	if (code == 0)
		code = find_words(&t, c, s, err);
	if (code < 0)
		return code;
	write_text(&text, s, &t);
	return compare(statement_text(c), buf_bytes(&text), err);
}
