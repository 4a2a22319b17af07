/* agent/probe.h -- what must hold after a change, besides that the server is reached: a ping, a TCP connection, an answer of the device. */
#pragma once

#include "agent/ipc.h"
#include "crypto/statement.h"

enum { PROBES_MAX = 8, PROBE_TARGET_MAX = 300 };

enum probe_kind { PROBE_PING, PROBE_TCP, PROBE_SHOW };

struct probe {
	enum probe_kind kind;
	char target[PROBE_TARGET_MAX]; /* PING: an address; TCP: host:port; SHOW: what follows "show" */
	const char *pattern;           /* SHOW; borrowed from the text */
};

/* Parses one probe of an order. E_FORMAT: an address that is none, a pattern that does not compile. */
int probe_parse(struct probe *out, const char *text, struct error *err) _must_check_;
/* All of an order's; E_FORMAT as above. */
int probes_check(const struct statement *order, struct error *err) _must_check_;
/* Does the pattern match anywhere in what the device said? E_LIMIT when finding out takes too long. */
int probe_matches(const struct probe *probe, struct bytes said, bool *matches, struct error *err) _must_check_;

/* What core asks of net: PING or TCP. */
struct probe_ask {
	enum probe_kind kind;
	char target[PROBE_TARGET_MAX];
	uint32_t timeout_ms; /* not 0 */
};
void probe_ask_put(struct buf *out, const struct probe_ask *ask);
bool probe_ask_get(struct probe_ask *out, struct bytes in);
