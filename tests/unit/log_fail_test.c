/*
 * A log's whole life while the n-th operation on files fails, for every n, and while the n-th
 * allocation of our own fails. What is asked may be refused, with a message; it may be asked again;
 * and at the end all is there that was on stable storage, and nothing torn.
 */
#include <stdbool.h>

static _Thread_local bool mine; /* this thread's allocations may fail */
#define FAIL_MALLOC_SPARES (!mine)
#include "fail_malloc.h"

#include "log_support.h"

#include "base/bytes.h"
#include "log/committed.h"
#include "log/dump.h"
#include "log/offline.h"
#include "log/segdir.h"
#include "log/verify.h"
#include "os/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

enum { MOST = 64, CAP = 1 << 20, SECOND = 1000 };

/* ---- the fault ---- */

static struct {
    _Atomic int seen;
    int at, error; /* the operation that fails; with how many others behind it */
    int count;
    bool is_short; /* writes: half of it goes in before the next one fails */
    _Atomic bool happened;
} fault;

static int on_op(void *arg, enum os_op op, int fd, const char *name, size_t *len)
{
    int i = atomic_fetch_add(&fault.seen, 1);

    (void)arg;
    (void)fd;
    (void)name;
    if (i < fault.at || i >= fault.at + fault.count)
        return 0;
    atomic_store(&fault.happened, true);
    if (op == OS_ALLOCATE && fault.is_short)
        return EOPNOTSUPP;
    if (op == OS_WRITE && fault.is_short && i == fault.at && *len > 1) {
        *len /= 2;
        return 0;
    }
    return fault.error;
}

static void files_fail(int at, int count, int error, bool is_short)
{
    fault.seen = 0;
    fault.happened = false;
    fault.at = at;
    fault.count = count;
    fault.error = error;
    fault.is_short = is_short;
    os_hook_set(on_op, NULL);
}

/* ---- the log, and what is known of it ---- */

static struct env v;
static _Atomic int64_t clock_ns;
static bool damaged_once;

static struct known {
    int64_t base, last;
    uint8_t fill;
    bool flushed;
} b[MOST];
static int n;

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

/* True when it was done; what was not says why. */
static bool done(int rc, struct kerr *e)
{
    if (rc < 0) {
        assert_int_equal(e->code, rc);
        assert_true(e->msg[0] != 0);
    }
    *e = (struct kerr){0};
    return rc >= 0;
}

static void ends(struct plog_ends *out)
{
    plog_ends(v.log, out);
}

/* Waits for the flush that runs; a log that is offline is repaired. */
static void settle(void)
{
    struct kerr e = {0};

    clock_ns += INT64_C(2000000000);
    for (int i = 0; i < 5 && !done(plog_truncate(v.log, INT64_MAX, &e), &e); i++)
        ;
}

/* Forgets what a failed flush has taken. */
static void forget_lost(void)
{
    struct plog_ends x;

    ends(&x);
    while (n > 0 && b[n - 1].last >= x.end) {
        assert_false(b[n - 1].flushed);
        n--;
    }
}

static void open_log(void)
{
    struct kerr e = {0};

    for (int i = 0; !done(env_open(&v, &e), &e); i++)
        assert_true(i < 5);
}

static void append(void)
{
    static const enum codec codecs[] = {CODEC_NONE, CODEC_GZIP, CODEC_LZ4};
    struct batch_spec s = {.count = 1 + n % 3,
                           .value = 150,
                           .timestamp = T0 + n,
                           .codec = codecs[n % 3],
                           .fill = (uint8_t)(n + 1)};
    struct plog_append a = {0};
    struct kerr e = {0};
    bool spare = mine;

    mine = false; /* making it is not the log's work */
    a.bytes = make_batch(&s, &a.size);
    mine = spare;
    a.leader_epoch = n / 8;
    if (done(plog_append(v.log, &a, (wall_ms){T0}, &e), &e)) {
        assert_true(n < MOST);
        b[n++] = (struct known){a.base_offset, a.last_offset, s.fill, false};
    }
    free(a.bytes);
}

static void flush(void)
{
    struct plog_ends x;
    struct kerr e = {0};

    ends(&x);
    if (done(plog_flush_wait(v.log, x.end, &e), &e))
        for (int i = 0; i < n; i++)
            b[i].flushed = true;
    settle();
    forget_lost();
}

static void trim(int64_t to)
{
    struct kerr e = {0};

    done(plog_trim(v.log, to, &e), &e);
}

