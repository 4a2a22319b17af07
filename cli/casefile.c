/* cli/casefile.c -- what is handed to a vendor about one device, without its secrets. */
#include "cli/casefile.h"

#include <archive.h>
#include <archive_entry.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char masked_text[] = "<masked>";
static const char token_begin[] = "{{secret ";
enum { TOKEN_LEN = 27 };

void casefile_done(struct casefile *c)
{
	for (size_t i = 0; i < c->count; i++)
		buf_done(&c->part[i].text);
	c->count = 0;
}

static int add(struct casefile_part **out, struct casefile *c, const char *name, struct error *err)
{
	if (c->count == CASEFILE_PARTS_MAX)
		return error_set(err, E_LIMIT, "a report has at most %d parts", CASEFILE_PARTS_MAX);
	*out = &c->part[c->count++];
	**out = (struct casefile_part){ 0 };
	snprintf((*out)->name, sizeof((*out)->name), "%s", name);
	return 0;
}

int casefile_add(struct casefile *c, const char *name, struct bytes text, struct error *err)
{
	struct casefile_part *part;

	if (add(&part, c, name, err) < 0)
		return err->code;
	buf_add_bytes(&part->text, text);
	return 0;
}

/* ---- secrets ---- */

static bool is_token(struct bytes in)
{
	return in.len >= TOKEN_LEN && !memcmp(in.ptr, token_begin, sizeof(token_begin) - 1) && in.ptr[TOKEN_LEN - 2] == '}' &&
	       in.ptr[TOKEN_LEN - 1] == '}';
}

int casefile_add_configuration(struct casefile *c, const char *name, const struct form *form, struct bytes text, struct error *err)
{
	_cleanup_(buf_done) struct buf split = { 0 }, table = { 0 };
	struct casefile_part *part;
	struct bytes rest;

	if (add(&part, c, name, err) < 0)
		return err->code;
	form_split(&split, &table, form, text); /* tokens that are there become tokens again */
	for (rest = buf_bytes(&split); rest.len;) {
		const uint8_t *next = memmem(rest.ptr, rest.len, token_begin, sizeof(token_begin) - 1);
		size_t n = next ? (size_t)(next - rest.ptr) : rest.len;

		buf_add_bytes(&part->text, bytes_of(rest.ptr, n));
		rest = bytes_from(rest, n);
		if (!rest.len)
			break;
		if (is_token(rest)) {
			buf_add_str(&part->text, masked_text);
			part->masked++;
			rest = bytes_from(rest, TOKEN_LEN);
		} else {
			buf_add_char(&part->text, (char)rest.ptr[0]);
			rest = bytes_from(rest, 1);
		}
	}
	return 0;
}

static void mask_value(struct casefile_part *part, struct bytes value)
{
	struct bytes rest = buf_bytes(&part->text);
	struct buf clean = { 0 };
	const uint8_t *next;

	while ((next = memmem(rest.ptr, rest.len, value.ptr, value.len))) {
		buf_add_bytes(&clean, bytes_of(rest.ptr, (size_t)(next - rest.ptr)));
		buf_add_str(&clean, masked_text);
		part->masked++;
		rest = bytes_from(rest, (size_t)(next - rest.ptr) + value.len);
	}
	buf_add_bytes(&clean, rest);
	buf_done(&part->text);
	part->text = clean;
}

static bool holds(const struct casefile_part *part, struct bytes value)
{
	return memmem(part->text.ptr, part->text.len, value.ptr, value.len) != NULL;
}

static void remove_part(struct casefile *c, size_t i)
{
	buf_done(&c->part[i].text);
	memmove(&c->part[i], &c->part[i + 1], (c->count - i - 1) * sizeof(c->part[0]));
	c->count--;
}

static size_t mask_everywhere(struct casefile *c, struct bytes value, const char *keep)
{
	size_t removed = 0;

	if (value.len < CASEFILE_VALUE_MIN)
		return 0;
	for (size_t i = c->count; i-- > 0;) {
		if (!holds(&c->part[i], value))
			continue;
		if (!strncmp(c->part[i].name, keep, strlen(keep))) {
			remove_part(c, i);
			removed++;
		} else {
			mask_value(&c->part[i], value);
		}
	}
	return removed;
}

size_t casefile_mask(struct casefile *c, struct bytes secrets, const char *keep)
{
	struct bytes line;
	size_t removed = 0;

	while (bytes_next_line(&secrets, &line)) {
		_cleanup_(buf_done) struct buf value = { 0 };
		const uint8_t *blank = line.len ? memchr(line.ptr, ' ', line.len) : NULL;
		struct bytes coded = blank ? bytes_from(line, (size_t)(blank - line.ptr) + 1) : (struct bytes){ 0 };

		if (!coded.len || !base64_decode(&value, coded))
			continue;
		removed += mask_everywhere(c, buf_bytes(&value), keep);
		removed += mask_everywhere(c, coded, keep); /* as it would stand in what is no text */
	}
	return removed;
}

/* ---- one file ---- */

static la_ssize_t take(struct archive *archive, void *ctx, const void *data, size_t len)
{
	(void)archive;
	buf_add(ctx, data, len);
	return (la_ssize_t)len;
}

static bool put_part(struct archive *archive, const struct casefile_part *part, const char *folder, int64_t time_s)
{
	_cleanup_(mem_freep) char *path = mem_printf("%s/%s", folder, part->name);
	struct archive_entry *entry = archive_entry_new();
	bool ok;

	archive_entry_set_pathname(entry, path);
	archive_entry_set_size(entry, (la_int64_t)part->text.len);
	archive_entry_set_filetype(entry, AE_IFREG);
	archive_entry_set_perm(entry, 0600);
	archive_entry_set_mtime(entry, (time_t)time_s, 0);
	ok = archive_write_header(archive, entry) == ARCHIVE_OK &&
	     archive_write_data(archive, part->text.ptr ? (const void *)part->text.ptr : "", part->text.len) == (la_ssize_t)part->text.len;
	archive_entry_free(entry);
	return ok;
}

int casefile_pack(struct buf *out, const struct casefile *c, const char *folder, int64_t time_s, struct error *err)
{
	struct archive *archive = archive_write_new();
	bool ok = archive && archive_write_set_format_ustar(archive) == ARCHIVE_OK &&
		  archive_write_add_filter_gzip(archive) == ARCHIVE_OK && archive_write_open(archive, out, NULL, take, NULL) == ARCHIVE_OK;

	for (size_t i = 0; i < c->count && ok; i++)
		ok = put_part(archive, &c->part[i], folder, time_s);
	ok = ok && archive_write_close(archive) == ARCHIVE_OK;
	if (!ok)
		error_set(err, E_SYS, "cannot pack the report: %.200s",
			  archive && archive_error_string(archive) ? archive_error_string(archive) : "");
	archive_write_free(archive);
	return ok ? 0 : err->code;
}
