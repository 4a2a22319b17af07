/* cli/advisory.c -- one shape for what vendors say is vulnerable: what the forms have in common. */
#include "cli/advisory.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *advisory_form_name(enum advisory_form form)
{
	static const char *const names[] = { "csaf", "cve", "holdfast" };

	return names[form];
}

const char *advisory_score_word(double score)
{
	return score >= 9 ? "critical" : score >= 7 ? "high" : score >= 4 ? "medium" : score > 0 ? "low" : "none";
}

const char *advisory_text(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

int advisory_check_id(const char *id, struct error *err)
{
	size_t len = strlen(id);

	for (size_t i = 0; i < len && i <= ADVISORY_ID_MAX; i++)
		if (!isalnum((unsigned char)id[i]) && !strchr("-_.:+/ ()", id[i]))
			return error_set(err, E_FORMAT, "its id has a character that no id has");
	if (!len || len > ADVISORY_ID_MAX || id[0] == ' ' || id[len - 1] == ' ')
		return error_set(err, E_FORMAT, "its id is not 1 to %d characters, without blanks around them", ADVISORY_ID_MAX);
	return 0;
}

/* ---- growing ---- */

/* Grows by doubling: the array is full whenever its count is a power of two. */
static void *grown(void *array, size_t count, size_t size)
{
	if (count & (count - 1))
		return array;
	return mem_grow(array, (count ? 2 * count : 1) * size);
}

int advisory_add_product(struct advisory_product **out, struct advisory *a, struct error *err)
{
	if (a->product_count == ADVISORY_PRODUCTS_MAX)
		return error_set(err, E_LIMIT, "it names more than %d products", ADVISORY_PRODUCTS_MAX);
	a->products = grown(a->products, a->product_count, sizeof(*a->products));
	*out = &a->products[a->product_count++];
	**out = (struct advisory_product){ 0 };
	return 0;
}

int advisory_add_vuln(struct advisory_vuln **out, struct advisory *a, struct error *err)
{
	if (a->vuln_count == ADVISORY_VULNS_MAX)
		return error_set(err, E_LIMIT, "it names more than %d vulnerabilities", ADVISORY_VULNS_MAX);
	a->vulns = grown(a->vulns, a->vuln_count, sizeof(*a->vulns));
	*out = &a->vulns[a->vuln_count++];
	**out = (struct advisory_vuln){ 0 };
	return 0;
}

int advisory_add_item(struct advisory *a, struct advisory_vuln *v, enum advisory_status status, size_t product, struct error *err)
{
	struct advisory_items *items = &v->items[status];

	if (a->item_count++ == ADVISORY_ITEMS_MAX)
		return error_set(err, E_LIMIT, "it mentions products more than %d times", ADVISORY_ITEMS_MAX);
	items->product = grown(items->product, items->count, sizeof(*items->product));
	items->product[items->count++] = product;
	return 0;
}

void advisory_note(struct advisory *a, const char *fmt, ...)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	va_list ap;

	va_start(ap, fmt);
	buf_vaddf(&text, fmt, ap);
	va_end(ap);
	for (size_t i = 0; i < a->note_count && i < ADVISORY_NOTES_MAX; i++)
		if (!strcmp(a->notes[i], buf_text(&text)))
			return;
	if (a->note_count < ADVISORY_NOTES_MAX)
		a->notes[a->note_count] = mem_strdup(buf_text(&text));
	a->note_count++;
}

const char *advisory_made(struct advisory *a, const char *fmt, ...)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	json_t *string;
	va_list ap;

	va_start(ap, fmt);
	buf_vaddf(&text, fmt, ap);
	va_end(ap);
	if (!a->made)
		a->made = json_array();
	string = json_string(buf_text(&text));
	json_array_append_new(a->made, string);
	return string ? json_string_value(string) : "";
}

/* "L206-F2G1": letters and digits, one word, no version. */
static bool is_model(const char *text)
{
	struct version version;
	bool has_letter = false, has_digit = false;

	for (const char *c = text; *c; c++) {
		if (!isalnum((unsigned char)*c) && !strchr("-/+.", *c))
			return false;
		has_letter = has_letter || isalpha((unsigned char)*c);
		has_digit = has_digit || isdigit((unsigned char)*c);
	}
	return has_letter && has_digit && !version_parse(&version, text);
}

