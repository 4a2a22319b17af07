/* tests/fake/weos/boot.c -- from power to login: the boot loader, its menu, the images, and which configuration applies. */
#include "tests/fake/weos/device.h"

#include "base/clock.h"
#include "tests/fake/weos/session.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { IMAGE_LEN = 100 << 10, MENU_ENTRIES = 5, COUNTDOWN = 3, DOTS = 3 };

static const char *const entries[MENU_ENTRIES] = { "Primary Partition", "Secondary Partition", "Network (BOOTP)", "Factory Reset",
						   "System Recovery" };

/* ---- images and environment ---- */

int boot_image_put(const struct device *dev, enum flash_part part, const char *version, struct error *err)
{
	_cleanup_(buf_done) struct buf image = { 0 };
	uint8_t seed[randombytes_SEEDBYTES] = { 1 };

	buf_addf(&image, "version %s\n", version);
	randombytes_buf_deterministic(buf_extend(&image, part == FLASH_LOADER ? 4096 : IMAGE_LEN), part == FLASH_LOADER ? 4096 : IMAGE_LEN,
				      seed);
	return flash_put(&dev->flash, part, "image", buf_bytes(&image), err);
}

bool boot_image_version(char out[static 32], const struct device *dev, enum flash_part part)
{
	_cleanup_(buf_done) struct buf image = { 0 };

	return flash_get(&image, NULL, &dev->flash, part, "image") && sscanf(buf_text(&image), "version %31s", out) == 1;
}

static void get_setting(char *out, size_t size, const struct device *dev, const char *name, const char *other)
{
	_cleanup_(buf_done) struct buf text = { 0 };

	snprintf(out, size, "%s", flash_get(&text, NULL, &dev->flash, FLASH_ENV, name) ? buf_text(&text) : other);
}

void boot_settings_get(struct boot_settings *out, const struct device *dev)
{
	get_setting(out->order, sizeof(out->order), dev, "config-order", "int:startup");
	get_setting(out->fallback, sizeof(out->fallback), dev, "config-fallback", "int:factory");
	get_setting(out->sync, sizeof(out->sync), dev, "config-sync", "");
}

int boot_settings_put(const struct device *dev, const struct boot_settings *in, struct error *err)
{
	const char *const pairs[][2] = { { "config-order", in->order }, { "config-fallback", in->fallback }, { "config-sync", in->sync } };
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(pairs) && r >= 0; i++)
		r = flash_put(&dev->flash, FLASH_ENV, pairs[i][0], bytes_str(pairs[i][1]), err);
	return r;
}

/* ---- steps ---- */

static void put(struct device *dev, const char *text)
{
	device_console_write(dev, bytes_str(text));
}

static void add_step(struct device *dev, unsigned wait_ms, const char *text, void (*act)(struct device *dev))
{
	if (dev->step_count < BOOT_STEPS_MAX)
		dev->steps[dev->step_count++] = (struct boot_step){ .wait_ms = wait_ms, .text = mem_strdup(text), .act = act };
}

static void fire(struct loop_timer *timer);

static void arm(struct device *dev)
{
	dev->step_timer.fire = fire;
	if (dev->step_count)
		loop_arm(dev->loop, &dev->step_timer, clock_mono_ms() + dev->steps[0].wait_ms);
}

static void fire(struct loop_timer *timer)
{
	struct device *dev = container_of(timer, struct device, step_timer);
	struct boot_step step = dev->steps[0];

	memmove(dev->steps, dev->steps + 1, --dev->step_count * sizeof(*dev->steps));
	put(dev, step.text);
	mem_freep(&step.text);
	arm(dev);
	if (step.act)
		step.act(dev);
}

static void drop_steps(struct device *dev)
{
	loop_disarm(&dev->step_timer);
	while (dev->step_count)
		mem_freep(&dev->steps[--dev->step_count].text);
}

/* ---- which configuration applies ---- */

static bool was_saved_by(char out[static 32], const struct device *dev)
{
	_cleanup_(buf_done) struct buf saved_by = { 0 };

	return flash_get(&saved_by, NULL, &dev->flash, FLASH_CONFIG, "meta/saved-by") && sscanf(buf_text(&saved_by), "%31s", out) == 1;
}

/* For the faults of an image: is it new here? */
static bool is_new_image(const struct device *dev)
{
	char version[32];

	return was_saved_by(version, dev) && strcmp(version, dev->version) != 0;
}

