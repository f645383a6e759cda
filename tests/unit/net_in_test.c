/*
 * Frames in: whatever the cuts, the same frames come out, in order, and no more memory is held than
 * has arrived. The model is the stream itself: what was handed out, put together again, must be it.
 */
#include "base/bytes.h"
#include "net_support.h"

#include <malloc.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* Frames of the given sizes, all dropped by the owner. */
static void put_frames(struct buf *b, const size_t *sizes, size_t n, char first)
{
    struct buf body = {0};

    for (size_t i = 0; i < n; i++) {
        buf_clear(&body);
        put_pattern(&body, first, sizes[i], i + 1);
        put_frame(b, buf_slice(&body));
    }
    buf_free(&body);
}

static void cut_at_every_byte(void **state)
{
    const size_t sizes[] = {1, 7, 300, 3, 4096, 2};
    struct buf in = {0};

    put_frames(&in, sizes, 6, 'D');
    for (size_t at = 1; at < in.n; at += at < 330 ? 1 : 97) {
        struct rig r;
        rig_start(&r, way_of(state));
        rig_exchange(&r, slice_of(in.p, at));
        assert_true(r.seen.n <= at);
        rig_exchange(&r, slice_of(in.p + at, in.n - at));
        assert_bytes(&r.seen, &in);
        assert_int_equal(r.closed, 0);
        rig_end(&r);
    }
    buf_free(&in);
}

static void any_sizes_any_cuts(void **state)
{
    uint64_t x = 42;
    struct rig r;
    struct buf in = {0};
    size_t at = 0;

    rig_start(&r, way_of(state));
    while (in.n < (way_of(state) == WAY_HOSTILE ? 200000 : 20000000)) {
        static const size_t scale[] = {8, 100, 5000, 200000, 3000000};
        size_t most = scale[next_random(&x) % (way_of(state) == WAY_HOSTILE ? 3 : 5)];
        size_t size = 1 + next_random(&x) % most;
        put_frames(&in, &size, 1, "DEDK"[next_random(&x) % 4]);
    }
    while (at < in.n) {
        size_t k = 1 + next_random(&x) % (1 << (next_random(&x) % 22));
        k = k < in.n - at ? k : in.n - at;
        rig_exchange(&r, slice_of(in.p + at, k));
        at += k;
        for (int i = 0; i < r.kept_count; i++)
            if (r.kept[i].answer) {
                rig_answer(&r, i, slice_str("x"));
                net_frame_free(&r.kept[i].frame);
            }
    }
    rig_settle(&r);
    assert_bytes(&r.seen, &in);
    rig_end(&r);
    buf_free(&in);
}

/* More small requests in one go than may wait for answers: none is left lying. */
static void a_thousand_in_one_piece(void **state)
{
    struct buf in = {0};
    struct rig r;

    rig_start(&r, way_of(state));
    for (int i = 0; i < 1000; i++) {
        char text[32];
        snprintf(text, sizeof text, "E request %d", i);
        put_frame(&in, slice_str(text));
    }
    rig_exchange(&r, buf_slice(&in));
    assert_int_equal(r.frames, 1000);
    assert_bytes(&r.received, &in); /* echoed */
    rig_end(&r);
    buf_free(&in);
}

static void lying_lengths(void **state)
{
    static const struct {
        uint8_t bytes[8];
        size_t n;
    } lies[] = {
        {{0, 0, 0, 0}, 4},
        {{0xff, 0xff, 0xff, 0xff}, 4},
        {{0x80, 0, 0, 0}, 4},
        {{0x06, 0x40, 0, 1}, 4},
        {{'G', 'E', 'T', ' '}, 4},
        {{0x16, 3, 1, 2, 0, 1}, 6},
        {{0x7f, 0xff, 0xff, 0xff}, 4},
    };

    for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
        struct buf in = {0};
        struct rig r;
        rig_start(&r, way_of(state));
        put_frame(&in, slice_str("E before"));
        rig_exchange(&r, buf_slice(&in));
        rig_exchange(&r, slice_of(lies[i].bytes, lies[i].n));
        assert_int_equal(r.closed, 1);
        assert_int_equal(r.reason, NET_CLOSED_MALFORMED);
        assert_true(r.why[0]);
        assert_int_equal(r.frames, 1);
        assert_bytes(&r.received, &in);
        assert_true(r.peer_eof);
        rig_end(&r);
        buf_free(&in);
    }
}

static void an_announcement_costs_nothing(void **state)
{
    const uint8_t announced[14] = {0x06, 0x3f, 0xff, 0xff, 'D'}; /* just under 100 MiB */
    struct rig r;
    size_t before;

    rig_start(&r, way_of(state));
    before = mallinfo2().uordblks + mallinfo2().hblkhd;
    rig_exchange(&r, slice_of(announced, sizeof announced));
    assert_int_equal(r.closed, 0);
    assert_true(mallinfo2().uordblks + mallinfo2().hblkhd - before < 16384);
    assert_in_range(atomic_load(&r.budget.used), 10, 16384);
    rig_end(&r);
}

/* What is held follows what has come: at no time more than twice that and a page; recycled memory
 * may be eight times as much. */
