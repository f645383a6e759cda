/* CreateTopics and DeleteTopics: what is checked, what is answered, what acts. */
#include "broker_support.h"

#include "wire/create_topics_request.h"
#include "wire/create_topics_response.h"
#include "wire/delete_topics_request.h"
#include "wire/delete_topics_response.h"
#include "wire/error.h"
#include "wire/metadata_request.h"
#include "wire/metadata_response.h"

#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

typedef struct create_topics_request_creatable_topic wanted;
typedef struct create_topics_request_creatable_topic_config config;
typedef struct create_topics_response_creatable_topic_result created;

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

static wanted want(const char *name, int32_t partitions, int16_t replication)
{
    wanted w;

    create_topics_request_creatable_topic_init(&w);
    w.name = slice_str(name);
    w.num_partitions = partitions;
    w.replication_factor = replication;
    return w;
}

static struct create_topics_response create(int16_t version, wanted *w, int n, bool validate_only)
{
    struct create_topics_request q;
    struct create_topics_response m;
    struct wire_reader r;
    struct buf b = {0};

    create_topics_request_init(&q);
    q.topics.v = w;
    q.topics.n = n;
    q.timeout_ms = 30000;
    q.validate_only = validate_only;
    assert_int_equal(create_topics_request_encode(&q, &b, version), 0);
    raw_send(&c, API_CREATE_TOPICS, version, 3, &b);
    raw_receive(&c, API_CREATE_TOPICS, version, 3, &r);
    assert_int_equal(create_topics_response_decode(&m, &r, version), 0);
    assert_int_equal(wire_left(&r), 0);
    assert_int_equal(m.topics.n, n);
    return m;
}

static created create_one(int16_t version, wanted w)
{
    return create(version, &w, 1, false).topics.v[0];
}

static int32_t topic_count(void)
{
    return broker_topic_count(rig.broker);
}

static void every_version_creates(void **state)
{
    char name[16];

    (void)state;
    for (int16_t v = 2; v <= 7; v++) {
        created t;
        snprintf(name, sizeof name, "v%d", v);
        t = create_one(v, want(name, v >= 4 ? -1 : 2, v >= 4 ? -1 : 1));
        assert_int_equal(t.error_code, 0);
        assert_true(slice_is_null(t.error_message));
        assert_true(slice_eq_str(t.name, name));
        assert_int_equal(t.num_partitions, v >= 5 ? 1 : -1);
        assert_int_equal(t.replication_factor, v >= 5 ? 1 : -1);
        assert_int_equal(t.topic_config_error_code, 0);
        assert_int_equal(uuid_is_zero(t.topic_id), v < 7);
    }
    assert_int_equal(topic_count(), 6);
}

/* Refused with that code and some message, and nothing is made. */
static void refused(wanted w, int16_t code)
{
    int32_t before = topic_count();
    created t = create_one(7, w);

    assert_int_equal(t.error_code, code);
    assert_true(t.error_message.n > 0);
    assert_int_equal(t.num_partitions, -1);
    assert_int_equal(t.replication_factor, -1);
    assert_true(t.configs.n <= 0);
    assert_true(uuid_is_zero(t.topic_id));
    assert_int_equal(topic_count(), before);
}

