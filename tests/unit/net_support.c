#include "net_support.h"

#include "base/bytes.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

/* Passes of the loop without anything having moved that count as rest. A hostile transport does
 * nothing in most of its passes. */
enum { REST = 3, HOSTILE_REST = 60 };

uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* ---- time ---- */

static wall_ms fake_wall(void *arg)
{
    return (wall_ms){((struct fake_clock *)arg)->ns / 1000000};
}

static mono_ns fake_mono(void *arg)
{
    return (mono_ns){((struct fake_clock *)arg)->ns};
}

void fake_clock_init(struct fake_clock *f)
{
    f->clock = (struct os_clock){fake_wall, fake_mono, f};
    f->ns = INT64_C(1000000000000);
}

/* ---- sockets ---- */

static void tcp_pair(int fd[2])
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t n = sizeof a;
    int one = 1, s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(s >= 0);
    assert_int_equal(bind(s, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(s, 1), 0);
    assert_int_equal(getsockname(s, (struct sockaddr *)&a, &n), 0);
    fd[1] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd[1], (struct sockaddr *)&a, sizeof a), 0);
    fd[0] = accept4(s, NULL, NULL, SOCK_CLOEXEC);
    assert_true(fd[0] >= 0);
    close(s);
    for (int i = 0; i < 2; i++)
        setsockopt(fd[i], IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}

void socket_pair(enum way w, int fd[2])
{
    if (w == WAY_TCP)
        tcp_pair(fd);
    else
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd), 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(fcntl(fd[i], F_SETFL, O_NONBLOCK), 0);
}

/* ---- the transport ---- */

/* True: this call finds nothing to do, although there may be. */
static bool balks(struct counted *t)
{
    if (!t->hostile || next_random(&t->random) % 3)
        return false;
    errno = EAGAIN;
    return true;
}

static size_t little(struct counted *t)
{
    uint64_t k = next_random(&t->random) % 16;

    return k < 8 ? 1 : k < 15 ? k : 5000;
}

/* v cut down to what one hostile call may move. */
static int cut(struct counted *t, const struct iovec *v, int n, struct iovec out[8])
{
    size_t left = t->hostile ? little(t) : SIZE_MAX;
    int k = 0;

    for (; k < n && k < 8 && left > 0; k++) {
        out[k] = v[k];
        if (out[k].iov_len > left)
            out[k].iov_len = left;
        left -= out[k].iov_len;
    }
    return k;
}

static ssize_t counted_readv(void *self, const struct iovec *v, int n)
{
    struct counted *t = self;
    struct iovec w[8];
    ssize_t k;

    t->reads++;
    k = balks(t) ? -1 : readv(t->fd, w, cut(t, v, n, w));
    t->got += k > 0 ? (size_t)k : 0;
    return k;
}

static ssize_t count_sent(struct counted *t, ssize_t k)
{
    t->sent += k > 0 ? (size_t)k : 0;
    return k;
}

static ssize_t counted_writev(void *self, const struct iovec *v, int n, bool more)
{
    struct counted *t = self;
    struct iovec w[8];

    t->writes++;
    if (!t->hostile)
        return count_sent(t, transport_plain.writev((void *)(intptr_t)t->fd, v, n, more));
    return balks(t) ? -1 : count_sent(t, writev(t->fd, w, cut(t, v, n, w)));
}

static ssize_t counted_send_file(void *self, int fd, int64_t at, size_t n)
{
    struct counted *t = self;
    size_t few = little(t);

    t->files++;
    if (balks(t))
        return -1;
    if (t->hostile && n > few)
        n = few;
    return transport_plain.send_file((void *)(intptr_t)t->fd, fd, at, n);
}

static int counted_want(void *self)
{
    (void)self;
    return 0;
}

static int counted_fd(void *self)
{
    return ((struct counted *)self)->fd;
}

static void counted_close(void *self)
{
    struct counted *t = self;

    close(t->fd);
    t->fd = -1;
}

const struct transport transport_counted = {
    counted_readv, counted_writev, counted_send_file, counted_want, counted_fd, counted_close,
};

