/* tests/unit/test-cli-plan.c -- a rollout before it is posted: templates that nothing can be smuggled through, who and when, what is shown,
 * one signature over ten thousand orders, and a PLAN file in which every change shows. */
#include "tests/fleet.h"
#include "tests/test.h"

#include "base/clock.h"
#include "base/fs.h"
#include "cli/batch.h"
#include "cli/preview.h"
#include "cli/plan.h"
#include "cli/sign.h"
#include "cli/template.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- templates ---- */

struct variable {
	const char *name;
	const char *values[4];
	bool is_list;
};

static bool find_in(void *ctx, const char *name, struct template_value *out)
{
	for (const struct variable *v = ctx; v->name; v++) {
		size_t n = 0;

		if (strcmp(v->name, name) != 0)
			continue;
		while (n < 4 && v->values[n])
			n++;
		*out = (struct template_value){ v->is_list, n, v->values };
		return true;
	}
	return false;
}

static int render(struct buf *out, const char *text, const struct variable *variables, struct error *err)
{
	struct template_job job = { "ntp.tmpl", bytes_str(text), "r7", form_of("frr"), find_in, (void *)(uintptr_t)variables };

	*err = (struct error){ 0 };
	return template_render(out, &job, err);
}

static void renders(const char *text, const struct variable *variables, const char *want)
{
	_cleanup_(buf_done) struct buf out = { 0 };
	struct error err = { 0 };

	CHECK_OK(render(&out, text, variables, &err));
	CHECK_STR(buf_text(&out), want);
}

static void refuses(const char *text, const struct variable *variables, const char *says)
{
	_cleanup_(buf_done) struct buf out = { 0 };
	struct error err;

	CHECK_EQ(render(&out, text, variables, &err), E_FORMAT);
	if (!strstr(err.text, says))
		fail_msg("'%s' does not say '%s'", err.text, says);
}

static const struct variable some[] = {
	{ "as", { "65000" }, false },
	{ "peer.1", { "10.0.0.1" }, false },
	{ "what", { "uplink to  site B!" }, false },
	{ "ntp", { "10.1.1.1", "10.1.1.2" }, true },
	{ "none", { NULL }, true },
	{ 0 },
};

TEST(a_template_takes_values_and_lists_and_nothing_else)
{
	renders("router bgp {{as}}\n neighbor {{ peer.1 }} remote-as {{as}}\n", some,
		"router bgp 65000\n neighbor 10.0.0.1 remote-as 65000\n");
	renders("interface eth0\n description {{{what}}}\n", some, "interface eth0\n description uplink to  site B!\n");
	renders("a\n{{#ntp}}\nntp server {{.}}\n{{/ntp}}\nb\n", some, "a\nntp server 10.1.1.1\nntp server 10.1.1.2\nb\n");
	renders("{{#ntp}}\n{{/ntp}}\n{{^none}}\nno ntp\n{{/none}}\n{{#none}}x{{/none}}{{^ntp}}y{{/ntp}}z\n", some, "no ntp\nz\n");
	renders("x {{#ntp}}{{.}},{{/ntp}}\n", some, "x 10.1.1.1,10.1.1.2,\n");
	renders("{{! a remark\n over two lines }}\na {{! here }}b\n  {{! alone }}  \nc", some, "a b\nc");
	renders("{{#ntp}}\nl {{.}}\n  {{#ntp}}\n m {{.}}\n  {{/ntp}}\n{{/ntp}}\n", some,
		"l 10.1.1.1\n m 10.1.1.1\n m 10.1.1.2\nl 10.1.1.2\n m 10.1.1.1\n m 10.1.1.2\n");
	renders("", some, "");
	renders("a } b { c }} d\n", some, "a } b { c }} d\n");
}

