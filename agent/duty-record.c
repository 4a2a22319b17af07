/* agent/duty-record.c -- what a look shows is recorded before anything is done about it. */
#include "agent/duty-parts.h"

#include "agent/core.h"
#include "base/clock.h"
#include "base/log.h"

#include <stdio.h>
#include <string.h>

enum {
	CHANGE_SPACING_MS = 30000, /* between snapshots of an engineer who is still typing */
	SPOOL_OVER = 2,            /* times the setting: from there on nothing is saved either, since it could not be recorded */
};

static int make_epoch(struct duty *d, struct error *err)
{
	struct chain next;
	struct snapshot_by by;

	duty_by(&by, d);
	chain_copy(&next, &d->state.chain);
	if (epoch_make(&next, &by, err) < 0) {
		chain_done(&next);
		return err->code;
	}
	if (state_commit(&d->state, &next, err) < 0)
		return err->code;
	log_notice("epoch device=%s number=%llu epoch=%llu", d->dev->name, (unsigned long long)d->state.chain.number,
		   (unsigned long long)d->state.chain.epoch);
	return 0;
}

static int make_snapshot(struct duty *d, const struct snapshot_input *in, const char *incarnation, struct error *err)
{
	struct chain next;
	struct snapshot_by by;

	duty_by(&by, d);
	chain_copy(&next, &d->state.chain);
	if (snapshot_make(&next, in, &by, err) < 0) {
		chain_done(&next);
		return err->code;
	}
	snprintf(next.incarnation, sizeof(next.incarnation), "%s", incarnation);
	next.is_blocked = d->commit.is_blocked;
	if (state_commit(&d->state, &next, err) < 0)
		return err->code;
	d->recorded = d->facts;
	d->has_recorded = true;
	log_notice("snapshot device=%s number=%llu reason=%s saved=%s", d->dev->name, (unsigned long long)d->state.chain.number, in->reason,
		   commit_saved_name(in->saved));
	return 0;
}

bool duty_facts_differ(const struct duty *d)
{
	const struct device_facts *a = &d->recorded, *b = &d->facts;

	return d->has_recorded &&
	       (strcmp(a->model, b->model) != 0 || strcmp(a->serial, b->serial) != 0 || strcmp(a->firmware, b->firmware) != 0);
}

/* Why a snapshot is due; NULL: none is. */
static const char *snapshot_reason(const struct duty *d, const struct snapshot_input *in, bool is_restarted, bool is_new_epoch)
{
	const struct chain *c = &d->state.chain;
	const char *ours;

	if (!c->has_snapshot || !c->running_since)
		return "contact";
	if (is_restarted)
		return "boot";
	ours = obey_reason(d, snapshot_running_differs(c, in));
	if (ours)
		return ours;
	if (d->done && in->saved == SAVED_YES)
		return d->done;
	if (snapshot_running_differs(c, in))
		return "change";
	if (snapshot_startup_differs(c, in))
		return in->saved == SAVED_YES ? "save" : "change";
	if ((in->saved == SAVED_UNKNOWN) != (c->saved == SAVED_UNKNOWN))
		return "change"; /* of what will boot: in no text, and not to be missed in the archive */
	return is_new_epoch || duty_facts_differ(d) ? "contact" : NULL;
}

static bool may_wait(const struct duty *d, const char *reason)
{
	return !strcmp(reason, "change") && !d->obey.count && d->decision.action != COMMIT_SAVE && d->decision.action != COMMIT_RETURN &&
	       clock_mono_ms() < d->change_due_ms;
}

static int check_spool(const struct duty *d, const char *reason, struct error *err)
{
	uint64_t most = d->core->settings->spool;

	if (!strcmp(reason, "change") && d->decision.action != COMMIT_SAVE && d->decision.action != COMMIT_RETURN)
		return d->state.spool.count < most ?
			       0 :
			       error_set(err, E_LIMIT, "the spool is full (%llu): changes are not recorded until the server is back",
					 (unsigned long long)most);
	return d->state.spool.count < SPOOL_OVER * most ?
		       0 :
		       error_set(err, E_LIMIT, "the spool is full (%llu): nothing is recorded or saved until the server is back",
				 (unsigned long long)d->state.spool.count);
}

int duty_record(struct duty *d, struct snapshot_input *in, const char *incarnation, bool *is_recorded, struct error *err)
{
	bool is_restarted = d->view.is_restarted, is_new_epoch = epoch_is_due(&d->state.chain, d->state.root, state_now(&d->state));
	const char *reason;

	*is_recorded = false;
	if (is_new_epoch && make_epoch(d, err) < 0)
		return error_add(err, "new epoch");
	reason = snapshot_reason(d, in, is_restarted, is_new_epoch || !d->state.chain.base.is_there);
	*is_recorded = !reason;
	if (!reason || may_wait(d, reason))
		return 0;
	in->reason = reason;
	if (check_spool(d, reason, err) < 0 || make_snapshot(d, in, incarnation, err) < 0)
		return error_add(err, "snapshot");
	*is_recorded = true;
	obey_recorded(d);
	if (!strcmp(reason, "change"))
		d->change_due_ms = clock_mono_ms() + CHANGE_SPACING_MS;
	return 0;
}

int duty_remember(struct duty *d, const char *incarnation, struct error *err)
{
	struct chain *c = &d->state.chain;
	bool is_other = incarnation != c->incarnation && strcmp(c->incarnation, incarnation);

	if (c->is_blocked == d->commit.is_blocked && c->unsaved_since_s == d->commit.unsaved_since_s &&
	    c->drift_since_s == d->drift_since_s && !is_other)
		return 0;
	c->is_blocked = d->commit.is_blocked;
	c->unsaved_since_s = d->commit.unsaved_since_s;
	c->drift_since_s = d->drift_since_s;
	if (is_other)
		snprintf(c->incarnation, sizeof(c->incarnation), "%s", incarnation);
	return state_store_chain(&d->state, err);
}
