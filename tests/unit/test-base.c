/* tests/unit/test-base.c -- base: bytes, clock, files, processes, YAML. */
#include "tests/test.h"

#include "base/clock.h"
#include "base/cpu.h"
#include "base/fs.h"
#include "base/proc.h"
#include "base/rest.h"
#include "base/wipe.h"
#include "base/yaml.h"

#include <stdlib.h>
#include <unistd.h>

TEST(base64_round_trips_and_refuses_what_is_not_canonical)
{
	for (size_t len = 0; len < 20; len++) {
		_cleanup_(buf_done) struct buf text = { 0 }, back = { 0 };
		uint8_t in[20];

		memset(in, (int)(250 + len), sizeof(in));
		base64_encode(&text, bytes_of(in, len));
		CHECK(base64_decode(&back, buf_bytes(&text)));
		CHECK(bytes_equal(buf_bytes(&back), bytes_of(in, len)));
	}
	_cleanup_(buf_done) struct buf out = { 0 };
	CHECK(!base64_decode(&out, bytes_str("QQ=")));
	CHECK(!base64_decode(&out, bytes_str("QR=="))); /* bits left over */
	CHECK(!base64_decode(&out, bytes_str("Q Q=")));
	CHECK(!base64_decode(&out, bytes_str("====")));
}

TEST(base64_takes_the_digits_of_its_own_alphabet_alone)
{
	static const char std[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	static const char url[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

	for (int c = 0; c < 256; c++) {
		for (size_t at = 0; at < 12; at++) {
			_cleanup_(buf_done) struct buf out = { 0 }, again = { 0 };
			char text[] = "QUJDREVGR0hJ";

			text[at] = (char)c;
			CHECK(base64_decode(&out, bytes_of(text, 12)) == (c && strchr(std, c) != NULL));
			CHECK(out.len == (c && strchr(std, c) ? 9 : at * 6 / 8));
			base64_encode(&again, buf_bytes(&out));
			CHECK(out.len != 9 || bytes_equal(buf_bytes(&again), bytes_of(text, 12)));
			CHECK(base64url_decode(&out, bytes_of(text, 12)) == (c && strchr(url, c) != NULL));
		}
	}
}

TEST(numbers_are_plain_decimal)
{
	uint64_t n;

	CHECK(number_parse(&n, bytes_str("9007199254740991")) && n == (1ULL << 53) - 1);
	CHECK(!number_parse(&n, bytes_str("9007199254740992")));
	CHECK(!number_parse(&n, bytes_str("010")));
	CHECK(!number_parse(&n, bytes_str("-1")));
	CHECK(!number_parse(&n, bytes_str("")));
	CHECK(number_parse(&n, bytes_str("0")) && n == 0);
}

TEST(times_are_dates_that_exist)
{
	int64_t t;

	CHECK(clock_parse(&t, bytes_str("2024-02-29T23:59:59Z")));
	CHECK(!clock_parse(&t, bytes_str("2025-02-29T00:00:00Z")));
	CHECK(!clock_parse(&t, bytes_str("2025-04-31T00:00:00Z")));
	CHECK(!clock_parse(&t, bytes_str("2019-12-31T00:00:00Z")));
	CHECK(!clock_parse(&t, bytes_str("2025-04-30 00:00:00Z")));
	CHECK(!clock_parse(&t, bytes_str("2025-00-30T00:00:00Z")));
	CHECK(!clock_parse(&t, bytes_str("2025-13-30T00:00:00Z")));
	CHECK(!clock_parse(&t, bytes_str("2025-12-32T00:00:00Z")));
	CHECK(!clock_parse(&t, bytes_str("2025-12-00T00:00:00Z")));
	CHECK(!clock_parse(&t, bytes_str("2025-12-31T24:00:00Z")));
	CHECK(!clock_parse(&t, bytes_str("2025-12-31T23:59:60Z")));
	CHECK(!clock_parse(&t, bytes_str("2025-12-31T23:59:5 Z")));
	CHECK(!clock_parse(&t, bytes_str("2201-01-01T00:00:00Z")));
}

TEST(a_time_that_is_written_is_read_back_on_every_day)
{
	char text[CLOCK_TEXT_LEN];
	int64_t t;

	for (int64_t at = 1577836800; at < 7289654400; at += 86399) { /* 2020 to 2200 */
		clock_text(text, at);
		CHECK(clock_parse(&t, bytes_str(text)));
		CHECK_EQ(t, at);
	}
}

TEST(a_reader_remembers_that_it_ran_short)
{
	struct reader rd = reader_over(bytes_of("\0\0\0\5abc", 7));

	CHECK_EQ(read_bytes(&rd, read_u32(&rd)).len, 0);
	CHECK_EQ(read_u8(&rd), 0);
	CHECK(!reader_done(&rd));
}

TEST(a_file_is_replaced_whole_and_read_within_its_bound)
{
	_cleanup_(mem_freep) char *path = mem_printf("%s/a", test_folder());
	_cleanup_(buf_done) struct buf back = { 0 }, more = { 0 };
	struct error err = { 0 };

	CHECK_EQ(fs_read(&back, path, 10, &err), FS_ABSENT);
	CHECK_OK(fs_write(path, bytes_str("hello"), 0600, &err));
	CHECK_OK(fs_replace(path, bytes_str("world"), 0644, &err));
	CHECK_OK(fs_read(&back, path, 5, &err));
	CHECK_BYTES(buf_bytes(&back), "world");
	CHECK_EQ(fs_read(&more, path, 4, &err), E_LIMIT);
	CHECK_OK(fs_remove(path, &err));
	CHECK_EQ(fs_read(&back, path, 10, &err), FS_ABSENT);
}

/* Another name of the same file shows what became of the blocks. */
TEST(what_is_wiped_is_gone_from_the_blocks_where_it_lay)
{
	_cleanup_(mem_freep) char *path = mem_printf("%s/w", test_folder()), *other = mem_printf("%s/w2", test_folder());
	_cleanup_(mem_freep) char *link_to = mem_printf("%s/w3", test_folder());
	_cleanup_(buf_done) struct buf was = { 0 }, is = { 0 }, longer = { 0 };
	struct error err = { 0 };

	for (int i = 0; i < 20000; i++)
		buf_add_str(&was, "hunter2 ");
	CHECK_OK(fs_write(path, buf_bytes(&was), 0640, &err));
	CHECK_EQ(link(path, other), 0);
	CHECK_OK(wipe_replace(path, bytes_str("hostname a\n"), &err));
	CHECK_OK(fs_read(&is, other, 1 << 20, &err));
	CHECK_BYTES(buf_bytes(&is), "hostname a\n");
	for (int i = 0; i < 20000; i++)
		buf_add_str(&longer, "b");
	CHECK_OK(wipe_replace(path, buf_bytes(&longer), &err));
	CHECK_OK(wipe_file(path, &err));
	CHECK_EQ(access(path, F_OK), -1);
	buf_truncate(&is, 0);
	CHECK_OK(fs_read(&is, other, 1 << 20, &err));
	CHECK_EQ(is.len, 20000);
	for (size_t i = 0; i < is.len; i++)
		CHECK_EQ(is.ptr[i], 0);
	CHECK_OK(wipe_file(path, &err));
	CHECK_EQ(wipe_replace(path, bytes_str("a"), &err), FS_ABSENT);
	CHECK_EQ(symlink(other, link_to), 0);
	CHECK(wipe_file(link_to, &err) < 0);
	CHECK_EQ(access(other, F_OK), 0);
}

TEST(a_child_is_bounded_in_time_and_output)
{
	const char *const cat[] = { "cat", NULL }, *const nap[] = { "sleep", "20", NULL }, *const yes[] = { "yes", NULL },
			  *const none[] = { "no-such-program-here", NULL };
	struct proc_result r;
	struct error err = { 0 };

	CHECK_OK(proc_run(&r, cat, bytes_str("abc"), 5000, 100, &err));
	CHECK_BYTES(buf_bytes(&r.out), "abc");
	proc_result_done(&r);
	CHECK_EQ(proc_run(&r, nap, bytes_str(""), 100, 100, &err), E_PEER);
	proc_result_done(&r);
	CHECK_EQ(proc_run(&r, yes, bytes_str(""), 5000, 1000, &err), E_LIMIT);
	proc_result_done(&r);
	CHECK_EQ(proc_run(&r, none, bytes_str(""), 5000, 1000, &err), E_SYS);
	proc_result_done(&r);
}

struct settings {
	unsigned vlan;
};

static const cyaml_schema_field_t settings_fields[] = {
	CYAML_FIELD_UINT("vlan", CYAML_FLAG_DEFAULT, struct settings, vlan),
	CYAML_FIELD_END,
};
static const cyaml_schema_value_t settings_schema = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct settings, settings_fields),
};

