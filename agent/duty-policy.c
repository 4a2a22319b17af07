/* agent/duty-policy.c -- a duty's policies: which are in force, what they change, when they are held against what runs, and what is said
 * then. */
#include "agent/duty-parts.h"

#include "agent/apply-judge.h"
#include "agent/core.h"
#include "agent/verdict.h"
#include "base/clock.h"
#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { JUDGE_DEADLINE_MS = 150000, RETRY_MS = 60000 };

/* ---- the set in force ---- */

static struct policies_owner owner_of(const struct duty *d)
{
	return (struct policies_owner){ d->state.id, d->dev->driver, d->state.root, d->driver->canonical };
}

int duty_policies_check(const struct duty *d, struct bytes text, struct error *err)
{
	const struct policies_owner owner = owner_of(d);
	_cleanup_(policies_done) struct policies p = { 0 };

	return policies_check(&p, text, &owner, true, err);
}

static int load(struct policies *out, const struct duty *d, struct error *err)
{
	const struct chain_policy *c = &d->state.chain.policy;
	const struct policies_owner owner = owner_of(d);
	_cleanup_(buf_done) struct buf text = { 0 };

	if (policies_adopt(d->dir, c->payload, err) < 0 || policies_open(&text, d->dir, c->payload, &d->state.box, err) < 0)
		return err->code;
	return policies_check(out, buf_bytes(&text), &owner, false, err);
}

/* The disk may come back, and a root may be what was missing: it is tried again. */
static void note_trouble(struct duty *d, struct error *err)
{
	if (!*d->policy_trouble)
		log_error("policies device=%s order=%llu why=\"%s\"", d->dev->name, (unsigned long long)d->state.chain.policy.order,
			  err->text);
	policies_only_place(err);
	snprintf(d->policy_trouble, sizeof(d->policy_trouble), "the policies of order %llu are not in force: %.200s",
		 (unsigned long long)d->state.chain.policy.order, err->text);
	d->policy_retry_ms = clock_mono_ms() + RETRY_MS;
}

/* From another baseline, what runs drifts since now. */
static bool is_other_baseline(const struct policies *before, const struct policies *now)
{
	return before->has_baseline && now->has_baseline && memcmp(before->baseline, now->baseline, sizeof(now->baseline)) != 0;
}

void duty_policies_load(struct duty *d)
{
	struct policies p = { 0 };
	struct settings_commit commit;
	struct error err = { 0 };

	if (d->state.chain.policy.order && load(&p, d, &err) < 0) {
		p.root = root_version(d->state.root);
		note_trouble(d, &err);
	} else {
		d->policy_trouble[0] = 0;
	}
	if (is_other_baseline(&d->policies, &p))
		d->drift_since_s = 0;
	policies_done(&d->policies);
	d->policies = p;
	commit = policies_commit(&d->policies, d->dev->commit);
	commit_set(&d->commit, &commit);
	if (d->policies.is_there)
		log_notice("policies device=%s order=%llu by=%s packs=%zu waivers=%zu mode=%s", d->dev->name,
			   (unsigned long long)d->state.chain.policy.order, p.person, p.pack_count, p.waiver_count,
			   settings_mode_name(commit.mode));
}

/* ---- what it changes ---- */

void duty_policies_before(struct duty *d)
{
	const char *window;

	if (d->state.chain.policy.order &&
	    (d->policies.root != root_version(d->state.root) || (*d->policy_trouble && clock_mono_ms() >= d->policy_retry_ms)))
		duty_policies_load(d); /* whoever signed a waiver may have lost the role */
	window = policies_exempt(&d->policies, state_clock(&d->state));
	d->view.is_exempt = window != NULL;
	d->hold_by[0] = 0;
	if (d->is_held)
		snprintf(d->hold_by, sizeof(d->hold_by), "%s: %s", d->hold.who, d->hold.why);
	else if (window)
		snprintf(d->hold_by, sizeof(d->hold_by), "policies: exempt window '%s'", window);
}

