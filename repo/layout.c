/* repo/layout.c -- where things lie in the tree. */
#include "repo/layout.h"

#include "crypto/judgement.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* A statement and the seals that lie beside it, sorted by their files; what such a statement does not list any more goes. */
struct place {
	const char *name, *file; /* of a seal; the statement itself has no name */
};

enum { FILE_NAME_MAX = 16 };

static const struct place snapshot_places[] = {
	{ "base", "base.age" }, { "delta", "delta.age" }, { "secrets", "secrets.age" }, { NULL, "snapshot" }, { "startup", "startup.age" }
};
static const struct place verdict_places[] = { { "findings", "findings.age" }, { NULL, "verdict" } };

/* Two or three for every snapshot: put together by hand, in a tenth of the time that a format takes. */
void layout_device_path(char out[static PATH_MAX_LEN], const char *id, const char *name)
{
	static const char folder[] = "devices/";
	size_t id_len = strlen(id), name_len = strlen(name);
	char *at = out + sizeof(folder) - 1;

	assert(id_len >= 4 && sizeof(folder) + 6 + id_len + 1 + name_len <= PATH_MAX_LEN); /* a grammar bounds both */
	memcpy(out, folder, sizeof(folder) - 1);
	at[0] = id[0];
	at[1] = id[1];
	at[2] = '/';
	at[3] = id[2];
	at[4] = id[3];
	at[5] = '/';
	memcpy(at + 6, id, id_len);
	at[6 + id_len] = '/';
	memcpy(at + 7 + id_len, name, name_len + 1);
}

void layout_receipt_path(char out[static PATH_MAX_LEN], const char *id, uint64_t number)
{
	char name[40];

	snprintf(name, sizeof(name), "receipts/%012llu", (unsigned long long)number);
	layout_device_path(out, id, name);
}

void layout_order_path(char out[static PATH_MAX_LEN], const char *batch, const char *device)
{
	snprintf(out, PATH_MAX_LEN, "batches/%s/orders/%.2s/%s", batch, device, device);
}

/* A batch, and what stands beside it: their folder is named by the batch's id. */
static void batch_path(char out[static PATH_MAX_LEN], const struct statement *st)
{
	char id[ID_LEN + 1], name[17];
	uint8_t about[HASH_LEN] = { 0 };

	if (statement_type(st) == STATEMENT_BATCH) {
		id_of_hash(id, statement_hash(st));
		snprintf(out, PATH_MAX_LEN, "batches/%s/batch", id);
	} else if (statement_type(st) == STATEMENT_ORDER) {
		id_of_hash(id, statement_proof(st)->batch);
		layout_order_path(out, id, statement_get(st, "device"));
	} else {
		statement_get_hash(about, st, "batch");
		id_of_hash(id, about);
		hex_encode(name, statement_hash(st), 8);
		snprintf(out, PATH_MAX_LEN, "batches/%s/control/%s", id, name);
	}
}

/* Its folder is named by the advisory: all that was decided about one lies together. */
static void judgement_path(char out[static PATH_MAX_LEN], const struct statement *st)
{
	char id[ID_LEN + 1], name[17];

	judgement_advisory_id(id, statement_get(st, "advisory"));
	hex_encode(name, statement_hash(st), 8);
	snprintf(out, PATH_MAX_LEN, "advisories/%.2s/%s/%s", id, id, name);
}

void layout_text_path(char out[static PATH_MAX_LEN], const struct statement *st)
{
	judgement_path(out, st);
	strcat(out, ".zst"); /* PATH_MAX_LEN has room for it: ids and digits have one length */
}

static const char witness_folder[] = "log/witness/";

void layout_witness_path(char out[static PATH_MAX_LEN], const char *name)
{
	snprintf(out, PATH_MAX_LEN, "%s%s", witness_folder, name);
}

const char *layout_witness_name(const char *path)
{
	return path + sizeof(witness_folder) - 1;
}

