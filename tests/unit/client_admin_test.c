/* admin: what is asked is what was meant, in each version; who is asked is who can answer; and of
 * an answer that is cut, lacks something or refuses, nothing is believed. */
#include "client_support.h"

#include "base/bytes.h"
#include "client/admin.h"
#include "wire/create_partitions_request.h"
#include "wire/create_partitions_response.h"
#include "wire/create_topics_request.h"
#include "wire/create_topics_response.h"
#include "wire/delete_records_request.h"
#include "wire/delete_records_response.h"
#include "wire/delete_topics_request.h"
#include "wire/delete_topics_response.h"
#include "wire/describe_cluster_request.h"
#include "wire/describe_cluster_response.h"
#include "wire/describe_configs_request.h"
#include "wire/describe_configs_response.h"
#include "wire/describe_log_dirs_request.h"
#include "wire/describe_log_dirs_response.h"
#include "wire/error.h"
#include "wire/incremental_alter_configs_request.h"
#include "wire/incremental_alter_configs_response.h"
#include "wire/metadata_request.h"
#include "wire/metadata_response.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { PARTITIONS = 5 };

static struct rig rig;
static struct client_topic *topic;
static struct kerr e;

/* What the brokers answer, and what they saw. */
static struct {
    int16_t error;
    int16_t error_of; /* of this partition alone, when it is not -1 */
    int results;      /* in place of one */
    int lacks;        /* a partition, or -1 */
    int cut;          /* bytes that stay of the answer's body; -1: all */
    int node;         /* who was asked last */
    int asked;        /* how often, in all */
    bool check;
    size_t size; /* of the last answer's body */
} plan;

static const struct slice words = {(const uint8_t *)"the broker's own words", 22};

/* ---- the answers ---- */

static void create_topics(struct peer_call *q, struct buf *b)
{
    struct create_topics_response_creatable_topic_result t[2];
    struct create_topics_request ask;
    struct create_topics_response m;

    assert_int_equal(create_topics_request_decode(&ask, &q->body, q->version), 0);
    assert_int_equal(ask.topics.n, 1);
    assert_true(slice_eq_str(ask.topics.v[0].name, "new"));
    assert_int_equal(ask.topics.v[0].num_partitions, q->version >= 4 ? -1 : 3);
    assert_int_equal(ask.topics.v[0].replication_factor, q->version >= 4 ? -1 : 2);
    assert_int_equal(ask.topics.v[0].configs.n, 2);
    assert_true(slice_eq_str(ask.topics.v[0].configs.v[0].name, "a"));
    assert_true(slice_eq_str(ask.topics.v[0].configs.v[1].value, ""));
    assert_int_equal(ask.validate_only, plan.check);
    create_topics_response_init(&m);
    m.topics.v = t;
    for (m.topics.n = 0; m.topics.n < plan.results; m.topics.n++) {
        create_topics_response_creatable_topic_result_init(&t[m.topics.n]);
        t[m.topics.n].name = slice_str("new");
        t[m.topics.n].error_code = plan.error;
        t[m.topics.n].error_message = plan.error ? words : (struct slice){NULL, 0};
        t[m.topics.n].num_partitions = 7;
    }
    assert_int_equal(create_topics_response_encode(&m, b, q->version), 0);
}

static void delete_topics(struct peer_call *q, struct buf *b)
{
    struct delete_topics_response_deletable_topic_result t[2];
    struct delete_topics_request ask;
    struct delete_topics_response m;

    assert_int_equal(delete_topics_request_decode(&ask, &q->body, q->version), 0);
    assert_int_equal(q->version >= 6 ? ask.topics.n : ask.topic_names.n, 1);
    assert_true(slice_eq_str(q->version >= 6 ? ask.topics.v[0].name : ask.topic_names.v[0], "old"));
    delete_topics_response_init(&m);
    m.responses.v = t;
    for (m.responses.n = 0; m.responses.n < plan.results; m.responses.n++) {
        delete_topics_response_deletable_topic_result_init(&t[m.responses.n]);
        t[m.responses.n].name = slice_str("old");
        t[m.responses.n].error_code = plan.error;
        t[m.responses.n].error_message =
            plan.error && q->version >= 5 ? words : (struct slice){NULL, 0};
    }
    assert_int_equal(delete_topics_response_encode(&m, b, q->version), 0);
}

