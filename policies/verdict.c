/* policies/verdict.c -- what all packs of a device say of one configuration. */
#include "policies/verdict.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MORE_LEN = 24 }; /* "\tand 123456789 more\n" */

static const char *const names[STANDINGS] = { "pass", "fail", "unknown", "waived", "not-applicable" };

const char *standing_name(enum standing standing)
{
	return names[standing];
}

bool standing_parse(enum standing *out, struct bytes name)
{
	for (size_t i = 0; i < STANDINGS; i++)
		if (bytes_is(name, names[i])) {
			*out = (enum standing)i;
			return true;
		}
	return false;
}

static bool is_waived(const char *pack, const char *rule, const struct waived *waived, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!strcmp(waived[i].pack, pack) && !strcmp(waived[i].rule, rule))
			return true;
	return false;
}

struct summing {
	struct verdict_sum *out;
	const struct waived *waived;
	size_t waived_count;
	size_t left;                    /* bytes for what was found */
	uint64_t (*counts)[STANDINGS];  /* of the sections */
	char last[VERDICT_SECTION_LEN]; /* "<pack>/<context>" of the rule before, to find its section again */
	size_t last_at;
};

static enum standing stand(const struct summing *s, const char *pack, const struct ruling *ruling)
{
	bool waived = is_waived(pack, ruling->rule->id, s->waived, s->waived_count);

	switch (ruling->verdict) {
	case VERDICT_PASS:
		return STANDING_PASS;
	case VERDICT_FAIL:
		return waived ? STANDING_WAIVED : STANDING_FAIL;
	case VERDICT_UNKNOWN:
		return waived ? STANDING_WAIVED : STANDING_UNKNOWN;
	case VERDICT_NOT_APPLICABLE:
		return STANDING_NOT_APPLICABLE;
	}
	return STANDING_UNKNOWN;
}

/* ---- sections ---- */

/* A line of a statement is printable ASCII, and has no blank at its end. */
static void section_name(char out[static VERDICT_SECTION_LEN], const char *pack, const char *context)
{
	size_t n;

	snprintf(out, VERDICT_SECTION_LEN - 128, "%s/%s", pack, context);
	for (n = 0; out[n]; n++)
		if (out[n] < 0x20 || out[n] > 0x7e)
			out[n] = '?';
	while (n && out[n - 1] == ' ')
		out[--n] = 0;
}

static size_t find_section(struct summing *s, const char *name)
{
	struct verdict_sum *out = s->out;

	for (size_t i = 0; i < out->section_count; i++)
		if (!strcmp(out->sections[i], name))
			return i;
	if (out->section_count == VERDICT_SECTIONS_MAX)
		return VERDICT_SECTIONS_MAX - 1;
	strcpy(out->sections[out->section_count], out->section_count + 1 == VERDICT_SECTIONS_MAX ? "others" : name);
	return out->section_count++;
}

static void count_section(struct summing *s, const char *pack, const struct rule *rule, enum standing standing)
{
	char name[VERDICT_SECTION_LEN];

	section_name(name, pack, rule->context.text);
	if (strcmp(name, s->last) != 0) {
		strcpy(s->last, name);
		s->last_at = find_section(s, name);
	}
	s->counts[s->last_at][standing]++;
}

static void end_section(struct verdict_sum *out, size_t i, const uint64_t counts[static STANDINGS])
{
	size_t used = strlen(out->sections[i]);

	snprintf(out->sections[i] + used, VERDICT_SECTION_LEN - used, " pass=%llu fail=%llu unknown=%llu waived=%llu",
		 (unsigned long long)counts[STANDING_PASS], (unsigned long long)counts[STANDING_FAIL],
		 (unsigned long long)counts[STANDING_UNKNOWN], (unsigned long long)counts[STANDING_WAIVED]);
}

/* ---- findings ---- */

size_t verdict_line_len(const char *pack, const char *rule)
{
	return strlen(pack) + strlen(rule) + sizeof("  not-applicable\n") - 1 + MORE_LEN;
}

/* Nothing of a configuration ends a line or drives a terminal. */
static void add_clean(struct buf *out, const char *text)
{
	for (; *text; text++)
		buf_add_char(out, (uint8_t)*text < 0x20 || *text == 0x7f ? '?' : *text);
}

static bool add_detail(struct summing *s, const struct buf *detail)
{
	if (detail->len > s->left)
		return false;
	s->left -= detail->len;
	buf_add_bytes(&s->out->findings, buf_bytes(detail));
	return true;
}

static bool add_finding(struct summing *s, const struct finding *finding)
{
	_cleanup_(buf_done) struct buf detail = { 0 };

	buf_addf(&detail, "\t%u ", finding->line);
	add_clean(&detail, finding->path);
	buf_add_str(&detail, ": ");
	add_clean(&detail, finding->text);
	buf_add_char(&detail, '\n');
	return add_detail(s, &detail);
}

static void add_why(struct summing *s, const char *why)
{
	_cleanup_(buf_done) struct buf detail = { 0 };

	if (!*why)
		return;
	buf_add_char(&detail, '\t');
	add_clean(&detail, why);
	buf_add_char(&detail, '\n');
	(void)add_detail(s, &detail);
}

