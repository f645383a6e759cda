/*
 * reactor - a thread with its loop, the connections that live on it, and what it counts.
 */
#ifndef KCORE_BROKER_REACTOR_H
#define KCORE_BROKER_REACTOR_H

#include "broker/core.h"
#include "broker/request.h"

#define SPARE_ARENA ((size_t)64 << 10) /* a request's memory that is kept for the next one */

/* What is counted. A counter is written by its reactor alone and read by anybody: no two reactors
 * share a cache line. */
typedef _Atomic int64_t counter;

static inline void counter_add(counter *s, int64_t n)
{
    atomic_store_explicit(s, atomic_load_explicit(s, memory_order_relaxed) + n,
                          memory_order_relaxed);
}

static inline int64_t counter_read(const counter *s)
{
    return atomic_load_explicit(s, memory_order_relaxed);
}

/* Upper bounds of the buckets of time, in microseconds: 1, 2, 5, 10 ... and one without a bound. */
#define STAT_BOUNDS  17
#define STAT_BUCKETS (STAT_BOUNDS + 1)
extern const int32_t stat_bounds_us[STAT_BOUNDS];

/* By API. A request is begun when its header has been read, and done when its answer has gone to
 * the connection, or when it has ended without one. */
struct api_stats {
    counter begun, done, errors, bytes_in, bytes_out, ns;
    counter bucket[STAT_BUCKETS];
};

enum refused_connection {
    CONNECTION_OVER_MAX,
    CONNECTION_PEER_LIMIT,
    CONNECTION_NO_MEMORY,
    CONNECTION_REFUSALS
};
enum refused_request {
    REQUEST_MALFORMED,
    REQUEST_UNSUPPORTED,
    REQUEST_NO_MEMORY,
    REQUEST_REFUSALS
};

/* Of connections, and of requests that never came to their API. */
struct conn_stats {
    counter accepted, refused[CONNECTION_REFUSALS], closed[NET_CLOSE_REASONS];
    counter refused_requests[REQUEST_REFUSALS];
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
    struct api_stats *stats; /* as many as the table of APIs has */
    struct conn_stats conns;
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
/* From the accepting reactor, the first: a new socket. */
void reactor_give(struct reactor *r, int fd, int listener, const char *address);
/* Begins to end: every connection is drained for at most grace_ms, then closed. */
void reactor_stop(struct reactor *r, int64_t grace_ms);
/* Waits until the thread has ended. */
void reactor_join(struct reactor *r);
void reactor_free(struct reactor *r);

struct request *reactor_request(struct reactor *r);
void reactor_recycle(struct reactor *r, struct request *q);

#endif
