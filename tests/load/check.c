/* tests/load/check.c -- the books against the server's folder, read by stock git: `git log --raw` says which blobs came when,
 * `git cat-file --batch` what is in them. Nothing of repo/ is used, so that it cannot agree with itself. */
#include "tests/load/books.h"

#include "base/fs.h"
#include "base/proc.h"

#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { GIT_MS = 300 * 1000, OUTPUT_MAX = 2000 << 20, OID_HEX = 40, PATH_BYTES = 160 };

/* One line of git log --raw. */
struct change {
	size_t commit; /* how many came before */
	bool is_gone;
	char blob[OID_HEX + 1], path[PATH_BYTES];
	struct bytes content; /* into check.contents */
};

/* What a path holds now. */
struct place {
	char path[PATH_BYTES], hash[2 * HASH_LEN + 1];
	bool is_gone;
};

struct chain {
	char device[ID_LEN + 1];
	uint64_t count, highest;
};

struct check {
	const char *server;
	struct change *changes;
	size_t change_count, commits;
	struct buf contents;
	struct record *found;
	size_t found_count;
	void *places, *chains; /* tsearch(3) */
	size_t seals, epochs;
};

/* ---- git ---- */

static int git(struct buf *out, const char *server, const char *const more[], struct bytes in, struct error *err)
{
	_cleanup_(mem_freep) char *archive = mem_printf("%s/archive.git", server);
	const char *argv[16] = { "git", "-C", archive };
	struct proc_result run = { 0 };
	int r;

	for (size_t i = 0; more[i] && i < 12; i++)
		argv[3 + i] = more[i];
	r = proc_run(&run, argv, in, GIT_MS, OUTPUT_MAX, err);
	if (r == 0 && run.status)
		r = error_set(err, E_PEER, "git %s ended with %d: %.300s", more[0], run.status, buf_text(&run.err));
	if (r == 0) {
		*out = run.out;
		run.out = (struct buf){ 0 };
	}
	proc_result_done(&run);
	return r;
}

/* ":100644 100644 <blob> <blob> M\t<path>" */
static int take_line(struct check *c, struct bytes line, struct error *err)
{
	_cleanup_(mem_freep) char *text = mem_strndup((const char *)line.ptr, line.len);
	struct change *change;
	char status;

	if (!line.len)
		return 0;
	if (text[0] != ':') {
		c->commits++;
		return 0;
	}
	if (c->change_count % 4096 == 0)
		c->changes = mem_grow(c->changes, (c->change_count + 4096) * sizeof(*c->changes));
	change = &c->changes[c->change_count++];
	*change = (struct change){ .commit = c->commits };
	if (sscanf(text, ":%*s %*s %*s %40s %c\t%159s", change->blob, &status, change->path) != 3)
		return error_set(err, E_FORMAT, "git log gave '%s'", text);
	change->is_gone = status == 'D';
	return 0;
}

static int read_history(struct check *c, struct error *err)
{
	static const char *const log[] = {
		"log", "--reverse", "--raw", "--root", "--no-renames", "--no-abbrev", "--format=%H", "main", NULL
	};
	_cleanup_(buf_done) struct buf text = { 0 };
	struct bytes rest, line;
	int r = git(&text, c->server, log, (struct bytes){ 0 }, err);

	if (r < 0)
		return r;
	for (rest = buf_bytes(&text); bytes_next_line(&rest, &line);)
		if (take_line(c, line, err) < 0)
			return err->code;
	return 0;
}

/* "<id> blob <length>\n<content>\n", for each that was asked for, in order. */
static int read_contents(struct check *c, struct error *err)
{
	static const char *const cat[] = { "cat-file", "--batch", NULL };
	_cleanup_(buf_done) struct buf ids = { 0 };
	struct bytes rest, line;
	int r;

	for (size_t i = 0; i < c->change_count; i++)
		if (!c->changes[i].is_gone)
			buf_addf(&ids, "%s\n", c->changes[i].blob);
	r = git(&c->contents, c->server, cat, buf_bytes(&ids), err);
	rest = buf_bytes(&c->contents);
	for (size_t i = 0; r == 0 && i < c->change_count; i++) {
		size_t len = 0;

		if (c->changes[i].is_gone)
			continue;
		if (!bytes_next_line(&rest, &line) || line.len < OID_HEX || memcmp(line.ptr, c->changes[i].blob, OID_HEX) != 0 ||
		    sscanf((const char *)line.ptr + OID_HEX, " blob %zu\n", &len) != 1 || len >= rest.len)
			return error_set(err, E_FORMAT, "git cat-file does not give blob %s of '%s'", c->changes[i].blob,
					 c->changes[i].path);
		c->changes[i].content = bytes_of(rest.ptr, len);
		rest = bytes_from(rest, len + 1);
	}
	return r;
}

