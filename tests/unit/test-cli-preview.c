/* tests/unit/test-cli-preview.c -- what a change would do to a device, as it is shown before it is signed. */
#include "tests/fleet.h"
#include "tests/test.h"

#include "cli/preview.h"

struct base {
	struct fleet fleet;
	struct fleet_device device;
	struct open_device who;
	struct opened opened;
};

/* As it comes out of the archive: tokens in the text, the secrets beside it. */
static void base_init(struct base *b, const char *running, bool has_secrets)
{
	_cleanup_(buf_done) struct buf container = { 0 };
	struct error err = { 0 };

	*b = (struct base){ .who.name = "r1" };
	fleet_init(&b->fleet);
	fleet_device_init(&b->device, "r1");
	b->device.epoch = 1;
	b->device.number = 2;
	age_identity_new(&b->device.body);
	age_identity_new(&b->device.secrets);
	fleet_snapshot(&container, &b->fleet, &b->device, "x\n", "");
	CHECK_OK(statement_parse(&b->opened.st, buf_bytes(&container), false, &(size_t){ 0 }, &err));
	b->opened.device = &b->who;
	b->opened.has_secrets = has_secrets;
	form_split(&b->opened.running, &b->opened.secrets, form_of("frr"), bytes_str(running));
	if (!has_secrets)
		buf_truncate(&b->opened.secrets, 0);
}

static void base_done(struct base *b)
{
	opened_done(&b->opened);
	fleet_device_done(&b->device);
	fleet_done(&b->fleet);
}

static const char running[] = "interface eth0\n ip address 10.0.0.1/24\nexit\ninterface eth1\n ip address 10.1.0.1/24\nexit\n"
			      "password hunter2\nrouter ospf\n network 10.0.0.0/24 area 0\nexit\n";

static int change(struct preview *out, bool is_whole, const char *text, const char *management, bool has_secrets, struct error *err)
{
	_cleanup_(base_done) struct base b;
	struct preview_input in = { .form = form_of("frr"), .base = &b.opened, .management = management, .name = "rollout" };

	base_init(&b, running, has_secrets);
	*err = (struct error){ 0 };
	return is_whole ? preview_whole(out, &in, bytes_str(text), err) : preview_lines(out, &in, bytes_str(text), err);
}

static void shows(const struct preview *c, const char *what)
{
	if (!strstr(buf_text(&c->diff), what))
		fail_msg("the diff does not show '%s': %s", what, buf_text(&c->diff));
}

static void shows_not(const struct preview *c, const char *what)
{
	if (strstr(buf_text(&c->diff), what))
		fail_msg("the diff shows '%s': %s", what, buf_text(&c->diff));
}

TEST(a_whole_configuration_is_compared_in_canonical_form_with_secrets_masked)
{
	struct preview c = { 0 };
	struct error err;

	CHECK_OK(change(
		&c, true,
		"! by hand\nhostname x\n\ninterface eth0\n ip address 10.0.0.1/24\nexit\n!\ninterface eth1\n ip address 10.1.0.1/24\nexit\n"
		"password hunter2\nrouter ospf\n network 10.0.0.0/24 area 0\nexit\nend\n",
		"", true, &err));
	CHECK(c.is_nothing && !c.touches_address);
	CHECK_STR(buf_text(&c.payload), running);
	preview_done(&c);
	CHECK_OK(change(&c, true,
			"interface eth0\n ip address 10.0.0.1/24\nexit\ninterface eth1\n ip address 10.1.0.1/24\nexit\n"
			"password correct horse\nrouter ospf\n network 10.2.0.0/24 area 0\nexit\n",
			"", true, &err));
	CHECK_EQ(c.counts.added, 2);
	CHECK_EQ(c.counts.removed, 2);
	CHECK(!c.is_nothing && !c.touches_address && c.secrets_compared);
	shows(&c, "-password ••••••••(changed)\n");
	shows(&c, "+password ••••••••(changed)\n");
	shows(&c, "+ network 10.2.0.0/24 area 0\n");
	shows_not(&c, "hunter2");
	shows_not(&c, "horse");
	CHECK(strstr(buf_text(&c.payload), "correct horse")); /* but the device gets it */
	preview_done(&c);
	CHECK_EQ(change(&c, true, "! nothing\n", "", true, &err), E_FORMAT);
	CHECK_EQ(change(&c, true, "password ••••••••\n", "", true, &err), E_FORMAT);
	CHECK(strstr(err.text, "masked"));
	CHECK_EQ(change(&c, true, "do write memory\n", "", true, &err), E_FORMAT);
}

TEST(without_the_secrets_of_the_archive_no_secret_counts_as_changed)
{
	struct preview c = { 0 };
	struct error err;

	CHECK_OK(change(&c, true,
			"interface eth0\n ip address 10.0.0.1/24\nexit\ninterface eth1\n ip address 10.1.0.1/24\nexit\n"
			"password other\nrouter ospf\n network 10.0.0.0/24 area 0\nexit\n",
			"", false, &err));
	CHECK(!c.is_nothing && !c.secrets_compared && !c.counts.added);
	preview_done(&c);
	CHECK_OK(change(&c, false, "password other\n", "", false, &err));
	CHECK(!c.is_nothing);
	shows(&c, "password ••••••••\n");
	preview_done(&c);
}

