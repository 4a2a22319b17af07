/* policies/form.c -- what configurations of each kind of device look like. */
#include "policies/form.h"

#include "policies/files-text.h"
#include "policies/frr-text.h"
#include "policies/weos-text.h"

#include <string.h>

static const struct form forms[] = {
	{
		.driver = "frr",
		.canonical = frr_canonical,
		.secrets = frr_secrets,
		.value_refused = frr_value_refused,
		.line_refused = frr_line_refused,
		.is_inside = frr_is_inside,
		.is_address = frr_is_address,
		.is_remark = frr_is_remark,
	},
	{
		.driver = "files",
		.canonical = files_canonical,
		.secrets = files_secrets,
		.value_refused = files_value_refused,
		.line_refused = files_line_refused,
		.is_inside = files_is_inside,
		.is_address = files_is_address,
	},
	{
		.driver = "weos",
		.canonical = weos_canonical,
		.secrets = weos_secrets,
		.value_refused = weos_value_refused,
		.line_refused = weos_line_refused,
		.is_inside = weos_is_inside,
		.is_address = weos_is_address,
		.is_remark = weos_is_remark,
	},
};

const struct form *form_of(const char *driver)
{
	for (size_t i = 0; i < ARRAY_SIZE(forms); i++)
		if (!strcmp(forms[i].driver, driver))
			return &forms[i];
	return NULL;
}

/* ---- splitting ---- */

static const char token_head[] = "{{secret ";

enum { HEAD_LEN = sizeof(token_head) - 1 };

struct splitter {
	struct buf *out, *table;
	struct bytes text;
	size_t done; /* how far the text has been copied */
	uint64_t count;
};

static void put_secret(struct splitter *s, size_t to)
{
	buf_addf(s->out, "%s%016llx}}", token_head, (unsigned long long)s->count);
	buf_addf(s->table, "%016llx ", (unsigned long long)s->count++);
	base64_encode(s->table, bytes_of(s->text.ptr + s->done, to - s->done));
	buf_add_char(s->table, '\n');
	s->done = to;
}

/* Copies up to `to`; the head of a token in it would be taken for one. */
static void copy_until(struct splitter *s, size_t to)
{
	while (s->done < to) {
		const uint8_t *at = memmem(s->text.ptr + s->done, to - s->done, token_head, HEAD_LEN);
		size_t until = at ? (size_t)(at - s->text.ptr) : to;

		buf_add(s->out, s->text.ptr + s->done, until - s->done);
		s->done = until;
		if (at)
			put_secret(s, until + HEAD_LEN);
	}
}

static void found(void *ctx, size_t at, size_t len)
{
	struct splitter *s = ctx;

	if (at > s->done)
		copy_until(s, at);
	if (at + len > s->done)
		put_secret(s, at + len);
}

void form_split(struct buf *out, struct buf *table, const struct form *form, struct bytes text)
{
	struct splitter s = { .out = out, .table = table, .text = text };

	form->secrets(text, found, &s);
	copy_until(&s, text.len);
}
