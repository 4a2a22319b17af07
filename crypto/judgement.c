/* crypto/judgement.c -- what a person decided about an advisory. */
#include "crypto/judgement.h"

#include <string.h>

bool judgement_word_is_known(const char *word)
{
	static const char *const words[] = { "affected", "not-affected", "mitigated", "accepted", "requires" };

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (!strcmp(word, words[i]))
			return true;
	return false;
}

int judgement_verify(const struct statement *st, const struct root *root, struct error *err)
{
	const char *verdict = statement_get(st, "verdict");

	if (!judgement_word_is_known(verdict))
		return error_set(err, E_FORMAT, "its verdict '%.60s' is none", verdict);
	if (!strcmp(verdict, "requires") != (statement_get(st, "feature") != NULL) ||
	    (statement_get(st, "feature") && statement_count(st, "device")))
		return error_set(err, E_FORMAT, "'requires' names a feature and no devices, and nothing else names a feature");
	return root_verify(root, st, err);
}

void judgement_advisory_id(char out[static ID_LEN + 1], const char *advisory)
{
	_cleanup_(mem_freep) char *small = mem_strdup(advisory);
	uint8_t hash[HASH_LEN];

	for (char *c = small; *c; c++)
		if (*c >= 'A' && *c <= 'Z')
			*c = (char)(*c + 32);
	sha256(hash, bytes_str(small));
	id_of_hash(out, hash);
}
