/* cli/fleet.c -- the devices of the fleet as the server lists them, and how a command finds the ones that are meant. */
#include "cli/fleet.h"

#include "base/clock.h"
#include "cli/api.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "policies/verdict.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NEAR = 3 }; /* names further apart are no slip of the finger */

/* ---- the list ---- */

/* Each takes one field, which may be absent; false: it is there and not what it should be. */
static bool take_text(char *out, size_t size, const json_t *json, const char *key)
{
	const json_t *value = json_object_get(json, key);
	const char *text = json_string_value(value);

	if (!value)
		return true;
	if (!text || json_string_length(value) >= size || strlen(text) != json_string_length(value))
		return false;
	memcpy(out, text, strlen(text) + 1);
	return true;
}

static bool take_number(uint64_t *out, const json_t *json, const char *key)
{
	const json_t *value = json_object_get(json, key);

	if (!value)
		return true;
	*out = (uint64_t)json_integer_value(value);
	return json_is_integer(value) && json_integer_value(value) >= 0;
}

static bool take_time(int64_t *out, const json_t *json, const char *key)
{
	const json_t *value = json_object_get(json, key);

	return !value || (json_is_string(value) && clock_parse(out, bytes_str(json_string_value(value))));
}

static bool take_labels(char *out, size_t size, const json_t *json)
{
	const json_t *list = json_object_get(json, "labels");
	size_t len = 0;

	if (!list)
		return true;
	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *label = json_string_value(json_array_get(list, i));
		int n = label && !strchr(label, ' ') ? snprintf(out + len, size - len, "%s%s", len ? " " : "", label) : -1;

		if (n < 0 || (size_t)n >= size - len)
			return false;
		len += (size_t)n;
	}
	return json_is_array(list);
}

#define MEMBER_TEXT(key, field) { key, offsetof(struct fleet_member, field), sizeof(((struct fleet_member *)0)->field) }
static const struct {
	const char *key;
	size_t at, size;
} member_texts[] = {
	MEMBER_TEXT("id", id),
	MEMBER_TEXT("name", name),
	MEMBER_TEXT("driver", driver),
	MEMBER_TEXT("model", model),
	MEMBER_TEXT("serial", serial),
	MEMBER_TEXT("firmware", firmware),
	MEMBER_TEXT("saved", saved),
	MEMBER_TEXT("mode", mode),
	MEMBER_TEXT("invite", invite),
	MEMBER_TEXT("retired", retired),
	MEMBER_TEXT("challenge", challenge),
	MEMBER_TEXT("drift", drift),
	MEMBER_TEXT("hold-by", hold_by),
	MEMBER_TEXT("changed-by", changed_by),
};

static bool take_texts(struct fleet_member *m, const json_t *json)
{
	for (size_t i = 0; i < ARRAY_SIZE(member_texts); i++)
		if (!take_text((char *)m + member_texts[i].at, member_texts[i].size, json, member_texts[i].key))
			return false;
	return id_is_valid(bytes_str(m->id)) && take_labels(m->labels, sizeof(m->labels), json);
}

static bool take_verdict(struct fleet_member *m, const json_t *json)
{
	const json_t *verdict = json_object_get(json, "verdict");

	if (!verdict)
		return true;
	for (size_t i = 0; i < STANDINGS; i++) {
		const char *name = standing_name((enum standing)i);

		m->has_counts |= json_object_get(verdict, name) != NULL;
		if (!take_number(&m->counts[i], verdict, name))
			return false;
	}
	return json_is_object(verdict) && take_number(&m->verdict, verdict, "number") && take_number(&m->judged, verdict, "snapshot") &&
	       take_number(&m->policy, verdict, "policy") && take_time(&m->verdict_s, verdict, "time");
}

static bool take_member(struct fleet_member *m, const json_t *json)
{
	const json_t *admitted = json_object_get(json, "admitted"), *ahead = json_object_get(json, "ahead");

	m->is_admitted = json_is_true(admitted);
	m->is_ahead = json_is_true(ahead) || json_integer_value(ahead) > 0;
	m->is_certified = json_is_true(json_object_get(json, "certified"));
	return json_is_boolean(admitted) && take_number(&m->misuses, json, "misuses") && take_texts(m, json) &&
	       take_number(&m->head, json, "head") && take_number(&m->snapshot, json, "snapshot") &&
	       take_number(&m->epoch, json, "epoch") && take_number(&m->forks, json, "forks") && take_number(&m->order, json, "order") &&
	       take_number(&m->pending, json, "pending") && take_time(&m->snapshot_s, json, "snapshot-time") &&
	       take_time(&m->unsaved_since_s, json, "unsaved-since") && take_time(&m->hold_s, json, "hold") &&
	       take_time(&m->enrolled_s, json, "enrolled") && take_time(&m->seen_s, json, "seen") &&
	       take_time(&m->drift_since_s, json, "drift-since") && take_verdict(m, json);
}

