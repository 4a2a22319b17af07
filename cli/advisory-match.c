/* cli/advisory-match.c -- is a device affected by an advisory?
 *
 * Each product that a vulnerability mentions is decided for itself (cli/advisory-product.h); here the mentions become one answer with its
 * reason, and the release that mends it. */
#include "cli/advisory-product.h"

#include "cli/advisory-words.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- facts ---- */

void advisory_fact_put(char out[static FACT_MAX], const char *text)
{
	snprintf(out, FACT_MAX, "%s", text ? text : "");
}

void advisory_facts_of_driver(struct advisory_facts *facts, const char *driver)
{
	if (!strcmp(driver, "weos")) {
		advisory_fact_put(facts->vendor, "Westermo");
		advisory_fact_put(facts->system, "WeOS");
	} else if (!strcmp(driver, "frr")) {
		advisory_fact_put(facts->vendor, "FRRouting");
		advisory_fact_put(facts->system, "FRRouting");
	}
}

void advisory_facts_use(struct advisory_facts *facts, const char *feature, bool is_used)
{
	size_t i = 0;

	while (i < facts->use_count && strcmp(facts->uses[i].feature, feature) != 0)
		i++;
	if (i == FACT_USES_MAX)
		return;
	snprintf(facts->uses[i].feature, sizeof(facts->uses[i].feature), "%s", feature);
	facts->uses[i].is_used = is_used;
	if (i == facts->use_count)
		facts->use_count++;
}

enum answer advisory_facts_uses(const struct advisory_facts *facts, const char *feature)
{
	for (size_t i = 0; i < facts->use_count; i++)
		if (!strcasecmp(facts->uses[i].feature, feature))
			return facts->uses[i].is_used ? ANSWER_YES : ANSWER_NO;
	return ANSWER_UNKNOWN;
}

void advisory_facts_of_label(struct advisory_facts *facts, const char *label)
{
	const char *value = strchr(label, ':');
	size_t len = value ? (size_t)(value - label) : 0;
	char feature[64];

	if (!value)
		return;
	value++;
	if (len == 6 && !strncmp(label, "vendor", len))
		advisory_fact_put(facts->vendor, value);
	else if (len == 6 && !strncmp(label, "family", len))
		advisory_fact_put(facts->family, value);
	else if (len == 7 && !strncmp(label, "article", len))
		advisory_fact_put(facts->article, value);
	else if (len > 5 && len - 5 < sizeof(feature) && !strncmp(label, "uses-", 5) && (!strcmp(value, "yes") || !strcmp(value, "no"))) {
		snprintf(feature, sizeof(feature), "%.*s", (int)(len - 5), label + 5);
		advisory_facts_use(facts, feature, *value == 'y');
	}
}

/* ---- a list of mentions ---- */

struct verdict {
	enum answer is;
	const struct advisory_product *product; /* which mention decided it; NULL: none was there */
	const char *why;
	bool is_silent; /* the product is this device; only another version was looked at */
	bool is_near;   /* some product that is mentioned is this device, or may be */
};

static bool is_model_only(const struct advisory_product *p)
{
	return !p->version && !p->is_joined && !p->is_default && !p->range.is_all;
}

/* Models that are listed beside a version without being joined to it: which of them does the version concern? */
struct models {
	bool are_there;
	enum answer is;
	char family[FACT_MAX]; /* what a model's own entry calls it: "Lynx Model", L206-F2G1 */
};

static void learn_family(struct models *models, const struct advisory_product *p, const struct advisory_facts *f)
{
	struct words words;

	words_take(&words, p, f->vendor);
	for (size_t i = 0; i < words.count && !*models->family; i++)
		if (words.word[i].kind == WORD_PLAIN && words_is_family(words.word[i].text))
			advisory_fact_put(models->family, words.word[i].text);
}

static void find_models(struct models *out, struct advisory_match *m, const struct advisory_items *items)
{
	*out = (struct models){ .is = ANSWER_NO };
	for (size_t i = 0; i < items->count; i++) {
		const struct advisory_product *p = &m->a->products[items->product[i]];
		const struct decided *d;

		if (!is_model_only(p) || !p->model)
			continue;
		d = product_decide(m, items->product[i]);
		out->are_there = true;
		out->is = answer_or(out->is, d->name);
		if (d->name == ANSWER_YES)
			learn_family(out, p, m->facts);
	}
}

