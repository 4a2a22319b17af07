/* agent/floor.c -- the least that the time can be. */
#include "agent/floor.h"

#include "base/clock.h"
#include "base/fs.h"

#include <stdio.h>
#include <string.h>

enum { FLOOR_FILE_MAX = 256, KEEP_S = 3600 };

void floor_boot(char out[static FLOOR_BOOT_LEN])
{
	_cleanup_(buf_done) struct buf text = { 0 };
	struct error ignored;

	*out = 0;
	if (fs_read(&text, "/proc/sys/kernel/random/boot_id", FLOOR_FILE_MAX, &ignored) == 0)
		snprintf(out, FLOOR_BOOT_LEN, "%.*s", (int)strcspn(buf_text(&text), "\n"), buf_text(&text));
}

void floor_load(struct floor *f, const char *dir)
{
	_cleanup_(mem_freep) char *path = mem_printf("%s/floor", dir);
	_cleanup_(buf_done) struct buf text = { 0 };
	char time[CLOCK_TEXT_LEN], boot[FLOOR_BOOT_LEN], here[FLOOR_BOOT_LEN];
	unsigned long long at_ms;
	struct error ignored;
	int64_t time_s;

	*f = (struct floor){ 0 };
	if (fs_read(&text, path, FLOOR_FILE_MAX, &ignored) != 0 ||
	    sscanf(buf_text(&text), "time: %20s\nboot: %36s %llu\n", time, boot, &at_ms) != 3 || !clock_parse(&time_s, bytes_str(time)))
		return;
	floor_boot(here);
	f->time_s = f->stored_s = time_s;
	f->at_ms = clock_mono_ms();
	if (!strcmp(boot, here) && at_ms < f->at_ms)
		f->at_ms = at_ms; /* the same start of the machine: what passed since counts, too */
}

void floor_raise(struct floor *f, int64_t time_s)
{
	if (time_s <= floor_now(f))
		return;
	f->time_s = time_s;
	f->at_ms = clock_mono_ms();
}

int64_t floor_now(const struct floor *f)
{
	return f->time_s ? f->time_s + (int64_t)((clock_mono_ms() - f->at_ms) / 1000) : 0;
}

int floor_keep(struct floor *f, const char *dir, struct error *err)
{
	_cleanup_(mem_freep) char *path = mem_printf("%s/floor", dir);
	char time[CLOCK_TEXT_LEN], boot[FLOOR_BOOT_LEN], text[FLOOR_FILE_MAX];
	int64_t now = floor_now(f);
	uint64_t at_ms = clock_mono_ms();

	if (!now || (f->stored_s && now < f->stored_s + KEEP_S))
		return 0;
	clock_text(time, now);
	floor_boot(boot);
	snprintf(text, sizeof(text), "time: %s\nboot: %s %llu\n", time, *boot ? boot : "-", (unsigned long long)at_ms);
	if (fs_write(path, bytes_str(text), 0600, err) < 0)
		return err->code;
	f->stored_s = now;
	return 0;
}
