/* cli/copies.c -- copies of one text, and their signatures together. */
#include "cli/copies.h"

#include "base/fs.h"
#include "cli/cli.h"
#include "crypto/statement.h"

#include <string.h>

static bool has_block(struct bytes blocks, struct bytes block)
{
	return block.len && blocks.len >= block.len && memmem(blocks.ptr, blocks.len, block.ptr, block.len);
}

/* Appends the signatures of one more copy that are not there yet. */
static int merge(struct buf *whole, const char *file, struct error *err)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	_cleanup_(statement_freep) struct statement *st = NULL, *first = NULL;
	struct bytes rest;
	int r = fs_read(&text, file, STATEMENT_MAX, err);

	if (r == FS_ABSENT)
		return error_set(err, CLI_ABSENT, "there is no file '%s'", file);
	if (r == 0 && whole->len)
		r = statement_parse(&first, buf_bytes(whole), true, &(size_t){ 0 }, err);
	if (r == 0)
		r = statement_parse(&st, buf_bytes(&text), true, &(size_t){ 0 }, err);
	if (r < 0)
		return error_add(err, "'%s'", file);
	if (!first) {
		buf_add_bytes(whole, buf_bytes(&text));
		return 0;
	}
	if (!bytes_equal(statement_text(first), statement_text(st)))
		return error_set(err, CLI_CONFLICT, "'%s' is no copy of the other: its text differs", file);
	rest = bytes_from(buf_bytes(&text), statement_text(st).len);
	while (rest.len) {
		struct sshsig ignored;
		size_t used = 0;

		if (sshsig_parse(&ignored, rest, &used, err) < 0)
			return error_add(err, "'%s'", file);
		if (!has_block(buf_bytes(whole), bytes_of(rest.ptr, used)))
			buf_add(whole, rest.ptr, used);
		rest = bytes_from(rest, used);
	}
	return 0;
}

int copies_read(struct buf *whole, const char *const files[], size_t count, struct error *err)
{
	for (size_t i = 0; i < count; i++)
		if (merge(whole, files[i], err) < 0)
			return err->code;
	return 0;
}
