/* The broker as its clients see it, over a real socket, message by message. */
#include "broker_support.h"

#include "wire/api_versions_request.h"
#include "wire/api_versions_response.h"
#include "wire/error.h"
#include "wire/fetch_request.h"
#include "wire/fetch_response.h"
#include "wire/find_coordinator_request.h"
#include "wire/find_coordinator_response.h"
#include "wire/init_producer_id_request.h"
#include "wire/init_producer_id_response.h"
#include "wire/list_offsets_request.h"
#include "wire/list_offsets_response.h"
#include "wire/metadata_request.h"
#include "wire/metadata_response.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

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

/* ---- ApiVersions ---- */

static struct api_versions_response ask_versions(struct raw *conn, int16_t version,
                                                 const char *name)
{
    int16_t answered = version > 4 ? 0 : version;
    struct api_versions_request q;
    struct api_versions_response m;
    struct wire_reader r;
    struct buf b = {0};

    api_versions_request_init(&q);
    q.client_software_name = slice_str(version >= 3 ? name : "");
    q.client_software_version = slice_str(version >= 3 ? "1.0" : "");
    assert_int_equal(api_versions_request_encode(&q, &b, version > 4 ? 4 : version), 0);
    raw_send(conn, API_API_VERSIONS, version > 4 ? 4 : version, 5, &b);
    raw_receive(conn, API_API_VERSIONS, answered, 5, &r);
    assert_int_equal(api_versions_response_decode(&m, &r, answered), 0);
    assert_int_equal(wire_left(&r), 0);
    return m;
}

static void versions_are_listed(void **state)
{
    struct api_versions_response m;

    (void)state;
    for (int16_t v = 0; v <= 4; v++) {
        bool produce = false;
        m = ask_versions(&c, v, "apache-kafka-java");
        assert_int_equal(m.error_code, 0);
        for (int32_t i = 0; i < m.api_keys.n; i++)
            if (m.api_keys.v[i].api_key == API_PRODUCE) {
                produce = true;
                assert_int_equal(m.api_keys.v[i].min_version, 0);
                assert_int_equal(m.api_keys.v[i].max_version, 13);
            }
        assert_true(produce);
    }
    assert_int_equal(ask_versions(&c, 3, "bad name").error_code, KAFKA_INVALID_REQUEST);
    assert_int_equal(ask_versions(&c, 3, "-x").error_code, KAFKA_INVALID_REQUEST);
}

static void a_newer_apiversions_gets_error_35_in_version_0(void **state)
{
    static const uint8_t frame[] = {0, 0, 0, 11, 0, 18, 0, 99, 0, 0, 0, 9, 0xff, 0xff, 0};
    struct api_versions_response m;
    struct wire_reader r;

    (void)state;
    assert_int_equal(send(c.fd, frame, sizeof frame, 0), sizeof frame);
    raw_receive(&c, API_API_VERSIONS, 0, 9, &r);
    assert_int_equal(api_versions_response_decode(&m, &r, 0), 0);
    assert_int_equal(m.error_code, KAFKA_UNSUPPORTED_VERSION);
    assert_int_equal(m.api_keys.n, 1);
    assert_int_equal(m.api_keys.v[0].api_key, API_API_VERSIONS);
    /* and the connection lives on */
    assert_int_equal(ask_versions(&c, 0, "").error_code, 0);
}

static void what_is_not_listed_closes_the_connection(void **state)
{
    static const struct {
        int16_t key, version;
    } bad[] = {{API_PRODUCE, 0},
               {API_PRODUCE, 2},
               {API_PRODUCE, 14},
               {API_FETCH, 3},
               {API_FETCH, 19},
               {API_METADATA, 14},
               {API_SASL_HANDSHAKE, 1},
               {API_JOIN_GROUP, 2},
               {4, 0},
               {999, 0},
               {-1, 0}};

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        uint8_t frame[20] = {0, 0, 0, 12};
        struct raw conn;
        raw_open(&conn, &rig);
        frame[4] = (uint8_t)(bad[i].key >> 8);
        frame[5] = (uint8_t)bad[i].key;
        frame[7] = (uint8_t)bad[i].version;
        frame[12] = frame[13] = 0xff;
        assert_int_equal(send(conn.fd, frame, 16, 0), 16);
        assert_true(raw_closed(&conn));
        raw_close(&conn);
    }
}

/* ---- produce and fetch ---- */

