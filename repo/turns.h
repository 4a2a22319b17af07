/* repo/turns.h -- who of the archive's threads has a core first, when there are more of them than cores. */
#pragma once

/* The calling thread is the one that others wait for: it is given a core as soon as it wakes, for a moment at a time. */
void come_first(void);
/* The calling thread does its work in what the others leave: a nice value, of it alone (setpriority(2)). */
enum { BACK_BEHIND_ANSWERS = 10, BACK_BEHIND_ALL = 19 };
void stand_back(int nice);
