/* cli/advisory-words.c -- the name of a product taken apart. */
#include "cli/advisory-words.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

enum { MODEL_MIN = 3 }; /* characters in which two models must agree to be taken for nearly the same */

static bool is_in(const char *word, const char *const list[], size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!strcasecmp(word, list[i]))
			return true;
	return false;
}

bool words_is_family(const char *word)
{
	static const char *const families[] = { "Lynx", "RedFox", "Viper", "Falcon", "Wolverine" };

	return is_in(word, families, ARRAY_SIZE(families));
}

static bool says_nothing(const char *word)
{
	static const char *const nothing[] = { "firmware", "model",      "models",   "series",  "version",   "versions", "all", "device",
					       "devices",  "switch",     "router",   "and",     "the",       "of",       "for", "product",
					       "products", "industrial", "ethernet", "managed", "operating", "system",   "os",  "family" };

	return is_in(word, nothing, ARRAY_SIZE(nothing));
}

static bool is_separator(char c)
{
	return isspace((unsigned char)c) || strchr(",;:()[]/|\"'", c);
}

static size_t first_word(const char *text)
{
	size_t n = 0;

	while (text[n] && !is_separator(text[n]))
		n++;
	return n;
}

/* What everybody calls it, and no beginning of its name by chance. */
static bool is_short_for(const char *text, size_t len, const char *name)
{
	return len == 3 && !strncasecmp(text, "FRR", len) && !strcasecmp(name, "FRRouting");
}

bool words_vendor_is(const char *a, const char *b)
{
	size_t n = first_word(a), m = first_word(b);

	if (!strcasecmp(a, b) || is_short_for(a, strlen(a), b) || is_short_for(b, strlen(b), a))
		return true;
	/* of two longer names that begin alike nobody knows that they are one */
	return n && n == m && !strncasecmp(a, b, n) && (!a[n] || !b[m]);
}

enum answer words_model_is(const char *word, const char *model)
{
	enum answer is = ANSWER_NO;
	size_t n = strlen(word);

	while (*model) { /* "Lynx L210-F2G": the model may stand among other words */
		size_t len = first_word(model), both = len < n ? len : n;

		if (both >= MODEL_MIN && !strncasecmp(model, word, both))
			is = answer_or(is, len == n ? ANSWER_YES : ANSWER_UNKNOWN);
		model += len;
		while (*model && is_separator(*model))
			model++;
	}
	return is;
}

/* "5" of "WeOS 5" is a series, "5528" of "RedFox 5528" is none. */
static bool is_series(const char *word)
{
	return strlen(word) < 3 || strchr(word, '.');
}

static enum word_kind kind_of(const char *word)
{
	bool has_letter = false, has_digit = false;

	for (const char *c = word; *c; c++) {
		has_letter = has_letter || isalpha((unsigned char)*c);
		has_digit = has_digit || isdigit((unsigned char)*c);
	}
	if (has_letter && has_digit)
		return WORD_MODEL;
	return has_digit && is_series(word) ? WORD_NUMBER : WORD_PLAIN;
}

static void take_word(struct words *out, const char *text, size_t len, const char *vendor)
{
	size_t first = first_word(vendor);
	struct word *word = &out->word[out->count];
	struct version version;

	if (!len || len >= WORD_LEN_MAX || out->count == WORDS_MAX)
		return;
	if ((first && len == first && !strncasecmp(text, vendor, first)) || is_short_for(text, len, vendor)) {
		out->has_vendor = true;
		return;
	}
	memcpy(word->text, text, len);
	word->text[len] = 0;
	if (says_nothing(word->text))
		return;
	word->kind = kind_of(word->text);
	if (word->kind == WORD_MODEL && (word->text[0] == 'v' || word->text[0] == 'V') && version_parse(&version, word->text))
		word->kind = WORD_NUMBER;
	out->has_model = out->has_model || word->kind == WORD_MODEL;
	out->count++;
}

static void take_text(struct words *out, const char *text, const char *vendor)
{
	while (text && *text) {
		size_t len = first_word(text);

		take_word(out, text, len, vendor);
		text += len;
		while (*text && is_separator(*text))
			text++;
	}
}

void words_take(struct words *out, const struct advisory_product *p, const char *vendor)
{
	*out = (struct words){ 0 };
	take_text(out, p->family, vendor);
	take_text(out, p->name, vendor);
	take_text(out, p->model, vendor);
	if (!p->family && !p->name && !p->model)
		take_text(out, p->full, vendor);
}
