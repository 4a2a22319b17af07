/* crypto/checkpoint.c -- growth of the log between two checkpoints, and contradictions between them. */
#include "crypto/checkpoint.h"

#include "base/plural.h"

#include <string.h>

static const char head[] = "holdfast-growth/1\n", place_head[] = "holdfast-place/1\n";

static void point_text(struct buf *out, const char *key, uint64_t size, const struct merkle_hash *tree)
{
	char hex[2 * HASH_LEN + 1];

	hex_encode(hex, tree->b, HASH_LEN);
	buf_addf(out, "%s: %llu %s\n", key, (unsigned long long)size, hex);
}

static void nodes_text(struct buf *out, const struct merkle_hash *nodes, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		char hex[2 * HASH_LEN + 1];

		hex_encode(hex, nodes[i].b, HASH_LEN);
		buf_addf(out, "node: %s\n", hex);
	}
}

void growth_text(struct buf *out, const struct merkle_growth *growth)
{
	buf_add_str(out, head);
	point_text(out, "from", growth->from, &growth->old_tree);
	point_text(out, "to", growth->to, &growth->new_tree);
	nodes_text(out, growth->node, growth->len);
}

void place_text(struct buf *out, const struct merkle_place *place)
{
	buf_add_str(out, place_head);
	buf_addf(out, "index: %llu\n", (unsigned long long)place->index);
	point_text(out, "log", place->size, &place->tree);
	nodes_text(out, place->node, place->len);
}

bool growth_begins(struct bytes in)
{
	return in.len >= sizeof(head) - 1 && !memcmp(in.ptr, head, sizeof(head) - 1);
}

bool place_begins(struct bytes in)
{
	return in.len >= sizeof(place_head) - 1 && !memcmp(in.ptr, place_head, sizeof(place_head) - 1);
}

/* "key: value" in the next line, which has its end. */
static bool take(struct bytes *value, struct bytes *rest, const char *key)
{
	size_t len = strlen(key);
	struct bytes after = *rest, line;

	if (!bytes_next_line(&after, &line) || line.len == rest->len || line.len < len + 2 || memcmp(line.ptr, key, len) != 0 ||
	    memcmp(line.ptr + len, ": ", 2) != 0)
		return false;
	*value = bytes_from(line, len + 2);
	*rest = after;
	return true;
}

static bool take_point(uint64_t *size, struct merkle_hash *tree, struct bytes *rest, const char *key)
{
	struct bytes value;
	const uint8_t *space;

	if (!take(&value, rest, key))
		return false;
	space = value.len ? memchr(value.ptr, ' ', value.len) : NULL;
	return space && number_parse(size, bytes_of(value.ptr, (size_t)(space - value.ptr))) &&
	       hex_decode(tree->b, HASH_LEN, bytes_from(value, (size_t)(space - value.ptr) + 1));
}

static int take_nodes(struct merkle_hash nodes[static MERKLE_PROOF_MAX], size_t *len, struct bytes *rest, const char *what,
		      struct error *err)
{
	struct bytes value;

	while (take(&value, rest, "node")) {
		if (*len == MERKLE_PROOF_MAX)
			return error_set(err, E_FORMAT, "%s has more than %d nodes", what, MERKLE_PROOF_MAX);
		if (!hex_decode(nodes[(*len)++].b, HASH_LEN, value))
			return error_set(err, E_FORMAT, "%s has a node that is no hash", what);
	}
	return 0;
}

int growth_parse(struct merkle_growth *out, struct bytes in, size_t *used, struct error *err)
{
	struct bytes rest = bytes_from(in, sizeof(head) - 1);

	*out = (struct merkle_growth){ 0 };
	if (!growth_begins(in) || !take_point(&out->from, &out->old_tree, &rest, "from") ||
	    !take_point(&out->to, &out->new_tree, &rest, "to"))
		return error_set(err, E_FORMAT, "growth of the log is not of the documented form");
	if (take_nodes(out->node, &out->len, &rest, "growth of the log", err) < 0)
		return err->code;
	*used = in.len - rest.len;
	return 0;
}

int place_parse(struct merkle_place *out, struct bytes in, size_t *used, struct error *err)
{
	struct bytes rest = bytes_from(in, sizeof(place_head) - 1), value;

	*out = (struct merkle_place){ 0 };
	if (!place_begins(in) || !take(&value, &rest, "index") || !number_parse(&out->index, value) ||
	    !take_point(&out->size, &out->tree, &rest, "log"))
		return error_set(err, E_FORMAT, "place in the log is not of the documented form");
	if (take_nodes(out->node, &out->len, &rest, "place in the log", err) < 0)
		return err->code;
	*used = in.len - rest.len;
	return 0;
}

struct point {
	uint64_t size;
	struct merkle_hash tree;
};

static struct point point_of(const struct statement *st)
{
	struct point p = { .size = statement_number(st, "size") };

	statement_get_hash(p.tree.b, st, "tree");
	return p;
}

static bool is_same_tree(const struct merkle_hash *a, const struct merkle_hash *b)
{
	return !memcmp(a->b, b->b, HASH_LEN);
}

/* Is it about the log from a's size to b's head, and proves itself? Then old_tree is what that log really began with. */
static bool leads(const struct merkle_growth *growth, const struct point *a, const struct point *b)
{
	return growth && growth->from == a->size && growth->to == b->size && is_same_tree(&growth->new_tree, &b->tree) &&
	       merkle_growth_holds(growth);
}

int checkpoint_follows(const struct statement *seen, const struct statement *next, const struct merkle_growth *growth, struct error *err)
{
	struct point a = point_of(seen), b = point_of(next);
	unsigned long long from = a.size, to = b.size;

	if (b.size < a.size)
		return error_set(err, E_SEAL, "the log has %llu %s, and had %llu", to, plural(to, "statement", "statements"), from);
	if (b.size == a.size)
		return is_same_tree(&a.tree, &b.tree) ?
			       0 :
			       error_set(err, E_SEAL, "there are two logs of %llu %s", to, plural(to, "statement", "statements"));
	if (!a.size)
		return 0; /* any log continues the empty one */
	if (!growth)
		return error_set(err, E_SEAL, "nothing proves that the log of %llu %s continues the one of %llu", to,
				 plural(to, "statement", "statements"), from);
	if (!leads(growth, &a, &b) || !is_same_tree(&growth->old_tree, &a.tree))
		return error_set(err, E_SEAL, "the log of %llu %s does not continue the one of %llu", to,
				 plural(to, "statement", "statements"), from);
	return 0;
}

const char *checkpoints_contradict(const struct statement *a, const struct statement *b, const struct merkle_growth *growth)
{
	bool in_order = statement_number(a, "size") <= statement_number(b, "size");
	const struct statement *first = in_order ? a : b, *second = in_order ? b : a;
	struct point p = point_of(first), q = point_of(second);

	if (p.size == q.size)
		return is_same_tree(&p.tree, &q.tree) ? NULL : "two logs of one length: it was forked";
	if (leads(growth, &p, &q) && !is_same_tree(&growth->old_tree, &p.tree))
		return "the longer log begins with other statements than the shorter one: it was rewritten";
	if (statement_time(first, "time") > statement_time(second, "time"))
		return "the shorter log was signed later than the longer one: it was set back";
	return NULL;
}