/* As the grammar of statements has it for names. */
static bool is_witness_path(const char *path)
{
	static const char marks[] = "._-";
	const char *name = layout_witness_name(path);

	if (strncmp(path, witness_folder, sizeof(witness_folder) - 1) != 0 || !*name || strchr(marks, *name))
		return false;
	return strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == strlen(name) && strlen(name) < 64;
}

void layout_path(char out[static PATH_MAX_LEN], const struct statement *st, bool is_fork)
{
	enum statement_type type = statement_type(st);

	if (is_fork) {
		char name[32] = "forks/";

		hex_encode(name + 6, statement_hash(st), 8);
		layout_device_path(out, statement_get(st, "device"), name);
	} else if (type == STATEMENT_ROOT) {
		snprintf(out, PATH_MAX_LEN, "root");
	} else if (type == STATEMENT_CHECKPOINT) {
		snprintf(out, PATH_MAX_LEN, "log/checkpoint");
	} else if (type == STATEMENT_FIRMWARE) {
		char id[ID_LEN + 1];

		id_of_hash(id, statement_hash(st));
		snprintf(out, PATH_MAX_LEN, "firmware/%.2s/%s", id, id);
	} else if (type == STATEMENT_INVITE) {
		snprintf(out, PATH_MAX_LEN, "invites/%s/invite", statement_get(st, "invite"));
	} else if (type == STATEMENT_BATCH || type == STATEMENT_ORDER || type == STATEMENT_CONTROL) {
		batch_path(out, st);
	} else if (type == STATEMENT_JUDGEMENT) {
		judgement_path(out, st);
	} else if (type == STATEMENT_SHREDDED) {
		_cleanup_(mem_freep) char *name = mem_printf("shredded/%s", statement_get(st, "by"));

		layout_device_path(out, statement_get(st, "device"), name);
	} else if (type == STATEMENT_RECEIPT) {
		layout_receipt_path(out, statement_get(st, "device"), statement_number(st, "number"));
	} else {
		layout_device_path(out, statement_get(st, "device"), statement_type_name(type));
	}
}

static size_t find_ref(const struct container *c, const char *name)
{
	size_t k = 0;

	while (k < c->count && strcmp(c->refs[k].name, name) != 0)
		k++;
	return k;
}

/* What becomes of a place; false: it stays as it is. */
static bool change_at(struct change *out, const struct container *c, const struct names *names, const struct place *place)
{
	size_t k;

	if (!place->name) {
		out->blob = statement_whole(c->st);
		out->id = &names->whole;
		out->remove = false;
		return true;
	}
	k = find_ref(c, place->name);
	if (k < c->count && !c->seals[k].ptr)
		return false;
	out->blob = k < c->count ? c->seals[k] : (struct bytes){ 0 };
	out->id = k < c->count ? &names->seals[k] : NULL;
	out->remove = k == c->count;
	return true;
}

/* All in the folder of path, which has room for each: a device's folder is short. */
static size_t place_changes(struct change *out, const char *path, const struct container *c, const struct names *names,
			    const struct place *places, size_t count)
{
	size_t folder = (size_t)(strrchr(path, '/') + 1 - path), n = 0;

	assert(folder + FILE_NAME_MAX < PATH_MAX_LEN);
	for (size_t i = 0; i < count; i++) {
		if (!change_at(&out[n], c, names, &places[i]))
			continue;
		memcpy(out[n].path, path, folder);
		memcpy(out[n++].path + folder, places[i].file, strlen(places[i].file) + 1);
	}
	return n;
}

