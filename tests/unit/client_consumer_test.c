/*
 * The consumer against scripted brokers. What a partition holds is made here batch by batch, and
 * what should come out of it is known from that, not from the consumer.
 */
#include "client_support.h"

#include "base/bytes.h"
#include "client/consumer.h"
#include "record/control.h"
#include "wire/error.h"
#include "wire/fetch_request.h"
#include "wire/fetch_response.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define PARTS 4
#define GOT   100000

/* A partition as the brokers have it. */
struct shelf {
    struct buf bytes; /* batches */
    int64_t start, end;
    int16_t error; /* answered in place of records, */
    int errors;    /* so often */
    struct fetch_response_aborted_transaction aborted[8];
    int32_t aborted_count;
    bool whole; /* batches are never cut */
};

static struct rig rig;
static struct consumer *consumer;
static struct client_topic *topic;
static struct peer_topic *peer;
static struct shelf shelves[PARTS];
static int fetches;        /* seen */
static int16_t version;    /* of the last one */
static bool committed;     /* its isolation level */
static int32_t fetched_by; /* the node that got it */
static struct peer_call *parked;
static void (*meddle)(struct fetch_response *m); /* before an answer is encoded */

static struct {
    int32_t partition;
    int64_t offset;
    uint64_t id;
} got[GOT];
static int got_n;
static struct kerr failure;
static struct consumer_batch failed;
static int failures;

/* ---- batches ---- */

struct made {
    int count;
    int64_t base, step; /* offsets: base, base + step, ... */
    int64_t producer_id;
    uint16_t attributes;
    int32_t last_delta; /* 0: of the last record */
    size_t size;        /* of each value */
    int16_t marker;     /* with BATCH_CONTROL */
};

static void fix_crc(uint8_t *p, size_t n)
{
    struct batch b;

    assert_int_equal(batch_parse(slice_of(p, n), &b, NULL, NULL), 0);
    put_be32(p + 17, batch_crc(&b));
}

/* The id of a record is its offset. */
static void shelve(int32_t part, struct made d)
{
    struct shelf *s = &shelves[part];
    struct batch_builder w = {0};
    struct batch_fields f = {.level = CODEC_LEVEL_DEFAULT,
                             .attributes = d.attributes,
                             .base_offset = d.base,
                             .producer_id = d.attributes ? d.producer_id : -1,
                             .producer_epoch = d.attributes ? 0 : -1,
                             .base_sequence = -1};
    static char value[1 << 20];
    uint8_t key[4] = {0};
    struct slice out;
    struct batch b;
    size_t at = s->bytes.n;

    batch_start(&w);
    for (int i = 0; i < (d.count ? d.count : 1); i++) {
        uint64_t id = (uint64_t)(d.base + i * (d.step ? d.step : 1));
        struct slice v = rig_value(value, id, d.size ? d.size : 20);
        put_be16(key + 2, (uint16_t)d.marker);
        assert_true(
            batch_add(&w, 1700000000000, slice_of(key, d.attributes & BATCH_CONTROL ? 4 : 0),
                      d.attributes & BATCH_CONTROL ? slice_of("\0\0\0\0\0\0", 6) : v, NULL, 0));
    }
    assert_int_equal(batch_finish(&w, &f, &out, NULL), 0);
    buf_put_slice(&s->bytes, d.count ? out : slice_of(out.p, BATCH_HEADER));
    batch_builder_free(&w);
    if (d.count == 0) { /* as compaction leaves it */
        put_be32(s->bytes.p + at + 8, (uint32_t)(BATCH_HEADER - BATCH_PREFIX));
        put_be32(s->bytes.p + at + 57, 0);
    }
    /* compaction leaves gaps: deltas of one byte each, zig-zag */
    assert_int_equal(batch_parse(slice_of(s->bytes.p + at, s->bytes.n - at), &b, NULL, NULL), 0);
    if (d.step > 1) {
        uint8_t *p = s->bytes.p + at + BATCH_HEADER;
        for (int i = 0; i < d.count; i++) {
            assert_true(p[0] < 0x80 && p[2] == 0 && p[3] == i * 2);
            p[3] = (uint8_t)(i * d.step * 2);
            p += 1 + p[0] / 2;
        }
        put_be32(s->bytes.p + at + 23, (uint32_t)((d.count - 1) * d.step));
    }
    if (d.last_delta)
        put_be32(s->bytes.p + at + 23, (uint32_t)d.last_delta);
    fix_crc(s->bytes.p + at, s->bytes.n - at);
    s->end = d.base + (int32_t)get_be32(s->bytes.p + at + 23) + 1;
}

