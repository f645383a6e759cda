/*
 * What happens to a log whose disk fails, and what it leaves on the disk for a crash that has not
 * come yet. The faults are those of os/file.h's hook; what is waited for is told by the log's
 * events and messages.
 */
#include "log_support.h"

#include "base/bytes.h"
#include "os/file.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- the disk ---- */

static struct {
    const char *path; /* faults are for files with this in their path */
    _Atomic int syncs_fail, opens_fail, truncates_fail;
    _Atomic int writes_short;
    _Atomic int appends_within; /* so many syncs come back with more to sync */
    _Atomic bool no_allocate;
    const char *watched; /* syncs of it are counted */
    _Atomic int synced;
} disk;

static bool takes_one(_Atomic int *n)
{
    int v = atomic_load(n);

    while (v > 0 && !atomic_compare_exchange_weak(n, &v, v - 1))
        ;
    return v > 0;
}

static void path_of(int fd, char out[512])
{
    char link[64];
    ssize_t n;

    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    n = readlink(link, out, 511);
    out[n > 0 ? n : 0] = 0;
}

static bool ends_with(const char *s, const char *end)
{
    size_t n = strlen(s), k = strlen(end);

    return n >= k && strcmp(s + n - k, end) == 0;
}

static int on_op(void *arg, enum os_op op, int fd, const char *name, size_t *len)
{
    char path[512];

    path_of(fd, path);
    if (op == OS_SYNC && takes_one(&disk.appends_within))
        append_spec((struct plog *)arg, &(struct batch_spec){.count = 1, .value = 9}, NULL, NULL);
    if (op == OS_SYNC && disk.watched && ends_with(path, disk.watched))
        atomic_fetch_add(&disk.synced, 1);
    if (!disk.path || !strstr(name ? name : path, disk.path))
        return 0;
    if (op == OS_SYNC && takes_one(&disk.syncs_fail))
        return EIO;
    if (op == OS_OPEN && takes_one(&disk.opens_fail))
        return ENOSPC;
    if (op == OS_TRUNCATE && takes_one(&disk.truncates_fail))
        return EIO;
    if (op == OS_ALLOCATE && atomic_load(&disk.no_allocate))
        return EOPNOTSUPP;
    if (op == OS_WRITE && atomic_load(&disk.writes_short) > 0) {
        if (atomic_fetch_sub(&disk.writes_short, 1) == 1)
            return ENOSPC;
        *len = *len < 10 ? *len : 10;
    }
    return 0;
}

/* ---- what is told ---- */

static pthread_mutex_t mu = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t told = PTHREAD_COND_INITIALIZER;
static char messages[8192];
static int losses;
static bool append_when_lost;

static void hear(void *arg, enum diag_level level, const char *msg)
{
    (void)arg;
    (void)level;
    pthread_mutex_lock(&mu);
    if (strlen(messages) + strlen(msg) + 2 < sizeof messages)
        strcat(strcat(messages, msg), "\n");
    pthread_cond_broadcast(&told);
    pthread_mutex_unlock(&mu);
}

static void on_advanced(void *arg, struct plog *l)
{
    (void)arg;
    (void)l;
    pthread_mutex_lock(&mu);
    pthread_cond_broadcast(&told);
    pthread_mutex_unlock(&mu);
}

static void on_lost(void *arg, struct plog *l, int64_t from, int64_t to)
{
    (void)arg;
    (void)from;
    (void)to;
    if (append_when_lost) {
        append_spec(l, &(struct batch_spec){.count = 1, .value = 9, .timestamp = T0}, NULL, NULL);
        plog_flush_soon(l);
    }
    pthread_mutex_lock(&mu);
    losses++;
    pthread_cond_broadcast(&told);
    pthread_mutex_unlock(&mu);
}

static struct env v;

/* Waits until is_so(v.log), asked again whenever something was told. */
static void wait_until(const char *what, bool (*is_so)(void))
{
    struct timespec end;
    int rc = 0;

    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += 20;
    pthread_mutex_lock(&mu);
    while (rc == 0 && !is_so())
        rc = pthread_cond_timedwait(&told, &mu, &end);
    pthread_mutex_unlock(&mu);
    if (rc != 0)
        fail_msg("waited for %s; said: %s", what, messages);
}

static bool is_lost(void)
{
    return losses > 0;
}

