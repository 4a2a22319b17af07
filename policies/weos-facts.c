/* policies/weos-facts.c -- what WeOS says of itself: model, images, what it will boot, how long it has been up. */
#include "policies/weos-text.h"

#include "policies/words.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static void put(char out[static WEOS_FACT_MAX], struct bytes text)
{
	size_t n = 0;

	text = words_trim(text);
	for (size_t i = 0; i < text.len && n + 1 < WEOS_FACT_MAX; i++)
		if (text.ptr[i] >= 0x20 && text.ptr[i] < 0x7f && text.ptr[i] != '"')
			out[n++] = (char)text.ptr[i];
	out[n] = 0;
}

/* Two fields that share a line are two blanks or more apart, and so are a name and its colon. */
static struct bytes take_field(struct bytes *line)
{
	size_t n = 0, colon = 0;
	struct bytes field;

	while (line->len && isspace(line->ptr[0]))
		*line = bytes_from(*line, 1);
	while (n < line->len && (line->ptr[n] != ' ' || n + 1 == line->len || line->ptr[n + 1] != ' ' || !colon || n < colon + 2)) {
		if (line->ptr[n] == ':' && !colon)
			colon = n;
		n++;
	}
	field = bytes_of(line->ptr, n);
	*line = bytes_from(*line, n);
	return field;
}

static bool split_field(struct bytes *name, struct bytes *value, struct bytes field)
{
	const uint8_t *colon = field.len ? memchr(field.ptr, ':', field.len) : NULL;

	if (!colon)
		return false;
	*name = words_trim(bytes_of(field.ptr, (size_t)(colon - field.ptr)));
	*value = words_trim(bytes_from(field, name->len ? (size_t)(colon - field.ptr) + 1 : field.len));
	return true;
}

struct wanted {
	const char *name;
	char *out;
};

static void take_wanted(const struct wanted *wanted, size_t count, struct bytes name, struct bytes value)
{
	for (size_t i = 0; i < count; i++)
		if (name.len == strlen(wanted[i].name) && !strncasecmp((const char *)name.ptr, wanted[i].name, name.len) && !*wanted[i].out)
			put(wanted[i].out, value);
}

void weos_facts_read(struct weos_facts *out, struct bytes shown)
{
	const struct wanted wanted[] = {
		{ "Model", out->model },		{ "Serial Number", out->serial },	 { "Boot loader ver.", out->loader },
		{ "Active firmware", out->active }, { "Main firmware ver.", out->main }, { "Backup firmware ver", out->backup },
		{ "Backup firmware ver.", out->backup },
	};
	struct bytes line, name, value;

	*out = (struct weos_facts){ 0 };
	while (bytes_next_line(&shown, &line))
		while (line.len)
			if (split_field(&name, &value, take_field(&line)))
				take_wanted(wanted, ARRAY_SIZE(wanted), name, value);
}

/* "Config order" and "config-order" are one name. */
static bool take_boot_name(char *out, const char *name, struct bytes line)
{
	size_t len = strlen(name);

	if (line.len < len)
		return false;
	for (size_t i = 0; i < len; i++)
		if (name[i] == ' ' ? line.ptr[i] != ' ' && line.ptr[i] != '-' : tolower(line.ptr[i]) != name[i])
			return false;
	line = bytes_from(line, len);
	if (line.len && !isspace(line.ptr[0]) && line.ptr[0] != ':')
		return false;
	line = words_trim(line);
	if (line.len && line.ptr[0] == ':')
		line = bytes_from(line, 1);
	put(out, line);
	return true;
}

void weos_boot_read(struct weos_boot *out, struct bytes shown)
{
	struct bytes line;

	*out = (struct weos_boot){ 0 };
	while (bytes_next_line(&shown, &line)) {
		struct bytes body = words_trim(line);

		(void)(take_boot_name(out->order, "config order", body) || take_boot_name(out->fallback, "config fallback", body) ||
		       take_boot_name(out->sync, "config sync", body) || take_boot_name(out->integrity, "boot integrity", body));
	}
}

