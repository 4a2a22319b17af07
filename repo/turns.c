/* repo/turns.c -- nice values and slices of threads. All of it is a wish: without it, an answer comes some milliseconds later. */
#include "repo/turns.h"

#include <linux/sched.h>
#include <linux/sched/types.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { FIRST_SLICE_NS = 100000 };

/* Since Linux 6.12 a thread that wakes waits for the end of the slice of the one that runs, up to a tick more than 3 ms, unless its own
 * slice is shorter: then it has the core at once (sched_setattr(2)). Older kernels go by nice values alone, and take no notice of it. */
void come_first(void)
{
	struct sched_attr attr = { .size = sizeof(attr), .sched_policy = SCHED_NORMAL, .sched_runtime = FIRST_SLICE_NS };

	attr.sched_nice = getpriority(PRIO_PROCESS, (id_t)gettid());
	(void)syscall(SYS_sched_setattr, 0, &attr, 0);
}

void stand_back(int nice)
{
	setpriority(PRIO_PROCESS, (id_t)gettid(), nice);
}
