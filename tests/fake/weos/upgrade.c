/* tests/fake/weos/upgrade.c -- firmware: fetched by curl, checked while it comes in, programmed step by step.
 *
 * A package is text and bytes, and all of it invented: "WeOS package", version, family, SHA-256 of the rest, an empty line, the rest.
 * The check stands for the vendor's signature. */
#include "tests/fake/weos/upgrade.h"

#include "base/fs.h"
#include "tests/fake/weos/session.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

enum { HEAD_MAX = 400, READ_MAX = 64 << 10, TARGETS_MAX = 3 };

struct upgrade {
	struct session *s;
	struct loop_fd io;
	pid_t curl;
	bool is_forced, is_last_reboot;
	enum flash_part target[TARGETS_MAX];
	size_t target_count, done;

	struct buf head;
	bool has_head, is_other; /* is_other: no package; the rest is not fetched */
	crypto_hash_sha256_state hash;
	char version[32], family[32], want[2 * crypto_hash_sha256_BYTES + 1];
};

/* ---- packages ---- */

static bool read_head(struct upgrade *u)
{
	const char *end = memmem(u->head.ptr, u->head.len, "\n\n", 2);
	size_t len;

	if (!end)
		return u->head.len < HEAD_MAX;
	len = (size_t)(end - (char *)u->head.ptr) + 2;
	u->has_head =
		sscanf(buf_text(&u->head), "WeOS package\nversion %31s\nfamily %31s\nsha256 %64s", u->version, u->family, u->want) == 3;
	crypto_hash_sha256_init(&u->hash);
	crypto_hash_sha256_update(&u->hash, u->head.ptr + len, u->head.len - len);
	return u->has_head;
}

int upgrade_make(const char *version, unsigned weos, size_t size)
{
	uint8_t hash[crypto_hash_sha256_BYTES];
	char hex[2 * crypto_hash_sha256_BYTES + 1];
	_cleanup_(buf_done) struct buf body = { 0 };

	randombytes_buf(buf_extend(&body, size), size);
	crypto_hash_sha256(hash, body.ptr, body.len);
	hex_encode(hex, hash, sizeof(hash));
	printf("WeOS package\nversion %s\nfamily %s\nsha256 %s\n\n", version, device_family(weos), hex);
	return fwrite(body.ptr, 1, body.len, stdout) == body.len && fflush(stdout) == 0 ? 0 : 1;
}

/* NULL: it may be programmed. */
static const char *refusal(struct upgrade *u, bool is_fetched)
{
	uint8_t hash[crypto_hash_sha256_BYTES];
	char hex[2 * crypto_hash_sha256_BYTES + 1];

	if (u->is_other)
		return "the file is not a firmware package";
	if (!is_fetched)
		return "the file could not be fetched, connection timed out or file not found";
	if (!u->has_head)
		return "the file is not a firmware package";
	crypto_hash_sha256_final(&u->hash, hash);
	hex_encode(hex, hash, sizeof(hash));
	if (!u->is_forced && strcmp(hex, u->want) != 0)
		return "Failed verifying signature!";
	if (!u->is_forced && strcmp(u->family, u->s->dev->unit.family) != 0)
		return "the package is for another product and not supported";
	return NULL;
}

/* ---- programming ---- */

static void erase_target(struct session *s)
{
	struct error err = { 0 };

	if (flash_erase(&s->dev->flash, s->upgrade->target[s->upgrade->done], &err) < 0)
		fprintf(stderr, "weos-sim: %s\n", err.text);
}

static void write_target(struct session *s)
{
	struct device *dev = s->dev;
	struct error err = { 0 };

	if (dev->fault[FAULT_POWER_CUT_UPGRADE]) {
		dev->fault[FAULT_POWER_CUT_UPGRADE] = false;
		device_power_cut(dev);
		return;
	}
	if (boot_image_put(s->dev, s->upgrade->target[s->upgrade->done++], s->upgrade->version, &err) != 0)
		fprintf(stderr, "weos-sim: %s\n", err.text);
}

static void restart(struct session *s)
{
	device_reboot(s->dev);
}

static void program(struct upgrade *u)
{
	static const char *const names[] = {
		[FLASH_MAIN] = "primary image", [FLASH_BACKUP] = "secondary image", [FLASH_LOADER] = "boot loader"
	};
	struct session *s = u->s;

	say(s, "Package verified, WeOS v%s.\n", u->version);
	for (size_t i = 0; i < u->target_count; i++) {
		say(s, "Programming %s ...", names[u->target[i]]);
		session_wait(s, 20, erase_target);
		session_wait(s, s->dev->program_ms, write_target);
		say(s, " [ OK ]\n");
	}
	say(s, "Firmware upgrade completed.\n");
	if (!u->is_last_reboot)
		return;
	say(s, "Rebooting ...\n");
	session_wait(s, 100, restart);
}

