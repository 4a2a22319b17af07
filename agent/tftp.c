/* agent/tftp.c -- one image for one device, for as long as it fetches it: a TFTP server in a process of its own. */
#include "agent/tftp.h"

#include "agent/confine.h"
#include "base/clock.h"
#include "base/fs.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum opcode { READ_REQUEST = 1, DATA = 3, ACK = 4, ERROR = 5, OPTION_ACK = 6 };
enum { PACKET_MAX = TFTP_BLOCK_MAX + 4, BLOCK_DEFAULT = 512, BLOCK_LEAST = 8, RESEND_MS = 1000, SILENCE_MS = 60000, STRINGS_MAX = 16 };

struct transfer {
	int fd, image;
	struct sockaddr_storage peer;
	socklen_t peer_len; /* 0: nobody yet */
	uint64_t size, block; /* block: the newest that was sent, from 1; 0: the options */
	unsigned block_len;
	uint64_t sent_ms, heard_ms;
	bool is_whole; /* its last block is out */
	uint8_t packet[PACKET_MAX];
	size_t packet_len;
};

/* ---- packets ---- */

static void put_u16(uint8_t *at, unsigned value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static void send_packet(struct transfer *t, uint64_t now_ms)
{
	(void)!sendto(t->fd, t->packet, t->packet_len, 0, (const struct sockaddr *)&t->peer,
		      t->peer_len); /* lost or not: it is sent again */
	t->sent_ms = now_ms;
}

static void refuse(const struct transfer *t, const struct sockaddr_storage *peer, socklen_t len, unsigned code, const char *why)
{
	uint8_t packet[80] = { 0, ERROR };
	size_t n = strlen(why);

	put_u16(packet + 2, code);
	memcpy(packet + 4, why, n + 1);
	(void)!sendto(t->fd, packet, n + 5, 0, (const struct sockaddr *)peer, len);
}

/* The block after the newest; its number goes round after 65535. False: the image cannot be read. */
static bool send_block(struct transfer *t, uint64_t now_ms)
{
	ssize_t n = pread(t->image, t->packet + 4, t->block_len, (off_t)(t->block * t->block_len));

	if (n < 0)
		return false;
	t->block++;
	put_u16(t->packet, DATA);
	put_u16(t->packet + 2, (unsigned)(t->block & 0xffff));
	t->packet_len = (size_t)n + 4;
	t->is_whole = (size_t)n < t->block_len;
	send_packet(t, now_ms);
	return true;
}

/* ---- requests ---- */

static void add_option(struct transfer *t, const char *name, unsigned long long value)
{
	int n = snprintf((char *)t->packet + t->packet_len, sizeof(t->packet) - t->packet_len, "%s%c%llu", name, 0, value);

	t->packet_len += (size_t)n + 1;
}

static void take_option(struct transfer *t, const char *name, const char *value)
{
	uint64_t n;

	if (!number_parse(&n, bytes_str(value)))
		return;
	if (!strcasecmp(name, "blksize") && n >= BLOCK_LEAST) {
		t->block_len = n < TFTP_BLOCK_MAX ? (unsigned)n : TFTP_BLOCK_MAX;
		add_option(t, "blksize", t->block_len);
	} else if (!strcasecmp(name, "tsize")) {
		add_option(t, "tsize", t->size);
	} else if (!strcasecmp(name, "timeout") && n && n < 256) {
		add_option(t, "timeout", n);
	}
}

/* File name, mode, then pairs; each ends with a NUL. Returns how many. */
static size_t split(const char *out[static STRINGS_MAX], struct bytes in)
{
	size_t count = 0;

	while (in.len && count < STRINGS_MAX) {
		const uint8_t *end = memchr(in.ptr, 0, in.len);

		if (!end)
			break;
		out[count++] = (const char *)in.ptr;
		in = bytes_from(in, (size_t)(end - in.ptr) + 1);
	}
	return count;
}

static void begin(struct transfer *t, const char *const string[], size_t count, uint64_t now_ms)
{
	t->block = 0;
	t->block_len = BLOCK_DEFAULT;
	t->is_whole = false;
	t->heard_ms = now_ms;
	t->packet_len = 2;
	put_u16(t->packet, OPTION_ACK);
	for (size_t i = 2; i + 1 < count; i += 2)
		take_option(t, string[i], string[i + 1]);
	if (t->packet_len > 2)
		send_packet(t, now_ms);
	else
		(void)!send_block(t, now_ms);
}

static bool is_peer(const struct transfer *t, const struct sockaddr_storage *from, socklen_t len)
{
	return len == t->peer_len && !memcmp(from, &t->peer, len);
}

static void take_request(struct transfer *t, struct bytes in, const char *name, const struct sockaddr_storage *from, socklen_t len)
{
	const char *string[STRINGS_MAX];
	size_t count = split(string, in);
	uint64_t now = clock_mono_ms();

	if (t->peer_len && !is_peer(t, from, len) && now - t->heard_ms < RESEND_MS * 5) {
		refuse(t, from, len, 0, "somebody else is being served");
		return;
	}
	if (count < 2 || strcmp(string[0] + (string[0][0] == '/'), name) != 0 || strcasecmp(string[1], "octet") != 0) {
		refuse(t, from, len, 1, "not found");
		return;
	}
	memcpy(&t->peer, from, sizeof(t->peer));
	t->peer_len = len;
	begin(t, string, count, now);
}

/* True: the last block was acknowledged. */
static bool take_ack(struct transfer *t, unsigned block)
{
	uint64_t now = clock_mono_ms();

	if (block != (t->block & 0xffff))
		return false; /* of a packet that was sent twice */
	t->heard_ms = now;
	if (t->is_whole)
		return true;
	if (!send_block(t, now))
		refuse(t, &t->peer, t->peer_len, 0, "the image cannot be read");
	return false;
}

static bool take_packet(struct transfer *t, const char *name)
{
	uint8_t in[PACKET_MAX + 1];
	struct sockaddr_storage from = { 0 };
	socklen_t len = sizeof(from);
	ssize_t n = recvfrom(t->fd, in, PACKET_MAX, 0, (struct sockaddr *)&from, &len);

	if (n < 4 || in[0])
		return false;
	if (in[1] == READ_REQUEST)
		take_request(t, bytes_of(in + 2, (size_t)n - 2), name, &from, len);
	else if (in[1] == ACK && is_peer(t, &from, len))
		return take_ack(t, (unsigned)in[2] << 8 | in[3]);
	else if (in[1] == ERROR && is_peer(t, &from, len))
		t->peer_len = 0; /* it gave up, and may begin anew */
	return false;
}

static void resend(struct transfer *t)
{
	uint64_t now = clock_mono_ms();

	if (!t->peer_len)
		return;
	if (now - t->heard_ms > SILENCE_MS)
		t->peer_len = 0;
	else if (now - t->sent_ms >= RESEND_MS)
		send_packet(t, now);
}

/* Everything but these, which rise. */
static void close_others(const int keep[], size_t count)
{
	unsigned from = 0;

	for (size_t i = 0; i < count; i++) {
		if ((unsigned)keep[i] > from)
			close_range(from, (unsigned)keep[i] - 1, 0);
		from = (unsigned)keep[i] + 1;
	}
	close_range(from, ~0U, 0);
}

static int by_number(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

/* It reads what anybody on that network sends, so it has nothing of the process that it comes from: no console, no way to core, no rights.
 */
static void confine(const struct transfer *t, const struct tftp *tftp)
{
	int keep[] = { t->fd, t->image, tftp->said };
	struct error err = { 0 };

	qsort(keep, ARRAY_SIZE(keep), sizeof(keep[0]), by_number);
	close_others(keep, ARRAY_SIZE(keep));
	if (confine_user("nobody", &err) < 0)
		_exit(1);
}

static _Noreturn void serve(struct transfer *t, const struct tftp *tftp, unsigned seconds, pid_t parent)
{
	uint64_t until_ms = clock_mono_ms() + seconds * 1000ULL;
	struct pollfd pfd = { .fd = t->fd, .events = POLLIN };

	confine(t, tftp);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (getppid() == parent && clock_mono_ms() < until_ms) {
		if (poll(&pfd, 1, RESEND_MS / 4) > 0 && take_packet(t, tftp->name))
			(void)!write(tftp->said, "", 1);
		else
			resend(t);
	}
	_exit(0);
}

/* ---- beginning and ending ---- */

static int bind_to(int fd, const struct addrinfo *ai, struct error *err)
{
	return bind(fd, ai->ai_addr, ai->ai_addrlen) < 0 ? error_sys(err, "cannot offer the image to the device") : 0;
}

/* "192.0.2.1", "192.0.2.1:69", "2001:db8::1", "[2001:db8::1]:69": cuts the host off. Returns the port, "0" when there is none, NULL for
 * another form. */
static const char *split_address(char **host, char *text)
{
	char *end = strchr(text, ']'), *colon = strrchr(text, ':');

	*host = text;
	if (*text == '[') {
		if (!end || (end[1] && end[1] != ':'))
			return NULL;
		*host = text + 1;
		*end = 0;
		return end[1] ? end + 2 : "0";
	}
	if (!colon || strchr(text, ':') != colon)
		return "0";
	*colon = 0;
	return colon + 1;
}

static int open_socket(int *fd, const char *address, struct error *err)
{
	_cleanup_(mem_freep) char *text = mem_strdup(address);
	const struct addrinfo hints = { .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV, .ai_socktype = SOCK_DGRAM };
	struct addrinfo *ai = NULL;
	char *host;
	const char *port = split_address(&host, text);
	int r;

	if (!port || !*host || !*port || getaddrinfo(host, port, &hints, &ai) != 0)
		return error_set(err, E_FORMAT, "'%s' is no address of this machine", address);
	*fd = socket(ai->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	r = *fd < 0 ? error_sys(err, "cannot make a socket") : bind_to(*fd, ai, err);
	freeaddrinfo(ai);
	return r;
}

/* As the device is to write it. */
static int say_address(struct tftp *tftp, int fd, struct error *err)
{
	struct sockaddr_storage at = { 0 };
	socklen_t len = sizeof(at);
	char host[48], port[8];

	if (getsockname(fd, (struct sockaddr *)&at, &len) < 0)
		return error_sys(err, "cannot tell the address of a socket");
	if (getnameinfo((const struct sockaddr *)&at, len, host, sizeof(host), port, sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV) != 0)
		return error_set(err, E_SYS, "cannot tell the address of a socket");
	snprintf(tftp->address, sizeof(tftp->address), at.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
	return 0;
}

static void make_name(char out[static TFTP_NAME_MAX])
{
	uint8_t salt[8];
	char hex[2 * sizeof(salt) + 1];

	randombytes_buf(salt, sizeof(salt));
	hex_encode(hex, salt, sizeof(salt));
	snprintf(out, TFTP_NAME_MAX, "image-%s.pkg", hex);
}

int tftp_begin(struct tftp *tftp, int image, const char *address, unsigned seconds, struct error *err)
{
	_cleanup_(fd_closep) int fd = -1;
	struct transfer t = { .image = image };
	struct stat st;
	pid_t parent = getpid();
	int pair[2];

	*tftp = (struct tftp){ .said = -1 };
	if (open_socket(&fd, address, err) < 0 || say_address(tftp, fd, err) < 0)
		return err->code;
	if (fstat(image, &st) < 0 || pipe2(pair, O_CLOEXEC | O_NONBLOCK) < 0)
		return error_sys(err, "cannot offer the image to the device");
	make_name(tftp->name);
	t.fd = fd;
	t.size = (uint64_t)st.st_size;
	tftp->pid = fork();
	if (tftp->pid == 0) {
		tftp->said = pair[1];
		serve(&t, tftp, seconds, parent);
	}
	close(pair[1]);
	tftp->said = pair[0];
	return tftp->pid < 0 ? error_sys(err, "cannot fork") : 0;
}

bool tftp_end(struct tftp *tftp)
{
	char c;
	bool is_whole = false;

	if (tftp->pid > 0) {
		kill(tftp->pid, SIGKILL);
		while (waitpid(tftp->pid, NULL, 0) < 0 && errno == EINTR)
			;
		is_whole = read(tftp->said, &c, 1) == 1;
	}
	fd_closep(&tftp->said);
	tftp->pid = 0;
	return is_whole;
}
