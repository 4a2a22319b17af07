/* cli/open.h -- opens what the archive keeps: a snapshot's full container becomes verified text.
 *
 * The server is asked for bytes and believed in nothing:
 *
 *   who      a device's id is made from its key, so its enrolment proves itself; that it belongs to the fleet, and what it is called, an
 *            operator's admit says, verified by the root
 *   what     the snapshot is signed by that key, and with it the hash of every seal; device, fleet and number are those that were asked for
 *   when     the newest is not older than what the server lists; the device knows no root that is kept from us, and the log that it
 *            saw is part of the one that we saw
 *   with     the epoch's statement is signed by the same key and names the public halves of the identities that its seals hold
 *
 * Where that fails it is E_SEAL, whatever the reason. Plaintext is in struct buf (wiped), keys are in struct secret, nothing is on disk. */
#pragma once

#include "crypto/root.h"
#include "crypto/seal.h"

/* Where bytes and keys come from: cli/api.h and cli/home.h, or a test. Borrowed for the opener's life. */
struct open_source {
	const char *fleet;
	struct root *const *roots; /* the succession, verified: version N is roots[N - 1], the last one is in force */
	size_t root_count;
	const struct statement *checkpoint; /* the newest that was verified, or NULL */
	int (*get)(void *ctx, struct buf *out, const char *path, size_t max, struct error *err); /* as api_get() */
	int (*key)(void *ctx, const struct age_identity **out, struct error *err);               /* as home_reading_key(), when needed */
	void *ctx;
};

/* Remembers for one command what it has verified and opened. */
struct opener;
struct opener *opener_new(const struct open_source *source);
struct opener *opener_free(struct opener *o);
void opener_freep(struct opener **o);
/* Lets go of the devices and epochs that it knows (what was given out of them is gone), not of what was proved of the log: for whoever goes
 * through thousands of devices, since each epoch costs locked memory. */
void opener_forget(struct opener *o);

/* Who a device is. Lives as long as the opener. */
struct open_device {
	char id[ID_LEN + 1];
	const char *name; /* as admitted */
	struct sign_pub key;
	struct statement *enrol, *admit;
	const char *admitted_by; /* the person */
	bool is_by_old_root;     /* whose key the root in force does not have, or not as admin; it was one when the admit says */
};
/* id: a valid one. CLI_ABSENT when it is not enrolled or not admitted. */
int opener_device(const struct open_device **out, struct opener *o, const char *id, struct error *err) _must_check_;

/* An epoch's container, verified: the caller ends it with container_done() before bytes, from which it borrows. CLI_ABSENT when its
 * keys are shredded; E_DENIED when the server refuses us. */
int opener_epoch(struct container *out, struct buf *bytes, struct opener *o, const char *id, uint64_t epoch, struct error *err)
	_must_check_;

/* An epoch's identities, as far as they are sealed to us, in its own seals or in a reader's rewrap; they live as long as the opener.
 * *secrets is NULL when those are not. E_DENIED when not even the bodies are. */
int opener_epoch_keys(const struct age_identity **body, const struct age_identity **secrets, struct opener *o, const char *id,
		      uint64_t epoch, struct error *err) _must_check_;

struct open_wanted {
	const char *id;
	uint64_t number;   /* 0: the newest */
	uint64_t at_least; /* of the newest: what the server listed */
};

enum open_startup {
	STARTUP_SAME,    /* equal to running */
	STARTUP_OTHER,
	STARTUP_NONE,    /* the device had none: it would boot empty */
	STARTUP_UNKNOWN, /* not all of the device answered */
};

/* The texts are those of a snapshot, or the findings of a verdict. */
struct opened {
	struct statement *st;
	const struct open_device *device;
	struct buf running;
	enum open_startup startup_is;
	struct buf startup; /* for STARTUP_SAME, running's text once more */
	bool has_secrets;   /* false: they are not sealed to us (role auditor) */
	struct buf secrets; /* lines "<token> <base64>" */
	struct buf findings; /* see policies/verdict.h */
};
/* E_DENIED when the bodies of its epoch are not sealed to us. */
int opener_open(struct opened *out, struct opener *o, const struct open_wanted *wanted, struct error *err) _must_check_;
/* What a device says of the policies that it was given: its newest verdict, or the one with this number; of the texts, findings alone.
 * E_DENIED when findings are asked for, and are not sealed to us. CLI_ABSENT: there is none. */
int opener_verdict(struct opened *out, struct opener *o, const struct open_wanted *wanted, bool with_findings, struct error *err)
	_must_check_;
void opened_done(struct opened *opened);
uint64_t opened_number(const struct opened *opened);