size_t layout_changes(struct change out[static CHANGES_MAX], const char *path, const struct container *c, const struct names *names,
		      bool is_fork)
{
	enum statement_type type = statement_type(c->st);
	size_t n = 0;

	if (type == STATEMENT_SNAPSHOT && !is_fork)
		return place_changes(out, path, c, names, snapshot_places, ARRAY_SIZE(snapshot_places));
	if (type == STATEMENT_VERDICT && !is_fork)
		return place_changes(out, path, c, names, verdict_places, ARRAY_SIZE(verdict_places));
	out[n] = (struct change){ .blob = statement_whole(c->st), .id = &names->whole };
	memcpy(out[n++].path, path, strlen(path) + 1);
	if (is_fork)
		return n;
	if (type == STATEMENT_INVITE) {
		out[n] = (struct change){ .blob = container_seal(c, "secret") };
		snprintf(out[n++].path, PATH_MAX_LEN, "invites/%s/secret.age", statement_get(c->st, "invite"));
	}
	if (type == STATEMENT_JUDGEMENT && statement_get(c->st, "text")) {
		out[n] = (struct change){ .blob = container_seal(c, "text") };
		layout_text_path(out[n++].path, c->st);
	}
	return n;
}

/* ---- what a path means ---- */

/* What a capital letter of a pattern stands for. */
static const struct {
	char letter;
	size_t len;
	const char *of;
} classes[] = {
	{ 'I', ID_LEN, "abcdefghijklmnopqrstuvwxyz234567" }, /* an id */
	{ 'F', 2, "abcdefghijklmnopqrstuvwxyz234567" },      /* the beginning of one, to fan a folder out */
	{ 'X', 16, "0123456789abcdef" },
	{ 'N', 12, "0123456789" },
	{ 'P', 0, "abcdefghijklmnopqrstuvwxyz0123456789._-" }, /* a name, of any length */
};

static bool matches(const char *pattern, const char *path)
{
	for (; *pattern; pattern++) {
		size_t i = 0;

		while (i < ARRAY_SIZE(classes) && classes[i].letter != *pattern)
			i++;
		if (i == ARRAY_SIZE(classes) ? *path != *pattern :
					       !strspn(path, classes[i].of) || strspn(path, classes[i].of) < classes[i].len)
			return false;
		path += i == ARRAY_SIZE(classes) ? 1 : classes[i].len ? classes[i].len : strspn(path, classes[i].of);
	}
	return !*path;
}

static const struct {
	const char *pattern;
	enum layout_kind kind;
} known[] = {
	{ "root", LAYOUT_NEWEST },
	{ "log/checkpoint", LAYOUT_CHECKPOINT },
	{ "invites/I/invite", LAYOUT_ONCE },
	{ "invites/I/secret.age", LAYOUT_SEAL },
	{ "devices/F/F/I/enrol", LAYOUT_ONCE },
	{ "devices/F/F/I/admit", LAYOUT_NEWEST },
	{ "devices/F/F/I/epoch", LAYOUT_NEWEST },
	{ "devices/F/F/I/snapshot", LAYOUT_NEWEST },
	{ "devices/F/F/I/verdict", LAYOUT_NEWEST },
	{ "devices/F/F/I/receipts/N", LAYOUT_ONCE },
	{ "devices/F/F/I/shredded/P", LAYOUT_ONCE },
	{ "devices/F/F/I/certificate", LAYOUT_ONCE },
	{ "devices/F/F/I/forks/X", LAYOUT_FORK },
	{ "devices/F/F/I/base.age", LAYOUT_SEAL },
	{ "devices/F/F/I/delta.age", LAYOUT_SEAL },
	{ "devices/F/F/I/secrets.age", LAYOUT_SEAL },
	{ "devices/F/F/I/startup.age", LAYOUT_SEAL },
	{ "devices/F/F/I/findings.age", LAYOUT_SEAL },
	{ "batches/I/batch", LAYOUT_ONCE },
	{ "batches/I/control/X", LAYOUT_ONCE },
	{ "batches/I/orders/F/I", LAYOUT_ONCE },
	{ "advisories/F/I/X", LAYOUT_ONCE },
	{ "advisories/F/I/X.zst", LAYOUT_TEXT },
	{ "firmware/F/I", LAYOUT_ONCE },
};

enum layout_kind layout_kind(const char *path)
{
	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (matches(known[i].pattern, path))
			return known[i].kind;
	return is_witness_path(path) ? LAYOUT_WITNESS : LAYOUT_UNKNOWN;
}
