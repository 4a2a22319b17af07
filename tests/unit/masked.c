/* tests/unit/masked.c -- takes the secrets out of a configuration. */
#include "tests/unit/masked.h"

#include "tests/test.h"

struct masked {
	struct buf out;
	struct bytes text;
	size_t done;
	const char *mark;
};

static void found(void *ctx, size_t at, size_t len)
{
	struct masked *m = ctx;

	CHECK(at >= m->done && len && at + len <= m->text.len);
	buf_add(&m->out, m->text.ptr + m->done, at - m->done);
	buf_add_str(&m->out, m->mark);
	m->done = at + len;
}

void check_masked_by(secrets_fn secrets, const char *mark, const char *text, const char *want)
{
	struct masked m = { .text = bytes_str(text), .mark = mark };

	secrets(m.text, found, &m);
	buf_add_bytes(&m.out, bytes_from(m.text, m.done));
	CHECK_STR(buf_text(&m.out), want);
	buf_done(&m.out);
}
