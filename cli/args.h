/* cli/args.h -- the command line after its command: options by a table, and what is left. */
#pragma once

#include "cli/cli.h"

enum { ARGS_MAX = 256 };

struct option_def {
	const char *name;  /* without the dashes */
	char letter;       /* one-letter form, or 0 */
	const char *value; /* what its value is called; NULL: a flag */
	const char *help;
	bool many;         /* may be given more than once */
};

struct args {
	size_t count;
	const char *value[ARGS_MAX];
	size_t option_count;
	struct {
		const struct option_def *def;
		const char *value;
	} option[ARGS_MAX];
};

/* Reads argv[0..argc). options ends with a zeroed one; `globals` likewise. CLI_USAGE says what is wrong. */
int args_parse(struct args *out, int argc, char **argv, const struct option_def *options, const struct option_def *globals,
	       struct error *err) _must_check_;
bool args_has(const struct args *args, const char *name);
const char *args_get(const struct args *args, const char *name);          /* NULL when not given */
const char *args_at(const struct args *args, const char *name, size_t i); /* the i-th one */
/* "90s", "15m", "2h", "3d" in seconds. */
int args_duration(int64_t *out_s, const char *text, struct error *err) _must_check_;
/* A secret must not stand in an argument: everybody on the machine can read it there. */
int args_no_literal(const char *text, struct error *err) _must_check_;
/* A name as statements take it, a label as KEY:VALUE; CLI_USAGE names the option and the form. */
int args_check_name(const char *option, const char *text, struct error *err) _must_check_;
int args_check_label(const char *text, struct error *err) _must_check_;
