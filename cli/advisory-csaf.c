/* cli/advisory-csaf.c -- CSAF 2.0: the product tree becomes a list of products, and each vulnerability a list of mentions of them. */
#include "cli/advisory.h"

#include <stdlib.h>
#include <string.h>

struct tree {
	struct advisory *a;
	json_t *ids; /* product id -> index */
};

/* What the branches above a product say of it. */
struct path {
	const char *vendor, *family, *name, *version;
	bool is_range;
	bool is_patched; /* a service pack or patch level of that version stands above it */
};

static const json_t *array_at(const json_t *object, const char *key)
{
	const json_t *array = json_object_get(object, key);

	return json_is_array(array) ? array : NULL;
}

static int index_of(const struct tree *t, const char *id, size_t *out)
{
	const json_t *index = id ? json_object_get(t->ids, id) : NULL;

	if (!index)
		return 0;
	*out = (size_t)json_integer_value(index);
	return 1;
}

/* ---- products ---- */

/* "> 1.7.5.0" of a product that is called "versions older than 1.7.5.0": one of the two is wrong. */
static void check_direction(struct advisory *a, struct advisory_product *p)
{
	static const char *const earlier[] = { "older", "prior", "before", "earlier", "and below", "up to", "through" };

	if (!p->range.is_lower_only || !p->full)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(earlier) && !p->why; i++)
		if (strcasestr(p->full, earlier[i]))
			p->why = "its range says later versions, its name earlier ones";
	if (p->why)
		advisory_note(a, "'%.120s': %s", p->full, p->why);
}

static int take_product(struct tree *t, const json_t *product, const struct path *path, struct error *err)
{
	const json_t *helper = json_object_get(product, "product_identification_helper");
	const char *id = advisory_text(product, "product_id");
	struct advisory_product *p;
	size_t known;

	if (!id) {
		advisory_note(t->a, "a product has no id");
		return 0;
	}
	if (index_of(t, id, &known)) {
		advisory_note(t->a, "product '%.80s' is explained twice", id);
		t->a->products[known].why = "it is explained twice";
		return 0;
	}
	if (advisory_add_product(&p, t->a, err) < 0)
		return err->code;
	json_object_set_new(t->ids, id, json_integer((json_int_t)t->a->product_count - 1));
	p->id = id;
	p->vendor = path->vendor;
	p->family = path->family;
	p->name = path->name;
	p->full = advisory_text(product, "name");
	p->models = array_at(helper, "model_numbers");
	p->articles = array_at(helper, "skus");
	if (path->version)
		advisory_set_version(t->a, p, path->version, path->is_range);
	check_direction(t->a, p);
	if (path->is_patched && p->version && !p->why) {
		p->why = "it means a service pack or patch level of that version, which no device tells";
		p->is_cut = true; /* what is not of that version at all is certainly not meant */
		advisory_note(t->a, "'%.120s': %s", p->full ? p->full : p->id, p->why);
	}
	return 0;
}

static void take_name(struct path *path, const char *category, const char *name)
{
	const char **at = !strcmp(category, "vendor")           ? &path->vendor
			  : !strcmp(category, "product_family") ? &path->family
			  : !strcmp(category, "product_name")   ? &path->name
								: NULL;

	if (at)
		*at = name;
	if (!strcmp(category, "product_version") || !strcmp(category, "product_version_range")) {
		path->version = name;
		path->is_range = !strcmp(category, "product_version_range");
	}
	if (!strcmp(category, "service_pack") || !strcmp(category, "patch_level"))
		path->is_patched = true;
}

static int take_branches(struct tree *t, const json_t *branches, const struct path *above, unsigned depth, struct error *err)
{
	if (depth == ADVISORY_DEPTH_MAX)
		return error_set(err, E_LIMIT, "its branches are deeper than %d", ADVISORY_DEPTH_MAX);
	for (size_t i = 0; i < json_array_size(branches); i++) {
		const json_t *branch = json_array_get(branches, i), *product = json_object_get(branch, "product");
		const char *category = advisory_text(branch, "category"), *name = advisory_text(branch, "name");
		struct path path = *above;

		if (!category || !name) {
			advisory_note(t->a, "a branch has no category or no name: what hangs on it is not read");
			continue;
		}
		take_name(&path, category, name);
		if (product && take_product(t, product, &path, err) < 0)
			return err->code;
		if (take_branches(t, array_at(branch, "branches"), &path, depth + 1, err) < 0)
			return err->code;
	}
	return 0;
}

