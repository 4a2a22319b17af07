/* tests/bench/nginx.c -- what nginx needs for what the server was asked to do. */
#include "tests/bench/nginx.h"

#include "base/clock.h"
#include "tests/bench/agents.h"
#include "tests/bench/cost.h"

#include <stdio.h>
#include <string.h>

struct other {
	struct agents *agents;
	size_t heard;
	bool is_checking_in;
};

static uint8_t other_body[700]; /* as long as a status */

static void other_here(void *ctx, struct agent *agent)
{
	agent_ask(((struct other *)ctx)->agents, agent, "POST /", "", bytes_of(other_body, sizeof(other_body)));
}

static void other_lost(void *ctx _unused_, struct agent *agent _unused_)
{
}

static void other_answered(void *ctx, struct agent *agent, unsigned status _unused_, struct bytes head _unused_, struct bytes body _unused_)
{
	struct other *o = ctx;

	o->heard++;
	if (!o->is_checking_in)
		return;
	agent_vanish(o->agents, agent);
	agent_connect(o->agents, agent);
}

static void run_other(struct other *o, uint64_t ms)
{
	uint64_t end = clock_mono_ms() + ms;

	while (clock_mono_ms() < end)
		agents_step(o->agents, 20);
}

void nginx_compare(const struct nginx *n, double ours_per_s)
{
	struct other o = { 0 };
	struct agents_calls calls = { .here = other_here, .lost = other_lost, .answered = other_answered, .ctx = &o };
	double before = sum_of_children(n->master, pss_kib), cpu, theirs;
	char ours[40], text[60], ratio[20];

	o.agents = agents_new(n->count, n->port, &calls);
	agents_set_rtt(o.agents, n->rtt_ms);
	for (size_t i = 0; i < n->count; i++)
		agent_connect_at(o.agents, agents_at(o.agents, i), 0);
	for (uint64_t end = clock_mono_ms() + n->patience_ms; o.heard < n->count && clock_mono_ms() < end;)
		agents_step(o.agents, 20);
	run_other(&o, 1000);
	snprintf(text, sizeof(text), "%.1f (%zu connections)", (sum_of_children(n->master, pss_kib) - before) / (double)o.heard, o.heard);
	line("KiB for an idle TLS connection of nginx", "", text, "");
	if (ours_per_s <= 0) {
		agents_free(o.agents);
		return;
	}
	for (size_t i = 0; i < n->count; i++)
		agent_vanish(o.agents, agents_at(o.agents, i));
	run_other(&o, 2000);
	o.is_checking_in = true;
	o.heard = 0;
	cpu = sum_of_children(n->master, cpu_s);
	for (size_t i = 0; i < n->at_once; i++)
		agent_connect(o.agents, agents_at(o.agents, i));
	run_other(&o, n->check_in_ms);
	theirs = (double)o.heard / (sum_of_children(n->master, cpu_s) - cpu);
	snprintf(ours, sizeof(ours), "%.0f", ours_per_s);
	snprintf(text, sizeof(text), "%.0f", theirs);
	snprintf(ratio, sizeof(ratio), "%.2f", ours_per_s / theirs);
	line("check-ins (handshake and poll) per core-second; nginx: handshake and POST", ours, text, ratio);
	agents_free(o.agents);
}
