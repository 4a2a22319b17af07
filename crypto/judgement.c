/* crypto/judgement.c -- what a person decided about an advisory. */
#include "crypto/judgement.h"

#include "crypto/seal.h"

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

int judgement_pack_text(struct buf *out, struct bytes document, struct error *err)
{
	size_t begin = out->len;

	if (document.len > JUDGEMENT_DOCUMENT_MAX)
		return error_set(err, E_LIMIT, "the advisory has more than %d MiB", JUDGEMENT_DOCUMENT_MAX >> 20);
	if (seal_pack(out, document, err) < 0)
		return err->code;
	if (out->len - begin > JUDGEMENT_TEXT_MAX) {
		buf_truncate(out, begin);
		return error_set(err, E_LIMIT, "the advisory has more than %d MiB when it is compressed", JUDGEMENT_TEXT_MAX >> 20);
	}
	return 0;
}

int judgement_open_text(struct buf *out, const struct statement *st, struct bytes text, struct error *err)
{
	uint8_t said[HASH_LEN] = { 0 }, is[HASH_LEN];
	size_t begin = out->len;
	int r = seal_unpack(out, text, JUDGEMENT_DOCUMENT_MAX, err);

	if (r < 0)
		return r;
	sha256(is, bytes_from(buf_bytes(out), begin));
	if (statement_get_hash(said, st, "document") && !memcmp(said, is, HASH_LEN))
		return 0;
	buf_truncate(out, begin);
	return error_set(err, E_SEAL, "its text is not the document that was judged");
}

int judgement_check_text(const struct container *c, struct error *err)
{
	_cleanup_(buf_done) struct buf document = { 0 };
	struct bytes text = container_seal(c, "text");

	if (!statement_get(c->st, "text"))
		return 0;
	if (!text.ptr)
		return error_set(err, E_FORMAT, "it names a text and does not bring it");
	return judgement_open_text(&document, c->st, text, err);
}