static int load(const char *text, unsigned *vlan, struct error *err)
{
	_cleanup_(mem_freep) char *path = mem_printf("%s/s.yaml", test_folder());
	void *out = NULL;
	int r;

	CHECK_EQ(fs_write(path, bytes_str(text), 0600, err), 0);
	r = yaml_file_load(&out, path, &settings_schema, err);
	if (r == 0) {
		*vlan = ((struct settings *)out)->vlan;
		yaml_file_free(&settings_schema, out);
	}
	return r;
}

TEST(settings_refuse_what_would_be_read_in_a_surprising_way)
{
	struct error err = { 0 };
	unsigned vlan = 0;

	CHECK_OK(load("vlan: 10\n", &vlan, &err));
	CHECK_EQ(vlan, 10);
	CHECK_EQ(load("vlan: 010\n", &vlan, &err), E_FORMAT);
	CHECK(strstr(err.text, ":1:7:") && strstr(err.text, "leading zero"));
	CHECK_EQ(load("vlan: &a 10\n", &vlan, &err), E_FORMAT);
	CHECK_EQ(load("vlan: !!int 10\n", &vlan, &err), E_FORMAT);
	CHECK_EQ(load("vlan: 10\n---\nvlan: 11\n", &vlan, &err), E_FORMAT);
	CHECK_EQ(load("vlan: 10\nlan: 11\n", &vlan, &err), E_FORMAT);
	CHECK(strstr(err.text, "lan"));
}

/* As the kernel has it: "flags" of x86, "Features" of ARM. */
TEST(a_processor_has_aes_when_the_kernel_says_so)
{
#if defined(__x86_64__) || defined(__i386__) || defined(__aarch64__)
	_cleanup_(buf_done) struct buf text = { 0 };
	struct error err;

	CHECK_OK(fs_read(&text, "/proc/cpuinfo", 16 << 20, &err));
	CHECK_EQ(cpu_has_aes(),
		 strstr(buf_text(&text), " aes") && (strstr(buf_text(&text), " pclmulqdq") || strstr(buf_text(&text), " pmull")));
#else
	CHECK(!cpu_has_aes());
#endif
}

TEST(a_process_that_rests_keeps_all_that_it_wrote)
{
	static const char *const words[] = { "relocated", "at", "start" };
	_cleanup_(mem_freep) char *kept = mem_strdup("on the heap");
	static int written = 7;

	written++;
	rest();
	CHECK_STR(words[1], "at");
	CHECK_STR(kept, "on the heap");
	CHECK_EQ(written, 8);
	rest();
	CHECK_STR(words[2], "start");
}
