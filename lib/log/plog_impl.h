/*
 * plog_impl - what the parts of a partition log share: append.c, read.c, flush.c, cut.c, recover.c
 * and plog.c. log/plog.h is the contract.
 *
 * Locks, in the order in which they are taken:
 *   hold     (not a lock: plog_hold) nobody flushes while the log is cut, trimmed or closed
 *   am       appends, rolls, cuts; held across I/O. Who changes the segments holds it.
 *   sm       the state below it: never held across I/O.
 * The logdir's list lock comes between am and sm, its queue lock is taken with neither of them.
 */
#ifndef KCORE_LOG_PLOG_IMPL_H
#define KCORE_LOG_PLOG_IMPL_H

#include "log/logdir.h"
#include "log/plog.h"
#include "log/producers.h"
#include "log/segment.h"
#include "os/pool.h"

#include <pthread.h>

enum { MARKS = 4, STALL_NS = 20000000 };

/* A segment that has gone, and its files (NAME.deleted) have not. */
struct grave {
    int64_t base;
    mono_ns due;
};

/* A batch boundary whose position is known: where a consumer stopped is where it goes on. */
struct mark {
    int64_t offset, base, position;
};

enum flush_want { FLUSH_NO, FLUSH_LINGER, FLUSH_SOON };

struct plog {
    struct logdir *dir;
    atomic_int dirfd; /* plog_dirfd(); -1: not open */
    struct uuid topic_id;
    char *name;

    pthread_mutex_t am;
    /* am */
    struct producers producers;
    bool no_reserve;   /* this file system cannot promise room */
    int64_t unchecked; /* bytes written since free space was looked at */
    bool tainted;      /* not to be called clean at the end */
    bool epochs_dirty; /* the file does not have them all */
    int64_t frozen;    /* flush=os: a flush failed here, the recovery point stays; -1 */
    bool offline;      /* a cut has not succeeded yet: repair_to (also read with sm) */
    int64_t repair_to;
    bool repair_fresh;
    mono_ns repair_next; /* not before; sm */
    struct grave *grave; /* the oldest first */
    size_t graves, grave_cap;

    _Atomic int64_t last_write_ns;
    atomic_bool heavy;         /* appends open batches */
    _Atomic int64_t linger_ns; /* how long a flush that nobody waits for may be put off */

    pthread_mutex_t sm;
    pthread_cond_t cv; /* flushing, hold, stable, cuts */
    /* sm */
    struct plog_conf conf;
    struct plog_events events;
    struct segment **seg; /* by base offset; the last is active. Changed with am and sm. */
    size_t segs, seg_cap;
    int64_t log_start, synced, stable, end, size, cuts;
    int64_t batches; /* appended here since the log was opened; so are these: */
    int64_t records, bytes, flushes, flush_ns;
    /* since when the oldest batch waits that no flush covers, and that the one under way covers */
    mono_ns waiting_since, covered_since;
    int64_t cut_at; /* where the last cut went */
    struct epoch_entry *epoch;
    size_t epochs, epoch_cap;
    struct mark mark[MARKS];
    unsigned next_mark;
    /* Nothing has ever been appended, and it may be that a crash would take the directory away: its
     * name and its metadata are synced by the first flush. */
    bool unborn;
    unsigned dirs_made, dirs_synced; /* names made in the directory, and made durable */
    int hold;
    bool pinned;           /* descriptors stay open: the directory is getting another name */
    bool flushing;         /* the task is queued or runs */
    int64_t covering;      /* up to where the one that runs will get; -1 before it has begun, and
                              when a cut has made offsets new again */
    bool lingering;        /* in the logdir's queue */
    enum flush_want again; /* what was asked for while flushing or held */

    /* the flush task's own: what the last flush cost, and how many batches it covered */
    int64_t flush_took_ns, flush_group, flushed_batches;
    struct pool_task task;
    struct plog *linger_next; /* the logdir's */
    mono_ns linger_due;
    struct plog *prev, *next; /* open logs of the logdir; its lock */
    int64_t checkpointed;     /* the recovery point that is in the file; the logdir's lock */
    /* likewise the log start that is in its file, and the one that was written last, which may not
     * have got there */
    int64_t start_kept, start_written;
};

/* ---- files.c ---- */

/* The log's directory, opened if it is not; -1 with errno. It stays open while the caller has am,
 * or a reference to one of the segments, or is the flush. */
int plog_dirfd(struct plog *l);
void plog_close_dir(struct plog *l);
/* What counts the open descriptors of a log directory's files. */
atomic_int *logdir_files(struct logdir *d);
/* Closes what has not been used lately where more are open than may be. Called where some may have
 * been opened, with no lock of a log held. */
void logdir_limit_files(struct logdir *d);

/* ---- plog.c ---- */

struct plog *plog_new(struct logdir *d, const char *name, struct uuid topic_id,
                      const struct plog_conf *c, struct kerr *e);
void plog_free(struct plog *l);
void plog_fire_advanced(struct plog *l);

