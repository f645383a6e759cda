/*
 * Answers out: in the order of the requests, whenever they are ready and however the socket takes
 * them; and what becomes of them when the connection goes. The model is the list of what was
 * answered, in the order in which it was asked.
 */
#include "net_support.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

static int released;

static void count_release(void *arg)
{
    (void)arg;
    released++;
}

/* n requests that the test answers later. */
static void park(struct rig *r, int n)
{
    struct buf in = {0};

    for (int i = 0; i < n; i++)
        put_frame(&in, slice_str("P"));
    rig_exchange(r, buf_slice(&in));
    buf_free(&in);
}

/* A file with a pattern in memory; its bytes in *bytes. */
static int make_file(struct buf *bytes, size_t n)
{
    int fd = memfd_create("answers", MFD_CLOEXEC);

    assert_true(fd >= 0);
    put_pattern(bytes, 'f', n, 7);
    assert_int_equal(write(fd, bytes->p, n), (ssize_t)n);
    return fd;
}

static void answers_out_of_order(void **state)
{
    uint64_t x = 5;
    struct buf want = {0}, one = {0};
    struct rig r;
    int order[60];

    rig_start(&r, way_of(state));
    park(&r, 60);
    assert_int_equal(r.kept_count, 60);
    for (int i = 0; i < 60; i++) {
        int j = (int)(next_random(&x) % (uint64_t)(i + 1));
        order[i] = order[j];
        order[j] = i;
    }
    for (int i = 0; i < 60; i++) {
        buf_clear(&one);
        put_pattern(&one, 'a', (size_t)(i * 37 + 1), (uint64_t)order[i]);
        rig_answer(&r, order[i], buf_slice(&one));
        if (i % 7 == 0)
            rig_settle(&r);
    }
    rig_settle(&r);
    for (int k = 0; k < 60; k++)
        for (int i = 0; i < 60; i++)
            if (order[i] == k) {
                buf_clear(&one);
                put_pattern(&one, 'a', (size_t)(i * 37 + 1), (uint64_t)k);
                put_frame(&want, buf_slice(&one));
            }
    assert_bytes(&r.received, &want);
    rig_end(&r);
    buf_free(&one);
    buf_free(&want);
}

static void sixty_four_answers_are_the_brake(void **state)
{
    struct rig r;

    rig_start(&r, way_of(state));
    park(&r, 100);
    assert_int_equal(r.frames, 64);
    rig_answer(&r, 1, slice_str("second"));
    rig_settle(&r);
    assert_int_equal(r.frames, 64); /* it cannot leave before the first */
    rig_answer(&r, 0, slice_str("first"));
    rig_settle(&r);
    assert_int_equal(r.frames, 66);
    for (int i = 2; i < r.kept_count; i++) {
        rig_answer(&r, i, slice_str("x"));
        rig_settle(&r);
    }
    assert_int_equal(r.frames, 100);
    rig_end(&r);
}

/* 8 MiB of output that the peer does not take: no further request is started. */
static void eight_megabytes_are_the_brake(void **state)
{
    struct buf in = {0}, body = {0};
    struct rig r;

    rig_start(&r, way_of(state));
    if (r.transport.hostile)
        r.limits.max_out_bytes = 1 << 16;
    put_pattern(&body, 'E', r.limits.max_out_bytes / 2 + 1, 1);
    park(&r, 3);
    rig_answer(&r, 1, buf_slice(&body));
    put_frame(&in, slice_str("E"));
    rig_exchange(&r, buf_slice(&in));
    assert_int_equal(r.frames, 4);
    rig_answer(&r, 2, buf_slice(&body));
    rig_exchange(&r, buf_slice(&in));
    assert_int_equal(r.frames, 4);
    rig_answer(&r, 0, slice_str("x"));
    rig_settle(&r);
    assert_int_equal(r.frames, 5);
    assert_int_equal(r.received.n, 5 + 2 * (body.n + 4) + 2 * 5);
    rig_end(&r);
    buf_free(&in);
    buf_free(&body);
}