static void create_partitions(struct peer_call *q, struct buf *b)
{
    struct create_partitions_response_create_partitions_topic_result t[2];
    struct create_partitions_request ask;
    struct create_partitions_response m;

    assert_int_equal(create_partitions_request_decode(&ask, &q->body, q->version), 0);
    assert_int_equal(ask.topics.n, 1);
    assert_true(slice_eq_str(ask.topics.v[0].name, "t"));
    assert_int_equal(ask.topics.v[0].count, 12);
    assert_int_equal(ask.topics.v[0].assignments.n, -1); /* an empty list would be a wrong one */
    assert_int_equal(ask.validate_only, plan.check);
    create_partitions_response_init(&m);
    m.results.v = t;
    for (m.results.n = 0; m.results.n < plan.results; m.results.n++) {
        create_partitions_response_create_partitions_topic_result_init(&t[m.results.n]);
        t[m.results.n].name = slice_str("t");
        t[m.results.n].error_code = plan.error;
        t[m.results.n].error_message = plan.error ? words : (struct slice){NULL, 0};
    }
    assert_int_equal(create_partitions_response_encode(&m, b, q->version), 0);
}

/* The start becomes what was asked for; a partition that is somewhere else is refused. */
static void delete_records(struct peer_call *q, struct buf *b)
{
    struct delete_records_response_delete_records_topic_result t[PARTITIONS];
    struct delete_records_response_delete_records_partition_result p[PARTITIONS];
    struct peer_topic *stored = rig_topic_find(&rig, slice_str("t"));
    struct delete_records_request ask;
    struct delete_records_response m;

    assert_int_equal(delete_records_request_decode(&ask, &q->body, q->version), 0);
    assert_in_range(ask.topics.n, 1, PARTITIONS);
    delete_records_response_init(&m);
    m.topics.v = t;
    for (int32_t i = 0; i < ask.topics.n; i++) {
        int32_t n = ask.topics.v[i].partitions.v[0].partition_index, at = m.topics.n;
        assert_int_equal(ask.topics.v[i].partitions.n, 1);
        if (n == plan.lacks)
            continue;
        m.topics.n++;
        delete_records_response_delete_records_topic_result_init(&t[at]);
        delete_records_response_delete_records_partition_result_init(&p[at]);
        t[at].name = ask.topics.v[i].name;
        t[at].partitions.v = &p[at];
        t[at].partitions.n = 1;
        p[at].partition_index = n;
        p[at].low_watermark = ask.topics.v[i].partitions.v[0].offset;
        if (stored->parts[n].leader != q->node)
            p[at].error_code = KAFKA_NOT_LEADER_OR_FOLLOWER;
        else if (plan.error_of < 0 || plan.error_of == n)
            p[at].error_code = plan.error;
        if (p[at].error_code)
            p[at].low_watermark = -1;
    }
    assert_int_equal(delete_records_response_encode(&m, b, q->version), 0);
}