/* With am (and before others can see the log, without): appends a segment to the list. */
int plog_push_segment(struct plog *l, struct segment *s, struct kerr *e);
static inline struct segment *plog_active(struct plog *l)
{
    return l->segs ? l->seg[l->segs - 1] : NULL;
}
/* With sm. The index of the segment that holds an offset: the last with base <= offset, or 0. */
size_t plog_segment_at(const struct plog *l, int64_t offset);
void plog_mark(struct plog *l, int64_t offset, int64_t base, int64_t position);
bool plog_mark_find(const struct plog *l, int64_t offset, int64_t base, int64_t *position);
/* With sm: a view with a reference, and the tail's hint for offset. */
struct segment_view plog_view(struct segment *s, int64_t offset);

/* With am. Takes down that an epoch newer than the last begins at start; assign writes the file
 * too. (Kafka: LeaderEpochFileCache) */
int plog_epoch_note(struct plog *l, int32_t epoch, int64_t start, struct kerr *e);
int plog_epoch_assign(struct plog *l, int32_t epoch, int64_t start, struct kerr *e);
int plog_epoch_write(struct plog *l, struct kerr *e);

/* ---- append.c ---- */

/* With am. Closes the active segment and begins one at end. */
int plog_roll(struct plog *l, struct kerr *e);
/* With am. Writes what the index files lack; last: the closing entry of the time index too. Failure
 * costs look-ups time, nothing else. */
void plog_write_tail(struct plog *l, struct segment *s, bool last);
/* With sm. Adds what Kafka's LogSegment.append() adds for a batch; false when the tail has no room,
 * before anything was added. */
void plog_index_batch(struct plog *l, struct segment *s, int64_t last_offset, int64_t position,
                      int64_t size, int64_t max_time);
/* With am. NAME.snapshot of the producers as of end. */
int plog_write_snapshot(struct plog *l, bool sync, struct kerr *e);

/* How old a segment's first record may become. */
static inline int64_t plog_roll_after(const struct plog_conf *c, const struct segment *s)
{
    int64_t most = c->jitter_ms < c->segment_ms ? c->jitter_ms : c->segment_ms;

    return most > 0 ? c->segment_ms - (int64_t)(s->dice % (uint64_t)most) : c->segment_ms;
}

/* ---- flush.c ---- */

static inline bool plog_flushes_by_time(const struct plog_conf *c)
{
    return c->flush == PLOG_FLUSH_OS && c->flush_ms < INT64_MAX / 2000000;
}

/* With sm. What whoever has appended or rolled, and waits for nothing, wants. With flush=os it is
 * something only after a roll, so that the recovery point moves now and then, and as flush.messages
 * and flush.ms say. */
enum flush_want plog_append_wants(const struct plog *l);
/* With sm; what to do after it has been unlocked. */
enum flush_want plog_flush_want(struct plog *l, enum flush_want want);
void plog_flush_start(struct plog *l, enum flush_want want);
/* Called by the logdir's thread when a lingering log is due. */
void plog_linger_over(struct plog *l);
/* Waits until no flush runs, and lets none start until plog_unhold. Without am. */
void plog_hold(struct plog *l);
void plog_unhold(struct plog *l);

/* ---- cut.c ---- */

/*
 * With am, held or within the flush. Cuts the log to end at offset, a batch boundary. fresh: what
 * follows goes into a new segment, because the pages of the old one cannot be believed. On failure
 * the log is offline until plog_repair succeeds.
 */
int plog_cut(struct plog *l, int64_t offset, bool fresh, struct kerr *e);
int plog_repair(struct plog *l, struct kerr *e);
/* Unlinks the files of a segment; the .log itself only if all. Absent ones are no failure. */
int plog_unlink_segment(struct plog *l, int64_t base, bool all, struct kerr *e);
/* Unlinks the snapshots of offsets past end. */
int plog_drop_snapshots(struct plog *l, int64_t end, struct kerr *e);

/* ---- expire.c ---- */

/* With am. Moves the log's start over what retention lets go. */
int plog_expire(struct plog *l, wall_ms now, struct kerr *e);

/* ---- recover.c ---- */

struct plog_start {
    bool clean;
    bool unborn; /* the directory has just been made, nothing is synced */
    int64_t recovery_point, log_start;
};

int plog_load(struct plog *l, const struct plog_start *start, struct kerr *e);
/* With am. The producers as of end, from the newest snapshot and what follows it. crashed: with
 * what they may not have been told, from what is in front of it. */
int plog_load_producers(struct plog *l, int64_t end, bool crashed, struct kerr *e);

/* ---- logdir.c ---- */

const struct logdir_conf *logdir_conf(const struct logdir *d);
mono_ns logdir_mono(const struct logdir *d);
int64_t logdir_producer_expiry(const struct logdir *d);
/* The names of its partitions. */
int logdir_sync(const struct logdir *d);
/* Queues a log whose flush may linger. */
void logdir_linger(struct logdir *d, struct plog *l);
void logdir_unlinger(struct logdir *d, struct plog *l);
/* Its linger_ns has changed: if it waits, it waits so long from now on. */
void logdir_relinger(struct logdir *d, struct plog *l);
/* Takes a log out of the list of open ones. clean: its end is on stable storage and its files say
 * so. */
void logdir_forget(struct logdir *d, struct plog *l, bool clean, bool deleted);
/* Before a log is cut below what the checkpoint file says: makes the file say less. */
int logdir_lower(struct logdir *d, struct plog *l, int64_t recovery_point, struct kerr *e);
/* The log start that its file says. */
int64_t logdir_start_kept(struct logdir *d, const struct plog *l);

#endif
