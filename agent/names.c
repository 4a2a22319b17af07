/* agent/names.c -- names of hosts become addresses, in children. */
#include "agent/names.h"

#include "base/clock.h"
#include "base/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

struct name {
	struct name *next;
	struct names *names;
	char host[NAMES_HOST_MAX], port[NAMES_PORT_MAX];
	pid_t pid;         /* 0: it was found */
	struct loop_fd io; /* what the child says */
	struct buf said;
	struct address addresses[NAMES_ADDRESSES_MAX];
	size_t count;
	uint64_t until_ms; /* how long it counts */
	struct name_ask *asks;
	bool is_telling;
};

struct names {
	struct loop *loop;
	struct name *first;
	size_t count;
};

struct names *names_new(struct loop *loop)
{
	struct names *names = mem_alloc(sizeof(*names));

	names->loop = loop;
	return names;
}

static void end_child(struct name *n)
{
	if (!n->pid)
		return;
	loop_remove_fd(&n->io);
	fd_closep(&n->io.fd);
	kill(n->pid, SIGKILL);
	while (waitpid(n->pid, NULL, 0) < 0 && errno == EINTR)
		;
	n->pid = 0;
}

static void name_free(struct name *n)
{
	for (struct name **at = &n->names->first; *at; at = &(*at)->next)
		if (*at == n) {
			*at = n->next;
			n->names->count--;
			break;
		}
	end_child(n);
	buf_done(&n->said);
	free(n);
}

struct names *names_free(struct names *names)
{
	while (names && names->first)
		name_free(names->first);
	free(names);
	return NULL;
}

bool name_split(char host[static NAMES_HOST_MAX], char port[static NAMES_PORT_MAX], const char *text, const char *port_default)
{
	bool is_bracketed = *text == '[';
	const char *end = is_bracketed ? strchr(text, ']') : strrchr(text, ':'), *digits = port_default;
	size_t len = end ? (size_t)(end - text) : strlen(text);

	if (is_bracketed) {
		if (!end || (end[1] && end[1] != ':'))
			return false;
		if (end[1])
			digits = end + 2;
		text++;
		len--;
	} else if (end) {
		digits = end + 1;
	}
	if (!len || len >= NAMES_HOST_MAX || (!is_bracketed && memchr(text, ':', len)))
		return false;
	if (!*digits || strlen(digits) >= NAMES_PORT_MAX || digits[strspn(digits, "0123456789")] || atoi(digits) < 1 ||
	    atoi(digits) > 65535)
		return false;
	memcpy(host, text, len);
	host[len] = 0;
	memcpy(port, digits, strlen(digits) + 1);
	return true;
}

/* Appends what getaddrinfo() finds, as struct address; else its code. */
static int resolve(struct buf *out, const char *host, const char *port, int flags)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = flags | AI_NUMERICSERV }, *found = NULL;
	int r = getaddrinfo(host, port, &hints, &found);
	size_t n = 0;

	for (struct addrinfo *at = found; r == 0 && at && n < NAMES_ADDRESSES_MAX; at = at->ai_next, n++) {
		struct address a = { .len = at->ai_addrlen };

		if (at->ai_addrlen > sizeof(a.to))
			continue;
		memcpy(&a.to, at->ai_addr, at->ai_addrlen);
		buf_add(out, &a, sizeof(a));
	}
	if (found)
		freeaddrinfo(found);
	return r;
}

/* The child: addresses, or the words of why not, behind a byte that tells which. */
static _Noreturn void resolve_and_say(int fd, const struct name *n)
{
	_cleanup_(buf_done) struct buf out = { 0 };
	struct error ignored;
	int r;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (fd != STDIN_FILENO)
		dup2(fd, STDIN_FILENO);
	close_range(STDERR_FILENO + 1, ~0U, 0); /* a connection that is given up over there must not stay open here */
	buf_add_char(&out, 'a');
	r = resolve(&out, n->host, n->port, AI_ADDRCONFIG);
	if (r == EAI_ADDRFAMILY || r == EAI_NONAME ||
	    r == EAI_NODATA) /* a machine with nothing but its loopback has no family configured */
		r = resolve(&out, n->host, n->port, 0);
	if (r != 0) {
		buf_truncate(&out, 0);
		buf_addf(&out, "w%s", gai_strerror(r));
	}
	_exit(fd_write_all(STDIN_FILENO, buf_bytes(&out), &ignored) < 0);
}

static void tell(struct name *n, const char *why)
{
	struct name_ask *ask;

	/* whoever is told may ask for another, forget one, drop this one: it stays until all are told */
	n->is_telling = true;
	while ((ask = n->asks)) {
		n->asks = ask->next;
		ask->is_waiting = false;
		ask->found(ask, n->addresses, n->count, why);
	}
	n->is_telling = false;
}

