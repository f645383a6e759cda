#include "net/conn_impl.h"

#include "wire/frame.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FRAME_FIRST ((size_t)4 << 10)
#define FRAME_LARGE ((size_t)64 << 10)
#define READ_ROUNDS 8 /* reads before other connections get their turn */

/* ---- memory of frames ---- */

void net_conn_drop_in(struct net_conn *c)
{
    if (!c->in)
        return;
    net_budget_finished(c->budget, c);
    net_budget_discharge(c->budget, c->in_cap);
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
    p = c->in ? NULL : net_spare_take(c->loop, n, &cap);
    if (!p)
        p = realloc(c->in, cap);
    if (!p)
        return false;
    net_budget_charge(c->budget, cap - c->in_cap);
    c->in = p;
    c->in_cap = cap;
    return true;
}

static bool append_in(struct net_conn *c, const uint8_t *p, size_t n)
{
    if (!grow_in(c, c->in_n + n)) {
        net_conn_finish(c, NET_CLOSED_ERROR, "out of memory");
        return false;
    }
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
        net_budget_finished(c->budget, c);
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
    net_budget_charge(c->budget, f->cap);
    return true;
}

void net_frame_free(struct net_frame *f)
{
    if (!f->memory)
        return;
    free(f->memory);
    net_budget_discharge(f->budget, f->cap);
    *f = (struct net_frame){0};
}

/* ---- handing out ---- */

/* Hands out the whole frames at the front of [p, p + n), as far as the brakes let it. Returns how
 * many bytes they took, or -1 when c has been closed. */
static ssize_t hand_out(struct net_conn *c, uint8_t *p, size_t n)
{
    size_t done = 0;

    c->in_want = 0;
    while (done < n && !net_conn_braked(c)) {
        struct net_frame f = {0};
        struct kerr e = {0};
        struct slice body;
        size_t used, want;
        int rc = frame_parse(slice_of(p + done, n - done), c->limits->max_frame, &body, &used,
                             &want, &e);
        if (rc < 0) {
            net_conn_finish(c, NET_CLOSED_MALFORMED, kerr_msg(&e));
            return -1;
        }
        if (rc == 0) {
            c->in_want = want > 4 ? want : 0;
            break;
        }
        f.data = p + done + 4;
        f.n = body.n;
        done += used;
        c->ops->on_frame(c->arg, c, &f);
        if (c->closed)
            return -1;
    }
    return (ssize_t)done;
}

bool net_conn_hand_out(struct net_conn *c)
{
    size_t n = c->in_n;
    ssize_t k = hand_out(c, c->in, n);

    if (k < 0)
        return false;
    if (!c->in) /* the only frame in it was kept by its owner */
        return true;
    if ((size_t)k == n) {
        net_conn_drop_in(c);
    } else if (k > 0) {
        net_budget_finished(c->budget, c);
        memmove(c->in, c->in + k, n - (size_t)k);
        c->in_n = n - (size_t)k;
        net_conn_watch_gain(c);
    }
    return true;
}

/* ---- reading ---- */

/* k bytes have come, the first of them into c->in, the rest into the scratch. False when c has been
 * closed. */
static bool take(struct net_conn *c, size_t into_in, size_t k)
{
    size_t first = k < into_in ? k : into_in, rest = k - first;
    uint8_t *p = c->loop->scratch;
    ssize_t used;

    if (first > 0) {
        c->in_n += first;
        if (!net_conn_hand_out(c))
            return false;
    }
    if (rest > 0 && !c->in) {
        used = hand_out(c, p, rest);
        if (used < 0)
            return false;
        p += used;
        rest -= (size_t)used;
        net_conn_watch_gain(c);
    }
    return rest == 0 || append_in(c, p, rest);
}

/* One read. 1: go on, 0: that was all for now, -1: closed. */
static int read_once(struct net_conn *c)
{
    size_t into_in = 0, asked;
    struct iovec v[2];
    ssize_t k;
    int n = 0;

    if (c->in) {
        if (c->in_n == c->in_cap && !grow_in(c, c->in_n + 1)) {
            net_conn_finish(c, NET_CLOSED_ERROR, "out of memory");
            return -1;
        }
        into_in = c->in_cap - c->in_n;
        if (c->in_want > c->in_n && into_in > c->in_want - c->in_n)
            into_in = c->in_want - c->in_n;
        v[n++] = (struct iovec){c->in + c->in_n, into_in};
    }
    asked = into_in;
    /* what follows a frame that this read may complete */
    if (!c->in || c->in_n + into_in == c->in_want) {
        v[n++] = (struct iovec){c->loop->scratch, NET_SCRATCH};
        asked += NET_SCRATCH;
    }
    k = c->t->readv(c->self, v, n);
    if (k < 0) {
        if (errno == EAGAIN || errno == EINTR)
            return 0;
        net_conn_fail(c, errno);
        return -1;
    }
    if (k == 0) {
        net_conn_finish(c, NET_CLOSED_BY_PEER, "closed by peer");
        return -1;
    }
    c->last_active = net_loop_now(c->loop);
    if (!take(c, into_in, (size_t)k))
        return -1;
    if (c->in_n >= c->gain_n + c->limits->frame_gain)
        net_conn_watch_gain(c);
    return (size_t)k == asked;
}

/* Over budget: no frame begins, and a large one that has begun waits for its turn to grow. */
static bool must_wait(struct net_conn *c)
{
    if (c->in_n == 0)
        return net_budget_over(c->budget);
    return c->in_n == c->in_cap && c->in_cap >= FRAME_LARGE &&
           net_budget_lacks(c->budget, c->in_cap) && !net_budget_finish(c->budget, c);
}

void net_conn_readable(evutil_socket_t fd, short what, void *arg)
{
    struct net_conn *c = arg;
    struct net_loop *l = c->loop;
    int go = 1;

    (void)fd;
    (void)what;
    net_loop_enter(l);
    c->busy++;
    for (int i = 0; i < READ_ROUNDS && go == 1 && !net_conn_braked(c); i++) {
        if (must_wait(c))
            go = net_conn_starve(c) ? 0 : -1;
        else
            go = read_once(c);
    }
    if (go >= 0) {
        /* frames may lie here whole, so that no event of the socket would come for them */
        if (net_conn_braked(c))
            net_conn_set_reading(c, false);
        net_conn_watch_deadlines(c);
    }
    net_conn_release(c);
    net_loop_leave(l);
}
