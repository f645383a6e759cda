#include "base/bytes.h"
#include "net/conn.h"
#include "net/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

/* A transport that moves one byte at a time and often says EAGAIN. */
static ssize_t slow_readv(void *self, const struct iovec *v, int n)
{
    struct iovec one = {v[0].iov_base, 1};

    (void)n;
    if (rand() % 3 == 0) {
        errno = EAGAIN;
        return -1;
    }
    return transport_plain.readv(self, &one, 1);
}

static ssize_t slow_writev(void *self, const struct iovec *v, int n, bool more)
{
    struct iovec one = {v[0].iov_base, 1};

    (void)n;
    if (rand() % 3 == 0) {
        errno = EAGAIN;
        return -1;
    }
    return transport_plain.writev(self, &one, 1, more);
}

static ssize_t slow_send_file(void *self, int fd, int64_t at, size_t n)
{
    return transport_plain.send_file(self, fd, at, n > 3 ? 3 : n);
}

static int plain_want(void *self)
{
    (void)self;
    return 0;
}

static int plain_fd(void *self)
{
    return (int)(intptr_t)self;
}

static void plain_close(void *self)
{
    close((int)(intptr_t)self);
}

static const struct transport slow = {slow_readv, slow_writev, slow_send_file,
                                      plain_want, plain_fd,    plain_close};

/* A server that keeps every frame and answers as the test says. */
struct server {
    struct net_loop *loop;
    struct net_conn *conn;
    struct net_limits limits;
    struct net_budget budget;
    int peer; /* the client's end, blocking */
    int frames;
    size_t bytes;
    bool echo, hold;
    struct net_answer *held[100];
    int held_count;
    bool closed;
    enum net_close_reason reason;
};

static void answer_with(struct net_answer *a, const void *p, size_t n)
{
    struct buf b = {0};

    buf_put(&b, p, n);
    assert_true(net_answer_bytes(a, &b));
    net_answer_send(a);
}

static void on_frame(void *arg, struct net_conn *c, struct net_frame *f)
{
    struct server *s = arg;

    s->frames++;
    s->bytes += f->n;
    if (s->hold)
        s->held[s->held_count++] = net_answer_new(c);
    if (s->echo) {
        assert_true(net_frame_keep(c, f));
        answer_with(net_answer_new(c), f->data, f->n);
        net_frame_free(f);
    }
}

static void on_closed(void *arg, struct net_conn *c, enum net_close_reason r, const char *why)
{
    struct server *s = arg;

    (void)c;
    (void)why;
    s->closed = true;
    s->reason = r;
}

static const struct net_conn_ops ops = {on_frame, on_closed, NULL};

