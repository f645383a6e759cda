/*
 * batch - Kafka's record batch, version 2 (magic 2): the one thing that is stored, sent and
 * fetched.
 *
 *   0 baseOffset 8 | 8 length 4 (bytes after this field) | 12 leaderEpoch 4 | 16 magic 1 | 17 crc 4
 *   21 attributes 2 | 23 lastOffsetDelta 4 | 27 baseTimestamp 8 | 35 maxTimestamp 8 | 43 producerId
 * 8 51 producerEpoch 2 | 53 baseSequence 4 | 57 count 4 | 61 records
 *
 * CRC-32C covers everything from attributes to the end, so baseOffset and leaderEpoch may be set in
 * place without a new one. Attributes: 0-2 codec, 3 LogAppendTime, 4 transactional, 5 control,
 * 6 delete horizon (then baseTimestamp is that horizon). (org.apache.kafka.common.record,
 * DefaultRecordBatch and DefaultRecord.) Bytes are hostile until batch_check() has said yes.
 */
#ifndef KCORE_RECORD_BATCH_H
#define KCORE_RECORD_BATCH_H

#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"
#include "record/codec.h"

#define BATCH_HEADER ((size_t)61)
#define BATCH_PREFIX ((size_t)12) /* base offset and length: not counted in length */

enum {
    BATCH_CODEC_MASK = 0x07,
    BATCH_LOG_APPEND_TIME = 0x08,
    BATCH_TRANSACTIONAL = 0x10,
    BATCH_CONTROL = 0x20,
    BATCH_DELETE_HORIZON = 0x40,
};

struct batch {
    int64_t base_offset;
    size_t size; /* the whole batch, prefix included */
    int32_t leader_epoch;
    uint32_t crc;
    uint16_t attributes;
    int32_t last_offset_delta;
    int64_t base_timestamp, max_timestamp; /* ms; -1 when there is none */
    int64_t producer_id;                   /* -1 when there is none */
    int16_t producer_epoch;
    int32_t base_sequence;
    int32_t count;
    struct slice bytes;   /* all of it */
    struct slice records; /* behind the header, compressed if the codec says so */
};

static inline int64_t batch_last_offset(const struct batch *b)
{
    return b->base_offset + b->last_offset_delta;
}

static inline enum codec batch_codec(const struct batch *b)
{
    return (enum codec)(b->attributes & BATCH_CODEC_MASK);
}

/*
 * Reads the header at the front of s. Returns 0, KE_AGAIN when s ends before the batch does (*need,
 * if not NULL, is then how many bytes from s.p are wanted at least), or KE_CORRUPT: a magic other
 * than 2, a length below the header's, a negative count. Does not look at the CRC. The batch points
 * into s.
 */
int batch_parse(struct slice s, struct batch *b, size_t *need, struct kerr *e);

/* As batch_parse, but for a header alone: bytes and records may reach past s (they are not set).
 * For readers that walk a file. s must hold BATCH_HEADER bytes. */
int batch_parse_header(struct slice s, struct batch *b, struct kerr *e);

/* What the CRC should be, of the bytes as they are. */
uint32_t batch_crc(const struct batch *b);

/* KE_CORRUPT unless the CRC is right. */
int batch_check_crc(const struct batch *b, struct kerr *e);

/* KE_CORRUPT unless the uncompressed records are exactly count well-formed ones with offset deltas
 * 0..count-1 and end where the batch ends. For compressed batches the same over the decoded stream,
 * which may be cap bytes at most (KE_TOOBIG). */
int batch_check_records(const struct batch *b, size_t cap, struct kerr *e);

/* Set in place, CRC untouched. */
void batch_set_offset(uint8_t *bytes, int64_t base_offset);
void batch_set_leader_epoch(uint8_t *bytes, int32_t epoch);
/* Sets LogAppendTime and the time of all records, and the CRC. size is the whole batch. */
void batch_set_append_time(uint8_t *bytes, size_t size, int64_t timestamp);

/* Appends to out the same batch with its records in another codec: but for length, codec and CRC
 * the header is the same. b has been checked. cap bounds the decoded records (KE_TOOBIG).
 * KE_CORRUPT, KE_CODEC, KE_NOMEM: what out then has is worth nothing. */
int batch_recode(const struct batch *b, enum codec codec, int level, size_t cap, struct buf *out,
                 struct kerr *e);

struct header {
    struct slice name;  /* never null */
    struct slice value; /* may be null */
};

struct record {
    int64_t offset;
    int64_t timestamp;       /* the batch's maxTimestamp where LogAppendTime is set */
    struct slice key, value; /* may be null */
    int32_t header_count;
    struct slice headers; /* undecoded: record_headers() */
};

/*
 * Walks the records of one batch. Compressed batches are decoded as a stream into a window, so a
 * bomb costs no more than its largest record; cap bounds the whole decoded stream (0: none). Key,
 * value and headers of a record are valid until the next call of record_next or of record_iter_end.
 */
struct record_iter;
int record_iter_new(struct record_iter **out, struct kerr *e);
int record_iter_begin(struct record_iter *it, const struct batch *b, size_t cap, struct kerr *e);
/* 1: a record, 0: the end, reached exactly where it should be; negative: KE_CORRUPT, KE_TOOBIG. */
int record_next(struct record_iter *it, struct record *r, struct kerr *e);
/* The same checks, but of the record only offset and timestamp, and whether its key is null, are
 * told: however large it is, it is never in memory. */
int record_skim(struct record_iter *it, struct record *r, struct kerr *e);
void record_iter_free(struct record_iter *it);

/* The n-th call gives the n-th header; *at starts as r->headers. 0, or KE_CORRUPT (not after a
 * record_next that succeeded: it has checked them). */
int record_header_next(struct slice *at, struct header *h);

/*
 * Builds a batch. Records are added uncompressed into one buffer behind room for the header;
 * batch_finish compresses (if asked), fills the header and the CRC. Reusable after batch_start.
 */
struct batch_builder {
    struct buf buf; /* header room, then records */
    struct buf packed;
    int64_t base_timestamp, max_timestamp;
    int32_t count;
};

void batch_start(struct batch_builder *w);
/* False without memory. The first record's timestamp becomes the base. */
bool batch_add(struct batch_builder *w, int64_t timestamp, struct slice key, struct slice value,
               const struct header *headers, int32_t header_count);
/* How many bytes batch_add would append: to close a batch before it grows past a limit. */
size_t batch_add_size(const struct batch_builder *w, int64_t timestamp, struct slice key,
                      struct slice value, const struct header *headers, int32_t header_count);

struct batch_fields {
    enum codec codec;
    int level;           /* CODEC_LEVEL_DEFAULT, or the codec's own scale */
    uint16_t attributes; /* BATCH_TRANSACTIONAL, BATCH_CONTROL */
    int64_t base_offset;
    int32_t leader_epoch;
    int64_t producer_id; /* -1: none, then epoch and sequence -1 too */
    int16_t producer_epoch;
    int32_t base_sequence;
};

/* *out points into the builder until its next use. A batch that compression makes no smaller is
 * still sent compressed: what was asked for is what is stored. */
int batch_finish(struct batch_builder *w, const struct batch_fields *f, struct slice *out,
                 struct kerr *e);
void batch_builder_free(struct batch_builder *w);

#endif