/* As people count: r2 before r10; who has no name yet comes last. */
static int by_name(const void *a, const void *b)
{
	const struct fleet_member *x = a, *y = b;
	int r = *x->name && *y->name ? strverscmp(x->name, y->name) : !*x->name - !*y->name;

	return r ? r : strcmp(x->id, y->id);
}

int fleet_list_parse(struct fleet_list *out, const json_t *answer, struct error *err)
{
	const json_t *list = json_object_get(answer, "devices");
	size_t count = json_array_size(list);
	_cleanup_(fleet_list_done) struct fleet_list made = { .count = count };

	if (!json_is_array(list))
		return error_set(err, E_PEER, "the server's list of devices is none");
	made.members = mem_alloc((count + 1) * sizeof(*made.members));
	for (size_t i = 0; i < count; i++)
		if (!take_member(&made.members[i], json_array_get(list, i)))
			return error_set(err, E_PEER, "the server's list of devices is malformed at entry %zu", i + 1);
	qsort(made.members, made.count, sizeof(*made.members), by_name);
	*out = made;
	made = (struct fleet_list){ 0 };
	return 0;
}

uint64_t fleet_member_count(const struct fleet_member *m, const char *standing)
{
	enum standing found;

	return standing_parse(&found, bytes_str(standing)) ? m->counts[found] : 0;
}

int fleet_list_get(struct fleet_list *out, struct cli *cli, struct error *err)
{
	json_t *answer = NULL;
	int r = cli_api(cli, err);

	if (r == 0)
		r = api_get_json(&answer, cli->api, "/v1/devices", err);
	if (r == 0)
		r = fleet_list_parse(out, answer, err);
	json_decref(answer);
	return r;
}

int fleet_list_select(struct fleet_list *list, const char *const terms[], size_t count, struct error *err)
{
	size_t kept = 0;

	for (size_t i = 0; i < list->count; i++) {
		const struct fleet_member *m = &list->members[i];

		if (!select_matches(terms, count, m->id, m->name, m->labels))
			continue;
		if (kept != i)
			list->members[kept] = *m;
		kept++;
	}
	list->count = kept;
	return count && !kept ? error_set(err, CLI_ABSENT, "no device matches; see: holdfast device list") : 0;
}

void fleet_list_done(struct fleet_list *list)
{
	free(list->members);
	*list = (struct fleet_list){ 0 };
}

/* ---- finding one ---- */

static const char *nearest(const struct fleet_list *list, const char *text)
{
	const char *best = NULL;
	unsigned least = NEAR;

	for (size_t i = 0; i < list->count; i++) {
		unsigned distance = command_distance(text, list->members[i].name);

		if (list->members[i].name[0] && distance < least) {
			least = distance;
			best = list->members[i].name;
		}
	}
	return best;
}

static bool is_meant(const struct fleet_member *m, const char *text, bool by_name)
{
	size_t len = strlen(text);

	if (by_name)
		return *text && !strcmp(m->name, text);
	return len >= SELECT_ID_PREFIX_MIN && len <= ID_LEN && !strncmp(m->id, text, len);
}

int fleet_find(const struct fleet_member **out, const struct fleet_list *list, const char *text, struct error *err)
{
	const struct fleet_member *found = NULL;
	const char *near;

	for (int by_name = 1; by_name >= 0 && !found; by_name--) {
		for (size_t i = 0; i < list->count; i++) {
			const struct fleet_member *m = &list->members[i];

			if (!is_meant(m, text, by_name))
				continue;
			if (found)
				return error_set(err, CLI_USAGE, "'%.63s' may be device %s or %s; write the id", text, found->id, m->id);
			found = m;
		}
	}
	*out = found;
	if (found)
		return 0;
	near = nearest(list, text);
	if (near)
		return error_set(err, CLI_ABSENT, "there is no device '%.63s'; did you mean '%s'?", text, near);
	return error_set(err, CLI_ABSENT, "there is no device '%.63s'; see: holdfast device list", text);
}

/* ---- opening ---- */

static int get_bytes(void *ctx, struct buf *out, const char *path, size_t max, struct error *err)
{
	const struct cli *cli = ctx;

	return api_get(out, cli->api, path, max, err);
}

static int get_key(void *ctx, const struct age_identity **out, struct error *err)
{
	const struct cli *cli = ctx;

	return home_reading_key(out, cli->home, err);
}

int fleet_source(struct open_source *out, struct cli *cli, struct error *err)
{
	int r = cli_api(cli, err);

	if (r < 0)
		return r;
	*out = (struct open_source){
		.fleet = cli->home->fleet,
		.roots = cli->home->roots,
		.root_count = cli->home->root_count,
		.checkpoint = cli->home->checkpoint,
		.get = get_bytes,
		.key = get_key,
		.ctx = cli,
	};
	return 0;
}

int fleet_opener(struct opener **out, struct cli *cli, struct error *err)
{
	struct open_source source;
	int r = fleet_source(&source, cli, err);

	if (r == 0)
		*out = opener_new(&source);
	return r;
}

