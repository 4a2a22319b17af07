/* crypto/order.c -- batches, orders, proofs, consent. */
#include "crypto/order.h"

#include "base/plural.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { CONFIRM_MIN_S = 10, CONFIRM_MAX_S = 3600, DAY_MINUTES = 24 * 60, DAY_S = 86400 };

static const char *const kinds[ORDER_KINDS] = { "apply", "save", "revert", "snapshot", "hold", "release", "reboot",
					     "factory-reset", "purge", "shred", "policy", "upgrade" };
static const char *const actions[ORDER_ACTIONS] = { "approve", "reject", "withdraw", "pause", "resume", "abort", "witness" };

static bool find(size_t *out, const char *const names[], size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (!strcmp(names[i], name)) {
			*out = i;
			return true;
		}
	return false;
}

const char *order_kind_name(enum order_kind kind)
{
	return kinds[kind];
}

bool order_kind_parse(enum order_kind *out, const char *name)
{
	size_t i;

	if (!find(&i, kinds, ORDER_KINDS, name))
		return false;
	*out = (enum order_kind)i;
	return true;
}

bool order_kind_erases(enum order_kind kind)
{
	return kind == ORDER_FACTORY_RESET || kind == ORDER_PURGE;
}

const char *order_action_name(enum order_action action)
{
	return actions[action];
}

bool order_action_parse(enum order_action *out, const char *name)
{
	size_t i;

	if (!find(&i, actions, ORDER_ACTIONS, name))
		return false;
	*out = (enum order_action)i;
	return true;
}

bool order_outcome_is_failure(const char *outcome)
{
	static const char *const names[] = { "refused", "returned", "failed" };
	size_t i;

	return find(&i, names, ARRAY_SIZE(names), outcome);
}

bool order_outcome_is_last(const char *outcome)
{
	return order_outcome_is_failure(outcome) || !strcmp(outcome, "done") || !strcmp(outcome, "superseded");
}

/* ---- areas ---- */

static const char *const claims[AREA_CLAIMS] = { "none", "clear", "vendor-purge", "purge" };
static const char *const seens[AREA_SEENS] = { "nothing", "accepted", "read-back", "seen-after-reboot" };
static const char *const results[AREA_RESULTS] = { "not-done", "partial", "done" };

const char *area_claim_name(enum area_claim claim)
{
	return claims[claim];
}

const char *area_seen_name(enum area_seen seen)
{
	return seens[seen];
}

const char *area_result_name(enum area_result result)
{
	return results[result];
}

void area_text(struct buf *out, const struct area *area)
{
	buf_addf(out, "%s method=%s claimed=%s seen=%s result=%s", area->name, area->method, claims[area->claimed], seens[area->seen],
		 results[area->result]);
}

/* Takes " key=word", or for the first of them (key NULL) the word alone. */
static bool take_part(const char **rest, const char *key, char out[static 64])
{
	const char *at = *rest;
	size_t len = key ? strlen(key) : 0, n;

	if (key && (*at != ' ' || strncmp(at + 1, key, len) != 0 || at[len + 1] != '='))
		return false;
	at += key ? len + 2 : 0;
	n = strcspn(at, " =");
	if (!n || n > 63 || at[n] == '=')
		return false;
	memcpy(out, at, n);
	out[n] = 0;
	*rest = at + n;
	return true;
}

/* As a `word`, or with others, a `name` (docs/reference/formats.md section 1): what people are shown of it needs no care. */
static bool is_spelt(const char *text, const char *others)
{
	for (const char *at = text; *at; at++)
		if (!(*at >= 'a' && *at <= 'z') && !(*at >= '0' && *at <= '9') && !strchr(others, *at))
			return false;
	return true;
}

bool area_parse(struct area *out, const char *text)
{
	char claim[64], seen[64], result[64];
	size_t c, s, r;

	*out = (struct area){ .name = "" };
	if (!take_part(&text, NULL, out->name) || !take_part(&text, "method", out->method) || !take_part(&text, "claimed", claim) ||
	    !take_part(&text, "seen", seen) || !take_part(&text, "result", result) || *text)
		return false;
	if (!is_spelt(out->name, "._-") || strchr("._-", out->name[0]) || !is_spelt(out->method, "-"))
		return false;
	if (!find(&c, claims, AREA_CLAIMS, claim) || !find(&s, seens, AREA_SEENS, seen) || !find(&r, results, AREA_RESULTS, result))
		return false;
	out->claimed = (enum area_claim)c;
	out->seen = (enum area_seen)s;
	out->result = (enum area_result)r;
	return true;
}

