/* server/firmware.c -- images of firmware: files by their SHA-256. */
#include "server/firmware.h"

#include "base/fs.h"
#include "base/log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum {
	GATHER_BYTES = 256 << 10, /* then they are written and hashed */
	FLUSH_BYTES = 16 << 20,   /* then the disk is told to begin, so that the sync at the end is short */
	REST_MS = 24 * 3600 * 1000,
};

static const uint64_t reserve_bytes = 256 << 20; /* that an image leaves to the archive, which shares the disk */
static const char part_suffix[] = ".part";

struct upload {
	struct firmware *of;
	char name[FIRMWARE_NAME_LEN + 1]; /* "": this place is free */
	bool is_active;  /* it is somebody's: the rest is theirs alone */
	bool is_broken;  /* what has come is worth nothing */
	uint64_t size, flushed, rested_ms;
	_Atomic uint64_t received; /* of the beginning, written and hashed */
	int fd;
	crypto_hash_sha256_state hash;
	struct buf gathered;
};

struct visitor {
	char device[ID_LEN + 1];
	int conn; /* -1: this place is free */
};

struct firmware {
	char *dir; /* the folder of images */
	pthread_mutex_t lock;
	struct upload uploads[FIRMWARE_UPLOADS_MAX];
	struct visitor visitors[FIRMWARE_DOWNLOADS_MAX];
	size_t visitors_max;
};

bool firmware_name_is_valid(const char *name)
{
	uint8_t hash[HASH_LEN];

	return hex_decode(hash, sizeof(hash), bytes_str(name));
}

static char *folder_of(const struct firmware *f, const char *name)
{
	return mem_printf("%s/%.2s", f->dir, name);
}

static char *path_of(const struct firmware *f, const char *name, const char *suffix)
{
	return mem_printf("%s/%.2s/%s%s", f->dir, name, name, suffix);
}

/* ---- the folder ---- */

typedef int (*file_fn)(void *ctx, const char *folder, const char *name, struct error *err);

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

/* The entries of a folder by name, but for those that begin with a dot. */
static int each_entry(const char *folder, file_fn fn, void *ctx, struct error *err)
{
	struct dirent **list = NULL;
	int count = scandir(folder, &list, NULL, by_name), r = 0;

	if (count < 0)
		return errno == ENOENT || errno == ENOTDIR ? 0 : error_sys(err, "cannot read folder '%s'", folder);
	for (int i = 0; i < count; i++) {
		if (r == 0 && list[i]->d_name[0] != '.')
			r = fn(ctx, folder, list[i]->d_name, err);
		free(list[i]);
	}
	free(list);
	return r;
}

struct walk {
	file_fn fn;
	void *ctx;
};

static int visit_folder(void *ctx, const char *dir, const char *name, struct error *err)
{
	_cleanup_(mem_freep) char *folder = mem_printf("%s/%s", dir, name);
	struct walk *w = ctx;

	return strlen(name) == 2 ? each_entry(folder, w->fn, w->ctx, err) : 0;
}

static int each_file(struct firmware *f, file_fn fn, void *ctx, struct error *err)
{
	struct walk w = { fn, ctx };

	return each_entry(f->dir, visit_folder, &w, err);
}

static bool is_part(const char *name)
{
	return strlen(name) == FIRMWARE_NAME_LEN + sizeof(part_suffix) - 1 && !strcmp(name + FIRMWARE_NAME_LEN, part_suffix);
}

static int sweep_file(void *ctx _unused_, const char *folder, const char *name, struct error *err)
{
	_cleanup_(mem_freep) char *path = mem_printf("%s/%s", folder, name);

	if (!is_part(name))
		return 0;
	log_notice("image-part-removed image=%.*s: it was cut off by a stop", FIRMWARE_NAME_LEN, name);
	return fs_remove(path, err);
}

static void place_init(struct upload *u, struct firmware *f)
{
	*u = (struct upload){ .of = f, .fd = -1 };
}

