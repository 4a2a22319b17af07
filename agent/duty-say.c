/* agent/duty-say.c -- what a duty says of its device: in statuses and snapshots, and in the file that `holdfast-agent status` prints. */
#include "agent/duty-parts.h"

#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"

#include <stdio.h>
#include <string.h>

static const char *why_text(enum commit_why why)
{
	switch (why) {
	case WHY_RESTARTED:
		return "not saved: the device restarted, and running never equalled startup since; save by hand if this is wanted";
	case WHY_FAILED:
		return "saving failed, it is tried again later";
	case WHY_NOT_WHOLE:
	case WHY_NONE:
	case WHY_MODE:
	case WHY_QUIET:
	case WHY_HELD:
	case WHY_DOUBTFUL:
	case WHY_EXEMPT:
		return "";
	}
	return "";
}

static void add_note(char note[static DUTY_NOTE_MAX * 2], const char *text)
{
	size_t used = strlen(note);

	if (*text)
		snprintf(note + used, DUTY_NOTE_MAX * 2 - used, "%s%s", used ? "; " : "", text);
}

bool duty_erases(const struct duty *d)
{
	return (device_capabilities(d->driver, d->dev) & (DEVICE_FACTORY_RESET | DEVICE_PURGE)) != 0;
}

void duty_input(struct snapshot_input *in, char note[static DUTY_NOTE_MAX * 2], const struct duty *d)
{
	note[0] = 0;
	if (root_is_expired(d->state.root, floor_now(&d->state.floor)))
		add_note(note, "the root has expired: no order is obeyed until the next one is there");
	add_note(note, d->uplink.trouble);
	add_note(note, d->trouble);
	add_note(note, d->policy_trouble);
	add_note(note, why_text(d->decision.why));
	if (*d->doubt)
		add_note(note, "what boots may be something else");
	add_note(note, d->doubt);
	add_note(note, d->remark);
	if (d->is_held) {
		char held[DUTY_NOTE_MAX];

		snprintf(held, sizeof(held), "held by %s: %s", d->hold.who, d->hold.why);
		add_note(note, held);
	}
	*in = (struct snapshot_input){
		.driver = d->driver,
		.saved = d->decision.saved,
		.unsaved_since_s = d->decision.unsaved_since_s,
		.mode = settings_mode_name(d->commit.mode),
		.hold_s = d->is_held ? d->hold.until_s : 0,
		.hold_by = d->hold_by,
		.changed_by = d->changed_by,
		.drift = duty_drift(d),
		.drift_since_s = duty_drift(d) ? d->drift_since_s : 0,
		.note = note,
		.facts = &d->facts,
		.order = d->state.chain.orders.last,
		.challenge = duty_erases(d) ? challenge_now(&d->state.challenge, state_clock(&d->state)) : NULL,
	};
}

void duty_by(struct snapshot_by *by, const struct duty *d)
{
	*by = (struct snapshot_by){ &d->state.key, d->state.id, d->state.root, d->state.checkpoint, state_now(&d->state) };
}

static void add_policies(struct buf *out, const struct duty *d)
{
	const struct chain *c = &d->state.chain;
	char since[CLOCK_TEXT_LEN];

	if (d->policies.is_there)
		buf_addf(out, "policies: order %llu by %s:", (unsigned long long)c->policy.order, d->policies.person);
	for (size_t i = 0; d->policies.is_there && i < d->policies.pack_count; i++)
		buf_addf(out, " %s", d->policies.packs[i]);
	buf_addf(out, "%s\nverdict: ", d->policies.is_there ? "" : "policies: -");
	if (c->verdict.number)
		buf_addf(out, "%llu", (unsigned long long)c->verdict.number);
	for (unsigned i = 0; c->verdict.number && i < STANDINGS; i++)
		buf_addf(out, " %s=%llu", standing_name((enum standing)i), (unsigned long long)c->verdict.counts[i]);
	buf_addf(out, "%s\ndrift: %s", c->verdict.number ? "" : "-", duty_drift(d) ? duty_drift(d) : "-");
	clock_text(since, d->drift_since_s);
	if (duty_drift(d) && d->drift_since_s)
		buf_addf(out, " since %s", since);
	if (duty_drift(d))
		buf_addf(out, ", from snapshot %llu", (unsigned long long)d->policies.baseline_number);
	buf_addf(out, "\nhold-by: %s\nchanged-by: %s\n", *d->hold_by ? d->hold_by : "-", *d->changed_by ? d->changed_by : "-");
}

/* For `holdfast-agent status`. Not durable: it is made again after every start. */
void duty_write_status(struct duty *d)
{
	_cleanup_(mem_freep) char *path = mem_printf("%s/status", d->dir);
	char note[DUTY_NOTE_MAX * 2], since[CLOCK_TEXT_LEN] = "-", order[400];
	_cleanup_(buf_done) struct buf text = { 0 };
	struct snapshot_input in;
	struct error err = { 0 };

	duty_input(&in, note, d);
	if (in.unsaved_since_s)
		clock_text(since, in.unsaved_since_s);
	obey_say(order, sizeof(order), d);
	buf_addf(&text,
		 "device: %s\nadmitted: %s\nsaved: %s\nunsaved-since: %s\nmode: %s\nhead: %llu\norder: %llu\nchange: %s\nnote: "
		 "%.600s\nimages: %s\n",
		 d->state.id, d->state.admit ? "yes" : "no", commit_saved_name(in.saved), since, in.mode,
		 (unsigned long long)d->state.chain.number, (unsigned long long)in.order, *order ? order : "-", *note ? note : "-",
		 *d->facts.images ? d->facts.images : "-");
	add_policies(&text, d);
	if (!strcmp(buf_text(&text), d->status_text))
		return;
	snprintf(d->status_text, sizeof(d->status_text), "%s", buf_text(&text));
	if (fs_write(path, buf_bytes(&text), 0600, &err) < 0)
		log_failure(LOG_WARNING, "status-file", &err);
}
