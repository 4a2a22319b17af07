/* cli/contradiction.c -- checkpoints that contradict each other: fetched, kept, read, judged. */
#include "cli/contradiction.h"

#include "base/fs.h"
#include "base/plural.h"
#include "cli/api.h"

#include <string.h>

enum { ANSWER_MAX = 2 * STATEMENT_MAX };

void contradiction_done(struct contradiction *c)
{
	c->a = statement_free(c->a);
	c->b = statement_free(c->b);
}

void contradiction_text(struct buf *out, const struct contradiction *c)
{
	buf_add_bytes(out, statement_whole(c->a));
	if (c->b)
		buf_add_bytes(out, statement_whole(c->b));
	if (c->has_growth)
		growth_text(out, &c->growth);
}

static int take_checkpoint(struct statement **out, struct bytes *rest, struct error *err)
{
	size_t used = 0;
	int r = statement_parse(out, *rest, false, &used, err);

	if (r < 0)
		return r;
	*rest = bytes_from(*rest, used);
	if (statement_type(*out) == STATEMENT_CHECKPOINT)
		return 0;
	return error_set(err, E_FORMAT, "there is a %s where a checkpoint should be", statement_type_name(statement_type(*out)));
}

static int parse(struct contradiction *c, struct bytes rest, struct error *err)
{
	size_t used = 0;
	int r = take_checkpoint(&c->a, &rest, err);

	if (r == 0 && rest.len && !growth_begins(rest))
		r = take_checkpoint(&c->b, &rest, err);
	if (r == 0 && growth_begins(rest)) {
		r = growth_parse(&c->growth, rest, &used, err);
		c->has_growth = true;
		rest = bytes_from(rest, used);
	}
	return r == 0 && rest.len ?
		       error_set(err, E_FORMAT, "%zu %s behind the checkpoints", rest.len, plural(rest.len, "byte stands", "bytes stand")) :
		       r;
}

int contradiction_parse(struct contradiction *out, struct bytes in, struct error *err)
{
	int r;

	*out = (struct contradiction){ 0 };
	r = parse(out, in, err);
	if (r < 0)
		contradiction_done(out);
	return r;
}

int contradiction_verify(const struct home *home, const struct statement *checkpoint, struct error *err)
{
	uint64_t version = statement_number(checkpoint, "root");

	if (!version || version > home->root_count)
		return error_set(err, E_DENIED, "the checkpoint names root %llu, and %zu %s known here; look at the server first",
				 (unsigned long long)version, home->root_count, plural(home->root_count, "version is", "versions are"));
	if (root_verify(home->roots[version - 1], checkpoint, err) == 0)
		return 0;
	return root_verify(home->root, checkpoint, err); /* a witness may have come into the root since */
}

int contradiction_judge(const char **how, const struct contradiction *c, const struct home *home, struct error *err)
{
	*how = NULL;
	if (contradiction_verify(home, c->a, err) < 0 || (c->b && contradiction_verify(home, c->b, err) < 0))
		return err->code;
	if (c->b)
		*how = checkpoints_contradict(c->a, c->b, c->has_growth ? &c->growth : NULL);
	return 0;
}

int contradiction_fetch(struct contradiction *out, struct api *api, uint64_t from, struct error *err)
{
	_cleanup_(mem_freep) char *path = mem_printf("/v1/checkpoint?from=%llu", (unsigned long long)from);
	_cleanup_(buf_done) struct buf text = { 0 };
	int r = api_get_open(&text, api, path, ANSWER_MAX, err);

	if (r < 0)
		return r;
	if (contradiction_parse(out, buf_bytes(&text), err) < 0 || out->b) {
		contradiction_done(out);
		return error_set(err, E_PEER, "the server's answer to '%s' is not one checkpoint", path);
	}
	return 0;
}

char *contradiction_keep(const struct home *home, const struct contradiction *given)
{
	struct contradiction both = *given; /* whole: gcc 12 loses bytes of the growth when it is copied as a member of an initializer */
	_cleanup_(buf_done) struct buf text = { 0 };
	_cleanup_(mem_freep) char *path = NULL;
	struct error ignored;
	const char *how;
	char digits[17];

	both.b = given->a;
	both.a = home->checkpoint;
	if (!home->checkpoint || contradiction_judge(&how, &both, home, &ignored) < 0 || !how)
		return NULL;
	hex_encode(digits, statement_hash(given->a), 8);
	path = mem_printf("%s/contradiction-%s", home->dir, digits);
	contradiction_text(&text, &both);
	return fs_write(path, buf_bytes(&text), 0644, &ignored) < 0 ? NULL : steal(path);
}
