/* tests/unit/test-cli-open.c -- what an agent seals, an operator opens; what a server makes of it in between is found out.
 *
 * Snapshots are made by the agent's own parts, and a server in memory gives them out, true or altered. Some are opened once more by
 * stock age and zstd, which judge both sides. */
#include "tests/fleet.h"
#include "tests/test.h"

#include "agent/snapshot.h"
#include "agent/verdict.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/proc.h"
#include "cli/cli.h"
#include "cli/fleet.h"
#include "cli/mask.h"
#include "cli/open.h"
#include "crypto/merkle.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { RECORDS_MAX = 96, LEAVES_MAX = 256, LIES_MAX = 4, TEXT_PATH_MAX = 200 };

struct device {
	struct fleet_device d;
	struct chain chain;
	struct buf enrol, admit;
	struct buf records[RECORDS_MAX]; /* attached containers, number N at N */
};

/* An answer that takes the place of the true one. */
struct lie {
	char path[TEXT_PATH_MAX];
	bool is_absent;
	struct buf answer;
};

struct world {
	struct fleet fleet;
	struct age_identity auditor, stranger;
	const struct age_identity *key; /* whose home it is */
	struct root *roots[2];
	size_t root_count;
	struct device r1, r2;
	struct merkle_hash leaves[LEAVES_MAX];
	uint64_t log_size;
	struct statement *checkpoint; /* the server's newest */
	struct lie lies[LIES_MAX];
	size_t lie_count;
	struct opener *opener;
};

static void must(int r, const struct error *err)
{
	if (r < 0)
		fail_msg("%s", err->text);
}

/* ---- roots ---- */

/* alice with all roles and a reading key, bob as auditor, carol as admin from root 2 on, where alice is none any more. */
static void root_text(struct buf *out, const struct world *w, uint64_t version, const struct sign_key *carol)
{
	char alice_key[SIGN_PUB_TEXT_MAX], carol_key[SIGN_PUB_TEXT_MAX], archive[SIGN_PUB_TEXT_MAX];
	char reader[AGE_RECIPIENT_LEN + 1], auditor[AGE_RECIPIENT_LEN + 1];

	sign_pub_text(alice_key, &w->fleet.operator.pub);
	sign_pub_text(carol_key, &carol->pub);
	sign_pub_text(archive, &w->fleet.archive.pub);
	age_recipient_text(reader, &w->fleet.reader.pub);
	age_recipient_text(auditor, &w->auditor.pub);
	statement_begin(out, STATEMENT_ROOT);
	if (version > 1)
		statement_add(out, "fleet", "%s", w->fleet.id);
	statement_add(out, "version", "%llu", (unsigned long long)version);
	if (version > 1)
		statement_add_hash(out, "prev", statement_hash(root_statement(w->roots[version - 2])));
	statement_add_time(out, "time", clock_now_s());
	statement_add_time(out, "expires", clock_now_s() + 86400);
	statement_add(out, "name", "plant-a");
	statement_add(out, "person", "alice");
	statement_add(out, "person", "bob");
	statement_add(out, "person", "carol");
	statement_add(out, "key", "alice %s", alice_key);
	statement_add(out, "key", "carol %s", carol_key);
	statement_add(out, "reading-key", "alice %s", reader);
	statement_add(out, "reading-key", "bob %s", auditor);
	statement_add(out, "role", "root alice");
	statement_add(out, "role", "admin %s", version > 1 ? "carol" : "alice");
	statement_add(out, "role", "reader alice");
	statement_add(out, "role", "auditor bob");
	statement_add(out, "archive", "%s", archive);
	statement_add(out, "tls-pin", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
	statement_add(out, "server", "localhost:8443");
}

static void make_root(struct world *w, uint64_t version)
{
	_cleanup_(sign_key_done) struct sign_key carol = { 0 };
	_cleanup_(buf_done) struct buf text = { 0 };
	struct statement *st = NULL;
	struct error err = { 0 };

	sign_key_new(&carol);
	root_text(&text, w, version, &carol);
	must(statement_sign(&text, &w->fleet.operator, &err), &err);
	must(statement_parse(&st, buf_bytes(&text), false, NULL, &err), &err);
	if (version == 1)
		id_of_hash(w->fleet.id, statement_hash(st));
	must(root_new(&w->roots[version - 1], st, &err), &err);
	must(version == 1 ? root_accept_first(w->roots[0], w->fleet.id, &err) : root_succeeds(w->roots[0], w->roots[1], &err), &err);
	w->root_count = version;
}

/* ---- the log ---- */

static void sign_checkpoint(struct statement **out, const struct world *w, uint64_t size, struct merkle_hash tree)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	struct error err = { 0 };

	statement_free(*out);
	*out = NULL;
	statement_begin(&text, STATEMENT_CHECKPOINT);
	statement_add(&text, "fleet", "%s", w->fleet.id);
	statement_add(&text, "size", "%llu", (unsigned long long)size);
	statement_add_hash(&text, "tree", tree.b);
	statement_add(&text, "root", "1");
	statement_add_time(&text, "time", clock_now_s());
	must(statement_sign(&text, &w->fleet.archive, &err), &err);
	must(statement_parse(out, buf_bytes(&text), false, NULL, &err), &err);
}

static struct merkle_hash tree_of(const struct world *w, uint64_t size)
{
	struct merkle tree = { 0 };

	for (uint64_t i = 0; i < size; i++)
		merkle_add(&tree, w->leaves[i]);
	return merkle_root(&tree);
}

/* The server logs a statement and signs the new head. */
static void log_statement(struct world *w, struct bytes container)
{
	_cleanup_(statement_freep) struct statement *st = NULL;
	struct error err = { 0 };

	must(statement_parse(&st, container, false, &(size_t){ 0 }, &err), &err);
	w->leaves[w->log_size++] = merkle_leaf(statement_text(st));
	sign_checkpoint(&w->checkpoint, w, w->log_size, tree_of(w, w->log_size));
}

static int leaf_at(void *ctx, uint64_t i, struct merkle_hash *out, struct error *err _unused_)
{
	*out = ((struct world *)ctx)->leaves[i];
	return 0;
}

static int give_proof(struct buf *out, struct world *w, uint64_t from, uint64_t to, struct error *err)
{
	struct merkle_hash proof[MERKLE_PROOF_MAX];
	char hex[2 * HASH_LEN + 1];
	int n;

	if (!from || from > to || to > w->log_size)
		return error_set(err, CLI_ABSENT, "no such sizes");
	n = merkle_prove_consistency(proof, from, to, leaf_at, w, err);
	buf_add_str(out, "{\"proof\": [");
	for (int i = 0; i < n; i++) {
		hex_encode(hex, proof[i].b, HASH_LEN);
		buf_addf(out, "%s\"%s\"", i ? ", " : "", hex);
	}
	buf_add_str(out, "]}");
	return n < 0 ? n : 0;
}