/* A password that a broker should not have told, a value under two names, one without effect. */
static void describe_configs(struct peer_call *q, struct buf *b)
{
    struct describe_configs_response_describe_configs_synonym syn[2] = {
        {slice_str("a"), slice_str("1"), 1}, {slice_str("log.a"), slice_str("2"), 5}};
    struct describe_configs_response_describe_configs_resource_result c[3];
    struct describe_configs_response_describe_configs_result r[2];
    struct describe_configs_request ask;
    struct describe_configs_response m;

    assert_int_equal(describe_configs_request_decode(&ask, &q->body, q->version), 0);
    assert_int_equal(ask.resources.n, 1);
    assert_int_equal(ask.resources.v[0].configuration_keys.n, -1);
    assert_true(ask.include_synonyms);
    assert_int_equal(ask.include_documentation, q->version >= 3);
    for (int i = 0; i < 3; i++)
        describe_configs_response_describe_configs_resource_result_init(&c[i]);
    c[0].name = slice_str("secret");
    c[0].value = slice_str("swordfish");
    c[0].is_sensitive = c[0].read_only = true;
    c[0].synonyms.v = syn;
    c[0].synonyms.n = 1;
    c[1].name = slice_str("a");
    c[1].value = slice_str("1");
    c[1].config_source = 1;
    c[1].synonyms.v = syn;
    c[1].synonyms.n = 2;
    c[1].documentation = slice_str("What it does. Kept, but " WIRE_CONFIG_IDLE);
    c[2].name = slice_str("b");
    c[2].value = (struct slice){NULL, 0};
    c[2].config_source = 5;
    c[2].documentation = slice_str("It is not " WIRE_CONFIG_IDLE " Rather.");
    describe_configs_response_init(&m);
    m.results.v = r;
    for (m.results.n = 0; m.results.n < plan.results; m.results.n++) {
        describe_configs_response_describe_configs_result_init(&r[m.results.n]);
        r[m.results.n].resource_type = ask.resources.v[0].resource_type;
        r[m.results.n].resource_name = ask.resources.v[0].resource_name;
        r[m.results.n].error_code = plan.error;
        r[m.results.n].error_message = plan.error ? words : (struct slice){NULL, 0};
        if (plan.error)
            continue;
        r[m.results.n].configs.v = c;
        r[m.results.n].configs.n = 3;
    }
    assert_int_equal(describe_configs_response_encode(&m, b, q->version), 0);
}

static void alter_configs(struct peer_call *q, struct buf *b)
{
    struct incremental_alter_configs_response_alter_configs_resource_response r[2];
    struct incremental_alter_configs_request ask;
    struct incremental_alter_configs_response m;

    assert_int_equal(incremental_alter_configs_request_decode(&ask, &q->body, q->version), 0);
    assert_int_equal(ask.resources.n, 1);
    assert_int_equal(ask.resources.v[0].configs.n, 3);
    assert_true(slice_eq_str(ask.resources.v[0].configs.v[0].name, "a"));
    assert_int_equal(ask.resources.v[0].configs.v[0].config_operation, 0);
    assert_true(slice_eq_str(ask.resources.v[0].configs.v[0].value, "1"));
    assert_int_equal(ask.resources.v[0].configs.v[1].config_operation, 1);
    assert_null(ask.resources.v[0].configs.v[1].value.p);
    assert_int_equal(ask.resources.v[0].configs.v[2].config_operation, 0);
    assert_true(slice_eq_str(ask.resources.v[0].configs.v[2].value, "")); /* not the same as none */
    assert_int_equal(ask.validate_only, plan.check);
    incremental_alter_configs_response_init(&m);
    m.responses.v = r;
    for (m.responses.n = 0; m.responses.n < plan.results; m.responses.n++) {
        incremental_alter_configs_response_alter_configs_resource_response_init(&r[m.responses.n]);
        r[m.responses.n].resource_name = ask.resources.v[0].resource_name;
        r[m.responses.n].error_code = plan.error;
        r[m.responses.n].error_message = plan.error ? words : (struct slice){NULL, 0};
    }
    assert_int_equal(incremental_alter_configs_response_encode(&m, b, q->version), 0);
}

static void describe_cluster(struct peer_call *q, struct buf *b)
{
    struct describe_cluster_response_describe_cluster_broker v[2];
    struct describe_cluster_request ask;
    struct describe_cluster_response m;

    assert_int_equal(describe_cluster_request_decode(&ask, &q->body, q->version), 0);
    assert_int_equal(ask.endpoint_type, 1); /* brokers */
    describe_cluster_response_init(&m);
    m.error_code = plan.error;
    m.error_message = plan.error ? words : (struct slice){NULL, 0};
    m.cluster_id = slice_str("its id");
    m.controller_id = 2;
    for (int i = 0; i < 2; i++) {
        describe_cluster_response_describe_cluster_broker_init(&v[i]);
        v[i].broker_id = i;
        v[i].host = slice_str("there");
        v[i].port = 9092 + i;
    }
    v[1].rack = slice_str("north");
    m.brokers.v = v;
    m.brokers.n = plan.error ? 0 : 2;
    assert_int_equal(describe_cluster_response_encode(&m, b, q->version), 0);
}

