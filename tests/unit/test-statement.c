/* tests/unit/test-statement.c -- statements: the grammar held against the tables of docs/reference/formats.md, line by line and byte by
 * byte; who signed and how many; containers.
 *
 * The tables stand here a second time, written from the document and not from the code. */
#include "tests/test.h"

#include "base/clock.h"
#include "base/fs.h"
#include "base/proc.h"
#include "crypto/statement.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#define ID_A "abcdefghijklmnopqrstuvwxyz"
#define HASH_A "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define KEY_1 "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c"
#define KEY_2 "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIE5dw6ofRdfVqNUZsNMfszLjYqRtO43ol32D1uPybOU"
#define AGE_A "age1s73k9tlmr5kg98lcccfpf89f9sjd45gal77ry8l5kh7xl8u2cagq4c7ukj"
#define PIN_A "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
#define S63 "a23456789012345678901234567890123456789012345678901234567890123"

enum { RULES_MAX = 32, VALUES_MAX = 24 };

/* formats.md section 1: the forms of values. The first good one stands in examples. */
static const struct form {
	const char *kind, *good[VALUES_MAX], *bad[VALUES_MAX];
} forms[] = {
	{ "id",
	  { ID_A, "22222222222222222222777777" },
	  { "abcdefghijklmnopqrstuvwxy", ID_A "a", "Abcdefghijklmnopqrstuvwxyz", "abcdefghijklmnopqrstuvwxy1",
	    "abcdefghijklmnopqrstuvwxy=" } },
	{ "hash",
	  { HASH_A },
	  { "00112233445566778899AABBCCDDEEFF00112233445566778899aabbccddeeff", HASH_A "0", HASH_A "00",
	    "00112233445566778899aabbccddeeff00112233445566778899aabbccddeef",
	    "0x112233445566778899aabbccddeeff00112233445566778899aabbccddeeff" } },
	{ "number",
	  { "42", "0", "1", "9007199254740991" },
	  { "01", "00", "042", "-1", "+1", "1.0", "1e3", "0x10", "9007199254740992", "9999999999999999", "10000000000000000",
	    "18446744073709551617", "1 ", "1 2", "1,000", "a" } },
	{ "time",
	  { "2026-01-02T03:04:05Z", "2020-01-01T00:00:00Z", "2200-12-31T23:59:59Z", "2024-02-29T00:00:00Z" },
	  { "2019-12-31T23:59:59Z", "2201-01-01T00:00:00Z", "2026-02-29T00:00:00Z", "2100-02-29T00:00:00Z",   "2026-04-31T00:00:00Z",
	    "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z", "2026-01-00T00:00:00Z", "2026-01-32T00:00:00Z",   "2026-01-01T24:00:00Z",
	    "2026-01-01T00:60:00Z", "2026-06-30T23:59:60Z", "2026-01-01T00:00:00",  "2026-01-01T00:00:00z",   "2026-01-01T00:00:00+00:00",
	    "2026-01-01t00:00:00Z", "2026-1-01T00:00:00Z",  "2026-01-01 00:00:00Z", "2026-01-01T00:00:00.0Z", "1767225600",
	    "2026-01-01",           "2026-01-01T 0:00:00Z" } },
	{ "name", { "core-1.north_a", "a", "0", S63 }, { S63 "a", ".a", "-a", "_a", "A", "a b", "a/b", "a:b", "a@b", "..", "a\\" } },
	{ "label",
	  { "site:north", "a:b", S63 ":" S63 },
	  { "site", "site:", ":north", "site:north:east", "Site:north", "site: north", "site:-north", ":", S63 "a:b", "a:" S63 "a" } },
	{ "word", { "change", "a", "-", "0-9", S63 }, { S63 "a", "A", "a_b", "a.b", "a b" } },
	{ "text",
	  { "any printable ASCII: !\"#$%&'()*+,-./09:;<=>?@AZ[\\]^_`az{|}~", "x", "a  b" },
	  { NULL } }, /* its bounds have a test of their own */
	{ "key",
	  { KEY_1, KEY_2 },
	  { KEY_1 " comment", KEY_1 "=", "ssh-ed25519 AAAA", "ssh-ed25519",
	    "ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIIqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c",
	    "ssh-ed25519  AAAAC3NzaC1lZDI1NTE5AAAAIIqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c",
	    "AAAAC3NzaC1lZDI1NTE5AAAAIIqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c" } },
	{ "recipient",
	  { AGE_A },
	  { AGE_A "q", "age1s73k9tlmr5kg98lcccfpf89f9sjd45gal77ry8l5kh7xl8u2cagq4c7ukk",
	    "AGE1S73K9TLMR5KG98LCCCFPF89F9SJD45GAL77RY8L5KH7XL8U2CAGQ4C7UKJ",
	    "AGE-SECRET-KEY-1T9KEHKZVYCZHLZKCCRQZMD95DFR5AX8VJLTK3ZM4TENX2PUA8WLS7EM3GS", KEY_1 } },
	{ "pin",
	  { PIN_A },
	  { "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
	    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB=", "sha256//" PIN_A, "AAAA" } },
	{ "saved", { "yes", "no", "unknown" }, { "Yes", "true", "y", "yes no", "1" } },
	{ "point", { "7 " HASH_A, "0 " HASH_A }, { "7", HASH_A, "7  " HASH_A, "07 " HASH_A, "7 " HASH_A " 1", "7 00", "-7 " HASH_A } },
	{ "pair", { "1 2", "0 0" }, { "1", "1 2 3", "01 2", "1 02", "1  2", "a b", "1 -2", "1,2" } },
	{ "seal",
	  { "3 1000 " HASH_A, "3 1 " HASH_A, "3 4194304 " HASH_A },
	  { "3 0 " HASH_A, "3 4194305 " HASH_A, "3 01 " HASH_A, "03 1 " HASH_A, "3 1", "1 " HASH_A, "3 1 " HASH_A " 1", "3 1  " HASH_A,
	    "x 1 " HASH_A, "3 1 00" } },
	{ "name-key",
	  { "alice " KEY_1 },
	  { "Alice " KEY_1, "alice", KEY_1, "alice  " KEY_1, "alice " KEY_1 " alice@host", "alice " AGE_A } },
	{ "name-recipient",
	  { "alice " AGE_A },
	  { "Alice " AGE_A, "alice", AGE_A, "alice  " AGE_A, "alice " AGE_A " " AGE_A, "alice " KEY_1 } },
	{ "word-names",
	  { "root alice", "root alice bob carol" },
	  { "root", "Root alice", "root Alice", "root alice  bob", "root alice,bob", "root -alice" } },
	{ "word-number", { "root 2", "factory-reset 0" }, { "root", "2", "root 02", "root two", "root 1 2", "Root 1", "root  1" } },
};

struct rule {
	const char *key, *kind;
	unsigned min, max;
};

/* formats.md section 3. */
static const struct rule rules[STATEMENT_TYPES][RULES_MAX] = {
	[STATEMENT_ROOT] = { { "fleet", "id", 0, 1 },
			     { "version", "number", 1, 1 },
			     { "prev", "hash", 0, 1 },
			     { "time", "time", 1, 1 },
			     { "expires", "time", 1, 1 },
			     { "name", "name", 1, 1 },
			     { "person", "name", 1, 64 },
			     { "key", "name-key", 1, 128 },
			     { "reading-key", "name-recipient", 1, 64 },
			     { "role", "word-names", 1, 16 },
			     { "threshold", "word-number", 0, 16 },
			     { "separate", "word", 0, 16 },
			     { "delay", "word-number", 0, 4 },
			     { "pin", "word", 0, 16 },
			     { "metadata", "word", 0, 1 },
			     { "archive", "key", 1, 4 },
			     { "witness", "name-key", 0, 8 },
			     { "tls-pin", "pin", 1, 4 },
			     { "server", "text", 1, 4 } },
	[STATEMENT_INVITE] = { { "fleet", "id", 1, 1 },
			       { "invite", "id", 1, 1 },
			       { "device-name", "name", 1, 1 },
			       { "label", "label", 0, 16 },
			       { "time", "time", 1, 1 },
			       { "expires", "time", 1, 1 },
			       { "root", "number", 1, 1 },
			       { "secret", "seal", 1, 1 } },
	[STATEMENT_ENROL] = { { "fleet", "id", 1, 1 },
			      { "device", "id", 1, 1 },
			      { "number", "number", 1, 1 },
			      { "invite", "id", 1, 1 },
			      { "key", "key", 1, 1 },
			      { "box", "recipient", 1, 1 },
			      { "driver", "word", 1, 1 },
			      { "model", "text", 0, 1 },
			      { "serial", "text", 0, 1 },
			      { "firmware", "text", 0, 1 },
			      { "replaces", "id", 0, 1 },
			      { "time", "time", 1, 1 },
			      { "mac", "hash", 1, 1 } },
	[STATEMENT_ADMIT] = { { "fleet", "id", 1, 1 },
			      { "device", "id", 1, 1 },
			      { "enrol", "hash", 1, 1 },
			      { "device-name", "name", 1, 1 },
			      { "label", "label", 0, 16 },
			      { "time", "time", 1, 1 },
			      { "root", "number", 1, 1 } },
	[STATEMENT_EPOCH] = { { "fleet", "id", 1, 1 },
			      { "device", "id", 1, 1 },
			      { "number", "number", 1, 1 },
			      { "prev", "hash", 1, 1 },
			      { "time", "time", 1, 1 },
			      { "epoch", "number", 1, 1 },
			      { "root", "number", 1, 1 },
			      { "checkpoint", "point", 0, 1 },
			      { "body", "recipient", 1, 1 },
			      { "secrets", "recipient", 1, 1 },
			      { "body-key", "seal", 1, 1 },
			      { "secrets-key", "seal", 1, 1 } },
	[STATEMENT_SNAPSHOT] = { { "fleet", "id", 1, 1 },         { "device", "id", 1, 1 },          { "number", "number", 1, 1 },
				 { "prev", "hash", 1, 1 },        { "time", "time", 1, 1 },          { "epoch", "number", 1, 1 },
				 { "root", "number", 1, 1 },      { "checkpoint", "point", 0, 1 },   { "reason", "word", 1, 1 },
				 { "saved", "saved", 1, 1 },      { "unsaved-since", "time", 0, 1 }, { "mode", "word", 1, 1 },
				 { "hold", "time", 0, 1 },        { "hold-by", "text", 0, 1 },       { "drift", "saved", 0, 1 },
				 { "drift-since", "time", 0, 1 }, { "changed-by", "text", 0, 1 },    { "changed", "pair", 1, 1 },
				 { "model", "text", 0, 1 },       { "serial", "text", 0, 1 },        { "firmware", "text", 0, 1 },
				 { "note", "text", 0, 1 },        { "base", "seal", 1, 1 },          { "delta", "seal", 0, 1 },
				 { "startup", "seal", 0, 1 },     { "secrets", "seal", 0, 1 } },
	[STATEMENT_STATUS] = { { "fleet", "id", 1, 1 },
			       { "device", "id", 1, 1 },
			       { "time", "time", 1, 1 },
			       { "head", "point", 1, 1 },
			       { "order", "number", 0, 1 },
			       { "root", "number", 1, 1 },
			       { "checkpoint", "point", 0, 1 },
			       { "saved", "saved", 1, 1 },
			       { "unsaved-since", "time", 0, 1 },
			       { "mode", "word", 1, 1 },
			       { "hold", "time", 0, 1 },
			       { "hold-by", "text", 0, 1 },
			       { "drift", "saved", 0, 1 },
			       { "drift-since", "time", 0, 1 },
			       { "changed-by", "text", 0, 1 },
			       { "note", "text", 0, 1 },
			       { "challenge", "hash", 0, 1 },
			       { "wait", "number", 1, 1 } },
	[STATEMENT_CHECKPOINT] = { { "fleet", "id", 1, 1 },
				   { "size", "number", 1, 1 },
				   { "tree", "hash", 1, 1 },
				   { "root", "number", 1, 1 },
				   { "time", "time", 1, 1 } },
	[STATEMENT_LOGIN] = { { "fleet", "id", 1, 1 },
			      { "person", "name", 1, 1 },
			      { "server", "text", 1, 1 },
			      { "challenge", "hash", 1, 1 },
			      { "time", "time", 1, 1 } },
	[STATEMENT_BATCH] = { { "fleet", "id", 1, 1 },
			      { "kind", "word", 1, 1 },
			      { "person", "name", 1, 1 },
			      { "time", "time", 1, 1 },
			      { "not-before", "time", 1, 1 },
			      { "expires", "time", 1, 1 },
			      { "root", "number", 1, 1 },
			      { "reason", "text", 1, 1 },
			      { "ticket", "text", 0, 1 },
			      { "count", "number", 1, 1 },
			      { "tree", "hash", 1, 1 },
			      { "wave", "number", 0, 16 },
			      { "soak", "number", 0, 1 },
			      { "fail-limit", "number", 0, 1 },
			      { "window", "text", 0, 8 } },
	[STATEMENT_ORDER] = { { "fleet", "id", 1, 1 },
			      { "device", "id", 1, 1 },
			      { "order", "number", 1, 1 },
			      { "kind", "word", 1, 1 },
			      { "nonce", "hash", 1, 1 },
			      { "base", "point", 0, 1 },
			      { "mode", "word", 0, 1 },
			      { "confirm", "number", 0, 1 },
			      { "settle", "number", 0, 1 },
			      { "probe", "text", 0, 8 },
			      { "until", "time", 0, 1 },
			      { "member", "id", 0, 16 },
			      { "challenge", "hash", 0, 1 },
			      { "after", "hash", 0, 1 },
			      { "payload", "seal", 0, 1 } },
	[STATEMENT_CONTROL] = { { "fleet", "id", 1, 1 },
				{ "batch", "hash", 1, 1 },
				{ "action", "word", 1, 1 },
				{ "person", "name", 1, 1 },
				{ "time", "time", 1, 1 },
				{ "root", "number", 1, 1 },
				{ "reason", "text", 0, 1 } },
	[STATEMENT_RECEIPT] = { { "fleet", "id", 1, 1 },
				{ "device", "id", 1, 1 },
				{ "number", "number", 1, 1 },
				{ "prev", "hash", 1, 1 },
				{ "time", "time", 1, 1 },
				{ "root", "number", 1, 1 },
				{ "checkpoint", "point", 0, 1 },
				{ "order", "number", 1, 1 },
				{ "batch", "hash", 1, 1 },
				{ "leaf", "hash", 1, 1 },
				{ "outcome", "word", 1, 1 },
				{ "check", "word", 0, 1 },
				{ "evidence", "word", 0, 1 },
				{ "area", "text", 0, 8 },
				{ "left", "text", 0, 8 },
				{ "transcript", "hash", 0, 1 },
				{ "note", "text", 0, 1 } },
	[STATEMENT_SHREDDED] = { { "fleet", "id", 1, 1 },
				 { "device", "id", 1, 1 },
				 { "by", "name", 1, 1 },
				 { "time", "time", 1, 1 },
				 { "root", "number", 1, 1 },
				 { "batch", "hash", 1, 1 },
				 { "leaf", "hash", 1, 1 },
				 { "epochs", "pair", 0, 1 },
				 { "snapshots", "pair", 0, 1 },
				 { "payloads", "number", 0, 1 },
				 { "copy", "text", 0, 16 },
				 { "note", "text", 0, 1 } },
	[STATEMENT_CERTIFICATE] = { { "fleet", "id", 1, 1 },       { "device", "id", 1, 1 },         { "device-name", "name", 1, 1 },
				    { "state", "word", 1, 1 },     { "manufacturer", "text", 0, 1 }, { "model", "text", 0, 1 },
				    { "serial", "text", 0, 1 },    { "asset", "text", 0, 1 },        { "firmware", "text", 0, 1 },
				    { "standard", "text", 1, 1 },  { "category", "word", 1, 1 },     { "evidence", "word", 1, 1 },
				    { "erase", "hash", 0, 1 },     { "receipt", "hash", 0, 1 },      { "area", "text", 0, 8 },
				    { "left", "text", 0, 8 },      { "transcript", "hash", 0, 1 },   { "shred", "hash", 1, 1 },
				    { "shredded", "hash", 1, 64 }, { "epochs", "pair", 0, 1 },       { "snapshots", "pair", 0, 1 },
				    { "log", "point", 1, 1 },      { "copy", "text", 0, 16 },        { "performed", "name", 1, 1 },
				    { "verified", "name", 0, 8 },  { "place", "text", 0, 1 },        { "destination", "text", 0, 1 },
				    { "limit", "text", 1, 8 },     { "time", "time", 1, 1 },         { "root", "number", 1, 1 } },
	[STATEMENT_JUDGEMENT] = { { "fleet", "id", 1, 1 },
				  { "advisory", "text", 1, 1 },
				  { "document", "hash", 1, 1 },
				  { "verdict", "word", 1, 1 },
				  { "device", "id", 0, 64 },
				  { "feature", "word", 0, 1 },
				  { "person", "name", 1, 1 },
				  { "time", "time", 1, 1 },
				  { "until", "time", 0, 1 },
				  { "root", "number", 1, 1 },
				  { "reason", "text", 1, 1 },
				  { "ticket", "text", 0, 1 } },
	[STATEMENT_VERDICT] = { { "fleet", "id", 1, 1 },
				{ "device", "id", 1, 1 },
				{ "number", "number", 1, 1 },
				{ "prev", "hash", 1, 1 },
				{ "time", "time", 1, 1 },
				{ "epoch", "number", 1, 1 },
				{ "root", "number", 1, 1 },
				{ "checkpoint", "point", 0, 1 },
				{ "snapshot", "point", 1, 1 },
				{ "policy", "point", 1, 1 },
				{ "pass", "number", 0, 1 },
				{ "fail", "number", 0, 1 },
				{ "unknown", "number", 0, 1 },
				{ "waived", "number", 0, 1 },
				{ "not-applicable", "number", 0, 1 },
				{ "section", "text", 0, 64 },
				{ "findings", "seal", 1, 1 } },
	[STATEMENT_WAIVER] = { { "fleet", "id", 1, 1 },
			       { "policy", "name", 1, 1 },
			       { "rule", "name", 1, 1 },
			       { "device", "id", 0, 64 },
			       { "person", "name", 1, 1 },
			       { "time", "time", 1, 1 },
			       { "until", "time", 1, 1 },
			       { "root", "number", 1, 1 },
			       { "reason", "text", 1, 1 },
			       { "ticket", "text", 0, 1 } },
	[STATEMENT_FIRMWARE] = { { "fleet", "id", 1, 1 },
				 { "driver", "word", 1, 1 },
				 { "part", "word", 1, 1 },
				 { "model", "text", 0, 32 },
				 { "version", "text", 1, 1 },
				 { "minimum", "text", 0, 1 },
				 { "downgrade", "word", 0, 1 },
				 { "size", "number", 1, 1 },
				 { "image", "hash", 1, 1 },
				 { "name", "text", 0, 1 },
				 { "person", "name", 1, 1 },
				 { "time", "time", 1, 1 },
				 { "root", "number", 1, 1 },
				 { "note", "text", 0, 1 } },
};

static const struct form *form_of(const char *kind)
{
	for (size_t i = 0; i < ARRAY_SIZE(forms); i++)
		if (!strcmp(forms[i].kind, kind))
			return &forms[i];
	fail_msg("no form '%s'", kind);
	return NULL;
}

/* ---- texts as rows of lines ---- */

struct rows {
	char *line[600];
	size_t count;
};

static void rows_done(struct rows *rows)
{
	for (size_t i = 0; i < rows->count; i++)
		free(rows->line[i]);
	rows->count = 0;
}

/* Takes line over. */
static void rows_put(struct rows *rows, size_t at, char *line)
{
	CHECK(rows->count < ARRAY_SIZE(rows->line));
	memmove(&rows->line[at + 1], &rows->line[at], (rows->count - at) * sizeof(*rows->line));
	rows->line[at] = line;
	rows->count++;
}

static void rows_take(struct rows *rows, size_t at)
{
	free(rows->line[at]);
	memmove(&rows->line[at], &rows->line[at + 1], (rows->count - at - 1) * sizeof(*rows->line));
	rows->count--;
}

static void rows_set(struct rows *rows, size_t at, char *line)
{
	free(rows->line[at]);
	rows->line[at] = line;
}

static char *line_of(const struct rule *rule)
{
	return mem_printf("%s: %s", rule->key, form_of(rule->kind)->good[0]);
}

/* Each key of the type once; without the optional ones when `least`. */
static void example(struct rows *rows, enum statement_type type, bool least)
{
	*rows = (struct rows){ 0 };
	rows_put(rows, 0, mem_printf("holdfast-statement/1 %s", statement_type_name(type)));
	for (const struct rule *rule = rules[type]; rule->key; rule++)
		if (!least || rule->min)
			rows_put(rows, rows->count, line_of(rule));
}

static int check_rows(const struct rows *rows)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	struct error err = { 0 };

	for (size_t i = 0; i < rows->count; i++)
		buf_addf(&text, "%s\n", rows->line[i]);
	return statement_check(buf_bytes(&text), &err);
}

static int check(const char *text)
{
	struct error err = { 0 };

	return statement_check(bytes_str(text), &err);
}

#define FOR_TYPES(t) for (enum statement_type t = 0; t < (enum statement_type)STATEMENT_TYPES; t++)
/* all but the order, which has a proof where others have signatures: tests/unit/test-order.c */
#define FOR_SIGNED_TYPES(t) FOR_TYPES(t) if (t != STATEMENT_ORDER)

/* ---- the tables ---- */

TEST(every_type_has_its_example)
{
	FOR_TYPES(type)
	{
		_cleanup_(rows_done) struct rows full = { 0 }, least = { 0 };
		enum statement_type back;

		example(&full, type, false);
		example(&least, type, true);
		CHECK_EQ(check_rows(&full), 0);
		CHECK_EQ(check_rows(&least), 0);
		CHECK(statement_type_parse(&back, bytes_str(statement_type_name(type))) && back == type);
	}
}

TEST(a_line_is_missing_only_where_it_is_optional)
{
	FOR_TYPES(type)
	{
		for (size_t i = 0; rules[type][i].key; i++) {
			_cleanup_(rows_done) struct rows rows = { 0 };

			example(&rows, type, false);
			rows_take(&rows, i + 1);
			if (check_rows(&rows) != (rules[type][i].min ? E_FORMAT : 0))
				fail_msg("%s without '%s'", statement_type_name(type), rules[type][i].key);
		}
	}
}

TEST(a_line_occurs_as_often_as_its_bound_and_no_more)
{
	FOR_TYPES(type)
	{
		for (size_t i = 0; rules[type][i].key; i++) {
			_cleanup_(rows_done) struct rows rows = { 0 };

			example(&rows, type, false);
			for (unsigned n = 1; n < rules[type][i].max; n++)
				rows_put(&rows, i + 1, line_of(&rules[type][i]));
			CHECK_EQ(check_rows(&rows), 0);
			rows_put(&rows, i + 1, line_of(&rules[type][i]));
			if (check_rows(&rows) != E_FORMAT)
				fail_msg("%s with '%s' %u times", statement_type_name(type), rules[type][i].key, rules[type][i].max + 1);
		}
	}
}

TEST(lines_keep_their_order)
{
	FOR_TYPES(type)
	{
		for (size_t i = 0; rules[type][i].key; i++) {
			for (size_t k = i + 1; rules[type][k].key; k++) {
				_cleanup_(rows_done) struct rows rows = { 0 };

				example(&rows, type, false);
				rows_take(&rows, k + 1);
				rows_put(&rows, i + 1, line_of(&rules[type][k])); /* the later line before the earlier */
				if (check_rows(&rows) != E_FORMAT)
					fail_msg("%s with '%s' before '%s'", statement_type_name(type), rules[type][k].key,
						 rules[type][i].key);
			}
		}
	}
}

/* A key that may occur often must do so in a row. */
TEST(lines_of_one_key_stand_together)
{
	_cleanup_(rows_done) struct rows rows = { 0 };

	example(&rows, STATEMENT_ROOT, false);
	rows_put(&rows, 9, mem_strdup("person: bob")); /* behind the key line */
	CHECK_EQ(check_rows(&rows), E_FORMAT);
}

TEST(unknown_keys_are_refused_everywhere)
{
	static const char *const lines[] = { "hello: world",  "Fleet: " ID_A, "fleet : " ID_A, "x-fleet: " ID_A,
					     "fleets: " ID_A, "flee: " ID_A,  "comment: x",    "holdfast-statement/1 login" };

	FOR_TYPES(type)
	{
		_cleanup_(rows_done) struct rows rows = { 0 };

		example(&rows, type, false);
		for (size_t at = 0; at <= rows.count; at++) {
			for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
				rows_put(&rows, at, mem_strdup(lines[i]));
				if (check_rows(&rows) != E_FORMAT)
					fail_msg("%s with '%s' as line %zu", statement_type_name(type), lines[i], at + 1);
				rows_take(&rows, at);
			}
		}
	}
}