TEST(what_a_template_does_not_say_is_an_error_with_its_line_and_device)
{
	refuses("a\nb\nntp server {{nobody}}\n", some, "template 'ntp.tmpl' line 3, device 'r7': variable 'nobody' is not defined");
	refuses("x {{as\n", some, "no tag");
	refuses("x {{}}\n", some, "no tag");
	refuses("x {{AS}}\n", some, "no tag");
	refuses("x {{secret 0123456789abcdef}}\n", some, "no tag");
	refuses("x {{> other}}\n", some, "no tag");
	refuses("x {{&as}}\n", some, "no tag");
	refuses("x {{ntp}}\n", some, "is a list");
	refuses("{{#as}}x{{/as}}\n", some, "is one value");
	refuses("{{#ntp}}x\n", some, "has no {{/ntp}}");
	refuses("a\nx{{/ntp}}\n", some, "line 2");
	refuses("{{#ntp}}{{#none}}{{/ntp}}{{/none}}\n", some, "line 1");
	refuses("x {{.}}\n", some, "outside of a list");
	refuses("description {{{what}}} more\n", some, "something stands behind");
}

/* One command for every way in that we could think of: none of them makes a line, or chooses one. */
TEST(no_value_can_smuggle_a_command)
{
	static const char *const values[] = {
		"x\nend\nno router bgp",
		"x\n",
		"\nx",
		"x\rend",
		"x\vend",
		"x\fend",
		"x\x1b[2J",
		"x\x7f",
		"x\ty",
		"x\x01",
		"a b",
		" x",
		"x ",
		"",
		"10.0.0.1 shutdown",
		"x\xc2\x85y",
	};
	char long_value[FORM_VALUE_MAX + 2];

	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		const struct variable v[] = { { "v", { values[i] }, false }, { "l", { values[i] }, true }, { 0 } };

		refuses("router bgp {{v}}\n", v, "cannot stand there");
		refuses("{{#l}}\nntp server {{.}}\n{{/l}}\n", v, "cannot stand there");
		if (!strpbrk(values[i], "\n\r\v\f\t\x1b\x7f\x01") && *values[i] && *values[i] != ' ' &&
		    values[i][strlen(values[i]) - 1] != ' ')
			continue; /* a blank may be in a text */
		refuses("description {{{v}}}\n", v, "cannot stand there");
	}
	memset(long_value, 'x', sizeof(long_value) - 1);
	long_value[sizeof(long_value) - 1] = 0;
	{
		const struct variable v[] = { { "v", { long_value }, false }, { 0 } };

		refuses("router bgp {{v}}\n", v, "longer than");
	}
}

TEST(no_value_can_choose_the_command_or_hide_it)
{
	const struct variable v[] = {
		{ "bang", { "!" }, false }, { "hash", { "#x" }, false }, { "no", { "no" }, false }, { "tag", { "{{as}}" }, false }, { 0 },
	};

	refuses("{{bang}} router bgp 1\n", v, "where the command does");
	refuses("  {{hash}}\n", v, "where the command does");
	refuses("{{no}} router bgp 1\n", v, "where the command does");
	refuses("no {{no}}\n", v, "where the command does");
	refuses("e{{no}}\n", v, "where the command does"); /* "nd" would make it "end" */
	refuses("no e{{no}}\n", v, "where the command does");
	renders("ip r{{no}}\n", v, "ip rno\n");
	refuses("interface eth0\n{{{no}}}\n", v, "where the command does");
	renders("description {{tag}}\n", v, "description {{as}}\n"); /* a value is no template */
	renders("ip route 10.0.0.0/8 {{no}}\n", v, "ip route 10.0.0.0/8 no\n");
}

/* ---- the plan ---- */

static char *plan_path(const char *text)
{
	char *path = mem_printf("%s/plan.yaml", test_folder());
	struct error err = { 0 };

	CHECK_OK(fs_write(path, bytes_str(text), 0600, &err));
	return path;
}

static int load(struct plan **out, const char *text, struct error *err)
{
	_cleanup_(mem_freep) char *path = plan_path(text);

	*err = (struct error){ 0 };
	return plan_load(out, path, 1800000000, err);
}

static struct plan *must_load(const char *text)
{
	struct plan *plan = NULL;
	struct error err;

	CHECK_OK(load(&plan, text, &err));
	return plan;
}