static void shelve_plain(int32_t part, int batches, int count)
{
    for (int i = 0; i < batches; i++)
        shelve(part, (struct made){.count = count, .base = shelves[part].end});
}

/* ---- the brokers ---- */

static struct slice records_from(const struct shelf *s, int64_t offset, size_t max, bool first)
{
    struct slice all = buf_slice(&s->bytes), from = {NULL, 0};
    struct batch b;

    while (all.n && batch_parse(all, &b, NULL, NULL) == 0) {
        if (batch_last_offset(&b) >= offset) {
            from = all;
            break;
        }
        all = slice_of(all.p + b.size, all.n - b.size);
    }
    if (!from.p)
        return slice_of("", 0);
    if (first && max < b.size)
        max = b.size;
    if (!first && s->whole && max < b.size)
        return slice_of("", 0);
    return slice_of(from.p, from.n < max ? from.n : max);
}

static bool serve_part(struct fetch_response_partition_data *o,
                       const struct fetch_request_fetch_partition *p, bool *first)
{
    struct shelf *s = &shelves[p->partition];

    fetch_response_partition_data_init(o);
    o->partition_index = p->partition;
    o->records = slice_of("", 0);
    o->high_watermark = o->last_stable_offset = s->end;
    o->aborted_transactions.n = 0;
    o->aborted_transactions.v = NULL;
    if (s->errors > 0) {
        s->errors--;
        o->error_code = s->error;
        return true;
    }
    if (p->fetch_offset < s->start || p->fetch_offset > s->end) {
        o->error_code = KAFKA_OFFSET_OUT_OF_RANGE;
        return true;
    }
    if (peer->parts[p->partition].leader != fetched_by) {
        o->error_code = KAFKA_NOT_LEADER_OR_FOLLOWER;
        return true;
    }
    o->records = records_from(s, p->fetch_offset, (size_t)p->partition_max_bytes, *first);
    *first &= o->records.n == 0;
    if (committed) {
        o->aborted_transactions.v = s->aborted;
        o->aborted_transactions.n = s->aborted_count;
    }
    return o->records.n > 0;
}

static void serve(struct peer_call *q)
{
    struct fetch_request m;
    struct fetch_response out;
    struct buf b = {0};
    bool any = false, first = true;

    assert_int_equal(fetch_request_decode(&m, &q->body, q->version), 0);
    assert_int_equal(wire_left(&q->body), 0);
    assert_int_equal(m.session_id, 0);
    assert_int_equal(m.session_epoch, -1);
    committed = m.isolation_level;
    version = q->version;
    fetched_by = q->node;
    fetch_response_init(&out);
    out.responses.n = m.topics.n;
    out.responses.v = arena_array(&q->arena, (size_t)m.topics.n, sizeof *out.responses.v);
    for (int32_t i = 0; i < m.topics.n; i++) {
        struct fetch_response_fetchable_topic_response *t = &out.responses.v[i];
        int32_t n = m.topics.v[i].partitions.n;
        fetch_response_fetchable_topic_response_init(t);
        t->topic = m.topics.v[i].topic;
        t->topic_id = m.topics.v[i].topic_id;
        assert_true(version >= 13 ? uuid_eq(t->topic_id, peer->id) : slice_eq_str(t->topic, "t"));
        t->partitions.n = n;
        t->partitions.v = arena_array(&q->arena, (size_t)n, sizeof *t->partitions.v);
        for (int32_t k = 0; k < n; k++)
            any |= serve_part(&t->partitions.v[k], &m.topics.v[i].partitions.v[k], &first);
    }
    if (!any && !meddle) {
        parked = q;
        return;
    }
    if (meddle)
        meddle(&out);
    assert_int_equal(fetch_response_encode(&out, &b, version), 0);
    peer_answer(q, &b);
}