static void assert_values(struct slice records, int from, int count)
{
    struct record_iter *it;
    struct record rec;
    struct batch b;
    int seen = 0;
    char want[16];

    assert_int_equal(record_iter_new(&it, NULL), 0);
    while (records.n > 0 && batch_parse(records, &b, NULL, NULL) == 0) {
        assert_int_equal(batch_check_crc(&b, NULL), 0);
        assert_int_equal(b.leader_epoch, 0);
        assert_int_equal(record_iter_begin(it, &b, 0, NULL), 0);
        while (record_next(it, &rec, NULL) == 1) {
            snprintf(want, sizeof want, "v%d", from + seen);
            assert_int_equal(rec.offset, from + seen);
            assert_memory_equal(rec.value.p, want, strlen(want));
            seen++;
        }
        records = slice_of(records.p + b.size, records.n - b.size);
    }
    record_iter_free(it);
    assert_int_equal(seen, count);
}

static void every_version_of_produce_and_fetch(void **state)
{
    struct uuid id = raw_create(&c, "t", 1, NULL);
    struct batch_builder w = {0};
    int at = 0;

    (void)state;
    for (int16_t v = 3; v <= 13; v++)
        for (int16_t acks = -1; acks <= 1; acks += 2) {
            struct produced p =
                raw_produce(&c, v, "t", id, acks, make_batch(&w, at, 10, 5, -1, -1));
            assert_int_equal(p.error, 0);
            assert_int_equal(p.base_offset, at);
            at += 10;
        }
    for (int16_t v = 4; v <= 18; v++)
        for (int8_t isolation = 0; isolation <= 1; isolation++) {
            struct fetch_ask a = {
                .topic = "t", .id = id, .max_wait = 30000, .min_bytes = 1, .isolation = isolation};
            struct fetched f;
            do { /* acks=1 was answered before it was stable */
                f = raw_fetch(&c, v, &a);
                assert_int_equal(f.error, 0);
            } while (f.high_watermark < at);
            assert_int_equal(f.last_stable, at);
            assert_int_equal(f.log_start, v >= 5 ? 0 : -1);
            assert_values(f.records, 0, at);
        }
    batch_builder_free(&w);
}

