/* cli/advisory-text.c -- the documents that were judged go to the archive, and come back from it. */
#include "cli/advisory-text.h"

#include "base/fs.h"
#include "cli/api.h"
#include "cli/output.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static char *text_path(const struct advisory_store *s, const struct statement *st)
{
	char hash[2 * HASH_LEN + 1];

	statement_hash_hex(hash, st);
	return mem_printf("%s/judgements/%s.zst", s->dir, hash);
}

/* ---- there ---- */

/* CSAF 2.0 section 3.2.1.5.2; TLP 2.0 calls it CLEAR. NULL: it may be given to everybody. */
static const char *held_back(const struct advisory *a)
{
	const json_t *distribution = json_object_get(json_object_get(a->json, "document"), "distribution");
	const char *label = advisory_text(json_object_get(distribution, "tlp"), "label");

	return label && strcasecmp(label, "WHITE") != 0 && strcasecmp(label, "CLEAR") != 0 ? label : NULL;
}

static bool is_brought(const struct judgements *j, const char *document)
{
	for (size_t i = 0; i < j->count; i++)
		if (statement_get(j->list[i].st, "text") && !j->list[i].why_not &&
		    !strcmp(statement_get(j->list[i].st, "document"), document))
			return true;
	return false;
}

int judgement_add_text(struct buf *text, struct buf *frame, const struct advisory_store *s, const struct judgements *j, size_t i,
		       struct error *err)
{
	_cleanup_(advisory_freep) struct advisory *a = NULL;
	_cleanup_(buf_done) struct buf document = { 0 };
	struct error why;

	if (is_brought(j, s->entries[i].sha256))
		return 0;
	if (advisory_store_document(&document, s, i, err) < 0 || advisory_read(&a, buf_bytes(&document), err) < 0)
		return err->code;
	if (held_back(a)) {
		output_note("The archive gets its hash alone: its publisher's label is TLP:%.20s.", held_back(a));
		return 0;
	}
	if (judgement_pack_text(frame, buf_bytes(&document), &why) < 0) {
		output_note("The archive gets its hash alone: %s.", why.text);
		return 0;
	}
	statement_add_seal(text, "text", 1, buf_bytes(frame));
	return 0;
}

static int check_text(const struct statement *st, struct bytes frame, struct error *err)
{
	_cleanup_(buf_done) struct buf document = { 0 };
	uint8_t hash[HASH_LEN];
	struct seal_ref ref;

	sha256(hash, frame);
	if (!statement_seal(&ref, st, "text") || ref.len != frame.len || memcmp(ref.hash, hash, HASH_LEN) != 0)
		return error_set(err, E_SEAL, "what stands behind the judgement is not what it names");
	return judgement_open_text(&document, st, frame, err);
}

int judgement_keep_text(const struct advisory_store *s, const struct statement *st, struct bytes frame, struct error *err)
{
	_cleanup_(mem_freep) char *path = text_path(s, st);

	_cleanup_(mem_freep) char *folder = mem_printf("%s/judgements", s->dir);

	if (check_text(st, frame, err) < 0 || fs_mkdirs(folder, 0700, err) < 0)
		return err->code;
	return advisory_store_write(path, frame, err);
}

/* 1: it is not here, or another libzstd made it. */
static int make_anew(struct buf *out, const struct advisory_store *s, const struct statement *st, struct error *err)
{
	_cleanup_(buf_done) struct buf document = { 0 }, frame = { 0 };
	struct error ignored;
	size_t i = 0;

	while (i < s->count && strcmp(s->entries[i].sha256, statement_get(st, "document")) != 0)
		i++;
	if (i == s->count)
		return 1;
	if (advisory_store_document(&document, s, i, err) < 0)
		return err->code;
	if (judgement_pack_text(&frame, buf_bytes(&document), &ignored) < 0 || check_text(st, buf_bytes(&frame), &ignored) < 0)
		return 1;
	buf_add_bytes(out, buf_bytes(&frame));
	return 0;
}

int judgement_read_text(struct buf *out, const struct advisory_store *s, const struct statement *st, struct error *err)
{
	_cleanup_(mem_freep) char *path = text_path(s, st);
	size_t begin = out->len;
	int r;

	if (!statement_get(st, "text"))
		return 1;
	r = fs_read(out, path, JUDGEMENT_TEXT_MAX, err);
	if (r == FS_ABSENT)
		return make_anew(out, s, st, err);
	if (r == 0 && check_text(st, bytes_from(buf_bytes(out), begin), err) < 0)
		r = error_add(err, "'%s'", path);
	return r;
}

/* ---- and back ---- */

static bool is_meant(const struct statement *st, const char *which)
{
	const char *document = statement_get(st, "document");
	size_t len = strlen(which);

	return !strcasecmp(statement_get(st, "advisory"), which) || (len >= 8 && !strncmp(document, which, len));
}

/* The newest judgement of it decides which of its versions is meant; best is one of those about that version that brings the text. */
static const struct statement *find_judged(const struct judgements *j, const char *which)
{
	const struct statement *newest = NULL, *best = NULL;

	for (size_t i = j->count; i > 0; i--) {
		const struct statement *st = j->list[i - 1].st;

		if (!is_meant(st, which) || (newest && strcmp(statement_get(st, "document"), statement_get(newest, "document")) != 0))
			continue;
		if (!newest)
			newest = best = st;
		if (!statement_get(best, "text") && statement_get(st, "text"))
			best = st;
	}
	return best;
}

static int fetch_document(struct buf *out, struct cli *cli, const struct statement *st, struct error *err)
{
	_cleanup_(mem_freep) char *path = mem_printf("/v1/advisories/%s", statement_get(st, "document"));
	_cleanup_(buf_done) struct buf frame = { 0 };
	int r = cli_api(cli, err);

	if (r == 0)
		r = api_get(&frame, cli->api, path, JUDGEMENT_TEXT_MAX, err);
	if (r == CLI_ABSENT)
		return error_set(err, CLI_ABSENT,
				 "nobody gave the archive the document of '%s' (SHA-256 %s), which '%s' judged; ask them for it",
				 statement_get(st, "advisory"), statement_get(st, "document"), statement_get(st, "person"));
	return r < 0 ? r : judgement_open_text(out, st, buf_bytes(&frame), err);
}

static int find_here(struct buf *out, const struct advisory_store *s, const char *which, struct error *err)
{
	size_t i;

	return advisory_store_find(&i, s, which, err) < 0 ? err->code : advisory_store_document(out, s, i, err);
}

int judgement_find_document(struct buf *out, const struct advisory_store *s, const struct judgements *j, struct cli *cli, const char *which,
			    struct error *err)
{
	_cleanup_(buf_done) struct buf frame = { 0 };
	const struct statement *st;
	int r = find_here(out, s, which, err);

	if (r != CLI_ABSENT)
		return r;
	st = find_judged(j, which);
	if (!st)
		return error_set(err, CLI_ABSENT, "there is no advisory '%.80s' here, and nobody judged one; see: holdfast advisory list",
				 which);
	if (find_here(out, s, statement_get(st, "document"), err) == 0)
		return 0;
	r = judgement_read_text(&frame, s, st, err);
	if (r == 0)
		return judgement_open_text(out, st, buf_bytes(&frame), err);
	return r < 0 ? r : fetch_document(out, cli, st, err);
}