/* ---- places and chains ---- */

static int place_cmp(const void *a, const void *b)
{
	return strcmp(((const struct place *)a)->path, ((const struct place *)b)->path);
}

static int chain_cmp(const void *a, const void *b)
{
	return strcmp(((const struct chain *)a)->device, ((const struct chain *)b)->device);
}

/* The node of a tree with this key, made when missing. */
static void *node_of(void **tree, const void *probe, size_t size, int (*cmp)(const void *, const void *))
{
	void **at = tfind(probe, tree, cmp);
	void *node;

	if (at)
		return *at;
	node = mem_alloc(size);
	memcpy(node, probe, size);
	if (!tsearch(node, tree, cmp))
		abort();
	return node;
}

static void put_seal(struct check *c, const struct change *change)
{
	struct place probe = { 0 }, *place;

	snprintf(probe.path, sizeof(probe.path), "%s", change->path);
	place = node_of(&c->places, &probe, sizeof(probe), place_cmp);
	place->is_gone = change->is_gone;
	if (!change->is_gone)
		sha256_hex(place->hash, change->content);
	c->seals += !change->is_gone;
}

/* The seal that a statement names, at its place beside it. */
static int check_seal(struct check *c, const char *statement_path, const struct seal_ref *ref, struct error *err)
{
	struct place probe = { 0 }, **at;
	char hash[2 * HASH_LEN + 1];

	snprintf(probe.path, sizeof(probe.path), "%.*s/%s.age", (int)(strrchr(statement_path, '/') - statement_path), statement_path,
		 ref->name);
	at = tfind(&probe, &c->places, place_cmp);
	hex_encode(hash, ref->hash, HASH_LEN);
	if (!at || (*at)->is_gone || strcmp((*at)->hash, hash) != 0)
		return error_set(err, E_PEER, "'%s' is not the seal that the statement beside it names", probe.path);
	return 0;
}

static int check_key(struct check *c, const struct statement *st, const struct seal_ref *ref, struct error *err)
{
	_cleanup_(mem_freep) char *path = mem_printf("%s/keyring/%s/%s.%.*s.age", c->server, statement_get(st, "device"),
						     statement_get(st, "epoch"), (int)(strlen(ref->name) - strlen("-key")), ref->name);
	_cleanup_(buf_done) struct buf key = { 0 };
	uint8_t hash[HASH_LEN];
	int r = fs_read(&key, path, SEAL_MAX, err);

	if (r < 0)
		return r;
	sha256(hash, buf_bytes(&key));
	if (r > 0 || memcmp(hash, ref->hash, HASH_LEN) != 0)
		return error_set(err, E_PEER, "'%s' is not what the epoch's statement names", path);
	return 0;
}

static int check_seals(struct check *c, const struct change *change, const struct statement *st, struct error *err)
{
	struct seal_ref refs[CONTAINER_SEALS_MAX];
	size_t n = statement_seals(refs, st);

	for (size_t i = 0; i < n; i++) {
		bool is_key = statement_type(st) == STATEMENT_EPOCH;
		int r = is_key ? check_key(c, st, &refs[i], err) : check_seal(c, change->path, &refs[i], err);

		c->epochs += is_key && !i;
		if (r < 0)
			return r;
	}
	return 0;
}

