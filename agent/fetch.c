/* agent/fetch.c -- a firmware image fetched from the server, resumed wherever it was cut. */
#include "agent/fetch.h"

#include "agent/core.h"
#include "agent/obey-parts.h"
#include "agent/stream.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { KEPT_S = 7 * 86400, BACKOFF_MS = 1000, BACKOFF_MAX_MS = 300000, KEEP_FREE = 16 << 20 };

static struct fetch *fetch_of(struct duty *d)
{
	return &d->obey.fetch;
}

char *fetch_path(const struct duty *d)
{
	return mem_printf("%s/image", d->dir);
}

uint64_t fetch_room(const struct duty *d)
{
	_cleanup_(mem_freep) char *path = fetch_path(d);
	struct statvfs fs;
	struct stat st;
	uint64_t room;

	if (statvfs(d->dir, &fs) < 0)
		return 0;
	room = (uint64_t)fs.f_bavail * fs.f_frsize;
	if (stat(path, &st) == 0)
		room += (uint64_t)st.st_blocks * 512; /* what is there of one goes, or is used */
	return room > KEEP_FREE ? room - KEEP_FREE : 0;
}

static void arm(struct duty *d, uint64_t wait_ms)
{
	loop_arm(d->core->loop, &fetch_of(d)->timer, clock_mono_ms() + wait_ms);
}

static void say_trouble(struct duty *d, const char *why)
{
	struct fetch *f = fetch_of(d);

	if (!strcmp(why, f->trouble))
		return;
	if (*why)
		log_warning("image device=%s have=%llu of=%llu why=\"%s\"", d->dev->name, (unsigned long long)f->image.have,
			    (unsigned long long)f->image.size, why);
	snprintf(f->trouble, sizeof(f->trouble), "%s", why);
	duty_write_status(d);
}

static void try_again(struct duty *d, const char *why, uint32_t retry_s)
{
	struct fetch *f = fetch_of(d);
	uint64_t most = BACKOFF_MS;

	say_trouble(d, why);
	f->id = 0;
	f->failures = f->image.have > f->began_at ? 1 : f->failures + 1;
	for (unsigned i = 1; i < f->failures && most < BACKOFF_MAX_MS; i++)
		most *= 2;
	if (most < retry_s * 1000ULL)
		most = retry_s * 1000ULL;
	arm(d, most / 2 + randombytes_uniform((uint32_t)most));
}

static void cancel(struct duty *d)
{
	struct fetch *f = fetch_of(d);

	if (f->id)
		(void)child_send(&d->core->net, IPC_HTTP_CANCEL, f->id, (struct bytes){ 0 });
	f->id = 0;
}

/* ---- asking ---- */

static void give_credit(struct duty *d, uint32_t parts)
{
	_cleanup_(buf_done) struct buf body = { 0 };

	buf_add_u32be(&body, parts);
	(void)child_send(&d->core->net, IPC_HTTP_MORE, fetch_of(d)->id, buf_bytes(&body));
}

static int make_status(struct buf *out, struct duty *d, struct error *err)
{
	char note[DUTY_NOTE_MAX * 2];
	struct snapshot_input in;
	struct snapshot_by by;

	duty_input(&in, note, d);
	duty_by(&by, d);
	return status_make(out, &d->state.chain, &in, 0, &by, err);
}