/* ---- the server ---- */

/* A statement and all the seals that it lists, put together from the containers that brought them. */
static void put_full(struct buf *out, const struct device *d, uint64_t number)
{
	struct container c = { 0 }, from = { 0 };
	struct error err = { 0 };
	size_t used;

	must(container_parse(&c, buf_bytes(&d->records[number]), CONTAINER_ATTACHED, &used, &err), &err);
	buf_add_bytes(out, statement_whole(c.st));
	for (size_t i = 0; i < c.count; i++) {
		must(container_parse(&from, buf_bytes(&d->records[c.refs[i].number]), CONTAINER_ATTACHED, &used, &err), &err);
		buf_add_bytes(out, container_seal(&from, c.refs[i].name));
		container_done(&from);
	}
	container_done(&c);
}

/* The number of the newest statement of this type, with this epoch if it is not 0; 0: there is none. */
static uint64_t find_record(const struct device *d, enum statement_type type, uint64_t epoch)
{
	for (uint64_t n = d->chain.number; n; n--) {
		_cleanup_(statement_freep) struct statement *st = NULL;
		struct error err = { 0 };

		must(statement_parse(&st, buf_bytes(&d->records[n]), false, &(size_t){ 0 }, &err), &err);
		if (statement_type(st) == type && (!epoch || statement_number(st, "epoch") == epoch))
			return n;
	}
	return 0;
}

static int give_device(struct buf *out, const struct device *d, const char *what, struct error *err)
{
	unsigned long long n = 0;
	uint64_t record = 0;

	if (!strcmp(what, "enrol"))
		return buf_add_bytes(out, buf_bytes(&d->enrol)), 0;
	if (!strcmp(what, "admit"))
		return buf_add_bytes(out, buf_bytes(&d->admit)), 0;
	if (!strcmp(what, "snapshots/newest"))
		record = find_record(d, STATEMENT_SNAPSHOT, 0);
	else if (sscanf(what, "snapshots/%llu", &n) == 1 && n <= d->chain.number)
		record = n;
	else if (!strcmp(what, "verdict"))
		record = find_record(d, STATEMENT_VERDICT, 0);
	else if (sscanf(what, "verdicts/%llu", &n) == 1 && n <= d->chain.number)
		record = n;
	else if (sscanf(what, "epochs/%llu", &n) == 1 && !strstr(what, "-key")) /* nobody has rewrapped anything */
		record = find_record(d, STATEMENT_EPOCH, n);
	if (!record)
		return error_set(err, CLI_ABSENT, "server: not here");
	put_full(out, d, record);
	return 0;
}

static int give_truth(struct buf *out, struct world *w, const char *path, struct error *err)
{
	unsigned long long from, to;
	char id[ID_LEN + 1], what[64];

	if (sscanf(path, "/v1/consistency?from=%llu&to=%llu", &from, &to) == 2)
		return give_proof(out, w, from, to, err);
	if (!strcmp(path, "/v1/checkpoint"))
		return buf_add_bytes(out, statement_whole(w->checkpoint)), 0;
	if (sscanf(path, "/v1/devices/%26[a-z2-7]/%63s", id, what) == 2 && !strcmp(id, w->r1.d.id))
		return give_device(out, &w->r1, what, err);
	if (!strcmp(id, w->r2.d.id))
		return give_device(out, &w->r2, what, err);
	return error_set(err, CLI_ABSENT, "server: '%s' is not here", path);
}

static int get(void *ctx, struct buf *out, const char *path, size_t max, struct error *err)
{
	struct world *w = ctx;
	size_t before = out->len;
	int r;

	for (size_t i = 0; i < w->lie_count; i++) {
		if (strcmp(w->lies[i].path, path) != 0)
			continue;
		if (w->lies[i].is_absent)
			return error_set(err, CLI_ABSENT, "server: not here");
		buf_add_bytes(out, buf_bytes(&w->lies[i].answer));
		return 0;
	}
	r = give_truth(out, w, path, err);
	must(r == CLI_ABSENT ? 0 : r, err);
	assert_true(out->len - before <= max);
	return r;
}

static int key(void *ctx, const struct age_identity **out, struct error *err _unused_)
{
	*out = ((struct world *)ctx)->key;
	return 0;
}

/* ---- devices ---- */

static void keep(struct world *w, struct device *d, uint64_t number, struct bytes container)
{
	assert_true(number < RECORDS_MAX);
	buf_add_bytes(&d->records[number], container);
	log_statement(w, container);
}

static struct snapshot_by by_of(const struct world *w, const struct device *d)
{
	return (struct snapshot_by){ &d->d.key, d->d.id, w->roots[0], w->checkpoint, clock_now_s() };
}

static void new_epoch(struct world *w, struct device *d)
{
	struct snapshot_by by = by_of(w, d);
	struct error err = { 0 };

	must(epoch_make(&d->chain, &by, &err), &err);
	keep(w, d, d->chain.number, buf_bytes(&d->chain.newest));
}

static void device_join(struct world *w, struct device *d, const char *name)
{
	uint8_t secret[32] = { 9 };

	fleet_device_init(&d->d, name);
	fleet_enrol(&d->enrol, &w->fleet, &d->d, secret);
	fleet_admit(&d->admit, &w->fleet, &d->d);
	d->chain.number = 1;
	d->chain.time_s = clock_now_s();
	memcpy(d->chain.hash, d->d.head, HASH_LEN);
	keep(w, d, 1, buf_bytes(&d->enrol));
	log_statement(w, buf_bytes(&d->admit));
	new_epoch(w, d);
}

struct look {
	const char *running, *startup; /* startup NULL: there is none */
	enum commit_saved saved;
};

/* by: NULL for how it is at the moment. */
static uint64_t snap_by(struct world *w, struct device *d, const struct look *look, const struct snapshot_by *by)
{
	struct snapshot_by now = by_of(w, d);
	struct device_facts facts = { .firmware = "FRRouting 8.4.4" };
	struct snapshot_input in = {
		.reason = "change",
		.driver = &driver_frr,
		.running = bytes_str(look->running),
		.startup = bytes_str(look->startup ? look->startup : ""),
		.has_startup = look->startup != NULL,
		.saved = look->saved,
		.unsaved_since_s = look->saved == SAVED_NO ? clock_now_s() : 0,
		.mode = "observe",
		.note = "",
		.facts = &facts,
	};
	struct error err = { 0 };

	must(snapshot_make(&d->chain, &in, by ? by : &now, &err), &err);
	keep(w, d, d->chain.number, buf_bytes(&d->chain.newest));
	return d->chain.number;
}

