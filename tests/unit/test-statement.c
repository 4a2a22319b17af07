/* tests/unit/test-statement.c -- the grammar of statements, held against the tables of the document line by line and byte by byte. */
#include "tests/test.h"
#include "tests/unit/formats.h"

static int check_rows(const struct rows *rows)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	struct error err = { 0 };

	rows_text(&text, rows);
	return statement_check(buf_bytes(&text), &err);
}

static int check(const char *text)
{
	struct error err = { 0 };

	return statement_check(bytes_str(text), &err);
}

/* ---- the tables ---- */

TEST(every_type_has_its_example)
{
	FOR_TYPES(type)
	{
		_cleanup_(rows_done) struct rows full = { 0 }, least = { 0 };
		enum statement_type back;

		example(&full, type, false);
		example(&least, type, true);
		CHECK_EQ(check_rows(&full), 0);
		CHECK_EQ(check_rows(&least), 0);
		CHECK(statement_type_parse(&back, bytes_str(statement_type_name(type))) && back == type);
	}
}

TEST(a_line_is_missing_only_where_it_is_optional)
{
	FOR_TYPES(type)
	{
		for (size_t i = 0; rules[type][i].key; i++) {
			_cleanup_(rows_done) struct rows rows = { 0 };

			example(&rows, type, false);
			rows_take(&rows, i + 1);
			if (check_rows(&rows) != (rules[type][i].min ? E_FORMAT : 0))
				fail_msg("%s without '%s'", statement_type_name(type), rules[type][i].key);
		}
	}
}

TEST(a_line_occurs_as_often_as_its_bound_and_no_more)
{
	FOR_TYPES(type)
	{
		for (size_t i = 0; rules[type][i].key; i++) {
			_cleanup_(rows_done) struct rows rows = { 0 };

			example(&rows, type, false);
			for (unsigned n = 1; n < rules[type][i].max; n++)
				rows_put(&rows, i + 1, line_of(&rules[type][i]));
			CHECK_EQ(check_rows(&rows), 0);
			rows_put(&rows, i + 1, line_of(&rules[type][i]));
			if (check_rows(&rows) != E_FORMAT)
				fail_msg("%s with '%s' %u times", statement_type_name(type), rules[type][i].key, rules[type][i].max + 1);
		}
	}
}

TEST(lines_keep_their_order)
{
	FOR_TYPES(type)
	{
		for (size_t i = 0; rules[type][i].key; i++) {
			for (size_t k = i + 1; rules[type][k].key; k++) {
				_cleanup_(rows_done) struct rows rows = { 0 };

				example(&rows, type, false);
				rows_take(&rows, k + 1);
				rows_put(&rows, i + 1, line_of(&rules[type][k])); /* the later line before the earlier */
				if (check_rows(&rows) != E_FORMAT)
					fail_msg("%s with '%s' before '%s'", statement_type_name(type), rules[type][k].key,
						 rules[type][i].key);
			}
		}
	}
}

/* A key that may occur often must do so in a row. */
TEST(lines_of_one_key_stand_together)
{
	_cleanup_(rows_done) struct rows rows = { 0 };

	example(&rows, STATEMENT_ROOT, false);
	rows_put(&rows, 9, mem_strdup("person: bob")); /* behind the key line */
	CHECK_EQ(check_rows(&rows), E_FORMAT);
}

TEST(unknown_keys_are_refused_everywhere)
{
	static const char *const lines[] = { "hello: world",  "Fleet: " ID_A, "fleet : " ID_A, "x-fleet: " ID_A,
					     "fleets: " ID_A, "flee: " ID_A,  "comment: x",    "holdfast-statement/1 login" };

	FOR_TYPES(type)
	{
		_cleanup_(rows_done) struct rows rows = { 0 };

		example(&rows, type, false);
		for (size_t at = 0; at <= rows.count; at++) {
			for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
				rows_put(&rows, at, mem_strdup(lines[i]));
				if (check_rows(&rows) != E_FORMAT)
					fail_msg("%s with '%s' as line %zu", statement_type_name(type), lines[i], at + 1);
				rows_take(&rows, at);
			}
		}
	}
}

/* A key of another type is as unknown as any. */
TEST(keys_of_other_types_are_refused)
{
	FOR_TYPES(type)
	{
		FOR_TYPES(other)
		{
			for (const struct rule *rule = rules[other]; rule->key; rule++) {
				_cleanup_(rows_done) struct rows rows = { 0 };
				bool is_known = false;

				for (const struct rule *own = rules[type]; own->key; own++)
					is_known = is_known || !strcmp(own->key, rule->key);
				if (is_known)
					continue;
				example(&rows, type, false);
				for (size_t at = 1; at <= rows.count; at++) {
					rows_put(&rows, at, line_of(rule));
					CHECK_EQ(check_rows(&rows), E_FORMAT);
					rows_take(&rows, at);
				}
			}
		}
	}
}

