/*
 * Deadlines, the budget, and what a connection costs when nothing happens. No test waits: the clock
 * is moved.
 */
#include "net_support.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static void idle_connections_are_closed(void **state)
{
    struct buf in = {0};
    struct rig r;

    rig_start(&r, way_of(state));
    rig_wait(&r, 599000);
    put_frame(&in, slice_str("D nothing to send, either"));
    rig_exchange(&r, buf_slice(&in));
    rig_wait(&r, 599000); /* the request has moved the deadline */
    assert_int_equal(r.closed, 0);
    rig_wait(&r, 2000);
    assert_int_equal(r.closed, 1);
    assert_int_equal(r.reason, NET_CLOSED_IDLE);
    rig_end(&r);
    buf_free(&in);
}

/* A request under way, however long it takes, is not idleness. */
static void who_waits_for_an_answer_is_not_idle(void **state)
{
    struct buf in = {0};
    struct rig r;

    rig_start(&r, way_of(state));
    put_frame(&in, slice_str("P"));
    rig_exchange(&r, buf_slice(&in));
    for (int i = 0; i < 5; i++)
        rig_wait(&r, 700000);
    assert_int_equal(r.closed, 0);
    rig_answer(&r, 0, slice_str("at last"));
    rig_settle(&r);
    rig_wait(&r, 599000);
    assert_int_equal(r.closed, 0);
    rig_wait(&r, 2000);
    assert_int_equal(r.reason, NET_CLOSED_IDLE);
    rig_end(&r);
    buf_free(&in);
}

static void a_frame_must_gain(void **state)
{
    struct buf in = {0};
    struct rig r;

    rig_start(&r, way_of(state));
    put_pattern(&in, 'D', 100000, 3);
    in.p[0] = in.p[1] = 0; /* a frame of up to 64 KiB */
    rig_exchange(&r, slice_of(in.p, 100));
    for (int i = 0; i < 5; i++) { /* 512 bytes in 8 s are enough */
        rig_wait(&r, 7000);
        rig_exchange(&r, slice_of(in.p + 100 + i * 520, 520));
        rig_wait(&r, 900);
        assert_int_equal(r.closed, 0);
    }
    rig_exchange(&r, slice_of(in.p + 5000, 200));
    rig_wait(&r, 7200);
    assert_int_equal(r.closed, 1);
    assert_int_equal(r.reason, NET_CLOSED_SLOW_IN);
    rig_end(&r);
    buf_free(&in);
}

/* However much came at first: what counts is what has come since. */
static void a_frame_must_go_on_gaining(void **state)
{
    struct buf in = {0};
    struct rig r;

    rig_start(&r, way_of(state));
    put_pattern(&in, 'D', 100000, 3);
    in.p[0] = in.p[1] = 0;
    rig_wait(&r, 5000);
    rig_exchange(&r, slice_of(in.p, 2000));
    rig_wait(&r, 7900);
    assert_int_equal(r.closed, 0);
    rig_wait(&r, 200);
    assert_int_equal(r.closed, 1);
    assert_int_equal(r.reason, NET_CLOSED_SLOW_IN);
    rig_end(&r);
    buf_free(&in);
}

/* While it is we who do not read, nobody is slow or idle. */
static void not_reading_stops_the_deadlines(void **state)
{
    struct buf in = {0};
    struct rig r;

    rig_start(&r, way_of(state));
    put_frame(&in, slice_str("E cut"));
    rig_exchange(&r, slice_of(in.p, 6));
    net_conn_pause(r.conn);
    rig_wait(&r, 100000);
    rig_wait(&r, 1000000);
    assert_int_equal(r.closed, 0);
    net_conn_resume(r.conn);
    rig_wait(&r, 7000);
    assert_int_equal(r.closed, 0);
    rig_exchange(&r, slice_of(in.p + 6, in.n - 6));
    assert_int_equal(r.frames, 1);
    rig_end(&r);
    buf_free(&in);
}

