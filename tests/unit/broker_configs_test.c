/* Configurations of topics and brokers: what is told, what may be changed, and that it acts. */
#include "broker_support.h"

#include "broker/config.h"
#include "wire/alter_configs_request.h"
#include "wire/alter_configs_response.h"
#include "wire/describe_configs_request.h"
#include "wire/describe_configs_response.h"
#include "wire/error.h"
#include "wire/incremental_alter_configs_request.h"
#include "wire/incremental_alter_configs_response.h"
#include "wire/list_config_resources_request.h"
#include "wire/list_config_resources_response.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { TOPIC = 2, BROKER = 4 };
enum { SET, REMOVE, APPEND, SUBTRACT };
enum { SOURCE_TOPIC = 1, SOURCE_OWN, SOURCE_ALL, SOURCE_FILE, SOURCE_DEFAULT };

static struct rig rig;
static struct raw c;

static int start_with(const char *const *settings)
{
    rig_start(&rig, settings);
    raw_open(&c, &rig);
    return 0;
}

static int start(void **state)
{
    (void)state;
    return start_with(NULL);
}

static int stop(void **state)
{
    (void)state;
    raw_close(&c);
    rig_stop(&rig);
    return 0;
}

static void restart(const char *const *settings)
{
    raw_close(&c);
    assert_int_equal(broker_free(rig.broker, 1000, NULL), 0);
    rig_restart(&rig, settings);
    raw_open(&c, &rig);
}

/* ---- asking ---- */

typedef struct describe_configs_response_describe_configs_result described;
typedef struct describe_configs_response_describe_configs_resource_result config;

/* key: NULL for all. Valid until the next answer. */
static described *describe(int16_t v, int8_t type, const char *name, const char *key)
{
    static struct describe_configs_response m;
    struct describe_configs_request_describe_configs_resource res;
    struct slice keys = slice_str(key ? key : "");
    struct describe_configs_request q;
    struct wire_reader r;
    struct buf b = {0};

    describe_configs_request_init(&q);
    describe_configs_request_describe_configs_resource_init(&res);
    res.resource_type = type;
    res.resource_name = slice_str(name);
    res.configuration_keys.v = &keys;
    res.configuration_keys.n = key ? 1 : -1;
    q.resources.v = &res;
    q.resources.n = 1;
    q.include_synonyms = true;
    q.include_documentation = v >= 3;
    assert_int_equal(describe_configs_request_encode(&q, &b, v), 0);
    raw_send(&c, API_DESCRIBE_CONFIGS, v, 5, &b);
    raw_receive(&c, API_DESCRIBE_CONFIGS, v, 5, &r);
    assert_int_equal(describe_configs_response_decode(&m, &r, v), 0);
    assert_int_equal(wire_left(&r), 0);
    assert_int_equal(m.results.n, 1);
    assert_int_equal(m.results.v[0].resource_type, type);
    assert_true(slice_eq_str(m.results.v[0].resource_name, name));
    return &m.results.v[0];
}

/* value NULL: it is null. */
static config *check(int8_t type, const char *name, const char *key, const char *value,
                     int8_t source)
{
    described *d = describe(4, type, name, key);
    config *k;

    assert_int_equal(d->error_code, 0);
    assert_int_equal(d->configs.n, 1);
    k = &d->configs.v[0];
    assert_true(slice_eq_str(k->name, key));
    if (value ? !slice_eq_str(k->value, value) : !slice_is_null(k->value))
        fail_msg("%s of %s: %.*s, not %s", key, name, (int)k->value.n, (const char *)k->value.p,
                 value ? value : "null");
    assert_int_equal(k->config_source, source);
    return k;
}

static void check_synonym(const config *k, int32_t i, const char *name, const char *value,
                          int8_t source)
{
    assert_true(i < k->synonyms.n);
    assert_true(slice_eq_str(k->synonyms.v[i].name, name));
    assert_true(slice_eq_str(k->synonyms.v[i].value, value));
    assert_int_equal(k->synonyms.v[i].source, source);
}

struct op {
    const char *name;
    int8_t op;
    const char *value;
};

