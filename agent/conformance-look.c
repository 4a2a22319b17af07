/* agent/conformance-look.c -- does looking at a device keep its promises, and does a device that hangs make nobody wait for ever? */
#include "agent/conformance-parts.h"

#include "agent/trace.h"
#include "base/clock.h"

#include <string.h>

enum { LOOK_MS = 60000 };

static void check_facts(struct suite *s, struct row *row)
{
	struct device_facts facts = { 0 };
	struct error err = { 0 };

	if (s->driver->facts(&facts, s->dev, &err) < 0)
		row_say(row, FAILS, "%s", err.text);
	else if (!*facts.model || !*facts.firmware)
		row_say(row, FAILS, "no model, or no firmware");
	else
		row_say(row, HOLDS, "%s, firmware %s%s%s, serial number %s", facts.model, facts.firmware, *facts.images ? ", " : "",
			facts.images, *facts.serial ? "known" : "unknown");
}

static void check_look(struct suite *s, struct row *row)
{
	s->has_first = moment_see(s, &s->first, row);
	if (!s->has_first)
		return;
	if (!s->first.running.len)
		row_say(row, FAILS, "running is empty");
	else
		row_say(row, HOLDS, "running has %zu bytes, startup %zu", s->first.running.len, s->first.startup.len);
}

static void check_steady(struct suite *s, struct row *row)
{
	_cleanup_(moment_done) struct moment again;

	if (!moment_see(s, &again, row))
		return;
	if (!moment_same(&again.running, &s->first.running) || !moment_same(&again.startup, &s->first.startup))
		row_say(row, FAILS, "two looks differ in %s", moment_same(&again.running, &s->first.running) ? "startup" : "running");
	else if (strcmp(again.look.incarnation, s->first.look.incarnation) != 0)
		row_say(row, FAILS, "it says that it started anew between two looks");
	else
		row_say(row, HOLDS, "two looks are equal, and so is '%.60s'", again.look.incarnation);
}

static void check_glance(struct suite *s, struct row *row)
{
	uint8_t a[DEVICE_GLANCE_LEN], b[DEVICE_GLANCE_LEN];
	struct error err = { 0 };

	if (!s->driver->glance)
		row_say(row, CANNOT, "it always looks");
	else if (s->driver->glance(a, s->dev, &err) < 0 || s->driver->glance(b, s->dev, &err) < 0)
		row_say(row, FAILS, "%s", err.text);
	else if (memcmp(a, b, sizeof(a)) != 0)
		row_say(row, FAILS, "two glances differ");
	else
		row_say(row, HOLDS, "two glances are equal");
}

static void check_startup(struct suite *s, struct row *row)
{
	if (!s->first.look.has_startup)
		row_say(row, NOT_TRIED, "there is no startup configuration");
	else
		row_say(row, HOLDS, moment_is_saved(&s->first) ? "equal to running" : "other than running");
}

/* ---- a device that hangs ---- */

static int run_look(void *ctx, struct error *err)
{
	const struct suite *s = ctx;
	_cleanup_(device_look_done) struct device_look look = { 0 };

	return s->driver->look(&look, s->dev, err);
}

static void check_hang(struct suite *s, struct row *row)
{
	struct trace_work work = { run_look, s };
	uint64_t begin = clock_mono_ms();
	struct error err = { 0 };
	unsigned held;
	int r = trace_held(&work, LOOK_MS, &held, &err);
	unsigned took = (unsigned)(clock_mono_ms() - begin);

	if (!held && r != E_SYS)
		row_say(row, NOT_TRIED, "it starts no program that could be stopped: stop the device, and look");
	else if (r == E_SYS)
		row_say(row, NOT_TRIED, "%s", err.text);
	else if (r != E_PEER)
		row_say(row, FAILS, "its programs were stopped, and after %u ms it said: %s", took, r == 0 ? "all is well" : err.text);
	else if (moment_still(s, row, &s->first.running, &s->first.startup, "after it hung"))
		row_say(row, HOLDS, "an error after %u ms, and all is well behind it", took);
}

const struct conformance_check conformance_look[] = {
	{ .name = "facts", .check = check_facts, .is_first = true },
	{ .name = "look", .check = check_look, .is_first = true },
	{ .name = "look: twice the same", .check = check_steady },
	{ .name = "glance", .check = check_glance },
	{ .name = "startup", .needs = DEVICE_STARTUP, .check = check_startup },
	{ .name = "a device that hangs", .check = check_hang },
	{ 0 },
};
