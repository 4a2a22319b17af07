/* policies/frr-text.c -- FRRouting's configuration as text: what is noise in it, what is secret. */
#include "policies/frr-text.h"

#include "policies/words.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* What is no configuration of FRR's: header and comments; the package's version, which is a fact of its own; vtysh's word on how files are
 * kept, shown or not depending on which vtysh is asked; and host names, which are the machine's: the daemons ignore the file's, and vtysh
 * adds that of the machine on which it runs itself. */
static bool is_noise(struct bytes line)
{
	struct bytes text = words_trim(line);

	return !text.len || text.ptr[0] == '!' || text.ptr[0] == '#' || bytes_is(line, "end") ||
	       words_start(line, "Building configuration...") || words_start(line, "Current configuration:") ||
	       words_start(line, "frr version ") || bytes_is(line, "service integrated-vtysh-config") || words_start(line, "hostname ");
}

/* An interface that was named once and has no settings says nothing, and FRR does not let go of it. */
static bool take_empty_interface(struct buf *out, struct bytes line)
{
	size_t at = out->len;

	if (!at || !bytes_is(line, "exit"))
		return false;
	while (at && (at == out->len || out->ptr[at - 1] != '\n'))
		at--;
	if (!words_start(bytes_of(out->ptr + at, out->len - at), "interface "))
		return false;
	buf_truncate(out, at);
	return true;
}

/* Lists and maps stand in running in the order in which somebody first named them, which says nothing and which no revert brings back. */
static const struct {
	const char *words; /* the name comes next */
	size_t count;
	bool is_block; /* ends with "exit" */
} unordered[] = {
	{ "access-list", 1, false },
	{ "ipv6 access-list", 2, false },
	{ "mac access-list", 2, false },
	{ "ip prefix-list", 2, false },
	{ "ipv6 prefix-list", 2, false },
	{ "bgp as-path access-list", 3, false },
	{ "route-map", 1, true },
	{ "key chain", 2, true },
};

/* A top-level line, with the lines of its block. */
struct item {
	struct bytes text;
	size_t kind; /* index of unordered; ARRAY_SIZE for anything else */
	struct bytes name;
	size_t at; /* its place before */
};

bool frr_is_inside(struct bytes line)
{
	return line.len && (line.ptr[0] == ' ' || line.ptr[0] == '\t');
}

/* is_open: it has lines inside and no end. Such a block is left where it is: what follows may belong to it. */
static void name_item(struct item *item, struct bytes first, bool is_open, bool is_closed)
{
	struct bytes words[FRR_WORDS_MAX];
	size_t count = words_split(words, FRR_WORDS_MAX, first);

	for (item->kind = 0; item->kind < ARRAY_SIZE(unordered); item->kind++) {
		size_t len = strlen(unordered[item->kind].words), name = unordered[item->kind].count;

		if (is_open || is_closed != unordered[item->kind].is_block || count <= name ||
		    !words_start(first, unordered[item->kind].words) || first.ptr[len] != ' ')
			continue;
		item->name = words[name];
		return;
	}
}

/* Takes the next item off; false at the end. */
static bool next_item(struct item *item, struct bytes *rest)
{
	struct bytes from = *rest, first, line;
	bool is_closed = false;

	if (!bytes_next_line(rest, &first))
		return false;
	for (struct bytes ahead = *rest; !is_closed && bytes_next_line(&ahead, &line) && (frr_is_inside(line) || bytes_is(line, "exit"));) {
		is_closed = bytes_is(line, "exit");
		*rest = ahead;
	}
	item->text = bytes_of(from.ptr, from.len - rest->len);
	name_item(item, first, !is_closed && item->text.len > first.len + 1, is_closed);
	return true;
}

static int by_name(const void *pa, const void *pb)
{
	const struct item *a = pa, *b = pb;
	size_t common = a->name.len < b->name.len ? a->name.len : b->name.len;
	int r = memcmp(a->name.ptr, b->name.ptr, common);

	if (r == 0)
		r = (a->name.len > b->name.len) - (a->name.len < b->name.len);
	return r ? r : (a->at > b->at) - (a->at < b->at);
}

static void sort_runs(struct item *items, size_t count)
{
	for (size_t from = 0, to; from < count; from = to) {
		for (to = from + 1; to < count && items[to].kind == items[from].kind; to++)
			;
		if (items[from].kind < ARRAY_SIZE(unordered))
			qsort(items + from, to - from, sizeof(*items), by_name);
	}
}