/* ops end with a NULL name. error of the one resource. */
static int16_t incremental(int16_t v, int8_t type, const char *name, bool validate_only,
                           const struct op *ops)
{
    struct incremental_alter_configs_request_alterable_config configs[8];
    struct incremental_alter_configs_request_alter_configs_resource res;
    struct incremental_alter_configs_request q;
    struct incremental_alter_configs_response m;
    struct wire_reader r;
    struct buf b = {0};

    incremental_alter_configs_request_init(&q);
    incremental_alter_configs_request_alter_configs_resource_init(&res);
    res.resource_type = type;
    res.resource_name = slice_str(name);
    res.configs.v = configs;
    for (; ops->name; ops++) {
        struct incremental_alter_configs_request_alterable_config *o = &configs[res.configs.n++];
        incremental_alter_configs_request_alterable_config_init(o);
        o->name = slice_str(ops->name);
        o->config_operation = ops->op;
        o->value = ops->value ? slice_str(ops->value) : (struct slice){NULL, 0};
    }
    q.resources.v = &res;
    q.resources.n = 1;
    q.validate_only = validate_only;
    assert_int_equal(incremental_alter_configs_request_encode(&q, &b, v), 0);
    raw_send(&c, API_INCREMENTAL_ALTER_CONFIGS, v, 6, &b);
    raw_receive(&c, API_INCREMENTAL_ALTER_CONFIGS, v, 6, &r);
    assert_int_equal(incremental_alter_configs_response_decode(&m, &r, v), 0);
    assert_int_equal(wire_left(&r), 0);
    assert_int_equal(m.responses.n, 1);
    assert_int_equal(slice_is_null(m.responses.v[0].error_message),
                     m.responses.v[0].error_code == 0);
    return m.responses.v[0].error_code;
}

static int16_t one(int8_t type, const char *name, const char *key, int8_t op, const char *value)
{
    const struct op ops[] = {{key, op, value}, {NULL, 0, NULL}};

    return incremental(1, type, name, false, ops);
}

/* All that the resource is to have: one setting, or (NULL) none. */
static int16_t replace(int16_t v, int8_t type, const char *name, const char *key, const char *value)
{
    struct alter_configs_request_alterable_config set;
    struct alter_configs_request_alter_configs_resource res;
    struct alter_configs_request q;
    struct alter_configs_response m;
    struct wire_reader r;
    struct buf b = {0};

    alter_configs_request_init(&q);
    alter_configs_request_alter_configs_resource_init(&res);
    alter_configs_request_alterable_config_init(&set);
    set.name = slice_str(key ? key : "");
    set.value = value ? slice_str(value) : (struct slice){NULL, 0};
    res.resource_type = type;
    res.resource_name = slice_str(name);
    res.configs.v = &set;
    res.configs.n = key ? 1 : 0;
    q.resources.v = &res;
    q.resources.n = 1;
    assert_int_equal(alter_configs_request_encode(&q, &b, v), 0);
    raw_send(&c, API_ALTER_CONFIGS, v, 7, &b);
    raw_receive(&c, API_ALTER_CONFIGS, v, 7, &r);
    assert_int_equal(alter_configs_response_decode(&m, &r, v), 0);
    assert_int_equal(wire_left(&r), 0);
    return m.responses.v[0].error_code;
}

/* ---- what is told ---- */

static void a_topic_in_every_version(void **state)
{
    static const char *const set[] = {"retention.ms", "1000", "max.message.bytes", "2000", NULL};

    (void)state;
    raw_create(&c, "t", 1, set);
    for (int16_t v = 1; v <= 4; v++) {
        described *d = describe(v, TOPIC, "t", NULL);
        int n = 0;
        while (config_keys[n].topic)
            n++;
        assert_int_equal(d->error_code, 0);
        assert_int_equal(d->configs.n, n);
        for (int32_t i = 0; i < d->configs.n; i++) {
            config *k = &d->configs.v[i];
            assert_false(k->read_only);
            assert_false(k->is_sensitive);
            assert_false(slice_is_null(k->value));
            assert_int_equal(k->config_type > 0, v >= 3);
            assert_int_equal(k->documentation.n > 0, v >= 3);
        }
    }
}

