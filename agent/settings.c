/* agent/settings.c -- agent.yaml: a libcyaml schema, defaults, and what a schema cannot say. */
#include "agent/settings.h"

#include "base/bytes.h"
#include "base/yaml.h"
#include "policies/files-text.h"

#include <string.h>

enum {
	QUIET_DEFAULT = 30,
	REMIND_DEFAULT = 900,
	WATCH_DEFAULT = 10,
	SPOOL_DEFAULT = 1000,
	WAIT_DEFAULT = 14400,
	KEEPALIVE_DEFAULT = 1800,
	IMAGE_DEFAULT = 512
};
enum {
	SECONDS_MAX = 604800,
	SPOOL_MOST = 100000,
	WAIT_MOST = 14400,
	KEEPALIVE_LEAST = 10,
	RATE_MOST = 1000000,
	IMAGE_MOST = 65536,
	MEDIA_MOST = 6 /* areas of a receipt, without running and startup */
};

static const cyaml_strval_t modes[] = {
	{ "observe", MODE_OBSERVE },
	{ "remind", MODE_REMIND },
	{ "commit", MODE_COMMIT },
	{ "revert", MODE_REVERT },
};

static const cyaml_schema_value_t text_schema = { CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 1, 4096) };

static const cyaml_schema_field_t frr_fields[] = {
	CYAML_FIELD_STRING_PTR("pathspace", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct settings_frr, pathspace, 1, 63),
	CYAML_FIELD_STRING_PTR("vty-socket", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct settings_frr, vty_socket, 1, 4000),
	CYAML_FIELD_STRING_PTR("config", CYAML_FLAG_POINTER, struct settings_frr, config, 1, 4000),
	CYAML_FIELD_SEQUENCE("daemons", CYAML_FLAG_POINTER, struct settings_frr, daemons, &text_schema, 1, 32),
	CYAML_FIELD_STRING_PTR("factory", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct settings_frr, factory, 1, 4000),
	CYAML_FIELD_END,
};

#define CYAML_FIELD_COMMAND(name, member) \
	CYAML_FIELD_SEQUENCE(name, CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct settings_part, member, &text_schema, 1, 32)

static const cyaml_schema_field_t part_fields[] = {
	CYAML_FIELD_STRING_PTR("path", CYAML_FLAG_POINTER, struct settings_part, path, 1, 1024),
	CYAML_FIELD_STRING_PTR("format", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct settings_part, format, 1, 63),
	CYAML_FIELD_COMMAND("running", running),
	CYAML_FIELD_COMMAND("load", load),
	CYAML_FIELD_COMMAND("reload", reload),
	CYAML_FIELD_COMMAND("loaded", loaded),
	CYAML_FIELD_COMMAND("check", check),
	CYAML_FIELD_STRING_PTR("factory", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct settings_part, factory, 1, 1024),
	CYAML_FIELD_END,
};

static const cyaml_schema_value_t part_schema = { CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct settings_part, part_fields) };

static const cyaml_schema_field_t files_fields[] = {
	CYAML_FIELD_STRING_PTR("root", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct settings_files, root, 1, 1024),
	CYAML_FIELD_SEQUENCE("upgrade", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct settings_files, upgrade, &text_schema, 1, 24),
	CYAML_FIELD_SEQUENCE("parts", CYAML_FLAG_POINTER, struct settings_files, parts, &part_schema, 1, 64),
	CYAML_FIELD_END,
};

#define CYAML_FIELD_WEOS(name, member, max) \
	CYAML_FIELD_STRING_PTR(name, CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct settings_weos, member, 1, max)

