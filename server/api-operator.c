/* server/api-operator.c -- what operators call: login by a signed challenge, and reads. Nothing here changes a device. */
#include "server/api.h"

#include "base/clock.h"
#include "base/log.h"
#include "crypto/checkpoint.h"

#include <string.h>

enum {
	LOGIN_BODY_MAX = 96 << 10,
	REWRAP_BODY_MAX = 96 << 10,
	LOG_LIMIT_DEFAULT = 100,
	LOG_LIMIT_MAX = 1000,
	JUDGEMENTS_LIMIT = 500, /* of one answer: 6 MiB at the most */
	AHEAD_AFTER_S = 10, /* what a device has not sent yet is under way in the seconds after its status */
};

/* ---- sessions ---- */

static const char *bearer(const struct call *call)
{
	static const char scheme[] = "Bearer ";
	const char *value = call_request_header(call, "Authorization");

	return value && !strncasecmp(value, scheme, sizeof(scheme) - 1) ? value + sizeof(scheme) - 1 : NULL;
}

static bool has_role_for(const struct root *root, const char *person, enum need need)
{
	switch (need) {
	case NEED_NOTHING:
	case NEED_SESSION:
		return true;
	case NEED_READER:
		return root_has_role(root, person, ROLE_READER) || root_has_role(root, person, ROLE_AUDITOR);
	case NEED_PAYLOADS:
		return root_has_role(root, person, ROLE_READER);
	case NEED_ADMIN:
		return root_has_role(root, person, ROLE_ADMIN);
	case NEED_DEPLOYER:
		return root_has_role(root, person, ROLE_DEPLOYER);
	}
	return false;
}

static const char *const role_names[] = { [NEED_READER] = "reader or auditor", [NEED_PAYLOADS] = "reader", [NEED_ADMIN] = "admin",
					  [NEED_DEPLOYER] = "deployer" };

/* A session holds a key, not a name: who it is and what they may is asked of the root in force, each time. */
int operator_check(struct call *call, enum need need, struct error *err)
{
	_cleanup_(put_root) struct root_in_force in_force = { .repo = call->server->repo };
	const char *token, *person;
	struct sign_pub key;
	int r;

	if (need == NEED_NOTHING)
		return 0;
	token = bearer(call);
	if (!token || !sessions_find(&key, call->server->sessions, token, clock_now_s()))
		return call_refuse(call, REFUSE_LOGIN, token ? "the session has ended" : "this is shown to operators only"), CALL_REFUSED;
	r = repo_root_get(&in_force.root, call->server->repo, err);
	if (r < 0)
		return r;
	person = r == 0 ? root_person_of(in_force.root, &key) : NULL;
	if (!person) {
		sessions_close(call->server->sessions, token);
		return call_refuse(call, REFUSE_LOGIN, "the root in force does not know this session's key any more"), CALL_REFUSED;
	}
	if (!has_role_for(in_force.root, person, need))
		return call_refuse(call, REFUSE_DENIED, "'%s' needs role %s for this", person, role_names[need]), CALL_REFUSED;
	strncat(call->person, person, sizeof(call->person) - 1);
	return 0;
}

static int get_challenge(struct call *call, struct error *err _unused_)
{
	char challenge[2 * HASH_LEN + 1];

	sessions_challenge(challenge, call->server->sessions, clock_now_s());
	return call_json(call, json_pack("{s:s}", "challenge", challenge));
}

/* Exactly one login statement: the whole body. */
static int parse_login(struct statement **out, struct bytes body, struct error *err)
{
	_cleanup_(statement_freep) struct statement *st = NULL;
	size_t used = 0;
	int r = statement_parse(&st, body, false, &used, err);

	if (r < 0)
		return r;
	if (used != body.len || statement_type(st) != STATEMENT_LOGIN || statement_sig_count(st) != 1)
		return error_set(err, E_FORMAT, "a login takes one login statement with one signature and nothing else");
	*out = steal(st);
	return 0;
}