static void add(char *out, size_t size, const char *fmt, ...) _printf_(3, 4);
static void add(char *out, size_t size, const char *fmt, ...)
{
	size_t used = strlen(out);
	va_list ap;

	if (used && used + 3 < size) {
		memcpy(out + used, "; ", 3);
		used += 2;
	}
	va_start(ap, fmt);
	vsnprintf(out + used, size - used, fmt, ap);
	va_end(ap);
}

void weos_boot_doubt(char *out, size_t size, const struct weos_boot *boot)
{
	*out = 0;
	if (*boot->order && strncmp(boot->order, "int:startup", 11) != 0)
		add(out, size, "it boots '%.60s' before its own startup configuration", boot->order);
	if (*boot->sync && strcasecmp(boot->sync, "disabled") != 0 && strcasecmp(boot->sync, "off") != 0 &&
	    strcasecmp(boot->sync, "no") != 0)
		add(out, size, "at boot it copies a configuration from '%.40s'", boot->sync);
	if (*boot->integrity && strcasecmp(boot->integrity, "ok") != 0)
		add(out, size, "the integrity of its boot settings is '%.30s'", boot->integrity);
}

/* ---- how long it has been up ---- */

static uint64_t unit_of(struct bytes text)
{
	static const struct {
		char letter;
		uint64_t seconds;
	} units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 }, { 'w', 604800 } };

	for (size_t i = 0; text.len && i < ARRAY_SIZE(units); i++)
		if (text.ptr[0] == units[i].letter)
			return units[i].seconds;
	return 0;
}

static bool take_number(uint64_t *out, struct bytes *text)
{
	size_t n = 0;

	*out = 0;
	while (n < text->len && isdigit(text->ptr[n]) && n < 10)
		*out = *out * 10 + (uint64_t)(text->ptr[n++] - '0');
	*text = bytes_from(*text, n);
	return n;
}

/* "2:03": hours and minutes; "2:03:04" with seconds. */
static bool take_clock(uint64_t *sum, uint64_t *smallest, uint64_t first, struct bytes *text)
{
	uint64_t minutes, seconds = 0;

	if (!text->len || text->ptr[0] != ':')
		return false;
	*text = bytes_from(*text, 1);
	if (!take_number(&minutes, text))
		return false;
	*smallest = 60;
	if (text->len && text->ptr[0] == ':') {
		*text = bytes_from(*text, 1);
		if (!take_number(&seconds, text))
			return false;
		*smallest = 1;
	}
	*sum += first * 3600 + minutes * 60 + seconds;
	return true;
}

static bool take_part(uint64_t *sum, uint64_t *smallest, struct bytes *text)
{
	uint64_t number, unit;

	if (!take_number(&number, text))
		return false;
	if (take_clock(sum, smallest, number, text))
		return true;
	while (text->len && text->ptr[0] == ' ')
		*text = bytes_from(*text, 1);
	unit = unit_of(*text);
	if (!unit)
		return false;
	*sum += number * unit;
	*smallest = unit;
	while (text->len && isalpha(text->ptr[0]))
		*text = bytes_from(*text, 1);
	return true;
}

bool weos_uptime_read(uint64_t *least, uint64_t *most, struct bytes shown)
{
	uint64_t sum = 0, smallest = 0;
	const uint8_t *up = shown.len ? memmem(shown.ptr, shown.len, "up ", 3) : NULL;
	struct bytes rest = up ? bytes_from(shown, (size_t)(up - shown.ptr) + 3) : (struct bytes){ 0 };

	while (rest.len && take_part(&sum, &smallest, &rest))
		while (rest.len && (rest.ptr[0] == ' ' || rest.ptr[0] == ','))
			rest = bytes_from(rest, 1);
	*least = sum;
	*most = sum + smallest;
	return smallest;
}
