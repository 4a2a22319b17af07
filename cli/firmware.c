/* cli/firmware.c -- which images the fleet has, and for which devices they are. */
#include "cli/firmware.h"

#include "cli/api.h"
#include "cli/home.h"
#include "policies/policy.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { HASH_PREFIX_MIN = 8 };

void firmware_list_done(struct firmware_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		statement_free(list->at[i].st);
	free(list->at);
	*list = (struct firmware_list){ 0 };
}

/* ---- statements ---- */

static int check(const struct statement *st, const struct home *home, struct error *err)
{
	if (statement_type(st) != STATEMENT_FIRMWARE)
		return error_set(err, E_SEAL, "it is of type '%s'", statement_type_name(statement_type(st)));
	if (strcmp(statement_get(st, "fleet"), home->fleet) != 0)
		return error_set(err, E_SEAL, "it is of fleet '%s'", statement_get(st, "fleet"));
	return 0;
}

static int take_statement(struct firmware_list *list, struct bytes *rest, const struct home *home, struct error *err)
{
	struct statement *st = NULL;
	struct error ignored;
	size_t used = 0;

	if (list->count == FIRMWARE_LIST_MAX)
		return error_set(err, E_LIMIT, "the server lists more than %d firmware statements", FIRMWARE_LIST_MAX);
	if (statement_parse(&st, *rest, false, &used, err) < 0)
		return err->code;
	if (!(list->count & (list->count - 1)))
		list->at = mem_grow(list->at, (list->count ? 2 * list->count : 1) * sizeof(*list->at));
	list->at[list->count++] = (struct firmware){ .st = st, .is_by_nobody = root_verify(home->root, st, &ignored) < 0 };
	*rest = bytes_from(*rest, used);
	return check(st, home, err);
}

/* 1: there are no more. */
static int get_page(struct firmware_list *list, struct cli *cli, struct error *err)
{
	_cleanup_(mem_freep) char *path = mem_printf("/v1/firmware?from=%zu", list->count);
	_cleanup_(buf_done) struct buf text = { 0 };
	struct bytes rest;
	int r = api_get(&text, cli->api, path, API_LIST_MAX, err);

	if (r < 0)
		return r;
	for (rest = buf_bytes(&text); rest.len && r == 0;)
		r = take_statement(list, &rest, cli->home, err);
	if (r < 0) {
		err->code = err->code == E_LIMIT ? E_LIMIT : E_SEAL;
		return error_add(err, "what the server gives for '%s' does not hold", path);
	}
	return !text.len;
}

/* ---- images ---- */

static int get_images(json_t **out, struct cli *cli, struct error *err)
{
	int r = api_get_json(out, cli->api, "/v1/firmware/images", err);

	if (r < 0 || json_is_array(json_object_get(*out, "images")))
		return r;
	json_decref(*out);
	*out = NULL;
	return error_set(err, E_PEER, "the server's list of images is none");
}

static void find_image(bool *is_whole, uint64_t *received, const json_t *images, const char *image)
{
	const json_t *list = json_object_get(images, "images");

	*is_whole = false;
	*received = 0;
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *one = json_array_get(list, i);
		const char *hash = json_string_value(json_object_get(one, "image"));
		json_int_t size = json_integer_value(json_object_get(one, "size"));

		if (!hash || strcmp(hash, image) != 0)
			continue;
		*is_whole = json_is_true(json_object_get(one, "whole"));
		*received = size > 0 ? (uint64_t)size : 0;
	}
}

int firmware_received(bool *is_whole, uint64_t *received, struct cli *cli, const char *image, struct error *err)
{
	json_t *images = NULL;
	int r = get_images(&images, cli, err);

	if (r < 0)
		return r;
	find_image(is_whole, received, images, image);
	json_decref(images);
	return 0;
}

int firmware_list_get(struct firmware_list *out, struct cli *cli, struct error *err)
{
	_cleanup_(firmware_list_done) struct firmware_list list = { 0 };
	json_t *images = NULL;
	int r = cli_api(cli, err);

	while (r == 0)
		r = get_page(&list, cli, err);
	if (r > 0)
		r = get_images(&images, cli, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < list.count; i++)
		find_image(&list.at[i].is_whole, &list.at[i].received, images, statement_get(list.at[i].st, "image"));
	json_decref(images);
	*out = list;
	list = (struct firmware_list){ 0 };
	return 0;
}

/* ---- which, and for whom ---- */

bool firmware_is(const struct firmware *f, const char *text)
{
	size_t len = strlen(text);

	return !strcmp(statement_get(f->st, "version"), text) ||
	       (len >= HASH_PREFIX_MIN && !strncmp(statement_get(f->st, "image"), text, len));
}

bool firmware_is_for_model(const struct firmware *f, const char *driver, const char *model)
{
	const char *one;

	if (strcmp(statement_get(f->st, "driver"), driver) != 0)
		return false;
	if (!statement_get(f->st, "model") || !*model)
		return true;
	for (size_t i = 0; (one = statement_at(f->st, "model", i)); i++)
		if (!strcasecmp(one, model))
			return true;
	return false;
}

static bool is_below(const char *a, const char *b)
{
	int order;

	return version_compare(&order, a, b) && order < 0;
}

enum firmware_fit firmware_fits(const struct firmware *f, const struct fleet_member *m)
{
	const char *version = statement_get(f->st, "version"), *minimum = statement_get(f->st, "minimum");
	int order;

	if (strcmp(statement_get(f->st, "driver"), m->driver) != 0)
		return FIRMWARE_OTHER_DRIVER;
	if (!firmware_is_for_model(f, m->driver, m->model))
		return FIRMWARE_OTHER_MODEL;
	if (!strcmp(statement_get(f->st, "part"), "boot"))
		return FIRMWARE_FITS; /* its version is another one than that of what runs */
	if (minimum && (!*m->firmware || is_below(m->firmware, minimum)))
		return FIRMWARE_MINIMUM;
	if (version_compare(&order, version, m->firmware) && !order)
		return FIRMWARE_RUNS;
	if (is_below(version, m->firmware))
		return statement_get(f->st, "downgrade") ? FIRMWARE_GOES_BACK : FIRMWARE_OLDER;
	return FIRMWARE_FITS;
}
