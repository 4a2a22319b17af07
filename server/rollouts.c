/* server/rollouts.c -- all batches, where each stands now, and whom that wakes. */
#include "server/rollouts.h"

#include "base/clock.h"
#include "base/log.h"

#include <errno.h>
#include <pthread.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	TICK_S = 1,
};

/* One batch. What is only needed while something can change goes when it is over. */
struct rollout {
	char id[ID_LEN + 1];
	struct statement *batch;
	struct buf head; /* batch and approvals, as devices get them */
	struct release_consent consent;
	struct release now;
	/* as the log and the devices were told last */
	enum release_state told_state;
	size_t told_waves;
	bool is_told, told_open, is_queued;
	struct rollout *next; /* in the queue of those to be told about */
	/* noted, and not read again yet */
	bool is_stale, is_consent_stale;
	struct rollout *next_stale;
};

struct note {
	char id[ID_LEN + 1];     /* of the batch; "": all of them */
	char device[ID_LEN + 1]; /* of a receipt; "" */
	bool is_consent;         /* who agrees is to be counted anew */
};

struct notes {
	struct note *list;
	size_t count, cap;
};

struct rollouts {
	struct repo *repo;
	rollouts_wake_fn wake;
	void *wake_ctx;

	pthread_mutex_t lock; /* for what follows; taken before note_lock and before any lock of repo/ and of who is woken */
	void *tree;           /* tsearch(3) tree of struct rollout by id */
	struct rollout *queue;
	struct notes answers; /* receipts whose groups are to be woken */
	struct notes decided; /* batches about which somebody decided */

	pthread_mutex_t note_lock; /* for what follows */
	pthread_cond_t noted;
	struct notes notes;
	bool stopping;
	pthread_t thread;
	bool thread_runs;
};

/* ---- notes ---- */

static void add_note(struct notes *notes, const struct note *note)
{
	if (notes->count == notes->cap) {
		notes->cap = notes->cap ? 2 * notes->cap : 64;
		notes->list = mem_grow(notes->list, notes->cap * sizeof(*note));
	}
	notes->list[notes->count++] = *note;
}

static void notes_done(struct notes *notes)
{
	free(notes->list);
	*notes = (struct notes){ 0 };
}

/* Ten thousand orders of one batch come in a row: one note stands for them. */
static bool is_noted(const struct notes *notes, const struct note *note)
{
	return notes->count && !note->device[0] && !memcmp(&notes->list[notes->count - 1], note, sizeof(*note));
}

static bool about(struct note *out, const struct statement *st)
{
	uint8_t hash[HASH_LEN];

	*out = (struct note){ .is_consent = statement_type(st) != STATEMENT_ORDER && statement_type(st) != STATEMENT_RECEIPT };
	switch (statement_type(st)) {
	case STATEMENT_ROOT:
		return true;
	case STATEMENT_BATCH:
		batch_id(out->id, st);
		return true;
	case STATEMENT_ORDER:
		id_of_hash(out->id, statement_proof(st)->batch);
		return true;
	case STATEMENT_RECEIPT:
		memcpy(out->device, statement_get(st, "device"), ID_LEN + 1);
		break;
	case STATEMENT_CONTROL:
		break;
	case STATEMENT_INVITE:
	case STATEMENT_ENROL:
	case STATEMENT_ADMIT:
	case STATEMENT_EPOCH:
	case STATEMENT_SNAPSHOT:
	case STATEMENT_STATUS:
	case STATEMENT_CHECKPOINT:
	case STATEMENT_LOGIN:
	case STATEMENT_SHREDDED:
	case STATEMENT_CERTIFICATE:
	case STATEMENT_JUDGEMENT:
	case STATEMENT_VERDICT:
	case STATEMENT_WAIVER:
	case STATEMENT_FIRMWARE:
		return false;
	}
	statement_get_hash(hash, st, "batch");
	id_of_hash(out->id, hash);
	return true;
}

void rollouts_note(struct rollouts *r, const struct statement *st)
{
	struct note note;

	if (!about(&note, st))
		return;
	pthread_mutex_lock(&r->note_lock);
	if (!is_noted(&r->notes, &note))
		add_note(&r->notes, &note);
	pthread_cond_signal(&r->noted);
	pthread_mutex_unlock(&r->note_lock);
}

/* ---- one batch ---- */

static int by_id(const void *a, const void *b)
{
	return strcmp(a, b); /* a struct rollout begins with its id */
}

static struct rollout *find(struct rollouts *r, const char *id)
{
	struct rollout **at = tfind(id, &r->tree, by_id);

	return at ? *at : NULL;
}

