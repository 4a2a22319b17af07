/* cli/cmd-root-edit.c -- `holdfast root edit`: writes the next root, which nobody has signed yet, and says what it changes. */
#include "cli/commands.h"
#include "cli/draft.h"
#include "cli/home.h"
#include "cli/output.h"
#include "cli/passphrase.h"
#include "cli/people.h"
#include "cli/proposal.h"
#include "cli/sign.h"

#include "base/clock.h"
#include "base/fs.h"
#include "base/plural.h"

#include <stdlib.h>
#include <string.h>

enum { LIFE_DEFAULT_S = 365 * 86400, LIFE_MAX_S = 10 * 366 * 86400 };

struct editing {
	struct draft *draft;
	char person[64]; /* whom a --role is for: that of the --add-person before it */
};

/* ---- NAME=VALUE ---- */

struct pair {
	char name[64];
	const char *value;
};

static int split(struct pair *out, const char *option, const char *text, struct error *err)
{
	const char *equals = strchr(text, '=');
	size_t len = equals ? (size_t)(equals - text) : 0;

	if (!len || len >= sizeof(out->name) || !equals[1])
		return error_set(err, CLI_USAGE, "'--%s %.80s' is not of the form its help shows, with a '=' in it", option, text);
	memcpy(out->name, text, len);
	out->name[len] = 0;
	out->value = equals + 1;
	return 0;
}

/* ---- one option each ---- */

static int add_person(struct editing *e, const char *value, struct error *err)
{
	struct request request;
	char print[ID_LEN + 1];
	int r = request_read(&request, value, err);

	if (r == 0)
		r = draft_add_person(e->draft, &request, err);
	if (r < 0)
		return r;
	request_print(print, &request);
	output_note("Read this to %s, who must see the same:  %s", request.person, print);
	memcpy(e->person, request.person, sizeof(e->person));
	return 0;
}

static int role(struct editing *e, const char *value, struct error *err)
{
	if (!e->person[0])
		return error_set(err, CLI_USAGE, "'--role %.40s' is for the --add-person before it; for others say --grant NAME=ROLE",
				 value);
	return draft_grant(e->draft, e->person, value, err);
}

static int remove_person(struct editing *e, const char *value, struct error *err)
{
	return draft_remove_person(e->draft, value, err);
}

static int grant(struct editing *e, const char *value, struct error *err)
{
	struct pair pair;
	int r = split(&pair, "grant", value, err);

	return r < 0 ? r : draft_grant(e->draft, pair.name, pair.value, err);
}

static int revoke(struct editing *e, const char *value, struct error *err)
{
	struct pair pair;
	int r = split(&pair, "revoke", value, err);

	return r < 0 ? r : draft_revoke(e->draft, pair.name, pair.value, err);
}

static int add_key(struct editing *e, const char *value, struct error *err)
{
	struct sign_pub key;
	struct pair pair;
	int r = split(&pair, "add-key", value, err);

	if (r == 0)
		r = sign_public(&key, pair.value, err);
	return r < 0 ? r : draft_add_key(e->draft, pair.name, &key, err);
}

static int remove_key(struct editing *e, const char *value, struct error *err)
{
	struct pair pair;
	int r = split(&pair, "remove-key", value, err);

	return r < 0 ? r : draft_remove_key(e->draft, pair.name, pair.value, err);
}

static int add_reading_key(struct editing *e, const char *value, struct error *err)
{
	struct pair pair;
	int r = split(&pair, "add-reading-key", value, err);

	return r < 0 ? r : draft_add_reading_key(e->draft, pair.name, pair.value, err);
}

static int remove_reading_key(struct editing *e, const char *value, struct error *err)
{
	struct pair pair;
	int r = split(&pair, "remove-reading-key", value, err);

	return r < 0 ? r : draft_remove_reading_key(e->draft, pair.name, pair.value, err);
}

static int threshold(struct editing *e, const char *value, struct error *err)
{
	struct pair pair;
	int r = split(&pair, "threshold", value, err);

	return r < 0 ? r : draft_threshold(e->draft, pair.name, pair.value, err);
}

static int separate(struct editing *e, const char *value, struct error *err)
{
	return draft_separate(e->draft, value, true, err);
}

static int no_separate(struct editing *e, const char *value, struct error *err)
{
	return draft_separate(e->draft, value, false, err);
}

static int delay(struct editing *e, const char *value, struct error *err)
{
	struct pair pair;
	int r = split(&pair, "delay", value, err);

	return r < 0 ? r : draft_delay(e->draft, pair.name, pair.value, err);
}

static int pin(struct editing *e, const char *value, struct error *err)
{
	return draft_pin(e->draft, value, true, err);
}

static int no_pin(struct editing *e, const char *value, struct error *err)
{
	return draft_pin(e->draft, value, false, err);
}

static int metadata(struct editing *e, const char *value, struct error *err)
{
	return draft_metadata(e->draft, value, err);
}

static int archive_key(struct editing *e, const char *value, struct error *err)
{
	char text[SIGN_PUB_TEXT_MAX];
	struct sign_pub key;
	int r = sign_public(&key, value, err);

	if (r < 0)
		return r;
	sign_pub_text(text, &key);
	draft_list(e->draft, "archive", text);
	return 0;
}

