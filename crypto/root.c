/* crypto/root.c -- the fleet root: people, keys, roles, thresholds, succession.
 *
 * Every rule here stands against a published mistake of somebody else: thresholds of 0, one key under two names counted
 * twice, versions skipped, a state stored before it was checked. */
#include "crypto/root.h"

#include <stdlib.h>
#include <string.h>

static const char *const role_names[ROLES] = { "root", "admin", "reader", "auditor", "deployer", "retirer" };

enum { KEYS_MAX = 128, ARCHIVE_MAX = 4 }; /* as in the statement's table */

struct root_key_line {
	const char *person; /* of a witness: its name */
	struct sign_pub key;
};

struct root {
	struct statement *st;
	char fleet[ID_LEN + 1];
	size_t people;
	const char *person[ROOT_PEOPLE_MAX];
	bool has[ROOT_PEOPLE_MAX][ROLES];
	size_t key_count, archive_count, witness_count;
	char witness[ROOT_WITNESSES_MAX][64]; /* their names */
	struct root_key_line keys[KEYS_MAX], archive[ARCHIVE_MAX], witnesses[ROOT_WITNESSES_MAX];
};

const char *role_name(enum role role)
{
	return role_names[role];
}

bool role_parse(enum role *out, const char *name)
{
	for (size_t i = 0; i < ROLES; i++) {
		if (!strcmp(role_names[i], name)) {
			*out = (enum role)i;
			return true;
		}
	}
	return false;
}

static int person_index(const struct root *root, struct bytes name)
{
	for (size_t i = 0; i < root->people; i++)
		if (bytes_is(name, root->person[i]))
			return (int)i;
	return -1;
}

/* "first rest": the statement's grammar has made sure of the space. */
static struct bytes first_word(const char *value, struct bytes *rest)
{
	const char *space = strchr(value, ' ');

	*rest = bytes_str(space + 1);
	return bytes_of(value, (size_t)(space - value));
}

static int take_people(struct root *root, struct error *err)
{
	const char *name;

	for (size_t i = 0; (name = statement_at(root->st, "person", i)); i++) {
		if (person_index(root, bytes_str(name)) >= 0)
			return error_set(err, E_FORMAT, "root names person '%s' twice", name);
		root->person[root->people++] = name;
	}
	return 0;
}

static const struct root_key_line *find_line(const struct root_key_line *lines, size_t count, const struct sign_pub *key,
					     bool (*equal)(const struct sign_pub *, const struct sign_pub *))
{
	for (size_t i = 0; i < count; i++)
		if (equal(&lines[i].key, key))
			return &lines[i];
	return NULL;
}

/* Appends a key, unless these bytes stand in the root already: twice for people, two would be counted where there is one; of the
 * archive and of somebody else, the server could sign as that one. */
static int take_key(struct root *root, struct root_key_line *lines, size_t *count, const char *person, struct bytes text, struct error *err)
{
	struct root_key_line *line = &lines[*count];
	const struct root_key_line *other;
	int r = sign_pub_parse(&line->key, text, false, err);

	if (r < 0)
		return r;
	line->person = person;
	other = find_line(root->keys, root->key_count, &line->key, sign_pub_same_key);
	if (!other)
		other = find_line(root->archive, root->archive_count, &line->key, sign_pub_same_key);
	if (!other)
		other = find_line(root->witnesses, root->witness_count, &line->key, sign_pub_same_key);
	if (other)
		return error_set(err, E_FORMAT, "root has one key twice (for '%s' and '%s')", other->person, person);
	++*count;
	return 0;
}