static void ask(struct duty *d)
{
	struct fetch *f = fetch_of(d);
	struct http_request req = { .is_post = true, .is_stream = true, .timeout_s = FETCH_IDLE_S, .from = f->image.have };
	_cleanup_(buf_done) struct buf status = { 0 }, message = { 0 };
	struct error err = { 0 };

	if (!d->core->net.pid)
		return; /* fetch_kick() */
	if (make_status(&status, d, &err) < 0) {
		try_again(d, err.text, 0);
		return;
	}
	req.body = buf_bytes(&status);
	state_server(&d->state, f->attempt, &req);
	snprintf(req.path, sizeof(req.path), "/v1/firmware/%s", f->name);
	http_request_put(&message, &req);
	f->id = core_id(d->core);
	f->began_at = f->image.have;
	log_info("image-asked device=%s image=%.16s from=%llu of=%llu", d->dev->name, f->name, (unsigned long long)f->image.have,
		 (unsigned long long)f->image.size);
	if (!child_send(&d->core->net, IPC_HTTP, f->id, buf_bytes(&message)))
		f->id = 0;
	else
		give_credit(d, d->core->settings->firmware_rate ? 1 : FETCH_AHEAD);
}

/* ---- going on ---- */

static void finish(struct duty *d, const struct error *result)
{
	fetch_stop(d);
	obey_fetched(d, result);
}

/* ---- for the other devices of this agent ---- */

static char *kept_folder(const struct duty *d)
{
	return mem_printf("%s/.agent", d->core->settings->state);
}

/* Removes kept images but the one of this name, or, without a name, those that are old. */
static void tidy(const struct duty *d, const char *but)
{
	_cleanup_(mem_freep) char *folder = kept_folder(d);
	DIR *dir = opendir(folder);
	struct dirent *entry;
	struct stat st;

	while (dir && (entry = readdir(dir)))
		if (!strncmp(entry->d_name, "image.", 6) && (but ? strcmp(entry->d_name + 6, but) != 0 :
		    fstatat(dirfd(dir), entry->d_name, &st, 0) == 0 && st.st_mtime + KEPT_S < clock_now_s()))
			(void)!unlinkat(dirfd(dir), entry->d_name, 0);
	if (dir)
		closedir(dir);
}

void fetch_tidy(const struct duty *d)
{
	tidy(d, NULL);
}

void fetch_keep(const struct duty *d, uint64_t size, const uint8_t hash[static HASH_LEN])
{
	_cleanup_(mem_freep) char *folder = kept_folder(d), *path = fetch_path(d), *kept = NULL;
	char name[2 * HASH_LEN + 1];
	struct error ignored;
	struct stat st;

	hex_encode(name, hash, HASH_LEN);
	kept = mem_printf("%s/image.%s", folder, name);
	if (d->core->settings->devices_count > 1 && stat(path, &st) == 0 && (uint64_t)st.st_size == size &&
	    fs_mkdirs(folder, 0700, &ignored) == 0) {
		tidy(d, name);
		(void)!rename(path, kept);
	}
	fetch_remove(d);
}

/* A second name of the same file: it is only read from here on, or thrown away when it is not what was signed. */
static void take_kept(const struct duty *d, const char *path)
{
	_cleanup_(mem_freep) char *folder = kept_folder(d), *kept = mem_printf("%s/image.%s", folder, d->obey.fetch.name);

	if (link(kept, path) == 0)
		log_info("image-kept device=%s image=%.16s", d->dev->name, d->obey.fetch.name);
}

static int open_image(struct duty *d, struct error *err)
{
	_cleanup_(mem_freep) char *path = fetch_path(d);
	struct fetch *f = fetch_of(d);

	if (f->image.fd < 0)
		take_kept(d, path);
	return f->image.fd < 0 ? image_open(&f->image, path, f->size, f->hash, err) : 0;
}

/* What is on the disk already is hashed in pieces: meanwhile others have their turn. */
static void go_on(struct duty *d)
{
	struct fetch *f = fetch_of(d);
	struct error err = { 0 };
	int r = open_image(d, &err);

	if (r == 0)
		r = image_hash(&f->image, &err);
	if (r == 0)
		r = image_check(&f->image, &err);
	if (r == IMAGE_MORE && f->image.have < f->image.there)
		arm(d, 0);
	else if (r == 0 || r == E_SEAL)
		finish(d, &err);
	else if (r < 0)
		try_again(d, err.text, 0);
	else
		ask(d);
}

