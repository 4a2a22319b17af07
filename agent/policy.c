/* agent/policy.c -- the policies in force on a device. */
#include "agent/policy.h"

#include "agent/apply.h"
#include "base/fs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- checking ---- */

static int check_windows(const struct policy_set *set, struct error *err)
{
	for (size_t i = 0; i < set->exempt_count; i++)
		if (!window_parse_ok(set->exempt[i]))
			return error_set(err, E_FORMAT,
					 "exempt window %zu is none; write 'sat,sun 22:00-04:00' or 'daily 01:00-05:00' (UTC)", i + 1);
	return 0;
}

static bool is_for(const struct statement *waiver, const char *device)
{
	const char *named;
	size_t n = 0;

	for (; (named = statement_at(waiver, "device", n)); n++)
		if (!strcmp(named, device))
			return true;
	return n == 0;
}

static int verify_waiver(const struct statement *st, const struct policy_set *set, const struct policies_owner *owner, struct error *err)
{
	const char *pack = statement_get(st, "policy"), *rule = statement_get(st, "rule");

	if (strcmp(statement_get(st, "fleet"), root_fleet(owner->root)) != 0)
		return error_set(err, E_DENIED, "it is of another fleet");
	if (!policy_set_has_rule(set, pack, rule))
		return error_set(err, E_DENIED, "no pack of the set has the rule that it names");
	return root_verify(owner->root, st, err);
}

static int take_waiver(struct policies *out, const struct policy_set *set, size_t i, const struct policies_owner *owner, bool is_new,
		       struct error *err)
{
	_cleanup_(statement_freep) struct statement *st = NULL;
	struct policies_waiver *w = &out->waivers[out->waiver_count];
	size_t used;
	int r = statement_parse(&st, set->waivers[i], false, &used, err);

	if (r < 0)
		return error_add(err, "waiver %zu", i + 1);
	if (statement_type(st) != STATEMENT_WAIVER || used != set->waivers[i].len)
		return error_set(err, E_FORMAT, "waiver %zu is none, or there is something behind it", i + 1);
	r = verify_waiver(st, set, owner, err);
	if (r < 0 && is_new)
		return error_add(err, "waiver %zu", i + 1);
	snprintf(w->pack, sizeof(w->pack), "%s", statement_get(st, "policy"));
	snprintf(w->rule, sizeof(w->rule), "%s", statement_get(st, "rule"));
	w->until_s = statement_time(st, "until");
	w->holds = r == 0 && is_for(st, owner->device);
	out->waiver_count++;
	return 0;
}

static void take_baseline(struct policies *out, const struct policy_set *set, const struct policies_owner *owner)
{
	_cleanup_(buf_done) struct buf text = { 0 };

	out->has_baseline = set->has_baseline;
	if (!set->has_baseline)
		return;
	out->baseline_number = set->baseline_number;
	owner->canonical(&text, set->baseline);
	apply_digest(out->baseline, buf_bytes(&text), true);
}

static void take_names(struct policies *out, const struct policy_set *set)
{
	memcpy(out->exempt, set->exempt, sizeof(out->exempt));
	out->exempt_count = set->exempt_count;
	for (size_t i = 0; i < set->pack_count; i++)
		snprintf(out->packs[i], sizeof(out->packs[i]), "%s", set->packs[i].policy->name);
	out->pack_count = set->pack_count;
	snprintf(out->person, sizeof(out->person), "%s", set->person);
}

int policies_check(struct policies *out, struct bytes text, const struct policies_owner *owner, bool is_new, struct error *err)
{
	_cleanup_(policy_set_done) struct policy_set set = { .person = "" };
	_cleanup_(policies_done) struct policies p = { .is_there = true, .root = root_version(owner->root) };

	if (policy_set_read(&set, text, err) < 0 || policy_set_check_driver(&set, owner->driver, err) < 0 || check_windows(&set, err) < 0)
		return err->code;
	p.waivers = mem_alloc(set.waiver_count * sizeof(*p.waivers));
	for (size_t i = 0; i < set.waiver_count; i++)
		if (take_waiver(&p, &set, i, owner, is_new, err) < 0)
			return err->code;
	p.commit = set.commit;
	take_names(&p, &set);
	take_baseline(&p, &set, owner);
	*out = p;
	p.waivers = NULL;
	return 0;
}

