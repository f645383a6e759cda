/* What each of a topic's settings makes of its log, at once where it is changed while the log is
 * open. The clock is ours, but for flushes that wait: those wait for the kernel. */
#include "log_support.h"

#include "base/bytes.h"
#include "os/file.h"

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum { SECOND = 1000 };

static struct env v;
static _Atomic int64_t clock_ns;

static wall_ms wall(void *arg)
{
    (void)arg;
    return (wall_ms){T0};
}

static mono_ns mono(void *arg)
{
    (void)arg;
    return (mono_ns){clock_ns};
}

static const struct os_clock ours = {wall, mono, NULL};

static int start(void **state)
{
    (void)state;
    env_init(&v);
    v.clock = &ours;
    v.linger_ns = INT64_C(3600000000000); /* only who asks for a flush gets one */
    clock_ns = INT64_C(1000000000000);
    plog_conf_default(&v.conf);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    env_free(&v); /* no thread is at it after this */
    os_hook_set(NULL, NULL);
    return 0;
}

static void open_log(void)
{
    struct kerr e;

    if (env_open(&v, &e) < 0)
        fail_msg("%s", kerr_msg(&e));
}

/* The open log's settings are v.conf from now on. */
static void change(void)
{
    plog_set_conf(v.log, &v.conf);
}

static int append_at(int64_t timestamp)
{
    return append_spec(
        v.log, &(struct batch_spec){.count = 1, .value = 100, .timestamp = timestamp}, NULL, NULL);
}

static size_t size_of_batch(const struct batch_spec *s)
{
    size_t n;

    free(make_batch(s, &n));
    return n;
}

static void name_of(int64_t base, const char *suffix, char out[400])
{
    snprintf(out, 400, "%s/t-0/%020lld%s", v.path, (long long)base, suffix);
}

static bool is_segment(int64_t base)
{
    char path[400];

    name_of(base, ".log", path);
    return access(path, F_OK) == 0;
}

static struct stat stat_of(int64_t base, const char *suffix)
{
    char path[400];
    struct stat st;

    name_of(base, suffix, path);
    assert_int_equal(stat(path, &st), 0);
    return st;
}

/* ---- where segments end ---- */

static void segment_bytes(void **state)
{
    struct batch_spec s = {.count = 1, .value = 100, .timestamp = T0};
    int64_t each = (int64_t)size_of_batch(&s);

    (void)state;
    v.conf.segment_bytes = 3 * each;
    open_log();
    for (int i = 0; i < 4; i++)
        assert_int_equal(append_at(T0), 0);
    assert_true(is_segment(3));
    assert_int_equal(stat_of(0, ".log").st_size, 3 * each);
    v.conf.segment_bytes = each;
    change();
    for (int i = 0; i < 2; i++)
        assert_int_equal(append_at(T0), 0);
    assert_true(is_segment(4) && is_segment(5));
    v.conf.segment_bytes = each - 1;
    change();
    assert_int_equal(append_at(T0), KE_RANGE);
}

static void segment_ms(void **state)
{
    (void)state;
    v.conf.segment_ms = 10 * SECOND;
    open_log();
    assert_int_equal(append_at(T0 - 60 * SECOND), 0);
    assert_int_equal(append_at(T0 - 50 * SECOND), 0); /* 10 s: not more than that */
    assert_int_equal(append_at(T0 - 50 * SECOND + 1), 0);
    assert_false(is_segment(1));
    assert_true(is_segment(2)); /* by the records' times */
    assert_int_equal(plog_tick(v.log, (wall_ms){T0 - 40 * SECOND + 1}, NULL), 0);
    assert_false(is_segment(3));
    assert_int_equal(plog_tick(v.log, (wall_ms){T0 - 40 * SECOND + 2}, NULL), 0);
    assert_true(is_segment(3)); /* and by the clock */
    assert_int_equal(plog_tick(v.log, (wall_ms){T0 + 60 * SECOND}, NULL), 0);
    assert_int_equal(append_at(T0), 0); /* an empty one stays */
    assert_true(stat_of(3, ".log").st_size > 0);
    v.conf.segment_ms = SECOND;
    change();
    assert_int_equal(append_at(T0 + SECOND + 1), 0);
    assert_true(is_segment(4));
}

