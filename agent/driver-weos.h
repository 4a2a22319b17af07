/* agent/driver-weos.h -- switches of Westermo with WeOS 4 or 5, over SSH or a serial console (docs/reference/driver-weos.md). */
#pragma once

#include "agent/device.h"

extern const struct device_driver driver_weos;
