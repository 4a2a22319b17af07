/* cli/api.c -- the server's side: sessions, posts, and the way to it. */
#include "cli/api-parts.h"

#include "base/clock.h"
#include "base/fs.h"
#include "cli/output.h"
#include "cli/sign.h"
#include "cli/transfer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	SMALL_ANSWER_MAX = 64 << 10,
	ADDRESSES_MAX = 5, /* four of the root, and that of the setup string */
	PINS_MAX = 4,
	TOKEN_MAX = 128,
	SESSION_FILE_MAX = 1024,
};

struct api {
	struct transfer line;
	struct home *home; /* NULL when bare */
	bool is_again;
	char token[TOKEN_MAX + 1];
};

/* ---- sessions ---- */

static bool is_token(const char *text)
{
	size_t len = strlen(text);

	return len && len <= TOKEN_MAX && strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") == len;
}

/* What is wrong with the file only costs a login. It holds "address token": a token is shown only to the server that gave it. */
static void load_session(struct api *api)
{
	_cleanup_(mem_freep) char *path = home_path(api->home, "session");
	_cleanup_(secret_done) struct secret file = { 0 };
	size_t len = strlen(api->line.address);
	struct error ignored;
	struct bytes rest;

	if (secret_load(&file, path, SESSION_FILE_MAX, &ignored) != 0)
		return;
	rest = secret_bytes(&file);
	if (rest.len < len + 3 || memcmp(rest.ptr, api->line.address, len) != 0 || rest.ptr[len] != ' ' || rest.ptr[rest.len - 1] != '\n')
		return;
	rest = bytes_from(rest, len + 1);
	if (--rest.len > TOKEN_MAX)
		return;
	memcpy(api->token, rest.ptr, rest.len);
	api->token[rest.len] = 0;
	if (!is_token(api->token))
		api->token[0] = 0;
}

static void store_session(const struct api *api)
{
	_cleanup_(mem_freep) char *path = home_path(api->home, "session");
	_cleanup_(buf_done) struct buf text = { 0 };
	struct error err;

	buf_addf(&text, "%s %s\n", api->line.address, api->token);
	if (fs_write(path, buf_bytes(&text), 0600, &err) < 0)
		output_note("holdfast: warning: the session is not kept, the next command logs in again: %s", err.text);
}

static int plain_get(struct buf *out, struct api *api, const char *path, size_t max, struct error *err)
{
	struct exchange x = { .path = path, .out = out, .max = max };

	return transfer_perform(&api->line, &x, err);
}

static int parse_json(json_t **out, const char *path, struct bytes text, struct error *err)
{
	json_error_t why;

	*out = json_loadb((const char *)text.ptr, text.len, JSON_REJECT_DUPLICATES, &why);
	return *out ? 0 : error_set(err, E_PEER, "the server's answer to '%s' is no JSON: %s", path, why.text);
}

static int get_challenge(char out[static 2 * HASH_LEN + 1], struct api *api, struct error *err)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	const char *challenge;
	uint8_t raw[HASH_LEN];
	json_t *json = NULL;
	int r = plain_get(&text, api, "/v1/challenge", SMALL_ANSWER_MAX, err);

	if (r == 0)
		r = parse_json(&json, "/v1/challenge", buf_bytes(&text), err);
	if (r < 0)
		return r;
	challenge = json_string_value(json_object_get(json, "challenge"));
	if (challenge && hex_decode(raw, sizeof(raw), bytes_str(challenge)))
		memcpy(out, challenge, 2 * HASH_LEN + 1);
	else
		r = error_set(err, E_PEER, "the server gives no challenge");
	json_decref(json);
	return r;
}

static int sign_login(struct buf *text, const struct api *api, const char *challenge, struct error *err)
{
	_cleanup_(mem_freep) char *key = home_signing_key(api->home);

	statement_begin(text, STATEMENT_LOGIN);
	statement_add(text, "fleet", "%s", api->home->fleet);
	statement_add(text, "person", "%s", api->home->person);
	statement_add(text, "server", "https://%s", api->line.address);
	statement_add(text, "challenge", "%s", challenge);
	statement_add_time(text, "time", clock_now_s());
	return sign_statement(text, key, err);
}