/* Two directories: one has partitions 0 to 3, and 0 as a copy on its way; the other has failed. */
static void describe_dirs(struct peer_call *q, struct buf *b)
{
    struct describe_log_dirs_response_describe_log_dirs_partition p[5];
    struct describe_log_dirs_response_describe_log_dirs_topic t;
    struct describe_log_dirs_response_describe_log_dirs_result d[2];
    struct describe_log_dirs_request ask;
    struct describe_log_dirs_response m;

    assert_int_equal(describe_log_dirs_request_decode(&ask, &q->body, q->version), 0);
    assert_int_equal(ask.topics.n, 1);
    assert_true(slice_eq_str(ask.topics.v[0].topic, "t"));
    assert_int_equal(ask.topics.v[0].partitions.n, PARTITIONS);
    assert_int_equal(ask.topics.v[0].partitions.v[4], 4);
    describe_log_dirs_response_init(&m);
    m.error_code = q->version >= 3 ? plan.error : 0;
    for (int i = 0; i < 5; i++) {
        describe_log_dirs_response_describe_log_dirs_partition_init(&p[i]);
        p[i].partition_index = i % 4;
        p[i].partition_size = 100 + i;
        p[i].is_future_key = i == 4;
    }
    describe_log_dirs_response_describe_log_dirs_topic_init(&t);
    t.name = slice_str("t");
    t.partitions.v = p;
    t.partitions.n = 5;
    for (int i = 0; i < 2; i++) {
        describe_log_dirs_response_describe_log_dirs_result_init(&d[i]);
        d[i].log_dir = slice_str(i ? "/broken" : "/works");
    }
    d[0].topics.v = &t;
    d[0].topics.n = 1;
    d[0].total_bytes = 1000;
    d[0].usable_bytes = 10;
    d[1].error_code = KAFKA_KAFKA_STORAGE_ERROR;
    m.results.v = d;
    m.results.n = m.error_code ? 0 : 2;
    assert_int_equal(describe_log_dirs_response_encode(&m, b, q->version), 0);
}

static const struct {
    int16_t key;
    void (*answer)(struct peer_call *q, struct buf *b);
} answers[] = {
    {API_CREATE_TOPICS, create_topics},         {API_DELETE_TOPICS, delete_topics},
    {API_CREATE_PARTITIONS, create_partitions}, {API_DELETE_RECORDS, delete_records},
    {API_DESCRIBE_CONFIGS, describe_configs},   {API_INCREMENTAL_ALTER_CONFIGS, alter_configs},
    {API_DESCRIBE_CLUSTER, describe_cluster},   {API_DESCRIBE_LOG_DIRS, describe_dirs},
};

static bool answer(struct rig *r, struct peer_call *q)
{
    struct buf b = {0};

    (void)r;
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        if (answers[i].key != q->key)
            continue;
        plan.node = q->node;
        plan.asked++;
        answers[i].answer(q, &b);
        assert_int_equal(wire_left(&q->body), 0);
        plan.size = b.n;
        if (plan.cut >= 0)
            b.n = (size_t)plan.cut;
        peer_answer(q, &b);
        return true;
    }
    return false;
}

/* ---- the calls, all alike ---- */

static int call_create(void)
{
    static const struct admin_config configs[] = {{"a", "1"}, {"b", ""}};
    bool old = rig.max_version[API_CREATE_TOPICS] < 4;
    struct admin_topic t = {"new", old ? 3 : -1, old ? 2 : -1, configs, 2};
    int32_t partitions = -7;
    int rc = admin_create(rig.c, &t, plan.check, 5000, &partitions, &e);

    if (rc == 0)
        assert_int_equal(partitions, rig.max_version[API_CREATE_TOPICS] >= 5 ? 7 : old ? 3 : -1);
    else
        assert_int_equal(partitions, -7);
    return rc;
}

static int call_delete(void)
{
    return admin_delete(rig.c, "old", 5000, &e);
}