static const cyaml_schema_field_t weos_fields[] = {
	CYAML_FIELD_WEOS("ssh", ssh, 255),
	CYAML_FIELD_WEOS("serial", serial, 1024),
	CYAML_FIELD_WEOS("tcp", tcp, 255),
	CYAML_FIELD_WEOS("rfc2217", rfc2217, 255),
	CYAML_FIELD_WEOS("user", user, 63),
	CYAML_FIELD_WEOS("identity", identity, 1024),
	CYAML_FIELD_WEOS("known-hosts", known_hosts, 1024),
	CYAML_FIELD_UINT_PTR("speed", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct settings_weos, speed_set),
	CYAML_FIELD_WEOS("serve", serve, 63),
	CYAML_FIELD_WEOS("credential", credential, 1024),
	CYAML_FIELD_WEOS("factory-credential", factory_credential, 1024),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t commit_fields[] = {
	CYAML_FIELD_ENUM("mode", CYAML_FLAG_STRICT, struct settings_commit, mode, modes, ARRAY_SIZE(modes)),
	CYAML_FIELD_UINT_PTR("quiet", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct settings_commit, quiet_set),
	CYAML_FIELD_UINT_PTR("remind", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct settings_commit, remind_set),
	CYAML_FIELD_UINT_PTR("watch", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct settings_commit, watch_set),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t device_fields[] = {
	CYAML_FIELD_STRING_PTR("name", CYAML_FLAG_POINTER, struct settings_device, name, 1, 63),
	CYAML_FIELD_STRING_PTR("driver", CYAML_FLAG_POINTER, struct settings_device, driver, 1, 63),
	CYAML_FIELD_MAPPING_PTR("frr", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct settings_device, frr, frr_fields),
	CYAML_FIELD_MAPPING_PTR("files", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct settings_device, files, files_fields),
	CYAML_FIELD_MAPPING_PTR("weos", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct settings_device, weos, weos_fields),
	CYAML_FIELD_MAPPING_PTR("commit", CYAML_FLAG_POINTER, struct settings_device, commit, commit_fields),
	CYAML_FIELD_SEQUENCE("changed-by", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct settings_device, changed_by, &text_schema, 1,
			     24),
	CYAML_FIELD_SEQUENCE("media", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct settings_device, media, &text_schema, 1, MEDIA_MOST),
	CYAML_FIELD_END,
};

static const cyaml_schema_value_t device_schema = { CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct settings_device, device_fields) };

static const cyaml_schema_field_t firmware_fields[] = {
	CYAML_FIELD_UINT_PTR("rate", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct settings_firmware, rate_set),
	CYAML_FIELD_UINT_PTR("most", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct settings_firmware, most_set),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t fields[] = {
	CYAML_FIELD_STRING_PTR("state", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct settings, state, 1, 4000),
	CYAML_FIELD_STRING_PTR("user", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct settings, user, 1, 63),
	CYAML_FIELD_UINT_PTR("spool", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct settings, spool_set),
	CYAML_FIELD_UINT_PTR("wait", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct settings, wait_set),
	CYAML_FIELD_UINT_PTR("keepalive", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct settings, keepalive_set),
	CYAML_FIELD_MAPPING_PTR("firmware", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct settings, firmware, firmware_fields),
	CYAML_FIELD_SEQUENCE("devices", CYAML_FLAG_POINTER, struct settings, devices, &device_schema, 1, SETTINGS_DEVICES_MAX),
	CYAML_FIELD_END,
};

static const cyaml_schema_value_t schema = { CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct settings, fields) };

/* The form of a name in formats.md: it becomes a folder, so "." and "/" at its head must not be. */
static bool name_ok(const char *name)
{
	if (!strchr("abcdefghijklmnopqrstuvwxyz0123456789", *name) || !*name)
		return false;
	return strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789._-") == strlen(name);
}

/* The default stands in for what is absent, not for a zero. */
static int number_check(unsigned *out, const unsigned *set, unsigned or_else, unsigned most, const char *key, struct error *err)
{
	*out = set ? *set : or_else;
	return *out && *out <= most ? 0 : error_set(err, E_FORMAT, "'%s' must be 1 to %u", key, most);
}

static int frr_check(const struct settings_device *dev, struct error *err)
{
	const struct settings_frr *frr = dev->frr;

	if (!frr)
		return error_set(err, E_FORMAT, "device '%s': driver frr needs the key 'frr'", dev->name);
	if (frr->config[0] != '/')
		return error_set(err, E_FORMAT, "device '%s': 'config' must be an absolute path", dev->name);
	if (frr->factory && (frr->factory[0] != '/' || !strcmp(frr->factory, frr->config)))
		return error_set(err, E_FORMAT, "device '%s': 'factory' must be an absolute path, and not that of 'config'", dev->name);
	if (frr->pathspace && frr->vty_socket)
		return error_set(err, E_FORMAT, "device '%s': 'pathspace' and 'vty-socket' exclude each other", dev->name);
	if (frr->vty_socket && frr->vty_socket[0] != '/')
		return error_set(err, E_FORMAT, "device '%s': 'vty-socket' must be an absolute path", dev->name);
	if (frr->pathspace && (strchr(frr->pathspace, '/') || frr->pathspace[0] == '.' || frr->pathspace[0] == '-'))
		return error_set(err, E_FORMAT, "device '%s': 'pathspace' is no path", dev->name);
	for (unsigned i = 0; i < frr->daemons_count; i++)
		if (!name_ok(frr->daemons[i]))
			return error_set(err, E_FORMAT, "device '%s': '%s' is no name of a daemon", dev->name, frr->daemons[i]);
	return 0;
}

/* nft's own commands stand in for those that are not named. */
static void set_command(char ***argv, unsigned *count, const char *line)
{
	_cleanup_(mem_freep) char *copy = mem_strdup(line);
	char *save = NULL;

	if (*count)
		return;
	for (char *word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
		*argv = mem_grow(*argv, (*count + 1) * sizeof(**argv));
		(*argv)[(*count)++] = mem_strdup(word);
	}
}

static void part_defaults(struct settings_part *part)
{
	if (!part->format)
		part->format = mem_strdup("secret");
	if (strcmp(part->format, "nftables") != 0)
		return;
	set_command(&part->running, &part->running_count, "nft -s list ruleset");
	set_command(&part->load, &part->load_count, "nft -f /dev/stdin");
	set_command(&part->check, &part->check_count, "nft -c -f /dev/stdin");
}

static int factory_check(const struct settings_part *part, bool is_pattern, struct error *err)
{
	bool is_none = part->factory && !strcmp(part->factory, "none");

	if (!part->factory)
		return 0;
	if (!is_none && part->factory[0] != '/')
		return error_set(err, E_FORMAT, "'factory' must be an absolute path, or 'none'");
	if (!is_none && (is_pattern || !strcmp(part->factory, part->path)))
		return error_set(err, E_FORMAT, "'factory' is another file, and of a pattern it can only be 'none'");
	if (is_none && part->running)
		return error_set(err, E_FORMAT, "'factory' cannot be 'none' where there is 'running'");
	return 0;
}

static int part_check(const struct settings_part *part, struct error *err)
{
	bool is_pattern = strpbrk(part->path, "*?[") != NULL, is_nft = !strcmp(part->format, "nftables");

	if (!files_path_ok(bytes_str(part->path)))
		return error_set(err, E_FORMAT, "'path' must be absolute, without '.', '..', '//' or control characters");
	if (!files_format_known(part->format))
		return error_set(err, E_FORMAT, "there is no format '%s'", part->format);
	if (is_pattern && (part->running || part->load))
		return error_set(err, E_FORMAT, "'running' and 'load' are about one file: '*', '?' and '[' stand for several");
	if (part->load && !part->running)
		return error_set(err, E_FORMAT, "'load' needs 'running': what was loaded must be read back");
	if (part->running && part->loaded)
		return error_set(err, E_FORMAT, "'running' and 'loaded' exclude each other");
	if (part->loaded && !part->reload)
		return error_set(err, E_FORMAT, "'loaded' needs 'reload'");
	if (is_nft && part->reload)
		return error_set(err, E_FORMAT, "nftables need no 'reload'");
	return factory_check(part, is_pattern, err);
}

static int files_check(const struct settings_device *dev, struct error *err)
{
	struct settings_files *files = dev->files;

	if (!files)
		return error_set(err, E_FORMAT, "device '%s': driver files needs the key 'files'", dev->name);
	if (!files->root)
		files->root = mem_strdup("/");
	if (strcmp(files->root, "/") != 0 && !files_path_ok(bytes_str(files->root)))
		return error_set(err, E_FORMAT, "device '%s': 'root' must be an absolute path, without '.', '..' or '/' at its end",
				 dev->name);
	files->first = mem_printf("%s%s", files->root[1] ? files->root : "", files->parts[0].path);
	for (unsigned i = 0; i < files->parts_count; i++) {
		part_defaults(&files->parts[i]);
		if (part_check(&files->parts[i], err) < 0)
			return error_add(err, "device '%s': '%s'", dev->name, files->parts[i].path);
		for (unsigned k = 0; k < i; k++)
			if (!strcmp(files->parts[k].path, files->parts[i].path))
				return error_set(err, E_FORMAT, "device '%s': '%s' is there twice", dev->name, files->parts[i].path);
	}
	return 0;
}

/* "host:port" or "[address]:port". */
static bool address_ok(const char *address)
{
	const char *colon = strrchr(address, ':');
	uint64_t port;

	if (!colon || colon == address || address[0] == '-' || strpbrk(address, " \t/@\"'\\"))
		return false;
	if (memchr(address, ':', (size_t)(colon - address)) && (address[0] != '[' || colon[-1] != ']'))
		return false;
	return number_parse(&port, bytes_str(colon + 1)) && port && port < 65536;
}

static bool speed_ok(unsigned speed)
{
	static const unsigned speeds[] = { 9600, 19200, 38400, 57600, 115200, 230400 };

	for (size_t i = 0; i < ARRAY_SIZE(speeds); i++)
		if (speeds[i] == speed)
			return true;
	return false;
}

static int weos_way_check(const struct settings_weos *weos, struct error *err)
{
	const char *const ways[] = { weos->ssh, weos->tcp, weos->rfc2217 };
	unsigned count = weos->serial != NULL;

	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		count += ways[i] != NULL;
		if (ways[i] && !address_ok(ways[i]))
			return error_set(err, E_FORMAT, "'%s' is no address: write host:port", ways[i]);
	}
	if (count != 1)
		return error_set(err, E_FORMAT, "one of 'ssh', 'serial', 'tcp' and 'rfc2217' says how it is reached");
	if (!weos->ssh && (weos->identity || weos->known_hosts))
		return error_set(err, E_FORMAT, "'identity' and 'known-hosts' belong to 'ssh'");
	if (weos->ssh && !weos->known_hosts)
		return error_set(err, E_FORMAT, "'ssh' needs 'known-hosts': the file with the device's key");
	if (weos->ssh && weos->serve)
		return error_set(err, E_FORMAT,
				 "'serve' is for a device that is reached by its console: without it no image can be started");
	if (weos->serve && strspn(weos->serve, "0123456789abcdefABCDEF.:[]") != strlen(weos->serve))
		return error_set(err, E_FORMAT, "'serve' is an address of this machine, maybe with a port: 192.0.2.1");
	if (!weos->serial && !weos->rfc2217 && weos->speed_set)
		return error_set(err, E_FORMAT, "'speed' belongs to 'serial' and 'rfc2217'");
	return 0;
}

