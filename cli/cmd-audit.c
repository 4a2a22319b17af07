/* cli/cmd-audit.c -- holdfast audit: verifies a whole clone of the archive, offline; and proof that the archive contradicted itself.
 *
 * Only the operator's folder is needed: the fleet's id begins the succession of roots, and what was seen last of the server's history has
 * to be part of this one. So has every checkpoint in the files that are given with it. */
#include "cli/commands.h"

#include "base/clock.h"
#include "base/fs.h"
#include "base/plural.h"
#include "cli/contradiction.h"
#include "cli/home.h"
#include "cli/output.h"
#include "cli/show.h"
#include "repo/repo.h"

#include <string.h>
#include <sys/stat.h>

enum { FINDINGS_SHOWN_MAX = 1000, PROOF_FILE_MAX = 3 * STATEMENT_MAX, COSIGNED_LATE_S = 86400 };

struct audit {
	struct repo_audit result;
	struct table findings; /* at most FINDINGS_SHOWN_MAX */
	uint64_t found;
	struct progress progress;
	bool is_seen_there; /* what the home remembers is part of this log */
	struct buf proof;   /* the first contradiction that was found */
};

static void audit_done(struct audit *a)
{
	table_done(&a->findings);
	buf_done(&a->proof);
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
	a->is_seen_there = !memcmp(tree, at_commit ? r->seen_root : r->log_root, HASH_LEN);
	if (!a->is_seen_there)
		take_finding(a, "log", at_commit ? home->commit : r->tip,
			     "the log of this length is another one than the server showed: somebody was shown a forged history");
}

/* An old clone looks like a rewritten history, and only the server can tell them apart. */
static void note_age(const struct audit *a, const struct home *home)
{
	uint64_t seen = home->checkpoint ? statement_number(home->checkpoint, "size") : 0;

	if (a->result.log_size < seen)
		output_note("holdfast: note: this log has %llu %s, and the server had %llu when you last looked: "
			    "if the clone is only old, fetch and audit again",
			    (unsigned long long)a->result.log_size, plural(a->result.log_size, "statement", "statements"),
			    (unsigned long long)seen);
}

/* ---- checkpoints that somebody kept, against this log ---- */

/* What the archive signed once (held), and what lies here now. */
static int compare_held(struct audit *a, const struct home *home, const char *mirror, const struct statement *held, const char *where,
			struct error *err)
{
	struct contradiction c = { .a = (struct statement *)(uintptr_t)held };
	_cleanup_(statement_freep) struct statement *tip = NULL;
	_cleanup_(buf_done) struct buf text = { 0 };
	const char *how;
	int r = contradiction_verify(home, held, err);

	if (r == 0)
		r = repo_mirror_growth(&c.growth, &text, mirror, statement_number(held, "size"), err);
	c.has_growth = r == 0;
	if (r < 0 || statement_parse(&tip, buf_bytes(&text), false, NULL, err) < 0)
		return error_add(err, "%s", where);
	c.b = tip;
	r = contradiction_judge(&how, &c, home, err);
	if (r < 0 || !how)
		return r;
	take_finding(a, "contradiction", where, how);
	if (!a->proof.len)
		contradiction_text(&a->proof, &c);
	return 0;
}

static int read_proof(struct contradiction *out, const char *file, struct error *err)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	int r = fs_read(&text, file, PROOF_FILE_MAX, err);

	if (r == FS_ABSENT)
		return error_set(err, CLI_ABSENT, "there is no file '%s'", file);
	if (r == 0)
		r = contradiction_parse(out, buf_bytes(&text), err);
	return r < 0 ? error_add(err, "'%s'", file) : 0;
}

/* A file proves by itself, or by what lies here. */
static int compare_file(struct audit *a, const struct home *home, const char *mirror, const char *file, struct error *err)
{
	struct contradiction c;
	const char *how;
	int r = read_proof(&c, file, err);

	if (r < 0)
		return r;
	r = contradiction_judge(&how, &c, home, err);
	if (r == 0 && how) {
		take_finding(a, "contradiction", file, how);
		if (!a->proof.len)
			contradiction_text(&a->proof, &c);
	}
	if (r == 0 && !how && mirror)
		r = compare_held(a, home, mirror, c.a, file, err);
	if (r == 0 && !how && mirror && c.b)
		r = compare_held(a, home, mirror, c.b, file, err);
	contradiction_done(&c);
	return r < 0 ? error_add(err, "'%s'", file) : 0;
}

static int compare_all(struct audit *a, const struct home *home, const char *mirror, const struct args *args, struct error *err)
{
	int r = 0;

	if (mirror && home->checkpoint && !a->is_seen_there)
		r = compare_held(a, home, mirror, home->checkpoint, "what this operator saw", err);
	for (size_t i = mirror ? 1 : 0; r == 0 && i < args->count; i++)
		r = compare_file(a, home, mirror, args->value[i], err);
	return r;
}

static int write_proof(const struct audit *a, const char *file, struct error *err)
{
	int r;

	if (!file)
		return 0;
	if (!a->proof.len) {
		output_note("holdfast: there is no contradiction to prove; '%s' is not written", file);
		return 0;
	}
	r = fs_write(file, buf_bytes(&a->proof), 0644, err);
	if (r == 0)
		output_note("The proof is in '%s': whoever has this fleet's root can verify it with  holdfast audit %s", file, file);
	return r;
}

/* ---- witnesses ---- */

static bool names_witnesses(const struct repo_audit *r)
{
	for (size_t i = 0; i < r->witness_count; i++)
		if (r->witnesses[i].is_named)
			return true;
	return false;
}

