/* cli/retirement.c -- where a device stands on its way out of the fleet. */
#include "cli/retirement.h"

#include "cli/people.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const states[RETIREMENT_STATES] = { "active", "retiring",  "failed",	  "wiped",    "lost",
						       "held",	 "shredding", "shredded", "certified" };
static const char *const phases[] = { "none",	   "waiting", "given",	 "armed",  "stopping",
				      "cancelled", "expired", "refused", "failed", "done" };

const char *retirement_state_name(enum retirement_state state)
{
	return states[state];
}

const char *retirement_phase_name(enum retirement_phase phase)
{
	return phases[phase];
}

/* The first contradiction is the one that is told. */
_printf_(2, 3) static void contradict(struct retirement *r, const char *fmt, ...)
{
	va_list args;

	if (r->is_contradicted)
		return;
	r->is_contradicted = true;
	va_start(args, fmt);
	vsnprintf(r->contradiction, sizeof(r->contradiction), fmt, args);
	va_end(args);
}

static const struct root *in_force(const struct retirement_facts *f)
{
	return f->roots[f->root_count - 1];
}

static bool is_shred(const struct retirement_batch *b)
{
	return !strcmp(statement_get(b->batch, "kind"), "shred");
}

static bool names(const struct statement *st, const char *key, const struct statement *other)
{
	uint8_t hash[HASH_LEN];

	return statement_get_hash(hash, st, key) && !memcmp(hash, statement_hash(other), HASH_LEN);
}

static bool is_same(const struct statement *a, const struct statement *b)
{
	return !memcmp(statement_hash(a), statement_hash(b), HASH_LEN);
}

/* ---- who agreed ---- */

static const struct root *named_root(const struct retirement_facts *f, uint64_t version)
{
	return version && version <= f->root_count ? f->roots[version - 1] : in_force(f);
}

/* Were there enough people at any point of the log, each by the root that was in force then, as the newest statement up to there names it?
 * What was given out then cannot be called back by a root that came later. */
static bool was_ever_enough(const struct retirement_batch *b, const struct retirement_facts *f)
{
	uint64_t version = statement_number(b->batch, "root");
	bool is_enough = false;

	for (size_t n = 0; n <= b->control_count && !is_enough; n++) {
		struct consent consent;

		if (n && statement_number(b->controls[n - 1], "root") > version)
			version = statement_number(b->controls[n - 1], "root");
		consent_count(&consent, b->batch, b->controls, n, named_root(f, version));
		if (consent.is_aborted)
			return false;
		is_enough = consent_is_enough(&consent);
	}
	return is_enough;
}

static bool has_decided(const struct retirement_batch *b, const char *person)
{
	enum order_action newest = ORDER_WITHDRAW, action;

	for (size_t i = 0; i < b->control_count; i++)
		if (!strcmp(statement_get(b->controls[i], "person"), person) &&
		    order_action_parse(&action, statement_get(b->controls[i], "action")) && action <= ORDER_WITHDRAW)
			newest = action;
	return newest != ORDER_WITHDRAW;
}

void retirement_silent_people(struct buf *out, const struct retirement_batch *b, const struct root *root)
{
	const char *author = statement_get(b->batch, "person");
	size_t begin = out->len;

	for (size_t i = 0; i < root_people(root); i++) {
		const char *person = root_person(root, i);

		if (root_has_role(root, person, ROLE_RETIRER) && strcmp(person, author) != 0 && !has_decided(b, person))
			buf_addf(out, "%s%s", out->len > begin ? ", " : "", person);
	}
}

/* ---- what devices said ---- */

/* `done` says that every area is; one that is not makes it another word for failed. */
static bool is_wholly_done(const struct statement *receipt)
{
	const char *text;
	size_t n = 0;

	for (; (text = statement_at(receipt, "area", n)); n++) {
		struct area area;

		if (!area_parse(&area, text) || area.result != AREA_DONE)
			return false;
	}
	return n > 0 && !strcmp(statement_get(receipt, "outcome"), "done");
}

/* The first last one counts, by its place in the device's chain; `armed` while there is none. */
static const struct statement *counting_receipt(const struct retirement_batch *b)
{
	const struct statement *best = NULL;

	for (size_t i = 0; i < b->receipt_count; i++) {
		const struct statement *st = b->receipts[i];
		bool is_last = order_outcome_is_last(statement_get(st, "outcome"));
		bool best_is_last = best && order_outcome_is_last(statement_get(best, "outcome"));

		if (!best || is_last > best_is_last ||
		    (is_last == best_is_last && statement_number(st, "number") < statement_number(best, "number")))
			best = st;
	}
	return best;
}

