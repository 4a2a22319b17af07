/* tests/fuzz/fuzz-upgrade.c -- what moves firmware reads of others: the payload of an order, the journal, what a device answers to an
 * upgrade, and what a program says that runs. The first byte says which.
 *
 * Whatever a device says ends in a journal that can be read again. What is taken for a device is for that device. */
#include "tests/fuzz/fuzz.h"

#include "agent/files-parts.h"
#include "agent/journal.h"
#include "agent/upgrade-parts.h"
#include "agent/weos-parts.h"
#include "policies/policy.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define FLEET "abcdefghijklmnopqrstuvwxyz"
#define HASH "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

enum { MOST = 5000, ROOM = 4000, NUMBER = 7, NOW_MS = 1000 };

static bool is_printable(const char *text, size_t size)
{
	size_t len = strnlen(text, size);

	for (size_t i = 0; i < len; i++)
		if (text[i] < 0x20 || text[i] > 0x7e)
			return false;
	return len < size;
}

/* ---- the payload ---- */

static bool is_for(const struct statement *st, const char *model)
{
	size_t count = statement_count(st, "model"), i = 0;

	while (i < count && strcasecmp(statement_at(st, "model", i), model) != 0)
		i++;
	return !count || i < count;
}

static bool is_older(const char *a, const char *b)
{
	int order;

	return version_compare(&order, a, b) && order < 0;
}

/* By another way than the judge's. */
static void must_fit(const struct statement *st, const struct device_facts *facts)
{
	const char *version = statement_get(st, "version"), *minimum = statement_get(st, "minimum"), *part = statement_get(st, "part");
	uint64_t size = statement_number(st, "size");

	MUST(!strcmp(statement_get(st, "driver"), "weos") && is_for(st, facts->model) && size && size <= ROOM);
	MUST(!strcmp(part, "boot") || !strcmp(part, "system") || !strcmp(part, "bundle"));
	if (strcmp(part, "boot") != 0) {
		MUST(!minimum || !is_older(facts->firmware, minimum));
		MUST(statement_get(st, "downgrade") || !is_older(version, facts->firmware));
	}
}

static void check_payload(struct bytes in)
{
	static const struct device_facts facts = { .model = "Lynx-3510", .firmware = "5.23.0" };
	static const struct upgrade_device device = { .driver = "weos", .facts = &facts, .most = MOST, .room = ROOM };
	_cleanup_(statement_freep) struct statement *signed_one = NULL, *text = NULL;
	struct orders_judgement j = { .verdict = ORDERS_OBEY };
	struct error err = { 0 };

	if (upgrade_parse(&signed_one, in, &err) == 0)
		MUST(statement_type(signed_one) == STATEMENT_FIRMWARE);
	if (statement_parse(&text, in, true, NULL, &err) < 0 || statement_type(text) != STATEMENT_FIRMWARE)
		return;
	upgrade_judge_fit(&j, text, &device);
	MUST(is_printable(j.note, sizeof(j.note)) && (j.verdict == ORDERS_OBEY) == (j.check == CHECK_NONE));
	if (j.verdict == ORDERS_OBEY)
		must_fit(text, &facts);
	else
		MUST(j.note[0]);
}

/* ---- the journal ---- */

/* What was read is written, read, and written the same. */
static void must_come_back(const struct upgrade *u)
{
	_cleanup_(buf_done) struct buf once = { 0 }, twice = { 0 };
	struct upgrade again = { 0 };
	struct error err = { 0 };

	upgrade_write(&once, u);
	MUST(once.len <= UPGRADE_FILE_MAX);
	MUST_OK(upgrade_read(&again, buf_bytes(&once), NOW_MS, &err));
	MUST(again.phase == u->phase || (u->phase == UPGRADE_RECORDING && again.phase == UPGRADE_FETCHING));
	again.starts = u->starts < again.starts ? u->starts : again.starts; /* a start that was cut off counts as one */
	again.began_ms = u->began_ms;
	memcpy(again.boot, u->boot, sizeof(again.boot));
	upgrade_write(&twice, &again);
	MUST(bytes_equal(buf_bytes(&once), buf_bytes(&twice)));
	upgrade_done(&again);
}

static void check_journal(struct bytes in)
{
	_cleanup_(buf_done) struct buf sealed = { 0 };
	struct upgrade u = { 0 };
	struct error err = { 0 };

	journal_seal(&sealed, "holdfast-agent-upgrade/1", in);
	if (upgrade_read(&u, buf_bytes(&sealed), NOW_MS, &err) == 0)
		must_come_back(&u);
	else
		MUST(!u.order && !u.batch && !u.firmware && err.text[0]);
	upgrade_done(&u);
}

/* ---- what a device says while it is moved ---- */

