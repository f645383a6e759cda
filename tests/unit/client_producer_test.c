/* The producer against scripted brokers: what is acknowledged is stored, once and in order. */
#include "client_support.h"

#include "client/partitioner.h"
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
            break;
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

/* ---- the plain path ---- */

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

static void a_batch_goes_when_it_is_full_or_old(void **state)
{
    static const char *const settings[] = {"batch.size", "1000", "linger.ms", "50", NULL};

    (void)state;
    begin(1, 1, settings);
    put(0, 100);
    rig_pass(&rig, 49);
    assert_int_equal(stored->parts[0].end, 0);
    rig_pass(&rig, 2);
    assert_int_equal(stored->parts[0].end, 1);
    for (int i = 0; i < 11; i++)
        put(0, 100);
    rig_settle(&rig);
    assert_in_range(stored->parts[0].end, 8, 11); /* what did not fit waits */
    assert_int_equal(stored->parts[0].batch_count, 2);
    rig_pass(&rig, 51);
    assert_int_equal(stored->parts[0].end, 12);
    finish();
    check_all_acknowledged();
    end();
}

static void flush_does_not_wait_for_linger(void **state)
{
    static const char *const settings[] = {"linger.ms", "1000000", NULL};
    int64_t before;

    (void)state;
    begin(1, 2, settings);
    put(0, 10);
    put(1, 10);
    before = rig.ns;
    finish();
    assert_in_range(rig.ns - before, 0, 1000000);
    check_all_acknowledged();
    end();
}

static void a_record_is_copied_with_all_its_parts(void **state)
{
    static const struct header headers[] = {{{(const uint8_t *)"h", 1}, {NULL, 0}},
                                            {{(const uint8_t *)"", 0}, {(const uint8_t *)"v", 1}}};
    char value[64];

    (void)state;
    begin(1, 1, NULL);
    sent = 1;
    assert_int_equal(producer_send(producer, topic, -1, 1234, slice_str("key"),
                                   rig_value(value, 0, 20), headers, 2,
                                   (struct producer_mark){0, 1}, NULL),
                     0);
    memset(value, 'z', sizeof value);
    finish();
    check_all_acknowledged();
    end();
}

static void keys_decide_where_records_go(void **state)
{
    char value[64];

    (void)state;
    begin(1, 5, NULL);
    for (int i = 0; i < 100; i++) {
        char key[8];
        snprintf(key, sizeof key, "k%d", i % 10);
        sent++;
        assert_int_equal(producer_send(producer, topic, -1, 1, slice_str(key),
                                       rig_value(value, (uint64_t)i, 0), NULL, 0,
                                       (struct producer_mark){(uint64_t)i, (uint64_t)i + 1}, NULL),
                         0);
    }
    finish();
    check_all_acknowledged();
    for (int i = 0; i < 100; i++) {
        char key[8];
        snprintf(key, sizeof key, "k%d", i % 10);
        assert_int_equal(fates[i].partition, partition_for_key(slice_str(key), 5));
    }
    end();
}

/* A batch's worth to each partition, and none to one without a leader. */
static void records_without_a_key_are_spread(void **state)
{
    static const char *const settings[] = {"batch.size", "500", NULL};
    int used = 0;

    (void)state;
    rig_start(&rig, 1, settings);
    stored = rig_topic(&rig, "t", 4);
    stored->parts[2].leader = -1;
    assert_int_equal(producer_new(&producer, rig.c, on_report, NULL, NULL), 0);
    memset(fates, 0, sizeof fates);
    sent = 0;
    topic = rig_know(&rig, "t");
    for (int i = 0; i < 400; i++)
        put(-1, 50);
    finish();
    check_all_acknowledged();
    for (int32_t p = 0; p < 4; p++) {
        used += stored->parts[p].end > 0;
        if (stored->parts[p].end)
            assert_true(stored->parts[p].end / stored->parts[p].batch_count >= 4);
    }
    assert_int_equal(stored->parts[2].end, 0);
    assert_int_equal(used, 3);
    end();
}

