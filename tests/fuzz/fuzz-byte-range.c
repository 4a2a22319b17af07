/* tests/fuzz/fuzz-byte-range.c -- the headers Range and Content-Range: what they are read as lies within the file. */
#include "tests/fuzz/fuzz.h"

#include "server/byte-range.h"

enum { FILE_SIZE = 1000 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(mem_freep) char *text = mem_strndup(size ? (const char *)data : "", size);
	uint64_t from, len;

	if (byte_range_of(&from, &len, text, FILE_SIZE) != RANGE_BEYOND)
		MUST(len && from < FILE_SIZE && len <= FILE_SIZE - from);
	if (byte_range_of_body(&from, &len, text, FILE_SIZE))
		MUST(from < len && len - from == FILE_SIZE);
	return 0;
}
