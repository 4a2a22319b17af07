/* crypto/statement-types.c -- the table of types, and the forms of values.
 *
 * The table is docs/reference/formats.md section 3: which keys a type has, in which order, what form their values have, and how often they
 * occur. */
#include "crypto/statement-parts.h"

#include "base/clock.h"

#include <string.h>

static const struct type types[STATEMENT_TYPES] = {
	[STATEMENT_ROOT] = { "root",
			     "root@holdfast",
			     { { "fleet", ID, 0, 1 },
			       { "version", NUMBER, 1, 1 },
			       { "prev", HASH, 0, 1 },
			       { "time", TIME, 1, 1 },
			       { "expires", TIME, 1, 1 },
			       { "name", NAME, 1, 1 },
			       { "person", NAME, 1, 64 },
			       { "key", NAME_KEY, 1, 128 },
			       { "reading-key", NAME_RECIPIENT, 1, 64 },
			       { "role", WORD_NAMES, 1, 16 },
			       { "threshold", WORD_NUMBER, 0, 16 },
			       { "separate", WORD, 0, 16 },
			       { "delay", WORD_NUMBER, 0, 4 },
			       { "pin", WORD, 0, 16 },
			       { "metadata", WORD, 0, 1 },
			       { "archive", KEY, 1, 4 },
			       { "witness", NAME_KEY, 0, 8 },
			       { "tls-pin", PIN, 1, 4 },
			       { "server", TEXT, 1, 4 } } },
	[STATEMENT_INVITE] = { "invite",
			       "invite@holdfast",
			       { { "fleet", ID, 1, 1 },
				 { "invite", ID, 1, 1 },
				 { "device-name", NAME, 1, 1 },
				 { "label", LABEL, 0, 16 },
				 { "time", TIME, 1, 1 },
				 { "expires", TIME, 1, 1 },
				 { "root", NUMBER, 1, 1 },
				 { "secret", SEAL, 1, 1 } } },
	[STATEMENT_ENROL] = { "enrol",
			      "enrol@holdfast",
			      { { "fleet", ID, 1, 1 },
				{ "device", ID, 1, 1 },
				{ "number", NUMBER, 1, 1 },
				{ "invite", ID, 1, 1 },
				{ "key", KEY, 1, 1 },
				{ "box", RECIPIENT, 1, 1 },
				{ "driver", WORD, 1, 1 },
				{ "model", TEXT, 0, 1 },
				{ "serial", TEXT, 0, 1 },
				{ "firmware", TEXT, 0, 1 },
				{ "replaces", ID, 0, 1 },
				{ "time", TIME, 1, 1 },
				{ "mac", HASH, 1, 1 } } },
	[STATEMENT_ADMIT] = { "admit",
			      "admit@holdfast",
			      { { "fleet", ID, 1, 1 },
				{ "device", ID, 1, 1 },
				{ "enrol", HASH, 1, 1 },
				{ "device-name", NAME, 1, 1 },
				{ "label", LABEL, 0, 16 },
				{ "time", TIME, 1, 1 },
				{ "root", NUMBER, 1, 1 } } },
	[STATEMENT_EPOCH] = { "epoch",
			      "epoch@holdfast",
			      { { "fleet", ID, 1, 1 },
				{ "device", ID, 1, 1 },
				{ "number", NUMBER, 1, 1 },
				{ "prev", HASH, 1, 1 },
				{ "time", TIME, 1, 1 },
				{ "epoch", NUMBER, 1, 1 },
				{ "root", NUMBER, 1, 1 },
				{ "checkpoint", POINT, 0, 1 },
				{ "body", RECIPIENT, 1, 1 },
				{ "secrets", RECIPIENT, 1, 1 },
				{ "body-key", SEAL, 1, 1 },
				{ "secrets-key", SEAL, 1, 1 } } },
	[STATEMENT_SNAPSHOT] = { "snapshot",
				 "snapshot@holdfast",
				 { { "fleet", ID, 1, 1 },         { "device", ID, 1, 1 },          { "number", NUMBER, 1, 1 },
				   { "prev", HASH, 1, 1 },        { "time", TIME, 1, 1 },          { "epoch", NUMBER, 1, 1 },
				   { "root", NUMBER, 1, 1 },      { "checkpoint", POINT, 0, 1 },   { "reason", WORD, 1, 1 },
				   { "saved", SAVED, 1, 1 },      { "unsaved-since", TIME, 0, 1 }, { "mode", WORD, 1, 1 },
				   { "hold", TIME, 0, 1 },        { "hold-by", TEXT, 0, 1 },       { "drift", SAVED, 0, 1 },
				   { "drift-since", TIME, 0, 1 }, { "changed-by", TEXT, 0, 1 },    { "changed", PAIR, 1, 1 },
				   { "model", TEXT, 0, 1 },       { "serial", TEXT, 0, 1 },        { "firmware", TEXT, 0, 1 },
				   { "note", TEXT, 0, 1 },        { "base", SEAL, 1, 1 },          { "delta", SEAL, 0, 1 },
				   { "startup", SEAL, 0, 1 },     { "secrets", SEAL, 0, 1 } } },
	[STATEMENT_STATUS] = { "status",
			       "status@holdfast",
			       { { "fleet", ID, 1, 1 },
				 { "device", ID, 1, 1 },
				 { "time", TIME, 1, 1 },
				 { "head", POINT, 1, 1 },
				 { "order", NUMBER, 0, 1 },
				 { "root", NUMBER, 1, 1 },
				 { "checkpoint", POINT, 0, 1 },
				 { "saved", SAVED, 1, 1 },
				 { "unsaved-since", TIME, 0, 1 },
				 { "mode", WORD, 1, 1 },
				 { "hold", TIME, 0, 1 },
				 { "hold-by", TEXT, 0, 1 },
				 { "drift", SAVED, 0, 1 },
				 { "drift-since", TIME, 0, 1 },
				 { "changed-by", TEXT, 0, 1 },
				 { "note", TEXT, 0, 1 },
				 { "challenge", HASH, 0, 1 },
				 { "wait", NUMBER, 1, 1 } } },
	[STATEMENT_CHECKPOINT] = { "checkpoint",
				   "checkpoint@holdfast",
				   { { "fleet", ID, 1, 1 },
				     { "size", NUMBER, 1, 1 },
				     { "tree", HASH, 1, 1 },
				     { "root", NUMBER, 1, 1 },
				     { "time", TIME, 1, 1 } } },
	[STATEMENT_LOGIN] = { "login",
			      "login@holdfast",
			      { { "fleet", ID, 1, 1 },
				{ "person", NAME, 1, 1 },
				{ "server", TEXT, 1, 1 },
				{ "challenge", HASH, 1, 1 },
				{ "time", TIME, 1, 1 } } },
	[STATEMENT_BATCH] = { "batch",
			      "batch@holdfast",
			      { { "fleet", ID, 1, 1 },
				{ "kind", WORD, 1, 1 },
				{ "person", NAME, 1, 1 },
				{ "time", TIME, 1, 1 },
				{ "not-before", TIME, 1, 1 },
				{ "expires", TIME, 1, 1 },
				{ "root", NUMBER, 1, 1 },
				{ "reason", TEXT, 1, 1 },
				{ "ticket", TEXT, 0, 1 },
				{ "count", NUMBER, 1, 1 },
				{ "tree", HASH, 1, 1 },
				{ "wave", NUMBER, 0, 16 },
				{ "soak", NUMBER, 0, 1 },
				{ "fail-limit", NUMBER, 0, 1 },
				{ "window", TEXT, 0, 8 } } },
	[STATEMENT_ORDER] = { "order",
			      "order@holdfast",
			      { { "fleet", ID, 1, 1 },
				{ "device", ID, 1, 1 },
				{ "order", NUMBER, 1, 1 },
				{ "kind", WORD, 1, 1 },
				{ "nonce", HASH, 1, 1 },
				{ "base", POINT, 0, 1 },
				{ "mode", WORD, 0, 1 },
				{ "confirm", NUMBER, 0, 1 },
				{ "settle", NUMBER, 0, 1 },
				{ "probe", TEXT, 0, 8 },
				{ "until", TIME, 0, 1 },
				{ "member", ID, 0, 16 },
				{ "challenge", HASH, 0, 1 },
				{ "after", HASH, 0, 1 },
				{ "payload", SEAL, 0, 1 } } },
	[STATEMENT_CONTROL] = { "control",
				"control@holdfast",
				{ { "fleet", ID, 1, 1 },
				  { "batch", HASH, 1, 1 },
				  { "action", WORD, 1, 1 },
				  { "person", NAME, 1, 1 },
				  { "time", TIME, 1, 1 },
				  { "root", NUMBER, 1, 1 },
				  { "reason", TEXT, 0, 1 } } },
	[STATEMENT_RECEIPT] = { "receipt",
				"receipt@holdfast",
				{ { "fleet", ID, 1, 1 },
				  { "device", ID, 1, 1 },
				  { "number", NUMBER, 1, 1 },
				  { "prev", HASH, 1, 1 },
				  { "time", TIME, 1, 1 },
				  { "root", NUMBER, 1, 1 },
				  { "checkpoint", POINT, 0, 1 },
				  { "order", NUMBER, 1, 1 },
				  { "batch", HASH, 1, 1 },
				  { "leaf", HASH, 1, 1 },
				  { "outcome", WORD, 1, 1 },
				  { "check", WORD, 0, 1 },
				  { "evidence", WORD, 0, 1 },
				  { "area", TEXT, 0, 8 },
				  { "left", TEXT, 0, 8 },
				  { "transcript", HASH, 0, 1 },
				  { "note", TEXT, 0, 1 } } },
	[STATEMENT_SHREDDED] = { "shredded",
				 "shredded@holdfast",
				 { { "fleet", ID, 1, 1 },
				   { "device", ID, 1, 1 },
				   { "by", NAME, 1, 1 },
				   { "time", TIME, 1, 1 },
				   { "root", NUMBER, 1, 1 },
				   { "batch", HASH, 1, 1 },
				   { "leaf", HASH, 1, 1 },
				   { "epochs", PAIR, 0, 1 },
				   { "snapshots", PAIR, 0, 1 },
				   { "payloads", NUMBER, 0, 1 },
				   { "copy", TEXT, 0, 16 },
				   { "note", TEXT, 0, 1 } } },
	[STATEMENT_CERTIFICATE] = { "certificate",
				    "certificate@holdfast",
				    { { "fleet", ID, 1, 1 },       { "device", ID, 1, 1 },         { "device-name", NAME, 1, 1 },
				      { "state", WORD, 1, 1 },     { "manufacturer", TEXT, 0, 1 }, { "model", TEXT, 0, 1 },
				      { "serial", TEXT, 0, 1 },    { "asset", TEXT, 0, 1 },        { "firmware", TEXT, 0, 1 },
				      { "standard", TEXT, 1, 1 },  { "category", WORD, 1, 1 },     { "evidence", WORD, 1, 1 },
				      { "erase", HASH, 0, 1 },     { "receipt", HASH, 0, 1 },      { "area", TEXT, 0, 8 },
				      { "left", TEXT, 0, 8 },      { "transcript", HASH, 0, 1 },   { "shred", HASH, 1, 1 },
				      { "shredded", HASH, 1, 64 }, { "epochs", PAIR, 0, 1 },       { "snapshots", PAIR, 0, 1 },
				      { "log", POINT, 1, 1 },      { "copy", TEXT, 0, 16 },        { "performed", NAME, 1, 1 },
				      { "verified", NAME, 0, 8 },  { "place", TEXT, 0, 1 },        { "destination", TEXT, 0, 1 },
				      { "limit", TEXT, 1, 8 },     { "time", TIME, 1, 1 },         { "root", NUMBER, 1, 1 } } },
	[STATEMENT_JUDGEMENT] = { "judgement",
				  "judgement@holdfast",
				  { { "fleet", ID, 1, 1 },
				    { "advisory", TEXT, 1, 1 },
				    { "document", HASH, 1, 1 },
				    { "verdict", WORD, 1, 1 },
				    { "device", ID, 0, 64 },
				    { "feature", WORD, 0, 1 },
				    { "person", NAME, 1, 1 },
				    { "time", TIME, 1, 1 },
				    { "until", TIME, 0, 1 },
				    { "root", NUMBER, 1, 1 },
				    { "reason", TEXT, 1, 1 },
				    { "ticket", TEXT, 0, 1 },
				    { "text", SEAL, 0, 1 } } },
	[STATEMENT_VERDICT] = { "verdict",
				"verdict@holdfast",
				{ { "fleet", ID, 1, 1 },
				  { "device", ID, 1, 1 },
				  { "number", NUMBER, 1, 1 },
				  { "prev", HASH, 1, 1 },
				  { "time", TIME, 1, 1 },
				  { "epoch", NUMBER, 1, 1 },
				  { "root", NUMBER, 1, 1 },
				  { "checkpoint", POINT, 0, 1 },
				  { "snapshot", POINT, 1, 1 },
				  { "policy", POINT, 1, 1 },
				  { "pass", NUMBER, 0, 1 },
				  { "fail", NUMBER, 0, 1 },
				  { "unknown", NUMBER, 0, 1 },
				  { "waived", NUMBER, 0, 1 },
				  { "not-applicable", NUMBER, 0, 1 },
				  { "section", TEXT, 0, 64 },
				  { "findings", SEAL, 1, 1 } } },
	[STATEMENT_WAIVER] = { "waiver",
			       "waiver@holdfast",
			       { { "fleet", ID, 1, 1 },
				 { "policy", NAME, 1, 1 },
				 { "rule", NAME, 1, 1 },
				 { "device", ID, 0, 64 },
				 { "person", NAME, 1, 1 },
				 { "time", TIME, 1, 1 },
				 { "until", TIME, 1, 1 },
				 { "root", NUMBER, 1, 1 },
				 { "reason", TEXT, 1, 1 },
				 { "ticket", TEXT, 0, 1 } } },
	[STATEMENT_FIRMWARE] = { "firmware",
				 "firmware@holdfast",
				 { { "fleet", ID, 1, 1 },
				   { "driver", WORD, 1, 1 },
				   { "part", WORD, 1, 1 },
				   { "model", TEXT, 0, 32 },
				   { "version", TEXT, 1, 1 },
				   { "minimum", TEXT, 0, 1 },
				   { "downgrade", WORD, 0, 1 },
				   { "size", NUMBER, 1, 1 },
				   { "image", HASH, 1, 1 },
				   { "name", TEXT, 0, 1 },
				   { "person", NAME, 1, 1 },
				   { "time", TIME, 1, 1 },
				   { "root", NUMBER, 1, 1 },
				   { "note", TEXT, 0, 1 } } },
};

