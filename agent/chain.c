/* agent/chain.c -- a device's chain as bytes: one file, replaced whole.
 *
 * All integers big-endian; every text is a 32-bit length and its bytes; the SHA-256 of all that at the end, since one bit that a
 * disk turned would break the chain for ever. The magic changes with the layout; version 1 knew no orders, version 2 no
 * policies. */
#include "agent/snapshot.h"

#include <sodium.h>
#include <string.h>

static const char magic[] = "holdfast-agent-chain/3\n", magic_2[] = "holdfast-agent-chain/2\n", magic_1[] = "holdfast-agent-chain/1\n";

static void put_u64(struct buf *out, uint64_t value)
{
	buf_add_u32be(out, (uint32_t)(value >> 32));
	buf_add_u32be(out, (uint32_t)value);
}

static void put_bytes(struct buf *out, struct bytes in)
{
	buf_add_u32be(out, (uint32_t)in.len);
	buf_add_bytes(out, in);
}

static void put_seal(struct buf *out, const struct chain_seal *seal)
{
	buf_add_u32be(out, seal->is_there);
	put_u64(out, seal->ref.number);
	put_u64(out, seal->ref.len);
	buf_add(out, seal->ref.hash, HASH_LEN);
	buf_add(out, seal->digest, HASH_LEN);
}

static void write_body(struct buf *out, const struct chain *c)
{
	buf_add_str(out, magic);
	put_u64(out, c->number);
	buf_add(out, c->hash, HASH_LEN);
	put_u64(out, (uint64_t)c->time_s);
	put_u64(out, c->epoch);
	put_u64(out, (uint64_t)c->epoch_time_s);
	buf_add(out, c->readers, HASH_LEN);
	buf_add(out, c->body.pub, sizeof(c->body.pub));
	buf_add(out, c->secrets_to.pub, sizeof(c->secrets_to.pub));
	buf_add(out, c->token_key, sizeof(c->token_key));
	buf_add_u32be(out, c->has_snapshot);
	put_u64(out, c->deltas);
	put_seal(out, &c->base);
	put_seal(out, &c->delta);
	put_seal(out, &c->startup);
	put_seal(out, &c->secrets);
	put_bytes(out, buf_bytes(&c->base_text));
	put_bytes(out, buf_bytes(&c->running_text));
	put_bytes(out, buf_bytes(&c->startup_text));
	buf_add_u32be(out, c->had_startup);
	put_u64(out, c->text_epoch);
	buf_add_u32be(out, (uint32_t)c->saved);
	put_u64(out, (uint64_t)c->unsaved_since_s);
	buf_add_u32be(out, c->is_blocked);
	put_bytes(out, bytes_str(c->incarnation));
	put_bytes(out, buf_bytes(&c->newest));
	put_u64(out, c->running_since);
	buf_add(out, c->running_hash, HASH_LEN);
	buf_add(out, c->running_key, sizeof(c->running_key));
	buf_add(out, c->running_digest, HASH_LEN);
	orders_seen_write(out, &c->orders);
	put_u64(out, c->policy.order);
	buf_add(out, c->policy.leaf, HASH_LEN);
	buf_add(out, c->policy.payload, HASH_LEN);
	put_u64(out, c->verdict.number);
	buf_add(out, c->verdict.of, HASH_LEN);
	for (size_t i = 0; i < STANDINGS; i++)
		put_u64(out, c->verdict.counts[i]);
	put_u64(out, (uint64_t)c->drift_since_s);
}

void chain_write(struct buf *out, const struct chain *c)
{
	size_t from = out->len;
	uint8_t digest[HASH_LEN];

	write_body(out, c);
	sha256(digest, bytes_from(buf_bytes(out), from));
	buf_add(out, digest, sizeof(digest));
}

static void get_fixed(uint8_t *out, size_t len, struct reader *rd)
{
	struct bytes in = read_bytes(rd, len);

	if (in.len == len)
		memcpy(out, in.ptr, len);
}

static void get_seal(struct chain_seal *seal, const char *name, struct reader *rd)
{
	seal->is_there = read_u32(rd) != 0;
	seal->ref.name = name;
	seal->ref.number = read_u64(rd);
	seal->ref.len = (size_t)read_u64(rd);
	get_fixed(seal->ref.hash, HASH_LEN, rd);
	get_fixed(seal->digest, HASH_LEN, rd);
}

static void get_text(struct buf *out, struct reader *rd)
{
	buf_add_bytes(out, read_bytes(rd, read_u32(rd)));
}

