/* policies/files-text.c -- a device whose configuration is files, as one text. */
#include "policies/files-text.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static const char magic[] = "holdfast-files/1";
static const char *const kinds[] = { "text", "text-open", "base64", "sha256" };

static bool starts(struct bytes text, const char *with)
{
	size_t len = strlen(with);

	return text.len >= len && !memcmp(text.ptr, with, len);
}

static bool contains(struct bytes text, const char *what)
{
	return text.ptr && memmem(text.ptr, text.len, what, strlen(what));
}

static struct bytes trim(struct bytes line)
{
	while (line.len && isspace(line.ptr[0]))
		line = bytes_from(line, 1);
	while (line.len && isspace(line.ptr[line.len - 1]))
		line.len--;
	return line;
}

static struct bytes trim_end(struct bytes line)
{
	while (line.len && isspace(line.ptr[line.len - 1]))
		line.len--;
	return line;
}

/* ---- reading ---- */

bool files_name_ok(struct bytes word)
{
	for (size_t i = 0; i < word.len; i++)
		if (!isalnum(word.ptr[i]) && (!word.ptr[i] || !strchr("._-$", word.ptr[i])))
			return false;
	return word.len && word.len <= FILES_NAME_MAX;
}

bool files_path_ok(struct bytes path)
{
	if (!path.len || path.ptr[0] != '/' || path.len > FILES_PATH_MAX || path.ptr[path.len - 1] == '/')
		return false;
	for (size_t i = 0; i < path.len; i++)
		if (path.ptr[i] < 0x20 || path.ptr[i] == 0x7f)
			return false;
	for (size_t from = 0, to; from < path.len; from = to) {
		struct bytes step;

		for (to = ++from; to < path.len && path.ptr[to] != '/'; to++)
			;
		step = bytes_of(path.ptr + from, to - from);
		if (!step.len || bytes_is(step, ".") || bytes_is(step, ".."))
			return false;
	}
	return true;
}

/* The next word, up to one blank. */
static struct bytes take_word(struct bytes *line)
{
	const uint8_t *blank = line->ptr ? memchr(line->ptr, ' ', line->len) : NULL;
	struct bytes word = bytes_of(line->ptr, blank ? (size_t)(blank - line->ptr) : line->len);

	*line = bytes_from(*line, word.len + (blank != NULL));
	return word;
}

static bool take_kind(enum files_kind *out, struct bytes word)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (bytes_is(word, kinds[i])) {
			*out = (enum files_kind)i;
			return true;
		}
	return false;
}

/* Four octal digits. */
static bool take_mode(unsigned *out, struct bytes word)
{
	*out = 0;
	for (size_t i = 0; i < word.len; i++) {
		if (word.ptr[i] < '0' || word.ptr[i] > '7')
			return false;
		*out = *out * 8 + (unsigned)(word.ptr[i] - '0');
	}
	return word.len == 4;
}

static bool take_head(struct files_part *out, struct bytes line)
{
	if (!bytes_is(take_word(&line), "part"))
		return false;
	out->format = take_word(&line);
	if (!files_name_ok(out->format) || !take_kind(&out->kind, take_word(&line)) || !take_mode(&out->mode, take_word(&line)))
		return false;
	out->owner = take_word(&line);
	out->group = take_word(&line);
	out->path = line;
	return files_name_ok(out->owner) && files_name_ok(out->group) && files_path_ok(out->path);
}

static int by_bytes(struct bytes a, struct bytes b)
{
	size_t least = a.len < b.len ? a.len : b.len;
	int r = least ? memcmp(a.ptr, b.ptr, least) : 0;

	return r ? r : (a.len > b.len) - (a.len < b.len);
}

/* Takes the lines that belong to a part; returns how many. */
static unsigned take_body(struct files_part *part, struct bytes *rest)
{
	struct bytes from = *rest, line, ahead = *rest;
	unsigned count = 0;

	while (bytes_next_line(&ahead, &line) && files_is_inside(line)) {
		*rest = ahead;
		count++;
	}
	part->body = bytes_of(from.ptr, from.len - rest->len);
	return count;
}

/* Base64 and a hash are one line; text that lacks its last newline has a last line. */
static bool body_ok(const struct files_part *part, unsigned lines)
{
	return part->kind == FILES_TEXT || (part->kind == FILES_TEXT_OPEN ? lines >= 1 : lines == 1);
}