/* ---- the owner ---- */

static void answer(struct net_answer *a, struct slice body)
{
    struct buf b = {0};

    buf_put_slice(&b, body);
    assert_true(net_answer_bytes(a, &b));
    net_answer_send(a);
}

static struct kept *keep(struct rig *r)
{
    if (r->kept_count == r->kept_cap) {
        r->kept_cap = r->kept_cap ? r->kept_cap * 2 : 64;
        r->kept = realloc(r->kept, (size_t)r->kept_cap * sizeof *r->kept);
        assert_non_null(r->kept);
    }
    r->kept[r->kept_count] = (struct kept){0};
    return &r->kept[r->kept_count++];
}

static void on_frame(void *arg, struct net_conn *c, struct net_frame *f)
{
    struct rig *r = arg;
    struct net_answer *a;
    struct kept *k;

    assert_ptr_equal(c, r->conn);
    assert_true(f->n > 0);
    put_frame(&r->seen, slice_of(f->data, f->n));
    r->frames++;
    if (f->data[0] == 'C')
        net_conn_close(c);
    a = net_answer_new(c); /* even now */
    assert_non_null(a);
    assert_int_equal(net_answer_wanted(a), f->data[0] != 'C');
    switch (f->data[0]) {
    case 'D':
        net_answer_drop(a);
        break;
    case 'P':
    case 'K':
        k = keep(r);
        k->answer = a;
        if (f->data[0] == 'K') {
            assert_true(net_frame_keep(c, f));
            k->frame = *f;
        }
        break;
    case 'F': {
        struct buf b = {0};
        buf_put_slice(&b, slice_of(f->data, f->n));
        assert_true(net_answer_bytes(a, &b));
        assert_true(net_answer_file(a, &r->file));
        net_answer_send(a);
        break;
    }
    case 'Z':
        net_conn_pause(c);
        answer(a, slice_of(f->data, f->n));
        break;
    default:
        answer(a, slice_of(f->data, f->n));
    }
}

static void on_closed(void *arg, struct net_conn *c, enum net_close_reason reason, const char *why)
{
    struct rig *r = arg;

    assert_ptr_equal(c, r->conn);
    r->closed++;
    r->reason = reason;
    snprintf(r->why, sizeof r->why, "%s", why);
    r->conn = NULL;
}

static const struct net_conn_ops ops = {.on_frame = on_frame, .on_closed = on_closed};

/* ---- the rig ---- */

void rig_open(struct rig *r, enum way w)
{
    int fd[2];

    r->way = w;
    if (!r->loop) {
        fake_clock_init(&r->time);
        assert_int_equal(net_loop_new(&r->loop, &r->time.clock, NULL), 0);
    }
    socket_pair(w, fd);
    r->peer = fd[1];
    r->transport =
        (struct counted){.fd = fd[0], .hostile = w == WAY_HOSTILE, .random = 88172645463325252};
    assert_int_equal(net_conn_new(&r->conn, r->loop, &transport_counted, &r->transport, &r->limits,
                                  r->shared ? r->shared : &r->budget, &ops, r, NULL),
                     0);
}

void rig_start_on(struct rig *r, enum way w, struct net_loop *loop)
{
    *r = (struct rig){.budget.max = 64 << 20, .loop = loop};
    net_limits_default(&r->limits);
    rig_open(r, w);
}

void rig_start(struct rig *r, enum way w)
{
    rig_start_on(r, w, NULL);
}

