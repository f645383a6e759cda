#include "base/arena.h"

#include <stdalign.h>
#include <stdlib.h>

#define FIRST_BLOCK  ((size_t)1024)
#define LARGEST_STEP ((size_t)1 << 20)

struct arena_block {
    struct arena_block *next;
    size_t cap;
    alignas(max_align_t) uint8_t data[];
};

void arena_free(struct arena *a)
{
    struct arena_block *b = a->head;

    while (b) {
        struct arena_block *next = b->next;
        free(b);
        b = next;
    }
    *a = (struct arena){.max = a->max};
}

void arena_reset(struct arena *a)
{
    struct arena_block *keep = a->head;

    if (!keep)
        return;
    if (keep->cap > LARGEST_STEP) {
        arena_free(a);
        return;
    }
    a->head = keep->next;
    keep->next = NULL;
    arena_free(a);
    a->head = keep;
    a->total = keep->cap;
}

static bool add_block(struct arena *a, size_t need)
{
    size_t cap = a->head ? a->head->cap * 2 : FIRST_BLOCK;
    struct arena_block *b;

    if (cap > LARGEST_STEP)
        cap = LARGEST_STEP;
    if (cap < need)
        cap = need;
    if (a->max && cap > need && cap > a->max - a->total)
        cap = need;
    if (cap > SIZE_MAX - sizeof *b || (a->max && cap > a->max - a->total))
        return false;
    b = malloc(sizeof *b + cap);
    if (!b)
        return false;
    b->next = a->head;
    b->cap = cap;
    a->head = b;
    a->used = 0;
    a->total += cap;
    return true;
}

void *arena_alloc(struct arena *a, size_t n)
{
    const size_t align = alignof(max_align_t);
    uint8_t *p;

    if (n > SIZE_MAX - align)
        return NULL;
    n = (n + align - 1) / align * align;
    if (n == 0)
        n = align;
    if ((!a->head || n > a->head->cap - a->used) && !add_block(a, n))
        return NULL;
    p = a->head->data + a->used;
    a->used += n;
    memset(p, 0, n);
    return p;
}

void *arena_array(struct arena *a, size_t count, size_t size)
{
    size_t n;

    if (__builtin_mul_overflow(count, size, &n))
        return NULL;
    return arena_alloc(a, n);
}

struct slice arena_dup(struct arena *a, struct slice s, bool *ok)
{
    uint8_t *p;

    if (!s.p)
        return s;
    p = arena_alloc(a, s.n);
    if (!p) {
        *ok = false;
        return (struct slice){NULL, 0};
    }
    if (s.n)
        memcpy(p, s.p, s.n);
    return slice_of(p, s.n);
}
