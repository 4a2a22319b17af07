/* cli/advisory-match.c -- is a device affected by an advisory?
 *
 * Two questions for each product that a vulnerability mentions: is this device that product, and is its version meant? Vendors write names
 * as they like, so a name is taken apart into words: words that name a model decide alone; else the system ("WeOS") or the family ("Lynx")
 * must be there, and a word that nobody can place leaves the answer open. */
#include "cli/advisory-match.h"

#include "cli/advisory-words.h"

#include <ctype.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { STARS_MAX = 4 };

/* What was decided of one product for one device. */
struct decided {
	bool is_done;
	bool by_model; /* its name decided by a model */
	enum answer name, version;
	const char *why; /* static */
};

struct advisory_match {
	const struct advisory *a;
	const struct advisory_facts *facts;
	bool has_vendor; /* some product is of this device's vendor */
	struct decided *decided;
	json_t *group_done; /* group id -> whether this device is in it */
};

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

/* ---- is this device that product? ---- */

static void decide(struct decided *d, enum answer name, const char *why)
{
	d->name = name;
	d->why = why;
}

/* Each one more multiplies what a match may cost. */
static size_t stars(const char *pattern)
{
	size_t n = 0;

	for (; *pattern; pattern++)
		n += *pattern == '*';
	return n;
}

/* Patterns of models or article numbers, with '*' and '?'. */
static enum answer in_patterns(const json_t *patterns, const char *fact)
{
	bool is_wild = false;

	if (!json_array_size(patterns))
		return ANSWER_UNKNOWN;
	for (size_t i = 0; i < json_array_size(patterns); i++) {
		const char *pattern = json_string_value(json_array_get(patterns, i));

		is_wild = is_wild || (pattern && (strlen(pattern) >= FACT_MAX || stars(pattern) > STARS_MAX));

		if (pattern && strlen(pattern) < FACT_MAX && *fact && stars(pattern) <= STARS_MAX &&
		    !fnmatch(pattern, fact, FNM_CASEFOLD | FNM_NOESCAPE))
			return ANSWER_YES;
	}
	return *fact && !is_wild ? ANSWER_NO : ANSWER_UNKNOWN;
}

/* Vendors who name models or article numbers mean exactly these. True when that decided it. */
static bool decide_by_numbers(struct decided *d, const struct advisory_product *p, const struct advisory_facts *f)
{
	bool has_models = json_array_size(p->models) > 0, has_articles = json_array_size(p->articles) > 0;
	enum answer model = in_patterns(p->models, f->model), article = in_patterns(p->articles, f->article);

	if (!has_models && !has_articles)
		return false;
	d->by_model = true;
	if (model == ANSWER_YES || article == ANSWER_YES)
		decide(d, ANSWER_YES, "its model is named");
	else if ((has_models && model == ANSWER_UNKNOWN) || (!has_models && article == ANSWER_UNKNOWN))
		decide(d, ANSWER_UNKNOWN,
		       *f->model || !has_models ? "whether its model or article number is meant is not known" : "its model is not known");
	else
		decide(d, ANSWER_NO, "other models are named");
	return true;
}

static void decide_by_model(struct decided *d, const struct words *words, const struct advisory_facts *f)
{
	enum answer is = ANSWER_NO;

	d->by_model = true;
	if (!*f->model) {
		decide(d, ANSWER_UNKNOWN, "its model is not known");
		return;
	}
	for (size_t i = 0; i < words->count; i++)
		if (words->word[i].kind == WORD_MODEL)
			is = answer_or(is, words_model_is(words->word[i].text, f->model));
	decide(d, is,
	       is == ANSWER_YES       ? "its model is named"
	       : is == ANSWER_UNKNOWN ? "a model of nearly the same name is named"
				      : "other models are named");
}

/* "WeOS 5" means one series of it. */
static enum answer in_series(const struct words *words, const struct advisory_facts *f)
{
	enum answer result = ANSWER_YES;

