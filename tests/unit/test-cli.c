/* tests/unit/test-cli.c -- the operator's command: its line, its table, selectors, what is shown, the folder, the strings that travel. */
#include "tests/test.h"

#include "base/clock.h"
#include "base/fs.h"
#include "cli/commands.h"
#include "cli/enrolment.h"
#include "cli/home.h"
#include "cli/mask.h"
#include "cli/output.h"
#include "cli/select.h"
#include "cli/signers.h"
#include "cli/tickets.h"
#include "tests/fleet.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

/* ---- the command line ---- */

static const struct option_def options[] = {
	{ "name", 'n', "NAME", "", false },
	{ "label", 0, "LABEL", "", true },
	{ "all", 'a', NULL, "", false },
	{ 0 },
};

static int parse(struct args *out, struct error *err, int argc, const char *const argv[])
{
	return args_parse(out, argc, (char **)(uintptr_t)argv, options, global_options, err);
}
#define PARSE(...) parse(args, &err, (int)(sizeof((const char *[]){ __VA_ARGS__ }) / sizeof(char *)), (const char *[]){ __VA_ARGS__ })

TEST(options_may_stand_anywhere_and_values_keep_their_order)
{
	_cleanup_(mem_freep) struct args *args = mem_alloc(sizeof(*args));
	struct error err = { 0 };

	CHECK_OK(PARSE("r1", "--name", "x", "r2", "--label=a:b", "-a", "--label", "c:d", "--json", "-"));
	CHECK_EQ(args->count, 3);
	CHECK_STR(args->value[0], "r1");
	CHECK_STR(args->value[1], "r2");
	CHECK_STR(args->value[2], "-");
	CHECK_STR(args_get(args, "name"), "x");
	CHECK_STR(args_at(args, "label", 0), "a:b");
	CHECK_STR(args_at(args, "label", 1), "c:d");
	CHECK(!args_at(args, "label", 2));
	CHECK(args_has(args, "all") && args_has(args, "json") && !args_has(args, "home"));
}

TEST(nothing_is_an_option_behind_two_dashes)
{
	_cleanup_(mem_freep) struct args *args = mem_alloc(sizeof(*args));
	struct error err = { 0 };

	CHECK_OK(PARSE("--name", "--all", "--", "--all", "--", "-n"));
	CHECK_STR(args_get(args, "name"), "--all");
	CHECK(!args_has(args, "all"));
	CHECK_EQ(args->count, 3);
	CHECK_STR(args->value[1], "--");
}

TEST(a_wrong_option_is_a_usage_error_that_names_it)
{
	_cleanup_(mem_freep) struct args *args = mem_alloc(sizeof(*args));
	struct error err = { 0 };

	CHECK_EQ(PARSE("--nam", "x"), CLI_USAGE);
	CHECK(strstr(err.text, "'--nam'") != NULL);
	CHECK_EQ(PARSE("--name=x", "--name", "y"), CLI_USAGE);
	CHECK(strstr(err.text, "twice") != NULL);
	CHECK_EQ(PARSE("--all=yes"), CLI_USAGE);
	CHECK_EQ(PARSE("--name"), CLI_USAGE);
	CHECK_EQ(PARSE("-an"), CLI_USAGE);
	CHECK_EQ(PARSE("-x"), CLI_USAGE);
}

TEST(arguments_without_end_are_refused)
{
	_cleanup_(mem_freep) struct args *args = mem_alloc(sizeof(*args));
	const char *many[ARGS_MAX + 1];
	struct error err = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(many); i++)
		many[i] = "x";
	CHECK_EQ(parse(args, &err, ARGS_MAX, many), 0);
	CHECK_EQ(parse(args, &err, ARGS_MAX + 1, many), CLI_USAGE);
	for (size_t i = 0; i < ARRAY_SIZE(many); i++)
		many[i] = "--label=a:b";
	CHECK_EQ(parse(args, &err, ARGS_MAX + 1, many), CLI_USAGE);
}

TEST(durations_have_a_unit_and_an_end)
{
	static const char *const bad[] = { "", "s", "0s", "-1s", "1", "1w", "1.5h", "01m", "99999999999999d", " 1s" };
	struct error err = { 0 };
	int64_t s = 0;

	CHECK_OK(args_duration(&s, "90s", &err));
	CHECK_EQ(s, 90);
	CHECK_OK(args_duration(&s, "15m", &err));
	CHECK_EQ(s, 900);
	CHECK_OK(args_duration(&s, "2h", &err));
	CHECK_EQ(s, 7200);
	CHECK_OK(args_duration(&s, "3d", &err));
	CHECK_EQ(s, 259200);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		CHECK_EQ(args_duration(&s, bad[i], &err), CLI_USAGE);
}

TEST(a_secret_string_as_an_argument_is_refused)
{
	struct error err = { 0 };

	CHECK_EQ(args_no_literal("holdfast-setup:1:x", &err), CLI_USAGE);
	CHECK_EQ(args_no_literal("holdfast-invite:1:x", &err), CLI_USAGE);
	CHECK_OK(args_no_literal("setup.txt", &err));
}

