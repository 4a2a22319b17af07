/* agent/net.c -- HTTPS to a pinned server: libcurl's multi interface beside one socketpair. */
#include "agent/net.h"

#include "agent/confine.h"
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
	buf_add_u32be(out, req->timeout_s);
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
	out->timeout_s = read_u32(&rd);
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
};

struct transfer {
	struct transfer *next;
	struct net *net;
	CURL *easy;
	uint32_t id;
	uint32_t window_s, retry_s;
	bool is_over; /* a bound was met */
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
	t->net->held -= t->answer.len;
	buf_done(&t->request);
	buf_done(&t->answer);
	free(t);
}

static size_t take_body(char *ptr, size_t size, size_t count, void *ctx)
{
	struct transfer *t = ctx;

	t->is_over = t->answer.len + size * count > NET_ANSWER_MAX || t->net->held + size * count > HELD_MAX;
	if (t->is_over)
		return 0; /* ends the transfer */
	t->net->held += size * count;
	buf_add(&t->answer, ptr, size * count);
	return size * count;
}

/* Seconds behind "name:", 0 when it is another header or no number, at most an hour. */
static uint32_t header_seconds(const char *line, size_t len, const char *name)
{
	size_t name_len = strlen(name);
	uint64_t n;

	if (len <= name_len || strncasecmp(line, name, name_len) != 0)
		return 0;
	line += name_len;
	len -= name_len;
	while (len && (*line == ' ' || *line == '\t')) {
		line++;
		len--;
	}
	while (len && (line[len - 1] == '\r' || line[len - 1] == '\n' || line[len - 1] == ' '))
		len--;
	if (!number_parse(&n, bytes_of(line, len)))
		return 0;
	return n > 3600 ? 3600 : (uint32_t)n;
}

static size_t take_header(char *ptr, size_t size, size_t count, void *ctx)
{
	struct transfer *t = ctx;
	uint32_t n = header_seconds(ptr, size * count, "Holdfast-Window:");

	if (n)
		t->window_s = n;
	n = header_seconds(ptr, size * count, "Retry-After:");
	if (n)
		t->retry_s = n;
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
	if (req->is_post) {
		curl_easy_setopt(t->easy, CURLOPT_POST, 1L);
		curl_easy_setopt(t->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)t->request.len);
		curl_easy_setopt(t->easy, CURLOPT_POSTFIELDS, buf_text(&t->request));
	}
}

static int answer(struct net *net, uint32_t id, const struct http_answer *ans, struct error *err)
{
	_cleanup_(buf_done) struct buf body = { 0 };

	http_answer_put(&body, ans);
	return ipc_send(&net->ipc, IPC_HTTP_DONE, id, buf_bytes(&body), err);
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
	t = mem_alloc(sizeof(*t));
	t->net = net;
	t->id = id;
	t->next = net->transfers;
	net->transfers = t;
	net->count++;
	t->easy = curl_easy_init();
	snprintf(t->url, sizeof(t->url), "https://%s%s", req.address, req.path);
	pins_text(t->pins, sizeof(t->pins), &req);
	buf_add_bytes(&t->request, req.body);
	set_trust(t);
	set_request(t, &req);
	curl_multi_add_handle(net->multi, t->easy);
	return 0;
}

static void cancel_transfer(struct net *net, uint32_t id)
{
	for (struct transfer *t = net->transfers; t; t = t->next)
		if (t->id == id) {
			transfer_end(t);
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
		if (msg.kind == IPC_HTTP_CANCEL)
			cancel_transfer(net, msg.id);
		else if (msg.kind != IPC_HTTP)
			return error_set(err, E_PEER, "message of kind %d", (int)msg.kind);
		else if (start_transfer(net, msg.id, msg.body, err) < 0)
			return err->code;
	}
	return r < 0 ? r : 0;
}

static int finish_transfers(struct net *net, struct error *err)
{
	CURLMsg *done;
	int left;

	while ((done = curl_multi_info_read(net->multi, &left))) {
		struct http_answer ans = { 0 };
		CURLcode code = done->data.result;
		struct transfer *t;
		long status = 0;
		int r;

		if (done->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(done->easy_handle, CURLINFO_PRIVATE, (char **)&t);
		curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
		ans.is_answered = code == CURLE_OK;
		ans.status = (uint32_t)status;
		ans.window_s = t->window_s;
		ans.retry_s = t->retry_s;
		if (t->is_over)
			snprintf(ans.error, sizeof(ans.error), "an answer, or all of them, over the bound");
		else if (code != CURLE_OK)
			snprintf(ans.error, sizeof(ans.error), "%s", t->error[0] ? t->error : curl_easy_strerror(code));
		else
			ans.body = buf_bytes(&t->answer);
		r = answer(net, t->id, &ans, err);
		transfer_end(t);
		if (r < 0)
			return r;
	}
	return 0;
}

static int serve(struct net *net, struct error *err)
{
	for (;;) {
		struct curl_waitfd wait = { .fd = net->ipc.fd, .events = CURL_WAIT_POLLIN };
		int running, r;

		curl_multi_perform(net->multi, &running);
		if (finish_transfers(net, err) < 0)
			return err->code;
		r = ipc_flush(&net->ipc, err);
		if (r < 0)
			return r;
		if (r == IPC_MORE)
			wait.events |= CURL_WAIT_POLLOUT;
		curl_multi_poll(net->multi, &wait, 1, WAIT_MS, NULL);
		if (wait.revents & CURL_WAIT_POLLIN && take_requests(net, err) < 0)
			return err->code;
	}
}

int net_main(int fd, int parent, const char *user)
{
	struct error err = { 0 };
	struct net net = { 0 };

	signal(SIGPIPE, SIG_IGN);
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
	curl_slist_free_all(net.headers);
	curl_multi_cleanup(net.multi);
	curl_global_cleanup();
	ipc_done(&net.ipc);
	return 0;
}
