/* tests/fuzz/fuzz-order.c -- batches, orders and controls as their texts say them, windows of time, and areas.
 *
 * The input is one statement; what its checks let pass must be something that a device can obey. With a true tree around it, an order is
 * a leaf of its batch, and with one bit of its text or proof changed it is not. */
#include "tests/fuzz/fuzz.h"

#include "crypto/order.h"

#include <string.h>
#include <time.h>

enum { WEEK_S = 7 * 86400, STEP_S = 1800, LEAVES = 5 };

/* ---- windows ---- */

/* By another way: every half hour of a week, from a day whose name is known. */
static void check_window(const char *text)
{
	static const char names[][4] = { "thu", "fri", "sat", "sun", "mon", "tue", "wed" }; /* 1970 began on a Thursday */
	const int64_t monday = 1800000000 - 1800000000 % WEEK_S;
	unsigned from, to;

	if (!window_parse_ok(text)) {
		MUST(!window_holds(text, monday));
		return;
	}
	from = (unsigned)((text[strlen(text) - 11] - '0') * 10 + text[strlen(text) - 10] - '0') * 60 +
	       (unsigned)((text[strlen(text) - 8] - '0') * 10 + text[strlen(text) - 7] - '0');
	to = (unsigned)((text[strlen(text) - 5] - '0') * 10 + text[strlen(text) - 4] - '0') * 60 +
	     (unsigned)((text[strlen(text) - 2] - '0') * 10 + text[strlen(text) - 1] - '0');
	for (int64_t at = 0; at < WEEK_S; at += STEP_S) {
		unsigned minute = (unsigned)(at % 86400 / 60), length = (to + 1440 - from) % 1440, since = (minute + 1440 - from) % 1440;
		int64_t day = (at / 86400 + (minute < from ? 6 : 0)) % 7; /* on which it would have begun */
		bool named = !strncmp(text, "daily ", 6) || (memmem(text, strlen(text) - 12, names[day], 3) != NULL);

		MUST(window_holds(text, monday + at) == (named && since < length));
	}
}

/* ---- a batch ---- */

static void check_batch(const struct statement *batch)
{
	uint32_t before = 0, count = (uint32_t)statement_number(batch, "count");
	int64_t begin = statement_time(batch, "not-before"), end = statement_time(batch, "expires");
	struct error err = { 0 };
	enum order_kind kind;

	if (batch_check(batch, &err) < 0)
		return;
	MUST(order_kind_parse(&kind, statement_get(batch, "kind")) && count >= 1 && count <= ORDER_COUNT_MAX);
	MUST(batch_waves(batch) >= 1 && batch_waves(batch) <= ORDER_WAVES_MAX);
	for (size_t i = 0; i < batch_waves(batch); i++) {
		uint32_t wave_end = batch_wave_end(batch, i);

		MUST(wave_end > before && wave_end <= count);
		MUST(batch_wave_of(batch, before) == i && batch_wave_of(batch, wave_end - 1) == i); /* each order is in one wave */
		before = wave_end;
	}
	MUST(before == count);
	MUST(batch_time(batch, begin - 1) == BATCH_NOT_YET && batch_time(batch, end) == BATCH_EXPIRED);
	MUST(batch_time(batch, begin) == BATCH_IN_TIME || batch_time(batch, begin) == BATCH_OUT_OF_WINDOW);
}

/* ---- an order ---- */

static void make_batch(struct statement **out, const struct statement *order, struct merkle_hash tree)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	struct error err = { 0 };

	statement_begin(&text, STATEMENT_BATCH);
	statement_add(&text, "fleet", "%s", statement_get(order, "fleet"));
	statement_add(&text, "kind", "%s", statement_get(order, "kind"));
	statement_add(&text, "person", "alice");
	statement_add(&text, "time", "2027-01-01T00:00:00Z");
	statement_add(&text, "not-before", "2027-01-01T00:00:00Z");
	statement_add(&text, "expires", "2027-01-02T00:00:00Z");
	statement_add(&text, "root", "1");
	statement_add(&text, "reason", "a test");
	statement_add(&text, "count", "%d", LEAVES);
	statement_add_hash(&text, "tree", tree.b);
	MUST_OK(statement_parse(out, buf_bytes(&text), true, NULL, &err));
}

static void must_fail(struct buf *whole, size_t at, const struct statement *batch)
{
	_cleanup_(statement_freep) struct statement *changed = NULL;
	struct error err = { 0 };
	size_t used = 0;

	whole->ptr[at] ^= 1;
	if (statement_parse(&changed, buf_bytes(whole), false, &used, &err) == 0)
		MUST(order_verify(changed, batch, &err) < 0);
	whole->ptr[at] ^= 1;
}

static void check_order(const struct statement *order)
{
	_cleanup_(statement_freep) struct statement *batch = NULL, *proven = NULL;
	_cleanup_(buf_done) struct buf whole = { 0 };
	struct merkle_hash leaves[LEAVES];
	struct merkle tree = { 0 };
	struct error err = { 0 };
	size_t used = 0, text_len = statement_text(order).len;
	uint32_t index = (uint32_t)text_len % LEAVES;

	if (order_check(order, &err) < 0)
		return;
	for (uint32_t i = 0; i < LEAVES; i++) {
		leaves[i] = i == index ? order_leaf(order) : merkle_leaf(bytes_of(&i, sizeof(i)));
		merkle_add(&tree, leaves[i]);
	}
	make_batch(&batch, order, merkle_root(&tree));
	buf_add_bytes(&whole, statement_text(order));
	order_prove(&whole, statement_hash(batch), leaves, LEAVES, index);
	MUST_OK(statement_parse(&proven, buf_bytes(&whole), false, &used, &err));
	MUST(used == whole.len);
	MUST_OK(order_verify(proven, batch, &err));
	must_fail(&whole, text_len / 2, batch);
	must_fail(&whole, text_len + (whole.len - text_len) / 2, batch);
	must_fail(&whole, text_len + 40, batch);
}

/* ---- an area ---- */

/* What is taken is written again as it was. */
static void check_area(const char *text)
{
	_cleanup_(buf_done) struct buf again = { 0 };
	struct area area;

	if (!area_parse(&area, text))
		return;
	area_text(&again, &area);
	MUST(!strcmp(buf_text(&again), text));
	MUST(!strpbrk(area.name, " =<>&\"'") && !strpbrk(area.method, " =<>&\"'._"));
}

static void check_areas(const struct statement *st)
{
	const char *value;

	for (size_t i = 0; (value = statement_at(st, "area", i)); i++)
		check_area(value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(statement_freep) struct statement *st = NULL;
	_cleanup_(mem_freep) char *text = mem_strndup((const char *)data, size);
	struct error err = { 0 };

	check_window(text);
	check_area(text);
	if (statement_parse(&st, bytes_of(data, size), true, NULL, &err) < 0)
		return 0;
	check_batch(st);
	check_order(st);
	check_areas(st);
	return 0;
}
