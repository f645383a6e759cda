/* The broker's settings act: those of logs come to the field that log_conf_test and log_expire_test
 * see act, by whatever name and in whatever unit they are given; the others here. */
#include "broker_support.h"

#include "broker/core.h"
#include "wire/create_topics_request.h"
#include "wire/create_topics_response.h"
#include "wire/error.h"
#include "wire/incremental_alter_configs_request.h"
#include "wire/incremental_alter_configs_response.h"

#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum { TOPIC = 2, BROKER = 4 };

static struct rig rig;
static struct raw c;

static void start_with(const char *const *settings)
{
    rig_start(&rig, settings);
    raw_open(&c, &rig);
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

/* value NULL: it is removed. */
static void alter(int8_t type, const char *name, const char *key, const char *value)
{
    struct incremental_alter_configs_request_alterable_config set;
    struct incremental_alter_configs_request_alter_configs_resource res;
    struct incremental_alter_configs_request q;
    struct incremental_alter_configs_response m;
    struct wire_reader r;
    struct buf b = {0};

    incremental_alter_configs_request_init(&q);
    incremental_alter_configs_request_alter_configs_resource_init(&res);
    incremental_alter_configs_request_alterable_config_init(&set);
    set.name = slice_str(key);
    set.config_operation = value ? 0 : 1;
    set.value = value ? slice_str(value) : (struct slice){NULL, 0};
    res.resource_type = type;
    res.resource_name = slice_str(name);
    res.configs.v = &set;
    res.configs.n = 1;
    q.resources.v = &res;
    q.resources.n = 1;
    assert_int_equal(incremental_alter_configs_request_encode(&q, &b, 1), 0);
    raw_send(&c, API_INCREMENTAL_ALTER_CONFIGS, 1, 6, &b);
    raw_receive(&c, API_INCREMENTAL_ALTER_CONFIGS, 1, 6, &r);
    assert_int_equal(incremental_alter_configs_response_decode(&m, &r, 1), 0);
    assert_int_equal(m.responses.v[0].error_code, 0);
}

/* ---- logs ---- */

/* What a value of a setting changes, beginning with the defaults: that and nothing else. */
static void reaches(const char *name, const char *value, struct plog_conf want)
{
    const struct config_key *k = config_find_topic(slice_str(name));
    struct plog_conf got;

    assert_non_null(k);
    assert_int_equal(config_check(k, name, slice_str(value), NULL), 0);
    plog_conf_default(&got);
    k->apply(&got, slice_str(k->value)); /* the table's default and the log's are the same */
    k->apply(&got, slice_str(value));
    if (memcmp(&got, &want, sizeof want) != 0)
        fail_msg("%s=%s", name, value);
}

#define REACHES(name, value, ...)                                                                  \
    do {                                                                                           \
        struct plog_conf want;                                                                     \
        plog_conf_default(&want);                                                                  \
        __VA_ARGS__;                                                                               \
        reaches(name, value, want);                                                                \
        seen++;                                                                                    \
    } while (0)

static void every_setting_of_logs_reaches_them(void **state)
{
    struct plog_conf standard, got;
    int seen = 0, rows = 0;

    (void)state;
    REACHES("cleanup.policy", "compact", want.compacted = true, want.expires = false);
    REACHES("compression.gzip.level", "7", want.levels[CODEC_GZIP] = 7);
    REACHES("compression.lz4.level", "12", want.levels[CODEC_LZ4] = 12);
    REACHES("compression.type", "snappy", want.compression = CODEC_SNAPPY);
    REACHES("compression.zstd.level", "-5", want.levels[CODEC_ZSTD] = -5);
    REACHES("file.delete.delay.ms", "1", want.delete_delay_ms = 1);
    REACHES("flush.messages", "2", want.flush_messages = 2);
    REACHES("flush.ms", "3", want.flush_ms = 3);
    REACHES("index.interval.bytes", "4", want.index_interval_bytes = 4);
    REACHES("max.message.bytes", "5", want.max_message_bytes = 5);
    REACHES("message.timestamp.after.max.ms", "6", want.after_max_ms = 6);
    REACHES("message.timestamp.before.max.ms", "7", want.before_max_ms = 7);
    REACHES("message.timestamp.type", "LogAppendTime", want.append_time = true);
    REACHES("preallocate", "True", want.preallocate = true);
    REACHES("retention.bytes", "8", want.retention_bytes = 8);
    REACHES("retention.ms", "-1", want.retention_ms = -1);
    REACHES("segment.bytes", "1048576", want.segment_bytes = 1048576);
    REACHES("segment.index.bytes", "1000", want.segment_index_bytes = 1000);
    REACHES("segment.jitter.ms", "9", want.jitter_ms = 9);
    REACHES("segment.ms", "10", want.segment_ms = 10);
    REACHES("flush", "os", want.flush = PLOG_FLUSH_OS);
    REACHES("validate.records", "true", want.validate_records = true);
    plog_conf_default(&standard);
    plog_conf_default(&got);
    for (const struct config_key *k = config_keys; k->topic; k++) {
        if (k->apply)
            k->apply(&got, slice_str(k->value));
        rows += k->apply != NULL;
    }
    assert_memory_equal(&got, &standard, sizeof got);
    assert_int_equal(seen, rows); /* none is missing above */
}

/* The finest unit counts, and what is said of a running broker counts more than its file. */
static void older_names_in_other_units(void **state)
{
    static const char *const hours[] = {
        "log.roll.hours", "2", "log.roll.jitter.hours", "1", "log.retention.hours", "3", NULL};
    static const char *const all[] = {"log.roll.ms",
                                      "5000",
                                      "log.roll.hours",
                                      "2",
                                      "log.roll.jitter.ms",
                                      "6000",
                                      "log.roll.jitter.hours",
                                      "1",
                                      "log.retention.minutes",
                                      "4",
                                      "log.retention.hours",
                                      "3",
                                      NULL};
    static const char *const never[] = {"log.retention.hours", "-1", NULL};
    const struct plog_conf *log;

    (void)state;
    start_with(hours);
    log = &rig.broker->log_base;
    assert_int_equal(log->segment_ms, 7200000);
    assert_int_equal(log->jitter_ms, 3600000);
    assert_int_equal(log->retention_ms, 10800000);
    alter(BROKER, "", "log.roll.ms", "77");
    alter(BROKER, "", "log.retention.ms", "88");
    assert_int_equal(log->segment_ms, 77);
    assert_int_equal(log->retention_ms, 88);
    alter(BROKER, "1", "log.retention.ms", "99");
    assert_int_equal(log->retention_ms, 99);
    restart(all);
    log = &rig.broker->log_base;
    assert_int_equal(log->retention_ms, 99);
    assert_int_equal(log->segment_ms, 77);
    alter(BROKER, "1", "log.retention.ms", NULL);
    assert_int_equal(log->retention_ms, 88);
    alter(BROKER, "", "log.retention.ms", NULL);
    alter(BROKER, "", "log.roll.ms", NULL);
    assert_int_equal(log->retention_ms, 240000);
    assert_int_equal(log->segment_ms, 5000);
    assert_int_equal(log->jitter_ms, 6000);
    restart(never);
    assert_int_equal(rig.broker->log_base.retention_ms, -1);
}

/* ---- housekeeping ---- */

static const char *const housekeeping[] = {"log.retention.check.interval.ms",
                                           "10",
                                           "log.retention.ms",
                                           "-1",
                                           "producer.id.expiration.ms",
                                           "1",
                                           "log.segment.delete.delay.ms",
                                           "3600000",
                                           NULL};

/* inside: an offset that the log has; for others its start is not told */
static int64_t log_start(const char *topic, struct uuid id, int64_t inside)
{
    struct fetch_ask a = {
        .topic = topic, .id = id, .offset = inside, .max_wait = 20, .min_bytes = 1};

    return raw_fetch(&c, 12, &a).log_start;
}

/* Asks again and again, each time for a while: nobody tells a client that a log's start moves. */
static void wait_for_start(const char *topic, struct uuid id, int64_t want)
{
    time_t end = time(NULL) + 20;
    int64_t at;

    do
        at = log_start(topic, id, want);
    while (at < want && time(NULL) < end);
    assert_int_equal(at, want);
}

static size_t count_files(const char *pattern)
{
    char path[128];
    glob_t g;
    size_t n;

    snprintf(path, sizeof path, "%s/%s", rig.dir, pattern);
    n = glob(path, 0, NULL, &g) == 0 ? g.gl_pathc : 0;
    globfree(&g);
    return n;
}

/* Records of 2023. */
static void what_is_old_goes(void **state)
{
    static const char *const keep[] = {"retention.ms", "-1", NULL};
    struct batch_builder w = {0};
    struct uuid t, kept;

    (void)state;
    start_with(housekeeping);
    t = raw_create(&c, "t", 1, NULL);
    kept = raw_create(&c, "kept", 1, keep);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(raw_produce(&c, 9, "t", t, -1, make_batch(&w, 0, 5, 9, -1, -1)).error, 0);
        assert_int_equal(
            raw_produce(&c, 9, "kept", kept, -1, make_batch(&w, 0, 5, 9, -1, -1)).error, 0);
    }
    assert_int_equal(log_start("t", t, 0), 0);
    alter(TOPIC, "t", "retention.ms", "1000"); /* the topic's own, on the open log */
    wait_for_start("t", t, 15);
    assert_int_equal(raw_produce(&c, 9, "t", t, -1, make_batch(&w, 0, 5, 9, -1, -1)).base_offset,
                     15);
    alter(TOPIC, "t", "retention.ms", NULL);
    alter(BROKER, "", "log.retention.ms", "1000"); /* all topics' that have none */
    wait_for_start("t", t, 20);
    assert_int_equal(log_start("kept", kept, 0), 0);
    restart(housekeeping);
    assert_int_equal(log_start("t", t, 20), 20);
    assert_int_equal(raw_produce(&c, 9, "t", t, -1, make_batch(&w, 0, 5, 9, -1, -1)).base_offset,
                     20);
    wait_for_start("t", t, 25); /* and after a restart */
    assert_int_equal(log_start("kept", kept, 0), 0);
    batch_builder_free(&w);
}

