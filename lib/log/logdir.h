/*
 * logdir - one entry of log.dirs: its lock, its identity, its checkpoints, the flusher, and the
 * partitions found in it.
 *
 * Files: .lock, meta.properties (version=1, node.id, cluster.id, directory.id),
 * recovery-point-offset-checkpoint, replication-offset-checkpoint, log-start-offset-checkpoint,
 * .kafka_cleanshutdown: Kafka's names and bytes. Only kbroker opens a logdir; readers (--dir) use
 * lib/log/offline.h and need no lock.
 */
#ifndef KCORE_LOG_LOGDIR_H
#define KCORE_LOG_LOGDIR_H

#include "log/plog.h"
#include "os/pool.h"

struct logdir_conf {
    const char *path;
    int32_t node_id;
    const struct os_clock *clock; /* NULL: real */
    const struct diag *diag;
    struct pool *pool;          /* flushes run here; the caller's, outlives the logdir */
    int64_t flush_linger_ns;    /* how long a flush that nobody waits for may be put off: 2 ms */
    int64_t producer_expiry_ms; /* producer.id.expiration.ms, 1 day, monotonic */
    int max_files; /* descriptors that logs may have open, give or take a few; 0: any number */
    int64_t min_free_bytes; /* where room cannot be reserved: refuse appends below this */
    bool unsafe_fs;         /* accept NFS and the like */
};

/* Makes the directory (0700) if it is missing, takes the lock, reads or writes meta.properties.
 * KE_LOCKED (the message has the pid), KE_FOREIGN (not empty and not a log dir; other node.id; a
 * network file system), KE_IO. cluster_id: in: expected, or zero for a new one to be taken over
 * from the file; out: the file's. */
int logdir_open(struct logdir **out, const struct logdir_conf *c, struct uuid *cluster_id,
                struct kerr *e);
bool logdir_was_clean(const struct logdir *d);
struct uuid logdir_id(const struct logdir *d);
const char *logdir_path(const struct logdir *d);
/* Another producer_expiry_ms, from now on. Thread-safe. */
void logdir_set_producer_expiry(struct logdir *d, int64_t ms);

struct logdir_entry {
    char topic[250];
    int32_t partition;
    struct uuid topic_id; /* from partition.metadata; zero when there is none */
    char name[300];       /* of the directory */
};
/* The partition directories; -delete and -stray ones are not shown (-delete ones are removed). */
int logdir_list(struct logdir *d, struct logdir_entry **out, size_t *n, struct kerr *e);

/* mkdir, partition.metadata. KE_EXISTS. The new log is empty and open. A crash may take it away
 * until the first flush, or a clean stop, has made it durable: before anything in it is promised.
 */
int logdir_create(struct logdir *d, const char *topic, int32_t partition, struct uuid topic_id,
                  const struct plog_conf *c, struct plog **out, struct kerr *e);
/* Opens and, after an unclean stop, recovers: scans from the recovery point, cuts a torn tail,
 * fsyncs what it keeps before it may be served. */
int logdir_load(struct logdir *d, const struct logdir_entry *entry, const struct plog_conf *c,
                struct plog **out, struct kerr *e);
/* Waits for its flush, writes snapshots if clean, closes the files. Sources stay valid. */
void plog_close(struct plog *l, bool clean);
/* Closes, renames to <name>.<uuid>-delete, fsyncs; the files go at once or at the next start. On
 * failure the log stays open, and the caller's. */
int plog_delete(struct plog *l, struct kerr *e);
/* Renames an entry to -stray (kept), or, where there is such a one, to .<uuid>-stray. */
int logdir_set_aside(struct logdir *d, const struct logdir_entry *entry, struct kerr *e);
/* Removes an entry without an id and without a byte of a record, as a crash leaves one that was
 * being made; false when it is another. */
bool logdir_remove_unborn(struct logdir *d, const struct logdir_entry *entry);

/* The directory that a log lies in. */
struct logdir *plog_dir(const struct plog *l);
/* Of the file system: bytes in all, and what we may still use. */
int logdir_space(const struct logdir *d, int64_t *total, int64_t *usable, struct kerr *e);

/* Writes log-start-offset-checkpoint alone: after it what plog_trim() took away stays away, also
 * after a crash. */
int logdir_checkpoint_starts(struct logdir *d, struct kerr *e);
/* Writes the three checkpoints for all open logs. Called every minute or so, and at the clean stop.
 */
int logdir_checkpoint(struct logdir *d, struct kerr *e);
/* All its logs must be closed. clean: writes .kafka_cleanshutdown last. Releases the lock. */
int logdir_close(struct logdir *d, bool clean, struct kerr *e);

#endif
