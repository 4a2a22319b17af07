/* agent/telnet.c -- telnet as far as a serial port behind it needs it. */
#include "agent/telnet.h"

#include <string.h>

enum { IAC = 255, DONT = 254, DO = 253, WONT = 252, WILL = 251, SB = 250, SE = 240 };
enum { BINARY = 0, ECHO = 1, SUPPRESS_GO_AHEAD = 3, COM_PORT = 44 };
enum { FROM_SERVER = 100, PORT_RATE = 1, PORT_SUSPEND = 8, PORT_RESUME = 9 }; /* RFC 2217, section 3 */

static void say(struct telnet *t, uint8_t verb, uint8_t option)
{
	uint8_t bytes[] = { IAC, verb, option };

	if (t->replies.len + sizeof(bytes) <= TELNET_REPLIES_MAX)
		buf_add(&t->replies, bytes, sizeof(bytes));
}

static void ask_us(struct telnet *t, uint8_t option)
{
	t->asked_us[option] = true;
	say(t, WILL, option);
}

static void ask_them(struct telnet *t, uint8_t option)
{
	t->asked_them[option] = true;
	say(t, DO, option);
}

void telnet_begin(struct telnet *t)
{
	ask_us(t, COM_PORT);
	ask_us(t, BINARY);
	ask_us(t, SUPPRESS_GO_AHEAD);
	ask_them(t, BINARY);
	ask_them(t, SUPPRESS_GO_AHEAD);
}

void telnet_done(struct telnet *t)
{
	buf_done(&t->sub);
	buf_done(&t->replies);
	*t = (struct telnet){ 0 };
}

static bool we_may(uint8_t option)
{
	return option == BINARY || option == SUPPRESS_GO_AHEAD || option == COM_PORT;
}

static bool they_may(uint8_t option)
{
	return option == BINARY || option == SUPPRESS_GO_AHEAD || option == ECHO;
}

static void they_do(struct telnet *t, uint8_t option)
{
	bool was_asked = t->asked_us[option];

	t->asked_us[option] = false;
	if (t->ours[option])
		return;
	t->ours[option] = we_may(option);
	if (!was_asked)
		say(t, we_may(option) ? WILL : WONT, option);
}

static void they_will(struct telnet *t, uint8_t option)
{
	bool was_asked = t->asked_them[option];

	t->asked_them[option] = false;
	if (t->theirs[option])
		return;
	t->theirs[option] = they_may(option);
	if (!was_asked)
		say(t, they_may(option) ? DO : DONT, option);
}

static void they_dont(struct telnet *t, uint8_t option)
{
	bool was = t->ours[option];

	t->port_refused |= option == COM_PORT;
	t->asked_us[option] = t->ours[option] = false;
	if (was)
		say(t, WONT, option);
}

static void they_wont(struct telnet *t, uint8_t option)
{
	bool was = t->theirs[option];

	t->asked_them[option] = t->theirs[option] = false;
	if (was)
		say(t, DONT, option);
}

static void negotiate(struct telnet *t, uint8_t option)
{
	switch (t->verb) {
	case DO:
		they_do(t, option);
		break;
	case DONT:
		they_dont(t, option);
		break;
	case WILL:
		they_will(t, option);
		break;
	default:
		they_wont(t, option);
	}
}

static void end_sub(struct telnet *t)
{
	struct reader rd = reader_over(buf_bytes(&t->sub));
	uint8_t option = read_u8(&rd), command = read_u8(&rd);

	if (rd.short_read || option != COM_PORT || t->sub_is_long)
		return;
	if (command == FROM_SERVER + PORT_RATE) {
		uint32_t rate = read_u32(&rd);

		if (reader_done(&rd))
			t->rate = rate;
	} else if (command == FROM_SERVER + PORT_SUSPEND) {
		t->is_suspended = true;
	} else if (command == FROM_SERVER + PORT_RESUME) {
		t->is_suspended = false;
	}
}

static void add_sub(struct telnet *t, uint8_t c)
{
	if (t->sub.len < TELNET_SUB_MAX)
		buf_add_char(&t->sub, (char)c);
	else
		t->sub_is_long = true;
}

static void command(struct telnet *t, struct buf *out, uint8_t c)
{
	t->state = TELNET_DATA;
	if (c == IAC) {
		buf_add_char(out, (char)IAC);
	} else if (c >= WILL && c <= DONT) {
		t->verb = c;
		t->state = TELNET_VERB;
	} else if (c == SB) {
		buf_truncate(&t->sub, 0);
		t->sub_is_long = false;
		t->state = TELNET_SUB;
	}
}

static void data(struct telnet *t, struct buf *out, uint8_t c)
{
	if (c == IAC)
		t->state = TELNET_IAC;
	else if (t->state == TELNET_CR && c == 0) /* RFC 854: a CR alone travels as CR NUL */
		t->state = TELNET_DATA;
	else {
		buf_add_char(out, (char)c);
		t->state = c == '\r' && !t->theirs[BINARY] ? TELNET_CR : TELNET_DATA;
	}
}

void telnet_take(struct telnet *t, struct buf *out, struct bytes in)
{
	for (size_t i = 0; i < in.len; i++) {
		uint8_t c = in.ptr[i];

		switch (t->state) {
		case TELNET_DATA:
		case TELNET_CR:
			data(t, out, c);
			break;
		case TELNET_IAC:
			command(t, out, c);
			break;
		case TELNET_VERB:
			t->state = TELNET_DATA;
			negotiate(t, c);
			break;
		case TELNET_SUB:
			if (c == IAC)
				t->state = TELNET_SUB_IAC;
			else
				add_sub(t, c);
			break;
		case TELNET_SUB_IAC:
			t->state = c == SE ? TELNET_DATA : TELNET_SUB;
			if (c == SE)
				end_sub(t);
			else
				add_sub(t, c);
			break;
		}
	}
}

void telnet_give(const struct telnet *t, struct buf *out, struct bytes in)
{
	for (size_t i = 0; i < in.len; i++) {
		buf_add_char(out, (char)in.ptr[i]);
		if (in.ptr[i] == IAC)
			buf_add_char(out, (char)IAC);
		else if (in.ptr[i] == '\r' && !t->ours[BINARY])
			buf_add_char(out, 0);
	}
}

void telnet_port(struct buf *out, uint8_t cmd, uint32_t value, size_t len)
{
	const uint8_t head[] = { IAC, SB, COM_PORT, cmd }, tail[] = { IAC, SE };

	buf_add(out, head, sizeof(head));
	for (size_t i = len; i; i--) {
		uint8_t byte = (uint8_t)(value >> (8 * (i - 1)));

		buf_add_char(out, (char)byte);
		if (byte == IAC)
			buf_add_char(out, (char)IAC);
	}
	buf_add(out, tail, sizeof(tail));
}
