/* agent/device.c -- which drivers there are. */
#include "agent/device.h"

#include "agent/driver-files.h"
#include "agent/driver-weos.h"

#include <string.h>

static const struct device_driver *const drivers[] = { &driver_frr, &driver_files, &driver_weos };

const struct device_driver *device_driver(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(drivers); i++)
		if (!strcmp(drivers[i]->name, name))
			return drivers[i];
	return NULL;
}

void device_look_done(struct device_look *look)
{
	buf_done(&look->running);
	buf_done(&look->startup);
}
