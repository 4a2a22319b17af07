/* cli/ceremony.c -- the retirement of one device as its people see it. */
#include "cli/ceremony.h"

#include "base/clock.h"
#include "cli/home.h"
#include "cli/show.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { CODE_MIN = 8 };

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

/* ---- before anything is signed ---- */

static const struct {
	const char *driver; /* NULL: any */
	enum order_kind kind;
	struct ceremony_erasing words;
} erasings[] = {
	{ "weos",
	  ORDER_FACTORY_RESET,
	  { "configurations, users, keys and certificates, by the device's own factory-reset",
	    "the firmware; old copies in flash blocks that the device does not write again", "clear", false } },
	{ "weos",
	  ORDER_PURGE,
	  { "the boot loader's and the system's configuration partitions, by the boot loader's menu over the console",
	    "the firmware; whether each flash block was really erased, nobody can see", "vendor-purge, which counts as clear", true } },
	{ "frr",
	  ORDER_FACTORY_RESET,
	  { "running and startup configuration become the factory configuration; saved copies beside it are overwritten and removed",
	    "the machine's own system, its logs and other programs; blocks that its file system moved", "clear", false } },
	{ "files",
	  ORDER_FACTORY_RESET,
	  { "each part that has a factory file becomes that; saved copies are overwritten and removed",
	    "parts without a factory file, the machine's own system and its logs; blocks that its file system moved", "clear", true } },
	{ NULL,
	  ORDER_PURGE,
	  { "the media that the agent's settings name ('media'), each as a whole",
	    "the medium on which the agent itself lives", "purge where the medium's own erasure is seen to work, else less", true } },
	{ NULL, ORDER_FACTORY_RESET, { "what its driver can reset", "what the last receipt names", "what the last receipt says", true } },
};

struct ceremony_erasing ceremony_erasing(const char *driver, enum order_kind kind)
{
	for (size_t i = 0; i < ARRAY_SIZE(erasings); i++)
		if (erasings[i].kind == kind && (!erasings[i].driver || !strcmp(erasings[i].driver, driver)))
			return erasings[i].words;
	return (struct ceremony_erasing){ "nothing of the device", "all of it", "none", false };
}

static unsigned retirers(const struct root *root)
{
	unsigned n = 0;

	for (size_t i = 0; i < root_people(root); i++)
		n += root_has_role(root, root_person(root, i), ROLE_RETIRER);
	return n;
}

int ceremony_check_people(const struct root *root, const char *kind, struct error *err)
{
	unsigned have = retirers(root), need = root_threshold(root, kind) + (root_separates(root, kind) ? 1 : 0);

	if (have >= need)
		return 0;
	return error_set(err, E_DENIED,
			 "a batch of kind '%s' takes %u people of role 'retirer'%s, and the root has %u: %u more are needed first "
			 "(holdfast root edit --grant PERSON=retirer)",
			 kind, need, root_separates(root, kind) ? ", its author not counted" : "", have, need - have);
}

void ceremony_people(struct buf *out, const struct root *root, const char *kind)
{
	size_t n = 0;

	buf_addf(out, "%u of ", root_threshold(root, kind));
	for (size_t i = 0; i < root_people(root); i++)
		if (root_has_role(root, root_person(root, i), ROLE_RETIRER))
			buf_addf(out, "%s%s", n++ ? ", " : "", root_person(root, i));
	buf_add_str(out, n ? root_separates(root, kind) ? " (the author is not counted)" : " (the author is counted)" : "nobody");
	if (root_asks_pin(root, kind))
		buf_add_str(out, ", each with a token that asks for its PIN");
}

/* ---- what approvers look at ---- */

void ceremony_code(char out[static CEREMONY_CODE_LEN], const char *id)
{
	size_t n = 0;

	for (size_t i = 0; i < ID_LEN; i++) {
		if (i && i % 4 == 0)
			out[n++] = '-';
		out[n++] = (char)toupper((unsigned char)id[i]);
	}
	out[n] = 0;
}

int ceremony_compare(const char *said, const char *id, struct error *err)
{
	size_t n = 0;

	for (const char *c = said; *c; c++) {
		if (*c == '-' || *c == ' ')
			continue;
		if (n == ID_LEN || tolower((unsigned char)*c) != id[n])
			return error_set(err, E_SEAL,
					 "'%.60s' are not the characters of what is here: somebody sees something else than you do", said);
		n++;
	}
	return n >= CODE_MIN ? 0 :
			       error_set(err, CLI_USAGE, "'%.60s' are too few characters to compare; write at least %d", said, CODE_MIN);
}

