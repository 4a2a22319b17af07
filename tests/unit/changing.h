/* tests/unit/changing.h -- one order that changes a device, and the way to each phase of carrying it out. */
#pragma once

#include "agent/change.h"

#define HASH_A "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define HASH_B "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"
#define ME "abcdefghijklmnopqrstuvwxyz"
#define YOU "zyxwvutsrqponmlkjihgfedcba"
#define APPLY "mode: lines\nconfirm: 60\nsettle: 5\n"
#define PAYLOAD "payload: 1 400 " HASH_A "\n"
#define GROUP "mode: lines\nconfirm: 60\nsettle: 5\nmember: " ME "\nmember: " YOU "\n" PAYLOAD

enum state { OLD = 1, NEW, HALF, HAND };
enum { NUMBER = 7, CONFIRM_MS = 60000, SETTLE_MS = 5000 };

extern const struct error fine, denied, broken, full; /* what a device answers, and a disk */
extern const uint8_t new_digest[APPLY_DIGEST_LEN];

/* Begins an order of this kind, with the lines that belong to it. */
void begin(struct change *c, const char *kind, const char *more, enum state running, uint64_t now_ms);
void look(struct change *c, enum state running, enum state startup);
void store(struct change *c, uint64_t now);
void ends(struct change *c, uint64_t now, const char *outcome, const char *words);
/* Up to the first look at what was applied. */
void applied(struct change *c, const char *more);
/* Good rounds, one a second, until something else comes next. */
uint64_t prove(struct change *c, uint64_t now);
