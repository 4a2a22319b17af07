/* tests/unit/recipe.h -- what a root is made of, so that a test tells only what is other than usual in it. */
#pragma once

#include "crypto/root.h"

enum { KEYS = 24, LIST_MAX = 24 };

extern struct sign_key keys[KEYS];

/* Numbers are places in keys[], one more than it, so that 0 ends a list. */
enum { ALICE = 1, ALICE_2, BOB, BOB_2, CAROL, DAVE, ARCHIVE = 11, ARCHIVE_2, WITNESS, STRANGER };

struct owned {
	const char *who;
	int key;
};

struct recipe {
	uint64_t version;
	const char *fleet, *prev; /* NULL: none */
	const char *time, *expires;
	const char *people[LIST_MAX];
	struct owned keys[LIST_MAX];
	const char *readers[LIST_MAX]; /* NULL at once: everybody has a reading key */
	const char *roles[LIST_MAX], *thresholds[LIST_MAX], *delays[LIST_MAX], *pins[LIST_MAX];
	struct owned tokens[LIST_MAX]; /* keys that stand in the root as a token's */
	int archive[5];
	struct owned witnesses[5];
	int signers[LIST_MAX];
};

/* Both are sound: alice with all roles; alice, bob and carol, of whom the first two together make roots. */
extern const struct recipe one_person, two_people;

/* Appends the text. */
void write_root(struct buf *text, const struct recipe *r);
/* Appends signatures of all that whole holds, as one signs statements of this type. signers: ended by 0. */
void sign_by(struct buf *whole, enum statement_type type, const int *signers);
/* Parsed, and judged by itself: what root_new() returns. */
int make_root(struct root **out, const struct recipe *r, struct error *err);
struct root *must_make(const struct recipe *r);
