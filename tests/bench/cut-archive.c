/* tests/bench/cut-archive.c -- an archive on a disk that loses its power: one that writes, and one that judges what is left.
 *
 * cut-archive write DIR ACKNOWLEDGED KEY     writes until it is killed; every acknowledgement is a line "device number" of ACKNOWLEDGED
 * cut-archive judge DIR ACKNOWLEDGED KEY N   opens the archive as after a start, and looks whether the first N lines are in it; prints
 * "lost of N, journaled" */
#include "tests/bench/crowd.h"
#include "tests/bench/world.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { DEVICES = 40, LARGE = 8192, PAUSE_US = 15000 }; /* so large that journal files are made beforehand */

static int acknowledged;

struct sent {
	const char *id;
	uint32_t number;
};

static void note(void *ctx, const struct repo_outcome *outcome)
{
	struct sent *sent = ctx;
	char line[64];
	int len = snprintf(line, sizeof(line), "%s %u\n", sent->id, sent->number);

	if (outcome->result != 0 || write(acknowledged, line, (size_t)len) != len)
		_exit(1);
	free(sent);
}

static int write_on(const char *dir, const char *list, const char *key)
{
	struct error err = { 0 };
	struct crowd crowd;

	crowd_init(&crowd, dir, DEVICES);
	crowd.delta_bytes = LARGE;
	if (sign_key_store(&crowd.fleet.archive, key, &err) < 0)
		return 1;
	acknowledged = open(list, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	for (size_t i = 0; acknowledged >= 0; i = (i + 1) % DEVICES) {
		struct sent *sent = mem_alloc(sizeof(*sent));
		struct sample sample;
		int r;

		crowd_sample(&sample, &crowd, i);
		*sent = (struct sent){ crowd.devices[i].id, crowd.devices[i].number };
		while ((r = repo_submit(crowd.repo, buf_bytes(&sample.container), note, sent, &err)) == REPO_BUSY)
			usleep(PAUSE_US);
		if (r != 0)
			return 1;
		buf_done(&sample.container);
		if (i % 8 == 0)
			usleep(PAUSE_US);
	}
	return 1;
}

static int judge(const char *dir, const char *list, const char *key_path, size_t n)
{
	FILE *f = fopen(list, "r");
	struct error err = { 0 };
	struct repo *repo = NULL;
	struct sign_key key;
	char id[64];
	unsigned number;
	size_t lost = 0, read = 0;

	if (!f || crypto_start(&err) < 0 || sign_key_load(&key, key_path, &err) != 0 || repo_open(&repo, dir, &key, 0, &err) < 0 ||
	    repo_flush(repo, &err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		return 1;
	}
	while (read < n && fscanf(f, "%63s %u", id, &number) == 2) {
		struct repo_device device;

		if (repo_device_get(&device, repo, id, &err) != 0 || device.head_number < number)
			lost++;
		read++;
	}
	fclose(f);
	repo_close(repo);
	sign_key_done(&key);
	printf("%zu of %zu\n", lost, read);
	return lost || read < n;
}

int main(int argc, char **argv)
{
	if (argc == 5 && !strcmp(argv[1], "write"))
		return write_on(argv[2], argv[3], argv[4]);
	if (argc == 6 && !strcmp(argv[1], "judge"))
		return judge(argv[2], argv[3], argv[4], strtoul(argv[5], NULL, 10));
	fprintf(stderr, "usage: cut-archive write|judge DIR ACKNOWLEDGED KEY [N]\n");
	return 2;
}