static bool on_call(struct rig *r, struct peer_call *q)
{
    (void)r;
    if (q->key != API_FETCH)
        return false;
    fetches++;
    serve(q);
    return true;
}

/* ---- the reader ---- */

static void begin_with(int nodes, int32_t partitions, const char *const *settings)
{
    rig_start(&rig, nodes, settings);
    rig.on_call = on_call;
    peer = rig_topic(&rig, "t", partitions);
    topic = rig_know(&rig, "t");
    assert_int_equal(consumer_new(&consumer, rig.c, NULL), 0);
    memset(shelves, 0, sizeof shelves);
    fetches = got_n = failures = 0;
    failure = (struct kerr){0};
    meddle = NULL;
    parked = NULL;
}

static void begin(void)
{
    begin_with(1, 1, NULL);
}

static void end(void)
{
    consumer_free(consumer);
    rig_stop(&rig);
    for (int i = 0; i < PARTS; i++)
        buf_free(&shelves[i].bytes);
}

static void assign(int32_t partition, int64_t from, int64_t to)
{
    assert_int_equal(
        consumer_assign(consumer, topic, partition, from, to, &shelves[partition], NULL), 0);
}

static void take(const struct consumer_batch *b)
{
    struct record_iter *it;
    struct record r;

    assert_ptr_equal(b->topic, topic);
    assert_ptr_equal(b->tag, &shelves[b->partition]);
    assert_int_equal(record_iter_new(&it, NULL), 0);
    assert_int_equal(record_iter_begin(it, &b->batch, 0, NULL), 0);
    while (record_next(it, &r, NULL) == 1) {
        if (r.offset < b->from || r.offset >= b->to)
            continue;
        assert_true(got_n < GOT);
        got[got_n].partition = b->partition;
        got[got_n].offset = r.offset;
        got[got_n++].id = rig_value_id(r.value);
    }
    record_iter_free(it);
}

/* Takes what is here. */
static void drink(void)
{
    struct consumer_batch b;
    struct kerr e = {0};
    int rc;

    while ((rc = consumer_next(consumer, &b, &e)) != 0) {
        if (rc == 1) {
            take(&b);
            continue;
        }
        assert_int_equal(e.code, rc);
        failure = e;
        failed = b;
        failures++;
    }
}

static bool is_over(void *arg)
{
    (void)arg;
    drink();
    return consumer_active(consumer) == 0;
}

static void read_to_end(void)
{
    rig_until(&rig, is_over, NULL);
}

/* The records of partition 0 are these offsets; each has its own id. */
static void assert_got(const int64_t *want, int n)
{
    assert_int_equal(got_n, n);
    for (int i = 0; i < n; i++) {
        assert_int_equal(got[i].offset, want[i]);
        assert_int_equal(got[i].id, want[i]);
    }
}

static void assert_got_range(int32_t partition, int64_t from, int64_t to)
{
    int64_t next = from;

    for (int i = 0; i < got_n; i++)
        if (got[i].partition == partition) {
            assert_int_equal(got[i].offset, next);
            assert_int_equal(got[i].id, next);
            next++;
        }
    assert_int_equal(next, to);
}

/* ---- tests: what comes out ---- */

static void test_all_of_it(void **state)
{
    (void)state;
    begin();
    shelve_plain(0, 50, 10);
    assign(0, 0, 500);
    read_to_end();
    assert_got_range(0, 0, 500);
    assert_int_equal(failures, 0);
    end();
}

