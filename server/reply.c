/* server/reply.c -- answers: text, JSON, containers, and refusals as problem+json (RFC 9457). */
#include "server/http.h"

#include <errno.h>
#include <microhttpd.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

enum { RETRY_MIN_S = 2, RETRY_SPREAD_S = 10 };

static const struct {
	unsigned status;
	const char *word, *title, *advice; /* advice: what to do about it; NULL when the detail says all */
	bool retry;
} refusals[] = {
	[REFUSE_MALFORMED] = { 400, "malformed", "Not understood", "nothing was taken; correct it and send it again", false },
	[REFUSE_LOGIN] = { 401, "login", "A session is needed", "log in: holdfast does it by itself", false },
	[REFUSE_DENIED] = { 403, "denied", "Not allowed", NULL, false },
	[REFUSE_ABSENT] = { 404, "absent", "Not there", NULL, false },
	[REFUSE_METHOD] = { 405, "method", "Not this method", NULL, false },
	[REFUSE_CLAIMED] = { 409, "claimed", "Claimed already", "only the people of its root change it now", false },
	[REFUSE_FORK] = { 409, "fork", "Another statement has this number",
			  "both are kept and an alarm is raised: a clone, or a device set back; an operator must look", false },
	[REFUSE_GAP] = { 409, "gap", "Not the next one", "send what lies between the head and this one first", false },
	[REFUSE_LENGTH] = { 411, "length", "A length is needed", "send exactly one Content-Length", false },
	[REFUSE_LARGE] = { 413, "too-large", "Too large", NULL, false },
	[REFUSE_RANGE] = { 416, "range", "Not this part", NULL, false },
	[REFUSE_FAILED] = { 500, "failed", "The server failed", "the server's log says more", false },
	[REFUSE_BUSY] = { 503, "busy", "Busy", "nothing was taken; try again after Retry-After", true },
	[REFUSE_STORAGE] = { 503, "storage", "The disk refuses writes", "nothing was taken; try again once there is space", true },
	[REFUSE_STOPPING] = { 503, "stopping", "Stopping", "try again after Retry-After", true },
};

void call_header(struct call *call, const char *name, const char *fmt, ...)
{
	struct reply_header *header;
	va_list ap;

	if (call->reply.header_count == REPLY_HEADERS_MAX)
		return;
	if (!call->reply.headers)
		call->reply.headers = mem_alloc(REPLY_HEADERS_MAX * sizeof(*header));
	header = &call->reply.headers[call->reply.header_count];
	header->name = name;
	va_start(ap, fmt);
	vsnprintf(header->value, sizeof(header->value), fmt, ap);
	va_end(ap);
	call->reply.header_count++;
}

int call_text(struct call *call, unsigned status, const char *text)
{
	call->reply.status = status;
	call->reply.type = "text/plain; charset=utf-8";
	buf_truncate(&call->reply.body, 0);
	buf_add_str(&call->reply.body, text);
	return 0;
}

int call_bare(struct call *call)
{
	call->reply.status = 200;
	call->reply.is_bare = true;
	return 0;
}

static void put_json(struct call *call, unsigned status, const char *type, json_t *json)
{
	char *text = json_dumps(json, JSON_COMPACT | JSON_ENSURE_ASCII);

	call->reply.status = status;
	call->reply.type = type;
	buf_truncate(&call->reply.body, 0);
	if (text)
		buf_add_str(&call->reply.body, text);
	buf_add_char(&call->reply.body, '\n');
	if (text)
		explicit_bzero(text, strlen(text)); /* it may hold a session's token */
	free(text);
	json_decref(json);
}

int call_json(struct call *call, json_t *json)
{
	put_json(call, 200, "application/json", json);
	return 0;
}

int call_json_text(struct call *call, const char *fmt, ...)
{
	va_list ap;

	call->reply.status = 200;
	call->reply.type = "application/json";
	buf_truncate(&call->reply.body, 0);
	va_start(ap, fmt);
	buf_vaddf(&call->reply.body, fmt, ap);
	va_end(ap);
	buf_add_char(&call->reply.body, '\n');
	return 0;
}

int call_containers(struct call *call, struct buf *body)
{
	buf_done(&call->reply.body);
	call->reply.body = *body;
	*body = (struct buf){ 0 };
	call->reply.status = 200;
	call->reply.type = "application/vnd.holdfast";
	return 0;
}

void call_file(struct call *call, unsigned status, int fd, uint64_t from, uint64_t len)
{
	call->reply.status = status;
	call->reply.type = "application/octet-stream";
	call->reply.file = fd;
	call->reply.file_from = from;
	call->reply.file_len = len;
}

int call_refuse_with(struct call *call, enum refusal why, json_t *more, const char *detail)
{
	json_t *json = json_object();
	char type[64];

	snprintf(type, sizeof(type), "urn:holdfast:%s", refusals[why].word);
	json_object_set_new(json, "type", json_string(type));
	json_object_set_new(json, "title", json_string(refusals[why].title));
	json_object_set_new(json, "status", json_integer(refusals[why].status));
	json_object_set_new(json, "detail",
			    refusals[why].advice ? json_sprintf("%s; %s", detail, refusals[why].advice) : json_string(detail));
	if (more) {
		json_object_update(json, more);
		json_decref(more);
	}
	/* drawn anew for each, so that those who were refused together do not come back together */
	if (refusals[why].retry)
		call_header(call, MHD_HTTP_HEADER_RETRY_AFTER, "%u", RETRY_MIN_S + randombytes_uniform(RETRY_SPREAD_S));
	if (why == REFUSE_LOGIN)
		call_header(call, MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Bearer");
	put_json(call, refusals[why].status, "application/problem+json", json);
	return 0;
}

int call_refuse(struct call *call, enum refusal why, const char *fmt, ...)
{
	char detail[600];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(detail, sizeof(detail), fmt, ap);
	va_end(ap);
	return call_refuse_with(call, why, NULL, detail);
}

int call_refuse_error(struct call *call, const struct error *err)
{
	switch (err->code) {
	case E_FORMAT:
		return call_refuse(call, REFUSE_MALFORMED, "%s", err->text);
	case E_SEAL:
	case E_DENIED:
		return call_refuse(call, REFUSE_DENIED, "%s", err->text);
	case E_LIMIT:
		return call_refuse(call, REFUSE_LARGE, "%s", err->text);
	case E_SYS:
		log_failure(LOG_ERROR, "request-failed", err);
		if (err->sys == ENOSPC || err->sys == EDQUOT || err->sys == EROFS || err->sys == EIO)
			return call_refuse(call, REFUSE_STORAGE, "cannot store it");
		break;
	default:
		log_failure(LOG_ERROR, "request-failed", err);
		break;
	}
	/* paths and the like are for the log, not for a peer */
	return call_refuse(call, REFUSE_FAILED, "the request failed");
}

const char *call_argument(const struct call *call, const char *key)
{
	return MHD_lookup_connection_value(call->conn, MHD_GET_ARGUMENT_KIND, key);
}

const char *call_request_header(const struct call *call, const char *name)
{
	return MHD_lookup_connection_value(call->conn, MHD_HEADER_KIND, name);
}
