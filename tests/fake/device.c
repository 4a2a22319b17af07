/* tests/fake/device.c -- fake-devices FOLDER: devices that exist in a folder only, before a real server.
 *
 * For each NAME.ticket (an invite) a device joins, archives what NAME.running and NAME.startup say, polls, checks orders as a device must
 * (place, people, number, base), obeys them, and signs receipts. Keys, chain, seals and signatures are real. Between two polls:
 *
 *   NAME.running  its configuration; changed from outside, it was "changed by hand"
 *   NAME.startup  what would boot; made when it is missing
 *   NAME.how      "refuse CHECK", "return", "fail" or "silent": what it does with the next orders; absent: it obeys
 *   NAME.delay    seconds that it waits before it is erased, in place of the root's; "partial" behind it: it gets stuck in the middle
 *
 *   NAME.findings while it is there, this is what its verdicts seal, in place of what the policies that it was sent say
 *   NAME.dumb     while it is there, the device says no challenge
 *
 * One that was erased removes NAME.running, and says nothing any more; "again" in NAME.how, and NAME.running: somebody goes on with its old
 * key.
 *
 * Ends on SIGTERM. A line for each thing that happened goes to standard output. */
#include "agent/policy.h"
#include "agent/verdict.h"
#include "base/clock.h"
#include "base/fs.h"
#include "crypto/order.h"

#include <curl/curl.h>
#include <glob.h>
#include <poll.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEVICES_MAX = 64, TEXT_MAX = 1 << 20, ANSWER_MAX = 32 << 20, CONTROLS_MAX = 64, STEP_MS = 150, ROOTS_MAX = 16 };

struct fake {
	char folder[400], name[64], id[ID_LEN + 1], fleet[ID_LEN + 1], address[300], pin[64];
	uint8_t secret[32];
	struct sign_key key;
	struct age_identity box;
	struct chain chain;
	uint64_t order;         /* the highest that it took note of */
	uint8_t challenge[HASH_LEN];
	struct statement *erase, *erase_batch; /* armed; NULL: none */
	int64_t erase_s;                       /* when the delay is over */
	bool is_erased;
	uint64_t running_since; /* the snapshot since which running has not changed */
	int64_t hold_s;
	bool is_admitted;
	struct buf set; /* the policies in force, opened, and of which order they are */
	uint64_t set_order;
	uint8_t set_leaf[HASH_LEN];
	struct root *roots[ROOTS_MAX];
	size_t root_count;
};

static volatile sig_atomic_t is_over;

static void note_end(int signal _unused_)
{
	is_over = 1;
}

static void must(int r, const struct error *err, const struct fake *f)
{
	if (r >= 0)
		return;
	fprintf(stderr, "fake-devices: %s: %s\n", f->name, err->text);
	exit(1);
}

static void say(const struct fake *f, const char *what, const char *detail)
{
	printf("%s %s %s\n", f->name, what, detail);
	fflush(stdout);
}

/* ---- files ---- */

static char *path_of(const struct fake *f, const char *what)
{
	return mem_printf("%s/%s.%s", f->folder, f->name, what);
}

/* False: there is none. */
static bool read_file(struct buf *out, const struct fake *f, const char *what)
{
	_cleanup_(mem_freep) char *path = path_of(f, what);
	struct error err = { 0 };
	int r = fs_read(out, path, TEXT_MAX, &err);

	must(r, &err, f);
	return r != FS_ABSENT;
}

static void write_file(const struct fake *f, const char *what, struct bytes text)
{
	_cleanup_(mem_freep) char *path = path_of(f, what);
	struct error err = { 0 };

	must(fs_write(path, text, 0600, &err), &err, f);
}

/* ---- HTTP ---- */

static size_t take_body(char *ptr, size_t size, size_t count, void *ctx)
{
	buf_add(ctx, ptr, size * count);
	return ((struct buf *)ctx)->len > ANSWER_MAX ? 0 : size * count;
}

