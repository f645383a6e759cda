/*
 * plog - one partition's log: Kafka's segments, indexes and checkpoints in one directory.
 *
 * DIR/<topic>-<partition>/<20-digit base offset>.log .index .timeindex .snapshot,
 * leader-epoch-checkpoint, partition.metadata. The bytes are Kafka's (lib/log/format.h).
 *
 * Ends, all exclusive offsets:
 *     log_start <= local_start <= stable <= end,   high_watermark <= stable,   lso <=
 * high_watermark end: appended. stable: covered by a completed fdatasync (with PLOG_FLUSH_OS: end).
 * high_watermark: what consumers may see; on one node it follows stable. lso: first open
 * transaction, else high_watermark.
 *
 * Threads: every function may be called from any thread unless it says otherwise. Appends to one
 * log are serialised by its append lock, which may be held across a slow write; the ends, look-ups
 * and reads use another lock that is never held across I/O, so a stalled append delays no reader.
 *
 * A failed fdatasync: the log is cut to stable, the segment is closed for ever and a new one begun;
 * the appends in between are lost and reported by the lost() event; nothing of them is ever served
 * (consumers never saw them: they stop at high_watermark <= stable).
 */
#ifndef KCORE_LOG_PLOG_H
#define KCORE_LOG_PLOG_H

#include "base/diag.h"
#include "base/err.h"
#include "base/slice.h"
#include "base/uuid.h"
#include "os/clock.h"
#include "record/codec.h"

struct plog;
struct logdir;

enum plog_flush { PLOG_FLUSH_SYNC, PLOG_FLUSH_OS };

struct plog_conf {
    int64_t segment_bytes;     /* segment.bytes, 1 GiB */
    int64_t segment_ms;        /* segment.ms, 7 days: by the first record's timestamp */
    int64_t jitter_ms;         /* segment.jitter.ms: up to so much earlier, each at another time */
    int64_t max_message_bytes; /* max.message.bytes, 1048588: of a batch, prefix included */
    int32_t index_interval_bytes; /* index.interval.bytes, 4096 */
    int32_t segment_index_bytes;  /* segment.index.bytes, 10 MiB: a full index rolls the segment */
    bool append_time;             /* message.timestamp.type=LogAppendTime */
    int64_t before_max_ms;        /* message.timestamp.before.max.ms, INT64_MAX */
    int64_t after_max_ms;         /* message.timestamp.after.max.ms, 3600000 */
    bool validate_records;        /* validate.records: open compressed batches */
    int compression;         /* compression.type: an enum codec, or -1: as the producer sent it */
    int levels[CODEC_COUNT]; /* compression.*.level, where the broker compresses */
    bool compacted;          /* cleanup.policy has compact: every record needs a key */
    bool expires;            /* cleanup.policy has delete: the next two act */
    int64_t retention_ms;    /* retention.ms, 7 days; -1: never */
    int64_t retention_bytes; /* retention.bytes; -1: never */
    int64_t delete_delay_ms; /* file.delete.delay.ms, 60000: of segments that go */
    bool preallocate;        /* room for the whole segment is reserved with its first batch */
    enum plog_flush flush;   /* flush=sync|os */
    /* with os: a flush is asked for after so many records, and so long after the first of them;
     * INT64_MAX: never */
    int64_t flush_messages, flush_ms;
};

void plog_conf_default(struct plog_conf *c);

/* Told about what happened; on the thread where it happened (an appender's or the flusher's), with
 * no lock of the log held. They must not block. */
struct plog_events {
    /* stable or high_watermark has moved */
    void (*advanced)(void *arg, struct plog *l);
    /* offsets [from, to) had been appended and are gone: a flush failed */
    void (*lost)(void *arg, struct plog *l, int64_t from, int64_t to);
    void *arg;
};

struct plog_ends {
    int64_t log_start, local_start, stable, high_watermark, lso, end;
    int32_t leader_epoch;
    int64_t size;   /* bytes in all segments */
    int64_t cuts;   /* how often a failed flush has cut the log */
    int64_t cut_at; /* where the last cut went: what lay below it is still there */
};

void plog_ends(struct plog *l, struct plog_ends *out);

/* What was done since the log was opened, but for the last two. */
struct plog_stats {
    int64_t bytes, records; /* appended */
    int64_t flushes, flush_ns;
    int64_t lag_ns; /* how long the oldest batch waits for its flush; 0: none waits, or flush=os */
    int64_t producer_ids;
};
void plog_stats(struct plog *l, struct plog_stats *out);
const char *plog_name(const struct plog *l); /* "topic-0" */
struct uuid plog_topic_id(const struct plog *l);
/* Acts from the next append on. */
void plog_set_conf(struct plog *l, const struct plog_conf *c);
void plog_set_events(struct plog *l, const struct plog_events *ev);

