/* tests/fuzz/replay.c -- runs a target over a corpus, and over mutations that are the same in every run.
 *
 * replay-NAME FOLDER...: each file as it is, then changed in many ways. A line of a file `.further` in a folder names another folder, seen
 * from there, whose files are changed less often. HOLDFAST_FUZZ_ROUNDS: mutations per file. What broke the target is left in $TMPDIR, or
 * /tmp. */
#include "tests/fuzz/fuzz.h"

#include "base/fs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_MAX = 4 << 20, MUTATED_MAX = 64 << 10, ROUNDS = 2000, TOTAL = 40000, FURTHER_SHARE = 40, STEPS_MAX = 4 };

__attribute__((weak)) unsigned fuzz_cost = 1; /* not const: that would be folded */

struct corpus {
	struct buf *inputs;
	size_t count, own; /* own: not from further folders; they stand first */
};

static struct bytes current;
static const char *program;

/* Leaves the input behind before the process ends. Runs in a signal handler or in the sanitizer's last moment. */
static void leave_input(void)
{
	char path[256];
	const char *base = getenv("TMPDIR");
	int fd;

	snprintf(path, sizeof(path), "%s/crash-%s", base ? base : "/tmp", program);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd >= 0 && write(fd, current.ptr, current.len) == (ssize_t)current.len)
		fprintf(stderr, "the input of %zu bytes is in '%s'\n", current.len, path);
	fd_closep(&fd);
}

static void on_abort(int signal)
{
	leave_input();
	raise(signal); /* SA_RESETHAND: now it ends us */
}

/* Of the sanitizers, where there are any. */
__attribute__((weak)) void __sanitizer_set_death_callback(void (*callback)(void));

static void watch(void)
{
	struct sigaction act = { .sa_handler = on_abort, .sa_flags = (int)SA_RESETHAND };

	sigaction(SIGABRT, &act, NULL);
	if (__sanitizer_set_death_callback)
		__sanitizer_set_death_callback(leave_input);
}

static void run(struct bytes in)
{
	/* a copy of exactly its size: one byte read beyond it is seen */
	uint8_t *copy = mem_alloc(in.len);

	if (in.len)
		memcpy(copy, in.ptr, in.len);
	current = bytes_of(copy, in.len);
	LLVMFuzzerTestOneInput(copy, in.len);
	free(copy);
}

/* ---- corpus ---- */

static int visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static void load_file(struct corpus *c, const char *path)
{
	struct buf text = { 0 };
	struct error err = { 0 };

	if (fs_read(&text, path, FILE_MAX, &err) != 0) {
		fprintf(stderr, "replay: cannot read '%s': %s\n", path, err.text);
		exit(2);
	}
	c->inputs = mem_grow(c->inputs, (c->count + 1) * sizeof(*c->inputs));
	c->inputs[c->count++] = text;
}

static void load_folder(struct corpus *c, const char *folder)
{
	struct dirent **entries = NULL;
	int n = scandir(folder, &entries, visible, alphasort);

	if (n < 0) {
		fprintf(stderr, "replay: cannot read '%s': %s\n", folder, strerror(errno));
		exit(2);
	}
	for (int i = 0; i < n; i++) {
		_cleanup_(mem_freep) char *path = mem_printf("%s/%s", folder, entries[i]->d_name);

		load_file(c, path);
		free(entries[i]);
	}
	free(entries);
}

static void load_further(struct corpus *c, const char *folder)
{
	_cleanup_(mem_freep) char *path = mem_printf("%s/.further", folder);
	_cleanup_(buf_done) struct buf text = { 0 };
	struct error err = { 0 };
	struct bytes rest, line;

	if (fs_read(&text, path, 4096, &err) != 0)
		return;
	rest = buf_bytes(&text);
	while (bytes_next_line(&rest, &line)) {
		_cleanup_(mem_freep) char *further = mem_printf("%s/%.*s", folder, (int)line.len, (const char *)line.ptr);

		load_folder(c, further);
	}
}

/* ---- mutations ---- */

static uint64_t state;

static size_t rnd(size_t below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return below ? (size_t)(state >> 11) % below : 0;
}

static uint64_t seed_of(struct bytes in)
{
	uint64_t hash = 0xcbf29ce484222325;

	for (size_t i = 0; i < in.len; i++)
		hash = (hash ^ in.ptr[i]) * 0x100000001b3;
	return hash | 1;
}

static struct bytes piece(struct bytes in, size_t max)
{
	size_t at = rnd(in.len + 1), len = rnd((in.len - at < max ? in.len - at : max) + 1);

	return in.len ? bytes_of(in.ptr + at, len) : in;
}

static size_t line_at(struct bytes in, size_t near, size_t *len)
{
	const uint8_t *end;

	while (near && in.ptr[near - 1] != '\n')
		near--;
	end = memchr(in.ptr + near, '\n', in.len - near);
	*len = end ? (size_t)(end - in.ptr) + 1 - near : in.len - near;
	return near;
}

