/* agent/device.c -- which drivers there are. */
#include "agent/device.h"

#include "agent/driver-files.h"
#include "agent/driver-weos.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static const struct device_driver *const drivers[] = { &driver_frr, &driver_files, &driver_weos };

const struct device_driver *device_driver(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(drivers); i++)
		if (!strcmp(drivers[i]->name, name))
			return drivers[i];
	return NULL;
}

unsigned device_capabilities(const struct device_driver *driver, const struct settings_device *dev)
{
	return driver->capabilities | (driver->capable ? driver->capable(dev) : 0);
}

bool device_is_erased(const struct device_erased *erased)
{
	for (size_t i = 0; i < erased->area_count; i++)
		if (erased->areas[i].result != AREA_DONE)
			return false;
	return erased->area_count > 0;
}

struct area *device_area(struct device_erased *out, const char *name, const char *method, enum area_claim claimed)
{
	struct area *area = &out->areas[out->area_count];

	assert(out->area_count < DEVICE_AREAS_MAX);
	out->area_count++;
	*area = (struct area){ .claimed = claimed };
	snprintf(area->name, sizeof(area->name), "%s", name);
	snprintf(area->method, sizeof(area->method), "%s", method);
	return area;
}

void device_left(struct device_erased *out, const char *text)
{
	if (out->left_count < DEVICE_LEFTS_MAX)
		snprintf(out->left[out->left_count++], DEVICE_LEFT_MAX, "%s", text);
}

void device_look_done(struct device_look *look)
{
	buf_done(&look->running);
	buf_done(&look->startup);
}