static int call_grow(void)
{
    return admin_grow(rig.c, "t", 12, plan.check, 5000, &e);
}

static int call_trim(void)
{
    struct admin_trim t = {.topic = topic, .partition = 2, .offset = 100, .start = 5};
    int rc = admin_trim(rig.c, &t, 1, 5000, &e);

    assert_int_equal(t.start, rc == 0 ? 100 : -1);
    return rc;
}

static int call_configs(void)
{
    struct admin_settings s;
    int rc = admin_configs(rig.c, &(struct admin_target){ADMIN_TOPIC, "t"}, 5000, &s, &e);

    if (rc == 0) {
        bool documented = rig.max_version[API_DESCRIBE_CONFIGS] >= 3;
        assert_int_equal(s.n, 3);
        assert_true(slice_eq_str(s.v[0].is.name, "a"));
        assert_true(slice_eq_str(s.v[0].is.value, "1"));
        assert_int_equal(s.v[0].is.source, ADMIN_FROM_TOPIC);
        assert_int_equal(s.v[0].other_count, 2);
        assert_true(slice_eq_str(s.v[0].others[1].name, "log.a"));
        assert_int_equal(s.v[0].others[1].source, ADMIN_FROM_DEFAULT);
        assert_int_equal(s.v[0].idle, documented);
        assert_int_equal(s.v[1].idle, false);
        assert_null(s.v[1].is.value.p);
        assert_int_equal(s.v[1].documentation.p != NULL, documented);
        assert_true(s.v[2].sensitive && s.v[2].read_only);
        assert_null(s.v[2].is.value.p);
        assert_null(s.v[2].others[0].value.p);
        admin_settings_free(&s);
    }
    assert_int_equal(s.n, 0);
    return rc;
}

static const struct admin_config changes[] = {{"a", "1"}, {"b", NULL}, {"c", ""}};

static int call_alter(void)
{
    return admin_alter_configs(rig.c, &(struct admin_target){ADMIN_TOPIC, "t"}, changes, 3,
                               plan.check, 5000, &e);
}

static int call_cluster(void)
{
    struct admin_cluster k;
    int rc = admin_cluster(rig.c, 5000, &k, &e);

    if (rc == 0) {
        assert_true(slice_eq_str(k.id, "its id"));
        assert_int_equal(k.controller, 2);
        assert_int_equal(k.broker_count, 2);
        assert_int_equal(k.brokers[1].id, 1);
        assert_int_equal(k.brokers[1].port, 9093);
        assert_true(slice_eq_str(k.brokers[1].host, "there"));
        assert_null(k.brokers[0].rack.p);
        assert_true(slice_eq_str(k.brokers[1].rack, "north"));
        admin_cluster_free(&k);
    }
    assert_int_equal(k.broker_count, 0);
    return rc;
}

static int call_dirs(void)
{
    bool sized = rig.max_version[API_DESCRIBE_LOG_DIRS] >= 4;
    struct admin_dirs d;
    int rc = admin_dirs(rig.c, 1, topic, 5000, &d, &e);

    assert_int_equal(plan.node, 1);
    if (rc == 0) {
        assert_int_equal(d.n, 2);
        assert_int_equal(d.v[0].replica_count, 4); /* not the one that is on its way */
        assert_int_equal(d.v[0].replicas[3].size, 103);
        assert_int_equal(d.v[0].total, sized ? 1000 : -1);
        assert_int_equal(d.v[0].usable, sized ? 10 : -1);
        assert_int_equal(d.v[1].error, KAFKA_KAFKA_STORAGE_ERROR);
        admin_dirs_free(&d);
    }
    assert_int_equal(d.n, 0);
    return rc;
}

static const struct {
    int16_t key;
    int (*call)(void);
    bool one;     /* the answer is about one thing, by name */
    bool unknown; /* may be said not to exist */
} calls[] = {
    {API_CREATE_TOPICS, call_create, true, false},
    {API_DELETE_TOPICS, call_delete, true, true},
    {API_CREATE_PARTITIONS, call_grow, true, true},
    {API_DELETE_RECORDS, call_trim, false, false},
    {API_DESCRIBE_CONFIGS, call_configs, true, true},
    {API_INCREMENTAL_ALTER_CONFIGS, call_alter, true, true},
    {API_DESCRIBE_CLUSTER, call_cluster, false, false},
    {API_DESCRIBE_LOG_DIRS, call_dirs, false, false},
};
enum { CALLS = sizeof calls / sizeof calls[0] };

