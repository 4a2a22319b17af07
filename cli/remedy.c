/* cli/remedy.c -- what puts failed rules right on one device, entered line by line. */
#include "cli/remedy.h"

#include <stdlib.h>
#include <string.h>

enum { STEPS_OF_A_WALK = 1 << 20 };

/* ---- one context ---- */

/* The names of blocks in a context, without the "config" at its begin. */
struct way {
	char *text;
	const char *step[POLICY_STEPS_MAX];
	size_t count;
};

static void way_done(struct way *way)
{
	free(way->text);
}

static struct way way_of(const char *context)
{
	struct way way = { .text = mem_strdup(context) };
	char *save, *step = strtok_r(way.text, "/", &save);

	for (step = step ? strtok_r(NULL, "/", &save) : NULL; step && way.count < POLICY_STEPS_MAX; step = strtok_r(NULL, "/", &save))
		way.step[way.count++] = step;
	return way;
}

/* A place for a value is no pattern: it becomes one word. */
static bool is_pattern(const char *step)
{
	return strpbrk(step, "*|<") || strstr(step, "...");
}

static bool is_one_place(const struct way *way)
{
	for (size_t i = 0; i < way->count; i++)
		if (is_pattern(way->step[i]))
			return false;
	return true;
}

/* Blocks are indented, as all drivers read them; one of WeOS gets its end. */
static void put_lines(struct buf *out, const char *driver, const char *const blocks[], size_t count, const struct remedy *remedy)
{
	for (size_t i = 0; i < count; i++)
		buf_addf(out, "%*s%s\n", (int)i, "", blocks[i]);
	for (size_t i = 0; i < remedy->line_count; i++)
		buf_addf(out, "%*s%s\n", (int)count, "", remedy->lines[i]);
	for (size_t depth = count; depth && !strcmp(driver, "weos"); depth--)
		buf_addf(out, "%*send\n", (int)depth, "");
}

/* ---- blocks that a pattern means ---- */

struct walk {
	const struct way *way;
	const struct remedy_gone *gone;
	const struct ruling *ruling;
	const struct tree *tree;
	const struct remedy *remedy;
	const char *driver;
	struct pattern *pattern[POLICY_STEPS_MAX];
	struct purse purse;
	struct buf *out;
	size_t found;
	bool has_secret; /* in the name of a block: nobody could enter it */
};

/* Is it the block at path, or in it? */
static bool is_within(const char *path, const char *outer)
{
	size_t len = strlen(outer);

	return !strncmp(path, outer, len) && (!path[len] || path[len] == '/');
}

/* Is it one of the blocks that the rule found something in? When not all that it found was kept, nobody knows, and all of them are. */
static bool is_wanting(const struct walk *w, const char *path)
{
	for (size_t i = 0; i < w->ruling->count; i++)
		if (is_within(w->ruling->findings[i].path, path))
			return true;
	return w->ruling->more > 0;
}

static bool is_gone(const struct walk *w, const char *path)
{
	for (size_t i = 0; i < w->gone->count; i++)
		if (is_within(path, w->gone->paths[i]))
			return true;
	return false;
}

static void put_block(struct walk *w, uint32_t node)
{
	char *blocks[POLICY_STEPS_MAX] = { NULL };
	size_t count = w->way->count;

	for (size_t i = count; i--; node = w->tree->nodes[node].in) {
		struct bytes line = tree_line(w->tree, node);

		blocks[i] = mem_strndup((const char *)line.ptr, line.len);
		w->has_secret |= strstr(blocks[i], "{{") != NULL;
	}
	put_lines(w->out, w->driver, (const char *const *)blocks, count, w->remedy);
	for (size_t i = 0; i < count; i++)
		free(blocks[i]);
}

static void put_node(struct walk *w, uint32_t node)
{
	_cleanup_(buf_done) struct buf path = { 0 };

	tree_path(&path, w->tree, node, POLICY_LINE_SHOWN);
	if (!is_wanting(w, buf_text(&path)))
		return;
	w->found++;
	if (!is_gone(w, buf_text(&path)))
		put_block(w, node);
}