static void buffer_memory_is_a_limit(void **state)
{
    static const char *const settings[] = {"buffer.memory", "65536", "batch.size", "4096", NULL};
    int rc;

    (void)state;
    begin(1, 1, settings);
    rig_move_leader(stored, 0, -1);
    rig_node_down(&rig, 0);
    while ((rc = try_put(0, 1000)) == 0)
        assert_true(sent < 80);
    assert_int_equal(rc, KE_AGAIN);
    assert_true(sent > 50);
    assert_int_equal(try_put(0, 1), KE_AGAIN);
    rig_move_leader(stored, 0, 0);
    rig_node_up(&rig, 0);
    finish();
    put(0, 1000);
    finish();
    check_all_acknowledged();
    end();
}

static void what_cannot_be_taken_is_said_at_once(void **state)
{
    static const char *const settings[] = {"max.request.size", "2000", NULL};
    struct kerr e = {0};

    (void)state;
    begin(1, 2, settings);
    put(0, 10);
    assert_int_equal(try_put(0, 2000), KE_TOOBIG);
    assert_int_equal(try_put(2, 10), KE_INVALID);
    assert_int_equal(producer_send(producer, topic, 7, 0, slice_str(""), slice_str(""), NULL, 0,
                                   (struct producer_mark){0, 0}, &e),
                     KE_INVALID);
    assert_string_equal(kerr_msg(&e), "topic t has no partition 7, but 2 of them");
    put(1, 10); /* the stream goes on */
    finish();
    check_all_acknowledged();
    end();
}

static void the_oldest_mark_is_told(void **state)
{
    struct producer_mark m;

    (void)state;
    begin(1, 2, NULL);
    assert_false(producer_oldest(producer, &m));
    rig_move_leader(stored, 0, -1);
    put(0, 10);
    put(1, 10);
    assert_true(producer_oldest(producer, &m));
    assert_int_equal(m.line, 1);
    finish();
    assert_false(producer_oldest(producer, &m));
    end();
}

static void codecs(void **state)
{
    static const char *const names[] = {"gzip", "snappy", "lz4", "zstd"};

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *const settings[] = {"compression.type", names[i], "batch.size", "2000", NULL};
        begin(1, 2, settings);
        for (int k = 0; k < 100; k++)
            put(k % 2, 100);
        finish();
        check_all_acknowledged();
        end();
    }
}

/* ---- one thing goes wrong ---- */

/* The first `count` batches from the `from`-th on meet this verdict. */
struct plan {
    int from, count;
    struct peer_verdict v;
    int seen;
};

static struct peer_verdict planned(struct rig *r, struct peer_call *q, struct peer_topic *t,
                                   int32_t partition, struct slice batch)
{
    struct plan *p = r->arg;
    int n = p->seen++;

    (void)q;
    (void)t;
    (void)partition;
    (void)batch;
    return n >= p->from && n < p->from + p->count ? p->v : (struct peer_verdict){.store = true};
}

/* 400 records in small batches, in one partition. */
static void run_plan(struct plan *p, const char *const *settings)
{
    static const char *const small[] = {"batch.size", "400", NULL};

    begin(1, 1, settings ? settings : small);
    rig.on_batch = planned;
    rig.arg = p;
    for (int i = 0; i < 100; i++)
        put(0, 50);
    finish();
}

static void a_lost_answer_is_no_second_record(void **state)
{
    for (int from = 0; from < 8; from++) {
        struct plan p = {.from = from, .count = 1, .v = {.store = true, .cut = true}};
        (void)state;
        run_plan(&p, NULL);
        check_all_acknowledged();
        end();
    }
}

static void a_lost_request_is_sent_again(void **state)
{
    for (int from = 0; from < 8; from++) {
        struct plan p = {.from = from, .count = 3, .v = {.cut = true}};
        (void)state;
        run_plan(&p, NULL);
        check_all_acknowledged();
        end();
    }
}

/* Records may come twice, but none for the first time behind a later one. */
static void check_first_order(void)
{
    for (int32_t p = 0; p < stored->count; p++) {
        uint64_t next = 0;
        for (int64_t i = 0; i < stored->parts[p].end; i++) {
            int times;
            uint64_t id = stored->parts[p].ids[i];
            if (id < next && rig_find(&stored->parts[p], id, &times) >= 0 && times < 2)
                fail_msg("partition %d: %llu behind %llu", p, (unsigned long long)id,
                         (unsigned long long)next - 1);
            next = id >= next ? id + 1 : next;
        }
    }
}

