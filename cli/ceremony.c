/* cli/ceremony.c -- the retirement of one device as its people see it: who it is, and where it stands. */
#include "cli/ceremony.h"

#include "base/clock.h"
#include "cli/home.h"
#include "cli/show.h"

#include <stdarg.h>
#include <stdio.h>

int ceremony_begin(struct ceremony *out, struct cli *cli, const char *text, struct error *err)
{
	struct ceremony c = { .cli = cli };
	int r = fleet_list_get(&c.list, cli, err);

	if (r == 0)
		r = fleet_find(&c.member, &c.list, text, err);
	if (r == 0 && !c.member->is_admitted)
		r = error_set(err, CLI_CONFLICT, "device '%s' was never admitted: there is nothing to retire", c.member->id);
	if (r == 0)
		r = ceremony_again(&c, err);
	if (r < 0)
		ceremony_done(&c);
	else
		*out = c;
	return r;
}

int ceremony_look(struct ceremony *out, struct cli *cli, const struct fleet_member *member, struct error *err)
{
	struct ceremony c = { .cli = cli, .member = member };
	int r = ceremony_again(&c, err);

	if (r == 0)
		*out = c;
	else
		ceremony_done(&c);
	return r;
}

int ceremony_again(struct ceremony *c, struct error *err)
{
	struct dossier newer = { 0 };
	struct opener *opener = NULL;
	int r = fleet_source(&c->source, c->cli, err);

	if (r < 0)
		return r;
	opener = opener_new(&c->source);
	r = dossier_get(&newer, &c->source, opener, c->member, err);
	if (r < 0) {
		opener_free(opener);
		return r;
	}
	opener_free(c->opener);
	dossier_done(&c->dossier);
	c->opener = opener;
	c->dossier = newer;
	return 0;
}

void ceremony_done(struct ceremony *c)
{
	dossier_done(&c->dossier);
	opener_free(c->opener);
	fleet_list_done(&c->list);
	*c = (struct ceremony){ 0 };
}

/* ---- where it stands: the steps ---- */

_printf_(3, 4) static void set(struct ceremony_step *out, const char *state, const char *fmt, ...)
{
	va_list args;

	out->state = state;
	va_start(args, fmt);
	vsnprintf(out->text, sizeof(out->text), fmt, args);
	va_end(args);
}

static const char *step_id(const struct ceremony *c, const struct retirement_step *s)
{
	const struct dossier_batch *b = dossier_batch(&c->dossier, s);

	return b ? b->rollout.id : "";
}

static void step_request(struct ceremony_step *out, const struct ceremony *c)
{
	const struct retirement *r = &c->dossier.now;
	const struct retirement_step *s = retirement_in_hand(r)      ? retirement_in_hand(r) :
					  r->erase.of && !r->is_lost ? &r->erase :
								       &r->shred;

	if (!s->of)
		set(out, "none", "nobody has asked for it");
	else
		set(out, "done", "%s by %s at %s: %s", statement_get(s->of->batch, "kind"), statement_get(s->of->batch, "person"),
		    statement_get(s->of->batch, "time"), statement_get(s->of->batch, "reason"));
}

static bool is_agreed(const struct retirement_step *s)
{
	return !s->of || s->phase == PHASE_DONE || s->phase == PHASE_ARMED || s->phase == PHASE_FAILED || consent_is_enough(&s->consent);
}

static void step_agree(struct ceremony_step *out, const struct ceremony *c)
{
	const struct retirement *r = &c->dossier.now;
	_cleanup_(buf_done) struct buf text = { 0 };

	if (!r->erase.of && !r->shred.of) {
		set(out, "none", "-");
		return;
	}
	for (int i = 0; i < 2; i++) {
		const struct retirement_step *s = i ? &r->shred : &r->erase;

		if (!s->of)
			continue;
		buf_addf(&text, "%s%s %s: ", text.len ? "; " : "", statement_get(s->of->batch, "kind"), step_id(c, s));
		rollout_consent(&text, &dossier_batch(&c->dossier, s)->rollout, c->cli->home->root);
	}
	set(out, is_agreed(&r->erase) && is_agreed(&r->shred) ? "done" : "now", "%s", buf_text(&text));
}

