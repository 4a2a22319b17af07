/* server/http.c -- HTTPS by libmicrohttpd: its daemon, routing, bodies, limits.
 *
 * Poll mode: a connection that is suspended costs its threads nothing, and the others are few. The rest is care with an open port: no
 * post processor, no authentication of the library's, exactly one Content-Length for a body and no Transfer-Encoding, nothing
 * allocated before a bound was met. */
#include "server/http.h"

#include "base/clock.h"
#include "base/fs.h"
#include "server/door.h"
#include "server/send-file.h"
#include "server/tls.h"

#include <assert.h>
#include <errno.h>
#include <gnutls/gnutls.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	POOL_BYTES = 4 << 10,        /* per connection: request line and headers fit, or 431 */
	PER_ADDRESS_MAX = 1024,      /* connections; a NAT may hide many devices */
	BODIES_MAX = 128 << 20,      /* bytes of all bodies in memory */
	DRAIN_MAX = 1 << 20,         /* of a body that is refused for its length, read so that the answer arrives */
	IDLE_SECONDS = 15,           /* between requests */
	ANSWER_SECONDS = 60,         /* to take an answer, and 1 s more per 64 KiB */
	STREAM_BYTES = 64 << 10,     /* of a body that is not gathered: who does not send so many in stall-seconds is cut */
	SPARE_FDS = 256,             /* for git, SQLite, pipes */
	STEP_MS = 500,               /* how finely waits and deadlines are kept */
	GRACE_SECONDS = 10,
};

struct http {
	struct server *server;
	struct MHD_Daemon *daemon;
	struct buf key_pem, cert_pem;
	int listener;
	unsigned connections; /* at most */
	struct door *door;
	struct tls_wire *wires; /* by descriptor */
	pthread_t attendant;
	_Atomic bool attendant_stops;
};

bool server_is_stopping(struct server *server)
{
	return server->stopping;
}

/* ---- a call ---- */

static uint64_t in_seconds(uint64_t seconds)
{
	return clock_mono_ms() + seconds * 1000;
}

