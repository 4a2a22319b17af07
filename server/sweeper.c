/* server/sweeper.c -- absolute deadlines of connections, and dozing ones. */
#include "server/sweeper.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>

enum { DOZE_BYTES = 32 << 10 };

struct place {
	uint64_t due_ms;
	bool dozes;
};

struct sweeper {
	pthread_mutex_t lock; /* held over what is done to a descriptor, so that it is not closed and reused in between */
	size_t fds, high;     /* high: one more than the highest ever used */
	uint64_t woken_ms;
	struct place of[];
};

struct sweeper *sweeper_new(size_t fds)
{
	struct sweeper *s = mem_alloc(sizeof(*s) + fds * sizeof(s->of[0]));

	s->fds = fds;
	pthread_mutex_init(&s->lock, NULL);
	return s;
}

struct sweeper *sweeper_free(struct sweeper *s)
{
	if (!s)
		return NULL;
	pthread_mutex_destroy(&s->lock);
	free(s);
	return NULL;
}

/* With the lock held. */
static struct place *place_of(struct sweeper *s, int fd)
{
	size_t i = (size_t)fd;

	assert(fd >= 0 && i < s->fds);
	if (i >= s->high)
		s->high = i + 1;
	return &s->of[i];
}

static void let_doze(struct sweeper *s, int fd, bool on)
{
	int bytes = on ? DOZE_BYTES : 1;

	setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &bytes, sizeof(bytes));
	s->of[fd].dozes = on;
}

void sweeper_set(struct sweeper *s, int fd, uint64_t due_ms)
{
	struct place *p;

	pthread_mutex_lock(&s->lock);
	p = place_of(s, fd);
	p->due_ms = due_ms;
	if (p->dozes)
		let_doze(s, fd, false);
	pthread_mutex_unlock(&s->lock);
}

void sweeper_doze(struct sweeper *s, int fd)
{
	pthread_mutex_lock(&s->lock);
	if (!place_of(s, fd)->dozes)
		let_doze(s, fd, true);
	pthread_mutex_unlock(&s->lock);
}

size_t sweeper_run(struct sweeper *s, uint64_t now_ms)
{
	bool wakes;
	size_t cut = 0;

	pthread_mutex_lock(&s->lock);
	wakes = now_ms >= s->woken_ms + DOZE_MS;
	if (wakes)
		s->woken_ms = now_ms;
	for (size_t i = 0; i < s->high; i++) {
		struct place *p = &s->of[i];

		if (p->dozes && wakes)
			let_doze(s, (int)i, false);
		if (!p->due_ms || p->due_ms > now_ms)
			continue;
		shutdown((int)i, SHUT_RDWR);
		p->due_ms = 0;
		cut++;
	}
	pthread_mutex_unlock(&s->lock);
	return cut;
}
