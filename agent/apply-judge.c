/* agent/apply-judge.c -- the packs of a set are held against what runs. */
#include "agent/apply-judge.h"

#include <stdio.h>
#include <string.h>

static void put_u64(struct buf *out, uint64_t value)
{
	buf_add_u32be(out, (uint32_t)(value >> 32));
	buf_add_u32be(out, (uint32_t)value);
}

void apply_judge_put(struct buf *out, const struct apply_judge *ask)
{
	buf_add(out, ask->running, sizeof(ask->running));
	put_field(out, bytes_str(ask->model));
	put_field(out, bytes_str(ask->firmware));
	buf_add_u32be(out, (uint32_t)ask->waived_count);
	for (size_t i = 0; i < ask->waived_count; i++) {
		put_field(out, bytes_str(ask->waived[i].pack));
		put_field(out, bytes_str(ask->waived[i].rule));
	}
	buf_add_u32be(out, (uint32_t)ask->pack_count);
	for (size_t i = 0; i < ask->pack_count; i++)
		put_field(out, ask->packs[i]);
}

static bool get_waived(struct apply_judge *out, struct reader *rd)
{
	uint32_t count = read_u32(rd);

	if (count > POLICY_SET_WAIVERS_MAX)
		return false;
	for (; out->waived_count < count; out->waived_count++) {
		char *pack = out->names[2 * out->waived_count], *rule = out->names[2 * out->waived_count + 1];

		if (!get_text_field(rd, pack, sizeof(out->names[0])) || !get_text_field(rd, rule, sizeof(out->names[0])))
			return false;
		out->waived[out->waived_count] = (struct waived){ pack, rule };
	}
	return true;
}

bool apply_judge_get(struct apply_judge *out, struct bytes in)
{
	struct reader rd = reader_over(in);
	struct bytes running = read_bytes(&rd, APPLY_DIGEST_LEN);
	uint32_t count;

	*out = (struct apply_judge){ .pack_count = 0 };
	if (!get_text_field(&rd, out->model, sizeof(out->model)) || !get_text_field(&rd, out->firmware, sizeof(out->firmware)) ||
	    !get_waived(out, &rd))
		return false;
	count = read_u32(&rd);
	if (count > POLICY_SET_PACKS_MAX)
		return false;
	while (out->pack_count < count)
		out->packs[out->pack_count++] = get_field(&rd);
	if (!reader_done(&rd) || running.len != APPLY_DIGEST_LEN)
		return false;
	memcpy(out->running, running.ptr, running.len);
	return true;
}

int apply_judge(struct verdict_sum *out, const struct apply_judge *ask, const char *driver, struct bytes running, struct error *err)
{
	const struct policy_facts facts = { .driver = driver, .model = ask->model, .firmware = ask->firmware };
	_cleanup_(policy_set_done) struct policy_set set = { .pack_count = 0 };

	for (size_t i = 0; i < ask->pack_count; i++) {
		char name[32];

		snprintf(name, sizeof(name), "pack %zu", i + 1);
		if (policy_read(&set.packs[i].policy, name, ask->packs[i], err) < 0)
			return err->code;
		set.pack_count++;
	}
	policy_set_judge(out, &set, running, &facts, ask->waived, ask->waived_count, &policy_limits_agent);
	return 0;
}

void apply_sum_put(struct buf *out, const struct verdict_sum *sum)
{
	for (size_t i = 0; i < STANDINGS; i++)
		put_u64(out, sum->counts[i]);
	buf_add_u32be(out, (uint32_t)sum->section_count);
	for (size_t i = 0; i < sum->section_count; i++)
		put_field(out, bytes_str(sum->sections[i]));
	put_field(out, buf_bytes(&sum->findings));
}

static bool is_printable(const char *text)
{
	for (const char *at = text; *at; at++)
		if (*at < 0x20 || *at > 0x7e)
			return false;
	return *text && *text != ' ' && text[strlen(text) - 1] != ' ';
}

bool apply_sum_get(struct verdict_sum *out, struct reader *rd)
{
	struct bytes findings;
	uint32_t count;
	bool is_good = true;

	*out = (struct verdict_sum){ .section_count = 0 };
	for (size_t i = 0; i < STANDINGS; i++) {
		out->counts[i] = read_u64(rd);
		is_good = is_good && out->counts[i] <= (uint64_t)POLICY_RULES_MAX * POLICY_SET_PACKS_MAX;
	}
	count = read_u32(rd);
	if (!is_good || count > VERDICT_SECTIONS_MAX)
		return false;
	for (; out->section_count < count; out->section_count++)
		if (!get_text_field(rd, out->sections[out->section_count], VERDICT_SECTION_LEN) ||
		    !is_printable(out->sections[out->section_count]))
			return false;
	findings = get_field(rd);
	if (!reader_done(rd) || findings.len > VERDICT_FINDINGS_MAX)
		return false;
	buf_add_bytes(&out->findings, findings);
	return true;
}