static int weos_check(const struct settings_device *dev, struct error *err)
{
	struct settings_weos *weos = dev->weos;
	const char *paths[] = { weos ? weos->serial : NULL, weos ? weos->identity : NULL, weos ? weos->known_hosts : NULL,
				weos ? weos->credential : NULL, weos ? weos->factory_credential : NULL };

	if (!weos)
		return error_set(err, E_FORMAT, "device '%s': driver weos needs the key 'weos'", dev->name);
	if (weos_way_check(weos, err) < 0)
		return error_add(err, "device '%s'", dev->name);
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
		if (paths[i] && paths[i][0] != '/')
			return error_set(err, E_FORMAT, "device '%s': '%s' must be an absolute path", dev->name, paths[i]);
	if (!weos->user)
		weos->user = mem_strdup("admin");
	if (weos->user[0] == '-' || strpbrk(weos->user, " \t\"'\\@?"))
		return error_set(err, E_FORMAT, "device '%s': '%s' is no user", dev->name, weos->user);
	weos->speed = weos->speed_set ? *weos->speed_set : 115200;
	if (!speed_ok(weos->speed))
		return error_set(err, E_FORMAT, "device '%s': 'speed' must be 9600, 19200, 38400, 57600, 115200 or 230400", dev->name);
	return 0;
}