TEST(names_and_labels_have_the_form_of_statements)
{
	static const char *const bad_names[] = { "",    ".a",  "-a", "A",
						 "a b", "a:b", "ä",  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" };
	static const char *const bad_labels[] = { "", "site", "site:", ":north", "site:north:x", "Site:north", "site:a b" };
	struct error err = { 0 };

	CHECK_OK(args_check_name("name", "r1", &err));
	CHECK_OK(args_check_name("name", "1.a_b-c", &err));
	CHECK_OK(args_check_label("site:north-1", &err));
	for (size_t i = 0; i < ARRAY_SIZE(bad_names); i++)
		CHECK_EQ(args_check_name("name", bad_names[i], &err), CLI_USAGE);
	for (size_t i = 0; i < ARRAY_SIZE(bad_labels); i++)
		CHECK_EQ(args_check_label(bad_labels[i], &err), CLI_USAGE);
}

/* ---- the table ---- */

static int find(const struct command **out, int *words, const char *first, const char *second, struct error *err)
{
	char *argv[] = { (char *)(uintptr_t)first, (char *)(uintptr_t)second };

	return command_find(out, words, second ? 2 : 1, argv, err);
}

TEST(every_command_is_found_by_its_own_name_and_has_help)
{
	struct error err = { 0 };

	for (size_t i = 0; i < command_count; i++) {
		_cleanup_(buf_done) struct buf text = { 0 };
		const struct command *found = NULL;
		int words = 0;

		CHECK_OK(find(&found, &words, commands[i].noun, commands[i].verb, &err));
		CHECK(found == &commands[i]);
		CHECK_EQ(words, commands[i].verb ? 2 : 1);
		CHECK(commands[i].help[0] && commands[i].synopsis && commands[i].min <= commands[i].max);
		help_command(&text, found);
		for (const struct option_def *o = found->options; o && o->name; o++)
			CHECK(strstr(buf_text(&text), o->name) && o->help[0]);
	}
}

TEST(no_two_commands_and_no_two_options_share_a_name)
{
	for (size_t i = 0; i < command_count; i++) {
		const struct command *c = &commands[i];

		for (size_t k = 0; k < i; k++)
			CHECK(strcmp(c->noun, commands[k].noun) != 0 ||
			      (c->verb && commands[k].verb && strcmp(c->verb, commands[k].verb) != 0));
		for (const struct option_def *o = c->options; o && o->name; o++) {
			for (const struct option_def *g = global_options; g->name; g++)
				CHECK(strcmp(o->name, g->name) != 0 && (!o->letter || o->letter != g->letter));
			for (const struct option_def *p = c->options; p != o; p++)
				CHECK(strcmp(o->name, p->name) != 0 && (!o->letter || o->letter != p->letter));
		}
	}
}

TEST(a_slip_of_the_finger_is_answered_with_the_nearest_command)
{
	const struct command *found = NULL;
	struct error err = { 0 };
	int words;

	CHECK_EQ(find(&found, &words, "statsu", NULL, &err), CLI_USAGE);
	CHECK(strstr(err.text, "did you mean 'status'?") != NULL);
	CHECK_EQ(find(&found, &words, "device", "lits", &err), CLI_USAGE);
	CHECK(strstr(err.text, "did you mean 'device list'?") != NULL);
	CHECK_EQ(find(&found, &words, "device", NULL, &err), CLI_USAGE);
	CHECK(strstr(err.text, "needs a verb") != NULL);
	CHECK_EQ(find(&found, &words, "xyzzy", NULL, &err), CLI_USAGE);
	CHECK(!strstr(err.text, "did you mean"));
	CHECK(!found);
	CHECK_EQ(command_distance("diff", "dfif"), 1);
	CHECK_EQ(command_distance("log", "log"), 0);
	CHECK_EQ(command_distance("", "log"), 3);
}

TEST(completion_and_man_page_know_every_command_and_option)
{
	static const char *const shells[] = { "bash", "zsh", "fish" };
	_cleanup_(buf_done) struct buf man = { 0 }, none = { 0 };
	struct error err = { 0 };

	help_man(&man);
	for (size_t s = 0; s < ARRAY_SIZE(shells); s++) {
		_cleanup_(buf_done) struct buf text = { 0 };

		CHECK_OK(completion(&text, shells[s], &err));
		for (size_t i = 0; i < command_count; i++) {
			char name[64];

			command_name(name, &commands[i]);
			CHECK(strstr(buf_text(&man), name) && strstr(buf_text(&text), commands[i].noun));
			CHECK(!commands[i].verb || strstr(buf_text(&text), commands[i].verb));
			for (const struct option_def *o = commands[i].options; o && o->name; o++)
				CHECK(strstr(buf_text(&man), o->name) && strstr(buf_text(&text), o->name));
		}
	}
	CHECK_EQ(completion(&none, "csh", &err), CLI_USAGE);
}

/* Help may hold quotes of its own. */
TEST(every_quote_of_a_completion_is_closed_on_its_line)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	struct error err = { 0 };
	struct bytes rest, line;

	CHECK_OK(completion(&text, "fish", &err));
	for (rest = buf_bytes(&text); bytes_next_line(&rest, &line);) {
		bool is_open = false;

		for (size_t i = 0; i < line.len; i++) {
			if (is_open && line.ptr[i] == '\\')
				i++;
			else if (line.ptr[i] == '\'')
				is_open = !is_open;
		}
		CHECK(!is_open);
	}
}

