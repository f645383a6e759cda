/*
 * reactor - a thread with its loop, the connections that live on it, and what it counts.
 */
#ifndef KCORE_BROKER_REACTOR_H
#define KCORE_BROKER_REACTOR_H

#include "broker/core.h"
#include "broker/request.h"

#define API_KEYS 93

/* By API, written by the reactor alone. */
struct api_stats {
    _Atomic int64_t requests, errors, bytes_in, ns;
};

struct reactor {
    struct broker *broker;
    struct net_loop *loop;
    pthread_t thread;
    bool running;
    struct connection *connections;
    struct request *spare; /* requests to use again, with their arenas */
    int spare_count;
    int open_requests;
    bool draining;
    struct api_stats stats[API_KEYS];
};

struct connection {
    struct reactor *reactor;
    struct net_conn *conn;
    int listener;
    struct net_addr local; /* its own end, for listeners on every address */
    uint8_t ip[16];        /* of the peer, for the limit per address */
    struct connection *next, **at;
};

int reactor_new(struct reactor **out, struct broker *b, struct kerr *e);
int reactor_start(struct reactor *r, struct kerr *e);
/* From any thread: a new socket. */
void reactor_give(struct reactor *r, int fd, int listener);
/* Waits until the thread has ended; every connection is drained for at most grace_ms, then closed.
 */
void reactor_stop(struct reactor *r, int64_t grace_ms);
void reactor_free(struct reactor *r);

struct request *reactor_request(struct reactor *r);
void reactor_recycle(struct reactor *r, struct request *q);

#endif
