#include "net/conn.h"

#include "net/answers.h"
#include "net/loop_impl.h"
#include "wire/frame.h"

#include <errno.h>
#include <event2/event_struct.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>

#define FRAME_FIRST     ((size_t)4 << 10)
#define READ_ROUNDS     8                 /* reads before other connections get their turn */
#define SEND_SLICE      ((size_t)4 << 20) /* bytes, likewise */
#define BUDGET_RETRY_MS 10

struct net_conn {
    struct net_loop *loop;
    const struct transport *t;
    void *self;
    const struct net_limits *limits;
    struct net_budget *budget;
    const struct net_conn_ops *ops;
    void *arg;
    struct event read_event, write_event, timer;
    struct net_deferred flush, revive;
    struct net_answers out;

    /* bytes that are no whole frame yet, or whole frames that a brake holds back */
    uint8_t *in;
    size_t in_n, in_cap, in_want; /* in_want: the first frame's size, once it is known */

    mono_ns due;         /* of the timer; 0: not set */
    mono_ns last_active; /* bytes have moved, in or out */
    mono_ns gain_from;   /* the frame under way is watched since */
    size_t gain_n;       /* with so many bytes */
    mono_ns out_moved;   /* output has progressed, or began to wait */

    int pauses;
    int busy; /* owner's callbacks under way */
    bool client, connecting, closed, draining, reading, writing;
    char peer[56];
};

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

/* ---- memory of frames ---- */

static void charge(struct net_budget *b, size_t n)
{
    if (b)
        atomic_fetch_add(&b->used, (int64_t)n);
}

static void discharge(struct net_budget *b, size_t n)
{
    if (b)
        atomic_fetch_sub(&b->used, (int64_t)n);
}

static bool over_budget(const struct net_conn *c)
{
    return c->budget && atomic_load(&c->budget->used) > c->budget->max;
}

static void drop_in(struct net_conn *c)
{
    if (!c->in)
        return;
    discharge(c->budget, c->in_cap);
    net_spare_give(c->loop, c->in, c->in_cap);
    c->in = NULL;
    c->in_n = c->in_cap = c->in_want = 0;
}

/* Room for n bytes in all; memory already at hand may be larger. */
static bool grow_in(struct net_conn *c, size_t n)
{
    size_t cap = c->in_cap ? c->in_cap : FRAME_FIRST;
    uint8_t *p;

    if (n <= c->in_cap)
        return true;
    while (cap < n)
        cap *= 2;
    /* the last step is to the frame's end, not past it */
    if (c->in_want >= n && cap > c->in_want)
        cap = c->in_want;
    p = c->in ? NULL : net_spare_take(c->loop, cap, &cap);
    if (!p)
        p = realloc(c->in, cap);
    if (!p)
        return false;
    charge(c->budget, cap - c->in_cap);
    c->in = p;
    c->in_cap = cap;
    return true;
}

static bool append_in(struct net_conn *c, const uint8_t *p, size_t n)
{
    if (!grow_in(c, c->in_n + n))
        return false;
    memcpy(c->in + c->in_n, p, n);
    c->in_n += n;
    return true;
}

bool net_frame_keep(struct net_conn *c, struct net_frame *f)
{
    uint8_t *copy;

    if (f->memory)
        return true;
    if (c->in && f->data == c->in + 4 && f->n + 4 == c->in_n) {
        f->memory = c->in;
        f->cap = c->in_cap;
        f->budget = c->budget;
        c->in = NULL;
        c->in_n = c->in_cap = c->in_want = 0;
        return true;
    }
    copy = malloc(f->n);
    if (!copy)
        return false;
    memcpy(copy, f->data, f->n);
    f->data = f->memory = copy;
    f->cap = f->n;
    f->budget = c->budget;
    charge(c->budget, f->cap);
    return true;
}

void net_frame_free(struct net_frame *f)
{
    if (!f->memory)
        return;
    discharge(f->budget, f->cap);
    free(f->memory);
    *f = (struct net_frame){0};
}

/* ---- the end ---- */

