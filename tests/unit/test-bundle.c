/* tests/unit/test-bundle.c -- nothing in the file that proves a retirement can be changed, left out, exchanged or made stronger. */
#include "tests/test.h"
#include "tests/unit/story.h"

#include <stdio.h>

/* Refused, in these words. */
static void refused(const struct world *w, const char *says)
{
	struct error err = { 0 };

	if (judge(w, &err) == 0)
		fail_msg("it holds, although: %s", says);
	if (!strstr(err.text, says))
		fail_msg("refused because '%s', not because of '%s'", err.text, says);
}

#define REFUSED(says, ...) \
	do { \
		struct world w_; \
		world_whole(&w_, &(struct story){ __VA_ARGS__ }); \
		refused(&w_, says); \
		world_done(&w_); \
	} while (0)

/* ---- what is refused ---- */

TEST(a_certificate_stronger_than_its_statements_is_refused)
{
	REFUSED("the certificate says 'category: purge', and its statements say 'category: clear'", .from = "category: clear",
		.to = "category: purge");
	REFUSED("evidence", .from = "evidence: read-back", .to = "evidence: seen-after-reboot");
	REFUSED("area", .from = "claimed=vendor-purge", .to = "claimed=purge");
	REFUSED("area", .from = "claimed=clear seen=read-back", .to = "claimed=purge seen=read-back");
	REFUSED("left", .from = "left: the USB stick\n", .to = "");
	REFUSED("leaves out a limit", .from = "limit: an erase that only its maker calls a purge counts as clear\n", .to = "");
	REFUSED("leaves out a limit", .is_lost = true,
		.from = "limit: device side not confirmed: it may still hold its configuration and its key\n", .to = "");
	REFUSED("state", .is_lost = true, .from = "state: lost", .to = "state: wiped");
	REFUSED("'bob' verified it, who is no witness", .from = "verified: carol", .to = "verified: bob");
	REFUSED("performed", .from = "performed: alice", .to = "performed: carol");
	REFUSED("epochs", .from = "epochs: 1 1", .to = "epochs: 1 9");
	REFUSED("says 'performed: alice', and its statements say 'copy: a print", .from = "copy: a print in my drawer\n", .to = "");
	REFUSED("firmware", .from = "firmware: FRRouting 8.4.4", .to = "firmware: FRRouting 9");
}

/* A copy that somebody named is hidden with their word. */
TEST(a_certificate_that_leaves_out_what_somebody_said_is_refused)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	char line[100], hash[2 * HASH_LEN + 1];
	struct facts f;
	struct world w;

	world_init(&w, &(struct story){ 0 });
	statement_hash_hex(hash, w.shredded[2]);
	snprintf(line, sizeof(line), "shredded: %s\n", hash);
	gather(&f, &w);
	w.log_size = w.leaf_count;
	draft(&text, &w, &f);
	facts_done(&f);
	exchange(&text, line, "");
	exchange(&text, "copy: a print in my drawer\n", "");
	archive_signed(&w, &text, STATEMENT_CERTIFICATE, BY(ALICE, BOB, ARCHIVE));
	finish(&w);
	refused(&w, "leaves out what 'bob' said");
	world_done(&w);
}

TEST(fewer_people_than_the_root_asks_certify_nothing)
{
	REFUSED("its certificate", .is_by_one = true);
	REFUSED("not signed by the archive", .is_unarchived = true);
}

TEST(what_is_not_covered_by_the_log_that_it_names_is_refused)
{
	REFUSED("the log that its certificate names does not hold", .is_early = true);
}

TEST(no_byte_of_it_can_be_changed)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	struct error err = { 0 };
	struct world w;

	world_whole(&w, &(struct story){ 0 });
	bundle_text(&text, &w.bundle);
	CHECK_OK(judge_text(buf_bytes(&text), w.fleet.id, &err));
	for (size_t i = 0; i < text.len; i++) {
		text.ptr[i] ^= 1;
		if (judge_text(buf_bytes(&text), w.fleet.id, &err) == 0)
			fail_msg("byte %zu of %zu can be changed", i, text.len);
		text.ptr[i] ^= 1;
	}
	for (size_t len = 0; len < text.len; len += 1 + len / 50)
		CHECK(judge_text(bytes_of(text.ptr, len), w.fleet.id, &err) < 0);
	world_done(&w);
}

/* The sum is no lock: whoever changes a byte can make it anew. */
static void sum_again(struct buf *text)
{
	char *at = strstr(buf_text(text), "\nsum: ");
	size_t begin = (size_t)(at - buf_text(text)) + 6;
	char sum[2 * HASH_LEN + 1];

	sha256_hex(sum, bytes_from(buf_bytes(text), begin + 2 * HASH_LEN + 1));
	memcpy(text->ptr + begin, sum, 2 * HASH_LEN);
}

