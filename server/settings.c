/* server/settings.c -- holdfastd.yaml: a libcyaml schema, defaults, and what a schema cannot say. */
#include "server/settings.h"

#include "base/clock.h"
#include "base/yaml.h"
#include "server/firmware.h"

#include <arpa/inet.h>
#include <string.h>
#include <unistd.h>

enum {
	THREADS_MAX = 64,
	CONNECTIONS_DEFAULT = 20000,
	CONNECTIONS_MAX = 1000000,
	HEADER_SECONDS_DEFAULT = 10,
	BODY_SECONDS_DEFAULT = 20,
	SECONDS_MAX = 600,
	STALL_SECONDS_DEFAULT = 120,
	DOWNLOADS_DEFAULT = 64,
	FIRMWARE_MIB_DEFAULT = 2048,
	FIRMWARE_MIB_MAX = 65536,
};

static const cyaml_strval_t levels[] = {
	{ "error", LOG_ERROR }, { "warning", LOG_WARNING }, { "notice", LOG_NOTICE }, { "info", LOG_INFO }, { "debug", LOG_DEBUG },
};

static const cyaml_schema_value_t address_schema = { CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 3, SETTINGS_ADDRESS_MAX - 1) };

static const cyaml_schema_value_t copy_schema = { CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 1, SETTINGS_COPY_MAX - 1) };
static const cyaml_schema_value_t contact_schema = { CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 3, SETTINGS_CONTACT_MAX - 1) };

static const cyaml_schema_field_t fields[] = {
	CYAML_FIELD_SEQUENCE("address", CYAML_FLAG_POINTER, struct settings, address, &address_schema, 1, SETTINGS_ADDRESSES_MAX),
	CYAML_FIELD_STRING_PTR("listen", CYAML_FLAG_POINTER, struct settings, listen, 3, SETTINGS_ADDRESS_MAX - 1),
	CYAML_FIELD_UINT("threads", CYAML_FLAG_OPTIONAL, struct settings, threads),
	CYAML_FIELD_UINT("connections", CYAML_FLAG_OPTIONAL, struct settings, connections),
	CYAML_FIELD_UINT("header-seconds", CYAML_FLAG_OPTIONAL, struct settings, header_seconds),
	CYAML_FIELD_UINT("body-seconds", CYAML_FLAG_OPTIONAL, struct settings, body_seconds),
	CYAML_FIELD_UINT("stall-seconds", CYAML_FLAG_OPTIONAL, struct settings, stall_seconds),
	CYAML_FIELD_UINT("downloads", CYAML_FLAG_OPTIONAL, struct settings, downloads),
	CYAML_FIELD_UINT("firmware-max-mib", CYAML_FLAG_OPTIONAL, struct settings, firmware_max_mib),
	CYAML_FIELD_SEQUENCE("copies", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct settings, copies, &copy_schema, 0,
			     SETTINGS_COPIES_MAX),
	CYAML_FIELD_SEQUENCE("security-contact", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct settings, contact, &contact_schema, 1,
			     SETTINGS_CONTACTS_MAX),
	CYAML_FIELD_STRING_PTR("security-policy", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct settings, policy, 3,
			       SETTINGS_CONTACT_MAX - 1),
	CYAML_FIELD_STRING_PTR("security-expires", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct settings, expires, 3,
			       SETTINGS_CONTACT_MAX - 1),
	CYAML_FIELD_ENUM("log", CYAML_FLAG_STRICT, struct settings, log, levels, ARRAY_SIZE(levels)),
	CYAML_FIELD_END,
};

static const cyaml_schema_value_t schema = { CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct settings, fields) };

static bool is_v6(const char *host)
{
	struct in6_addr in6;

	return inet_pton(AF_INET6, host, &in6) == 1;
}

static bool is_host(const char *host)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789.-";

	return *host && strspn(host, allowed) == strlen(host) && !strchr(".-", *host);
}

