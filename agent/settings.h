/* agent/settings.h -- agent.yaml: which devices, how they are reached, what becomes of unsaved changes. */
#pragma once

#include "base/error.h"

#include <stdbool.h>

enum settings_mode { MODE_OBSERVE, MODE_REMIND, MODE_COMMIT, MODE_REVERT };
enum { SETTINGS_DEVICES_MAX = 256 };

struct settings_frr {
	char *pathspace;  /* vtysh -N; absent: the only instance of this machine */
	char *vty_socket; /* vtysh --vty_socket, instead of pathspace */
	char *config;     /* the startup file, absolute */
	char **daemons;   /* that must answer before anything is believed or saved */
	unsigned daemons_count;
	char *factory; /* file with the factory's configuration; absent: the package's */
};

/* One kind of file, or one file, and the service that reads it. Commands are programs with their arguments; no shell is involved. */
struct settings_part {
	char *path;     /* below root, absolute; * ? [ in it stand for several files */
	char *format;   /* of policies/files-text.h; absent: "secret" */
	char **running; /* prints what the service runs, in the form of the file */
	unsigned running_count;
	char **load; /* makes what it reads on standard input run, and writes no file */
	unsigned load_count;
	char **reload; /* makes the service load what is on disk */
	unsigned reload_count;
	char **loaded; /* prints something else whenever the service has loaded its files anew */
	unsigned loaded_count;
	char **check; /* reads a content on standard input; status 0: it would be taken */
	unsigned check_count;
	char *factory; /* path of the content that the factory gave it; "none": it gave none */
};

struct settings_files {
	char *root; /* folder that paths are below; absent: "/" */
	char **upgrade; /* program that does each step of an upgrade (agent/files-upgrade.c) */
	unsigned upgrade_count;
	struct settings_part *parts;
	unsigned parts_count;
	char *first; /* root and the path of the first part; not a key */
};

/* A switch with WeOS, and the one way to its command line. */
struct settings_weos {
	char *ssh, *tcp, *rfc2217; /* host:port */
	char *serial;              /* path of a terminal */
	char *user;                /* absent: "admin" */
	char *identity;            /* private key for ssh; absent: the password of the credential */
	char *known_hosts;         /* file that pins the device's key, for ssh */
	unsigned *speed_set, speed; /* bits per second, of serial and rfc2217 */
	char *serve; /* address of this machine, as the switch reaches it, from which it fetches firmware; absent: it gets none */
	char *credential;          /* sealed password; absent: below the state folder */
	char *factory_credential;  /* as credential, of the account that the device has when it is as the factory made it; absent: likewise
				    */
	/* not keys: */
	const char *default_password; /* where there is no credential */
	char *key;  /* what credentials are sealed to */
	char *boot; /* when the device was last seen to have started */
	char *transcript; /* what was said in the last session that failed, without secrets */
	char *record;     /* what was said while it was erased, likewise */
};

struct settings_commit {
	enum settings_mode mode;
	unsigned quiet;  /* seconds without further change before we act */
	unsigned remind; /* seconds between two reminders */
	unsigned watch;  /* seconds between two looks at the device */
	unsigned *quiet_set, *remind_set, *watch_set; /* what the file says; NULL: nothing */
};

struct settings_device {
	char *name;
	char *driver;
	struct settings_frr *frr;
	struct settings_files *files;
	struct settings_weos *weos;
	struct settings_commit *commit;
	char **changed_by; /* program and arguments: prints who changed the configuration last, by the device's own log */
	unsigned changed_by_count;
	char **media; /* block devices that a purge erases besides */
	unsigned media_count;
};

/* How images of firmware come here. */
struct settings_firmware {
	unsigned *rate_set, *most_set; /* what the file says; NULL: nothing */
};

struct settings {
	char *state;    /* folder; one folder per device below it */
	char *user;     /* what the network process becomes when started as root */
	unsigned spool; /* snapshots kept for a server that is away */
	unsigned wait;  /* seconds that a poll may wait, at most 14400 */
	unsigned keepalive; /* seconds of silence until the way to the server is probed; at least 10, at most 14400 */
	unsigned *spool_set, *wait_set, *keepalive_set; /* what the file says; NULL: nothing */
	struct settings_firmware *firmware;
	unsigned firmware_rate, firmware_most; /* kB per second, 0: as fast as it goes; MB of one image */
	struct settings_device *devices;
	unsigned devices_count;
};

/* Reads and checks the file; E_FORMAT names file and place. What is absent gets its default. */
int settings_load(struct settings **out, const char *path, struct error *err) _must_check_;
void settings_freep(struct settings **settings);

/* NULL when there is none of that name. */
const struct settings_device *settings_device(const struct settings *settings, const char *name);
const char *settings_mode_name(enum settings_mode mode);