static void files_between_bytes(void **state)
{
    size_t size = way_of(state) == WAY_HOSTILE ? 20000 : 3000000;
    struct buf bytes = {0}, in = {0}, want = {0}, body = {0};
    struct rig r;

    rig_start(&r, way_of(state));
    r.file.fd = make_file(&bytes, size);
    r.file.at = 1000;
    r.file.size = size - 3000;
    r.file.release = count_release;
    released = 0;
    for (int i = 0; i < 10; i++) {
        put_frame(&in, slice_str(i % 3 ? "F and" : "E no file"));
        buf_clear(&body);
        buf_put_str(&body, i % 3 ? "F and" : "E no file");
        if (i % 3)
            buf_put(&body, bytes.p + 1000, size - 3000);
        put_frame(&want, buf_slice(&body));
    }
    rig_exchange(&r, buf_slice(&in));
    assert_bytes(&r.received, &want);
    assert_int_equal(released, 6);
    close(r.file.fd);
    rig_end(&r);
    buf_free(&bytes);
    buf_free(&in);
    buf_free(&want);
    buf_free(&body);
}

/* A file that turns out to be shorter: the length has gone out already, so the connection ends. */
static void a_file_too_short(void **state)
{
    struct buf bytes = {0}, in = {0};
    struct rig r;

    rig_start(&r, way_of(state));
    r.file =
        (struct net_file){.fd = make_file(&bytes, 5000), .size = 5001, .release = count_release};
    released = 0;
    put_frame(&in, slice_str("F"));
    rig_exchange(&r, buf_slice(&in));
    assert_int_equal(r.closed, 1);
    assert_int_equal(r.reason, NET_CLOSED_ERROR);
    assert_int_equal(released, 1);
    close(r.file.fd);
    rig_end(&r);
    buf_free(&bytes);
    buf_free(&in);
}

static void dropped_in_the_middle(void **state)
{
    struct buf want = {0};
    struct rig r;

    rig_start(&r, way_of(state));
    park(&r, 4);
    rig_answer(&r, 2, slice_str("third"));
    net_answer_drop(r.kept[1].answer);
    net_answer_drop(r.kept[3].answer);
    r.kept[1].answer = r.kept[3].answer = NULL;
    rig_settle(&r);
    assert_int_equal(r.received.n, 0);
    rig_answer(&r, 0, slice_str("first"));
    park(&r, 1);
    rig_answer(&r, 4, slice_str("fifth"));
    rig_settle(&r);
    put_frame(&want, slice_str("first"));
    put_frame(&want, slice_str("third"));
    put_frame(&want, slice_str("fifth"));
    assert_bytes(&r.received, &want);
    rig_end(&r);
    buf_free(&want);
}

/* A place given up lets out what waits behind it, and in what the brake held back. */
static void dropped_at_the_front(void **state)
{
    struct buf want = {0};
    struct rig r;

    rig_start(&r, way_of(state));
    park(&r, 66);
    assert_int_equal(r.frames, 64);
    rig_answer(&r, 1, slice_str("second"));
    net_answer_drop(r.kept[0].answer);
    r.kept[0].answer = NULL;
    rig_settle(&r);
    put_frame(&want, slice_str("second"));
    assert_bytes(&r.received, &want);
    assert_int_equal(r.frames, 66);
    net_answer_drop(r.kept[65].answer);
    r.kept[65].answer = NULL;
    park(&r, 1);
    assert_int_equal(r.frames, 67);
    rig_end(&r);
    buf_free(&want);
}

static void outlive_their_connection(void **state)
{
    struct net_file f = {.fd = -1, .size = 10, .release = count_release};
    struct rig r;

    rig_start(&r, way_of(state));
    released = 0;
    park(&r, 6);
    for (int i = 0; i < 6; i++)
        assert_true(net_answer_file(r.kept[i].answer, &f));
    rig_answer(&r, 3, slice_str("complete"));
    net_conn_close(r.conn);
    assert_int_equal(released, 1);
    assert_false(net_answer_wanted(r.kept[0].answer));
    rig_answer(&r, 0, slice_str("too late"));
    net_answer_drop(r.kept[1].answer);
    r.kept[1].answer = NULL;
    assert_int_equal(released, 3);
    rig_end(&r);
    assert_int_equal(released, 6);
}

static void drained(void **state)
{
    struct buf in = {0}, want = {0};
    struct rig r;

    rig_start(&r, way_of(state));
    park(&r, 2);
    net_conn_drain(r.conn);
    put_frame(&in, slice_str("E too late"));
    rig_exchange(&r, buf_slice(&in));
    assert_int_equal(r.frames, 2);
    rig_answer(&r, 1, slice_str("b"));
    rig_settle(&r);
    assert_int_equal(r.closed, 0);
    rig_answer(&r, 0, slice_str("a"));
    rig_settle(&r);
    assert_int_equal(r.closed, 1);
    assert_int_equal(r.reason, NET_CLOSED_BY_US);
    put_frame(&want, slice_str("a"));
    put_frame(&want, slice_str("b"));
    assert_bytes(&r.received, &want);
    rig_end(&r);
    buf_free(&in);
    buf_free(&want);
}

