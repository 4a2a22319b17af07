/* tests/load/run.c -- many devices post at once, through every failure of the server, and write down what was acknowledged. */
#include "tests/load/books.h"

#include "base/clock.h"
#include "base/fs.h"

#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SNAPSHOTS_PER_EPOCH = 40, RETRY_MIN_MS = 10, RETRY_SPREAD_MS = 50, FINISH_MS = 120 * 1000, TICK_MS = 10 };

/* What a device does, in order; then snapshots, and now and then another epoch. */
enum step { STEP_INVITE, STEP_ENROL, STEP_ADMIT, STEP_EPOCH, STEP_SNAPSHOT };

struct node {
	struct fleet_device device;
	uint8_t secret[32];
	enum step step;
	unsigned snapshots; /* of this epoch */
	struct buf body;    /* what is not acknowledged yet: posted again until it is */
	struct record record;
	uint64_t due_ms;
	bool is_flying;
};

struct slot {
	struct node *node; /* NULL: free */
	CURL *call;
	struct buf answer;
};

struct run {
	const struct load_options *options;
	struct server server;
	struct fleet fleet;
	struct node *nodes;
	struct slot *slots;
	CURLM *multi;
	struct curl_slist *headers;
	int books;
	size_t cursor, flying, made, acked, seen, failed, busy;
	uint64_t begun_ms, started; /* started: posts begun, for the rate */
	bool is_ending;
	uint64_t ending_ms;
};

static volatile sig_atomic_t asked_to_end;

static void on_signal(int sig _unused_)
{
	asked_to_end = 1;
}

/* ---- what is posted ---- */

static int read_config(struct buf *out, const struct run *run, const struct node *node, struct error *err)
{
	const char *path = run->options->configs[node->snapshots];
	int r = fs_read(out, path, CONFIG_MAX, err);

	return r == FS_ABSENT ? error_set(err, E_SYS, "no file '%s'", path) : r;
}

static void make_config(struct buf *out, const struct run *run, const struct node *node)
{
	size_t bytes = run->options->bytes;
	unsigned long long n = node->device.number;

	buf_addf(out, "hostname %s\nip route 10.%llu.%llu.0/24 192.0.2.1\n", node->device.name, n / 250 % 250, n % 250);
	for (size_t i = 0; out->len < bytes; i++)
		buf_addf(out, "interface eth%zu\n description link %zu of %s\n ip address 10.9.%zu.1/30\n!\n", i, i * 7 % 97,
			 node->device.name, i % 250);
	if (node->snapshots + 1 < run->options->moment_count)
		buf_add_str(out, "log syslog informational\n");
	buf_add_str(out, "password {{secret 0011223344556677}}\n");
}

static int make_body(struct run *run, struct node *node, struct error *err)
{
	_cleanup_(buf_done) struct buf config = { 0 };

	switch (node->step) {
	case STEP_INVITE:
		fleet_invite(&node->body, &run->fleet, node->device.name, node->secret);
		return 0;
	case STEP_ENROL:
		fleet_enrol(&node->body, &run->fleet, &node->device, node->secret);
		return 0;
	case STEP_ADMIT:
		fleet_admit(&node->body, &run->fleet, &node->device);
		return 0;
	case STEP_EPOCH:
		node->device.clock_s = run->options->moment_count ? run->options->moments[0] - 1 : 0;
		fleet_epoch(&node->body, &run->fleet, &node->device);
		return 0;
	case STEP_SNAPSHOT:
		if (run->options->moment_count)
			node->device.clock_s = run->options->moments[node->snapshots];
		if (run->options->config_count > node->snapshots) {
			if (read_config(&config, run, node, err) < 0)
				return err->code;
		} else {
			make_config(&config, run, node);
		}
		fleet_snapshot(&node->body, &run->fleet, &node->device, buf_text(&config), "0011223344556677 aHVudGVyMg==\n");
		return 0;
	}
	return 0;
}

static enum step step_after(struct node *node)
{
	if (node->step == STEP_EPOCH)
		node->snapshots = 0;
	if (node->step != STEP_SNAPSHOT)
		return node->step + 1;
	return ++node->snapshots < SNAPSHOTS_PER_EPOCH ? STEP_SNAPSHOT : STEP_EPOCH;
}

/* ---- posting ---- */

