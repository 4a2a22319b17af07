/* tests/fake/weos/device.c -- the device with power: what is in its RAM, and the console line that ends in it. */
#include "tests/fake/weos/device.h"

#include "base/clock.h"
#include "base/fs.h"
#include "tests/fake/weos/line.h"
#include "tests/fake/weos/session.h"

#include <crypt.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { LOG_MAX = 32 << 10, UNIT_MAX = 1000, FILES_MAX = 64 };

/* ---- what is burnt in ---- */

static int read_unit(struct unit *out, const char *path, struct error *err)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	int r = fs_read(&text, path, UNIT_MAX, err);

	if (r != 0)
		return r;
	if (sscanf(buf_text(&text), "weos %u family %31s model %63s article %31s serial %31s mac %19s made %11s", &out->weos, out->family,
		   out->model, out->article, out->serial, out->mac, out->made) != 7)
		return error_set(err, E_FORMAT, "'%s' is not what a unit has burnt in", path);
	return 0;
}

const char *device_family(unsigned weos)
{
	return weos == 4 ? "Lynx" : "RedFox";
}

static int burn_unit(struct unit *out, const char *path, unsigned weos, const char *serial, struct error *err)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	uint32_t number = randombytes_uniform(90000) + 10000;

	*out = (struct unit){ .weos = weos };
	snprintf(out->family, sizeof(out->family), "%s", device_family(weos));
	snprintf(out->model, sizeof(out->model), "%s", weos == 4 ? "L110-F2G" : "RFI-211-T3G");
	snprintf(out->article, sizeof(out->article), "%s", weos == 4 ? "3643-0100" : "3641-0240");
	snprintf(out->serial, sizeof(out->serial), "%u", number);
	if (serial)
		snprintf(out->serial, sizeof(out->serial), "%s", serial);
	snprintf(out->mac, sizeof(out->mac), "02:07:7c:%02x:%02x:%02x", number >> 16 & 255, number >> 8 & 255, number & 255);
	snprintf(out->made, sizeof(out->made), "2024-03-11");
	buf_addf(&text, "weos %u family %s model %s article %s serial %s mac %s made %s\n", weos, out->family, out->model, out->article,
		 out->serial, out->mac, out->made);
	return fs_write(path, buf_bytes(&text), 0600, err);
}

/* ---- people ---- */

const char *device_host(const struct device *dev)
{
	const struct node *name = dev->running ? config_find(dev->running, "system", "hostname") : NULL;

	return name ? name->value : "example";
}

static void hash_with(struct buf *out, const char *password, const char *setting)
{
	struct crypt_data *data = mem_alloc(sizeof(*data));
	const char *hash = crypt_rn(password, setting, data, sizeof(*data)); /* crypt_r is not found under ASan */

	buf_add_str(out, hash ? hash : "*");
	sodium_memzero(data, sizeof(*data));
	free(data);
}

void device_hash_password(const struct device *dev, struct buf *out, const char *password)
{
	static const char digits[] = "abcdefghijklmnopqrstuvwxyz0123456789";
	char setting[16];
	int len = snprintf(setting, sizeof(setting), "%s", dev->unit.weos == 4 ? "$1$" : "$6$");

	for (int i = 0; i < 8; i++)
		setting[len++] = digits[randombytes_uniform(sizeof(digits) - 1)];
	setting[len] = 0;
	hash_with(out, password, setting);
}

static const struct node *find_user(const struct device *dev, const char *user)
{
	_cleanup_(mem_freep) char *key = mem_printf("%s %s", dev->unit.weos == 4 ? "username" : "user", user);
	const struct node *node = config_find(dev->running, "aaa", key);

	if (!node || dev->unit.weos == 4)
		return node;
	for (node = node->first; node && strcmp(node->key, "password") != 0; node = node->next)
		;
	return node;
}

static void publish(const struct device *dev, const char *name, struct bytes text)
{
	_cleanup_(mem_freep) char *folder = mem_printf("%s/people", dev->state), *path = mem_printf("%s/%s", folder, name);
	struct error err = { 0 };

	if (fs_mkdirs(folder, 0700, &err) < 0 || fs_write(path, text, 0600, &err) < 0)
		fprintf(stderr, "weos-sim: %s\n", err.text);
}

