/* base/clock.h -- times of statements (Unix seconds <-> YYYY-MM-DDTHH:MM:SSZ) and time that only moves on. */
#pragma once

#include "base/bytes.h"

enum { CLOCK_TEXT_LEN = 21 }; /* with its NUL */

int64_t clock_now_s(void);       /* wall clock, Unix time */
uint64_t clock_mono_ms(void);    /* CLOCK_BOOTTIME: counts while suspended, never set back */
void clock_text(char out[static CLOCK_TEXT_LEN], int64_t time_s);
bool clock_parse(int64_t *time_s, struct bytes text); /* years 2020 to 2200, dates that exist */
/* "3 d 02 h", "41 m", "12 s": how long ago, for people. */
void clock_age_text(char out[static 24], int64_t age_s);
