/* agent/obey-parts.h -- what the parts of agent/obey.h know of each other. */
#pragma once

#include "agent/core.h"

enum { OBEY_CHECK_DEADLINE_MS = 150000 };

/* What the chain remembers together with a receipt. */
enum obey_note {
	OBEY_NOTE_TAKEN,   /* a genuine order was refused or passed over: its number is used up */
	OBEY_NOTE_FORGED,  /* one that is not genuine */
	OBEY_NOTE_SAID,    /* the order in hand said something that is not its last word */
	OBEY_NOTE_CLOSED,  /* the order in hand has its last receipt */
};
int obey_receipt(struct duty *d, const struct receipt_input *in, enum obey_note how, struct error *err) _must_check_;

void obey_drop(struct obey *o, size_t i);
/* Begins the lowest order that may begin. why: NULL when the device was just seen whole, and all of it is recorded. */
void obey_next(struct duty *d, const char *why);
/* Puts the order in hand. False when the disk refused: nothing was done. */
bool obey_begin(struct duty *d, const struct orders_item *item);
bool obey_begin_erase(struct duty *d, const struct orders_item *item);
int obey_start_erase(struct duty *d, struct error *err) _must_check_;
void obey_drive_erase(struct duty *d);
/* True: what was brought is new, and counts for it. */
bool obey_control_erase(struct duty *d, const struct orders_batch *brought);
bool obey_control_upgrade(struct duty *d, const struct orders_batch *brought);
void obey_say_erase(char *out, size_t size, const struct duty *d);
/* The payload is in o->text. False: it was refused by j. */
bool obey_judge_upgrade(struct duty *d, struct orders_judgement *j, struct statement **firmware);
bool obey_begin_upgrade(struct duty *d, const struct orders_item *item);
int obey_start_upgrade(struct duty *d, struct error *err) _must_check_;
void obey_drive_upgrade(struct duty *d);
void obey_say_upgrade(char *out, size_t size, const struct duty *d);
/* The number of the order in hand. */
uint64_t obey_number(const struct duty *d);
/* Says in the status, and logs, why an order waits; NULL: it does not any more. */
void obey_trouble(struct duty *d, const char *what, const struct error *err);
/* So that nothing saves what an order left half done. */
int obey_hold(struct duty *d, uint64_t order, struct error *err) _must_check_;
void obey_check_lost(struct duty *d);
/* A set of policies is checked, and stored, before its order is in hand. False: it is refused, and gone. *waits: the disk does not take it.
 */
bool obey_take_policies(struct duty *d, size_t i, bool *waits);
/* Together with its last receipt, an order of that kind puts them in force. */
void obey_note_policies(struct chain_policy *out, const struct duty *d, const struct receipt_input *in);
/* Is what the order in hand brought on disk? */
int obey_do_policies(const struct duty *d, struct error *err) _must_check_;
/* Does one that waits take the place of the upgrade in hand? Then that is stopped. */
void obey_stop_upgrade(struct duty *d);
void obey_refuse(struct duty *d, const struct orders_item *item, const struct orders_judgement *j);
