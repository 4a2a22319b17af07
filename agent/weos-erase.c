/* agent/weos-erase.c -- a switch back to how the factory made it, by its command line or by its boot loader, and proof that it is.
 *
 * By console the tables of agent/weos-purge.c do it. Their last state is a login with the factory's password, which is no proof where that
 * was the password before; so the driver looks at what runs then. By ssh the connection ends with the device, and only what comes up
 * behind it counts. The journal is a small file in the device's folder, replaced before anything is said. */
#include "agent/weos-parts.h"

#include "agent/credential.h"
#include "agent/weos-purge.h"
#include "base/clock.h"
#include "base/fs.h"

#include <poll.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define JOURNAL_HEAD "holdfast-dialogue/1\n"

enum { STATE_MAX = 64, JOURNAL_MAX = 1024, RECORD_MAX = 2 << 20, SALT_LEN = 16 };
enum { DOWN_MS = 60000, UP_MS = 300000, UP_EVERY_MS = 3000, SURE_MS = 20000 };

#define IN CONSOLE_SET

/* What is kept between two runs. */
struct journal {
	char *path;
	enum device_erase how;
	char state[STATE_MAX]; /* "" in the beginning */
	bool is_past;          /* the word was said behind which nothing is as it was */
	bool has_before;       /* what ran in the beginning, as a salted hash */
	uint8_t salt[SALT_LEN], before[HASH_LEN];
};

struct erasing {
	const struct settings_device *dev;
	struct settings_weos factory_way; /* who logs in when it is as the factory made it */
	struct settings_device factory;
	enum device_erase how;
	const struct dialogue *dialogue;
	const char *point;
	struct journal journal;
	struct device_erased *out;
};

/* ---- the journal ---- */

static const char *how_name(enum device_erase how)
{
	return how == DEVICE_ERASE_PURGE ? "purge" : "factory-reset";
}

static int journal_write(const struct journal *j, struct error *err)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	char salt[2 * SALT_LEN + 1], before[2 * HASH_LEN + 1];

	hex_encode(salt, j->salt, SALT_LEN);
	hex_encode(before, j->before, HASH_LEN);
	buf_addf(&text, JOURNAL_HEAD "%s %s %d %d %s %s\n", how_name(j->how), *j->state ? j->state : "-", j->is_past, j->has_before, salt,
		 before);
	return fs_write(j->path, buf_bytes(&text), 0600, err);
}

/* A journal of the other way, or one that cannot be read, is none: the erase begins from the beginning, which harms nothing. */
static int journal_read(struct journal *j, enum device_erase how, const char *state_dir, struct error *err)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	char name[16], state[STATE_MAX], salt[2 * SALT_LEN + 1], before[2 * HASH_LEN + 1];
	int is_past, has_before, r;

	*j = (struct journal){ .path = mem_printf("%s/dialogue", state_dir), .how = how };
	randombytes_buf(j->salt, sizeof(j->salt));
	r = fs_read(&text, j->path, JOURNAL_MAX, err);
	if (r != 0)
		return r < 0 ? r : 0;
	if (sscanf(buf_text(&text), JOURNAL_HEAD "%15s %63s %d %d %32s %64s", name, state, &is_past, &has_before, salt, before) != 6 ||
	    strcmp(name, how_name(how)) != 0 || !hex_decode(j->salt, SALT_LEN, bytes_str(salt)) ||
	    !hex_decode(j->before, HASH_LEN, bytes_str(before)))
		return 0;
	snprintf(j->state, sizeof(j->state), "%s", strcmp(state, "-") ? state : "");
	j->is_past = is_past != 0;
	j->has_before = has_before != 0;
	return 0;
}

static int enter_state(void *ctx, const char *state, struct error *err)
{
	struct erasing *e = ctx;

	snprintf(e->journal.state, sizeof(e->journal.state), "%s", state);
	e->journal.is_past = e->journal.is_past || !strcmp(state, e->point);
	return journal_write(&e->journal, err);
}

/* Is all that is left to see what it came up as? */
static bool is_behind(const struct erasing *e)
{
	static const char *const states[] = {
		"success", "restarting", "verify", "verify-out", "factory-login", "factory-password", "done"
	};

	for (size_t i = 0; i < ARRAY_SIZE(states); i++)
		if (!strcmp(e->journal.state, states[i]))
			return true;
	return false;
}

/* ---- what was said ---- */

