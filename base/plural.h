/* base/plural.h -- words that go with a number, in texts that people read.
 *
 *	output_note("%zu %s in %zu %s", n, plural(n, "order", "orders"), all, plural(all, "wave", "waves"));
 *
 * Both words are written out, so that "entry", "person" and "is" need no rules. */
#pragma once

static inline const char *plural(unsigned long long count, const char *one, const char *more)
{
	return count == 1 ? one : more;
}
