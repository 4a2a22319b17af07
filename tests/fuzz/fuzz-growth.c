/* tests/fuzz/fuzz-growth.c -- how a log grew, as a server says: one text for one growth, and no end of it is read past. */
#include "tests/fuzz/fuzz.h"

#include "crypto/checkpoint.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(buf_done) struct buf again = { 0 };
	struct bytes in = bytes_of(data, size);
	struct merkle_growth growth;
	struct error err = { 0 };
	size_t used = 0;

	if (growth_parse(&growth, in, &used, &err) < 0) {
		MUST(err.text[0]);
		return 0;
	}
	MUST(growth_begins(in) && used <= size && growth.len <= MERKLE_PROOF_MAX);
	(void)merkle_growth_holds(&growth);
	growth_text(&again, &growth);
	MUST(bytes_equal(buf_bytes(&again), bytes_of(data, used)));
	return 0;
}
