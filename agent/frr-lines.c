/* agent/frr-lines.c -- what FRRouting thinks of lines: checked without an effect, entered, and what it said about them.
 *
 * vtysh is a poor judge. A line for a daemon that is not there is dropped without a word; `exit` on the top level leaves configuration, and
 * what follows is carried out as a command, even by the check that is to have no effect; and messages repeat the line, which may hold a
 * secret. So the text is looked at before vtysh sees it, and of a message only the number of its line is passed on. */
#include "agent/frr-parts.h"

#include "policies/frr-text.h"
#include "policies/words.h"

#include <stdio.h>
#include <string.h>

/* Which daemon takes which commands; the first that fits counts. */
static const struct {
	const char *words, *daemon;
} takers[] = {
	{ "router ripng", "ripngd" },   { "router rip", "ripd" },	 { "router ospf6", "ospf6d" }, { "router ospf", "ospfd" },
	{ "router bgp", "bgpd" },	{ "router isis", "isisd" },	 { "router eigrp", "eigrpd" }, { "router babel", "babeld" },
	{ "router openfabric", "fabricd" }, { "ip ospf", "ospfd" },	 { "ipv6 ospf6", "ospf6d" },   { "ip rip", "ripd" },
	{ "ipv6 ripng", "ripngd" },	{ "ip router isis", "isisd" }, { "ipv6 router isis", "isisd" }, { "isis", "isisd" },
	{ "ip router openfabric", "fabricd" }, { "openfabric", "fabricd" }, { "ip pim", "pimd" },     { "ip igmp", "pimd" },
	{ "ip eigrp", "eigrpd" },	{ "babel", "babeld" },	       { "bfd", "bfdd" },	      { "vrrp", "vrrpd" },
	{ "pbr-map", "pbrd" },		{ "pbr-policy", "pbrd" },      { "mpls ldp", "ldpd" },	      { "segment-routing", "pathd" },
	{ "ip route", "staticd" },	{ "ipv6 route", "staticd" },   { "ip nhrp", "nhrpd" },	      { "ipv6 nhrp", "nhrpd" },
};

static bool begins_with_words(struct bytes line, const char *pattern)
{
	struct bytes words[FRR_WORDS_MAX];
	size_t count = words_split(words, FRR_WORDS_MAX, line), at = 0;

	if (count && bytes_is(words[0], "no"))
		at = 1;
	for (; *pattern; at++) {
		size_t len = strcspn(pattern, " ");

		if (at == count || words[at].len != len || memcmp(words[at].ptr, pattern, len) != 0)
			return false;
		pattern += len + (pattern[len] == ' ');
	}
	return true;
}

/* The daemon that this line needs and that is not there; NULL when there is none such. */
static const char *daemon_missing(struct bytes line, struct bytes answering)
{
	for (size_t i = 0; i < ARRAY_SIZE(takers); i++)
		if (begins_with_words(line, takers[i].words))
			return frr_has_word(answering, takers[i].daemon) ? NULL : takers[i].daemon;
	return NULL;
}

static int check_lines(struct bytes text, struct bytes answering, struct error *err)
{
	struct bytes line;

	for (unsigned n = 1; bytes_next_line(&text, &line); n++) {
		const char *why = frr_line_refused(line), *daemon = daemon_missing(line, answering);

		if (why)
			return error_set(err, E_FORMAT, "line %u: %s", n, why);
		if (daemon)
			return error_set(err, E_FORMAT, "line %u: it needs %s, which does not run", n, daemon);
	}
	return 0;
}

/* A whole text as FRR itself prints it has lines that are none of its commands; numbers of lines stay. */
static void as_file(struct buf *out, struct bytes text)
{
	struct bytes line;

	while (bytes_next_line(&text, &line)) {
		bool is_frame = words_start(line, "Building configuration...") || words_start(line, "Current configuration:") ||
				bytes_is(line, "end");

		buf_add_bytes(out, is_frame ? bytes_str("!") : line);
		buf_add_char(out, '\n');
	}
}

/* ---- what vtysh says ---- */

/* "line 7: % Unknown command[4]: ..." and "line 7: Failure to communicate[13] to bgpd, line: ...". */
static int take_message(struct bytes line, struct error *err)
{
	char daemon[32] = "", text[128];
	unsigned n;

	snprintf(text, sizeof(text), "%.*s", (int)line.len, (const char *)line.ptr);
	if (sscanf(text, "line %u: Failure to communicate[%*d] to %31[a-z0-9],", &n, daemon) == 2)
		return error_set(err, E_FORMAT, "line %u: %s does not take it", n, daemon);
	if (sscanf(text, "line %u: %% Unknown command", &n) == 1)
		return error_set(err, E_FORMAT, "line %u: FRRouting knows no such command here", n);
	if (sscanf(text, "line %u: ", &n) == 1)
		return error_set(err, E_FORMAT, "line %u: FRRouting does not take it", n);
	return error_set(err, E_FORMAT, "FRRouting does not take a line, and does not say which");
}