static enum area_claim category_of(const struct area *area)
{
	if (area->result != AREA_DONE || area->seen < AREA_READ_BACK || area->claimed == AREA_NONE)
		return AREA_NONE;
	return area->claimed == AREA_PURGE ? AREA_PURGE : AREA_CLEAR;
}

enum area_claim area_category(const struct statement *receipt)
{
	enum area_claim weakest = AREA_PURGE, one;
	const char *text;
	size_t n = 0;

	for (; (text = statement_at(receipt, "area", n)); n++) {
		struct area area;

		one = area_parse(&area, text) ? category_of(&area) : AREA_NONE;
		weakest = one < weakest ? one : weakest;
	}
	return n ? weakest : AREA_NONE;
}

/* ---- windows ---- */

struct window {
	unsigned days;             /* bit 0: Sunday, as tm_wday */
	unsigned from, to;         /* minutes of the day */
};

static bool take_days(unsigned *days, struct bytes text)
{
	static const char *const names[] = { "sun", "mon", "tue", "wed", "thu", "fri", "sat" };

	*days = 0;
	if (bytes_is(text, "daily")) {
		*days = 0x7f;
		return true;
	}
	while (text.len) {
		const uint8_t *comma = memchr(text.ptr, ',', text.len);
		struct bytes day = bytes_of(text.ptr, comma ? (size_t)(comma - text.ptr) : text.len);
		unsigned before = *days;

		for (unsigned i = 0; i < ARRAY_SIZE(names); i++)
			if (bytes_is(day, names[i]))
				*days |= 1U << i;
		if (*days == before) /* unknown, or named twice */
			return false;
		if (comma && day.len + 1 == text.len)
			return false;
		text = bytes_from(text, day.len + (comma != NULL));
	}
	return *days != 0;
}

static bool take_minutes(unsigned *out, const char *text)
{
	for (int i = 0; i < 5; i++)
		if (i == 2 ? text[i] != ':' : text[i] < '0' || text[i] > '9')
			return false;
	*out = (unsigned)((text[0] - '0') * 10 + text[1] - '0') * 60 + (unsigned)((text[3] - '0') * 10 + text[4] - '0');
	return text[3] < '6' && *out < DAY_MINUTES;
}

static bool window_parse(struct window *out, const char *text)
{
	const char *space = strchr(text, ' ');

	return space && take_days(&out->days, bytes_of(text, (size_t)(space - text))) && strlen(space + 1) == 11 &&
	       take_minutes(&out->from, space + 1) && space[6] == '-' && take_minutes(&out->to, space + 7) && out->from != out->to;
}

bool window_parse_ok(const char *text)
{
	struct window w;

	return window_parse(&w, text);
}

bool window_holds(const char *text, int64_t now_s)
{
	struct window w;
	time_t t = (time_t)now_s;
	struct tm tm;
	unsigned minute, day, before;

	if (!window_parse(&w, text) || !gmtime_r(&t, &tm))
		return false;
	minute = (unsigned)(tm.tm_hour * 60 + tm.tm_min);
	day = 1U << tm.tm_wday;
	before = 1U << (tm.tm_wday + 6) % 7;
	if (w.from < w.to)
		return (w.days & day) && minute >= w.from && minute < w.to;
	return ((w.days & day) && minute >= w.from) || ((w.days & before) && minute < w.to);
}

/* ---- the batch ---- */

static int check_waves(const struct statement *batch, uint64_t count, struct error *err)
{
	uint64_t before = 0, n = 0;
	const char *value;

	for (size_t i = 0; (value = statement_at(batch, "wave", i)); i++) {
		number_parse(&n, bytes_str(value));
		if (n <= before)
			return error_set(err, E_FORMAT, "batch has a wave that ends at %llu, where the one before ends at %llu",
					 (unsigned long long)n, (unsigned long long)before);
		before = n;
	}
	return !before || before == count ?
		       0 :
		       error_set(err, E_FORMAT, "the last wave of the batch ends at %llu of %llu %s", (unsigned long long)before,
				 (unsigned long long)count, plural(count, "order", "orders"));
}