static void output_must_move(void **state)
{
    struct buf body = {0};
    struct rig r;
    int peer;

    rig_start(&r, way_of(state));
    rig_exchange(&r, slice_of("\0\0\0\1P", 5));
    put_pattern(&body, 'x', 30000000, 1); /* no socket takes all of it */
    peer = r.peer;                        /* it does not read */
    r.peer = -1;
    rig_answer(&r, 0, buf_slice(&body));
    rig_settle(&r);
    rig_wait(&r, 59000);
    assert_int_equal(r.closed, 0);
    for (size_t before = r.transport.sent; r.transport.sent == before;) { /* it reads a little */
        uint8_t space[10000];
        assert_true(recv(peer, space, sizeof space, MSG_DONTWAIT) >= 0 || errno == EAGAIN);
        net_loop_once(r.loop, 1);
    }
    rig_wait(&r, 59000);
    assert_int_equal(r.closed, 0);
    for (int i = 0; i < 5; i++) /* the socket may find room for a little more */
        rig_wait(&r, 61000);
    assert_int_equal(r.closed, 1);
    assert_int_equal(r.reason, NET_CLOSED_SLOW_OUT);
    close(peer);
    rig_end(&r);
    buf_free(&body);
}

/* Two loops, one budget: what is freed on one lets the other read. */
static void the_budget_is_shared(void **state)
{
    struct buf big = {0}, in = {0}, frame = {0};
    struct rig a, b;

    rig_start(&a, way_of(state));
    rig_start(&b, way_of(state));
    a.budget.max = 30000;
    /* b's connection anew, over a's budget */
    net_conn_close(b.conn);
    close(b.peer);
    b.closed = 0;
    b.shared = &a.budget;
    rig_open(&b, way_of(state));

    put_pattern(&big, 'K', 50000, 1);
    put_frame(&in, buf_slice(&big));
    rig_exchange(&a, slice_of(in.p, 40000));
    put_frame(&frame, slice_str("E small"));
    rig_exchange(&b, buf_slice(&frame));
    assert_int_equal(b.frames, 0);
    rig_exchange(&a, slice_of(in.p + 40000, in.n - 40000)); /* begun, so it may finish */
    assert_int_equal(a.frames, 1);
    rig_exchange(&a, buf_slice(&frame));
    assert_int_equal(a.frames, 1);
    rig_exchange(&b, buf_slice(&frame));
    assert_int_equal(b.frames, 0);
    rig_wait(&b, 700000); /* and nobody is idle meanwhile */
    assert_int_equal(b.closed, 0);

    net_frame_free(&a.kept[0].frame);
    rig_settle(&b);
    assert_int_equal(b.frames, 2);
    rig_settle(&a);
    assert_int_equal(a.frames, 2);
    rig_end(&b);
    rig_end(&a);
    buf_free(&big);
    buf_free(&in);
    buf_free(&frame);
}

/* Frames that had begun when the budget was used up finish one after the other. */
static void one_large_frame_at_a_time(void **state)
{
    struct buf big = {0}, in = {0};
    struct rig a, b;

    rig_start(&a, way_of(state));
    rig_start(&b, way_of(state));
    a.budget.max = 200000;
    net_conn_close(b.conn);
    close(b.peer);
    b.closed = 0;
    b.shared = &a.budget;
    rig_open(&b, way_of(state));

    put_pattern(&big, 'K', 150000, 1);
    put_frame(&in, buf_slice(&big));
    rig_exchange(&a, slice_of(in.p, 70000));
    rig_exchange(&b, slice_of(in.p, 140000)); /* more than one step: it is b's turn */
    rig_exchange(&a, slice_of(in.p + 70000, in.n - 70000));
    assert_int_equal(a.frames, 0);
    assert_true(a.budget.used <= 300000);
    rig_wait(&a, 700000); /* it is not a who is slow */
    assert_int_equal(a.closed, 0);
    rig_exchange(&b, slice_of(in.p + 140000, in.n - 140000));
    assert_int_equal(b.frames, 1);
    rig_settle(&a); /* a's turn, though the budget is used up still */
    assert_int_equal(a.frames, 1);
    rig_end(&b);
    rig_end(&a);
    buf_free(&big);
    buf_free(&in);
}

