/* crypto/root-verify.c -- who may sign what under a root, and which root may follow it. */
#include "crypto/root-parts.h"

#include "base/plural.h"

#include <string.h>

/* ---- who may sign ---- */

static bool may_sign(const struct root *root, const char *person, enum statement_type type)
{
	switch (type) {
	case STATEMENT_ROOT:
		return root_has_role(root, person, ROLE_ROOT);
	case STATEMENT_INVITE:
	case STATEMENT_ADMIT:
	case STATEMENT_WAIVER:
		return root_has_role(root, person, ROLE_ADMIN);
	case STATEMENT_LOGIN:
		return true;
	case STATEMENT_ENROL:
	case STATEMENT_EPOCH:
	case STATEMENT_SNAPSHOT:
	case STATEMENT_STATUS:
	case STATEMENT_CHECKPOINT:
	case STATEMENT_ORDER:
	case STATEMENT_RECEIPT:
	case STATEMENT_VERDICT:
		return false;
	case STATEMENT_SHREDDED: /* of themselves: verify_shredded() */
		return true;
	case STATEMENT_CERTIFICATE:
		return root_has_role(root, person, ROLE_RETIRER);
	case STATEMENT_JUDGEMENT:
		return root_has_role(root, person, ROLE_ADMIN) || root_has_role(root, person, ROLE_DEPLOYER);
	case STATEMENT_FIRMWARE:
		return root_has_role(root, person, ROLE_DEPLOYER);
	case STATEMENT_BATCH: /* which of the two roles it takes, crypto/order.c says */
	case STATEMENT_CONTROL:
		return root_has_role(root, person, ROLE_DEPLOYER) || root_has_role(root, person, ROLE_RETIRER);
	}
	return false;
}

static const char *who(void *ctx, const struct sign_pub *key, enum statement_type type)
{
	const struct root *root = ctx;
	const char *person = root_person_of(root, key);

	return person && may_sign(root, person, type) ? person : NULL;
}

struct signers root_signers(const struct root *root)
{
	return (struct signers){ who, (void *)(uintptr_t)root };
}

static const char *who_of_checkpoint(void *ctx, const struct sign_pub *key, enum statement_type type _unused_)
{
	const struct root *root = ctx;
	const struct root_key_line *line = root_find_line(root->archive, root->archive_count, key, sign_pub_equal);

	if (!line)
		line = root_find_line(root->witnesses, root->witness_count, key, sign_pub_equal);
	return line ? line->person : NULL;
}

/* The archive signs, then witnesses cosign. */
static int verify_checkpoint(const struct root *root, const struct statement *st, struct error *err)
{
	struct signers by = { who_of_checkpoint, (void *)(uintptr_t)root };

	if (!root_find_line(root->archive, root->archive_count, &statement_sig(st, 0)->key, sign_pub_equal))
		return error_set(err, E_DENIED, "checkpoint is not signed by an archive key of root version %llu",
				 (unsigned long long)root_version(root));
	return statement_verify(st, &by, 1, err);
}

/* No person can be called so. */
static const char the_archive[] = "(archive)";

static const char *who_or_archive(void *ctx, const struct sign_pub *key, enum statement_type type)
{
	const struct root *root = ctx;

	return root_find_line(root->archive, root->archive_count, key, sign_pub_equal) ? the_archive : who(ctx, key, type);
}

bool root_is_archived(const struct root *root, const struct statement *st)
{
	for (size_t i = 0; i < statement_sig_count(st); i++)
		if (root_find_line(root->archive, root->archive_count, &statement_sig(st, i)->key, sign_pub_equal))
			return true;
	return false;
}

/* The archive says it of what it kept, a person of what they kept. */
static int verify_shredded(const struct root *root, const struct statement *st, struct error *err)
{
	struct signers by = { who_or_archive, (void *)(uintptr_t)root };
	const char *named = statement_get(st, "by"), *who;

	if (statement_sig_count(st) != 1)
		return error_set(err, E_DENIED, "shredded has %zu signatures where one is needed", statement_sig_count(st));
	if (statement_verify(st, &by, 1, err) < 0)
		return err->code;
	who = who_or_archive((void *)(uintptr_t)root, &statement_sig(st, 0)->key, STATEMENT_SHREDDED);
	if (who == the_archive ? !strcmp(named, "archive") : !strcmp(named, who) && strcmp(named, "archive") != 0)
		return 0;
	return error_set(err, E_DENIED, "shredded says it is by '%s', and is signed by %s", named,
			 who == the_archive ? "the archive" : who);
}

static int verify_certificate(const struct root *root, const struct statement *st, struct error *err)
{
	struct signers by = { who_or_archive, (void *)(uintptr_t)root };

	return statement_verify(st, &by, root_threshold(root, "shred") + root_is_archived(root, st), err);
}

/* Who says in a statement that it is by a person must have signed it. */
static int check_person(const struct root *root, const struct statement *st, struct error *err)
{
	const char *person = statement_get(st, "person"), *who = root_person_of(root, &statement_sig(st, 0)->key);

	if (!person || (who && !strcmp(who, person) && statement_sig_count(st) == 1))
		return 0;
	return error_set(err, E_DENIED, "%s says it is by '%s', and is signed by '%s'%s", statement_type_name(statement_type(st)), person,
			 who ? who : "a stranger", statement_sig_count(st) == 1 ? "" : " and others");
}