static void start(struct server *s, const struct transport *t)
{
    int fd[2];

    signal(SIGPIPE, SIG_IGN);
    net_limits_default(&s->limits);
    s->budget.max = 64 << 20;
    assert_int_equal(net_loop_new(&s->loop, NULL, NULL), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
    assert_int_equal(fcntl(fd[0], F_SETFL, O_NONBLOCK), 0);
    s->peer = fd[1];
    assert_int_equal(net_conn_new(&s->conn, s->loop, t, (void *)(intptr_t)fd[0], &s->limits,
                                  &s->budget, &ops, s, NULL),
                     0);
}

static void stop(struct server *s)
{
    if (!s->closed)
        net_conn_close(s->conn);
    assert_int_equal(atomic_load(&s->budget.used), 0);
    net_loop_free(s->loop);
    close(s->peer);
}

static void put_frame(struct buf *b, size_t n, int fill)
{
    uint8_t head[4];

    put_be32(head, (uint32_t)n);
    buf_put(b, head, 4);
    memset(buf_add(b, n), fill, n);
}

static void until_frames(struct server *s, int n)
{
    while (s->frames < n && !s->closed)
        net_loop_once(s->loop, 1000);
    assert_int_equal(s->frames, n);
}

/* Sends in, running the loop, and reads as many bytes as out has; they must be equal. */
static void exchange(struct server *s, const struct buf *in, const struct buf *out)
{
    uint8_t *got = malloc(out->n + 1);
    size_t sent = 0, have = 0;

    while (have < out->n) {
        ssize_t k;
        if (sent < in->n && (k = send(s->peer, in->p + sent, in->n - sent, MSG_DONTWAIT)) > 0)
            sent += (size_t)k;
        net_loop_once(s->loop, 0);
        k = recv(s->peer, got + have, out->n - have, MSG_DONTWAIT);
        assert_true(k > 0 || (k < 0 && errno == EAGAIN));
        have += k > 0 ? (size_t)k : 0;
    }
    assert_memory_equal(got, out->p, out->n);
    free(got);
}

static void echo_over(const struct transport *t, size_t largest)
{
    struct server s = {.echo = true};
    struct buf b = {0};

    start(&s, t);
    srand(5);
    for (int i = 0; i < 200; i++)
        put_frame(&b, 1 + (i % 20 == 0 ? largest : (size_t)rand() % 300), i);
    exchange(&s, &b, &b);
    assert_int_equal(s.frames, 200);
    buf_free(&b);
    stop(&s);
}

static void frames_come_whole_and_in_order(void **state)
{
    (void)state;
    echo_over(&transport_plain, 700000);
}

static void also_byte_by_byte(void **state)
{
    (void)state;
    echo_over(&slow, 5000);
}

static void answers_keep_the_order_of_requests(void **state)
{
    struct server s = {.hold = true};
    struct buf b = {0}, want = {0};
    char file_name[] = "/tmp/kcore-net-XXXXXX";
    int fd = mkstemp(file_name);

    (void)state;
    assert_int_equal(write(fd, "0123456789", 10), 10);
    unlink(file_name);
    start(&s, &slow);
    for (int i = 0; i < 4; i++)
        put_frame(&b, 3, i);
    assert_int_equal(write(s.peer, b.p, b.n), (ssize_t)b.n);
    until_frames(&s, 4);
    answer_with(s.held[3], "dd", 2);
    net_answer_drop(s.held[1]);
    net_loop_once(s.loop, 0);
    assert_int_equal(recv(s.peer, want.p, 0, MSG_DONTWAIT), -1);
    struct net_file f = {.fd = fd, .at = 2, .size = 7};
    struct buf part = {0};
    buf_put_str(&part, "c");
    assert_true(net_answer_bytes(s.held[2], &part));
    assert_true(net_answer_file(s.held[2], &f));
    net_answer_send(s.held[2]);
    answer_with(s.held[0], "a", 1);
    buf_put(&want, "\0\0\0\1a\0\0\0\10c2345678\0\0\0\2dd", 5 + 12 + 6);
    b.n = 0;
    exchange(&s, &b, &want);
    buf_free(&b);
    buf_free(&want);
    close(fd);
    stop(&s);
}

static void sixty_four_answers_stop_the_reading(void **state)
{
    struct server s = {.hold = true};
    struct buf b = {0};

    (void)state;
    start(&s, &transport_plain);
    for (int i = 0; i < 80; i++)
        put_frame(&b, 10, i);
    assert_int_equal(write(s.peer, b.p, b.n), (ssize_t)b.n);
    until_frames(&s, 64);
    net_loop_once(s.loop, 10);
    assert_int_equal(s.frames, 64);
    for (int i = 0; i < 10; i++)
        answer_with(s.held[i], "x", 1);
    until_frames(&s, 74);
    for (int i = 10; i < 74; i++)
        answer_with(s.held[i], "x", 1);
    until_frames(&s, 80);
    for (int i = 74; i < 80; i++)
        answer_with(s.held[i], "x", 1);
    buf_free(&b);
    stop(&s);
}

static void lying_lengths_close(void **state)
{
    static const char *const lies[] = {"\0\0\0\0", "\xff\xff\xff\xff", "\x7f\xff\xff\xff", "GET ",
                                       "\x16\x03\x01\x02"};

    (void)state;
    for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
        struct server s = {0};
        start(&s, &transport_plain);
        assert_int_equal(write(s.peer, lies[i], 4), 4);
        while (!s.closed)
            net_loop_once(s.loop, 1000);
        assert_int_equal(s.reason, NET_CLOSED_MALFORMED);
        assert_int_equal(s.frames, 0);
        stop(&s);
    }
}

static void memory_follows_arrivals_not_announcements(void **state)
{
    struct server s = {0};

    (void)state;
    start(&s, &transport_plain);
    assert_int_equal(write(s.peer, "\6\0\0\0abcdef", 10), 10); /* 96 MiB are announced */
    net_loop_once(s.loop, 1000);
    assert_true(atomic_load(&s.budget.used) > 0);
    assert_true(atomic_load(&s.budget.used) <= 4096);
    stop(&s);
}

static void over_budget_only_a_frame_begun_goes_on(void **state)
{
    struct server s = {0};
    struct buf b = {0};

    (void)state;
    start(&s, &transport_plain);
    put_frame(&b, 100, 1);
    assert_int_equal(write(s.peer, b.p, 50), 50);
    net_loop_once(s.loop, 1000);
    net_budget_charge(&s.budget, (size_t)65 << 20);
    assert_int_equal(write(s.peer, b.p + 50, b.n - 50), (ssize_t)b.n - 50);
    until_frames(&s, 1);
    assert_int_equal(write(s.peer, b.p, b.n), (ssize_t)b.n);
    net_loop_once(s.loop, 5);
    net_loop_once(s.loop, 5);
    assert_int_equal(s.frames, 1);
    net_budget_discharge(&s.budget, (size_t)65 << 20);
    until_frames(&s, 2);
    buf_free(&b);
    stop(&s);
}

static enum net_close_reason closes_by_itself(struct server *s)
{
    while (!s->closed)
        net_loop_once(s->loop, 1000);
    return s->reason;
}