TEST(values_have_their_form)
{
	FOR_TYPES(type)
	{
		_cleanup_(rows_done) struct rows rows = { 0 };

		example(&rows, type, false);
		for (size_t i = 0; rules[type][i].key; i++) {
			const struct rule *rule = &rules[type][i];
			const struct form *form = form_of(rule->kind);

			for (size_t k = 0; form->good[k]; k++) {
				rows_set(&rows, i + 1, mem_printf("%s: %s", rule->key, form->good[k]));
				if (check_rows(&rows) != 0)
					fail_msg("%s with '%s: %s' is refused", statement_type_name(type), rule->key, form->good[k]);
			}
			for (size_t k = 0; form->bad[k]; k++) {
				rows_set(&rows, i + 1, mem_printf("%s: %s", rule->key, form->bad[k]));
				if (check_rows(&rows) != E_FORMAT)
					fail_msg("%s with '%s: %s' passes", statement_type_name(type), rule->key, form->bad[k]);
			}
			rows_set(&rows, i + 1, line_of(rule));
		}
	}
}

/* ---- lines and bytes ---- */

TEST(a_line_is_a_key_a_colon_a_blank_and_a_value)
{
	static const char *const lines[] = {
		"",
		" ",
		":",
		": ",
		"person",
		"person:",
		"person: ",
		"person:alice",
		"person:  alice",
		"person: alice ",
		" person: alice",
		"person : alice",
		"person\t: alice",
		"person:\talice",
		"PERSON: alice",
		"person= alice",
		"person;alice",
		": alice",
		"person: alice\r",
		"\rperson: alice",
	};

	CHECK_EQ(check(LOGIN_TO "x" LOGIN_FROM), 0);
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		_cleanup_(mem_freep) char *text =
			mem_printf("holdfast-statement/1 login\nfleet: " ID_A "\n%s\nserver: x" LOGIN_FROM, lines[i]);

		if (check(text) != E_FORMAT)
			fail_msg("line '%s' passes", lines[i]);
	}
}

/* In a text blanks are allowed, so that only the rule of the line can refuse them at its ends. */
TEST(no_value_begins_or_ends_with_a_blank)
{
	CHECK_EQ(check(LOGIN_TO "x y" LOGIN_FROM), 0);
	CHECK_EQ(check(LOGIN_TO " x" LOGIN_FROM), E_FORMAT);
	CHECK_EQ(check(LOGIN_TO "x " LOGIN_FROM), E_FORMAT);
	CHECK_EQ(check(LOGIN_TO " " LOGIN_FROM), E_FORMAT);
}

TEST(no_byte_but_printable_ascii_passes_anywhere)
{
	static const char text[] = LOGIN_TO "x y" LOGIN_FROM;
	struct error err = { 0 };

	for (size_t at = 0; at <= sizeof(text) - 1; at++) {
		for (int c = 0; c < 256; c++) {
			uint8_t changed[sizeof(text)];

			if (c == '\n' || (c >= 0x20 && c <= 0x7e))
				continue;
			memcpy(changed, text, at);
			changed[at] = (uint8_t)c;
			memcpy(changed + at + 1, text + at, sizeof(text) - 1 - at);
			CHECK_EQ(statement_check(bytes_of(changed, sizeof(changed)), &err), E_FORMAT);
		}
	}
	for (int c = 0x20; c <= 0x7e; c++) { /* and in a text all of these do */
		_cleanup_(mem_freep) char *whole = mem_printf(LOGIN_TO "x%cy" LOGIN_FROM, c);

		CHECK_EQ(check(whole), 0);
	}
}

TEST(a_byte_more_or_less_is_seen_at_every_newline)
{
	static const char text[] = LOGIN_TO "x y" LOGIN_FROM;
	struct error err = { 0 };

	for (size_t at = 0; at <= sizeof(text) - 1; at++) {
		char changed[sizeof(text)];

		memcpy(changed, text, at);
		changed[at] = '\n';
		memcpy(changed + at + 1, text + at, sizeof(text) - 1 - at);
		CHECK_EQ(statement_check(bytes_of(changed, sizeof(text)), &err), E_FORMAT);
	}
	for (size_t len = 0; len < sizeof(text) - 1; len++)
		CHECK_EQ(statement_check(bytes_of(text, len), &err), E_FORMAT);
}

