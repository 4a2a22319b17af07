/* cli/open.c -- opens what the archive keeps: fetch, verify, unseal. */
#include "cli/open.h"

#include "base/plural.h"
#include "cli/enrolment.h"
#include "crypto/merkle.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum { PROOF_ANSWER_MAX = 64 << 10 };

struct known_device {
	struct open_device d;
	struct known_device *next;
};

struct known_epoch {
	char id[ID_LEN + 1];
	uint64_t epoch, number;
	struct age_identity body, secrets;
	bool has_secrets;
	struct known_epoch *next;
};

struct opener {
	struct open_source source;
	struct known_device *devices;
	struct known_epoch *epochs;
	/* The log as far as it is known to be one: everything that devices saw must be part of it. */
	uint64_t log_size;
	struct merkle_hash log_tree;
	/* The last point that was proved. */
	uint64_t proved_size;
	struct merkle_hash proved_tree;
};

static void take_log(struct opener *o, const struct statement *checkpoint)
{
	o->log_size = statement_number(checkpoint, "size");
	statement_get_hash(o->log_tree.b, checkpoint, "tree");
}

struct opener *opener_new(const struct open_source *source)
{
	struct opener *o = mem_alloc(sizeof(*o));

	o->source = *source;
	if (source->checkpoint)
		take_log(o, source->checkpoint);
	return o;
}

static void device_free(struct known_device *known)
{
	statement_free(known->d.enrol);
	statement_free(known->d.admit);
	free(known);
}

static void epoch_free(struct known_epoch *known)
{
	age_identity_done(&known->body);
	age_identity_done(&known->secrets);
	free(known);
}

void opener_forget(struct opener *o)
{
	while (o->devices) {
		struct known_device *next = o->devices->next;

		device_free(o->devices);
		o->devices = next;
	}
	while (o->epochs) {
		struct known_epoch *next = o->epochs->next;

		epoch_free(o->epochs);
		o->epochs = next;
	}
}

struct opener *opener_free(struct opener *o)
{
	if (!o)
		return NULL;
	opener_forget(o);
	free(o);
	return NULL;
}

void opener_freep(struct opener **o)
{
	*o = opener_free(*o);
}

/* ---- what comes from the server ---- */

/* It does not prove what it should: for whoever reads it that is one failure, whatever the reason. */
static int refuse(struct error *err, const char *path)
{
	error_add(err, "what the server gives for '%s' does not hold", path);
	return err->code = E_SEAL;
}

/* Exactly one container of this type with all seals that it lists. */
static int fetch(struct container *out, struct buf *bytes, const struct opener *o, const char *path, enum statement_type type,
		 struct error *err)
{
	size_t used = 0;
	int r = o->source.get(o->source.ctx, bytes, path, CONTAINER_MAX, err);

	if (r < 0)
		return r;
	if (container_parse(out, buf_bytes(bytes), CONTAINER_FULL, &used, err) < 0)
		return refuse(err, path);
	if (statement_type(out->st) == type && used == bytes->len)
		return 0;
	container_done(out);
	error_set(err, E_SEAL, "it is not one %s and nothing else", statement_type_name(type));
	return refuse(err, path);
}

static int check_whose(const struct opener *o, const struct statement *st, const char *id, struct error *err)
{
	if (strcmp(statement_get(st, "fleet"), o->source.fleet) != 0)
		return error_set(err, E_SEAL, "it is of fleet '%s'", statement_get(st, "fleet"));
	if (strcmp(statement_get(st, "device"), id) != 0)
		return error_set(err, E_SEAL, "it is of device '%s'", statement_get(st, "device"));
	return 0;
}

/* ---- devices ---- */

static int get_enrol(struct open_device *d, const struct opener *o, struct error *err)
{
	_cleanup_(mem_freep) char *path = mem_printf("/v1/devices/%s/enrol", d->id);
	_cleanup_(buf_done) struct buf whole = { 0 };
	int r = o->source.get(o->source.ctx, &whole, path, STATEMENT_MAX, err);

	if (r == 0)
		r = enrolment_open(&d->enrol, buf_bytes(&whole), o->source.fleet, d->id, err);
	return r < 0 ? r : sign_pub_parse(&d->key, bytes_str(statement_get(d->enrol, "key")), false, err);
}