const struct type *type_table(enum statement_type type)
{
	return &types[type];
}

const char *statement_type_name(enum statement_type type)
{
	return types[type].name;
}

const char *statement_namespace(enum statement_type type)
{
	return types[type].space;
}

bool statement_type_parse(enum statement_type *out, struct bytes name)
{
	for (size_t i = 0; i < STATEMENT_TYPES; i++) {
		if (bytes_is(name, types[i].name)) {
			*out = (enum statement_type)i;
			return true;
		}
	}
	return false;
}

/* ---- forms of values ---- */

static bool in_class(struct bytes in, const char *more, size_t max)
{
	if (!in.len || in.len > max)
		return false;
	for (size_t i = 0; i < in.len; i++) {
		uint8_t c = in.ptr[i];

		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && !(c && strchr(more, c)))
			return false;
	}
	return true;
}

static bool is_name(struct bytes in)
{
	return in_class(in, "._-", 63) && !strchr("._-", in.ptr[0]);
}

static bool is_word(struct bytes in)
{
	return in_class(in, "-", 63);
}

static bool is_hash(struct bytes in)
{
	uint8_t hash[HASH_LEN];

	return hex_decode(hash, sizeof(hash), in);
}

static bool is_number(struct bytes in)
{
	uint64_t n;

	return number_parse(&n, in);
}

