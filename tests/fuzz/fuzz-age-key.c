/* tests/fuzz/fuzz-age-key.c -- age identities, recipients and identity files: one text for one key. */
#include "tests/fuzz/fuzz.h"

#include "crypto/age-parts.h"
#include "crypto/age.h"

#include <string.h>

static void check_recipient(struct bytes in)
{
	char text[AGE_RECIPIENT_LEN + 1];
	struct error err = { 0 };
	struct age_recipient to;

	if (age_recipient_parse(&to, in, &err) < 0)
		return;
	age_recipient_text(text, &to);
	MUST(bytes_is(in, text));
}

static void check_identity(struct bytes in)
{
	_cleanup_(age_identity_done) struct age_identity id = { 0 };
	_cleanup_(buf_done) struct buf text = { 0 };
	struct error err = { 0 };

	if (age_identity_parse(&id, in, &err) < 0) {
		MUST(!id.key.ptr);
		return;
	}
	age_identity_text(&text, &id);
	MUST(bytes_equal(buf_bytes(&text), in));
}

/* The key of a file is that of its first line that is neither blank nor a comment. */
static void check_file(struct bytes in)
{
	_cleanup_(age_identity_done) struct age_identity id = { 0 };
	_cleanup_(buf_done) struct buf text = { 0 };
	struct error err = { 0 };
	struct bytes line = { 0 };

	if (age_identity_from_file(&id, in, &err) < 0) {
		MUST(!id.key.ptr);
		return;
	}
	age_identity_text(&text, &id);
	while (bytes_next_line(&in, &line)) {
		if (line.len && line.ptr[line.len - 1] == '\r')
			line.len--;
		if (!line.len || line.ptr[0] == '#')
			continue;
		break;
	}
	MUST(bytes_equal(line, buf_bytes(&text)));
}

/* Any 32 bytes are a key, and come back. */
static void check_bytes(struct bytes in)
{
	char text[128];
	uint8_t back[32];

	if (in.len < 32)
		return;
	bech32_encode(text, "age", in.ptr);
	MUST(bech32_decode(back, "age", bytes_str(text)) && !memcmp(back, in.ptr, 32));
	MUST(!bech32_decode(back, "agf", bytes_str(text)));
	bech32_encode(text, "AGE-SECRET-KEY-", in.ptr);
	MUST(bech32_decode(back, "AGE-SECRET-KEY-", bytes_str(text)) && !memcmp(back, in.ptr, 32));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes in = bytes_of(data, size);

	check_recipient(in);
	check_identity(in);
	check_file(in);
	check_bytes(in);
	return 0;
}
