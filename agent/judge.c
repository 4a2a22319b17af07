/* agent/judge.c -- when the policies of a device are held against its configuration. */
#include "agent/judge.h"

#include <string.h>

/* A burst is credit: what is paid for may lie that far ahead. */
static bool may_ask(const struct judge *j, uint64_t now_ms)
{
	return j->paid_ms <= now_ms + (JUDGE_BURST - 1) * (uint64_t)JUDGE_PERIOD_MS;
}

enum judge_next judge_step(struct judge *j, const struct judge_view *view, uint64_t now_ms)
{
	if (!view->has_set || !memcmp(view->of, view->judged, HASH_LEN))
		return JUDGE_REST;
	if (view->is_busy || !view->is_recorded || view->is_full || !may_ask(j, now_ms))
		return JUDGE_REST;
	if (memcmp(view->of, j->asked, HASH_LEN) != 0)
		j->losses = 0;
	memcpy(j->asked, view->of, HASH_LEN);
	j->paid_ms = (j->paid_ms > now_ms ? j->paid_ms : now_ms) + JUDGE_PERIOD_MS;
	return j->losses < JUDGE_LOSSES ? JUDGE_ASK : JUDGE_GIVE_UP;
}

void judge_lost(struct judge *j)
{
	j->losses++;
}