/* The answers to a post that may be: 0 acknowledged, 1 later; else the server broke its word, or we ours. */
static int judge(struct run *run, struct slot *slot, CURLcode code, long status, uint64_t *wait_ms, struct error *err)
{
	curl_off_t seconds = 0;

	*wait_ms = RETRY_MIN_MS + randombytes_uniform(RETRY_SPREAD_MS);
	if (code == CURLE_SSL_PINNEDPUBKEYNOTMATCH)
		return error_set(err, E_PEER, "the server's key is not the pinned one");
	if (code != CURLE_OK) {
		run->failed++;
		return 1;
	}
	if (status == 503) {
		run->busy++;
		if (curl_easy_getinfo(slot->call, CURLINFO_RETRY_AFTER, &seconds) != CURLE_OK || !seconds)
			return error_set(err, E_PEER, "a 503 without Retry-After");
		*wait_ms = (uint64_t)seconds * 1000;
		return 1;
	}
	if (status == 200)
		return 0;
	return error_set(err, E_PEER, "%s %llu of '%s' was answered with %ld: %.300s", statement_type_name(slot->node->record.type),
			 (unsigned long long)slot->node->record.number, slot->node->record.subject, status, buf_text(&slot->answer));
}

static int acknowledge(struct run *run, struct slot *slot, struct error *err)
{
	struct node *node = slot->node;
	const char *text = buf_text(&slot->answer);

	if (slot->answer.len && !strstr(text, node->record.hash)) /* to a device no more is said than that it is stored */
		return error_set(err, E_PEER, "an acknowledgement of something else: %.300s", text);
	if (books_add(run->books, &node->record, err) < 0)
		return err->code;
	run->acked++;
	run->seen += strstr(text, "\"seen\"") != NULL;
	buf_done(&node->body);
	node->step = step_after(node);
	return 0;
}

static int finish(struct run *run, struct slot *slot, CURLcode code, struct error *err)
{
	uint64_t wait_ms = 0;
	long status = 0;
	int r;

	curl_easy_getinfo(slot->call, CURLINFO_RESPONSE_CODE, &status);
	r = judge(run, slot, code, status, &wait_ms, err);
	if (r == 0)
		r = acknowledge(run, slot, err);
	else if (r > 0)
		slot->node->due_ms = clock_mono_ms() + wait_ms;
	curl_multi_remove_handle(run->multi, slot->call);
	buf_truncate(&slot->answer, 0);
	slot->node->is_flying = false;
	slot->node = NULL;
	run->flying--;
	return r < 0 ? r : 0;
}

static int begin(struct run *run, struct slot *slot, struct node *node, struct error *err)
{
	if (!node->body.len) {
		fleet_device_wake(&node->device);
		if (make_body(run, node, err) < 0)
			return err->code;
		fleet_device_rest(&node->device);
		run->made++;
		if (record_of(&node->record, buf_bytes(&node->body), err) < 0)
			return err->code;
	}
	call_body(slot->call, &node->body);
	slot->node = node;
	node->is_flying = true;
	run->flying++;
	run->started++;
	return curl_multi_add_handle(run->multi, slot->call) == CURLM_OK ? 0 : error_set(err, E_SYS, "libcurl takes no more calls");
}

static bool may_make(const struct run *run, const struct node *node)
{
	if (run->options->moment_count && node->step == STEP_SNAPSHOT && node->snapshots == run->options->moment_count)
		return false;
	return !run->is_ending && (!run->options->posts || run->made < run->options->posts);
}

/* The next device that has something to post; NULL: none now. */
static struct node *next_node(struct run *run, uint64_t now)
{
	for (size_t i = 0; i < run->options->devices; i++) {
		struct node *node = &run->nodes[run->cursor];

		run->cursor = (run->cursor + 1) % run->options->devices;
		if (!node->is_flying && node->due_ms <= now && (node->body.len || may_make(run, node)))
			return node;
	}
	return NULL;
}

static bool is_within_rate(const struct run *run, uint64_t now)
{
	return !run->options->rate || run->is_ending || run->started * 1000 / run->options->rate <= now - run->begun_ms;
}

static int begin_all(struct run *run, struct error *err)
{
	uint64_t now = clock_mono_ms();

	for (size_t i = 0; i < run->options->in_flight && is_within_rate(run, now); i++) {
		struct node *node;

		if (run->slots[i].node)
			continue;
		node = next_node(run, now);
		if (!node)
			return 0;
		if (begin(run, &run->slots[i], node, err) < 0)
			return err->code;
	}
	return 0;
}

static int finish_all(struct run *run, struct error *err)
{
	CURLMsg *msg;
	int left, running;

	curl_multi_perform(run->multi, &running);
	while ((msg = curl_multi_info_read(run->multi, &left))) {
		struct slot *slot = NULL;

		if (msg->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, (char **)&slot);
		if (finish(run, slot, msg->data.result, err) < 0)
			return err->code;
	}
	return 0;
}

static size_t unacknowledged(const struct run *run)
{
	return run->made - run->acked;
}

