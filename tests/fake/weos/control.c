/* tests/fake/weos/control.c -- the socket by which other programs reach the running device. */
#include "tests/fake/weos/control.h"

#include "base/fs.h"
#include "tests/fake/weos/session.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { REQUEST_MAX = 200, IN_MAX = FLASH_FILE_MAX + 8192, READ_MAX = 4096, OUT_MAX = 2 << 20 };

struct control {
	struct device *dev;
	struct loop_fd io;
	struct client *clients;
};

struct client {
	struct client *next;
	struct control *control;
	struct loop_fd io;
	struct session *session; /* NULL until the request is read */
	struct buf in, out;
	bool is_closing; /* when out is written */
};

static void client_free(struct client *c)
{
	struct client **link = &c->control->clients;

	while (*link != c)
		link = &(*link)->next;
	*link = c->next;
	loop_remove_fd(&c->io);
	fd_closep(&c->io.fd);
	buf_done(&c->in);
	buf_done(&c->out);
	free(c);
}

static void flush(struct client *c)
{
	while (c->out.len) {
		ssize_t n = send(c->io.fd, c->out.ptr, c->out.len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0) {
			buf_truncate(&c->out, 0);
			break;
		}
		memmove(c->out.ptr, c->out.ptr + n, c->out.len - (size_t)n);
		buf_truncate(&c->out, c->out.len - (size_t)n);
	}
	loop_change_fd(&c->io, c->out.len ? EPOLLIN | EPOLLOUT : EPOLLIN);
	if (c->is_closing && !c->out.len)
		shutdown(c->io.fd, SHUT_RDWR); /* the end of file that follows frees it */
}

static void session_write(void *ctx, struct bytes out)
{
	struct client *c = ctx;

	if (c->out.len + out.len <= OUT_MAX)
		buf_add_bytes(&c->out, out);
	flush(c);
}

static void session_closed(void *ctx)
{
	struct client *c = ctx;

	c->session = NULL;
	c->is_closing = true;
	flush(c);
}

/* ---- requests ---- */

static void ask_login(struct client *c, const char *user)
{
	struct device *dev = c->control->dev;

	if (dev->phase != PHASE_UP) {
		c->is_closing = true;
		return;
	}
	c->session = session_new(dev, user, session_write, session_closed, c);
	device_log(dev, "sshd[88]: %s logged in", user);
	session_begin(c->session);
}

static void ask_fault(struct client *c, const char *name, const char *how)
{
	enum fault fault = fault_find(name);

	if (fault == FAULT_COUNT) {
		buf_addf(&c->out, "error: there is no fault '%s'\n", name);
		return;
	}
	device_fault(c->control->dev, fault, strcmp(how, "off") != 0);
	buf_add_str(&c->out, "ok\n");
}

static void ask_power(struct client *c, const char *how)
{
	struct device *dev = c->control->dev;

	if (strcmp(how, "off") == 0)
		device_power_off(dev);
	else if (strcmp(how, "cut") == 0)
		device_power_cut(dev);
	else
		device_power_on(dev);
	buf_add_str(&c->out, "ok\n");
}

static void ask_state(struct client *c)
{
	static const char *const phases[] = { "off", "loader", "menu", "confirm", "erasing", "kernel", "up" };
	struct device *dev = c->control->dev;

	buf_addf(&c->out, "phase %s\nversion %s\nactive %s\n", phases[dev->phase], dev->version, dev->active);
	for (const struct session *s = dev->sessions; s; s = s->next)
		if (!s->is_over)
			buf_addf(&c->out, "session %s %s %s\n", s->is_console ? "console" : "ssh",
				 s->state <= SESSION_PASSWORD ? "-" : s->user, s->place == PLACE_EXEC ? "exec" : "context");
	for (size_t i = 0; i < FAULT_COUNT; i++)
		if (dev->fault[i])
			buf_addf(&c->out, "fault %s\n", faults[i].name);
}

/* scp's side: only /cfg/ is for others. */
static bool is_shared(const char *path)
{
	return strncmp(path, "/cfg/", 5) == 0 && path[5] && !strchr(path + 5, '/') && strlen(path) < FLASH_NAME_MAX;
}

static void ask_get(struct client *c, const char *path)
{
	_cleanup_(buf_done) struct buf text = { 0 };

	if (!is_shared(path) || !flash_get(&text, NULL, &c->control->dev->flash, FLASH_CONFIG, path + 1)) {
		buf_add_str(&c->out, "error: no such file\n");
		return;
	}
	buf_add_str(&c->out, "ok\n");
	buf_add_bytes(&c->out, buf_bytes(&text));
}

/* False: not all of it is there yet. */
static bool ask_put(struct client *c, const char *path, const char *size, struct bytes body)
{
	struct error err = { 0 };
	uint64_t len;
	struct device *dev = c->control->dev;

	if (!is_shared(path) || !number_parse(&len, bytes_str(size)) || len > FLASH_FILE_MAX)
		buf_add_str(&c->out, "error: not supported\n");
	else if (body.len < len)
		return false;
	else if (dev->fault[FAULT_FLASH_FULL] || flash_put(&dev->flash, FLASH_CONFIG, path + 1, bytes_of(body.ptr, len), &err) != 0)
		buf_add_str(&c->out, "error: no space left\n");
	else
		buf_add_str(&c->out, "ok\n");
	return true;
}

