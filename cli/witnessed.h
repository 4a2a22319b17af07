/* cli/witnessed.h -- whether the witnesses that the root names keep up with the log. */
#pragma once

#include "cli/api.h"

enum { WITNESSED_LATE_S = 86400 };

/* Each checkpoint is verified by the root in force. found is called for every witness that has not cosigned the log for so long although it
 * grew: since when, 0 when never. A server that keeps their signatures away looks the same, and that is what it is for. */
typedef void (*witnessed_fn)(void *ctx, const char *name, int64_t since_s);
/* list: the checkpoints, one after another; newest: the head of the log, believed. */
int witnessed_judge(struct bytes list, const struct root *root, const struct statement *newest, witnessed_fn found, void *ctx,
		    struct error *err) _must_check_;
/* The same of what the server has. */
int witnessed_late(struct api *api, const struct home *home, witnessed_fn found, void *ctx, struct error *err) _must_check_;
