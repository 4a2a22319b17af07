/* tests/bench/server.c -- bench-server FOLDER SETUP PROGRAM COUNT NGINX-PORT NGINX-PID [PHASES [RTT]]: what a server costs that has many
 * devices.
 *
 * FOLDER and SETUP are what `holdfastd init` made; COUNT devices are archived there, then PROGRAM serves them, and this process plays their
 * agents. PHASES are letters (all): w waves, v vanish, s stall, k storm, r rollout, i ingest, n nginx's memory, c check-ins of both. RTT:
 * milliseconds of a round trip that is played (agents.h). NGINX serves the same certificate: what its workers need for the same is the
 * baseline. Prints lines of a table. */
#include "tests/bench/server.h"

#include "tests/bench/nginx.h"
#include "tests/load/server.h"

#include "base/clock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	WAIT_S = 3600,
	WAVES = 100,
	QUIET_MS = 100,
	IDLE_MS = 10000,
	VANISH = 2000,
	HOSTILE = 1000,
	HOSTILE_MS = 13000,
	STORM_DOWN_MS = 1000,
	BACKOFF_MS = 1000,
	POST_EVERY_MS = 100,
	CHECK_IN_MS = 5000,
	CHECK_INS_AT_ONCE = 64,
	CHECK_INS_PER_RTT_MS = 16, /* so many more, that the line is not what is waited for */
	PAIR_LEN = 64,
	PAYLOAD_BYTES = 200,
};

/* ---- the server ---- */

static void start_server(struct bench *b)
{
	b->server = fork();
	if (b->server == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (!freopen("/dev/null", "w", stderr))
			_exit(127);
		execl(b->program, b->program, "serve", b->folder, NULL);
		_exit(127);
	}
	usleep(300000);
}

static void end_server(struct bench *b, int how)
{
	kill(b->server, how);
	waitpid(b->server, NULL, 0);
}

/* ---- what the agents say ---- */

enum turn { TURN_NONE, TURN_RECEIPT, TURN_DONE };

static void take_key(struct bench *b, struct fleet_device *device, size_t index)
{
	device->key.pair.ptr = b->pairs + index * PAIR_LEN;
	device->key.pair.len = PAIR_LEN;
}

/* The order has come: says what became of it. */
static void say_receipt(struct bench *b, struct agent *agent)
{
	struct fleet_device *device = &b->world.devices[agent->index];
	bool fails = b->is_failing && agent->index == b->world.count / 5;
	_cleanup_(buf_done) struct buf receipt = { 0 };

	take_key(b, device, agent->index);
	orders_receipt(&receipt, &b->world.fleet, device, b->batch, agent->index, fails ? "failed" : "done", NULL);
	device->key.pair = (struct secret){ 0 };
	b->turns[agent->index] = TURN_RECEIPT;
	b->given++;
	b->given_us = now_us();
	agent_ask(b->agents, agent, "POST /v1/objects", "", buf_bytes(&receipt));
}

static void poll_as(struct bench *b, struct agent *agent, unsigned wait_s)
{
	struct fleet_device *device = &b->world.devices[agent->index];
	_cleanup_(buf_done) struct buf status = { 0 };

	take_key(b, device, agent->index);
	fleet_status(&status, &b->world.fleet, device, 0, wait_s);
	device->key.pair = (struct secret){ 0 };
	agent_ask(b->agents, agent, "POST /v1/poll", "", buf_bytes(&status));
}

static bool is_poster(const struct bench *b, const struct agent *agent)
{
	return b->is_storm && agent->index < POSTERS;
}

static void here(void *ctx, struct agent *agent)
{
	struct bench *b = ctx;

	if (agent == b->messenger)
		return;
	if (b->is_checking_in)
		poll_as(b, agent, 0);
	else if (b->is_ingesting || b->is_dripping)
		b->heard++;
	else
		poll_as(b, agent, is_poster(b, agent) ? 0 : WAIT_S);
}

