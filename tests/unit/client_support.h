/*
 * client_support - a client and a cluster of scripted brokers in one thread, on the client's loop.
 *
 * The brokers answer ApiVersions, Metadata (of the topics that the test has made), InitProducerId
 * and Produce by themselves; rig.on_call sees every request first and may take it over: answer it
 * later or with anything, or cut the connection. Sockets are Unix ones: what was written can be
 * read at once.
 *
 * Time is the test's. It stands still while anything can happen, then moves to the next timer: so a
 * test of two minutes' patience takes no time, and the same seed gives the same run. For functions
 * that wait in client_poll() by themselves and need timers, rig.flows lets the kernel's time pass.
 */
#ifndef KCORE_TESTS_CLIENT_SUPPORT_H
#define KCORE_TESTS_CLIENT_SUPPORT_H

#include "client/client.h"
#include "wire/api.h"

#define RIG_NODES 3

struct rig;
struct peer_conn;

/* A request as a broker got it. Whoever has taken it ends it with one of the functions below, or
 * leaves it to rig_stop(). */
struct peer_call {
    struct peer_call *next, *next_in_conn;
    struct rig *rig;
    struct peer_conn *conn; /* NULL: the connection has gone */
    int node;
    int16_t key, version;
    int32_t correlation;
    struct wire_reader body;
    struct arena arena; /* for decoding it */
    uint8_t *bytes;
    struct buf answer; /* once it is there */
    bool answered, dropped;
    mono_ns due;
};

/* Answers leave a connection in the order of its requests, whenever they are given. body is taken
 * over; without the header. */
void peer_answer(struct peer_call *q, struct buf *body);
void peer_answer_in(struct peer_call *q, struct buf *body, int64_t ms);
/* These bytes instead of an answer, frame length and all. */
void peer_answer_bytes(struct peer_call *q, struct slice frame);
/* No answer; the connection stays. */
void peer_drop(struct peer_call *q);
/* No answer: the connection is closed. */
void peer_cut(struct peer_call *q);
/* What would have been done if on_call had not taken it. */
void peer_default(struct peer_call *q);

struct peer_batch {
    int64_t producer_id, base_offset;
    int16_t epoch;
    int32_t sequence, count;
    bool forgotten; /* the broker knows the records, but no more who wrote them */
};

/* A partition, as a broker dumber than ours keeps it. */
struct peer_part {
    int32_t leader, epoch;
    struct peer_batch *batches;
    int32_t batch_count;
    uint64_t *ids; /* of the records (rig_value), by offset */
    int64_t end;
};

struct peer_topic {
    char *name;
    struct uuid id;
    int16_t error;  /* Metadata tells it in place of partitions */
    int32_t absent; /* so many more answers to Metadata say that it is not there yet */
    int32_t count;
    struct peer_part *parts;
};

/* What becomes of a batch. */
struct peer_verdict {
    bool store;
    int16_t error;
    int64_t delay_ms; /* of the whole answer */
    bool cut;         /* the connection, in place of the answer */
};

struct peer_conn {
    struct peer_conn *next;
    struct rig *rig;
    int node, fd;
    struct net_watch watch;
    struct net_timer timer;
    struct buf in, out;
    struct peer_call *calls; /* in order, those whose answers have not left */
};

struct peer_node {
    struct rig *rig;
    struct net_watch watch;
    int fd; /* -1: nobody listens */
    char path[96];
    int accepted;
};

struct rig {
    struct client *c;
    struct os_clock clock;
    int64_t ns; /* the time; with flows: to be added to the kernel's */
    bool flows;
    char dir[64];
    int nodes;
    struct peer_node node[RIG_NODES];
    struct peer_conn *conns;
    struct peer_call *calls;
    struct peer_topic **topics;
    int32_t topic_count;
    int16_t max_version[128]; /* what ApiVersions tells, by key; -1: not there */
    int64_t next_producer_id;
    int32_t auto_create; /* partitions that a topic gets when Metadata asks for it; 0: never */
    size_t max_batch;    /* 0, or MESSAGE_TOO_LARGE for more */
    uint64_t events;     /* counts whatever the brokers have seen or done */
    int asked[128];      /* requests seen, by key */
    bool keep_messages;  /* of the client, in messages */
    struct buf messages;

    /* True: it has taken the request. */
    bool (*on_call)(struct rig *r, struct peer_call *q);
    /* Sees each answer with its length in front, and may change it. */
    void (*on_answer)(struct rig *r, struct peer_call *q, struct buf *frame);
    /* NULL: everything is stored. */
    struct peer_verdict (*on_batch)(struct rig *r, struct peer_call *q, struct peer_topic *t,
                                    int32_t partition, struct slice batch);
    void *arg; /* the test's */
};

/* Above 0 while the brokers' own code runs. */
extern int rig_inside;

/* settings: "name", "value", ..., NULL; may be NULL. Broker i is node i and listens. */
void rig_start(struct rig *r, int nodes, const char *const *settings);
/* The producer or consumer has been freed before. */
void rig_stop(struct rig *r);
/* Closes a broker's connections and listener; opens it again. */
void rig_node_down(struct rig *r, int node);
void rig_node_up(struct rig *r, int node);

/* Leaders are given to the nodes in turn. */
struct peer_topic *rig_topic(struct rig *r, const char *name, int32_t partitions);
struct peer_topic *rig_topic_find(struct rig *r, struct slice name);
void rig_move_leader(struct peer_topic *t, int32_t partition, int32_t to);
/* Makes the client know it; fails the test if it does not. */
struct client_topic *rig_know(struct rig *r, const char *name);

/* Lets everything happen that can at this moment. */
void rig_settle(struct rig *r);
/* Settles, then moves the time to the next timer and fires it; false: there is none. */
bool rig_step(struct rig *r);
/* Steps until it holds, or fails the test after a day. */
void rig_until(struct rig *r, bool (*holds)(void *arg), void *arg);
void rig_pass(struct rig *r, int64_t ms);

/* Record values that the brokers recognise: the id in decimal, then padding. */
struct slice rig_value(char *out, uint64_t id, size_t size);
uint64_t rig_value_id(struct slice value);
/* Offset of a record, -1: not stored; *times: how often it is. */
int64_t rig_find(const struct peer_part *p, uint64_t id, int *times);

/* As a broker does (KIP-98): 0 and the offset, or Kafka's error code. */
int16_t peer_append(struct peer_part *p, struct slice batch, int64_t *base_offset);

uint64_t rig_random(uint64_t *state);

/* With CLIENT_DIAG=1 in the environment, on stderr: to look into a seed. The brokers' verdicts and
 * the client's own messages are told so, too. */
void rig_tell(const struct rig *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
