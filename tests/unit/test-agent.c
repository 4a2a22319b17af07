/* tests/unit/test-agent.c -- the agent's settings, and the messages between its processes: bounded, and damage is named. */
#include "tests/test.h"

#include "agent/copies.h"
#include "agent/credential.h"
#include "agent/apply.h"
#include "agent/ipc.h"
#include "agent/net.h"
#include "agent/settings.h"
#include "base/clock.h"
#include "base/fs.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- settings ---- */

#define FRR "    driver: frr\n    frr:\n      config: /etc/frr/frr.conf\n      daemons: [zebra, staticd]\n"
#define FRR_OF(keys) "devices:\n  - name: r1\n    driver: frr\n    frr: {" keys "}\n    commit: {mode: commit}\n"
#define FILES_OF(keys) "devices:\n  - name: gw\n    driver: files\n    files: {parts: [{" keys "}]}\n    commit: {mode: commit}\n"
#define DEVICE "devices:\n  - name: r1\n" FRR "    commit: {mode: commit}\n"

static int load(struct settings **out, const char *text, struct error *err)
{
	_cleanup_(mem_freep) char *path = mem_printf("%s/agent.yaml", test_folder());

	must(fs_write(path, bytes_str(text), 0600, err), err);
	return settings_load(out, path, err);
}

TEST(what_is_not_said_has_its_default)
{
	_cleanup_(settings_freep) struct settings *s = NULL;
	struct error err = { 0 };

	must(load(&s, DEVICE, &err), &err);
	CHECK_STR(s->state, "/var/lib/holdfast-agent");
	CHECK_STR(s->user, "nobody");
	CHECK_EQ(s->spool, 1000);
	CHECK_EQ(s->wait, 14400);
	CHECK_EQ(s->keepalive, 1800);
	CHECK_EQ(s->devices_count, 1);
	CHECK_EQ(s->devices[0].commit->mode, MODE_COMMIT);
	CHECK_EQ(s->devices[0].commit->quiet, 30);
	CHECK_EQ(s->devices[0].commit->remind, 900);
	CHECK_EQ(s->devices[0].commit->watch, 10);
	CHECK(s->devices[0].frr->pathspace == NULL);
	CHECK_EQ(s->devices[0].frr->daemons_count, 2);
	CHECK(settings_device(s, "r1") == &s->devices[0]);
	CHECK(settings_device(s, "r2") == NULL);
}

TEST(what_is_said_counts)
{
	_cleanup_(settings_freep) struct settings *s = NULL;
	struct error err = { 0 };

	must(load(&s,
		  "state: /srv/x\nuser: holdfast\nspool: 5\nwait: 3600\nkeepalive: 120\ndevices:\n  - name: r1\n" FRR
		  "    commit: {mode: revert, quiet: 1, remind: 604800, watch: 2}\n"
		  "  - name: r2.site-1\n    driver: frr\n    frr: {pathspace: r2, config: /etc/frr/r2/frr.conf, daemons: [zebra]}\n"
		  "    commit: {mode: observe}\n",
		  &err),
	     &err);
	CHECK_EQ(s->spool, 5);
	CHECK_EQ(s->wait, 3600);
	CHECK_EQ(s->keepalive, 120);
	CHECK_EQ(s->devices[0].commit->quiet, 1);
	CHECK_EQ(s->devices[0].commit->remind, 604800);
	CHECK_EQ(s->devices[0].commit->watch, 2);
	CHECK_STR(s->devices[1].frr->pathspace, "r2");
	for (int mode = MODE_OBSERVE; mode <= MODE_REVERT; mode++)
		CHECK(settings_mode_name((enum settings_mode)mode) != NULL);
	CHECK_STR(settings_mode_name(s->devices[0].commit->mode), "revert");
}

