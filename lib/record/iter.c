/*
 * Walking a batch. Uncompressed records are looked at where they lie. Compressed ones are decoded
 * into a window that holds the unread rest of what was decoded and grows only to the largest
 * record, each byte of which has been decoded before room for the next is made: a bomb costs no
 * more than its cap. Who skims gives back what lies in the window as it passes, so that it never
 * grows.
 */
#include "record/iter.h"

#include "record/varint.h"

#include <stdlib.h>

#define WINDOW_FIRST ((size_t)16 << 10)

struct record_iter {
    struct batch batch;
    int32_t next;                /* index of the next record */
    int64_t last_delta;          /* of the record before it */
    const uint8_t *p, *end;      /* unread bytes: of the batch, or of the window */
    struct codec_reader *reader; /* NULL: uncompressed */
    bool stream_ended;
    struct buf window;
    size_t decoded, cap;
};

int record_iter_new(struct record_iter **out, struct kerr *e)
{
    struct record_iter *it = calloc(1, sizeof *it);

    if (!it)
        return kerr_set(e, KE_NOMEM, "record iterator");
    *out = it;
    return 0;
}

void record_iter_free(struct record_iter *it)
{
    if (!it)
        return;
    codec_reader_free(it->reader);
    buf_free(&it->window);
    free(it);
}

int record_iter_begin(struct record_iter *it, const struct batch *b, size_t cap, struct kerr *e)
{
    codec_reader_free(it->reader);
    it->reader = NULL;
    it->batch = *b;
    it->next = 0;
    it->decoded = 0;
    it->cap = cap ? cap : SIZE_MAX;
    it->stream_ended = false;
    it->p = b->records.p;
    it->end = b->records.p + b->records.n;
    if (batch_codec(b) == CODEC_NONE)
        return 0;
    buf_clear(&it->window);
    it->p = it->end = it->window.p;
    /* an empty batch, left by compaction, has no stream at all */
    if (b->count == 0 && b->records.n == 0) {
        it->stream_ended = true;
        return 0;
    }
    return codec_reader_new(&it->reader, batch_codec(b), b->records, it->cap, e);
}

/* Decodes more behind the unread bytes, which move to the window's front. */
static int refill(struct record_iter *it, struct kerr *e)
{
    struct buf *w = &it->window;
    size_t left = (size_t)(it->end - it->p), room;
    ssize_t k;

    if (left)
        memmove(w->p, it->p, left);
    w->n = left;
    if (w->n == w->cap && !buf_reserve(w, w->n ? w->n : WINDOW_FIRST))
        return kerr_set(e, KE_NOMEM, "record window");
    it->p = w->p;
    it->end = w->p + left;
    room = w->cap - w->n;
    k = codec_read(it->reader, w->p + w->n, room, e);
    if (k < 0)
        return (int)k;
    if (k == 0)
        it->stream_ended = true;
    if ((size_t)k > it->cap - it->decoded)
        return kerr_set(e, KE_TOOBIG, "batch at offset %lld decodes to over %zu bytes",
                        (long long)it->batch.base_offset, it->cap);
    it->decoded += (size_t)k;
    w->n += (size_t)k;
    it->end = w->p + w->n;
    return 0;
}

/* Makes the next record, length and body, lie in [it->p, it->end). *body, *stop: the body. */
static int whole_record(struct record_iter *it, const uint8_t **body, const uint8_t **stop,
                        struct kerr *e)
{
    for (;;) {
        int64_t length = 0;
        const uint8_t *p = varint_get(it->p, it->end, &length);
        bool more = it->reader && !it->stream_ended;
        int rc;
        if (p && length < 0)
            break;
        if (p && it->reader && (uint64_t)length > it->cap)
            return kerr_set(e, KE_TOOBIG, "batch at offset %lld: record of %lld bytes, over %zu",
                            (long long)it->batch.base_offset, (long long)length, it->cap);
        if (p && length <= it->end - p) {
            *body = p;
            *stop = p + length;
            return 0;
        }
        if (!more || (!p && (size_t)(it->end - it->p) >= VARINT_MAX))
            break;
        rc = refill(it, e);
        if (rc < 0)
            return rc;
    }
    return KE_CORRUPT;
}