static void finish(struct net_conn *c, enum net_close_reason r, const char *why)
{
    if (c->closed)
        return;
    c->closed = true;
    event_del(&c->read_event);
    event_del(&c->write_event);
    event_del(&c->timer);
    net_undefer(c->loop, &c->flush);
    net_undefer(c->loop, &c->revive);
    drop_in(c);
    net_answers_abandon(&c->out);
    c->t->close(c->self);
    c->busy++;
    c->ops->on_closed(c->arg, c, r, why);
    c->busy--;
    if (c->busy == 0)
        free(c);
}

/* Ends a stretch in which c must stay; true while it is alive. */
static bool release(struct net_conn *c)
{
    if (--c->busy > 0 || !c->closed)
        return !c->closed;
    free(c);
    return false;
}

static void fail(struct net_conn *c, int err)
{
    enum net_close_reason r =
        err == ECONNRESET || err == EPIPE ? NET_CLOSED_BY_PEER : NET_CLOSED_ERROR;

    finish(c, r, strerrordesc_np(err));
}

void net_conn_close(struct net_conn *c)
{
    finish(c, NET_CLOSED_BY_US, "closed");
}

/* ---- deadlines ---- */

static mono_ns earlier(mono_ns a, mono_ns b)
{
    if (a.ns == 0 || (b.ns != 0 && b.ns < a.ns))
        return b;
    return a;
}

static bool out_waits(const struct net_conn *c)
{
    return net_answers_ready(&c->out);
}

/* When the next of the deadlines may pass; 0: none is running. */
static mono_ns next_due(const struct net_conn *c)
{
    const struct net_limits *l = c->limits;
    mono_ns due = {0};

    if (c->connecting)
        return due;
    if (out_waits(c))
        due = earlier(due, mono_add_ms(c->out_moved, l->out_stall_ms));
    if (c->reading && c->in && c->in_n > 0)
        due = earlier(due, mono_add_ms(c->gain_from, l->frame_gain_ms));
    if (l->idle_ms > 0 && c->reading && c->out.count == 0)
        due = earlier(due, mono_add_ms(c->last_active, l->idle_ms));
    return due;
}

/* Sets the timer if it would ring too late. It may ring too early: then it is set again. */
static void watch_deadlines(struct net_conn *c)
{
    mono_ns due = next_due(c), now;
    struct timeval in;
    int64_t us;

    if (due.ns == 0 || (c->due.ns != 0 && c->due.ns <= due.ns))
        return;
    now = net_loop_now(c->loop);
    us = due.ns > now.ns ? (due.ns - now.ns) / 1000 + 1000 : 0;
    in = (struct timeval){us / 1000000, us % 1000000};
    c->due = due;
    event_add(&c->timer, &in);
}

/* The frame under way has a fresh period to gain its bytes in. */
static void watch_gain(struct net_conn *c, mono_ns now)
{
    c->gain_from = now;
    c->gain_n = c->in_n;
}

static void deadline(evutil_socket_t fd, short what, void *arg)
{
    struct net_conn *c = arg;
    struct net_loop *l = c->loop;
    const struct net_limits *lim = c->limits;
    mono_ns now;

    (void)fd;
    (void)what;
    net_loop_enter(l);
    now = net_loop_now(l);
    c->due = (mono_ns){0};
    if (out_waits(c) && mono_diff_ms(now, c->out_moved) >= lim->out_stall_ms) {
        finish(c, NET_CLOSED_SLOW, "does not read its answers");
    } else if (c->reading && c->in && c->in_n > 0 &&
               mono_diff_ms(now, c->gain_from) >= lim->frame_gain_ms &&
               c->in_n - c->gain_n < lim->frame_gain) {
        finish(c, NET_CLOSED_SLOW, "sends a request too slowly");
    } else if (lim->idle_ms > 0 && c->reading && c->out.count == 0 &&
               mono_diff_ms(now, c->last_active) >= lim->idle_ms) {
        finish(c, NET_CLOSED_IDLE, "idle");
    } else {
        if (mono_diff_ms(now, c->gain_from) >= lim->frame_gain_ms)
            watch_gain(c, now);
        watch_deadlines(c);
    }
    net_loop_leave(l);
}

/* ---- brakes ---- */

