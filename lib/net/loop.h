/*
 * loop - a reactor: readiness, timers, and messages from other threads. One thread runs it; what is
 * registered with it belongs to that thread. (libevent inside; readiness only, no bufferevents.)
 *
 * Idle costs nothing: no periodic wake-ups. Timers are due by the clock that the loop was given:
 * under a test's clock they fire in the next net_loop_once after the test has moved it.
 */
#ifndef KCORE_NET_LOOP_H
#define KCORE_NET_LOOP_H

#include "base/err.h"
#include "os/clock.h"

#include <stdbool.h>
#include <stddef.h>

struct net_loop;

/* clock may be NULL: the kernel's. */
int net_loop_new(struct net_loop **out, const struct os_clock *clock, struct kerr *e);
/* Everything registered must be gone, except tasks posted: they are run first. */
void net_loop_free(struct net_loop *l);

/* Runs until net_loop_stop. */
void net_loop_run(struct net_loop *l);
/* Waits for events for at most timeout_ms (-1: as long as it takes; 0: not at all), handles what is
 * ready, returns. For programs whose main loop is their own (the client). */
void net_loop_once(struct net_loop *l, int64_t timeout_ms);
/* From any thread, and from a signal handler's self-pipe reader. */
void net_loop_stop(struct net_loop *l);

/* Within a callback of the loop the time at which it woke (cheap), else the clock's. */
mono_ns net_loop_now(const struct net_loop *l);
const struct os_clock *net_loop_clock(const struct net_loop *l);

/* A message for the loop's thread: run is called there, in order of posting. The memory is the
 * caller's until then. Thread-safe; one wake-up for many. */
struct net_task {
    void (*run)(struct net_task *t);
    struct net_task *next; /* the loop's */
};
void net_post(struct net_loop *l, struct net_task *t);

/* One-shot timer, embedded in the caller's struct. Setting it again moves it. It never fires early,
 * and late by a few milliseconds at most, when the thread is free. */
struct net_timer {
    void (*fire)(struct net_timer *t);
    struct net_loop *loop;
    mono_ns due;
    size_t place; /* the loop's; 0: not set */
};
void net_timer_init(struct net_timer *t, struct net_loop *l, void (*fire)(struct net_timer *t));
int net_timer_set(struct net_timer *t, int64_t in_ms); /* KE_NOMEM: it is not set */
void net_timer_clear(struct net_timer *t);             /* may be set again */

/* Readiness of any descriptor (stdin, a signal pipe). */
struct net_watch {
    void (*ready)(struct net_watch *w, bool readable, bool writable);
    void *impl;
    struct net_loop *loop;
    int fd;
};
int net_watch_set(struct net_watch *w, struct net_loop *l, int fd, bool want_read, bool want_write);
void net_watch_clear(struct net_watch *w);

#endif