static void test_bounds_within_batches(void **state)
{
    (void)state;
    begin();
    shelve_plain(0, 50, 10);
    assign(0, 123, 377);
    read_to_end();
    assert_got_range(0, 123, 377);
    end();
    begin();
    shelve_plain(0, 1, 10);
    assign(0, 4, 4); /* nothing at all: nobody is asked */
    assert_int_equal(consumer_active(consumer), 0);
    rig_settle(&rig);
    assert_int_equal(fetches, 0);
    end();
}

/* Answers cut anywhere: nothing is lost, nothing comes twice. */
static void test_cut_tails(void **state)
{
    const char *settings[] = {"max.partition.fetch.bytes", "1000", NULL};
    char bytes[16];

    (void)state;
    for (int max = 350; max < 1500; max += 7) {
        snprintf(bytes, sizeof bytes, "%d", max);
        settings[1] = bytes;
        begin_with(1, 1, settings);
        shelve_plain(0, 20, 10);
        assign(0, 0, 200);
        read_to_end();
        assert_got_range(0, 0, 200);
        assert_int_equal(failures, 0);
        end();
    }
}

static void test_gaps_of_compaction(void **state)
{
    static const int64_t want[] = {5, 8, 11, 40, 41, 90, 95};

    (void)state;
    begin();
    shelve(0, (struct made){.count = 3, .base = 5, .step = 3});
    shelve(0, (struct made){.count = 0, .base = 20, .last_delta = 9});
    shelve(0, (struct made){.count = 2, .base = 40});
    shelve(0, (struct made){.count = 2, .base = 90, .step = 5, .last_delta = 9});
    shelve(0, (struct made){.count = 0, .base = 100, .last_delta = 4});
    assert_int_equal(shelves[0].end, 105);
    assign(0, 0, 105);
    read_to_end();
    assert_got(want, 7);
    /* from within the gaps, and to an end that no record is at */
    got_n = 0;
    assign(0, 9, 99);
    read_to_end();
    assert_got(want + 2, 5);
    end();
}

enum { DATA = BATCH_TRANSACTIONAL, MARKER = BATCH_TRANSACTIONAL | BATCH_CONTROL };

/* 7 aborts, 8 commits, 7 commits, 9 (begun before offset 0) aborts, interleaved. */
static void shelve_transactions(void)
{
    const struct made all[] = {
        {.count = 2, .base = 0, .attributes = DATA, .producer_id = 9},
        {.count = 2, .base = 2, .attributes = DATA, .producer_id = 7},
        {.count = 2, .base = 4, .attributes = DATA, .producer_id = 8},
        {.count = 2, .base = 6, .attributes = DATA, .producer_id = 7},
        {.count = 1, .base = 8, .attributes = MARKER, .producer_id = 7, .marker = CONTROL_ABORT},
        {.count = 2, .base = 9},
        {.count = 2, .base = 11, .attributes = DATA, .producer_id = 7},
        {.count = 1, .base = 13, .attributes = MARKER, .producer_id = 8, .marker = CONTROL_COMMIT},
        {.count = 1, .base = 14, .attributes = MARKER, .producer_id = 9, .marker = CONTROL_ABORT},
        {.count = 1, .base = 15, .attributes = MARKER, .producer_id = 7, .marker = CONTROL_COMMIT},
    };

    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        shelve(0, all[i]);
    shelves[0].aborted[0] = (struct fetch_response_aborted_transaction){9, 0};
    shelves[0].aborted[1] = (struct fetch_response_aborted_transaction){7, 2};
    shelves[0].aborted_count = 2;
}

static void test_aborted_transactions(void **state)
{
    static const int64_t want[] = {4, 5, 9, 10, 11, 12};

    (void)state;
    begin();
    shelve_transactions();
    assign(0, 0, 16);
    read_to_end();
    assert_true(committed);
    assert_got(want, 6);
    /* in the midst of an aborted one */
    got_n = 0;
    assign(0, 7, 16);
    read_to_end();
    assert_got(want + 2, 4);
    end();
}