int settings_split(char *host, unsigned *port, const char *address, struct error *err)
{
	const char *colon = strrchr(address, ':');
	size_t len = colon ? (size_t)(colon - address) : 0;
	uint64_t n = 0;
	bool bracketed;

	if (!colon || !len || len >= SETTINGS_ADDRESS_MAX || !number_parse(&n, bytes_str(colon + 1)) || !n || n > 65535)
		return error_set(err, E_FORMAT, "'%s' is not HOST:PORT", address);
	bracketed = address[0] == '[' && address[len - 1] == ']';
	memcpy(host, address + bracketed, len - 2U * bracketed);
	host[len - 2U * bracketed] = 0;
	if (bracketed ? !is_v6(host) : !is_host(host))
		return error_set(err, E_FORMAT, "'%s' is not HOST:PORT: the host is a name in lower case, an IPv4 address or [IPv6]",
				 address);
	*port = (unsigned)n;
	return 0;
}

static unsigned default_threads(void)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);

	/* more threads than cores only cost: every one of them wakes for every new connection */
	return cores < 1 ? 1 : cores > 4 ? 4 : (unsigned)cores;
}

static int in_range(unsigned *value, unsigned or_else, unsigned most, const char *key, struct error *err)
{
	if (!*value)
		*value = or_else;
	if (*value > most)
		return error_set(err, E_FORMAT, "'%s' is %u, the most is %u", key, *value, most);
	return 0;
}

/* As a `text` of a statement: it will stand in one. */
static bool is_text(const char *text)
{
	size_t len = strlen(text);

	for (size_t i = 0; i < len; i++)
		if (text[i] < ' ' || text[i] > '~')
			return false;
	return len && text[0] != ' ' && text[len - 1] != ' ';
}

/* RFC 9116 takes URIs; a line break would begin a field of its own. */
static bool is_uri(const char *text, const char *const schemes[])
{
	for (const char *c = text; *c; c++)
		if (*c <= ' ' || *c > '~')
			return false;
	for (size_t i = 0; schemes[i]; i++)
		if (!strncmp(text, schemes[i], strlen(schemes[i])) && text[strlen(schemes[i])])
			return true;
	return false;
}

static int check_security(const struct settings *s, struct error *err)
{
	static const char *const to_people[] = { "mailto:", "https://", "tel:", NULL }, *const pages[] = { "https://", NULL };
	int64_t expires_s;

	for (unsigned i = 0; i < s->contact_count; i++)
		if (!is_uri(s->contact[i], to_people))
			return error_set(err, E_FORMAT, "security-contact '%s' is no mailto:, https:// or tel: address", s->contact[i]);
	if (s->policy && !is_uri(s->policy, pages))
		return error_set(err, E_FORMAT, "security-policy '%s' is no https:// address", s->policy);
	if (s->expires && !clock_parse(&expires_s, bytes_str(s->expires)))
		return error_set(err, E_FORMAT, "security-expires '%s' is no time like 2027-01-31T00:00:00Z", s->expires);
	if (!s->contact_count != !s->expires || (s->policy && !s->contact_count))
		return error_set(err, E_FORMAT, "security-contact and security-expires go together, and security-policy with them");
	return 0;
}

static int check(void *data, struct error *err)
{
	struct settings *s = data;
	char host[SETTINGS_ADDRESS_MAX];
	unsigned port;

	for (unsigned i = 0; i < s->address_count; i++)
		if (settings_split(host, &port, s->address[i], err) < 0)
			return error_add(err, "address");
	if (settings_split(host, &port, s->listen, err) < 0)
		return error_add(err, "listen");
	for (unsigned i = 0; i < s->copies_count; i++)
		if (!is_text(s->copies[i]))
			return error_set(err, E_FORMAT, "copies: entry %u is not printable ASCII without a blank at its ends", i + 1);
	if (check_security(s, err) < 0)
		return err->code;
	if (in_range(&s->threads, default_threads(), THREADS_MAX, "threads", err) < 0 ||
	    in_range(&s->connections, CONNECTIONS_DEFAULT, CONNECTIONS_MAX, "connections", err) < 0 ||
	    in_range(&s->stall_seconds, STALL_SECONDS_DEFAULT, SECONDS_MAX, "stall-seconds", err) < 0 ||
	    in_range(&s->downloads, DOWNLOADS_DEFAULT, FIRMWARE_DOWNLOADS_MAX, "downloads", err) < 0 ||
	    in_range(&s->firmware_max_mib, FIRMWARE_MIB_DEFAULT, FIRMWARE_MIB_MAX, "firmware-max-mib", err) < 0 ||
	    in_range(&s->header_seconds, HEADER_SECONDS_DEFAULT, SECONDS_MAX, "header-seconds", err) < 0)
		return err->code;
	return in_range(&s->body_seconds, BODY_SECONDS_DEFAULT, SECONDS_MAX, "body-seconds", err);
}

