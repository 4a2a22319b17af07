/* tests/fuzz/fuzz-mask.c -- what the operator's command does to text of others: secrets hidden or put back, terminals left alone.
 *
 * Input: a configuration with tokens, and behind the first NUL a table of secrets. */
#include "tests/fuzz/fuzz.h"

#include "cli/mask.h"
#include "cli/output.h"

#include <string.h>

static const char head[] = "{{secret ";
enum { HEAD = sizeof(head) - 1, DIGITS = 16 };

static bool is_token(struct bytes in)
{
	uint8_t raw[DIGITS / 2];

	return in.len >= MASK_TOKEN_LEN && !memcmp(in.ptr, head, HEAD) && hex_decode(raw, sizeof(raw), bytes_of(in.ptr + HEAD, DIGITS)) &&
	       !memcmp(in.ptr + HEAD + DIGITS, "}}", 2);
}

static size_t count_tokens(struct bytes in)
{
	size_t n = 0;

	for (; in.len; in = bytes_from(in, 1))
		n += is_token(in);
	return n;
}

/* The text without its tokens. */
static void without_tokens(struct buf *out, struct bytes in)
{
	while (in.len) {
		if (!is_token(in))
			buf_add(out, in.ptr, 1);
		in = bytes_from(in, is_token(in) ? MASK_TOKEN_LEN : 1);
	}
}

/* The secret of a token by another way: the first line that begins with it. False when there is none, or it is no base64. */
static bool find_secret(struct buf *out, struct bytes secrets, struct bytes digits)
{
	struct bytes line;

	while (bytes_next_line(&secrets, &line))
		if (line.len > DIGITS + 1 && line.ptr[DIGITS] == ' ' && !memcmp(line.ptr, digits.ptr, DIGITS))
			return base64_decode(out, bytes_from(line, DIGITS + 1));
	return false;
}

static bool put_back(struct buf *out, struct bytes in, struct bytes secrets)
{
	while (in.len) {
		if (is_token(in)) {
			_cleanup_(buf_done) struct buf plain = { 0 };

			if (!find_secret(&plain, secrets, bytes_of(in.ptr + HEAD, DIGITS)))
				return false;
			buf_add_bytes(out, buf_bytes(&plain));
			in = bytes_from(in, MASK_TOKEN_LEN);
		} else {
			buf_add(out, in.ptr, 1);
			in = bytes_from(in, 1);
		}
	}
	return true;
}

static void check_mask(struct bytes text, struct bytes secrets, enum mask_by by)
{
	_cleanup_(mask_done) struct mask mask = { .by = by };
	_cleanup_(buf_done) struct buf numbered = { 0 }, hidden = { 0 }, revealed = { 0 }, expected = { 0 }, plain = { 0 },
				       plain_numbered = { 0 };
	struct error err = { 0 };
	bool can;

	if (mask_number(&numbered, &mask, text, secrets, 0, &err) < 0) {
		MUST(err.code == E_LIMIT);
		return;
	}
	MUST(count_tokens(buf_bytes(&numbered)) == count_tokens(text) && numbered.len == text.len);
	without_tokens(&plain, text);
	without_tokens(&plain_numbered, buf_bytes(&numbered));
	MUST(bytes_equal(buf_bytes(&plain), buf_bytes(&plain_numbered)));
	MUST_OK(mask_show(&hidden, &mask, buf_bytes(&numbered), false, false, false, &err));
	MUST(!count_tokens(text) || hidden.len != text.len || !bytes_equal(buf_bytes(&hidden), text));
	if (by == MASK_NOT_COMPARED)
		return;
	can = put_back(&expected, text, secrets);
	MUST((mask_show(&revealed, &mask, buf_bytes(&numbered), true, false, false, &err) == 0) == can);
	if (can)
		MUST(bytes_equal(buf_bytes(&revealed), buf_bytes(&expected)));
}

/* Clean text is clean, and stays as it is. */
static void check_clean(struct bytes in, bool lines_ok)
{
	_cleanup_(buf_done) struct buf once = { 0 }, twice = { 0 };

	output_clean(&once, in, lines_ok);
	output_clean(&twice, buf_bytes(&once), lines_ok);
	MUST(bytes_equal(buf_bytes(&once), buf_bytes(&twice)));
	for (size_t i = 0; i < once.len; i++)
		MUST((once.ptr[i] >= 0x20 && once.ptr[i] != 0x7f) || (lines_ok && (once.ptr[i] == '\n' || once.ptr[i] == '\t')));
	/* no bidirectional override, in the one form that UTF-8 has for it */
	MUST(!strstr(buf_text(&once), "\xe2\x80\xae") && !strstr(buf_text(&once), "\xe2\x81\xa6"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes in = bytes_of(data, size), secrets = { 0 };
	const uint8_t *nul = size ? memchr(data, 0, size) : NULL;

	if (nul) {
		in.len = (size_t)(nul - data);
		secrets = bytes_from(bytes_of(data, size), in.len + 1);
		nul = secrets.len ? memchr(secrets.ptr, 0, secrets.len) : NULL;
		if (nul) /* values are kept as C strings */
			secrets.len = (size_t)(nul - secrets.ptr);
	}
	check_mask(in, secrets, MASK_BY_TOKEN);
	check_mask(in, secrets, MASK_NOT_COMPARED);
	check_clean(bytes_of(data, size), false);
	check_clean(bytes_of(data, size), true);
	return 0;
}
