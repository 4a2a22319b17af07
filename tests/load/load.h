/* tests/load/load.h -- load for a server: devices with real keys, signatures and seals, over HTTPS with the pin followed.
 *
 * A run keeps its books in a folder:
 *
 *   setup            (given) the setup string of holdfastd init
 *   acked            one line for each acknowledgement, written before anything else knows of it:
 *                    "<type> <device, invite or -> <number> <SHA-256 of the text> <SHA-256 of text and signatures>"
 *   allowed_signers  of the fleet's root, for git verify-commit and ssh-keygen -Y verify
 *   operator.key     alice's seed: for check and answers; a key of this test's own making, good for nothing else
 *   reading.key      her reading key, so that her command opens what was posted
 *   fleet            the fleet's id */
#pragma once

#include "tests/load/server.h"

enum { LOAD_TEXT_MAX = 512 << 20, LOAD_MOMENTS_MAX = 8 };

struct load_options {
	const char *folder;
	size_t devices, in_flight;
	unsigned rate;    /* posts begun per second; 0: as many as there can be */
	unsigned join_ms; /* a device joins after the one before it */
	size_t posts;     /* ends by itself after this many acknowledgements; 0: on SIGTERM */
	size_t bytes;     /* of a configuration */
	/* When there are any, each device posts one snapshot with each of these times, and the run ends. The configurations of the first
	 * moment log to syslog, those of the last do not. */
	int64_t moments[LOAD_MOMENTS_MAX];
	size_t moment_count;
	const char *configs[LOAD_MOMENTS_MAX]; /* files with what is posted at each moment in place of those; NULL: none */
	size_t config_count;
};

/* Claims the server, lets devices join and post until SIGTERM (or options->posts), retries what was not acknowledged, and ends once all is.
 * Returns 0; E_PEER when the server answered what it must not: a gap, a fork, a refusal. */
int load_run(const struct load_options *options, struct error *err) _must_check_;

/* Compares the books with the server's folder by stock git: every acknowledged statement is in the history exactly once with its bytes, and
 * nothing else; numbers have no gap; every seal is there with the bytes that its snapshot names; every epoch's keys are in the keyring. */
int load_check(const char *folder, const char *server_folder, struct error *err) _must_check_;

/* Logs in and prints what the interface says of everything: fleet, devices, logs, newest snapshots, epochs, roots, invites. */
int load_answers(const char *folder, struct error *err) _must_check_;

/* Measures how soon a waiting device hears of its admission (rounds times) and of a root (rounds times); prints the figure. */
int load_hear(const char *folder, size_t rounds, struct error *err) _must_check_;
