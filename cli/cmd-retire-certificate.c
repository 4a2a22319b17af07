/* cli/cmd-retire-certificate.c -- holdfast retire certificate, sign, publish: from what was seen to a certificate that people signed. */
#include "cli/commands.h"

#include "base/clock.h"
#include "base/fs.h"
#include "base/plural.h"
#include "cli/api.h"
#include "cli/bundle-make.h"
#include "cli/certificate.h"
#include "cli/copies.h"
#include "cli/home.h"
#include "cli/passphrase.h"
#include "cli/retired.h"
#include "cli/sign.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

enum { SETTLE_TRIES = 20, SETTLE_WAIT_MS = 300 };

/* A device, and what its certificate is made of. */
struct subject {
	struct ceremony c;
	struct retirement_facts facts;
	struct statement *snapshot;
	struct certificate_source source;
};

static void subject_done(struct subject *s)
{
	statement_free(s->snapshot);
	ceremony_done(&s->c);
}

static int subject_begin(struct subject *s, struct cli *cli, const char *device, struct error *err)
{
	const struct open_device *d;
	int r = ceremony_begin(&s->c, cli, device, err);

	if (r == 0)
		r = bundle_snapshot(&s->snapshot, &s->c, err);
	if (r == 0)
		r = fleet_identify(&d, s->c.opener, s->c.member, err);
	if (r < 0)
		return r;
	dossier_facts(&s->facts, &s->c.dossier, &s->c.source);
	s->source = (struct certificate_source){ &s->facts, &s->c.dossier.now, d->enrol, d->admit, s->snapshot };
	return 0;
}

/* ---- drafting ---- */

/* What was just archived gets its place in the log within a second or so. */
static int wait_for_place(const struct open_source *source, const struct statement *st, struct statement **head, struct error *err)
{
	int r = CLI_ABSENT;

	for (int i = 0; i < SETTLE_TRIES && r == CLI_ABSENT; i++) {
		_cleanup_(buf_done) struct buf text = { 0 };
		struct merkle_place place;

		if (i)
			poll(NULL, 0, SETTLE_WAIT_MS);
		*head = statement_free(*head);
		r = source->get(source->ctx, &text, "/v1/checkpoint", STATEMENT_MAX, err);
		if (r == 0)
			r = statement_parse(head, buf_bytes(&text), false, NULL, err);
		if (r == 0)
			r = bundle_place(&place, source, st, statement_number(*head, "size"), err);
	}
	return r;
}

/* A head that is signed as the root in force says, and whose log holds all that will be named. */
static int find_head(struct statement **head, const struct subject *s, struct error *err)
{
	const struct retirement *r = &s->c.dossier.now;
	const struct root *root = s->facts.roots[s->facts.root_count - 1];
	int code = wait_for_place(&s->c.source, r->shredded, head, err);

	for (size_t i = 0; i < s->facts.shredded_count && code == 0; i++)
		code = wait_for_place(&s->c.source, s->facts.shredded[i], head, err);
	if (code == 0 && r->is_wiped)
		code = wait_for_place(&s->c.source, r->erase.receipt, head, err);
	return code == 0 ? root_verify(root, *head, err) : code;
}

static void take_words(struct certificate_words *words, const struct args *args)
{
	*words = (struct certificate_words){ args_get(args, "manufacturer"), args_get(args, "asset"), args_get(args, "place"),
					     args_get(args, "destination"), { NULL } };
	for (size_t i = 0; i < ARRAY_SIZE(words->limits); i++)
		words->limits[i] = args_at(args, "limit", i);
}

static int draft(struct statement **out, const struct subject *s, const struct args *args, struct error *err)
{
	_cleanup_(statement_freep) struct statement *head = NULL;
	_cleanup_(buf_done) struct buf text = { 0 };
	struct certificate_words words;
	int r = 0;

	take_words(&words, args);
	if (s->c.dossier.now.shredded)
		r = find_head(&head, s, err);
	if (r == 0)
		r = certificate_draft(&text, &s->source, &words, head, clock_now_s(), err);
	return r == 0 ? statement_parse(out, buf_bytes(&text), true, NULL, err) : r;
}

static int show_draft(const struct subject *s, const struct statement *st, const struct args *args, struct error *err)
{
	struct certificate_view view = { st, s->facts.roots[s->facts.root_count - 1], NULL, NULL };
	const char *file = args_get(args, "output");
	int r = file ? fs_write(file, statement_text(st), 0644, err) : 0;

	if (r == 0)
		r = retired_show(&view, s->c.cli, args, "retire-draft", err);
	if (r < 0)
		return r;
	if (!file) {
		output_note("This is a draft. Write it to a file with -o FILE; people with the role 'retirer' sign it there.");
		return EXIT_FINDING;
	}
	output_note("A draft; %u %s it with:  holdfast retire sign %s", root_threshold(view.root, "shred"),
		    plural(root_threshold(view.root, "shred"), "person signs", "people sign"), file);
	output_note("Then one of them:           holdfast retire publish %s", file);
	return EXIT_DONE;
}

