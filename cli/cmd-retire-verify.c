/* cli/cmd-retire-verify.c -- holdfast retire verify: a proof of retirement, offline; and how certificates are shown. */
#include "cli/commands.h"

#include "base/fs.h"
#include "base/plural.h"
#include "cli/api.h"
#include "cli/home.h"
#include "cli/output.h"
#include "cli/retired.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NOTES_MAX = ROOT_WITNESSES_MAX + 3 };

int retired_check_args(const struct args *args, const struct cli *cli, struct error *err)
{
	return cli->json && args_has(args, "html") ? error_set(err, CLI_USAGE, "--json and --html do not go together") : 0;
}

int retired_show(const struct certificate_view *view, const struct cli *cli, const struct args *args, const char *kind, struct error *err)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	const char *page = args_get(args, "html");

	if (cli->json)
		return output_json(kind, certificate_json(view), err);
	if (page) {
		certificate_html(&text, view);
		return fs_write(page, buf_bytes(&text), 0644, err);
	}
	certificate_text(&text, view, output_is_terminal());
	return output_raw(buf_bytes(&text), err);
}

/* ---- what a verifier has to say ---- */

struct notes {
	size_t count;
	char *list[NOTES_MAX + 1];
};

static void notes_done(struct notes *n)
{
	for (size_t i = 0; i < n->count; i++)
		free(n->list[i]);
}

static void add_note(struct notes *n, char *text)
{
	n->list[n->count++] = text;
}

static void make_notes(struct notes *n, const struct bundle_proof *p, const struct bundle_trust *trust)
{
	add_note(n, mem_printf("%s up to version %zu %s; what a later one says is not in the file",
			       plural(p->root_count, "the root", "all roots"), p->root_count, plural(p->root_count, "holds", "hold")));
	if (!trust->fleet && !trust->root_count)
		add_note(n, mem_strdup("nobody said which fleet is meant: that its first root is yours is for you to know"));
	for (size_t i = 0; i < p->witness_count; i++)
		add_note(n, mem_printf("witness %s saw the log at %llu %s, the certificate %s", p->witnesses[i].name,
				       (unsigned long long)p->witnesses[i].size, plural(p->witnesses[i].size, "statement", "statements"),
				       p->witnesses[i].has_certificate ? "among them" : "not yet"));
	if (!p->witness_count)
		add_note(n, mem_strdup("no witness cosigned the log: that the server kept it whole is the archive's word alone"));
}

static int show_proof(const struct bundle_proof *p, struct bytes text, const struct bundle_trust *trust, const struct cli *cli,
		      const struct args *args, const char *kind, struct error *err)
{
	_cleanup_(notes_done) struct notes notes = { 0 };
	uint64_t version = statement_number(p->certificate, "root");
	char sum[2 * HASH_LEN + 1];
	struct certificate_view view = { .certificate = p->certificate, .sum = sum, .notes = (const char *const *)notes.list };

	view.root = p->roots[(version && version <= p->root_count ? version : p->root_count) - 1];
	sha256_hex(sum, text);
	make_notes(&notes, p, trust);
	return retired_show(&view, cli, args, kind, err);
}

int retired_verify(struct bytes text, const struct bundle_trust *trust, const struct cli *cli, const struct args *args, const char *kind,
		   struct error *err)
{
	_cleanup_(bundle_done) struct bundle b = { 0 };
	_cleanup_(mem_freep) struct bundle_proof *p = mem_alloc(sizeof(*p));
	int r = bundle_parse(&b, text, err);

	if (r == 0)
		r = bundle_verify(p, &b, trust, err);
	if (r == 0)
		r = show_proof(p, text, trust, cli, args, kind, err);
	bundle_proof_done(p);
	return r;
}

/* ---- the command ---- */

struct succession {
	struct root *roots[ROOT_CHAIN_MAX];
	size_t count;
};

static void succession_done(struct succession *s)
{
	for (size_t i = 0; i < s->count; i++)
		root_free(s->roots[i]);
}

/* A list of roots from version 1 on, as `root export --succession` writes it. */
static int read_roots(struct succession *out, const char *file, struct error *err)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	int r = fs_read(&text, file, API_ROOTS_MAX, err);
	struct bytes rest = buf_bytes(&text);

	if (r == FS_ABSENT)
		return error_set(err, CLI_ABSENT, "there is no file '%s'", file);
	while (r == 0 && rest.len) {
		struct statement *st = NULL;
		size_t used = 0;

		if (out->count == ROOT_CHAIN_MAX)
			return error_set(err, E_LIMIT, "'%s' has more than %d roots", file, ROOT_CHAIN_MAX);
		r = statement_parse(&st, rest, false, &used, err);
		if (r == 0)
			r = root_new(&out->roots[out->count], st, err);
		if (r == 0)
			out->count++;
		if (r == 0)
			r = out->count == 1 ? root_accept_first(out->roots[0], NULL, err) :
					      root_succeeds(out->roots[out->count - 2], out->roots[out->count - 1], err);
		rest = bytes_from(rest, used);
	}
	if (r == 0 && !out->count)
		r = error_set(err, E_FORMAT, "it holds no root; write one with: holdfast root export --succession");
	return r < 0 ? error_add(err, "'%s'", file) : 0;
}

/* What the reader trusts: what was given; else the home, if there is one. */
static int find_trust(struct bundle_trust *out, struct succession *s, struct cli *cli, const struct args *args, struct error *err)
{
	const char *fleet = args_get(args, "fleet"), *roots = args_get(args, "roots");
	int r = 0;

	if (fleet && !id_is_valid(bytes_str(fleet)))
		return error_set(err, CLI_USAGE, "'--fleet %.40s' is no fleet id", fleet);
	out->fleet = fleet;
	if (roots) {
		r = read_roots(s, roots, err);
		out->roots = s->roots;
		out->root_count = s->count;
		return r;
	}
	if (fleet)
		return 0;
	r = cli_home(cli, err);
	if (r == CLI_ABSENT)
		return error_set(err, CLI_USAGE, "of which fleet? give its id with --fleet, or its roots with --roots");
	if (r == 0)
		*out = (struct bundle_trust){ cli->home->fleet, cli->home->roots, cli->home->root_count };
	return r;
}

int cmd_retire_verify(struct cli *cli, const struct args *args, struct error *err)
{
	_cleanup_(succession_done) struct succession s = { 0 };
	_cleanup_(buf_done) struct buf text = { 0 };
	struct bundle_trust trust = { 0 };
	const char *file = args->value[0];
	int r = retired_check_args(args, cli, err);

	if (r == 0)
		r = find_trust(&trust, &s, cli, args, err);
	if (r == 0)
		r = fs_read(&text, file, BUNDLE_MAX, err);
	if (r == FS_ABSENT)
		return error_set(err, CLI_ABSENT, "there is no file '%s'", file);
	if (r < 0)
		return r;
	r = retired_verify(buf_bytes(&text), &trust, cli, args, "retire-verify", err);
	if (r < 0)
		return error_add(err, "'%s' does not hold", file);
	output_note("holdfast: '%s' holds", file);
	return r;
}
