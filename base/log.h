/* base/log.h -- one line per event, on stderr: level, event, fields.
 *
 *   notice saved device=r1 number=42 took_ms=12
 *
 * error: an operator must act; warning: we went on without something; notice: state changed; info: work done;
 * debug: the rest. Values come from the caller's format; bytes outside printable ASCII become '?', so a device or
 * peer cannot forge a line or drive a terminal. A secret has no printer. */
#pragma once

#include "base/attr.h"
#include "base/error.h"

enum log_level { LOG_ERROR, LOG_WARNING, LOG_NOTICE, LOG_INFO, LOG_DEBUG };

/* Which program speaks (shown as a field) and the least urgent level that is written (default LOG_INFO). */
void log_setup(const char *program, enum log_level least);

void log_line(enum log_level level, const char *fmt, ...) _printf_(2, 3);
#define log_error(...) log_line(LOG_ERROR, __VA_ARGS__)
#define log_warning(...) log_line(LOG_WARNING, __VA_ARGS__)
#define log_notice(...) log_line(LOG_NOTICE, __VA_ARGS__)
#define log_info(...) log_line(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_DEBUG, __VA_ARGS__)

/* "what failed="err->text", quoted. */
void log_failure(enum log_level level, const char *event, const struct error *err);
