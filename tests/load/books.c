/* tests/load/books.c -- what a run writes down. */
#include "tests/load/books.h"

#include "base/fs.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BOOKS_MAX = 512 << 20 };

int record_of(struct record *out, struct bytes in, struct error *err)
{
	_cleanup_(statement_freep) struct statement *st = NULL;
	const char *subject;
	int r = statement_parse(&st, in, false, NULL, err);

	if (r < 0)
		return r;
	*out = (struct record){ .type = statement_type(st), .number = statement_number(st, "number") };
	subject = statement_get(st, out->type == STATEMENT_INVITE ? "invite" : "device");
	snprintf(out->subject, sizeof(out->subject), "%s", subject ? subject : "-");
	if (out->type == STATEMENT_ROOT)
		out->number = statement_number(st, "version");
	statement_hash_hex(out->hash, st);
	sha256_hex(out->whole, statement_whole(st));
	return 0;
}

static char *path_in(const char *folder, const char *name)
{
	return mem_printf("%s/%s", folder, name);
}

int books_open(const char *folder, struct error *err)
{
	_cleanup_(mem_freep) char *path = path_in(folder, "acked");
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

	return fd < 0 ? error_sys(err, "cannot open '%s'", path) : fd;
}

int books_add(int fd, const struct record *r, struct error *err)
{
	_cleanup_(buf_done) struct buf line = { 0 };

	buf_addf(&line, "%s %s %llu %s %s\n", statement_type_name(r->type), r->subject, (unsigned long long)r->number, r->hash, r->whole);
	return fd_write_all(fd, buf_bytes(&line), err);
}

static int parse_line(struct record *out, const char *line, struct error *err)
{
	unsigned long long number;
	char type[16];

	*out = (struct record){ 0 };
	if (sscanf(line, "%15s %26s %llu %64s %64s", type, out->subject, &number, out->hash, out->whole) != 5 ||
	    !statement_type_parse(&out->type, bytes_str(type)))
		return error_set(err, E_FORMAT, "the books hold a line that is none: '%s'", line);
	out->number = number;
	return 0;
}

int books_read(struct record **out, size_t *count, const char *folder, struct error *err)
{
	_cleanup_(mem_freep) char *path = path_in(folder, "acked");
	_cleanup_(buf_done) struct buf text = { 0 };
	struct bytes rest, line;
	struct record *list = NULL;
	size_t n = 0, cap = 0;
	int r = fs_read(&text, path, BOOKS_MAX, err);

	if (r != 0)
		return r < 0 ? r : error_set(err, E_SYS, "there are no books '%s'", path);
	for (rest = buf_bytes(&text); bytes_next_line(&rest, &line);) {
		_cleanup_(mem_freep) char *copy = mem_strndup((const char *)line.ptr, line.len);

		if (n == cap)
			list = mem_grow(list, (cap = cap ? cap * 2 : 1024) * sizeof(*list));
		if (parse_line(&list[n++], copy, err) < 0) {
			free(list);
			return err->code;
		}
	}
	*out = list;
	*count = n;
	return 0;
}

int books_keep(const char *folder, const struct fleet *fleet, struct error *err)
{
	_cleanup_(mem_freep) char *key = path_in(folder, "operator.key"), *whole = path_in(folder, "root"),
				  *signers = path_in(folder, "allowed_signers");
	_cleanup_(mem_freep) char *reading = path_in(folder, "reading.key"), *id = path_in(folder, "fleet");
	_cleanup_(buf_done) struct buf text = { 0 }, reader = { 0 };
	_cleanup_(root_freep) struct root *root = NULL;
	struct statement *st = NULL;

	if (statement_parse(&st, buf_bytes(&fleet->root), false, NULL, err) < 0 || root_new(&root, st, err) < 0)
		return err->code;
	root_allowed_signers(&text, root);
	if (sign_key_store(&fleet->operator, key, err) < 0 || fs_write(whole, buf_bytes(&fleet->root), 0600, err) < 0)
		return err->code;
	age_identity_text(&reader, &fleet->reader);
	buf_add_char(&reader, '\n');
	if (fs_write(reading, buf_bytes(&reader), 0600, err) < 0 || fs_write(id, bytes_str(fleet->id), 0600, err) < 0)
		return err->code;
	return fs_write(signers, buf_bytes(&text), 0600, err);
}

int books_fleet(struct fleet *out, const char *folder, struct error *err)
{
	_cleanup_(mem_freep) char *key = path_in(folder, "operator.key"), *whole = path_in(folder, "root");
	_cleanup_(statement_freep) struct statement *st = NULL;
	int r;

	*out = (struct fleet){ 0 };
	r = sign_key_load(&out->operator, key, err);
	if (r == 0)
		r = fs_read(&out->root, whole, STATEMENT_MAX, err);
	if (r == 0)
		r = statement_parse(&st, buf_bytes(&out->root), false, NULL, err);
	if (r != 0)
		return r < 0 ? r : error_set(err, E_SYS, "'%s' is not the folder of a run", folder);
	id_of_hash(out->id, statement_hash(st));
	return 0;
}
