/* tests/fake/weos/show.c -- what "show" shows. */
#include "tests/fake/weos/session.h"

#include "base/clock.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

struct topic {
	const char *word;
	void (*show)(struct session *s);
};

static void show_tree(struct session *s, const struct node *tree)
{
	struct error err = { 0 };

	if (device_spell(s->dev, &s->answer, tree, &err) < 0)
		say(s, "%% Error: %s\n", err.text);
}

static void show_running(struct session *s)
{
	show_tree(s, s->dev->running);
}

static void show_factory(struct session *s)
{
	_cleanup_(node_freep) struct node *tree = device_factory(s->dev);

	show_tree(s, tree);
}

/* The file and, as on the real one, four lines that are not in it. */
static void show_startup(struct session *s)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	int64_t mtime;
	char when[64];
	struct tm tm;

	if (!flash_get(&text, &mtime, &s->dev->flash, FLASH_CONFIG, "cfg/config0.cfg")) {
		say(s, "%% Error: startup-config not found.\n");
		return;
	}
	gmtime_r(&(time_t){ mtime }, &tm);
	strftime(when, sizeof(when), "%a %b %e %H:%M:%S %Y", &tm);
	buf_add_bytes(&s->answer, buf_bytes(&text));
	say(s, "\n\n");
	for (int i = 0; i < 78; i++)
		buf_add_char(&s->answer, '_');
	say(s, "\ncfg://config0.cfg%*s%s\n", 78 - 17 - (int)strlen(when), "", when);
}

static void pair(struct session *s, const char *left, const char *value, const char *right, const char *other)
{
	say(s, "%-18s : %-22s  %-18s : %s\n", left, value, right, other);
}

static const char *leaf(const struct session *s, const char *key)
{
	const struct node *node = config_find(s->dev->running, "system", key);

	return node ? node->value : "";
}

static const char *image(char out[static 32], const struct session *s, enum flash_part part)
{
	return boot_image_version(out, s->dev, part) ? out : "(corrupt)";
}

/* Labels as in a real file of 4.32.3; two fields share a line, apart by two blanks or more. */
static void show_system_information(struct session *s)
{
	const struct unit *unit = &s->dev->unit;
	char text[32], active[64];

	snprintf(active, sizeof(active), "%s", s->dev->active);
	say(s, "System Name        : %s\nSystem Contact     : %s\nSystem Location    : %s\nSystem Timezone    : %s\n\n",
	    device_host(s->dev), leaf(s, "contact"), leaf(s, "location"), *leaf(s, "timezone") ? leaf(s, "timezone") : "UTC");
	pair(s, "Product Family", unit->family, "Model", unit->model);
	pair(s, "Architecture", "arm", "Base MAC Address", unit->mac);
	pair(s, "Platform", "Dagger", "Class", "Switch");
	pair(s, "Article number", unit->article, "Serial Number", unit->serial);
	pair(s, "Boot loader ver.", image(text, s, FLASH_LOADER), "Active firmware", active);
	pair(s, "Main firmware ver.", image(text, s, FLASH_MAIN), "Manufacturing date", unit->made);
	say(s, "%-18s : %s\n\nCard #1\n", "Backup firmware ver", image(text, s, FLASH_BACKUP));
	pair(s, "  Type", "Copper 100-T", "Ports", "8");
}

static void show_version(struct session *s)
{
	say(s, "WeOS v%s\n", s->dev->version);
}

static void show_log(struct session *s)
{
	buf_add_bytes(&s->answer, buf_bytes(&s->dev->log));
}

static void show_users(struct session *s)
{
	static const char *const places[] = { "exec", "config", "boot", "boot" };

	say(s, "User             Line      Context\n");
	for (const struct session *other = s->dev->sessions; other; other = other->next)
		if (!other->is_over && other->state > SESSION_PASSWORD)
			say(s, "%-16s %-9s %s%s\n", other->user, other->is_console ? "console" : "ssh", places[other->place],
			    other == s ? " *" : "");
}

static void show_alarm(struct session *s)
{
	if (s->dev->fault[FAULT_BOOT_INTEGRITY])
		say(s, "boot-integrity     active   the boot loader's environment was changed from outside\n");
	if (strcmp(s->dev->active, "Main") != 0)
		say(s, "firmware           active   running from the backup image\n");
	if (!s->answer.len)
		say(s, "No active alarms.\n");
}

static void show_port(struct session *s)
{
	say(s, "Port  Type   Link  Speed/duplex\n");
	for (int i = 1; i <= 8; i++)
		say(s, "%4d  100-T  %s\n", i, i == 2 ? "UP    100-full" : "DOWN  -");
}

static void show_ifaces(struct session *s)
{
	for (const struct node *node = s->dev->running->first; node; node = node->next)
		if (strcmp(node->rule->word, "iface") == 0)
			say(s, "%-40s UP\n", node->key + 6);
}

static void show_boot(struct session *s)
{
	struct boot_settings boot;

	boot_settings_get(&boot, s->dev);
	say(s,
	    "Config order       : %s\nConfig fallback    : %s\nConfig sync        : %s\nSecure boot        : not supported\nBoot integrity "
	    "    : %s\n",
	    boot.order, boot.fallback, *boot.sync ? boot.sync : "disabled", s->dev->fault[FAULT_BOOT_INTEGRITY] ? "VIOLATED" : "ok");
}

static const struct topic topics[] = {
	{ "running-config", show_running },
	{ "startup-config", show_startup },
	{ "factory-config", show_factory },
	{ "system-information", show_system_information },
	{ "alarm", show_alarm },
	{ "boot", show_boot },
	{ "ifaces", show_ifaces },
	{ "log", show_log },
	{ "port", show_port },
	{ "users", show_users },
	{ "version", show_version },
};

static void show_context(struct session *s)
{
	if (s->place == PLACE_CONFIG)
		config_print_lines(&s->answer, s->path[s->depth], 0, NULL);
	else
		say(s, "config-order %s\nconfig-fallback %s\n%s%s\n", s->boot.order, s->boot.fallback,
		    *s->boot.sync ? "config-sync " : "no config-sync", s->boot.sync);
}

static void show_file(struct session *s, const char *name)
{
	if (!copy_source(s, &s->answer, name))
		say(s, "%% Error: %s not found.\n", name);
}

void show_run(struct session *s, char **word, size_t count)
{
	const struct topic *found = NULL;

	if (count == 1 && s->place != PLACE_EXEC) {
		show_context(s);
		return;
	}
	for (size_t i = 0; count > 1 && i < ARRAY_SIZE(topics) && !found; i++)
		if (strncmp(topics[i].word, word[1], strlen(word[1])) == 0)
			found = &topics[i];
	if (found)
		found->show(s);
	else if (count == 2 && strchr(word[1], '.'))
		show_file(s, word[1]);
	else
		say(s, "%% Error: invalid input\n");
}