static void add_signed(struct buf *text)
{
	static struct sign_key key;
	static bool is_made;
	struct error err = { 0 };

	if (!is_made)
		sign_key_new(&key);
	is_made = true;
	MUST_OK(statement_sign(text, &key, &err));
}

static struct statement *parsed(const struct buf *text)
{
	struct statement *st = NULL;
	struct error err = { 0 };
	size_t used;

	MUST_OK(statement_parse(&st, buf_bytes(text), false, &used, &err));
	return st;
}

/* An upgrade of which the device has the image installed, and is to start it. */
static void begin(struct upgrade *u)
{
	_cleanup_(buf_done) struct buf order = { 0 }, batch = { 0 }, firmware = { 0 };
	struct orders_item item = { .number = NUMBER };
	struct error err = { 0 };

	statement_begin(&order, STATEMENT_ORDER);
	buf_addf(&order, "fleet: " FLEET "\ndevice: " FLEET "\norder: %d\nkind: upgrade\nnonce: " HASH "\n", NUMBER);
	MUST_OK(statement_parse(&item.st, buf_bytes(&order), true, NULL, &err));
	statement_begin(&batch, STATEMENT_BATCH);
	buf_add_str(&batch, "fleet: " FLEET "\nkind: upgrade\nperson: alice\ntime: 2026-01-01T00:00:00Z\nnot-before: 2026-01-01T00:00:00Z\n"
			    "expires: 2026-01-02T00:00:00Z\nroot: 1\nreason: fuzz\ncount: 1\ntree: " HASH "\n");
	add_signed(&batch);
	item.batch = orders_batch_new(parsed(&batch));
	statement_begin(&firmware, STATEMENT_FIRMWARE);
	buf_add_str(&firmware, "fleet: " FLEET "\ndriver: weos\npart: system\nversion: 5.24.0\nsize: 1000\nimage: " HASH "\n"
			       "person: alice\ntime: 2026-01-01T00:00:00Z\nroot: 1\n");
	add_signed(&firmware);
	upgrade_begin(u, &item, parsed(&firmware));
	orders_item_done(&item);
	orders_batch_drop(item.batch);
	upgrade_enter(u, UPGRADE_INSTALLING);
	u->is_asked = true;
}

static void check_answer(struct bytes in)
{
	bool is_whole = in.len % 2;
	struct upgrade u = { 0 };
	struct error err = { 0 };
	int r = weos_upgrade_judge(in, is_whole, "sec", &err);

	MUST(r == 0 || r == (is_whole ? E_DENIED : E_PEER));
	MUST(r == 0 || (in.len && (memmem(in.ptr, in.len, "% ", 2) || memmem(in.ptr, in.len, "Failed verifying", 16))));
	MUST(memchr(err.text, 0, sizeof(err.text)) && !memchr(err.text, '\n', strlen(err.text)));
	begin(&u);
	upgrade_answered(&u, &err, NOW_MS);
	MUST(u.phase == (r == 0 ? UPGRADE_STARTING : r == E_DENIED ? UPGRADE_RETURNING : UPGRADE_INSTALLING));
	must_come_back(&u);
	upgrade_done(&u);
}

/* ---- what a program says that runs ---- */

static void check_seen(struct bytes in)
{
	_cleanup_(buf_done) struct buf put = { 0 };
	struct device_images seen = { 0 }, again = { 0 };
	struct error err = { 0 };
	struct upgrade u = { 0 };
	struct reader rd;

	if (files_images_read(&seen, in, &err) < 0)
		return;
	MUST(is_printable(seen.version, sizeof(seen.version)) && is_printable(seen.slot, sizeof(seen.slot)) &&
	     is_printable(seen.other, sizeof(seen.other)) && is_printable(seen.failure, sizeof(seen.failure)));
	apply_images_put(&put, &seen);
	rd = reader_over(buf_bytes(&put));
	MUST(apply_images_get(&again, &rd) && again.is_fallback == seen.is_fallback);
	MUST(!strcmp(again.version, seen.version) && !strcmp(again.slot, seen.slot) && !strcmp(again.other, seen.other) &&
	     !strcmp(again.failure, seen.failure));
	begin(&u);
	upgrade_enter(&u, UPGRADE_PROVING);
	memcpy(u.slot, seen.slot, sizeof(u.slot));
	memcpy(u.version, seen.version, sizeof(u.version));
	u.is_asked = true;
	upgrade_saw(&u, &err, &seen, NOW_MS);
	MUST(u.is_fit == (!*seen.failure && !strcmp(seen.version, "5.24.0")));
	must_come_back(&u);
	upgrade_done(&u);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const checks[])(struct bytes in) = { check_payload, check_journal, check_answer, check_seen };

	if (size)
		checks[data[0] % ARRAY_SIZE(checks)](bytes_of(data + 1, size - 1));
	return 0;
}
