/* agent/journal.c -- lines under a digest of them all. */
#include "agent/journal.h"

#include <stdio.h>
#include <string.h>

void journal_put_flag(struct buf *out, const char *key, bool is)
{
	journal_put_text(out, key, is ? "yes" : "no");
}

void journal_put_hash(struct buf *out, const char *key, const uint8_t hash[static HASH_LEN])
{
	char hex[2 * HASH_LEN + 1];

	hex_encode(hex, hash, HASH_LEN);
	buf_addf(out, "%s: %s\n", key, hex);
}

void journal_put_text(struct buf *out, const char *key, const char *text)
{
	buf_addf(out, "%s: ", key);
	for (; *text; text++)
		buf_add_char(out, *text >= 0x20 && *text < 0x7f ? *text : '?');
	buf_add_char(out, '\n');
}

void journal_put_began(struct buf *out, uint64_t ms, const char *boot)
{
	buf_addf(out, "began: %llu %s\n", (unsigned long long)ms, *boot ? boot : "-");
}

void journal_seal(struct buf *out, const char *first_line, struct bytes body)
{
	uint8_t digest[HASH_LEN];

	sha256(digest, body);
	buf_addf(out, "%s\n", first_line);
	journal_put_hash(out, "digest", digest);
	buf_add_bytes(out, body);
}

bool journal_take(struct bytes *rest, const char *key, struct bytes *value)
{
	size_t len = strlen(key);
	struct bytes line;

	if (!bytes_next_line(rest, &line) || line.len < len + 2 || memcmp(line.ptr, key, len) != 0 || line.ptr[len] != ':')
		return false;
	*value = bytes_from(line, len + 2);
	return true;
}

bool journal_take_flag(struct bytes *rest, const char *key, bool *out)
{
	struct bytes value;

	if (!journal_take(rest, key, &value))
		return false;
	*out = bytes_is(value, "yes");
	return *out || bytes_is(value, "no");
}

bool journal_take_hash(struct bytes *rest, const char *key, uint8_t out[static HASH_LEN])
{
	struct bytes value;

	return journal_take(rest, key, &value) && hex_decode(out, HASH_LEN, value);
}

bool journal_take_text(struct bytes *rest, const char *key, char *out, size_t size)
{
	struct bytes value;

	if (!journal_take(rest, key, &value) || value.len >= size)
		return false;
	snprintf(out, size, "%.*s", (int)value.len, value.len ? (const char *)value.ptr : "");
	return true;
}

bool journal_take_number(struct bytes *rest, const char *key, uint64_t *out)
{
	struct bytes value;

	return journal_take(rest, key, &value) && number_parse(out, value);
}

bool journal_take_began(struct bytes *rest, uint64_t *ms, char boot[static FLOOR_BOOT_LEN])
{
	struct bytes value, name;
	size_t at = 0;

	if (!journal_take(rest, "began", &value))
		return false;
	while (at < value.len && value.ptr[at] != ' ')
		at++;
	name = bytes_from(value, at + 1);
	if (!number_parse(ms, bytes_of(value.ptr, at)) || name.len >= FLOOR_BOOT_LEN)
		return false;
	snprintf(boot, FLOOR_BOOT_LEN, "%.*s", (int)name.len, name.len ? (const char *)name.ptr : "");
	return true;
}

int journal_open(struct bytes *body, struct bytes in, const char *first_line, struct error *err)
{
	uint8_t digest[HASH_LEN], is[HASH_LEN];
	struct bytes line;

	if (!bytes_next_line(&in, &line) || !bytes_is(line, first_line))
		return error_set(err, E_FORMAT, "not a journal of this version");
	if (!journal_take_hash(&in, "digest", digest))
		return error_set(err, E_FORMAT, "it has no digest");
	sha256(is, in);
	if (memcmp(is, digest, HASH_LEN) != 0)
		return error_set(err, E_FORMAT, "it is damaged: its digest does not hold");
	*body = in;
	return 0;
}

bool journal_take_name(struct bytes *rest, const char *key, const char *const names[], const unsigned *allowed, size_t count, unsigned *out)
{
	struct bytes value;

	if (!journal_take(rest, key, &value))
		return false;
	for (size_t i = 0; i < count; i++)
		if (bytes_is(value, names[allowed[i]])) {
			*out = allowed[i];
			return true;
		}
	return false;
}
