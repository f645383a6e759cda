#include "record/batch.h"

#include "base/bytes.h"
#include "os/crc32c.h"
#include "record/iter.h"
#include "record/varint.h"

#define CRC_FROM ((size_t)21) /* the first byte that the CRC covers */

static void read_header(const uint8_t *p, struct batch *b)
{
    *b = (struct batch){
        .base_offset = (int64_t)get_be64(p),
        .size = (size_t)get_be32(p + 8) + BATCH_PREFIX,
        .leader_epoch = (int32_t)get_be32(p + 12),
        .crc = get_be32(p + 17),
        .attributes = get_be16(p + 21),
        .last_offset_delta = (int32_t)get_be32(p + 23),
        .base_timestamp = (int64_t)get_be64(p + 27),
        .max_timestamp = (int64_t)get_be64(p + 35),
        .producer_id = (int64_t)get_be64(p + 43),
        .producer_epoch = (int16_t)get_be16(p + 51),
        .base_sequence = (int32_t)get_be32(p + 53),
        .count = (int32_t)get_be32(p + 57),
    };
}

int batch_parse_header(struct slice s, struct batch *b, struct kerr *e)
{
    int32_t length;

    if (s.n < BATCH_HEADER)
        return kerr_set(e, KE_AGAIN, "%zu bytes of a batch header", s.n);
    length = (int32_t)get_be32(s.p + 8);
    if (length < (int32_t)(BATCH_HEADER - BATCH_PREFIX))
        return kerr_set(e, KE_CORRUPT, "batch length %d is below a header's", length);
    if (s.p[16] != 2)
        return kerr_set(e, KE_CORRUPT, "batch magic %u, expected 2", s.p[16]);
    read_header(s.p, b);
    if (b->base_offset < 0 || b->last_offset_delta < 0 || b->count < 0 ||
        b->base_offset > INT64_MAX - b->last_offset_delta - 1)
        return kerr_set(e, KE_CORRUPT, "batch with base offset %lld, last delta %d, %d records",
                        (long long)b->base_offset, b->last_offset_delta, b->count);
    return 0;
}

int batch_parse(struct slice s, struct batch *b, size_t *need, struct kerr *e)
{
    int rc = batch_parse_header(s, b, e);

    if (need)
        *need = rc == 0 ? b->size : BATCH_HEADER;
    if (rc < 0)
        return rc;
    if (s.n < b->size)
        return kerr_set(e, KE_AGAIN, "%zu bytes of a batch of %zu", s.n, b->size);
    b->bytes = slice_of(s.p, b->size);
    b->records = slice_of(s.p + BATCH_HEADER, b->size - BATCH_HEADER);
    return 0;
}

uint32_t batch_crc(const struct batch *b)
{
    return os_crc32c(0, b->bytes.p + CRC_FROM, b->size - CRC_FROM);
}

int batch_check_crc(const struct batch *b, struct kerr *e)
{
    uint32_t crc = batch_crc(b);

    if (crc == b->crc)
        return 0;
    return kerr_set(e, KE_CORRUPT, "batch at offset %lld: CRC %08x, computed %08x",
                    (long long)b->base_offset, b->crc, crc);
}

/* One record of a batch checked on the broker's way in: framing only, nothing is kept. */
static const uint8_t *skip_record(const uint8_t *p, const uint8_t *end, int32_t delta,
                                  int64_t base_timestamp)
{
    const uint8_t *stop;
    int64_t v, headers;

    p = varint_get(p, end, &v);
    if (!p || v < 0 || v > end - p)
        return NULL;
    stop = p + v;
    if (p == stop)
        return NULL;
    p = varint_get(p + 1, stop, &v); /* attributes; timestamp delta */
    if (!p || __builtin_add_overflow(base_timestamp, v, &v))
        return NULL;
    p = varint_get(p, stop, &v);
    if (!p || v != delta)
        return NULL;
    for (int i = 0; i < 2; i++) { /* key and value */
        p = varint_get(p, stop, &v);
        if (!p || v < -1 || v > stop - p)
            return NULL;
        p += v > 0 ? v : 0;
    }
    p = varint_get(p, stop, &headers);
    if (!p || headers < 0 || headers > (stop - p) / 2)
        return NULL;
    for (; headers > 0; headers--) {
        p = varint_get(p, stop, &v);
        if (!p || v < 0 || v > stop - p)
            return NULL;
        p = varint_get(p + v, stop, &v);
        if (!p || v < -1 || v > stop - p)
            return NULL;
        p += v > 0 ? v : 0;
    }
    return p == stop ? p : NULL;
}

int batch_check_records(const struct batch *b, size_t cap, struct kerr *e)
{
    const uint8_t *p = b->records.p, *end = p + b->records.n;

    if (batch_codec(b) != CODEC_NONE)
        return record_check_stream(b, cap, e);
    for (int32_t i = 0; i < b->count; i++) {
        p = skip_record(p, end, i, b->base_timestamp);
        if (!p)
            return kerr_set(e, KE_CORRUPT, "record %d of %d is malformed", i, b->count);
    }
    if (p != end)
        return kerr_set(e, KE_CORRUPT, "%zd bytes behind the last of %d records", end - p,
                        b->count);
    return 0;
}

void batch_set_offset(uint8_t *bytes, int64_t base_offset)
{
    put_be64(bytes, (uint64_t)base_offset);
}

void batch_set_leader_epoch(uint8_t *bytes, int32_t epoch)
{
    put_be32(bytes + 12, (uint32_t)epoch);
}

void batch_set_append_time(uint8_t *bytes, size_t size, int64_t timestamp)
{
    put_be16(bytes + 21, get_be16(bytes + 21) | BATCH_LOG_APPEND_TIME);
    put_be64(bytes + 35, (uint64_t)timestamp);
    put_be32(bytes + 17, os_crc32c(0, bytes + CRC_FROM, size - CRC_FROM));
}
