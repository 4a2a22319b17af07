/* agent/driver-files.h -- the driver for machines whose configuration is files: docs/reference/driver-files.md. */
#pragma once

#include "agent/device.h"

extern const struct device_driver driver_files;
