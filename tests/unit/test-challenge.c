/* tests/unit/test-challenge.c -- the challenge by which a device knows that an order to erase is meant for it now. */
#include "tests/test.h"

#include "agent/challenge.h"
#include "base/fs.h"

enum { NOW = 1800000000 };

TEST(a_challenge_holds_for_seven_days_over_restarts_and_until_it_is_used)
{
	_cleanup_(mem_freep) char *dir = mem_printf("%s/challenge", test_folder());
	struct challenge c = { 0 }, again;
	uint8_t first[HASH_LEN], other[HASH_LEN] = { 1 };
	struct error err = { 0 };

	CHECK_OK(crypto_start(&err));
	CHECK_OK(fs_mkdirs(dir, 0700, &err));
	CHECK(!challenge_now(&c, NOW));
	CHECK_OK(challenge_keep(&c, dir, NOW, &err));
	memcpy(first, challenge_now(&c, NOW), sizeof(first));
	CHECK_OK(challenge_keep(&c, dir, NOW + CHALLENGE_S - 1, &err));
	challenge_load(&again, dir);
	CHECK(!memcmp(challenge_now(&again, NOW + CHALLENGE_S - 1), first, sizeof(first)));
	CHECK(!challenge_now(&again, NOW + CHALLENGE_S));
	CHECK(!challenge_now(&again, NOW - 1));
	challenge_use(&c, dir, other);
	CHECK(challenge_now(&c, NOW));
	challenge_use(&c, dir, first);
	CHECK(!challenge_now(&c, NOW));
	challenge_load(&again, dir);
	CHECK(!challenge_now(&again, NOW));
	CHECK_OK(challenge_keep(&c, dir, NOW, &err));
	CHECK(memcmp(challenge_now(&c, NOW), first, sizeof(first)) != 0);
}

TEST(a_challenge_that_cannot_be_kept_is_not_in_force)
{
	struct challenge c = { 0 };
	struct error err = { 0 };

	CHECK_OK(crypto_start(&err));
	CHECK(challenge_keep(&c, "/nonexistent/folder", NOW, &err) < 0);
	CHECK(!challenge_now(&c, NOW));
}