static void drop_texts(struct rollout *b)
{
	b->batch = statement_free(b->batch);
	buf_done(&b->head);
}

static void rollout_free(void *ptr)
{
	drop_texts(ptr);
	free(ptr);
}

static struct rollout *add(struct rollouts *r, const char *id)
{
	struct rollout *b = mem_alloc(sizeof(*b));

	memcpy(b->id, id, ID_LEN + 1);
	if (!tsearch(b, &r->tree, by_id))
		abort(); /* out of memory */
	return b;
}

/* Who agrees, counted anew. */
static int count_people(struct rollout *b, struct rollouts *r, struct bytes controls, struct error *err)
{
	_cleanup_(release_controls_done) struct release_controls all = { 0 };
	const struct root *root;
	int result = release_controls_parse(&all, controls, err);

	if (result < 0)
		return result;
	if (repo_root_get(&root, r->repo, err) != 0)
		return error_set(err, E_DENIED, "there is no root");
	release_count(&b->consent, b->batch, &all, root);
	buf_truncate(&b->head, 0);
	buf_add_bytes(&b->head, statement_whole(b->batch));
	release_approvals(&b->head, b->batch, &all, root);
	repo_root_put(r->repo, root);
	return 0;
}

static void enqueue(struct rollouts *r, struct rollout *b)
{
	if (b->is_queued)
		return;
	b->is_queued = true;
	b->next = r->queue;
	r->queue = b;
}

static bool is_done(const struct rollout *b, const struct repo_batch *counts)
{
	uint64_t settled = 0;

	for (size_t i = 0; i < counts->wave_count; i++)
		settled += counts->waves[i].settled;
	return settled == statement_number(b->batch, "count");
}

static int refresh_from(struct rollout *b, struct rollouts *r, bool consent, struct error *err)
{
	_cleanup_(buf_done) struct buf text = { 0 }, controls = { 0 };
	bool first = !b->batch;
	struct repo_batch counts;
	int result = repo_batch(&counts, first ? &text : NULL, first || consent ? &controls : NULL, r->repo, b->id, err);

	if (result != 0)
		return result;
	if (first)
		result = statement_parse(&b->batch, buf_bytes(&text), false, NULL, err);
	/* most that a server starts with are done, whoever agreed */
	if (result == 0 && (first || consent) && !is_done(b, &counts))
		result = count_people(b, r, buf_bytes(&controls), err);
	if (result < 0)
		return result;
	release_judge(&b->now, b->batch, &counts, &b->consent, clock_now_s());
	enqueue(r, b);
	if (release_state_is_over(b->now.state))
		drop_texts(b);
	return 0;
}

/* With the lock held. A batch that cannot be read stays as it was, and is not given out: it is closed until it can. */
static void refresh(struct rollouts *r, struct rollout *b, bool consent)
{
	struct error err = { 0 };
	int result = refresh_from(b, r, consent, &err);

	if (result == 0)
		return;
	b->now.is_open = false;
	b->now.due_s = clock_now_s() + TICK_S;
	drop_texts(b); /* so that everything is read anew */
	if (result < 0)
		log_failure(LOG_ERROR, "cannot-judge-batch", &err);
}

/* ---- following the archive ---- */

struct each {
	struct rollouts *r;
	void (*fn)(struct rollouts *r, struct rollout *b);
};

static void visit(const void *node, VISIT which, void *ctx)
{
	const struct each *each = ctx;

	if (which == postorder || which == leaf)
		each->fn(each->r, *(struct rollout *const *)node);
}

static void for_each(struct rollouts *r, void (*fn)(struct rollouts *r, struct rollout *b))
{
	struct each each = { r, fn };

	twalk_r(r->tree, visit, &each);
}

static void refresh_consent(struct rollouts *r, struct rollout *b)
{
	if (!release_state_is_over(b->now.state))
		refresh(r, b, true);
}

/* NULL: a device may name a batch that nobody knows. */
static struct rollout *find_or_add(struct rollouts *r, const char *id)
{
	struct rollout *b = find(r, id);
	struct error ignored;

	if (b || repo_batch(NULL, NULL, NULL, r->repo, id, &ignored) != 0)
		return b;
	b = add(r, id);
	b->is_told = r->thread_runs; /* what there was at the start is no change of state */
	return b;
}

/* Chains what a note makes stale in front of `stale`. */
static void take_note(struct rollouts *r, const struct note *note, struct rollout **stale)
{
	struct rollout *b;

	if (!note->id[0]) {
		for_each(r, refresh_consent);
		return;
	}
	b = find_or_add(r, note->id);
	if (!b)
		return;
	if (note->device[0])
		add_note(&r->answers, note);
	if (note->is_consent)
		add_note(&r->decided, note);
	b->is_consent_stale = b->is_consent_stale || note->is_consent;
	if (b->is_stale || b->now.state == RELEASE_DONE)
		return;
	b->is_stale = true;
	b->next_stale = *stale;
	*stale = b;
}

