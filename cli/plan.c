/* cli/plan.c -- what a rollout is to do, as an operator writes it down. */
#include "cli/plan.h"

#include "base/clock.h"
#include "base/fs.h"
#include "base/plural.h"
#include "base/yaml.h"
#include "cli/args.h"
#include "crypto/seal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EXPIRES_DEFAULT_S = 7 * 86400, SOAK_MAX_S = 366 * 86400, SECRET_FILE_MAX = 4096 };

/* ---- the file ---- */

#define OPTIONAL (CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL)
#define TEXT(key, type, field, max) CYAML_FIELD_STRING_PTR(key, OPTIONAL, type, field, 0, max)

static const cyaml_schema_value_t text_schema = { CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 0, 1000) };

static const cyaml_schema_field_t variable_fields[] = {
	CYAML_FIELD_STRING_PTR("name", CYAML_FLAG_POINTER, struct plan_variable, name, 1, TEMPLATE_NAME_MAX),
	TEXT("value", struct plan_variable, value, 4000),
	TEXT("file", struct plan_variable, file, 4000),
	CYAML_FIELD_SEQUENCE("values", OPTIONAL, struct plan_variable, values, &text_schema, 0, 1000),
	TEXT("for", struct plan_variable, whom, 1000),
	CYAML_FIELD_END,
};

static const cyaml_schema_value_t variable_schema = { CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct plan_variable, variable_fields) };

static const cyaml_schema_field_t fields[] = {
	CYAML_FIELD_STRING_PTR("reason", CYAML_FLAG_POINTER, struct plan_file, reason, 1, 900),
	TEXT("ticket", struct plan_file, ticket, 900),
	CYAML_FIELD_SEQUENCE("targets", CYAML_FLAG_POINTER, struct plan_file, targets, &text_schema, 1, PLAN_TERMS_MAX),
	TEXT("first", struct plan_file, first, 1000),
	TEXT("template", struct plan_file, template, 4000),
	TEXT("inline", struct plan_file, inline_, CONFIG_MAX),
	TEXT("lines", struct plan_file, lines, CONFIG_MAX),
	TEXT("file", struct plan_file, file, 4000),
	TEXT("mode", struct plan_file, mode, 63),
	CYAML_FIELD_SEQUENCE("variables", OPTIONAL, struct plan_file, variables, &variable_schema, 0, PLAN_VARIABLES_MAX),
	CYAML_FIELD_SEQUENCE("waves", OPTIONAL, struct plan_file, waves, &text_schema, 0, ORDER_WAVES_MAX),
	TEXT("soak", struct plan_file, soak, 63),
	CYAML_FIELD_UINT_PTR("fail-limit", OPTIONAL, struct plan_file, fail_limit),
	CYAML_FIELD_SEQUENCE("windows", OPTIONAL, struct plan_file, windows, &text_schema, 0, PLAN_WINDOWS_MAX),
	TEXT("not-before", struct plan_file, not_before, 63),
	TEXT("expires", struct plan_file, expires, 63),
	CYAML_FIELD_SEQUENCE("probes", OPTIONAL, struct plan_file, probes, &text_schema, 0, PLAN_PROBES_MAX),
	TEXT("confirm", struct plan_file, confirm, 63),
	TEXT("settle", struct plan_file, settle, 63),
	TEXT("management", struct plan_file, management, 200),
	CYAML_FIELD_SEQUENCE("atomic", OPTIONAL, struct plan_file, atomic, &text_schema, 0, PLAN_GROUPS_MAX),
	TEXT("atomic-by", struct plan_file, atomic_by, 63),
	CYAML_FIELD_END,
};

static const cyaml_schema_value_t schema = { CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct plan_file, fields) };

struct plan *plan_free(struct plan *plan)
{
	if (!plan)
		return NULL;
	for (unsigned i = 0; plan->file && i < plan->file->variables_count; i++)
		if (plan->file->variables[i].file && plan->file->variables[i].value)
			explicit_bzero(plan->file->variables[i].value, strlen(plan->file->variables[i].value));
	if (plan->file)
		yaml_file_free(&schema, plan->file);
	buf_done(&plan->text);
	free(plan);
	return NULL;
}

void plan_freep(struct plan **plan)
{
	*plan = plan_free(*plan);
}

/* What a file names lies beside it. */
static char *beside(const char *path, const char *name)
{
	const char *slash = strrchr(path, '/');

	return *name == '/' || !slash ? mem_strdup(name) : mem_printf("%.*s/%s", (int)(slash - path), path, name);
}

