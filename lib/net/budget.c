#include "net/budget_wait.h"
#include "net/loop_impl.h"

#include <stdatomic.h>
#include <stdlib.h>

/* A loop's place with one budget. registered, posted and next belong to the budget's lock, the rest
 * to the loop's thread. */
struct net_budget_wait {
    struct net_task task;
    struct net_loop *loop;
    struct net_budget *budget;
    struct net_starved ring; /* first come first */
    struct net_budget_wait *in_loop;
    struct net_budget_wait *next;
    bool registered, posted;
};

bool net_budget_over(struct net_budget *b)
{
    return b && atomic_load(&b->used) >= atomic_load_explicit(&b->max, memory_order_relaxed);
}

bool net_budget_lacks(struct net_budget *b, size_t n)
{
    return b &&
           atomic_load(&b->used) + (int64_t)n > atomic_load_explicit(&b->max, memory_order_relaxed);
}

void net_budget_charge(struct net_budget *b, size_t n)
{
    if (b)
        atomic_fetch_add(&b->used, (int64_t)n);
}

static void tell_waiting(struct net_budget *b)
{
    pthread_mutex_lock(&b->mu);
    while (b->first) {
        struct net_budget_wait *w = b->first;
        b->first = w->next;
        w->registered = false;
        /* a message that is under way finds the newcomers as well */
        if (!w->posted) {
            w->posted = true;
            net_post(w->loop, &w->task);
        }
    }
    atomic_store(&b->waiting, 0);
    pthread_mutex_unlock(&b->mu);
}

/* used before waiting here, waiting before used in net_budget_await: one of the two sees the other.
 */
void net_budget_discharge(struct net_budget *b, size_t n)
{
    if (!b)
        return;
    atomic_fetch_sub(&b->used, (int64_t)n);
    if (atomic_load(&b->waiting) && !net_budget_over(b))
        tell_waiting(b);
}

void net_budget_resize(struct net_budget *b, int64_t max)
{
    atomic_store(&b->max, max);
    if (atomic_load(&b->waiting) && !net_budget_over(b))
        tell_waiting(b);
}

bool net_budget_finish(struct net_budget *b, const void *who)
{
    const void *nobody = NULL;

    return atomic_compare_exchange_strong(&b->finisher, &nobody, who) || nobody == who;
}

void net_budget_finished(struct net_budget *b, const void *who)
{
    const void *holder = who;

    if (!b || !atomic_compare_exchange_strong(&b->finisher, &holder, NULL))
        return;
    if (atomic_load(&b->waiting))
        tell_waiting(b);
}

static void ring_start(struct net_starved *ring)
{
    ring->next = ring->prev = ring;
}

void net_budget_unawait(struct net_starved *s)
{
    if (!s->next)
        return;
    s->prev->next = s->next;
    s->next->prev = s->prev;
    s->next = s->prev = NULL;
}

static void append(struct net_starved *ring, struct net_starved *s)
{
    s->next = ring;
    s->prev = ring->prev;
    s->prev->next = s;
    ring->prev = s;
}

static void room(struct net_task *t)
{
    struct net_budget_wait *w = NET_OWNER(struct net_budget_wait, task, t);
    struct net_starved all;

    pthread_mutex_lock(&w->budget->mu);
    w->posted = false;
    pthread_mutex_unlock(&w->budget->mu);
    /* who finds no room waits again, behind the others */
    append(&w->ring, &all);
    net_budget_unawait(&w->ring);
    ring_start(&w->ring);
    while (all.next != &all) {
        struct net_starved *s = all.next;
        net_budget_unawait(s);
        s->fed(s);
    }
}

static struct net_budget_wait *wait_of(struct net_loop *l, struct net_budget *b)
{
    struct net_budget_wait *w = l->waits;

    while (w && w->budget != b)
        w = w->in_loop;
    if (w)
        return w;
    w = calloc(1, sizeof *w);
    if (!w)
        return NULL;
    w->task.run = room;
    ring_start(&w->ring);
    w->loop = l;
    w->budget = b;
    w->in_loop = l->waits;
    l->waits = w;
    return w;
}

bool net_budget_await(struct net_loop *l, struct net_budget *b, struct net_starved *s, bool begun)
{
    struct net_budget_wait *w = wait_of(l, b);

    if (!w)
        return false;
    append(&w->ring, s);
    pthread_mutex_lock(&b->mu);
    if (!w->registered) {
        w->registered = true;
        w->next = b->first;
        b->first = w;
    }
    atomic_store(&b->waiting, 1);
    pthread_mutex_unlock(&b->mu);
    if (begun ? !atomic_load(&b->finisher) : !net_budget_over(b))
        tell_waiting(b);
    return true;
}

void net_budget_forget(struct net_loop *l)
{
    while (l->waits) {
        struct net_budget_wait *w = l->waits, **at;
        l->waits = w->in_loop;
        pthread_mutex_lock(&w->budget->mu);
        for (at = &w->budget->first; *at; at = &(*at)->next)
            if (*at == w) {
                *at = w->next;
                break;
            }
        pthread_mutex_unlock(&w->budget->mu);
        free(w);
    }
}
