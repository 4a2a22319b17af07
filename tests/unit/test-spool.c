/* tests/unit/test-spool.c -- what waits to be sent: in order, and a number never gets another content. */
#include "tests/test.h"

#include "agent/spool.h"
#include "base/fs.h"

#include <unistd.h>

TEST(a_number_of_the_spool_never_gets_another_content)
{
	struct error err = { 0 };
	struct spool s;

	must(spool_open(&s, test_folder(), &err), &err);
	must(spool_put(&s, 5, bytes_str("five"), &err), &err);
	CHECK_EQ(spool_put(&s, 5, bytes_str("five"), &err), 0);
	CHECK_EQ(spool_put(&s, 5, bytes_str("other"), &err), E_DENIED);
	CHECK_EQ(s.count, 1);
	must(spool_acknowledged(&s, 5, &err), &err);
	CHECK_EQ(spool_put(&s, 5, bytes_str("five"), &err), E_DENIED);
	CHECK_EQ(spool_put(&s, 4, bytes_str("four"), &err), E_DENIED);
	spool_done(&s);
}

TEST(the_spool_is_sent_in_order_and_what_is_acknowledged_goes)
{
	_cleanup_(buf_done) struct buf out = { 0 };
	const char *dir = test_folder();
	struct error err = { 0 };
	uint64_t number;
	struct spool s;

	must(spool_open(&s, dir, &err), &err);
	CHECK_EQ(spool_oldest(&s, &number, &out, &err), SPOOL_EMPTY);
	must(spool_put(&s, 11, bytes_str("eleven"), &err), &err);
	must(spool_put(&s, 9, bytes_str("nine"), &err), &err);
	must(spool_put(&s, 10, bytes_str("ten"), &err), &err);
	must(spool_oldest(&s, &number, &out, &err), &err);
	CHECK_EQ(number, 9);
	must(spool_acknowledged(&s, 10, &err), &err);
	CHECK(!spool_has(&s, 9) && !spool_has(&s, 10) && spool_has(&s, 11));
	spool_done(&s);
	must(spool_open(&s, dir, &err), &err);
	CHECK_EQ(s.oldest, 11);
	CHECK_EQ(s.newest, 11);
	CHECK_EQ(s.acked, 10);
	must(spool_acknowledged(&s, 3, &err), &err); /* an old answer takes nothing back */
	CHECK_EQ(s.acked, 10);
	spool_done(&s);
}

TEST(who_only_looks_at_a_spool_changes_nothing)
{
	_cleanup_(mem_freep) char *leftover = NULL, *absent = NULL;
	const char *dir = test_folder();
	struct error err = { 0 };
	struct spool s;

	leftover = mem_printf("%s/000000000007.tmp-abcdef", dir);
	absent = mem_printf("%s/absent", dir);
	must(fs_write(leftover, bytes_str("half"), 0600, &err), &err);
	must(spool_look(&s, dir, &err), &err);
	CHECK_EQ(s.count, 0);
	CHECK(access(leftover, F_OK) == 0);
	spool_done(&s);
	must(spool_look(&s, absent, &err), &err);
	CHECK_EQ(s.count, 0);
	CHECK(access(absent, F_OK) < 0);
	spool_done(&s);
	must(spool_open(&s, dir, &err), &err);
	CHECK(access(leftover, F_OK) < 0);
	spool_done(&s);
}
