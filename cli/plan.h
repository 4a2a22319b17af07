/* cli/plan.h -- what a rollout is to do, as an operator writes it down (docs/reference/plan-file.md): one YAML file, read strictly.
 *
 * Pure but for plan_load(): which devices, in which order, waves and groups, and what a variable is for one of them. */
#pragma once

#include "cli/fleet.h"
#include "cli/template.h"
#include "crypto/order.h"

enum { PLAN_VARIABLES_MAX = 20000, PLAN_TERMS_MAX = 64, PLAN_WINDOWS_MAX = 8, PLAN_PROBES_MAX = 8, PLAN_GROUPS_MAX = 10000 };

struct plan_variable {
	char *name, *value, *file, *whom; /* whom: selectors with blanks between; NULL: everybody */
	char **values;
	unsigned values_count;
};

/* The file, as it stands. */
struct plan_file {
	char *reason, *ticket;
	char **targets;
	unsigned targets_count;
	char *first;
	char *template, *inline_, *lines, *file, *mode;
	struct plan_variable *variables;
	unsigned variables_count;
	char **waves;
	unsigned waves_count;
	char *soak, *not_before, *expires, *confirm, *settle, *management, *atomic_by;
	unsigned *fail_limit;
	char **windows, **probes, **atomic;
	unsigned windows_count, probes_count, atomic_count;
};

struct plan {
	struct plan_file *file;
	const char *text_name; /* what errors call the text: the template's file */
	struct buf text;
	bool is_template, is_whole;
	int64_t soak_s, confirm_s, settle_s; /* confirm and settle: -1 for the device's default */
	int64_t not_before_s, expires_s;
};

/* Reads the file, and those that it names (beside it). now_s: what durations count from. E_FORMAT names place and reason. */
int plan_load(struct plan **out, const char *path, int64_t now_s, struct error *err) _must_check_;
struct plan *plan_free(struct plan *plan);
void plan_freep(struct plan **plan);

/* A value that must not be said in a plan or an argument: the one line of a file that is nobody else's to read. */
int plan_read_value(char **out, const char *name, const char *path, struct error *err) _must_check_;

/* ---- who ---- */

struct plan_target {
	const struct fleet_member *member;
	size_t group;        /* atomic group from 1; 0: none */
	const char *why_not; /* why it is left out; NULL when it is not */
};

struct plan_targets {
	size_t count;
	size_t active; /* how many take part: the first ones, after plan_settle() */
	struct plan_target *targets;
};

/* Freezes who is meant: `first`, then by name, groups together. CLI_ABSENT when nobody is; E_FORMAT for groups that overlap or are too
 * large. list is borrowed. */
int plan_targets(struct plan_targets *out, const struct plan *plan, const struct fleet_list *list, int64_t now_s, struct error *err)
	_must_check_;
void plan_targets_done(struct plan_targets *targets);
/* Leaves one out; with_group: and the others of its group, which would wait for it in vain. why is borrowed. */
void plan_leave_out(struct plan_targets *targets, size_t i, const char *why, bool with_group);
/* Puts those that take part first, both parts in the order they had. */
void plan_settle(struct plan_targets *targets);
/* Why an order for a configuration would be refused by this device anyway; NULL: it would not. */
const char *plan_obstacle(const struct fleet_member *member, int64_t now_s);

/* The index at which each wave ends, over those that take part, settled; no group is torn. *count: at most ORDER_WAVES_MAX.
 * E_FORMAT for a wave that is none. */
int plan_waves(uint32_t ends[static ORDER_WAVES_MAX], size_t *count, const struct plan *plan, const struct plan_targets *targets,
	       struct error *err) _must_check_;

/* ---- what ---- */

/* The text for one device, variables put in, appended to out. */
int plan_render(struct buf *out, const struct plan *plan, const struct fleet_member *member, const struct form *form, struct error *err)
	_must_check_;
/* Its probes and management address ("" when none is named), which may hold variables too. */
int plan_probe(struct buf *out, const struct plan *plan, size_t i, const struct fleet_member *member, const struct form *form,
	       struct error *err) _must_check_;
int plan_management(struct buf *out, const struct plan *plan, const struct fleet_member *member, const struct form *form,
		    struct error *err) _must_check_;
/* As struct template_job's find. */
struct plan_variables {
	const struct plan *plan;
	const struct fleet_member *member;
	const char *value; /* room for a built-in one */
	char text[1200];
};
bool plan_find_variable(void *variables, const char *name, struct template_value *out);
