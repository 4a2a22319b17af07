/* agent/join.c -- makes a device's keys, and answers an invite with an enrolment. */
#include "agent/join.h"

#include "agent/apply.h"
#include "agent/child.h"
#include "agent/retired.h"
#include "agent/state.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"

#include <errno.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { REQUEST_S = 30, CHILD_MS = 60000, SECRET_LEN = 32, PARTS = 6 };

struct invite {
	char fleet[ID_LEN + 1];
	char id[ID_LEN + 1];
	char address[NET_ADDRESS_MAX];
	uint8_t pin[32];
	struct secret secret;
};

/* ---- the invite ---- */

static int read_text(struct buf *out, const char *path, struct error *err)
{
	int r;

	if (!strncmp(path, "holdfast-invite:", 16))
		return error_set(err, E_DENIED, "an invite holds a secret, and arguments are visible to everybody on this machine: "
						"name a file, or '-' and write it to standard input");
	if (!strcmp(path, "-"))
		return fd_read_all(out, STDIN_FILENO, INVITE_MAX, err);
	r = fs_read(out, path, INVITE_MAX, err);
	return r == FS_ABSENT ? error_set(err, E_SYS, "no file '%s'", path) : r;
}

/* Cuts at the first five colons; the last part keeps its own. */
static bool split(struct bytes part[static PARTS], struct bytes text)
{
	for (int i = 0; i < PARTS - 1; i++) {
		const uint8_t *colon = text.len ? memchr(text.ptr, ':', text.len) : NULL;

		if (!colon)
			return false;
		part[i] = bytes_of(text.ptr, (size_t)(colon - text.ptr));
		text = bytes_from(text, part[i].len + 1);
	}
	part[PARTS - 1] = text;
	return true;
}

static bool take_raw(uint8_t out[static 32], struct bytes text)
{
	_cleanup_(buf_done) struct buf raw = { 0 };

	if (!base64url_decode(&raw, text) || raw.len != 32)
		return false;
	memcpy(out, raw.ptr, 32);
	return true;
}

static bool take_parts(struct invite *out, const struct bytes part[static PARTS])
{
	uint8_t hash[HASH_LEN];

	if (!bytes_is(part[0], "holdfast-invite") || !bytes_is(part[1], "1") || !id_is_valid(part[2]) ||
	    part[5].len >= sizeof(out->address) || part[5].len < 3)
		return false;
	memcpy(out->fleet, part[2].ptr, ID_LEN);
	memcpy(out->address, part[5].ptr, part[5].len);
	secret_init(&out->secret, SECRET_LEN);
	if (strcspn(out->address, " /@?#%\\\"'") != part[5].len || !take_raw(out->pin, part[3]) || !take_raw(out->secret.ptr, part[4]))
		return false;
	sha256(hash, secret_bytes(&out->secret));
	id_of_hash(out->id, hash);
	return true;
}

static int take_invite(struct invite *out, const char *path, struct error *err)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	struct bytes rest, line = { 0 }, part[PARTS];
	int r = read_text(&text, path, err);

	if (r < 0)
		return error_add(err, "the invite");
	rest = buf_bytes(&text);
	if (!bytes_next_line(&rest, &line) || rest.len || !split(part, line) || !take_parts(out, part))
		return error_set(err, E_FORMAT, "'%s' holds no invite: it is the one line that 'holdfast invite' prints", path);
	return 0;
}

/* ---- the children: net and apply, each for a moment ---- */

