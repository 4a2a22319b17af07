/* agent/tftp.h -- one image for one device, for as long as it fetches it: a TFTP server in a process of its own.
 *
 * RFC 1350 with the options of RFC 2348 (blksize) and 2349 (tsize, timeout); read requests only, of one name, which is made up for each
 * time. The first who asks for that name is served, by address and port, and nobody else until that transfer failed. It listens on one
 * address; it has no TCP port, so the filter under which it runs need not permit any; started as root it becomes `nobody`, and it keeps no
 * descriptor but its own. What it sends anybody on the way may read and change: the device verifies the vendor's signature, and nothing
 * else would do. */
#pragma once

#include "base/bytes.h"
#include "base/error.h"

#include <sys/types.h>

enum { TFTP_NAME_MAX = 64, TFTP_BLOCK_MAX = 1428 /* fits into an Ethernet frame */ };

struct tftp {
	pid_t pid;
	int said;                  /* a byte comes when the whole image was acknowledged */
	char name[TFTP_NAME_MAX];
	char address[64];          /* address:port, as in a URI */
};

/* image: a descriptor at its begin, borrowed for the call. address: of this machine, "192.0.2.1" or "192.0.2.1:6969"; without a port any.
 * It ends by itself after seconds, or with its parent. */
int tftp_begin(struct tftp *tftp, int image, const char *address, unsigned seconds, struct error *err) _must_check_;
/* Ends it. Was the whole image acknowledged? */
bool tftp_end(struct tftp *tftp);
