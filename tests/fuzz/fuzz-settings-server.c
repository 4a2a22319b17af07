/* tests/fuzz/fuzz-settings-server.c -- holdfastd.yaml, and addresses. */
#include "tests/fuzz/fuzz.h"

#include "server/settings.h"

#include <stdio.h>
#include <string.h>

/* A split address is the same when it is put together. */
static void check_address(const char *address)
{
	char host[SETTINGS_ADDRESS_MAX], again[SETTINGS_ADDRESS_MAX + 16];
	struct error err = { 0 };
	unsigned port = 0;

	if (settings_split(host, &port, address, &err) < 0)
		return;
	MUST(port >= 1 && port <= 65535 && host[0]);
	snprintf(again, sizeof(again), strchr(host, ':') ? "[%s]:%u" : "%s:%u", host, port);
	MUST(!strcmp(again, address) || (address[0] == '[' && !strchr(host, ':')));
}

static void check_settings(struct bytes in)
{
	_cleanup_(settings_freep) struct settings *s = NULL, *again = NULL;
	_cleanup_(buf_done) struct buf text = { 0 };
	struct error err = { 0 };

	if (settings_load(&s, fuzz_file(in), &err) < 0) {
		MUST(!s && err.text[0]);
		return;
	}
	MUST(s->address_count >= 1 && s->address_count <= SETTINGS_ADDRESSES_MAX);
	for (unsigned i = 0; i < s->address_count; i++) {
		_cleanup_(mem_freep) char *url = mem_printf("https://%s", s->address[i]);

		check_address(s->address[i]);
		MUST(settings_is_ours(s, url) && !settings_is_ours(s, url + 1) && !settings_is_ours(s, s->address[i]));
	}
	MUST(s->threads >= 1 && s->connections >= 1 && s->header_seconds >= 1 && s->body_seconds >= 1 && s->log <= LOG_DEBUG);
	settings_text(&text, (const char *const *)s->address, s->address_count, s->listen);
	MUST_OK(settings_load(&again, fuzz_file(buf_bytes(&text)), &err)); /* the file that init writes for these addresses */
	MUST(again->address_count == s->address_count && !strcmp(again->listen, s->listen));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(mem_freep) char *text = mem_strndup((const char *)data, size);

	check_settings(bytes_of(data, size));
	check_address(text);
	return 0;
}
