/* tests/test.h -- what a unit test file needs: TEST(promise) { CHECK_EQ(...); } and nothing else.
 *
 * A test is named after the promise it checks, its file after its module. cmocka runs them and counts. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/error.h"

void test_register(const char *name, void (*fn)(void **));

#define TEST(name)                                                          \
	static void name(void **state);                                     \
	__attribute__((constructor)) static void register_##name(void)      \
	{                                                                   \
		test_register(#name, name);                                 \
	}                                                                   \
	static void name(void **state __attribute__((unused)))

#define CHECK(claim) assert_true(claim)
#define CHECK_EQ(a, b) assert_int_equal(a, b)
#define CHECK_STR(a, b) assert_string_equal(a, b)
#define CHECK_BYTES(a, text)                                                                       \
	do {                                                                                       \
		struct bytes a_ = (a);                                                             \
		assert_int_equal(a_.len, strlen(text));                                            \
		assert_memory_equal(a_.ptr, text, a_.len);                                         \
	} while (0)
/* 0, or shows the error's text. */
#define CHECK_OK(call)                                                      \
	do {                                                                \
		if ((call) != 0)                                            \
			fail_msg("%s: %s", #call, err.text);                \
	} while (0)

/* For what makes a test's parts: not a failure, or the error's text is shown. */
void must(int r, const struct error *err);

/* A fresh folder below $TMPDIR, removed at exit of the test program. */
const char *test_folder(void);
