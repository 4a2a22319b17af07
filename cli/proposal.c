/* cli/proposal.c -- a next root on its way. */
#include "cli/proposal.h"

#include "base/fs.h"
#include "base/plural.h"
#include "cli/api.h"
#include "cli/copies.h"
#include "cli/home.h"
#include "cli/output.h"
#include "cli/sign.h"

#include <stdlib.h>
#include <string.h>

enum { PINS_MAX = 4 };

void proposal_done(struct proposal *p)
{
	p->next = root_free(p->next);
	root_diff_done(&p->diff);
}

int proposal_freshen(struct cli *cli, bool offline_ok, struct error *err)
{
	struct api *api = NULL;
	int r = cli_home(cli, err);

	if (r < 0)
		return r;
	r = api_open_roots(&api, cli->home, err);
	api_free(api);
	if (r != CLI_UNREACHED || !offline_ok)
		return r;
	output_note("holdfast: note: %s; root version %llu is taken for the one in force", err->text,
		    (unsigned long long)root_version(cli->home->root));
	return 0;
}

/* ---- reading ---- */

/* What crypto/root.c says when it is published anyway; here it is a mistake that has a way out. */
static int check_place(const struct root *now, const struct root *next, struct error *err)
{
	unsigned long long in_force = root_version(now), version = root_version(next);
	uint8_t prev[HASH_LEN];

	if (strcmp(root_fleet(now), root_fleet(next)) != 0)
		return error_set(err, E_DENIED, "it is a root of fleet '%s', and this is '%s'", root_fleet(next), root_fleet(now));
	if (version <= in_force)
		return error_set(err, CLI_CONFLICT,
				 "it is version %llu, and %llu is in force; make the next one anew with: holdfast root edit", version,
				 in_force);
	if (version != in_force + 1)
		return error_set(err, CLI_CONFLICT, "root version %llu cannot follow version %llu", version, in_force);
	if (!statement_get_hash(prev, root_statement(next), "prev") || memcmp(prev, statement_hash(root_statement(now)), HASH_LEN) != 0)
		return error_set(err, E_SEAL, "it does not name the root in force as the one before it");
	return 0;
}

int proposal_judge(struct proposal *out, struct bytes whole, const struct home *home, struct error *err)
{
	struct proposal p = { .now = home->root };
	struct statement *st;
	size_t used = 0;
	int r = statement_parse(&st, whole, true, &used, err);

	if (r < 0)
		return r;
	r = root_new(&p.next, st, err);
	if (r == 0 && used != whole.len)
		r = error_set(err, E_FORMAT, "%zu %s behind it", whole.len - used, plural(whole.len - used, "byte stands", "bytes stand"));
	if (r == 0)
		r = check_place(p.now, p.next, err);
	if (r == 0)
		r = standing_of(&p.standing, p.now, p.next, err);
	if (r == 0)
		root_diff_of(&p.diff, p.now, p.next);
	if (r < 0)
		proposal_done(&p);
	else
		*out = p;
	return r;
}

int proposal_read(struct proposal *out, const char *const files[], size_t count, const struct home *home, struct error *err)
{
	_cleanup_(buf_done) struct buf whole = { 0 };
	int r = copies_read(&whole, files, count, err);

	if (r < 0)
		return r;
	r = proposal_judge(out, buf_bytes(&whole), home, err);
	return r < 0 ? error_add(err, "'%s'", files[0]) : 0;
}

/* ---- showing ---- */

void proposal_show(const struct proposal *p)
{
	_cleanup_(buf_done) struct buf text = { 0 };

	output_note("Root version %llu, after version %llu of fleet '%s':", (unsigned long long)root_version(p->next),
		    (unsigned long long)root_version(p->now), root_name(p->now));
	for (size_t i = 0; i < p->diff.count; i++)
		output_note("  %s", p->diff.lines[i]);
	for (size_t i = 0; i < p->diff.note_count; i++)
		output_note("note: %s", p->diff.notes[i]);
	standing_text(&text, &p->standing, p->now, p->next);
	output_note("Signatures: %s.", buf_text(&text));
}

static json_t *lines_json(char *const lines[], size_t count)
{
	json_t *list = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(list, json_string(lines[i]));
	return list;
}

int proposal_json(const struct proposal *p, const char *kind, const char *file, struct error *err)
{
	const struct standing *s = &p->standing;
	json_t *who = json_array(), *json;
	char hash[2 * HASH_LEN + 1];

	for (size_t i = 0; i < s->signed_count; i++)
		json_array_append_new(who, json_string(s->who[i]));
	statement_hash_hex(hash, root_statement(p->next));
	json = json_pack("{s:I, s:s, s:o, s:o, s:o, s:i, s:i, s:i, s:i, s:b}", "version", (json_int_t)root_version(p->next), "hash", hash,
			 "changes", lines_json(p->diff.lines, p->diff.count), "notes",
			 lines_json(p->diff.notes, p->diff.note_count), "signed", who, "have-now", (int)s->have_now, "need-now",
			 (int)s->need_now, "have-next", (int)s->have_next, "need-next", (int)s->need_next, "enough",
			 standing_is_enough(s));
	if (file)
		json_object_set_new(json, "file", json_string(file));
	return output_json(kind, json, err);
}