static int take_token(struct api *api, struct bytes answer, struct error *err)
{
	const char *token;
	json_t *json;
	int r = parse_json(&json, "/v1/login", answer, err);

	if (r < 0)
		return r;
	token = json_string_value(json_object_get(json, "token"));
	if (token && is_token(token)) /* it goes into a header */
		strcpy(api->token, token);
	else
		r = error_set(err, E_PEER, "the server gives no session");
	json_decref(json);
	return r;
}

/* It does not know the key. Why, the roots tell: the person is in none, or it was set back to one of before their time. */
static int explain_denial(struct api *api, struct error *err)
{
	const struct root *root = api->home->root;
	unsigned long long version = root_version(root);
	_cleanup_(mem_freep) char *path = mem_printf("/v1/roots?from=%llu", version);
	_cleanup_(buf_done) struct buf roots = { 0 };
	struct error ignored;
	bool is_in = false;

	for (size_t i = 0; i < root_people(root); i++)
		is_in |= !strcmp(root_person(root, i), api->home->person);
	if (!is_in)
		return error_set(err, CLI_LOGIN,
				 "root version %llu does not name you; its people add somebody with: holdfast root edit --add-person",
				 version);
	if (plain_get(&roots, api, path, API_ROOTS_MAX, &ignored) == 0 && !roots.len)
		return error_set(err, E_SEAL, "it does not know root %llu, which was in force: it was set back, or it lies", version);
	return err->code = CLI_LOGIN;
}

static int login(struct api *api, struct error *err)
{
	_cleanup_(buf_done) struct buf text = { 0 }, answer = { 0 };
	struct exchange x = { .path = "/v1/login", .is_post = true, .out = &answer, .max = SMALL_ANSWER_MAX };
	char challenge[2 * HASH_LEN + 1];
	int r = get_challenge(challenge, api, err);

	if (r == 0)
		r = sign_login(&text, api, challenge, err);
	if (r < 0)
		return error_add(err, "cannot log in as '%s'", api->home->person);
	x.body = buf_bytes(&text);
	r = transfer_perform(&api->line, &x, err);
	if (r == E_DENIED)
		r = explain_denial(api, err);
	if (r == 0)
		r = take_token(api, buf_bytes(&answer), err);
	if (r < 0)
		return error_add(err, "cannot log in as '%s'", api->home->person);
	store_session(api);
	return 0;
}

static int get_with_token(struct buf *out, struct api *api, const char *path, size_t max, struct error *err)
{
	char header[TOKEN_MAX + 32];
	struct exchange x = { .path = path, .out = out, .max = max, .header = header };
	int r;

	snprintf(header, sizeof(header), "Authorization: Bearer %s", api->token);
	r = transfer_perform(&api->line, &x, err);
	explicit_bzero(header, sizeof(header));
	return r;
}

int api_get(struct buf *out, struct api *api, const char *path, size_t max, struct error *err)
{
	int r = CLI_LOGIN;

	if (!api->home)
		return plain_get(out, api, path, max, err);
	if (api->token[0])
		r = get_with_token(out, api, path, max, err);
	if (r != CLI_LOGIN || api->is_again)
		return r;
	r = login(api, err);
	return r < 0 ? r : get_with_token(out, api, path, max, err);
}

int api_get_open(struct buf *out, struct api *api, const char *path, size_t max, struct error *err)
{
	return plain_get(out, api, path, max, err);
}

int api_get_json(json_t **out, struct api *api, const char *path, struct error *err)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	int r = api_get(&text, api, path, API_LIST_MAX, err);

	return r < 0 ? r : parse_json(out, path, buf_bytes(&text), err);
}

/* ---- posting ---- */

