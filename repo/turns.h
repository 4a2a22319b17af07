/* repo/turns.h -- who of the archive's threads has a core first, when there are more of them than cores. */
#pragma once

/* The calling thread is the one that others wait for: it is given a core as soon as it wakes, for a moment at a time. */
void come_first(void);
/* The calling thread has its work done in what the others leave. */
void stand_back(void);
