/* A configuration read again while the broker runs: what changes acts at once, for old topics and
 * connections too, what needs a restart is said and stays, and nobody who uses the broker notices.
 */
#include "broker_support.h"

#include "wire/create_topics_request.h"
#include "wire/create_topics_response.h"
#include "wire/describe_configs_request.h"
#include "wire/describe_configs_response.h"
#include "wire/error.h"
#include "wire/fetch_request.h"
#include "wire/fetch_response.h"
#include "wire/incremental_alter_configs_request.h"
#include "wire/incremental_alter_configs_response.h"
#include "wire/metadata_request.h"
#include "wire/metadata_response.h"

#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

enum { TOPIC = 2, BROKER = 4 };
enum { SOURCE_OWN = 2, SOURCE_ALL, SOURCE_FILE, SOURCE_DEFAULT };

static struct rig rig;
static struct raw c;

/* ---- what is said ---- */

static pthread_mutex_t said_mu = PTHREAD_MUTEX_INITIALIZER;
static struct buf said;

static void on_message(void *arg, enum diag_level level, const char *msg)
{
    (void)arg;
    pthread_mutex_lock(&said_mu);
    buf_printf(&said, "%c %s\n", "EWID"[level], msg);
    pthread_mutex_unlock(&said_mu);
}

static const struct diag to_test = {DIAG_INFO, on_message, NULL};

static void assert_said(const char *text)
{
    struct buf was;

    pthread_mutex_lock(&said_mu);
    was = said;
    said = (struct buf){0};
    pthread_mutex_unlock(&said_mu);
    assert_string_equal(was.n ? buf_cstr(&was) : "", text);
    buf_free(&was);
}

/* ---- the broker ---- */

static void configure(struct broker_conf *conf, const char *const *settings)
{
    struct kerr e = {0};

    broker_conf_init(conf);
    assert_int_equal(broker_conf_set(conf, "log.dirs", rig.dir, &e), 0);
    assert_int_equal(broker_conf_set(conf, "listeners", "127.0.0.1:0", &e), 0);
    assert_int_equal(broker_conf_set(conf, "num.network.threads", "2", &e), 0);
    for (; settings && *settings; settings += 2)
        if (broker_conf_set(conf, settings[0], settings[1], &e) < 0)
            fail_msg("%s", kerr_msg(&e));
    assert_int_equal(broker_conf_check(conf, &e), 0);
}

static void start_with(const char *const *settings)
{
    struct broker_env env = {NULL, &to_test};
    const char *tmp = getenv("TMPDIR");
    struct broker_conf conf;
    struct kerr e = {0};

    signal(SIGPIPE, SIG_IGN);
    snprintf(rig.dir, sizeof rig.dir, "%s/kbXXXXXX", tmp ? tmp : "/tmp");
    assert_non_null(mkdtemp(rig.dir));
    configure(&conf, settings);
    if (broker_new(&rig.broker, &conf, &env, &e) < 0)
        fail_msg("broker: %s", kerr_msg(&e));
    broker_conf_free(&conf);
    raw_open(&c, &rig);
}

static int start(void **state)
{
    (void)state;
    start_with(NULL);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    raw_close(&c);
    rig_stop(&rig);
    buf_free(&said);
    return 0;
}

static bool readable(int fd, int ms)
{
    struct pollfd p = {fd, POLLIN, 0};

    return poll(&p, 1, ms) == 1;
}

static void wait_for_laps(void)
{
    do
        assert_true(readable(broker_lap_fd(rig.broker), 30000));
    while (!broker_lap_over(rig.broker));
}

static void reload(const char *const *settings)
{
    struct broker_conf conf;

    configure(&conf, settings);
    assert_int_equal(broker_reload(rig.broker, &conf, NULL), 0);
    wait_for_laps();
    broker_conf_free(&conf);
}

static void reload_one(const char *name, const char *value)
{
    const char *const settings[] = {name, value, NULL};

    reload(settings);
}

