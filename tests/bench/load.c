/*
 * load - requests made beforehand, sent as fast as they are answered, so that what is measured is
 * the server. Every answer is checked: no error, and each batch at the offset that follows the last
 * one's (with several connections: no error).
 *
 *     load produce PORT TOPIC batch=BYTES requests=N [acks=1] [flight=5] [connections=1]
 *     load fetch PORT TOPIC bytes=N [max=1048576]      from offset 0 on, until N bytes have come
 *     load drain PORT                                  a mebibyte after the other from a source, to
 * its end load first TOPIC CMD [ARG]...                    starts a broker; see below
 *
 * Each prints what it did as name=value words on one line. batch=0 is one record of 100 bytes.
 */
#include "bench/peer.h"
#include "bench/request.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { RECORD = 100, CONNECTIONS = 256 };

/* Records of text that make about so many bytes. */
static struct slice make_text(struct batch_builder *b, size_t size)
{
    uint64_t x = UINT64_C(88172645463325252);
    uint8_t value[RECORD];

    for (size_t i = 0; i < RECORD; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        value[i] = (uint8_t)(32 + (x >> 8) % 94);
    }
    return make_batch(b, slice_of(value, RECORD), size);
}

/* ---- produce ---- */

struct producer {
    int fd, flight;
    size_t have; /* of the answers */
    uint8_t in[16384];
};

struct production {
    const char *topic;
    struct iovec request[2];
    int64_t to_send, to_come, records;
    int64_t *seen; /* one connection: the next offset, -1 before the first */
    int flight_max;
};

static void send_one(struct production *m, struct producer *c)
{
    struct iovec v[2] = {m->request[0], m->request[1]};
    int n = 2;
    struct iovec *at = v;

    while (n > 0) {
        ssize_t k = writev(c->fd, at, n);
        if (k < 0 && errno != EINTR)
            die("writev: %s", strerror(errno));
        for (; n > 0 && k >= (ssize_t)at->iov_len; n--, at++)
            k -= (ssize_t)at->iov_len;
        if (n > 0 && k > 0) {
            at->iov_base = (char *)at->iov_base + k;
            at->iov_len -= (size_t)k;
        }
    }
    c->flight++;
    m->to_send--;
}

static void take_answers(struct production *m, struct producer *c)
{
    size_t one = produce_answer_size(m->topic), used = 0;
    ssize_t k = recv(c->fd, c->in + c->have, sizeof c->in - c->have, 0);

    if (k <= 0)
        die("%s: %s", m->topic, k == 0 ? "the broker has closed the connection" : strerror(errno));
    c->have += (size_t)k;
    for (; c->have - used >= one; used += one) {
        int64_t base = produce_answer(c->in + used, m->topic);
        if (m->seen && *m->seen >= 0 && base != *m->seen)
            die("%s: offset %lld, not %lld", m->topic, (long long)base, (long long)*m->seen);
        if (m->seen)
            *m->seen = base + m->records;
        c->flight--;
        m->to_come--;
    }
    memmove(c->in, c->in + used, c->have - used);
    c->have -= used;
}

static void produce(int port, const char *topic, char **argv)
{
    int64_t n = option(argv, "requests", -1), connections = option(argv, "connections", 1), start;
    struct production m = {.topic = topic, .to_send = n, .to_come = n};
    struct producer *c = calloc((size_t)connections, sizeof *c);
    struct pollfd *watch = calloc((size_t)connections, sizeof *watch);
    struct batch_builder b = {0};
    int64_t next = -1;
    uint8_t head[512];
    struct slice batch;
    double seconds;

    if (!c || !watch || connections < 1 || connections > CONNECTIONS)
        die("connections=");
    m.flight_max = (int)option(argv, "flight", 5);
    batch = make_text(&b, (size_t)option(argv, "batch", -1));
    m.records = b.count;
    m.request[0] =
        (struct iovec){head, produce_request(head, topic, (int)option(argv, "acks", 1), batch.n)};
    m.request[1] = (struct iovec){(void *)(uintptr_t)batch.p, batch.n};
    m.seen = connections == 1 ? &next : NULL;
    for (int64_t i = 0; i < connections; i++) {
        c[i].fd = open_topic(port, topic);
        watch[i] = (struct pollfd){.fd = c[i].fd, .events = POLLIN};
    }
    start = now_ns();
    while (m.to_come > 0) {
        for (int64_t i = 0; i < connections; i++)
            while (m.to_send > 0 && c[i].flight < m.flight_max)
                send_one(&m, &c[i]);
        if (poll(watch, (nfds_t)connections, 60000) <= 0)
            die("%s: no answer within a minute", topic);
        for (int64_t i = 0; i < connections; i++)
            if (watch[i].revents)
                take_answers(&m, &c[i]);
    }
    seconds = (double)(now_ns() - start) / 1e9;
    printf("requests=%lld bytes=%lld records=%lld seconds=%.6f\n", (long long)n,
           (long long)n * (long long)batch.n, (long long)(n * m.records), seconds);
    for (int64_t i = 0; i < connections; i++)
        close(c[i].fd);
    batch_builder_free(&b);
    free(watch);
    free(c);
}

