/* repo/ahead.c -- snapshots that are journaled and have no rows in the index yet. */
#include "repo/ahead.h"

#include "repo/store-state.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { SLOTS_FIRST = 256, IDLE_MAX = 131072 /* heads, 45 MB: a chain that is known is judged without the index */ };

/* How a device's chain stands. */
struct ahead_head {
	struct ahead_head *next; /* in its slot */
	char device[ID_LEN + 1];
	size_t items;
	size_t change; /* by the round in hand: its place among the changes, from 1 */
	struct state now;
};

/* And after what the round in hand adds. */
struct advance {
	struct ahead_head *head;
	struct state then;
};

struct ahead {
	/* with judge_lock */
	struct advance *changes;
	size_t change_count, change_cap;
	struct item *round, **round_end;

	pthread_mutex_t lock; /* for what follows; held for moments */
	struct ahead_head **slots;
	size_t slot_count, head_count;
	struct item *first, *last;
	struct item *settled; /* up to here, rows are entered in the transaction in hand */
	_Atomic size_t count;
};

/* ---- heads ---- */

/* An id is a hash in base32: its letters are random enough as they are. */
static size_t slot_of(const struct ahead *ahead, const char *device)
{
	uint64_t n = 0;

	for (size_t i = 0; i < 8 && device[i]; i++)
		n = n << 5 ^ (uint8_t)device[i];
	return n & (ahead->slot_count - 1);
}

static struct ahead_head *find(const struct ahead *ahead, const char *device)
{
	struct ahead_head *head = ahead->slots[slot_of(ahead, device)];

	while (head && strcmp(head->device, device) != 0)
		head = head->next;
	return head;
}

static void grow(struct ahead *ahead)
{
	struct ahead_head **old = ahead->slots;
	size_t count = ahead->slot_count;

	ahead->slot_count *= 4;
	ahead->slots = mem_alloc(ahead->slot_count * sizeof(struct ahead_head *));
	for (size_t i = 0; i < count; i++) {
		for (struct ahead_head *head = old[i], *next; head; head = next) {
			size_t slot = slot_of(ahead, head->device);

			next = head->next;
			head->next = ahead->slots[slot];
			ahead->slots[slot] = head;
		}
	}
	free(old);
}

static struct ahead_head *add(struct ahead *ahead, const char *device, const struct state *state)
{
	struct ahead_head *head = mem_alloc(sizeof(*head));
	size_t slot;

	if (ahead->head_count++ == ahead->slot_count)
		grow(ahead);
	slot = slot_of(ahead, device);
	memcpy(head->device, device, ID_LEN + 1);
	head->now = *state;
	head->next = ahead->slots[slot];
	ahead->slots[slot] = head;
	return head;
}

static void make_slots(struct ahead *ahead)
{
	free(ahead->slots);
	ahead->slot_count = SLOTS_FIRST;
	ahead->slots = mem_alloc(ahead->slot_count * sizeof(struct ahead_head *));
}

struct ahead *ahead_new(void)
{
	struct ahead *ahead = mem_alloc(sizeof(*ahead));

	pthread_mutex_init(&ahead->lock, NULL);
	ahead->round_end = &ahead->round;
	make_slots(ahead);
	return ahead;
}

/* Of whom nothing is here, the index knows all: and it may change by others. */
static void forget_idle(struct ahead *ahead)
{
	if (!ahead->head_count)
		return;
	for (size_t i = 0; i < ahead->slot_count; i++) {
		struct ahead_head **at = &ahead->slots[i];

		while (*at) {
			struct ahead_head *head = *at;

			if (head->items) {
				at = &head->next;
				continue;
			}
			*at = head->next;
			free(head);
			ahead->head_count--;
		}
	}
	if (!ahead->head_count)
		make_slots(ahead); /* as few again as there were */
}

struct ahead *ahead_free(struct ahead *ahead)
{
	if (!ahead)
		return NULL;
	while (ahead->first)
		ahead_remove(ahead, ahead->first);
	forget_idle(ahead);
	free(ahead->slots);
	free(ahead->changes);
	pthread_mutex_destroy(&ahead->lock);
	free(ahead);
	return NULL;
}

/* ---- items ---- */

static void append(struct ahead *ahead, struct item *item)
{
	item->ahead_prev = ahead->last;
	item->ahead_next = NULL;
	*(ahead->last ? &ahead->last->ahead_next : &ahead->first) = item;
	ahead->last = item;
	item->is_ahead = true;
	item->ahead_head->items++;
	ahead->count++;
}

/* With the lock held. */
static void take_away(struct ahead *ahead, struct item *item)
{
	if (!item->is_ahead)
		return;
	*(item->ahead_prev ? &item->ahead_prev->ahead_next : &ahead->first) = item->ahead_next;
	*(item->ahead_next ? &item->ahead_next->ahead_prev : &ahead->last) = item->ahead_prev;
	item->is_ahead = false;
	item->ahead_head->items--;
	ahead->count--;
}