void device_publish_people(const struct device *dev)
{
	_cleanup_(buf_done) struct buf passwd = { 0 }, shadow = { 0 };
	const struct node *aaa = dev->running->first;

	buf_add_str(&passwd, "sshd:x:105:65534::/run/sshd:/usr/sbin/nologin\n");
	while (aaa && strcmp(aaa->key, "aaa") != 0)
		aaa = aaa->next;
	for (const struct node *user = aaa ? aaa->first : NULL; user; user = user->next) {
		const char *name = strchr(user->key, ' '), *hash;
		const struct node *password = name ? find_user(dev, name + 1) : NULL;

		if (strncmp(user->key, "user", 4) != 0 || !password || strpbrk(user->key, ":\n") || strpbrk(password->value, ":\n"))
			continue;
		hash = strrchr(password->value, ' ');
		buf_addf(&passwd, "%s:x:0:0::%s:/bin/sh\n", name + 1, dev->state);
		buf_addf(&shadow, "%s:%s:19000:0:99999:7:::\n", name + 1, hash ? hash + 1 : "*");
	}
	publish(dev, "passwd", buf_bytes(&passwd));
	publish(dev, "shadow", buf_bytes(&shadow));
}

bool device_admits(const struct device *dev, const char *user, const char *password)
{
	const struct node *node = find_user(dev, user);
	_cleanup_(buf_done) struct buf hash = { 0 };
	const char *kept;

	if (!node)
		return false;
	kept = strrchr(node->value, ' ');
	kept = kept ? kept + 1 : node->value;
	if (kept[0] != '$')
		return strcmp(kept, password) == 0;
	hash_with(&hash, password, kept);
	return hash.len > 3 && strcmp(buf_text(&hash), kept) == 0;
}

/* ---- configuration ---- */

static const char factory_4[] = "aaa\n\tusername admin hash %s\n\tend\nsystem\n\thostname example\n\tend\nspanning-tree\n\tend\n"
				"vlan 1\n\tname vlan1\n\tuntagged ALL\n\tend\niface vlan1 inet dhcp\n\taddress 192.168.2.200/24 secondary\n"
				"\tdistance 1\n\tprimary\n\tmanagement ssh http https ipconfig snmp\n\tend\n"
				"snmp-server\n\trocommunity public\n\ttrapcommunity trap\n\tend\nweb\n\tend\n";
static const char factory_5[] = "aaa\n\tuser admin\n\t\trole administrator\n\t\tpassword alg sha512 hash %s\n\t\tend\n\tend\n"
				"system\n\thostname example\n\tencrypt-secrets portable\n\tend\nspanning-tree\n\tend\n"
				"vlan 1\n\tname vlan1\n\tuntagged ALL\n\tend\niface vlan1\n\tinet dhcp\n\t\tend\n\tprimary\n"
				"\tmanagement ssh https ipconfig\n\tend\nweb\n\tend\n";

struct node *device_factory(const struct device *dev)
{
	_cleanup_(buf_done) struct buf hash = { 0 }, text = { 0 };
	struct node *tree = NULL;
	struct error err = { 0 };

	hash_with(&hash, "admin", dev->unit.weos == 4 ? "$1$factory0" : "$6$factory0");
	if (dev->unit.weos == 4)
		buf_addf(&text, factory_4, buf_text(&hash));
	else
		buf_addf(&text, factory_5, buf_text(&hash));
	if (config_read(&tree, buf_bytes(&text), dev->unit.weos, NULL, &err) < 0) {
		fprintf(stderr, "weos-sim: factory-config: %s\n", err.text);
		abort();
	}
	return tree;
}

struct vault {
	const struct device *dev;
	const char *source; /* "portable", "hwuid", "password", or "" for secrets in the clear */
};

/* False: this source has no key. */
static bool key_of(uint8_t key[static crypto_secretbox_KEYBYTES], const struct device *dev, const char *source)
{
	_cleanup_(buf_done) struct buf from = { 0 }, password = { 0 };

	buf_addf(&from, "weos-sim %s ", source);
	if (strcmp(source, "hwuid") == 0)
		buf_add_str(&from, dev->unit.serial);
	else if (strcmp(source, "password") == 0 && !flash_get(&password, NULL, &dev->flash, FLASH_CONFIG, "key/encrypt-password"))
		return false;
	buf_add_bytes(&from, buf_bytes(&password));
	crypto_generichash(key, crypto_secretbox_KEYBYTES, from.ptr, from.len, NULL, 0);
	return true;
}

