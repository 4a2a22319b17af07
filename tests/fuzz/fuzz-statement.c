/* tests/fuzz/fuzz-statement.c -- statements and containers. */
#include "tests/fuzz/fuzz.h"

#include "crypto/statement.h"

#include <string.h>

static const struct sign_key *our_key(void)
{
	static const uint8_t seed[32] = { 1 };
	static struct sign_key key;

	if (!key.pair.ptr)
		sign_key_from_seed(&key, seed);
	return &key;
}

static bool is_printable(struct bytes text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.ptr[i] != '\n' && (text.ptr[i] < 0x20 || text.ptr[i] > 0x7e))
			return false;
	return true;
}

/* The fields once more, by another reader: every line is found under its key, in its place. */
static void check_fields(const struct statement *st)
{
	struct bytes rest = statement_text(st), line;
	char last[64] = "";
	size_t at = 0, lines = 1;

	MUST(rest.len <= STATEMENT_TEXT_MAX && rest.ptr[rest.len - 1] == '\n' && is_printable(rest));
	MUST(bytes_next_line(&rest, &line));
	MUST(line.len > 21 && bytes_is(bytes_from(line, 21), statement_type_name(statement_type(st))));
	while (bytes_next_line(&rest, &line)) {
		const uint8_t *colon = memchr(line.ptr, ':', line.len);
		char key[64] = "";

		MUST(line.len <= STATEMENT_LINE_MAX && ++lines <= STATEMENT_LINES_MAX);
		MUST(colon && (size_t)(colon - line.ptr) < sizeof(key));
		memcpy(key, line.ptr, (size_t)(colon - line.ptr));
		at = strcmp(key, last) ? 0 : at + 1;
		memcpy(last, key, sizeof(last));
		MUST(bytes_is(bytes_from(line, strlen(key) + 2), statement_at(st, key, at)));
		MUST(at < statement_count(st, key));
	}
}

/* A proof is written again as it was read. */
static void check_proof(const struct statement *st)
{
	const struct order_proof *proof = statement_proof(st);
	_cleanup_(buf_done) struct buf again = { 0 };

	MUST(!proof || (statement_type(st) == STATEMENT_ORDER && !statement_sig_count(st)));
	if (!proof)
		return;
	MUST(proof->index < proof->count && proof->len <= STATEMENT_PROOF_MAX);
	buf_add_bytes(&again, statement_text(st));
	statement_add_proof(&again, proof);
	MUST(bytes_equal(buf_bytes(&again), statement_whole(st)));
}

static void check_same(const struct statement *a, const struct statement *b)
{
	MUST(statement_type(a) == statement_type(b));
	MUST(bytes_equal(statement_whole(a), statement_whole(b)) && bytes_equal(statement_text(a), statement_text(b)));
	MUST(!memcmp(statement_hash(a), statement_hash(b), HASH_LEN));
	MUST(statement_sig_count(a) == statement_sig_count(b) && !statement_proof(a) == !statement_proof(b));
}

/* Whatever the grammar takes can be signed, is the same afterwards, and does not verify with one bit changed. */
static void check_signing(struct bytes text)
{
	_cleanup_(statement_freep) struct statement *st = NULL, *changed = NULL;
	_cleanup_(buf_done) struct buf whole = { 0 };
	struct error err = { 0 };
	size_t used = 0, at = text.len / 2;

	buf_add_bytes(&whole, text);
	MUST_OK(statement_check(text, &err));
	MUST_OK(statement_sign(&whole, our_key(), &err));
	MUST_OK(statement_parse(&st, buf_bytes(&whole), false, &used, &err));
	MUST(used == whole.len && bytes_equal(statement_text(st), text));
	MUST_OK(statement_verify_by(st, &our_key()->pub, &err));
	whole.ptr[at] ^= 1;
	if (statement_parse(&changed, buf_bytes(&whole), false, &used, &err) == 0)
		MUST(statement_verify_by(changed, &our_key()->pub, &err) == E_SEAL);
}

static void check_statement(struct bytes in, bool unsigned_ok)
{
	_cleanup_(statement_freep) struct statement *st = NULL, *again = NULL;
	struct error err = { 0 };
	size_t used = 0, used_again = 0;

	if (statement_parse(&st, in, unsigned_ok, &used, &err) < 0) {
		MUST(!st && err.code < 0 && err.text[0]);
		return;
	}
	MUST(used <= in.len && bytes_equal(statement_whole(st), bytes_of(in.ptr, used)));
	MUST(statement_sig_count(st) <= STATEMENT_SIGS_MAX && (unsigned_ok || statement_sig_count(st) || statement_proof(st)));
	check_fields(st);
	check_proof(st);
	MUST_OK(statement_parse(&again, statement_whole(st), unsigned_ok, &used_again, &err));
	MUST(used_again == used);
	check_same(st, again);
	if (statement_type(st) != STATEMENT_ORDER)
		check_signing(statement_text(st));
}

static void check_container(struct bytes in, enum container_kind kind)
{
	struct container c = { 0 }, again = { 0 };
	struct error err = { 0 };
	size_t used = 0, at;

	if (container_parse(&c, in, kind, &used, &err) < 0) {
		MUST(!c.st);
		return;
	}
	at = statement_whole(c.st).len;
	for (size_t i = 0; i < c.count; i++) {
		uint8_t hash[HASH_LEN];

		if (!c.seals[i].ptr) {
			MUST(kind == CONTAINER_ATTACHED);
			continue;
		}
		MUST(c.seals[i].ptr == in.ptr + at && c.seals[i].len == c.refs[i].len);
		sha256(hash, c.seals[i]);
		MUST(!memcmp(hash, c.refs[i].hash, HASH_LEN));
		at += c.seals[i].len;
	}
	MUST(at == used && used <= in.len && used <= CONTAINER_MAX);
	MUST_OK(container_parse(&again, bytes_of(in.ptr, used), kind, &at, &err)); /* what is behind it plays no part */
	MUST(at == used);
	check_same(c.st, again.st);
	container_done(&again);
	MUST(container_parse(&again, bytes_of(in.ptr, used - 1), kind, &at, &err) < 0);
	container_done(&c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes in = bytes_of(data, size);

	check_statement(in, false);
	check_statement(in, true);
	check_container(in, CONTAINER_ATTACHED);
	check_container(in, CONTAINER_FULL);
	return 0;
}
