/* base/cpu.h -- what this processor does by itself. */
#pragma once

#include <stdbool.h>

/* AES and the multiplication of GCM, as GnuTLS uses them (x86 and 64-bit ARM). Where they are, AES-GCM takes a tenth of the time of
 * its ChaCha20-Poly1305; where not, it takes longer, and tables in memory tell of the key by their timing. */
bool cpu_has_aes(void);
