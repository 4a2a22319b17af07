/* server/sweeper.c -- absolute deadlines of connections. */
#include "server/sweeper.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>

struct sweeper {
	pthread_mutex_t lock; /* held over shutdown(2), so that no descriptor is closed and reused in between */
	size_t fds, high;     /* high: one more than the highest ever used */
	uint64_t due_ms[];
};

struct sweeper *sweeper_new(size_t fds)
{
	struct sweeper *s = mem_alloc(sizeof(*s) + fds * sizeof(s->due_ms[0]));

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

void sweeper_set(struct sweeper *s, int fd, uint64_t due_ms)
{
	size_t i = (size_t)fd;

	assert(fd >= 0 && i < s->fds);
	pthread_mutex_lock(&s->lock);
	s->due_ms[i] = due_ms;
	if (i >= s->high)
		s->high = i + 1;
	pthread_mutex_unlock(&s->lock);
}

size_t sweeper_run(struct sweeper *s, uint64_t now_ms)
{
	size_t cut = 0;

	pthread_mutex_lock(&s->lock);
	for (size_t i = 0; i < s->high; i++) {
		if (!s->due_ms[i] || s->due_ms[i] > now_ms)
			continue;
		shutdown((int)i, SHUT_RDWR);
		s->due_ms[i] = 0;
		cut++;
	}
	pthread_mutex_unlock(&s->lock);
	return cut;
}
