/* cli/mask.c -- tokens that stand for secrets: hidden, compared, or put back. */
#include "cli/mask.h"

#include "cli/output.h"

#include <stdlib.h>
#include <string.h>

static const char token_head[] = "{{secret ";
static const char dots[] = "••••••••";

enum { HEAD_LEN = sizeof(token_head) - 1, DIGITS = 16 };

void mask_done(struct mask *mask)
{
	for (size_t i = 0; i < mask->count; i++) {
		if (mask->secrets[i].value)
			explicit_bzero(mask->secrets[i].value, strlen(mask->secrets[i].value));
		free(mask->secrets[i].value);
	}
	free(mask->secrets);
	*mask = (struct mask){ 0 };
}

static bool is_token(struct bytes text)
{
	uint8_t raw[DIGITS / 2];

	return text.len >= MASK_TOKEN_LEN && !memcmp(text.ptr, token_head, HEAD_LEN) && !memcmp(text.ptr + HEAD_LEN + DIGITS, "}}", 2) &&
	       hex_decode(raw, sizeof(raw), bytes_of(text.ptr + HEAD_LEN, DIGITS));
}

/* Copies up to the next token; false when there is none. */
static bool next_token(struct buf *out, struct bytes *text, char token[static DIGITS + 1])
{
	while (text->len) {
		const uint8_t *brace = memchr(text->ptr, '{', text->len);
		size_t before = brace ? (size_t)(brace - text->ptr) : text->len;

		buf_add(out, text->ptr, before);
		*text = bytes_from(*text, before);
		if (text->len && is_token(*text)) {
			memcpy(token, text->ptr + HEAD_LEN, DIGITS);
			token[DIGITS] = 0;
			*text = bytes_from(*text, MASK_TOKEN_LEN);
			return true;
		}
		if (text->len) {
			buf_add(out, text->ptr, 1);
			*text = bytes_from(*text, 1);
		}
	}
	return false;
}

static struct bytes value_of(struct bytes secrets, const char *token)
{
	struct bytes line;

	while (bytes_next_line(&secrets, &line))
		if (line.len > DIGITS + 1 && !memcmp(line.ptr, token, DIGITS) && line.ptr[DIGITS] == ' ')
			return bytes_from(line, DIGITS + 1);
	return (struct bytes){ 0 };
}

static bool is_same(const struct mask *mask, const struct mask_secret *secret, const char *token, struct bytes value)
{
	switch (mask->by) {
	case MASK_BY_TOKEN:
		return !strcmp(secret->token, token);
	case MASK_BY_VALUE:
		return value.ptr && secret->value ? bytes_is(value, secret->value) : !strcmp(secret->token, token);
	case MASK_NOT_COMPARED:
		return true; /* all alike: they must not show as differences */
	}
	return false;
}

static int number_of(size_t *number, struct mask *mask, const char *token, struct bytes value, struct error *err)
{
	struct mask_secret *secret;

	for (*number = 0; *number < mask->count; ++*number)
		if (is_same(mask, &mask->secrets[*number], token, value))
			return 0;
	if (mask->count == MASK_SECRETS_MAX)
		return error_set(err, E_LIMIT, "more than %d different secrets", MASK_SECRETS_MAX);
	mask->secrets = mem_grow(mask->secrets, (mask->count + 1) * sizeof(*mask->secrets));
	secret = &mask->secrets[mask->count++];
	*secret = (struct mask_secret){ 0 };
	memcpy(secret->token, token, DIGITS + 1);
	if (value.ptr && mask->by != MASK_NOT_COMPARED)
		secret->value = mem_strndup((const char *)value.ptr, value.len);
	return 0;
}

int mask_number(struct buf *out, struct mask *mask, struct bytes text, struct bytes secrets, int side, struct error *err)
{
	char token[DIGITS + 1];
	size_t number;

	while (next_token(out, &text, token)) {
		if (number_of(&number, mask, token, value_of(secrets, token), err) < 0)
			return err->code;
		mask->secrets[number].on[side] = true;
		buf_addf(out, "%s%016zx}}", token_head, number);
	}
	return 0;
}

static int reveal_one(struct buf *out, const struct mask_secret *secret, bool clean, struct error *err)
{
	_cleanup_(buf_done) struct buf plain = { 0 };

	if (!secret->value)
		return error_set(err, E_DENIED, "a secret cannot be shown: your reading key does not open the secrets of this revision "
						"(role reader is needed); without --reveal the rest is shown");
	if (!base64_decode(&plain, bytes_str(secret->value)))
		return error_set(err, E_FORMAT, "the table of secrets holds a line that is not base64");
	if (clean)
		output_clean(out, buf_bytes(&plain), false);
	else
		buf_add_bytes(out, buf_bytes(&plain));
	return 0;
}

int mask_show(struct buf *out, const struct mask *mask, struct bytes text, bool reveal, bool compared, bool clean, struct error *err)
{
	char digits[DIGITS + 1];

	while (next_token(out, &text, digits)) {
		size_t number = strtoul(digits, NULL, 16);
		const struct mask_secret *secret = number < mask->count ? &mask->secrets[number] : NULL;

		if (reveal && secret) {
			if (reveal_one(out, secret, clean, err) < 0)
				return err->code;
			continue;
		}
		buf_add_str(out, dots);
		if (compared && secret && mask->by != MASK_NOT_COMPARED && secret->on[0] != secret->on[1])
			buf_add_str(out, "(changed)");
	}
	return 0;
}