int firmware_new(struct firmware **out, const char *dir, unsigned downloads, struct error *err)
{
	struct firmware *f = mem_alloc(sizeof(*f));

	f->dir = mem_printf("%s/firmware", dir);
	f->visitors_max = downloads < FIRMWARE_DOWNLOADS_MAX ? downloads : FIRMWARE_DOWNLOADS_MAX;
	pthread_mutex_init(&f->lock, NULL);
	for (size_t i = 0; i < FIRMWARE_UPLOADS_MAX; i++)
		place_init(&f->uploads[i], f);
	for (size_t i = 0; i < FIRMWARE_DOWNLOADS_MAX; i++)
		f->visitors[i].conn = -1;
	if (fs_mkdirs(f->dir, 0700, err) < 0 || fs_sync_dir(dir, err) < 0 || each_file(f, sweep_file, NULL, err) < 0) {
		firmware_free(f);
		return error_add(err, "images of firmware");
	}
	*out = f;
	return 0;
}

/* ---- what comes ---- */

/* Its place is free afterwards. What has come is in the way of nobody when it cannot be removed: it is begun anew, or swept at the next
 * start. */
static void forget(struct upload *u)
{
	_cleanup_(mem_freep) char *part = path_of(u->of, u->name, part_suffix);

	fd_closep(&u->fd);
	buf_done(&u->gathered);
	if (unlink(part) < 0 && errno != ENOENT)
		log_warning("image-part-stays image=%s", u->name);
	place_init(u, u->of);
}

struct firmware *firmware_free(struct firmware *f)
{
	if (!f)
		return NULL;
	for (size_t i = 0; i < FIRMWARE_UPLOADS_MAX; i++)
		if (f->uploads[i].name[0])
			forget(&f->uploads[i]);
	pthread_mutex_destroy(&f->lock);
	free(f->dir);
	free(f);
	return NULL;
}

void firmware_tidy(struct firmware *f, uint64_t now_ms)
{
	pthread_mutex_lock(&f->lock);
	for (size_t i = 0; i < FIRMWARE_UPLOADS_MAX; i++) {
		struct upload *u = &f->uploads[i];

		if (!u->name[0] || u->is_active || now_ms < u->rested_ms + REST_MS)
			continue;
		log_notice("image-part-removed image=%s: nobody went on with it for a day", u->name);
		forget(u);
	}
	pthread_mutex_unlock(&f->lock);
}

/* With the lock held. NULL: nothing of it has come. */
static struct upload *find(struct firmware *f, const char *name)
{
	for (size_t i = 0; i < FIRMWARE_UPLOADS_MAX; i++)
		if (!strcmp(f->uploads[i].name, name))
			return &f->uploads[i];
	return NULL;
}

/* With the lock held: a place that is free; the part that has rested longest gives way. NULL: all are in use. */
static struct upload *find_place(struct firmware *f)
{
	struct upload *place = NULL;

	for (size_t i = 0; i < FIRMWARE_UPLOADS_MAX; i++) {
		struct upload *u = &f->uploads[i];

		if (!u->name[0])
			return u;
		if (!u->is_active && (!place || u->rested_ms < place->rested_ms))
			place = u;
	}
	if (place)
		forget(place);
	return place;
}

/* FIRMWARE_FULL: it would leave the archive too little. */
static int check_room(const struct firmware *f, uint64_t size, struct error *err)
{
	struct statvfs fs;

	if (statvfs(f->dir, &fs) < 0)
		return error_sys(err, "cannot ask for the room at '%s'", f->dir);
	return (uint64_t)fs.f_bavail * fs.f_frsize < size + reserve_bytes ? FIRMWARE_FULL : 0;
}

/* The room is taken at once, where the file system can: it does not run out in the middle. */
static int make_part(struct upload *u, const char *name, uint64_t size, struct error *err)
{
	_cleanup_(mem_freep) char *folder = folder_of(u->of, name), *part = path_of(u->of, name, part_suffix);
	int r;

	if (fs_mkdirs(folder, 0700, err) < 0 || fs_sync_dir(u->of->dir, err) < 0)
		return err->code;
	r = check_room(u->of, size, err);
	if (r != 0)
		return r;
	u->fd = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (u->fd < 0)
		return error_sys(err, "cannot make '%s'", part);
	memcpy(u->name, name, FIRMWARE_NAME_LEN + 1);
	if (fallocate(u->fd, FALLOC_FL_KEEP_SIZE, 0, (off_t)size) < 0 && errno == ENOSPC) {
		forget(u);
		return FIRMWARE_FULL;
	}
	u->size = size;
	crypto_hash_sha256_init(&u->hash);
	return 0;
}

