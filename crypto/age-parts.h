/* crypto/age-parts.h -- what age.c is made of and nobody else needs: armour (RFC 7468, strict) and Bech32 (BIP 173). */
#pragma once

#include "base/bytes.h"
#include "base/error.h"

/* White space may stand before the first line of armour, as age allows. */
bool age_is_armoured(struct bytes in);
/* E_FORMAT for anything but one strict block: 64 columns, canonical base64, nothing but white space around it. */
int age_unarmour(struct buf *out, struct bytes in, struct error *err) _must_check_;

/* 32 bytes under a human-readable prefix. An upper-case prefix makes upper-case text. out: at least 128 bytes. */
void bech32_encode(char *out, const char *prefix, const uint8_t in[static 32]);
bool bech32_decode(uint8_t out[static 32], const char *prefix, struct bytes text);
