/* agent/frr-erase.c -- a router back to how the factory (or the package) made it: what runs, what boots, and older versions beside it.
 *
 * Startup is overwritten where it lies: a new file that is renamed over it would leave the old one's blocks as they are. There is nothing
 * to remember between two runs: each step looks at what is there. */
#include "agent/frr-parts.h"

#include "agent/copies.h"
#include "base/wipe.h"
#include "policies/frr-text.h"
#include "policies/words.h"

#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What the package brings: no name, no address, no protocol. */
static const char package_text[] = "log syslog informational\n";

/* Whose files may lie beside the one for all, from times before it. */
static const char *const daemons[] = { "frr.conf",     "zebra.conf",  "bgpd.conf",   "ospfd.conf", "ospf6d.conf",  "ripd.conf",
				       "ripngd.conf",  "isisd.conf",  "pimd.conf",   "pim6d.conf", "ldpd.conf",    "nhrpd.conf",
				       "eigrpd.conf",  "babeld.conf", "sharpd.conf", "pbrd.conf",  "staticd.conf", "bfdd.conf",
				       "fabricd.conf", "vrrpd.conf",  "pathd.conf",  "mgmtd.conf", "Zebra.conf",   "Quagga.conf" };

struct resetting {
	const struct settings_device *dev;
	char *config; /* the file itself, links followed */
	struct buf text;
};

static void resetting_done(struct resetting *r)
{
	free(r->config);
	buf_done(&r->text);
}

static int begin(struct resetting *r, const struct settings_device *dev, struct error *err)
{
	int read = 0;

	r->dev = dev;
	r->config = realpath(dev->frr->config, NULL);
	if (!r->config)
		r->config = mem_strdup(dev->frr->config);
	if (dev->frr->factory)
		read = fs_read(&r->text, dev->frr->factory, DEVICE_TEXT_MAX - 1, err);
	else
		buf_add_str(&r->text, package_text);
	if (dev->frr->factory && copies_is_same(dev->frr->factory, r->config))
		return error_set(err, E_FORMAT, "'%s' is the startup file itself", dev->frr->factory);
	if (read == FS_ABSENT || (read == 0 && !r->text.len))
		return error_set(err, E_FORMAT, "there is no factory configuration in '%s'", dev->frr->factory);
	return read < 0 ? error_add(err, "the factory configuration") : 0;
}

/* Before the first effect: would the router take it? Later it must go on, whatever has become of the router. */
static int check(const struct resetting *r, struct error *err)
{
	_cleanup_(buf_done) struct buf startup = { 0 };
	int read = fs_read(&startup, r->config, DEVICE_TEXT_MAX, err);

	if (read < 0)
		return error_add(err, "the startup configuration");
	if (read == 0 && bytes_equal(buf_bytes(&startup), buf_bytes(&r->text)))
		return 0;
	return frr_check(r->dev, buf_bytes(&r->text), DEVICE_WHOLE, err) < 0 ? error_add(err, "the factory configuration") : 0;
}

static int reset_startup(const struct resetting *r, struct error *err)
{
	int done = wipe_replace(r->config, buf_bytes(&r->text), err);

	if (done != FS_ABSENT)
		return done;
	return fs_replace(r->config, buf_bytes(&r->text), 0640, err) < 0 ? err->code : frr_give(r->config, err);
}

/* What each daemon kept for itself before there was one file for all is older than that one. Beside a file of another name they may be
 * somebody else's. */
static int wipe_older(const struct resetting *r, const char *folder, struct error *err)
{
	size_t len = strlen(r->config);

	if (len < 9 || strcmp(r->config + len - 9, "/frr.conf") != 0)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(daemons); i++) {
		_cleanup_(mem_freep) char *path = mem_printf("%s/%s", folder, daemons[i]), *real = realpath(path, NULL);
		bool is_kept = real && (!strcmp(real, r->config) || (r->dev->frr->factory && !strcmp(real, r->dev->frr->factory)));

		if (real && !is_kept && !strcmp(real, path) && wipe_file(path, err) < 0)
			return err->code;
	}
	return copies_wipe(folder, daemons, ARRAY_SIZE(daemons), r->dev->frr->factory, err);
}

