#include "broker/reactor.h"

#include "broker/dispatch.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define SPARE_REQUESTS 64
#define REQUEST_MAX    ((size_t)64 << 20) /* what a request may decode to, its records apart */
#define STACK          ((size_t)256 << 10)
#define COMPLAINTS     20 /* a minute */

const int32_t stat_bounds_us[STAT_BOUNDS] = {50,     100,     200,     500,     1000,    2000,
                                             5000,   10000,   20000,   50000,   100000,  200000,
                                             500000, 1000000, 2000000, 5000000, 10000000};

/* ---- requests ---- */

struct request *reactor_request(struct reactor *r)
{
    struct request *q = r->spare;

    if (q) {
        r->spare = q->next;
        r->spare_count--;
    } else {
        q = calloc(1, sizeof *q);
        if (!q)
            return NULL;
        q->arena.max = REQUEST_MAX;
    }
    q->next = NULL;
    q->broker = r->broker;
    q->reactor = r;
    r->open_requests++;
    return q;
}

void reactor_recycle(struct reactor *r, struct request *q)
{
    struct arena arena = q->arena;

    if (q->watch_at) {
        *q->watch_at = q->next_watch;
        if (q->next_watch)
            q->next_watch->watch_at = q->watch_at;
    }
    if (q->charged)
        net_budget_discharge(&r->broker->budget, q->charged);
    if (r->handled == q)
        r->handled = NULL;
    r->open_requests--;
    if (r->spare_count == SPARE_REQUESTS) {
        arena_free(&arena);
        free(q);
        return;
    }
    if (arena.total > SPARE_ARENA)
        arena_free(&arena);
    else
        arena_reset(&arena);
    *q = (struct request){.arena = arena, .next = r->spare};
    r->spare = q;
    r->spare_count++;
}

/* ---- connections ---- */

void reactor_complain(struct reactor *r, const char *fmt, ...)
{
    mono_ns now = net_loop_now(r->loop);
    char text[512];
    va_list ap;

    if (r->complaints == 0 || mono_diff_ms(now, r->complained_at) >= 60000) {
        if (r->complaints > COMPLAINTS)
            diag(r->broker->diag, DIAG_INFO, "%d more connections closed for such reasons",
                 r->complaints - COMPLAINTS);
        r->complaints = 0;
        r->complained_at = now;
    }
    if (++r->complaints > COMPLAINTS)
        return;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    diag(r->broker->diag, DIAG_INFO, "%s", text);
}

static void on_frame(void *arg, struct net_conn *conn, struct net_frame *f)
{
    (void)conn;
    dispatch(arg, f);
}

/* A connection is no more. */
static void one_less(struct broker *b, const char *address)
{
    guests_leave(b->guests, address);
    atomic_fetch_sub(&b->connections, 1);
}

static void on_closed(void *arg, struct net_conn *conn, enum net_close_reason why, const char *text)
{
    struct connection *c = arg;
    struct reactor *r = c->reactor;

    if (why == NET_CLOSED_MALFORMED || why == NET_CLOSED_SLOW_IN || why == NET_CLOSED_SLOW_OUT)
        reactor_complain(r, "%s: %s, connection closed", net_conn_peer(conn), text);
    while (c->watching) {
        struct request *q = c->watching;
        c->watching = q->next_watch;
        if (c->watching)
            c->watching->watch_at = &c->watching;
        q->next_watch = NULL;
        q->watch_at = NULL;
        q->gone(q);
    }
    *c->at = c->next;
    if (c->next)
        c->next->at = c->at;
    one_less(r->broker, c->address);
    counter_add(&r->conns.closed[why], 1);
    free(c);
    if (r->draining && !r->connections)
        net_loop_stop(r->loop);
}

static const struct net_conn_ops conn_ops = {on_frame, on_closed, NULL};

