/* cli/home.h -- the operator's folder: keys, the roots that were checked, and what of the server's history was seen last.
 *
 *   signing.key  signing.key.pub   an OpenSSH key (or a link to one); only a .pub when ssh-agent or a token holds the other half
 *   reading.key                    an age identity file, or that in an age file for a passphrase
 *   fleet                          fleet id, person, and how the server was first reached (address, pin)
 *   roots                          the succession from version 1, checked
 *   seen                           the last commit and the last checkpoint: a history that does not descend from them is refused
 *   session                        the last session's token (0600), so that not every command signs a login
 *   lock                           held for a moment while roots or seen are replaced: commands may run side by side */
#pragma once

#include "cli/cli.h"
#include "crypto/root.h"

struct home {
	char *dir;
	char fleet[ID_LEN + 1];
	char person[64];
	char address[300]; /* host:port of the setup string */
	uint8_t pin[32];
	struct root *root;   /* the newest; api_open() may move it on, older ones stay valid */
	struct root **roots; /* all of them: version N is roots[N - 1] */
	size_t root_count;
	struct statement *checkpoint; /* the newest seen, or NULL */
	char commit[41];              /* the newest seen, or "" */
	struct age_identity reading;  /* see home_reading_key() */
	bool has_reading;
};

/* What `init` leaves. The file "fleet" is written last: without it there is no home. */
struct home_making {
	const char *dir, *fleet, *person, *address;
	const uint8_t *pin;
	struct bytes root; /* version 1, whole */
};
int home_create(const struct home_making *m, struct error *err) _must_check_;
bool home_exists(const char *dir);

/* CLI_ABSENT with advice when there is none. */
int home_open(struct home **out, const char *dir, struct error *err) _must_check_;
struct home *home_free(struct home *home);

/* Path of a file in the folder; the caller frees. */
char *home_path(const struct home *home, const char *name) _must_check_;
/* What ssh-keygen -f is given: signing.key, or signing.key.pub when that is all there is. The caller frees. */
char *home_signing_key(const struct home *home) _must_check_;
/* The reading key; asks for its passphrase on the terminal when it has one (E_DENIED without a terminal). Loaded once per command. */
int home_reading_key(const struct age_identity **out, struct home *home, struct error *err) _must_check_;
/* A reading key from a file (0600; in an age file for a passphrase, perhaps), or from standard input for "-". CLI_ABSENT, E_FORMAT. */
int home_read_identity(struct age_identity *out, const char *path, struct error *err) _must_check_;

/* Each is verified (succession; signature, size and, where the server proved it, consistency by the caller), then durable, then counts.
 * st is taken over, also on failure. 1: known already. E_SEAL: it contradicts what is known, which stays as it is. */
int home_take_root(struct home *home, struct statement *st, struct error *err) _must_check_;
/* commit: "" or NULL when it is not known which one belongs to the checkpoint. HOME_MOVED: another command remembered a newer one
 * in between; home->checkpoint is that one now, and the caller's proof has to begin there. */
enum { HOME_MOVED = 2 };
int home_take_seen(struct home *home, struct statement *checkpoint, const char *commit, struct error *err) _must_check_;