static void idle_and_slow_peers_are_closed(void **state)
{
    struct server idle = {0}, loris = {0}, deaf = {.echo = true};
    struct buf b = {0};
    int size = 4096;

    (void)state;
    start(&idle, &transport_plain);
    idle.limits.idle_ms = 20;
    assert_int_equal(write(idle.peer, "\0\0\0\1x", 5), 5);
    assert_int_equal(closes_by_itself(&idle), NET_CLOSED_IDLE);
    stop(&idle);

    start(&loris, &transport_plain);
    loris.limits.frame_gain_ms = 20;
    assert_int_equal(write(loris.peer, "\0\0\1\0x", 5), 5);
    assert_int_equal(closes_by_itself(&loris), NET_CLOSED_SLOW);
    stop(&loris);

    start(&deaf, &transport_plain);
    deaf.limits.out_stall_ms = 20;
    setsockopt(deaf.peer, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    put_frame(&b, 900000, 1);
    for (size_t sent = 0; sent < b.n && !deaf.closed;) {
        ssize_t k = send(deaf.peer, b.p + sent, b.n - sent, MSG_DONTWAIT);
        sent += k > 0 ? (size_t)k : 0;
        net_loop_once(deaf.loop, 1);
    }
    assert_int_equal(closes_by_itself(&deaf), NET_CLOSED_SLOW);
    buf_free(&b);
    stop(&deaf);
}

/* An answer whose connection has gone frees itself, and its file. */
static void released(void *arg)
{
    ++*(int *)arg;
}

static void answers_outlive_their_connection(void **state)
{
    struct server s = {.hold = true};
    struct net_file f = {.fd = 0, .size = 5, .release = released};
    int count = 0;

    (void)state;
    start(&s, &transport_plain);
    assert_int_equal(write(s.peer, "\0\0\0\1x\0\0\0\1y", 10), 10);
    until_frames(&s, 2);
    f.arg = &count;
    assert_true(net_answer_file(s.held[1], &f));
    net_answer_send(s.held[1]);
    net_conn_close(s.conn);
    assert_int_equal(count, 1);
    assert_false(net_answer_wanted(s.held[0]));
    assert_true(net_answer_file(s.held[0], &f));
    net_answer_send(s.held[0]);
    assert_int_equal(count, 2);
    stop(&s);
}

static void addresses(void **state)
{
    struct net_addr a;
    char text[300];

    (void)state;
    assert_int_equal(net_addr_parse("host:123", &a, NULL), 0);
    assert_string_equal(a.host, "host");
    assert_int_equal(a.port, 123);
    assert_int_equal(net_addr_parse("client://[::1]:9", &a, NULL), 0);
    assert_string_equal(a.listener, "CLIENT");
    assert_string_equal(net_addr_format(&a, text, sizeof text), "[::1]:9");
    assert_int_equal(net_addr_parse("unix:/run/k", &a, NULL), 0);
    assert_true(a.is_unix);
    assert_int_equal(net_addr_parse("host", &a, NULL), 0);
    assert_int_equal(a.port, 9092);
    assert_int_equal(net_addr_parse("::1:9", &a, NULL), KE_INVALID);
    assert_int_equal(net_addr_parse("h:70000", &a, NULL), KE_INVALID);
    assert_int_equal(net_addr_parse("h:", &a, NULL), KE_INVALID);
    assert_int_equal(net_addr_parse("[::1", &a, NULL), KE_INVALID);
    assert_int_equal(net_addr_parse("unix:", &a, NULL), KE_INVALID);
}

static void accepted(void *arg, int fd, const struct net_addr *peer)
{
    (void)peer;
    *(int *)arg = fd;
}

static void listeners_on_every_kind_of_address(void **state)
{
    static const char *const where[] = {"127.0.0.1:0", "[::1]:0", "unix:/tmp/kcore-net-test.sock"};
    struct net_loop *loop;

    (void)state;
    assert_int_equal(net_loop_new(&loop, NULL, NULL), 0);
    for (int i = 0; i < 3; i++) {
        int got = -1, fd;
        struct net_listener_conf conf = {.accepted = accepted, .arg = &got};
        struct net_listener *s, *second;
        struct kerr e = {0};
        assert_int_equal(net_addr_parse(where[i], &conf.addr, NULL), 0);
        assert_int_equal(net_listener_new(&s, loop, &conf, NULL), 0);
        assert_int_equal(net_listener_start(s, NULL), 0);
        conf.addr = *net_listener_addr(s);
        assert_int_equal(net_listener_new(&second, loop, &conf, &e), KE_EXISTS);
        assert_int_equal(net_addr_connect(net_listener_addr(s), &fd, NULL), 0);
        while (got < 0)
            net_loop_once(loop, 1000);
        close(got);
        close(fd);
        net_listener_free(s);
    }
    net_loop_free(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_come_whole_and_in_order),
        cmocka_unit_test(also_byte_by_byte),
        cmocka_unit_test(answers_keep_the_order_of_requests),
        cmocka_unit_test(sixty_four_answers_stop_the_reading),
        cmocka_unit_test(lying_lengths_close),
        cmocka_unit_test(memory_follows_arrivals_not_announcements),
        cmocka_unit_test(over_budget_only_a_frame_begun_goes_on),
        cmocka_unit_test(idle_and_slow_peers_are_closed),
        cmocka_unit_test(answers_outlive_their_connection),
        cmocka_unit_test(addresses),
        cmocka_unit_test(listeners_on_every_kind_of_address),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
