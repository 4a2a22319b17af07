/* agent/hold.c -- an engineer's word that a device's unsaved change is to be left alone for a while. */
#include "agent/hold.h"

#include "base/clock.h"
#include "base/fs.h"

#include <stdio.h>
#include <string.h>

enum { HOLD_FILE_MAX = 4096, UNREADABLE_S = 3600 };

static void take_value(char *out, size_t size, struct bytes value)
{
	size_t n = 0;

	for (; n < value.len && n + 1 < size; n++)
		out[n] = value.ptr[n] >= 0x20 && value.ptr[n] < 0x7f ? (char)value.ptr[n] : '?';
	out[n] = 0;
}

static bool key_is(struct bytes line, const char *key, struct bytes *value)
{
	size_t len = strlen(key);

	if (line.len < len || memcmp(line.ptr, key, len) != 0)
		return false;
	*value = bytes_from(line, len);
	return true;
}

int hold_read(struct hold *out, const char *dir, int64_t now_s, struct error *err)
{
	_cleanup_(mem_freep) char *path = mem_printf("%s/hold", dir);
	_cleanup_(buf_done) struct buf text = { 0 };
	struct bytes rest, line, value;
	int r = fs_read(&text, path, HOLD_FILE_MAX, err);

	*out = (struct hold){ 0 };
	if (r == FS_ABSENT)
		return HOLD_NONE;
	if (r < 0 && err->code == E_SYS)
		return r;
	rest = buf_bytes(&text);
	while (r == 0 && bytes_next_line(&rest, &line)) {
		if (key_is(line, "until: ", &value) && !clock_parse(&out->until_s, value))
			out->until_s = 0;
		else if (key_is(line, "who: ", &value))
			take_value(out->who, sizeof(out->who), value);
		else if (key_is(line, "why: ", &value))
			take_value(out->why, sizeof(out->why), value);
	}
	if (!out->until_s) {
		out->until_s = now_s + UNREADABLE_S;
		snprintf(out->why, sizeof(out->why), "the hold file cannot be read");
		return 0;
	}
	return out->until_s > now_s ? 0 : HOLD_NONE;
}

int hold_write(const struct hold *hold, const char *dir, struct error *err)
{
	_cleanup_(mem_freep) char *path = mem_printf("%s/hold", dir);
	_cleanup_(buf_done) struct buf text = { 0 };
	char until[CLOCK_TEXT_LEN];
	struct hold clean = { 0 };

	clock_text(until, hold->until_s);
	take_value(clean.who, sizeof(clean.who), bytes_str(hold->who));
	take_value(clean.why, sizeof(clean.why), bytes_str(hold->why));
	buf_addf(&text, "until: %s\nwho: %s\nwhy: %s\n", until, clean.who, clean.why);
	return fs_write(path, buf_bytes(&text), 0600, err);
}

int hold_release(const char *dir, struct error *err)
{
	_cleanup_(mem_freep) char *path = mem_printf("%s/hold", dir);

	return fs_remove(path, err);
}

int64_t hold_duration(const char *text)
{
	size_t digits = strspn(text, "0123456789");
	uint64_t n;
	int64_t unit;

	if (!digits || digits > 7 || strlen(text) != digits + 1 || !number_parse(&n, bytes_of(text, digits)))
		return 0;
	switch (text[digits]) {
	case 's':
		unit = 1;
		break;
	case 'm':
		unit = 60;
		break;
	case 'h':
		unit = 3600;
		break;
	case 'd':
		unit = 86400;
		break;
	default:
		return 0;
	}
	return (int64_t)n * unit <= HOLD_SECONDS_MAX ? (int64_t)n * unit : 0;
}