int batch_check(const struct statement *batch, struct error *err)
{
	uint64_t count = statement_number(batch, "count");
	enum order_kind kind;
	const char *value;

	if (statement_type(batch) != STATEMENT_BATCH)
		return error_set(err, E_FORMAT, "a %s is no batch", statement_type_name(statement_type(batch)));
	if (!order_kind_parse(&kind, statement_get(batch, "kind")))
		return error_set(err, E_FORMAT, "batch is of an unknown kind '%s'", statement_get(batch, "kind"));
	if (!count || count > ORDER_COUNT_MAX)
		return error_set(err, E_FORMAT, "batch has %llu orders; 1 to %d may be", (unsigned long long)count, ORDER_COUNT_MAX);
	if (statement_time(batch, "expires") <= statement_time(batch, "not-before"))
		return error_set(err, E_FORMAT, "batch expires before it begins");
	for (size_t i = 0; (value = statement_at(batch, "window", i)); i++)
		if (!window_parse_ok(value))
			return error_set(err, E_FORMAT,
					 "batch has a window '%.60s'; write 'sat,sun 22:00-04:00' or 'daily 01:00-05:00' (UTC)", value);
	return check_waves(batch, count, err);
}

/* One signature, by a key of the person named, who has the role for this kind. What only stops something takes no token. */
static int by_person(const struct statement *st, const char *kind, bool only_stops, const struct root *root, struct error *err)
{
	const char *person = statement_get(st, "person"), *type = statement_type_name(statement_type(st)), *who;
	int r;

	if (strcmp(statement_get(st, "fleet"), root_fleet(root)) != 0)
		return error_set(err, E_DENIED, "%s is of another fleet", type);
	if (statement_sig_count(st) != 1)
		return error_set(err, E_DENIED, "%s has %zu signatures where one is needed", type, statement_sig_count(st));
	r = sshsig_verify(statement_sig(st, 0), statement_namespace(statement_type(st)), statement_text(st), err);
	if (r < 0)
		return error_add(err, "%s", type);
	who = root_person_of(root, &statement_sig(st, 0)->key);
	if (!who || strcmp(who, person) != 0)
		return error_set(err, E_DENIED, "%s says it is by '%s', and is signed by %s%s%s", type, person, who ? "'" : "",
				 who ? who : "a stranger", who ? "'" : "");
	if (!root_has_role(root, who, root_role_for(kind)))
		return error_set(err, E_DENIED, "'%s' does not have the role '%s' that a %s of kind '%s' takes", who,
				 role_name(root_role_for(kind)), type, kind);
	if (!only_stops && root_asks_pin(root, kind) && !sshsig_is_user_verified(statement_sig(st, 0)))
		return error_set(err, E_DENIED, "a %s of kind '%s' takes a signature by a token that asked for its PIN", type, kind);
	return 0;
}

int batch_verify(const struct statement *batch, const struct root *root, struct error *err)
{
	int r = batch_check(batch, err);

	return r < 0 ? r : by_person(batch, statement_get(batch, "kind"), false, root, err);
}

void batch_id(char out[static ID_LEN + 1], const struct statement *batch)
{
	id_of_hash(out, statement_hash(batch));
}

size_t batch_waves(const struct statement *batch)
{
	size_t n = statement_count(batch, "wave");

	return n ? n : 1;
}

uint32_t batch_wave_end(const struct statement *batch, size_t wave)
{
	const char *value = statement_at(batch, "wave", wave);
	uint64_t n = statement_number(batch, "count");

	if (value)
		number_parse(&n, bytes_str(value));
	return (uint32_t)n;
}

size_t batch_wave_of(const struct statement *batch, uint32_t index)
{
	size_t wave = 0;

	while (wave + 1 < batch_waves(batch) && index >= batch_wave_end(batch, wave))
		wave++;
	return wave;
}

enum batch_time batch_time(const struct statement *batch, int64_t now_s)
{
	const char *value;

	if (now_s < statement_time(batch, "not-before"))
		return BATCH_NOT_YET;
	if (now_s >= statement_time(batch, "expires"))
		return BATCH_EXPIRED;
	for (size_t i = 0; (value = statement_at(batch, "window", i)); i++)
		if (window_holds(value, now_s))
			return BATCH_IN_TIME;
	return statement_count(batch, "window") ? BATCH_OUT_OF_WINDOW : BATCH_IN_TIME;
}

/* ---- the order ---- */

struct merkle_hash order_leaf(const struct statement *order)
{
	return merkle_leaf(statement_text(order));
}

static int leaf_at(void *ctx, uint64_t i, struct merkle_hash *out, struct error *err _unused_)
{
	*out = ((const struct merkle_hash *)ctx)[i];
	return 0;
}

void order_prove(struct buf *text, const uint8_t batch[static HASH_LEN], const struct merkle_hash *leaves, uint32_t count, uint32_t index)
{
	struct order_proof proof = { .index = index, .count = count };
	struct merkle_hash path[MERKLE_PROOF_MAX];
	struct error err;
	int n = merkle_prove_inclusion(path, index, count, leaf_at, (void *)(uintptr_t)leaves, &err);

	if (n < 0 || n > STATEMENT_PROOF_MAX)
		abort(); /* more than 2^20 leaves: the caller's plan is bounded */
	memcpy(proof.batch, batch, HASH_LEN);
	proof.len = (size_t)n;
	for (int i = 0; i < n; i++)
		memcpy(proof.path[i], path[i].b, HASH_LEN);
	statement_add_proof(text, &proof);
}