/* The status; 0 when there was no answer. body.ptr NULL: GET. */
static long ask(struct buf *out, const struct fake *f, const char *path, struct bytes body)
{
	_cleanup_(mem_freep) char *url = mem_printf("https://%s%s", f->address, path), *pin = mem_printf("sha256//%s", f->pin);
	static CURL *easy;
	long status = 0;

	if (!easy)
		easy = curl_easy_init();
	curl_easy_reset(easy);
	curl_easy_setopt(easy, CURLOPT_URL, url);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
	curl_easy_setopt(easy, CURLOPT_PINNEDPUBLICKEY, pin);
	curl_easy_setopt(easy, CURLOPT_TIMEOUT, 20L);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, out);
	if (body.ptr) {
		curl_easy_setopt(easy, CURLOPT_POST, 1L);
		curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.len);
		curl_easy_setopt(easy, CURLOPT_POSTFIELDS, (const char *)body.ptr);
	}
	if (curl_easy_perform(easy) == CURLE_OK)
		curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
	return status;
}

/* Until it is taken: nothing of a chain may be left out. */
static void post(const struct fake *f, struct bytes container)
{
	while (!is_over) {
		_cleanup_(buf_done) struct buf answer = { 0 };
		long status = ask(&answer, f, "/v1/objects", container);

		if (status == 200 || (status && f->is_erased)) /* whoever has its key hears what everybody hears */
			return;
		if (status && status != 503) {
			fprintf(stderr, "fake-devices: %s: post was answered %ld: %s\n", f->name, status, buf_text(&answer));
			exit(1);
		}
		poll(NULL, 0, STEP_MS);
	}
}

/* ---- joining ---- */

static const struct root *root_of(const struct fake *f)
{
	return f->roots[f->root_count - 1];
}

/* "holdfast-invite:1:<fleet>:<pin>:<secret>:<host:port>" (formats.md section 6) */
static void read_ticket(struct fake *f)
{
	_cleanup_(buf_done) struct buf text = { 0 }, pin = { 0 }, pin64 = { 0 }, secret = { 0 };
	char pin_text[64], secret_text[64];

	if (!read_file(&text, f, "ticket") || sscanf(buf_text(&text), "holdfast-invite:1:%26[a-z2-7]:%63[^:]:%63[^:]:%299s", f->fleet,
						     pin_text, secret_text, f->address) != 4) {
		fprintf(stderr, "fake-devices: %s has no invite\n", f->name);
		exit(1);
	}
	base64url_decode(&pin, bytes_str(pin_text));
	base64_encode(&pin64, buf_bytes(&pin));
	snprintf(f->pin, sizeof(f->pin), "%s", buf_text(&pin64));
	base64url_decode(&secret, bytes_str(secret_text));
	memcpy(f->secret, secret.ptr, secret.len < 32 ? secret.len : 32);
}

static void take_root(struct fake *f, struct statement *st)
{
	struct error err = { 0 };

	if (f->root_count == ROOTS_MAX || statement_number(st, "version") != f->root_count + 1) {
		statement_free(st);
		return;
	}
	must(root_new(&f->roots[f->root_count], st, &err), &err, f);
	must(f->root_count ? root_succeeds(root_of(f), f->roots[f->root_count], &err) : root_accept_first(f->roots[0], f->fleet, &err),
	     &err, f);
	f->root_count++;
}

static void fetch_roots(struct fake *f)
{
	_cleanup_(buf_done) struct buf list = { 0 };
	struct error err = { 0 };
	struct bytes rest;
	size_t used;

	while (ask(&list, f, "/v1/roots?from=1", (struct bytes){ 0 }) != 200 && !is_over)
		poll(NULL, 0, STEP_MS);
	for (rest = buf_bytes(&list); rest.len; rest = bytes_from(rest, used)) {
		struct statement *st;

		must(statement_parse(&st, rest, false, &used, &err), &err, f);
		take_root(f, st);
	}
}

