/* The producer against scripted brokers: what is acknowledged is stored, once and in order. */
#include "client_support.h"

#include "client/producer.h"
#include "record/batch.h"
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
static bool stopped; /* by producer_stop() */

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
    rig_tell(&rig, "  report: %s-%d, records %llu to %llu: %d (%s)%s", r->topic->name, r->partition,
             (unsigned long long)r->first.line - 1,
             (unsigned long long)producer_report_mark(r, i - 1).line - 1, r->err,
             r->why ? kerr_msg(r->why) : "acknowledged", r->maybe_stored ? ", maybe stored" : "");
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

/* ---- hundreds of interleavings ---- */

struct weather {
    uint64_t dice;
    int bad;    /* of 100 batches, how many meet something */
    bool moves; /* leaders do */
    bool calm;  /* nothing bad any more */
};

static bool one_in(struct weather *w, uint32_t n)
{
    return rig_random(&w->dice) % n == 0;
}

static struct peer_verdict rough(struct rig *r, struct peer_call *q, struct peer_topic *t,
                                 int32_t partition, struct slice batch)
{
    /* none of these says that the batch is stored, or that it is not */
    static const int16_t ambiguous[] = {KAFKA_REQUEST_TIMED_OUT,
                                        KAFKA_NOT_ENOUGH_REPLICAS_AFTER_APPEND};
    static const int16_t refusals[] = {
        KAFKA_NOT_LEADER_OR_FOLLOWER, KAFKA_UNKNOWN_TOPIC_OR_PARTITION, KAFKA_NOT_ENOUGH_REPLICAS,
        KAFKA_KAFKA_STORAGE_ERROR,    KAFKA_LEADER_NOT_AVAILABLE,       KAFKA_CORRUPT_MESSAGE};
    struct weather *w = r->arg;
    struct peer_verdict v = {.store = true};

    (void)q;
    (void)batch;
    if (w->calm)
        return v;
    if (one_in(w, 3))
        v.delay_ms = (int64_t)(rig_random(&w->dice) % 40);
    if (rig_random(&w->dice) % 100 >= (uint64_t)w->bad)
        return v;
    switch (rig_random(&w->dice) % 6) {
    case 0:
        v.cut = true;
        break;
    case 1:
        v.cut = true;
        v.store = false;
        break;
    case 2:
        v.error = ambiguous[rig_random(&w->dice) % 2];
        v.store = one_in(w, 2);
        break;
    case 3:
        v.delay_ms = 1500; /* over request.timeout.ms */
        break;
    case 4:
        if (w->moves) {
            rig_move_leader(t, partition, (int)(rig_random(&w->dice) % (uint64_t)r->nodes));
            v.store = false;
            v.error = KAFKA_NOT_LEADER_OR_FOLLOWER;
            break;
        }
        /* fall through */
    default:
        v.store = false;
        v.error = refusals[rig_random(&w->dice) % (sizeof refusals / sizeof refusals[0])];
    }
    return v;
}

static void sail(struct weather *w, int32_t partitions, int records)
{
    for (int i = 0; i < records; i++) {
        size_t size = 1 + rig_random(&w->dice) % 120;
        int rc;
        while ((rc = try_put((int32_t)(rig_random(&w->dice) % (uint64_t)partitions), size)) ==
               KE_AGAIN)
            assert_true(rig_step(&rig));
        if (rc == KE_CLOSED)
            return;
        assert_int_equal(rc, 0);
        if (one_in(w, 8))
            rig_settle(&rig);
        if (one_in(w, 30))
            rig_step(&rig);
        if (one_in(w, 50))
            producer_flush(producer);
        if (w->moves && one_in(w, 60))
            rig_node_down(&rig, (int)(rig_random(&w->dice) % (uint64_t)rig.nodes));
        for (int n = 0; n < rig.nodes; n++)
            if (rig.node[n].fd < 0 && one_in(w, 10))
                rig_node_up(&rig, n);
    }
    for (int n = 0; n < rig.nodes; n++)
        if (rig.node[n].fd < 0)
            rig_node_up(&rig, n);
}

static const char *const rough_settings[] = {"batch.size",
                                             "400",
                                             "linger.ms",
                                             "5",
                                             "request.timeout.ms",
                                             "1000",
                                             "retry.backoff.ms",
                                             "10",
                                             "delivery.timeout.ms",
                                             "100000000",
                                             NULL};

/* SEED=n: that one alone, SEEDS=n: so many; CLIENT_DIAG=1 tells what happens. */
static void voyages(void (*voyage)(uint64_t seed))
{
    const char *one = getenv("SEED"), *many = getenv("SEEDS");
    uint64_t n = many ? strtoull(many, NULL, 10) : 300;

    for (uint64_t seed = one ? strtoull(one, NULL, 10) : 1; seed <= n; seed++) {
        print_message("# seed %llu\n", (unsigned long long)seed);
        voyage(seed);
        if (one)
            break;
    }
}

static void voyage(uint64_t seed)
{
    struct weather w = {.dice = seed};
    int nodes = 1 + (int)(rig_random(&w.dice) % 3);
    int32_t partitions = 1 + (int32_t)(rig_random(&w.dice) % 4);

    begin(nodes, partitions, rough_settings);
    w.bad = (int)(rig_random(&w.dice) % 40);
    w.moves = nodes > 1 && one_in(&w, 2);
    rig.on_batch = rough;
    rig.arg = &w;
    sail(&w, partitions, 400);
    if (one_in(&w, 2))
        w.calm = true;
    finish();
    check_all_acknowledged();
    end();
}

static void every_record_once_and_in_order(void **state)
{
    (void)state;
    voyages(voyage);
}

/* ---- with failures that end the stream ---- */