/* The age at which the segment at offset base is closed, in seconds. */
static int age_at_roll(int64_t base)
{
    assert_int_equal(append_at(T0), 0);
    for (int age = 0; age <= 101; age++) {
        assert_int_equal(plog_tick(v.log, (wall_ms){T0 + age * SECOND}, NULL), 0);
        if (is_segment(base + 1))
            return age;
    }
    return -1;
}

static void segment_jitter(void **state)
{
    int first, age, different = 0;

    (void)state;
    v.conf.segment_ms = 100 * SECOND - 1;
    v.conf.retention_ms = -1;
    open_log();
    assert_int_equal(age_at_roll(0), 100);
    v.conf.jitter_ms = 40 * SECOND;
    change();
    first = age_at_roll(1);
    for (int i = 2; i < 42; i++) {
        age = age_at_roll(i);
        assert_in_range(age, 60, 100);
        different += age != first;
    }
    assert_true(different > 0);   /* 40 times the same of 40: one in 40^40 */
    v.conf.jitter_ms = INT64_MAX; /* no more than segment.ms */
    change();
    different = 0;
    for (int i = 42; i < 62; i++) {
        age = age_at_roll(i);
        assert_in_range(age, 0, 100);
        different += age > 0;
    }
    assert_true(different > 0);
}

static int64_t first_roll(int most)
{
    for (int i = 0; i < most; i++) {
        assert_int_equal(append_at(T0 + i), 0);
        if (i > 0 && is_segment(i))
            return i;
    }
    return -1;
}

static void segment_index_bytes(void **state)
{
    int64_t at;

    (void)state;
    v.conf.index_interval_bytes = 1; /* an entry a batch, but for the first */
    v.conf.segment_index_bytes = 80; /* ten of them; six of the time index */
    open_log();
    at = first_roll(50);
    assert_true(at > 0);
    assert_in_range(stat_of(0, ".timeindex").st_size, 12, 80);
    assert_in_range(stat_of(0, ".index").st_size, 8, 80);
    assert_true(stat_of(0, ".timeindex").st_size + 2 * 12 > 80); /* it is why */
}

static void index_interval_bytes(void **state)
{
    int64_t each = (int64_t)size_of_batch(&(struct batch_spec){.count = 1, .value = 100});

    (void)state;
    v.conf.index_interval_bytes = (int32_t)(4 * each);
    open_log();
    for (int i = 0; i < 40; i++)
        assert_int_equal(append_at(T0), 0);
    assert_int_equal(env_close(&v, true), 0);
    /* behind 5, 10, ... 35 batches: when there is more than that */
    assert_int_equal(stat_of(0, ".index").st_size, 7 * 8);
    v.conf.index_interval_bytes = (int32_t)(40 * each);
    open_log();
    v.conf.index_interval_bytes = (int32_t)(2 * each - 1);
    change();
    for (int i = 0; i < 40; i++)
        assert_int_equal(append_at(T0), 0);
    assert_int_equal(env_close(&v, true), 0);
    assert_int_equal(stat_of(0, ".index").st_size, (7 + 20) * 8);
}

static void preallocate(void **state)
{
    (void)state;
    v.conf.segment_bytes = 8 << 20;
    open_log();
    assert_int_equal(append_at(T0), 0);
    assert_true(stat_of(0, ".log").st_blocks * 512 < 4 << 20);
    v.conf.preallocate = true;
    change();
    while (stat_of(0, ".log").st_blocks * 512 < 8 << 20) { /* when what was reserved is used up */
        struct batch_spec s = {.count = 1, .value = 50000, .timestamp = T0};
        assert_int_equal(append_spec(v.log, &s, NULL, NULL), 0);
        assert_true(stat_of(0, ".log").st_size < 400000);
    }
    assert_int_equal(env_close(&v, true), 0); /* what was not used goes back */
    assert_true(stat_of(0, ".log").st_blocks * 512 < 4 << 20);
}

/* ---- what is taken ---- */

static void max_message_bytes(void **state)
{
    struct batch_spec s = {.count = 1, .value = 100, .timestamp = T0};

    (void)state;
    v.conf.max_message_bytes = (int64_t)size_of_batch(&s);
    open_log();
    assert_int_equal(append_spec(v.log, &s, NULL, NULL), 0);
    v.conf.max_message_bytes--;
    change();
    assert_int_equal(append_spec(v.log, &s, NULL, NULL), KE_TOOBIG);
}