static void bad_plan(const char *text, const char *says)
{
	_cleanup_(plan_freep) struct plan *plan = NULL;
	struct error err;

	CHECK(load(&plan, text, &err) < 0);
	if (!strstr(err.text, says))
		fail_msg("'%s' does not say '%s'", err.text, says);
}

#define HEAD "reason: x\ntargets: ['*']\n"

TEST(a_plan_is_read_strictly)
{
	_cleanup_(plan_freep) struct plan *plan =
		must_load(HEAD "lines: |\n  ip route 10.0.0.0/8 Null0\nsoak: 10m\nconfirm: 30s\nexpires: 2h\n");

	CHECK_EQ(plan->soak_s, 600);
	CHECK_EQ(plan->confirm_s, 30);
	CHECK_EQ(plan->settle_s, -1);
	CHECK_EQ(plan->not_before_s, 1800000000);
	CHECK_EQ(plan->expires_s, 1800007200);
	CHECK(!plan->is_whole);
	bad_plan(HEAD, "exactly one of");
	bad_plan(HEAD "lines: x\ninline: y\n", "exactly one of");
	bad_plan("targets: ['*']\nlines: x\n", "reason");
	bad_plan("reason: x\nlines: x\n", "targets");
	bad_plan(HEAD "lines: x\nsurprise: 1\n", "surprise");
	bad_plan(HEAD "lines: x\nsoak: soon\n", "'soak'");
	bad_plan(HEAD "lines: x\nconfirm: 5s\n", "less than 10");
	bad_plan(HEAD "lines: x\nwindows: [nightly]\n", "window 'nightly'");
	bad_plan(HEAD "lines: x\nexpires: 1h\nnot-before: 2h\n", "expires before it begins");
	bad_plan(HEAD "lines: x\nmode: whole\n", "does not fit");
	bad_plan(HEAD "inline: x\nmode: merge\n", "neither");
	bad_plan(HEAD "lines: x\nvariables:\n  - {name: device.name, value: x}\n", "given by the device");
	bad_plan(HEAD "lines: x\nvariables:\n  - {name: a, value: x, values: [y]}\n", "more than one");
	bad_plan(HEAD "lines: x\nvariables:\n  - {name: a, value: 010}\n", "leading zero");
	bad_plan(HEAD "template: no-such-file\n", "no-such-file");
}

TEST(a_secret_of_a_plan_comes_from_a_file_that_others_cannot_read)
{
	const char *folder = test_folder();
	_cleanup_(mem_freep) char *path = mem_printf("%s/key", folder);
	_cleanup_(mem_freep) char *text = mem_printf(HEAD "lines: password {{{p}}}\nvariables:\n  - {name: p, file: %s}\n", path);
	_cleanup_(plan_freep) struct plan *plan = NULL;
	struct fleet_member r1 = { .name = "r1" };
	_cleanup_(buf_done) struct buf out = { 0 };
	struct error err = { 0 };

	bad_plan(text, "there is no");
	CHECK_OK(fs_write(path, bytes_str("correct horse\n"), 0600, &err));
	plan = must_load(text);
	CHECK_OK(plan_render(&out, plan, &r1, form_of("frr"), &err));
	CHECK_STR(buf_text(&out), "password correct horse");
	CHECK_EQ(chmod(path, 0644), 0);
	bad_plan(text, "others");
	CHECK_OK(fs_write(path, bytes_str("two\nlines\n"), 0600, &err));
	bad_plan(text, "not one line");
}

/* ---- who, and when ---- */

static void add_member(struct fleet_list *list, const char *name, const char *labels)
{
	struct fleet_member *m;

	list->members = mem_grow(list->members, (list->count + 1) * sizeof(*m));
	m = &list->members[list->count];
	*m = (struct fleet_member){ .is_admitted = true, .snapshot = 3 };
	snprintf(m->id, sizeof(m->id), "%026zu", list->count++);
	snprintf(m->name, sizeof(m->name), "%s", name);
	snprintf(m->labels, sizeof(m->labels), "%s", labels);
	strcpy(m->driver, "frr");
	strcpy(m->saved, "yes");
}