/* A key of another type is as unknown as any. */
TEST(keys_of_other_types_are_refused)
{
	FOR_TYPES(type)
	{
		FOR_TYPES(other)
		{
			for (const struct rule *rule = rules[other]; rule->key; rule++) {
				_cleanup_(rows_done) struct rows rows = { 0 };
				bool is_known = false;

				for (const struct rule *own = rules[type]; own->key; own++)
					is_known = is_known || !strcmp(own->key, rule->key);
				if (is_known)
					continue;
				example(&rows, type, false);
				for (size_t at = 1; at <= rows.count; at++) {
					rows_put(&rows, at, line_of(rule));
					CHECK_EQ(check_rows(&rows), E_FORMAT);
					rows_take(&rows, at);
				}
			}
		}
	}
}

TEST(values_have_their_form)
{
	FOR_TYPES(type)
	{
		_cleanup_(rows_done) struct rows rows = { 0 };

		example(&rows, type, false);
		for (size_t i = 0; rules[type][i].key; i++) {
			const struct rule *rule = &rules[type][i];
			const struct form *form = form_of(rule->kind);

			for (size_t k = 0; form->good[k]; k++) {
				rows_set(&rows, i + 1, mem_printf("%s: %s", rule->key, form->good[k]));
				if (check_rows(&rows) != 0)
					fail_msg("%s with '%s: %s' is refused", statement_type_name(type), rule->key, form->good[k]);
			}
			for (size_t k = 0; form->bad[k]; k++) {
				rows_set(&rows, i + 1, mem_printf("%s: %s", rule->key, form->bad[k]));
				if (check_rows(&rows) != E_FORMAT)
					fail_msg("%s with '%s: %s' passes", statement_type_name(type), rule->key, form->bad[k]);
			}
			rows_set(&rows, i + 1, line_of(rule));
		}
	}
}

