/* agent/probe.c -- what must hold after a change. */
#include "agent/probe.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <arpa/inet.h>
#include <pcre2.h>
#include <stdio.h>
#include <string.h>

enum { MATCH_LIMIT = 1000000, HEAP_LIMIT_KIB = 4096 };

static pcre2_code *compile(const char *pattern, struct error *err)
{
	PCRE2_SIZE at;
	PCRE2_UCHAR why[128];
	int code;
	pcre2_code *re =
		pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED, PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C, &code, &at, NULL);

	if (!re) {
		pcre2_get_error_message(code, why, sizeof(why));
		error_set(err, E_FORMAT, "pattern '%.100s' does not compile at %zu: %s", pattern, (size_t)at, (const char *)why);
	}
	return re;
}

static int take_target(struct probe *out, const char *from, size_t len, struct error *err)
{
	if (!len || len >= sizeof(out->target))
		return error_set(err, E_FORMAT, "what a probe is for has %zu characters; 1 to %zu may be", len, sizeof(out->target) - 1);
	memcpy(out->target, from, len);
	out->target[len] = 0;
	return 0;
}

static int parse_show(struct probe *out, const char *text, struct error *err)
{
	const char *match = strstr(text, " =~ ");
	pcre2_code *re;

	if (!match || take_target(out, text, (size_t)(match - text), err) < 0)
		return match ? err->code : error_set(err, E_FORMAT, "probe 'show %.80s' has no ' =~ PATTERN'", text);
	out->pattern = match + 4;
	re = compile(out->pattern, err);
	if (!re)
		return err->code;
	pcre2_code_free(re);
	return 0;
}

static int parse_ping(struct probe *out, const char *text, struct error *err)
{
	uint8_t address[16];

	if (take_target(out, text, strlen(text), err) < 0)
		return err->code;
	if (inet_pton(AF_INET, text, address) != 1 && inet_pton(AF_INET6, text, address) != 1)
		return error_set(err, E_FORMAT, "probe 'ping %.80s' names no address", text);
	return 0;
}

static int parse_tcp(struct probe *out, const char *text, struct error *err)
{
	const char *colon = strrchr(text, ':');
	uint64_t port;

	if (take_target(out, text, strlen(text), err) < 0)
		return err->code;
	if (!colon || colon == text || !number_parse(&port, bytes_str(colon + 1)) || !port || port > 65535)
		return error_set(err, E_FORMAT, "probe 'tcp %.80s' names no host and port", text);
	return 0;
}

int probe_parse(struct probe *out, const char *text, struct error *err)
{
	static const struct {
		const char *word;
		enum probe_kind kind;
		int (*parse)(struct probe *out, const char *text, struct error *err);
	} kinds[] = { { "ping ", PROBE_PING, parse_ping }, { "tcp ", PROBE_TCP, parse_tcp }, { "show ", PROBE_SHOW, parse_show } };

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (!strncmp(text, kinds[i].word, strlen(kinds[i].word))) {
			*out = (struct probe){ .kind = kinds[i].kind };
			return kinds[i].parse(out, text + strlen(kinds[i].word), err);
		}
	return error_set(err, E_FORMAT, "probe '%.80s' is of no known kind", text);
}

int probes_check(const struct statement *order, struct error *err)
{
	struct probe probe;
	const char *text;

	for (size_t i = 0; (text = statement_at(order, "probe", i)); i++)
		if (probe_parse(&probe, text, err) < 0)
			return err->code;
	return 0;
}

/* A pattern that an operator signed may still be slow on what a device says: bounded, whatever it is. */
int probe_matches(const struct probe *probe, struct bytes said, bool *matches, struct error *err)
{
	pcre2_code *re = compile(probe->pattern, err);
	pcre2_match_context *context;
	pcre2_match_data *data;
	int r;

	if (!re)
		return err->code;
	context = pcre2_match_context_create(NULL);
	data = pcre2_match_data_create_from_pattern(re, NULL);
	pcre2_set_match_limit(context, MATCH_LIMIT);
	pcre2_set_heap_limit(context, HEAP_LIMIT_KIB);
	r = pcre2_match(re, said.len ? said.ptr : (PCRE2_SPTR)"", said.len, 0, 0, data, context);
	pcre2_match_data_free(data);
	pcre2_match_context_free(context);
	pcre2_code_free(re);
	*matches = r >= 0;
	return r >= 0 || r == PCRE2_ERROR_NOMATCH ? 0 : error_set(err, E_LIMIT, "the pattern takes too long");
}

void probe_ask_put(struct buf *out, const struct probe_ask *ask)
{
	buf_add_u32be(out, ask->kind);
	put_field(out, bytes_str(ask->target));
	buf_add_u32be(out, ask->timeout_ms);
}

bool probe_ask_get(struct probe_ask *out, struct bytes in)
{
	struct reader rd = reader_over(in);
	uint32_t kind = read_u32(&rd);

	*out = (struct probe_ask){ 0 };
	if (kind > PROBE_TCP || !get_text_field(&rd, out->target, sizeof(out->target)))
		return false;
	out->kind = (enum probe_kind)kind;
	out->timeout_ms = read_u32(&rd);
	return reader_done(&rd) && out->target[0] && out->timeout_ms;
}
