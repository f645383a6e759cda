/* How much the areas say, changed by Kafka's APIs while the broker runs. */
#include "broker_support.h"

#include "broker/core.h"
#include "wire/describe_configs_request.h"
#include "wire/describe_configs_response.h"
#include "wire/error.h"
#include "wire/incremental_alter_configs_request.h"
#include "wire/incremental_alter_configs_response.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <cmocka.h>

enum op { SET, REMOVE, APPEND, SUBTRACT };

static struct rig rig;
static struct raw c;

static struct {
    pthread_mutex_t mu;
    int by_level[DIAG_DEBUG + 1];
} heard = {.mu = PTHREAD_MUTEX_INITIALIZER};

static void hear(void *arg, enum diag_level level, const char *msg)
{
    (void)arg;
    (void)msg;
    pthread_mutex_lock(&heard.mu);
    heard.by_level[level]++;
    pthread_mutex_unlock(&heard.mu);
}

static int heard_at(enum diag_level level)
{
    int n;

    pthread_mutex_lock(&heard.mu);
    n = heard.by_level[level];
    heard.by_level[level] = 0;
    pthread_mutex_unlock(&heard.mu);
    return n;
}

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

/* The error of one change to the loggers of that broker. */
static int16_t change(const char *broker, enum op op, const char *name, const char *level,
                      bool validate_only)
{
    struct incremental_alter_configs_request_alter_configs_resource res;
    struct incremental_alter_configs_request_alterable_config k;
    struct incremental_alter_configs_request q;
    struct incremental_alter_configs_response m;
    struct wire_reader r;
    struct buf b = {0};

    incremental_alter_configs_request_init(&q);
    incremental_alter_configs_request_alter_configs_resource_init(&res);
    incremental_alter_configs_request_alterable_config_init(&k);
    k.name = slice_str(name);
    k.config_operation = (int8_t)op;
    k.value = slice_str(level);
    res.resource_type = 8;
    res.resource_name = slice_str(broker);
    res.configs.v = &k;
    res.configs.n = 1;
    q.resources.v = &res;
    q.resources.n = 1;
    q.validate_only = validate_only;
    assert_int_equal(incremental_alter_configs_request_encode(&q, &b, 1), 0);
    raw_send(&c, API_INCREMENTAL_ALTER_CONFIGS, 1, 5, &b);
    raw_receive(&c, API_INCREMENTAL_ALTER_CONFIGS, 1, 5, &r);
    assert_int_equal(incremental_alter_configs_response_decode(&m, &r, 1), 0);
    assert_int_equal(m.responses.n, 1);
    if (m.responses.v[0].error_code)
        assert_true(m.responses.v[0].error_message.n > 0);
    return m.responses.v[0].error_code;
}

static int16_t set(const char *name, const char *level)
{
    return change("1", SET, name, level, false);
}

/* The loggers and their levels as "name=LEVEL ...", or the error. */
static const char *levels(const char *broker)
{
    static char text[400];
    struct describe_configs_request_describe_configs_resource res;
    struct describe_configs_request q;
    struct describe_configs_response m;
    struct wire_reader r;
    struct buf b = {0};
    int n = 0;

    describe_configs_request_init(&q);
    describe_configs_request_describe_configs_resource_init(&res);
    res.resource_type = 8;
    res.resource_name = slice_str(broker);
    res.configuration_keys.n = -1;
    q.resources.v = &res;
    q.resources.n = 1;
    assert_int_equal(describe_configs_request_encode(&q, &b, 4), 0);
    raw_send(&c, API_DESCRIBE_CONFIGS, 4, 6, &b);
    raw_receive(&c, API_DESCRIBE_CONFIGS, 4, 6, &r);
    assert_int_equal(describe_configs_response_decode(&m, &r, 4), 0);
    n = snprintf(text, sizeof text, "%d", m.results.v[0].error_code);
    for (int32_t i = 0; i < m.results.v[0].configs.n; i++) {
        const struct describe_configs_response_describe_configs_resource_result *k =
            &m.results.v[0].configs.v[i];
        assert_int_equal(k->config_source, 6);
        assert_false(k->read_only);
        n += snprintf(text + n, sizeof text - (size_t)n, " %.*s=%.*s", (int)k->name.n,
                      (const char *)k->name.p, (int)k->value.n, (const char *)k->value.p);
    }
    return text;
}

