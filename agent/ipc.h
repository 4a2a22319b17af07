/* agent/ipc.h -- messages between core and its two kinds of children, over a socketpair.
 *
 *   length (4 bytes, of what follows)  kind (1)  id (4)  body
 *
 * Everything is bounded before memory is taken. Whoever breaks the form is E_PEER, and core kills it. Fields in a body:
 * 32-bit numbers, and bytes behind their 32-bit length, read with base/bytes.h's reader. */
#pragma once

#include "base/bytes.h"
#include "base/error.h"

enum { IPC_BODY_MAX = 12 << 20, IPC_QUEUE_MAX = 48 << 20, IPC_NONE = 1, IPC_MORE = 1 };

enum ipc_kind {
	/* core -> net, net -> core */
	IPC_HTTP = 1, /* struct http_request */
	IPC_HTTP_CANCEL,
	IPC_HTTP_DONE, /* struct http_answer */
	IPC_HTTP_PART, /* of a streamed body (agent/stream.h) */
	IPC_HTTP_MORE, /* a number: how many more of them core takes */
	IPC_PROBE,     /* struct probe_ask; cancelled as above */
	IPC_PROBE_DONE, /* a text: "" when the probe holds, else why not */
	/* core -> apply; each is answered with the same kind and id */
	IPC_FACTS,
	IPC_LOOK,
	IPC_SAVE,
	IPC_REVERT,
	IPC_CHECK,
	IPC_APPLY,
	IPC_SHOW,
	IPC_ERASE,
	IPC_UPGRADE,
	IPC_JUDGE,
	/* apply -> core, unasked: the startup file was touched */
	IPC_NOTICE,
};

struct ipc {
	int fd;
	struct buf in;
	size_t in_used; /* of in: handed out already */
	struct buf out;
	size_t out_sent;
};

struct ipc_msg {
	enum ipc_kind kind;
	uint32_t id;
	struct bytes body; /* borrowed until the next call on this ipc */
};

void ipc_init(struct ipc *ipc, int fd); /* takes fd over */
void ipc_done(struct ipc *ipc);

/* Queues a message. E_LIMIT when it, or the queue, is too long. */
int ipc_send(struct ipc *ipc, enum ipc_kind kind, uint32_t id, struct bytes body, struct error *err) _must_check_;
/* Writes what the socket takes: 0 when all is gone, IPC_MORE when something waits. E_PEER when the other end is gone. */
int ipc_flush(struct ipc *ipc, struct error *err) _must_check_;
/* Reads what is there. E_PEER at its end, or when a message is announced that is too long. */
int ipc_fill(struct ipc *ipc, struct error *err) _must_check_;
/* The next whole message, or IPC_NONE. */
int ipc_next(struct ipc *ipc, struct ipc_msg *msg, struct error *err) _must_check_;

/* The same, waiting: for apply, whose work is one request after the other, and for join. timeout_ms < 0: for ever. */
int ipc_send_wait(struct ipc *ipc, enum ipc_kind kind, uint32_t id, struct bytes body, struct error *err) _must_check_;
int ipc_next_wait(struct ipc *ipc, struct ipc_msg *msg, int timeout_ms, struct error *err) _must_check_;

void put_field(struct buf *out, struct bytes in);
struct bytes get_field(struct reader *rd);
/* The field as a string of less than size bytes, without NUL inside; false otherwise. */
bool get_text_field(struct reader *rd, char *out, size_t size);