static int read_text(struct plan *plan, const char *path, const char *name, struct error *err)
{
	_cleanup_(mem_freep) char *full = beside(path, name);
	int r = fs_read(&plan->text, full, CONFIG_MAX, err);

	return r == FS_ABSENT ? error_set(err, CLI_ABSENT, "there is no '%s'", full) : r;
}

static int take_change(struct plan *plan, const char *path, struct error *err)
{
	const struct plan_file *f = plan->file;
	const char *mode = f->mode ? f->mode : f->file ? "whole" : "lines";
	int r = 0;

	if ((f->template != NULL) + (f->inline_ != NULL) + (f->lines != NULL) + (f->file != NULL) != 1)
		return error_set(err, E_FORMAT, "exactly one of 'template', 'inline', 'lines' and 'file' says what is to change");
	if (strcmp(mode, "whole") != 0 && strcmp(mode, "lines") != 0)
		return error_set(err, E_FORMAT, "mode '%.40s' is neither 'whole' nor 'lines'", mode);
	plan->is_whole = !strcmp(mode, "whole");
	if (plan->is_whole && f->lines)
		return error_set(err, E_FORMAT, "'lines' are entered line by line; mode 'whole' does not fit them");
	plan->is_template = !f->file;
	plan->text_name = f->template ? f->template : f->file ? f->file : f->inline_ ? "inline" : "lines";
	if (f->template || f->file)
		r = read_text(plan, path, f->template ? f->template : f->file, err);
	else
		buf_add_str(&plan->text, f->inline_ ? f->inline_ : f->lines);
	if (r == 0 && !plan->text.len)
		return error_set(err, E_FORMAT, "'%s' is empty", plan->text_name);
	return r;
}

int plan_read_value(char **out, const char *name, const char *path, struct error *err)
{
	_cleanup_(secret_done) struct secret text = { 0 };
	size_t len;
	int r = secret_load(&text, path, SECRET_FILE_MAX, err);

	if (r == FS_ABSENT)
		return error_set(err, CLI_ABSENT, "variable '%s': there is no '%s'", name, path);
	if (r < 0)
		return error_add(err, "variable '%s'", name);
	len = text.len && text.ptr[text.len - 1] == '\n' ? text.len - 1 : text.len;
	if (memchr(text.ptr, 0, len) || memchr(text.ptr, '\n', len))
		return error_set(err, E_FORMAT, "variable '%s': '%s' is not one line of text", name, path);
	*out = mem_strndup((const char *)text.ptr, len);
	return 0;
}

/* What the plan names lies beside it. */
static int read_secret(struct plan_variable *v, const char *path, struct error *err)
{
	_cleanup_(mem_freep) char *full = beside(path, v->file);

	return plan_read_value(&v->value, v->name, full, err);
}

static bool is_builtin(const char *name)
{
	return !strncmp(name, "device.", 7) || !strncmp(name, "label.", 6);
}

static int take_variable(struct plan_variable *v, const char *path, struct error *err)
{
	if (strspn(v->name, "abcdefghijklmnopqrstuvwxyz0123456789._-") != strlen(v->name) || !strcmp(v->name, "."))
		return error_set(err, E_FORMAT, "'%.63s' is no name for a variable: a-z 0-9 . _ -", v->name);
	if (is_builtin(v->name))
		return error_set(err, E_FORMAT, "variable '%.63s': what begins with 'device.' or 'label.' is given by the device", v->name);
	if ((v->value != NULL) + (v->file != NULL) + (v->values_count > 0) > 1)
		return error_set(err, E_FORMAT, "variable '%.63s' has more than one of 'value', 'values' and 'file'", v->name);
	return v->file ? read_secret(v, path, err) : 0;
}

static int take_duration(int64_t *out, const char *key, const char *text, int64_t or_else, int64_t most, struct error *err)
{
	*out = or_else;
	if (!text)
		return 0;
	if (!strcmp(text, "0")) {
		*out = 0;
		return 0;
	}
	if (args_duration(out, text, err) < 0) {
		err->code = E_FORMAT;
		return error_add(err, "'%s'", key);
	}
	return *out <= most ? 0 : error_set(err, E_FORMAT, "'%s: %s' is too long", key, text);
}

/* A time, or how long from now. */
static int take_time(int64_t *out, const char *key, const char *text, int64_t now_s, int64_t or_else_s, struct error *err)
{
	int64_t left_s;

	if (text && clock_parse(out, bytes_str(text)))
		return 0;
	if (take_duration(&left_s, key, text, or_else_s, INT64_MAX / 2, err) < 0)
		return error_add(err, "write a time as 2026-11-22T22:00:00Z, or a duration");
	*out = now_s + left_s;
	return 0;
}

