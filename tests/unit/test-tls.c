/* tests/unit/test-tls.c -- the server's side of a handshake is short: a small certificate, one packet in answer to a client's first
 * message. Who trickles dozes. */
#include "tests/test.h"

#include "agent/tls-offer.h"
#include "server/tls.h"

#include <fcntl.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SHOWN_MAX = 281, WAIT_MS = 250 }; /* bytes of a certificate for an address */

/* A client and a server on one TCP connection, whose descriptors do not wait. */
struct pair {
	int fd[2];
	gnutls_session_t session[2];
	gnutls_certificate_credentials_t trust, own;
	gnutls_priority_t priority[2];
	struct buf key, cert;
	struct tls_wire wire; /* of the server */
};

enum { CLIENT, SERVER };

static void make(struct buf *key, struct buf *cert)
{
	const char *const addresses[] = { "127.0.0.1:8443", "archive.example.org:8443" };
	struct error err;

	CHECK_OK(tls_make(key, cert, addresses, ARRAY_SIZE(addresses), &err));
}

static void connect_pair(int fd[2])
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(to);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	CHECK(bind(listener, (struct sockaddr *)&to, len) == 0 && listen(listener, 1) == 0 &&
	      getsockname(listener, (struct sockaddr *)&to, &len) == 0);
	fd[CLIENT] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CHECK(connect(fd[CLIENT], (struct sockaddr *)&to, len) == 0);
	fd[SERVER] = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	CHECK(fd[SERVER] >= 0 && fcntl(fd[CLIENT], F_SETFL, O_NONBLOCK) == 0);
	CHECK(setsockopt(fd[SERVER], IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == 0);
	close(listener);
}

static void pair_init_both(struct pair *p, const char *client_priority, const char *server_priority, struct sweeper *sweeper)
{
	gnutls_datum_t key, cert;

	key = (gnutls_datum_t){ .data = p->key.ptr, .size = (unsigned)p->key.len };
	cert = (gnutls_datum_t){ .data = p->cert.ptr, .size = (unsigned)p->cert.len };
	CHECK_EQ(gnutls_certificate_allocate_credentials(&p->trust), 0);
	CHECK_EQ(gnutls_certificate_allocate_credentials(&p->own), 0);
	CHECK_EQ(gnutls_certificate_set_x509_key_mem(p->own, &cert, &key, GNUTLS_X509_FMT_PEM), 0);
	connect_pair(p->fd);
	for (int i = 0; i < 2; i++) {
		CHECK_EQ(
			gnutls_init(&p->session[i], (i == SERVER ? GNUTLS_SERVER : GNUTLS_CLIENT | GNUTLS_KEY_SHARE_TOP) | GNUTLS_NONBLOCK),
			0);
		CHECK_EQ(gnutls_priority_init(&p->priority[i], i == SERVER ? server_priority : client_priority, NULL), 0);
		CHECK_EQ(gnutls_priority_set(p->session[i], p->priority[i]), 0);
		CHECK_EQ(gnutls_credentials_set(p->session[i], GNUTLS_CRD_CERTIFICATE, i == SERVER ? p->own : p->trust), 0);
		gnutls_transport_set_int(p->session[i], p->fd[i]);
	}
	tls_wire_open(&p->wire, p->session[SERVER], p->fd[SERVER], sweeper);
}

static void pair_init_with(struct pair *p, const char *client_priority, struct sweeper *sweeper)
{
	pair_init_both(p, client_priority, TLS_PRIORITY, sweeper);
}

static void pair_init(struct pair *p, const char *client_priority)
{
	*p = (struct pair){ 0 };
	make(&p->key, &p->cert);
	pair_init_with(p, client_priority, NULL);
}

static void pair_done(struct pair *p)
{
	for (int i = 0; i < 2; i++) {
		gnutls_deinit(p->session[i]);
		gnutls_priority_deinit(p->priority[i]);
		close(p->fd[i]);
	}
	tls_wire_done(&p->wire);
	gnutls_certificate_free_credentials(p->trust);
	gnutls_certificate_free_credentials(p->own);
	buf_done(&p->key);
	buf_done(&p->cert);
}