/* Nothing of startup applies, and the name tells; the file stays. */
static void load_failure(struct device *dev)
{
	char name[48];

	snprintf(name, sizeof(name), "failed-%.5s", dev->unit.mac + strlen(dev->unit.mac) - 5);
	for (char *c = name; *c; c++)
		*c = *c == ':' ? '-' : *c;
	device_set_running(dev, device_factory(dev));
	device_set_host(dev, name);
	device_log(dev, "bootstrap[12]: startup-config does not apply, failure mode");
	device_console_write(dev, bytes_str("ERROR: Corrupt startup-config, system has reverted to default login credentials\r\n"));
}

/* Saved by a release that this image does not know: after a downgrade. */
static bool is_from_newer(const struct device *dev)
{
	_cleanup_(buf_done) struct buf saved_by = { 0 };

	return flash_get(&saved_by, NULL, &dev->flash, FLASH_CONFIG, "meta/saved-by") && strverscmp(buf_text(&saved_by), dev->version) > 0;
}

/* False: this entry of the boot order does not apply. */
static bool load_entry(struct device *dev, const char *entry)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	struct node *tree = NULL;
	struct error err = { 0 };
	size_t unreadable = 0;

	if (strcmp(entry, "int:factory") == 0) {
		device_set_running(dev, device_factory(dev));
		return true;
	}
	if (strcmp(entry, "int:startup") != 0) {
		device_log(dev, "bootstrap[12]: %s: no such medium", entry);
		return false;
	}
	if (!flash_get(&text, NULL, &dev->flash, FLASH_CONFIG, "cfg/config0.cfg")) {
		device_log(dev, "bootstrap[12]: there is no startup-config");
		return false;
	}
	if (is_from_newer(dev)) {
		device_log(dev, "bootstrap[12]: startup-config is of a newer version");
		return false;
	}
	if (device_read_config(dev, &tree, buf_bytes(&text), &unreadable, &err) < 0) {
		device_log(dev, "bootstrap[12]: startup-config is invalid: %s", err.text);
		return false;
	}
	device_set_running(dev, tree);
	if (unreadable)
		device_log(dev, "confd[201]: %zu encrypted secrets could not be decrypted", unreadable);
	return true;
}

static void load_config(struct device *dev)
{
	struct boot_settings boot;
	char *rest = NULL;

	boot_settings_get(&boot, dev);
	for (char *entry = strtok_r(boot.order, ", ", &rest); entry; entry = strtok_r(NULL, ", ", &rest)) {
		if (load_entry(dev, entry)) {
			device_log(dev, "bootstrap[12]: configuration from %s", entry);
			return;
		}
	}
	if (!load_entry(dev, boot.fallback))
		device_set_running(dev, device_factory(dev));
	device_log(dev, "bootstrap[12]: boot order exhausted, configuration from %s", boot.fallback);
}

static void console_write(void *ctx, struct bytes out)
{
	device_console_write(ctx, out);
}

static void come_up(struct device *dev)
{
	if (dev->fault[FAULT_IMAGE_FAILS] && is_new_image(dev))
		load_failure(dev);
	else
		load_config(dev);
	dev->phase = PHASE_UP;
	dev->up_since_ms = clock_mono_ms();
	if (dev->fault[FAULT_BOOT_INTEGRITY])
		device_log(dev, "audit[9]: boot integrity violated");
	dev->console = session_new(dev, NULL, console_write, device_drop_wire, dev);
	dev->console->is_console = true;
	session_begin(dev->console);
	for (size_t i = 0; i < FAULT_COUNT; i++)
		if (faults[i].is_once && dev->fault[i])
			device_fault(dev, (enum fault)i, true);
}

/* ---- images ---- */

static void open_menu(struct device *dev);

/* What the watchdog does. */
static void die(struct device *dev)
{
	device_reboot(dev);
}