static void numbered(struct fleet_list *list, unsigned count)
{
	char name[32], labels[64];

	for (unsigned i = 1; i <= count; i++) {
		snprintf(name, sizeof(name), "r%u", i);
		snprintf(labels, sizeof(labels), "site:%s ring:%u", i % 2 ? "north" : "south", (i - 1) / 4);
		add_member(list, name, labels);
	}
}

static void names_of(struct buf *out, const struct plan_targets *t)
{
	for (size_t i = 0; i < t->count; i++)
		buf_addf(out, "%s%s%s", i ? " " : "", t->targets[i].why_not ? "-" : "", t->targets[i].member->name);
}

static void check_targets(const char *text, const struct fleet_list *list, const char *want, const char *want_waves)
{
	_cleanup_(plan_targets_done) struct plan_targets t = { 0 };
	_cleanup_(plan_freep) struct plan *plan = must_load(text);
	_cleanup_(buf_done) struct buf names = { 0 }, waves = { 0 };
	uint32_t ends[ORDER_WAVES_MAX];
	struct error err = { 0 };
	size_t count;

	CHECK_OK(plan_targets(&t, plan, list, 1800000000, &err));
	names_of(&names, &t);
	CHECK_STR(buf_text(&names), want);
	CHECK_OK(plan_waves(ends, &count, plan, &t, &err));
	for (size_t i = 0; i < count; i++)
		buf_addf(&waves, "%s%u", i ? " " : "", ends[i]);
	CHECK_STR(buf_text(&waves), want_waves);
}

#define LINES "reason: x\nlines: x\n"

TEST(targets_are_frozen_in_order_and_who_cannot_take_part_is_left_out)
{
	_cleanup_(fleet_list_done) struct fleet_list list = { 0 };

	numbered(&list, 8);
	strcpy(list.members[2].saved, "no");
	list.members[4].hold_s = 1800000001;
	list.members[6].is_admitted = false;
	check_targets(LINES "targets: ['site:north']\n", &list, "r1 -r3 -r5 -r7", "1");
	check_targets(LINES "targets: ['*', '!r2']\nfirst: r8 r4\n", &list, "r4 r8 r1 r6 -r3 -r5 -r7", "4");
	{
		_cleanup_(plan_targets_done) struct plan_targets t = { 0 };
		_cleanup_(plan_freep) struct plan *plan = must_load(LINES "targets: ['site:west']\n");
		struct error err;

		CHECK_EQ(plan_targets(&t, plan, &list, 1800000000, &err), CLI_ABSENT);
	}
}

TEST(waves_are_counts_percentages_and_the_rest)
{
	_cleanup_(fleet_list_done) struct fleet_list list = { 0 };
	static const char all[] = "r1 r2 r3 r4 r5 r6 r7 r8 r9 r10 r11 r12";

	numbered(&list, 12);
	check_targets(LINES "targets: ['*']\n", &list, all, "12");
	check_targets(LINES "targets: ['*']\nwaves: ['1', 25%, rest]\n", &list, all, "1 4 12");
	check_targets(LINES "targets: ['*']\nwaves: ['1', 10%]\n", &list, all, "1 3 12");
	check_targets(LINES "targets: ['*']\nwaves: [50%, 50%, 50%, rest]\n", &list, all, "6 12");
	check_targets(LINES "targets: ['*']\nwaves: ['100', rest]\n", &list, all, "12");
	check_targets(LINES "targets: ['*']\nwaves: ['1','1','1','1','1','1','1','1','1','1','1','1']\n", &list, all,
		      "1 2 3 4 5 6 7 8 9 10 11 12");
	for (size_t i = 0; i < 4; i++) {
		static const char *const bad[] = { "0", "101%", "many", "-1" };
		_cleanup_(mem_freep) char *text = mem_printf(LINES "targets: ['*']\nwaves: ['%s']\n", bad[i]);
		_cleanup_(plan_targets_done) struct plan_targets t = { 0 };
		_cleanup_(plan_freep) struct plan *plan = must_load(text);
		uint32_t ends[ORDER_WAVES_MAX];
		struct error err = { 0 };
		size_t count;

		CHECK_OK(plan_targets(&t, plan, &list, 1800000000, &err));
		CHECK_EQ(plan_waves(ends, &count, plan, &t, &err), E_FORMAT);
	}
}

