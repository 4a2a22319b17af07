/* base/yaml.c -- YAML settings: a pre-pass that refuses surprises, then libcyaml. */
#include "base/yaml.h"

#include "base/bytes.h"
#include "base/fs.h"

#include <stdio.h>
#include <string.h>
#include <yaml.h>

enum { YAML_FILE_MAX = 1 << 20, YAML_DEPTH_MAX = 16 };

/* "010", "-007", "00": decimal to a reader, octal to libcyaml. */
static bool leading_zero(const char *text, size_t len)
{
	if (len && (text[0] == '-' || text[0] == '+')) {
		text++;
		len--;
	}
	if (len < 2 || text[0] != '0')
		return false;
	for (size_t i = 1; i < len; i++)
		if (text[i] < '0' || text[i] > '9')
			return false;
	return true;
}

static const char *why_refused(const yaml_event_t *ev, int *depth, int *documents)
{
	switch (ev->type) {
	case YAML_DOCUMENT_START_EVENT:
		return ++*documents > 1 ? "more than one document" : NULL;
	case YAML_ALIAS_EVENT:
		return "an alias (*name)";
	case YAML_SCALAR_EVENT:
		if (ev->data.scalar.anchor)
			return "an anchor (&name)";
		if (ev->data.scalar.tag)
			return "a tag (!name)";
		if (ev->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
		    leading_zero((const char *)ev->data.scalar.value, ev->data.scalar.length))
			return "a number with a leading zero (quote it, or drop the zero)";
		return NULL;
	case YAML_SEQUENCE_START_EVENT:
		if (ev->data.sequence_start.anchor || ev->data.sequence_start.tag)
			return "an anchor or a tag";
		return ++*depth > YAML_DEPTH_MAX ? "nesting deeper than 16" : NULL;
	case YAML_MAPPING_START_EVENT:
		if (ev->data.mapping_start.anchor || ev->data.mapping_start.tag)
			return "an anchor or a tag";
		return ++*depth > YAML_DEPTH_MAX ? "nesting deeper than 16" : NULL;
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		--*depth;
		return NULL;
	case YAML_NO_EVENT:
	case YAML_STREAM_START_EVENT:
	case YAML_STREAM_END_EVENT:
	case YAML_DOCUMENT_END_EVENT:
		return NULL;
	}
	return NULL;
}

int yaml_check(const char *name, struct bytes in, struct error *err)
{
	yaml_parser_t parser;
	int depth = 0, documents = 0, r = 0;
	bool end = false;

	if (!in.len) /* libyaml asserts that there is something to read */
		return error_set(err, E_FORMAT, "%s:1:1: there is nothing in the file", name);
	if (!yaml_parser_initialize(&parser))
		return error_set(err, E_LIMIT, "no memory for a YAML parser");
	yaml_parser_set_input_string(&parser, in.ptr, in.len);
	while (!end && r == 0) {
		yaml_event_t ev;
		const char *why;

		if (!yaml_parser_parse(&parser, &ev)) {
			r = error_set(err, E_FORMAT, "%s:%zu:%zu: %s", name, parser.problem_mark.line + 1,
				      parser.problem_mark.column + 1, parser.problem ? parser.problem : "not YAML");
			break;
		}
		why = why_refused(&ev, &depth, &documents);
		if (why)
			r = error_set(err, E_FORMAT, "%s:%zu:%zu: %s is not allowed here", name,
				      ev.start_mark.line + 1, ev.start_mark.column + 1, why);
		end = ev.type == YAML_STREAM_END_EVENT;
		yaml_event_delete(&ev);
	}
	yaml_parser_delete(&parser);
	if (r == 0 && !documents) /* libcyaml would give a NULL without an error */
		r = error_set(err, E_FORMAT, "%s:1:1: there is nothing in the file", name);
	return r;
}

/* libcyaml reports through its log: keep the first line and every "line:" place. */
static void _printf_(3, 0) keep_message(cyaml_log_t level, void *ctx, const char *fmt, va_list args)
{
	struct buf *out = ctx;

	if (level < CYAML_LOG_ERROR || out->len > 300)
		return;
	buf_vaddf(out, fmt, args);
	for (size_t i = 0; i < out->len; i++)
		if (out->ptr[i] == '\n')
			out->ptr[i] = ' ';
}

static const cyaml_config_t *config_with(struct buf *messages, cyaml_config_t *config)
{
	*config = (cyaml_config_t){
		.log_fn = keep_message,
		.log_ctx = messages,
		.mem_fn = cyaml_mem,
		.log_level = CYAML_LOG_ERROR,
		.flags = CYAML_CFG_NO_ALIAS,
	};
	return config;
}

int yaml_file_load(void **out, const char *path, const cyaml_schema_value_t *schema, struct error *err)
{
	_cleanup_(buf_done) struct buf text = { 0 }, messages = { 0 };
	cyaml_config_t config;
	cyaml_err_t e;
	int r = fs_read(&text, path, YAML_FILE_MAX, err);

	if (r < 0)
		return r;
	if (r == FS_ABSENT)
		return error_set(err, E_SYS, "no file '%s'", path);
	r = yaml_check(path, buf_bytes(&text), err);
	if (r < 0)
		return r;
	e = cyaml_load_data(text.ptr, text.len, config_with(&messages, &config), schema, out, NULL);
	if (e != CYAML_OK)
		return error_set(err, E_FORMAT, "%s: %s: %s", path, cyaml_strerror(e), buf_text(&messages));
	return 0;
}

void yaml_file_free(const cyaml_schema_value_t *schema, void *data)
{
	_cleanup_(buf_done) struct buf messages = { 0 };
	cyaml_config_t config;

	cyaml_free(config_with(&messages, &config), schema, data, 0);
}

int yaml_form_load(void **out, const char *path, const struct yaml_form *form, struct error *err)
{
	void *data = NULL;

	if (yaml_file_load(&data, path, form->schema, err) < 0)
		return err->code;
	if (form->check(data, err) < 0) {
		yaml_form_free(form, data);
		return error_add(err, "%s", path);
	}
	*out = data;
	return 0;
}

void yaml_form_free(const struct yaml_form *form, void *data)
{
	if (!data)
		return;
	if (form->done)
		form->done(data);
	yaml_file_free(form->schema, data);
}