static void closed_while_starving(void **state)
{
    struct buf frame = {0};
    struct rig r;

    rig_start(&r, way_of(state));
    net_budget_charge(&r.budget, 64 << 20);
    put_frame(&frame, slice_str("E"));
    rig_exchange(&r, buf_slice(&frame));
    assert_int_equal(r.frames, 0);
    net_conn_close(r.conn);
    net_budget_discharge(&r.budget, 64 << 20);
    rig_settle(&r);
    rig_end(&r);
    buf_free(&frame);
}

/* Room comes and goes and comes while the message about the first time is under way. */
static struct net_budget *short_of;

static void makes_room(struct net_watch *w, bool readable, bool writable)
{
    (void)readable;
    (void)writable;
    net_watch_clear(w);
    net_budget_discharge(short_of, 64 << 20);
}

static void fed_twice_at_once(void **state)
{
    struct net_watch w = {.ready = makes_room};
    struct buf frame = {0};
    struct rig a, b;
    int fd[2];

    rig_start(&a, way_of(state));
    rig_start_on(&b, way_of(state), a.loop);
    net_conn_close(b.conn);
    close(b.peer);
    b.closed = 0;
    b.shared = short_of = &a.budget;
    rig_open(&b, way_of(state));
    put_frame(&frame, slice_str("E"));
    socket_pair(WAY_UNIX, fd);
    assert_int_equal(net_watch_set(&w, a.loop, fd[0], true, false), 0);

    net_budget_charge(&a.budget, 64 << 20);
    rig_exchange(&a, buf_slice(&frame));
    assert_int_equal(a.frames, 0);
    /* in this order they become ready, and are handled: b starves, w makes room, the message */
    assert_int_equal(send(b.peer, frame.p, frame.n, 0), (ssize_t)frame.n);
    assert_int_equal(write(fd[1], "x", 1), 1);
    net_budget_discharge(&a.budget, 64 << 20);
    net_budget_charge(&a.budget, 64 << 20);
    rig_settle(&a);
    rig_settle(&b);
    assert_int_equal(a.frames, 1);
    assert_int_equal(b.frames, 1);
    rig_exchange(&a, buf_slice(&frame));
    assert_int_equal(a.frames, 2);
    close(fd[0]);
    close(fd[1]);
    net_conn_close(b.conn);
    close(b.peer);
    buf_free(&b.seen);
    buf_free(&b.received);
    rig_end(&a);
    buf_free(&frame);
}

/* Frames are freed by other threads while two loops starve and are fed, again and again. */
struct freer {
    pthread_mutex_t mu;
    pthread_cond_t wake;
    struct net_frame frames[1000]; /* more than there are in all */
    int n;
    bool end;
};

static void *frees(void *arg)
{
    struct freer *f = arg;

    pthread_mutex_lock(&f->mu);
    while (!f->end || f->n > 0) {
        if (f->n == 0) {
            pthread_cond_wait(&f->wake, &f->mu);
            continue;
        }
        struct net_frame frame = f->frames[--f->n];
        pthread_mutex_unlock(&f->mu);
        net_frame_free(&frame);
        pthread_mutex_lock(&f->mu);
    }
    pthread_mutex_unlock(&f->mu);
    return NULL;
}

static void hand_over(struct freer *f, struct rig *r)
{
    for (int i = 0; i < r->kept_count; i++)
        if (r->kept[i].answer) {
            rig_answer(r, i, slice_str("x"));
            pthread_mutex_lock(&f->mu);
            assert_true(f->n < 1000);
            f->frames[f->n++] = r->kept[i].frame;
            r->kept[i].frame = (struct net_frame){0};
            pthread_cond_signal(&f->wake);
            pthread_mutex_unlock(&f->mu);
        }
}

/* Reads and keeps until all of its frames have come. Assertions are for the test's own thread. */
struct eater {
    struct rig r;
    struct freer *freer;
    const struct buf *in;
    int want;
};

