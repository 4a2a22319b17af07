/* server/api-policy.c -- what operators read of policies: verdicts, and the order that brought the policies in force. */
#include "server/api.h"

enum { VERDICTS_DEFAULT = 100, VERDICTS_MAX = 1000 };

/* ---- verdicts ---- */

json_t *api_verdict(const struct repo_verdict *v)
{
	const struct {
		const char *key;
		int64_t count;
	} counts[] = { { "pass", v->pass },	{ "fail", v->fail },	   { "unknown", v->unknown },
		       { "waived", v->waived }, { "not-applicable", v->not_applicable } };
	char hash[2 * HASH_LEN + 1], judged[2 * HASH_LEN + 1], leaf[2 * HASH_LEN + 1];
	json_t *json;

	hex_encode(hash, v->hash, HASH_LEN);
	hex_encode(judged, v->snapshot_hash, HASH_LEN);
	hex_encode(leaf, v->leaf, HASH_LEN);
	json = json_pack("{s:I, s:s, s:I, s:s, s:I, s:s}", "number", (json_int_t)v->number, "hash", hash, "snapshot",
			 (json_int_t)v->snapshot, "snapshot-hash", judged, "policy", (json_int_t)v->policy, "policy-leaf", leaf);
	api_put_time(json, "time", v->time_s);
	for (size_t i = 0; i < ARRAY_SIZE(counts); i++)
		if (counts[i].count >= 0)
			json_object_set_new(json, counts[i].key, json_integer(counts[i].count));
	return json;
}

static int append_verdict(void *ctx, const struct repo_verdict *verdict)
{
	json_array_append_new(ctx, api_verdict(verdict));
	return 0;
}

static int get_verdicts(struct call *call, struct error *err)
{
	uint64_t before = 0, limit = VERDICTS_DEFAULT;
	const char *id = api_device_id(call);
	json_t *list;
	int r;

	if (!api_number(&before, call, "before") || !api_number(&limit, call, "limit") || limit < 1 || limit > VERDICTS_MAX)
		return call_refuse(call, REFUSE_MALFORMED, "'before' must be a number, 'limit' 1 to %d", VERDICTS_MAX);
	list = json_array();
	r = id ? repo_verdicts(call->server->repo, id, before, (unsigned)limit, append_verdict, list, err) : REPO_ABSENT;
	if (r == 0)
		return call_json(call, json_pack("{s:o}", "verdicts", list));
	json_decref(list);
	return r < 0 ? r : api_no_device(call);
}

static int give_verdict(struct call *call, uint64_t number, struct error *err)
{
	_cleanup_(buf_done) struct buf found = { 0 };
	const char *id = api_device_id(call);
	int r = id ? repo_verdict(&found, call->server->repo, id, number, err) : REPO_ABSENT;

	return api_give(call, r, &found);
}

static int get_verdict(struct call *call, struct error *err)
{
	uint64_t number;

	return api_number_in_address(&number, call->args[1]) ? give_verdict(call, number, err) : api_no_device(call);
}

static int get_newest_verdict(struct call *call, struct error *err)
{
	return give_verdict(call, 0, err);
}

/* ---- policies ---- */

static json_t *policy_json(const struct repo_order *order)
{
	json_t *json = json_pack("{s:s, s:I}", "batch", order->batch, "order", (json_int_t)order->number);

	api_put_text(json, "outcome", order->outcome);
	api_put_text(json, "check", order->check);
	api_put_text(json, "note", order->note);
	api_put_time(json, "time", order->time_s);
	return json;
}

static int get_policy(struct call *call, struct error *err)
{
	struct repo *repo = call->server->repo;
	const char *id = api_device_id(call);
	struct repo_order newest, done;
	json_t *json;
	int r = id ? repo_policy(&newest, repo, id, false, err) : REPO_ABSENT, in_force;

	if (r == REPO_ABSENT)
		return call_refuse(call, REFUSE_ABSENT, "device '%s' was given no policies", call->args[0]);
	in_force = r == 0 ? repo_policy(&done, repo, id, true, err) : r;
	if (in_force < 0)
		return in_force;
	json = policy_json(&newest);
	if (in_force == 0)
		json_object_set_new(json, "in-force", policy_json(&done));
	return call_json(call, json);
}

const struct route policy_routes[] = {
	{ "GET", "/v1/devices/*/verdict", 0, NEED_SESSION, false, get_newest_verdict },
	{ "GET", "/v1/devices/*/verdicts", 0, NEED_SESSION, false, get_verdicts },
	{ "GET", "/v1/devices/*/verdicts/*", 0, NEED_SESSION, false, get_verdict },
	{ "GET", "/v1/devices/*/policy", 0, NEED_SESSION, false, get_policy },
	{ 0 },
};
