/* cli/ceremony-order.c -- what people look at before they sign an order that retires a device. */
#include "cli/ceremony.h"

#include "base/clock.h"
#include "base/plural.h"
#include "cli/home.h"
#include "cli/show.h"

#include <ctype.h>
#include <string.h>

enum { CODE_MIN = 8 };

/* ---- before anything is signed ---- */

static const struct {
	const char *driver; /* NULL: any */
	enum order_kind kind;
	struct ceremony_erasing words;
} erasings[] = {
	{ "weos",
	  ORDER_FACTORY_RESET,
	  { "configurations, users, keys and certificates, by the device's own factory-reset",
	    "the firmware; old copies in flash blocks that the device does not write again", "clear", false } },
	{ "weos",
	  ORDER_PURGE,
	  { "the boot loader's and the system's configuration partitions, by the boot loader's menu over the console",
	    "the firmware; whether each flash block was really erased, nobody can see", "vendor-purge, which counts as clear", true } },
	{ "frr",
	  ORDER_FACTORY_RESET,
	  { "running and startup configuration become the factory configuration; saved copies beside it are overwritten and removed",
	    "the machine's own system, its logs and other programs; blocks that its file system moved", "clear", false } },
	{ "files",
	  ORDER_FACTORY_RESET,
	  { "each part that has a factory file becomes that; saved copies are overwritten and removed",
	    "parts without a factory file, the machine's own system and its logs; blocks that its file system moved", "clear", true } },
	{ NULL,
	  ORDER_PURGE,
	  { "the media that the agent's settings name ('media'), each as a whole",
	    "the medium on which the agent itself lives", "purge where the medium's own erasure is seen to work, else less", true } },
	{ NULL, ORDER_FACTORY_RESET, { "what its driver can reset", "what the last receipt names", "what the last receipt says", true } },
};

struct ceremony_erasing ceremony_erasing(const char *driver, enum order_kind kind)
{
	for (size_t i = 0; i < ARRAY_SIZE(erasings); i++)
		if (erasings[i].kind == kind && (!erasings[i].driver || !strcmp(erasings[i].driver, driver)))
			return erasings[i].words;
	return (struct ceremony_erasing){ "nothing of the device", "all of it", "none", false };
}

static unsigned retirers(const struct root *root)
{
	unsigned n = 0;

	for (size_t i = 0; i < root_people(root); i++)
		n += root_has_role(root, root_person(root, i), ROLE_RETIRER);
	return n;
}

int ceremony_check_people(const struct root *root, const char *kind, struct error *err)
{
	unsigned have = retirers(root), need = root_threshold(root, kind) + (root_separates(root, kind) ? 1 : 0);

	if (have >= need)
		return 0;
	return error_set(err, E_DENIED,
			 "a batch of kind '%s' takes %u %s of role 'retirer'%s, and the root has %u: %u more %s needed first "
			 "(holdfast root edit --grant PERSON=retirer)",
			 kind, need, plural(need, "person", "people"), root_separates(root, kind) ? ", its author not counted" : "", have,
			 need - have, plural(need - have, "is", "are"));
}

void ceremony_people(struct buf *out, const struct root *root, const char *kind)
{
	size_t n = 0;

	buf_addf(out, "%u of ", root_threshold(root, kind));
	for (size_t i = 0; i < root_people(root); i++)
		if (root_has_role(root, root_person(root, i), ROLE_RETIRER))
			buf_addf(out, "%s%s", n++ ? ", " : "", root_person(root, i));
	buf_add_str(out, n ? root_separates(root, kind) ? " (the author is not counted)" : " (the author is counted)" : "nobody");
	if (root_asks_pin(root, kind))
		buf_add_str(out, ", each with a token that asks for its PIN");
}

/* ---- what approvers look at ---- */

void ceremony_code(char out[static CEREMONY_CODE_LEN], const char *id)
{
	size_t n = 0;

	for (size_t i = 0; i < ID_LEN; i++) {
		if (i && i % 4 == 0)
			out[n++] = '-';
		out[n++] = (char)toupper((unsigned char)id[i]);
	}
	out[n] = 0;
}