static bool all_is_stable(void)
{
    struct plog_ends ends;

    plog_ends(v.log, &ends);
    return ends.stable == ends.end && ends.end > 0;
}

static bool online_again(void)
{
    return strstr(messages, "online again") != NULL;
}

/* ---- the clock ---- */

static _Atomic int64_t now_ns = INT64_C(1000000000000);

static wall_ms wall(void *arg)
{
    (void)arg;
    return (wall_ms){T0};
}

static mono_ns mono(void *arg)
{
    (void)arg;
    return (mono_ns){atomic_load(&now_ns)};
}

static const struct os_clock stopped = {wall, mono, NULL};

/* ---- */

static int start(void **state)
{
    (void)state;
    env_init(&v);
    v.diag = (struct diag){DIAG_DEBUG, hear, NULL};
    v.linger_ns = INT64_C(3600000000000); /* only who asks for a flush gets one */
    v.clock = &stopped;
    disk.path = disk.watched = NULL;
    disk.syncs_fail = disk.opens_fail = disk.truncates_fail = disk.writes_short = disk.synced = 0;
    messages[0] = 0;
    losses = 0;
    append_when_lost = false;
    os_hook_set(on_op, NULL);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    disk.path = NULL;
    env_free(&v);
    os_hook_set(NULL, NULL);
    return 0;
}

static void open_log(void)
{
    struct kerr e;

    if (env_open(&v, &e) < 0)
        fail_msg("%s", kerr_msg(&e));
    plog_set_events(v.log, &(struct plog_events){on_advanced, on_lost, NULL});
}

static int append(int count)
{
    struct batch_spec s = {.count = count, .value = 100, .timestamp = T0};

    return append_spec(v.log, &s, NULL, NULL);
}

static int64_t size_of(const char *name)
{
    char path[600];
    struct stat st;

    snprintf(path, sizeof path, "%s/%s", v.path, name);
    return stat(path, &st) == 0 ? st.st_size : -1;
}