/* What one pass of the loop has answered goes out in one call. */
static void one_write_for_many_answers(void **state)
{
    struct buf in = {0};
    struct rig r;

    rig_start(&r, way_of(state));
    for (int i = 0; i < 10; i++)
        put_frame(&in, slice_str("E pipelined"));
    rig_exchange(&r, buf_slice(&in));
    assert_bytes(&r.received, &in);
    if (!r.transport.hostile)
        assert_int_equal(r.transport.writes, 1);
    rig_end(&r);
    buf_free(&in);
}

/* ---- who is told of what was sent may do anything ---- */

static struct rig *told;

static void close_it(void *arg)
{
    (void)arg;
    released++;
    if (told->conn)
        net_conn_close(told->conn);
}

static void answer_the_next(void *arg)
{
    (void)arg;
    released++;
    if (told->kept[1].answer)
        rig_answer(told, 1, slice_str("from within"));
}

static void told_and_closing(void **state)
{
    struct buf bytes = {0};
    struct net_file f = {.fd = make_file(&bytes, 10), .size = 10, .release = close_it};
    struct rig r;

    rig_start(&r, way_of(state));
    told = &r;
    released = 0;
    park(&r, 3);
    assert_true(net_answer_file(r.kept[0].answer, &f));
    assert_true(net_answer_file(r.kept[2].answer, &f));
    rig_answer(&r, 1, slice_str("complete"));
    rig_answer(&r, 0, slice_str("x"));
    rig_settle(&r);
    assert_int_equal(r.closed, 1);
    assert_int_equal(released, 1);
    r.file = (struct net_file){0};
    net_answer_drop(r.kept[2].answer);
    r.kept[2].answer = NULL;
    close(f.fd);
    rig_end(&r);
    buf_free(&bytes);
}

static void told_and_answering(void **state)
{
    struct buf bytes = {0};
    struct net_file f = {.fd = make_file(&bytes, 10), .size = 10, .release = answer_the_next};
    struct rig r;

    rig_start(&r, way_of(state));
    told = &r;
    released = 0;
    park(&r, 2);
    assert_true(net_answer_file(r.kept[0].answer, &f));
    rig_answer(&r, 0, slice_str(""));
    rig_settle(&r);
    assert_int_equal(released, 1);
    assert_int_equal(r.received.n, 4 + 10 + 4 + 11);
    close(f.fd);
    rig_end(&r);
    buf_free(&bytes);
}

static void more_than_a_frame_can_say(void **state)
{
    struct net_file f = {.fd = -1, .size = (size_t)INT32_MAX - 2, .release = NULL};
    struct buf three = {0}, failed = {.failed = true};
    struct rig r;

    rig_start(&r, way_of(state));
    park(&r, 1);
    buf_put_str(&three, "abc");
    assert_true(net_answer_file(r.kept[0].answer, &f));
    assert_false(net_answer_bytes(r.kept[0].answer, &three));
    assert_int_equal(three.n, 3);
    assert_false(net_answer_bytes(r.kept[0].answer, &failed));
    net_answer_drop(r.kept[0].answer);
    r.kept[0].answer = NULL;
    buf_free(&three);
    rig_end(&r);
}

int main(void)
{
    static const struct way_test tests[] = {
        {"answers out of order", answers_out_of_order},
        {"64 answers are the brake", sixty_four_answers_are_the_brake},
        {"8 MiB of output are the brake", eight_megabytes_are_the_brake},
        {"files between bytes", files_between_bytes},
        {"a file that is too short", a_file_too_short},
        {"dropped in the middle", dropped_in_the_middle},
        {"dropped at the front", dropped_at_the_front},
        {"answers outlive their connection", outlive_their_connection},
        {"drained", drained},
        {"one write for many answers", one_write_for_many_answers},
        {"closed by who is told of the sending", told_and_closing},
        {"answered by who is told of the sending", told_and_answering},
        {"more than a frame can say", more_than_a_frame_can_say},
    };

    return run_over_ways("net_out", tests, sizeof tests / sizeof tests[0]);
}
