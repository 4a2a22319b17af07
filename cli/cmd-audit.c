/* cli/cmd-audit.c -- holdfast audit: verifies a whole clone of the archive, offline.
 *
 * Only the operator's folder is needed: the fleet's id begins the succession of roots, and what was seen last of the server's history has
 * to be part of this one. */
#include "cli/commands.h"

#include "cli/home.h"
#include "cli/output.h"
#include "cli/show.h"
#include "repo/repo.h"

#include <string.h>

enum { FINDINGS_SHOWN_MAX = 1000 };

struct audit {
	struct repo_audit result;
	struct table findings; /* at most FINDINGS_SHOWN_MAX */
	uint64_t found;
	struct progress progress;
};

static void audit_done(struct audit *a)
{
	table_done(&a->findings);
}

static void take_finding(void *ctx, const char *kind, const char *where, const char *text)
{
	struct audit *a = ctx;
	const char *cells[] = { kind, where, text };

	if (a->found++ < FINDINGS_SHOWN_MAX)
		table_add(&a->findings, cells);
}

static void show_progress(void *ctx, uint64_t done, uint64_t total)
{
	struct audit *a = ctx;

	progress_show(&a->progress, done, total);
}

/* Is the log that we saw the beginning of this one? The commit and the checkpoint that are remembered belong together, and the commit's
 * place is known; without a commit a log of the same length can still be compared. */
static void check_seen(struct audit *a, const struct home *home)
{
	const struct repo_audit *r = &a->result;
	bool at_commit = home->commit[0] && r->seen_size;
	uint64_t size = at_commit ? r->seen_size : r->log_size;
	uint8_t tree[HASH_LEN];

	if (!home->checkpoint || size != statement_number(home->checkpoint, "size"))
		return;
	statement_get_hash(tree, home->checkpoint, "tree");
	if (memcmp(tree, at_commit ? r->seen_root : r->log_root, HASH_LEN) != 0)
		take_finding(a, "log", at_commit ? home->commit : r->tip,
			     "the log of this length is another one than the server showed: somebody was shown a forged history");
}

/* An old clone looks like a rewritten history, and only the server can tell them apart. */
static void note_age(const struct audit *a, const struct home *home)
{
	uint64_t seen = home->checkpoint ? statement_number(home->checkpoint, "size") : 0;

	if (a->result.log_size < seen)
		output_note("holdfast: note: this log has %llu statements, and the server had %llu when you last looked: "
			    "if the clone is only old, fetch and audit again",
			    (unsigned long long)a->result.log_size, (unsigned long long)seen);
}

static int print_text(const struct audit *a, struct error *err)
{
	_cleanup_(buf_done) struct buf line = { 0 };
	const struct repo_audit *r = &a->result;

	if (a->found && table_print(&a->findings, err) < 0)
		return err->code;
	if (a->found > FINDINGS_SHOWN_MAX)
		output_note("holdfast: %d of %llu findings are shown", FINDINGS_SHOWN_MAX, (unsigned long long)a->found);
	buf_addf(&line, "%llu finding%s in %llu commits, %llu statements, %llu devices, %llu seals; tip %s\n", (unsigned long long)a->found,
		 a->found == 1 ? "" : "s", (unsigned long long)r->commits, (unsigned long long)r->statements,
		 (unsigned long long)r->devices, (unsigned long long)r->seals, r->tip);
	return output_raw(buf_bytes(&line), err);
}

static json_t *findings_json(const struct table *table)
{
	json_t *list = json_array();

	for (size_t i = 1; i < table->rows; i++) { /* behind the heads */
		char **cell = table->cells + i * table->columns;

		json_array_append_new(list, json_pack("{s:s, s:s, s:s}", "kind", cell[0], "where", cell[1], "what", cell[2]));
	}
	return list;
}

static int print_json(const struct audit *a, const struct home *home, struct error *err)
{
	const struct repo_audit *r = &a->result;
	char tree[2 * HASH_LEN + 1];

	hex_encode(tree, r->log_root, HASH_LEN);
	return output_json("audit",
			   json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:s, s:I, s:o}", "fleet", home->fleet, "tip", r->tip, "commits",
				     (json_int_t)r->commits, "statements", (json_int_t)r->statements, "devices", (json_int_t)r->devices,
				     "seals", (json_int_t)r->seals, "log-size", (json_int_t)r->log_size, "log-tree", tree, "finding-count",
				     (json_int_t)a->found, "findings", findings_json(&a->findings)),
			   err);
}

/* What was found before the audit itself came to an end is worth seeing. */
static void note_findings(const struct audit *a)
{
	for (size_t i = 1; i < a->findings.rows; i++) {
		char **cell = a->findings.cells + i * a->findings.columns;

		output_note("holdfast: found: %s: %s: %s", cell[0], cell[1], cell[2]);
	}
}

int cmd_audit(struct cli *cli, const struct args *args, struct error *err)
{
	static const char *const heads[] = { "KIND", "WHERE", "WHAT" };
	_cleanup_(audit_done) struct audit a = { .progress = { .what = "commits" } };
	const struct home *home;
	int r = cli_home(cli, err);

	if (r < 0)
		return r;
	home = cli->home;
	table_init(&a.findings, ARRAY_SIZE(heads), heads);
	r = repo_audit(&a.result, args->value[0], home->fleet, home->commit[0] ? home->commit : NULL, take_finding, &a, show_progress, err);
	progress_end(&a.progress);
	if (r < 0) {
		note_findings(&a);
		return r;
	}
	check_seen(&a, home);
	note_age(&a, home);
	r = cli->json ? print_json(&a, home, err) : print_text(&a, err);
	if (r < 0)
		return r;
	return a.found ? EXIT_CRYPTO : EXIT_DONE;
}