static bool probe_ok(const char *text)
{
	if (!strncmp(text, "ping ", 5))
		return text[5] && !strpbrk(text + 5, " \t;|&$`'\"\\");
	if (!strncmp(text, "tcp ", 4))
		return strrchr(text + 4, ':') && !strpbrk(text + 4, " \t/@?#");
	return !strncmp(text, "show ", 5) && strstr(text, " =~ ") > text + 5 && strstr(text, " =~ ")[4];
}

/* Which of the optional keys belong to which kind. */
static const struct {
	const char *key;
	unsigned kinds; /* 1 << kind */
	bool is_needed;
} belongs[] = {
	{ "payload", 1U << ORDER_APPLY | 1U << ORDER_POLICY | 1U << ORDER_UPGRADE, true },
	{ "mode", 1U << ORDER_APPLY, true },
	{ "confirm", 1U << ORDER_APPLY | 1U << ORDER_UPGRADE, false },
	{ "settle", 1U << ORDER_APPLY | 1U << ORDER_UPGRADE, false },
	{ "probe", 1U << ORDER_APPLY | 1U << ORDER_UPGRADE, false },
	{ "member", 1U << ORDER_APPLY, false },
	{ "base", 1U << ORDER_APPLY | 1U << ORDER_SAVE | 1U << ORDER_REVERT, false },
	{ "until", 1U << ORDER_HOLD, true },
	{ "challenge", 1U << ORDER_FACTORY_RESET | 1U << ORDER_PURGE, true },
	{ "after", 1U << ORDER_SHRED, false },
};

static int check_keys(const struct statement *order, enum order_kind kind, struct error *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(belongs); i++) {
		bool fits = belongs[i].kinds >> kind & 1, is_there = statement_get(order, belongs[i].key) != NULL;

		if (is_there && !fits)
			return error_set(err, E_FORMAT, "order of kind '%s' has a '%s'", kinds[kind], belongs[i].key);
		if (!is_there && fits && belongs[i].is_needed)
			return error_set(err, E_FORMAT, "order of kind '%s' has no '%s'", kinds[kind], belongs[i].key);
	}
	return 0;
}

static int check_members(const struct statement *order, struct error *err)
{
	const char *member, *device = statement_get(order, "device");
	bool is_in = false;

	for (size_t i = 0; (member = statement_at(order, "member", i)); i++) {
		is_in = is_in || !strcmp(member, device);
		for (size_t k = 0; k < i; k++)
			if (!strcmp(statement_at(order, "member", k), member))
				return error_set(err, E_FORMAT, "order names member '%s' twice", member);
	}
	return is_in || !statement_count(order, "member") ? 0 : error_set(err, E_FORMAT, "order is for no member of its own group");
}

static int check_range(const struct statement *order, const char *key, uint64_t least, uint64_t most, struct error *err)
{
	uint64_t n = statement_number(order, key);

	if (!statement_get(order, key) || (n >= least && n <= most))
		return 0;
	return error_set(err, E_FORMAT, "order has '%s' %llu; %llu to %llu may be", key, (unsigned long long)n, (unsigned long long)least,
			 (unsigned long long)most);
}

int order_check(const struct statement *order, struct error *err)
{
	const char *mode, *probe;
	enum order_kind kind;

	if (statement_type(order) != STATEMENT_ORDER)
		return error_set(err, E_FORMAT, "a %s is no order", statement_type_name(statement_type(order)));
	if (!order_kind_parse(&kind, statement_get(order, "kind")))
		return error_set(err, E_FORMAT, "order is of an unknown kind '%s'", statement_get(order, "kind"));
	if (!statement_number(order, "order"))
		return error_set(err, E_FORMAT, "order has number 0");
	mode = statement_get(order, "mode");
	if (mode && strcmp(mode, "whole") != 0 && strcmp(mode, "lines") != 0)
		return error_set(err, E_FORMAT, "order has an unknown mode '%s'", mode);
	for (size_t i = 0; (probe = statement_at(order, "probe", i)); i++)
		if (!probe_ok(probe))
			return error_set(err, E_FORMAT,
					 "order has a probe '%.80s'; write 'ping ADDRESS', 'tcp HOST:PORT' or 'show COMMAND =~ PATTERN'",
					 probe);
	if (check_keys(order, kind, err) < 0 || check_range(order, "confirm", CONFIRM_MIN_S, CONFIRM_MAX_S, err) < 0 ||
	    check_range(order, "settle", 0, CONFIRM_MAX_S, err) < 0)
		return err->code;
	return check_members(order, err);
}

