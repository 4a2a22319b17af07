/* cli/advisory-product.h -- is this device that product, and is its version meant? Internal to cli/advisory-*.c. Pure.
 *
 * Vendors write names as they like, so a name is taken apart into words: words that name a model decide alone; else the system ("WeOS") or
 * the family ("Lynx") must be there, and a word that nobody can place leaves the answer open. */
#pragma once

#include "cli/advisory-match.h"

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

/* Only whether it is this device, of a product that is not joined of others. */
void product_decide_name(struct decided *d, const struct advisory_match *m, const struct advisory_product *p);
/* Both, remembered in m: index is that of the product. What goes in a circle is unknown. */
const struct decided *product_decide(struct advisory_match *m, size_t index);
