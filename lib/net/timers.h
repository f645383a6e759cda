/*
 * timers - a loop's timers as a heap, the next one first. lib/net's own.
 *
 * Due times are in the loop's clock; libevent only wakes the loop at about the right moment.
 */
#ifndef KCORE_NET_TIMERS_H
#define KCORE_NET_TIMERS_H

#include "net/loop.h"

struct net_timers {
    struct net_timer **heap; /* heap[place - 1] */
    size_t n, cap;
};

/* Both move a timer that is set already. False without memory: then it is not set. */
/* Room for the first few, so that a small program's timers can always be set. */
bool net_timers_init(struct net_timers *h);
bool net_timers_set(struct net_timers *h, struct net_timer *t, mono_ns due);
void net_timers_clear(struct net_timers *h, struct net_timer *t);
/* The first to become due, or NULL. */
struct net_timer *net_timers_first(const struct net_timers *h);
void net_timers_free(struct net_timers *h);

#endif
