/*
 * lap - a message that goes to every reactor. When the last one has had it, each has shown that it
 * turns, and none holds anything that it had taken from the broker before: they handle an event at
 * a time.
 */
#ifndef KCORE_BROKER_LAP_H
#define KCORE_BROKER_LAP_H

#include "broker/reactor.h"

struct lap {
    struct broker *broker;
    void (*at)(struct lap *l, struct reactor *r); /* on each one's thread; or NULL */
    void (*ended)(struct lap *l);                 /* then on the last one's; or NULL */
    struct net_limits limits;                     /* these two are at()'s and ended()'s */
    struct buf *old;
    _Atomic int left;
    struct stop {
        struct net_task task;
        struct lap *lap;
        struct reactor *reactor;
    } stops[];
};

/* NULL without memory. It is the caller's until it is started; free() it otherwise. */
struct lap *lap_new(struct broker *b);
void lap_start(struct lap *l);

#endif
