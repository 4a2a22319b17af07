/* cli/transfer.c -- one request after the other over HTTPS, by libcurl. */
#include "cli/transfer.h"

#include "cli/output.h"

#include <jansson.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum {
	CONNECT_S = 15,
	TRANSFER_S = 900,
	STALL_S = 60, /* less than STALL_BYTES per second for so long: given up */
	STALL_BYTES = 64,
	PROBLEM_MAX = 16 << 10,
	CONTINUE_MS = 10000, /* how long the server may take to say that it wants a file at all */
	BUSY_TRIES = 4,
	RETRY_DEFAULT_S = 2,
	RETRY_MAX_S = 30,
};

int transfer_init(struct transfer *t, struct error *err)
{
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return error_set(err, E_SYS, "cannot start libcurl");
	t->easy = curl_easy_init();
	return t->easy ? 0 : error_set(err, E_SYS, "cannot start libcurl");
}

void transfer_done(struct transfer *t)
{
	curl_easy_cleanup(t->easy);
	curl_global_cleanup();
	buf_done(&t->pins);
}

void transfer_pin(struct transfer *t, uint8_t (*pins)[32], size_t count)
{
	buf_truncate(&t->pins, 0);
	for (size_t i = 0; i < count; i++) {
		buf_add_str(&t->pins, i ? ";sha256//" : "sha256//");
		base64_encode(&t->pins, bytes_of(pins[i], 32));
	}
}

static size_t take_body(char *ptr, size_t size, size_t count, void *ctx)
{
	struct exchange *x = ctx;
	struct buf *to = x->out;
	size_t n = size * count, begin = x->begin, max = x->max;
	long status = 0;

	curl_easy_getinfo(x->easy, CURLINFO_RESPONSE_CODE, &status);
	if (status != 200) {
		to = &x->problem;
		begin = 0;
		max = PROBLEM_MAX;
	}
	if (n > max - (to->len - begin)) {
		x->is_too_large = true;
		return 0; /* ends the transfer */
	}
	buf_add(to, ptr, n);
	return n;
}

static size_t take_header(char *ptr, size_t size, size_t count, void *ctx)
{
	static const char name[] = "Retry-After:";
	struct exchange *x = ctx;
	struct bytes value = bytes_of(ptr, size * count);
	uint64_t n;

	if (value.len < sizeof(name) || strncasecmp(ptr, name, sizeof(name) - 1) != 0)
		return size * count;
	value = bytes_from(value, sizeof(name) - 1);
	while (value.len && *value.ptr == ' ')
		value = bytes_from(value, 1);
	while (value.len && strchr(" \r\n", value.ptr[value.len - 1]))
		value.len--;
	if (number_parse(&n, value))
		x->retry_s = n > RETRY_MAX_S ? RETRY_MAX_S : (unsigned)n;
	return size * count;
}

/* With a pin, neither name nor issuer of the certificate says anything more, and no clock is trusted. Nor is an authority loaded that would
 * not be asked: that takes longer than the request. */
