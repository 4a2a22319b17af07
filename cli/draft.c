/* cli/draft.c -- the next root before anybody signs it. */
#include "cli/draft.h"

#include "cli/cli.h"

#include <stdlib.h>
#include <string.h>

/* In the order of the type's table. */
static const char *const list_keys[] = { "person", "key", "reading-key", "role", "threshold", "separate", "delay", "pin", "metadata",
					 "archive", "witness", "tls-pin", "server" };
enum { PERSON, KEY, READING_KEY, ROLE, THRESHOLD, SEPARATE, DELAY, PIN, METADATA, LISTS = ARRAY_SIZE(list_keys) };

struct list {
	char **items;
	size_t count;
	bool is_new; /* draft_list() has begun it anew */
};

struct draft {
	const struct root *base;
	struct list lists[LISTS];
};

/* ---- lists ---- */

static void add_item(struct list *list, char *item)
{
	list->items = mem_grow(list->items, (list->count + 1) * sizeof(*list->items));
	list->items[list->count++] = item;
}

static void drop_item(struct list *list, size_t i)
{
	free(list->items[i]);
	memmove(&list->items[i], &list->items[i + 1], (--list->count - i) * sizeof(*list->items));
}

/* Index of the item that is `first`, or "first rest" (rest NULL: whatever follows); SIZE_MAX when there is none. */
static size_t find_item(const struct list *list, const char *first, const char *rest)
{
	size_t len = strlen(first);

	for (size_t i = 0; i < list->count; i++) {
		const char *item = list->items[i];

		if (strncmp(item, first, len) != 0 || (item[len] && item[len] != ' '))
			continue;
		if (!rest || (item[len] && !strcmp(item + len + 1, rest)))
			return i;
	}
	return SIZE_MAX;
}

static bool has_item(const struct list *list, const char *first, const char *rest)
{
	return find_item(list, first, rest) != SIZE_MAX;
}

struct draft *draft_new(const struct root *root)
{
	struct draft *draft = mem_alloc(sizeof(*draft));
	const char *value;

	draft->base = root;
	for (size_t k = 0; k < LISTS; k++)
		for (size_t i = 0; (value = statement_at(root_statement(root), list_keys[k], i)); i++)
			add_item(&draft->lists[k], mem_strdup(value));
	return draft;
}

static void empty(struct list *list)
{
	while (list->count)
		free(list->items[--list->count]);
}

struct draft *draft_free(struct draft *draft)
{
	for (size_t k = 0; draft && k < LISTS; k++) {
		empty(&draft->lists[k]);
		free(draft->lists[k].items);
	}
	free(draft);
	return NULL;
}

void draft_freep(struct draft **draft)
{
	*draft = draft_free(*draft);
}

/* ---- people ---- */

static int check_person(const struct draft *draft, const char *name, struct error *err)
{
	return has_item(&draft->lists[PERSON], name, NULL) ? 0 : error_set(err, CLI_USAGE, "the root knows no person '%.60s'", name);
}

int draft_add_person(struct draft *draft, const struct request *request, struct error *err)
{
	char recipient[AGE_RECIPIENT_LEN + 1];

	if (strcmp(request->fleet, root_fleet(draft->base)) != 0)
		return error_set(err, E_DENIED, "the request of '%s' is for fleet '%s', and this is '%s'", request->person, request->fleet,
				 root_fleet(draft->base));
	if (has_item(&draft->lists[PERSON], request->person, NULL))
		return error_set(err, CLI_CONFLICT, "the root has a person '%s' already; two people need two names", request->person);
	age_recipient_text(recipient, &request->reader);
	add_item(&draft->lists[PERSON], mem_strdup(request->person));
	if (draft_add_key(draft, request->person, &request->key, err) < 0)
		return err->code;
	return draft_add_reading_key(draft, request->person, recipient, err);
}

int draft_remove_person(struct draft *draft, const char *name, struct error *err)
{
	size_t i;
	int r = check_person(draft, name, err);

	if (r < 0)
		return r;
	for (size_t k = PERSON; k <= READING_KEY; k++)
		while ((i = find_item(&draft->lists[k], name, NULL)) != SIZE_MAX)
			drop_item(&draft->lists[k], i);
	for (int role = 0; role < ROLES; role++) {
		struct error ignored;

		if (draft_revoke(draft, name, role_name((enum role)role), &ignored) < 0)
			continue; /* they did not have it */
	}
	return 0;
}

/* ---- roles ---- */

/* names: " alice bob", what stands behind the role */
static bool is_in(const char *names, const char *name)
{
	size_t len = strlen(name);

	for (const char *at = names; at && (at = strstr(at, name)); at += len)
		if (at[-1] == ' ' && (!at[len] || at[len] == ' '))
			return true;
	return false;
}

static int check_role(const struct draft *draft, const char *name, const char *role, struct error *err)
{
	enum role ignored;

	if (!role_parse(&ignored, role))
		return error_set(err, CLI_USAGE, "'%.40s' is no role; there are root, admin, reader, auditor, deployer, retirer", role);
	return check_person(draft, name, err);
}