/* ---- lines and bytes ---- */

#define LOGIN_TO "holdfast-statement/1 login\nfleet: " ID_A "\nperson: alice\nserver: "
#define LOGIN_FROM "\nchallenge: " HASH_A "\ntime: 2026-01-02T03:04:05Z\n"

TEST(a_line_is_a_key_a_colon_a_blank_and_a_value)
{
	static const char *const lines[] = {
		"",
		" ",
		":",
		": ",
		"person",
		"person:",
		"person: ",
		"person:alice",
		"person:  alice",
		"person: alice ",
		" person: alice",
		"person : alice",
		"person\t: alice",
		"person:\talice",
		"PERSON: alice",
		"person= alice",
		"person;alice",
		": alice",
		"person: alice\r",
		"\rperson: alice",
	};

	CHECK_EQ(check(LOGIN_TO "x" LOGIN_FROM), 0);
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		_cleanup_(mem_freep) char *text =
			mem_printf("holdfast-statement/1 login\nfleet: " ID_A "\n%s\nserver: x" LOGIN_FROM, lines[i]);

		if (check(text) != E_FORMAT)
			fail_msg("line '%s' passes", lines[i]);
	}
}

/* In a text blanks are allowed, so that only the rule of the line can refuse them at its ends. */
TEST(no_value_begins_or_ends_with_a_blank)
{
	CHECK_EQ(check(LOGIN_TO "x y" LOGIN_FROM), 0);
	CHECK_EQ(check(LOGIN_TO " x" LOGIN_FROM), E_FORMAT);
	CHECK_EQ(check(LOGIN_TO "x " LOGIN_FROM), E_FORMAT);
	CHECK_EQ(check(LOGIN_TO " " LOGIN_FROM), E_FORMAT);
}