static int take_times(struct plan *plan, int64_t now_s, struct error *err)
{
	const struct plan_file *f = plan->file;

	if (take_duration(&plan->soak_s, "soak", f->soak, 0, SOAK_MAX_S, err) < 0 ||
	    take_duration(&plan->confirm_s, "confirm", f->confirm, -1, 3600, err) < 0 ||
	    take_duration(&plan->settle_s, "settle", f->settle, -1, 3600, err) < 0 ||
	    take_time(&plan->not_before_s, "not-before", f->not_before, now_s, 0, err) < 0 ||
	    take_time(&plan->expires_s, "expires", f->expires, now_s, EXPIRES_DEFAULT_S, err) < 0)
		return err->code;
	if (plan->confirm_s >= 0 && plan->confirm_s < 10)
		return error_set(err, E_FORMAT, "'confirm: %s' is less than 10 seconds", f->confirm);
	if (plan->expires_s <= plan->not_before_s || plan->expires_s <= now_s)
		return error_set(err, E_FORMAT, "it expires before it begins, or has expired");
	for (unsigned i = 0; i < f->windows_count; i++)
		if (!window_parse_ok(f->windows[i]))
			return error_set(err, E_FORMAT, "window '%.60s' is none; write 'sat,sun 22:00-04:00' or 'daily 01:00-05:00' (UTC)",
					 f->windows[i]);
	return 0;
}

int plan_load(struct plan **out, const char *path, int64_t now_s, struct error *err)
{
	_cleanup_(plan_freep) struct plan *plan = mem_alloc(sizeof(*plan));
	void *file = NULL;
	int r = yaml_file_load(&file, path, &schema, err);

	if (r == E_SYS && !err->sys)
		err->code = r = CLI_ABSENT;
	if (r < 0)
		return r;
	plan->file = file;
	for (unsigned i = 0; i < plan->file->variables_count && r == 0; i++)
		r = take_variable(&plan->file->variables[i], path, err);
	if (r == 0)
		r = take_change(plan, path, err);
	if (r == 0)
		r = take_times(plan, now_s, err);
	if (r < 0)
		return error_add(err, "%s", path);
	*out = steal(plan);
	return 0;
}

/* ---- who ---- */

/* Do the selectors in this text, with blanks between, mean this device? */
static bool is_meant(const char *whom, const struct fleet_member *m)
{
	_cleanup_(mem_freep) char *copy = mem_strdup(whom);
	const char *terms[PLAN_TERMS_MAX];
	size_t count = 0;
	char *save, *term;

	for (term = strtok_r(copy, " ", &save); term && count < PLAN_TERMS_MAX; term = strtok_r(NULL, " ", &save))
		terms[count++] = term;
	return select_matches(terms, count, m->id, m->name, m->labels);
}

const char *plan_obstacle(const struct fleet_member *m, int64_t now_s)
{
	if (!m->is_admitted)
		return "not admitted";
	if (m->forks)
		return "its chain is forked: a clone, or a roll-back";
	if (!m->snapshot)
		return "it has sent no snapshot yet";
	if (m->hold_s > now_s)
		return "held";
	if (!strcmp(m->saved, "no"))
		return "it has unsaved changes";
	if (strcmp(m->saved, "yes") != 0)
		return "not all of it answers";
	return form_of(m->driver) ? NULL : "its kind of device is not known here";
}

static const char *label_value(const struct fleet_member *m, const char *key, size_t *len)
{
	size_t key_len = strlen(key);

	for (const char *label = m->labels; *label; label += strcspn(label, " ") + (label[strcspn(label, " ")] == ' ')) {
		if (strncmp(label, key, key_len) != 0 || label[key_len] != ':')
			continue;
		*len = strcspn(label, " ") - key_len - 1;
		return label + key_len + 1;
	}
	return NULL;
}

/* By label: who has the same value as an earlier one is of its group. */
static void group_by_label(struct plan_targets *t, const char *key, size_t *groups)
{
	for (size_t i = 0; i < t->count; i++) {
		size_t len, other_len;
		const char *value = label_value(t->targets[i].member, key, &len), *other;

		if (!value || t->targets[i].group)
			continue;
		t->targets[i].group = ++*groups;
		for (size_t k = i + 1; k < t->count; k++) {
			other = label_value(t->targets[k].member, key, &other_len);
			if (other && other_len == len && !memcmp(other, value, len))
				t->targets[k].group = *groups;
		}
	}
}