/* Judged by the root that it names. A dismissed admin could date one back, and the server would have to help: so whoever shows the result
 * says it, and holdfast audit, which knows the place in the log, decides. */
static int get_admit(struct open_device *d, const struct opener *o, struct error *err)
{
	_cleanup_(mem_freep) char *path = mem_printf("/v1/devices/%s/admit", d->id);
	_cleanup_(buf_done) struct buf bytes = { 0 };
	struct container c;
	struct error ignored;
	int r = fetch(&c, &bytes, o, path, STATEMENT_ADMIT, err);

	if (r < 0)
		return r;
	d->admit = steal(c.st);
	r = enrolment_admitted(d->admit, d->enrol, o->source.roots, o->source.root_count, err);
	if (r < 0)
		return r;
	d->name = statement_get(d->admit, "device-name");
	d->admitted_by = root_person_of(o->source.roots[statement_number(d->admit, "root") - 1], &statement_sig(d->admit, 0)->key);
	d->is_by_old_root = root_verify(o->source.roots[o->source.root_count - 1], d->admit, &ignored) < 0;
	return 0;
}

static int learn_device(struct open_device *d, const struct opener *o, struct error *err)
{
	int r = get_enrol(d, o, err);

	if (r == 0)
		r = get_admit(d, o, err);
	return r < 0 ? error_add(err, "device '%s'", d->id) : 0;
}

int opener_device(const struct open_device **out, struct opener *o, const char *id, struct error *err)
{
	struct known_device *known;
	int r;

	for (known = o->devices; known; known = known->next) {
		if (!strcmp(known->d.id, id)) {
			*out = &known->d;
			return 0;
		}
	}
	known = mem_alloc(sizeof(*known));
	memcpy(known->d.id, id, sizeof(known->d.id));
	r = learn_device(&known->d, o, err);
	if (r < 0) {
		device_free(known);
		return r;
	}
	known->next = o->devices;
	o->devices = known;
	*out = &known->d;
	return 0;
}

/* ---- the log that a device saw ---- */

static int parse_proof(struct merkle_hash proof[static MERKLE_PROOF_MAX], size_t *len, struct bytes text, struct error *err)
{
	json_t *json = json_loadb((const char *)text.ptr, text.len, JSON_REJECT_DUPLICATES, NULL), *list = json_object_get(json, "proof");
	bool ok = json_is_array(list) && json_array_size(list) <= MERKLE_PROOF_MAX;

	*len = ok ? json_array_size(list) : 0;
	for (size_t i = 0; i < *len && ok; i++) {
		const char *hex = json_string_value(json_array_get(list, i));

		ok = hex && hex_decode(proof[i].b, HASH_LEN, bytes_str(hex));
	}
	json_decref(json);
	return ok ? 0 : error_set(err, E_SEAL, "it is no proof");
}

/* Is the log of this size and tree the beginning of that one? The server has to prove it. */
static int check_consistency(const struct opener *o, uint64_t size, struct merkle_hash tree, uint64_t to_size, struct merkle_hash to_tree,
			     struct error *err)
{
	_cleanup_(mem_freep) char *path =
		mem_printf("/v1/consistency?from=%llu&to=%llu", (unsigned long long)size, (unsigned long long)to_size);
	_cleanup_(buf_done) struct buf text = { 0 };
	struct merkle_hash proof[MERKLE_PROOF_MAX];
	size_t len = 0;
	int r;

	if (size == to_size && memcmp(tree.b, to_tree.b, HASH_LEN) != 0)
		return error_set(err, E_SEAL, "there are two logs of %llu %s", (unsigned long long)size,
				 plural(size, "statement", "statements"));
	if (size == to_size)
		return 0;
	r = o->source.get(o->source.ctx, &text, path, PROOF_ANSWER_MAX, err);
	if (r == 0)
		r = parse_proof(proof, &len, buf_bytes(&text), err);
	if (r == CLI_ABSENT || r == E_SEAL)
		return refuse(err, path);
	if (r < 0)
		return r;
	if (!merkle_verify_consistency(size, tree, to_size, to_tree, proof, len))
		return error_set(err, E_SEAL, "the log of %llu %s does not go on as that of %llu", (unsigned long long)size,
				 plural(size, "statement", "statements"), (unsigned long long)to_size);
	return 0;
}

