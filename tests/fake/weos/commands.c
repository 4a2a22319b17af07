/* tests/fake/weos/commands.c -- what can be typed: exec, configuration and boot contexts. */
#include "tests/fake/weos/session.h"

#include "base/clock.h"
#include "tests/fake/weos/upgrade.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { IN_EXEC = 1, IN_CONFIG = 2, IN_BOOT = 4, ANYWHERE = 7 };

struct command {
	const char *word;
	unsigned places;
	void (*run)(struct session *s, char **word, size_t count);
	const char *help;
};

static bool is_short_for(const char *word, const char *whole)
{
	return *word && strncmp(whole, word, strlen(word)) == 0;
}

/* ---- configuration ---- */

static bool go_down(struct session *s, struct node *to)
{
	if (s->depth == CONFIG_DEPTH_MAX)
		return false;
	s->path[++s->depth] = to;
	return true;
}

/* A password that is given in the clear is kept as its hash: "password alg sha512 secret X" becomes "... hash $6$...". */
static void hash_secret(struct session *s, struct buf *hash, char **word, size_t count)
{
	static char as_hash[] = "hash";
	bool is_user = count > 2 && (is_short_for(word[0], "username") || strcmp(word[0], "password") == 0);

	if (!is_user || (strcmp(word[count - 2], "secret") != 0 && strcmp(word[count - 2], "password") != 0))
		return;
	device_hash_password(s->dev, hash, word[count - 1]);
	word[count - 2] = as_hash;
	word[count - 1] = (char *)hash->ptr;
}

static bool is_self(const struct session *s, char **word, size_t count)
{
	return count == 2 && is_short_for(word[0], "username") && strcmp(word[1], s->user) == 0;
}

static bool config_words_run(struct session *s, char **word, size_t count, bool no);

/* A block and what goes into it, in one line: "iface cfg inet dhcp", "no system location". The context stays unless the line opens one
 * itself. Nothing is left of a line that is refused. */
static bool config_deeper_run(struct session *s, char **word, size_t count, bool no)
{
	size_t depth = s->depth;
	struct node *opened;
	bool is_new, done;

	for (size_t used = count - 1; used > 0; used--) {
		struct error err = { 0 };
		struct node *in = s->path[depth];

		if (config_line(&opened, &is_new, in, s->dev->unit.weos, word, used, false, NULL, &err) < 0 || !opened)
			continue;
		done = go_down(s, opened) && config_words_run(s, word + used, count - used, no);
		s->depth = done && s->depth > depth + 1 ? s->depth : depth;
		if (!done && is_new)
			config_drop(in, opened);
		return done;
	}
	say(s, "%% Error: invalid input\n");
	return false;
}

/* False: an error, which has been said. */
static bool config_words_run(struct session *s, char **word, size_t count, bool no)
{
	_cleanup_(buf_done) struct buf hash = { 0 };
	struct node *opened;
	struct error err = { 0 };
	bool is_new;

	if (no && is_self(s, word, count)) {
		say(s, "%% Error: a user cannot remove itself, this is not allowed.\n");
		return false;
	}
	hash_secret(s, &hash, word, count);
	if (config_line(&opened, &is_new, s->path[s->depth], s->dev->unit.weos, word, count, no, NULL, &err) < 0) {
		if (err.code == E_FORMAT && count > 1)
			return config_deeper_run(s, word, count, no);
		say(s, "%% Error: %s\n", err.text);
		return false;
	}
	if (is_new && strcmp(opened->rule->word, "remote-server") == 0)
		say(s, "Creating new remote server %s\n", word[1]);
	return !opened || go_down(s, opened);
}

static void run_configure(struct session *s, char **word, size_t count)
{
	size_t at = count > 1 && is_short_for(word[1], "terminal") ? 2 : 1;

	if (s->dev->fault[FAULT_CONFIG_LOCKED]) {
		say(s, "%% Error: the configuration is locked by alice, this is not allowed.\n");
		return;
	}
	session_configure(s);
	if (at == count)
		return;
	if (!config_words_run(s, word + at, count - at, false))
		session_drop_candidate(s);
	s->entry = s->depth;
}

static struct node *last_leaf_block(struct node *block)
{
	struct node *found = NULL;

	for (struct node *node = block->first; node; node = node->next)
		if (node->first)
			found = node;
	return found ? last_leaf_block(found) : block;
}

static void lose_line(struct node *root)
{
	struct node **link = &last_leaf_block(root)->first;

	while (*link && (*link)->next)
		link = &(*link)->next;
	*link = node_free(*link);
}

static bool has_administrator(const struct session *s, const struct node *tree)
{
	const struct node *aaa = tree->first;

	while (aaa && strcmp(aaa->key, "aaa") != 0)
		aaa = aaa->next;
	for (const struct node *user = aaa ? aaa->first : NULL; user; user = user->next)
		if (strcmp(user->rule->word, s->dev->unit.weos == 4 ? "username" : "user") == 0)
			return true;
	return false;
}

