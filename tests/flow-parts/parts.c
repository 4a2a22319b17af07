/* tests/flow-parts/parts.c -- the agent's parts one by one, for tests that put them on a real router or before a real server.
 *
 *   parts CONFIG DEVICE facts|look DIR|save FILE|revert|cost N     the driver itself
 *   parts CONFIG DEVICE capable|erase clear|purge                 likewise; PARTS_STATE: the folder for its journals
 *   parts CONFIG DEVICE|- - canonical|split TABLE                  its pure functions (of FRR's driver), standard input to standard output
 *   parts CONFIG DEVICE apply STATE                                the apply process; requests come as lines on standard input
 *   parts - - net USER                                             the net process, likewise
 *   parts - - children                                             core's keeper of children, with one that is killed
 *
 * Started by itself as a child it is that child, as holdfast-agent is. */
#include "agent/apply.h"
#include "agent/child.h"
#include "agent/net.h"
#include "agent/probe.h"
#include "agent/snapshot.h"
#include "agent/stream.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CHILD_FD = 3, ANSWER_MS = 300000, WORDS = 8, EXIT_REFUSED = 1, EXIT_USAGE = 2 };

struct parts {
	const char *config;
	struct settings *settings;
	const struct settings_device *dev;
	const struct device_driver *driver;
	char state[512]; /* the folder for a driver's journals */
};

static const char *code_name(int code)
{
	static const char *const names[] = { "OK", "E_SYS", "E_FORMAT", "E_SEAL", "E_DENIED", "E_LIMIT", "E_PEER" };

	return code <= 0 && code >= E_PEER ? names[-code] : "?";
}

static int say(const char *what, const struct error *err)
{
	printf("%s %s %s\n", what, code_name(err->code), err->code ? err->text : "");
	return err->code ? EXIT_REFUSED : 0;
}

static void must(int r, const struct error *err)
{
	if (r < 0) {
		fprintf(stderr, "parts: %s\n", err->text);
		exit(EXIT_USAGE);
	}
}

static void put_file(const char *dir, const char *name, struct bytes in)
{
	_cleanup_(mem_freep) char *path = mem_printf("%s/%s", dir, name);
	struct error err = { 0 };

	must(fs_write(path, in, 0600, &err), &err);
}

static void put_canonical(const struct parts *p, const char *dir, const char *name, struct bytes in)
{
	_cleanup_(buf_done) struct buf text = { 0 };

	p->driver->canonical(&text, in);
	put_file(dir, name, buf_bytes(&text));
}

/* ---- the driver ---- */

static int cmd_facts(const struct parts *p)
{
	struct device_facts facts = { 0 };
	struct error err = { 0 };

	if (p->driver->facts(&facts, p->dev, &err) == 0)
		printf("model=%s firmware=%s\n", facts.model, facts.firmware);
	return say("facts", &err);
}

static int cmd_look(const struct parts *p, const char *dir)
{
	_cleanup_(device_look_done) struct device_look look = { 0 };
	struct error err = { 0 };

	if (p->driver->look(&look, p->dev, &err) < 0)
		return say("look", &err);
	put_file(dir, "running", buf_bytes(&look.running));
	put_file(dir, "startup", buf_bytes(&look.startup));
	put_canonical(p, dir, "running.canonical", buf_bytes(&look.running));
	put_canonical(p, dir, "startup.canonical", buf_bytes(&look.startup));
	printf("whole=%d startup=%d missing=%s\nincarnation=%s\n", look.is_whole, look.has_startup, look.missing, look.incarnation);
	return 0;
}

static int cmd_save(const struct parts *p, const char *file)
{
	_cleanup_(buf_done) struct buf running = { 0 };
	struct error err = { 0 };

	must(fs_read(&running, file, DEVICE_TEXT_MAX, &err), &err);
	(void)!p->driver->save(p->dev, buf_bytes(&running), &err);
	return say("save", &err);
}

static int cmd_revert(const struct parts *p)
{
	_cleanup_(device_look_done) struct device_look look = { 0 };
	struct error err = { 0 };

	if (p->driver->look(&look, p->dev, &err) == 0)
		(void)!p->driver->revert(p->dev, buf_bytes(&look.startup), &err);
	return say("revert", &err);
}

