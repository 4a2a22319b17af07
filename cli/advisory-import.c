/* cli/advisory-import.c -- advisories from files, folders, archives and standard input into the store. */
#include "cli/advisory-import.h"

#include "base/fs.h"
#include "base/proc.h"
#include "cli/advisory-judge.h"
#include "cli/cli.h"

#include <archive.h>
#include <archive_entry.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { GPGV_MS = 30000, GPGV_MAX = 65536, FOLDERS_MAX = 16, SIDECAR_MAX = 65536, NAME_MAX_LEN = 240 };

void advisory_import_init(struct advisory_import *im, struct advisory_store *store)
{
	*im = (struct advisory_import){ .store = store, .problems = json_array(), .unclear_list = json_array() };
}

void advisory_import_done(struct advisory_import *im)
{
	json_decref(im->problems);
	json_decref(im->unclear_list);
	free(im->vouched);
	*im = (struct advisory_import){ 0 };
}

static void refuse(struct advisory_import *im, const char *name, const char *problem)
{
	json_t *line = json_pack("{s:s, s:s}", "file", name, "problem", problem);

	im->refused++;
	if (!line) /* a name that is no UTF-8 */
		line = json_pack("{s:s, s:s}", "file", "?", "problem", problem);
	if (json_array_size(im->problems) < IMPORT_PROBLEMS_MAX)
		json_array_append(im->problems, line);
	json_decref(line);
}

/* ---- checks ---- */

static bool ends_in(const char *text, const char *end)
{
	size_t n = strlen(text), m = strlen(end);

	return n > m && !strcmp(text + n - m, end);
}

/* The first word of FILE.sha256 or FILE.sha512 is the hash. 1: there is none. */
static int check_sum(const char *path, const char *suffix, size_t len, struct bytes in, struct error *err)
{
	_cleanup_(mem_freep) char *beside = mem_printf("%s%s", path, suffix);
	_cleanup_(buf_done) struct buf text = { 0 };
	uint8_t said[crypto_hash_sha512_BYTES], is[crypto_hash_sha512_BYTES];
	int r = fs_read(&text, beside, SIDECAR_MAX, err);

	if (r != 0)
		return r;
	if (text.len < 2 * len || !hex_decode(said, len, bytes_of(text.ptr, 2 * len)) ||
	    (text.len > 2 * len && strchr(" \t\r\n", text.ptr[2 * len]) == NULL))
		return error_set(err, E_FORMAT, "'%s' does not begin with a hash", suffix);
	if (len == crypto_hash_sha512_BYTES)
		crypto_hash_sha512(is, in.ptr, in.len);
	else
		crypto_hash_sha256(is, in.ptr, in.len);
	return memcmp(said, is, len) ? error_set(err, E_SEAL, "it has another hash than its %s says", suffix) : 0;
}

static int check_sums(bool *had, const struct advisory_import *im, const char *path, struct bytes in, struct error *err)
{
	int a = path ? check_sum(path, ".sha256", crypto_hash_sha256_BYTES, in, err) : 1, b;

	if (a < 0)
		return a;
	b = path ? check_sum(path, ".sha512", crypto_hash_sha512_BYTES, in, err) : 1;
	if (b < 0)
		return b;
	*had = a == 0 || b == 0;
	if (!*had && im->needs_checksum && !im->vouched)
		return error_set(err, E_DENIED, "it has no .sha256 and no .sha512 beside it");
	return 0;
}

/* The fingerprint that gpgv says on its status lines. */
static void take_fingerprint(char out[static 65], struct bytes status)
{
	static const char valid[] = "[GNUPG:] VALIDSIG ";
	struct bytes line;

	strcpy(out, "?");
	while (bytes_next_line(&status, &line))
		if (line.len > sizeof(valid) && !memcmp(line.ptr, valid, sizeof(valid) - 1))
			sscanf((const char *)line.ptr + sizeof(valid) - 1, "%64[0-9A-F]", out);
}

