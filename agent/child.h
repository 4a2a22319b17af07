/* agent/child.h -- core's children: net and one apply per device, started, watched, started again.
 *
 * A child is this program again (fork and exec of /proc/self/exe), so nothing of core's memory is in it: keys that were
 * loaded before a restart cannot be inherited. */
#pragma once

#include "agent/ipc.h"
#include "base/loop.h"

#include <sys/types.h>

struct child {
	const char *name;       /* "net", "apply": for the log */
	const char *const *argv; /* behind "holdfast-agent"; ends with NULL */
	struct loop *loop;
	pid_t pid;              /* 0: not running */
	struct ipc ipc;
	struct loop_fd io;
	struct loop_timer restart;
	uint64_t started_ms;
	unsigned failures;

	/* A message; an error ends the child. */
	int (*took)(struct child *child, const struct ipc_msg *msg, struct error *err);
	/* It is gone: nothing asked of it will be answered. A new one is being started. */
	void (*lost)(struct child *child);
	/* A new one runs. */
	void (*began)(struct child *child);
};

int child_start(struct child *child, struct error *err) _must_check_;
/* Asks it to end: it finishes what it is at, and finds nobody to tell. */
void child_dismiss(struct child *child);
/* Ends it for good: by itself until then (on clock_mono_ms(); 0: at once), else by a kill. */
void child_stop(struct child *child, uint64_t until_ms);
/* Ends it and starts another after a while. */
void child_fail(struct child *child, const char *why);
/* Sends, or ends the child. False when it is not running. */
bool child_send(struct child *child, enum ipc_kind kind, uint32_t id, struct bytes body);
/* Starts a child without a loop, for join. argv as above. Returns the socket; *pid is whom to reap. */
int child_spawn(pid_t *pid, const char *const *argv, struct error *err) _must_check_;
