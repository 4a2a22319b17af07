/* server/tls.c -- the server's own certificate: self-signed, Ed25519, found again by its public key alone (a pin). */
#include "server/tls.h"

#include "server/settings.h"

#include <arpa/inet.h>
#include <errno.h>
#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>

enum { CERT_YEARS = 20, SERIAL_LEN = 8 };

struct making {
	gnutls_x509_privkey_t key;
	gnutls_x509_crt_t cert;
	gnutls_datum_t key_pem, cert_pem;
};

static void making_done(struct making *m)
{
	if (m->key_pem.data)
		explicit_bzero(m->key_pem.data, m->key_pem.size);
	gnutls_free(m->key_pem.data);
	gnutls_free(m->cert_pem.data);
	if (m->cert)
		gnutls_x509_crt_deinit(m->cert);
	if (m->key)
		gnutls_x509_privkey_deinit(m->key);
}

static int set_name(gnutls_x509_crt_t cert, const char *address)
{
	char host[SETTINGS_ADDRESS_MAX];
	struct error ignored;
	unsigned char ip[16];
	unsigned port;

	if (settings_split(host, &port, address, &ignored) < 0)
		return GNUTLS_E_INVALID_REQUEST;
	if (inet_pton(AF_INET, host, ip) == 1)
		return gnutls_x509_crt_set_subject_alt_name(cert, GNUTLS_SAN_IPADDRESS, ip, 4, GNUTLS_FSAN_APPEND);
	if (inet_pton(AF_INET6, host, ip) == 1)
		return gnutls_x509_crt_set_subject_alt_name(cert, GNUTLS_SAN_IPADDRESS, ip, 16, GNUTLS_FSAN_APPEND);
	return gnutls_x509_crt_set_subject_alt_name(cert, GNUTLS_SAN_DNSNAME, host, (unsigned)strlen(host), GNUTLS_FSAN_APPEND);
}

/* The few fields that clients without the pin look at; each byte is sent in each handshake. Nobody checks the dates of a pinned key.
 * Without basic constraints it is no authority (RFC 5280, 4.2.1.9), and a key whose uses are not named may sign. */
static int fill_cert(struct making *m, const char *const *addresses, size_t count)
{
	uint8_t serial[SERIAL_LEN];
	time_t now = time(NULL);
	int r;

	randombytes_buf(serial, sizeof(serial));
	serial[0] = (uint8_t)((serial[0] & 0x7f) | 0x01); /* positive, and not 0 */
	if ((r = gnutls_x509_crt_set_version(m->cert, 3)) < 0 || (r = gnutls_x509_crt_set_serial(m->cert, serial, sizeof(serial))) < 0 ||
	    (r = gnutls_x509_crt_set_activation_time(m->cert, now - 86400)) < 0 ||
	    (r = gnutls_x509_crt_set_expiration_time(m->cert, now + CERT_YEARS * 365L * 86400)) < 0 ||
	    (r = gnutls_x509_crt_set_dn_by_oid(m->cert, GNUTLS_OID_X520_COMMON_NAME, 0, "holdfastd", 9)) < 0 ||
	    (r = gnutls_x509_crt_set_key(m->cert, m->key)) < 0 ||
	    (r = gnutls_x509_crt_set_key_purpose_oid(m->cert, GNUTLS_KP_TLS_WWW_SERVER, 0)) < 0)
		return r;
	for (size_t i = 0; i < count; i++)
		if ((r = set_name(m->cert, addresses[i])) < 0)
			return r;
	return gnutls_x509_crt_sign2(m->cert, m->cert, m->key, GNUTLS_DIG_SHA512, 0); /* RFC 8032 hashes with no other */
}

/* Ed25519: what answers a hello takes an eighth less than with P-256, and fewer bytes. Browsers have no such certificates, but nobody's
 * browser comes here. */
