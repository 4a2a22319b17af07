/* tests/unit/test-cli-open-lies.c -- a snapshot, a device or an epoch that is not the one asked for is found out. */
#include "tests/test.h"
#include "tests/unit/liar.h"

#include "cli/cli.h"
#include "cli/fleet.h"

#include <stdio.h>

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