static int check_groups(const struct plan_targets *t, size_t groups, struct error *err)
{
	for (size_t g = 1; g <= groups; g++) {
		size_t members = 0;

		for (size_t i = 0; i < t->count; i++)
			members += t->targets[i].group == g;
		if (members > ORDER_MEMBERS_MAX)
			return error_set(err, E_FORMAT, "an atomic group has %zu devices; at most %d can wait for each other", members,
					 ORDER_MEMBERS_MAX);
	}
	return 0;
}

static int put_groups(struct plan_targets *t, const struct plan *plan, struct error *err)
{
	const struct plan_file *f = plan->file;
	size_t groups = 0;

	for (unsigned g = 0; g < f->atomic_count; g++) {
		groups++;
		for (size_t i = 0; i < t->count; i++) {
			if (!is_meant(f->atomic[g], t->targets[i].member))
				continue;
			if (t->targets[i].group)
				return error_set(err, E_FORMAT, "'%s' is in two atomic groups", t->targets[i].member->name);
			t->targets[i].group = groups;
		}
	}
	if (f->atomic_by && f->atomic_count)
		return error_set(err, E_FORMAT, "'atomic' and 'atomic-by' exclude each other");
	if (f->atomic_by)
		group_by_label(t, f->atomic_by, &groups);
	return check_groups(t, groups, err);
}

/* Moves members of a group behind the first of them. */
static void gather_groups(struct plan_targets *t)
{
	for (size_t i = 0; i < t->count; i++) {
		size_t end = i + 1;

		if (!t->targets[i].group || (i && t->targets[i - 1].group == t->targets[i].group))
			continue;
		for (size_t k = end; k < t->count; k++) {
			struct plan_target moved = t->targets[k];

			if (moved.group != t->targets[i].group)
				continue;
			memmove(&t->targets[end + 1], &t->targets[end], (k - end) * sizeof(moved));
			t->targets[end++] = moved;
		}
	}
}

static void put_first(struct plan_targets *t, const char *first)
{
	size_t end = 0;

	for (size_t i = 0; i < t->count; i++) {
		struct plan_target moved = t->targets[i];

		if (!is_meant(first, moved.member))
			continue;
		memmove(&t->targets[end + 1], &t->targets[end], (i - end) * sizeof(moved));
		t->targets[end++] = moved;
	}
}

int plan_targets(struct plan_targets *out, const struct plan *plan, const struct fleet_list *list, int64_t now_s, struct error *err)
{
	_cleanup_(plan_targets_done) struct plan_targets t = { 0 };
	const struct plan_file *f = plan->file;

	t.targets = mem_alloc((list->count + 1) * sizeof(*t.targets));
	for (size_t i = 0; i < list->count; i++) {
		const struct fleet_member *m = &list->members[i];

		if (select_matches((const char *const *)f->targets, f->targets_count, m->id, m->name, m->labels))
			t.targets[t.count++].member = m;
	}
	if (!t.count)
		return error_set(err, CLI_ABSENT, "no device is meant by 'targets'; see: holdfast device list");
	if (f->first)
		put_first(&t, f->first);
	if (put_groups(&t, plan, err) < 0)
		return err->code;
	gather_groups(&t);
	for (size_t i = 0; i < t.count; i++)
		if (plan_obstacle(t.targets[i].member, now_s))
			plan_leave_out(&t, i, plan_obstacle(t.targets[i].member, now_s), true);
	plan_settle(&t);
	*out = t;
	t = (struct plan_targets){ 0 };
	return 0;
}

void plan_targets_done(struct plan_targets *t)
{
	free(t->targets);
	*t = (struct plan_targets){ 0 };
}

void plan_leave_out(struct plan_targets *t, size_t i, const char *why, bool with_group)
{
	size_t group = t->targets[i].group;

	t->targets[i].why_not = why;
	for (size_t k = 0; k < t->count && group && with_group; k++)
		if (t->targets[k].group == group && !t->targets[k].why_not)
			t->targets[k].why_not = "another device of its atomic group is left out";
}

void plan_settle(struct plan_targets *t)
{
	struct plan_target *settled = mem_alloc((t->count + 1) * sizeof(*settled));
	size_t n = 0;

	for (int left_out = 0; left_out < 2; left_out++) {
		for (size_t i = 0; i < t->count; i++)
			if ((t->targets[i].why_not != NULL) == left_out)
				settled[n++] = t->targets[i];
		if (!left_out)
			t->active = n;
	}
	free(t->targets);
	t->targets = settled;
}

/* ---- waves ---- */

