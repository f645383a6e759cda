#include "log_support.h"

#include "base/bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* ---- a model that is dumber than the log: an array of batches ---- */

struct model_batch {
    int64_t base, last, first_time, step;
    size_t size;
    uint8_t fill;
};

struct model {
    struct model_batch b[4000];
    size_t n;
    int64_t start, end;
};

static void check_read(struct env *v, const struct model *m, int64_t offset, int64_t bound,
                       size_t max, int flags)
{
    struct plog_source s;
    struct kerr e;
    size_t i = 0;
    int rc = plog_read(v->log, offset, bound, max, flags, &s, &e);
    uint8_t *p;

    if (offset < m->start || offset > m->end) {
        assert_int_equal(rc, KE_RANGE);
        return;
    }
    if (rc == KE_AGAIN && (flags & PLOG_NOWAIT))
        return;
    assert_int_equal(rc, 0);
    while (i < m->n && m->b[i].last < offset)
        i++;
    if (i == m->n || m->b[i].last >= bound) {
        assert_int_equal(s.size, 0);
        plog_source_release(&s);
        return;
    }
    assert_true(s.size > 0);
    p = read_source(&s);
    /* the bytes are those of the batches from i on, up to bound */
    for (size_t at = 0; at < s.size; i++) {
        struct batch b;
        assert_true(i < m->n && m->b[i].last < bound);
        if (s.size - at < m->b[i].size) {
            assert_true(at + m->b[i].size > max);
            assert_false((flags & PLOG_WHOLE_FIRST) && at == 0);
            break;
        }
        assert_int_equal(batch_parse(slice_of(p + at, s.size - at), &b, NULL, &e), 0);
        assert_int_equal(b.base_offset, m->b[i].base);
        assert_int_equal(batch_last_offset(&b), m->b[i].last);
        assert_int_equal(b.size, m->b[i].size);
        assert_int_equal(batch_check_crc(&b, &e), 0);
        assert_int_equal(b.bytes.p[b.size - 2], m->b[i].fill);
        at += b.size;
    }
    free(p);
    plog_source_release(&s);
}

static void check_times(struct env *v, const struct model *m, int64_t ts, int64_t bound)
{
    int64_t offset, timestamp, want = -1, want_ts = -1, max = -1, max_at = -1;

    for (size_t i = 0; i < m->n; i++)
        for (int64_t o = m->b[i].base; o <= m->b[i].last; o++) {
            int64_t t = m->b[i].first_time + (o - m->b[i].base) * m->b[i].step;
            if (o < m->start || m->b[i].last >= bound)
                continue;
            if (want < 0 && t >= ts) {
                want = o;
                want_ts = t;
            }
            if (t > max) {
                max = t;
                max_at = o;
            }
        }
    assert_int_equal(plog_find_time(v->log, ts, bound, &offset, &timestamp, NULL), 0);
    assert_int_equal(offset, want);
    assert_int_equal(timestamp, want_ts);
    assert_int_equal(plog_max_time(v->log, bound, &offset, &timestamp, NULL), 0);
    assert_int_equal(offset, max_at);
    assert_int_equal(timestamp, max);
}

static void check_all(struct env *v, const struct model *m, uint64_t *seed)
{
    struct plog_ends ends;

    plog_ends(v->log, &ends);
    assert_int_equal(ends.end, m->end);
    assert_int_equal(ends.log_start, m->start);
    assert_true(ends.stable <= ends.end);
    for (int i = 0; i < 12; i++) {
        int64_t offset =
            m->start - 1 + (int64_t)(next_random(seed) % (uint64_t)(m->end - m->start + 3));
        size_t k = m->n ? next_random(seed) % m->n : 0;
        int64_t bound = m->n && next_random(seed) % 2 ? m->b[k].base : m->end;
        size_t max = next_random(seed) % 3 ? 1 + next_random(seed) % 3000 : 1 << 20;
        check_read(v, m, offset, bound, max, (int)(next_random(seed) % 4));
    }
    if (m->n)
        for (int i = 0; i < 2; i++)
            check_times(v, m, T0 + (int64_t)(next_random(seed) % 60000),
                        next_random(seed) % 2 ? m->end : m->b[next_random(seed) % m->n].base);
}

static void model_append(struct env *v, struct model *m, uint64_t *seed)
{
    struct batch_spec s = {.count = 1 + (int)(next_random(seed) % 5),
                           .value = next_random(seed) % 10 ? next_random(seed) % 200
                                                           : next_random(seed) % 3000,
                           .timestamp = T0 + (int64_t)(next_random(seed) % 50000),
                           .step = (int64_t)(next_random(seed) % 5) - 2,
                           .fill = (uint8_t)next_random(seed)};
    struct model_batch *b = &m->b[m->n];
    struct plog_append a;
    size_t n;

    if (m->n == sizeof m->b / sizeof m->b[0])
        return;
    s.value += 2;
    free(make_batch(&s, &n));
    assert_int_equal(append_spec(v->log, &s, &a, NULL), 0);
    assert_int_equal(a.base_offset, m->end);
    *b = (struct model_batch){m->end, m->end + s.count - 1, s.timestamp, s.step, n, s.fill};
    assert_int_equal(a.last_offset, b->last);
    m->end = b->last + 1;
    m->n++;
}