static void take(struct name *n, struct bytes in)
{
	n->count = in.len / sizeof(struct address);
	if (n->count > NAMES_ADDRESSES_MAX)
		n->count = NAMES_ADDRESSES_MAX;
	if (n->count)
		memcpy(n->addresses, in.ptr, n->count * sizeof(struct address));
	n->until_ms = clock_mono_ms() + NAMES_KEPT_MS;
}

static void said(struct loop_fd *io, uint32_t events _unused_)
{
	struct name *n = container_of(io, struct name, io);
	char piece[sizeof(n->addresses) + 1];
	ssize_t got = read(io->fd, piece, sizeof(piece));
	const char *why;

	if (got < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (got > 0 && n->said.len + (size_t)got <= sizeof(piece)) {
		buf_add(&n->said, piece, (size_t)got);
		return;
	}
	end_child(n);
	if (n->said.len && n->said.ptr[0] == 'a')
		take(n, bytes_from(buf_bytes(&n->said), 1));
	why = n->count ? NULL : n->said.len > 1 && n->said.ptr[0] == 'w' ? buf_text(&n->said) + 1 : "the name cannot be resolved";
	tell(n, why);
	if (!n->count)
		name_free(n);
}

static bool start_child(struct name *n)
{
	struct error ignored;
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return false;
	n->pid = fork();
	if (n->pid == 0)
		resolve_and_say(fds[1], n);
	close(fds[1]);
	n->io.fd = fds[0];
	n->io.ready = said;
	if (n->pid > 0 && loop_add_fd(n->names->loop, &n->io, EPOLLIN, &ignored) == 0)
		return true;
	if (n->pid > 0)
		end_child(n);
	else
		fd_closep(&n->io.fd);
	n->pid = 0;
	return false;
}

static struct name *find(struct names *names, const char *host, const char *port)
{
	for (struct name *n = names->first; n; n = n->next)
		if (!strcmp(n->host, host) && !strcmp(n->port, port))
			return n;
	return NULL;
}

/* What was found too long ago, and, where there is no room, what was found at all. */
static void tidy(struct names *names)
{
	uint64_t now = clock_mono_ms();

	for (struct name *n = names->first, *next; n; n = next) {
		next = n->next;
		if (!n->pid && !n->is_telling && (now >= n->until_ms || names->count >= NAMES_MAX))
			name_free(n);
	}
}

/* RFC 6761 section 6.3: such names are the machine itself, whatever its resolver knows, and it may know none. */
static bool is_localhost(const char *host)
{
	size_t len = strlen(host), own = strlen("localhost");

	len -= len && host[len - 1] == '.';
	return len >= own && !strncasecmp(host + len - own, "localhost", own) && (len == own || host[len - own - 1] == '.');
}

/* Without asking anybody. */
static bool is_known(struct buf *out, const char *host, const char *port)
{
	if (is_localhost(host)) {
		resolve(out, "::1", port, AI_NUMERICHOST);
		resolve(out, "127.0.0.1", port, AI_NUMERICHOST);
	} else {
		resolve(out, host, port, AI_NUMERICHOST);
	}
	return out->len > 0;
}

static struct name *add(struct names *names, const char *host, const char *port)
{
	_cleanup_(buf_done) struct buf known = { 0 };
	struct name *n = mem_alloc(sizeof(*n));

	n->names = names;
	n->io.fd = -1;
	memcpy(n->host, host, strlen(host) + 1);
	memcpy(n->port, port, strlen(port) + 1);
	n->next = names->first;
	names->first = n;
	names->count++;
	if (is_known(&known, host, port))
		take(n, buf_bytes(&known));
	else if (!start_child(n)) {
		name_free(n);
		return NULL;
	}
	return n;
}

void names_ask(struct names *names, struct name_ask *ask, const char *host, const char *port)
{
	struct name *n;

	tidy(names);
	n = find(names, host, port);
	if (!n && names->count < NAMES_MAX)
		n = add(names, host, port);
	if (!n) {
		ask->found(ask, NULL, 0, "too many names at once");
		return;
	}
	if (!n->pid) {
		ask->found(ask, n->addresses, n->count, NULL);
		return;
	}
	ask->is_waiting = true;
	ask->next = n->asks;
	n->asks = ask;
}

void names_forget(struct names *names, struct name_ask *ask)
{
	for (struct name *n = names->first; ask->is_waiting && n; n = n->next)
		for (struct name_ask **at = &n->asks; *at; at = &(*at)->next)
			if (*at == ask) {
				*at = ask->next;
				ask->is_waiting = false;
				if (!n->asks && n->pid)
					name_free(n);
				return;
			}
}

void names_drop(struct names *names, const char *host, const char *port)
{
	struct name *n = find(names, host, port);

	if (n && !n->pid)
		n->until_ms = 0; /* the next who asks tidies it away */
}