static void housekeeping(int64_t keep_bytes, int64_t delay_ms)
{
    struct kerr e = {0};

    v.conf.retention_bytes = keep_bytes;
    v.conf.delete_delay_ms = delay_ms;
    plog_set_conf(v.log, &v.conf);
    done(plog_tick(v.log, (wall_ms){T0}, &e), &e);
    v.conf.retention_bytes = -1;
    plog_set_conf(v.log, &v.conf);
    plog_flush_soon(v.log);
    flush();
    done(logdir_checkpoint(v.dir, &e), &e);
    done(plog_sweep(v.log, &e), &e);
}

static void cut(int batches)
{
    struct kerr e = {0};
    int64_t to = b[n - batches].base;

    for (int i = n - batches; i < n; i++)
        b[i].flushed = false;
    if (done(plog_truncate(v.log, to, &e), &e))
        n -= batches;
    settle();
    forget_lost();
}

static void look(void)
{
    struct plog_source s;
    struct plog_ends x;
    struct kerr e = {0};
    int64_t offset, time, end;
    int32_t epoch;

    ends(&x);
    for (int64_t at = x.log_start; at < x.end; at++)
        if (done(plog_read(v.log, at, x.end, 100, at % 2 ? PLOG_WHOLE_FIRST : 0, &s, &e), &e))
            plog_source_release(&s);
    for (int64_t t = T0; t < T0 + 40; t += 7)
        done(plog_find_time(v.log, t, x.end, &offset, &time, &e), &e);
    done(plog_max_time(v.log, x.end, &offset, &time, &e), &e);
    done(plog_max_time(v.log, x.end - 1, &offset, &time, &e), &e);
    plog_epoch_end(v.log, 0, &epoch, &end);
}

static void another_topic(void)
{
    struct logdir_entry *list = NULL;
    struct plog *l = NULL;
    struct kerr e = {0};
    size_t count = 0;

    if (done(logdir_create(v.dir, "u", 0, (struct uuid){{7}}, &v.conf, &l, &e), &e) &&
        !done(plog_delete(l, &e), &e))
        plog_close(l, false);
    if (done(logdir_list(v.dir, &list, &count, &e), &e))
        for (size_t i = 0; i < count; i++)
            if (strcmp(list[i].topic, "u") == 0 && !logdir_remove_unborn(v.dir, &list[i]))
                done(logdir_set_aside(v.dir, &list[i], &e), &e);
    free(list);
}

static void close_log(bool clean)
{
    struct kerr e = {0};

    plog_close(v.log, clean);
    v.log = NULL;
    done(logdir_close(v.dir, clean, &e), &e);
    v.dir = NULL;
}

/* ---- readers ---- */

static int one_batch(void *arg, const struct batch *x, int64_t position, uint32_t crc)
{
    (void)arg;
    (void)position;
    assert_true(damaged_once || crc == x->crc);
    return 0;
}

static void dump_all(const char *dir)
{
    struct dump_sink sink = {.batch = one_batch, .cap = CAP};
    char path[700];
    struct dirent *entry;
    struct kerr e = {0};
    DIR *d = opendir(dir);

    assert_non_null(d);
    while ((entry = readdir(d)) != NULL)
        if (entry->d_name[0] != '.') {
            snprintf(path, sizeof path, "%s/%s", dir, entry->d_name);
            done(dump_file(path, &sink, &e), &e);
        }
    closedir(d);
}

/* Without what is not committed. */
static void read_committed(const char *dir, const char *topic)
{
    struct committed *c = NULL;
    struct offline *o = NULL;
    struct batch x;
    struct kerr e = {0};
    int rc = 0;

    if (done(committed_open(&c, dir, topic, 0, &e), &e) &&
        done(offline_open(&o, dir, topic, 0, &e), &e))
        while ((rc = committed_next(c, o, &x, &e)) == 1)
            assert_int_equal(batch_check_crc(&x, NULL), 0);
    done(rc, &e);
    if (o)
        offline_close(o);
    if (c)
        committed_free(c);
}

static void read_offline(const char *dir, const char *topic)
{
    struct offline *o;
    struct batch x;
    struct kerr e = {0};
    int64_t at;
    int rc;

    if (!done(offline_open(&o, dir, topic, 0, &e), &e))
        return;
    done(offline_end(o, &at, &e), &e);
    done(offline_find_time(o, T0 + 9, CAP, &at, &e), &e);
    if (done(offline_seek(o, offline_start(o) + 3, &e), &e))
        while ((rc = offline_next(o, &x, &e)) == 1)
            assert_int_equal(batch_check_crc(&x, NULL), 0);
    else
        rc = 0;
    done(rc, &e);
    offline_close(o);
}