static void run_leave(struct session *s, char **word _unused_, size_t count _unused_)
{
	if (s->place != PLACE_CONFIG) {
		struct error err = { 0 };

		if (boot_settings_put(s->dev, &s->boot, &err) < 0)
			say(s, "%% Error: %s\n", err.text);
		s->place = PLACE_EXEC;
		return;
	}
	if (s->dev->fault[FAULT_LEAVE_REFUSED] || !has_administrator(s, s->candidate)) {
		say(s, "%% Error: the configuration is Invalid, nothing was activated.\n");
		return;
	}
	if (s->dev->fault[FAULT_LEAVE_LOSES_LINE])
		lose_line(s->candidate);
	device_set_running(s->dev, steal(s->candidate));
	session_drop_candidate(s);
	device_log(s->dev, "confd[201]: configuration activated by %s", s->user);
	say(s, "Applying configuration.\nConfiguration activated.  Remember \"copy run start\" to save to flash (NVRAM).\n");
}

static void run_abort(struct session *s, char **word _unused_, size_t count _unused_)
{
	session_drop_candidate(s);
}

/* One level up; at the level that configure began at, out of it with the changes. */
static void run_end(struct session *s, char **word, size_t count)
{
	if (s->place == PLACE_LOADER)
		s->place = PLACE_BOOT;
	else if (s->place == PLACE_CONFIG && s->depth > s->entry)
		s->depth--;
	else
		run_leave(s, word, count);
}

static void run_do(struct session *s, char **word, size_t count)
{
	enum session_place place = s->place;
	_cleanup_(buf_done) struct buf line = { 0 };

	for (size_t i = 1; i < count; i++)
		buf_addf(&line, "%s%s", i > 1 ? " " : "", word[i]);
	if (!line.len || strncmp(buf_text(&line), "conf", 4) == 0 || strncmp(buf_text(&line), "boot", 4) == 0) {
		say(s, "%% Error: invalid input\n");
		return;
	}
	s->place = PLACE_EXEC;
	command_run(s, (char *)line.ptr);
	s->place = place;
}

/* ---- boot contexts ---- */

static void run_boot(struct session *s, char **word _unused_, size_t count _unused_)
{
	boot_settings_get(&s->boot, s->dev);
	s->place = PLACE_BOOT;
}

static void boot_words_run(struct session *s, char **word, size_t count, bool no)
{
	_cleanup_(buf_done) struct buf value = { 0 };

	for (size_t i = 1; i < count && !no; i++)
		buf_addf(&value, "%s%s", i > 1 ? " " : "", word[i]);
	if (s->dev->fault[FAULT_BOOT_INTEGRITY] && s->place == PLACE_BOOT && !is_short_for(word[0], "loader")) {
		say(s, "%% Error: the boot integrity is violated, changes are not allowed.\n");
	} else if (s->place == PLACE_LOADER) {
		if (count == 2 && is_short_for(word[0], "boot-integrity") && is_short_for(word[1], "restore"))
			device_fault(s->dev, FAULT_BOOT_INTEGRITY, false);
		else
			say(s, "%% Error: invalid input\n");
	} else if (is_short_for(word[0], "loader")) {
		s->place = PLACE_LOADER;
	} else if (value.len >= sizeof(s->boot.fallback)) {
		say(s, "%% Error: invalid input\n");
	} else if (is_short_for(word[0], "config-order")) {
		snprintf(s->boot.order, sizeof(s->boot.order), "%s", no || !value.len ? "int:startup" : buf_text(&value));
	} else if (is_short_for(word[0], "config-fallback")) {
		snprintf(s->boot.fallback, sizeof(s->boot.fallback), "%s", no || !value.len ? "int:factory" : buf_text(&value));
	} else if (is_short_for(word[0], "config-sync")) {
		snprintf(s->boot.sync, sizeof(s->boot.sync), "%s", no ? "" : value.len ? buf_text(&value) : "ext");
	} else {
		say(s, "%% Error: invalid input\n");
	}
}

static void run_no(struct session *s, char **word, size_t count)
{
	if (count < 2)
		say(s, "%% Error: incomplete line\n");
	else if (s->place == PLACE_CONFIG)
		config_words_run(s, word + 1, count - 1, true);
	else
		boot_words_run(s, word + 1, count - 1, true);
}

/* ---- exec ---- */

static void run_batch(struct session *s, char **word, size_t count _unused_)
{
	s->is_batch = word[0][0] == 'b';
}

static void run_exit(struct session *s, char **word, size_t count)
{
	if (s->place == PLACE_EXEC)
		session_end(s);
	else
		run_end(s, word, count);
}

static void run_shell(struct session *s, char **word _unused_, size_t count _unused_)
{
	s->state = SESSION_SHELL;
}

static void run_encrypt_password(struct session *s, char **word, size_t count)
{
	struct error err = { 0 };

	if (count != 2)
		say(s, "%% Error: incomplete line\n");
	else if (device_set_encrypt_password(s->dev, word[1], &err) != 0)
		say(s, "%% Error: %s\n", err.text[0] ? err.text : "no space left on the flash");
	else
		say(s, "Remember \"copy run start\" to save to flash (NVRAM).\n");
}

static void restart(struct session *s)
{
	device_reboot(s->dev);
}