/* What the driver keeps of its own. No device is called ".agent". */
static void weos_paths(struct settings_weos *weos, const char *state, const char *name)
{
	weos->key = mem_printf("%s/.agent/key", state);
	weos->boot = mem_printf("%s/.agent/%s.boot", state, name);
	weos->transcript = mem_printf("%s/.agent/%s.transcript", state, name);
	weos->record = mem_printf("%s/.agent/%s.erased", state, name);
	if (!weos->factory_credential)
		weos->factory_credential = mem_printf("%s/.agent/%s.factory", state, name);
	if (!weos->credential)
		weos->credential = mem_printf("%s/.agent/%s.credential", state, name);
}

static int media_check(const struct settings_device *dev, struct error *err)
{
	if (dev->media && dev->weos)
		return error_set(err, E_FORMAT, "device '%s': 'media' are of this machine, and the device is another", dev->name);
	for (unsigned i = 0; i < dev->media_count; i++)
		if (dev->media[i][0] != '/')
			return error_set(err, E_FORMAT, "device '%s': '%s' must be an absolute path", dev->name, dev->media[i]);
	return 0;
}

static int driver_check(const struct settings_device *dev, struct error *err)
{
	static const struct {
		const char *name;
		int (*check)(const struct settings_device *dev, struct error *err);
	} drivers[] = { { "frr", frr_check }, { "files", files_check }, { "weos", weos_check } };

	if (dev->frr && strcmp(dev->driver, "frr") != 0)
		return error_set(err, E_FORMAT, "device '%s': the key 'frr' belongs to driver frr", dev->name);
	if (dev->files && strcmp(dev->driver, "files") != 0)
		return error_set(err, E_FORMAT, "device '%s': the key 'files' belongs to driver files", dev->name);
	if (dev->weos && strcmp(dev->driver, "weos") != 0)
		return error_set(err, E_FORMAT, "device '%s': the key 'weos' belongs to driver weos", dev->name);
	for (size_t i = 0; i < ARRAY_SIZE(drivers); i++)
		if (!strcmp(dev->driver, drivers[i].name))
			return drivers[i].check(dev, err);
	return error_set(err, E_FORMAT, "device '%s': no driver '%s' (there are: frr, files, weos)", dev->name, dev->driver);
}

