/* agent/net.c -- HTTPS to a pinned server: libcurl's multi interface beside one socketpair. */
#include "agent/net.h"

#include "agent/confine.h"
#include "agent/ping.h"
#include "agent/probe.h"
#include "agent/stream.h"
#include "base/clock.h"
#include "base/log.h"

#include <curl/curl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum { CONNECT_S = 15, KEEPALIVE_S = 60, PIN_TEXT_MAX = 64, WAIT_MS = 60000, IDLE_CONNECTIONS = 16, HELD_MAX = 64 << 20 };

void http_request_put(struct buf *out, const struct http_request *req)
{
	put_field(out, bytes_str(req->address));
	put_field(out, bytes_of(req->pins, req->pin_count * 32UL));
	put_field(out, bytes_str(req->path));
	buf_add_u32be(out, req->is_post);
	buf_add_u32be(out, req->is_fresh);
	buf_add_u32be(out, req->timeout_s);
	buf_add_u32be(out, req->is_stream);
	buf_add_u32be(out, (uint32_t)(req->from >> 32));
	buf_add_u32be(out, (uint32_t)req->from);
	put_field(out, req->body);
}

bool http_request_get(struct http_request *out, struct bytes in)
{
	struct reader rd = reader_over(in);
	struct bytes pins;

	*out = (struct http_request){ 0 };
	if (!get_text_field(&rd, out->address, sizeof(out->address)))
		return false;
	pins = get_field(&rd);
	if (!pins.len || pins.len > sizeof(out->pins) || pins.len % 32)
		return false;
	memcpy(out->pins, pins.ptr, pins.len);
	out->pin_count = (uint32_t)(pins.len / 32);
	if (!get_text_field(&rd, out->path, sizeof(out->path)))
		return false;
	out->is_post = read_u32(&rd) != 0;
	out->is_fresh = read_u32(&rd) != 0;
	out->timeout_s = read_u32(&rd);
	out->is_stream = read_u32(&rd) != 0;
	out->from = (uint64_t)read_u32(&rd) << 32;
	out->from |= read_u32(&rd);
	out->body = get_field(&rd);
	return reader_done(&rd) && out->address[0] && out->path[0] == '/' && out->timeout_s;
}

void http_answer_put(struct buf *out, const struct http_answer *ans)
{
	buf_add_u32be(out, ans->is_answered);
	buf_add_u32be(out, ans->status);
	buf_add_u32be(out, ans->window_s);
	buf_add_u32be(out, ans->retry_s);
	put_field(out, bytes_str(ans->error));
	put_field(out, ans->body);
}

bool http_answer_get(struct http_answer *out, struct bytes in)
{
	struct reader rd = reader_over(in);

	*out = (struct http_answer){ 0 };
	out->is_answered = read_u32(&rd) != 0;
	out->status = read_u32(&rd);
	out->window_s = read_u32(&rd);
	out->retry_s = read_u32(&rd);
	if (!get_text_field(&rd, out->error, sizeof(out->error)))
		return false;
	out->body = get_field(&rd);
	return reader_done(&rd);
}

struct net {
	CURLM *multi;
	struct curl_slist *headers;
	struct ipc ipc;
	struct transfer *transfers;
	size_t count;
	size_t held; /* bytes of answers that are not whole yet */
	struct ping_sockets sockets;
	struct ping *pings;
};

struct transfer {
	struct transfer *next;
	struct net *net;
	CURL *easy;
	uint32_t id;
	uint32_t window_s, retry_s;
	bool is_over;  /* a bound was met */
	bool is_probe; /* nothing but a connection */
	bool is_begun; /* the first byte of the body came */
	struct stream stream;
	struct curl_slist *headers; /* of its own; NULL: net's */
	char range[64];
	struct buf request, answer;
	char url[NET_ADDRESS_MAX + NET_PATH_MAX + 16];
	char pins[NET_PINS_MAX * PIN_TEXT_MAX];
	char error[CURL_ERROR_SIZE];
};

static void transfer_end(struct transfer *t)
{
	for (struct transfer **at = &t->net->transfers; *at; at = &(*at)->next)
		if (*at == t) {
			*at = t->next;
			t->net->count--;
			break;
		}
	if (t->easy) {
		curl_multi_remove_handle(t->net->multi, t->easy);
		curl_easy_cleanup(t->easy);
	}
	curl_slist_free_all(t->headers);
	stream_done(&t->stream);
	t->net->held -= t->answer.len;
	buf_done(&t->request);
	buf_done(&t->answer);
	free(t);
}

