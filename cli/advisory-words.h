/* cli/advisory-words.h -- the name of a product taken apart: which words name a model, a number, something else. Pure. */
#pragma once

#include "cli/advisory.h"

enum word_kind { WORD_PLAIN, WORD_MODEL, WORD_NUMBER };
enum { WORDS_MAX = 24, WORD_LEN_MAX = 48 };

struct words {
	size_t count;
	bool has_model, has_vendor; /* the vendor's own name is left out */
	struct word {
		enum word_kind kind;
		char text[WORD_LEN_MAX];
	} word[WORDS_MAX];
};
/* Of the product's family, name and model, or of its full name where there are none. Words that say nothing ("firmware", "series") and
 * what stands for the version are left out. */
void words_take(struct words *out, const struct advisory_product *p, const char *vendor);

bool words_is_family(const char *word); /* of a family of devices that is known here */
/* "Westermo" and "Westermo Network Technologies AB" are one. */
bool words_vendor_is(const char *a, const char *b);
/* The same model; unknown when one is the beginning of the other: L210-F2G and L210-F2G-12VDC, L206-F2G and L206-F2G1. */
enum answer words_model_is(const char *word, const char *model);