static int fd_of(struct MHD_Connection *conn)
{
	return MHD_get_connection_info(conn, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
}

static void *session_of(struct MHD_Connection *conn)
{
	return MHD_get_connection_info(conn, MHD_CONNECTION_INFO_GNUTLS_SESSION)->tls_session;
}

static struct call *call_new(struct http *http, struct MHD_Connection *conn)
{
	struct server *server = http->server;
	struct call *call = mem_alloc(sizeof(*call));

	call->server = server;
	call->conn = conn;
	call->fd = fd_of(conn);
	call->wire = &http->wires[call->fd];
	call->wire->is_past_head = true;
	tls_wire_settle(session_of(conn));
	call->begun_ms = clock_mono_ms();
	atomic_fetch_add(&server->calls, 1);
	return call;
}

void call_drop_body(struct call *call)
{
	atomic_fetch_sub(&call->server->body_bytes, call->counted);
	call->counted = 0;
	buf_done(&call->body);
}

static void call_free(struct call *call)
{
	wait_answered(call->server->wait, &call->waiter);
	call_drop_body(call);
	buf_done(&call->reply.body);
	answer_put(call->reply.shared);
	free(call->reply.headers);
	free(call->args);
	free(call->submission);
	posted_list_free(call->posted);
	upload_rest(call->upload, clock_mono_ms());
	if (call->is_fetching)
		firmware_leave(call->server->firmware, call->fd);
	if (call->reply.file > 0)
		close(call->reply.file); /* it was not given out after all */
	atomic_fetch_sub(&call->server->calls, 1);
	free(call);
}

/* ---- routing ---- */

/* Does path match pattern? '*' takes one part, which is copied to args. */
static bool match(char args[CALL_ARGS_MAX][CALL_ARG_LEN], const char *pattern, const char *path)
{
	size_t n = 0;

	for (;;) {
		if (*pattern == '*') {
			size_t len = strcspn(path, "/");

			if (!len || len >= CALL_ARG_LEN || n == CALL_ARGS_MAX)
				return false;
			memcpy(args[n], path, len);
			args[n++][len] = 0;
			path += len;
			pattern++;
		} else if (*pattern != *path) {
			return false;
		} else if (!*pattern) {
			return true;
		} else {
			pattern++;
			path++;
		}
	}
}

static void keep_args(struct call *call, const char args[CALL_ARGS_MAX][CALL_ARG_LEN])
{
	if (!strchr(call->route->path, '*'))
		return;
	call->args = mem_alloc(CALL_ARGS_MAX * CALL_ARG_LEN);
	memcpy(call->args, args, CALL_ARGS_MAX * CALL_ARG_LEN);
}

static int find_route(struct call *call, const char *method, const char *path)
{
	static const struct route *const tables[] = { device_routes, operator_routes, order_routes, policy_routes, firmware_routes };
	/* RFC 9110, 9.3.2; the body is left out by libmicrohttpd */
	const char *taken = strcmp(method, MHD_HTTP_METHOD_HEAD) != 0 ? method : MHD_HTTP_METHOD_GET;
	char args[CALL_ARGS_MAX][CALL_ARG_LEN] = { 0 };
	const struct route *other = NULL;

	for (size_t t = 0; t < ARRAY_SIZE(tables); t++) {
		for (const struct route *r = tables[t]; r->method; r++) {
			if (!match(args, r->path, path))
				continue;
			if (!strcmp(r->method, taken)) {
				call->route = r;
				keep_args(call, args);
				return 0;
			}
			other = r;
		}
	}
	if (!other) {
		call_refuse(call, REFUSE_ABSENT, "there is no such address here");
		return CALL_REFUSED;
	}
	call_header(call, "Allow", "%s%s", other->method, strcmp(other->method, MHD_HTTP_METHOD_GET) != 0 ? "" : ", HEAD");
	call_refuse(call, REFUSE_METHOD, "this address does not take that method");
	return CALL_REFUSED;
}

/* ---- headers ---- */

struct length_headers {
	unsigned lengths, encodings;
	const char *value;
};

static enum MHD_Result count_header(void *ctx, enum MHD_ValueKind kind _unused_, const char *key, const char *value)
{
	struct length_headers *h = ctx;

	if (!strcasecmp(key, MHD_HTTP_HEADER_CONTENT_LENGTH)) {
		h->lengths++;
		h->value = value;
	} else if (!strcasecmp(key, MHD_HTTP_HEADER_TRANSFER_ENCODING)) {
		h->encodings++;
	}
	return MHD_YES;
}

/* Two lengths, or a length and an encoding, are how requests are smuggled past a proxy: neither is taken. */
static int check_length(struct call *call)
{
	struct length_headers h = { 0 };
	uint64_t n = 0;

	MHD_get_connection_values(call->conn, MHD_HEADER_KIND, count_header, &h);
	if (h.encodings)
		return call_refuse(call, REFUSE_LENGTH, "Transfer-Encoding is not taken"), CALL_REFUSED;
	if (h.lengths > 1)
		return call_refuse(call, REFUSE_MALFORMED, "%u Content-Length headers", h.lengths), CALL_REFUSED;
	if (!call->route->body_max) {
		if (h.value && strcmp(h.value, "0") != 0)
			return call_refuse(call, REFUSE_MALFORMED, "a body where none is taken"), CALL_REFUSED;
		return 0;
	}
	if (!h.value)
		return call_refuse(call, REFUSE_LENGTH, "no Content-Length"), CALL_REFUSED;
	if (!number_parse(&n, bytes_str(h.value)) || !n)
		return call_refuse(call, REFUSE_MALFORMED, "Content-Length is not a positive number"), CALL_REFUSED;
	call->announced = (size_t)n;
	if (n > call->route->body_max)
		return call_refuse(call, REFUSE_LARGE, "a body of %llu bytes; at most %zu are taken here", (unsigned long long)n,
				   call->route->body_max), CALL_REFUSED;
	return 0;
}

static int check_room(struct call *call)
{
	if (!call->route->always && server_is_stopping(call->server))
		return call_refuse(call, REFUSE_STOPPING, "the server is stopping"), CALL_REFUSED;
	if (!call->route->open && atomic_load(&call->server->body_bytes) + call->announced > BODIES_MAX)
		return call_refuse(call, REFUSE_BUSY, "too many bodies at a time"), CALL_REFUSED;
	return 0;
}

static enum MHD_Result answer(struct call *call, const char *method, const char *path);

/* Who idles longer than others may is not cut by the library's own clock either. */
static void be_patient(struct call *call, unsigned seconds)
{
	MHD_set_connection_option(call->conn, MHD_CONNECTION_OPTION_TIMEOUT, seconds);
	call->is_patient = seconds != (unsigned)IDLE_SECONDS;
}

/* A body that goes to its handler as it comes: who sends it and what it is are judged before. */
static int open_stream(struct call *call)
{
	struct error err = { 0 };
	int r = operator_check(call, call->route->need, &err);

	if (r == 0)
		r = call->route->open(call, &err);
	if (r < 0)
		call_refuse_error(call, &err);
	if (r != 0)
		return CALL_REFUSED;
	be_patient(call, call->server->settings->stall_seconds);
	sweeper_set(call->server->sweeper, call->fd, in_seconds(call->server->settings->stall_seconds));
	return 0;
}

/* Who asks before sending is answered at once; what others send is read to its end, if that is not far. */
static bool is_worth_draining(const struct call *call)
{
	bool is_refused = call->reply.status == 413 || (call->route && call->route->open);

	return is_refused && call->announced && call->announced <= DRAIN_MAX && !call_request_header(call, "Expect");
}

/* All that can be judged before a body is read. */
static enum MHD_Result begin(struct call *call, const char *method, const char *path)
{
	const struct server *server = call->server;

	if (find_route(call, method, path) != 0 || check_length(call) != 0 || check_room(call) != 0 ||
	    (call->route->open && open_stream(call) != 0)) {
		call->is_drained = is_worth_draining(call);
		if (!call->is_drained)
			return answer(call, method, path);
	}
	if (!call->upload)
		sweeper_set(server->sweeper, call->fd,
			    call->announced ? in_seconds(server->settings->body_seconds + call->announced / (64 << 10)) : 0);
	return MHD_YES;
}

/* ---- bodies ---- */

/* Memory is taken, and counted, as bytes arrive: who only announces much takes nothing from the others. */
static void take_body(struct call *call, const char *data, size_t len)
{
	struct server *server = call->server;

	if (call->is_overloaded)
		return;
	if (len > call->announced - call->body.len || atomic_fetch_add(&server->body_bytes, len) + len > BODIES_MAX) {
		call->is_overloaded = true;
		call->counted += len;
		call_drop_body(call);
		return;
	}
	call->counted += len;
	buf_add(&call->body, data, len);
}

/* No answer can be given before the body ends: so a failure ends the connection, and the log says why. */
static enum MHD_Result take_part(struct call *call, struct bytes part)
{
	uint64_t before = call->streamed / STREAM_BYTES;
	struct error err = { 0 };

	if (call->route->take(call, part, &err) < 0) {
		log_failure(LOG_ERROR, "body-refused", &err);
		return MHD_NO;
	}
	call->streamed += part.len;
	if (call->streamed / STREAM_BYTES != before)
		sweeper_set(call->server->sweeper, call->fd, in_seconds(call->server->settings->stall_seconds));
	return MHD_YES;
}

/* ---- answers ---- */

static void log_call(const struct call *call, const char *method, const char *path)
{
	log_debug("request method=%s path=%.127s status=%u took_ms=%llu", method, path, call->reply.status,
		  (unsigned long long)(clock_mono_ms() - call->begun_ms));
}

static struct MHD_Response *file_response(struct call *call)
{
	struct reply *reply = &call->reply;
	const struct server *server = call->server;
	struct MHD_Response *response = send_file_response(reply->file, reply->file_from, reply->file_len, server->sweeper, call->fd,
							   server->settings->stall_seconds);

	if (response)
		reply->file = 0;
	return response;
}

static struct MHD_Response *body_response(struct reply *reply)
{
	size_t len = reply->body.len;

	/* the empty body has no buffer to hand over */
	return MHD_create_response_from_buffer(len, len ? buf_steal_text(&reply->body) : (void *)(uintptr_t)"",
					       len ? MHD_RESPMEM_MUST_FREE : MHD_RESPMEM_PERSISTENT);
}

static struct MHD_Response *make_response(struct call *call)
{
	struct reply *reply = &call->reply;
	bool is_file = reply->file > 0;
	struct MHD_Response *response = is_file ? file_response(call) : body_response(reply);

	if (!response)
		return NULL;
	if (is_file)
		be_patient(call, call->server->settings->stall_seconds);
	if (reply->type)
		MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, reply->type);
	MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
	for (size_t i = 0; i < reply->header_count; i++)
		MHD_add_response_header(response, reply->headers[i].name, reply->headers[i].value);
	if (server_is_stopping(call->server))
		MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
	return response;
}

