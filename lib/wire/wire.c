#include "wire/wire.h"

#include "base/bytes.h"

static const uint8_t elsewhere[1];

struct slice wire_records_elsewhere(size_t size)
{
    return (struct slice){elsewhere, size};
}

void wire_writer_init(struct wire_writer *w, struct buf *b, struct wire_gaps *gaps)
{
    *w = (struct wire_writer){.b = b, .start = b->n, .gaps = gaps};
    if (gaps) {
        gaps->n = 0;
        gaps->total = 0;
    }
}

void wire_write_fail(struct wire_writer *w, int rc)
{
    if (w->rc == 0)
        w->rc = rc;
}

int wire_write_status(struct wire_writer *w)
{
    if (w->b->failed)
        wire_write_fail(w, KE_NOMEM);
    if (w->rc != 0)
        w->b->n = w->start;
    return w->rc;
}

void wire_write_i8(struct wire_writer *w, int8_t v)
{
    buf_put_u8(w->b, (uint8_t)v);
}

void wire_write_i16(struct wire_writer *w, int16_t v)
{
    uint8_t *p = buf_add(w->b, 2);

    if (p)
        put_be16(p, (uint16_t)v);
}

void wire_write_i32(struct wire_writer *w, int32_t v)
{
    uint8_t *p = buf_add(w->b, 4);

    if (p)
        put_be32(p, (uint32_t)v);
}

void wire_write_i64(struct wire_writer *w, int64_t v)
{
    uint8_t *p = buf_add(w->b, 8);

    if (p)
        put_be64(p, (uint64_t)v);
}

void wire_write_bool(struct wire_writer *w, bool v)
{
    buf_put_u8(w->b, v);
}

void wire_write_uuid(struct wire_writer *w, struct uuid v)
{
    buf_put(w->b, v.b, sizeof v.b);
}

/* Into out; returns how many bytes. */
static size_t put_uvarint(uint8_t out[5], uint32_t v)
{
    size_t n = 0;

    for (; v > 0x7f; v >>= 7)
        out[n++] = (uint8_t)(v | 0x80);
    out[n++] = (uint8_t)v;
    return n;
}

void wire_write_uvarint(struct wire_writer *w, uint32_t v)
{
    uint8_t bytes[5];

    buf_put(w->b, bytes, put_uvarint(bytes, v));
}

/* The length in front of bytes or the count in front of elements; -1 is null. */
static void write_length(struct wire_writer *w, int32_t n, bool compact)
{
    if (compact)
        wire_write_uvarint(w, (uint32_t)n + 1);
    else
        wire_write_i32(w, n);
}

void wire_write_string(struct wire_writer *w, struct slice s, bool compact, bool nullable)
{
    if (!s.p && !nullable)
        wire_write_fail(w, KE_INVALID);
    if (s.n > WIRE_STRING_MAX) {
        wire_write_fail(w, KE_TOOBIG);
        return;
    }
    if (compact)
        wire_write_uvarint(w, s.p ? (uint32_t)s.n + 1 : 0);
    else
        wire_write_i16(w, s.p ? (int16_t)s.n : -1);
    buf_put_slice(w->b, s);
}

/* The length of bytes; false when they must not follow. */
static bool write_bytes_length(struct wire_writer *w, struct slice s, bool compact, bool nullable)
{
    if (!s.p && !nullable)
        wire_write_fail(w, KE_INVALID);
    if (s.n > INT32_MAX) {
        wire_write_fail(w, KE_TOOBIG);
        return false;
    }
    write_length(w, s.p ? (int32_t)s.n : -1, compact);
    return true;
}

void wire_write_bytes(struct wire_writer *w, struct slice s, bool compact, bool nullable)
{
    if (write_bytes_length(w, s, compact, nullable))
        buf_put_slice(w->b, s);
}

void wire_write_records(struct wire_writer *w, struct slice s, bool compact, bool nullable)
{
    struct wire_gaps *g = w->gaps;

    if (s.p != elsewhere) {
        wire_write_bytes(w, s, compact, nullable);
        return;
    }
    if (!write_bytes_length(w, s, compact, nullable) || s.n == 0)
        return;
    if (!g || g->n == g->max) {
        wire_write_fail(w, KE_INVALID);
        return;
    }
    g->v[g->n++] = (struct wire_gap){.at = w->b->n, .size = s.n};
    g->total += s.n;
}

void wire_write_count(struct wire_writer *w, int32_t n, bool compact, bool nullable)
{
    if (n < 0 && !nullable)
        wire_write_fail(w, KE_INVALID);
    write_length(w, n < 0 ? -1 : n, compact);
}

size_t wire_write_tag(struct wire_writer *w, uint32_t tag)
{
    wire_write_uvarint(w, tag);
    return w->b->n;
}

void wire_end_tag(struct wire_writer *w, size_t at)
{
    uint8_t size[5];
    size_t value, n;

    if (w->b->failed)
        return;
    value = w->b->n - at;
    if (value > INT32_MAX) {
        wire_write_fail(w, KE_TOOBIG);
        return;
    }
    n = put_uvarint(size, (uint32_t)value);
    if (!buf_add(w->b, n))
        return;
    memmove(w->b->p + at + n, w->b->p + at, value);
    memcpy(w->b->p + at, size, n);
}
