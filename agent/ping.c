/* agent/ping.c -- ICMP echo. */
#include "agent/ping.h"

#include "base/fs.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/icmp.h>
#include <netinet/icmp6.h>
#include <sodium.h>
#include <string.h>
#include <sys/socket.h>

enum { V4, V6, HEAD_LEN = 8, PACKET_MAX = 2048, IP_HEAD_MIN = 20 };

static int open_one(int family, int protocol, bool *is_raw)
{
	int fd = socket(family, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);

	*is_raw = fd >= 0;
	/* without privileges the kernel may let us have one that sees only its own answers (net.ipv4.ping_group_range) */
	return fd >= 0 ? fd : socket(family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);
}

void ping_open(struct ping_sockets *out)
{
	struct icmp_filter only4 = { .data = ~(1U << ICMP_ECHOREPLY) };
	struct icmp6_filter only6;

	out->fd[V4] = open_one(AF_INET, IPPROTO_ICMP, &out->is_raw[V4]);
	out->fd[V6] = open_one(AF_INET6, IPPROTO_ICMPV6, &out->is_raw[V6]);
	if (out->fd[V4] >= 0 && out->is_raw[V4])
		(void)setsockopt(out->fd[V4], SOL_RAW, ICMP_FILTER, &only4, sizeof(only4));
	ICMP6_FILTER_SETBLOCKALL(&only6);
	ICMP6_FILTER_SETPASS(ICMP6_ECHO_REPLY, &only6);
	if (out->fd[V6] >= 0 && out->is_raw[V6])
		(void)setsockopt(out->fd[V6], IPPROTO_ICMPV6, ICMP6_FILTER, &only6, sizeof(only6));
}

void ping_close(struct ping_sockets *s)
{
	fd_closep(&s->fd[V4]);
	fd_closep(&s->fd[V6]);
}

bool ping_begin(struct ping *p, const char *target, uint64_t now_ms, uint32_t timeout_ms)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };

	if (inet_pton(AF_INET, target, &v4.sin_addr) == 1) {
		memcpy(&p->to, &v4, sizeof(v4));
		p->to_len = sizeof(v4);
	} else if (inet_pton(AF_INET6, target, &v6.sin6_addr) == 1) {
		memcpy(&p->to, &v6, sizeof(v6));
		p->to_len = sizeof(v6);
	} else {
		return false;
	}
	randombytes_buf(p->token, sizeof(p->token));
	p->again_ms = now_ms;
	p->deadline_ms = now_ms + timeout_ms;
	return true;
}

/* RFC 1071; of a whole number of 16-bit words. */
static uint16_t checksum(const uint8_t *in, size_t len)
{
	uint32_t sum = 0;

	for (size_t i = 0; i + 1 < len; i += 2)
		sum += (uint32_t)(in[i] << 8 | in[i + 1]);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

void ping_send(const struct ping_sockets *s, struct ping *p, uint64_t now_ms)
{
	int which = p->to.ss_family == AF_INET ? V4 : V6;
	uint8_t packet[HEAD_LEN + PING_TOKEN_LEN] = { which == V4 ? ICMP_ECHO : ICMP6_ECHO_REQUEST };
	uint16_t sum;

	if (now_ms < p->again_ms)
		return;
	p->again_ms = now_ms + PING_AGAIN_MS;
	packet[4] = p->token[0]; /* the identifier; the kernel puts its own into that of a socket of its kind */
	packet[5] = p->token[1];
	packet[6] = (uint8_t)(p->count >> 8);
	packet[7] = (uint8_t)p->count++;
	memcpy(packet + HEAD_LEN, p->token, PING_TOKEN_LEN);
	sum = which == V4 ? checksum(packet, sizeof(packet)) : 0; /* the kernel's work for IPv6 */
	packet[2] = (uint8_t)(sum >> 8);
	packet[3] = (uint8_t)sum;
	if (s->fd[which] < 0)
		p->why = "no ICMP socket can be opened here";
	else if (sendto(s->fd[which], packet, sizeof(packet), MSG_NOSIGNAL, (struct sockaddr *)&p->to, p->to_len) < 0)
		p->why = strerror(errno);
	else
		p->why = NULL;
}

/* Behind the IP header that a raw IPv4 socket shows. */
static struct bytes icmp_of(struct bytes in, bool has_head)
{
	size_t head = has_head && in.len >= IP_HEAD_MIN ? (in.ptr[0] & 15) * 4UL : 0;

	return bytes_from(in, head);
}

bool ping_take(const struct ping_sockets *s, int which, uint8_t token[static PING_TOKEN_LEN])
{
	uint8_t packet[PACKET_MAX];
	ssize_t n = recv(s->fd[which], packet, sizeof(packet), MSG_DONTWAIT);
	struct bytes icmp;

	memset(token, 0, PING_TOKEN_LEN);
	if (n < 0)
		return errno == EINTR || errno == ECONNREFUSED || errno == EHOSTUNREACH ||
		       errno == ENETUNREACH; /* an error that waited there */
	icmp = icmp_of(bytes_of(packet, (size_t)n), which == V4 && s->is_raw[V4]);
	if (icmp.len >= HEAD_LEN + PING_TOKEN_LEN && icmp.ptr[0] == (which == V4 ? ICMP_ECHOREPLY : ICMP6_ECHO_REPLY))
		memcpy(token, icmp.ptr + HEAD_LEN, PING_TOKEN_LEN);
	return true;
}