/* A family that only the model's own entry tells. */
static enum answer name_with_family(const struct decided *d, const struct advisory_match *m, const struct advisory_product *p,
				    const struct models *models)
{
	struct advisory_facts facts = *m->facts;
	struct advisory_match again = { .a = m->a, .facts = &facts, .has_vendor = m->has_vendor };
	struct decided other = { 0 };

	if (d->name != ANSWER_UNKNOWN || p->is_joined || !*models->family || *facts.family)
		return d->name;
	advisory_fact_put(facts.family, models->family);
	product_decide_name(&other, &again, p);
	return other.name;
}

/* Of two that say the same, the one that is nearer to the device gives the reason: another vendor's product is no reason. */
static void take(struct verdict *v, enum answer is, const struct advisory_product *p, const char *why, bool is_near)
{
	if (v->product && (is < v->is || (is == v->is && !is_near)))
		return;
	*v = (struct verdict){ is, p, why, v->is_silent, v->is_near };
}

static void take_mention(struct verdict *v, struct advisory_match *m, size_t index, const struct models *models)
{
	const struct advisory_product *p = &m->a->products[index];
	const struct decided *d = product_decide(m, index);
	enum answer name = name_with_family(d, m, p, models), is;
	const char *why = d->why;

	if (p->model && is_model_only(p) && models->are_there)
		return; /* counted as a model, where a version is listed; else below */
	is = answer_and(name, d->version);
	if (name != d->name)
		why = p->why ? p->why : p->range.why ? p->range.why : "its version lies where the range is not clear";
	if (is == ANSWER_NO && name != ANSWER_NO)
		why = NULL; /* its version is outside, whoever it is */
	if (models->are_there && !d->by_model && is != ANSWER_NO && models->is != ANSWER_YES) {
		is = ANSWER_UNKNOWN;
		why = models->is == ANSWER_UNKNOWN ? "whether its model is one of those that are listed is not known"
						   : "its model is not among those that are listed beside the version";
	}
	v->is_near = v->is_near || name != ANSWER_NO;
	if (is == ANSWER_NO && name != ANSWER_NO && p->is_listed)
		v->is_silent = true;
	if (is == ANSWER_UNKNOWN && name == ANSWER_YES && !p->version && !p->range.is_all && !p->is_joined)
		why = "no version of it is named";
	take(v, is, p, why, name != ANSWER_NO);
}

static void judge_items(struct verdict *v, struct advisory_match *m, const struct advisory_items *items, bool defaults)
{
	struct models models;
	bool has_versions = false, has_range = false;

	*v = (struct verdict){ .is = ANSWER_NO };
	find_models(&models, m, items);
	for (size_t i = 0; i < items->count; i++)
		has_versions = has_versions || !is_model_only(&m->a->products[items->product[i]]);
	models.are_there = models.are_there && has_versions;
	for (size_t i = 0; i < items->count; i++) {
		const struct advisory_product *p = &m->a->products[items->product[i]];

		if (p->is_default != defaults)
			continue;
		take_mention(v, m, items->product[i], &models);
		has_range = has_range || (!p->is_listed && p->version && product_decide(m, items->product[i])->name == ANSWER_YES);
	}
	v->is_silent = v->is_silent && !has_range;
}

/* ---- one vulnerability ---- */

static const char *name_of(const struct advisory_product *p)
{
	return p->full ? p->full : p->name ? p->name : p->id ? p->id : "a product";
}

static void say(struct advisory_finding *out, enum answer affected, const char *fmt, ...) _printf_(3, 4);
static void say(struct advisory_finding *out, enum answer affected, const char *fmt, ...)
{
	va_list ap;

	out->affected = affected;
	va_start(ap, fmt);
	vsnprintf(out->reason, sizeof(out->reason), fmt, ap);
	va_end(ap);
}

static const char *version_of(const struct advisory_match *m, const struct advisory_product *p)
{
	const char *fact = p->is_loader ? m->facts->loader : m->facts->firmware;

	return *fact ? fact : "an unknown version";
}

/* What stands on something else has its version from there. */
static const char *range_of(const struct advisory_match *m, const struct advisory_product *p)
{
	if (p->is_joined && !p->why)
		p = &m->a->products[p->part[0]];
	return p->version ? p->version : p->range.is_all ? "all versions" : "no version";
}

