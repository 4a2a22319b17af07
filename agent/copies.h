/* agent/copies.h -- older versions of a configuration file that lie beside it, as editors, packages and services leave them.
 *
 * A copy is a regular file in the same folder that is called as the file is, with a word behind it that says what it is: "~", ".sav",
 * ".bak.3", "-2024-05-01", ".dpkg-old", or as editors hide them: ".NAME.swp", "#NAME#". Nothing else is one, however alike its name: a
 * file that is wiped by mistake is gone. */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

/* Is `name` that of a copy of the file `base`? Both without folder. */
bool copies_is_one(const char *name, const char *base);
/* Do two paths lead to one file, whatever it is called? */
bool copies_is_same(const char *a, const char *b);
/* Overwrites and removes the copies of each of these names in the folder, but not the file `keep` (may be NULL). */
int copies_wipe(const char *folder, const char *const *bases, size_t count, const char *keep, struct error *err) _must_check_;
/* As copies_wipe(), for the one file with this path. */
int copies_wipe_beside(const char *path, const char *keep, struct error *err) _must_check_;
