/* tests/load/load.c -- the load generator's subcommands. */
#include "tests/load/load.h"

#include "base/clock.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int usage(void)
{
	fputs("usage:\n"
	      "  load run FOLDER [--devices N] [--in-flight N] [--rate N] [--join-ms N] [--posts N] [--bytes N] [--moment TIME [--config "
	      "FILE]]...\n"
	      "  load check FOLDER SERVER-FOLDER\n"
	      "  load answers FOLDER\n"
	      "  load hear FOLDER ROUNDS\n"
	      "FOLDER holds the setup string of holdfastd init as 'setup'.\n",
	      stderr);
	return 2;
}

static int run(int argc, char **argv, struct error *err)
{
	static const struct option known[] = {
		{ "devices", required_argument, NULL, 'd' },
		{ "in-flight", required_argument, NULL, 'f' },
		{ "rate", required_argument, NULL, 'r' },
		{ "join-ms", required_argument, NULL, 'j' },
		{ "posts", required_argument, NULL, 'p' },
		{ "bytes", required_argument, NULL, 'b' },
		{ "moment", required_argument, NULL, 'm' },
		{ "config", required_argument, NULL, 'c' },
		{ 0 },
	};
	struct load_options o = { .folder = argv[1], .devices = 100, .in_flight = 32, .bytes = 2000 };
	int c;

	optind = 2;
	while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
		unsigned long n = c == '?' ? 0 : strtoul(optarg, NULL, 10);

		if (c == 'd')
			o.devices = n;
		else if (c == 'f')
			o.in_flight = n;
		else if (c == 'r')
			o.rate = (unsigned)n;
		else if (c == 'j')
			o.join_ms = (unsigned)n;
		else if (c == 'p')
			o.posts = n;
		else if (c == 'b')
			o.bytes = n;
		else if (c == 'm' && o.moment_count < LOAD_MOMENTS_MAX && clock_parse(&o.moments[o.moment_count], bytes_str(optarg)))
			o.moment_count++;
		else if (c == 'c' && o.config_count < o.moment_count)
			o.configs[o.config_count++] = optarg;
		else
			return usage();
	}
	if (o.moment_count)
		o.posts = o.devices * (4 + o.moment_count); /* invite, enrol, admit, epoch */
	if (optind != argc || !o.devices || !o.in_flight || o.bytes > CONFIG_MAX / 2)
		return usage();
	return load_run(&o, err);
}

static int command(int argc, char **argv, struct error *err)
{
	if (argc >= 3 && !strcmp(argv[1], "run"))
		return run(argc - 1, argv + 1, err);
	if (argc == 4 && !strcmp(argv[1], "check"))
		return load_check(argv[2], argv[3], err);
	if (argc == 3 && !strcmp(argv[1], "answers"))
		return load_answers(argv[2], err);
	if (argc == 4 && !strcmp(argv[1], "hear"))
		return load_hear(argv[2], strtoul(argv[3], NULL, 10), err);
	return usage();
}

int main(int argc, char **argv)
{
	struct error err = { 0 };
	int r = crypto_start(&err);

	curl_global_init(CURL_GLOBAL_ALL);
	if (r == 0)
		r = command(argc, argv, &err);
	if (r < 0)
		fprintf(stderr, "load: %s\n", err.text);
	curl_global_cleanup();
	return r < 0 ? 1 : r;
}