/* Without idempotence, too, a connection lost with several batches under way keeps their order. */
static void a_lost_connection_keeps_the_order(void **state)
{
    static const char *const settings[] = {"batch.size", "400", "acks", "1", NULL};

    (void)state;
    for (int from = 0; from < 16; from++) {
        struct plan p = {.from = from, .count = 1, .v = {.cut = true}};
        begin(1, 3, settings);
        rig.on_batch = planned;
        rig.arg = &p;
        for (int i = 0; i < 300; i++)
            put(i % 3, 50);
        finish();
        check_honest(false);
        check_first_order();
        assert_false(producer_failed(producer, NULL, NULL));
        end();
    }
}

static void no_answer_is_not_waited_for_for_ever(void **state)
{
    struct plan p = {.from = 2, .count = 1, .v = {.store = true, .delay_ms = 1000000}};

    (void)state;
    run_plan(&p, NULL);
    check_all_acknowledged();
    assert_in_range(rig.ns / 1000000, 31000, 33000); /* request.timeout.ms */
    assert_int_equal(rig.node[0].accepted, 2);
    end();
}

static void errors_that_pass_are_tried_again(void **state)
{
    static const int16_t codes[] = {2, 3, 5, 6, 7, 13, 14, 15, 19, 20, 56, 74, 75, 100};

    (void)state;
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
        for (int from = 0; from < 7; from += 3) {
            struct plan p = {.from = from, .count = 2, .v = {.error = codes[i]}};
            run_plan(&p, NULL);
            check_all_acknowledged();
            end();
        }
}

/* The record at the place of the failure, and those behind it, are not there; all before it are. */
static void check_ended_at(uint64_t first_failed, int16_t code)
{
    struct producer_mark at;
    struct kerr why;

    assert_true(producer_failed(producer, &why, &at));
    assert_int_equal(why.remote, code);
    assert_int_equal(at.line, first_failed + 1);
    check_stored();
    check_order();
    for (uint64_t i = 0; i < sent; i++) {
        if (i < first_failed)
            assert_int_equal(fates[i].err, 0);
        else
            assert_int_not_equal(fates[i].err, 0);
    }
}

static void errors_that_stay_end_the_stream(void **state)
{
    static const int16_t codes[] = {17, 22, 29, 44, 47, 42, 76};

    (void)state;
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        struct plan p = {.from = 3, .count = 1, .v = {.error = codes[i]}};
        uint64_t first = 0;
        run_plan(&p, NULL);
        while (fates[first].err == 0)
            first++;
        assert_in_range(first, 10, 40);
        check_ended_at(first, codes[i]);
        assert_int_equal(try_put(0, 1), KE_CLOSED);
        end();
    }
}

static void an_unknown_error_leaves_the_outcome_open(void **state)
{
    struct plan p = {.from = 3, .count = 1, .v = {.error = -1, .store = true}};
    uint64_t first = 0;

    (void)state;
    run_plan(&p, NULL);
    while (fates[first].err == 0)
        first++;
    assert_true(fates[first].maybe_stored);
    check_stored();
    end();
}

static void one_refused_record_is_found(void **state)
{
    static const char *const settings[] = {"batch.size", "4000", NULL};

    (void)state;
    for (uint64_t poison = 0; poison < 100; poison += 9) {
        struct wreck x = {.w = {.dice = 1, .calm = true}, .poison = poison};
        begin(1, 1, settings);
        rig.on_batch = wrecking;
        rig.arg = &x;
        for (int i = 0; i < 100; i++)
            put(0, 50);
        finish();
        check_ended_at(poison, KAFKA_INVALID_RECORD);
        end();
    }
}

static void too_large_a_batch_is_sent_in_parts(void **state)
{
    static const char *const settings[] = {"batch.size", "8000", NULL};

    (void)state;
    begin(1, 2, settings);
    rig.max_batch = 500;
    for (int i = 0; i < 300; i++)
        put(i % 2, 80);
    finish();
    check_all_acknowledged();
    put(0, 80);
    put(0, 600); /* this one can't be halved */
    put(0, 80);
    finish();
    check_ended_at(301, KAFKA_MESSAGE_TOO_LARGE);
    end();
}

