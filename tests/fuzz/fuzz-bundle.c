/* tests/fuzz/fuzz-bundle.c -- the file that proves a retirement, as a stranger hands it over.
 *
 * The input is read as it is; and once more with first lines that fit it, so that mutated parts reach the judgement behind the sum. What is
 * taken is written again as it was. */
#include "tests/fuzz/fuzz.h"

#include "cli/bundle.h"

#include <string.h>

unsigned fuzz_cost = 4;

static void check(struct bytes in)
{
	_cleanup_(bundle_done) struct bundle b = { 0 };
	_cleanup_(buf_done) struct buf again = { 0 };
	static struct bundle_proof proof;
	struct bundle_trust trust = { 0 };
	struct error err = { 0 };

	if (bundle_parse(&b, in, &err) < 0) {
		MUST(err.text[0] && !b.count);
		return;
	}
	MUST(b.count >= 1 && b.count <= BUNDLE_PARTS_MAX && id_is_valid(bytes_str(b.fleet)) && id_is_valid(bytes_str(b.device)));
	bundle_text(&again, &b);
	MUST(bytes_equal(buf_bytes(&again), in));
	if (bundle_verify(&proof, &b, &trust, &err) < 0) {
		MUST(err.text[0]);
		return;
	}
	MUST(proof.root_count && proof.retirement.state == RETIREMENT_CERTIFIED && !strcmp(root_fleet(proof.roots[0]), b.fleet));
	MUST(proof.retirement.is_wiped != proof.retirement.is_lost);
	bundle_proof_done(&proof);
}

/* The first lines made anew: ids of the input if it has them, as many parts as it has statements. */
static void check_with_true_sum(struct bytes in)
{
	static const char sum_key[] = "\nsum: ", statement[] = "holdfast-statement/1 ", parts_key[] = "\nparts: ";
	const uint8_t *at = memmem(in.ptr, in.len, sum_key, sizeof(sum_key) - 1),
		      *parts = memmem(in.ptr, in.len, parts_key, sizeof(parts_key) - 1);
	size_t begin = at ? (size_t)(at - in.ptr) + sizeof(sum_key) + 2 * HASH_LEN : 0, count = 0;
	_cleanup_(buf_done) struct buf whole = { 0 };
	char sum[2 * HASH_LEN + 1];
	struct bytes rest;

	if (!at || !parts || parts > at || begin > in.len)
		return;
	rest = bytes_from(in, begin);
	for (const uint8_t *p = rest.ptr; (p = memmem(p, rest.len - (size_t)(p - rest.ptr), statement, sizeof(statement) - 1)); p++)
		count++;
	sha256_hex(sum, rest);
	buf_add(&whole, in.ptr, (size_t)(parts - in.ptr));
	buf_addf(&whole, "\nparts: %zu\nsum: %s\n", count, sum);
	buf_add_bytes(&whole, rest);
	check(buf_bytes(&whole));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check(bytes_of(data, size));
	check_with_true_sum(bytes_of(data, size));
	return 0;
}