/* How many devices a wave has: "3", "25%" of all (rounded up), "rest". */
static bool wave_size(uint64_t *out, const char *text, uint64_t total, uint64_t left)
{
	size_t len = strlen(text);
	uint64_t n;

	if (!strcmp(text, "rest")) {
		*out = left;
		return true;
	}
	if (len > 1 && text[len - 1] == '%') {
		while (len > 2 && text[len - 2] == ' ')
			len--;
		if (!number_parse(&n, bytes_of(text, len - 1)) || !n || n > 100)
			return false;
		*out = (total * n + 99) / 100;
		return true;
	}
	return number_parse(out, bytes_str(text)) && *out;
}

static uint64_t whole_group(const struct plan_targets *t, uint64_t end)
{
	while (end && end < t->active && t->targets[end].group && t->targets[end].group == t->targets[end - 1].group)
		end++;
	return end;
}

int plan_waves(uint32_t ends[static ORDER_WAVES_MAX], size_t *count, const struct plan *plan, const struct plan_targets *t,
	       struct error *err)
{
	uint64_t end = 0, size;

	*count = 0;
	for (unsigned i = 0; i < plan->file->waves_count; i++) {
		if (!wave_size(&size, plan->file->waves[i], t->active, t->active - end))
			return error_set(err, E_FORMAT,
					 "'%.40s' is no wave; write a number of devices, a percentage of all ('25%%'), or 'rest'",
					 plan->file->waves[i]);
		if (end == t->active)
			continue; /* the waves before took all */
		end = whole_group(t, size < t->active - end ? end + size : t->active);
		ends[(*count)++] = (uint32_t)end;
	}
	if (end < t->active && *count == ORDER_WAVES_MAX)
		return error_set(err, E_FORMAT, "%d waves leave %zu %s over; let the last one be 'rest'", ORDER_WAVES_MAX,
				 (size_t)(t->active - end), plural(t->active - end, "device", "devices"));
	if (end < t->active)
		ends[(*count)++] = (uint32_t)t->active;
	return 0;
}

/* ---- what ---- */

static bool find_builtin(struct plan_variables *v, const char *name)
{
	const char *value = NULL;
	size_t len = 0;

	if (!strcmp(name, "device.name"))
		value = v->member->name;
	else if (!strcmp(name, "device.id"))
		value = v->member->id;
	else if (!strncmp(name, "label.", 6))
		value = label_value(v->member, name + 6, &len);
	if (!value)
		return false;
	snprintf(v->text, sizeof(v->text), "%.*s", len ? (int)len : (int)strlen(value), value);
	v->value = v->text;
	return true;
}

bool plan_find_variable(void *variables, const char *name, struct template_value *out)
{
	struct plan_variables *v = variables;
	const struct plan_file *f = v->plan->file;

	if (is_builtin(name)) {
		*out = (struct template_value){ .count = 1, .values = &v->value };
		return find_builtin(v, name);
	}
	for (size_t i = f->variables_count; i--;) { /* the last that fits counts */
		const struct plan_variable *one = &f->variables[i];

		if (strcmp(one->name, name) != 0 || (one->whom && !is_meant(one->whom, v->member)))
			continue;
		v->value = one->value;
		*out = one->value ? (struct template_value){ .count = 1, .values = &v->value }
				  : (struct template_value){ .is_list = true,
							     .count = one->values_count,
							     .values = (const char *const *)one->values };
		return true;
	}
	return false;
}

static int render(struct buf *out, const struct plan *plan, const char *name, struct bytes text, const struct fleet_member *member,
		  const struct form *form, struct error *err)
{
	struct plan_variables variables = { .plan = plan, .member = member };
	struct template_job job = { name, text, member->name, form, plan_find_variable, &variables };

	return template_render(out, &job, err);
}

int plan_render(struct buf *out, const struct plan *plan, const struct fleet_member *member, const struct form *form, struct error *err)
{
	if (plan->is_template)
		return render(out, plan, plan->text_name, buf_bytes(&plan->text), member, form, err);
	buf_add_bytes(out, buf_bytes(&plan->text));
	return 0;
}

int plan_probe(struct buf *out, const struct plan *plan, size_t i, const struct fleet_member *member, const struct form *form,
	       struct error *err)
{
	return render(out, plan, "probes", bytes_str(plan->file->probes[i]), member, form, err);
}

int plan_management(struct buf *out, const struct plan *plan, const struct fleet_member *member, const struct form *form, struct error *err)
{
	_cleanup_(buf_done) struct buf line = { 0 }, made = { 0 };
	static const char head[] = "address ";
	int r;

	if (!plan->file->management)
		return 0;
	buf_addf(&line, "%s%s", head, plan->file->management); /* a value may not stand first */
	r = render(&made, plan, "management", buf_bytes(&line), member, form, err);
	if (r == 0)
		buf_add_bytes(out, bytes_from(buf_bytes(&made), sizeof(head) - 1));
	return r;
}
