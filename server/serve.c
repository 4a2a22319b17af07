/* server/serve.c -- `holdfastd serve` and `reindex`: the server over a folder. */
#include "server/serve.h"

#include "base/fs.h"
#include "server/http.h"

#include <malloc.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FDS_MAX = 1 << 20 };

static void server_done(struct server *server)
{
	server->shredder = shredder_free(server->shredder);
	rollouts_stop(server->rollouts);
	server->repo = repo_close(server->repo); /* its threads call on_news() until here */
	server->rollouts = rollouts_free(server->rollouts);
	server->answers = answers_free(server->answers);
	server->deliveries = deliveries_free(server->deliveries);
	server->firmware = firmware_free(server->firmware);
	server->sessions = sessions_free(server->sessions);
	server->wait = wait_free(server->wait);
	server->sweeper = sweeper_free(server->sweeper);
	sign_key_done(&server->key);
	settings_freep(&server->settings);
	pthread_cond_destroy(&server->idle);
	pthread_mutex_destroy(&server->lock);
}

static int load_settings(struct settings **out, const char *dir, struct error *err)
{
	_cleanup_(mem_freep) char *path = mem_printf("%s/%s", dir, SERVER_SETTINGS_FILE);

	return settings_load(out, path, err);
}

static int load_key(struct sign_key *key, const char *dir, struct error *err)
{
	_cleanup_(mem_freep) char *path = mem_printf("%s/%s", dir, SERVER_KEY_FILE);
	int r = sign_key_load(key, path, err);

	if (r == FS_ABSENT)
		return error_set(err, E_SYS, "no archive key '%s'; has holdfastd init been run?", path);
	return r;
}

/* From the journal thread. A poll waits for roots, for its device's admit and for orders; the rest is no news to anybody. */
static void on_news(void *ctx, const struct statement *st)
{
	struct server *server = ctx;
	enum statement_type type = statement_type(st);
	const char *device = statement_get(st, "device");

	if (type == STATEMENT_ORDER)
		deliveries_note(server->deliveries, device);
	rollouts_note(server->rollouts, st);
	if (type == STATEMENT_ROOT) {
		wait_news(server->wait, NULL);
		log_notice("root-changed");
	} else if (type == STATEMENT_ADMIT) {
		wait_news(server->wait, device);
		log_notice("admitted device=%s", device);
	}
}

/* A claim file beside a root is what a crash between the two left. */
static void tidy_claim(struct server *server)
{
	_cleanup_(mem_freep) char *path = mem_printf("%s/%s", server->dir, SERVER_CLAIM_FILE);
	struct error err = { 0 };
	const struct root *root;

	if (repo_root_get(&root, server->repo, &err) != 0)
		return;
	repo_root_put(server->repo, root);
	if (fs_remove(path, &err) < 0)
		log_failure(LOG_WARNING, "claim-file-stays", &err);
}

/* As many descriptors as we may have: each waiting device takes one. */
static size_t raise_fds(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return 0;
	limit.rlim_cur = limit.rlim_max < FDS_MAX ? limit.rlim_max : FDS_MAX;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		return 0;
	return (size_t)limit.rlim_cur;
}

static int server_init(struct server *server, const char *dir, struct error *err)
{
	int r;

	*server = (struct server){ .dir = dir, .fds = raise_fds() };
	pthread_mutex_init(&server->lock, NULL);
	pthread_cond_init(&server->idle, NULL);
	r = load_settings(&server->settings, dir, err);
	if (r < 0)
		return r;
	log_setup("holdfastd", server->settings->log);
	r = load_key(&server->key, dir, err);
	if (r < 0)
		return r;
	r = repo_open(&server->repo, dir, &server->key, 0, err);
	if (r < 0)
		return r;
	tidy_claim(server);
	server->sessions = sessions_new();
	server->sweeper = sweeper_new(server->fds);
	r = wait_new(&server->wait, server->fds, err);
	if (r < 0)
		return r;
	server->answers = answers_new();
	r = deliveries_new(&server->deliveries, server->repo, server->wait, err);
	if (r < 0)
		return r;
	r = firmware_new(&server->firmware, dir, server->settings->downloads, err);
	if (r < 0)
		return r;
	r = rollouts_new(&server->rollouts, server->repo, deliveries_wake, server->deliveries, err);
	if (r < 0)
		return r;
	repo_on_news(server->repo, on_news, server);
	return shredder_new(&server->shredder, server->repo, server->rollouts, &server->key, server->settings->copies,
			    server->settings->copies_count, err);
}

/* Blocked before any thread starts, so that none of them takes the signals. */
static void block_signals(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGINT);
	pthread_sigmask(SIG_BLOCK, set, NULL);
	signal(SIGPIPE, SIG_IGN);
}

/* Ten thousand that connect at once take memory a page at a time, and an arena of a thread asks the kernel for each: mallopt(3). The first
 * arena takes much in one go; what threads wait for each other in it is less. */
static void share_one_arena(void)
{
	mallopt(M_ARENA_MAX, 1);
}

int serve(const char *dir, struct error *err)
{
	_cleanup_(server_done) struct server server;
	struct http *http;
	sigset_t set;
	int r, sig = 0;

	umask(077);
	share_one_arena();
	block_signals(&set);
	r = server_init(&server, dir, err);
	if (r < 0)
		return r;
	r = http_start(&http, &server, err);
	if (r < 0)
		return r;
	log_notice("serving listen=%s address=%s threads=%u", server.settings->listen, server.settings->address[0],
		   server.settings->threads);
	sigwait(&set, &sig);
	log_notice("stopping signal=%s", sigabbrev_np(sig));
	http_stop(http);
	shredder_stop(server.shredder);
	rollouts_stop(server.rollouts);
	server.repo = repo_close(server.repo);
	log_notice("stopped");
	return 0;
}

int serve_reindex(const char *dir, struct error *err)
{
	_cleanup_(sign_key_done) struct sign_key key = { 0 };
	int r;

	umask(077); /* SQLite makes its files as the umask allows */
	r = load_key(&key, dir, err);
	return r < 0 ? r : repo_reindex(dir, &key, err);
}

int serve_check(const char *dir, struct error *err)
{
	_cleanup_(settings_freep) struct settings *settings = NULL;

	return load_settings(&settings, dir, err);
}
