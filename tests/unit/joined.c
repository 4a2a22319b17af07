/* tests/unit/joined.c -- a fleet, and a device that has joined it in a folder of its own. */
#include "tests/unit/joined.h"

#include "tests/test.h"

#include "base/clock.h"

#include <stdlib.h>

void join_in(struct world *w, const char *dir)
{
	static const uint8_t pin[32] = { 1, 2, 3 };
	_cleanup_(buf_done) struct buf box = { 0 };
	struct chain chain = { .number = 1, .time_s = clock_now_s() };
	struct state_joining j = { .dir = dir, .key = &w->device.key, .fleet = w->fleet.id, .address = "localhost:8443", .pin = pin,
				   .chain = &chain };
	struct error err = { 0 };

	memcpy(chain.hash, w->device.head, HASH_LEN);
	buf_add_bytes(&chain.newest, buf_bytes(&w->enrol));
	age_identity_text(&box, &w->device.box);
	j.box = buf_bytes(&box);
	j.roots = buf_bytes(&w->fleet.root);
	must(state_create(&j, &err), &err);
	chain_done(&chain);
}

void world_init(struct world *w)
{
	static const uint8_t secret[32] = { 9 };
	struct error err = { 0 };
	const char *folder = test_folder();

	*w = (struct world){ .dir = mem_printf("%s/state", folder), .log = mem_printf("%s/sent", folder) };
	must(crypto_start(&err), &err);
	fleet_init(&w->fleet);
	fleet_device_init(&w->device, "r1");
	fleet_enrol(&w->enrol, &w->fleet, &w->device, secret);
	fleet_admit(&w->admit, &w->fleet, &w->device);
	join_in(w, w->dir);
}

void world_done(struct world *w)
{
	fleet_device_done(&w->device);
	fleet_done(&w->fleet);
	buf_done(&w->enrol);
	buf_done(&w->admit);
	free(w->dir);
	free(w->log);
}
