/*
 * A connection under hostile bytes and hostile cuts. The first byte says how the stream is cut,
 * what follows is the stream. What must come out is told by a parser that is dumber than the
 * connection: it has the whole stream before it.
 */
#include "base/bytes.h"
#include "net/conn.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MOST = 1 << 16 };

struct seen {
    struct buf bytes; /* each frame with its length in front */
    bool closed;
    enum net_close_reason reason;
    struct net_frame frame; /* one is kept for a while */
};

static void must(bool ok)
{
    if (!ok)
        abort();
}

static void on_frame(void *arg, struct net_conn *c, struct net_frame *f)
{
    struct seen *s = arg;
    uint8_t n[4];

    put_be32(n, (uint32_t)f->n);
    buf_put(&s->bytes, n, 4);
    buf_put(&s->bytes, f->data, f->n);
    net_frame_free(&s->frame);
    if (f->data[0] & 1) {
        must(net_frame_keep(c, f));
        s->frame = *f;
    }
}

static void on_closed(void *arg, struct net_conn *c, enum net_close_reason r, const char *why)
{
    struct seen *s = arg;

    (void)c;
    must(why[0] != 0);
    s->closed = true;
    s->reason = r;
}

/* The whole frames at the front of a stream; *bad: a lying length follows. */
static size_t whole(struct slice s, bool *bad)
{
    size_t at = 0;

    *bad = false;
    while (s.n - at >= 4) {
        int64_t n = (int32_t)get_be32(s.p + at);
        *bad = n <= 0 || n > MOST;
        if (*bad || s.n - at - 4 < (size_t)n)
            break;
        at += 4 + (size_t)n;
    }
    return at;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct net_conn_ops ops = {.on_frame = on_frame, .on_closed = on_closed};
    static struct net_loop *loop;
    struct net_budget budget = {.max = 1 << 30};
    struct net_limits limits;
    struct seen s = {0};
    struct net_conn *c;
    struct slice in;
    size_t cut, want;
    bool bad;
    int fd[2];

    if (size < 1)
        return 0;
    in = slice_of(data + 1, size - 1);
    cut = data[0] ? data[0] : 4096;
    want = whole(in, &bad);
    net_limits_default(&limits);
    limits.max_frame = MOST;
    if (!loop)
        must(net_loop_new(&loop, NULL, NULL) == 0);
    must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fd) == 0);
    must(net_conn_new(&c, loop, &transport_plain, (void *)(intptr_t)fd[0], &limits, &budget, &ops,
                      &s, NULL) == 0);
    while (in.n > 0 && !s.closed) {
        size_t k = in.n < cut ? in.n : cut;
        must(send(fd[1], in.p, k, MSG_NOSIGNAL) == (ssize_t)k);
        in = slice_of(in.p + k, in.n - k);
        net_loop_once(loop, 0);
    }
    must(s.bytes.n == want && (want == 0 || memcmp(s.bytes.p, data + 1, want) == 0));
    must(s.closed == bad && (!bad || s.reason == NET_CLOSED_MALFORMED));
    if (!s.closed)
        net_conn_close(c);
    net_frame_free(&s.frame);
    must(atomic_load(&budget.used) == 0);
    buf_free(&s.bytes);
    close(fd[1]);
    return 0;
}