/* The same secret gives the same token, or no two texts of one configuration would ever be equal. */
static void hide(void *ctx, struct buf *out, const char *secret)
{
	const struct vault *vault = ctx;
	uint8_t key[crypto_secretbox_KEYBYTES], nonce[crypto_secretbox_NONCEBYTES];
	_cleanup_(buf_done) struct buf box = { 0 };
	size_t len = strlen(secret);

	if (!*vault->source || !key_of(key, vault->dev, vault->source)) {
		buf_add_str(out, secret);
		return;
	}
	crypto_generichash(nonce, sizeof(nonce), (const uint8_t *)secret, len, key, sizeof(key));
	buf_add(&box, nonce, sizeof(nonce));
	crypto_secretbox_easy(buf_extend(&box, len + crypto_secretbox_MACBYTES), (const uint8_t *)secret, len, nonce, key);
	buf_addf(out, "$enc$%s$", vault->source);
	base64_encode(out, buf_bytes(&box));
	sodium_memzero(key, sizeof(key));
}

static bool open_token(void *ctx, struct buf *out, const char *token)
{
	const struct vault *vault = ctx;
	uint8_t key[crypto_secretbox_KEYBYTES];
	_cleanup_(buf_done) struct buf box = { 0 };
	char source[16];
	int at = 0;
	size_t len;

	if (sscanf(token, "$enc$%15[a-z]$%n", source, &at) != 1 || !at || !key_of(key, vault->dev, source))
		return false;
	if (!base64_decode(&box, bytes_str(token + at)) || box.len < crypto_secretbox_NONCEBYTES + crypto_secretbox_MACBYTES)
		return false;
	len = box.len - crypto_secretbox_NONCEBYTES;
	return crypto_secretbox_open_easy(buf_extend(out, len - crypto_secretbox_MACBYTES), box.ptr + crypto_secretbox_NONCEBYTES, len,
					  box.ptr, key) == 0;
}

int device_spell(const struct device *dev, struct buf *out, const struct node *tree, struct error *err)
{
	const struct node *chosen = config_find(tree, "system", "encrypt-secrets");
	struct vault vault = { .dev = dev, .source = chosen ? chosen->value : "" };
	struct secrets secrets = { .hide = hide, .open = open_token, .ctx = &vault };
	uint8_t key[crypto_secretbox_KEYBYTES];

	if (*vault.source && !key_of(key, dev, vault.source))
		return error_set(err, E_DENIED, "no encryption password is set");
	if (dev->unit.weos == 5) {
		config_print_json(out, tree, &secrets);
		return 0;
	}
	buf_addf(out, "# \\\\/ Westermo WeOS v%s, CLI Format v1.32\n# %s %s, art.no. %s ser.no. %s\n\n", dev->version, dev->unit.family,
		 dev->unit.model, dev->unit.article, dev->unit.serial);
	config_print_lines(out, tree, 0, &secrets);
	return 0;
}

int device_read_config(const struct device *dev, struct node **out, struct bytes text, size_t *unreadable, struct error *err)
{
	struct vault vault = { .dev = dev, .source = "" };
	struct secrets secrets = { .hide = hide, .open = open_token, .ctx = &vault };
	int r = config_read(out, text, dev->unit.weos, &secrets, err);

	*unreadable = secrets.unreadable;
	return r;
}

void device_set_running(struct device *dev, struct node *tree)
{
	node_free(dev->running);
	dev->running = tree;
	device_publish_people(dev);
}

int device_save(struct device *dev, struct error *err)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	int r = device_spell(dev, &text, dev->running, err);

	if (r == 0)
		r = flash_put(&dev->flash, FLASH_CONFIG, "meta/saved-by", bytes_str(dev->version), err);
	return r != 0 ? r : flash_put(&dev->flash, FLASH_CONFIG, "cfg/config0.cfg", buf_bytes(&text), err);
}

int device_set_encrypt_password(struct device *dev, const char *password, struct error *err)
{
	return flash_put(&dev->flash, FLASH_CONFIG, "key/encrypt-password", bytes_str(password), err);
}

struct names {
	char *name[FILES_MAX];
	size_t count;
};

static void take_name(void *ctx, const char *name, size_t size _unused_, int64_t mtime _unused_)
{
	struct names *names = ctx;

	if (names->count < FILES_MAX)
		names->name[names->count++] = mem_strdup(name);
}