TEST(no_byte_of_it_can_be_changed_with_a_true_sum)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	struct error err = { 0 };
	struct world w;
	size_t begin, tried = 0;

	world_whole(&w, &(struct story){ 0 });
	bundle_text(&text, &w.bundle);
	begin = (size_t)(strstr(buf_text(&text), "\nsum: ") - buf_text(&text)) + 7 + 2 * HASH_LEN;
	for (size_t i = begin; i < text.len; i += 1 + (i * 7 + tried) % 9, tried++) {
		text.ptr[i] ^= (uint8_t)(1 << (tried % 7));
		sum_again(&text);
		if (judge_text(buf_bytes(&text), w.fleet.id, &err) == 0)
			fail_msg("byte %zu of %zu can be changed", i, text.len);
		text.ptr[i] ^= (uint8_t)(1 << (tried % 7));
	}
	sum_again(&text);
	CHECK_OK(judge_text(buf_bytes(&text), w.fleet.id, &err));
	printf("figure: %zu of %zu bytes changed under a true sum, 0 taken\n", tried, text.len);
	world_done(&w);
}

/* ---- parts dropped, doubled, exchanged ---- */

static void drop(struct bundle *b, size_t i)
{
	statement_free(b->parts[i].st);
	memmove(&b->parts[i], &b->parts[i + 1], (b->count - i - 1) * sizeof(*b->parts));
	b->count--;
}

TEST(no_part_of_it_can_be_left_out)
{
	struct world w;

	world_whole(&w, &(struct story){ .is_dismissed = true, .has_no_witness = true });
	for (size_t i = 0; i < w.bundle.count; i++) {
		_cleanup_(buf_done) struct buf text = { 0 };
		_cleanup_(bundle_done) struct bundle b = { 0 };
		enum statement_type type;
		struct error err = { 0 };

		bundle_text(&text, &w.bundle);
		CHECK_OK(bundle_parse(&b, buf_bytes(&text), &err));
		type = statement_type(b.parts[i].st);
		if (type == STATEMENT_SNAPSHOT) /* it says nothing that the enrolment did not */
			continue;
		drop(&b, i);
		buf_truncate(&text, 0);
		bundle_text(&text, &b);
		if (judge_text(buf_bytes(&text), w.fleet.id, &err) == 0)
			fail_msg("part %zu, a %s, can be left out", i + 1, statement_type_name(type));
	}
	world_done(&w);
}

TEST(a_place_or_a_growth_that_is_missing_is_told)
{
	struct world w;

	world_whole(&w, &(struct story){ 0 });
	for (size_t i = 0; i < w.bundle.count; i++) {
		struct bundle_part *part = &w.bundle.parts[i];

		if (part->has_place) {
			part->has_place = false;
			refused(&w, "in the log is missing");
			part->has_place = true;
		}
		if (part->has_growth) {
			part->has_growth = false;
			refused(&w, statement_type(part->st) == STATEMENT_CERTIFICATE ? "how the log grew since" :
											"the log that witness 'tower' saw");
			part->has_growth = true;
		}
	}
	world_done(&w);
}

TEST(no_part_of_another_retirement_takes_the_place_of_one)
{
	struct error err = { 0 };
	struct world w, other;

	world_whole(&w, &(struct story){ 0 });
	world_whole(&other, &(struct story){ .areas = "area: flash method=menu claimed=purge seen=seen-after-reboot result=done\n" });
	CHECK_EQ(w.bundle.count, other.bundle.count);
	for (size_t i = 1; i < w.bundle.count; i++) {
		struct bundle_part ours = w.bundle.parts[i];

		if (memcmp(statement_hash(ours.st), statement_hash(other.bundle.parts[i].st), HASH_LEN) == 0)
			continue;
		w.bundle.parts[i] = other.bundle.parts[i];
		CHECK(judge(&w, &err) < 0);
		w.bundle.parts[i] = ours;
		w.bundle.parts[i].st = other.bundle.parts[i].st; /* ... with the place of ours */
		CHECK(judge(&w, &err) < 0);
		w.bundle.parts[i] = ours;
	}
	CHECK_OK(judge(&w, &err));
	world_done(&w);
	world_done(&other);
}

TEST(a_root_that_nobody_agreed_to_is_not_slipped_in)
{
	static const struct {
		bool by_alice;
		const char *says;
	} forged[] = { { true, "root 2" }, { false, "root 2" } };
	struct world w;

	for (size_t i = 0; i < ARRAY_SIZE(forged); i++) {
		world_init(&w, &(struct story){ .is_by_one = true });
		add_root(&w, 3, "alice bob carol", "threshold: shred 1\nthreshold: root 1\n", forged[i].by_alice ? BY(ALICE) : BY(MALLORY));
		add_certificate(&w);
		finish(&w);
		refused(&w, forged[i].says);
		world_done(&w);
	}
}

