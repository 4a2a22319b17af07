/* agent/core.c -- the daemon: one duty per device, one child that speaks to the network, one loop. */
#include "agent/core.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/rest.h"

#include <signal.h>
#include <stdlib.h>

/* How long a device may take to be left: a console that nobody logs out of lets the next one in. */
enum { STOP_MS = 20000, REST_MS = 1000 };

uint32_t core_id(struct core *core)
{
	if (!++core->next_id)
		core->next_id = 1;
	return core->next_id;
}

static void rest_now(struct loop_timer *timer _unused_)
{
	rest();
}

/* An armed timer stays as it is: with many devices there is always work, and a rest a second is enough. */
void core_rest_later(struct core *core)
{
	core->rest.fire = rest_now;
	if (!core->rest.loop)
		loop_arm(core->loop, &core->rest, clock_mono_ms() + REST_MS);
}

static int net_took(struct child *child, const struct ipc_msg *msg, struct error *err)
{
	struct core *core = container_of(child, struct core, net);
	bool is_probe = msg->kind == IPC_PROBE_DONE, is_taken = false;
	struct http_answer answer = { 0 };

	if (msg->kind == IPC_HTTP_PART) {
		for (size_t i = 0; i < core->count && !is_taken; i++)
			is_taken = fetch_part(&core->duties[i], msg->id, msg->body);
		return 0;
	}
	if (!is_probe && (msg->kind != IPC_HTTP_DONE || !http_answer_get(&answer, msg->body)))
		return error_set(err, E_PEER, "an answer of another form");
	core_rest_later(core);
	/* nobody's: it was cancelled meanwhile */
	for (size_t i = 0; i < core->count && !is_taken; i++) {
		struct duty *d = &core->duties[i];

		is_taken = is_probe ? health_probe(d, msg->id, msg->body) :
				      uplink_answer(d, msg->id, &answer) || health_http(d, msg->id, &answer) ||
				      fetch_answer(d, msg->id, &answer);
	}
	return 0;
}

static void net_lost(struct child *child)
{
	struct core *core = container_of(child, struct core, net);

	for (size_t i = 0; i < core->count; i++) {
		uplink_lost(&core->duties[i]);
		fetch_lost(&core->duties[i]);
		health_lost(&core->duties[i], "the process that speaks to the network ended");
	}
}

static void net_began(struct child *child)
{
	struct core *core = container_of(child, struct core, net);

	for (size_t i = 0; i < core->count; i++) {
		uplink_kick(&core->duties[i]);
		fetch_kick(&core->duties[i]);
	}
}

static void on_signal(void *ctx, int signal)
{
	struct core *core = ctx;

	log_notice("stopping signal=%d", signal);
	loop_stop(core->loop);
}

static int start(struct core *core, struct error *err)
{
	static const int ending[] = { SIGTERM, SIGINT };
	struct settings *s = core->settings;

	if (loop_new(&core->loop, err) < 0 || loop_signals(core->loop, ending, ARRAY_SIZE(ending), on_signal, core, err) < 0)
		return err->code;
	core->net_argv[0] = "net";
	core->net_argv[1] = s->user;
	core->net = (struct child){ .name = "net",
				    .argv = core->net_argv,
				    .loop = core->loop,
				    .took = net_took,
				    .lost = net_lost,
				    .began = net_began };
	if (child_start(&core->net, err) < 0)
		return err->code;
	core_rest_later(core);
	core->duties = mem_alloc(s->devices_count * sizeof(*core->duties));
	for (unsigned i = 0; i < s->devices_count; i++) {
		core->count = i + 1;
		if (duty_start(&core->duties[i], core, &s->devices[i], err) < 0)
			return error_add(err, "device '%s'", s->devices[i].name);
	}
	return 0;
}

int core_run(const char *config, struct settings *settings, struct error *err)
{
	struct core core = { .config = config, .settings = settings };
	uint64_t until_ms;
	int r;

	signal(SIGPIPE, SIG_IGN);
	r = start(&core, err);
	if (r == 0) {
		log_notice("started devices=%zu", core.count);
		r = loop_run(core.loop, err);
	}
	/* all of them are told before any is waited for */
	for (size_t i = 0; i < core.count; i++)
		child_dismiss(&core.duties[i].apply);
	until_ms = clock_mono_ms() + STOP_MS;
	for (size_t i = 0; i < core.count; i++)
		duty_stop(&core.duties[i], until_ms);
	free(core.duties);
	child_stop(&core.net, 0);
	loop_free(core.loop);
	return r;
}