/* 1: all is done. */
static int step(struct run *run, struct error *err)
{
	if (!run->is_ending && (asked_to_end || (run->options->posts && run->acked >= run->options->posts))) {
		run->is_ending = true;
		run->ending_ms = clock_mono_ms();
	}
	if (run->is_ending && !unacknowledged(run))
		return 1;
	if (run->is_ending && clock_mono_ms() - run->ending_ms > FINISH_MS)
		return error_set(err, E_PEER, "%zu statements are not acknowledged %d s after the end", unacknowledged(run),
				 FINISH_MS / 1000);
	if (begin_all(run, err) < 0 || finish_all(run, err) < 0)
		return err->code;
	curl_multi_poll(run->multi, NULL, 0, TICK_MS, NULL);
	return 0;
}

/* ---- begin and end ---- */

static int claim(struct run *run, struct error *err)
{
	_cleanup_(buf_done) struct buf answer = { 0 };
	struct curl_slist *headers = curl_slist_append(NULL, buf_text(&run->server.claim));
	struct record record;
	int r = server_do(&run->server, "/v1/claim", &run->fleet.root, headers, &answer, err);

	curl_slist_free_all(headers);
	if (r < 0)
		return r;
	if (r != 200)
		return error_set(err, E_PEER, "the claim was answered with %d: %.300s", r, buf_text(&answer));
	if (record_of(&record, buf_bytes(&run->fleet.root), err) < 0 || books_add(run->books, &record, err) < 0)
		return err->code;
	puts("claimed");
	fflush(stdout);
	return 0;
}

static void make_nodes(struct run *run)
{
	run->nodes = mem_alloc(run->options->devices * sizeof(*run->nodes));
	for (size_t i = 0; i < run->options->devices; i++) {
		char name[32];

		snprintf(name, sizeof(name), "r%zu", i);
		fleet_device_init(&run->nodes[i].device, name);
		fleet_device_rest(&run->nodes[i].device);
		randombytes_buf(run->nodes[i].secret, sizeof(run->nodes[i].secret));
		run->nodes[i].due_ms = run->begun_ms + i * run->options->join_ms;
	}
}

static void make_slots(struct run *run)
{
	run->multi = curl_multi_init();
	curl_multi_setopt(run->multi, CURLMOPT_MAXCONNECTS, (long)run->options->in_flight);
	/* no "Expect: 100-continue": it would cost every post a turn more */
	run->headers = curl_slist_append(curl_slist_append(NULL, "Content-Type: application/vnd.holdfast"), "Expect:");
	run->slots = mem_alloc(run->options->in_flight * sizeof(*run->slots));
	for (size_t i = 0; i < run->options->in_flight; i++) {
		struct slot *slot = &run->slots[i];

		slot->call = server_call(&run->server, "/v1/objects", &slot->answer);
		curl_easy_setopt(slot->call, CURLOPT_HTTPHEADER, run->headers);
		curl_easy_setopt(slot->call, CURLOPT_PRIVATE, (char *)slot);
	}
}

static int run_init(struct run *run, const struct load_options *options, struct error *err)
{
	_cleanup_(mem_freep) char *setup = mem_printf("%s/setup", options->folder);
	struct fleet_server at;

	*run = (struct run){ .options = options, .books = -1, .begun_ms = clock_mono_ms() };
	if (server_from_setup(&run->server, setup, err) < 0)
		return err->code;
	at = (struct fleet_server){ .archive = run->server.archive, .pin = run->server.pin, .address = run->server.address };
	fleet_init_for(&run->fleet, &at);
	run->books = books_open(options->folder, err);
	if (run->books < 0 || books_keep(options->folder, &run->fleet, err) < 0)
		return err->code;
	make_nodes(run);
	make_slots(run);
	return 0;
}

static void run_done(struct run *run)
{
	for (size_t i = 0; run->slots && i < run->options->in_flight; i++) {
		curl_multi_remove_handle(run->multi, run->slots[i].call);
		curl_easy_cleanup(run->slots[i].call);
		buf_done(&run->slots[i].answer);
	}
	for (size_t i = 0; run->nodes && i < run->options->devices; i++) {
		fleet_device_done(&run->nodes[i].device);
		buf_done(&run->nodes[i].body);
	}
	if (run->multi)
		curl_multi_cleanup(run->multi);
	curl_slist_free_all(run->headers);
	free(run->slots);
	free(run->nodes);
	fd_closep(&run->books);
	fleet_done(&run->fleet);
	server_done(&run->server);
}

int load_run(const struct load_options *options, struct error *err)
{
	_cleanup_(run_done) struct run run;
	int r = run_init(&run, options, err);

	signal(SIGTERM, on_signal);
	signal(SIGINT, on_signal);
	if (r == 0)
		r = claim(&run, err);
	run.begun_ms = clock_mono_ms();
	while (r == 0)
		r = step(&run, err);
	if (r < 0)
		return r;
	printf("acknowledged %zu, of them %zu stored before but not acknowledged, %zu calls without an answer, %zu answered 'later', in "
	       "%.1f s\n",
	       run.acked, run.seen, run.failed, run.busy, (double)(clock_mono_ms() - run.begun_ms) / 1000);
	return 0;
}
