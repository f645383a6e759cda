/*
 * consumer_impl - what the consumer's modules share.
 *
 * A fetch asks one leader for all its partitions that are not in a fetch already. Its answer
 * becomes a delivery: the frame, and a chunk for each partition that has something to say.
 * Deliveries are digested one after the other, each chunk batch by batch.
 */
#ifndef KCORE_CLIENT_CONSUMER_IMPL_H
#define KCORE_CLIENT_CONSUMER_IMPL_H

#include "client/consumer.h"
#include "net/conn.h"

#include <stddef.h>

#define CONSUMER_OWNER(type, member, p) ((type *)(void *)((char *)(p)-offsetof(type, member)))

#define CONSUMER_HELD_MAX 2 /* deliveries of a leader, one that is under way counted */

struct cpart {
    struct consumer *k;
    struct cpart *next; /* in k->parts: who has been given something goes to the end */
    struct client_topic *topic;
    int32_t index;
    struct uuid id; /* the topic's when it was assigned; zero: not known then */
    void *tag;
    int64_t position; /* everything below has been delivered or passed over */
    int64_t ahead;    /* where the next fetch begins */
    int64_t to;
    bool flying;
    bool damaged; /* what is behind ahead cannot be read: consumer_next() will see */
    bool ended;   /* to has been reached, or an error has been told */
    int attempts; /* in a row that failed */
    int nonsense; /* answers in a row that brought nothing, but should have */
    int missing;  /* refreshes in a row that did not know the topic */
    mono_ns not_before;
    struct kerr why; /* of what ends it: it is queued, or has been told */
};

/* An aborted transaction of a chunk's partition. */
struct caborted {
    int64_t producer_id, first;
    bool over; /* its marker has been seen */
};

/* What an answer says of one partition. */
struct cchunk {
    struct cpart *part;
    int err;    /* the partition ends here, part->why says why */
    bool begun; /* a batch of it has been looked at */
    struct slice rest;
    struct caborted *aborted; /* sorted by producer id and first offset; in the delivery's arena */
    int32_t aborted_count;
};

struct cleader;

struct cdelivery {
    struct cdelivery *next;
    struct cleader *leader; /* NULL: made up here, without a frame */
    struct net_frame frame;
    struct arena arena;
    struct cchunk *chunks;
    int32_t n, at;
};

struct cleader {
    struct cleader *next;
    int32_t node;
    bool flying;
    int held; /* deliveries */
};

/* Partitions under way to one leader. */
struct crequest {
    struct crequest *next;
    struct consumer *k; /* NULL: it has gone */
    struct cleader *leader;
    int32_t n;
    int32_t claimed; /* hint: answers come in the order of the request */
    struct cpart *v[];
};

struct consumer {
    struct client *c;
    const struct client_conf *conf;
    struct cpart *parts;
    int32_t active;
    struct cleader *leaders;
    struct crequest *requests;
    struct cdelivery *first, **last;
    struct net_timer timer;
    struct client_watch watch;
    bool warned; /* of trouble that has not passed */
};

/* ---- consumer.c ---- */

/* The partition ends; consumer_next() will say why. */
void cpart_fail(struct cpart *p, const struct kerr *why);
void consumer_queue(struct consumer *k, struct cdelivery *d);

/* ---- cfetch.c ---- */

/* Sends what can be sent, sees to the timer. */
void consumer_fetch(struct consumer *k);
/* What went wrong may pass: the partition is asked for later, the cluster is looked at anew. */
void cpart_retry(struct cpart *p, const struct kerr *why);
/* The broker has answered, but not with what it should: likewise, a few times. */
void cpart_doubt(struct cpart *p, const struct kerr *why);

/* ---- canswer.c ---- */

/* Deals with the answer to q; what it brings is queued. Negative: it is malformed. Partitions that
 * are still in q->v then have not been answered. */
int canswer_take(struct crequest *q, const struct client_reply *r, struct kerr *e);
void cdelivery_free(struct cdelivery *d);

#endif
