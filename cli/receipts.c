/* cli/receipts.c -- what a device's receipt says, in words. */
#include "cli/receipts.h"

#include <string.h>

/* Where a server, or somebody in between, is the likely cause. */
static const char changed[] = "the server, or something before it, changed it: look at its log, and run holdfast audit";
static const char misled[] = "the server gave out what does not belong there: run holdfast audit";
static const char again[] = "look (holdfast log, holdfast diff), and plan again";

/* One row for each check that a device makes before any effect. */
static const struct {
	const char *check;
	struct receipt_words words;
} refusals[] = {
	{ "size", { "the order is larger than a device takes", "make it smaller, and plan again", false } },
	{ "grammar", { "what arrived is no order", changed, false } },
	{ "type", { "what arrived is another type of statement", changed, false } },
	{ "fleet", { "it is of another fleet", misled, false } },
	{ "device", { "it is for another device", misled, false } },
	{ "root", { "it names a root that the device does not take", "plan again under the root in force (holdfast root show)", false } },
	{ "signer", { "its author may not order this, by the device's root", "let somebody with the role plan it again", false } },
	{ "threshold", { "not enough people agreed, by the device's root", "holdfast approval show, then holdfast rollout retry", false } },
	{ "number", { "its number was used already, or lies too far ahead", "holdfast log tells what used it; then plan again", true } },
	{ "root-expired", { "the fleet's root has expired", "holdfast root edit --expires 365d, then plan again", false } },
	{ "window", { "no maintenance window held until it expired", "plan again with another window or a later end", false } },
	{ "proof", { "its proof does not lead to what was signed", changed, false } },
	{ "kind", { "it is of another kind than what was signed", misled, false } },
	{ "payload", { "the configuration that came with it is not the one that was signed", changed, false } },
	{ "open", { "the configuration is not sealed to this device's key", "plan again: the device joined anew since", true } },
	{ "base", { "its configuration changed since the plan was made", again, true } },
	{ "unsaved", { "it has changes that are not saved", "holdfast commit or holdfast revert, then plan again", true } },
	{ "held", { "it is held", "holdfast status tells by whom; holdfast release, or wait, then plan again", true } },
	{ "busy", { "another change was under way", "wait until it is over, then plan again", true } },
	{ "driver", { "the device did not answer as it should", "when it answers again: holdfast rollout retry", false } },
	{ "syntax", { "the device does not accept a line of it", "mend the template, and plan again", false } },
	{ "capability", { "this device cannot do it", "its note says what would let it; or do it by other means", false } },
	{ "expired", { "it came after its end", "plan again; was the device away, or did the server withhold it?", false } },
	{ "challenge",
	  { "it names a challenge that the device does not say any more", "holdfast retire request again: it takes the newest", true } },
	{ "cancelled", { "people stopped it before anything was done to the device", "", false } },
	{ "not-yet", { "it came before its beginning", misled, false } },
};

static const struct {
	const char *outcome;
	struct receipt_words words;
} outcomes[] = {
	{ "done", { "done", "", false } },
	{ "healthy", { "applied and healthy, waits for the others of its group", "", false } },
	{ "armed", { "taken, and waits out the delay; then it erases", "one person stops it until then: holdfast retire cancel", false } },
	{ "superseded", { "not done: a newer order came with it", "", false } },
	{ "returned", { "was applied, not healthy in time, and is back to what it was", "mend what its note says; plan again", false } },
	{ "failed", { "neither the old nor the new: it did not return", "go and look at the device now; it is held until then", false } },
};

struct receipt_words receipt_words(const char *outcome, const char *check)
{
	for (size_t i = 0; i < ARRAY_SIZE(outcomes); i++)
		if (!strcmp(outcomes[i].outcome, outcome))
			return outcomes[i].words;
	for (size_t i = 0; i < ARRAY_SIZE(refusals) && !strcmp(outcome, "refused") && check; i++)
		if (!strcmp(refusals[i].check, check))
			return refusals[i].words;
	return (struct receipt_words){ "it says what this version of holdfast does not know", "update holdfast", false };
}

int receipt_verify(const struct statement *receipt, const char *fleet, const char *device, const struct sign_pub *key, struct error *err)
{
	if (statement_type(receipt) != STATEMENT_RECEIPT)
		return error_set(err, E_SEAL, "it is a %s, no receipt", statement_type_name(statement_type(receipt)));
	if (strcmp(statement_get(receipt, "fleet"), fleet) != 0 || strcmp(statement_get(receipt, "device"), device) != 0)
		return error_set(err, E_SEAL, "it is of device '%s' of fleet '%s'", statement_get(receipt, "device"),
				 statement_get(receipt, "fleet"));
	return statement_verify_by(receipt, key, err) < 0 ? (err->code = E_SEAL) : 0;
}