static void make_file(const char *name, const char *text)
{
    char path[600];
    FILE *f;

    snprintf(path, sizeof path, "%s/%s", v.path, name);
    f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void make_dir(const char *name)
{
    char path[600];

    snprintf(path, sizeof path, "%s/%s", v.path, name);
    assert_int_equal(mkdir(path, 0700), 0);
}

/* ---- a failed flush ---- */

/* Its offsets are below what the flush that failed was to cover, and that one has not ended yet. */
static void what_is_appended_right_after_a_cut_is_flushed(void **state)
{
    (void)state;
    open_log();
    for (int i = 0; i < 5; i++)
        assert_int_equal(append(3), 0);
    append_when_lost = true;
    disk.path = ".log";
    disk.syncs_fail = 1;
    plog_flush_soon(v.log);
    wait_until("the loss", is_lost);
    wait_until("the flush of what followed", all_is_stable);
}

static void a_log_that_could_not_be_cut_comes_back_by_itself(void **state)
{
    struct plog_source s;
    struct kerr e;
    int rc;

    (void)state;
    open_log();
    assert_int_equal(append(3), 0);
    disk.path = ".log";
    disk.syncs_fail = 1;
    disk.opens_fail = 1000000; /* no room for a new segment */
    plog_flush_soon(v.log);
    wait_until("the loss", is_lost);
    assert_int_equal(append(1), KE_IO);
    /* who stands at the end may go on waiting */
    assert_int_equal(plog_read(v.log, 0, 0, 100, 0, &s, &e), 0);
    assert_int_equal(s.size, 0);
    disk.opens_fail = 0;
    /* one try each second, asked for by who wants to append; the first may still be on its way */
    atomic_fetch_add(&now_ns, INT64_C(1100000000));
    rc = append(1);
    assert_true(rc == KE_IO || rc == 0);
    wait_until("the repair", online_again);
    assert_int_equal(append(1), 0);
    assert_int_equal(plog_flush_wait(v.log, 1, &e), 0);
}

static void what_is_appended_while_a_flush_runs_gets_the_next(void **state)
{
    (void)state;
    v.linger_ns = 0;
    open_log();
    assert_int_equal(append(1), 0); /* takes the leader epoch down, with a sync of its own */
    wait_until("the flush", all_is_stable);
    os_hook_set(on_op, v.log);
    for (int i = 1; i < 50; i++) {
        disk.appends_within = i;
        assert_int_equal(append(1), 0);
        wait_until("the flush", all_is_stable);
        disk.appends_within = 0;
    }
}

/* ---- failed writes ---- */

static void a_segment_is_closed_without_the_rest_of_a_failed_write(void **state)
{
    int64_t whole;

    (void)state;
    v.conf.segment_bytes = 3000;
    open_log();
    disk.path = ".log";
    disk.no_allocate = true;
    while (size_of("t-0/00000000000000000000.log") < 2400)
        assert_int_equal(append(2), 0);
    whole = size_of("t-0/00000000000000000000.log");
    disk.writes_short = 2;
    disk.truncates_fail = 1;
    assert_int_equal(append(1), KE_NOSPACE);
    assert_true(size_of("t-0/00000000000000000000.log") > whole);
    assert_int_equal(append(20), 0); /* rolls */
    assert_int_equal(size_of("t-0/00000000000000000000.log"), whole);
    disk.no_allocate = false;
}

/* ---- for the next start ---- */

static void a_stale_index_is_not_taken_over_by_a_new_segment(void **state)
{
    (void)state;
    v.conf.segment_bytes = 400;
    open_log();
    make_file("t-0/00000000000000000003.index", "0123456789abcdef0123456789abcdef");
    make_file("t-0/00000000000000000003.timeindex", "0123456789abcdef0123456789abcdef");
    assert_int_equal(append(3), 0);
    assert_int_equal(append(3), 0);
    assert_true(size_of("t-0/00000000000000000003.log") > 0);
    assert_true(size_of("t-0/00000000000000000003.index") <= 0);
    assert_true(size_of("t-0/00000000000000000003.timeindex") <= 0);
}

/* Also where all its records had been synced before it was closed. */
static void the_indexes_of_a_closed_segment_are_synced(void **state)
{
    struct kerr e;

    (void)state;
    v.conf.segment_bytes = 400;
    open_log();
    assert_int_equal(append(3), 0);
    assert_int_equal(plog_flush_wait(v.log, 3, &e), 0);
    disk.watched = "00000000000000000000.timeindex";
    assert_int_equal(append(3), 0);
    assert_int_equal(disk.synced, 0);
    assert_int_equal(plog_flush_wait(v.log, 6, &e), 0);
    plog_close(v.log, false); /* the flush has ended */
    v.log = NULL;
    disk.watched = NULL;
    assert_int_equal(disk.synced, 1);
}

static void a_new_directory_is_known_to_its_parent(void **state)
{
    char inner[200], *parent = strrchr(v.path, '/') + 1;

    (void)state;
    snprintf(inner, sizeof inner, "%s", parent);
    strcat(v.path, "/deeper/");
    disk.watched = inner;
    assert_int_equal(logdir_open(&v.dir, &(struct logdir_conf){.path = v.path, .pool = v.pool},
                                 &(struct uuid){{0}}, NULL),
                     0);
    assert_int_equal(disk.synced, 1);
    disk.watched = NULL;
    assert_int_equal(logdir_close(v.dir, true, NULL), 0);
    v.dir = NULL;
    v.path[strlen(v.path) - strlen("/deeper/")] = 0;
}

static bool file_says(const char *name, const char *text)
{
    char path[600], buf[4096];
    size_t n;
    FILE *f;

    snprintf(path, sizeof path, "%s/%s", v.path, name);
    f = fopen(path, "r");
    assert_non_null(f);
    n = fread(buf, 1, sizeof buf - 1, f);
    buf[n] = 0;
    fclose(f);
    return strstr(buf, text) != NULL;
}

static void a_namesake_does_not_inherit_a_recovery_point(void **state)
{
    static const char file[] = "recovery-point-offset-checkpoint";
    struct plog *l;
    struct kerr e;

    (void)state;
    open_log();
    assert_int_equal(logdir_create(v.dir, "u", 0, (struct uuid){{7}}, &v.conf, &l, &e), 0);
    assert_int_equal(
        append_spec(l, &(struct batch_spec){.count = 5, .value = 9, .timestamp = T0}, NULL, &e), 0);
    assert_int_equal(plog_flush_wait(l, 5, &e), 0);
    assert_int_equal(logdir_checkpoint(v.dir, &e), 0);
    assert_true(file_says(file, "u 0 5"));
    assert_int_equal(plog_delete(l, &e), 0);
    assert_int_equal(logdir_create(v.dir, "u", 0, (struct uuid){{6}}, &v.conf, &l, &e), 0);
    assert_false(file_says(file, "u 0 5"));
    plog_close(l, true);
}

static void strays_and_what_was_never_born(void **state)
{
    struct logdir_entry stray = {.topic = "s", .partition = 0, .name = "s-0"};
    struct logdir_entry unborn = {.topic = "w", .partition = 0, .name = "w-0"};

    (void)state;
    open_log();
    for (int i = 0; i < 2; i++) { /* two of one name: both are kept */
        make_dir("s-0");
        make_file("s-0/00000000000000000000.log", "x");
        assert_false(logdir_remove_unborn(v.dir, &stray));
        assert_int_equal(logdir_set_aside(v.dir, &stray, NULL), 0);
    }
    assert_int_equal(size_of("s-0"), -1);
    assert_int_equal(size_of("s-0-stray/00000000000000000000.log"), 1);
    make_dir("w-0");
    make_file("w-0/partition.metadata.tmp", "ver");
    unborn.topic_id = (struct uuid){{1}};
    assert_false(logdir_remove_unborn(v.dir, &unborn));
    unborn.topic_id = (struct uuid){{0}};
    assert_true(logdir_remove_unborn(v.dir, &unborn));
    assert_int_equal(size_of("w-0"), -1);
}

/* It speaks of records that are not there: believed, it would call new ones duplicates. */
static void a_snapshot_past_the_end_is_forgotten(void **state)
{
    struct batch_spec s = {.count = 3, .value = 100, .timestamp = T0, .producer_id = 5};
    struct plog_append a;
    char path[600];
    struct kerr e;

    (void)state;
    v.conf.segment_bytes = 400;
    open_log();
    for (s.sequence = 0; s.sequence < 9; s.sequence += 3)
        assert_int_equal(append_spec(v.log, &s, NULL, &e), 0);
    assert_int_equal(env_close(&v, false), 0);
    assert_true(size_of("t-0/00000000000000000006.snapshot") > 0);
    snprintf(path, sizeof path, "%s/t-0/00000000000000000003.log", v.path);
    assert_int_equal(truncate(path, 0), 0);
    snprintf(path, sizeof path, "%s/t-0/00000000000000000006.log", v.path);
    assert_int_equal(unlink(path), 0);
    v.conf.segment_bytes = 1 << 20;
    open_log();
    for (int i = 0; i < 3; i++)
        assert_int_equal(append(2), 0);
    assert_int_equal(env_close(&v, false), 0);
    open_log();
    s.sequence = 3;
    assert_int_equal(append_spec(v.log, &s, &a, &e), 0);
    assert_false(a.duplicate);
    assert_int_equal(a.base_offset, 9);
}

/* The answers to all five were lost with the broker; the roll lies between them. */
static void five_batches_are_known_across_a_roll(void **state)
{
    struct batch_spec s = {.count = 2, .value = 100, .timestamp = T0, .producer_id = 5};
    struct plog_append a;
    struct kerr e;

    (void)state;
    v.conf.segment_bytes = 2000;
    open_log();
    for (s.sequence = 0; s.sequence < 40; s.sequence += 2) {
        char next[64];
        assert_int_equal(append_spec(v.log, &s, NULL, &e), 0);
        snprintf(next, sizeof next, "t-0/%020d.log", s.sequence);
        if (s.sequence > 0 && size_of(next) > 0)
            break;
    }
    assert_true(s.sequence > 8);
    assert_int_equal(env_close(&v, false), 0);
    open_log();
    for (int i = 4; i >= 0; i--) {
        struct batch_spec old = s;
        old.sequence = s.sequence - 2 * i;
        if (append_spec(v.log, &old, &a, &e) < 0)
            fail_msg("batch %d from the end: %s", i, kerr_msg(&e));
        assert_true(a.duplicate);
        assert_int_equal(a.base_offset, old.sequence);
    }
}

/* Forgotten: it may begin anywhere again. */
static void a_producer_expires_after_the_time_that_is_set_last(void **state)
{
    struct batch_spec s = {.count = 1, .value = 100, .timestamp = T0, .producer_id = 5};
    struct kerr e;

    (void)state;
    open_log();
    assert_int_equal(append_spec(v.log, &s, NULL, &e), 0);
    atomic_fetch_add(&now_ns, INT64_C(5000000000));
    s.sequence = 70;
    assert_int_equal(plog_tick(v.log, (wall_ms){T0}, &e), 0);
    assert_int_equal(append_spec(v.log, &s, NULL, &e), KE_SEQUENCE);
    logdir_set_producer_expiry(v.dir, 4999);
    assert_int_equal(plog_tick(v.log, (wall_ms){T0}, &e), 0);
    assert_int_equal(append_spec(v.log, &s, NULL, &e), 0);
}

/* ---- times from a peer ---- */

static void a_time_before_all_times_rolls_nothing(void **state)
{
    struct batch_spec s = {.count = 1, .value = 9, .timestamp = 1};

    (void)state;
    open_log();
    assert_int_equal(append_spec(v.log, &s, NULL, NULL), 0);
    s.timestamp = INT64_MIN;
    assert_int_equal(append_spec(v.log, &s, NULL, NULL), 0);
    assert_int_equal(size_of("t-0/00000000000000000001.log"), -1);
}

/* ---- the edge of 2^31 ---- */

/* A batch that says it has so many records; what is compressed is not opened. */
static int append_many(int32_t count)
{
    struct batch_spec s = {.count = 1, .value = 9, .timestamp = T0, .codec = CODEC_GZIP};
    struct plog_append a = {0};
    struct batch b;
    int rc;

    a.bytes = make_batch(&s, &a.size);
    put_be32(a.bytes + 23, (uint32_t)count - 1);
    put_be32(a.bytes + 57, (uint32_t)count);
    assert_int_equal(batch_parse(slice_of(a.bytes, a.size), &b, NULL, NULL), 0);
    put_be32(a.bytes + 17, batch_crc(&b));
    rc = plog_append(v.log, &a, (wall_ms){T0}, NULL);
    free(a.bytes);
    return rc;
}

static void a_segment_ends_before_its_offsets_do(void **state)
{
    struct kerr e;

    (void)state;
    open_log();
    assert_int_equal(append_many(INT32_MAX), 0); /* 0 to 2^31 - 2 */
    assert_int_equal(append_many(1), 0);         /* 2^31 - 1: still fits */
    assert_int_equal(size_of("t-0/00000000002147483647.log"), -1);
    assert_int_equal(append_many(1), 0);
    assert_true(size_of("t-0/00000000002147483648.log") > 0);
    /* and it is found again */
    assert_int_equal(plog_flush_wait(v.log, INT64_C(2147483649), &e), 0);
    assert_int_equal(env_close(&v, false), 0);
    open_log();
    assert_true(all_is_stable());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_appended_right_after_a_cut_is_flushed, start, stop),
        cmocka_unit_test_setup_teardown(a_log_that_could_not_be_cut_comes_back_by_itself, start,
                                        stop),
        cmocka_unit_test_setup_teardown(what_is_appended_while_a_flush_runs_gets_the_next, start,
                                        stop),
        cmocka_unit_test_setup_teardown(a_segment_is_closed_without_the_rest_of_a_failed_write,
                                        start, stop),
        cmocka_unit_test_setup_teardown(a_stale_index_is_not_taken_over_by_a_new_segment, start,
                                        stop),
        cmocka_unit_test_setup_teardown(the_indexes_of_a_closed_segment_are_synced, start, stop),
        cmocka_unit_test_setup_teardown(a_new_directory_is_known_to_its_parent, start, stop),
        cmocka_unit_test_setup_teardown(a_namesake_does_not_inherit_a_recovery_point, start, stop),
        cmocka_unit_test_setup_teardown(strays_and_what_was_never_born, start, stop),
        cmocka_unit_test_setup_teardown(a_snapshot_past_the_end_is_forgotten, start, stop),
        cmocka_unit_test_setup_teardown(five_batches_are_known_across_a_roll, start, stop),
        cmocka_unit_test_setup_teardown(a_producer_expires_after_the_time_that_is_set_last, start,
                                        stop),
        cmocka_unit_test_setup_teardown(a_time_before_all_times_rolls_nothing, start, stop),
        cmocka_unit_test_setup_teardown(a_segment_ends_before_its_offsets_do, start, stop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