struct plog_append {
    /* in: exactly one v2 batch from a client; base offset, leader epoch (and with LogAppendTime the
     * time) are patched in place */
    uint8_t *bytes;
    size_t size;
    int32_t leader_epoch;
    /* out */
    int64_t base_offset, last_offset;
    int64_t append_time; /* -1 unless the topic uses LogAppendTime */
    int64_t log_start;
    /* plog_ends.cuts when it was appended. Offsets are used again after a cut, so the batch is
     * stable only if stable > last_offset and cuts is still the same, or one more with
     * cut_at > last_offset */
    int64_t cuts;
    bool duplicate; /* nothing was appended: base_offset is that of the original */
    int64_t
        stalled_ns; /* how long the writes took: who appends on a reactor moves it to the pool */
};

/*
 * Checks the batch (security.md: nothing is believed), appends it, asks for a flush. Never waits
 * for one. KE_CORRUPT (CRC, framing, count), KE_INVALID (control bit, sequence without producer id
 * ...), KE_CODEC, KE_TOOBIG (max_message_bytes; with the limit in the message), KE_TIMESTAMP,
 * KE_SEQUENCE, KE_EPOCH, KE_RANGE (larger than a segment), KE_NOSPACE, KE_IO. On failure the log is
 * as before.
 */
int plog_append(struct plog *l, struct plog_append *a, wall_ms now, struct kerr *e);

/* True when an append now might take long: the lock is taken, the last writes were slow, or batches
 * are opened or recoded. */
bool plog_append_may_stall(struct plog *l);

/*
 * A range of one segment file, to be sent or read. fd stays open and the range readable until
 * plog_source_release, whatever happens to the log; the range never reaches past what the caller
 * may see.
 */
struct plog_source {
    int fd;
    int64_t at;    /* position in the file */
    size_t size;   /* 0: nothing to read at that offset yet */
    void *segment; /* the reference */
};

enum plog_read_flags {
    PLOG_NOWAIT =
        1, /* KE_AGAIN instead of waiting for a disk: look-up pages or the range are cold */
    PLOG_WHOLE_FIRST = 2 /* the first batch is returned whole even past max_bytes */
};

/*
 * The bytes from the batch that holds offset on, at most max_bytes (possibly cut mid-batch), within
 * one segment, ending at the batch boundary of bound (an exclusive offset: high_watermark, lso or
 * end). offset == bound..end: size 0. Past end or below log_start: KE_RANGE. KE_AGAIN with
 * PLOG_NOWAIT.
 */
int plog_read(struct plog *l, int64_t offset, int64_t bound, size_t max_bytes, int flags,
              struct plog_source *out, struct kerr *e);
void plog_source_release(struct plog_source *s);

/* First record with timestamp >= ts and offset < bound, searched inside its batch. *offset = -1
 * when there is none. May wait for a disk. */
int plog_find_time(struct plog *l, int64_t ts, int64_t bound, int64_t *offset, int64_t *timestamp,
                   struct kerr *e);
/* The record with the largest timestamp below bound (the first of equals). -1/-1 in an empty log.
 */
int plog_max_time(struct plog *l, int64_t bound, int64_t *offset, int64_t *timestamp,
                  struct kerr *e);

/* The leader epoch at an offset (-1 unknown), and where an epoch ended (OffsetForLeaderEpoch). */
int32_t plog_epoch_at(struct plog *l, int64_t offset);
/* *found: the largest epoch of the log that is not above epoch, *end: the offset behind its last
 * record. Both -1 when the log has not come to that epoch yet. (LeaderEpochFileCache.endOffsetFor)
 */
void plog_epoch_end(struct plog *l, int32_t epoch, int32_t *found, int64_t *end);
int plog_set_leader_epoch(struct plog *l, int32_t epoch, struct kerr *e);

/* Everything below offset may go; segments that lie wholly below are deleted, now or by plog_sweep.
 * KE_RANGE past the high watermark. */
int plog_trim(struct plog *l, int64_t offset, struct kerr *e);
/* Cuts the log to end at offset (a batch boundary at or below it). */
int plog_truncate(struct plog *l, int64_t offset, struct kerr *e);

/* Asks the flusher to start now; appends with plog_append have asked to start within linger. With
 * PLOG_FLUSH_OS neither asks: only a roll, a clean close and plog_flush_wait do. */
void plog_flush_soon(struct plog *l);
/* Waits until stable >= offset: 0, or KE_IO when those records were lost. For tests and clean stop.
 */
int plog_flush_wait(struct plog *l, int64_t offset, struct kerr *e);

/* Rolls the active segment when segment_ms has passed; drops producer ids idle for too long; moves
 * the log's start over segments that retention lets go. Called now and then by the broker's
 * housekeeping, which then writes the checkpoints and calls plog_sweep. */
int plog_tick(struct plog *l, wall_ms now, struct kerr *e);
/* Takes segments away that lie below the log's start, as far as the checkpoint file says so (after
 * a crash some may be there again and others not) and what was made when they were closed has been
 * flushed; and files whose delay is over. The rest is for another time. */
int plog_sweep(struct plog *l, struct kerr *e);

#endif
