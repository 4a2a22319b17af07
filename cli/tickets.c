/* cli/tickets.c -- setup strings, invites, cards, requests. */
#include "cli/tickets.h"

#include "base/fs.h"
#include "cli/args.h"

#include <string.h>
#include <unistd.h>

enum { CODE_LEN = 32 };

/* What stands before the next ':'. */
static bool take_part(struct bytes *part, struct bytes *rest)
{
	const uint8_t *colon = rest->len ? memchr(rest->ptr, ':', rest->len) : NULL;

	if (!colon)
		return false;
	*part = bytes_of(rest->ptr, (size_t)(colon - rest->ptr));
	*rest = bytes_from(*rest, part->len + 1);
	return true;
}

static bool take_bytes(uint8_t *out, size_t len, struct bytes part)
{
	_cleanup_(buf_done) struct buf raw = { 0 };

	if (!base64url_decode(&raw, part) || raw.len != len)
		return false;
	memcpy(out, raw.ptr, len);
	return true;
}

static bool take_code(struct secret *out, struct bytes part)
{
	_cleanup_(secret_done) struct secret raw = { 0 };

	secret_init(&raw, CODE_LEN);
	if (!take_bytes(raw.ptr, CODE_LEN, part))
		return false;
	secret_init(out, part.len + 1);
	memcpy(out->ptr, part.ptr, part.len);
	return true;
}

/* A name or an IPv4 address, or [IPv6]: enough of a check that it can stand in a URL; the rest the connection tells. */
static bool is_host(struct bytes host)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_", v6[] = "0123456789abcdefABCDEF:.";
	bool bracketed = host.len > 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']';

	if (bracketed)
		host = bytes_of(host.ptr + 1, host.len - 2);
	for (size_t i = 0; i < host.len; i++)
		if (!host.ptr[i] || !strchr(bracketed ? v6 : plain, host.ptr[i]))
			return false;
	return host.len > 0;
}

static bool take_address(char out[static TICKET_ADDRESS_MAX], struct bytes rest)
{
	const uint8_t *colon = rest.ptr && rest.len ? memrchr(rest.ptr, ':', rest.len) : NULL;
	uint64_t port;

	if (!colon || rest.len >= TICKET_ADDRESS_MAX || !is_host(bytes_of(rest.ptr, (size_t)(colon - rest.ptr))))
		return false;
	if (!number_parse(&port, bytes_from(rest, (size_t)(colon - rest.ptr) + 1)) || !port || port > 65535)
		return false;
	memcpy(out, rest.ptr, rest.len);
	out[rest.len] = 0;
	return true;
}

static bool take_archive(struct sign_pub *out, struct bytes part)
{
	_cleanup_(buf_done) struct buf blob = { 0 };
	struct error ignored;

	return base64url_decode(&blob, part) && sign_pub_from_blob(out, buf_bytes(&blob), &ignored) == 0;
}

int setup_parse(struct setup *out, struct bytes text, struct error *err)
{
	struct bytes rest = text, line = { 0 }, part;

	*out = (struct setup){ 0 };
	if (!bytes_next_line(&rest, &line) || rest.len)
		return error_set(err, E_FORMAT, "a setup string is one line");
	if (!take_part(&part, &line) || !bytes_is(part, "holdfast-setup"))
		return error_set(err, E_FORMAT, "it does not begin with 'holdfast-setup:'; holdfastd init gives the right one");
	if (!take_part(&part, &line) || !bytes_is(part, "1"))
		return error_set(err, E_FORMAT, "it is not of version 1; is this holdfast older than the server?");
	if (!take_part(&part, &line) || !take_bytes(out->pin, sizeof(out->pin), part))
		return error_set(err, E_FORMAT, "its TLS pin is not 32 bytes in base64url");
	if (!take_part(&part, &line) || !take_code(&out->code, part))
		return error_set(err, E_FORMAT, "its claim code is not 32 bytes in base64url");
	if (!take_part(&part, &line) || !take_archive(&out->archive, part))
		return error_set(err, E_FORMAT, "its archive key is no ed25519 public key");
	if (!take_address(out->address, line))
		return error_set(err, E_FORMAT, "it does not end in HOST:PORT");
	return 0;
}

static int read_stdin(struct secret *out, const char *what, struct error *err)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	int r;

	if (isatty(STDIN_FILENO))
		return error_set(err, CLI_USAGE, "'-' reads the %s from standard input, which is a terminal; pipe it in", what);
	r = fd_read_all(&text, STDIN_FILENO, TICKET_MAX, err);
	if (r == 0)
		secret_copy(out, buf_bytes(&text));
	return r < 0 ? error_add(err, "standard input") : 0;
}

int setup_read(struct setup *out, const char *file, struct error *err)
{
	_cleanup_(secret_done) struct secret text = { 0 };
	bool is_stdin = !strcmp(file, "-");
	int r = is_stdin ? read_stdin(&text, "setup string", err) : secret_load(&text, file, TICKET_MAX, err);

	if (r == FS_ABSENT)
		return error_set(err, CLI_ABSENT, "there is no file '%s'", file);
	if (r == 0)
		r = setup_parse(out, secret_bytes(&text), err);
	if (r == E_FORMAT)
		setup_done(out);
	return r == E_FORMAT && !is_stdin ? error_add(err, "'%s' holds no setup string", file) : r;
}

void setup_done(struct setup *setup)
{
	secret_done(&setup->code);
}

