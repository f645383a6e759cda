/*
 * pool - a few threads for work that may wait for a disk: cold reads, flushes, appends to a log
 * that has stalled.
 *
 * The task is the caller's memory and must live until its function has been called. Tasks start in
 * the order in which they were submitted; with more than one thread they may overlap. Threads are
 * started when first needed.
 */
#ifndef KCORE_OS_POOL_H
#define KCORE_OS_POOL_H

#include "base/err.h"

#include <stdint.h>

struct pool;

struct pool_task {
    void (*run)(struct pool_task *t); /* on a thread of the pool; may free or resubmit t */
    struct pool_task *next;           /* the pool's */
};

int pool_new(struct pool **out, int threads, struct kerr *e);

/* Thread-safe, and allowed from within a task. Returns 0, or KE_CLOSED once pool_free has begun and
 * the caller is not a task, or KE_NOMEM when not even one thread could be started (then nothing was
 * queued). */
int pool_submit(struct pool *p, struct pool_task *t);

/* Waits until none of its tasks runs, at most that long: for work that gives way to the pool's. */
void pool_give_way(struct pool *p, int64_t most_ns);

/* Waits until everything submitted has run, ends the threads. */
void pool_free(struct pool *p);

#endif