/* As agent/uplink.c does: a random time up to the larger of the doubling back-off and the window that the server gave. */
static uint64_t backoff_ms(unsigned tries, unsigned window_s)
{
	uint32_t most = (uint32_t)BACKOFF_MS << (tries < 8 ? tries : 8);

	if (most < window_s * 1000)
		most = window_s * 1000;
	return most / 4 + randombytes_uniform(most - most / 4);
}

static void lost(void *ctx, struct agent *agent)
{
	struct bench *b = ctx;
	uint64_t now = clock_mono_ms();

	if (agent == b->messenger)
		return;
	b->lost++;
	if (b->is_parking)
		agent_connect_at(b->agents, agent, now + BACKOFF_MS / 2 + randombytes_uniform(BACKOFF_MS));
	if (!b->is_storm || b->is_over)
		return;
	agent_connect_at(b->agents, agent, now + backoff_ms(agent->tries, b->window_s));
}

static void note_latency(struct bench *b, const struct agent *agent)
{
	if (b->latencies < b->latencies_max)
		b->latency_ms[b->latencies++] = (double)(agent->answered_us - agent->asked_us) / 1000;
}

static void roll_on(struct bench *b, struct agent *agent, struct bytes body)
{
	uint8_t *turn = &b->turns[agent->index];

	if (*turn == TURN_NONE && memmem(body.ptr, body.len, "holdfast-statement/1 order\n", 27)) {
		say_receipt(b, agent);
		return;
	}
	if (*turn == TURN_RECEIPT) {
		*turn = TURN_DONE;
		b->settled++;
		if (b->is_failing && agent->index == b->world.count / 5)
			b->failed_us = now_us();
	}
	poll_as(b, agent, WAIT_S);
}

/* The snapshot before was acknowledged. */
static void answered(void *ctx, struct agent *agent, unsigned status, struct bytes head, struct bytes body)
{
	struct bench *b = ctx;
	const char *window = memmem(head.ptr, head.len, "Holdfast-Window: ", 17);

	if (window)
		b->window_s = (unsigned)strtoul(window + 17, NULL, 10);
	if (agent == b->messenger)
		return;
	b->last_us = now_us();
	if (status != 200) {
		b->lost++;
		return;
	}
	b->heard++;
	if (b->is_checking_in) {
		agent_vanish(b->agents, agent);
		agent_connect(b->agents, agent);
	} else if (is_poster(b, agent)) {
		note_latency(b, agent);
		b->post_ms[agent->index] = clock_mono_ms() + POST_EVERY_MS;
	} else if (b->is_ingesting) {
		b->answer_bytes = head.len + body.len;
		ingest_send_next(b, agent);
	} else if (b->batch) {
		roll_on(b, agent, body);
	} else if (!b->is_wave) {
		poll_as(b, agent, WAIT_S);
	}
}

/* ---- phases ---- */

void run_for(struct bench *b, uint64_t ms)
{
	uint64_t end = clock_mono_ms() + ms;

	while (clock_mono_ms() < end)
		agents_step(b->agents, 20);
}

/* Until this many wait; false when they do not within the patience. */
static bool run_until_waiting(struct bench *b, size_t count)
{
	uint64_t end = clock_mono_ms() + PATIENCE_MS;

	while (agents_in(b->agents, AGENT_WAITING) < count && clock_mono_ms() < end)
		agents_step(b->agents, 20);
	if (agents_in(b->agents, AGENT_WAITING) < count)
		fprintf(stderr,
			"bench-server: away %zu, connecting %zu, in a handshake %zu, idle %zu, sending %zu, waiting %zu; lost %zu, answers "
			"%zu\n",
			agents_in(b->agents, AGENT_AWAY), agents_in(b->agents, AGENT_CONNECTING), agents_in(b->agents, AGENT_HANDSHAKING),
			agents_in(b->agents, AGENT_IDLE), agents_in(b->agents, AGENT_SENDING), agents_in(b->agents, AGENT_WAITING), b->lost,
			b->heard);
	return agents_in(b->agents, AGENT_WAITING) >= count;
}

