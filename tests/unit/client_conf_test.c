/* Settings by Kafka's names: defaults, ranges, what is refused and what only has no effect. */
#include "client/conf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct client_conf conf;
static struct kerr e;

static int begin(void **state)
{
    (void)state;
    client_conf_init(&conf);
    e = (struct kerr){0};
    return 0;
}

static int end(void **state)
{
    (void)state;
    client_conf_free(&conf);
    return 0;
}

static int set(const char *name, const char *value)
{
    e = (struct kerr){0};
    return client_conf_set(&conf, name, value, &e);
}

static void refused(const char *name, const char *value, int code, const char *message)
{
    assert_int_equal(set(name, value), code);
    assert_int_equal(e.code, code);
    if (!strstr(kerr_msg(&e), message))
        fail_msg("%s=%s: '%s' has no '%s'", name, value, kerr_msg(&e), message);
}

/* ProducerConfig, ConsumerConfig of 4.3; the two that differ have their reason in conf.c. */
static void defaults_are_kafkas(void **state)
{
    (void)state;
    assert_int_equal(conf.acks, -1);
    assert_true(conf.idempotence);
    assert_int_equal(conf.retries, INT32_MAX);
    assert_int_equal(conf.linger_ms, 5);
    assert_int_equal(conf.buffer_memory, 33554432);
    assert_int_equal(conf.max_in_flight, 5);
    assert_int_equal(conf.delivery_timeout_ms, 120000);
    assert_int_equal(conf.request_timeout_ms, 30000);
    assert_int_equal(conf.retry_backoff_ms, 100);
    assert_int_equal(conf.retry_backoff_max_ms, 1000);
    assert_int_equal(conf.reconnect_backoff_ms, 50);
    assert_int_equal(conf.reconnect_backoff_max_ms, 1000);
    assert_int_equal(conf.connect_timeout_ms, 10000);
    assert_int_equal(conf.idle_ms, 540000);
    assert_int_equal(conf.metadata_age_ms, 300000);
    assert_int_equal(conf.codec, CODEC_NONE);
    assert_int_equal(conf.fetch_min_bytes, 1);
    assert_int_equal(conf.fetch_max_wait_ms, 500);
    assert_int_equal(conf.fetch_max_bytes, 52428800);
    assert_int_equal(conf.partition_max_bytes, 1048576);
    assert_true(conf.check_crcs);
    assert_null(conf.bootstrap);
}

static void values_are_taken(void **state)
{
    (void)state;
    assert_int_equal(set("bootstrap.servers", "a:1"), 0);
    assert_int_equal(set("bootstrap.servers", "b:2,c:3"), 0);
    assert_string_equal(conf.bootstrap, "b:2,c:3");
    assert_int_equal(set("client.id", "me"), 0);
    assert_string_equal(conf.client_id, "me");
    assert_int_equal(set("acks", "1"), 0);
    assert_int_equal(conf.acks, 1);
    assert_int_equal(set("request.required.acks", "-1"), 0);
    assert_int_equal(conf.acks, -1);
    assert_int_equal(set("linger.ms", "17"), 0);
    assert_int_equal(conf.linger_ms, 17);
    assert_int_equal(set("buffer.memory", "1099511627776"), 0);
    assert_int_equal(conf.buffer_memory, INT64_C(1) << 40);
    assert_int_equal(set("compression.type", "zstd"), 0);
    assert_int_equal(set("compression.zstd.level", "-3"), 0);
    assert_int_equal(conf.levels[CODEC_ZSTD], -3);
    assert_int_equal(set("isolation.level", "read_uncommitted"), 0);
    assert_false(conf.read_committed);
    assert_int_equal(set("enable.idempotence", "false"), 0);
    assert_false(conf.idempotence);
    assert_int_equal(set("security.protocol", "PLAINTEXT"), 0);
}

static void bad_values_say_what_was_expected(void **state)
{
    static const char *const numbers[] = {
        "", " 1", "1 ", "1x", "x", "0x10", "1e3", "99999999999999999999", "+-1"};
    char lengthy[100];

    (void)state;
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        refused("linger.ms", numbers[i], KE_INVALID, "is not a number");
    refused("linger.ms", "-1", KE_INVALID, "-1 is not in 0..2147483647");
    refused("linger.ms", "2147483648", KE_INVALID, "is not in");
    refused("retries", "4294967296", KE_INVALID, "is not in");
    refused("max.in.flight.requests.per.connection", "6", KE_INVALID, "6 is not in 1..5");
    refused("max.in.flight.requests.per.connection", "0", KE_INVALID, "0 is not in 1..5");
    refused("acks", "2", KE_INVALID, "expected 0, 1 or all");
    refused("acks", "ALL", KE_INVALID, "expected 0, 1 or all");
    refused("compression.type", "brotli", KE_INVALID, "expected none, gzip, snappy, lz4 or zstd");
    refused("isolation.level", "serializable", KE_INVALID, "expected read_committed");
    refused("enable.idempotence", "yes", KE_INVALID, "expected true or false");
    memset(lengthy, 'x', sizeof lengthy);
    lengthy[99] = 0;
    refused("client.id", lengthy, KE_INVALID, "longer than 63 bytes");
    assert_int_equal(conf.linger_ms, 5); /* and nothing has changed */
    assert_int_equal(conf.acks, -1);
    assert_string_equal(conf.client_id, "kcore");
}