static int parse(struct files_text *out, struct bytes text, struct error *err)
{
	unsigned number = 1;
	struct bytes line;

	if (!bytes_next_line(&text, &line) || !bytes_is(line, magic))
		return error_set(err, E_FORMAT, "line 1: it is not '%s'", magic);
	while (bytes_next_line(&text, &line)) {
		struct files_part *part;
		unsigned lines;

		number++;
		if (out->count == FILES_PARTS_MAX)
			return error_set(err, E_FORMAT, "line %u: more than %d parts", number, FILES_PARTS_MAX);
		part = &out->parts[out->count];
		part->line = number + 1;
		if (!take_head(part, line))
			return error_set(err, E_FORMAT, "line %u: it is no 'part FORMAT KIND MODE OWNER GROUP PATH'", number);
		if (out->count && by_bytes(part[-1].path, part->path) >= 0)
			return error_set(err, E_FORMAT, "line %u: the path must come behind the one before", number);
		lines = take_body(part, &text);
		if (!body_ok(part, lines))
			return error_set(err, E_FORMAT, "line %u: the content is of another form", number);
		number += lines;
		out->count++;
	}
	return 0;
}

int files_parse(struct files_text *out, struct bytes text, struct error *err)
{
	*out = (struct files_text){ .parts = mem_alloc(FILES_PARTS_MAX * sizeof(*out->parts)) };
	/* a text is whole lines: otherwise what is put back would not be what it was */
	if (!text.len || text.ptr[text.len - 1] != '\n')
		error_set(err, E_FORMAT, "it does not end with a newline");
	else if (parse(out, text, err) == 0)
		return 0;
	files_text_done(out);
	return err->code;
}

void files_text_done(struct files_text *text)
{
	free(text->parts);
	*text = (struct files_text){ 0 };
}

const struct files_part *files_find(const struct files_text *text, struct bytes path)
{
	for (size_t i = 0; i < text->count; i++)
		if (bytes_equal(text->parts[i].path, path))
			return &text->parts[i];
	return NULL;
}

/* ---- formats ---- */

enum rule {
	RULE_NONE,     /* nothing in it is secret */
	RULE_PEM,      /* only private keys */
	RULE_WORDS,    /* what follows words like "password", too */
	RULE_RSYSLOG,  /* the words, and the old form of database actions */
	RULE_WPA,      /* the words, and those of wpa_supplicant */
	RULE_CHRONY,   /* chrony.keys: the words behind a number */
	RULE_IPSEC,    /* ipsec.secrets: what follows the colon */
	RULE_KEY,      /* all but certificates and public keys */
	RULE_SECRET,   /* all of it, as base64 */
};

static const struct {
	const char *name;
	enum rule rule;
} formats[] = {
	{ "nftables", RULE_NONE },       { "plain", RULE_WORDS },     { "sshd", RULE_PEM },
	{ "chrony", RULE_CHRONY },       { "rsyslog", RULE_RSYSLOG }, { "wpa", RULE_WPA },
	{ "ipsec-secrets", RULE_IPSEC }, { "key", RULE_KEY },         { "secret", RULE_SECRET },
};

static enum rule rule_of(struct bytes format)
{
	for (size_t i = 0; i < ARRAY_SIZE(formats); i++)
		if (bytes_is(format, formats[i].name))
			return formats[i].rule;
	return RULE_SECRET;
}

bool files_format_known(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(formats); i++)
		if (!strcmp(formats[i].name, name))
			return true;
	return false;
}

/* ---- writing ---- */

/* Control characters but tab and newline belong to no text, and some of them would draw on the screen of whoever reads it. */
static bool is_text(struct bytes content)
{
	for (size_t i = 0; i < content.len; i++)
		if ((content.ptr[i] < 0x20 && content.ptr[i] != '\n' && content.ptr[i] != '\t') || content.ptr[i] == 0x7f)
			return false;
	return true;
}

void files_begin(struct buf *out)
{
	buf_addf(out, "%s\n", magic);
}

static void put_head(struct buf *out, const struct files_part *part, enum files_kind kind)
{
	buf_addf(out, "part %.*s %s %04o %.*s %.*s ", (int)part->format.len, (const char *)part->format.ptr, kinds[kind],
		 part->mode & 07777, (int)part->owner.len, (const char *)part->owner.ptr, (int)part->group.len,
		 (const char *)part->group.ptr);
	buf_add_bytes(out, part->path);
	buf_add_char(out, '\n');
}