struct wreck {
    struct weather w; /* first: rough() looks at it */
    uint64_t poison;  /* a record that is refused; UINT64_MAX: none */
    int fatal;        /* of 1000 batches, how many meet an error for good */
};

static bool holds_record(struct slice bytes, uint64_t id)
{
    struct record_iter *it;
    struct batch b;
    struct record rec;
    bool found = false;

    assert_int_equal(batch_parse(bytes, &b, NULL, NULL), 0);
    assert_int_equal(record_iter_new(&it, NULL), 0);
    assert_int_equal(record_iter_begin(it, &b, 0, NULL), 0);
    while (record_next(it, &rec, NULL) == 1)
        found |= rig_value_id(rec.value) == id;
    record_iter_free(it);
    return found;
}

static struct peer_verdict wrecking(struct rig *r, struct peer_call *q, struct peer_topic *t,
                                    int32_t partition, struct slice batch)
{
    static const int16_t fatal[] = {KAFKA_TOPIC_AUTHORIZATION_FAILED, KAFKA_INVALID_PRODUCER_EPOCH,
                                    KAFKA_UNKNOWN_SERVER_ERROR, KAFKA_POLICY_VIOLATION};
    struct wreck *x = r->arg;
    struct peer_verdict v = {0};

    if (holds_record(batch, x->poison))
        v.error = KAFKA_INVALID_RECORD;
    else if (rig_random(&x->w.dice) % 1000 < (uint64_t)x->fatal)
        v.error = fatal[rig_random(&x->w.dice) % 4];
    else
        return rough(r, q, t, partition, batch);
    v.store = v.error == KAFKA_UNKNOWN_SERVER_ERROR && one_in(&x->w, 2);
    return v;
}

static void check_honest(bool once)
{
    for (uint64_t i = 0; i < sent; i++) {
        const struct fate *f = &fates[i];
        int times;
        int64_t at = rig_find(&stored->parts[f->partition], i, &times);
        if (f->err == 0 && times == 0)
            fail_msg("record %llu is acknowledged but not stored", (unsigned long long)i);
        if (f->err && !f->maybe_stored && times > 0)
            fail_msg("record %llu is stored but said not to be", (unsigned long long)i);
        if (once && times > 1)
            fail_msg("record %llu is stored %d times", (unsigned long long)i, times);
        if (once && f->err == 0 && f->offset >= 0)
            assert_int_equal(f->offset, at);
    }
}

/* All before the place of the failure is there; the record at that place is not known to be. */
static void check_failure(void)
{
    struct producer_mark at;
    struct kerr why = {0};
    bool failed = producer_failed(producer, &why, &at);

    for (uint64_t i = 0; i < sent; i++) {
        if (fates[i].err && !failed && !stopped)
            fail_msg("record %llu failed, the stream did not", (unsigned long long)i);
        if (failed && i + 1 < at.line && fates[i].err && !stopped)
            fail_msg("record %llu failed, the stream only at %llu", (unsigned long long)i,
                     (unsigned long long)at.line - 1);
    }
    if (!failed)
        return;
    assert_int_not_equal(why.code, 0);
    assert_int_not_equal(fates[at.line - 1].err, 0);
}

static const char *pick(struct wreck *x, const char *a, const char *b, const char *c)
{
    uint64_t n = rig_random(&x->w.dice) % 3;

    return n == 0 ? a : n == 1 ? b : c;
}

static void wreck(uint64_t seed, const char *acks)
{
    struct wreck x = {.w = {.dice = seed}};
    int nodes = 1 + (int)(rig_random(&x.w.dice) % 3);
    int32_t partitions = 1 + (int32_t)(rig_random(&x.w.dice) % 4);
    const char *const settings[] = {"batch.size",
                                    pick(&x, "400", "100", "1500"),
                                    "linger.ms",
                                    pick(&x, "0", "5", "20"),
                                    "request.timeout.ms",
                                    "1000",
                                    "retry.backoff.ms",
                                    "10",
                                    "buffer.memory",
                                    "65536",
                                    "delivery.timeout.ms",
                                    pick(&x, "2000", "6000", "100000000"),
                                    "retries",
                                    pick(&x, "0", "2", "1000000"),
                                    "compression.type",
                                    pick(&x, "none", "lz4", "zstd"),
                                    "acks",
                                    acks,
                                    NULL};

    begin(nodes, partitions, settings);
    x.w.bad = (int)(rig_random(&x.w.dice) % 20);
    x.w.moves = nodes > 1 && one_in(&x.w, 2);
    x.fatal = one_in(&x.w, 2) ? 20 : 0;
    x.poison = one_in(&x.w, 2) ? rig_random(&x.w.dice) % 400 : UINT64_MAX;
    rig.on_batch = wrecking;
    rig.arg = &x;
    sail(&x.w, partitions, 400);
    stopped = one_in(&x.w, 10);
    if (stopped)
        producer_stop(producer);
    finish();
}

static void wreck_all(uint64_t seed)
{
    wreck(seed, "all");
    check_honest(true);
    check_order();
    check_failure();
    end();
}

static void wreck_one(uint64_t seed)
{
    wreck(seed, "1");
    check_honest(false);
    check_failure();
    end();
}

static void nothing_is_claimed_that_is_not_so(void **state)
{
    (void)state;
    voyages(wreck_all);
}

static void nor_without_idempotence(void **state)
{
    (void)state;
    voyages(wreck_one);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_are_stored),
        cmocka_unit_test(every_record_once_and_in_order),
        cmocka_unit_test(nothing_is_claimed_that_is_not_so),
        cmocka_unit_test(nor_without_idempotence),
    };

    return cmocka_run_group_tests_name("client_producer", tests, NULL, NULL);
}
