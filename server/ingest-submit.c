/* server/ingest-submit.c -- the way of what was judged into the archive: one container, a row of a device's chain, a list of orders. */
#include "server/ingest-parts.h"

#include "base/log.h"
#include "crypto/judgement.h"
#include "server/server.h"

#include <errno.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>

static bool is_storage_failure(const struct error *err)
{
	return err->code == E_SYS && (err->sys == ENOSPC || err->sys == EDQUOT || err->sys == EROFS || err->sys == EIO);
}

static void note_storage(struct server *server, int result, const struct error *err)
{
	if (result == 0 && server->disk_refuses)
		server->disk_refuses = false;
	else if (result < 0 && is_storage_failure(err) && !atomic_exchange(&server->disk_refuses, true))
		log_failure(LOG_ERROR, "storage-refuses", err);
}

static void leave(struct server *server, size_t count)
{
	if (atomic_fetch_sub(&server->submitting, count) != count || !server->stopping)
		return;
	pthread_mutex_lock(&server->lock);
	pthread_cond_broadcast(&server->idle);
	pthread_mutex_unlock(&server->lock);
}

/* Counted first: who stops the server sees the count, or is seen here. */
static bool begin(struct server *server, size_t count)
{
	atomic_fetch_add(&server->submitting, count);
	if (!server->stopping)
		return true;
	leave(server, count);
	return false;
}

/* ---- rows ---- */

void row_done(struct row *row)
{
	for (size_t i = 0; i < row->count; i++) {
		container_done(&row->of[i].c);
		buf_done(&row->of[i].bytes);
	}
	free(row->of);
	*row = (struct row){ 0 };
}

/* Both are taken over. */
static void add(struct row *row, struct container *c, struct buf *bytes)
{
	if (!(row->count & (row->count - 1)))
		row->of = mem_grow(row->of, (row->count ? 2 * row->count : 1) * sizeof(*row->of));
	row->of[row->count++] = (struct repo_parsed){ .c = *c, .bytes = *bytes };
	*c = (struct container){ 0 };
	*bytes = (struct buf){ 0 };
}

void row_of(struct row *row, struct container *c, struct buf *bytes)
{
	*row = (struct row){ 0 };
	add(row, c, bytes);
}

static void add_copy(struct row *row, struct container *c, struct bytes from)
{
	struct buf copy = { 0 };

	buf_add_bytes(&copy, from);
	container_borrow_from(c, copy.ptr, from.ptr);
	add(row, c, &copy);
}

static bool is_chain_type(enum statement_type type)
{
	return type == STATEMENT_SNAPSHOT || type == STATEMENT_VERDICT || type == STATEMENT_RECEIPT || type == STATEMENT_EPOCH;
}

/* May it stand in a row with the first? */
static int check_kin(const struct row *row, const struct container *c, struct error *err)
{
	const struct statement *st = c->st, *first = row->count ? row->of[0].c.st : st;

	if (row->count == ROW_MAX)
		return error_set(err, E_LIMIT, "more than %d statements in a row", ROW_MAX);
	if (!is_chain_type(statement_type(st)))
		return error_set(err, E_FORMAT, "%s comes alone: only epochs, snapshots, verdicts and receipts may come in a row",
				 statement_type_name(statement_type(st)));
	if (strcmp(statement_get(st, "device"), statement_get(first, "device")) != 0)
		return error_set(err, E_FORMAT, "a row is of one device");
	return 0;
}

int row_parse(struct row *out, struct buf *body, struct error *err)
{
	struct bytes rest = buf_bytes(body);
	struct row row = { 0 };
	size_t used = 0;
	int r = 0;

	for (; r == 0 && (rest.len || !row.count); rest = bytes_from(rest, used)) {
		struct container c = { 0 };

		r = container_parse(&c, rest, CONTAINER_ATTACHED, &used, err);
		if (r == 0 && !row.count && used == body->len) {
			add(&row, &c, body);
			break;
		}
		if (r == 0)
			r = check_kin(&row, &c, err);
		if (r == 0)
			add_copy(&row, &c, bytes_of(rest.ptr, used));
		container_done(&c);
		if (r < 0 && (row.count || used))
			error_add(err, "statement %zu of the row", row.count + 1);
	}
	if (r < 0)
		row_done(&row);
	*out = row;
	return r;
}