static void say_good(struct advisory_finding *out, const struct advisory_match *m, const struct verdict *v, const char *how)
{
	say(out, ANSWER_NO, "%.60s is listed as %s ('%.100s', '%.80s')", version_of(m, v->product), how, name_of(v->product),
	    range_of(m, v->product));
}

static void say_outside(struct advisory_finding *out, const struct advisory_match *m, const struct verdict *affected)
{
	const struct advisory_product *p = affected->product;

	if (!p)
		say(out, ANSWER_NO, "no product is listed as affected");
	else if (affected->why)
		say(out, ANSWER_NO, "'%.100s' is affected, and that is not this device: %s", name_of(p), affected->why);
	else
		say(out, ANSWER_NO, "%.60s is outside of what is affected ('%.100s', '%.80s')", version_of(m, p), name_of(p),
		    range_of(m, p));
}

static void say_open(struct advisory_finding *out, const struct advisory_match *m, const struct verdict *v, const char *what)
{
	const struct advisory_product *p = v->product;

	say(out, ANSWER_UNKNOWN, "'%.100s' (%.80s) is listed as %s, the device has %.60s: %s", name_of(p), range_of(m, p), what,
	    version_of(m, p), v->why ? v->why : "it cannot be decided");
}

static void judge_defaults(struct advisory_finding *out, struct advisory_match *m, const struct advisory_vuln *v,
			   const struct verdict *listed)
{
	struct verdict affected, open;

	judge_items(&affected, m, &v->items[ADVISORY_AFFECTED], true);
	judge_items(&open, m, &v->items[ADVISORY_OPEN], true);
	if (affected.is == ANSWER_YES)
		say(out, ANSWER_YES, "'%.100s' is affected unless something else is said", name_of(affected.product));
	else if (affected.is == ANSWER_UNKNOWN)
		say_open(out, m, &affected, "affected unless something else is said");
	else if (open.is != ANSWER_NO)
		say(out, ANSWER_UNKNOWN, "nothing is said of version %.60s of '%.100s'", version_of(m, open.product),
		    name_of(open.product));
	else
		say_outside(out, m, listed);
}

static bool is_of_others(const struct advisory_match *m)
{
	return *m->facts->vendor && !m->has_vendor && m->a->product_count;
}

/* Some say what is fixed and nothing else, some, as CVE records whose product is "n/a", name nothing at all: who is affected, they leave
 * open. */
static bool judge_silence(struct advisory_finding *out, const struct advisory_match *m, const struct advisory_vuln *v,
			  const struct verdict *good, const struct verdict *fixed)
{
	const struct verdict *said = fixed->is_near ? fixed : good;
	size_t count = 0;

	for (size_t i = 0; i < ADVISORY_RECOMMENDED; i++)
		count += v->items[i].count;
	if (!count && is_of_others(m))
		say(out, ANSWER_NO, "no product of its vendor is named");
	else if (!count)
		say(out, ANSWER_UNKNOWN, "it does not say which product it concerns");
	else if (!v->items[ADVISORY_AFFECTED].count && said->is_near && m->a->form != ADVISORY_CVE)
		say(out, ANSWER_UNKNOWN, "only what is %s is listed ('%.100s', '%.80s'): nothing is said of %.60s",
		    said == fixed ? "fixed" : "not affected", name_of(said->product), range_of(m, said->product),
		    version_of(m, said->product));
	else
		return false;
	return true;
}

