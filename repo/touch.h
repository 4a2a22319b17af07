/* repo/touch.h -- what devices say in their polls, gathered: it is neither archived nor durable, so a thousand statuses take one
 * transaction.
 *
 * repo_touch() writes them when TOUCH_MAX are kept or the oldest is TOUCH_MS old; repo_touch_flush() at once. */
#pragma once

struct touches;

enum { TOUCH_MAX = 1024, TOUCH_MS = 1000 };

struct touches *touches_new(void);
struct touches *touches_free(struct touches *touches); /* forgets what is not written */