/* All conversations of one erase, one behind the other; the hash in the receipt is that of this file. */
static int keep_record(const struct erasing *e, struct console *console, struct error *err)
{
	const char *path = e->dev->weos->record;
	_cleanup_(mem_freep) char *folder = mem_strndup(path, (size_t)(strrchr(path, '/') - path));
	_cleanup_(buf_done) struct buf all = { 0 };
	struct bytes said = transcript_text(console_transcript(console));
	int r = fs_mkdirs(folder, 0700, err);

	if (r == 0)
		r = fs_read(&all, path, RECORD_MAX, err);
	if (r == E_LIMIT)
		buf_truncate(&all, 0);
	else if (r < 0)
		return r;
	buf_add_bytes(&all, said);
	return fs_write(path, buf_bytes(&all), 0600, err);
}

static void hash_record(const struct erasing *e)
{
	_cleanup_(buf_done) struct buf all = { 0 };
	struct error ignored;

	if (fs_read(&all, e->dev->weos->record, RECORD_MAX + TRANSCRIPT_MAX, &ignored) != 0)
		return;
	sha256(e->out->transcript, buf_bytes(&all));
	e->out->has_transcript = true;
}

static void close_session(const struct erasing *e, struct weos *w, int result)
{
	struct error ignored;

	if (w->console)
		(void)!keep_record(e, w->console, &ignored);
	weos_close(w, result);
}

/* ---- what runs ---- */

struct masking {
	struct buf *out;
	struct bytes text;
	size_t at;
};

static void mask(void *ctx, size_t at, size_t len)
{
	struct masking *m = ctx;

	buf_add(m->out, m->text.ptr + m->at, at - m->at);
	buf_add_char(m->out, '*');
	m->at = at + len;
}

/* Without secrets: keys that a device makes for itself are others each time. */
static void masked(struct buf *out, struct bytes text)
{
	_cleanup_(buf_done) struct buf canonical = { 0 };
	struct masking m = { .out = out };

	weos_canonical(&canonical, text);
	m.text = buf_bytes(&canonical);
	weos_secrets(m.text, mask, &m);
	buf_add(out, m.text.ptr + m.at, m.text.len - m.at);
}

static bool is_same(struct bytes a, struct bytes b)
{
	_cleanup_(buf_done) struct buf ma = { 0 }, mb = { 0 };

	masked(&ma, a);
	masked(&mb, b);
	return bytes_equal(buf_bytes(&ma), buf_bytes(&mb));
}

static void digest(uint8_t out[static HASH_LEN], const struct journal *j, struct bytes running)
{
	_cleanup_(buf_done) struct buf all = { 0 };

	buf_add(&all, j->salt, SALT_LEN);
	masked(&all, running);
	sha256(out, buf_bytes(&all));
}

/* What runs before the erase, to know afterwards that something else does; and whatever somebody left on the console is dropped by the way.
 * The device may be in its boot loader, or not let us in: the dialogue finds out. */
static void look_before(struct erasing *e)
{
	_cleanup_(buf_done) struct buf running = { 0 };
	struct error ignored = { 0 };
	struct weos w;
	int r = weos_open(&w, e->dev, &ignored);

	if (r == 0 && !e->journal.is_past)
		r = weos_running(&w, &running, &ignored);
	close_session(e, &w, r);
	if (r < 0 || e->journal.is_past)
		return;
	digest(e->journal.before, &e->journal, buf_bytes(&running));
	e->journal.has_before = true;
}

/* 1: what runs and boots is the factory's. 0: it is not, or cannot be told. */
static int judge_texts(const struct erasing *e, struct weos *w, struct error *err)
{
	_cleanup_(buf_done) struct buf running = { 0 }, startup = { 0 }, factory = { 0 };
	uint8_t now[HASH_LEN];
	int r;

	if (weos_running(w, &running, err) < 0)
		return err->code;
	r = weos_startup(w, &startup, err);
	if (r < 0 || weos_show(w, &factory, "show factory-config", err) < 0)
		return err->code;
	if (r == 0 && !is_same(buf_bytes(&startup), buf_bytes(&running)))
		return 0; /* something else would boot */
	if (!weos_is_refusal(buf_bytes(&factory)))
		return is_same(buf_bytes(&running), buf_bytes(&factory));
	digest(now, &e->journal, buf_bytes(&running));
	return e->journal.has_before && memcmp(now, e->journal.before, HASH_LEN) != 0;
}

static int is_factory(const struct erasing *e, struct error *err)
{
	struct weos w;
	int r = weos_open(&w, &e->factory, err);

	if (r == 0)
		r = judge_texts(e, &w, err);
	close_session(e, &w, r);
	return r;
}

/* Is it as the factory made it, now that it takes the factory's password? */
static int prove(struct erasing *e, struct error *err)
{
	struct error second = { 0 };
	int r = is_factory(e, err);

	if (r != 0)
		return r < 0 ? error_add(err, "looking at what came up") : 0;
	error_set(err, E_PEER, "it came up, and what it runs is not what the factory made");
	return enter_state(e, "not-factory", &second) < 0 ? second.code : err->code;
}

/* ---- by console ---- */