int device_clear(struct device *dev, struct error *err)
{
	struct names names = { 0 };
	int r = 0;

	flash_list(&dev->flash, FLASH_CONFIG, take_name, &names);
	for (size_t i = 0; i < names.count; i++) {
		if (r >= 0)
			r = flash_drop(&dev->flash, FLASH_CONFIG, names.name[i], err);
		mem_freep(&names.name[i]);
	}
	return r;
}

void device_set_host(struct device *dev, const char *to)
{
	_cleanup_(mem_freep) char *name = mem_strdup(to);
	struct error err = { 0 };
	struct node *system = NULL;
	static char hostname[] = "hostname", block[] = "system";
	char *line[] = { hostname, name }, *open[] = { block };
	bool is_new;

	if (!dev->running || config_line(&system, &is_new, dev->running, dev->unit.weos, open, 1, false, NULL, &err) < 0)
		return;
	if (config_line(&(struct node *){ NULL }, &is_new, system, dev->unit.weos, line, 2, false, NULL, &err) < 0)
		fprintf(stderr, "weos-sim: host name: %s\n", err.text);
}

/* ---- the log ---- */

static bool logs_to_console(const struct device *dev)
{
	return dev->running && config_find(dev->running, "logging", "console");
}

void device_log(struct device *dev, const char *fmt, ...)
{
	_cleanup_(buf_done) struct buf line = { 0 };
	char when[32];
	time_t now = time(NULL);
	struct tm tm;
	va_list ap;

	gmtime_r(&now, &tm);
	strftime(when, sizeof(when), "%b %e %H:%M:%S ", &tm);
	buf_add_str(&line, when);
	va_start(ap, fmt);
	buf_vaddf(&line, fmt, ap);
	va_end(ap);
	buf_add_char(&line, '\n');
	if (dev->log.len + line.len < LOG_MAX)
		buf_add_bytes(&dev->log, buf_bytes(&line));
	if (logs_to_console(dev) && dev->phase == PHASE_UP) {
		buf_truncate(&line, line.len - 1);
		buf_add_str(&line, "\r\n");
		device_console_write(dev, buf_bytes(&line));
	}
}

/* ---- the console ---- */

void device_console_write(struct device *dev, struct bytes out)
{
	for (struct line *line = dev->lines; line && out.len; line = line->next)
		line_write(line, out);
}

void device_console_input(struct device *dev, struct bytes in)
{
	if (dev->phase == PHASE_UP && dev->console)
		session_input(dev->console, in);
	else if (dev->phase != PHASE_OFF)
		boot_input(dev, in);
}

/* ---- power ---- */

static void reap(struct loop_timer *timer)
{
	struct device *dev = container_of(timer, struct device, reap_timer);

	for (struct session **link = &dev->sessions; *link;) {
		struct session *s = *link;

		if (!s->is_over) {
			link = &s->next;
			continue;
		}
		*link = s->next;
		dev->console = dev->console == s ? NULL : dev->console;
		session_free(s);
	}
}

void device_reap(struct device *dev)
{
	loop_arm(dev->loop, &dev->reap_timer, 0);
}

void device_power_off(struct device *dev)
{
	dev->phase = PHASE_OFF;
	for (struct session *s = dev->sessions; s; s = s->next)
		session_end(s);
	dev->console = NULL;
	loop_disarm(&dev->step_timer);
	while (dev->step_count)
		mem_freep(&dev->steps[--dev->step_count].text);
	dev->running = node_free(dev->running);
	buf_truncate(&dev->log, 0);
}

void device_power_on(struct device *dev)
{
	if (dev->phase == PHASE_OFF)
		boot_begin(dev);
}

static void power_back(struct loop_timer *timer)
{
	device_power_on(container_of(timer, struct device, power_timer));
}

void device_power_cut(struct device *dev)
{
	device_power_off(dev);
	loop_arm(dev->loop, &dev->power_timer, clock_mono_ms() + dev->boot_ms);
}

void device_reboot(struct device *dev)
{
	device_power_off(dev);
	boot_begin(dev);
}

/* ---- faults that act at once ---- */

static void change_order(struct device *dev, bool on)
{
	struct boot_settings boot;
	struct error err = { 0 };

	boot_settings_get(&boot, dev);
	snprintf(boot.order, sizeof(boot.order), "%s", on ? "usb1:startup" : "int:startup");
	if (boot_settings_put(dev, &boot, &err) < 0)
		fprintf(stderr, "weos-sim: boot order: %s\n", err.text);
}

