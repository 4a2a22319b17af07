/* server/api-firmware.c -- firmware: what images are, sending one in, fetching one, both in parts. */
#include "server/api.h"

#include "base/fs.h"
#include "base/clock.h"
#include "base/plural.h"
#include "server/byte-range.h"

#include <string.h>

enum { STATUS_BODY_MAX = 96 << 10 };

/* ---- lists ---- */

static int get_firmware(struct call *call, struct error *err)
{
	_cleanup_(buf_done) struct buf list = { 0 };
	uint64_t from = 0;
	int r;

	if (!api_number(&from, call, "from"))
		return call_refuse(call, REFUSE_MALFORMED, "'from' is not a number");
	r = repo_firmware(&list, call->server->repo, from, err);
	return r < 0 ? r : call_containers(call, &list);
}

static int append_image(void *ctx, const char *name, uint64_t size, bool is_whole)
{
	json_array_append_new(ctx, json_pack("{s:s, s:I, s:b}", "image", name, "size", (json_int_t)size, "whole", (int)is_whole));
	return 0;
}

static int get_images(struct call *call, struct error *err)
{
	json_t *list = json_array();
	int r = firmware_each(call->server->firmware, append_image, list, err);

	if (r < 0) {
		json_decref(list);
		return r;
	}
	return call_json(call, json_pack("{s:o}", "images", list));
}

static int no_image(struct call *call)
{
	return call_refuse(call, REFUSE_ABSENT, "there is no image '%s' here", call->args[0]);
}

/* ---- sending one in ---- */

static int stored(struct call *call, const char *result)
{
	return call_json(call, json_pack("{s:s, s:s}", "image", call->args[0], "result", result));
}

static int elsewhere(struct call *call, uint64_t received)
{
	char detail[120];

	snprintf(detail, sizeof(detail), "%llu bytes of this image are here: go on behind them", (unsigned long long)received);
	return call_refuse_with(call, REFUSE_RANGE, json_pack("{s:I}", "received", (json_int_t)received), detail);
}

/* What is announced must be an image that somebody vouches for. */
static int check_announced(uint64_t *from, uint64_t *size, struct call *call, struct error *err)
{
	const char *name = call->args[0];
	uint64_t most = (uint64_t)call->server->settings->firmware_max_mib << 20;
	int r;

	if (!firmware_name_is_valid(name))
		return no_image(call), CALL_REFUSED;
	if (!byte_range_of_body(from, size, call_request_header(call, "Content-Range"), call->announced))
		return call_refuse(call, REFUSE_MALFORMED, "Content-Range is not 'bytes FROM-LAST/SIZE' that goes to the end"),
		       CALL_REFUSED;
	if (*size > most)
		return call_refuse(call, REFUSE_LARGE, "an image of %llu bytes; at most %llu are taken here (firmware-max-mib)",
				   (unsigned long long)*size, (unsigned long long)most),
		       CALL_REFUSED;
	r = repo_firmware_named(call->server->repo, name, *size, err);
	if (r == REPO_ABSENT)
		return call_refuse(call, REFUSE_DENIED, "no archived firmware statement names image '%s' with %llu bytes: post that first",
				   name, (unsigned long long)*size),
		       CALL_REFUSED;
	return r;
}

/* Before a byte of it is read. */
static int open_image(struct call *call, struct error *err)
{
	uint64_t from, size, received = 0;
	int r = check_announced(&from, &size, call, err);

	if (r != 0)
		return r;
	r = upload_begin(&call->upload, &received, call->server->firmware, call->args[0], from, size, clock_mono_ms(), err);
	switch (r) {
	case FIRMWARE_THERE:
		return stored(call, "seen"), CALL_REFUSED;
	case FIRMWARE_BUSY:
		return call_refuse(call, REFUSE_BUSY, "this image is coming from somebody else, or too many are"), CALL_REFUSED;
	case FIRMWARE_ELSEWHERE:
		return elsewhere(call, received), CALL_REFUSED;
	case FIRMWARE_FULL:
		return call_refuse(call, REFUSE_STORAGE, "there is no room for %llu bytes", (unsigned long long)size), CALL_REFUSED;
	default:
		return r;
	}
}

