/* cli/orders.h -- from devices to a batch that is signed and posted: what all commands that change devices share.
 *
 *   orders_begin()    who may, the list, an opener
 *   orders_open()     a device's newest snapshot, verified: the base of its order
 *   orders_add()      a row for it
 *   orders_draft()    the rows as a PLAN file
 *   orders_submit()   one signature, and everything posted; goes on where it was interrupted */
#pragma once

#include "cli/batch.h"
#include "cli/change.h"
#include "cli/fleet.h"
#include "cli/output.h"

enum { ORDERS_EXPIRES_S = 86400 }; /* of a single order, when nothing else is said */

struct orders_row {
	const struct fleet_member *member;
	size_t group; /* atomic group from 1; 0: none */
	uint64_t base;
	uint8_t base_hash[HASH_LEN];
	struct buf seal;
	char *probes[8];
	size_t probe_count;
	/* to be shown */
	struct textdiff counts;
	bool is_whole, touches_address;
	char touched[200];
};

struct orders {
	struct cli *cli;
	enum order_kind kind;
	struct fleet_list list;
	struct opener *opener;
	size_t count;
	struct orders_row *rows;
};

/* Connects. E_DENIED when the operator may not order this. */
int orders_begin(struct orders *o, struct cli *cli, enum order_kind kind, struct error *err) _must_check_;
void orders_done(struct orders *o);

/* The newest snapshot of a device, or the one with this number. */
int orders_open(struct opened *out, struct orders *o, const struct fleet_member *member, uint64_t number, struct error *err) _must_check_;
/* base: what was opened; NULL: the order has none. */
struct orders_row *orders_add(struct orders *o, const struct fleet_member *member, const struct opened *base);
/* What is shown of the change, and its payload, sealed. */
int orders_put_change(struct orders *o, struct orders_row *row, const struct open_device *device, const struct change *change,
		      struct error *err) _must_check_;

/* Terms as every batch of ours has them: author, root, times from now_s on. */
void orders_terms(struct batch_terms *out, const struct orders *o, const char *reason, const char *ticket, int64_t now_s);
/* The rows by index, as they stand. */
int orders_draft(struct buf *file, const struct orders *o, const struct batch_terms *terms, struct error *err) _must_check_;

/* Is the batch on the server? 1: it is not. */
int orders_is_posted(struct cli *cli, const char *id, struct error *err) _must_check_;
/* Nothing stands in the way of what was planned: root, people, time, numbers, and every base still is what runs. CLI_CONFLICT: what
 * moved was shown. */
int orders_check(struct orders *o, const struct batch_file *file, struct error *err) _must_check_;
/* Signs if it is not yet (the signed file replaces `path`, if given), and posts batch and orders. */
int orders_submit(char id[static ID_LEN + 1], struct cli *cli, struct batch_file *file, const char *path, struct error *err) _must_check_;

/* A line per row: device, base, lines, and what else is to be known before. To standard error. */
void orders_show(const struct orders *o);
