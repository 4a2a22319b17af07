/* cli/cmd-root-sign.c -- `holdfast root check`, `root sign` and `root publish`: a next root goes from person to person, then to the server.
 */
#include "cli/commands.h"
#include "cli/home.h"
#include "cli/output.h"
#include "cli/passphrase.h"
#include "cli/people.h"
#include "cli/proposal.h"

#include "base/fs.h"

static int begin(struct proposal *p, struct cli *cli, const struct args *args, bool offline_ok, struct error *err)
{
	int r = proposal_freshen(cli, offline_ok, err);

	if (r == 0)
		r = proposal_read(p, args->value, args->count, cli->home, err);
	return r;
}

int cmd_root_check(struct cli *cli, const struct args *args, struct error *err)
{
	_cleanup_(proposal_done) struct proposal p = { 0 };
	int r = begin(&p, cli, args, true, err);

	if (r < 0)
		return r;
	proposal_show(&p);
	r = cli->json ? proposal_json(&p, "root-check", args->value[0], err) : 0;
	return r < 0 ? r : standing_is_enough(&p.standing) ? EXIT_DONE : EXIT_FINDING;
}

/* The file is replaced as a whole: nobody who waits for it gets half a signature. */
int cmd_root_sign(struct cli *cli, const struct args *args, struct error *err)
{
	_cleanup_(proposal_done) struct proposal p = { 0 };
	const char *file = args->value[0];
	int r = begin(&p, cli, args, true, err);

	if (r < 0)
		return r;
	proposal_show(&p);
	r = args_has(args, "yes") ? 0 : passphrase_confirm("Sign this root?", err);
	if (r == 0)
		r = proposal_sign(&p, cli->home, err);
	if (r == 0)
		r = fs_replace(file, statement_whole(root_statement(p.next)), 0644, err);
	if (r < 0)
		return r;
	if (cli->json)
		return proposal_json(&p, "root-sign", file, err);
	if (standing_is_enough(&p.standing)) {
		output_note("Signed, and enough people have. Next:  holdfast root publish %s", file);
	} else {
		_cleanup_(buf_done) struct buf text = { 0 };

		standing_text(&text, &p.standing, p.now, p.next);
		output_note("Signed: %s. Hand '%s' on.", buf_text(&text), file);
	}
	return 0;
}

int cmd_root_publish(struct cli *cli, const struct args *args, struct error *err)
{
	_cleanup_(proposal_done) struct proposal p = { 0 };
	int r = begin(&p, cli, args, false, err);

	if (r == 0)
		r = proposal_publish(&p, cli, err);
	return r < 0 ? r : people_tell(&p, cli, NULL, err);
}
