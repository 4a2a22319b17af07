/* tests/fake/weos/upgrade.h -- firmware packages and the command that programs them. */
#pragma once

#include <stddef.h>

struct session;
struct upgrade;

void upgrade_run(struct session *s, char **word, size_t count);
struct upgrade *upgrade_free(struct upgrade *u);
/* Writes a package to standard output; returns the exit status. */
int upgrade_make(const char *version, unsigned weos, size_t size);