static bool is_streamed(struct transfer *t)
{
	long status = 0;

	if (!t->is_begun) {
		t->is_begun = true;
		curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
		t->is_over = !stream_begin(&t->stream, (unsigned)status, t->range);
	}
	return t->stream.is_open;
}

static size_t take_part(struct transfer *t, struct bytes in)
{
	struct error ignored;
	size_t taken;

	if (!stream_has_room(&t->stream, in.len))
		return CURL_WRITEFUNC_PAUSE;
	return stream_take(&taken, &t->stream, &t->net->ipc, t->id, in, &ignored) < 0 ? 0 : taken;
}

static size_t take_body(char *ptr, size_t size, size_t count, void *ctx)
{
	struct transfer *t = ctx;

	if (is_streamed(t))
		return t->is_over ? 0 : take_part(t, bytes_of(ptr, size * count));
	t->is_over = t->answer.len + size * count > NET_ANSWER_MAX || t->net->held + size * count > HELD_MAX;
	if (t->is_over)
		return 0; /* ends the transfer */
	t->net->held += size * count;
	buf_add(&t->answer, ptr, size * count);
	return size * count;
}

/* What stands behind "name:", without blanks; empty when it is another header. */
static struct bytes header_value(const char *line, size_t len, const char *name)
{
	size_t name_len = strlen(name);

	if (len <= name_len || strncasecmp(line, name, name_len) != 0)
		return (struct bytes){ 0 };
	line += name_len;
	len -= name_len;
	while (len && (*line == ' ' || *line == '\t')) {
		line++;
		len--;
	}
	while (len && (line[len - 1] == '\r' || line[len - 1] == '\n' || line[len - 1] == ' '))
		len--;
	return bytes_of(line, len);
}

/* Seconds behind "name:", 0 when it is another header or no number, at most an hour. */
static uint32_t header_seconds(const char *line, size_t len, const char *name)
{
	uint64_t n;

	if (!number_parse(&n, header_value(line, len, name)))
		return 0;
	return n > 3600 ? 3600 : (uint32_t)n;
}

static size_t take_header(char *ptr, size_t size, size_t count, void *ctx)
{
	struct transfer *t = ctx;
	uint32_t n = header_seconds(ptr, size * count, "Holdfast-Window:");
	struct bytes range = header_value(ptr, size * count, "Content-Range:");

	if (n)
		t->window_s = n;
	n = header_seconds(ptr, size * count, "Retry-After:");
	if (n)
		t->retry_s = n;
	if (range.len && range.len < sizeof(t->range))
		snprintf(t->range, sizeof(t->range), "%.*s", (int)range.len, (const char *)range.ptr);
	return size * count;
}

/* "sha256//base64;sha256//base64" */
static void pins_text(char *out, size_t size, const struct http_request *req)
{
	_cleanup_(buf_done) struct buf text = { 0 };

	for (uint32_t i = 0; i < req->pin_count; i++) {
		buf_add_str(&text, i ? ";sha256//" : "sha256//");
		base64_encode(&text, bytes_of(req->pins[i], 32));
	}
	snprintf(out, size, "%s", buf_text(&text));
}