TEST(lines_that_are_there_already_change_nothing)
{
	struct preview c = { 0 };
	struct error err;

	CHECK_OK(change(&c, false, "! again\nrouter ospf\n network 10.0.0.0/24 area 0\nexit\n\npassword hunter2  \n", "", true, &err));
	CHECK(c.is_nothing);
	CHECK_STR(buf_text(&c.payload), "router ospf\n network 10.0.0.0/24 area 0\nexit\npassword hunter2\n");
	preview_done(&c);
	CHECK_OK(change(&c, false, "router ospf\n network 10.0.0.0/24 area 0\n network 10.1.0.0/24 area 0\nno router rip\npassword new\n",
			"", true, &err));
	CHECK(!c.is_nothing);
	CHECK_EQ(c.counts.added, 3);
	shows(&c, " router ospf\n  network 10.0.0.0/24 area 0\n> network 10.1.0.0/24 area 0\n>no router rip\n>password ••••••••\n");
	preview_done(&c);
	CHECK_OK(change(&c, false, " network 10.0.0.0/24 area 0\n", "", true, &err)); /* in no block: not the line that is there */
	CHECK(!c.is_nothing);
	preview_done(&c);
	for (size_t i = 0; i < 5; i++) {
		static const char *const bad[] = { "end\n", " do write\n", "write memory\n", "configure terminal\n",
						   "copy running-config startup-config\n" };

		CHECK_EQ(change(&c, false, bad[i], "", true, &err), E_FORMAT);
	}
	CHECK_EQ(change(&c, false, "ok\npassword ••••••••\n", "", true, &err), E_FORMAT);
	CHECK(strstr(err.text, "line 2"));
}

static void check_touched(bool is_whole, const char *text, const char *management, const char *want)
{
	struct preview c = { 0 };
	struct error err;

	CHECK_OK(change(&c, is_whole, text, management, true, &err));
	CHECK_EQ(c.touches_address, want != NULL);
	if (want)
		CHECK_STR(c.touched, want);
	preview_done(&c);
}

TEST(a_change_of_the_way_to_the_device_is_pointed_out)
{
	check_touched(false, "interface eth0\n description x\n", "", NULL);
	check_touched(false, "interface eth0\n ip address 10.0.0.2/24\n", "", "interface eth0: ip address 10.0.0.2/24");
	check_touched(false, "interface eth1\n no ip address 10.1.0.1/24\n", "", "interface eth1: no ip address 10.1.0.1/24");
	check_touched(false, "interface eth1\n shutdown\n", "", "interface eth1: shutdown");
	check_touched(false, "no interface eth1\n", "", "no interface eth1");
	/* with the address named, only what has to do with it counts */
	check_touched(false, "interface eth1\n shutdown\n", "10.0.0.1", NULL);
	check_touched(false, "interface eth0\n description x\n no description\n", "10.0.0.1", NULL);
	check_touched(false, "interface eth0\n shutdown\n", "10.0.0.1", "interface eth0: shutdown");
	check_touched(false, "interface eth1\n ip address 10.0.0.1/32\n", "10.0.0.1", "interface eth1: ip address 10.0.0.1/32");
	check_touched(false, "interface eth1\n ip address 10.0.0.11/32\n", "10.0.0.1", NULL);
	check_touched(false, "no interface eth0\n", "10.0.0.1", "no interface eth0");
	check_touched(true, "interface eth1\n ip address 10.1.0.1/24\nexit\nrouter ospf\n", "10.0.0.1", "interface eth0");
	check_touched(true, "interface eth0\n ip address 10.0.0.1/24\nexit\nrouter ospf\n", "10.0.0.1/24", NULL);
}

TEST(every_form_of_a_device_can_be_previewed)
{
	static const char *const drivers[] = { "frr", "files" };

	for (size_t i = 0; i < ARRAY_SIZE(drivers); i++) {
		_cleanup_(base_done) struct base b;
		_cleanup_(preview_done) struct preview p = { 0 };
		struct preview_input in = { .form = form_of(drivers[i]), .base = &b.opened, .management = "10.0.0.1", .name = "x" };
		struct error err = { 0 };

		base_init(&b, running, true);
		CHECK_OK(preview_lines(&p, &in, bytes_str("add rule inet filter input ip saddr 10.0.0.1 accept\nadd x\n"), &err));
		CHECK(p.touches_address && p.counts.added == 2);
	}
	CHECK(!form_of("toaster"));
}

/* Both of one device: `epoch` of the second, so that its tokens are others. */
static void check_moved(const char *before, const char *after, bool has_secrets, uint64_t epoch, bool want)
{
	_cleanup_(base_done) struct base a, b;
	_cleanup_(preview_done) struct preview p = { 0 };
	struct preview_input in = { .form = form_of("frr"), .management = "" };
	struct error err = { 0 };

	base_init(&a, before, has_secrets);
	base_init(&b, after, has_secrets);
	if (epoch != 1) {
		_cleanup_(buf_done) struct buf text = { 0 };
		char *at;

		buf_add_bytes(&text, statement_whole(b.opened.st));
		at = strstr(buf_text(&text), "epoch: 1");
		at[7] = (char)('0' + epoch);
		b.opened.st = statement_free(b.opened.st);
		CHECK_OK(statement_parse(&b.opened.st, buf_bytes(&text), false, NULL, &err));
	}
	CHECK_OK(preview_between(&p, &in, &a.opened, &b.opened, &err));
	CHECK_EQ(preview_differs(&p), want);
}

TEST(a_base_has_moved_when_its_text_did_and_not_when_only_its_number_did)
{
	check_moved(running, running, true, 1, false);
	check_moved(running, running, true, 2, false); /* other tokens, the same secrets */
	check_moved(running, "interface eth0\n ip address 10.0.0.1/24\nexit\n", true, 1, true);
	check_moved("password one\nx\n", "password two\nx\n", true, 2, true);
	check_moved("password one\nx\n", "password two\nx\n", false, 2, false); /* nobody here can tell: the device will */
	check_moved("password one\nx\n", "password one\ny\n", false, 2, true);
}
