/* tests/unit/test-cli-open-readers.c -- who opens a snapshot and how much of it, and what is said when there is nothing to open. */
#include "tests/test.h"
#include "tests/unit/liar.h"

#include "cli/cli.h"
#include "cli/mask.h"

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
