/* tests/fuzz/fuzz-ticket.c -- the setup string that claims a server: one string for one ticket. */
#include "tests/fuzz/fuzz.h"

#include "cli/tickets.h"

#include <string.h>

static void write_again(struct buf *out, const struct setup *setup)
{
	_cleanup_(buf_done) struct buf blob = { 0 };

	buf_add_str(out, "holdfast-setup:1:");
	base64url_encode(out, bytes_of(setup->pin, sizeof(setup->pin)));
	buf_addf(out, ":%s:", (const char *)setup->code.ptr);
	sign_pub_blob(&blob, &setup->archive);
	base64url_encode(out, buf_bytes(&blob));
	buf_addf(out, ":%s", setup->address);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(setup_done) struct setup setup = { 0 };
	_cleanup_(buf_done) struct buf again = { 0 };
	struct bytes in = bytes_of(data, size);
	struct error err = { 0 };
	const char *port;

	if (setup_parse(&setup, in, &err) < 0) {
		MUST(err.text[0]);
		return 0;
	}
	if (in.len && in.ptr[in.len - 1] == '\n')
		in.len--;
	write_again(&again, &setup);
	MUST(bytes_equal(buf_bytes(&again), in));
	/* it goes into a URL as it is */
	port = strrchr(setup.address, ':');
	MUST(port && port != setup.address && !strpbrk(setup.address, "/?#@%\\ \t\r\n\"'<>&;"));
	return 0;
}