/* ---- requests ---- */

/* The one configuration, as this broker describes it. */
static void check(int8_t type, const char *name, const char *key, const char *value, int8_t source)
{
    struct describe_configs_request_describe_configs_resource res;
    struct describe_configs_response_describe_configs_resource_result *k;
    struct slice keys = slice_str(key);
    struct describe_configs_response m;
    struct describe_configs_request q;
    struct wire_reader r;
    struct buf b = {0};

    describe_configs_request_init(&q);
    describe_configs_request_describe_configs_resource_init(&res);
    res.resource_type = type;
    res.resource_name = slice_str(name);
    res.configuration_keys.v = &keys;
    res.configuration_keys.n = 1;
    q.resources.v = &res;
    q.resources.n = 1;
    assert_int_equal(describe_configs_request_encode(&q, &b, 4), 0);
    raw_send(&c, API_DESCRIBE_CONFIGS, 4, 5, &b);
    raw_receive(&c, API_DESCRIBE_CONFIGS, 4, 5, &r);
    assert_int_equal(describe_configs_response_decode(&m, &r, 4), 0);
    assert_int_equal(m.results.v[0].configs.n, 1);
    k = &m.results.v[0].configs.v[0];
    if (!slice_eq_str(k->value, value))
        fail_msg("%s: %.*s, not %s", key, (int)k->value.n, (const char *)k->value.p, value);
    assert_int_equal(k->config_source, source);
}

/* value NULL: removes it. */
static void set_dynamic(const char *broker, const char *key, const char *value)
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
    set.value = value ? slice_str(value) : (struct slice){NULL, 0};
    set.config_operation = value ? 0 : 1;
    res.resource_type = BROKER;
    res.resource_name = slice_str(broker);
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

/* Creates a topic, or tries to; an error. *made: its partitions. */
static int16_t create(const char *name, int32_t partitions, int32_t *made)
{
    struct create_topics_request_creatable_topic t;
    struct create_topics_request q;
    struct create_topics_response m;
    struct wire_reader r;
    struct buf b = {0};

    create_topics_request_init(&q);
    create_topics_request_creatable_topic_init(&t);
    t.name = slice_str(name);
    t.num_partitions = partitions;
    t.replication_factor = 1;
    q.topics.v = &t;
    q.topics.n = 1;
    assert_int_equal(create_topics_request_encode(&q, &b, 7), 0);
    raw_send(&c, API_CREATE_TOPICS, 7, 1, &b);
    raw_receive(&c, API_CREATE_TOPICS, 7, 1, &r);
    assert_int_equal(create_topics_response_decode(&m, &r, 7), 0);
    if (made)
        *made = m.topics.v[0].num_partitions;
    return m.topics.v[0].error_code;
}

/* How many partitions metadata shows, asked with leave to make the topic; 0: there is none. */
static int ask_metadata(const char *name)
{
    struct metadata_request_topic t;
    struct metadata_response m;
    struct metadata_request q;
    struct wire_reader r;
    struct buf b = {0};

    metadata_request_init(&q);
    metadata_request_topic_init(&t);
    t.name = slice_str(name);
    q.topics.v = &t;
    q.topics.n = 1;
    q.allow_auto_topic_creation = true;
    assert_int_equal(metadata_request_encode(&q, &b, 9), 0);
    raw_send(&c, API_METADATA, 9, 3, &b);
    raw_receive(&c, API_METADATA, 9, 3, &r);
    assert_int_equal(metadata_response_decode(&m, &r, 9), 0);
    return m.topics.v[0].partitions.n;
}

static int wait_until_made(const char *name)
{
    const struct os_clock *clock = os_clock_real();
    mono_ns begun = os_mono(clock);
    int n;

    while ((n = ask_metadata(name)) == 0)
        assert_true(mono_diff_ms(os_mono(clock), begun) < 30000);
    return n;
}