void files_put(struct buf *out, const struct files_part *part, struct bytes content)
{
	bool is_open = content.len && content.ptr[content.len - 1] != '\n';
	struct bytes line;

	if (rule_of(part->format) == RULE_SECRET || !is_text(content)) {
		put_head(out, part, FILES_BASE64);
		buf_add_char(out, ' ');
		base64_encode(out, content);
		buf_add_char(out, '\n');
		return;
	}
	put_head(out, part, is_open ? FILES_TEXT_OPEN : FILES_TEXT);
	while (bytes_next_line(&content, &line)) {
		buf_add_char(out, ' ');
		buf_add_bytes(out, line);
		buf_add_char(out, '\n');
	}
}

void files_put_hash(struct buf *out, const struct files_part *part, const uint8_t hash[static 32])
{
	char digits[FILES_HASH_DIGITS + 1];

	hex_encode(digits, hash, FILES_HASH_DIGITS / 2);
	put_head(out, part, FILES_SHA256);
	buf_addf(out, " %s\n", digits);
}

int files_content(struct buf *out, const struct files_part *part, struct error *err)
{
	struct bytes body = part->body, line = { 0 };
	size_t start = out->len;

	if (part->kind == FILES_SHA256)
		return error_set(err, E_FORMAT, "line %u: the content is not known, only its hash", part->line);
	while (bytes_next_line(&body, &line)) {
		line = bytes_from(line, 1);
		if (part->kind == FILES_BASE64)
			return base64_decode(out, line) ? 0 : error_set(err, E_FORMAT, "line %u: it is no base64", part->line);
		buf_add_bytes(out, line);
		buf_add_char(out, '\n');
	}
	if (part->kind == FILES_TEXT_OPEN && out->len > start)
		buf_truncate(out, out->len - 1);
	return 0;
}

/* ---- canonical form ---- */

/* Where a listing is: sets that the packet path fills. */
struct nft_scan {
	bool is_dynamic; /* the set around this line */
	bool in_elements;
};

static bool nft_is_noise(struct nft_scan *scan, struct bytes line)
{
	struct bytes text = trim(line);

	if (!text.len || text.ptr[0] == '#')
		return true;
	if (starts(text, "set ") || starts(text, "map ") || starts(text, "chain ") || starts(text, "table "))
		*scan = (struct nft_scan){ 0 };
	if (starts(text, "flags ") && contains(text, "dynamic"))
		scan->is_dynamic = true;
	if (scan->is_dynamic && starts(text, "elements = {"))
		scan->in_elements = true;
	if (!scan->in_elements)
		return false;
	scan->in_elements = text.ptr[text.len - 1] != '}';
	return true;
}

void files_nft_canonical(struct buf *out, struct bytes content)
{
	struct nft_scan scan = { 0 };
	struct bytes line;

	while (bytes_next_line(&content, &line)) {
		if (nft_is_noise(&scan, line))
			continue;
		buf_add_bytes(out, trim_end(line));
		buf_add_char(out, '\n');
	}
}

static bool is_nft_text(const struct files_part *part)
{
	return bytes_is(part->format, "nftables") && (part->kind == FILES_TEXT || part->kind == FILES_TEXT_OPEN);
}

/* Lines of content keep their blank in front here: noise is found all the same, and ends of lines are theirs. */
static void put_canonical(struct buf *out, const struct files_part *part)
{
	if (!is_nft_text(part)) {
		put_head(out, part, part->kind);
		buf_add_bytes(out, part->body);
		return;
	}
	put_head(out, part, FILES_TEXT);
	files_nft_canonical(out, part->body);
}

void files_canonical(struct buf *out, struct bytes text)
{
	struct files_text parsed;
	struct error ignored;

	if (files_parse(&parsed, text, &ignored) < 0) {
		buf_add_bytes(out, text);
		return;
	}
	files_begin(out);
	for (size_t i = 0; i < parsed.count; i++)
		put_canonical(out, &parsed.parts[i]);
	files_text_done(&parsed);
}

/* ---- secrets ---- */

/* What a name is said to hold, in lower case and without '-', '_' and '.'. */
static const char *const telling[] = { "password",   "passwd",       "passphrase", "passwort",      "pwd",     "secret",    "psk",
				       "privatekey", "presharedkey", "sharedkey",  "apikey",        "authkey", "accesskey", "encryptionkey",
				       "token",      "credential",   "community",  "authorization", "bearer" };
static const char *const telling_wpa[] = { "wepkey", "pin", "passw", "pacfile", "dppcsign", "key0", "key1", "key2", "key3" };

