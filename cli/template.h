/* cli/template.h -- a configuration with places for values: logic-less, a small part of mustache(5), in which nothing happens in silence.
 *
 *   {{name}}                       one word
 *   {{{name}}}                     a text with blanks, to the end of the line
 *   {{#name}} ... {{/name}}        once for each value of a list; {{.}} or {{{.}}} is that value
 *   {{^name}} ... {{/name}}        when the list is empty
 *   {{! a remark }}
 *
 * A tag of the last three kinds that is alone on its line takes the line with it. A name that nobody defined, a list where one value
 * belongs, a tag that is none: errors that name template, line and device. What a value may be, the device's grammar says
 * (policies/form.h): it can neither end its line nor choose its command. Values are not read as templates. */
#pragma once

#include "base/error.h"
#include "policies/form.h"

enum { TEMPLATE_NAME_MAX = 63, TEMPLATE_DEPTH_MAX = 8 };

struct template_value {
	bool is_list;
	size_t count; /* 1 when it is no list */
	const char *const *values;
};

struct template_job {
	const char *name;   /* what errors call the template */
	struct bytes text;
	const char *device; /* what errors call the device */
	const struct form *form;
	/* False: not defined. name is NUL-terminated. */
	bool (*find)(void *ctx, const char *name, struct template_value *out);
	void *ctx;
};

/* Appends to out. E_FORMAT for what is wrong with template or values; E_LIMIT beyond CONFIG_MAX. */
int template_render(struct buf *out, const struct template_job *job, struct error *err) _must_check_;
