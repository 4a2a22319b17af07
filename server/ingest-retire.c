/* server/ingest-retire.c -- what people say at the end of a device: that they shredded what they kept, and its certificate. */
#include "server/ingest-parts.h"

#include "base/plural.h"

#include <string.h>

static int check_shredded(const struct root *root, const struct statement *st, struct error *err)
{
	int r = root_verify(root, st, err);

	if (r < 0)
		return r;
	if (!strcmp(statement_get(st, "by"), "archive"))
		return error_set(err, E_DENIED, "the archive says itself what it shredded");
	return 0;
}

/* ---- the certificate ---- */

/* The receipt that a certificate names, from the archive. */
static int get_receipt(struct statement **out, struct repo *repo, const struct statement *st, struct error *err)
{
	const char *device = statement_get(st, "device");
	_cleanup_(buf_done) struct buf text = { 0 };
	uint8_t erase[HASH_LEN], named[HASH_LEN];
	struct repo_order order;
	char batch[ID_LEN + 1];
	int r;

	if (!statement_get_hash(erase, st, "erase") || !statement_get_hash(named, st, "receipt"))
		return error_set(err, E_DENIED, "a certificate of a device that was wiped names the batch and the receipt");
	id_of_hash(batch, erase);
	r = repo_order_look(&order, repo, batch, device, err);
	if (r == 0)
		r = repo_receipt(&text, repo, device, order.receipt, err);
	if (r == 0)
		r = statement_parse(out, buf_bytes(&text), false, NULL, err);
	if (r < 0)
		return r;
	if (r > 0 || memcmp(statement_hash(*out), named, HASH_LEN) != 0)
		return error_set(err, E_DENIED, "the receipt that the certificate names is not the device's last word about that batch");
	if (strcmp(statement_get(*out, "outcome"), "done") != 0)
		return error_set(err, E_DENIED, "the receipt that the certificate names says '%s', not 'done'",
				 statement_get(*out, "outcome"));
	return 0;
}

static bool same_lines(const struct statement *a, const struct statement *b, const char *key)
{
	if (statement_count(a, key) != statement_count(b, key))
		return false;
	for (size_t i = 0; i < statement_count(a, key); i++)
		if (strcmp(statement_at(a, key, i), statement_at(b, key, i)) != 0)
			return false;
	return true;
}

/* What was seen of the area of which least was seen. */
static enum area_seen least_seen(const struct statement *receipt)
{
	enum area_seen least = AREA_AFTER_REBOOT;
	const char *value;

	for (size_t i = 0; (value = statement_at(receipt, "area", i)); i++) {
		struct area area;

		if (!area_parse(&area, value))
			return AREA_NOTHING;
		least = area.seen < least ? area.seen : least;
	}
	return statement_count(receipt, "area") ? least : AREA_NOTHING;
}

/* Is word one of these, and none behind `most`? */
static bool is_at_most(const char *word, const char *(*name)(unsigned i), unsigned most)
{
	for (unsigned i = 0; i <= most; i++)
		if (!strcmp(word, name(i)))
			return true;
	return false;
}

static const char *claim_at(unsigned i)
{
	return area_claim_name((enum area_claim)i);
}

static const char *seen_at(unsigned i)
{
	return area_seen_name((enum area_seen)i);
}

static int check_wiped(struct repo *repo, const struct statement *st, struct error *err)
{
	_cleanup_(statement_freep) struct statement *receipt = NULL;

	if (get_receipt(&receipt, repo, st, err) < 0)
		return err->code;
	if (!same_lines(st, receipt, "area") || !same_lines(st, receipt, "left") || !same_lines(st, receipt, "transcript"))
		return error_set(err, E_DENIED, "the certificate says something else of the device's areas than its receipt");
	if (!is_at_most(statement_get(st, "category"), claim_at, area_category(receipt)))
		return error_set(err, E_DENIED, "the certificate calls it '%s', and the receipt is good for '%s'",
				 statement_get(st, "category"), area_claim_name(area_category(receipt)));
	if (!is_at_most(statement_get(st, "evidence"), seen_at, least_seen(receipt)))
		return error_set(err, E_DENIED, "the certificate says that it was '%s', and the receipt '%s'",
				 statement_get(st, "evidence"), area_seen_name(least_seen(receipt)));
	return 0;
}

