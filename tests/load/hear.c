/* tests/load/hear.c -- how soon does a waiting device hear of its admission, and of a new root? */
#include "tests/load/load.h"

#include "base/clock.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { WAIT_S = 60, SETTLE_MS = 150, TURN_MS = 5, ROOTS_MAX = 100 };

struct ear {
	struct fleet_device device;
	uint8_t secret[32];
	CURL *call;
	struct buf status, answer;
	bool has_heard;
};

struct hall {
	struct server server;
	struct fleet fleet;
	struct ear *ears;
	size_t count;
	CURLM *multi;
	double worst_admit_ms, worst_root_ms, sum_ms;
	size_t heard;
};

static double now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1000 + (double)ts.tv_nsec / 1e6;
}

static int post(struct hall *hall, const char *path, const struct buf *body, const char *header, struct error *err)
{
	struct curl_slist *headers = curl_slist_append(NULL, header);
	_cleanup_(buf_done) struct buf answer = { 0 };
	int r = server_do(&hall->server, path, body, headers, &answer, err);

	curl_slist_free_all(headers);
	if (r < 0)
		return r;
	return r == 200 ? 0 : error_set(err, E_PEER, "'%s' was answered with %d: %.300s", path, r, buf_text(&answer));
}

static int post_object(struct hall *hall, const struct buf *body, struct error *err)
{
	return post(hall, "/v1/objects", body, "Expect:", err);
}

static int enrol(struct hall *hall, struct ear *ear, struct error *err)
{
	_cleanup_(buf_done) struct buf invite = { 0 }, request = { 0 };

	fleet_invite(&invite, &hall->fleet, ear->device.name, ear->secret);
	fleet_enrol(&request, &hall->fleet, &ear->device, ear->secret);
	return post_object(hall, &invite, err) < 0 || post_object(hall, &request, err) < 0 ? err->code : 0;
}

static void listen_begin(struct hall *hall, struct ear *ear)
{
	buf_truncate(&ear->status, 0);
	buf_truncate(&ear->answer, 0);
	fleet_status(&ear->status, &hall->fleet, &ear->device, 0, WAIT_S);
	ear->call = server_call(&hall->server, "/v1/poll", &ear->answer);
	curl_easy_setopt(ear->call, CURLOPT_TIMEOUT, (long)WAIT_S);
	curl_easy_setopt(ear->call, CURLOPT_PRIVATE, (char *)ear);
	call_body(ear->call, &ear->status);
	ear->has_heard = false;
	curl_multi_add_handle(hall->multi, ear->call);
}

/* Turns the calls for a while, or until all that wait have heard; returns how many are still waiting. */
static size_t turn(struct hall *hall, size_t waiting, double until_ms)
{
	while (waiting && now_ms() < until_ms) {
		int running, left;
		CURLMsg *msg;

		curl_multi_perform(hall->multi, &running);
		while ((msg = curl_multi_info_read(hall->multi, &left))) {
			struct ear *ear = NULL;
			long status = 0;

			curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, (char **)&ear);
			curl_easy_getinfo(ear->call, CURLINFO_RESPONSE_CODE, &status);
			ear->has_heard = msg->data.result == CURLE_OK && status == 200;
			curl_multi_remove_handle(hall->multi, ear->call);
			curl_easy_cleanup(ear->call);
			ear->call = NULL;
			waiting--;
		}
		curl_multi_poll(hall->multi, NULL, 0, TURN_MS, NULL);
	}
	return waiting;
}

/* Posts the news that `waiting` calls wait for; how long the last of them took, from before the post on. */
static int announce(struct hall *hall, size_t waiting, const struct buf *news, double *took_ms, struct error *err)
{
	double begin;

	if (turn(hall, waiting, now_ms() + SETTLE_MS) != waiting)
		return error_set(err, E_PEER, "a poll did not wait");
	begin = now_ms();
	if (post_object(hall, news, err) < 0)
		return err->code;
	if (turn(hall, waiting, now_ms() + 10000))
		return error_set(err, E_PEER, "somebody did not hear of news within 10 seconds");
	*took_ms = now_ms() - begin;
	hall->sum_ms += *took_ms;
	hall->heard++;
	return 0;
}