TEST(an_atomic_group_stays_together_and_is_not_torn_by_a_wave)
{
	_cleanup_(fleet_list_done) struct fleet_list list = { 0 };

	numbered(&list, 12);
	check_targets(LINES "targets: ['*']\natomic-by: ring\nwaves: ['1', rest]\n", &list, "r1 r2 r3 r4 r5 r6 r7 r8 r9 r10 r11 r12",
		      "4 12");
	check_targets(LINES "targets: ['*']\natomic: [r1 r9 r12, r2 r3]\nwaves: ['1', '1', rest]\n", &list,
		      "r1 r9 r12 r2 r3 r4 r5 r6 r7 r8 r10 r11", "3 5 12");
	list.members[8].hold_s = 1800000001; /* r9 */
	check_targets(LINES "targets: ['*']\natomic: [r1 r9 r12]\n", &list, "r2 r3 r4 r5 r6 r7 r8 r10 r11 -r1 -r9 -r12", "9");
	{
		static const char *const bad[] = { "atomic: [r1 r2, r2 r3]\n", "atomic: ['site:*']\n",
						   "atomic: [r1 r2]\natomic-by: ring\n" };

		add_member(&list, "r13", "site:north");
		for (size_t i = 13; i < 18; i++)
			add_member(&list, "r99", "site:north");
		for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
			_cleanup_(mem_freep) char *text = mem_printf(LINES "targets: ['*']\n%s", bad[i]);
			_cleanup_(plan_targets_done) struct plan_targets t = { 0 };
			_cleanup_(plan_freep) struct plan *plan = must_load(text);
			struct error err;

			CHECK_EQ(plan_targets(&t, plan, &list, 1800000000, &err), E_FORMAT);
		}
	}
}

static void check_variable(const struct plan *plan, const struct fleet_member *m, const char *name, const char *want)
{
	struct plan_variables v = { .plan = plan, .member = m };
	struct template_value value;

	if (!want) {
		CHECK(!plan_find_variable(&v, name, &value));
		return;
	}
	CHECK(plan_find_variable(&v, name, &value));
	CHECK_STR(value.values[0], want);
}

TEST(a_variable_is_what_the_last_entry_for_the_device_says)
{
	_cleanup_(fleet_list_done) struct fleet_list list = { 0 };
	_cleanup_(plan_freep) struct plan *plan = must_load(HEAD "lines: x\nvariables:\n"
								 "  - {name: ntp, value: fleet}\n"
								 "  - {name: ntp, value: site, for: 'site:north'}\n"
								 "  - {name: ntp, value: group, for: 'site:north ring:0'}\n"
								 "  - {name: ntp, value: device, for: r3}\n"
								 "  - {name: servers, values: [a, b], for: r1}\n"
								 "  - {name: servers, values: [], for: r3}\n");
	struct plan_variables v = { .plan = plan };
	struct template_value value;

	numbered(&list, 8);
	check_variable(plan, &list.members[1], "ntp", "fleet");
	check_variable(plan, &list.members[6], "ntp", "site");
	check_variable(plan, &list.members[0], "ntp", "group");
	check_variable(plan, &list.members[2], "ntp", "device");
	check_variable(plan, &list.members[2], "device.name", "r3");
	check_variable(plan, &list.members[6], "label.site", "north");
	check_variable(plan, &list.members[6], "label.ring", "1");
	check_variable(plan, &list.members[6], "label.role", NULL);
	check_variable(plan, &list.members[6], "ntq", NULL);
	v.member = &list.members[0];
	CHECK(plan_find_variable(&v, "servers", &value) && value.is_list && value.count == 2);
	v.member = &list.members[2];
	CHECK(plan_find_variable(&v, "servers", &value) && value.is_list && value.count == 0);
	v.member = &list.members[1];
	CHECK(!plan_find_variable(&v, "servers", &value));
}

/* ---- what is shown ---- */

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

/* ---- the batch ---- */

