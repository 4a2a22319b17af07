/* cli/enrolment.h -- the checks between an invite and an admission, without a file, a clock or a server.
 *
 * A device shows that it was given the invite's secret by a MAC that only the invite's maker and the device can make: the server never
 * sees the secret. Everything here is judged from statements alone. */
#pragma once

#include "cli/cli.h"
#include "crypto/root.h"

enum { INVITE_SECRET_LEN = 32 };

/* The enrolment of device id: of this fleet, number 1, signed by the key that the id is made from. E_SEAL otherwise. */
int enrolment_open(struct statement **out, struct bytes whole, const char *fleet, const char *id, struct error *err) _must_check_;
/* A full invite container, signed as the root in force asks. E_SEAL otherwise. whole is borrowed by out. */
int enrolment_invite(struct container *out, struct bytes whole, const struct root *root, const char *id, struct error *err) _must_check_;
/* The invite's secret, opened with an admin's reading key. E_SEAL when it does not open, or is not the one that the invite's id is
 * made from. */
int enrolment_secret(struct secret *out, const struct container *invite, const struct age_identity *reader, struct error *err) _must_check_;
/* Was it made with this secret? In constant time. */
bool enrolment_mac_holds(const struct statement *enrol, struct bytes secret);
/* Was the invite good when the device used it, and is it now? E_DENIED. Both are asked, because the device's own clock proves little. */
int enrolment_in_time(const struct statement *enrol, const struct statement *invite, int64_t now_s, struct error *err) _must_check_;
/* Does admit admit exactly this enrolment, as the root of the version that it names asks? roots: version N at N - 1. E_SEAL otherwise. */
int enrolment_admitted(const struct statement *admit, const struct statement *enrol, struct root *const *roots, size_t root_count,
		       struct error *err) _must_check_;
