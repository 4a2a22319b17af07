/* server/main.c -- holdfastd: the table of its subcommands. */
#include "crypto/secret.h"
#include "server/init.h"
#include "server/serve.h"
#include "server/server.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

static int usage(const char *why);

static int take_init_options(struct init_options *options, int argc, char **argv)
{
	static const struct option known[] = {
		{ "address", required_argument, NULL, 'a' }, { "listen", required_argument, NULL, 'l' },
		{ "setup", required_argument, NULL, 's' },   { 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
		if (c == 'a' && options->address_count == ARRAY_SIZE(options->addresses))
			return usage("at most four --address");
		if (c == 'a')
			options->addresses[options->address_count++] = optarg;
		else if (c == 'l')
			options->listen = optarg;
		else if (c == 's')
			options->setup_file = optarg;
		else
			return EXIT_USAGE; /* getopt has said why */
	}
	if (optind != argc - 1)
		return usage("init takes one folder");
	options->dir = argv[optind];
	return options->address_count ? EXIT_DONE : usage("init needs --address HOST:PORT, as devices and operators will dial it");
}

static int run_init(int argc, char **argv, struct error *err)
{
	struct init_options options = { 0 };
	int r = take_init_options(&options, argc, argv);

	return r ? r : init_server(&options, err);
}

static int on_folder(int (*fn)(const char *dir, struct error *err), int argc, char **argv, struct error *err)
{
	return argc == 2 ? fn(argv[1], err) : usage("it takes one folder");
}

static int run_serve(int argc, char **argv, struct error *err)
{
	return on_folder(serve, argc, argv, err);
}

static int run_reindex(int argc, char **argv, struct error *err)
{
	return on_folder(serve_reindex, argc, argv, err);
}

static int run_check(int argc, char **argv, struct error *err)
{
	return on_folder(serve_check, argc, argv, err);
}

static const struct command {
	const char *name, *arguments, *what;
	int (*run)(int argc, char **argv, struct error *err); /* negative with err; else the exit status */
} commands[] = {
	{ "init", "DIR --address HOST:PORT... [--listen ADDRESS:PORT] [--setup FILE]", "make a server's folder, give the setup string",
	  run_init },
	{ "serve", "DIR", "serve until SIGTERM", run_serve },
	{ "reindex", "DIR", "rebuild the index from the archive", run_reindex },
	{ "check", "DIR", "read the settings and say what is wrong", run_check },
};

static void show_usage(FILE *out)
{
	fputs("usage:\n", out);
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		fprintf(out, "  holdfastd %s %s\n        %s\n", commands[i].name, commands[i].arguments, commands[i].what);
}

static int usage(const char *why)
{
	fprintf(stderr, "holdfastd: %s\n", why);
	show_usage(stderr);
	return EXIT_USAGE;
}

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (!strcmp(commands[i].name, name))
			return &commands[i];
	return NULL;
}

static int run(int argc, char **argv, struct error *err)
{
	const struct command *command = find_command(argv[1]);
	int r = crypto_start(err);

	if (r < 0)
		return r;
	if (command)
		return command->run(argc - 1, argv + 1, err);
	if (argc == 2 && argv[1][0] != '-') /* plain `holdfastd DIR` */
		return serve(argv[1], err);
	return usage("no such command");
}

int main(int argc, char **argv)
{
	struct error err = { 0 };
	int r;

	if (argc < 2)
		return usage("a command is needed");
	if (!strcmp(argv[1], "--help")) {
		show_usage(stdout);
		return EXIT_DONE;
	}
	if (!strcmp(argv[1], "--version")) {
		puts("holdfastd " SERVER_VERSION);
		return EXIT_DONE;
	}
	log_setup("holdfastd", LOG_INFO);
	r = run(argc, argv, &err);
	if (r < 0)
		fprintf(stderr, "holdfastd: %s\n", err.text);
	return r < 0 ? EXIT_FAILED : r;
}
