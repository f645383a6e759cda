/*
 * loop_impl - what the modules of lib/net share of a loop: libevent's base, the scratch buffer that
 * every read goes to first, one recycled frame buffer, and what is put off to the end of a
 * callback.
 */
#ifndef KCORE_NET_LOOP_IMPL_H
#define KCORE_NET_LOOP_IMPL_H

#include "net/loop.h"
#include "net/timers.h"

#include <event2/event.h>
#include <pthread.h>

#define NET_SCRATCH ((size_t)128 << 10)

/* The struct that a member lies in. */
#define NET_OWNER(type, member, p) ((type *)(void *)((char *)(p)-offsetof(type, member)))

struct net_budget_wait;

/* In the loop's list of things to do when the outermost callback returns. */
struct net_deferred {
    void (*run)(struct net_deferred *d);
    struct net_deferred *next;
    bool queued;
};

struct net_loop {
    struct event_base *base;
    const struct os_clock *clock;
    mono_ns now;
    int depth; /* callbacks of ours under way */
    struct net_deferred *deferred, **deferred_tail;

    struct net_timers timers;
    struct event *alarm; /* wakes the loop for the first of them, */
    mono_ns alarm_at;    /* at this time; 0: not set */

    uint8_t *scratch; /* NET_SCRATCH bytes; made by the first connection */
    uint8_t *spare;   /* a frame buffer kept for the next big frame */
    size_t spare_cap;
    bool spare_used; /* since the timer was set */
    struct net_timer spare_timer;
    struct net_budget_wait *waits; /* one for each budget that had to be waited for */

    struct event *timeout; /* of net_loop_once */
    int wake_fd;
    struct event *wake;
    pthread_mutex_t mu; /* posted, stop */
    struct net_task *posted, **posted_tail;
    bool stop;
};

/* Around every callback that libevent makes. */
void net_loop_enter(struct net_loop *l);
void net_loop_leave(struct net_loop *l);

/* Runs d at the end of the callback under way, or now when there is none. Once, however often it is
 * asked for. */
void net_defer(struct net_loop *l, struct net_deferred *d);
void net_undefer(struct net_loop *l, struct net_deferred *d);

/* Memory for a frame of which `arrived` bytes have come: the spare one when it has that room and
 * not much more, else NULL. */
uint8_t *net_spare_take(struct net_loop *l, size_t arrived, size_t *cap);
/* Keeps it for a few seconds, or frees it. */
void net_spare_give(struct net_loop *l, uint8_t *p, size_t cap);

#endif