/* As seen on a running node of Apache Kafka 4.3.1. */
static void synonyms_are_kafkas(void **state)
{
    static const char *const set[] = {"retention.ms", "1000", "max.message.bytes", "2000", NULL};
    config *k;

    (void)state;
    raw_create(&c, "t", 1, set);
    k = check(TOPIC, "t", "retention.ms", "1000", SOURCE_TOPIC);
    assert_int_equal(k->synonyms.n, 1);
    check_synonym(k, 0, "retention.ms", "1000", SOURCE_TOPIC);
    k = check(TOPIC, "t", "max.message.bytes", "2000", SOURCE_TOPIC);
    assert_int_equal(k->synonyms.n, 2);
    check_synonym(k, 1, "message.max.bytes", "1048588", SOURCE_DEFAULT);
    k = check(TOPIC, "t", "segment.ms", "604800000", SOURCE_DEFAULT);
    assert_int_equal(k->synonyms.n, 0);
    assert_int_equal(one(BROKER, "", "log.retention.ms", SET, "88888"), 0);
    assert_int_equal(one(BROKER, "1", "log.retention.ms", SET, "77777"), 0);
    k = check(TOPIC, "t", "retention.ms", "1000", SOURCE_TOPIC);
    assert_int_equal(k->synonyms.n, 4);
    check_synonym(k, 1, "log.retention.ms", "77777", SOURCE_OWN);
    check_synonym(k, 2, "log.retention.ms", "88888", SOURCE_ALL);
    check_synonym(k, 3, "log.retention.hours", "168", SOURCE_DEFAULT);
}

static void a_broker(void **state)
{
    static const char *const file[] = {
        "log.roll.hours", "2", "ssl.key.password", "secret", "num.partitions", "3", NULL};
    described *d;
    config *k;

    (void)state;
    start_with(file);
    d = describe(4, BROKER, "1", NULL);
    assert_int_equal(d->error_code, 0);
    assert_true(d->configs.n > 300);
    for (int32_t i = 0; i < d->configs.n; i++)
        assert_true(d->configs.v[i].documentation.n > 0);
    k = check(BROKER, "1", "num.partitions", "3", SOURCE_FILE);
    assert_true(k->read_only);
    check_synonym(k, 0, "num.partitions", "3", SOURCE_FILE);
    check_synonym(k, 1, "num.partitions", "1", SOURCE_DEFAULT);
    k = check(BROKER, "1", "ssl.key.password", NULL, SOURCE_FILE);
    assert_true(k->is_sensitive);
    assert_int_equal(k->synonyms.n, 1);
    assert_true(slice_is_null(k->synonyms.v[0].value));
    assert_non_null(memmem(k->documentation.p, k->documentation.n, "without effect", 14));
    k = check(BROKER, "1", "message.max.bytes", "1048588", SOURCE_DEFAULT);
    assert_false(k->read_only);
    assert_null(memmem(k->documentation.p, k->documentation.n, "without effect", 14));
    k = check(BROKER, "1", "listeners", "127.0.0.1:0", SOURCE_FILE);
    check(BROKER, "1", "log.dirs", rig.dir, SOURCE_FILE);
    /* an older name in another unit */
    check(BROKER, "1", "log.roll.ms", NULL, SOURCE_DEFAULT);
    raw_create(&c, "t", 1, NULL);
    check(TOPIC, "t", "segment.ms", "7200000", SOURCE_FILE);
    assert_int_equal(one(BROKER, "1", "log.roll.ms", SET, "5000"), 0);
    check(TOPIC, "t", "segment.ms", "5000", SOURCE_OWN);
    /* all brokers': only what was set */
    assert_int_equal(describe(4, BROKER, "", NULL)->configs.n, 0);
    assert_int_equal(one(BROKER, "", "log.roll.ms", SET, "6000"), 0);
    d = describe(4, BROKER, "", NULL);
    assert_int_equal(d->configs.n, 1);
    assert_int_equal(d->configs.v[0].config_source, SOURCE_ALL);
    assert_true(slice_eq_str(d->configs.v[0].value, "6000"));
}

