/* tests/fuzz/fuzz-messages.c -- bodies of messages between the agent's processes. What is read and written and read is the same. The first
 * byte says which. */
#include "tests/fuzz/fuzz.h"

#include "agent/apply-judge.h"
#include "agent/net.h"

#include <stdlib.h>
#include <string.h>

static bool ends(const char *text, size_t size)
{
	return memchr(text, 0, size) != NULL;
}

static bool take_look(struct buf *out, struct bytes in)
{
	struct reader rd = reader_over(in);
	struct apply_look look;

	if (!apply_look_get(&look, &rd))
		return false;
	MUST(ends(look.missing, sizeof(look.missing)) && ends(look.incarnation, sizeof(look.incarnation)));
	MUST(look.running.len <= DEVICE_TEXT_MAX && look.startup.len <= DEVICE_TEXT_MAX);
	apply_look_put(out, &look);
	return true;
}

static bool take_result(struct buf *out, struct bytes in)
{
	struct reader rd = reader_over(in);
	struct error err = { 0 };

	if (!apply_result_get(&rd, &err))
		return false;
	MUST(err.code <= 0 && err.code >= E_PEER && ends(err.text, sizeof(err.text)));
	apply_result_put(out, err.code, err.text);
	return true;
}

static bool take_request(struct buf *out, struct bytes in)
{
	struct http_request req;

	if (!http_request_get(&req, in))
		return false;
	MUST(ends(req.address, sizeof(req.address)) && ends(req.path, sizeof(req.path)));
	MUST(req.address[0] && req.path[0] == '/' && req.pin_count >= 1 && req.pin_count <= NET_PINS_MAX);
	http_request_put(out, &req);
	return true;
}

static bool take_answer(struct buf *out, struct bytes in)
{
	struct http_answer ans;

	if (!http_answer_get(&ans, in))
		return false;
	MUST(ends(ans.error, sizeof(ans.error)));
	http_answer_put(out, &ans);
	return true;
}

static bool take_judge(struct buf *out, struct bytes in)
{
	struct apply_judge *ask = mem_alloc(sizeof(*ask));
	bool is_read = apply_judge_get(ask, in);

	if (is_read) {
		MUST(ends(ask->model, sizeof(ask->model)) && ends(ask->firmware, sizeof(ask->firmware)));
		MUST(ask->pack_count <= POLICY_SET_PACKS_MAX && ask->waived_count <= POLICY_SET_WAIVERS_MAX);
		apply_judge_put(out, ask);
	}
	free(ask);
	return is_read;
}

static bool take_sum(struct buf *out, struct bytes in)
{
	struct reader rd = reader_over(in);
	_cleanup_(verdict_sum_done) struct verdict_sum sum = { .section_count = 0 };

	if (!apply_sum_get(&sum, &rd))
		return false;
	MUST(sum.section_count <= VERDICT_SECTIONS_MAX && sum.findings.len <= VERDICT_FINDINGS_MAX);
	apply_sum_put(out, &sum);
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool (*const kinds[])(struct buf *,
				     struct bytes) = { take_look, take_result, take_request, take_answer, take_judge, take_sum };
	_cleanup_(buf_done) struct buf once = { 0 }, twice = { 0 };

	if (!size)
		return 0;
	if (!kinds[data[0] % ARRAY_SIZE(kinds)](&once, bytes_of(data + 1, size - 1)))
		return 0;
	MUST(kinds[data[0] % ARRAY_SIZE(kinds)](&twice, buf_bytes(&once)));
	MUST(bytes_equal(buf_bytes(&once), buf_bytes(&twice)));
	return 0;
}
