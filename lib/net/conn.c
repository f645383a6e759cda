#include "net/conn_impl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

void net_limits_default(struct net_limits *l)
{
    *l = (struct net_limits){
        .max_frame = (size_t)100 << 20,
        .max_out_bytes = (size_t)8 << 20,
        .max_answers = 64,
        .idle_ms = 600000,
        .frame_gain_ms = 8000,
        .frame_gain = 512,
        .out_stall_ms = 60000,
    };
}

/* ---- the end ---- */

void net_conn_finish(struct net_conn *c, enum net_close_reason r, const char *why)
{
    if (c->closed)
        return;
    c->closed = true;
    c->busy++;
    event_del(&c->read_event);
    event_del(&c->write_event);
    net_timer_clear(&c->timer);
    net_undefer(c->loop, &c->flush);
    net_undefer(c->loop, &c->revive);
    net_budget_unawait(&c->starved);
    net_answers_abandon(&c->out);
    c->t->close(c->self);
    c->ops->on_closed(c->arg, c, r, why);
    net_conn_release(c);
}

bool net_conn_release(struct net_conn *c)
{
    bool open = !c->closed;

    if (--c->busy == 0 && !open) {
        /* only now: a frame may have been in its owner's hands */
        net_conn_drop_in(c);
        free(c);
    }
    return open;
}

void net_conn_fail(struct net_conn *c, int err)
{
    enum net_close_reason r =
        err == ECONNRESET || err == EPIPE ? NET_CLOSED_BY_PEER : NET_CLOSED_ERROR;

    net_conn_finish(c, r, strerrordesc_np(err));
}

void net_conn_close(struct net_conn *c)
{
    net_conn_finish(c, NET_CLOSED_BY_US, "closed");
}

/* ---- deadlines ---- */

static bool out_waits(const struct net_conn *c)
{
    return net_answers_ready(&c->out);
}

static bool frame_waits(const struct net_conn *c)
{
    return c->reading && c->in_n > 0;
}

static bool is_idle(const struct net_conn *c)
{
    return c->limits->idle_ms > 0 && c->reading && c->out.count == 0;
}

/* Whether at is the earliest so far. */
static void earliest(mono_ns *due, mono_ns from, int64_t ms)
{
    mono_ns at = mono_add_ms(from, ms);

    if (due->ns == 0 || at.ns < due->ns)
        *due = at;
}

/* Sets the timer if it would ring too late. It may ring too early: then it is set again, so that
 * activity, which is frequent, moves no timer. Without memory for it the next activity tries again.
 */
void net_conn_watch_deadlines(struct net_conn *c)
{
    const struct net_limits *l = c->limits;
    mono_ns due = {0};

    if (c->connecting)
        return;
    if (out_waits(c))
        earliest(&due, c->out_moved, l->out_stall_ms);
    if (frame_waits(c))
        earliest(&due, c->gain_from, l->frame_gain_ms);
    if (is_idle(c))
        earliest(&due, c->last_active, l->idle_ms);
    if (due.ns == 0 || (c->timer.place && c->timer.due.ns <= due.ns))
        return;
    net_timer_set(&c->timer, mono_diff_ms(due, net_loop_now(c->loop)) + 1);
}

void net_conn_watch_gain(struct net_conn *c)
{
    c->gain_from = net_loop_now(c->loop);
    c->gain_n = c->in_n;
}

static void timer_rang(struct net_timer *t)
{
    struct net_conn *c = NET_OWNER(struct net_conn, timer, t);
    const struct net_limits *l = c->limits;
    mono_ns now = net_loop_now(c->loop);

    if (out_waits(c) && mono_diff_ms(now, c->out_moved) >= l->out_stall_ms) {
        net_conn_finish(c, NET_CLOSED_SLOW_OUT, "does not read its answers");
    } else if (frame_waits(c) && mono_diff_ms(now, c->gain_from) >= l->frame_gain_ms) {
        net_conn_finish(c, NET_CLOSED_SLOW_IN, "sends a request too slowly");
    } else if (is_idle(c) && mono_diff_ms(now, c->last_active) >= l->idle_ms) {
        net_conn_finish(c, NET_CLOSED_IDLE, "idle");
    } else {
        net_conn_watch_deadlines(c);
    }
}

/* ---- brakes ---- */

bool net_conn_braked(const struct net_conn *c)
{
    const struct net_limits *l = c->limits;

    return c->pauses > 0 || c->draining ||
           (!c->client && (c->out.count >= l->max_answers || c->out.bytes >= l->max_out_bytes));
}

void net_conn_set_reading(struct net_conn *c, bool on)
{
    if (on == c->reading || c->closed)
        return;
    c->reading = on;
    if (on) {
        c->last_active = net_loop_now(c->loop);
        net_conn_watch_gain(c);
        event_add(&c->read_event, NULL);
        net_conn_watch_deadlines(c);
    } else {
        event_del(&c->read_event);
    }
}

/* A brake may have been let go: first what lies here already, then the socket. */
static void revive(struct net_deferred *d)
{
    struct net_conn *c = NET_OWNER(struct net_conn, revive, d);
    bool open;

    if (c->connecting || c->reading || c->starved.next || net_conn_braked(c))
        return;
    c->busy++;
    open = c->in_n == 0 || net_conn_hand_out(c);
    if (open && !net_conn_braked(c)) {
        if (c->in_n == 0 && net_budget_over(c->budget))
            net_conn_starve(c);
        else
            net_conn_set_reading(c, true);
    }
    net_conn_release(c);
}

