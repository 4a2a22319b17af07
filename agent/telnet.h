/* agent/telnet.h -- telnet (RFC 854) as far as a serial port behind it needs it, with the options of RFC 2217. No socket is involved.
 *
 * The client's side: it agrees to BINARY, SUPPRESS-GO-AHEAD, the other side's ECHO and COM-PORT-OPTION, refuses the rest, and never answers
 * an answer (RFC 1143's loops cannot begin). */
#pragma once

#include "base/bytes.h"

enum { TELNET_SUB_MAX = 256, TELNET_REPLIES_MAX = 4096 };

enum telnet_state { TELNET_DATA, TELNET_CR, TELNET_IAC, TELNET_VERB, TELNET_SUB, TELNET_SUB_IAC };

struct telnet {
	enum telnet_state state;
	uint8_t verb;
	bool ours[256], theirs[256];   /* options in force */
	bool asked_us[256], asked_them[256]; /* we began it: the answer is not answered */
	struct buf sub;
	bool sub_is_long;
	struct buf replies;  /* to be sent */
	bool is_suspended;   /* the server asked us to wait */
	bool port_refused;   /* it does not know RFC 2217 */
	uint32_t rate;       /* as the server says that it is; 0: nothing said yet */
};

void telnet_begin(struct telnet *t); /* appends the first offers to replies */
void telnet_done(struct telnet *t);
/* Appends the data in what came; answers are in t->replies, at most TELNET_REPLIES_MAX bytes a call: a peer that asks for more gets
 * none. */
void telnet_take(struct telnet *t, struct buf *out, struct bytes in);
/* Appends data as it travels. */
void telnet_give(const struct telnet *t, struct buf *out, struct bytes data);
/* Appends a command of RFC 2217 with a number of `len` bytes. */
void telnet_port(struct buf *out, uint8_t command, uint32_t value, size_t len);