/* ---- fetching ---- */

static void fetched(struct upgrade *u)
{
	const char *why;
	int status = -1;

	loop_remove_fd(&u->io);
	fd_closep(&u->io.fd);
	waitpid(u->curl, &status, 0);
	u->curl = 0;
	why = refusal(u, WIFEXITED(status) && WEXITSTATUS(status) == 0);
	if (why)
		say(u->s, "\n%% Error: %s.\n", why);
	else
		program(u);
	session_go_on(u->s);
}

static void take(struct loop_fd *io, uint32_t events _unused_)
{
	struct upgrade *u = container_of(io, struct upgrade, io);
	_cleanup_(mem_freep) uint8_t *in = mem_alloc(READ_MAX);
	ssize_t n = read(io->fd, in, READ_MAX);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		fetched(u);
	} else if (u->has_head) {
		crypto_hash_sha256_update(&u->hash, in, (size_t)n);
	} else {
		buf_add(&u->head, in, (size_t)n);
		u->is_other = !read_head(u);
		if (u->is_other)
			fetched(u);
	}
}

static int start_curl(struct upgrade *u, const char *url)
{
	int pipe_fd[2];
	struct error err = { 0 };

	if (pipe2(pipe_fd, O_CLOEXEC) < 0)
		return -1;
	u->curl = fork();
	if (u->curl == 0) {
		dup2(pipe_fd[1], STDOUT_FILENO);
		execlp("curl", "curl", "-skfL", "--connect-timeout", "5", "--max-time", "120", "--", url, (char *)NULL);
		_exit(127);
	}
	close(pipe_fd[1]);
	u->io = (struct loop_fd){ .fd = pipe_fd[0], .ready = take };
	fcntl(pipe_fd[0], F_SETFL, O_NONBLOCK);
	return u->curl < 0 ? -1 : loop_add_fd(u->s->dev->loop, &u->io, EPOLLIN, &err);
}

struct upgrade *upgrade_free(struct upgrade *u)
{
	if (!u)
		return NULL;
	if (u->curl > 0) {
		kill(u->curl, SIGKILL);
		waitpid(u->curl, NULL, 0);
	}
	loop_remove_fd(&u->io);
	fd_closep(&u->io.fd);
	buf_done(&u->head);
	free(u);
	return NULL;
}

/* ---- the command ---- */

static bool set_targets(struct upgrade *u, const char *word)
{
	static const struct {
		const char *word;
		enum flash_part target[TARGETS_MAX];
		size_t count;
	} which[] = {
		{ "all", { FLASH_BACKUP, FLASH_MAIN, FLASH_LOADER }, 3 },
		{ "pri", { FLASH_MAIN }, 1 },
		{ "sec", { FLASH_BACKUP }, 1 },
		{ "boot", { FLASH_LOADER }, 1 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(which); i++) {
		if (strncmp(word, which[i].word, strlen(which[i].word)) != 0)
			continue;
		memcpy(u->target, which[i].target, sizeof(u->target));
		u->target_count = which[i].count;
	}
	return u->target_count > 0;
}

/* [force] [no-reboot] all|pri|sec|boot URI, or ADDRESS FILE */
void upgrade_run(struct session *s, char **word, size_t count)
{
	_cleanup_(mem_freep) char *url = NULL;
	struct upgrade *u = mem_alloc(sizeof(*u));
	size_t at = 1;

	upgrade_free(s->upgrade);
	s->upgrade = u;
	*u = (struct upgrade){ .s = s, .io.fd = -1, .is_last_reboot = true };
	for (; at < count && (strcmp(word[at], "force") == 0 || strcmp(word[at], "no-reboot") == 0); at++) {
		u->is_forced |= word[at][0] == 'f';
		u->is_last_reboot &= word[at][0] != 'n';
	}
	if (count - at < 2 || count - at > 3 || !set_targets(u, word[at])) {
		say(s, "%% Error: invalid input\n");
		return;
	}
	url = count - at == 3 ? mem_printf("tftp://%s/%s", word[at + 1], word[at + 2]) : mem_strdup(word[at + 1]);
	if (start_curl(u, url) < 0) {
		say(s, "%% Error: cannot fetch the file\n");
		return;
	}
	say(s, "Downloading %s ...\n", strrchr(url, '/') ? strrchr(url, '/') + 1 : url);
	s->state = SESSION_BUSY;
}
