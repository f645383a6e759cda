/* Addresses, listeners, and clients that connect to them. */
#include "net/listener.h"

#include "net_support.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static char dir[80], path[100];
static struct fake_clock clk;
static struct net_loop *loop;

static int start(void **state)
{
    (void)state;
    fake_clock_init(&clk);
    return net_loop_new(&loop, &clk.clock, NULL);
}

static int stop(void **state)
{
    (void)state;
    net_loop_free(loop);
    return 0;
}

/* ---- addresses ---- */

static void addresses(void **state)
{
    static const struct {
        const char *text, *listener, *host;
        int port;
        const char *formatted;
    } good[] = {
        {"host:123", "PLAINTEXT", "host", 123, "host:123"},
        {"host", "PLAINTEXT", "host", 9092, "host:9092"},
        {":9093", "PLAINTEXT", "", 9093, ":9093"},
        {"127.0.0.1:0", "PLAINTEXT", "127.0.0.1", 0, "127.0.0.1:0"},
        {"[::1]:65535", "PLAINTEXT", "::1", 65535, "[::1]:65535"},
        {"[::]", "PLAINTEXT", "::", 9092, "[::]:9092"},
        {"client_1://:1", "CLIENT_1", "", 1, ":1"},
        {"plaintext://[fe80::1]:9", "PLAINTEXT", "fe80::1", 9, "[fe80::1]:9"},
        {"unix:/run/k", "PLAINTEXT", "/run/k", 0, "unix:/run/k"},
        {"local://unix:k:1", "LOCAL", "k:1", 0, "unix:k:1"},
    };
    static const char *const bad[] = {"::1:9",
                                      "h:70000",
                                      "h:",
                                      "h:-1",
                                      "h:1x",
                                      "[::1",
                                      "[::1]9",
                                      "unix:",
                                      "://h:1",
                                      "a b://h:1",
                                      "h:99999999999999999999"};
    char text[300];

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct net_addr a;
        assert_int_equal(net_addr_parse(good[i].text, &a, NULL), 0);
        assert_string_equal(a.listener, good[i].listener);
        assert_string_equal(a.host, good[i].host);
        assert_int_equal(a.port, good[i].port);
        assert_string_equal(net_addr_format(&a, text, sizeof text), good[i].formatted);
        assert_int_equal(net_addr_parse(text, &a, NULL), 0);
        assert_string_equal(a.host, good[i].host);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct net_addr a;
        struct kerr e = {0};
        assert_int_equal(net_addr_parse(bad[i], &a, &e), KE_INVALID);
        assert_non_null(strstr(e.msg, bad[i]));
    }
}

static void addresses_too_long(void **state)
{
    struct net_addr a;
    char text[400] = "unix:";

    (void)state;
    memset(text + 5, 'x', 107);
    assert_int_equal(net_addr_parse(text, &a, NULL), 0);
    text[5 + 107] = 'x';
    assert_int_equal(net_addr_parse(text, &a, NULL), KE_INVALID);
    memset(text, 'h', 300);
    assert_int_equal(net_addr_parse(text, &a, NULL), KE_INVALID);
}

static void names_are_looked_up(void **state)
{
    struct net_addr a = {.host = "localhost", .port = 7};
    struct sockaddr_storage sa;
    unsigned len;

    (void)state;
    assert_int_equal(net_addr_resolve(&a, NULL), 0);
    assert_int_equal(net_addr_to(&a, &sa, &len, NULL), 0);
    snprintf(a.host, sizeof a.host, "no.such.host.invalid");
    assert_int_equal(net_addr_to(&a, &sa, &len, NULL), KE_NOTFOUND);
    assert_int_equal(net_addr_resolve(&a, NULL), KE_NOTFOUND);
}

/* ---- listeners ---- */

