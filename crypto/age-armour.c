/* crypto/age-armour.c -- reading armoured age files: strict PEM of 64 columns. */
#include "crypto/age-parts.h"

#include <string.h>

static const char begin_line[] = "-----BEGIN AGE ENCRYPTED FILE-----";
static const char end_line[] = "-----END AGE ENCRYPTED FILE-----";

static bool is_white(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static struct bytes trim_left(struct bytes in)
{
	while (in.len && is_white(in.ptr[0]))
		in = bytes_from(in, 1);
	return in;
}

bool age_is_armoured(struct bytes in)
{
	in = trim_left(in);
	/* also a broken first line: an error in armour is to be named as such */
	return in.len >= 5 && !memcmp(in.ptr, "-----", 5);
}

static bool next_line(struct bytes *rest, struct bytes *line)
{
	if (!bytes_next_line(rest, line))
		return false;
	if (line->len && line->ptr[line->len - 1] == '\r')
		line->len--;
	return true;
}

int age_unarmour(struct buf *out, struct bytes in, struct error *err)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	struct bytes rest = trim_left(in), line;
	size_t begin = out->len;
	bool full = true;

	if (!next_line(&rest, &line) || !bytes_is(line, begin_line))
		return error_set(err, E_FORMAT, "age armour does not begin with '%s'", begin_line);
	for (;;) {
		if (!next_line(&rest, &line))
			return error_set(err, E_FORMAT, "age armour has no end line");
		if (bytes_is(line, end_line))
			break;
		if (!full || !line.len || line.len > 64)
			return error_set(err, E_FORMAT, "age armour is not wrapped at 64 columns");
		full = line.len == 64;
		buf_add_bytes(&text, line);
	}
	if (trim_left(rest).len)
		return error_set(err, E_FORMAT, "age armour has bytes behind its end line");
	if (!base64_decode(out, buf_bytes(&text))) {
		buf_truncate(out, begin);
		return error_set(err, E_FORMAT, "age armour is not canonical base64");
	}
	return 0;
}
