/* policies/words.c -- lines of a configuration as words. */
#include "policies/words.h"

#include <ctype.h>
#include <string.h>

struct bytes words_trim_end(struct bytes line)
{
	while (line.len && (isspace(line.ptr[line.len - 1]) || !line.ptr[line.len - 1]))
		line.len--;
	return line;
}

struct bytes words_trim(struct bytes line)
{
	line = words_trim_end(line);
	while (line.len && isspace(line.ptr[0]))
		line = bytes_from(line, 1);
	return line;
}

bool words_start(struct bytes line, const char *with)
{
	size_t len = strlen(with);

	return line.len >= len && !memcmp(line.ptr, with, len);
}

size_t words_split(struct bytes *words, size_t max, struct bytes line)
{
	size_t n = 0, i = 0;

	while (n < max) {
		size_t from;

		while (i < line.len && isspace(line.ptr[i]))
			i++;
		if (i == line.len)
			break;
		from = i;
		while (i < line.len && !isspace(line.ptr[i]))
			i++;
		words[n++] = bytes_of(line.ptr + from, i - from);
	}
	return n;
}

static bool is_among(struct bytes word, const char *const names[])
{
	for (; *names; names++)
		if (bytes_is(word, *names))
			return true;
	return false;
}

const char *words_value_refused(struct bytes before, struct bytes value, enum form_place place, const char *const negations[],
				const char *(*byte_refused)(uint8_t c, enum form_place place))
{
	bool is_glued = before.len && !isspace(before.ptr[before.len - 1]);
	struct bytes words[3];
	size_t count = words_split(words, 3, before), at = count - is_glued; /* which word it is, or goes on */
	const char *why = NULL;

	if (!at || (at == 1 && is_among(words[0], negations)))
		return "it would stand where the command does";
	if (!value.len)
		return "it is empty";
	if (value.len > FORM_VALUE_MAX)
		return "it is longer than 1000 bytes";
	if (value.ptr[0] == ' ' || value.ptr[value.len - 1] == ' ')
		return "it begins or ends with a blank";
	for (size_t i = 0; i < value.len && !why; i++)
		why = byte_refused(value.ptr[i], place);
	return why;
}