static bool leads_to_tree(const struct statement *order, const struct order_proof *proof, const struct statement *batch)
{
	struct merkle_hash path[STATEMENT_PROOF_MAX], tree;

	if (!statement_get_hash(tree.b, batch, "tree"))
		return false;
	for (size_t i = 0; i < proof->len; i++)
		memcpy(path[i].b, proof->path[i], HASH_LEN);
	return merkle_verify_inclusion(order_leaf(order), proof->index, proof->count, tree, path, proof->len);
}

int order_verify(const struct statement *order, const struct statement *batch, struct error *err)
{
	const struct order_proof *proof = statement_proof(order);
	int r = order_check(order, err);

	if (r < 0)
		return r;
	if (!proof)
		return error_set(err, E_SEAL, "order has no proof");
	if (memcmp(proof->batch, statement_hash(batch), HASH_LEN) != 0 || proof->count != statement_number(batch, "count") ||
	    !leads_to_tree(order, proof, batch))
		return error_set(err, E_SEAL, "order is no leaf of the batch");
	if (strcmp(statement_get(order, "kind"), statement_get(batch, "kind")) != 0)
		return error_set(err, E_DENIED, "order is of kind '%s', its batch of '%s'", statement_get(order, "kind"),
				 statement_get(batch, "kind"));
	if (strcmp(statement_get(order, "fleet"), statement_get(batch, "fleet")) != 0)
		return error_set(err, E_DENIED, "order and batch are of two fleets");
	return 0;
}

/* ---- who agreed ---- */

int control_verify(const struct statement *control, const struct statement *batch, const struct root *root, struct error *err)
{
	uint8_t about[HASH_LEN];
	enum order_action action;

	if (statement_type(control) != STATEMENT_CONTROL)
		return error_set(err, E_FORMAT, "a %s is no control", statement_type_name(statement_type(control)));
	if (!order_action_parse(&action, statement_get(control, "action")))
		return error_set(err, E_FORMAT, "control has an unknown action '%s'", statement_get(control, "action"));
	if (action == ORDER_WITNESS && !statement_get(control, "reason"))
		return error_set(err, E_FORMAT, "a witness says nothing: what was seen belongs into 'reason'");
	if (!statement_get_hash(about, control, "batch") || memcmp(about, statement_hash(batch), HASH_LEN) != 0)
		return error_set(err, E_DENIED, "control is about another batch");
	return by_person(control, statement_get(batch, "kind"), action != ORDER_APPROVE && action != ORDER_RESUME, root, err);
}

/* The newest of a person's own decisions; ORDER_WITHDRAW when there is none. */
static enum order_action decision_of(const char *person, const struct statement *const controls[], size_t count)
{
	enum order_action newest = ORDER_WITHDRAW, action;

	for (size_t i = 0; i < count; i++)
		if (!strcmp(statement_get(controls[i], "person"), person) &&
		    order_action_parse(&action, statement_get(controls[i], "action")) && action <= ORDER_WITHDRAW)
			newest = action;
	return newest;
}

void consent_count(struct consent *out, const struct statement *batch, const struct statement *const controls[], size_t count,
		   const struct root *root)
{
	const char *kind = statement_get(batch, "kind"), *author = statement_get(batch, "person");
	enum order_action action;

	*out = (struct consent){ .need = root_threshold(root, kind) };
	for (size_t i = 0; i < root_people(root); i++) {
		const char *person = root_person(root, i);
		enum order_action decision = decision_of(person, controls, count);
		bool is_author = !strcmp(person, author);

		if (!root_has_role(root, person, root_role_for(kind)))
			continue;
		if (decision == ORDER_REJECT) {
			out->is_rejected = true;
			memcpy(out->rejected_by, person, strlen(person) + 1);
		} else if (is_author ? !root_separates(root, kind) : decision == ORDER_APPROVE) {
			out->people++;
		}
	}
	for (size_t i = 0; i < count; i++)
		if (order_action_parse(&action, statement_get(controls[i], "action"))) {
			out->is_aborted = out->is_aborted || action == ORDER_ABORT;
			out->is_paused = action == ORDER_PAUSE || (out->is_paused && action != ORDER_RESUME);
		}
}

bool consent_is_enough(const struct consent *consent)
{
	return consent->people >= consent->need && !consent->is_rejected;
}