static int16_t produce(struct raw *to, const char *topic, size_t size)
{
    struct batch_builder w = {0};
    int16_t error =
        raw_produce(to, 9, topic, (struct uuid){{0}}, -1, make_batch(&w, 0, 1, size, -1, -1)).error;

    batch_builder_free(&w);
    return error;
}

/* The id of the session that a full fetch gets; 0: none. */
static int32_t fetch_session(void)
{
    struct fetch_request q;
    struct fetch_response m;
    struct wire_reader r;
    struct buf b = {0};

    fetch_request_init(&q);
    q.session_epoch = 0;
    assert_int_equal(fetch_request_encode(&q, &b, 12), 0);
    raw_send(&c, API_FETCH, 12, 4, &b);
    raw_receive(&c, API_FETCH, 12, 4, &r);
    assert_int_equal(fetch_response_decode(&m, &r, 12), 0);
    return m.session_id;
}

/* ---- what changes ---- */

static void the_number_of_partitions(void **state)
{
    int32_t n = 0;

    (void)state;
    assert_int_equal(create("a", -1, &n), 0);
    assert_int_equal(n, 1);
    reload_one("num.partitions", "4");
    assert_said("I reload: num.partitions: from 1 (the default) to 4\n");
    check(BROKER, "1", "num.partitions", "4", SOURCE_FILE);
    assert_int_equal(create("b", -1, &n), 0);
    assert_int_equal(n, 4);
    assert_int_equal(wait_until_made("made"), 4);
    reload(NULL); /* the line is gone */
    assert_said("I reload: num.partitions: from 4 to 1 (the default)\n");
    check(BROKER, "1", "num.partitions", "1", SOURCE_DEFAULT);
    assert_int_equal(create("c", -1, &n), 0);
    assert_int_equal(n, 1);
    reload(NULL);
    assert_said("I reload: nothing has changed\n");
}

static void making_and_deleting_topics(void **state)
{
    static const char *const neither[] = {"auto.create.topics.enable", "false",
                                          "delete.topic.enable", "false", NULL};

    (void)state;
    assert_int_equal(create("t", 1, NULL), 0);
    reload(neither);
    assert_said("I reload: auto.create.topics.enable: from true (the default) to false\n"
                "I reload: delete.topic.enable: from true (the default) to false\n");
    assert_int_equal(raw_delete(&c, "t"), KAFKA_TOPIC_DELETION_DISABLED);
    assert_int_equal(ask_metadata("none"), 0);
    /* had it been made, the catalog, which works in order, would have it before this one */
    assert_int_equal(create("later", 1, NULL), 0);
    assert_int_equal(ask_metadata("none"), 0);
    reload(NULL);
    assert_int_equal(raw_delete(&c, "t"), 0);
    assert_int_equal(wait_until_made("none"), 1);
}

static void how_many_topics_and_partitions(void **state)
{
    (void)state;
    assert_int_equal(create("a", 2, NULL), 0);
    reload_one("max.topics", "1");
    assert_int_equal(create("b", 1, NULL), KAFKA_POLICY_VIOLATION);
    reload_one("max.partitions", "3");
    assert_int_equal(create("b", 2, NULL), KAFKA_POLICY_VIOLATION);
    assert_int_equal(create("b", 1, NULL), 0);
    reload(NULL);
    assert_int_equal(create("c", 2, NULL), 0);
}

static void how_many_connections(void **state)
{
    struct raw more;

    (void)state;
    assert_int_equal(create("t", 1, NULL), 0); /* this connection counts */
    reload_one("max.connections", "1");
    raw_open(&more, &rig);
    assert_true(raw_closed(&more));
    raw_close(&more);
    reload(NULL);
    raw_open(&more, &rig);
    assert_int_equal(produce(&more, "t", 10), 0);
    raw_close(&more);
}