/* One that was made before; NULL: there is none. */
static struct MHD_Response *ready_response(const struct call *call)
{
	if (call->reply.is_bare)
		return server_is_stopping(call->server) ? NULL : call->server->bare;
	return call->reply.shared ? answer_response(call->reply.shared) : NULL;
}

static enum MHD_Result answer(struct call *call, const char *method, const char *path)
{
	struct reply *reply = &call->reply;
	struct MHD_Response *ready = ready_response(call), *made = NULL;
	uint64_t seconds = reply->file > 0 ? call->server->settings->stall_seconds : ANSWER_SECONDS + reply->body.len / (64 << 10);
	bool has_body = reply->file > 0 ? reply->file_len > 0 : reply->body.len > 0;
	enum MHD_Result r;

	if (!ready)
		made = make_response(call);
	else if (reply->shared)
		has_body = answer_has_body(reply->shared);
	if (!ready && !made)
		return MHD_NO;
	sweeper_set(call->server->sweeper, call->fd, in_seconds(seconds));
	call->is_answered = true;
	if (seconds > ANSWER_SECONDS)
		wait_answered(call->server->wait, &call->waiter); /* it may take long to go out: nobody waits for that */
	call->wire->has_more = has_body && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0; /* whose answer ends with its head */
	r = MHD_queue_response(call->conn, reply->status, ready ? ready : made);
	if (made && reply->shared)
		answers_keep(call->server->answers, reply->shared, made, has_body);
	else if (made)
		MHD_destroy_response(made);
	log_call(call, method, path);
	return r;
}

