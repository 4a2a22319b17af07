/* tests/bench/cost.c -- what a process costs, and the table in which that stands. */
#include "tests/bench/cost.h"

#include "base/bytes.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

void line(const char *what, const char *ours, const char *baseline, const char *ratio)
{
	printf("| %s | %s | %s | %s |\n", what, ours, baseline, ratio);
	fflush(stdout);
}

/* Not from /proc/PID/stat, which counts in hundredths of a second. */
double cpu_s(pid_t pid)
{
	struct timespec used = { 0 };
	clockid_t clock;

	if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &used) != 0)
		return 0;
	return (double)used.tv_sec + (double)used.tv_nsec / 1e9;
}

double pss_kib(pid_t pid)
{
	_cleanup_(mem_freep) char *path = mem_printf("/proc/%d/smaps_rollup", (int)pid);
	FILE *file = fopen(path, "re");
	char text[200];
	double kib = 0;

	while (file && fgets(text, sizeof(text), file))
		if (!strncmp(text, "Pss:", 4))
			kib = strtod(text + 4, NULL);
	if (file)
		fclose(file);
	return kib;
}

size_t fds_of(pid_t pid)
{
	_cleanup_(mem_freep) char *path = mem_printf("/proc/%d/fd", (int)pid);
	DIR *dir = opendir(path);
	size_t n = 0;

	while (dir && readdir(dir))
		n++;
	if (dir)
		closedir(dir);
	return n;
}

double sum_of_children(pid_t parent, double (*of)(pid_t))
{
	_cleanup_(mem_freep) char *path = mem_printf("/proc/%d/task/%d/children", (int)parent, (int)parent);
	FILE *file = fopen(path, "re");
	double sum = 0;
	int pid;

	while (file && fscanf(file, "%d", &pid) == 1)
		sum += of(pid);
	if (file)
		fclose(file);
	return sum;
}

int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}
