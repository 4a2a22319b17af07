/* tests/fake/weos/copy.c -- files, and configurations that are copied onto one another. */
#include "tests/fake/weos/session.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum kind { RUNNING, STARTUP, FACTORY, CONSOLE, FILE_NAME };

static enum kind kind_of(const char *name)
{
	static const char *const words[] = { "running-config", "startup-config", "factory-config", "console" };

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (strlen(name) > 2 && strncmp(words[i], name, strlen(name)) == 0)
			return (enum kind)i;
	return FILE_NAME;
}

/* "cfg://x", "/cfg/x" and "x" are one file; log:// and other schemes hold none that is kept. */
static bool flash_name(char out[static FLASH_NAME_MAX], const char *name)
{
	static const char *const folders[] = { "cfg", "crt" };
	const char *folder = "cfg";

	for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
		size_t len = strlen(folders[i]);

		if (strncmp(name, folders[i], len) == 0 && strncmp(name + len, "://", 3) == 0) {
			folder = folders[i];
			name += len + 3;
		} else if (name[0] == '/' && strncmp(name + 1, folders[i], len) == 0 && name[len + 1] == '/') {
			folder = folders[i];
			name += len + 2;
		}
	}
	if (!*name || strlen(name) > FLASH_NAME_MAX - 8 || strpbrk(name, "/:*?\"'"))
		return false;
	snprintf(out, FLASH_NAME_MAX, "%s/%s", folder, name);
	return true;
}

bool copy_source(struct session *s, struct buf *out, const char *name)
{
	char file[FLASH_NAME_MAX];
	struct error err = { 0 };

	switch (kind_of(name)) {
	case RUNNING:
		return device_spell(s->dev, out, s->dev->running, &err) == 0;
	case STARTUP:
		return flash_get(out, NULL, &s->dev->flash, FLASH_CONFIG, "cfg/config0.cfg");
	case FACTORY: {
		_cleanup_(node_freep) struct node *tree = device_factory(s->dev);

		return device_spell(s->dev, out, tree, &err) == 0;
	}
	case CONSOLE:
		return false;
	case FILE_NAME:
		return flash_name(file, name) && flash_get(out, NULL, &s->dev->flash, FLASH_CONFIG, file);
	}
	return false;
}

static void to_running(struct session *s, struct bytes text)
{
	struct error err = { 0 };
	struct node *tree;
	size_t unreadable = 0;

	if (device_read_config(s->dev, &tree, text, &unreadable, &err) < 0) {
		say(s, "%% Error: the configuration is Invalid: %s\n", err.text);
		return;
	}
	device_set_running(s->dev, tree);
	device_log(s->dev, "confd[201]: running-config replaced by %s", s->user);
	say(s, "Applying configuration.\n");
	if (unreadable)
		say(s, "Warning: %zu encrypted secrets could not be decrypted.\n", unreadable);
}

static void to_file(struct session *s, const char *name, struct bytes text, bool is_silent)
{
	struct error err = { 0 };
	int r = s->dev->fault[FAULT_FLASH_FULL] ? FLASH_FULL : flash_put(&s->dev->flash, FLASH_CONFIG, name, text, &err);

	if (r == FLASH_FULL)
		say(s, "%% Error: No space left on device\n");
	else if (r < 0)
		say(s, "%% Error: %s\n", err.text);
	else if (!is_silent)
		say(s, "Done.\n");
}

/* Silent when it is done, as on 4.32: every word of it is bad news. */
static void save(struct session *s)
{
	struct error err = { 0 };
	int r;

	if (s->dev->fault[FAULT_SAVE_LIES])
		return;
	if (s->dev->fault[FAULT_POWER_CUT_SAVE]) {
		s->dev->fault[FAULT_POWER_CUT_SAVE] = false;
		device_power_cut(s->dev);
		return;
	}
	r = s->dev->fault[FAULT_FLASH_FULL] ? FLASH_FULL : device_save(s->dev, &err);
	if (r == FLASH_FULL)
		say(s, "%% Error: failed saving startup-config: No space left on device\n");
	else if (r < 0)
		say(s, "%% Error: %s\n", err.text);
}

static void copy_to(struct session *s, const char *from, struct bytes text, const char *to)
{
	char file[FLASH_NAME_MAX];

	switch (kind_of(to)) {
	case RUNNING:
		to_running(s, text);
		break;
	case STARTUP:
		if (kind_of(from) == RUNNING)
			save(s);
		else
			to_file(s, "cfg/config0.cfg", text, true);
		break;
	case CONSOLE:
		buf_add_bytes(&s->answer, text);
		break;
	case FACTORY:
		say(s, "%% Error: factory-config cannot be written, this is not allowed.\n");
		break;
	case FILE_NAME:
		if (!flash_name(file, to)) {
			say(s, "%% Error: %s is not supported.\n", to);
			break;
		}
		say(s, "Copying %s to /%s ...\n", from, file);
		to_file(s, file, text, false);
		break;
	}
}

void copy_run(struct session *s, char **word, size_t count)
{
	_cleanup_(buf_done) struct buf text = { 0 };

	if (count != 3) {
		say(s, "%% Error: incomplete line\n");
		return;
	}
	if (kind_of(word[1]) == CONSOLE) {
		snprintf(s->paste_to, sizeof(s->paste_to), "%s", word[2]);
		s->state = SESSION_PASTE;
		return;
	}
	if (!copy_source(s, &text, word[1]))
		say(s, "%% Error: %s not found.\n", word[1]);
	else
		copy_to(s, word[1], buf_bytes(&text), word[2]);
}

void copy_pasted(struct session *s)
{
	copy_to(s, "console", buf_bytes(&s->paste), s->paste_to);
}

static void list_file(void *ctx, const char *name, size_t size, int64_t mtime)
{
	struct session *s = ctx;
	char when[32];
	struct tm tm;

	if (strncmp(name, "cfg/", 4) != 0)
		return;
	gmtime_r(&(time_t){ mtime }, &tm);
	strftime(when, sizeof(when), "%b %e %H:%M", &tm);
	say(s, "%8zu  %s  %s%s\n", size, when, name + 4, strcmp(name, "cfg/config0.cfg") == 0 ? " -> startup-config" : "");
}

void dir_run(struct session *s, char **word _unused_, size_t count _unused_)
{
	say(s, "Contents of cfg://\n");
	flash_list(&s->dev->flash, FLASH_CONFIG, list_file, s);
}

void erase_run(struct session *s, char **word, size_t count)
{
	char file[FLASH_NAME_MAX];
	struct error err = { 0 };
	_cleanup_(buf_done) struct buf old = { 0 };

	if (count != 2 || !flash_name(file, word[1]))
		say(s, "%% Error: incomplete line\n");
	else if (!flash_get(&old, NULL, &s->dev->flash, FLASH_CONFIG, file))
		say(s, "%% Error: %s not found.\n", word[1]);
	else if (flash_drop(&s->dev->flash, FLASH_CONFIG, file, &err) != 0)
		say(s, "%% Error: %s\n", err.text);
}
