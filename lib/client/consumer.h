/*
 * consumer - partitions read from given offsets, batch by batch.
 *
 *     consumer_new(&k, client, &e);
 *     consumer_assign(k, topic, 0, from, to, NULL, &e);      the topic is known (client_topic_wait)
 *     while (consumer_active(k) > 0) {
 *         rc = consumer_next(k, &b, &e);
 *         if (rc == 1)        record_iter_begin(it, &b.batch, ...), records from b.from up to b.to
 *         else if (rc == 0)   client_poll(client, -1);       nothing is here now
 *         else                e says what ended b.topic, b.partition
 *     }
 *
 * What is delivered of a partition is in the order of its offsets and without gaps: markers of
 * transactions, with isolation.level=read_committed aborted records too (the broker lists them, in
 * the order of org.apache.kafka.clients.consumer.internals.CompletedFetch), batches that compaction
 * has emptied, and records beyond to are passed over. Leaders that move and brokers that are away
 * are waited for, with back-off and a warning; what will not pass ends that partition.
 *
 * One fetch a leader is under way while the caller digests the answer before it: two answers a
 * leader are held at most. Nothing is copied: a batch lies in the answer's frame.
 *
 * Fetch sessions (KIP-227) and preferred replicas (KIP-392) are not used. One thread; nothing here
 * waits.
 */
#ifndef KCORE_CLIENT_CONSUMER_H
#define KCORE_CLIENT_CONSUMER_H

#include "client/client.h"
#include "record/batch.h"

struct consumer;

/* What is delivered, or what has ended. */
struct consumer_batch {
    struct client_topic *topic;
    int32_t partition;
    void *tag;          /* as given to consumer_assign */
    struct batch batch; /* valid until the next consumer_next() or consumer_free() */
    int64_t from, to;   /* records outside of [from, to) are not wanted; after an error from is
                         * what could not be read */
};

int consumer_new(struct consumer **out, struct client *c, struct kerr *e);
/* Before client_free(). */
void consumer_free(struct consumer *k);

/* Read [from, to); to INT64_MAX: without end. A partition is assigned once; it may be assigned anew
 * when it has ended. KE_NOMEM, KE_INVALID (a negative offset). */
int consumer_assign(struct consumer *k, struct client_topic *t, int32_t partition, int64_t from,
                    int64_t to, void *tag, struct kerr *e);

/* Partitions that have not ended: neither at their to, nor by an error. */
int32_t consumer_active(const struct consumer *k);

/*
 * 1: a batch. 0: there is none here now; client_poll() brings some (consumer_active may have
 * become 0: what was before to need not have been anything to deliver). Negative: that partition
 * has ended, others go on:
 *   KE_RANGE    its offset is not there, any more or yet (offsets.h tells what is)
 *   KE_CORRUPT  the bytes are damaged (topic, partition and offset are in the message), or the
 *               broker talks nonsense, again and again
 *   KE_NOTFOUND the topic has been deleted, or deleted and made anew
 *   KE_REMOTE, KE_UNSUPPORTED
 */
int consumer_next(struct consumer *k, struct consumer_batch *out, struct kerr *e);

#endif
