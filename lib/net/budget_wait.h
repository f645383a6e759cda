/*
 * budget_wait - waiting for room in a budget. lib/net's own.
 *
 * A loop registers with the budget once for all of its connections; whoever gives back the byte
 * that makes room posts one message to each registered loop. No loop polls.
 */
#ifndef KCORE_NET_BUDGET_WAIT_H
#define KCORE_NET_BUDGET_WAIT_H

#include "net/budget.h"
#include "net/loop.h"

/* One that waits, on its loop. */
struct net_starved {
    void (*fed)(struct net_starved *s);
    struct net_starved *next, *prev; /* NULL: does not wait */
};

/* On the loop's thread: s->fed is called once when there is room, which may have gone again; for a
 * frame that has begun (begun) also when it may be the one that finishes. False without memory. */
bool net_budget_await(struct net_loop *l, struct net_budget *b, struct net_starved *s, bool begun);
/* Over budget: whether who's frame may go on growing. It has the turn until net_budget_finished().
 */
bool net_budget_finish(struct net_budget *b, const void *who);
void net_budget_finished(struct net_budget *b, const void *who);
void net_budget_unawait(struct net_starved *s);
/* The loop ends; nobody waits on it. */
void net_budget_forget(struct net_loop *l);

#endif
