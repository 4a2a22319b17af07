/* tests/unit/test-stream.c -- the bytes of an image on their way from net to core. */
#include "tests/test.h"

#include "agent/stream.h"

#include <sys/socket.h>

enum { SIZE = 9 << 20 };

TEST(a_stream_waits_for_credit_and_says_where_its_bytes_belong)
{
	_cleanup_(mem_freep) uint8_t *all = mem_alloc(SIZE);
	struct stream s = { .is_wanted = true };
	struct error err = { 0 };
	struct stream_part part;
	struct ipc_msg msg;
	struct ipc from, to;
	size_t taken;
	int pair[2];

	for (size_t i = 0; i < SIZE; i++)
		all[i] = (uint8_t)(i * 31 + i / 251);
	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	ipc_init(&from, pair[0]);
	ipc_init(&to, pair[1]);
	CHECK(!stream_begin(&s, 206, ""));
	CHECK(!stream_begin(&s, 206, "lines 5-9/10"));
	CHECK(stream_begin(&s, 404, "") && !s.is_open);
	CHECK(stream_begin(&s, 206, "bytes 5000000000-5000000999/6000000000") && s.is_open);
	CHECK_OK(stream_take(&taken, &s, &from, 9, bytes_of(all, SIZE), &err));
	CHECK_EQ(taken, STREAM_PART_MAX); /* one part is held, none is sent */
	CHECK(!stream_has_room(&s, 1));
	CHECK_EQ(from.out.len, 0);
	stream_more(&s, 1);
	CHECK_OK(stream_take(&taken, &s, &from, 9, bytes_of(all + STREAM_PART_MAX, 100), &err));
	CHECK_EQ(taken, 100);
	CHECK_OK(stream_flush(&s, &from, 9, &err));
	for (uint64_t at = 5000000000; at < 5000000000 + STREAM_PART_MAX + 1; at += STREAM_PART_MAX) {
		while (ipc_next(&to, &msg, &err) == IPC_NONE) {
			CHECK(ipc_flush(&from, &err) >= 0);
			CHECK_OK(ipc_fill(&to, &err));
		}
		CHECK_EQ(msg.kind, IPC_HTTP_PART);
		CHECK(stream_part_get(&part, msg.body));
		CHECK_EQ(part.at, at);
		assert_memory_equal(part.bytes.ptr, all + (at - 5000000000), part.bytes.len);
	}
	CHECK_EQ(part.bytes.len, 100);
	stream_more(&s, 1000000);
	CHECK_EQ(s.credit, STREAM_CREDIT_MAX);
	stream_done(&s);
	ipc_done(&from);
	ipc_done(&to);
}
