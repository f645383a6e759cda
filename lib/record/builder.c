/*
 * Building a batch. The header's room comes first in the buffer, records follow, one reservation
 * each.
 */
#include "record/batch.h"

#include "base/bytes.h"
#include "os/crc32c.h"
#include "record/varint.h"

void batch_start(struct batch_builder *w)
{
    buf_clear(&w->buf);
    w->count = 0;
    w->base_timestamp = w->max_timestamp = -1;
    buf_add(&w->buf, BATCH_HEADER);
}

static size_t bytes_size(struct slice s)
{
    return s.p ? varint_size((int64_t)s.n) + s.n : 1;
}

/* The body behind the length: attributes to the last header. */
static size_t body_size(const struct batch_builder *w, int64_t time_delta, struct slice key,
                        struct slice value, const struct header *headers, int32_t header_count)
{
    size_t n = 1 + varint_size(time_delta) + varint_size(w->count) + bytes_size(key) +
               bytes_size(value) + varint_size(header_count);

    for (int32_t i = 0; i < header_count; i++)
        n += bytes_size(headers[i].name) + bytes_size(headers[i].value);
    return n;
}

static int64_t time_delta_of(const struct batch_builder *w, int64_t timestamp)
{
    return w->count ? (int64_t)((uint64_t)timestamp - (uint64_t)w->base_timestamp) : 0;
}

size_t batch_add_size(const struct batch_builder *w, int64_t timestamp, struct slice key,
                      struct slice value, const struct header *headers, int32_t header_count)
{
    size_t n = body_size(w, time_delta_of(w, timestamp), key, value, headers, header_count);

    return varint_size((int64_t)n) + n;
}

static uint8_t *put_bytes(uint8_t *p, struct slice s)
{
    if (!s.p)
        return varint_put(p, -1);
    p = varint_put(p, (int64_t)s.n);
    if (s.n)
        memcpy(p, s.p, s.n);
    return p + s.n;
}

bool batch_add(struct batch_builder *w, int64_t timestamp, struct slice key, struct slice value,
               const struct header *headers, int32_t header_count)
{
    int64_t delta = time_delta_of(w, timestamp);
    size_t n = body_size(w, delta, key, value, headers, header_count);
    uint8_t *p;

    if (w->buf.n < BATCH_HEADER || !buf_reserve(&w->buf, VARINT_MAX + n))
        return false;
    p = varint_put(w->buf.p + w->buf.n, (int64_t)n);
    *p++ = 0; /* attributes: none are defined */
    p = varint_put(p, delta);
    p = varint_put(p, w->count);
    p = put_bytes(put_bytes(p, key), value);
    p = varint_put(p, header_count);
    for (int32_t i = 0; i < header_count; i++)
        p = put_bytes(put_bytes(p, headers[i].name), headers[i].value);
    w->buf.n = (size_t)(p - w->buf.p);
    if (w->count++ == 0)
        w->base_timestamp = w->max_timestamp = timestamp;
    else if (timestamp > w->max_timestamp)
        w->max_timestamp = timestamp;
    return true;
}

static void write_header(uint8_t *p, size_t size, const struct batch_builder *w,
                         const struct batch_fields *f)
{
    put_be64(p, (uint64_t)f->base_offset);
    put_be32(p + 8, (uint32_t)(size - BATCH_PREFIX));
    put_be32(p + 12, (uint32_t)f->leader_epoch);
    p[16] = 2;
    put_be16(p + 21, (uint16_t)(f->attributes | f->codec));
    put_be32(p + 23, (uint32_t)(w->count - 1));
    put_be64(p + 27, (uint64_t)w->base_timestamp);
    put_be64(p + 35, (uint64_t)w->max_timestamp);
    put_be64(p + 43, (uint64_t)f->producer_id);
    put_be16(p + 51, (uint16_t)f->producer_epoch);
    put_be32(p + 53, (uint32_t)f->base_sequence);
    put_be32(p + 57, (uint32_t)w->count);
    put_be32(p + 17, os_crc32c(0, p + 21, size - 21));
}

int batch_finish(struct batch_builder *w, const struct batch_fields *f, struct slice *out,
                 struct kerr *e)
{
    struct buf *b = &w->buf;
    int rc;

    if (b->failed || b->n < BATCH_HEADER)
        return kerr_set(e, KE_NOMEM, "batch of records");
    if (w->count == 0)
        return kerr_set(e, KE_INVALID, "a batch without records");
    if (f->codec != CODEC_NONE) {
        buf_clear(&w->packed);
        buf_add(&w->packed, BATCH_HEADER);
        rc = codec_compress(f->codec, f->level, slice_of(b->p + BATCH_HEADER, b->n - BATCH_HEADER),
                            &w->packed, e);
        if (rc < 0)
            return rc;
        b = &w->packed;
        if (b->failed)
            return kerr_set(e, KE_NOMEM, "compressed batch");
    }
    if (b->n > INT32_MAX)
        return kerr_set(e, KE_TOOBIG, "batch of %zu bytes", b->n);
    write_header(b->p, b->n, w, f);
    *out = buf_slice(b);
    return 0;
}

void batch_builder_free(struct batch_builder *w)
{
    buf_free(&w->buf);
    buf_free(&w->packed);
}
