/* cli/retirement.h -- where a device stands on its way out of the fleet, computed from verified statements alone
 * (docs/reference/formats.md section 9). Pure: cli/dossier.h brings the statements, a test makes its own.
 *
 * Nothing is called more than was seen: what contradicts itself counts as the weaker of the two, and is said to be contradictory.
 * Statements may come in any order, but for the decisions about one batch, which only the log orders. */
#pragma once

#include "crypto/order.h"

enum retirement_state {
	RETIREMENT_ACTIVE,    /* nothing is in hand; what was asked for was cancelled, refused, or expired */
	RETIREMENT_RETIRING,  /* an order to erase is in hand, and not over */
	RETIREMENT_FAILED,    /* the device says that it is erased in part */
	RETIREMENT_WIPED,     /* the device says that all of it is erased */
	RETIREMENT_LOST,      /* enough people gave it up: device side not confirmed */
	RETIREMENT_HELD,      /* wiped or lost; people agreed to shred the archive, later */
	RETIREMENT_SHREDDING, /* the archive says that it shredded; not all readers have said so */
	RETIREMENT_SHREDDED,  /* all of them have, or have left the root */
	RETIREMENT_CERTIFIED, /* people certified it, and the archive */
};
enum { RETIREMENT_STATES = RETIREMENT_CERTIFIED + 1 };
const char *retirement_state_name(enum retirement_state state);

enum retirement_phase {
	PHASE_NONE,
	PHASE_WAITING,   /* for people */
	PHASE_GIVEN,     /* enough people agreed; its receiver (device, archive) has said nothing of it yet */
	PHASE_ARMED,     /* the device took it, and waits out the delay, or erases already */
	PHASE_STOPPING,  /* people stopped it, but the device may have it, and has not answered */
	PHASE_CANCELLED, /* stopped, and it can have done nothing */
	PHASE_EXPIRED,
	PHASE_REFUSED, /* by the device: nothing was erased */
	PHASE_FAILED,
	PHASE_DONE,
};
const char *retirement_phase_name(enum retirement_phase phase);

/* One batch of kind factory-reset, purge or shred, and its order for this device. Verified and borrowed. */
struct retirement_batch {
	const struct statement *batch, *order;
	size_t control_count;
	const struct statement *const *controls; /* in the order of the log */
	size_t receipt_count;
	const struct statement *const *receipts; /* of this order, by this device */
};

struct retirement_facts {
	const char *device; /* id */
	struct root *const *roots; /* the succession: version N is roots[N - 1]; the last one is in force */
	size_t root_count;
	size_t batch_count;
	const struct retirement_batch *batches;
	size_t shredded_count;
	const struct statement *const *shredded; /* by the archive and by people */
	size_t certificate_count;
	const struct statement *const *certificates; /* with the archive's signature */
	int64_t now_s;
};

struct retirement_step {
	const struct retirement_batch *of; /* NULL: there is none */
	enum retirement_phase phase;
	struct consent consent;          /* by the root in force */
	bool was_given;                  /* enough people agreed at some time: its receiver may have it, whatever was decided since */
	const struct statement *receipt; /* the one that counts: the last one, else `armed`; NULL: none */
	int64_t delay_end_s;             /* armed: until when one person can stop it, if the device did not restart; else 0 */
};

struct retirement {
	enum retirement_state state;
	bool is_wiped, is_lost;             /* what came before held, shredding and the rest; never both */
	struct retirement_step erase, shred; /* those that count */
	const struct statement *shredded;    /* the archive's; NULL: it has said nothing */
	const struct statement *certificate; /* NULL: none */
	size_t said_count, missing_count;    /* people who kept something and have said that they shredded it, or have not yet */
	const char *said[ROOT_PEOPLE_MAX], *missing[ROOT_PEOPLE_MAX];
	bool is_contradicted;
	char contradiction[200]; /* the first one, a clause */
};
void retirement_compute(struct retirement *out, const struct retirement_facts *facts);

/* Of one of its batches, whether it counts or not. */
enum retirement_phase retirement_phase_of(const struct retirement_batch *batch, const struct retirement_facts *facts);
/* The step that makes it `retiring`: the order to erase, or the one that gives the device up. NULL in another state. */
const struct retirement_step *retirement_in_hand(const struct retirement *r);
/* Does the order to shred name this very order to erase, so that who sees the one sees both? */
bool retirement_shred_covers_erase(const struct retirement *r);
/* Who may still agree: "bob, carol", of role retirer, without the author and without who decided already. Appended. */
void retirement_silent_people(struct buf *out, const struct retirement_batch *batch, const struct root *root);