static int run_gpgv(char **out, const char *keyring, const char *signature, struct bytes in, struct error *err)
{
	/* a name without a slash would be looked up in the home of GnuPG */
	_cleanup_(mem_freep) char *ring = realpath(keyring, NULL), *sig = realpath(signature, NULL);
	const char *argv[] = { "gpgv", "--status-fd", "1", "--keyring", ring, "--", sig, "-", NULL };
	_cleanup_(proc_result_done) struct proc_result res = { 0 };
	char fingerprint[65];

	if (!ring || !sig)
		return error_sys(err, "cannot find '%s'", ring ? signature : keyring);
	if (proc_run(&res, argv, in, GPGV_MS, GPGV_MAX, err) < 0)
		return error_add(err, "gpgv (package gpgv) verifies signatures");
	take_fingerprint(fingerprint, buf_bytes(&res.out));
	if (res.status || *fingerprint == '?')
		return error_set(err, E_SEAL, "its signature does not hold for any key of the keyring");
	*out = mem_printf("signature %s", fingerprint);
	return 0;
}

/* "nothing", "checksum", "signature ...": what vouches for these bytes, and the signature itself. path: NULL for standard input. */
static int check(char **out, struct buf *proof, struct advisory_import *im, const char *path, struct bytes in, struct error *err)
{
	_cleanup_(mem_freep) char *beside = path ? mem_printf("%s.asc", path) : NULL;
	const char *signature = im->signature ? im->signature : beside;
	bool had_sum = false;

	if (check_sums(&had_sum, im, path, in, err) < 0)
		return err->code;
	if (im->keyring && !im->vouched) {
		if (!signature || access(signature, F_OK) < 0)
			return error_set(err, E_DENIED, "it has no signature (.asc) beside it");
		if (run_gpgv(out, im->keyring, signature, in, err) < 0)
			return err->code;
		return fs_read(proof, signature, ADVISORY_SIGNATURE_MAX, err) < 0 ? err->code : 0;
	}
	*out = mem_strdup(im->vouched ? im->vouched : had_sum ? "checksum" : "nothing");
	return 0;
}

/* ---- one document ---- */

static void note_unclear(struct advisory_import *im, const struct advisory *a)
{
	json_t *notes = json_array();

	im->unclear++;
	im->notes += a->note_count;
	for (size_t i = 0; i < a->note_count && i < ADVISORY_NOTES_MAX; i++)
		json_array_append_new(notes, json_string(a->notes[i]));
	if (json_array_size(im->unclear_list) < IMPORT_PROBLEMS_MAX)
		json_array_append_new(im->unclear_list, json_pack("{s:s, s:O}", "id", a->id, "notes", notes));
	json_decref(notes);
}

/* Only what the disk says stops the whole. */
static int settle(struct advisory_import *im, const char *name, int r, struct error *err)
{
	if (r >= 0)
		return 0;
	if (err->code == E_SYS)
		return error_add(err, "'%s'", name);
	refuse(im, name, err->text);
	return 0;
}

static int take_document(struct advisory_import *im, const char *path, struct bytes in, struct error *err)
{
	_cleanup_(advisory_freep) struct advisory *a = NULL;
	_cleanup_(mem_freep) char *checked = NULL;
	_cleanup_(buf_done) struct buf proof = { 0 };
	enum advisory_taken how;
	int r = check(&checked, &proof, im, path, in, err);

	if (r == 0)
		r = advisory_read(&a, in, err);
	if (r == 0)
		r = advisory_store_take(&how, im->store, a, in, checked, err);
	if (r == 0 && proof.len && how != TAKEN_OLDER)
		r = advisory_store_put_signature(im->store, in, buf_bytes(&proof), err);
	if (r < 0)
		return r;
	im->taken[how]++;
	if (a->note_count && (how == TAKEN_NEW || how == TAKEN_NEWER))
		note_unclear(im, a);
	return 0;
}

static bool is_judgement(struct bytes in)
{
	static const char head[] = "holdfast-statement/1 judgement\n";

	return in.len > sizeof(head) && !memcmp(in.ptr, head, sizeof(head) - 1);
}

/* A judgement is signed by itself. */
int advisory_import_bytes(struct advisory_import *im, const char *name, const char *path, struct bytes in, struct error *err)
{
	int r;

	im->files++;
	if (is_judgement(in)) {
		r = judgement_take(im->store, im->root, in, err);
		im->judgements += r == 0;
	} else {
		r = take_document(im, path, in, err);
	}
	return settle(im, name, r, err);
}

void advisory_import_refuse(struct advisory_import *im, const char *name, const char *problem)
{
	im->files++;
	refuse(im, name, problem);
}

/* path: NULL for standard input. */
static int take_bytes(struct advisory_import *im, const char *path, struct bytes in, struct error *err)
{
	return advisory_import_bytes(im, path ? path : "-", path, in, err);
}