static void what_must_not_be_passed_over_is_refused(void **state)
{
    (void)state;
    refused("security.protocol", "SASL_SSL", KE_UNSUPPORTED, "only PLAINTEXT");
    refused("ssl.truststore.location", "x", KE_UNSUPPORTED, "TLS and SASL");
    refused("sasl.mechanism", "PLAIN", KE_UNSUPPORTED, "TLS and SASL");
    refused("transactional.id", "x", KE_UNSUPPORTED, "transactions");
    refused("linger", "5", KE_NOTFOUND, "unknown setting 'linger'");
    refused("", "5", KE_NOTFOUND, "unknown setting ''");
}

static void names_without_effect_are_kept(void **state)
{
    (void)state;
    assert_int_equal(set("key.serializer", "org.example.S"), 0);
    assert_int_equal(set("receive.buffer.bytes", "anything"), 0);
    assert_string_equal(buf_cstr(&conf.idle), "key.serializer\nreceive.buffer.bytes\n");
}

/* Each name that is listed is taken, or refused for its value, and none is listed twice. */
static void every_listed_name_is_known(void **state)
{
    const char *name;
    size_t n = 0;

    (void)state;
    while ((name = client_conf_name(n)) != NULL) {
        assert_int_not_equal(set(name, "\x01"), KE_NOTFOUND);
        for (size_t k = 0; k < n; k++)
            assert_string_not_equal(client_conf_name(k), name);
        n++;
    }
    assert_true(n > 60);
}

static void rules_between_settings(void **state)
{
    (void)state;
    assert_int_equal(client_conf_check(&conf, &e), KE_INVALID);
    assert_string_equal(kerr_msg(&e), "no bootstrap.servers");
    assert_int_equal(set("bootstrap.servers", "a"), 0);
    assert_int_equal(client_conf_check(&conf, &e), 0);
    assert_int_equal(set("acks", "1"), 0);
    assert_int_equal(client_conf_check(&conf, &e), 0);
    assert_false(conf.idempotence); /* quietly: nobody asked for it */
    assert_int_equal(set("enable.idempotence", "true"), 0);
    assert_int_equal(client_conf_check(&conf, &e), KE_INVALID);
    assert_int_equal(set("acks", "all"), 0);
    assert_int_equal(client_conf_check(&conf, &e), 0);
    assert_int_equal(set("retry.backoff.ms", "5000"), 0);
    assert_int_equal(client_conf_check(&conf, &e), 0);
    assert_int_equal(conf.retry_backoff_max_ms, 5000);
    assert_int_equal(set("compression.gzip.level", "10"), 0);
    assert_int_equal(client_conf_check(&conf, &e), 0); /* not the codec in use */
    assert_int_equal(set("compression.type", "gzip"), 0);
    assert_int_equal(client_conf_check(&conf, &e), KE_INVALID);
    assert_non_null(strstr(kerr_msg(&e), "gzip level 10 is not in"));
}

static void a_copy_is_its_own(void **state)
{
    struct client_conf copy;

    (void)state;
    assert_int_equal(set("bootstrap.servers", "a:1"), 0);
    assert_int_equal(set("linger.ms", "3"), 0);
    assert_int_equal(client_conf_copy(&copy, &conf, &e), 0);
    assert_int_equal(set("bootstrap.servers", "b:1"), 0);
    assert_string_equal(copy.bootstrap, "a:1");
    assert_int_equal(copy.linger_ms, 3);
    client_conf_free(&copy);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(defaults_are_kafkas),
        TEST(values_are_taken),
        TEST(bad_values_say_what_was_expected),
        TEST(what_must_not_be_passed_over_is_refused),
        TEST(names_without_effect_are_kept),
        TEST(every_listed_name_is_known),
        TEST(rules_between_settings),
        TEST(a_copy_is_its_own),
    };

    return cmocka_run_group_tests_name("client_conf", tests, NULL, NULL);
}
