/* tests/unit/judging.h -- orders as an operator plans them and a server brings them, right or wrong, and what a device makes of them. */
#pragma once

#include "agent/orders.h"

#define HASH_A "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define OTHER "zyxwvutsrqponmlkjihgfedcba"

enum { ALICE, BOB, CAROL, DAVE, ARCHIVE, STRANGER, KEYS };
enum { NOW = 1800000000, TEN_YEARS = 3650 * 86400, ORDERS = 5, AT = 2 };

extern struct sign_key keys[KEYS];
extern struct root *root; /* alice and bob deploy, carol audits; dave is not in it */
extern struct age_identity box, reader;
extern char device[ID_LEN + 1];
extern struct orders_seen seen;
extern struct orders_view view;
extern struct orders_device place;
extern uint8_t running_hash[HASH_LEN], newest_hash[HASH_LEN];

void begin_test(const char *more_of_root);

/* What an operator plans; zero means: as it should be. */
struct plan {
	const char *kind, *fleet, *device, *person, *batch_kind, *more; /* more: lines behind the order's nonce */
	uint64_t number, root;
	int64_t begins, expires;
	const char *window, *payload_text;
	const struct age_identity *to;
	int key;
	bool no_batch, no_proof, no_payload;
	const char *const *approvals; /* "bob", "bob reject", ...; ends with NULL */
	const int *approval_keys;
	void (*twist)(struct buf *list); /* what a server does to the order and its payload */
};
#define PLAN(...) (&(struct plan){ __VA_ARGS__ })

/* The order with this plan, as a device would get it. */
void bring(struct orders_item *item, const struct plan *p);
/* All checks up to the payload's. */
void judge_item(struct orders_judgement *out, const struct orders_item *item, struct buf *text);
void obeyed(const struct plan *p);
/* Refused by this check, with these words, and a word on what to do behind them. */
void refused(enum orders_check check, const char *words, const struct plan *p);
void waited(enum orders_check check, const struct plan *p);
