/*
 * partition - the partitions served here, and who waits on them.
 *
 * The table goes from (topic id, partition) to a reference-counted struct partition; any thread may
 * look up. Removal marks it gone, wakes everybody, and waits until the last reference is back: then
 * the log can be closed and its directory renamed, so that a topic of the same name may be made
 * again.
 *
 * A waiter is somebody's interest in one partition's high watermark. Its wake function is called
 * with the partition's lock held, on whatever thread moved it, and may only post.
 *
 * Appends that might stall (plog_append_may_stall) go through the partition's queue: one pool task
 * at a time works it off in order. Who wants to append directly must find the queue empty.
 */
#ifndef KCORE_BROKER_PARTITION_H
#define KCORE_BROKER_PARTITION_H

#include "base/hash.h"
#include "base/uuid.h"
#include "log/plog.h"
#include "os/pool.h"

#include <pthread.h>
#include <stdatomic.h>

struct partition;

struct waiter {
    /* need: high watermark at which to wake. The record of a produce waits for cuts, too: another
     * count means that it may be lost (plog.h). */
    int64_t need, cuts;
    bool eager; /* a reader: flushes are wanted at once */
    void (*wake)(struct waiter *w);
    struct partition *partition; /* NULL: not waiting */
    struct waiter *next, **at;
};

struct append_job {
    void (*run)(struct append_job *j); /* on the pool, alone for its partition */
    struct append_job *next;
};

struct partition {
    struct plog *log;
    struct uuid topic_id;
    int32_t index;
    _Atomic int refs;
    _Atomic bool gone;
    _Atomic int eager;         /* waiters that want flushes at once */
    _Atomic int64_t bytes_out; /* of records, to readers */
    pthread_mutex_t mu;
    struct waiter *waiters;
    struct append_job *jobs, **jobs_tail;
    bool working; /* the task is with the pool */
    int owed;     /* appends that are to be queued and are not yet */
    struct pool_task task;
    struct pool *pool;
};

struct partitions {
    pthread_rwlock_t lock;
    struct hash table;
    pthread_mutex_t idle_mu; /* for those who wait for the last reference */
    pthread_cond_t idle;
    struct pool *pool;
};

int partitions_init(struct partitions *t, struct pool *pool);
void partitions_free(struct partitions *t);

/* Takes over the log and its events. KE_NOMEM (the log stays the caller's). */
int partitions_add(struct partitions *t, struct plog *log, struct uuid topic_id, int32_t index);
/* Takes it out and waits for its users. NULL when there was none. The caller ends p->log (whose
 * flusher may report to p until then), after that p. */
struct partition *partitions_remove(struct partitions *t, struct uuid topic_id, int32_t index);
void partition_free(struct partition *p);
/* NULL, or a reference to give back. */
struct partition *partitions_get(struct partitions *t, struct uuid topic_id, int32_t index);
void partition_release(struct partitions *t, struct partition *p);
/* For each, in no order, with the read lock held. */
void partitions_each(struct partitions *t, void (*fn)(void *arg, struct partition *p), void *arg);
int32_t partitions_count(struct partitions *t);

/* True: w waits. False: what it waits for is there already, or the partition is gone. */
bool partition_wait(struct partition *p, struct waiter *w);
/* Wakes every eager waiter: the broker is about to stop. */
void partitions_wake_readers(struct partitions *t);
/* Wakes everybody. */
void partitions_wake_all(struct partitions *t);
/* After this w->wake is not called any more. No harm when it does not wait. */
void partition_unwait(struct waiter *w);

/* True when an append may be made now on this thread. False: it is owed to the queue, and until it
 * is there all others have to queue as well, so that none overtakes it. Each of them ends with one
 * of the others. */
bool partition_append_direct(struct partition *p);
void partition_append_later(struct partition *p, struct append_job *j);
void partition_append_never(struct partition *p);

#endif
