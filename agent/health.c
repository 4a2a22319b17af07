/* agent/health.c -- one round of proving a change. */
#include "agent/health.h"

#include "agent/core.h"
#include "base/clock.h"

#include <stdio.h>
#include <string.h>

static void note_failure(struct health *h, const char *what, const char *why)
{
	if (!*h->why)
		snprintf(h->why, sizeof(h->why), "%.160s%s%s", what, *why ? ": " : "", why);
}

static void note_probe(struct duty *d, size_t i, const char *why)
{
	char what[160];

	snprintf(what, sizeof(what), "probe '%.120s' fails", statement_at(obey_order(d), "probe", i));
	note_failure(&d->obey.health, what, why);
}

static void finish(struct duty *d)
{
	struct health *h = &d->obey.health;

	if (!h->is_running || h->open)
		return;
	h->is_running = false;
	obey_proved(d, h->began_ms, h->why);
}

static bool ask_server(struct duty *d)
{
	struct http_request req = { .is_fresh = true, .timeout_s = HEALTH_TIMEOUT_MS / 1000 };
	_cleanup_(buf_done) struct buf body = { 0 };
	struct health *h = &d->obey.health;

	state_server(&d->state, h->attempt, &req);
	snprintf(req.path, sizeof(req.path), "/livez");
	http_request_put(&body, &req);
	h->livez_id = core_id(d->core);
	return child_send(&d->core->net, IPC_HTTP, h->livez_id, buf_bytes(&body));
}

static bool ask_probe(struct duty *d, size_t i, const struct probe *probe)
{
	struct probe_ask ask = { .kind = probe->kind, .timeout_ms = HEALTH_TIMEOUT_MS };
	_cleanup_(buf_done) struct buf body = { 0 };

	memcpy(ask.target, probe->target, sizeof(ask.target));
	probe_ask_put(&body, &ask);
	d->obey.health.probe_ids[i] = core_id(d->core);
	return child_send(&d->core->net, IPC_PROBE, d->obey.health.probe_ids[i], buf_bytes(&body));
}

/* The order was judged, so its probes parse. */
static bool probe_at(struct probe *out, const struct duty *d, size_t i)
{
	const char *text = statement_at(obey_order(d), "probe", i);
	struct error never;

	return text && probe_parse(out, text, &never) == 0;
}

bool health_begin(struct duty *d)
{
	struct health *h = &d->obey.health;
	struct probe probe;
	bool is_sent;

	*h = (struct health){ .began_ms = clock_mono_ms(), .attempt = h->attempt };
	is_sent = d->core->net.pid && ask_server(d);
	for (size_t i = 0; is_sent && probe_at(&probe, d, i); i++) {
		h->open++;
		if (probe.kind != PROBE_SHOW)
			is_sent = ask_probe(d, i, &probe);
	}
	if (!is_sent) {
		*h = (struct health){ .attempt = h->attempt, .why = "the process that speaks to the network is being started again" };
		return false;
	}
	h->open++; /* the server's */
	h->is_running = true;
	return true;
}

void health_step(struct duty *d)
{
	struct health *h = &d->obey.health;
	_cleanup_(buf_done) struct buf body = { 0 };
	struct probe probe;

	while (h->is_running && !d->asked && probe_at(&probe, d, h->next)) {
		h->next++;
		if (probe.kind != PROBE_SHOW)
			continue;
		put_field(&body, bytes_str(probe.target));
		duty_ask(d, IPC_SHOW, buf_bytes(&body), 2 * HEALTH_TIMEOUT_MS);
	}
}

bool health_http(struct duty *d, uint32_t id, const struct http_answer *answer)
{
	struct health *h = &d->obey.health;
	char status[32];

	if (!h->is_running || id != h->livez_id)
		return false;
	snprintf(status, sizeof(status), "it answers with %u", answer->status);
	if (!answer->is_answered || answer->status != 200) {
		note_failure(h, "the server is not reached", answer->is_answered ? status : answer->error);
		h->attempt++;
	}
	h->livez_id = 0;
	h->open--;
	finish(d);
	return true;
}

bool health_probe(struct duty *d, uint32_t id, struct bytes why)
{
	struct health *h = &d->obey.health;
	char text[200];

	for (size_t i = 0; h->is_running && i < PROBES_MAX; i++) {
		if (h->probe_ids[i] != id)
			continue;
		snprintf(text, sizeof(text), "%.*s", (int)(why.len < sizeof(text) ? why.len : sizeof(text) - 1),
			 why.len ? (const char *)why.ptr : "");
		if (why.len)
			note_probe(d, i, text);
		h->probe_ids[i] = 0;
		h->open--;
		finish(d);
		return true;
	}
	return false;
}

void health_said(struct duty *d, const struct error *failure, struct bytes said)
{
	struct health *h = &d->obey.health;
	struct error err = *failure;
	struct probe probe;
	bool matches = false;

	if (!h->is_running || !h->next || !probe_at(&probe, d, h->next - 1))
		return;
	if (err.code == 0)
		(void)!probe_matches(&probe, said, &matches, &err);
	if (!matches)
		note_probe(d, h->next - 1, err.code < 0 ? err.text : "no match");
	h->open--;
	finish(d);
}

void health_lost(struct duty *d, const char *why)
{
	struct health *h = &d->obey.health;

	if (!h->is_running)
		return;
	note_failure(h, why, "");
	health_cancel(d);
	obey_proved(d, h->began_ms, h->why);
}

void health_cancel(struct duty *d)
{
	struct health *h = &d->obey.health;

	if (!h->is_running)
		return;
	h->is_running = false;
	if (h->livez_id)
		(void)child_send(&d->core->net, IPC_HTTP_CANCEL, h->livez_id, (struct bytes){ 0 });
	for (size_t i = 0; i < PROBES_MAX; i++)
		if (h->probe_ids[i])
			(void)child_send(&d->core->net, IPC_HTTP_CANCEL, h->probe_ids[i], (struct bytes){ 0 });
}