static void a_forgotten_duplicate_counts_as_stored(void **state)
{
    struct plan p = {.from = 2, .count = 1, .v = {.store = true, .error = 46}};

    (void)state;
    run_plan(&p, NULL);
    check_all_acknowledged();
    end();
}

/* A leader that has lost the end of the log refuses what follows: told, and gone on with; whatever
 * becomes of those under way behind the refused one. */
static void lose_records(int cut)
{
    static const char *const settings[] = {"batch.size", "400", NULL};
    struct plan p = {.from = cut, .count = 1, .v = {.cut = true}};

    begin(1, 2, settings);
    rig.keep_messages = true;
    for (int i = 0; i < 100; i++)
        put(i % 2, 50);
    finish();
    check_all_acknowledged();
    assert_true(stored->parts[0].batch_count > 3);
    stored->parts[0].batch_count -= 2;
    stored->parts[0].end = stored->parts[0].batches[stored->parts[0].batch_count].base_offset;
    rig.on_batch = planned;
    rig.arg = &p;
    for (int i = 0; i < 100; i++)
        put(0, 50);
    finish();
    assert_non_null(strstr(buf_cstr(&rig.messages), "acknowledged records may have been lost"));
    for (uint64_t i = 0; i < sent; i++)
        assert_int_equal(fates[i].err, 0);
    for (uint64_t i = 100; i < 200; i++) {
        int times;
        rig_find(&stored->parts[0], i, &times);
        assert_int_equal(times, 1);
    }
    check_order();
    end();
}

static void lost_records_are_told(void **state)
{
    (void)state;
    for (int cut = 0; cut < 12; cut++)
        lose_records(cut);
}

static void a_leader_may_move(void **state)
{
    static const char *const settings[] = {"batch.size", "400", NULL};

    (void)state;
    begin(3, 1, settings);
    for (int round = 0; round < 12; round++) {
        for (int i = 0; i < 30; i++)
            put(0, 50);
        rig_settle(&rig);
        rig_move_leader(stored, 0, round % 4 == 3 ? -1 : round % 3);
        rig_step(&rig);
    }
    rig_move_leader(stored, 0, 2);
    finish();
    check_all_acknowledged();
    end();
}

static void nobody_there_ends_in_time(void **state)
{
    static const char *const settings[] = {"delivery.timeout.ms", "5000", NULL};
    struct producer_mark at;
    struct kerr why;

    (void)state;
    begin(1, 1, settings);
    rig_node_down(&rig, 0);
    put(0, 10);
    finish();
    assert_int_equal(fates[0].err, KE_TIMEOUT);
    assert_false(fates[0].maybe_stored);
    assert_true(producer_failed(producer, &why, &at));
    assert_non_null(strstr(kerr_msg(&why), "not acknowledged in 5000 ms"));
    assert_in_range(rig.ns / 1000000, 6000, 6100);
    end();
}

static void what_timed_out_may_be_stored(void **state)
{
    static const char *const settings[] = {"delivery.timeout.ms", "5000", "request.timeout.ms",
                                           "2000", NULL};
    struct plan p = {.count = 1000, .v = {.store = true, .cut = true}};

    (void)state;
    run_plan(&p, settings);
    assert_int_equal(fates[0].err, KE_TIMEOUT);
    assert_true(fates[0].maybe_stored);
    check_stored();
    end();
}

static void retries_are_counted(void **state)
{
    static const char *const settings[] = {"retries", "2", "batch.size", "400", NULL};
    struct plan p = {.from = 0, .count = 2, .v = {.error = KAFKA_NOT_ENOUGH_REPLICAS}};
    struct kerr why;

    (void)state;
    run_plan(&p, settings);
    check_all_acknowledged();
    end();
    p = (struct plan){.from = 0, .count = 3, .v = {.error = KAFKA_NOT_ENOUGH_REPLICAS}};
    run_plan(&p, settings);
    assert_true(producer_failed(producer, &why, NULL));
    assert_int_equal(why.remote, KAFKA_NOT_ENOUGH_REPLICAS);
    assert_int_equal(stored->parts[0].end, 0);
    end();
}

