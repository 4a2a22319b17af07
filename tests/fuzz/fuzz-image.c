/* tests/fuzz/fuzz-image.c -- the answer to a request for an image, from the connection to the disk: its head, Content-Range, the parts it
 * is handed over in, and what becomes of the file.
 *
 * The first byte says how much was there before, the second in which pieces the answer comes. Nothing is written but what was asked for, in
 * one stretch from what was there, and only the image that was signed passes. */
#include "tests/fuzz/fuzz.h"

#include "agent/http.h"
#include "agent/image.h"
#include "agent/stream.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SIZE = 40, ROOM = 256, PIECE = 64 };

unsigned fuzz_cost = 4;

struct fetching {
	struct stream stream;
	struct http_reader rd;
	struct ipc net, core;
	struct image image;
	bool is_begun, is_over;
	bool is_refused; /* by core: nothing more is taken of it */
};

static void signed_image(uint8_t out[static SIZE], uint8_t hash[static HASH_LEN])
{
	for (size_t i = 0; i < SIZE; i++)
		out[i] = (uint8_t)('a' + i % 26);
	crypto_hash_sha256(hash, out, SIZE);
}

/* A file with the first bytes of the image. It has no name, so it is opened here and not by image_open(). */
static void begin(struct fetching *f, size_t there)
{
	uint8_t whole[SIZE], hash[HASH_LEN];
	int pair[2], fd = memfd_create("image", MFD_CLOEXEC);
	struct error err = { 0 };

	signed_image(whole, hash);
	MUST(fd >= 0 && write(fd, whole, there) == (ssize_t)there &&
	     socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == 0);
	*f = (struct fetching){ .stream.is_wanted = true, .rd.is_stream = true };
	ipc_init(&f->net, pair[0]);
	ipc_init(&f->core, pair[1]);
	f->image = (struct image){ .fd = fd, .size = SIZE, .there = there };
	memcpy(f->image.want, hash, HASH_LEN);
	crypto_hash_sha256_init(&f->image.hash);
	MUST_OK(image_hash(&f->image, &err));
	MUST(f->image.have == there);
	stream_more(&f->stream, STREAM_CREDIT_MAX);
}

/* core's side: what came is written, or all of it refused. */
static void receive(struct fetching *f)
{
	struct stream_part part;
	struct error err = { 0 };
	struct ipc_msg msg;

	if (ipc_flush(&f->net, &err) < 0 || ipc_fill(&f->core, &err) < 0)
		return;
	while (!f->is_refused && ipc_next(&f->core, &msg, &err) == 0) {
		uint64_t had = f->image.have;

		MUST(msg.kind == IPC_HTTP_PART && stream_part_get(&part, msg.body));
		f->is_refused = image_add(&f->image, part.at, part.bytes, &err) < 0;
		MUST(f->image.have >= had && f->image.have <= SIZE && (!f->is_refused || (f->image.have == had && err.code == E_PEER)));
	}
}

static void take_piece(struct fetching *f, struct bytes piece)
{
	_cleanup_(buf_done) struct buf body = { 0 };
	struct error err = { 0 };
	size_t used, taken;
	int r = http_read(&f->rd, piece, &used, &body, ROOM, &err);

	f->is_over = r != HTTP_MORE;
	if (!f->is_begun && http_is_streaming(&f->rd)) {
		f->is_begun = true;
		f->is_refused = !stream_begin(&f->stream, f->rd.status, f->rd.range);
		MUST(!f->stream.is_open || f->rd.status == 200 || f->rd.status == 206);
	}
	if (r < 0 || f->is_refused || !f->stream.is_open || !body.len)
		return;
	MUST(stream_take(&taken, &f->stream, &f->net, 1, buf_bytes(&body), &err) == 0 && taken == body.len);
	MUST_OK(stream_flush(&f->stream, &f->net, 1, &err)); /* as if each piece were a whole part */
	receive(f);
}

static void must_be_signed(struct fetching *f, size_t there)
{
	uint8_t whole[SIZE], hash[HASH_LEN], is[SIZE + 1];
	ssize_t len = pread(f->image.fd, is, sizeof(is), 0);
	struct error err = { 0 };
	int r;

	signed_image(whole, hash);
	MUST(len >= (ssize_t)there && len <= SIZE && !memcmp(is, whole, there));
	r = image_check(&f->image, &err);
	if (r == 0)
		MUST(len == SIZE && !memcmp(is, whole, SIZE));
	else if (r == E_SEAL)
		MUST(f->image.have == 0 && pread(f->image.fd, is, 1, 0) == 0);
	else
		MUST(r == IMAGE_SHORT && f->image.have < SIZE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fetching f;
	size_t there, step;
	struct bytes in;

	if (size < 2 || size > 8 << 10)
		return 0;
	there = data[0] % SIZE;
	step = 1 + data[1] % PIECE;
	begin(&f, there);
	in = bytes_of(data + 2, size - 2);
	for (; in.len && !f.is_over && !f.is_refused; in = bytes_from(in, step))
		take_piece(&f, bytes_of(in.ptr, in.len < step ? in.len : step));
	must_be_signed(&f, there);
	stream_done(&f.stream);
	http_reader_done(&f.rd);
	ipc_done(&f.net);
	ipc_done(&f.core);
	image_close(&f.image);
	return 0;
}
