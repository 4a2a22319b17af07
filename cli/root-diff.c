/* cli/root-diff.c -- what a next root changes, in plain words. */
#include "cli/root-diff.h"

#include "base/plural.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

_printf_(3, 0) static void add_line(char ***lines, size_t *count, const char *fmt, va_list ap)
{
	struct buf line = { 0 };

	buf_vaddf(&line, fmt, ap);
	*lines = mem_grow(*lines, (*count + 1) * sizeof(**lines));
	(*lines)[(*count)++] = buf_steal_text(&line);
}

_printf_(2, 3) static void say(struct root_diff *c, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add_line(&c->lines, &c->count, fmt, ap);
	va_end(ap);
}

_printf_(2, 3) static void note(struct root_diff *c, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add_line(&c->notes, &c->note_count, fmt, ap);
	va_end(ap);
}

void root_diff_done(struct root_diff *c)
{
	while (c->count)
		free(c->lines[--c->count]);
	while (c->note_count)
		free(c->notes[--c->note_count]);
	free(c->lines);
	free(c->notes);
}

/* ---- people ---- */

static bool is_person(const struct root *root, const char *name)
{
	for (size_t i = 0; i < root_people(root); i++)
		if (!strcmp(root_person(root, i), name))
			return true;
	return false;
}

static void roles_of(struct buf *out, const struct root *root, const char *name)
{
	for (int i = 0; i < ROLES; i++)
		if (root_has_role(root, name, (enum role)i))
			buf_addf(out, "%s%s", out->len ? ", " : "", role_name((enum role)i));
	if (!out->len)
		buf_add_str(out, "none");
}

static void say_people(struct root_diff *c, const struct root *now, const struct root *next)
{
	for (size_t i = 0; i < root_people(next); i++) {
		_cleanup_(buf_done) struct buf roles = { 0 };

		if (is_person(now, root_person(next, i)))
			continue;
		roles_of(&roles, next, root_person(next, i));
		say(c, "%s joins; roles: %s", root_person(next, i), buf_text(&roles));
	}
	for (size_t i = 0; i < root_people(now); i++) {
		_cleanup_(buf_done) struct buf roles = { 0 };

		if (is_person(next, root_person(now, i)))
			continue;
		roles_of(&roles, now, root_person(now, i));
		say(c, "%s leaves; roles were: %s", root_person(now, i), buf_text(&roles));
	}
}

static void say_roles(struct root_diff *c, const struct root *now, const struct root *next)
{
	for (size_t i = 0; i < root_people(next); i++) {
		const char *name = root_person(next, i);

		for (int k = 0; k < ROLES && is_person(now, name); k++) {
			bool had = root_has_role(now, name, (enum role)k), has = root_has_role(next, name, (enum role)k);

			if (had != has)
				say(c, "%s %s role %s", name, has ? "gets" : "loses", role_name((enum role)k));
		}
	}
}

static bool has_key(const struct root *root, const char *name, const struct sign_pub *key)
{
	const char *who = root_person_of(root, key);

	return who && !strcmp(who, name);
}

static void say_keys(struct root_diff *c, const struct root *a, const struct root *b, const char *verb)
{
	struct sign_pub key;
	const char *who;
	char print[52];

	for (size_t i = 0; root_key(a, i, &who, &key); i++) {
		if (has_key(b, who, &key))
			continue;
		sign_pub_fingerprint(print, &key);
		say(c, "%s %s signing key %s%s", who, verb, print, key.kind == SIGN_SK_ED25519 ? " (token)" : "");
	}
}

/* ---- lists ---- */

static bool has_value(const struct root *root, const char *key, const char *value)
{
	const char *other;

	for (size_t i = 0; (other = statement_at(root_statement(root), key, i)); i++)
		if (!strcmp(other, value))
			return true;
	return false;
}

/* Values of a that b does not have. */
static void say_values(struct root_diff *c, const struct root *a, const struct root *b, const char *key, const char *what, const char *end)
{
	const char *value;

	for (size_t i = 0; (value = statement_at(root_statement(a), key, i)); i++)
		if (!has_value(b, key, value))
			say(c, "%s %s %s", what, value, end);
}