static int witness(struct editing *e, const char *value, struct error *err)
{
	_cleanup_(mem_freep) char *line = NULL;
	char text[SIGN_PUB_TEXT_MAX];
	struct sign_pub key;
	struct pair pair;
	int r = split(&pair, "witness", value, err);

	if (r == 0)
		r = sign_public(&key, pair.value, err);
	if (r < 0)
		return r;
	sign_pub_text(text, &key);
	line = mem_printf("%s %s", pair.name, text);
	draft_list(e->draft, "witness", line);
	return 0;
}

static int tls_pin(struct editing *e, const char *value, struct error *err _unused_)
{
	draft_list(e->draft, "tls-pin", value);
	return 0;
}

static int server(struct editing *e, const char *value, struct error *err _unused_)
{
	draft_list(e->draft, "server", value);
	return 0;
}

static const struct {
	const char *option;
	int (*apply)(struct editing *e, const char *value, struct error *err);
} edits[] = {
	{ "add-person", add_person },
	{ "role", role },
	{ "remove-person", remove_person },
	{ "grant", grant },
	{ "revoke", revoke },
	{ "add-key", add_key },
	{ "remove-key", remove_key },
	{ "add-reading-key", add_reading_key },
	{ "remove-reading-key", remove_reading_key },
	{ "threshold", threshold },
	{ "separate", separate },
	{ "no-separate", no_separate },
	{ "delay", delay },
	{ "pin", pin },
	{ "no-pin", no_pin },
	{ "metadata", metadata },
	{ "archive-key", archive_key },
	{ "witness", witness },
	{ "tls-pin", tls_pin },
	{ "server", server },
};

/* ---- the whole ---- */

/* In the order of the command line. */
static int apply(struct editing *e, const struct args *args, struct error *err)
{
	size_t done = args_has(args, "expires");

	for (size_t i = 0; i < args->option_count; i++) {
		for (size_t k = 0; k < ARRAY_SIZE(edits); k++) {
			if (strcmp(args->option[i].def->name, edits[k].option) != 0)
				continue;
			if (edits[k].apply(e, args->option[i].value, err) < 0)
				return err->code;
			done++;
		}
	}
	return done ? 0 : error_set(err, CLI_USAGE, "say what shall change; see: holdfast help root edit");
}

static int write_text(struct buf *out, const struct home *home, const struct args *args, struct error *err)
{
	struct editing e = { .draft = draft_new(home->root) };
	const char *expires = args_get(args, "expires");
	int64_t life_s = LIFE_DEFAULT_S, now_s = clock_now_s();
	int r = expires ? args_duration(&life_s, expires, err) : 0;

	if (r == 0 && life_s > LIFE_MAX_S)
		r = error_set(err, CLI_USAGE, "'--expires %s' is over ten years", expires);
	if (r == 0)
		r = apply(&e, args, err);
	if (r == 0)
		r = draft_text(out, e.draft, now_s, now_s + life_s, err);
	draft_free(e.draft);
	return r;
}

static int give(const struct proposal *p, const struct cli *cli, const char *file, struct error *err)
{
	struct bytes text = statement_whole(root_statement(p->next));
	int r = file ? fs_write(file, text, 0644, err) : 0;

	if (r < 0)
		return r;
	if (cli->json)
		return proposal_json(p, "root-edit", file, err);
	if (!file)
		return output_raw(text, err);
	output_note("Nobody has signed it yet. Next, each of them:  holdfast root sign %s", file);
	output_note("Then one of them:                              holdfast root publish %s", file);
	return 0;
}

/* The root of one person: nothing has to be carried to anybody. */
static int sign_and_publish(struct proposal *p, struct cli *cli, const struct args *args, struct error *err)
{
	const char *file = args_get(args, "output");
	int r;

	if (p->standing.need_now > 1 || p->standing.need_next > 1)
		return error_set(err, E_DENIED,
				 "it takes %u %s of the root in force and %u of the next one, so --publish alone cannot do it: write it "
				 "with -o FILE, and let them sign it with: holdfast root sign FILE",
				 p->standing.need_now, plural(p->standing.need_now, "person", "people"), p->standing.need_next);
	r = args_has(args, "yes") ? 0 : passphrase_confirm("Sign and publish this root?", err);
	if (r == 0)
		r = proposal_sign(p, cli->home, err);
	if (r == 0 && file)
		r = fs_write(file, statement_whole(root_statement(p->next)), 0644, err);
	if (r == 0)
		r = proposal_publish(p, cli, err);
	return r < 0 ? r : people_tell(p, cli, file, err);
}

int cmd_root_edit(struct cli *cli, const struct args *args, struct error *err)
{
	_cleanup_(proposal_done) struct proposal p = { 0 };
	_cleanup_(buf_done) struct buf text = { 0 };
	bool publish = args_has(args, "publish");
	int r = proposal_freshen(cli, !publish, err);

	if (r == 0)
		r = write_text(&text, cli->home, args, err);
	if (r == 0)
		r = proposal_judge(&p, buf_bytes(&text), cli->home, err);
	if (r < 0)
		return r;
	proposal_show(&p);
	return publish ? sign_and_publish(&p, cli, args, err) : give(&p, cli, args_get(args, "output"), err);
}
