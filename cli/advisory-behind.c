/* cli/advisory-behind.c -- looking behind a fix: is the version that repairs one thing affected by another? */
#include "cli/advisory-behind.h"

#include <stdlib.h>
#include <string.h>

struct question {
	struct advisory_facts facts; /* of the device as it would be */
	struct buf ids;
	size_t open;
};

struct behind {
	size_t count;
	struct question *list;
	json_t *places; /* hash of the facts -> place */
};

struct behind *behind_new(void)
{
	struct behind *b = mem_alloc(sizeof(*b));

	b->places = json_object();
	return b;
}

struct behind *behind_free(struct behind *b)
{
	if (!b)
		return NULL;
	for (size_t i = 0; i < b->count; i++)
		buf_done(&b->list[i].ids);
	free(b->list);
	json_decref(b->places);
	free(b);
	return NULL;
}

size_t behind_ask(struct behind *b, const struct advisory_facts *facts, const char *fix, bool is_loader)
{
	struct advisory_facts as = *facts;
	char hash[2 * HASH_LEN + 1];
	const json_t *place;
	char *version = is_loader ? as.loader : as.firmware;

	memset(version, 0, FACT_MAX); /* the hash is of all bytes */
	advisory_fact_put(version, fix);
	sha256_hex(hash, bytes_of(&as, sizeof(as)));
	place = json_object_get(b->places, hash);
	if (place)
		return (size_t)json_integer_value(place);
	if (b->count == BEHIND_MAX)
		return 0;
	if (!(b->count & (b->count - 1)))
		b->list = mem_grow(b->list, (b->count ? 2 * b->count : 1) * sizeof(*b->list));
	b->list[b->count++] = (struct question){ .facts = as };
	json_object_set_new(b->places, hash, json_integer((json_int_t)b->count));
	return b->count;
}

/* What somebody judged of all devices counts here as well. */
static bool is_judged_good(const struct judgements *j, const struct advisory_entry *e)
{
	bool ignored;
	const struct judgement *judged = judgements_for(j, e, "", &ignored);

	return judged && strcmp(statement_get(judged->st, "verdict"), "affected") != 0;
}

static void answer_one(struct question *q, const struct advisory *a, const struct advisory_entry *e)
{
	_cleanup_(advisory_match_freep) struct advisory_match *m = advisory_match_new(a, &q->facts);
	struct advisory_finding finding;

	advisory_match_all(&finding, m);
	q->open += finding.affected == ANSWER_UNKNOWN;
	if (finding.affected == ANSWER_YES)
		buf_addf(&q->ids, "%s%s", q->ids.len ? "\n" : "", e->id);
}

int behind_answer(struct behind *b, const struct advisory_store *s, const struct judgements *j, struct error *err)
{
	for (size_t i = 0; b->count && i < s->count; i++) {
		_cleanup_(advisory_freep) struct advisory *a = NULL;

		if (is_judged_good(j, &s->entries[i]))
			continue;
		if (advisory_store_read(&a, s, i, err) < 0)
			return err->code;
		judgements_refine(a, j, &s->entries[i]);
		for (size_t q = 0; q < b->count; q++)
			answer_one(&b->list[q], a, &s->entries[i]);
	}
	return 0;
}

const char *behind_ids(const struct behind *b, size_t question, size_t *open)
{
	*open = question ? b->list[question - 1].open : 0;
	return question && b->list[question - 1].ids.len ? buf_text(&b->list[question - 1].ids) : "";
}
