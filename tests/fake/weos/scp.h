/* tests/fake/weos/scp.h -- the device's end of scp(1), for "scp -O": files of /cfg/ only, as the device has it. */
#pragma once

/* command is what the client asked the SSH server for: "scp -t /cfg/x" or "scp -f /cfg/x". Returns the exit status. */
int scp_serve(const char *state, const char *command);