static void enrol(struct fake *f)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	char key[SIGN_PUB_TEXT_MAX], box[AGE_RECIPIENT_LEN + 1], invite[ID_LEN + 1];
	struct error err = { 0 };
	uint8_t hash[HASH_LEN];

	sha256(hash, bytes_of(f->secret, 32));
	id_of_hash(invite, hash);
	sign_pub_text(key, &f->key.pub);
	age_recipient_text(box, &f->box.pub);
	statement_begin(&text, STATEMENT_ENROL);
	statement_add(&text, "fleet", "%s", f->fleet);
	statement_add(&text, "device", "%s", f->id);
	statement_add(&text, "number", "1");
	statement_add(&text, "invite", "%s", invite);
	statement_add(&text, "key", "%s", key);
	statement_add(&text, "box", "%s", box);
	statement_add(&text, "driver", "frr");
	statement_add_time(&text, "time", clock_now_s());
	crypto_auth_hmacsha256(hash, text.ptr, text.len, f->secret);
	statement_add_hash(&text, "mac", hash);
	sha256(f->chain.hash, buf_bytes(&text));
	f->chain.number = 1;
	f->chain.time_s = clock_now_s();
	must(statement_sign(&text, &f->key, &err), &err, f);
	post(f, buf_bytes(&text));
	say(f, "enrolled", f->id);
}

static void begin(struct fake *f)
{
	read_ticket(f);
	sign_key_new(&f->key);
	age_identity_new(&f->box);
	randombytes_buf(f->challenge, sizeof(f->challenge));
	sign_pub_id(f->id, &f->key.pub);
	fetch_roots(f);
	enrol(f);
}

/* ---- the chain ---- */

static struct snapshot_by by(const struct fake *f)
{
	return (struct snapshot_by){ &f->key, f->id, root_of(f), NULL, clock_now_s() };
}

static void new_epoch(struct fake *f)
{
	struct snapshot_by signer = by(f);
	struct error err = { 0 };

	if (!epoch_is_due(&f->chain, root_of(f), clock_now_s()))
		return;
	must(epoch_make(&f->chain, &signer, &err), &err, f);
	post(f, buf_bytes(&f->chain.newest));
}

/* What the policies say of what runs; nothing without any. */
static void judge(struct fake *f, struct bytes running)
{
	static const struct policy_facts facts = { .driver = "frr", .firmware = "FRRouting 8.4.4" };
	struct policies_owner owner = { f->id, "frr", root_of(f), driver_frr.canonical };
	_cleanup_(buf_done) struct buf findings = { 0 };
	_cleanup_(verdict_sum_done) struct verdict_sum sum = { .section_count = 0 };
	struct waived waived[POLICY_SET_WAIVERS_MAX];
	struct snapshot_by signer = by(f);
	struct verdict_input in = { f->set_order, f->set_leaf, &sum };
	struct policy_set set;
	_cleanup_(policies_done) struct policies p = { 0 };
	struct error err = { 0 };

	if (!f->set.len || !f->chain.running_since)
		return;
	must(policies_check(&p, buf_bytes(&f->set), &owner, false, &err), &err, f);
	must(policy_set_read(&set, buf_bytes(&f->set), &err), &err, f);
	policy_set_judge(&sum, &set, running, &facts, waived, policies_waived(waived, &p, clock_now_s()), &policy_limits_agent);
	policy_set_done(&set);
	if (read_file(&findings, f, "findings")) {
		buf_done(&sum.findings);
		sum.findings = findings;
		findings = (struct buf){ 0 };
	}
	must(verdict_make(&f->chain, &in, &signer, &err), &err, f);
	post(f, buf_bytes(&f->chain.newest));
	say(f, "verdict", "");
}