static void take_request(struct client *c)
{
	char line[REQUEST_MAX], *word[3] = { 0 };
	size_t len = (size_t)((uint8_t *)memchr(c->in.ptr, '\n', c->in.len) - c->in.ptr), count;

	snprintf(line, sizeof(line), "%.*s", (int)len, (char *)c->in.ptr);
	count = config_words(word, ARRAY_SIZE(word), line);
	if (count == 2 && strcmp(word[0], "login") == 0) {
		ask_login(c, word[1]);
	} else {
		if (count == 3 && strcmp(word[0], "fault") == 0)
			ask_fault(c, word[1], word[2]);
		else if (count == 2 && strcmp(word[0], "power") == 0)
			ask_power(c, word[1]);
		else if (count == 1 && strcmp(word[0], "state") == 0)
			ask_state(c);
		else if (count == 2 && strcmp(word[0], "get") == 0)
			ask_get(c, word[1]);
		else if (count == 3 && strcmp(word[0], "put") == 0) {
			if (!ask_put(c, word[1], word[2], bytes_from(buf_bytes(&c->in), len + 1)))
				return;
		}
		else
			buf_add_str(&c->out, "error: no such request\n");
		c->is_closing = true;
	}
	if (c->session && c->in.len > len + 1)
		session_input(c->session, bytes_from(buf_bytes(&c->in), len + 1));
	buf_truncate(&c->in, 0);
	flush(c);
}

static void client_gone(struct client *c)
{
	if (c->session) {
		struct session *s = c->session;

		device_log(s->dev, "sshd[88]: %s disconnected", s->user);
		session_end(s);
	}
	client_free(c);
}

static void client_ready(struct loop_fd *io, uint32_t events)
{
	struct client *c = container_of(io, struct client, io);
	uint8_t in[READ_MAX];
	ssize_t n;

	if (events & EPOLLOUT)
		flush(c);
	if (!(events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
		return;
	n = read(io->fd, in, sizeof(in));
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		client_gone(c);
	} else if (c->session) {
		session_input(c->session, bytes_of(in, (size_t)n));
	} else if (!c->is_closing && c->in.len + (size_t)n < IN_MAX) {
		buf_add(&c->in, in, (size_t)n);
		if (memchr(c->in.ptr, '\n', c->in.len))
			take_request(c);
	}
}

/* ---- both ends ---- */

/* By way of the folder's descriptor: a socket's name may only have 107 bytes, the folder's more. */
static int address_of(struct sockaddr_un *out, int *folder, const char *state, struct error *err)
{
	*folder = open(state, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (*folder < 0)
		return error_sys(err, "cannot open '%s'", state);
	*out = (struct sockaddr_un){ .sun_family = AF_UNIX };
	snprintf(out->sun_path, sizeof(out->sun_path), "/proc/self/fd/%d/control", *folder);
	return 0;
}

static void accept_client(struct loop_fd *io, uint32_t events _unused_)
{
	struct control *control = container_of(io, struct control, io);
	int fd = accept4(io->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct client *c;
	struct error err = { 0 };

	if (fd < 0)
		return;
	c = mem_alloc(sizeof(*c));
	*c = (struct client){ .next = control->clients, .control = control, .io = { .fd = fd, .ready = client_ready } };
	control->clients = c;
	if (loop_add_fd(control->dev->loop, &c->io, EPOLLIN, &err) < 0)
		client_free(c);
}

int control_new(struct control **out, struct device *dev, struct error *err)
{
	struct control *control = mem_alloc(sizeof(*control));
	_cleanup_(fd_closep) int folder = -1;
	struct sockaddr_un addr;
	int r = address_of(&addr, &folder, dev->state, err);

	*out = control;
	*control = (struct control){ .dev = dev, .io = { .fd = -1, .ready = accept_client } };
	if (r < 0)
		return r;
	unlinkat(folder, "control", 0);
	control->io.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (control->io.fd < 0 || bind(control->io.fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 || listen(control->io.fd, 8) < 0)
		return error_sys(err, "cannot listen in '%s'", dev->state);
	return loop_add_fd(dev->loop, &control->io, EPOLLIN, err);
}

struct control *control_free(struct control *control)
{
	if (!control)
		return NULL;
	while (control->clients)
		client_gone(control->clients);
	loop_remove_fd(&control->io);
	fd_closep(&control->io.fd);
	free(control);
	return NULL;
}

int control_connect(const char *state, const char *request, struct error *err)
{
	_cleanup_(mem_freep) char *line = mem_printf("%s\n", request);
	_cleanup_(fd_closep) int folder = -1;
	_cleanup_(fd_closep) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un addr;
	int r = address_of(&addr, &folder, state, err), out;

	if (r < 0)
		return r;
	if (fd < 0 || connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		return error_sys(err, "no device runs in '%s'", state);
	r = fd_write_all(fd, bytes_str(line), err);
	if (r < 0)
		return r;
	out = fd;
	fd = -1;
	return out;
}