static void add_rule(struct summing *s, const char *pack, const struct ruling *ruling, enum standing standing)
{
	struct buf *out = &s->out->findings;
	size_t n = 0;

	buf_addf(out, "%s %s %s\n", pack, ruling->rule->id, names[standing]);
	add_why(s, ruling->why);
	while (n < ruling->count && add_finding(s, &ruling->findings[n]))
		n++;
	n = ruling->count - n + ruling->more;
	if (n)
		buf_addf(out, "\tand %zu more\n", n % 1000000000);
}

static void sum_pack(struct summing *s, const struct judged *pack)
{
	for (size_t i = 0; i < pack->report->count; i++) {
		const struct ruling *ruling = &pack->report->rulings[i];
		enum standing standing = stand(s, pack->policy->name, ruling);

		s->out->counts[standing]++;
		count_section(s, pack->policy->name, ruling->rule, standing);
		add_rule(s, pack->policy->name, ruling, standing);
	}
}

void verdict_sum(struct verdict_sum *out, const struct judged *packs, size_t pack_count, const struct waived *waived, size_t waived_count)
{
	uint64_t counts[VERDICT_SECTIONS_MAX][STANDINGS] = { 0 };
	struct summing s = { .out = out, .waived = waived, .waived_count = waived_count, .left = VERDICT_FINDINGS_MAX, .counts = counts };
	size_t lines = 0;

	*out = (struct verdict_sum){ .section_count = 0 };
	for (size_t i = 0; i < pack_count; i++)
		for (size_t k = 0; k < packs[i].policy->count; k++)
			lines += verdict_line_len(packs[i].policy->name, packs[i].policy->rules[k].id);
	s.left = lines < s.left ? s.left - lines : 0;
	for (size_t i = 0; i < pack_count; i++)
		sum_pack(&s, &packs[i]);
	for (size_t i = 0; i < out->section_count; i++)
		end_section(out, i, counts[i]);
}

void verdict_sum_done(struct verdict_sum *sum)
{
	buf_done(&sum->findings);
	*sum = (struct verdict_sum){ .section_count = 0 };
}

/* ---- reading ---- */

static bool cut_word(struct bytes *word, struct bytes *rest)
{
	const uint8_t *space = rest->len ? memchr(rest->ptr, ' ', rest->len) : NULL;

	*word = bytes_of(rest->ptr, space ? (size_t)(space - rest->ptr) : rest->len);
	*rest = bytes_from(*rest, word->len + (space != NULL));
	return word->len > 0 && word->len <= POLICY_ID_MAX;
}

static bool take_rule(struct finding_rule *out, struct bytes line)
{
	struct bytes word, rest = line;

	return cut_word(&out->pack, &rest) && cut_word(&out->rule, &rest) && cut_word(&word, &rest) &&
	       out->pack.len + out->rule.len + word.len + 2 == line.len && standing_parse(&out->standing, word);
}

static void add_to_details(struct finding_rule *rule, struct bytes line)
{
	const uint8_t *begin = rule->details.len ? rule->details.ptr : line.ptr;

	rule->details = bytes_of(begin, (size_t)(line.ptr + line.len - begin));
}

int findings_read(struct findings *out, struct bytes text, struct error *err)
{
	_cleanup_(findings_done) struct findings found = { 0 };
	struct bytes rest = text, line;
	size_t room = 0;

	if (text.len > VERDICT_FINDINGS_MAX)
		return error_set(err, E_LIMIT, "findings of %zu bytes are over %d", text.len, VERDICT_FINDINGS_MAX);
	for (unsigned number = 1; bytes_next_line(&rest, &line); number++) {
		struct finding_rule *last = found.count ? &found.rules[found.count - 1] : NULL;

		if (last && line.len > 1 && line.ptr[0] == '\t') {
			add_to_details(last, line);
			continue;
		}
		if (found.count == VERDICT_RULES_MAX)
			return error_set(err, E_LIMIT, "findings of more than %d rules", VERDICT_RULES_MAX);
		if (found.count == room)
			found.rules = mem_grow(found.rules, (room = 2 * room + 64) * sizeof(*found.rules));
		found.rules[found.count] = (struct finding_rule){ .standing = STANDING_UNKNOWN };
		if (!take_rule(&found.rules[found.count], line))
			return error_set(err, E_FORMAT, "line %u of the findings is none", number);
		found.count++;
	}
	*out = found;
	found.rules = NULL;
	return 0;
}

void findings_done(struct findings *findings)
{
	free(findings->rules);
	*findings = (struct findings){ 0 };
}

bool findings_next(struct bytes *details, unsigned *line, struct bytes *text)
{
	struct bytes number, rest;
	uint64_t n;

	if (!bytes_next_line(details, text))
		return false;
	*text = bytes_from(*text, 1);
	*line = 0;
	rest = *text;
	if (cut_word(&number, &rest) && rest.len && number_parse(&n, number) && n <= UINT32_MAX) {
		*line = (unsigned)n;
		*text = rest;
	}
	return true;
}