TEST(crlf_is_refused)
{
	_cleanup_(buf_done) struct buf dos = { 0 };
	struct error err = { 0 };

	for (const char *at = LOGIN_TO "x" LOGIN_FROM; *at; at++) {
		if (*at == '\n')
			buf_add_char(&dos, '\r');
		buf_add_char(&dos, *at);
	}
	CHECK_EQ(statement_check(buf_bytes(&dos), &err), E_FORMAT);
}

TEST(the_first_line_names_a_version_and_a_known_type)
{
	static const char *const lines[] = { "holdfast-statement/2 login",
					     "holdfast-statement/1 logout",
					     "holdfast-statement/1 Login",
					     "holdfast-statement/1 login ",
					     "holdfast-statement/1  login",
					     " holdfast-statement/1 login",
					     "holdfast-statement/1",
					     "holdfast-statement/1 ",
					     "holdfast-statement/01 login",
					     "login",
					     "",
					     "holdfast-statement/1 login: x",
					     "holdfast-statement/1 log",
					     "\xef\xbb\xbfholdfast-statement/1 login" };

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		_cleanup_(mem_freep) char *text = mem_printf("%s\nfleet: " ID_A "\nperson: alice\nserver: x" LOGIN_FROM, lines[i]);

		if (check(text) != E_FORMAT)
			fail_msg("first line '%s' passes", lines[i]);
	}
	CHECK_EQ(check(""), E_FORMAT);
	CHECK_EQ(check("\n"), E_FORMAT);
}

/* A root whose `role` line is len bytes long: the only line of any type that reaches the bound. */
static int root_with_role_line(size_t len)
{
	_cleanup_(rows_done) struct rows rows = { 0 };
	_cleanup_(buf_done) struct buf line = { 0 };

	example(&rows, STATEMENT_ROOT, false);
	buf_add_str(&line, "role: root");
	while (line.len < len)
		buf_addf(&line, " %.*s", (int)(len - line.len - 1 > 60 ? 50 : len - line.len - 1), S63);
	CHECK_EQ(line.len, len);
	rows_set(&rows, 10, buf_steal_text(&line));
	return check_rows(&rows);
}

TEST(a_line_has_at_most_1024_bytes)
{
	CHECK_EQ(root_with_role_line(1023), 0);
	CHECK_EQ(root_with_role_line(1024), 0);
	CHECK_EQ(root_with_role_line(1025), E_FORMAT);
}

static int login_with_server(size_t len)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	struct error err = { 0 };

	buf_add_str(&text, LOGIN_TO);
	memset(buf_extend(&text, len), 'x', len);
	buf_add_str(&text, LOGIN_FROM);
	return statement_check(buf_bytes(&text), &err);
}

TEST(a_text_has_at_most_900_bytes)
{
	CHECK_EQ(login_with_server(900), 0);
	CHECK_EQ(login_with_server(901), E_FORMAT);
	CHECK_EQ(login_with_server(2 << 20), E_FORMAT);
}

TEST(a_statement_has_at_most_512_lines_and_64_kib)
{
	_cleanup_(buf_done) struct buf lines = { 0 }, bytes = { 0 }, endless = { 0 };
	struct error err = { 0 };

	buf_add_str(&lines, "holdfast-statement/1 admit\n");
	for (int i = 1; i < 513; i++)
		buf_add_str(&lines, "label: a:b\n");
	CHECK_EQ(statement_check(buf_bytes(&lines), &err), E_FORMAT);
	CHECK(strstr(err.text, "512 lines"));
	buf_add_str(&bytes, "holdfast-statement/1 admit\n");
	for (int i = 0; i < 66; i++) {
		buf_add_str(&bytes, "label: ");
		memset(buf_extend(&bytes, 1000), 'x', 1000);
		buf_add_char(&bytes, '\n');
	}
	CHECK_EQ(statement_check(buf_bytes(&bytes), &err), E_FORMAT);
	CHECK(strstr(err.text, "65536 bytes"));
	memset(buf_extend(&endless, 2 << 20), 'x', 2 << 20);
	CHECK_EQ(statement_check(buf_bytes(&endless), &err), E_FORMAT);
}

/* The most that the table of the largest type allows fits into the bounds of all. */
TEST(a_root_of_the_largest_size_passes)
{
	_cleanup_(rows_done) struct rows rows = { 0 };

	rows_put(&rows, 0, mem_strdup("holdfast-statement/1 root"));
	for (const struct rule *rule = rules[STATEMENT_ROOT]; rule->key; rule++)
		for (unsigned n = 0; n < rule->max; n++)
			rows_put(&rows, rows.count, line_of(rule));
	CHECK_EQ(check_rows(&rows), 0);
}
