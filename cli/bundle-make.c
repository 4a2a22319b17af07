/* cli/bundle-make.c -- from a dossier to the file that proves it. */
#include "cli/bundle-make.h"

#include "cli/api.h"

#include <poll.h>
#include <string.h>

enum { PLACE_ANSWER_MAX = 16 << 10, SETTLE_TRIES = 20, SETTLE_WAIT_MS = 300 };

/* ---- statements ---- */

static int copy(struct statement **out, const struct statement *st, struct error *err)
{
	return statement_parse(out, statement_whole(st), false, NULL, err);
}

int bundle_snapshot(struct statement **out, const struct ceremony *c, struct error *err)
{
	_cleanup_(mem_freep) char *path = mem_printf("/v1/devices/%s/snapshots/newest", c->member->id);
	_cleanup_(buf_done) struct buf whole = { 0 };
	const struct open_device *device;
	int r = fleet_identify(&device, c->opener, c->member, err);

	*out = NULL;
	if (r == 0)
		r = c->source.get(c->source.ctx, &whole, path, CONTAINER_MAX, err);
	if (r == CLI_ABSENT)
		return 0;
	if (r == 0)
		r = statement_parse(out, buf_bytes(&whole), false, NULL, err);
	if (r == 0 && (statement_type(*out) != STATEMENT_SNAPSHOT || strcmp(statement_get(*out, "device"), c->member->id) != 0))
		r = error_set(err, E_SEAL, "what the server gives as the newest snapshot of '%s' is none of it", c->member->name);
	if (r == 0)
		r = statement_verify_by(*out, &device->key, err);
	if (r < 0)
		*out = statement_free(*out);
	return r;
}

int bundle_place(struct merkle_place *out, const struct open_source *source, const struct statement *st, uint64_t size, struct error *err)
{
	struct merkle_hash leaf = merkle_leaf(statement_text(st));
	_cleanup_(buf_done) struct buf text = { 0 };
	_cleanup_(mem_freep) char *path = NULL;
	char hex[2 * HASH_LEN + 1];
	size_t used = 0;
	int r;

	hex_encode(hex, leaf.b, HASH_LEN);
	path = mem_printf("/v1/place?leaf=%s&size=%llu", hex, (unsigned long long)size);
	r = source->get(source->ctx, &text, path, PLACE_ANSWER_MAX, err);
	if (r < 0)
		return r;
	if (place_parse(out, buf_bytes(&text), &used, err) < 0 || used != text.len || out->size != size || !merkle_place_holds(out, leaf))
		return error_set(err, E_SEAL, "the server does not prove where a %s lies in the log",
				 statement_type_name(statement_type(st)));
	return 0;
}

/* Takes st over. */
static int add_placed(struct bundle *b, const struct open_source *source, struct statement *st, struct error *err)
{
	uint64_t size = statement_number(b->parts[0].st, "size");
	struct bundle_part *part = bundle_add(b, st);

	part->has_place = true;
	return bundle_place(&part->place, source, st, size, err);
}

static int add_copy(struct bundle *b, const struct open_source *source, const struct statement *st, struct error *err)
{
	struct statement *own;
	int r = copy(&own, st, err);

	return r < 0 ? r : add_placed(b, source, own, err);
}

/* ---- the head ---- */

static int get_head(struct statement **out, struct merkle_growth *growth, const struct open_source *source, uint64_t from,
		    struct error *err)
{
	_cleanup_(mem_freep) char *path = mem_printf("/v1/checkpoint?from=%llu", (unsigned long long)from);
	_cleanup_(buf_done) struct buf text = { 0 };
	size_t used = 0, more = 0;
	int r = source->get(source->ctx, &text, path, 2 * STATEMENT_MAX, err);

	if (r == 0)
		r = statement_parse(out, buf_bytes(&text), false, &used, err);
	if (r == 0 && statement_type(*out) != STATEMENT_CHECKPOINT)
		r = error_set(err, E_SEAL, "what the server gives as the head of the log is none");
	if (r == 0 && statement_number(*out, "size") > from)
		r = growth_parse(growth, bytes_from(buf_bytes(&text), used), &more, err);
	return r;
}

/* The newest checkpoint, whose log has the certificate, and how it grew from the one that the certificate names. What was just archived
 * gets its place within a second or so. */
static int add_head(struct bundle *b, struct merkle_growth *growth, const struct open_source *source, const struct statement *certificate,
		    struct error *err)
{
	struct merkle_place place;
	uint8_t tree[HASH_LEN];
	uint64_t from;
	int r = CLI_ABSENT;

	statement_get_point(&from, tree, certificate, "log");
	for (int i = 0; i < SETTLE_TRIES && r == CLI_ABSENT; i++) {
		struct statement *st = NULL;

		if (i)
			poll(NULL, 0, SETTLE_WAIT_MS);
		r = get_head(&st, growth, source, from, err);
		if (r == 0)
			r = bundle_place(&place, source, certificate, statement_number(st, "size"), err);
		if (r == 0)
			bundle_add(b, st);
		else
			statement_free(st);
	}
	return r;
}

/* ---- what witnesses saw ---- */

