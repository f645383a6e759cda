/* Every handler asks authz_check for every resource, and a no is obeyed: the linker puts a function
 * of the test's in its place. */
#include "broker_support.h"

#include "broker/dispatch.h"
#include "broker/stats.h"
#include "wire/alter_configs_request.h"
#include "wire/alter_configs_response.h"
#include "wire/create_partitions_request.h"
#include "wire/create_partitions_response.h"
#include "wire/create_topics_request.h"
#include "wire/create_topics_response.h"
#include "wire/delete_records_request.h"
#include "wire/delete_records_response.h"
#include "wire/describe_configs_request.h"
#include "wire/describe_configs_response.h"
#include "wire/describe_log_dirs_request.h"
#include "wire/describe_log_dirs_response.h"
#include "wire/describe_topic_partitions_request.h"
#include "wire/describe_topic_partitions_response.h"
#include "wire/error.h"
#include "wire/find_coordinator_request.h"
#include "wire/find_coordinator_response.h"
#include "wire/incremental_alter_configs_request.h"
#include "wire/incremental_alter_configs_response.h"
#include "wire/init_producer_id_request.h"
#include "wire/init_producer_id_response.h"
#include "wire/list_config_resources_request.h"
#include "wire/list_config_resources_response.h"
#include "wire/list_offsets_request.h"
#include "wire/list_offsets_response.h"
#include "wire/metadata_request.h"
#include "wire/metadata_response.h"
#include "wire/offset_for_leader_epoch_request.h"
#include "wire/offset_for_leader_epoch_response.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static struct rig rig;
static struct raw c;

/* ---- in authz_check's place ---- */

static struct {
    pthread_mutex_t mu;
    bool deny;
    int asked;
    enum operation op; /* of the last question */
    enum resource kind;
    char name[64];
} guard = {.mu = PTHREAD_MUTEX_INITIALIZER};

bool __wrap_authz_check(const struct request *r, enum operation op, enum resource kind,
                        struct slice name);

bool __wrap_authz_check(const struct request *r, enum operation op, enum resource kind,
                        struct slice name)
{
    bool yes;

    assert_non_null(r);
    pthread_mutex_lock(&guard.mu);
    guard.asked++;
    guard.op = op;
    guard.kind = kind;
    snprintf(guard.name, sizeof guard.name, "%.*s", (int)name.n, (const char *)name.p);
    yes = !guard.deny;
    pthread_mutex_unlock(&guard.mu);
    return yes;
}

static void deny(bool on)
{
    pthread_mutex_lock(&guard.mu);
    guard.deny = on;
    guard.asked = 0;
    pthread_mutex_unlock(&guard.mu);
}

/* The one question since deny(). */
static void assert_asked(enum operation op, enum resource kind, const char *name)
{
    pthread_mutex_lock(&guard.mu);
    assert_int_equal(guard.asked, 1);
    assert_int_equal(guard.op, op);
    assert_int_equal(guard.kind, kind);
    assert_string_equal(guard.name, name);
    guard.asked = 0;
    pthread_mutex_unlock(&guard.mu);
}

static int start(void **state)
{
    (void)state;
    deny(false);
    rig_start(&rig, NULL);
    raw_open(&c, &rig);
    return 0;
}

/* Errors that were counted, by API, in all tests together. */
static int64_t counted[128];

static int stop(void **state)
{
    struct stats s;

    (void)state;
    assert_true(stats_take(rig.broker, &s));
    for (size_t i = 0; i < s.api_count; i++)
        counted[s.apis[i].key] += s.apis[i].errors;
    stats_free(&s);
    raw_close(&c);
    rig_stop(&rig);
    return 0;
}

/* Sends what is in b and stands at the answer's body. */
static struct wire_reader ask(int16_t key, int16_t version, struct buf *b)
{
    struct wire_reader r;

    raw_send(&c, key, version, 9, b);
    raw_receive(&c, key, version, 9, &r);
    return r;
}

