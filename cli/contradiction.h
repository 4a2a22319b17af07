/* cli/contradiction.h -- two checkpoints, both signed by the archive, that no log which only grows can have: proof that it lied.
 *
 * It can be handed on: whoever knows the fleet's roots can verify it, offline (docs/reference/formats.md section 8). */
#pragma once

#include "cli/home.h"
#include "crypto/checkpoint.h"

struct api;

struct contradiction {
	struct statement *a, *b; /* b may be NULL while there is only one */
	struct merkle_growth growth;
	bool has_growth;
};
void contradiction_done(struct contradiction *c);
void contradiction_text(struct buf *out, const struct contradiction *c);
/* One checkpoint or two, and the growth when it is there. */
int contradiction_parse(struct contradiction *out, struct bytes in, struct error *err) _must_check_;

/* Is it signed as a root of the home says? The one that it names, or the newest. */
int contradiction_verify(const struct home *home, const struct statement *checkpoint, struct error *err) _must_check_;
/* Verifies both. *how: in words why they contradict each other, NULL when they do not. */
int contradiction_judge(const char **how, const struct contradiction *c, const struct home *home, struct error *err) _must_check_;

/* The server's newest checkpoint, and how its log grew from `from` statements, as a contradiction without its second half. CLI_ABSENT when
 * it has none. Verifies nothing. */
int contradiction_fetch(struct contradiction *out, struct api *api, uint64_t from, struct error *err) _must_check_;
/* Writes what the home remembers and what the server gave to a file "contradiction-<digits>" in the home, if they are one. Returns its
 * path, or NULL; the caller frees. */
char *contradiction_keep(const struct home *home, const struct contradiction *given) _must_check_;
