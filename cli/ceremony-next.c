/* cli/ceremony-next.c -- what comes next of a retirement, and who has to do it. */
#include "cli/ceremony.h"

#include "base/clock.h"
#include "base/plural.h"
#include "cli/home.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

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
	say(out, "%u of %u %s agreed to the %s; it waits for %s", s->consent.people, s->consent.need,
	    plural(s->consent.need, "person", "people"), statement_get(s->of->batch, "kind"),
	    people.len ? buf_text(&people) : "somebody who gets the role 'retirer'");
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
