/* server/api.h -- what the calls of the API share: arguments, and parts of answers. */
#pragma once

#include "server/http.h"

json_t *api_time(int64_t time_s);
/* Absent is what there is not: "" and 0 are left out. */
void api_put_text(json_t *json, const char *key, const char *text);
void api_put_time(json_t *json, const char *key, int64_t time_s);

/* The id in the address: NULL for what cannot be one, so that it never reaches a path or a query. */
const char *api_device_id(struct call *call);
int api_no_device(struct call *call); /* 404 */
/* A number of the query, if it is there. False when it is none. */
bool api_number(uint64_t *out, const struct call *call, const char *key);
/* A number of the address. "newest" is 0, which is no number of a statement. */
bool api_number_in_address(uint64_t *out, const char *text);
/* Answers with what was found, by the result of looking for it. */
int api_give(struct call *call, int r, struct buf *found);

/* The body is one status of a device, signed by it, and nothing else: *out is the caller's. (poll.c) */
int api_status(struct statement **out, struct repo_signer *device, struct call *call, struct error *err) _must_check_;

/* What a device said of its policies in the clear (api-policy.c). */
json_t *api_verdict(const struct repo_verdict *verdict);