static void *eats(void *arg)
{
    struct eater *e = arg;
    size_t at = 0;

    while (e->r.frames < e->want) {
        ssize_t k = at < e->in->n ? send(e->r.peer, e->in->p + at, e->in->n - at, MSG_NOSIGNAL) : 0;
        uint8_t answers[4096];
        at += k > 0 ? (size_t)k : 0;
        while (recv(e->r.peer, answers, sizeof answers, 0) > 0)
            ;
        net_loop_once(e->r.loop, 1);
        hand_over(e->freer, &e->r);
    }
    return NULL;
}

static void fed_by_other_threads(void **state)
{
    int frames = way_of(state) == WAY_HOSTILE ? 40 : 400;
    struct freer f = {.mu = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER};
    static struct eater e[2];
    struct buf in = {0}, body = {0};
    pthread_t t[3];

    put_pattern(&body, 'K', 5000, 1);
    for (int i = 0; i < frames; i++)
        put_frame(&in, buf_slice(&body));
    for (int i = 0; i < 2; i++) {
        e[i] = (struct eater){.freer = &f, .in = &in, .want = frames};
        rig_start(&e[i].r, way_of(state));
        if (i == 1) {
            net_conn_close(e[1].r.conn);
            close(e[1].r.peer);
            e[1].r.closed = 0;
            e[1].r.shared = &e[0].r.budget;
            rig_open(&e[1].r, way_of(state));
        }
    }
    e[0].r.budget.max = 6000;
    assert_int_equal(pthread_create(&t[2], NULL, frees, &f), 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&t[i], NULL, eats, &e[i]), 0);
    pthread_join(t[0], NULL);
    pthread_join(t[1], NULL);
    pthread_mutex_lock(&f.mu);
    f.end = true;
    pthread_cond_signal(&f.wake);
    pthread_mutex_unlock(&f.mu);
    pthread_join(t[2], NULL);
    assert_bytes(&e[0].r.seen, &in);
    assert_bytes(&e[1].r.seen, &in);
    rig_end(&e[1].r);
    rig_end(&e[0].r);
    buf_free(&in);
    buf_free(&body);
}

enum { MANY = 300 };

/* Of heap, all told: the transport here is the test's. */
static void idle_connections_are_small(void **state)
{
    static struct rig r[MANY];
    struct buf in = {0};
    size_t before = 0, each;

    put_frame(&in, slice_str("E a request, so that it has been alive"));
    for (int i = 0; i < MANY; i++) {
        rig_start_on(&r[i], way_of(state), i ? r[0].loop : NULL);
        rig_exchange(&r[i], buf_slice(&in));
        assert_int_equal(r[i].frames, 1);
        buf_free(&r[i].seen);
        buf_free(&r[i].received);
        if (i == 0)
            before = mallinfo2().uordblks;
    }
    each = (mallinfo2().uordblks - before) / (MANY - 1);
    print_message("# %zu bytes of heap for an idle connection\n", each);
    assert_true(each <= 1024);
    for (int i = MANY - 1; i > 0; i--) {
        rig_close_peer(&r[i]);
        net_conn_close(r[i].conn);
    }
    rig_end(&r[0]);
    buf_free(&in);
}

int main(void)
{
    static const struct way_test tests[] = {
        {"idle connections are closed", idle_connections_are_closed},
        {"who waits for an answer is not idle", who_waits_for_an_answer_is_not_idle},
        {"a frame must gain", a_frame_must_gain},
        {"a frame must go on gaining", a_frame_must_go_on_gaining},
        {"not reading stops the deadlines", not_reading_stops_the_deadlines},
        {"output must move", output_must_move},
        {"the budget is shared", the_budget_is_shared},
        {"one large frame at a time", one_large_frame_at_a_time},
        {"closed while starving", closed_while_starving},
        {"fed twice at once", fed_twice_at_once},
        {"fed by other threads", fed_by_other_threads},
        {"idle connections are small", idle_connections_are_small},
    };

    return run_over_ways("net_time", tests, sizeof tests / sizeof tests[0]);
}