TEST(each_failure_has_the_exit_status_that_the_manual_gives)
{
	static const struct {
		int code, status;
	} expected[] = {
		{ CLI_USAGE, 2 }, { E_SYS, 3 },      { E_FORMAT, 3 },     { E_LIMIT, 3 }, { E_PEER, 3 },      { CLI_LOGIN, 4 },
		{ E_DENIED, 5 },  { CLI_ABSENT, 6 }, { CLI_CONFLICT, 7 }, { E_SEAL, 8 },  { CLI_PARTIAL, 9 }, { CLI_UNREACHED, 10 }
	};

	for (size_t i = 0; i < ARRAY_SIZE(expected); i++)
		CHECK_EQ(cli_exit_status(expected[i].code), expected[i].status);
}

/* ---- selectors ---- */

static bool selects(const char *a, const char *b, const char *c)
{
	const char *terms[] = { a, b, c };

	return select_matches(terms, (a != NULL) + (b != NULL) + (c != NULL), "k3v7qzabcdefghijklmnopqrst", "r1", "site:north role:ring");
}

TEST(selectors_mean_what_their_page_says)
{
	CHECK(selects(NULL, NULL, NULL));
	CHECK(selects("r1", NULL, NULL) && selects("r*", NULL, NULL) && selects("r[12]", NULL, NULL));
	CHECK(!selects("r2", NULL, NULL) && !selects("R1", NULL, NULL) && !selects("", NULL, NULL));
	CHECK(selects("k3v7qz", NULL, NULL) && !selects("k3v7q", NULL, NULL)); /* six at least */
	CHECK(selects("site:north", NULL, NULL) && selects("site:*", NULL, NULL) && selects("*:ring", NULL, NULL));
	CHECK(!selects("site:south", NULL, NULL) && !selects("site:nort", NULL, NULL));
	CHECK(selects("site:north", "role:ring", NULL) && !selects("site:north", "role:core", NULL)); /* every label */
	CHECK(selects("r2", "r1", NULL));                                                             /* any name */
	CHECK(!selects("r2", "site:north", NULL));
	CHECK(!selects("!r1", NULL, NULL) && !selects("!role:ring", "r1", NULL) && selects("!r2", NULL, NULL));
	CHECK(selects("site:north", "!role:lab", "r1"));
}

TEST(a_device_without_a_name_is_found_by_id_and_not_by_a_pattern)
{
	const char *any[] = { "*" }, *id[] = { "k3v7qzabcdefghijklmnopqrst" };

	CHECK(!select_matches(any, 1, "k3v7qzabcdefghijklmnopqrst", "", ""));
	CHECK(select_matches(id, 1, "k3v7qzabcdefghijklmnopqrst", "", ""));
}

TEST(a_revision_is_a_device_and_a_number)
{
	struct revision_ref ref;
	struct error err = { 0 };

	CHECK_OK(select_revision(&ref, "r1", &err));
	CHECK(!ref.is_given && ref.number == SELECT_NEWEST && !strcmp(ref.device, "r1"));
	CHECK_OK(select_revision(&ref, "r1@newest", &err));
	CHECK(ref.is_given && ref.number == SELECT_NEWEST);
	CHECK_OK(select_revision(&ref, "r1@17", &err));
	CHECK_EQ(ref.number, 17);
	CHECK_EQ(select_revision(&ref, "@3", &err), E_FORMAT);
	CHECK_EQ(select_revision(&ref, "r1@", &err), E_FORMAT);
	CHECK_EQ(select_revision(&ref, "r1@0", &err), E_FORMAT);
	CHECK_EQ(select_revision(&ref, "r1@-1", &err), E_FORMAT);
	CHECK_EQ(select_revision(&ref, "r1@3x", &err), E_FORMAT);
}

/* ---- secrets ---- */

#define T1 "{{secret 0000000000000001}}"
#define T2 "{{secret 0000000000000002}}"
#define DOTS "••••••••"

static void show(struct buf *out, enum mask_by by, const char *old_text, const char *new_text, const char *secrets, bool reveal,
		 bool compared)
{
	struct mask mask = { .by = by };
	struct buf a = { 0 }, b = { 0 };
	struct error err = { 0 };

	CHECK_OK(mask_number(&a, &mask, bytes_str(old_text), bytes_str(secrets), 0, &err));
	CHECK_OK(mask_number(&b, &mask, bytes_str(new_text), bytes_str(secrets), 1, &err));
	CHECK_OK(mask_show(out, &mask, buf_bytes(&b), reveal, compared, false, &err));
	buf_done(&a);
	buf_done(&b);
	mask_done(&mask);
}