/* What the files say now. */
static void snap(struct fake *f, const char *reason)
{
	_cleanup_(buf_done) struct buf running = { 0 }, startup = { 0 };
	static const struct device_facts facts = { .firmware = "FRRouting 8.4.4" };
	struct snapshot_by signer = by(f);
	struct snapshot_input in = { .reason = reason, .driver = &driver_frr, .mode = "observe", .note = "", .facts = &facts };
	struct error err = { 0 };
	bool moved;

	read_file(&running, f, "running");
	in.has_startup = read_file(&startup, f, "startup");
	in.running = buf_bytes(&running);
	in.startup = buf_bytes(&startup);
	in.saved = in.has_startup && bytes_equal(in.running, in.startup) ? SAVED_YES : SAVED_NO;
	in.unsaved_since_s = in.saved == SAVED_NO ? clock_now_s() : 0;
	in.hold_s = f->hold_s;
	new_epoch(f);
	moved = snapshot_running_differs(&f->chain, &in);
	must(snapshot_make(&f->chain, &in, &signer, &err), &err, f);
	if (moved || !f->running_since)
		f->running_since = f->chain.number;
	post(f, buf_bytes(&f->chain.newest));
	say(f, "snapshot", reason);
	if (moved)
		judge(f, in.running);
}

static bool erases(const struct statement *order)
{
	enum order_kind kind;

	return order_kind_parse(&kind, statement_get(order, "kind")) && order_kind_erases(kind);
}

/* What became of it, for the last receipt of an order to erase. */
static void add_areas(struct buf *text, const struct fake *f, const struct statement *order, const char *outcome)
{
	bool is_done = !strcmp(outcome, "done");

	if (!erases(order) || (!is_done && (strcmp(outcome, "failed") != 0 || !f->erase)))
		return;
	statement_add(text, "area", "running method=factory-file claimed=clear seen=read-back result=done");
	statement_add(text, "area", "startup method=factory-file claimed=clear seen=%s result=%s", is_done ? "read-back" : "nothing",
		      is_done ? "done" : "partial");
	statement_add(text, "left", "the system of the machine");
}

static void receipt(struct fake *f, const struct statement *order, const char *outcome, const char *check, const char *note)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	struct error err = { 0 };
	uint8_t leaf[HASH_LEN];

	sha256(leaf, statement_text(order));
	statement_begin(&text, STATEMENT_RECEIPT);
	statement_add(&text, "fleet", "%s", f->fleet);
	statement_add(&text, "device", "%s", f->id);
	statement_add(&text, "number", "%llu", (unsigned long long)f->chain.number + 1);
	statement_add_hash(&text, "prev", f->chain.hash);
	statement_add_time(&text, "time", clock_now_s());
	statement_add(&text, "root", "%llu", (unsigned long long)root_version(root_of(f)));
	statement_add(&text, "order", "%s", statement_get(order, "order"));
	statement_add_hash(&text, "batch", statement_proof(order)->batch);
	statement_add_hash(&text, "leaf", leaf);
	statement_add(&text, "outcome", "%s", outcome);
	if (*check)
		statement_add(&text, "check", "%s", check);
	if (!strcmp(outcome, "done"))
		statement_add(&text, "evidence", strcmp(statement_get(order, "kind"), "policy") != 0 ? "read-back" : "accepted");
	add_areas(&text, f, order, outcome);
	if (*note)
		statement_add(&text, "note", "%s", note);
	sha256(f->chain.hash, buf_bytes(&text));
	f->chain.number++;
	must(statement_sign(&text, &f->key, &err), &err, f);
	post(f, buf_bytes(&text));
	say(f, outcome, check);
}

/* ---- obeying ---- */

static bool is_inside(struct bytes line)
{
	return line.len && line.ptr[0] == ' ';
}