static int run(struct call *call, struct error *err)
{
	int r;

	if (call->is_overloaded)
		return call_refuse(call, REFUSE_BUSY, "too many bodies at a time");
	r = call->route->open ? 0 : operator_check(call, call->route->need, err); /* was asked before the body, which may have taken long */
	if (r != 0)
		return r == CALL_REFUSED ? 0 : r;
	return call->route->run(call, err);
}

static enum MHD_Result proceed(struct call *call, const char *method, const char *path)
{
	struct error err = { 0 };
	int r;

	sweeper_set(call->server->sweeper, call->fd, 0);
	r = run(call, &err);
	if (r == CALL_SUSPENDED) {
		call->is_resumed = true; /* it will be, by the time we look again */
		return MHD_YES;
	}
	if (r < 0)
		call_refuse_error(call, &err);
	call_drop_body(call);
	return answer(call, method, path);
}

/* ---- what libmicrohttpd calls ---- */

static enum MHD_Result on_request(void *ctx, struct MHD_Connection *conn, const char *path, const char *method,
				  const char *version _unused_, const char *data, size_t *len, void **state)
{
	struct http *http = ctx;
	struct call *call = *state;

	if (!call) {
		call = *state = call_new(http, conn);
		return begin(call, method, path);
	}
	if (*len) {
		struct bytes part = bytes_of(data, *len);

		*len = 0;
		if (call->upload)
			return take_part(call, part);
		if (!call->is_drained)
			take_body(call, (const char *)part.ptr, part.len);
		return MHD_YES;
	}
	if (call->is_answered)
		return MHD_YES;
	return call->is_drained ? answer(call, method, path) : proceed(call, method, path);
}

