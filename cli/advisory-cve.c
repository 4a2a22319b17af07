/* cli/advisory-cve.c -- CVE JSON 5 records: what each "affected" says becomes products with ranges.
 *
 * Versions that no entry covers have the product's defaultStatus, which is "unknown" where it is not said. */
#include "cli/advisory.h"

#include <string.h>

static bool parse_status(enum advisory_status *out, const char *text)
{
	if (!text || !strcmp(text, "unknown"))
		*out = ADVISORY_OPEN;
	else if (!strcmp(text, "affected"))
		*out = ADVISORY_AFFECTED;
	else if (!strcmp(text, "unaffected"))
		*out = ADVISORY_NOT_AFFECTED;
	else
		return false;
	return true;
}

/* One "affected" of the record. */
struct entry {
	const json_t *json;
	const char *vendor, *product;
	enum advisory_status otherwise;
};

static int add(struct advisory_product **out, struct advisory *a, const struct entry *e, enum advisory_status status, struct error *err)
{
	struct advisory_product *p;

	if (advisory_add_product(&p, a, err) < 0)
		return err->code;
	p->vendor = e->vendor;
	p->name = p->full = e->product;
	*out = p;
	return advisory_add_item(a, &a->vulns[0], status, a->product_count - 1, err);
}

static bool is_open(const char *text)
{
	return text && (!strcmp(text, "*") || !strcmp(text, "unspecified") || !strcmp(text, "n/a") || !strcmp(text, "0"));
}

static void set_range(struct advisory *a, struct advisory_product *p, const json_t *version)
{
	const char *from = advisory_text(version, "version"), *below = advisory_text(version, "lessThan"),
		   *up_to = advisory_text(version, "lessThanOrEqual"), *type = advisory_text(version, "versionType");

	p->version = !from   ? ""
		     : below ? advisory_made(a, "%s up to before %s", from, below)
		     : up_to ? advisory_made(a, "%s up to %s", from, up_to)
			     : from;
	if (!from)
		p->range.why = "it names no version";
	else if (type && !strcmp(type, "git"))
		p->range.why = "it names commits, which are no versions";
	else if (json_array_size(json_object_get(version, "changes")))
		p->range.why = "its status changes within the range, which is not read here";
	else if (below || up_to)
		range_between(&p->range, is_open(from) ? NULL : from, below && strcmp(below, "*") != 0 ? below : NULL,
			      up_to && strcmp(up_to, "*") != 0 ? up_to : NULL);
	else if (!strcmp(from, "n/a") || !strcmp(from, "unspecified"))
		p->range.why = "it names no version";
	else
		range_parse(&p->range, from);
	if (p->range.why)
		advisory_note(a, "version '%.120s' of '%.80s': %s", p->version, p->name ? p->name : "", p->range.why);
}

static int take_versions(struct advisory *a, const struct entry *e, struct error *err)
{
	const json_t *versions = json_object_get(e->json, "versions");

	for (size_t i = 0; i < json_array_size(versions); i++) {
		const json_t *version = json_array_get(versions, i);
		struct advisory_product *p;
		enum advisory_status status;

		if (!parse_status(&status, advisory_text(version, "status"))) {
			advisory_note(a, "a version of '%.80s' has a status that no record has", e->product);
			status = ADVISORY_OPEN;
		}
		if (add(&p, a, e, status, err) < 0)
			return err->code;
		set_range(a, p, version);
	}
	return 0;
}

static int take_affected(struct advisory *a, const json_t *json, struct error *err)
{
	struct entry e = { json, advisory_text(json, "vendor"), advisory_text(json, "product"), ADVISORY_OPEN };
	struct advisory_product *p;

	if (!e.product || !strcmp(e.product, "n/a")) {
		advisory_note(a, "an affected product has no name");
		return 0;
	}
	if (e.vendor && !strcmp(e.vendor, "n/a"))
		e.vendor = NULL;
	if (!parse_status(&e.otherwise, advisory_text(json, "defaultStatus")))
		advisory_note(a, "'%.80s' has a default status that no record has", e.product);
	if (take_versions(a, &e, err) < 0)
		return err->code;
	if (e.otherwise == ADVISORY_NOT_AFFECTED)
		return 0;
	if (add(&p, a, &e, e.otherwise, err) < 0)
		return err->code;
	p->is_default = true;
	p->range.is_all = true;
	return 0;
}

static void take_metrics(struct advisory_vuln *v, const json_t *metrics)
{
	static const char *const kinds[] = { "cvssV4_0", "cvssV3_1", "cvssV3_0", "cvssV2_0" };

	for (size_t i = 0; i < json_array_size(metrics); i++) {
		for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
			const json_t *kind = json_object_get(json_array_get(metrics, i), kinds[k]);
			double score = json_number_value(json_object_get(kind, "baseScore"));

			if (score > v->score && score <= 10)
				v->score = score;
		}
	}
}

static int take_head(struct advisory *a, struct error *err)
{
	const json_t *meta = json_object_get(a->json, "cveMetadata");
	const char *version = advisory_text(a->json, "dataVersion"), *state = advisory_text(meta, "state");

	if (!version || strncmp(version, "5.", 2) != 0)
		return error_set(err, E_FORMAT, "it is a CVE record of another version than 5");
	a->id = advisory_text(meta, "cveId");
	if (!a->id)
		return error_set(err, E_FORMAT, "it has no cveMetadata.cveId");
	if (state && !strcmp(state, "REJECTED"))
		return error_set(err, E_FORMAT, "it was rejected: there is no such vulnerability");
	a->publisher = "CVE";
	a->released = advisory_text(meta, "datePublished");
	a->version = advisory_text(meta, "dateUpdated"); /* times sort as texts */
	if (!a->version)
		a->version = a->released;
	return advisory_check_id(a->id, err);
}

int advisory_read_cve(struct advisory *a, struct error *err)
{
	const json_t *cna = json_object_get(json_object_get(a->json, "containers"), "cna"), *affected = json_object_get(cna, "affected");
	struct advisory_vuln *v;

	a->form = ADVISORY_CVE;
	if (take_head(a, err) < 0 || advisory_add_vuln(&v, a, err) < 0)
		return err->code;
	a->title = advisory_text(cna, "title");
	if (!a->title)
		a->title = advisory_text(json_array_get(json_object_get(cna, "descriptions"), 0), "value");
	v->name = a->id;
	take_metrics(v, json_object_get(cna, "metrics"));
	for (size_t i = 0; i < json_array_size(affected); i++)
		if (take_affected(a, json_array_get(affected, i), err) < 0)
			return err->code;
	if (!a->product_count)
		advisory_note(a, "it names no product");
	return 0;
}