bool value_cut(struct bytes *rest, struct bytes *part)
{
	const uint8_t *space = rest->len ? memchr(rest->ptr, ' ', rest->len) : NULL;

	if (!space)
		return false;
	*part = bytes_of(rest->ptr, (size_t)(space - rest->ptr));
	*rest = bytes_from(*rest, part->len + 1);
	return true;
}

static bool is_label(struct bytes in)
{
	const uint8_t *colon = memchr(in.ptr, ':', in.len);

	return colon && is_name(bytes_of(in.ptr, (size_t)(colon - in.ptr))) && is_name(bytes_from(in, (size_t)(colon - in.ptr) + 1));
}

static bool is_key(struct bytes in)
{
	struct error ignored;
	struct sign_pub pub;

	return sign_pub_parse(&pub, in, false, &ignored) == 0;
}

static bool is_recipient(struct bytes in)
{
	struct error ignored;
	struct age_recipient to;

	return age_recipient_parse(&to, in, &ignored) == 0;
}

static bool is_pin(struct bytes in)
{
	_cleanup_(buf_done) struct buf raw = { 0 };

	return base64_decode(&raw, in) && raw.len == 32;
}

static bool is_pair(struct bytes in, bool (*first)(struct bytes), bool (*second)(struct bytes))
{
	struct bytes part;

	return value_cut(&in, &part) && first(part) && second(in);
}