TEST(no_byte_but_printable_ascii_passes_anywhere)
{
	static const char text[] = LOGIN_TO "x y" LOGIN_FROM;
	struct error err = { 0 };

	for (size_t at = 0; at <= sizeof(text) - 1; at++) {
		for (int c = 0; c < 256; c++) {
			uint8_t changed[sizeof(text)];

			if (c == '\n' || (c >= 0x20 && c <= 0x7e))
				continue;
			memcpy(changed, text, at);
			changed[at] = (uint8_t)c;
			memcpy(changed + at + 1, text + at, sizeof(text) - 1 - at);
			CHECK_EQ(statement_check(bytes_of(changed, sizeof(changed)), &err), E_FORMAT);
		}
	}
	for (int c = 0x20; c <= 0x7e; c++) { /* and in a text all of these do */
		_cleanup_(mem_freep) char *whole = mem_printf(LOGIN_TO "x%cy" LOGIN_FROM, c);

		CHECK_EQ(check(whole), 0);
	}
}

TEST(a_byte_more_or_less_is_seen_at_every_newline)
{
	static const char text[] = LOGIN_TO "x y" LOGIN_FROM;
	struct error err = { 0 };

	for (size_t at = 0; at <= sizeof(text) - 1; at++) {
		char changed[sizeof(text)];

		memcpy(changed, text, at);
		changed[at] = '\n';
		memcpy(changed + at + 1, text + at, sizeof(text) - 1 - at);
		CHECK_EQ(statement_check(bytes_of(changed, sizeof(text)), &err), E_FORMAT);
	}
	for (size_t len = 0; len < sizeof(text) - 1; len++)
		CHECK_EQ(statement_check(bytes_of(text, len), &err), E_FORMAT);
}

TEST(crlf_is_refused)
{
	_cleanup_(buf_done) struct buf dos = { 0 };
	struct error err = { 0 };

	for (const char *at = LOGIN_TO "x" LOGIN_FROM; *at; at++) {
		if (*at == '\n')
			buf_add_char(&dos, '\r');
		buf_add_char(&dos, *at);
	}
	CHECK_EQ(statement_check(buf_bytes(&dos), &err), E_FORMAT);
}

