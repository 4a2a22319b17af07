/* crypto/statement-parts.h -- what statement.c and statement-types.c share and nobody else needs. */
#pragma once

#include "crypto/statement.h"

enum value_kind {
	ID,
	HASH,
	NUMBER,
	TIME,
	NAME,
	LABEL,
	WORD,
	TEXT,
	KEY,
	RECIPIENT,
	PIN,
	SAVED,
	POINT,
	PAIR,
	SEAL,
	NAME_KEY,
	NAME_RECIPIENT,
	WORD_NAMES,
	WORD_NUMBER,
};

struct field {
	const char *key; /* NULL: behind the last one */
	enum value_kind kind;
	unsigned min, max;
};

enum { FIELDS_MAX = 32 };

struct type {
	const char *name, *space;
	struct field fields[FIELDS_MAX];
};

/* Which keys a type has, in which order, of which form, how often. */
const struct type *type_table(enum statement_type type);
bool value_has_form(enum value_kind kind, struct bytes in);
/* Cuts the part before the next space off *rest; false when there is no space. */
bool value_cut(struct bytes *rest, struct bytes *part);