/* The client says hello, and the server what it has to say to that. */
static void greet(struct pair *p)
{
	CHECK_EQ(gnutls_handshake(p->session[CLIENT]), GNUTLS_E_AGAIN);
	CHECK_EQ(gnutls_handshake(p->session[SERVER]), GNUTLS_E_AGAIN);
}

static void finish(struct pair *p)
{
	int r[2] = { GNUTLS_E_AGAIN, GNUTLS_E_AGAIN };

	for (int turn = 0; turn < 20 && (r[CLIENT] || r[SERVER]); turn++)
		for (int i = 0; i < 2; i++)
			if (r[i]) {
				(void)!poll(&(struct pollfd){ .fd = p->fd[i], .events = POLLIN }, 1, WAIT_MS);
				r[i] = gnutls_handshake(p->session[i]);
			}
	CHECK_EQ(r[CLIENT], 0);
	CHECK_EQ(r[SERVER], 0);
}

/* How many packets with data the server has sent. */
static unsigned packets_of(const struct pair *p)
{
	struct tcp_info info;
	socklen_t len = sizeof(info);

	CHECK_EQ(getsockopt(p->fd[SERVER], IPPROTO_TCP, TCP_INFO, &info, &len), 0);
	return info.tcpi_data_segs_out;
}

TEST(a_certificate_is_small_for_its_names_and_no_authority)
{
	_cleanup_(buf_done) struct buf key = { 0 }, pem = { 0 };
	gnutls_datum_t in, der = { 0 };
	gnutls_x509_crt_t cert = NULL;
	unsigned critical;

	make(&key, &pem);
	in = (gnutls_datum_t){ .data = pem.ptr, .size = (unsigned)pem.len };
	CHECK_EQ(gnutls_x509_crt_init(&cert), 0);
	CHECK_EQ(gnutls_x509_crt_import(cert, &in, GNUTLS_X509_FMT_PEM), 0);
	CHECK_EQ(gnutls_x509_crt_export2(cert, GNUTLS_X509_FMT_DER, &der), 0);
	CHECK(der.size <= SHOWN_MAX + sizeof("archive.example.org"));
	CHECK(gnutls_x509_crt_check_hostname(cert, "archive.example.org"));
	CHECK(gnutls_x509_crt_check_hostname(cert, "127.0.0.1"));
	CHECK(!gnutls_x509_crt_check_hostname(cert, "example.org"));
	CHECK(gnutls_x509_crt_get_ca_status(cert, &critical) <= 0);
	gnutls_free(der.data);
	gnutls_x509_crt_deinit(cert);
}

/* A server that was made with P-256, by an earlier version or by hand. */
static void make_old(struct buf *key_pem, struct buf *cert_pem)
{
	gnutls_datum_t out = { 0 };
	gnutls_x509_privkey_t key = NULL;
	gnutls_x509_crt_t cert = NULL;

	CHECK(gnutls_x509_privkey_init(&key) == 0 && gnutls_x509_crt_init(&cert) == 0);
	CHECK_EQ(gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0), 0);
	CHECK(gnutls_x509_crt_set_version(cert, 3) == 0 && gnutls_x509_crt_set_serial(cert, "\1", 1) == 0 &&
	      gnutls_x509_crt_set_activation_time(cert, 0) == 0 && gnutls_x509_crt_set_expiration_time(cert, INT32_MAX) == 0 &&
	      gnutls_x509_crt_set_key(cert, key) == 0 && gnutls_x509_crt_sign2(cert, cert, key, GNUTLS_DIG_SHA256, 0) == 0);
	CHECK_EQ(gnutls_x509_privkey_export2(key, GNUTLS_X509_FMT_PEM, &out), 0);
	buf_add(key_pem, out.data, out.size);
	gnutls_free(out.data);
	CHECK_EQ(gnutls_x509_crt_export2(cert, GNUTLS_X509_FMT_PEM, &out), 0);
	buf_add(cert_pem, out.data, out.size);
	gnutls_free(out.data);
	gnutls_x509_privkey_deinit(key);
	gnutls_x509_crt_deinit(cert);
}

