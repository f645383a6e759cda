/* The edges of the broker's APIs: what is refused, what a default is, what a client cannot do to
 * the others. */
#include "broker_support.h"

#include "broker/core.h"
#include "wire/error.h"
#include "wire/fetch_request.h"
#include "wire/fetch_response.h"
#include "wire/metadata_request.h"
#include "wire/metadata_response.h"
#include "wire/produce_request.h"
#include "wire/produce_response.h"

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static struct rig rig;
static struct raw c;

static int start(void **state)
{
    (void)state;
    rig_start(&rig, NULL);
    raw_open(&c, &rig);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    raw_close(&c);
    rig_stop(&rig);
    return 0;
}

/* ---- metadata ---- */

static struct metadata_response ask(int16_t v, const char *name, struct uuid id, int32_t n,
                                    bool create, bool operations)
{
    struct metadata_request_topic t;
    struct metadata_request q;
    struct metadata_response m;
    struct wire_reader r;
    struct buf b = {0};

    metadata_request_init(&q);
    metadata_request_topic_init(&t);
    t.name = name ? slice_str(name) : (struct slice){NULL, 0};
    t.topic_id = id;
    q.topics.v = &t;
    q.topics.n = n;
    q.allow_auto_topic_creation = create;
    q.include_topic_authorized_operations = operations;
    q.include_cluster_authorized_operations = operations && v <= 10;
    assert_int_equal(metadata_request_encode(&q, &b, v), 0);
    raw_send(&c, API_METADATA, v, 4, &b);
    raw_receive(&c, API_METADATA, v, 4, &r);
    assert_int_equal(metadata_response_decode(&m, &r, v), 0);
    assert_int_equal(wire_left(&r), 0);
    assert_int_equal(m.brokers.n, 1);
    return m;
}

static void metadata_of_all_and_of_none(void **state)
{
    const struct uuid none = {{0}};

    (void)state;
    raw_create(&c, "a", 1, NULL);
    raw_create(&c, "b", 1, NULL);
    assert_int_equal(ask(0, NULL, none, 0, true, false).topics.n, 2);
    for (int16_t v = 1; v <= 13; v++) {
        assert_int_equal(ask(v, NULL, none, -1, true, false).topics.n, 2);
        assert_int_equal(ask(v, NULL, none, 0, true, false).topics.n, 0);
    }
}

