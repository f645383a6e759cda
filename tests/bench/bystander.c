/*
 * bystander PORT TOPIC [rate=1000] [size=1000] - sends a record of size bytes rate times a second
 * (acks=1, one record a request), reads the topic on a second connection, and takes the time from
 * when a record was to be sent to when it has come. Reads commands from stdin:
 *
 *     begin    a stretch begins
 *     end      it ends: one line with its figures, once all records of it have come
 *
 * It ends with its stdin.
 */
#include "bench/peer.h"
#include "bench/request.h"
#include "os/crc32c.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

enum { MOST_SAMPLES = 1 << 22, FETCH_MAX = 1 << 20, PATIENCE_S = 60 };

struct sample {
    int64_t due, took;
};

static const char *topic;
static int64_t interval, position; /* of the time within a batch */
static struct batch_builder builder;
static struct slice batch;

static pthread_mutex_t mu = PTHREAD_MUTEX_INITIALIZER;
static struct sample *samples;
static size_t sample_count;

/* ---- sending ---- */

static void take_answers(int fd, uint8_t *in, size_t cap, size_t *have)
{
    size_t one = produce_answer_size(topic), used = 0;
    ssize_t k = recv(fd, in + *have, cap - *have, MSG_DONTWAIT);

    if (k == 0)
        die("%s: the broker has closed the connection", topic);
    if (k < 0)
        return;
    *have += (size_t)k;
    for (; *have - used >= one; used += one)
        produce_answer(in + used, topic);
    memmove(in, in + used, *have - used);
    *have -= used;
}

_Noreturn static void *send_records(void *arg)
{
    int fd = *(int *)arg;
    uint8_t head[512], in[16384], *b = (uint8_t *)(uintptr_t)batch.p;
    size_t n = produce_request(head, topic, 1, batch.n), have = 0;
    int64_t due = now_ns();

    for (;; due += interval) {
        struct timespec t = {due / 1000000000, due % 1000000000};
        while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) != 0)
            ;
        memcpy(b + position, &due, sizeof due);
        put_be32(b + 17, os_crc32c(0, b + 21, batch.n - 21));
        send_all(fd, head, n, MSG_MORE);
        send_all(fd, b, batch.n, 0);
        take_answers(fd, in, sizeof in, &have);
    }
}

/* ---- receiving ---- */

/* Notes the batches of an answer; returns the offset behind them. */
static int64_t note(struct slice s, int64_t offset)
{
    int64_t now = now_ns(), due;

    pthread_mutex_lock(&mu);
    for (; s.n >= batch.n; s = slice_of(s.p + batch.n, s.n - batch.n), offset++) {
        if ((int64_t)get_be64(s.p) != offset)
            die("%s: offset %lld, not %lld", topic, (long long)get_be64(s.p), (long long)offset);
        memcpy(&due, s.p + position, sizeof due);
        if (sample_count == MOST_SAMPLES)
            die("%s: too many samples", topic);
        samples[sample_count++] = (struct sample){due, now - due};
    }
    pthread_mutex_unlock(&mu);
    return offset;
}

_Noreturn static void *receive_records(void *arg)
{
    int fd = *(int *)arg;
    size_t cap = FETCH_MAX + 4096, n;
    uint8_t out[512], *in = malloc(cap);
    int64_t offset = 0;

    for (;;) {
        send_all(fd, out, fetch_request(out, topic, offset, FETCH_MAX), 0);
        if (!in || !recv_all(fd, in, 4) || (n = get_be32(in)) > cap || !recv_all(fd, in, n))
            die("%s: no answer", topic);
        offset = note(fetch_answer(in, n, topic), offset);
    }
}

/* ---- figures ---- */

static int by_time(const void *x, const void *y)
{
    const int64_t *a = x, *b = y;

    return (*a > *b) - (*a < *b);
}

/* Waits until all that was due before a time has come. */
static void wait_until_past(int64_t time)
{
    int64_t give_up = now_ns() + PATIENCE_S * INT64_C(1000000000);
    bool past = false;

    while (!past) {
        pthread_mutex_lock(&mu);
        past = sample_count > 0 && samples[sample_count - 1].due >= time;
        pthread_mutex_unlock(&mu);
        if (now_ns() > give_up)
            die("%s: records have not come within %d s", topic, PATIENCE_S);
        if (!past)
            poll(NULL, 0, 2);
    }
}

static void print_figures(int64_t from, int64_t to)
{
    int64_t *took;
    size_t n = 0;

    wait_until_past(to);
    pthread_mutex_lock(&mu);
    took = calloc(sample_count, sizeof *took);
    if (!took)
        die("out of memory");
    for (size_t i = 0; i < sample_count; i++)
        if (samples[i].due >= from && samples[i].due < to)
            took[n++] = samples[i].took;
    pthread_mutex_unlock(&mu);
    if (n == 0)
        die("%s: nothing was sent", topic);
    qsort(took, n, sizeof *took, by_time);
    printf("records=%zu p50_us=%.1f p99_us=%.1f max_us=%.1f\n", n, (double)took[n / 2] / 1e3,
           (double)took[n - 1 - n / 100] / 1e3, (double)took[n - 1] / 1e3);
    fflush(stdout);
    free(took);
}

static void begin(int port, int64_t size)
{
    static int fds[2];
    void *(*work[2])(void *) = {send_records, receive_records};
    uint8_t *value = calloc(1, (size_t)size);
    pthread_t thread;
    uint8_t *at;

    samples = malloc(MOST_SAMPLES * sizeof *samples);
    if (!samples || !value)
        die("out of memory");
    memcpy(value, "the time", 8);
    batch = make_batch(&builder, slice_of(value, (size_t)size), 0);
    at = memmem(batch.p, batch.n, value, (size_t)size);
    position = at - batch.p;
    for (int i = 0; i < 2; i++) {
        fds[i] = open_topic(port, topic);
        if (pthread_create(&thread, NULL, work[i], &fds[i]) != 0)
            die("no thread");
    }
    free(value);
}

int main(int argc, char **argv)
{
    int64_t from = 0;
    char line[64];

    if (argc < 3)
        die("usage: bystander PORT TOPIC [rate=N] [size=N]");
    signal(SIGPIPE, SIG_IGN);
    topic = argv[2];
    interval = INT64_C(1000000000) / option(argv + 3, "rate", 1000);
    begin(atoi(argv[1]), option(argv + 3, "size", 1000));
    while (fgets(line, sizeof line, stdin)) {
        if (strcmp(line, "begin\n") == 0)
            from = now_ns();
        else if (strcmp(line, "end\n") == 0)
            print_figures(from, now_ns());
        else
            die("not a command: %s", line);
    }
    return 0;
}
