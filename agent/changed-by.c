/* agent/changed-by.c -- who changed a configuration last, by the device's own log.
 *
 * No kind of device that is served has a log whose lines say so in a form that its vendor promises. Whoever runs one knows where it stands
 * there (a journal, an audit trail, what an AAA server accounted), so a program of theirs is asked. */
#include "agent/apply.h"

#include "base/proc.h"

#include <string.h>

enum { ASK_MS = 5000, ANSWER_MAX = 4096 };

static const char *const *arguments(const char **out, size_t max, const struct settings_device *dev)
{
	size_t n = 0;

	for (; n < dev->changed_by_count && n + 1 < max; n++)
		out[n] = dev->changed_by[n];
	out[n] = NULL;
	return out;
}

/* What goes into a signed statement is printable, and begins and ends with no blank. */
static void take_line(char out[static DEVICE_NOTE_MAX], struct bytes answer)
{
	struct bytes line = { 0 };
	size_t n = 0;

	if (!bytes_next_line(&answer, &line))
		return;
	for (size_t i = 0; i < line.len && n + 1 < DEVICE_NOTE_MAX; i++)
		if (n || line.ptr[i] != ' ')
			out[n++] = line.ptr[i] >= 0x20 && line.ptr[i] < 0x7f ? (char)line.ptr[i] : '?';
	while (n && out[n - 1] == ' ')
		n--;
	out[n] = 0;
}

void apply_changed_by(char out[static DEVICE_NOTE_MAX], const struct settings_device *dev)
{
	_cleanup_(proc_result_done) struct proc_result res = { 0 };
	const char *argv[32];
	struct error ignored;

	out[0] = 0;
	if (dev->changed_by_count &&
	    proc_run(&res, arguments(argv, ARRAY_SIZE(argv), dev), (struct bytes){ 0 }, ASK_MS, ANSWER_MAX, &ignored) == 0 &&
	    res.status == 0)
		take_line(out, buf_bytes(&res.out));
}