static void begin(void)
{
    static const char *const settings[] = {
        "retry.backoff.ms", "1", "reconnect.backoff.ms", "1", "request.timeout.ms", "2000", NULL};

    e = (struct kerr){0};
    memset(&plan, 0, sizeof plan);
    plan.results = 1;
    plan.lacks = plan.cut = plan.error_of = -1;
    rig_start(&rig, 3, settings);
    rig.flows = true;
    rig.on_call = answer;
    rig_topic(&rig, "t", PARTITIONS);
    topic = rig_know(&rig, "t");
}

/* With one broker of that version of an API. */
static void begin_at(int16_t key, int16_t version)
{
    begin();
    rig.max_version[key] = version;
    for (int i = 0; i < RIG_NODES; i++) { /* they have told their versions already */
        rig_node_down(&rig, i);
        rig_node_up(&rig, i);
    }
}

static void each_version_is_asked_and_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < CALLS; i++) {
        const struct wire_api *api = wire_api_find(calls[i].key);
        for (int16_t v = api->min; v <= api->max; v++)
            for (int check = 0; check < 2; check++) {
                begin_at(calls[i].key, v);
                plan.check = check;
                assert_int_equal(calls[i].call(), 0);
                assert_int_equal(plan.asked, 1);
                rig_stop(&rig);
            }
    }
}

static void what_is_refused_is_told_in_the_brokers_words(void **state)
{
    (void)state;
    for (size_t i = 0; i < CALLS; i++) {
        begin();
        plan.error = KAFKA_POLICY_VIOLATION;
        assert_int_equal(calls[i].call(), KE_REMOTE);
        assert_int_equal(e.remote, KAFKA_POLICY_VIOLATION);
        assert_non_null(strstr(kerr_msg(&e), "POLICY_VIOLATION"));
        if (calls[i].one || calls[i].call == call_cluster)
            assert_non_null(strstr(kerr_msg(&e), "the broker's own words"));
        if (calls[i].unknown) {
            plan.error = KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
            assert_int_equal(calls[i].call(), KE_NOTFOUND);
            assert_non_null(strstr(kerr_msg(&e), "does not exist"));
        }
        rig_stop(&rig);
    }
}

static void an_answer_about_nothing_or_about_too_much_is_none(void **state)
{
    (void)state;
    for (size_t i = 0; i < CALLS; i++)
        for (plan.results = 0; calls[i].one && plan.results <= 2; plan.results += 2) {
            int results = plan.results;
            begin();
            plan.results = results;
            assert_int_equal(calls[i].call(), KE_CORRUPT);
            assert_non_null(strstr(kerr_msg(&e), "malformed answer to"));
            rig_stop(&rig);
            plan.results = results;
        }
}

static void an_answer_that_is_cut_anywhere_is_none(void **state)
{
    (void)state;
    for (size_t i = 0; i < CALLS; i++) {
        size_t whole;
        begin();
        assert_int_equal(calls[i].call(), 0);
        whole = plan.size;
        for (plan.cut = 0; (size_t)plan.cut < whole; plan.cut++)
            assert_int_equal(calls[i].call(), KE_CORRUPT);
        rig_stop(&rig);
    }
}

/* ---- one by one ---- */

static void defaults_need_a_broker_that_knows_of_them(void **state)
{
    struct admin_topic t = {"new", -1, 1, NULL, 0};

    (void)state;
    begin_at(API_CREATE_TOPICS, 3);
    assert_int_equal(admin_create(rig.c, &t, false, 5000, NULL, &e), KE_UNSUPPORTED);
    assert_int_equal(plan.asked, 0);
    rig_stop(&rig);
}

