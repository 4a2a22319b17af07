/* agent/trace.h -- a piece of work in a child of its own, whose programs never answer, or that is cut off in the middle.
 *
 * For the conformance suite: what a driver does when its device hangs or the power goes is tried on the driver as it is, from outside, by
 * ptrace(2). */
#pragma once

#include "base/error.h"

enum { TRACE_CUT = 1 };

struct trace_work {
	int (*run)(void *ctx, struct error *err);
	void *ctx;
};

/* Runs the work; every program that it starts is stopped before it does anything, and goes on never.
 *
 * held         how many that were
 * timeout_ms   after which the work is ended
 *
 * Returns the work's own answer, err with it; E_LIMIT past the timeout, E_SYS when this cannot be tried here. */
int trace_held(const struct trace_work *work, unsigned timeout_ms, unsigned *held, struct error *err) _must_check_;

/* Runs the work and counts the steps that trace_cut() could end it before. Returns the work's own answer. */
int trace_count(const struct trace_work *work, unsigned timeout_ms, unsigned *count, struct error *err) _must_check_;

/* Runs the work and kills it before it does its n-th step (from 1) of those that could change something.
 *
 * Returns TRACE_CUT when it was killed, the work's own answer when it had ended before. */
int trace_cut(const struct trace_work *work, unsigned timeout_ms, unsigned n, struct error *err) _must_check_;