static void deleted_files_wait(void **state)
{
    time_t end = time(NULL) + 20;
    struct batch_builder w = {0};
    struct uuid t;

    (void)state;
    start_with(housekeeping);
    t = raw_create(&c, "t", 1, NULL);
    assert_int_equal(raw_produce(&c, 9, "t", t, -1, make_batch(&w, 0, 5, 9, -1, -1)).error, 0);
    alter(TOPIC, "t", "retention.ms", "1000");
    wait_for_start("t", t, 5);
    while (count_files("t-0/*.log.deleted") == 0 && time(NULL) < end)
        log_start("t", t, 0);
    assert_int_equal(count_files("t-0/*.log.deleted"), 1);
    alter(TOPIC, "t", "file.delete.delay.ms", "0");
    assert_int_equal(raw_produce(&c, 9, "t", t, -1, make_batch(&w, 0, 5, 9, -1, -1)).error, 0);
    wait_for_start("t", t, 10);
    while (count_files("t-0/*.log") > 1 && time(NULL) < end)
        log_start("t", t, 0);
    assert_int_equal(count_files("t-0/*.log"), 1);
    assert_int_equal(count_files("t-0/*.log.deleted"), 1); /* this one went at once */
    batch_builder_free(&w);
}

static void an_idle_producer_is_forgotten(void **state)
{
    time_t end = time(NULL) + 20;
    struct batch_builder w = {0};
    struct uuid t;
    int16_t error;

    (void)state;
    start_with(housekeeping);
    t = raw_create(&c, "t", 1, NULL);
    assert_int_equal(raw_produce(&c, 9, "t", t, -1, make_batch(&w, 0, 1, 9, 5, 0)).error, 0);
    do { /* out of sequence, as long as it is known */
        error = raw_produce(&c, 9, "t", t, -1, make_batch(&w, 0, 1, 9, 5, 7)).error;
        log_start("t", t, 0);
    } while (error == KAFKA_OUT_OF_ORDER_SEQUENCE_NUMBER && time(NULL) < end);
    assert_int_equal(error, 0);
    batch_builder_free(&w);
}

