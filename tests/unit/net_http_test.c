/* The HTTP page: what is asked for, what is refused, who waits, who is cut off. The clients are
 * plain sockets; the loop runs under a clock that the test moves. */
#include "net/http.h"

#include "net_support.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define DEADLINE_MS 20000

static struct fake_clock clk;
static struct net_loop *loop;
static struct net_http *http;
static struct net_http_request *waiting[64];
static int count;
static bool later; /* the owner does not answer at once */

static void answer(struct net_http_request *q)
{
    struct buf page = {0};

    buf_put_str(&page, "the page\n");
    net_http_answer(q, &page);
}

static void asked(void *arg, struct net_http_request *q)
{
    assert_ptr_equal(arg, &clk);
    waiting[count++] = q;
    if (!later)
        answer(waiting[--count]);
}

static int start(void **state)
{
    struct net_http_conf c = {
        .path = "/page", .content_type = "text/x-page", .asked = asked, .arg = &clk};

    (void)state;
    later = false;
    count = 0;
    fake_clock_init(&clk);
    if (net_loop_new(&loop, &clk.clock, NULL) < 0 ||
        net_addr_parse("127.0.0.1:0", &c.addr, NULL) < 0)
        return -1;
    return net_http_new(&http, loop, &c, NULL);
}

static int stop(void **state)
{
    (void)state;
    net_http_free(http);
    net_loop_free(loop);
    return 0;
}

static int connect_to(const struct net_addr *a)
{
    int fd;

    assert_int_equal(net_addr_connect(a, &fd, NULL), 0);
    return fd;
}