static uint64_t snap(struct world *w, struct device *d, const char *running, const char *startup)
{
	struct look look = { running, startup, startup && !strcmp(running, startup) ? SAVED_YES : SAVED_NO };

	return snap_by(w, d, &look, NULL);
}

static const char first_text[] = "hostname r1\npassword hunter2\nip route 10.0.0.0/24 10.1.1.1\n";
static const char second_text[] = "hostname r1\npassword correct horse\nip route 10.0.0.0/24 10.1.1.1\nip route 10.9.0.0/24 Null0\n";

static void new_opener(struct world *w)
{
	struct open_source source = { w->fleet.id, w->roots, w->root_count, w->checkpoint, get, key, w };

	w->opener = opener_free(w->opener);
	w->opener = opener_new(&source);
}

/* r1: enrol, epoch, snapshots 3 and 4; r2: enrol, epoch, snapshot 3. */
static struct world *world_new(void)
{
	struct world *w = mem_alloc(sizeof(*w));

	fleet_init(&w->fleet);
	age_identity_new(&w->auditor);
	age_identity_new(&w->stranger);
	w->key = &w->fleet.reader;
	make_root(w, 1);
	device_join(w, &w->r1, "r1");
	device_join(w, &w->r2, "r2");
	snap(w, &w->r1, first_text, first_text);
	snap(w, &w->r1, second_text, first_text);
	snap(w, &w->r2, first_text, first_text);
	new_opener(w);
	return w;
}

static void device_end(struct device *d)
{
	fleet_device_done(&d->d);
	chain_done(&d->chain);
	buf_done(&d->enrol);
	buf_done(&d->admit);
	for (size_t i = 0; i < RECORDS_MAX; i++)
		buf_done(&d->records[i]);
}

static void forget_lies(struct world *w)
{
	for (size_t i = 0; i < w->lie_count; i++)
		buf_done(&w->lies[i].answer);
	w->lie_count = 0;
	memset(w->lies, 0, sizeof(w->lies));
	new_opener(w);
}

static void world_freep(struct world **at)
{
	struct world *w = *at;

	forget_lies(w);
	opener_free(w->opener);
	statement_free(w->checkpoint);
	device_end(&w->r1);
	device_end(&w->r2);
	root_free(w->roots[0]);
	root_free(w->roots[1]);
	age_identity_done(&w->auditor);
	age_identity_done(&w->stranger);
	fleet_done(&w->fleet);
	free(w);
}

/* The server answers for this path with what is put into the buffer that comes back; a new command begins. */
static struct buf *lie_at(struct world *w, const char *path)
{
	struct lie *l = &w->lies[w->lie_count++];

	assert_true(w->lie_count <= LIES_MAX);
	new_opener(w);
	snprintf(l->path, sizeof(l->path), "%s", path);
	return &l->answer;
}

static struct buf *lie(struct world *w, const struct device *d, const char *what)
{
	_cleanup_(mem_freep) char *path = mem_printf("/v1/devices/%s/%s", d->d.id, what);

	return lie_at(w, path);
}

static int try_open(struct world *w, const struct device *d, uint64_t number, uint64_t at_least, struct error *err)
{
	_cleanup_(opened_done) struct opened opened = { 0 };
	struct open_wanted wanted = { d->d.id, number, at_least };

	*err = (struct error){ 0 };
	return opener_open(&opened, w->opener, &wanted, err);
}

static void check_refused(struct world *w, const struct device *d, uint64_t number, uint64_t at_least, int code, const char *says)
{
	struct error err = { 0 };

	CHECK_EQ(try_open(w, d, number, at_least, &err), code);
	if (!strstr(err.text, says))
		fail_msg("'%s' does not say '%s'", err.text, says);
	forget_lies(w);
	CHECK_OK(try_open(w, d, number, 0, &err)); /* it was the lie */
}

/* ---- the way back ---- */

/* What --reveal gives in a pipe: the device's own text. */
static void reveal(struct buf *out, const struct opened *opened, const struct buf *text)
{
	_cleanup_(mask_done) struct mask mask = { .by = MASK_BY_TOKEN };
	_cleanup_(buf_done) struct buf numbered = { 0 };
	struct error err = { 0 };

	CHECK_OK(mask_number(&numbered, &mask, buf_bytes(text), buf_bytes(&opened->secrets), 0, &err));
	CHECK_OK(mask_show(out, &mask, buf_bytes(&numbered), true, false, false, &err));
}

static void check_text(const struct opened *opened, const struct buf *text, const char *expected)
{
	_cleanup_(buf_done) struct buf plain = { 0 };

	reveal(&plain, opened, text);
	CHECK_BYTES(buf_bytes(&plain), expected);
}

static void check_revision(struct world *w, const struct device *d, uint64_t number, const struct look *look)
{
	_cleanup_(opened_done) struct opened opened = { 0 };
	struct open_wanted wanted = { d->d.id, number, 0 };
	struct error err = { 0 };

	CHECK_OK(opener_open(&opened, w->opener, &wanted, &err));
	CHECK_EQ(opened_number(&opened), number);
	CHECK_STR(opened.device->name, d->d.name);
	CHECK(opened.has_secrets);
	check_text(&opened, &opened.running, look->running);
	if (look->startup) {
		CHECK_EQ(opened.startup_is, strcmp(look->running, look->startup) ? STARTUP_OTHER : STARTUP_SAME);
		check_text(&opened, &opened.startup, look->startup);
	} else {
		CHECK_EQ(opened.startup_is, STARTUP_NONE);
	}
}

static unsigned dice(unsigned *seed, unsigned sides)
{
	return (unsigned)rand_r(seed) % sides;
}

static void add_random_word(struct buf *out, unsigned *seed)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789$.,{}\x01\x1b\xc3\xa5\xff";

	for (unsigned n = 1 + dice(seed, 20); n; n--)
		buf_add_char(out, letters[dice(seed, sizeof(letters) - 1)]);
}

static void add_random_line(struct buf *out, unsigned *seed)
{
	static const char *const heads[] = {
		"ip route 10.0.0.0/24 ", "interface ", " description ", "password ", " neighbor 10.1.1.1 password ",
		" ip ospf message-digest-key 1 md5 ", "snmp-server community ", "enable password ",
		"{{secret 0123456789abcdef}} ", "{{secret ", "password {{secret 00112233", "banner motd ",
	};

	buf_add_str(out, heads[dice(seed, ARRAY_SIZE(heads))]);
	add_random_word(out, seed);
	buf_add_char(out, '\n');
}

/* A text of some lines; now and then an old line changes and one is added, rarely everything is new. */
struct story {
	unsigned seed;
	struct buf line[120];
	size_t count;
};

