/* base/proc.h -- run another program: bounded output, a deadline, no shell, nothing secret in its arguments. */
#pragma once

#include "base/bytes.h"
#include "base/error.h"

struct proc_result {
	int status;      /* exit status 0..255, or 128 + signal */
	struct buf out;  /* its standard output */
	struct buf err;  /* its standard error */
};

/* Runs argv[0] (searched in PATH) to its end.
 *
 * argv         NULL-terminated; visible to everybody on the machine, so never a secret
 * in           what it reads on standard input; may be empty
 * timeout_ms   after which it is killed, with its process group
 * max          bound on each of out and err; more kills it
 *
 * Returns 0 when it ran (whatever its status), E_SYS when it could not be started, E_PEER past the deadline,
 * E_LIMIT past the bound. It is killed when we die (when the calling thread does). The child gets /dev/null or the
 * pipes for 0 to 2 and no other descriptor. The caller ends result with proc_result_done(), also after a failure. */
int proc_run(struct proc_result *result, const char *const argv[], struct bytes in, unsigned timeout_ms, size_t max,
	     struct error *err) _must_check_;
void proc_result_done(struct proc_result *result);