static int check_login(struct call *call, const struct root *root, const struct statement *st, struct error *err)
{
	const struct sign_pub *key = &statement_sig(st, 0)->key;
	int64_t now_s = clock_now_s(), skew_s = statement_time(st, "time") - now_s;
	const char *person = root_person_of(root, key);
	uint8_t challenge[HASH_LEN];
	int r = root_verify(root, st, err);

	if (r < 0)
		return r;
	if (!person || strcmp(person, statement_get(st, "person")) != 0)
		return error_set(err, E_DENIED, "login names person '%s', but the key is not theirs", statement_get(st, "person"));
	if (!settings_is_ours(call->server->settings, statement_get(st, "server")))
		return error_set(err, E_DENIED, "login is for server '%s', which is not an address of this one; see 'address' in %s",
				 statement_get(st, "server"), SERVER_SETTINGS_FILE);
	if (skew_s > LOGIN_SKEW_S || skew_s < -LOGIN_SKEW_S)
		return error_set(err, E_DENIED, "login is %lld seconds away from this server's clock; set the clocks",
				 (long long)(skew_s < 0 ? -skew_s : skew_s));
	statement_get_hash(challenge, st, "challenge");
	/* last, so that only a genuine login uses a challenge up */
	return sessions_use_challenge(call->server->sessions, challenge, now_s, err);
}

static int post_login(struct call *call, struct error *err)
{
	_cleanup_(put_root) struct root_in_force in_force = { .repo = call->server->repo };
	_cleanup_(statement_freep) struct statement *st = NULL;
	char token[TOKEN_TEXT_LEN];
	int r = parse_login(&st, buf_bytes(&call->body), err);

	if (r < 0)
		return r;
	r = repo_root_get(&in_force.root, call->server->repo, err);
	if (r < 0)
		return r;
	if (r == REPO_ABSENT)
		return call_refuse(call, REFUSE_DENIED, "nobody has claimed this server yet; run: holdfast init");
	r = check_login(call, in_force.root, st, err);
	if (r == E_LIMIT)
		return call_refuse(call, REFUSE_BUSY, "%s", err->text);
	if (r < 0)
		return r;
	sessions_open(token, call->server->sessions, &statement_sig(st, 0)->key, clock_now_s());
	log_notice("session-opened person=%s", statement_get(st, "person"));
	call_json(call, json_pack("{s:s, s:i, s:i}", "token", token, "expires-in", SESSION_LIFE_S, "idle", SESSION_IDLE_S));
	explicit_bzero(token, sizeof(token));
	return 0;
}

static int delete_login(struct call *call, struct error *err _unused_)
{
	sessions_close(call->server->sessions, bearer(call));
	return call_json(call, json_pack("{s:s}", "result", "ended"));
}

/* ---- the fleet ---- */

static int count_device(void *ctx, const struct repo_device *device _unused_)
{
	++*(json_int_t *)ctx;
	return 0;
}

static int get_fleet(struct call *call, struct error *err)
{
	_cleanup_(put_root) struct root_in_force in_force = { .repo = call->server->repo };
	struct repo *repo = call->server->repo;
	struct repo_head head = { 0 };
	json_int_t devices = 0;
	int r = repo_root_get(&in_force.root, repo, err);

	if (r == 0)
		r = repo_head(&head, repo, err);
	if (r >= 0)
		r = repo_devices(repo, count_device, &devices, err);
	if (r < 0)
		return r;
	return call_json(call, json_pack("{s:s, s:s, s:I, s:s, s:I, s:I, s:s, s:o}", "fleet", root_fleet(in_force.root), "name",
					 root_name(in_force.root), "root", (json_int_t)root_version(in_force.root), "commit", head.commit,
					 "log-size", (json_int_t)head.log_size, "devices", devices, "version", SERVER_VERSION, "time",
					 api_time(clock_now_s())));
}