/* A device that gives one number to two last words is a clone, or was set back. */
static bool is_forked(const struct retirement_batch *b, const struct statement *receipt)
{
	for (size_t i = 0; i < b->receipt_count; i++)
		if (statement_number(b->receipts[i], "number") == statement_number(receipt, "number") && !is_same(b->receipts[i], receipt))
			return true;
	return false;
}

static enum retirement_phase phase_by_receipt(struct retirement *r, const struct retirement_batch *b, const struct statement *receipt)
{
	const char *outcome = statement_get(receipt, "outcome"), *check = statement_get(receipt, "check");

	if (is_forked(b, receipt)) {
		contradict(r, "the device signed two receipts with number %llu", (unsigned long long)statement_number(receipt, "number"));
		return PHASE_FAILED;
	}
	if (!strcmp(outcome, "done")) {
		if (is_wholly_done(receipt))
			return PHASE_DONE;
		contradict(r, "the device says done, and not every area of it is");
		return PHASE_FAILED;
	}
	if (!strcmp(outcome, "refused"))
		return check && !strcmp(check, "cancelled") ? PHASE_CANCELLED : PHASE_REFUSED;
	return !strcmp(outcome, "superseded") ? PHASE_REFUSED : PHASE_FAILED;
}

/* ---- one batch ---- */

static enum retirement_phase phase_without_receipt(const struct retirement_step *step, bool is_armed, bool is_expired)
{
	bool is_stopped = step->consent.is_aborted || step->consent.is_rejected, is_enough = consent_is_enough(&step->consent);

	if (is_armed)
		return is_stopped || !is_enough ? PHASE_STOPPING : PHASE_ARMED;
	if (is_expired)
		return PHASE_EXPIRED;
	if (is_stopped)
		return step->was_given ? PHASE_STOPPING : PHASE_CANCELLED;
	if (!is_enough)
		return step->was_given ? PHASE_STOPPING : PHASE_WAITING;
	return PHASE_GIVEN;
}

static void begin_step(struct retirement_step *out, const struct retirement_batch *b, const struct retirement_facts *f)
{
	*out = (struct retirement_step){ .of = b, .was_given = was_ever_enough(b, f) };
	consent_count(&out->consent, b->batch, b->controls, b->control_count, in_force(f));
}

static void judge_erase(struct retirement *r, struct retirement_step *out, const struct retirement_batch *b,
			const struct retirement_facts *f)
{
	bool is_expired = statement_time(b->batch, "expires") <= f->now_s, is_last;

	begin_step(out, b, f);
	out->receipt = counting_receipt(b);
	is_last = out->receipt && order_outcome_is_last(statement_get(out->receipt, "outcome"));
	out->phase = is_last ? phase_by_receipt(r, b, out->receipt) : phase_without_receipt(out, out->receipt != NULL, is_expired);
	if (out->receipt && !is_last)
		out->delay_end_s = statement_time(out->receipt, "time") + root_delay(in_force(f), statement_get(b->batch, "kind"));
}

/* What one batch says about the device, against another: an erasure that is done is final, one in hand comes before what failed, and that
 * before what came to nothing. */
static int erase_rank(enum retirement_phase phase)
{
	switch (phase) {
	case PHASE_DONE:
		return 4;
	case PHASE_ARMED:
	case PHASE_STOPPING:
	case PHASE_GIVEN:
	case PHASE_WAITING:
		return 3;
	case PHASE_FAILED:
		return 2;
	case PHASE_CANCELLED:
	case PHASE_EXPIRED:
	case PHASE_REFUSED:
		return 1;
	case PHASE_NONE:
		break;
	}
	return 0;
}

static bool is_newer(const struct retirement_step *a, const struct retirement_step *b)
{
	uint64_t x = statement_number(a->of->order, "order"), y = statement_number(b->of->order, "order");

	return x != y ? x > y : memcmp(statement_hash(a->of->batch), statement_hash(b->of->batch), HASH_LEN) > 0;
}

static void find_erase(struct retirement *r, const struct retirement_facts *f)
{
	for (size_t i = 0; i < f->batch_count; i++) {
		struct retirement_step step;

		if (is_shred(&f->batches[i]))
			continue;
		judge_erase(r, &step, &f->batches[i], f);
		if (!r->erase.of || erase_rank(step.phase) > erase_rank(r->erase.phase) ||
		    (erase_rank(step.phase) == erase_rank(r->erase.phase) && is_newer(&step, &r->erase)))
			r->erase = step;
	}
}

