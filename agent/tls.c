/* agent/tls.c -- TLS 1.3 to a server whose public key is pinned, by GnuTLS. */
#include "agent/tls.h"

#include "agent/tls-offer.h"
#include "crypto/key.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define LIBRARY "libgnutls.so.30"

#define EACH_CALL(_) \
	_(init) \
	_(deinit) _(priority_init) _(priority_deinit) _(priority_set) _(certificate_allocate_credentials) _(certificate_free_credentials) \
		_(credentials_set) _(transport_set_int2) _(transport_set_ptr2) _(transport_set_push_function) _(server_name_set) \
			_(handshake) _(record_send) _(record_recv) _(record_get_direction) _(record_check_pending) _(bye) \
				_(error_is_fatal) _(strerror) _(certificate_get_peers) _(x509_crt_init) _(x509_crt_import) \
					_(x509_crt_deinit) _(pubkey_init) _(pubkey_import_x509) _(pubkey_export2) _(pubkey_deinit)

struct calls {
#define MEMBER(name) __typeof__(&gnutls_##name) name;
	EACH_CALL(MEMBER)
#undef MEMBER
	gnutls_free_function *free; /* what it gave us is freed by its own word, which is a variable */
};

struct tls {
	void *library;
	struct calls call;
	gnutls_priority_t priority;
	gnutls_certificate_credentials_t trust; /* empty: the pin is what counts */
};

struct tls_session {
	struct tls *tls;
	gnutls_session_t session;
	const uint8_t (*pins)[TLS_PIN_LEN];
	size_t pin_count;
	int fd;
	bool has_begun, is_ready; /* the first message is gone; the handshake is over */
};

