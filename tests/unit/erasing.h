/* tests/unit/erasing.h -- one order that erases, agreed to by alice and bob, and the way to each phase of carrying it out. */
#pragma once

#include "agent/erase.h"

enum { ALICE, BOB, CAROL, STRANGER, ARCHIVE, KEYS };
enum { NOW = 1800000000, NUMBER = 7, DELAY_S = 600, DELAY_MS = DELAY_S * 1000 };

extern struct root *root; /* alice, bob and carol retire, and two of them are needed */
extern struct orders_item item;
extern struct orders_seen seen;
extern const struct error fine, broken; /* what a driver answers */

/* Root and order, once; nothing of the order was said. */
void begin_tests(void);

/* A decision about the order. */
struct statement *control(const char *person, const char *action, int key, int64_t time_s);
/* A poll brings it (taken over; NULL for none). True when it is news. */
bool hears(struct erase *e, struct statement *control);
/* What the root in force has against it; NULL: nothing. Good until the next call. */
const char *objection(struct erase *e);

/* Everything is acknowledged. */
struct erase_now at(uint64_t ms);
enum erase_action next(struct erase *e, struct erase_now now);
/* Up to where it waits its delay; from there to where only the people are asked once more; and all of it, to the erasing. */
void arm(struct erase *e);
void record(struct erase *e);
void start_erasing(struct erase *e);
/* What a driver says of a configuration and a flash. */
struct apply_erased areas(enum area_result first, enum area_result second);
/* It says so and is over. */
void refused(struct erase *e, enum orders_check check, const char *words);
