/*
 * budget - memory for requests, shared by the connections of all loops: who finds it used up does
 * not read, and is told when there is room again. One large frame that has begun may finish past
 * it; the others wait for their turn, or all that had begun when it was used up could. Thread-safe.
 */
#ifndef KCORE_NET_BUDGET_H
#define KCORE_NET_BUDGET_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct net_budget_wait;

/* Zeroed but for max it is ready for use (a zeroed mutex is an initialized one on Linux). It must
 * outlive the loops and the frames that used it. */
struct net_budget {
    _Atomic int64_t used;
    _Atomic int64_t max; /* queued.max.request.bytes */
    _Atomic int waiting;
    pthread_mutex_t mu;
    struct net_budget_wait *first; /* loops with connections that wait for room */
    const void *_Atomic finisher;  /* whose frame grows though the budget is used up */
};

/* From any thread. A NULL budget is without limits. */
void net_budget_charge(struct net_budget *b, size_t n);
void net_budget_discharge(struct net_budget *b, size_t n);
bool net_budget_over(struct net_budget *b);
/* Whether n more would be too many. */
bool net_budget_lacks(struct net_budget *b, size_t n);
/* Changes max while it is used: who waits is told when there is room now. */
void net_budget_resize(struct net_budget *b, int64_t max);

#endif
