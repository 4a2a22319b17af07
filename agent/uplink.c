/* agent/uplink.c -- one device and the server: posts what is spooled in order, holds a poll, takes what it brings. */
#include "agent/uplink.h"

#include "agent/core.h"
#include "agent/news.h"
#include "base/clock.h"
#include "base/log.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

enum {
	POST_TIMEOUT_S = 60,
	ROW_BYTES = 64 << 10,
	POLL_MARGIN_S = 30,
	BACKOFF_MS = 1000,
	BACKOFF_MAX_MS = 300000,
	STUCK_MS = 300000,     /* refused for a reason that waiting alone will not mend */
	POLL_SPACING_MS = 1000,
	POLL_IDLE_MS = 60000,  /* the most, after answers that came at once and brought nothing */
};

/* A random time up to the larger of the doubling back-off and the window that the server gave. */
static uint64_t backoff_ms(unsigned failures, uint32_t window_s)
{
	uint64_t most = BACKOFF_MS;

	for (unsigned i = 1; i < failures && most < BACKOFF_MAX_MS; i++)
		most *= 2;
	if (most > BACKOFF_MAX_MS)
		most = BACKOFF_MAX_MS;
	if (most < window_s * 1000ULL)
		most = window_s * 1000ULL;
	return most / 4 + randombytes_uniform((uint32_t)(most - most / 4));
}

static void set_trouble(struct duty *d, const char *text)
{
	struct uplink *u = &d->uplink;

	if (*text && strncmp(text, u->trouble, sizeof(u->trouble) - 1) != 0)
		log_warning("server device=%s why=\"%s\"", d->dev->name, text);
	snprintf(u->trouble, sizeof(u->trouble), "%s", text);
}

static uint32_t request(struct duty *d, const char *path, struct bytes body, uint32_t timeout_s)
{
	struct http_request req = { .is_post = true, .timeout_s = timeout_s, .keepalive_s = d->core->settings->keepalive, .body = body };
	_cleanup_(buf_done) struct buf message = { 0 };
	uint32_t id = core_id(d->core);

	state_server(&d->state, d->uplink.attempt, &req);
	snprintf(req.path, sizeof(req.path), "%s", path);
	http_request_put(&message, &req);
	return child_send(&d->core->net, IPC_HTTP, id, buf_bytes(&message)) ? id : 0;
}

/* ---- posting ---- */

static void post(struct duty *d)
{
	_cleanup_(buf_done) struct buf row = { 0 };
	const struct spool *spool = &d->state.spool;
	struct uplink *u = &d->uplink;
	struct error err = { 0 };
	int r;

	if (u->post_id || u->post_retry.loop || u->is_forked || !d->core->net.pid)
		return;
	r = spool_row(spool, &u->post_first, &u->post_last, &row, spool->oldest <= u->alone_to ? 0 : ROW_BYTES, &err);
	if (r < 0) {
		log_failure(LOG_ERROR, "spool", &err);
		loop_arm(d->core->loop, &u->post_retry, clock_mono_ms() + BACKOFF_MAX_MS);
	}
	if (r != 0 || (u->post_first > 1 && !d->state.admit))
		return;
	u->post_id = request(d, "/v1/objects", buf_bytes(&row), POST_TIMEOUT_S);
}

static void post_again(struct duty *d, uint64_t wait_ms)
{
	loop_arm(d->core->loop, &d->uplink.post_retry, clock_mono_ms() + wait_ms);
}

/* The server answers: what was lost while it was away need not wait for the end of its back-off. */
static void reached(struct duty *d)
{
	struct uplink *u = &d->uplink;
	uint64_t soon_ms = clock_mono_ms() + POLL_SPACING_MS;

	if (u->is_post_lost && u->post_retry.loop)
		loop_arm(d->core->loop, &u->post_retry, soon_ms);
	if (u->is_poll_lost && u->poll_retry.loop)
		loop_arm(d->core->loop, &u->poll_retry, soon_ms);
	u->is_post_lost = u->is_poll_lost = false;
}

static bool says(const struct http_answer *a, const char *word)
{
	_cleanup_(mem_freep) char *type = mem_printf("\"urn:holdfast:%s\"", word);

	return a->body.len && memmem(a->body.ptr, a->body.len, type, strlen(type));
}

/* The server's own words, as far as they fit: the text of "detail" in problem+json. */
static void detail_of(char *out, size_t size, const struct http_answer *a)
{
	static const char key[] = "\"detail\":";
	const uint8_t *at = a->body.len ? memmem(a->body.ptr, a->body.len, key, sizeof(key) - 1) : NULL;
	struct bytes text = at ? bytes_from(a->body, (size_t)(at - a->body.ptr) + sizeof(key) - 1) : (struct bytes){ 0 };
	size_t n = 0;

	while (text.len && (text.ptr[0] == ' ' || text.ptr[0] == '"'))
		text = bytes_from(text, 1);
	for (; n + 1 < size && n < text.len && text.ptr[n] != '"' && text.ptr[n] != '\n'; n++)
		out[n] = text.ptr[n] >= 0x20 && text.ptr[n] < 0x7f ? (char)text.ptr[n] : '?';
	out[n] = 0;
}