enum { NAME_SHORT = 64 };

/* The name as one compares it; what is longer than any name is cut. */
static void as_name(char out[static NAME_SHORT], struct bytes word)
{
	size_t n = 0;

	for (size_t i = 0; i < word.len && n + 1 < NAME_SHORT; i++)
		if (word.ptr[i] && !strchr("-_.\"'", word.ptr[i]))
			out[n++] = (char)tolower(word.ptr[i]);
	out[n] = 0;
}

static bool tells(struct bytes word, bool is_wpa)
{
	char name[NAME_SHORT];

	as_name(name, word);
	for (size_t i = 0; i < ARRAY_SIZE(telling); i++)
		if (strstr(name, telling[i]))
			return true;
	for (size_t i = 0; is_wpa && i < ARRAY_SIZE(telling_wpa); i++)
		if (strstr(name, telling_wpa[i]))
			return true;
	return false;
}

/* Anything that no name has in it: also brackets of XML, quotes of JSON, the colon of YAML. */
static bool is_parting(uint8_t c)
{
	return !isalnum(c) && c != '-' && c != '_' && c != '.' && c < 0x80;
}

/* Behind the first word that tells, and what parts it from its value, the rest of the line. */
static size_t after_telling(struct bytes line, bool is_wpa)
{
	size_t at = 0;

	while (at < line.len) {
		size_t from;

		while (at < line.len && is_parting(line.ptr[at]))
			at++;
		from = at;
		while (at < line.len && !is_parting(line.ptr[at]))
			at++;
		if (at > from && tells(bytes_of(line.ptr + from, at - from), is_wpa))
			break;
	}
	while (at < line.len && is_parting(line.ptr[at]))
		at++;
	return at;
}

/* "https://user:password@host" */
static size_t after_scheme(struct bytes line)
{
	const uint8_t *from = line.ptr ? memmem(line.ptr, line.len, "://", 3) : NULL;
	size_t at = from ? (size_t)(from - line.ptr) + 3 : line.len;

	return at < line.len && memchr(line.ptr + at, '@', line.len - at) ? at : line.len;
}

static size_t after_words(struct bytes line, bool is_wpa)
{
	size_t word = after_telling(line, is_wpa), scheme = after_scheme(line);

	return word < scheme ? word : scheme;
}

static bool is_comment(uint8_t c)
{
	return c == '#' || c == '!' || c == ';' || c == '%';
}

/* "1 SHA1 HEX:..." and, of old, "1 key": what follows the number, also where it is commented out. */
static size_t after_number(struct bytes line)
{
	size_t at = 0, digits;

	while (at < line.len && (isspace(line.ptr[at]) || is_comment(line.ptr[at])))
		at++;
	for (digits = at; at < line.len && isdigit(line.ptr[at]); at++)
		;
	if (at == digits || at == line.len || !isspace(line.ptr[at]))
		return line.len;
	while (at < line.len && isspace(line.ptr[at]))
		at++;
	return at;
}

/* "host : PSK ...", also where it is commented out, and what goes on in lines that are set in. */
static size_t after_colon(struct bytes line)
{
	struct bytes text = trim(line);
	const uint8_t *colon = text.ptr ? memchr(text.ptr, ':', text.len) : NULL;
	size_t at;

	if (!text.len || text.ptr != line.ptr)
		return 0;
	if (!colon)
		return text.ptr[0] == '#' || starts(text, "include ") ? line.len : 0;
	for (at = (size_t)(colon - line.ptr) + 1; at < line.len && isspace(line.ptr[at]); at++)
		;
	return at;
}

static size_t after_database(struct bytes line)
{
	struct bytes text = trim(line);
	size_t at = after_words(line, false);

	if (contains(text, ":om")) {
		const uint8_t *from = memmem(line.ptr, line.len, ":om", 3);

		at = (size_t)(from - line.ptr) < at ? (size_t)(from - line.ptr) : at;
	}
	return at;
}

/* Where the secret of a line begins; its length when there is none. */
static size_t secret_at(enum rule rule, struct bytes line)
{
	switch (rule) {
	case RULE_NONE:
	case RULE_PEM:
		return line.len;
	case RULE_WORDS:
		return after_words(line, false);
	case RULE_WPA:
		return after_words(line, true);
	case RULE_RSYSLOG:
		return after_database(line);
	case RULE_CHRONY:
		return after_number(line);
	case RULE_IPSEC:
		return after_colon(line);
	case RULE_KEY:
	case RULE_SECRET:
		return 0;
	}
	return 0;
}