#ifdef TLS_LINKED
static int load(struct tls *tls, struct error *err)
{
#define TAKE(name) tls->call.name = gnutls_##name;
	EACH_CALL(TAKE)
#undef TAKE
	tls->call.free = &gnutls_free;
	return gnutls_global_init() < 0 ? error_set(err, E_SYS, "GnuTLS does not start") : 0;
}
#else
static int load(struct tls *tls, struct error *err)
{
	const char *lacks = NULL;

	tls->library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
	if (!tls->library)
		return error_set(err, E_SYS, "cannot load '%s': %s", LIBRARY, dlerror());
#define TAKE(name) \
	*(void **)&tls->call.name = dlsym(tls->library, "gnutls_" #name); \
	if (!tls->call.name) \
		lacks = "gnutls_" #name;
	EACH_CALL(TAKE)
	TAKE(free)
#undef TAKE
	return lacks ? error_set(err, E_SYS, "'%s' has no '%s'", LIBRARY, lacks) : 0;
}
#endif

int tls_new(struct tls **out, struct error *err)
{
	struct tls *tls = mem_alloc(sizeof(*tls));
	int r = load(tls, err);

	if (r == 0 && ((r = tls->call.priority_init(&tls->priority, TLS_OFFER, NULL)) < 0 ||
		       (r = tls->call.certificate_allocate_credentials(&tls->trust)) < 0))
		r = error_set(err, E_SYS, "cannot set TLS up: %s", tls->call.strerror(r));
	if (r < 0) {
		tls_free(tls);
		return r;
	}
	*out = tls;
	return 0;
}

/* The library stays: it has no end that leaves nothing behind. */
struct tls *tls_free(struct tls *tls)
{
	if (!tls)
		return NULL;
	if (tls->trust)
		tls->call.certificate_free_credentials(tls->trust);
	if (tls->priority)
		tls->call.priority_deinit(tls->priority);
	free(tls);
	return NULL;
}

/* SHA-256 of the SubjectPublicKeyInfo of the certificate that the server showed. */
static int pin_of(uint8_t pin[static TLS_PIN_LEN], struct tls_session *s)
{
	struct calls *call = &s->tls->call;
	gnutls_datum_t spki = { 0 };
	gnutls_x509_crt_t cert = NULL;
	gnutls_pubkey_t pub = NULL;
	unsigned count = 0;
	const gnutls_datum_t *shown = call->certificate_get_peers(s->session, &count);
	int r = shown && count ? 0 : -1;

	if (r == 0 && (r = call->x509_crt_init(&cert)) == 0 && (r = call->x509_crt_import(cert, shown, GNUTLS_X509_FMT_DER)) == 0 &&
	    (r = call->pubkey_init(&pub)) == 0 && (r = call->pubkey_import_x509(pub, cert, 0)) == 0)
		r = call->pubkey_export2(pub, GNUTLS_X509_FMT_DER, &spki);
	if (r == 0)
		sha256(pin, bytes_of(spki.data, spki.size));
	(*call->free)(spki.data);
	if (pub)
		call->pubkey_deinit(pub);
	if (cert)
		call->x509_crt_deinit(cert);
	return r;
}

static int check_pin(struct tls_session *s, struct error *err)
{
	uint8_t pin[TLS_PIN_LEN];
	int r = pin_of(pin, s);

	if (r < 0)
		return error_set(err, E_PEER, "no key can be read from the server's certificate: %s", s->tls->call.strerror(r));
	for (size_t i = 0; i < s->pin_count; i++)
		if (memcmp(pin, s->pins[i], TLS_PIN_LEN) == 0)
			return 0;
	return error_set(err, E_DENIED, "the server's key is not a pinned one");
}

/* RFC 6066: an address is no name. */
static bool is_name(const char *host)
{
	uint8_t address[16];

	return *host && inet_pton(AF_INET, host, address) != 1 && inet_pton(AF_INET6, host, address) != 1;
}

/* What ends the handshake waits for the request that follows at once: one packet instead of two. */
static ssize_t push(gnutls_transport_ptr_t ptr, const void *data, size_t len)
{
	struct tls_session *s = ptr;
	ssize_t n = send(s->fd, data, len, MSG_NOSIGNAL | (s->has_begun && !s->is_ready ? MSG_MORE : 0));

	s->has_begun = true;
	return n;
}

struct tls_session *tls_begin(struct tls *tls, int fd, const char *host, const uint8_t (*pins)[TLS_PIN_LEN], size_t pin_count)
{
	struct tls_session *s = mem_alloc(sizeof(*s));

	*s = (struct tls_session){ .tls = tls, .pins = pins, .pin_count = pin_count, .fd = fd };
	if (tls->call.init(&s->session, TLS_OFFER_FLAGS) < 0 || tls->call.priority_set(s->session, tls->priority) < 0 ||
	    tls->call.credentials_set(s->session, GNUTLS_CRD_CERTIFICATE, tls->trust) < 0 ||
	    (is_name(host) && tls->call.server_name_set(s->session, GNUTLS_NAME_DNS, host, strlen(host)) < 0))
		abort(); /* memory, or a promise of the library's */
	tls->call.transport_set_int2(s->session, fd, fd);
	tls->call.transport_set_ptr2(s->session, (gnutls_transport_ptr_t)(intptr_t)fd, s);
	tls->call.transport_set_push_function(s->session, push);
	return s;
}

struct tls_session *tls_end(struct tls_session *s)
{
	if (!s)
		return NULL;
	s->tls->call.deinit(s->session);
	free(s);
	return NULL;
}

static bool is_waiting(int r)
{
	return r == GNUTLS_E_AGAIN || r == GNUTLS_E_INTERRUPTED;
}

int tls_handshake(struct tls_session *s, struct error *err)
{
	struct calls *call = &s->tls->call;
	int r = call->handshake(s->session);

	if (is_waiting(r) || (r < 0 && !call->error_is_fatal(r)))
		return call->record_get_direction(s->session) ? TLS_WRITE : TLS_READ;
	if (r < 0)
		return error_set(err, E_PEER, "no TLS 1.3 with what answers: %s", call->strerror(r));
	s->is_ready = true;
	return check_pin(s, err);
}

ssize_t tls_send(struct tls_session *s, struct bytes in, struct error *err)
{
	ssize_t r = s->tls->call.record_send(s->session, in.ptr, in.len);

	if (is_waiting((int)r))
		return 0;
	return r < 0 ? error_set(err, E_PEER, "cannot send: %s", s->tls->call.strerror((int)r)) : r;
}

int tls_receive(struct tls_session *s, uint8_t *out, size_t size, size_t *len, struct error *err)
{
	ssize_t r = s->tls->call.record_recv(s->session, out, size);

	/* a warning, or a new key of the connection: nothing for us */
	if (is_waiting((int)r) || (r < 0 && !s->tls->call.error_is_fatal((int)r)))
		return TLS_READ;
	if (r < 0)
		return error_set(err, E_PEER, "cannot receive: %s", s->tls->call.strerror((int)r));
	*len = (size_t)r;
	return 0;
}

bool tls_is_pending(struct tls_session *s)
{
	return s->tls->call.record_check_pending(s->session) > 0;
}

void tls_close(struct tls_session *s)
{
	(void)!s->tls->call.bye(s->session, GNUTLS_SHUT_WR);
}
