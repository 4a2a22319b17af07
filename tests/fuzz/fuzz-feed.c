/* tests/fuzz/fuzz-feed.c -- what a provider says it has: every document that is named has an https address, once, in order. */
#include "tests/fuzz/fuzz.h"

#include "cli/advisory-feed.h"
#include "cli/fetch.h"

#include <string.h>

static const char base[] = "https://a.example/csaf/";

static void check(struct feed *f, int r, bool is_below)
{
	for (size_t i = 0; r == 0 && i < f->count; i++) {
		const struct feed_entry *e = &f->entries[i];

		MUST(e->url && (!e->updated || strlen(e->updated) <= FEED_UPDATED_MAX));
		MUST(is_below ? !strncmp(e->url, base, strlen(base)) && !strstr(e->url, "/../") : fetch_is_url(e->url));
		MUST(!i || !e->updated || (f->entries[i - 1].updated && strcmp(f->entries[i - 1].updated, e->updated) <= 0));
	}
	feed_done(f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes in = bytes_of(data, size);
	struct provider p;
	struct feed f;
	struct error err = { 0 };
	int r;

	MUST(feed_kind_of(in) <= FEED_AGGREGATOR);
	r = feed_read_rolie(&f, base, in, &err);
	check(&f, r, false);
	r = feed_read_changes(&f, base, in, &err);
	check(&f, r, true);
	r = feed_read_index(&f, base, in, &err);
	check(&f, r, true);
	if (provider_read(&p, base, in, &err) == 0)
		for (size_t i = 0; i < p.count; i++)
			MUST(fetch_is_url(p.source[i].url));
	provider_done(&p);
	return 0;
}