static int take_statement(struct check *c, const struct change *change, struct error *err)
{
	_cleanup_(statement_freep) struct statement *st = NULL;
	struct record record;

	if (change->is_gone)
		return error_set(err, E_PEER, "'%s' was removed", change->path);
	if (statement_parse(&st, change->content, false, NULL, err) < 0 || record_of(&record, change->content, err) < 0)
		return error_add(err, "'%s'", change->path);
	if (c->found_count % 4096 == 0)
		c->found = mem_grow(c->found, (c->found_count + 4096) * sizeof(*c->found));
	c->found[c->found_count++] = record;
	if (statement_get(st, "number")) {
		struct chain probe = { 0 }, *chain;

		memcpy(probe.device, record.subject, sizeof(probe.device));
		chain = node_of(&c->chains, &probe, sizeof(probe), chain_cmp);
		chain->count++;
		chain->highest = record.number > chain->highest ? record.number : chain->highest;
	}
	return check_seals(c, change, st, err);
}

static bool is_seal(const struct change *change)
{
	size_t len = strlen(change->path);

	return len > 4 && !strcmp(change->path + len - 4, ".age");
}

/* A commit's seals first: the statement beside them is judged by what its own tree holds. */
static int walk(struct check *c, struct error *err)
{
	for (size_t from = 0, to; from < c->change_count; from = to) {
		for (to = from; to < c->change_count && c->changes[to].commit == c->changes[from].commit; to++)
			if (is_seal(&c->changes[to]))
				put_seal(c, &c->changes[to]);
		for (size_t i = from; i < to; i++)
			if (!is_seal(&c->changes[i]) && strcmp(c->changes[i].path, "log/checkpoint") != 0 &&
			    take_statement(c, &c->changes[i], err) < 0)
				return err->code;
	}
	return 0;
}

/* ---- the comparison ---- */

static int record_cmp(const void *a, const void *b)
{
	return strcmp(((const struct record *)a)->hash, ((const struct record *)b)->hash);
}

static int differ(const struct record *r, const char *what, struct error *err)
{
	return error_set(err, E_PEER, "%s %llu of '%s' (%s) %s", statement_type_name(r->type), (unsigned long long)r->number, r->subject,
			 r->hash, what);
}

/* Both lists sorted by hash: the same statements, each once, with the same bytes. */
static int compare(const struct record *acked, size_t n, const struct record *found, size_t m, struct error *err)
{
	size_t i = 0, k = 0;

	while (i < n || k < m) {
		int order = i == n ? 1 : k == m ? -1 : record_cmp(&acked[i], &found[k]);

		if (order < 0)
			return differ(&acked[i], "was acknowledged and is not in the archive", err);
		if (order > 0)
			return differ(&found[k], "is in the archive and was never acknowledged, or is there twice", err);
		if (i && !record_cmp(&acked[i], &acked[i - 1]))
			return differ(&acked[i], "was acknowledged as new twice", err);
		if (strcmp(acked[i].whole, found[k].whole) != 0)
			return differ(&acked[i], "is not archived with the bytes that were sent", err);
		i++;
		k++;
	}
	return 0;
}

static const struct chain *broken;

static void find_broken(const void *node, VISIT visit, int depth _unused_)
{
	const struct chain *chain = *(const struct chain *const *)node;

	if ((visit == postorder || visit == leaf) && chain->count != chain->highest)
		broken = chain;
}

static void check_done(struct check *c)
{
	free(c->changes);
	free(c->found);
	buf_done(&c->contents);
	tdestroy(c->places, free);
	tdestroy(c->chains, free);
}

int load_check(const char *folder, const char *server_folder, struct error *err)
{
	_cleanup_(check_done) struct check c = { .server = server_folder };
	_cleanup_(mem_freep) struct record *acked = NULL;
	size_t n = 0;

	if (books_read(&acked, &n, folder, err) < 0 || read_history(&c, err) < 0 || read_contents(&c, err) < 0 || walk(&c, err) < 0)
		return err->code;
	qsort(acked, n, sizeof(*acked), record_cmp);
	if (c.found_count)
		qsort(c.found, c.found_count, sizeof(*c.found), record_cmp);
	if (compare(acked, n, c.found, c.found_count, err) < 0)
		return err->code;
	twalk(c.chains, find_broken);
	if (broken)
		return error_set(err, E_PEER, "device '%s' has %llu statements, but the highest number is %llu", broken->device,
				 (unsigned long long)broken->count, (unsigned long long)broken->highest);
	printf("checked %zu statements, %zu seals, %zu epochs in %zu commits\n", n, c.seals, c.epochs, c.commits);
	return 0;
}
