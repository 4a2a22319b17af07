/* tests/unit/test-cli-open.c -- what an agent seals, an operator opens, to what the device had.
 *
 * Some snapshots are opened once more by stock age and zstd, which judge both sides. */
#include "tests/test.h"
#include "tests/unit/liar.h"

#include "base/fs.h"
#include "base/proc.h"
#include "cli/mask.h"

#include <stdio.h>
#include <stdlib.h>

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
