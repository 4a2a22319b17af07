/* policies/policy-set.c -- the set of policies of a device, as bytes and back. */
#include "policies/policy-set.h"

#include <stdio.h>
#include <string.h>

static const char first_line[] = "holdfast-policies/1";

/* ---- commit-to-startup ---- */

static bool take_seconds(unsigned *out, struct bytes value)
{
	uint64_t n;

	if (*out || !number_parse(&n, value) || !n || n > POLICY_SET_SECONDS_MAX)
		return false;
	*out = (unsigned)n;
	return true;
}

static bool take_mode(char out[static 16], struct bytes value)
{
	static const char *const modes[] = { "observe", "remind", "commit", "revert" };

	for (size_t i = 0; i < ARRAY_SIZE(modes); i++)
		if (!*out && bytes_is(value, modes[i])) {
			strcpy(out, modes[i]);
			return true;
		}
	return false;
}

static bool take_pair(struct policy_commit *out, struct bytes pair)
{
	const uint8_t *equal = pair.len ? memchr(pair.ptr, '=', pair.len) : NULL;
	struct bytes key, value;

	if (!equal)
		return false;
	key = bytes_of(pair.ptr, (size_t)(equal - pair.ptr));
	value = bytes_from(pair, key.len + 1);
	if (bytes_is(key, "mode"))
		return take_mode(out->mode, value);
	if (bytes_is(key, "quiet"))
		return take_seconds(&out->quiet_s, value);
	return bytes_is(key, "remind-after") && take_seconds(&out->remind_after_s, value);
}

int policy_commit_parse(struct policy_commit *out, struct bytes text, struct error *err)
{
	struct policy_commit commit = { .mode = "" };
	struct bytes rest = text;

	do {
		const uint8_t *space = rest.len ? memchr(rest.ptr, ' ', rest.len) : NULL;
		struct bytes pair = bytes_of(rest.ptr, space ? (size_t)(space - rest.ptr) : rest.len);

		if (!take_pair(&commit, pair) || (space && pair.len + 1 == rest.len))
			return error_set(err, E_FORMAT,
					 "'%.*s' says nothing about commit; write mode=observe|remind|commit|revert, quiet=SECONDS, "
					 "remind-after=SECONDS (1 to %d), each once",
					 (int)(pair.len < 60 ? pair.len : 60), (const char *)pair.ptr, POLICY_SET_SECONDS_MAX);
		rest = bytes_from(rest, pair.len + (space != NULL));
	} while (rest.len);
	*out = commit;
	return 0;
}

void policy_commit_text(struct buf *out, const struct policy_commit *commit)
{
	const char *between = "";

	if (*commit->mode) {
		buf_addf(out, "mode=%s", commit->mode);
		between = " ";
	}
	if (commit->quiet_s) {
		buf_addf(out, "%squiet=%u", between, commit->quiet_s);
		between = " ";
	}
	if (commit->remind_after_s)
		buf_addf(out, "%sremind-after=%u", between, commit->remind_after_s);
}

/* ---- the head ---- */

struct set_reader {
	struct policy_set *set;
	struct bytes rest;
	unsigned line;
	size_t after; /* which key came last, by its place in `keys` */
	size_t baseline_len;
	size_t parts; /* bytes of all parts */
	struct error *err;
};

static int line_error(const struct set_reader *rd, int code, const char *why)
{
	return error_set(rd->err, code, "line %u of the set: %s", rd->line, why);
}

/* Text of a head is printable: it is shown, and a NUL would end it. */
static bool is_printable(struct bytes line)
{
	for (size_t i = 0; i < line.len; i++)
		if (line.ptr[i] < 0x20 || line.ptr[i] > 0x7e)
			return false;
	return true;
}

static bool is_name(struct bytes text)
{
	for (size_t i = 0; i < text.len; i++) {
		uint8_t c = text.ptr[i];

		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && (!i || (c != '.' && c != '_' && c != '-')))
			return false;
	}
	return text.len > 0 && text.len <= 63;
}

static int take_length(size_t *out, struct set_reader *rd, struct bytes text)
{
	uint64_t n;

	if (!number_parse(&n, text) || !n)
		return line_error(rd, E_FORMAT, "a length belongs here");
	if (n > POLICY_SET_BYTES_MAX - rd->parts)
		return error_set(rd->err, E_LIMIT, "line %u of the set: its parts are over %d bytes", rd->line, POLICY_SET_BYTES_MAX);
	rd->parts += n;
	*out = n;
	return 0;
}

