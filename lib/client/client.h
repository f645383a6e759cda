/*
 * client - connections to a cluster, what is known of its topics, and calls.
 *
 * One thread: whoever calls client_poll() (or a function here that waits) runs every callback. No
 * globals, no signals. Names are slices of UTF-8 bytes as the broker gave them: escape them before
 * they are printed.
 *
 *     struct client *c;
 *     client_new(&c, &conf, &diag, &e);
 *     rc = client_call(c, CLIENT_ANY, &(struct client_request){.key = API_LIST_..., .encode = put,
 *                      .arg = &question}, timeout_ms, &answer, &e);
 *     if (rc == 0)
 *         ..._response_decode(&m, &answer.body, answer.version);     strings point into answer
 *     client_answer_free(&answer);
 *
 * A request waits until its connection is there (ApiVersions has been answered: each API then goes
 * in the highest version that both sides know), goes out in the order of the calls, and is answered
 * by exactly one done(). client_send() never tries anything again; client_call() does, see there.
 */
#ifndef KCORE_CLIENT_CLIENT_H
#define KCORE_CLIENT_CLIENT_H

#include "base/diag.h"
#include "client/conf.h"
#include "net/loop.h"
#include "wire/reader.h"
#include "wire/wire.h"

struct client;

/* Copies conf; d may be NULL and outlives the client. Nothing is connected yet. */
int client_new(struct client **out, const struct client_conf *conf, const struct diag *d,
               struct kerr *e);
/* What waits is answered with KE_CLOSED. */
void client_free(struct client *c);

const struct client_conf *client_conf_of(const struct client *c);
const struct diag *client_diag(const struct client *c);
struct net_loop *client_loop(struct client *c);

/* Handles what is ready, waits at most timeout_ms (-1: as long as it takes) for it. */
void client_poll(struct client *c, int64_t timeout_ms);

/* Makes functions that wait return KE_CLOSED soon, until false is given. For a signal's sake: may
 * be called from a handler. */
void client_interrupt(struct client *c, bool on);
bool client_interrupted(const struct client *c);

/* ---- calls ---- */

/* Where to: a node id of the cluster (>= 0) or one of these. */
enum { CLIENT_ANY = -1, CLIENT_CONTROLLER = -2 };

struct client_reply {
    int err;   /* 0, or: KE_CLOSED, KE_IO (no connection, or lost before the answer: outcome unknown
                * if sent is set), KE_TIMEOUT, KE_UNSUPPORTED (no common version), KE_CORRUPT */
    bool sent; /* the request, or part of it, may have reached the broker */
    int16_t version;
    struct slice body;       /* the answer behind its header; valid during done() */
    const struct kerr *why;  /* when err is not 0 */
    struct net_frame *frame; /* for net_frame_keep: then body lives as long as the frame */
    struct net_conn *conn;   /* for the same */
    int32_t node;
};

struct client_request {
    int16_t key;         /* of the API, wire/api.h */
    int16_t max_version; /* 0: the newest; to stay below one */
    int16_t min_version; /* what is asked for needs at least this */
    /* Appends the body in this version: 0 or a KE_ code, which then is the reply's err. Called once
     * at most, perhaps before client_send() returns. */
    int (*encode)(void *arg, struct buf *b, int16_t version);
    /* Instead of encode: *body follows what is in b and is not copied; it stays until done(). */
    int (*lend)(void *arg, struct buf *b, int16_t version, struct slice *body);
    /* May be NULL for client_call. May call client_send(), not client_poll(). */
    void (*done)(void *arg, const struct client_reply *r);
    void *arg;
    bool no_answer;     /* acks=0: done() is called when the connection has taken the bytes */
    int64_t timeout_ms; /* from now to the answer; 0: request.timeout.ms */
};

/* 0: done() will be called, later or before this returns. KE_NOTFOUND for a node that the cluster
 * does not have, KE_NOMEM: done() will not be called. r is copied. */
int client_send(struct client *c, int32_t node, const struct client_request *r, struct kerr *e);

/* Connected to that node, its requests not all answered: how many. */
int client_in_flight(const struct client *c, int32_t node);
/* How often the connection to that node has been lost, or could not be made. What was sent before
 * a loss fails, but perhaps only after what is sent behind it has arrived. */
