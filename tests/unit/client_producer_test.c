/* The producer against scripted brokers: what is acknowledged is stored, once and in order. */
#include "client_support.h"

#include "client/producer.h"
#include "wire/error.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* What the producer has said about each record, by its id, which is its mark too. */
struct fate {
    int reports; /* in how many it was */
    int err;
    bool maybe_stored;
    int16_t remote;
    int32_t partition;
    int64_t offset;
};

#define RECORDS_MAX 20000

static struct rig rig;
static struct producer *producer;
static struct client_topic *topic;
static struct peer_topic *stored;
static struct fate fates[RECORDS_MAX];
static uint64_t sent; /* records 0 to sent - 1 */
static int reports;

static void on_report(void *arg, const struct producer_report *r)
{
    struct record_iter *it;
    struct record rec;
    int32_t i = 0;

    (void)arg;
    reports++;
    assert_int_equal(record_iter_new(&it, NULL), 0);
    assert_int_equal(record_iter_begin(it, r->records, 0, NULL), 0);
    for (; record_next(it, &rec, NULL) == 1; i++) {
        uint64_t id = rig_value_id(rec.value);
        struct fate *f = &fates[id];
        assert_true(id < sent);
        assert_int_equal(producer_report_mark(r, i).line, id + 1);
        f->reports++;
        f->err = r->err;
        f->maybe_stored = r->maybe_stored;
        f->remote = r->why ? (int16_t)r->why->remote : 0;
        f->partition = r->partition;
        f->offset = r->base_offset < 0 ? -1 : r->base_offset + i;
        assert_true((r->err != 0) == (r->why != NULL));
    }
    assert_int_equal(i, r->records->count);
    record_iter_free(it);
}

static void begin(int nodes, int32_t partitions, const char *const *settings)
{
    rig_start(&rig, nodes, settings);
    stored = rig_topic(&rig, "t", partitions);
    assert_int_equal(producer_new(&producer, rig.c, on_report, NULL, NULL), 0);
    memset(fates, 0, sizeof fates);
    sent = 0;
    reports = 0;
    topic = rig_know(&rig, "t");
}

static void end(void)
{
    producer_free(producer);
    rig_stop(&rig);
}

static int try_put(int32_t partition, size_t size)
{
    static char value[1 << 20];
    struct producer_mark mark = {sent * 10, sent + 1};
    int rc = producer_send(producer, topic, partition, 1700000000000, (struct slice){NULL, 0},
                           rig_value(value, sent++, size), NULL, 0, mark, NULL);

    if (rc < 0)
        sent--;
    return rc;
}

static void put(int32_t partition, size_t size)
{
    assert_int_equal(try_put(partition, size), 0);
}

static bool is_idle(void *arg)
{
    return producer_idle(arg);
}

static void finish(void)
{
    producer_flush(producer);
    rig_until(&rig, is_idle, producer);
    for (uint64_t i = 0; i < sent; i++)
        assert_int_equal(fates[i].reports, 1);
}

/* Every record that was said to be stored is stored, once, where it was said. */
static void check_stored(void)
{
    for (uint64_t i = 0; i < sent; i++) {
        const struct fate *f = &fates[i];
        int times;
        int64_t at = rig_find(&stored->parts[f->partition], i, &times);
        assert_in_range(times, f->err == 0 ? 1 : 0, 1);
        if (f->err && !f->maybe_stored)
            assert_int_equal(times, 0);
        if (f->err == 0 && f->offset >= 0)
            assert_int_equal(f->offset, at);
    }
}

static void check_order(void)
{
    for (int32_t p = 0; p < stored->count; p++)
        for (int64_t i = 1; i < stored->parts[p].end; i++)
            if (stored->parts[p].ids[i] <= stored->parts[p].ids[i - 1])
                fail_msg("partition %d: %llu behind %llu", p,
                         (unsigned long long)stored->parts[p].ids[i],
                         (unsigned long long)stored->parts[p].ids[i - 1]);
}

static void check_all_acknowledged(void)
{
    for (uint64_t i = 0; i < sent; i++)
        if (fates[i].err)
            fail_msg("record %llu: error %d, Kafka's %d", (unsigned long long)i, fates[i].err,
                     fates[i].remote);
    check_stored();
    check_order();
}

/* ---- */

static void records_are_stored(void **state)
{
    (void)state;
    begin(3, 4, NULL);
    for (int i = 0; i < 1000; i++)
        put(i % 4, 100);
    finish();
    check_all_acknowledged();
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_are_stored),
    };

    return cmocka_run_group_tests_name("client_producer", tests, NULL, NULL);
}