TEST(a_secret_is_dots_unless_it_is_to_be_revealed)
{
	_cleanup_(buf_done) struct buf masked = { 0 }, revealed = { 0 };

	show(&masked, MASK_BY_TOKEN, "", "password " T1 "\n", "0000000000000001 aHVudGVyMg==\n", false, false);
	CHECK_BYTES(buf_bytes(&masked), "password " DOTS "\n");
	show(&revealed, MASK_BY_TOKEN, "", "password " T1 "\n", "0000000000000001 aHVudGVyMg==\n", true, false);
	CHECK_BYTES(buf_bytes(&revealed), "password hunter2\n");
}

TEST(a_secret_that_changed_is_told_from_one_that_did_not)
{
	_cleanup_(buf_done) struct buf same = { 0 }, changed = { 0 }, unknown = { 0 };

	show(&same, MASK_BY_TOKEN, T1, T1, "", false, true);
	CHECK_BYTES(buf_bytes(&same), DOTS);
	show(&changed, MASK_BY_TOKEN, T1, T2, "", false, true);
	CHECK_BYTES(buf_bytes(&changed), DOTS "(changed)");
	show(&unknown, MASK_NOT_COMPARED, T1, T2, "", false, true);
	CHECK_BYTES(buf_bytes(&unknown), DOTS);
}

TEST(secrets_of_two_epochs_are_compared_by_value)
{
	_cleanup_(buf_done) struct buf same = { 0 }, changed = { 0 };

	show(&same, MASK_BY_VALUE, T1, T2, "0000000000000001 YQ==\n0000000000000002 YQ==\n", false, true);
	CHECK_BYTES(buf_bytes(&same), DOTS);
	show(&changed, MASK_BY_VALUE, T1, T2, "0000000000000001 YQ==\n0000000000000002 Yg==\n", false, true);
	CHECK_BYTES(buf_bytes(&changed), DOTS "(changed)");
}

TEST(a_secret_that_cannot_be_opened_is_never_revealed_as_something_else)
{
	struct mask mask = { 0 };
	struct buf text = { 0 }, out = { 0 };
	struct error err = { 0 };

	CHECK_OK(mask_number(&text, &mask, bytes_str("a " T1 " b"), (struct bytes){ 0 }, 0, &err));
	CHECK_EQ(mask_show(&out, &mask, buf_bytes(&text), true, false, false, &err), E_DENIED);
	buf_done(&out);
	buf_done(&text);
	mask_done(&mask);
}

TEST(what_only_resembles_a_token_stays_as_it_is)
{
	static const char text[] = "{{secret}} {{secret 00000000000000zz}} {{secret 0000000000000001} { {{ {{secret 000000000000001";
	_cleanup_(buf_done) struct buf out = { 0 };

	show(&out, MASK_BY_TOKEN, "", text, "", false, true);
	CHECK_BYTES(buf_bytes(&out), text);
}

/* ---- what is shown ---- */

TEST(text_of_others_cannot_drive_a_terminal_or_turn_a_line_around)
{
	_cleanup_(buf_done) struct buf out = { 0 }, lines = { 0 };

	output_clean(&out,
		     bytes_str("a\x1b[2J\x07\r\n\tb\x7f\xc2\x9b"
			       "31m\xff\xc0\xaf\xe2\x80\xae"
			       "c\xed\xa0\x80 grün €"),
		     false);
	CHECK_BYTES(buf_bytes(&out), "a?[2J?"
				     "???b??31m????c??? grün €");
	output_clean(&lines, bytes_str("a\tb\nc\r"), true);
	CHECK_BYTES(buf_bytes(&lines), "a\tb\nc?");
}

TEST(a_table_is_aligned_for_people_and_tab_separated_for_scripts)
{
	static const char *const heads[] = { "NAME", "STATE" };
	_cleanup_(buf_done) struct buf people = { 0 }, scripts = { 0 };
	struct table table;

	table_init(&table, 2, heads);
	table_add(&table, (const char *const[]){ "r1", "saved" });
	table_add(&table, (const char *const[]){ "größe\t9", NULL });
	table_text(&people, &table, true);
	table_text(&scripts, &table, false);
	table_done(&table);
	CHECK_BYTES(buf_bytes(&people), "NAME     STATE\nr1       saved\ngröße?9  -\n");
	CHECK_BYTES(buf_bytes(&scripts), "r1\tsaved\ngröße?9\t-\n");
}

/* ---- the folder ---- */

static const uint8_t pin[32] = { 7 };

static struct home *open_home(const char *dir)
{
	struct home *home = NULL;
	struct error err = { 0 };

	CHECK_OK(home_open(&home, dir, &err));
	return home;
}

static void make_home(const char *dir, const struct fleet *fleet)
{
	struct home_making m = { dir, fleet->id, "alice", "localhost:8443", pin, buf_bytes(&fleet->root) };
	struct error err = { 0 };

	CHECK_OK(home_create(&m, &err));
}

static struct statement *parsed(const struct buf *text)
{
	struct statement *st = NULL;
	struct error err = { 0 };

	CHECK_OK(statement_parse(&st, buf_bytes(text), false, NULL, &err));
	return st;
}