/* The log has grown since the command began. */
static int renew_log(struct opener *o, struct error *err)
{
	static const char path[] = "/v1/checkpoint";
	_cleanup_(buf_done) struct buf bytes = { 0 };
	_cleanup_(container_done) struct container c = { 0 };
	struct opener next = *o;
	int r = fetch(&c, &bytes, o, path, STATEMENT_CHECKPOINT, err);

	if (r < 0)
		return r;
	if (root_verify(o->source.roots[o->source.root_count - 1], c.st, err) < 0)
		return refuse(err, path);
	take_log(&next, c.st);
	if (next.log_size < o->log_size)
		return error_set(err, E_SEAL, "the log has %llu %s, and had %llu", (unsigned long long)next.log_size,
				 plural(next.log_size, "statement", "statements"), (unsigned long long)o->log_size);
	r = o->log_size ? check_consistency(o, o->log_size, o->log_tree, next.log_size, next.log_tree, err) : 0;
	if (r < 0)
		return r;
	o->log_size = next.log_size;
	o->log_tree = next.log_tree;
	return 0;
}

/* A forked view meets itself here: the device signed what it was shown, and we hold what we were shown. */
static int check_seen(struct opener *o, const struct statement *st, struct error *err)
{
	struct merkle_hash tree;
	uint64_t size;
	int r;

	if (!statement_get_point(&size, tree.b, st, "checkpoint") || !size)
		return 0; /* it had not seen one yet */
	if (size == o->proved_size && !memcmp(tree.b, o->proved_tree.b, HASH_LEN))
		return 0;
	r = size > o->log_size ? renew_log(o, err) : 0;
	if (r < 0)
		return r;
	if (size > o->log_size)
		return error_set(err, E_SEAL, "it saw a log of %llu %s, and we are shown %llu: the server hides some from us",
				 (unsigned long long)size, plural(size, "statement", "statements"), (unsigned long long)o->log_size);
	r = check_consistency(o, size, tree, o->log_size, o->log_tree, err);
	if (r < 0)
		return r == E_SEAL ? error_add(err, "the device was shown another log than we are") : r;
	o->proved_size = size;
	o->proved_tree = tree;
	return 0;
}

/* ---- epochs ---- */

static int check_epoch(const struct container *c, const struct opener *o, const struct open_device *d, uint64_t epoch, struct error *err)
{
	if (check_whose(o, c->st, d->id, err) < 0 || statement_verify_by(c->st, &d->key, err) < 0)
		return err->code;
	if (statement_number(c->st, "epoch") != epoch)
		return error_set(err, E_SEAL, "it is epoch %llu", (unsigned long long)statement_number(c->st, "epoch"));
	return 0;
}

int opener_epoch(struct container *out, struct buf *bytes, struct opener *o, const char *id, uint64_t epoch, struct error *err)
{
	_cleanup_(mem_freep) char *path = mem_printf("/v1/devices/%s/epochs/%llu", id, (unsigned long long)epoch);
	const struct open_device *d;
	struct container c;
	int r = opener_device(&d, o, id, err);

	if (r < 0)
		return r;
	r = fetch(&c, bytes, o, path, STATEMENT_EPOCH, err);
	if (r == CLI_ABSENT)
		return error_set(err, CLI_ABSENT,
				 "the keys of epoch %llu of '%s' are not on the server: they were shredded, or its keyring is not whole; "
				 "what is sealed to them opens with an exported keyring only",
				 (unsigned long long)epoch, d->name);
	if (r < 0)
		return r;
	if (check_epoch(&c, o, d, epoch, err) < 0) {
		container_done(&c);
		return refuse(err, path);
	}
	*out = c;
	return 0;
}

enum { NOT_FOR_US = 1 };

/* One of the epoch's two identities. What does not open is not for us; what opens must be what the device's statement names, so it does
 * not matter who sealed it. */