/* Enters one line: "no X" takes X away, anything else is added, inside its block. Near enough to a router for a test. */
static void enter_line(struct buf *text, struct bytes head, struct bytes line)
{
	struct buf out = { 0 };
	struct bytes rest = buf_bytes(text), old, block = { 0 }, body = line;
	bool is_no, is_there = false;

	while (body.len && body.ptr[0] == ' ')
		body = bytes_from(body, 1);
	is_no = body.len > 3 && !memcmp(body.ptr, "no ", 3);
	while (bytes_next_line(&rest, &old)) {
		struct bytes old_body = old;

		if (!is_inside(old))
			block = old;
		while (old_body.len && old_body.ptr[0] == ' ')
			old_body = bytes_from(old_body, 1);
		if (is_no && is_inside(old) == is_inside(line) && bytes_equal(old_body, bytes_from(body, 3)) &&
		    (!is_inside(line) || bytes_equal(block, head)))
			continue;
		is_there = is_there || (bytes_equal(old, line) && (!is_inside(line) || bytes_equal(block, head)));
		buf_add_bytes(&out, old);
		buf_add_char(&out, '\n');
		if (!is_no && is_inside(line) && !is_inside(old) && bytes_equal(old, head) &&
		    !memmem(text->ptr, text->len, line.ptr, line.len)) {
			buf_add_bytes(&out, line);
			buf_add_char(&out, '\n');
			is_there = true;
		}
	}
	if (!is_no && !is_there && !bytes_is(line, "exit")) {
		buf_add_bytes(&out, line);
		buf_add_char(&out, '\n');
	}
	buf_done(text);
	*text = out;
}

static void enter_lines(struct buf *text, struct bytes lines)
{
	struct bytes line, head = { 0 };

	while (bytes_next_line(&lines, &line)) {
		if (!is_inside(line))
			head = line;
		enter_line(text, head, line);
	}
}

static void copy_file(const struct fake *f, const char *from, const char *to)
{
	_cleanup_(buf_done) struct buf text = { 0 };

	read_file(&text, f, from);
	write_file(f, to, buf_bytes(&text));
}

/* NULL: done; else the check that refuses. */
static const char *apply(struct fake *f, const struct container *order, const char *how)
{
	_cleanup_(buf_done) struct buf payload = { 0 }, running = { 0 };
	struct error err = { 0 };

	if (seal_open_secret(&payload, &f->box, container_seal(order, "payload"), &err) < 0)
		return "open";
	read_file(&running, f, "running");
	if (!strcmp(statement_get(order->st, "mode"), "whole")) {
		buf_done(&running);
		buf_add_bytes(&running, buf_bytes(&payload));
	} else {
		enter_lines(&running, buf_bytes(&payload));
	}
	if (memmem(running.ptr, running.len, "nonsense", 8))
		return "syntax";
	write_file(f, "running", buf_bytes(&running));
	snap(f, "order");
	if (!strncmp(how, "return", 6)) {
		copy_file(f, "startup", "running");
		snap(f, "return");
		return "";
	}
	copy_file(f, "running", "startup");
	snap(f, "save");
	return NULL;
}

/* The same for policies. They are judged behind their receipt. */
static const char *take_policies(struct fake *f, const struct container *order)
{
	struct policies_owner owner = { f->id, "frr", root_of(f), driver_frr.canonical };
	_cleanup_(buf_done) struct buf text = { 0 };
	_cleanup_(policies_done) struct policies p = { 0 };
	struct error err = { 0 };

	if (seal_open_secret(&text, &f->box, container_seal(order, "payload"), &err) < 0)
		return "open";
	if (policies_check(&p, buf_bytes(&text), &owner, true, &err) < 0)
		return "policy";
	buf_done(&f->set);
	f->set = text;
	text = (struct buf){ 0 };
	f->set_order = statement_number(order->st, "order");
	sha256(f->set_leaf, statement_text(order->st));
	return NULL;
}

static const char *obey(struct fake *f, const struct container *order, const char *how)
{
	enum order_kind kind;

	order_kind_parse(&kind, statement_get(order->st, "kind"));
	switch (kind) {
	case ORDER_APPLY:
		return apply(f, order, how);
	case ORDER_SAVE:
		copy_file(f, "running", "startup");
		break;
	case ORDER_REVERT:
		copy_file(f, "startup", "running");
		break;
	case ORDER_HOLD:
		f->hold_s = statement_time(order->st, "until");
		break;
	case ORDER_RELEASE:
		f->hold_s = 0;
		break;
	case ORDER_SNAPSHOT:
		break;
	case ORDER_REBOOT:
	case ORDER_FACTORY_RESET: /* arm() */
	case ORDER_PURGE:
	case ORDER_SHRED:
	case ORDER_UPGRADE:
		return "capability";
	case ORDER_POLICY:
		return take_policies(f, order);
	}
	snap(f, kind == ORDER_SAVE ? "save" : kind == ORDER_REVERT ? "return" : "order");
	return NULL;
}