static void story_step(struct story *s)
{
	bool is_new = !s->count || !dice(&s->seed, 9);
	size_t wanted = is_new ? 20 + dice(&s->seed, 60) : s->count + dice(&s->seed, 3);

	for (size_t i = 0; i < ARRAY_SIZE(s->line); i++)
		if (is_new || (i < s->count && !dice(&s->seed, 30)) || i >= s->count) {
			buf_truncate(&s->line[i], 0);
			add_random_line(&s->line[i], &s->seed);
		}
	s->count = wanted < ARRAY_SIZE(s->line) ? wanted : ARRAY_SIZE(s->line);
}

static char *story_text(const struct story *s)
{
	struct buf out = { 0 };

	for (size_t i = 0; i < s->count; i++)
		buf_add_bytes(&out, buf_bytes(&s->line[i]));
	return buf_steal_text(&out);
}

static void story_done(struct story *s)
{
	for (size_t i = 0; i < ARRAY_SIZE(s->line); i++)
		buf_done(&s->line[i]);
}

enum { REVISIONS = 60 };

TEST(every_revision_opens_to_what_the_device_had)
{
	_cleanup_(world_freep) struct world *w = world_new();
	_cleanup_(story_done) struct story story = { .seed = 7 };
	char *texts[REVISIONS], *startup = NULL;
	struct look looks[REVISIONS];
	uint64_t numbers[REVISIONS], bases = 0;
	struct device *d = &w->r1;

	for (int i = 0; i < REVISIONS; i++) {
		if (i == 13 || i == 29)
			new_epoch(w, d);
		if (i)
			story_step(&story);
		texts[i] = story_text(&story); /* the first one is empty */
		startup = i % 3 == 0 ? texts[i] : startup;
		looks[i] = (struct look){ texts[i], i % 10 == 9 ? NULL : startup, SAVED_NO };
		numbers[i] = snap(w, d, looks[i].running, looks[i].startup);
		bases += d->chain.base.ref.number == numbers[i];
	}
	CHECK(bases >= 5); /* else the way over deltas is not the one that is tested */
	CHECK(bases < REVISIONS / 2);
	new_opener(w);
	for (int i = 0; i < REVISIONS; i++)
		check_revision(w, d, numbers[i], &looks[i]);
	for (int i = 0; i < REVISIONS; i++)
		free(texts[i]);
}

static void write_in(const char *dir, const char *name, struct bytes in)
{
	_cleanup_(mem_freep) char *path = mem_printf("%s/%s", dir, name);
	struct error err = { 0 };

	CHECK_OK(fs_write(path, in, 0600, &err));
}

static void write_seals(const char *dir, struct bytes container)
{
	_cleanup_(container_done) struct container c = { 0 };
	struct error err = { 0 };
	size_t used;

	CHECK_OK(container_parse(&c, container, CONTAINER_FULL, &used, &err));
	for (size_t i = 0; i < c.count; i++) {
		_cleanup_(mem_freep) char *name = mem_printf("%s.age", c.refs[i].name);

		write_in(dir, name, c.seals[i]);
	}
}

/* What the tools make of it stands on standard output: running, then the table of secrets. */
static const char by_stock_tools[] =
	"set -eu; cd \"$1\"\n"
	"key() { age -d -i reader.key \"$1-key.age\"; }\n"
	"key body | age -d -i - base.age | zstd -q -d >base\n"
	"if [ -e delta.age ]; then key body | age -d -i - delta.age | zstd -q -d --patch-from=base -o running; else cp base running; fi\n"
	"cat running; echo ---; [ ! -e secrets.age ] || key secrets | age -d -i - secrets.age | sed '/^$/d'\n";

static void check_by_stock_tools(struct world *w, const struct device *d, uint64_t number)
{
	_cleanup_(opened_done) struct opened opened = { 0 };
	_cleanup_(buf_done) struct buf snapshot = { 0 }, epoch = { 0 }, identity = { 0 }, expected = { 0 };
	_cleanup_(proc_result_done) struct proc_result ran = { 0 };
	const char *dir = test_folder();
	const char *const argv[] = { "sh", "-c", by_stock_tools, "sh", dir, NULL };
	struct open_wanted wanted = { d->d.id, number, 0 };
	struct error err = { 0 };

	CHECK_OK(opener_open(&opened, w->opener, &wanted, &err));
	put_full(&snapshot, d, number);
	put_full(&epoch, d, find_record(d, STATEMENT_EPOCH, statement_number(opened.st, "epoch")));
	write_seals(dir, buf_bytes(&snapshot));
	write_seals(dir, buf_bytes(&epoch));
	age_identity_text(&identity, &w->fleet.reader);
	write_in(dir, "reader.key", buf_bytes(&identity));
	CHECK_OK(proc_run(&ran, argv, (struct bytes){ 0 }, 60000, 4 << 20, &err));
	if (ran.status)
		fail_msg("stock tools: %s", buf_text(&ran.err));
	buf_add_bytes(&expected, buf_bytes(&opened.running));
	buf_add_str(&expected, "---\n");
	buf_add_bytes(&expected, buf_bytes(&opened.secrets));
	CHECK_EQ(ran.out.len, expected.len);
	assert_memory_equal(ran.out.ptr, expected.ptr, expected.len);
}

TEST(stock_age_and_zstd_open_the_same)
{
	_cleanup_(world_freep) struct world *w = world_new();
	_cleanup_(story_done) struct story story = { .seed = 3 };
	bool had_delta = false;

	for (int i = 0; i < 6; i++) {
		char *text;

		story_step(&story);
		text = story_text(&story);
		if (i == 3)
			new_epoch(w, &w->r2);
		snap(w, &w->r2, text, text);
		free(text);
		had_delta = had_delta || w->r2.chain.delta.is_there;
		new_opener(w);
		check_by_stock_tools(w, &w->r2, w->r2.chain.number);
	}
	CHECK(had_delta);
}

TEST(startup_is_told_apart_from_none_and_unknown)
{
	_cleanup_(world_freep) struct world *w = world_new();
	_cleanup_(opened_done) struct opened none = { 0 }, unknown = { 0 };
	struct look looks[] = { { first_text, NULL, SAVED_NO }, { first_text, first_text, SAVED_UNKNOWN } };
	struct open_wanted wanted = { .id = w->r1.d.id };
	struct error err = { 0 };

	wanted.number = snap_by(w, &w->r1, &looks[0], NULL);
	CHECK_OK(opener_open(&none, w->opener, &wanted, &err));
	CHECK_EQ(none.startup_is, STARTUP_NONE);
	wanted.number = snap_by(w, &w->r1, &looks[1], NULL);
	CHECK_OK(opener_open(&unknown, w->opener, &wanted, &err));
	CHECK_EQ(unknown.startup_is, STARTUP_UNKNOWN);
	CHECK_EQ(none.startup.len + unknown.startup.len, 0);
}

/* ---- who may read what ---- */