/* With the lock held: takes what was noted. */
static void catch_up(struct rollouts *r)
{
	struct rollout *stale = NULL;
	struct notes notes;

	pthread_mutex_lock(&r->note_lock);
	notes = r->notes;
	r->notes = (struct notes){ 0 };
	pthread_mutex_unlock(&r->note_lock);
	for (size_t i = 0; i < notes.count; i++)
		take_note(r, &notes.list[i], &stale);
	notes_done(&notes);
	for (; stale; stale = stale->next_stale) {
		refresh(r, stale, stale->is_consent_stale);
		stale->is_stale = stale->is_consent_stale = false;
	}
}

bool rollouts_look(struct release *out, struct rollouts *r, const char *id)
{
	struct rollout *b;

	pthread_mutex_lock(&r->lock);
	catch_up(r);
	b = find(r, id);
	if (b)
		*out = b->now;
	pthread_mutex_unlock(&r->lock);
	return b;
}

/* Time goes on between two ticks: what it has ended is not given out. */
static bool is_open_now(const struct rollout *b, uint32_t wave)
{
	return b->now.is_open && wave < b->now.waves && batch_time(b->batch, clock_now_s()) == BATCH_IN_TIME;
}

bool rollouts_is_open(struct buf *head, struct rollouts *r, const char *id, uint32_t wave)
{
	struct rollout *b;
	bool open;

	pthread_mutex_lock(&r->lock);
	catch_up(r);
	b = find(r, id);
	open = b && b->batch && strcmp(statement_get(b->batch, "kind"), "shred") != 0 /* for the archive, never for a device */
	       && is_open_now(b, wave);
	if (open && head)
		buf_add_bytes(head, buf_bytes(&b->head));
	pthread_mutex_unlock(&r->lock);
	return open;
}

/* ---- telling ---- */

static int wake_open(void *ctx, const struct repo_order *order)
{
	const struct rollouts *r = ctx;

	if (!order->is_settled)
		r->wake(r->wake_ctx, order->device);
	return 0;
}

/* Devices whose turn came since they were told last. */
static void wake_devices(struct rollouts *r, const struct rollout *b)
{
	uint32_t from = 0;
	struct error err = { 0 };
	struct repo_batch counts;
	int result;

	if (!b->now.is_open || (b->told_open && b->told_waves >= b->now.waves))
		return;
	result = repo_batch(&counts, NULL, NULL, r->repo, b->id, &err);
	if (result == 0 && b->told_open && b->told_waves)
		from = counts.waves[b->told_waves - 1].end;
	if (result == 0)
		result = repo_orders(r->repo, b->id, from, b->now.released, wake_open, r, &err);
	if (result < 0)
		log_failure(LOG_ERROR, "cannot-wake-devices", &err);
}

static void log_change(const struct rollout *b)
{
	if (b->told_state != b->now.state)
		log_notice("batch id=%s state=%s was=%s", b->id, release_state_name(b->now.state), release_state_name(b->told_state));
	if (b->now.is_open && b->now.waves > b->told_waves)
		log_notice("released batch=%s wave=%zu orders=%u", b->id, b->now.waves, b->now.released);
	if (b->told_state != b->now.state && b->now.state == RELEASE_STOPPED)
		log_error("stopped batch=%s failed=%u released=%u: nothing more of it is given out; holdfast rollout show tells why", b->id,
			  b->now.failed, b->now.released);
}

static void tell(struct rollouts *r, struct rollout *b)
{
	if (b->is_told)
		log_change(b);
	else
		log_info("batch id=%s state=%s released=%u settled=%u failed=%u", b->id, release_state_name(b->now.state), b->now.released,
			 b->now.settled, b->now.failed);
	wake_devices(r, b);
	b->told_state = b->now.state;
	b->told_open = b->now.is_open;
	if (b->now.is_open || !b->is_told)
		b->told_waves = b->now.waves;
	b->is_told = true;
}

static void tell_all(struct rollouts *r)
{
	struct rollout *b;

	while ((b = r->queue)) {
		r->queue = b->next;
		b->is_queued = false;
		tell(r, b);
	}
}

static int wake_healthy(void *ctx, const struct repo_order *order)
{
	const struct rollouts *r = ctx;

	if (!strcmp(order->outcome, "healthy"))
		r->wake(r->wake_ctx, order->device);
	return 0;
}

