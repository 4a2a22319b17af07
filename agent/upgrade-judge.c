/* agent/upgrade-judge.c -- may an image of firmware be given to a device? By the statement about it and what the device is. */
#include "agent/upgrade-parts.h"

#include "policies/policy.h"

#include <string.h>
#include <strings.h>

static bool is_part(const char *part)
{
	return !strcmp(part, "system") || !strcmp(part, "boot") || !strcmp(part, "bundle");
}

static bool has_model(const struct statement *firmware, const char *model)
{
	size_t count = statement_count(firmware, "model");

	for (size_t i = 0; i < count; i++)
		if (!strcasecmp(statement_at(firmware, "model", i), model))
			return true;
	return !count || !*model;
}

/* Is a below b? False also when one of them is no version: then nobody can say that it is. */
static bool is_below(const char *a, const char *b)
{
	int order;

	return version_compare(&order, a, b) && order < 0;
}

/* By what runs: minimum, and what may be older. */
void upgrade_judge_version(struct orders_judgement *out, const struct statement *firmware, const char *runs)
{
	const char *version = statement_get(firmware, "version"), *minimum = statement_get(firmware, "minimum");

	if (minimum && (!*runs || is_below(runs, minimum)))
		orders_refuse(out, CHECK_MINIMUM, "it runs '%.60s', and the image is for %.60s or newer",
			      *runs ? runs : "nobody knows what", minimum);
	else if (is_below(version, runs) && !statement_get(firmware, "downgrade"))
		orders_refuse(out, CHECK_DOWNGRADE, "it runs %.60s, and %.60s is older", runs, version);
}

static void judge_device(struct orders_judgement *out, const struct statement *firmware, const struct upgrade_device *device)
{
	const struct device_facts *facts = device->facts;
	const char *part = statement_get(firmware, "part");

	if (strcmp(statement_get(firmware, "driver"), device->driver) != 0)
		orders_refuse(out, CHECK_MODEL, "the image is for driver '%.60s', and this device has '%s'",
			      statement_get(firmware, "driver"), device->driver);
	else if (!is_part(part))
		orders_refuse(out, CHECK_MODEL, "there is no part '%.60s'", part);
	else if (!has_model(firmware, facts->model))
		orders_refuse(out, CHECK_MODEL, "the image is for other models than '%.60s'", facts->model);
	else if (strcmp(part, "boot") != 0)
		upgrade_judge_version(out, firmware, facts->firmware);
}

static void judge_size(struct orders_judgement *out, const struct statement *firmware, const struct upgrade_device *device)
{
	unsigned long long size = statement_number(firmware, "size");

	if (!size || size > device->most)
		orders_refuse(out, CHECK_SPACE, "the image has %llu bytes, and the agent takes %llu", size,
			      (unsigned long long)device->most);
	else if (size > device->room)
		orders_refuse(out, CHECK_SPACE, "the image has %llu bytes, and the agent's disk has room for %llu", size,
			      (unsigned long long)device->room);
}

void upgrade_judge_fit(struct orders_judgement *out, const struct statement *firmware, const struct upgrade_device *device)
{
	judge_device(out, firmware, device);
	if (out->verdict == ORDERS_OBEY)
		judge_size(out, firmware, device);
}

int upgrade_parse(struct statement **out, struct bytes payload, struct error *err)
{
	struct statement *st = NULL;
	size_t used;

	if (statement_parse(&st, payload, false, &used, err) < 0)
		return err->code;
	for (; used < payload.len && payload.ptr[used] == '\n'; used++)
		;
	if (used == payload.len && statement_type(st) == STATEMENT_FIRMWARE) {
		*out = st;
		return 0;
	}
	statement_free(st);
	return error_set(err, E_FORMAT, "it is no firmware statement");
}

void upgrade_judge(struct orders_judgement *out, struct statement **firmware, struct bytes payload, const struct upgrade_device *device)
{
	struct error err = { 0 };

	if (upgrade_parse(firmware, payload, &err) < 0) {
		orders_refuse(out, CHECK_FIRMWARE, "%.300s", err.text);
		return;
	}
	if (root_verify(device->root, *firmware, &err) < 0)
		orders_refuse(out, CHECK_FIRMWARE, "%.300s (by root %llu)", err.text, (unsigned long long)root_version(device->root));
	if (out->verdict == ORDERS_OBEY)
		upgrade_judge_fit(out, *firmware, device);
}
