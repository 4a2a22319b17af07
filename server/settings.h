/* server/settings.h -- holdfastd.yaml, read once at start. */
#pragma once

#include "base/bytes.h"
#include "base/error.h"
#include "base/log.h"

enum {
	SETTINGS_ADDRESSES_MAX = 4, /* as many as a root may name */
	SETTINGS_ADDRESS_MAX = 261, /* host name, colon, port */
	SETTINGS_COPIES_MAX = 16,   /* as many as a statement names */
	SETTINGS_COPY_MAX = 901,
	SETTINGS_CONTACTS_MAX = 4,
	SETTINGS_CONTACT_MAX = 256,
};

/* The struct that libcyaml fills: text is owned by it. */
struct settings {
	char **address; /* "host:port" as clients dial; the first one stands in the setup string */
	unsigned address_count;
	char *listen;         /* "address:port" to bind */
	unsigned threads;     /* of the HTTP side; 0 in the file: as many as cores, at most 4 */
	unsigned connections; /* open at a time */
	unsigned header_seconds, body_seconds; /* absolute deadlines: handshake and headers; body */
	unsigned stall_seconds;    /* how long an image may make no progress, either way */
	unsigned downloads;        /* of firmware, at a time */
	unsigned firmware_max_mib; /* of one image */
	char **copies;          /* other copies of this server's folder, and until when each lasts: stands in what is said of shredding */
	unsigned copies_count;
	enum log_level log;
	char **contact; /* "mailto:...", "https://..." or "tel:...": whom to tell of a vulnerability; NULL: no security.txt */
	unsigned contact_count;
	char *policy;  /* "https://...", or NULL */
	char *expires; /* until when security.txt counts; there when a contact is */
};

/* Reads and checks path; defaults are filled in. E_FORMAT names file, line and key. The caller ends it with settings_freep(). */
int settings_load(struct settings **out, const char *path, struct error *err) _must_check_;
void settings_freep(struct settings **settings);

/* The commented file that `holdfastd init` writes. */
void settings_text(struct buf *out, const char *const *addresses, size_t count, const char *listen);

/* Splits "host:port" or "[v6]:port" into its parts (host without brackets). E_FORMAT otherwise. host: SETTINGS_ADDRESS_MAX bytes. */
int settings_split(char *host, unsigned *port, const char *address, struct error *err) _must_check_;

/* The file of RFC 9116, for /.well-known/security.txt. False when there is none: no contact is set, or its time is over. */
bool settings_security_text(struct buf *out, const struct settings *settings, int64_t now_s);

/* Is url "https://" and one of our addresses? */
bool settings_is_ours(const struct settings *settings, const char *url);
