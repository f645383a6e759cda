#include "net/budget_wait.h"
#include "net/loop_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define SPARE_MIN   ((size_t)16 << 10) /* smaller ones come from malloc without page faults */
#define SPARE_MAX   ((size_t)4 << 20)
#define SPARE_WASTE 8 /* times what has arrived: more is not given for it */
#define SPARE_MS    3000

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

/* ---- timers ---- */

static void set_alarm(struct net_loop *l)
{
    const struct net_timer *t = net_timers_first(&l->timers);
    struct timeval in = {0};
    int64_t us;

    /* an alarm that comes too early is cheaper than moving it with every timer that moves */
    if (!t || (l->alarm_at.ns != 0 && l->alarm_at.ns <= t->due.ns))
        return;
    us = (t->due.ns - net_loop_now(l).ns) / 1000 + 1;
    if (us > 0)
        in = (struct timeval){us / 1000000, us % 1000000};
    if (evtimer_add(l->alarm, &in) == 0)
        l->alarm_at = t->due;
}

/* Each timer once at most: one that sets itself again must not keep the loop from its sockets. */
static void fire_due(struct net_loop *l)
{
    struct net_timer *t;

    for (size_t n = l->timers.n; n > 0 && (t = net_timers_first(&l->timers)) != NULL; n--) {
        if (t->due.ns > l->now.ns)
            break;
        net_timers_clear(&l->timers, t);
        t->fire(t);
    }
}

static void alarm_rang(evutil_socket_t fd, short what, void *arg)
{
    struct net_loop *l = arg;

    (void)fd;
    (void)what;
    l->alarm_at = (mono_ns){0};
    net_loop_enter(l);
    fire_due(l);
    net_loop_leave(l);
    set_alarm(l);
}

void net_timer_init(struct net_timer *t, struct net_loop *l, void (*fire)(struct net_timer *t))
{
    *t = (struct net_timer){.fire = fire, .loop = l};
}

int net_timer_set(struct net_timer *t, int64_t in_ms)
{
    struct net_loop *l = t->loop;

    if (!net_timers_set(&l->timers, t, mono_add_ms(net_loop_now(l), in_ms)))
        return KE_NOMEM;
    set_alarm(l);
    return 0;
}

void net_timer_clear(struct net_timer *t)
{
    if (t->place)
        net_timers_clear(&t->loop->timers, t);
}

/* ---- the spare frame buffer ---- */

static void spare_idle(struct net_timer *t)
{
    struct net_loop *l = NET_OWNER(struct net_loop, spare_timer, t);

    if (l->spare_used && net_timer_set(t, SPARE_MS) == 0) {
        l->spare_used = false;
        return;
    }
    free(l->spare);
    l->spare = NULL;
    l->spare_cap = 0;
}

uint8_t *net_spare_take(struct net_loop *l, size_t arrived, size_t *cap)
{
    uint8_t *p = l->spare;

    if (!p || l->spare_cap < arrived || l->spare_cap / SPARE_WASTE > arrived)
        return NULL;
    *cap = l->spare_cap;
    l->spare = NULL;
    l->spare_cap = 0;
    return p;
}

void net_spare_give(struct net_loop *l, uint8_t *p, size_t cap)
{
    if (cap < SPARE_MIN || cap > SPARE_MAX || cap <= l->spare_cap ||
        (!l->spare_timer.place && net_timer_set(&l->spare_timer, SPARE_MS) < 0)) {
        free(p);
        return;
    }
    free(l->spare);
    l->spare = p;
    l->spare_cap = cap;
    l->spare_used = true;
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

/* True when there was anything. */
static bool run_posted(struct net_loop *l)
{
    struct net_task *t, *first;

    pthread_mutex_lock(&l->mu);
    t = first = l->posted;
    l->posted = NULL;
    l->posted_tail = &l->posted;
    pthread_mutex_unlock(&l->mu);
    while (t) {
        struct net_task *next = t->next;
        t->run(t);
        t = next;
    }
    return first != NULL;
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

/* What libevent has to say it says to its caller as well: a library does not print. */
static void say_nothing(int severity, const char *msg)
{
    (void)severity;
    (void)msg;
}

static struct event_base *make_base(void)
{
    struct event_config *c = event_config_new();
    struct event_base *base = NULL;

    event_set_log_callback(say_nothing);
    if (!c)
        return NULL;
    /* One thread runs it; the others only write to the eventfd. No precise timers: they would cost
     * a system call each time the loop waits. */
    if (event_config_set_flag(c, EVENT_BASE_FLAG_NOLOCK) == 0)
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
    net_timer_init(&l->spare_timer, l, spare_idle);
    pthread_mutex_init(&l->mu, NULL);
    l->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    l->base = make_base();
    if (l->wake_fd >= 0 && l->base && net_timers_init(&l->timers)) {
        l->wake = event_new(l->base, l->wake_fd, EV_READ | EV_PERSIST, woken, l);
        l->timeout = evtimer_new(l->base, timed_out, l);
        l->alarm = evtimer_new(l->base, alarm_rang, l);
    }
    if (!l->wake || !l->timeout || !l->alarm || event_add(l->wake, NULL) < 0) {
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
    while (run_posted(l))
        ;
    net_loop_leave(l);
    net_budget_forget(l);
    if (l->wake)
        event_free(l->wake);
    if (l->timeout)
        event_free(l->timeout);
    if (l->alarm)
        event_free(l->alarm);
    if (l->base)
        event_base_free(l->base);
    if (l->wake_fd >= 0)
        close(l->wake_fd);
    pthread_mutex_destroy(&l->mu);
    net_timers_free(&l->timers);
    free(l->scratch);
    free(l->spare);
    free(l);
}

void net_loop_run(struct net_loop *l)
{
    event_base_loop(l->base, EVLOOP_NO_EXIT_ON_EMPTY);
}

/* What the loop's clock says is due, whatever libevent's says. */
static bool fire_now(struct net_loop *l)
{
    const struct net_timer *t = net_timers_first(&l->timers);

    if (!t || t->due.ns > os_mono(l->clock).ns)
        return false;
    net_loop_enter(l);
    fire_due(l);
    net_loop_leave(l);
    set_alarm(l);
    return true;
}

void net_loop_once(struct net_loop *l, int64_t timeout_ms)
{
    struct timeval in = {timeout_ms / 1000, (timeout_ms % 1000) * 1000};

    bool due = fire_now(l);

    if (timeout_ms == 0 || due) {
        /* ONCE: NONBLOCK alone goes on for as long as anything is ready */
        event_base_loop(l->base, EVLOOP_NONBLOCK | EVLOOP_ONCE);
    } else {
        if (timeout_ms > 0)
            evtimer_add(l->timeout, &in);
        event_base_loop(l->base, EVLOOP_ONCE);
        if (timeout_ms > 0)
            evtimer_del(l->timeout);
    }
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

/* ---- descriptors of others ---- */

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