TEST(of_nftables_only_the_path_must_be_said)
{
	_cleanup_(settings_freep) struct settings *s = NULL;
	const struct settings_files *files;
	struct error err = { 0 };

	must(load(&s, FILES_OF("path: /etc/nftables.conf, format: nftables}, {path: /etc/x, running: [cat, /etc/x]"), &err), &err);
	files = s->devices[0].files;
	CHECK_STR(files->root, "/");
	CHECK_STR(files->first, "/etc/nftables.conf");
	CHECK_EQ(files->parts_count, 2);
	CHECK_EQ(files->parts[0].running_count, 4);
	CHECK_STR(files->parts[0].running[3], "ruleset");
	CHECK_EQ(files->parts[0].load_count, 3);
	CHECK_EQ(files->parts[0].check_count, 4);
	CHECK_STR(files->parts[1].format, "secret"); /* what nobody explained is secret */
	CHECK_EQ(files->parts[1].load_count, 0);
}

TEST(a_mistake_is_named_with_its_key_and_its_place)
{
	static const struct {
		const char *text, *key;
		const char *place; /* in the file, or which device */
	} cases[] = {
		{ "stat: /x\n" DEVICE, "stat", "line: 1" },
		{ DEVICE "extra: 1\n", "extra", "line" },
		{ "state: x\n" DEVICE, "state", "agent.yaml" },
		{ "wait: 0\n" DEVICE, "wait", "agent.yaml" },
		{ "wait: 14401\n" DEVICE, "wait", "agent.yaml" },
		{ "keepalive: 9\n" DEVICE, "keepalive", "agent.yaml" },
		{ "wait: -1\n" DEVICE, "wait", "line: 1" },
		{ "wait: soon\n" DEVICE, "wait", "line: 1" },
		{ "wait: 010\n" DEVICE, "leading zero", ":1:7" },
		{ "spool: 0\n" DEVICE, "spool", "agent.yaml" },
		{ "spool: 100001\n" DEVICE, "spool", "agent.yaml" },
		{ "state: /x\n", "devices", "agent.yaml" },
		{ "devices: []\n", "devices", "agent.yaml" },
		{ "devices:\n  - name: r1\n" FRR "    commit: {mode: kommit}\n", "mode", "line: 7" },
		{ "devices:\n  - name: r1\n" FRR "    commit: {mode: commit, quiet: 0}\n", "quiet", "device 'r1'" },
		{ "devices:\n  - name: r1\n" FRR "    commit: {mode: commit, remind: 0}\n", "remind", "device 'r1'" },
		{ "devices:\n  - name: r1\n" FRR "    commit: {mode: commit, watch: 604801}\n", "watch", "device 'r1'" },
		{ "devices:\n  - name: r1\n" FRR "    commit: {mode: commit, quite: 5}\n", "quite", "line: 7" },
		{ "devices:\n  - name: r1\n" FRR, "commit", "agent.yaml" },
		{ "devices:\n  - name: ../etc\n" FRR "    commit: {mode: commit}\n", "../etc", "agent.yaml" },
		{ "devices:\n  - name: R1\n" FRR "    commit: {mode: commit}\n", "R1", "agent.yaml" },
		{ "devices:\n  - name: .\n" FRR "    commit: {mode: commit}\n", "'.'", "agent.yaml" },
		{ DEVICE "  - name: r1\n" FRR "    commit: {mode: commit}\n", "r1", "agent.yaml" },
		{ "devices:\n  - name: r1\n    driver: ios\n    commit: {mode: commit}\n", "ios", "device 'r1'" },
		{ "devices:\n  - name: r1\n    driver: frr\n    commit: {mode: commit}\n", "frr", "device 'r1'" },
		{ FRR_OF("config: frr.conf, daemons: [zebra]"), "config", "device 'r1'" },
		{ FRR_OF("config: /f, daemons: []"), "daemons", "line" },
		{ FRR_OF("config: /f, daemons: [../x]"), "../x", "device 'r1'" },
		{ FRR_OF("config: /f, daemons: [zebra], pathspace: ../x"), "pathspace", "device 'r1'" },
		{ FRR_OF("config: /f, daemons: [zebra], pathspace: -x"), "pathspace", "device 'r1'" },
		{ FRR_OF("config: /f, daemons: [zebra], vty-socket: x"), "vty-socket", "device 'r1'" },
		{ FRR_OF("config: /f, daemons: [zebra], vty-socket: /x, pathspace: y"), "vty-socket", "device 'r1'" },
		{ FILES_OF("path: etc/x"), "path", "device 'gw'" },
		{ FILES_OF("path: /etc/../x"), "path", "device 'gw'" },
		{ FILES_OF("path: /x, format: yaml"), "yaml", "'/x'" },
		{ FILES_OF("path: /x, running: []"), "running", "line" },
		{ FILES_OF("path: /x, running: cat /x"), "running", "line" },
		{ FILES_OF("path: /x, run: [cat]"), "run", "line" },
		{ FILES_OF("path: /x/*, running: [cat]"), "several", "'/x/*'" },
		{ FILES_OF("path: /x/*, format: nftables"), "several", "'/x/*'" },
		{ FILES_OF("path: /x, load: [cat]"), "load", "'/x'" },
		{ FILES_OF("path: /x, loaded: [date]"), "reload", "'/x'" },
		{ FILES_OF("path: /x, running: [cat], reload: [true], loaded: [date]"), "exclude", "'/x'" },
		{ FILES_OF("path: /x, format: nftables, reload: [true]"), "reload", "'/x'" },
		{ FILES_OF("path: /x}, {path: /x"), "twice", "device 'gw'" },
		{ FILES_OF("path: /x, factory: x"), "factory", "'/x'" },
		{ FILES_OF("path: /x, factory: /x"), "factory", "'/x'" },
		{ FILES_OF("path: /x/*, factory: /f"), "none", "'/x/*'" },
		{ FILES_OF("path: /x, running: [cat], factory: none"), "none", "'/x'" },
		{ FRR_OF("config: /f, daemons: [zebra], factory: x"), "factory", "device 'r1'" },
		{ FRR_OF("config: /f, daemons: [zebra], factory: /f"), "factory", "device 'r1'" },
		{ "devices:\n  - name: r1\n" FRR "    media: [sda]\n    commit: {mode: commit}\n", "sda", "device 'r1'" },
		{ "devices:\n  - name: s\n    driver: weos\n    weos: {serial: /dev/ttyS0}\n    media: [/dev/sda]\n    commit: {mode: "
		  "commit}\n",
		  "media", "device 's'" },
		{ "devices:\n  - name: gw\n    driver: files\n    commit: {mode: commit}\n", "files", "device 'gw'" },
		{ "devices:\n  - name: gw\n    driver: files\n    files: {root: srv, parts: [{path: /x}]}\n    commit: {mode: commit}\n",
		  "root", "device 'gw'" },
		{ "devices:\n  - name: gw\n    driver: files\n    files: {parts: []}\n    commit: {mode: commit}\n", "parts", "line" },
		{ "devices:\n  - name: r1\n" FRR "    files: {parts: [{path: /x}]}\n    commit: {mode: commit}\n", "files", "device 'r1'" },
		{ "devices: [\n", "", ":2:1" },
		{ "", "", "agent.yaml" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct settings *s = NULL;
		struct error err = { 0 };

		if (load(&s, cases[i].text, &err) != E_FORMAT)
			fail_msg("case %zu was taken", i);
		if (!strstr(err.text, cases[i].key) || !strstr(err.text, cases[i].place) || !strstr(err.text, "agent.yaml"))
			fail_msg("case %zu names neither '%s' nor '%s': %s", i, cases[i].key, cases[i].place, err.text);
	}
}

TEST(settings_that_are_not_there_are_an_error)
{
	struct settings *s = NULL;
	struct error err = { 0 };

	CHECK(settings_load(&s, "/nonexistent/agent.yaml", &err) < 0);
	CHECK(strstr(err.text, "/nonexistent/agent.yaml") != NULL);
}

/* ---- messages ---- */

struct pair {
	struct ipc a, b;
};

static void pair_init(struct pair *p)
{
	int fds[2];

	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	ipc_init(&p->a, fds[0]);
	ipc_init(&p->b, fds[1]);
}

static void pair_done(struct pair *p)
{
	ipc_done(&p->a);
	ipc_done(&p->b);
}

TEST(messages_arrive_whole_and_in_order_whatever_their_size)
{
	static const size_t sizes[] = { 0, 1, 5, 4096, 65536, 1 << 20, IPC_BODY_MAX, 0, 3 };
	_cleanup_(pair_done) struct pair p;
	_cleanup_(buf_done) struct buf body = { 0 };
	struct error err = { 0 };
	size_t got = 0;

	pair_init(&p);
	memset(buf_extend(&body, IPC_BODY_MAX), 'x', IPC_BODY_MAX);
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)
		must(ipc_send(&p.a, IPC_LOOK, (uint32_t)i, bytes_of(body.ptr, sizes[i]), &err), &err);
	while (got < ARRAY_SIZE(sizes)) {
		struct ipc_msg msg;
		int r;

		must(ipc_flush(&p.a, &err), &err);
		must(ipc_fill(&p.b, &err), &err);
		while ((r = ipc_next(&p.b, &msg, &err)) == 0) {
			CHECK_EQ(msg.kind, IPC_LOOK);
			CHECK_EQ(msg.id, got);
			CHECK_EQ(msg.body.len, sizes[got]);
			CHECK(!msg.body.len || !memcmp(msg.body.ptr, body.ptr, msg.body.len));
			got++;
		}
		CHECK_EQ(r, IPC_NONE);
	}
	CHECK_EQ(ipc_flush(&p.a, &err), 0);
}