/* ---- connections and names ---- */

static void max_connections(void **state)
{
    static const char *const one[] = {"max.connections", "1", NULL};
    struct raw second;

    (void)state;
    start_with(one);
    raw_create(&c, "t", 1, NULL);
    raw_open(&second, &rig);
    assert_true(raw_closed(&second));
    raw_close(&second);
    raw_create(&c, "u", 1, NULL); /* the first goes on */
}

/* A new connection that is answered; the caller closes it in any case. */
static bool lets_in(struct raw *who)
{
    static const uint8_t api_versions[] = {0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 1, 0xff, 0xff};
    uint8_t b;

    raw_open(who, &rig);
    send(who->fd, api_versions, sizeof api_versions, MSG_NOSIGNAL);
    return recv(who->fd, &b, 1, 0) == 1;
}

/* Sooner or later. */
static void assert_lets_in(struct raw *who)
{
    for (time_t end = time(NULL) + 30; !lets_in(who); raw_close(who))
        assert_true(time(NULL) < end);
}

static void max_connections_per_ip(void **state)
{
    static const char *const one[] = {"max.connections.per.ip", "1", NULL};
    struct raw second;

    (void)state;
    start_with(one);
    raw_create(&c, "t", 1, NULL);
    assert_false(lets_in(&second));
    raw_close(&second);
    raw_close(&c);
    assert_lets_in(&c);
}

