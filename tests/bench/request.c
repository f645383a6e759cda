#include "bench/request.h"

#include "bench/peer.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

#define CLIENT "bench"

enum { LONGEST_NAME = 200 };

static void begin_request(struct pen *w, int api, int version, int32_t id)
{
    w->p += 4;
    pen_i16(w, api);
    pen_i16(w, version);
    pen_i32(w, id);
    pen_str(w, CLIENT, sizeof CLIENT - 1);
}

static size_t end_request(struct pen *w, uint8_t *start, size_t more)
{
    size_t n = (size_t)(w->p - start);

    put_be32(start, (uint32_t)(n - 4 + more));
    return n;
}

size_t produce_request(uint8_t *out, const char *topic, int acks, size_t batch)
{
    struct pen w = {out};

    begin_request(&w, API_PRODUCE, 3, 0);
    pen_i16(&w, -1);
    pen_i16(&w, acks);
    pen_i32(&w, 30000);
    pen_i32(&w, 1);
    pen_str(&w, topic, strlen(topic));
    pen_i32(&w, 1);
    pen_i32(&w, 0);
    pen_i32(&w, (int64_t)batch);
    return end_request(&w, out, batch);
}

size_t produce_answer_size(const char *topic)
{
    return 4 + 4 + 4 + 2 + strlen(topic) + 4 + 4 + 2 + 8 + 8 + 4;
}

int64_t produce_answer(const uint8_t *p, const char *topic)
{
    p += 4 + 4 + 4 + 2 + strlen(topic) + 4 + 4;
    if (get_be16(p) != 0)
        die("%s: produce: error %d", topic, (int16_t)get_be16(p));
    return (int64_t)get_be64(p + 2);
}

static const uint8_t *behind_str(const uint8_t *p)
{
    int16_t n = (int16_t)get_be16(p);

    return p + 2 + (n > 0 ? n : 0);
}

/* Of an answer about one topic: whether its partition has a leader. */
static bool has_leader(const uint8_t *p)
{
    uint32_t brokers;

    p += 4 + 4; /* correlation id, throttle time */
    brokers = get_be32(p);
    p += 4;
    for (; brokers > 0; brokers--)
        p = behind_str(behind_str(p + 4) + 4);
    p = behind_str(p) + 4; /* cluster id, controller */
    if (get_be32(p) != 1 || get_be16(p + 4) != 0)
        return false;
    p = behind_str(p + 4 + 2) + 1; /* name, internal */
    return get_be32(p) == 1 && get_be16(p + 4) == 0;
}

/* True when its partition has a leader. */
static bool ask_metadata(int fd, const char *topic)
{
    uint8_t out[512], in[4096];
    struct pen w = {out};
    size_t n;

    begin_request(&w, API_METADATA, 4, 0);
    pen_i32(&w, 1);
    pen_str(&w, topic, strlen(topic));
    pen_i8(&w, 1);
    send_all(fd, out, end_request(&w, out, 0), 0);
    if (!recv_all(fd, in, 4) || (n = get_be32(in)) > sizeof in || !recv_all(fd, in, n))
        die("no metadata");
    return has_leader(in);
}

void await_topic(int fd, const char *topic)
{
    int64_t until = now_ns() + INT64_C(10000000000);

    if (strlen(topic) > LONGEST_NAME)
        die("%s: too long a name", topic);
    while (!ask_metadata(fd, topic)) {
        if (now_ns() > until)
            die("%s: no leader", topic);
        nanosleep(&(struct timespec){0, 200000}, NULL);
    }
}

int open_topic(int port, const char *topic)
{
    int fd = connect_local(port);

    if (fd < 0)
        die("port %d: %s", port, strerror(errno));
    await_topic(fd, topic);
    return fd;
}

struct slice make_batch(struct batch_builder *b, struct slice value, size_t size)
{
    struct batch_fields f = {
        .leader_epoch = -1, .producer_id = -1, .producer_epoch = -1, .base_sequence = -1};
    struct timespec t;
    struct slice out;

    clock_gettime(CLOCK_REALTIME, &t);
    batch_start(b);
    do {
        batch_add(b, t.tv_sec * 1000, (struct slice){0}, value, NULL, 0);
    } while (b->buf.n + value.n + 12 <= size);
    if (batch_finish(b, &f, &out, NULL) < 0)
        die("no batch");
    return out;
}

size_t fetch_request(uint8_t *out, const char *topic, int64_t offset, int64_t max)
{
    struct pen w = {out};

    begin_request(&w, API_FETCH, 4, 0);
    pen_i32(&w, -1);
    pen_i32(&w, 500);
    pen_i32(&w, 1);
    pen_i32(&w, max);
    pen_i8(&w, 0);
    pen_i32(&w, 1);
    pen_str(&w, topic, strlen(topic));
    pen_i32(&w, 1);
    pen_i32(&w, 0);
    pen_i64(&w, offset);
    pen_i32(&w, max);
    return end_request(&w, out, 0);
}

struct slice fetch_answer(const uint8_t *p, size_t n, const char *topic)
{
    size_t head = 4 + 4 + 4 + 2 + strlen(topic) + 4 + 4 + 2 + 8 + 8, aborted;

    if (n < head + 8)
        die("%s: fetch: an answer of %zu bytes", topic, n);
    if (get_be16(p + head - 18) != 0)
        die("%s: fetch: error %d", topic, (int16_t)get_be16(p + head - 18));
    aborted = (int32_t)get_be32(p + head) > 0 ? 16 * (size_t)get_be32(p + head) : 0;
    p += head + 4 + aborted;
    return slice_of(p + 4, get_be32(p));
}

int64_t option(char **argv, const char *name, int64_t otherwise)
{
    size_t n = strlen(name);

    for (; *argv; argv++)
        if (strncmp(*argv, name, n) == 0 && (*argv)[n] == '=')
            return atoll(*argv + n + 1);
    if (otherwise < 0)
        die("%s= is missing", name);
    return otherwise;
}
