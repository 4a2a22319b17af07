/* tests/bench/policy.c -- what do many rules cost over one configuration, against grep?
 *
 * policy RULES BYTES DIR. Writes a configuration of that size to DIR/config and one pattern per rule to DIR/patterns (words, as they stand
 * in a line; half of them are there), and evaluates a pack of rules that look for the same: lines present in every block. Prints the times
 * of reading the pack, reading the tree, and evaluating, in ms. tests/bench/policy-ratio runs grep over the same files. */
#include "base/clock.h"
#include "base/fs.h"
#include "policies/policy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void make_config(struct buf *out, size_t bytes)
{
	for (size_t i = 0; out->len < bytes; i++)
		buf_addf(out, "ip route 10.%zu.%zu.0/24 192.0.2.%zu\nip prefix-list p%zu seq 5 permit 10.%zu.0.0/16\n", i / 250, i % 250,
			 i % 250, i, i % 250);
}

/* One in three is a regular expression: as many do in packs that people write. */
static void make_rule(struct buf *pack, struct buf *patterns, size_t i, bool is_regex)
{
	buf_addf(pack,
		 "- {id: r%zu, title: T, level: fundamental, severity: low, context: config, check: {present: %s'%sip route "
		 "10.%zu.%zu.0/24%s'%s}}\n",
		 i, is_regex ? "{matches: " : "", is_regex ? "^" : "", i / 500, i / 2 % 250 + (i % 2 ? 300 : 0), is_regex ? " " : " *",
		 is_regex ? "}" : "");
	buf_addf(patterns, "^ip route 10.%zu.%zu.0/24 \n", i / 500, i / 2 % 250 + (i % 2 ? 300 : 0));
}

static int run(size_t rules, size_t bytes, const char *dir, struct error *err)
{
	_cleanup_(buf_done) struct buf pack = { 0 }, patterns = { 0 }, config = { 0 };
	_cleanup_(mem_freep) char *config_path = mem_printf("%s/config", dir), *patterns_path = mem_printf("%s/patterns", dir);
	_cleanup_(policy_freep) struct policy *policy = NULL;
	_cleanup_(tree_done) struct tree tree = { 0 };
	_cleanup_(report_done) struct report report = { 0 };
	double began, read, treed, judged;

	make_config(&config, bytes);
	buf_add_str(&pack, "holdfast-policy: 1\npack: p\ntitle: T\ndriver: frr\nrules:\n");
	for (size_t i = 0; i < rules; i++)
		make_rule(&pack, &patterns, i, i % 3 == 0);
	if (fs_write(config_path, buf_bytes(&config), 0600, err) < 0 || fs_write(patterns_path, buf_bytes(&patterns), 0600, err) < 0)
		return err->code;
	began = now_ms();
	if (policy_read(&policy, "p", buf_bytes(&pack), err) < 0)
		return err->code;
	read = now_ms();
	if (tree_read(&tree, "frr", buf_bytes(&config), err) < 0)
		return err->code;
	treed = now_ms();
	policy_evaluate(&report, policy, &tree, NULL, &(struct policy_facts){ .driver = "frr" }, &policy_limits_operator);
	judged = now_ms();
	printf("read %.1f tree %.1f evaluate %.1f pass %zu fail %zu unknown %zu steps %llu\n", read - began, treed - read, judged - treed,
	       report.counts[VERDICT_PASS], report.counts[VERDICT_FAIL], report.counts[VERDICT_UNKNOWN], (unsigned long long)report.steps);
	return 0;
}

int main(int argc, char **argv)
{
	struct error err = { 0 };

	if (argc != 4) {
		fprintf(stderr, "usage: bench-policy RULES BYTES DIR\n");
		return 2;
	}
	if (run(strtoul(argv[1], NULL, 10), strtoul(argv[2], NULL, 10), argv[3], &err) < 0) {
		fprintf(stderr, "bench-policy: %s\n", err.text);
		return 1;
	}
	return 0;
}