static bool is_current(const struct statement *order, const char *challenge)
{
	const char *named = statement_get(order, "challenge");

	return named && !strcmp(named, challenge);
}

static void tell_erase(const struct cli *cli, const struct fleet_member *m, const struct statement *batch, const struct statement *order,
		       const char *challenge, enum order_kind kind)
{
	struct ceremony_erasing words = ceremony_erasing(m->driver, kind);
	unsigned delay = root_delay(cli->home->root, order_kind_name(kind));
	char age[24];

	clock_age_text(age, clock_now_s() - statement_time(batch, "time"));
	output_note("Erases     '%s' (%s%s%s%s%s): %s", m->name, m->driver, *m->model ? ", " : "", m->model, *m->serial ? ", serial " : "",
		    m->serial, words.erases);
	output_note("Keeps      %s", words.keeps);
	output_note("Claims     at most: %s; the device's last receipt says what was seen", words.claim);
	if (words.is_for_some)
		output_note("Note       not every device of this kind can do it: one that cannot refuses, and nothing is erased");
	output_note("Delay      %u s after the device took it, in which one person of role 'retirer' can stop it", delay);
	output_note("Undo       not at all once it erases: no backup of its keys exists");
	if (is_current(order, challenge))
		output_note("Challenge  the one that the device says now; named %s ago, good for at most 7 days", age);
	else
		output_note("Challenge  NOT the one that the device says now%s: it will refuse", *challenge ? "" : " (it says none)");
}

static void tell_shred(const struct fleet_member *m, const struct statement *batch, const struct statement *order)
{
	const char *after = statement_get(order, "after");

	output_note("Shreds     the keys of all that the archive has of '%s', from %s on; nobody opens any of it again", m->name,
		    statement_get(batch, "not-before"));
	if (after)
		output_note("After      the erasure %.16s..., if the device says that it is done; otherwise nothing is shredded", after);
	else
		output_note("Lost       the device is GIVEN UP: its key is revoked as soon as enough people agree, its side stays not "
			    "confirmed");
	output_note("Undo       until then it can be stopped (holdfast retire cancel); what is shredded never comes back");
}

void ceremony_tell_order(const struct cli *cli, const struct fleet_member *member, const struct statement *batch,
			 const struct statement *order, const char *challenge)
{
	char id[ID_LEN + 1], code[CEREMONY_CODE_LEN];
	enum order_kind kind = ORDER_SHRED;

	order_kind_parse(&kind, statement_get(batch, "kind"));
	if (order_kind_erases(kind))
		tell_erase(cli, member, batch, order, challenge, kind);
	else
		tell_shred(member, batch, order);
	batch_id(id, batch);
	ceremony_code(code, id);
	output_note("Compare    %s", code);
}

