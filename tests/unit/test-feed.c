/* tests/unit/test-feed.c -- what providers say they have: addresses that lead to https, each once, the newest word of each, and no way out
 * of a folder. */
#include "tests/test.h"

#include "cli/advisory-feed.h"
#include "cli/fetch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TEST(only_https_without_passwords_is_an_address)
{
	static const char *const good[] = { "https://a.example/x.json", "https://a.example:8443/", "HTTPS://a.example/a%20b?x=1" };
	static const char *const bad[] = { "http://a.example/x",
					   "ftp://a.example/x",
					   "file:///etc/passwd",
					   "https://u:p@a.example/",
					   "https://u@a.example/",
					   "https://a.example/#x",
					   "",
					   "https://",
					   "https://a.example/\n",
					   "https://a.example/a b",
					   "//a.example/x",
					   "x.json",
					   "https://a.example/\xc3\xa4" };
	_cleanup_(mem_freep) char *long_one = mem_printf("https://a.example/%02001d", 0);

	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		if (!fetch_is_url(good[i]))
			fail_msg("'%s' is refused", good[i]);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (fetch_is_url(bad[i]))
			fail_msg("'%s' is taken", bad[i]);
	CHECK(!fetch_is_url(long_one));
}

TEST(a_link_is_read_from_where_it_stands)
{
	struct error err = { 0 };
	char *url = NULL;

	CHECK_OK(fetch_resolve(&url, "https://a.example/csaf/feed.json", "2026/x.json", &err));
	CHECK_STR(url, "https://a.example/csaf/2026/x.json");
	free(url);
	CHECK_EQ(fetch_resolve(&url, "https://a.example/csaf/feed.json", "http://a.example/x.json", &err), E_FORMAT);
	CHECK_EQ(fetch_resolve(&url, "https://a.example/csaf/feed.json", "//u:p@b.example/x.json", &err), E_FORMAT);
}

/* ---- ROLIE ---- */

static const char rolie[] =
	"{\"feed\": {\"entry\": ["
	"{\"updated\": \"2026-02-01T00:00:00Z\", \"link\": [{\"rel\": \"self\", \"href\": \"https://a.example/b.json\"},"
	" {\"rel\": \"hash\", \"href\": \"https://a.example/b.json.sha256\"}, {\"rel\": \"hash\", \"href\": "
	"\"https://a.example/b.json.sha512\"},"
	" {\"rel\": \"signature\", \"href\": \"https://a.example/b.json.asc\"}]},"
	"{\"updated\": \"2026-01-01T00:00:00Z\", \"content\": {\"src\": \"a.json\"}},"
	"{\"updated\": \"2025-01-01T00:00:00Z\", \"link\": [{\"rel\": \"self\", \"href\": \"https://a.example/b.json\"}]},"
	"{\"updated\": \"2027-01-01T00:00:00Z\", \"link\": [{\"rel\": \"self\", \"href\": \"http://a.example/c.json\"}]},"
	"{\"link\": [{\"rel\": \"self\", \"href\": \"file:///etc/passwd\"}]}, 7, {}"
	"]}}";

TEST(a_feed_names_each_document_once_the_oldest_first)
{
	_cleanup_(feed_done) struct feed f = { 0 };
	struct error err = { 0 };

	CHECK_OK(feed_read_rolie(&f, "https://a.example/feed.json", bytes_str(rolie), &err));
	CHECK_EQ(f.count, 2);
	CHECK_EQ(f.skipped, 4);
	CHECK_STR(f.entries[0].url, "https://a.example/a.json");
	CHECK_STR(f.entries[1].url, "https://a.example/b.json");
	CHECK_STR(f.entries[1].updated, "2026-02-01T00:00:00Z");
	CHECK_STR(f.entries[1].hashes[0], "https://a.example/b.json.sha256");
	CHECK_STR(f.entries[1].hashes[1], "https://a.example/b.json.sha512");
	CHECK_STR(f.entries[1].signature, "https://a.example/b.json.asc");
}

