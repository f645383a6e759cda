/* The client without memory for a moment, at every moment: what it took is reported once, what it
 * acknowledges is stored, and it comes to an end. */
#include "client_support.h"

#define FAIL_MALLOC_SPARES (rig_inside > 0)
#include "fail_malloc.h"

#include "client/client_impl.h"
#include "client/producer.h"
#include "record/batch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { RECORDS = 40 };

static struct rig rig;
static struct peer_topic *stored;
static int reports[RECORDS], errors[RECORDS];

static void on_report(void *arg, const struct producer_report *r)
{
    (void)arg;
    for (int32_t i = 0; i < r->records->count; i++) {
        uint64_t id = producer_report_mark(r, i).line;
        reports[id]++;
        errors[id] = r->err;
    }
}

static bool is_idle(void *arg)
{
    return producer_idle(arg);
}

/* True when something has failed. */
static bool produce(long n, long count, const char *codec)
{
    const char *const settings[] = {"request.timeout.ms",
                                    "1000",
                                    "retry.backoff.ms",
                                    "10",
                                    "delivery.timeout.ms",
                                    "5000",
                                    "batch.size",
                                    "700",
                                    "compression.type",
                                    codec,
                                    NULL};
    bool taken[RECORDS] = {false}, failed;
    struct client_topic *t;
    struct producer *p;
    struct kerr e = {0};
    char value[128];

    memset(reports, 0, sizeof reports);
    rig_start(&rig, 2, settings);
    stored = rig_topic(&rig, "t", 2);
    rig.max_batch = 600; /* some are halved */
    t = rig_know(&rig, "t");
    fail_begin(n, count);
    if (producer_new(&p, rig.c, on_report, NULL, &e) < 0) {
        assert_int_equal(e.code, KE_NOMEM);
        fail_end();
        rig_stop(&rig);
        return true;
    }
    for (uint64_t i = 0; i < RECORDS; i++) {
        int rc = producer_send(p, t, (int32_t)(i % 2), 0, slice_str("k"), rig_value(value, i, 100),
                               NULL, 0, (struct producer_mark){i, i}, &e);
        assert_true(rc == 0 || rc == KE_NOMEM || rc == KE_CLOSED);
        taken[i] = rc == 0;
        if (i % 8 == 7)
            client_poll(rig.c, 0);
    }
    producer_flush(p);
    rig_until(&rig, is_idle, p);
    failed = fail_end();
    for (uint64_t i = 0; i < RECORDS; i++) {
        int times;
        rig_find(&stored->parts[i % 2], i, &times);
        assert_int_equal(reports[i], taken[i]);
        assert_in_range(times, 0, 1);
        if (taken[i] && errors[i] == 0)
            assert_int_equal(times, 1);
        if (!failed)
            assert_true(taken[i] && errors[i] == 0);
    }
    producer_free(p);
    rig_stop(&rig);
    return failed;
}

static void the_producer(void **state)
{
    static const char *const codecs[] = {"none", "lz4"};

    (void)state;
    for (size_t c = 0; c < 2; c++)
        for (long count = 1; count <= 10000; count *= 100) {
            long n = 0;
            while (produce(n, count, codecs[c]))
                n++;
            assert_true(n > 50);
        }
}

/* A record for which there was no memory leaves nothing behind that would be sent. */
static bool produce_one(long n)
{
    struct producer_mark mark = {1, 1};
    struct client_topic *t;
    struct producer *p;
    bool failed;
    int rc;

    memset(reports, 0, sizeof reports);
    rig_start(&rig, 1, NULL);
    stored = rig_topic(&rig, "t", 1);
    t = rig_know(&rig, "t");
    assert_int_equal(producer_new(&p, rig.c, on_report, NULL, NULL), 0);
    fail_begin(n, 1);
    rc = producer_send(p, t, 0, 0, slice_str("k"), slice_str("1:"), NULL, 0, mark, NULL);
    failed = fail_end();
    assert_int_equal(rc, failed ? KE_NOMEM : 0);
    producer_flush(p);
    rig_until(&rig, is_idle, p);
    assert_int_equal(reports[1], !failed);
    assert_int_equal(stored->parts[0].end, !failed);
    assert_int_equal(rig.asked[API_PRODUCE], !failed); /* an empty batch is not sent, either */
    /* and does not end the stream */
    rc = producer_send(p, t, 0, 0, slice_str("k"), slice_str("2:"), NULL, 0, mark, NULL);
    assert_int_equal(rc, 0);
    producer_flush(p);
    rig_until(&rig, is_idle, p);
    assert_int_equal(stored->parts[0].end, 1 + !failed);
    producer_free(p);
    rig_stop(&rig);
    return failed;
}

static void a_first_record(void **state)
{
    long n = 0;

    (void)state;
    while (produce_one(n))
        n++;
    assert_true(n > 3);
}

/* From the first connection to the topic's being known. */
static bool learn(long n)
{
    static const char *const settings[] = {
        "retry.backoff.ms", "1", "reconnect.backoff.ms", "1", "request.timeout.ms", "1000", NULL};
    struct client_topic *t;
    bool failed;

    rig_start(&rig, 1, settings);
    rig_topic(&rig, "t", 2);
    fail_begin(n, 1);
    t = client_topic(rig.c, slice_str("t"));
    for (int i = 0; t && (!t->known || t->count == 0) && i < 2000; i++)
        if (!rig_step(&rig))
            break;
    failed = fail_end();
    assert_true(failed || t);
    assert_true(!t || (t->known && t->count == 2));
    rig_stop(&rig);
    return failed;
}

static void metadata(void **state)
{
    long n = 0;

    (void)state;
    while (learn(n))
        n++;
    assert_true(n > 10);
}

static bool make_client(long n)
{
    struct client_conf conf;
    struct client *c;
    struct kerr e = {0};
    bool failed;
    int rc;

    client_conf_init(&conf);
    assert_int_equal(client_conf_set(&conf, "bootstrap.servers", "a:1,unix:/b", &e), 0);
    fail_begin(n, 1);
    rc = client_new(&c, &conf, NULL, &e);
    failed = fail_end();
    assert_true(failed ? rc < 0 : rc == 0);
    client_free(c);
    client_conf_free(&conf);
    return failed;
}

static void a_new_client(void **state)
{
    long n = 0;

    (void)state;
    while (make_client(n))
        n++;
    assert_true(n > 3);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_client),
        cmocka_unit_test(metadata),
        cmocka_unit_test(the_producer),
        cmocka_unit_test(a_first_record),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests_name("client_memory", tests, NULL, NULL);
}
