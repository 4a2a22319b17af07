/* cli/api.c -- the server's side: HTTPS by libcurl, and what is verified before a command believes it. */
#include "cli/api.h"

#include "base/clock.h"
#include "base/fs.h"
#include "cli/contradiction.h"
#include "cli/output.h"
#include "cli/sign.h"
#include "crypto/merkle.h"

#include <curl/curl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
	CONNECT_S = 15,
	TRANSFER_S = 900,
	STALL_S = 60, /* less than STALL_BYTES per second for so long: given up */
	STALL_BYTES = 64,
	SMALL_ANSWER_MAX = 64 << 10,
	PROBLEM_MAX = 16 << 10,
	BUSY_TRIES = 4,
	RETRY_DEFAULT_S = 2,
	RETRY_MAX_S = 30,
	HISTORY_TRIES = 5,
	NEW_KEY_WAIT_MS = 700,
	ADDRESSES_MAX = 5, /* four of the root, and that of the setup string */
	ADDRESS_MAX = 300,
	PINS_MAX = 4,
	TOKEN_MAX = 128,
	SESSION_FILE_MAX = 1024,
};

struct api {
	CURL *easy;
	struct home *home; /* NULL when bare */
	char address[ADDRESS_MAX];
	struct buf pins; /* as libcurl wants them */
	char token[TOKEN_MAX + 1];
	char error[CURL_ERROR_SIZE];
};

/* One request and what came back. */
struct exchange {
	const char *path;
	bool is_post;
	struct bytes body;
	const char *header; /* one more, "Name: value", or NULL */
	struct buf *out;    /* appended to, when the answer is 200 */
	size_t begin, max;  /* where that starts in out, and how much it may be */
	long status;
	unsigned retry_s;
	bool is_too_large;
	CURL *easy;
	struct buf problem;
};

/* ---- one transfer ---- */

static size_t take_body(char *ptr, size_t size, size_t count, void *ctx)
{
	struct exchange *x = ctx;
	struct buf *to = x->out;
	size_t n = size * count, begin = x->begin, max = x->max;
	long status = 0;

	curl_easy_getinfo(x->easy, CURLINFO_RESPONSE_CODE, &status);
	if (status != 200) {
		to = &x->problem;
		begin = 0;
		max = PROBLEM_MAX;
	}
	if (n > max - (to->len - begin)) {
		x->is_too_large = true;
		return 0; /* ends the transfer */
	}
	buf_add(to, ptr, n);
	return n;
}

static size_t take_header(char *ptr, size_t size, size_t count, void *ctx)
{
	static const char name[] = "Retry-After:";
	struct exchange *x = ctx;
	struct bytes value = bytes_of(ptr, size * count);
	uint64_t n;

	if (value.len < sizeof(name) || strncasecmp(ptr, name, sizeof(name) - 1) != 0)
		return size * count;
	value = bytes_from(value, sizeof(name) - 1);
	while (value.len && *value.ptr == ' ')
		value = bytes_from(value, 1);
	while (value.len && strchr(" \r\n", value.ptr[value.len - 1]))
		value.len--;
	if (number_parse(&n, value))
		x->retry_s = n > RETRY_MAX_S ? RETRY_MAX_S : (unsigned)n;
	return size * count;
}