static void children_have_their_parents_level(void **state)
{
    (void)state;
    assert_string_equal(levels("1"), "0 root=WARN kcore=WARN kcore.broker=WARN "
                                     "kcore.catalog=WARN kcore.log=WARN kcore.net=WARN");
    assert_int_equal(set("kcore", "INFO"), 0);
    assert_int_equal(set("kcore.log", "DEBUG"), 0);
    assert_int_equal(set("root", "ERROR"), 0);
    assert_string_equal(levels("1"), "0 root=ERROR kcore=INFO kcore.broker=INFO "
                                     "kcore.catalog=INFO kcore.log=DEBUG kcore.net=INFO");
    assert_int_equal(change("1", REMOVE, "kcore", NULL, false), 0);
    assert_string_equal(levels("1"), "0 root=ERROR kcore=ERROR kcore.broker=ERROR "
                                     "kcore.catalog=ERROR kcore.log=DEBUG kcore.net=ERROR");
    assert_int_equal(change("1", SET, "root", "INFO", true), 0); /* only validated */
    assert_non_null(strstr(levels("1"), "root=ERROR"));
}

/* Kafka's answers (ConfigAdminManager, ConfigHelper). */
static void what_cannot_be_is_refused(void **state)
{
    (void)state;
    assert_int_equal(set("kcore.nothing", "INFO"), KAFKA_INVALID_CONFIG);
    assert_int_equal(set("kcore", "LOUD"), KAFKA_INVALID_CONFIG);
    assert_int_equal(set("kcore", "info"), KAFKA_INVALID_CONFIG);
    assert_int_equal(set("kcore", NULL), KAFKA_INVALID_CONFIG);
    assert_int_equal(change("1", REMOVE, "root", NULL, false), KAFKA_INVALID_REQUEST);
    assert_int_equal(change("1", REMOVE, "none", NULL, false), KAFKA_INVALID_CONFIG);
    assert_int_equal(change("1", APPEND, "kcore", "INFO", false), KAFKA_INVALID_REQUEST);
    assert_int_equal(change("1", SUBTRACT, "kcore", "INFO", false), KAFKA_INVALID_REQUEST);
    assert_int_equal(change("2", SET, "kcore", "INFO", false), KAFKA_INVALID_REQUEST);
    assert_int_equal(change("", SET, "kcore", "INFO", false), KAFKA_INVALID_REQUEST);
    assert_string_equal(levels("2"), "42");
    assert_string_equal(levels(""), "42");
    assert_non_null(strstr(levels("1"), "kcore=WARN"));
}

/* A request that ends within its body: a line for people, and one for who looks closer. */
static void be_malformed(void)
{
    struct buf b = {0};
    struct raw bad;

    raw_open(&bad, &rig);
    buf_put_str(&b, "\1");
    raw_send(&bad, API_PRODUCE, 3, 1, &b);
    assert_true(raw_closed(&bad));
    raw_close(&bad);
}

static void an_area_says_what_it_is_told_to(void **state)
{
    struct diag *d;

    (void)state;
    d = &rig.broker->loggers.diag[LOGGER_BROKER];
    d->sink = hear; /* nobody says anything yet */
    be_malformed();
    assert_int_equal(heard_at(DIAG_INFO) + heard_at(DIAG_DEBUG), 0);
    assert_int_equal(set("kcore.broker", "INFO"), 0);
    be_malformed();
    assert_int_equal(heard_at(DIAG_INFO), 1);
    assert_int_equal(heard_at(DIAG_DEBUG), 0);
    assert_int_equal(set("kcore.broker", "DEBUG"), 0);
    be_malformed();
    assert_int_equal(heard_at(DIAG_INFO), 1);
    assert_int_equal(heard_at(DIAG_DEBUG), 1);
    assert_int_equal(change("1", REMOVE, "kcore.broker", NULL, false), 0);
    be_malformed();
    assert_int_equal(heard_at(DIAG_INFO) + heard_at(DIAG_DEBUG), 0);
}

#define WITH_BROKER(f) cmocka_unit_test_setup_teardown(f, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_BROKER(children_have_their_parents_level),
        WITH_BROKER(what_cannot_be_is_refused),
        WITH_BROKER(an_area_says_what_it_is_told_to),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