static void what_cannot_be_described(void **state)
{
    (void)state;
    raw_create(&c, "t", 1, NULL);
    assert_int_equal(describe(4, TOPIC, "none", NULL)->error_code,
                     KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
    assert_int_equal(describe(4, TOPIC, "b d", NULL)->error_code, KAFKA_INVALID_TOPIC_EXCEPTION);
    assert_int_equal(describe(4, BROKER, "2", NULL)->error_code, KAFKA_INVALID_REQUEST);
    assert_int_equal(describe(4, BROKER, "x", NULL)->error_code, KAFKA_INVALID_REQUEST);
    assert_int_equal(describe(4, 3, "x", NULL)->error_code, KAFKA_INVALID_REQUEST);
    assert_int_equal(describe(4, TOPIC, "t", "no.such")->configs.n, 0);
}

/* ---- what is changed ---- */

static int16_t produce(struct uuid id, size_t size)
{
    struct batch_builder w = {0};
    int16_t error = raw_produce(&c, 9, "t", id, -1, make_batch(&w, 0, 1, size, -1, -1)).error;

    batch_builder_free(&w);
    return error;
}

/* own > this broker's > all brokers' > the file's > the default, at once and after a restart. */
static void precedence_acts_at_once(void **state)
{
    static const char *const file[] = {"message.max.bytes", "500", NULL};
    struct uuid id;

    (void)state;
    start_with(file);
    id = raw_create(&c, "t", 1, NULL);
    assert_int_equal(produce(id, 600), KAFKA_MESSAGE_TOO_LARGE);
    check(TOPIC, "t", "max.message.bytes", "500", SOURCE_FILE);
    assert_int_equal(one(BROKER, "", "message.max.bytes", SET, "700"), 0);
    assert_int_equal(produce(id, 600), 0);
    check(TOPIC, "t", "max.message.bytes", "700", SOURCE_ALL);
    assert_int_equal(one(BROKER, "1", "message.max.bytes", SET, "400"), 0);
    assert_int_equal(produce(id, 600), KAFKA_MESSAGE_TOO_LARGE);
    check(TOPIC, "t", "max.message.bytes", "400", SOURCE_OWN);
    assert_int_equal(one(TOPIC, "t", "max.message.bytes", SET, "900"), 0);
    assert_int_equal(produce(id, 800), 0);
    restart(file);
    check(TOPIC, "t", "max.message.bytes", "900", SOURCE_TOPIC);
    assert_int_equal(produce(id, 800), 0);
    assert_int_equal(one(TOPIC, "t", "max.message.bytes", REMOVE, NULL), 0);
    assert_int_equal(produce(id, 600), KAFKA_MESSAGE_TOO_LARGE);
    assert_int_equal(one(BROKER, "1", "message.max.bytes", REMOVE, NULL), 0);
    assert_int_equal(produce(id, 600), 0);
    restart(NULL); /* a dynamic one is over the default, too */
    check(TOPIC, "t", "max.message.bytes", "700", SOURCE_ALL);
    assert_int_equal(produce(id, 800), KAFKA_MESSAGE_TOO_LARGE);
    assert_int_equal(one(BROKER, "", "message.max.bytes", REMOVE, NULL), 0);
    assert_int_equal(produce(id, 100000), 0);
    raw_create(&c, "new", 1, NULL);
    check(TOPIC, "new", "max.message.bytes", "1048588", SOURCE_DEFAULT);
}

static int16_t produce_keyed(struct uuid id, bool key, enum codec codec)
{
    struct batch_fields f = {.codec = codec,
                             .level = CODEC_LEVEL_DEFAULT,
                             .producer_id = -1,
                             .producer_epoch = -1,
                             .base_sequence = -1};
    struct slice null = {NULL, 0}, empty = slice_str(""), batch;
    struct batch_builder w = {0};
    int16_t error;

    batch_start(&w);
    batch_add(&w, 1700000000000, slice_str("k"), slice_str("first"), NULL, 0);
    batch_add(&w, 1700000000001, key ? empty : null, slice_str("second"), NULL, 0);
    assert_int_equal(batch_finish(&w, &f, &batch, NULL), 0);
    error = raw_produce(&c, 9, "t", id, -1, batch).error;
    batch_builder_free(&w);
    return error;
}

/* The one batch at offset 0 of the topic: in that codec, and with the records of produce_keyed. */
static void check_stored(struct uuid id, enum codec codec)
{
    static const char *const values[] = {"first", "second"};
    struct fetch_ask a = {.topic = "t", .id = id, .min_bytes = 1};
    struct fetched f = raw_fetch(&c, 12, &a);
    struct record_iter *it;
    struct batch b;
    struct record r;

    assert_int_equal(f.error, 0);
    assert_int_equal(batch_parse(f.records, &b, NULL, NULL), 0);
    assert_int_equal(batch_codec(&b), codec);
    assert_int_equal(batch_check_crc(&b, NULL), 0);
    assert_int_equal(batch_check_records(&b, 1 << 20, NULL), 0);
    assert_int_equal(b.max_timestamp, 1700000000001);
    assert_int_equal(record_iter_new(&it, NULL), 0);
    assert_int_equal(record_iter_begin(it, &b, 1 << 20, NULL), 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(record_next(it, &r, NULL), 1);
        assert_int_equal(r.offset, i);
        assert_int_equal(r.timestamp, 1700000000000 + i);
        assert_true(slice_eq_str(r.value, values[i]));
    }
    assert_int_equal(record_next(it, &r, NULL), 0);
    record_iter_free(it);
}

/* compression.type, from every codec to every codec; the level is the topic's. */
static void batches_are_stored_in_the_topics_codec(void **state)
{
    static const char *const types[] = {"uncompressed", "gzip", "snappy", "lz4", "zstd"};

    (void)state;
    for (enum codec from = CODEC_NONE; from < CODEC_COUNT; from++)
        for (enum codec to = CODEC_NONE; to <= CODEC_COUNT; to++) {
            const char *type = to < CODEC_COUNT ? types[to] : "producer";
            const char *const set[] = {"compression.type",
                                       type,
                                       "compression.zstd.level",
                                       "19",
                                       "compression.lz4.level",
                                       "17",
                                       NULL};
            struct uuid id = raw_create(&c, "t", 1, set);
            assert_int_equal(produce_keyed(id, true, from), 0);
            check_stored(id, to < CODEC_COUNT ? to : from);
            assert_int_equal(raw_delete(&c, "t"), 0);
        }
}

static void recoding_keeps_the_rules(void **state)
{
    static const char *const plain[] = {"compression.type", "uncompressed", "max.message.bytes",
                                        "1000", NULL};
    struct batch_fields f = {.codec = CODEC_GZIP,
                             .level = CODEC_LEVEL_DEFAULT,
                             .producer_id = 5,
                             .producer_epoch = 0,
                             .base_sequence = 0};
    struct uuid id = raw_create(&c, "t", 1, plain);
    struct batch_builder w = {0};
    static char zeros[5000];
    struct slice batch;

    (void)state;
    batch_start(&w);
    batch_add(&w, 1, slice_str("k"), slice_of(zeros, sizeof zeros), NULL, 0);
    assert_int_equal(batch_finish(&w, &f, &batch, NULL), 0);
    assert_true(batch.n < 1000); /* but not in the codec of the topic */
    assert_int_equal(raw_produce(&c, 9, "t", id, 1, batch).error, KAFKA_MESSAGE_TOO_LARGE);
    batch_start(&w);
    batch_add(&w, 1, slice_str("k"), slice_of(zeros, 500), NULL, 0);
    assert_int_equal(batch_finish(&w, &f, &batch, NULL), 0);
    for (int i = 0; i < 2; i++) { /* the second time it is a duplicate */
        struct produced p = raw_produce(&c, 9, "t", id, 1, batch);
        assert_int_equal(p.error, 0);
        assert_int_equal(p.base_offset, 0);
    }
    ((uint8_t *)(uintptr_t)batch.p)[batch.n - 1] ^= 1; /* recoding must not make it whole again */
    assert_int_equal(raw_produce(&c, 9, "t", id, 1, batch).error, KAFKA_CORRUPT_MESSAGE);
    batch_builder_free(&w);
}

/* Compaction could not tell what a record without a key is about. */
static void a_compacted_topic_wants_keys(void **state)
{
    struct uuid id = raw_create(&c, "t", 1, NULL);

    (void)state;
    for (enum codec codec = CODEC_NONE; codec < CODEC_COUNT; codec++) {
        assert_int_equal(produce_keyed(id, false, codec), 0);
        assert_int_equal(one(TOPIC, "t", "cleanup.policy", SET, "delete, compact"), 0);
        assert_int_equal(produce_keyed(id, false, codec), KAFKA_INVALID_RECORD);
        assert_int_equal(produce_keyed(id, true, codec), 0);
        assert_int_equal(one(TOPIC, "t", "cleanup.policy", REMOVE, NULL), 0);
    }
}

static void acks_all_wants_min_insync_replicas(void **state)
{
    struct uuid id = raw_create(&c, "t", 1, NULL);
    struct batch_builder w = {0};

    (void)state;
    assert_int_equal(one(TOPIC, "t", "min.insync.replicas", SET, "2"), 0);
    assert_int_equal(produce(id, 10), KAFKA_NOT_ENOUGH_REPLICAS);
    assert_int_equal(raw_produce(&c, 9, "t", id, 1, make_batch(&w, 0, 1, 10, -1, -1)).base_offset,
                     0);
    assert_int_equal(one(TOPIC, "t", "min.insync.replicas", SET, "1"), 0);
    assert_int_equal(one(BROKER, "", "min.insync.replicas", SET, "2"), 0);
    assert_int_equal(produce(id, 10), 0);
    assert_int_equal(one(TOPIC, "t", "min.insync.replicas", REMOVE, NULL), 0);
    assert_int_equal(produce(id, 10), KAFKA_NOT_ENOUGH_REPLICAS);
    assert_int_equal(one(BROKER, "", "min.insync.replicas", REMOVE, NULL), 0);
    assert_int_equal(produce(id, 10), 0);
    batch_builder_free(&w);
}

static void all_or_some(void **state)
{
    static const struct op two[] = {
        {"retention.ms", SET, "5"}, {"flush.ms", SET, "7"}, {NULL, 0, NULL}};
    static const struct op half[] = {
        {"retention.ms", SET, "6"}, {"segment.bytes", SET, "x"}, {NULL, 0, NULL}};

    (void)state;
    raw_create(&c, "t", 1, NULL);
    for (int16_t v = 0; v <= 1; v++) {
        assert_int_equal(incremental(v, TOPIC, "t", true, two), 0);
        check(TOPIC, "t", "flush.ms", v ? "7" : "9223372036854775807",
              v ? SOURCE_TOPIC : SOURCE_DEFAULT);
        assert_int_equal(incremental(v, TOPIC, "t", false, two), 0);
        assert_int_equal(incremental(v, TOPIC, "t", false, half), KAFKA_INVALID_CONFIG);
        check(TOPIC, "t", "retention.ms", "5", SOURCE_TOPIC); /* not half of it */
    }
    for (int16_t v = 0; v <= 2; v++) {
        assert_int_equal(one(TOPIC, "t", "flush.ms", SET, "7"), 0);
        assert_int_equal(replace(v, TOPIC, "t", "retention.ms", "8"), 0);
        check(TOPIC, "t", "retention.ms", "8", SOURCE_TOPIC);
        check(TOPIC, "t", "flush.ms", "9223372036854775807", SOURCE_DEFAULT);
        assert_int_equal(replace(v, TOPIC, "t", NULL, NULL), 0);
        check(TOPIC, "t", "retention.ms", "604800000", SOURCE_DEFAULT);
    }
}

static void lists_grow_and_shrink(void **state)
{
    (void)state;
    raw_create(&c, "t", 1, NULL);
    assert_int_equal(one(TOPIC, "t", "cleanup.policy", APPEND, "compact"), 0);
    check(TOPIC, "t", "cleanup.policy", "delete,compact", SOURCE_TOPIC);
    assert_int_equal(one(TOPIC, "t", "cleanup.policy", APPEND, "compact"), 0);
    check(TOPIC, "t", "cleanup.policy", "delete,compact", SOURCE_TOPIC);
    assert_int_equal(one(TOPIC, "t", "cleanup.policy", SUBTRACT, "delete"), 0);
    check(TOPIC, "t", "cleanup.policy", "compact", SOURCE_TOPIC);
    assert_int_equal(one(TOPIC, "t", "cleanup.policy", APPEND, "shred"), KAFKA_INVALID_CONFIG);
    assert_int_equal(one(TOPIC, "t", "retention.ms", APPEND, "5"), KAFKA_INVALID_CONFIG);
    assert_int_equal(one(BROKER, "1", "log.cleanup.policy", APPEND, "compact"), 0);
    check(BROKER, "1", "log.cleanup.policy", "delete,compact", SOURCE_OWN);
}

static void what_cannot_be_changed(void **state)
{
    static const struct op twice[] = {
        {"retention.ms", SET, "5"}, {"retention.ms", REMOVE, NULL}, {NULL, 0, NULL}};
    static const struct op lags[] = {
        {"min.compaction.lag.ms", SET, "6"}, {"max.compaction.lag.ms", SET, "5"}, {NULL, 0, NULL}};

    (void)state;
    raw_create(&c, "t", 1, NULL);
    assert_int_equal(one(TOPIC, "none", "retention.ms", SET, "5"),
                     KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
    assert_int_equal(one(TOPIC, "t", "nope", SET, "5"), KAFKA_INVALID_CONFIG);
    assert_int_equal(one(TOPIC, "t", "nope", REMOVE, NULL), 0);
    assert_int_equal(one(TOPIC, "t", "retention.ms", SET, NULL), KAFKA_INVALID_REQUEST);
    assert_int_equal(one(TOPIC, "t", "retention.ms", 9, "5"), KAFKA_INVALID_REQUEST);
    assert_int_equal(one(TOPIC, "t", "message.max.bytes", SET, "5"), KAFKA_INVALID_CONFIG);
    assert_int_equal(incremental(1, TOPIC, "t", false, twice), KAFKA_INVALID_REQUEST);
    assert_int_equal(incremental(1, TOPIC, "t", false, lags), KAFKA_INVALID_CONFIG);
    assert_int_equal(one(BROKER, "2", "message.max.bytes", SET, "5"), KAFKA_INVALID_REQUEST);
    assert_int_equal(one(BROKER, "1", "message.max.bytes", SET, "-5"), KAFKA_INVALID_REQUEST);
    assert_int_equal(one(BROKER, "1", "num.partitions", SET, "5"), KAFKA_INVALID_REQUEST);
    assert_int_equal(one(BROKER, "1", "log.dirs", SET, "/tmp"), KAFKA_INVALID_REQUEST);
    assert_int_equal(one(BROKER, "1", "ssl.truststore.location", SET, "/etc/passwd"),
                     KAFKA_INVALID_REQUEST);
    assert_int_equal(one(BROKER, "", "nope", SET, "5"), KAFKA_INVALID_CONFIG);
    assert_int_equal(one(16, "1", "x", SET, "INFO"), KAFKA_INVALID_REQUEST);
}

/* ---- ListConfigResources ---- */

static struct list_config_resources_response list(int16_t v, int8_t *types, int32_t n)
{
    struct list_config_resources_request q;
    struct list_config_resources_response m;
    struct wire_reader r;
    struct buf b = {0};

    list_config_resources_request_init(&q);
    q.resource_types.v = types;
    q.resource_types.n = n;
    assert_int_equal(list_config_resources_request_encode(&q, &b, v), 0);
    raw_send(&c, API_LIST_CONFIG_RESOURCES, v, 8, &b);
    raw_receive(&c, API_LIST_CONFIG_RESOURCES, v, 8, &r);
    assert_int_equal(list_config_resources_response_decode(&m, &r, v), 0);
    assert_int_equal(wire_left(&r), 0);
    return m;
}

static void resources_are_listed(void **state)
{
    int8_t topics[] = {TOPIC}, metrics_and_broker[] = {16, BROKER}, bad[] = {TOPIC, 99};
    struct list_config_resources_response m;

    (void)state;
    raw_create(&c, "b", 1, NULL);
    raw_create(&c, "a", 1, NULL);
    assert_int_equal(list(0, NULL, 0).config_resources.n, 0); /* of client metrics */
    m = list(1, NULL, 0);
    assert_int_equal(m.config_resources.n, 4);
    assert_true(slice_eq_str(m.config_resources.v[0].resource_name, "a"));
    assert_int_equal(m.config_resources.v[0].resource_type, TOPIC);
    assert_true(slice_eq_str(m.config_resources.v[2].resource_name, "1"));
    assert_int_equal(m.config_resources.v[2].resource_type, BROKER);
    assert_true(slice_eq_str(m.config_resources.v[3].resource_name, "1"));
    assert_int_equal(m.config_resources.v[3].resource_type, 8); /* its loggers */
    assert_int_equal(list(1, topics, 1).config_resources.n, 2);
    assert_int_equal(list(1, metrics_and_broker, 2).config_resources.n, 1);
    assert_int_equal(list(1, bad, 2).error_code, KAFKA_UNSUPPORTED_VERSION);
}

/* ---- the table ---- */

static void every_default_is_valid_and_every_name_there_once(void **state)
{
    (void)state;
    for (const struct config_key *k = config_keys; k->topic || k->broker; k++) {
        struct kerr e = {0};
        if (k->value && config_check(k, k->broker ? k->broker : k->topic, slice_str(k->value), &e))
            fail_msg("%s", kerr_msg(&e));
        if (k->topic)
            assert_ptr_equal(config_find_topic(slice_str(k->topic)), k);
        if (k->broker)
            assert_ptr_equal(config_find_broker(slice_str(k->broker)), k);
        if (k->topic)
            assert_non_null(k->doc);
        if (k->doc)
            assert_true(strlen(k->doc) < 400);
    }
    for (const struct config_alias *a = config_aliases; a->name; a++) {
        assert_non_null(config_find_broker(slice_str(a->of)));
        assert_non_null(config_find_broker(slice_str(a->name)));
    }
}

static void values_are_checked(void **state)
{
    static const struct {
        const char *name, *value;
        bool good;
    } v[] = {
        {"segment.bytes", "1048576", true},
        {"segment.bytes", " 1048576 ", true},
        {"segment.bytes", "2147483648", false},
        {"segment.bytes", "13", false},
        {"segment.bytes", "", false},
        {"segment.bytes", "1e6", false},
        {"segment.bytes", "99999999999999999999999", false},
        {"retention.ms", "-1", true},
        {"retention.ms", "-2", false},
        {"retention.ms", "9223372036854775807", true},
        {"retention.ms", "9223372036854775808", false},
        {"min.cleanable.dirty.ratio", "0.25", true},
        {"min.cleanable.dirty.ratio", "1.5", false},
        {"min.cleanable.dirty.ratio", "nan", false},
        {"compression.gzip.level", "0", false},
        {"compression.gzip.level", "-1", true},
        {"compression.type", "zstd", true},
        {"compression.type", "none", false},
        {"compression.type", "zst", false},
        {"cleanup.policy", "compact, delete", true},
        {"cleanup.policy", "", true},
        {"cleanup.policy", "compact,,delete", false},
        {"message.timestamp.type", "logappendtime", false},
        {"preallocate", "TRUE", true},
        {"preallocate", "yes", false},
        {"remote.storage.enable", "false", true},
        {"remote.storage.enable", "true", false},
        {"leader.replication.throttled.replicas", "*", true},
        {"leader.replication.throttled.replicas", "0:1,12:1", true},
        {"leader.replication.throttled.replicas", "0:1,12", false},
        {"leader.replication.throttled.replicas", ":1", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof v / sizeof v[0]; i++) {
        const struct config_key *k = config_find_topic(slice_str(v[i].name));
        struct kerr e = {0};
        int rc = config_check(k, k->topic, slice_str(v[i].value), &e);
        if ((rc == 0) != v[i].good)
            fail_msg("%s=%s: %s", v[i].name, v[i].value, rc < 0 ? kerr_msg(&e) : "accepted");
        if (rc < 0)
            assert_non_null(strstr(kerr_msg(&e), v[i].name));
    }
}

#define WITH_BROKER(f) cmocka_unit_test_setup_teardown(f, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_BROKER(a_topic_in_every_version),
        WITH_BROKER(synonyms_are_kafkas),
        cmocka_unit_test_teardown(a_broker, stop),
        WITH_BROKER(what_cannot_be_described),
        cmocka_unit_test_teardown(precedence_acts_at_once, stop),
        WITH_BROKER(batches_are_stored_in_the_topics_codec),
        WITH_BROKER(recoding_keeps_the_rules),
        WITH_BROKER(a_compacted_topic_wants_keys),
        WITH_BROKER(acks_all_wants_min_insync_replicas),
        WITH_BROKER(all_or_some),
        WITH_BROKER(lists_grow_and_shrink),
        WITH_BROKER(what_cannot_be_changed),
        WITH_BROKER(resources_are_listed),
        cmocka_unit_test(every_default_is_valid_and_every_name_there_once),
        cmocka_unit_test(values_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
