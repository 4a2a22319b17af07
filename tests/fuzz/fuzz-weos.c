/* tests/fuzz/fuzz-weos.c -- configurations of WeOS: canonical form, structure, secrets, footers.
 *
 * The canonical form of a canonical form is itself, and no line is invented in it but the ends of blocks. Stretches that are secret come in
 * order and inside the text; put back, they give the very text. */
#include "tests/fuzz/fuzz.h"

#include "policies/weos-text.h"

#include <ctype.h>
#include <string.h>

enum { COUNTED_MAX = 2048 };

static struct bytes trimmed(struct bytes line)
{
	while (line.len && (isspace(line.ptr[line.len - 1]) || !line.ptr[line.len - 1]))
		line.len--;
	while (line.len && isspace(line.ptr[0]))
		line = bytes_from(line, 1);
	return line;
}

static size_t count_line(struct bytes text, struct bytes wanted)
{
	struct bytes line;
	size_t n = 0;

	while (bytes_next_line(&text, &line))
		n += bytes_equal(trimmed(line), wanted);
	return n;
}

static void check_canonical(struct bytes in)
{
	_cleanup_(buf_done) struct buf once = { 0 }, twice = { 0 };
	struct bytes rest, line;

	weos_canonical(&once, in);
	weos_canonical(&twice, buf_bytes(&once));
	MUST(bytes_equal(buf_bytes(&once), buf_bytes(&twice)));
	MUST(weos_is_json(in) == weos_is_json(buf_bytes(&once)));
	rest = buf_bytes(&once);
	if (in.len > COUNTED_MAX)
		return;
	while (bytes_next_line(&rest, &line)) {
		struct bytes body = trimmed(line);

		MUST(body.len);
		MUST(bytes_is(body, "end") || count_line(buf_bytes(&once), body) == count_line(in, body));
	}
}

/* Every block that is opened is closed, and no depth is skipped. */
static void check_items(struct bytes in)
{
	struct weos_items items;
	unsigned depth = 0;

	weos_items_read(&items, in);
	for (size_t i = 0; i < items.count; i++) {
		const struct weos_item *item = &items.at[i];

		MUST(item->text.len && item->depth <= WEOS_DEPTH_MAX);
		MUST(item->is_end || item->depth <= depth + (i > 0));
		MUST(!item->is_end || item->depth + 1 == depth || item->depth == depth);
		depth = item->depth;
	}
	weos_items_done(&items);
}

/* Half of it as a change: all that can be lost is what stands there, and of what is still there nothing. */
static void check_lost(struct bytes in)
{
	struct bytes half = bytes_of(in.ptr, in.len / 2);
	struct weos_items change;

	weos_items_read(&change, half);
	MUST(!weos_lost(in, in, &change));
	MUST(weos_lost(in, half, &change) <= in.len);
	MUST(!weos_lost((struct bytes){ 0 }, in, &change));
	weos_items_done(&change);
}

struct stretches {
	struct bytes text;
	size_t end;
};

static void found(void *ctx, size_t at, size_t len)
{
	struct stretches *s = ctx;

	MUST(at >= s->end && len && at + len <= s->text.len);
	MUST(!memchr(s->text.ptr + at, '\n', len));
	s->end = at + len;
}

/* The secret behind these digits, from lines "<digits> <base64>". */
static bool find_secret(struct buf *out, struct bytes table, const uint8_t *digits)
{
	struct bytes line;

	while (bytes_next_line(&table, &line))
		if (line.len > 16 && !memcmp(line.ptr, digits, 16))
			return base64_decode(out, bytes_from(line, 17));
	return false;
}

static void check_secrets(struct bytes in)
{
	static const char head[] = "{{secret ";
	enum { HEAD = sizeof(head) - 1, TOKEN = HEAD + 18 };
	_cleanup_(buf_done) struct buf split = { 0 }, table = { 0 }, back = { 0 };
	struct stretches s = { in, 0 };
	const uint8_t *at;
	struct bytes text;

	weos_secrets(in, found, &s);
	form_split(&split, &table, form_of("weos"), in);
	text = buf_bytes(&split);
	while (text.len && (at = memmem(text.ptr, text.len, head, HEAD))) {
		size_t before = (size_t)(at - text.ptr);

		MUST(text.len - before >= TOKEN);
		buf_add(&back, text.ptr, before);
		MUST(find_secret(&back, buf_bytes(&table), at + HEAD));
		text = bytes_from(text, before + TOKEN);
	}
	buf_add_bytes(&back, text);
	MUST(bytes_equal(buf_bytes(&back), in));
}

/* What a device says of itself is foreign, too. */
static void check_shown(struct bytes in)
{
	_cleanup_(buf_done) struct buf once = { 0 };
	struct bytes text = weos_without_footer(in);
	struct weos_facts facts;
	struct weos_boot boot;
	struct error err = { 0 };
	uint64_t least, most;
	char doubt[64];

	MUST(text.len <= in.len && (!text.len || text.ptr == in.ptr));
	weos_without_logs(&once, in);
	MUST(once.len <= in.len + 1);
	weos_facts_read(&facts, in);
	weos_boot_read(&boot, in);
	weos_boot_doubt(doubt, sizeof(doubt), &boot);
	MUST(!weos_uptime_read(&least, &most, in) || most > least);
	MUST(weos_json_check(in, &err) == 0 || err.code == E_FORMAT);
	(void)weos_warnings(in);
	(void)weos_is_refusal(in);
	(void)weos_is_clean(in);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes in = bytes_of(data, size);

	check_canonical(in);
	check_items(in);
	check_lost(in);
	check_secrets(in);
	check_shown(in);
	return 0;
}
