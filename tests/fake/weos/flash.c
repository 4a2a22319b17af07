/* tests/fake/weos/flash.c -- the simulated flash: partitions that keep what was written, freed space included. */
#include "tests/fake/weos/flash.h"

#include "base/clock.h"
#include "base/fs.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

enum { HEAD_LEN = 28, MAGIC = 0x57464c31, FILES_MAX = 200, DAMAGE_LEN = 64 };

/* Names and sizes after the map of one WeOS 4 platform, smaller where nobody looks. */
static const struct {
	const char *name;
	size_t size;
} parts[FLASH_PARTS] = {
	[FLASH_LOADER] = { "Barebox", 128 << 10 },      [FLASH_ENV] = { "BareboxEnv", 128 << 10 },
	[FLASH_CONFIG] = { "Config", 1 << 20 },         [FLASH_MAIN] = { "Linux_main", 256 << 10 },
	[FLASH_BACKUP] = { "Linux_backup", 256 << 10 },
};

struct record {
	char name[FLASH_NAME_MAX + 1];
	struct bytes data; /* into the partition's bytes */
	int64_t mtime;
	bool is_gone, is_whole;
};

const char *flash_part_name(enum flash_part part)
{
	return parts[part].name;
}

static char *part_path(const struct flash *flash, enum flash_part part)
{
	return mem_printf("%s/%s", flash->folder, parts[part].name);
}

static uint32_t crc_of(const uint8_t *head, struct bytes name, struct bytes data)
{
	uLong crc = crc32(0, head, HEAD_LEN - 4);

	crc = crc32(crc, name.ptr, (uInt)name.len);
	return (uint32_t)(data.len ? crc32(crc, data.ptr, (uInt)data.len) : crc); /* to zlib, no data is a new begin */
}

/* magic, is_gone, length of name, length of data, mtime, CRC; then name and data. False: here the log ends. */
static bool next_record(struct record *rec, struct bytes all, size_t *at)
{
	struct reader rd = reader_over(bytes_from(all, *at));
	struct bytes name;
	uint32_t magic = read_u32(&rd), is_gone = read_u32(&rd), name_len = read_u32(&rd), data_len = read_u32(&rd);
	uint64_t mtime = read_u64(&rd);
	uint32_t crc = read_u32(&rd);

	if (rd.short_read || magic != MAGIC || name_len > FLASH_NAME_MAX || data_len > FLASH_FILE_MAX)
		return false;
	name = read_bytes(&rd, name_len);
	*rec = (struct record){ .data = read_bytes(&rd, data_len), .mtime = (int64_t)mtime, .is_gone = is_gone != 0 };
	if (rd.short_read)
		return false;
	memcpy(rec->name, name.ptr, name.len);
	rec->is_whole = crc == crc_of(all.ptr + *at, name, rec->data);
	*at += HEAD_LEN + name_len + data_len;
	return true;
}

static int read_part(struct buf *out, const struct flash *flash, enum flash_part part, struct error *err)
{
	_cleanup_(mem_freep) char *path = part_path(flash, part);
	int r = fs_read(out, path, parts[part].size, err);

	return r == FS_ABSENT ? error_set(err, E_FORMAT, "there is no '%s'", path) : r;
}

/* The last whole record of each name; returns how many. *end is where the next one goes. */
static size_t read_index(struct record *out, struct bytes all, size_t *end)
{
	struct record rec;
	size_t count = 0, i;

	*end = 0;
	while (next_record(&rec, all, end)) {
		if (!rec.is_whole)
			continue;
		for (i = 0; i < count && strcmp(out[i].name, rec.name) != 0; i++)
			;
		if (i == FILES_MAX)
			break;
		out[i] = rec;
		count += i == count;
	}
	return count;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct record *)a)->name, ((const struct record *)b)->name);
}

static int write_at(const char *path, size_t at, struct bytes in, struct error *err)
{
	_cleanup_(fd_closep) int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || pwrite(fd, in.ptr, in.len, (off_t)at) != (ssize_t)in.len || fdatasync(fd) < 0)
		return error_sys(err, "cannot write to '%s'", path);
	return 0;
}

static void add_record(struct buf *out, const char *name, struct bytes data, int64_t mtime, bool is_gone)
{
	size_t at = out->len;

	buf_add_u32be(out, MAGIC);
	buf_add_u32be(out, is_gone);
	buf_add_u32be(out, (uint32_t)strlen(name));
	buf_add_u32be(out, (uint32_t)data.len);
	buf_add_u32be(out, (uint32_t)((uint64_t)mtime >> 32));
	buf_add_u32be(out, (uint32_t)mtime);
	buf_add_u32be(out, crc_of(out->ptr + at, bytes_str(name), data));
	buf_add_str(out, name);
	buf_add_bytes(out, data);
}

/* The log without what is freed, in one rename: the old log or the new one after a power cut. */
static int pack(const char *path, const struct record *index, size_t count, size_t size, struct error *err)
{
	_cleanup_(buf_done) struct buf all = { 0 };

	for (size_t i = 0; i < count; i++)
		if (!index[i].is_gone)
			add_record(&all, index[i].name, index[i].data, index[i].mtime, false);
	memset(buf_extend(&all, size - all.len), 0xff, size - all.len);
	return fs_write(path, buf_bytes(&all), 0600, err);
}

