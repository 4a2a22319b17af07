/* cli/bundle.c -- the file that proves a retirement: its form. What it proves is judged in cli/bundle-verify.c. */
#include "cli/bundle.h"

#include <stdlib.h>
#include <string.h>

static const char head[] = "holdfast-retirement/1";

struct bundle_part *bundle_add(struct bundle *b, struct statement *st)
{
	if (!(b->count & (b->count - 1)))
		b->parts = mem_grow(b->parts, (b->count ? 2 * b->count : 1) * sizeof(*b->parts));
	b->parts[b->count] = (struct bundle_part){ .st = st };
	return &b->parts[b->count++];
}

void bundle_done(struct bundle *b)
{
	for (size_t i = 0; i < b->count; i++)
		statement_free(b->parts[i].st);
	free(b->parts);
	*b = (struct bundle){ 0 };
}

void bundle_text(struct buf *out, const struct bundle *b)
{
	_cleanup_(buf_done) struct buf parts = { 0 };
	char sum[2 * HASH_LEN + 1];

	for (size_t i = 0; i < b->count; i++) {
		buf_add_bytes(&parts, statement_whole(b->parts[i].st));
		if (b->parts[i].has_place)
			place_text(&parts, &b->parts[i].place);
		if (b->parts[i].has_growth)
			growth_text(&parts, &b->parts[i].growth);
	}
	sha256_hex(sum, buf_bytes(&parts));
	buf_addf(out, "%s\nfleet: %s\ndevice: %s\nparts: %zu\nsum: %s\n", head, b->fleet, b->device, b->count, sum);
	buf_add_bytes(out, buf_bytes(&parts));
}

static bool take_line(struct bytes *value, struct bytes *rest, const char *key)
{
	struct bytes line;
	size_t len = strlen(key);

	if (!bytes_next_line(rest, &line) || line.len < len || memcmp(line.ptr, key, len) != 0)
		return false;
	*value = bytes_from(line, len);
	return true;
}

static bool take_id(char out[static ID_LEN + 1], struct bytes *rest, const char *key)
{
	struct bytes value;

	if (!take_line(&value, rest, key) || !id_is_valid(value))
		return false;
	memcpy(out, value.ptr, ID_LEN);
	out[ID_LEN] = 0;
	return true;
}

static int parse_head(struct bundle *b, uint64_t *count, struct bytes *rest, struct error *err)
{
	char sum[2 * HASH_LEN + 1];
	struct bytes value;

	if (!take_line(&value, rest, head) || value.len || !take_id(b->fleet, rest, "fleet: ") || !take_id(b->device, rest, "device: ") ||
	    !take_line(&value, rest, "parts: ") || !number_parse(count, value) || !take_line(&value, rest, "sum: "))
		return error_set(err, E_FORMAT, "it is no proof of a retirement: it does not begin with '%s' and what belongs there", head);
	if (!*count || *count > BUNDLE_PARTS_MAX)
		return error_set(err, E_LIMIT, "it names %llu parts; 1 to %d may be", (unsigned long long)*count, BUNDLE_PARTS_MAX);
	sha256_hex(sum, *rest);
	return bytes_is(value, sum) ? 0 :
				      error_set(err, E_SEAL, "it was changed, or is not whole: its sum is not the one in its first lines");
}

/* What stands behind a statement, each at most once. */
static int parse_proofs(struct bundle_part *part, struct bytes *rest, struct error *err)
{
	size_t used = 0;
	int r = 0;

	if (place_begins(*rest)) {
		r = place_parse(&part->place, *rest, &used, err);
		part->has_place = r == 0;
		*rest = bytes_from(*rest, used);
	}
	if (r == 0 && growth_begins(*rest)) {
		r = growth_parse(&part->growth, *rest, &used, err);
		part->has_growth = r == 0;
		*rest = bytes_from(*rest, used);
	}
	return r;
}

static int parse_part(struct bundle *b, struct bytes *rest, struct error *err)
{
	struct statement *st = NULL;
	size_t used = 0;
	int r = statement_parse(&st, *rest, false, &used, err);

	if (r == 0) {
		*rest = bytes_from(*rest, used);
		r = parse_proofs(bundle_add(b, st), rest, err);
	}
	return r < 0 ? error_add(err, "part %zu", b->count + (st == NULL)) : 0;
}

int bundle_parse(struct bundle *out, struct bytes in, struct error *err)
{
	_cleanup_(bundle_done) struct bundle b = { 0 };
	struct bytes rest = in;
	uint64_t count;

	if (in.len > BUNDLE_MAX)
		return error_set(err, E_LIMIT, "it has %zu bytes; at most %d may be", in.len, BUNDLE_MAX);
	if (parse_head(&b, &count, &rest, err) < 0)
		return err->code;
	while (rest.len && b.count < count)
		if (parse_part(&b, &rest, err) < 0)
			return err->code;
	if (rest.len || b.count != count)
		return error_set(err, E_SEAL, "it has %s parts than the %llu that it names", rest.len ? "more" : "fewer",
				 (unsigned long long)count);
	*out = b;
	b = (struct bundle){ 0 };
	return 0;
}
