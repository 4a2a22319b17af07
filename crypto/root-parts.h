/* crypto/root-parts.h -- what root.c and root-verify.c share and nobody else needs. */
#pragma once

#include "crypto/root.h"

enum { KEYS_MAX = 128, ARCHIVE_MAX = 4 }; /* as in the statement's table */

struct root_key_line {
	const char *person; /* of a witness: its name */
	struct sign_pub key;
};

struct root {
	struct statement *st;
	char fleet[ID_LEN + 1];
	size_t people;
	const char *person[ROOT_PEOPLE_MAX];
	bool has[ROOT_PEOPLE_MAX][ROLES];
	size_t key_count, archive_count, witness_count;
	char witness[ROOT_WITNESSES_MAX][64]; /* their names */
	struct root_key_line keys[KEYS_MAX], archive[ARCHIVE_MAX], witnesses[ROOT_WITNESSES_MAX];
};

/* -1: nobody of that name. */
int root_person_index(const struct root *root, struct bytes name);
const struct root_key_line *root_find_line(const struct root_key_line *lines, size_t count, const struct sign_pub *key,
					   bool (*equal)(const struct sign_pub *, const struct sign_pub *));
