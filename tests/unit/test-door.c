/* tests/unit/test-door.c -- who has said hello is passed on, whole or in parts; who has not costs a place and no more, and is let go. */
#include "tests/test.h"

#include "base/clock.h"
#include "server/door.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

enum { FDS = 1024, PATIENCE_MS = 5000, A_WHILE_MS = 200 };

/* A record of a handshake with three bytes in it. */
static const uint8_t hello[] = { 22, 3, 1, 0, 3, 1, 0, 0 };

struct house {
	struct sweeper *sweeper;
	struct door *door;
	struct sockaddr_in address;
	int listener;
	atomic_int entered;
	atomic_bool is_full;
};

static bool has_room(void *ctx, size_t held)
{
	struct house *h = ctx;

	return !h->is_full && held < FDS;
}

static void enter(void *ctx, int fd, const struct sockaddr *from, socklen_t len)
{
	struct house *h = ctx;

	CHECK(from->sa_family == AF_INET && len == sizeof(struct sockaddr_in));
	close(fd);
	h->entered++;
}

static void house_init(struct house *h)
{
	socklen_t len = sizeof(h->address);
	struct error err;

	*h = (struct house){ .sweeper = sweeper_new(FDS), .address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) } };
	h->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	CHECK(bind(h->listener, (struct sockaddr *)&h->address, len) == 0 && listen(h->listener, 16) == 0 &&
	      getsockname(h->listener, (struct sockaddr *)&h->address, &len) == 0);
	CHECK_OK(door_open(&h->door, h->listener, FDS, 1, h->sweeper, &(struct door_calls){ has_room, enter, h }, &err));
}

static void house_done(struct house *h)
{
	door_close(h->door);
	close(h->listener);
	sweeper_free(h->sweeper);
}

static int come(struct house *h)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	CHECK(connect(fd, (struct sockaddr *)&h->address, sizeof(h->address)) == 0);
	return fd;
}

static void say(int fd, const void *bytes, size_t len)
{
	CHECK_EQ(send(fd, bytes, len, MSG_NOSIGNAL), len);
}

static bool is_entered(struct house *h, int count)
{
	uint64_t end = clock_mono_ms() + PATIENCE_MS;

	while (h->entered < count && clock_mono_ms() < end)
		usleep(1000);
	return h->entered == count;
}

static bool is_closed_within(int fd, int ms)
{
	char c;

	return poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, ms) == 1 && recv(fd, &c, 1, MSG_DONTWAIT) <= 0;
}

TEST(who_says_hello_is_passed_on_however_it_is_cut)
{
	struct house h;
	int fd[2];

	house_init(&h);
	fd[0] = come(&h);
	say(fd[0], hello, sizeof(hello));
	CHECK(is_entered(&h, 1));
	fd[1] = come(&h);
	for (size_t i = 0; i < sizeof(hello); i++) {
		usleep(20000);
		CHECK_EQ(h.entered, 1);
		say(fd[1], hello + i, 1);
	}
	CHECK(is_entered(&h, 2));
	for (size_t i = 0; i < ARRAY_SIZE(fd); i++)
		close(fd[i]);
	house_done(&h);
}

TEST(what_is_no_hello_is_left_to_the_library)
{
	static const uint8_t long_one[] = { 22, 3, 1, 0xff, 0xff };
	struct house h;
	int fd[2];

	house_init(&h);
	fd[0] = come(&h);
	say(fd[0], "GET", 3);
	CHECK(is_entered(&h, 1));
	fd[1] = come(&h);
	say(fd[1], long_one, sizeof(long_one));
	CHECK(is_entered(&h, 2));
	for (size_t i = 0; i < ARRAY_SIZE(fd); i++)
		close(fd[i]);
	house_done(&h);
}

TEST(who_stalls_is_cut_at_the_deadline_and_who_leaves_is_forgotten)
{
	uint64_t begun = clock_mono_ms();
	struct house h;
	int silent, half;

	house_init(&h);
	silent = come(&h);
	half = come(&h);
	say(half, hello, 6);
	close(come(&h));
	CHECK(!is_closed_within(half, A_WHILE_MS));
	while (clock_mono_ms() < begun + 1100)
		usleep(10000);
	while (sweeper_run(h.sweeper, clock_mono_ms()) < 2 && clock_mono_ms() < begun + PATIENCE_MS)
		usleep(10000);
	CHECK(is_closed_within(half, PATIENCE_MS));
	CHECK(is_closed_within(silent, PATIENCE_MS));
	CHECK_EQ(h.entered, 0);
	close(silent);
	close(half);
	house_done(&h);
}

TEST(while_there_is_no_room_they_wait_outside)
{
	struct house h;
	int fd;

	house_init(&h);
	h.is_full = true;
	fd = come(&h);
	say(fd, hello, sizeof(hello));
	CHECK(!is_closed_within(fd, A_WHILE_MS));
	CHECK_EQ(h.entered, 0);
	h.is_full = false;
	CHECK(is_entered(&h, 1));
	close(fd);
	house_done(&h);
}

TEST(a_door_that_closes_lets_go_of_those_in_it)
{
	struct house h;
	int fd;

	house_init(&h);
	fd = come(&h);
	say(fd, hello, 3);
	CHECK(!is_closed_within(fd, A_WHILE_MS));
	h.door = door_close(h.door);
	CHECK(is_closed_within(fd, PATIENCE_MS));
	close(fd);
	house_done(&h);
}