TEST(an_auditor_reads_bodies_and_no_secrets)
{
	_cleanup_(world_freep) struct world *w = world_new();
	_cleanup_(opened_done) struct opened opened = { 0 };
	_cleanup_(mask_done) struct mask mask = { .by = MASK_BY_TOKEN };
	_cleanup_(buf_done) struct buf numbered = { 0 }, masked = { 0 }, revealed = { 0 };
	struct open_wanted wanted = { .id = w->r1.d.id };
	struct error err = { 0 };

	w->key = &w->auditor;
	CHECK_OK(opener_open(&opened, w->opener, &wanted, &err));
	CHECK(!opened.has_secrets);
	CHECK_EQ(opened.secrets.len, 0);
	CHECK_OK(mask_number(&numbered, &mask, buf_bytes(&opened.running), buf_bytes(&opened.secrets), 0, &err));
	CHECK_OK(mask_show(&masked, &mask, buf_bytes(&numbered), false, false, false, &err));
	CHECK(strstr(buf_text(&masked), "ip route 10.9.0.0/24 Null0") && !strstr(buf_text(&masked), "horse"));
	CHECK_EQ(mask_show(&revealed, &mask, buf_bytes(&numbered), true, false, false, &err), E_DENIED);
}

TEST(a_stranger_to_the_epoch_is_denied)
{
	_cleanup_(world_freep) struct world *w = world_new();
	struct error err = { 0 };

	w->key = &w->stranger;
	CHECK_EQ(try_open(w, &w->r1, 0, 0, &err), E_DENIED);
	CHECK(strstr(err.text, "not sealed to your reading key"));
}

/* What a reader gives to the stranger: an identity, sealed to them. */
static void rewrap(struct world *w, const char *what, const struct age_identity *identity)
{
	_cleanup_(buf_done) struct buf line = { 0 };
	struct error err = { 0 };

	age_identity_text(&line, identity);
	buf_add_char(&line, '\n');
	CHECK_OK(seal_secret(lie(w, &w->r1, what), &w->stranger.pub, 1, buf_bytes(&line), &err));
}

TEST(who_came_later_reads_what_a_reader_rewrapped)
{
	_cleanup_(world_freep) struct world *w = world_new();
	_cleanup_(opener_freep) struct opener *readers = NULL;
	const struct age_identity *body, *secrets;
	struct open_wanted wanted = { .id = w->r1.d.id };
	_cleanup_(opened_done) struct opened first = { 0 }, second = { 0 };
	struct error err = { 0 };

	CHECK_OK(opener_epoch_keys(&body, &secrets, w->opener, w->r1.d.id, 1, &err));
	assert_non_null(secrets);
	readers = steal(w->opener); /* the keys live as long as it does */
	w->key = &w->stranger;
	rewrap(w, "epochs/1/body-key", body);
	CHECK_OK(opener_open(&first, w->opener, &wanted, &err));
	CHECK(!first.has_secrets);
	rewrap(w, "epochs/1/secrets-key", secrets);
	CHECK_OK(opener_open(&second, w->opener, &wanted, &err));
	CHECK(second.has_secrets && second.secrets.len);
}

TEST(a_rewrap_of_another_key_or_of_none_is_found_out)
{
	_cleanup_(world_freep) struct world *w = world_new();
	struct error err = { 0 };

	w->key = &w->stranger;
	rewrap(w, "epochs/1/body-key", &w->auditor);
	CHECK_EQ(try_open(w, &w->r1, 0, 0, &err), E_SEAL);
	CHECK(strstr(err.text, "another identity than the epoch names"));
	buf_truncate(&w->lies[0].answer, 0);
	buf_add_str(&w->lies[0].answer, "no age file\n");
	new_opener(w);
	CHECK_EQ(try_open(w, &w->r1, 0, 0, &err), E_SEAL);
	CHECK(strstr(err.text, "not an age file"));
}

TEST(a_shredded_epoch_is_said_plainly)
{
	_cleanup_(world_freep) struct world *w = world_new();

	lie(w, &w->r1, "epochs/1");
	w->lies[0].is_absent = true;
	check_refused(w, &w->r1, 0, 0, CLI_ABSENT, "shredded");
}

TEST(a_revision_that_is_not_there_is_absent)
{
	_cleanup_(world_freep) struct world *w = world_new();
	struct error err = { 0 };

	CHECK_EQ(try_open(w, &w->r1, 77, 0, &err), CLI_ABSENT);
	CHECK(strstr(err.text, "holdfast log r1"));
}

/* ---- lies about snapshots ---- */

TEST(an_old_snapshot_as_the_newest_is_found_out)
{
	_cleanup_(world_freep) struct world *w = world_new();

	put_full(lie(w, &w->r1, "snapshots/newest"), &w->r1, 3);
	check_refused(w, &w->r1, 0, 4, E_SEAL, "lists 4 as the newest");
}

TEST(another_number_than_asked_for_is_found_out)
{
	_cleanup_(world_freep) struct world *w = world_new();

	put_full(lie(w, &w->r1, "snapshots/3"), &w->r1, 4);
	check_refused(w, &w->r1, 3, 0, E_SEAL, "it is number 4");
}

TEST(the_snapshot_of_another_device_is_found_out)
{
	_cleanup_(world_freep) struct world *w = world_new();

	put_full(lie(w, &w->r1, "snapshots/3"), &w->r2, 3);
	check_refused(w, &w->r1, 3, 0, E_SEAL, "it is of device");
}

TEST(another_statement_than_a_snapshot_is_found_out)
{
	_cleanup_(world_freep) struct world *w = world_new();

	put_full(lie(w, &w->r1, "snapshots/3"), &w->r1, 2);
	check_refused(w, &w->r1, 3, 0, E_SEAL, "not one snapshot");
}

/* The container with its signature replaced by one of this key; NULL: none at all. */
static void sign_again(struct buf *out, struct bytes full, const struct sign_key *signer)
{
	_cleanup_(container_done) struct container c = { 0 };
	struct error err = { 0 };
	size_t used;

	CHECK_OK(container_parse(&c, full, CONTAINER_FULL, &used, &err));
	buf_add_bytes(out, statement_text(c.st));
	if (signer)
		CHECK_OK(statement_sign(out, signer, &err));
	for (size_t i = 0; i < c.count; i++)
		buf_add_bytes(out, c.seals[i]);
}