int tls_make(struct buf *key_pem, struct buf *cert_pem, const char *const *addresses, size_t count, struct error *err)
{
	_cleanup_(making_done) struct making m = { 0 };
	int r;

	if ((r = gnutls_x509_privkey_init(&m.key)) < 0 || (r = gnutls_x509_crt_init(&m.cert)) < 0 ||
	    (r = gnutls_x509_privkey_generate(m.key, GNUTLS_PK_EDDSA_ED25519, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_ED25519), 0)) < 0 ||
	    (r = fill_cert(&m, addresses, count)) < 0 ||
	    /* PKCS #8: GnuTLS writes a form of its own for this key without it, which it does not read */
	    (r = gnutls_x509_privkey_export2_pkcs8(m.key, GNUTLS_X509_FMT_PEM, NULL, GNUTLS_PKCS_PLAIN, &m.key_pem)) < 0 ||
	    (r = gnutls_x509_crt_export2(m.cert, GNUTLS_X509_FMT_PEM, &m.cert_pem)) < 0)
		return error_set(err, E_PEER, "cannot make a certificate: %s", gnutls_strerror(r));
	buf_add(key_pem, m.key_pem.data, m.key_pem.size);
	buf_add(cert_pem, m.cert_pem.data, m.cert_pem.size);
	return 0;
}

int tls_pin(uint8_t pin[static HASH_LEN], struct bytes cert_pem, struct error *err)
{
	gnutls_datum_t in = { .data = (unsigned char *)(uintptr_t)cert_pem.ptr, .size = (unsigned)cert_pem.len }, spki = { 0 };
	gnutls_x509_crt_t cert = NULL;
	gnutls_pubkey_t pub = NULL;
	int r;

	if ((r = gnutls_x509_crt_init(&cert)) == 0 && (r = gnutls_x509_crt_import(cert, &in, GNUTLS_X509_FMT_PEM)) == 0 &&
	    (r = gnutls_pubkey_init(&pub)) == 0 && (r = gnutls_pubkey_import_x509(pub, cert, 0)) == 0 &&
	    (r = gnutls_pubkey_export2(pub, GNUTLS_X509_FMT_DER, &spki)) == 0)
		sha256(pin, bytes_of(spki.data, spki.size));
	gnutls_free(spki.data);
	if (pub)
		gnutls_pubkey_deinit(pub);
	if (cert)
		gnutls_x509_crt_deinit(cert);
	return r < 0 ? error_set(err, E_FORMAT, "not a certificate in PEM: %s", gnutls_strerror(r)) : 0;
}

/* RFC 8446, 4.1.3: the random of a ServerHello that is none but asks the client for another key share, and waits for it. */
static const uint8_t retry_random[32] = { 0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
					  0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c };

/* PARTS_MAX: GnuTLS writes a few at a time; what is beyond it takes with the next call */
enum { PARTS_MAX = 15, HANDSHAKE = 22, DATA = 23, SERVER_HELLO = 2, TYPE_AT = 5, RANDOM_AT = 11 };

enum { SIGNATURE_ALGORITHMS = 13, ALPN = 16 }; /* RFC 8446, 4.2 */

/* HEAD_RECORDS: a client's last message of the handshake is one, too */
enum { RECORD_HEAD = 5, HEAD_RECORDS = 2 };

static bool is_data(const giovec_t *part)
{
	return part->iov_len > 0 && *(const uint8_t *)part->iov_base == DATA;
}

/* A record in clear with a ServerHello, behind which more of the same flight comes at once. After a retry all of it comes together. */
static bool is_hello(const giovec_t *parts, int count)
{
	const uint8_t *record = parts[0].iov_base;

	return parts[0].iov_len >= RANDOM_AT + sizeof(retry_random) && record[0] == HANDSHAKE && record[TYPE_AT] == SERVER_HELLO &&
	       memcmp(record + RANDOM_AT, retry_random, sizeof(retry_random)) != 0 && !is_data(&parts[count - 1]);
}

/* What is sealed calls itself data, also the last of the handshake: has_more is set after that. */
static bool has_more(struct tls_wire *wire, const giovec_t *parts, int count)
{
	if (!wire->has_more || !is_data(&parts[0]))
		return is_hello(parts, count);
	wire->has_more = false;
	return true;
}