static void terms_init(struct batch_terms *t, const struct fleet *fleet, const struct root *root)
{
	*t = (struct batch_terms){
		.kind = ORDER_APPLY,
		.fleet = fleet->id,
		.person = "alice",
		.reason = "a reason",
		.root = root,
		.time_s = clock_now_s(),
		.not_before_s = clock_now_s(),
		.expires_s = clock_now_s() + 3600,
		.is_whole = true,
		.confirm_s = -1,
		.settle_s = -1,
	};
}

static struct root *root_of(const struct fleet *fleet)
{
	struct statement *st = NULL;
	struct root *root = NULL;
	struct error err = { 0 };

	CHECK_OK(statement_parse(&st, buf_bytes(&fleet->root), false, NULL, &err));
	CHECK_OK(root_new(&root, st, &err));
	return root;
}

static void device_id(char out[static ID_LEN + 1], uint32_t i)
{
	uint8_t hash[HASH_LEN];

	sha256(hash, bytes_of(&i, sizeof(i)));
	id_of_hash(out, hash);
}

/* count orders, each with a payload of its own if payloads, else all with one: sealing is not what is tested here. */
static void draft_many(struct batch_draft *draft, const struct fleet *fleet, const struct root *root, uint32_t count)
{
	_cleanup_(age_identity_done) struct age_identity box = { 0 };
	struct error err = { 0 };

	age_identity_new(&box);
	terms_init(&draft->terms, fleet, root);
	for (uint32_t i = 0; i < count; i++) {
		_cleanup_(mem_freep) char *text = mem_printf("ip route 10.0.0.0/8 10.1.%u.%u\n", i >> 8, i & 255);
		struct batch_order order = { .number = 7, .base = 42 };
		struct buf seal = { 0 };
		char id[ID_LEN + 1];

		device_id(id, i);
		order.device = id;
		order.seal = &seal;
		CHECK_OK(batch_seal(&seal, root, &box.pub, bytes_str(text), &err));
		CHECK_OK(batch_add(draft, &order, &err));
	}
	CHECK_OK(batch_finish(draft, &err));
}

TEST(the_tree_and_its_proofs_are_those_of_the_rfc)
{
	struct merkle_hash leaves[70];
	struct error err = { 0 };

	for (uint32_t i = 0; i < 70; i++)
		leaves[i] = merkle_leaf(bytes_of(&i, sizeof(i)));
	for (uint32_t count = 1; count <= 70; count++) {
		_cleanup_(mem_freep) struct merkle_hash *levels = batch_levels(leaves, count);
		struct merkle_hash *at = levels;
		struct merkle tree = { 0 };
		struct merkle_hash root;

		for (uint32_t i = 0; i < count; i++)
			merkle_add(&tree, leaves[i]);
		root = merkle_root(&tree);
		for (uint32_t n = count; n > 1; n = (n + 1) / 2)
			at += n;
		assert_memory_equal(at, root.b, HASH_LEN);
	}
	(void)err;
}

TEST(every_change_of_a_plan_file_shows_and_names_the_device)
{
	_cleanup_(batch_draft_done) struct batch_draft draft = { 0 };
	_cleanup_(buf_done) struct buf file = { 0 };
	_cleanup_(root_freep) struct root *root = NULL;
	struct fleet fleet;
	struct error err = { 0 };
	char id[ID_LEN + 1];
	size_t missed = 0;

	fleet_init(&fleet);
	root = root_of(&fleet);
	draft_many(&draft, &fleet, root, 5);
	batch_put_file(&file, &draft);
	{
		_cleanup_(batch_file_done) struct batch_file read = { 0 };
		struct buf copy = { 0 };

		buf_add_bytes(&copy, buf_bytes(&file));
		CHECK_OK(batch_file_parse(&read, &copy, &err));
		CHECK_EQ(read.count, 5);
	}
	device_id(id, 3);
	for (size_t i = 0; i < file.len; i++) { /* one bit of every byte */
		_cleanup_(batch_file_done) struct batch_file read = { 0 };
		struct buf copy = { 0 };

		buf_add_bytes(&copy, buf_bytes(&file));
		copy.ptr[i] ^= 1;
		missed += batch_file_parse(&read, &copy, &err) >= 0;
	}
	CHECK_EQ(missed, 0);
	for (size_t cut = 1; cut < 3000; cut += 37) {
		_cleanup_(batch_file_done) struct batch_file read = { 0 };
		struct buf copy = { 0 };

		buf_add(&copy, file.ptr, file.len - cut);
		CHECK(batch_file_parse(&read, &copy, &err) < 0);
	}
	{
		_cleanup_(batch_file_done) struct batch_file read = { 0 };
		struct buf copy = { 0 };
		char *at;

		buf_add_bytes(&copy, buf_bytes(&file));
		at = memmem(copy.ptr, copy.len, id, ID_LEN);
		at = strstr(at, "order: 7");
		at[7] = '8';
		CHECK_EQ(batch_file_parse(&read, &copy, &err), E_SEAL);
		CHECK(strstr(err.text, id));
	}
	fleet_done(&fleet);
}

