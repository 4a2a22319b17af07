/* server/byte-range.h -- a part of a file, as clients ask for it (RFC 9110 sections 14.2 and 14.4). Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum byte_range { RANGE_WHOLE, RANGE_PART, RANGE_BEYOND };

/* What the header `Range` (NULL: there is none) asks of `size` bytes: "bytes=N-" or "bytes=N-M". What is of another form, several parts
 * among them, asks for the whole, as the RFC allows. RANGE_BEYOND: it begins where there is nothing. out is set but for that. */
enum byte_range byte_range_of(uint64_t *from, uint64_t *len, const char *text, uint64_t size);

/* Reads the header `Content-Range` of a body that goes on to the end: "bytes N-M/SIZE", M is SIZE-1. NULL: it begins at the beginning, and
 * size is what is announced. False for anything else, or when `announced` bytes are not what lies from N to the end. */
bool byte_range_of_body(uint64_t *from, uint64_t *size, const char *text, uint64_t announced);