static void start_image(struct device *dev, enum flash_part part)
{
	_cleanup_(mem_freep) char *hello = NULL;
	unsigned third = dev->boot_ms / 6;

	dev->phase = PHASE_KERNEL;
	dev->active = part == FLASH_MAIN ? "Main" : "Backup";
	hello = mem_printf("Starting WeOS v%s ...\r\n[    0.000000] Booting Linux on physical CPU 0x0\r\n", dev->version);
	add_step(dev, 0, hello, NULL);
	add_step(dev, third, "[    1.204311] switchcore: 8 ports\r\n", NULL);
	if (dev->fault[FAULT_IMAGE_PANICS] && is_new_image(dev)) {
		add_step(dev, third, "[    1.910022] Kernel panic - not syncing: no working init found\r\n", die);
		arm(dev);
		return;
	}
	add_step(dev, third, "Starting system services ...... [ OK ]\r\n", NULL);
	add_step(dev, third, "Bootstrapping configuration ... [ OK ]\r\n", come_up);
	arm(dev);
}

static bool try_image(struct device *dev, enum flash_part part)
{
	put(dev, part == FLASH_MAIN ? "\r\nLoading primary partition ...\r\n" : "\r\nLoading secondary partition ...\r\n");
	if (boot_image_version(dev->version, dev, part)) {
		start_image(dev, part);
		return true;
	}
	put(dev, "Failed verifying signature!\r\n");
	return false;
}

static void boot_images(struct device *dev)
{
	if (!try_image(dev, FLASH_MAIN) && !try_image(dev, FLASH_BACKUP))
		open_menu(dev);
}

/* ---- the menu ---- */

/* As Barebox's own widget paints it: the screen is cleared, each entry placed, the chosen one in reverse. */
static void paint_widget(struct device *dev)
{
	_cleanup_(buf_done) struct buf out = { 0 };

	buf_add_str(&out, "\033[2J\033[2;2HBarebox Boot Menu");
	for (size_t i = 0; i < MENU_ENTRIES; i++)
		buf_addf(&out, "\033[%zu;2H%s %2zu: %s\033[0m", i + 3, i == dev->menu_choice ? "\033[7m" : "", i + 1, entries[i]);
	device_console_write(dev, buf_bytes(&out));
}

static void open_menu(struct device *dev)
{
	_cleanup_(buf_done) struct buf out = { 0 };

	drop_steps(dev);
	dev->phase = PHASE_MENU;
	dev->menu_len = dev->menu_choice = 0;
	if (dev->fault[FAULT_MENU_WIDGET]) {
		paint_widget(dev);
		return;
	}
	buf_add_str(&out, "\r\n\r\nBarebox Boot Menu\r\n");
	for (size_t i = 0; i < MENU_ENTRIES; i++)
		buf_addf(&out, "%zu: %s\r\n", i + 1, entries[i]);
	device_console_write(dev, buf_bytes(&out));
}

static void restart(struct device *dev)
{
	device_reboot(dev);
}

static void erase_part(struct device *dev, enum flash_part part)
{
	struct error err = { 0 };

	if (!dev->fault[FAULT_ERASE_LIES] && flash_erase(&dev->flash, part, &err) < 0)
		fprintf(stderr, "weos-sim: erase: %s\n", err.text);
}

static void erase_system(struct device *dev)
{
	erase_part(dev, FLASH_CONFIG);
}

static void lose_power(struct device *dev)
{
	dev->fault[FAULT_POWER_CUT_ERASE] = false;
	device_power_cut(dev);
}

static void add_dots(struct device *dev, const char *what, void (*act)(struct device *dev))
{
	add_step(dev, 20, what, NULL);
	for (int i = 0; i < DOTS; i++)
		add_step(dev, dev->fault[FAULT_SLOW_ERASE] ? 1300 : 60, ".", i == DOTS - 1 ? act : NULL);
}

/* The two lines and the success are those of the vendor's guide, letter by letter. */
static void erase_env(struct device *dev)
{
	erase_part(dev, FLASH_ENV);
	add_step(dev, 20, " [ OK ]\r\n", dev->fault[FAULT_POWER_CUT_ERASE] ? lose_power : NULL);
	if (dev->fault[FAULT_ERASE_FAILS]) {
		add_dots(dev, "Erasing System configuration ", NULL);
		add_step(dev, 20, " [ FAIL ]\r\n", open_menu);
	} else {
		add_dots(dev, "Erasing System configuration ", erase_system);
		add_step(dev, 20, " [ OK ]\r\n", NULL);
		add_step(dev, 20, "Device was successfully factory reset.\r\n", NULL);
		add_step(dev, 20, "The device will now reboot.\r\n", NULL);
		add_step(dev, 200, "", restart);
	}
	arm(dev);
}

