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
 * The commands of one request. It starts with open = 1, for the handler itself, which ends that
 * with round_end(); reply is called when the last of them has been decided, on the request's
 * reactor.
 */
struct round {
    struct request *r;
    void (*reply)(struct round *d);
    int open;
};

/* Proposes cmd, whose memory is given back; *error becomes what proposal_error() makes of the
 * outcome. It lives until the reply. */
void round_propose(struct round *d, struct buf *cmd, int16_t *error);
void round_end(struct round *d);

/* Nobody waits: a topic made because somebody asked for it, who will ask again. */
void propose_topic_quietly(struct broker *b, struct slice name);

/* Counts a topic that has been proposed, until its outcome (sign 1, then -1). */
void plan_coming(struct broker *b, int32_t partitions, int sign);

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
