/* tests/unit/main.c -- runs what TEST() registered; with a pattern (* and ?) as argument, only the tests that it names. */
#include "tests/test.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct CMUnitTest tests[256];
static size_t test_count;
static char folders[256][64];
static size_t folder_count;

void test_register(const char *name, void (*fn)(void **))
{
	if (test_count == ARRAY_SIZE(tests))
		abort();
	tests[test_count++] = (struct CMUnitTest){ .name = name, .test_func = fn };
}

void must(int r, const struct error *err)
{
	if (r < 0)
		fail_msg("%s", err->text);
}

static int remove_one(const char *path, const struct stat *st _unused_, int kind _unused_, struct FTW *ftw _unused_)
{
	return remove(path);
}

static void remove_folders(void)
{
	for (size_t i = 0; i < folder_count; i++)
		nftw(folders[i], remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

const char *test_folder(void)
{
	const char *base = getenv("TMPDIR");

	if (folder_count == ARRAY_SIZE(folders))
		abort();
	if (!folder_count)
		atexit(remove_folders);
	snprintf(folders[folder_count], sizeof(folders[0]), "%s/holdfast-test-XXXXXX", base ? base : "/tmp");
	if (!mkdtemp(folders[folder_count]))
		abort();
	return folders[folder_count++];
}

int main(int argc, char **argv)
{
	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return _cmocka_run_group_tests("holdfast", tests, test_count, NULL, NULL);
}