static void message_timestamp_type(void **state)
{
    struct batch_spec s = {.count = 2, .value = 9, .timestamp = T0 - 60 * SECOND, .step = 1};
    struct plog_append a;
    int64_t offset, time;

    (void)state;
    open_log();
    assert_int_equal(append_spec(v.log, &s, &a, NULL), 0);
    assert_int_equal(a.append_time, -1);
    v.conf.append_time = true;
    change();
    assert_int_equal(append_spec(v.log, &s, &a, NULL), 0);
    assert_int_equal(a.append_time, T0);
    assert_int_equal(plog_find_time(v.log, T0 - 60 * SECOND, 4, &offset, &time, NULL), 0);
    assert_int_equal(offset, 0);
    assert_int_equal(time, T0 - 60 * SECOND);
    assert_int_equal(plog_find_time(v.log, T0, 4, &offset, &time, NULL), 0);
    assert_int_equal(offset, 2); /* all its records have that time */
    assert_int_equal(time, T0);
}

static void message_timestamp_before_max(void **state)
{
    struct batch_spec s = {.count = 3, .value = 9, .timestamp = T0 - 10 * SECOND, .step = 1};

    (void)state;
    v.conf.before_max_ms = 10 * SECOND;
    open_log();
    for (enum codec codec = CODEC_NONE; codec < CODEC_COUNT; codec++) {
        s.codec = codec;
        s.timestamp = T0 - 10 * SECOND;
        assert_int_equal(append_spec(v.log, &s, NULL, NULL), 0);
        s.timestamp--; /* the others are young enough */
        assert_int_equal(append_spec(v.log, &s, NULL, NULL), KE_TIMESTAMP);
    }
    v.conf.append_time = true; /* then nobody asks for the producer's time */
    change();
    assert_int_equal(append_spec(v.log, &s, NULL, NULL), 0);
    v.conf.append_time = false;
    v.conf.before_max_ms = INT64_MAX;
    change();
    assert_int_equal(append_at(0), 0);
}

static void message_timestamp_after_max(void **state)
{
    (void)state;
    open_log();
    assert_int_equal(append_at(T0 + 3600 * SECOND), 0); /* the default: an hour */
    assert_int_equal(append_at(T0 + 3600 * SECOND + 1), KE_TIMESTAMP);
    v.conf.after_max_ms = 5;
    change();
    assert_int_equal(append_at(T0 + 6), KE_TIMESTAMP);
    assert_int_equal(append_at(T0 + 5), 0);
    v.conf.after_max_ms = INT64_MAX;
    change();
    assert_int_equal(append_at(INT64_MAX), 0);
}

/* One compressed batch whose records are not what its header says, within a good CRC. */
static int append_lie(void)
{
    struct batch_spec s = {
        .count = 1, .value = 9, .timestamp = T0, .codec = CODEC_GZIP, .fill = 'x'};
    struct plog_append a = {0};
    struct batch b;
    int rc;

    a.bytes = make_batch(&s, &a.size);
    put_be32(a.bytes + 23, 6);
    put_be32(a.bytes + 57, 7);
    assert_int_equal(batch_parse(slice_of(a.bytes, a.size), &b, NULL, NULL), 0);
    put_be32(a.bytes + 17, batch_crc(&b));
    rc = plog_append(v.log, &a, (wall_ms){T0}, NULL);
    free(a.bytes);
    return rc;
}

static void validate_records(void **state)
{
    (void)state;
    open_log();
    assert_int_equal(append_lie(), 0);
    assert_false(plog_append_may_stall(v.log));
    v.conf.validate_records = true;
    change();
    assert_int_equal(append_lie(), KE_INVALID);
    assert_true(plog_append_may_stall(v.log)); /* work for the pool */
}

/* ---- how it is stored ---- */

