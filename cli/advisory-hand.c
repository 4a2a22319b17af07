/* cli/advisory-hand.c -- advisories that operators write down, of vendors who publish nothing that a program reads.
 *
 * Whoever writes one is there to correct it, so this form is strict: an unknown key or a version that cannot be compared is refused. */
#include "cli/advisory.h"

#include "base/clock.h"

#include <string.h>

enum kind { TEXT, TEXTS, NUMBER, PRODUCTS };

struct key {
	const char *name;
	enum kind kind;
	bool is_needed;
};

static const struct key document_keys[] = {
	{ "holdfast-advisory", NUMBER, true },
	{ "id", TEXT, true },
	{ "publisher", TEXT, true },
	{ "title", TEXT, true },
	{ "version", TEXT, true },
	{ "released", TEXT, true },
	{ "severity", TEXT, false },
	{ "score", NUMBER, false },
	{ "url", TEXT, false },
	{ "cves", TEXTS, false },
	{ "requires", TEXTS, false },
	{ "affected", PRODUCTS, true },
	{ "not-affected", PRODUCTS, false },
	{ "fixed", PRODUCTS, false },
	{ "remedy", TEXT, false },
	{ NULL, TEXT, false },
};
static const struct key product_keys[] = {
	{ "vendor", TEXT, true },   { "product", TEXT, false }, { "models", TEXTS, false }, { "articles", TEXTS, false },
	{ "versions", TEXT, true }, { "of", TEXT, false },      { NULL, TEXT, false },
};

static bool are_texts(const json_t *value)
{
	for (size_t i = 0; i < json_array_size(value); i++)
		if (!json_is_string(json_array_get(value, i)))
			return false;
	return json_is_array(value);
}

static bool has_kind(const json_t *value, enum kind kind)
{
	switch (kind) {
	case TEXT:
		return json_is_string(value) && json_string_length(value);
	case TEXTS:
		return are_texts(value);
	case NUMBER:
		return json_is_number(value);
	case PRODUCTS:
		return json_is_array(value);
	}
	return false;
}

static int check_keys(const json_t *object, const struct key *keys, struct error *err)
{
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)(uintptr_t)object, name, value)
	{
		const struct key *key = keys;

		while (key->name && strcmp(key->name, name) != 0)
			key++;
		if (!key->name)
			return error_set(err, E_FORMAT, "unknown key '%.60s'", name);
		if (!has_kind(value, key->kind))
			return error_set(err, E_FORMAT, "'%s' is not of the kind that it should be", name);
	}
	for (const struct key *key = keys; key->name; key++)
		if (key->is_needed && !json_object_get(object, key->name))
			return error_set(err, E_FORMAT, "'%s' is missing", key->name);
	return 0;
}

static int take_product(struct advisory *a, const json_t *json, enum advisory_status status, struct error *err)
{
	const char *of = advisory_text(json, "of");
	struct advisory_product *p;

	if (!json_is_object(json))
		return error_set(err, E_FORMAT, "a product is no object");
	if (check_keys(json, product_keys, err) < 0 || advisory_add_product(&p, a, err) < 0)
		return err->code;
	p->vendor = advisory_text(json, "vendor");
	p->name = p->full = advisory_text(json, "product");
	p->models = json_object_get(json, "models");
	p->articles = json_object_get(json, "articles");
	if (!p->name && !json_array_size(p->models) && !json_array_size(p->articles))
		return error_set(err, E_FORMAT, "a product has neither 'product' nor 'models' nor 'articles'");
	if (of && strcmp(of, "firmware") != 0 && strcmp(of, "boot-loader") != 0)
		return error_set(err, E_FORMAT, "'of' is 'firmware' or 'boot-loader'");
	p->is_loader = of && *of == 'b';
	p->version = advisory_text(json, "versions");
	range_parse(&p->range, p->version);
	if (p->range.why)
		return error_set(err, E_FORMAT, "versions '%.80s': %s", p->version, p->range.why);
	p->is_listed = p->range.is_one;
	return advisory_add_item(a, &a->vulns[0], status, a->product_count - 1, err);
}

static int take_products(struct advisory *a, const char *key, enum advisory_status status, struct error *err)
{
	const json_t *list = json_object_get(a->json, key);

	for (size_t i = 0; i < json_array_size(list); i++)
		if (take_product(a, json_array_get(list, i), status, err) < 0)
			return error_add(err, "'%s', entry %zu", key, i + 1);
	return 0;
}

static int take_features(struct advisory_vuln *v, const json_t *list, struct error *err)
{
	if (json_array_size(list) > ADVISORY_FEATURES_MAX)
		return error_set(err, E_LIMIT, "'requires' has more than %d entries", ADVISORY_FEATURES_MAX);
	for (size_t i = 0; i < json_array_size(list); i++)
		v->feature[v->feature_count++] = json_string_value(json_array_get(list, i));
	return 0;
}

static int take_head(struct advisory *a, struct error *err)
{
	int64_t released_s;

	if (check_keys(a->json, document_keys, err) < 0)
		return err->code;
	if (json_integer_value(json_object_get(a->json, "holdfast-advisory")) != 1)
		return error_set(err, E_FORMAT, "'holdfast-advisory' is not 1: it is of a later version of this form");
	a->id = advisory_text(a->json, "id");
	a->publisher = advisory_text(a->json, "publisher");
	a->title = advisory_text(a->json, "title");
	a->version = advisory_text(a->json, "version");
	a->released = advisory_text(a->json, "released");
	a->severity = advisory_text(a->json, "severity");
	a->status = "final";
	if (!clock_parse(&released_s, bytes_str(a->released)))
		return error_set(err, E_FORMAT, "'released' is no time like 2026-01-31T00:00:00Z");
	return advisory_check_id(a->id, err);
}

int advisory_read_hand(struct advisory *a, struct error *err)
{
	struct advisory_vuln *v;
	double score;

	a->form = ADVISORY_HAND;
	if (take_head(a, err) < 0 || advisory_add_vuln(&v, a, err) < 0)
		return err->code;
	score = json_number_value(json_object_get(a->json, "score"));
	if (score < 0 || score > 10)
		return error_set(err, E_FORMAT, "'score' is not from 0 to 10");
	v->score = score;
	v->title = a->title;
	v->name = json_string_value(json_array_get(json_object_get(a->json, "cves"), 0));
	if (take_features(v, json_object_get(a->json, "requires"), err) < 0 || take_products(a, "affected", ADVISORY_AFFECTED, err) < 0 ||
	    take_products(a, "not-affected", ADVISORY_NOT_AFFECTED, err) < 0)
		return err->code;
	return take_products(a, "fixed", ADVISORY_FIXED, err);
}