static int check_lost(const struct statement *st, struct error *err)
{
	static const char *const keys[] = { "erase", "receipt", "area", "left", "transcript" };

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (statement_get(st, keys[i]))
			return error_set(err, E_DENIED, "the device was given up: its certificate has no '%s'", keys[i]);
	if (strcmp(statement_get(st, "category"), area_claim_name(AREA_NONE)) != 0 ||
	    strcmp(statement_get(st, "evidence"), area_seen_name(AREA_NOTHING)) != 0)
		return error_set(
			err, E_DENIED,
			"nothing was seen of a device that was given up: its certificate says category 'none', evidence 'nothing'");
	return 0;
}

/* Does the log that it names continue in ours? */
static int check_log(struct repo *repo, const struct statement *st, struct error *err)
{
	_cleanup_(statement_freep) struct statement *newest = NULL;
	_cleanup_(buf_done) struct buf found = { 0 };
	struct merkle_growth growth;
	uint8_t named[HASH_LEN], tree[HASH_LEN];
	size_t used = 0, ignored;
	uint64_t size = 0;
	int r;

	statement_get_point(&size, named, st, "log");
	r = repo_checkpoint_since(&found, repo, size, err);
	if (r == 0)
		r = statement_parse(&newest, buf_bytes(&found), false, &used, err);
	if (r < 0)
		return r;
	if (r == 0 && size == statement_number(newest, "size") && statement_get_hash(tree, newest, "tree") &&
	    !memcmp(tree, named, HASH_LEN))
		return 0;
	if (r == 0 && used < found.len && growth_parse(&growth, bytes_from(buf_bytes(&found), used), &ignored, err) == 0 &&
	    growth.from == size && !memcmp(growth.old_tree.b, named, HASH_LEN))
		return 0;
	return error_set(err, E_DENIED, "the log of %llu %s that the certificate names is not one that this archive had",
			 (unsigned long long)size, plural(size, "statement", "statements"));
}

static int check_certificate(struct repo *repo, const struct root *root, const struct statement *st, struct error *err)
{
	const char *state = statement_get(st, "state");
	struct repo_device device;
	int r = root_verify(root, st, err);

	if (r == 0)
		r = repo_device_get(&device, repo, statement_get(st, "device"), err);
	if (r < 0)
		return r;
	if (r > 0 || strcmp(device.retired, state) != 0)
		return error_set(err, E_DENIED, "the certificate says that device '%s' is '%s', and here it is '%s'",
				 statement_get(st, "device"), state,
				 r > 0             ? "unknown" :
				 device.retired[0] ? device.retired :
						     "active");
	r = !strcmp(state, "wiped") ? check_wiped(repo, st, err) : check_lost(st, err);
	return r < 0 ? r : check_log(repo, st, err);
}

int ingest_check_said(struct repo *repo, const struct root *root, const struct statement *st, struct error *err)
{
	return statement_type(st) == STATEMENT_SHREDDED ? check_shredded(root, st, err) : check_certificate(repo, root, st, err);
}

/* People have signed it, and the archive signs behind them: that it has all of what the certificate names. */
void ingest_countersign(struct buf *out, const struct statement *certificate, const struct sign_key *archive)
{
	buf_add_bytes(out, statement_whole(certificate));
	for (size_t i = 0; i < statement_sig_count(certificate); i++)
		if (sign_pub_equal(&statement_sig(certificate, i)->key, &archive->pub))
			return;
	sshsig_sign(out, archive, statement_namespace(STATEMENT_CERTIFICATE), statement_text(certificate));
}
