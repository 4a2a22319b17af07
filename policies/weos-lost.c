/* policies/weos-lost.c -- what is gone from a configuration of WeOS although the change that was activated has nothing to do with it.
 *
 * A setting is known by its name and its section, not by its value: many a command changes the value of a neighbour. Inside a section that
 * a change enters, one setting may take the place of another (`inet static` that of `inet dhcp`), so there nothing is called lost. */
#include "policies/weos-text.h"

#include "policies/words.h"

#include <stdlib.h>
#include <string.h>

struct setting {
	struct bytes section, name;
};

struct settings {
	struct setting *at;
	size_t count;
};

static void add_setting(struct settings *out, struct bytes section, struct bytes name)
{
	if (!(out->count & (out->count - 1)))
		out->at = mem_grow(out->at, (out->count ? 2 * out->count : 1) * sizeof(*out->at));
	out->at[out->count++] = (struct setting){ section, name };
}

/* The first word of a command, without the `no` that switches it off. */
static struct bytes command_of(struct bytes line)
{
	struct bytes words[2];
	size_t count = words_split(words, 2, line);

	return count == 2 && bytes_is(words[0], "no") ? words[1] : words[0];
}

static void read_commands(struct settings *out, struct bytes text)
{
	struct bytes section = { 0 };
	struct weos_items items;

	weos_items_read(&items, text);
	for (size_t i = 0; i < items.count; i++) {
		const struct weos_item *item = &items.at[i];

		if (item->is_end)
			continue;
		if (!item->depth)
			section = command_of(item->text);
		add_setting(out, section, command_of(item->text));
	}
	weos_items_done(&items);
}

/* The key at the begin of a line of JSON, and how far in it stands; nothing when none does. */
static struct bytes key_of(struct bytes line, size_t *indent)
{
	const uint8_t *quote;

	*indent = 0;
	while (*indent < line.len && (line.ptr[*indent] == ' ' || line.ptr[*indent] == '\t'))
		++*indent;
	line = bytes_from(line, *indent);
	if (!line.len || line.ptr[0] != '"')
		return (struct bytes){ 0 };
	line = bytes_from(line, 1);
	quote = line.len ? memchr(line.ptr, '"', line.len) : NULL;
	if (!quote || quote + 1 == line.ptr + line.len || quote[1] != ':')
		return (struct bytes){ 0 };
	return bytes_of(line.ptr, (size_t)(quote - line.ptr));
}

/* As the device writes it: a key to a line, the keys of the document least far in. */
static void read_json(struct settings *out, struct bytes text)
{
	struct bytes line, section = { 0 };
	size_t indent, least = SIZE_MAX;

	while (bytes_next_line(&text, &line)) {
		struct bytes key = key_of(line, &indent);

		if (!key.len)
			continue;
		if (indent <= least) {
			section = key;
			least = indent;
		}
		add_setting(out, section, key);
	}
}

static int by_bytes(struct bytes a, struct bytes b)
{
	size_t len = a.len < b.len ? a.len : b.len;
	int r = len ? memcmp(a.ptr, b.ptr, len) : 0;

	return r ? r : (a.len > b.len) - (a.len < b.len);
}

static int by_name(const void *a, const void *b)
{
	const struct setting *x = a, *y = b;
	int r = by_bytes(x->section, y->section);

	return r ? r : by_bytes(x->name, y->name);
}

/* In order; one that stands there several times is there several times. */
static struct settings settings_read(struct bytes text)
{
	struct settings out = { 0 };

	if (weos_is_json(text))
		read_json(&out, text);
	else
		read_commands(&out, text);
	if (out.count)
		qsort(out.at, out.count, sizeof(*out.at), by_name);
	return out;
}

/* In any abbreviation, and wherever it stands. */
static bool is_named(struct bytes name, const struct weos_items *change)
{
	for (size_t i = 0; i < change->count; i++) {
		struct bytes words[WEOS_WORDS_MAX];
		size_t count = words_split(words, WEOS_WORDS_MAX, change->at[i].text);

		for (size_t k = 0; k < count && !change->at[i].is_end; k++)
			if (words[k].len <= name.len && !memcmp(words[k].ptr, name.ptr, words[k].len))
				return true;
	}
	return false;
}

static bool takes_away(const struct weos_items *change)
{
	for (size_t i = 0; i < change->count; i++) {
		struct bytes word;

		if (words_split(&word, 1, change->at[i].text) && bytes_is(word, "no"))
			return true;
	}
	return false;
}

size_t weos_lost(struct bytes before, struct bytes after, const struct weos_items *change)
{
	struct settings old, new;
	size_t lost = 0;

	if (takes_away(change))
		return 0;
	old = settings_read(before);
	new = settings_read(after);
	for (size_t i = 0, k = 0; i < old.count; i++) {
		while (k < new.count && by_name(&new.at[k], &old.at[i]) < 0)
			k++;
		if (k < new.count && by_name(&new.at[k], &old.at[i]) == 0)
			k++;
		else if (!is_named(old.at[i].section, change) && !is_named(old.at[i].name, change))
			lost++;
	}
	free(old.at);
	free(new.at);
	return lost;
}