static int wipe_copies(const struct resetting *r, struct error *err)
{
	_cleanup_(mem_freep) char *copy = mem_strdup(r->config);

	if (copies_wipe_beside(r->config, r->dev->frr->factory, err) < 0)
		return err->code;
	return wipe_older(r, dirname(copy), err);
}

/* frr-reload.py takes these for impossible to remove, and they hold, or open, the way in. */
static bool is_login(struct bytes line)
{
	return words_start(line, "password ") || words_start(line, "username ");
}

static bool has_line(struct bytes text, struct bytes wanted)
{
	struct bytes line;

	while (bytes_next_line(&text, &line))
		if (bytes_equal(words_trim_end(line), wanted))
			return true;
	return false;
}

/* Appends what takes the logins away that are not the factory's. */
static void logins_off(struct buf *out, const struct resetting *r, struct bytes running)
{
	struct bytes line, words[3];

	while (bytes_next_line(&running, &line)) {
		line = words_trim_end(line);
		if (!is_login(line) || has_line(buf_bytes(&r->text), line))
			continue;
		buf_add_str(out, words_start(line, "password ") ? "no password" : "no username ");
		if (words_start(line, "username ") && words_split(words, ARRAY_SIZE(words), line) > 1)
			buf_add_bytes(out, words[1]);
		buf_add_char(out, '\n');
	}
}

/* apply() reads back; but what a daemon that is down would run, nobody has seen. */
static int look_whole(struct device_look *out, const struct resetting *r, struct error *err)
{
	if (frr_look(out, r->dev, err) < 0)
		return err->code;
	return out->is_whole ? 0 : error_set(err, E_PEER, "these daemons do not answer: %.200s", out->missing);
}

static int reset_running(const struct resetting *r, struct error *err)
{
	_cleanup_(device_look_done) struct device_look look = { 0 }, after = { 0 };
	_cleanup_(buf_done) struct buf off = { 0 }, still = { 0 };

	if (frr_apply(r->dev, buf_bytes(&r->text), DEVICE_WHOLE, err) < 0 || look_whole(&look, r, err) < 0)
		return err->code;
	logins_off(&off, r, buf_bytes(&look.running));
	if (!off.len)
		return 0;
	if (frr_enter(r->dev, buf_bytes(&off), err) < 0 || look_whole(&after, r, err) < 0)
		return err->code;
	logins_off(&still, r, buf_bytes(&after.running));
	return still.len ? error_set(err, E_PEER, "a password or a user still runs") : 0;
}

int frr_factory_reset(struct device_erased *out, const struct settings_device *dev, struct error *err)
{
	_cleanup_(resetting_done) struct resetting r = { 0 };
	struct area *startup = device_area(out, "startup", "overwrite", AREA_CLEAR),
		    *running = device_area(out, "running", "frr-reload", AREA_CLEAR);

	device_left(out, "log files and the journal of the machine");
	device_left(out, "command histories in home folders, and crash logs in /var/tmp/frr");
	device_left(out, "copies of the configuration under other names or in other folders");
	device_left(out, "freed blocks, snapshots and journals of the file system, and what the medium copied by itself");
	if (begin(&r, dev, err) < 0 || check(&r, err) < 0)
		return err->code;
	startup->result = AREA_PARTIAL;
	if (reset_startup(&r, err) < 0 || wipe_copies(&r, err) < 0)
		return err->code;
	startup->result = AREA_DONE;
	startup->seen = AREA_READ_BACK;
	running->result = AREA_PARTIAL;
	if (reset_running(&r, err) < 0)
		return err->code;
	running->result = AREA_DONE;
	running->seen = AREA_READ_BACK;
	return 0;
}
