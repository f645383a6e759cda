/*
 * producer - records in, batches out, a report for every batch.
 *
 * A producer is one stream: per partition records keep their order and each is stored once,
 * whatever is tried again. Without idempotence a batch whose answer was lost may be stored twice,
 * and one that was refused for the moment comes behind those that were under way with it. The first
 * failure that trying again does not cure ends the stream: what belongs before the failed record is
 * still sent, everything behind it is reported as not sent, and producer_send() refuses more. So
 * the caller can say exactly where to go on.
 *
 * Each record carries a mark of the caller's: where in its input the record began. Marks must not
 * decrease. One thread; reports are made from within client_poll(), producer_send(),
 * producer_flush() and producer_stop(), and must not call the producer.
 *
 * Sequences as in KIP-98 and KIP-360: a batch keeps its sequence until its outcome is known; a
 * sequence that the broker refuses though all before it are acknowledged means that the broker has
 * lost acknowledged records: that is told (diag), the epoch is raised and sequences begin anew.
 */
#ifndef KCORE_CLIENT_PRODUCER_H
#define KCORE_CLIENT_PRODUCER_H

#include "client/client.h"
#include "record/batch.h"

struct producer;

struct producer_mark {
    uint64_t at;   /* bytes */
    uint64_t line; /* or records, counted from 1; the caller's business */
};

struct producer_report {
    struct client_topic *topic;
    int32_t partition;
    int err;                     /* 0: acknowledged (acks=0: given to the network) */
    bool maybe_stored;           /* with err: it may have been stored all the same */
    const struct kerr *why;      /* with err */
    int64_t base_offset;         /* -1: not told */
    const struct batch *records; /* as they were given, uncompressed; for record_iter_begin */
    struct producer_mark first;
    const uint32_t *deltas; /* internal: producer_report_mark() */
};

/* Of the i-th record of the batch. */
struct producer_mark producer_report_mark(const struct producer_report *r, int32_t i);

/* Every record is in exactly one report. */
int producer_new(struct producer **out, struct client *c,
                 void (*report)(void *arg, const struct producer_report *r), void *arg,
                 struct kerr *e);
/* Forgets what has not been reported. Before client_free(). */
void producer_free(struct producer *p);

/* Takes a copy of the record. partition -1: by the key, without one (null) a batch's worth to each
 * in turn. The topic must be known (client_topic_wait). 0; KE_AGAIN: buffer.memory is full, poll
 * until it is not; KE_TOOBIG: over max.request.size (the stream goes on); KE_INVALID: no such
 * partition; KE_CLOSED: the stream has ended, see producer_failed(). */
int producer_send(struct producer *p, struct client_topic *t, int32_t partition, int64_t timestamp,
                  struct slice key, struct slice value, const struct header *headers,
                  int32_t header_count, struct producer_mark mark, struct kerr *e);

/* What is open goes now, not when linger.ms have passed. */
void producer_flush(struct producer *p);
/* Everything has been reported. */
bool producer_idle(const struct producer *p);
/* The least mark of what has not been reported; false: there is nothing. */
bool producer_oldest(const struct producer *p, struct producer_mark *m);
/* Ends the stream: what has not been sent is reported with KE_CLOSED, what is under way in its
 * time. */
void producer_stop(struct producer *p);
/* Whether the stream has ended by a failure, and which. at: the failed record. */
bool producer_failed(const struct producer *p, struct kerr *e, struct producer_mark *at);

#endif
