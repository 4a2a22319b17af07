/* cli/show.c -- how the reading commands show times, revisions and texts of devices. */
#include "cli/show.h"

#include "base/clock.h"
#include "cli/output.h"

#include <stdio.h>
#include <string.h>

void show_since(char out[static 24], int64_t time_s, int64_t now_s)
{
	out[0] = 0;
	if (time_s && output_is_terminal())
		clock_age_text(out, now_s - time_s);
	else if (time_s)
		clock_text(out, time_s);
}

void show_revision(char out[static 96], const struct opened *opened)
{
	snprintf(out, 96, "%s@%llu", opened->device->name, (unsigned long long)opened_number(opened));
}

void show_put_time(json_t *json, const char *key, int64_t time_s)
{
	char text[CLOCK_TEXT_LEN];

	if (!time_s)
		return;
	clock_text(text, time_s);
	json_object_set_new(json, key, json_string(text));
}

void show_put_text(json_t *json, const char *key, const char *text)
{
	if (*text)
		json_object_set_new(json, key, show_text(bytes_str(text)));
}

void show_put_revision(json_t *json, const struct opened *opened)
{
	show_put_text(json, "device", opened->device->id);
	show_put_text(json, "name", opened->device->name);
	json_object_set_new(json, "revision", json_integer((json_int_t)opened_number(opened)));
	show_put_time(json, "time", statement_time(opened->st, "time"));
}

json_t *show_text(struct bytes text)
{
	_cleanup_(buf_done) struct buf clean = { 0 };
	json_t *json = json_stringn((const char *)(text.ptr ? text.ptr : (const uint8_t *)""), text.len);

	if (json)
		return json;
	output_clean(&clean, text, true);
	return json_stringn(buf_text(&clean), clean.len);
}

json_t *show_labels(const char *labels)
{
	json_t *list = json_array();

	while (*labels) {
		size_t len = strcspn(labels, " ");

		json_array_append_new(list, json_stringn(labels, len));
		labels += len + (labels[len] == ' ');
	}
	return list;
}
