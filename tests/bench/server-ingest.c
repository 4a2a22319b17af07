/* tests/bench/server-ingest.c -- snapshots over kept connections: what each takes of a core, beside the least that it can. */
#include "tests/bench/server.h"

#include "base/clock.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
	SNAPSHOTS = 50, /* of each */
	FLOOR_ROUNDS = 5000,
	HEAD_BYTES = sizeof("POST /v1/objects HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1234\r\n\r\n") - 1,
};

void ingest_send_next(struct bench *b, struct agent *agent)
{
	size_t n = b->next[agent->index];

	if (n == b->posts_each)
		return;
	b->next[agent->index]++;
	agent_ask(b->agents, agent, "POST /v1/objects", "", buf_bytes(&b->posts_of[agent->index * b->posts_each + n]));
}

/* Returns the length of a snapshot. */
static size_t make_posts(struct bench *b, size_t in_row)
{
	size_t bytes = 0;

	b->posts_each = SNAPSHOTS / in_row;
	b->posts_of = mem_alloc(SENDERS * b->posts_each * sizeof(*b->posts_of));
	b->next = mem_alloc(SENDERS * sizeof(*b->next));
	for (size_t i = 0; i < SENDERS; i++) {
		struct fleet_device *device = &b->world.devices[i];

		fleet_device_wake(device);
		for (size_t n = 0; n < SNAPSHOTS; n++) {
			struct buf *post = &b->posts_of[i * b->posts_each + n / in_row];
			_cleanup_(buf_done) struct buf running = { 0 };
			size_t before = post->len;

			for (size_t k = 0; k < 60; k++)
				buf_addf(&running, "ip route 10.%zu.%zu.0/24 192.0.2.%zu\n", k, k == n ? i % 250 : 0, k);
			fleet_snapshot(post, &b->world.fleet, device, buf_text(&running), "\n");
			bytes += post->len - before;
		}
		fleet_device_rest(device);
	}
	return bytes / (SENDERS * SNAPSHOTS);
}

/* What no server can do without: the signature's check, and request and answer, as they are, through a TLS session of GnuTLS over TCP; in
 * microseconds. */
static double floor_us(struct bench *b, size_t bytes)
{
	struct fleet_device *device = &b->world.devices[0];
	_cleanup_(statement_freep) struct statement *st = NULL;
	struct error err = { 0 };
	double begun, verify, tls;

	must(statement_parse(&st, buf_bytes(&b->posts_of[0]), false, NULL, &err) == 0, err.text);
	begun = (double)own_cpu_us();
	for (size_t i = 0; i < FLOOR_ROUNDS; i++)
		must(statement_verify_by(st, &device->key.pub, &err) == 0, err.text);
	verify = ((double)own_cpu_us() - begun) / FLOOR_ROUNDS;
	tls = agents_tls_us(bytes + HEAD_BYTES, b->answer_bytes, FLOOR_ROUNDS);
	return verify + tls;
}

/* A file holds something when it does not begin with a zero (repo/journal.h). */
static bool is_anything_journaled(const struct bench *b)
{
	_cleanup_(mem_freep) char *path = mem_printf("%s/journal", b->folder);
	DIR *dir = opendir(path);
	struct dirent *entry;
	bool is_any = false;

	must(dir, "no journal");
	while ((entry = readdir(dir))) {
		int fd = entry->d_name[0] == '.' ? -1 : openat(dirfd(dir), entry->d_name, O_RDONLY | O_CLOEXEC);
		char begin = 0;

		is_any |= fd >= 0 && read(fd, &begin, 1) == 1 && begin;
		if (fd >= 0)
			close(fd);
	}
	closedir(dir);
	return is_any;
}

/* Packed and committed, so that what that costs is counted, too. */
static void run_until_archived(struct bench *b)
{
	uint64_t end = clock_mono_ms() + PATIENCE_MS;

	while (is_anything_journaled(b) && clock_mono_ms() < end)
		run_for(b, 20);
	must(!is_anything_journaled(b), "what was acknowledged is not archived");
}

void ingest(struct bench *b, size_t in_row, const char *what)
{
	size_t bytes = make_posts(b, in_row), all = (size_t)SENDERS * SNAPSHOTS, posts = SENDERS * b->posts_each;
	double cpu, least, ours, acknowledged;
	char text[100], floor_text[60], ratio[20];

	for (size_t i = 0; i < b->world.count; i++)
		agent_vanish(b->agents, agents_at(b->agents, i));
	run_for(b, 2000);
	b->is_ingesting = true;
	b->heard = 0;
	for (size_t i = 0; i < SENDERS; i++)
		agent_connect(b->agents, agents_at(b->agents, i));
	while (b->heard < SENDERS)
		agents_step(b->agents, 20);
	b->heard = b->lost = 0;
	cpu = cpu_s(b->server);
	b->begun_us = now_us();
	for (size_t i = 0; i < SENDERS; i++)
		ingest_send_next(b, agents_at(b->agents, i));
	while (b->heard + b->lost < posts && now_us() < b->begun_us + (uint64_t)PATIENCE_MS * 1000)
		agents_step(b->agents, 20);
	must(b->heard == posts && !b->lost, "not every snapshot was acknowledged");
	acknowledged = (double)all / (cpu_s(b->server) - cpu);
	run_until_archived(b);
	ours = (double)all / (cpu_s(b->server) - cpu);
	least = floor_us(b, bytes);
	snprintf(text, sizeof(text), "%.0f of %zu bytes (until acknowledged %.0f)", ours, bytes, acknowledged);
	snprintf(floor_text, sizeof(floor_text), "%.0f", 1e6 / least);
	snprintf(ratio, sizeof(ratio), "%.2f", ours * least / 1e6);
	line(what, text, floor_text, ratio);
	for (size_t i = 0; i < posts; i++)
		buf_done(&b->posts_of[i]);
	free(b->posts_of);
	free(b->next);
	b->is_ingesting = false;
}
