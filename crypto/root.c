/* crypto/root.c -- the fleet root: people, keys, roles, thresholds, succession.
 *
 * Every rule here stands against a published mistake of somebody else: thresholds of 0, one key under two names counted
 * twice, versions skipped, a state stored before it was checked. */
#include "crypto/root-parts.h"

#include "base/plural.h"

#include <stdlib.h>
#include <string.h>

static const char *const role_names[ROLES] = { "root", "admin", "reader", "auditor", "deployer", "retirer" };

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

int root_person_index(const struct root *root, struct bytes name)
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
		if (root_person_index(root, bytes_str(name)) >= 0)
			return error_set(err, E_FORMAT, "root names person '%s' twice", name);
		root->person[root->people++] = name;
	}
	return 0;
}

const struct root_key_line *root_find_line(const struct root_key_line *lines, size_t count, const struct sign_pub *key,
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
	other = root_find_line(root->keys, root->key_count, &line->key, sign_pub_same_key);
	if (!other)
		other = root_find_line(root->archive, root->archive_count, &line->key, sign_pub_same_key);
	if (!other)
		other = root_find_line(root->witnesses, root->witness_count, &line->key, sign_pub_same_key);
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
		int person = root_person_index(root, who);

		if (person < 0)
			return error_set(err, E_FORMAT, "root gives a key to '%.*s', who is no person of it", (int)who.len,
					 (const char *)who.ptr);
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

		if (root_person_index(root, who) < 0)
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
			int person = root_person_index(root, bytes_str(word));

			if (person < 0)
				return error_set(err, E_FORMAT, "root gives role '%s' to '%s', who is no person of it", role_names[role],
						 word);
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
			return error_set(err, E_FORMAT, "root has a delay of %llu s for '%.*s'; at most %d may be", (unsigned long long)n,
					 (int)kind.len, (const char *)kind.ptr, ROOT_DELAY_MAX_S);
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
			return error_set(err, E_FORMAT, "root asks for tokens with a PIN for '%s', which takes %u %s, and %u %s one", kind,
					 need, plural(need, "person", "people"), may, plural(may, "has", "have"));
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
		return error_set(err, E_FORMAT, "root of version %llu must%s name fleet and prev", (unsigned long long)version,
				 first ? " not" : "");
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
	const struct root_key_line *line = root_find_line(root->keys, root->key_count, key, sign_pub_equal);

	return line ? line->person : NULL;
}

bool root_has_role(const struct root *root, const char *person, enum role role)
{
	int i = root_person_index(root, bytes_str(person));

	return i >= 0 && root->has[i][role];
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

bool root_is_expired(const struct root *root, int64_t now_s)
{
	return now_s >= statement_time(root->st, "expires");
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
		int person = root_person_index(root, name);

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
