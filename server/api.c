/* server/api.c -- what the calls of the API share: arguments, and parts of answers. */
#include "server/api.h"

#include "base/clock.h"

#include <string.h>

json_t *api_time(int64_t time_s)
{
	char text[CLOCK_TEXT_LEN];

	clock_text(text, time_s);
	return json_string(text);
}

void api_put_text(json_t *json, const char *key, const char *text)
{
	if (text[0])
		json_object_set_new(json, key, json_string(text));
}

void api_put_time(json_t *json, const char *key, int64_t time_s)
{
	if (time_s)
		json_object_set_new(json, key, api_time(time_s));
}

const char *api_device_id(struct call *call)
{
	return id_is_valid(bytes_str(call->args[0])) ? call->args[0] : NULL;
}

int api_no_device(struct call *call)
{
	return call_refuse(call, REFUSE_ABSENT, "there is no device '%s' here, or not that of it", call->args[0]);
}

bool api_number(uint64_t *out, const struct call *call, const char *key)
{
	const char *text = call_argument(call, key);

	return !text || number_parse(out, bytes_str(text));
}

bool api_number_in_address(uint64_t *out, const char *text)
{
	*out = 0;
	return !strcmp(text, "newest") || (number_parse(out, bytes_str(text)) && *out);
}

int api_give(struct call *call, int r, struct buf *found)
{
	if (r == REPO_ABSENT)
		return api_no_device(call);
	return r < 0 ? r : call_containers(call, found);
}
