/* repo/layout.c -- where things lie in the tree. */
#include "repo/layout.h"

#include <stdio.h>
#include <string.h>

static const char *const snapshot_seals[] = { "base", "delta", "secrets", "startup" };

void layout_device_path(char out[static PATH_MAX_LEN], const char *id, const char *name)
{
	snprintf(out, PATH_MAX_LEN, "devices/%.2s/%.2s/%s/%s", id, id + 2, id, name);
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
	} else if (type == STATEMENT_INVITE) {
		snprintf(out, PATH_MAX_LEN, "invites/%s/invite", statement_get(st, "invite"));
	} else {
		layout_device_path(out, statement_get(st, "device"), statement_type_name(type));
	}
}

size_t layout_changes(struct change out[static CHANGES_MAX], const struct container *c, bool is_fork)
{
	size_t n = 0;

	out[n] = (struct change){ .blob = statement_whole(c->st) };
	layout_path(out[n++].path, c->st, is_fork);
	if (is_fork)
		return n;
	if (statement_type(c->st) == STATEMENT_INVITE) {
		out[n] = (struct change){ .blob = container_seal(c, "secret") };
		snprintf(out[n++].path, PATH_MAX_LEN, "invites/%s/secret.age", statement_get(c->st, "invite"));
	}
	for (size_t i = 0; statement_type(c->st) == STATEMENT_SNAPSHOT && i < ARRAY_SIZE(snapshot_seals); i++) {
		struct bytes seal = container_seal(c, snapshot_seals[i]);
		struct seal_ref ref;
		bool listed = statement_seal(&ref, c->st, snapshot_seals[i]);
		char name[32];

		if (listed && !seal.ptr)
			continue; /* stays as it is */
		out[n] = (struct change){ .blob = seal, .remove = !listed };
		snprintf(name, sizeof(name), "%s.age", snapshot_seals[i]);
		layout_device_path(out[n++].path, statement_get(c->st, "device"), name);
	}
	return n;
}

bool layout_is_statement(const char *path, bool *is_fork)
{
	static const char *const names[] = { "invite", "enrol", "admit", "epoch", "snapshot" };
	const char *name = strrchr(path, '/');

	*is_fork = !strncmp(path, "devices/", 8) && strstr(path, "/forks/");
	if (*is_fork || !strcmp(path, "root"))
		return true;
	if (!name || (strncmp(path, "devices/", 8) && strncmp(path, "invites/", 8)))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (!strcmp(name + 1, names[i]))
			return true;
	return false;
}
