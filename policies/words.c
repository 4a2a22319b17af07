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
