/* base/log.c -- one line per event, on stderr. */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char *log_program = "";
static enum log_level log_least = LOG_INFO;

void log_setup(const char *program, enum log_level least)
{
	log_program = program;
	log_least = least;
}

void log_line(enum log_level level, const char *fmt, ...)
{
	static const char *const names[] = { "error", "warning", "notice", "info", "debug" };
	char line[1024];
	size_t len = 0;
	va_list ap;

	if (level > log_least)
		return;
	for (const char *name = names[level]; *name; name++)
		line[len++] = *name;
	line[len++] = ' ';
	va_start(ap, fmt);
	vsnprintf(line + len, sizeof(line) - len, fmt, ap);
	va_end(ap);
	len += strlen(line + len);
	if (log_program[0]) {
		snprintf(line + len, sizeof(line) - len, " program=%s", log_program);
		len = strlen(line);
	}
	if (len > sizeof(line) - 2)
		len = sizeof(line) - 2;
	for (size_t i = 0; i < len; i++)
		if (line[i] < 0x20 || line[i] > 0x7e)
			line[i] = '?';
	line[len++] = '\n';
	/* one write: lines of several processes do not mix (PIPE_BUF of POSIX) */
	if (write(STDERR_FILENO, line, len) < 0)
		return; /* nowhere left to complain */
}

void log_failure(enum log_level level, const char *event, const struct error *err)
{
	log_line(level, "%s failed=\"%s\"", event, err->text);
}