static int take_keys(struct root *root, struct error *err)
{
	const char *value;

	for (size_t i = 0; (value = statement_at(root->st, "key", i)); i++) {
		struct bytes rest, who = first_word(value, &rest);
		int person = person_index(root, who);

		if (person < 0)
			return error_set(err, E_FORMAT, "root gives a key to '%.*s', who is no person of it", (int)who.len, (const char *)who.ptr);
		if (take_key(root, root->keys, &root->key_count, root->person[person], rest, err) < 0)
			return err->code;
	}
	for (size_t i = 0; (value = statement_at(root->st, "archive", i)); i++)
		if (take_key(root, root->archive, &root->archive_count, "the archive", bytes_str(value), err) < 0)
			return err->code;
	for (size_t i = 0; (value = statement_at(root->st, "witness", i)); i++) {
		struct bytes rest, name = first_word(value, &rest);

		if (take_key(root, root->witnesses, &root->witness_count, "a witness", rest, err) < 0)
			return err->code;
		memcpy(root->witness[i], name.ptr, name.len); /* the grammar: at most 63 */
		for (size_t k = 0; k < i; k++)
			if (!strcmp(root->witness[k], root->witness[i]))
				return error_set(err, E_FORMAT, "root names witness '%s' twice", root->witness[i]);
	}
	return 0;
}

static int take_readers(struct root *root, struct error *err)
{
	const char *value;

	for (size_t i = 0; (value = statement_at(root->st, "reading-key", i)); i++) {
		struct bytes rest, who = first_word(value, &rest);

		if (person_index(root, who) < 0)
			return error_set(err, E_FORMAT, "root gives a reading key to '%.*s', who is no person of it", (int)who.len,
					 (const char *)who.ptr);
	}
	return 0;
}

static int take_roles(struct root *root, struct error *err)
{
	bool seen[ROLES] = { false };
	const char *value;

	for (size_t i = 0; (value = statement_at(root->st, "role", i)); i++) {
		_cleanup_(mem_freep) char *copy = mem_strdup(value);
		char *save, *word = strtok_r(copy, " ", &save);
		enum role role;

		if (!role_parse(&role, word))
			return error_set(err, E_FORMAT, "root has an unknown role '%s'", word);
		if (seen[role])
			return error_set(err, E_FORMAT, "root lists role '%s' twice", word);
		seen[role] = true;
		while ((word = strtok_r(NULL, " ", &save))) {
			int person = person_index(root, bytes_str(word));

			if (person < 0)
				return error_set(err, E_FORMAT, "root gives role '%s' to '%s', who is no person of it", role_names[role], word);
			if (root->has[person][role])
				return error_set(err, E_FORMAT, "root gives role '%s' to '%s' twice", role_names[role], word);
			root->has[person][role] = true;
		}
	}
	return seen[ROLE_ROOT] ? 0 : error_set(err, E_FORMAT, "root has nobody in role 'root'");
}

/* Somebody without a key, counted among those who may sign, could lock the fleet out of its own succession. */
static int check_signers(const struct root *root, struct error *err)
{
	for (size_t i = 0; i < root->people; i++) {
		const bool *has = root->has[i];
		bool signs = has[ROLE_ROOT] || has[ROLE_ADMIN] || has[ROLE_DEPLOYER] || has[ROLE_RETIRER];

		for (size_t k = 0; signs && k < root->key_count; k++)
			signs = root->keys[k].person != root->person[i];
		if (signs)
			return error_set(err, E_FORMAT, "root gives a role that signs to '%s', who has no key", root->person[i]);
	}
	return 0;
}

static unsigned count_role(const struct root *root, enum role role)
{
	unsigned n = 0;

	for (size_t i = 0; i < root->people; i++)
		n += root->has[i][role];
	return n;
}

/* Kinds that take a device, or its archive, out of the world. */
static bool takes_out(const char *kind)
{
	return !strcmp(kind, "factory-reset") || !strcmp(kind, "purge") || !strcmp(kind, "shred");
}

enum role root_role_for(const char *kind)
{
	if (!strcmp(kind, "root"))
		return ROLE_ROOT;
	if (takes_out(kind))
		return ROLE_RETIRER;
	if (!strcmp(kind, "admit") || !strcmp(kind, "invite"))
		return ROLE_ADMIN;
	return ROLE_DEPLOYER;
}