/* "4.24." is no version, but whatever it means it begins with 4.24: what stands elsewhere is certainly not meant. */
static bool mend_dot(struct advisory_product *p, const char *text)
{
	size_t len = strlen(text);
	char copy[64];

	if (len < 2 || len >= sizeof(copy) || text[len - 1] != '.' || !isdigit((unsigned char)text[len - 2]))
		return false;
	memcpy(copy, text, len - 1);
	copy[len - 1] = 0;
	range_parse_one(&p->range, copy);
	return !p->range.why;
}

void advisory_set_version(struct advisory *a, struct advisory_product *p, const char *text, bool is_range)
{
	p->version = text;
	if (!is_range && is_model(text)) {
		p->version = NULL;
		p->model = text;
		return;
	}
	if (!is_range && !strncmp(text, "vers:", 5)) {
		advisory_note(a, "'%.80s' is a range where one version belongs", text);
		is_range = true;
	}
	if (is_range)
		range_parse(&p->range, text);
	else
		range_parse_one(&p->range, text);
	if (!is_range && p->range.why && mend_dot(p, text)) {
		p->why = "its version ends in a dot: one release, or all that begin so?";
		p->is_cut = true;
		advisory_note(a, "version '%.80s' ends in a dot", text);
	} else if (p->range.why) {
		advisory_note(a, "'%.120s': %s", text, p->range.why);
	}
	p->is_listed = p->range.is_one;
}

/* ---- reading ---- */

static int read_form(struct advisory *a, struct error *err)
{
	if (json_object_get(a->json, "holdfast-advisory"))
		return advisory_read_hand(a, err);
	if (json_object_get(a->json, "dataType") || json_object_get(a->json, "cveMetadata"))
		return advisory_read_cve(a, err);
	if (json_object_get(a->json, "document"))
		return advisory_read_csaf(a, err);
	return error_set(err, E_FORMAT, "it is no CSAF document, no CVE record and no advisory in our own form");
}

static void put_defaults(struct advisory *a)
{
	const char **texts[] = { &a->publisher, &a->title, &a->version, &a->released, &a->published, &a->status, &a->severity };

	if (!a->published)
		a->published = a->released;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		if (!*texts[i])
			*texts[i] = "";
	for (size_t i = 0; i < a->vuln_count; i++)
		if (a->vulns[i].score > a->score)
			a->score = a->vulns[i].score;
	if (!*a->severity)
		a->severity = advisory_score_word(a->score);
}

int advisory_read(struct advisory **out, struct bytes document, struct error *err)
{
	_cleanup_(advisory_freep) struct advisory *a = mem_alloc(sizeof(*a));
	json_error_t why;
	struct bytes text = document;

	if (text.len >= 3 && !memcmp(text.ptr, "\xef\xbb\xbf", 3))
		text = bytes_from(text, 3); /* RFC 8259 section 8.1: a parser may ignore a byte order mark, which some tools write */
	if (document.len > ADVISORY_MAX)
		return error_set(err, E_LIMIT, "it has more than %d MiB", ADVISORY_MAX >> 20);
	a->json = json_loadb((const char *)text.ptr, text.len, JSON_REJECT_DUPLICATES, &why);
	if (!a->json)
		return error_set(err, E_FORMAT, "line %d: %s", why.line, why.text);
	if (!json_is_object(a->json))
		return error_set(err, E_FORMAT, "it is no JSON object");
	if (read_form(a, err) < 0)
		return err->code;
	put_defaults(a);
	*out = steal(a);
	return 0;
}

struct advisory *advisory_free(struct advisory *a)
{
	if (!a)
		return NULL;
	for (size_t i = 0; i < a->vuln_count; i++)
		for (size_t s = 0; s < ADVISORY_STATUSES; s++)
			free(a->vulns[i].items[s].product);
	for (size_t i = 0; i < a->note_count && i < ADVISORY_NOTES_MAX; i++)
		free(a->notes[i]);
	free(a->products);
	free(a->vulns);
	json_decref(a->ids);
	json_decref(a->groups);
	json_decref(a->json);
	json_decref(a->made);
	free(a);
	return NULL;
}

void advisory_freep(struct advisory **a)
{
	*a = advisory_free(*a);
}
