/* server/deliver.c -- what of its orders a device's poll gets, and how often the same is given again. */
#include "server/deliver.h"

#include "base/log.h"

#include <pthread.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

enum { AGAIN_MIN_MS = 2000, AGAIN_MAX_MS = 60000 };

/* What a device was given last. */
struct given {
	char device[ID_LEN + 1];
	uint8_t print[HASH_LEN];
	uint64_t at_ms, again_ms; /* again_ms: how long until it is given again */
};

struct deliveries {
	struct wait *wait;
	pthread_mutex_t lock; /* for what follows */
	void *tree;           /* tsearch(3) tree of struct given by device: only of devices for which there is something */
	void *ordered;        /* ids of devices that may have open orders; who is not there has none */
	uint64_t notes;       /* how often one was added */
};

static int by_device(const void *a, const void *b)
{
	return strcmp(a, b); /* a struct given begins with it */
}

/* With the lock held. */
static void add_ordered(struct deliveries *d, const char *device)
{
	char *id;

	d->notes++;
	if (tfind(device, &d->ordered, by_device))
		return;
	id = mem_strdup(device);
	if (!tsearch(id, &d->ordered, by_device))
		abort(); /* out of memory */
}

static int find_ordered(void *ctx, const struct repo_order *order)
{
	add_ordered(ctx, order->device);
	return 0;
}

int deliveries_new(struct deliveries **out, struct repo *repo, struct wait *wait, struct error *err)
{
	struct deliveries *d = mem_alloc(sizeof(*d));

	pthread_mutex_init(&d->lock, NULL);
	d->wait = wait;
	if (repo_open_orders(repo, NULL, find_ordered, d, err) < 0) {
		deliveries_free(d);
		return err->code;
	}
	*out = d;
	return 0;
}

void deliveries_note(struct deliveries *d, const char *device)
{
	pthread_mutex_lock(&d->lock);
	add_ordered(d, device);
	pthread_mutex_unlock(&d->lock);
}

/* Orders that came together are readable together, and the first to be noted wakes the devices of all: of the others none may be noted yet,
 * and who looked and found nothing would not be woken again. */
void deliveries_wake(void *deliveries, const char *device)
{
	struct deliveries *d = deliveries;

	deliveries_note(d, device);
	wait_news(d->wait, device);
}

/* May there be orders? *notes: for has_none(). */
static bool may_have_orders(struct deliveries *d, const char *device, uint64_t *notes)
{
	bool may;

	pthread_mutex_lock(&d->lock);
	may = tfind(device, &d->ordered, by_device) != NULL;
	*notes = d->notes;
	pthread_mutex_unlock(&d->lock);
	return may;
}

/* The archive had none for this device; but one that was noted since we asked may be its. */
static void has_none(struct deliveries *d, const char *device, uint64_t notes)
{
	char **at;

	pthread_mutex_lock(&d->lock);
	at = notes == d->notes ? tfind(device, &d->ordered, by_device) : NULL;
	if (at) {
		char *id = *at;

		tdelete(id, &d->ordered, by_device);
		free(id);
	}
	pthread_mutex_unlock(&d->lock);
}

struct deliveries *deliveries_free(struct deliveries *d)
{
	if (!d)
		return NULL;
	tdestroy(d->tree, free);
	tdestroy(d->ordered, free);
	pthread_mutex_destroy(&d->lock);
	free(d);
	return NULL;
}

/* ---- what there is ---- */

struct open_order {
	char batch[ID_LEN + 1];
	uint32_t wave;
	uint64_t number;
	bool is_healthy, is_armed, is_upgrade;
};

struct open_orders {
	struct open_order *list;
	size_t count;
};

static int take_open(void *ctx, const struct repo_order *order)
{
	struct open_orders *all = ctx;
	struct open_order *o;

	if (!(all->count & (all->count - 1)))
		all->list = mem_grow(all->list, (all->count ? 2 * all->count : 1) * sizeof(*all->list));
	o = &all->list[all->count++];
	*o = (struct open_order){ .wave = order->wave,
				  .number = order->number,
				  .is_healthy = order->is_grouped && !strcmp(order->outcome, "healthy"),
				  .is_armed = !strcmp(order->outcome, "armed"),
				  .is_upgrade = !strcmp(order->kind, order_kind_name(ORDER_UPGRADE)) };
	memcpy(o->batch, order->batch, ID_LEN + 1);
	return 0;
}

