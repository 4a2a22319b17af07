/* agent/names.h -- names of hosts become addresses without holding up anything else: the C library's resolver waits, so it runs in a child
 * of its own for each name. What it found counts for a minute. */
#pragma once

#include "base/loop.h"

#include <sys/socket.h>

enum { NAMES_MAX = 64, NAMES_ADDRESSES_MAX = 8, NAMES_HOST_MAX = 256, NAMES_PORT_MAX = 6, NAMES_KEPT_MS = 60000 };

struct address {
	socklen_t len;
	struct sockaddr_storage to;
};

struct names;

/* Embedded in whoever waits for the answer. */
struct name_ask {
	/* Once, with one address at least, or with none and why. Borrowed for the call. */
	void (*found)(struct name_ask *ask, const struct address *addresses, size_t count, const char *why);
	struct name_ask *next;
	bool is_waiting;
};

struct names *names_new(struct loop *loop);
struct names *names_free(struct names *names);

/* "host:port", "[2001:db8::1]:port", or without a port, which is given then. False for anything else. */
bool name_split(char host[static NAMES_HOST_MAX], char port[static NAMES_PORT_MAX], const char *text,
		const char *port_default) _must_check_;

/* found() may be called before this returns: for an address, for localhost, and for a name that was found lately. */
void names_ask(struct names *names, struct name_ask *ask, const char *host, const char *port);
/* found() is not called any more. */
void names_forget(struct names *names, struct name_ask *ask);
/* No address of it can be reached: the next who asks gets what is found then. */
void names_drop(struct names *names, const char *host, const char *port);