int weos_load_password(struct secret *out, const struct settings_weos *weos, struct error *err)
{
	int r = credential_load(out, weos->credential, weos->key, err);

	if (r == CREDENTIAL_ABSENT)
		secret_copy(out, bytes_str(weos->default_password ? weos->default_password : ""));
	return r < 0 ? r : 0;
}

static int converse(struct erasing *e, struct console *console, const struct secret *password, const struct secret *factory,
		    struct error *err)
{
	_cleanup_(mem_freep) char *from = *e->journal.state ? mem_strdup(e->journal.state) : NULL;
	struct dialogue_run run = { .dialogue = e->dialogue, .console = console, .from = from, .journal = enter_state, .ctx = e };
	bool was_past = e->journal.is_past;
	int r;

	run.words[WEOS_PURGE_USER] = e->dev->weos->user;
	run.secrets[WEOS_PURGE_PASSWORD] = secret_bytes(password->len ? password : factory);
	run.secrets[WEOS_PURGE_FACTORY_PASSWORD] = secret_bytes(factory);
	r = dialogue_go(&run, err);
	if (r <= DIALOGUE_DONE)
		return r;
	if (r == DIALOGUE_NOTHING && !was_past) {
		e->journal.is_past = false;
		if (journal_write(&e->journal, err) < 0)
			return err->code;
	}
	return error_set(err, E_PEER, "%s%s", e->journal.is_past ? "" : "nothing was erased: ", run.says);
}

static int run_console(struct erasing *e, const struct secret *password, const struct secret *factory, struct error *err)
{
	_cleanup_(console_freep) struct console *console = NULL;
	struct line *line = NULL;
	struct error second = { 0 };
	int r;

	if (weos_line(&line, e->dev->weos, err) < 0 || console_new(&console, line, &weos_purge_grammar, err) < 0)
		return err->code;
	if ((password->len && !console_hide(console, secret_bytes(password))) || !console_hide(console, secret_bytes(factory)))
		return error_set(err, E_LIMIT, "a password is too long to be kept out of the transcript");
	r = converse(e, console, password, factory, err);
	if (keep_record(e, console, &second) < 0 && r == 0)
		return error_set(err, second.code, "%s", second.text);
	return r;
}

static int by_console(struct erasing *e, struct error *err)
{
	struct secret password = { 0 }, factory = { 0 };
	int r;

	if (!is_behind(e))
		look_before(e);
	r = weos_load_password(&password, e->dev->weos, err);
	if (r == 0)
		r = weos_load_password(&factory, &e->factory_way, err);
	if (r == 0)
		r = run_console(e, &password, &factory, err);
	secret_done(&password);
	secret_done(&factory);
	return r;
}

/* ---- by ssh ---- */

static void rest(unsigned ms)
{
	(void)poll(NULL, 0, (int)ms);
}

/* 0: it was told to, and the connection ended. */
static int say_reset(struct erasing *e, struct weos *w, struct error *err)
{
	const struct weos_ask ask = { .command = "factory-reset", .want = IN(WEOS_SURE) | IN(WEOS_EXEC), .timeout_ms = SURE_MS };
	struct error ended = { 0 };
	uint64_t begin = clock_mono_ms();
	int r;

	if (weos_command(w, NULL, &ask, err) < 0)
		return err->code;
	if (w->seen.shape != WEOS_SURE)
		return error_set(err, E_PEER, "nothing was erased: the device did not take the command");
	if (enter_state(e, WEOS_RESET_POINT, err) < 0 || console_pick(w->console, "y", 200, err) < 0 || console_enter(w->console, err) < 0)
		return err->code;
	r = console_wait(w->console, &w->seen, IN(WEOS_EXEC) | IN(WEOS_BOOTING), DOWN_MS, &ended);
	if (r == 0 && w->seen.shape == WEOS_EXEC)
		return error_set(err, E_PEER, "the device did not take the confirmation");
	if (r == E_PEER && clock_mono_ms() - begin >= DOWN_MS)
		return error_set(err, E_PEER, "it was told to reset itself, and was not seen to go down");
	w->is_in = false; /* nobody is there to log out from */
	return enter_state(e, "restarting", err);
}

static int ask_reset(struct erasing *e, struct error *err)
{
	_cleanup_(buf_done) struct buf running = { 0 };
	struct error first = { 0 };
	struct weos w;
	int r = weos_open(&w, e->dev, &first);

	if (r < 0) { /* it may be the factory's already, as far as it tells */
		close_session(e, &w, r);
		r = weos_open(&w, &e->factory, err);
		if (r < 0) {
			close_session(e, &w, r);
			return error_set(err, first.code, "%s", first.text);
		}
	}
	if (!e->journal.is_past && weos_running(&w, &running, err) == 0) {
		digest(e->journal.before, &e->journal, buf_bytes(&running));
		e->journal.has_before = true;
	}
	r = say_reset(e, &w, err);
	close_session(e, &w, r);
	return r;
}

