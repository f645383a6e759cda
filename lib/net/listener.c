#include "net/listener.h"

#include "net/loop_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define BACKLOG       1024
#define ACCEPT_ROUNDS 64
#define PAUSE_MS      200 /* after running out of descriptors */
#define SAY_AGAIN_MS  60000

struct net_listener {
    struct net_listener_conf conf;
    struct net_addr addr;
    struct net_loop *loop;
    int fd;
    bool bound_path; /* a Unix socket that is ours to unlink, this one: */
    dev_t dev;
    ino_t ino;
    struct event *ready;
    struct net_timer pause;
    mono_ns said_at; /* that descriptors ran out; 0: never */
};

/* True when somebody answers on that Unix socket, or it cannot be told. */
static bool somebody_listens(const struct net_addr *a)
{
    int fd = -1;

    if (net_addr_connect(a, &fd, NULL) == 0) {
        close(fd);
        return true;
    }
    return errno != ECONNREFUSED;
}

/* A socket file that nobody serves any more is in the way; anything else stays. */
static void remove_stale(const struct net_addr *a)
{
    struct stat st;

    if (lstat(a->host, &st) == 0 && S_ISSOCK(st.st_mode) && !somebody_listens(a))
        unlink(a->host);
}

static void remember_path(struct net_listener *s)
{
    struct stat st;

    if (lstat(s->addr.host, &st) < 0)
        return;
    s->bound_path = true;
    s->dev = st.st_dev;
    s->ino = st.st_ino;
}

/* Not one that somebody else has put there since. */
static void remove_path(struct net_listener *s)
{
    struct stat st;

    if (s->bound_path && lstat(s->addr.host, &st) == 0 && st.st_dev == s->dev &&
        st.st_ino == s->ino)
        unlink(s->addr.host);
    s->bound_path = false;
}

static int bind_and_listen(struct net_listener *s, struct kerr *e)
{
    struct sockaddr_storage sa;
    socklen_t n = sizeof sa;
    char text[300];
    unsigned len;
    struct net_addr numeric = s->addr;
    int one = 1, rc = net_addr_resolve(&numeric, e);

    net_addr_format(&s->addr, text, sizeof text);
    if (rc == 0)
        rc = net_addr_to(&numeric, &sa, &len, e);
    if (rc < 0)
        return kerr_ctx(e, rc, "listener %s", text);
    s->fd = socket(sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (s->fd < 0)
        return kerr_sys(e, KE_IO, "listener %s", text);
    setsockopt(s->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (sa.ss_family == AF_INET6)
        setsockopt(s->fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
    if (s->addr.is_unix) {
        remove_stale(&s->addr);
        /* Linux gives the file the socket's mode: it is never open to others, not even at first */
        fchmod(s->fd, 0600);
    }
    if (bind(s->fd, (struct sockaddr *)&sa, len) < 0)
        return kerr_sys(e, errno == EADDRINUSE ? KE_EXISTS : KE_IO, "listener %s", text);
    if (s->addr.is_unix)
        remember_path(s);
    if (listen(s->fd, BACKLOG) < 0)
        return kerr_sys(e, errno == EADDRINUSE ? KE_EXISTS : KE_IO, "listener %s", text);
    if (!s->addr.is_unix && getsockname(s->fd, (struct sockaddr *)&sa, &n) == 0) {
        struct net_addr real;
        if (net_addr_from(&sa, &real))
            s->addr.port = real.port;
    }
    return 0;
}

static void resume_accepting(struct net_timer *t)
{
    struct net_listener *s =
        (struct net_listener *)((char *)t - offsetof(struct net_listener, pause));

    event_add(s->ready, NULL);
}

static void out_of_descriptors(struct net_listener *s, int err)
{
    mono_ns now = net_loop_now(s->loop);
    char text[300];

    if (s->said_at.ns == 0 || mono_diff_ms(now, s->said_at) >= SAY_AGAIN_MS) {
        s->said_at = now;
        diag(s->conf.diag, DIAG_WARN, "listener %s: cannot accept: %s; connections wait",
             net_addr_format(&s->addr, text, sizeof text), strerrordesc_np(err));
    }
    event_del(s->ready);
    if (net_timer_set(&s->pause, PAUSE_MS) < 0)
        event_add(s->ready, NULL);
}

static void acceptable(evutil_socket_t fd, short what, void *arg)
{
    struct net_listener *s = arg;
    int one = 1;

    (void)fd;
    (void)what;
    net_loop_enter(s->loop);
    /* the callee may stop the listener */
    for (int i = 0; i < ACCEPT_ROUNDS && s->fd >= 0; i++) {
        struct sockaddr_storage sa = {0};
        socklen_t n = sizeof sa;
        struct net_addr peer;
        int c = accept4(s->fd, (struct sockaddr *)&sa, &n, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (c < 0) {
            if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
                out_of_descriptors(s, errno);
            if (errno == EINTR || errno == ECONNABORTED)
                continue;
            break;
        }
        if (!s->addr.is_unix) {
            setsockopt(c, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
            setsockopt(c, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof one);
        }
        net_addr_from(&sa, &peer);
        s->conf.accepted(s->conf.arg, c, &peer);
    }
    net_loop_leave(s->loop);
}

int net_listener_new(struct net_listener **out, struct net_loop *l,
                     const struct net_listener_conf *c, struct kerr *e)
{
    struct net_listener *s = calloc(1, sizeof *s);
    int rc;

    *out = NULL;
    if (!s)
        return kerr_set(e, KE_NOMEM, "listener");
    s->conf = *c;
    s->addr = c->addr;
    s->loop = l;
    s->fd = -1;
    net_timer_init(&s->pause, l, resume_accepting);
    rc = bind_and_listen(s, e);
    if (rc == 0) {
        s->ready = event_new(l->base, s->fd, EV_READ | EV_PERSIST, acceptable, s);
        if (!s->ready)
            rc = kerr_set(e, KE_NOMEM, "listener");
    }
    if (rc < 0) {
        net_listener_free(s);
        return rc;
    }
    *out = s;
    return 0;
}

const struct net_addr *net_listener_addr(const struct net_listener *s)
{
    return &s->addr;
}

int net_listener_fd(const struct net_listener *s)
{
    return s->fd;
}

int net_listener_start(struct net_listener *s, struct kerr *e)
{
    return event_add(s->ready, NULL) == 0 ? 0 : kerr_set(e, KE_NOMEM, "listener");
}

void net_listener_stop(struct net_listener *s)
{
    net_timer_clear(&s->pause);
    if (s->ready)
        event_free(s->ready);
    s->ready = NULL;
    remove_path(s);
    if (s->fd >= 0)
        close(s->fd);
    s->fd = -1;
}

void net_listener_free(struct net_listener *s)
{
    if (!s)
        return;
    net_listener_stop(s);
    free(s);
}
