/* tests/unit/test-cli-template.c -- a template takes values and lists, and nothing can be smuggled through one. */
#include "tests/test.h"

#include "cli/template.h"

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