TEST(what_is_no_feed_is_refused)
{
	static const char *const bad[] = { "", "{", "[]", "{}", "{\"document\": {}}", "{\"feed\": {}, \"feed\": {}}" };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct feed f;
		struct error err = { 0 };

		CHECK_EQ(feed_read_rolie(&f, "https://a.example/feed.json", bytes_str(bad[i]), &err), E_FORMAT);
		CHECK_EQ(f.count, 0);
	}
	CHECK_EQ(feed_kind_of(bytes_str(rolie)), FEED_ROLIE);
	CHECK_EQ(feed_kind_of(bytes_str("{\"metadata_version\": \"2.0\"}")), FEED_PROVIDER);
	CHECK_EQ(feed_kind_of(bytes_str("{\"aggregator\": {}}")), FEED_AGGREGATOR);
	CHECK_EQ(feed_kind_of(bytes_str("{\"document\": {}}")), FEED_DOCUMENT);
	CHECK_EQ(feed_kind_of(bytes_str("<html>")), FEED_DOCUMENT);
}

TEST(a_feed_of_too_many_documents_is_refused)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	struct feed f;
	struct error err = { 0 };

	for (unsigned i = 0; i <= FEED_ENTRIES_MAX; i++)
		buf_addf(&text, "%u.json\n", i);
	CHECK_EQ(feed_read_index(&f, "https://a.example/", buf_bytes(&text), &err), E_LIMIT);
}

/* ---- folders ---- */

TEST(a_folder_names_what_lies_below_it_and_nothing_else)
{
	static const char text[] =
		"\"2026/b.json\",\"2026-03-01T00:00:00Z\"\r\n\"2026/a-1_x.json\",\"2026-01-01T00:00:00Z\"\n"
		"\"2026/b.json\",\"2026-02-01T00:00:00Z\"\n\"../up.json\",\"2026-01-01T00:00:00Z\"\n"
		"\"2026/../../up.json\",\"2026-01-01T00:00:00Z\"\n\"/root.json\",\"2026-01-01T00:00:00Z\"\n"
		"\"https://b.example/x.json\",\"2026-01-01T00:00:00Z\"\n\"2026/%2e%2e/x.json\",\"2026-01-01T00:00:00Z\"\n"
		"\"a//b.json\",\"2026-01-01T00:00:00Z\"\n\"a?b.json\",\"2026-01-01T00:00:00Z\"\n\".x.json\",\"2026-01-01T00:00:00Z\"\n"
		"\"a.html\",\"2026-01-01T00:00:00Z\"\nno-time.json\n\n2025/plain.json,2025-01-01T00:00:00Z";
	_cleanup_(feed_done) struct feed f = { 0 };
	struct error err = { 0 };

	CHECK_OK(feed_read_changes(&f, "https://a.example/csaf/", bytes_str(text), &err));
	CHECK_EQ(f.count, 3);
	CHECK_EQ(f.skipped, 10);
	CHECK_STR(f.entries[0].url, "https://a.example/csaf/2025/plain.json");
	CHECK_STR(f.entries[1].url, "https://a.example/csaf/2026/a-1_x.json");
	CHECK_STR(f.entries[2].url, "https://a.example/csaf/2026/b.json");
	CHECK_STR(f.entries[2].updated, "2026-03-01T00:00:00Z");
	CHECK_STR(f.entries[2].hashes[0], "https://a.example/csaf/2026/b.json.sha256");
}

/* ---- providers ---- */

TEST(a_provider_names_feeds_or_folders_each_once)
{
	static const char text[] = "{\"metadata_version\": \"2.0\", \"distributions\": ["
				   "{\"rolie\": {\"feeds\": [{\"url\": \"https://a.example/w.json\"}, {\"url\": "
				   "\"https://a.example/w.json\"}, {\"url\": \"http://a.example/g.json\"}]},"
				   " \"directory_url\": \"https://a.example/csaf/\"}, {\"directory_url\": \"https://b.example/csaf\"}, "
				   "{\"directory_url\": \"https://b.example/?x\"}, 3]}";
	struct error err = { 0 };
	struct provider p;

	CHECK_OK(provider_read(&p, "https://a.example/p.json", bytes_str(text), &err));
	CHECK_EQ(p.count, 2);
	CHECK_EQ(p.skipped, 2);
	CHECK_STR(p.source[0].url, "https://a.example/w.json");
	CHECK_STR(p.source[1].url, "https://b.example/csaf/");
	CHECK(!p.source[0].is_folder && p.source[1].is_folder);
	provider_done(&p);
	CHECK_EQ(provider_read(&p, "https://a.example/p.json", bytes_str("{\"distributions\": []}"), &err), E_FORMAT);
}