static void begin_erase(struct device *dev)
{
	dev->phase = PHASE_ERASING;
	add_dots(dev, "Erasing Barebox configuration ", erase_env);
	arm(dev);
}

static void ask_reset(struct device *dev)
{
	dev->phase = PHASE_CONFIRM;
	put(dev, "\r\nThis will erase all configuration data on this device.\r\nThe installed firmware will be kept.\r\n"
		 "Do you want to continue? y/[n] ");
}

static void no_server(struct device *dev)
{
	put(dev, "No server answered.\r\n");
	open_menu(dev);
}

static void choose(struct device *dev, size_t entry)
{
	put(dev, "\r\n");
	switch (entry) {
	case 1:
	case 2:
		if (!try_image(dev, entry == 1 ? FLASH_MAIN : FLASH_BACKUP))
			open_menu(dev);
		break;
	case 3:
		dev->phase = PHASE_ERASING; /* deaf, as while erasing */
		add_step(dev, 0, "BOOTP broadcast 1\r\n", NULL);
		add_step(dev, 1000, "", no_server);
		arm(dev);
		break;
	case 4:
		ask_reset(dev);
		break;
	case 5:
		put(dev, "System recovery needs a medium with a recovery image, there is none.\r\n");
		open_menu(dev);
		break;
	default:
		open_menu(dev);
	}
}

static void confirm(struct device *dev, const char *answer)
{
	put(dev, "\r\n");
	if (strcmp(answer, "y") == 0) {
		begin_erase(dev);
		return;
	}
	put(dev, "Aborted.\r\n");
	open_menu(dev);
}

static void menu_line(struct device *dev)
{
	char line[BOOT_LINE_MAX];

	snprintf(line, sizeof(line), "%.*s", (int)dev->menu_len, dev->menu_line);
	dev->menu_len = 0;
	if (dev->phase == PHASE_CONFIRM)
		confirm(dev, line);
	else if (dev->fault[FAULT_MENU_WIDGET])
		choose(dev, dev->menu_choice + 1);
	else
		choose(dev, strlen(line) == 1 ? (size_t)(line[0] - '0') : 0);
}

static void menu_key(struct device *dev, char c)
{
	if (dev->fault[FAULT_UPPER_CASE_Y] && c == 'y')
		c = 'Y';
	if (c == '\r' || c == '\n') {
		menu_line(dev);
	} else if (dev->phase == PHASE_MENU && dev->fault[FAULT_MENU_WIDGET]) {
		if (c >= '1' && c <= '0' + MENU_ENTRIES)
			dev->menu_choice = (size_t)(c - '1');
		paint_widget(dev);
	} else if ((c == 8 || c == 127) && dev->menu_len) {
		dev->menu_len--;
		put(dev, "\b \b");
	} else if (c >= 32 && dev->menu_len < sizeof(dev->menu_line) - 1) {
		dev->menu_line[dev->menu_len++] = c;
		device_console_write(dev, bytes_of(&c, 1));
	}
}

void boot_input(struct device *dev, struct bytes in)
{
	for (size_t i = 0; i < in.len; i++) {
		if (dev->phase == PHASE_LOADER && in.ptr[i] == 3)
			open_menu(dev);
		else if (dev->phase == PHASE_MENU || dev->phase == PHASE_CONFIRM)
			menu_key(dev, (char)in.ptr[i]);
	}
}

/* ---- power ---- */

void boot_begin(struct device *dev)
{
	unsigned tick = dev->boot_ms / 2 / COUNTDOWN;
	char number[16], version[32];
	_cleanup_(mem_freep) char *banner = NULL;

	if (!boot_image_version(version, dev, FLASH_LOADER))
		snprintf(version, sizeof(version), "unknown");
	banner = mem_printf(
		"\r\n\r\nbarebox %s #1\r\n\r\nBoard: Westermo %s\r\n%s\r\nHit ctrl-c to stop autoboot: %4d", version, dev->unit.family,
		dev->fault[FAULT_BOOT_INTEGRITY] ? "WARNING: boot configuration integrity violation detected\r\n" : "", COUNTDOWN);
	dev->phase = PHASE_LOADER;
	add_step(dev, 0, banner, NULL);
	for (int left = COUNTDOWN - 1; left >= 0; left--) {
		snprintf(number, sizeof(number), "\b\b\b\b%4d", left);
		add_step(dev, tick, number, left ? NULL : boot_images);
	}
	arm(dev);
}