static void test_read_uncommitted(void **state)
{
    static const char *const settings[] = {"isolation.level", "read_uncommitted", NULL};
    static const int64_t want[] = {0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12};

    (void)state;
    begin_with(1, 1, settings);
    shelve_transactions();
    assign(0, 0, 16);
    read_to_end();
    assert_false(committed);
    assert_got(want, 12);
    end();
}

static void test_every_version(void **state)
{
    (void)state;
    for (int16_t v = 4; v <= 18; v++) {
        begin();
        rig.max_version[API_FETCH] = v;
        rig_node_down(&rig, 0); /* what it serves is asked for anew */
        rig_node_up(&rig, 0);
        shelve_transactions();
        assign(0, 0, 16);
        read_to_end();
        assert_int_equal(version, v);
        assert_int_equal(got_n, 6);
        end();
    }
}

static void test_several_partitions(void **state)
{
    (void)state;
    begin_with(3, 4, NULL);
    for (int i = 0; i < 4; i++)
        shelve_plain(i, 30, 7);
    for (int i = 0; i < 4; i++)
        assign(i, i, 210 - i);
    read_to_end();
    for (int i = 0; i < 4; i++)
        assert_got_range(i, i, 210 - i);
    end();
}

static bool has_drunk_four(void *arg)
{
    (void)arg;
    drink();
    return got_n >= 12;
}

/* KIP-74: only the first that has anything gives a batch over the limit; so each gets its turn. */
static void test_batches_over_the_limit(void **state)
{
    static const char *const settings[] = {"max.partition.fetch.bytes", "1000", NULL};

    (void)state;
    for (int whole = 0; whole < 2; whole++) {
        begin_with(1, 4, settings);
        for (int p = 0; p < 4; p++) {
            shelves[p].whole = whole;
            for (int i = 0; i < 20; i++)
                shelve(p, (struct made){.count = 3, .base = shelves[p].end, .size = 2000});
            assign(p, 0, 60);
        }
        rig_until(&rig, has_drunk_four, NULL);
        for (int i = 0; i < 4; i++)
            assert_int_equal(got[3 * i].partition, i);
        read_to_end();
        for (int p = 0; p < 4; p++)
            assert_got_range(p, 0, 60);
        assert_int_equal(failures, 0);
        end();
    }
}

/* While the caller digests, one more answer is fetched, and no further one. */
static void test_two_answers_are_held(void **state)
{
    static const char *const settings[] = {"max.partition.fetch.bytes", "1000", NULL};
    struct consumer_batch b;

    (void)state;
    begin_with(1, 1, settings);
    shelve_plain(0, 100, 10);
    assign(0, 0, 1000);
    rig_pass(&rig, 60000);
    assert_int_equal(fetches, 2);
    assert_int_equal(consumer_next(consumer, &b, NULL), 1);
    take(&b);
    rig_pass(&rig, 60000);
    assert_int_equal(fetches, 2);
    read_to_end();
    assert_got_range(0, 0, 1000);
    end();
}

/* ---- tests: trouble ---- */

static void test_crc(void **state)
{
    static const char *const unchecked[] = {"check.crcs", "false", NULL};

    (void)state;
    for (int check = 1; check >= 0; check--) {
        begin_with(1, 1, check ? NULL : unchecked);
        shelve_plain(0, 10, 10);
        /* the last byte but one of batch 5 */
        shelves[0].bytes.p[shelves[0].bytes.n / 10 * 6 - 2] ^= 1;
        assign(0, 0, 100);
        read_to_end();
        assert_int_equal(failures, check);
        if (check) {
            assert_int_equal(failure.code, KE_CORRUPT);
            assert_non_null(strstr(failure.msg, "t-0, offset 50"));
            assert_non_null(strstr(failure.msg, "CRC"));
            assert_int_equal(failed.partition, 0);
            assert_int_equal(failed.from, 50);
            assert_got_range(0, 0, 50);
        } else {
            assert_int_equal(got_n, 100);
        }
        end();
    }
}

