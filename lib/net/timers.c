#include "net/timers.h"

#include <stdlib.h>

#define FIRST_ROOM 64

static void put(struct net_timers *h, size_t at, struct net_timer *t)
{
    h->heap[at] = t;
    t->place = at + 1;
}

static void up(struct net_timers *h, size_t at, struct net_timer *t)
{
    while (at > 0 && t->due.ns < h->heap[(at - 1) / 2]->due.ns) {
        put(h, at, h->heap[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    put(h, at, t);
}

static void down(struct net_timers *h, size_t at, struct net_timer *t)
{
    size_t child;

    while ((child = 2 * at + 1) < h->n) {
        if (child + 1 < h->n && h->heap[child + 1]->due.ns < h->heap[child]->due.ns)
            child++;
        if (t->due.ns <= h->heap[child]->due.ns)
            break;
        put(h, at, h->heap[child]);
        at = child;
    }
    put(h, at, t);
}

/* t stands at a place whose neighbours it may not fit. */
static void settle(struct net_timers *h, size_t at, struct net_timer *t)
{
    if (at > 0 && t->due.ns < h->heap[(at - 1) / 2]->due.ns)
        up(h, at, t);
    else
        down(h, at, t);
}

static bool grow(struct net_timers *h, size_t cap)
{
    struct net_timer **more = realloc(h->heap, cap * sizeof *more);

    if (!more)
        return false;
    h->heap = more;
    h->cap = cap;
    return true;
}

bool net_timers_init(struct net_timers *h)
{
    *h = (struct net_timers){0};
    return grow(h, FIRST_ROOM);
}

bool net_timers_set(struct net_timers *h, struct net_timer *t, mono_ns due)
{
    t->due = due;
    if (t->place) {
        settle(h, t->place - 1, t);
        return true;
    }
    if (h->n == h->cap && !grow(h, h->cap * 2))
        return false;
    up(h, h->n++, t);
    return true;
}

void net_timers_clear(struct net_timers *h, struct net_timer *t)
{
    size_t at = t->place - 1;
    struct net_timer *last;

    if (!t->place)
        return;
    t->place = 0;
    last = h->heap[--h->n];
    if (last != t)
        settle(h, at, last);
}

struct net_timer *net_timers_first(const struct net_timers *h)
{
    return h->n ? h->heap[0] : NULL;
}

void net_timers_free(struct net_timers *h)
{
    free(h->heap);
    *h = (struct net_timers){0};
}
