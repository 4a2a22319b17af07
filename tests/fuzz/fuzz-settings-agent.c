/* tests/fuzz/fuzz-settings-agent.c -- agent.yaml: what is loaded keeps its promises, and says the same when it is written again. */
#include "tests/fuzz/fuzz.h"

#include "agent/settings.h"

#include <stdlib.h>
#include <string.h>

static bool is_name(const char *text, size_t max)
{
	size_t len = strlen(text);

	return len >= 1 && len <= max && strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789._-") == len && !strchr("._-", text[0]);
}

static void check_device(const struct settings *s, const struct settings_device *dev)
{
	MUST(is_name(dev->name, 63) && settings_device(s, dev->name) == dev);
	MUST(!strcmp(dev->driver, "frr") && dev->frr && dev->frr->config[0] == '/' && dev->frr->daemons_count >= 1);
	MUST(!dev->frr->pathspace || !dev->frr->vty_socket);
	for (unsigned i = 0; i < dev->frr->daemons_count; i++)
		MUST(is_name(dev->frr->daemons[i], 4096));
	MUST(dev->commit->mode <= MODE_REVERT && settings_mode_name(dev->commit->mode));
	MUST(dev->commit->quiet >= 1 && dev->commit->remind >= 1 && dev->commit->watch >= 1);
}

static void put_text(struct buf *out, const char *key, const char *value)
{
	if (!value)
		return;
	buf_addf(out, "%s: \"", key);
	for (; *value; value++) {
		if (*value == '"' || *value == '\\' || *value == '\n')
			buf_add_char(out, '\\');
		buf_add_char(out, *value == '\n' ? 'n' : *value);
	}
	buf_add_str(out, "\"\n");
}

static void put_device(struct buf *out, const struct settings_device *dev)
{
	put_text(out, "- name", dev->name);
	put_text(out, "  driver", dev->driver);
	buf_addf(out, "  commit:\n    mode: %s\n    quiet: %u\n    remind: %u\n    watch: %u\n", settings_mode_name(dev->commit->mode),
		 dev->commit->quiet, dev->commit->remind, dev->commit->watch);
	buf_add_str(out, "  frr:\n");
	put_text(out, "    pathspace", dev->frr->pathspace);
	put_text(out, "    vty-socket", dev->frr->vty_socket);
	put_text(out, "    config", dev->frr->config);
	buf_add_str(out, "    daemons:\n");
	for (unsigned i = 0; i < dev->frr->daemons_count; i++)
		buf_addf(out, "    - %s\n", dev->frr->daemons[i]);
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
	MUST(s->state[0] == '/' && s->user[0] && s->spool && s->wait >= 1 && s->wait <= 3600);
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