static void due(struct loop_timer *timer)
{
	struct duty *d = container_of(timer, struct duty, obey.fetch.timer);
	struct fetch *f = fetch_of(d);

	if (!f->id)
		go_on(d);
	else
		give_credit(d, 1);
}

void fetch_begin(struct duty *d, uint64_t size, const uint8_t hash[static HASH_LEN])
{
	struct fetch *f = fetch_of(d);

	if (f->is_on)
		return;
	*f = (struct fetch){ .is_on = true, .size = size, .image.fd = -1, .timer.fire = due, .attempt = f->attempt };
	memcpy(f->hash, hash, HASH_LEN);
	hex_encode(f->name, hash, HASH_LEN);
	arm(d, 0);
}

void fetch_stop(struct duty *d)
{
	struct fetch *f = fetch_of(d);

	if (!f->is_on)
		return;
	cancel(d);
	loop_disarm(&f->timer);
	image_close(&f->image);
	f->is_on = false;
	f->trouble[0] = 0;
}

void fetch_remove(const struct duty *d)
{
	_cleanup_(mem_freep) char *path = fetch_path(d);
	struct error err = { 0 };

	if (fs_remove(path, &err) < 0)
		log_failure(LOG_WARNING, "image-stays", &err);
}

/* The next part at once, or when the rate allows it. */
static void want_more(struct duty *d, size_t len)
{
	struct fetch *f = fetch_of(d);
	uint64_t now = clock_mono_ms(), rate = d->core->settings->firmware_rate;

	if (!rate) {
		give_credit(d, 1);
		return;
	}
	f->credit_ms = (f->credit_ms > now ? f->credit_ms : now) + len / rate; /* rate: kB per second, that is bytes per millisecond */
	loop_arm(d->core->loop, &f->timer, f->credit_ms);
}

bool fetch_part(struct duty *d, uint32_t id, struct bytes body)
{
	struct fetch *f = fetch_of(d);
	struct stream_part part;
	struct error err = { 0 };

	if (!f->is_on || !f->id || id != f->id)
		return false;
	if (!stream_part_get(&part, body))
		error_set(&err, E_PEER, "a part of another form");
	else if (image_add(&f->image, part.at, part.bytes, &err) == 0) {
		say_trouble(d, "");
		want_more(d, part.bytes.len);
		return true;
	}
	cancel(d);
	try_again(d, err.text, 0);
	return true;
}

static bool is_streamed(const struct http_answer *a)
{
	return a->is_answered && (a->status == 200 || a->status == 206);
}

bool fetch_answer(struct duty *d, uint32_t id, const struct http_answer *answer)
{
	struct fetch *f = fetch_of(d);
	char why[160];

	if (!f->is_on || !f->id || id != f->id)
		return false;
	loop_disarm(&f->timer);
	f->id = 0;
	if (f->image.have == f->image.size) {
		go_on(d);
		return true;
	}
	if (!answer->is_answered)
		f->attempt++;
	if (is_streamed(answer))
		snprintf(why, sizeof(why), "the server sent %llu of %llu bytes", (unsigned long long)f->image.have,
			 (unsigned long long)f->image.size);
	else if (answer->is_answered)
		snprintf(why, sizeof(why), "the server answers with %u: it has no such image for this device, or not yet", answer->status);
	else
		snprintf(why, sizeof(why), "%.150s", answer->error);
	try_again(d, why, answer->retry_s);
	return true;
}

void fetch_lost(struct duty *d)
{
	struct fetch *f = fetch_of(d);

	if (!f->is_on || !f->id)
		return;
	f->id = 0;
	loop_disarm(&f->timer);
	try_again(d, "the process that speaks to the network ended", 0);
}

void fetch_kick(struct duty *d)
{
	struct fetch *f = fetch_of(d);

	if (f->is_on && !f->id && !f->timer.loop)
		arm(d, 0);
}
