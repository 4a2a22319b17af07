/* policies/weos-secrets.c -- what is secret in a configuration of WeOS.
 *
 * Three rules, in both dialects: what stands behind a word that promises a secret; what has the shape of a hash, a key or an encrypted
 * token, wherever it stands; and all of a section that we do not know, but for the first word of each line. */
#include "policies/weos-text.h"

#include "policies/words.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

enum { KEY_LEAST = 20, DASHED_KEY_LEAST = 32 };

typedef void found_fn(void *ctx, size_t at, size_t len);

static bool holds(struct bytes word, const char *part)
{
	size_t len = strlen(part);

	for (size_t i = 0; i + len <= word.len; i++)
		if (!strncasecmp((const char *)word.ptr + i, part, len))
			return true;
	return false;
}

static bool ends(struct bytes word, const char *part)
{
	size_t len = strlen(part);

	return word.len >= len && !strncasecmp((const char *)word.ptr + word.len - len, part, len);
}

static bool is_one_of(struct bytes word, const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (word.len == strlen(names[i]) && !strncasecmp((const char *)word.ptr, names[i], word.len))
			return true;
	return false;
}

/* Does a word promise that what follows is a secret? */
static bool is_promise(struct bytes word)
{
	static const char *const parts[] = { "passw", "passphrase", "secret", "psk", "communit", "credential", "private" };
	static const char *const tails[] = { "key", "hash", "token", "pin", "pass", "wep", "wpa" };
	static const char *const names[] = { "rouser", "rwuser", "trapuser", "pem" };

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		if (holds(word, parts[i]))
			return true;
	for (size_t i = 0; i < ARRAY_SIZE(tails); i++)
		if (ends(word, tails[i]))
			return true;
	return is_one_of(word, names, ARRAY_SIZE(names));
}

/* Sections in which the first two rules find what is secret. Those of tunnels, modems and the like are not among them. */
static bool is_known(struct bytes section)
{
	static const char *const names[] = {
		"aaa",           "aggregate",  "alarm",  "app",   "boot",        "container",     "date",    "dhcp-relay",
		"dhcp-server",   "digital-in", "dns",    "event", "fdb",         "firewall",      "frnt",    "hostname",
		"iface",         "igmp",       "io",     "ip",    "ipconfig",    "lacp",          "led",     "link-aggregation",
		"lldp",          "logging",    "mac",    "mcast", "mirror",      "monitor",       "mrp",     "mstp",
		"nat",           "ntp",        "poe",    "port",  "ports",       "ptp",           "qos",     "rico",
		"ring-coupling", "router",     "rstp",   "snmp",  "snmp-server", "spanning-tree", "ssh",     "ssh-server",
		"ssl",           "system",     "telnet", "time",  "timezone",    "usb",           "version", "vlan",
		"vlans",         "vrrp",       "web",
	};

	return is_one_of(section, names, ARRAY_SIZE(names));
}

struct letters {
	size_t upper, lower, digits, hex, dashes, other;
};

static struct letters count_letters(struct bytes word)
{
	struct letters n = { 0 };

	for (size_t i = 0; i < word.len; i++) {
		uint8_t c = word.ptr[i];

		n.upper += isupper(c) != 0;
		n.lower += islower(c) != 0;
		n.digits += isdigit(c) != 0;
		n.hex += isxdigit(c) != 0;
		n.dashes += c == '-' || c == '_';
		n.other += !isalnum(c) && !strchr("+/=-_", c);
	}
	return n;
}