static void fetch_obeys_its_limits(void **state)
{
    struct uuid id = raw_create(&c, "t", 1, NULL);
    struct batch_builder w = {0};
    struct fetch_ask a = {
        .topic = "t", .id = id, .max_wait = 0, .min_bytes = 1, .max_bytes = 1, .partition_max = 1};
    struct fetched f;

    (void)state;
    for (int i = 0; i < 3; i++)
        assert_int_equal(
            raw_produce(&c, 9, "t", id, -1, make_batch(&w, i * 10, 10, 100, -1, -1)).error, 0);
    f = raw_fetch(&c, 12, &a); /* the first batch comes whole */
    assert_values(f.records, 0, 10);
    a.offset = 15; /* from the middle of a batch: all of it */
    f = raw_fetch(&c, 12, &a);
    assert_values(f.records, 10, 10);
    a.offset = 30;
    f = raw_fetch(&c, 12, &a);
    assert_int_equal(f.error, 0);
    assert_int_equal(f.records.n, 0);
    assert_false(f.null_records);
    a.offset = 31;
    assert_int_equal(raw_fetch(&c, 12, &a).error, KAFKA_OFFSET_OUT_OF_RANGE);
    a.offset = -5;
    assert_int_equal(raw_fetch(&c, 12, &a).error, KAFKA_OFFSET_OUT_OF_RANGE);
    a = (struct fetch_ask){.topic = "none", .min_bytes = 1};
    assert_int_equal(raw_fetch(&c, 12, &a).error, KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
    a.id.b[3] = 1;
    assert_int_equal(raw_fetch(&c, 13, &a).error, KAFKA_UNKNOWN_TOPIC_ID);
    batch_builder_free(&w);
}

static void a_parked_fetch_holds_back_answers_but_not_work(void **state)
{
    struct uuid id = raw_create(&c, "t", 1, NULL);
    struct fetch_ask a = {.topic = "t", .id = id, .max_wait = 60000, .min_bytes = 1};
    struct batch_builder w = {0};
    struct produced p;
    struct fetched f;

    (void)state;
    raw_send_fetch(&c, 12, &a, 1);
    /* on the same connection: it is appended, and wakes the fetch, whose answer comes first */
    raw_send_produce(&c, 9, "t", id, 1, make_batch(&w, 0, 3, 5, -1, -1), 2);
    raw_receive_fetch(&c, 12, 1, &f);
    assert_values(f.records, 0, 3);
    raw_receive_produce(&c, 9, 2, &p);
    assert_int_equal(p.base_offset, 0);
    batch_builder_free(&w);
}

/* What Java's consumer says farewell with. Nothing could come that is worth waiting for. */
static void a_fetch_of_nothing_does_not_wait(void **state)
{
    struct fetch_request_fetch_topic t;
    struct fetch_request q;
    struct fetch_response m;
    struct wire_reader r;

    (void)state;
    raw_create(&c, "t", 1, NULL);
    fetch_request_fetch_topic_init(&t);
    t.topic = slice_str("t");
    for (int topics = 0; topics < 2; topics++) {
        struct buf b = {0};
        fetch_request_init(&q);
        q.max_wait_ms = INT32_MAX;
        q.min_bytes = 1;
        q.session_epoch = -1;
        q.topics.v = &t;
        q.topics.n = topics;
        assert_int_equal(fetch_request_encode(&q, &b, 12), 0);
        raw_send(&c, API_FETCH, 12, 5, &b);
        raw_receive(&c, API_FETCH, 12, 5, &r);
        assert_int_equal(fetch_response_decode(&m, &r, 12), 0);
        assert_int_equal(m.error_code, 0);
        assert_int_equal(m.responses.n, topics);
    }
}

static void acks_0_is_not_answered(void **state)
{
    struct uuid id = raw_create(&c, "t", 1, NULL);
    struct batch_builder w = {0};
    struct slice b;

    (void)state;
    raw_send_produce(&c, 9, "t", id, 0, make_batch(&w, 0, 1, 5, -1, -1), 1);
    assert_int_equal(raw_produce(&c, 9, "t", id, -1, make_batch(&w, 1, 1, 5, -1, -1)).base_offset,
                     1);
    b = make_batch(&w, 1, 1, 5, -1, -1);
    ((uint8_t *)(uintptr_t)b.p)[b.n - 2] ^= 1; /* a bad CRC: closing is the only way to tell */
    raw_send_produce(&c, 9, "t", id, 0, b, 1);
    assert_true(raw_closed(&c));
    batch_builder_free(&w);
}

static void bad_produce_is_refused_with_kafkas_codes(void **state)
{
    static const char *const small[] = {"max.message.bytes", "200", NULL};
    struct uuid id = raw_create(&c, "t", 1, small);
    struct batch_builder w = {0};
    struct slice b;

    (void)state;
    assert_int_equal(raw_produce(&c, 9, "t", id, 2, make_batch(&w, 0, 1, 5, -1, -1)).error,
                     KAFKA_INVALID_REQUIRED_ACKS);
    assert_int_equal(raw_produce(&c, 9, "t", id, 1, make_batch(&w, 0, 1, 500, -1, -1)).error,
                     KAFKA_MESSAGE_TOO_LARGE);
    assert_int_equal(raw_produce(&c, 9, "no", id, 1, make_batch(&w, 0, 1, 5, -1, -1)).error,
                     KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
    b = make_batch(&w, 0, 1, 5, -1, -1);
    ((uint8_t *)(uintptr_t)b.p)[b.n - 2] ^= 1;
    assert_int_equal(raw_produce(&c, 9, "t", id, 1, b).error, KAFKA_CORRUPT_MESSAGE);
    assert_int_equal(raw_produce(&c, 9, "t", id, 1, make_batch(&w, 0, 1, 5, -1, -1)).base_offset,
                     0);
    batch_builder_free(&w);
}

static void duplicates_get_their_first_offset(void **state)
{
    struct uuid id = raw_create(&c, "t", 1, NULL);
    struct init_producer_id_request q;
    struct init_producer_id_response m;
    struct batch_builder w = {0};
    struct wire_reader r;
    int64_t last = -1;

    (void)state;
    for (int16_t v = 0; v <= 5; v++) {
        struct buf b = {0};
        init_producer_id_request_init(&q);
        q.transactional_id = (struct slice){NULL, 0};
        q.transaction_timeout_ms = 1000;
        assert_int_equal(init_producer_id_request_encode(&q, &b, v), 0);
        raw_send(&c, API_INIT_PRODUCER_ID, v, 3, &b);
        raw_receive(&c, API_INIT_PRODUCER_ID, v, 3, &r);
        assert_int_equal(init_producer_id_response_decode(&m, &r, v), 0);
        assert_int_equal(wire_left(&r), 0);
        assert_int_equal(m.error_code, 0);
        assert_true(m.producer_id > last);
        last = m.producer_id;
    }
    for (int i = 0; i < 3; i++)
        for (int again = 0; again < 2; again++) {
            struct produced p =
                raw_produce(&c, 9, "t", id, -1, make_batch(&w, i * 4, 4, 5, last, i * 4));
            assert_int_equal(p.error, 0);
            assert_int_equal(p.base_offset, i * 4);
        }
    assert_int_equal(raw_produce(&c, 9, "t", id, -1, make_batch(&w, 0, 4, 5, last, 99)).error,
                     KAFKA_OUT_OF_ORDER_SEQUENCE_NUMBER);
    batch_builder_free(&w);
}

/* ---- topics ---- */

static void deletion_wakes_a_parked_fetch_and_ids_go_stale(void **state)
{
    struct uuid id = raw_create(&c, "t", 1, NULL), second;
    struct fetch_ask a = {.topic = "t", .id = id, .max_wait = 60000, .min_bytes = 1};
    struct batch_builder w = {0};
    struct raw by_name, by_id;
    struct fetched f;

    (void)state;
    raw_open(&by_name, &rig);
    raw_open(&by_id, &rig);
    raw_send_fetch(&by_name, 12, &a, 1);
    raw_send_fetch(&by_id, 13, &a, 1);
    assert_int_equal(raw_delete(&c, "t"), 0);
    raw_receive_fetch(&by_name, 12, 1, &f);
    assert_int_equal(f.error, KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
    raw_receive_fetch(&by_id, 13, 1, &f); /* its id was known when it came */
    assert_int_equal(f.error, KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
    assert_int_equal(raw_fetch(&c, 13, &a).error, KAFKA_UNKNOWN_TOPIC_ID);
    assert_int_equal(raw_delete(&c, "t"), KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
    second = raw_create(&c, "t", 1, NULL);
    assert_false(uuid_eq(id, second));
    assert_int_equal(raw_produce(&c, 13, "t", id, 1, make_batch(&w, 0, 1, 5, -1, -1)).error,
                     KAFKA_UNKNOWN_TOPIC_ID);
    assert_int_equal(
        raw_produce(&c, 13, "t", second, 1, make_batch(&w, 0, 1, 5, -1, -1)).base_offset, 0);
    raw_close(&by_name);
    raw_close(&by_id);
    batch_builder_free(&w);
}

static void everything_is_there_after_a_restart(void **state)
{
    static const char *const rolls[] = {"segment.bytes", "500", NULL};
    struct uuid id = raw_create(&c, "kept", 2, rolls);
    struct batch_builder w = {0};
    struct fetch_ask a = {.topic = "kept", .id = id, .max_wait = 0, .min_bytes = 0};
    int at = 0;

    (void)state;
    for (; at < 100; at += 10)
        assert_int_equal(
            raw_produce(&c, 9, "kept", id, -1, make_batch(&w, at, 10, 20, -1, -1)).error, 0);
    raw_close(&c);
    assert_int_equal(broker_free(rig.broker, 1000, NULL), 0);
    rig_restart(&rig, NULL);
    raw_open(&c, &rig);
    for (int64_t seen = 0; seen < 100; seen += 10) {
        struct fetched f;
        a.offset = seen;
        a.max_bytes = a.partition_max = 1;
        f = raw_fetch(&c, 13, &a);
        assert_int_equal(f.high_watermark, 100);
        assert_values(f.records, (int)seen, 10);
    }
    assert_int_equal(
        raw_produce(&c, 13, "kept", id, 1, make_batch(&w, at, 1, 5, -1, -1)).base_offset, 100);
    batch_builder_free(&w);
}

static struct metadata_response ask_metadata(int16_t v, const char *topic, bool all)
{
    struct metadata_request_topic t;
    struct metadata_request q;
    struct metadata_response m;
    struct wire_reader r;
    struct buf b = {0};

    metadata_request_init(&q);
    metadata_request_topic_init(&t);
    t.name = slice_str(topic);
    q.topics.v = &t;
    q.topics.n = all ? (v == 0 ? 0 : -1) : 1;
    assert_int_equal(metadata_request_encode(&q, &b, v), 0);
    raw_send(&c, API_METADATA, v, 4, &b);
    raw_receive(&c, API_METADATA, v, 4, &r);
    assert_int_equal(metadata_response_decode(&m, &r, v), 0);
    assert_int_equal(wire_left(&r), 0);
    return m;
}

static void metadata_in_every_version(void **state)
{
    struct uuid id = raw_create(&c, "there", 3, NULL);
    char name[16];

    (void)state;
    for (int16_t v = 0; v <= 13; v++) {
        struct metadata_response m = ask_metadata(v, "there", v % 2);
        assert_int_equal(m.brokers.n, 1);
        assert_int_equal(m.brokers.v[0].node_id, 1);
        assert_int_equal(m.brokers.v[0].port, broker_listener(rig.broker, 0)->port);
        assert_int_equal(m.topics.v[0].error_code, 0);
        assert_int_equal(m.topics.v[0].partitions.n, 3);
        assert_int_equal(m.topics.v[0].partitions.v[2].leader_id, 1);
        if (v >= 10)
            assert_true(uuid_eq(m.topics.v[0].topic_id, id));
    }
    for (int16_t v = 0; v <= 13; v++) { /* made because it was asked for */
        snprintf(name, sizeof name, "auto%d", v);
        assert_int_equal(ask_metadata(v, name, false).topics.v[0].error_code,
                         KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
        while (ask_metadata(v, name, false).topics.v[0].error_code != 0)
            ;
    }
    assert_int_equal(ask_metadata(9, "bad name", false).topics.v[0].error_code,
                     KAFKA_INVALID_TOPIC_EXCEPTION);
    assert_int_equal(ask_metadata(9, "auto_1", false).topics.v[0].error_code,
                     KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
}

static int64_t ask_offset(int16_t v, int64_t timestamp, int16_t *error, int64_t *time)
{
    struct list_offsets_request_list_offsets_topic t;
    struct list_offsets_request_list_offsets_partition p;
    struct list_offsets_request q;
    struct list_offsets_response m;
    struct wire_reader r;
    struct buf b = {0};

    list_offsets_request_init(&q);
    list_offsets_request_list_offsets_topic_init(&t);
    list_offsets_request_list_offsets_partition_init(&p);
    q.replica_id = -1;
    p.timestamp = timestamp;
    t.name = slice_str("t");
    t.partitions.v = &p;
    t.partitions.n = 1;
    q.topics.v = &t;
    q.topics.n = 1;
    assert_int_equal(list_offsets_request_encode(&q, &b, v), 0);
    raw_send(&c, API_LIST_OFFSETS, v, 6, &b);
    raw_receive(&c, API_LIST_OFFSETS, v, 6, &r);
    assert_int_equal(list_offsets_response_decode(&m, &r, v), 0);
    assert_int_equal(wire_left(&r), 0);
    *error = m.topics.v[0].partitions.v[0].error_code;
    *time = m.topics.v[0].partitions.v[0].timestamp;
    return m.topics.v[0].partitions.v[0].offset;
}

/* The topics that are named, with so many partitions of the index 0 each; which is an error. */
static void named_twice(const char *first, int32_t n, const char *second, int32_t m, int32_t topics)
{
    struct list_offsets_request_list_offsets_partition p[2];
    struct list_offsets_request_list_offsets_topic t[2];
    struct list_offsets_response out;
    struct list_offsets_request q;
    struct wire_reader r;
    struct buf b = {0};

    list_offsets_request_init(&q);
    for (int i = 0; i < 2; i++) {
        list_offsets_request_list_offsets_partition_init(&p[i]);
        list_offsets_request_list_offsets_topic_init(&t[i]);
        p[i].timestamp = -1 - i;
        t[i].name = slice_str(i ? second : first);
        t[i].partitions.v = p;
        t[i].partitions.n = i ? m : n;
    }
    q.topics.v = t;
    q.topics.n = m > 0 ? 2 : 1;
    assert_int_equal(list_offsets_request_encode(&q, &b, 7), 0);
    raw_send(&c, API_LIST_OFFSETS, 7, 6, &b);
    raw_receive(&c, API_LIST_OFFSETS, 7, 6, &r);
    assert_int_equal(list_offsets_response_decode(&out, &r, 7), 0);
    assert_int_equal(out.topics.n, topics);
    assert_int_equal(out.topics.v[0].partitions.n, 1);
    assert_int_equal(out.topics.v[0].partitions.v[0].error_code, KAFKA_INVALID_REQUEST);
    assert_int_equal(out.topics.v[0].partitions.v[0].offset, -1);
    if (topics > 1) {
        assert_int_equal(out.topics.v[1].partitions.v[0].error_code, 0);
        assert_int_equal(out.topics.v[1].partitions.v[0].leader_epoch, 0); /* though it is empty */
    }
}

static void a_partition_named_twice_has_no_offset(void **state)
{
    (void)state;
    raw_create(&c, "t", 1, NULL);
    raw_create(&c, "other", 1, NULL);
    named_twice("t", 2, "", 0, 1);
    named_twice("t", 1, "t", 1, 1);
    named_twice("none", 2, "", 0, 1);
    named_twice("t", 2, "other", 1, 2);
}

static void offsets_in_every_version(void **state)
{
    struct uuid id = raw_create(&c, "t", 1, NULL);
    struct batch_builder w = {0};
    int64_t time;
    int16_t error;

    (void)state;
    /* timestamps 1700000000000 + 0..9 */
    assert_int_equal(raw_produce(&c, 9, "t", id, -1, make_batch(&w, 0, 10, 5, -1, -1)).error, 0);
    for (int16_t v = 1; v <= 11; v++) {
        assert_int_equal(ask_offset(v, -1, &error, &time), 10);
        assert_int_equal(ask_offset(v, -2, &error, &time), 0);
        assert_int_equal(ask_offset(v, 1700000000004, &error, &time), 4);
        assert_int_equal(time, 1700000000004);
        assert_int_equal(ask_offset(v, 1700000000010, &error, &time), -1);
        assert_int_equal(error, 0);
        ask_offset(v, -3, &error, &time);
        assert_int_equal(error, v < 7 ? KAFKA_UNSUPPORTED_VERSION : 0);
        assert_int_equal(time, v < 7 ? -1 : 1700000000009);
        ask_offset(v, -4, &error, &time);
        assert_int_equal(error, v < 8 ? KAFKA_UNSUPPORTED_VERSION : 0);
        ask_offset(v, -5, &error, &time);
        assert_int_equal(error, v < 9 ? KAFKA_UNSUPPORTED_VERSION : 0);
        ask_offset(v, -9, &error, &time);
        assert_int_equal(error, KAFKA_UNSUPPORTED_VERSION);
    }
    batch_builder_free(&w);
}

static void coordinator_in_every_version(void **state)
{
    (void)state;
    for (int16_t v = 0; v <= 6; v++)
        for (int8_t type = 0; type <= (v ? 1 : 0); type++) {
            struct slice key = slice_str("g");
            struct find_coordinator_request q;
            struct find_coordinator_response m;
            struct wire_reader r;
            struct buf b = {0};
            int16_t error;
            find_coordinator_request_init(&q);
            if (v < 4)
                q.key = key;
            q.key_type = type;
            q.coordinator_keys.v = &key;
            q.coordinator_keys.n = v >= 4;
            assert_int_equal(find_coordinator_request_encode(&q, &b, v), 0);
            raw_send(&c, API_FIND_COORDINATOR, v, 8, &b);
            raw_receive(&c, API_FIND_COORDINATOR, v, 8, &r);
            assert_int_equal(find_coordinator_response_decode(&m, &r, v), 0);
            assert_int_equal(wire_left(&r), 0);
            error = v < 4 ? m.error_code : m.coordinators.v[0].error_code;
            assert_int_equal(error, type ? KAFKA_TRANSACTIONAL_ID_AUTHORIZATION_FAILED : 0);
            assert_int_equal(v < 4 ? m.node_id : m.coordinators.v[0].node_id, type ? -1 : 1);
        }
}

#define WITH_BROKER(f) cmocka_unit_test_setup_teardown(f, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_BROKER(versions_are_listed),
        WITH_BROKER(a_newer_apiversions_gets_error_35_in_version_0),
        WITH_BROKER(what_is_not_listed_closes_the_connection),
        WITH_BROKER(every_version_of_produce_and_fetch),
        WITH_BROKER(fetch_obeys_its_limits),
        WITH_BROKER(a_parked_fetch_holds_back_answers_but_not_work),
        WITH_BROKER(a_fetch_of_nothing_does_not_wait),
        WITH_BROKER(acks_0_is_not_answered),
        WITH_BROKER(bad_produce_is_refused_with_kafkas_codes),
        WITH_BROKER(duplicates_get_their_first_offset),
        WITH_BROKER(deletion_wakes_a_parked_fetch_and_ids_go_stale),
        WITH_BROKER(everything_is_there_after_a_restart),
        WITH_BROKER(metadata_in_every_version),
        WITH_BROKER(offsets_in_every_version),
        WITH_BROKER(a_partition_named_twice_has_no_offset),
        WITH_BROKER(coordinator_in_every_version),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