static void metadata_makes_only_what_it_may(void **state)
{
    const struct uuid none = {{0}};

    (void)state;
    for (int16_t v = 4; v <= 13; v++)
        for (int again = 0; again < 2; again++)
            assert_int_equal(ask(v, "unmade", none, 1, false, false).topics.v[0].error_code,
                             KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
    /* a command behind all that the questions might have caused */
    raw_create(&c, "made", 1, NULL);
    assert_int_equal(broker_topic_count(rig.broker), 1);
}

static void metadata_by_id(void **state)
{
    struct uuid id = raw_create(&c, "t", 1, NULL);

    (void)state;
    for (int16_t v = 10; v <= 13; v++) {
        struct metadata_response m = ask(v, v < 12 ? "t" : NULL, id, 1, true, false);
        assert_int_equal(m.topics.v[0].error_code, v < 12 ? KAFKA_INVALID_REQUEST : 0);
        assert_true(slice_eq_str(m.topics.v[0].name, "t"));
        m = ask(v, NULL, (struct uuid){{9}}, 1, true, false);
        assert_int_equal(m.topics.v[0].error_code,
                         v < 12 ? KAFKA_INVALID_REQUEST : KAFKA_UNKNOWN_TOPIC_ID);
        assert_int_equal(slice_is_null(m.topics.v[0].name), v >= 12);
    }
    assert_int_equal(broker_topic_count(rig.broker), 1);
}

static void metadata_tells_operations_when_asked(void **state)
{
    const struct uuid none = {{0}};

    (void)state;
    raw_create(&c, "t", 1, NULL);
    for (int16_t v = 8; v <= 13; v++)
        for (int asked = 0; asked < 2; asked++) {
            struct metadata_response m = ask(v, "t", none, 1, true, asked);
            assert_int_equal(m.topics.v[0].topic_authorized_operations == INT32_MIN, !asked);
            if (v <= 10)
                assert_int_equal(m.cluster_authorized_operations == INT32_MIN, !asked);
        }
}

/* ---- produce ---- */

static struct produce_response_partition_produce_response
produce(int16_t v, const char *topic, const char *transactional_id, struct slice records)
{
    struct produce_request_topic_produce_data t;
    struct produce_request_partition_produce_data p;
    struct produce_response m;
    struct produce_request q;
    struct wire_reader r;
    struct buf b = {0};

    produce_request_init(&q);
    produce_request_topic_produce_data_init(&t);
    produce_request_partition_produce_data_init(&p);
    q.transactional_id = transactional_id ? slice_str(transactional_id) : (struct slice){NULL, 0};
    p.records = records;
    t.name = slice_str(topic);
    t.partition_data.v = &p;
    t.partition_data.n = 1;
    q.acks = 1;
    q.timeout_ms = 30000;
    q.topic_data.v = &t;
    q.topic_data.n = 1;
    assert_int_equal(produce_request_encode(&q, &b, v), 0);
    raw_send(&c, API_PRODUCE, v, 5, &b);
    raw_receive(&c, API_PRODUCE, v, 5, &r);
    assert_int_equal(produce_response_decode(&m, &r, v), 0);
    assert_int_equal(wire_left(&r), 0);
    return m.responses.v[0].partition_responses.v[0];
}

/* One batch of one record, made as the fields say. */
static struct slice batch_of(struct batch_builder *w, struct batch_fields f, int64_t timestamp)
{
    struct slice out;

    f.level = CODEC_LEVEL_DEFAULT;
    f.producer_id = -1;
    f.producer_epoch = -1;
    f.base_sequence = -1;
    batch_start(w);
    assert_true(batch_add(w, timestamp, (struct slice){NULL, 0}, slice_str("value"), NULL, 0));
    assert_int_equal(batch_finish(w, &f, &out, NULL), 0);
    return out;
}

static void assert_refused(struct produce_response_partition_produce_response p, int16_t v,
                           int16_t code)
{
    assert_int_equal(p.error_code, code);
    assert_int_equal(p.base_offset, -1);
    assert_int_equal(p.log_append_time_ms, -1);
    assert_int_equal(p.log_start_offset, -1);
    if (v < 8)
        assert_true(slice_is_null(p.error_message));
}

static void produce_refuses_what_cannot_be_stored(void **state)
{
    const int64_t now = 1700000000000;
    struct batch_builder w = {0};
    struct buf two = {0};

    (void)state;
    raw_create(&c, "t", 1, NULL);
    for (int16_t v = 3; v <= 12; v++) {
        struct slice plain;
        /* KIP-110: who sends zstd in an older version cannot know what it means */
        struct produce_response_partition_produce_response p =
            produce(v, "t", NULL, batch_of(&w, (struct batch_fields){.codec = CODEC_ZSTD}, now));
        if (v < 7)
            assert_refused(p, v, KAFKA_UNSUPPORTED_COMPRESSION_TYPE);
        else
            assert_int_equal(p.error_code, 0);
        assert_refused(
            produce(v, "t", NULL,
                    batch_of(&w, (struct batch_fields){.attributes = BATCH_TRANSACTIONAL}, now)),
            v, KAFKA_INVALID_TXN_STATE);
        assert_refused(
            produce(v, "t", NULL,
                    batch_of(&w, (struct batch_fields){.attributes = BATCH_CONTROL}, now)),
            v, KAFKA_INVALID_RECORD);
        assert_refused(
            produce(v, "t", NULL,
                    batch_of(&w, (struct batch_fields){.attributes = BATCH_LOG_APPEND_TIME}, now)),
            v, KAFKA_INVALID_TIMESTAMP);
        assert_refused(
            produce(v, "t", NULL, batch_of(&w, (struct batch_fields){0}, INT64_C(95617584000000))),
            v, KAFKA_INVALID_TIMESTAMP);
        assert_refused(produce(v, "t", NULL, (struct slice){NULL, 0}), v, KAFKA_INVALID_RECORD);
        plain = batch_of(&w, (struct batch_fields){0}, now);
        assert_refused(produce(v, "t", "tx", plain), v, KAFKA_INVALID_TXN_STATE);
        buf_clear(&two);
        buf_put_slice(&two, plain);
        buf_put_slice(&two, plain);
        assert_refused(produce(v, "t", NULL, buf_slice(&two)), v, KAFKA_INVALID_RECORD);
        assert_refused(produce(v, "t", NULL, slice_of(plain.p, plain.n - 1)), v,
                       KAFKA_CORRUPT_MESSAGE);
    }
    buf_free(&two);
    batch_builder_free(&w);
}

/* Sarama's are 0 where it has no producer id. */
static void a_sequence_without_a_producer_is_nobodys(void **state)
{
    struct batch_builder w = {0};
    struct slice batch = make_batch(&w, 0, 3, 0, -1, 0);

    (void)state;
    raw_create(&c, "t", 1, NULL);
    for (int i = 0; i < 3; i++) {
        struct produce_response_partition_produce_response p = produce(9, "t", NULL, batch);
        assert_int_equal(p.error_code, 0);
        assert_int_equal(p.base_offset, 3 * i);
    }
    batch_builder_free(&w);
}

/* ---- fetch ---- */

/* A request for n partitions from 0 on of one topic. */
static void send_fetch(struct raw *to, int16_t v, const char *topic, int32_t n, int32_t max_wait)
{
    struct fetch_request_fetch_partition *p = calloc((size_t)n, sizeof *p);
    struct fetch_request_fetch_topic t;
    struct fetch_request q;
    struct buf b = {0};

    fetch_request_init(&q);
    fetch_request_fetch_topic_init(&t);
    for (int32_t i = 0; i < n; i++) {
        fetch_request_fetch_partition_init(&p[i]);
        p[i].partition_max_bytes = 1 << 20;
    }
    t.topic = slice_str(topic);
    t.partitions.v = p;
    t.partitions.n = n;
    q.topics.v = &t;
    q.topics.n = 1;
    q.max_wait_ms = max_wait;
    q.min_bytes = 1;
    assert_int_equal(fetch_request_encode(&q, &b, v), 0);
    raw_send(to, API_FETCH, v, 6, &b);
    free(p);
}

static struct fetch_response receive_fetch(struct raw *from, int16_t v)
{
    struct fetch_response m;
    struct wire_reader r;

    raw_receive(from, API_FETCH, v, 6, &r);
    assert_int_equal(fetch_response_decode(&m, &r, v), 0);
    assert_int_equal(wire_left(&r), 0);
    return m;
}

static void what_fetch_does_not_know_is_minus_one(void **state)
{
    (void)state;
    for (int16_t v = 4; v <= 12; v++) {
        struct fetch_response m;
        const struct fetch_response_partition_data *p;
        send_fetch(&c, v, "none", 1, 0);
        m = receive_fetch(&c, v);
        assert_int_equal(m.error_code, 0);
        p = &m.responses.v[0].partitions.v[0];
        assert_int_equal(p->error_code, KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
        assert_int_equal(p->high_watermark, -1);
        assert_int_equal(p->last_stable_offset, -1);
        assert_int_equal(p->log_start_offset, -1);
        assert_int_equal(p->preferred_read_replica, -1);
        assert_int_equal(p->records.n, 0);
        assert_false(slice_is_null(p->records));
        assert_int_equal(p->diverging_epoch.epoch, -1);
        assert_int_equal(p->diverging_epoch.end_offset, -1);
        assert_int_equal(p->current_leader.leader_id, -1);
        assert_int_equal(p->current_leader.leader_epoch, -1);
        assert_int_equal(p->snapshot_id.end_offset, -1);
        assert_int_equal(p->snapshot_id.epoch, -1);
    }
}

static void a_client_that_has_gone_leaves_nothing_behind(void **state)
{
    struct uuid id = raw_create(&c, "t", 1, NULL);
    struct partition *p = partitions_get(&rig.broker->partitions, id, 0);
    struct raw other;

    (void)state;
    assert_non_null(p);
    raw_open(&other, &rig);
    alarm(60); /* where it is not let go, nothing ever happens */
    for (int i = 0; i < 5; i++)
        send_fetch(&other, 12, "t", 1, INT32_MAX);
    while (atomic_load(&p->refs) < 2 + 5)
        sched_yield();
    raw_close(&other);
    while (atomic_load(&p->refs) > 2)
        sched_yield();
    alarm(0);
    partition_release(&rig.broker->partitions, p);
}

/* What it holds would be held for as long as the client likes. */
static void a_fetch_of_very_many_does_not_wait_long(void **state)
{
    (void)state;
    raw_create(&c, "t", 1, NULL);
    send_fetch(&c, 12, "t", 1000, INT32_MAX);
    assert_int_equal(receive_fetch(&c, 12).responses.v[0].partitions.n, 1000);
}

/* Six bytes for a partition without records: what is made of them must have a limit. */
static void a_request_that_would_swell_is_refused(void **state)
{
    enum { PARTITIONS = 8 << 20 };
    static const uint8_t head[] = {
        0, 0, 0,   9,    0xff, 0xff, 0,    /* id, client, tags */
        0, 0, 1,   0,    0,    0x75, 0x30, /* no transaction, acks, timeout */
        2, 2, 't', 0x81, 0x80, 0x80, 0x04};
    struct buf b = {0};
    struct raw other;

    (void)state;
    raw_open(&other, &rig);
    buf_put(&b, "\0\0\0\0\0\0\0\x09", 8); /* the length, Produce, version 9 */
    buf_put(&b, head, sizeof head);
    for (int i = 0; i < PARTITIONS; i++)
        buf_put(&b, "\0\0\0\0\0\0", 6);
    buf_put(&b, "\0\0", 2);
    assert_false(b.failed);
    b.p[0] = (uint8_t)((b.n - 4) >> 24);
    b.p[1] = (uint8_t)((b.n - 4) >> 16);
    b.p[2] = (uint8_t)((b.n - 4) >> 8);
    b.p[3] = (uint8_t)(b.n - 4);
    for (size_t at = 0; at < b.n;) {
        ssize_t k = send(other.fd, b.p + at, b.n - at, MSG_NOSIGNAL);
        assert_true(k > 0);
        at += (size_t)k;
    }
    buf_free(&b);
    assert_true(raw_closed(&other));
    raw_close(&other);
    raw_create(&c, "alive", 1, NULL);
}

/* ---- listeners ---- */

static int start_unix(void **state)
{
    (void)state;
    rig_start(&rig, NULL);
    assert_int_equal(broker_free(rig.broker, 1000, NULL), 0);
    {
        char listeners[200];
        const char *const settings[] = {"listeners", listeners, "advertised.listeners",
                                        "PLAINTEXT://kafka.example:19092", NULL};
        snprintf(listeners, sizeof listeners, "unix:%s/sock,127.0.0.1:0", rig.dir);
        rig_restart(&rig, settings);
    }
    raw_open(&c, &rig); /* the first listener */
    return 0;
}

static void a_client_of_a_unix_listener_stays_on_it(void **state)
{
    char want[100];

    (void)state;
    snprintf(want, sizeof want, "unix:%s/sock", rig.dir);
    for (int16_t v = 0; v <= 13; v++) {
        struct metadata_response m = ask(v, NULL, (struct uuid){{0}}, v ? -1 : 0, true, false);
        assert_true(slice_eq_str(m.brokers.v[0].host, want));
    }
}

/* ---- the end ---- */

/* What was in flight when the broker was told to stop is answered, and was done. */
static void the_stop_answers_what_is_in_flight(void **state)
{
    struct uuid id = raw_create(&c, "t", 1, NULL), other = raw_create(&c, "other", 1, NULL);
    struct partition *p = partitions_get(&rig.broker->partitions, id, 0);
    struct partition *q = partitions_get(&rig.broker->partitions, other, 0);
    struct batch_builder w = {0};
    struct plog_ends ends;
    struct produced done;
    struct raw parked;

    (void)state;
    raw_open(&parked, &rig);
    send_fetch(&parked, 12, "other", 1, INT32_MAX);
    while (atomic_load(&q->refs) < 3)
        sched_yield();
    raw_send_produce(&c, 9, "t", id, -1, make_batch(&w, 0, 3, 5, -1, -1), 77);
    do
        plog_ends(p->log, &ends);
    while (ends.end < 3 && sched_yield() == 0);
    partition_release(&rig.broker->partitions, p);
    partition_release(&rig.broker->partitions, q);
    assert_int_equal(broker_free(rig.broker, 10000, NULL), 0);
    raw_receive_produce(&c, 9, 77, &done);
    assert_int_equal(done.error, 0);
    assert_true(raw_closed(&c));
    assert_int_equal(receive_fetch(&parked, 12).responses.v[0].partitions.v[0].error_code, 0);
    assert_true(raw_closed(&parked));
    raw_close(&parked);
    raw_close(&c);
    rig_restart(&rig, NULL);
    raw_open(&c, &rig);
    assert_int_equal(
        raw_fetch(&c, 12, &(struct fetch_ask){.topic = "t", .min_bytes = 1}).high_watermark, 3);
    batch_builder_free(&w);
}

/* A client that does not read its answer cannot hold up the stop, nor can one that has gone. */
static void the_stop_ends_when_clients_do_not(void **state)
{
    struct uuid id = raw_create(&c, "t", 1, NULL);
    struct batch_builder w = {0};
    struct raw deaf, gone;

    (void)state;
    for (int i = 0; i < 40; i++)
        assert_int_equal(
            raw_produce(&c, 9, "t", id, 1, make_batch(&w, 0, 1, 1000000, -1, -1)).error, 0);
    raw_open(&deaf, &rig);
    send_fetch(&deaf, 12, "t", 1, 0);
    for (int i = 0; i < 60; i++)
        send_fetch(&deaf, 12, "t", 1, INT32_MAX);
    raw_open(&gone, &rig);
    send_fetch(&gone, 12, "t", 1, INT32_MAX);
    raw_close(&gone);
    assert_int_equal(broker_free(rig.broker, 50, NULL), 0);
    raw_close(&deaf);
    rig_restart(&rig, NULL);
    batch_builder_free(&w);
}

#define WITH_BROKER(f) cmocka_unit_test_setup_teardown(f, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_BROKER(metadata_of_all_and_of_none),
        WITH_BROKER(metadata_makes_only_what_it_may),
        WITH_BROKER(metadata_by_id),
        WITH_BROKER(metadata_tells_operations_when_asked),
        WITH_BROKER(produce_refuses_what_cannot_be_stored),
        WITH_BROKER(a_sequence_without_a_producer_is_nobodys),
        WITH_BROKER(what_fetch_does_not_know_is_minus_one),
        WITH_BROKER(a_client_that_has_gone_leaves_nothing_behind),
        WITH_BROKER(a_fetch_of_very_many_does_not_wait_long),
        WITH_BROKER(a_request_that_would_swell_is_refused),
        WITH_BROKER(the_stop_answers_what_is_in_flight),
        WITH_BROKER(the_stop_ends_when_clients_do_not),
        cmocka_unit_test_setup_teardown(a_client_of_a_unix_listener_stays_on_it, start_unix, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
