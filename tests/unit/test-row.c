/* tests/unit/test-row.c -- what piled up at a device goes in rows: as the spool hands them out, as the server takes them apart, and all
 * or none into the archive's queue. */
#include "tests/unit/archive.h"

#include "tests/test.h"

#include "agent/spool.h"
#include "base/fs.h"
#include "server/ingest.h"

static void put(struct spool *s, uint64_t number, const char *text)
{
	struct error err = { 0 };

	CHECK_OK(spool_put(s, number, bytes_str(text), &err));
}

TEST(a_row_is_what_follows_the_oldest_without_a_gap_and_fits)
{
	_cleanup_(buf_done) struct buf out = { 0 };
	const char *dir = test_folder();
	struct error err = { 0 };
	uint64_t first, last;
	struct spool s;

	CHECK_OK(spool_open(&s, dir, &err));
	CHECK_EQ(spool_row(&s, &first, &last, &out, 1000, &err), SPOOL_EMPTY);
	put(&s, 9, "nine ");
	put(&s, 10, "ten ");
	put(&s, 11, "eleven ");
	put(&s, 13, "thirteen ");
	CHECK_OK(spool_row(&s, &first, &last, &out, 1000, &err));
	CHECK(first == 9 && last == 11 && bytes_is(buf_bytes(&out), "nine ten eleven "));
	buf_truncate(&out, 0);
	CHECK_OK(spool_row(&s, &first, &last, &out, 9, &err));
	CHECK(first == 9 && last == 10 && bytes_is(buf_bytes(&out), "nine ten "));
	buf_truncate(&out, 0);
	CHECK_OK(spool_row(&s, &first, &last, &out, 8, &err));
	CHECK(first == 9 && last == 9 && bytes_is(buf_bytes(&out), "nine "));
	buf_truncate(&out, 0);
	CHECK_OK(spool_row(&s, &first, &last, &out, 0, &err)); /* the oldest, whatever its length */
	CHECK(first == 9 && last == 9 && bytes_is(buf_bytes(&out), "nine "));
	spool_done(&s);
}

TEST(a_row_has_a_most_and_the_first_statement_of_all_goes_alone)
{
	_cleanup_(buf_done) struct buf out = { 0 };
	const char *dir = test_folder();
	struct error err = { 0 };
	uint64_t first, last;
	struct spool s;

	CHECK_OK(spool_open(&s, dir, &err));
	for (uint64_t n = 1; n <= SPOOL_ROW_MAX + 3; n++)
		put(&s, n, "x");
	CHECK_OK(spool_row(&s, &first, &last, &out, 1000, &err));
	CHECK(first == 1 && last == 1 && out.len == 1);
	CHECK_OK(spool_acknowledged(&s, 1, &err));
	buf_truncate(&out, 0);
	CHECK_OK(spool_row(&s, &first, &last, &out, 1000, &err));
	CHECK(first == 2 && last == 1 + SPOOL_ROW_MAX && out.len == SPOOL_ROW_MAX);
	CHECK_OK(spool_acknowledged(&s, last, &err));
	CHECK(s.oldest == 2 + SPOOL_ROW_MAX && s.count == 2);
	CHECK((int)SPOOL_ROW_MAX <= (int)ROW_MAX); /* what an agent sends, a server takes */
	spool_done(&s);
}

/* ---- taken apart ---- */

static void add_snapshots(struct world *w, struct buf *out, size_t count)
{
	for (size_t i = 0; i < count; i++)
		make_snapshot(w, out);
}

TEST(each_of_a_row_is_as_it_would_be_alone)
{
	struct buf body = { 0 };
	_cleanup_(buf_done) struct buf all = { 0 };
	struct error err = { 0 };
	struct row row;
	struct world w;

	world_init(&w);
	add_snapshots(&w, &body, 5);
	buf_add_bytes(&all, buf_bytes(&body));
	CHECK_OK(row_parse(&row, &body, &err));
	buf_done(&body); /* nothing borrows from it */
	CHECK_EQ(row.count, 5);
	for (size_t i = 0, at = 0; i < row.count; i++) {
		_cleanup_(container_done) struct container c = { 0 };
		struct bytes own = buf_bytes(&row.of[i].bytes);

		CHECK(at + own.len <= all.len && !memcmp(own.ptr, all.ptr + at, own.len));
		at += own.len;
		CHECK_OK(ingest_parse(&c, own, &err));
		CHECK(bytes_equal(statement_whole(c.st), statement_whole(row.of[i].c.st)));
		for (size_t k = 0; k < c.count; k++)
			CHECK(bytes_equal(c.seals[k], row.of[i].c.seals[k]) && row.of[i].c.seals[k].ptr == c.seals[k].ptr);
		CHECK(i + 1 < row.count || at == all.len);
	}
	row_done(&row);
	world_done(&w);
}

TEST(a_body_that_is_one_container_is_taken_over)
{
	struct buf body = { 0 };
	struct error err = { 0 };
	const uint8_t *at;
	struct row row;
	struct world w;

	world_init(&w);
	add_snapshots(&w, &body, 1);
	at = body.ptr;
	CHECK_OK(row_parse(&row, &body, &err));
	CHECK(row.count == 1 && row.of[0].bytes.ptr == at && !body.ptr);
	row_done(&row);
	world_done(&w);
}