/* The kernel could hold it as well (MSG_MORE), but libmicrohttpd sets TCP_NODELAY behind each of its sends, and that pushes it out. */
static ssize_t hold(struct tls_wire *wire, const giovec_t *parts, int count)
{
	size_t before = wire->held.len;

	for (int i = 0; i < count; i++)
		buf_add(&wire->held, parts[i].iov_base, parts[i].iov_len);
	return (ssize_t)(wire->held.len - before);
}

/* What was held goes in front. As long as not all of it is out, nothing of the rest is. */
static ssize_t push_behind(struct tls_wire *wire, const giovec_t *parts, int count)
{
	size_t held = wire->held.len - wire->held_sent;
	struct iovec all[1 + PARTS_MAX] = { { .iov_base = wire->held.ptr + wire->held_sent, .iov_len = held } };
	struct msghdr msg = { .msg_iov = all };
	ssize_t n;

	for (int i = 0; i < count && i < PARTS_MAX; i++)
		all[1 + i] = (struct iovec){ .iov_base = parts[i].iov_base, .iov_len = parts[i].iov_len };
	msg.msg_iovlen = 1 + (size_t)(count < PARTS_MAX ? count : PARTS_MAX);
	n = sendmsg(wire->fd, &msg, MSG_NOSIGNAL);
	if (n < 0)
		return n;
	if ((size_t)n <= held) {
		wire->held_sent += (size_t)n;
		errno = EAGAIN;
		return -1;
	}
	tls_wire_done(wire);
	return n - (ssize_t)held;
}

static ssize_t push(gnutls_transport_ptr_t ptr, const giovec_t *parts, int count)
{
	struct msghdr msg = { .msg_iov = (struct iovec *)(uintptr_t)parts, .msg_iovlen = (size_t)count };
	struct tls_wire *wire = ptr;

	if (count > 0 && has_more(wire, parts, count))
		return hold(wire, parts, count);
	return wire->held.len ? push_behind(wire, parts, count) : sendmsg(wire->fd, &msg, MSG_NOSIGNAL);
}

/* The library reads the head of each record by itself. Clients send a request's head in one; who types it by hand is heard, with pauses. */
static ssize_t pull(gnutls_transport_ptr_t ptr, void *data, size_t len)
{
	struct tls_wire *wire = ptr;
	ssize_t n = recv(wire->fd, data, len, 0);

	if (len != RECORD_HEAD || n != RECORD_HEAD || *(const uint8_t *)data != DATA || wire->is_past_head)
		return n;
	if (wire->records < HEAD_RECORDS)
		wire->records++;
	else if (wire->sweeper)
		sweeper_doze(wire->sweeper, wire->fd);
	return n;
}

void tls_wire_open(struct tls_wire *wire, void *session, int fd, struct sweeper *sweeper)
{
	*wire = (struct tls_wire){ .fd = fd, .sweeper = sweeper };
	gnutls_transport_set_ptr(session, wire);
	gnutls_transport_set_vec_push_function(session, push);
	gnutls_transport_set_pull_function(session, pull);
}

/* GnuTLS keeps which signatures and which protocols (ALPN) the client offered until the session ends. Data that is set takes the place of
 * what was there, which is freed: gnutls_ext_set_data(3). TLS 1.3 has no second handshake that would look at it. */
void tls_wire_settle(void *session)
{
	static const unsigned of_handshake[] = { SIGNATURE_ALGORITHMS, ALPN };

	for (size_t i = 0; i < ARRAY_SIZE(of_handshake); i++)
		gnutls_ext_set_data(session, of_handshake[i], NULL);
}

void tls_wire_await_head(struct tls_wire *wire)
{
	wire->is_past_head = false;
	wire->records = 0;
}

void tls_wire_done(struct tls_wire *wire)
{
	buf_done(&wire->held);
	wire->held_sent = 0;
}
