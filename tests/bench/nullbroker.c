/*
 * nullbroker FILE [-s] - the least that a broker can do: a thread that blocks for each connection;
 * Produce checks the batch's CRC, sets its base offset and appends it to FILE, Fetch sends from it.
 * One partition, whatever it is called. No flush, except with -s: one fdatasync for each request,
 * before its answer. Writes its port to stdout.
 *
 * Not a broker: requests are believed, in the versions of peer.h only.
 */
#include "bench/peer.h"
#include "os/crc32c.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

enum { OUT = 1024 };

static int port, file;
static bool sync_each;

/* The log: where each batch begins. */
static pthread_mutex_t mu = PTHREAD_MUTEX_INITIALIZER;
static struct place {
    int64_t offset, at;
} * places;
static size_t place_count, place_cap;
static int64_t end_offset, end_at;

/* Returns the base offset, or -1 where the CRC is wrong. */
static int64_t append(uint8_t *batch, size_t n)
{
    int64_t base;

    if (n < 61 || os_crc32c(0, batch + 21, n - 21) != get_be32(batch + 17))
        return -1;
    pthread_mutex_lock(&mu);
    if (place_count == place_cap) {
        place_cap = place_cap ? place_cap * 2 : 1024;
        places = realloc(places, place_cap * sizeof *places);
        if (!places)
            die("out of memory");
    }
    base = end_offset;
    places[place_count++] = (struct place){base, end_at};
    put_be64(batch, (uint64_t)base);
    if (pwrite(file, batch, n, end_at) != (ssize_t)n)
        die("pwrite: %s", strerror(errno));
    end_offset += get_be32(batch + 57);
    end_at += (int64_t)n;
    pthread_mutex_unlock(&mu);
    if (sync_each && fdatasync(file) < 0)
        die("fdatasync: %s", strerror(errno));
    return base;
}

/* Where the batch that holds an offset begins. */
static int64_t find(int64_t offset, int64_t *end)
{
    size_t low = 0, high;
    int64_t at;

    pthread_mutex_lock(&mu);
    *end = end_offset;
    for (high = place_count; high - low > 1;) {
        size_t mid = low + (high - low) / 2;
        if (places[mid].offset <= offset)
            low = mid;
        else
            high = mid;
    }
    at = offset < end_offset ? places[low].at : end_at;
    pthread_mutex_unlock(&mu);
    return at;
}

/* A string of the request, which q points to and behind which it goes. */
static const char *take_str(const uint8_t **q, size_t *n)
{
    const char *s = (const char *)*q + 2;
    int16_t len = (int16_t)get_be16(*q);

    *n = len > 0 ? (size_t)len : 0;
    *q += 2 + *n;
    return s;
}

static void answer_versions(struct pen *w)
{
    static const int16_t known[][2] = {
        {API_PRODUCE, 3}, {API_FETCH, 4}, {API_METADATA, 4}, {API_VERSIONS, 0}};

    pen_i16(w, 0);
    pen_i32(w, 4);
    for (int i = 0; i < 4; i++) {
        pen_i16(w, known[i][0]);
        pen_i16(w, known[i][1]);
        pen_i16(w, known[i][1]);
    }
}

static void answer_metadata(struct pen *w, const uint8_t *q)
{
    size_t n;
    const char *topic;

    q += 4;
    topic = take_str(&q, &n);
    pen_i32(w, 0);
    pen_i32(w, 1); /* brokers */
    pen_i32(w, 1);
    pen_str(w, "127.0.0.1", 9);
    pen_i32(w, port);
    pen_i16(w, -1);
    pen_i16(w, -1); /* cluster id */
    pen_i32(w, 1);
    pen_i32(w, 1); /* topics */
    pen_i16(w, 0);
    pen_str(w, topic, n);
    pen_i8(w, 0);
    pen_i32(w, 1); /* partitions */
    pen_i16(w, 0);
    pen_i32(w, 0);
    pen_i32(w, 1); /* leader */
    for (int i = 0; i < 2; i++) {
        pen_i32(w, 1);
        pen_i32(w, 1);
    }
}

