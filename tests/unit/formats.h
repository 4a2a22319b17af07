/* tests/unit/formats.h -- what docs/reference/formats.md says of statements: forms of values, lines of each type, examples.
 *
 * The tables stand here a second time, written from the document and not from the code. */
#pragma once

#include "crypto/statement.h"

#define ID_A "abcdefghijklmnopqrstuvwxyz"
#define HASH_A "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define KEY_1 "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c" /* its seed is 32 bytes of 1 */
#define S63 "a23456789012345678901234567890123456789012345678901234567890123"
/* A login, around the server that it is for. */
#define LOGIN_TO "holdfast-statement/1 login\nfleet: " ID_A "\nperson: alice\nserver: "
#define LOGIN_FROM "\nchallenge: " HASH_A "\ntime: 2026-01-02T03:04:05Z\n"

#define FOR_TYPES(t) for (enum statement_type t = 0; t < (enum statement_type)STATEMENT_TYPES; t++)
/* all but the order, which has a proof where others have signatures: tests/unit/test-order.c */
#define FOR_SIGNED_TYPES(t) FOR_TYPES(t) if (t != STATEMENT_ORDER)

enum { RULES_MAX = 32, VALUES_MAX = 24 };

/* Section 1: the forms of values. The first good one stands in examples. */
struct form {
	const char *kind, *good[VALUES_MAX], *bad[VALUES_MAX];
};
const struct form *form_of(const char *kind);

/* Section 3: the lines of each type, in their order; a key of NULL is behind the last. */
struct rule {
	const char *key, *kind;
	unsigned min, max;
};
extern const struct rule rules[STATEMENT_TYPES][RULES_MAX];
/* An example of the line; the caller's. */
char *line_of(const struct rule *rule);

/* A text as rows, so that one can be put in, taken out or replaced; lines are taken over. */
struct rows {
	char *line[600];
	size_t count;
};
void rows_done(struct rows *rows);
void rows_put(struct rows *rows, size_t at, char *line);
void rows_take(struct rows *rows, size_t at);
void rows_set(struct rows *rows, size_t at, char *line);
void rows_text(struct buf *out, const struct rows *rows);
/* Each key of the type once; without the optional ones when `least`. */
void example(struct rows *rows, enum statement_type type, bool least);