static void acknowledged(struct duty *d)
{
	struct uplink *u = &d->uplink;
	struct error err = { 0 };

	u->post_failures = 0;
	reached(d);
	for (uint64_t number = u->post_first; number <= u->post_last; number++)
		log_info("sent device=%s number=%llu", d->dev->name, (unsigned long long)number);
	set_trouble(d, "");
	if (spool_acknowledged(&d->state.spool, u->post_last, &err) < 0) {
		/* sent again later, and answered with "seen" */
		log_failure(LOG_WARNING, "spool", &err);
		post_again(d, BACKOFF_MAX_MS);
	}
	obey_acknowledged(d);
	uplink_kick(d);
}

static void post_refused(struct duty *d, const struct http_answer *a)
{
	struct uplink *u = &d->uplink;
	char text[sizeof(u->trouble)], detail[120];

	if (u->post_last > u->post_first) { /* which of them it is shows when they come alone */
		u->alone_to = u->post_last;
		post(d);
		return;
	}
	detail_of(detail, sizeof(detail), a);
	if (a->status == 409 && says(a, "fork")) {
		u->is_forked = true;
		log_error(
			"fork device=%s number=%llu: the server has another statement of this number; this identity is used twice, or its "
			"folder was restored from a copy; join the device again",
			d->dev->name, (unsigned long long)u->post_first);
		set_trouble(d, "this identity is used twice, or was restored from a copy: join the device again");
		return;
	}
	snprintf(text, sizeof(text), "the server refuses statement %llu with %u: %s", (unsigned long long)u->post_first, a->status,
		 detail);
	set_trouble(d, text);
	post_again(d, a->status == 409 ? STUCK_MS : backoff_ms(++u->post_failures + 4, u->window_s));
}

/* No answer, or one that says to come again. */
static uint64_t later_ms(struct uplink *u, unsigned failures, const struct http_answer *a)
{
	if (!a->is_answered)
		u->attempt++;
	if (a->retry_s)
		return a->retry_s * 1000ULL + randombytes_uniform(1000 * a->retry_s + 1000);
	return backoff_ms(failures, a->is_answered ? 0 : u->window_s);
}

static void took_post(struct duty *d, const struct http_answer *a)
{
	struct uplink *u = &d->uplink;

	u->post_id = 0;
	u->is_post_lost = !a->is_answered;
	if (a->is_answered && a->status == 200) {
		acknowledged(d);
		return;
	}
	if (a->is_answered && a->status < 500 && a->status != 429) {
		post_refused(d, a);
		return;
	}
	if (!u->post_failures++)
		log_info("unsent device=%s number=%llu status=%u why=\"%s\"", d->dev->name, (unsigned long long)u->post_first, a->status,
			 a->error);
	post_again(d, later_ms(u, u->post_failures, a));
}

/* ---- the poll ---- */

/* What a status says that may go out of date while the poll waits. */
static void said_now(char *out, size_t size, const struct snapshot_input *in, const struct state *s)
{
	char challenge[2 * HASH_LEN + 1] = "";

	if (in->challenge)
		hex_encode(challenge, in->challenge, HASH_LEN);
	snprintf(out, size, "%.8s %d %lld %lld %s %s %lld %llu %llu %.100s %.300s", challenge, (int)in->saved,
		 (long long)in->unsaved_since_s, (long long)in->hold_s, in->mode, in->drift ? in->drift : "", (long long)in->drift_since_s,
		 (unsigned long long)in->order, (unsigned long long)root_version(s->root), in->hold_by ? in->hold_by : "", in->note);
}

static void keep_challenge(struct duty *d)
{
	struct error err = { 0 };

	if (duty_erases(d) && challenge_keep(&d->state.challenge, d->dir, state_clock(&d->state), &err) < 0)
		log_failure(LOG_WARNING, "challenge", &err); /* none is said: no order to erase is good meanwhile */
}

static void cancel_poll(struct duty *d)
{
	if (d->uplink.poll_id)
		(void)child_send(&d->core->net, IPC_HTTP_CANCEL, d->uplink.poll_id, (struct bytes){ 0 });
	d->uplink.poll_id = 0;
}

static void poll_server(struct duty *d)
{
	_cleanup_(buf_done) struct buf status = { 0 };
	struct uplink *u = &d->uplink;
	char note[DUTY_NOTE_MAX * 2], said[sizeof(u->polled_as)];
	uint32_t wait_s = obey_wants_poll(d) ? 0 : d->core->settings->wait;
	struct snapshot_input in;
	struct snapshot_by by;
	struct error err = { 0 };

	if (u->poll_retry.loop || !d->core->net.pid || d->state.spool.acked < 1)
		return;
	if (obey_is_over(d)) {
		cancel_poll(d); /* its key says nothing more */
		return;
	}
	keep_challenge(d);
	duty_input(&in, note, d);
	said_now(said, sizeof(said), &in, &d->state);
	if (u->poll_id && !strcmp(said, u->polled_as))
		return;
	cancel_poll(d);
	duty_by(&by, d);
	if (status_make(&status, &d->state.chain, &in, wait_s, &by, &err) < 0) {
		log_failure(LOG_ERROR, "status", &err);
		return;
	}
	memcpy(u->polled_as, said, sizeof(said));
	u->poll_began_ms = clock_mono_ms();
	u->poll_id = request(d, "/v1/poll", buf_bytes(&status), wait_s + POLL_MARGIN_S);
}

