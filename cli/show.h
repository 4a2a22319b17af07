/* cli/show.h -- how the reading commands show times, revisions and texts of devices, to people and in JSON. */
#pragma once

#include "cli/open.h"

#include <jansson.h>

/* How long ago, for people (on a terminal: "3 d 02 h"), or the time itself; "" for 0. */
void show_since(char out[static 24], int64_t time_s, int64_t now_s);
/* "r1@7" */
void show_revision(char out[static 96], const struct opened *opened);
/* Adds device, name, revision and time. */
void show_put_revision(json_t *json, const struct opened *opened);
/* Absent when there is nothing to say. */
void show_put_time(json_t *json, const char *key, int64_t time_s);
void show_put_text(json_t *json, const char *key, const char *text);
/* JSON holds UTF-8 only: of a text that is none, what others cannot show becomes '?', as on a terminal. */
json_t *show_text(struct bytes text);
/* "site:north role:ring" as an array. */
json_t *show_labels(const char *labels);
/* A unified diff, with colours on a terminal; fd: STDOUT_FILENO where it is the answer, STDERR_FILENO where it comes before one. */
int show_diff(struct bytes diff, int fd, struct error *err) _must_check_;
