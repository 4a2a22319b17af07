/* tests/unit/test-cli-signers.c -- the keys of a fleet as stock tools read them. */
#include "tests/test.h"

#include "cli/signers.h"
#include "tests/fleet.h"

#include <stdio.h>

/* As fleet_next_root(), with other people's and archive's keys in place of the first. */
static struct root *replaced(const struct fleet *from, const struct fleet *to)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	struct error err = { 0 };
	struct root *root = NULL;
	struct statement *old = fleet_parsed(&from->root);
	char hash[2 * HASH_LEN + 1];

	statement_hash_hex(hash, old);
	statement_begin(&text, STATEMENT_ROOT);
	statement_add(&text, "fleet", "%s", from->id);
	statement_add(&text, "version", "2");
	statement_add(&text, "prev", "%s", hash);
	statement_add(&text, "time", "2027-01-02T03:04:05Z");
	statement_add(&text, "expires", "2028-01-02T03:04:05Z");
	buf_add_str(&text, strstr(buf_text(&to->root), "name: "));
	buf_truncate(&text, (size_t)(strstr(buf_text(&text), "-----BEGIN") - buf_text(&text)));
	CHECK_OK(statement_sign(&text, &from->operator, &err));
	CHECK_OK(root_new(&root, fleet_parsed(&text), &err));
	statement_free(old);
	return root;
}

static bool has(const struct buf *text, const char *part)
{
	return strstr(buf_text(text), part) != NULL;
}

TEST(an_export_keeps_old_archive_keys_and_ends_old_peoples)
{
	_cleanup_(buf_done) struct buf one = { 0 }, two = { 0 };
	_cleanup_(mem_freep) char *old_person = NULL;
	char old_archive[SIGN_PUB_TEXT_MAX + 80];
	struct error err = { 0 };
	struct fleet fleet, next;
	struct root *roots[2] = { 0 };
	struct bytes rest, line;

	fleet_init(&fleet);
	fleet_init(&next);
	CHECK_OK(root_new(&roots[0], fleet_parsed(&fleet.root), &err));
	roots[1] = replaced(&fleet, &next);
	snprintf(old_archive, sizeof(old_archive),
		 "archive namespaces=\"git,checkpoint@holdfast,shredded@holdfast,certificate@holdfast\" %s\n", fleet.archive_text);
	signers_text(&one, roots, 1);
	CHECK(!has(&one, "valid-before") && has(&one, old_archive));
	rest = buf_bytes(&one);
	CHECK(bytes_next_line(&rest, &line) && !memcmp(line.ptr, "alice namespaces=", 17));
	old_person = mem_printf("alice valid-before=\"20270102030405Z\",%.*s\n", (int)line.len - 6, (const char *)line.ptr + 6);
	signers_text(&two, roots, 2);
	CHECK(has(&two, old_person) && has(&two, old_archive) && has(&two, next.archive_text));
	CHECK(strstr(buf_text(&two), next.archive_text) < strstr(buf_text(&two), old_archive)); /* what is in force comes first */
	root_free(roots[0]);
	root_free(roots[1]);
	fleet_done(&fleet);
	fleet_done(&next);
}