static void max_connections_of_one_address(void **state)
{
    static const char *const two[] = {"max.connections.per.ip", "1",
                                      "max.connections.per.ip.overrides", "127.0.0.2:1,127.0.0.1:2",
                                      NULL};
    struct raw second, third;

    (void)state;
    start_with(two);
    raw_create(&c, "t", 1, NULL);
    assert_true(lets_in(&second));
    assert_false(lets_in(&third));
    raw_close(&third);
    raw_close(&second);
}

static void max_connection_creation_rate(void **state)
{
    static const char *const slow[] = {"max.connection.creation.rate", "1", NULL};
    struct raw more;
    int refused = 0;

    (void)state;
    start_with(slow);
    for (int i = 0; i < 50; i++) {
        refused += !lets_in(&more);
        raw_close(&more);
    }
    assert_true(refused > 0);
    assert_lets_in(&more);
    raw_close(&more);
}

static void connections_max_idle_ms(void **state)
{
    static const char *const soon[] = {"connections.max.idle.ms", "50", NULL};

    (void)state;
    start_with(soon);
    assert_true(raw_closed(&c));
}

static void socket_request_max_bytes(void **state)
{
    static const char *const small[] = {"socket.request.max.bytes", "2000", NULL};
    static const uint8_t length[] = {0, 0, 2000 >> 8, (2000 & 0xff) + 1};

    (void)state;
    start_with(small);
    raw_create(&c, "t", 1, NULL);
    assert_int_equal(send(c.fd, length, 4, 0), 4);
    assert_true(raw_closed(&c));
}

static void queued_max_request_bytes(void **state)
{
    static const char *const settings[] = {"queued.max.request.bytes", "123456", NULL};

    (void)state;
    start_with(settings);
    assert_int_equal(rig.broker->budget.max, 123456); /* what that does: net_time_test */
}

static char other[80];