void must(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "bench-server: %s\n", what);
	exit(1);
}

static void park_all(struct bench *b)
{
	double before = pss_kib(b->server), cpu = cpu_s(b->server), seconds = now_s();
	char text[100];

	for (size_t i = 0; i < b->world.count; i++)
		agent_connect_at(b->agents, agents_at(b->agents, i), 0);
	b->is_parking = true; /* one that is cut, since this process was too slow to go on with its handshake, tries again */
	must(run_until_waiting(b, b->world.count), "not all agents came to wait");
	b->is_parking = false;
	seconds = now_s() - seconds;
	run_for(b, 1000);
	snprintf(text, sizeof(text), "%.1f s, %.2f ms of CPU each, %zu cut on the way", seconds,
		 (cpu_s(b->server) - cpu) * 1000 / (double)b->world.count, b->lost);
	line("all devices come to wait", text, "", "");
	snprintf(text, sizeof(text), "%.1f", (pss_kib(b->server) - before) / (double)b->world.count);
	line("KiB for a waiting device", text, "nginx, idle TLS connection: see below", "");
	cpu = cpu_s(b->server);
	run_for(b, IDLE_MS);
	snprintf(text, sizeof(text), "%.2f %%", (cpu_s(b->server) - cpu) * 100000 / IDLE_MS);
	line("of a core while all wait", text, "", "");
}

/* The server closes a connection that asks nothing. */
static void call_messenger(struct bench *b)
{
	while (b->messenger->state != AGENT_IDLE) {
		if (b->messenger->state == AGENT_AWAY)
			agent_connect(b->agents, b->messenger);
		agents_step(b->agents, 20);
	}
}

static void one_wave(struct bench *b, double *ms)
{
	call_messenger(b);
	fleet_next_root(&b->world.fleet);
	b->heard = 0;
	b->is_wave = true; /* ten thousand machines sign their next polls by themselves; here they would take the server's time */
	b->begun_us = now_us();
	agent_ask(b->agents, b->messenger, "POST /v1/objects", "", buf_bytes(&b->world.fleet.root));
	while (b->heard < b->world.count && now_us() < b->begun_us + 10000000)
		agents_step(b->agents, 20);
	*ms = (double)(b->last_us - b->begun_us) / 1000;
	b->lost += b->world.count - b->heard;
	b->is_wave = false;
	for (size_t i = 0; i < b->world.count; i++)
		if (agents_at(b->agents, i)->state == AGENT_IDLE)
			poll_as(b, agents_at(b->agents, i), WAIT_S);
}

/* What all have sent is judged, too: they wait indeed. */
static void run_until_quiet(struct bench *b)
{
	double before;

	do {
		before = cpu_s(b->server);
		run_for(b, QUIET_MS);
	} while (cpu_s(b->server) - before > QUIET_MS * 0.0002);
}

/* Every other wave begins while devices still come back from the one before: none may be lost then, either. */
static void wave_all(struct bench *b)
{
	double ms[WAVES / 2], hurried_ms[WAVES / 2], cpu = cpu_s(b->server);
	char text[160];

	b->lost = 0;
	for (size_t i = 0; i < WAVES / 2; i++) {
		run_until_quiet(b);
		one_wave(b, &ms[i]);
		must(run_until_waiting(b, b->world.count), "not all agents wait again");
		one_wave(b, &hurried_ms[i]);
		must(run_until_waiting(b, b->world.count), "not all agents wait again");
	}
	run_until_quiet(b);
	cpu = cpu_s(b->server) - cpu;
	qsort(ms, WAVES / 2, sizeof(*ms), by_size);
	qsort(hurried_ms, WAVES / 2, sizeof(*ms), by_size);
	snprintf(text, sizeof(text), "median %.0f ms, worst of %d %.0f ms; behind one another %.0f ms; %zu lost of %d, %.0f us of CPU each",
		 ms[WAVES / 4], WAVES / 2, ms[WAVES / 2 - 1], hurried_ms[WAVES / 4], b->lost, WAVES,
		 cpu * 1e6 / (double)(WAVES * b->world.count));
	line("one root wakes all", text, "", "");
}