TEST(the_first_line_names_a_version_and_a_known_type)
{
	static const char *const lines[] = { "holdfast-statement/2 login",
					     "holdfast-statement/1 logout",
					     "holdfast-statement/1 Login",
					     "holdfast-statement/1 login ",
					     "holdfast-statement/1  login",
					     " holdfast-statement/1 login",
					     "holdfast-statement/1",
					     "holdfast-statement/1 ",
					     "holdfast-statement/01 login",
					     "login",
					     "",
					     "holdfast-statement/1 login: x",
					     "holdfast-statement/1 log",
					     "\xef\xbb\xbfholdfast-statement/1 login" };

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		_cleanup_(mem_freep) char *text = mem_printf("%s\nfleet: " ID_A "\nperson: alice\nserver: x" LOGIN_FROM, lines[i]);

		if (check(text) != E_FORMAT)
			fail_msg("first line '%s' passes", lines[i]);
	}
	CHECK_EQ(check(""), E_FORMAT);
	CHECK_EQ(check("\n"), E_FORMAT);
}

/* A root whose `role` line is len bytes long: the only line of any type that reaches the bound. */
static int root_with_role_line(size_t len)
{
	_cleanup_(rows_done) struct rows rows = { 0 };
	_cleanup_(buf_done) struct buf line = { 0 };

	example(&rows, STATEMENT_ROOT, false);
	buf_add_str(&line, "role: root");
	while (line.len < len)
		buf_addf(&line, " %.*s", (int)(len - line.len - 1 > 60 ? 50 : len - line.len - 1), S63);
	CHECK_EQ(line.len, len);
	rows_set(&rows, 10, buf_steal_text(&line));
	return check_rows(&rows);
}

TEST(a_line_has_at_most_1024_bytes)
{
	CHECK_EQ(root_with_role_line(1023), 0);
	CHECK_EQ(root_with_role_line(1024), 0);
	CHECK_EQ(root_with_role_line(1025), E_FORMAT);
}

static int login_with_server(size_t len)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	struct error err = { 0 };

	buf_add_str(&text, LOGIN_TO);
	memset(buf_extend(&text, len), 'x', len);
	buf_add_str(&text, LOGIN_FROM);
	return statement_check(buf_bytes(&text), &err);
}

TEST(a_text_has_at_most_900_bytes)
{
	CHECK_EQ(login_with_server(900), 0);
	CHECK_EQ(login_with_server(901), E_FORMAT);
	CHECK_EQ(login_with_server(2 << 20), E_FORMAT);
}

TEST(a_statement_has_at_most_512_lines_and_64_kib)
{
	_cleanup_(buf_done) struct buf lines = { 0 }, bytes = { 0 }, endless = { 0 };
	struct error err = { 0 };

	buf_add_str(&lines, "holdfast-statement/1 admit\n");
	for (int i = 1; i < 513; i++)
		buf_add_str(&lines, "label: a:b\n");
	CHECK_EQ(statement_check(buf_bytes(&lines), &err), E_FORMAT);
	CHECK(strstr(err.text, "512 lines"));
	buf_add_str(&bytes, "holdfast-statement/1 admit\n");
	for (int i = 0; i < 66; i++) {
		buf_add_str(&bytes, "label: ");
		memset(buf_extend(&bytes, 1000), 'x', 1000);
		buf_add_char(&bytes, '\n');
	}
	CHECK_EQ(statement_check(buf_bytes(&bytes), &err), E_FORMAT);
	CHECK(strstr(err.text, "65536 bytes"));
	memset(buf_extend(&endless, 2 << 20), 'x', 2 << 20);
	CHECK_EQ(statement_check(buf_bytes(&endless), &err), E_FORMAT);
}

/* The most that the table of the largest type allows fits into the bounds of all. */
TEST(a_root_of_the_largest_size_passes)
{
	_cleanup_(rows_done) struct rows rows = { 0 };

	rows_put(&rows, 0, mem_strdup("holdfast-statement/1 root"));
	for (const struct rule *rule = rules[STATEMENT_ROOT]; rule->key; rule++)
		for (unsigned n = 0; n < rule->max; n++)
			rows_put(&rows, rows.count, line_of(rule));
	CHECK_EQ(check_rows(&rows), 0);
}

/* ---- round trip over random statements ---- */

static uint32_t random_state;

static uint32_t rnd(uint32_t below)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 17;
	random_state ^= random_state << 5;
	return random_state % below;
}

static void rnd_chars(struct buf *out, const char *alphabet, size_t count)
{
	while (count--)
		buf_add_char(out, alphabet[rnd((uint32_t)strlen(alphabet))]);
}

static void rnd_name(struct buf *out)
{
	rnd_chars(out, "abcdefghijklmnopqrstuvwxyz0123456789", 1);
	rnd_chars(out, "abcdefghijklmnopqrstuvwxyz0123456789._-", rnd(63));
}

static void rnd_number(struct buf *out)
{
	uint64_t n = ((uint64_t)rnd(UINT32_MAX) << 32 | rnd(UINT32_MAX)) & ((1ULL << 53) - 1);

	buf_addf(out, "%llu", (unsigned long long)(n >> rnd(54)));
}

static void rnd_time(struct buf *out)
{
	char text[CLOCK_TEXT_LEN];

	/* from 2020 on, 181 years */
	clock_text(text, 1577836800 + (int64_t)(((uint64_t)rnd(UINT32_MAX) << 8) % 5711731200ULL));
	buf_add_str(out, text);
}

static void rnd_key(struct buf *out)
{
	struct sign_pub pub = { .kind = rnd(2) ? SIGN_ED25519 : SIGN_SK_ED25519 };
	char text[SIGN_PUB_TEXT_MAX];

	for (size_t i = 0; i < sizeof(pub.key); i++)
		pub.key[i] = (uint8_t)rnd(256);
	if (pub.kind == SIGN_SK_ED25519)
		snprintf(pub.application, sizeof(pub.application), "ssh:%u", rnd(100));
	sign_pub_text(text, &pub);
	buf_add_str(out, text);
}

static void rnd_recipient(struct buf *out)
{
	struct age_recipient to;
	char text[AGE_RECIPIENT_LEN + 1];

	for (size_t i = 0; i < sizeof(to.pub); i++)
		to.pub[i] = (uint8_t)rnd(256);
	age_recipient_text(text, &to);
	buf_add_str(out, text);
}

static void rnd_text(struct buf *out)
{
	size_t len = 1 + rnd(rnd(4) ? 40 : 900), begin = out->len;

	for (size_t i = 0; i < len; i++)
		buf_add_char(out, (char)(0x20 + rnd(0x5f)));
	for (size_t i = begin; i < out->len; i += len - 1 ? len - 1 : 1) /* no blank at either end */
		if (out->ptr[i] == ' ')
			out->ptr[i] = '.';
}

static void rnd_pin(struct buf *out)
{
	uint8_t raw[32];

	for (size_t i = 0; i < sizeof(raw); i++)
		raw[i] = (uint8_t)rnd(256);
	base64_encode(out, bytes_of(raw, sizeof(raw)));
}

static void rnd_value(struct buf *out, const char *kind)
{
	static const char hex[] = "0123456789abcdef", word[] = "abcdefghijklmnopqrstuvwxyz0123456789-";

	if (!strcmp(kind, "id"))
		rnd_chars(out, "abcdefghijklmnopqrstuvwxyz234567", ID_LEN);
	else if (!strcmp(kind, "hash"))
		rnd_chars(out, hex, 64);
	else if (!strcmp(kind, "number"))
		rnd_number(out);
	else if (!strcmp(kind, "time"))
		rnd_time(out);
	else if (!strcmp(kind, "name"))
		rnd_name(out);
	else if (!strcmp(kind, "word"))
		rnd_chars(out, word, 1 + rnd(63));
	else if (!strcmp(kind, "text"))
		rnd_text(out);
	else if (!strcmp(kind, "key"))
		rnd_key(out);
	else if (!strcmp(kind, "recipient"))
		rnd_recipient(out);
	else if (!strcmp(kind, "pin"))
		rnd_pin(out);
	else if (!strcmp(kind, "saved"))
		buf_add_str(out, (const char *const[]){ "yes", "no", "unknown" }[rnd(3)]);
	else
		fail_msg("no random value of kind '%s'", kind);
}