static int admit_one(struct hall *hall, struct ear *ear, struct error *err)
{
	_cleanup_(buf_done) struct buf admit = { 0 }, epoch = { 0 };
	double took_ms = 0;

	if (enrol(hall, ear, err) < 0)
		return err->code;
	fleet_admit(&admit, &hall->fleet, &ear->device);
	listen_begin(hall, ear);
	if (announce(hall, 1, &admit, &took_ms, err) < 0)
		return err->code;
	if (!ear->has_heard || ear->answer.len < admit.len || memcmp(ear->answer.ptr, admit.ptr, admit.len) != 0)
		return error_set(err, E_PEER, "the poll was answered with something else than the admission");
	hall->worst_admit_ms = took_ms > hall->worst_admit_ms ? took_ms : hall->worst_admit_ms;
	fleet_epoch(&epoch, &hall->fleet, &ear->device);
	return post_object(hall, &epoch, err);
}

static int announce_root(struct hall *hall, struct error *err)
{
	double took_ms = 0;

	for (size_t i = 0; i < hall->count; i++)
		listen_begin(hall, &hall->ears[i]);
	fleet_next_root(&hall->fleet);
	if (announce(hall, hall->count, &hall->fleet.root, &took_ms, err) < 0)
		return err->code;
	for (size_t i = 0; i < hall->count; i++)
		if (!hall->ears[i].has_heard || memcmp(hall->ears[i].answer.ptr, hall->fleet.root.ptr, hall->fleet.root.len) != 0)
			return error_set(err, E_PEER, "a poll was answered with something else than the root");
	hall->worst_root_ms = took_ms > hall->worst_root_ms ? took_ms : hall->worst_root_ms;
	return 0;
}

static int hall_init(struct hall *hall, const char *folder, size_t count, struct error *err)
{
	_cleanup_(mem_freep) char *setup = mem_printf("%s/setup", folder);
	struct fleet_server at;

	*hall = (struct hall){ .count = count };
	if (server_from_setup(&hall->server, setup, err) < 0)
		return err->code;
	at = (struct fleet_server){ .archive = hall->server.archive, .pin = hall->server.pin, .address = hall->server.address };
	fleet_init_for(&hall->fleet, &at);
	hall->multi = curl_multi_init();
	hall->ears = mem_alloc(count * sizeof(*hall->ears));
	for (size_t i = 0; i < count; i++) {
		char name[32];

		snprintf(name, sizeof(name), "r%zu", i);
		fleet_device_init(&hall->ears[i].device, name);
		randombytes_buf(hall->ears[i].secret, sizeof(hall->ears[i].secret));
	}
	return post(hall, "/v1/claim", &hall->fleet.root, buf_text(&hall->server.claim), err);
}

static void hall_done(struct hall *hall)
{
	for (size_t i = 0; hall->ears && i < hall->count; i++) {
		if (hall->ears[i].call) {
			curl_multi_remove_handle(hall->multi, hall->ears[i].call);
			curl_easy_cleanup(hall->ears[i].call);
		}
		fleet_device_done(&hall->ears[i].device);
		buf_done(&hall->ears[i].status);
		buf_done(&hall->ears[i].answer);
	}
	free(hall->ears);
	if (hall->multi)
		curl_multi_cleanup(hall->multi);
	fleet_done(&hall->fleet);
	server_done(&hall->server);
}

int load_hear(const char *folder, size_t rounds, struct error *err)
{
	_cleanup_(hall_done) struct hall hall;
	int r;

	if (!rounds || rounds > ROOTS_MAX)
		return error_set(err, E_FORMAT, "ROUNDS is 1 to %d", ROOTS_MAX);
	r = hall_init(&hall, folder, rounds, err);
	for (size_t i = 0; r == 0 && i < rounds; i++)
		r = admit_one(&hall, &hall.ears[i], err);
	for (size_t i = 0; r == 0 && i < rounds; i++)
		r = announce_root(&hall, err);
	if (r < 0)
		return r;
	printf("%.0f %.0f %.0f\n", hall.worst_admit_ms, hall.worst_root_ms, hall.sum_ms / (double)hall.heard);
	return 0;
}
