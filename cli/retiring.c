/* cli/retiring.c -- which devices are on their way out, as the server lists it. */
#include "cli/retiring.h"

#include "cli/api.h"
#include "crypto/order.h"

#include <stdlib.h>
#include <string.h>

static bool retires(const char *name)
{
	enum order_kind kind;

	return name && order_kind_parse(&kind, name) && (order_kind_erases(kind) || kind == ORDER_SHRED);
}

bool retiring_has(const struct retiring *r, const char *id)
{
	for (size_t i = 0; i < r->count; i++)
		if (!strcmp(r->ids[i], id))
			return true;
	return false;
}

static void add(struct retiring *r, const char *id)
{
	if (!id || !id_is_valid(bytes_str(id)) || r->count == RETIRING_MAX || retiring_has(r, id))
		return;
	r->ids = mem_grow(r->ids, (r->count + 1) * sizeof(*r->ids));
	memcpy(r->ids[r->count++], id, ID_LEN + 1);
}

/* Of a batch that is over: is there still something about this device? It was erased in part, or may have what was stopped. */
static bool is_unsettled(const json_t *device)
{
	const char *outcome = json_string_value(json_object_get(device, "outcome"));

	if (outcome && *outcome)
		return !strcmp(outcome, "failed") || !strcmp(outcome, "armed");
	return json_is_true(json_object_get(device, "released"));
}

static int add_devices(struct retiring *r, struct cli *cli, const char *batch, bool only_unsettled, struct error *err)
{
	_cleanup_(mem_freep) char *path = mem_printf("/v1/batches/%s", batch);
	json_t *json = NULL;
	const json_t *list;
	int result = api_get_json(&json, cli->api, path, err);

	list = json_object_get(json, "devices");
	for (size_t i = 0; i < json_array_size(list) && result == 0; i++) {
		const json_t *one = json_array_get(list, i);

		if (!only_unsettled || is_unsettled(one))
			add(r, json_string_value(json_object_get(one, "device")));
	}
	json_decref(json);
	return result;
}

static bool is_over(const char *state)
{
	return !state || !strcmp(state, "done") || !strcmp(state, "aborted") || !strcmp(state, "expired");
}

/* People agreed to it, and it ended without effect: of a device that is given up nothing else says so. */
static bool may_give_up(const json_t *batch)
{
	return !strcmp(json_string_value(json_object_get(batch, "kind")), "shred") &&
	       strcmp(json_string_value(json_object_get(batch, "state")), "done") != 0 &&
	       json_integer_value(json_object_get(batch, "people")) >= json_integer_value(json_object_get(batch, "need"));
}

static int look_at(struct retiring *out, struct cli *cli, const json_t *batch, bool only_open, struct error *err)
{
	const char *id = json_string_value(json_object_get(batch, "id")), *kind = json_string_value(json_object_get(batch, "kind"));
	const char *state = json_string_value(json_object_get(batch, "state"));
	bool is_closed = only_open && is_over(state);

	if (!retires(kind))
		return 0;
	if (!id || !id_is_valid(bytes_str(id)) || !state)
		return error_set(err, E_PEER, "the server's list of batches is malformed");
	if (is_closed && (may_give_up(batch) || !strcmp(kind, "shred")))
		return may_give_up(batch) ? add_devices(out, cli, id, false, err) : 0;
	if (is_closed && !strcmp(state, "done") && !json_integer_value(json_object_get(batch, "failed")))
		return 0;
	return add_devices(out, cli, id, is_closed, err);
}

static int find(struct retiring *out, struct cli *cli, bool only_open, struct error *err)
{
	json_t *json = NULL;
	const json_t *list;
	int r = cli_api(cli, err);

	if (r == 0)
		r = api_get_json(&json, cli->api, "/v1/batches?limit=1000", err);
	if (r == CLI_ABSENT)
		return 0; /* a server that knows no orders yet */
	list = json_object_get(json, "batches");
	if (r == 0 && !json_is_array(list))
		r = error_set(err, E_PEER, "the server's list of batches is none");
	for (size_t i = 0; i < json_array_size(list) && r == 0; i++)
		r = look_at(out, cli, json_array_get(list, i), only_open, err);
	json_decref(json);
	return r;
}

int retiring_find(struct retiring *out, struct cli *cli, struct error *err)
{
	return find(out, cli, false, err);
}

int retiring_find_open(struct retiring *out, struct cli *cli, struct error *err)
{
	return find(out, cli, true, err);
}

void retiring_done(struct retiring *r)
{
	free(r->ids);
	*r = (struct retiring){ 0 };
}
