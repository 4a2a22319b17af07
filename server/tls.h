/* server/tls.h -- the server's own certificate: self-signed, Ed25519, found again by its public key alone (a pin).
 *
 * A key of another kind serves as well: those of before were P-256. */
#pragma once

#include "base/cpu.h"
#include "crypto/key.h"
#include "server/sweeper.h"

/* Only TLS 1.3; X25519 first. The client knows best which suite its processor is quick with, unless ours is slow with AES. */
#define TLS_PRIORITY_BY_CLIENT \
	"NORMAL:-VERS-ALL:+VERS-TLS1.3:-CIPHER-ALL:+CHACHA20-POLY1305:+AES-128-GCM:+AES-256-GCM:-GROUP-ALL:+GROUP-X25519:+GROUP-SECP256R1"
#define TLS_PRIORITY_CHACHA TLS_PRIORITY_BY_CLIENT ":%SERVER_PRECEDENCE"
#define TLS_PRIORITY (cpu_has_aes() ? TLS_PRIORITY_BY_CLIENT : TLS_PRIORITY_CHACHA)

enum { TLS_FILE_MAX = 64 << 10 };

/* Makes key and certificate for these hosts ("host:port"), as PEM. */
int tls_make(struct buf *key_pem, struct buf *cert_pem, const char *const *addresses, size_t count, struct error *err) _must_check_;

/* The pin of a certificate in PEM: SHA-256 of its SubjectPublicKeyInfo in DER. */
int tls_pin(uint8_t pin[static HASH_LEN], struct bytes cert_pem, struct error *err) _must_check_;

/* What a session reads from and writes to. Lives as long as the session. */
struct tls_wire {
	int fd;
	bool has_more;   /* behind the next record of data comes another at once: they leave together. Whoever knows sets it */
	bool is_proven;  /* a device proved itself by a signature on this connection. Whoever judges it sets it */
	bool is_past_head; /* of a request. Whoever knows sets it */
	uint8_t records; /* of the client's, since a head is awaited */
	struct sweeper *sweeper;
	struct buf held; /* a record that leaves with the next, */
	size_t held_sent; /* and how much of it has left */
};

/* Before the first byte of a session (a gnutls_session_t) on the descriptor: what answers a client's first message leaves in one packet,
 * and so does an answer's head with its body. The library writes its ServerHello by itself, and the rest as soon as it is signed.
 * Who sends the head of a request in many records dozes by the sweeper (NULL: never) until it is whole. Afterwards tls_wire_done(). */
void tls_wire_open(struct tls_wire *wire, void *session, int fd, struct sweeper *sweeper);
/* The handshake is over: what the session remembers of it alone, 0.8 KiB, is given back. */
void tls_wire_settle(void *session);
/* A request has ended: the head of the next is awaited. */
void tls_wire_await_head(struct tls_wire *wire);
void tls_wire_done(struct tls_wire *wire);