/* Bytes that the log grows by for records that compress. */
static int64_t grows_by(enum codec to, int level)
{
    struct batch_builder w = {0};
    struct batch_fields f = {
        .level = CODEC_LEVEL_DEFAULT, .producer_id = -1, .producer_epoch = -1, .base_sequence = -1};
    struct plog_ends before, after;
    struct plog_append a = {0};
    uint64_t seed = 7;
    struct slice done;

    v.conf.compression = (int)to;
    v.conf.levels[to] = level;
    change();
    batch_start(&w);
    for (int i = 0; i < 3000; i++) {
        char text[100];
        int n = snprintf(text, sizeof text, "user=%d action=%s path=/a/b/%x",
                         (int)(next_random(&seed) % 900), next_random(&seed) % 3 ? "read" : "write",
                         (unsigned)(next_random(&seed) % 4000));
        assert_true(
            batch_add(&w, T0, slice_str("k"), slice_of((uint8_t *)text, (size_t)n), NULL, 0));
    }
    assert_int_equal(batch_finish(&w, &f, &done, NULL), 0);
    a.bytes = w.buf.p;
    a.size = done.n;
    plog_ends(v.log, &before);
    assert_int_equal(plog_append(v.log, &a, (wall_ms){T0}, NULL), 0);
    plog_ends(v.log, &after);
    batch_builder_free(&w);
    return after.size - before.size;
}

static void compression_type(void **state)
{
    int64_t plain;

    (void)state;
    open_log();
    plain = grows_by(CODEC_NONE, CODEC_LEVEL_DEFAULT);
    for (enum codec to = CODEC_GZIP; to < CODEC_COUNT; to++)
        assert_in_range(grows_by(to, CODEC_LEVEL_DEFAULT), 1, plain * 3 / 4);
}

static void compression_levels(void **state)
{
    static const enum codec codecs[] = {CODEC_GZIP, CODEC_LZ4, CODEC_ZSTD};

    (void)state;
    open_log();
    for (int i = 0; i < 3; i++) {
        int min, max;
        int64_t fast, small;
        codec_levels(codecs[i], &min, &max);
        fast = grows_by(codecs[i], codecs[i] == CODEC_ZSTD ? -100 : min);
        small = grows_by(codecs[i], max);
        assert_true(small < fast);
    }
}

static void producer_id_expiration(void **state)
{
    struct batch_spec s = {.count = 1, .value = 9, .timestamp = T0, .producer_id = 5};

    (void)state;
    open_log();
    assert_int_equal(append_spec(v.log, &s, NULL, NULL), 0);
    s.sequence = 7;
    clock_ns += INT64_C(86400000000000); /* a day: not longer than that */
    assert_int_equal(plog_tick(v.log, (wall_ms){T0}, NULL), 0);
    assert_int_equal(append_spec(v.log, &s, NULL, NULL), KE_SEQUENCE);
    clock_ns++;
    assert_int_equal(plog_tick(v.log, (wall_ms){T0}, NULL), 0);
    assert_int_equal(append_spec(v.log, &s, NULL, NULL), 0); /* nobody knows it: any may be first */
}

/* ---- flush=os, and what asks for flushes there ---- */

static pthread_mutex_t mu = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t synced = PTHREAD_COND_INITIALIZER;
static int syncs;

/* Counts the syncs of .log files. */
static int on_op(void *arg, enum os_op op, int fd, const char *name, size_t *len)
{
    char link[64], path[512];
    ssize_t n;

    (void)arg;
    (void)name;
    (void)len;
    if (op != OS_SYNC)
        return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    n = readlink(link, path, sizeof path - 1);
    path[n > 0 ? n : 0] = 0;
    if (n > 4 && strcmp(path + n - 4, ".log") == 0) {
        pthread_mutex_lock(&mu);
        syncs++;
        pthread_cond_broadcast(&synced);
        pthread_mutex_unlock(&mu);
    }
    return 0;
}

static int count_syncs(void)
{
    struct plog_ends ends;
    int n;

    plog_ends(v.log, &ends);
    assert_int_equal(plog_truncate(v.log, ends.end, NULL), 0); /* waits for the one that runs */
    pthread_mutex_lock(&mu);
    n = syncs;
    pthread_mutex_unlock(&mu);
    return n;
}

static void wait_for_syncs(int n)
{
    struct timespec end;
    int rc = 0;

    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += 20;
    pthread_mutex_lock(&mu);
    while (rc == 0 && syncs < n)
        rc = pthread_cond_timedwait(&synced, &mu, &end);
    pthread_mutex_unlock(&mu);
    assert_int_equal(rc, 0);
}

