/* tests/unit/archive.c -- one fleet and one device before one archive. */
#include "tests/unit/archive.h"

#include "tests/test.h"

#include "base/proc.h"

#include <stdio.h>
#include <string.h>

void make_root(struct world *w, struct buf *out)
{
	buf_add_bytes(out, buf_bytes(&w->fleet.root));
}

void make_invite(struct world *w, struct buf *out)
{
	fleet_invite(out, &w->fleet, w->device.name, w->secret);
}

void make_enrol(struct world *w, struct buf *out)
{
	fleet_enrol(out, &w->fleet, &w->device, w->secret);
}

void make_admit(struct world *w, struct buf *out)
{
	fleet_admit(out, &w->fleet, &w->device);
}

void make_epoch(struct world *w, struct buf *out)
{
	fleet_epoch(out, &w->fleet, &w->device);
}

void make_snapshot(struct world *w, struct buf *out)
{
	char text[200];

	snprintf(text, sizeof(text), "hostname r1\nip route 10.0.%llu.0/24 10.0.0.1\npassword {{secret 0011223344556677}}\n",
		 (unsigned long long)w->device.number % 250);
	fleet_snapshot(out, &w->fleet, &w->device, text, "0011223344556677 aHVudGVyMg==\n");
}

int world_post(struct world *w, make_fn make)
{
	_cleanup_(buf_done) struct buf c = { 0 };
	struct error err = { 0 };
	int r;

	make(w, &c);
	r = repo_submit_wait(w->repo, buf_bytes(&c), &err);
	if (r < 0)
		printf("%s\n", err.text);
	return r;
}

void world_init(struct world *w)
{
	static const make_fn makes[] = { make_root, make_invite, make_enrol, make_admit, make_epoch };
	struct error err = { 0 };

	*w = (struct world){ 0 };
	memset(w->secret, 7, sizeof(w->secret));
	fleet_init(&w->fleet);
	fleet_device_init(&w->device, "r1");
	snprintf(w->dir, sizeof(w->dir), "%s", test_folder());
	CHECK_OK(repo_open(&w->repo, w->dir, &w->fleet.archive, REPO_CREATE, &err));
	for (size_t i = 0; i < ARRAY_SIZE(makes); i++)
		CHECK_EQ(world_post(w, makes[i]), 0);
}

void world_done(struct world *w)
{
	repo_close(w->repo);
	fleet_device_done(&w->device);
	fleet_done(&w->fleet);
}

void world_reopen(struct world *w)
{
	struct error err = { 0 };

	w->repo = repo_close(w->repo);
	CHECK_OK(repo_open(&w->repo, w->dir, &w->fleet.archive, 0, &err));
}

static int count_down(void *ctx, const struct repo_entry *entry)
{
	uint64_t *n = ctx;

	CHECK_EQ(entry->number, *n); /* gapless, newest first */
	--*n;
	return 0;
}

void check_log(struct world *w, uint64_t head)
{
	struct error err = { 0 };

	CHECK_OK(repo_log(w->repo, w->device.id, 0, 1000000, count_down, &head, &err));
	CHECK_EQ(head, 0);
}

static void found(void *ctx _unused_, const char *kind, const char *where, const char *text)
{
	fail_msg("audit: %s, %s: %s", kind, where, text);
}

void check_audit(struct world *w)
{
	_cleanup_(mem_freep) char *git = mem_printf("%s/archive.git", w->dir);
	struct repo_audit out;
	struct error err = { 0 };

	CHECK_OK(repo_audit(&out, git, w->fleet.id, NULL, found, NULL, NULL, &err));
}

void check_shell(const char *dir, const char *command)
{
	_cleanup_(mem_freep) char *line = mem_printf("cd '%s' && %s", dir, command);
	const char *const argv[] = { "sh", "-c", line, NULL };
	struct proc_result run = { 0 };
	struct error err = { 0 };

	CHECK_OK(proc_run(&run, argv, bytes_str(""), 60000, 1 << 20, &err));
	if (run.status)
		fail_msg("%s: %s%s", command, buf_text(&run.out), buf_text(&run.err));
	proc_result_done(&run);
}

void check_git(struct world *w)
{
	if (w->repo)
		world_reopen(w);
	check_shell(w->dir, "git -C archive.git fsck --strict --no-dangling 2>&1 | { ! grep .; }");
	check_audit(w);
}