static int open_identity(struct age_identity *out, const struct container *c, struct bytes seal, const char *recipient,
			 const struct age_identity *key, struct error *err)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	char made[AGE_RECIPIENT_LEN + 1];
	struct bytes rest, line;
	int r = seal_open_secret(&text, key, seal, err);

	if (r == E_SEAL)
		return NOT_FOR_US;
	rest = buf_bytes(&text);
	if (r == 0 && (!bytes_next_line(&rest, &line) || rest.len))
		r = error_set(err, E_FORMAT, "it is not one line");
	if (r == 0)
		r = age_identity_parse(out, line, err);
	if (r < 0)
		return error_add(err, "seal '%s-key'", recipient);
	age_recipient_text(made, &out->pub);
	if (!strcmp(made, statement_get(c->st, recipient)))
		return 0;
	age_identity_done(out);
	return error_set(err, E_SEAL, "seal '%s-key' holds another identity than the epoch names", recipient);
}

/* What a reader sealed anew for people who came later. */
static int open_rewrap(struct age_identity *out, const struct known_epoch *known, const struct opener *o, const struct container *c,
		       const char *recipient, const struct age_identity *key, struct error *err)
{
	_cleanup_(mem_freep) char *path =
		mem_printf("/v1/devices/%s/epochs/%llu/%s-key", known->id, (unsigned long long)known->epoch, recipient);
	_cleanup_(buf_done) struct buf seal = { 0 };
	int r = o->source.get(o->source.ctx, &seal, path, SEAL_MAX, err);

	if (r == CLI_ABSENT)
		return NOT_FOR_US;
	if (r == 0)
		r = open_identity(out, c, buf_bytes(&seal), recipient, key, err);
	return r == E_FORMAT || r == E_SEAL ? refuse(err, path) : r;
}

static int open_part(struct age_identity *out, const struct known_epoch *known, const struct opener *o, const struct container *c,
		     const char *recipient, const struct age_identity *key, struct error *err)
{
	_cleanup_(mem_freep) char *name = mem_printf("%s-key", recipient);
	int r = open_identity(out, c, container_seal(c, name), recipient, key, err);

	return r == NOT_FOR_US ? open_rewrap(out, known, o, c, recipient, key, err) : r;
}

static int open_epoch(struct known_epoch *known, struct opener *o, const struct open_device *d, struct error *err)
{
	_cleanup_(buf_done) struct buf bytes = { 0 };
	_cleanup_(container_done) struct container c = { 0 };
	const struct age_identity *key;
	int r = opener_epoch(&c, &bytes, o, d->id, known->epoch, err);

	if (r == 0)
		r = o->source.key(o->source.ctx, &key, err);
	if (r < 0)
		return r;
	known->number = statement_number(c.st, "number");
	r = open_part(&known->body, known, o, &c, "body", key, err);
	if (r == NOT_FOR_US)
		return error_set(err, E_DENIED,
				 "epoch %llu of '%s' is not sealed to your reading key: "
				 "the root in which you are reader or auditor is newer than it; a reader can give it to you with: "
				 "holdfast key rewrap",
				 (unsigned long long)known->epoch, d->name);
	if (r == 0)
		r = open_part(&known->secrets, known, o, &c, "secrets", key, err);
	if (r < 0)
		return error_add(err, "epoch %llu of '%s'", (unsigned long long)known->epoch, d->name);
	known->has_secrets = r == 0;
	return 0;
}

static int find_epoch(const struct known_epoch **out, struct opener *o, const struct open_device *d, uint64_t epoch, struct error *err)
{
	struct known_epoch *known;
	int r;

	for (known = o->epochs; known; known = known->next) {
		if (known->epoch == epoch && !strcmp(known->id, d->id)) {
			*out = known;
			return 0;
		}
	}
	known = mem_alloc(sizeof(*known));
	memcpy(known->id, d->id, sizeof(known->id));
	known->epoch = epoch;
	r = open_epoch(known, o, d, err);
	if (r < 0) {
		epoch_free(known);
		return r;
	}
	known->next = o->epochs;
	o->epochs = known;
	*out = known;
	return 0;
}