static bool too_much_waits(const struct net_conn *c)
{
    return !c->client &&
           (c->out.count >= c->limits->max_answers || c->out.bytes >= c->limits->max_out_bytes);
}

/* No further frame is to be handed out. */
static bool braked(const struct net_conn *c)
{
    return c->pauses > 0 || c->draining || too_much_waits(c);
}

static void set_reading(struct net_conn *c, bool on)
{
    if (on == c->reading || c->closed)
        return;
    c->reading = on;
    if (on) {
        c->last_active = net_loop_now(c->loop);
        watch_gain(c, c->last_active);
        event_add(&c->read_event, NULL);
        watch_deadlines(c);
    } else {
        event_del(&c->read_event);
    }
}

/* ---- in ---- */

/* Hands out the whole frames at the front of [p, p + n). Returns how many bytes they took, or -1
 * when c has been closed. */
static ssize_t hand_out(struct net_conn *c, const uint8_t *p, size_t n)
{
    size_t done = 0;

    while (!braked(c)) {
        struct net_frame f = {0};
        struct slice body;
        size_t used, want;
        struct kerr e = {0};
        int rc = frame_parse(slice_of(p + done, n - done), c->limits->max_frame, &body, &used,
                             &want, &e);
        if (rc < 0) {
            finish(c, NET_CLOSED_MALFORMED, kerr_msg(&e));
            return -1;
        }
        if (rc == 0) {
            c->in_want = n > done && want > 4 ? want : 0;
            break;
        }
        f.data = (uint8_t *)(uintptr_t)body.p;
        f.n = body.n;
        done += used;
        c->ops->on_frame(c->arg, c, &f);
        if (c->closed)
            return -1;
    }
    return (ssize_t)done;
}

/* Hands out what lies in c->in. False when c has been closed. */
static bool hand_out_in(struct net_conn *c)
{
    size_t n = c->in_n;
    ssize_t k = hand_out(c, c->in, n);

    if (k < 0)
        return false;
    if (!c->in) /* the only frame in it was kept by its owner */
        return true;
    if ((size_t)k == n) {
        drop_in(c);
    } else if (k > 0) {
        memmove(c->in, c->in + k, n - (size_t)k);
        c->in_n = n - (size_t)k;
        watch_gain(c, net_loop_now(c->loop));
    }
    return true;
}

/* k bytes have come, the first of them into c->in, the rest into the scratch. */
static bool take(struct net_conn *c, size_t into_in, size_t k)
{
    size_t first = k < into_in ? k : into_in, rest = k - first;
    const uint8_t *p = c->loop->scratch;
    ssize_t used;

    if (into_in) {
        c->in_n += first;
        if (!hand_out_in(c))
            return false;
    }
    if (rest == 0)
        return true;
    if (!c->in) {
        used = hand_out(c, p, rest);
        if (used < 0)
            return false;
        p += used;
        rest -= (size_t)used;
        if (rest == 0)
            return true;
        if (c->in) { /* cannot be: frames of the scratch are copied */
            finish(c, NET_CLOSED_ERROR, "input out of order");
            return false;
        }
        watch_gain(c, net_loop_now(c->loop));
    }
    if (append_in(c, p, rest))
        return true;
    finish(c, NET_CLOSED_ERROR, "out of memory");
    return false;
}

/* One read. 1: go on, 0: that was all for now, -1: closed. */
static int read_once(struct net_conn *c)
{
    struct iovec v[2];
    size_t into_in = 0, asked;
    ssize_t k;
    int n = 0;

    if (c->in) {
        if (c->in_n == c->in_cap && !grow_in(c, c->in_n + 1)) {
            finish(c, NET_CLOSED_ERROR, "out of memory");
            return -1;
        }
        into_in = c->in_cap - c->in_n;
        if (c->in_want && into_in > c->in_want - c->in_n)
            into_in = c->in_want - c->in_n;
        v[n++] = (struct iovec){c->in + c->in_n, into_in};
    }
    if (!c->in || c->in_n + into_in == c->in_want)
        v[n++] = (struct iovec){c->loop->scratch, NET_SCRATCH};
    asked = into_in + (n == 2 || !into_in ? NET_SCRATCH : 0);
    k = c->t->readv(c->self, v, n);
    if (k < 0) {
        if (errno == EAGAIN || errno == EINTR)
            return 0;
        fail(c, errno);
        return -1;
    }
    if (k == 0) {
        finish(c, NET_CLOSED_BY_PEER, "closed by peer");
        return -1;
    }
    c->last_active = net_loop_now(c->loop);
    if (!take(c, into_in, (size_t)k))
        return -1;
    return (size_t)k == asked;
}

