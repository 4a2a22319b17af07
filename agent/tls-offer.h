/* agent/tls-offer.h -- what an agent offers in its first message, for GnuTLS: in one place, since benches that play agents must offer the
 * same.
 *
 * Each suite, group and signature costs bytes, so only what a server of ours may have is in it. A server goes by the order of the suites:
 * the first is what this processor is quickest with. */
#pragma once

#include "base/cpu.h"

#define TLS_OFFER_OF(suites) \
	"NONE:+VERS-TLS1.3:" suites ":+AEAD:+GROUP-X25519:+GROUP-SECP256R1:" \
	"+SIGN-ECDSA-SECP256R1-SHA256:+SIGN-ECDSA-SECP384R1-SHA384:+SIGN-EDDSA-ED25519:+SIGN-RSA-PSS-RSAE-SHA256:+SIGN-RSA-SHA256:" \
	"+CTYPE-X509:%DISABLE_TLS13_COMPAT_MODE"
#define TLS_OFFER_AES TLS_OFFER_OF("+AES-128-GCM:+AES-256-GCM:+CHACHA20-POLY1305")
#define TLS_OFFER_CHACHA TLS_OFFER_OF("+CHACHA20-POLY1305:+AES-128-GCM:+AES-256-GCM")
#define TLS_OFFER (cpu_has_aes() ? TLS_OFFER_AES : TLS_OFFER_CHACHA)
#define TLS_OFFER_FLAGS \
	(GNUTLS_CLIENT | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL | GNUTLS_NO_EXTENSIONS | GNUTLS_NO_TICKETS | GNUTLS_KEY_SHARE_TOP)