static void walk(struct walk *w, uint32_t block, size_t step)
{
	if (step == w->way->count) {
		put_node(w, block);
		return;
	}
	for (uint32_t n = block + 1; n < w->tree->nodes[block].end; n = w->tree->nodes[n].end)
		if (pattern_match(w->pattern[step], tree_line(w->tree, n), NULL, &w->purse) == MATCH_YES)
			walk(w, n, step + 1);
}

static int put_everywhere(struct walk *w, const char **why)
{
	size_t len = w->out->len, made;
	struct error ignored;

	for (made = 0; made < w->way->count; made++)
		if (pattern_new_words(&w->pattern[made], w->way->step[made], &ignored) < 0)
			break;
	if (made == w->way->count)
		walk(w, 0, 0);
	while (made--)
		pattern_free(w->pattern[made]);
	if (w->found && !w->has_secret)
		return 0;
	buf_truncate(w->out, len);
	*why = w->has_secret ? "the name of a block holds a secret" : "there is no block that its lines could be entered in";
	return REMEDY_BY_HAND;
}

/* ---- what goes ---- */

void remedy_gone_add(struct remedy_gone *gone, const struct rule *rule)
{
	for (size_t i = 0; i < rule->remedy_count; i++)
		for (size_t k = 0; k < rule->remedy[i].line_count; k++) {
			const char *line = rule->remedy[i].lines[k];

			if (strncmp(line, "no ", 3) != 0 || is_pattern(rule->remedy[i].context))
				continue;
			gone->paths = mem_grow(gone->paths, (gone->count + 1) * sizeof(*gone->paths));
			gone->paths[gone->count++] = mem_printf("%s/%s", rule->remedy[i].context, line + 3);
		}
}

void remedy_gone_done(struct remedy_gone *gone)
{
	for (size_t i = 0; i < gone->count; i++)
		free(gone->paths[i]);
	free(gone->paths);
	*gone = (struct remedy_gone){ 0 };
}

/* ---- the whole ---- */

bool remedy_is_whole(const struct rule *rule, const char *driver)
{
	static const char nft[] = "config/part nftables";

	return !strcmp(driver, "files") && rule->remedy_count && strncmp(rule->remedy[0].context, nft, sizeof(nft) - 1) != 0;
}

static int put_remedy(struct buf *out, const char **why, const struct remedy *remedy, const struct ruling *ruling, const struct tree *tree,
		      const struct remedy_gone *gone, const char *driver)
{
	_cleanup_(way_done) struct way way = way_of(remedy->context);
	struct walk w = { .way = &way, .gone = gone,
			 .ruling = ruling,
			 .tree = tree,
			 .remedy = remedy,
			 .driver = driver,
			 .out = out,
			 .purse = { .left = STEPS_OF_A_WALK} };

	if (!strcmp(driver, "files")) /* commands of nft name their place themselves */
		put_lines(out, driver, NULL, 0, remedy);
	else if (is_one_place(&way))
		put_lines(out, driver, way.step, way.count, remedy);
	else
		return put_everywhere(&w, why);
	return 0;
}

bool remedy_put(struct buf *out, const struct remedy *remedy, const char *driver)
{
	_cleanup_(way_done) struct way way = way_of(remedy->context);
	bool is_place = is_one_place(&way);

	if (is_place)
		put_lines(out, driver, way.step, way.count, remedy);
	return is_place;
}

int remedy_lines(struct buf *out, const char **why, const struct rule *rule, const struct ruling *ruling, const struct tree *tree,
		 const struct remedy_gone *gone, const char *driver)
{
	size_t len = out->len;

	*why = "the rule has no remedy";
	if (!rule->remedy_count)
		return REMEDY_BY_HAND;
	for (size_t i = 0; i < rule->remedy_count; i++) {
		if (put_remedy(out, why, &rule->remedy[i], ruling, tree, gone, driver) == 0)
			continue;
		buf_truncate(out, len);
		return REMEDY_BY_HAND;
	}
	return 0;
}