static void put_areas(struct buf *out, const struct statement *receipt)
{
	const char *text;

	buf_addf(out, "%s by the device's receipt %llu of %s", statement_get(receipt, "outcome"),
		 (unsigned long long)statement_number(receipt, "number"), statement_get(receipt, "time"));
	for (size_t i = 0; (text = statement_at(receipt, "area", i)); i++)
		buf_addf(out, "; %s", text);
	for (size_t i = 0; (text = statement_at(receipt, "left", i)); i++)
		buf_addf(out, "; left: %s", text);
	if (statement_get(receipt, "check"))
		buf_addf(out, "; check: %s", statement_get(receipt, "check"));
	if (statement_get(receipt, "note"))
		buf_addf(out, "; it says: %s", statement_get(receipt, "note"));
}

static void step_delay(struct ceremony_step *out, const struct ceremony *c)
{
	const struct retirement_step *s = &c->dossier.now.erase;
	char end[CLOCK_TEXT_LEN];

	clock_text(end, s->delay_end_s);
	switch (s->phase) {
	case PHASE_NONE:
		set(out, "none", "-");
		return;
	case PHASE_WAITING:
	case PHASE_GIVEN:
		set(out, s->phase == PHASE_GIVEN ? "now" : "later", "%s %u s from when the device took it",
		    s->phase == PHASE_GIVEN ? "the device has not answered yet; then" : "",
		    root_delay(c->cli->home->root, statement_get(s->of->batch, "kind")));
		return;
	case PHASE_ARMED:
		set(out, s->delay_end_s > clock_now_s() ? "now" : "done", "until %s by the device's clock, longer if it restarts", end);
		return;
	case PHASE_STOPPING:
		set(out, "now", "people stopped it; the device has not said yet whether that was in time");
		return;
	case PHASE_CANCELLED:
		set(out, "failed", "people stopped it: nothing was erased");
		return;
	case PHASE_EXPIRED:
		set(out, "failed", "it expired at %s%s", statement_get(s->of->batch, "expires"),
		    s->was_given ? "; enough people had agreed, and what the device did with it nobody here knows" : "");
		return;
	case PHASE_REFUSED:
	case PHASE_FAILED:
	case PHASE_DONE:
		set(out, s->phase == PHASE_REFUSED ? "failed" : "done", s->phase == PHASE_REFUSED ? "the device refused it" : "over");
		return;
	}
}

static void step_erase(struct ceremony_step *out, const struct ceremony *c)
{
	const struct retirement *r = &c->dossier.now;
	const struct retirement_step *s = &r->erase;
	_cleanup_(buf_done) struct buf text = { 0 };

	if (s->receipt && s->phase != PHASE_ARMED && s->phase != PHASE_STOPPING) {
		put_areas(&text, s->receipt);
		if (s->phase == PHASE_DONE)
			buf_addf(&text, "; category %s", area_claim_name(area_category(s->receipt)));
		set(out, s->phase == PHASE_DONE ? "done" : "failed", "%s", buf_text(&text));
	} else if (r->is_lost) {
		set(out, "none", "device side not confirmed: it was given up");
	} else if (s->phase == PHASE_ARMED && s->delay_end_s <= clock_now_s()) {
		set(out, "now", "the delay is over by our clock: it may be erasing, and nothing stops it");
	} else if (retirement_in_hand(r) == s) {
		set(out, "later", "cannot be undone");
	} else {
		set(out, "none", "-");
	}
}

static void step_hold(struct ceremony_step *out, const struct ceremony *c)
{
	const struct retirement *r = &c->dossier.now;
	const struct retirement_step *s = &r->shred;
	bool is_over = s->of && statement_time(s->of->batch, "not-before") <= clock_now_s();

	if (!s->of)
		set(out, r->is_wiped || r->is_lost ? "now" : "none", "no order to shred the archive is in hand");
	else if (s->phase == PHASE_CANCELLED || s->phase == PHASE_EXPIRED)
		set(out, "failed", "the order to shred the archive %s", s->phase == PHASE_EXPIRED ? "expired" : "was stopped");
	else
		set(out, is_over ? "done" : r->state == RETIREMENT_HELD ? "now" : "later", "the archive keeps all of it until %s",
		    statement_get(s->of->batch, "not-before"));
}

