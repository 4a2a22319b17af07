/* cli/cmd-cat.c -- holdfast cat: prints a configuration, secrets masked unless they are to be revealed. */
#include "cli/commands.h"

#include "cli/fleet.h"
#include "cli/mask.h"
#include "cli/output.h"
#include "cli/show.h"

static int pick_text(struct bytes *text, const struct opened *opened, bool is_startup, struct error *err)
{
	char revision[96];

	show_revision(revision, opened);
	*text = buf_bytes(is_startup ? &opened->startup : &opened->running);
	if (is_startup && opened->startup_is == STARTUP_NONE)
		return error_set(err, CLI_ABSENT, "'%s' has no startup configuration", revision);
	if (is_startup && opened->startup_is == STARTUP_UNKNOWN)
		return error_set(err, CLI_ABSENT, "the startup configuration of '%s' is not known: not all of the device answered",
				 revision);
	return 0;
}

/* For a terminal the text is cleaned first, so that what stands for a secret is ours. In a pipe it stays as it is. */
static int render(struct buf *out, const struct opened *opened, struct bytes text, bool reveal, bool clean, struct error *err)
{
	_cleanup_(mask_done) struct mask mask = { .by = MASK_BY_TOKEN };
	_cleanup_(buf_done) struct buf cleaned = { 0 }, numbered = { 0 };

	if (clean) {
		output_clean(&cleaned, text, true);
		text = buf_bytes(&cleaned);
	}
	if (mask_number(&numbered, &mask, text, buf_bytes(&opened->secrets), 0, err) < 0)
		return err->code;
	return mask_show(out, &mask, buf_bytes(&numbered), reveal, false, clean, err);
}

static int print_json(const struct opened *opened, struct bytes text, bool is_startup, bool reveal, struct error *err)
{
	json_t *json = json_object();

	show_put_revision(json, opened);
	show_put_text(json, "part", is_startup ? "startup" : "running");
	json_object_set_new(json, "revealed", json_boolean(reveal));
	json_object_set_new(json, "text", show_text(text));
	return output_json("configuration", json, err);
}

int cmd_cat(struct cli *cli, const struct args *args, struct error *err)
{
	bool is_startup = args_has(args, "startup"), reveal = args_has(args, "reveal");
	_cleanup_(fleet_list_done) struct fleet_list list = { 0 };
	_cleanup_(opener_freep) struct opener *opener = NULL;
	_cleanup_(opened_done) struct opened opened = { 0 };
	_cleanup_(buf_done) struct buf out = { 0 };
	struct revision_ref ref;
	struct bytes text;
	int r = select_revision(&ref, args->value[0], err);

	if (r < 0)
		return err->code = CLI_USAGE;
	r = fleet_list_get(&list, cli, err);
	if (r == 0)
		r = fleet_opener(&opener, cli, err);
	if (r == 0)
		r = fleet_open(&opened, opener, &list, &ref, err);
	if (r == 0)
		r = pick_text(&text, &opened, is_startup, err);
	if (r == 0)
		r = render(&out, &opened, text, reveal, !cli->json && output_is_terminal(), err);
	if (r < 0)
		return r;
	return cli->json ? print_json(&opened, buf_bytes(&out), is_startup, reveal, err) : output_raw(buf_bytes(&out), err);
}
