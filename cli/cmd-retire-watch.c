/* cli/cmd-retire-watch.c -- holdfast retire status, holdfast retire execute: where retirements stand, and one followed to where a person is
 * needed. */
#include "cli/commands.h"

#include "base/clock.h"
#include "cli/attest.h"
#include "cli/home.h"
#include "cli/retiring.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

enum { STEP_MS = 2000, STATUS_INTERRUPTED = 130, TRIES = 60 };

/* ---- status ---- */

static int show_one(struct cli *cli, const char *text, struct error *err)
{
	_cleanup_(ceremony_done) struct ceremony c = { 0 };
	int r = ceremony_begin(&c, cli, text, err);

	if (r < 0)
		return r;
	return cli->json ? output_json("retire-status", ceremony_json(&c), err) : ceremony_print(&c, err);
}

struct overview {
	struct table table;
	json_t *list;
};

static void put_one(struct overview *o, const struct ceremony *c)
{
	_cleanup_(buf_done) struct buf summary = { 0 };
	struct ceremony_next next;

	ceremony_summary(&summary, c);
	ceremony_next(&next, c);
	table_add(&o->table, (const char *const[]){ c->dossier.name, buf_text(&summary), next.what, next.command });
	json_array_append_new(o->list, ceremony_json(c));
}

static int show_all(struct cli *cli, struct error *err)
{
	static const char *const heads[] = { "DEVICE", "STATE", "WHAT COMES NEXT", "COMMAND" };
	_cleanup_(retiring_done) struct retiring found = { 0 };
	struct overview o = { .list = json_array() };
	int r = retiring_find(&found, cli, err);

	table_init(&o.table, ARRAY_SIZE(heads), heads);
	for (size_t i = 0; i < found.count && r == 0; i++) {
		_cleanup_(ceremony_done) struct ceremony c = { 0 };

		r = ceremony_begin(&c, cli, found.ids[i], err);
		if (r == 0)
			put_one(&o, &c);
		else if (r == CLI_ABSENT) /* of a batch that names a device which is not listed */
			r = 0;
	}
	if (r == 0 && cli->json)
		r = output_json("retire-list", json_pack("{s:O}", "devices", o.list), err);
	else if (r == 0 && o.table.rows > 1)
		r = table_print(&o.table, err);
	else if (r == 0)
		output_note("No device is on its way out.");
	table_done(&o.table);
	json_decref(o.list);
	return r;
}

int cmd_retire_status(struct cli *cli, const struct args *args, struct error *err)
{
	return args->count ? show_one(cli, args->value[0], err) : show_all(cli, err);
}

/* ---- execute ---- */

static volatile sig_atomic_t interrupted; /* a handler has nothing else to write to */

static void note_interrupt(int signal _unused_)
{
	interrupted = 1;
}

/* Is there something that comes by itself, without any person? */
static bool goes_on(const struct ceremony *c)
{
	const struct retirement *r = &c->dossier.now;

	if (r->state == RETIREMENT_RETIRING)
		return r->erase.phase == PHASE_GIVEN || r->erase.phase == PHASE_ARMED || r->erase.phase == PHASE_STOPPING;
	return (r->state == RETIREMENT_WIPED || r->state == RETIREMENT_LOST) && r->shred.phase == PHASE_GIVEN;
}

static bool must_attest(const struct ceremony *c)
{
	for (size_t i = 0; i < c->dossier.now.missing_count; i++)
		if (c->dossier.now.shredded && !strcmp(c->dossier.now.missing[i], c->cli->home->person))
			return true;
	return false;
}

static void tell_change(char before[static 300], const struct ceremony *c)
{
	_cleanup_(buf_done) struct buf now = { 0 };
	char time[CLOCK_TEXT_LEN];

	ceremony_summary(&now, c);
	if (!strncmp(before, buf_text(&now), 299))
		return;
	snprintf(before, 300, "%s", buf_text(&now));
	clock_text(time, clock_now_s());
	output_note("%s  %s: %s", time, c->dossier.name, before);
}

