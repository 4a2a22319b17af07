/* crypto/bech32.c -- Bech32 (BIP 173) as age uses it: 32 bytes, any length of prefix, checksum of six digits. */
#include "crypto/age-parts.h"

#include <ctype.h>
#include <string.h>

static const char alphabet[] = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";

enum { DIGITS = 52, CHECK = 6 }; /* 32 bytes are 51.2 digits */

static uint32_t step(uint32_t sum, uint8_t value)
{
	static const uint32_t generator[5] = { 0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3 };
	uint32_t top = sum >> 25;

	sum = (sum & 0x1ffffff) << 5 ^ value;
	for (int i = 0; i < 5; i++)
		if (top >> i & 1)
			sum ^= generator[i];
	return sum;
}

static uint32_t checksum(const char *prefix, const uint8_t *digits, size_t count)
{
	uint32_t sum = 1;

	for (const char *p = prefix; *p; p++)
		sum = step(sum, (uint8_t)(tolower((unsigned char)*p) >> 5));
	sum = step(sum, 0);
	for (const char *p = prefix; *p; p++)
		sum = step(sum, (uint8_t)(tolower((unsigned char)*p) & 31));
	for (size_t i = 0; i < count; i++)
		sum = step(sum, digits[i]);
	return sum;
}

void bech32_encode(char *out, const char *prefix, const uint8_t in[static 32])
{
	uint8_t digits[DIGITS + CHECK] = { 0 };
	bool upper = isupper((unsigned char)prefix[0]);
	uint32_t sum;

	for (size_t i = 0; i < DIGITS; i++) {
		size_t bit = i * 5, byte = bit / 8;
		uint32_t pair = (uint32_t)in[byte] << 8 | (byte + 1 < 32 ? in[byte + 1] : 0);

		digits[i] = pair >> (11 - bit % 8) & 31;
	}
	sum = checksum(prefix, digits, DIGITS + CHECK) ^ 1;
	for (size_t i = 0; i < CHECK; i++)
		digits[DIGITS + i] = sum >> (5 * (5 - i)) & 31;
	out = stpcpy(out, prefix);
	*out++ = '1';
	for (size_t i = 0; i < DIGITS + CHECK; i++)
		*out++ = (char)(upper ? toupper((unsigned char)alphabet[digits[i]]) : alphabet[digits[i]]);
	*out = 0;
	explicit_bzero(digits, sizeof(digits));
}

static bool digits_of(uint8_t *digits, bool upper, struct bytes text)
{
	for (size_t i = 0; i < text.len; i++) {
		int c = text.ptr[i];
		const char *at;

		if (upper ? islower(c) : isupper(c)) /* mixed case is refused */
			return false;
		at = c ? strchr(alphabet, tolower(c)) : NULL;
		if (!at)
			return false;
		digits[i] = (uint8_t)(at - alphabet);
	}
	return true;
}

bool bech32_decode(uint8_t out[static 32], const char *prefix, struct bytes text)
{
	size_t prefix_len = strlen(prefix);
	uint8_t digits[DIGITS + CHECK];
	uint32_t acc = 0;
	unsigned bits = 0;
	size_t n = 0;
	bool ok;

	if (text.len != prefix_len + 1 + sizeof(digits) || memcmp(text.ptr, prefix, prefix_len) != 0 || text.ptr[prefix_len] != '1')
		return false;
	ok = digits_of(digits, isupper((unsigned char)prefix[0]), bytes_from(text, prefix_len + 1)) &&
	     checksum(prefix, digits, sizeof(digits)) == 1;
	for (size_t i = 0; ok && i < DIGITS; i++) {
		acc = acc << 5 | digits[i];
		bits += 5;
		if (bits >= 8) {
			bits -= 8;
			out[n++] = (uint8_t)(acc >> bits);
		}
	}
	ok = ok && !(acc & ((1u << bits) - 1)); /* bits left over are zero */
	explicit_bzero(digits, sizeof(digits));
	explicit_bzero(&acc, sizeof(acc));
	return ok;
}