void invite_text(struct buf *out, const char *fleet, const uint8_t pin[static 32], struct bytes secret, const char *address)
{
	buf_addf(out, "holdfast-invite:1:%s:", fleet);
	base64url_encode(out, bytes_of(pin, 32));
	buf_add_char(out, ':');
	base64url_encode(out, secret);
	buf_addf(out, ":%s\n", address);
}

/* ---- the card ---- */

static const char card_head[] = "holdfast-card:";

void card_text(struct buf *out, const struct card *card)
{
	buf_addf(out, "%s1:%s:", card_head, card->fleet);
	base64url_encode(out, bytes_of(card->pin, sizeof(card->pin)));
	buf_addf(out, ":%s\n", card->address);
}

static int parse_card(struct card *out, struct bytes text, struct error *err)
{
	struct bytes rest = text, line = { 0 }, part;

	*out = (struct card){ 0 };
	if (!bytes_next_line(&rest, &line) || rest.len)
		return error_set(err, E_FORMAT, "a card is one line");
	if (!take_part(&part, &line) || !bytes_is(part, "holdfast-card"))
		return error_set(err, E_FORMAT, "it does not begin with '%s'; holdfast root card gives the right one", card_head);
	if (!take_part(&part, &line) || !bytes_is(part, "1"))
		return error_set(err, E_FORMAT, "it is not of version 1; is this holdfast older than the other?");
	if (!take_part(&part, &line) || !id_is_valid(part))
		return error_set(err, E_FORMAT, "it names no fleet id");
	memcpy(out->fleet, part.ptr, ID_LEN);
	if (!take_part(&part, &line) || !take_bytes(out->pin, sizeof(out->pin), part))
		return error_set(err, E_FORMAT, "its TLS pin is not 32 bytes in base64url");
	if (!take_address(out->address, line))
		return error_set(err, E_FORMAT, "it does not end in HOST:PORT");
	return 0;
}

int card_read(struct card *out, const char *text, struct error *err)
{
	_cleanup_(secret_done) struct secret in = { 0 };
	_cleanup_(buf_done) struct buf file = { 0 };
	int r;

	if (!strncmp(text, card_head, sizeof(card_head) - 1))
		return parse_card(out, bytes_str(text), err);
	r = strcmp(text, "-") != 0 ? fs_read(&file, text, TICKET_MAX, err) : read_stdin(&in, "card", err);
	if (r == FS_ABSENT)
		return error_set(err, CLI_ABSENT, "there is no file '%s'", text);
	if (r == 0)
		r = parse_card(out, in.ptr ? secret_bytes(&in) : buf_bytes(&file), err);
	return r == E_FORMAT ? error_add(err, "'%s' holds no card", text) : r;
}

/* ---- the request ---- */

static const char request_head[] = "holdfast-request/1";

void request_text(struct buf *out, const struct request *request)
{
	char key[SIGN_PUB_TEXT_MAX], reader[AGE_RECIPIENT_LEN + 1];

	sign_pub_text(key, &request->key);
	age_recipient_text(reader, &request->reader);
	buf_addf(out, "%s\nfleet: %s\nperson: %s\nkey: %s\nreading-key: %s\n", request_head, request->fleet, request->person, key, reader);
}

/* The value of the next line, which must be "key: value". */
static bool take_value(struct bytes *value, struct bytes *rest, const char *key)
{
	size_t len = strlen(key);

	if (!bytes_next_line(rest, value) || value->len <= len + 2 || memcmp(value->ptr, key, len) != 0 ||
	    memcmp(value->ptr + len, ": ", 2) != 0)
		return false;
	*value = bytes_from(*value, len + 2);
	return true;
}

static int parse_request(struct request *out, struct bytes rest, struct error *err)
{
	struct bytes line = { 0 }, fleet, person, key, reader;

	*out = (struct request){ 0 };
	if (!bytes_next_line(&rest, &line) || !bytes_is(line, request_head))
		return error_set(err, E_FORMAT, "it does not begin with '%s'", request_head);
	if (!take_value(&fleet, &rest, "fleet") || !take_value(&person, &rest, "person") || !take_value(&key, &rest, "key") ||
	    !take_value(&reader, &rest, "reading-key") || rest.len || !id_is_valid(fleet) || person.len >= sizeof(out->person) ||
	    memchr(person.ptr, 0, person.len))
		return error_set(err, E_FORMAT, "it does not consist of the lines fleet, person, key and reading-key");
	memcpy(out->fleet, fleet.ptr, ID_LEN);
	memcpy(out->person, person.ptr, person.len);
	if (args_check_name("person", out->person, err) < 0)
		return error_set(err, E_FORMAT, "'%.60s' is no name", out->person);
	if (sign_pub_parse(&out->key, key, false, err) < 0 || age_recipient_parse(&out->reader, reader, err) < 0)
		return err->code = E_FORMAT;
	return 0;
}

int request_read(struct request *out, const char *file, struct error *err)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	int r = fs_read(&text, file, TICKET_MAX, err);

	if (r == FS_ABSENT)
		return error_set(err, CLI_ABSENT, "there is no file '%s'", file);
	if (r == 0)
		r = parse_request(out, buf_bytes(&text), err);
	return r == E_FORMAT ? error_add(err, "'%s' holds no request", file) : r;
}

void request_print(char out[static ID_LEN + 1], const struct request *request)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	uint8_t hash[HASH_LEN];

	request_text(&text, request);
	sha256(hash, buf_bytes(&text));
	id_of_hash(out, hash);
}
