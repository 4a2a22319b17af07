/* cli/cli.h -- what all commands of holdfast share: the exit codes, and the context a handler is given.
 *
 * A handler returns a negative code with err filled, or the exit status. Besides base/error.h's codes there are the CLI_* ones,
 * because a script has to tell "no such device" from "the server is away". */
#pragma once

#include "base/bytes.h"
#include "base/error.h"

enum {
	EXIT_DONE = 0,
	EXIT_FINDING = 1,
	EXIT_USAGE = 2,
	EXIT_FAILED = 3,
	EXIT_LOGIN = 4,
	EXIT_DENIED = 5,
	EXIT_ABSENT = 6,
	EXIT_CONFLICT = 7,
	EXIT_CRYPTO = 8,
	EXIT_PARTIAL = 9,
	EXIT_UNREACHED = 10,
};

enum { CLI_USAGE = -20, CLI_LOGIN = -21, CLI_ABSENT = -22, CLI_CONFLICT = -23, CLI_PARTIAL = -24, CLI_UNREACHED = -25 };

struct args;
struct home;
struct api;

struct cli {
	char *home_dir;
	bool json;
	struct home *home; /* opened on demand: cli_home() */
	struct api *api;   /* connected on demand: cli_api() */
};

/* The exit status for a negative code. */
int cli_exit_status(int code);

/* The operator's folder. CLI_ABSENT with advice when there is none. */
int cli_home(struct cli *cli, struct error *err) _must_check_;
/* The home, and a session with the server: newer roots taken over, history checked. */
int cli_api(struct cli *cli, struct error *err) _must_check_;
void cli_done(struct cli *cli);
