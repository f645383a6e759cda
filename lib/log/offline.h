/*
 * offline - a partition read from its directory, without a broker and without a lock.
 *
 * The directory may be live: a reader stops before a batch that is not whole yet, and sees it when
 * it asks again. On a live directory it is the one reader that may be ahead of what is on stable
 * storage. What Apache Kafka wrote (batches of magic 2: compaction's gaps, control batches, indexes
 * with tails of zeros) reads like our own. Without index files reading takes longer. The offset
 * index is a hint that is checked; the time index is believed. segdir.h lists what a directory has.
 *
 * A reader belongs to one thread. Offsets are as in plog.h; end is exclusive.
 */
#ifndef KCORE_LOG_OFFLINE_H
#define KCORE_LOG_OFFLINE_H

#include "log/format.h"
#include "record/batch.h"

struct offline;

/* dir is an entry of log.dirs. KE_NOTFOUND without such a partition, or without a segment in it.
 * The reader stands at the start. */
int offline_open(struct offline **out, const char *dir, const char *topic, int32_t partition,
                 struct kerr *e);
void offline_close(struct offline *o);

/* The first offset there is: the first segment's, or what was trimmed to
 * (log-start-offset-checkpoint). */
int64_t offline_start(const struct offline *o);

/* The offset behind the last whole batch, now. Does not move the reader. */
int offline_end(struct offline *o, int64_t *end, struct kerr *e);

/* The next batch is the one that holds offset, or the first behind it where compaction has left a
 * gap. KE_RANGE below start or past the end. */
int offline_seek(struct offline *o, int64_t offset, struct kerr *e);

/* The offset of the first record with a timestamp of at least ts, or -1; cap is that of
 * record_iter_begin. Does not move the reader. */
int offline_find_time(struct offline *o, int64_t ts, size_t cap, int64_t *offset, struct kerr *e);

/*
 * The next batch, its CRC checked, valid until the next call with o. It may begin below the offset
 * that was asked for: record by record is the caller's work. Control batches are given too.
 * 1; 0 at the end as it is now: later calls look again, for growth and for new segments.
 * KE_CORRUPT with file and position: damage in the middle, offsets that do not ascend.
 */
int offline_next(struct offline *o, struct batch *b, struct kerr *e);

/* True when the last offline_next ended before bytes that are no whole batch: one that is being
 * written, or a torn one. */
bool offline_torn(const struct offline *o);

#endif