static void what_cannot_be_made_is_refused(void **state)
{
    static char long_name[251];

    (void)state;
    memset(long_name, 'x', sizeof long_name - 1);
    assert_int_equal(create_one(7, want("there.one", 1, 1)).error_code, 0);
    refused(want("there.one", 1, 1), KAFKA_TOPIC_ALREADY_EXISTS);
    refused(want("there_one", 1, 1), KAFKA_INVALID_TOPIC_EXCEPTION);
    refused(want("", 1, 1), KAFKA_INVALID_TOPIC_EXCEPTION);
    refused(want(".", 1, 1), KAFKA_INVALID_TOPIC_EXCEPTION);
    refused(want("..", 1, 1), KAFKA_INVALID_TOPIC_EXCEPTION);
    refused(want("a/b", 1, 1), KAFKA_INVALID_TOPIC_EXCEPTION);
    refused(want("a b", 1, 1), KAFKA_INVALID_TOPIC_EXCEPTION);
    refused(want("\xc3\xa4", 1, 1), KAFKA_INVALID_TOPIC_EXCEPTION);
    refused(want(long_name, 1, 1), KAFKA_INVALID_TOPIC_EXCEPTION);
    refused(want("t", 0, 1), KAFKA_INVALID_PARTITIONS);
    refused(want("t", -2, 1), KAFKA_INVALID_PARTITIONS);
    refused(want("t", 1, 0), KAFKA_INVALID_REPLICATION_FACTOR);
    refused(want("t", 1, 2), KAFKA_INVALID_REPLICATION_FACTOR);
    refused(want("t", 10001, 1), KAFKA_POLICY_VIOLATION);
    long_name[249] = 0;
    assert_int_equal(create_one(7, want(long_name, 1, 1)).error_code, 0);
}

static void a_name_given_twice_is_refused_the_others_made(void **state)
{
    wanted w[3] = {want("twice", 1, 1), want("once", 1, 1), want("twice", 1, 1)};
    struct create_topics_response m;

    (void)state;
    m = create(7, w, 3, false);
    assert_int_equal(m.topics.v[0].error_code, KAFKA_INVALID_REQUEST);
    assert_int_equal(m.topics.v[1].error_code, 0);
    assert_int_equal(m.topics.v[2].error_code, KAFKA_INVALID_REQUEST);
    assert_int_equal(topic_count(), 1);
}

static void validate_only_makes_nothing(void **state)
{
    wanted w[2] = {want("t", 3, 1), want("bad name", 1, 1)};
    struct create_topics_response m;

    (void)state;
    m = create(7, w, 2, true);
    assert_int_equal(m.topics.v[0].error_code, 0);
    assert_int_equal(m.topics.v[0].num_partitions, 3);
    assert_true(m.topics.v[0].configs.n > 10);
    assert_int_equal(m.topics.v[1].error_code, KAFKA_INVALID_TOPIC_EXCEPTION);
    assert_int_equal(topic_count(), 0);
}

static void assignments_are_for_this_broker(void **state)
{
    typedef struct create_topics_request_creatable_replica_assignment assignment;
    int32_t ours[2] = {1, 1}, others[2] = {2, 2};
    static const struct {
        int32_t index[2], node[2];
        int nodes;
        int16_t error;
    } cases[] = {{{1, 0}, {1, 1}, 1, 0},
                 {{0, 0}, {1, 1}, 1, KAFKA_INVALID_REPLICA_ASSIGNMENT},
                 {{0, 2}, {1, 1}, 1, KAFKA_INVALID_REPLICA_ASSIGNMENT},
                 {{0, -1}, {1, 1}, 1, KAFKA_INVALID_REPLICA_ASSIGNMENT},
                 {{0, 1}, {1, 2}, 1, KAFKA_INVALID_REPLICA_ASSIGNMENT},
                 {{0, 1}, {1, 1}, 2, KAFKA_INVALID_REPLICA_ASSIGNMENT},
                 {{0, 1}, {1, 1}, 0, KAFKA_INVALID_REPLICA_ASSIGNMENT}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assignment a[2];
        wanted w = want("assigned", -1, -1);
        for (int k = 0; k < 2; k++) {
            create_topics_request_creatable_replica_assignment_init(&a[k]);
            a[k].partition_index = cases[i].index[k];
            a[k].broker_ids.v = cases[i].node[k] == 1 ? ours : others;
            a[k].broker_ids.n = cases[i].nodes;
        }
        w.assignments.v = a;
        w.assignments.n = 2;
        assert_int_equal(create_one(7, w).error_code, cases[i].error);
        w.num_partitions = 2;
        w.name = slice_str("both");
        assert_int_equal(create_one(7, w).error_code, KAFKA_INVALID_REQUEST);
        raw_delete(&c, "assigned");
    }
}

