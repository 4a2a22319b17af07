/* cli/exposure.c -- a device's secrets that somebody could read, against those that are in force. */
#include "cli/exposure.h"

#include "cli/api.h"
#include "cli/mask.h"
#include "cli/show.h"

#include <stdlib.h>
#include <string.h>

enum { PAGE = 1000 };

void exposure_begin(struct exposure *x, struct cli *cli, struct opener *opener)
{
	static const char *const heads[] = { "DEVICE", "STATE", "LINE" };

	*x = (struct exposure){ .cli = cli, .opener = opener, .json = json_array() };
	table_init(&x->table, ARRAY_SIZE(heads), heads);
}

void exposure_done(struct exposure *x)
{
	table_done(&x->table);
	json_decref(x->json);
}

/* ---- the newest revision of each epoch: the server says where to look, the opener judges what is there ---- */

static uint64_t number_in(const json_t *entry, const char *key)
{
	json_int_t n = json_integer_value(json_object_get(entry, key));

	return n > 0 ? (uint64_t)n : 0;
}

static void take_entry(uint64_t *numbers, const uint64_t *epochs, size_t count, const json_t *entry)
{
	const char *type = json_string_value(json_object_get(entry, "type"));

	for (size_t i = 0; type && !strcmp(type, "snapshot") && i < count; i++)
		if (epochs[i] == number_in(entry, "epoch") && number_in(entry, "number") > numbers[i])
			numbers[i] = number_in(entry, "number");
}

static int find_newest(uint64_t *numbers, struct exposure *x, const struct fleet_member *m, const uint64_t *epochs, size_t count,
		       struct error *err)
{
	uint64_t below = m->head + 1, before = 0;
	int r = 0;

	while (r == 0 && below > 1 && below != before) {
		_cleanup_(mem_freep) char *path =
			mem_printf("/v1/devices/%s/log?below=%llu&limit=%d", m->id, (unsigned long long)below, PAGE);
		json_t *answer = NULL, *list;

		before = below;
		r = api_get_json(&answer, x->cli->api, path, err);
		list = json_object_get(answer, "entries");
		for (size_t i = 0; r == 0 && i < json_array_size(list); i++) {
			const json_t *entry = json_array_get(list, i);

			take_entry(numbers, epochs, count, entry);
			below = number_in(entry, "number") && number_in(entry, "number") < below ? number_in(entry, "number") : below;
		}
		json_decref(answer);
	}
	return r;
}

/* ---- comparing ---- */

/* What they read counts as side 1. */
static int add_known(struct mask *mask, struct exposure *x, const struct fleet_member *m, uint64_t epoch, uint64_t number,
		     struct error *err)
{
	_cleanup_(opened_done) struct opened known = { 0 };
	_cleanup_(buf_done) struct buf ignored = { 0 };
	struct open_wanted wanted = { .id = m->id, .number = number };
	int r = opener_open(&known, x->opener, &wanted, err);

	if (r < 0)
		return r;
	if (statement_number(known.st, "epoch") != epoch)
		return error_set(err, E_SEAL, "revision %llu of '%s' is of another epoch than the server says", (unsigned long long)number,
				 m->name);
	r = mask_number(&ignored, mask, buf_bytes(&known.running), buf_bytes(&known.secrets), 1, err);
	if (r == 0 && known.startup_is == STARTUP_OTHER)
		r = mask_number(&ignored, mask, buf_bytes(&known.startup), buf_bytes(&known.secrets), 1, err);
	return r;
}

/* Has the line a secret, and one that was read? */
static bool look_at_line(bool *is_known, const struct mask *mask, struct bytes line)
{
	static const char head[] = "{{secret ";
	bool has_secret = false;

	*is_known = false;
	while (line.len) {
		const uint8_t *at = memmem(line.ptr, line.len, head, sizeof(head) - 1);
		size_t number;

		if (!at || (size_t)(at - line.ptr) + MASK_TOKEN_LEN > line.len)
			break;
		number = strtoul((const char *)at + sizeof(head) - 1, NULL, 16);
		has_secret = true;
		*is_known = *is_known || (number < mask->count && mask->secrets[number].on[1]);
		line = bytes_from(line, (size_t)(at - line.ptr) + MASK_TOKEN_LEN);
	}
	return has_secret;
}

static int add_line(struct exposure *x, const struct fleet_member *m, const struct mask *mask, struct bytes line, bool is_known,
		    struct error *err)
{
	_cleanup_(buf_done) struct buf shown = { 0 };
	const char *state = is_known ? "to change" : "changed since";
	int r = mask_show(&shown, mask, line, false, false, true, err);

	if (r < 0)
		return r;
	table_add(&x->table, (const char *const[]){ m->name, state, buf_text(&shown) });
	json_array_append_new(x->json, json_pack("{s:s, s:s, s:b, s:o}", "device", m->id, "name", m->name, "known", (int)is_known, "line",
						 show_text(buf_bytes(&shown))));
	x->to_change += is_known;
	x->changed += !is_known;
	return 0;
}

static int add_lines(struct exposure *x, const struct fleet_member *m, const struct mask *mask, struct bytes numbered, struct error *err)
{
	struct bytes line;
	bool is_known;
	int r = 0;

	while (r == 0 && bytes_next_line(&numbered, &line))
		if (look_at_line(&is_known, mask, line))
			r = add_line(x, m, mask, line, is_known, err);
	return r;
}

static int compare(struct exposure *x, const struct fleet_member *m, const struct opened *newest, const uint64_t *epochs, size_t count,
		   struct error *err)
{
	_cleanup_(mask_done) struct mask mask = { .by = MASK_BY_VALUE };
	_cleanup_(mem_freep) uint64_t *numbers = mem_alloc((count + 1) * sizeof(*numbers));
	_cleanup_(buf_done) struct buf numbered = { 0 };
	int r = find_newest(numbers, x, m, epochs, count, err);

	if (r == 0)
		r = mask_number(&numbered, &mask, buf_bytes(&newest->running), buf_bytes(&newest->secrets), 0, err);
	for (size_t i = 0; r == 0 && i < count; i++)
		if (numbers[i])
			r = add_known(&mask, x, m, epochs[i], numbers[i], err);
	return r < 0 ? r : add_lines(x, m, &mask, buf_bytes(&numbered), err);
}

int exposure_add(struct exposure *x, const struct fleet_member *m, const uint64_t *epochs, size_t count, struct error *err)
{
	_cleanup_(opened_done) struct opened newest = { 0 };
	struct open_wanted wanted = { .id = m->id, .at_least = m->snapshot };
	int r;

	if (!m->snapshot || !count)
		return 0;
	r = opener_open(&newest, x->opener, &wanted, err);
	if (r == E_DENIED || (r == 0 && !newest.has_secrets)) {
		x->closed++;
		return 0;
	}
	r = r < 0 ? r : compare(x, m, &newest, epochs, count, err);
	return r < 0 ? error_add(err, "the secrets of '%s'", m->name) : 0;
}