/* Over budget a frame that has begun may finish, no other begins. */
static bool may_read(struct net_conn *c)
{
    return !braked(c) && (!over_budget(c) || (c->in && c->in_n > 0));
}

static void starve(struct net_conn *c)
{
    struct timeval in = {0, BUDGET_RETRY_MS * 1000};

    set_reading(c, false);
    /* the deadline's timer serves: nothing that it watches runs while we do not read */
    c->due = net_loop_now(c->loop);
    event_add(&c->timer, &in);
}

static void readable(evutil_socket_t fd, short what, void *arg)
{
    struct net_conn *c = arg;
    struct net_loop *l = c->loop;
    int go = 1;

    (void)fd;
    (void)what;
    net_loop_enter(l);
    c->busy++;
    for (int i = 0; i < READ_ROUNDS && go == 1; i++) {
        if (braked(c))
            break;
        if (!may_read(c)) {
            starve(c);
            break;
        }
        go = read_once(c);
    }
    if (release(c)) {
        /* frames may lie here whole, so that no event of the socket would come for them */
        if (braked(c))
            set_reading(c, false);
        watch_deadlines(c);
    }
    net_loop_leave(l);
}

/* A brake may have been let go: first what lies here already, then the socket. */
static void revive(struct net_deferred *d)
{
    struct net_conn *c = (struct net_conn *)((char *)d - offsetof(struct net_conn, revive));

    if (c->closed || c->connecting || c->reading || braked(c))
        return;
    c->busy++;
    if (c->in && c->in_n > 0)
        hand_out_in(c);
    if (!release(c))
        return;
    if (!braked(c) && over_budget(c) && !(c->in && c->in_n > 0))
        starve(c);
    else if (!braked(c))
        set_reading(c, true);
}

static void timer_rang(evutil_socket_t fd, short what, void *arg)
{
    struct net_conn *c = arg;

    if (!c->reading && !braked(c) && !c->connecting) {
        net_loop_enter(c->loop);
        c->due = (mono_ns){0};
        net_defer(c->loop, &c->revive);
        net_loop_leave(c->loop);
        return;
    }
    deadline(fd, what, arg);
}

void net_conn_pause(struct net_conn *c)
{
    c->pauses++;
    set_reading(c, false);
}

void net_conn_resume(struct net_conn *c)
{
    if (--c->pauses == 0)
        net_defer(c->loop, &c->revive);
}

/* ---- out ---- */

static void want_write(struct net_conn *c, bool on)
{
    if (on == c->writing)
        return;
    c->writing = on;
    if (on)
        event_add(&c->write_event, NULL);
    else
        event_del(&c->write_event);
}

static void send_out(struct net_conn *c)
{
    bool waited = c->writing;
    size_t sent;
    int rc = net_answers_send(&c->out, c->t, c->self, SEND_SLICE, &sent);

    if (rc < 0) {
        fail(c, errno);
        return;
    }
    if (sent > 0 || !waited) {
        c->out_moved = net_loop_now(c->loop);
        if (sent > 0)
            c->last_active = c->out_moved;
    }
    want_write(c, rc == 0);
    if (c->draining && c->out.count == 0) {
        finish(c, NET_CLOSED_BY_US, "drained");
        return;
    }
    if (!c->reading && !braked(c))
        net_defer(c->loop, &c->revive);
    watch_deadlines(c);
}

static void flush(struct net_deferred *d)
{
    struct net_conn *c = (struct net_conn *)((char *)d - offsetof(struct net_conn, flush));

    if (!c->closed && !c->connecting && !c->writing)
        send_out(c);
}