TEST(what_may_not_stand_in_a_row_is_named)
{
	_cleanup_(buf_done) struct buf enrol = { 0 }, admit = { 0 }, epoch = { 0 };
	struct fleet_device other;
	struct buf body = { 0 };
	struct error err = { 0 };
	uint8_t secret[32] = { 7 };
	struct row row;
	struct world w;

	world_init(&w);
	fleet_device_init(&other, "r2");
	fleet_enrol(&enrol, &w.fleet, &other, secret);
	fleet_admit(&admit, &w.fleet, &other);
	fleet_epoch(&epoch, &w.fleet, &other);
	fleet_device_done(&other);

	add_snapshots(&w, &body, 2);
	buf_add_bytes(&body, buf_bytes(&admit));
	CHECK_EQ(row_parse(&row, &body, &err), E_FORMAT);
	CHECK(strstr(err.text, "statement 3 of the row") && strstr(err.text, "admit comes alone") && !row.count);
	buf_truncate(&body, 0);
	buf_add_bytes(&body, buf_bytes(&admit));
	add_snapshots(&w, &body, 1);
	CHECK_EQ(row_parse(&row, &body, &err), E_FORMAT);
	CHECK(strstr(err.text, "statement 1 of the row"));
	buf_truncate(&body, 0);
	add_snapshots(&w, &body, 1);
	buf_add_bytes(&body, buf_bytes(&epoch));
	CHECK_EQ(row_parse(&row, &body, &err), E_FORMAT);
	CHECK(strstr(err.text, "statement 2 of the row") && strstr(err.text, "one device"));

	buf_truncate(&body, 0);
	add_snapshots(&w, &body, ROW_MAX + 1);
	CHECK_EQ(row_parse(&row, &body, &err), E_LIMIT);
	for (size_t cut = 1; cut < 400; cut += 37) {
		struct buf shorter = { 0 };

		buf_add(&shorter, body.ptr, body.len / 2 - cut);
		CHECK(row_parse(&row, &shorter, &err) < 0 && !row.count);
		buf_done(&shorter);
	}
	buf_done(&body);
	CHECK(row_parse(&row, &body, &err) < 0); /* nothing at all */
	world_done(&w);
}

/* ---- queued ---- */

struct told {
	int results[4];
	void *order[4];
	size_t count;
};

struct place {
	struct told *told;
	int result;
};

static void tell(void *ctx, const struct repo_outcome *outcome)
{
	struct place *place = ctx;

	place->result = outcome->result;
	place->told->order[place->told->count++] = place;
}

TEST(each_of_a_row_hears_its_own_outcome_in_order)
{
	struct told told = { 0 };
	struct place places[4] = { { &told, -99 }, { &told, -99 }, { &told, -99 }, { &told, -99 } };
	struct buf body = { 0 }, gap = { 0 };
	struct error err = { 0 };
	struct row row;
	struct world w;

	world_init(&w);
	add_snapshots(&w, &body, 2);
	make_snapshot(&w, &gap); /* is left out */
	add_snapshots(&w, &body, 1);
	buf_add_bytes(&body, buf_bytes(&gap));
	CHECK_OK(row_parse(&row, &body, &err));
	for (size_t i = 0; i < row.count; i++)
		row.of[i].ctx = &places[i];
	CHECK_OK(repo_submit_parsed(w.repo, row.of, row.count, tell, &err));
	for (size_t i = 0; i < row.count; i++)
		CHECK(!row.of[i].c.st && !row.of[i].bytes.ptr);
	row_done(&row);
	CHECK_OK(repo_flush(w.repo, &err));
	CHECK_EQ(repo_submit_wait(w.repo, buf_bytes(&gap), &err), REPO_SEEN); /* behind them; it was the last of the row, and fitted */
	CHECK_EQ(told.count, 4);
	for (size_t i = 0; i < 4; i++)
		CHECK(told.order[i] == &places[i]);
	CHECK(places[0].result == 0 && places[1].result == 0 && places[2].result == REPO_GAP && places[3].result == 0);
	buf_done(&body);
	buf_done(&gap);
	world_done(&w);
}

TEST(a_row_that_is_refused_is_given_back_whole)
{
	struct buf body = { 0 };
	struct error err = { 0 };
	struct bytes first;
	struct row row;
	struct world w;

	world_init(&w);
	add_snapshots(&w, &body, 3);
	CHECK_OK(row_parse(&row, &body, &err));
	first = buf_bytes(&row.of[0].bytes);
	w.repo = repo_close(w.repo);
	CHECK_OK(repo_open(&w.repo, w.dir, &w.fleet.archive, REPO_READ_ONLY, &err));
	CHECK_EQ(repo_submit_parsed(w.repo, row.of, row.count, tell, &err), E_DENIED);
	CHECK(row.count == 3 && row.of[0].bytes.ptr == first.ptr && row.of[2].c.st);
	row_done(&row);
	buf_done(&body);
	world_done(&w);
}
