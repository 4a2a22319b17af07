/* cli/args.c -- the command line after its command. */
#include "cli/args.h"

#include <string.h>

static const struct option_def *find_in(const struct option_def *defs, const char *name, size_t len, char letter)
{
	for (; defs && defs->name; defs++)
		if (letter ? defs->letter == letter : strlen(defs->name) == len && !strncmp(defs->name, name, len))
			return defs;
	return NULL;
}

static const struct option_def *find_def(const struct option_def *options, const struct option_def *globals, const char *arg)
{
	bool is_long = arg[1] == '-';
	const char *name = arg + 2;
	size_t len = is_long ? strcspn(name, "=") : 0;
	const struct option_def *def;

	if (!is_long && arg[2])
		return NULL; /* -abc: nobody needs it here */
	def = find_in(options, name, len, is_long ? 0 : arg[1]);
	return def ? def : find_in(globals, name, len, is_long ? 0 : arg[1]);
}

static int add_option(struct args *out, const struct option_def *def, const char *value, struct error *err)
{
	if (!def->many && args_has(out, def->name))
		return error_set(err, CLI_USAGE, "option '--%s' is given twice", def->name);
	if (out->option_count == ARGS_MAX)
		return error_set(err, CLI_USAGE, "more than %d options", ARGS_MAX);
	out->option[out->option_count].def = def;
	out->option[out->option_count++].value = value;
	return 0;
}

/* Takes argv[*at], and its value behind it. */
static int take_option(struct args *out, int *at, int argc, char **argv, const struct option_def *options, const struct option_def *globals,
		       struct error *err)
{
	const char *arg = argv[*at], *equals = arg[1] == '-' ? strchr(arg, '=') : NULL;
	const struct option_def *def = find_def(options, globals, arg);

	if (!def)
		return error_set(err, CLI_USAGE, "unknown option '%.*s'; see: holdfast help",
				 (int)(equals ? equals - arg : (long)strlen(arg)), arg);
	if (!def->value && equals)
		return error_set(err, CLI_USAGE, "option '--%s' takes no value", def->name);
	if (!def->value)
		return add_option(out, def, "", err);
	if (equals)
		return add_option(out, def, equals + 1, err);
	if (*at + 1 == argc)
		return error_set(err, CLI_USAGE, "option '--%s' needs a value: %s", def->name, def->value);
	return add_option(out, def, argv[++*at], err);
}

int args_parse(struct args *out, int argc, char **argv, const struct option_def *options, const struct option_def *globals,
	       struct error *err)
{
	bool only_values = false;

	*out = (struct args){ 0 };
	for (int i = 0; i < argc; i++) {
		if (!only_values && !strcmp(argv[i], "--")) {
			only_values = true;
		} else if (!only_values && argv[i][0] == '-' && argv[i][1]) {
			if (take_option(out, &i, argc, argv, options, globals, err) < 0)
				return err->code;
		} else if (out->count == ARGS_MAX) {
			return error_set(err, CLI_USAGE, "more than %d arguments", ARGS_MAX);
		} else {
			out->value[out->count++] = argv[i];
		}
	}
	return 0;
}

const char *args_at(const struct args *args, const char *name, size_t i)
{
	for (size_t k = 0; k < args->option_count; k++)
		if (!strcmp(args->option[k].def->name, name) && !i--)
			return args->option[k].value;
	return NULL;
}

const char *args_get(const struct args *args, const char *name)
{
	return args_at(args, name, 0);
}

bool args_has(const struct args *args, const char *name)
{
	return args_get(args, name) != NULL;
}

int args_duration(int64_t *out_s, const char *text, struct error *err)
{
	static const struct {
		char unit;
		int64_t s;
	} units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 } };
	size_t len = strlen(text);
	uint64_t n;

	for (size_t i = 0; len > 1 && i < ARRAY_SIZE(units); i++) {
		if (text[len - 1] != units[i].unit || !number_parse(&n, bytes_of(text, len - 1)) || !n || n > 366 * 86400)
			continue;
		*out_s = (int64_t)n * units[i].s;
		return 0;
	}
	return error_set(err, CLI_USAGE, "'%s' is no duration; write 90s, 15m, 2h or 3d", text);
}

int args_no_literal(const char *text, struct error *err)
{
	if (!strncmp(text, "holdfast-setup:", 15) || !strncmp(text, "holdfast-invite:", 16) ||
	    !strncmp(text, "AGE-SECRET-KEY-", 15))
		return error_set(err, CLI_USAGE,
				 "this string holds a secret, and arguments are visible to everybody on this machine; "
				 "put it into a file (mode 0600) and name that, or give '-' and write it to standard input");
	return 0;
}

/* docs/reference/formats.md section 1 */
static bool is_name(struct bytes in)
{
	if (!in.len || in.len > 63 || strchr("._-", in.ptr[0]))
		return false;
	for (size_t i = 0; i < in.len; i++)
		if (!in.ptr[i] || !strchr("abcdefghijklmnopqrstuvwxyz0123456789._-", in.ptr[i]))
			return false;
	return true;
}

int args_check_name(const char *option, const char *text, struct error *err)
{
	return is_name(bytes_str(text)) ?
		       0 :
		       error_set(err, CLI_USAGE, "'--%s %.80s' is no name: 1 to 63 of a-z 0-9 . _ - and a letter or digit first", option,
				 text);
}

int args_check_label(const char *text, struct error *err)
{
	const char *colon = strchr(text, ':');

	if (colon && is_name(bytes_of(text, (size_t)(colon - text))) && is_name(bytes_str(colon + 1)))
		return 0;
	return error_set(err, CLI_USAGE, "'--label %.80s' is no label; write KEY:VALUE, as in site:north", text);
}
