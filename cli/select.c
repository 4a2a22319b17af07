/* cli/select.c -- which devices are meant. */
#include "cli/select.h"

#include "crypto/key.h"

#include <fnmatch.h>
#include <string.h>

static bool has_label(const char *term, const char *labels)
{
	_cleanup_(mem_freep) char *copy = mem_strdup(labels);
	char *save, *label;

	for (label = strtok_r(copy, " ", &save); label; label = strtok_r(NULL, " ", &save))
		if (!fnmatch(term, label, 0))
			return true;
	return false;
}

static bool is_name(const char *term, const char *id, const char *name)
{
	size_t len = strlen(term);

	return (len >= SELECT_ID_PREFIX_MIN && len <= ID_LEN && !strncmp(term, id, len)) || (*name && !fnmatch(term, name, 0));
}

static bool holds(const char *term, const char *id, const char *name, const char *labels)
{
	return strchr(term, ':') ? has_label(term, labels) : is_name(term, id, name);
}

bool select_matches(const char *const terms[], size_t count, const char *id, const char *name, const char *labels)
{
	bool named = false, is_named = false;

	for (size_t i = 0; i < count; i++) {
		if (terms[i][0] == '!') {
			if (holds(terms[i] + 1, id, name, labels))
				return false;
		} else if (strchr(terms[i], ':')) {
			if (!has_label(terms[i], labels))
				return false;
		} else {
			named = true;
			is_named = is_named || is_name(terms[i], id, name);
		}
	}
	return !named || is_named;
}

int select_revision(struct revision_ref *out, const char *text, struct error *err)
{
	const char *at = strchr(text, '@');
	size_t len = at ? (size_t)(at - text) : strlen(text);

	*out = (struct revision_ref){ .is_given = at != NULL };
	if (!len || len >= sizeof(out->device))
		return error_set(err, E_FORMAT, "'%.80s' names no device; write NAME, ID or NAME@REVISION", text);
	memcpy(out->device, text, len);
	if (!at || !strcmp(at + 1, "newest"))
		return 0;
	if (!number_parse(&out->number, bytes_str(at + 1)) || !out->number)
		return error_set(err, E_FORMAT, "'%.20s' is no revision; see: holdfast log %s", at + 1, out->device);
	return 0;
}