static config setting(const char *name, const char *value)
{
    config s;

    create_topics_request_creatable_topic_config_init(&s);
    s.name = slice_str(name);
    s.value = value ? slice_str(value) : (struct slice){NULL, 0};
    return s;
}

static void settings_are_checked(void **state)
{
    static const char *const bad[][2] = {{"segment.bytes", "many"},
                                         {"segment.bytes", ""},
                                         {"segment.bytes", "-1"},
                                         {"segment.bytes", "2147483648"},
                                         {"segment.bytes", NULL},
                                         {"max.message.bytes", "1e3"},
                                         {"cleanup.policy", "shred"},
                                         {"cleanup.policy", "delete,,compact"},
                                         {"compression.type", "brotli"},
                                         {"min.cleanable.dirty.ratio", "1.5"},
                                         {"min.cleanable.dirty.ratio", "nan"},
                                         {"preallocate", "yes"},
                                         {"message.timestamp.type", "createtime"},
                                         {"flush", "never"},
                                         {"segment.byte", "100"}};

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        config s = setting(bad[i][0], bad[i][1]);
        wanted w = want("t", 1, 1);
        created t;
        w.configs.v = &s;
        w.configs.n = 1;
        refused(w, KAFKA_INVALID_CONFIG);
        t = create_one(7, w); /* the message names the setting */
        assert_non_null(memmem(t.error_message.p, t.error_message.n, bad[i][0], strlen(bad[i][0])));
    }
    {
        config s[2] = {setting("flush", "os"), setting("flush", "sync")};
        wanted w = want("t", 1, 1);
        w.configs.v = s;
        w.configs.n = 2;
        refused(w, KAFKA_INVALID_CONFIG);
    }
}

static const struct create_topics_response_creatable_topic_configs *config_of(const created *t,
                                                                              const char *name)
{
    for (int32_t i = 0; i < t->configs.n; i++)
        if (slice_eq_str(t->configs.v[i].name, name))
            return &t->configs.v[i];
    fail_msg("no %s in the answer", name);
    return NULL;
}

static void assert_config(const created *t, const char *name, const char *value, int8_t source)
{
    const struct create_topics_response_creatable_topic_configs *s = config_of(t, name);

    assert_true(slice_eq_str(s->value, value));
    assert_int_equal(s->config_source, source);
    assert_false(s->read_only);
    assert_false(s->is_sensitive);
}

static int start_with_a_broker_default(void **state)
{
    static const char *const settings[] = {"log.segment.bytes", "2000000", "num.partitions", "4",
                                           NULL};

    (void)state;
    return start_with(settings);
}

static void settings_are_answered_with_their_sources(void **state)
{
    config s[2] = {setting("retention.ms", "1234"), setting("cleanup.policy", "compact,delete")};

    (void)state;
    for (int16_t v = 5; v <= 7; v++) {
        char name[8];
        wanted w;
        created t;
        snprintf(name, sizeof name, "t%d", v);
        w = want(name, -1, -1);
        w.configs.v = s;
        w.configs.n = 2;
        t = create_one(v, w);
        assert_int_equal(t.error_code, 0);
        assert_int_equal(t.num_partitions, 4);
        assert_config(&t, "retention.ms", "1234", 1);
        assert_config(&t, "cleanup.policy", "compact,delete", 1);
        assert_config(&t, "segment.bytes", "2000000", 4);
        assert_config(&t, "max.message.bytes", "1048588", 5);
        assert_config(&t, "message.timestamp.type", "CreateTime", 5);
    }
}

static size_t segments(const char *partition)
{
    char pattern[128];
    glob_t g;
    size_t n;

    snprintf(pattern, sizeof pattern, "%s/%s/*.log", rig.dir, partition);
    n = glob(pattern, 0, NULL, &g) == 0 ? g.gl_pathc : 0;
    globfree(&g);
    return n;
}