int ceremony_compare(const char *said, const char *id, struct error *err)
{
	size_t n = 0;

	for (const char *c = said; *c; c++) {
		if (*c == '-' || *c == ' ')
			continue;
		if (n == ID_LEN || tolower((unsigned char)*c) != id[n])
			return error_set(err, E_SEAL,
					 "'%.60s' are not the characters of what is here: somebody sees something else than you do", said);
		n++;
	}
	return n >= CODE_MIN ? 0 :
			       error_set(err, CLI_USAGE, "'%.60s' are too few characters to compare; write at least %d", said, CODE_MIN);
}

static bool is_current(const struct statement *order, const char *challenge)
{
	const char *named = statement_get(order, "challenge");

	return named && !strcmp(named, challenge);
}

static void tell_erase(const struct cli *cli, const struct fleet_member *m, const struct statement *batch, const struct statement *order,
		       const char *challenge, enum order_kind kind)
{
	struct ceremony_erasing words = ceremony_erasing(m->driver, kind);
	unsigned delay = root_delay(cli->home->root, order_kind_name(kind));
	char age[24];

	clock_age_text(age, clock_now_s() - statement_time(batch, "time"));
	output_note("Erases     '%s' (%s%s%s%s%s): %s", m->name, m->driver, *m->model ? ", " : "", m->model, *m->serial ? ", serial " : "",
		    m->serial, words.erases);
	output_note("Keeps      %s", words.keeps);
	output_note("Claims     at most: %s; the device's last receipt says what was seen", words.claim);
	if (words.is_for_some)
		output_note("Note       not every device of this kind can do it: one that cannot refuses, and nothing is erased");
	output_note("Delay      %u s after the device took it, in which one person of role 'retirer' can stop it", delay);
	output_note("Undo       not at all once it erases: no backup of its keys exists");
	if (is_current(order, challenge))
		output_note("Challenge  the one that the device says now; named %s ago, good for at most 7 days", age);
	else
		output_note("Challenge  NOT the one that the device says now%s: it will refuse", *challenge ? "" : " (it says none)");
}

static void tell_shred(const struct fleet_member *m, const struct statement *batch, const struct statement *order)
{
	const char *after = statement_get(order, "after");

	output_note("Shreds     the keys of all that the archive has of '%s', from %s on; nobody opens any of it again", m->name,
		    statement_get(batch, "not-before"));
	if (after)
		output_note("After      the erasure %.16s..., if the device says that it is done; otherwise nothing is shredded", after);
	else
		output_note("Lost       the device is GIVEN UP: its key is revoked as soon as enough people agree, its side stays not "
			    "confirmed");
	output_note("Undo       until then it can be stopped (holdfast retire cancel); what is shredded never comes back");
}

void ceremony_tell_order(const struct cli *cli, const struct fleet_member *member, const struct statement *batch,
			 const struct statement *order, const char *challenge)
{
	char id[ID_LEN + 1], code[CEREMONY_CODE_LEN];
	enum order_kind kind = ORDER_SHRED;

	order_kind_parse(&kind, statement_get(batch, "kind"));
	if (order_kind_erases(kind))
		tell_erase(cli, member, batch, order, challenge, kind);
	else
		tell_shred(member, batch, order);
	batch_id(id, batch);
	ceremony_code(code, id);
	output_note("Compare    %s", code);
}

void ceremony_put_order(json_t *json, const struct cli *cli, const struct fleet_member *member, const struct statement *batch,
			const struct statement *order, const char *challenge)
{
	char id[ID_LEN + 1], code[CEREMONY_CODE_LEN];
	enum order_kind kind = ORDER_SHRED;
	struct ceremony_erasing words;

	order_kind_parse(&kind, statement_get(batch, "kind"));
	words = ceremony_erasing(member->driver, kind);
	batch_id(id, batch);
	ceremony_code(code, id);
	show_put_text(json, "compare", code);
	if (order_kind_erases(kind)) {
		show_put_text(json, "erases", words.erases);
		show_put_text(json, "keeps", words.keeps);
		show_put_text(json, "claims-at-most", words.claim);
		json_object_set_new(json, "delay", json_integer(root_delay(cli->home->root, order_kind_name(kind))));
		json_object_set_new(json, "challenge-is-current", json_boolean(is_current(order, challenge)));
		show_put_text(json, "challenge", statement_get(order, "challenge"));
	} else {
		show_put_text(json, "not-before", statement_get(batch, "not-before"));
		show_put_text(json, "after", statement_get(order, "after") ? statement_get(order, "after") : "");
		json_object_set_new(json, "gives-up", json_boolean(!statement_get(order, "after")));
	}
}