/* A witness is nobody of the root and has no session. What this tells anybody is how long the log is, and hashes. */
static int get_checkpoint(struct call *call, struct error *err)
{
	_cleanup_(buf_done) struct buf found = { 0 };
	const char *from = call_argument(call, "from");
	uint64_t seen = 0;
	int r;

	if (from && !number_parse(&seen, bytes_str(from)))
		return call_refuse(call, REFUSE_MALFORMED, "'from' must be a size of the log");
	r = repo_checkpoint_since(&found, call->server->repo, seen, err);

	if (r == REPO_ABSENT)
		return call_refuse(call, REFUSE_ABSENT, "there is no checkpoint yet");
	return r < 0 ? r : call_containers(call, &found);
}

static int get_cosigned(struct call *call, struct error *err _unused_)
{
	_cleanup_(buf_done) struct buf found = { 0 };

	repo_cosigned(&found, call->server->repo);
	return call_containers(call, &found);
}

static int get_place(struct call *call, struct error *err)
{
	const char *leaf_text = call_argument(call, "leaf"), *size_text = call_argument(call, "size");
	_cleanup_(buf_done) struct buf text = { 0 };
	struct merkle_place place;
	struct merkle_hash leaf;
	uint64_t size;
	int r;

	if (!leaf_text || !hex_decode(leaf.b, HASH_LEN, bytes_str(leaf_text)) || !size_text || !number_parse(&size, bytes_str(size_text)))
		return call_refuse(call, REFUSE_MALFORMED, "'leaf' must be a hash, and 'size' a size of the log");
	r = repo_place(&place, call->server->repo, &leaf, size, err);
	if (r == REPO_ABSENT)
		return call_refuse(call, REFUSE_ABSENT, "the log of this size has no such statement");
	if (r < 0)
		return r;
	place_text(&text, &place);
	return call_text(call, 200, buf_text(&text));
}

static int get_consistency(struct call *call, struct error *err)
{
	const char *from = call_argument(call, "from"), *to = call_argument(call, "to");
	struct merkle_hash proof[MERKLE_PROOF_MAX];
	uint64_t old_size, new_size;
	json_t *list;
	int r, len = 0;

	if (!from || !to || !number_parse(&old_size, bytes_str(from)) || !number_parse(&new_size, bytes_str(to)))
		return call_refuse(call, REFUSE_MALFORMED, "'from' and 'to' must be sizes of the log");
	r = repo_consistency(proof, &len, call->server->repo, old_size, new_size, err);
	if (r == REPO_ABSENT || r == E_FORMAT || r == E_LIMIT)
		return call_refuse(call, REFUSE_ABSENT, "the log has no such sizes");
	if (r < 0)
		return r;
	list = json_array();
	for (int i = 0; i < len; i++) {
		char hex[2 * HASH_LEN + 1];

		hex_encode(hex, proof[i].b, HASH_LEN);
		json_array_append_new(list, json_string(hex));
	}
	return call_json(call, json_pack("{s:o}", "proof", list));
}

/* ---- devices ---- */

static json_t *labels_json(const char *labels)
{
	json_t *list = json_array();

	while (*labels) {
		size_t len = strcspn(labels, " ");

		if (len)
			json_array_append_new(list, json_stringn(labels, len));
		labels += len + (labels[len] == ' ');
	}
	return list;
}

