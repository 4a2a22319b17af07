/* tests/load/server.h -- one server by its address and pin: HTTPS by libcurl, TLS 1.3, nothing but the pin is believed. */
#pragma once

#include "tests/fleet.h"

#include <curl/curl.h>

struct server {
	char address[264], url[280];
	char pin[48], pin_option[64]; /* base64; as CURLOPT_PINNEDPUBLICKEY takes it */
	struct buf claim; /* the claim code as its header takes it */
	struct sign_pub archive;
};

/* Reads the setup string that `holdfastd init` wrote. */
int server_from_setup(struct server *server, const char *path, struct error *err) _must_check_;
void server_done(struct server *server);

/* A fresh handle for a call; body NULL: GET. body and answer are borrowed until it is done. */
CURL *server_call(const struct server *server, const char *path, struct buf *answer);
void call_body(CURL *call, const struct buf *body);

/* One call, waiting for its end: the HTTP status, or a negative code when there was no answer. headers may be NULL. */
int server_do(const struct server *server, const char *path, const struct buf *body, struct curl_slist *headers, struct buf *answer,
	      struct error *err) _must_check_;
