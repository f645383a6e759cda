/*
 * segment - one segment of a log: a .log file and its two indexes.
 *
 * Reference-counted: the log holds one, every read in progress another, so that descriptors and
 * ranges stay usable after the segment has been deleted. The files are opened when needed and stay
 * open until the last reference goes, or log/files.h takes the descriptors for others.
 *
 * Threads: refs, descriptors and what the file functions do are safe from any thread. The fields
 * under "state" belong to the log's state lock, those under "append" to its append lock. A reader
 * takes a struct segment_view under the state lock and then looks up without any lock.
 */
#ifndef KCORE_LOG_SEGMENT_H
#define KCORE_LOG_SEGMENT_H

#include "base/err.h"
#include "log/format.h"
#include "record/batch.h"

#include <stdatomic.h>

/* Index entries that are not in the files yet: those are written many at a time. */
enum { TAIL_ENTRIES = 32 };

struct index_tail {
    uint32_t entries, times;
    struct index_entry entry[TAIL_ENTRIES];
    struct time_entry time[TAIL_ENTRIES];
};

struct segment {
    atomic_int refs;
    atomic_int *files;  /* how many descriptors are open, all of the log directory's */
    atomic_bool wanted; /* since segment_idle() has asked */
    int64_t base;
    uint64_t dice;                         /* random, for segment.jitter.ms */
    atomic_int fd[LOG_FILE_TIMEINDEX + 1]; /* .log, .index, .timeindex; -1: not open */
    _Atomic int64_t used; /* entries in the index file of a segment that is not counted; -1 */
    /* state */
    int64_t size; /* bytes of whole batches */
    int64_t end;  /* the offset behind the last one; of an older segment, the next base */
    uint32_t entries, times; /* in the index files */
    bool counted;            /* entries and times are known */
    bool max_known;          /* the next two are */
    int64_t max_time;        /* largest timestamp, -1 without one */
    int64_t max_offset;      /* last offset of the first batch that has it */
    int64_t time_indexed;    /* the timestamp of the last entry of the time index, -1 */
    struct index_tail *tail; /* of the active segment, once it has entries */
    /* append */
    int64_t first_time;  /* the first batch's largest timestamp, -1 while empty or unknown */
    int64_t reserved;    /* room for the file up to here has been promised */
    int32_t since_index; /* bytes since the last index entry */
    bool dirty_tail;     /* a failed write may have left bytes behind size */
    bool index_failed;   /* said once */
    /* flush */
    bool indexes_synced; /* since it was closed */
};

/* NULL without memory. One reference. files counts its open descriptors. */
struct segment *segment_new(int64_t base, atomic_int *files);
void segment_ref(struct segment *s);
void segment_unref(struct segment *s);

/* The descriptor, opened (read and write) if it is not. KE_NOTFOUND, KE_IO. The index files are
 * made when create is set. */
int segment_fd(struct segment *s, int dirfd, enum log_file kind, bool create, struct kerr *e);
/* Whether no descriptor is open, or none has been asked for since the last call. */
bool segment_idle(struct segment *s);
/* Closes them until they are asked for again. Nobody may be using them: no reference but the
 * caller's, and none being taken. */
void segment_close_files(struct segment *s);
/* Makes an empty .log, in place of one that may be there: under another name, then renamed. The
 * directory is not synced. */
int segment_create(struct segment *s, int dirfd, struct kerr *e);

/* What a look-up needs of the state. */
struct segment_view {
    struct segment *segment; /* a reference */
    int64_t base, size;
    int64_t entries; /* in the index file; -1 not counted yet */
    int64_t hint;    /* a position at or before the offset asked for, from the tail; -1 none */
};

struct found {
    int64_t position, base_offset, last_offset, max_timestamp;
    size_t size;
};

/*
 * The first batch whose last offset is at least offset. 1, or 0 when all in the view end below it.
 * KE_AGAIN with nowait where a disk would be waited for; KE_CORRUPT where the batches cannot be
 * followed; a wrong index costs time only. KE_IO.
 */
int segment_find(const struct segment_view *v, int dirfd, int64_t offset, bool nowait,
                 struct found *out, struct kerr *e);
/* The batch at a position: 1, 0 at the end, negative as above. */
int segment_batch_at(const struct segment_view *v, int dirfd, int64_t position, bool nowait,
                     struct found *out, struct kerr *e);
/* How many of the index file's entries are below offset and position. */
int64_t segment_entries_below(const struct segment_view *v, int dirfd, int64_t offset,
                              struct kerr *e);

/* Loads a small file of entries whole; an absent one is empty. The caller frees *out. */
int segment_load_index(struct segment *s, int dirfd, enum log_file kind, struct buf *out,
                       struct kerr *e);

/* The largest timestamp of the segment and the last offset of the first batch that has it, from the
 * time index and what stands behind its last entry; of batches that end in low..bound. -1, -1
 * without any. */
int segment_max_time(const struct segment_view *v, int dirfd, int64_t low, int64_t bound,
                     int64_t *timestamp, int64_t *last_offset, struct kerr *e);

#endif
