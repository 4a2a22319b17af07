/* cli/making.h -- from devices to a batch that is signed and posted: what all commands that change devices share.
 *
 *   making_begin()    who may, the list, an opener
 *   making_open()     a device's newest snapshot, verified: the base of its order
 *   making_add()      a row for it
 *   making_draft()    the rows as a PLAN file
 *   making_submit()   one signature, and everything posted; goes on where it was interrupted */
#pragma once

#include "cli/batch.h"
#include "cli/preview.h"
#include "cli/fleet.h"
#include "cli/output.h"

enum { MAKING_EXPIRES_S = 86400 }; /* of a single order, when nothing else is said */

struct making_row {
	const struct fleet_member *member;
	size_t group; /* atomic group from 1; 0: none */
	uint64_t base;
	uint8_t base_hash[HASH_LEN];
	struct buf seal;
	char *probes[8];
	size_t probe_count;
	uint64_t number;                 /* of its order; 0: the next one */
	const uint8_t *challenge, *after; /* borrowed; see cli/batch.h */
	/* to be shown */
	struct textdiff counts;
	bool is_whole, touches_address;
	char touched[200];
};

struct making {
	struct cli *cli;
	enum order_kind kind;
	struct fleet_list list;
	struct opener *opener;
	size_t count;
	struct making_row *rows;
};

/* Connects. E_DENIED when the operator may not order this. */
int making_begin(struct making *o, struct cli *cli, enum order_kind kind, struct error *err) _must_check_;
void making_done(struct making *o);

/* The newest snapshot of a device, or the one with this number. */
int making_open(struct opened *out, struct making *o, const struct fleet_member *member, uint64_t number, struct error *err) _must_check_;
/* base: what was opened; NULL: the order has none. */
struct making_row *making_add(struct making *o, const struct fleet_member *member, const struct opened *base);
/* What is shown of the change, and its payload, sealed. */
int making_put_change(struct making *o, struct making_row *row, const struct open_device *device, const struct preview *change,
		      struct error *err) _must_check_;

/* Terms as every batch of ours has them: author, root, times from now_s on. */
void making_terms(struct batch_terms *out, const struct making *o, const char *reason, const char *ticket, int64_t now_s);
/* The rows by index, as they stand. */
int making_draft(struct buf *file, const struct making *o, const struct batch_terms *terms, struct error *err) _must_check_;

/* Is the batch on the server? 1: it is not. */
int making_is_posted(struct cli *cli, const char *id, struct error *err) _must_check_;
/* Nothing stands in the way of what was planned: root, people, time, numbers, and every base still is what runs. CLI_CONFLICT: what
 * moved was shown. */
int making_check(struct making *o, const struct batch_file *file, struct error *err) _must_check_;
/* Signs if it is not yet (the signed file replaces `path`, if given), and posts batch and orders. */
int making_submit(char id[static ID_LEN + 1], struct cli *cli, struct batch_file *file, const char *path, struct error *err) _must_check_;

/* A line per row: device, base, lines, and what else is to be known before. To standard error. */
void making_show(const struct making *o);