static void connected(struct net_conn *c)
{
    socklen_t n = sizeof(int);
    int err = 0;

    getsockopt(c->t->fd(c->self), SOL_SOCKET, SO_ERROR, &err, &n);
    if (err) {
        finish(c, NET_CLOSED_ERROR, strerrordesc_np(err));
        return;
    }
    c->connecting = false;
    want_write(c, false);
    c->busy++;
    if (c->ops->on_connected)
        c->ops->on_connected(c->arg, c);
    if (!release(c))
        return;
    set_reading(c, c->pauses == 0);
    net_defer(c->loop, &c->flush);
}

static void writable(evutil_socket_t fd, short what, void *arg)
{
    struct net_conn *c = arg;
    struct net_loop *l = c->loop;

    (void)fd;
    (void)what;
    net_loop_enter(l);
    if (c->connecting)
        connected(c);
    else
        send_out(c);
    net_loop_leave(l);
}

struct net_answer *net_answer_new(struct net_conn *c)
{
    return net_answers_push(&c->out, c);
}

static void add_size(struct net_answer *a, size_t n)
{
    a->size += n;
    if (a->conn)
        a->conn->out.bytes += n;
}

bool net_answer_bytes(struct net_answer *a, struct buf *b)
{
    struct net_part *p = net_answer_part(a);

    if (!p)
        return false;
    p->bytes = *b;
    *b = (struct buf){0};
    add_size(a, p->bytes.n);
    return true;
}

bool net_answer_file(struct net_answer *a, const struct net_file *f)
{
    struct net_part *p = net_answer_part(a);

    if (!p)
        return false;
    p->kind = PART_FILE;
    p->file = *f;
    add_size(a, f->size);
    return true;
}

bool net_answer_wanted(const struct net_answer *a)
{
    return a->conn != NULL;
}

void net_answer_send(struct net_answer *a)
{
    struct net_conn *c = a->conn;

    if (!c) {
        net_answer_free(a);
        return;
    }
    a->length[0] = (uint8_t)(a->size >> 24);
    a->length[1] = (uint8_t)(a->size >> 16);
    a->length[2] = (uint8_t)(a->size >> 8);
    a->length[3] = (uint8_t)a->size;
    a->done = true;
    net_defer(c->loop, &c->flush);
}

void net_answer_drop(struct net_answer *a)
{
    struct net_conn *c = a->conn;
    struct net_answer **at;

    if (!c) {
        net_answer_free(a);
        return;
    }
    for (at = &c->out.head; *at != a;)
        at = &(*at)->next;
    *at = a->next;
    if (!a->next)
        c->out.tail = at;
    c->out.count--;
    c->out.bytes -= a->size;
    net_answer_free(a);
    net_defer(c->loop, &c->flush);
}

int net_conn_send(struct net_conn *c, struct buf *head, struct slice body, void (*sent)(void *arg),
                  void *arg)
{
    struct net_answer *a;
    struct net_part *p;

    if (c->closed)
        return KE_CLOSED;
    a = net_answers_push(&c->out, c);
    if (!a)
        return KE_NOMEM;
    net_answer_bytes(a, head); /* the first parts need no memory */
    if (body.p) {
        p = net_answer_part(a);
        p->kind = PART_BORROWED;
        p->borrowed = body;
        p->file.release = sent;
        p->file.arg = arg;
        add_size(a, body.n);
    }
    net_answer_send(a);
    return 0;
}

void net_conn_drain(struct net_conn *c)
{
    c->draining = true;
    set_reading(c, false);
    if (c->out.count == 0)
        finish(c, NET_CLOSED_BY_US, "drained");
}

/* ---- the beginning ---- */

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
    c->flush.run = flush;
    c->revive.run = revive;
    net_answers_init(&c->out);
    event_assign(&c->read_event, l->base, fd, EV_READ | EV_PERSIST, readable, c);
    event_assign(&c->write_event, l->base, fd, EV_WRITE | EV_PERSIST, writable, c);
    event_assign(&c->timer, l->base, -1, 0, timer_rang, c);
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
    set_reading(c, true);
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
    want_write(c, true);
    *out = c;
    return 0;
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
