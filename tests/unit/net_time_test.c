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
    put_frame(&in, slice_str("E"));
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
        rig_wait(&r, 1100);
        assert_int_equal(r.closed, 0);
    }
    rig_wait(&r, 7000);
    rig_exchange(&r, slice_of(in.p + 5000, 200));
    rig_wait(&r, 8100);
    assert_int_equal(r.closed, 1);
    assert_int_equal(r.reason, NET_CLOSED_SLOW);
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
    int small = 4096;
    struct buf body = {0};
    struct rig r;
    int peer;

    rig_start(&r, way_of(state));
    setsockopt(r.peer, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    setsockopt(r.transport.fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    rig_exchange(&r, slice_of("\0\0\0\1P", 5));
    put_pattern(&body, 'x', 4000000, 1);
    peer = r.peer; /* it does not read */
    r.peer = -1;
    rig_answer(&r, 0, buf_slice(&body));
    rig_settle(&r);
    rig_wait(&r, 59000);
    assert_int_equal(r.closed, 0);
    for (size_t got = 0; got < 1000000;) { /* it reads a little */
        uint8_t space[10000];
        ssize_t k = recv(peer, space, sizeof space, MSG_DONTWAIT);
        got += k > 0 ? (size_t)k : 0;
        net_loop_once(r.loop, 0);
    }
    rig_wait(&r, 59000);
    assert_int_equal(r.closed, 0);
    rig_wait(&r, 2000);
    assert_int_equal(r.closed, 1);
    assert_int_equal(r.reason, NET_CLOSED_SLOW);
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
        net_conn_close(r[i].conn);
        close(r[i].peer);
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
        {"not reading stops the deadlines", not_reading_stops_the_deadlines},
        {"output must move", output_must_move},
        {"the budget is shared", the_budget_is_shared},
        {"closed while starving", closed_while_starving},
        {"idle connections are small", idle_connections_are_small},
    };

    return run_over_ways("net_time", tests, sizeof tests / sizeof tests[0]);
}
