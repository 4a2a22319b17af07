/* cli/show.c -- how the reading commands show times, revisions and texts of devices. */
#include "cli/show.h"

#include "base/clock.h"
#include "base/fs.h"
#include "cli/output.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

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

/* ---- diffs ---- */

static const char *colour_of(struct bytes line, size_t number)
{
	static const char bold[] = "\033[1m", red[] = "\033[31m", green[] = "\033[32m", cyan[] = "\033[36m";

	if (number < 2)
		return bold; /* the heads */
	switch (line.len ? line.ptr[0] : ' ') {
	case '-':
		return red;
	case '+':
	case '>':
		return green;
	case '@':
		return cyan;
	default:
		return NULL;
	}
}

static void add_colour(struct buf *out, struct bytes text)
{
	struct bytes line;

	for (size_t number = 0; bytes_next_line(&text, &line); number++) {
		const char *colour = colour_of(line, number);

		if (colour)
			buf_add_str(out, colour);
		buf_add_bytes(out, line);
		buf_add_str(out, colour ? "\033[m\n" : "\n");
	}
}

int show_diff(struct bytes diff, int fd, struct error *err)
{
	_cleanup_(buf_done) struct buf clean = { 0 }, coloured = { 0 };

	if (!isatty(fd))
		return fd_write_all(fd, diff, err) < 0 ? error_add(err, "output") : 0;
	output_clean(&clean, diff, true);
	if (output_has_colour())
		add_colour(&coloured, buf_bytes(&clean));
	return fd_write_all(fd, buf_bytes(output_has_colour() ? &coloured : &clean), err) < 0 ? error_add(err, "output") : 0;
}