TEST(a_snapshot_signed_by_somebody_else_or_nobody_is_found_out)
{
	_cleanup_(world_freep) struct world *w = world_new();
	_cleanup_(buf_done) struct buf full = { 0 };

	put_full(&full, &w->r1, 3);
	sign_again(lie(w, &w->r1, "snapshots/3"), buf_bytes(&full), &w->r2.d.key);
	check_refused(w, &w->r1, 3, 0, E_SEAL, "snapshot");
	sign_again(lie(w, &w->r1, "snapshots/3"), buf_bytes(&full), &w->fleet.operator);
	check_refused(w, &w->r1, 3, 0, E_SEAL, "snapshot");
	sign_again(lie(w, &w->r1, "snapshots/3"), buf_bytes(&full), NULL);
	check_refused(w, &w->r1, 3, 0, E_SEAL, "snapshot");
}

/* One device may not serve two fleets with one key, and if it does, what it said in one is nothing in the other. */
TEST(a_snapshot_of_another_fleet_is_found_out)
{
	_cleanup_(world_freep) struct world *w = world_new();
	_cleanup_(buf_done) struct buf full = { 0 };
	uint8_t *at;

	put_full(&full, &w->r1, 3);
	at = memmem(full.ptr, full.len, w->fleet.id, ID_LEN);
	CHECK(at != NULL);
	memset(at, 'a', ID_LEN);
	sign_again(lie(w, &w->r1, "snapshots/3"), buf_bytes(&full), &w->r1.d.key);
	check_refused(w, &w->r1, 3, 0, E_SEAL, "it is of fleet");
}

TEST(a_changed_cut_or_longer_container_is_found_out)
{
	_cleanup_(world_freep) struct world *w = world_new();
	_cleanup_(buf_done) struct buf full = { 0 };
	struct buf *answer;

	put_full(&full, &w->r1, 4);
	for (size_t at = 0; at < full.len; at += 1 + full.len / 97) {
		struct error err = { 0 };

		answer = lie(w, &w->r1, "snapshots/4");
		buf_add_bytes(answer, buf_bytes(&full));
		answer->ptr[at] ^= 0x01;
		CHECK_EQ(try_open(w, &w->r1, 4, 0, &err), E_SEAL);
		forget_lies(w);
	}
	buf_add_bytes(lie(w, &w->r1, "snapshots/4"), bytes_of(full.ptr, full.len - 1));
	check_refused(w, &w->r1, 4, 0, E_SEAL, "cut short");
	answer = lie(w, &w->r1, "snapshots/4");
	buf_add_bytes(answer, buf_bytes(&full));
	buf_add_char(answer, '\n');
	check_refused(w, &w->r1, 4, 0, E_SEAL, "nothing else");
	lie(w, &w->r1, "snapshots/4"); /* an empty answer */
	check_refused(w, &w->r1, 4, 0, E_SEAL, "does not hold");
}

/* ---- lies about who it is ---- */

TEST(the_enrolment_of_another_device_is_found_out)
{
	_cleanup_(world_freep) struct world *w = world_new();

	buf_add_bytes(lie(w, &w->r1, "enrol"), buf_bytes(&w->r2.enrol));
	check_refused(w, &w->r1, 3, 0, E_SEAL, "enrolment");
}

TEST(an_admission_of_another_device_or_by_a_stranger_is_found_out)
{
	_cleanup_(world_freep) struct world *w = world_new();

	buf_add_bytes(lie(w, &w->r1, "admit"), buf_bytes(&w->r2.admit));
	check_refused(w, &w->r1, 3, 0, E_SEAL, "admission");
	sign_again(lie(w, &w->r1, "admit"), buf_bytes(&w->r1.admit), &w->r2.d.key);
	check_refused(w, &w->r1, 3, 0, E_SEAL, "admission");
	buf_add_bytes(lie(w, &w->r1, "admit"), buf_bytes(&w->r1.enrol));
	check_refused(w, &w->r1, 3, 0, E_SEAL, "admit");
}

TEST(a_device_that_is_not_admitted_is_absent)
{
	_cleanup_(world_freep) struct world *w = world_new();

	lie(w, &w->r1, "admit");
	w->lies[0].is_absent = true;
	check_refused(w, &w->r1, 3, 0, CLI_ABSENT, "not here");
}

TEST(a_name_that_leads_to_another_device_is_found_out)
{
	_cleanup_(world_freep) struct world *w = world_new();
	struct fleet_member member = { .is_admitted = true, .snapshot = 3, .name = "r1" };
	struct fleet_list list = { 1, &member };
	struct revision_ref ref = { .device = "r1" };
	_cleanup_(opened_done) struct opened opened = { 0 };
	struct error err = { 0 };

	snprintf(member.id, sizeof(member.id), "%s", w->r2.d.id); /* the server lists r2 as r1 */
	CHECK_EQ(fleet_open(&opened, w->opener, &list, &ref, &err), E_SEAL);
	CHECK(strstr(err.text, "admitted as 'r2'"));
	snprintf(member.id, sizeof(member.id), "%s", w->r1.d.id);
	CHECK_OK(fleet_open(&opened, w->opener, &list, &ref, &err));
}

TEST(an_admission_by_a_former_admin_counts_and_is_marked)
{
	_cleanup_(world_freep) struct world *w = world_new();
	const struct open_device *device;
	struct error err = { 0 };

	CHECK_OK(opener_device(&device, w->opener, w->r1.d.id, &err));
	CHECK(!device->is_by_old_root);
	CHECK_STR(device->admitted_by, "alice");
	make_root(w, 2);
	new_opener(w);
	CHECK_OK(opener_device(&device, w->opener, w->r1.d.id, &err));
	CHECK(device->is_by_old_root);
}

/* ---- lies about keys ---- */

TEST(the_epoch_of_another_number_or_device_is_found_out)
{
	_cleanup_(world_freep) struct world *w = world_new();
	uint64_t number;

	new_epoch(w, &w->r1);
	number = snap(w, &w->r1, first_text, first_text);
	put_full(lie(w, &w->r1, "epochs/1"), &w->r1, find_record(&w->r1, STATEMENT_EPOCH, 2));
	check_refused(w, &w->r1, 3, 0, E_SEAL, "it is epoch 2");
	put_full(lie(w, &w->r1, "epochs/2"), &w->r1, find_record(&w->r1, STATEMENT_EPOCH, 1));
	check_refused(w, &w->r1, number, 0, E_SEAL, "it is epoch 1");
	put_full(lie(w, &w->r1, "epochs/1"), &w->r2, 2);
	check_refused(w, &w->r1, 3, 0, E_SEAL, "it is of device");
}

TEST(an_epoch_that_the_device_did_not_sign_is_found_out)
{
	_cleanup_(world_freep) struct world *w = world_new();
	_cleanup_(buf_done) struct buf full = { 0 };

	put_full(&full, &w->r1, 2);
	sign_again(lie(w, &w->r1, "epochs/1"), buf_bytes(&full), &w->r2.d.key);
	check_refused(w, &w->r1, 3, 0, E_SEAL, "epochs/1");
	sign_again(lie(w, &w->r1, "epochs/1"), buf_bytes(&full), NULL);
	check_refused(w, &w->r1, 3, 0, E_SEAL, "epochs/1");
}