static json_t *device_json(const struct repo_device *d, const struct pending *pending)
{
	json_t *json = json_pack("{s:s, s:s, s:o, s:b, s:I, s:I, s:I, s:i}", "id", d->id, "name", d->name, "labels", labels_json(d->labels),
				 "admitted", (int)d->admitted, "head", (json_int_t)d->head_number, "snapshot",
				 (json_int_t)d->snapshot_number, "epoch", (json_int_t)d->epoch, "forks", (int)d->forks);

	api_put_text(json, "driver", d->driver);
	api_put_text(json, "model", d->model);
	api_put_text(json, "serial", d->serial);
	api_put_text(json, "firmware", d->firmware);
	api_put_text(json, "saved", d->saved);
	api_put_text(json, "mode", d->mode);
	api_put_text(json, "invite", d->invite);
	api_put_text(json, "challenge", d->challenge);
	api_put_text(json, "hold-by", d->hold_by);
	api_put_text(json, "drift", d->drift);
	api_put_text(json, "changed-by", d->changed_by);
	api_put_time(json, "snapshot-time", d->snapshot_s);
	api_put_time(json, "unsaved-since", d->unsaved_since_s);
	api_put_time(json, "hold", d->hold_s);
	api_put_time(json, "drift-since", d->drift_since_s);
	api_put_time(json, "enrolled", d->enrolled_s);
	api_put_time(json, "seen", d->seen_s);
	json_object_set_new(json, "order", json_integer((json_int_t)d->order));
	json_object_set_new(json, "pending", json_integer(pending_count(pending, d)));
	if (d->verdict.number)
		json_object_set_new(json, "verdict", api_verdict(&d->verdict));
	api_put_text(json, "retired", d->retired);
	if (d->certified)
		json_object_set_new(json, "certified", json_true());
	if (d->misuses)
		json_object_set_new(json, "misuses", json_integer(d->misuses));
	if (d->ahead_since_s && clock_now_s() - d->ahead_since_s >= AHEAD_AFTER_S)
		json_object_set_new(json, "ahead", json_true());
	return json;
}

struct device_list {
	json_t *list;
	struct pending *pending;
};

static int append_device(void *ctx, const struct repo_device *device)
{
	struct device_list *l = ctx;

	json_array_append_new(l->list, device_json(device, l->pending));
	return 0;
}

static int get_devices(struct call *call, struct error *err)
{
	_cleanup_(pending_freep) struct pending *pending = NULL;
	struct device_list l = { 0 };
	int r;

	repo_touch_flush(call->server->repo);
	r = pending_new(&pending, call->server->repo, call->server->rollouts, NULL, err);
	if (r < 0)
		return r;
	l = (struct device_list){ json_array(), pending };
	r = repo_devices(call->server->repo, append_device, &l, err);
	if (r < 0) {
		json_decref(l.list);
		return r;
	}
	return call_json(call, json_pack("{s:o}", "devices", l.list));
}

static int get_device(struct call *call, struct error *err)
{
	_cleanup_(pending_freep) struct pending *pending = NULL;
	const char *id = api_device_id(call);
	struct repo_device device;
	int r;

	repo_touch_flush(call->server->repo);
	r = id ? repo_device_get(&device, call->server->repo, id, err) : REPO_ABSENT;
	if (r == REPO_ABSENT)
		return api_no_device(call);
	if (r == 0)
		r = pending_new(&pending, call->server->repo, call->server->rollouts, id, err);
	return r < 0 ? r : call_json(call, device_json(&device, pending));
}

static int append_entry(void *ctx, const struct repo_entry *e)
{
	char hash[2 * HASH_LEN + 1];
	json_t *json;

	hex_encode(hash, e->hash, HASH_LEN);
	json = json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:s}", "type", statement_type_name(e->type), "number", (json_int_t)e->number,
			 "position", (json_int_t)e->position, "epoch", (json_int_t)e->epoch, "added", (json_int_t)e->lines_added, "removed",
			 (json_int_t)e->lines_removed, "hash", hash);
	api_put_time(json, "time", e->time_s);
	api_put_text(json, "reason", e->reason);
	api_put_text(json, "saved", e->saved);
	api_put_text(json, "mode", e->mode);
	api_put_text(json, "note", e->note);
	api_put_text(json, "commit", e->commit);
	if (e->type == STATEMENT_RECEIPT) {
		json_object_set_new(json, "order", json_integer((json_int_t)e->order));
		api_put_text(json, "batch", e->batch);
		api_put_text(json, "outcome", e->outcome);
		api_put_text(json, "check", e->check);
		api_put_text(json, "evidence", e->evidence);
	}
	json_array_append_new(ctx, json);
	return 0;
}

