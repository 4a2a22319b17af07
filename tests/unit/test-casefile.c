/* tests/unit/test-casefile.c -- no secret that is known to anybody stands in what is handed out. */
#include "tests/test.h"

#include "cli/casefile.h"

#include <string.h>

static bool has(const struct casefile *c, const char *text)
{
	for (size_t i = 0; i < c->count; i++)
		if (memmem(c->part[i].text.ptr, c->part[i].text.len, text, strlen(text)))
			return true;
	return false;
}

TEST(tokens_and_what_the_form_knows_are_masked)
{
	static const char text[] =
		"hostname r1\npassword {{secret 0123456789abcdef}}\nenable password 8 abcdefghijk\nip route 10.0.0.0/8 Null0\n";
	_cleanup_(casefile_done) struct casefile c = { 0 };
	struct error err = { 0 };

	CHECK_OK(casefile_add_configuration(&c, "configuration.txt", form_of("frr"), bytes_str(text), &err));
	CHECK(has(&c, "password <masked>") && has(&c, "hostname r1") && has(&c, "Null0"));
	CHECK(!has(&c, "0123456789abcdef") && !has(&c, "abcdefghijk"));
	CHECK_EQ(c.part[0].masked, 2);
}

TEST(values_are_masked_wherever_they_stand_and_signed_parts_that_hold_one_go)
{
	/* "hunter22", "abc" and "a b\nc" */
	static const char secrets[] = "0123456789abcdef aHVudGVyMjI=\nfedcba9876543210 YWJj\n0000000000000000 YSBiCmM=\nno base64 ???\n\n";
	_cleanup_(casefile_done) struct casefile c = { 0 };
	struct error err = { 0 };

	CHECK_OK(casefile_add(&c, "log.txt", bytes_str("note=\"hunter22hunter22\" abc\n"), &err));
	CHECK_OK(casefile_add(&c, "receipts/1.txt", bytes_str("note: hunter22\n"), &err));
	CHECK_OK(casefile_add(&c, "receipts/2.txt", bytes_str("note: none\n"), &err));
	CHECK_OK(casefile_add(&c, "b.txt", bytes_str("a b\nc; aHVudGVyMjI=\n"), &err));
	CHECK_EQ(casefile_mask(&c, bytes_str(secrets), "receipts/"), 1);
	CHECK_EQ(c.count, 3);
	CHECK(!has(&c, "hunter22") && !has(&c, "a b\nc") && !has(&c, "aHVudGVyMjI="));
	CHECK(has(&c, "note=\"<masked><masked>\" abc") && has(&c, "note: none") && has(&c, "<masked>; <masked>"));
	CHECK_EQ(c.part[0].masked, 2);
}

TEST(a_report_of_too_many_parts_is_refused)
{
	_cleanup_(casefile_done) struct casefile c = { 0 };
	struct error err = { 0 };

	for (size_t i = 0; i < CASEFILE_PARTS_MAX; i++)
		CHECK_OK(casefile_add(&c, "x", bytes_str(""), &err));
	CHECK_EQ(casefile_add(&c, "x", bytes_str(""), &err), E_LIMIT);
}
