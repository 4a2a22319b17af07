/* agent/join.h -- `holdfast-agent join`: makes a device's keys, and answers an invite with an enrolment. */
#pragma once

#include "agent/settings.h"

enum { INVITE_MAX = 1024 };

/* Reads the invite from path ("-": standard input), fetches the fleet's root from its server, makes the keys in the device's folder
 * and posts the enrolment. When the server cannot be reached for the last step, the daemon goes on with it.
 *
 * E_DENIED when the device has joined already, or the server refuses the enrolment (then nothing is left behind);
 * E_FORMAT for what is no invite; E_SEAL when the server's root is not of the invite's fleet. */
int join(const char *config, const struct settings *settings, const struct settings_device *dev, const char *path,
	 struct error *err) _must_check_;