static int get_growth(struct merkle_growth *out, const struct open_source *source, const struct statement *from, const struct statement *to,
		      struct error *err)
{
	_cleanup_(mem_freep) char *path =
		mem_printf("/v1/consistency?from=%s&to=%s", statement_get(from, "size"), statement_get(to, "size"));
	_cleanup_(buf_done) struct buf text = { 0 };
	json_t *json, *list;
	int r = source->get(source->ctx, &text, path, PLACE_ANSWER_MAX, err);

	if (r < 0)
		return r;
	*out = (struct merkle_growth){ .from = statement_number(from, "size"), .to = statement_number(to, "size") };
	statement_get_hash(out->old_tree.b, from, "tree");
	statement_get_hash(out->new_tree.b, to, "tree");
	json = json_loadb((const char *)text.ptr, text.len, JSON_REJECT_DUPLICATES, NULL);
	list = json_object_get(json, "proof");
	for (size_t i = 0; i < json_array_size(list) && r == 0; i++) {
		const char *hex = json_string_value(json_array_get(list, i));

		if (!hex || i == MERKLE_PROOF_MAX || !hex_decode(out->node[out->len++].b, HASH_LEN, bytes_str(hex)))
			r = error_set(err, E_PEER, "the server's proof of how its log grew is malformed");
	}
	json_decref(json);
	return r;
}

/* Takes st over. */
static int add_witness(struct bundle *b, const struct open_source *source, struct statement *st, struct error *err)
{
	const struct statement *head = b->parts[0].st;
	uint64_t ours = statement_number(head, "size"), theirs = statement_number(st, "size");
	struct bundle_part *part = bundle_add(b, st);

	if (ours == theirs)
		return 0;
	part->has_growth = true;
	return ours < theirs ? get_growth(&part->growth, source, head, st, err) : get_growth(&part->growth, source, st, head, err);
}

static int add_witnesses(struct bundle *b, const struct open_source *source, struct error *err)
{
	_cleanup_(buf_done) struct buf list = { 0 };
	int r = source->get(source->ctx, &list, "/v1/cosigned", (ROOT_WITNESSES_MAX + 1) * STATEMENT_MAX, err);
	struct bytes rest = buf_bytes(&list);

	while (r == 0 && rest.len) {
		struct statement *st;
		size_t used = 0;

		r = statement_parse(&st, rest, false, &used, err);
		if (r == 0)
			r = add_witness(b, source, st, err);
		rest = bytes_from(rest, used);
	}
	return r;
}

/* ---- all of it ---- */

static int add_who(struct bundle *b, const struct ceremony *c, struct error *err)
{
	struct statement *snapshot;
	const struct open_device *device;
	int r = 0;

	for (size_t i = 0; i < c->source.root_count && r == 0; i++)
		r = add_copy(b, &c->source, root_statement(c->source.roots[i]), err);
	if (r == 0)
		r = fleet_identify(&device, c->opener, c->member, err);
	if (r == 0)
		r = add_copy(b, &c->source, device->enrol, err);
	if (r == 0)
		r = add_copy(b, &c->source, device->admit, err);
	if (r == 0)
		r = bundle_snapshot(&snapshot, c, err);
	return r == 0 && snapshot ? add_placed(b, &c->source, snapshot, err) : r;
}

static int add_step(struct bundle *b, const struct open_source *source, const struct retirement_batch *of, struct error *err)
{
	int r = add_copy(b, source, of->batch, err);

	if (r == 0)
		r = add_copy(b, source, of->order, err);
	for (size_t i = 0; i < of->control_count && r == 0; i++)
		r = add_copy(b, source, of->controls[i], err);
	for (size_t i = 0; i < of->receipt_count && r == 0; i++)
		r = add_copy(b, source, of->receipts[i], err);
	return r;
}

/* Only what is about the order to shred that counts. */
static int add_shredded(struct bundle *b, const struct ceremony *c, struct error *err)
{
	const struct statement *batch = c->dossier.now.shred.of->batch;
	int r = 0;

	for (size_t i = 0; i < c->dossier.shredded_count && r == 0; i++) {
		uint8_t about[HASH_LEN];

		if (statement_get_hash(about, c->dossier.shredded[i], "batch") && !memcmp(about, statement_hash(batch), HASH_LEN))
			r = add_copy(b, &c->source, c->dossier.shredded[i], err);
	}
	return r;
}

static int add_all(struct bundle *b, const struct ceremony *c, struct error *err)
{
	const struct retirement *r = &c->dossier.now;
	struct merkle_growth growth;

	if (add_head(b, &growth, &c->source, r->certificate, err) < 0 || add_who(b, c, err) < 0 ||
	    (r->is_wiped && add_step(b, &c->source, r->erase.of, err) < 0) || add_step(b, &c->source, r->shred.of, err) < 0 ||
	    add_shredded(b, c, err) < 0 || add_copy(b, &c->source, r->certificate, err) < 0)
		return err->code;
	b->parts[b->count - 1].has_growth = true;
	b->parts[b->count - 1].growth = growth;
	return add_witnesses(b, &c->source, err);
}

int bundle_make(struct bundle *out, const struct ceremony *c, struct error *err)
{
	struct bundle b = { 0 };
	int r;

	memcpy(b.fleet, c->source.fleet, sizeof(b.fleet));
	memcpy(b.device, c->member->id, sizeof(b.device));
	r = add_all(&b, c, err);
	if (r < 0) {
		bundle_done(&b);
		return error_add(err, "what proves the retirement of '%s' cannot be brought together", c->member->name);
	}
	*out = b;
	return 0;
}