/* Kinds that are made of others. */
static void rnd_line_value(struct buf *out, const char *kind)
{
	static const char *const parts[][4] = { { "label", "name", ":", "name" },
						{ "point", "number", " ", "hash" },
						{ "pair", "number", " ", "number" },
						{ "name-key", "name", " ", "key" },
						{ "name-recipient", "name", " ", "recipient" },
						{ "word-number", "word", " ", "number" },
						{ "word-names", "word", " ", "name" } };

	if (!strcmp(kind, "seal")) {
		rnd_number(out);
		buf_addf(out, " %u ", 1 + rnd(4 << 20));
		rnd_chars(out, "0123456789abcdef", 64);
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		if (strcmp(parts[i][0], kind) != 0)
			continue;
		rnd_value(out, parts[i][1]);
		buf_add_str(out, parts[i][2]);
		rnd_value(out, parts[i][3]);
		for (uint32_t more = !strcmp(kind, "word-names") ? rnd(10) : 0; more; more--) {
			buf_add_char(out, ' ');
			rnd_name(out);
		}
		return;
	}
	rnd_value(out, kind);
}

/* Builds a random statement; rows hold what it was built from. */
static void build_random(struct buf *text, struct rows *rows, enum statement_type type)
{
	statement_begin(text, type);
	for (const struct rule *rule = rules[type]; rule->key; rule++) {
		unsigned times = rule->min + (rule->max > rule->min ? rnd(rule->max - rule->min + 1) : 0);

		if (times > 4 && rnd(8))
			times = 4;
		for (unsigned n = 0; n < times; n++) {
			_cleanup_(buf_done) struct buf value = { 0 };

			rnd_line_value(&value, rule->kind);
			statement_add(text, rule->key, "%s", buf_text(&value));
			rows_put(rows, rows->count, mem_printf("%s: %s", rule->key, buf_text(&value)));
		}
	}
}

/* Every line is found by its key and place, and nothing else is there. */
static void compare(const struct statement *st, const struct rows *rows, enum statement_type type)
{
	size_t total = 0;

	for (size_t i = 0; i < rows->count; i++) {
		_cleanup_(mem_freep) char *key = mem_strndup(rows->line[i], strcspn(rows->line[i], ":"));
		size_t at = 0;

		while (at < i && !strncmp(rows->line[i - at - 1], rows->line[i], strlen(key) + 1))
			at++;
		CHECK_STR(statement_at(st, key, at), rows->line[i] + strlen(key) + 2);
		if (!at)
			CHECK_STR(statement_get(st, key), rows->line[i] + strlen(key) + 2);
	}
	for (const struct rule *rule = rules[type]; rule->key; rule++) {
		total += statement_count(st, rule->key);
		CHECK(!statement_at(st, rule->key, statement_count(st, rule->key)));
	}
	CHECK_EQ(total, rows->count);
}

static void round_trip(enum statement_type type, const struct sign_key *key)
{
	_cleanup_(statement_freep) struct statement *st = NULL, *again = NULL;
	_cleanup_(rows_done) struct rows rows = { 0 };
	_cleanup_(buf_done) struct buf whole = { 0 };
	uint8_t hash[HASH_LEN];
	struct error err = { 0 };
	size_t used = 0, text_len;

	build_random(&whole, &rows, type);
	CHECK_OK(statement_check(buf_bytes(&whole), &err));
	text_len = whole.len;
	sha256(hash, buf_bytes(&whole));
	CHECK_OK(statement_sign(&whole, key, &err));
	CHECK_OK(statement_parse(&st, buf_bytes(&whole), false, &used, &err));
	CHECK_EQ(used, whole.len);
	CHECK_EQ(statement_type(st), type);
	CHECK(bytes_equal(statement_whole(st), buf_bytes(&whole)));
	CHECK(bytes_equal(statement_text(st), bytes_of(whole.ptr, text_len)));
	assert_memory_equal(statement_hash(st), hash, HASH_LEN);
	CHECK_OK(statement_verify_by(st, &key->pub, &err));
	compare(st, &rows, type);
	CHECK_OK(statement_parse(&again, statement_whole(st), false, &used, &err));
	CHECK(bytes_equal(statement_whole(again), statement_whole(st)));
}

TEST(a_random_statement_comes_back_as_it_was_built)
{
	_cleanup_(sign_key_done) struct sign_key key = { 0 };

	sign_key_new(&key);
	for (uint32_t seed = 1; seed <= 150; seed++) {
		random_state = seed * 2654435761u;
		FOR_SIGNED_TYPES(type)
		round_trip(type, &key);
	}
}

/* ---- signatures ---- */

enum { KEYS = 18 };

static struct sign_key keys[KEYS];

static void make_keys(void)
{
	for (uint8_t i = 0; i < KEYS; i++) {
		uint8_t seed[32];

		memset(seed, i + 1, sizeof(seed));
		if (!keys[i].pair.ptr)
			sign_key_from_seed(&keys[i], seed);
	}
}

__attribute__((destructor)) static void drop_keys(void)
{
	for (size_t i = 0; i < KEYS; i++)
		sign_key_done(&keys[i]);
}

static const char login[] = LOGIN_TO "https://localhost:8443" LOGIN_FROM;

/* The login, signed by keys[i] for each i of the list up to a negative one. */
static void signed_login(struct buf *out, const int *by)
{
	make_keys();
	buf_add_str(out, login);
	for (; *by >= 0; by++)
		sshsig_sign(out, &keys[*by], "login@holdfast", bytes_str(login));
}

#define SIGNED(out, ...) signed_login(out, (const int[]){ __VA_ARGS__, -1 })

/* Two keys make a person: 0 and 1 are p0, 2 and 3 p1, ... The last one belongs to nobody. */
static const char *who_by_twos(void *ctx _unused_, const struct sign_pub *key, enum statement_type type)
{
	static const char *const people[] = { "p0", "p1", "p2", "p3", "p4", "p5", "p6", "p7", "p8" };

	CHECK_EQ(type, STATEMENT_LOGIN);
	for (size_t i = 0; i + 1 < KEYS; i++)
		if (sign_pub_equal(key, &keys[i].pub))
			return people[i / 2];
	return NULL;
}

static int verify_with(const struct buf *whole, unsigned need)
{
	_cleanup_(statement_freep) struct statement *st = NULL;
	struct signers by = { who_by_twos, NULL };
	struct error err = { 0 };

	CHECK_OK(statement_parse(&st, buf_bytes(whole), false, NULL, &err));
	return statement_verify(st, &by, need, &err);
}

TEST(people_are_counted_not_signatures_or_keys)
{
	_cleanup_(buf_done) struct buf one = { 0 }, twice = { 0 }, two_keys = { 0 }, two = { 0 }, many = { 0 };

	SIGNED(&one, 0);
	SIGNED(&twice, 0, 0);
	SIGNED(&two_keys, 0, 1);
	SIGNED(&two, 1, 2);
	SIGNED(&many, 0, 1, 0, 1, 0, 2, 3, 2, 3, 4, 5, 6, 7, 0, 1, 2);
	CHECK_EQ(verify_with(&one, 1), 0);
	CHECK_EQ(verify_with(&one, 2), E_DENIED);
	CHECK_EQ(verify_with(&twice, 1), 0);
	CHECK_EQ(verify_with(&twice, 2), E_DENIED);
	CHECK_EQ(verify_with(&two_keys, 2), E_DENIED);
	CHECK_EQ(verify_with(&two, 2), 0);
	CHECK_EQ(verify_with(&two, 3), E_DENIED);
	CHECK_EQ(verify_with(&many, 4), 0);
	CHECK_EQ(verify_with(&many, 5), E_DENIED);
}

