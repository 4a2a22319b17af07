/* tests/fuzz/fuzz-growth.c -- how a log grew, and where a statement lies in it, as a server says: one text for one growth, and no end of it
 * is read past. */
#include "tests/fuzz/fuzz.h"

#include "crypto/checkpoint.h"

static void check_place(struct bytes in)
{
	_cleanup_(buf_done) struct buf again = { 0 };
	struct merkle_place place;
	struct error err = { 0 };
	size_t used = 0;

	if (place_parse(&place, in, &used, &err) < 0) {
		MUST(err.text[0]);
		return;
	}
	MUST(place_begins(in) && used <= in.len && place.len <= MERKLE_PROOF_MAX);
	(void)merkle_place_holds(&place, place.tree);
	place_text(&again, &place);
	MUST(bytes_equal(buf_bytes(&again), bytes_of(in.ptr, used)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(buf_done) struct buf again = { 0 };
	struct bytes in = bytes_of(data, size);
	struct merkle_growth growth;
	struct error err = { 0 };
	size_t used = 0;

	check_place(in);
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