/* A length and that many bytes; -1 is null. */
static const uint8_t *get_bytes(const uint8_t *p, const uint8_t *stop, struct slice *s)
{
    int64_t n;

    p = varint_get(p, stop, &n);
    if (!p || n < -1 || n > stop - p)
        return NULL;
    *s = n < 0 ? (struct slice){NULL, 0} : slice_of(p, (size_t)n);
    return p + s->n;
}

int record_header_next(struct slice *at, struct header *h)
{
    const uint8_t *end = at->p + at->n;
    const uint8_t *p = get_bytes(at->p, end, &h->name);

    if (!p || slice_is_null(h->name) || !(p = get_bytes(p, end, &h->value)))
        return KE_CORRUPT;
    *at = slice_of(p, (size_t)(end - p));
    return 0;
}

static bool headers_are_whole(struct slice at, int32_t count)
{
    struct header h;

    for (; count > 0; count--)
        if (record_header_next(&at, &h) < 0)
            return false;
    return at.n == 0;
}

/* Where the deltas put a record. */
static bool place(const struct batch *b, int64_t time_delta, int64_t offset_delta,
                  int64_t last_delta, struct record *r)
{
    if (offset_delta <= last_delta || offset_delta > b->last_offset_delta)
        return false;
    r->offset = b->base_offset + offset_delta;
    if (b->attributes & BATCH_LOG_APPEND_TIME)
        r->timestamp = b->max_timestamp;
    else if (__builtin_add_overflow(b->base_timestamp, time_delta, &r->timestamp))
        return false;
    return true;
}

/* The body of one record: attributes, timestamp delta, offset delta, key, value, headers. */
static bool parse_body(const struct batch *b, const uint8_t *p, const uint8_t *stop,
                       int64_t last_delta, struct record *r)
{
    int64_t time_delta, offset_delta, headers;

    if (p == stop || !(p = varint_get(p + 1, stop, &time_delta)) ||
        !(p = varint_get(p, stop, &offset_delta)) || !(p = get_bytes(p, stop, &r->key)) ||
        !(p = get_bytes(p, stop, &r->value)) || !(p = varint_get(p, stop, &headers)))
        return false;
    if (headers < 0 || headers > (stop - p) / 2 ||
        !place(b, time_delta, offset_delta, last_delta, r))
        return false;
    r->header_count = (int32_t)headers;
    r->headers = slice_of(p, (size_t)(stop - p));
    return headers_are_whole(r->headers, r->header_count);
}

/* After the last record: nothing may be left, and a compressed stream must end well. */
static int expect_end(struct record_iter *it, struct kerr *e)
{
    int rc = 0;

    while (it->p == it->end && it->reader && !it->stream_ended && rc == 0)
        rc = refill(it, e);
    if (rc < 0)
        return rc;
    if (it->p != it->end)
        return kerr_set(e, KE_CORRUPT, "batch at offset %lld: bytes behind the last of %d records",
                        (long long)it->batch.base_offset, it->batch.count);
    return 0;
}

/* rc: what came of reading the next record into r. */
static int came(struct record_iter *it, int rc, const struct record *r, struct kerr *e)
{
    if (rc == KE_CORRUPT)
        return kerr_set(e, rc, "batch at offset %lld: record %d of %d is malformed",
                        (long long)it->batch.base_offset, it->next, it->batch.count);
    if (rc < 0)
        return rc;
    it->last_delta = r->offset - it->batch.base_offset;
    it->next++;
    return 1;
}

static int64_t delta_before(const struct record_iter *it)
{
    return it->next == 0 ? -1 : it->last_delta;
}

int record_next(struct record_iter *it, struct record *r, struct kerr *e)
{
    const uint8_t *body = NULL, *stop = NULL;
    int rc;

    if (it->next == it->batch.count)
        return expect_end(it, e);
    rc = whole_record(it, &body, &stop, e);
    if (rc == 0 && !parse_body(&it->batch, body, stop, delta_before(it), r))
        rc = KE_CORRUPT;
    if (rc == 0)
        it->p = stop;
    return came(it, rc, r, e);
}

/* ---- skimming ---- */

