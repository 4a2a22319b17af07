/* tests/fuzz/fuzz-template.c -- whatever a template and a value are, the value neither makes a line nor chooses a command.
 *
 * Input: a template, and behind the first NUL the value of every variable; names that begin with "l" are lists of it, with "e" empty ones.
 * Judged by the same template with a harmless value: both must have the same lines with the same first words. */
#include "tests/fuzz/fuzz.h"

#include "cli/template.h"
#include "policies/frr-text.h"
#include "policies/words.h"

#include <string.h>

static bool find(void *ctx, const char *name, struct template_value *out)
{
	const char *const *values = ctx;
	bool is_list = *name == 'l' || *name == 'e';

	if (*name == 'u')
		return false;
	*out = (struct template_value){ is_list, *name == 'e' ? 0 : is_list ? 2 : 1, values };
	return true;
}

static int render(struct buf *out, struct bytes text, const char *value, struct error *err)
{
	const char *values[2] = { value, value };
	struct template_job job = { "t", text, "r1", form_of("frr"), find, values };

	*err = (struct error){ 0 };
	return template_render(out, &job, err);
}

/* Lines, and the word that each begins with, its place in the line included. */
static void skeleton(struct buf *out, struct bytes text)
{
	struct bytes line, words[2];

	while (bytes_next_line(&text, &line)) {
		size_t count = words_split(words, 2, line);
		size_t blanks = count ? (size_t)(words[0].ptr - line.ptr) : 0;

		buf_addf(out, "%zu ", blanks);
		if (count)
			buf_add_bytes(out, words[0]);
		buf_add_char(out, '\n');
	}
}

static void check_value(struct bytes text, const char *value)
{
	_cleanup_(buf_done) struct buf out = { 0 }, harmless = { 0 }, got = { 0 }, want = { 0 };
	struct error err;
	int r = render(&harmless, text, "10.0.0.1", &err);

	if (r == 0)
		skeleton(&want, buf_bytes(&harmless));
	if (render(&out, text, value, &err) < 0) {
		MUST(err.code == E_FORMAT || err.code == E_LIMIT);
		return;
	}
	if (r < 0) { /* the harmless one may be too long where the other is not */
		MUST(err.code == 0 || strlen(value) < 8);
		return;
	}
	skeleton(&got, buf_bytes(&out));
	MUST(bytes_equal(buf_bytes(&got), buf_bytes(&want)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes text = bytes_of(data, size), value = { 0 };
	const uint8_t *nul = size ? memchr(data, 0, size) : NULL;
	_cleanup_(mem_freep) char *copy = NULL;

	if (nul) {
		text.len = (size_t)(nul - data);
		value = bytes_from(bytes_of(data, size), text.len + 1);
	}
	copy = mem_strndup((const char *)(value.ptr ? value.ptr : (const uint8_t *)""), value.len);
	check_value(text, copy);
	return 0;
}
