/*
 * client_impl - what the modules behind client.h share: nodes (an address and the connection to
 * it), requests under way, the cache of topics.
 */
#ifndef KCORE_CLIENT_CLIENT_IMPL_H
#define KCORE_CLIENT_CLIENT_IMPL_H

#include "base/hash.h"
#include "client/client.h"
#include "net/conn.h"

#include <signal.h>

#define CLIENT_OWNER(type, member, p) ((type *)(void *)((char *)(p)-offsetof(type, member)))

#define CLIENT_MAX_KEY 128 /* of the APIs that a node's versions are kept for */

struct node;

/* One request. In node->waiting until the connection is up, then in node->flying until answered. */
struct call {
    struct call *next;
    struct node *node;
    struct client_request rq;
    struct net_timer timer; /* its deadline */
    struct buf body;        /* no_answer without lend: what is lent to the connection */
    int32_t correlation;
    int16_t version;
    bool lent; /* the connection still reads from body, or from what rq.lend gave */
};

struct call_queue {
    struct call *head, **tail;
    int n;
};

enum node_state { NODE_DOWN, NODE_CONNECTING, NODE_ASKING, NODE_UP };

struct node {
    struct client *c;
    struct node *next;
    int32_t id;     /* -1: from bootstrap.servers, not yet known which */
    bool bootstrap; /* listed there */
    struct net_addr addr, numeric;
    enum node_state state;
    struct net_conn *conn;
    struct net_timer timer; /* until connected and asked; while down: until the next attempt */
    int failures;           /* in a row */
    uint32_t losses;        /* in all */
    bool backing_off;
    struct kerr why; /* of the last failure */
    int32_t next_correlation;
    struct {
        int16_t min, max; /* max -1: not served */
    } versions[CLIENT_MAX_KEY];
    struct call_queue waiting, flying;
    struct net_timer sweep; /* soon: requests without an answer that have been sent are done */
};

struct client {
    struct client_conf conf;
    const struct diag *diag;
    struct net_loop *loop;
    struct net_limits limits;
    struct node *nodes; /* in the order in which they were learned */
    int32_t controller;
    bool ever_up, patient, closing;
    volatile sig_atomic_t interrupted;

    struct hash topics; /* name -> struct client_topic */
    struct client_topic **topic_list;
    int32_t topic_count;
    struct client_watch *watches;
    struct net_timer refresh_timer;
    bool refresh_flying, refresh_again;
    int refresh_failures;
    int making;        /* refreshes in a row in which the broker was still making a topic */
    mono_ns refreshed; /* when the last answer came */
    struct kerr refresh_why;
};

/* client_new() by another clock than the kernel's: a test's. */
int client_new_timed(struct client **out, const struct client_conf *conf, const struct diag *d,
                     const struct os_clock *clock, struct kerr *e);

/* ---- node.c ---- */

/* NULL without memory. */
struct node *node_new(struct client *c, int32_t id, const struct net_addr *addr);
void node_free(struct node *n);
struct node *node_find(const struct client *c, int32_t id);
/* One that is up, or on its way, or has failed least. */
struct node *node_any(const struct client *c);
/* Closes the connection: its requests get err and the message. */
void node_fail(struct node *n, int err, const char *why);
int node_send(struct node *n, const struct client_request *r, struct kerr *e);

/* ---- metadata.c ---- */

void metadata_init(struct client *c);
void metadata_free(struct client *c);

#endif
