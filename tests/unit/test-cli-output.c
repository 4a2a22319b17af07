/* tests/unit/test-cli-output.c -- what an operator is shown: secrets as dots, the text of others without its tricks, tables. */
#include "tests/test.h"

#include "cli/mask.h"
#include "cli/output.h"

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