static struct statement *checkpoint(const struct fleet *fleet, const struct sign_key *key, unsigned size, uint8_t tree)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	uint8_t hash[HASH_LEN] = { tree };
	struct error err = { 0 };

	statement_begin(&text, STATEMENT_CHECKPOINT);
	statement_add(&text, "fleet", "%s", fleet->id);
	statement_add(&text, "size", "%u", size);
	statement_add_hash(&text, "tree", hash);
	statement_add(&text, "root", "1");
	statement_add_time(&text, "time", clock_now_s());
	CHECK_OK(statement_sign(&text, key, &err));
	return parsed(&text);
}

static char commit_a[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", commit_b[] = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

static void read_file(struct buf *out, const char *dir, const char *name)
{
	_cleanup_(mem_freep) char *path = mem_printf("%s/%s", dir, name);
	struct error err = { 0 };

	CHECK_OK(fs_read(out, path, 1 << 20, &err));
}

TEST(a_home_comes_back_as_it_was_made)
{
	const char *dir = test_folder();
	struct fleet fleet;
	struct home *home;

	fleet_init(&fleet);
	CHECK(!home_exists(dir));
	make_home(dir, &fleet);
	CHECK(home_exists(dir));
	home = open_home(dir);
	CHECK_STR(home->fleet, fleet.id);
	CHECK_STR(home->person, "alice");
	CHECK_STR(home->address, "localhost:8443");
	CHECK(!memcmp(home->pin, pin, sizeof(pin)));
	CHECK(root_version(home->root) == 1 && home->root_count == 1 && home->roots[0] == home->root);
	CHECK(!home->checkpoint && !home->commit[0]);
	home_free(home);
	fleet_done(&fleet);
}

TEST(a_folder_that_is_none_or_was_changed_is_refused)
{
	const char *dir = test_folder();
	_cleanup_(mem_freep) char *fleet_file = mem_printf("%s/fleet", dir), *roots = mem_printf("%s/roots", dir),
				  *seen = mem_printf("%s/seen", dir);
	struct error err = { 0 };
	struct home *home = NULL;
	struct fleet fleet, other;

	fleet_init(&fleet);
	fleet_init(&other);
	CHECK_EQ(home_open(&home, dir, &err), CLI_ABSENT);
	CHECK(strstr(err.text, "holdfast init") != NULL);
	make_home(dir, &fleet);
	CHECK_OK(fs_write(roots, buf_bytes(&other.root), 0600, &err));
	CHECK_EQ(home_open(&home, dir, &err), E_DENIED); /* another fleet's root */
	make_home(dir, &fleet);
	CHECK_OK(fs_write(seen, bytes_str("commit: -\nrubbish\n"), 0600, &err));
	CHECK_EQ(home_open(&home, dir, &err), E_FORMAT); /* not forgotten in silence */
	CHECK_OK(fs_write(fleet_file, bytes_str("holdfast-home/1\nfleet: x\n"), 0600, &err));
	CHECK_EQ(home_open(&home, dir, &err), E_FORMAT);
	CHECK(!home);
	fleet_done(&fleet);
	fleet_done(&other);
}

TEST(a_history_is_remembered_and_never_goes_back)
{
	_cleanup_(buf_done) struct buf before = { 0 }, after = { 0 };
	const char *dir = test_folder();
	struct error err = { 0 };
	struct home *home;
	struct fleet fleet;

	fleet_init(&fleet);
	make_home(dir, &fleet);
	home = open_home(dir);
	CHECK_OK(home_take_seen(home, checkpoint(&fleet, &fleet.archive, 10, 1), commit_a, &err));
	home_free(home);
	home = open_home(dir);
	CHECK_EQ(statement_number(home->checkpoint, "size"), 10);
	CHECK_STR(home->commit, commit_a);
	read_file(&before, dir, "seen");
	CHECK_EQ(home_take_seen(home, checkpoint(&fleet, &fleet.archive, 10, 1), commit_a, &err), 1);
	CHECK_EQ(home_take_seen(home, checkpoint(&fleet, &fleet.archive, 9, 1), commit_a, &err), E_SEAL);
	CHECK_EQ(home_take_seen(home, checkpoint(&fleet, &fleet.archive, 10, 2), commit_a, &err), E_SEAL);
	CHECK_EQ(home_take_seen(home, checkpoint(&fleet, &fleet.archive, 10, 1), commit_b, &err), E_SEAL);
	CHECK_EQ(home_take_seen(home, checkpoint(&fleet, &fleet.operator, 11, 1), commit_a, &err), E_DENIED);
	read_file(&after, dir, "seen");
	CHECK(bytes_equal(buf_bytes(&before), buf_bytes(&after)));
	CHECK_OK(home_take_seen(home, checkpoint(&fleet, &fleet.archive, 11, 3), "", &err));
	CHECK_STR(home->commit, commit_a); /* the last one that is known for sure */
	CHECK_OK(home_take_seen(home, checkpoint(&fleet, &fleet.archive, 12, 4), commit_b, &err));
	CHECK_STR(home->commit, commit_b);
	home_free(home);
	fleet_done(&fleet);
}

TEST(two_commands_at_once_do_not_overwrite_what_the_other_saw)
{
	const char *dir = test_folder();
	struct home *one, *two;
	struct error err = { 0 };
	struct fleet fleet;

	fleet_init(&fleet);
	make_home(dir, &fleet);
	one = open_home(dir);
	two = open_home(dir);
	CHECK_OK(home_take_seen(one, checkpoint(&fleet, &fleet.archive, 20, 2), commit_b, &err));
	CHECK_EQ(home_take_seen(two, checkpoint(&fleet, &fleet.archive, 10, 1), commit_a, &err), HOME_MOVED);
	CHECK_EQ(statement_number(two->checkpoint, "size"), 20);
	CHECK_EQ(home_take_seen(two, checkpoint(&fleet, &fleet.archive, 10, 1), commit_a, &err), E_SEAL);
	home_free(one);
	home_free(two);
	one = open_home(dir);
	CHECK_EQ(statement_number(one->checkpoint, "size"), 20);
	home_free(one);
	fleet_done(&fleet);
}

TEST(only_the_next_root_is_taken_and_it_stays)
{
	const char *dir = test_folder();
	struct fleet fleet, other;
	struct error err = { 0 };
	struct home *home, *second;
	struct statement *first;

	fleet_init(&fleet);
	fleet_init(&other);
	make_home(dir, &fleet);
	home = open_home(dir);
	second = open_home(dir);
	first = parsed(&fleet.root);
	CHECK_EQ(home_take_root(home, first, &err), 1);
	CHECK_EQ(home_take_root(home, parsed(&other.root), &err), E_SEAL); /* another version 1 */
	fleet_next_root(&fleet);
	CHECK_OK(home_take_root(home, parsed(&fleet.root), &err));
	CHECK_EQ(home_take_root(second, parsed(&fleet.root), &err), 1); /* another command was first */
	CHECK_EQ(root_version(second->root), 2);
	fleet_next_root(&fleet);
	fleet_next_root(&fleet);
	CHECK_EQ(home_take_root(home, parsed(&fleet.root), &err), E_DENIED); /* one is left out */
	home_free(home);
	home_free(second);
	home = open_home(dir);
	CHECK(home->root_count == 2 && root_version(home->root) == 2);
	home_free(home);
	fleet_done(&fleet);
	fleet_done(&other);
}

TEST(the_reading_key_is_one_that_age_wrote_and_nobody_else_may_read_it)
{
	const char *dir = test_folder();
	_cleanup_(mem_freep) char *path = mem_printf("%s/reading.key", dir);
	_cleanup_(buf_done) struct buf text = { 0 };
	const struct age_identity *key = NULL, *again = NULL;
	struct error err = { 0 };
	struct fleet fleet;
	struct home *home;

	fleet_init(&fleet);
	make_home(dir, &fleet);
	home = open_home(dir);
	CHECK_EQ(home_reading_key(&key, home, &err), CLI_ABSENT);
	buf_add_str(&text, "# created: today\n");
	age_identity_text(&text, &fleet.reader);
	buf_add_char(&text, '\n');
	CHECK_OK(fs_write(path, buf_bytes(&text), 0644, &err));
	CHECK_EQ(home_reading_key(&key, home, &err), E_DENIED);
	CHECK_EQ(chmod(path, 0600), 0);
	CHECK_OK(home_reading_key(&key, home, &err));
	CHECK(!memcmp(key->pub.pub, fleet.reader.pub.pub, 32));
	CHECK_OK(home_reading_key(&again, home, &err));
	CHECK(key == again);
	home_free(home);
	fleet_done(&fleet);
}

/* ---- strings that travel ---- */

static const char good_setup[] = "holdfast-setup:1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA:__________________________________________8:"
				 "AAAAC3NzaC1lZDI1NTE5AAAAIB9g22ovqofCBD7PVkKAWot1d42KCYhWG20BbopFIhFX:[2001:db8::1]:8443\n";

TEST(a_setup_string_is_read_whole_or_not_at_all)
{
	struct error err = { 0 };
	struct setup setup;

	CHECK_OK(setup_parse(&setup, bytes_str(good_setup), &err));
	CHECK_STR(setup.address, "[2001:db8::1]:8443");
	CHECK_STR((const char *)setup.code.ptr, "__________________________________________8");
	setup_done(&setup);
	for (size_t len = 0; len + 5 < sizeof(good_setup); len++) { /* "...]:844" is a port, too */
		struct error why = { 0 };

		CHECK_EQ(setup_parse(&setup, bytes_of(good_setup, len), &why), E_FORMAT);
		CHECK(!strstr(why.text, "____")); /* the code is never shown */
		setup_done(&setup);
	}
}

TEST(a_setup_string_that_was_tampered_with_is_refused)
{
	static const struct {
		const char *from, *to;
	} changes[] = { { "setup:1", "setup:2" },     { "holdfast-setup", "holdfast-invite" },
			{ ":AAAAAAAA", ":AAAA====" }, { "____8", "_____" },
			{ "C3Nza", "C3NzA" },         { ":8443", ":0" },
			{ ":8443", ":65536" },        { "8443\n", "8443\nx" },
			{ "[2001", "u@[2001" },       { "::1]:8443", "::1]/x:8443" } };

	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		const char *at = strstr(good_setup, changes[i].from);
		_cleanup_(mem_freep) char *text = mem_printf("%.*s%s%s", (int)(at - good_setup), good_setup, changes[i].to,
							     at + strlen(changes[i].from));
		struct error err = { 0 };
		struct setup setup;

		CHECK_EQ(setup_parse(&setup, bytes_str(text), &err), E_FORMAT);
		setup_done(&setup);
	}
}

