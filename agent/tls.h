/* agent/tls.h -- TLS 1.3 to a server whose public key is pinned: the one place that knows which library does it (GnuTLS).
 *
 * With a pin, neither name nor issuer nor dates of the certificate say anything more, and no clock is trusted: none is looked at. There are
 * no session tickets: a resumed handshake of TLS 1.3 saves a signature and costs more bytes than it saves.
 *
 * The library is loaded when the process that speaks to the network begins, not linked: the others would pay for it in memory. Descriptors
 * do not block; whoever calls waits for what an answer says. */
#pragma once

#include "base/bytes.h"
#include "base/error.h"

#include <sys/types.h>

enum { TLS_PIN_LEN = 32, TLS_HOST_MAX = 256, TLS_READ = 1, TLS_WRITE = 2 };

struct tls;
struct tls_session;

/* Loads the library. E_SYS when it is not installed. */
int tls_new(struct tls **out, struct error *err) _must_check_;
struct tls *tls_free(struct tls *tls);

/* A session on a connected descriptor, which stays the caller's. host: for the server's name indication; "" or an address: none is sent.
 * pins: SHA-256 of the SubjectPublicKeyInfo, one of which must be the server's; borrowed as long as the session. */
struct tls_session *tls_begin(struct tls *tls, int fd, const char *host, const uint8_t (*pins)[TLS_PIN_LEN], size_t pin_count);
struct tls_session *tls_end(struct tls_session *s);

/* 0 when done, TLS_READ or TLS_WRITE for what it waits; E_DENIED for another key than a pinned one, E_PEER for the rest. Nothing of ours
 * is sent before the key was seen and proved. */
int tls_handshake(struct tls_session *s, struct error *err) _must_check_;
/* How many bytes were taken; 0: it waits until more can be written. */
ssize_t tls_send(struct tls_session *s, struct bytes in, struct error *err) _must_check_;
/* 0 with *len bytes in out (0 of them: the other end said that it is done), TLS_READ when there is nothing; E_PEER, also when the
 * connection broke off without a word. */
int tls_receive(struct tls_session *s, uint8_t *out, size_t size, size_t *len, struct error *err) _must_check_;
/* There is more that was received already: no event of the descriptor tells of it. */
bool tls_is_pending(struct tls_session *s);
/* Tells the other end, as far as that goes without waiting. */
void tls_close(struct tls_session *s);