static void note_witnesses(const struct repo_audit *r)
{
	char since[24];

	for (size_t i = 0; i < r->witness_count; i++) {
		const struct repo_audit_witness *w = &r->witnesses[i];

		show_since(since, w->time_s, clock_now_s());
		if (w->size)
			output_note("holdfast: witness '%s'%s vouches for the first %llu of %llu %s; that checkpoint is of %s", w->name,
				    w->is_named ? "" : " (not in the root any more)", (unsigned long long)w->size,
				    (unsigned long long)r->log_size, plural(r->log_size, "statement", "statements"), since);
		else if (w->is_named)
			output_note("holdfast: warning: witness '%s' has cosigned nothing that is in this archive", w->name);
	}
	if (!names_witnesses(r) || !r->uncovered_s || clock_now_s() - r->uncovered_s < COSIGNED_LATE_S)
		return;
	show_since(since, r->uncovered_s, clock_now_s());
	output_note("holdfast: warning: no witness vouches for what was archived since %s: is it still running, and does the server keep "
		    "it away?",
		    since);
}

static json_t *witnesses_json(const struct repo_audit *r)
{
	json_t *list = json_array();

	for (size_t i = 0; i < r->witness_count; i++) {
		const struct repo_audit_witness *w = &r->witnesses[i];
		json_t *json = json_pack("{s:s, s:b, s:I}", "name", w->name, "named", (int)w->is_named, "log-size", (json_int_t)w->size);

		show_put_time(json, "time", w->time_s);
		json_array_append_new(list, json);
	}
	return list;
}

/* ---- what is printed ---- */

static int print_text(const struct audit *a, struct error *err)
{
	_cleanup_(buf_done) struct buf line = { 0 };
	const struct repo_audit *r = &a->result;

	if (a->found && table_print(&a->findings, err) < 0)
		return err->code;
	if (a->found > FINDINGS_SHOWN_MAX)
		output_note("holdfast: %d of %llu findings are shown", FINDINGS_SHOWN_MAX, (unsigned long long)a->found);
	buf_addf(&line, "%llu %s in %llu %s, %llu %s, %llu %s, %llu %s; tip %s\n", (unsigned long long)a->found,
		 plural(a->found, "finding", "findings"), (unsigned long long)r->commits, plural(r->commits, "commit", "commits"),
		 (unsigned long long)r->statements, plural(r->statements, "statement", "statements"), (unsigned long long)r->devices,
		 plural(r->devices, "device", "devices"), (unsigned long long)r->seals, plural(r->seals, "seal", "seals"), r->tip);
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
	json_t *json;

	hex_encode(tree, r->log_root, HASH_LEN);
	json = json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:s, s:I, s:o, s:o}", "fleet", home->fleet, "tip", r->tip, "commits",
			 (json_int_t)r->commits, "statements", (json_int_t)r->statements, "devices", (json_int_t)r->devices, "seals",
			 (json_int_t)r->seals, "log-size", (json_int_t)r->log_size, "log-tree", tree, "finding-count", (json_int_t)a->found,
			 "findings", findings_json(&a->findings), "witnesses", witnesses_json(r));
	show_put_time(json, "uncovered-since", r->uncovered_s);
	return output_json("audit", json, err);
}

/* What was found before the audit itself came to an end is worth seeing. */
static void note_findings(const struct audit *a)
{
	for (size_t i = 1; i < a->findings.rows; i++) {
		char **cell = a->findings.cells + i * a->findings.columns;

		output_note("holdfast: found: %s: %s: %s", cell[0], cell[1], cell[2]);
	}
}

static int audit_mirror(struct audit *a, const struct cli *cli, const struct args *args, struct error *err)
{
	const struct home *home = cli->home;
	const char *mirror = args->value[0];
	int r = repo_audit(&a->result, mirror, home->fleet, home->commit[0] ? home->commit : NULL, take_finding, a, show_progress, err);

	progress_end(&a->progress);
	if (r == 0) {
		check_seen(a, home);
		note_age(a, home);
		r = compare_all(a, home, mirror, args, err);
	}
	if (r < 0) {
		note_findings(a);
		return r;
	}
	note_witnesses(&a->result);
	return cli->json ? print_json(a, home, err) : print_text(a, err);
}

/* Without a clone: each file has to prove by itself. */
static int audit_files(struct audit *a, const struct cli *cli, const struct args *args, struct error *err)
{
	int r = compare_all(a, cli->home, NULL, args, err);

	if (r < 0)
		return r;
	if (cli->json)
		return output_json("audit",
				   json_pack("{s:s, s:I, s:o}", "fleet", cli->home->fleet, "finding-count", (json_int_t)a->found,
					     "findings", findings_json(&a->findings)),
				   err);
	if (!a->found)
		output_note("The checkpoints are the archive's, and do not contradict each other by themselves; a clone of the archive may "
			    "tell more.");
	return a->found ? table_print(&a->findings, err) : 0;
}

static bool is_folder(const char *path)
{
	struct stat st;

	return stat(path, &st) < 0 || S_ISDIR(st.st_mode);
}

int cmd_audit(struct cli *cli, const struct args *args, struct error *err)
{
	static const char *const heads[] = { "KIND", "WHERE", "WHAT" };
	_cleanup_(audit_done) struct audit a = { .progress = { .what = "commits" } };
	int r = cli_home(cli, err);

	if (r < 0)
		return r;
	table_init(&a.findings, ARRAY_SIZE(heads), heads);
	r = is_folder(args->value[0]) ? audit_mirror(&a, cli, args, err) : audit_files(&a, cli, args, err);
	if (r == 0)
		r = write_proof(&a, args_get(args, "output"), err);
	if (r < 0)
		return r;
	return a.found ? EXIT_CRYPTO : EXIT_DONE;
}