/* It takes its time, and nobody answers meanwhile. */
static int await_login(struct erasing *e, struct error *err)
{
	uint64_t end = clock_mono_ms() + UP_MS;
	struct weos w;
	int r;

	do {
		struct error this = { 0 };

		rest(UP_EVERY_MS);
		r = weos_open(&w, &e->factory, &this);
		*err = this;
		close_session(e, &w, r);
	} while (r < 0 && clock_mono_ms() < end);
	return r < 0 ? error_add(err, "it was told to reset itself, and was not seen to come up: look at its console") : 0;
}

static int by_ssh(struct erasing *e, struct error *err)
{
	if (!is_behind(e) && ask_reset(e, err) < 0)
		return err->code;
	return await_login(e, err);
}

/* ---- the door ---- */

unsigned weos_capable(const struct settings_device *dev)
{
	unsigned by_console = DEVICE_PURGE | (dev->weos->serve ? DEVICE_UPGRADE : 0);

	return DEVICE_FACTORY_RESET | (dev->weos->ssh ? 0 : by_console);
}

/* By ssh an image can be written, and not be tried: what the loader starts is chosen at its menu alone (docs/reference/driver-weos.md). */
const char *weos_lacks(const struct settings_device *dev, unsigned capabilities)
{
	if (capabilities & DEVICE_UPGRADE && dev->weos->ssh)
		return "it is reached by 'ssh', where a new image cannot be tried before it takes the place of the one that works; reach "
		       "it by its console "
		       "('serial', 'tcp' or 'rfc2217'), and set 'serve'";
	if (capabilities & DEVICE_UPGRADE)
		return "set 'serve', the address of the agent's machine from which the switch is to fetch the image";
	if (capabilities & DEVICE_PURGE)
		return "it is reached by 'ssh', and the boot loader erases by its menu alone; reach it by its console ('serial', 'tcp' or "
		       "'rfc2217')";
	return NULL;
}

#define FACTORY_PASSWORD "admin"
static char factory_user[] = "admin";

void weos_factory_login(struct settings_weos *way, struct settings_device *factory, const struct settings_device *dev)
{
	*factory = *dev;
	*way = *dev->weos;
	factory->weos = way;
	way->user = factory_user;
	way->identity = NULL;
	way->credential = dev->weos->factory_credential;
	way->default_password = FACTORY_PASSWORD;
}

static void begin(struct erasing *e, const struct settings_device *dev)
{
	e->dev = dev;
	weos_factory_login(&e->factory_way, &e->factory, dev);
	e->dialogue = e->how == DEVICE_ERASE_PURGE ? &weos_purge : &weos_reset;
	e->point = e->how == DEVICE_ERASE_PURGE ? WEOS_PURGE_POINT : WEOS_RESET_POINT;
}

static void tell(const struct erasing *e, bool is_done)
{
	struct device_erased *out = e->out;
	bool is_purge = e->how == DEVICE_ERASE_PURGE;

	if (is_purge)
		device_area(out, "boot-loader-settings", "boot-menu-erase", AREA_VENDOR_PURGE);
	device_area(out, "configuration", is_purge ? "boot-menu-erase" : "cli-factory-reset", is_purge ? AREA_VENDOR_PURGE : AREA_CLEAR);
	for (size_t i = 0; i < out->area_count; i++) {
		out->areas[i].result = is_done ? AREA_DONE : e->journal.is_past ? AREA_PARTIAL : AREA_NOT_DONE;
		out->areas[i].seen = is_done ? AREA_AFTER_REBOOT : AREA_NOTHING;
	}
	device_left(out, "firmware images and the boot loader itself");
	device_left(out, "log files in memory, as far as they outlast a restart");
	if (is_purge)
		return;
	device_left(out, "settings of the boot loader");
	device_left(out, "freed blocks of the flash, in which the old configuration may lie until they are written again");
}

int weos_erase(struct device_erased *out, const struct settings_device *dev, enum device_erase how, const char *state_dir,
	       struct error *err)
{
	struct erasing e = { .how = how, .out = out };
	struct error ignored;
	int r;

	begin(&e, dev);
	r = journal_read(&e.journal, how, state_dir, err);
	if (r == 0 && !*e.journal.state)
		r = fs_remove(dev->weos->record, &ignored) == 0 ? journal_write(&e.journal, err) : 0;
	if (r == 0)
		r = dev->weos->ssh ? by_ssh(&e, err) : by_console(&e, err);
	if (r == 0)
		r = prove(&e, err);
	tell(&e, r == 0);
	hash_record(&e);
	free(e.journal.path);
	return r;
}