/* ssh-keygen is called by way of a script that counts. */
TEST(ten_thousand_orders_are_signed_with_one_signature)
{
	enum { MANY = 10000 };
	_cleanup_(batch_draft_done) struct batch_draft draft = { 0 };
	_cleanup_(root_freep) struct root *root = NULL;
	_cleanup_(statement_freep) struct statement *batch = NULL;
	_cleanup_(buf_done) struct buf calls = { 0 }, one = { 0 };
	const char *folder = test_folder();
	_cleanup_(mem_freep) char *key = mem_printf("%s/key", folder), *count = mem_printf("%s/count", folder),
				  *script = mem_printf("%s/ssh-keygen", folder),
				  *text = mem_printf("#!/bin/sh\necho call >>%s\nPATH=${PATH#*:} exec ssh-keygen \"$@\"\n", count),
				  *path = mem_printf("%s:%s", folder, getenv("PATH"));
	struct fleet fleet;
	struct error err = { 0 };
	uint64_t began, planned, signed_ms;

	fleet_init(&fleet);
	root = root_of(&fleet);
	CHECK_OK(sign_make_key(key, false, &err));
	began = clock_mono_ms();
	draft_many(&draft, &fleet, root, MANY);
	planned = clock_mono_ms();
	CHECK_OK(fs_write(script, bytes_str(text), 0755, &err));
	CHECK_EQ(setenv("PATH", path, 1), 0);
	CHECK_OK(sign_statement(&draft.batch, key, &err));
	CHECK_EQ(setenv("PATH", strchr(path, ':') + 1, 1), 0);
	signed_ms = clock_mono_ms();
	CHECK_OK(fs_read(&calls, count, 4096, &err));
	CHECK_STR(buf_text(&calls), "call\n");
	CHECK_OK(statement_parse(&batch, buf_bytes(&draft.batch), false, NULL, &err));
	CHECK_OK(batch_check(batch, &err));
	{
		_cleanup_(mem_freep) struct merkle_hash *leaves = mem_alloc(MANY * sizeof(*leaves)), *levels = NULL;
		size_t longest = 0;

		for (uint32_t i = 0; i < MANY; i++)
			leaves[i] = draft.leaves[i].leaf;
		levels = batch_levels(leaves, MANY);
		for (uint32_t i = 0; i < MANY; i++) {
			_cleanup_(statement_freep) struct statement *order = NULL;
			size_t used;

			buf_truncate(&one, 0);
			batch_put_order(&one, &draft, statement_hash(batch), levels, i);
			CHECK_OK(statement_parse(&order, buf_bytes(&one), false, &used, &err));
			CHECK_OK(order_verify(order, batch, &err));
			if (used - statement_text(order).len > longest)
				longest = used - statement_text(order).len;
		}
		CHECK(longest < 1024);
		printf("figure: 10000 orders planned in %llu ms, signed once in %llu ms, proved and verified in %llu ms, longest proof %zu "
		       "bytes\n",
		       (unsigned long long)(planned - began), (unsigned long long)(signed_ms - planned),
		       (unsigned long long)(clock_mono_ms() - signed_ms), longest);
	}
	fleet_done(&fleet);
}