/* Is the whole image there? One of another size is damaged, and another takes its place. */
static bool is_there(const struct firmware *f, const char *name, uint64_t size)
{
	_cleanup_(mem_freep) char *path = path_of(f, name, "");
	struct stat st;

	return lstat(path, &st) == 0 && S_ISREG(st.st_mode) && (uint64_t)st.st_size == size;
}

static int begin(struct upload **out, uint64_t *received, struct firmware *f, const char *name, uint64_t from, uint64_t size,
		 struct error *err)
{
	struct upload *u;
	int r = 0;

	if (is_there(f, name, size))
		return FIRMWARE_THERE;
	u = find(f, name);
	if (u && u->is_active)
		return FIRMWARE_BUSY;
	if (u && (!from || u->size != size)) {
		forget(u); /* from the beginning */
		u = NULL;
	}
	*received = u ? u->received : 0;
	if (from != *received)
		return FIRMWARE_ELSEWHERE;
	if (!u) {
		u = find_place(f);
		r = u ? make_part(u, name, size, err) : FIRMWARE_BUSY;
	}
	if (r != 0)
		return r;
	u->is_active = true;
	*out = u;
	return 0;
}

int upload_begin(struct upload **out, uint64_t *received, struct firmware *f, const char *name, uint64_t from, uint64_t size,
		 uint64_t now_ms, struct error *err)
{
	int r;

	*received = 0;
	pthread_mutex_lock(&f->lock);
	r = begin(out, received, f, name, from, size, err);
	if (r == 0)
		(*out)->rested_ms = now_ms;
	pthread_mutex_unlock(&f->lock);
	return r;
}

static int write_gathered(struct upload *u, struct error *err)
{
	if (fd_write_all(u->fd, buf_bytes(&u->gathered), err) < 0) {
		u->is_broken = true;
		return error_add(err, "image '%s'", u->name);
	}
	crypto_hash_sha256_update(&u->hash, u->gathered.ptr, u->gathered.len);
	u->received += u->gathered.len;
	buf_truncate(&u->gathered, 0);
	if (u->received - u->flushed >= FLUSH_BYTES) {
		(void)sync_file_range(u->fd, (off_t)u->flushed, (off_t)(u->received - u->flushed), SYNC_FILE_RANGE_WRITE);
		u->flushed = u->received;
	}
	return 0;
}

int upload_add(struct upload *u, struct bytes in, struct error *err)
{
	if (u->is_broken)
		return error_set(err, E_FORMAT, "image '%s' was given up", u->name);
	if (in.len > u->size - u->received - u->gathered.len) {
		u->is_broken = true;
		return error_set(err, E_LIMIT, "image '%s' has more bytes than were announced", u->name);
	}
	buf_add_bytes(&u->gathered, in);
	return u->gathered.len >= GATHER_BYTES ? write_gathered(u, err) : 0;
}

static int check_hash(struct upload *u, struct error *err)
{
	char hex[2 * HASH_LEN + 1];
	uint8_t hash[HASH_LEN];

	if (u->received != u->size)
		return error_set(err, E_FORMAT, "the image has %llu bytes, not %llu", (unsigned long long)u->received,
				 (unsigned long long)u->size);
	crypto_hash_sha256_final(&u->hash, hash);
	hex_encode(hex, hash, HASH_LEN);
	return strcmp(hex, u->name) ? error_set(err, E_FORMAT, "the image has SHA-256 %s, not %s", hex, u->name) : 0;
}

static int finish(struct upload *u, struct error *err)
{
	_cleanup_(mem_freep) char *folder = folder_of(u->of, u->name), *part = path_of(u->of, u->name, part_suffix),
			*path = path_of(u->of, u->name, "");

	if (write_gathered(u, err) < 0 || check_hash(u, err) < 0)
		return err->code;
	if (fsync(u->fd) < 0 || rename(part, path) < 0)
		return error_sys(err, "cannot keep image '%s'", path);
	return fs_sync_dir(folder, err);
}

int upload_end(struct upload *u, struct error *err)
{
	struct firmware *f = u->of;
	int r = u->is_broken ? error_set(err, E_FORMAT, "image '%s' was given up", u->name) : finish(u, err);

	pthread_mutex_lock(&f->lock);
	forget(u); /* a part that became an image has another name by now */
	pthread_mutex_unlock(&f->lock);
	return r;
}