static void say(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

static void turn(int64_t *left)
{
    net_loop_once(loop, 1);
    assert_true(--*left > 0);
}

/* All that comes until the other side closes; the socket is closed then, too. */
static const char *hear(int fd)
{
    static char text[100000];
    size_t n = 0;
    int64_t left = DEADLINE_MS;
    ssize_t k;

    while ((k = recv(fd, text + n, sizeof text - 1 - n, 0)) != 0) {
        if (k < 0 && errno == ECONNRESET)
            break;
        if (k < 0)
            turn(&left);
        else
            n += (size_t)k;
    }
    text[n] = 0;
    close(fd);
    return text;
}

static const char *ask(const char *request)
{
    int fd = connect_to(net_http_addr(http));

    say(fd, request);
    return hear(fd);
}

static void assert_status(const char *answer, int status)
{
    char line[32];

    snprintf(line, sizeof line, "HTTP/1.1 %d ", status);
    assert_memory_equal(answer, line, strlen(line));
}

static void the_page(void **state)
{
    const char *text = ask("GET /page HTTP/1.1\r\nHost: h\r\n\r\n");

    (void)state;
    assert_status(text, 200);
    assert_non_null(strstr(text, "\r\nContent-Type: text/x-page\r\n"));
    assert_non_null(strstr(text, "\r\nContent-Length: 9\r\n"));
    assert_non_null(strstr(text, "\r\n\r\nthe page\n"));
    assert_status(ask("GET /page?q=1 HTTP/1.1\r\nHost: h\r\n\r\n"), 200);
    assert_non_null(strstr(ask("GET /page HTTP/1.0\r\n\r\n"), "the page\n"));
}

static void nothing_else(void **state)
{
    (void)state;
    assert_status(ask("GET / HTTP/1.1\r\nHost: h\r\n\r\n"), 404);
    assert_status(ask("GET /page/more HTTP/1.1\r\nHost: h\r\n\r\n"), 404);
    assert_status(ask("POST /other HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n"), 404);
    assert_status(ask("POST /page HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n"), 405);
    assert_non_null(strstr(ask("DELETE /page HTTP/1.1\r\nHost: h\r\n\r\n"), "\r\nAllow: GET\r\n"));
    assert_status(ask("HEAD /page HTTP/1.1\r\nHost: h\r\n\r\n"), 405);
    assert_null(strstr(ask("nonsense\r\n\r\n"), "the page"));
}

/* Neither may grow without an end. */
static void headers_and_bodies_are_bounded(void **state)
{
    static char big[20000];
    int n = snprintf(big, sizeof big, "GET /page HTTP/1.1\r\nA: ");

    (void)state;
    memset(big + n, 'x', sizeof big - 1 - (size_t)n);
    assert_null(strstr(ask(big), "the page")); /* answered or not, it is closed */
    assert_status(ask("GET /page HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n"), 413);
}

static int open_descriptors(void)
{
    DIR *d = opendir("/proc/self/fd");
    int n = 0;

    assert_non_null(d);
    while (readdir(d))
        n++;
    closedir(d);
    return n;
}

/* Moves the clock until that many descriptors are open. */
static void settle(int descriptors)
{
    int64_t left = DEADLINE_MS;

    while (open_descriptors() != descriptors) {
        clk.ns += 10000000;
        turn(&left);
    }
}

/* One more than there is room for is served when another has ended. */
static void connections_are_capped(void **state)
{
    int before = open_descriptors(), fd[NET_HTTP_CONNECTIONS + 1];
    int64_t left = DEADLINE_MS;

    (void)state;
    later = true;
    for (int i = 0; i <= NET_HTTP_CONNECTIONS; i++) {
        fd[i] = connect_to(net_http_addr(http));
        say(fd[i], "GET /page HTTP/1.1\r\nHost: h\r\n\r\n");
    }
    while (count < NET_HTTP_CONNECTIONS)
        turn(&left);
    for (int i = 0; i < 50; i++) {
        clk.ns += 100000000;
        net_loop_once(loop, 1);
    }
    assert_int_equal(count, NET_HTTP_CONNECTIONS);
    answer(waiting[0]);
    assert_non_null(strstr(hear(fd[0]), "the page"));
    while (count == NET_HTTP_CONNECTIONS) {
        clk.ns += 100000000;
        turn(&left);
    }
    for (int i = 1; i <= NET_HTTP_CONNECTIONS; i++) {
        answer(waiting[i]);
        assert_non_null(strstr(hear(fd[i]), "the page"));
    }
    settle(before);
}

/* One that keeps moving is not idle, but its time is up some day. */
static void slow_ones_are_cut(void **state)
{
    int before = open_descriptors(), fd = connect_to(net_http_addr(http));
    int64_t left = DEADLINE_MS;
    char c;

    (void)state;
    say(fd, "GET /page HTTP/1.1\r\nA: ");
    while (recv(fd, &c, 1, 0) < 0 && errno == EAGAIN) {
        clk.ns += 500000000;
        send(fd, "x", 1, MSG_NOSIGNAL);
        turn(&left);
    }
    /* not before its time, nor much after: two sweeps, two rounds of ours */
    assert_in_range(DEADLINE_MS - left, 118, 130);
    close(fd);
    settle(before);
}

/* Nobody is there any more when the page is ready. */
static void a_client_goes(void **state)
{
    int before = open_descriptors();
    int64_t left = DEADLINE_MS;

    (void)state;
    later = true;
    for (int i = 0; i < 3; i++) {
        int fd = connect_to(net_http_addr(http));
        say(fd, "GET /page HTTP/1.1\r\nHost: h\r\n\r\n");
        while (count <= i)
            turn(&left);
        close(fd);
    }
    for (int i = 0; i < 50; i++)
        net_loop_once(loop, 1);
    answer(waiting[0]);
    net_http_answer(waiting[1], NULL);
    answer(waiting[2]);
    settle(before);
}

static int ready_count;

static void ready(struct net_watch *w, bool readable, bool writable)
{
    assert_true(readable && !writable);
    net_watch_clear(w);
    ready_count++;
}

/* Whose socket gets the number of one that evhttp has done with hears of its events. */
static void numbers_are_used_again(void **state)
{
    int64_t left = DEADLINE_MS;

    (void)state;
    for (int i = 0; i < 4; i++) {
        struct net_watch w[2] = {{.ready = ready}, {.ready = ready}};
        int fd[2];
        ask("GET /page HTTP/1.1\r\nHost: h\r\n\r\n");
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
        ready_count = 0;
        for (int k = 0; k < 2; k++) {
            assert_int_equal(net_watch_set(&w[k], loop, fd[k], true, false), 0);
            say(fd[1 - k], "x");
        }
        while (ready_count < 2)
            turn(&left);
        close(fd[0]);
        close(fd[1]);
    }
}

static void without_a_page_it_says_so(void **state)
{
    int fd = connect_to(net_http_addr(http));
    int64_t left = DEADLINE_MS;

    (void)state;
    later = true;
    say(fd, "GET /page HTTP/1.1\r\nHost: h\r\n\r\n");
    while (count == 0)
        turn(&left);
    net_http_answer(waiting[0], NULL);
    assert_status(hear(fd), 503);
}

/* Two cannot have one address. */
static void an_address_in_use(void **state)
{
    struct net_http_conf c = {.addr = *net_http_addr(http), .path = "/", .asked = asked};
    struct net_http *second;
    struct kerr e = {0};

    (void)state;
    assert_int_equal(net_http_new(&second, loop, &c, &e), KE_EXISTS);
    assert_null(second);
}

#define WITH_SERVER(f) cmocka_unit_test_setup_teardown(f, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SERVER(the_page),
        WITH_SERVER(nothing_else),
        WITH_SERVER(headers_and_bodies_are_bounded),
        WITH_SERVER(connections_are_capped),
        WITH_SERVER(slow_ones_are_cut),
        WITH_SERVER(a_client_goes),
        WITH_SERVER(numbers_are_used_again),
        WITH_SERVER(without_a_page_it_says_so),
        WITH_SERVER(an_address_in_use),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