/* NULL: nothing stands in the way. */
static const char *check(const struct fake *f, const struct statement *order, const struct statement *batch,
			 const struct statement *const controls[], size_t count)
{
	_cleanup_(buf_done) struct buf running = { 0 }, startup = { 0 };
	uint8_t hash[HASH_LEN];
	struct consent consent;
	struct error err = { 0 };
	uint64_t base;

	if (strcmp(statement_get(order, "device"), f->id) != 0)
		return "device";
	if (batch_verify(batch, root_of(f), &err) < 0)
		return "signer";
	if (order_verify(order, batch, &err) < 0)
		return "proof";
	consent_count(&consent, batch, controls, count, root_of(f));
	if (!consent_is_enough(&consent))
		return "threshold";
	if (statement_number(order, "order") <= f->order || statement_number(order, "order") > f->order + ORDER_JUMP_MAX)
		return "number";
	if (batch_time(batch, clock_now_s()) == BATCH_EXPIRED)
		return "expired";
	if (f->hold_s > clock_now_s() && strcmp(statement_get(order, "kind"), "apply") == 0)
		return "held";
	if (statement_get_point(&base, hash, order, "base") && (base < f->running_since || base > f->chain.number))
		return "base";
	if (statement_get_hash(hash, order, "challenge") && memcmp(hash, f->challenge, HASH_LEN) != 0)
		return "challenge";
	read_file(&running, f, "running");
	read_file(&startup, f, "startup");
	return !strcmp(statement_get(order, "kind"), "apply") && !bytes_equal(buf_bytes(&running), buf_bytes(&startup)) ? "unsaved" : NULL;
}

/* ---- erasing ---- */

static struct statement *copy_of(const struct fake *f, const struct statement *st)
{
	struct statement *copy = NULL;
	struct error err = { 0 };

	must(statement_parse(&copy, statement_whole(st), false, NULL, &err), &err, f);
	return copy;
}

static void arm(struct fake *f, const struct statement *order, const struct statement *batch)
{
	_cleanup_(buf_done) struct buf delay = { 0 };
	bool is_there = read_file(&delay, f, "delay");

	f->erase = copy_of(f, order);
	f->erase_batch = copy_of(f, batch);
	f->erase_s = clock_now_s() + (is_there ? atoi(buf_text(&delay)) : (int)root_delay(root_of(f), statement_get(batch, "kind")));
	receipt(f, order, "armed", "", "");
}

static void disarm(struct fake *f)
{
	f->erase = statement_free(f->erase);
	f->erase_batch = statement_free(f->erase_batch);
	randombytes_buf(f->challenge, sizeof(f->challenge)); /* used up */
}

/* Whoever's newest decision stops it, stops it, as long as the delay lasts. */
static void consider(struct fake *f, const struct statement *batch, const struct statement *const controls[], size_t count)
{
	struct consent consent;

	if (!f->erase || memcmp(statement_hash(batch), statement_hash(f->erase_batch), HASH_LEN) != 0)
		return;
	consent_count(&consent, batch, controls, count, root_of(f));
	if (!consent.is_aborted && consent_is_enough(&consent))
		return;
	receipt(f, f->erase, "refused", "cancelled", "");
	disarm(f);
}

static void erase(struct fake *f)
{
	_cleanup_(buf_done) struct buf delay = { 0 };
	_cleanup_(mem_freep) char *running = path_of(f, "running");

	if (!f->erase || clock_now_s() < f->erase_s)
		return;
	if (read_file(&delay, f, "delay") && strstr(buf_text(&delay), "partial")) {
		receipt(f, f->erase, "failed", "", "it does not answer any more");
		disarm(f);
		return;
	}
	receipt(f, f->erase, "done", "", "");
	disarm(f);
	remove(running);
	f->is_erased = true;
}