static void end_child(pid_t pid, struct ipc *ipc)
{
	ipc_done(ipc);
	kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

static int call_net(struct buf *body, uint32_t *status, const struct http_request *req, const char *user, struct error *err)
{
	const char *argv[] = { "net", user, NULL };
	_cleanup_(buf_done) struct buf message = { 0 };
	struct http_answer answer = { 0 };
	struct ipc_msg msg;
	struct ipc ipc;
	pid_t pid;
	int fd = child_spawn(&pid, argv, err), r;

	if (fd < 0)
		return fd;
	ipc_init(&ipc, fd);
	http_request_put(&message, req);
	r = ipc_send_wait(&ipc, IPC_HTTP, 1, buf_bytes(&message), err);
	if (r == 0)
		r = ipc_next_wait(&ipc, &msg, CHILD_MS, err);
	if (r == 0 && (msg.kind != IPC_HTTP_DONE || !http_answer_get(&answer, msg.body)))
		r = error_set(err, E_PEER, "an answer of another form");
	if (r == 0 && !answer.is_answered)
		r = error_set(err, E_PEER, "cannot reach 'https://%s': %s", req->address, answer.error);
	if (r == 0) {
		*status = answer.status;
		buf_add_bytes(body, answer.body);
	}
	end_child(pid, &ipc);
	return r;
}

/* What kind of device is it? Not to know is no reason not to join. */
static void ask_facts(struct device_facts *out, const char *config, const struct settings_device *dev)
{
	const char *argv[] = { "apply", config, dev->name, NULL };
	struct error err = { 0 }, failure = { 0 };
	struct ipc_msg msg;
	struct reader rd;
	struct ipc ipc;
	pid_t pid;
	int fd = child_spawn(&pid, argv, &err);

	if (fd < 0)
		return;
	ipc_init(&ipc, fd);
	if (ipc_send_wait(&ipc, IPC_FACTS, 1, (struct bytes){ 0 }, &err) == 0 && ipc_next_wait(&ipc, &msg, CHILD_MS, &err) == 0) {
		rd = reader_over(msg.body);
		if (!apply_result_get(&rd, &failure) || failure.code < 0 || !get_text_field(&rd, out->model, sizeof(out->model)) ||
		    !get_text_field(&rd, out->serial, sizeof(out->serial)) || !get_text_field(&rd, out->firmware, sizeof(out->firmware)))
			memset(out, 0, sizeof(*out));
	}
	if (!*out->model)
		log_warning("device=%s does not tell what it is: %s", dev->name, *failure.text ? failure.text : err.text);
	end_child(pid, &ipc);
}

static struct http_request request_to(const struct invite *inv)
{
	struct http_request req = { .pin_count = 1, .timeout_s = REQUEST_S };

	memcpy(req.address, inv->address, sizeof(req.address));
	memcpy(req.pins[0], inv->pin, sizeof(inv->pin));
	return req;
}

static int fetch_roots(struct buf *roots, struct root **root, const struct invite *inv, const char *user, struct error *err)
{
	struct http_request req = request_to(inv);
	uint32_t status = 0;

	snprintf(req.path, sizeof(req.path), "/v1/roots?from=1");
	if (call_net(roots, &status, &req, user, err) < 0)
		return err->code;
	if (status != 200)
		return error_set(err, E_PEER, "'https://%s' answers with status %u", inv->address, status);
	return roots_check(root, buf_bytes(roots), inv->fleet, err) < 0 ? error_add(err, "the server's root") : 0;
}

/* ---- the enrolment ---- */

static void add_fact(struct buf *text, const char *key, const char *value)
{
	if (*value)
		statement_add(text, key, "%s", value);
}

static int write_enrol(struct buf *text, const struct invite *inv, const struct sign_key *key, const struct age_identity *box,
		       const struct settings_device *dev, const struct device_facts *facts, const char *replaces, struct error *err)
{
	char id[ID_LEN + 1], pub[SIGN_PUB_TEXT_MAX], recipient[AGE_RECIPIENT_LEN + 1];
	uint8_t mac[crypto_auth_hmacsha256_BYTES];

	sign_pub_id(id, &key->pub);
	sign_pub_text(pub, &key->pub);
	age_recipient_text(recipient, &box->pub);
	statement_begin(text, STATEMENT_ENROL);
	statement_add(text, "fleet", "%s", inv->fleet);
	statement_add(text, "device", "%s", id);
	statement_add(text, "number", "1");
	statement_add(text, "invite", "%s", inv->id);
	statement_add(text, "key", "%s", pub);
	statement_add(text, "box", "%s", recipient);
	statement_add(text, "driver", "%s", dev->driver);
	add_fact(text, "model", facts->model);
	add_fact(text, "serial", facts->serial);
	add_fact(text, "firmware", facts->firmware);
	add_fact(text, "replaces", replaces);
	statement_add_time(text, "time", clock_now_s());
	crypto_auth_hmacsha256(mac, text->ptr, text->len, inv->secret.ptr);
	statement_add_hash(text, "mac", mac);
	return statement_sign(text, key, err);
}

/* The chain begins with the enrolment. */
static void begin_chain(struct chain *c, struct bytes enrol_text, struct bytes whole)
{
	c->number = 1;
	c->time_s = clock_now_s();
	sha256(c->hash, enrol_text);
	buf_add_bytes(&c->newest, whole);
}

static int make_device(struct buf *enrol, const char *dir, const struct invite *inv, struct bytes roots, const struct settings_device *dev,
		       const struct device_facts *facts, struct error *err)
{
	_cleanup_(sign_key_done) struct sign_key key = { 0 };
	_cleanup_(age_identity_done) struct age_identity box = { 0 };
	_cleanup_(statement_freep) struct statement *st = NULL;
	_cleanup_(chain_done) struct chain chain = { 0 };
	_cleanup_(buf_done) struct buf box_text = { 0 };
	struct state_joining j = { .dir = dir, .key = &key, .fleet = inv->fleet, .address = inv->address, .pin = inv->pin, .roots = roots };
	char replaces[ID_LEN + 1];
	size_t used;

	retired_last(replaces, dir);
	sign_key_new(&key);
	age_identity_new(&box);
	if (write_enrol(enrol, inv, &key, &box, dev, facts, replaces, err) < 0 ||
	    statement_parse(&st, buf_bytes(enrol), false, &used, err) < 0)
		return err->code;
	begin_chain(&chain, statement_text(st), buf_bytes(enrol));
	age_identity_text(&box_text, &box);
	buf_add_char(&box_text, '\n');
	j.box = buf_bytes(&box_text);
	j.chain = &chain;
	return state_create(&j, err);
}

static int post_enrol(const char *dir, struct bytes enrol, const struct invite *inv, const char *user, struct error *err)
{
	struct http_request req = request_to(inv);
	_cleanup_(buf_done) struct buf body = { 0 };
	struct error failure = { 0 };
	uint32_t status = 0;

	snprintf(req.path, sizeof(req.path), "/v1/objects");
	req.is_post = true;
	req.body = enrol;
	if (call_net(&body, &status, &req, user, &failure) < 0 || status >= 500) {
		log_warning("the enrolment is kept and not sent yet: %s; the daemon sends it",
			    *failure.text ? failure.text : "the server is busy");
		return 0;
	}
	if (status == 200)
		return 0;
	if (state_destroy(dir, &failure) < 0)
		log_failure(LOG_WARNING, "folder-stays", &failure);
	return error_set(err, E_DENIED, "the server refuses the enrolment with status %u: %.300s", status, buf_text(&body));
}

static int join_locked(const char *config, const struct settings *settings, const struct settings_device *dev, const char *dir,
		       const char *path, struct error *err)
{
	_cleanup_(mem_freep) char *chain = mem_printf("%s/chain", dir);
	_cleanup_(buf_done) struct buf roots = { 0 }, enrol = { 0 };
	_cleanup_(root_freep) struct root *root = NULL;
	struct device_facts facts = { 0 };
	struct invite inv = { 0 };
	int r;

	if (access(chain, F_OK) == 0)
		return error_set(err, E_DENIED, "device '%s' has joined already; to join it anew, stop the agent and move '%s' away",
				 dev->name, dir);
	r = take_invite(&inv, path, err);
	if (r == 0)
		r = fetch_roots(&roots, &root, &inv, settings->user, err);
	if (r == 0)
		ask_facts(&facts, config, dev);
	if (r == 0)
		r = retired_set_aside(dir, err);
	if (r == 0)
		r = make_device(&enrol, dir, &inv, buf_bytes(&roots), dev, &facts, err);
	if (r == 0)
		r = post_enrol(dir, buf_bytes(&enrol), &inv, settings->user, err);
	if (r == 0)
		printf("%s answered invite %s of fleet '%s'; an admin admits it with: holdfast device admit\n", dev->name, inv.id,
		       root_name(root));
	secret_done(&inv.secret);
	return r;
}

/* A device of this name was erased, and whatever cut its end off left something of it. */
static int finish_retired(const struct settings *settings, const struct settings_device *dev, const char *dir, struct error *err)
{
	struct retired left;
	int r = retired_read(&left, dir, err);

	if (r != 0)
		return r < 0 ? r : 0;
	retired_done(&left);
	return retired_finish(settings, dev, dir, err);
}

int join(const char *config, const struct settings *settings, const struct settings_device *dev, const char *path, struct error *err)
{
	_cleanup_(mem_freep) char *dir = mem_printf("%s/%s", settings->state, dev->name);
	_cleanup_(mem_freep) char *lock_path = mem_printf("%s/lock", dir);
	_cleanup_(fd_closep) int lock = -1;

	signal(SIGPIPE, SIG_IGN);
	if (fs_mkdirs(dir, 0700, err) < 0 || finish_retired(settings, dev, dir, err) < 0)
		return err->code;
	lock = fs_lock(lock_path, err);
	if (lock < 0)
		return error_add(err, "device '%s' is in use by the daemon, so it has joined already", dev->name);
	return join_locked(config, settings, dev, dir, path, err);
}
