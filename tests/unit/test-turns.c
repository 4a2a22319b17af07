/* tests/unit/test-turns.c -- a thread that stands back, and one that comes first, are the only ones that change. */
#include "tests/test.h"

#include "repo/turns.h"

#include <pthread.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

/* sched_setattr(2): the C library has none, and the kernel's header does not go together with pthread.h. */
struct attr {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
};

static struct attr mine(void)
{
	struct attr attr = { .size = sizeof(attr) };

	CHECK_EQ(syscall(SYS_sched_getattr, 0, &attr, sizeof(attr), 0), 0);
	return attr;
}

static void in_a_thread(void *(*fn)(void *), struct attr *out)
{
	pthread_t thread;

	CHECK_EQ(pthread_create(&thread, NULL, fn, out), 0);
	CHECK_EQ(pthread_join(thread, NULL), 0);
}

static void *back(void *out)
{
	stand_back(BACK_BEHIND_ANSWERS);
	*(struct attr *)out = mine();
	return NULL;
}

static void *first(void *out)
{
	come_first();
	*(struct attr *)out = mine();
	return NULL;
}

TEST(who_stands_back_does_so_alone)
{
	struct attr before = mine(), there, after;

	in_a_thread(back, &there);
	after = mine();
	CHECK_EQ(there.nice, BACK_BEHIND_ANSWERS);
	CHECK_EQ(after.nice, before.nice);
}

/* Kernels before 6.12 say 0 of every slice: there the wish is granted to nobody, and nothing else may change either. */
TEST(who_comes_first_has_a_shorter_slice_and_no_other_privilege)
{
	struct attr before = mine(), there, after;

	in_a_thread(first, &there);
	after = mine();
	CHECK_EQ(there.policy, before.policy);
	CHECK_EQ(there.nice, before.nice);
	CHECK(!before.runtime || there.runtime < before.runtime);
	CHECK_EQ(after.runtime, before.runtime);
}