static int append(const struct flash *flash, enum flash_part part, struct bytes record, bool may_pack, struct error *err)
{
	_cleanup_(mem_freep) char *path = part_path(flash, part);
	_cleanup_(mem_freep) struct record *index = mem_alloc(FILES_MAX * sizeof(*index));
	_cleanup_(buf_done) struct buf all = { 0 };
	size_t end, count;
	int r = read_part(&all, flash, part, err);

	if (r < 0)
		return r;
	count = read_index(index, buf_bytes(&all), &end);
	if (count < FILES_MAX && end + record.len <= parts[part].size)
		return write_at(path, end, record, err);
	if (!may_pack)
		return FLASH_FULL;
	r = pack(path, index, count, parts[part].size, err);
	return r < 0 ? r : append(flash, part, record, false, err);
}

int flash_put(const struct flash *flash, enum flash_part part, const char *name, struct bytes in, struct error *err)
{
	_cleanup_(buf_done) struct buf rec = { 0 };

	if (in.len > FLASH_FILE_MAX || strlen(name) > FLASH_NAME_MAX)
		return FLASH_FULL;
	add_record(&rec, name, in, clock_now_s(), false);
	return append(flash, part, buf_bytes(&rec), true, err);
}

int flash_drop(const struct flash *flash, enum flash_part part, const char *name, struct error *err)
{
	_cleanup_(buf_done) struct buf rec = { 0 };

	add_record(&rec, name, bytes_of(NULL, 0), clock_now_s(), true);
	return append(flash, part, buf_bytes(&rec), true, err);
}

bool flash_get(struct buf *out, int64_t *mtime, const struct flash *flash, enum flash_part part, const char *name)
{
	_cleanup_(mem_freep) struct record *index = mem_alloc(FILES_MAX * sizeof(*index));
	_cleanup_(buf_done) struct buf all = { 0 };
	struct error err = { 0 };
	size_t count, end;

	if (read_part(&all, flash, part, &err) < 0)
		return false;
	count = read_index(index, buf_bytes(&all), &end);
	for (size_t i = 0; i < count; i++) {
		if (strcmp(index[i].name, name) != 0 || index[i].is_gone)
			continue;
		buf_add_bytes(out, index[i].data);
		if (mtime)
			*mtime = index[i].mtime;
		return true;
	}
	return false;
}

void flash_list(const struct flash *flash, enum flash_part part, void (*fn)(void *ctx, const char *name, size_t size, int64_t mtime),
		void *ctx)
{
	_cleanup_(mem_freep) struct record *index = mem_alloc(FILES_MAX * sizeof(*index));
	_cleanup_(buf_done) struct buf all = { 0 };
	struct error err = { 0 };
	size_t count, end;

	if (read_part(&all, flash, part, &err) < 0)
		return;
	count = read_index(index, buf_bytes(&all), &end);
	qsort(index, count, sizeof(*index), by_name);
	for (size_t i = 0; i < count; i++)
		if (!index[i].is_gone)
			fn(ctx, index[i].name, index[i].data.len, index[i].mtime);
}

int flash_erase(const struct flash *flash, enum flash_part part, struct error *err)
{
	_cleanup_(mem_freep) char *path = part_path(flash, part);
	_cleanup_(mem_freep) uint8_t *block = mem_alloc(FLASH_ERASE_BLOCK);
	int r = 0;

	memset(block, 0xff, FLASH_ERASE_BLOCK);
	for (size_t at = 0; r == 0 && at < parts[part].size; at += FLASH_ERASE_BLOCK)
		r = write_at(path, at, bytes_of(block, FLASH_ERASE_BLOCK), err);
	return r;
}

int flash_damage(const struct flash *flash, enum flash_part part, struct error *err)
{
	_cleanup_(mem_freep) char *path = part_path(flash, part);
	_cleanup_(buf_done) struct buf all = { 0 };
	struct record rec;
	size_t at = 0;
	int r = read_part(&all, flash, part, err);

	if (r < 0 || !next_record(&rec, buf_bytes(&all), &at) || rec.data.len < DAMAGE_LEN)
		return r;
	at -= DAMAGE_LEN;
	for (size_t i = 0; i < DAMAGE_LEN; i++)
		all.ptr[at + i] ^= 0x55;
	return write_at(path, at, bytes_of(all.ptr + at, DAMAGE_LEN), err);
}

size_t flash_count(const struct flash *flash, const char *text)
{
	size_t count = 0, len = strlen(text);

	for (int part = 0; len && part < FLASH_PARTS; part++) {
		_cleanup_(buf_done) struct buf all = { 0 };
		struct error err = { 0 };
		const uint8_t *at;

		if (read_part(&all, flash, (enum flash_part)part, &err) < 0)
			continue;
		at = all.ptr;
		while ((at = memmem(at, all.len - (size_t)(at - all.ptr), text, len))) {
			count++;
			at += len;
		}
	}
	return count;
}

int flash_open(struct flash *flash, const char *folder, struct error *err)
{
	int r;

	if (strlen(folder) >= sizeof(flash->folder))
		return error_set(err, E_LIMIT, "'%s' is too long a name", folder);
	strcpy(flash->folder, folder);
	r = fs_mkdirs(folder, 0700, err);
	for (int part = 0; r >= 0 && part < FLASH_PARTS; part++) {
		_cleanup_(mem_freep) char *path = part_path(flash, (enum flash_part)part);
		struct stat st;

		if (stat(path, &st) < 0)
			r = pack(path, NULL, 0, parts[part].size, err);
	}
	return r < 0 ? r : 0;
}
