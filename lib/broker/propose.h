/*
 * propose - catalog commands from handlers: the outcome comes back on the reactor that asked.
 */
#ifndef KCORE_BROKER_PROPOSE_H
#define KCORE_BROKER_PROPOSE_H

#include "base/arena.h"
#include "broker/request.h"

struct proposal {
    void (*done)(struct proposal *p); /* on loop's thread */
    struct net_loop *loop;
    struct net_task task;
    int err; /* as catalog_done_fn */
    enum catalog_result result;
    int64_t value;
};

/* 0: p->done will be called. */
int propose(struct broker *b, struct slice cmd, struct proposal *p);

/*
 * The commands of one request, embedded in the handler's own struct in the request's arena. The
 * answer is made when the last of them has been decided or the time is over; the request ends when
 * the last has been decided. All on the request's reactor.
 */
struct round {
    struct request *r;
    /* Makes the answer's body: what the message's encoder returned. */
    int (*encode)(struct round *d, struct buf *b);
    int open;
    bool answered;
    struct net_timer timer;
};

void round_init(struct round *d, struct request *r, int (*encode)(struct round *d, struct buf *b));

struct round_change {
    int32_t topics, partitions; /* that come with it: counted until the outcome */
    int16_t no_topic;           /* what it is called when the topic has gone meanwhile; 0: 3 */
    int16_t *error;             /* becomes proposal_error(); until then 7 */
};

/* Proposes cmd, whose memory is given back. */
void round_propose(struct round *d, struct buf *cmd, const struct round_change *c);
/* The handler has proposed all. timeout_ms <= 0: as long as it takes. */
void round_wait(struct round *d, int32_t timeout_ms);

/* Nobody waits: a topic made because somebody asked for it, who will ask again. */
void propose_topic_quietly(struct broker *b, struct slice name);

/* Counts what has been proposed, until its outcome takes it back. */
void plan_coming(struct broker *b, int32_t topics, int32_t partitions);
/* Whether so many partitions more would be over max.partitions. */
bool plan_too_many(struct broker *b, int32_t partitions);

/* n partitions as this one node would hold them, in the arena. NULL without memory. */
struct catalog_partition *plan_partitions(struct broker *b, struct arena *a, int32_t n);
/* A topic as this one node would hold it; its partitions lie in the arena. NULL without memory. */
struct catalog_topic *plan_topic(struct broker *b, struct arena *a, struct slice name,
                                 int32_t partitions);

/* Kafka's error for a name that cannot be given to a new topic in this image: 17 (bad, or equal to
 * another but for '.' and '_'), 36; or 44 when there would be too many (max.topics,
 * max.partitions). 0: fine. */
int16_t plan_refusal(struct broker *b, const struct catalog_image *image, struct slice name,
                     int32_t partitions);

/* Kafka's error for an outcome. */
int16_t proposal_error(const struct proposal *p);

#endif
