/* cli/rollout.h -- a batch as the server shows it, believed as far as it verifies.
 *
 * The batch and what people decided about it are signed by them; each order is a leaf of the batch; what became of an order is signed by
 * its device. The server's own words (state, what is released) serve for a first look, and are held against these. Where they
 * contradict it is E_SEAL. */
#pragma once

#include "cli/cli.h"
#include "cli/open.h"
#include "cli/output.h"
#include "crypto/order.h"

enum { ROLLOUT_CONTROLS_MAX = 4096 };

struct rollout_device {
	char id[ID_LEN + 1], name[64]; /* name: the server's word */
	uint32_t index;
	uint64_t order;
	size_t wave; /* from 0, as the batch says */
	bool is_released, is_proved; /* proved: outcome, check and the rest are from a receipt that the device signed */
	char outcome[64], check[64], evidence[64], note[904]; /* "" while there is no receipt */
	uint64_t receipt; /* its number; 0: not known */
	int64_t time_s;
};

struct rollout {
	char id[ID_LEN + 1];
	struct statement *batch;
	bool is_by_old_root; /* its author does not have the role any more */
	size_t control_count;
	struct statement **controls; /* as the server lists them, each verified; who lost the role does not count */
	struct consent consent;      /* by the root in force */

	/* The server's word. */
	char state[64];
	uint64_t orders; /* that it has */
	size_t count;
	struct rollout_device *devices; /* by index */
};

/* "k3v7qz" or more: the one batch whose id begins so. CLI_ABSENT, CLI_USAGE. */
int rollout_find(char id[static ID_LEN + 1], const struct open_source *source, const char *text, struct error *err) _must_check_;
/* What people signed, and what the server says of it. CLI_ABSENT. */
int rollout_get(struct rollout *out, const struct open_source *source, const char *id, struct error *err) _must_check_;
/* What people signed alone. */
int rollout_get_signed(struct rollout *out, const struct open_source *source, const char *id, struct error *err) _must_check_;
/* Replaces the server's word about the devices by a newer one. */
int rollout_update(struct rollout *r, const struct open_source *source, struct error *err) _must_check_;
void rollout_done(struct rollout *r);

/* Verifies what devices said: an outcome that the server claims and no receipt proves is E_SEAL. opener forgets what it knew. */
int rollout_receipts(struct rollout *r, const struct open_source *source, struct opener *opener, struct error *err) _must_check_;

/* One order with what it brings, its place proved; the caller ends it with container_done() before bytes. CLI_ABSENT: the server does not
 * have it, or not any more; E_DENIED: it is only for readers. */
int rollout_order(struct container *out, struct buf *bytes, const struct rollout *r, const struct open_source *source, const char *device,
		  struct error *err) _must_check_;
/* Every order, by index, without what it brings: that none is missing, and none more, the batch's own tree says. take may be NULL. */
typedef int (*rollout_take)(void *ctx, const struct rollout_device *device, const struct statement *order, struct error *err);
int rollout_orders(const struct rollout *r, const struct open_source *source, rollout_take take, void *ctx, struct error *err) _must_check_;

struct rollout_counts {
	size_t released, last, done, failed; /* last: with a last receipt */
};
/* Of one wave, or of all (wave >= batch_waves()). */
struct rollout_counts rollout_count(const struct rollout *r, size_t wave);
/* The wave that is under way, from 0. */
size_t rollout_wave(const struct rollout *r);
/* Is it over, as far as the server knows: done, stopped, aborted, expired? */
bool rollout_is_over(const struct rollout *r);
/* "alice, carol": who is counted now; "nobody". */
void rollout_people(struct buf *out, const struct rollout *r, const struct root *root);
/* "1 of 2 people (alice)", and what is in the way. */
void rollout_consent(struct buf *out, const struct rollout *r, const struct root *root);

/* The text of a decision, unsigned; reason: NULL for none. E_DENIED when the operator has no say in it. */
int rollout_control(struct buf *out, const struct cli *cli, const struct rollout *r, enum order_action action, const char *reason,
		    struct error *err) _must_check_;
/* Signs that text, as it stands, and posts it. */
int rollout_decide(struct cli *cli, struct buf *text, struct error *err) _must_check_;