void policies_only_place(struct error *err)
{
	size_t len = 0;

	if (sscanf(err->text, "pack %*u:%*u:%*u%zn", &len) == 0 && len && err->text[len] == ':')
		snprintf(err->text + len, sizeof(err->text) - len, " does not hold: 'holdfast policy lint' says why");
	else if (sscanf(err->text, "line %*u of the set%zn", &len) == 0 && len)
		snprintf(err->text + len, sizeof(err->text) - len, " does not hold");
}

void policies_done(struct policies *p)
{
	free(p->waivers);
	*p = (struct policies){ 0 };
}

/* ---- on disk ---- */

static char *path_of(const char *dir, bool is_next)
{
	return mem_printf("%s/policies.%s", dir, is_next ? "next" : "age");
}

/* Is it there, and has it this hash? */
static bool read_file(struct buf *out, const char *dir, bool is_next, const uint8_t payload[static HASH_LEN])
{
	_cleanup_(mem_freep) char *path = path_of(dir, is_next);
	uint8_t hash[HASH_LEN];
	struct error ignored;

	if (fs_read(out, path, SEAL_MAX, &ignored) != 0)
		return false;
	sha256(hash, buf_bytes(out));
	return !memcmp(hash, payload, HASH_LEN);
}

int policies_store(const char *dir, struct bytes sealed, struct error *err)
{
	_cleanup_(mem_freep) char *path = path_of(dir, true);

	return fs_write(path, sealed, 0600, err);
}

bool policies_stored(const char *dir, const uint8_t payload[static HASH_LEN])
{
	_cleanup_(buf_done) struct buf sealed = { 0 };

	return read_file(&sealed, dir, true, payload);
}

int policies_adopt(const char *dir, const uint8_t payload[static HASH_LEN], struct error *err)
{
	_cleanup_(mem_freep) char *path = path_of(dir, false), *next = path_of(dir, true);
	_cleanup_(buf_done) struct buf old = { 0 }, sealed = { 0 };

	if (read_file(&old, dir, false, payload))
		return 0;
	if (!read_file(&sealed, dir, true, payload))
		return error_set(err, E_FORMAT, "'%s' is not the set that was put in force", path);
	return fs_write(path, buf_bytes(&sealed), 0600, err) < 0 ? err->code : fs_remove(next, err);
}

int policies_open(struct buf *text, const char *dir, const uint8_t payload[static HASH_LEN], const struct age_identity *box,
		  struct error *err)
{
	_cleanup_(buf_done) struct buf sealed = { 0 };

	if (!read_file(&sealed, dir, false, payload))
		return error_set(err, E_FORMAT, "'%s/policies.age' is not the set that was put in force", dir);
	return seal_open_secret(text, box, buf_bytes(&sealed), err);
}

/* ---- asking ---- */

size_t policies_waived(struct waived *out, const struct policies *p, int64_t now_s)
{
	size_t n = 0;

	for (size_t i = 0; i < p->waiver_count; i++)
		if (p->waivers[i].holds && now_s < p->waivers[i].until_s)
			out[n++] = (struct waived){ p->waivers[i].pack, p->waivers[i].rule };
	return n;
}

const char *policies_exempt(const struct policies *p, int64_t now_s)
{
	for (size_t i = 0; i < p->exempt_count; i++)
		if (window_holds(p->exempt[i], now_s))
			return p->exempt[i];
	return NULL;
}

struct settings_commit policies_commit(const struct policies *p, const struct settings_commit *settings)
{
	struct settings_commit commit = *settings;

	for (enum settings_mode mode = MODE_OBSERVE; *p->commit.mode && mode <= MODE_REVERT; mode++)
		if (!strcmp(settings_mode_name(mode), p->commit.mode))
			commit.mode = mode;
	if (p->commit.quiet_s)
		commit.quiet = p->commit.quiet_s;
	if (p->commit.remind_after_s)
		commit.remind = p->commit.remind_after_s;
	return commit;
}
