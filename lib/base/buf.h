/*
 * buf - a growing run of bytes that it owns.
 *
 * A zeroed struct is an empty buffer. Failure is sticky: once memory ran out, b->failed stays set,
 * further appends do nothing, and the caller asks once at the end (exemplar: a checked cursor).
 */
#ifndef KCORE_BASE_BUF_H
#define KCORE_BASE_BUF_H

#include "base/slice.h"

struct buf {
    uint8_t *p;
    size_t n;   /* bytes in use */
    size_t cap; /* bytes allocated */
    bool failed;
};

void buf_free(struct buf *b);

/* Forgets the bytes and the failure, keeps the memory. */
void buf_clear(struct buf *b);

/* Makes room for more further bytes; false (and b->failed) without memory. */
bool buf_reserve(struct buf *b, size_t more);

/* Room for n bytes, already counted as in use, or NULL. Valid until the next append. */
uint8_t *buf_add(struct buf *b, size_t n);

void buf_put(struct buf *b, const void *p, size_t n);
void buf_put_slice(struct buf *b, struct slice s);
void buf_put_str(struct buf *b, const char *s);
void buf_put_u8(struct buf *b, uint8_t v);
void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static inline struct slice buf_slice(const struct buf *b)
{
    return slice_of(b->p ? b->p : (const uint8_t *)"", b->n);
}

/* The bytes as a C string (a NUL is kept behind them, not counted), or NULL without memory. */
const char *buf_cstr(struct buf *b);

#endif