static int check_thresholds(const struct root *root, struct error *err)
{
	const char *value;

	for (size_t i = 0; (value = statement_at(root->st, "threshold", i)); i++) {
		_cleanup_(mem_freep) char *kind = NULL;
		struct bytes rest, word = first_word(value, &rest);
		uint64_t n = 0;

		kind = mem_strndup((const char *)word.ptr, word.len);
		number_parse(&n, rest);
		if (!n)
			return error_set(err, E_FORMAT, "root has threshold 0 for '%s'", kind);
		if (n > STATEMENT_SIGS_MAX)
			return error_set(err, E_FORMAT, "root asks %llu people for '%s', but a statement carries %d signatures",
					 (unsigned long long)n, kind, STATEMENT_SIGS_MAX);
		if (n > 1 && !strcmp(kind, "login"))
			return error_set(err, E_FORMAT, "root asks %llu people for 'login', which is one person's", (unsigned long long)n);
		if (n > count_role(root, root_role_for(kind)))
			return error_set(err, E_FORMAT, "root asks %llu people for '%s', but only %u may", (unsigned long long)n, kind,
					 count_role(root, root_role_for(kind)));
		for (size_t k = 0; k < i; k++)
			if (!strncmp(statement_at(root->st, "threshold", k), value, word.len + 1))
				return error_set(err, E_FORMAT, "root has two thresholds for '%s'", kind);
	}
	return 0;
}

static int check_delays(const struct root *root, struct error *err)
{
	const char *value;

	for (size_t i = 0; (value = statement_at(root->st, "delay", i)); i++) {
		struct bytes rest, kind = first_word(value, &rest);
		uint64_t n = 0;

		number_parse(&n, rest);
		if (!bytes_is(kind, "factory-reset") && !bytes_is(kind, "purge"))
			return error_set(err, E_FORMAT, "root has a delay for '%.*s'; only 'factory-reset' and 'purge' wait", (int)kind.len,
					 (const char *)kind.ptr);
		if (n > ROOT_DELAY_MAX_S)
			return error_set(err, E_FORMAT, "root has a delay of %llu s for '%.*s'; at most %d may be", (unsigned long long)n, (int)kind.len,
					 (const char *)kind.ptr, ROOT_DELAY_MAX_S);
		for (size_t k = 0; k < i; k++)
			if (!strncmp(statement_at(root->st, "delay", k), value, kind.len + 1))
				return error_set(err, E_FORMAT, "root has two delays for '%.*s'", (int)kind.len, (const char *)kind.ptr);
	}
	return 0;
}

static bool has_token(const struct root *root, const char *person)
{
	for (size_t i = 0; i < root->key_count; i++)
		if (!strcmp(root->keys[i].person, person) && root->keys[i].key.kind == SIGN_SK_ED25519)
			return true;
	return false;
}

/* Enough people must be able to sign at all. */
static int check_pins(const struct root *root, struct error *err)
{
	const char *kind;

	for (size_t i = 0; (kind = statement_at(root->st, "pin", i)); i++) {
		unsigned may = 0, need = root_threshold(root, kind);

		for (size_t p = 0; p < root->people; p++)
			may += root->has[p][root_role_for(kind)] && has_token(root, root->person[p]);
		if (may < need)
			return error_set(err, E_FORMAT, "root asks for tokens with a PIN for '%s', which takes %u people, and %u have one", kind, need, may);
	}
	return 0;
}