/* The next bytes: at least one, or KE_CORRUPT where the stream has ended. */
static int more(struct record_iter *it, struct kerr *e)
{
    const uint8_t *unread = it->p;
    size_t n = (size_t)(it->end - unread);
    int rc;

    do {
        if (!it->reader || it->stream_ended)
            return KE_CORRUPT;
        rc = refill(it, e);
    } while (rc == 0 && (size_t)(it->end - it->p) == n);
    return rc;
}

/* The next of *left bytes, as a number. */
static int skim_varint(struct record_iter *it, int64_t *left, int64_t *v, struct kerr *e)
{
    const uint8_t *p;
    int rc;

    while (!(p = varint_get(it->p, it->end, v))) {
        if ((size_t)(it->end - it->p) >= VARINT_MAX)
            return KE_CORRUPT;
        if ((rc = more(it, e)) < 0)
            return rc;
    }
    if (p - it->p > *left)
        return KE_CORRUPT;
    *left -= p - it->p;
    it->p = p;
    return 0;
}

/* Passes over n of *left bytes, which are gone from the window then. */
static int skim_bytes(struct record_iter *it, int64_t *left, int64_t n, struct kerr *e)
{
    if (n > *left)
        return KE_CORRUPT;
    *left -= n;
    while (n > 0) {
        int64_t k = it->end - it->p;
        int rc;
        if (k > n)
            k = n;
        it->p += k;
        n -= k;
        if (n > 0 && (rc = more(it, e)) < 0)
            return rc;
    }
    return 0;
}

/* A length of least or more, and that many bytes; -1 is none. */
static int skim_field(struct record_iter *it, int64_t *left, int64_t least, int64_t *n,
                      struct kerr *e)
{
    int rc = skim_varint(it, left, n, e);

    if (rc == 0 && *n < least)
        rc = KE_CORRUPT;
    return rc < 0 || *n <= 0 ? rc : skim_bytes(it, left, *n, e);
}

static int skim_headers(struct record_iter *it, int64_t *left, struct kerr *e)
{
    int64_t headers, n;
    int rc = skim_varint(it, left, &headers, e);

    if (rc == 0 && (headers < 0 || headers > *left / 2))
        rc = KE_CORRUPT;
    for (; rc == 0 && headers > 0; headers--)
        if ((rc = skim_field(it, left, 0, &n, e)) == 0)
            rc = skim_field(it, left, -1, &n, e);
    return rc == 0 && *left != 0 ? KE_CORRUPT : rc;
}

static int skim(struct record_iter *it, struct record *r, struct kerr *e)
{
    int64_t left = VARINT_MAX, length, time_delta, offset_delta, key, value;
    int rc = skim_varint(it, &left, &length, e);

    if (rc < 0)
        return rc;
    left = length;
    if ((rc = skim_bytes(it, &left, 1, e)) < 0 || /* attributes */
        (rc = skim_varint(it, &left, &time_delta, e)) < 0 ||
        (rc = skim_varint(it, &left, &offset_delta, e)) < 0 ||
        (rc = skim_field(it, &left, -1, &key, e)) < 0 ||
        (rc = skim_field(it, &left, -1, &value, e)) < 0 || (rc = skim_headers(it, &left, e)) < 0)
        return rc;
    *r = (struct record){.key = {key < 0 ? NULL : (const uint8_t *)"", 0}};
    return place(&it->batch, time_delta, offset_delta, delta_before(it), r) ? 0 : KE_CORRUPT;
}

int record_skim(struct record_iter *it, struct record *r, struct kerr *e)
{
    if (it->next == it->batch.count)
        return expect_end(it, e);
    return came(it, skim(it, r, e), r, e);
}

int record_check_stream(const struct batch *b, size_t cap, struct kerr *e)
{
    struct record_iter *it = NULL;
    struct record r;
    int rc = record_iter_new(&it, e);

    if (rc < 0)
        return rc;
    rc = record_iter_begin(it, b, cap, e);
    while (rc == 0 && (rc = record_skim(it, &r, e)) == 1) {
        /* a client's batch has no gaps */
        rc = r.offset - b->base_offset == it->next - 1
                 ? 0
                 : kerr_set(e, KE_CORRUPT, "record %d has offset delta %lld", it->next - 1,
                            (long long)(r.offset - b->base_offset));
        if (rc == 0 && it->next == b->count) {
            rc = expect_end(it, e);
            break;
        }
    }
    record_iter_free(it);
    return rc;
}