uint32_t client_losses(const struct client *c, int32_t node);

struct client_answer {
    struct wire_reader body; /* at the body; arrays go to the arena */
    int16_t version;
    int32_t node; /* who answered */
    struct arena arena;
    uint8_t *bytes;
};

/* Sends and waits. Tries another broker, and again with retry.backoff.ms, while brokers are
 * unreachable or connections get lost, until timeout_ms have passed (-1: request.timeout.ms); but
 * while no broker has ever answered this client, a round in which every address failed is the end
 * (unless client_be_patient). A request that may have been carried out is tried again too: only for
 * requests of which twice is as good as once. 0, KE_TIMEOUT, KE_IO, KE_UNSUPPORTED, KE_CORRUPT,
 * KE_CLOSED (interrupted). r->done and r->timeout_ms are not used. */
int client_call(struct client *c, int32_t node, const struct client_request *r, int64_t timeout_ms,
                struct client_answer *out, struct kerr *e);
void client_answer_free(struct client_answer *a);

/* Wait for a first broker too, until the time is up (the tools: with --timeout). */
void client_be_patient(struct client *c);

/* KE_REMOTE with the code's name and text, "topic access: ..." in front (what) and the broker's own
 * message behind, if it has one. Fills e->remote. */
int client_refused(struct kerr *e, int16_t code, struct slice message, const char *what, ...)
    __attribute__((format(printf, 4, 5)));

/* ---- what is known of the cluster ---- */

struct client_partition {
    int16_t error;        /* Kafka's code; 0 */
    int32_t leader;       /* -1: none now */
    int32_t leader_epoch; /* -1: not told */
};

/* Lives as long as the client; its contents change with each refresh. */
struct client_topic {
    const char *name; /* NUL-terminated */
    struct uuid id;   /* zero: not told (brokers before 2.8) */
    int16_t error;    /* KAFKA_NONE, UNKNOWN_TOPIC_OR_PARTITION, ...; partitions is NULL then */
    bool known;       /* asked for and answered at least once */
    bool create;      /* the broker may make it (auto.create.topics.enable) */
    struct client_partition *partitions;
    int32_t count;  /* of partitions */
    int32_t number; /* of topics before it: an index for the caller's own arrays */
};

/* The topic's place in the cache, made and asked for if it is new. NULL without memory. */
struct client_topic *client_topic(struct client *c, struct slice name);
/* One that is in the cache already, or NULL. */
struct client_topic *client_topic_known(const struct client *c, struct slice name);
/* By the protocol's id; NULL when none has it. */
struct client_topic *client_topic_by_id(struct client *c, struct uuid id);

/* Something said that the cache is wrong: refreshed soon, not more often than retry.backoff.ms. */
void client_refresh(struct client *c);
/* Called after every refresh. The struct is the caller's. */
struct client_watch {
    void (*changed)(struct client_watch *w);
    struct client_watch *next; /* the client's */
};
void client_watch_add(struct client *c, struct client_watch *w);
void client_watch_remove(struct client *c, struct client_watch *w);

/*
 * Waits until the topic is known with all its partitions' leaders. KE_NOTFOUND: it does not exist
 * ("topic NAME does not exist"). With create the broker may make it: *created (may be NULL) tells
 * whether it did; one that does not within max.block.ms gives KE_NOTFOUND. KE_REMOTE, KE_TIMEOUT,
 * KE_IO.
 */
int client_topic_wait(struct client *c, struct client_topic *t, bool create, int64_t timeout_ms,
                      bool *created, struct kerr *e);

/* Waits until the cluster has told its brokers, so that their ids can be asked: KE_TIMEOUT, KE_IO,
 * KE_REMOTE, KE_CLOSED. At once when it has. */
int client_brokers_wait(struct client *c, int64_t timeout_ms, struct kerr *e);

/* Every topic of the cluster (internal ones too), in no order. */
int client_each_topic(struct client *c, int64_t timeout_ms,
                      void (*each)(void *arg, struct slice name, bool internal), void *arg,
                      struct kerr *e);

#endif
