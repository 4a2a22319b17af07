/* agent/stream.c -- the body of an answer, handed to core in parts and no faster than core takes them. */
#include "agent/stream.h"

#include <string.h>

void stream_done(struct stream *s)
{
	buf_done(&s->part);
	*s = (struct stream){ 0 };
}

/* "bytes 100-199/1000" or "bytes 100-199" + "/" + "*". */
static bool range_begin(uint64_t *out, const char *range)
{
	static const char unit[] = "bytes ";
	const char *begin = range + sizeof(unit) - 1, *dash;

	if (strncmp(range, unit, sizeof(unit) - 1) != 0)
		return false;
	dash = strchr(begin, '-');
	return dash && number_parse(out, bytes_of(begin, (size_t)(dash - begin)));
}

bool stream_begin(struct stream *s, unsigned status, const char *range)
{
	s->at = 0;
	s->is_open = s->is_wanted && (status == 200 || status == 206);
	return !s->is_open || status == 200 || range_begin(&s->at, range);
}

bool stream_has_room(const struct stream *s, size_t len)
{
	return s->part.len + len <= STREAM_PART_MAX || (s->credit && len <= STREAM_PART_MAX);
}

static int send_part(struct stream *s, struct ipc *ipc, uint32_t id, struct error *err)
{
	_cleanup_(buf_done) struct buf body = { 0 };

	buf_add_u32be(&body, (uint32_t)(s->at >> 32));
	buf_add_u32be(&body, (uint32_t)s->at);
	put_field(&body, buf_bytes(&s->part));
	s->at += s->part.len;
	buf_truncate(&s->part, 0);
	return ipc_send(ipc, IPC_HTTP_PART, id, buf_bytes(&body), err);
}

int stream_take(size_t *taken, struct stream *s, struct ipc *ipc, uint32_t id, struct bytes in, struct error *err)
{
	*taken = 0;
	while (in.len) {
		size_t room = STREAM_PART_MAX - s->part.len, n = in.len < room ? in.len : room;

		buf_add(&s->part, in.ptr, n);
		in = bytes_from(in, n);
		*taken += n;
		if (s->part.len < STREAM_PART_MAX)
			return 0;
		if (!s->credit)
			return 0;
		s->credit--;
		if (send_part(s, ipc, id, err) < 0)
			return err->code;
	}
	return 0;
}

int stream_flush(struct stream *s, struct ipc *ipc, uint32_t id, struct error *err)
{
	return s->is_open && s->part.len ? send_part(s, ipc, id, err) : 0;
}

void stream_more(struct stream *s, unsigned credit)
{
	s->credit = credit > STREAM_CREDIT_MAX - s->credit ? STREAM_CREDIT_MAX : s->credit + credit;
}

bool stream_part_get(struct stream_part *out, struct bytes in)
{
	struct reader rd = reader_over(in);
	uint64_t high = read_u32(&rd);

	out->at = high << 32 | read_u32(&rd);
	out->bytes = get_field(&rd);
	return reader_done(&rd) && out->bytes.len && out->bytes.len <= STREAM_PART_MAX;
}
