/* server/server.h -- what the parts of holdfastd share: one struct, owned by serve.c, handed down. */
#pragma once

#include "repo/repo.h"
#include "server/answers.h"
#include "server/deliver.h"
#include "server/firmware.h"
#include "server/session.h"
#include "server/settings.h"
#include "server/shredder.h"
#include "server/sweeper.h"
#include "server/wait.h"

#include <pthread.h>
#include <stdatomic.h>

#define SERVER_VERSION "0.1.0"

struct MHD_Response;

struct server {
	const char *dir;
	struct settings *settings;
	struct sign_key key; /* the archive key: signs commits and checkpoints, nothing that a device obeys */
	struct repo *repo;
	struct sessions *sessions;
	struct wait *wait;
	struct sweeper *sweeper;
	struct rollouts *rollouts;
	struct deliveries *deliveries;
	struct answers *answers;
	struct shredder *shredder;
	struct firmware *firmware;
	struct MHD_Response *bare; /* the answer without a body (http.c) */
	size_t fds; /* limit of open files: descriptors are below */
	_Atomic bool disk_refuses; /* the last write failed for lack of space, or the like */
	atomic_size_t body_bytes;  /* of bodies in memory */
	atomic_size_t calls;       /* requests in hand, waiting ones included */

	atomic_size_t submitting;  /* statements and lists whose outcome is awaited */
	_Atomic bool stopping;
	pthread_mutex_t lock; /* guards the rest, and the counts of every posted list */
	pthread_cond_t idle;  /* submitting became 0 while stopping */
	bool claiming;
};

/* The files of a server's folder, beside those of the repository. */
#define SERVER_SETTINGS_FILE "holdfastd.yaml"
#define SERVER_KEY_FILE "archive.key"
#define SERVER_TLS_KEY_FILE "tls.key"
#define SERVER_TLS_CERT_FILE "tls.crt"
#define SERVER_CLAIM_FILE "claim" /* SHA-256 of the claim code, in hex; gone once claimed */

bool server_is_stopping(struct server *server);