/* ---- enrolments ---- */

struct joining {
	struct fleet fleet;
	struct fleet_device device;
	struct secret secret;
	struct buf invite, enrol;
	struct root *root;
	char invite_id[ID_LEN + 1];
};

static void joining_init(struct joining *j)
{
	struct error err = { 0 };
	uint8_t hash[HASH_LEN];

	*j = (struct joining){ 0 };
	fleet_init(&j->fleet);
	fleet_device_init(&j->device, "r1");
	secret_random(&j->secret, INVITE_SECRET_LEN);
	sha256(hash, secret_bytes(&j->secret));
	id_of_hash(j->invite_id, hash);
	fleet_invite(&j->invite, &j->fleet, "r1", j->secret.ptr);
	fleet_enrol(&j->enrol, &j->fleet, &j->device, j->secret.ptr);
	CHECK_OK(root_new(&j->root, parsed(&j->fleet.root), &err));
}

static void joining_done(struct joining *j)
{
	root_free(j->root);
	buf_done(&j->invite);
	buf_done(&j->enrol);
	secret_done(&j->secret);
	fleet_device_done(&j->device);
	fleet_done(&j->fleet);
}

TEST(an_enrolment_is_judged_by_the_secret_of_its_invite)
{
	_cleanup_(statement_freep) struct statement *enrol = NULL;
	_cleanup_(container_done) struct container invite = { 0 };
	_cleanup_(secret_done) struct secret secret = { 0 };
	uint8_t wrong[INVITE_SECRET_LEN] = { 0 };
	struct error err = { 0 };
	struct joining j;

	joining_init(&j);
	CHECK_OK(enrolment_open(&enrol, buf_bytes(&j.enrol), j.fleet.id, j.device.id, &err));
	CHECK_OK(enrolment_invite(&invite, buf_bytes(&j.invite), j.root, j.invite_id, &err));
	CHECK_OK(enrolment_secret(&secret, &invite, &j.fleet.reader, &err));
	CHECK(enrolment_mac_holds(enrol, secret_bytes(&secret)));
	CHECK(!enrolment_mac_holds(enrol, bytes_of(wrong, sizeof(wrong))));
	CHECK(!enrolment_mac_holds(enrol, bytes_of(secret.ptr, 16)));
	joining_done(&j);
}

