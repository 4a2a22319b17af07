/* tests/bench/cost.h -- what a process costs, and the table in which that stands. */
#pragma once

#include <stddef.h>
#include <sys/types.h>

/* A line of a table: what, ours, the baseline, ratio. */
void line(const char *what, const char *ours, const char *baseline, const char *ratio);

double cpu_s(pid_t pid);   /* since its start; 0 when it is gone */
double pss_kib(pid_t pid); /* memory, shared pages by their share (smaps_rollup) */
size_t fds_of(pid_t pid);
double sum_of_children(pid_t parent, double (*of)(pid_t));
/* For qsort(3) of doubles. */
int by_size(const void *a, const void *b);
