/* cli/carry.c -- carries a batch out. */
#include "cli/carry.h"

#include "cli/follow.h"
#include "cli/home.h"
#include "cli/passphrase.h"

#include <string.h>

enum { STATUS_INTERRUPTED = 130 };

int carry_reason(const char **out, const struct args *args, const char *or_else, struct error *err)
{
	*out = args_get(args, "reason");
	if (!*out)
		*out = or_else;
	if (!*out)
		return error_set(err, CLI_USAGE, "this changes devices: say why with --reason TEXT");
	for (const char *c = *out; *c; c++)
		if (*c < 0x20 || *c > 0x7e)
			return error_set(err, CLI_USAGE, "the reason holds a character that is not printable ASCII, and is signed as text");
	return **out && strlen(*out) <= 900 ? 0 : error_set(err, CLI_USAGE, "a reason has 1 to 900 characters");
}

static int tell_waiting(const struct cli *cli, const struct rollout *r)
{
	_cleanup_(buf_done) struct buf consent = { 0 };

	rollout_consent(&consent, r, cli->home->root);
	output_note("Approval needed: %s. Ask for:  holdfast approval show %s", buf_text(&consent), r->id);
	return EXIT_DENIED;
}

static void tell_failures(const struct rollout *r)
{
	struct rollout_counts c = rollout_count(r, batch_waves(r->batch));
	bool may_return = c.done && !strcmp(statement_get(r->batch, "kind"), "apply");

	if (r->count < 2 || (!c.failed && !strcmp(r->state, "done")))
		return;
	if (!strcmp(r->state, "stopped"))
		output_note("It stopped by itself: more failed than its fail-limit allows.");
	else
		output_note("It is %s: %zu done, %zu failed.", r->state, c.done, c.failed);
	output_note("Next:  holdfast rollout show --failed %s", r->id);
	output_note("       holdfast rollout retry %s", r->id);
	if (may_return)
		output_note("       holdfast rollout rollback %s", r->id);
}

static int tell_end(const struct cli *cli, const struct rollout *r, int how)
{
	switch (how) {
	case FOLLOW_INTERRUPTED:
		output_note("This only stops watching; the batch goes on. See:  holdfast rollout watch %s", r->id);
		return STATUS_INTERRUPTED;
	case FOLLOW_TIMEOUT:
		output_note("It is not over yet, and goes on. See:  holdfast rollout watch %s", r->id);
		return EXIT_UNREACHED;
	case FOLLOW_WAITS:
		return tell_waiting(cli, r);
	default:
		break;
	}
	tell_failures(r);
	return follow_status(r);
}

int carry_follow(struct cli *cli, struct rollout *r, const struct args *args, bool ends_waiting, bool with_table, struct error *err)
{
	struct follow f = { .cli = cli, .rollout = r, .ends_waiting = ends_waiting };
	int how;

	if (args_has(args, "timeout") && args_duration(&f.timeout_s, args_get(args, "timeout"), err) < 0)
		return err->code;
	how = follow(&f, err);
	if (how < 0)
		return how;
	if (cli->json && follow_print_json(r, cli->home->root, "rollout", err) < 0)
		return err->code;
	if (!cli->json && with_table && how == 0 && follow_print(r, false, err) < 0)
		return err->code;
	return tell_end(cli, r, how);
}

int carry_leave(struct cli *cli, struct rollout *r, struct error *err)
{
	int status = consent_is_enough(&r->consent) ? EXIT_DONE : tell_waiting(cli, r);
	_cleanup_(buf_done) struct buf line = { 0 };

	buf_addf(&line, "%s\n", r->id);
	if (cli->json)
		return follow_print_json(r, cli->home->root, "rollout", err) < 0 ? err->code : status;
	return output_raw(buf_bytes(&line), err) < 0 ? err->code : status;
}

static int wait_for(struct cli *cli, const char *id, const struct args *args, struct error *err)
{
	_cleanup_(rollout_done) struct rollout r = { 0 };
	struct open_source source;
	int result = fleet_source(&source, cli, err);

	if (result == 0)
		result = rollout_get(&r, &source, id, err);
	if (result < 0)
		return result;
	return args_has(args, "no-wait") ? carry_leave(cli, &r, err) : carry_follow(cli, &r, args, true, true, err);
}

int carry_post(char id[static ID_LEN + 1], struct making *o, const struct batch_terms *terms, const struct args *args, const char *question,
	       struct error *err)
{
	_cleanup_(batch_file_done) struct batch_file file = { 0 };
	struct buf bytes = { 0 };
	int r = making_draft(&bytes, o, terms, err);

	if (r == 0)
		r = batch_file_parse(&file, &bytes, err);
	buf_done(&bytes);
	if (r < 0)
		return r;
	making_show(o);
	if (question && !args_has(args, "yes"))
		r = passphrase_confirm(question, err);
	if (r == 0)
		r = making_submit(id, o->cli, &file, NULL, err);
	if (r < 0)
		return r;
	output_note("Signed and posted: batch %s", id);
	return 0;
}

int carry_out(struct making *o, const struct batch_terms *terms, const struct args *args, const char *question, struct error *err)
{
	char id[ID_LEN + 1];
	int r = carry_post(id, o, terms, args, question, err);

	return r < 0 ? r : wait_for(o->cli, id, args, err);
}