TEST(an_enrolment_of_another_device_fleet_or_hand_is_refused)
{
	struct statement *st = NULL;
	struct error err = { 0 };
	struct fleet_device other;
	struct joining j;
	char *at;

	joining_init(&j);
	fleet_device_init(&other, "r2");
	CHECK_EQ(enrolment_open(&st, buf_bytes(&j.enrol), j.fleet.id, other.id, &err), E_SEAL);
	CHECK_EQ(enrolment_open(&st, buf_bytes(&j.enrol), other.id, j.device.id, &err), E_SEAL);
	CHECK_EQ(enrolment_open(&st, buf_bytes(&j.invite), j.fleet.id, j.device.id, &err), E_SEAL);
	CHECK_EQ(enrolment_open(&st, bytes_of(j.enrol.ptr, j.enrol.len - 40), j.fleet.id, j.device.id, &err), E_SEAL);
	at = strstr((char *)j.enrol.ptr, "driver: frr");
	at[8] = 'x'; /* what is signed is changed */
	CHECK_EQ(enrolment_open(&st, buf_bytes(&j.enrol), j.fleet.id, j.device.id, &err), E_SEAL);
	CHECK(!st);
	fleet_device_done(&other);
	joining_done(&j);
}

TEST(an_invite_of_a_stranger_or_for_another_reader_is_refused)
{
	struct container c = { 0 };
	struct secret secret = { 0 };
	struct age_identity nobody;
	struct error err = { 0 };
	struct joining j, other;

	joining_init(&j);
	joining_init(&other);
	age_identity_new(&nobody);
	CHECK_EQ(enrolment_invite(&c, buf_bytes(&j.invite), other.root, j.invite_id, &err), E_SEAL);
	CHECK_EQ(enrolment_invite(&c, buf_bytes(&j.invite), j.root, other.invite_id, &err), E_SEAL);
	CHECK_EQ(enrolment_invite(&c, bytes_of(j.invite.ptr, j.invite.len - 1), j.root, j.invite_id, &err), E_SEAL);
	CHECK(!c.st);
	CHECK_OK(enrolment_invite(&c, buf_bytes(&j.invite), j.root, j.invite_id, &err));
	CHECK_EQ(enrolment_secret(&secret, &c, &nobody, &err), E_SEAL);
	container_done(&c);
	age_identity_done(&nobody);
	joining_done(&j);
	joining_done(&other);
}

