/* cli/tickets.c -- setup and invite strings. */
#include "cli/tickets.h"

#include "base/fs.h"
#include "cli/cli.h"

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

static int read_stdin(struct secret *out, struct error *err)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	int r;

	if (isatty(STDIN_FILENO))
		return error_set(err, CLI_USAGE, "'-' reads the setup string from standard input, which is a terminal; pipe it in");
	r = fd_read_all(&text, STDIN_FILENO, TICKET_MAX, err);
	if (r == 0)
		secret_copy(out, buf_bytes(&text));
	return r < 0 ? error_add(err, "standard input") : 0;
}

int setup_read(struct setup *out, const char *file, struct error *err)
{
	_cleanup_(secret_done) struct secret text = { 0 };
	bool is_stdin = !strcmp(file, "-");
	int r = is_stdin ? read_stdin(&text, err) : secret_load(&text, file, TICKET_MAX, err);

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
