/*
 * arena - memory that lives as long as one request.
 *
 * A zeroed struct is an empty arena; arena_free() gives everything back at once. The first block is
 * small and later ones double, so a request of a few fields costs one malloc. Returned memory is
 * zeroed and aligned for any type.
 */
#ifndef KCORE_BASE_ARENA_H
#define KCORE_BASE_ARENA_H

#include "base/slice.h"

struct arena_block;

struct arena {
    struct arena_block *head;
    size_t used;  /* in head */
    size_t total; /* bytes held in all blocks */
    size_t max;   /* total may not pass it; 0: no limit. The owner sets it; it stays */
};

void arena_free(struct arena *a);

/* Forgets everything allocated, but keeps one block for the next request. */
void arena_reset(struct arena *a);

/* NULL without memory. n may be 0. */
void *arena_alloc(struct arena *a, size_t n);

/* count * size, or NULL where that overflows. */
void *arena_array(struct arena *a, size_t count, size_t size);

/* A copy; the null slice stays null. On failure *ok is set to false (never to true). */
struct slice arena_dup(struct arena *a, struct slice s, bool *ok);

#endif