static void test_what_passes_is_waited_for(void **state)
{
    static const int16_t codes[] = {-1, 3, 5, 6, 7, 9, 13, 56, 70, 71, 74, 75, 78, 100, 103, 106};

    (void)state;
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        begin();
        shelve_plain(0, 5, 10);
        shelves[0].error = codes[i];
        shelves[0].errors = 20;
        assign(0, 0, 50);
        read_to_end();
        assert_int_equal(failures, 0);
        assert_got_range(0, 0, 50);
        assert_in_range(rig.ns / 1000000, 10000, 60000); /* with a pause, which has a limit */
        assert_in_range(rig.asked[API_METADATA], 5, 60);
        end();
    }
}

static void test_what_does_not_pass_ends_it(void **state)
{
    static const struct {
        int16_t code;
        int err;
    } codes[] = {{1, KE_RANGE}, {2, KE_CORRUPT}, {29, KE_REMOTE}, {35, KE_REMOTE}, {87, KE_REMOTE}};

    (void)state;
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        begin_with(1, 2, NULL);
        shelve_plain(0, 5, 10);
        shelve_plain(1, 5, 10);
        shelves[1].error = codes[i].code;
        shelves[1].errors = 1;
        assign(0, 0, 50);
        assign(1, 20, 50);
        read_to_end();
        assert_int_equal(failures, 1);
        assert_int_equal(failure.code, codes[i].err);
        assert_int_equal(failed.partition, 1);
        assert_int_equal(failed.from, 20);
        assert_non_null(strstr(failure.msg, "t-1, offset 20"));
        assert_got_range(0, 0, 50);
        assert_got_range(1, 0, 0);
        /* it may be read anew */
        assign(1, 20, 50);
        read_to_end();
        assert_got_range(1, 20, 50);
        end();
    }
}

static void test_out_of_range(void **state)
{
    (void)state;
    begin();
    shelve_plain(0, 5, 10);
    shelves[0].start = 10;
    assign(0, 9, 50);
    read_to_end();
    assert_int_equal(failure.code, KE_RANGE);
    assign(0, 51, INT64_MAX);
    read_to_end();
    assert_int_equal(failures, 2);
    assert_int_equal(failure.code, KE_RANGE);
    assert_int_equal(got_n, 0);
    end();
}

static void test_the_leader_moves(void **state)
{
    (void)state;
    begin_with(3, 1, NULL);
    shelve_plain(0, 5, 10);
    assign(0, 0, 200);
    for (int i = 1; i < 4; i++) {
        rig_pass(&rig, 1000);
        drink();
        assert_got_range(0, 0, 50 * i);
        rig_move_leader(peer, 0, i % 3);
        shelve_plain(0, 5, 10);
        if (parked) {
            struct peer_call *q = parked;
            parked = NULL;
            peer_cut(q);
        }
    }
    read_to_end();
    assert_got_range(0, 0, 200);
    assert_int_equal(fetched_by, 0);
    assert_int_equal(failures, 0);
    end();
}

static void test_a_broker_goes_away_and_comes_back(void **state)
{
    (void)state;
    begin();
    rig.keep_messages = true;
    shelve_plain(0, 5, 10);
    assign(0, 0, 100);
    rig_pass(&rig, 1000);
    drink();
    parked = NULL;
    rig_node_down(&rig, 0);
    rig_pass(&rig, 600000);
    drink();
    assert_int_equal(failures, 0);
    assert_int_equal(consumer_active(consumer), 1);
    rig_node_up(&rig, 0);
    shelve_plain(0, 5, 10);
    read_to_end();
    assert_got_range(0, 0, 100);
    end();
}

