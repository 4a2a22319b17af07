/* agent/obey-policy.c -- an order that brings a set of policies.
 *
 * The set is checked and on disk before the order is in hand, and in force together with its receipt: see agent/policy.h. */
#include "agent/obey-parts.h"

#include "base/log.h"

#include <string.h>

static bool refuse(struct duty *d, size_t i, struct orders_judgement *j)
{
	j->is_genuine = true; /* it was judged */
	obey_refuse(d, &d->obey.queue[i].item, j);
	obey_drop(&d->obey, i);
	return false;
}

bool obey_take_policies(struct duty *d, size_t i, bool *waits)
{
	const struct orders_item *item = &d->obey.queue[i].item;
	struct orders_judgement j = { .verdict = ORDERS_OBEY };
	_cleanup_(buf_done) struct buf text = { 0 };
	struct error err = { 0 };

	orders_open(&j, &text, item, &d->state.box);
	if (j.verdict != ORDERS_OBEY)
		return refuse(d, i, &j);
	if (duty_policies_check(d, buf_bytes(&text), &err) < 0) {
		log_failure(LOG_WARNING, "policies-refused", &err);
		policies_only_place(&err);
		orders_refuse(&j, CHECK_POLICY, "%s", err.text);
		return refuse(d, i, &j);
	}
	if (policies_store(d->dir, buf_bytes(&item->payload), &err) < 0) {
		obey_trouble(d, "a set of policies waits, since it cannot be stored", &err);
		*waits = true;
	}
	return true;
}

int obey_do_policies(const struct duty *d, struct error *err)
{
	struct seal_ref ref;

	if (statement_seal(&ref, d->obey.change.order, "payload") && policies_stored(d->dir, ref.hash))
		return 0;
	return error_set(err, E_SYS, "the set is not on disk any more; what was in force still is");
}

void obey_note_policies(struct chain_policy *out, const struct duty *d, const struct receipt_input *in)
{
	const struct change *c = &d->obey.change;
	struct seal_ref ref;

	if (!change_is_open(c) || c->kind != ORDER_POLICY || c->number != in->order || strcmp(in->outcome, "done") != 0 ||
	    !statement_seal(&ref, c->order, "payload"))
		return;
	out->order = c->number;
	memcpy(out->leaf, c->leaf, HASH_LEN);
	memcpy(out->payload, ref.hash, HASH_LEN);
}