static void segment_settings_act(void **state)
{
    static const char *const bytes[] = {"segment.bytes", "400", NULL};
    static const char *const age[] = {"segment.ms", "5", NULL};
    struct uuid by_bytes = raw_create(&c, "bytes", 1, bytes),
                by_age = raw_create(&c, "age", 1, age);
    struct uuid neither = raw_create(&c, "neither", 1, NULL);
    struct batch_builder w = {0};

    (void)state;
    /* three batches of 10 records, whose timestamps are 1700000000000 + 0..9: within one batch the
     * time may pass, a batch lies in one segment */
    for (int i = 0; i < 3; i++) {
        assert_int_equal(
            raw_produce(&c, 9, "bytes", by_bytes, -1, make_batch(&w, 0, 10, 20, -1, -1)).error, 0);
        assert_int_equal(
            raw_produce(&c, 9, "age", by_age, -1, make_batch(&w, 0, 4 + 8 * i, 20, -1, -1)).error,
            0);
        assert_int_equal(
            raw_produce(&c, 9, "neither", neither, -1, make_batch(&w, 0, 10, 20, -1, -1)).error, 0);
    }
    assert_int_equal(segments("bytes-0"), 3);
    assert_int_equal(segments("age-0"), 3);
    assert_int_equal(segments("neither-0"), 1);
    /* larger than a segment could be */
    assert_int_equal(
        raw_produce(&c, 9, "bytes", by_bytes, -1, make_batch(&w, 0, 10, 100, -1, -1)).error,
        KAFKA_RECORD_LIST_TOO_LARGE);
    batch_builder_free(&w);
}

static int start_with_caps(void **state)
{
    static const char *const settings[] = {"max.topics", "5", "max.partitions", "10", NULL};

    (void)state;
    return start_with(settings);
}

/* In one request, so that what was asked for before is not in the catalog yet. */
static void caps_hold_within_one_request(void **state)
{
    wanted w[8];
    char name[8][8];
    struct create_topics_response m;
    struct metadata_request_topic t[8];
    struct metadata_request q;
    struct metadata_response a;
    struct wire_reader r;
    struct buf b = {0};

    (void)state;
    for (int i = 0; i < 3; i++) {
        snprintf(name[i], sizeof name[i], "t%d", i);
        w[i] = want(name[i], 4, 1);
    }
    m = create(7, w, 3, false);
    assert_int_equal(m.topics.v[0].error_code, 0);
    assert_int_equal(m.topics.v[1].error_code, 0);
    assert_int_equal(m.topics.v[2].error_code, KAFKA_POLICY_VIOLATION);
    metadata_request_init(&q);
    for (int i = 0; i < 8; i++) {
        metadata_request_topic_init(&t[i]);
        snprintf(name[i], sizeof name[i], "m%d", i);
        t[i].name = slice_str(name[i]);
    }
    q.topics.v = t;
    q.topics.n = 8;
    assert_int_equal(metadata_request_encode(&q, &b, 9), 0);
    raw_send(&c, API_METADATA, 9, 4, &b);
    raw_receive(&c, API_METADATA, 9, 4, &r);
    assert_int_equal(metadata_response_decode(&a, &r, 9), 0);
    for (int i = 0; i < 8; i++) /* two partitions are left of ten */
        assert_int_equal(a.topics.v[i].error_code,
                         i < 2 ? KAFKA_UNKNOWN_TOPIC_OR_PARTITION : KAFKA_POLICY_VIOLATION);
    /* when some have gone there is room again */
    assert_int_equal(raw_delete(&c, "t0"), 0);
    assert_int_equal(create_one(7, want("again", 4, 1)).error_code, 0);
    assert_int_equal(create_one(7, want("one-more", 1, 1)).error_code, KAFKA_POLICY_VIOLATION);
}

/* ---- deletion ---- */