static int take_full_names(struct tree *t, const json_t *list, struct error *err)
{
	static const struct path nothing = { 0 };

	for (size_t i = 0; i < json_array_size(list); i++)
		if (take_product(t, json_array_get(list, i), &nothing, err) < 0)
			return err->code;
	return 0;
}

/* ---- relationships: a product on another is a third one ---- */

static bool is_on(const char *category)
{
	static const char *const known[] = { "installed_on", "installed_with", "default_component_of", "optional_component_of",
					     "external_component_of" };

	for (size_t i = 0; category && i < ARRAY_SIZE(known); i++)
		if (!strcmp(category, known[i]))
			return true;
	return false;
}

/* Two rounds: parts may be named before they are made. What closes a circle is found where it is judged, by its depth. */
static int declare_joined(struct tree *t, const json_t *list, struct error *err)
{
	static const struct path nothing = { 0 };

	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *made = json_object_get(json_array_get(list, i), "full_product_name");

		if (take_product(t, made, &nothing, err) < 0)
			return err->code;
	}
	return 0;
}

static void join(struct tree *t, const json_t *relationship)
{
	const char *made = advisory_text(json_object_get(relationship, "full_product_name"), "product_id");
	const char *what = advisory_text(relationship, "product_reference"),
		   *on = advisory_text(relationship, "relates_to_product_reference");
	struct advisory_product *p;
	size_t index;

	if (!index_of(t, made, &index))
		return;
	p = &t->a->products[index];
	if (p->is_joined) {
		p->why = "it is explained twice";
	} else if (!is_on(advisory_text(relationship, "category")) || !index_of(t, what, &p->part[0]) || !index_of(t, on, &p->part[1])) {
		p->why = "it is made of products that are nowhere explained";
		advisory_note(t->a, "product '%.80s': %s", made, p->why);
	}
	p->is_joined = true;
}

/* ---- vulnerabilities ---- */

static int take_item(struct tree *t, struct advisory_vuln *v, enum advisory_status status, const char *id, struct error *err)
{
	struct advisory_product *p;
	size_t index;

	if (!id) {
		advisory_note(t->a, "a product status names something that is no id");
		return 0;
	}
	if (!index_of(t, id, &index)) {
		if (advisory_add_product(&p, t->a, err) < 0)
			return err->code;
		advisory_note(t->a, "product '%.80s' is nowhere explained", id);
		p->id = id;
		p->is_undefined = true;
		p->why = "it is nowhere explained";
		index = t->a->product_count - 1;
		json_object_set_new(t->ids, id, json_integer((json_int_t)index));
	}
	return advisory_add_item(t->a, v, status, index, err);
}

static int take_status(struct tree *t, struct advisory_vuln *v, const json_t *status, struct error *err)
{
	static const struct {
		const char *key;
		enum advisory_status status;
	} lists[] = {
		{ "known_affected", ADVISORY_AFFECTED },
		{ "first_affected", ADVISORY_AFFECTED },
		{ "last_affected", ADVISORY_AFFECTED },
		{ "known_not_affected", ADVISORY_NOT_AFFECTED },
		{ "fixed", ADVISORY_FIXED },
		{ "first_fixed", ADVISORY_FIXED },
		{ "under_investigation", ADVISORY_OPEN },
		{ "recommended", ADVISORY_RECOMMENDED },
	};

	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		const json_t *list = array_at(status, lists[i].key);

		for (size_t k = 0; k < json_array_size(list); k++)
			if (take_item(t, v, lists[i].status, json_string_value(json_array_get(list, k)), err) < 0)
				return err->code;
	}
	return 0;
}

static void take_scores(struct advisory_vuln *v, const json_t *scores)
{
	static const char *const kinds[] = { "cvss_v4", "cvss_v3", "cvss_v2" };

	for (size_t i = 0; i < json_array_size(scores); i++) {
		for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
			const json_t *kind = json_object_get(json_array_get(scores, i), kinds[k]);
			double score = json_number_value(json_object_get(kind, "baseScore"));

			if (score > v->score && score <= 10)
				v->score = score;
		}
	}
}

