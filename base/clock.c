/* base/clock.c -- times of statements, and time that only moves on. */
#include "base/clock.h"

#include <assert.h>
#include <stdio.h>
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

static bool is_leap(int64_t year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

/* Since 1970. */
static int64_t days_before(int64_t year, int64_t month)
{
	static const int16_t before[] = { 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365 };
	int64_t past = year - 1;

	return (year - 1970) * 365 + (past / 4 - past / 100 + past / 400) - (1969 / 4 - 1969 / 100 + 1969 / 400) + before[month - 1] +
	       (month > 2 && is_leap(year));
}

/* By hand: each statement holds several times, and strptime(3) and its way back take as long as hashing the whole. */
bool clock_parse(int64_t *time_s, struct bytes text)
{
	static const char form[] = "0000-00-00T00:00:00Z";
	static_assert(sizeof(form) == CLOCK_TEXT_LEN, "the form of a time");
	int64_t at[6] = { 0 }, days; /* year, month, day, hour, minute, second */
	size_t n = 0;

	if (text.len != CLOCK_TEXT_LEN - 1)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		if (form[i] != '0' ? text.ptr[i] != (uint8_t)form[i] : text.ptr[i] < '0' || text.ptr[i] > '9')
			return false;
		if (form[i] != '0')
			n++;
		else
			at[n] = at[n] * 10 + (text.ptr[i] - '0');
	}
	if (at[0] < 2020 || at[0] > 2200 || at[1] < 1 || at[1] > 12 || at[3] > 23 || at[4] > 59 || at[5] > 59)
		return false;
	days = days_before(at[0], at[1]);
	if (at[2] < 1 || at[2] > (at[1] == 12 ? 31 : days_before(at[0], at[1] + 1) - days))
		return false;
	*time_s = (days + at[2] - 1) * 86400 + at[3] * 3600 + at[4] * 60 + at[5];
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