void ceremony_put_order(json_t *json, const struct cli *cli, const struct fleet_member *member, const struct statement *batch,
			const struct statement *order, const char *challenge)
{
	char id[ID_LEN + 1], code[CEREMONY_CODE_LEN];
	enum order_kind kind = ORDER_SHRED;
	struct ceremony_erasing words;

	order_kind_parse(&kind, statement_get(batch, "kind"));
	words = ceremony_erasing(member->driver, kind);
	batch_id(id, batch);
	ceremony_code(code, id);
	show_put_text(json, "compare", code);
	if (order_kind_erases(kind)) {
		show_put_text(json, "erases", words.erases);
		show_put_text(json, "keeps", words.keeps);
		show_put_text(json, "claims-at-most", words.claim);
		json_object_set_new(json, "delay", json_integer(root_delay(cli->home->root, order_kind_name(kind))));
		json_object_set_new(json, "challenge-is-current", json_boolean(is_current(order, challenge)));
		show_put_text(json, "challenge", statement_get(order, "challenge"));
	} else {
		show_put_text(json, "not-before", statement_get(batch, "not-before"));
		show_put_text(json, "after", statement_get(order, "after") ? statement_get(order, "after") : "");
		json_object_set_new(json, "gives-up", json_boolean(!statement_get(order, "after")));
	}
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

/* ---- what comes next ---- */

_printf_(2, 3) static void say(struct ceremony_next *out, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(out->what, sizeof(out->what), fmt, args);
	va_end(args);
}

static void command(struct ceremony_next *out, const struct ceremony *c, const char *verb, const char *more)
{
	snprintf(out->command, sizeof(out->command), "holdfast retire %s %s%s", verb, c->member->name, more);
}

static bool has_role(const struct ceremony *c, enum role role)
{
	return root_has_role(c->cli->home->root, c->cli->home->person, role);
}

static bool contains(const char *list, const char *person)
{
	size_t len = strlen(person);

	for (const char *at = list; (at = strstr(at, person)); at += len)
		if ((at == list || at[-1] == ' ') && (at[len] == ',' || !at[len]))
			return true;
	return false;
}

static void next_approval(struct ceremony_next *out, const struct ceremony *c, const struct retirement_step *s)
{
	_cleanup_(buf_done) struct buf people = { 0 };

	retirement_silent_people(&people, s->of, c->cli->home->root);
	say(out, "%u of %u people agreed to the %s; it waits for %s", s->consent.people, s->consent.need,
	    statement_get(s->of->batch, "kind"), people.len ? buf_text(&people) : "somebody who gets the role 'retirer'");
	command(out, c, "approve", "");
	out->is_mine = contains(buf_text(&people), c->cli->home->person);
}

static void next_of_erasure(struct ceremony_next *out, const struct ceremony *c)
{
	const struct retirement *r = &c->dossier.now;
	char end[CLOCK_TEXT_LEN];

	if (retirement_in_hand(r)->phase == PHASE_WAITING) {
		next_approval(out, c, retirement_in_hand(r));
	} else if (r->shred.of && r->shred.phase == PHASE_WAITING) {
		next_approval(out, c, &r->shred);
	} else if (r->erase.phase == PHASE_GIVEN) {
		say(out, "the device has not taken it yet");
	} else if (r->erase.phase == PHASE_STOPPING) {
		say(out, "people stopped it; whether in time, the device has not said yet");
	} else if (r->erase.delay_end_s > clock_now_s()) {
		clock_text(end, r->erase.delay_end_s);
		say(out, "the device waits until %s; whoever has the role can stop it until then", end);
		command(out, c, "cancel", " --reason TEXT");
		out->is_mine = false;
	} else {
		say(out, "the device erases; nothing stops it any more");
	}
}

static void next_of_archive(struct ceremony_next *out, const struct ceremony *c)
{
	const struct retirement *r = &c->dossier.now;

	if (r->shred.of && r->shred.phase == PHASE_WAITING) {
		next_approval(out, c, &r->shred);
	} else if (r->shred.of && r->shred.phase == PHASE_GIVEN) {
		say(out, "the hold is over; the archive has not said yet that it shredded (the server's log tells why, if it takes long)");
	} else {
		say(out, "the archive still has all of it, and no order to shred is in hand");
		command(out, c, "request", r->is_lost ? " --method lost --reason TEXT" : " --reason TEXT");
		out->is_mine = has_role(c, ROLE_RETIRER);
	}
}

static void next_of_readers(struct ceremony_next *out, const struct ceremony *c)
{
	const struct retirement *r = &c->dossier.now;
	_cleanup_(buf_done) struct buf people = { 0 };

	for (size_t i = 0; i < r->missing_count; i++) {
		buf_addf(&people, "%s%s", i ? ", " : "", r->missing[i]);
		out->is_mine = out->is_mine || !strcmp(r->missing[i], c->cli->home->person);
	}
	say(out, "these had a key, and have not said that they kept nothing: %s", buf_text(&people));
	command(out, c, "attest", "");
}

void ceremony_next(struct ceremony_next *out, const struct ceremony *c)
{
	const struct retirement *r = &c->dossier.now;

	*out = (struct ceremony_next){ .is_mine = false };
	switch (r->state) {
	case RETIREMENT_ACTIVE:
		say(out, "nothing is in hand");
		command(out, c, "plan", "");
		return;
	case RETIREMENT_RETIRING:
		next_of_erasure(out, c);
		return;
	case RETIREMENT_FAILED:
		say(out, "it is erased in part: look at the device, then order again what it can, or give it up (--method lost)");
		command(out, c, "request", " --method factory-reset|purge|lost --reason TEXT");
		out->is_mine = has_role(c, ROLE_RETIRER);
		return;
	case RETIREMENT_WIPED:
	case RETIREMENT_LOST:
		next_of_archive(out, c);
		return;
	case RETIREMENT_HELD:
		say(out, "the archive is held until %s; until then the shredding can be stopped",
		    statement_get(r->shred.of->batch, "not-before"));
		return;
	case RETIREMENT_SHREDDING:
		next_of_readers(out, c);
		return;
	case RETIREMENT_SHREDDED:
		say(out, "all have said so; what is missing is the certificate");
		command(out, c, "certificate", " -o FILE");
		out->is_mine = has_role(c, ROLE_RETIRER);
		return;
	case RETIREMENT_CERTIFIED:
		say(out, "over; what stays is the certificate");
		command(out, c, "certificate", " -o FILE");
		return;
	}
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