static void trim_asks_each_leader_once(void **state)
{
    struct admin_trim t[PARTITIONS];

    (void)state;
    begin();
    for (int32_t i = 0; i < PARTITIONS; i++)
        t[i] = (struct admin_trim){.topic = topic, .partition = i, .offset = 10 + i};
    assert_int_equal(admin_trim(rig.c, t, PARTITIONS, 5000, &e), 0);
    assert_int_equal(plan.asked, 3);
    for (int32_t i = 0; i < PARTITIONS; i++)
        assert_int_equal(t[i].start, 10 + i);
    rig_stop(&rig);
}

/* What was done is known, whatever became of the rest. */
static void trim_tells_what_it_did(void **state)
{
    struct admin_trim t[PARTITIONS];

    (void)state;
    begin();
    for (int32_t i = 0; i < PARTITIONS; i++)
        t[i] = (struct admin_trim){.topic = topic, .partition = i, .offset = 10 + i};
    plan.error = KAFKA_POLICY_VIOLATION;
    plan.error_of = 1; /* 4 has the same leader */
    assert_int_equal(admin_trim(rig.c, t, PARTITIONS, 5000, &e), KE_REMOTE);
    assert_non_null(strstr(kerr_msg(&e), "records of t-1: "));
    assert_int_equal(t[0].start, 10);
    assert_int_equal(t[1].start, -1);
    assert_int_equal(t[4].start, 14);
    plan.error = 0;
    plan.lacks = 4;
    assert_int_equal(admin_trim(rig.c, t, PARTITIONS, 5000, &e), KE_CORRUPT);
    assert_non_null(strstr(kerr_msg(&e), "lacks t-4"));
    assert_int_equal(t[1].start, 11);
    assert_int_equal(t[4].start, -1);
    plan.asked = 0;
    topic->partitions[3].leader = -1;
    assert_int_equal(admin_trim(rig.c, t, PARTITIONS, 5000, &e), KE_REMOTE);
    assert_non_null(strstr(kerr_msg(&e), "t-3 has no leader"));
    assert_int_equal(plan.asked, 0); /* nothing is done by halves */
    rig_stop(&rig);
}

static void a_broker_is_asked_itself(void **state)
{
    struct admin_target target = {ADMIN_BROKER, "2"};
    struct admin_settings s;

    (void)state;
    for (int i = 0; i < 3; i++) {
        begin();
        target.name = (const char *const[]){"0", "1", "2"}[i];
        assert_int_equal(admin_configs(rig.c, &target, 5000, &s, &e), 0);
        admin_settings_free(&s);
        assert_int_equal(plan.node, i);
        plan.node = -1;
        assert_int_equal(admin_alter_configs(rig.c, &target, changes, 3, false, 5000, &e), 0);
        assert_int_equal(plan.node, i);
        rig_stop(&rig);
    }
    begin();
    target.name = "7";
    assert_int_equal(admin_configs(rig.c, &target, 5000, &s, &e), KE_NOTFOUND);
    target.name = "";
    plan.error = KAFKA_INVALID_REQUEST;
    assert_int_equal(admin_configs(rig.c, &target, 5000, &s, &e), KE_REMOTE);
    assert_non_null(strstr(kerr_msg(&e), "all brokers: "));
    rig_stop(&rig);
}

static void versions_are_told_by_who_has_them(void **state)
{
    struct admin_versions v;

    (void)state;
    begin();
    assert_int_equal(admin_versions(rig.c, 1, 5000, &v, &e), 0);
    assert_int_equal(v.feature_count, 0);
    admin_versions_free(&v);
    assert_int_equal(admin_versions(rig.c, 9, 5000, &v, &e), KE_NOTFOUND);
    rig_stop(&rig);
}

/* ---- where partitions are: a question that the client itself asks, too ---- */