/* Of connections that are open already. */
static void how_large_a_request(void **state)
{
    (void)state;
    assert_int_equal(create("t", 1, NULL), 0);
    assert_int_equal(produce(&c, "t", 50000), 0);
    reload_one("socket.request.max.bytes", "10000");
    assert_int_equal(produce(&c, "t", 5000), 0);
    {
        struct batch_builder w = {0};
        raw_send_produce(&c, 9, "t", (struct uuid){{0}}, -1, make_batch(&w, 0, 1, 50000, -1, -1),
                         9);
        assert_true(raw_closed(&c));
        batch_builder_free(&w);
    }
    raw_close(&c);
    raw_open(&c, &rig);
    reload(NULL);
    assert_int_equal(produce(&c, "t", 50000), 0);
}

static void how_long_a_connection_may_idle(void **state)
{
    struct raw other;

    (void)state;
    assert_int_equal(create("t", 1, NULL), 0);
    reload_one("connections.max.idle.ms", "50");
    assert_true(raw_closed(&c)); /* its deadline was ten minutes away */
    raw_close(&c);
    reload(NULL);
    raw_open(&c, &rig);
    assert_int_equal(produce(&c, "t", 10), 0);
    reload_one("connections.max.idle.ms", "0");
    raw_open(&other, &rig);
    assert_int_equal(produce(&other, "t", 10), 0);
    reload_one("connections.max.idle.ms", "1"); /* nor had they a deadline at all */
    assert_true(raw_closed(&other));
    assert_true(raw_closed(&c));
    raw_close(&other);
}

static void how_many_fetch_sessions(void **state)
{
    (void)state;
    assert_int_not_equal(fetch_session(), 0);
    reload_one("max.incremental.fetch.session.cache.slots", "1");
    assert_int_equal(fetch_session(), 0);
    reload(NULL);
    assert_int_not_equal(fetch_session(), 0);
}

/* Every thread has been at what there was. */
static void let_them_turn(void)
{
    for (int i = 0; i < 3; i++) {
        assert_int_equal(broker_lap(rig.broker, NULL), 0);
        wait_for_laps();
    }
}

/* One connection holds all the memory there is for requests; another waits. */
static void how_much_memory_for_requests(void **state)
{
    static const char *const little[] = {"queued.max.request.bytes", "1", NULL};
    static const uint8_t begun[] = {0, 1, 0, 0, 'x'};
    struct raw holder;

    (void)state;
    start_with(little);
    assert_int_equal(create("t", 1, NULL), 0);
    raw_open(&holder, &rig);
    assert_int_equal(write(holder.fd, begun, sizeof begun), sizeof begun);
    let_them_turn();
    {
        struct batch_builder w = {0};
        struct produced p;
        raw_send_produce(&c, 9, "t", (struct uuid){{0}}, -1, make_batch(&w, 0, 1, 10, -1, -1), 9);
        let_them_turn(); /* it is seen, and is not read */
        reload(NULL);
        raw_receive_produce(&c, 9, 9, &p);
        assert_int_equal(p.error, 0);
        batch_builder_free(&w);
    }
    assert_false(readable(holder.fd, 0)); /* for its slowness it was not closed yet */
    raw_close(&holder);
}

/* The next round would come in a minute. */
static void how_often_retention_looks(void **state)
{
    static const char *const set[] = {"segment.bytes", "300", "retention.bytes", "1", NULL};
    struct fetch_ask a = {.topic = "t", .offset = 5};
    const struct os_clock *clock = os_clock_real();
    mono_ns begun = os_mono(clock);

    (void)state;
    raw_create(&c, "t", 1, set);
    for (int i = 0; i < 5; i++)
        assert_int_equal(produce(&c, "t", 150), 0);
    assert_int_equal(raw_fetch(&c, 11, &a).log_start, 0);
    reload_one("log.retention.check.interval.ms", "20");
    while (raw_fetch(&c, 11, &a).log_start == 0)
        assert_true(mono_diff_ms(os_mono(clock), begun) < 30000);
}

