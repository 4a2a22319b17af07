/* server/byte-range.c -- a part of a file, as clients ask for it. */
#include "server/byte-range.h"

#include "base/bytes.h"

#include <string.h>

/* Takes a number off the front of text. */
static bool take(uint64_t *out, const char **text)
{
	size_t len = strspn(*text, "0123456789");
	bool is_number = number_parse(out, bytes_of(*text, len));

	*text += len;
	return is_number;
}

static bool take_char(const char **text, char c)
{
	if (**text != c)
		return false;
	++*text;
	return true;
}

enum byte_range byte_range_of(uint64_t *from, uint64_t *len, const char *text, uint64_t size)
{
	static const char unit[] = "bytes=";
	uint64_t begin, last = size - 1;

	*from = 0;
	*len = size;
	if (!text || strncmp(text, unit, sizeof(unit) - 1) != 0)
		return RANGE_WHOLE;
	text += sizeof(unit) - 1;
	if (!take(&begin, &text) || !take_char(&text, '-') || (*text && (!take(&last, &text) || last < begin)) || *text)
		return RANGE_WHOLE;
	if (begin >= size)
		return RANGE_BEYOND;
	*from = begin;
	*len = (last < size ? last : size - 1) - begin + 1;
	return RANGE_PART;
}

bool byte_range_of_body(uint64_t *from, uint64_t *size, const char *text, uint64_t announced)
{
	static const char unit[] = "bytes ";
	uint64_t last;

	*from = 0;
	*size = announced;
	if (!text)
		return true;
	if (strncmp(text, unit, sizeof(unit) - 1) != 0)
		return false;
	text += sizeof(unit) - 1;
	if (!take(from, &text) || !take_char(&text, '-') || !take(&last, &text) || !take_char(&text, '/') || !take(size, &text) || *text)
		return false;
	return *from <= last && *size && last == *size - 1 && announced == *size - *from;
}