static void put_where(struct peer_call *q, struct buf *b)
{
    int32_t nodes[] = {2, 0, 1};
    struct metadata_response_partition p[2];
    struct metadata_response_topic t[2];
    struct metadata_response m;

    for (int i = 0; i < 2; i++) {
        metadata_response_partition_init(&p[i]);
        p[i].partition_index = 1 - i;
        p[i].replica_nodes.v = p[i].isr_nodes.v = nodes;
        p[i].replica_nodes.n = 3;
        p[i].isr_nodes.n = i;
    }
    metadata_response_init(&m);
    m.topics.v = t;
    for (m.topics.n = 0; m.topics.n < plan.results; m.topics.n++) {
        metadata_response_topic_init(&t[m.topics.n]);
        t[m.topics.n].name = slice_str("where");
        t[m.topics.n].error_code = plan.error;
        t[m.topics.n].partitions.v = p;
        t[m.topics.n].partitions.n = plan.error ? 0 : 2;
    }
    assert_int_equal(metadata_response_encode(&m, b, q->version), 0);
}

static bool answer_where(struct rig *r, struct peer_call *q)
{
    struct wire_reader body = q->body;
    struct metadata_request ask;
    struct buf b = {0};

    (void)r;
    if (q->key != API_METADATA)
        return false;
    assert_int_equal(metadata_request_decode(&ask, &body, q->version), 0);
    if (ask.topics.n != 1 || !slice_eq_str(ask.topics.v[0].name, "where"))
        return false;
    assert_false(ask.allow_auto_topic_creation);
    plan.asked++;
    put_where(q, &b);
    plan.size = b.n;
    if (plan.cut >= 0)
        b.n = (size_t)plan.cut;
    peer_answer(q, &b);
    return true;
}

static int call_partitions(void)
{
    struct admin_partitions p;
    int rc = admin_partitions(rig.c, "where", 5000, &p, &e);

    if (rc == 0) {
        assert_int_equal(p.n, 2);
        assert_int_equal(p.v[0].index, 1);
        assert_int_equal(p.v[0].replica_count, 3);
        assert_int_equal(p.v[0].replicas[2], 1);
        assert_int_equal(p.v[0].isr_count, 0);
        assert_int_equal(p.v[1].index, 0);
        assert_int_equal(p.v[1].isr_count, 1);
        assert_int_equal(p.v[1].isr[0], 2);
        admin_partitions_free(&p);
    }
    assert_int_equal(p.n, 0);
    return rc;
}

static void where_partitions_are(void **state)
{
    size_t whole;

    (void)state;
    for (int16_t v = 3; v <= wire_api_find(API_METADATA)->max; v++) {
        begin_at(API_METADATA, v);
        rig.on_call = answer_where;
        /* before version 4 a question is an order to make the topic */
        assert_int_equal(call_partitions(), v < 4 ? KE_UNSUPPORTED : 0);
        assert_int_equal(plan.asked, v >= 4);
        rig_stop(&rig);
    }
    begin();
    rig.on_call = answer_where;
    assert_int_equal(call_partitions(), 0);
    whole = plan.size;
    for (plan.cut = 0; (size_t)plan.cut < whole; plan.cut++)
        assert_int_equal(call_partitions(), KE_CORRUPT);
    plan.cut = -1;
    for (plan.results = 0; plan.results <= 2; plan.results += 2)
        assert_int_equal(call_partitions(), KE_CORRUPT);
    plan.results = 1;
    plan.error = KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
    assert_int_equal(call_partitions(), KE_NOTFOUND);
    plan.error = KAFKA_TOPIC_AUTHORIZATION_FAILED;
    assert_int_equal(call_partitions(), KE_REMOTE);
    assert_int_equal(e.remote, KAFKA_TOPIC_AUTHORIZATION_FAILED);
    rig_stop(&rig);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_version_is_asked_and_read),
        cmocka_unit_test(what_is_refused_is_told_in_the_brokers_words),
        cmocka_unit_test(an_answer_about_nothing_or_about_too_much_is_none),
        cmocka_unit_test(an_answer_that_is_cut_anywhere_is_none),
        cmocka_unit_test(defaults_need_a_broker_that_knows_of_them),
        cmocka_unit_test(trim_asks_each_leader_once),
        cmocka_unit_test(trim_tells_what_it_did),
        cmocka_unit_test(a_broker_is_asked_itself),
        cmocka_unit_test(versions_are_told_by_who_has_them),
        cmocka_unit_test(where_partitions_are),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests_name("client_admin", tests, NULL, NULL);
}