static int take_image(struct call *call, struct bytes part, struct error *err)
{
	return upload_add(call->upload, part, err);
}

static int put_image(struct call *call, struct error *err)
{
	struct upload *upload = call->upload;
	int r;

	call->upload = NULL;
	r = upload_end(upload, err);
	if (r < 0)
		return r;
	log_notice("image-stored image=%s person=%s", call->args[0], call->person);
	return stored(call, "stored");
}

/* ---- fetching one ---- */

/* A file whose size no statement names is damaged: what a device would make of it is a failure after a long time. */
static int find_image(int *fd, uint64_t *size, struct call *call, struct error *err)
{
	const char *name = call->args[0];
	int r = firmware_name_is_valid(name) ? firmware_open(fd, size, call->server->firmware, name, err) : FIRMWARE_ABSENT;

	if (r != 0)
		return r < 0 ? r : REPO_ABSENT;
	r = repo_firmware_named(call->server->repo, name, *size, err);
	if (r == REPO_ABSENT)
		log_error("image-damaged image=%s bytes=%llu: no firmware statement names it with this size; send it in again", name,
			  (unsigned long long)*size);
	return r;
}

static int give_image(struct call *call, const char *device, struct error *err)
{
	_cleanup_(fd_closep) int fd = -1;
	uint64_t size = 0, from, len;
	enum byte_range range;
	int r = find_image(&fd, &size, call, err);

	if (r != 0)
		return r < 0 ? r : no_image(call);
	range = byte_range_of(&from, &len, call_request_header(call, "Range"), size);
	if (range == RANGE_BEYOND) {
		call_header(call, "Content-Range", "bytes */%llu", (unsigned long long)size);
		return call_refuse(call, REFUSE_RANGE, "the image has %llu bytes", (unsigned long long)size);
	}
	if (!firmware_enter(call->server->firmware, call->server->sweeper, device, call->fd))
		return call_refuse(call, REFUSE_BUSY, "%u %s being fetched", call->server->settings->downloads,
				   plural(call->server->settings->downloads, "image is", "images are"));
	call->is_fetching = true;
	call_header(call, "ETag", "\"%s\"", call->args[0]);
	call_header(call, "Accept-Ranges", "bytes");
	if (range == RANGE_PART)
		call_header(call, "Content-Range", "bytes %llu-%llu/%llu", (unsigned long long)from, (unsigned long long)(from + len - 1),
			    (unsigned long long)size);
	call_file(call, range == RANGE_PART ? 206 : 200, fd, from, len);
	fd = -1;
	return 0;
}

static int get_image(struct call *call, struct error *err)
{
	return give_image(call, "", err);
}

static int post_image(struct call *call, struct error *err)
{
	_cleanup_(statement_freep) struct statement *st = NULL;
	struct repo_signer signer;
	const char *device;
	int r = api_status(&st, &signer, call, err);

	if (r < 0)
		return r;
	device = statement_get(st, "device");
	if (!signer.admitted || signer.retired[0])
		return error_set(err, E_DENIED, "device '%s' is %s", device, signer.retired[0] ? "retired" : "not admitted yet");
	call_drop_body(call);
	return give_image(call, device, err);
}

const struct route firmware_routes[] = {
	{ "GET", "/v1/firmware", 0, NEED_SESSION, false, get_firmware },
	{ "GET", "/v1/firmware/images", 0, NEED_SESSION, false, get_images },
	{ "GET", "/v1/firmware/*", 0, NEED_SESSION, false, get_image },
	{ "POST", "/v1/firmware/*", STATUS_BODY_MAX, NEED_NOTHING, false, post_image },
	{ "PUT", "/v1/firmware/*", SIZE_MAX, NEED_DEPLOYER, false, put_image, open_image, take_image },
	{ 0 },
};
