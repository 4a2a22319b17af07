/* repo/item.c -- a container on its way into the archive, and lists of them. */
#include "repo/item.h"

#include "base/plural.h"
#include "repo/pack.h"

#include <assert.h>
#include <stdlib.h>

static int hash_all(struct item *item, const struct container *c, struct error *err)
{
	struct names *out = &item->names;

	item->leaf = merkle_leaf(statement_text(c->st));
	if (pack_name_blob(&out->whole, statement_whole(c->st), err) < 0)
		return err->code;
	for (size_t i = 0; i < c->count; i++)
		if (c->seals[i].ptr && pack_name_blob(&out->seals[i], c->seals[i], err) < 0)
			return err->code;
	return 0;
}

int item_of(struct item **out, struct container *c, struct buf *bytes, struct error *err)
{
	struct item *item = mem_alloc(sizeof(*item));

	if (hash_all(item, c, err) < 0) {
		free(item);
		return err->code;
	}
	item->bytes = *bytes;
	item->c = *c;
	*bytes = (struct buf){ 0 };
	*c = (struct container){ 0 };
	*out = item;
	return 0;
}

int item_new(struct item **out, struct bytes container, struct error *err)
{
	struct item *item = mem_alloc(sizeof(*item));
	size_t used = 0;
	int r;

	buf_add_bytes(&item->bytes, container);
	r = container_parse(&item->c, buf_bytes(&item->bytes), CONTAINER_ATTACHED, &used, err);
	if (r == 0 && used != item->bytes.len)
		r = error_set(err, E_FORMAT, "%zu %s behind the container", item->bytes.len - used,
			      plural(item->bytes.len - used, "byte", "bytes"));
	if (r == 0)
		r = hash_all(item, &item->c, err);
	if (r < 0) {
		item_free(item);
		return r;
	}
	*out = item;
	return 0;
}

struct item *item_free(struct item *item)
{
	if (!item)
		return NULL;
	assert(!item->is_ahead); /* it is still in a list there */
	container_done(&item->c);
	buf_done(&item->bytes);
	free(item->err);
	free(item);
	return NULL;
}

void list_init(struct list *list)
{
	*list = (struct list){ .last = &list->first };
}

void list_add(struct list *list, struct item *item)
{
	item->next = NULL;
	*list->last = item;
	list->last = &item->next;
	list->count++;
	list->bytes += item->bytes.len;
}

struct item *list_take(struct list *list)
{
	struct item *item = list->first;

	if (!item)
		return NULL;
	list->first = item->next;
	if (!list->first)
		list->last = &list->first;
	list->count--;
	list->bytes -= item->bytes.len;
	return item;
}

void list_prepend(struct list *list, struct list *front)
{
	if (!front->first)
		return;
	*front->last = list->first;
	if (!list->first)
		list->last = front->last;
	list->first = front->first;
	list->count += front->count;
	list->bytes += front->bytes;
	list_init(front);
}

void list_done(struct list *list)
{
	struct item *item;

	while ((item = list_take(list)))
		item_free(item);
}