/* ---- the archive's side ---- */

static const struct statement *archive_word(const struct retirement_batch *b, const struct retirement_facts *f)
{
	uint8_t said[HASH_LEN];

	for (size_t i = 0; i < f->shredded_count; i++) {
		const struct statement *st = f->shredded[i];

		if (!strcmp(statement_get(st, "by"), "archive") && names(st, "batch", b->batch) && statement_get_hash(said, st, "leaf") &&
		    !memcmp(said, statement_hash(b->order), HASH_LEN))
			return st;
	}
	return NULL;
}

static void judge_shred(struct retirement_step *out, const struct retirement_batch *b, const struct retirement_facts *f)
{
	bool is_expired = statement_time(b->batch, "expires") <= f->now_s;

	begin_step(out, b, f);
	out->phase = archive_word(b, f) ? PHASE_DONE : phase_without_receipt(out, false, is_expired);
	/* Unlike a device, the archive takes it only when it is due, and says so at once. */
	if (out->phase == PHASE_STOPPING)
		out->phase = out->consent.is_aborted || out->consent.is_rejected ? PHASE_CANCELLED : PHASE_WAITING;
}

static bool gives_up(const struct retirement_batch *b)
{
	return is_shred(b) && !statement_get(b->order, "after");
}

/* May this shred ever run: after what erased the device or still may, or because it was given up? */
static bool may_follow(const struct retirement *r, const struct retirement_batch *b)
{
	return gives_up(b) || (r->erase.of && names(b->order, "after", r->erase.of->batch) && erase_rank(r->erase.phase) >= 3);
}

/* What is done comes first. Giving up a device that did not answer comes before what waits for its answer. */
static int shred_rank(const struct retirement *r, const struct retirement_step *step)
{
	int base = may_follow(r, step->of) ? 8 : 0;

	if (step->phase == PHASE_DONE)
		return base + 16;
	if (step->phase != PHASE_GIVEN && step->phase != PHASE_WAITING)
		return base + 1;
	if (gives_up(step->of) && r->erase.phase != PHASE_DONE)
		return base + 4;
	return base + (step->phase == PHASE_GIVEN ? 3 : 2);
}

/* Of two that people agreed to, the archive follows the one that is due first; else the newer one is what people talk about. */
static bool comes_before(const struct retirement_step *a, const struct retirement_step *b)
{
	int64_t x = statement_time(a->of->batch, "not-before"), y = statement_time(b->of->batch, "not-before");

	return a->phase == PHASE_GIVEN && b->phase == PHASE_GIVEN && x != y ? x < y : is_newer(a, b);
}

static void find_shred(struct retirement *r, const struct retirement_facts *f)
{
	for (size_t i = 0; i < f->batch_count; i++) {
		struct retirement_step step;

		if (!is_shred(&f->batches[i]))
			continue;
		judge_shred(&step, &f->batches[i], f);
		r->is_lost = r->is_lost || (gives_up(step.of) && step.was_given);
		if (!r->shred.of || shred_rank(r, &step) > shred_rank(r, &r->shred) ||
		    (shred_rank(r, &step) == shred_rank(r, &r->shred) && comes_before(&step, &r->shred)))
			r->shred = step;
	}
	/* One that waits for an erasure which is over, or never was, will never run. */
	if (r->shred.of && r->shred.phase != PHASE_DONE && !may_follow(r, r->shred.of))
		r->shred = (struct retirement_step){ 0 };
}

static void find_shredded(struct retirement *r, const struct retirement_facts *f)
{
	for (size_t i = 0; i < f->shredded_count && !r->shredded; i++)
		if (!strcmp(statement_get(f->shredded[i], "by"), "archive"))
			r->shredded = f->shredded[i];
	if (!r->shredded)
		return;
	if (r->shred.phase != PHASE_DONE)
		contradict(r, "the archive says that it shredded, and names no order to do so that is known");
	else if (!r->shred.was_given)
		contradict(r, "the archive shredded, and not enough people had agreed");
	else if (!gives_up(r->shred.of) && (r->erase.phase != PHASE_DONE || !may_follow(r, r->shred.of)))
		contradict(r, "the archive shredded, and the erasure that it had to wait for was not done");
	else if (statement_time(r->shredded, "time") < statement_time(r->shred.of->batch, "not-before"))
		contradict(r, "the archive shredded before its hold was over");
}

/* ---- readers ---- */

static bool has_reading_key(const struct root *root, const char *person)
{
	size_t len = strlen(person);
	const char *value;

	for (size_t i = 0; (value = statement_at(root_statement(root), "reading-key", i)); i++)
		if (!strncmp(value, person, len) && value[len] == ' ')
			return true;
	return false;
}