/* A server that is away for a moment ends no watch. */
static int look_again(struct ceremony *c, struct error *err)
{
	int r = ceremony_again(c, err);

	for (unsigned i = 0; i < TRIES && r == CLI_UNREACHED && !interrupted; i++) {
		poll(NULL, 0, STEP_MS);
		r = ceremony_again(c, err);
	}
	return r;
}

enum { WATCH_INTERRUPTED = 1, WATCH_TIMEOUT = 2 };

static int watch(struct ceremony *c, int64_t timeout_s, struct error *err)
{
	uint64_t end_ms = clock_mono_ms() + (uint64_t)timeout_s * 1000;
	char shown[300] = "";
	int r = 0;

	tell_change(shown, c);
	while (r == 0 && goes_on(c)) {
		if (interrupted)
			return WATCH_INTERRUPTED;
		if (timeout_s && clock_mono_ms() >= end_ms)
			return WATCH_TIMEOUT;
		poll(NULL, 0, STEP_MS);
		r = look_again(c, err);
		if (r == 0)
			tell_change(shown, c);
	}
	return r;
}

static int follow(struct ceremony *c, int64_t timeout_s, struct error *err)
{
	struct sigaction note = { .sa_handler = note_interrupt, .sa_flags = SA_RESETHAND }, before; /* a second one ends us */
	int r;

	interrupted = 0;
	sigaction(SIGINT, &note, &before);
	r = watch(c, timeout_s, err);
	sigaction(SIGINT, &before, NULL);
	return r;
}

/* 5: people are missing; 7: it came to nothing; 3: it went wrong. */
static int status_of(const struct ceremony *c)
{
	const struct retirement *r = &c->dossier.now;

	if (r->is_contradicted)
		return EXIT_CRYPTO;
	switch (r->state) {
	case RETIREMENT_ACTIVE:
		return r->erase.of ? EXIT_CONFLICT : EXIT_ABSENT;
	case RETIREMENT_FAILED:
		return EXIT_FAILED;
	case RETIREMENT_RETIRING:
	case RETIREMENT_WIPED:
	case RETIREMENT_LOST:
	case RETIREMENT_SHREDDING:
		return EXIT_DENIED;
	case RETIREMENT_HELD:
	case RETIREMENT_SHREDDED:
	case RETIREMENT_CERTIFIED:
		break;
	}
	return EXIT_DONE;
}

static int tell_end(const struct ceremony *c, int how, struct error *err)
{
	if (c->cli->json && output_json("retire-status", ceremony_json(c), err) < 0)
		return err->code;
	if (!c->cli->json && ceremony_print(c, err) < 0)
		return err->code;
	if (how == WATCH_INTERRUPTED) {
		output_note("This only stops watching; what was ordered goes on. See:  holdfast retire status %s", c->member->name);
		return STATUS_INTERRUPTED;
	}
	return how == WATCH_TIMEOUT ? EXIT_UNREACHED : status_of(c);
}

int cmd_retire_execute(struct cli *cli, const struct args *args, struct error *err)
{
	_cleanup_(ceremony_done) struct ceremony c = { 0 };
	int64_t timeout_s = 0;
	int how, r = args_has(args, "timeout") ? args_duration(&timeout_s, args_get(args, "timeout"), err) : 0;

	if (r == 0)
		r = ceremony_begin(&c, cli, args->value[0], err);
	if (r < 0)
		return r;
	how = follow(&c, timeout_s, err);
	if (how < 0)
		return how;
	if (how == 0 && must_attest(&c)) {
		r = attest(&c, args, err);
		if (r == CLI_USAGE) /* nobody can be asked here: it is still theirs to do */
			output_note("holdfast: note: %s", err->text);
		else if (r == 0)
			r = ceremony_again(&c, err);
		if (r < 0 && r != CLI_USAGE)
			return r;
	}
	return tell_end(&c, how, err);
}
