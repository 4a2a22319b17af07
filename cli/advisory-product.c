/* cli/advisory-product.c -- is this device that product, and is its version meant? */
#include "cli/advisory-product.h"

#include "cli/advisory-words.h"

#include <fnmatch.h>
#include <string.h>
#include <strings.h>

enum { STARS_MAX = 4 };

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
	bool has_system = words->has_vendor && *f->system && !strcasecmp(f->system, f->vendor), has_family = false, has_other = false,
	     is_placed;
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

void product_decide_name(struct decided *d, const struct advisory_match *m, const struct advisory_product *p)
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
		product_decide_name(d, m, p);
		decide_version(d, p, m->facts);
	}
	d->is_done = true; /* what is remembered keeps a circle of pairs from doubling with every step */
	return d;
}

const struct decided *product_decide(struct advisory_match *m, size_t index)
{
	return decide_product(m, index, 0);
}