/* A hash as crypt(5) writes it, an encrypted token in whatever dress, or a key in hexadecimal or base64. */
static bool has_key_shape(struct bytes word)
{
	struct letters n;

	while (word.len && (word.ptr[0] == '"' || word.ptr[0] == '\''))
		word = bytes_from(word, 1);
	while (word.len && (word.ptr[word.len - 1] == '"' || word.ptr[word.len - 1] == '\'' || word.ptr[word.len - 1] == ','))
		word.len--;
	if (word.len > 2 && (word.ptr[0] == '$' || word.ptr[0] == '{' || word.ptr[0] == '%'))
		return memchr(word.ptr + 1, word.ptr[0] == '{' ? '}' : word.ptr[0], word.len - 1) != NULL;
	n = count_letters(word);
	if (n.other || word.len < KEY_LEAST)
		return holds(word, "enc:") || holds(word, "-----begin");
	if (n.hex == word.len)
		return true;
	return n.upper && n.lower && n.digits && (!n.dashes || word.len >= DASHED_KEY_LEAST);
}

/* ---- commands ---- */

struct lines {
	struct bytes text; /* all of it */
	found_fn *found;
	void *ctx;
	bool is_known_section, is_pem;
};

static void found_from(struct lines *l, struct bytes body, const uint8_t *at)
{
	l->found(l->ctx, (size_t)(at - l->text.ptr), (size_t)(body.ptr + body.len - at));
}

/* "alg sha512" is what an auditor wants to read, and which key encrypts secrets is no secret. */
static bool is_harmless(struct bytes word, struct bytes next)
{
	static const char *const sources[] = { "portable", "hwuid", "password" };

	return (bytes_is(word, "password") && bytes_is(next, "alg")) ||
	       (bytes_is(word, "encrypt-secrets") && is_one_of(next, sources, ARRAY_SIZE(sources)));
}

static void secrets_of_known(struct lines *l, struct bytes body, const struct bytes *words, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		bool has_next = i + 1 < count;

		if (has_next && is_harmless(words[i], words[i + 1])) {
			i++;
			continue;
		}
		if (has_key_shape(words[i])) {
			found_from(l, body, words[i].ptr);
			return;
		}
		if (has_next && is_promise(words[i])) {
			found_from(l, body, words[i + 1].ptr);
			return;
		}
	}
}

/* The section that a line on the top level begins. */
static bool begins_known(const struct bytes *words, size_t count)
{
	size_t at = count > 1 && bytes_is(words[0], "no");

	return is_known(words[at]);
}

static void line_secrets(struct lines *l, struct bytes line, bool is_inside)
{
	struct bytes words[WEOS_WORDS_MAX], body = words_trim(line);
	size_t count = words_split(words, WEOS_WORDS_MAX, body), first;

	if (!count || bytes_is(body, "end"))
		return;
	if (!is_inside)
		l->is_known_section = begins_known(words, count);
	first = bytes_is(words[0], "no"); /* of a section that is not known, its name is told, and whether it is there */
	if (body.ptr[0] == '#' || count == WEOS_WORDS_MAX || has_key_shape(words[0]))
		found_from(l, body, words[0].ptr);
	else if (l->is_known_section)
		secrets_of_known(l, body, words, count);
	else if (first + 1 < count)
		found_from(l, body, words[first + 1].ptr);
}

/* All of a block of PEM, whatever it holds. */
static bool take_pem(struct lines *l, struct bytes line)
{
	struct bytes body = words_trim(line);

	l->is_pem = l->is_pem || holds(body, "-----BEGIN");
	if (!l->is_pem)
		return false;
	if (body.len)
		found_from(l, body, body.ptr);
	l->is_pem = !holds(body, "-----END");
	return true;
}

static void command_secrets(struct bytes text, found_fn *found, void *ctx)
{
	struct lines l = { .text = text, .found = found, .ctx = ctx };
	struct bytes line;

	while (bytes_next_line(&text, &line))
		if (!take_pem(&l, line))
			line_secrets(&l, line, line.len && isspace(line.ptr[0]));
}

/* ---- JSON ---- */

struct json {
	struct bytes text;
	size_t at;
	found_fn *found;
	void *ctx;
	unsigned depth;      /* objects and lists around us */
	unsigned secret_at;  /* the depth at which all became secret; 0: it is not */
	bool is_next_secret; /* the value to come, by its name */
	bool is_next_known;
	bool is_next_password; /* named so, and nothing more */
};