static void reboot_yes(struct session *s)
{
	say(s, "Rebooting ...\n");
	session_wait(s, 100, restart);
}

static void run_reboot(struct session *s, char **word _unused_, size_t count _unused_)
{
	session_ask(s, "=> Are you sure (y/N)?", reboot_yes);
}

static void clear(struct session *s)
{
	struct error err = { 0 };

	if (device_clear(s->dev, &err) < 0)
		say(s, "%% Error: %s\n", err.text);
	restart(s);
}

static void factory_reset_yes(struct session *s)
{
	say(s, "Restoring factory settings, the device will now reboot.\n");
	session_wait(s, 200, clear);
}

static void run_factory_reset(struct session *s, char **word _unused_, size_t count _unused_)
{
	session_ask(s, "=> Are you sure (y/N)?", factory_reset_yes);
}

static void run_uptime(struct session *s, char **word _unused_, size_t count _unused_)
{
	char age[24];

	clock_age_text(age, (int64_t)((clock_mono_ms() - s->dev->up_since_ms) / 1000));
	say(s, "up %s\n", age);
}

static void run_help(struct session *s, char **word, size_t count);

static void run_system_information(struct session *s, char **word _unused_, size_t count _unused_)
{
	static char show[] = "show", what[] = "system-information";
	char *both[] = { show, what };

	show_run(s, both, 2);
}

static const struct command commands[] = {
	{ "abort", IN_CONFIG | IN_BOOT, run_abort, "leave without the changes" },
	{ "batch", IN_EXEC, run_batch, "no pages" },
	{ "boot", IN_EXEC, run_boot, "the boot context" },
	{ "configure", IN_EXEC, run_configure, "[terminal | CONTEXT]" },
	{ "copy", IN_EXEC, copy_run, "SOURCE DESTINATION: running-config, startup-config, factory-config, console, cfg://FILE" },
	{ "cp", IN_EXEC, copy_run, "copy" },
	{ "dir", IN_EXEC, dir_run, "files" },
	{ "do", IN_CONFIG | IN_BOOT, run_do, "COMMAND" },
	{ "encrypt-password", IN_EXEC, run_encrypt_password, "SECRET" },
	{ "end", IN_CONFIG | IN_BOOT, run_end, "one level up" },
	{ "erase", IN_EXEC, erase_run, "FILE" },
	{ "exit", ANYWHERE, run_exit, "one level up, or log out" },
	{ "factory-reset", IN_EXEC, run_factory_reset, "back to factory settings" },
	{ "help", ANYWHERE, run_help, "this" },
	{ "interactive", IN_EXEC, run_batch, "pages" },
	{ "leave", IN_CONFIG | IN_BOOT, run_leave, "apply and leave" },
	{ "logout", IN_EXEC, run_exit, "log out" },
	{ "no", IN_CONFIG | IN_BOOT, run_no, "LINE" },
	{ "reboot", IN_EXEC, run_reboot, "restart" },
	{ "shell", IN_EXEC, run_shell, "a shell" },
	{ "show", ANYWHERE, show_run, "WHAT" },
	{ "system-information", IN_EXEC, run_system_information, "show system-information" },
	{ "upgrade", IN_EXEC, upgrade_run, "[force] [no-reboot] all|pri|sec|boot URI" },
	{ "uptime", IN_EXEC, run_uptime, "since the last boot" },
};

static void run_help(struct session *s, char **word _unused_, size_t count _unused_)
{
	unsigned place = s->place == PLACE_EXEC ? IN_EXEC : s->place == PLACE_CONFIG ? IN_CONFIG : IN_BOOT;
	char at[64];

	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (commands[i].places & place)
			say(s, "  %-20s %s\n", commands[i].word, commands[i].help);
	if (s->place == PLACE_CONFIG)
		config_help(&s->answer, config_place(at, s->path[s->depth]), s->dev->unit.weos);
}

/* A whole word, or one that begins only one of those of this place. In the configuration its own words come first. */
static const struct command *find_command(unsigned place, const char *word)
{
	const struct command *found = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		if (!(commands[i].places & place) || !is_short_for(word, commands[i].word))
			continue;
		if (strcmp(commands[i].word, word) == 0)
			return &commands[i];
		if (found)
			return NULL;
		found = &commands[i];
	}
	return found && (place == IN_EXEC || strlen(word) > 2) ? found : NULL;
}

void command_run(struct session *s, char *line)
{
	unsigned place = s->place == PLACE_EXEC ? IN_EXEC : s->place == PLACE_CONFIG ? IN_CONFIG : IN_BOOT;
	const struct command *command;
	char *word[CONFIG_WORDS_MAX];
	size_t count = config_words(word, CONFIG_WORDS_MAX, line);
	static char help[] = "help";

	if (count == 0 || word[0][0] == '#')
		return;
	if (strcmp(word[0], "?") == 0)
		word[0] = help;
	command = find_command(place, word[0]);
	if (command)
		command->run(s, word, count);
	else if (place == IN_CONFIG)
		config_words_run(s, word, count, false);
	else if (place == IN_BOOT)
		boot_words_run(s, word, count, false);
	else
		say(s, "%% Error: invalid input\n");
}
