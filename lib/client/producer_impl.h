/*
 * producer_impl - what the producer's modules share.
 *
 * A batch is open (taking records), ready (in its partition's queue, in the order of the records),
 * or flying. It gets its sequence when it first flies, and comes back to the front of the queue to
 * be tried again.
 */
#ifndef KCORE_CLIENT_PRODUCER_IMPL_H
#define KCORE_CLIENT_PRODUCER_IMPL_H

#include "client/producer.h"

#include <stddef.h>

#define PRODUCER_OWNER(type, member, p) ((type *)(void *)((char *)(p)-offsetof(type, member)))

#define PRODUCER_FLYING_MAX 5 /* batches of a partition; brokers remember as many (KIP-98) */

struct ppart;

struct pbatch {
    struct pbatch *next;
    struct ppart *part;
    uint64_t order; /* of its first record among all closed batches of the partition */
    struct batch_builder w;
    size_t raw_n; /* of w.buf when it was closed */
    struct producer_mark first, last;
    uint32_t *deltas; /* two a record: at, line, from first */
    int32_t delta_cap;
    int32_t sequence;   /* -1: none yet */
    struct slice bytes; /* what is sent; NULL: to be made */
    int attempts;
    bool flying, maybe_stored; /* an attempt's outcome is unknown */
    mono_ns born;              /* for delivery.timeout.ms */
    struct kerr why;           /* of the last attempt */
};

struct ppart {
    struct producer *p;
    struct client_topic *topic;
    int32_t index;
    struct ppart *next; /* in p->active */
    bool active;        /* it is there: it has batches */
    struct pbatch *open;
    struct pbatch *ready; /* in order; those to be tried again are first */
    struct pbatch *ready_last;
    uint64_t next_order;                        /* counts records */
    struct pbatch *flight[PRODUCER_FLYING_MAX]; /* in order */
    int flying;
    int32_t flying_to;      /* where those are */
    uint32_t flying_losses; /* client_losses() when they were sent */
    int32_t next_sequence;
    bool recovering;    /* one at a time, until all that has been sent before is acknowledged */
    bool dead;          /* the stream ended here, */
    uint64_t dead_from; /* from the batch of this order on */
    bool acked;         /* something has been acknowledged with this producer id and epoch */
    mono_ns not_before;
};

struct ptopic {
    struct ppart **v;
    int32_t n;
    int32_t sticky; /* where records without a key go now; -1: to be chosen */
};

/* Batches under way to one broker. */
struct prequest {
    struct prequest *next;
    struct producer *p; /* NULL: it has gone; the batches are this one's */
    int32_t leader;
    int32_t n;
    int32_t settled; /* hint: answers come in the order of the batches */
    struct pbatch *v[];
};

struct question;

enum pid_state { PID_NONE, PID_ASKED, PID_READY };

struct producer {
    struct client *c;
    const struct client_conf *conf;
    void (*report)(void *arg, const struct producer_report *r);
    void *arg;
    struct ptopic *topics; /* by topic->number */
    int32_t topic_count;
    struct ppart *active; /* those with batches; who has just sent is last */
    struct prequest *requests;
    struct pbatch *spare; /* batches kept with their memory */
    int spares;
    int64_t used;  /* bytes of records held */
    int batches;   /* open, ready, flying */
    int sequenced; /* batches that have a sequence */
    bool idempotent, draining, drain_again;
    enum pid_state pid_state;
    bool pid_lost; /* sequences are to begin anew once what has one is settled */
    mono_ns pid_not_before;
    struct question *pid_question; /* under way */
    int64_t producer_id;
    int16_t epoch;
    struct net_timer timer;
    mono_ns timer_at; /* 0: not set */
    struct client_watch watch;
    uint64_t dice;
    bool ended; /* nothing new is taken */
    bool failed;
    struct kerr why;
    struct producer_mark failed_at;
};

/* ---- pbatch.c ---- */

struct pbatch *pbatch_new(struct ppart *part);
void pbatch_recycle(struct pbatch *b);
void pbatch_free(struct pbatch *b);
/* Room for one more record's mark; false without memory, or when the mark is too far from the
 * first. */
bool pbatch_fits_mark(struct pbatch *b, struct producer_mark m);
void pbatch_add_mark(struct pbatch *b, struct producer_mark m);
struct producer_mark pbatch_mark(const struct pbatch *b, int32_t i);
/* The records as they were given. */
void pbatch_records(const struct pbatch *b, struct batch *out);
/* Makes b->bytes of it, with the producer's id and the batch's sequence. */
int pbatch_finish(struct pbatch *b, const struct client_conf *conf, struct kerr *e);
/* Leaves the first keep records (0 < keep < all) in b and returns the others in a new batch with
 * the sequence that follows. NULL without memory. */
struct pbatch *pbatch_split(struct pbatch *b, int32_t keep);

/* ---- pqueue.c: a partition's batches, and what becomes of them ---- */

void ppart_close_open(struct ppart *part);
/* Into its place among the ready ones. */
void ppart_insert(struct ppart *part, struct pbatch *b);
struct pbatch *ppart_take(struct ppart *part);
/* Out of the flying ones. */
void ppart_land(struct ppart *part, struct pbatch *b);
/* What lies before it in its partition has failed. */
bool pbatch_is_dead(const struct pbatch *b);
/* The last of a batch, which is in no queue. */
void pbatch_settle(struct pbatch *b, int err, int64_t base_offset, const struct kerr *why);
/* Ends the stream with b, which is in no queue: what lies behind its first record is not sent. */
void producer_fail(struct producer *p, struct pbatch *b, int err, const struct kerr *why);
/* Ends the stream for a reason that is no record's. */
void producer_lost(struct producer *p, const struct kerr *why);
/* Ends the stream: what has never been sent is settled with err. */
void producer_end(struct producer *p, int err, const struct kerr *why);

/* ---- psend.c, psettle.c ---- */

/* Sends what can be sent, sees to the timer. */
void producer_drain(struct producer *p);
/* The answer to a request of ours. */
void prequest_done(void *arg, const struct client_reply *r);
/* In how many ms the next attempt may be made. */
int64_t producer_backoff(const struct client_conf *k, int attempts);

/* ---- pid.c ---- */

/* Whether new sequences may be given out; sees to it that they can. */
bool pid_ready(struct producer *p);
/* Gives b its sequence. */
void pid_assign(struct pbatch *b);
/* b is known not to be stored under its sequence, which is given up. */
void pid_release(struct pbatch *b);
void pid_forget(struct producer *p);

#endif