TEST(an_invite_has_an_end_by_both_clocks)
{
	_cleanup_(statement_freep) struct statement *enrol = NULL;
	_cleanup_(container_done) struct container invite = { 0 };
	struct error err = { 0 };
	struct joining j;
	int64_t until_s;

	joining_init(&j);
	CHECK_OK(enrolment_open(&enrol, buf_bytes(&j.enrol), j.fleet.id, j.device.id, &err));
	CHECK_OK(enrolment_invite(&invite, buf_bytes(&j.invite), j.root, j.invite_id, &err));
	until_s = statement_time(invite.st, "expires");
	CHECK_OK(enrolment_in_time(enrol, invite.st, until_s, &err));
	CHECK_EQ(enrolment_in_time(enrol, invite.st, until_s + 1, &err), E_DENIED);
	joining_done(&j);
}

TEST(an_admission_counts_for_one_enrolment_under_a_known_root)
{
	_cleanup_(statement_freep) struct statement *enrol = NULL, *admit = NULL, *other_enrol = NULL;
	_cleanup_(buf_done) struct buf text = { 0 };
	struct error err = { 0 };
	struct joining j, other;

	joining_init(&j);
	joining_init(&other);
	fleet_admit(&text, &j.fleet, &j.device);
	admit = parsed(&text);
	enrol = parsed(&j.enrol);
	other_enrol = parsed(&other.enrol);
	CHECK_OK(enrolment_admitted(admit, enrol, &j.root, 1, &err));
	CHECK_EQ(enrolment_admitted(admit, enrol, &other.root, 1, &err), E_SEAL);
	CHECK_EQ(enrolment_admitted(admit, other_enrol, &j.root, 1, &err), E_SEAL);
	CHECK_EQ(enrolment_admitted(admit, enrol, &j.root, 0, &err), E_SEAL);
	CHECK_EQ(enrolment_admitted(enrol, enrol, &j.root, 1, &err), E_SEAL);
	joining_done(&j);
	joining_done(&other);
}

/* ---- keys for stock tools ---- */

/* As fleet_next_root(), with other people's and archive's keys in place of the first. */
static struct root *replaced(const struct fleet *from, const struct fleet *to)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	struct error err = { 0 };
	struct root *root = NULL;
	struct statement *old = parsed(&from->root);
	char hash[2 * HASH_LEN + 1];

	statement_hash_hex(hash, old);
	statement_begin(&text, STATEMENT_ROOT);
	statement_add(&text, "fleet", "%s", from->id);
	statement_add(&text, "version", "2");
	statement_add(&text, "prev", "%s", hash);
	statement_add(&text, "time", "2027-01-02T03:04:05Z");
	statement_add(&text, "expires", "2028-01-02T03:04:05Z");
	buf_add_str(&text, strstr(buf_text(&to->root), "name: "));
	buf_truncate(&text, (size_t)(strstr(buf_text(&text), "-----BEGIN") - buf_text(&text)));
	CHECK_OK(statement_sign(&text, &from->operator, &err));
	CHECK_OK(root_new(&root, parsed(&text), &err));
	statement_free(old);
	return root;
}

static bool has(const struct buf *text, const char *part)
{
	return strstr(buf_text(text), part) != NULL;
}

TEST(an_export_keeps_old_archive_keys_and_ends_old_peoples)
{
	_cleanup_(buf_done) struct buf one = { 0 }, two = { 0 };
	_cleanup_(mem_freep) char *old_person = NULL;
	char old_archive[SIGN_PUB_TEXT_MAX + 80];
	struct error err = { 0 };
	struct fleet fleet, next;
	struct root *roots[2] = { 0 };
	struct bytes rest, line;

	fleet_init(&fleet);
	fleet_init(&next);
	CHECK_OK(root_new(&roots[0], parsed(&fleet.root), &err));
	roots[1] = replaced(&fleet, &next);
	snprintf(old_archive, sizeof(old_archive),
		 "archive namespaces=\"git,checkpoint@holdfast,shredded@holdfast,certificate@holdfast\" %s\n", fleet.archive_text);
	signers_text(&one, roots, 1);
	CHECK(!has(&one, "valid-before") && has(&one, old_archive));
	rest = buf_bytes(&one);
	CHECK(bytes_next_line(&rest, &line) && !memcmp(line.ptr, "alice namespaces=", 17));
	old_person = mem_printf("alice valid-before=\"20270102030405Z\",%.*s\n", (int)line.len - 6, (const char *)line.ptr + 6);
	signers_text(&two, roots, 2);
	CHECK(has(&two, old_person) && has(&two, old_archive) && has(&two, next.archive_text));
	CHECK(strstr(buf_text(&two), next.archive_text) < strstr(buf_text(&two), old_archive)); /* what is in force comes first */
	root_free(roots[0]);
	root_free(roots[1]);
	fleet_done(&fleet);
	fleet_done(&next);
}
