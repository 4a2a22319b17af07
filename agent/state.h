/* agent/state.h -- a device's folder: its keys, the roots it knows, its chain, its spool.
 *
 *   device.seed  box.key     made at join, never leave
 *   fleet                    id, server and pin of the invite
 *   roots                    the succession from version 1, checked
 *   admit  checkpoint        the newest of each, checked
 *   chain                    head, epoch, texts, orders seen (agent/chain.c); the one file whose replacement makes a statement count
 *   spool/                   what the server has not acknowledged
 *   policies.age  policies.next   agent/policy.h
 *   hold  floor              agent/hold.h, agent/floor.h
 *   change  erase  upgrade   the order in hand (agent/change.h, agent/erase.h, agent/upgrade.h)
 *   image                    the firmware that it is about, as far as it is here (agent/fetch.h)
 *   challenge                agent/challenge.h
 *   retired  retired-<id>    what is left of devices that were erased (agent/retired.h)
 *   contradiction            two checkpoints of the server's that cannot both be true; only if it lied
 *
 * A statement is made in this order: the chain file with the new head and the whole container in it is replaced, then the
 * container goes into the spool. Killed between the two, the spool is mended from the chain at the next start, so a number
 * never gets two contents. */
#pragma once

#include "agent/challenge.h"
#include "agent/floor.h"
#include "agent/net.h"
#include "agent/snapshot.h"
#include "agent/spool.h"
#include "crypto/checkpoint.h"

enum { STATE_NOT_JOINED = 1, STATE_OLD = 1 };

struct state {
	char *dir;
	int lock;
	struct sign_key key;
	struct age_identity box; /* what orders are sealed to */
	char id[ID_LEN + 1];
	char fleet[ID_LEN + 1];
	char address[NET_ADDRESS_MAX]; /* of the invite */
	uint8_t pin[32];               /* of the invite */
	struct root *root;
	struct statement *admit, *checkpoint;
	struct chain chain;
	struct spool spool;
	int64_t floor_s; /* the newest time in anything signed that was accepted, our own statements included: to date what comes next */
	struct challenge challenge; /* for an order that erases */
	struct floor floor; /* by what others signed: to judge orders */
};

/* Opens and locks the folder and loads the keys. STATE_NOT_JOINED when there is no chain in it. */
int state_open(struct state *s, const char *dir, struct error *err) _must_check_;
void state_done(struct state *s);

/* What join leaves; the chain file is written last. box: the text of the age identity. */
struct state_joining {
	const char *dir;
	const struct sign_key *key;
	struct bytes box;
	const char *fleet, *address;
	const uint8_t *pin;
	struct bytes roots;
	const struct chain *chain; /* number 1, the enrolment in newest */
};
int state_create(const struct state_joining *j, struct error *err) _must_check_;
/* Takes everything away again: the server refused the enrolment. */
int state_destroy(const char *dir, struct error *err) _must_check_;

/* Makes next the device's chain and spools its newest statement; *next is taken over (zeroed) also on failure. */
int state_commit(struct state *s, struct chain *next, struct error *err) _must_check_;
/* Puts the newest statement into the spool if a cut, or a full disk, kept it out. */
int state_mend(struct state *s, struct error *err) _must_check_;
/* Replaces the chain file without a new statement (next has the same number). */
int state_store_chain(struct state *s, struct error *err) _must_check_;

/* Statements of the server. Each is verified first, then durable, then counts. st is taken over. STATE_OLD: known already.
 * growth: what the server gave to show that its log continues the one of the checkpoint before, or NULL. A checkpoint that contradicts that
 * one is E_DENIED, and both stay in the folder, as proof: the file "contradiction". */
int state_take_root(struct state *s, struct statement *st, struct error *err) _must_check_;
int state_take_admit(struct state *s, struct statement *st, struct error *err) _must_check_;
int state_take_checkpoint(struct state *s, struct statement *st, const struct merkle_growth *growth, struct error *err) _must_check_;

/* What time it is: the clock, but never before what others signed. A clock that was ahead once is forgotten when it is set right. */
int64_t state_clock(const struct state *s);
/* The time to date a statement with: the same, and never before the device's own newest. */
int64_t state_now(const struct state *s);
/* Where to and what to pin: the newest root's word, else the invite's. attempt: goes round when there are several. */
void state_server(const struct state *s, unsigned attempt, struct http_request *req);
/* Checks a succession from version 1 (bytes of GET /v1/roots): *root is the newest. */
int roots_check(struct root **root, struct bytes list, const char *fleet, struct error *err) _must_check_;