int opener_epoch_keys(const struct age_identity **body, const struct age_identity **secrets, struct opener *o, const char *id,
		      uint64_t epoch, struct error *err)
{
	const struct known_epoch *known;
	const struct open_device *d;
	int r = opener_device(&d, o, id, err);

	if (r == 0)
		r = find_epoch(&known, o, d, epoch, err);
	if (r < 0)
		return r;
	*body = &known->body;
	*secrets = known->has_secrets ? &known->secrets : NULL;
	return 0;
}

/* Nothing is sealed to keys that came later. */
static int check_began(const struct known_epoch *epoch, const struct statement *st, struct error *err)
{
	return epoch->number < statement_number(st, "number") ?
		       0 :
		       error_set(err, E_SEAL, "its epoch began after it, as number %llu", (unsigned long long)epoch->number);
}

/* ---- snapshots ---- */

static int check_number(const struct statement *st, const struct open_wanted *wanted, struct error *err)
{
	uint64_t number = statement_number(st, "number");

	if (wanted->number && number != wanted->number)
		return error_set(err, E_SEAL, "it is number %llu", (unsigned long long)number);
	if (!wanted->number && number < wanted->at_least)
		return error_set(err, E_SEAL, "it is number %llu, and the server itself lists %llu as the newest",
				 (unsigned long long)number, (unsigned long long)wanted->at_least);
	return 0;
}

static int check_said(const struct opener *o, const struct statement *st, const struct open_device *d, const struct open_wanted *wanted,
			  struct error *err)
{
	uint64_t root = statement_number(st, "root");

	if (check_whose(o, st, d->id, err) < 0 || statement_verify_by(st, &d->key, err) < 0)
		return err->code;
	if (root > o->source.root_count)
		return error_set(err, E_SEAL, "the device knows root %llu, and we are shown %zu: the server hides one, or it came just now",
				 (unsigned long long)root, o->source.root_count);
	return check_number(st, wanted, err);
}

/* A configuration: a frame of its own, or a delta against the base. */
static int open_text(struct buf *out, const struct container *c, const char *name, const struct known_epoch *epoch, struct bytes base,
		     struct error *err)
{
	return seal_open_text(out, &epoch->body, container_seal(c, name), base, err) < 0 ? error_add(err, "seal '%s'", name) : 0;
}

static int open_startup(struct opened *out, const struct container *c, const struct known_epoch *epoch, struct bytes base,
			struct error *err)
{
	const char *saved = statement_get(c->st, "saved");

	if (container_seal(c, "startup").ptr) {
		out->startup_is = STARTUP_OTHER;
		return open_text(&out->startup, c, "startup", epoch, base, err);
	}
	/* it is left out while equal, and when there is none; which of the two, `saved` tells */
	out->startup_is = !strcmp(saved, "yes") ? STARTUP_SAME : !strcmp(saved, "no") ? STARTUP_NONE : STARTUP_UNKNOWN;
	if (out->startup_is == STARTUP_SAME)
		buf_add_bytes(&out->startup, buf_bytes(&out->running));
	return 0;
}

static int open_secrets(struct opened *out, const struct container *c, const struct known_epoch *epoch, struct error *err)
{
	struct bytes seal = container_seal(c, "secrets");

	out->has_secrets = !seal.ptr || epoch->has_secrets;
	if (!seal.ptr || !epoch->has_secrets)
		return 0;
	return seal_open_secret(&out->secrets, &epoch->secrets, seal, err) < 0 ? error_add(err, "seal 'secrets'") : 0;
}

static int open_seals(struct opened *out, const struct container *c, const struct known_epoch *epoch, struct error *err)
{
	_cleanup_(buf_done) struct buf base = { 0 };
	int r;

	if (check_began(epoch, c->st, err) < 0)
		return err->code;
	r = open_text(&base, c, "base", epoch, (struct bytes){ 0 }, err);
	if (r == 0 && container_seal(c, "delta").ptr)
		r = open_text(&out->running, c, "delta", epoch, buf_bytes(&base), err);
	else if (r == 0)
		buf_add_bytes(&out->running, buf_bytes(&base));
	if (r == 0)
		r = open_startup(out, c, epoch, buf_bytes(&base), err);
	return r == 0 ? open_secrets(out, c, epoch, err) : r;
}

/* ---- what a device said ---- */