static void accepted(void *arg, int fd, const struct net_addr *peer)
{
    (void)peer;
    assert_int_equal(fcntl(fd, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    *(int *)arg = fd;
}

static struct net_listener *listen_on(const char *where, int *got)
{
    struct net_listener_conf conf = {.accepted = accepted, .arg = got};
    struct net_listener *s = NULL;

    assert_int_equal(net_addr_parse(where, &conf.addr, NULL), 0);
    assert_int_equal(net_listener_new(&s, loop, &conf, NULL), 0);
    assert_int_equal(net_listener_start(s, NULL), 0);
    return s;
}

static int listen_fails(const struct net_addr *a)
{
    struct net_listener_conf conf = {.addr = *a, .accepted = accepted};
    char text[300];
    struct net_listener *s;
    struct kerr e = {0};
    int rc = net_listener_new(&s, loop, &conf, &e);

    assert_true(rc < 0);
    assert_null(s);
    assert_non_null(strstr(e.msg, net_addr_format(a, text, sizeof text)));
    return rc;
}

static void listeners_of_every_kind(void **state)
{
    const char *const where[] = {"127.0.0.1:0", "[::1]:0", "localhost:0", ":0", "[::]:0", path};

    (void)state;
    for (size_t i = 0; i < sizeof where / sizeof where[0]; i++) {
        int got = -1, fd;
        struct net_listener *s = listen_on(where[i], &got);
        struct net_addr a = *net_listener_addr(s);
        assert_true(a.is_unix || a.port > 0);
        assert_int_equal(listen_fails(&a), KE_EXISTS);
        if (strcmp(a.host, "::") == 0)
            snprintf(a.host, sizeof a.host, "::1");
        assert_int_equal(net_addr_connect(&a, &fd, NULL), 0);
        while (got < 0)
            net_loop_once(loop, -1);
        close(got);
        close(fd);
        net_listener_free(s);
        assert_true(!a.is_unix || access(a.host, F_OK) < 0);
    }
}

/* An IPv6 listener is for IPv6 only. */
static void six_is_not_four(void **state)
{
    struct sockaddr_in four = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int got = -1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct net_listener *six = listen_on("[::]:0", &got);

    (void)state;
    four.sin_port = htons(net_listener_addr(six)->port);
    assert_int_equal(connect(fd, (struct sockaddr *)&four, sizeof four), -1);
    assert_int_equal(errno, ECONNREFUSED);
    close(fd);
    net_listener_free(six);
}

static void unix_sockets(void **state)
{
    struct net_addr a;
    struct stat st;
    int got = -1, fd;
    struct net_listener *s = listen_on(path, &got);

    (void)state;
    a = *net_listener_addr(s);
    assert_int_equal(stat(a.host, &st), 0);
    assert_int_equal(st.st_mode, S_IFSOCK | 0600);
    assert_int_equal(listen_fails(&a), KE_EXISTS); /* alive */

    /* somebody else's by now: it stays */
    assert_int_equal(unlink(a.host), 0);
    fd = open(a.host, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    close(fd);
    net_listener_free(s);
    assert_int_equal(access(a.host, F_OK), 0);

    /* what is no socket is not removed */
    assert_int_equal(listen_fails(&a), KE_EXISTS);
    assert_int_equal(access(a.host, F_OK), 0);
    assert_int_equal(unlink(a.host), 0);
}

static void a_stale_socket_is_replaced(void **state)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    int got = -1, fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct net_listener *s;

    (void)state;
    snprintf(un.sun_path, sizeof un.sun_path, "%.100s", path + 5);
    assert_int_equal(bind(fd, (struct sockaddr *)&un, sizeof un), 0);
    close(fd);
    assert_int_equal(access(path + 5, F_OK), 0);
    s = listen_on(path, &got);
    net_listener_free(s);
}

static int said;

static void count_said(void *arg, enum diag_level level, const char *msg)
{
    (void)arg;
    (void)level;
    assert_non_null(strstr(msg, "cannot accept"));
    said++;
}

static void wait_ms(int64_t ms)
{
    clk.ns += ms * 1000000;
    for (int i = 0; i < 3; i++)
        net_loop_once(loop, 0);
}

/* Without descriptors connections wait; people hear of it once a minute. */
static void out_of_descriptors(void **state)
{
    const struct diag d = {.level = DIAG_WARN, .sink = count_said};
    int got = -1, client, highest;
    struct net_listener_conf conf = {.accepted = accepted, .arg = &got, .diag = &d};
    struct net_listener *s;
    struct rlimit was, none;

    (void)state;
    assert_int_equal(net_addr_parse("127.0.0.1:0", &conf.addr, NULL), 0);
    assert_int_equal(net_listener_new(&s, loop, &conf, NULL), 0);
    assert_int_equal(net_addr_connect(net_listener_addr(s), &client, NULL), 0);
    highest = dup(client);
    assert_true(highest >= 0);
    close(highest);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
    none = (struct rlimit){(rlim_t)highest, was.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    assert_int_equal(net_listener_start(s, NULL), 0);
    wait_ms(0);
    for (int i = 0; i < 100; i++)
        wait_ms(250);
    assert_int_equal(said, 1);
    for (int i = 0; i < 200; i++)
        wait_ms(250);
    assert_int_equal(said, 2);
    assert_int_equal(got, -1);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
    wait_ms(250);
    assert_true(got >= 0);
    close(got);
    close(client);
    net_listener_free(s);
}

/* ---- clients ---- */

struct client {
    struct net_conn *conn;
    int connected, closed, sent;
    enum net_close_reason reason;
    struct buf answers;
};

static void client_frame(void *arg, struct net_conn *c, struct net_frame *f)
{
    (void)c;
    put_frame(&((struct client *)arg)->answers, slice_of(f->data, f->n));
}

static void client_connected(void *arg, struct net_conn *c)
{
    (void)c;
    ((struct client *)arg)->connected++;
}

static void client_closed(void *arg, struct net_conn *c, enum net_close_reason r, const char *why)
{
    struct client *k = arg;

    assert_ptr_equal(c, k->conn);
    assert_true(why[0]);
    k->closed++;
    k->reason = r;
    k->conn = NULL;
}

static void client_sent(void *arg)
{
    ((struct client *)arg)->sent++;
}

static const struct net_conn_ops client_ops = {client_frame, client_closed, client_connected};

static void send_request(struct client *k, const char *head, struct slice body)
{
    struct buf b = {0};

    buf_put_str(&b, head);
    assert_int_equal(net_conn_send(k->conn, &b, body, client_sent, k), 0);
    assert_null(b.p);
}

/* Requests queue before the connection stands; a body is not copied, so it is told when it is gone.
 */
static void a_client_sends(void **state)
{
    const char *const where[] = {"127.0.0.1:0", path};
    struct net_limits limits;
    struct buf body = {0};

    (void)state;
    net_limits_default(&limits);
    put_pattern(&body, 'b', 9000000, 1);
    for (int i = 0; i < 2; i++) {
        struct buf want = {0}, got = {0}, whole = {0};
        struct client k = {0};
        uint8_t space[65536];
        int fd = -1;
        struct net_listener *s = listen_on(where[i], &fd);
        assert_int_equal(
            net_connect(&k.conn, loop, net_listener_addr(s), &limits, &client_ops, &k, NULL), 0);
        send_request(&k, "small", (struct slice){NULL, 0});
        send_request(&k, "big ", buf_slice(&body));
        while (fd < 0 || !k.connected)
            net_loop_once(loop, -1);
        for (int n = 0; n < 20; n++)
            net_loop_once(loop, 0);
        assert_int_equal(k.sent, 0); /* no socket takes 9 MB that nobody reads */
        put_frame(&want, slice_str("small"));
        buf_put_str(&whole, "big ");
        buf_put_slice(&whole, buf_slice(&body));
        put_frame(&want, buf_slice(&whole));
        while (got.n < want.n) {
            ssize_t n = recv(fd, space, sizeof space, MSG_DONTWAIT);
            if (n > 0)
                buf_put(&got, space, (size_t)n);
            net_loop_once(loop, 0);
        }
        assert_bytes(&got, &want);
        assert_int_equal(k.sent, 1);
        assert_int_equal(send(fd, "\0\0\0\2ok", 6, MSG_NOSIGNAL), 6);
        while (k.answers.n == 0)
            net_loop_once(loop, -1);
        send_request(&k, "never read", buf_slice(&body));
        net_conn_close(k.conn);
        assert_int_equal(k.sent, 2);
        assert_int_equal(k.closed, 1);
        close(fd);
        net_listener_free(s);
        buf_free(&want);
        buf_free(&got);
        buf_free(&whole);
        buf_free(&k.answers);
    }
    buf_free(&body);
}

static void nobody_there(void **state)
{
    struct net_addr a = {.host = "127.0.0.1"};
    struct net_limits limits;
    struct client k = {0};
    struct kerr e = {0};
    int got = -1;
    struct net_listener *s = listen_on("127.0.0.1:0", &got);

    (void)state;
    net_limits_default(&limits);
    a.port = net_listener_addr(s)->port;
    net_listener_free(s);
    if (net_connect(&k.conn, loop, &a, &limits, &client_ops, &k, &e) == 0) {
        while (!k.closed)
            net_loop_once(loop, -1);
        assert_int_equal(k.reason, NET_CLOSED_ERROR);
    }
    assert_int_equal(k.connected, 0);
    assert_int_equal(net_addr_parse(path, &a, NULL), 0);
    assert_int_equal(net_connect(&k.conn, loop, &a, &limits, &client_ops, &k, &e), KE_IO);
    assert_null(k.conn);
    assert_non_null(strstr(e.msg, path));
    snprintf(a.host, sizeof a.host, "a.name");
    a.is_unix = false;
    assert_int_equal(net_connect(&k.conn, loop, &a, &limits, &client_ops, &k, &e), KE_NOTFOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses),
        cmocka_unit_test(addresses_too_long),
        cmocka_unit_test(names_are_looked_up),
        cmocka_unit_test_setup_teardown(listeners_of_every_kind, start, stop),
        cmocka_unit_test_setup_teardown(six_is_not_four, start, stop),
        cmocka_unit_test_setup_teardown(unix_sockets, start, stop),
        cmocka_unit_test_setup_teardown(a_stale_socket_is_replaced, start, stop),
        cmocka_unit_test_setup_teardown(out_of_descriptors, start, stop),
        cmocka_unit_test_setup_teardown(a_client_sends, start, stop),
        cmocka_unit_test_setup_teardown(nobody_there, start, stop),
    };
    const char *tmp = getenv("TMPDIR");
    int failed;

    signal(SIGPIPE, SIG_IGN);
    snprintf(dir, sizeof dir, "%.60s/net-XXXXXX", tmp ? tmp : "/tmp");
    if (!mkdtemp(dir))
        return 1;
    snprintf(path, sizeof path, "unix:%s/socket", dir);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    rmdir(dir);
    return failed;
}