/* erase clear|purge, with a folder for its journals in PARTS_STATE: each area and what is left, a line each. */
static int cmd_erase(const struct parts *p, const char *how)
{
	enum device_erase what = strcmp(how, "purge") ? DEVICE_ERASE_CLEAR : DEVICE_ERASE_PURGE;
	struct device_erased out = { 0 };
	struct error err = { 0 };
	int r;

	do {
		out = (struct device_erased){ 0 };
		r = p->driver->erase(&out, p->dev, what, p->state, &err);
	} while (r == DEVICE_ERASE_MORE);
	for (size_t i = 0; i < out.area_count; i++) {
		_cleanup_(buf_done) struct buf text = { 0 };

		area_text(&text, &out.areas[i]);
		printf("area %s\n", buf_text(&text));
	}
	for (size_t i = 0; i < out.left_count; i++)
		printf("left %s\n", out.left[i]);
	if (out.has_transcript) {
		char hex[2 * HASH_LEN + 1];

		hex_encode(hex, out.transcript, HASH_LEN);
		printf("transcript %s\n", hex);
	}
	return say("erase", &err);
}

static int cmd_capable(const struct parts *p)
{
	unsigned has = device_capabilities(p->driver, p->dev);

	printf("factory-reset=%d purge=%d\n", (has & DEVICE_FACTORY_RESET) != 0, (has & DEVICE_PURGE) != 0);
	return 0;
}

