/* server/firmware.h -- images of firmware: files by their SHA-256 below firmware/ in the server's folder, outside git.
 *
 * firmware/<2>/<sha256> is a whole image: it was hashed as it came and was on the disk before it got this name. <sha256>.part is one that
 * is coming, or was cut off and may go on: what its hash has come to is in memory only, so a start removes it, as does a day without a
 * byte. An image is never removed by the server. */
#pragma once

#include "server/sweeper.h"

#include "crypto/key.h"

enum {
	FIRMWARE_NAME_LEN = 64,     /* of an image: SHA-256 in hex */
	FIRMWARE_UPLOADS_MAX = 8,   /* at a time, those that rest among them */
	FIRMWARE_DOWNLOADS_MAX = 1024,
	FIRMWARE_IMAGES_MAX = 10000, /* that a list has */
};

enum {
	FIRMWARE_THERE = 1,     /* the whole image is there already */
	FIRMWARE_BUSY = 2,      /* it is coming from somebody else, or too much is */
	FIRMWARE_ELSEWHERE = 3, /* another number of bytes is there to go on from */
	FIRMWARE_ABSENT = 4,
	FIRMWARE_FULL = 5,      /* the disk has no room for it */
};

struct firmware;
struct upload;

/* dir: the server's folder. Removes parts that a stop left. */
int firmware_new(struct firmware **out, const char *dir, unsigned downloads, struct error *err) _must_check_;
struct firmware *firmware_free(struct firmware *f);
/* Removes parts that have rested for a day. Cheap: to be called often. */
void firmware_tidy(struct firmware *f, uint64_t now_ms);

bool firmware_name_is_valid(const char *name);

/* ---- what comes ---- */

/* Begins an image of `size` bytes, or goes on with one behind its first `from` bytes. Answers FIRMWARE_THERE, _BUSY, _ELSEWHERE (*received:
 * how many bytes there are), _FULL. Otherwise the upload is the caller's until upload_end() or upload_rest(). */
int upload_begin(struct upload **out, uint64_t *received, struct firmware *f, const char *name, uint64_t from, uint64_t size,
		 uint64_t now_ms, struct error *err) _must_check_;
/* E_SYS: the disk refused, E_LIMIT: it is more than was announced; what has come is given up then, upload_end() or upload_rest() follows.
 */
int upload_add(struct upload *u, struct bytes in, struct error *err) _must_check_;
/* Waits for the disk. E_FORMAT: it is another image, and is removed. */
int upload_end(struct upload *u, struct error *err) _must_check_;
/* The sender is gone: it may go on later. NULL is fine. */
void upload_rest(struct upload *u, uint64_t now_ms);

/* ---- what goes ---- */

/* Opens an image: the descriptor, for reading, is the caller's. FIRMWARE_ABSENT. */
int firmware_open(int *fd, uint64_t *size, struct firmware *f, const char *name, struct error *err) _must_check_;
/* Takes one of the places for those who fetch, for the connection with this descriptor, which is open until firmware_leave() returned.
 * device: its id; "": a person. A device has one place: its connection before is cut. False: all are taken. */
bool firmware_enter(struct firmware *f, struct sweeper *sweeper, const char *device, int conn);
void firmware_leave(struct firmware *f, int conn);
/* Cuts all of them: whoever is cut goes on later. */
void firmware_cut(struct firmware *f, struct sweeper *sweeper);

/* Every image that is there, whole or in part (size: what has come), by name. fn returns non-zero to stop. */
typedef int (*firmware_fn)(void *ctx, const char *name, uint64_t size, bool is_whole);
int firmware_each(struct firmware *f, firmware_fn fn, void *ctx, struct error *err) _must_check_;