static void read_all(const char *dir, const char *topic)
{
    struct verify_options o = {.cap = CAP};
    struct verify_result r = {0};
    struct partition_name *names = NULL;
    struct kerr e = {0};
    char path[300];
    size_t count;

    snprintf(path, sizeof path, "%s/%s-0", dir, topic);
    done(verify_dir(path, &o, &r, &e), &e);
    done(segdir_partitions(dir, &names, &count, &e), &e);
    free(names);
    read_offline(dir, topic);
    read_committed(dir, topic);
    dump_all(path);
}

static void readers(void)
{
    read_all(v.path, "t");
}

/* ---- what a crash leaves ---- */

/* The newest or the oldest segment's file. */
static void file_of(bool newest, const char *suffix, char out[400])
{
    char dir[300];
    struct dirent *entry;
    long long best = -1;
    DIR *d;

    snprintf(dir, sizeof dir, "%s/t-0", v.path);
    d = opendir(dir);
    while ((entry = readdir(d)) != NULL) {
        size_t k = strlen(entry->d_name);
        long long base = atoll(entry->d_name);
        if (k == 24 && strcmp(entry->d_name + 20, ".log") == 0 &&
            (best < 0 || (newest ? base > best : base < best)))
            best = base;
    }
    closedir(d);
    snprintf(out, 400, "%s/%020lld%s", dir, best, suffix);
}

/* Half a batch at the end, an index that is missing, one that is nonsense, a file of another time.
 */
static void leave_a_mess(void)
{
    static const char torn[90] = "\0\0\0\0\0\0\7";
    char path[400];
    int fd;

    file_of(true, ".log", path);
    fd = open(path, O_WRONLY | O_APPEND);
    assert_int_equal(write(fd, torn, sizeof torn), sizeof torn);
    close(fd);
    file_of(false, ".index", path);
    unlink(path);
    file_of(false, ".log.deleted", path);
    fd = open(path, O_WRONLY | O_CREAT, 0600);
    close(fd);
    file_of(true, ".timeindex", path);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_int_equal(write(fd, torn, 30), 30);
    close(fd);
}

/* The length in the second batch's header, with whole batches behind it: below the recovery point
 * nothing else is looked at. */
static void damage(void)
{
    uint8_t length[4];
    char path[400];
    struct stat st;
    int fd;

    file_of(true, ".log", path);
    fd = open(path, O_RDWR);
    assert_int_equal(fstat(fd, &st), 0);
    if (st.st_size > 900) { /* else the fault came before */
        assert_int_equal(pread(fd, length, 4, 8), 4);
        assert_int_equal(pwrite(fd, "\xee", 1, get_be32(length) + 12 + 8), 1);
    }
    close(fd);
    damaged_once = true;
}

/* ---- lives ---- */

static void a_life(void)
{
    open_log();
    for (int i = 0; i < 10; i++) {
        append();
        if (i % 4 == 3)
            flush();
    }
    flush();
    if (n > 3)
        trim(b[2].base);
    look();
    housekeeping(2500, 0);
    if (n > 2)
        cut(2);
    for (int i = 0; i < 4; i++)
        append();
    flush();
    another_topic();
    close_log(true);
    readers();
    open_log();
    for (int i = 0; i < 6; i++)
        append();
    flush();
    housekeeping(2500, 1);
    clock_ns += SECOND * INT64_C(1000000);
    housekeeping(1 << 20, 1);
    for (int i = 0; i < 9; i++) /* flushed, and past the recovery point */
        append();
    flush();
    append();
    close_log(false);
    leave_a_mess();
    readers();
    open_log();
    settle();
    forget_lost();
    append();
    flush();
    look();
    close_log(true);
}

/* Above the recovery point damage ends the log. Below it, what lies behind it stays, whatever fails
 * while that is found out. */
static void a_damaged_life(void)
{
    for (int below = 0; below < 2; below++) {
        struct kerr e = {0};
        bool noted;
        n = 0;
        v.conf.segment_bytes = 1 << 20;
        open_log();
        for (int i = 0; i < 14; i++)
            append();
        flush();
        noted = below && done(logdir_checkpoint(v.dir, &e), &e);
        close_log(false);
        damage();
        readers();
        for (int i = 0; i < (noted ? 2 : n); i++) /* the second is hit */
            b[i].flushed = false;
        open_log();
        look();
        close_log(false);
    }
}