int draft_grant(struct draft *draft, const char *name, const char *role, struct error *err)
{
	struct list *roles = &draft->lists[ROLE];
	size_t i = find_item(roles, role, NULL);
	char *line;
	int r = check_role(draft, name, role, err);

	if (r < 0)
		return r;
	if (i == SIZE_MAX) {
		add_item(roles, mem_printf("%s %s", role, name));
		return 0;
	}
	if (is_in(roles->items[i] + strlen(role), name))
		return error_set(err, CLI_CONFLICT, "'%s' has role '%s' already", name, role);
	line = mem_printf("%s %s", roles->items[i], name);
	free(roles->items[i]);
	roles->items[i] = line;
	return 0;
}

/* The line without one name. */
static char *without(const char *line, const char *name)
{
	_cleanup_(mem_freep) char *copy = mem_strdup(line);
	struct buf out = { 0 };
	char *save;

	for (char *word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save))
		if (!out.len || strcmp(word, name) != 0) /* a person may be called as their role */
			buf_addf(&out, "%s%s", out.len ? " " : "", word);
	return buf_steal_text(&out);
}

int draft_revoke(struct draft *draft, const char *name, const char *role, struct error *err)
{
	struct list *roles = &draft->lists[ROLE];
	size_t i = find_item(roles, role, NULL);
	enum role ignored;
	char *line;

	if (!role_parse(&ignored, role))
		return check_role(draft, name, role, err);
	if (i == SIZE_MAX || !is_in(roles->items[i] + strlen(role), name))
		return error_set(err, CLI_USAGE, "'%.60s' does not have role '%s'", name, role);
	line = without(roles->items[i], name);
	free(roles->items[i]);
	roles->items[i] = line;
	if (!strchr(line, ' '))
		drop_item(roles, i); /* nobody has it any more */
	return 0;
}

/* ---- keys ---- */

int draft_add_key(struct draft *draft, const char *name, const struct sign_pub *key, struct error *err)
{
	char text[SIGN_PUB_TEXT_MAX];
	int r = check_person(draft, name, err);

	if (r < 0)
		return r;
	sign_pub_text(text, key);
	add_item(&draft->lists[KEY], mem_printf("%s %s", name, text));
	return 0;
}

int draft_remove_key(struct draft *draft, const char *name, const char *print, struct error *err)
{
	struct list *keys = &draft->lists[KEY];
	size_t len = strlen(name);

	for (size_t i = 0; i < keys->count; i++) {
		const char *item = keys->items[i];
		struct error ignored;
		struct sign_pub key;
		char text[52];

		if (strncmp(item, name, len) != 0 || item[len] != ' ' ||
		    sign_pub_parse(&key, bytes_str(item + len + 1), false, &ignored) < 0)
			continue;
		sign_pub_fingerprint(text, &key);
		if (strcmp(text, print) != 0)
			continue;
		drop_item(keys, i);
		return 0;
	}
	return error_set(err, CLI_USAGE, "'%.60s' has no key '%.60s'; see: holdfast root show", name, print);
}

int draft_add_reading_key(struct draft *draft, const char *name, const char *recipient, struct error *err)
{
	struct age_recipient parsed;
	int r = check_person(draft, name, err);

	if (r < 0)
		return r;
	if (age_recipient_parse(&parsed, bytes_str(recipient), err) < 0)
		return error_set(err, CLI_USAGE, "'%.80s' is no age recipient ('age1...')", recipient);
	/* no rule of the root forbids it, but one of two people of one reading key could not be dismissed */
	for (size_t i = 0; i < draft->lists[READING_KEY].count; i++) {
		const char *item = draft->lists[READING_KEY].items[i];

		if (!strcmp(strchr(item, ' ') + 1, recipient))
			return error_set(err, E_FORMAT, "root has one reading key twice (for '%.*s' and '%s')",
					 (int)(strchr(item, ' ') - item), item, name);
	}
	add_item(&draft->lists[READING_KEY], mem_printf("%s %s", name, recipient));
	return 0;
}

int draft_remove_reading_key(struct draft *draft, const char *name, const char *recipient, struct error *err)
{
	size_t i = find_item(&draft->lists[READING_KEY], name, recipient);

	if (i == SIZE_MAX)
		return error_set(err, CLI_USAGE, "'%.60s' has no reading key '%.80s'; see: holdfast root show", name, recipient);
	drop_item(&draft->lists[READING_KEY], i);
	return 0;
}

/* ---- rules and lists ---- */

/* A line "KIND N" in place of the one of that kind; or none. */
static int set_number(struct list *list, const char *option, const char *kind, const char *count, struct error *err)
{
	size_t i = find_item(list, kind, NULL);
	uint64_t n;

	if (strcmp(count, "default") != 0 && !number_parse(&n, bytes_str(count)))
		return error_set(err, CLI_USAGE, "'--%s %.40s=%.40s': write KIND=N, or KIND=default", option, kind, count);
	if (i != SIZE_MAX)
		drop_item(list, i);
	if (strcmp(count, "default") != 0)
		add_item(list, mem_printf("%s %s", kind, count));
	return 0;
}

