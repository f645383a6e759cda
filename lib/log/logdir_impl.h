/*
 * logdir_impl - what logdir.c, partitions.c and checkpoints.c share.
 *
 * mu covers the open logs and the values of the checkpoint files; it is held while those are
 * written. A log's append lock may be held when it is taken, never the other way round.
 */
#ifndef KCORE_LOG_LOGDIR_IMPL_H
#define KCORE_LOG_LOGDIR_IMPL_H

#include "log/checkpoint.h"
#include "log/plog_impl.h"

struct logdir {
    struct logdir_conf conf;
    char *path;
    int fd, lock_fd;
    struct uuid id;
    bool was_clean;
    _Atomic int64_t producer_expiry_ms; /* conf's, until it is changed */
    atomic_int files;                   /* descriptors open in logs */

    pthread_mutex_t mu;
    struct plog *logs; /* open ones */
    struct plog *hand; /* whose descriptors are looked at next; NULL: the first one's */
    /* What the files say of partitions that are not open. */
    struct offset_entry *recovery, *start;
    size_t recoveries, starts;
    bool stale; /* the files speak of a log that has been deleted */
    atomic_bool
        births; /* some were closed that have no record, and that no flush has made durable */
    bool clean; /* all that has been closed was closed cleanly */

    pthread_mutex_t queue_mu;
    pthread_cond_t queue_cv;
    struct plog *queue, *queue_tail; /* by due time */
    struct plog *current;            /* being handled */
    pthread_t queue_thread;
    bool queue_started, stopping;
};

void logdir_stop_queue(struct logdir *d);

/* ---- checkpoints.c ---- */

int logdir_checkpoints_load(struct logdir *d, struct kerr *e);
void logdir_checkpoints_free(struct logdir *d);
/* With mu. What the files say, 0 where they say nothing. */
int64_t logdir_recovery_of(const struct logdir *d, const char *topic, int32_t partition);
int64_t logdir_start_of(const struct logdir *d, const char *topic, int32_t partition);
/* With mu. Forgets what the files say of a partition; true when that was something. */
bool logdir_drop_values(struct logdir *d, const char *topic, int32_t partition);
/* With mu. Puts an open log's values there, for it is being closed. False without memory. */
bool logdir_keep_values(struct logdir *d, struct plog *l);
int logdir_checkpoint_locked(struct logdir *d, struct kerr *e);

#endif