static bool is_seal(struct bytes in)
{
	struct bytes number, len;
	uint64_t n;

	return value_cut(&in, &number) && value_cut(&in, &len) && is_number(number) && number_parse(&n, len) && n >= 1 &&
	       n <= CONTAINER_MAX / 2 && is_hash(in);
}

static bool is_word_names(struct bytes in)
{
	struct bytes part;

	if (!value_cut(&in, &part) || !is_word(part))
		return false;
	while (value_cut(&in, &part))
		if (!is_name(part))
			return false;
	return is_name(in);
}

bool value_has_form(enum value_kind kind, struct bytes in)
{
	int64_t t;

	switch (kind) {
	case ID:
		return id_is_valid(in);
	case HASH:
		return is_hash(in);
	case NUMBER:
		return is_number(in);
	case TIME:
		return clock_parse(&t, in);
	case NAME:
		return is_name(in);
	case LABEL:
		return is_label(in);
	case WORD:
		return is_word(in);
	case TEXT:
		return in.len <= 900;
	case KEY:
		return is_key(in);
	case RECIPIENT:
		return is_recipient(in);
	case PIN:
		return is_pin(in);
	case SAVED:
		return bytes_is(in, "yes") || bytes_is(in, "no") || bytes_is(in, "unknown");
	case POINT:
		return is_pair(in, is_number, is_hash);
	case PAIR:
		return is_pair(in, is_number, is_number);
	case SEAL:
		return is_seal(in);
	case NAME_KEY:
		return is_pair(in, is_name, is_key);
	case NAME_RECIPIENT:
		return is_pair(in, is_name, is_recipient);
	case WORD_NAMES:
		return is_word_names(in);
	case WORD_NUMBER:
		return is_pair(in, is_word, is_number);
	}
	return false;
}