static int get_log(struct call *call, struct error *err)
{
	uint64_t below = 0, limit = LOG_LIMIT_DEFAULT;
	const char *id = api_device_id(call);
	struct repo_device device;
	json_t *list;
	int r;

	if (!api_number(&below, call, "below") || !api_number(&limit, call, "limit") || limit < 1 || limit > LOG_LIMIT_MAX)
		return call_refuse(call, REFUSE_MALFORMED, "'below' must be a number, 'limit' 1 to %d", LOG_LIMIT_MAX);
	r = id ? repo_device_get(&device, call->server->repo, id, err) : REPO_ABSENT;
	if (r == REPO_ABSENT)
		return api_no_device(call);
	if (r < 0)
		return r;
	list = json_array();
	r = repo_log(call->server->repo, id, below, (unsigned)limit, append_entry, list, err);
	if (r < 0) {
		json_decref(list);
		return r;
	}
	return call_json(call, json_pack("{s:o}", "entries", list));
}

static int append_moment(void *ctx, const struct repo_moment *m)
{
	json_t *json = json_pack("{s:s}", "id", m->id);

	if (m->number)
		json_object_set_new(json, "snapshot", json_integer((json_int_t)m->number));
	api_put_time(json, "time", m->time_s);
	json_array_append_new(ctx, json);
	return 0;
}

static int get_snapshots(struct call *call, struct error *err)
{
	const char *at = call_argument(call, "at"), *after = call_argument(call, "after");
	uint64_t limit = LOG_LIMIT_MAX;
	int64_t at_s;
	json_t *list;
	int r;

	if (!at || !clock_parse(&at_s, bytes_str(at)))
		return call_refuse(call, REFUSE_MALFORMED, "'at' must be a time, as 2026-03-01T00:00:00Z");
	if ((after && !id_is_valid(bytes_str(after))) || !api_number(&limit, call, "limit") || limit < 1 || limit > LOG_LIMIT_MAX)
		return call_refuse(call, REFUSE_MALFORMED, "'after' must be a device's id, 'limit' 1 to %d", LOG_LIMIT_MAX);
	list = json_array();
	r = repo_snapshots_at(call->server->repo, after ? after : "", at_s, (unsigned)limit, append_moment, list, err);
	if (r < 0) {
		json_decref(list);
		return r;
	}
	return call_json(call, json_pack("{s:o}", "snapshots", list));
}

/* ---- statements with their seals ---- */

static int get_snapshot(struct call *call, struct error *err)
{
	_cleanup_(buf_done) struct buf found = { 0 };
	const char *id = api_device_id(call);
	uint64_t number;

	if (!id || !api_number_in_address(&number, call->args[1]))
		return api_no_device(call);
	return api_give(call, repo_snapshot(&found, call->server->repo, id, number, err), &found);
}

static int get_epoch(struct call *call, struct error *err)
{
	_cleanup_(buf_done) struct buf found = { 0 };
	const char *id = api_device_id(call);
	uint64_t number;

	if (!id || !api_number_in_address(&number, call->args[1]))
		return api_no_device(call);
	return api_give(call, repo_epoch(&found, call->server->repo, id, number, err), &found);
}

/* A copy for people who came later. It cannot harm: it is only looked at by whom the epoch's own seals do not open to, and counts only if
 * it holds the identity that the device's statement names. */
static int post_rewrap(struct call *call, const char *part, struct error *err)
{
	_cleanup_(put_root) struct root_in_force in_force = { .repo = call->server->repo };
	const char *id = api_device_id(call);
	uint64_t number;
	int r;

	if (!id || !api_number_in_address(&number, call->args[1]))
		return api_no_device(call);
	r = repo_root_get(&in_force.root, call->server->repo, err);
	if (r < 0)
		return r;
	if (r != 0 || !root_has_role(in_force.root, call->person, ROLE_READER))
		return call_refuse(call, REFUSE_DENIED, "'%s' needs role reader for this", call->person);
	if (!age_is_file(buf_bytes(&call->body)) || age_is_passphrase_file(buf_bytes(&call->body)))
		return call_refuse(call, REFUSE_MALFORMED, "this takes an age file to recipients");
	r = repo_rewrap_put(call->server->repo, id, number, part, buf_bytes(&call->body), err);
	if (r == REPO_ABSENT)
		return api_no_device(call);
	if (r < 0)
		return r;
	log_notice("rewrapped device=%s epoch=%llu part=%s person=%s", id, (unsigned long long)number, part, call->person);
	return call_json(call, json_pack("{s:s}", "result", "stored"));
}

