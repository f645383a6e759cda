/*
 * request - one request on its way through the broker.
 *
 * The dispatcher makes it, takes its place in the connection's queue of answers, and hands it to
 * the API's handler, which owns it from then on: it ends with request_reply(), request_drop()
 * (nothing is answered) or request_kill() (the connection ends). All of them on the request's
 * reactor. A handler that answers with an error code says so in r->failed first: it is counted.
 */
#ifndef KCORE_BROKER_REQUEST_H
#define KCORE_BROKER_REQUEST_H

#include "base/arena.h"
#include "broker/core.h"
#include "net/conn.h"
#include "wire/wire.h"

struct api_entry;
struct connection;

struct request {
    struct broker *broker;
    struct reactor *reactor;
    struct connection *connection; /* NULL once it has gone (request_alive) */
    const struct api_entry *api;
    int16_t version;
    int32_t correlation_id;
    struct slice client_id; /* lies in the frame */
    int listener;
    struct arena arena; /* what the handler decodes and answers with */
    struct wire_reader body;
    struct net_frame frame; /* bytes of the body; kept by request_keep() */
    struct net_answer *answer;
    mono_ns started, answered;              /* answered: 0 until then */
    bool failed;                            /* its answer tells of an error, or there is none */
    void *waiting;                          /* what the handler has made of it, for gone() */
    void (*gone)(struct request *r);        /* request_watch() */
    struct request *next_watch, **watch_at; /* the connection's list of them */
    size_t charged;       /* of the budget, for an arena that outlives the handler's call */
    struct request *next; /* the reactor's list of spare ones */
};

/* The frame outlives the handler's call. *moved: how far its bytes have moved; slices into it move
 * along. False without memory. */
bool request_keep(struct request *r, ptrdiff_t *moved);
/* Whether anybody still waits for the answer. */
bool request_alive(const struct request *r);
/* gone is called when the connection has gone before r has ended: who waits without a near end can
 * stop. */
void request_watch(struct request *r, void (*gone)(struct request *r));

/* Appends the response header to b; the body follows. */
void request_reply_begin(struct request *r, struct buf *b);
/* The answer is complete: hands it to the connection. r->failed has been set before. */
void request_send(struct request *r);
/* rc: what the body's encoder returned. Sends b's bytes, or ends the connection when they could not
 * be made. Ends r. */
void request_reply(struct request *r, struct buf *b, int rc);
/* The same, but r stays, for what is still under way in its arena: request_end() follows. */
void request_answer(struct request *r, struct buf *b, int rc);
void request_drop(struct request *r);
void request_kill(struct request *r, const char *why);
/* Frees r whose answer has been sent by other means. */
void request_end(struct request *r);

/* The numbers of Kafka's AclOperation. */
enum operation {
    OP_READ = 3,
    OP_WRITE,
    OP_CREATE,
    OP_DELETE,
    OP_ALTER,
    OP_DESCRIBE,
    OP_CLUSTER_ACTION,
    OP_DESCRIBE_CONFIGS,
    OP_ALTER_CONFIGS,
    OP_IDEMPOTENT_WRITE
};
enum resource { RES_TOPIC, RES_GROUP, RES_CLUSTER, RES_TRANSACTIONAL_ID };

/* May the principal do that? Everybody may, until there are ACLs; every handler asks for every
 * resource. */
bool authz_check(const struct request *r, enum operation op, enum resource kind, struct slice name);

/* Of the cluster, which has one name. */
static inline bool authz_cluster(const struct request *r, enum operation op)
{
    return authz_check(r, op, RES_CLUSTER, slice_str("kafka-cluster"));
}

/* What the principal may do there, as the bits of Kafka's AclOperation: the answer to "include
 * authorized operations". Topics and the cluster. */
int32_t authz_operations(const struct request *r, enum resource kind, struct slice name);

#endif
