/* What the broker counts: every metric moves, bytes are the kernel's, closed connections have their
 * reason. The page is parsed by the line here, and by Prometheus' own parser in
 * tests/cli/metrics.bats. */
#include "broker_support.h"

#include "broker/metrics.h"
#include "broker/sessions.h"
#include "os/file.h"
#include "wire/error.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define DEADLINE_S 20

static mono_ns deadline(void)
{
    return mono_add_ms(os_mono(os_clock_real()), DEADLINE_S * 1000);
}

static void turn(mono_ns until)
{
    struct timespec little = {0, 1000000};

    if (os_mono(os_clock_real()).ns > until.ns)
        fail_msg("not within %d s", DEADLINE_S);
    nanosleep(&little, NULL);
}

static struct stats take(const struct rig *r)
{
    struct stats s;

    assert_true(stats_take(r->broker, &s));
    return s;
}

/* Waits until the number at that place of struct stats is as wanted. */
static void wait_for(const struct rig *r, size_t at, int64_t wanted)
{
    mono_ns until = deadline();

    for (;;) {
        struct stats s = take(r);
        int64_t v;
        memcpy(&v, (char *)&s + at, sizeof v);
        stats_free(&s);
        if (v == wanted)
            return;
        turn(until);
    }
}

#define WAIT_FOR(rig, member, wanted) wait_for(rig, offsetof(struct stats, member), wanted)

static struct stats_api api_of(const struct stats *s, int16_t key)
{
    for (size_t i = 0; i < s->api_count; i++)
        if (s->apis[i].key == key)
            return s->apis[i];
    fail_msg("API %d is not counted", key);
    return s->apis[0];
}

static void wait_for_parked_fetch(const struct rig *r)
{
    mono_ns until = deadline();

    for (bool parked = false; !parked;) {
        struct stats s = take(r);
        parked = api_of(&s, API_FETCH).waiting == 1;
        stats_free(&s);
        if (!parked)
            turn(until);
    }
}

/* ---- every metric moves ---- */

#define METRICS 64

static struct {
    char *first; /* the page at the beginning */
    char name[METRICS][80];
    bool moved[METRICS];
    int n;
} seen;

static char *page_of(const struct rig *r)
{
    struct stats s = take(r);
    struct buf b = {0};

    metrics_write(&s, &b);
    stats_free(&s);
    assert_non_null(buf_cstr(&b));
    return (char *)b.p;
}

/* The metric of a sample, or -1. */
static int metric_of(const char *line)
{
    static const char *const suffixes[] = {"", "_bucket", "_sum", "_count"};

    for (int i = 0; i < seen.n; i++)
        for (size_t k = 0; k < sizeof suffixes / sizeof suffixes[0]; k++) {
            char name[100];
            int n = snprintf(name, sizeof name, "%s%s", seen.name[i], suffixes[k]);
            if (strncmp(line, name, (size_t)n) == 0 && strchr("{ ", line[n]))
                return i;
        }
    return -1;
}

static void begin_looking(const struct rig *r)
{
    char name[80];

    memset(&seen, 0, sizeof seen);
    seen.first = page_of(r);
    for (const char *at = seen.first; (at = strstr(at, "# TYPE ")) != NULL; at++) {
        assert_int_equal(sscanf(at, "# TYPE %79s", name), 1);
        assert_true(seen.n < METRICS);
        memcpy(seen.name[seen.n++], name, sizeof name);
    }
}