static void open_unflushed(void)
{
    v.conf.flush = PLOG_FLUSH_OS;
    open_log();
    syncs = 0;
    os_hook_set(on_op, NULL);
}

static void flush_messages(void **state)
{
    (void)state;
    open_unflushed();
    for (int i = 0; i < 100; i++)
        assert_int_equal(append_at(T0), 0);
    assert_int_equal(count_syncs(), 0); /* by default nothing asks */
    v.conf.flush_messages = 103;
    change();
    for (int i = 0; i < 2; i++)
        assert_int_equal(append_at(T0), 0);
    assert_int_equal(count_syncs(), 0);
    assert_int_equal(append_at(T0), 0);
    assert_int_equal(count_syncs(), 1);
    v.conf.flush_messages = 1;
    change();
    for (int i = 2; i < 6; i++) {
        assert_int_equal(append_at(T0), 0);
        assert_int_equal(count_syncs(), i);
    }
}

static void flush_ms(void **state)
{
    (void)state;
    v.conf.flush_ms = 3600000;
    open_unflushed();
    assert_int_equal(append_at(T0), 0);
    assert_int_equal(count_syncs(), 0);
    v.conf.flush_ms = 20; /* counts for what waits already */
    change();
    wait_for_syncs(1);
    assert_int_equal(count_syncs(), 1);
    assert_int_equal(append_at(T0), 0);
    wait_for_syncs(2);
    v.conf.flush_ms = 0;
    change();
    assert_int_equal(append_at(T0), 0);
    wait_for_syncs(3);
}

/* What waits for long must not hold up what waits for a moment, in whatever order they came. */
static void flushes_come_due_in_their_order(void **state)
{
    static const int64_t ms[] = {3600000, 20, 3600001, 3600000, 1, 30};
    struct plog *l[6];
    struct kerr e;

    (void)state;
    open_unflushed();
    for (int i = 0; i < 6; i++) {
        v.conf.flush_ms = ms[i];
        assert_int_equal(
            logdir_create(v.dir, "u", i, (struct uuid){{(uint8_t)(20 + i)}}, &v.conf, &l[i], &e),
            0);
        assert_int_equal(
            append_spec(l[i], &(struct batch_spec){.count = 1, .timestamp = T0}, NULL, &e), 0);
    }
    wait_for_syncs(3);
    assert_int_equal(syncs, 3);
    for (int i = 0; i < 6; i++)
        plog_close(l[i], false);
}

/* flush=sync: who asked for a flush waits for no flush.ms. */
static void from_os_to_sync(void **state)
{
    struct plog_ends ends;

    (void)state;
    v.linger_ns = 1000000;
    v.conf.flush_ms = 3600000;
    open_unflushed();
    assert_int_equal(append_at(T0), 0);
    plog_ends(v.log, &ends);
    assert_int_equal(ends.stable, 1); /* shown, and not flushed */
    assert_int_equal(count_syncs(), 0);
    v.conf.flush = PLOG_FLUSH_SYNC;
    change();
    assert_int_equal(append_at(T0), 0);
    plog_ends(v.log, &ends);
    assert_in_range(ends.stable, 1, 2);
    wait_for_syncs(1);
    assert_int_equal(plog_flush_wait(v.log, 2, NULL), 0);
}

#define IN_A_LOG(f) cmocka_unit_test_setup_teardown(f, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_A_LOG(segment_bytes),
        IN_A_LOG(segment_ms),
        IN_A_LOG(segment_jitter),
        IN_A_LOG(segment_index_bytes),
        IN_A_LOG(index_interval_bytes),
        IN_A_LOG(preallocate),
        IN_A_LOG(max_message_bytes),
        IN_A_LOG(message_timestamp_type),
        IN_A_LOG(message_timestamp_before_max),
        IN_A_LOG(message_timestamp_after_max),
        IN_A_LOG(validate_records),
        IN_A_LOG(compression_type),
        IN_A_LOG(compression_levels),
        IN_A_LOG(producer_id_expiration),
        IN_A_LOG(flush_messages),
        IN_A_LOG(flush_ms),
        IN_A_LOG(flushes_come_due_in_their_order),
        IN_A_LOG(from_os_to_sync),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
