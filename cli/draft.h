/* cli/draft.h -- the next root before anybody signs it: begun as the one in force, changed, and checked by all rules.
 *
 * Pure: no file, no clock. Each change is checked by itself (CLI_USAGE for what cannot be meant: a stranger's role, a key that is not
 * there), the whole when it is written (E_FORMAT with the rule of crypto/root.h that it breaks). */
#pragma once

#include "cli/tickets.h"
#include "crypto/root.h"

struct draft;
struct draft *draft_new(const struct root *root); /* borrows it */
struct draft *draft_free(struct draft *draft);
void draft_freep(struct draft **draft);

/* With no role yet: draft_grant() gives them. */
int draft_add_person(struct draft *draft, const struct request *request, struct error *err) _must_check_;
/* With keys, reading keys and roles. */
int draft_remove_person(struct draft *draft, const char *name, struct error *err) _must_check_;
int draft_grant(struct draft *draft, const char *name, const char *role, struct error *err) _must_check_;
int draft_revoke(struct draft *draft, const char *name, const char *role, struct error *err) _must_check_;
int draft_add_key(struct draft *draft, const char *name, const struct sign_pub *key, struct error *err) _must_check_;
int draft_remove_key(struct draft *draft, const char *name, const char *print, struct error *err) _must_check_; /* "SHA256:..." */
int draft_add_reading_key(struct draft *draft, const char *name, const char *recipient, struct error *err) _must_check_;
int draft_remove_reading_key(struct draft *draft, const char *name, const char *recipient, struct error *err) _must_check_;
/* count: digits, or "default". */
int draft_threshold(struct draft *draft, const char *kind, const char *count, struct error *err) _must_check_;
/* seconds: digits, or "default". */
int draft_delay(struct draft *draft, const char *kind, const char *seconds, struct error *err) _must_check_;
int draft_pin(struct draft *draft, const char *kind, bool on, struct error *err) _must_check_;
/* level: "minimal", "counts", "sections", or "default". */
int draft_metadata(struct draft *draft, const char *level, struct error *err) _must_check_;
int draft_separate(struct draft *draft, const char *kind, bool on, struct error *err) _must_check_;
/* The first call for a key ("archive", "witness", "tls-pin", "server") drops what the root in force says; all add to the list. */
void draft_list(struct draft *draft, const char *key, const char *value);

/* Appends the text, unsigned. E_FORMAT, E_LIMIT: which rule it breaks. CLI_CONFLICT: nothing was changed. */
int draft_text(struct buf *out, const struct draft *draft, int64_t now_s, int64_t expires_s, struct error *err) _must_check_;
