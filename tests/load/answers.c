/* tests/load/answers.c -- everything that the interface says, as an operator sees it, in a form to be compared. */
#include "tests/load/books.h"

#include "base/fs.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SESSION_OK = 200, LOG_PAGE = 1000 };

struct session {
	struct server server;
	struct fleet fleet;
	struct curl_slist *headers;
};

static void session_done(struct session *s)
{
	curl_slist_free_all(s->headers);
	fleet_done(&s->fleet);
	server_done(&s->server);
}

static int ask(struct session *s, const char *path, const struct buf *body, struct buf *answer, struct error *err)
{
	int r = server_do(&s->server, path, body, s->headers, answer, err);

	if (r < 0)
		return r;
	return r == SESSION_OK ? 0 : error_set(err, E_PEER, "'%s' was answered with %d: %.300s", path, r, buf_text(answer));
}

static char *field(const struct buf *answer, const char *key)
{
	json_t *json = json_loadb(buf_text(answer), answer->len, 0, NULL);
	const char *text = json_string_value(json_object_get(json, key));
	char *copy = text ? mem_strdup(text) : NULL;

	json_decref(json);
	return copy;
}

static int log_in(struct session *s, const char *folder, struct error *err)
{
	_cleanup_(mem_freep) char *setup = mem_printf("%s/setup", folder), *challenge = NULL, *token = NULL, *header = NULL;
	_cleanup_(buf_done) struct buf answer = { 0 }, login = { 0 };

	if (server_from_setup(&s->server, setup, err) < 0 || books_fleet(&s->fleet, folder, err) < 0 ||
	    ask(s, "/v1/challenge", NULL, &answer, err) < 0)
		return err->code;
	challenge = field(&answer, "challenge");
	fleet_login(&login, &s->fleet, s->server.url, challenge ? challenge : "");
	if (ask(s, "/v1/login", &login, &answer, err) < 0)
		return err->code;
	token = field(&answer, "token");
	header = mem_printf("Authorization: Bearer %s", token ? token : "");
	s->headers = curl_slist_append(NULL, header);
	return 0;
}

/* JSON sorted, but for what is of the moment; anything else by length and hash. */
static int show(struct session *s, const char *path, struct error *err)
{
	_cleanup_(buf_done) struct buf answer = { 0 };
	char hash[2 * HASH_LEN + 1], *text;
	json_t *json;

	if (ask(s, path, NULL, &answer, err) < 0)
		return err->code;
	json = json_loadb(buf_text(&answer), answer.len, 0, NULL);
	if (json) {
		json_object_del(json, "time");
		text = json_dumps(json, JSON_SORT_KEYS | JSON_INDENT(1));
		printf("%s\n%s\n", path, text);
		free(text);
		json_decref(json);
	} else {
		sha256_hex(hash, buf_bytes(&answer));
		printf("%s %zu %s\n", path, answer.len, hash);
	}
	return 0;
}

static int show_log(struct session *s, const char *id, uint64_t head, struct error *err)
{
	for (uint64_t below = head + 1; below > 1; below = below > LOG_PAGE ? below - LOG_PAGE : 1) {
		_cleanup_(mem_freep) char *path =
			mem_printf("/v1/devices/%s/log?below=%llu&limit=%d", id, (unsigned long long)below, LOG_PAGE);

		if (show(s, path, err) < 0)
			return err->code;
	}
	return 0;
}

static int show_device(struct session *s, const json_t *device, struct error *err)
{
	static const char *const parts[] = { "enrol", "admit", "epochs/newest", "snapshots/newest" };
	const char *id = json_string_value(json_object_get(device, "id"));
	bool has[] = { true, json_is_true(json_object_get(device, "admitted")), json_integer_value(json_object_get(device, "epoch")) > 0,
		       json_integer_value(json_object_get(device, "snapshot")) > 0 };

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		_cleanup_(mem_freep) char *path = mem_printf("/v1/devices/%s/%s", id, parts[i]);

		if (has[i] && show(s, path, err) < 0)
			return err->code;
	}
	return show_log(s, id, (uint64_t)json_integer_value(json_object_get(device, "head")), err);
}

int load_answers(const char *folder, struct error *err)
{
	static const char *const paths[] = { "/v1/fleet", "/v1/checkpoint", "/v1/roots", "/v1/invites", "/v1/devices",
					      "/v1/snapshots?at=2199-01-01T00:00:00Z", "/v1/snapshots?at=2026-02-01T00:00:00Z" };
	_cleanup_(session_done) struct session s = { 0 };
	_cleanup_(buf_done) struct buf answer = { 0 };
	json_t *json, *device;
	size_t i;
	int r = log_in(&s, folder, err);

	for (i = 0; r == 0 && i < ARRAY_SIZE(paths); i++)
		r = show(&s, paths[i], err);
	if (r == 0)
		r = ask(&s, "/v1/devices", NULL, &answer, err);
	json = r == 0 ? json_loadb(buf_text(&answer), answer.len, 0, NULL) : NULL;
	json_array_foreach(json_object_get(json, "devices"), i, device)
		if (r == 0)
			r = show_device(&s, device, err);
	json_decref(json);
	return r;
}
