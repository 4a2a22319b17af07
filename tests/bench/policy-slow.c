/* tests/bench/policy-slow.c -- what does a pack cost that was made to be slow, over a configuration that was made for it?
 *
 * policy-slow agent|operator [NAME]. For each of the pairs below: the time until all rules have a verdict, the steps that it took, and how
 * many rules are unknown. The limits of policies/policy.h are right when no line of this is much longer than what they promise. */
#include "policies/policy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { RULES = 400, CONFIG_BYTES = 4 << 20 };

struct pair {
	const char *name;
	const char *check;             /* of each rule */
	const char *unit, *tail;       /* a line is the unit, again and again, and the tail */
	size_t line_len;
	unsigned depth;                /* of blocks that the lines are in */
};

static const struct pair pairs[] = {
	{ "alternatives", "{absent: {matches: '(a|aa){1,6}[bc]'}}", "a", "!", 40, 0 },
	{ "nested-repeats", "{absent: {matches: '^(a+)+$'}}", "a", "!", 40, 0 },
	{ "long-line", "{absent: {matches: 'a*a*a*a*a*a*b'}}", "a", "", 4000, 0 },
	{ "long-run", "{absent: {matches: '[^b]*b'}}", "a", "", 4000, 0 },
	{ "back-reference", "{absent: {matches: '^(a*)\\1\\1b'}}", "a", "", 4000, 0 },
	{ "look-behind", "{absent: {matches: '(?<=a{200})b'}}", "a", "", 4000, 0 },
	{ "dots", "{absent: {matches: '^.*.*.*.*.*x'}}", "a", "", 500, 0 },
	{ "plain", "{absent: {matches: 'zebra'}}", "a", "", 60, 0 },
	{ "words", "{absent: a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a b}", "a ", "a", 61, 0 },
	{ "long-words", "{absent: '* * * * * * * * b ...'}", "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz ", "a", 4000, 0 },
	{ "stars", "{absent: '*aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab'}", "a", "", 4000, 0 },
	{ "choices", "{absent: '0|1|2|3|4|5|6|7|8|9|b|c|d|e|f|g|h|i|j|k|l|m|n|o|p|q|r|s|t|u|v|w|x|y|z ...'}", "a ", "a", 3, 0 },
	{ "first-words", "{absent: b}", "a", "", 8, 0 },
	{ "blocks", "{each: {context: '*', check: {all: [{absent: x}, {absent: x}, {absent: x}, {absent: x}, {absent: x}, {absent: x}]}}}",
	  "a", "", 4, 0 },
	{ "values", "{compare: {left: {of: 'a <value>'}, is: below, right: {of: '* <value>'}}}", "a ", "1", 3, 0 },
	{ "findings", "{absent: a*}", "a", "", 4000, 7 },
};

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void add_line(struct buf *out, const struct pair *pair, unsigned depth)
{
	size_t until = out->len + pair->line_len;

	for (unsigned i = 0; i < depth; i++)
		buf_add_char(out, ' ');
	do
		buf_add_str(out, pair->unit);
	while (out->len < until);
	buf_addf(out, "%s\n", pair->tail);
}

static void make_config(struct buf *out, const struct pair *pair)
{
	for (unsigned i = 0; i < pair->depth; i++)
		add_line(out, pair, i);
	for (unsigned lines = 0; out->len < CONFIG_BYTES && lines < TREE_NODES_MAX - 100; lines++)
		add_line(out, pair, pair->depth);
}

static void make_pack(struct buf *out, const struct pair *pair)
{
	buf_add_str(out, "holdfast-policy: 1\npack: p\ntitle: T\ndriver: frr\nrules:\n");
	for (unsigned i = 0; i < RULES; i++) {
		buf_addf(out, "- {id: r%u, title: T, level: fundamental, severity: low, context: [config", i);
		for (unsigned k = 0; k < pair->depth; k++)
			buf_add_str(out, ", '*'");
		buf_addf(out, "], check: %s}\n", pair->check);
	}
}

static int run(const struct pair *pair, const struct policy_limits *limits, struct error *err)
{
	_cleanup_(buf_done) struct buf pack = { 0 }, config = { 0 };
	_cleanup_(policy_freep) struct policy *policy = NULL;
	_cleanup_(tree_done) struct tree tree = { 0 };
	_cleanup_(report_done) struct report report = { 0 };
	double began, took;

	make_config(&config, pair);
	make_pack(&pack, pair);
	if (policy_read(&policy, "p", buf_bytes(&pack), err) < 0 || tree_read(&tree, "frr", buf_bytes(&config), err) < 0)
		return error_add(err, "%s", pair->name);
	began = now_ms();
	policy_evaluate(&report, policy, &tree, NULL, &(struct policy_facts){ .driver = "frr" }, limits);
	took = now_ms() - began;
	printf("%-16s %8.0f ms %12llu steps %6.1f ns each; unknown %zu of %zu\n", pair->name, took, (unsigned long long)report.steps,
	       took * 1e6 / (double)(report.steps ? report.steps : 1), report.counts[VERDICT_UNKNOWN], report.count);
	return 0;
}

int main(int argc, char **argv)
{
	const struct policy_limits *limits = argc > 1 && !strcmp(argv[1], "operator") ? &policy_limits_operator : &policy_limits_agent;
	struct error err = { 0 };

	if (argc < 2 || argc > 3) {
		fprintf(stderr, "usage: bench-policy-slow agent|operator [NAME]\n");
		return 2;
	}
	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++)
		if ((argc == 2 || !strcmp(argv[2], pairs[i].name)) && run(&pairs[i], limits, &err) < 0) {
			fprintf(stderr, "bench-policy-slow: %s\n", err.text);
			return 1;
		}
	return 0;
}