int fleet_identify(const struct open_device **out, struct opener *opener, const struct fleet_member *member, struct error *err)
{
	const struct open_device *d;
	int r = member->is_admitted ? opener_device(&d, opener, member->id, err) :
				      error_set(err, CLI_ABSENT, "device '%s' is not admitted; see: holdfast device admit", member->id);

	if (r < 0)
		return r;
	if (strcmp(d->name, member->name) != 0)
		return error_set(err, E_SEAL, "the server lists device '%s' as '%.63s', and it was admitted as '%s'", d->id, member->name,
				 d->name);
	if (d->is_by_old_root)
		output_note("holdfast: note: '%s' was admitted by '%s', who is no admin any more; whether it was in time, "
			    "holdfast audit of a mirror tells",
			    d->name, d->admitted_by);
	*out = d;
	return 0;
}

int fleet_open_member(struct opened *out, struct opener *opener, const struct fleet_member *member, uint64_t number, struct error *err)
{
	struct open_wanted wanted = { .id = member->id, .number = number, .at_least = member->snapshot };
	const struct open_device *device;
	int r = fleet_identify(&device, opener, member, err);

	if (r < 0)
		return r;
	if (!number && !member->snapshot)
		return error_set(err, CLI_ABSENT, "'%s' has sent no snapshot yet", device->name);
	return opener_open(out, opener, &wanted, err);
}

int fleet_open(struct opened *out, struct opener *opener, const struct fleet_list *list, const struct revision_ref *ref, struct error *err)
{
	const struct fleet_member *member;
	int r = fleet_find(&member, list, ref->device, err);

	return r < 0 ? r : fleet_open_member(out, opener, member, ref->number, err);
}

/* ---- what was in force ---- */

enum { MOMENTS_PAGE = 1000 };

static int by_id(const void *a, const void *b)
{
	const struct fleet_member *const *x = a, *const *y = b;

	return strcmp((*x)->id, (*y)->id);
}

/* The members by id, which is how the server goes through them. */
static const struct fleet_member **order_by_id(const struct fleet_list *list)
{
	const struct fleet_member **order = mem_alloc((list->count + 1) * sizeof(*order));

	for (size_t i = 0; i < list->count; i++)
		order[i] = &list->members[i];
	qsort(order, list->count, sizeof(*order), by_id);
	return order;
}

struct moments {
	uint64_t *numbers;
	const struct fleet_list *list;
	const struct fleet_member **order;
	size_t at; /* in order */
	char after[ID_LEN + 1];
};

/* False: malformed. Entries of devices that nobody asked for are passed over. */
static bool take_moment(struct moments *m, const json_t *entry)
{
	const char *id = json_string_value(json_object_get(entry, "id"));
	uint64_t number = 0;

	if (!id || !id_is_valid(bytes_str(id)) || strcmp(id, m->after) <= 0 || !take_number(&number, entry, "snapshot"))
		return false;
	strcpy(m->after, id);
	while (m->at < m->list->count && strcmp(m->order[m->at]->id, id) < 0)
		m->at++;
	if (m->at < m->list->count && !strcmp(m->order[m->at]->id, id))
		m->numbers[m->order[m->at] - m->list->members] = number;
	return true;
}

/* 1: it was the last. */
static int get_moments(struct moments *m, struct cli *cli, const char *at, struct error *err)
{
	_cleanup_(mem_freep) char *path =
		mem_printf("/v1/snapshots?at=%s&limit=%d%s%s", at, MOMENTS_PAGE, *m->after ? "&after=" : "", m->after);
	json_t *answer = NULL;
	const json_t *list;
	size_t count;
	int r = api_get_json(&answer, cli->api, path, err);

	if (r < 0)
		return r;
	list = json_object_get(answer, "snapshots");
	count = json_array_size(list);
	if (!json_is_array(list) || count > MOMENTS_PAGE)
		r = error_set(err, E_PEER, "the server's list of snapshots is none");
	for (size_t i = 0; i < count && r == 0; i++)
		if (!take_moment(m, json_array_get(list, i)))
			r = error_set(err, E_PEER, "the server's list of snapshots is malformed at entry %zu", i + 1);
	json_decref(answer);
	return r < 0 ? r : count < MOMENTS_PAGE;
}

int fleet_at(uint64_t numbers[], struct cli *cli, const struct fleet_list *list, int64_t at_s, struct error *err)
{
	struct moments m = { .numbers = numbers, .list = list };
	char at[CLOCK_TEXT_LEN];
	int r = cli_api(cli, err);

	if (r < 0)
		return r;
	memset(numbers, 0, list->count * sizeof(*numbers));
	clock_text(at, at_s);
	m.order = order_by_id(list);
	while (r == 0)
		r = get_moments(&m, cli, at, err);
	free(m.order);
	return r < 0 ? r : 0;
}
