/* agent/files-nft.c -- nftables: what a file would make run, and what nft says about it.
 *
 * What nft lists is never the text of the file: sets, priorities and includes are written otherwise. So a file is judged by loading it
 * where it has no effect, in a network namespace that lasts as long as the question, and by listing what came of it. */
#include "agent/files-parts.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum { NAMES_MAX = 200, LINK_NAME_MAX = 15, NOT_LOADED = 3 };

/* Constant: what varies are its arguments, which are names of interfaces, and its standard input. */
static const char script[] = "for name; do ip link add name \"$name\" type bridge 2>/dev/null; done\n"
			     "nft -f /dev/stdin || exit 3\n"
			     "exec nft -s list ruleset";

bool files_is_nft(const struct settings_part *part)
{
	return !strcmp(part->format, "nftables");
}

/* ---- interfaces that rules name: nft takes 'iif' and 'device' for those only that exist ---- */

struct names {
	char *at[NAMES_MAX];
	size_t count;
};

static void names_done(struct names *names)
{
	for (size_t i = 0; i < names->count; i++)
		mem_freep(&names->at[i]);
}

static void add_name(struct names *names, struct bytes word)
{
	if (!word.len || word.len > LINK_NAME_MAX || names->count == NAMES_MAX || isdigit(word.ptr[0]) || word.ptr[0] == '-')
		return;
	for (size_t i = 0; i < names->count; i++)
		if (bytes_is(word, names->at[i]))
			return;
	names->at[names->count++] = mem_strndup((const char *)word.ptr, word.len);
}

static bool is_name_char(uint8_t c)
{
	return isalnum(c) || c == '_' || c == '.' || c == '-' || c == '@';
}

/* Words that are no interface do no harm: an interface of that name then is there, too. */
static void add_names(struct names *names, struct bytes line)
{
	static const char *const words[] = { "iif", "oif", "device", "define" };
	bool is_wanted = false;

	for (size_t i = 0; line.len && i < ARRAY_SIZE(words); i++)
		is_wanted = is_wanted || memmem(line.ptr, line.len, words[i], strlen(words[i]));
	for (size_t from = 0, to; is_wanted && from < line.len; from = to + 1) {
		for (to = from; to < line.len && is_name_char(line.ptr[to]); to++)
			;
		add_name(names, bytes_of(line.ptr + from, to - from));
	}
}

/* ---- ---- */

static int try_load(struct buf *out, const struct names *names, struct bytes content, struct error *err)
{
	const char *argv[NAMES_MAX + 8] = { "unshare", "--net", "--", "sh", "-c", script, "sh" };
	_cleanup_(proc_result_done) struct proc_result res = { 0 };
	size_t n = 7;

	for (size_t i = 0; i < names->count; i++)
		argv[n++] = names->at[i];
	argv[n] = NULL;
	if (proc_run(&res, argv, content, FILES_COMMAND_MS, DEVICE_TEXT_MAX, err) < 0)
		return err->code;
	if (res.status == NOT_LOADED)
		return FILES_NOT_LOADABLE;
	if (res.status)
		return error_set(err, E_PEER, "no ruleset can be tried in a network namespace of its own (status %d)", res.status);
	files_nft_canonical(out, buf_bytes(&res.out));
	return 0;
}

int files_nft_as_listed(struct buf *out, struct bytes content, struct error *err)
{
	_cleanup_(names_done) struct names names = { 0 };
	struct bytes rest = content, line;
	int r = try_load(out, &names, content, err);

	if (r != FILES_NOT_LOADABLE)
		return r;
	while (bytes_next_line(&rest, &line))
		add_names(&names, line);
	return names.count ? try_load(out, &names, content, err) : r;
}

void files_nft_whole(struct buf *out, struct bytes content)
{
	buf_add_str(out, "flush ruleset\n");
	buf_add_bytes(out, content);
}

void files_nft_file(struct buf *out, struct bytes listing)
{
	buf_add_str(out, "#!/usr/sbin/nft -f\n\nflush ruleset\n\n");
	buf_add_bytes(out, listing);
}

/* "/dev/stdin:4:13-15: Error: ..." */
unsigned files_nft_line(struct bytes messages)
{
	struct bytes line;
	unsigned number;

	while (bytes_next_line(&messages, &line)) {
		char head[64];

		snprintf(head, sizeof(head), "%.*s", (int)(line.len < 63 ? line.len : 63), line.len ? (const char *)line.ptr : "");
		if (sscanf(head, "/dev/stdin:%u:", &number) == 1)
			return number;
	}
	return 0;
}