/* ---- what is certified already ---- */

static int show_certified(const struct subject *s, const struct args *args, struct error *err)
{
	_cleanup_(bundle_done) struct bundle b = { 0 };
	_cleanup_(buf_done) struct buf text = { 0 };
	struct bundle_trust trust = { s->c.source.fleet, s->c.source.roots, s->c.source.root_count };
	const char *file = args_get(args, "output");
	int r = bundle_make(&b, &s->c, err);

	if (r < 0)
		return r;
	bundle_text(&text, &b);
	r = retired_verify(buf_bytes(&text), &trust, s->c.cli, args, "retire-certificate", err);
	if (r >= 0 && file)
		r = fs_write(file, buf_bytes(&text), 0644, err) < 0 ? err->code : r;
	if (r >= 0 && file)
		output_note("'%s' proves it. Keep it, and the fleet's id %s:  holdfast retire verify %s --fleet %s", file, b.fleet, file,
			    b.fleet);
	return r;
}

int cmd_retire_certificate(struct cli *cli, const struct args *args, struct error *err)
{
	_cleanup_(subject_done) struct subject s = { 0 };
	_cleanup_(statement_freep) struct statement *st = NULL;
	int r = retired_check_args(args, cli, err);

	if (r == 0)
		r = subject_begin(&s, cli, args->value[0], err);
	if (r < 0)
		return r;
	if (s.c.dossier.now.certificate)
		return show_certified(&s, args, err);
	r = draft(&st, &s, args, err);
	return r < 0 ? r : show_draft(&s, st, args, err);
}

/* ---- signing ---- */

static int read_draft(struct statement **out, struct buf *whole, const char *const files[], size_t count, struct error *err)
{
	size_t used = 0;
	int r = copies_read(whole, files, count, err);

	if (r == 0)
		r = statement_parse(out, buf_bytes(whole), true, &used, err);
	if (r == 0 && (statement_type(*out) != STATEMENT_CERTIFICATE || used != whole->len))
		r = error_set(err, E_FORMAT, "it is no certificate; drafts come from: holdfast retire certificate DEVICE -o FILE");
	return r < 0 ? error_add(err, "'%s'", files[0]) : 0;
}

/* The log that it names has to be the beginning of ours, and to hold what it is about. */
static int check_log(const struct subject *s, const struct statement *st, struct error *err)
{
	const struct retirement *r = &s->c.dossier.now;
	struct merkle_place place;
	uint8_t tree[HASH_LEN];
	uint64_t size;
	int code;

	statement_get_point(&size, tree, st, "log");
	code = bundle_place(&place, &s->c.source, r->shredded, size, err);
	if (code == 0 && memcmp(place.tree.b, tree, HASH_LEN) != 0)
		code = error_set(err, E_SEAL, "the log that it names is not the server's");
	if (code == 0 && r->is_wiped)
		code = bundle_place(&place, &s->c.source, r->erase.receipt, size, err);
	if (code == CLI_ABSENT)
		return error_set(err, E_SEAL, "the log that it names does not hold what it certifies");
	return code;
}

/* Every signer drafts it again from what the server proves, and compares. */
static int judge_draft(const struct subject *s, const struct statement *st, struct error *err)
{
	const struct home *home = s->c.cli->home;
	int r = 0;

	if (s->c.dossier.now.certificate)
		return error_set(err, CLI_CONFLICT, "'%s' is certified already", s->c.member->name);
	if (statement_number(st, "root") != root_version(home->root))
		return error_set(err, CLI_CONFLICT, "it was drafted under root %s, and root %llu is in force; draft it again",
				 statement_get(st, "root"), (unsigned long long)root_version(home->root));
	r = certificate_check(st, &s->source, err);
	for (size_t i = 0; r == 0 && i < s->facts.shredded_count; i++)
		if (!certificate_names_shredded(st, s->facts.shredded[i]))
			r = error_set(err, E_DENIED, "the certificate leaves out what '%s' said about shredding; draft it again",
				      statement_get(s->facts.shredded[i], "by"));
	return r == 0 ? check_log(s, st, err) : error_add(err, "it is not signed, because it does not hold");
}

static int check_signer(const struct home *home, const struct statement *st, const char *key_path, struct error *err)
{
	struct sign_pub key;
	int r = sign_public(&key, key_path, err);

	if (r == 0 && !root_has_role(home->root, home->person, ROLE_RETIRER))
		return error_set(err, E_DENIED, "'%s' does not have the role 'retirer', which a certificate takes", home->person);
	for (size_t i = 0; r == 0 && i < statement_sig_count(st); i++)
		if (sign_pub_equal(&statement_sig(st, i)->key, &key))
			return error_set(err, CLI_CONFLICT, "your key has signed it already");
	return r;
}