void ahead_remove(struct ahead *ahead, struct item *item)
{
	ahead_remove_all(ahead, &item, 1);
}

void ahead_remove_all(struct ahead *ahead, struct item *const *items, size_t count)
{
	pthread_mutex_lock(&ahead->lock);
	for (size_t i = 0; i < count; i++)
		take_away(ahead, items[i]);
	pthread_mutex_unlock(&ahead->lock);
}

size_t ahead_count(const struct ahead *ahead)
{
	return ahead->count;
}

bool ahead_has(struct ahead *ahead, const char *device)
{
	const struct ahead_head *head;
	bool has;

	pthread_mutex_lock(&ahead->lock);
	head = find(ahead, device);
	has = head && head->items;
	pthread_mutex_unlock(&ahead->lock);
	return has;
}

void ahead_forget(struct ahead *ahead)
{
	pthread_mutex_lock(&ahead->lock);
	forget_idle(ahead);
	pthread_mutex_unlock(&ahead->lock);
}

void ahead_tidy(struct ahead *ahead)
{
	pthread_mutex_lock(&ahead->lock);
	if (ahead->head_count > IDLE_MAX)
		forget_idle(ahead);
	pthread_mutex_unlock(&ahead->lock);
}

/* ---- a round ---- */

/* A head stays where it is as long as the round lasts, and only the round adds some. So of a device that has none, nothing was here when
 * the round began, and what the index says of its chain is all there is. */
static struct ahead_head *head_of(struct ahead *ahead, struct store *store, const char *device)
{
	struct ahead_head *head;
	struct state state;
	struct error ignored; /* whoever asks the index next is told */

	pthread_mutex_lock(&ahead->lock);
	head = find(ahead, device);
	pthread_mutex_unlock(&ahead->lock);
	if (head || store_state(&state, store, device, &ignored) != 0)
		return head;
	pthread_mutex_lock(&ahead->lock);
	head = add(ahead, device, &state);
	pthread_mutex_unlock(&ahead->lock);
	return head;
}

static void note_change(struct ahead *ahead, struct ahead_head *head, const struct state *then)
{
	if (!head->change) {
		if (ahead->change_count == ahead->change_cap) {
			ahead->change_cap = ahead->change_cap ? ahead->change_cap * 2 : 64;
			ahead->changes = mem_grow(ahead->changes, ahead->change_cap * sizeof(*ahead->changes));
		}
		ahead->changes[ahead->change_count++].head = head;
		head->change = ahead->change_count;
	}
	ahead->changes[head->change - 1].then = *then;
}

int ahead_take(struct ahead *ahead, struct store *store, struct item *item)
{
	struct ahead_head *head;
	struct state then;

	if (statement_type(item->c.st) != STATEMENT_SNAPSHOT)
		return AHEAD_ASK;
	head = head_of(ahead, store, statement_get(item->c.st, "device"));
	if (!head || !state_is_next(&then, head->change ? &ahead->changes[head->change - 1].then : &head->now, &item->c))
		return AHEAD_ASK;
	note_change(ahead, head, &then);
	item->ahead_head = head;
	item->ahead_next = NULL;
	*ahead->round_end = item;
	ahead->round_end = &item->ahead_next;
	return 0;
}

static void end_round(struct ahead *ahead, bool is_taken)
{
	for (size_t i = 0; i < ahead->change_count; i++) {
		struct advance *change = &ahead->changes[i];

		if (is_taken)
			change->head->now = change->then;
		change->head->change = 0;
	}
	ahead->change_count = 0;
	ahead->round = NULL;
	ahead->round_end = &ahead->round;
}

void ahead_publish(struct ahead *ahead)
{
	pthread_mutex_lock(&ahead->lock);
	for (struct item *item = ahead->round, *next; item; item = next) {
		next = item->ahead_next;
		append(ahead, item);
	}
	pthread_mutex_unlock(&ahead->lock);
	end_round(ahead, true);
}

void ahead_drop(struct ahead *ahead)
{
	end_round(ahead, false);
}

/* ---- rows ---- */

/* Those from first to last are not touched by anybody else meanwhile: only who has store_lock takes some away, and new ones come behind
 * them. */
int ahead_settle(struct ahead *ahead, struct store *store, struct error *err)
{
	struct item *item, *last;

	pthread_mutex_lock(&ahead->lock);
	item = ahead->settled ? ahead->settled->ahead_next : ahead->first;
	last = ahead->last;
	pthread_mutex_unlock(&ahead->lock);
	for (; item; item = item == last ? NULL : item->ahead_next)
		if (store_enter(store, item->c.st, err) < 0)
			return err->code;
	ahead->settled = last;
	return 0;
}

void ahead_committed(struct ahead *ahead)
{
	struct item *last = ahead->settled, *item = NULL;

	ahead->settled = NULL;
	while (last && item != last) {
		item = ahead->first;
		ahead_remove(ahead, item);
	}
}

void ahead_rolled_back(struct ahead *ahead)
{
	ahead->settled = NULL;
}
