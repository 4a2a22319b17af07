/* cli/cmd-firmware.c -- holdfast firmware list, matrix, status: which images there are, who runs what, and what became of an upgrade. */
#include "cli/commands.h"

#include "cli/api.h"
#include "cli/firmware.h"
#include "cli/follow.h"
#include "cli/home.h"
#include "cli/output.h"
#include "cli/rollout.h"
#include "cli/show.h"
#include "policies/policy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- list ---- */

static void models_text(struct buf *out, const struct statement *st)
{
	const char *model;

	for (size_t i = 0; (model = statement_at(st, "model", i)); i++)
		buf_addf(out, "%s%s", i ? ", " : "", model);
	if (!out->len)
		buf_add_str(out, "all");
}

static void state_text(char out[static 64], const struct firmware *f)
{
	uint64_t size = statement_number(f->st, "size");

	if (f->is_by_nobody)
		snprintf(out, 64, "signed by nobody who may");
	else if (f->is_whole)
		snprintf(out, 64, "there");
	else
		snprintf(out, 64, "%llu%% uploaded", size ? (unsigned long long)(f->received * 100 / size) : 0);
}

static int print_list(const struct firmware_list *list, struct error *err)
{
	static const char *const heads[] = { "VERSION",   "DRIVER", "PART",  "MODELS", "MINIMUM",
					     "DOWNGRADE", "IMAGE",  "STATE", "PERSON", "TIME" };
	_cleanup_(table_done) struct table table;

	table_init(&table, ARRAY_SIZE(heads), heads);
	for (size_t i = 0; i < list->count; i++) {
		const struct statement *st = list->at[i].st;
		_cleanup_(mem_freep) char *image = mem_printf("%.12s", statement_get(st, "image"));
		_cleanup_(buf_done) struct buf models = { 0 };
		char state[64];

		models_text(&models, st);
		state_text(state, &list->at[i]);
		table_add(&table,
			  (const char *const[]){ statement_get(st, "version"), statement_get(st, "driver"), statement_get(st, "part"),
						 buf_text(&models), statement_get(st, "minimum"), statement_get(st, "downgrade"), image,
						 state, statement_get(st, "person"), statement_get(st, "time") });
	}
	return table_print(&table, err);
}

static json_t *firmware_json(const struct firmware *f)
{
	static const char *const keys[] = {
		"driver", "part", "version", "minimum", "downgrade", "image", "name", "person", "time", "note"
	};
	json_t *models = json_array(),
	       *json = json_pack("{s:o, s:I, s:b, s:b, s:I}", "models", models, "size", (json_int_t)statement_number(f->st, "size"),
				 "may-be-ordered", !f->is_by_nobody, "uploaded", (int)f->is_whole, "received", (json_int_t)f->received);
	const char *model;

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		show_put_text(json, keys[i], statement_get(f->st, keys[i]) ? statement_get(f->st, keys[i]) : "");
	for (size_t i = 0; (model = statement_at(f->st, "model", i)); i++)
		json_array_append_new(models, json_string(model));
	return json;
}

int cmd_firmware_list(struct cli *cli, const struct args *args _unused_, struct error *err)
{
	_cleanup_(firmware_list_done) struct firmware_list list = { 0 };
	json_t *all;
	int r = firmware_list_get(&list, cli, err);

	if (r < 0)
		return r;
	if (!cli->json)
		return print_list(&list, err);
	all = json_array();
	for (size_t i = 0; i < list.count; i++)
		json_array_append_new(all, firmware_json(&list.at[i]));
	return output_json("firmware-list", json_pack("{s:o}", "firmware", all), err);
}

/* ---- matrix: as the server lists the devices ---- */

struct cell {
	const struct fleet_member *member; /* one of them */
	const char *newest;                /* that there is for it; "" when there is none */
	size_t count;
};

static int by_model(const void *a, const void *b)
{
	const struct fleet_member *const *x = a, *const *y = b;
	int r = strcmp((*x)->driver, (*y)->driver);

	if (!r)
		r = strverscmp((*x)->model, (*y)->model);
	return r ? r : strverscmp((*x)->firmware, (*y)->firmware);
}

static const char *newest_for(const struct firmware_list *list, const struct fleet_member *m)
{
	const char *newest = "";
	int order;

	for (size_t i = 0; i < list->count; i++) {
		const struct firmware *f = &list->at[i];
		const char *version = statement_get(f->st, "version");

		if (f->is_by_nobody || !f->is_whole || strcmp(statement_get(f->st, "part"), "boot") == 0 ||
		    !firmware_is_for_model(f, m->driver, m->model))
			continue;
		if (!*newest || (version_compare(&order, version, newest) && order > 0))
			newest = version;
	}
	return newest;
}

static size_t make_cells(struct cell *cells, const struct fleet_list *list, const struct firmware_list *images)
{
	_cleanup_(mem_freep) const struct fleet_member **order = mem_alloc((list->count + 1) * sizeof(*order));
	size_t members = 0, count = 0;

	for (size_t i = 0; i < list->count; i++)
		if (list->members[i].is_admitted && !*list->members[i].retired)
			order[members++] = &list->members[i];
	qsort(order, members, sizeof(*order), by_model);
	for (size_t i = 0; i < members; i++) {
		if (!i || by_model(&order[i - 1], &order[i]) != 0)
			cells[count++] = (struct cell){ .member = order[i], .newest = newest_for(images, order[i]) };
		cells[count - 1].count++;
	}
	return count;
}