static void open_connection(struct reactor *r, int fd, int listener, const char *address)
{
    struct connection *c = calloc(1, sizeof *c);
    struct sockaddr_storage sa;
    socklen_t n = sizeof sa;

    if (!c || r->draining) {
        if (!c)
            counter_add(&r->conns.refused[CONNECTION_NO_MEMORY], 1);
        free(c);
        close(fd);
        one_less(r->broker, address);
        return;
    }
    c->reactor = r;
    c->listener = listener;
    memcpy(c->address, address, sizeof c->address);
    if (getsockname(fd, (struct sockaddr *)&sa, &n) == 0)
        net_addr_from(&sa, &c->local);
    if (net_conn_new(&c->conn, r->loop, &transport_plain, (void *)(intptr_t)fd, &r->limits,
                     &r->broker->budget, &conn_ops, c, NULL) < 0) {
        free(c);
        one_less(r->broker, address);
        counter_add(&r->conns.refused[CONNECTION_NO_MEMORY], 1);
        return;
    }
    counter_add(&r->conns.accepted, 1);
    c->next = r->connections;
    c->at = &r->connections;
    if (c->next)
        c->next->at = &c->next;
    r->connections = c;
}

struct gift {
    struct net_task task;
    struct reactor *to;
    int fd, listener;
    char address[GUEST_ADDRESS];
};

static void take_gift(struct net_task *t)
{
    struct gift *g = (struct gift *)t;

    open_connection(g->to, g->fd, g->listener, g->address);
    free(g);
}

void reactor_give(struct reactor *r, int fd, int listener, const char *address)
{
    struct gift *g = malloc(sizeof *g);

    if (!g) {
        close(fd);
        one_less(r->broker, address);
        counter_add(&r->broker->reactors[0]->conns.refused[CONNECTION_NO_MEMORY], 1);
        return;
    }
    *g = (struct gift){{take_gift, NULL}, r, fd, listener, ""};
    memcpy(g->address, address, sizeof g->address);
    net_post(r->loop, &g->task);
}

/* ---- life ---- */

int reactor_new(struct reactor **out, struct broker *b, struct kerr *e)
{
    struct reactor *r = calloc(1, sizeof *r);
    int rc;

    *out = NULL;
    if (!r)
        return kerr_set(e, KE_NOMEM, "reactor");
    r->broker = b;
    r->limits = b->limits;
    r->stats = calloc(api_count(), sizeof *r->stats);
    rc = r->stats ? net_loop_new(&r->loop, b->clock, e) : kerr_set(e, KE_NOMEM, "reactor");
    if (rc < 0) {
        free(r->stats);
        free(r);
        return rc;
    }
    *out = r;
    return 0;
}

static void *run(void *arg)
{
    net_loop_run(((struct reactor *)arg)->loop);
    return NULL;
}

int reactor_start(struct reactor *r, struct kerr *e)
{
    pthread_attr_t attr;
    sigset_t all, old;
    int rc;

    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    rc = pthread_create(&r->thread, &attr, run, r);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    pthread_attr_destroy(&attr);
    if (rc != 0)
        return kerr_set(e, KE_NOMEM, "cannot start a thread");
    r->running = true;
    return 0;
}

static void grace_over(struct net_timer *t)
{
    struct reactor *r = (struct reactor *)((char *)t - offsetof(struct reactor, grace));

    while (r->connections)
        net_conn_close(r->connections->conn);
    net_loop_stop(r->loop);
}

static void begin_ending(struct net_task *t)
{
    struct reactor *r = (struct reactor *)((char *)t - offsetof(struct reactor, end));

    r->draining = true;
    for (struct connection *c = r->connections, *next; c; c = next) {
        next = c->next;
        net_conn_drain(c->conn);
    }
    if (!r->connections)
        net_loop_stop(r->loop);
    else if (net_timer_set(&r->grace, r->grace_ms) < 0)
        grace_over(&r->grace);
}

void reactor_stop(struct reactor *r, int64_t grace_ms)
{
    if (!r->running)
        return;
    r->grace_ms = grace_ms;
    r->end.run = begin_ending;
    net_timer_init(&r->grace, r->loop, grace_over);
    net_post(r->loop, &r->end);
}

void reactor_join(struct reactor *r)
{
    if (!r->running)
        return;
    pthread_join(r->thread, NULL);
    r->running = false;
    net_timer_clear(&r->grace);
}

void reactor_free(struct reactor *r)
{
    if (!r)
        return;
    net_loop_free(r->loop);
    while (r->spare) {
        struct request *next = r->spare->next;
        arena_free(&r->spare->arena);
        free(r->spare);
        r->spare = next;
    }
    free(r->stats);
    free(r);
}