static void open_orders_done(struct open_orders *all)
{
	free(all->list);
}

/* What people decided about an order to erase while the device waits with it, or about an upgrade whose image it fetches. */
static int add_decisions(struct buf *out, struct repo *repo, const char *batch, struct error *err)
{
	_cleanup_(release_controls_done) struct release_controls all = { 0 };
	_cleanup_(buf_done) struct buf head = { 0 }, controls = { 0 };
	int r = repo_batch(NULL, &head, &controls, repo, batch, err);

	if (r == 0)
		r = release_controls_parse(&all, buf_bytes(&controls), err);
	if (r == 0 && release_decisions(&head, &all))
		buf_add_bytes(out, buf_bytes(&head));
	return r < 0 ? r : 0;
}

static void make_print(struct delivery *out)
{
	_cleanup_(buf_done) struct buf text = { 0 };

	for (size_t i = 0; i < out->count; i++)
		buf_addf(&text, "%s\n", out->orders[i].batch); /* a device has one order in a batch */
	buf_add_bytes(&text, buf_bytes(&out->news));
	sha256(out->print, buf_bytes(&text));
}

int deliver_look(struct delivery *out, struct deliveries *d, struct repo *repo, struct rollouts *rollouts, const char *device,
		 uint64_t noted, bool is_waiting, struct error *err)
{
	_cleanup_(open_orders_done) struct open_orders all = { 0 };
	uint64_t notes;
	int r;

	*out = (struct delivery){ 0 };
	if (!may_have_orders(d, device, &notes))
		return 0;
	r = repo_open_orders(repo, device, take_open, &all, err);
	if (r == 0 && !all.count)
		has_none(d, device, notes);
	for (size_t i = 0; r >= 0 && i < all.count; i++) {
		const struct open_order *o = &all.list[i];

		if (o->is_armed) {
			r = add_decisions(&out->news, repo, o->batch, err);
			out->is_asked = !is_waiting;
		} else if (o->is_upgrade && o->number <= noted) {
			r = add_decisions(&out->news, repo, o->batch, err);
		} else if (o->is_healthy) {
			r = repo_group(&out->news, repo, o->batch, device, NULL, NULL, err);
		} else if (o->number > noted && out->count < DELIVER_ORDERS_MAX && rollouts_is_open(NULL, rollouts, o->batch, o->wave)) {
			out->orders[out->count].wave = o->wave;
			memcpy(out->orders[out->count++].batch, o->batch, ID_LEN + 1);
		}
	}
	make_print(out);
	if (r < 0)
		delivery_done(out);
	return r < 0 ? r : 0;
}

void delivery_done(struct delivery *delivery)
{
	buf_done(&delivery->news);
	*delivery = (struct delivery){ 0 };
}

bool delivery_is_empty(const struct delivery *delivery)
{
	return !delivery->count && !delivery->news.len;
}

/* ---- when ---- */

uint64_t deliver_when_ms(struct deliveries *d, const char *device, const struct delivery *delivery, uint64_t now_ms)
{
	struct given **at, *given;
	uint64_t when_ms = 0;

	pthread_mutex_lock(&d->lock);
	at = tfind(device, &d->tree, by_device);
	given = at ? *at : NULL;
	if (given && delivery_is_empty(delivery)) {
		tdelete(given, &d->tree, by_device);
		free(given);
	} else if (given && !delivery->is_asked && !memcmp(given->print, delivery->print, HASH_LEN) &&
		   now_ms < given->at_ms + given->again_ms) {
		when_ms = given->at_ms + given->again_ms;
	}
	pthread_mutex_unlock(&d->lock);
	return when_ms;
}