/* A broker that says nothing at all, for longer than request.timeout.ms. */
static void test_no_answer(void **state)
{
    (void)state;
    begin();
    shelve_plain(0, 5, 10);
    assign(0, 0, 100);
    rig_pass(&rig, 1000);
    drink();
    assert_non_null(parked);
    parked = NULL;
    shelve_plain(0, 5, 10);
    read_to_end();
    assert_got_range(0, 0, 100);
    end();
}

static void test_a_deleted_topic(void **state)
{
    (void)state;
    begin();
    shelve_plain(0, 5, 10);
    shelves[0].error = KAFKA_UNKNOWN_TOPIC_ID;
    assign(0, 0, 100);
    rig_pass(&rig, 10);
    drink();
    shelves[0].errors = 1000;
    peer->error = KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
    peer_cut(parked);
    read_to_end();
    assert_int_equal(failures, 1);
    assert_int_equal(failure.code, KE_NOTFOUND);
    assert_non_null(strstr(failure.msg, "topic t has been deleted"));
    assert_got_range(0, 0, 50);
    end();
}

static void test_a_topic_made_anew_is_another(void **state)
{
    (void)state;
    begin();
    shelve_plain(0, 5, 10);
    assign(0, 0, 100);
    rig_pass(&rig, 10);
    drink();
    shelves[0].error = KAFKA_UNKNOWN_TOPIC_ID;
    shelves[0].errors = 1000;
    peer->id.b[3] ^= 0x55;
    peer_cut(parked);
    read_to_end();
    assert_int_equal(failure.code, KE_NOTFOUND);
    assert_non_null(strstr(failure.msg, "made anew"));
    end();
}

static void test_freed_under_way(void **state)
{
    (void)state;
    begin_with(2, 2, NULL);
    shelve_plain(0, 5, 10);
    assign(0, 0, 100);
    assign(1, 0, 100);
    rig_pass(&rig, 10);
    consumer_free(consumer);
    consumer = NULL;
    if (parked)
        peer_cut(parked);
    rig_pass(&rig, 100000);
    end();
}

/* ---- tests: hostile answers ---- */

static struct fetch_response_partition_data *first_part(struct fetch_response *m)
{
    return &m->responses.v[0].partitions.v[0];
}

static void other_partition(struct fetch_response *m)
{
    first_part(m)->partition_index = 1;
}

static void negative_partition(struct fetch_response *m)
{
    first_part(m)->partition_index = -1;
}

static void other_topic(struct fetch_response *m)
{
    m->responses.v[0].topic_id.b[0] ^= 1;
}

static void no_partition(struct fetch_response *m)
{
    m->responses.n = 0;
}

static void no_whole_batch(struct fetch_response *m)
{
    first_part(m)->records.n = 70;
}

static void twice(struct fetch_response *m)
{
    static struct fetch_response_fetchable_topic_response v[2];

    v[0] = v[1] = m->responses.v[0];
    m->responses.v = v;
    m->responses.n = 2;
}

static void what_was_before(struct fetch_response *m)
{
    first_part(m)->records = records_from(&shelves[0], 0, 400, true);
}

static void same_again(struct fetch_response *m)
{
    static uint8_t copy[4000];
    struct slice s = records_from(&shelves[0], 20, 1, true);

    memcpy(copy, s.p, s.n);
    memcpy(copy + s.n, s.p, s.n);
    first_part(m)->records = slice_of(copy, 2 * s.n);
}

static void old_magic(struct fetch_response *m)
{
    static uint8_t copy[4000];

    memcpy(copy, shelves[0].bytes.p, 1000);
    copy[16] = 1;
    first_part(m)->records = slice_of(copy, 1000);
}

static void last_offset_there_is(struct fetch_response *m)
{
    static uint8_t copy[4000];

    memcpy(copy, shelves[0].bytes.p, 1000);
    put_be64(copy, INT64_MAX);
    first_part(m)->records = slice_of(copy, 1000);
}

