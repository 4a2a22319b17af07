/* tests/fake/weos/control.h -- the socket by which other programs reach the running device.
 *
 * One request a connection, one line: "login USER" makes the connection a CLI session; "fault NAME on|off", "power on|off|cut" and
 * "faults" are answered with a line or more and closed. */
#pragma once

#include "tests/fake/weos/device.h"

struct control;

int control_new(struct control **out, struct device *dev, struct error *err) _must_check_;
struct control *control_free(struct control *control);
/* The other side: a connection, the request sent. */
int control_connect(const char *state, const char *request, struct error *err) _must_check_;