	for (size_t i = 0; i < words->count; i++) {
		struct version version, series;

		if (words->word[i].kind != WORD_NUMBER || !version_parse(&series, words->word[i].text))
			continue;
		if (!version_parse(&version, f->firmware))
			return ANSWER_UNKNOWN;
		series.is_series = true;
		result = answer_and(result, version_places(&version, &series, false) == VERSION_EQUAL ? ANSWER_YES : ANSWER_NO);
	}
	return result;
}

/* is_placed: whether it is known to name a family. */
static enum answer is_family(const char *word, const struct advisory_facts *f, bool *is_placed)
{
	bool is_ours = *f->family && !strcasecmp(word, f->family);

	*is_placed = is_ours || words_is_family(word);
	if (is_ours)
		return ANSWER_YES;
	return *is_placed && *f->family ? ANSWER_NO : ANSWER_UNKNOWN;
}

static void decide_by_words(struct decided *d, const struct words *words, const struct advisory_facts *f)
{
	/* FRRouting is made by FRRouting: what names the vendor names the system */
	bool has_system = words->has_vendor && *f->system && !strcasecmp(f->system, f->vendor), has_family = false, has_other = false, is_placed;
	enum answer family = ANSWER_NO, series = in_series(words, f);

	for (size_t i = 0; i < words->count; i++) {
		const char *word = words->word[i].text;

		if (words->word[i].kind != WORD_PLAIN)
			continue;
		if (*f->system && !strcasecmp(word, f->system)) {
			has_system = true;
			continue;
		}
		family = answer_or(family, is_family(word, f, &is_placed));
		has_family = has_family || is_placed;
		has_other = has_other || !is_placed;
	}
	if (has_family && family == ANSWER_NO)
		decide(d, ANSWER_NO, "another family is named");
	else if (has_other)
		decide(d, ANSWER_UNKNOWN, "whether that is this device, the name does not say");
	else if (has_family && family == ANSWER_UNKNOWN)
		decide(d, ANSWER_UNKNOWN, "its family is not known; give it the label family:NAME");
	else if (!has_system && !has_family)
		decide(d, ANSWER_UNKNOWN, "the product has no name");
	else
		decide(d, series,
		       series == ANSWER_NO    ? "another series is named"
		       : series == ANSWER_YES ? NULL
					      : "its firmware is not known");
}

static void decide_name(struct decided *d, const struct advisory_match *m, const struct advisory_product *p)
{
	const struct advisory_facts *f = m->facts;
	struct words words;

	if (!*f->vendor) {
		decide(d, ANSWER_UNKNOWN, "its vendor is not known; give it the label vendor:NAME");
		return;
	}
	if (p->vendor ? !words_vendor_is(p->vendor, f->vendor) : p->is_undefined && !m->has_vendor) {
		decide(d, ANSWER_NO, p->vendor ? "it is of another vendor" : "no product of its vendor is named");
		return;
	}
	if (decide_by_numbers(d, p, f))
		return;
	if (p->is_undefined) {
		decide(d, ANSWER_UNKNOWN, p->why);
		return;
	}
	words_take(&words, p, f->vendor);
	if (!p->vendor && !words.has_vendor) {
		decide(d, ANSWER_UNKNOWN, "no vendor is named");
		return;
	}
	if (words.has_model)
		decide_by_model(d, &words, f);
	else
		decide_by_words(d, &words, f);
}

/* ---- is its version meant? ---- */

