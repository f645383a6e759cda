/*
 * reactor - a thread with its loop, the connections that live on it, and what it counts.
 */
#ifndef KCORE_BROKER_REACTOR_H
#define KCORE_BROKER_REACTOR_H

#include "broker/core.h"
#include "broker/request.h"

#define API_KEYS    93
#define SPARE_ARENA ((size_t)64 << 10) /* a request's memory that is kept for the next one */

/* By API, written by the reactor alone. */
struct api_stats {
    _Atomic int64_t requests, errors, bytes_in, ns;
};

struct reactor {
    struct broker *broker;
    struct net_loop *loop;
    struct net_limits limits; /* of its connections */
    pthread_t thread;
    bool running;
    struct connection *connections;
    struct request *spare; /* requests to use again, with their arenas */
    int spare_count;
    int open_requests;
    struct request *handled; /* in its handler now; NULL once that has ended it */
    mono_ns complained_at;   /* the minute of complaints under way began then */
    int complaints;          /* in it */
    bool draining;
    struct net_task end;
    struct net_timer grace;
    int64_t grace_ms;
    struct api_stats stats[API_KEYS];
};

struct connection {
    struct reactor *reactor;
    struct net_conn *conn;
    int listener;
    char address[GUEST_ADDRESS]; /* the peer's; guests.h */
    struct net_addr local;       /* its own end, for listeners on every address */
    struct request *watching;    /* requests that want to know when it has gone */
    struct connection *next, **at;
};

int reactor_new(struct reactor **out, struct broker *b, struct kerr *e);
int reactor_start(struct reactor *r, struct kerr *e);
/* Says that a peer was wrong: to whoever reads the messages, so a few a minute and no more. */
void reactor_complain(struct reactor *r, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* From any thread: a new socket. */
void reactor_give(struct reactor *r, int fd, int listener, const char *address);
/* Begins to end: every connection is drained for at most grace_ms, then closed. */
void reactor_stop(struct reactor *r, int64_t grace_ms);
/* Waits until the thread has ended. */
void reactor_join(struct reactor *r);
void reactor_free(struct reactor *r);

struct request *reactor_request(struct reactor *r);
void reactor_recycle(struct reactor *r, struct request *q);

#endif
