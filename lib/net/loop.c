#include "net/loop_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define SPARE_MAX     ((size_t)4 << 20)
#define SPARE_SECONDS 3

/* ---- callbacks, and what is put off to their end ---- */

void net_loop_enter(struct net_loop *l)
{
    if (l->depth++ == 0)
        l->now = os_mono(l->clock);
}

void net_loop_leave(struct net_loop *l)
{
    if (l->depth == 1)
        while (l->deferred) {
            struct net_deferred *d = l->deferred;
            l->deferred = d->next;
            if (!l->deferred)
                l->deferred_tail = &l->deferred;
            d->queued = false;
            d->run(d);
        }
    l->depth--;
}

void net_defer(struct net_loop *l, struct net_deferred *d)
{
    if (d->queued)
        return;
    if (l->depth == 0) {
        net_loop_enter(l);
        d->run(d);
        net_loop_leave(l);
        return;
    }
    d->queued = true;
    d->next = NULL;
    *l->deferred_tail = d;
    l->deferred_tail = &d->next;
}

void net_undefer(struct net_loop *l, struct net_deferred *d)
{
    struct net_deferred **at = &l->deferred;

    if (!d->queued)
        return;
    while (*at != d)
        at = &(*at)->next;
    *at = d->next;
    if (!d->next)
        l->deferred_tail = at;
    d->queued = false;
}

/* ---- the spare frame buffer ---- */

static void spare_drop(evutil_socket_t fd, short what, void *arg)
{
    struct net_loop *l = arg;

    (void)fd;
    (void)what;
    free(l->spare);
    l->spare = NULL;
    l->spare_cap = 0;
}

uint8_t *net_spare_take(struct net_loop *l, size_t at_least, size_t *cap)
{
    uint8_t *p = l->spare;

    if (!p || l->spare_cap < at_least)
        return NULL;
    *cap = l->spare_cap;
    l->spare = NULL;
    l->spare_cap = 0;
    return p;
}

void net_spare_give(struct net_loop *l, uint8_t *p, size_t cap)
{
    const struct timeval in = {SPARE_SECONDS, 0};

    if (cap > SPARE_MAX || cap <= l->spare_cap) {
        free(p);
        return;
    }
    free(l->spare);
    l->spare = p;
    l->spare_cap = cap;
    /* not moved while it runs: one timer operation in SPARE_SECONDS, not one a frame */
    if (!evtimer_pending(l->spare_timer, NULL))
        evtimer_add(l->spare_timer, &in);
}

/* ---- messages from other threads ---- */

static void wake(struct net_loop *l)
{
    const uint64_t one = 1;
    ssize_t k;

    do
        k = write(l->wake_fd, &one, sizeof one);
    while (k < 0 && errno == EINTR);
}

void net_post(struct net_loop *l, struct net_task *t)
{
    bool first;

    pthread_mutex_lock(&l->mu);
    first = l->posted == NULL;
    t->next = NULL;
    *l->posted_tail = t;
    l->posted_tail = &t->next;
    pthread_mutex_unlock(&l->mu);
    if (first)
        wake(l);
}

static void run_posted(struct net_loop *l)
{
    struct net_task *t;

    pthread_mutex_lock(&l->mu);
    t = l->posted;
    l->posted = NULL;
    l->posted_tail = &l->posted;
    pthread_mutex_unlock(&l->mu);
    while (t) {
        struct net_task *next = t->next;
        t->run(t);
        t = next;
    }
}

static void woken(evutil_socket_t fd, short what, void *arg)
{
    struct net_loop *l = arg;
    uint64_t n;
    bool stop;

    (void)what;
    if (read((int)fd, &n, sizeof n) < 0 && errno != EAGAIN && errno != EINTR)
        return;
    net_loop_enter(l);
    run_posted(l);
    net_loop_leave(l);
    pthread_mutex_lock(&l->mu);
    stop = l->stop;
    l->stop = false;
    pthread_mutex_unlock(&l->mu);
    if (stop)
        event_base_loopbreak(l->base);
}

/* ---- life ---- */

static void timed_out(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    (void)arg;
}

static struct event_base *make_base(void)
{
    struct event_config *c = event_config_new();
    struct event_base *base = NULL;

    if (!c)
        return NULL;
    /* one thread runs it; the others only write to the eventfd */
    if (event_config_set_flag(c, EVENT_BASE_FLAG_NOLOCK) == 0 &&
        event_config_set_flag(c, EVENT_BASE_FLAG_PRECISE_TIMER) == 0)
        base = event_base_new_with_config(c);
    event_config_free(c);
    return base;
}

