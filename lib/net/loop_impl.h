/*
 * loop_impl - what the modules of lib/net share of a loop: libevent's base, the scratch buffer that
 * every read goes to first, one recycled frame buffer, and the connections that have output to send
 * when the callback ends.
 */
#ifndef KCORE_NET_LOOP_IMPL_H
#define KCORE_NET_LOOP_IMPL_H

#include "net/loop.h"

#include <event2/event.h>
#include <pthread.h>
#include <stddef.h>

#define NET_SCRATCH ((size_t)128 << 10)

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
    uint8_t *scratch; /* NET_SCRATCH bytes; made by the first connection */
    uint8_t *spare;   /* a frame buffer kept for the next big frame */
    size_t spare_cap;
    struct event *spare_timer;
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

/* Memory for frames: the spare one when it is large enough, else NULL. */
uint8_t *net_spare_take(struct net_loop *l, size_t at_least, size_t *cap);
/* Keeps it for a few seconds, or frees it. */
void net_spare_give(struct net_loop *l, uint8_t *p, size_t cap);

#endif