static int take_person(struct set_reader *rd, struct bytes value)
{
	if (!is_name(value))
		return line_error(rd, E_FORMAT, "that is no name of a person");
	memcpy(rd->set->person, value.ptr, value.len);
	return 0;
}

static int take_commit(struct set_reader *rd, struct bytes value)
{
	return policy_commit_parse(&rd->set->commit, value, rd->err) < 0 ? error_add(rd->err, "line %u of the set", rd->line) : 0;
}

static int take_exempt(struct set_reader *rd, struct bytes value)
{
	struct policy_set *set = rd->set;

	if (set->exempt_count == POLICY_SET_EXEMPT_MAX)
		return line_error(rd, E_LIMIT, "there are more than 8 windows");
	if (!value.len || value.len >= sizeof(set->exempt[0]))
		return line_error(rd, E_FORMAT, "that is no window");
	memcpy(set->exempt[set->exempt_count++], value.ptr, value.len);
	return 0;
}

static bool cut(struct bytes *part, struct bytes *rest)
{
	const uint8_t *space = rest->len ? memchr(rest->ptr, ' ', rest->len) : NULL;

	if (!space)
		return false;
	*part = bytes_of(rest->ptr, (size_t)(space - rest->ptr));
	*rest = bytes_from(*rest, part->len + 1);
	return true;
}

static int take_baseline(struct set_reader *rd, struct bytes value)
{
	struct policy_set *set = rd->set;
	struct bytes number, hash;

	if (!cut(&number, &value) || !cut(&hash, &value) || !number_parse(&set->baseline_number, number) ||
	    !hex_decode(set->baseline_hash, sizeof(set->baseline_hash), hash))
		return line_error(rd, E_FORMAT, "number, hash and length of a snapshot belong here");
	set->has_baseline = true;
	return take_length(&rd->baseline_len, rd, value);
}

static int take_waiver(struct set_reader *rd, struct bytes value)
{
	struct policy_set *set = rd->set;

	if (set->waiver_count == POLICY_SET_WAIVERS_MAX)
		return line_error(rd, E_LIMIT, "there are more than 256 waivers");
	return take_length(&set->waivers[set->waiver_count++].len, rd, value);
}

static int take_policy(struct set_reader *rd, struct bytes value)
{
	struct policy_set *set = rd->set;

	if (set->pack_count == POLICY_SET_PACKS_MAX)
		return line_error(rd, E_LIMIT, "there are more than 16 packs");
	return take_length(&set->packs[set->pack_count++].text.len, rd, value);
}

/* In their order. */
static const struct {
	const char *name;
	bool is_many;
	int (*take)(struct set_reader *rd, struct bytes value);
} keys[] = {
	{ "person: ", false, take_person },     { "commit: ", false, take_commit }, { "exempt: ", true, take_exempt },
	{ "baseline: ", false, take_baseline }, { "waiver: ", true, take_waiver },  { "policy: ", true, take_policy },
};

static int take_line(struct set_reader *rd, struct bytes line)
{
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		size_t len = strlen(keys[i].name);

		if (line.len < len || memcmp(line.ptr, keys[i].name, len) != 0)
			continue;
		if (i + 1 < rd->after || (i + 1 == rd->after && !keys[i].is_many))
			return line_error(rd, E_FORMAT, i + 1 == rd->after ? "it comes twice" : "it is not in its place");
		rd->after = i + 1;
		return keys[i].take(rd, bytes_from(line, len));
	}
	return line_error(rd, E_FORMAT, "nobody knows what it says");
}

/* The empty line that ends it may have gone with those behind it, when no part follows. */
static int take_head(struct set_reader *rd)
{
	struct bytes line;

	if (!bytes_next_line(&rd->rest, &line) || !bytes_is(line, first_line))
		return error_set(rd->err, E_FORMAT, "that is no set of policies of version 1");
	rd->line = 1;
	while (bytes_next_line(&rd->rest, &line) && line.len) {
		rd->line++;
		if (!is_printable(line))
			return line_error(rd, E_FORMAT, "it has a character that does not belong there");
		if (take_line(rd, line) < 0)
			return rd->err->code;
	}
	rd->line++;
	return *rd->set->person ? 0 : line_error(rd, E_FORMAT, "who put it together is missing");
}