static int take_file(struct advisory_import *im, const char *path, struct error *err)
{
	_cleanup_(buf_done) struct buf in = { 0 };
	int r = fs_read(&in, path, ADVISORY_MAX, err);

	if (r == FS_ABSENT)
		return 0; /* went between listing and reading */
	if (r < 0) {
		im->files++;
		return settle(im, path, r, err);
	}
	return take_bytes(im, path, buf_bytes(&in), err);
}

/* ---- folders ---- */

static bool is_wanted(const char *name)
{
	return (ends_in(name, ".json") && strcmp(name, "provider-metadata.json") != 0) || ends_in(name, ".judgement");
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int not_hidden(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static int take_folder(struct advisory_import *im, const char *path, unsigned depth, struct error *err);

static int take_entry(struct advisory_import *im, const char *folder, const char *name, unsigned depth, struct error *err)
{
	_cleanup_(mem_freep) char *path = mem_printf("%s/%s", folder, name);
	struct stat st;

	if (lstat(path, &st) < 0)
		return 0;
	if (S_ISDIR(st.st_mode))
		return take_folder(im, path, depth + 1, err);
	if (!S_ISREG(st.st_mode) || !is_wanted(name))
		return 0;
	if (im->files >= IMPORT_FILES_MAX)
		return error_set(err, E_LIMIT, "there are more than %d files", IMPORT_FILES_MAX);
	return take_file(im, path, err);
}

static int take_folder(struct advisory_import *im, const char *path, unsigned depth, struct error *err)
{
	struct dirent **list = NULL;
	int n, r = 0;

	if (depth == FOLDERS_MAX)
		return error_set(err, E_LIMIT, "'%s' lies deeper than %d folders", path, FOLDERS_MAX);
	n = scandir(path, &list, not_hidden, by_name);
	if (n < 0)
		return error_sys(err, "cannot list '%s'", path);
	for (int i = 0; i < n; i++) {
		if (r == 0)
			r = take_entry(im, path, list[i]->d_name, depth, err);
		free(list[i]);
	}
	free(list);
	return r;
}

/* ---- archives ---- */

struct unpacking {
	struct archive *archive;
	const char *folder;
	size_t files;
	uint64_t bytes;
};

static int archive_error(struct unpacking *u, struct error *err)
{
	const char *why = archive_error_string(u->archive);

	return error_set(err, E_FORMAT, "the archive is damaged: %.200s", why ? why : "no reason is given");
}

/* Names lose their folders, so none leads out of ours: "2026/a.json" becomes "2026%a.json". */
static bool flatten(char out[static NAME_MAX_LEN], const char *name)
{
	size_t n = 0;

	for (; *name && n + 1 < NAME_MAX_LEN; name++)
		out[n++] = *name == '/' || (unsigned char)*name < 0x20 ? '%' : *name;
	out[n] = 0;
	if (out[0] == '.') /* "./a.json" is one, and hidden files are not listed */
		out[0] = '%';
	return n && !*name;
}

static int copy_data(struct unpacking *u, int fd, struct error *err)
{
	uint64_t len = 0;
	const void *block;
	size_t size;
	la_int64_t offset;
	int r;

	while ((r = archive_read_data_block(u->archive, &block, &size, &offset)) == ARCHIVE_OK) {
		u->bytes += size;
		len += size;
		if (u->bytes > (uint64_t)IMPORT_TOTAL_MAX)
			return error_set(err, E_LIMIT, "it holds more than %d MiB", IMPORT_TOTAL_MAX >> 20);
		if (len > ADVISORY_MAX + 1) /* refused by name when it is read */
			continue;
		if (fd_write_all(fd, bytes_of(block, size), err) < 0)
			return err->code;
	}
	return r == ARCHIVE_EOF ? 0 : archive_error(u, err);
}

static int unpack_entry(struct unpacking *u, struct archive_entry *entry, struct error *err)
{
	const char *name = archive_entry_pathname(entry);
	_cleanup_(mem_freep) char *path = NULL;
	_cleanup_(fd_closep) int fd = -1;
	char flat[NAME_MAX_LEN];

	if (u->files++ == IMPORT_FILES_MAX)
		return error_set(err, E_LIMIT, "it holds more than %d files", IMPORT_FILES_MAX);
	if (archive_entry_filetype(entry) != AE_IFREG || archive_entry_hardlink(entry) || !name || !flatten(flat, name))
		return 0;
	path = mem_printf("%s/%s", u->folder, flat);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return errno == EEXIST ? error_set(err, E_FORMAT, "it holds '%s' twice", name) : error_sys(err, "cannot make '%s'", path);
	return copy_data(u, fd, err);
}

static int unpack(struct unpacking *u, const char *path, struct error *err)
{
	struct archive_entry *entry;
	int r;

	archive_read_support_format_tar(u->archive);
	archive_read_support_filter_gzip(u->archive);
	archive_read_support_filter_zstd(u->archive);
	archive_read_support_filter_xz(u->archive);
	if (archive_read_open_filename(u->archive, path, 65536) != ARCHIVE_OK)
		return archive_error(u, err);
	while ((r = archive_read_next_header(u->archive, &entry)) == ARCHIVE_OK)
		if (unpack_entry(u, entry, err) < 0)
			return err->code;
	return r == ARCHIVE_EOF ? 0 : archive_error(u, err);
}

static void remove_folder(char **folder)
{
	DIR *dir = *folder ? opendir(*folder) : NULL;
	struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		unlinkat(dirfd(dir), entry->d_name, 0);
	if (dir)
		closedir(dir);
	if (*folder)
		rmdir(*folder);
	free(*folder);
	*folder = NULL;
}

/* What vouches for an archive vouches for all that is in it. Its hash is of at most IMPORT_TOTAL_MAX bytes. */
static int check_archive(struct advisory_import *im, const char *path, struct error *err)
{
	_cleanup_(mem_freep) char *signature = mem_printf("%s.asc", path), *a = mem_printf("%s.sha256", path),
				  *b = mem_printf("%s.sha512", path);
	_cleanup_(mem_freep) char *checked = NULL;
	_cleanup_(buf_done) struct buf in = { 0 }, proof = { 0 };
	int r;

	if (access(a, F_OK) < 0 && access(b, F_OK) < 0 && !im->signature && (!im->keyring || access(signature, F_OK) < 0))
		return 0; /* its members have to show their own */
	r = fs_read(&in, path, IMPORT_TOTAL_MAX, err);
	if (r == 0)
		r = check(&checked, &proof, im, path, buf_bytes(&in), err);
	if (r < 0)
		return error_add(err, "'%s'", path);
	if (strcmp(checked, "nothing") != 0)
		im->vouched = steal(checked);
	return 0;
}

static int take_archive(struct advisory_import *im, const char *path, struct error *err)
{
	_cleanup_(remove_folder) char *folder = mem_printf("%s/unpacked-XXXXXX", im->store->dir);
	struct unpacking u = { .archive = archive_read_new(), .folder = folder };
	int r;

	if (!mkdtemp(folder))
		r = error_sys(err, "cannot make '%s'", folder);
	else
		r = check_archive(im, path, err);
	if (r == 0 && (r = unpack(&u, path, err)) < 0)
		error_add(err, "'%s'", path);
	archive_read_free(u.archive);
	if (r == 0)
		r = take_folder(im, folder, 0, err);
	free(im->vouched);
	im->vouched = NULL;
	return r;
}

/* ---- sources ---- */

static bool is_archive(const char *path)
{
	static const char *const ends[] = { ".tar", ".tar.gz", ".tgz", ".tar.zst", ".tar.xz" };

	for (size_t i = 0; i < ARRAY_SIZE(ends); i++)
		if (ends_in(path, ends[i]))
			return true;
	return false;
}

static int take_input(struct advisory_import *im, struct error *err)
{
	_cleanup_(buf_done) struct buf in = { 0 };
	int r = fd_read_all(&in, STDIN_FILENO, ADVISORY_MAX, err);

	if (r < 0) {
		im->files++;
		return settle(im, "-", r, err);
	}
	return take_bytes(im, NULL, buf_bytes(&in), err);
}

int advisory_import_source(struct advisory_import *im, const char *path, struct error *err)
{
	struct stat st;

	if (!strcmp(path, "-"))
		return take_input(im, err);
	if (stat(path, &st) < 0)
		return errno == ENOENT ? error_set(err, CLI_ABSENT, "there is no '%s'", path) : error_sys(err, "cannot look at '%s'", path);
	if (S_ISDIR(st.st_mode))
		return take_folder(im, path, 0, err);
	return is_archive(path) ? take_archive(im, path, err) : take_file(im, path, err);
}
