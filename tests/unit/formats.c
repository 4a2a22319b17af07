/* tests/unit/formats.c -- the tables of docs/reference/formats.md, and examples from them. */
#include "tests/unit/formats.h"

#include "tests/test.h"

#include <stdlib.h>

#define KEY_2 "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIE5dw6ofRdfVqNUZsNMfszLjYqRtO43ol32D1uPybOU"
#define AGE_A "age1s73k9tlmr5kg98lcccfpf89f9sjd45gal77ry8l5kh7xl8u2cagq4c7ukj"
#define PIN_A "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

static const struct form forms[] = {
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

const struct rule rules[STATEMENT_TYPES][RULES_MAX] = {
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

const struct form *form_of(const char *kind)
{
	for (size_t i = 0; i < ARRAY_SIZE(forms); i++)
		if (!strcmp(forms[i].kind, kind))
			return &forms[i];
	fail_msg("no form '%s'", kind);
	return NULL;
}

void rows_done(struct rows *rows)
{
	for (size_t i = 0; i < rows->count; i++)
		free(rows->line[i]);
	rows->count = 0;
}

void rows_put(struct rows *rows, size_t at, char *line)
{
	CHECK(rows->count < ARRAY_SIZE(rows->line));
	memmove(&rows->line[at + 1], &rows->line[at], (rows->count - at) * sizeof(*rows->line));
	rows->line[at] = line;
	rows->count++;
}

void rows_take(struct rows *rows, size_t at)
{
	free(rows->line[at]);
	memmove(&rows->line[at], &rows->line[at + 1], (rows->count - at - 1) * sizeof(*rows->line));
	rows->count--;
}

void rows_set(struct rows *rows, size_t at, char *line)
{
	free(rows->line[at]);
	rows->line[at] = line;
}

void rows_text(struct buf *out, const struct rows *rows)
{
	for (size_t i = 0; i < rows->count; i++)
		buf_addf(out, "%s\n", rows->line[i]);
}

char *line_of(const struct rule *rule)
{
	return mem_printf("%s: %s", rule->key, form_of(rule->kind)->good[0]);
}

void example(struct rows *rows, enum statement_type type, bool least)
{
	*rows = (struct rows){ 0 };
	rows_put(rows, 0, mem_printf("holdfast-statement/1 %s", statement_type_name(type)));
	for (const struct rule *rule = rules[type]; rule->key; rule++)
		if (!least || rule->min)
			rows_put(rows, rows->count, line_of(rule));
}