/* ---- the parts ---- */

static int take_part(struct bytes *out, struct set_reader *rd, size_t len, const char *what, size_t number)
{
	if (len > rd->rest.len)
		return error_set(rd->err, E_FORMAT, "%s %zu has %zu bytes, and the set ends after %zu", what, number, len, rd->rest.len);
	*out = bytes_of(rd->rest.ptr, len);
	rd->rest = bytes_from(rd->rest, len);
	return 0;
}

static int read_pack(struct set_reader *rd, size_t i, size_t *said)
{
	struct policy_pack *pack = &rd->set->packs[i];
	char name[32];

	snprintf(name, sizeof(name), "pack %zu", i + 1);
	if (policy_read(&pack->policy, name, pack->text, rd->err) < 0)
		return rd->err->code;
	for (size_t k = 0; k < i; k++)
		if (!strcmp(rd->set->packs[k].policy->name, pack->policy->name))
			return error_set(rd->err, E_FORMAT, "%s: pack %zu has the same name", name, k + 1);
	for (size_t k = 0; k < pack->policy->count; k++)
		*said += verdict_line_len(pack->policy->name, pack->policy->rules[k].id);
	return *said <= POLICY_SET_RULES_MAX ?
		       0 :
		       error_set(rd->err, E_LIMIT, "%s: the packs have more rules than findings could be said of (%d bytes)", name,
				 POLICY_SET_RULES_MAX);
}

static int take_parts(struct set_reader *rd)
{
	struct policy_set *set = rd->set;

	if (set->has_baseline && take_part(&set->baseline, rd, rd->baseline_len, "baseline", 1) < 0)
		return rd->err->code;
	for (size_t i = 0; i < set->waiver_count; i++)
		if (take_part(&set->waivers[i], rd, set->waivers[i].len, "waiver", i + 1) < 0)
			return rd->err->code;
	for (size_t i = 0; i < set->pack_count; i++)
		if (take_part(&set->packs[i].text, rd, set->packs[i].text.len, "pack", i + 1) < 0)
			return rd->err->code;
	for (size_t i = 0; i < rd->rest.len; i++)
		if (rd->rest.ptr[i] != '\n')
			return error_set(rd->err, E_FORMAT, "there is something behind the last part of the set");
	return 0;
}

static int read_packs(struct set_reader *rd)
{
	size_t said = 0;

	for (size_t i = 0; i < rd->set->pack_count; i++)
		if (read_pack(rd, i, &said) < 0)
			return rd->err->code;
	return 0;
}

static int read_set(struct policy_set *out, struct bytes text, bool has_packs, struct error *err)
{
	_cleanup_(policy_set_done) struct policy_set set = { .person = "" };
	struct set_reader rd = { .set = &set, .rest = text, .err = err };

	if (text.len > POLICY_SET_BYTES_MAX)
		return error_set(err, E_LIMIT, "a set of %zu bytes is over %d", text.len, POLICY_SET_BYTES_MAX);
	if (take_head(&rd) < 0 || take_parts(&rd) < 0 || (has_packs && read_packs(&rd) < 0))
		return err->code;
	*out = set;
	set.pack_count = 0;
	return 0;
}

int policy_set_read(struct policy_set *out, struct bytes text, struct error *err)
{
	return read_set(out, text, true, err);
}

int policy_set_parts(struct policy_set *out, struct bytes text, struct error *err)
{
	return read_set(out, text, false, err);
}

void policy_set_done(struct policy_set *set)
{
	for (size_t i = 0; i < set->pack_count; i++)
		set->packs[i].policy = policy_free(set->packs[i].policy);
	set->pack_count = 0;
}

/* ---- writing ---- */

/* With exactly one line end. */
static struct bytes without_end(struct bytes text)
{
	while (text.len && text.ptr[text.len - 1] == '\n')
		text.len--;
	return text;
}

static void add_part(struct buf *out, struct bytes text)
{
	buf_add_bytes(out, without_end(text));
	buf_add_char(out, '\n');
}