static void model_truncate(struct env *v, struct model *m, uint64_t *seed)
{
    int64_t to = m->start + (int64_t)(next_random(seed) % (uint64_t)(m->end - m->start + 1));

    if (next_random(seed) % 3)
        to = m->end - (int64_t)(next_random(seed) % 20);
    if (to < m->start)
        return;
    while (m->n && m->b[m->n - 1].last >= to)
        m->end = m->b[--m->n].base;
    if (m->end < m->start) /* a batch that the log's start is in */
        m->end = m->start;
    assert_int_equal(plog_truncate(v->log, to, NULL), 0);
    if (m->n == 0) {
        struct plog_ends ends;
        plog_ends(v->log, &ends);
        m->end = ends.end;
        m->start = ends.log_start;
    }
}

static void model_trim(struct env *v, struct model *m, uint64_t *seed)
{
    int64_t to = m->start + (int64_t)(next_random(seed) % 30);
    struct plog_ends ends;

    assert_int_equal(plog_flush_wait(v->log, m->end, NULL), 0);
    assert_int_equal(plog_trim(v->log, m->end + 1, NULL), KE_RANGE);
    if (to > m->end)
        return;
    assert_int_equal(plog_trim(v->log, to, NULL), 0);
    m->start = to;
    plog_ends(v->log, &ends);
    assert_int_equal(ends.log_start, to);
}

/* Which segments go by size, log_expire_test says; here, that nothing else does. */
static void model_expire(struct env *v, struct model *m, uint64_t *seed)
{
    struct plog_ends ends;
    int64_t size;

    assert_int_equal(plog_flush_wait(v->log, m->end, NULL), 0);
    plog_ends(v->log, &ends);
    size = ends.size;
    v->conf.retention_bytes = (int64_t)(next_random(seed) % (uint64_t)(2 * size + 1));
    plog_set_conf(v->log, &v->conf);
    assert_int_equal(plog_tick(v->log, (wall_ms){T0}, NULL), 0);
    plog_ends(v->log, &ends);
    assert_true(ends.log_start >= m->start);
    if (size < v->conf.retention_bytes)
        assert_int_equal(ends.log_start, m->start);
    m->start = ends.log_start;
    if (next_random(seed) % 2) /* else the files stay until another time */
        assert_int_equal(logdir_checkpoint(v->dir, NULL), 0);
    assert_int_equal(plog_sweep(v->log, NULL), 0);
    v->conf.retention_bytes = -1;
    plog_set_conf(v->log, &v->conf);
}

static void model_reopen(struct env *v, struct model *m, bool clean)
{
    struct kerr e;

    if (!clean) {
        assert_int_equal(plog_flush_wait(v->log, m->end, NULL), 0);
        assert_int_equal(logdir_checkpoint(v->dir, NULL), 0);
    }
    assert_int_equal(env_close(v, clean), clean ? 0 : 0);
    if (env_open(v, &e) < 0)
        fail_msg("%s", kerr_msg(&e));
    assert_int_equal(logdir_was_clean(v->dir), clean);
}

static void run_model(uint64_t seed, int steps)
{
    struct model *m = calloc(1, sizeof *m);
    struct env v;

    env_init(&v);
    v.conf.segment_bytes = 17000 + (int64_t)(next_random(&seed) % 20000);
    v.conf.index_interval_bytes = (int32_t)(next_random(&seed) % 800);
    if (next_random(&seed) % 3 == 0)
        v.conf.segment_index_bytes = 64;
    if (next_random(&seed) % 3 == 0)
        v.conf.flush = PLOG_FLUSH_OS;
    assert_int_equal(env_open(&v, NULL), 0);
    for (int i = 0; i < steps; i++) {
        uint64_t what = next_random(&seed) % 100;
        if (what < 85)
            model_append(&v, m, &seed);
        else if (what < 88)
            model_truncate(&v, m, &seed);
        else if (what < 92)
            model_trim(&v, m, &seed);
        else if (what < 95)
            model_reopen(&v, m, true);
        else if (what < 97)
            model_reopen(&v, m, false);
        else if (what < 98)
            model_expire(&v, m, &seed);
        else
            plog_flush_soon(v.log);
        check_all(&v, m, &seed);
    }
    env_free(&v);
    free(m);
}

static void random_steps_against_the_model(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 12; seed++)
        run_model(seed * 7919, 250);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_steps_against_the_model),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
