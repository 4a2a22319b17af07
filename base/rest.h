/* base/rest.h -- a process that has done its work for now gives back the memory that it can have again for next to nothing.
 *
 * Two things pile up in a process that does much once and little ever after: free memory inside the heap, and pages of programs and
 * libraries that only the work needed. The first goes back to the kernel; the second are unmapped, and whoever is short of memory may have
 * them. What is still in the page cache comes back by a minor fault; no byte that was ever written is touched. */
#pragma once

void rest(void);
