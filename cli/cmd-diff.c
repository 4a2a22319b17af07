/* cli/cmd-diff.c -- holdfast diff: startup against running, one revision against another, one device against another.
 *
 * Secrets are compared and not shown: each becomes a number before the comparison and dots afterwards (cli/mask.h). */
#include "cli/commands.h"

#include "base/clock.h"
#include "cli/fleet.h"
#include "cli/mask.h"
#include "cli/output.h"
#include "cli/show.h"
#include "repo/textdiff.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { HEAD_LEN_MAX = 160 };

struct side {
	const struct opened *opened;
	bool is_startup;
};

struct comparison {
	struct side from, to;
	struct mask mask;
	struct textdiff counts;
	bool is_equal;
	struct buf text; /* unified, as it is shown */
};

static void comparison_done(struct comparison *c)
{
	mask_done(&c->mask);
	buf_done(&c->text);
}

/* ---- comparing ---- */

/* Tokens are keyed per device and epoch: beyond one of them they say nothing. */
static enum mask_by how_to_compare(const struct opened *a, const struct opened *b)
{
	if (a->device == b->device && statement_number(a->st, "epoch") == statement_number(b->st, "epoch"))
		return MASK_BY_TOKEN;
	return a->has_secrets && b->has_secrets ? MASK_BY_VALUE : MASK_NOT_COMPARED;
}

static const char *part_of(const struct side *s)
{
	return s->is_startup ? "startup" : "running";
}

static int number_side(struct buf *out, struct comparison *c, const struct side *s, struct error *err)
{
	const struct buf *text = s->is_startup ? &s->opened->startup : &s->opened->running;

	return mask_number(out, &c->mask, buf_bytes(text), buf_bytes(&s->opened->secrets), s == &c->to, err);
}

static void head_of(char out[static HEAD_LEN_MAX], const struct side *s)
{
	char revision[96], when[CLOCK_TEXT_LEN];

	show_revision(revision, s->opened);
	clock_text(when, statement_time(s->opened->st, "time"));
	snprintf(out, HEAD_LEN_MAX, "%s %s (%s)", revision, part_of(s), when);
}

static int compare(struct comparison *c, bool reveal, bool clean, struct error *err)
{
	_cleanup_(buf_done) struct buf from = { 0 }, to = { 0 }, diff = { 0 }, cleaned = { 0 };
	char from_head[HEAD_LEN_MAX], to_head[HEAD_LEN_MAX];

	c->mask.by = how_to_compare(c->from.opened, c->to.opened);
	if (number_side(&from, c, &c->from, err) < 0 || number_side(&to, c, &c->to, err) < 0)
		return err->code;
	head_of(from_head, &c->from);
	head_of(to_head, &c->to);
	c->is_equal = bytes_equal(buf_bytes(&from), buf_bytes(&to));
	if (textdiff(&c->counts, &diff, buf_bytes(&from), from_head, buf_bytes(&to), to_head, err) < 0)
		return err->code;
	if (clean)
		output_clean(&cleaned, buf_bytes(&diff), true);
	return mask_show(&c->text, &c->mask, buf_bytes(clean ? &cleaned : &diff), reveal, true, clean, err);
}

/* ---- showing ---- */

static int print_text(const struct comparison *c, struct error *err)
{
	return show_diff(buf_bytes(&c->text), STDOUT_FILENO, err);
}

static json_t *side_json(const struct side *s)
{
	json_t *json = json_object();

	show_put_revision(json, s->opened);
	show_put_text(json, "part", part_of(s));
	return json;
}

static const char *compared_by(enum mask_by by)
{
	switch (by) {
	case MASK_BY_TOKEN:
		return "token";
	case MASK_BY_VALUE:
		return "value";
	case MASK_NOT_COMPARED:
		return "not";
	}
	return "not";
}

static int print_json(const struct comparison *c, bool reveal, struct error *err)
{
	return output_json("diff",
			   json_pack("{s:o, s:o, s:b, s:I, s:I, s:s, s:b, s:o}", "from", side_json(&c->from), "to", side_json(&c->to),
				     "equal", (int)c->is_equal, "added", (json_int_t)c->counts.added, "removed",
				     (json_int_t)c->counts.removed, "secrets-compared-by", compared_by(c->mask.by), "revealed", (int)reveal,
				     "diff", show_text(buf_bytes(&c->text))),
			   err);
}

/* What the diff itself cannot say. */
static void note_limits(const struct comparison *c)
{
	char from[96], to[96];

	show_revision(from, c->from.opened);
	show_revision(to, c->to.opened);
	if (c->mask.by == MASK_NOT_COMPARED && c->mask.count)
		output_note("holdfast: note: secrets of '%s' and '%s' were not compared: your reading key does not open them "
			    "(role reader is needed)",
			    from, to);
	if (c->from.is_startup && c->from.opened->startup_is == STARTUP_NONE)
		output_note("holdfast: note: '%s' has no startup configuration: it would boot with nothing", from);
}

static int show(struct cli *cli, struct comparison *c, bool reveal, struct error *err)
{
	int r = compare(c, reveal, !cli->json && output_is_terminal(), err);

	if (r < 0)
		return r;
	note_limits(c);
	r = cli->json ? print_json(c, reveal, err) : print_text(c, err);
	if (r < 0)
		return r;
	return c->is_equal ? EXIT_DONE : EXIT_FINDING;
}

/* ---- the command ---- */

/* What the arguments mean: two revisions, or the two configurations of one. */
struct meant {
	struct revision_ref from, to;
	bool is_startup; /* from is not used */
};

static int read_arguments(struct meant *out, const struct args *args, struct error *err)
{
	*out = (struct meant){ 0 };
	if (select_revision(&out->from, args->value[0], err) < 0 || (args->count > 1 && select_revision(&out->to, args->value[1], err) < 0))
		return err->code = CLI_USAGE;
	if (args->count > 1)
		return 0;
	out->is_startup = !out->from.is_given;
	out->to = out->from;
	out->to.number = SELECT_NEWEST;
	return 0;
}

static int check_startup(const struct opened *opened, struct error *err)
{
	char revision[96];

	if (opened->startup_is != STARTUP_UNKNOWN)
		return 0;
	show_revision(revision, opened);
	return error_set(err, CLI_ABSENT, "the startup configuration of '%s' is not known: not all of the device answered", revision);
}

int cmd_diff(struct cli *cli, const struct args *args, struct error *err)
{
	_cleanup_(fleet_list_done) struct fleet_list list = { 0 };
	_cleanup_(opener_freep) struct opener *opener = NULL;
	_cleanup_(opened_done) struct opened from = { 0 }, to = { 0 };
	_cleanup_(comparison_done) struct comparison c = { .from = { .opened = &from }, .to = { .opened = &to } };
	struct meant meant;
	int r = read_arguments(&meant, args, err);

	if (r == 0)
		r = fleet_list_get(&list, cli, err);
	if (r == 0)
		r = fleet_opener(&opener, cli, err);
	if (r == 0)
		r = fleet_open(&to, opener, &list, &meant.to, err);
	if (r == 0)
		r = meant.is_startup ? check_startup(&to, err) : fleet_open(&from, opener, &list, &meant.from, err);
	if (r < 0)
		return r;
	if (meant.is_startup)
		c.from = (struct side){ .opened = &to, .is_startup = true };
	return show(cli, &c, args_has(args, "reveal"), err);
}