TEST(a_snapshot_from_before_its_epoch_is_found_out)
{
	_cleanup_(world_freep) struct world *w = world_new();
	struct device_facts facts = { 0 };
	struct snapshot_input in = {
		.reason = "change", .driver = &driver_frr, .saved = SAVED_NO, .mode = "observe", .note = "", .facts = &facts,
	};
	struct snapshot_by by = by_of(w, &w->r1);
	struct chain c = { 0 };
	struct error err = { 0 };

	chain_copy(&c, &w->r1.chain);
	CHECK_OK(epoch_make(&c, &by, &err)); /* number 5 */
	buf_add_bytes(lie(w, &w->r1, "epochs/2"), buf_bytes(&c.newest));
	c.number = 2;
	CHECK_OK(snapshot_make(&c, &in, &by, &err)); /* number 3, of epoch 2 */
	buf_add_bytes(lie(w, &w->r1, "snapshots/3"), buf_bytes(&c.newest));
	chain_done(&c);
	check_refused(w, &w->r1, 3, 0, E_SEAL, "its epoch began after it");
}

/* An epoch as the device might sign it with another identity sealed than the one it names. */
static void make_false_epoch(struct buf *out, const struct world *w)
{
	_cleanup_(container_done) struct container c = { 0 };
	_cleanup_(buf_done) struct buf full = { 0 }, line = { 0 }, seal = { 0 }, text = { 0 };
	_cleanup_(age_identity_done) struct age_identity other = { 0 };
	struct bytes rest, at;
	struct error err = { 0 };
	size_t used;

	put_full(&full, &w->r1, 2);
	CHECK_OK(container_parse(&c, buf_bytes(&full), CONTAINER_FULL, &used, &err));
	age_identity_new(&other);
	age_identity_text(&line, &other);
	buf_add_char(&line, '\n');
	CHECK_OK(seal_secret(&seal, &w->fleet.reader.pub, 1, buf_bytes(&line), &err));
	rest = statement_text(c.st);
	while (bytes_next_line(&rest, &at)) {
		if (at.len > 9 && !memcmp(at.ptr, "body-key:", 9))
			statement_add_seal(&text, "body-key", 2, buf_bytes(&seal));
		else
			buf_addf(&text, "%.*s\n", (int)at.len, (const char *)at.ptr);
	}
	CHECK_OK(statement_sign(&text, &w->r1.d.key, &err));
	buf_add_bytes(out, buf_bytes(&text));
	buf_add_bytes(out, buf_bytes(&seal));
	buf_add_bytes(out, container_seal(&c, "secrets-key"));
}

TEST(an_epoch_that_holds_another_key_than_it_names_is_found_out)
{
	_cleanup_(world_freep) struct world *w = world_new();

	make_false_epoch(lie(w, &w->r1, "epochs/1"), w);
	check_refused(w, &w->r1, 3, 0, E_SEAL, "another identity than the epoch names");
}

/* ---- lies about the history ---- */

TEST(a_device_that_knows_a_newer_root_gives_the_server_away)
{
	_cleanup_(world_freep) struct world *w = world_new();
	struct snapshot_by by = by_of(w, &w->r1);
	struct look look = { first_text, first_text, SAVED_YES };
	struct error err = { 0 };
	uint64_t number;

	make_root(w, 2);
	by.root = w->roots[1];
	number = snap_by(w, &w->r1, &look, &by);
	w->root_count = 1; /* the operator is shown root 1 only */
	new_opener(w);
	CHECK_EQ(try_open(w, &w->r1, number, 0, &err), E_SEAL);
	CHECK(strstr(err.text, "knows root 2"));
	w->root_count = 2;
	new_opener(w);
	CHECK_OK(try_open(w, &w->r1, number, 0, &err));
}

/* A checkpoint of a log that the operator is not shown, signed by the archive all the same. */
static void other_log(struct statement **out, const struct world *w, uint64_t size)
{
	sign_checkpoint(out, w, size, tree_of(w, size / 2)); /* no tree of this size */
}

static uint64_t snap_after(struct world *w, const struct statement *checkpoint)
{
	struct snapshot_by by = by_of(w, &w->r1);
	struct look look = { second_text, first_text, SAVED_NO };

	by.checkpoint = checkpoint;
	return snap_by(w, &w->r1, &look, &by);
}

TEST(a_device_that_was_shown_another_log_gives_the_server_away)
{
	_cleanup_(world_freep) struct world *w = world_new();

	for (int i = 0; i < 4; i++) {
		/* the snapshot itself is logged next: the last one is as long as ours then */
		uint64_t sizes[] = { 1, 3, w->log_size, w->log_size + 1 };
		_cleanup_(statement_freep) struct statement *other = NULL;
		struct error err = { 0 };
		uint64_t number;

		other_log(&other, w, sizes[i]);
		number = snap_after(w, other);
		new_opener(w);
		CHECK_EQ(try_open(w, &w->r1, number, 0, &err), E_SEAL);
		CHECK(strstr(err.text, "shown another log"));
		CHECK(!strstr(err.text, "two logs") == (i != 3));
		CHECK_OK(try_open(w, &w->r1, 4, 0, &err));
	}
}

TEST(another_log_is_not_taken_for_the_one_that_grew)
{
	_cleanup_(world_freep) struct world *w = world_new();
	_cleanup_(statement_freep) struct statement *other = NULL;
	_cleanup_(buf_done) struct buf forged = { 0 };
	struct error err = { 0 };
	uint64_t number;

	other_log(&other, w, w->log_size + 9);
	number = snap_after(w, other);
	buf_add_bytes(lie_at(w, "/v1/checkpoint"), statement_whole(other)); /* server and device agree, and we hold another one */
	CHECK_EQ(try_open(w, &w->r1, number, 0, &err), E_SEAL);
	forget_lies(w);
	buf_add_bytes(&forged, statement_text(other));
	CHECK_OK(statement_sign(&forged, &w->r2.d.key, &err));
	buf_add_bytes(lie_at(w, "/v1/checkpoint"), buf_bytes(&forged));
	CHECK_EQ(try_open(w, &w->r1, number, 0, &err), E_SEAL);
	CHECK(strstr(err.text, "archive key"));
	forget_lies(w);
	statement_free(other);
	other = NULL;
	sign_checkpoint(&other, w, 2, tree_of(w, 2));
	buf_add_bytes(lie_at(w, "/v1/checkpoint"), statement_whole(other));
	CHECK_EQ(try_open(w, &w->r1, number, 0, &err), E_SEAL);
	CHECK(strstr(err.text, "the log has 2 statements, and had"));
}