int draft_threshold(struct draft *draft, const char *kind, const char *count, struct error *err)
{
	return set_number(&draft->lists[THRESHOLD], "threshold", kind, count, err);
}

int draft_delay(struct draft *draft, const char *kind, const char *seconds, struct error *err)
{
	return set_number(&draft->lists[DELAY], "delay", kind, seconds, err);
}

/* A line "KIND", which is not there yet; or none any more. */
static void set_word(struct list *list, const char *kind, bool on)
{
	if (on)
		add_item(list, mem_strdup(kind));
	else
		drop_item(list, find_item(list, kind, NULL));
}

int draft_separate(struct draft *draft, const char *kind, bool on, struct error *err)
{
	struct list *list = &draft->lists[SEPARATE];

	if (on == has_item(list, kind, NULL))
		return error_set(err, CLI_CONFLICT, "the author of '%.40s' is %s already", kind, on ? "not counted" : "counted");
	set_word(list, kind, on);
	return 0;
}

int draft_pin(struct draft *draft, const char *kind, bool on, struct error *err)
{
	struct list *list = &draft->lists[PIN];

	if (on == has_item(list, kind, NULL))
		return error_set(err, CLI_CONFLICT, "'%.40s' %s signatures by a token with a PIN already", kind,
				 on ? "takes" : "does not take");
	set_word(list, kind, on);
	return 0;
}

int draft_metadata(struct draft *draft, const char *level, struct error *err)
{
	struct list *list = &draft->lists[METADATA];

	if (strcmp(level, "minimal") != 0 && strcmp(level, "counts") != 0 && strcmp(level, "sections") != 0 &&
	    strcmp(level, "default") != 0)
		return error_set(err, CLI_USAGE, "'--metadata %.40s': there is minimal, counts, sections and default", level);
	empty(list);
	if (strcmp(level, "default") != 0)
		add_item(list, mem_strdup(level));
	return 0;
}

void draft_list(struct draft *draft, const char *key, const char *value)
{
	size_t k = 0;

	while (strcmp(list_keys[k], key) != 0)
		k++;
	if (!draft->lists[k].is_new)
		empty(&draft->lists[k]);
	draft->lists[k].is_new = true;
	add_item(&draft->lists[k], mem_strdup(value));
}

/* ---- the text ---- */

static bool is_changed(const struct draft *draft)
{
	const struct statement *st = root_statement(draft->base);

	for (size_t k = 0; k < LISTS; k++) {
		if (draft->lists[k].count != statement_count(st, list_keys[k]))
			return true;
		for (size_t i = 0; i < draft->lists[k].count; i++)
			if (strcmp(draft->lists[k].items[i], statement_at(st, list_keys[k], i)) != 0)
				return true;
	}
	return false;
}

/* What root_new() lets pass, and what would leave the fleet without a use. */
static int check_use(const struct root *next, struct error *err)
{
	struct age_recipient readers[AGE_RECIPIENTS_MAX];

	if (!root_recipients(readers, NULL, next, ROLE_READER, ROLE_READER))
		return error_set(err, E_FORMAT, "nobody of role reader would have a reading key: devices could seal to nobody");
	return 0;
}

static int check_text(struct bytes text, struct error *err)
{
	_cleanup_(root_freep) struct root *next = NULL;
	struct statement *st;
	size_t used = 0;
	int r = statement_check(text, err);

	if (r == 0)
		r = statement_parse(&st, text, true, &used, err);
	if (r == 0)
		r = root_new(&next, st, err);
	return r < 0 ? r : check_use(next, err);
}

int draft_text(struct buf *out, const struct draft *draft, int64_t now_s, int64_t expires_s, struct error *err)
{
	const struct statement *base = root_statement(draft->base);
	_cleanup_(buf_done) struct buf text = { 0 };
	bool is_renewed = expires_s > statement_time(base, "expires");
	int r;

	if (!is_changed(draft) && !is_renewed)
		return error_set(err, CLI_CONFLICT, "nothing is changed; see: holdfast help root edit");
	if (now_s < statement_time(base, "time"))
		now_s = statement_time(base, "time"); /* a clock that is behind does not date it back */
	statement_begin(&text, STATEMENT_ROOT);
	statement_add(&text, "fleet", "%s", root_fleet(draft->base));
	statement_add(&text, "version", "%llu", (unsigned long long)root_version(draft->base) + 1);
	statement_add_hash(&text, "prev", statement_hash(base));
	statement_add_time(&text, "time", now_s);
	statement_add_time(&text, "expires", expires_s);
	statement_add(&text, "name", "%s", root_name(draft->base));
	for (size_t k = 0; k < LISTS; k++)
		for (size_t i = 0; i < draft->lists[k].count; i++)
			statement_add(&text, list_keys[k], "%s", draft->lists[k].items[i]);
	r = check_text(buf_bytes(&text), err);
	if (r == 0)
		buf_add_bytes(out, buf_bytes(&text));
	return r;
}
