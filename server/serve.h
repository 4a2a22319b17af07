/* server/serve.h -- `holdfastd serve` and `reindex`: the server over a folder. */
#pragma once

#include "base/error.h"

/* Runs in the foreground until SIGTERM or SIGINT, then stops gracefully. */
int serve(const char *dir, struct error *err) _must_check_;
/* Rebuilds the index from the archive; the server must not be running. */
int serve_reindex(const char *dir, struct error *err) _must_check_;
/* Reads the settings and nothing else. */
int serve_check(const char *dir, struct error *err) _must_check_;
