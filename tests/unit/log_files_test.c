/* More logs and segments than descriptors: what the kernel says is open stays within the bound, and
 * nobody notices. */
#include "log_support.h"

#include <dirent.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

enum { LOGS = 60, MAX = 40, AT_WORK = 4 /* of one log in use */, BATCHES = 8 };

struct many {
    struct env v;
    struct plog *log[LOGS];
    atomic_int end[LOGS];
};

static void open_dir(struct many *m)
{
    struct logdir_conf c = {.path = m->v.path,
                            .diag = &m->v.diag,
                            .pool = m->v.pool,
                            .flush_linger_ns = m->v.linger_ns,
                            .producer_expiry_ms = 86400000,
                            .max_files = MAX};
    struct uuid cluster = {{0}};

    assert_int_equal(logdir_open(&m->v.dir, &c, &cluster, NULL), 0);
}

static void begin(struct many *m, int64_t linger_ns)
{
    struct kerr e;

    memset(m, 0, sizeof *m);
    env_init(&m->v);
    m->v.linger_ns = linger_ns;
    m->v.conf.segment_bytes = 500; /* a batch or two */
    open_dir(m);
    for (int i = 0; i < LOGS; i++)
        assert_int_equal(
            logdir_create(m->v.dir, "t", i, (struct uuid){{1}}, &m->v.conf, &m->log[i], &e), 0);
}

static void end(struct many *m)
{
    for (int i = 0; i < LOGS; i++)
        if (m->log[i])
            plog_close(m->log[i], true);
    assert_int_equal(logdir_close(m->v.dir, true, NULL), 0);
    m->v.dir = NULL;
    env_free(&m->v);
}

/* Open in partitions whose names begin so, by the kernel's account. */
static int open_in(const struct many *m, const char *name)
{
    DIR *d = opendir("/proc/self/fd");
    struct dirent *entry;
    char link[300], prefix[300];
    int n = 0;

    assert_non_null(d);
    snprintf(prefix, sizeof prefix, "%s/%s", m->v.path, name);
    while ((entry = readdir(d)) != NULL) {
        ssize_t k = readlinkat(dirfd(d), entry->d_name, link, sizeof link - 1);
        if (k > 0) {
            link[k] = 0;
            n += strncmp(link, prefix, strlen(prefix)) == 0;
        }
    }
    closedir(d);
    return n;
}

static int open_now(const struct many *m)
{
    return open_in(m, "t-");
}

static void append(struct many *m, int i)
{
    struct batch_spec s = {.count = 1, .value = 200, .timestamp = T0, .fill = (uint8_t)(i + 1)};
    struct plog_append a;
    struct kerr e;

    assert_int_equal(append_spec(m->log[i], &s, &a, &e), 0);
    assert_int_equal(a.base_offset, atomic_load(&m->end[i]));
    atomic_fetch_add(&m->end[i], 1);
}

static void check_source(const struct plog_source *s, int i, int64_t offset)
{
    uint8_t *p = read_source(s);
    struct batch b;

    assert_int_equal(batch_parse(slice_of(p, s->size), &b, NULL, NULL), 0);
    assert_int_equal(b.base_offset, offset);
    assert_int_equal(batch_check_crc(&b, NULL), 0);
    assert_int_equal(b.bytes.p[b.size - 2], i + 1);
    free(p);
}

static void check_at(struct many *m, int i, int64_t offset)
{
    struct plog_source s;

    assert_int_equal(plog_read(m->log[i], offset, INT64_MAX, 4096, PLOG_WHOLE_FIRST, &s, NULL), 0);
    check_source(&s, i, offset);
    plog_source_release(&s);
}

static void appends_and_reads_stay_within(void **state)
{
    struct many m;
    uint64_t random = 1;
    int most = 0, now;

    (void)state;
    begin(&m, 2000000);
    for (int n = 0; n < LOGS * BATCHES; n++) {
        int i = n % LOGS, k = (int)(next_random(&random) % LOGS);
        append(&m, i);
        assert_int_equal(plog_flush_wait(m.log[i], m.end[i], NULL), 0);
        if (m.end[k] > 0)
            check_at(&m, k, (int64_t)(next_random(&random) % (uint64_t)m.end[k]));
        now = open_now(&m);
        most = now > most ? now : most;
    }
    if (most > MAX + AT_WORK)
        fail_msg("%d descriptors were open, %d may be", most, MAX);
    assert_true(most > MAX / 2);
    /* every segment of one log: a reader of old ones */
    for (int n = 0; n < m.end[7]; n++)
        check_at(&m, 7, n);
    assert_true(open_now(&m) <= MAX + AT_WORK);
    end(&m);
}