/* By the words of enum metadata. */
static bool metadata_parse(enum metadata *out, const char *word)
{
	static const char *const names[] = { "minimal", "counts", "sections" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (!strcmp(names[i], word)) {
			*out = (enum metadata)i;
			return true;
		}
	return false;
}

static int check_metadata(const struct root *root, struct error *err)
{
	const char *word = statement_get(root->st, "metadata");
	enum metadata ignored;

	if (!word || metadata_parse(&ignored, word))
		return 0;
	return error_set(err, E_FORMAT, "root has metadata '%s'; 'minimal', 'counts' or 'sections' may be", word);
}

static int check_version(struct root *root, struct error *err)
{
	const char *fleet = statement_get(root->st, "fleet");
	uint64_t version = statement_number(root->st, "version");
	bool first = version == 1;

	if (!version)
		return error_set(err, E_FORMAT, "root has version 0");
	if (first == !!fleet || first == !!statement_get(root->st, "prev"))
		return error_set(err, E_FORMAT, "root of version %llu must%s name fleet and prev", (unsigned long long)version, first ? " not" : "");
	if (first)
		id_of_hash(root->fleet, statement_hash(root->st));
	else
		memcpy(root->fleet, fleet, ID_LEN + 1);
	if (statement_time(root->st, "expires") <= statement_time(root->st, "time"))
		return error_set(err, E_FORMAT, "root expires before it begins");
	return 0;
}

int root_new(struct root **out, struct statement *st, struct error *err)
{
	_cleanup_(root_freep) struct root *root = mem_alloc(sizeof(*root));

	root->st = st;
	if (statement_type(st) != STATEMENT_ROOT)
		return error_set(err, E_FORMAT, "a %s is no root", statement_type_name(statement_type(st)));
	if (check_version(root, err) < 0 || take_people(root, err) < 0 || take_keys(root, err) < 0 || take_readers(root, err) < 0 ||
	    take_roles(root, err) < 0 || check_signers(root, err) < 0 || check_thresholds(root, err) < 0 ||
	    check_delays(root, err) < 0 || check_pins(root, err) < 0 || check_metadata(root, err) < 0)
		return err->code;
	*out = steal(root);
	return 0;
}

struct root *root_free(struct root *root)
{
	if (!root)
		return NULL;
	statement_free(root->st);
	free(root);
	return NULL;
}

void root_freep(struct root **root)
{
	*root = root_free(*root);
}

const struct statement *root_statement(const struct root *root)
{
	return root->st;
}

uint64_t root_version(const struct root *root)
{
	return statement_number(root->st, "version");
}

const char *root_fleet(const struct root *root)
{
	return root->fleet;
}

const char *root_name(const struct root *root)
{
	return statement_get(root->st, "name");
}

/* ---- who may sign ---- */

const char *root_person_of(const struct root *root, const struct sign_pub *key)
{
	const struct root_key_line *line = find_line(root->keys, root->key_count, key, sign_pub_equal);

	return line ? line->person : NULL;
}

bool root_has_role(const struct root *root, const char *person, enum role role)
{
	int i = person_index(root, bytes_str(person));

	return i >= 0 && root->has[i][role];
}

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

bool root_separates(const struct root *root, const char *kind)
{
	const char *value;

	for (size_t i = 0; (value = statement_at(root->st, "separate", i)); i++)
		if (!strcmp(value, kind))
			return true;
	return false;
}

unsigned root_delay(const struct root *root, const char *kind)
{
	size_t len = strlen(kind);
	const char *value;

	for (size_t i = 0; (value = statement_at(root->st, "delay", i)); i++)
		if (!strncmp(value, kind, len) && value[len] == ' ')
			return (unsigned)strtoul(value + len + 1, NULL, 10);
	return ROOT_DELAY_DEFAULT_S;
}

enum metadata root_metadata(const struct root *root)
{
	const char *word = statement_get(root->st, "metadata");
	enum metadata level = METADATA_COUNTS;

	return word && metadata_parse(&level, word) ? level : METADATA_COUNTS;
}

bool root_asks_pin(const struct root *root, const char *kind)
{
	const char *value;

	for (size_t i = 0; (value = statement_at(root->st, "pin", i)); i++)
		if (!strcmp(value, kind))
			return true;
	return false;
}

unsigned root_threshold(const struct root *root, const char *kind)
{
	size_t len = strlen(kind);
	const char *value;
	unsigned may = count_role(root, root_role_for(kind));

	for (size_t i = 0; (value = statement_at(root->st, "threshold", i)); i++)
		if (!strncmp(value, kind, len) && value[len] == ' ')
			return (unsigned)strtoul(value + len + 1, NULL, 10);
	if (takes_out(kind))
		return 2;
	return !strcmp(kind, "root") && may >= 2 ? 2 : 1;
}

static const char *who_of_checkpoint(void *ctx, const struct sign_pub *key, enum statement_type type _unused_)
{
	const struct root *root = ctx;
	const struct root_key_line *line = find_line(root->archive, root->archive_count, key, sign_pub_equal);

	if (!line)
		line = find_line(root->witnesses, root->witness_count, key, sign_pub_equal);
	return line ? line->person : NULL;
}

/* The archive signs, then witnesses cosign. */
static int verify_checkpoint(const struct root *root, const struct statement *st, struct error *err)
{
	struct signers by = { who_of_checkpoint, (void *)(uintptr_t)root };

	if (!find_line(root->archive, root->archive_count, &statement_sig(st, 0)->key, sign_pub_equal))
		return error_set(err, E_DENIED, "checkpoint is not signed by an archive key of root version %llu",
				 (unsigned long long)root_version(root));
	return statement_verify(st, &by, 1, err);
}

/* No person can be called so. */
static const char the_archive[] = "(archive)";

static const char *who_or_archive(void *ctx, const struct sign_pub *key, enum statement_type type)
{
	const struct root *root = ctx;

	return find_line(root->archive, root->archive_count, key, sign_pub_equal) ? the_archive : who(ctx, key, type);
}

bool root_is_archived(const struct root *root, const struct statement *st)
{
	for (size_t i = 0; i < statement_sig_count(st); i++)
		if (find_line(root->archive, root->archive_count, &statement_sig(st, i)->key, sign_pub_equal))
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
	return error_set(err, E_DENIED, "shredded says it is by '%s', and is signed by %s", named, who == the_archive ? "the archive" : who);
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

bool root_is_expired(const struct root *root, int64_t now_s)
{
	return now_s >= statement_time(root->st, "expires");
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
			has_signed[person_index(root, bytes_str(person))] = true;
	}
	for (size_t i = 0; i < root->people; i++)
		count += has_signed[i];
	if (count < need)
		return error_set(err, E_DENIED, "the next root is signed by %u of the %u people of root version %llu that it takes", count, need,
				 (unsigned long long)root_version(root));
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

/* ---- lists ---- */

size_t root_people(const struct root *root)
{
	return root->people;
}

const char *root_person(const struct root *root, size_t i)
{
	return i < root->people ? root->person[i] : NULL;
}

bool root_key(const struct root *root, size_t i, const char **person, struct sign_pub *key)
{
	if (i >= root->key_count)
		return false;
	*person = root->keys[i].person;
	*key = root->keys[i].key;
	return true;
}

size_t root_recipients(struct age_recipient *out, const char **names, const struct root *root, enum role a, enum role b)
{
	struct error ignored;
	const char *value;
	size_t n = 0;

	for (size_t i = 0; (value = statement_at(root->st, "reading-key", i)) && n < AGE_RECIPIENTS_MAX; i++) {
		struct bytes rest, name = first_word(value, &rest);
		int person = person_index(root, name);

		if (person < 0 || (!root->has[person][a] && !root->has[person][b]) || age_recipient_parse(&out[n], rest, &ignored) < 0)
			continue;
		if (names)
			names[n] = root->person[person];
		n++;
	}
	return n;
}

size_t root_archive_keys(struct sign_pub *out, size_t max, const struct root *root)
{
	size_t n = 0;

	for (; n < max && n < root->archive_count; n++)
		out[n] = root->archive[n].key;
	return n;
}

const char *root_witness(const struct root *root, size_t i)
{
	return i < root->witness_count ? root->witness[i] : NULL;
}

const char *root_witness_of(const struct root *root, const struct sign_pub *key)
{
	for (size_t i = 0; i < root->witness_count; i++)
		if (sign_pub_equal(&root->witnesses[i].key, key))
			return root->witness[i];
	return NULL;
}

const char *root_cosigner(const struct root *root, const struct statement *checkpoint)
{
	if (statement_type(checkpoint) != STATEMENT_CHECKPOINT || statement_sig_count(checkpoint) != 2)
		return NULL;
	return root_witness_of(root, &statement_sig(checkpoint, 1)->key);
}

size_t root_tls_pins(uint8_t (*out)[32], size_t max, const struct root *root)
{
	const char *value;
	size_t n = 0;

	for (size_t i = 0; n < max && (value = statement_at(root->st, "tls-pin", i)); i++) {
		_cleanup_(buf_done) struct buf raw = { 0 };

		if (base64_decode(&raw, bytes_str(value)) && raw.len == 32)
			memcpy(out[n++], raw.ptr, 32);
	}
	return n;
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
	buf_addf(out, "%s namespaces=\"enrol@holdfast,epoch@holdfast,snapshot@holdfast,status@holdfast,receipt@holdfast,verdict@holdfast\" %s\n", id, text);
}