/* ---- fetch ---- */

/* Follows the whole batches: the offset behind them. */
static int64_t follow(struct slice s, int64_t offset, const char *topic, size_t *bytes)
{
    while (s.n >= 61) {
        size_t n = get_be32(s.p + 8) + 12;
        if (n > s.n)
            break;
        if ((int64_t)get_be64(s.p) != offset)
            die("%s: offset %lld, not %lld", topic, (long long)get_be64(s.p), (long long)offset);
        offset += (int64_t)get_be32(s.p + 23) + 1;
        *bytes += n;
        s = slice_of(s.p + n, s.n - n);
    }
    return offset;
}

static void fetch(int port, const char *topic, char **argv)
{
    int64_t want = option(argv, "bytes", -1), max = option(argv, "max", 1 << 20), offset = 0, start;
    size_t cap = (size_t)max + (8 << 20), bytes = 0, n;
    uint8_t out[512], *in = malloc(cap);
    int fd = open_topic(port, topic);

    if (!in)
        die("out of memory");
    start = now_ns();
    while ((int64_t)bytes < want) {
        send_all(fd, out, fetch_request(out, topic, offset, max), 0);
        if (!recv_all(fd, in, 4) || (n = get_be32(in)) > cap || !recv_all(fd, in, n))
            die("%s: no answer", topic);
        offset = follow(fetch_answer(in, n, topic), offset, topic, &bytes);
    }
    printf("bytes=%zu records=%lld seconds=%.6f\n", bytes, (long long)offset,
           (double)(now_ns() - start) / 1e9);
    close(fd);
    free(in);
}

static void drain(int port)
{
    size_t cap = 1 << 20, bytes = 0;
    char *in = malloc(cap);
    int fd = connect_local(port);
    int64_t start = now_ns();
    ssize_t k = 0;

    if (fd < 0 || !in)
        die("port %d: %s", port, strerror(errno));
    do {
        send_all(fd, "", 1, 0);
        for (size_t got = 0; got < cap && (k = recv(fd, in, cap - got, 0)) > 0; got += (size_t)k)
            bytes += (size_t)k;
    } while (k > 0);
    printf("bytes=%zu seconds=%.6f\n", bytes, (double)(now_ns() - start) / 1e9);
    close(fd);
    free(in);
}

/* ---- first: from exec to the first acknowledged record ---- */

/*
 * Starts CMD, in whose arguments %p stands for a port that is free, connects as soon as it listens,
 * has the topic made and produces one record with acks=all. Then stops it by SIGTERM.
 */
static int start_broker(char **cmd, int port)
{
    char text[16];
    pid_t child;

    snprintf(text, sizeof text, "%d", port);
    for (char **a = cmd; *a; a++) {
        char *at = strstr(*a, "%p"), *made;
        if (!at)
            continue;
        made = malloc(strlen(*a) + sizeof text);
        if (!made)
            die("out of memory");
        sprintf(made, "%.*s%s%s", (int)(at - *a), *a, text, at + 2);
        *a = made;
    }
    child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        execvp(cmd[0], cmd);
        die("%s: %s", cmd[0], strerror(errno));
    }
    return child;
}

static void first(const char *topic, char **cmd)
{
    int port = 0, fd = listen_local(&port), status;
    int64_t start, listens;
    struct batch_builder b = {0};
    struct slice batch = make_text(&b, 0);
    uint8_t head[512], in[512];
    pid_t child;

    close(fd);
    start = now_ns();
    child = start_broker(cmd, port);
    while ((fd = connect_local(port)) < 0) {
        if (now_ns() - start > INT64_C(10000000000) || waitpid(child, &status, WNOHANG) == child)
            die("%s does not listen", cmd[0]);
        nanosleep(&(struct timespec){0, 50000}, NULL);
    }
    listens = now_ns();
    await_topic(fd, topic);
    send_all(fd, head, produce_request(head, topic, -1, batch.n), MSG_MORE);
    send_all(fd, batch.p, batch.n, 0);
    if (!recv_all(fd, in, produce_answer_size(topic)) || produce_answer(in, topic) != 0)
        die("%s: no answer", topic);
    printf("listens_ms=%.3f acknowledged_ms=%.3f\n", (double)(listens - start) / 1e6,
           (double)(now_ns() - start) / 1e6);
    close(fd);
    kill(child, SIGTERM);
    waitpid(child, &status, 0);
    if (status != 0)
        die("%s ended with %#x", cmd[0], (unsigned)status);
    batch_builder_free(&b);
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";

    signal(SIGPIPE, SIG_IGN);
    if (strcmp(what, "produce") == 0 && argc > 3)
        produce(atoi(argv[2]), argv[3], argv + 4);
    else if (strcmp(what, "fetch") == 0 && argc > 3)
        fetch(atoi(argv[2]), argv[3], argv + 4);
    else if (strcmp(what, "drain") == 0 && argc == 3)
        drain(atoi(argv[2]));
    else if (strcmp(what, "first") == 0 && argc > 3)
        first(argv[2], argv + 3);
    else
        die("usage: load produce|fetch|drain|first ...");
    return 0;
}