/* What Apache Kafka has written, by those who need no broker. */
static void kafkas_life(void)
{
    static const char *const topics[] = {"txn", "rolls", "compacted", "codec.snappy"};

    for (int i = 0; i < 4; i++)
        read_all("tests/fixtures/kafka-4.3.1", topics[i]);
}

/* All that was flushed is there, whole and in order. */
static void check(void)
{
    struct plog_ends x;
    struct kerr e = {0};

    open_log();
    ends(&x);
    for (int i = 0; i < n; i++) {
        struct plog_source s;
        struct batch got;
        uint8_t *p;
        int rc;
        if (!b[i].flushed || b[i].base < x.log_start)
            continue;
        if (b[i].last >= x.end)
            fail_msg("offset %lld was flushed, the log ends at %lld", (long long)b[i].last,
                     (long long)x.end);
        rc = plog_read(v.log, b[i].base, x.end, CAP, 0, &s, &e);
        if (rc == KE_CORRUPT && damaged_once)
            continue; /* who reads is told */
        assert_int_equal(rc, 0);
        p = read_source(&s);
        assert_int_equal(batch_parse(slice_of(p, s.size), &got, NULL, &e), 0);
        assert_int_equal(batch_check_crc(&got, &e), 0);
        assert_int_equal(got.base_offset, b[i].base);
        assert_int_equal(batch_last_offset(&got), b[i].last);
        if (batch_codec(&got) == CODEC_NONE)
            assert_int_equal(p[got.size - 2], b[i].fill);
        free(p);
        plog_source_release(&s);
    }
    append();
    close_log(true);
}

static void begin(void)
{
    env_init(&v);
    v.clock = &ours;
    v.linger_ns = INT64_C(3600000000000);
    clock_ns = INT64_C(1000000000000);
    v.conf.segment_bytes = 1200;
    v.conf.index_interval_bytes = 200;
    n = 0;
    damaged_once = false;
}

static void end(void)
{
    env_free(&v);
}

/* ---- the sweeps ---- */

static void sweep_files(void (*life)(void), int count, int error, bool is_short)
{
    bool happened = true;
    int at;

    for (at = 0; happened; at++) {
        begin();
        files_fail(at, count, error, is_short);
        life();
        happened = atomic_load(&fault.happened);
        os_hook_set(NULL, NULL);
        check();
        end();
    }
    print_message("# %d operations, %s\n", at, strerror(error));
    assert_true(at > 100);
}

static void sweep_memory(void (*life)(void))
{
    bool happened = true;
    long at;

    mine = true;
    for (at = 0; happened; at++) {
        begin();
        fail_begin(at, 1);
        life();
        happened = fail_end();
        check();
        end();
    }
    mine = false;
    print_message("# %ld allocations\n", at);
    assert_true(at > 100);
}

static void a_file_operation_fails(void **state)
{
    (void)state;
    sweep_files(a_life, 1, EIO, false);
}

static void the_disk_is_full_for_a_while(void **state)
{
    (void)state;
    sweep_files(a_life, 3, ENOSPC, true);
}

static void a_file_operation_fails_in_a_damaged_log(void **state)
{
    (void)state;
    sweep_files(a_damaged_life, 1, EIO, false);
}

static void a_file_operation_fails_while_kafkas_logs_are_read(void **state)
{
    (void)state;
    sweep_files(kafkas_life, 1, EIO, false);
}

static void an_allocation_fails_while_kafkas_logs_are_read(void **state)
{
    (void)state;
    sweep_memory(kafkas_life);
}

static void an_allocation_fails(void **state)
{
    (void)state;
    sweep_memory(a_life);
}

static void an_allocation_fails_in_a_damaged_log(void **state)
{
    (void)state;
    sweep_memory(a_damaged_life);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_operation_fails),
        cmocka_unit_test(the_disk_is_full_for_a_while),
        cmocka_unit_test(a_file_operation_fails_in_a_damaged_log),
        cmocka_unit_test(a_file_operation_fails_while_kafkas_logs_are_read),
        cmocka_unit_test(an_allocation_fails_while_kafkas_logs_are_read),
        cmocka_unit_test(an_allocation_fails),
        cmocka_unit_test(an_allocation_fails_in_a_damaged_log),
    };

    /* the faults are ours, not the disk's */
    if (access("/dev/shm", W_OK) == 0)
        setenv("TMPDIR", "/dev/shm", 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