/* Which samples that were there at first have another value now? */
static void look(const struct rig *r)
{
    char *page = page_of(r), *save = NULL;

    for (char *line = strtok_r(page, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        char *value = strrchr(line, ' '), *before;
        size_t n = (size_t)(value + 1 - line);
        char key[512] = "\n";
        if (*line == '#')
            continue;
        assert_true(n + 2 < sizeof key && metric_of(line) >= 0);
        memcpy(key + 1, line, n);
        before = strstr(seen.first, key);
        if (before && (size_t)(strchrnul(before + 1, '\n') - before) != 1 + strlen(line))
            seen.moved[metric_of(line)] = true;
        else if (before && memcmp(before + 1, line, strlen(line)) != 0)
            seen.moved[metric_of(line)] = true;
    }
    free(page);
}

static void end_looking(void)
{
    for (int i = 0; i < seen.n; i++)
        if (!seen.moved[i] && strcmp(seen.name[i], "kcore_build_info") != 0)
            fail_msg("%s has not moved", seen.name[i]);
    free(seen.first);
}

/* Flushes wait until they are let go. */
static struct {
    pthread_mutex_t mu;
    pthread_cond_t change;
    bool held;
    int waiting;
} flush = {.mu = PTHREAD_MUTEX_INITIALIZER, .change = PTHREAD_COND_INITIALIZER};

static int hold_flush(void *arg, enum os_op op, int fd, const char *name, size_t *len)
{
    (void)arg;
    (void)fd;
    (void)name;
    (void)len;
    if (op != OS_SYNC)
        return 0;
    pthread_mutex_lock(&flush.mu);
    flush.waiting++;
    pthread_cond_broadcast(&flush.change);
    while (flush.held)
        pthread_cond_wait(&flush.change, &flush.mu);
    flush.waiting--;
    pthread_mutex_unlock(&flush.mu);
    return 0;
}

static void set_held(bool on)
{
    pthread_mutex_lock(&flush.mu);
    flush.held = on;
    pthread_cond_broadcast(&flush.change);
    pthread_mutex_unlock(&flush.mu);
}

static void wait_until_held(void)
{
    pthread_mutex_lock(&flush.mu);
    while (flush.waiting == 0)
        pthread_cond_wait(&flush.change, &flush.mu);
    pthread_mutex_unlock(&flush.mu);
}

/* There is room for two; the third finds an old one. */
static void fill_sessions(struct sessions *t)
{
    static const int64_t at[] = {1, 2, 200000000000};

    for (int i = 0; i < 3; i++) {
        struct session *s = sessions_make(t, false, (mono_ns){at[i]});
        struct fetch_request_fetch_partition q;
        fetch_request_fetch_partition_init(&q);
        assert_non_null(s);
        assert_true(session_add(t, s, &(struct session_topic){slice_str("t"), {{0}}}, &q,
                                &(struct session_told){0, 0}));
        sessions_release(t);
    }
}

static void send_text(const struct raw *c, const char *text, size_t n)
{
    assert_int_equal(send(c->fd, text, n, MSG_NOSIGNAL), (ssize_t)n);
}

static void write_some(struct raw *c, struct uuid id, int64_t producer_id)
{
    struct batch_builder w = {0};

    assert_int_equal(raw_produce(c, 9, "t", id, 1, make_batch(&w, 0, 3, 0, producer_id, 0)).error,
                     0);
    batch_builder_free(&w);
}

/* A fetch that waits, a batch that is not stable yet, and then both are through. */
static void write_and_read(const struct rig *r, struct raw *c, struct raw *other, struct uuid id)
{
    const struct fetch_ask ask = {.topic = "t", .offset = 3, .max_wait = 30000, .min_bytes = 1};
    struct fetched out;

    raw_send_fetch(other, 4, &ask, 1);
    wait_for_parked_fetch(r);
    set_held(true);
    write_some(c, id, 8);
    wait_until_held(); /* the reader is in a hurry */
    look(r);
    set_held(false);
    raw_receive_fetch(other, 4, 1, &out);
    assert_true(out.records.n > 0);
}

/* Connections over the limit, requests of no API, a frame that has only begun. */
static void misbehave(const struct rig *r)
{
    struct raw bad, over;

    raw_open(&bad, r);
    send_text(&bad, "\0\1\0\0begun", 9);
    WAIT_FOR(r, memory, 4096);
    look(r);
    raw_open(&over, r);
    assert_true(raw_closed(&over));
    raw_close(&over);
    raw_close(&bad);
    WAIT_FOR(r, connections, 2);
    raw_open(&bad, r);
    send_text(&bad, "\0\0\0\12\0\3\0\143\0\0\0\1\0\0", 14); /* Metadata, version 99 */
    assert_true(raw_closed(&bad));
    raw_close(&bad);
    WAIT_FOR(r, connections, 2);
}

static void trim(const struct rig *r, struct uuid id, int64_t offset)
{
    struct partition *p = partitions_get(&r->broker->partitions, id, 0);
    struct kerr e = {0};

    assert_non_null(p);
    assert_int_equal(plog_trim(p->log, offset, &e), 0);
    partition_release(&r->broker->partitions, p);
}

static void every_metric_moves(void **state)
{
    static const char *const before[] = {"max.incremental.fetch.session.cache.slots", "2",
                                         "max.connections", "3", NULL};
    static const char *const after[] = {"queued.max.request.bytes", "1000000", NULL};
    struct fetch_ask none = {.topic = "none"};
    struct fetch_ask stable = {.topic = "t", .max_wait = 30000, .min_bytes = 1};
    struct raw c, other;
    struct rig rig;
    struct uuid id;

    (void)state;
    os_hook_set(hold_flush, NULL);
    rig_start(&rig, before);
    raw_open(&c, &rig);
    id = raw_create(&c, "t", 1, NULL);
    write_some(&c, id, 7); /* the first append makes files, and syncs them where it is */
    assert_int_equal(raw_fetch(&c, 4, &stable).error, 0);
    begin_looking(&rig);
    raw_open(&other, &rig);
    write_and_read(&rig, &c, &other, id);
    assert_int_equal(raw_fetch(&other, 4, &none).error, KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
    raw_create(&c, "more", 2, NULL);
    misbehave(&rig);
    fill_sessions(rig.broker->sessions);
    trim(&rig, id, 3);
    look(&rig);
    raw_close(&other);
    raw_close(&c);
    assert_int_equal(broker_free(rig.broker, 2000, NULL), 0);
    rig_restart(&rig, after); /* when it was started, and what it may use */
    look(&rig);
    end_looking();
    rig_stop(&rig);
    os_hook_set(NULL, NULL);
}

/* ---- bytes, times, reasons ---- */

/* What the kernel says that this end of a connection has sent and received. */
static void kernel_says(const struct raw *c, int64_t *sent, int64_t *received)
{
    struct tcp_info i;
    socklen_t n = sizeof i;

    memset(&i, 0, sizeof i);
    assert_int_equal(getsockopt(c->fd, IPPROTO_TCP, TCP_INFO, &i, &n), 0);
    *sent = (int64_t)i.tcpi_bytes_sent - (int64_t)i.tcpi_bytes_retrans;
    *received = (int64_t)i.tcpi_bytes_received;
}

static void bytes_are_the_kernels(void **state)
{
    struct batch_builder w = {0};
    struct fetch_ask ask = {.topic = "t"};
    int64_t sent, received, in = 0, out = 0, requests = 0;
    struct rig rig;
    struct raw c;
    struct uuid id;
    struct stats s;

    (void)state;
    rig_start(&rig, NULL);
    raw_open(&c, &rig);
    id = raw_create(&c, "t", 1, NULL);
    for (int i = 0; i < 5; i++) /* the last ones change hands, and wait for stable storage */
        assert_int_equal(
            raw_produce(&c, 9, "t", id, -1, make_batch(&w, 0, 1 + i * 200, 300, -1, -1)).error, 0);
    assert_true(raw_fetch(&c, 4, &ask).records.n > 100000); /* from the file */
    ask.topic = "none";
    raw_fetch(&c, 4, &ask);
    kernel_says(&c, &sent, &received);
    s = take(&rig);
    for (size_t i = 0; i < s.api_count; i++) {
        int64_t all = 0;
        for (int k = 0; k < STAT_BUCKETS; k++)
            all += s.apis[i].bucket[k];
        assert_int_equal(all, s.apis[i].requests);
        assert_int_equal(s.apis[i].waiting, 0);
        assert_true(s.apis[i].requests == 0 || s.apis[i].ns > 0);
        requests += s.apis[i].requests;
        in += s.apis[i].bytes_in;
        out += s.apis[i].bytes_out;
    }
    assert_int_equal(requests, 8);
    assert_int_equal(in, sent);
    assert_int_equal(out, received);
    assert_int_equal(api_of(&s, API_FETCH).errors, 1);
    assert_int_equal(api_of(&s, API_PRODUCE).errors, 0);
    assert_int_equal(s.partitions[0].bytes_out, s.partitions[0].bytes_in);
    assert_int_equal(s.partitions[0].bytes_in, s.partitions[0].size);
    assert_int_equal(s.partitions[0].records_in, s.partitions[0].end);
    assert_int_equal(s.partitions[0].lag_ns, 0);
    stats_free(&s);
    raw_close(&c);
    rig_stop(&rig);
    batch_builder_free(&w);
}

/* A request's time is how long its answer took: that of a fetch that waits is its wait. */
static void time_is_how_long_it_took(void **state)
{
    struct fetch_ask ask = {.topic = "t", .max_wait = 120, .min_bytes = 1};
    mono_ns start, end;
    struct rig rig;
    struct raw c;
    struct stats s;
    int64_t ns;
    int bucket = 0;

    (void)state;
    rig_start(&rig, NULL);
    raw_open(&c, &rig);
    raw_create(&c, "t", 1, NULL);
    start = os_mono(os_clock_real());
    raw_fetch(&c, 4, &ask);
    end = os_mono(os_clock_real());
    s = take(&rig);
    ns = api_of(&s, API_FETCH).ns;
    assert_in_range(ns, INT64_C(119000000), end.ns - start.ns);
    while (bucket < STAT_BOUNDS && stat_bounds_us[bucket] * INT64_C(1000) < ns)
        bucket++;
    assert_int_equal(api_of(&s, API_FETCH).bucket[bucket], 1);
    stats_free(&s);
    raw_close(&c);
    rig_stop(&rig);
}

static void connections_end_for_a_reason(void **state)
{
    static const char *const hasty[] = {"connections.max.idle.ms", "50", NULL};
    struct rig rig;
    struct raw c;

    (void)state;
    rig_start(&rig, hasty);
    raw_open(&c, &rig);
    assert_true(raw_closed(&c));
    raw_close(&c);
    WAIT_FOR(&rig, closed[NET_CLOSED_IDLE], 1);
    raw_open(&c, &rig);
    send_text(&c, "\377\377\377\377", 4);
    assert_true(raw_closed(&c));
    raw_close(&c);
    WAIT_FOR(&rig, closed[NET_CLOSED_MALFORMED], 1);
    raw_open(&c, &rig);
    send_text(&c, "\0\0\0\3abc", 7);
    assert_true(raw_closed(&c));
    raw_close(&c);
    WAIT_FOR(&rig, refused_requests[REQUEST_MALFORMED], 1);
    WAIT_FOR(&rig, closed[NET_CLOSED_BY_US], 1);
    raw_open(&c, &rig);
    raw_close(&c);
    WAIT_FOR(&rig, closed[NET_CLOSED_BY_PEER], 1);
    WAIT_FOR(&rig, accepted, 4);
    WAIT_FOR(&rig, connections, 0);
    rig_stop(&rig);
}

static void a_peer_over_its_limit_is_counted(void **state)
{
    static const char *const one_each[] = {"max.connections.per.ip", "1", NULL};
    struct rig rig;
    struct raw c, more;

    (void)state;
    rig_start(&rig, one_each);
    raw_open(&c, &rig);
    WAIT_FOR(&rig, accepted, 1);
    raw_open(&more, &rig);
    assert_true(raw_closed(&more));
    WAIT_FOR(&rig, refused[CONNECTION_PEER_LIMIT], 1);
    raw_close(&more);
    raw_close(&c);
    rig_stop(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_metric_moves),
        cmocka_unit_test(bytes_are_the_kernels),
        cmocka_unit_test(time_is_how_long_it_took),
        cmocka_unit_test(connections_end_for_a_reason),
        cmocka_unit_test(a_peer_over_its_limit_is_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