static int device_check(const struct settings *s, unsigned i, struct error *err)
{
	struct settings_device *dev = &s->devices[i];
	struct settings_commit *commit = dev->commit;

	if (!name_ok(dev->name))
		return error_set(err, E_FORMAT, "'%s' is no name for a device: a-z 0-9 . _ - with a letter or digit first", dev->name);
	for (unsigned k = 0; k < i; k++)
		if (!strcmp(s->devices[k].name, dev->name))
			return error_set(err, E_FORMAT, "two devices are called '%s'", dev->name);
	if (driver_check(dev, err) < 0 || media_check(dev, err) < 0)
		return err->code;
	if (dev->weos)
		weos_paths(dev->weos, s->state, dev->name);
	if (number_check(&commit->quiet, commit->quiet_set, QUIET_DEFAULT, SECONDS_MAX, "quiet", err) < 0 ||
	    number_check(&commit->remind, commit->remind_set, REMIND_DEFAULT, SECONDS_MAX, "remind", err) < 0 ||
	    number_check(&commit->watch, commit->watch_set, WATCH_DEFAULT, SECONDS_MAX, "watch", err) < 0)
		return error_add(err, "device '%s'", dev->name);
	return 0;
}

static int firmware_check(struct settings *s, struct error *err)
{
	const struct settings_firmware *f = s->firmware;

	if (f && f->rate_set && number_check(&s->firmware_rate, f->rate_set, 0, RATE_MOST, "rate", err) < 0)
		return error_add(err, "firmware");
	if (number_check(&s->firmware_most, f ? f->most_set : NULL, IMAGE_DEFAULT, IMAGE_MOST, "most", err) < 0)
		return error_add(err, "firmware");
	return 0;
}

static int check(void *data, struct error *err)
{
	struct settings *s = data;

	if (!s->state)
		s->state = mem_strdup("/var/lib/holdfast-agent");
	if (!s->user)
		s->user = mem_strdup("nobody");
	if (number_check(&s->spool, s->spool_set, SPOOL_DEFAULT, SPOOL_MOST, "spool", err) < 0 ||
	    number_check(&s->wait, s->wait_set, WAIT_DEFAULT, WAIT_MOST, "wait", err) < 0 ||
	    number_check(&s->keepalive, s->keepalive_set, KEEPALIVE_DEFAULT, WAIT_MOST, "keepalive", err) < 0)
		return err->code;
	if (s->keepalive < KEEPALIVE_LEAST)
		return error_set(err, E_FORMAT, "'keepalive' must be %d to %d", KEEPALIVE_LEAST, WAIT_MOST);
	if (firmware_check(s, err) < 0)
		return err->code;
	if (s->state[0] != '/')
		return error_set(err, E_FORMAT, "'state' must be an absolute path");
	for (unsigned i = 0; i < s->devices_count; i++)
		if (device_check(s, i, err) < 0)
			return err->code;
	return 0;
}

/* What is no key. */
static void done(void *data)
{
	const struct settings *s = data;

	for (unsigned i = 0; i < s->devices_count; i++) {
		struct settings_device *dev = &s->devices[i];

		if (dev->files)
			mem_freep(&dev->files->first);
		if (dev->weos) {
			mem_freep(&dev->weos->key);
			mem_freep(&dev->weos->boot);
			mem_freep(&dev->weos->transcript);
			mem_freep(&dev->weos->record);
		}
	}
}

static const struct yaml_form form = { &schema, check, done };

int settings_load(struct settings **out, const char *path, struct error *err)
{
	void *data = NULL;
	int r = yaml_form_load(&data, path, &form, err);

	*out = r == 0 ? data : *out;
	return r;
}

void settings_freep(struct settings **settings)
{
	yaml_form_free(&form, *settings);
	*settings = NULL;
}

const struct settings_device *settings_device(const struct settings *settings, const char *name)
{
	for (unsigned i = 0; i < settings->devices_count; i++)
		if (!strcmp(settings->devices[i].name, name))
			return &settings->devices[i];
	return NULL;
}

const char *settings_mode_name(enum settings_mode mode)
{
	return modes[mode].str;
}