static void judge_versions(struct advisory_finding *out, struct advisory_match *m, const struct advisory_vuln *v)
{
	struct verdict affected, good, fixed, open;

	judge_items(&affected, m, &v->items[ADVISORY_AFFECTED], false);
	judge_items(&good, m, &v->items[ADVISORY_NOT_AFFECTED], false);
	judge_items(&fixed, m, &v->items[ADVISORY_FIXED], false);
	judge_items(&open, m, &v->items[ADVISORY_OPEN], false);
	if (affected.is == ANSWER_YES && (good.is == ANSWER_YES || fixed.is == ANSWER_YES))
		say(out, ANSWER_UNKNOWN, "%.60s is listed as affected and as %s", version_of(m, affected.product),
		    good.is == ANSWER_YES ? "not affected" : "fixed");
	else if (affected.is == ANSWER_YES)
		say(out, ANSWER_YES, "%.60s is affected ('%.100s', '%.80s')", version_of(m, affected.product), name_of(affected.product),
		    range_of(m, affected.product));
	else if (good.is == ANSWER_YES)
		say_good(out, m, &good, "not affected");
	else if (fixed.is == ANSWER_YES)
		say_good(out, m, &fixed, "fixed");
	else if (affected.is == ANSWER_UNKNOWN)
		say_open(out, m, &affected, "affected");
	else if (open.is != ANSWER_NO)
		say_open(out, m, &open, "under investigation");
	else if (affected.is_silent)
		say(out, ANSWER_UNKNOWN, "only '%.80s' of '%.100s' is listed as affected: nothing is said of %.60s",
		    range_of(m, affected.product), name_of(affected.product), version_of(m, affected.product));
	else if (!judge_silence(out, m, v, &good, &fixed))
		judge_defaults(out, m, v, &affected);
}

/* It concerns only devices that use all of these. */
static void judge_features(struct advisory_finding *out, const struct advisory_match *m, const struct advisory_vuln *v)
{
	char before[ADVISORY_REASON_MAX];

	for (size_t i = 0; i < v->feature_count && out->affected != ANSWER_NO; i++) {
		enum answer uses = advisory_facts_uses(m->facts, v->feature[i]);

		snprintf(before, sizeof(before), "%s", out->reason);
		if (uses == ANSWER_NO)
			say(out, ANSWER_NO, "it takes '%.60s', which the device does not use", v->feature[i]);
		else if (uses == ANSWER_UNKNOWN)
			say(out, ANSWER_UNKNOWN, "%.250s; it takes '%.60s', and whether the device uses that is not known", before,
			    v->feature[i]);
	}
}

/* One release that is said to be good. The nearest above the device's own is the one: of its series first, since another series may be
 * another product. */
struct fix {
	const struct advisory_product *product;
	struct version version;
	bool is_version, is_above, is_series;
};

static struct fix fix_of(const struct advisory_match *m, const struct advisory_product *p)
{
	struct fix f = { .product = p };
	struct version own;

	f.is_version = version_parse(&f.version, p->version);
	if (!f.is_version || !version_parse(&own, p->is_loader ? m->facts->loader : m->facts->firmware))
		return f;
	f.is_above = version_places(&f.version, &own, true) == VERSION_ABOVE;
	f.is_series = f.version.number[0] == own.number[0];
	return f;
}

static bool is_better(const struct fix *a, const struct fix *b)
{
	if (!b->product)
		return true;
	if (a->is_above != b->is_above)
		return a->is_above;
	if (a->is_series != b->is_series)
		return a->is_series;
	return a->is_above && version_places(&a->version, &b->version, true) == VERSION_BELOW;
}

static bool find_listed_fix(struct advisory_finding *out, struct advisory_match *m, const struct advisory_items *items)
{
	struct fix best = { 0 };

	for (size_t i = 0; i < items->count; i++) {
		const struct advisory_product *p = &m->a->products[items->product[i]];
		struct fix f;

		if (!p->is_listed || p->why || product_decide(m, items->product[i])->name != ANSWER_YES)
			continue;
		f = fix_of(m, p);
		if (is_better(&f, &best))
			best = f;
	}
	if (!best.product)
		return false;
	snprintf(out->fix, sizeof(out->fix), "%s", best.product->version);
	out->fix_is_loader = best.product->is_loader;
	return true;
}

/* The end of what is affected, if one release is that. */
static void find_end(struct advisory_finding *out, struct advisory_match *m, const struct advisory_items *items)
{
	for (size_t i = 0; i < items->count; i++) {
		const struct advisory_product *p = &m->a->products[items->product[i]];
		const struct range *r = &p->range;
		const struct range_part *last = r->count ? &r->part[r->count - 1] : NULL;
		const struct decided *d = product_decide(m, items->product[i]);

		if (!last || last->places != VERSION_BELOW || answer_and(d->name, d->version) == ANSWER_NO)
			continue;
		for (unsigned k = 0, used = 0; k < last->bound.count; k++)
			used += (unsigned)snprintf(out->fix + used, sizeof(out->fix) - used, "%s%u", k ? "." : "", last->bound.number[k]);
		snprintf(out->fix + strlen(out->fix), sizeof(out->fix) - strlen(out->fix), "%s", last->bound.suffix);
		out->fix_is_loader = p->is_loader;
		return;
	}
}

