/* cli/policing.h -- packs of rules on the operator's machine: found, read, and held against what the archive has. */
#pragma once

#include "cli/open.h"
#include "policies/policy.h"

/* PACK is a file (it has a '/' or ends in .yaml), or the name of one of those that are installed. *path is the caller's to free. CLI_ABSENT
 * when there is none; E_FORMAT and E_LIMIT name file, line and column. */
int policing_read(struct policy **out, char **path, const char *pack, struct error *err) _must_check_;
/* Reads a file for the messages of others. */
int policing_read_file(struct buf *out, const char *path, size_t max, struct error *err) _must_check_;

/* One revision of a device, and what the rules say of it. */
struct policed {
	char *revision; /* "r1@7", or the device's name when nothing was opened */
	char *device;   /* its name, as admitted where that is known */
	char *failed;   /* why it could not be opened; NULL: it was, or there was none to open */
	int code;       /* of that failure */
	size_t rules;
	uint8_t *verdicts; /* enum verdict, by rule */
	size_t counts[VERDICTS];
};
void policed_done(struct policed *p);

/* Evaluates the running configuration of what was opened. Facts come from what the device signed. */
void policing_judge(struct policed *out, struct report *report, const struct policy *policy, const struct opened *opened);
/* The same for a device of which nothing is opened; borrows nothing. driver: as the server lists it; why_not: why no rule can be told. */
void policing_give_up(struct policed *out, struct report *report, const struct policy *policy, const char *device, const char *driver,
		      const char *why_not);
/* What is kept of a report. */
void policed_take(struct policed *out, const char *device, const char *revision, const struct report *report);

/* Text of a configuration or a pack with what stands for secrets as dots, and without what could drive a terminal. */
char *policing_text(const char *text);

/* Appends a plan file (docs/reference/plan-file.md) that enters the remedies of all failed rules where they failed. Returns how many
 * remedies are in it; *by_hand is how many are not, since they have no lines or their context is not one place. */
size_t policing_plan(struct buf *out, size_t *by_hand, const struct policy *policy, const struct policed *devices, size_t count);
