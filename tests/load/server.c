/* tests/load/server.c -- one server by its address and pin. */
#include "tests/load/server.h"

#include "base/fs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SETUP_MAX = 4096, PARTS = 6, CALL_SECONDS = 30 };

/* holdfast-setup:1:<pin>:<claim code>:<archive key's blob>:<host:port> (docs/reference/formats.md section 6) */
int server_from_setup(struct server *server, const char *path, struct error *err)
{
	_cleanup_(buf_done) struct buf text = { 0 }, raw = { 0 }, pin = { 0 }, blob = { 0 };
	char *parts[PARTS], *rest;
	int n = 0, r = fs_read(&text, path, SETUP_MAX, err);

	*server = (struct server){ 0 };
	if (r != 0)
		return r < 0 ? r : error_set(err, E_SYS, "there is no setup string '%s'", path);
	rest = (char *)text.ptr;
	rest[strcspn(rest, "\n")] = 0;
	for (; n < PARTS && rest; n++)
		parts[n] = n + 1 < PARTS ? strsep(&rest, ":") : rest;
	if (n < PARTS || !parts[PARTS - 1] || !base64url_decode(&raw, bytes_str(parts[2])) || raw.len != HASH_LEN ||
	    !base64url_decode(&blob, bytes_str(parts[4])))
		return error_set(err, E_FORMAT, "'%s' holds no setup string", path);
	if (sign_pub_from_blob(&server->archive, buf_bytes(&blob), err) < 0)
		return err->code;
	base64_encode(&pin, buf_bytes(&raw));
	snprintf(server->pin, sizeof(server->pin), "%s", buf_text(&pin));
	snprintf(server->pin_option, sizeof(server->pin_option), "sha256//%s", server->pin);
	snprintf(server->address, sizeof(server->address), "%s", parts[5]);
	snprintf(server->url, sizeof(server->url), "https://%s", server->address);
	buf_addf(&server->claim, "Holdfast-Claim: %s", parts[3]);
	return 0;
}

void server_done(struct server *server)
{
	buf_done(&server->claim);
}

static size_t take(char *data, size_t size, size_t count, void *ctx)
{
	buf_add(ctx, data, size * count);
	return size * count;
}

CURL *server_call(const struct server *server, const char *path, struct buf *answer)
{
	_cleanup_(mem_freep) char *url = mem_printf("%s%s", server->url, path);
	CURL *call = curl_easy_init();

	if (!call)
		abort();
	curl_easy_setopt(call, CURLOPT_URL, url);
	curl_easy_setopt(call, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(call, CURLOPT_TIMEOUT, (long)CALL_SECONDS);
	curl_easy_setopt(call, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_3);
	/* the certificate signs itself, so no authority is asked: its key has to be the pinned one */
	curl_easy_setopt(call, CURLOPT_SSL_VERIFYPEER, 0L);
	curl_easy_setopt(call, CURLOPT_SSL_VERIFYHOST, 0L);
	curl_easy_setopt(call, CURLOPT_CAINFO, NULL); /* and none is loaded: that takes longer than a call */
	curl_easy_setopt(call, CURLOPT_CAPATH, NULL);
	curl_easy_setopt(call, CURLOPT_PINNEDPUBLICKEY, server->pin_option);
	curl_easy_setopt(call, CURLOPT_WRITEFUNCTION, take);
	curl_easy_setopt(call, CURLOPT_WRITEDATA, answer);
	return call;
}

void call_body(CURL *call, const struct buf *body)
{
	curl_easy_setopt(call, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body->len);
	curl_easy_setopt(call, CURLOPT_POSTFIELDS, body->ptr);
}

int server_do(const struct server *server, const char *path, const struct buf *body, struct curl_slist *headers, struct buf *answer,
	      struct error *err)
{
	CURL *call = server_call(server, path, answer);
	long status = 0;
	CURLcode r;

	buf_truncate(answer, 0);
	if (body)
		call_body(call, body);
	curl_easy_setopt(call, CURLOPT_HTTPHEADER, headers);
	r = curl_easy_perform(call);
	curl_easy_getinfo(call, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_cleanup(call);
	return r == CURLE_OK ? (int)status : error_set(err, E_PEER, "'%s': %s", path, curl_easy_strerror(r));
}
