/* agent/upgrade-parts.h -- what the files of agent/upgrade.h share: upgrade-judge.c (may it be), upgrade.c (what comes next) and
 * upgrade-events.c (what happened). */
#pragma once

#include "agent/upgrade.h"

/* The payload of an order: one firmware statement, whoever signed it. Empty lines may stand behind it, up to the seal's size. */
int upgrade_parse(struct statement **out, struct bytes payload, struct error *err) _must_check_;
/* By the version that runs, "" when nobody knows it: the least that the image is for, and whether an older one may follow. */
void upgrade_judge_version(struct orders_judgement *out, const struct statement *firmware, const char *runs);

const char *upgrade_version(const struct upgrade *u); /* that the image has; borrowed */
bool upgrade_is_boot(const struct upgrade *u);
bool upgrade_loses_configuration(const struct upgrade *u);

/* What keeps it from going on, for people. */
void upgrade_note_sick(struct upgrade *u, const char *why);
void upgrade_enter(struct upgrade *u, enum upgrade_phase phase);
/* The time of a start, or of a return, begins. */
void upgrade_begin_clock(struct upgrade *u, uint64_t now_ms);

/* Ends of it. Nothing was given to the device; it is held, since nobody knows what to do; all is well. */
void upgrade_refuse(struct upgrade *u, enum orders_check check, const char *why);
void upgrade_fail(struct upgrade *u, const char *why);
void upgrade_finish(struct upgrade *u);
void upgrade_go_back(struct upgrade *u, const char *why, uint64_t now_ms);