static void memory_follows_arrivals(void **state)
{
    size_t size = way_of(state) == WAY_HOSTILE ? 40000 : 9000000, at = 0;
    struct buf in = {0};
    struct rig r;

    rig_start(&r, way_of(state));
    for (int round = 0; round < 2; round++) { /* the second with recycled memory */
        buf_clear(&in);
        put_frames(&in, &size, 1, 'D');
        for (at = 0; at < in.n;) {
            size_t k = in.n - at < 3000 ? in.n - at : at < 30000 ? 3000 : 700000;
            k = k < in.n - at ? k : in.n - at;
            rig_exchange(&r, slice_of(in.p + at, k));
            at += k;
            if (at < in.n)
                assert_in_range(atomic_load(&r.budget.used), at, (round ? 8 : 2) * at + 4096);
        }
        assert_int_equal(r.frames, round + 1);
        assert_int_equal(atomic_load(&r.budget.used), 0);
    }
    rig_end(&r);
    buf_free(&in);
}

static void a_frame_kept_stays(void **state)
{
    const size_t sizes[] = {20, 70000, 5, 200000, 90};
    struct buf in = {0};
    struct rig r;
    uint8_t *at;

    rig_start(&r, way_of(state));
    put_frames(&in, sizes, 5, 'K');
    rig_exchange(&r, buf_slice(&in));
    assert_int_equal(r.kept_count, 5);
    assert_true(atomic_load(&r.budget.used) >= 270115);
    net_conn_close(r.conn);
    at = in.p;
    for (int i = 0; i < 5; i++) {
        assert_int_equal(r.kept[i].frame.n, sizes[i]);
        assert_memory_equal(r.kept[i].frame.data, at + 4, sizes[i]);
        at += 4 + sizes[i];
        net_frame_free(&r.kept[i].frame);
    }
    assert_int_equal(atomic_load(&r.budget.used), 0);
    rig_end(&r);
    buf_free(&in);
}

/* Paused within a callback: the frames behind it wait, also those that have been read already. */
static void paused_and_resumed(void **state)
{
    struct buf in = {0};
    struct rig r;

    rig_start(&r, way_of(state));
    for (int i = 0; i < 10; i++)
        put_frame(&in, slice_str(i == 3 ? "Z stop" : "E more"));
    rig_exchange(&r, buf_slice(&in));
    assert_int_equal(r.frames, 4);
    net_conn_pause(r.conn); /* a second holder */
    net_conn_resume(r.conn);
    rig_settle(&r);
    assert_int_equal(r.frames, 4);
    net_conn_resume(r.conn);
    rig_settle(&r);
    assert_int_equal(r.frames, 10);
    assert_bytes(&r.received, &in);
    rig_end(&r);
    buf_free(&in);
}

static void closed_within_a_callback(void **state)
{
    struct buf in = {0};
    struct rig r;

    rig_start(&r, way_of(state));
    put_frame(&in, slice_str("P waits"));
    put_frame(&in, slice_str("C now"));
    put_frame(&in, slice_str("E never seen"));
    rig_exchange(&r, buf_slice(&in));
    assert_int_equal(r.frames, 2);
    assert_int_equal(r.closed, 1);
    assert_int_equal(r.reason, NET_CLOSED_BY_US);
    assert_false(net_answer_wanted(r.kept[0].answer));
    rig_end(&r);
    buf_free(&in);
}

static void the_peer_goes(void **state)
{
    const struct linger at_once = {.l_onoff = 1};

    for (int how = 0; how < 3; how++) {
        struct buf in = {0};
        struct rig r;
        rig_start(&r, way_of(state));
        put_frame(&in, slice_str("E whole"));
        put_frame(&in, slice_str("E cut"));
        rig_exchange(&r, slice_of(in.p, in.n - (size_t)how));
        if (how == 2) /* a reset, where there is such a thing */
            setsockopt(r.peer, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
        close(r.peer);
        r.peer = -1;
        rig_settle(&r);
        assert_int_equal(r.closed, 1);
        assert_int_equal(r.reason, NET_CLOSED_BY_PEER);
        assert_int_equal(r.frames, how == 0 ? 2 : 1);
        rig_end(&r);
        buf_free(&in);
    }
}

/* One read for one small request: no second one to learn that there is nothing more. */
static void one_read_for_one_request(void **state)
{
    struct buf in = {0};
    struct rig r;

    rig_start(&r, way_of(state));
    put_frame(&in, slice_str("E"));
    for (int i = 1; i <= 20; i++) {
        rig_exchange(&r, buf_slice(&in));
        assert_int_equal(r.frames, i);
        if (!r.transport.hostile)
            assert_int_equal(r.transport.reads, i);
        if (!r.transport.hostile)
            assert_int_equal(r.transport.writes, i);
    }
    rig_end(&r);
    buf_free(&in);
}

int main(void)
{
    static const struct way_test tests[] = {
        {"cut at every byte", cut_at_every_byte},
        {"any sizes, any cuts", any_sizes_any_cuts},
        {"a thousand requests in one piece", a_thousand_in_one_piece},
        {"lying lengths close", lying_lengths},
        {"an announcement costs nothing", an_announcement_costs_nothing},
        {"memory follows what has arrived", memory_follows_arrivals},
        {"a frame kept stays", a_frame_kept_stays},
        {"paused and resumed", paused_and_resumed},
        {"closed within a callback", closed_within_a_callback},
        {"the peer goes", the_peer_goes},
        {"one read for one request", one_read_for_one_request},
    };

    return run_over_ways("net_in", tests, sizeof tests / sizeof tests[0]);
}