static void take_order(struct fake *f, const struct container *order, const struct statement *batch,
		       const struct statement *const controls[], size_t count)
{
	_cleanup_(buf_done) struct buf how = { 0 };
	const char *refused, *words;

	if (statement_number(order->st, "order") <= f->order && !strcmp(statement_get(order->st, "device"), f->id))
		return; /* it comes again until the receipt is archived */
	read_file(&how, f, "how");
	words = buf_text(&how);
	if (!strncmp(words, "silent", 6))
		return;
	refused = check(f, order->st, batch, controls, count);
	if (!refused)
		f->order = statement_number(order->st, "order");
	if (!refused && !strncmp(words, "refuse ", 7)) {
		buf_truncate(&how, how.len - (how.ptr[how.len - 1] == '\n'));
		refused = buf_text(&how) + 7;
	}
	if (refused) {
		receipt(f, order->st, "refused", refused, "as a fake one does");
		return;
	}
	if (!strncmp(words, "fail", 4)) {
		receipt(f, order->st, "failed", "", "neither this nor that");
		return;
	}
	if (erases(order->st)) {
		arm(f, order->st, batch);
		return;
	}
	refused = obey(f, order, words);
	if (refused && !*refused)
		receipt(f, order->st, "returned", "", "a probe did not hold");
	else
		receipt(f, order->st, refused ? "refused" : "done", refused ? refused : "", "");
	if (!refused && !strcmp(statement_get(order->st, "kind"), "policy")) {
		_cleanup_(buf_done) struct buf running = { 0 };

		read_file(&running, f, "running");
		judge(f, buf_bytes(&running));
	}
}

/* ---- polling ---- */

struct delivery {
	struct statement *batch;
	const struct statement *controls[CONTROLS_MAX];
	size_t count;
};

static void delivery_clear(struct delivery *d)
{
	statement_free(d->batch);
	for (size_t i = 0; i < d->count; i++)
		statement_free((struct statement *)(uintptr_t)d->controls[i]);
	*d = (struct delivery){ 0 };
}

static void take(struct fake *f, struct delivery *d, struct container *c)
{
	struct error err = { 0 };

	switch ((unsigned)statement_type(c->st)) {
	case STATEMENT_ROOT:
		take_root(f, steal(c->st));
		say(f, "root", statement_get(root_statement(root_of(f)), "version"));
		break;
	case STATEMENT_ADMIT:
		f->is_admitted = true;
		break;
	case STATEMENT_BATCH:
		delivery_clear(d);
		d->batch = steal(c->st);
		break;
	case STATEMENT_CONTROL:
		if (d->batch && d->count < CONTROLS_MAX && control_verify(c->st, d->batch, root_of(f), &err) == 0)
			d->controls[d->count++] = steal(c->st);
		break;
	case STATEMENT_ORDER:
		if (d->batch)
			take_order(f, c, d->batch, d->controls, d->count);
		break;
	default:
		break; /* checkpoints, and receipts of a group's other members */
	}
}

static void status(struct buf *out, const struct fake *f)
{
	_cleanup_(buf_done) struct buf dumb = { 0 };
	struct error err = { 0 };

	statement_begin(out, STATEMENT_STATUS);
	statement_add(out, "fleet", "%s", f->fleet);
	statement_add(out, "device", "%s", f->id);
	statement_add_time(out, "time", clock_now_s());
	statement_add_point(out, "head", f->chain.number, f->chain.hash);
	if (f->order)
		statement_add(out, "order", "%llu", (unsigned long long)f->order);
	statement_add(out, "root", "%llu", (unsigned long long)root_version(root_of(f)));
	statement_add(out, "saved", "%s", commit_saved_name(f->chain.has_snapshot ? f->chain.saved : SAVED_UNKNOWN));
	if (f->chain.has_snapshot && f->chain.unsaved_since_s)
		statement_add_time(out, "unsaved-since", f->chain.unsaved_since_s);
	statement_add(out, "mode", "observe");
	if (f->hold_s > clock_now_s())
		statement_add_time(out, "hold", f->hold_s);
	if (!read_file(&dumb, f, "dumb"))
		statement_add_hash(out, "challenge", f->challenge);
	statement_add(out, "wait", "0");
	must(statement_sign(out, &f->key, &err), &err, f);
}