static void test_nonsense_ends_it(void **state)
{
    void (*const all[])(struct fetch_response *) = {
        other_partition, negative_partition, other_topic, no_partition,         no_whole_batch,
        what_was_before, same_again,         old_magic,   last_offset_there_is,
    };

    (void)state;
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        begin();
        shelve_plain(0, 5, 10);
        meddle = all[i];
        assign(0, 20, 50);
        read_to_end();
        assert_int_equal(failures, 1);
        assert_int_equal(failure.code, KE_CORRUPT);
        assert_in_range(fetches, 1, 6);
        assert_true(got_n <= 10);
        end();
    }
    /* what was good before it counts */
    begin();
    shelve_plain(0, 5, 10);
    meddle = twice;
    assign(0, 0, 50);
    read_to_end();
    assert_got_range(0, 0, 50);
    end();
}

static uint64_t dice;

/* Flips, cuts and grows answers at random places. */
static void garble(struct rig *r, struct peer_call *q, struct buf *frame)
{
    (void)r;
    if (q->key != API_FETCH || rig_random(&dice) % 4 == 0)
        return;
    for (uint64_t n = rig_random(&dice) % 8; n > 0; n--)
        frame->p[8 + rig_random(&dice) % (frame->n - 8)] = (uint8_t)rig_random(&dice);
    if (rig_random(&dice) % 8 == 0) {
        frame->n -= rig_random(&dice) % (frame->n - 8);
        put_be32(frame->p, (uint32_t)frame->n - 4);
    }
}

/* Whatever an answer says, it comes to an end, and offsets ascend. */
static void test_garbled_answers(void **state)
{
    static const char *const settings[] = {"check.crcs", "false", "max.partition.fetch.bytes",
                                           "900", NULL};

    (void)state;
    for (uint64_t seed = 1; seed <= 400; seed++) {
        int64_t last[2] = {-1, -1};
        dice = seed;
        begin_with(1, 2, settings);
        rig.on_answer = garble;
        shelve_transactions();
        shelve_plain(1, 10, 5);
        assign(0, 0, 16);
        assign(1, 0, 50);
        while (consumer_active(consumer) > 0) {
            struct consumer_batch b;
            int rc = consumer_next(consumer, &b, NULL);
            if (rc == 1) {
                assert_in_range(b.partition, 0, 1);
                assert_true(b.from > last[b.partition] || last[b.partition] == -1);
                last[b.partition] = b.from;
            } else if (rc == 0 && consumer_active(consumer) > 0) {
                assert_true(rig_step(&rig));
                assert_true(rig.ns / 1000000 < 3600 * 1000);
            }
        }
        end();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_of_it),
        cmocka_unit_test(test_bounds_within_batches),
        cmocka_unit_test(test_cut_tails),
        cmocka_unit_test(test_gaps_of_compaction),
        cmocka_unit_test(test_aborted_transactions),
        cmocka_unit_test(test_read_uncommitted),
        cmocka_unit_test(test_every_version),
        cmocka_unit_test(test_several_partitions),
        cmocka_unit_test(test_batches_over_the_limit),
        cmocka_unit_test(test_two_answers_are_held),
        cmocka_unit_test(test_crc),
        cmocka_unit_test(test_what_passes_is_waited_for),
        cmocka_unit_test(test_what_does_not_pass_ends_it),
        cmocka_unit_test(test_out_of_range),
        cmocka_unit_test(test_the_leader_moves),
        cmocka_unit_test(test_a_broker_goes_away_and_comes_back),
        cmocka_unit_test(test_no_answer),
        cmocka_unit_test(test_a_deleted_topic),
        cmocka_unit_test(test_a_topic_made_anew_is_another),
        cmocka_unit_test(test_freed_under_way),
        cmocka_unit_test(test_nonsense_ends_it),
        cmocka_unit_test(test_garbled_answers),
    };

    return cmocka_run_group_tests_name("client_consumer", tests, NULL, NULL);
}
