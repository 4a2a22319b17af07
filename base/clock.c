/* base/clock.c -- times of statements, and time that only moves on. */
#include "base/clock.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

int64_t clock_now_s(void)
{
	return time(NULL);
}

uint64_t clock_mono_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

void clock_text(char out[static CLOCK_TEXT_LEN], int64_t time_s)
{
	time_t t = time_s;
	struct tm tm;

	gmtime_r(&t, &tm);
	strftime(out, CLOCK_TEXT_LEN, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

bool clock_parse(int64_t *time_s, struct bytes text)
{
	char copy[CLOCK_TEXT_LEN], again[CLOCK_TEXT_LEN];
	struct tm tm = { 0 };
	char *end;
	time_t t;

	if (text.len != CLOCK_TEXT_LEN - 1)
		return false;
	memcpy(copy, text.ptr, text.len);
	copy[text.len] = 0;
	end = strptime(copy, "%Y-%m-%dT%H:%M:%SZ", &tm);
	if (!end || *end || tm.tm_year < 120 || tm.tm_year > 300)
		return false;
	t = timegm(&tm);
	clock_text(again, t); /* a date that does not exist comes back as another one */
	if (strcmp(copy, again) != 0)
		return false;
	*time_s = t;
	return true;
}

void clock_age_text(char out[static 24], int64_t age_s)
{
	long long s = age_s < 0 ? 0 : age_s;

	if (s < 60)
		snprintf(out, 24, "%lld s", s);
	else if (s < 3600)
		snprintf(out, 24, "%lld m", s / 60);
	else if (s < 86400)
		snprintf(out, 24, "%lld h %02lld m", s / 3600, s / 60 % 60);
	else
		snprintf(out, 24, "%lld d %02lld h", s / 86400 % 100000, s / 3600 % 24);
}
