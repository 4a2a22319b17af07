/* repo/mirror.h -- archives of anybody's making. Internal to repo/. */
#pragma once

#include "repo/git.h"

/* Opens a bare repository; replacement objects are not looked at (libgit2 knows none). tip: of its branch 'main'. */
int mirror_open(struct git_store **out, git_oid *tip, const char *path, struct error *err) _must_check_;