TEST(a_signature_by_somebody_who_may_not_refuses_the_whole)
{
	_cleanup_(buf_done) struct buf alone = { 0 }, first = { 0 }, last = { 0 };

	SIGNED(&alone, KEYS - 1);
	SIGNED(&first, KEYS - 1, 0, 2);
	SIGNED(&last, 0, 2, KEYS - 1);
	CHECK_EQ(verify_with(&alone, 1), E_DENIED);
	CHECK_EQ(verify_with(&first, 1), E_DENIED);
	CHECK_EQ(verify_with(&last, 1), E_DENIED);
}

TEST(a_signature_that_does_not_hold_refuses_the_whole)
{
	_cleanup_(buf_done) struct buf other_text = { 0 }, other_space = { 0 };

	make_keys();
	SIGNED(&other_text, 0);
	sshsig_sign(&other_text, &keys[2], "login@holdfast", bytes_str("another text"));
	CHECK_EQ(verify_with(&other_text, 1), E_SEAL);
	SIGNED(&other_space, 0);
	sshsig_sign(&other_space, &keys[2], "admit@holdfast", bytes_str(login));
	CHECK_EQ(verify_with(&other_space, 1), E_SEAL);
}

TEST(a_signature_counts_for_its_type_only)
{
	make_keys();
	FOR_SIGNED_TYPES(type)
	{
		FOR_SIGNED_TYPES(other)
		{
			_cleanup_(statement_freep) struct statement *st = NULL;
			_cleanup_(rows_done) struct rows rows = { 0 };
			_cleanup_(buf_done) struct buf whole = { 0 };
			struct error err = { 0 };

			example(&rows, type, false);
			for (size_t i = 0; i < rows.count; i++)
				buf_addf(&whole, "%s\n", rows.line[i]);
			sshsig_sign(&whole, &keys[0], statement_namespace(other), buf_bytes(&whole));
			CHECK_OK(statement_parse(&st, buf_bytes(&whole), false, NULL, &err));
			CHECK_EQ(statement_verify_by(st, &keys[0].pub, &err), type == other ? 0 : E_SEAL);
		}
	}
}

TEST(what_one_key_must_sign_has_one_signature_by_it)
{
	_cleanup_(buf_done) struct buf one = { 0 }, twice = { 0 }, with_other = { 0 };
	const struct buf *const wholes[] = { &one, &twice, &with_other };
	struct sign_pub token;

	SIGNED(&one, 0);
	SIGNED(&twice, 0, 0);
	SIGNED(&with_other, 0, 2);
	token = keys[0].pub;
	token.kind = SIGN_SK_ED25519;
	memcpy(token.application, "ssh:", 5);
	for (size_t i = 0; i < ARRAY_SIZE(wholes); i++) {
		_cleanup_(statement_freep) struct statement *st = NULL;
		struct error err = { 0 };

		CHECK_OK(statement_parse(&st, buf_bytes(wholes[i]), false, NULL, &err));
		CHECK_EQ(statement_verify_by(st, &keys[0].pub, &err), i ? E_DENIED : 0);
		CHECK_EQ(statement_verify_by(st, &keys[2].pub, &err), E_DENIED);
		CHECK_EQ(statement_verify_by(st, &token, &err), E_DENIED); /* the same bytes in a token */
	}
}

TEST(there_are_one_to_sixteen_signatures)
{
	_cleanup_(buf_done) struct buf whole = { 0 };
	struct error err = { 0 };
	uint8_t hash[HASH_LEN];

	make_keys();
	sha256(hash, bytes_str(login));
	buf_add_str(&whole, login);
	for (size_t n = 0; n <= STATEMENT_SIGS_MAX + 1; n++) {
		_cleanup_(statement_freep) struct statement *st = NULL;
		size_t used = 0;
		int r = statement_parse(&st, buf_bytes(&whole), false, &used, &err);

		CHECK_EQ(r, n >= 1 && n <= STATEMENT_SIGS_MAX ? 0 : E_FORMAT);
		if (r == 0) {
			CHECK_EQ(used, whole.len);
			CHECK_EQ(statement_sig_count(st), n);
			assert_memory_equal(statement_hash(st), hash, HASH_LEN); /* further signatures do not change it */
		}
		sshsig_sign(&whole, &keys[n], "login@holdfast", bytes_str(login));
	}
}

/* What stands between two signatures ends the statement there: the second one is none of it. */
TEST(nothing_stands_between_signatures)
{
	static const char *const between[] = { "\n", " ", "x", "time: 2026-01-02T03:04:05Z\n", "holdfast-statement/1 login\n" };

	make_keys();
	for (size_t i = 0; i < ARRAY_SIZE(between); i++) {
		_cleanup_(statement_freep) struct statement *st = NULL;
		_cleanup_(buf_done) struct buf whole = { 0 };
		struct error err = { 0 };
		size_t used = 0, first;

		SIGNED(&whole, 0);
		first = whole.len;
		buf_add_str(&whole, between[i]);
		sshsig_sign(&whole, &keys[2], "login@holdfast", bytes_str(login));
		CHECK_OK(statement_parse(&st, buf_bytes(&whole), false, &used, &err));
		CHECK_EQ(used, first);
		CHECK_EQ(statement_sig_count(st), 1);
	}
}

TEST(a_broken_signature_block_is_refused)
{
	_cleanup_(buf_done) struct buf whole = { 0 };
	_cleanup_(statement_freep) struct statement *st = NULL;
	struct error err = { 0 };

	SIGNED(&whole, 0, 2);
	for (size_t len = strlen(login) + 1; len < whole.len; len++) {
		int r = statement_parse(&st, bytes_of(whole.ptr, len), false, NULL, &err);

		if (r == 0) { /* cut behind the first one, or so early in the second that it does not look like one */
			CHECK_EQ(statement_sig_count(st), 1);
			CHECK(len - statement_whole(st).len <= strlen("-----BEGIN SSH SIGNATURE-----\n"));
			st = statement_free(st);
		} else {
			CHECK_EQ(r, E_FORMAT);
		}
	}
}

TEST(ssh_keygen_verifies_every_type)
{
	const char *dir = test_folder();
	_cleanup_(mem_freep) char *allowed = mem_printf("%s/allowed", dir), *file = mem_printf("%s/sig", dir);
	struct error err = { 0 };

	make_keys();
	CHECK_OK(fs_write(allowed, bytes_str("alice " KEY_1 "\n"), 0600, &err));
	FOR_SIGNED_TYPES(type)
	{
		const char *const argv[] = { "ssh-keygen", "-Y", "verify", "-f", allowed, "-I", "alice", "-n", statement_namespace(type),
					     "-s",         file, NULL };
		_cleanup_(statement_freep) struct statement *st = NULL;
		_cleanup_(rows_done) struct rows rows = { 0 };
		_cleanup_(buf_done) struct buf whole = { 0 };
		struct proc_result run = { 0 };

		example(&rows, type, false);
		for (size_t i = 0; i < rows.count; i++)
			buf_addf(&whole, "%s\n", rows.line[i]);
		CHECK_OK(statement_sign(&whole, &keys[0], &err));
		CHECK_OK(statement_parse(&st, buf_bytes(&whole), false, NULL, &err));
		CHECK_OK(fs_write(file, bytes_from(statement_whole(st), statement_text(st).len), 0600, &err));
		CHECK_OK(proc_run(&run, argv, statement_text(st), 10000, 4096, &err));
		CHECK_EQ(run.status, 0);
		proc_result_done(&run);
	}
}