TEST(an_agent_takes_a_key_of_either_kind)
{
	static const gnutls_pk_algorithm_t kinds[] = { GNUTLS_PK_EDDSA_ED25519, GNUTLS_PK_ECDSA };

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		const gnutls_datum_t *shown;
		gnutls_x509_crt_t cert = NULL;
		uint8_t pin[HASH_LEN];
		unsigned count, bits;
		struct pair p = { 0 };
		struct error err;

		(i ? make_old : make)(&p.key, &p.cert);
		CHECK_OK(tls_pin(pin, buf_bytes(&p.cert), &err));
		pair_init_with(&p, TLS_OFFER, NULL);
		greet(&p);
		CHECK_EQ(packets_of(&p), 1);
		finish(&p);
		shown = gnutls_certificate_get_peers(p.session[CLIENT], &count);
		CHECK(shown && count == 1 && gnutls_x509_crt_init(&cert) == 0);
		CHECK_EQ(gnutls_x509_crt_import(cert, shown, GNUTLS_X509_FMT_DER), 0);
		CHECK_EQ(gnutls_x509_crt_get_pk_algorithm(cert, &bits), kinds[i]);
		gnutls_x509_crt_deinit(cert);
		pair_done(&p);
	}
}

/* Who is quick with AES on both sides has it; where one is not, both have what is quick everywhere. */
TEST(the_suite_is_one_that_both_processors_are_quick_with)
{
	static const struct {
		const char *client, *server;
		gnutls_cipher_algorithm_t cipher;
	} pairs[] = {
		{ TLS_OFFER_AES, TLS_PRIORITY_BY_CLIENT, GNUTLS_CIPHER_AES_128_GCM },
		{ TLS_OFFER_CHACHA, TLS_PRIORITY_BY_CLIENT, GNUTLS_CIPHER_CHACHA20_POLY1305 },
		{ TLS_OFFER_AES, TLS_PRIORITY_CHACHA, GNUTLS_CIPHER_CHACHA20_POLY1305 },
		{ TLS_OFFER_CHACHA, TLS_PRIORITY_CHACHA, GNUTLS_CIPHER_CHACHA20_POLY1305 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
		struct pair p = { 0 };

		make(&p.key, &p.cert);
		pair_init_both(&p, pairs[i].client, pairs[i].server, NULL);
		greet(&p);
		finish(&p);
		CHECK_EQ(gnutls_cipher_get(p.session[SERVER]), pairs[i].cipher);
		pair_done(&p);
	}
}

static bool keeps(struct pair *p, unsigned extension)
{
	gnutls_ext_priv_data_t data = NULL;

	return gnutls_ext_get_data(p->session[SERVER], extension, &data) == 0 && data;
}

/* And the other hears it. */
static void says(struct pair *p, int who)
{
	ssize_t n = GNUTLS_E_AGAIN;
	char got[8];

	CHECK_EQ(gnutls_record_send(p->session[who], "ping", 4), 4);
	for (int turn = 0; turn < 20 && n == GNUTLS_E_AGAIN; turn++) {
		(void)!poll(&(struct pollfd){ .fd = p->fd[!who], .events = POLLIN }, 1, WAIT_MS);
		n = gnutls_record_recv(p->session[!who], got, sizeof(got));
	}
	CHECK_EQ(n, 4);
}

TEST(a_session_goes_on_without_what_only_its_handshake_needed)
{
	gnutls_datum_t http = { .data = (unsigned char *)(uintptr_t) "http/1.1", .size = 8 };
	struct pair p = { 0 };

	make(&p.key, &p.cert);
	pair_init_with(&p, TLS_OFFER, NULL);
	CHECK_EQ(gnutls_alpn_set_protocols(p.session[SERVER], &http, 1, 0), 0);
	greet(&p);
	finish(&p);
	CHECK(keeps(&p, 13) && keeps(&p, 16)); /* RFC 8446, 4.2 */
	tls_wire_settle(p.session[SERVER]);
	CHECK(!keeps(&p, 13) && !keeps(&p, 16));
	tls_wire_settle(p.session[SERVER]); /* a connection's next request */
	says(&p, CLIENT);
	says(&p, SERVER);
	CHECK_EQ(gnutls_session_key_update(p.session[CLIENT], GNUTLS_KU_PEER), 0);
	says(&p, CLIENT);
	says(&p, SERVER);
	pair_done(&p);
}

TEST(what_answers_a_hello_is_one_packet)
{
	struct pair p;

	pair_init(&p, "NORMAL:-VERS-ALL:+VERS-TLS1.3");
	greet(&p);
	CHECK_EQ(packets_of(&p), 1);
	finish(&p);
	pair_done(&p);
}

TEST(a_head_leaves_with_its_body_and_what_nothing_follows_at_once)
{
	struct pair p;
	unsigned before;
	char in[8];

	pair_init(&p, "NORMAL:-VERS-ALL:+VERS-TLS1.3");
	greet(&p);
	finish(&p);
	before = packets_of(&p);
	p.wire.has_more = true;
	CHECK_EQ(gnutls_record_send(p.session[SERVER], "head", 4), 4);
	CHECK_EQ(gnutls_record_recv(p.session[CLIENT], in, sizeof(in)), GNUTLS_E_AGAIN);
	CHECK_EQ(packets_of(&p), before);
	CHECK_EQ(gnutls_record_send(p.session[SERVER], "body", 4), 4);
	CHECK_EQ(packets_of(&p), before + 1);
	CHECK_EQ(gnutls_record_recv(p.session[CLIENT], in, sizeof(in)), 4);
	CHECK_EQ(gnutls_record_recv(p.session[CLIENT], in, sizeof(in)), 4);
	CHECK_EQ(gnutls_record_send(p.session[SERVER], "alone", 5), 5);
	CHECK_EQ(packets_of(&p), before + 2);
	pair_done(&p);
}

TEST(a_client_that_must_offer_another_key_share_hears_so_at_once)
{
	uint8_t first[64];
	struct pair p;

	pair_init(&p, "NORMAL:-VERS-ALL:+VERS-TLS1.3:-GROUP-ALL:+GROUP-SECP384R1:+GROUP-X25519");
	greet(&p);
	CHECK_EQ(recv(p.fd[CLIENT], first, sizeof(first), MSG_PEEK), sizeof(first));
	finish(&p);
	pair_done(&p);
}

/* The other side takes nothing for a while: what was held is not sent twice, nor what comes behind it before it. */
TEST(what_is_held_stays_in_order_when_the_line_is_full)
{
	static uint8_t body[16 << 10], in[16 << 10];
	int small = 4096;
	struct pair p;
	ssize_t n = 0;
	size_t sent = 0, got = 0, filled = 0;
	char head[4];

	pair_init(&p, "NORMAL:-VERS-ALL:+VERS-TLS1.3");
	greet(&p);
	finish(&p);
	CHECK_EQ(setsockopt(p.fd[SERVER], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)), 0);
	memset(body, 'f', sizeof(body));
	while ((n = gnutls_record_send(p.session[SERVER], body, sizeof(body))) > 0)
		filled += (size_t)n;
	CHECK_EQ(n, GNUTLS_E_AGAIN);
	while (filled + sizeof(body) > got) { /* the record that was begun goes out, too */
		n = gnutls_record_recv(p.session[CLIENT], in, sizeof(in));
		got += n > 0 ? (size_t)n : 0;
		if (n == GNUTLS_E_AGAIN && gnutls_record_send(p.session[SERVER], NULL, 0) < 0)
			(void)!poll(&(struct pollfd){ .fd = p.fd[CLIENT], .events = POLLIN }, 1, WAIT_MS);
	}
	p.wire.has_more = true;
	CHECK_EQ(gnutls_record_send(p.session[SERVER], "head", 4), 4);
	memset(body, 'b', sizeof(body));
	for (got = 0; got < sizeof(head) + 40 * sizeof(body);) {
		n = sent < 40 ? gnutls_record_send(p.session[SERVER], body, sizeof(body)) : 0;
		sent += n > 0;
		n = gnutls_record_recv(p.session[CLIENT], in, sizeof(in));
		for (ssize_t i = 0; i < n; i++, got++)
			CHECK_EQ(in[i], got < sizeof(head) ? "head"[got] : 'b');
	}
	CHECK_EQ(got, sizeof(head) + 40 * sizeof(body));
	pair_done(&p);
}