static void stop_waits_for_what_is_under_way(void **state)
{
    struct plan p = {.count = 1000, .v = {.store = true, .delay_ms = 500}};

    (void)state;
    begin(1, 2, NULL);
    rig.on_batch = planned;
    rig.arg = &p;
    put(0, 10);
    rig_pass(&rig, 10);
    put(1, 10);
    producer_stop(producer);
    assert_int_equal(fates[0].reports, 0);
    assert_int_equal(fates[1].reports, 1);
    assert_int_equal(fates[1].err, KE_CLOSED);
    assert_false(fates[1].maybe_stored);
    assert_int_equal(try_put(0, 10), KE_CLOSED);
    finish();
    assert_int_equal(fates[0].err, 0);
    assert_false(producer_failed(producer, NULL, NULL));
    check_stored();
    end();
}

/* ---- acks ---- */

static void acks_0_is_sent_and_reported(void **state)
{
    static const char *const settings[] = {"acks", "0", "batch.size", "400", NULL};

    (void)state;
    begin(1, 2, settings);
    for (int i = 0; i < 200; i++)
        put(i % 2, 50);
    finish();
    for (uint64_t i = 0; i < sent; i++) {
        assert_int_equal(fates[i].err, 0);
        assert_int_equal(fates[i].offset, -1);
    }
    rig_settle(&rig);
    assert_int_equal(stored->parts[0].end + stored->parts[1].end, 200);
    check_order();
    assert_int_equal(rig.asked[API_INIT_PRODUCER_ID], 0);
    end();
}

static void acks_1_needs_no_producer_id(void **state)
{
    static const char *const settings[] = {"acks", "1", NULL};

    (void)state;
    begin(1, 1, settings);
    put(0, 50);
    finish();
    check_all_acknowledged();
    assert_int_equal(rig.asked[API_INIT_PRODUCER_ID], 0);
    assert_int_equal(stored->parts[0].batches[0].producer_id, -1);
    assert_int_equal(stored->parts[0].batches[0].sequence, -1);
    end();
}

int main(int argc, char **argv)
{
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_record_once_and_in_order),
        cmocka_unit_test(nothing_is_claimed_that_is_not_so),
        cmocka_unit_test(nor_without_idempotence),
        cmocka_unit_test(records_are_stored),
        cmocka_unit_test(a_batch_goes_when_it_is_full_or_old),
        cmocka_unit_test(flush_does_not_wait_for_linger),
        cmocka_unit_test(a_record_is_copied_with_all_its_parts),
        cmocka_unit_test(keys_decide_where_records_go),
        cmocka_unit_test(records_without_a_key_are_spread),
        cmocka_unit_test(buffer_memory_is_a_limit),
        cmocka_unit_test(what_cannot_be_taken_is_said_at_once),
        cmocka_unit_test(the_oldest_mark_is_told),
        cmocka_unit_test(codecs),
        cmocka_unit_test(a_lost_answer_is_no_second_record),
        cmocka_unit_test(a_lost_request_is_sent_again),
        cmocka_unit_test(a_lost_connection_keeps_the_order),
        cmocka_unit_test(no_answer_is_not_waited_for_for_ever),
        cmocka_unit_test(errors_that_pass_are_tried_again),
        cmocka_unit_test(errors_that_stay_end_the_stream),
        cmocka_unit_test(an_unknown_error_leaves_the_outcome_open),
        cmocka_unit_test(one_refused_record_is_found),
        cmocka_unit_test(too_large_a_batch_is_sent_in_parts),
        cmocka_unit_test(a_forgotten_duplicate_counts_as_stored),
        cmocka_unit_test(lost_records_are_told),
        cmocka_unit_test(a_leader_may_move),
        cmocka_unit_test(nobody_there_ends_in_time),
        cmocka_unit_test(what_timed_out_may_be_stored),
        cmocka_unit_test(retries_are_counted),
        cmocka_unit_test(stop_waits_for_what_is_under_way),
        cmocka_unit_test(acks_0_is_sent_and_reported),
        cmocka_unit_test(acks_1_needs_no_producer_id),
    };

    return cmocka_run_group_tests_name("client_producer", tests, NULL, NULL);
}