const char *duty_drift(const struct duty *d)
{
	if (!d->policies.has_baseline)
		return NULL;
	if (!d->view.is_known || !d->view.is_whole)
		return "unknown";
	return memcmp(d->view.running, d->policies.baseline, sizeof(d->view.running)) != 0 ? "yes" : "no";
}

void duty_policies_behind(struct duty *d)
{
	const char *drift = duty_drift(d);

	if (drift && !strcmp(drift, "unknown"))
		return; /* until it is known again, what was so is remembered */
	if (!drift || !strcmp(drift, "no")) {
		if (d->drift_since_s)
			log_notice("drift-ended device=%s", d->dev->name);
		d->drift_since_s = 0;
	} else if (!d->drift_since_s) {
		d->drift_since_s = state_now(&d->state);
		log_notice("drift device=%s baseline=%llu", d->dev->name, (unsigned long long)d->policies.baseline_number);
	}
}

/* ---- judging ---- */

static void add_text(struct buf *out, const char *text)
{
	buf_add_u32be(out, (uint32_t)strlen(text));
	buf_add_str(out, text);
}

/* All that a verdict depends on. */
static void judged_of(uint8_t out[static HASH_LEN], const struct duty *d)
{
	const struct chain *c = &d->state.chain;
	struct waived waived[POLICY_SET_WAIVERS_MAX];
	size_t count = policies_waived(waived, &d->policies, state_clock(&d->state));
	_cleanup_(buf_done) struct buf all = { 0 };

	buf_add(&all, c->running_hash, HASH_LEN);
	buf_add(&all, c->policy.leaf, HASH_LEN);
	buf_add_u32be(&all, (uint32_t)root_metadata(d->state.root));
	add_text(&all, d->facts.model);
	add_text(&all, d->facts.firmware);
	for (size_t i = 0; i < count; i++) {
		add_text(&all, waived[i].pack);
		add_text(&all, waived[i].rule);
	}
	sha256(out, buf_bytes(&all));
}

static void view_of(struct judge_view *out, const struct duty *d)
{
	*out = (struct judge_view){
		.has_set = d->policies.is_there,
		.is_recorded = d->state.chain.running_since && !d->wants_texts && d->view.is_known && d->view.is_whole,
		.is_busy = obey_is_busy(d),
		.is_full = d->state.spool.count >= d->core->settings->spool,
	};
	judged_of(out->of, d);
	memcpy(out->judged, d->state.chain.verdict.of, HASH_LEN);
}

static int fill_ask(struct apply_judge *ask, struct policy_set *set, struct buf *text, struct duty *d, struct error *err)
{
	if (policies_open(text, d->dir, d->state.chain.policy.payload, &d->state.box, err) < 0 ||
	    policy_set_parts(set, buf_bytes(text), err) < 0)
		return err->code;
	memcpy(ask->running, d->view.running, sizeof(ask->running));
	snprintf(ask->model, sizeof(ask->model), "%s", d->facts.model);
	snprintf(ask->firmware, sizeof(ask->firmware), "%s", d->facts.firmware);
	ask->waived_count = policies_waived(ask->waived, &d->policies, state_clock(&d->state));
	for (; ask->pack_count < set->pack_count; ask->pack_count++)
		ask->packs[ask->pack_count] = set->packs[ask->pack_count].text;
	return 0;
}

static int ask(struct duty *d, struct apply_judge *asked, struct error *err)
{
	_cleanup_(policy_set_done) struct policy_set set = { .person = "" };
	_cleanup_(buf_done) struct buf text = { 0 }, body = { 0 };

	if (fill_ask(asked, &set, &text, d, err) < 0)
		return err->code;
	apply_judge_put(&body, asked);
	duty_ask(d, IPC_JUDGE, buf_bytes(&body), JUDGE_DEADLINE_MS);
	return 0;
}