TEST(a_message_or_a_queue_that_is_too_long_is_refused_by_its_sender)
{
	_cleanup_(pair_done) struct pair p;
	_cleanup_(buf_done) struct buf body = { 0 };
	struct error err = { 0 };
	int queued = 0;

	pair_init(&p);
	buf_extend(&body, IPC_BODY_MAX + 1);
	CHECK_EQ(ipc_send(&p.a, IPC_LOOK, 1, buf_bytes(&body), &err), E_LIMIT);
	while (ipc_send(&p.a, IPC_LOOK, 1, bytes_of(body.ptr, IPC_BODY_MAX / 2), &err) == 0)
		queued++;
	CHECK_EQ(err.code, E_LIMIT);
	CHECK_EQ(queued, IPC_QUEUE_MAX / (IPC_BODY_MAX / 2) - 1); /* each has a head, too */
}

static void send_raw(int fd, const void *ptr, size_t len)
{
	struct error err = { 0 };

	must(fd_write_all(fd, bytes_of(ptr, len), &err), &err);
}

TEST(a_length_out_of_bounds_is_refused_before_memory_is_taken)
{
	static const uint8_t lengths[][4] = {
		{ 0, 0, 0, 0 }, { 0, 0, 0, 4 }, { 0xff, 0xff, 0xff, 0xff }, { 0x7f, 0xff, 0xff, 0xff }, { 1, 0, 0, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		_cleanup_(pair_done) struct pair p;
		struct error err = { 0 };

		pair_init(&p);
		send_raw(p.a.fd, lengths[i], 4);
		CHECK_EQ(ipc_fill(&p.b, &err), E_PEER);
	}
}

TEST(a_second_message_that_is_out_of_bounds_is_refused_after_the_first)
{
	static const uint8_t bytes[] = { 0, 0, 0, 5, IPC_NOTICE, 0, 0, 0, 7, 0xff, 0xff, 0xff, 0xff };
	_cleanup_(pair_done) struct pair p;
	struct error err = { 0 };
	struct ipc_msg msg;

	pair_init(&p);
	send_raw(p.a.fd, bytes, sizeof(bytes));
	must(ipc_fill(&p.b, &err), &err);
	CHECK_EQ(ipc_next(&p.b, &msg, &err), 0);
	CHECK_EQ(msg.kind, IPC_NOTICE);
	CHECK_EQ(msg.id, 7);
	CHECK_EQ(ipc_next(&p.b, &msg, &err), E_PEER);
}

TEST(a_message_that_comes_byte_by_byte_is_one_message)
{
	static const uint8_t bytes[] = { 0, 0, 0, 8, IPC_LOOK, 0, 0, 1, 0, 'a', 'b', 'c' };
	_cleanup_(pair_done) struct pair p;
	struct error err = { 0 };
	struct ipc_msg msg;

	pair_init(&p);
	for (size_t i = 0; i < sizeof(bytes); i++) {
		CHECK_EQ(ipc_next(&p.b, &msg, &err), IPC_NONE);
		send_raw(p.a.fd, bytes + i, 1);
		must(ipc_fill(&p.b, &err), &err);
	}
	CHECK_EQ(ipc_next(&p.b, &msg, &err), 0);
	CHECK_EQ(msg.id, 256);
	CHECK_BYTES(msg.body, "abc");
}

TEST(the_end_of_the_other_side_is_told_and_waiting_has_a_deadline)
{
	_cleanup_(pair_done) struct pair p;
	struct error err = { 0 };
	struct ipc_msg msg;
	uint64_t begin = clock_mono_ms();

	pair_init(&p);
	CHECK_EQ(ipc_next_wait(&p.b, &msg, 100, &err), E_PEER);
	CHECK(clock_mono_ms() - begin >= 100 && clock_mono_ms() - begin < 5000);
	ipc_done(&p.a);
	CHECK_EQ(ipc_next_wait(&p.b, &msg, -1, &err), E_PEER);
	CHECK_EQ(ipc_send_wait(&p.b, IPC_LOOK, 1, (struct bytes){ 0 }, &err), E_PEER);
}

TEST(a_queue_that_never_runs_empty_does_not_grow_for_ever)
{
	_cleanup_(pair_done) struct pair p;
	_cleanup_(buf_done) struct buf body = { 0 };
	struct error err = { 0 };
	size_t most = 0;
	struct ipc_msg msg;

	pair_init(&p);
	buf_extend(&body, 100000);
	for (int i = 0; i < 2000; i++) {
		while (p.a.out.len - p.a.out_sent < 4 * body.len)
			must(ipc_send(&p.a, IPC_LOOK, 1, buf_bytes(&body), &err), &err);
		CHECK_EQ(ipc_flush(&p.a, &err), IPC_MORE); /* the socket holds less than that */
		must(ipc_fill(&p.b, &err), &err);
		while (ipc_next(&p.b, &msg, &err) == 0)
			;
		most = p.a.out.len > most ? p.a.out.len : most;
	}
	CHECK(most < 20 * body.len);
}

/* ---- what the messages hold ---- */

TEST(a_look_comes_back_as_it_was_and_nothing_shorter_is_taken)
{
	struct apply_look look = { .is_whole = true, .has_startup = true, .missing = "", .incarnation = "1:2 3:4 " }, back;
	_cleanup_(buf_done) struct buf out = { 0 };
	struct reader rd;

	memset(look.digest, 5, sizeof(look.digest));
	look.running = bytes_str("password a\n");
	look.startup = bytes_str("");
	apply_look_put(&out, &look);
	rd = reader_over(buf_bytes(&out));
	CHECK(apply_look_get(&back, &rd));
	CHECK(back.is_whole && back.has_startup && !back.is_same);
	CHECK_STR(back.incarnation, "1:2 3:4 ");
	CHECK_BYTES(back.running, "password a\n");
	for (size_t len = 0; len < out.len; len++) {
		rd = reader_over(bytes_of(out.ptr, len));
		CHECK(!apply_look_get(&back, &rd));
	}
	buf_add_char(&out, 'x');
	rd = reader_over(buf_bytes(&out));
	CHECK(!apply_look_get(&back, &rd));
}

TEST(what_was_erased_comes_back_as_it_was_and_nothing_shorter_is_taken)
{
	struct apply_erased answer = { .is_more = true }, back;
	struct device_erased *e = &answer.erased;
	_cleanup_(buf_done) struct buf out = { 0 }, odd = { 0 };
	struct reader rd;

	e->areas[0] = (struct area){ "running", "factory-reset", AREA_CLEAR, AREA_AFTER_REBOOT, AREA_DONE };
	e->areas[1] = (struct area){ "usb", "none", AREA_NONE, AREA_NOTHING, AREA_NOT_DONE };
	e->area_count = 2;
	snprintf(e->left[0], sizeof(e->left[0]), "a stick in the USB port");
	e->left_count = 1;
	e->has_transcript = true;
	memset(e->transcript, 7, sizeof(e->transcript));
	apply_erased_put(&out, &answer);
	rd = reader_over(buf_bytes(&out));
	CHECK(apply_erased_get(&back, &rd));
	CHECK(back.is_more && back.erased.area_count == 2 && back.erased.left_count == 1);
	CHECK(!memcmp(&back.erased.areas[0], &e->areas[0], sizeof(e->areas[0])) && !strcmp(back.erased.areas[1].name, "usb"));
	CHECK_STR(back.erased.left[0], e->left[0]);
	CHECK(!memcmp(back.erased.transcript, e->transcript, HASH_LEN));
	CHECK(!device_is_erased(&back.erased));
	for (size_t n = 0; n < out.len; n++) {
		rd = reader_over(bytes_of(out.ptr, n));
		CHECK(!apply_erased_get(&back, &rd));
	}
	snprintf(e->left[0], sizeof(e->left[0]), "two\nlines");
	apply_erased_put(&odd, &answer);
	rd = reader_over(buf_bytes(&odd));
	CHECK(!apply_erased_get(&back, &rd));
}

TEST(a_device_is_erased_only_when_it_has_areas_and_all_of_them_are_done)
{
	struct device_erased e = { 0 };

	CHECK(!device_is_erased(&e));
	e.areas[0].result = AREA_DONE;
	e.area_count = 2;
	e.areas[1].result = AREA_PARTIAL;
	CHECK(!device_is_erased(&e));
	e.areas[1].result = AREA_DONE;
	CHECK(device_is_erased(&e));
}

TEST(a_result_is_one_of_the_known_codes)
{
	_cleanup_(buf_done) struct buf out = { 0 };
	struct error err = { 0 };
	struct reader rd;

	apply_result_put(&out, E_DENIED, "a hold is in force");
	rd = reader_over(buf_bytes(&out));
	CHECK(apply_result_get(&rd, &err));
	CHECK_EQ(err.code, E_DENIED);
	CHECK_STR(err.text, "a hold is in force");
	buf_truncate(&out, 0);
	buf_add_u32be(&out, 7);
	buf_add_u32be(&out, 0);
	rd = reader_over(buf_bytes(&out));
	CHECK(!apply_result_get(&rd, &err));
	buf_truncate(&out, 0);
	buf_add_u32be(&out, 0xffffffff);
	buf_add_u32be(&out, 0);
	rd = reader_over(buf_bytes(&out));
	CHECK(!apply_result_get(&rd, &err));
}

TEST(absent_and_empty_have_different_digests)
{
	uint8_t absent[APPLY_DIGEST_LEN], empty[APPLY_DIGEST_LEN], one[APPLY_DIGEST_LEN];

	apply_digest(absent, bytes_str(""), false);
	apply_digest(empty, bytes_str(""), true);
	apply_digest(one, bytes_str("1"), false);
	CHECK(memcmp(absent, empty, sizeof(absent)) != 0);
	CHECK(memcmp(absent, one, sizeof(absent)) != 0);
}

TEST(requests_and_answers_come_back_and_nothing_shorter_is_taken)
{
	struct http_request req = { .address = "localhost:8443", .pin_count = 2, .path = "/v1/poll", .is_post = true, .timeout_s = 30 },
			    req_back;
	struct http_answer ans = { .is_answered = true, .status = 200, .window_s = 5, .retry_s = 6, .error = "x" }, ans_back;
	_cleanup_(buf_done) struct buf out = { 0 };

	req.body = bytes_str("body");
	http_request_put(&out, &req);
	CHECK(http_request_get(&req_back, buf_bytes(&out)));
	CHECK_STR(req_back.address, req.address);
	CHECK_EQ(req_back.pin_count, 2);
	CHECK_BYTES(req_back.body, "body");
	for (size_t len = 0; len < out.len; len++)
		CHECK(!http_request_get(&req_back, bytes_of(out.ptr, len)));
	buf_truncate(&out, 0);
	ans.body = bytes_str("answer");
	http_answer_put(&out, &ans);
	CHECK(http_answer_get(&ans_back, buf_bytes(&out)));
	CHECK_EQ(ans_back.retry_s, 6);
	CHECK_BYTES(ans_back.body, "answer");
	for (size_t len = 0; len < out.len; len++)
		CHECK(!http_answer_get(&ans_back, bytes_of(out.ptr, len)));
}

TEST(a_request_without_pin_path_address_or_end_is_refused)
{
	for (int what = 0; what < 4; what++) {
		struct http_request req = { .address = "localhost:8443", .pin_count = 1, .path = "/v1/poll", .timeout_s = 30 }, back;
		_cleanup_(buf_done) struct buf out = { 0 };

		if (what == 0)
			req.pin_count = 0;
		else if (what == 1)
			req.path[0] = 'v';
		else if (what == 2)
			req.address[0] = 0;
		else
			req.timeout_s = 0;
		http_request_put(&out, &req);
		CHECK(!http_request_get(&back, buf_bytes(&out)));
	}
}

/* ---- credentials ---- */

TEST(a_sealed_password_comes_back_and_its_file_alone_says_nothing)
{
	_cleanup_(mem_freep) char *folder = mem_printf("%s/credentials", test_folder()),
				  *path = mem_printf("%s/.agent/sw1.credential", folder), *key = mem_printf("%s/.agent/key", folder),
				  *other = mem_printf("%s/other", folder);
	_cleanup_(buf_done) struct buf file = { 0 };
	struct secret back = { 0 };
	struct error err = { 0 };
	struct stat st;

	CHECK_EQ(credential_load(&back, path, key, &err), CREDENTIAL_ABSENT);
	CHECK_OK(credential_store(path, key, bytes_str("correct horse"), &err));
	CHECK_OK(credential_load(&back, path, key, &err));
	CHECK_BYTES(secret_bytes(&back), "correct horse");
	secret_done(&back);
	CHECK_OK(fs_read(&file, path, 4096, &err));
	CHECK(!memmem(file.ptr, file.len, "correct", 7));
	CHECK_EQ(stat(path, &st), 0);
	CHECK_EQ(st.st_mode & 0777, 0600);
	CHECK_EQ(stat(key, &st), 0);
	CHECK_EQ(st.st_mode & 0777, 0600);
	CHECK_OK(credential_store(path, key, bytes_str("another"), &err)); /* with the same key */
	CHECK_OK(credential_load(&back, path, key, &err));
	CHECK_BYTES(secret_bytes(&back), "another");
	secret_done(&back);
	CHECK_EQ(credential_load(&back, path, other, &err), E_SEAL); /* without its key */
	CHECK(!strstr(err.text, "another"));
}

TEST(what_a_console_would_not_take_is_no_password)
{
	_cleanup_(mem_freep) char *path = mem_printf("%s/refused", test_folder()), *key = mem_printf("%s/refused-key", test_folder());
	_cleanup_(buf_done) struct buf longer = { 0 };
	struct error err = { 0 };

	for (int i = 0; i <= CREDENTIAL_MAX; i++)
		buf_add_char(&longer, 'x');
	CHECK_EQ(credential_store(path, key, bytes_str(""), &err), E_FORMAT);
	CHECK_EQ(credential_store(path, key, bytes_str("a\x03"), &err), E_FORMAT);
	CHECK_EQ(credential_store(path, key, bytes_str("\xc3\xa9"), &err), E_FORMAT);
	CHECK_EQ(credential_store(path, key, buf_bytes(&longer), &err), E_FORMAT);
	CHECK_EQ(access(path, F_OK), -1);
}

TEST(an_older_version_of_a_file_is_told_by_its_name_and_nothing_else_is)
{
	static const char *const copies[] = { "frr.conf~",    "frr.conf.sav",        "frr.conf.bak.2", "frr.conf.2024-05-01",
					      "frr.conf-old", "frr.conf.tmp-Xa1b2c", "frr.conf.~3~",   ".frr.conf.swp",
					      "#frr.conf#",   "frr.conf.dpkg-dist",  "frr.conf.bak~",  "frr.conf.1",
					      ".#frr.conf",   "frr.conf_backup" };
	static const char *const others[] = { "frr.conf",       "frr.confident",           "frr.conf.d", "frr.conf.factory",
					      "frr.conf.allow", "frr.conf.backups-of-all", "frr",        "",
					      "xfrr.conf.sav",  "frr.conf.save.me",        "frr.conf." };

	for (size_t i = 0; i < ARRAY_SIZE(copies); i++)
		CHECK(copies_is_one(copies[i], "frr.conf"));
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		CHECK(!copies_is_one(others[i], "frr.conf"));
	CHECK(!copies_is_one("hosts.allow", "hosts"));
}

/* ---- who changed it ---- */

static void who_is(char **argv, unsigned count, const char *wanted)
{
	const struct settings_device dev = { .changed_by = argv, .changed_by_count = count };
	char who[DEVICE_NOTE_MAX] = "before";

	apply_changed_by(who, &dev);
	CHECK_STR(who, wanted);
}

TEST(who_changed_it_is_the_first_line_of_a_program_made_printable)
{
	char *plain[] = { (char[]){ "printf" }, (char[]){ "  alice on tty1 \\nbob\\n" } },
	     *ugly[] = { (char[]){ "printf" }, (char[]){ "a\\033[31m\\tb\\303\\244" } };
	char *fails[] = { (char[]){ "sh" }, (char[]){ "-c" }, (char[]){ "echo alice; exit 1" } },
	     *none[] = { (char[]){ "/nonexistent/program" } };
	char *silent[] = { (char[]){ "true" } };

	who_is(plain, 2, "alice on tty1");
	who_is(ugly, 2, "a?[31m?b??");
	who_is(fails, 3, "");
	who_is(none, 1, "");
	who_is(silent, 1, "");
	who_is(NULL, 0, "");
}

TEST(who_changed_it_is_cut_where_a_statement_would_be_too_long)
{
	char *argv[] = { (char[]){ "printf" }, (char[]){ "%0900d" }, (char[]){ "0" } };
	const struct settings_device dev = { .changed_by = argv, .changed_by_count = 3 };
	char who[DEVICE_NOTE_MAX];

	apply_changed_by(who, &dev);
	CHECK_EQ(strlen(who), DEVICE_NOTE_MAX - 1);
}