/* Carol agreed before she left; had she agreed afterwards, it would count for nothing. */
TEST(who_was_dismissed_before_counts_for_nothing)
{
	struct story story = { .is_dismissed = true };
	struct error err = { 0 };
	struct world w;
	size_t root = 0, control = 0;

	world_whole(&w, &story);
	CHECK_OK(judge(&w, &err));
	for (size_t i = 0; i < w.bundle.count; i++) {
		const struct statement *st = w.bundle.parts[i].st;

		if (statement_type(st) == STATEMENT_ROOT && statement_number(st, "version") == 2)
			root = i;
		if (statement_type(st) == STATEMENT_CONTROL && !strcmp(statement_get(st, "action"), "approve") && !control)
			control = i;
	}
	world_done(&w);

	world_init(&w, &story);
	add_certificate(&w);
	{ /* the same statements, in a log in which the second root lies before her approval */
		uint64_t from = w.index[root - 1], to = w.index[control - 1];
		struct merkle_hash leaf = w.leaves[from];

		for (uint64_t i = from; i > to; i--)
			w.leaves[i] = w.leaves[i - 1];
		w.leaves[to] = leaf;
		for (size_t i = 0; i < w.bundle.count; i++)
			w.index[i] = w.index[i] == from ? to : w.index[i] + (w.index[i] >= to && w.index[i] < from);
	}
	finish(&w);
	refused(&w, "its control 'approve' by 'carol'");
	world_done(&w);
}

TEST(approvals_that_came_too_late_count_for_nothing)
{
	struct world w;
	size_t control = 0, receipt = 0;

	world_init(&w, &(struct story){ 0 });
	add_certificate(&w);
	for (size_t i = w.bundle.count; i-- > 0;) {
		if (statement_type(w.bundle.parts[i].st) == STATEMENT_RECEIPT)
			receipt = i;
		if (receipt && statement_type(w.bundle.parts[i].st) == STATEMENT_CONTROL)
			control = i; /* the approval of the erasure: the first one */
	}
	{ /* approval and receipt change places */
		struct merkle_hash leaf = w.leaves[w.index[control]];
		uint64_t index = w.index[control];

		w.leaves[index] = w.leaves[w.index[receipt]];
		w.leaves[w.index[receipt]] = leaf;
		w.index[control] = w.index[receipt];
		w.index[receipt] = index;
	}
	w.log_size = w.leaf_count - 2;
	finish(&w);
	refused(&w, "not enough people had agreed to erase the device before it said that it was erased");
	world_done(&w);
}

TEST(a_head_that_the_archive_did_not_sign_proves_nothing)
{
	struct world w;

	world_whole(&w, &(struct story){ 0 });
	statement_free(w.bundle.parts[0].st);
	w.bundle.parts[0].st = head_of(&w, w.leaf_count, BY(MALLORY));
	refused(&w, "the head of its log");
	statement_free(w.bundle.parts[0].st);
	w.bundle.parts[0].st = head_of(&w, w.leaf_count - 1, BY(ARCHIVE));
	refused(&w, "is one in another log");
	world_done(&w);
}

TEST(a_witness_that_saw_another_log_refuses_the_whole)
{
	struct world w;
	size_t last;

	world_whole(&w, &(struct story){ 0 });
	last = w.bundle.count - 1;
	w.leaves[2].b[0] ^= 1;
	statement_free(w.bundle.parts[last].st);
	w.bundle.parts[last].st = head_of(&w, w.leaf_count - 1, BY(ARCHIVE, TOWER));
	refused(&w, "the log that witness 'tower' saw is another one");
	w.leaves[2].b[0] ^= 1;
	statement_free(w.bundle.parts[last].st);
	w.bundle.parts[last].st = head_of(&w, w.leaf_count - 1, BY(ARCHIVE, MALLORY));
	refused(&w, "that a witness cosigned does not hold");
	statement_free(w.bundle.parts[last].st);
	w.bundle.parts[last].st = head_of(&w, w.leaf_count - 1, BY(ARCHIVE));
	refused(&w, "is cosigned by no witness");
	world_done(&w);
}

TEST(a_file_is_bounded_before_it_is_read)
{
	_cleanup_(bundle_done) struct bundle b = { 0 };
	_cleanup_(buf_done) struct buf text = { 0 };
	struct error err = { 0 };

	buf_extend(&text, BUNDLE_MAX + 1);
	CHECK_EQ(bundle_parse(&b, buf_bytes(&text), &err), E_LIMIT);
	buf_truncate(&text, 0);
	buf_add_str(&text,
		    "holdfast-retirement/1\nfleet: aaaaaaaaaaaaaaaaaaaaaaaaaa\ndevice: aaaaaaaaaaaaaaaaaaaaaaaaaa\nparts: 1025\nsum: 0\n");
	CHECK_EQ(bundle_parse(&b, buf_bytes(&text), &err), E_LIMIT);
	CHECK_EQ(bundle_parse(&b, bytes_str(""), &err), E_FORMAT);
	CHECK_EQ(bundle_parse(&b, bytes_str("holdfast-statement/1 certificate\n"), &err), E_FORMAT);
}
