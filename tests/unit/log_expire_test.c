/* What a log loses at its beginning: retention, trims, and when the files go. The clock is ours. */
#include "log_support.h"

#include "os/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

enum { SECOND = 1000 };

static struct env v;
static _Atomic int64_t clock_ms, clock_ns;

static wall_ms wall(void *arg)
{
    (void)arg;
    return (wall_ms){clock_ms};
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
    clock_ms = T0;
    clock_ns = INT64_C(1000000000000);
    v.conf.segment_bytes = 400; /* three records of 100 bytes */
    v.conf.retention_ms = -1;
    v.conf.delete_delay_ms = 0;
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

static void reopen(bool clean)
{
    assert_int_equal(env_close(&v, clean), 0);
    open_log();
}

static void append_at(int64_t timestamp)
{
    struct batch_spec s = {.count = 3, .value = 100, .timestamp = timestamp};

    assert_int_equal(append_spec(v.log, &s, NULL, NULL), 0);
}

/* A flush that runs has ended after this: nothing is cut. */
static void let_flush_end(void)
{
    struct plog_ends ends;

    plog_ends(v.log, &ends);
    assert_int_equal(plog_truncate(v.log, ends.end, NULL), 0);
}

/* Segments of three records, at T0 and every second after it; flushed. */
static void fill(int segments)
{
    open_log();
    for (int i = 0; i < segments; i++)
        append_at(T0 + i * SECOND);
    assert_int_equal(plog_flush_wait(v.log, 3 * segments, NULL), 0);
    let_flush_end();
}

static int64_t log_start(void)
{
    struct plog_ends ends;

    plog_ends(v.log, &ends);
    return ends.log_start;
}

/* The housekeeping's round, at a time. */
static void tick_at(int64_t ms)
{
    clock_ms = ms;
    assert_int_equal(plog_tick(v.log, (wall_ms){ms}, NULL), 0);
}

static void sweep(void)
{
    plog_flush_soon(v.log);
    let_flush_end();
    assert_int_equal(logdir_checkpoint(v.dir, NULL), 0);
    assert_int_equal(plog_sweep(v.log, NULL), 0);
}

static bool exists(int64_t base, const char *suffix)
{
    char path[400];

    snprintf(path, sizeof path, "%s/t-0/%020lld%s", v.path, (long long)base, suffix);
    return access(path, F_OK) == 0;
}

/* Names in the partition's directory that have text in them. */
static int count_names(const char *text)
{
    char path[300];
    struct dirent *entry;
    DIR *dir;
    int n = 0;

    snprintf(path, sizeof path, "%s/t-0", v.path);
    dir = opendir(path);
    assert_non_null(dir);
    while ((entry = readdir(dir)) != NULL)
        n += strstr(entry->d_name, text) != NULL;
    closedir(dir);
    return n;
}

/* ---- retention ---- */

static void old_segments_go(void **state)
{
    (void)state;
    v.conf.retention_ms = 5 * SECOND;
    fill(4);
    tick_at(T0 + 5 * SECOND); /* not older than that yet */
    assert_int_equal(log_start(), 0);
    tick_at(T0 + 5 * SECOND + 1);
    assert_int_equal(log_start(), 3);
    tick_at(T0 + 7 * SECOND);
    assert_int_equal(log_start(), 6);
    assert_true(exists(0, ".log") && exists(3, ".log"));
    sweep();
    assert_false(exists(0, ".log") || exists(3, ".log"));
    assert_false(exists(0, ".index") || exists(0, ".timeindex") || exists(3, ".snapshot"));
    assert_true(exists(6, ".log"));
    reopen(false);
    assert_int_equal(log_start(), 6);
    tick_at(T0); /* a clock that goes back brings nothing back, and takes nothing */
    assert_int_equal(log_start(), 6);
}

static void the_last_one_too_but_not_its_offsets(void **state)
{
    struct plog_append a;

    (void)state;
    v.conf.retention_ms = SECOND;
    fill(2);
    tick_at(T0 + 60 * SECOND);
    assert_int_equal(log_start(), 6);
    sweep();
    assert_int_equal(count_names(".log"), 1);
    assert_true(exists(6, ".log"));
    tick_at(T0 + 90 * SECOND); /* the empty one stays */
    assert_true(exists(6, ".log"));
    reopen(false);
    assert_int_equal(
        append_spec(v.log, &(struct batch_spec){.count = 1, .timestamp = clock_ms}, &a, NULL), 0);
    assert_int_equal(a.base_offset, 6);
    tick_at(clock_ms);
    assert_int_equal(log_start(), 6);
}

static void the_largest_go_first(void **state)
{
    struct plog_ends ends;
    int64_t each;

    (void)state;
    fill(5);
    plog_ends(v.log, &ends);
    each = ends.size / 5;
    assert_int_equal(each * 5, ends.size);
    for (int keep = 5; keep >= 2; keep--) { /* never fewer bytes than that stay */
        v.conf.retention_bytes = keep * each + 1;
        plog_set_conf(v.log, &v.conf);
        tick_at(T0);
        assert_int_equal(log_start(), keep == 5 ? 0 : (5 - keep - 1) * 3);
        v.conf.retention_bytes = keep * each;
        plog_set_conf(v.log, &v.conf); /* acts at once */
        tick_at(T0);
        assert_int_equal(log_start(), (5 - keep) * 3);
        sweep();
        plog_ends(v.log, &ends);
        assert_int_equal(ends.size, keep * each);
    }
    v.conf.retention_bytes = 0;
    plog_set_conf(v.log, &v.conf);
    tick_at(T0);
    assert_int_equal(log_start(), 15);
}

static void not_before_it_was_shown(void **state)
{
    (void)state;
    v.conf.retention_bytes = 0;
    open_log();
    append_at(T0);
    append_at(T0);
    tick_at(T0);
    assert_int_equal(log_start(), 0);
    assert_int_equal(plog_flush_wait(v.log, 6, NULL), 0);
    tick_at(T0);
    assert_int_equal(log_start(), 6);
}

static void only_where_the_policy_is_delete(void **state)
{
    (void)state;
    v.conf.retention_bytes = v.conf.retention_ms = 0;
    v.conf.expires = false;
    fill(3);
    tick_at(T0 + 60 * SECOND);
    assert_int_equal(log_start(), 0);
    v.conf.expires = true;
    plog_set_conf(v.log, &v.conf);
    tick_at(T0 + 60 * SECOND);
    assert_int_equal(log_start(), 9);
}

/* A segment is as old as its newest record, which need not be its last, nor in the time index. */
static void a_segment_is_as_old_as_its_newest_record(void **state)
{
    (void)state;
    v.conf.segment_bytes = 2000;
    v.conf.retention_ms = SECOND;
    open_log();
    append_at(T0);
    append_at(T0 + 50 * SECOND);
    append_at(T0 + 1);
    for (int i = 0; i < 6; i++)
        append_at(T0 + 2);
    assert_false(exists(9, ".log"));
    assert_true(count_names(".log") > 1);
    for (int round = 0; round < 3; round++) { /* as appended; after a clean stop; after a crash */
        assert_int_equal(plog_flush_wait(v.log, 27, NULL), 0);
        tick_at(T0 + 51 * SECOND);
        assert_int_equal(log_start(), 0);
        if (round < 2)
            reopen(round == 0);
    }
    tick_at(T0 + 51 * SECOND + 1);
    assert_int_equal(log_start(), 27);
}

/* A time index that lacks the largest time, as after a failed write: batches are asked. */
static void a_thin_time_index_is_not_believed(void **state)
{
    char path[400];

    (void)state;
    fill(2);
    assert_int_equal(env_close(&v, true), 0);
    snprintf(path, sizeof path, "%s/t-0/%020d.timeindex", v.path, 0);
    assert_int_equal(truncate(path, 0), 0);
    v.conf.retention_ms = SECOND;
    open_log();
    tick_at(T0 + SECOND);
    assert_int_equal(log_start(), 0);
    tick_at(T0 + SECOND + 1);
    assert_int_equal(log_start(), 3);
}

/* Where no record has a time (or none can be read), that of the file counts. */
static void without_times_the_file_is_asked(void **state)
{
    struct timespec times[2] = {{T0 / 1000, 0}, {T0 / 1000, 0}};
    char path[400];
    int fd;

    (void)state;
    for (int damaged = 0; damaged < 2; damaged++) {
        v.conf.retention_ms = -1;
        open_log();
        for (int i = 0; i < 3; i++)
            append_at(damaged ? T0 : -1);
        assert_int_equal(env_close(&v, true), 0);
        snprintf(path, sizeof path, "%s/t-0/%020d.log", v.path, damaged ? 9 : 0);
        if (damaged) {
            fd = open(path, O_WRONLY);
            assert_int_equal(pwrite(fd, "\xff\xff\xff\xff", 4, 8), 4);
            close(fd);
            snprintf(path + strlen(path) - 4, 20, ".timeindex");
            assert_int_equal(unlink(path), 0);
            fd = open(path, O_WRONLY | O_CREAT, 0600);
            close(fd);
            snprintf(path + strlen(path) - 10, 20, ".log");
        }
        assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
        v.conf.retention_ms = SECOND;
        open_log();
        tick_at(T0 + SECOND);
        assert_int_equal(log_start(), damaged ? 9 : 0);
        tick_at(T0 + SECOND + 1);
        assert_int_equal(log_start(), damaged ? 18 : 3);
        tick_at(INT64_C(1) << 60);
        assert_int_equal(log_start(), damaged ? 18 : 9);
        sweep();
        assert_int_equal(env_close(&v, true), 0);
        v.log = NULL;
    }
}

/* ---- files ---- */

/* After a crash some deletions may be undone and others not. */
static void files_wait_for_the_checkpoint(void **state)
{
    (void)state;
    v.conf.retention_ms = 0;
    fill(3);
    tick_at(T0 + 60 * SECOND);
    assert_int_equal(log_start(), 9);
    plog_flush_soon(v.log);
    let_flush_end();
    assert_int_equal(plog_sweep(v.log, NULL), 0);
    assert_true(exists(0, ".log") && exists(6, ".log"));
    sweep();
    assert_false(exists(0, ".log") || exists(6, ".log"));
}

static int no_rename(void *arg, enum os_op op, int fd, const char *name, size_t *len)
{
    (void)fd;
    (void)len;
    return op == OS_RENAME && name && strstr(name, (const char *)arg) ? EIO : 0;
}

static void a_checkpoint_that_failed_lets_nothing_go(void **state)
{
    static char name[] = "log-start-offset-checkpoint";

    (void)state;
    v.conf.retention_ms = 0;
    fill(3);
    tick_at(T0 + 60 * SECOND);
    plog_flush_soon(v.log);
    let_flush_end();
    os_hook_set(no_rename, name);
    assert_int_equal(logdir_checkpoint(v.dir, NULL), KE_IO);
    os_hook_set(NULL, NULL);
    assert_int_equal(plog_sweep(v.log, NULL), 0);
    assert_true(exists(0, ".log") && exists(6, ".log"));
}

static void files_are_kept_for_a_while(void **state)
{
    struct plog_source s;
    uint8_t *p;

    (void)state;
    v.conf.delete_delay_ms = 10 * SECOND;
    fill(4);
    assert_int_equal(plog_read(v.log, 0, 12, 1000, 0, &s, NULL), 0);
    assert_int_equal(plog_trim(v.log, 3, NULL), 0);
    assert_true(exists(0, ".log.deleted") && exists(0, ".index.deleted"));
    assert_false(exists(0, ".log") || exists(0, ".index"));
    clock_ns += INT64_C(6000000000);
    assert_int_equal(plog_trim(v.log, 6, NULL), 0);
    sweep();
    assert_true(exists(0, ".log.deleted") && exists(3, ".log.deleted"));
    clock_ns += INT64_C(4000000000); /* the wall's clock has no say */
    sweep();
    assert_false(exists(0, ".log.deleted"));
    assert_true(exists(3, ".log.deleted") && exists(3, ".snapshot.deleted"));
    p = read_source(&s); /* who reads goes on */
    free(p);
    plog_source_release(&s);
    reopen(false);
    assert_int_equal(count_names("deleted"), 0);
    v.conf.delete_delay_ms = INT64_MAX;
    plog_set_conf(v.log, &v.conf);
    assert_int_equal(plog_trim(v.log, 9, NULL), 0);
    clock_ns += INT64_C(1000000000000000000);
    sweep();
    assert_true(exists(6, ".log.deleted"));
}

/* The snapshot of the producers behind a segment may be all that tells of them once it has gone. */
static void files_wait_for_the_snapshot_behind_them(void **state)
{
    (void)state;
    v.conf.retention_ms = 0;
    fill(3);
    tick_at(T0 + 60 * SECOND); /* rolls: the snapshot is written, not flushed */
    assert_int_equal(logdir_checkpoint(v.dir, NULL), 0);
    assert_int_equal(plog_sweep(v.log, NULL), 0);
    assert_true(exists(6, ".log"));
    sweep();
    assert_false(exists(6, ".log"));
}

/* Believed of it, the start of an earlier partition of that name would take its records. */
static void a_namesake_does_not_inherit_a_start(void **state)
{
    struct logdir_entry *list;
    struct plog_ends ends;
    size_t n;

    (void)state;
    fill(2);
    assert_int_equal(plog_trim(v.log, 5, NULL), 0);
    assert_int_equal(logdir_checkpoint_starts(v.dir, NULL), 0);
    assert_int_equal(plog_delete(v.log, NULL), 0);
    assert_int_equal(logdir_create(v.dir, "t", 0, (struct uuid){{8}}, &v.conf, &v.log, NULL), 0);
    append_at(T0);
    assert_int_equal(plog_flush_wait(v.log, 3, NULL), 0);
    assert_int_equal(env_close(&v, false), 0);
    open_log();
    assert_int_equal(logdir_list(v.dir, &list, &n, NULL), 0);
    free(list);
    plog_ends(v.log, &ends);
    assert_int_equal(ends.log_start, 0);
    assert_int_equal(ends.end, 3);
}

#define IN_A_LOG(f) cmocka_unit_test_setup_teardown(f, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_A_LOG(old_segments_go),
        IN_A_LOG(the_last_one_too_but_not_its_offsets),
        IN_A_LOG(the_largest_go_first),
        IN_A_LOG(not_before_it_was_shown),
        IN_A_LOG(only_where_the_policy_is_delete),
        IN_A_LOG(a_segment_is_as_old_as_its_newest_record),
        IN_A_LOG(a_thin_time_index_is_not_believed),
        IN_A_LOG(without_times_the_file_is_asked),
        IN_A_LOG(files_wait_for_the_checkpoint),
        IN_A_LOG(a_checkpoint_that_failed_lets_nothing_go),
        IN_A_LOG(files_wait_for_the_snapshot_behind_them),
        IN_A_LOG(files_are_kept_for_a_while),
        IN_A_LOG(a_namesake_does_not_inherit_a_start),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