int root_verify(const struct root *root, const struct statement *st, struct error *err)
{
	enum statement_type type = statement_type(st);
	const char *fleet = statement_get(st, "fleet");
	struct signers by = root_signers(root);

	if (type != STATEMENT_ROOT && (!fleet || strcmp(fleet, root->fleet) != 0))
		return error_set(err, E_DENIED, "%s is of another fleet", statement_type_name(type));
	if (type == STATEMENT_CHECKPOINT)
		return verify_checkpoint(root, st, err);
	if (type == STATEMENT_SHREDDED)
		return verify_shredded(root, st, err);
	if (type == STATEMENT_CERTIFICATE)
		return verify_certificate(root, st, err);
	if (statement_verify(st, &by, root_threshold(root, statement_type_name(type)), err) < 0)
		return err->code;
	return type == STATEMENT_JUDGEMENT || type == STATEMENT_WAIVER || type == STATEMENT_FIRMWARE ? check_person(root, st, err) : 0;
}

/* ---- succession ---- */

int root_accept_first(const struct root *root, const char *fleet, struct error *err)
{
	if (root_version(root) != 1)
		return error_set(err, E_DENIED, "the first root has version %llu, not 1", (unsigned long long)root_version(root));
	if (fleet && strcmp(fleet, root->fleet) != 0)
		return error_set(err, E_DENIED, "the first root is that of fleet '%s', not of '%s'", root->fleet, fleet);
	return root_verify(root, root->st, err);
}

/* In a root that changes people, a signature may belong to the old ones, the new ones, or both: each side counts its own and
 * ignores the other's, but somebody unknown to both is refused. */
struct pair {
	const struct root *before, *after;
};

static const char *who_of_pair(void *ctx, const struct sign_pub *key, enum statement_type type)
{
	const struct pair *pair = ctx;
	const char *person = who((void *)(uintptr_t)pair->before, key, type);

	return person ? person : who((void *)(uintptr_t)pair->after, key, type);
}

/* Do as many people of `root` stand behind st as its threshold asks? The signatures are verified already. */
static int carried_by(const struct root *root, const struct statement *st, struct error *err)
{
	bool has_signed[ROOT_PEOPLE_MAX] = { false };
	unsigned need = root_threshold(root, "root"), count = 0;

	for (size_t i = 0; i < statement_sig_count(st); i++) {
		const char *person = who((void *)(uintptr_t)root, &statement_sig(st, i)->key, STATEMENT_ROOT);

		if (person)
			has_signed[root_person_index(root, bytes_str(person))] = true;
	}
	for (size_t i = 0; i < root->people; i++)
		count += has_signed[i];
	if (count < need)
		return error_set(err, E_DENIED, "the next root is signed by %u of the %u %s of root version %llu that it takes", count,
				 need, plural(need, "person", "people"), (unsigned long long)root_version(root));
	return 0;
}

int root_succeeds(const struct root *root, const struct root *next, struct error *err)
{
	struct pair pair = { root, next };
	struct signers by = { who_of_pair, &pair };
	uint8_t prev[HASH_LEN];

	if (root_version(next) != root_version(root) + 1)
		return error_set(err, E_DENIED, "root version %llu cannot follow version %llu", (unsigned long long)root_version(next),
				 (unsigned long long)root_version(root));
	if (strcmp(root->fleet, next->fleet) != 0)
		return error_set(err, E_DENIED, "the next root is of another fleet");
	if (!statement_get_hash(prev, next->st, "prev") || memcmp(prev, statement_hash(root->st), HASH_LEN) != 0)
		return error_set(err, E_DENIED, "the next root does not name the one before it");
	if (statement_verify(next->st, &by, 1, err) < 0 || carried_by(root, next->st, err) < 0)
		return err->code;
	return carried_by(next, next->st, err);
}

/* ---- export ---- */

void root_allowed_signers(struct buf *out, const struct root *root)
{
	static const enum statement_type operator_types[] = { STATEMENT_ROOT, STATEMENT_INVITE, STATEMENT_ADMIT, STATEMENT_LOGIN,
							     STATEMENT_BATCH, STATEMENT_CONTROL, STATEMENT_SHREDDED,
							     STATEMENT_CERTIFICATE, STATEMENT_JUDGEMENT, STATEMENT_WAIVER,
							     STATEMENT_FIRMWARE };
	struct sign_pub archive[4];
	size_t n = root_archive_keys(archive, ARRAY_SIZE(archive), root);
	char text[SIGN_PUB_TEXT_MAX];

	for (size_t i = 0; i < root->key_count; i++) {
		const char *comma = "";

		buf_addf(out, "%s namespaces=\"", root->keys[i].person);
		for (size_t t = 0; t < ARRAY_SIZE(operator_types); t++) {
			if (!may_sign(root, root->keys[i].person, operator_types[t]))
				continue;
			buf_addf(out, "%s%s", comma, statement_namespace(operator_types[t]));
			comma = ",";
		}
		sign_pub_text(text, &root->keys[i].key);
		buf_addf(out, "\" %s\n", text);
	}
	for (size_t i = 0; i < n; i++) {
		sign_pub_text(text, &archive[i]);
		buf_addf(out, "archive namespaces=\"git,checkpoint@holdfast,shredded@holdfast,certificate@holdfast\" %s\n", text);
	}
	for (size_t i = 0; i < root->witness_count; i++) {
		sign_pub_text(text, &root->witnesses[i].key);
		buf_addf(out, "witness namespaces=\"checkpoint@holdfast\" %s\n", text);
	}
}

void allowed_signers_device(struct buf *out, const char *id, const struct sign_pub *key)
{
	char text[SIGN_PUB_TEXT_MAX];

	sign_pub_text(text, key);
	buf_addf(out,
		 "%s namespaces=\"enrol@holdfast,epoch@holdfast,snapshot@holdfast,status@holdfast,receipt@holdfast,verdict@holdfast\" %s\n",
		 id, text);
}
