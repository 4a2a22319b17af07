/* tests/unit/test-cli.c -- what an operator types: options, the table of commands, selectors. */
#include "tests/test.h"

#include "cli/commands.h"
#include "cli/select.h"

#include <stdio.h>

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
		const char *dashes = strcmp(shells[s], "fish") ? "--" : " -l ";
		_cleanup_(buf_done) struct buf text = { 0 };

		CHECK_OK(completion(&text, shells[s], &err));
		for (size_t i = 0; i < command_count; i++) {
			char name[64];

			command_name(name, &commands[i]);
			CHECK(strstr(buf_text(&man), name) && strstr(buf_text(&text), commands[i].noun));
			CHECK(!commands[i].verb || strstr(buf_text(&text), commands[i].verb));
			for (const struct option_def *o = commands[i].options; o && o->name; o++) {
				_cleanup_(mem_freep) char *in_man = mem_printf("*--%s*", o->name);
				_cleanup_(mem_freep) char *typed = mem_printf("%s%s ", dashes, o->name);

				CHECK(strstr(buf_text(&man), in_man) && strstr(buf_text(&text), typed));
			}
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