static int make_other(void **state)
{
    (void)state;
    snprintf(other, sizeof other, "%s/kbmXXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
    assert_non_null(mkdtemp(other));
    return 0;
}

static int remove_other(void **state)
{
    char command[128];

    stop(state);
    snprintf(command, sizeof command, "rm -rf '%s'", other);
    return system(command);
}

/* A pattern for grep in one of the two directories' files. */
static bool has_line(const char *dir, const char *file, const char *line)
{
    char command[256];

    snprintf(command, sizeof command, "grep -qsx '%s' '%s/%s'", line, dir, file);
    return system(command) == 0;
}

static void who_and_where(void **state)
{
    const char *const settings[] = {"node.id", "7", "metadata.log.dir", other, NULL};
    char path[128];

    (void)state;
    start_with(settings);
    assert_int_equal(count_files("catalog.db"), 0);
    snprintf(path, sizeof path, "%s/catalog.db", other);
    assert_int_equal(access(path, F_OK), 0);
    assert_true(has_line(rig.dir, "meta.properties", "node.id=7"));
}

/* And older names: log.dir, broker.id. */
static void listeners_that_are_not_served(void **state)
{
    const char *const settings[] = {"listeners",
                                    "IN://127.0.0.1:0,CONTROL://127.0.0.1:0",
                                    "controller.listener.names",
                                    "CONTROL",
                                    "listener.security.protocol.map",
                                    "IN:PLAINTEXT,CONTROL:PLAINTEXT",
                                    "log.dir",
                                    other,
                                    "broker.id",
                                    "8",
                                    NULL};

    (void)state;
    start_with(settings);
    assert_int_equal(rig.broker->listener_count, 1);
    assert_string_equal(broker_listener(rig.broker, 0)->listener, "IN");
    assert_false(has_line(rig.dir, "meta.properties", "node.id=8"));
    assert_true(has_line(other, "meta.properties", "node.id=8"));
}

/* ---- caps ---- */

static int16_t create(const char *name)
{
    struct create_topics_request_creatable_topic t;
    struct create_topics_request q;
    struct create_topics_response m;
    struct wire_reader r;
    struct buf b = {0};

    create_topics_request_init(&q);
    create_topics_request_creatable_topic_init(&t);
    t.name = slice_str(name);
    t.num_partitions = t.replication_factor = -1;
    q.topics.v = &t;
    q.topics.n = 1;
    assert_int_equal(create_topics_request_encode(&q, &b, 7), 0);
    raw_send(&c, API_CREATE_TOPICS, 7, 1, &b);
    raw_receive(&c, API_CREATE_TOPICS, 7, 1, &r);
    assert_int_equal(create_topics_response_decode(&m, &r, 7), 0);
    if (m.topics.v[0].error_code == 0)
        assert_int_equal(m.topics.v[0].replication_factor, 1);
    return m.topics.v[0].error_code;
}

static void max_topics_and_partitions(void **state)
{
    static const char *const two[] = {"max.topics",
                                      "2",
                                      "default.replication.factor",
                                      "1",
                                      "num.partitions",
                                      "3",
                                      "max.partitions",
                                      "100",
                                      NULL};
    static const char *const five[] = {"max.partitions", "8", "num.partitions", "3", NULL};

    (void)state;
    start_with(two);
    assert_int_equal(create("a"), 0);
    assert_int_equal(create("b"), 0);
    assert_int_equal(create("c"), KAFKA_POLICY_VIOLATION);
    assert_int_equal(raw_delete(&c, "a"), 0);
    assert_int_equal(create("c"), 0); /* there is room again */
    restart(five);
    assert_int_equal(create("d"), KAFKA_POLICY_VIOLATION);
    assert_int_equal(raw_delete(&c, "b"), 0);
    assert_int_equal(create("d"), 0);
}

#define STOPPED(f) cmocka_unit_test_teardown(f, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_setting_of_logs_reaches_them),
        STOPPED(older_names_in_other_units),
        STOPPED(what_is_old_goes),
        STOPPED(deleted_files_wait),
        STOPPED(an_idle_producer_is_forgotten),
        STOPPED(max_connections),
        STOPPED(max_connections_per_ip),
        STOPPED(max_connections_of_one_address),
        STOPPED(max_connection_creation_rate),
        STOPPED(connections_max_idle_ms),
        STOPPED(socket_request_max_bytes),
        STOPPED(queued_max_request_bytes),
        cmocka_unit_test_setup_teardown(who_and_where, make_other, remove_other),
        cmocka_unit_test_setup_teardown(listeners_that_are_not_served, make_other, remove_other),
        STOPPED(max_topics_and_partitions),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