TEST(what_is_signed_already_or_wrong_is_not_signed)
{
	_cleanup_(buf_done) struct buf whole = { 0 }, wrong = { 0 };
	struct error err = { 0 };

	make_keys();
	SIGNED(&whole, 0);
	CHECK_EQ(statement_check(buf_bytes(&whole), &err), E_FORMAT);
	buf_add_str(&wrong, LOGIN_TO LOGIN_FROM);
	CHECK_EQ(statement_sign(&wrong, &keys[0], &err), E_FORMAT);
	CHECK_BYTES(buf_bytes(&wrong), LOGIN_TO LOGIN_FROM);
}

/* ---- fields ---- */

TEST(fields_come_out_as_values)
{
	_cleanup_(statement_freep) struct statement *st = NULL;
	_cleanup_(rows_done) struct rows rows = { 0 };
	_cleanup_(buf_done) struct buf text = { 0 };
	uint8_t hash[HASH_LEN], want[HASH_LEN];
	struct seal_ref refs[CONTAINER_SEALS_MAX], one;
	struct error err = { 0 };
	uint64_t number;

	example(&rows, STATEMENT_SNAPSHOT, false);
	for (size_t i = 0; i < rows.count; i++)
		buf_addf(&text, "%s\n", rows.line[i]);
	CHECK_OK(statement_parse(&st, buf_bytes(&text), true, NULL, &err));
	CHECK(hex_decode(want, HASH_LEN, bytes_str(HASH_A)));
	CHECK_EQ(statement_number(st, "number"), 42);
	CHECK_EQ(statement_time(st, "time"), 1767323045);
	CHECK(statement_get_hash(hash, st, "prev") && !memcmp(hash, want, HASH_LEN));
	CHECK(statement_get_point(&number, hash, st, "checkpoint") && number == 7 && !memcmp(hash, want, HASH_LEN));
	CHECK(!statement_get(st, "absent") && !statement_number(st, "absent") && !statement_time(st, "absent"));
	CHECK(!statement_get_hash(hash, st, "absent") && !statement_get_point(&number, hash, st, "absent"));
	CHECK_EQ(statement_seals(refs, st), 4);
	CHECK_STR(refs[0].name, "base");
	CHECK_STR(refs[3].name, "secrets");
	CHECK(statement_seal(&one, st, "delta") && one.number == 3 && one.len == 1000 && !memcmp(one.hash, want, HASH_LEN));
	CHECK(!statement_seal(&one, st, "number"));
}

/* ---- containers ---- */

enum { SEALS = 3 };

static const char *const seal_texts[SEALS] = { "the base", "d", "the secrets of this device" };

/* A snapshot number 5 with base, delta and secrets; numbers[i] says which statement brought seal i. */
static void make_container(struct buf *out, const uint64_t numbers[static SEALS], bool carry_all)
{
	static const char *const names[SEALS] = { "base", "delta", "secrets" };
	struct error err = { 0 };

	make_keys();
	statement_begin(out, STATEMENT_SNAPSHOT);
	for (const struct rule *rule = rules[STATEMENT_SNAPSHOT]; rule->key; rule++)
		if (rule->min && strcmp(rule->kind, "seal") != 0)
			statement_add(out, rule->key, "%s", !strcmp(rule->key, "number") ? "5" : form_of(rule->kind)->good[0]);
	for (size_t i = 0; i < SEALS; i++)
		statement_add_seal(out, names[i], numbers[i], bytes_str(seal_texts[i]));
	CHECK_OK(statement_sign(out, &keys[0], &err));
	for (size_t i = 0; i < SEALS; i++)
		if (carry_all || numbers[i] == 5)
			buf_add_str(out, seal_texts[i]);
}

static int parse_container(const struct buf *in, enum container_kind kind, size_t *used, unsigned *carried)
{
	struct container c = { 0 };
	struct error err = { 0 };
	int r = container_parse(&c, buf_bytes(in), kind, used, &err);

	if (r < 0) {
		CHECK(!c.st);
		return r;
	}
	*carried = 0;
	CHECK_EQ(c.count, SEALS);
	for (size_t i = 0; i < c.count; i++) {
		CHECK(bytes_equal(container_seal(&c, c.refs[i].name), c.seals[i]));
		if (c.seals[i].ptr) {
			CHECK_BYTES(c.seals[i], seal_texts[i]);
			*carried |= 1u << i;
		}
	}
	CHECK(!container_seal(&c, "startup").ptr);
	container_done(&c);
	return 0;
}

TEST(a_container_carries_what_its_kind_says)
{
	static const uint64_t all[SEALS] = { 5, 5, 5 }, some[SEALS] = { 2, 5, 2 };
	_cleanup_(buf_done) struct buf whole = { 0 }, attached = { 0 }, full = { 0 };
	unsigned carried;
	size_t used;

	make_container(&whole, all, false);
	make_container(&attached, some, false);
	make_container(&full, some, true);
	CHECK_EQ(parse_container(&whole, CONTAINER_ATTACHED, &used, &carried), 0);
	CHECK(used == whole.len && carried == 7);
	CHECK_EQ(parse_container(&whole, CONTAINER_FULL, &used, &carried), 0);
	CHECK(used == whole.len && carried == 7);
	CHECK_EQ(parse_container(&attached, CONTAINER_ATTACHED, &used, &carried), 0);
	CHECK(used == attached.len && carried == 2);
	CHECK_EQ(parse_container(&attached, CONTAINER_FULL, &used, &carried), E_FORMAT); /* one byte is no base */
	CHECK_EQ(parse_container(&full, CONTAINER_FULL, &used, &carried), 0);
	CHECK(used == full.len && carried == 7);
	CHECK_EQ(parse_container(&full, CONTAINER_ATTACHED, &used, &carried), E_SEAL);
	buf_add_str(&whole, "more");
	CHECK_EQ(parse_container(&whole, CONTAINER_ATTACHED, &used, &carried), 0);
	CHECK_EQ(used, whole.len - 4);
}

TEST(no_byte_of_a_seal_may_change_or_be_missing)
{
	static const uint64_t all[SEALS] = { 5, 5, 5 };
	_cleanup_(buf_done) struct buf whole = { 0 };
	size_t seals_len = 0, used;
	unsigned carried;

	for (size_t i = 0; i < SEALS; i++)
		seals_len += strlen(seal_texts[i]);
	make_container(&whole, all, false);
	for (size_t at = whole.len - seals_len; at < whole.len; at++) {
		struct buf cut = whole;

		whole.ptr[at] ^= 1;
		CHECK_EQ(parse_container(&whole, CONTAINER_ATTACHED, &used, &carried), E_SEAL);
		whole.ptr[at] ^= 1;
		cut.len = at;
		CHECK_EQ(parse_container(&cut, CONTAINER_ATTACHED, &used, &carried), E_FORMAT);
	}
}

/* A length is believed only as far as bytes are there. */
TEST(a_seal_that_is_announced_too_long_is_refused)
{
	_cleanup_(buf_done) struct buf whole = { 0 };
	struct error err = { 0 };
	struct container c = { 0 };
	size_t used;

	make_keys();
	statement_begin(&whole, STATEMENT_INVITE);
	for (const struct rule *rule = rules[STATEMENT_INVITE]; rule->key; rule++)
		if (rule->min)
			statement_add(&whole, rule->key, "%s",
				      !strcmp(rule->kind, "seal") ? "1 4194304 " HASH_A : form_of(rule->kind)->good[0]);
	CHECK_OK(statement_sign(&whole, &keys[0], &err));
	buf_add_str(&whole, "short");
	CHECK_EQ(container_parse(&c, buf_bytes(&whole), CONTAINER_ATTACHED, &used, &err), E_FORMAT);
	CHECK(strstr(err.text, "cut short"));
}