static void step_shred(struct ceremony_step *out, const struct ceremony *c)
{
	const struct retirement *r = &c->dossier.now;
	const char *copy;
	_cleanup_(buf_done) struct buf text = { 0 };

	if (!r->shredded) {
		bool is_due = (r->is_wiped || r->is_lost) && r->shred.phase == PHASE_GIVEN && r->state != RETIREMENT_HELD;

		set(out, is_due ? "now" : r->shred.of ? "later" : "none", "%s",
		    is_due ? "due; the archive has not said yet that it did" : r->shred.of ? "its keys are destroyed then" : "-");
		return;
	}
	buf_addf(&text, "said by the archive at %s", statement_get(r->shredded, "time"));
	for (size_t i = 0; (copy = statement_at(r->shredded, "copy", i)); i++)
		buf_addf(&text, "; other copy: %s", copy);
	set(out, "done", "%s", buf_text(&text));
}

static void step_attest(struct ceremony_step *out, const struct ceremony *c)
{
	const struct retirement *r = &c->dossier.now;
	_cleanup_(buf_done) struct buf text = { 0 };

	if (!r->shredded) {
		set(out, r->shred.of ? "later" : "none", "each reader says that they kept nothing");
		return;
	}
	for (size_t i = 0; i < r->said_count; i++)
		buf_addf(&text, "%s%s", i ? ", " : "said by ", r->said[i]);
	for (size_t i = 0; i < r->missing_count; i++)
		buf_addf(&text, "%s%s", i ? ", " : text.len ? "; missing: " : "missing: ", r->missing[i]);
	set(out, r->missing_count ? "now" : "done", "%s", text.len ? buf_text(&text) : "nobody had to");
}

static void step_certify(struct ceremony_step *out, const struct ceremony *c)
{
	const struct statement *st = c->dossier.now.certificate;

	if (st)
		set(out, "done", "state %s, category %s, evidence %s, at %s", statement_get(st, "state"), statement_get(st, "category"),
		    statement_get(st, "evidence"), statement_get(st, "time"));
	else
		set(out, c->dossier.now.state == RETIREMENT_SHREDDED ? "now" : "later", "people certify what was said, no more");
}

void ceremony_steps(struct ceremony_step out[static CEREMONY_STEPS], const struct ceremony *c)
{
	static const struct {
		const char *name;
		void (*fill)(struct ceremony_step *out, const struct ceremony *c);
	} steps[CEREMONY_STEPS] = { { "request", step_request }, { "agree", step_agree },    { "delay", step_delay },
				    { "erase", step_erase },     { "hold", step_hold },      { "shred", step_shred },
				    { "attest", step_attest },   { "certify", step_certify } };

	for (size_t i = 0; i < CEREMONY_STEPS; i++) {
		out[i] = (struct ceremony_step){ .name = steps[i].name };
		steps[i].fill(&out[i], c);
	}
}

/* ---- where it stands: one line ---- */

void ceremony_summary(struct buf *out, const struct ceremony *c)
{
	const struct retirement *r = &c->dossier.now;
	const struct retirement_step *in_hand = retirement_in_hand(r);

	buf_add_str(out, retirement_state_name(r->state));
	if (in_hand)
		buf_addf(out, " (%s: %s)", statement_get(in_hand->of->batch, "kind"), retirement_phase_name(in_hand->phase));
	if (r->state == RETIREMENT_HELD)
		buf_addf(out, " until %s", statement_get(r->shred.of->batch, "not-before"));
	if (r->is_wiped)
		buf_addf(out, ", device side: %s, evidence %s", area_claim_name(area_category(r->erase.receipt)),
			 statement_get(r->erase.receipt, "evidence") ? statement_get(r->erase.receipt, "evidence") : "nothing");
	if (r->is_lost)
		buf_add_str(out, ", device side not confirmed");
	if (r->is_contradicted)
		buf_addf(out, "; CONTRADICTION: %s", r->contradiction);
}

