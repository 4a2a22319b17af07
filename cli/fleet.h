/* cli/fleet.h -- the devices of the fleet as the server lists them, and how a command finds the ones that are meant.
 *
 * A list is the server's word: good for choosing and for a first look. What is shown of a configuration is verified (cli/open.h), and so
 * is that the device which a name led to is the one that was admitted under it. */
#pragma once

#include "cli/cli.h"
#include "cli/open.h"
#include "cli/select.h"

#include <jansson.h>

/* Texts are "" and numbers and times 0 where the server says nothing. */
struct fleet_member {
	char id[ID_LEN + 1];
	char name[64]; /* "" before it is admitted */
	char labels[1200]; /* "site:north role:ring" */
	char driver[64], model[912], serial[912], firmware[912];
	char saved[64], mode[64];
	char invite[ID_LEN + 1];
	char challenge[2 * HASH_LEN + 1]; /* that its last status said */
	char retired[16]; /* "wiped", "lost", or "" */
	bool is_admitted, is_certified;
	uint64_t head, snapshot, epoch, forks; /* numbers of the newest statement and snapshot; 0: none */
	uint64_t order, pending;               /* the highest order number known for it; orders it has yet to take note of */
	uint64_t misuses;                      /* statements that its key signed behind its retirement */
	uint64_t verdict, judged, policy;      /* its newest verdict, the snapshot it is about, the order whose policies it judged by */
	uint64_t counts[5];                    /* of that verdict, by enum standing (policies/verdict.h), as far as they are in the clear */
	bool has_counts;
	bool is_ahead;                         /* it has sent more than the archive holds: the server is an older copy */
	char drift[16];                        /* "yes", "no", "unknown"; "" without a baseline */
	char hold_by[912], changed_by[912];
	int64_t snapshot_s, unsaved_since_s, hold_s, enrolled_s, seen_s, verdict_s, drift_since_s;
};

struct fleet_list {
	size_t count;
	struct fleet_member *members; /* by name, as people count: r2 before r10 */
};

/* E_PEER when the answer is not what http-api.md says. */
int fleet_list_parse(struct fleet_list *out, const json_t *answer, struct error *err) _must_check_;
/* Connects if need be. */
int fleet_list_get(struct fleet_list *out, struct cli *cli, struct error *err) _must_check_;
/* Keeps those that the selectors mean. CLI_ABSENT when there are selectors and nothing is left. */
int fleet_list_select(struct fleet_list *list, const char *const terms[], size_t count, struct error *err) _must_check_;
void fleet_list_done(struct fleet_list *list);

/* How many rules its newest verdict calls "fail", "pass", ...; 0 when that is not in the clear. */
uint64_t fleet_member_count(const struct fleet_member *member, const char *standing);

/* By name, id, or at least six first characters of one. CLI_ABSENT, with the nearest name, when there is none; CLI_USAGE when there is
 * more than one. */
int fleet_find(const struct fleet_member **out, const struct fleet_list *list, const char *text, struct error *err) _must_check_;

/* The home's keys and roots, and the server's bytes. Connects if need be. */
int fleet_source(struct open_source *out, struct cli *cli, struct error *err) _must_check_;
/* What was in force at a time, by the server's index: for each member the number of its newest snapshot until then, 0 when it had none. */
int fleet_at(uint64_t numbers[], struct cli *cli, const struct fleet_list *list, int64_t at_s, struct error *err) _must_check_;
/* An opener over these. */
int fleet_opener(struct opener **out, struct cli *cli, struct error *err) _must_check_;
/* Verifies who a listed device is: E_SEAL when it was admitted under another name than the list says. */
int fleet_identify(const struct open_device **out, struct opener *opener, const struct fleet_member *member, struct error *err)
	_must_check_;
/* Opens a revision of a listed device; number 0: the newest. */
int fleet_open_member(struct opened *out, struct opener *opener, const struct fleet_member *member, uint64_t number, struct error *err)
	_must_check_;
/* Opens the revision that the operator named. */
int fleet_open(struct opened *out, struct opener *opener, const struct fleet_list *list, const struct revision_ref *ref, struct error *err)
	_must_check_;
