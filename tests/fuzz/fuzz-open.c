/* tests/fuzz/fuzz-open.c -- a server that lies: the answers from which the operator's command opens a snapshot, changed anywhere.
 *
 * The input is a row of changes of eight bytes: which answer, what is done to it, where, how much. Whatever is changed, the command
 * opens nothing, or exactly what the device sealed. */
#include "tests/fleet.h"
#include "tests/fuzz/fuzz.h"

#include "cli/cli.h"
#include "cli/open.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum answer { ENROL, ADMIT, EPOCH, BASE, DELTA, OTHER_ENROL, OTHER_ADMIT, OTHER_EPOCH, OTHER_BASE, ANSWERS };

unsigned fuzz_cost = 16;

static const char first_text[] = "hostname r1\ninterface eth0\n ip address 10.0.0.1/24\n";
static const char second_text[] = "hostname r1\ninterface eth0\n ip address 10.0.0.2/24\n";
static const char other_text[] = "hostname r2\n", secrets[] = "0123456789abcdef aHVudGVyMg==\n";

static struct world {
	struct fleet fleet;
	struct root *root;
	struct fleet_device r1, r2;
	struct buf truth[ANSWERS];
	const struct buf *given; /* what the server answers */
} world;

/* A snapshot with every seal that it lists: its own, and those of an earlier one. */
static void put_full(struct buf *out, struct bytes attached, struct bytes earlier)
{
	struct container c = { 0 }, from = { 0 };
	struct error err = { 0 };
	size_t used;

	MUST_OK(container_parse(&c, attached, CONTAINER_ATTACHED, &used, &err));
	MUST_OK(container_parse(&from, earlier, CONTAINER_ATTACHED, &used, &err));
	buf_add_bytes(out, statement_whole(c.st));
	for (size_t i = 0; i < c.count; i++)
		buf_add_bytes(out, c.seals[i].ptr ? c.seals[i] : container_seal(&from, c.refs[i].name));
	container_done(&c);
	container_done(&from);
}

static void make_device(struct fleet_device *device, const char *name, struct buf *answers, const char *running)
{
	uint8_t secret[32] = { 9 };

	fleet_device_init(device, name);
	fleet_enrol(&answers[ENROL], &world.fleet, device, secret);
	fleet_admit(&answers[ADMIT], &world.fleet, device);
	fleet_epoch(&answers[EPOCH], &world.fleet, device);
	fleet_snapshot(&answers[BASE], &world.fleet, device, running, secrets);
}

static void make_world(void)
{
	_cleanup_(buf_done) struct buf delta = { 0 };
	struct statement *st = NULL;
	struct error err = { 0 };

	fleet_init(&world.fleet);
	MUST_OK(statement_parse(&st, buf_bytes(&world.fleet.root), false, NULL, &err));
	MUST_OK(root_new(&world.root, st, &err));
	make_device(&world.r1, "r1", world.truth, first_text);
	make_device(&world.r2, "r2", world.truth + OTHER_ENROL, other_text);
	fleet_snapshot(&delta, &world.fleet, &world.r1, second_text, secrets);
	put_full(&world.truth[DELTA], buf_bytes(&delta), buf_bytes(&world.truth[BASE]));
}

__attribute__((destructor)) static void drop_world(void)
{
	root_free(world.root);
	if (!world.truth[ENROL].len)
		return;
	fleet_device_done(&world.r1);
	fleet_device_done(&world.r2);
	fleet_done(&world.fleet);
	for (size_t i = 0; i < ANSWERS; i++)
		buf_done(&world.truth[i]);
}

/* ---- the server ---- */

static int get(void *ctx _unused_, struct buf *out, const char *path, size_t max, struct error *err)
{
	static const struct {
		const char *path;
		enum answer answer;
	} routes[] = {
		{ "enrol", ENROL },      { "admit", ADMIT },       { "epochs/1", EPOCH },
		{ "snapshots/3", BASE }, { "snapshots/4", DELTA }, { "snapshots/newest", DELTA },
	};
	_cleanup_(mem_freep) char *prefix = mem_printf("/v1/devices/%s/", world.r1.id);

	for (size_t i = 0; i < ARRAY_SIZE(routes); i++) {
		const struct buf *answer = &world.given[routes[i].answer];

		if (strncmp(path, prefix, strlen(prefix)) != 0 || strcmp(path + strlen(prefix), routes[i].path) != 0)
			continue;
		if (answer->len > max)
			return error_set(err, E_LIMIT, "an answer of %zu bytes", answer->len);
		buf_add_bytes(out, buf_bytes(answer));
		return 0;
	}
	return error_set(err, CLI_ABSENT, "server: not here");
}

static int key(void *ctx _unused_, const struct age_identity **out, struct error *err _unused_)
{
	*out = &world.fleet.reader;
	return 0;
}

/* ---- what comes of it ---- */

static void check_opened(const struct opened *opened, uint64_t number)
{
	const char *expected = number == 3 ? first_text : second_text;
	_cleanup_(statement_freep) struct statement *st = NULL;
	struct error err = { 0 };

	MUST_OK(statement_parse(&st, buf_bytes(&world.truth[number == 3 ? BASE : DELTA]), false, &(size_t){ 0 }, &err));
	MUST(opened_number(opened) == number && !memcmp(statement_hash(opened->st), statement_hash(st), HASH_LEN));
	MUST(!strcmp(opened->device->id, world.r1.id) && !strcmp(opened->device->name, "r1") &&
	     !strcmp(opened->device->admitted_by, "alice"));
	MUST(bytes_is(buf_bytes(&opened->running), expected));
	MUST(opened->has_secrets && bytes_is(buf_bytes(&opened->secrets), secrets));
}

static void open_number(const struct buf *given, uint64_t number, bool must_open)
{
	struct root *roots[1] = { world.root };
	struct open_source source = { .fleet = world.fleet.id, .roots = roots, .root_count = 1, .get = get, .key = key };
	struct open_wanted wanted = { .id = world.r1.id, .number = number, .at_least = number ? 0 : 4 };
	_cleanup_(opener_freep) struct opener *opener = opener_new(&source);
	struct opened opened = { 0 };
	struct error err = { 0 };

	world.given = given;
	if (opener_open(&opened, opener, &wanted, &err) == 0)
		check_opened(&opened, number ? number : 4);
	else if (must_open)
		fuzz_broken(__FILE__, __LINE__, "the truth opens", err.text);
	opened_done(&opened);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf answers[ANSWERS] = { 0 };

	if (!world.root)
		make_world();
	fuzz_lie(answers, world.truth, ANSWERS, bytes_of(data, size));
	open_number(answers, 0, size < FUZZ_CHANGE_LEN);
	open_number(answers, 3, size < FUZZ_CHANGE_LEN);
	for (size_t i = 0; i < ANSWERS; i++)
		buf_done(&answers[i]);
	return 0;
}