/* With a pin, neither name nor issuer of the certificate says anything more, and no clock is trusted. */
static void set_trust(const struct api *api)
{
	curl_easy_setopt(api->easy, CURLOPT_PINNEDPUBLICKEY, buf_text(&api->pins));
	curl_easy_setopt(api->easy, CURLOPT_SSL_VERIFYPEER, 0L);
	curl_easy_setopt(api->easy, CURLOPT_SSL_VERIFYHOST, 0L);
	curl_easy_setopt(api->easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_3);
	curl_easy_setopt(api->easy, CURLOPT_PROTOCOLS_STR, "https");
	curl_easy_setopt(api->easy, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(api->easy, CURLOPT_PROXY, "");
	curl_easy_setopt(api->easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
}

static void set_limits(struct api *api)
{
	curl_easy_setopt(api->easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(api->easy, CURLOPT_ERRORBUFFER, api->error);
	curl_easy_setopt(api->easy, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_S);
	curl_easy_setopt(api->easy, CURLOPT_TIMEOUT, (long)TRANSFER_S);
	curl_easy_setopt(api->easy, CURLOPT_LOW_SPEED_TIME, (long)STALL_S);
	curl_easy_setopt(api->easy, CURLOPT_LOW_SPEED_LIMIT, (long)STALL_BYTES);
	curl_easy_setopt(api->easy, CURLOPT_USERAGENT, "holdfast");
}

static struct curl_slist *set_request(struct api *api, struct exchange *x)
{
	struct curl_slist *headers = curl_slist_append(NULL, "Expect:");

	if (x->is_post) {
		headers = curl_slist_append(headers, "Content-Type: application/vnd.holdfast");
		curl_easy_setopt(api->easy, CURLOPT_POST, 1L);
		curl_easy_setopt(api->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)x->body.len);
		curl_easy_setopt(api->easy, CURLOPT_POSTFIELDS, (const char *)x->body.ptr);
	}
	if (x->header)
		headers = curl_slist_append(headers, x->header);
	curl_easy_setopt(api->easy, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(api->easy, CURLOPT_WRITEFUNCTION, take_body);
	curl_easy_setopt(api->easy, CURLOPT_WRITEDATA, x);
	curl_easy_setopt(api->easy, CURLOPT_HEADERFUNCTION, take_header);
	curl_easy_setopt(api->easy, CURLOPT_HEADERDATA, x);
	return headers;
}

/* A header may hold a token or a claim code. */
static void drop_headers(struct curl_slist *headers)
{
	for (struct curl_slist *h = headers; h; h = h->next)
		explicit_bzero(h->data, strlen(h->data));
	curl_slist_free_all(headers);
}

static int explain_failure(const struct api *api, const struct exchange *x, CURLcode code, struct error *err)
{
	if (x->is_too_large)
		return error_set(err, E_LIMIT, "'%s' answers '%s' with more than %zu bytes", api->address, x->path,
				 x->status == 200 ? x->max : (size_t)PROBLEM_MAX);
	if (code == CURLE_SSL_PINNEDPUBKEYNOTMATCH)
		return error_set(err, CLI_UNREACHED,
				 "'%s' does not have the key that is pinned: somebody else answers there, or its TLS key was replaced "
				 "without a new root",
				 api->address);
	return error_set(err, CLI_UNREACHED, "cannot reach '%s': %s", api->address, api->error[0] ? api->error : curl_easy_strerror(code));
}

/* The server's own words, from problem+json. */
static int explain_status(const struct api *api, const struct exchange *x, struct error *err)
{
	json_t *json = json_loadb((const char *)x->problem.ptr, x->problem.len, 0, NULL);
	const char *detail = json_string_value(json_object_get(json, "detail"));
	char general[64];
	int code = x->status == 401 ? CLI_LOGIN :
		   x->status == 403 ? E_DENIED :
		   x->status == 404 ? CLI_ABSENT :
		   x->status == 409 ? CLI_CONFLICT :
		   x->status == 503 ? CLI_UNREACHED :
				      E_PEER;

	snprintf(general, sizeof(general), "answer %ld", x->status);
	error_set(err, code, "server '%s': %.360s", api->address, detail ? detail : general);
	json_decref(json);
	return code;
}

static int perform_once(struct api *api, struct exchange *x, struct error *err)
{
	_cleanup_(mem_freep) char *url = mem_printf("https://%s%s", api->address, x->path);
	struct curl_slist *headers;
	CURLcode code;

	curl_easy_reset(api->easy); /* keeps the connection */
	x->easy = api->easy;
	x->begin = x->out->len;
	x->status = x->retry_s = 0;
	buf_truncate(&x->problem, 0);
	api->error[0] = 0;
	set_trust(api);
	set_limits(api);
	curl_easy_setopt(api->easy, CURLOPT_URL, url);
	headers = set_request(api, x);
	code = curl_easy_perform(api->easy);
	curl_easy_getinfo(api->easy, CURLINFO_RESPONSE_CODE, &x->status);
	curl_easy_setopt(api->easy, CURLOPT_HTTPHEADER, NULL);
	drop_headers(headers);
	if (code == CURLE_OK && x->status == 200)
		return 0;
	buf_truncate(x->out, x->begin);
	return code == CURLE_OK ? explain_status(api, x, err) : explain_failure(api, x, code, err);
}

/* Waits while the server says that it is busy, a few times. */
static int perform(struct api *api, struct exchange *x, struct error *err)
{
	int r = perform_once(api, x, err);

	for (unsigned i = 1; i < BUSY_TRIES && r < 0 && x->status == 503; i++) {
		unsigned wait_s = x->retry_s ? x->retry_s : RETRY_DEFAULT_S;

		output_note("%s; trying again in %u s", err->text, wait_s);
		poll(NULL, 0, (int)wait_s * 1000);
		r = perform_once(api, x, err);
	}
	buf_done(&x->problem);
	return r;
}

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
	size_t len = strlen(api->address);
	struct error ignored;
	struct bytes rest;

	if (secret_load(&file, path, SESSION_FILE_MAX, &ignored) != 0)
		return;
	rest = secret_bytes(&file);
	if (rest.len < len + 3 || memcmp(rest.ptr, api->address, len) != 0 || rest.ptr[len] != ' ' || rest.ptr[rest.len - 1] != '\n')
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

	buf_addf(&text, "%s %s\n", api->address, api->token);
	if (fs_write(path, buf_bytes(&text), 0600, &err) < 0)
		output_note("holdfast: warning: the session is not kept, the next command logs in again: %s", err.text);
}

static int plain_get(struct buf *out, struct api *api, const char *path, size_t max, struct error *err)
{
	struct exchange x = { .path = path, .out = out, .max = max };

	return perform(api, &x, err);
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
	statement_add(text, "server", "https://%s", api->address);
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
				 "root version %llu does not name you; its people add somebody with: holdfast root edit --add-person", version);
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
	r = perform(api, &x, err);
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
	r = perform(api, &x, err);
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
	if (r != CLI_LOGIN)
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
	int r = perform(api, &x, err);

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

int api_post_orders(struct api *api, struct bytes list, struct error *err)
{
	static const char path[] = "/v1/orders";
	_cleanup_(buf_done) struct buf answer = { 0 };
	struct exchange x = { .path = path, .is_post = true, .body = list, .out = &answer, .max = SMALL_ANSWER_MAX };
	json_t *json = NULL;
	int r = perform(api, &x, err);

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

static void set_pins(struct api *api, uint8_t (*pins)[32], size_t count)
{
	buf_truncate(&api->pins, 0);
	for (size_t i = 0; i < count; i++) {
		buf_add_str(&api->pins, i ? ";sha256//" : "sha256//");
		base64_encode(&api->pins, bytes_of(pins[i], 32));
	}
}

static int api_new(struct api **out, struct home *home, struct error *err)
{
	struct api *api;

	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return error_set(err, E_SYS, "cannot start libcurl");
	api = mem_alloc(sizeof(*api));
	api->home = home;
	api->easy = curl_easy_init();
	if (!api->easy) {
		api_free(api);
		return error_set(err, E_SYS, "cannot start libcurl");
	}
	*out = api;
	return 0;
}

struct api *api_free(struct api *api)
{
	if (!api)
		return NULL;
	curl_easy_cleanup(api->easy);
	curl_global_cleanup();
	buf_done(&api->pins);
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
	set_pins(*out, pins, 1);
	snprintf((*out)->address, sizeof((*out)->address), "%s", address);
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

	set_pins(api, pins, root_tls_pins(pins, PINS_MAX, api->home->root));
	for (size_t i = 0; i < count && r == CLI_UNREACHED; i++) {
		if (i)
			output_note("holdfast: %s; trying '%s'", err->text, addresses[i]);
		if (strlen(addresses[i]) >= sizeof(api->address))
			continue;
		strcpy(api->address, addresses[i]);
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

/* ---- history ---- */

/* The server's own words against it, when it gives them: asked for again, with the growth behind it. */
static char *keep_proof(struct api *api)
{
	struct contradiction given = { 0 };
	struct error ignored;
	char *path = NULL;

	if (!api->home->checkpoint)
		return NULL;
	if (contradiction_fetch(&given, api, statement_number(api->home->checkpoint, "size"), &ignored) == 0)
		path = contradiction_keep(api->home, &given);
	contradiction_done(&given);
	return path;
}

static int refuse_history(struct api *api, struct error *err)
{
	const struct home *home = api->home;
	_cleanup_(mem_freep) char *proof = NULL;
	char why[200];

	snprintf(why, sizeof(why), "%s", err->text);
	proof = keep_proof(api);
	if (proof)
		output_note("holdfast: the archive signed two histories; the proof, for everybody who has the root, is in '%s'", proof);
	return error_set(err, E_SEAL,
			 "the server shows another history than before: %s. It was set back, or it lies. Nothing that is remembered was "
			 "changed. Do not go on; judge a mirror with: holdfast audit. Only if it was restored from a backup, and you trust "
			 "it, move '%s/seen' away",
			 why, home->dir);
}

static bool read_proof(struct merkle_hash *out, size_t *count, const json_t *json)
{
	const json_t *list = json_object_get(json, "proof");

	*count = json_array_size(list);
	if (!json_is_array(list) || *count > MERKLE_PROOF_MAX)
		return false;
	for (size_t i = 0; i < *count; i++) {
		const char *text = json_string_value(json_array_get(list, i));

		if (!text || !hex_decode(out[i].b, HASH_LEN, bytes_str(text)))
			return false;
	}
	return true;
}

/* Only where the log grew; the rest the home judges. */
static int check_consistency(struct api *api, const struct statement *next, struct error *err)
{
	const struct statement *seen = api->home->checkpoint;
	uint64_t from = statement_number(seen, "size"), to = statement_number(next, "size");
	struct merkle_hash proof[MERKLE_PROOF_MAX], old_tree, new_tree;
	_cleanup_(mem_freep) char *path = NULL;
	json_t *json = NULL;
	size_t count = 0;
	bool ok;
	int r;

	if (to <= from || !from)
		return 0;
	path = mem_printf("/v1/consistency?from=%llu&to=%llu", (unsigned long long)from, (unsigned long long)to);
	r = api_get_json(&json, api, path, err);
	if (r == CLI_ABSENT)
		return error_set(err, E_SEAL, "the server cannot prove that the log only grew");
	if (r < 0)
		return r;
	statement_get_hash(old_tree.b, seen, "tree");
	statement_get_hash(new_tree.b, next, "tree");
	ok = read_proof(proof, &count, json) && merkle_verify_consistency(from, old_tree, to, new_tree, proof, count);
	json_decref(json);
	return ok ? 0 :
		    error_set(err, E_SEAL, "the log of %llu statements does not continue the one of %llu", (unsigned long long)to,
			      (unsigned long long)from);
}

struct fleet_answer {
	char fleet[ID_LEN + 1], commit[41];
	uint64_t root, log_size;
};

static int get_fleet(struct fleet_answer *out, struct api *api, struct error *err)
{
	const char *fleet = NULL, *commit = NULL;
	json_int_t root = 0, size = 0;
	uint8_t raw[20];
	json_t *json;
	int r = api_get_json(&json, api, "/v1/fleet", err);

	if (r < 0)
		return r;
	*out = (struct fleet_answer){ 0 };
	if (json_unpack(json, "{s:s, s:I, s:s, s:I}", "fleet", &fleet, "root", &root, "commit", &commit, "log-size", &size) < 0 ||
	    !id_is_valid(bytes_str(fleet)) || (*commit && !hex_decode(raw, sizeof(raw), bytes_str(commit))) || root < 1 || size < 0) {
		r = error_set(err, E_PEER, "the server's answer to '/v1/fleet' is not of the documented form");
	} else {
		strcpy(out->fleet, fleet);
		strcpy(out->commit, commit);
		out->root = (uint64_t)root;
		out->log_size = (uint64_t)size;
	}
	json_decref(json);
	return r;
}

/* 1: there is none yet, and none was seen. */
static int get_checkpoint(struct statement **out, struct api *api, struct error *err)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	size_t used = 0;
	int r = api_get(&text, api, "/v1/checkpoint", STATEMENT_MAX, err);

	if (r == CLI_ABSENT)
		return api->home->checkpoint ? error_set(err, E_SEAL, "it has no checkpoint any more") : 1;
	if (r < 0)
		return r;
	if (statement_parse(out, buf_bytes(&text), false, &used, err) < 0)
		return error_set(err, E_SEAL, "its checkpoint is none");
	if (used == text.len && statement_type(*out) == STATEMENT_CHECKPOINT)
		return 0;
	*out = statement_free(*out);
	return error_set(err, E_SEAL, "its checkpoint is none");
}

static int check_fleet(const struct home *home, const struct fleet_answer *answer, struct error *err)
{
	if (strcmp(answer->fleet, home->fleet) != 0)
		return error_set(err, E_SEAL, "it is that of fleet '%s', not of '%s'", answer->fleet, home->fleet);
	if (answer->root < root_version(home->root))
		return error_set(err, E_SEAL, "it knows root %llu, and %llu was in force", (unsigned long long)answer->root,
				 (unsigned long long)root_version(home->root));
	return 0;
}

/* Positive: something moved while we looked; look again. */
static int check_history_once(struct api *api, bool is_last, struct error *err)
{
	_cleanup_(statement_freep) struct statement *checkpoint = NULL;
	struct fleet_answer answer;
	bool belongs;
	int r = get_fleet(&answer, api, err);

	if (r == 0)
		r = check_fleet(api->home, &answer, err);
	if (r == 0)
		r = get_checkpoint(&checkpoint, api, err);
	if (r != 0)
		return r < 0 ? r : 0;
	belongs = statement_number(checkpoint, "size") == answer.log_size;
	if (!belongs && !is_last)
		return 1; /* a commit came between the two answers */
	if (api->home->checkpoint)
		r = check_consistency(api, checkpoint, err);
	if (r < 0)
		return r;
	r = home_take_seen(api->home, steal(checkpoint), belongs ? answer.commit : "", err);
	if (r == E_DENIED && !is_last) {
		/* a root that replaces the archive key is given out a moment before the new key's first checkpoint */
		poll(NULL, 0, NEW_KEY_WAIT_MS);
		return 1;
	}
	if (r == E_DENIED)
		err->code = r = E_SEAL; /* it is not signed as the root says */
	return r < 0 ? r : r == HOME_MOVED;
}

static int check_history(struct api *api, struct error *err)
{
	int r = 1;

	for (unsigned i = 1; r > 0 && i <= HISTORY_TRIES; i++)
		r = check_history_once(api, i == HISTORY_TRIES, err);
	if (r > 0)
		return error_set(err, CLI_CONFLICT, "other commands keep changing what is remembered in '%s'; try again", api->home->dir);
	return r == E_SEAL ? refuse_history(api, err) : r;
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
	r = check_history(api, err);
	if (r < 0) {
		api_free(api);
		return r;
	}
	*out = api;
	return 0;
}