/* Who of the root in force has signed; E_SEAL when a signature does not hold. */
static int count_signers(unsigned *out, const struct root *root, const struct statement *st, struct error *err)
{
	const char *seen[STATEMENT_SIGS_MAX];

	*out = 0;
	for (size_t i = 0; i < statement_sig_count(st); i++) {
		const char *person = root_person_of(root, &statement_sig(st, i)->key);
		bool is_new = person && root_has_role(root, person, ROLE_RETIRER);

		if (!is_new || sshsig_verify(statement_sig(st, i), statement_namespace(STATEMENT_CERTIFICATE), statement_text(st), err) < 0)
			return error_set(err, E_SEAL, "it has a signature that does not hold, or by somebody without the role 'retirer'");
		for (unsigned k = 0; k < *out; k++)
			is_new = is_new && strcmp(seen[k], person) != 0;
		if (is_new)
			seen[(*out)++] = person;
	}
	return 0;
}

static int add_signature(struct buf *whole, struct statement **st, const char *key, struct error *err)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	int r;

	buf_add_bytes(&text, statement_text(*st));
	r = sign_statement(&text, key, err);
	if (r < 0)
		return r;
	buf_add_bytes(whole, bytes_from(buf_bytes(&text), statement_text(*st).len));
	*st = statement_free(*st);
	return statement_parse(st, buf_bytes(whole), false, NULL, err);
}

static int tell_signed(struct cli *cli, const char *file, const struct statement *st, struct error *err)
{
	unsigned have, need = root_threshold(cli->home->root, "shred");
	int r = count_signers(&have, cli->home->root, st, err);

	if (r < 0)
		return r;
	if (cli->json)
		return output_json("retire-sign", json_pack("{s:s, s:i, s:i}", "file", file, "have", (int)have, "need", (int)need), err);
	if (have >= need)
		output_note("Signed, and enough people have. Next:  holdfast retire publish %s", file);
	else
		output_note("Signed: %u of %u %s. Hand '%s' on.", have, need, plural(need, "person", "people"), file);
	return EXIT_DONE;
}

int cmd_retire_sign(struct cli *cli, const struct args *args, struct error *err)
{
	_cleanup_(subject_done) struct subject s = { 0 };
	_cleanup_(statement_freep) struct statement *st = NULL;
	_cleanup_(buf_done) struct buf whole = { 0 }, text = { 0 };
	_cleanup_(mem_freep) char *key = NULL;
	const char *file = args->value[0];
	int r = read_draft(&st, &whole, args->value, 1, err);

	if (r == 0)
		r = subject_begin(&s, cli, statement_get(st, "device"), err);
	if (r < 0)
		return r;
	key = home_signing_key(cli->home);
	r = judge_draft(&s, st, err);
	if (r == 0)
		r = check_signer(cli->home, st, key, err);
	if (r < 0)
		return r;
	certificate_text(&text, &(struct certificate_view){ st, cli->home->root, NULL, NULL }, true);
	fputs(buf_text(&text), stderr);
	r = args_has(args, "yes") ? 0 : passphrase_confirm("Sign this certificate?", err);
	if (r == 0)
		r = add_signature(&whole, &st, key, err);
	if (r == 0)
		r = fs_replace(file, buf_bytes(&whole), 0644, err);
	return r < 0 ? r : tell_signed(cli, file, st, err);
}

/* ---- publishing ---- */

int cmd_retire_publish(struct cli *cli, const struct args *args, struct error *err)
{
	_cleanup_(subject_done) struct subject s = { 0 };
	_cleanup_(statement_freep) struct statement *st = NULL;
	_cleanup_(buf_done) struct buf whole = { 0 };
	unsigned have = 0, need;
	int r = read_draft(&st, &whole, args->value, args->count, err);

	if (r == 0)
		r = subject_begin(&s, cli, statement_get(st, "device"), err);
	if (r == 0)
		r = judge_draft(&s, st, err);
	if (r == 0)
		r = count_signers(&have, cli->home->root, st, err);
	if (r < 0)
		return r;
	need = root_threshold(cli->home->root, "shred");
	if (have < need)
		return error_set(err, E_DENIED, "signatures are missing: %u of %u %s. They sign with: holdfast retire sign %s", have, need,
				 plural(need, "person", "people"), args->value[0]);
	r = api_post_object(cli->api, statement_whole(st), err);
	if (r < 0)
		return r;
	if (cli->json)
		return output_json("retire-publish", json_pack("{s:s, s:s}", "device", s.c.member->id, "result", r ? "seen" : "stored"),
				   err);
	output_note("'%s' is certified. The proof for your files:  holdfast retire certificate %s -o FILE", s.c.member->name,
		    s.c.member->name);
	return EXIT_DONE;
}