static void say_reading_keys(struct root_diff *c, const struct root *a, const struct root *b, const char *verb)
{
	const char *value;

	for (size_t i = 0; (value = statement_at(root_statement(a), "reading-key", i)); i++) {
		const char *space = strchr(value, ' ');

		if (!has_value(b, "reading-key", value))
			say(c, "%.*s %s reading key %s", (int)(space - value), value, verb, space + 1);
	}
}

static void say_order(struct root_diff *c, const struct root *now, const struct root *next, const char *key, const char *what)
{
	size_t n = statement_count(root_statement(now), key);
	const char *value;

	if (n != statement_count(root_statement(next), key))
		return;
	for (size_t i = 0; (value = statement_at(root_statement(now), key, i)); i++)
		if (!has_value(next, key, value))
			return;
	for (size_t i = 0; (value = statement_at(root_statement(now), key, i)); i++) {
		if (!strcmp(value, statement_at(root_statement(next), key, i)))
			continue;
		say(c, "%s are in another order, '%s' first", what, statement_at(root_statement(next), key, 0));
		return;
	}
}

static void say_lists(struct root_diff *c, const struct root *now, const struct root *next)
{
	static const struct {
		const char *key, *what;
	} lists[] = { { "archive", "archive key" }, { "witness", "witness" }, { "tls-pin", "TLS pin" }, { "server", "server" } };

	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		say_values(c, next, now, lists[i].key, lists[i].what, "is added");
		say_values(c, now, next, lists[i].key, lists[i].what, "is dropped");
	}
	say_order(c, now, next, "server", "servers");
}

/* ---- thresholds ---- */

static unsigned people_for(const struct root *root, const char *kind)
{
	unsigned n = 0;

	for (size_t i = 0; i < root_people(root); i++)
		n += root_has_role(root, root_person(root, i), root_role_for(kind));
	return n;
}

static void say_threshold(struct root_diff *c, const struct root *now, const struct root *next, const char *kind)
{
	unsigned was = root_threshold(now, kind), is = root_threshold(next, kind);

	if (was != is)
		say(c, "%s takes %u of %u %s, and took %u of %u", kind, is, people_for(next, kind),
		    plural(people_for(next, kind), "person", "people"), was, people_for(now, kind));
}

/* Kinds with a line of their own in a, and (if b is given) none in b. */
static void say_explicit(struct root_diff *c, const struct root *now, const struct root *next, const struct root *a, const struct root *b)
{
	const char *value;

	for (size_t i = 0; (value = statement_at(root_statement(a), "threshold", i)); i++) {
		_cleanup_(mem_freep) char *kind = mem_strndup(value, strcspn(value, " "));
		bool is_told = !strcmp(kind, "root") || root_role_for(kind) == ROLE_RETIRER;
		const char *other;

		for (size_t k = 0; b && !is_told && (other = statement_at(root_statement(b), "threshold", k)); k++)
			is_told = !strncmp(other, value, strlen(kind) + 1);
		if (!is_told)
			say_threshold(c, now, next, kind);
	}
}

static void say_delay(struct root_diff *c, const struct root *now, const struct root *next, const char *kind)
{
	if (root_delay(now, kind) != root_delay(next, kind))
		say(c, "one person can stop a %s for %u s, and could for %u", kind, root_delay(next, kind), root_delay(now, kind));
}

/* Also where only the word comes or goes, since every line that differs is told. */
static void say_metadata(struct root_diff *c, const struct root *now, const struct root *next)
{
	static const char *const said[] = {
		[METADATA_MINIMAL] = "nothing",
		[METADATA_COUNTS] = "how many rules pass and fail",
		[METADATA_SECTIONS] = "for each context of a pack, how many rules pass and fail",
	};
	const char *a = statement_get(root_statement(now), "metadata"), *b = statement_get(root_statement(next), "metadata");

	if ((a != NULL) != (b != NULL) || (a && strcmp(a, b) != 0))
		say(c, "devices say in the clear of what policies found: %s%s", said[root_metadata(next)],
		    root_metadata(now) == root_metadata(next) ? ", as before" : "");
}