static struct delete_topics_response_deletable_topic_result
delete_by(int16_t version, const char *name, struct uuid id)
{
    struct slice s = name ? slice_str(name) : (struct slice){NULL, 0};
    struct delete_topics_request_delete_topic_state t;
    struct delete_topics_request q;
    struct delete_topics_response m;
    struct wire_reader r;
    struct buf b = {0};

    delete_topics_request_init(&q);
    delete_topics_request_delete_topic_state_init(&t);
    t.name = s;
    t.topic_id = id;
    if (version >= 6) {
        q.topics.v = &t;
        q.topics.n = 1;
    } else {
        q.topic_names.v = &s;
        q.topic_names.n = 1;
    }
    assert_int_equal(delete_topics_request_encode(&q, &b, version), 0);
    raw_send(&c, API_DELETE_TOPICS, version, 2, &b);
    raw_receive(&c, API_DELETE_TOPICS, version, 2, &r);
    assert_int_equal(delete_topics_response_decode(&m, &r, version), 0);
    assert_int_equal(wire_left(&r), 0);
    assert_int_equal(m.responses.n, 1);
    return m.responses.v[0];
}

static void every_version_deletes(void **state)
{
    const struct uuid none = {{0}};

    (void)state;
    for (int16_t v = 1; v <= 6; v++) {
        struct delete_topics_response_deletable_topic_result d;
        struct uuid id = raw_create(&c, "t", 2, NULL);
        d = delete_by(v, "t", none);
        assert_int_equal(d.error_code, 0);
        assert_true(slice_eq_str(d.name, "t"));
        assert_true(v < 6 || uuid_eq(d.topic_id, id));
        assert_true(slice_is_null(d.error_message));
        d = delete_by(v, "t", none);
        assert_int_equal(d.error_code, KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
        assert_true(v < 5 || d.error_message.n > 0);
    }
    assert_int_equal(topic_count(), 0);
    assert_int_equal(segments("t-*"), 0);
}

static void deletion_by_id(void **state)
{
    struct delete_topics_response_deletable_topic_result d;
    struct uuid id = raw_create(&c, "t", 1, NULL);

    (void)state;
    assert_int_equal(delete_by(6, "t", id).error_code, KAFKA_INVALID_REQUEST);
    assert_int_equal(delete_by(6, NULL, (struct uuid){{0}}).error_code, KAFKA_INVALID_REQUEST);
    d = delete_by(6, NULL, (struct uuid){{7}});
    assert_int_equal(d.error_code, KAFKA_UNKNOWN_TOPIC_ID);
    assert_true(slice_is_null(d.name));
    d = delete_by(6, NULL, id);
    assert_int_equal(d.error_code, 0);
    assert_true(slice_eq_str(d.name, "t"));
    assert_int_equal(delete_by(6, NULL, id).error_code, KAFKA_UNKNOWN_TOPIC_ID);
}

static int start_without_deletion(void **state)
{
    static const char *const settings[] = {"delete.topic.enable", "false", NULL};

    (void)state;
    return start_with(settings);
}

static void deletion_may_be_forbidden(void **state)
{
    const struct uuid none = {{0}};

    (void)state;
    raw_create(&c, "t", 1, NULL);
    assert_int_equal(delete_by(2, "t", none).error_code, KAFKA_INVALID_REQUEST);
    assert_int_equal(delete_by(6, "t", none).error_code, KAFKA_TOPIC_DELETION_DISABLED);
    assert_int_equal(topic_count(), 1);
}

#define WITH_BROKER(f)       cmocka_unit_test_setup_teardown(f, start, stop)
#define WITH(f, start_with_) cmocka_unit_test_setup_teardown(f, start_with_, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_BROKER(every_version_creates),
        WITH_BROKER(what_cannot_be_made_is_refused),
        WITH_BROKER(a_name_given_twice_is_refused_the_others_made),
        WITH_BROKER(validate_only_makes_nothing),
        WITH_BROKER(assignments_are_for_this_broker),
        WITH_BROKER(settings_are_checked),
        WITH(settings_are_answered_with_their_sources, start_with_a_broker_default),
        WITH_BROKER(segment_settings_act),
        WITH(caps_hold_within_one_request, start_with_caps),
        WITH_BROKER(every_version_deletes),
        WITH_BROKER(deletion_by_id),
        WITH(deletion_may_be_forbidden, start_without_deletion),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