/* PEM of RFC 7468: what is between the lines with dashes, unless it says that it is public. */
struct pem {
	bool is_inside, is_public;
};

static bool is_pem_edge(struct pem *pem, struct bytes line)
{
	struct bytes text = trim(line);

	if (text.len < 10 || memcmp(text.ptr + text.len - 5, "-----", 5) != 0)
		return false;
	if (starts(text, "-----BEGIN ")) {
		pem->is_inside = true;
		pem->is_public = contains(text, "PUBLIC KEY") || contains(text, "CERTIFICATE") || contains(text, "PARAMETERS");
		return true;
	}
	if (!starts(text, "-----END "))
		return false;
	*pem = (struct pem){ 0 };
	return true;
}

struct hunt {
	const uint8_t *start;
	void (*found)(void *ctx, size_t at, size_t len);
	void *ctx;
};

static void hunt_line(const struct hunt *h, enum rule rule, struct pem *pem, struct bytes line)
{
	size_t at;

	if (rule != RULE_NONE && rule != RULE_SECRET && is_pem_edge(pem, line))
		return;
	at = pem->is_inside ? (pem->is_public ? line.len : 0) : secret_at(rule, line);
	line = trim_end(line);
	if (at < line.len)
		h->found(h->ctx, (size_t)(line.ptr - h->start) + at, line.len - at);
}

static void hunt_lines(const struct hunt *h, enum rule rule, struct bytes lines, size_t indent)
{
	struct pem pem = { 0 };
	struct bytes line;

	while (bytes_next_line(&lines, &line))
		if (line.len > indent)
			hunt_line(h, rule, &pem, bytes_from(line, indent));
}

void files_secrets(struct bytes text, void (*found)(void *ctx, size_t at, size_t len), void *ctx)
{
	struct hunt h = { text.ptr, found, ctx };
	struct files_text parsed;
	struct error ignored;

	if (!starts(text, "holdfast-files/")) { /* commands of nft */
		hunt_lines(&h, RULE_WORDS, text, 0);
		return;
	}
	if (files_parse(&parsed, text, &ignored) < 0) {
		hunt_lines(&h, RULE_SECRET, text, 0);
		return;
	}
	for (size_t i = 0; i < parsed.count; i++) {
		const struct files_part *part = &parsed.parts[i];
		bool is_all = part->kind == FILES_BASE64 || part->kind == FILES_SHA256;

		hunt_lines(&h, is_all ? RULE_SECRET : rule_of(part->format), part->body, 1);
	}
	files_text_done(&parsed);
}

/* ---- what is written for a device ---- */

static bool is_harmless(uint8_t c, enum form_place place)
{
	return isalnum(c) || (c && strchr("._:/@-", c)) || (place == FORM_REST && c && strchr(" ,+=()!", c));
}

/* nft reads on after a blank, a comma, a brace, a quote; only within a comment's quotes may there be blanks. */
const char *files_value_refused(struct bytes before, struct bytes value, enum form_place place)
{
	size_t quotes = 0;

	if (!trim(before).len)
		return "it would stand where the command does";
	if (!value.len)
		return "it is empty";
	if (value.len > FORM_VALUE_MAX)
		return "it is longer than 1000 bytes";
	for (size_t i = 0; i < before.len; i++)
		quotes += before.ptr[i] == '"';
	for (size_t i = 0; i < value.len; i++)
		if (!is_harmless(value.ptr[i], quotes % 2 ? place : FORM_WORD))
			return "it holds a character that may stand in no word of nft";
	return NULL;
}

const char *files_line_refused(struct bytes line)
{
	for (size_t i = 0; i < line.len; i++)
		if (line.ptr[i] != '\t' && (line.ptr[i] < 0x20 || line.ptr[i] == 0x7f))
			return "it holds a control character";
	if (!files_is_inside(line) && starts(trim(line), "include"))
		return "it would read another file of the device";
	return NULL;
}

bool files_is_inside(struct bytes line)
{
	return line.len && line.ptr[0] == ' ';
}

/* Rules that let nobody in are how a firewall loses its operator. */
bool files_is_address(struct bytes head, struct bytes line)
{
	static const char *const cuts[] = { "drop", "reject", "policy", "hook", "flush", "delete", "destroy", "return" };

	if (head.len && !starts(head, "part nftables "))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(cuts); i++)
		if (contains(line, cuts[i]))
			return true;
	return false;
}