static bool holds(struct bytes line, const char *text)
{
	return line.ptr && memmem(line.ptr, line.len, text, strlen(text));
}

static bool is_complaint(struct bytes line)
{
	static const char *const harmless = "% Can't open configuration file";

	if (words_start(line, harmless) || holds(line, "XFRR_"))
		return false;
	return words_start(line, "line ") || words_start(line, "%") || holds(line, "[ERROR]") || holds(line, "is not running");
}

/* 0: nobody complained. The first complaint that names its line counts, else the first of all. */
static int judge_output(struct bytes text, struct error *err)
{
	struct bytes line = { 0 }, first = { 0 };

	while (bytes_next_line(&text, &line)) {
		if (!line.len || !is_complaint(line))
			continue;
		if (words_start(line, "line "))
			return take_message(line, err);
		if (!first.len)
			first = line;
	}
	return first.len ? take_message(first, err) : 0;
}

static int judge(const struct proc_result *res, struct error *err)
{
	if (strstr(buf_text(&res->err), "failed to connect to any daemons"))
		return error_set(err, E_PEER, "no daemon of the router answers");
	if (judge_output(buf_bytes(&res->err), err) < 0 || judge_output(buf_bytes(&res->out), err) < 0)
		return err->code;
	return res->status ? error_set(err, E_PEER, "vtysh ended with status %d", res->status) : 0;
}

static int read_lines(const struct settings_device *dev, bool is_trial, struct bytes lines, struct error *err)
{
	static const char *const trial[] = { "-C", "-f", "/dev/stdin", NULL }, *const entry[] = { "-f", "/dev/stdin", NULL };
	_cleanup_(proc_result_done) struct proc_result res = { 0 };

	if (frr_vtysh(&res, dev->frr, is_trial ? trial : entry, lines, FRR_APPLY_MS, err) < 0)
		return err->code;
	return judge(&res, err);
}

int frr_enter(const struct settings_device *dev, struct bytes lines, struct error *err)
{
	return read_lines(dev, false, lines, err);
}

static int ask_daemons(struct buf *out, const struct settings_device *dev, struct error *err)
{
	static const char *const args[] = { "-c", "show daemons", NULL };
	_cleanup_(proc_result_done) struct proc_result res = { 0 };

	if (frr_vtysh(&res, dev->frr, args, (struct bytes){ 0 }, FRR_VTYSH_MS, err) < 0)
		return err->code;
	if (res.status)
		return error_set(err, E_PEER, "vtysh ended with status %d", res.status);
	buf_add_bytes(out, buf_bytes(&res.out));
	return 0;
}

int frr_check(const struct settings_device *dev, struct bytes text, enum device_apply how, struct error *err)
{
	_cleanup_(buf_done) struct buf answering = { 0 }, file = { 0 }, canonical = { 0 };

	if (text.len >= DEVICE_TEXT_MAX)
		return error_set(err, E_FORMAT, "%zu bytes are over %d", text.len, DEVICE_TEXT_MAX);
	frr_canonical(&canonical, text);
	if (!canonical.len)
		return error_set(err, E_FORMAT, "there is no command in it");
	if (how == DEVICE_WHOLE)
		as_file(&file, text);
	else
		buf_add_bytes(&file, text);
	if (ask_daemons(&answering, dev, err) < 0 || check_lines(buf_bytes(&file), buf_bytes(&answering), err) < 0)
		return err->code;
	return read_lines(dev, true, buf_bytes(&file), err);
}

int frr_show(struct buf *out, const struct settings_device *dev, const char *command, struct error *err)
{
	_cleanup_(mem_freep) char *whole = mem_printf("show %s", command);
	const char *args[] = { "-c", whole, NULL };
	_cleanup_(proc_result_done) struct proc_result res = { 0 };

	if (frr_vtysh(&res, dev->frr, args, (struct bytes){ 0 }, FRR_VTYSH_MS, err) < 0)
		return err->code;
	if (res.status)
		return error_set(err, E_PEER, "vtysh ended with status %d", res.status);
	if (res.out.len > DEVICE_SHOW_MAX)
		return error_set(err, E_LIMIT, "an answer of %zu bytes is over %d", res.out.len, DEVICE_SHOW_MAX);
	buf_add_bytes(out, buf_bytes(&res.out));
	return 0;
}