static void on_completed(void *ctx, struct MHD_Connection *conn _unused_, void **state, enum MHD_RequestTerminationCode why)
{
	struct http *http = ctx;
	struct call *call = *state;

	if (!call)
		return;
	/* the library's idle timeout ends a silent connection earlier; this one ends a request that trickles in */
	sweeper_set(http->server->sweeper, call->fd, in_seconds(IDLE_SECONDS + http->server->settings->header_seconds));
	tls_wire_await_head(call->wire);
	if (call->is_patient && why == MHD_REQUEST_TERMINATED_COMPLETED_OK)
		be_patient(call, IDLE_SECONDS);
	call_free(call);
	*state = NULL;
}

static void on_connection(void *ctx, struct MHD_Connection *conn, void **socket_ctx _unused_, enum MHD_ConnectionNotificationCode what)
{
	struct http *http = ctx;
	int fd = fd_of(conn);
	bool opened = what == MHD_CONNECTION_NOTIFY_STARTED;

	if (opened)
		tls_wire_open(&http->wires[fd], session_of(conn), fd, http->server->sweeper);
	if (!opened) {
		sweeper_set(http->server->sweeper, fd, 0); /* at first, the deadline that it came in with goes on */
		tls_wire_done(&http->wires[fd]);
	}
}

/* ---- who comes in ---- */

static bool has_room(void *ctx, size_t held)
{
	struct http *http = ctx;

	return MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS)->num_connections + held < http->connections;
}

static void enter(void *ctx, int fd, const struct sockaddr *from, socklen_t len)
{
	struct http *http = ctx;

	if (MHD_add_connection(http->daemon, fd, from, len) != MHD_YES)
		sweeper_set(http->server->sweeper, fd,
			    0); /* the library has closed it; nobody else takes connections, so it is no other's */
}

static void _printf_(2, 0) on_log(void *ctx _unused_, const char *fmt, va_list ap)
{
	char text[240];
	size_t len;

	vsnprintf(text, sizeof(text), fmt, ap);
	len = strlen(text);
	if (len && text[len - 1] == '\n')
		text[len - 1] = 0;
	log_debug("microhttpd text=\"%s\"", text);
}

static void *attend(void *ctx)
{
	struct http *http = ctx;

	while (!http->attendant_stops) {
		size_t cut;

		wait_step(http->server->wait, STEP_MS);
		firmware_tidy(http->server->firmware, clock_mono_ms());
		cut = sweeper_run(http->server->sweeper, clock_mono_ms());
		if (cut)
			log_info("cut connections=%zu: handshake, headers, body or answer took too long", cut);
	}
	return NULL;
}

/* ---- start and stop ---- */

static int load_tls(struct http *http, struct error *err)
{
	_cleanup_(mem_freep) char *key = mem_printf("%s/%s", http->server->dir, SERVER_TLS_KEY_FILE);
	_cleanup_(mem_freep) char *cert = mem_printf("%s/%s", http->server->dir, SERVER_TLS_CERT_FILE);
	int r = fs_read(&http->key_pem, key, TLS_FILE_MAX, err);

	if (r == 0)
		r = fs_read(&http->cert_pem, cert, TLS_FILE_MAX, err);
	if (r == FS_ABSENT)
		return error_set(err, E_SYS, "'%s' or '%s' is missing", key, cert);
	return r;
}