/* The others of an atomic group wait for each other's receipts. */
static void wake_groups(struct rollouts *r)
{
	struct error err = { 0 };

	for (size_t i = 0; i < r->answers.count; i++)
		if (repo_group(NULL, r->repo, r->answers.list[i].id, r->answers.list[i].device, wake_healthy, r, &err) < 0)
			log_failure(LOG_ERROR, "cannot-wake-group", &err);
	notes_done(&r->answers);
}

/* A device that waits with an order to erase it, or may still be fetching an image. */
static int wake_undone(void *ctx, const struct repo_order *order)
{
	const struct rollouts *r = ctx;
	enum order_kind kind;

	if (!order_kind_parse(&kind, order->kind) || !(order_kind_erases(kind) || kind == ORDER_UPGRADE))
		return 1; /* all of a batch are of one kind */
	if (kind == ORDER_UPGRADE ? !order->is_settled : !strcmp(order->outcome, "armed"))
		r->wake(r->wake_ctx, order->device);
	return 0;
}

static void wake_decided(struct rollouts *r)
{
	struct error err = { 0 };

	for (size_t i = 0; i < r->decided.count; i++)
		if (repo_orders(r->repo, r->decided.list[i].id, 0, ORDER_COUNT_MAX, wake_undone, r, &err) < 0)
			log_failure(LOG_ERROR, "cannot-wake-devices", &err);
	notes_done(&r->decided);
}

/* ---- the thread ---- */

static void tick(struct rollouts *r, struct rollout *b)
{
	if (b->now.due_s && b->now.due_s <= clock_now_s())
		refresh(r, b, false);
}

/* Until something is noted, or a tick; false: it is time to stop. */
static bool wait_for_notes(struct rollouts *r)
{
	struct timespec ts;
	bool go_on;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	ts.tv_sec += TICK_S;
	pthread_mutex_lock(&r->note_lock);
	while (!r->stopping && !r->notes.count)
		if (pthread_cond_timedwait(&r->noted, &r->note_lock, &ts) == ETIMEDOUT)
			break;
	go_on = !r->stopping;
	pthread_mutex_unlock(&r->note_lock);
	return go_on;
}

static void *rollouts_main(void *ctx)
{
	struct rollouts *r = ctx;

	do {
		pthread_mutex_lock(&r->lock);
		catch_up(r);
		for_each(r, tick);
		tell_all(r);
		wake_groups(r);
		wake_decided(r);
		pthread_mutex_unlock(&r->lock);
	} while (wait_for_notes(r));
	return NULL;
}

/* ---- start and stop ---- */

static int add_note_of(void *ctx, const char *id)
{
	struct note note = { .is_consent = true };

	memcpy(note.id, id, ID_LEN + 1);
	add_note(ctx, &note);
	return 0;
}

static void init_waiting(struct rollouts *r)
{
	pthread_condattr_t attr;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&r->noted, &attr);
	pthread_condattr_destroy(&attr);
}

int rollouts_new(struct rollouts **out, struct repo *repo, rollouts_wake_fn wake, void *ctx, struct error *err)
{
	struct rollouts *r = mem_alloc(sizeof(*r));
	int result;

	r->repo = repo;
	r->wake = wake;
	r->wake_ctx = ctx;
	pthread_mutex_init(&r->lock, NULL);
	pthread_mutex_init(&r->note_lock, NULL);
	init_waiting(r);
	result = repo_batches(repo, NULL, add_note_of, &r->notes, err);
	if (result == 0) {
		catch_up(r);
		r->thread_runs = true;
		if (pthread_create(&r->thread, NULL, rollouts_main, r) != 0) {
			r->thread_runs = false;
			result = error_set(err, E_SYS, "cannot start a thread");
		}
	}
	if (result < 0) {
		rollouts_free(r);
		return result;
	}
	*out = r;
	return 0;
}

void rollouts_stop(struct rollouts *r)
{
	if (!r || !r->thread_runs)
		return;
	pthread_mutex_lock(&r->note_lock);
	r->stopping = true;
	pthread_cond_signal(&r->noted);
	pthread_mutex_unlock(&r->note_lock);
	pthread_join(r->thread, NULL);
	r->thread_runs = false;
}

struct rollouts *rollouts_free(struct rollouts *r)
{
	if (!r)
		return NULL;
	rollouts_stop(r);
	tdestroy(r->tree, rollout_free);
	notes_done(&r->notes);
	notes_done(&r->answers);
	notes_done(&r->decided);
	pthread_cond_destroy(&r->noted);
	pthread_mutex_destroy(&r->note_lock);
	pthread_mutex_destroy(&r->lock);
	free(r);
	return NULL;
}
