/* tests/unit/test-cli-enrolment.c -- how a server and devices are joined: setup strings, invites, enrolments, admissions. */
#include "tests/test.h"

#include "cli/enrolment.h"
#include "cli/tickets.h"
#include "tests/fleet.h"

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
	CHECK_OK(root_new(&j->root, fleet_parsed(&j->fleet.root), &err));
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
	_cleanup_(buf_done) struct buf late = { 0 };
	_cleanup_(statement_freep) struct statement *late_enrol = NULL;
	int64_t until_s;

	joining_init(&j);
	CHECK_OK(enrolment_open(&enrol, buf_bytes(&j.enrol), j.fleet.id, j.device.id, &err));
	CHECK_OK(enrolment_invite(&invite, buf_bytes(&j.invite), j.root, j.invite_id, &err));
	until_s = statement_time(invite.st, "expires");
	CHECK_OK(enrolment_in_time(enrol, invite.st, until_s, &err));
	CHECK_EQ(enrolment_in_time(enrol, invite.st, until_s + 1, &err), E_DENIED);
	CHECK(strstr(err.text, "its invite expired"));
	j.device.clock_s = until_s + 1;
	fleet_enrol(&late, &j.fleet, &j.device, j.secret.ptr);
	late_enrol = fleet_parsed(&late);
	CHECK_EQ(enrolment_in_time(late_enrol, invite.st, until_s, &err), E_DENIED);
	CHECK(strstr(err.text, "by its own clock"));
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
	admit = fleet_parsed(&text);
	enrol = fleet_parsed(&j.enrol);
	other_enrol = fleet_parsed(&other.enrol);
	CHECK_OK(enrolment_admitted(admit, enrol, &j.root, 1, &err));
	CHECK_EQ(enrolment_admitted(admit, enrol, &other.root, 1, &err), E_SEAL);
	CHECK_EQ(enrolment_admitted(admit, other_enrol, &j.root, 1, &err), E_SEAL);
	CHECK_EQ(enrolment_admitted(admit, enrol, &j.root, 0, &err), E_SEAL);
	CHECK_EQ(enrolment_admitted(enrol, enrol, &j.root, 1, &err), E_SEAL);
	joining_done(&j);
	joining_done(&other);
}