static const struct yaml_form form = { .schema = &schema, .check = check };

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

void settings_text(struct buf *out, const char *const *addresses, size_t count, const char *listen)
{
	buf_add_str(out, "# holdfastd.yaml -- settings of holdfastd(8), read once at start.\n\n"
			 "# What operators and devices dial. A login is valid only for one of these; the first is given out.\n"
			 "address:\n");
	for (size_t i = 0; i < count; i++)
		buf_addf(out, "  - \"%s\"\n", addresses[i]);
	buf_addf(out, "\n# The address and port to bind; \"[::]:8443\" takes IPv4 as well.\nlisten: \"%s\"\n\n", listen);
	buf_addf(
		out,
		"# Threads for HTTPS. Default: as many as there are cores, at most 4.\n#threads: 2\n\n"
		"# Open connections at a time; every waiting device is one. The limit of open files must be above it.\n#connections: %d\n\n"
		"# How long handshake and headers, and a body (and 1 s more per 64 KiB), may take altogether.\n"
		"#header-seconds: %d\n#body-seconds: %d\n\n"
		"# Images of firmware: how many may be fetched at a time, the largest that is taken, and how long\n# one may make no "
		"progress (32 KiB out, 64 KiB in).\n"
		"#downloads: %d\n#firmware-max-mib: %d\n#stall-seconds: %d\n\n"
		"# Other copies of this folder, and until when each lasts: stands in what is said when a device is shredded.\n"
		"#copies:\n#  - \"nightly backup of the keyring, kept for 30 days\"\n\n"
		"# Whom to tell of a vulnerability in this installation, served as /.well-known/security.txt; see holdfastd.yaml(5).\n"
		"#security-contact:\n#  - \"mailto:security@example.com\"\n#security-expires: \"2027-01-31T00:00:00Z\"\n\n"
		"# error, warning, notice, info or debug (a line per request)\nlog: info\n",
		CONNECTIONS_DEFAULT, HEADER_SECONDS_DEFAULT, BODY_SECONDS_DEFAULT, DOWNLOADS_DEFAULT, FIRMWARE_MIB_DEFAULT,
		STALL_SECONDS_DEFAULT);
}

bool settings_security_text(struct buf *out, const struct settings *settings, int64_t now_s)
{
	int64_t expires_s = 0;

	if (!settings->contact_count || !clock_parse(&expires_s, bytes_str(settings->expires)) || now_s >= expires_s)
		return false;
	for (unsigned i = 0; i < settings->contact_count; i++)
		buf_addf(out, "Contact: %s\n", settings->contact[i]);
	buf_addf(out, "Expires: %s\n", settings->expires);
	if (settings->policy)
		buf_addf(out, "Policy: %s\n", settings->policy);
	for (unsigned i = 0; i < settings->address_count; i++)
		buf_addf(out, "Canonical: https://%s/.well-known/security.txt\n", settings->address[i]);
	return true;
}

bool settings_is_ours(const struct settings *settings, const char *url)
{
	static const char scheme[] = "https://";

	if (strncmp(url, scheme, sizeof(scheme) - 1) != 0)
		return false;
	for (unsigned i = 0; i < settings->address_count; i++)
		if (!strcmp(url + sizeof(scheme) - 1, settings->address[i]))
			return true;
	return false;
}