static void say_thresholds(struct root_diff *c, const struct root *now, const struct root *next)
{
	say_threshold(c, now, next, "root");
	say_threshold(c, now, next, "factory-reset");
	say_threshold(c, now, next, "purge");
	say_threshold(c, now, next, "shred");
	say_explicit(c, now, next, next, NULL);
	say_explicit(c, now, next, now, next);
	say_values(c, next, now, "separate", "the author of", "is not counted any more");
	say_values(c, now, next, "separate", "the author of", "is counted from now on");
	say_delay(c, now, next, "factory-reset");
	say_delay(c, now, next, "purge");
	say_metadata(c, now, next);
	say_values(c, next, now, "pin", "for", "only tokens that ask for a PIN count from now on");
	say_values(c, now, next, "pin", "for", "tokens without a PIN, and files, count again");
}

/* ---- what follows ---- */

static bool reads_with(const struct root *root, const char *person, const char *line)
{
	size_t len = strlen(person);

	return !strncmp(line, person, len) && line[len] == ' ' &&
	       (root_has_role(root, person, ROLE_READER) || root_has_role(root, person, ROLE_AUDITOR));
}

bool root_diff_loses_reading(const struct root *now, const struct root *next, const char *person)
{
	bool had_secrets = root_has_role(now, person, ROLE_READER), has_secrets = root_has_role(next, person, ROLE_READER);
	const char *line;

	for (size_t i = 0; (line = statement_at(root_statement(now), "reading-key", i)); i++) {
		if (!reads_with(now, person, line))
			continue;
		if (!has_value(next, "reading-key", line) || !reads_with(next, person, line) || (had_secrets && !has_secrets))
			return true;
	}
	return false;
}

static void note_readers(struct root_diff *c, const struct root *now, const struct root *next)
{
	for (size_t i = 0; i < root_people(next); i++)
		if (root_diff_loses_reading(next, now, root_person(next, i)))
			note(c,
			     "%s can read what devices record from now on: each begins a new epoch, with its next contact. What was "
			     "recorded "
			     "before stays closed to %s until a reader runs: holdfast key rewrap",
			     root_person(next, i), root_person(next, i));
	for (size_t i = 0; i < root_people(now); i++)
		if (root_diff_loses_reading(now, next, root_person(now, i)))
			note(c, "%s could read what was recorded so far, and keeps what they read: holdfast key exposed %s lists it",
			     root_person(now, i), root_person(now, i));
}

/* Whoever orders it is one of them, and does not count: the others are one less. */
static void note_separated(struct root_diff *c, const struct root *next)
{
	const char *kind;

	for (size_t i = 0; (kind = statement_at(root_statement(next), "separate", i)); i++) {
		unsigned may = people_for(next, kind), need = root_threshold(next, kind);

		if (may <= need)
			note(c, "nobody can order %s any more: it takes %u %s with role %s besides its author, and there %s %u in all",
			     kind, need, plural(need, "person", "people"), role_name(root_role_for(kind)), plural(may, "is", "are"), may);
	}
}

static void note_roles(struct root_diff *c, const struct root *now, const struct root *next)
{
	static const struct {
		enum role role;
		const char *what;
	} uses[] = { { ROLE_ADMIN, "admit a device" }, { ROLE_DEPLOYER, "order a change" }, { ROLE_RETIRER, "order a retirement" } };
	unsigned may = people_for(next, "root"), need = root_threshold(next, "root");

	for (size_t i = 0; i < ARRAY_SIZE(uses); i++) {
		bool had = false, has = false;

		for (size_t k = 0; k < root_people(now); k++)
			had |= root_has_role(now, root_person(now, k), uses[i].role);
		for (size_t k = 0; k < root_people(next); k++)
			has |= root_has_role(next, root_person(next, k), uses[i].role);
		if (had && !has)
			note(c, "nobody has role %s any more: nobody can %s", role_name(uses[i].role), uses[i].what);
	}
	note_separated(c, next);
	if (may == need)
		note(c,
		     "the next root takes all %u of its people: who of them loses their key locks everybody out for ever; better one "
		     "person more, "
		     "or a second key for each",
		     need);
}