static void set_trust(const struct transfer *t)
{
	curl_easy_setopt(t->easy, CURLOPT_PINNEDPUBLICKEY, buf_text(&t->pins));
	curl_easy_setopt(t->easy, CURLOPT_SSL_VERIFYPEER, 0L);
	curl_easy_setopt(t->easy, CURLOPT_SSL_VERIFYHOST, 0L);
	curl_easy_setopt(t->easy, CURLOPT_CAINFO, NULL);
	curl_easy_setopt(t->easy, CURLOPT_CAPATH, NULL);
	curl_easy_setopt(t->easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_3);
	curl_easy_setopt(t->easy, CURLOPT_PROTOCOLS_STR, "https");
	curl_easy_setopt(t->easy, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(t->easy, CURLOPT_PROXY, "");
	curl_easy_setopt(t->easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
}

static void set_limits(struct transfer *t)
{
	curl_easy_setopt(t->easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(t->easy, CURLOPT_ERRORBUFFER, t->error);
	curl_easy_setopt(t->easy, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_S);
	curl_easy_setopt(t->easy, CURLOPT_TIMEOUT, (long)TRANSFER_S);
	curl_easy_setopt(t->easy, CURLOPT_LOW_SPEED_TIME, (long)STALL_S);
	curl_easy_setopt(t->easy, CURLOPT_LOW_SPEED_LIMIT, (long)STALL_BYTES);
	curl_easy_setopt(t->easy, CURLOPT_USERAGENT, "holdfast");
}

/* pread, so that a request that is made again begins where it has to. */
static size_t give_file(char *ptr, size_t size, size_t count, void *ctx)
{
	struct exchange *x = ctx;
	uint64_t left = x->file->size - x->at;
	size_t most = size * count;
	ssize_t n = pread(x->file->fd, ptr, left < most ? (size_t)left : most, (off_t)x->at);

	if (n < 0 || (n == 0 && left))
		return CURL_READFUNC_ABORT; /* it became shorter, or cannot be read */
	x->at += (uint64_t)n;
	progress_show(&x->progress, x->at >> 20, x->file->size >> 20);
	return (size_t)n;
}

static struct curl_slist *set_file(struct transfer *t, struct exchange *x)
{
	unsigned long long from = x->file->from, size = x->file->size;
	_cleanup_(mem_freep) char *range = mem_printf("Content-Range: bytes %llu-%llu/%llu", from, size - 1, size);
	struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/octet-stream");

	x->at = from;
	x->progress = (struct progress){ .what = "MiB sent" };
	curl_easy_setopt(t->easy, CURLOPT_UPLOAD, 1L);
	curl_easy_setopt(t->easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)(size - from));
	curl_easy_setopt(t->easy, CURLOPT_READFUNCTION, give_file);
	curl_easy_setopt(t->easy, CURLOPT_READDATA, x);
	curl_easy_setopt(t->easy, CURLOPT_EXPECT_100_TIMEOUT_MS, (long)CONTINUE_MS);
	curl_easy_setopt(t->easy, CURLOPT_TIMEOUT, 0L); /* as long as it moves */
	return from ? curl_slist_append(headers, range) : headers;
}

static struct curl_slist *set_request(struct transfer *t, struct exchange *x)
{
	struct curl_slist *headers = x->file ? set_file(t, x) : curl_slist_append(NULL, "Expect:");

	if (x->is_post) {
		headers = curl_slist_append(headers, "Content-Type: application/vnd.holdfast");
		curl_easy_setopt(t->easy, CURLOPT_POST, 1L);
		curl_easy_setopt(t->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)x->body.len);
		curl_easy_setopt(t->easy, CURLOPT_POSTFIELDS, (const char *)x->body.ptr);
	}
	if (x->header)
		headers = curl_slist_append(headers, x->header);
	curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(t->easy, CURLOPT_WRITEFUNCTION, take_body);
	curl_easy_setopt(t->easy, CURLOPT_WRITEDATA, x);
	curl_easy_setopt(t->easy, CURLOPT_HEADERFUNCTION, take_header);
	curl_easy_setopt(t->easy, CURLOPT_HEADERDATA, x);
	return headers;
}

/* A header may hold a token or a claim code. */
static void drop_headers(struct curl_slist *headers)
{
	for (struct curl_slist *h = headers; h; h = h->next)
		explicit_bzero(h->data, strlen(h->data));
	curl_slist_free_all(headers);
}

static int explain_failure(const struct transfer *t, const struct exchange *x, CURLcode code, struct error *err)
{
	if (x->is_too_large)
		return error_set(err, E_LIMIT, "'%s' answers '%s' with more than %zu bytes", t->address, x->path,
				 x->status == 200 ? x->max : (size_t)PROBLEM_MAX);
	if (code == CURLE_SSL_PINNEDPUBKEYNOTMATCH)
		return error_set(err, CLI_UNREACHED,
				 "'%s' does not have the key that is pinned: somebody else answers there, or its TLS key was replaced "
				 "without a new root",
				 t->address);
	return error_set(err, CLI_UNREACHED, "cannot reach '%s': %s", t->address, t->error[0] ? t->error : curl_easy_strerror(code));
}

/* The server's own words, from problem+json. */
static int explain_status(const struct transfer *t, const struct exchange *x, struct error *err)
{
	json_t *json = json_loadb((const char *)x->problem.ptr, x->problem.len, 0, NULL);
	const char *detail = json_string_value(json_object_get(json, "detail"));
	char general[64];
	int code = x->status == 401 ? CLI_LOGIN :
		   x->status == 403 ? E_DENIED :
		   x->status == 404 ? CLI_ABSENT :
		   x->status == 409 ? CLI_CONFLICT :
		   x->status == 503 ? CLI_UNREACHED :
				      E_PEER;

	snprintf(general, sizeof(general), "answer %ld", x->status);
	error_set(err, code, "server '%s': %.360s", t->address, detail ? detail : general);
	json_decref(json);
	return code;
}

static int perform_once(struct transfer *t, struct exchange *x, struct error *err)
{
	_cleanup_(mem_freep) char *url = mem_printf("https://%s%s", t->address, x->path);
	struct curl_slist *headers;
	CURLcode code;

	curl_easy_reset(t->easy); /* keeps the connection */
	x->easy = t->easy;
	x->begin = x->out->len;
	x->status = x->retry_s = 0;
	buf_truncate(&x->problem, 0);
	t->error[0] = 0;
	set_trust(t);
	set_limits(t);
	curl_easy_setopt(t->easy, CURLOPT_URL, url);
	headers = set_request(t, x);
	code = curl_easy_perform(t->easy);
	progress_end(&x->progress);
	curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &x->status);
	curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, NULL);
	drop_headers(headers);
	if (code == CURLE_OK && x->status == 200)
		return 0;
	buf_truncate(x->out, x->begin);
	return code == CURLE_OK ? explain_status(t, x, err) : explain_failure(t, x, code, err);
}

int transfer_perform(struct transfer *t, struct exchange *x, struct error *err)
{
	int r = perform_once(t, x, err);

	for (unsigned i = 1; i < BUSY_TRIES && r < 0 && x->status == 503; i++) {
		unsigned wait_s = x->retry_s ? x->retry_s : RETRY_DEFAULT_S;

		output_note("%s; trying again in %u s", err->text, wait_s);
		poll(NULL, 0, (int)wait_s * 1000);
		r = perform_once(t, x, err);
	}
	buf_done(&x->problem);
	return r;
}