static int no_snapshot(const struct open_device *d, const struct open_wanted *wanted _unused_, struct error *err)
{
	return error_set(err, CLI_ABSENT, "'%s' has no such revision; see: holdfast log %s", d->name, d->name);
}

static int no_verdict(const struct open_device *d, const struct open_wanted *wanted, struct error *err)
{
	if (wanted->number)
		return error_set(err, CLI_ABSENT, "'%s' has no verdict %llu; see: holdfast policy history", d->name,
				 (unsigned long long)wanted->number);
	return error_set(err, CLI_ABSENT, "'%s' has said nothing of policies yet; see: holdfast policy publish", d->name);
}

/* Two types of statements are had in the same way: the newest, or the one with a number. */
static const struct said {
	enum statement_type type;
	const char *list, *newest; /* below the device */
	const char *name;          /* for messages */
	int (*absent)(const struct open_device *d, const struct open_wanted *wanted, struct error *err);
} said_snapshot = { STATEMENT_SNAPSHOT, "snapshots", "snapshots/newest", "revision", no_snapshot },
  said_verdict = { STATEMENT_VERDICT, "verdicts", "verdict", "verdict", no_verdict };

static int fetch_said(struct container *out, struct buf *bytes, struct opener *o, const struct open_device *d, const struct said *said,
		      const struct open_wanted *wanted, struct error *err)
{
	_cleanup_(mem_freep) char *path =
		wanted->number ? mem_printf("/v1/devices/%s/%s/%llu", d->id, said->list, (unsigned long long)wanted->number) :
				 mem_printf("/v1/devices/%s/%s", d->id, said->newest);
	struct container c;
	int r = fetch(&c, bytes, o, path, said->type, err);

	if (r == CLI_ABSENT)
		return said->absent(d, wanted, err);
	if (r < 0)
		return r;
	if (check_said(o, c.st, d, wanted, err) < 0) {
		container_done(&c);
		return refuse(err, path);
	}
	*out = c;
	return 0;
}

/* open: what of it is opened; NULL: nothing. */
static int open_said(struct opened *out, struct opener *o, const struct said *said, const struct open_wanted *wanted,
		     int (*open)(struct opened *out, const struct container *c, const struct known_epoch *epoch, struct error *err),
		     struct error *err)
{
	_cleanup_(buf_done) struct buf bytes = { 0 };
	_cleanup_(container_done) struct container c = { 0 };
	_cleanup_(opened_done) struct opened opened = { 0 };
	const struct known_epoch *epoch = NULL;
	int r = opener_device(&opened.device, o, wanted->id, err);

	if (r == 0)
		r = fetch_said(&c, &bytes, o, opened.device, said, wanted, err);
	if (r < 0)
		return r;
	r = check_seen(o, c.st, err);
	if (r == 0 && open)
		r = find_epoch(&epoch, o, opened.device, statement_number(c.st, "epoch"), err);
	if (r == 0 && open)
		r = open(&opened, &c, epoch, err);
	if (r < 0)
		return error_add(err, "'%s' %s %llu", opened.device->name, said->name,
				 (unsigned long long)statement_number(c.st, "number"));
	opened.st = steal(c.st);
	*out = opened;
	opened = (struct opened){ 0 };
	return 0;
}

int opener_open(struct opened *out, struct opener *o, const struct open_wanted *wanted, struct error *err)
{
	return open_said(out, o, &said_snapshot, wanted, open_seals, err);
}

static int open_findings(struct opened *out, const struct container *c, const struct known_epoch *epoch, struct error *err)
{
	int r = check_began(epoch, c->st, err);

	return r == 0 ? open_text(&out->findings, c, "findings", epoch, (struct bytes){ 0 }, err) : r;
}

int opener_verdict(struct opened *out, struct opener *o, const struct open_wanted *wanted, bool with_findings, struct error *err)
{
	return open_said(out, o, &said_verdict, wanted, with_findings ? open_findings : NULL, err);
}

void opened_done(struct opened *opened)
{
	statement_free(opened->st);
	buf_done(&opened->running);
	buf_done(&opened->startup);
	buf_done(&opened->secrets);
	buf_done(&opened->findings);
	*opened = (struct opened){ 0 };
}

uint64_t opened_number(const struct opened *opened)
{
	return statement_number(opened->st, "number");
}
