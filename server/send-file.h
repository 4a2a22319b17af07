/* server/send-file.h -- a part of a file as an answer: read as it goes out, for as long as it makes progress. */
#pragma once

#include "server/sweeper.h"

struct MHD_Response;

/* len bytes of fd from `from` on; fd becomes the response's, unless it is NULL. conn: the descriptor of the connection, which is cut when
 * 32 KiB take longer than stall_seconds. */
struct MHD_Response *send_file_response(int fd, uint64_t from, uint64_t len, struct sweeper *sweeper, int conn, unsigned stall_seconds);
