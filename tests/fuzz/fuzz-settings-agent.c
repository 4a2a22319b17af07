/* tests/fuzz/fuzz-settings-agent.c -- agent.yaml: what is loaded keeps its promises, and says the same when it is written again. */
#include "tests/fuzz/fuzz.h"

#include "agent/settings.h"
#include "policies/files-text.h"

#include <stdlib.h>
#include <string.h>

static bool is_name(const char *text, size_t max)
{
	size_t len = strlen(text);

	return len >= 1 && len <= max && strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789._-") == len && !strchr("._-", text[0]);
}

static void check_frr(const struct settings_frr *frr)
{
	MUST(frr && frr->config[0] == '/' && frr->daemons_count >= 1);
	MUST(!frr->pathspace || !frr->vty_socket);
	for (unsigned i = 0; i < frr->daemons_count; i++)
		MUST(is_name(frr->daemons[i], 4096));
}

static void check_files(const struct settings_files *files)
{
	MUST(files && files->root[0] == '/' && files->parts_count >= 1 && files->first[0] == '/');
	for (unsigned i = 0; i < files->parts_count; i++) {
		const struct settings_part *part = &files->parts[i];

		MUST(files_path_ok(bytes_str(part->path)) && files_format_known(part->format));
		MUST(!part->load || (part->running && !strpbrk(part->path, "*?[")));
		MUST(strcmp(part->format, "nftables") != 0 || (part->running_count && part->load_count && part->check_count));
	}
}

static void check_weos(const struct settings_weos *weos)
{
	MUST(weos && (weos->ssh != NULL) + (weos->serial != NULL) + (weos->tcp != NULL) + (weos->rfc2217 != NULL) == 1);
	MUST(!weos->ssh == !weos->known_hosts && (weos->ssh || !weos->identity));
	MUST(weos->user[0] && weos->user[0] != '-' && weos->speed >= 9600 && weos->credential[0] == '/' && weos->key[0] == '/' &&
	     weos->boot[0] == '/');
	MUST(!weos->serial || weos->serial[0] == '/');
}

static void check_device(const struct settings *s, const struct settings_device *dev)
{
	MUST(is_name(dev->name, 63) && settings_device(s, dev->name) == dev);
	if (!strcmp(dev->driver, "files"))
		check_files(dev->files);
	else if (!strcmp(dev->driver, "weos"))
		check_weos(dev->weos);
	else
		check_frr(dev->frr);
	MUST(dev->commit->mode <= MODE_REVERT && settings_mode_name(dev->commit->mode));
	MUST(dev->commit->quiet >= 1 && dev->commit->remind >= 1 && dev->commit->watch >= 1);
}

static void put_quoted(struct buf *out, const char *value)
{
	buf_add_char(out, '"');
	for (; *value; value++) {
		if (*value == '"' || *value == '\\' || *value == '\n')
			buf_add_char(out, '\\');
		buf_add_char(out, *value == '\n' ? 'n' : *value);
	}
	buf_add_str(out, "\"\n");
}

static void put_text(struct buf *out, const char *key, const char *value)
{
	if (!value)
		return;
	buf_addf(out, "%s: ", key);
	put_quoted(out, value);
}

static void put_frr(struct buf *out, const struct settings_frr *frr)
{
	buf_add_str(out, "  frr:\n");
	put_text(out, "    pathspace", frr->pathspace);
	put_text(out, "    vty-socket", frr->vty_socket);
	put_text(out, "    config", frr->config);
	buf_add_str(out, "    daemons:\n");
	for (unsigned i = 0; i < frr->daemons_count; i++)
		buf_addf(out, "    - %s\n", frr->daemons[i]);
}

static void put_item(struct buf *out, const char *value)
{
	buf_add_str(out, "      - ");
	put_quoted(out, value);
}

static void put_command(struct buf *out, const char *key, char *const *argv, unsigned count)
{
	if (count)
		buf_addf(out, "      %s:\n", key);
	for (unsigned i = 0; i < count; i++)
		put_item(out, argv[i]);
}

static void put_files(struct buf *out, const struct settings_files *files)
{
	buf_add_str(out, "  files:\n");
	put_text(out, "    root", files->root);
	buf_add_str(out, "    parts:\n");
	for (unsigned i = 0; i < files->parts_count; i++) {
		const struct settings_part *part = &files->parts[i];

		put_text(out, "    - path", part->path);
		put_text(out, "      format", part->format);
		put_command(out, "running", part->running, part->running_count);
		put_command(out, "load", part->load, part->load_count);
		put_command(out, "reload", part->reload, part->reload_count);
		put_command(out, "loaded", part->loaded, part->loaded_count);
		put_command(out, "check", part->check, part->check_count);
	}
}

static void put_weos(struct buf *out, const struct settings_weos *weos)
{
	buf_add_str(out, "  weos:\n");
	put_text(out, "    ssh", weos->ssh);
	put_text(out, "    serial", weos->serial);
	put_text(out, "    tcp", weos->tcp);
	put_text(out, "    rfc2217", weos->rfc2217);
	put_text(out, "    user", weos->user);
	put_text(out, "    identity", weos->identity);
	put_text(out, "    known-hosts", weos->known_hosts);
	put_text(out, "    credential", weos->credential);
	if (weos->speed_set)
		buf_addf(out, "    speed: %u\n", weos->speed);
}

static void put_device(struct buf *out, const struct settings_device *dev)
{
	put_text(out, "- name", dev->name);
	put_text(out, "  driver", dev->driver);
	buf_addf(out, "  commit:\n    mode: %s\n    quiet: %u\n    remind: %u\n    watch: %u\n", settings_mode_name(dev->commit->mode),
		 dev->commit->quiet, dev->commit->remind, dev->commit->watch);
	if (dev->frr)
		put_frr(out, dev->frr);
	if (dev->files)
		put_files(out, dev->files);
	if (dev->weos)
		put_weos(out, dev->weos);
}

static void put_settings(struct buf *out, const struct settings *s)
{
	put_text(out, "state", s->state);
	put_text(out, "user", s->user);
	buf_addf(out, "spool: %u\nwait: %u\ndevices:\n", s->spool, s->wait);
	for (unsigned i = 0; i < s->devices_count; i++)
		put_device(out, &s->devices[i]);
}

static bool is_ascii(struct bytes in)
{
	for (size_t i = 0; i < in.len; i++)
		if (in.ptr[i] != '\n' && (in.ptr[i] < 0x20 || in.ptr[i] > 0x7e))
			return false;
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(settings_freep) struct settings *s = NULL, *again = NULL;
	_cleanup_(buf_done) struct buf text = { 0 }, text_again = { 0 };
	struct error err = { 0 };

	if (settings_load(&s, fuzz_file(bytes_of(data, size)), &err) < 0) {
		MUST(!s && err.text[0]);
		return 0;
	}
	MUST(s->state[0] == '/' && s->user[0] && s->spool && s->wait >= 1 && s->wait <= 14400 && s->keepalive >= 10 &&
	     s->keepalive <= 14400);
	MUST(s->devices_count >= 1 && s->devices_count <= SETTINGS_DEVICES_MAX);
	for (unsigned i = 0; i < s->devices_count; i++)
		check_device(s, &s->devices[i]);
	put_settings(&text, s);
	if (!is_ascii(buf_bytes(&text))) /* quoting of the rest is YAML's affair */
		return 0;
	MUST_OK(settings_load(&again, fuzz_file(buf_bytes(&text)), &err));
	put_settings(&text_again, again);
	MUST(bytes_equal(buf_bytes(&text), buf_bytes(&text_again)));
	return 0;
}
