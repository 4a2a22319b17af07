/* tests/fuzz/fuzz-files.c -- a device of files as one text: what is taken is written again and is the same; canonical form and secrets.
 *
 * Content that is put into a part comes out to the byte. No secret part leaves a byte of its content in what is not secret. */
#include "tests/fuzz/fuzz.h"

#include "policies/files-text.h"

#include <string.h>

static void check_canonical(struct bytes in)
{
	_cleanup_(buf_done) struct buf once = { 0 }, twice = { 0 };
	_cleanup_(files_text_done) struct files_text before = { 0 }, after = { 0 };
	struct error err = { 0 };

	files_canonical(&once, in);
	files_canonical(&twice, buf_bytes(&once));
	MUST(bytes_equal(buf_bytes(&once), buf_bytes(&twice)));
	if (files_parse(&before, in, &err) < 0) {
		MUST(err.text[0] && !before.parts && bytes_equal(buf_bytes(&once), in));
		return;
	}
	MUST_OK(files_parse(&after, buf_bytes(&once), &err));
	MUST(before.count == after.count);
	for (size_t i = 0; i < before.count; i++)
		MUST(bytes_equal(before.parts[i].path, after.parts[i].path) && after.parts[i].body.len <= before.parts[i].body.len);
}

struct stretches {
	struct bytes text;
	size_t end, count;
};

static void found(void *ctx, size_t at, size_t len)
{
	struct stretches *s = ctx;

	MUST(at >= s->end && len && at + len <= s->text.len);
	MUST(!memchr(s->text.ptr + at, '\n', len));
	s->end = at + len;
	s->count++;
}

/* The content goes into a part of each format; of one that is secret as a whole, exactly that one line is. */
static void check_put(struct bytes content, const char *format)
{
	const struct files_part part = { .format = bytes_str(format), .owner = bytes_str("root"), .group = bytes_str("root"),
					 .path = bytes_str("/etc/x"), .mode = 0600 };
	_cleanup_(buf_done) struct buf text = { 0 }, back = { 0 };
	_cleanup_(files_text_done) struct files_text parsed = { 0 };
	struct stretches s = { 0 };
	struct error err = { 0 };

	files_begin(&text);
	files_put(&text, &part, content);
	MUST_OK(files_parse(&parsed, buf_bytes(&text), &err));
	MUST(parsed.count == 1);
	MUST_OK(files_content(&back, &parsed.parts[0], &err));
	MUST(bytes_equal(buf_bytes(&back), content));
	s.text = buf_bytes(&text);
	files_secrets(s.text, found, &s);
	if (parsed.parts[0].kind == FILES_BASE64)
		MUST(s.count == (content.len != 0));
}

static void check_form(struct bytes in)
{
	_cleanup_(buf_done) struct buf split = { 0 }, table = { 0 };
	struct bytes line, rest = in;

	form_split(&split, &table, form_of("files"), in);
	while (bytes_next_line(&rest, &line))
		(void)(files_line_refused(line) || files_is_address(line, line) || files_value_refused(line, line, FORM_REST));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const names[] = { "nftables", "plain",         "sshd", "chrony", "rsyslog",
					     "wpa",      "ipsec-secrets", "key",  "secret", "other" };
	struct bytes in = bytes_of(data, size);
	struct stretches s = { .text = in };

	check_canonical(in);
	files_secrets(in, found, &s);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		check_put(in, names[i]);
	check_form(in);
	return 0;
}
