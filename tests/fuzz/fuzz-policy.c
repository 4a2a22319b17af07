/* tests/fuzz/fuzz-policy.c -- a pack that somebody wrote, and configurations of every driver: nothing in them is slow, no secret comes out,
 * and what is not read is refused with its place.
 *
 * The input is a pack, a line `%%`, and a configuration; without that line it is both. */
#include "tests/fuzz/fuzz.h"

#include "policies/examples.h"
#include "policies/policy.h"

#include <string.h>

static const char *const drivers[] = { "weos", "frr", "files" };

/* Blocks lie in each other, lines rise only where the text does, and a path leads to every node. */
static void check_tree(const struct tree *tree, struct bytes text)
{
	MUST(tree->count && tree->count <= TREE_NODES_MAX && tree->nodes[0].end == tree->count);
	for (uint32_t i = 1; i < tree->count; i++) {
		const struct tree_node *n = &tree->nodes[i], *in = &tree->nodes[n->in];
		_cleanup_(buf_done) struct buf path = { 0 };

		MUST(n->in < i && n->end > i && n->end <= in->end && n->line >= 1 && n->line <= text.len + 1);
		MUST(n->len && n->len <= TREE_LINE_MAX + 16 * sizeof(TREE_SECRET));
		MUST(!memchr(tree_line(tree, i).ptr, '\n', n->len) && !in->is_unclear);
		tree_path(&path, tree, i, POLICY_LINE_SHOWN);
		MUST(path.len > (n->len < POLICY_LINE_SHOWN ? n->len : POLICY_LINE_SHOWN));
	}
}

/* Tokens of the archive are in no tree. */
static bool has_token(const struct tree *tree)
{
	static const char token[] = "{{secret 0123456789abcdef}}";

	return tree->text.len >= sizeof(token) - 1 && memmem(tree->text.ptr, tree->text.len, token, sizeof(token) - 1);
}

static void check_verdicts(const struct policy *policy, const struct tree *tree, const char *driver)
{
	const struct policy_facts facts = { .driver = driver, .model = "Lynx", .firmware = "5.24.0" };
	_cleanup_(report_done) struct report report = { 0 };
	size_t all = 0;

	policy_evaluate(&report, policy, tree, "no tree", &facts, &policy_limits_agent);
	MUST(report.count == policy->count);
	for (size_t i = 0; i < VERDICTS; i++)
		all += report.counts[i];
	MUST(all == report.count && (tree || !report.counts[VERDICT_PASS]));
	for (size_t i = 0; i < report.count; i++) {
		const struct ruling *r = &report.rulings[i];

		MUST(r->count <= POLICY_FINDINGS_MAX && (r->verdict == VERDICT_PASS || r->verdict == VERDICT_FAIL || r->why[0]));
		MUST(r->verdict != VERDICT_FAIL || r->count || r->more);
		for (size_t k = 0; k < r->count; k++)
			MUST(r->findings[k].path[0] && r->findings[k].text[0]);
	}
}

static void check_config(const struct policy *policy, struct bytes text)
{
	for (size_t i = 0; i < ARRAY_SIZE(drivers); i++) {
		_cleanup_(tree_done) struct tree tree = { 0 };
		struct error err = { 0 };
		bool is_read = tree_read(&tree, drivers[i], text, &err) == 0;

		MUST(is_read ? !has_token(&tree) : err.text[0] && !tree.nodes);
		if (is_read)
			check_tree(&tree, text);
		if (policy)
			check_verdicts(policy, is_read ? &tree : NULL, drivers[i]);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *mark = size ? memmem(data, size, "\n%%\n", 4) : NULL;
	struct bytes pack = bytes_of(data, mark ? (size_t)(mark - data) : size),
		     config = mark ? bytes_of(mark + 4, size - pack.len - 4) : pack;
	_cleanup_(policy_freep) struct policy *policy = NULL;
	_cleanup_(examples_done) struct examples_report examples = { 0 };
	struct error err = { 0 };

	if (policy_read(&policy, "p", pack, &err) < 0)
		MUST(!policy && !strncmp(err.text, "p:", 2));
	else if (examples_run(&examples, policy, "e", config, &err) < 0)
		MUST(!strncmp(err.text, "e:", 2));
	check_config(policy, config);
	return 0;
}
