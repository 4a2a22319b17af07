/* crypto/root.h -- the fleet root: people, keys, roles, thresholds, succession (docs/reference/formats.md section 3).
 *
 * Counts people, never signatures or key ids; a key's bytes appear once in a root, be it a person's, the archive's or a witness's;
 * who has a role that signs has a key; thresholds are 1 to the number of people who may, and at most as many as a statement carries
 * signatures; version N+1 carries the threshold of N and of N+1. Persist a root only after root_succeeds() said yes. A date decides
 * nothing about succession: an expired root still hands over to the next one. No order is given, taken or obeyed under it. */
#pragma once

#include "crypto/statement.h"

struct root;

/* The six roles. */
enum role { ROLE_ROOT, ROLE_ADMIN, ROLE_READER, ROLE_AUDITOR, ROLE_DEPLOYER, ROLE_RETIRER };
enum { ROLES = ROLE_RETIRER + 1, ROOT_PEOPLE_MAX = 64, ROOT_CHAIN_MAX = 256 };
const char *role_name(enum role role);
bool role_parse(enum role *out, const char *name);

/* Takes the statement over (also on failure). Checks the rules inside one root; verifies no signature. */
int root_new(struct root **out, struct statement *st, struct error *err) _must_check_;
struct root *root_free(struct root *root);
void root_freep(struct root **root);

const struct statement *root_statement(const struct root *root);
uint64_t root_version(const struct root *root);
const char *root_fleet(const struct root *root); /* the fleet's id; for version 1 made from its own hash */
const char *root_name(const struct root *root);

bool root_is_expired(const struct root *root, int64_t now_s);

/* The first root: signed by its own root role's threshold, and, if fleet is given, having that id. */
int root_accept_first(const struct root *root, const char *fleet, struct error *err) _must_check_;
/* May next follow root? version + 1, prev, fleet, thresholds of both. E_DENIED or E_SEAL says which check failed. */
int root_succeeds(const struct root *root, const struct root *next, struct error *err) _must_check_;

bool root_has_role(const struct root *root, const char *person, enum role role);
/* How many people an order of this kind takes ("root", "factory-reset", "purge", "shred", anything else). */
unsigned root_threshold(const struct root *root, const char *kind);
/* Which role's people are counted for a kind of order. */
enum role root_role_for(const char *kind);
/* Is the author of an order of this kind left out of the count? */
bool root_separates(const struct root *root, const char *kind);
/* Seconds that a device waits before it obeys an order of a kind that erases it, in which one person can stop it. */
enum { ROOT_DELAY_DEFAULT_S = 600, ROOT_DELAY_MAX_S = 7 * 86400 };
unsigned root_delay(const struct root *root, const char *kind);
/* Do batches and controls of this kind take signatures by a token that asked for its PIN? */
bool root_asks_pin(const struct root *root, const char *kind);
/* What a device may say in the clear of what policies found: nothing; how many rules pass and fail; that for each context. */
enum metadata { METADATA_MINIMAL, METADATA_COUNTS, METADATA_SECTIONS };
enum metadata root_metadata(const struct root *root); /* counts, unless the root says otherwise */
/* Whose key is it? NULL: nobody's. */
const char *root_person_of(const struct root *root, const struct sign_pub *key);
size_t root_people(const struct root *root);
const char *root_person(const struct root *root, size_t i);
/* Keys of people as in `key` lines; false past the end. */
bool root_key(const struct root *root, size_t i, const char **person, struct sign_pub *key);
/* Reading keys of the people with role a, or b. Returns how many, at most AGE_RECIPIENTS_MAX. names (may be NULL): whose. */
size_t root_recipients(struct age_recipient *out, const char **names, const struct root *root, enum role a, enum role b);
size_t root_archive_keys(struct sign_pub *out, size_t max, const struct root *root);
/* Witnesses as in `witness` lines; NULL past the end. The name may be a file's name. */
enum { ROOT_WITNESSES_MAX = 8 };
const char *root_witness(const struct root *root, size_t i);
/* Which witness's key is it? NULL: none's. */
const char *root_witness_of(const struct root *root, const struct sign_pub *key);
/* The same of who cosigned a checkpoint: the archive and one witness signed it, nobody else. Verifies nothing. */
const char *root_cosigner(const struct root *root, const struct statement *checkpoint);
size_t root_tls_pins(uint8_t (*out)[32], size_t max, const struct root *root);

/* Judges statements that operators sign: invite and admit by role admin, login by anybody, root by role root. */
struct signers root_signers(const struct root *root);
/* Verifies st by the root: operators' types as above (threshold of the kind), checkpoint by an archive key (first signature) and any
 * further ones by archive or witnesses, shredded by an archive key or by the person it names, certificate by as many people as `shred`
 * takes and, maybe, an archive key; judgement, waiver and firmware by the person they name. Device types are E_DENIED here: they verify
 * against the device's own key. */
int root_verify(const struct root *root, const struct statement *st, struct error *err) _must_check_;

/* Is an archive key among those who signed? Verifies nothing. */
bool root_is_archived(const struct root *root, const struct statement *st);

/* OpenSSH allowed_signers(5 of ssh-keygen) lines of the root's own keys: people with namespaces per role, archive with
 * "git,checkpoint@holdfast", witnesses with "checkpoint@holdfast". Principals: person names, "archive", "witness". */
void root_allowed_signers(struct buf *out, const struct root *root);
/* One line for a device. Principal: its id; namespaces enrol, epoch, snapshot, status, receipt, verdict. */
void allowed_signers_device(struct buf *out, const char *id, const struct sign_pub *key);