static void vanish_some(struct bench *b)
{
	size_t before = fds_of(b->server);
	size_t count = b->world.count / 2 < VANISH ? b->world.count / 2 : VANISH;
	uint64_t begun = clock_mono_ms();
	char text[100];

	for (size_t i = 0; i < count; i++)
		agent_vanish(b->agents, agents_at(b->agents, i));
	while (fds_of(b->server) > before - count && clock_mono_ms() < begun + 20000)
		agents_step(b->agents, 20);
	snprintf(text, sizeof(text), "%.1f s, %zu still there", (double)(clock_mono_ms() - begun) / 1000,
		 fds_of(b->server) > before - count ? fds_of(b->server) - (before - count) : 0);
	line("devices that vanished while they waited are gone after", text, "", "");
	for (size_t i = 0; i < count; i++)
		agent_connect(b->agents, agents_at(b->agents, i));
	must(run_until_waiting(b, b->world.count), "not all agents came back");
}

static int raw_connect(const struct bench *b, size_t i)
{
	struct sockaddr_in from = { .sin_family = AF_INET }, to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)b->port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 0x10000 + (uint32_t)(i / 100));
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	must(fd >= 0 && bind(fd, (struct sockaddr *)&from, sizeof(from)) == 0 && connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0,
	     "connect");
	return fd;
}

static bool is_closed(int fd)
{
	char c;
	ssize_t n = recv(fd, &c, 1, MSG_DONTWAIT | MSG_PEEK);

	return n == 0 || (n < 0 && errno != EAGAIN);
}

/* Handshakes that stop after their first bytes, and devices that send a byte of a header each second, while the others wait. */
static void stall(struct bench *b)
{
	static const uint8_t hello[] = { 0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3 };
	static const char header[] = "POST /v1/poll HTTP/1.1\r\nHost: localhost\r\n";
	size_t slow = b->world.count < HOSTILE ? b->world.count : HOSTILE, open = HOSTILE;
	int fd[HOSTILE];
	double cpu, handshakes;
	uint64_t begun, gone_ms = 0;
	char text[160];

	for (size_t i = 0; i < slow; i++)
		agent_vanish(b->agents, agents_at(b->agents, i));
	run_for(b, 2000);
	b->is_dripping = true;
	b->lost = b->heard = 0;
	handshakes = cpu_s(b->server);
	for (size_t i = 0; i < slow; i++)
		agent_connect(b->agents, agents_at(b->agents, i));
	while (b->heard < slow)
		agents_step(b->agents, 20);
	begun = clock_mono_ms();
	cpu = cpu_s(b->server);
	handshakes = cpu - handshakes;
	for (size_t i = 0; i < HOSTILE; i++) {
		fd[i] = raw_connect(b, i);
		must(send(fd[i], hello, sizeof(hello), MSG_NOSIGNAL) > 0, "send");
	}
	for (size_t n = 0; (open || b->lost < slow) && clock_mono_ms() < begun + HOSTILE_MS; n++) {
		for (size_t i = 0; i < slow; i++)
			agent_drip(b->agents, agents_at(b->agents, i), header[n]);
		run_for(b, 1000);
		open = 0;
		for (size_t i = 0; i < HOSTILE; i++)
			open += !is_closed(fd[i]);
		if (!open && b->lost >= slow)
			gone_ms = clock_mono_ms() - begun;
	}
	snprintf(text, sizeof(text),
		 "%.1f %% of a core (and %.2f s for the handshakes of the slow ones), all cut after %.1f s, %zu still open",
		 (cpu_s(b->server) - cpu) * 100000 / (double)(clock_mono_ms() - begun), handshakes, (double)gone_ms / 1000,
		 open + slow - b->lost);
	line("1,000 stalled handshakes and 1,000 slow headers", text, "", "");
	for (size_t i = 0; i < HOSTILE; i++)
		close(fd[i]);
	b->is_dripping = false;
	for (size_t i = 0; i < slow; i++)
		if (agents_at(b->agents, i)->state == AGENT_AWAY)
			agent_connect(b->agents, agents_at(b->agents, i));
	must(run_until_waiting(b, b->world.count), "not all agents came back");
}