/* With a pin, neither name nor issuer of the certificate says anything more, and no clock is trusted. */
static void set_trust(struct transfer *t)
{
	curl_easy_setopt(t->easy, CURLOPT_PINNEDPUBLICKEY, t->pins);
	curl_easy_setopt(t->easy, CURLOPT_SSL_VERIFYPEER, 0L);
	curl_easy_setopt(t->easy, CURLOPT_SSL_VERIFYHOST, 0L);
	curl_easy_setopt(t->easy, CURLOPT_CAINFO, NULL); /* or all of the system's are read for each connection */
	curl_easy_setopt(t->easy, CURLOPT_CAPATH, NULL);
	curl_easy_setopt(t->easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_3);
	curl_easy_setopt(t->easy, CURLOPT_PROTOCOLS_STR, "https");
	curl_easy_setopt(t->easy, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(t->easy, CURLOPT_PROXY, "");
	curl_easy_setopt(t->easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
}

/* A stream may take as long as it moves. Time without credit does not count. */
static void set_stream(struct transfer *t, const struct http_request *req)
{
	char range[64];

	t->stream.is_wanted = true;
	curl_easy_setopt(t->easy, CURLOPT_TIMEOUT, 0L);
	curl_easy_setopt(t->easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
	curl_easy_setopt(t->easy, CURLOPT_LOW_SPEED_TIME, (long)req->timeout_s);
	snprintf(range, sizeof(range), "Range: bytes=%llu-", (unsigned long long)req->from);
	t->headers = curl_slist_append(NULL, "Content-Type: application/vnd.holdfast");
	t->headers = curl_slist_append(t->headers, "Expect:");
	if (req->from)
		t->headers = curl_slist_append(t->headers, range);
	curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, t->headers);
}

static void set_request(struct transfer *t, const struct http_request *req)
{
	curl_easy_setopt(t->easy, CURLOPT_URL, t->url);
	curl_easy_setopt(t->easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(t->easy, CURLOPT_ERRORBUFFER, t->error);
	curl_easy_setopt(t->easy, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_S);
	curl_easy_setopt(t->easy, CURLOPT_TIMEOUT, (long)req->timeout_s);
	curl_easy_setopt(t->easy, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(t->easy, CURLOPT_TCP_KEEPIDLE, (long)KEEPALIVE_S);
	curl_easy_setopt(t->easy, CURLOPT_TCP_KEEPINTVL, 15L);
	curl_easy_setopt(t->easy, CURLOPT_WRITEFUNCTION, take_body);
	curl_easy_setopt(t->easy, CURLOPT_WRITEDATA, t);
	curl_easy_setopt(t->easy, CURLOPT_HEADERFUNCTION, take_header);
	curl_easy_setopt(t->easy, CURLOPT_HEADERDATA, t);
	curl_easy_setopt(t->easy, CURLOPT_PRIVATE, t);
	curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, t->net->headers);
	curl_easy_setopt(t->easy, CURLOPT_USERAGENT, "holdfast-agent");
	curl_easy_setopt(t->easy, CURLOPT_FRESH_CONNECT, (long)req->is_fresh);
	curl_easy_setopt(t->easy, CURLOPT_FORBID_REUSE, (long)req->is_fresh);
	if (req->is_post) {
		curl_easy_setopt(t->easy, CURLOPT_POST, 1L);
		curl_easy_setopt(t->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)t->request.len);
		curl_easy_setopt(t->easy, CURLOPT_POSTFIELDS, buf_text(&t->request));
	}
	if (req->is_stream)
		set_stream(t, req);
}

static int answer(struct net *net, uint32_t id, const struct http_answer *ans, struct error *err)
{
	_cleanup_(buf_done) struct buf body = { 0 };

	http_answer_put(&body, ans);
	return ipc_send(&net->ipc, IPC_HTTP_DONE, id, buf_bytes(&body), err);
}

static int answer_probe(struct net *net, uint32_t id, const char *why, struct error *err)
{
	return ipc_send(&net->ipc, IPC_PROBE_DONE, id, bytes_str(why), err);
}

static struct transfer *add_transfer(struct net *net, uint32_t id)
{
	struct transfer *t = mem_alloc(sizeof(*t));

	t->net = net;
	t->id = id;
	t->next = net->transfers;
	net->transfers = t;
	net->count++;
	t->easy = curl_easy_init();
	return t;
}

static int start_transfer(struct net *net, uint32_t id, struct bytes body, struct error *err)
{
	struct http_request req;
	struct transfer *t;

	if (!http_request_get(&req, body))
		return error_set(err, E_PEER, "a request of another form");
	if (net->count >= NET_REQUESTS_MAX) {
		struct http_answer busy = { .error = "too many requests at once" };

		return answer(net, id, &busy, err);
	}
	t = add_transfer(net, id);
	snprintf(t->url, sizeof(t->url), "https://%s%s", req.address, req.path);
	pins_text(t->pins, sizeof(t->pins), &req);
	buf_add_bytes(&t->request, req.body);
	set_trust(t);
	set_request(t, &req);
	curl_multi_add_handle(net->multi, t->easy);
	return 0;
}

/* ---- probes ---- */

/* libcurl resolves the name and connects without holding up the rest; that it could speak HTTP then is of no concern. */
static void start_tcp(struct net *net, uint32_t id, const struct probe_ask *ask)
{
	struct transfer *t = add_transfer(net, id);

	t->is_probe = true;
	snprintf(t->url, sizeof(t->url), "http://%s", ask->target);
	curl_easy_setopt(t->easy, CURLOPT_URL, t->url);
	curl_easy_setopt(t->easy, CURLOPT_PROTOCOLS_STR, "http");
	curl_easy_setopt(t->easy, CURLOPT_PROXY, "");
	curl_easy_setopt(t->easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(t->easy, CURLOPT_ERRORBUFFER, t->error);
	curl_easy_setopt(t->easy, CURLOPT_CONNECT_ONLY, 1L);
	curl_easy_setopt(t->easy, CURLOPT_FRESH_CONNECT, 1L);
	curl_easy_setopt(t->easy, CURLOPT_FORBID_REUSE, 1L);
	curl_easy_setopt(t->easy, CURLOPT_TIMEOUT_MS, (long)ask->timeout_ms);
	curl_easy_setopt(t->easy, CURLOPT_PRIVATE, t);
	curl_multi_add_handle(net->multi, t->easy);
}

static int start_probe(struct net *net, uint32_t id, struct bytes body, struct error *err)
{
	struct probe_ask ask;
	struct ping *p;

	if (!probe_ask_get(&ask, body))
		return error_set(err, E_PEER, "a probe of another form");
	if (net->count >= NET_REQUESTS_MAX)
		return answer_probe(net, id, "too many requests at once", err);
	if (ask.kind == PROBE_TCP) {
		start_tcp(net, id, &ask);
		return 0;
	}
	p = mem_alloc(sizeof(*p));
	p->id = id;
	if (!ping_begin(p, ask.target, clock_mono_ms(), ask.timeout_ms)) {
		free(p);
		return answer_probe(net, id, "no address", err);
	}
	p->next = net->pings;
	net->pings = p;
	net->count++;
	return 0;
}

/* Takes a ping out of the list and answers, unless why is NULL. */
static int end_ping(struct net *net, struct ping **at, const char *why, struct error *err)
{
	struct ping *p = *at;
	int r = why ? answer_probe(net, p->id, why, err) : 0;

	*at = p->next;
	net->count--;
	free(p);
	return r;
}

static int take_echoes(struct net *net, int which, struct error *err)
{
	uint8_t token[PING_TOKEN_LEN];

	while (net->sockets.fd[which] >= 0 && ping_take(&net->sockets, which, token))
		for (struct ping **at = &net->pings; *at;)
			if (memcmp((*at)->token, token, sizeof(token)) != 0)
				at = &(*at)->next;
			else if (end_ping(net, at, "", err) < 0)
				return err->code;
	return 0;
}

/* Sends what is due and gives up what is over. *wait_ms: no longer than this until the next time. */
static int drive_pings(struct net *net, int *wait_ms, struct error *err)
{
	uint64_t now = clock_mono_ms();

	for (struct ping **at = &net->pings; *at;) {
		struct ping *p = *at;

		ping_send(&net->sockets, p, now);
		if (now >= p->deadline_ms) {
			if (end_ping(net, at, p->why ? p->why : "no answer in time", err) < 0)
				return err->code;
			continue;
		}
		if (p->again_ms - now < (uint64_t)*wait_ms)
			*wait_ms = (int)(p->again_ms - now);
		if (p->deadline_ms - now < (uint64_t)*wait_ms)
			*wait_ms = (int)(p->deadline_ms - now);
		at = &p->next;
	}
	return 0;
}

static void cancel_ping(struct net *net, uint32_t id)
{
	struct error never;

	for (struct ping **at = &net->pings; *at; at = &(*at)->next)
		if ((*at)->id == id) {
			(void)!end_ping(net, at, NULL, &never);
			return;
		}
}

static void cancel_transfer(struct net *net, uint32_t id)
{
	for (struct transfer *t = net->transfers; t; t = t->next)
		if (t->id == id) {
			transfer_end(t);
			return;
		}
}

/* More of a stream is wanted. */
static void give_credit(struct net *net, uint32_t id, struct bytes body)
{
	struct reader rd = reader_over(body);
	uint32_t credit = read_u32(&rd);

	for (struct transfer *t = net->transfers; t; t = t->next)
		if (t->id == id && reader_done(&rd)) {
			stream_more(&t->stream, credit);
			curl_easy_pause(t->easy, CURLPAUSE_CONT);
			return;
		}
}

static int take_requests(struct net *net, struct error *err)
{
	struct ipc_msg msg;
	int r;

	if (ipc_fill(&net->ipc, err) < 0)
		return err->code;
	while ((r = ipc_next(&net->ipc, &msg, err)) == 0) {
		if (msg.kind == IPC_HTTP_CANCEL) {
			cancel_transfer(net, msg.id);
			cancel_ping(net, msg.id);
		} else if (msg.kind == IPC_HTTP_MORE) {
			give_credit(net, msg.id, msg.body);
		} else if (msg.kind == IPC_PROBE) {
			if (start_probe(net, msg.id, msg.body, err) < 0)
				return err->code;
		} else if (msg.kind != IPC_HTTP) {
			return error_set(err, E_PEER, "message of kind %d", (int)msg.kind);
		} else if (start_transfer(net, msg.id, msg.body, err) < 0) {
			return err->code;
		}
	}
	return r < 0 ? r : 0;
}

static int answer_transfer(struct net *net, const struct transfer *t, CURLcode code, struct error *err)
{
	struct http_answer ans = { .is_answered = code == CURLE_OK, .window_s = t->window_s, .retry_s = t->retry_s };
	const char *why = code == CURLE_OK ? "" : t->error[0] ? t->error : curl_easy_strerror(code);
	long status = 0;

	if (t->is_probe)
		return answer_probe(net, t->id, why, err);
	curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
	ans.status = (uint32_t)status;
	snprintf(ans.error, sizeof(ans.error), "%s", t->is_over ? "an answer, or all of them, over the bound" : why);
	if (code == CURLE_OK && !t->is_over)
		ans.body = buf_bytes(&t->answer);
	return answer(net, t->id, &ans, err);
}

static int finish_transfers(struct net *net, struct error *err)
{
	CURLMsg *done;
	int left;

	while ((done = curl_multi_info_read(net->multi, &left))) {
		CURLcode code = done->data.result;
		struct transfer *t;
		int r;

		if (done->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(done->easy_handle, CURLINFO_PRIVATE, (char **)&t);
		r = stream_flush(&t->stream, &net->ipc, t->id, err);
		if (r == 0)
			r = answer_transfer(net, t, code, err);
		transfer_end(t);
		if (r < 0)
			return r;
	}
	return 0;
}

static int serve(struct net *net, struct error *err)
{
	for (;;) {
		struct curl_waitfd wait[3] = { { .fd = net->ipc.fd, .events = CURL_WAIT_POLLIN },
					       { .fd = net->sockets.fd[0], .events = CURL_WAIT_POLLIN },
					       { .fd = net->sockets.fd[1], .events = CURL_WAIT_POLLIN } };
		int running, r, wait_ms = WAIT_MS;

		curl_multi_perform(net->multi, &running);
		if (finish_transfers(net, err) < 0 || drive_pings(net, &wait_ms, err) < 0)
			return err->code;
		r = ipc_flush(&net->ipc, err);
		if (r < 0)
			return r;
		if (r == IPC_MORE)
			wait[0].events |= CURL_WAIT_POLLOUT;
		curl_multi_poll(net->multi, wait, 3, wait_ms, NULL);
		if (take_echoes(net, 0, err) < 0 || take_echoes(net, 1, err) < 0)
			return err->code;
		if (wait[0].revents & CURL_WAIT_POLLIN && take_requests(net, err) < 0)
			return err->code;
	}
}

int net_main(int fd, int parent, const char *user)
{
	struct error err = { 0 };
	struct net net = { 0 };

	signal(SIGPIPE, SIG_IGN);
	ping_open(&net.sockets);
	if (confine_child(parent, &err) < 0 || confine_user(user, &err) < 0 || confine_net(&err) < 0) {
		log_failure(LOG_ERROR, "net-unconfined", &err);
		return 1;
	}
	curl_global_init(CURL_GLOBAL_DEFAULT);
	net.multi = curl_multi_init();
	curl_multi_setopt(net.multi, CURLMOPT_MAXCONNECTS, (long)IDLE_CONNECTIONS);
	net.headers = curl_slist_append(NULL, "Content-Type: application/vnd.holdfast");
	net.headers = curl_slist_append(net.headers, "Expect:");
	ipc_init(&net.ipc, fd);
	if (serve(&net, &err) < 0)
		log_debug("net-ends why=\"%s\"", err.text);
	while (net.transfers)
		transfer_end(net.transfers);
	while (net.pings)
		(void)!end_ping(&net, &net.pings, NULL, &err);
	ping_close(&net.sockets);
	curl_slist_free_all(net.headers);
	curl_multi_cleanup(net.multi);
	curl_global_cleanup();
	ipc_done(&net.ipc);
	return 0;
}