int net_loop_new(struct net_loop **out, const struct os_clock *clock, struct kerr *e)
{
    struct net_loop *l = calloc(1, sizeof *l);

    *out = NULL;
    if (!l)
        return kerr_set(e, KE_NOMEM, "event loop");
    l->clock = clock ? clock : os_clock_real();
    l->now = os_mono(l->clock);
    l->posted_tail = &l->posted;
    l->deferred_tail = &l->deferred;
    pthread_mutex_init(&l->mu, NULL);
    l->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    l->base = make_base();
    if (l->wake_fd >= 0 && l->base) {
        l->wake = event_new(l->base, l->wake_fd, EV_READ | EV_PERSIST, woken, l);
        l->timeout = evtimer_new(l->base, timed_out, l);
        l->spare_timer = evtimer_new(l->base, spare_drop, l);
    }
    if (!l->wake || !l->timeout || !l->spare_timer || event_add(l->wake, NULL) < 0) {
        net_loop_free(l);
        return kerr_sys(e, KE_IO, "event loop");
    }
    *out = l;
    return 0;
}

void net_loop_free(struct net_loop *l)
{
    if (!l)
        return;
    net_loop_enter(l);
    run_posted(l);
    net_loop_leave(l);
    if (l->wake)
        event_free(l->wake);
    if (l->timeout)
        event_free(l->timeout);
    if (l->spare_timer)
        event_free(l->spare_timer);
    if (l->base)
        event_base_free(l->base);
    if (l->wake_fd >= 0)
        close(l->wake_fd);
    pthread_mutex_destroy(&l->mu);
    free(l->scratch);
    free(l->spare);
    free(l);
}

void net_loop_run(struct net_loop *l)
{
    event_base_loop(l->base, EVLOOP_NO_EXIT_ON_EMPTY);
}

void net_loop_once(struct net_loop *l, int64_t timeout_ms)
{
    struct timeval in = {timeout_ms / 1000, (timeout_ms % 1000) * 1000};

    if (timeout_ms == 0) {
        event_base_loop(l->base, EVLOOP_NONBLOCK);
        return;
    }
    if (timeout_ms > 0)
        evtimer_add(l->timeout, &in);
    event_base_loop(l->base, EVLOOP_ONCE);
    if (timeout_ms > 0)
        evtimer_del(l->timeout);
}

void net_loop_stop(struct net_loop *l)
{
    pthread_mutex_lock(&l->mu);
    l->stop = true;
    pthread_mutex_unlock(&l->mu);
    wake(l);
}

mono_ns net_loop_now(const struct net_loop *l)
{
    return l->depth ? l->now : os_mono(l->clock);
}

const struct os_clock *net_loop_clock(const struct net_loop *l)
{
    return l->clock;
}

/* ---- timers and descriptors of others ---- */

static void timer_fired(evutil_socket_t fd, short what, void *arg)
{
    struct net_timer *t = arg;
    struct net_loop *l = t->loop;

    (void)fd;
    (void)what;
    net_loop_enter(l);
    t->fire(t);
    net_loop_leave(l);
}

void net_timer_init(struct net_timer *t, struct net_loop *l, void (*fire)(struct net_timer *t))
{
    *t = (struct net_timer){.fire = fire, .loop = l};
}

int net_timer_set(struct net_timer *t, int64_t in_ms)
{
    struct timeval in = {in_ms / 1000, (in_ms % 1000) * 1000};

    if (!t->impl)
        t->impl = evtimer_new(t->loop->base, timer_fired, t);
    return t->impl && evtimer_add(t->impl, &in) == 0 ? 0 : KE_NOMEM;
}

void net_timer_clear(struct net_timer *t)
{
    if (t->impl)
        event_free(t->impl);
    t->impl = NULL;
}

static void watch_ready(evutil_socket_t fd, short what, void *arg)
{
    struct net_watch *w = arg;
    struct net_loop *l = w->loop;

    (void)fd;
    net_loop_enter(l);
    w->ready(w, what & EV_READ, what & EV_WRITE);
    net_loop_leave(l);
}

int net_watch_set(struct net_watch *w, struct net_loop *l, int fd, bool want_read, bool want_write)
{
    short what = (short)(EV_PERSIST | (want_read ? EV_READ : 0) | (want_write ? EV_WRITE : 0));

    net_watch_clear(w);
    w->loop = l;
    w->fd = fd;
    w->impl = event_new(l->base, fd, what, watch_ready, w);
    return w->impl && event_add(w->impl, NULL) == 0 ? 0 : KE_NOMEM;
}

void net_watch_clear(struct net_watch *w)
{
    if (w->impl)
        event_free(w->impl);
    w->impl = NULL;
}