void root_diff_of(struct root_diff *out, const struct root *now, const struct root *next)
{
	const struct statement *a = root_statement(now), *b = root_statement(next);

	*out = (struct root_diff){ 0 };
	if (strcmp(root_name(now), root_name(next)) != 0)
		say(out, "the fleet is called %s, and was %s", root_name(next), root_name(now));
	say_people(out, now, next);
	say_roles(out, now, next);
	say_keys(out, next, now, "gets");
	say_keys(out, now, next, "loses");
	say_reading_keys(out, next, now, "gets");
	say_reading_keys(out, now, next, "loses");
	say_thresholds(out, now, next);
	say_lists(out, now, next);
	if (strcmp(statement_get(a, "expires"), statement_get(b, "expires")) != 0)
		say(out, "it expires %s, and the one in force %s", statement_get(b, "expires"), statement_get(a, "expires"));
	note_readers(out, now, next);
	note_roles(out, now, next);
}

/* ---- who has signed ---- */

bool standing_has(const struct standing *s, const char *person)
{
	for (size_t i = 0; i < s->signed_count; i++)
		if (!strcmp(s->who[i], person))
			return true;
	return false;
}

static const char *signer_of(const struct root *root, const struct sign_pub *key)
{
	const char *person = root_person_of(root, key);

	return person && root_has_role(root, person, ROLE_ROOT) ? person : NULL;
}

/* By a key that this root gives the person. */
static bool counts_for(const struct root *root, const struct statement *st, const char *who)
{
	for (size_t k = 0; k < statement_sig_count(st); k++) {
		const char *person = signer_of(root, &statement_sig(st, k)->key);

		if (person && !strcmp(person, who))
			return true;
	}
	return false;
}

/* People, not signatures: as crypto/root.c counts them. */
static unsigned count_for(const struct root *root, const struct statement *st)
{
	unsigned n = 0;

	for (size_t i = 0; i < root_people(root); i++)
		n += counts_for(root, st, root_person(root, i));
	return n;
}

int standing_of(struct standing *out, const struct root *now, const struct root *next, struct error *err)
{
	const struct statement *st = root_statement(next);

	*out = (struct standing){ .need_now = root_threshold(now, "root"), .need_next = root_threshold(next, "root") };
	for (size_t i = 0; i < statement_sig_count(st); i++) {
		const struct sshsig *sig = statement_sig(st, i);
		const char *person = signer_of(now, &sig->key);
		char print[52];

		person = person ? person : signer_of(next, &sig->key);
		sign_pub_fingerprint(print, &sig->key);
		if (sshsig_verify(sig, statement_namespace(STATEMENT_ROOT), statement_text(st), err) < 0)
			return error_add(err, "signature %zu, by key %s", i + 1, print);
		if (!person)
			return error_set(err, E_DENIED, "signature %zu is by key %s, which is that of nobody of role root", i + 1, print);
		if (!standing_has(out, person))
			out->who[out->signed_count++] = person;
	}
	out->have_now = count_for(now, st);
	out->have_next = count_for(next, st);
	return 0;
}

bool standing_is_enough(const struct standing *s)
{
	return s->have_now >= s->need_now && s->have_next >= s->need_next;
}

static void side_text(struct buf *out, const struct standing *s, const struct root *root, const struct statement *st, unsigned have,
		      unsigned need)
{
	const char *comma = "";

	buf_addf(out, "root %llu asks for %u of its people, and %u %s signed", (unsigned long long)root_version(root), need, have,
		 plural(have, "has", "have"));
	if (have >= need)
		return;
	buf_addf(out, ": %u more of ", need - have);
	for (size_t i = 0; i < root_people(root); i++) {
		const char *person = root_person(root, i);

		if (!root_has_role(root, person, ROLE_ROOT) || counts_for(root, st, person))
			continue;
		/* whose key is changed signs with the old one and with the new one */
		buf_addf(out, "%s%s%s", comma, person, standing_has(s, person) ? " (with another key than before)" : "");
		comma = ", ";
	}
}

void standing_text(struct buf *out, const struct standing *s, const struct root *now, const struct root *next)
{
	const struct statement *st = root_statement(next);

	side_text(out, s, now, st, s->have_now, s->need_now);
	buf_add_str(out, "; ");
	side_text(out, s, next, st, s->have_next, s->need_next);
}
