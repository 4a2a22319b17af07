/* agent/commit.c -- running against startup: what is unsaved, and what to do about it. */
#include "agent/commit.h"

#include <string.h>

enum { RETRY_MAX_MS = 3600000, RETRY_DOUBLINGS_MAX = 10 };

void commit_init(struct commit *c, const struct settings_commit *settings, int64_t unsaved_since_s, bool is_blocked)
{
	*c = (struct commit){
		.unsaved_since_s = unsaved_since_s,
		.is_blocked = is_blocked,
	};
	commit_set(c, settings);
}

void commit_set(struct commit *c, const struct settings_commit *settings)
{
	c->mode = settings->mode;
	c->quiet_ms = settings->quiet * 1000ULL;
	c->remind_ms = settings->remind * 1000ULL;
}

/* Remembers the view; tells whether it differs from the one before. */
static bool take_view(struct commit *c, const struct commit_view *view)
{
	bool is_new = !c->is_seen || memcmp(c->running, view->running, COMMIT_DIGEST_LEN) != 0 ||
		      memcmp(c->startup, view->startup, COMMIT_DIGEST_LEN) != 0;

	memcpy(c->running, view->running, COMMIT_DIGEST_LEN);
	memcpy(c->startup, view->startup, COMMIT_DIGEST_LEN);
	c->is_seen = true;
	return is_new;
}

static enum commit_action wanted_action(const struct commit *c)
{
	switch (c->mode) {
	case MODE_OBSERVE:
		return COMMIT_NOTHING;
	case MODE_REMIND:
		return COMMIT_REMIND;
	case MODE_COMMIT:
		return COMMIT_SAVE;
	case MODE_REVERT:
		return COMMIT_RETURN;
	}
	return COMMIT_NOTHING;
}

static struct commit_decision waits(const struct commit *c, enum commit_why why)
{
	return (struct commit_decision){ COMMIT_NOTHING, SAVED_NO, why, c->unsaved_since_s };
}

/* Unsaved, whole and known: is it time? */
static struct commit_decision decide(struct commit *c, const struct commit_view *view, uint64_t mono_ms)
{
	struct commit_decision d = { wanted_action(c), SAVED_NO, WHY_NONE, c->unsaved_since_s };

	if (d.action == COMMIT_NOTHING)
		return waits(c, WHY_MODE);
	if (view->is_held)
		return waits(c, WHY_HELD);
	if (view->is_exempt && d.action != COMMIT_REMIND)
		return waits(c, WHY_EXEMPT);
	if (c->is_blocked && d.action == COMMIT_SAVE)
		return waits(c, WHY_RESTARTED);
	if (d.action == COMMIT_RETURN && !view->has_startup)
		return waits(c, WHY_NOT_WHOLE); /* an absent file is no order to erase everything */
	if (mono_ms < c->changed_ms + c->quiet_ms)
		return waits(c, WHY_QUIET);
	if (d.action == COMMIT_REMIND) {
		if (mono_ms < c->remind_due_ms)
			d.action = COMMIT_NOTHING;
		else
			c->remind_due_ms = mono_ms + c->remind_ms;
		return d;
	}
	if (mono_ms < c->retry_due_ms)
		return waits(c, WHY_FAILED);
	return d;
}

static struct commit_decision saved_now(struct commit *c, bool is_doubtful)
{
	c->unsaved_since_s = 0;
	c->is_blocked = false;
	c->failures = 0;
	c->retry_due_ms = 0;
	c->remind_due_ms = 0;
	if (is_doubtful)
		return (struct commit_decision){ COMMIT_NOTHING, SAVED_UNKNOWN, WHY_DOUBTFUL, 0 };
	return (struct commit_decision){ COMMIT_NOTHING, SAVED_YES, WHY_NONE, 0 };
}

struct commit_decision commit_step(struct commit *c, const struct commit_view *view, uint64_t mono_ms, int64_t now_s)
{
	struct commit_decision unknown = { COMMIT_NOTHING, SAVED_UNKNOWN, WHY_NOT_WHOLE, c->unsaved_since_s };
	bool was_seen = c->is_seen;

	if (view->is_known && view->is_restarted)
		c->is_blocked = true;
	if (!view->is_known || !view->is_whole) {
		c->changed_ms = mono_ms; /* what comes after must be quiet anew */
		return unknown;
	}
	if (take_view(c, view)) {
		c->changed_ms = mono_ms;
		c->failures = 0;
		c->retry_due_ms = 0;
		if (was_seen)
			c->remind_due_ms = 0;
	}
	if (view->is_restarted)
		c->changed_ms = mono_ms; /* its boot may still be loading the file */
	if (view->has_startup && !memcmp(view->running, view->startup, COMMIT_DIGEST_LEN))
		return saved_now(c, view->is_doubtful);
	if (!c->unsaved_since_s)
		c->unsaved_since_s = now_s;
	return decide(c, view, mono_ms);
}

void commit_failed(struct commit *c, uint64_t mono_ms)
{
	uint64_t wait = c->quiet_ms << (c->failures < RETRY_DOUBLINGS_MAX ? c->failures : RETRY_DOUBLINGS_MAX);

	if (c->failures < RETRY_DOUBLINGS_MAX)
		c->failures++;
	c->retry_due_ms = mono_ms + (wait < RETRY_MAX_MS ? wait : RETRY_MAX_MS);
}

const char *commit_saved_name(enum commit_saved saved)
{
	switch (saved) {
	case SAVED_UNKNOWN:
		return "unknown";
	case SAVED_NO:
		return "no";
	case SAVED_YES:
		return "yes";
	}
	return "unknown";
}
