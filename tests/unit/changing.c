/* tests/unit/changing.c -- one order that changes a device, and the way to each phase of carrying it out. */
#include "tests/unit/changing.h"

#include "tests/test.h"

const struct error fine, denied = { .code = E_DENIED, .text = "the configuration changed" },
				broken = { .code = E_PEER, .text = "it is broken" },
				full = { .code = E_SYS, .text = "no space left on device" };
const uint8_t new_digest[APPLY_DIGEST_LEN] = { NEW };

static void parse(struct statement **out, const struct buf *text)
{
	struct error err = { 0 };

	CHECK_OK(statement_parse(out, buf_bytes(text), true, NULL, &err));
}

static struct apply_expect expect_of(enum state running, enum state startup)
{
	struct apply_expect e = { { 0 }, { 0 } };

	e.running[0] = (uint8_t)running;
	e.startup[0] = (uint8_t)startup;
	return e;
}

void begin(struct change *c, const char *kind, const char *more, enum state running, uint64_t now_ms)
{
	_cleanup_(buf_done) struct buf text = { 0 }, batch = { 0 };
	struct statement *order = NULL, *of = NULL;
	struct apply_expect seen = expect_of(running, OLD);
	struct error err = { 0 };
	uint8_t leaf[HASH_LEN];

	CHECK_OK(crypto_start(&err));
	statement_begin(&text, STATEMENT_ORDER);
	buf_addf(&text, "fleet: " ME "\ndevice: " ME "\norder: %d\nkind: %s\nnonce: " HASH_A "\n%s", NUMBER, kind, more);
	parse(&order, &text);
	statement_begin(&batch, STATEMENT_BATCH);
	buf_addf(&batch, "fleet: " ME "\nkind: %s\nperson: alice\ntime: 2027-01-15T08:00:00Z\nnot-before: 2027-01-15T08:00:00Z\n"
			 "expires: 2027-01-16T08:00:00Z\nroot: 1\nreason: a test\ncount: 1\ntree: " HASH_B "\n", kind);
	parse(&of, &batch);
	memcpy(leaf, statement_hash(order), HASH_LEN);
	change_begin(c, &(struct change_order){ order, of, leaf }, &seen, now_ms, 1800000000);
	statement_free(order);
	statement_free(of);
}

void look(struct change *c, enum state running, enum state startup)
{
	struct apply_expect seen = expect_of(running, startup);

	change_looked(c, &seen);
}

void store(struct change *c, uint64_t now)
{
	CHECK_EQ(change_next(c, now), CHANGE_STORE);
	change_stored(c, true, NULL);
}

void ends(struct change *c, uint64_t now, const char *outcome, const char *words)
{
	CHECK_EQ(change_next(c, now), CHANGE_END);
	CHECK_STR(c->end.outcome, outcome);
	if (!strstr(c->end.note, words))
		fail_msg("'%s' is not in '%s'", words, c->end.note);
	change_close(c);
	CHECK_EQ(change_next(c, now), CHANGE_REST);
}

void applied(struct change *c, const char *more)
{
	begin(c, "apply", more, OLD, 0);
	store(c, 0);
	CHECK_EQ(change_next(c, 0), CHANGE_APPLY);
	CHECK_EQ(change_next(c, 0), CHANGE_REST);
	change_applied(c, &fine, new_digest);
	CHECK_EQ(change_next(c, 0), CHANGE_REST); /* it was not looked at */
	look(c, NEW, OLD);
}

uint64_t prove(struct change *c, uint64_t now)
{
	enum change_action next;

	while ((next = change_next(c, now)) == CHANGE_PROVE || next == CHANGE_REST) {
		if (next == CHANGE_PROVE)
			change_proved(c, now, now + 10, "");
		now += 500;
	}
	c->is_asked = false; /* ask again: the caller wants to see it */
	return now;
}