static int make_bare(struct server *server, struct error *err)
{
	server->bare = MHD_create_response_from_buffer(0, (void *)(uintptr_t)"", MHD_RESPMEM_PERSISTENT);
	if (!server->bare || MHD_add_response_header(server->bare, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store") != MHD_YES)
		return error_set(err, E_PEER, "cannot make the answer without a body");
	return 0;
}

static int start_daemon(struct http *http, struct error *err)
{
	const struct settings *settings = http->server->settings;
	unsigned most = (unsigned)(http->server->fds - SPARE_FDS), connections = settings->connections;

	if (connections > most) {
		log_warning("connections=%u: fewer than the %u of the settings, by the limit of open files", most, connections);
		connections = most;
	}
	if (settings->threads > connections)
		return error_set(err, E_LIMIT, "connections: fewer than threads");
	http->connections = connections;
	http->daemon = MHD_start_daemon(
		MHD_USE_POLL_INTERNAL_THREAD | MHD_USE_NO_LISTEN_SOCKET | MHD_USE_TLS | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ITC |
			MHD_USE_ERROR_LOG | MHD_USE_SUPPRESS_DATE_NO_CLOCK,
		0, NULL, NULL, on_request, http, MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL, MHD_OPTION_THREAD_POOL_SIZE,
		settings->threads > 1 ? settings->threads : 0U, MHD_OPTION_CONNECTION_LIMIT, connections,
		MHD_OPTION_PER_IP_CONNECTION_LIMIT, (unsigned)PER_ADDRESS_MAX, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_SECONDS,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)POOL_BYTES, MHD_OPTION_NOTIFY_COMPLETED, on_completed, http,
		MHD_OPTION_NOTIFY_CONNECTION, on_connection, http, MHD_OPTION_HTTPS_MEM_KEY, buf_text(&http->key_pem),
		MHD_OPTION_HTTPS_MEM_CERT, buf_text(&http->cert_pem), MHD_OPTION_HTTPS_PRIORITIES, TLS_PRIORITY, MHD_OPTION_END);
	if (!http->daemon)
		return error_set(err, E_PEER, "cannot start HTTPS on '%s'; with log: debug the reason is shown", settings->listen);
	return 0;
}

static struct http *http_free(struct http *http)
{
	if (!http)
		return NULL;
	door_close(http->door);
	if (http->daemon)
		MHD_stop_daemon(http->daemon);
	if (http->server->bare)
		MHD_destroy_response(http->server->bare);
	http->server->bare = NULL;
	if (http->listener >= 0)
		close(http->listener);
	buf_done(&http->key_pem);
	buf_done(&http->cert_pem);
	free(http->wires);
	free(http);
	return NULL;
}

static void http_freep(struct http **http)
{
	*http = http_free(*http);
}

int http_start(struct http **out, struct server *server, struct error *err)
{
	_cleanup_(http_freep) struct http *http = mem_alloc(sizeof(*http));
	int r;

	http->server = server;
	http->listener = -1;
	http->wires = mem_alloc(server->fds * sizeof(*http->wires));
	if (server->fds < SPARE_FDS + 64)
		return error_set(err, E_LIMIT, "only %zu open files are allowed; raise the limit", server->fds);
	r = load_tls(http, err);
	if (r < 0)
		return r;
	r = http->listener = door_listen(server->settings->listen, err);
	if (r < 0)
		return r;
	r = make_bare(server, err);
	if (r < 0)
		return r;
	r = start_daemon(http, err);
	if (r < 0)
		return r;
	r = door_open(&http->door, http->listener, server->fds, server->settings->header_seconds, server->sweeper,
		      &(struct door_calls){ has_room, enter, http }, err);
	if (r < 0)
		return r;
	r = pthread_create(&http->attendant, NULL, attend, http);
	if (r != 0) {
		errno = r;
		return error_sys(err, "cannot start a thread");
	}
	*out = steal(http);
	return 0;
}

/* What is being made durable is answered, however long it takes: libmicrohttpd cannot stop with a suspended connection. */
static void let_submissions_finish(struct server *server)
{
	pthread_mutex_lock(&server->lock);
	while (server->submitting)
		pthread_cond_wait(&server->idle, &server->lock);
	pthread_mutex_unlock(&server->lock);
}

struct http *http_stop(struct http *http)
{
	struct server *server = http->server;
	uint64_t due_ms = in_seconds(GRACE_SECONDS);

	assert(http); /* or gcc 12 warns of what follows */
	pthread_mutex_lock(&server->lock);
	server->stopping = true;
	pthread_mutex_unlock(&server->lock);
	http->door = door_close(http->door);
	wait_stop(server->wait);
	firmware_cut(server->firmware, server->sweeper);
	let_submissions_finish(server);
	while (atomic_load(&server->calls) && clock_mono_ms() < due_ms)
		usleep(20 * 1000);
	http->attendant_stops = true;
	pthread_join(http->attendant, NULL);
	return http_free(http);
}
