/* agent/core.h -- the daemon: one duty per device, one child that speaks to the network, one loop.
 *
 *   core (keys, decisions, journal) --+-- net     HTTPS, no keys                 (agent/net.h)
 *                                     +-- apply   one per device, touches it     (agent/apply.h)
 */
#pragma once

#include "agent/duty.h"

struct core {
	const char *config; /* path of the settings file: the children read it again */
	struct settings *settings;
	struct loop *loop;
	struct child net;
	struct loop_timer rest;
	const char *net_argv[3];
	uint32_t next_id; /* of messages to children; never 0 */
	struct duty *duties;
	size_t count;
};

/* Runs in the foreground until SIGTERM or SIGINT. */
int core_run(const char *config, struct settings *settings, struct error *err) _must_check_;
uint32_t core_id(struct core *core);
/* There was work: soon after, when there is none, memory is given back (base/rest.h). */
void core_rest_later(struct core *core);