/* The string that begins at the quote; without quotes. It ends at the line's end at the latest. */
static struct bytes take_string(struct json *j)
{
	size_t from = ++j->at;

	while (j->at < j->text.len && j->text.ptr[j->at] != '"' && j->text.ptr[j->at] != '\n')
		j->at += j->text.ptr[j->at] == '\\' && j->at + 1 < j->text.len && j->text.ptr[j->at + 1] != '\n' ? 2 : 1;
	if (j->at > j->text.len)
		j->at = j->text.len;
	return bytes_of(j->text.ptr + from, j->at - from);
}

static bool is_name(const struct json *j)
{
	size_t at = j->at;

	while (at < j->text.len && (j->text.ptr[at] == ' ' || j->text.ptr[at] == '\t'))
		at++;
	return at < j->text.len && j->text.ptr[at] == ':';
}

static void take_name(struct json *j, struct bytes name)
{
	if (j->depth <= 1)
		j->is_next_known = is_known(name);
	j->is_next_password = bytes_is(name, "password");
	j->is_next_secret = is_promise(name) && !bytes_is(name, "encrypt-secrets");
}

/* "alg sha512 hash $6$...": as in a command, how it is kept may be read. What is left is the secret. */
static struct bytes behind_algorithm(struct bytes value)
{
	struct bytes words[4];
	size_t count = words_split(words, ARRAY_SIZE(words), value);

	if (count != 4 || words[0].ptr != value.ptr || !bytes_is(words[0], "alg") || words[1].len > 16 ||
	    (!bytes_is(words[2], "hash") && !bytes_is(words[2], "secret")) || has_key_shape(words[1]))
		return value;
	return bytes_from(value, (size_t)(words[3].ptr - value.ptr));
}

static void take_value(struct json *j, struct bytes value, bool is_string)
{
	bool is_secret = j->secret_at || j->is_next_secret || !j->is_next_known || (is_string && has_key_shape(value));

	if (is_string && j->is_next_password && !j->secret_at && j->is_next_known)
		value = behind_algorithm(value);
	if (is_secret && value.len)
		j->found(j->ctx, (size_t)(value.ptr - j->text.ptr), value.len);
	j->is_next_secret = j->is_next_password = false;
}

static void take_bare(struct json *j)
{
	size_t from = j->at;

	while (j->at < j->text.len && !strchr(" \t\r\n,:\"{}[]", j->text.ptr[j->at]))
		j->at++;
	if (j->at == from)
		j->at++; /* a NUL, which strchr() finds */
	else
		take_value(j, bytes_of(j->text.ptr + from, j->at - from), false);
}

/* What is secret by its name is secret whole, a list or an object too. */
static void take_bracket(struct json *j, bool is_open)
{
	if (is_open) {
		j->depth++;
		if (j->is_next_secret && !j->secret_at)
			j->secret_at = j->depth;
		j->is_next_secret = false;
		return;
	}
	if (j->depth == j->secret_at)
		j->secret_at = 0;
	if (j->depth)
		j->depth--;
}

static void json_secrets(struct bytes text, found_fn *found, void *ctx)
{
	struct json j = { .text = text, .found = found, .ctx = ctx };

	while (j.at < text.len) {
		uint8_t c = text.ptr[j.at];

		if (c == '"') {
			struct bytes string = take_string(&j);

			j.at += j.at < text.len;
			if (is_name(&j))
				take_name(&j, string);
			else
				take_value(&j, string, true);
		} else if (c == '{' || c == '[' || c == '}' || c == ']') {
			take_bracket(&j, c == '{' || c == '[');
			j.at++;
		} else if (strchr(" \t\r\n,:", c)) {
			j.at++;
		} else {
			take_bare(&j);
		}
	}
}

void weos_secrets(struct bytes text, found_fn *found, void *ctx)
{
	if (weos_is_json(text))
		json_secrets(text, found, ctx);
	else
		command_secrets(text, found, ctx);
}