static void defaults_of_topics(void **state)
{
    (void)state;
    assert_int_equal(create("t", 1, NULL), 0);
    reload_one("message.max.bytes", "500");
    assert_said("I reload: message.max.bytes: from 1048588 (the default) to 500\n");
    assert_int_equal(produce(&c, "t", 600), KAFKA_MESSAGE_TOO_LARGE);
    check(TOPIC, "t", "max.message.bytes", "500", SOURCE_FILE);
    assert_int_equal(create("new", 1, NULL), 0);
    assert_int_equal(produce(&c, "new", 600), KAFKA_MESSAGE_TOO_LARGE);
    reload_one("min.insync.replicas", "2");
    assert_said("I reload: message.max.bytes: from 500 to 1048588 (the default)\n"
                "I reload: min.insync.replicas: from 1 (the default) to 2\n");
    assert_int_equal(produce(&c, "t", 600), KAFKA_NOT_ENOUGH_REPLICAS);
    reload_one("log.roll.hours", "3"); /* an older name in another unit */
    check(TOPIC, "t", "segment.ms", "10800000", SOURCE_FILE);
    assert_int_equal(produce(&c, "t", 600), 0);
    reload(NULL);
    check(TOPIC, "t", "segment.ms", "604800000", SOURCE_DEFAULT);
}

/* This broker's > all brokers' > the file's, whenever each was set. */
static void what_was_set_while_running_comes_first(void **state)
{
    (void)state;
    assert_int_equal(create("t", 1, NULL), 0);
    set_dynamic("", "message.max.bytes", "700");
    reload_one("message.max.bytes", "500");
    assert_said("I reload: message.max.bytes: from 1048588 (the default) to 500: but a value set "
                "while running counts\n");
    assert_int_equal(produce(&c, "t", 600), 0);
    check(TOPIC, "t", "max.message.bytes", "700", SOURCE_ALL);
    set_dynamic("1", "message.max.bytes", "900");
    reload_one("message.max.bytes", "400");
    assert_int_equal(produce(&c, "t", 800), 0);
    check(TOPIC, "t", "max.message.bytes", "900", SOURCE_OWN);
    set_dynamic("1", "message.max.bytes", NULL);
    set_dynamic("", "message.max.bytes", NULL);
    assert_int_equal(produce(&c, "t", 450), KAFKA_MESSAGE_TOO_LARGE);
    check(TOPIC, "t", "max.message.bytes", "400", SOURCE_FILE);
}

/* ---- what does not ---- */

static void what_needs_a_restart_is_said_each_time(void **state)
{
    static const char *const other[] = {"node.id", "7", "ssl.key.password", "new", NULL};
    static const char said_of_it[] =
        "W reload: node.id: from 1 (the default) to 7: needs a restart\n";
    char text[512];

    (void)state;
    reload(other);
    snprintf(text, sizeof text,
             "%sI reload: ssl.key.password: from not set to (hidden): known, but has no effect "
             "here\n",
             said_of_it);
    assert_said(text);
    check(BROKER, "1", "node.id", "1", SOURCE_DEFAULT);
    reload(other);
    assert_said(said_of_it);
    reload(NULL);
    assert_said("I reload: ssl.key.password: from (hidden) to not set: known, but has no effect "
                "here\n");
    reload_one("node.id", "1"); /* the default, and given: no change */
    assert_said("I reload: nothing has changed\n");
}

/* ---- under load ---- */

struct load {
    _Atomic bool enough;
    _Atomic int done;
    int16_t error;
};

static void *produce_on(void *arg)
{
    struct load *l = arg;
    struct raw own;

    raw_open(&own, &rig);
    while (!l->enough && l->error == 0) {
        l->error = produce(&own, "t", 100);
        l->done++;
    }
    raw_close(&own);
    return NULL;
}

