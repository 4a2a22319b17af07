/* cli/rule-name.c -- how people name a rule. */
#include "cli/rule-name.h"

#include "cli/cli.h"

#include <string.h>

static bool take(char out[static 64], const char *from, size_t len)
{
	if (!len || len > 63)
		return false;
	for (size_t i = 0; i < len; i++)
		if (!strchr("abcdefghijklmnopqrstuvwxyz0123456789-", from[i]))
			return false;
	memcpy(out, from, len);
	out[len] = 0;
	return true;
}

int rule_name_parse_any(struct rule_name *out, const char *text, struct error *err)
{
	size_t len = strcspn(text, "/");

	*out = (struct rule_name){ .pack = "" };
	if (take(out->pack, text, len) && (!text[len] || take(out->rule, text + len + 1, strlen(text + len + 1))))
		return 0;
	return error_set(err, CLI_USAGE, "'%.80s' is no rule; write PACK/RULE, as in weos/default-admin", text);
}

int rule_name_parse(struct rule_name *out, const char *text, struct error *err)
{
	int r = rule_name_parse_any(out, text, err);

	return r < 0 || *out->rule
		       ? r
		       : error_set(err, CLI_USAGE, "which rule of '%s'? write PACK/RULE; see: holdfast policy show %s", text, text);
}
