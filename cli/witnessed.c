/* cli/witnessed.c -- whether the witnesses keep up with the log. */
#include "cli/witnessed.h"

#include "cli/cli.h"

#include <string.h>

/* What one witness vouches for. */
struct vouched {
	uint64_t size;
	int64_t time_s;
};

static size_t place_of(const struct root *root, const char *name)
{
	size_t i = 0;

	while (root_witness(root, i) && strcmp(root_witness(root, i), name) != 0)
		i++;
	return i;
}

static int take_one(struct vouched vouched[static ROOT_WITNESSES_MAX], const struct root *root, const struct statement *st,
		    struct error *err)
{
	const char *name;

	if (statement_type(st) != STATEMENT_CHECKPOINT || root_verify(root, st, err) < 0)
		return 0; /* by a witness, or an archive key, of an earlier root: it does not count any more */
	name = root_cosigner(root, st);
	if (!name)
		return error_set(err, E_PEER, "what the server calls cosigned is signed by no witness");
	vouched[place_of(root, name)] = (struct vouched){ statement_number(st, "size"), statement_time(st, "time") };
	return 0;
}

static int take_all(struct vouched vouched[static ROOT_WITNESSES_MAX], const struct root *root, struct bytes rest, struct error *err)
{
	size_t used = 0;

	for (; rest.len; rest = bytes_from(rest, used)) {
		_cleanup_(statement_freep) struct statement *st = NULL;

		if (statement_parse(&st, rest, false, &used, err) < 0)
			return error_add(err, "the server's list of cosigned checkpoints");
		if (take_one(vouched, root, st, err) < 0)
			return err->code;
	}
	return 0;
}

int witnessed_judge(struct bytes list, const struct root *root, const struct statement *newest, witnessed_fn found, void *ctx,
		    struct error *err)
{
	struct vouched vouched[ROOT_WITNESSES_MAX] = { 0 };
	int64_t newest_s = statement_time(newest, "time");
	const char *name;

	if (take_all(vouched, root, list, err) < 0)
		return err->code;
	for (size_t i = 0; (name = root_witness(root, i)); i++)
		if (vouched[i].size < statement_number(newest, "size") && newest_s - vouched[i].time_s > WITNESSED_LATE_S)
			found(ctx, name, vouched[i].time_s);
	return 0;
}

int witnessed_late(struct api *api, const struct home *home, witnessed_fn found, void *ctx, struct error *err)
{
	_cleanup_(buf_done) struct buf list = { 0 };
	int r;

	if (!root_witness(home->root, 0) || !home->checkpoint)
		return 0;
	r = api_get(&list, api, "/v1/cosigned", (ROOT_WITNESSES_MAX + 1) * STATEMENT_MAX, err);
	if (r == CLI_ABSENT)
		return 0; /* a server of before */
	return r < 0 ? r : witnessed_judge(buf_bytes(&list), home->root, home->checkpoint, found, ctx, err);
}