/* ---- showing ---- */

static json_t *people_json(const char *const people[], size_t count)
{
	json_t *list = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(list, json_string(people[i]));
	return list;
}

static void put_step(json_t *json, const char *key, const struct ceremony *c, const struct retirement_step *s)
{
	json_t *one;

	if (!s->of)
		return;
	one = json_pack("{s:s, s:s, s:s, s:i, s:i, s:s, s:s, s:s}", "batch", step_id(c, s), "batch-kind",
			statement_get(s->of->batch, "kind"), "phase", retirement_phase_name(s->phase), "people", (int)s->consent.people,
			"need", (int)s->consent.need, "person", statement_get(s->of->batch, "person"), "not-before",
			statement_get(s->of->batch, "not-before"), "expires", statement_get(s->of->batch, "expires"));
	show_put_time(one, "delay-end", s->delay_end_s);
	if (s->receipt) {
		json_t *areas = json_array();
		const char *area;

		for (size_t i = 0; (area = statement_at(s->receipt, "area", i)); i++)
			json_array_append_new(areas, json_string(area));
		json_object_set_new(one, "areas", areas);
		show_put_text(one, "outcome", statement_get(s->receipt, "outcome"));
		show_put_text(one, "check", statement_get(s->receipt, "check") ? statement_get(s->receipt, "check") : "");
		show_put_text(one, "evidence", statement_get(s->receipt, "evidence") ? statement_get(s->receipt, "evidence") : "");
		show_put_text(one, "category", area_claim_name(area_category(s->receipt)));
	}
	json_object_set_new(json, key, one);
}

json_t *ceremony_json(const struct ceremony *c)
{
	const struct retirement *r = &c->dossier.now;
	struct ceremony_step steps[CEREMONY_STEPS];
	struct ceremony_next next;
	json_t *list = json_array(), *json;

	ceremony_steps(steps, c);
	ceremony_next(&next, c);
	for (size_t i = 0; i < CEREMONY_STEPS; i++)
		json_array_append_new(list, json_pack("{s:s, s:s, s:o}", "step", steps[i].name, "state", steps[i].state, "text",
						      show_text(bytes_str(steps[i].text))));
	json = json_pack("{s:s, s:s, s:s, s:b, s:b, s:b, s:o, s:o, s:o, s:s, s:b}", "device", c->dossier.id, "name", c->dossier.name,
			 "state", retirement_state_name(r->state), "wiped", (int)r->is_wiped, "lost", (int)r->is_lost, "contradicted",
			 (int)r->is_contradicted, "attested", people_json(r->said, r->said_count), "missing",
			 people_json(r->missing, r->missing_count), "steps", list, "next", next.what, "mine", (int)next.is_mine);
	show_put_text(json, "command", next.command);
	show_put_text(json, "contradiction", r->contradiction);
	put_step(json, "erase", c, &r->erase);
	put_step(json, "shred", c, &r->shred);
	return json;
}

int ceremony_print(const struct ceremony *c, struct error *err)
{
	static const char *const heads[] = { "STEP", "STATE", "WHAT" };
	_cleanup_(table_done) struct table table;
	_cleanup_(buf_done) struct buf line = { 0 };
	struct ceremony_step steps[CEREMONY_STEPS];
	struct ceremony_next next;

	ceremony_steps(steps, c);
	ceremony_next(&next, c);
	table_init(&table, ARRAY_SIZE(heads), heads);
	for (size_t i = 0; i < CEREMONY_STEPS; i++)
		table_add(&table, (const char *const[]){ steps[i].name, steps[i].state, steps[i].text });
	buf_addf(&line, "%s: ", c->dossier.name);
	ceremony_summary(&line, c);
	buf_add_char(&line, '\n');
	if (output_raw(buf_bytes(&line), err) < 0 || table_print(&table, err) < 0)
		return err->code;
	output_note("Next: %s.%s%s", next.what, *next.command ? "  " : "", next.command);
	return 0;
}
