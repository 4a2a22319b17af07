/* server/init.h -- `holdfastd init`: the folder of a new server, and the setup string for its first operator. */
#pragma once

#include "base/error.h"

#include <stddef.h>

struct init_options {
	const char *dir;
	const char *addresses[4]; /* "host:port" as clients dial */
	size_t address_count;
	const char *listen;     /* NULL: every address, the port of the first of addresses */
	const char *setup_file; /* NULL: standard output */
};

/* E_DENIED when dir is a server's already. */
int init_server(const struct init_options *options, struct error *err) _must_check_;