static int get_rewrap(struct call *call, const char *part, struct error *err)
{
	_cleanup_(buf_done) struct buf found = { 0 };
	const char *id = api_device_id(call);
	uint64_t number;

	if (!id || !api_number_in_address(&number, call->args[1]))
		return api_no_device(call);
	return api_give(call, repo_rewrap(&found, call->server->repo, id, number, part, err), &found);
}

static int post_body_key(struct call *call, struct error *err)
{
	return post_rewrap(call, "body", err);
}

static int post_secrets_key(struct call *call, struct error *err)
{
	return post_rewrap(call, "secrets", err);
}

static int get_body_key(struct call *call, struct error *err)
{
	return get_rewrap(call, "body", err);
}

static int get_secrets_key(struct call *call, struct error *err)
{
	return get_rewrap(call, "secrets", err);
}

static int get_statement(struct call *call, enum statement_type type, struct error *err)
{
	_cleanup_(buf_done) struct buf found = { 0 };
	const char *id = api_device_id(call);

	if (!id)
		return api_no_device(call);
	return api_give(call, repo_statement(&found, call->server->repo, id, type, 0, err), &found);
}

static int get_enrol(struct call *call, struct error *err)
{
	return get_statement(call, STATEMENT_ENROL, err);
}

static int get_admit(struct call *call, struct error *err)
{
	return get_statement(call, STATEMENT_ADMIT, err);
}

static int get_invites(struct call *call, struct error *err)
{
	_cleanup_(buf_done) struct buf found = { 0 };
	int r = repo_invites(&found, call->server->repo, NULL, err);

	return r < 0 ? r : call_containers(call, &found);
}

static int get_invite(struct call *call, struct error *err)
{
	_cleanup_(buf_done) struct buf found = { 0 };
	const char *id = api_device_id(call);
	int r = id ? repo_invites(&found, call->server->repo, id, err) : REPO_ABSENT;

	if (r == REPO_ABSENT || (r == 0 && !found.len))
		return call_refuse(call, REFUSE_ABSENT, "there is no invite '%s' here", call->args[0]);
	return r < 0 ? r : call_containers(call, &found);
}

static int get_said(struct call *call, enum statement_type type, struct error *err)
{
	_cleanup_(buf_done) struct buf found = { 0 };
	const char *id = api_device_id(call);
	int r = id ? repo_said(&found, call->server->repo, id, type, err) : 0;

	if (r == 0 && !found.len)
		return call_refuse(call, REFUSE_ABSENT, "there is no statement '%s' of device '%s' here", statement_type_name(type),
				   call->args[0]);
	return r < 0 ? r : call_containers(call, &found);
}

static int get_shredded(struct call *call, struct error *err)
{
	return get_said(call, STATEMENT_SHREDDED, err);
}

static int get_certificate(struct call *call, struct error *err)
{
	return get_said(call, STATEMENT_CERTIFICATE, err);
}

/* ---- judgements ---- */

struct judgements_page {
	json_t *list;
	uint64_t next; /* behind what has a place in the log already */
};

static int append_judgement(void *ctx, uint64_t position, struct bytes whole)
{
	struct judgements_page *page = ctx;
	json_t *json = json_pack("{s:s%}", "statement", (const char *)whole.ptr, whole.len);

	if (position != REPO_NO_POSITION) {
		json_object_set_new(json, "position", json_integer((json_int_t)position));
		page->next = position + 1;
	}
	json_array_append_new(page->list, json);
	return 0;
}

