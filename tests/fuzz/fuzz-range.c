/* tests/fuzz/fuzz-range.c -- "RANGE\nVERSION": whatever stands there is answered, and a wider reading never answers the other way round. */
#include "tests/fuzz/fuzz.h"

#include "cli/advisory-version.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(mem_freep) char *text = mem_strndup(size ? (const char *)data : "", size);
	struct range range, exact;
	struct version version;
	char *line = strchr(text, '\n');

	if (line)
		*line++ = 0;
	range_parse(&range, text);
	MUST(!range.why || !range.count);
	MUST(range.why || range.count || range.is_all || range.is_none);
	if (!line || !version_parse(&version, line))
		return 0;
	exact = range;
	exact.is_exact = true;
	if (range_has(&range, &version) == ANSWER_YES)
		MUST(range.is_exact || range_has(&exact, &version) != ANSWER_NO);
	if (range_has(&range, &version) == ANSWER_NO)
		MUST(range_has(&exact, &version) == ANSWER_NO);
	return 0;
}