/* ---- signing ---- */

/* Before ssh-keygen asks for a passphrase or a touch. */
static int check_signer(const struct proposal *p, const char *key_path, struct error *err)
{
	struct sign_pub key;
	const char *person;
	int r = sign_public(&key, key_path, err);

	if (r < 0)
		return r;
	person = root_person_of(p->now, &key);
	if (!person || !root_has_role(p->now, person, ROLE_ROOT))
		person = root_person_of(p->next, &key);
	if (!person || (!root_has_role(p->now, person, ROLE_ROOT) && !root_has_role(p->next, person, ROLE_ROOT)))
		return error_set(err, E_DENIED, "your key has role root neither in version %llu nor in version %llu",
				 (unsigned long long)root_version(p->now), (unsigned long long)root_version(p->next));
	for (size_t i = 0; i < statement_sig_count(root_statement(p->next)); i++)
		if (sign_pub_equal(&statement_sig(root_statement(p->next), i)->key, &key))
			return error_set(err, CLI_CONFLICT, "your key has signed it already");
	if (statement_sig_count(root_statement(p->next)) == STATEMENT_SIGS_MAX)
		return error_set(err, E_LIMIT, "it has %d signatures, and no more fit", STATEMENT_SIGS_MAX);
	return 0;
}

int proposal_sign(struct proposal *p, const struct home *home, struct error *err)
{
	_cleanup_(mem_freep) char *key = home_signing_key(home);
	_cleanup_(buf_done) struct buf text = { 0 }, whole = { 0 };
	struct bytes before = statement_whole(root_statement(p->next)), plain = statement_text(root_statement(p->next));
	struct proposal signed_one;
	int r = check_signer(p, key, err);

	if (r < 0)
		return r;
	buf_add_bytes(&text, plain);
	r = sign_statement(&text, key, err);
	if (r < 0)
		return r;
	buf_add_bytes(&whole, before);
	buf_add_bytes(&whole, bytes_from(buf_bytes(&text), plain.len));
	r = proposal_judge(&signed_one, buf_bytes(&whole), home, err);
	if (r < 0)
		return error_add(err, "what '%s' signed does not hold; does its .pub belong to it?", key);
	proposal_done(p);
	*p = signed_one;
	return 0;
}

/* ---- publishing ---- */

/* Who takes this root over believes only its pins and addresses: if none of them leads to the server, it leads everybody away for good. */
static int check_way(const struct root *next, struct error *err)
{
	uint8_t pins[PINS_MAX][32];
	size_t n = root_tls_pins(pins, PINS_MAX, next);
	struct error why = { 0 };
	const char *address;

	for (size_t i = 0; (address = statement_at(root_statement(next), "server", i)); i++) {
		for (size_t k = 0; k < n; k++) {
			_cleanup_(buf_done) struct buf roots = { 0 };
			struct api *api = NULL;
			int r = api_open_bare(&api, address, pins[k], &why);

			if (r == 0)
				r = api_get(&roots, api, "/v1/roots?from=1", API_ROOTS_MAX, &why);
			api_free(api);
			if (r == 0)
				return 0;
		}
	}
	return error_set(
		err, E_DENIED,
		"none of the servers that this root names answers with a key that it pins, so nobody would find the server again: %s",
		why.text);
}

static int post(const struct proposal *p, struct home *home, struct error *err)
{
	const struct statement *st = root_statement(p->next);
	struct statement *copy;
	struct api *api = NULL;
	int r = api_open_roots(&api, home, err);

	if (r == 0)
		r = api_post_object(api, statement_whole(st), err);
	api_free(api);
	if (r < 0)
		return r;
	r = statement_parse(&copy, statement_whole(st), false, &(size_t){ 0 }, err);
	if (r == 0)
		r = home_take_root(home, copy, err);
	return r < 0 ? error_add(err, "it is published, but not remembered here") : 0;
}

int proposal_publish(const struct proposal *p, struct cli *cli, struct error *err)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	int r;

	if (!standing_is_enough(&p->standing)) {
		standing_text(&text, &p->standing, p->now, p->next);
		return error_set(err, E_DENIED, "signatures are missing: %s. They sign with: holdfast root sign FILE", buf_text(&text));
	}
	r = root_succeeds(p->now, p->next, err);
	if (r == 0)
		r = check_way(p->next, err);
	return r < 0 ? r : post(p, cli->home, err);
}
