/* cli/fetch.c -- public documents over HTTPS. */
#include "cli/fetch.h"

#include "base/clock.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { OTHER_MAX = 65536, CONNECT_S = 15, REQUEST_S = 300, STALL_S = 30, STALL_BYTES = 64 };

int fetch_init(struct fetch *f, const char *ca, struct error *err)
{
	*f = (struct fetch){ .ca = ca, .end_s = clock_now_s() + FETCH_TOTAL_S };
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return error_set(err, E_SYS, "cannot start libcurl");
	f->easy = curl_easy_init();
	return f->easy ? 0 : error_set(err, E_SYS, "cannot start libcurl");
}

void fetch_done(struct fetch *f)
{
	if (f->easy)
		curl_easy_cleanup(f->easy);
	if (f->end_s)
		curl_global_cleanup();
	*f = (struct fetch){ 0 };
}

/* ---- addresses ---- */

static bool is_plain(const char *url)
{
	size_t len = strlen(url);

	for (size_t i = 0; i < len && i <= FETCH_URL_MAX; i++)
		if ((unsigned char)url[i] <= 0x20 || (unsigned char)url[i] >= 0x7f || url[i] == '\\' || url[i] == '"')
			return false;
	return len && len <= FETCH_URL_MAX;
}

static bool has_part(CURLU *u, CURLUPart part)
{
	char *text = NULL;
	bool is_there = curl_url_get(u, part, &text, 0) == CURLUE_OK;

	curl_free(text);
	return is_there;
}

static bool is_https(CURLU *u)
{
	char *scheme = NULL;
	bool is = curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK && !strcasecmp(scheme, "https");

	curl_free(scheme);
	return is && !has_part(u, CURLUPART_USER) && !has_part(u, CURLUPART_PASSWORD) && !has_part(u, CURLUPART_FRAGMENT);
}

/* NULL when it is none. */
static char *normal(const char *base, const char *link)
{
	CURLU *u = curl_url();
	char *text = NULL, *copy = NULL;

	if (u && is_plain(link) && (!base || curl_url_set(u, CURLUPART_URL, base, 0) == CURLUE_OK) &&
	    curl_url_set(u, CURLUPART_URL, link, 0) == CURLUE_OK && is_https(u) && curl_url_get(u, CURLUPART_URL, &text, 0) == CURLUE_OK &&
	    is_plain(text))
		copy = mem_strdup(text);
	curl_free(text);
	curl_url_cleanup(u);
	return copy;
}

bool fetch_is_url(const char *url)
{
	_cleanup_(mem_freep) char *text = normal(NULL, url);

	return text != NULL;
}

int fetch_resolve(char **out, const char *base, const char *link, struct error *err)
{
	char *text = normal(base, link);

	if (!text)
		return error_set(err, E_FORMAT, "'%.200s' is no https address", link);
	*out = text;
	return 0;
}

/* ---- asking ---- */

struct answer {
	struct fetch *f;
	struct buf *out;
	size_t begin, max;
	size_t others; /* bytes of what is not 200: nobody reads them */
	bool is_too_large;
};

static size_t take_body(char *ptr, size_t size, size_t count, void *ctx)
{
	struct answer *a = ctx;
	size_t n = size * count;
	long status = 0;

	curl_easy_getinfo(a->f->easy, CURLINFO_RESPONSE_CODE, &status);
	a->f->bytes += n;
	if (a->f->bytes > (uint64_t)FETCH_TOTAL_MAX)
		return 0;
	if (status != 200) {
		a->others += n;
		return a->others > OTHER_MAX ? 0 : n;
	}
	if (n > a->max - (a->out->len - a->begin)) {
		a->is_too_large = true;
		return 0; /* ends the transfer */
	}
	buf_add(a->out, ptr, n);
	return n;
}

