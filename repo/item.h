/* repo/item.h -- a container on its way into the archive, and lists of them. Internal to repo/. */
#pragma once

#include "repo/layout.h"
#include "repo/repo.h"

enum { KIND_STATEMENT = 'S', KIND_FORK = 'F' }; /* of the journal's records */

struct item {
	/* what walks through thousands look at comes first, and together */
	struct item *next;
	struct item *ahead_prev, *ahead_next; /* ahead.c */
	struct ahead_head *ahead_head;
	bool is_ahead;  /* its rows are not in the index yet */
	uint8_t kind;   /* 0: it is not to be packed */
	bool is_packed; /* for index_drop_packed() */
	size_t arrived; /* for the packer: its place among those that are packed together */
	struct buf bytes;
	struct container c;      /* borrows from bytes */
	struct merkle_hash leaf; /* of the log */
	struct names names;
	repo_done_fn done;
	void *ctx;
	struct repo_outcome outcome;
	struct error *err; /* of a failure; NULL as long as there is none, since thousands wait to be packed */
};

/* Copies and parses one attached container. */
int item_new(struct item **out, struct bytes container, struct error *err) _must_check_;
/* Of one that was parsed out of these bytes, and is all of them: takes both over, unless it fails. Either one hashes them, in the thread of
 * whoever brings them, for the packer. */
int item_of(struct item **out, struct container *c, struct buf *bytes, struct error *err) _must_check_;
struct item *item_free(struct item *item);

struct list {
	struct item *first, **last;
	size_t count, bytes;
};

void list_init(struct list *list);
void list_add(struct list *list, struct item *item);
struct item *list_take(struct list *list); /* the first; NULL when empty */
void list_prepend(struct list *list, struct list *front); /* empties front */
void list_done(struct list *list);
