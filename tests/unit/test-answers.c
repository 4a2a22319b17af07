/* tests/unit/test-answers.c -- who gets the same answer gets the same bytes, made once; nobody gets what was made for another key. */
#include "tests/test.h"

#include "server/answers.h"

#include <microhttpd.h>
#include <string.h>

enum { MANY = 1000 };

static struct MHD_Response *response(void)
{
	return MHD_create_response_from_buffer(2, (void *)(uintptr_t)"ok", MHD_RESPMEM_PERSISTENT);
}

/* Returns the response made for this key. */
static struct MHD_Response *make(struct answers *answers, const struct answer_key *key)
{
	struct answer *answer = answers_get(answers, key);
	struct MHD_Response *made = response();

	CHECK(!answer_response(answer));
	answers_keep(answers, answer, made, true);
	answer_put(answer);
	return made;
}

static const struct MHD_Response *find(struct answers *answers, const struct answer_key *key)
{
	struct answer *answer = answers_get(answers, key);
	const struct MHD_Response *found = answer_response(answer);

	answer_put(answer);
	return found;
}

TEST(the_same_question_gets_the_answer_that_was_made)
{
	struct answers *answers = answers_new();
	struct answer_key key = { .head = 1, .roots = 2, .root = 1, .window_s = 5 };
	const struct MHD_Response *made = make(answers, &key);

	CHECK(find(answers, &key) == made);
	CHECK(find(answers, &key) == made);
	answers_free(answers);
}

TEST(whatever_differs_is_another_question)
{
	struct answers *answers = answers_new();
	struct answer_key key = { .head = 1, .roots = 2, .root = 1, .seen = 9, .window_s = 5 };

	make(answers, &key);
	for (size_t i = 0; i < sizeof(key); i++) {
		struct answer_key other = key;

		((uint8_t *)&other)[i] ^= 1;
		CHECK(!find(answers, &other));
	}
	answers_free(answers);
}

TEST(an_answer_in_use_outlives_the_one_that_took_its_place)
{
	struct answers *answers = answers_new();
	struct answer_key before = { .head = 1 }, after = { .head = 2 };
	struct answer *held;

	make(answers, &before);
	held = answers_get(answers, &before);
	make(answers, &after);
	CHECK(!find(answers, &before));
	CHECK(answer_response(held) != NULL);
	CHECK_EQ(MHD_add_response_header(answer_response(held), "A", "b"), MHD_YES); /* it is still there */
	answer_put(held);
	answers_free(answers);
}

TEST(few_are_kept_however_many_are_made)
{
	struct answers *answers = answers_new();
	size_t kept = 0;

	for (uint64_t i = 0; i < MANY; i++)
		make(answers, &(struct answer_key){ .seen = i });
	for (uint64_t i = 0; i < MANY; i++)
		kept += find(answers, &(struct answer_key){ .seen = i }) != NULL;
	CHECK(kept > 0 && kept <= 64);
	answers_free(answers);
}