static int say(struct duty *d, const struct verdict_sum *sum, struct error *err)
{
	struct verdict_input in = { d->state.chain.policy.order, d->state.chain.policy.leaf, sum };
	struct chain next;
	struct snapshot_by by;

	duty_by(&by, d);
	chain_copy(&next, &d->state.chain);
	if (verdict_make(&next, &in, &by, err) < 0) {
		chain_done(&next);
		return err->code;
	}
	next.verdict.number = next.number;
	memcpy(next.verdict.of, d->judge.asked, HASH_LEN);
	memcpy(next.verdict.counts, sum->counts, sizeof(next.verdict.counts));
	if (state_commit(&d->state, &next, err) < 0)
		return err->code;
	log_notice("verdict device=%s number=%llu policy=%llu pass=%llu fail=%llu unknown=%llu waived=%llu", d->dev->name,
		   (unsigned long long)d->state.chain.number, (unsigned long long)in.order, (unsigned long long)sum->counts[STANDING_PASS],
		   (unsigned long long)sum->counts[STANDING_FAIL], (unsigned long long)sum->counts[STANDING_UNKNOWN],
		   (unsigned long long)sum->counts[STANDING_WAIVED]);
	return 0;
}

/* Nobody can evaluate these policies here: that is said, and is no pass. */
static int say_unknown(struct duty *d, struct error *err)
{
	const struct policy_facts facts = { .driver = d->dev->driver, .model = d->facts.model, .firmware = d->facts.firmware };
	_cleanup_(policy_set_done) struct policy_set set = { .person = "" };
	_cleanup_(verdict_sum_done) struct verdict_sum sum = { .section_count = 0 };
	_cleanup_(buf_done) struct buf text = { 0 };
	struct waived waived[POLICY_SET_WAIVERS_MAX];
	size_t count = policies_waived(waived, &d->policies, state_clock(&d->state));

	if (policies_open(&text, d->dir, d->state.chain.policy.payload, &d->state.box, err) < 0 ||
	    policy_set_read(&set, buf_bytes(&text), err) < 0)
		return err->code;
	policy_set_judge(&sum, &set, (struct bytes){ 0 }, &facts, waived, count, &policy_limits_agent);
	return say(d, &sum, err);
}

void duty_judge(struct duty *d)
{
	struct apply_judge *asked;
	struct judge_view view;
	struct error err = { 0 };
	enum judge_next next;
	int r = 0;

	if (!d->policies.is_there || d->asked || !d->apply.pid || obey_is_erasing(d))
		return;
	view_of(&view, d);
	next = judge_step(&d->judge, &view, clock_mono_ms());
	if (next == JUDGE_ASK) {
		asked = mem_alloc(sizeof(*asked));
		r = ask(d, asked, &err);
		free(asked);
	} else if (next == JUDGE_GIVE_UP) {
		r = say_unknown(d, &err);
	}
	if (r < 0)
		log_failure(LOG_ERROR, "not-judged", &err);
}

/* Whatever became known meanwhile: a verdict is about what was asked, or there is none. */
static bool is_still(const struct duty *d)
{
	uint8_t now[HASH_LEN];

	judged_of(now, d);
	return d->policies.is_there && !memcmp(now, d->judge.asked, HASH_LEN);
}

int duty_judged(struct duty *d, struct reader *rd, struct error *err)
{
	_cleanup_(verdict_sum_done) struct verdict_sum sum = { .section_count = 0 };
	struct error failure = { 0 };

	if (!apply_result_get(rd, &failure) || (failure.code == 0 && !apply_sum_get(&sum, rd)))
		return error_set(err, E_PEER, "a verdict of another form");
	if (failure.code == 0 && is_still(d) && say(d, &sum, &failure) < 0)
		log_failure(LOG_ERROR, "verdict", &failure);
	else if (failure.code < 0)
		log_info("not-judged device=%s why=\"%s\"", d->dev->name, failure.text);
	duty_look_in(d, 0); /* what came meanwhile was not looked at */
	duty_finish_step(d);
	return 0;
}

void duty_judge_lost(struct duty *d)
{
	judge_lost(&d->judge);
}