static void poll_again(struct duty *d, uint64_t wait_ms)
{
	loop_arm(d->core->loop, &d->uplink.poll_retry, clock_mono_ms() + wait_ms);
}

static uint64_t idle_ms(unsigned idle)
{
	uint64_t wait = POLL_SPACING_MS;

	for (unsigned i = 1; i < idle && wait < POLL_IDLE_MS; i++)
		wait *= 2;
	return wait < POLL_IDLE_MS ? wait : POLL_IDLE_MS;
}

static void took_news(struct duty *d, const struct http_answer *a)
{
	struct uplink *u = &d->uplink;
	struct error err = { 0 };
	bool has_root, is_early;
	int r = news_take(d, a->body, &has_root, &err);

	u->poll_failures = 0;
	reached(d);
	if (r < 0) {
		/* a server that lies is told so, and to the archive's readers too: the note travels in what we sign */
		char text[sizeof(u->trouble)];

		snprintf(text, sizeof(text), "what the server sent is refused: %.150s", err.text);
		set_trouble(d, text);
		poll_again(d, idle_ms(++u->poll_refused));
		if (has_root)
			duty_news(d);
		return;
	}
	u->poll_refused = 0;
	obey_polled(d, u->poll_began_ms);
	if (!d->is_joined)
		return;
	is_early = clock_mono_ms() + POLL_SPACING_MS < u->poll_began_ms + 1000ULL * d->core->settings->wait;
	/* one of them may answer what was the case when it was asked for; only a row of them is a server that does not wait */
	u->poll_idle = r == 0 && is_early && !obey_is_waiting(d) ? u->poll_idle + 1 : 0;
	poll_again(d, idle_ms(u->poll_idle));
	if (has_root)
		duty_news(d);
	else
		duty_finish_step(d);
}

static void took_poll(struct duty *d, const struct http_answer *a)
{
	struct uplink *u = &d->uplink;

	u->poll_id = 0;
	u->is_poll_lost = !a->is_answered;
	if (a->window_s)
		u->window_s = a->window_s;
	if (a->is_answered && a->status == 200) {
		took_news(d, a);
		return;
	}
	u->poll_failures++;
	if (a->is_answered && a->status < 500) {
		char text[sizeof(u->trouble)], detail[120];

		detail_of(detail, sizeof(detail), a);
		snprintf(text, sizeof(text), "the server refuses a poll with %u: %s", a->status, detail);
		set_trouble(d, text);
		poll_again(d, backoff_ms(u->poll_failures + 4, u->window_s));
		return;
	}
	if (u->poll_failures == 1 || strncmp(u->unreached, a->error, sizeof(u->unreached) - 1) != 0)
		log_info("unreached device=%s status=%u why=\"%s\"", d->dev->name, a->status, a->error);
	snprintf(u->unreached, sizeof(u->unreached), "%s", a->error);
	poll_again(d, later_ms(u, u->poll_failures, a));
}

/* ---- */

static void post_due(struct loop_timer *timer)
{
	uplink_kick(container_of(timer, struct duty, uplink.post_retry));
}

static void poll_due(struct loop_timer *timer)
{
	uplink_kick(container_of(timer, struct duty, uplink.poll_retry));
}

void uplink_kick(struct duty *d)
{
	struct error err = { 0 };

	if (!d->is_joined)
		return;
	d->uplink.post_retry.fire = post_due;
	d->uplink.poll_retry.fire = poll_due;
	if (state_mend(&d->state, &err) < 0)
		log_failure(LOG_ERROR, "spool", &err);
	post(d);
	poll_server(d);
}

void uplink_repoll(struct duty *d)
{
	if (d->uplink.poll_retry.loop && !d->uplink.poll_failures && !d->uplink.poll_refused)
		loop_disarm(&d->uplink.poll_retry);
	cancel_poll(d);
	poll_server(d);
}

bool uplink_answer(struct duty *d, uint32_t id, const struct http_answer *answer)
{
	if (id == d->uplink.post_id)
		took_post(d, answer);
	else if (id == d->uplink.poll_id)
		took_poll(d, answer);
	else
		return false;
	return true;
}

void uplink_lost(struct duty *d)
{
	d->uplink.post_id = d->uplink.poll_id = 0;
}

void uplink_stop(struct duty *d)
{
	loop_disarm(&d->uplink.post_retry);
	loop_disarm(&d->uplink.poll_retry);
}
