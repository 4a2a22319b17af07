/* cli/cli.c -- exit codes, and what a command opens on demand. */
#include "cli/cli.h"

#include "cli/api.h"

#include <stdlib.h>

int cli_exit_status(int code)
{
	switch (code) {
	case CLI_USAGE:
		return EXIT_USAGE;
	case CLI_LOGIN:
		return EXIT_LOGIN;
	case E_DENIED:
		return EXIT_DENIED;
	case CLI_ABSENT:
		return EXIT_ABSENT;
	case CLI_CONFLICT:
		return EXIT_CONFLICT;
	case E_SEAL:
		return EXIT_CRYPTO;
	case CLI_PARTIAL:
		return EXIT_PARTIAL;
	case CLI_UNREACHED:
		return EXIT_UNREACHED;
	default: /* the codes of base/ that say only that it failed */
		return EXIT_FAILED;
	}
}

int cli_home(struct cli *cli, struct error *err)
{
	return cli->home ? 0 : home_open(&cli->home, cli->home_dir, err);
}

int cli_api(struct cli *cli, struct error *err)
{
	int r = cli_home(cli, err);

	return r < 0 || cli->api ? r : api_open(&cli->api, cli->home, err);
}

void cli_done(struct cli *cli)
{
	cli->api = api_free(cli->api);
	cli->home = home_free(cli->home);
	free(cli->home_dir);
	cli->home_dir = NULL;
}