static void decide_version(struct decided *d, const struct advisory_product *p, const struct advisory_facts *f)
{
	const char *fact = p->is_loader ? f->loader : f->firmware;
	struct version version;

	if (p->range.is_all || p->range.is_none || !p->version) {
		d->version = p->range.is_all ? ANSWER_YES : p->range.is_none ? ANSWER_NO : ANSWER_UNKNOWN;
		return;
	}
	if (!version_parse(&version, fact)) {
		d->version = ANSWER_UNKNOWN;
		d->why = d->why && d->name != ANSWER_YES ? d->why
			 : p->is_loader                  ? "its boot loader is not known"
			 : *fact                         ? "its firmware is no version that can be compared"
							 : "its firmware is not known";
		return;
	}
	d->version = range_has(&p->range, &version);
	if (p->why && !(p->is_cut && d->version == ANSWER_NO))
		d->version = ANSWER_UNKNOWN;
	if (d->version == ANSWER_UNKNOWN && d->name == ANSWER_YES)
		d->why = p->why ? p->why : p->range.why ? p->range.why : "its version lies where the range is not clear";
}

static const struct decided *decide_product(struct advisory_match *m, size_t index, unsigned depth);

static void decide_joined(struct decided *d, struct advisory_match *m, const struct advisory_product *p, unsigned depth)
{
	struct decided what, on;

	if (p->why) {
		decide(d, m->has_vendor || !*m->facts->vendor ? ANSWER_UNKNOWN : ANSWER_NO, p->why);
		d->version = ANSWER_UNKNOWN;
		return;
	}
	what = *decide_product(m, p->part[0], depth + 1);
	on = *decide_product(m, p->part[1], depth + 1);
	decide(d, answer_and(what.name, on.name), what.name < on.name ? what.why : on.why);
	d->by_model = true; /* what is on what is said: nothing else of the advisory narrows it */
	/* a model has no version of its own, and needs none */
	d->version = what.version;
	if (m->a->products[p->part[1]].version)
		d->version = answer_and(d->version, on.version);
	if (d->name == ANSWER_YES && d->version == ANSWER_UNKNOWN)
		d->why = what.version == ANSWER_UNKNOWN ? what.why : on.why;
}

static const struct decided *decide_product(struct advisory_match *m, size_t index, unsigned depth)
{
	static const struct decided circle = { .name = ANSWER_UNKNOWN,
					       .version = ANSWER_UNKNOWN,
					       .why = "its relationships go in a circle" };
	const struct advisory_product *p = &m->a->products[index];
	struct decided *d = &m->decided[index];

	if (d->is_done)
		return d;
	if (depth == ADVISORY_DEPTH_MAX)
		return &circle;
	if (p->is_joined) {
		struct decided made = { 0 };

		decide_joined(&made, m, p, depth);
		*d = made;
	} else {
		decide_name(d, m, p);
		decide_version(d, p, m->facts);
	}
	d->is_done = true; /* what is remembered keeps a circle of pairs from doubling with every step */
	return d;
}

/* ---- a list of mentions ---- */

struct verdict {
	enum answer is;
	const struct advisory_product *product; /* which mention decided it; NULL: none was there */
	const char *why;
	bool is_silent; /* the product is this device; only another version was looked at */
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
		d = decide_product(m, items->product[i], 0);
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
	decide_name(&other, &again, p);
	return other.name;
}

/* Of two that say the same, the one that is nearer to the device gives the reason: another vendor's product is no reason. */
static void take(struct verdict *v, enum answer is, const struct advisory_product *p, const char *why, bool is_near)
{
	if (v->product && (is < v->is || (is == v->is && !is_near)))
		return;
	*v = (struct verdict){ is, p, why, v->is_silent };
}

static void take_mention(struct verdict *v, struct advisory_match *m, size_t index, const struct models *models)
{
	const struct advisory_product *p = &m->a->products[index];
	const struct decided *d = decide_product(m, index, 0);
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
		has_range = has_range || (!p->is_listed && p->version && decide_product(m, items->product[i], 0)->name == ANSWER_YES);
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
	else
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

		if (!p->is_listed || decide_product(m, items->product[i], 0)->name != ANSWER_YES)
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
		const struct decided *d = decide_product(m, items->product[i], 0);

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
	const struct decided *d = place ? decide_product(m, (size_t)json_integer_value(place), 0) : NULL;

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
		bool is_other = *m->facts->vendor && !m->has_vendor && m->a->product_count;

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