static int print_matrix(const struct cell *cells, size_t count, struct error *err)
{
	static const char *const heads[] = { "DRIVER", "MODEL", "RUNS", "DEVICES", "NEWEST" };
	_cleanup_(table_done) struct table table;

	table_init(&table, ARRAY_SIZE(heads), heads);
	for (size_t i = 0; i < count; i++) {
		const struct fleet_member *m = cells[i].member;
		char number[24];

		snprintf(number, sizeof(number), "%zu", cells[i].count);
		table_add(&table, (const char *const[]){ m->driver, m->model, m->firmware, number, cells[i].newest });
	}
	return table_print(&table, err);
}

static int print_matrix_json(const struct cell *cells, size_t count, struct error *err)
{
	json_t *all = json_array();

	for (size_t i = 0; i < count; i++) {
		const struct fleet_member *m = cells[i].member;
		json_t *json = json_pack("{s:I}", "devices", (json_int_t)cells[i].count);

		show_put_text(json, "driver", m->driver);
		show_put_text(json, "model", m->model);
		show_put_text(json, "runs", m->firmware);
		show_put_text(json, "newest", cells[i].newest);
		json_array_append_new(all, json);
	}
	return output_json("firmware-matrix", json_pack("{s:o}", "models", all), err);
}

int cmd_firmware_matrix(struct cli *cli, const struct args *args, struct error *err)
{
	_cleanup_(firmware_list_done) struct firmware_list images = { 0 };
	_cleanup_(fleet_list_done) struct fleet_list list = { 0 };
	_cleanup_(mem_freep) struct cell *cells = NULL;
	size_t count;
	int r = fleet_list_get(&list, cli, err);

	if (r == 0)
		r = fleet_list_select(&list, args->value, args->count, err);
	if (r == 0)
		r = firmware_list_get(&images, cli, err);
	if (r < 0)
		return r;
	cells = mem_alloc((list.count + 1) * sizeof(*cells));
	count = make_cells(cells, &list, &images);
	return cli->json ? print_matrix_json(cells, count, err) : print_matrix(cells, count, err);
}

/* ---- status ---- */

/* The newest batch of kind upgrade. */
static int find_newest(char id[static ID_LEN + 1], struct cli *cli, struct error *err)
{
	json_t *answer = NULL;
	const json_t *list;
	int r = api_get_json(&answer, cli->api, "/v1/batches?limit=1000", err);

	list = json_object_get(answer, "batches");
	*id = 0;
	for (size_t i = 0; r == 0 && !*id && i < json_array_size(list); i++) {
		const char *kind = json_string_value(json_object_get(json_array_get(list, i), "kind"));
		const char *text = json_string_value(json_object_get(json_array_get(list, i), "id"));

		if (kind && text && !strcmp(kind, "upgrade") && id_is_valid(bytes_str(text)))
			memcpy(id, text, ID_LEN + 1);
	}
	json_decref(answer);
	if (r < 0)
		return r;
	return *id ? 0 : error_set(err, CLI_ABSENT, "nobody has ordered firmware yet; see: holdfast firmware assign");
}

static const char *runs_of(const struct fleet_list *list, const char *device)
{
	for (size_t i = 0; i < list->count; i++)
		if (!strcmp(list->members[i].id, device))
			return list->members[i].firmware;
	return "";
}

static int print_status(const struct rollout *r, const struct fleet_list *list, struct error *err)
{
	static const char *const heads[] = { "DEVICE", "WAVE", "RUNS", "OUTCOME", "CHECK", "EVIDENCE", "NOTE" };
	_cleanup_(table_done) struct table table;

	table_init(&table, ARRAY_SIZE(heads), heads);
	for (size_t i = 0; i < r->count; i++) {
		const struct rollout_device *d = &r->devices[i];
		char wave[24];

		snprintf(wave, sizeof(wave), "%zu", d->wave + 1);
		table_add(&table, (const char *const[]){ d->name, wave, runs_of(list, d->id),
							 *d->outcome    ? d->outcome :
							 d->is_released ? "released" :
									  "waits",
							 d->check, d->evidence, d->note });
	}
	return table_print(&table, err);
}

int cmd_firmware_status(struct cli *cli, const struct args *args, struct error *err)
{
	_cleanup_(rollout_done) struct rollout r = { 0 };
	_cleanup_(fleet_list_done) struct fleet_list list = { 0 };
	_cleanup_(opener_freep) struct opener *opener = NULL;
	struct open_source source;
	char id[ID_LEN + 1];
	int result = fleet_source(&source, cli, err);

	if (result == 0)
		result = args->count ? rollout_find(id, &source, args->value[0], err) : find_newest(id, cli, err);
	if (result == 0)
		result = rollout_get(&r, &source, id, err);
	if (result == 0 && strcmp(statement_get(r.batch, "kind"), "upgrade") != 0)
		result =
			error_set(err, CLI_USAGE, "batch '%s' is of kind '%s', and orders no firmware", id, statement_get(r.batch, "kind"));
	if (result == 0)
		result = fleet_list_get(&list, cli, err);
	if (result < 0)
		return result;
	opener = opener_new(&source);
	result = rollout_receipts(&r, &source, opener, err);
	if (result == 0 && cli->json)
		return follow_print_json(&r, cli->home->root, "firmware-status", err);
	if (result == 0)
		result = print_status(&r, &list, err);
	if (result < 0)
		return result;
	output_note("batch %s (%s): %s", r.id, r.state, statement_get(r.batch, "reason"));
	return EXIT_DONE;
}