/* Appends the items of text, which ends with a newline, in their order. */
static void put_in_order(struct buf *out, struct bytes text)
{
	struct item *items = NULL, item;
	size_t count = 0, cap = 0;

	while (next_item(&item, &text)) {
		if (count == cap) {
			cap = cap ? 2 * cap : 64;
			items = mem_grow(items, cap * sizeof(*items));
		}
		item.at = count;
		items[count++] = item;
	}
	sort_runs(items, count);
	for (size_t i = 0; i < count; i++)
		buf_add_bytes(out, items[i].text);
	free(items);
}

/* Drops what is noise, and blanks at the ends of lines. */
void frr_canonical(struct buf *out, struct bytes text)
{
	_cleanup_(buf_done) struct buf clean = { 0 };
	struct bytes line;

	while (bytes_next_line(&text, &line)) {
		line = words_trim_end(line);
		if (is_noise(line) || take_empty_interface(&clean, line))
			continue;
		buf_add_bytes(&clean, line);
		buf_add_char(&clean, '\n');
	}
	put_in_order(out, buf_bytes(&clean));
}

/* Words of a line in a row; the secret is what follows, to the end of the line, since several of these commands take
 * blanks. Startup files are also written by hand, and FRR takes any unambiguous beginning of a keyword: '~' ends the part
 * that must be there ("pa~ssword" takes pa, pas, ...). "*" is any word. The first pattern that fits counts; one that begins
 * with '-' says that its words are no secret, and what follows is looked at by itself. */
static const char *const secret_patterns[] = {
	"-ospf authentication message-digest",
	"-ospf authentication null",
	"-ospf authentication key-chain",
	"-authentication message-digest",
	"-authentication null",
	"-authentication mode",
	"-authentication key-chain",
	"-authentication keychain",
	"area-p~assword clear", /* IS-IS */
	"area-p~assword md5",
	"area-p~assword",
	"domain-p~assword clear",
	"domain-p~assword md5",
	"domain-p~assword",
	"isis pa~ssword clear",
	"isis pa~ssword md5",
	"openfabric pa~ssword clear",
	"openfabric pa~ssword md5",
	"pa~ssword", /* line and enable; neighbor ... password of BGP and LDP; MSDP */
	"ospf me~ssage-digest-key * md5",
	"message-~digest-key * md5", /* virtual link */
	"message-~digest-key",
	"ospf au~thentication-key",
	"authentication-~key",
	"key-~id * h~ash-algo * k~ey", /* OSPFv3 */
	"key-~id",
	"key-~string", /* key chains of RIP, EIGRP, OSPF */
	"authentication s~tring", /* RIP */
	"nhrp au~thentication",
	"tcp-md5-~auth", /* PCEP */
	"tcp-a~uthentication",
	"snmp community",
	"snmp-server community",
	"snmp-server user",
	"snmp-server host",
	"rocommunity", /* net-snmp's words, if somebody keeps them in the same file */
	"rwcommunity",
	/* of no command we know, and never harmless */
	"passwd",
	"passp~hrase",
	"secr~et",
	"psk",
	"pre-s~hared-key",
	"shared-k~ey",
	"auth-k~ey",
	"auth-p~assword",
	"private-k~ey",
	"api-k~ey",
};

/* Does word match one pattern word of len bytes? */
static bool word_matches(struct bytes word, const char *pattern, size_t len)
{
	const char *tilde = memchr(pattern, '~', len);
	size_t least = tilde ? (size_t)(tilde - pattern) : len;
	size_t whole = tilde ? len - 1 : len;

	if (len == 1 && *pattern == '*')
		return true;
	if (word.len < least || word.len > whole || strncasecmp((const char *)word.ptr, pattern, least) != 0)
		return false;
	return !tilde || !strncasecmp((const char *)word.ptr + least, tilde + 1, word.len - least);
}

/* How many words the pattern took at words[at]; 0: it does not match here. */
static size_t pattern_at(const char *pattern, const struct bytes *words, size_t count, size_t at)
{
	size_t taken = 0;

	while (*pattern) {
		size_t len = strcspn(pattern, " ");

		if (at + taken >= count || !word_matches(words[at + taken], pattern, len))
			return 0;
		taken++;
		pattern += len + (pattern[len] == ' ');
	}
	return taken;
}

/* The first pattern that fits at words[at], NULL if none does. */
static const char *find_pattern(const struct bytes *words, size_t count, size_t at, size_t *taken)
{
	for (size_t p = 0; p < ARRAY_SIZE(secret_patterns); p++) {
		const char *pattern = secret_patterns[p];

		*taken = pattern_at(pattern + (*pattern == '-'), words, count, at);
		if (*taken)
			return pattern;
	}
	return NULL;
}

