/* agent/confine.h -- what a child process gives up before it does anything. */
#pragma once

#include "base/error.h"

#include <stdbool.h>

/* Dies with its parent, gains no privileges any more, dumps no core. parent: whose child this must still be. */
int confine_child(int parent, struct error *err) _must_check_;
/* When root: becomes user, with no other groups. */
int confine_user(const char *user, struct error *err) _must_check_;
/* net: no program started, no other process touched, no listening socket, nothing of the system's set-up changed. */
int confine_net(struct error *err) _must_check_;
/* apply: no network where the kernel permits it (vtysh needs only UNIX sockets), unless its device uses that of the machine; the same
 * system calls as net but for starting programs, which is its work. Best effort. */
void confine_apply(bool uses_network);