static int post(struct api *api, const char *path, const char *header, struct bytes body, struct error *err)
{
	_cleanup_(buf_done) struct buf answer = { 0 };
	struct exchange x = { .path = path, .is_post = true, .body = body, .header = header, .out = &answer, .max = SMALL_ANSWER_MAX };
	const char *result;
	json_t *json = NULL;
	int r = transfer_perform(&api->line, &x, err);

	if (r == 0 && !answer.len)
		return 0; /* stored, as the server says it to devices */
	if (r == 0)
		r = parse_json(&json, path, buf_bytes(&answer), err);
	if (r < 0)
		return r;
	result = json_string_value(json_object_get(json, "result"));
	if (result && !strcmp(result, "seen"))
		r = 1;
	else if (!result || strcmp(result, "stored") != 0)
		r = error_set(err, E_PEER, "the server does not say that it stored it");
	json_decref(json);
	return r;
}

int api_post_object(struct api *api, struct bytes container, struct error *err)
{
	return post(api, "/v1/objects", NULL, container, err);
}

static int post_with_token(struct api *api, const char *path, struct bytes body, struct error *err)
{
	char header[TOKEN_MAX + 32];
	int r;

	snprintf(header, sizeof(header), "Authorization: Bearer %s", api->token);
	r = post(api, path, header, body, err);
	explicit_bzero(header, sizeof(header));
	return r;
}

int api_post(struct api *api, const char *path, struct bytes body, struct error *err)
{
	int r = api->token[0] ? post_with_token(api, path, body, err) : CLI_LOGIN;

	if (r != CLI_LOGIN)
		return r;
	r = login(api, err);
	return r < 0 ? r : post_with_token(api, path, body, err);
}

static int put_with_token(struct api *api, const char *path, const struct transfer_file *file, struct error *err)
{
	_cleanup_(buf_done) struct buf answer = { 0 };
	char header[TOKEN_MAX + 32];
	struct exchange x = { .path = path, .file = file, .header = header, .out = &answer, .max = SMALL_ANSWER_MAX };
	int r;

	snprintf(header, sizeof(header), "Authorization: Bearer %s", api->token);
	r = transfer_perform(&api->line, &x, err);
	explicit_bzero(header, sizeof(header));
	return r;
}

int api_put_file(struct api *api, const char *path, int fd, uint64_t from, uint64_t size, struct error *err)
{
	const struct transfer_file file = { .fd = fd, .from = from, .size = size };
	int r = api->token[0] ? put_with_token(api, path, &file, err) : CLI_LOGIN;

	if (r != CLI_LOGIN)
		return r;
	r = login(api, err);
	return r < 0 ? r : put_with_token(api, path, &file, err);
}

int api_post_orders(struct api *api, struct bytes list, struct error *err)
{
	static const char path[] = "/v1/orders";
	_cleanup_(buf_done) struct buf answer = { 0 };
	struct exchange x = { .path = path, .is_post = true, .body = list, .out = &answer, .max = SMALL_ANSWER_MAX };
	json_t *json = NULL;
	int r = transfer_perform(&api->line, &x, err);

	if (r == 0)
		r = parse_json(&json, path, buf_bytes(&answer), err);
	if (r == 0 && !json_is_integer(json_object_get(json, "stored")))
		r = error_set(err, E_PEER, "the server does not say that it stored them");
	json_decref(json);
	return r;
}

int api_claim(struct api *api, const char *code, struct bytes root, struct error *err)
{
	char *header = mem_printf("Holdfast-Claim: %s", code);
	int r = post(api, "/v1/claim", header, root, err);

	explicit_bzero(header, strlen(header));
	free(header);
	return r < 0 ? r : 0;
}

/* ---- opening ---- */

static int api_new(struct api **out, struct home *home, struct error *err)
{
	struct api *api;

	api = mem_alloc(sizeof(*api));
	api->home = home;
	if (transfer_init(&api->line, err) < 0) {
		api_free(api);
		return err->code;
	}
	*out = api;
	return 0;
}

struct api *api_free(struct api *api)
{
	if (!api)
		return NULL;
	transfer_done(&api->line);
	explicit_bzero(api->token, sizeof(api->token));
	free(api);
	return NULL;
}