/* ---- on their way ---- */

/* From the journal thread, for each in their order. Whoever comes last, this or the thread that submitted, wakes the connection. */
static void on_outcome(void *ctx, const struct repo_outcome *outcome)
{
	struct submitted *one = ctx;
	struct submission *sub = one->all;
	struct server *server = sub->server;
	struct MHD_Connection *conn = sub->conn;

	one->result = outcome->result;
	one->head_number = outcome->head_number;
	memcpy(one->head_hash, outcome->head_hash, HASH_LEN);
	if (outcome->result != 0 && outcome->result != REPO_SEEN && !sub->failed) {
		sub->failed = one;
		if (outcome->result < 0 && outcome->err)
			sub->err = *outcome->err;
	}
	note_storage(server, outcome->result, outcome->err);
	if (atomic_fetch_sub(&sub->left, 1) == 1) /* unless it was the last, sub may be gone from here on */
		MHD_resume_connection(conn);
	leave(server, 1);
}

static void describe(struct submitted *one, const struct container *c)
{
	const char *subject = statement_get(c->st, "device");
	uint8_t about[HASH_LEN];

	if (!subject)
		subject = statement_get(c->st, "invite");
	one->type = statement_type(c->st);
	one->number = statement_number(c->st, "number");
	if (one->type == STATEMENT_JUDGEMENT)
		judgement_advisory_id(one->subject, statement_get(c->st, "advisory"));
	else if (subject)
		memcpy(one->subject, subject, ID_LEN + 1);
	else if (one->type == STATEMENT_BATCH)
		batch_id(one->subject, c->st);
	else if (statement_get_hash(about, c->st, "batch"))
		id_of_hash(one->subject, about);
	else if (one->type == STATEMENT_FIRMWARE)
		id_of_hash(one->subject, statement_hash(c->st));
	statement_hash_hex(one->hash, c->st);
}

static struct submission *submission_new(struct server *server, struct MHD_Connection *conn, struct row *row)
{
	struct submission *sub = mem_alloc(sizeof(*sub) + row->count * sizeof(sub->of[0]));

	sub->server = server;
	sub->conn = conn;
	sub->count = row->count;
	atomic_init(&sub->left, row->count + 1);
	for (size_t i = 0; i < row->count; i++) {
		describe(&sub->of[i], &row->of[i].c);
		sub->of[i].all = sub;
		row->of[i].ctx = &sub->of[i];
	}
	return sub;
}

int ingest_submit(struct submission **out, struct server *server, struct MHD_Connection *conn, struct row *row, struct error *err)
{
	struct submission *sub;
	int r;

	if (!begin(server, row->count))
		return REPO_BUSY;
	sub = submission_new(server, conn, row);
	r = repo_submit_parsed(server->repo, row->of, row->count, on_outcome, err);
	if (r != 0) {
		leave(server, row->count);
		free(sub);
		return r;
	}
	*out = sub;
	if (atomic_load(&sub->left) == 1)
		return 0;
	sub->is_parked = true;
	MHD_suspend_connection(conn);
	if (atomic_fetch_sub(&sub->left, 1) == 1)
		MHD_resume_connection(conn);
	return 0;
}

/* ---- a list of orders ---- */

void posted_list_free(struct posted_list *list)
{
	free(list);
}

struct orders {
	struct bytes *list;
	size_t count;
};

static void orders_done(struct orders *orders)
{
	free(orders->list);
}

