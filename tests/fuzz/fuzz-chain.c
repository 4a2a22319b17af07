/* tests/fuzz/fuzz-chain.c -- the file of a device's chain: as it is, and with a digest that fits, so that what is in it is read. */
#include "tests/fuzz/fuzz.h"

#include "agent/snapshot.h"

#include <string.h>

static void check(struct bytes in)
{
	struct chain c = { 0 }, again = { 0 }, copy = { 0 };
	_cleanup_(buf_done) struct buf once = { 0 }, twice = { 0 }, of_copy = { 0 };
	struct error err = { 0 };

	if (chain_read(&c, in, &err) < 0) {
		MUST(!c.newest.ptr && err.code == E_FORMAT);
		return;
	}
	MUST(memchr(c.incarnation, 0, sizeof(c.incarnation)));
	chain_write(&once, &c);
	MUST_OK(chain_read(&again, buf_bytes(&once), &err));
	chain_write(&twice, &again);
	MUST(bytes_equal(buf_bytes(&once), buf_bytes(&twice)));
	chain_copy(&copy, &c);
	chain_write(&of_copy, &copy);
	MUST(bytes_equal(buf_bytes(&once), buf_bytes(&of_copy)));
	chain_done(&c);
	chain_done(&again);
	chain_done(&copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(buf_done) struct buf fitting = { 0 };
	uint8_t digest[HASH_LEN];

	check(bytes_of(data, size));
	/* the seeds end in their digest: in its place, that of what is before it now */
	buf_add(&fitting, data, size > HASH_LEN ? size - HASH_LEN : size);
	sha256(digest, buf_bytes(&fitting));
	buf_add(&fitting, digest, sizeof(digest));
	check(buf_bytes(&fitting));
	return 0;
}
