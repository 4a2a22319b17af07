/* agent/stream.h -- the body of an answer, handed to core in parts and no faster than core takes them: for what no memory should hold.
 *
 * core gives credit, in parts (IPC_HTTP_MORE). Without any, whoever reads the connection stops reading it, and TCP tells the server. So
 * between the server and the disk there is never more than one part here and as many on the way as core gave credit for. */
#pragma once

#include "agent/ipc.h"

enum { STREAM_PART_MAX = 64 << 10, STREAM_CREDIT_MAX = 64 };

struct stream {
	bool is_wanted; /* the body is to go this way */
	bool is_open;   /* the answer is one whose body does: 200, or 206 with a range */
	uint64_t at;    /* where the bytes in `part` belong */
	unsigned credit;
	struct buf part;
};

void stream_done(struct stream *s);
/* The head of the answer has come. range: the value of Content-Range, "" when there is none. False: it answers with a part and does not say
 * with which, so nothing of it can be used. */
bool stream_begin(struct stream *s, unsigned status, const char *range);
/* Would stream_take() take all of len bytes now? At most STREAM_PART_MAX. */
bool stream_has_room(const struct stream *s, size_t len);
/* Takes what there is room for, and sends what is full and paid. Returns how many bytes it took. */
int stream_take(size_t *taken, struct stream *s, struct ipc *ipc, uint32_t id, struct bytes in, struct error *err) _must_check_;
/* Nothing more comes: what is held is sent, credit or not, so that a cut line loses no byte that came. */
int stream_flush(struct stream *s, struct ipc *ipc, uint32_t id, struct error *err) _must_check_;
void stream_more(struct stream *s, unsigned credit);

/* The body of IPC_HTTP_PART. */
struct stream_part {
	uint64_t at;
	struct bytes bytes;
};
bool stream_part_get(struct stream_part *out, struct bytes in);
