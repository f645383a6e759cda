#include "wire/reader.h"

#include "base/bytes.h"
#include "base/err.h"

static const uint8_t nothing[1];

void wire_reader_init(struct wire_reader *r, struct slice s, struct arena *arena)
{
    const uint8_t *p = s.p ? s.p : nothing;

    *r = (struct wire_reader){.p = p, .end = p + (s.p ? s.n : 0), .arena = arena};
}

/* The next n bytes, or NULL. After a failure nothing is left to read. */
static const uint8_t *take(struct wire_reader *r, size_t n)
{
    const uint8_t *p = r->p;

    if (r->bad || n > wire_left(r)) {
        r->bad = true;
        r->p = r->end;
        return NULL;
    }
    r->p += n;
    return p;
}

static void fail(struct wire_reader *r)
{
    r->bad = true;
    r->p = r->end;
}

int8_t wire_read_i8(struct wire_reader *r)
{
    const uint8_t *p = take(r, 1);

    return p ? (int8_t)*p : 0;
}

int16_t wire_read_i16(struct wire_reader *r)
{
    const uint8_t *p = take(r, 2);

    return p ? (int16_t)get_be16(p) : 0;
}

int32_t wire_read_i32(struct wire_reader *r)
{
    const uint8_t *p = take(r, 4);

    return p ? (int32_t)get_be32(p) : 0;
}

int64_t wire_read_i64(struct wire_reader *r)
{
    const uint8_t *p = take(r, 8);

    return p ? (int64_t)get_be64(p) : 0;
}

bool wire_read_bool(struct wire_reader *r)
{
    return wire_read_i8(r) != 0;
}

struct uuid wire_read_uuid(struct wire_reader *r)
{
    struct uuid u = {{0}};
    const uint8_t *p = take(r, sizeof u.b);

    if (p)
        memcpy(u.b, p, sizeof u.b);
    return u;
}

uint32_t wire_read_uvarint(struct wire_reader *r)
{
    uint32_t v = 0;

    for (unsigned shift = 0; shift < 35; shift += 7) {
        const uint8_t *p = take(r, 1);
        if (!p)
            return 0;
        if (shift == 28 && *p > 0x0f)
            break; /* more than 32 bits, or a sixth byte */
        v |= (uint32_t)(*p & 0x7f) << shift;
        if (!(*p & 0x80))
            return v;
    }
    fail(r);
    return 0;
}

/* A length that was read as n (-1: null), as bytes. */
static struct slice read_run(struct wire_reader *r, int64_t n, bool nullable)
{
    if (n < 0) {
        if (n < -1 || !nullable)
            fail(r);
        return (struct slice){NULL, 0};
    }
    const uint8_t *p = take(r, (size_t)n);
    return (struct slice){p, p ? (size_t)n : 0};
}

struct slice wire_read_string(struct wire_reader *r, bool compact, bool nullable)
{
    int64_t n = compact ? (int64_t)wire_read_uvarint(r) - 1 : wire_read_i16(r);

    if (r->bad || n > WIRE_STRING_MAX) {
        fail(r);
        return (struct slice){NULL, 0};
    }
    return read_run(r, n, nullable);
}

struct slice wire_read_bytes(struct wire_reader *r, bool compact, bool nullable)
{
    int64_t n = compact ? (int64_t)wire_read_uvarint(r) - 1 : wire_read_i32(r);

    if (r->bad)
        return (struct slice){NULL, 0};
    return read_run(r, n, nullable);
}

int32_t wire_read_count(struct wire_reader *r, bool compact, bool nullable, size_t least)
{
    int64_t n = compact ? (int64_t)wire_read_uvarint(r) - 1 : wire_read_i32(r);

    if (r->bad)
        return 0;
    if (n < 0) {
        if (n == -1 && nullable)
            return -1;
        fail(r);
        return 0;
    }
    if ((uint64_t)n > wire_left(r) / least || n > INT32_MAX) {
        fail(r);
        return 0;
    }
    return (int32_t)n;
}

int32_t wire_read_present(struct wire_reader *r)
{
    return wire_read_i8(r) < 0 || r->bad ? 0 : 1;
}

void *wire_read_array(struct wire_reader *r, int32_t n, size_t size)
{
    void *v;

    if (n <= 0)
        return NULL;
    v = arena_array(r->arena, (size_t)n, size);
    if (!v) {
        r->nomem = true;
        fail(r);
    }
    return v;
}

struct wire_tags wire_read_tags(struct wire_reader *r)
{
    struct wire_tags t = {.first = true};

    t.left = wire_read_uvarint(r);
    if (t.left > wire_left(r) / 2) { /* a field is at least its tag and its size */
        fail(r);
        t.left = 0;
    }
    return t;
}

bool wire_tags_next(struct wire_tags *t, struct wire_reader *r, struct wire_reader *field)
{
    uint32_t tag, size;
    const uint8_t *p;

    if (t->left == 0 || r->bad)
        return false;
    t->left--;
    tag = wire_read_uvarint(r);
    size = wire_read_uvarint(r);
    if (!t->first && tag <= t->tag)
        fail(r);
    p = take(r, size);
    if (!p)
        return false;
    t->first = false;
    t->tag = tag;
    wire_reader_init(field, slice_of(p, size), r->arena);
    return true;
}

void wire_tag_done(struct wire_reader *r, const struct wire_reader *field)
{
    if (field->bad || wire_left(field) > 0)
        fail(r);
    if (field->nomem)
        r->nomem = true;
}

void wire_skip_tags(struct wire_reader *r)
{
    struct wire_tags t = wire_read_tags(r);
    struct wire_reader field;

    while (wire_tags_next(&t, r, &field))
        ;
}

int wire_read_status(const struct wire_reader *r)
{
    return r->nomem ? KE_NOMEM : r->bad ? KE_CORRUPT : 0;
}