/* Those that are back already, at a pace of their own: a load that takes whatever is left of the machine would measure itself. */
static void post_on(struct bench *b)
{
	uint64_t now = clock_mono_ms();

	for (size_t i = 0; i < POSTERS; i++) {
		struct agent *agent = agents_at(b->agents, i);

		if (agent->state == AGENT_IDLE && b->post_ms[i] && b->post_ms[i] <= now)
			poll_as(b, agent, 0);
	}
}

static void storm(struct bench *b)
{
	size_t all = b->world.count - POSTERS;
	double cpu, seconds, p99;
	char text[160];

	b->latency_ms = mem_alloc((b->latencies_max = 1 << 20) * sizeof(double));
	b->latencies = 0;
	b->is_storm = true;
	end_server(b, SIGKILL);
	b->begun_us = now_us();
	run_for(b, STORM_DOWN_MS);
	start_server(b);
	while (agents_in(b->agents, AGENT_WAITING) < all && now_us() < b->begun_us + (uint64_t)PATIENCE_MS * 1000) {
		agents_step(b->agents, 20);
		post_on(b);
	}
	seconds = (double)(now_us() - b->begun_us) / 1e6;
	cpu = cpu_s(b->server);
	must(b->latencies > 0, "nobody could post during the storm");
	qsort(b->latency_ms, b->latencies, sizeof(double), by_size);
	p99 = b->latency_ms[b->latencies * 99 / 100];
	snprintf(text, sizeof(text),
		 "all back after %.1f s (window %u s), %.1f core-seconds, %zu not back, the others' polls p99 %.0f ms (%zu of them)",
		 seconds, b->window_s, cpu, agents_in(b->agents, AGENT_WAITING) < all ? all - agents_in(b->agents, AGENT_WAITING) : 0, p99,
		 b->latencies);
	line("storm after kill -9", text, "", "");
	b->is_storm = false;
	for (size_t i = 0; i < POSTERS; i++) /* those in between two polls go back to waiting, like all others */
		if (agents_at(b->agents, i)->state == AGENT_IDLE)
			poll_as(b, agents_at(b->agents, i), WAIT_S);
	free(b->latency_ms);
}

static void post_as_operator(struct bench *b, const char *path, struct bytes body)
{
	do { /* its connection may have idled for so long that the server ends it at this moment */
		call_messenger(b);
		agent_ask(b->agents, b->messenger, path, "", body);
		while (b->messenger->state == AGENT_SENDING || b->messenger->state == AGENT_WAITING)
			agents_step(b->agents, 20);
	} while (b->messenger->state == AGENT_AWAY);
}

static void post_batch(struct bench *b)
{
	_cleanup_(buf_done) struct buf list = { 0 };

	post_as_operator(b, "POST /v1/objects", buf_bytes(&b->batch->whole));
	for (size_t i = 0; i < b->batch->count; i++) {
		if (list.len + b->batch->orders[i].len > CONTAINER_MAX) {
			post_as_operator(b, "POST /v1/orders", buf_bytes(&list));
			buf_truncate(&list, 0);
		}
		buf_add_bytes(&list, buf_bytes(&b->batch->orders[i]));
	}
	b->begun_us = now_us(); /* with the last order the batch is whole, and runs */
	post_as_operator(b, "POST /v1/orders", buf_bytes(&list));
}