/* ---- trickling heads ---- */

enum { FDS = 1024 };

static bool is_readable(int fd)
{
	return poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, WAIT_MS) == 1;
}

static void drip(struct pair *p)
{
	CHECK_EQ(gnutls_record_send(p->session[CLIENT], "x", 1), 1);
}

static void take_drip(struct pair *p)
{
	char in[8];

	CHECK(is_readable(p->fd[SERVER]));
	CHECK_EQ(gnutls_record_recv(p->session[SERVER], in, sizeof(in)), 1);
}

/* A pair whose client has sent so much of a head, in so many records, that it dozes. */
static void doze(struct pair *p, struct sweeper *sweeper)
{
	*p = (struct pair){ 0 };
	make(&p->key, &p->cert);
	pair_init_with(p, TLS_OFFER, sweeper);
	greet(p);
	finish(p);
	for (int i = 0; i < 2; i++) { /* clients send it in one */
		drip(p);
		take_drip(p);
	}
	drip(p);
	CHECK(!is_readable(p->fd[SERVER]));
}

TEST(who_sends_a_head_in_many_records_is_looked_at_now_and_then)
{
	struct sweeper *sweeper = sweeper_new(FDS);
	struct pair p;

	CHECK_EQ(sweeper_run(sweeper, 5000), 0);
	doze(&p, sweeper);
	CHECK_EQ(sweeper_run(sweeper, 5000 + DOZE_MS - 1), 0);
	CHECK(!is_readable(p.fd[SERVER]));
	CHECK_EQ(sweeper_run(sweeper, 5000 + DOZE_MS), 0);
	take_drip(&p);
	drip(&p); /* dozes again */
	CHECK(!is_readable(p.fd[SERVER]));
	sweeper_run(sweeper, 5000 + 2 * DOZE_MS);
	take_drip(&p);
	p.wire.is_past_head = true; /* its head is whole, and the sweeper is told how long the body may take */
	sweeper_set(sweeper, p.fd[SERVER], 60000);
	for (int i = 0; i < 9; i++) {
		drip(&p);
		take_drip(&p);
	}
	tls_wire_await_head(&p.wire);
	drip(&p);
	take_drip(&p);
	drip(&p);
	take_drip(&p);
	sweeper_set(sweeper, p.fd[SERVER], 0);
	pair_done(&p);
	sweeper_free(sweeper);
}

TEST(one_that_dozes_is_cut_in_time_and_seen_to_leave)
{
	struct sweeper *sweeper = sweeper_new(FDS);
	struct pair p;
	char in[8];

	sweeper_run(sweeper, 5000);
	doze(&p, sweeper);
	shutdown(p.fd[CLIENT], SHUT_WR);
	CHECK(is_readable(p.fd[SERVER]));
	sweeper_set(sweeper, p.fd[SERVER], 0);
	pair_done(&p);

	doze(&p, sweeper);
	sweeper_set(sweeper, p.fd[SERVER], 5500); /* wakes it, too */
	take_drip(&p);
	drip(&p);
	CHECK(!is_readable(p.fd[SERVER]));
	CHECK_EQ(sweeper_run(sweeper, 5500), 1);
	CHECK(is_readable(p.fd[SERVER]));
	CHECK(gnutls_record_recv(p.session[SERVER], in, sizeof(in)) <= 1);
	CHECK(gnutls_record_recv(p.session[SERVER], in, sizeof(in)) < 0);
	sweeper_set(sweeper, p.fd[SERVER], 0);
	pair_done(&p);
	sweeper_free(sweeper);
}
