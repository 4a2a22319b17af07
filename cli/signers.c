/* cli/signers.c -- an allowed_signers file over all versions of the root. */
#include "cli/signers.h"

#include "base/clock.h"

#include <string.h>
#include <time.h>

static bool has_line(struct bytes text, struct bytes line)
{
	struct bytes other;

	while (bytes_next_line(&text, &other))
		if (bytes_equal(other, line))
			return true;
	return false;
}

static bool is_archive(struct bytes line)
{
	static const char head[] = "archive namespaces=\"git,";

	return line.len > sizeof(head) && !memcmp(line.ptr, head, sizeof(head) - 1);
}

/* "alice namespaces=..." becomes "alice valid-before="20270101000000Z",namespaces=...". */
static void add_ended(struct buf *out, struct bytes line, int64_t end_s)
{
	const uint8_t *space = memchr(line.ptr, ' ', line.len);
	size_t name = (size_t)(space - line.ptr) + 1;
	time_t end = end_s;
	struct tm tm;
	char text[24];

	gmtime_r(&end, &tm);
	strftime(text, sizeof(text), "%Y%m%d%H%M%SZ", &tm);
	buf_add(out, line.ptr, name);
	buf_addf(out, "valid-before=\"%s\",", text);
	buf_add_bytes(out, bytes_from(line, name));
	buf_add_char(out, '\n');
}

/* What `old` allowed and `next` does not. */
static void add_dropped(struct buf *out, const struct root *old, const struct root *next)
{
	_cleanup_(buf_done) struct buf before = { 0 }, after = { 0 };
	struct bytes rest, line;

	root_allowed_signers(&before, old);
	root_allowed_signers(&after, next);
	rest = buf_bytes(&before);
	while (bytes_next_line(&rest, &line)) {
		if (has_line(buf_bytes(&after), line) || (is_archive(line) && has_line(buf_bytes(out), line)))
			continue;
		if (!is_archive(line)) {
			add_ended(out, line, statement_time(root_statement(next), "time"));
			continue;
		}
		buf_add_bytes(out, line);
		buf_add_char(out, '\n');
	}
}

void signers_text(struct buf *out, struct root *const *roots, size_t count)
{
	if (!count)
		return;
	root_allowed_signers(out, roots[count - 1]);
	for (size_t i = count - 1; i > 0; i--)
		add_dropped(out, roots[i - 1], roots[i]);
}