static void make_batch(struct bench *b, struct orders_batch *out, uint64_t number, uint32_t waves)
{
	struct fleet_device **devices = mem_alloc(b->world.count * sizeof(*devices));
	struct orders_plan plan = { .number = number, .payload_len = PAYLOAD_BYTES };
	uint32_t ends[16];

	for (size_t i = 0; i < b->world.count; i++)
		devices[i] = &b->world.devices[i];
	for (uint32_t i = 0; i < waves; i++)
		ends[i] = (uint32_t)(b->world.count * (i + 1) / waves);
	plan.waves = ends;
	plan.wave_count = waves > 1 ? waves : 0;
	orders_batch_make(out, &b->world.fleet, devices, b->world.count, &plan);
	free(devices);
}

static void begin_rollout(struct bench *b, struct orders_batch *batch, uint64_t number, uint32_t waves)
{
	make_batch(b, batch, number, waves);
	memset(b->turns, TURN_NONE, b->world.count);
	b->batch = batch;
	b->settled = b->given = 0;
	post_batch(b);
}

/* One order to all; then one in ten waves, in which the third wave has a failure that the batch does not allow. */
static void roll_out(struct bench *b)
{
	struct orders_batch batch;
	char text[160];
	double cpu = cpu_s(b->server);

	b->turns = mem_alloc(b->world.count);
	begin_rollout(b, &batch, 1, 1);
	while (b->settled < b->world.count && now_us() < b->begun_us + (uint64_t)PATIENCE_MS * 1000)
		agents_step(b->agents, 20);
	snprintf(text, sizeof(text), "%.1f s, %zu missing, %.0f us of CPU each", (double)(now_us() - b->begun_us) / 1e6,
		 b->world.count - b->settled, (cpu_s(b->server) - cpu) * 1e6 / (double)b->world.count);
	line("one signature, orders to all, all receipts in after", text, "", "");
	orders_batch_done(&batch);
	b->batch = NULL;
	must(run_until_waiting(b, b->world.count), "not all agents wait again");
	b->is_failing = true;
	begin_rollout(b, &batch, 2, 10);
	while (!b->failed_us && now_us() < b->begun_us + (uint64_t)PATIENCE_MS * 1000)
		agents_step(b->agents, 20);
	run_for(b, 5000);
	snprintf(text, sizeof(text), "%.2f s, %zu of %zu orders given out",
		 b->given_us > b->failed_us ? (double)(b->given_us - b->failed_us) / 1e6 : 0, b->given, b->world.count);
	line("after a failure too many in the third of ten waves, no order is given any more after", text, "", "");
	orders_batch_done(&batch);
	b->batch = NULL;
}

static size_t check_ins_at_once(const struct bench *b)
{
	size_t n = CHECK_INS_AT_ONCE + (size_t)b->rtt_ms * CHECK_INS_PER_RTT_MS;

	return n < b->world.count ? n : b->world.count;
}

/* New connection, one poll that does not wait, gone; as many as fit. Returns them per second of the server's CPU. */
static double check_in(struct bench *b)
{
	double cpu = cpu_s(b->server);

	for (size_t i = 0; i < b->world.count; i++)
		agent_vanish(b->agents, agents_at(b->agents, i));
	run_for(b, 3000);
	b->is_checking_in = true;
	cpu = cpu_s(b->server);
	b->heard = 0;
	for (size_t i = 0; i < check_ins_at_once(b); i++)
		agent_connect(b->agents, agents_at(b->agents, i));
	run_for(b, CHECK_IN_MS);
	return (double)b->heard / (cpu_s(b->server) - cpu);
}

/* ---- */

