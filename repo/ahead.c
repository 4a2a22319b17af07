/* repo/ahead.c -- snapshots that are journaled and have no rows in the index yet. */
#include "repo/ahead.h"

#include "repo/store-state.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { SLOTS_FIRST = 256, IDLE_MAX = 65536 /* heads, 40 MB: a chain that is known is judged without the index */ };

/* How a device's chain stands: by now, and after what the transaction in hand adds. */
struct head {
	struct head *next;    /* in its slot */
	struct head *changed; /* in the transaction in hand: another one of it */
	char device[ID_LEN + 1];
	size_t items;
	bool is_changed;
	struct state now, then;
};

struct ahead {
	struct head **slots;
	size_t slot_count, head_count;
	struct item *first, *last, *round; /* round: the first of the transaction in hand */
	_Atomic size_t count;
	struct head *changed;
	bool is_settled;
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

static struct head *find(const struct ahead *ahead, const char *device)
{
	struct head *head = ahead->slots[slot_of(ahead, device)];

	while (head && strcmp(head->device, device) != 0)
		head = head->next;
	return head;
}

static void grow(struct ahead *ahead)
{
	struct head **old = ahead->slots;
	size_t count = ahead->slot_count;

	ahead->slot_count *= 4;
	ahead->slots = mem_alloc(ahead->slot_count * sizeof(struct head *));
	for (size_t i = 0; i < count; i++) {
		for (struct head *head = old[i], *next; head; head = next) {
			size_t slot = slot_of(ahead, head->device);

			next = head->next;
			head->next = ahead->slots[slot];
			ahead->slots[slot] = head;
		}
	}
	free(old);
}

static struct head *add(struct ahead *ahead, const char *device, const struct state *state)
{
	struct head *head = mem_alloc(sizeof(*head));
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
	ahead->slots = mem_alloc(ahead->slot_count * sizeof(struct head *));
}

struct ahead *ahead_new(void)
{
	struct ahead *ahead = mem_alloc(sizeof(*ahead));

	make_slots(ahead);
	return ahead;
}

/* Of whom nothing is here, the index knows all: and it may change by others. */
static void forget_idle(struct ahead *ahead)
{
	if (!ahead->head_count)
		return;
	for (size_t i = 0; i < ahead->slot_count; i++) {
		struct head **at = &ahead->slots[i];

		while (*at) {
			struct head *head = *at;

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
	if (!ahead->round)
		ahead->round = item;
	item->is_ahead = true;
	ahead->count++;
}

void ahead_remove(struct ahead *ahead, struct item *item)
{
	struct head *head;

	if (!item->is_ahead)
		return;
	if (ahead->round == item)
		ahead->round = item->ahead_next;
	*(item->ahead_prev ? &item->ahead_prev->ahead_next : &ahead->first) = item->ahead_next;
	*(item->ahead_next ? &item->ahead_next->ahead_prev : &ahead->last) = item->ahead_prev;
	item->is_ahead = false;
	ahead->count--;
	head = find(ahead, statement_get(item->c.st, "device"));
	if (head)
		head->items--;
}

size_t ahead_count(const struct ahead *ahead)
{
	return ahead->count;
}

bool ahead_has(const struct ahead *ahead, const char *device)
{
	const struct head *head = find(ahead, device);

	return head && head->items;
}

void ahead_tidy(struct ahead *ahead)
{
	if (ahead->head_count > IDLE_MAX)
		forget_idle(ahead);
}

/* ---- judging ---- */

static struct head *head_of(struct ahead *ahead, struct store *store, const char *device, int *r, struct error *err)
{
	struct head *head = find(ahead, device);
	struct state state;

	*r = 0;
	if (head)
		return head;
	*r = store_state(&state, store, device, err);
	return *r == 0 ? add(ahead, device, &state) : NULL;
}

int ahead_take(struct ahead *ahead, struct store *store, struct item *item, struct error *err)
{
	struct head *head;
	struct state then;
	int r;

	if (ahead->is_settled || statement_type(item->c.st) != STATEMENT_SNAPSHOT)
		return AHEAD_ASK;
	head = head_of(ahead, store, statement_get(item->c.st, "device"), &r, err);
	if (!head)
		return r < 0 ? r : AHEAD_ASK;
	if (!state_is_next(&then, head->is_changed ? &head->then : &head->now, &item->c))
		return AHEAD_ASK;
	if (!head->is_changed) {
		head->is_changed = true;
		head->changed = ahead->changed;
		ahead->changed = head;
	}
	head->then = then;
	head->items++;
	append(ahead, item);
	return 0;
}

int ahead_settle(struct ahead *ahead, struct store *store, struct error *err)
{
	if (ahead->is_settled)
		return 0;
	for (struct item *item = ahead->first; item; item = item->ahead_next)
		if (store_enter(store, item->c.st, err) < 0)
			return err->code;
	ahead->is_settled = true;
	return 0;
}

static void end(struct ahead *ahead, bool is_committed)
{
	struct head *next;

	for (struct head *head = ahead->changed; head; head = next) {
		next = head->changed;
		if (is_committed)
			head->now = head->then;
		head->is_changed = false;
		head->changed = NULL;
	}
	ahead->changed = NULL;
	ahead->round = NULL;
	ahead->is_settled = false;
}

void ahead_committed(struct ahead *ahead)
{
	bool is_settled = ahead->is_settled;

	end(ahead, true);
	while (is_settled && ahead->first)
		ahead_remove(ahead, ahead->first);
	if (is_settled)
		forget_idle(ahead);
}

void ahead_rolled_back(struct ahead *ahead)
{
	while (ahead->round)
		ahead_remove(ahead, ahead->round);
	end(ahead, false);
}
