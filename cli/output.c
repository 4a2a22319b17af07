/* cli/output.c -- what people and scripts read: tables, JSON, progress. */
#include "cli/output.h"

#include "base/clock.h"
#include "base/fs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { API_VERSION = 1, TERMINAL_STEP_MS = 200, PLAIN_STEP_MS = 10000 };

/* Bytes of the UTF-8 character at in, its code point in *code; 0: not well formed (RFC 3629). */
static size_t utf8_next(struct bytes in, uint32_t *code)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	uint8_t b = in.ptr[0];
	size_t len = b < 0x80 ? 1 : b >= 0xf0 && b < 0xf8 ? 4 : b >= 0xe0 && b < 0xf0 ? 3 : b >= 0xc0 && b < 0xe0 ? 2 : 0;

	if (!len || len > in.len)
		return 0;
	*code = len == 1 ? b : b & (0x7fU >> len);
	for (size_t i = 1; i < len; i++) {
		if ((in.ptr[i] & 0xc0) != 0x80)
			return 0;
		*code = *code << 6 | (in.ptr[i] & 0x3fU);
	}
	return *code < least[len] || *code > 0x10ffff || (*code >= 0xd800 && *code < 0xe000) ? 0 : len;
}

static bool is_harmless(uint32_t c, bool lines_ok)
{
	if (c == '\n' || c == '\t')
		return lines_ok;
	if (c < 0x20 || (c >= 0x7f && c < 0xa0))
		return false;
	/* what turns lines around or hides: marks, embeddings, isolates, line separators, zero width */
	return !(c == 0x61c || (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) || c == 0xfeff);
}

void output_clean(struct buf *out, struct bytes text, bool lines_ok)
{
	while (text.len) {
		uint32_t code = 0;
		size_t len = utf8_next(text, &code);

		if (len && is_harmless(code, lines_ok))
			buf_add(out, text.ptr, len);
		else
			buf_add_char(out, '?');
		text = bytes_from(text, len ? len : 1);
	}
}

void table_init(struct table *table, size_t columns, const char *const heads[])
{
	*table = (struct table){ .columns = columns };
	table_add(table, heads);
}

void table_add(struct table *table, const char *const cells[])
{
	char **row;

	table->cells = mem_grow(table->cells, (table->rows + 1) * table->columns * sizeof(*table->cells));
	row = table->cells + table->rows++ * table->columns;
	for (size_t i = 0; i < table->columns; i++) {
		struct buf cell = { 0 };

		output_clean(&cell, bytes_str(cells[i] && *cells[i] ? cells[i] : "-"), false);
		row[i] = buf_steal_text(&cell);
	}
}

/* Columns on a terminal; one per character is near enough for what we print. */
static size_t width_of(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += ((uint8_t)*text & 0xc0) != 0x80;
	return n;
}

void table_text(struct buf *out, const struct table *table, bool for_people)
{
	size_t width[TABLE_COLUMNS_MAX] = { 0 };

	for (size_t i = 0; i < table->rows * table->columns; i++)
		if (width_of(table->cells[i]) > width[i % table->columns])
			width[i % table->columns] = width_of(table->cells[i]);
	for (size_t i = for_people ? 0 : table->columns; i < table->rows * table->columns; i++) {
		size_t column = i % table->columns;
		bool is_last = column + 1 == table->columns;

		buf_add_str(out, table->cells[i]);
		if (is_last)
			buf_add_char(out, '\n');
		else if (!for_people)
			buf_add_char(out, '\t');
		for (size_t pad = width_of(table->cells[i]); for_people && !is_last && pad < width[column] + 2; pad++)
			buf_add_char(out, ' ');
	}
}

int table_print(const struct table *table, struct error *err)
{
	_cleanup_(buf_done) struct buf out = { 0 };

	table_text(&out, table, output_is_terminal());
	return output_raw(buf_bytes(&out), err);
}

void table_done(struct table *table)
{
	for (size_t i = 0; i < table->rows * table->columns; i++)
		free(table->cells[i]);
	free(table->cells);
	*table = (struct table){ 0 };
}

bool output_is_terminal(void)
{
	return isatty(STDOUT_FILENO);
}

bool output_has_colour(void)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	return output_is_terminal() && !(no && *no) && term && strcmp(term, "dumb") != 0;
}

int output_raw(struct bytes text, struct error *err)
{
	return fd_write_all(STDOUT_FILENO, text, err) < 0 ? error_add(err, "standard output") : 0;
}

int output_json(const char *kind, json_t *fields, struct error *err)
{
	json_t *all = json_pack("{s:s, s:i}", "kind", kind, "api-version", API_VERSION);
	char *text;
	int r;

	json_object_update(all, fields);
	json_decref(fields);
	text = json_dumps(all, JSON_INDENT(2) | JSON_ENSURE_ASCII);
	json_decref(all);
	if (!text)
		return error_set(err, E_FORMAT, "cannot write this as JSON: text that is no UTF-8");
	r = output_raw(bytes_str(text), err);
	free(text);
	return r < 0 ? r : output_raw(bytes_str("\n"), err);
}

void output_note(const char *fmt, ...)
{
	_cleanup_(buf_done) struct buf text = { 0 }, clean = { 0 };
	va_list ap;

	va_start(ap, fmt);
	buf_vaddf(&text, fmt, ap);
	va_end(ap);
	output_clean(&clean, buf_bytes(&text), false);
	fprintf(stderr, "%s\n", buf_text(&clean));
}

void progress_show(struct progress *progress, uint64_t done, uint64_t total)
{
	uint64_t now = clock_mono_ms(), took;
	bool in_place = isatty(STDERR_FILENO);
	char left[24] = "?";

	if (!progress->began_ms)
		progress->began_ms = progress->shown_ms = now;
	if (now - progress->shown_ms < (in_place ? TERMINAL_STEP_MS : PLAIN_STEP_MS))
		return;
	took = now - progress->began_ms;
	progress->shown_ms = now;
	if (done && total >= done)
		clock_age_text(left, (int64_t)(took * (total - done) / done / 1000));
	fprintf(stderr, "%s%s %llu/%llu, %llu/s, %s left%s", in_place ? "\r" : "", progress->what, (unsigned long long)done,
		(unsigned long long)total, (unsigned long long)(done * 1000 / (took ? took : 1)), left, in_place ? "\033[K" : "\n");
}

void progress_count(struct progress *progress, uint64_t done, uint64_t total)
{
	uint64_t now = clock_mono_ms();

	if (!progress->began_ms)
		progress->began_ms = progress->shown_ms = now;
	if (now - progress->shown_ms < TERMINAL_STEP_MS || !isatty(STDERR_FILENO))
		return;
	progress->shown_ms = now;
	fprintf(stderr, "\r%llu of %llu\033[K", (unsigned long long)done, (unsigned long long)total);
}

void progress_end(struct progress *progress)
{
	if (progress->began_ms && progress->shown_ms != progress->began_ms && isatty(STDERR_FILENO))
		fputs("\r\033[K", stderr);
}
