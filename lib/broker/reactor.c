#include "broker/reactor.h"

#include "broker/dispatch.h"

#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define SPARE_REQUESTS 64
#define SPARE_ARENA    ((size_t)64 << 10) /* larger ones are given back */
#define STACK          ((size_t)256 << 10)

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

static void on_frame(void *arg, struct net_conn *conn, struct net_frame *f)
{
    (void)conn;
    dispatch(arg, f);
}

static void on_closed(void *arg, struct net_conn *conn, enum net_close_reason why, const char *text)
{
    struct connection *c = arg;
    struct reactor *r = c->reactor;

    if (why == NET_CLOSED_MALFORMED || why == NET_CLOSED_SLOW)
        diag(r->broker->diag, DIAG_INFO, "%s: %s, connection closed", net_conn_peer(conn), text);
    *c->at = c->next;
    if (c->next)
        c->next->at = c->at;
    atomic_fetch_sub(&r->broker->connections, 1);
    free(c);
    if (r->draining && !r->connections)
        net_loop_stop(r->loop);
}

static const struct net_conn_ops conn_ops = {on_frame, on_closed, NULL};

static void open_connection(struct reactor *r, int fd, int listener)
{
    struct connection *c = calloc(1, sizeof *c);
    struct sockaddr_storage sa;
    socklen_t n = sizeof sa;

    if (!c || r->draining) {
        free(c);
        close(fd);
        atomic_fetch_sub(&r->broker->connections, 1);
        return;
    }
    c->reactor = r;
    c->listener = listener;
    if (getsockname(fd, (struct sockaddr *)&sa, &n) == 0)
        net_addr_from(&sa, &c->local);
    if (net_conn_new(&c->conn, r->loop, &transport_plain, (void *)(intptr_t)fd, &r->broker->limits,
                     &r->broker->budget, &conn_ops, c, NULL) < 0) {
        free(c);
        atomic_fetch_sub(&r->broker->connections, 1);
        return;
    }
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
};

static void take_gift(struct net_task *t)
{
    struct gift *g = (struct gift *)t;

    open_connection(g->to, g->fd, g->listener);
    free(g);
}

void reactor_give(struct reactor *r, int fd, int listener)
{
    struct gift *g = malloc(sizeof *g);

    if (!g) {
        close(fd);
        atomic_fetch_sub(&r->broker->connections, 1);
        return;
    }
    *g = (struct gift){{take_gift, NULL}, r, fd, listener};
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
    rc = net_loop_new(&r->loop, b->clock, e);
    if (rc < 0) {
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

struct ending {
    struct net_task task;
    struct reactor *r;
    struct net_timer timer;
    int64_t grace_ms;
};

static void grace_over(struct net_timer *t)
{
    struct ending *end = (struct ending *)((char *)t - offsetof(struct ending, timer));

    while (end->r->connections)
        net_conn_close(end->r->connections->conn);
    net_loop_stop(end->r->loop);
}

static void begin_ending(struct net_task *t)
{
    struct ending *end = (struct ending *)t;
    struct reactor *r = end->r;

    r->draining = true;
    for (struct connection *c = r->connections, *next; c; c = next) {
        next = c->next;
        net_conn_drain(c->conn);
    }
    if (!r->connections)
        net_loop_stop(r->loop);
    else if (net_timer_set(&end->timer, end->grace_ms) < 0)
        grace_over(&end->timer);
}

void reactor_stop(struct reactor *r, int64_t grace_ms)
{
    struct ending end = {.task = {begin_ending, NULL}, .r = r, .grace_ms = grace_ms};

    if (!r->running)
        return;
    net_timer_init(&end.timer, r->loop, grace_over);
    net_post(r->loop, &end.task);
    pthread_join(r->thread, NULL);
    r->running = false;
    net_timer_clear(&end.timer);
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
    free(r);
}