/* Where the secret of this line begins; line.len when there is none. */
static size_t secret_begin(struct bytes line)
{
	struct bytes words[FRR_WORDS_MAX];
	size_t count = words_split(words, FRR_WORDS_MAX, line), taken;

	for (size_t at = 0; at < count; at++) {
		const char *pattern = find_pattern(words, count, at, &taken);

		if (pattern && *pattern == '-')
			at += taken - 1;
		else if (pattern && at + taken < count)
			return (size_t)(words[at + taken].ptr - line.ptr);
	}
	/* More words than we look at: a line of this kind is nothing we know, so all of it is secret. */
	return count == FRR_WORDS_MAX ? (size_t)(words[0].ptr - line.ptr) : line.len;
}

/* "no password", "service password-encryption" and the like have nothing behind the keyword, or another word. */
void frr_secrets(struct bytes text, void (*found)(void *ctx, size_t at, size_t len), void *ctx)
{
	const uint8_t *start = text.ptr;
	struct bytes line;

	while (bytes_next_line(&text, &line)) {
		struct bytes body = words_trim_end(line);
		size_t at = secret_begin(body);

		if (at < body.len)
			found(ctx, (size_t)(line.ptr - start) + at, body.len - at);
	}
}

/* ---- what is written for a device ---- */

/* What vtysh and FRR read of a line (cmd_make_strvec() of lib/command.c): words between blanks; a line that begins with '!' or '#' is a
 * comment. There is no quoting, so what may not stand for itself may not stand at all. */
static const char blank_in_word[] = "it holds a blank where one word belongs (write {{{NAME}}} at the end of a line for a text)";

static const char *byte_refused(uint8_t c, enum form_place place)
{
	if (c == '\n' || c == '\r')
		return "it holds a line break";
	if (c < 0x20 || c == 0x7f)
		return "it holds a control character";
	if (c >= 0x80 && place == FORM_WORD) /* FRR keeps such bytes in a text as they are; in a word they mean nothing */
		return "it holds a character that is not ASCII";
	return c == ' ' && place == FORM_WORD ? blank_in_word : NULL;
}

const char *frr_value_refused(struct bytes before, struct bytes value, enum form_place place)
{
	static const char *const negations[] = { "no", "do", "default", NULL };

	return words_value_refused(before, value, place, negations, byte_refused);
}

/* Commands of vtysh itself, which an `exit` too many makes reachable: there even its dry run carries them out. It takes any beginning of
 * them, and no configuration is as short as that. */
static bool is_command(struct bytes word)
{
	static const char *const commands[] = { "do",
						"end",
						"quit",
						"write",
						"copy",
						"clear",
						"configure",
						"output",
						"terminal",
						"start-shell",
						"ssh",
						"telnet",
						"ping",
						"traceroute",
						"XFRR_start_configuration",
						"XFRR_end_configuration" };

	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (word.len <= strlen(commands[i]) && !memcmp(word.ptr, commands[i], word.len))
			return true;
	return false;
}

const char *frr_line_refused(struct bytes line)
{
	struct bytes word;

	if (words_split(&word, 1, line) && is_command(word))
		return "it is a command of vtysh, not configuration";
	for (size_t i = 0; i < line.len; i++)
		if (line.ptr[i] != '\t' && (line.ptr[i] < 0x20 || line.ptr[i] == 0x7f))
			return "it holds a control character";
	return NULL;
}

bool frr_is_address(struct bytes head, struct bytes line)
{
	struct bytes words[FRR_WORDS_MAX];
	size_t count = words_split(words, FRR_WORDS_MAX, line), at = 0;

	if (count && bytes_is(words[0], "no"))
		at = 1;
	if (at == count)
		return false;
	if (words_start(line, "interface ") || words_start(line, "no interface ") || words_start(line, "vrf ") ||
	    words_start(line, "no vrf "))
		return at == 1; /* as a whole; the lines inside are looked at by themselves */
	if (!words_start(head, "interface "))
		return false;
	return bytes_is(words[at], "shutdown") ||
	       (at + 1 < count && bytes_is(words[at + 1], "address") && (bytes_is(words[at], "ip") || bytes_is(words[at], "ipv6")));
}

bool frr_is_remark(struct bytes line)
{
	struct bytes words[2];
	size_t count = words_split(words, 2, line), at = count && bytes_is(words[0], "no");

	return at < count && (bytes_is(words[at], "description") || bytes_is(words[at], "exit"));
}
