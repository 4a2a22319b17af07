/* cli/advisory-facts.c -- what is known of devices, for matching advisories. */
#include "cli/advisory-facts.h"

#include "base/fs.h"
#include "cli/fleet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { FACTS_FILE_MAX = 32 << 20, DEVICES_MAX = 200000 };

static struct advisory_device *add(struct advisory_devices *d)
{
	if (!(d->count & (d->count - 1)))
		d->list = mem_grow(d->list, (d->count ? 2 * d->count : 1) * sizeof(*d->list));
	d->list[d->count] = (struct advisory_device){ 0 };
	return &d->list[d->count++];
}

void advisory_devices_done(struct advisory_devices *d)
{
	free(d->list);
	*d = (struct advisory_devices){ 0 };
}

/* ---- the fleet ---- */

/* "FRRouting 8.4.4" is version 8.4.4 of what is known to be FRRouting. */
static const char *without_system(const char *firmware, const char *system)
{
	size_t len = strlen(system);

	return len && !strncasecmp(firmware, system, len) && firmware[len] == ' ' ? firmware + len + 1 : firmware;
}

static void put_member(struct advisory_device *d, const struct fleet_member *m)
{
	_cleanup_(mem_freep) char *labels = mem_strdup(m->labels);
	char *save, *label;

	snprintf(d->name, sizeof(d->name), "%s", m->name);
	memcpy(d->id, m->id, sizeof(d->id));
	advisory_facts_of_driver(&d->facts, m->driver);
	advisory_fact_put(d->facts.model, m->model);
	advisory_fact_put(d->facts.firmware, without_system(m->firmware, d->facts.system));
	for (label = strtok_r(labels, " ", &save); label; label = strtok_r(NULL, " ", &save))
		advisory_facts_of_label(&d->facts, label);
}

int advisory_devices_fleet(struct advisory_devices *out, struct cli *cli, const char *const terms[], size_t count, struct error *err)
{
	_cleanup_(fleet_list_done) struct fleet_list list = { 0 };
	int r = fleet_list_get(&list, cli, err);

	*out = (struct advisory_devices){ 0 };
	if (r == 0)
		r = fleet_list_select(&list, terms, count, err);
	for (size_t i = 0; i < list.count && r == 0; i++)
		if (list.members[i].is_admitted && !*list.members[i].retired)
			put_member(add(out), &list.members[i]);
	return r < 0 ? r : 0;
}

/* ---- a file ---- */

static int put_uses(struct advisory_facts *f, const json_t *uses, struct error *err)
{
	const char *feature;
	json_t *value;

	json_object_foreach((json_t *)(uintptr_t)uses, feature, value)
	{
		if (!json_is_boolean(value) || f->use_count == FACT_USES_MAX)
			return error_set(err, E_FORMAT, "'uses' is an object of at most %d features, each true or false", FACT_USES_MAX);
		advisory_facts_use(f, feature, json_is_true(value));
	}
	return 0;
}

static int put_device(struct advisory_device *d, const json_t *json, struct error *err)
{
	struct advisory_facts *f = &d->facts;
	const struct {
		const char *key;
		char *out;
		size_t size;
	} texts[] = {
		{ "name", d->name, sizeof(d->name) }, { "id", d->id, sizeof(d->id) },        { "vendor", f->vendor, FACT_MAX },
		{ "system", f->system, FACT_MAX },    { "family", f->family, FACT_MAX },     { "model", f->model, FACT_MAX },
		{ "article", f->article, FACT_MAX },  { "firmware", f->firmware, FACT_MAX }, { "boot-loader", f->loader, FACT_MAX },
	};
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)(uintptr_t)json, key, value)
	{
		size_t i = 0;

		if (!strcmp(key, "uses")) {
			if (!json_is_object(value) || put_uses(f, value, err) < 0)
				return error_set(err, E_FORMAT, "'uses' is an object of at most %d features, each true or false",
						 FACT_USES_MAX);
			continue;
		}
		while (i < ARRAY_SIZE(texts) && strcmp(texts[i].key, key) != 0)
			i++;
		if (i == ARRAY_SIZE(texts))
			return error_set(err, E_FORMAT, "unknown key '%.60s'", key);
		if (!json_is_string(value) || json_string_length(value) >= texts[i].size)
			return error_set(err, E_FORMAT, "'%s' is no text of less than %zu bytes", key, texts[i].size);
		snprintf(texts[i].out, texts[i].size, "%s", json_string_value(value));
	}
	return *d->name ? 0 : error_set(err, E_FORMAT, "'name' is missing");
}

static int take_list(struct advisory_devices *out, const json_t *list, struct error *err)
{
	if (!json_is_array(list))
		return error_set(err, E_FORMAT, "it has no list 'devices'");
	if (json_array_size(list) > DEVICES_MAX)
		return error_set(err, E_LIMIT, "it names more than %d devices", DEVICES_MAX);
	for (size_t i = 0; i < json_array_size(list); i++)
		if (put_device(add(out), json_array_get(list, i), err) < 0)
			return error_add(err, "device %zu", i + 1);
	return 0;
}

int advisory_devices_parse(struct advisory_devices *out, struct bytes text, struct error *err)
{
	json_error_t why;
	json_t *json = json_loadb((const char *)text.ptr, text.len, JSON_REJECT_DUPLICATES, &why);
	int r;

	*out = (struct advisory_devices){ 0 };
	if (!json)
		return error_set(err, E_FORMAT, "line %d: %s", why.line, why.text);
	r = take_list(out, json_object_get(json, "devices"), err);
	json_decref(json);
	if (r < 0)
		advisory_devices_done(out);
	return r;
}

int advisory_devices_file(struct advisory_devices *out, const char *path, struct error *err)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	int r = fs_read(&text, path, FACTS_FILE_MAX, err);

	*out = (struct advisory_devices){ 0 };
	if (r == FS_ABSENT)
		return error_set(err, CLI_ABSENT, "there is no '%s'", path);
	if (r == 0)
		r = advisory_devices_parse(out, buf_bytes(&text), err);
	return r < 0 ? error_add(err, "'%s'", path) : 0;
}