void rig_close_peer(struct rig *r)
{
    const struct linger at_once = {.l_onoff = 1};

    if (r->peer < 0)
        return;
    setsockopt(r->peer, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close(r->peer);
    r->peer = -1;
}

void rig_end(struct rig *r)
{
    rig_close_peer(r);
    if (r->conn)
        net_conn_close(r->conn);
    assert_int_equal(r->closed, 1);
    for (int i = 0; i < r->kept_count; i++) {
        net_frame_free(&r->kept[i].frame);
        if (r->kept[i].answer)
            net_answer_send(r->kept[i].answer);
    }
    net_loop_free(r->loop);
    assert_int_equal(atomic_load(&r->budget.used), 0);
    free(r->kept);
    buf_free(&r->seen);
    buf_free(&r->received);
}

/* What the peer can do now; true when a byte has moved. */
static bool peer_moves(struct rig *r, struct slice *in)
{
    uint8_t space[65536];
    bool moved = false;
    ssize_t k;

    if (r->peer < 0)
        return false;
    if (in->n > 0) {
        k = send(r->peer, in->p, in->n, MSG_NOSIGNAL);
        if (k > 0) {
            *in = slice_of(in->p + k, in->n - (size_t)k);
            moved = true;
        } else if (k < 0 && errno != EAGAIN) {
            in->n = 0; /* nobody is there any more */
        }
    }
    while (!r->peer_eof && (k = recv(r->peer, space, sizeof space, 0)) >= 0) {
        r->peer_eof = k == 0;
        buf_put(&r->received, space, (size_t)k);
        moved = true;
    }
    return moved;
}

void rig_exchange(struct rig *r, struct slice in)
{
    int rest = 0, most = r->way == WAY_HOSTILE ? HOSTILE_REST : REST;

    while (rest < most) {
        bool moved = peer_moves(r, &in);
        int frames = r->frames, calls = r->transport.reads + r->transport.writes;
        size_t got = r->transport.got, sent = r->transport.sent;
        /* the kernel may take its time with what is on its way through TCP */
        net_loop_once(r->loop, rest > 0 && r->way == WAY_TCP ? 1 : 0);
        calls = r->transport.reads + r->transport.writes - calls;
        moved =
            moved || r->frames != frames || r->transport.got != got || r->transport.sent != sent;
        rest = moved || (calls > 0 && !r->transport.hostile) ? 0 : rest + 1;
    }
    assert_false(r->received.failed);
}

void rig_settle(struct rig *r)
{
    rig_exchange(r, slice_of("", 0));
}

void rig_wait(struct rig *r, int64_t ms)
{
    r->time.ns += ms * 1000000;
    rig_settle(r);
}

void rig_answer(struct rig *r, int k, struct slice body)
{
    struct net_answer *a = r->kept[k].answer;

    assert_non_null(a);
    r->kept[k].answer = NULL;
    answer(a, body);
}

void put_frame(struct buf *b, struct slice body)
{
    uint8_t n[4];

    put_be32(n, (uint32_t)body.n);
    buf_put(b, n, 4);
    buf_put_slice(b, body);
    assert_false(b->failed);
}

void put_pattern(struct buf *b, char first, size_t n, uint64_t seed)
{
    uint64_t x = seed * 2 + 1;
    uint8_t *p = buf_add(b, n);

    assert_non_null(p);
    for (size_t i = 0; i < n; i++)
        p[i] = i ? (uint8_t)(next_random(&x) >> 24) : (uint8_t)first;
}

void assert_bytes(const struct buf *got, const struct buf *want)
{
    assert_int_equal(got->n, want->n);
    assert_true(slice_eq(buf_slice(got), buf_slice(want)));
}

/* ---- over all ways ---- */

static const char *const way_names[] = {"socketpair", "tcp", "hostile"};

enum way way_of(void **state)
{
    return (enum way)(intptr_t)*state;
}

int run_over_ways(const char *group, const struct way_test *t, size_t n)
{
    size_t all = n * 3;
    struct CMUnitTest *tests = calloc(all, sizeof *tests);
    char(*names)[96] = calloc(all, sizeof *names);
    int failed;

    assert_non_null(tests);
    assert_non_null(names);
    signal(SIGPIPE, SIG_IGN);
    for (size_t i = 0; i < all; i++) {
        snprintf(names[i], sizeof names[i], "%s (%s)", t[i / 3].name, way_names[i % 3]);
        tests[i] = (struct CMUnitTest){.name = names[i],
                                       .test_func = t[i / 3].run,
                                       .initial_state = (void *)(intptr_t)(i % 3)};
    }
    failed = _cmocka_run_group_tests(group, tests, all, NULL, NULL);
    free(names);
    free(tests);
    return failed;
}
