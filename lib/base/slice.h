/*
 * slice - a run of bytes that somebody else owns.
 *
 * A slice never frees what it points to; who made it says how long it lives. The null slice
 * (p == NULL) is the protocol's null and is not the same as the empty one (p != NULL, n == 0).
 */
#ifndef KCORE_BASE_SLICE_H
#define KCORE_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct slice {
    const uint8_t *p;
    size_t n;
};

static inline struct slice slice_of(const void *p, size_t n)
{
    return (struct slice){(const uint8_t *)p, n};
}

/* The bytes of a C string without its NUL; a NULL string gives the null slice. */
static inline struct slice slice_str(const char *s)
{
    return s ? slice_of(s, strlen(s)) : (struct slice){NULL, 0};
}

static inline bool slice_is_null(struct slice s)
{
    return s.p == NULL;
}

/* Equal bytes; null equals only null. */
static inline bool slice_eq(struct slice a, struct slice b)
{
    if (!a.p || !b.p)
        return a.p == b.p;
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline bool slice_eq_str(struct slice a, const char *s)
{
    return slice_eq(a, slice_str(s));
}

/* Orders by bytes, the shorter first among equals; like strcmp. */
int slice_cmp(struct slice a, struct slice b);

#endif
