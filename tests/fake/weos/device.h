/* tests/fake/weos/device.h -- the device with power: what is in its RAM, and the console line that ends in it. */
#pragma once

#include "base/loop.h"
#include "tests/fake/weos/config.h"
#include "tests/fake/weos/faults.h"
#include "tests/fake/weos/flash.h"

struct session;
struct line;

enum phase { PHASE_OFF, PHASE_LOADER, PHASE_MENU, PHASE_CONFIRM, PHASE_ERASING, PHASE_KERNEL, PHASE_UP };
enum { BOOT_STEPS_MAX = 16, BOOT_LINE_MAX = 32 };

/* What is burnt in: no erase reaches it. */
struct unit {
	unsigned weos; /* 4 or 5 */
	char family[32], model[64], article[32], serial[32], mac[20], made[12];
};

/* What the boot loader's environment keeps. */
struct boot_settings {
	char order[200], fallback[64], sync[64];
};

struct boot_step {
	unsigned wait_ms;
	char *text; /* written to the console */
	void (*act)(struct device *dev);
};

struct device {
	struct loop *loop;
	struct flash flash;
	struct unit unit;
	bool fault[FAULT_COUNT];
	unsigned boot_ms, program_ms; /* program_ms: for one image */
	char state[300];

	/* gone when the power is */
	enum phase phase;
	struct node *running;
	struct session *sessions, *console;
	struct buf log;
	const char *active; /* the image that runs: "Main" or "Backup" */
	char version[32];   /* of that image */
	uint64_t up_since_ms;
	struct boot_step steps[BOOT_STEPS_MAX];
	size_t step_count;
	struct loop_timer step_timer, reap_timer, power_timer;
	char menu_line[BOOT_LINE_MAX];
	size_t menu_len, menu_choice;

	struct line *lines; /* where the console's wires end; they stay when the power goes */
};

/* The first start makes factory state; name, when not NULL, is saved as the host name, serial burnt in. */
int device_open(struct device *dev, struct loop *loop, const char *state, unsigned weos, const char *name, const char *serial,
		const char *version, struct error *err) _must_check_;
void device_done(struct device *dev);
/* The plug, in and out. RAM is lost, sessions end, the console's wires stay. */
void device_power_on(struct device *dev);
void device_power_off(struct device *dev);
/* Power comes back after as long as a boot takes. */
void device_power_cut(struct device *dev);
void device_reboot(struct device *dev);

/* Bytes that arrive on the console's wire, and bytes that leave on it; nobody need be there. */
void device_console_input(struct device *dev, struct bytes in);
void device_console_write(struct device *dev, struct bytes out);

void device_drop_wire(void *dev); /* whoever is at the console's wire is cut off */

void device_log(struct device *dev, const char *fmt, ...) _printf_(2, 3);
const char *device_host(const struct device *dev);
void device_set_host(struct device *dev, const char *name); /* of running */
const char *device_family(unsigned weos);
/* What an SSH server in front of the device is told by way of nss_wrapper: users and hashes of running, in STATE/people. */
void device_publish_people(const struct device *dev);
/* Right password of a user of running. */
bool device_admits(const struct device *dev, const char *user, const char *password);
void device_hash_password(const struct device *dev, struct buf *out, const char *password);
/* A fault goes on or off; some act at once. */
void device_fault(struct device *dev, enum fault fault, bool on);
/* Frees sessions that have ended, soon. */
void device_reap(struct device *dev);

/* The configuration as a file, secrets hidden by the source that the tree names. E_DENIED: there is no encryption password. */
int device_spell(const struct device *dev, struct buf *out, const struct node *tree, struct error *err) _must_check_;
/* The other way; unreadable counts secrets that no key opens. */
int device_read_config(const struct device *dev, struct node **out, struct bytes text, size_t *unreadable, struct error *err) _must_check_;
struct node *device_factory(const struct device *dev);
void device_set_running(struct device *dev, struct node *tree); /* takes it over */
/* 0: saved; FLASH_FULL. */
int device_save(struct device *dev, struct error *err) _must_check_;
/* The reset of the CLI: files are unlinked, as a file system does it, so what the flash held stays in freed space. */
int device_clear(struct device *dev, struct error *err) _must_check_;
int device_set_encrypt_password(struct device *dev, const char *password, struct error *err) _must_check_;

/* boot.c */
void boot_begin(struct device *dev);
void boot_input(struct device *dev, struct bytes in);
void boot_settings_get(struct boot_settings *out, const struct device *dev);
int boot_settings_put(const struct device *dev, const struct boot_settings *in, struct error *err) _must_check_;
/* The version an image holds; false: it is corrupt. */
bool boot_image_version(char out[static 32], const struct device *dev, enum flash_part part);
int boot_image_put(const struct device *dev, enum flash_part part, const char *version, struct error *err) _must_check_;