static int get_judgements(struct call *call, struct error *err)
{
	struct judgements_page page = { 0 };
	int r;

	if (!api_number(&page.next, call, "from") || page.next > INT64_MAX)
		return call_refuse(call, REFUSE_MALFORMED, "'from' must be a number");
	page.list = json_array();
	r = repo_judgements(call->server->repo, page.next, JUDGEMENTS_LIMIT, append_judgement, &page, err);
	if (r < 0) {
		json_decref(page.list);
		return r;
	}
	return call_json(call, json_pack("{s:b, s:I, s:o}", "more", json_array_size(page.list) == JUDGEMENTS_LIMIT, "next",
					 (json_int_t)page.next, "judgements", page.list));
}

/* Public text, and still not for everybody: which advisories somebody judged says what they have. */
static int get_judged_text(struct call *call, struct error *err)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	uint8_t document[HASH_LEN];
	int r = REPO_ABSENT;

	if (hex_decode(document, HASH_LEN, bytes_str(call->args[0])))
		r = repo_judged_text(&text, call->server->repo, document, err);
	if (r == REPO_ABSENT)
		return call_refuse(call, REFUSE_ABSENT, "no judgement brought the document '%.64s'", call->args[0]);
	if (r < 0)
		return r;
	call_containers(call, &text);
	call->reply.type = "application/zstd";
	return 0;
}

const struct route operator_routes[] = {
	{ "GET", "/v1/challenge", 0, NEED_NOTHING, false, get_challenge },
	{ "POST", "/v1/login", LOGIN_BODY_MAX, NEED_NOTHING, false, post_login },
	{ "DELETE", "/v1/login", 0, NEED_SESSION, false, delete_login },
	{ "GET", "/v1/fleet", 0, NEED_SESSION, false, get_fleet },
	{ "GET", "/v1/checkpoint", 0, NEED_NOTHING, false, get_checkpoint },
	{ "GET", "/v1/cosigned", 0, NEED_SESSION, false, get_cosigned },
	{ "GET", "/v1/consistency", 0, NEED_SESSION, false, get_consistency },
	{ "GET", "/v1/place", 0, NEED_SESSION, false, get_place },
	{ "GET", "/v1/devices", 0, NEED_SESSION, false, get_devices },
	{ "GET", "/v1/devices/*", 0, NEED_SESSION, false, get_device },
	{ "GET", "/v1/devices/*/log", 0, NEED_SESSION, false, get_log },
	{ "GET", "/v1/snapshots", 0, NEED_SESSION, false, get_snapshots },
	{ "GET", "/v1/devices/*/snapshots/*", 0, NEED_SESSION, false, get_snapshot },
	{ "GET", "/v1/devices/*/enrol", 0, NEED_SESSION, false, get_enrol },
	{ "GET", "/v1/devices/*/admit", 0, NEED_SESSION, false, get_admit },
	{ "GET", "/v1/devices/*/shredded", 0, NEED_SESSION, false, get_shredded },
	{ "GET", "/v1/devices/*/certificate", 0, NEED_SESSION, false, get_certificate },
	{ "GET", "/v1/devices/*/epochs/*", 0, NEED_READER, false, get_epoch },
	{ "GET", "/v1/devices/*/epochs/*/body-key", 0, NEED_READER, false, get_body_key },
	{ "GET", "/v1/devices/*/epochs/*/secrets-key", 0, NEED_READER, false, get_secrets_key },
	{ "POST", "/v1/devices/*/epochs/*/body-key", REWRAP_BODY_MAX, NEED_READER, false, post_body_key },
	{ "POST", "/v1/devices/*/epochs/*/secrets-key", REWRAP_BODY_MAX, NEED_READER, false, post_secrets_key },
	{ "GET", "/v1/judgements", 0, NEED_SESSION, false, get_judgements },
	{ "GET", "/v1/advisories/*", 0, NEED_SESSION, false, get_judged_text },
	{ "GET", "/v1/invites", 0, NEED_ADMIN, false, get_invites },
	{ "GET", "/v1/invites/*", 0, NEED_ADMIN, false, get_invite },
	{ 0 },
};