void upload_rest(struct upload *u, uint64_t now_ms)
{
	struct error err = { 0 };
	struct firmware *f;

	if (!u)
		return;
	f = u->of;
	if (!u->is_broken && write_gathered(u, &err) < 0)
		log_failure(LOG_WARNING, "image-part-lost", &err);
	pthread_mutex_lock(&f->lock);
	buf_done(&u->gathered);
	u->is_active = false;
	u->rested_ms = now_ms;
	if (u->is_broken)
		forget(u);
	pthread_mutex_unlock(&f->lock);
}

/* ---- what goes ---- */

int firmware_open(int *fd, uint64_t *size, struct firmware *f, const char *name, struct error *err)
{
	_cleanup_(mem_freep) char *path = path_of(f, name, "");
	_cleanup_(fd_closep) int file = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (file < 0)
		return errno == ENOENT ? FIRMWARE_ABSENT : error_sys(err, "cannot open '%s'", path);
	if (fstat(file, &st) < 0 || !S_ISREG(st.st_mode))
		return error_set(err, E_FORMAT, "'%s' is no regular file", path);
	*size = (uint64_t)st.st_size;
	*fd = file;
	file = -1;
	return 0;
}

/* With the lock held. */
static struct visitor *find_visitor(struct firmware *f, const char *device)
{
	for (size_t i = 0; *device && i < f->visitors_max; i++)
		if (f->visitors[i].conn >= 0 && !strcmp(f->visitors[i].device, device))
			return &f->visitors[i];
	for (size_t i = 0; i < f->visitors_max; i++)
		if (f->visitors[i].conn < 0)
			return &f->visitors[i];
	return NULL;
}

bool firmware_enter(struct firmware *f, struct sweeper *sweeper, const char *device, int conn)
{
	struct visitor *v;

	pthread_mutex_lock(&f->lock);
	v = find_visitor(f, device);
	if (v) {
		if (v->conn >= 0)
			sweeper_set(sweeper, v->conn, 1); /* it may be dead, and nobody has noticed */
		memcpy(v->device, device, strlen(device) + 1);
		v->conn = conn;
	}
	pthread_mutex_unlock(&f->lock);
	return v != NULL;
}

void firmware_leave(struct firmware *f, int conn)
{
	pthread_mutex_lock(&f->lock);
	for (size_t i = 0; i < f->visitors_max; i++)
		if (f->visitors[i].conn == conn)
			f->visitors[i].conn = -1;
	pthread_mutex_unlock(&f->lock);
}

void firmware_cut(struct firmware *f, struct sweeper *sweeper)
{
	pthread_mutex_lock(&f->lock);
	for (size_t i = 0; i < f->visitors_max; i++)
		if (f->visitors[i].conn >= 0)
			sweeper_set(sweeper, f->visitors[i].conn, 1);
	pthread_mutex_unlock(&f->lock);
}

/* ---- the list ---- */

struct listing {
	firmware_fn fn;
	void *ctx;
	size_t count;
	bool is_over;
};

static int list_file(void *ctx, const char *folder, const char *name, struct error *err _unused_)
{
	_cleanup_(mem_freep) char *path = mem_printf("%s/%s", folder, name);
	struct listing *l = ctx;
	struct stat st;

	if (l->is_over || !firmware_name_is_valid(name) || lstat(path, &st) < 0 || !S_ISREG(st.st_mode))
		return 0;
	l->is_over = l->fn(l->ctx, name, (uint64_t)st.st_size, true) || ++l->count == FIRMWARE_IMAGES_MAX;
	return 0;
}

int firmware_each(struct firmware *f, firmware_fn fn, void *ctx, struct error *err)
{
	struct listing l = { .fn = fn, .ctx = ctx };

	if (each_file(f, list_file, &l, err) < 0)
		return err->code;
	pthread_mutex_lock(&f->lock);
	for (size_t i = 0; i < FIRMWARE_UPLOADS_MAX && !l.is_over; i++)
		if (f->uploads[i].name[0])
			l.is_over = fn(ctx, f->uploads[i].name, f->uploads[i].received, false);
	pthread_mutex_unlock(&f->lock);
	return 0;
}