static void what_is_read_stays_open(void **state)
{
    struct plog_source held[BATCHES];
    struct many m;

    (void)state;
    begin(&m, 2000000);
    for (int n = 0; n < BATCHES; n++)
        append(&m, 3);
    for (int n = 0; n < BATCHES; n++)
        assert_int_equal(plog_read(m.log[3], n, INT64_MAX, 4096, PLOG_WHOLE_FIRST, &held[n], NULL),
                         0);
    for (int round = 0; round < 4; round++)
        for (int i = 0; i < LOGS; i++) {
            append(&m, i);
            assert_int_equal(plog_flush_wait(m.log[i], m.end[i], NULL), 0);
        }
    for (int n = 0; n < BATCHES; n++) {
        check_source(&held[n], 3, n);
        plog_source_release(&held[n]);
    }
    end(&m);
}

/* Uses every log but the first. */
static void use_others(struct many *m)
{
    for (int round = 0; round < 3; round++)
        for (int i = 1; i < LOGS; i++) {
            append(m, i);
            assert_int_equal(plog_flush_wait(m->log[i], m->end[i], NULL), 0);
        }
}

/* The kernel forgets that a write-back has failed when the file leaves its memory. */
static void what_is_not_synced_stays_open(void **state)
{
    struct many m;

    (void)state;
    begin(&m, INT64_C(600000000000));
    append(&m, 0);
    use_others(&m);
    assert_true(open_in(&m, "t-0/0") > 0);
    assert_int_equal(plog_flush_wait(m.log[0], m.end[0], NULL), 0);
    use_others(&m);
    assert_int_equal(open_in(&m, "t-0"), 0);
    check_at(&m, 0, 0);
    end(&m);
}

static void an_idle_log_is_deleted(void **state)
{
    struct many m;

    (void)state;
    begin(&m, 2000000);
    append(&m, 0);
    assert_int_equal(plog_flush_wait(m.log[0], 1, NULL), 0);
    use_others(&m);
    assert_int_equal(open_in(&m, "t-0"), 0);
    assert_int_equal(plog_delete(m.log[0], NULL), 0);
    m.log[0] = NULL;
    assert_true(open_now(&m) <= MAX + AT_WORK);
    end(&m);
}

/* After a clean stop everything is there: 60 logs are loaded with room for 40 descriptors. */
static void all_are_loaded_again(void **state)
{
    struct logdir_entry *list;
    struct many m;
    size_t n;

    (void)state;
    begin(&m, 2000000);
    append(&m, 0);
    use_others(&m);
    for (int i = 0; i < LOGS; i++)
        plog_close(m.log[i], true);
    assert_int_equal(logdir_close(m.v.dir, true, NULL), 0);
    open_dir(&m);
    assert_true(logdir_was_clean(m.v.dir));
    assert_int_equal(logdir_list(m.v.dir, &list, &n, NULL), 0);
    assert_int_equal(n, LOGS);
    for (size_t i = 0; i < n; i++) {
        int k = list[i].partition;
        assert_int_equal(logdir_load(m.v.dir, &list[i], &m.v.conf, &m.log[k], NULL), 0);
        assert_true(open_now(&m) <= MAX + AT_WORK);
    }
    free(list);
    for (int i = 0; i < LOGS; i++)
        for (int k = 0; k < m.end[i]; k++)
            check_at(&m, i, k);
    end(&m);
}

struct worker {
    pthread_t thread;
    struct many *m;
    int number;
};

/* Appends to logs of its own, reads and searches all. */
static void *work(void *arg)
{
    struct worker *w = arg;
    uint64_t random = (uint64_t)w->number;
    int64_t offset, timestamp;

    for (int n = 0; n < 600; n++) {
        int i = (int)(next_random(&random) % LOGS / 3) * 3 + w->number;
        int k = (int)(next_random(&random) % LOGS);
        append(w->m, i);
        if (atomic_load(&w->m->end[k]) > 0) {
            check_at(w->m, k, 0);
            assert_int_equal(plog_find_time(w->m->log[k], T0, INT64_MAX, &offset, &timestamp, NULL),
                             0);
            assert_int_equal(offset, 0);
        }
        if (n % 50 == 0)
            assert_int_equal(plog_tick(w->m->log[k], (wall_ms){T0}, NULL), 0);
    }
    return NULL;
}

static void threads_do_not_take_each_others(void **state)
{
    struct worker w[3];
    struct many m;

    (void)state;
    begin(&m, 2000000);
    for (int i = 0; i < 3; i++) {
        w[i] = (struct worker){.m = &m, .number = i};
        assert_int_equal(pthread_create(&w[i].thread, NULL, work, &w[i]), 0);
    }
    for (int i = 0; i < 3; i++)
        pthread_join(w[i].thread, NULL);
    for (int i = 0; i < LOGS; i++)
        for (int k = 0; k < m.end[i]; k++)
            check_at(&m, i, k);
    end(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(appends_and_reads_stay_within),
        cmocka_unit_test(what_is_read_stays_open),
        cmocka_unit_test(what_is_not_synced_stays_open),
        cmocka_unit_test(an_idle_log_is_deleted),
        cmocka_unit_test(all_are_loaded_again),
        cmocka_unit_test(threads_do_not_take_each_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