/* Could this person ever open something of the device? Each version up to the shredding counts: a rewrap opens the past to who came later.
 */
static bool may_have_read(const struct retirement_facts *f, const char *person, uint64_t last_version)
{
	for (size_t i = 0; i < f->root_count && i < last_version; i++)
		if (people_reading(f->roots[i], person) != READS_NOTHING)
			return true;
	return false;
}

static bool has_said(const struct retirement *r, const struct retirement_facts *f, const char *person)
{
	for (size_t i = 0; i < f->shredded_count; i++)
		if (!strcmp(statement_get(f->shredded[i], "by"), person) && names(f->shredded[i], "batch", r->shred.of->batch))
			return true;
	return false;
}

static void find_readers(struct retirement *r, const struct retirement_facts *f)
{
	const struct root *root = in_force(f);

	for (size_t i = 0; i < root_people(root); i++) {
		const char *person = root_person(root, i);

		if (r->shred.of && has_said(r, f, person))
			r->said[r->said_count++] = person;
		else if (has_reading_key(root, person) && people_is_login(root, person) &&
			 may_have_read(f, person, statement_number(r->shredded, "root")))
			r->missing[r->missing_count++] = person;
	}
}

/* ---- the certificate ---- */

static void find_certificate(struct retirement *r, const struct retirement_facts *f)
{
	if (!f->certificate_count)
		return;
	if (f->certificate_count > 1)
		contradict(r, "there are %zu certificates", f->certificate_count);
	r->certificate = f->certificates[0];
	if (!r->shredded || !r->shred.of || !names(r->certificate, "shred", r->shred.of->batch)) {
		contradict(r, "there is a certificate, and the shredding that it names is not known");
		r->certificate = NULL;
	} else if (!strcmp(statement_get(r->certificate, "state"), "wiped") != r->is_wiped) {
		contradict(r, "the certificate says %s, and the statements that it is about do not",
			   statement_get(r->certificate, "state"));
		r->certificate = NULL;
	}
}

/* ---- all of it ---- */

static enum retirement_state device_state(const struct retirement *r)
{
	if (r->is_wiped)
		return RETIREMENT_WIPED;
	if (r->is_lost)
		return RETIREMENT_LOST;
	if (erase_rank(r->erase.phase) == 3 || (r->shred.of && gives_up(r->shred.of) && r->shred.phase == PHASE_WAITING))
		return RETIREMENT_RETIRING;
	return r->erase.phase == PHASE_FAILED ? RETIREMENT_FAILED : RETIREMENT_ACTIVE;
}

static enum retirement_state state_of(const struct retirement *r, int64_t now_s)
{
	if (r->certificate)
		return RETIREMENT_CERTIFIED;
	if (r->shredded)
		return r->missing_count ? RETIREMENT_SHREDDING : RETIREMENT_SHREDDED;
	if ((r->is_wiped || (r->is_lost && r->shred.of && gives_up(r->shred.of))) && r->shred.phase == PHASE_GIVEN &&
	    statement_time(r->shred.of->batch, "not-before") > now_s)
		return RETIREMENT_HELD;
	return device_state(r);
}

enum retirement_phase retirement_phase_of(const struct retirement_batch *batch, const struct retirement_facts *f)
{
	struct retirement ignored = { .state = RETIREMENT_ACTIVE };
	struct retirement_step step;

	if (is_shred(batch))
		judge_shred(&step, batch, f);
	else
		judge_erase(&ignored, &step, batch, f);
	return step.phase;
}

void retirement_compute(struct retirement *out, const struct retirement_facts *f)
{
	*out = (struct retirement){ .state = RETIREMENT_ACTIVE };
	find_erase(out, f);
	find_shred(out, f);
	out->is_wiped = out->erase.phase == PHASE_DONE;
	out->is_lost = out->is_lost && !out->is_wiped;
	find_shredded(out, f);
	if (out->shredded)
		find_readers(out, f);
	find_certificate(out, f);
	out->state = state_of(out, f->now_s);
}

const struct retirement_step *retirement_in_hand(const struct retirement *r)
{
	if (r->state != RETIREMENT_RETIRING)
		return NULL;
	return erase_rank(r->erase.phase) == 3 ? &r->erase : &r->shred;
}

bool retirement_shred_covers_erase(const struct retirement *r)
{
	return r->shred.of && r->erase.of && names(r->shred.of->order, "after", r->erase.of->batch);
}
