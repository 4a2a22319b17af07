/* cli/main.c -- holdfast: finds the command in the table, reads its options, runs it, and turns what became of it into an exit status. */
#include "cli/api.h"
#include "cli/commands.h"
#include "cli/output.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* How many of argv are options in front of the command. A value that looks like one is taken as its option says. */
static int count_leading(int argc, char **argv)
{
	int n = 0;

	while (n < argc && argv[n][0] == '-' && argv[n][1]) {
		const struct option_def *o = global_options;

		while (o->name && (strncmp(argv[n], "--", 2) != 0 || strcmp(argv[n] + 2, o->name) != 0))
			o++;
		n += o->name && o->value && n + 1 < argc ? 2 : 1;
	}
	return n;
}

static char *default_home(void)
{
	const char *own = getenv("HOLDFAST_HOME"), *config = getenv("XDG_CONFIG_HOME"), *user = getenv("HOME");

	if (own && *own)
		return mem_strdup(own);
	if (config && *config == '/')
		return mem_printf("%s/holdfast", config);
	return mem_printf("%s/.config/holdfast", user && *user ? user : ".");
}

static int show_help(const struct command *command, struct error *err)
{
	_cleanup_(buf_done) struct buf text = { 0 };

	if (command)
		help_command(&text, command);
	else
		help_all(&text);
	return output_raw(buf_bytes(&text), err);
}

static void take_globals(struct cli *cli, const struct args *args)
{
	if (args_has(args, "json"))
		cli->json = true;
	if (args_has(args, "home")) {
		free(cli->home_dir);
		cli->home_dir = mem_strdup(args_get(args, "home"));
	}
}

static int check_count(const struct command *command, size_t count, struct error *err)
{
	char name[64];

	command_name(name, command);
	if (count < command->min)
		return error_set(err, CLI_USAGE, "'%s' needs more: holdfast %s %s", name, name, command->synopsis);
	if (count > command->max)
		return error_set(err, CLI_USAGE, "'%s' takes less: holdfast %s %s", name, name, command->synopsis);
	return 0;
}

static int run_command(struct cli *cli, int argc, char **argv, struct error *err)
{
	_cleanup_(mem_freep) struct args *args = mem_alloc(sizeof(*args));
	const struct command *command;
	int words = 0, r = command_find(&command, &words, argc, argv, err);

	if (r == 0)
		r = args_parse(args, argc - words, argv + words, command->options, global_options, err);
	if (r < 0)
		return r;
	if (args_has(args, "help"))
		return show_help(command, err);
	take_globals(cli, args);
	r = check_count(command, args->count, err);
	return r < 0 ? r : command->run(cli, args, err);
}

static int run(struct cli *cli, int argc, char **argv, struct error *err)
{
	_cleanup_(mem_freep) struct args *args = mem_alloc(sizeof(*args));
	int leading = count_leading(argc, argv), r;

	if (leading == 1 && !strcmp(argv[0], "--version"))
		return cmd_version(cli, args, err);
	r = args_parse(args, leading, argv, NULL, global_options, err);
	if (r == 0)
		r = crypto_start(err);
	if (r < 0)
		return r;
	take_globals(cli, args);
	if (leading == argc || args_has(args, "help"))
		return show_help(NULL, err);
	return run_command(cli, argc - leading, argv + leading, err);
}

int main(int argc, char **argv)
{
	struct cli cli = { .home_dir = default_home() };
	struct error err = { 0 };
	int r;

	umask(077);
	signal(SIGPIPE, SIG_IGN); /* a server or ssh-keygen that goes away is an error to be told */
	r = run(&cli, argc - 1, argv + 1, &err);
	cli_done(&cli);
	if (r == E_SYS && err.sys == EPIPE) {
		signal(SIGPIPE, SIG_DFL); /* our reader has seen enough: end as anybody else would */
		raise(SIGPIPE);
	}
	if (r < 0)
		output_note("holdfast: %s", err.text);
	return r < 0 ? cli_exit_status(r) : r;
}