static void answer_produce(struct pen *w, uint8_t *at)
{
    const uint8_t *q = at;
    const char *topic;
    int64_t base;
    size_t n, size;

    take_str(&q, &n); /* transactional id */
    q += 2 + 4 + 4;   /* acks, time-out, topics */
    topic = take_str(&q, &n);
    q += 4 + 4; /* partitions, index */
    size = get_be32(q);
    base = append(at + (q + 4 - at), size);
    pen_i32(w, 1);
    pen_str(w, topic, n);
    pen_i32(w, 1);
    pen_i32(w, 0);
    pen_i16(w, base < 0 ? 2 : 0); /* CORRUPT_MESSAGE */
    pen_i64(w, base);
    pen_i64(w, -1);
    pen_i32(w, 0);
}

/* Returns how many bytes follow from the file, at *from. Does not wait for records. */
static size_t answer_fetch(struct pen *w, const uint8_t *q, off_t *from)
{
    const char *topic;
    int64_t offset, end;
    size_t n, size;

    q += 4 + 4 + 4 + 4 + 1 + 4; /* replica to topics */
    topic = take_str(&q, &n);
    offset = (int64_t)get_be64(q + 4 + 4);
    *from = find(offset, &end);
    size = get_be32(q + 4 + 4 + 8);
    if ((int64_t)size > end_at - *from)
        size = (size_t)(end_at - *from);
    pen_i32(w, 0);
    pen_i32(w, 1);
    pen_str(w, topic, n);
    pen_i32(w, 1);
    pen_i32(w, 0);
    pen_i16(w, 0);
    pen_i64(w, end);
    pen_i64(w, end);
    pen_i32(w, 0);
    pen_i32(w, (int64_t)size);
    return size;
}

/* False at an API that it does not speak. */
static bool serve(int fd, uint8_t *frame)
{
    uint8_t out[OUT], *q = frame + 8;
    struct pen w = {out + 4};
    const uint8_t *body = q;
    size_t n, more = 0;
    off_t from = 0;

    take_str(&body, &n); /* client id */
    q += body - q;
    pen_i32(&w, get_be32(frame + 4));
    switch (get_be16(frame)) {
    case API_VERSIONS:
        answer_versions(&w);
        break;
    case API_METADATA:
        answer_metadata(&w, q);
        break;
    case API_PRODUCE:
        answer_produce(&w, q);
        break;
    case API_FETCH:
        more = answer_fetch(&w, q, &from);
        break;
    default:
        return false;
    }
    put_be32(out, (uint32_t)((size_t)(w.p - out) - 4 + more));
    send_all(fd, out, (size_t)(w.p - out), more ? MSG_MORE : 0);
    while (more > 0) {
        ssize_t k = sendfile(fd, file, &from, more);
        if (k <= 0)
            die("sendfile: %s", strerror(errno));
        more -= (size_t)k;
    }
    return true;
}

static void *connection(void *arg)
{
    int fd = (int)(intptr_t)arg;
    size_t cap = 0, n;
    uint8_t length[4], *frame = NULL;

    while (recv_all(fd, length, sizeof length)) {
        n = get_be32(length);
        if (n > cap && !(frame = realloc(frame, cap = n)))
            die("out of memory");
        if (!recv_all(fd, frame, n) || !serve(fd, frame))
            break;
    }
    close(fd);
    free(frame);
    return NULL;
}

int main(int argc, char **argv)
{
    int fd;

    if (argc < 2 || argc > 3)
        die("usage: nullbroker FILE [-s]");
    signal(SIGPIPE, SIG_IGN);
    sync_each = argc == 3;
    file = open(argv[1], O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file < 0)
        die("%s: %s", argv[1], strerror(errno));
    fd = listen_local(&port);
    printf("%d\n", port);
    fflush(stdout);
    for (;;) {
        pthread_t thread;
        int one = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
        if (one < 0)
            continue;
        if (pthread_create(&thread, NULL, connection, (void *)(intptr_t)one) != 0)
            die("no thread");
        pthread_detach(thread);
    }
}
