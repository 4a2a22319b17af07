/* tests/unit/test-names.c -- addresses as they are written, names that are found in a child, and those that nobody waits for any more. */
#include "tests/test.h"

#include "agent/dial.h"
#include "base/clock.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static void split(const char *text, const char *host, const char *port)
{
	char got_host[NAMES_HOST_MAX], got_port[NAMES_PORT_MAX];

	CHECK(name_split(got_host, got_port, text, "443"));
	CHECK_STR(got_host, host);
	CHECK_STR(got_port, port);
}

TEST(an_address_is_split_as_it_is_written)
{
	static const char *const bad[] = { "",     ":1",          "a:",   "a:0",    "a:65536", "a:x",    "a:1:2",
					   "a:+1", "2001:db8::1", "[::1", "[::1]x", "[]:1",    "[::1]:", "a:123456" };
	char host[NAMES_HOST_MAX], port[NAMES_PORT_MAX], text[NAMES_HOST_MAX + 8];

	split("localhost:8443", "localhost", "8443");
	split("localhost", "localhost", "443");
	split("192.0.2.1:1", "192.0.2.1", "1");
	split("[2001:db8::1]:65535", "2001:db8::1", "65535");
	split("[2001:db8::1]", "2001:db8::1", "443");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (name_split(host, port, bad[i], "443"))
			fail_msg("'%s' is taken for an address", bad[i]);
	memset(text, 'a', sizeof(text));
	text[NAMES_HOST_MAX] = 0;
	CHECK(!name_split(host, port, text, "443"));
}

struct asker {
	struct name_ask ask;
	struct loop *loop;
	size_t count;
	int told;
	char why[100];
};

static void found(struct name_ask *ask, const struct address *addresses, size_t count, const char *why)
{
	struct asker *a = container_of(ask, struct asker, ask);

	a->told++;
	a->count = count;
	CHECK(count ? addresses[0].len > 0 : why != NULL);
	snprintf(a->why, sizeof(a->why), "%s", why ? why : "");
	loop_stop(a->loop);
}

TEST(a_name_is_found_once_for_all_who_ask)
{
	struct asker first = { .ask.found = found }, second = { .ask.found = found }, third = { .ask.found = found };
	char self[64] = "";
	struct addrinfo *here = NULL;
	struct error err = { 0 };
	struct loop *loop;
	struct names *names;

	if (gethostname(self, sizeof(self) - 1) != 0 || getaddrinfo(self, "80", NULL, &here) != 0)
		skip(); /* this machine's resolver does not know it */
	freeaddrinfo(here);
	CHECK_OK(loop_new(&loop, &err));
	names = names_new(loop);
	first.loop = second.loop = third.loop = loop;
	names_ask(names, &first.ask, self, "80");
	names_ask(names, &second.ask, self, "80");
	CHECK(!first.told && !second.told);
	CHECK_OK(loop_run(loop, &err));
	CHECK(first.told == 1 && second.told == 1 && first.count && second.count == first.count);
	names_ask(names, &third.ask, self, "80"); /* known by now */
	CHECK(third.told == 1 && third.count == first.count);
	names_free(names);
	loop_free(loop);
	CHECK(waitpid(-1, NULL, WNOHANG) < 0); /* no child is left */
}

TEST(an_address_and_localhost_need_no_child)
{
	static const char *const own[] = { "localhost", "LocalHost.", "r1.localhost" };
	struct asker a = { .ask.found = found };
	struct error err = { 0 };
	struct names *names;

	CHECK_OK(loop_new(&a.loop, &err));
	names = names_new(a.loop);
	names_ask(names, &a.ask, "::1", "80");
	CHECK(a.told == 1 && a.count == 1);
	for (int i = 0; i < 3; i++) {
		names_ask(names, &a.ask, own[i], "80");
		CHECK(a.told == i + 2 && a.count == 2); /* both families */
	}
	CHECK(waitpid(-1, NULL, WNOHANG) < 0);
	names_free(names);
	loop_free(a.loop);
}

TEST(a_name_that_is_none_says_why_and_is_asked_for_again)
{
	struct asker a = { .ask.found = found };
	struct error err = { 0 };
	struct names *names;

	CHECK_OK(loop_new(&a.loop, &err));
	names = names_new(a.loop);
	for (int i = 1; i <= 2; i++) {
		names_ask(names, &a.ask, "no..name", "80");
		CHECK(a.told == i - 1);
		CHECK_OK(loop_run(a.loop, &err));
		CHECK(a.told == i && !a.count && a.why[0]);
	}
	names_free(names);
	loop_free(a.loop);
}

TEST(a_name_that_nobody_waits_for_any_more_leaves_no_child)
{
	struct asker a = { .ask.found = found }, b = { .ask.found = found };
	struct error err = { 0 };
	struct names *names;

	CHECK_OK(loop_new(&a.loop, &err));
	b.loop = a.loop;
	names = names_new(a.loop);
	names_ask(names, &a.ask, "no..name", "80");
	names_ask(names, &b.ask, "no..name", "80");
	names_forget(names, &a.ask);
	names_forget(names, &a.ask); /* fine twice */
	CHECK(waitpid(-1, NULL, WNOHANG) == 0);
	names_forget(names, &b.ask);
	CHECK(waitpid(-1, NULL, WNOHANG) < 0);
	CHECK(!a.told && !b.told);
	names_free(names);
	loop_free(a.loop);
}

struct caller {
	struct dial dial;
	struct loop *loop;
	int fd, told;
};

static void dialled(struct dial *dial, int fd, const char *why)
{
	struct caller *c = container_of(dial, struct caller, dial);

	CHECK((fd >= 0) == !why);
	c->fd = fd;
	c->told++;
	loop_stop(c->loop);
}

/* "localhost" has two addresses where there is IPv6, and nobody listens at the first one. */
TEST(an_address_that_refuses_leaves_the_others)
{
	struct sockaddr_in here = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct caller c = { .dial.done = dialled };
	socklen_t len = sizeof(here);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct error err = { 0 };
	struct names *names;
	char address[64];

	CHECK(bind(listener, (struct sockaddr *)&here, sizeof(here)) == 0 && listen(listener, 1) == 0);
	CHECK(getsockname(listener, (struct sockaddr *)&here, &len) == 0);
	CHECK_OK(loop_new(&c.loop, &err));
	names = names_new(c.loop);
	snprintf(address, sizeof(address), "localhost:%u", ntohs(here.sin_port));
	dial_begin(&c.dial, c.loop, names, address, clock_mono_ms() + 10000);
	if (!c.told)
		CHECK_OK(loop_run(c.loop, &err));
	CHECK(c.told == 1 && c.fd >= 0);
	close(c.fd);
	close(listener);
	dial_begin(&c.dial, c.loop, names, address, clock_mono_ms() + 10000);
	if (c.told == 1)
		CHECK_OK(loop_run(c.loop, &err));
	CHECK(c.told == 2 && c.fd == -1);
	dial_stop(&c.dial);
	names_free(names);
	loop_free(c.loop);
}
