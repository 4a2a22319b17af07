/* server/http.h -- HTTPS by libmicrohttpd: connections, bodies, limits, answers; and what a handler sees of it.
 *
 * A handler runs in one of a few threads once the whole body is there. It fills call->reply (call_json(), call_refuse(), ...) and
 * returns 0; or it suspends the call and returns CALL_SUSPENDED, and is called again when it was resumed; or it returns a failure, which
 * becomes problem+json by its code. It must not block for longer than the disk takes. */
#pragma once

#include "server/answers.h"
#include "server/ingest.h"
#include "server/poll.h"
#include "server/server.h"
#include "server/tls.h"

#include <jansson.h>

enum { CALL_SUSPENDED = 1 };
enum { CALL_ARGS_MAX = 2, CALL_ARG_LEN = 72, REPLY_HEADERS_MAX = 4 };

struct reply_header {
	const char *name;
	char value[80];
};

struct reply {
	unsigned status;
	const char *type; /* media type, static */
	struct buf body;
	bool is_bare; /* in place of all but the status: the server's answer without a body */
	struct answer *shared; /* in place of all above but the status: it has its response, or gets what is made of the above */
	int file; /* > 0: a part of this file in place of the body; ours */
	uint64_t file_from, file_len;
	struct reply_header *headers;
	size_t header_count;
};

struct route;

/* A waiting poll keeps its own for hours: what only others need is allocated by them. */
struct call {
	struct server *server;
	struct MHD_Connection *conn;
	int fd;
	struct tls_wire *wire;
	const struct route *route;
	char (*args)[CALL_ARG_LEN]; /* what stood for each '*' of the route; NULL: it has none */
	struct buf body;
	size_t announced; /* bytes of body, by Content-Length */
	size_t counted;   /* of server->body_bytes */
	bool is_overloaded, is_answered, is_resumed;
	bool is_drained; /* refused, but read to its end: a close with bytes unread could take the answer with it */
	uint64_t begun_ms;
	struct reply reply;
	char person[64]; /* whose session it is */
	/* what a handler keeps while suspended */
	struct submission *submission;
	struct waiter waiter;
	struct posted_list *posted;
	struct poll poll;
	/* of firmware */
	struct upload *upload; /* the body goes here as it comes */
	bool is_fetching;
	uint64_t streamed;   /* bytes of a body that is not gathered */
	bool is_patient;     /* the library's clock for this connection is set to more than the usual */
};

/* What a route asks of the caller before its handler runs. */
enum need { NEED_NOTHING, NEED_SESSION, NEED_READER, NEED_PAYLOADS, NEED_ADMIN, NEED_DEPLOYER };

typedef int (*call_fn)(struct call *call, struct error *err);
typedef int (*call_part_fn)(struct call *call, struct bytes part, struct error *err);

struct route {
	const char *method, *path; /* what takes GET takes HEAD; '*' stands for one part of a path */
	size_t body_max;           /* 0: no body */
	enum need need;
	bool always; /* answered while stopping, too */
	call_fn run;
	/* of a body that is not gathered in memory: open, before any of it is read, answers CALL_REFUSED (the answer is in call->reply) or
	 * 0, and then take gets every part as it comes; when that fails, the connection is ended */
	call_fn open;
	call_part_fn take;
};

extern const struct route device_routes[], operator_routes[], order_routes[], policy_routes[],
	firmware_routes[]; /* each ends with one whose method is NULL */

enum refusal { REFUSE_MALFORMED, REFUSE_LOGIN, REFUSE_DENIED, REFUSE_ABSENT, REFUSE_METHOD, REFUSE_CLAIMED, REFUSE_FORK, REFUSE_GAP,
	       REFUSE_LENGTH, REFUSE_LARGE, REFUSE_RANGE, REFUSE_FAILED, REFUSE_BUSY, REFUSE_STORAGE, REFUSE_STOPPING };

void call_header(struct call *call, const char *name, const char *fmt, ...) _printf_(3, 4);
/* All of these return 0, for `return call_json(...)`. */
int call_text(struct call *call, unsigned status, const char *text);
int call_bare(struct call *call); /* 200, and nothing behind it: made once, for what is answered most */
int call_json(struct call *call, json_t *json); /* takes json over */
/* The whole text of an object whose words need no escaping: for what is answered often. */
int call_json_text(struct call *call, const char *fmt, ...) _printf_(2, 3);
int call_containers(struct call *call, struct buf *body); /* takes the body over */
/* Bytes of a file; takes the descriptor over. Whoever does not go on taking them is cut after a while. */
void call_file(struct call *call, unsigned status, int fd, uint64_t from, uint64_t len);
/* problem+json. The detail says what failed; what to do about it is added from a table. */
int call_refuse(struct call *call, enum refusal why, const char *fmt, ...) _printf_(3, 4);
int call_refuse_with(struct call *call, enum refusal why, json_t *more, const char *detail); /* takes more over; may be NULL */
/* The same by an error's code. */
int call_refuse_error(struct call *call, const struct error *err);
void call_drop_body(struct call *call); /* once it is not needed: a call may wait long */
const char *call_argument(const struct call *call, const char *key); /* of the query; NULL when absent */
const char *call_request_header(const struct call *call, const char *name);

/* Checks session and role: 0 when the call may go on; CALL_REFUSED when the refusal is in call->reply. In api-operator.c. */
enum { CALL_REFUSED = 1 };
int operator_check(struct call *call, enum need need, struct error *err) _must_check_;

struct http;

int http_start(struct http **out, struct server *server, struct error *err) _must_check_;
/* Graceful: takes no more connections, answers what waits with 503, lets calls in hand finish (at most ten seconds for slow bodies,
 * as long as it takes for what is being made durable). */
struct http *http_stop(struct http *http);