static void put_fix(struct advisory_finding *out, struct advisory_match *m, const struct advisory_vuln *v)
{
	if (!find_listed_fix(out, m, &v->items[ADVISORY_FIXED]) && !find_listed_fix(out, m, &v->items[ADVISORY_RECOMMENDED]))
		find_end(out, m, &v->items[ADVISORY_AFFECTED]);
}

/* ---- what may be done ---- */

static bool is_this_device(struct advisory_match *m, const char *id)
{
	const json_t *place = id ? json_object_get(m->a->ids, id) : NULL;
	const struct decided *d = place ? product_decide(m, (size_t)json_integer_value(place)) : NULL;

	return id && (!d || answer_and(d->name, d->version) != ANSWER_NO);
}

static bool has_device(struct advisory_match *m, const json_t *ids)
{
	for (size_t i = 0; i < json_array_size(ids); i++)
		if (is_this_device(m, json_string_value(json_array_get(ids, i))))
			return true;
	return false;
}

/* A group that nobody explains may be of this device. Each is looked at once, however often it is named. */
static bool group_has_device(struct advisory_match *m, const char *id)
{
	const json_t *known = json_object_get(m->group_done, id), *ids = json_object_get(m->a->groups, id);

	if (!known) {
		if (!m->group_done)
			m->group_done = json_object();
		json_object_set_new(m->group_done, id, json_boolean(!ids || has_device(m, ids)));
		known = json_object_get(m->group_done, id);
	}
	return json_is_true(known);
}

bool advisory_match_concerns(struct advisory_match *m, const json_t *item)
{
	const json_t *ids = json_object_get(item, "product_ids"), *groups = json_object_get(item, "group_ids");

	if (has_device(m, ids))
		return true;
	for (size_t i = 0; i < json_array_size(groups); i++)
		if (json_is_string(json_array_get(groups, i)) && group_has_device(m, json_string_value(json_array_get(groups, i))))
			return true;
	return !json_array_size(ids) && !json_array_size(groups);
}

/* ---- the device ---- */

struct advisory_match *advisory_match_new(const struct advisory *a, const struct advisory_facts *facts)
{
	struct advisory_match *m = mem_alloc(sizeof(*m));

	m->a = a;
	m->facts = facts;
	m->decided = mem_alloc((a->product_count + 1) * sizeof(*m->decided));
	for (size_t i = 0; i < a->product_count && *facts->vendor && !m->has_vendor; i++)
		m->has_vendor = a->products[i].vendor && words_vendor_is(a->products[i].vendor, facts->vendor);
	return m;
}

void advisory_match_freep(struct advisory_match **m)
{
	if (*m) {
		free((*m)->decided);
		json_decref((*m)->group_done);
	}
	free(*m);
	*m = NULL;
}

void advisory_match_vuln(struct advisory_finding *out, struct advisory_match *m, size_t vuln)
{
	const struct advisory_vuln *v = &m->a->vulns[vuln];

	*out = (struct advisory_finding){ 0 };
	judge_versions(out, m, v);
	judge_features(out, m, v);
	if (out->affected != ANSWER_NO)
		put_fix(out, m, v);
}

void advisory_match_all(struct advisory_finding *out, struct advisory_match *m)
{
	*out = (struct advisory_finding){ 0 };
	if (!m->a->vuln_count) {
		bool is_other = is_of_others(m);

		say(out, is_other ? ANSWER_NO : ANSWER_UNKNOWN, "%s",
		    is_other ? "no product of its vendor is named" : "it lists no vulnerability");
		return;
	}
	for (size_t i = 0; i < m->a->vuln_count && out->affected != ANSWER_YES; i++) {
		struct advisory_finding one;

		advisory_match_vuln(&one, m, i);
		if (!i || one.affected > out->affected)
			*out = one;
	}
}

const char *advisory_answer_name(enum answer affected)
{
	static const char *const names[] = { [ANSWER_NO] = "not-affected", [ANSWER_UNKNOWN] = "unknown", [ANSWER_YES] = "affected" };

	return names[affected];
}