static int take_vuln(struct tree *t, const json_t *json, struct error *err)
{
	struct advisory_vuln *v;

	if (!json_is_object(json)) {
		advisory_note(t->a, "a vulnerability is no object");
		return 0;
	}
	if (advisory_add_vuln(&v, t->a, err) < 0)
		return err->code;
	v->title = advisory_text(json, "title");
	v->name = advisory_text(json, "cve");
	if (!v->name)
		v->name = advisory_text(json_array_get(json_object_get(json, "ids"), 0), "text");
	v->remediations = array_at(json, "remediations");
	v->flags = array_at(json, "flags");
	take_scores(v, array_at(json, "scores"));
	return take_status(t, v, json_object_get(json, "product_status"), err);
}

/* ---- the document ---- */

static int take_document(struct advisory *a, const json_t *document, struct error *err)
{
	const json_t *tracking = json_object_get(document, "tracking"), *publisher = json_object_get(document, "publisher");
	const char *version = advisory_text(document, "csaf_version");

	if (!version || strcmp(version, "2.0") != 0)
		return error_set(err, E_FORMAT, "its csaf_version is not 2.0");
	a->id = advisory_text(tracking, "id");
	if (!a->id)
		return error_set(err, E_FORMAT, "it has no document.tracking.id");
	a->version = advisory_text(tracking, "version");
	if (!a->version)
		return error_set(err, E_FORMAT, "it has no document.tracking.version");
	a->publisher = advisory_text(publisher, "namespace");
	if (!a->publisher)
		return error_set(err, E_FORMAT, "it has no document.publisher.namespace");
	a->title = advisory_text(document, "title");
	a->status = advisory_text(tracking, "status");
	a->released = advisory_text(tracking, "current_release_date");
	a->published = advisory_text(tracking, "initial_release_date");
	a->severity = advisory_text(json_object_get(document, "aggregate_severity"), "text");
	if (a->status && !strcmp(a->status, "draft"))
		advisory_note(a, "it is a draft");
	return advisory_check_id(a->id, err);
}

/* What remediations and flags may name in place of products. */
static void take_groups(struct advisory *a, const json_t *groups)
{
	a->groups = json_object();
	for (size_t i = 0; i < json_array_size(groups); i++) {
		const char *id = advisory_text(json_array_get(groups, i), "group_id");
		const json_t *products = array_at(json_array_get(groups, i), "product_ids");

		if (!id || !products)
			advisory_note(a, "a product group has no id or no products");
		else if (json_object_get(a->groups, id))
			advisory_note(a, "product group '%.80s' is explained twice", id);
		else
			json_object_set(a->groups, id, (json_t *)(uintptr_t)products);
	}
}

static int take_tree(struct tree *t, struct error *err)
{
	const json_t *tree = json_object_get(t->a->json, "product_tree"), *relationships = array_at(tree, "relationships");
	static const struct path nothing = { 0 };

	take_groups(t->a, array_at(tree, "product_groups"));
	if (take_branches(t, array_at(tree, "branches"), &nothing, 0, err) < 0 ||
	    take_full_names(t, array_at(tree, "full_product_names"), err) < 0 || declare_joined(t, relationships, err) < 0)
		return err->code;
	for (size_t i = 0; i < json_array_size(relationships); i++)
		join(t, json_array_get(relationships, i));
	return 0;
}

static int take_all(struct tree *t, struct error *err)
{
	const json_t *vulns = array_at(t->a->json, "vulnerabilities");

	if (take_document(t->a, json_object_get(t->a->json, "document"), err) < 0 || take_tree(t, err) < 0)
		return err->code;
	for (size_t i = 0; i < json_array_size(vulns); i++)
		if (take_vuln(t, json_array_get(vulns, i), err) < 0)
			return err->code;
	if (!t->a->vuln_count)
		advisory_note(t->a, "it lists no vulnerability");
	return 0;
}

int advisory_read_csaf(struct advisory *a, struct error *err)
{
	struct tree t = { a, json_object() };

	a->form = ADVISORY_CSAF;
	a->ids = t.ids;
	return take_all(&t, err);
}
