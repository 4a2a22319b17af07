/* policies/tree-text.c -- configurations of indented lines: WeOS 4, and FRR. */
#include "policies/tree.h"
#include "policies/weos-text.h"
#include "policies/words.h"

static int add_item(struct tree_builder *b, const struct weos_item *item, const struct weos_item *next)
{
	if (item->is_end) {
		if (b->depth > item->depth)
			tree_close(b);
		return 0;
	}
	if (tree_add(b, item->text, item->number) < 0)
		return b->err->code;
	return next && !next->is_end && next->depth > item->depth ? tree_open(b, item->number) : 0;
}

static int read_weos(struct tree_builder *b, struct bytes text)
{
	struct weos_items items;
	int r = 0;

	weos_items_read(&items, text);
	if (items.open)
		r = error_set(b->err, E_FORMAT, "it ends within a block: it may be cut off");
	for (size_t i = 0; i < items.count && r >= 0; i++)
		r = add_item(b, &items.at[i], i + 1 < items.count ? &items.at[i + 1] : NULL);
	weos_items_done(&items);
	return r;
}

static unsigned indent_of(struct bytes line)
{
	unsigned n = 0;

	while (n < line.len && line.ptr[n] == ' ')
		n++;
	return n;
}

static bool is_frr_noise(struct bytes body)
{
	return !body.len || body.ptr[0] == '!' || body.ptr[0] == '#' || bytes_is(body, "end") || bytes_is(body, "exit") ||
	       words_start(body, "exit-");
}

/* A line that stands deeper than the one before is in its block. */
static int read_frr(struct tree_builder *b, struct bytes text)
{
	unsigned columns[TREE_DEPTH_MAX + 1] = { 0 }, last = 0, number = 0;
	bool is_first = true;
	struct bytes line;

	while (bytes_next_line(&text, &line)) {
		struct bytes body = words_trim_end(line);
		unsigned column = indent_of(line);

		number++;
		body = bytes_from(body, column);
		if (is_frr_noise(body))
			continue;
		if (!is_first && column > last) {
			if (tree_open(b, number) < 0)
				return b->err->code;
			columns[b->depth] = column;
		}
		while (b->depth && column < columns[b->depth])
			tree_close(b);
		if (tree_add(b, body, number) < 0)
			return b->err->code;
		last = column;
		is_first = false;
	}
	return 0;
}

int tree_read_indented(struct tree_builder *b, struct bytes text, bool is_frr)
{
	return is_frr ? read_frr(b, text) : read_weos(b, text);
}
