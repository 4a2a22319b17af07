/* tests/unit/test-tftp.c -- the server that a device fetches its image from: the one image under the name of this time, to one at a time,
 * whole; and whatever else arrives does not disturb it. */
#include "tests/test.h"

#include "agent/tftp.h"
#include "base/fs.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SIZE = 8 * 65540 + 3, ACK = 4, ERROR = 5, OPTION_ACK = 6, DATA = 3 };

struct t {
	struct tftp tftp;
	uint8_t *image;
	struct sockaddr_in at;
};

static void begin(struct t *t)
{
	_cleanup_(mem_freep) char *path = mem_printf("%s/image", test_folder());
	_cleanup_(fd_closep) int fd = -1;
	struct error err = { 0 };
	const char *colon;

	t->image = mem_alloc(SIZE);
	for (size_t i = 0; i < SIZE; i++)
		t->image[i] = (uint8_t)(i * 7 + i / 255);
	CHECK_OK(fs_write(path, bytes_of(t->image, SIZE), 0600, &err));
	fd = open(path, O_RDONLY | O_CLOEXEC);
	CHECK_OK(tftp_begin(&t->tftp, fd, "127.0.0.1", 60, &err));
	colon = strrchr(t->tftp.address, ':');
	CHECK(colon != NULL);
	t->at = (struct sockaddr_in){ .sin_family = AF_INET,
				      .sin_port = htons((uint16_t)atoi(colon + 1)),
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

static int client(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	CHECK(fd >= 0);
	return fd;
}

static void say(const struct t *t, int fd, const void *packet, size_t len)
{
	CHECK_EQ(sendto(fd, packet, len, 0, (const struct sockaddr *)&t->at, sizeof(t->at)), len);
}

/* options: "blksize\0008\000", its length with it. */
static void ask(const struct t *t, int fd, const char *name, const char *options, size_t len)
{
	uint8_t packet[300] = { 0, 1 };
	size_t n = 2 + (size_t)snprintf((char *)packet + 2, 100, "%s%coctet", name, 0) + 1;

	memcpy(packet + n, options, len);
	say(t, fd, packet, n + len);
}

/* What comes within two seconds; 0: nothing. */
static size_t hear(int fd, uint8_t out[static 2000])
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	ssize_t n = poll(&pfd, 1, 2000) > 0 ? recv(fd, out, 2000, 0) : 0;

	return n > 0 ? (size_t)n : 0;
}

static void acknowledge(const struct t *t, int fd, unsigned block)
{
	const uint8_t packet[4] = { 0, ACK, (uint8_t)(block >> 8), (uint8_t)block };

	say(t, fd, packet, sizeof(packet));
}

static void refused(int fd, const char *why)
{
	uint8_t in[2000] = { 0 };

	CHECK(hear(fd, in) > 4);
	CHECK_EQ(in[1], ERROR);
	CHECK_STR((const char *)in + 4, why);
}

TEST(a_device_gets_the_whole_image_also_past_the_last_number_of_a_block)
{
	struct t t;
	uint8_t in[2000];
	unsigned long at = 0, block = 1;
	size_t n = 0;
	int fd;

	begin(&t);
	fd = client();
	ask(&t, fd, t.tftp.name, "blksize\0008\0tsize\0000\0unknown\0001\0", 28);
	n = hear(fd, in);
	CHECK_EQ(in[1], OPTION_ACK);
	CHECK_EQ(n, 2 + 10 + 6 + 7);
	CHECK_STR((const char *)in + 2, "blksize");
	CHECK_STR((const char *)in + 12, "tsize");
	CHECK_EQ(strtoul((const char *)in + 18, NULL, 10), SIZE);
	acknowledge(&t, fd, 0);
	do {
		n = hear(fd, in);
		CHECK(n >= 4);
		CHECK_EQ(in[1], DATA);
		CHECK_EQ((unsigned long)in[2] << 8 | in[3], block & 0xffff);
		CHECK(at + n - 4 <= SIZE && !memcmp(in + 4, t.image + at, n - 4));
		at += n - 4;
		acknowledge(&t, fd, (unsigned)(block++ & 0xffff));
	} while (n == 4 + 8);
	CHECK_EQ(at, SIZE);
	usleep(200000);
	CHECK(tftp_end(&t.tftp));
	close(fd);
	free(t.image);
}

TEST(a_block_that_was_lost_comes_again)
{
	struct t t;
	uint8_t in[2000], again[2000];
	int fd;

	begin(&t);
	fd = client();
	ask(&t, fd, t.tftp.name, "", 0);
	CHECK_EQ(hear(fd, in), 4 + 512); /* nothing was agreed */
	CHECK_EQ(hear(fd, again), 4 + 512);
	CHECK(!memcmp(in, again, 4 + 512));
	CHECK(!tftp_end(&t.tftp)); /* not all of it was fetched */
	close(fd);
	free(t.image);
}

TEST(nothing_else_is_served_and_nobody_else)
{
	static const uint8_t noise[][12] = { { 0, 1 },       { 0, 1, 'x', 'y', 'z' }, { 0, 4, 0, 1 },
					     { 0, 9, 0, 0 }, { 1, 1, 0, 0 },          { 0, 3, 0, 1, 'a' } };
	struct t t;
	uint8_t in[2000];
	int fd, other;

	begin(&t);
	fd = client();
	other = client();
	ask(&t, fd, "../../etc/shadow", "", 0);
	refused(fd, "not found");
	ask(&t, fd, "", "", 0);
	refused(fd, "not found");
	ask(&t, fd, t.tftp.name, "blksize\0001428\0", 13);
	CHECK(hear(fd, in) > 0);
	for (size_t i = 0; i < ARRAY_SIZE(noise); i++)
		say(&t, other, noise[i], sizeof(noise[i]));
	usleep(100000);
	while (recv(other, in, sizeof(in), MSG_DONTWAIT) > 0)
		CHECK_EQ(in[1], ERROR); /* nobody but the first is told anything */
	ask(&t, other, t.tftp.name, "", 0);
	refused(other, "somebody else is being served");
	acknowledge(&t, other, 0);
	acknowledge(&t, fd, 0);
	CHECK_EQ(hear(fd, in), 4 + TFTP_BLOCK_MAX);
	CHECK(!memcmp(in + 4, t.image, TFTP_BLOCK_MAX));
	CHECK(!tftp_end(&t.tftp));
	close(fd);
	close(other);
	free(t.image);
}

TEST(who_serves_has_nothing_of_the_process_that_it_comes_from)
{
	_cleanup_(mem_freep) char *folder = NULL, *status = NULL;
	_cleanup_(buf_done) struct buf text = { 0 };
	struct error err = { 0 };
	struct dirent *entry;
	size_t count = 0;
	uint8_t in[2000];
	struct t t;
	DIR *dir;
	int fd;

	begin(&t);
	fd = client();
	ask(&t, fd, t.tftp.name, "", 0);
	CHECK(hear(fd, in) > 0); /* it is at work */
	folder = mem_printf("/proc/%d/fd", (int)t.tftp.pid);
	status = mem_printf("/proc/%d/status", (int)t.tftp.pid);
	dir = opendir(folder);
	CHECK(dir != NULL || geteuid() != 0);
	while (dir && (entry = readdir(dir)))
		count += entry->d_name[0] != '.';
	CHECK(!dir || count == 3); /* socket, image, and the way to say that all of it was fetched */
	if (dir)
		closedir(dir);
	CHECK_OK(fs_read(&text, status, 1 << 16, &err));
	CHECK(geteuid() != 0 || strstr(buf_text(&text), "Uid:\t0\t") == NULL);
	CHECK(!tftp_end(&t.tftp));
	close(fd);
	free(t.image);
}

TEST(an_address_that_is_none_is_an_error)
{
	static const char *const wrong[] = { "switch.example", "", "300.1.1.1", "127.0.0.1:port", "[::1", "203.0.113.7" };

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		struct error err = { 0 };
		struct tftp tftp;

		CHECK(tftp_begin(&tftp, 0, wrong[i], 1, &err) < 0);
		CHECK(!tftp_end(&tftp));
	}
}