/* Notes that it is given. Returns whether it is the first time. */
static bool note(struct deliveries *d, const char *device, const struct delivery *delivery, uint64_t now_ms)
{
	struct given **at, *given;
	bool is_first;

	pthread_mutex_lock(&d->lock);
	at = tfind(device, &d->tree, by_device);
	given = at ? *at : mem_alloc(sizeof(*given));
	memcpy(given->device, device, ID_LEN + 1);
	if (!at && !tsearch(given, &d->tree, by_device))
		abort(); /* out of memory */
	is_first = memcmp(given->print, delivery->print, HASH_LEN) != 0;
	given->again_ms = is_first ? AGAIN_MIN_MS : 2 * given->again_ms < AGAIN_MAX_MS ? 2 * given->again_ms : AGAIN_MAX_MS;
	given->at_ms = now_ms;
	memcpy(given->print, delivery->print, HASH_LEN);
	pthread_mutex_unlock(&d->lock);
	return is_first;
}

/* ---- giving ---- */

int deliver(struct buf *out, struct deliveries *d, const struct delivery *delivery, struct repo *repo, struct rollouts *rollouts,
	    const char *device, uint64_t now_ms, struct error *err)
{
	bool is_first = note(d, device, delivery, now_ms);
	const char *in_front = ""; /* the batch that stands for the orders behind it */
	bool has_given = false;
	int r = 0;

	for (size_t i = 0; i < delivery->count && r >= 0; i++) {
		const struct delivery_order *o = &delivery->orders[i];
		_cleanup_(buf_done) struct buf head = { 0 }, order = { 0 };

		if (!rollouts_is_open(&head, rollouts, o->batch, o->wave))
			continue;
		r = repo_order(&order, repo, o->batch, device, true, err);
		if (r == REPO_ABSENT && is_first)
			log_error("payload-missing batch=%s device=%s: its order is not given out; post the orders again, or restore "
				  "'payloads'",
				  o->batch, device);
		if (r != 0)
			continue;
		if (has_given && out->len + head.len + order.len + delivery->news.len > DELIVER_BYTES_MAX)
			break; /* with the next poll */
		has_given = true;
		if (strcmp(in_front, o->batch) != 0)
			buf_add_bytes(out, buf_bytes(&head));
		in_front = o->batch;
		buf_add_bytes(out, buf_bytes(&order));
	}
	buf_add_bytes(out, buf_bytes(&delivery->news));
	return r < 0 ? r : 0;
}

/* ---- how many ---- */

struct pending_order {
	char device[ID_LEN + 1], batch[ID_LEN + 1];
	uint32_t wave;
	uint64_t number;
};

struct pending {
	struct pending_order *list; /* by device */
	size_t count;
};

static int take_pending(void *ctx, const struct repo_order *order)
{
	struct pending *p = ctx;
	struct pending_order *o;

	if (!(p->count & (p->count - 1)))
		p->list = mem_grow(p->list, (p->count ? 2 * p->count : 1) * sizeof(*p->list));
	o = &p->list[p->count++];
	*o = (struct pending_order){ .wave = order->wave, .number = order->number };
	memcpy(o->device, order->device, ID_LEN + 1);
	memcpy(o->batch, order->batch, ID_LEN + 1);
	return 0;
}

int pending_new(struct pending **out, struct repo *repo, struct rollouts *rollouts, const char *device, struct error *err)
{
	_cleanup_(pending_freep) struct pending *p = mem_alloc(sizeof(*p));
	size_t n = 0;
	int r = repo_open_orders(repo, device, take_pending, p, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < p->count; i++)
		if (rollouts_is_open(NULL, rollouts, p->list[i].batch, p->list[i].wave))
			p->list[n++] = p->list[i];
	p->count = n;
	*out = p;
	p = NULL;
	return 0;
}

struct pending *pending_free(struct pending *pending)
{
	if (pending)
		free(pending->list);
	free(pending);
	return NULL;
}

void pending_freep(struct pending **pending)
{
	*pending = pending_free(*pending);
}

static int find_device(const void *key, const void *item)
{
	return strcmp(key, ((const struct pending_order *)item)->device);
}

unsigned pending_count(const struct pending *pending, const struct repo_device *device)
{
	const struct pending_order *end = pending->list + pending->count;
	const struct pending_order *at =
		pending->count ? bsearch(device->id, pending->list, pending->count, sizeof(*at), find_device) : NULL;
	unsigned n = 0;

	while (at && at > pending->list && !strcmp(at[-1].device, device->id))
		at--;
	for (; at && at < end && !strcmp(at->device, device->id); at++)
		n += at->number > device->status_order;
	return n;
}
