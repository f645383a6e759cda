/*
 * format - the bytes of the files beside a partition's .log: names, offset and time index, aborted
 * transactions, producer snapshots, the leader-epoch checkpoint, partition.metadata.
 *
 * All are Kafka's (org.apache.kafka.storage.internals.log: OffsetIndex, TimeIndex, AbortedTxn,
 * ProducerStateManager; ...checkpoint.CheckpointFile and PartitionMetadataFile), integers
 * big-endian:
 *   .index      8 bytes an entry: offset relative to the segment's base 4, position in .log 4
 *   .timeindex  12 bytes: largest timestamp so far 8, relative offset of that record's batch end 4
 *   .txnindex   34 bytes: version 2, producer id 8, first offset 8, last offset 8, LSO then 8
 *   .snapshot   version 2, CRC-32C of all behind it 4, count 4, 46 bytes a producer
 *   leader-epoch-checkpoint  text: version, count, then "epoch start-offset" lines
 *   partition.metadata       text: "version: 0", "topic_id: <id>"
 * Kafka makes index files 10 MiB long and cuts them when the segment is closed, so a live one or
 * one left by a crash ends in zeros. Everything read here is hostile until checked.
 */
#ifndef KCORE_LOG_FORMAT_H
#define KCORE_LOG_FORMAT_H

#include "base/buf.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/slice.h"
#include "base/uuid.h"

#define EPOCH_CHECKPOINT   "leader-epoch-checkpoint"
#define PARTITION_METADATA "partition.metadata"

enum log_file {
    LOG_FILE_LOG,
    LOG_FILE_INDEX,
    LOG_FILE_TIMEINDEX,
    LOG_FILE_TXNINDEX,
    LOG_FILE_SNAPSHOT,
    LOG_FILE_COUNT
};

#define LOG_FILE_NAME ((size_t)40) /* room for the longest and its NUL */

/* "00000000000000000042.log"; returns out. */
const char *log_file_name(char out[LOG_FILE_NAME], int64_t base, enum log_file kind);
/* False for any other name. */
bool log_file_parse(const char *name, int64_t *base, enum log_file *kind);

#define PARTITION_TOPIC ((size_t)250) /* Kafka's longest topic name is 249 */
/* "topic-0" into its two parts; false for any other name, Kafka's -delete, -future and -stray
 * included. */
bool partition_dir_parse(const char *name, char topic[PARTITION_TOPIC], int32_t *partition);

#define INDEX_ENTRY ((size_t)8)
#define TIME_ENTRY  ((size_t)12)
#define TXN_ENTRY   ((size_t)34)

struct index_entry {
    int32_t relative; /* offset - base offset of the segment */
    int32_t position; /* of the batch whose last offset this is */
};

struct time_entry {
    int64_t timestamp;
    int32_t relative;
};

struct txn_entry {
    int16_t version; /* 0 */
    int64_t producer_id;
    int64_t first_offset, last_offset; /* of the transaction; last is that of its abort marker */
    int64_t last_stable_offset;        /* when it was aborted */
};

static inline struct index_entry index_entry_get(const uint8_t p[INDEX_ENTRY])
{
    return (struct index_entry){(int32_t)get_be32(p), (int32_t)get_be32(p + 4)};
}

static inline void index_entry_put(uint8_t p[INDEX_ENTRY], struct index_entry v)
{
    put_be32(p, (uint32_t)v.relative);
    put_be32(p + 4, (uint32_t)v.position);
}

static inline struct time_entry time_entry_get(const uint8_t p[TIME_ENTRY])
{
    return (struct time_entry){(int64_t)get_be64(p), (int32_t)get_be32(p + 8)};
}

static inline void time_entry_put(uint8_t p[TIME_ENTRY], struct time_entry v)
{
    put_be64(p, (uint64_t)v.timestamp);
    put_be32(p + 8, (uint32_t)v.relative);
}

struct txn_entry txn_entry_get(const uint8_t p[TXN_ENTRY]);
void txn_entry_put(uint8_t p[TXN_ENTRY], const struct txn_entry *v);

/*
 * How many entries of an index are in use: whole ones, without the zeros behind the last. (An entry
 * of zeros can only be the first: relative offset 0 and position 0, which Kafka never writes; the
 * time index writes relative 0 with its timestamp.) kind is LOG_FILE_INDEX or LOG_FILE_TIMEINDEX.
 */
size_t index_used(struct slice bytes, enum log_file kind);

struct producer_entry {
    int64_t producer_id;
    int16_t epoch;
    int32_t last_sequence;
    int64_t last_offset;
    int32_t offset_delta; /* of the last batch: last offset - first offset */
    int64_t timestamp;
    int32_t coordinator_epoch;
    int64_t txn_first_offset; /* of the open transaction, -1 when there is none */
};

#define SNAPSHOT_HEADER ((size_t)10)
#define SNAPSHOT_ENTRY  ((size_t)46)

/* Checks version, CRC and length: KE_CORRUPT. Then *count entries can be had with
 * snapshot_entry(). */
int snapshot_parse(struct slice s, int32_t *count, struct kerr *e);
struct producer_entry snapshot_entry(struct slice s, int32_t i);
/* Appends a whole snapshot to out; false without memory. */
bool snapshot_write(struct buf *out, const struct producer_entry *entries, int32_t count);

struct epoch_entry {
    int32_t epoch;
    int64_t start; /* the first offset of that epoch */
};

/* *out is malloc'ed (NULL when there are none). KE_CORRUPT also where epochs or offsets do not
 * ascend. */
int epochs_parse(struct slice s, struct epoch_entry **out, size_t *n, struct kerr *e);
bool epochs_write(struct buf *out, const struct epoch_entry *entries, size_t n);

int partition_metadata_parse(struct slice s, struct uuid *topic_id, struct kerr *e);
bool partition_metadata_write(struct buf *out, struct uuid topic_id);

#endif
