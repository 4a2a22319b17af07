/* tests/unit/test-trace.c -- work whose programs never answer, and work that is cut off between two of its steps. */
#include "tests/test.h"

#include "agent/trace.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/proc.h"

#include <stdlib.h>
#include <unistd.h>

static int ask_program(void *ctx, struct error *err)
{
	static const char *const argv[] = { "echo", "here", NULL };
	_cleanup_(proc_result_done) struct proc_result res = { 0 };

	if (proc_run(&res, argv, (struct bytes){ 0 }, *(unsigned *)ctx, 100, err) < 0)
		return err->code;
	return res.status ? error_set(err, E_PEER, "status %d", res.status) : 0;
}

static int write_file(void *ctx, struct error *err)
{
	return fs_replace(ctx, bytes_str("new"), 0600, err);
}

static int do_nothing(void *ctx _unused_, struct error *err)
{
	return error_set(err, E_DENIED, "as it should");
}

TEST(a_program_that_is_held_never_answers_and_the_deadline_counts)
{
	unsigned held, timeout = 200;
	struct trace_work work = { ask_program, &timeout };
	uint64_t begin = clock_mono_ms();
	struct error err = { 0 };

	CHECK_EQ(trace_held(&work, 20000, &held, &err), E_PEER);
	CHECK_STR(err.text, "'echo': it did not end in time");
	CHECK_EQ(held, 1);
	CHECK(clock_mono_ms() - begin >= 200);
}

TEST(work_that_does_not_end_is_ended)
{
	unsigned held, timeout = 60000;
	struct trace_work work = { ask_program, &timeout };
	struct error err = { 0 };

	CHECK_EQ(trace_held(&work, 200, &held, &err), E_LIMIT);
	CHECK_EQ(held, 1);
}

TEST(work_without_a_program_gives_its_own_answer)
{
	struct trace_work work = { do_nothing, NULL };
	struct error err = { 0 };
	unsigned held;

	CHECK_EQ(trace_held(&work, 20000, &held, &err), E_DENIED);
	CHECK_STR(err.text, "as it should");
	CHECK_EQ(held, 0);
}

TEST(a_write_that_is_cut_off_before_each_of_its_steps_leaves_the_old_file_or_the_new)
{
	_cleanup_(mem_freep) char *path = mem_printf("%s/file", test_folder());
	struct trace_work work = { write_file, path };
	struct error err = { 0 };
	unsigned old_seen = 0, new_seen = 0, n = 0, count = 0;
	int r;

	do {
		_cleanup_(buf_done) struct buf text = { 0 };

		CHECK_OK(fs_write(path, bytes_str("old"), 0600, &err));
		r = trace_cut(&work, 20000, ++n, &err);
		CHECK(r >= 0);
		CHECK_OK(fs_read(&text, path, 100, &err));
		old_seen += bytes_is(buf_bytes(&text), "old");
		new_seen += bytes_is(buf_bytes(&text), "new");
	} while (r == TRACE_CUT);
	CHECK_EQ(old_seen + new_seen, n);
	CHECK_EQ(trace_count(&work, 20000, &count, &err), 0);
	CHECK_EQ(count, n - 2); /* without the last time, and without the answer to us */
	CHECK(old_seen >= 4); /* before write, owner, mode, sync, rename */
	CHECK(new_seen >= 2); /* before the sync of the folder, and whole */
}