static void populate(struct bench *b, const char *setup, size_t count)
{
	_cleanup_(mem_freep) char *key_path = mem_printf("%s/archive.key", b->folder);
	struct server server;
	struct sign_key key;
	struct error err = { 0 };
	uint8_t secret[32];
	char name[32];

	must(crypto_start(&err) == 0 && server_from_setup(&server, setup, &err) == 0 && sign_key_load(&key, key_path, &err) == 0 &&
		     repo_open(&b->world.repo, b->folder, &key, 0, &err) == 0,
	     err.text);
	b->world.count = count;
	b->world.devices = mem_alloc(count * sizeof(*b->world.devices));
	b->pairs = mem_alloc(count * PAIR_LEN);
	b->port = (unsigned)strtoul(strrchr(server.address, ':') + 1, NULL, 10);
	fleet_init_for(&b->world.fleet, &(struct fleet_server){ server.archive, server.pin, server.address });
	world_submit(&b->world, buf_bytes(&b->world.fleet.root));
	for (size_t i = 0; i < count; i++) {
		randombytes_buf(secret, sizeof(secret));
		snprintf(name, sizeof(name), "r%zu", i);
		fleet_device_init(&b->world.devices[i], name);
		world_join(&b->world, &b->world.devices[i], secret);
		memcpy(b->pairs + i * PAIR_LEN, b->world.devices[i].key.pair.ptr, PAIR_LEN);
		fleet_device_rest(&b->world.devices[i]);
	}
	world_wait();
	must(repo_flush(b->world.repo, &err) == 0, err.text);
	repo_close(b->world.repo);
	sign_key_done(&key);
	server_done(&server);
}

int main(int argc, char **argv)
{
	struct bench b = { 0 };
	struct agents_calls calls = { .here = here, .lost = lost, .answered = answered, .ctx = &b };
	const char *phases;
	double per_s = 0;

	must(argc >= 7 && argc <= 9, "FOLDER SETUP PROGRAM COUNT NGINX-PORT NGINX-PID [PHASES [RTT]]");
	phases = argc >= 8 ? argv[7] : "wvskrinc";
	b.rtt_ms = argc == 9 ? (unsigned)strtoul(argv[8], NULL, 10) : 0;
	must(!strchr(phases, 'i') || strtoul(argv[4], NULL, 10) >= SENDERS, "too few devices for snapshots over kept connections");
	signal(SIGPIPE, SIG_IGN);
	b.folder = argv[1];
	b.program = argv[3];
	b.nginx_port = (unsigned)strtoul(argv[5], NULL, 10);
	b.nginx = (pid_t)strtol(argv[6], NULL, 10);
	populate(&b, argv[2], strtoul(argv[4], NULL, 10));
	b.agents = agents_new(b.world.count + 1, b.port, &calls);
	agents_set_rtt(b.agents, b.rtt_ms);
	b.messenger = agents_at(b.agents, b.world.count);
	start_server(&b);
	park_all(&b);
	if (strchr(phases, 'w'))
		wave_all(&b);
	if (strchr(phases, 'v'))
		vanish_some(&b);
	if (strchr(phases, 's'))
		stall(&b);
	if (strchr(phases, 'k'))
		storm(&b);
	if (strchr(phases, 'r'))
		roll_out(&b);
	if (strchr(phases, 'i')) {
		ingest(&b, 1, "snapshots verified, archived, acknowledged per core-second; the signature and the TLS records alone");
		ingest(&b, IN_ROW, "the same of what piled up at devices, 25 in a row");
	}
	if (strchr(phases, 'c'))
		per_s = check_in(&b);
	b.is_over = true;
	agents_free(b.agents);
	end_server(&b, SIGTERM);
	if (strpbrk(phases, "nc"))
		nginx_compare(
			&(struct nginx){ b.nginx, b.nginx_port, b.world.count, check_ins_at_once(&b), b.rtt_ms, CHECK_IN_MS, PATIENCE_MS },
			per_s);
	return 0;
}
