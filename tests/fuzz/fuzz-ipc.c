/* tests/fuzz/fuzz-ipc.c -- the stream between the agent's processes: cut anywhere, it gives the same messages as read in one piece. */
#include "tests/fuzz/fuzz.h"

#include "agent/ipc.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { HEAD = 4, KIND_AND_ID = 5 };

unsigned fuzz_cost = 4;

/* The next message by a reader of one piece: 1, or 0 for no whole one, or -1 for a length that is refused. */
static int next_message(struct ipc_msg *msg, struct bytes *rest)
{
	struct reader rd = reader_over(*rest);
	uint32_t len = read_u32(&rd);
	struct bytes body;

	if (rd.short_read)
		return 0;
	if (len < KIND_AND_ID || len > IPC_BODY_MAX + HEAD + KIND_AND_ID)
		return -1;
	body = read_bytes(&rd, len);
	if (rd.short_read)
		return 0;
	rd = reader_over(body);
	msg->kind = (enum ipc_kind)read_u8(&rd);
	msg->id = read_u32(&rd);
	msg->body = rd.rest;
	*rest = bytes_from(*rest, HEAD + len);
	return 1;
}

/* Takes what is there; each message must be the next one of the whole. */
static int take(struct ipc *ipc, struct bytes *expected, struct error *err)
{
	struct ipc_msg got, want = { 0 };
	int r;

	while ((r = ipc_next(ipc, &got, err)) == 0) {
		MUST(next_message(&want, expected) == 1);
		MUST(got.kind == want.kind && got.id == want.id && bytes_equal(got.body, want.body));
	}
	return r;
}

/* step: how many bytes at a time. */
static void check_stream(struct bytes in, size_t step)
{
	struct bytes expected = in;
	struct error err = { 0 };
	struct ipc_msg msg;
	struct ipc ipc;
	int fd[2], r = IPC_NONE;

	MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd) == 0);
	ipc_init(&ipc, fd[0]);
	for (size_t at = 0; at < in.len && r == IPC_NONE; at += step) {
		size_t len = in.len - at < step ? in.len - at : step;

		MUST(send(fd[1], in.ptr + at, len, MSG_DONTWAIT) == (ssize_t)len);
		r = ipc_fill(&ipc, &err);
		if (r == 0)
			r = take(&ipc, &expected, &err);
		else
			MUST(take(&ipc, &expected, &err) == E_PEER);
	}
	/* what is left is no message; and it is refused exactly when its length is */
	MUST(next_message(&msg, &expected) == (r == E_PEER ? -1 : 0));
	MUST(r == E_PEER || r == IPC_NONE);
	close(fd[1]);
	MUST(r == E_PEER || ipc_fill(&ipc, &err) == E_PEER);
	ipc_done(&ipc);
}

/* And what is sent arrives. */
static void check_send(struct bytes in)
{
	struct error err = { 0 };
	struct ipc a, b;
	struct ipc_msg msg;
	int fd[2];

	MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd) == 0);
	ipc_init(&a, fd[0]);
	ipc_init(&b, fd[1]);
	MUST_OK(ipc_send(&a, IPC_LOOK, (uint32_t)in.len, in, &err));
	MUST_OK(ipc_send(&a, IPC_NOTICE, 0, (struct bytes){ 0 }, &err));
	MUST_OK(ipc_flush(&a, &err));
	MUST_OK(ipc_fill(&b, &err));
	MUST_OK(ipc_next(&b, &msg, &err));
	MUST(msg.kind == IPC_LOOK && msg.id == in.len && bytes_equal(msg.body, in));
	MUST_OK(ipc_next(&b, &msg, &err));
	MUST(msg.kind == IPC_NOTICE && !msg.body.len && ipc_next(&b, &msg, &err) == IPC_NONE);
	ipc_done(&a);
	ipc_done(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes in = bytes_from(bytes_of(data, size), 1);

	if (!size || size > 64 << 10)
		return 0;
	check_stream(in, 1 + data[0] % 64);
	check_stream(in, in.len + 1);
	check_send(in);
	return 0;
}