static void nobody_notices(void **state)
{
    static const char *const a[] = {"log.segment.bytes",
                                    "2000",
                                    "log.roll.hours",
                                    "3",
                                    "socket.request.max.bytes",
                                    "100000",
                                    NULL};
    static const char *const b[] = {
        "log.segment.bytes", "1000000", "num.partitions", "3", "queued.max.request.bytes",
        "1000000",           NULL};
    struct load l = {0};
    pthread_t thread;

    (void)state;
    assert_int_equal(create("t", 1, NULL), 0);
    assert_int_equal(pthread_create(&thread, NULL, produce_on, &l), 0);
    for (int i = 0; i < 100 || l.done < 100; i++) {
        reload(i % 2 ? a : b);
        check(TOPIC, "t", "segment.bytes", i % 2 ? "2000" : "1000000", SOURCE_FILE);
        if (i % 10 == 0) { /* the catalog's thread works the settings out, too */
            set_dynamic("", "log.index.interval.bytes", i % 20 ? "5000" : "6000");
            assert_int_equal(create("x", 1, NULL), 0);
            assert_int_equal(raw_delete(&c, "x"), 0);
        }
    }
    l.enough = true;
    pthread_join(thread, NULL);
    assert_int_equal(l.error, 0);
}

/* ---- laps ---- */

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;

static void on_message_held(void *arg, enum diag_level level, const char *msg)
{
    (void)arg;
    (void)level;
    if (strstr(msg, "connection closed")) {
        pthread_mutex_lock(&gate);
        pthread_mutex_unlock(&gate);
    }
}

static void a_lap_ends_when_every_thread_turns(void **state)
{
    static const uint8_t nonsense[] = {255, 255, 255, 255};
    static struct diag held = {DIAG_INFO, on_message_held, NULL};
    struct broker_env env = {NULL, &held};
    const char *tmp = getenv("TMPDIR");
    struct broker_conf conf;

    (void)state;
    snprintf(rig.dir, sizeof rig.dir, "%s/kbXXXXXX", tmp ? tmp : "/tmp");
    assert_non_null(mkdtemp(rig.dir));
    configure(&conf, NULL);
    assert_int_equal(broker_new(&rig.broker, &conf, &env, NULL), 0);
    broker_conf_free(&conf);
    raw_open(&c, &rig);
    assert_int_equal(broker_lap(rig.broker, NULL), 0);
    wait_for_laps();
    assert_false(readable(broker_lap_fd(rig.broker), 0));
    pthread_mutex_lock(&gate);
    assert_int_equal(write(c.fd, nonsense, sizeof nonsense), sizeof nonsense);
    assert_true(raw_closed(&c)); /* its thread is on its way to the gate */
    assert_int_equal(broker_lap(rig.broker, NULL), 0);
    assert_false(readable(broker_lap_fd(rig.broker), 300));
    pthread_mutex_unlock(&gate);
    wait_for_laps();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_number_of_partitions, start, stop),
        cmocka_unit_test_setup_teardown(making_and_deleting_topics, start, stop),
        cmocka_unit_test_setup_teardown(how_many_topics_and_partitions, start, stop),
        cmocka_unit_test_setup_teardown(how_many_connections, start, stop),
        cmocka_unit_test_setup_teardown(how_large_a_request, start, stop),
        cmocka_unit_test_setup_teardown(how_long_a_connection_may_idle, start, stop),
        cmocka_unit_test_setup_teardown(how_many_fetch_sessions, start, stop),
        cmocka_unit_test_teardown(how_much_memory_for_requests, stop),
        cmocka_unit_test_setup_teardown(how_often_retention_looks, start, stop),
        cmocka_unit_test_setup_teardown(defaults_of_topics, start, stop),
        cmocka_unit_test_setup_teardown(what_was_set_while_running_comes_first, start, stop),
        cmocka_unit_test_setup_teardown(what_needs_a_restart_is_said_each_time, start, stop),
        cmocka_unit_test_setup_teardown(nobody_notices, start, stop),
        cmocka_unit_test_teardown(a_lap_ends_when_every_thread_turns, stop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