int api_open_bare(struct api **out, const char *address, const uint8_t pin[static 32], struct error *err)
{
	uint8_t pins[1][32];
	int r = api_new(out, NULL, err);

	if (r < 0)
		return r;
	memcpy(pins[0], pin, 32);
	transfer_pin(&(*out)->line, pins, 1);
	snprintf((*out)->line.address, sizeof((*out)->line.address), "%s", address);
	return 0;
}

int api_open_again(struct api **out, const struct api *api, struct error *err)
{
	int r = api_new(out, api->home, err);

	if (r < 0)
		return r;
	(*out)->is_again = true;
	strcpy((*out)->line.address, api->line.address);
	strcpy((*out)->token, api->token);
	buf_add_bytes(&(*out)->line.pins, buf_bytes(&api->line.pins));
	return 0;
}

static size_t list_addresses(const char *out[static ADDRESSES_MAX], const struct home *home)
{
	const struct statement *root = root_statement(home->root);
	size_t n = 0;

	for (const char *a; n < ADDRESSES_MAX - 1 && (a = statement_at(root, "server", n));)
		out[n++] = a;
	for (size_t i = 0; i < n; i++)
		if (!strcmp(out[i], home->address))
			return n;
	out[n] = home->address;
	return n + 1;
}

/* The first address that answers is the one of this command. Asks for newer roots on the way. */
static int reach(struct buf *roots, struct api *api, struct error *err)
{
	_cleanup_(mem_freep) char *path = mem_printf("/v1/roots?from=%llu", (unsigned long long)root_version(api->home->root) + 1);
	const char *addresses[ADDRESSES_MAX];
	size_t count = list_addresses(addresses, api->home);
	uint8_t pins[PINS_MAX][32];
	struct error last = { 0 };
	int r = CLI_UNREACHED;

	transfer_pin(&api->line, pins, root_tls_pins(pins, PINS_MAX, api->home->root));
	for (size_t i = 0; i < count && r == CLI_UNREACHED; i++) {
		if (i)
			output_note("holdfast: %s; trying '%s'", err->text, addresses[i]);
		if (strlen(addresses[i]) >= sizeof(api->line.address))
			continue;
		strcpy(api->line.address, addresses[i]);
		r = plain_get(roots, api, path, API_ROOTS_MAX, &last);
		*err = r < 0 ? last : *err;
	}
	return r;
}

static int take_roots(struct home *home, struct bytes rest, struct error *err)
{
	while (rest.len) {
		struct statement *st;
		size_t used = 0;
		int r = statement_parse(&st, rest, false, &used, err);

		if (r == 0)
			r = home_take_root(home, st, err);
		if (r == E_DENIED || r == E_FORMAT || r == E_SEAL)
			err->code = E_SEAL; /* whatever is wrong with it: the server gives out what nobody signed */
		if (r < 0)
			return error_add(err, "the server's next root is not believed");
		if (r == 0)
			output_note("holdfast: root version %llu is in force now; see: holdfast root show",
				    (unsigned long long)root_version(home->root));
		rest = bytes_from(rest, used);
	}
	return 0;
}

static void warn_of_expiry(const struct home *home)
{
	const struct statement *st = root_statement(home->root);

	if (root_is_expired(home->root, clock_now_s()))
		output_note("holdfast: warning: the root expired at %s, and nobody orders anything under it; its people must sign the next "
			    "version:  holdfast root edit --expires 365d",
			    statement_get(st, "expires"));
}

int api_open_roots(struct api **out, struct home *home, struct error *err)
{
	_cleanup_(buf_done) struct buf roots = { 0 };
	struct api *api;
	int r = api_new(&api, home, err);

	if (r < 0)
		return r;
	r = reach(&roots, api, err);
	if (r == 0)
		r = take_roots(home, buf_bytes(&roots), err);
	if (r < 0) {
		api_free(api);
		return r;
	}
	*out = api;
	return 0;
}

int api_open(struct api **out, struct home *home, struct error *err)
{
	struct api *api;
	int r = api_open_roots(&api, home, err);

	if (r < 0)
		return r;
	warn_of_expiry(home);
	load_session(api);
	r = api_check_history(api, home, err);
	if (r < 0) {
		api_free(api);
		return r;
	}
	*out = api;
	return 0;
}