TEST(a_log_that_is_kept_from_us_is_found_out_and_one_that_grew_is_not_feared)
{
	_cleanup_(world_freep) struct world *w = world_new();
	_cleanup_(statement_freep) struct statement *old = NULL;
	uint64_t number;
	struct error err = { 0 };

	CHECK_OK(statement_parse(&old, statement_whole(w->checkpoint), false, &(size_t){ 0 }, &err));
	new_opener(w); /* holds the log as it is now */
	snap(w, &w->r2, second_text, second_text);
	number = snap(w, &w->r1, first_text, first_text); /* saw the one after */
	CHECK_OK(try_open(w, &w->r1, number, 0, &err));
	new_opener(w);
	statement_free(w->checkpoint);
	w->checkpoint = steal(old); /* and now the server goes back */
	new_opener(w);
	CHECK_EQ(try_open(w, &w->r1, number, 0, &err), E_SEAL);
	CHECK(strstr(err.text, "hides some from us"));
}

TEST(a_server_that_does_not_prove_the_log_is_not_believed)
{
	_cleanup_(world_freep) struct world *w = world_new();
	static const char *const answers[] = { "{\"proof\": []}", "{\"proof\": [\"00\"]}", "{\"proof\": 1}", "[]", "", "nonsense" };
	_cleanup_(opened_done) struct opened opened = { 0 };
	struct open_wanted wanted = { .id = w->r1.d.id, .number = 4 };
	struct error err = { 0 };
	uint64_t saw;
	uint8_t tree[HASH_LEN];

	CHECK_OK(opener_open(&opened, w->opener, &wanted, &err));
	CHECK(statement_get_point(&saw, tree, opened.st, "checkpoint"));
	for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
		_cleanup_(mem_freep) char *path =
			mem_printf("/v1/consistency?from=%llu&to=%llu", (unsigned long long)saw, (unsigned long long)w->log_size);

		buf_add_str(lie_at(w, path), answers[i]);
		check_refused(w, &w->r1, 4, 0, E_SEAL, "the device was shown another log than we are");
	}
}

/* ---- verdicts ---- */

static uint64_t judge(struct world *w, struct device *d, const char *findings)
{
	static const uint8_t leaf[HASH_LEN] = { 7 };
	struct snapshot_by by = by_of(w, d);
	struct verdict_sum sum = { .counts = { [STANDING_PASS] = 2, [STANDING_FAIL] = 1 } };
	struct verdict_input in = { .order = 5, .leaf = leaf, .sum = &sum };
	struct error err = { 0 };

	buf_add_str(&sum.findings, findings);
	must(verdict_make(&d->chain, &in, &by, &err), &err);
	verdict_sum_done(&sum);
	keep(w, d, d->chain.number, buf_bytes(&d->chain.newest));
	return d->chain.number;
}

static int try_verdict(struct world *w, const struct device *d, uint64_t number, uint64_t at_least, bool with_findings, struct error *err)
{
	_cleanup_(opened_done) struct opened v = { 0 };
	struct open_wanted wanted = { d->d.id, number, at_least };

	*err = (struct error){ 0 };
	return opener_verdict(&v, w->opener, &wanted, with_findings, err);
}

static void check_verdict_refused(struct world *w, const struct device *d, uint64_t number, uint64_t at_least, const char *says)
{
	struct error err = { 0 };

	CHECK_EQ(try_verdict(w, d, number, at_least, true, &err), E_SEAL);
	if (!strstr(err.text, says))
		fail_msg("'%s' does not say '%s'", err.text, says);
	forget_lies(w);
	CHECK_OK(try_verdict(w, d, number, 0, true, &err));
}

TEST(a_verdict_opens_to_what_the_device_found)
{
	_cleanup_(world_freep) struct world *w = world_new();
	_cleanup_(opened_done) struct opened v = { 0 };
	struct open_wanted wanted = { .id = w->r1.d.id };
	struct error err = { 0 };
	uint64_t number;

	CHECK_EQ(try_verdict(w, &w->r1, 0, 0, true, &err), CLI_ABSENT);
	judge(w, &w->r1, "p one fail\n\t3 config: 'x' is there\n");
	number = judge(w, &w->r1, "p one pass\n");
	new_opener(w);
	CHECK_OK(opener_verdict(&v, w->opener, &wanted, true, &err));
	CHECK_EQ(statement_number(v.st, "number"), number);
	CHECK_EQ(statement_number(v.st, "fail"), 1);
	CHECK_BYTES(buf_bytes(&v.findings), "p one pass\n");
	CHECK_EQ(try_verdict(w, &w->r1, number + 1, 0, true, &err), CLI_ABSENT);
}

TEST(an_auditor_opens_findings_and_a_stranger_counts_only)
{
	_cleanup_(world_freep) struct world *w = world_new();
	struct error err = { 0 };

	judge(w, &w->r1, "p one pass\n");
	w->key = &w->auditor;
	new_opener(w);
	CHECK_OK(try_verdict(w, &w->r1, 0, 0, true, &err));
	w->key = &w->stranger;
	new_opener(w);
	CHECK_EQ(try_verdict(w, &w->r1, 0, 0, true, &err), E_DENIED);
	CHECK_OK(try_verdict(w, &w->r1, 0, 0, false, &err));
}

TEST(a_verdict_that_is_not_the_one_is_found_out)
{
	_cleanup_(world_freep) struct world *w = world_new();
	_cleanup_(buf_done) struct buf full = { 0 };
	char first[32];
	uint64_t old = judge(w, &w->r1, "p one fail\n"), newest = judge(w, &w->r1, "p one pass\n");

	judge(w, &w->r2, "p one pass\n");
	put_full(&full, &w->r1, old);
	snprintf(first, sizeof(first), "verdicts/%llu", (unsigned long long)old);
	put_full(lie(w, &w->r1, "verdict"), &w->r1, old);
	check_verdict_refused(w, &w->r1, 0, newest, "as the newest");
	put_full(lie(w, &w->r1, "verdict"), &w->r2, w->r2.chain.number);
	check_verdict_refused(w, &w->r1, 0, 0, "it is of device");
	put_full(lie(w, &w->r1, "verdict"), &w->r1, 3);
	check_verdict_refused(w, &w->r1, 0, 0, "not one verdict");
	put_full(lie(w, &w->r1, first), &w->r1, newest);
	check_verdict_refused(w, &w->r1, old, 0, "it is number");
	sign_again(lie(w, &w->r1, "verdict"), buf_bytes(&full), &w->r2.d.key);
	check_verdict_refused(w, &w->r1, 0, 0, "verdict");
	buf_add_bytes(lie(w, &w->r1, "verdict"), buf_bytes(&full));
	w->lies[0].answer.ptr[full.len - 1] ^= 1; /* in what is sealed */
	check_verdict_refused(w, &w->r1, 0, 0, "verdict");
}
