/* cli/ceremony.h -- the retirement of one device as its people see it: who was found, where it stands, what comes next and who has to do
 * it. What `holdfast retire` and the commands that show devices have in common. */
#pragma once

#include "cli/dossier.h"
#include "cli/output.h"

enum { CEREMONY_STEPS = 8 };

struct ceremony {
	struct cli *cli;
	struct fleet_list list;
	struct open_source source;
	struct opener *opener;
	const struct fleet_member *member;
	struct dossier dossier;
};

/* Finds the device that text names, and gets its dossier. CLI_ABSENT, CLI_USAGE, E_SEAL. */
int ceremony_begin(struct ceremony *out, struct cli *cli, const char *text, struct error *err) _must_check_;
/* The same of a member of a list, which is borrowed. */
int ceremony_look(struct ceremony *out, struct cli *cli, const struct fleet_member *member, struct error *err) _must_check_;
/* Looks again: a newer dossier takes the place of the old one. */
int ceremony_again(struct ceremony *c, struct error *err) _must_check_;
void ceremony_done(struct ceremony *c);

/* ---- before anything is signed ---- */

/* What an order to erase does to a device of this kind, as far as it is known beforehand; its receipt says what was done. */
struct ceremony_erasing {
	const char *erases, *keeps, *claim; /* clauses */
	bool is_for_some;                   /* only for some devices of the kind: the device knows, and refuses otherwise */
};
struct ceremony_erasing ceremony_erasing(const char *driver, enum order_kind kind);

/* Can enough people be found for this kind? Otherwise E_DENIED: says how many are missing, and the command that mends it. */
int ceremony_check_people(const struct root *root, const char *kind, struct error *err) _must_check_;
/* "2 of alice, bob, carol (the author counts)" */
void ceremony_people(struct buf *out, const struct root *root, const char *kind);

/* ---- what approvers look at ---- */

/* To standard error: what a batch of one of these kinds would do to one device, that it cannot be undone, until when it can be stopped, and
 * whether its challenge is still the one that the device says. order: its order for the device. */
void ceremony_tell_order(const struct cli *cli, const struct fleet_member *member, const struct statement *batch,
			 const struct statement *order, const char *challenge);
/* The same for JSON. */
void ceremony_put_order(json_t *json, const struct cli *cli, const struct fleet_member *member, const struct statement *batch,
			const struct statement *order, const char *challenge);
/* The characters by which people make sure, by voice, that they see the same: the whole id of the batch in groups. */
enum { CEREMONY_CODE_LEN = ID_LEN + ID_LEN / 4 + 1 };
void ceremony_code(char out[static CEREMONY_CODE_LEN], const char *id);
/* Does what somebody read out (groups, capitals and dashes do not matter, 8 characters at least) begin the code? CLI_USAGE, E_SEAL. */
int ceremony_compare(const char *said, const char *id, struct error *err) _must_check_;

/* ---- where it stands ---- */

struct ceremony_step {
	const char *name, *state; /* state: done, now, later, failed, none */
	char text[600];
};
void ceremony_steps(struct ceremony_step out[static CEREMONY_STEPS], const struct ceremony *c);
/* One line: "wiped: not all areas ...". Appended. */
void ceremony_summary(struct buf *out, const struct ceremony *c);
/* What is to be done next, and by whom: a clause, and a command ("" when there is none to run now). */
struct ceremony_next {
	char what[600], command[200];
	bool is_mine; /* this operator is one of those who can */
};
void ceremony_next(struct ceremony_next *out, const struct ceremony *c);
/* {"state": ..., "steps": [...], ...} */
json_t *ceremony_json(const struct ceremony *c);
int ceremony_print(const struct ceremony *c, struct error *err) _must_check_;