/* Takes the list apart, and judges each. */
static int check_orders(struct orders *out, struct repo *repo, struct bytes rest, struct error *err)
{
	_cleanup_(statement_freep) struct statement *batch = NULL;
	size_t used = 0;

	for (; rest.len; rest = bytes_from(rest, used)) {
		_cleanup_(container_done) struct container c = { 0 };
		int r = container_parse(&c, rest, CONTAINER_ATTACHED, &used, err);

		if (r == 0 && statement_type(c.st) != STATEMENT_ORDER)
			r = error_set(err, E_FORMAT, "there is a %s among the orders", statement_type_name(statement_type(c.st)));
		if (r < 0)
			return error_add(err, "order %zu of the list", out->count + 1);
		if (ingest_check_order(&batch, repo, &c, err) < 0)
			return err->code;
		if (!(out->count & (out->count - 1)))
			out->list = mem_grow(out->list, (out->count ? 2 * out->count : 1) * sizeof(*out->list));
		out->list[out->count++] = bytes_of(rest.ptr, used);
	}
	return 0;
}

/* From the journal thread, once for each. */
static void on_order(void *ctx, const struct repo_outcome *outcome)
{
	struct posted_list *list = ctx;
	struct server *server = list->server;
	bool is_last = false;

	pthread_mutex_lock(&server->lock);
	if (outcome->result == 0)
		list->stored++;
	else if (outcome->result == REPO_SEEN)
		list->seen++;
	else if (!list->failed++) {
		list->result = outcome->result;
		if (outcome->result < 0 && outcome->err)
			list->err = *outcome->err;
	}
	note_storage(server, outcome->result, outcome->err);
	if (!--list->left) {
		if (list->is_parked)
			MHD_resume_connection(list->conn);
		is_last = true; /* and list may be gone once the lock is given back */
	}
	pthread_mutex_unlock(&server->lock);
	if (is_last)
		leave(server, 1);
}

static int submit_orders(struct posted_list *list, const struct orders *orders, struct error *err)
{
	struct server *server = list->server;
	int r;

	list->count = list->left = orders->count;
	if (!begin(server, 1))
		return REPO_BUSY;
	r = repo_submit_list(server->repo, orders->list, orders->count, on_order, list, err);
	if (r != 0) {
		leave(server, 1);
		return r;
	}
	pthread_mutex_lock(&server->lock);
	if (list->left) {
		list->is_parked = true;
		MHD_suspend_connection(list->conn);
	}
	pthread_mutex_unlock(&server->lock);
	return 0;
}

int ingest_submit_orders(struct posted_list **out, struct server *server, struct MHD_Connection *conn, struct bytes body, struct error *err)
{
	_cleanup_(orders_done) struct orders orders = { 0 };
	struct posted_list *list;
	int r = check_orders(&orders, server->repo, body, err);

	if (r < 0)
		return r;
	list = mem_alloc(sizeof(*list));
	list->server = server;
	list->conn = conn;
	r = submit_orders(list, &orders, err);
	if (r != 0) {
		free(list);
		return r;
	}
	*out = list;
	return 0;
}

bool ingest_is_of_chain(const struct submitted *one)
{
	return is_chain_type(one->type);
}

bool ingest_is_misuse(const struct submitted *one)
{
	return one->result == REPO_FORK && one->number > one->head_number;
}

void ingest_note(const struct submitted *one)
{
	const char *type = statement_type_name(one->type);

	if (ingest_is_misuse(one)) {
		log_error("retired-key-in-use device=%s type=%s hash=%s: it was retired, and somebody uses its key; kept as evidence",
			  one->subject, type, one->hash);
		return;
	}
	if (one->result == REPO_FORK) {
		log_error("fork device=%s type=%s hash=%s: two statements have one number; the second is kept as evidence", one->subject,
			  type, one->hash);
		return;
	}
	if (one->result != 0)
		return;
	if (one->type == STATEMENT_ROOT || one->type == STATEMENT_INVITE || one->type == STATEMENT_ENROL || one->type == STATEMENT_ADMIT ||
	    one->type == STATEMENT_BATCH || one->type == STATEMENT_CONTROL || one->type == STATEMENT_SHREDDED ||
	    one->type == STATEMENT_CERTIFICATE || one->type == STATEMENT_JUDGEMENT || one->type == STATEMENT_FIRMWARE)
		log_notice("archived type=%s subject=%s hash=%s", type, one->subject[0] ? one->subject : "-", one->hash);
	else
		log_info("archived type=%s device=%s hash=%s", type, one->subject, one->hash);
}