static void fed(struct net_starved *s)
{
    struct net_conn *c = NET_OWNER(struct net_conn, starved, s);

    net_defer(c->loop, &c->revive);
}

bool net_conn_starve(struct net_conn *c)
{
    net_conn_set_reading(c, false);
    if (net_budget_await(c->loop, c->budget, &c->starved, c->in_n > 0))
        return true;
    net_conn_finish(c, NET_CLOSED_ERROR, "out of memory");
    return false;
}

void net_conn_pause(struct net_conn *c)
{
    c->pauses++;
    net_conn_set_reading(c, false);
}

void net_conn_resume(struct net_conn *c)
{
    if (--c->pauses == 0 && !c->closed)
        net_defer(c->loop, &c->revive);
}

void net_conn_drain(struct net_conn *c)
{
    c->draining = true;
    net_conn_set_reading(c, false);
    if (c->out.count == 0)
        net_conn_finish(c, NET_CLOSED_BY_US, "drained");
}

/* ---- the beginning ---- */

static void connected(struct net_conn *c)
{
    socklen_t n = sizeof(int);
    int err = 0;

    getsockopt(c->t->fd(c->self), SOL_SOCKET, SO_ERROR, &err, &n);
    if (err) {
        net_conn_finish(c, NET_CLOSED_ERROR, strerrordesc_np(err));
        return;
    }
    c->connecting = false;
    net_conn_want_write(c, false);
    if (c->ops->on_connected)
        c->ops->on_connected(c->arg, c);
    if (c->closed)
        return;
    net_conn_set_reading(c, !net_conn_braked(c));
    net_defer(c->loop, &c->flush);
}

static void writable(evutil_socket_t fd, short what, void *arg)
{
    struct net_conn *c = arg;
    struct net_loop *l = c->loop;

    (void)fd;
    (void)what;
    net_loop_enter(l);
    c->busy++;
    if (c->connecting)
        connected(c);
    else
        net_conn_send_out(c);
    net_conn_release(c);
    net_loop_leave(l);
}

static struct net_conn *make(struct net_loop *l, const struct transport *t, void *self,
                             const struct net_limits *limits, struct net_budget *budget,
                             const struct net_conn_ops *ops, void *arg)
{
    struct net_conn *c = calloc(1, sizeof *c);
    int fd = t->fd(self);

    if (!l->scratch)
        l->scratch = malloc(NET_SCRATCH);
    if (!c || !l->scratch) {
        free(c);
        t->close(self);
        return NULL;
    }
    c->loop = l;
    c->t = t;
    c->self = self;
    c->limits = limits;
    c->budget = budget;
    c->ops = ops;
    c->arg = arg;
    c->flush.run = net_conn_flush;
    c->revive.run = revive;
    c->starved.fed = fed;
    net_answers_init(&c->out);
    net_timer_init(&c->timer, l, timer_rang);
    event_assign(&c->read_event, l->base, fd, EV_READ | EV_PERSIST, net_conn_readable, c);
    event_assign(&c->write_event, l->base, fd, EV_WRITE | EV_PERSIST, writable, c);
    c->last_active = c->out_moved = net_loop_now(l);
    return c;
}

static void name_peer(struct net_conn *c, int fd)
{
    struct sockaddr_storage sa = {0};
    socklen_t n = sizeof sa;
    struct net_addr a;

    snprintf(c->peer, sizeof c->peer, "unix");
    if (getpeername(fd, (struct sockaddr *)&sa, &n) == 0 && net_addr_from(&sa, &a) && !a.is_unix)
        net_addr_format(&a, c->peer, sizeof c->peer);
}

int net_conn_new(struct net_conn **out, struct net_loop *l, const struct transport *t, void *self,
                 const struct net_limits *limits, struct net_budget *budget,
                 const struct net_conn_ops *ops, void *arg, struct kerr *e)
{
    struct net_conn *c = make(l, t, self, limits, budget, ops, arg);

    *out = c;
    if (!c)
        return kerr_set(e, KE_NOMEM, "connection");
    name_peer(c, t->fd(self));
    net_conn_set_reading(c, true);
    return 0;
}

int net_connect(struct net_conn **out, struct net_loop *l, const struct net_addr *a,
                const struct net_limits *limits, const struct net_conn_ops *ops, void *arg,
                struct kerr *e)
{
    struct net_conn *c;
    int fd = -1, rc = net_addr_connect(a, &fd, e);

    *out = NULL;
    if (rc < 0)
        return rc;
    c = make(l, &transport_plain, (void *)(intptr_t)fd, limits, NULL, ops, arg);
    if (!c)
        return kerr_set(e, KE_NOMEM, "connection");
    net_addr_format(a, c->peer, sizeof c->peer);
    c->client = true;
    c->connecting = true;
    net_conn_want_write(c, true);
    *out = c;
    return 0;
}

void net_conn_limits_changed(struct net_conn *c)
{
    net_conn_watch_deadlines(c);
}

void *net_conn_arg(const struct net_conn *c)
{
    return c->arg;
}

struct net_loop *net_conn_loop(const struct net_conn *c)
{
    return c->loop;
}

const char *net_conn_peer(const struct net_conn *c)
{
    return c->peer;
}
