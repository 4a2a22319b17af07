/* cli/advisory.h -- what a vendor says is vulnerable: CSAF 2.0, CVE JSON 5 records and our own form become one shape.
 *
 * Real files are dirty, so reading is lenient where it can say so: what was not understood is counted and listed in notes, and makes the
 * answer for what it concerns unknown. What is no advisory at all is refused. Everything is bounded, cycles too. Pure.
 *
 * Strings are borrowed from the JSON, which the advisory owns. docs/reference/advisories.md says what of each form is read. */
#pragma once

#include "base/bytes.h"
#include "base/error.h"
#include "cli/advisory-version.h"

#include <jansson.h>

enum {
	ADVISORY_MAX = 16 << 20, /* bytes of one document */
	ADVISORY_DEPTH_MAX = 32, /* branches in branches, products of products */
	ADVISORY_PRODUCTS_MAX = 20000,
	ADVISORY_VULNS_MAX = 2000,
	ADVISORY_ITEMS_MAX = 200000, /* mentions of products in all vulnerabilities */
	ADVISORY_NOTES_MAX = 20,     /* that are kept; all are counted */
	ADVISORY_ID_MAX = 120,
	ADVISORY_FEATURES_MAX = 8,
};

enum advisory_form { ADVISORY_CSAF, ADVISORY_CVE, ADVISORY_HAND };
const char *advisory_form_name(enum advisory_form form);

struct advisory_product {
	const char *id, *vendor, *family, *name, *full; /* NULL where nothing is said */
	const char *version;                            /* as written; NULL: none is named */
	struct range range;                             /* if there is a version */
	const json_t *models, *articles;                /* arrays of patterns with '*' and '?', or NULL */
	const char *model;                              /* a model that stands where a version belongs */
	bool is_loader;                                 /* the version is that of the boot loader */
	bool is_listed;                                 /* one version was looked at: nothing is said of others */
	bool is_cut;                                    /* "4.24.": what does not begin so is certainly not meant */
	bool is_default;                                /* what holds unless something else is said */
	bool is_undefined;                              /* named, and nowhere explained */
	bool is_joined;                                 /* it is part[0] on part[1] */
	size_t part[2];
	const char *why; /* static: why nothing can be said of it; NULL when it can */
};

enum advisory_status {
	ADVISORY_AFFECTED,
	ADVISORY_NOT_AFFECTED,
	ADVISORY_FIXED,
	ADVISORY_OPEN /* under investigation */,
	ADVISORY_RECOMMENDED
};
enum { ADVISORY_STATUSES = ADVISORY_RECOMMENDED + 1 };

struct advisory_vuln {
	const char *name, *title; /* CVE id, or what else names it */
	double score;             /* highest CVSS base score; 0: none */
	struct advisory_items {
		size_t count;
		size_t *product;
	} items[ADVISORY_STATUSES];
	size_t feature_count;
	const char *feature[ADVISORY_FEATURES_MAX]; /* only where these are all in use */
	const json_t *remediations, *flags;         /* arrays as they are, or NULL */
};

struct advisory {
	enum advisory_form form;
	json_t *ids, *groups; /* of CSAF: product id -> place in products, group id -> product ids; or NULL */
	json_t *json, *made; /* made: texts of our own, which no key of the document is */
	const char *id, *publisher, *title, *version, *status, *severity; /* "" where nothing is said */
	const char *released, *published; /* when this version came, and when the first one did */
	size_t product_count, vuln_count, item_count;
	struct advisory_product *products;
	struct advisory_vuln *vulns;
	double score; /* the highest */
	size_t note_count;
	char *notes[ADVISORY_NOTES_MAX];
};

/* E_LIMIT past a bound, E_FORMAT for what is no advisory, with what is missing. */
int advisory_read(struct advisory **out, struct bytes document, struct error *err) _must_check_;
struct advisory *advisory_free(struct advisory *a);
void advisory_freep(struct advisory **a);

/* For list and show: the words of what may be done about one. */
const char *advisory_score_word(double score); /* "none", "low", ... as CVSS names them */

/* ---- for the readers of each form: cli/advisory-*.c ---- */

int advisory_read_csaf(struct advisory *a, struct error *err) _must_check_;
int advisory_read_cve(struct advisory *a, struct error *err) _must_check_;
int advisory_read_hand(struct advisory *a, struct error *err) _must_check_;

/* A string below an object, NULL when there is none or it is something else. */
const char *advisory_text(const json_t *object, const char *key);
/* An id that goes into statements and file names: 1 to ADVISORY_ID_MAX of A-Z a-z 0-9 and "-_.:+/ ()"; E_FORMAT. */
int advisory_check_id(const char *id, struct error *err) _must_check_;
int advisory_add_product(struct advisory_product **out, struct advisory *a, struct error *err) _must_check_;
int advisory_add_vuln(struct advisory_vuln **out, struct advisory *a, struct error *err) _must_check_;
int advisory_add_item(struct advisory *a, struct advisory_vuln *v, enum advisory_status status, size_t product,
		      struct error *err) _must_check_;
void advisory_note(struct advisory *a, const char *fmt, ...) _printf_(2, 3);
/* A text that lives as long as the advisory. */
const char *advisory_made(struct advisory *a, const char *fmt, ...) _printf_(2, 3);
/* The range of a product by what stands there; notes what cannot be used. */
void advisory_set_version(struct advisory *a, struct advisory_product *p, const char *text, bool is_range);
