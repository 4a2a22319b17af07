/* agent/conformance.c -- does a driver keep what agent/device.h promises, on this device? */
#include "agent/conformance-parts.h"

#include "base/clock.h"

#include <stdio.h>
#include <string.h>

void moment_done(struct moment *m)
{
	device_look_done(&m->look);
	buf_done(&m->running);
	buf_done(&m->startup);
}

void row_say(struct row *row, enum conformance_result result, const char *fmt, ...)
{
	va_list ap;

	row->result = result;
	va_start(ap, fmt);
	vsnprintf(row->evidence, sizeof(row->evidence), fmt, ap);
	va_end(ap);
}

bool moment_see(const struct suite *s, struct moment *out, struct row *row)
{
	struct error err = { 0 };

	*out = (struct moment){ 0 };
	if (s->driver->look(&out->look, s->dev, &err) < 0) {
		row_say(row, FAILS, "a look: %s", err.text);
		return false;
	}
	if (!out->look.is_whole) {
		row_say(row, FAILS, "the device is not whole, missing: %s", out->look.missing);
		return false;
	}
	s->driver->canonical(&out->running, buf_bytes(&out->look.running));
	s->driver->canonical(&out->startup, buf_bytes(&out->look.startup));
	return true;
}

bool moment_same(const struct buf *a, const struct buf *b)
{
	return bytes_equal(buf_bytes(a), buf_bytes(b));
}

bool moment_is_saved(const struct moment *m)
{
	return m->look.has_startup && moment_same(&m->running, &m->startup);
}

bool moment_still(const struct suite *s, struct row *row, const struct buf *running, const struct buf *startup, const char *after)
{
	_cleanup_(moment_done) struct moment now;

	if (!moment_see(s, &now, row))
		return false;
	if (!moment_same(&now.running, running))
		row_say(row, FAILS, "%s, running is another", after);
	else if (!moment_same(&now.startup, startup))
		row_say(row, FAILS, "%s, startup is another", after);
	else
		return true;
	return false;
}

static const struct conformance_check *const parts[] = { conformance_look, conformance_text, conformance_change, conformance_upgrade,
							  conformance_erase };

static bool is_a_row(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		for (const struct conformance_check *check = parts[i]; check->name; check++)
			if (!strcmp(check->name, name))
				return true;
	return false;
}

/* By its name; where none has that, by what stands before the colon. */
static bool is_named(const char *name, const char *only)
{
	size_t len = strlen(only);

	return !strcmp(name, only) || (!strncmp(name, only, len) && name[len] == ':' && !is_a_row(only));
}

/* What keeps a check from being made; false: nothing. */
static bool is_kept(const struct suite *s, const struct conformance_check *check, struct row *row)
{
	unsigned has = device_capabilities(s->driver, s->dev), missing = check->needs & ~has;
	const char *why = missing && s->driver->lacks ? s->driver->lacks(s->dev, missing) : NULL;

	if (!check->is_first && s->what->only && !is_named(check->name, s->what->only))
		row_say(row, NOT_TRIED, "--only '%.40s'", s->what->only);
	else if (missing && why)
		row_say(row, CANNOT, "%s", why);
	else if (missing)
		row_say(row, CANNOT, "driver %s does not declare it", s->driver->name);
	else if (!check->is_first && !s->has_first)
		row_say(row, NOT_TRIED, "without a look");
	else if (check->is_destructive && !s->what->is_destructive)
		row_say(row, NOT_TRIED, "it changes the device: --destructive");
	else if (check->is_destructive && !check->is_erasing && !moment_is_saved(&s->first))
		row_say(row, NOT_TRIED, "running differs from startup: save, or return, first");
	else if (check->wants_trial && !s->trial)
		row_say(row, NOT_TRIED, "driver %s has no trial lines for this device: --change FILE", s->driver->name);
	else
		return false;
	return true;
}

static void print_row(const char *name, const struct row *row, unsigned ms)
{
	static const char *const results[] = { "holds", "FAILS", "cannot", "not tried" };

	printf("%-30s %-9s %7u ms  %s\n", name, results[row->result], ms, row->evidence);
	fflush(stdout);
}

static const char *capabilities_text(char out[static 80], unsigned has)
{
	static const char *const names[] = { "startup", "save", "revert", "apply", "reboot", "factory-reset", "purge", "upgrade" };

	out[0] = 0;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (has & (1U << i)) {
			strncat(out, " ", 2);
			strncat(out, names[i], 16);
		}
	return out;
}

static void try_part(struct suite *s, const struct conformance_check *check)
{
	for (; check->name; check++) {
		uint64_t begin = clock_mono_ms();
		struct row row = { 0 };

		if ((check->is_erasing && !s->what->is_erasing) || (check->is_firmware && !s->what->firmware))
			continue;
		if (!is_kept(s, check, &row))
			check->check(s, &row);
		print_row(check->name, &row, (unsigned)(clock_mono_ms() - begin));
		s->counts[row.result]++;
	}
}

int conformance_run(const struct conformance *what)
{
	struct suite s = { .what = what, .dev = what->dev, .driver = device_driver(what->dev->driver) };
	char text[80];

	s.trial = what->trial;
	if (!s.trial && s.driver->trial)
		s.trial = s.driver->trial(s.dev);
	printf("device %s, driver %s, which declares:%s\n\n", s.dev->name, s.driver->name,
	       capabilities_text(text, device_capabilities(s.driver, s.dev)));
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		try_part(&s, parts[i]);
	moment_done(&s.first);
	printf("\n%u hold, %u fail, %u cannot, %u not tried\n", s.counts[HOLDS], s.counts[FAILS], s.counts[CANNOT], s.counts[NOT_TRIED]);
	return s.counts[FAILS] ? CONFORMANCE_FAILS : 0;
}