#define ASK(message, key, version)                                                                 \
    do {                                                                                           \
        struct buf b = {0};                                                                        \
        struct wire_reader r;                                                                      \
        assert_int_equal(message##_request_encode(&q, &b, version), 0);                            \
        r = ask(key, version, &b);                                                                 \
        assert_int_equal(message##_response_decode(&m, &r, version), 0);                           \
    } while (0)

/* ---- records ---- */

static void records(void **state)
{
    struct uuid id = raw_create(&c, "t", 1, NULL);
    struct batch_builder w = {0};
    struct fetch_ask a = {.topic = "t", .id = id};

    (void)state;
    assert_int_equal(raw_produce(&c, 12, "t", id, -1, make_batch(&w, 0, 1, 5, -1, -1)).error, 0);
    deny(true);
    assert_int_equal(raw_produce(&c, 12, "t", id, -1, make_batch(&w, 0, 1, 5, -1, -1)).error,
                     KAFKA_TOPIC_AUTHORIZATION_FAILED);
    assert_asked(OP_WRITE, RES_TOPIC, "t");
    /* alike whether or not it exists */
    assert_int_equal(raw_produce(&c, 12, "none", id, -1, make_batch(&w, 0, 1, 5, -1, -1)).error,
                     KAFKA_TOPIC_AUTHORIZATION_FAILED);
    assert_asked(OP_WRITE, RES_TOPIC, "none");
    assert_int_not_equal(raw_produce(&c, 13, "t", id, -1, make_batch(&w, 0, 1, 5, -1, -1)).error,
                         0);
    assert_asked(OP_WRITE, RES_TOPIC, "t");
    assert_int_equal(raw_fetch(&c, 12, &a).error, KAFKA_TOPIC_AUTHORIZATION_FAILED);
    assert_asked(OP_READ, RES_TOPIC, "t");
    assert_int_not_equal(raw_fetch(&c, 13, &a).error, 0);
    assert_asked(OP_READ, RES_TOPIC, "t");
    deny(false);
    assert_int_equal(raw_fetch(&c, 12, &a).high_watermark, 1);
    batch_builder_free(&w);
}

static void offsets_and_epochs(void **state)
{
    (void)state;
    raw_create(&c, "t", 1, NULL);
    deny(true);
    {
        struct list_offsets_request_list_offsets_partition p;
        struct list_offsets_request_list_offsets_topic t;
        struct list_offsets_request q;
        struct list_offsets_response m;
        list_offsets_request_init(&q);
        list_offsets_request_list_offsets_topic_init(&t);
        list_offsets_request_list_offsets_partition_init(&p);
        p.timestamp = -1;
        t.name = slice_str("t");
        t.partitions.v = &p;
        t.partitions.n = 1;
        q.topics.v = &t;
        q.topics.n = 1;
        ASK(list_offsets, API_LIST_OFFSETS, 8);
        assert_asked(OP_DESCRIBE, RES_TOPIC, "t");
        assert_int_equal(m.topics.v[0].partitions.v[0].error_code,
                         KAFKA_TOPIC_AUTHORIZATION_FAILED);
        assert_int_equal(m.topics.v[0].partitions.v[0].offset, -1);
    }
    {
        struct offset_for_leader_epoch_request_offset_for_leader_partition p;
        struct offset_for_leader_epoch_request_offset_for_leader_topic t;
        struct offset_for_leader_epoch_request q;
        struct offset_for_leader_epoch_response m;
        offset_for_leader_epoch_request_init(&q);
        offset_for_leader_epoch_request_offset_for_leader_topic_init(&t);
        offset_for_leader_epoch_request_offset_for_leader_partition_init(&p);
        t.topic = slice_str("t");
        t.partitions.v = &p;
        t.partitions.n = 1;
        q.topics.v = &t;
        q.topics.n = 1;
        ASK(offset_for_leader_epoch, API_OFFSET_FOR_LEADER_EPOCH, 4);
        assert_asked(OP_DESCRIBE, RES_TOPIC, "t");
        assert_int_equal(m.topics.v[0].partitions.v[0].error_code,
                         KAFKA_TOPIC_AUTHORIZATION_FAILED);
    }
    {
        struct delete_records_request_delete_records_partition p;
        struct delete_records_request_delete_records_topic t;
        struct delete_records_request q;
        struct delete_records_response m;
        delete_records_request_init(&q);
        delete_records_request_delete_records_topic_init(&t);
        delete_records_request_delete_records_partition_init(&p);
        p.offset = -1;
        t.name = slice_str("t");
        t.partitions.v = &p;
        t.partitions.n = 1;
        q.topics.v = &t;
        q.topics.n = 1;
        ASK(delete_records, API_DELETE_RECORDS, 2);
        assert_asked(OP_DELETE, RES_TOPIC, "t");
        assert_int_equal(m.topics.v[0].partitions.v[0].error_code,
                         KAFKA_TOPIC_AUTHORIZATION_FAILED);
    }
}

/* ---- topics ---- */

static void topics(void **state)
{
    int32_t before;

    (void)state;
    raw_create(&c, "t", 1, NULL);
    before = broker_topic_count(rig.broker);
    deny(true);
    {
        struct create_topics_request_creatable_topic t;
        struct create_topics_request q;
        struct create_topics_response m;
        create_topics_request_init(&q);
        create_topics_request_creatable_topic_init(&t);
        t.name = slice_str("new");
        t.num_partitions = t.replication_factor = 1;
        q.topics.v = &t;
        q.topics.n = 1;
        ASK(create_topics, API_CREATE_TOPICS, 7);
        assert_asked(OP_CREATE, RES_TOPIC, "new");
        assert_int_equal(m.topics.v[0].error_code, KAFKA_TOPIC_AUTHORIZATION_FAILED);
    }
    assert_int_equal(raw_delete(&c, "t"), KAFKA_TOPIC_AUTHORIZATION_FAILED);
    assert_asked(OP_DELETE, RES_TOPIC, "t");
    {
        struct create_partitions_request_create_partitions_topic t;
        struct create_partitions_request q;
        struct create_partitions_response m;
        create_partitions_request_init(&q);
        create_partitions_request_create_partitions_topic_init(&t);
        t.name = slice_str("t");
        t.count = 5;
        q.topics.v = &t;
        q.topics.n = 1;
        ASK(create_partitions, API_CREATE_PARTITIONS, 3);
        assert_asked(OP_ALTER, RES_TOPIC, "t");
        assert_int_equal(m.results.v[0].error_code, KAFKA_TOPIC_AUTHORIZATION_FAILED);
    }
    assert_int_equal(broker_topic_count(rig.broker), before);
}

static void what_there_is(void **state)
{
    (void)state;
    raw_create(&c, "t", 1, NULL);
    deny(true);
    {
        struct metadata_request_topic t;
        struct metadata_request q;
        struct metadata_response m;
        metadata_request_init(&q);
        metadata_request_topic_init(&t);
        t.name = slice_str("t");
        q.topics.v = &t;
        q.topics.n = 1;
        ASK(metadata, API_METADATA, 12);
        assert_asked(OP_DESCRIBE, RES_TOPIC, "t");
        assert_int_equal(m.topics.v[0].error_code, KAFKA_TOPIC_AUTHORIZATION_FAILED);
        assert_int_equal(m.topics.v[0].partitions.n, 0);
        assert_true(uuid_is_zero(m.topics.v[0].topic_id));
        t.name = slice_str("new"); /* nor is it made */
        ASK(metadata, API_METADATA, 12);
        assert_asked(OP_DESCRIBE, RES_TOPIC, "new");
        assert_int_equal(m.topics.v[0].error_code, KAFKA_TOPIC_AUTHORIZATION_FAILED);
        q.topics.n = -1;
        ASK(metadata, API_METADATA, 12);
        assert_asked(OP_DESCRIBE, RES_TOPIC, "t");
        assert_int_equal(m.topics.n, 0);
    }
    {
        struct describe_topic_partitions_request_topic_request t;
        struct describe_topic_partitions_request q;
        struct describe_topic_partitions_response m;
        describe_topic_partitions_request_init(&q);
        describe_topic_partitions_request_topic_request_init(&t);
        t.name = slice_str("t");
        q.topics.v = &t;
        q.topics.n = 1;
        q.response_partition_limit = 10;
        ASK(describe_topic_partitions, API_DESCRIBE_TOPIC_PARTITIONS, 0);
        assert_asked(OP_DESCRIBE, RES_TOPIC, "t");
        assert_true(m.topics.n == 0 ||
                    m.topics.v[0].error_code == KAFKA_TOPIC_AUTHORIZATION_FAILED);
    }
    assert_int_equal(broker_topic_count(rig.broker), 1);
}

/* ---- configurations: of a topic, of the broker ---- */

static void configurations(void **state)
{
    static const struct {
        int8_t type;
        const char *name;
        enum resource kind;
        int16_t error;
    } cases[] = {{2, "t", RES_TOPIC, KAFKA_TOPIC_AUTHORIZATION_FAILED},
                 {4, "1", RES_CLUSTER, KAFKA_CLUSTER_AUTHORIZATION_FAILED}};

    (void)state;
    raw_create(&c, "t", 1, NULL);
    deny(true);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *name = cases[i].kind == RES_TOPIC ? "t" : "kafka-cluster";
        {
            struct describe_configs_request_describe_configs_resource t;
            struct describe_configs_request q;
            struct describe_configs_response m;
            describe_configs_request_init(&q);
            describe_configs_request_describe_configs_resource_init(&t);
            t.resource_type = cases[i].type;
            t.resource_name = slice_str(cases[i].name);
            q.resources.v = &t;
            q.resources.n = 1;
            ASK(describe_configs, API_DESCRIBE_CONFIGS, 4);
            assert_asked(OP_DESCRIBE_CONFIGS, cases[i].kind, name);
            assert_int_equal(m.results.v[0].error_code, cases[i].error);
            assert_int_equal(m.results.v[0].configs.n, 0);
        }
        {
            struct alter_configs_request_alter_configs_resource t;
            struct alter_configs_request q;
            struct alter_configs_response m;
            alter_configs_request_init(&q);
            alter_configs_request_alter_configs_resource_init(&t);
            t.resource_type = cases[i].type;
            t.resource_name = slice_str(cases[i].name);
            q.resources.v = &t;
            q.resources.n = 1;
            ASK(alter_configs, API_ALTER_CONFIGS, 2);
            assert_asked(OP_ALTER_CONFIGS, cases[i].kind, name);
            assert_int_equal(m.responses.v[0].error_code, cases[i].error);
        }
        {
            struct incremental_alter_configs_request_alter_configs_resource t;
            struct incremental_alter_configs_request q;
            struct incremental_alter_configs_response m;
            incremental_alter_configs_request_init(&q);
            incremental_alter_configs_request_alter_configs_resource_init(&t);
            t.resource_type = cases[i].type;
            t.resource_name = slice_str(cases[i].name);
            q.resources.v = &t;
            q.resources.n = 1;
            ASK(incremental_alter_configs, API_INCREMENTAL_ALTER_CONFIGS, 1);
            assert_asked(OP_ALTER_CONFIGS, cases[i].kind, name);
            assert_int_equal(m.responses.v[0].error_code, cases[i].error);
        }
    }
    {
        struct list_config_resources_request q;
        struct list_config_resources_response m;
        list_config_resources_request_init(&q);
        ASK(list_config_resources, API_LIST_CONFIG_RESOURCES, 1);
        assert_asked(OP_DESCRIBE_CONFIGS, RES_CLUSTER, "kafka-cluster");
        assert_int_equal(m.error_code, KAFKA_CLUSTER_AUTHORIZATION_FAILED);
    }
    {
        struct describe_log_dirs_request q;
        struct describe_log_dirs_response m;
        describe_log_dirs_request_init(&q);
        q.topics.n = -1;
        ASK(describe_log_dirs, API_DESCRIBE_LOG_DIRS, 4);
        assert_asked(OP_DESCRIBE, RES_CLUSTER, "kafka-cluster");
        assert_int_equal(m.error_code, KAFKA_CLUSTER_AUTHORIZATION_FAILED);
        assert_int_equal(m.results.n, 0);
    }
}

/* ---- producer ids and coordinators ---- */

static void ids_and_coordinators(void **state)
{
    (void)state;
    deny(true);
    for (int transactional = 0; transactional < 2; transactional++) {
        struct init_producer_id_request q;
        struct init_producer_id_response m;
        init_producer_id_request_init(&q);
        q.transactional_id = transactional ? slice_str("tx") : (struct slice){NULL, 0};
        ASK(init_producer_id, API_INIT_PRODUCER_ID, 4);
        if (transactional)
            assert_asked(OP_WRITE, RES_TRANSACTIONAL_ID, "tx");
        else
            assert_asked(OP_IDEMPOTENT_WRITE, RES_CLUSTER, "kafka-cluster");
        assert_int_equal(m.error_code, transactional ? KAFKA_TRANSACTIONAL_ID_AUTHORIZATION_FAILED
                                                     : KAFKA_CLUSTER_AUTHORIZATION_FAILED);
        assert_int_equal(m.producer_id, -1);
        assert_int_equal(m.producer_epoch, -1);
    }
    for (int8_t type = 0; type < 2; type++) {
        struct slice key = slice_str("k");
        struct find_coordinator_request q;
        struct find_coordinator_response m;
        find_coordinator_request_init(&q);
        q.key_type = type;
        q.coordinator_keys.v = &key;
        q.coordinator_keys.n = 1;
        ASK(find_coordinator, API_FIND_COORDINATOR, 4);
        assert_asked(OP_DESCRIBE, type ? RES_TRANSACTIONAL_ID : RES_GROUP, "k");
        assert_int_equal(m.coordinators.v[0].error_code,
                         type ? KAFKA_TRANSACTIONAL_ID_AUTHORIZATION_FAILED
                              : KAFKA_GROUP_AUTHORIZATION_FAILED);
        assert_int_equal(m.coordinators.v[0].node_id, -1);
        assert_int_equal(m.coordinators.v[0].port, -1);
    }
}

/* A new API in the table has to come here, too. */
static void every_api_is_asked_above(void **state)
{
    static const int16_t tested[] = {API_PRODUCE,
                                     API_FETCH,
                                     API_LIST_OFFSETS,
                                     API_METADATA,
                                     API_FIND_COORDINATOR,
                                     API_CREATE_TOPICS,
                                     API_DELETE_TOPICS,
                                     API_DELETE_RECORDS,
                                     API_INIT_PRODUCER_ID,
                                     API_OFFSET_FOR_LEADER_EPOCH,
                                     API_DESCRIBE_CONFIGS,
                                     API_ALTER_CONFIGS,
                                     API_CREATE_PARTITIONS,
                                     API_INCREMENTAL_ALTER_CONFIGS,
                                     API_DESCRIBE_LOG_DIRS,
                                     API_DESCRIBE_TOPIC_PARTITIONS,
                                     API_LIST_CONFIG_RESOURCES};
    /* who may connect may ask which versions and brokers there are; log directories are the
     * broker's own, and left out of the answer */
    static const int16_t open[] = {API_API_VERSIONS, API_DESCRIBE_CLUSTER, API_DESCRIBE_LOG_DIRS};

    (void)state;
    for (size_t i = 0; i < sizeof tested / sizeof tested[0]; i++)
        if (counted[tested[i]] == 0)
            fail_msg("an error of API %d is not counted", tested[i]);
    for (const struct api_entry *a = api_table; a->handle; a++) {
        bool known = false;
        for (size_t i = 0; i < sizeof tested / sizeof tested[0]; i++)
            known |= tested[i] == a->key;
        for (size_t i = 0; i < sizeof open / sizeof open[0]; i++)
            known |= open[i] == a->key;
        if (!known)
            fail_msg("API %d", a->key);
    }
}

#define WITH_BROKER(f) cmocka_unit_test_setup_teardown(f, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_BROKER(records),
        WITH_BROKER(offsets_and_epochs),
        WITH_BROKER(topics),
        WITH_BROKER(what_there_is),
        WITH_BROKER(configurations),
        WITH_BROKER(ids_and_coordinators),
        cmocka_unit_test(every_api_is_asked_above),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