static void set_up(struct fetch *f, struct answer *a, const char *url)
{
	curl_easy_reset(f->easy); /* keeps the connection */
	f->error[0] = 0;
	curl_easy_setopt(f->easy, CURLOPT_URL, url);
	curl_easy_setopt(f->easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	if (f->ca) {
		curl_easy_setopt(f->easy, CURLOPT_CAINFO, f->ca);
		curl_easy_setopt(f->easy, CURLOPT_CAPATH, NULL);
	}
	curl_easy_setopt(f->easy, CURLOPT_PROTOCOLS_STR, "https");
	curl_easy_setopt(f->easy, CURLOPT_REDIR_PROTOCOLS_STR, "https");
	curl_easy_setopt(f->easy, CURLOPT_FOLLOWLOCATION, 1L);
	curl_easy_setopt(f->easy, CURLOPT_MAXREDIRS, (long)FETCH_REDIRECTS_MAX);
	curl_easy_setopt(f->easy, CURLOPT_PROXY, "");
	curl_easy_setopt(f->easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	curl_easy_setopt(f->easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(f->easy, CURLOPT_ERRORBUFFER, f->error);
	curl_easy_setopt(f->easy, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_S);
	curl_easy_setopt(f->easy, CURLOPT_TIMEOUT, (long)REQUEST_S);
	curl_easy_setopt(f->easy, CURLOPT_LOW_SPEED_TIME, (long)STALL_S);
	curl_easy_setopt(f->easy, CURLOPT_LOW_SPEED_LIMIT, (long)STALL_BYTES);
	curl_easy_setopt(f->easy, CURLOPT_USERAGENT, "holdfast");
	curl_easy_setopt(f->easy, CURLOPT_WRITEFUNCTION, take_body);
	curl_easy_setopt(f->easy, CURLOPT_WRITEDATA, a);
}

static int explain(struct fetch *f, const struct answer *a, CURLcode code, struct error *err)
{
	if (a->is_too_large)
		return error_set(err, E_LIMIT, "it has more than %zu bytes", a->max);
	if (f->bytes > (uint64_t)FETCH_TOTAL_MAX) {
		f->is_spent = true;
		return error_set(err, E_LIMIT, "more than %d MiB came in all", FETCH_TOTAL_MAX >> 20);
	}
	if (code == CURLE_UNSUPPORTED_PROTOCOL)
		return error_set(err, E_PEER, "it leads to something that is not https");
	if (code == CURLE_TOO_MANY_REDIRECTS)
		return error_set(err, E_PEER, "it leads from one address to the next, more than %d times", FETCH_REDIRECTS_MAX);
	return error_set(err, CLI_UNREACHED, "%s", f->error[0] ? f->error : curl_easy_strerror(code));
}

static int check_bounds(struct fetch *f, struct error *err)
{
	f->is_spent = f->is_spent || f->requests == FETCH_REQUESTS_MAX || clock_now_s() >= f->end_s;
	if (f->is_spent)
		return error_set(err, E_LIMIT, "this takes more than %d requests or %d hours", FETCH_REQUESTS_MAX, FETCH_TOTAL_S / 3600);
	f->requests++;
	return 0;
}

int fetch_get(struct buf *out, struct fetch *f, const char *url, size_t max, struct error *err)
{
	struct answer a = { .f = f, .out = out, .begin = out->len, .max = max };
	long status = 0;
	CURLcode code;

	if (check_bounds(f, err) < 0)
		return err->code;
	if (!fetch_is_url(url))
		return error_set(err, E_FORMAT, "'%.200s' is no https address", url);
	set_up(f, &a, url);
	code = curl_easy_perform(f->easy);
	curl_easy_getinfo(f->easy, CURLINFO_RESPONSE_CODE, &status);
	if (code == CURLE_OK && status == 200)
		return 0;
	buf_truncate(out, a.begin);
	if (code != CURLE_OK && a.others <= OTHER_MAX)
		return explain(f, &a, code, err);
	if (status == 404 || status == 410)
		return FETCH_ABSENT;
	return error_set(err, status == 401 || status == 403 ? E_DENIED : E_PEER, "the server answers %ld", status);
}
