/* agent/ipc.c -- bounded messages over a socketpair. */
#include "agent/ipc.h"

#include "base/clock.h"
#include "base/fs.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { HEAD_LEN = 9, LENGTH_LEN = 4, CHUNK = 64 << 10 };

void ipc_init(struct ipc *ipc, int fd)
{
	*ipc = (struct ipc){ .fd = fd };
}

void ipc_done(struct ipc *ipc)
{
	if (ipc->fd > 0)
		fd_closep(&ipc->fd);
	buf_done(&ipc->in);
	buf_done(&ipc->out);
	*ipc = (struct ipc){ .fd = -1 };
}

int ipc_send(struct ipc *ipc, enum ipc_kind kind, uint32_t id, struct bytes body, struct error *err)
{
	uint8_t head = (uint8_t)kind;

	if (body.len > IPC_BODY_MAX || ipc->out.len - ipc->out_sent + body.len > IPC_QUEUE_MAX)
		return error_set(err, E_LIMIT, "message of %zu bytes is too long, or too much waits before it", body.len);
	buf_add_u32be(&ipc->out, (uint32_t)(HEAD_LEN - LENGTH_LEN + body.len));
	buf_add(&ipc->out, &head, 1);
	buf_add_u32be(&ipc->out, id);
	buf_add_bytes(&ipc->out, body);
	return 0;
}

/* Or a queue that never runs empty would grow for ever. */
static void drop_sent(struct ipc *ipc)
{
	size_t rest = ipc->out.len - ipc->out_sent;

	if (ipc->out_sent < ipc->out.len / 2)
		return;
	memmove(ipc->out.ptr, ipc->out.ptr + ipc->out_sent, rest);
	buf_truncate(&ipc->out, rest);
	ipc->out_sent = 0;
}

int ipc_flush(struct ipc *ipc, struct error *err)
{
	while (ipc->out_sent < ipc->out.len) {
		ssize_t n = send(ipc->fd, ipc->out.ptr + ipc->out_sent, ipc->out.len - ipc->out_sent, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			drop_sent(ipc);
			return IPC_MORE;
		}
		if (n < 0)
			return error_set(err, E_PEER, "the other process is gone: %s", strerror(errno));
		ipc->out_sent += (size_t)n;
	}
	buf_done(&ipc->out);
	ipc->out_sent = 0;
	return 0;
}

/* The length announced at the head of what is not handed out yet; 0 while that is not there. */
static uint32_t announced(const struct ipc *ipc)
{
	struct reader rd = reader_over(bytes_from(buf_bytes(&ipc->in), ipc->in_used));
	uint32_t len = read_u32(&rd);

	return rd.short_read ? 0 : len;
}

static int check_announced(const struct ipc *ipc, struct error *err)
{
	uint32_t len = announced(ipc);

	if (ipc->in.len - ipc->in_used >= LENGTH_LEN && (len < HEAD_LEN - LENGTH_LEN || len > IPC_BODY_MAX + HEAD_LEN))
		return error_set(err, E_PEER, "the other process announces a message of %u bytes", len);
	return 0;
}

static void drop_used(struct ipc *ipc)
{
	size_t rest = ipc->in.len - ipc->in_used;

	if (!ipc->in_used)
		return;
	memmove(ipc->in.ptr, ipc->in.ptr + ipc->in_used, rest);
	buf_truncate(&ipc->in, rest);
	ipc->in_used = 0;
	if (!rest)
		buf_done(&ipc->in);
}

int ipc_fill(struct ipc *ipc, struct error *err)
{
	static uint8_t chunk[CHUNK];

	drop_used(ipc);
	for (;;) {
		ssize_t n = recv(ipc->fd, chunk, sizeof(chunk), MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return 0;
		if (n <= 0)
			return error_set(err, E_PEER, "the other process is gone");
		buf_add(&ipc->in, chunk, (size_t)n);
		explicit_bzero(chunk, (size_t)n);
		if (check_announced(ipc, err) < 0)
			return err->code;
		if (ipc->in.len > IPC_BODY_MAX + HEAD_LEN) /* more than one message at most: the rest can wait in the socket */
			return 0;
	}
}

int ipc_next(struct ipc *ipc, struct ipc_msg *msg, struct error *err)
{
	struct reader rd = reader_over(bytes_from(buf_bytes(&ipc->in), ipc->in_used));
	struct bytes body;

	if (check_announced(ipc, err) < 0)
		return err->code;
	body = read_bytes(&rd, read_u32(&rd));
	if (rd.short_read || !body.len)
		return IPC_NONE;
	rd = reader_over(body);
	msg->kind = (enum ipc_kind)read_u8(&rd);
	msg->id = read_u32(&rd);
	msg->body = rd.rest;
	ipc->in_used += LENGTH_LEN + body.len;
	return 0;
}

static int wait_for(struct ipc *ipc, short events, uint64_t deadline_ms, struct error *err)
{
	struct pollfd pfd = { ipc->fd, events, 0 };
	uint64_t now = clock_mono_ms();
	int wait = deadline_ms == UINT64_MAX ? -1 : now >= deadline_ms ? 0 : (int)(deadline_ms - now);
	int r = poll(&pfd, 1, wait);

	if (r < 0 && errno != EINTR)
		return error_sys(err, "cannot wait for the other process");
	return r == 0 ? error_set(err, E_PEER, "the other process does not answer") : 0;
}

int ipc_send_wait(struct ipc *ipc, enum ipc_kind kind, uint32_t id, struct bytes body, struct error *err)
{
	int r = ipc_send(ipc, kind, id, body, err);

	if (r < 0)
		return r;
	while ((r = ipc_flush(ipc, err)) == IPC_MORE)
		if (wait_for(ipc, POLLOUT, UINT64_MAX, err) < 0)
			return err->code;
	return r;
}

int ipc_next_wait(struct ipc *ipc, struct ipc_msg *msg, int timeout_ms, struct error *err)
{
	uint64_t deadline = timeout_ms < 0 ? UINT64_MAX : clock_mono_ms() + (uint64_t)timeout_ms;
	int r;

	while ((r = ipc_next(ipc, msg, err)) == IPC_NONE)
		if (wait_for(ipc, POLLIN, deadline, err) < 0 || ipc_fill(ipc, err) < 0)
			return err->code;
	return r;
}

void put_field(struct buf *out, struct bytes in)
{
	buf_add_u32be(out, (uint32_t)in.len);
	buf_add_bytes(out, in);
}

struct bytes get_field(struct reader *rd)
{
	return read_bytes(rd, read_u32(rd));
}

bool get_text_field(struct reader *rd, char *out, size_t size)
{
	struct bytes in = get_field(rd);

	if (in.len >= size || (in.len && memchr(in.ptr, 0, in.len)))
		return false;
	if (in.len)
		memcpy(out, in.ptr, in.len);
	out[in.len] = 0;
	return true;
}
