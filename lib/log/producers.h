/*
 * producers - what a log remembers of each producer id: its epoch and its last five batches, so
 * that a batch that is sent twice is answered and not appended twice.
 *
 * The rules are Kafka's (ProducerStateManager, ProducerAppendInfo, ProducerStateEntry): the next
 * sequence is the last one + 1, and behind INT32_MAX comes 0; a new epoch begins at 0; a lower
 * epoch is refused; an unknown id may begin anywhere. Not thread-safe: the log's append lock covers
 * it.
 */
#ifndef KCORE_LOG_PRODUCERS_H
#define KCORE_LOG_PRODUCERS_H

#include "base/buf.h"
#include "base/err.h"
#include "os/clock.h"
#include "record/batch.h"

enum { PRODUCER_BATCHES = 5 };

struct producer_batch {
    int32_t last_sequence, offset_delta;
    int64_t last_offset, timestamp;
};

struct producer {
    int64_t id;
    mono_ns used;
    int32_t coordinator_epoch;
    int16_t epoch;
    uint8_t count, oldest; /* of batches, a ring */
    struct producer_batch batch[PRODUCER_BATCHES];
};

struct producers {
    struct producer **slots; /* open addressing by SipHash; never more than 3/4 full */
    size_t cap;
    _Atomic size_t n;       /* any thread may read it */
    struct producer *spare; /* of a batch that has been checked and not been added */
    uint64_t k0, k1;
};

void producers_init(struct producers *t);
void producers_clear(struct producers *t); /* forgets all, frees the memory */

/*
 * May this batch be appended? 0: yes, and *out is its producer, for producers_add (NULL for a batch
 * without id); until then a new one is not known. 1: it is one of the last five, whose offsets go
 * to *first and *last. KE_SEQUENCE, KE_EPOCH, KE_NOMEM.
 */
int producers_check(struct producers *t, const struct batch *b, struct producer **out,
                    int64_t *first, int64_t *last, struct kerr *e);
/* Takes down what has been appended. timestamp is the batch's largest. */
void producers_add(struct producers *t, struct producer *p, const struct batch *b, mono_ns now);

/* The same for a batch that is in the log already: nothing is questioned. False without memory. */
bool producers_replay(struct producers *t, const struct batch *b, mono_ns now);

/* A snapshot has only the last batch of each producer. Takes over what before, made of the batches
 * in front of it, has of the earlier ones. */
void producers_recall(struct producers *t, const struct producers *before);

/* Forgets those that have not been used since. */
void producers_expire(struct producers *t, mono_ns before);

/* A .snapshot (log/format.h) of all; false without memory. */
bool producers_save(const struct producers *t, struct buf *out);
int producers_load(struct producers *t, struct slice snapshot, mono_ns now, struct kerr *e);

#endif