static void corrupt_primary(struct device *dev, bool on)
{
	char version[32];
	struct error err = { 0 };

	if (boot_image_version(version, dev, FLASH_MAIN) == on && flash_damage(&dev->flash, FLASH_MAIN, &err) < 0)
		fprintf(stderr, "weos-sim: primary image: %s\n", err.text);
}

static void cut_startup(struct device *dev)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	struct error err = { 0 };

	if (!flash_get(&text, NULL, &dev->flash, FLASH_CONFIG, "cfg/config0.cfg"))
		return;
	if (flash_put(&dev->flash, FLASH_CONFIG, "cfg/config0.cfg", bytes_of(text.ptr, text.len / 2), &err) != 0)
		fprintf(stderr, "weos-sim: startup: %s\n", err.text);
}

void device_fault(struct device *dev, enum fault fault, bool on)
{
	struct error err = { 0 };
	bool is_left = fault == FAULT_LEFT_IN_CONFIG || fault == FAULT_LEFT_LOGGED_IN;

	dev->fault[fault] = on;
	if (is_left && on && dev->console) {
		session_leave_behind(dev->console, fault == FAULT_LEFT_IN_CONFIG);
		dev->fault[fault] = false;
	} else if (fault == FAULT_HOST_NAME && on && dev->running) {
		device_set_host(dev, "renamed-by-alice");
		dev->fault[fault] = false;
	} else if (fault == FAULT_BOOT_ORDER_MISSING) {
		change_order(dev, on);
	} else if (fault == FAULT_PRIMARY_CORRUPT) {
		corrupt_primary(dev, on);
	} else if (fault == FAULT_STARTUP_CORRUPT && on) {
		dev->fault[fault] = false;
		cut_startup(dev);
	} else if (fault == FAULT_ENCRYPT_PASSWORD_UNSAVED && on) {
		dev->fault[fault] = false;
		if (device_set_encrypt_password(dev, "changed-by-alice", &err) < 0)
			fprintf(stderr, "weos-sim: encryption password: %s\n", err.text);
	}
}

/* ---- from beginning to end ---- */

static int first_start(struct device *dev, const char *name, const char *version, struct error *err)
{
	static const enum flash_part images[] = { FLASH_MAIN, FLASH_BACKUP };
	int r = boot_image_put(dev, FLASH_LOADER, "2017.12.0-10", err);

	for (size_t i = 0; i < ARRAY_SIZE(images) && r == 0; i++)
		r = boot_image_put(dev, images[i], version ? version : dev->unit.weos == 4 ? "4.32.3" : "5.24.0", err);
	if (r < 0 || !name)
		return r;
	snprintf(dev->version, sizeof(dev->version), "%s", version ? version : dev->unit.weos == 4 ? "4.32.3" : "5.24.0");
	dev->running = device_factory(dev);
	device_set_host(dev, name);
	r = device_save(dev, err);
	dev->running = node_free(dev->running);
	return r;
}

int device_open(struct device *dev, struct loop *loop, const char *state, unsigned weos, const char *name, const char *serial,
		const char *version, struct error *err)
{
	_cleanup_(mem_freep) char *folder = mem_printf("%s/flash", state), *unit = mem_printf("%s/flash/unit", state);
	int r;

	*dev = (struct device){ .loop = loop, .boot_ms = 2000, .program_ms = 300, .active = "Main" };
	dev->reap_timer.fire = reap;
	dev->power_timer.fire = power_back;
	if (strlen(state) >= sizeof(dev->state))
		return error_set(err, E_LIMIT, "'%s' is too long a name", state);
	strcpy(dev->state, state);
	r = flash_open(&dev->flash, folder, err);
	if (r < 0)
		return r;
	r = read_unit(&dev->unit, unit, err);
	if (r != FS_ABSENT)
		return r;
	r = burn_unit(&dev->unit, unit, weos ? weos : 5, serial, err);
	return r < 0 ? r : first_start(dev, name, version, err);
}

void device_done(struct device *dev)
{
	device_power_off(dev);
	reap(&dev->reap_timer);
	loop_disarm(&dev->reap_timer);
	loop_disarm(&dev->power_timer);
	while (dev->lines)
		line_free(dev);
	buf_done(&dev->log);
}
