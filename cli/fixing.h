/* cli/fixing.h -- policy fix, up to the order: which of the rules fail on which device, by the policies that it has and what the archive
 * knows of it, and the text that puts them right. */
#pragma once

#include "cli/device-set.h"
#include "cli/making.h"
#include "cli/plan.h"
#include "cli/rule-name.h"

enum { FIXING_VALUES_MAX = 64 };

/* What somebody wants put right, and with which values. */
struct fix_wish {
	struct rule_name name;
	bool only_fundamental;
	const char *except[FIXING_VALUES_MAX];
	size_t except_count;
	struct plan plan; /* its variables are the values */
	struct plan_file file;
	const char *management; /* "" when not said */
};
/* From --except, --level, --set and --set-file. CLI_USAGE. */
int fix_wish_take(struct fix_wish *out, const char *name, const struct args *args, struct error *err) _must_check_;
void fix_wish_done(struct fix_wish *wish);

/* One device that an order is made for. */
struct fix_device {
	char id[ID_LEN + 1], name[64];
	uint64_t base, policy; /* revision and order number that it was planned from */
	size_t rule_count;
	char **rules; /* their ids */
};

struct fixing {
	const struct fix_wish *wish;
	struct making orders;
	struct open_source source;
	bool is_whole;    /* files that are changed as a whole; else lines */
	size_t looked_at; /* devices that have the rules */
	size_t left;      /* rules that the other way is for */
	size_t by_hand;
	size_t count;
	struct fix_device *devices;
};

/* Connects, and plans an order for each device that the selectors mean and that needs one; differences are shown. */
int fixing_plan(struct fixing *f, struct cli *cli, const char *const selectors[], size_t count, struct error *err) _must_check_;
void fixing_done(struct fixing *f);
