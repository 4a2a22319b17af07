/* cli/api-history.c -- the server's log is the one that was seen before, only longer; or nothing it says is believed. */
#include "cli/api-parts.h"

#include "base/plural.h"
#include "cli/contradiction.h"
#include "cli/output.h"
#include "crypto/merkle.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

enum { HISTORY_TRIES = 5, NEW_KEY_WAIT_MS = 700 };

/* The server's own words against it, when it gives them: asked for again, with the growth behind it. */
static char *keep_proof(struct api *api, struct home *home)
{
	struct contradiction given = { 0 };
	struct error ignored;
	char *path = NULL;

	if (!home->checkpoint)
		return NULL;
	if (contradiction_fetch(&given, api, statement_number(home->checkpoint, "size"), &ignored) == 0)
		path = contradiction_keep(home, &given);
	contradiction_done(&given);
	return path;
}

static int refuse_history(struct api *api, struct home *home, struct error *err)
{
	_cleanup_(mem_freep) char *proof = NULL;
	char why[200];

	snprintf(why, sizeof(why), "%s", err->text);
	proof = keep_proof(api, home);
	if (proof)
		output_note("holdfast: the archive signed two histories; the proof, for everybody who has the root, is in '%s'", proof);
	return error_set(err, E_SEAL,
			 "the server shows another history than before: %s. It was set back, or it lies. Nothing that is remembered was "
			 "changed. Do not go on; judge a mirror with: holdfast audit. Only if it was restored from a backup, and you trust "
			 "it, move '%s/seen' away",
			 why, home->dir);
}

static bool read_proof(struct merkle_hash *out, size_t *count, const json_t *json)
{
	const json_t *list = json_object_get(json, "proof");

	*count = json_array_size(list);
	if (!json_is_array(list) || *count > MERKLE_PROOF_MAX)
		return false;
	for (size_t i = 0; i < *count; i++) {
		const char *text = json_string_value(json_array_get(list, i));

		if (!text || !hex_decode(out[i].b, HASH_LEN, bytes_str(text)))
			return false;
	}
	return true;
}

/* Only where the log grew; the rest the home judges. */
static int check_consistency(struct api *api, const struct statement *seen, const struct statement *next, struct error *err)
{
	uint64_t from = statement_number(seen, "size"), to = statement_number(next, "size");
	struct merkle_hash proof[MERKLE_PROOF_MAX], old_tree, new_tree;
	_cleanup_(mem_freep) char *path = NULL;
	json_t *json = NULL;
	size_t count = 0;
	bool ok;
	int r;

	if (to <= from || !from)
		return 0;
	path = mem_printf("/v1/consistency?from=%llu&to=%llu", (unsigned long long)from, (unsigned long long)to);
	r = api_get_json(&json, api, path, err);
	if (r == CLI_ABSENT)
		return error_set(err, E_SEAL, "the server cannot prove that the log only grew");
	if (r < 0)
		return r;
	statement_get_hash(old_tree.b, seen, "tree");
	statement_get_hash(new_tree.b, next, "tree");
	ok = read_proof(proof, &count, json) && merkle_verify_consistency(from, old_tree, to, new_tree, proof, count);
	json_decref(json);
	return ok ? 0 :
		    error_set(err, E_SEAL, "the log of %llu %s does not continue the one of %llu", (unsigned long long)to,
			      plural(to, "statement", "statements"), (unsigned long long)from);
}

struct fleet_answer {
	char fleet[ID_LEN + 1], commit[41];
	uint64_t root, log_size;
};

static int get_fleet(struct fleet_answer *out, struct api *api, struct error *err)
{
	const char *fleet = NULL, *commit = NULL;
	json_int_t root = 0, size = 0;
	uint8_t raw[20];
	json_t *json;
	int r = api_get_json(&json, api, "/v1/fleet", err);

	if (r < 0)
		return r;
	*out = (struct fleet_answer){ 0 };
	if (json_unpack(json, "{s:s, s:I, s:s, s:I}", "fleet", &fleet, "root", &root, "commit", &commit, "log-size", &size) < 0 ||
	    !id_is_valid(bytes_str(fleet)) || (*commit && !hex_decode(raw, sizeof(raw), bytes_str(commit))) || root < 1 || size < 0) {
		r = error_set(err, E_PEER, "the server's answer to '/v1/fleet' is not of the documented form");
	} else {
		strcpy(out->fleet, fleet);
		strcpy(out->commit, commit);
		out->root = (uint64_t)root;
		out->log_size = (uint64_t)size;
	}
	json_decref(json);
	return r;
}

/* 1: there is none yet, and none was seen. */
static int get_checkpoint(struct statement **out, struct api *api, bool was_seen, struct error *err)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	size_t used = 0;
	int r = api_get(&text, api, "/v1/checkpoint", STATEMENT_MAX, err);

	if (r == CLI_ABSENT)
		return was_seen ? error_set(err, E_SEAL, "it has no checkpoint any more") : 1;
	if (r < 0)
		return r;
	if (statement_parse(out, buf_bytes(&text), false, &used, err) < 0)
		return error_set(err, E_SEAL, "its checkpoint is none");
	if (used == text.len && statement_type(*out) == STATEMENT_CHECKPOINT)
		return 0;
	*out = statement_free(*out);
	return error_set(err, E_SEAL, "its checkpoint is none");
}

static int check_fleet(const struct home *home, const struct fleet_answer *answer, struct error *err)
{
	if (strcmp(answer->fleet, home->fleet) != 0)
		return error_set(err, E_SEAL, "it is that of fleet '%s', not of '%s'", answer->fleet, home->fleet);
	if (answer->root < root_version(home->root))
		return error_set(err, E_SEAL, "it knows root %llu, and %llu was in force", (unsigned long long)answer->root,
				 (unsigned long long)root_version(home->root));
	return 0;
}

/* Positive: something moved while we looked; look again. */
static int check_history_once(struct api *api, struct home *home, bool is_last, struct error *err)
{
	_cleanup_(statement_freep) struct statement *checkpoint = NULL;
	struct fleet_answer answer;
	bool belongs;
	int r = get_fleet(&answer, api, err);

	if (r == 0)
		r = check_fleet(home, &answer, err);
	if (r == 0)
		r = get_checkpoint(&checkpoint, api, home->checkpoint != NULL, err);
	if (r != 0)
		return r < 0 ? r : 0;
	belongs = statement_number(checkpoint, "size") == answer.log_size;
	if (!belongs && !is_last)
		return 1; /* a commit came between the two answers */
	if (home->checkpoint)
		r = check_consistency(api, home->checkpoint, checkpoint, err);
	if (r < 0)
		return r;
	r = home_take_seen(home, steal(checkpoint), belongs ? answer.commit : "", err);
	if (r == E_DENIED && !is_last) {
		/* a root that replaces the archive key is given out a moment before the new key's first checkpoint */
		poll(NULL, 0, NEW_KEY_WAIT_MS);
		return 1;
	}
	if (r == E_DENIED)
		err->code = r = E_SEAL; /* it is not signed as the root says */
	return r < 0 ? r : r == HOME_MOVED;
}

int api_check_history(struct api *api, struct home *home, struct error *err)
{
	int r = 1;

	for (unsigned i = 1; r > 0 && i <= HISTORY_TRIES; i++)
		r = check_history_once(api, home, i == HISTORY_TRIES, err);
	if (r > 0)
		return error_set(err, CLI_CONFLICT, "other commands keep changing what is remembered in '%s'; try again", home->dir);
	return r == E_SEAL ? refuse_history(api, home, err) : r;
}