/* Doubles, removes or moves a line: what grammars of lines are about. */
static void change_line(struct buf *buf)
{
	size_t len, other_len, at = line_at(buf_bytes(buf), rnd(buf->len), &len);
	size_t to = line_at(buf_bytes(buf), rnd(buf->len), &other_len);
	_cleanup_(buf_done) struct buf line = { 0 };

	buf_add(&line, buf->ptr + at, len);
	switch (rnd(3)) {
	case 0:
		fuzz_replace(buf, at, len, (struct bytes){ 0 });
		break;
	case 1:
		fuzz_replace(buf, to, 0, buf_bytes(&line));
		break;
	default:
		fuzz_replace(buf, to, other_len, buf_bytes(&line));
		break;
	}
}

static const char *const words[] = { "\n",
				     "\r\n",
				     " ",
				     "\t",
				     ":",
				     ": ",
				     "0",
				     "1",
				     "-1",
				     "9007199254740992",
				     "18446744073709551616",
				     "=",
				     "==",
				     "-",
				     "--- ",
				     "-> ",
				     "{{secret ",
				     "}}",
				     "-----BEGIN SSH SIGNATURE-----\n",
				     "-----END SSH SIGNATURE-----\n",
				     "2026-02-30T00:00:00Z",
				     "\xff",
				     "\xc3\xa9",
				     "password ",
				     "hostname x\n",
				     "!\n",
				     "&a ",
				     "*a",
				     "010" };
static const uint8_t bytes_of_note[] = { 0, 1, 0x7f, 0x80, 0xff, ' ', '\n', '\r', 0x20, 0x28, 0x50 };

static void change_once(struct buf *buf, const struct corpus *c)
{
	size_t at = rnd(buf->len + 1);
	uint8_t be[4];

	switch (buf->len ? rnd(10) : 0) {
	case 0:
		fuzz_replace(buf, at, 0, bytes_str(words[rnd(ARRAY_SIZE(words))]));
		break;
	case 1:
		buf->ptr[at % buf->len] ^= (uint8_t)(1 << rnd(8));
		break;
	case 2:
		buf->ptr[at % buf->len] = (uint8_t)rnd(256);
		break;
	case 3:
		buf->ptr[at % buf->len] = bytes_of_note[rnd(ARRAY_SIZE(bytes_of_note))];
		break;
	case 4:
		fuzz_replace(buf, at, rnd(buf->len - at > 32 ? 33 : buf->len - at + 1), (struct bytes){ 0 });
		break;
	case 5:
		buf_truncate(buf, at);
		break;
	case 6:
	case 7:
		change_line(buf);
		break;
	case 8: { /* a number of 32 bits */
		uint32_t n = rnd(2) ? (uint32_t)rnd(300) : UINT32_MAX - (uint32_t)rnd(16);

		for (int i = 0; i < 4; i++)
			be[i] = (uint8_t)(n >> (24 - 8 * i));
		fuzz_replace(buf, at, buf->len - at > 4 ? 4 : buf->len - at, bytes_of(be, 4));
		break;
	}
	default: { /* a piece of another input */
		struct bytes from = piece(buf_bytes(&c->inputs[rnd(c->count)]), 512);
		_cleanup_(buf_done) struct buf copy = { 0 };

		buf_add_bytes(&copy, from);
		fuzz_replace(buf, at, rnd(2) ? 0 : rnd(buf->len - at > 64 ? 65 : buf->len - at + 1), buf_bytes(&copy));
	}
	}
}

static size_t mutate(const struct corpus *c, size_t i, size_t rounds)
{
	struct bytes from = buf_bytes(&c->inputs[i]);

	if (from.len > MUTATED_MAX) /* copies of it would take the time of all others */
		return 0;
	state = seed_of(from);
	for (size_t round = 0; round < rounds; round++) {
		_cleanup_(buf_done) struct buf changed = { 0 };

		buf_add_bytes(&changed, from);
		for (size_t steps = 1 + rnd(STEPS_MAX); steps; steps--)
			change_once(&changed, c);
		run(buf_bytes(&changed));
	}
	return rounds;
}

int main(int argc, char **argv)
{
	const char *rounds_text = getenv("HOLDFAST_FUZZ_ROUNDS");
	size_t rounds = ROUNDS, mutations = 0;
	struct corpus c = { 0 };
	struct stat st;

	program = strrchr(argv[0], '/') ? strrchr(argv[0], '/') + 1 : argv[0];
	for (int i = 1; i < argc; i++) {
		if (stat(argv[i], &st) == 0 && S_ISREG(st.st_mode))
			load_file(&c, argv[i]);
		else
			load_folder(&c, argv[i]);
	}
	c.own = c.count;
	if (rounds_text)
		rounds = strtoul(rounds_text, NULL, 10);
	else if (c.own * ROUNDS > TOTAL) /* a large corpus takes no longer than a small one */
		rounds = TOTAL / c.own;
	rounds /= fuzz_cost;
	for (int i = 1; i < argc; i++)
		load_further(&c, argv[i]);
	if (!c.count) {
		fprintf(stderr, "usage: %s FOLDER... (and there must be something in them)\n", program);
		return 2;
	}
	watch();
	run((struct bytes){ 0 });
	for (size_t i = 0; i < c.count; i++)
		run(buf_bytes(&c.inputs[i]));
	for (size_t i = 0; i < c.count; i++)
		mutations += mutate(&c, i, i < c.own ? rounds : rounds / FURTHER_SHARE);
	for (size_t i = 0; i < c.count; i++)
		buf_done(&c.inputs[i]);
	free(c.inputs);
	printf("figure: %zu inputs and %zu mutations of them\n", c.count, mutations);
	return 0;
}