static void ask_for_orders(struct fake *f)
{
	_cleanup_(buf_done) struct buf body = { 0 }, answer = { 0 };
	struct delivery d = { 0 };
	struct error err = { 0 };
	struct bytes rest;
	size_t used;

	status(&body, f);
	if (ask(&answer, f, "/v1/poll", buf_bytes(&body)) != 200)
		return;
	for (rest = buf_bytes(&answer); rest.len && !is_over; rest = bytes_from(rest, used)) {
		_cleanup_(container_done) struct container c = { 0 };

		must(container_parse(&c, rest, CONTAINER_ATTACHED, &used, &err), &err, f);
		take(f, &d, &c);
	}
	if (d.batch)
		consider(f, d.batch, d.controls, d.count);
	delivery_clear(&d);
}

/* Somebody changed a file: a change by hand, or a save. */
static void look(struct fake *f)
{
	_cleanup_(buf_done) struct buf running = { 0 }, startup = { 0 };
	struct snapshot_input in = { .driver = &driver_frr };

	if (!read_file(&startup, f, "startup"))
		copy_file(f, "running", "startup");
	buf_truncate(&startup, 0);
	read_file(&running, f, "running");
	read_file(&startup, f, "startup");
	in.running = buf_bytes(&running);
	in.startup = buf_bytes(&startup);
	in.has_startup = true;
	if (!f->chain.has_snapshot)
		snap(f, "contact");
	else if (snapshot_running_differs(&f->chain, &in))
		snap(f, "change");
	else if (snapshot_startup_differs(&f->chain, &in))
		snap(f, "save");
}

static void step(struct fake *f)
{
	_cleanup_(buf_done) struct buf how = { 0 };

	if (f->is_erased && (!read_file(&how, f, "how") || strncmp(buf_text(&how), "again", 5) != 0))
		return;
	if (f->is_admitted && !f->erase)
		look(f);
	ask_for_orders(f);
	erase(f);
}

static void end(struct fake *f)
{
	statement_free(f->erase);
	statement_free(f->erase_batch);
	sign_key_done(&f->key);
	age_identity_done(&f->box);
	chain_done(&f->chain);
	buf_done(&f->set);
	for (size_t i = 0; i < f->root_count; i++)
		root_free(f->roots[i]);
}

int main(int argc, char **argv)
{
	static struct fake fakes[DEVICES_MAX];
	_cleanup_(mem_freep) char *pattern = NULL;
	struct error err = { 0 };
	glob_t found;
	size_t count;

	if (argc != 2 || crypto_start(&err) < 0)
		return 2;
	signal(SIGTERM, note_end);
	signal(SIGPIPE, SIG_IGN);
	pattern = mem_printf("%s/*.ticket", argv[1]);
	count = glob(pattern, 0, NULL, &found) == 0 ? found.gl_pathc : 0;
	for (size_t i = 0; i < count && i < DEVICES_MAX; i++) {
		const char *slash = strrchr(found.gl_pathv[i], '/');

		snprintf(fakes[i].folder, sizeof(fakes[i].folder), "%s", argv[1]);
		snprintf(fakes[i].name, sizeof(fakes[i].name), "%.*s", (int)strcspn(slash + 1, "."), slash + 1);
		begin(&fakes[i]);
	}
	globfree(&found);
	while (!is_over) {
		for (size_t i = 0; i < count && !is_over; i++)
			step(&fakes[i]);
		poll(NULL, 0, STEP_MS);
	}
	for (size_t i = 0; i < count; i++)
		end(&fakes[i]);
	return 0;
}