static double cpu_ms(int who)
{
	struct rusage use;

	getrusage(who, &use);
	return (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) * 1e3 + (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e3;
}

static int cmd_cost(const struct parts *p, int rounds)
{
	uint64_t begin = clock_mono_ms();
	double cpu = cpu_ms(RUSAGE_CHILDREN) + cpu_ms(RUSAGE_SELF);
	struct error err = { 0 };

	for (int i = 0; i < rounds; i++) {
		_cleanup_(device_look_done) struct device_look look = { 0 };

		must(p->driver->look(&look, p->dev, &err), &err);
	}
	printf("look ms=%.2f cpu_ms=%.2f\n", (double)(clock_mono_ms() - begin) / rounds,
	       (cpu_ms(RUSAGE_CHILDREN) + cpu_ms(RUSAGE_SELF) - cpu) / rounds);
	if (!p->driver->glance)
		return 0;
	begin = clock_mono_ms();
	cpu = cpu_ms(RUSAGE_SELF);
	for (int i = 0; i < rounds; i++) {
		uint8_t digest[DEVICE_GLANCE_LEN];

		must(p->driver->glance(digest, p->dev, &err), &err);
	}
	printf("glance ms=%.2f cpu_ms=%.2f\n", (double)(clock_mono_ms() - begin) / rounds, (cpu_ms(RUSAGE_SELF) - cpu) / rounds);
	return 0;
}

/* ---- pure functions ---- */

static int cmd_canonical(const struct parts *p)
{
	_cleanup_(buf_done) struct buf in = { 0 }, out = { 0 };
	struct error err = { 0 };

	must(fd_read_all(&in, 0, DEVICE_TEXT_MAX, &err), &err);
	p->driver->canonical(&out, buf_bytes(&in));
	must(fd_write_all(1, buf_bytes(&out), &err), &err);
	return 0;
}

static int cmd_split(const struct parts *p, const char *table_file)
{
	static const uint8_t key[SNAPSHOT_TOKEN_KEY_LEN] = { 1 };
	_cleanup_(buf_done) struct buf in = { 0 }, out = { 0 }, text = { 0 };
	_cleanup_(secret_table_done) struct secret_table table = { 0 };
	struct error err = { 0 };

	must(fd_read_all(&in, 0, DEVICE_TEXT_MAX, &err), &err);
	secrets_split(&out, &table, p->driver, key, buf_bytes(&in));
	secret_table_text(&text, &table);
	must(fs_write(table_file, buf_bytes(&text), 0600, &err), &err);
	must(fd_write_all(1, buf_bytes(&out), &err), &err);
	return 0;
}

/* ---- the apply process ---- */

struct talk {
	const struct parts *p;
	struct ipc ipc;
	pid_t pid;
	uint32_t id;
	uint8_t digest[APPLY_DIGEST_LEN]; /* of the look before */
	bool has_digest;
	struct apply_expect seen, seen_before;
	uint8_t pin[32]; /* net */
};

static bool ask(struct talk *t, enum ipc_kind kind, struct bytes body, struct ipc_msg *msg)
{
	struct error err = { 0 };

	if (ipc_send_wait(&t->ipc, kind, ++t->id, body, &err) < 0 || ipc_next_wait(&t->ipc, msg, ANSWER_MS, &err) < 0) {
		say("gone", &err);
		return false;
	}
	while (msg->kind == IPC_NOTICE)
		if (ipc_next_wait(&t->ipc, msg, ANSWER_MS, &err) < 0)
			return false;
	return true;
}

static void take_look(struct talk *t, const struct apply_look *look)
{
	_cleanup_(buf_done) struct buf running = { 0 }, startup = { 0 };

	memcpy(t->digest, look->digest, sizeof(t->digest));
	t->has_digest = true;
	t->seen_before = t->seen;
	t->p->driver->canonical(&running, look->running);
	t->p->driver->canonical(&startup, look->startup);
	apply_digest(t->seen.running, buf_bytes(&running), true);
	apply_digest(t->seen.startup, buf_bytes(&startup), look->has_startup);
	printf("look same=0 whole=%d startup=%d equal=%d missing=%s\n", look->is_whole, look->has_startup,
	       bytes_equal(buf_bytes(&running), buf_bytes(&startup)), look->missing);
}

static void ask_look(struct talk *t, bool knows)
{
	struct error err = { 0 };
	struct apply_look look;
	struct ipc_msg msg;
	struct reader rd;

	if (!ask(t, IPC_LOOK, bytes_of(t->digest, knows && t->has_digest ? sizeof(t->digest) : 0), &msg))
		return;
	rd = reader_over(msg.body);
	if (!apply_result_get(&rd, &err) || err.code < 0) {
		say("look", &err);
	} else if (!apply_look_get(&look, &rd)) {
		puts("look of another form");
	} else if (look.is_same) {
		puts("look same=1");
	} else {
		take_look(t, &look);
	}
}

static void ask_change(struct talk *t, const char *what, enum ipc_kind kind, const struct apply_ask *given)
{
	_cleanup_(buf_done) struct buf body = { 0 };
	struct error err = { 0 };
	struct ipc_msg msg;
	struct reader rd;

	apply_ask_put(&body, given);
	if (!ask(t, kind, buf_bytes(&body), &msg))
		return;
	rd = reader_over(msg.body);
	if (!apply_result_get(&rd, &err))
		puts("answer of another form");
	else
		say(what, &err);
}

/* check|apply whole|lines FILE */
static void ask_text(struct talk *t, char *const *word)
{
	struct apply_ask ask = { .seen = t->seen, .how = strcmp(word[1], "whole") ? DEVICE_LINES : DEVICE_WHOLE };
	_cleanup_(buf_done) struct buf text = { 0 };
	struct error err = { 0 };

	must(fs_read(&text, word[2], DEVICE_TEXT_MAX, &err), &err);
	ask.text = buf_bytes(&text);
	ask_change(t, word[0], strcmp(word[0], "check") ? IPC_APPLY : IPC_CHECK, &ask);
}

/* show WORD...: how long the answer is, and its first line */
static void ask_show(struct talk *t, char *const *word)
{
	_cleanup_(buf_done) struct buf body = { 0 }, command = { 0 };
	struct error err = { 0 };
	struct ipc_msg msg;
	struct bytes said;
	struct reader rd;

	for (size_t i = 1; word[i]; i++)
		buf_addf(&command, "%s%s", i > 1 ? " " : "", word[i]);
	put_field(&body, buf_bytes(&command));
	if (!ask(t, IPC_SHOW, buf_bytes(&body), &msg))
		return;
	rd = reader_over(msg.body);
	if (!apply_result_get(&rd, &err) || err.code < 0) {
		say("show", &err);
		return;
	}
	said = get_field(&rd);
	printf("show OK bytes=%zu %.*s\n", said.len, said.len ? (int)strcspn((const char *)said.ptr, "\n") : 0, (const char *)said.ptr);
}

static void await_notice(struct talk *t, int ms)
{
	struct error err = { 0 };
	struct ipc_msg msg;

	if (ipc_next_wait(&t->ipc, &msg, ms, &err) < 0)
		say("notice", &err);
	else
		printf("notice kind=%d\n", msg.kind == IPC_NOTICE);
}

static void apply_line(struct talk *t, char *const *word)
{
	struct ipc_msg msg;

	if (!strcmp(word[0], "look"))
		ask_look(t, true);
	else if (!strcmp(word[0], "fresh"))
		ask_look(t, false);
	else if (!strcmp(word[0], "save"))
		ask_change(t, "save", IPC_SAVE, &(struct apply_ask){ .seen = t->seen });
	else if (!strcmp(word[0], "revert"))
		ask_change(t, "revert", IPC_REVERT, &(struct apply_ask){ .seen = t->seen });
	else if (!strcmp(word[0], "revert-as-ordered"))
		ask_change(t, "revert", IPC_REVERT, &(struct apply_ask){ .seen = t->seen, .is_ordered = true });
	else if (!strcmp(word[0], "save-as-seen-before"))
		ask_change(t, "save", IPC_SAVE, &(struct apply_ask){ .seen = t->seen_before });
	else if ((!strcmp(word[0], "check") || !strcmp(word[0], "apply")) && word[1] && word[2])
		ask_text(t, word);
	else if (!strcmp(word[0], "show"))
		ask_show(t, word);
	else if (!strcmp(word[0], "nonsense"))
		(void)ask(t, (enum ipc_kind)77, (struct bytes){ 0 }, &msg);
	else if (!strcmp(word[0], "notice"))
		await_notice(t, atoi(word[1]));
	else if (!strcmp(word[0], "pid"))
		printf("pid %d\n", (int)t->pid);
	else
		puts("what?");
}

/* ---- the net process ---- */

static void say_answer(const struct ipc_msg *msg)
{
	struct http_answer ans;

	if (msg->kind == IPC_PROBE_DONE)
		printf("probe %s%.*s\n", msg->body.len ? "fails: " : "holds", (int)msg->body.len,
		       msg->body.len ? (const char *)msg->body.ptr : "");
	else if (msg->kind != IPC_HTTP_DONE || !http_answer_get(&ans, msg->body))
		puts("answer of another form");
	else
		printf("answer answered=%d status=%u bytes=%zu window=%u retry=%u error=%s\n", ans.is_answered, ans.status, ans.body.len,
		       ans.window_s, ans.retry_s, ans.error);
}

static bool send_request(struct talk *t, const struct http_request *req)
{
	_cleanup_(buf_done) struct buf body = { 0 };
	struct error err = { 0 };

	http_request_put(&body, req);
	if (ipc_send_wait(&t->ipc, IPC_HTTP, ++t->id, buf_bytes(&body), &err) == 0)
		return true;
	say("gone", &err);
	return false;
}

static void await_answer(struct talk *t)
{
	struct error err = { 0 };
	struct ipc_msg msg;

	if (ipc_next_wait(&t->ipc, &msg, ANSWER_MS, &err) < 0)
		say("gone", &err);
	else
		say_answer(&msg);
}

/* probe ping|tcp TARGET MILLISECONDS */
static void probe_line(struct talk *t, char *const *word, bool waits)
{
	struct probe_ask ask = { .kind = strcmp(word[1], "ping") ? PROBE_TCP : PROBE_PING, .timeout_ms = (uint32_t)atoi(word[3]) };
	_cleanup_(buf_done) struct buf body = { 0 };
	struct error err = { 0 };

	snprintf(ask.target, sizeof(ask.target), "%s", word[2]);
	probe_ask_put(&body, &ask);
	if (ipc_send_wait(&t->ipc, IPC_PROBE, ++t->id, buf_bytes(&body), &err) < 0)
		say("gone", &err);
	else if (waits)
		await_answer(t);
}

/* ask x|fresh ADDRESS PATH SECONDS [FILE]; begin: the same, without waiting for the answer */
static void request_line(struct talk *t, char *const *word, bool waits)
{
	struct http_request req = {
		.is_fresh = !strcmp(word[1], "fresh"), .pin_count = 1, .is_post = word[5] != NULL, .timeout_s = (uint32_t)atoi(word[4])
	};
	_cleanup_(buf_done) struct buf body = { 0 };
	struct error err = { 0 };

	snprintf(req.address, sizeof(req.address), "%s", word[2]);
	snprintf(req.path, sizeof(req.path), "%s", word[3]);
	memcpy(req.pins[0], t->pin, sizeof(t->pin));
	if (req.is_post)
		must(fs_read(&body, word[5], CONTAINER_MAX, &err), &err);
	req.body = buf_bytes(&body);
	if (send_request(t, &req) && waits)
		await_answer(t);
}

static bool give_credit(struct talk *t)
{
	_cleanup_(buf_done) struct buf body = { 0 };
	struct error err = { 0 };

	buf_add_u32be(&body, 1);
	return ipc_send_wait(&t->ipc, IPC_HTTP_MORE, t->id, buf_bytes(&body), &err) == 0;
}

/* stream FROM ADDRESS PATH SECONDS: a part at a time; each byte must tell its place, as that of rude-server's does. */
static void stream_line(struct talk *t, char *const *word)
{
	struct http_request req = {
		.is_stream = true, .from = (uint64_t)atoll(word[1]), .pin_count = 1, .timeout_s = (uint32_t)atoi(word[4])
	};
	uint64_t at = req.from, parts = 0;
	struct stream_part part;
	struct error err = { 0 };
	struct ipc_msg msg;

	snprintf(req.address, sizeof(req.address), "%s", word[2]);
	snprintf(req.path, sizeof(req.path), "%s", word[3]);
	memcpy(req.pins[0], t->pin, sizeof(t->pin));
	if (!send_request(t, &req) || !give_credit(t))
		return;
	while (ipc_next_wait(&t->ipc, &msg, ANSWER_MS, &err) == 0 && msg.kind == IPC_HTTP_PART) {
		if (!stream_part_get(&part, msg.body) || part.at != at) {
			puts("a part of another form, or of another place");
			return;
		}
		for (size_t i = 0; i < part.bytes.len; i++, at++)
			if (part.bytes.ptr[i] != at % 251) {
				printf("another byte at %llu\n", (unsigned long long)at);
				return;
			}
		parts++;
		usleep(parts < 4 ? 300000 : 1000); /* long enough to see that nothing comes without credit */
		if (!give_credit(t))
			return;
	}
	printf("streamed parts=%llu to=%llu ", (unsigned long long)parts, (unsigned long long)at);
	say_answer(&msg);
}

static void net_line(struct talk *t, char *const *word)
{
	_cleanup_(buf_done) struct buf pin = { 0 };
	struct error err = { 0 };

	if (!strcmp(word[0], "pin") && word[1] && base64_decode(&pin, bytes_str(word[1])) && pin.len == sizeof(t->pin))
		memcpy(t->pin, pin.ptr, sizeof(t->pin));
	else if (!strcmp(word[0], "ask") && word[4])
		request_line(t, word, true);
	else if (!strcmp(word[0], "begin") && word[4])
		request_line(t, word, false);
	else if (!strcmp(word[0], "stream") && word[4])
		stream_line(t, word);
	else if ((!strcmp(word[0], "probe") || !strcmp(word[0], "begin-probe")) && word[3])
		probe_line(t, word, !strcmp(word[0], "probe"));
	else if (!strcmp(word[0], "await"))
		await_answer(t);
	else if (!strcmp(word[0], "cancel"))
		(void)!ipc_send_wait(&t->ipc, IPC_HTTP_CANCEL, t->id, (struct bytes){ 0 }, &err);
	else if (!strcmp(word[0], "pid"))
		printf("pid %d\n", (int)t->pid);
	else
		puts("what?");
}

static int talk(const struct parts *p, const char *const *argv, void (*line_fn)(struct talk *t, char *const *word))
{
	struct talk t = { .p = p };
	char line[1024];
	struct error err = { 0 };
	int fd = child_spawn(&t.pid, argv, &err);

	must(fd, &err);
	ipc_init(&t.ipc, fd);
	while (fgets(line, sizeof(line), stdin)) {
		char *word[WORDS + 1] = { 0 }, *save = NULL;
		size_t n = 0;

		for (char *at = strtok_r(line, " \n", &save); at && n < WORDS; at = strtok_r(NULL, " \n", &save))
			word[n++] = at;
		if (n)
			line_fn(&t, word);
	}
	ipc_done(&t.ipc);
	while (waitpid(t.pid, NULL, 0) < 0 && errno == EINTR)
		;
	return 0;
}

/* ---- children ---- */

struct watched {
	struct child child;
	struct loop *loop;
	int began, lost, answers;
};

static int watched_took(struct child *child, const struct ipc_msg *msg _unused_, struct error *err _unused_)
{
	struct watched *w = container_of(child, struct watched, child);

	w->answers++;
	if (w->began == 1)
		kill(child->pid, SIGKILL); /* it dies; another must come */
	else
		loop_stop(w->loop);
	return 0;
}

static void watched_lost(struct child *child)
{
	container_of(child, struct watched, child)->lost++;
}

/* A request that cannot be carried out is answered all the same: that is all we want to see of net here. */
static void watched_began(struct child *child)
{
	struct watched *w = container_of(child, struct watched, child);
	struct http_request req = { .address = "127.0.0.1:1", .path = "/", .pin_count = 1, .timeout_s = 5 };
	_cleanup_(buf_done) struct buf body = { 0 };

	w->began++;
	http_request_put(&body, &req);
	(void)child_send(child, IPC_HTTP, 1, buf_bytes(&body));
}

static int cmd_children(void)
{
	static const char *const argv[] = { "net", "nobody", NULL };
	struct watched w = { .child = { .name = "net", .argv = argv, .took = watched_took, .lost = watched_lost, .began = watched_began } };
	struct error err = { 0 };

	must(loop_new(&w.loop, &err), &err);
	w.child.loop = w.loop;
	must(child_start(&w.child, &err), &err);
	must(loop_run(w.loop, &err), &err);
	child_stop(&w.child, 0);
	loop_free(w.loop);
	printf("children began=%d lost=%d answers=%d left=%d\n", w.began, w.lost, w.answers, waitpid(-1, NULL, WNOHANG) > 0);
	return 0;
}

/* ---- main ---- */

static void open_parts(struct parts *p, const char *config, const char *device)
{
	const char *bin = getenv("PARTS_BIN"); /* in front of the path: for programs that pretend to be the router's */
	_cleanup_(mem_freep) char *path = bin ? mem_printf("%s:/usr/bin:/bin", bin) : NULL;
	struct error err = { 0 };

	snprintf(p->state, sizeof(p->state), "%s", getenv("PARTS_STATE") ? getenv("PARTS_STATE") : "/nonexistent");
	apply_environment();
	if (path)
		setenv("PATH", path, 1);
	p->config = config;
	must(settings_load(&p->settings, config, &err), &err);
	p->dev = settings_device(p->settings, device);
	if (!p->dev) {
		fprintf(stderr, "parts: no device '%s'\n", device);
		exit(EXIT_USAGE);
	}
	p->driver = device_driver(p->dev->driver);
}

/* "apply CONFIG DEVICE STATE PARENT", "net USER PARENT" */
static int child_main(int argc, char **argv)
{
	_cleanup_(settings_freep) struct settings *settings = NULL;
	struct parts p = { 0 };
	int r;

	if (argc == 4)
		return net_main(CHILD_FD, atoi(argv[3]), argv[2]);
	open_parts(&p, argv[2], argv[3]);
	settings = p.settings;
	r = apply_main(CHILD_FD, atoi(argv[5]), p.dev, argv[4]);
	return r;
}

static int run(const struct parts *p, const char *device, const char *what, const char *arg)
{
	const char *apply_argv[] = { "apply", p->config, device, arg, NULL }, *net_argv[] = { "net", arg, NULL };

	if (!strcmp(what, "facts"))
		return cmd_facts(p);
	if (!strcmp(what, "look") && arg)
		return cmd_look(p, arg);
	if (!strcmp(what, "save") && arg)
		return cmd_save(p, arg);
	if (!strcmp(what, "revert"))
		return cmd_revert(p);
	if (!strcmp(what, "erase") && arg)
		return cmd_erase(p, arg);
	if (!strcmp(what, "capable"))
		return cmd_capable(p);
	if (!strcmp(what, "cost") && arg)
		return cmd_cost(p, atoi(arg));
	if (!strcmp(what, "canonical"))
		return cmd_canonical(p);
	if (!strcmp(what, "split") && arg)
		return cmd_split(p, arg);
	if (!strcmp(what, "apply") && arg)
		return talk(p, apply_argv, apply_line);
	if (!strcmp(what, "net") && arg)
		return talk(p, net_argv, net_line);
	if (!strcmp(what, "children"))
		return cmd_children();
	fputs("usage: parts CONFIG DEVICE facts|look|save|revert|capable|erase|cost|canonical|split|apply|net|children [ARGUMENT]\n",
	      stderr);
	return EXIT_USAGE;
}

int main(int argc, char **argv)
{
	_cleanup_(settings_freep) struct settings *settings = NULL;
	struct parts p = { .driver = &driver_frr };
	struct error err = { 0 };

	must(crypto_start(&err), &err);
	log_setup("parts", LOG_INFO);
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!strcmp(argv[0], "holdfast-agent"))
		return child_main(argc, argv);
	if (argc < 4 || argc > 5)
		return run(&p, "", "", NULL);
	if (strcmp(argv[1], "-") != 0)
		open_parts(&p, argv[1], argv[2]);
	settings = p.settings;
	return run(&p, argv[2], argv[3], argv[4]);
}