static void get_epoch(struct chain *c, struct reader *rd)
{
	c->epoch = read_u64(rd);
	c->epoch_time_s = (int64_t)read_u64(rd);
	get_fixed(c->readers, HASH_LEN, rd);
	get_fixed(c->body.pub, sizeof(c->body.pub), rd);
	get_fixed(c->secrets_to.pub, sizeof(c->secrets_to.pub), rd);
	get_fixed(c->token_key, sizeof(c->token_key), rd);
}

static bool digest_holds(struct bytes *in)
{
	uint8_t digest[HASH_LEN];
	size_t len = in->len;

	if (len < HASH_LEN)
		return false;
	in->len -= HASH_LEN;
	sha256(digest, *in);
	return !memcmp(digest, in->ptr + in->len, HASH_LEN);
}

static void get_texts(struct chain *c, struct reader *rd)
{
	struct bytes incarnation;

	get_text(&c->base_text, rd);
	get_text(&c->running_text, rd);
	get_text(&c->startup_text, rd);
	c->had_startup = read_u32(rd) != 0;
	c->text_epoch = read_u64(rd);
	c->saved = (enum commit_saved)(read_u32(rd) % 3);
	c->unsaved_since_s = (int64_t)read_u64(rd);
	c->is_blocked = read_u32(rd) != 0;
	incarnation = read_bytes(rd, read_u32(rd));
	if (incarnation.len && incarnation.len < sizeof(c->incarnation))
		memcpy(c->incarnation, incarnation.ptr, incarnation.len);
	get_text(&c->newest, rd);
}

static void get_orders(struct chain *c, struct reader *rd)
{
	c->running_since = read_u64(rd);
	get_fixed(c->running_hash, HASH_LEN, rd);
	get_fixed(c->running_key, sizeof(c->running_key), rd);
	get_fixed(c->running_digest, HASH_LEN, rd);
	orders_seen_read(&c->orders, rd);
}

static void get_policy(struct chain *c, struct reader *rd)
{
	c->policy.order = read_u64(rd);
	get_fixed(c->policy.leaf, HASH_LEN, rd);
	get_fixed(c->policy.payload, HASH_LEN, rd);
	c->verdict.number = read_u64(rd);
	get_fixed(c->verdict.of, HASH_LEN, rd);
	for (size_t i = 0; i < STANDINGS; i++)
		c->verdict.counts[i] = read_u64(rd);
	c->drift_since_s = (int64_t)read_u64(rd);
}

static bool has_magic(struct bytes in, const char *which)
{
	return in.len >= sizeof(magic) - 1 && !memcmp(in.ptr, which, sizeof(magic) - 1);
}

int chain_read(struct chain *out, struct bytes in, struct error *err)
{
	_cleanup_(chain_done) struct chain c = { 0 };
	unsigned version = has_magic(in, magic) ? 3 : has_magic(in, magic_2) ? 2 : has_magic(in, magic_1) ? 1 : 0;
	struct reader rd;

	if (!version)
		return error_set(err, E_FORMAT, "not a chain file of this version");
	if (!digest_holds(&in))
		return error_set(err, E_FORMAT, "chain file of %zu bytes is damaged: its digest does not hold", in.len);
	rd = reader_over(bytes_from(in, sizeof(magic) - 1));
	c.number = read_u64(&rd);
	get_fixed(c.hash, HASH_LEN, &rd);
	c.time_s = (int64_t)read_u64(&rd);
	get_epoch(&c, &rd);
	c.has_snapshot = read_u32(&rd) != 0;
	c.deltas = read_u64(&rd);
	get_seal(&c.base, "base", &rd);
	get_seal(&c.delta, "delta", &rd);
	get_seal(&c.startup, "startup", &rd);
	get_seal(&c.secrets, "secrets", &rd);
	get_texts(&c, &rd);
	if (version >= 2)
		get_orders(&c, &rd);
	if (version >= 3)
		get_policy(&c, &rd);
	if (!reader_done(&rd))
		return error_set(err, E_FORMAT, "chain file of %zu bytes is cut short or too long", in.len);
	*out = c;
	memset(&c, 0, sizeof(c));
	return 0;
}

void chain_copy(struct chain *out, const struct chain *from)
{
	*out = *from;
	out->base_text = out->running_text = out->startup_text = out->newest = (struct buf){ 0 };
	buf_add_bytes(&out->base_text, buf_bytes(&from->base_text));
	buf_add_bytes(&out->running_text, buf_bytes(&from->running_text));
	buf_add_bytes(&out->startup_text, buf_bytes(&from->startup_text));
	buf_add_bytes(&out->newest, buf_bytes(&from->newest));
}

void chain_done(struct chain *c)
{
	buf_done(&c->base_text);
	buf_done(&c->running_text);
	buf_done(&c->startup_text);
	buf_done(&c->newest);
	sodium_memzero(c, sizeof(*c));
}
