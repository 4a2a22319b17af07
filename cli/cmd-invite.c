/* cli/cmd-invite.c -- `holdfast invite`: one string that lets one device join. */
#include "cli/api.h"
#include "cli/commands.h"
#include "cli/enrolment.h"
#include "cli/output.h"
#include "cli/sign.h"
#include "cli/tickets.h"

#include "base/clock.h"
#include "base/fs.h"
#include "crypto/seal.h"

#include <stdlib.h>
#include <string.h>

enum { EXPIRES_DEFAULT_S = 2 * 86400, EXPIRES_MAX_S = 366 * 86400, LABELS_MAX = 16 };

struct invite {
	const char *name;
	int64_t now_s, expires_s;
	char id[ID_LEN + 1];
	struct secret secret;
	struct buf container, text; /* text: the string */
};

static void invite_done(struct invite *invite)
{
	secret_done(&invite->secret);
	buf_done(&invite->container);
	buf_done(&invite->text);
}

static int take_arguments(struct invite *invite, const struct args *args, struct error *err)
{
	const char *expires = args_get(args, "expires"), *label;
	int64_t life_s = EXPIRES_DEFAULT_S;
	size_t i;

	invite->name = args_get(args, "name");
	if (!invite->name)
		return error_set(err, CLI_USAGE, "'invite' needs --name: what the device will be called");
	if (args_check_name("name", invite->name, err) < 0)
		return err->code;
	for (i = 0; (label = args_at(args, "label", i)); i++)
		if (args_check_label(label, err) < 0)
			return err->code;
	if (i > LABELS_MAX)
		return error_set(err, CLI_USAGE, "a device has at most %d labels", LABELS_MAX);
	if (expires && args_duration(&life_s, expires, err) < 0)
		return err->code;
	if (life_s > EXPIRES_MAX_S)
		return error_set(err, CLI_USAGE, "'--expires %s' is over a year", expires);
	invite->now_s = clock_now_s();
	invite->expires_s = invite->now_s + life_s;
	return 0;
}

static int make_secret(struct invite *invite, struct buf *seal, const struct root *root, struct error *err)
{
	struct age_recipient admins[AGE_RECIPIENTS_MAX];
	size_t n = root_recipients(admins, NULL, root, ROLE_ADMIN, ROLE_ADMIN);
	_cleanup_(buf_done) struct buf line = { 0 };
	uint8_t hash[HASH_LEN];

	if (!n)
		return error_set(err, E_DENIED, "nobody of role admin has a reading key, so nobody could admit a device");
	secret_random(&invite->secret, INVITE_SECRET_LEN);
	sha256(hash, secret_bytes(&invite->secret));
	id_of_hash(invite->id, hash);
	base64_encode(&line, secret_bytes(&invite->secret));
	buf_add_char(&line, '\n');
	return seal_secret(seal, admins, n, buf_bytes(&line), err);
}

static int make_container(struct invite *invite, const struct home *home, const struct args *args, struct error *err)
{
	_cleanup_(mem_freep) char *key = home_signing_key(home);
	_cleanup_(buf_done) struct buf seal = { 0 };
	struct buf *out = &invite->container;
	const char *label;
	int r = make_secret(invite, &seal, home->root, err);

	if (r < 0)
		return r;
	statement_begin(out, STATEMENT_INVITE);
	statement_add(out, "fleet", "%s", home->fleet);
	statement_add(out, "invite", "%s", invite->id);
	statement_add(out, "device-name", "%s", invite->name);
	for (size_t i = 0; (label = args_at(args, "label", i)); i++)
		statement_add(out, "label", "%s", label);
	statement_add_time(out, "time", invite->now_s);
	statement_add_time(out, "expires", invite->expires_s);
	statement_add(out, "root", "%llu", (unsigned long long)root_version(home->root));
	statement_add_seal(out, "secret", 1, buf_bytes(&seal));
	r = sign_statement(out, key, err);
	if (r == 0)
		buf_add_bytes(out, buf_bytes(&seal));
	return r;
}

static int make_text(struct invite *invite, const struct home *home, struct error *err)
{
	const char *address = statement_get(root_statement(home->root), "server");
	uint8_t pin[1][32];

	if (!root_tls_pins(pin, 1, home->root))
		return error_set(err, E_FORMAT, "the root pins no TLS key");
	invite_text(&invite->text, home->fleet, pin[0], secret_bytes(&invite->secret), address);
	return 0;
}

static int give_json(const struct invite *invite, const struct args *args, struct error *err)
{
	const char *file = args_get(args, "output"), *label;
	char expires[CLOCK_TEXT_LEN];
	json_t *labels = json_array();

	for (size_t i = 0; (label = args_at(args, "label", i)); i++)
		json_array_append_new(labels, json_string(label));
	clock_text(expires, invite->expires_s);
	return output_json("invite",
			   json_pack("{s:s, s:s, s:o, s:s, s:s}", "invite", invite->id, "name", invite->name, "labels", labels, "expires",
				     expires, file ? "file" : "string", file ? file : buf_text(&invite->text)),
			   err);
}

static int give(struct invite *invite, const struct args *args, bool json, struct error *err)
{
	const char *file = args_get(args, "output");
	char expires[CLOCK_TEXT_LEN];
	int r = 0;

	clock_text(expires, invite->expires_s);
	if (file)
		r = fs_write(file, buf_bytes(&invite->text), 0600, err);
	if (r < 0)
		return error_add(err, "invite '%s' is posted, but its string is lost; make another one", invite->id);
	if (json) {
		buf_truncate(&invite->text, invite->text.len - 1); /* the line's end is none of the string */
		r = give_json(invite, args, err);
	} else if (!file) {
		r = output_raw(buf_bytes(&invite->text), err);
	}
	if (r < 0)
		return r;
	output_note("Invite for '%s', good for one device until %s. It is a secret: carry it in a file or a pipe.", invite->name, expires);
	output_note("Next, on the device:  holdfast-agent join FILE");
	output_note("Then here:            holdfast device admit %s", invite->name);
	return 0;
}

int cmd_invite(struct cli *cli, const struct args *args, struct error *err)
{
	_cleanup_(invite_done) struct invite invite = { 0 };
	int r = take_arguments(&invite, args, err);

	if (r == 0)
		r = cli_api(cli, err);
	if (r == 0)
		r = make_container(&invite, cli->home, args, err);
	if (r == 0)
		r = make_text(&invite, cli->home, err);
	if (r == 0)
		r = api_post_object(cli->api, buf_bytes(&invite.container), err);
	return r < 0 ? r : give(&invite, args, cli->json, err);
}