static void write_head(struct buf *out, const struct policy_set *set)
{
	_cleanup_(buf_done) struct buf commit = { 0 };
	char hash[2 * POLICY_SET_HASH_LEN + 1];

	buf_addf(out, "%s\nperson: %s\n", first_line, set->person);
	policy_commit_text(&commit, &set->commit);
	if (commit.len)
		buf_addf(out, "commit: %s\n", buf_text(&commit));
	for (size_t i = 0; i < set->exempt_count; i++)
		buf_addf(out, "exempt: %s\n", set->exempt[i]);
	hex_encode(hash, set->baseline_hash, sizeof(set->baseline_hash));
	if (set->has_baseline)
		buf_addf(out, "baseline: %llu %s %zu\n", (unsigned long long)set->baseline_number, hash,
			 without_end(set->baseline).len + 1);
	for (size_t i = 0; i < set->waiver_count; i++)
		buf_addf(out, "waiver: %zu\n", without_end(set->waivers[i]).len + 1);
	for (size_t i = 0; i < set->pack_count; i++)
		buf_addf(out, "policy: %zu\n", without_end(set->packs[i].text).len + 1);
	buf_add_char(out, '\n');
}

int policy_set_write(struct buf *out, const struct policy_set *set, struct error *err)
{
	_cleanup_(policy_set_done) struct policy_set again = { .person = "" };
	size_t begin = out->len;

	write_head(out, set);
	if (set->has_baseline)
		add_part(out, set->baseline);
	for (size_t i = 0; i < set->waiver_count; i++)
		add_part(out, set->waivers[i]);
	for (size_t i = 0; i < set->pack_count; i++)
		add_part(out, set->packs[i].text);
	if (policy_set_read(&again, bytes_from(buf_bytes(out), begin), err) == 0)
		return 0;
	buf_truncate(out, begin);
	return err->code;
}

/* ---- asking ---- */

const struct policy *policy_set_pack(const struct policy_set *set, const char *name)
{
	for (size_t i = 0; i < set->pack_count; i++)
		if (!strcmp(set->packs[i].policy->name, name))
			return set->packs[i].policy;
	return NULL;
}

bool policy_set_has_rule(const struct policy_set *set, const char *pack, const char *rule)
{
	const struct policy *policy = policy_set_pack(set, pack);

	return policy && policy_rule(policy, rule);
}

int policy_set_check_driver(const struct policy_set *set, const char *driver, struct error *err)
{
	for (size_t i = 0; i < set->pack_count; i++)
		if (strcmp(set->packs[i].policy->driver, driver) != 0)
			return error_set(err, E_FORMAT, "pack %zu is for devices with the driver '%s', and this one has '%s'", i + 1,
					 set->packs[i].policy->driver, driver);
	return 0;
}

/* ---- judging ---- */

static bool read_tree(struct tree *out, struct bytes text, const char *driver, struct error *err)
{
	if (!text.ptr) {
		error_set(err, E_FORMAT, "the configuration is not known");
		return false;
	}
	return tree_read(out, driver, text, err) == 0;
}

void policy_set_judge(struct verdict_sum *out, const struct policy_set *set, struct bytes text, const struct policy_facts *facts,
		      const struct waived *waived, size_t waived_count, const struct policy_limits *limits)
{
	struct report reports[POLICY_SET_PACKS_MAX];
	struct judged judged[POLICY_SET_PACKS_MAX];
	_cleanup_(tree_done) struct tree tree = { 0 };
	struct policy_limits left = *limits;
	struct error why = { 0 };
	bool is_read = read_tree(&tree, text, facts->driver, &why);

	for (size_t i = 0; i < set->pack_count; i++) {
		judged[i] = (struct judged){ set->packs[i].policy, &reports[i] };
		policy_evaluate(&reports[i], set->packs[i].policy, is_read ? &tree : NULL, why.text, facts, &left);
		left.all_steps -= reports[i].steps < left.all_steps ? reports[i].steps : left.all_steps;
		for (size_t k = 0; k < reports[i].count; k++)
			left.findings -= reports[i].rulings[k].count;
	}
	verdict_sum(out, judged, set->pack_count, waived, waived_count);
	for (size_t i = 0; i < set->pack_count; i++)
		report_done(&reports[i]);
}
