/* agent/news.c -- what a poll brings. */
#include "agent/news.h"

#include "agent/core.h"
#include "base/log.h"

#include <string.h>

struct news {
	struct orders_batch *batch; /* the newest of the list */
	struct orders_item orders[NEWS_ORDERS_MAX];
	size_t order_count;
	struct statement *receipts[NEWS_RECEIPTS_MAX];
	size_t receipt_count;
	bool is_new, has_decided;
};

static void news_done(struct news *n)
{
	orders_batch_drop(n->batch);
	for (size_t i = 0; i < n->order_count; i++)
		orders_item_done(&n->orders[i]);
	for (size_t i = 0; i < n->receipt_count; i++)
		statement_free(n->receipts[i]);
}

static int take_order(struct news *n, struct bytes *list, struct error *err)
{
	if (n->order_count == NEWS_ORDERS_MAX)
		return error_set(err, E_LIMIT, "more than %d orders at once", NEWS_ORDERS_MAX);
	orders_item_read(&n->orders[n->order_count++], list, n->batch);
	return 0;
}

/* Of the batch before it all that comes is there now. */
static void take_batch(struct duty *d, struct news *n, struct statement *st)
{
	if (n->batch)
		n->has_decided = obey_controls(d, n->batch) || n->has_decided;
	orders_batch_drop(n->batch);
	n->batch = orders_batch_new(st);
}

static int take_control(struct news *n, struct statement *st, struct error *err)
{
	if (n->batch && orders_batch_control(n->batch, st))
		return 0;
	if (!n->batch)
		statement_free(st);
	return error_set(err, E_FORMAT, n->batch ? "too many controls of one batch" : "a control without its batch");
}

static int take_receipt(struct news *n, struct statement *st, struct error *err)
{
	if (n->receipt_count == NEWS_RECEIPTS_MAX) {
		statement_free(st);
		return error_set(err, E_LIMIT, "more than %d receipts at once", NEWS_RECEIPTS_MAX);
	}
	n->receipts[n->receipt_count++] = st;
	return 0;
}

/* A root or the admission. */
static int take_state(struct duty *d, struct statement *st, struct news *n, struct error *err)
{
	enum statement_type type = statement_type(st);
	int r = type == STATEMENT_ROOT ? state_take_root(&d->state, st, err) : state_take_admit(&d->state, st, err);

	if (r != 0)
		return r < 0 ? r : 0;
	n->is_new = true;
	log_notice("took device=%s type=%s root=%llu", d->dev->name, statement_type_name(type),
		   (unsigned long long)root_version(d->state.root));
	return 0;
}

/* Takes st over. */
static int take_one(struct duty *d, struct statement *st, struct news *n, struct error *err)
{
	switch ((int)statement_type(st)) {
	case STATEMENT_ROOT:
	case STATEMENT_ADMIT:
		return take_state(d, st, n, err);
	case STATEMENT_BATCH:
		take_batch(d, n, st);
		return 0;
	case STATEMENT_CONTROL:
		return take_control(n, st, err);
	case STATEMENT_RECEIPT:
		return take_receipt(n, st, err);
	default:
		statement_free(st);
		return error_set(err, E_FORMAT, "a statement of another type");
	}
}

/* And, behind it, how the log grew from the one that our status named. Takes st over. */
static int take_checkpoint(struct duty *d, struct statement *st, struct bytes *rest, struct error *err)
{
	_cleanup_(statement_freep) struct statement *own = st;
	struct merkle_growth growth;
	bool is_grown = growth_begins(*rest);
	size_t used = 0;
	int r;

	if (is_grown && growth_parse(&growth, *rest, &used, err) < 0)
		return err->code;
	*rest = bytes_from(*rest, used);
	r = state_take_checkpoint(&d->state, steal(own), is_grown ? &growth : NULL, err);
	return r < 0 ? r : 0;
}

static int read_list(struct duty *d, struct bytes list, struct news *n, struct error *err)
{
	while (list.len) {
		struct statement *st;
		size_t used;
		int r;

		if (orders_is_order(list)) {
			if (take_order(n, &list, err) < 0)
				return err->code;
			continue;
		}
		r = statement_parse(&st, list, false, &used, err);
		if (r < 0)
			return r;
		list = bytes_from(list, used);
		r = statement_type(st) == STATEMENT_CHECKPOINT ? take_checkpoint(d, st, &list, err) : take_one(d, st, n, err);
		if (r < 0)
			return r;
	}
	return 0;
}

int news_take(struct duty *d, struct bytes list, bool *has_root, struct error *err)
{
	_cleanup_(news_done) struct news n = { 0 };
	int r = read_list(d, list, &n, err);

	*has_root = n.is_new;
	if (n.batch)
		n.has_decided = obey_controls(d, n.batch) || n.has_decided;
	n.is_new = n.is_new || n.has_decided;
	for (size_t i = 0; i < n.receipt_count; i++)
		n.is_new = obey_heard(d, n.receipts[i]) || n.is_new;
	for (size_t i = 0; i < n.order_count; i++)
		n.is_new = obey_brought(d, &n.orders[i]) || n.is_new;
	return r < 0 ? r : n.is_new;
}
