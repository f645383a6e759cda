/* Brokers, topics and calls: what is learnt, what is waited for, and when a wait ends. */
#include "client_support.h"

#include "client/client_impl.h"
#include "client/producer.h"
#include "wire/api_versions_response.h"
#include "wire/error.h"
#include "wire/init_producer_id_response.h"
#include "wire/metadata_request.h"
#include "wire/metadata_response.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct rig rig;
static struct kerr e;

static void begin(int nodes, const char *const *settings)
{
    e = (struct kerr){0};
    rig_start(&rig, nodes, settings);
}

static struct client_topic *topic(const char *name)
{
    struct client_topic *t = client_topic(rig.c, slice_str(name));

    assert_non_null(t);
    return t;
}

/* ---- topics ---- */

static void a_topic_is_learnt(void **state)
{
    struct client_topic *t;

    (void)state;
    begin(3, NULL);
    rig_topic(&rig, "t", 4);
    t = rig_know(&rig, "t");
    assert_int_equal(t->count, 4);
    assert_string_equal(t->name, "t");
    for (int32_t i = 0; i < 4; i++) {
        assert_int_equal(t->partitions[i].leader, i % 3);
        assert_int_equal(t->partitions[i].error, 0);
    }
    assert_ptr_equal(client_topic_by_id(rig.c, t->id), t);
    assert_ptr_equal(client_topic_known(rig.c, slice_str("t")), t);
    assert_null(client_topic_known(rig.c, slice_str("u")));
    assert_null(client_topic_by_id(rig.c, (struct uuid){{0}}));
    assert_int_equal(rig.asked[API_METADATA], 1);
    rig_know(&rig, "t");
    assert_int_equal(rig.asked[API_METADATA], 1);
    rig_stop(&rig);
}

/* The connection to an address of bootstrap.servers goes on as the one to the broker there. */
static void no_second_connection_to_a_broker(void **state)
{
    struct client_topic *t;

    (void)state;
    begin(2, NULL);
    rig_topic(&rig, "t", 2);
    t = rig_know(&rig, "t");
    assert_int_equal(t->partitions[0].leader, 0);
    for (int i = 0; i < 10; i++)
        client_refresh(rig.c), rig_pass(&rig, 2000);
    assert_int_equal(rig.node[0].accepted + rig.node[1].accepted, 1);
    rig_stop(&rig);
}

static void a_missing_topic_is_said(void **state)
{
    (void)state;
    begin(1, NULL);
    assert_int_equal(client_topic_wait(rig.c, topic("nope"), false, 1000, NULL, &e), KE_NOTFOUND);
    assert_string_equal(kerr_msg(&e), "topic nope does not exist");
    rig_stop(&rig);
}

static void a_topic_is_made_when_asked_for(void **state)
{
    bool created = false;

    (void)state;
    begin(1, NULL);
    rig.flows = true;
    rig.auto_create = 3;
    rig_topic(&rig, "old", 1);
    assert_int_equal(client_topic_wait(rig.c, topic("old"), true, 5000, &created, &e), 0);
    assert_false(created);
    assert_int_equal(client_topic_wait(rig.c, topic("new"), true, 5000, &created, &e), 0);
    assert_true(created);
    assert_int_equal(topic("new")->count, 3);
    /* one that nobody asked to make was not made by being asked about */
    assert_int_equal(client_topic_wait(rig.c, topic("other"), false, 5000, NULL, &e), KE_NOTFOUND);
    assert_null(rig_topic_find(&rig, slice_str("other")));
    rig_stop(&rig);
}

static void a_broker_that_makes_none_is_not_waited_for(void **state)
{
    static const char *const settings[] = {"max.block.ms", "30", NULL};

    (void)state;
    begin(1, settings);
    rig.flows = true;
    assert_int_equal(client_topic_wait(rig.c, topic("new"), true, 60000, NULL, &e), KE_NOTFOUND);
    rig_stop(&rig);
}

static void a_refused_topic_is_an_error(void **state)
{
    (void)state;
    begin(1, NULL);
    rig_topic(&rig, "t", 1)->error = KAFKA_TOPIC_AUTHORIZATION_FAILED;
    assert_int_equal(client_topic_wait(rig.c, topic("t"), false, 1000, NULL, &e), KE_REMOTE);
    assert_int_equal(e.remote, KAFKA_TOPIC_AUTHORIZATION_FAILED);
    assert_non_null(strstr(kerr_msg(&e), "topic t: "));
    rig_stop(&rig);
}

static void a_topic_without_leaders_is_waited_for(void **state)
{
    static const char *const settings[] = {"retry.backoff.ms", "1", NULL};
    struct peer_topic *p;

    (void)state;
    begin(1, settings);
    rig.flows = true;
    p = rig_topic(&rig, "t", 1);
    p->error = KAFKA_LEADER_NOT_AVAILABLE;
    assert_int_equal(client_topic_wait(rig.c, topic("t"), false, 20, NULL, &e), KE_TIMEOUT);
    assert_non_null(strstr(kerr_msg(&e), "topic t: "));
    p->error = 0;
    assert_int_equal(client_topic_wait(rig.c, topic("t"), false, 5000, NULL, &e), 0);
    rig_stop(&rig);
}

static bool changed;

static void on_change(struct client_watch *w)
{
    (void)w;
    changed = true;
}

/* A leader that moved is learnt by refresh; a topic that is gone for a moment keeps its shape. */
static void changes_are_learnt(void **state)
{
    struct client_watch w = {on_change, NULL};
    struct client_topic *t;
    struct peer_topic *p;

    (void)state;
    begin(2, NULL);
    p = rig_topic(&rig, "t", 2);
    t = rig_know(&rig, "t");
    client_watch_add(rig.c, &w);
    rig_move_leader(p, 0, 1);
    client_refresh(rig.c);
    rig_pass(&rig, 100);
    assert_true(changed);
    assert_int_equal(t->partitions[0].leader, 1);
    assert_int_equal(t->partitions[0].leader_epoch, 1);
    p->absent = 1;
    client_refresh(rig.c);
    rig_pass(&rig, 150);
    assert_int_equal(t->error, KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
    assert_int_equal(t->count, 2);
    client_refresh(rig.c);
    rig_pass(&rig, 1100);
    assert_int_equal(t->error, 0);
    client_watch_remove(rig.c, &w);
    rig_stop(&rig);
}

/* Not more often than retry.backoff.ms, however often it is asked for; and again when it is old. */
static void refreshes_are_rationed(void **state)
{
    (void)state;
    begin(1, NULL);
    rig_topic(&rig, "t", 1);
    rig_know(&rig, "t");
    for (int i = 0; i < 1000; i++) {
        client_refresh(rig.c);
        rig_pass(&rig, 1);
    }
    assert_in_range(rig.asked[API_METADATA], 9, 12);
    rig.asked[API_METADATA] = 0;
    rig_pass(&rig, 301000);
    assert_in_range(rig.asked[API_METADATA], 1, 2);
    rig_stop(&rig);
}

static void count_topics(void *arg, struct slice name, bool internal)
{
    (void)internal;
    assert_true(name.n == 1);
    ++*(int *)arg;
}

static void all_topics_are_listed(void **state)
{
    int n = 0;

    (void)state;
    begin(1, NULL);
    rig_topic(&rig, "a", 1);
    rig_topic(&rig, "b", 2);
    rig_topic(&rig, "c", 1)->error = KAFKA_LEADER_NOT_AVAILABLE;
    assert_int_equal(client_each_topic(rig.c, 1000, count_topics, &n, &e), 0);
    assert_int_equal(n, 2);
    rig_stop(&rig);
}

/* ---- brokers ---- */

static void the_next_address_is_tried(void **state)
{
    (void)state;
    begin(3, NULL);
    rig.flows = true;
    rig_topic(&rig, "t", 1)->parts[0].leader = 2;
    rig_node_down(&rig, 0);
    rig_node_down(&rig, 1);
    rig_know(&rig, "t");
    rig_stop(&rig);
}

static void nobody_there_is_said_at_once(void **state)
{
    (void)state;
    begin(2, NULL);
    rig_node_down(&rig, 0);
    rig_node_down(&rig, 1);
    rig.flows = true;
    assert_int_equal(client_topic_wait(rig.c, topic("t"), false, 60000, NULL, &e), KE_IO);
    assert_non_null(strstr(kerr_msg(&e), "No such file or directory"));
    rig_stop(&rig);
}

/* ApiVersions of version 3 is refused by brokers before 2.4 in version 0 (KIP-511). */
static void an_old_broker_is_asked_again(void **state)
{
    (void)state;
    begin(1, NULL);
    rig.max_version[API_API_VERSIONS] = 0;
    rig.max_version[API_METADATA] = 5;
    rig_topic(&rig, "t", 1);
    rig_know(&rig, "t");
    assert_int_equal(rig.asked[API_API_VERSIONS], 2);
    rig_stop(&rig);
}

static void a_lost_connection_is_made_again(void **state)
{
    (void)state;
    begin(1, NULL);
    rig_topic(&rig, "t", 1);
    rig_know(&rig, "t");
    assert_int_equal(client_losses(rig.c, 0), 0);
    rig_node_down(&rig, 0);
    rig_pass(&rig, 10);
    assert_int_equal(client_losses(rig.c, 0), 1);
    rig_node_up(&rig, 0);
    rig.flows = true;
    rig_topic(&rig, "u", 1);
    rig_know(&rig, "u");
    assert_int_equal(rig.node[0].accepted, 2);
    rig_stop(&rig);
}

/* ---- calls ---- */

static int put_metadata(void *arg, struct buf *b, int16_t version)
{
    struct metadata_request m;

    (void)arg;
    metadata_request_init(&m);
    m.topics.n = -1;
    return metadata_request_encode(&m, b, version);
}

static int ask(int64_t timeout_ms, int16_t min_version)
{
    struct client_request rq = {
        .key = API_METADATA, .min_version = min_version, .encode = put_metadata};
    struct client_answer a;
    int rc = client_call(rig.c, CLIENT_ANY, &rq, timeout_ms, &a, &e);

    if (rc == 0) {
        struct metadata_response m;
        assert_int_equal(metadata_response_decode(&m, &a.body, a.version), 0);
        assert_int_equal(m.brokers.n, rig.nodes);
    }
    client_answer_free(&a);
    return rc;
}

/* Answers to Metadata that on_call swallows or cuts before it lets one through. */
static int to_cut, to_swallow;

static bool in_the_way(struct rig *r, struct peer_call *q)
{
    (void)r;
    if (q->key != API_METADATA)
        return false;
    if (to_cut > 0) {
        to_cut--;
        peer_cut(q);
        return true;
    }
    if (to_swallow > 0) {
        to_swallow--;
        peer_drop(q);
        return true;
    }
    return false;
}

static void a_call_is_answered(void **state)
{
    (void)state;
    begin(2, NULL);
    assert_int_equal(ask(1000, 0), 0);
    assert_int_equal(ask(1000, 0), 0);
    rig_stop(&rig);
}

static void a_lost_call_is_made_again(void **state)
{
    static const char *const settings[] = {"retry.backoff.ms", "1", "reconnect.backoff.ms", "1",
                                           NULL};

    (void)state;
    begin(1, settings);
    rig.flows = true;
    rig.on_call = in_the_way;
    to_cut = 3;
    assert_int_equal(ask(60000, 0), 0);
    assert_int_equal(to_cut, 0);
    rig_stop(&rig);
}

static void a_call_ends_in_time(void **state)
{
    (void)state;
    begin(1, NULL);
    rig.flows = true;
    rig.on_call = in_the_way;
    to_swallow = 1;
    assert_int_equal(ask(20, 0), KE_TIMEOUT);
    assert_int_equal(ask(5000, 0), 0); /* and the next one is its own */
    rig_stop(&rig);
}

static void a_call_can_be_interrupted(void **state)
{
    (void)state;
    begin(1, NULL);
    client_interrupt(rig.c, true);
    assert_int_equal(ask(60000, 0), KE_CLOSED);
    client_interrupt(rig.c, false);
    assert_int_equal(ask(60000, 0), 0);
    rig_stop(&rig);
}

static void a_version_that_the_broker_lacks(void **state)
{
    (void)state;
    begin(1, NULL);
    rig.max_version[API_METADATA] = 8;
    assert_int_equal(ask(1000, 9), KE_UNSUPPORTED);
    assert_non_null(strstr(kerr_msg(&e), "has no version of Metadata that we know"));
    assert_int_equal(ask(1000, 8), 0);
    rig_stop(&rig);
}

static int done_with;

static void on_done(void *arg, const struct client_reply *r)
{
    (void)arg;
    assert_int_equal(r->err, KE_CLOSED);
    done_with++;
}

static void what_waits_at_the_end_is_answered(void **state)
{
    struct client_request rq = {.key = API_METADATA, .encode = put_metadata, .done = on_done};

    (void)state;
    begin(1, NULL);
    rig.on_call = in_the_way;
    to_swallow = 1;
    done_with = 0;
    assert_int_equal(client_send(rig.c, CLIENT_ANY, &rq, &e), 0);
    rig_settle(&rig);
    assert_int_equal(client_send(rig.c, CLIENT_ANY, &rq, &e), 0);
    assert_int_equal(client_send(rig.c, 77, &rq, &e), KE_NOTFOUND);
    rig_stop(&rig);
    assert_true(done_with >= 1);
}

/* ---- producer ids ---- */

static int16_t pid_error;
static int pid_errors;

static bool refuse_pid(struct rig *r, struct peer_call *q)
{
    struct init_producer_id_response m;
    struct buf b = {0};

    (void)r;
    if (q->key != API_INIT_PRODUCER_ID || pid_errors == 0)
        return false;
    pid_errors--;
    init_producer_id_response_init(&m);
    m.error_code = pid_error;
    assert_int_equal(init_producer_id_response_encode(&m, &b, q->version), 0);
    peer_answer(q, &b);
    return true;
}

static int last_err, reports;

static void on_report(void *arg, const struct producer_report *r)
{
    (void)arg;
    last_err = r->err;
    reports++;
}

static bool reported(void *arg)
{
    (void)arg;
    return reports > 0;
}

static void produce_one(struct producer **p)
{
    struct client_topic *t = rig_know(&rig, "t");
    char value[32];

    reports = 0;
    assert_int_equal(producer_new(p, rig.c, on_report, NULL, &e), 0);
    assert_int_equal(producer_send(*p, t, 0, 0, (struct slice){NULL, 0}, rig_value(value, 1, 0),
                                   NULL, 0, (struct producer_mark){0, 1}, &e),
                     0);
    rig_until(&rig, reported, NULL);
}

static void a_producer_id_is_asked_for_again(void **state)
{
    static const int16_t passing[] = {KAFKA_COORDINATOR_LOAD_IN_PROGRESS,
                                      KAFKA_COORDINATOR_NOT_AVAILABLE, KAFKA_REQUEST_TIMED_OUT};
    struct producer *p;

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        begin(1, NULL);
        rig_topic(&rig, "t", 1);
        rig.on_call = refuse_pid;
        pid_error = passing[i];
        pid_errors = 3;
        produce_one(&p);
        assert_int_equal(last_err, 0);
        assert_int_equal(pid_errors, 0);
        producer_free(p);
        rig_stop(&rig);
    }
}

static void a_refused_producer_id_ends_the_stream(void **state)
{
    struct producer_mark at;
    struct producer *p;

    (void)state;
    begin(1, NULL);
    rig_topic(&rig, "t", 1);
    rig.on_call = refuse_pid;
    pid_error = KAFKA_CLUSTER_AUTHORIZATION_FAILED;
    pid_errors = 1;
    produce_one(&p);
    assert_int_not_equal(last_err, 0);
    assert_true(producer_failed(p, &e, &at));
    assert_int_equal(e.remote, KAFKA_CLUSTER_AUTHORIZATION_FAILED);
    producer_free(p);
    rig_stop(&rig);
}

static void a_broker_without_producer_ids(void **state)
{
    static const char *const wanted[] = {"enable.idempotence", "true", NULL};
    struct producer *p;

    (void)state;
    for (int asked = 0; asked < 2; asked++) {
        struct peer_topic *t;
        begin(1, asked ? wanted : NULL);
        rig.keep_messages = true;
        rig.max_version[API_INIT_PRODUCER_ID] = -1;
        t = rig_topic(&rig, "t", 1);
        produce_one(&p);
        if (asked) {
            assert_int_equal(last_err, KE_UNSUPPORTED);
            assert_int_equal(t->parts[0].end, 0);
        } else {
            assert_int_equal(last_err, 0);
            assert_int_equal(t->parts[0].batches[0].producer_id, -1);
            assert_non_null(strstr(buf_cstr(&rig.messages), "may be stored twice"));
        }
        producer_free(p);
        rig_stop(&rig);
    }
}

/* Ended at any moment: with questions under way, batches under way, nothing connected. */
static void a_producer_may_go_at_any_moment(void **state)
{
    (void)state;
    for (int steps = 0; steps < 12; steps++) {
        struct producer *p;
        struct client_topic *t;
        char value[32];
        begin(1, NULL);
        rig_topic(&rig, "t", 1);
        t = rig_know(&rig, "t");
        assert_int_equal(producer_new(&p, rig.c, on_report, NULL, &e), 0);
        for (uint64_t i = 0; i < 5; i++)
            assert_int_equal(producer_send(p, t, 0, 0, (struct slice){NULL, 0},
                                           rig_value(value, i, 0), NULL, 0,
                                           (struct producer_mark){i, i}, &e),
                             0);
        producer_flush(p);
        for (int i = 0; i < steps; i++)
            client_poll(rig.c, 0);
        producer_free(p);
        rig_settle(&rig);
        rig_stop(&rig);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_topic_is_learnt),
        cmocka_unit_test(no_second_connection_to_a_broker),
        cmocka_unit_test(a_missing_topic_is_said),
        cmocka_unit_test(a_topic_is_made_when_asked_for),
        cmocka_unit_test(a_broker_that_makes_none_is_not_waited_for),
        cmocka_unit_test(a_refused_topic_is_an_error),
        cmocka_unit_test(a_topic_without_leaders_is_waited_for),
        cmocka_unit_test(changes_are_learnt),
        cmocka_unit_test(refreshes_are_rationed),
        cmocka_unit_test(all_topics_are_listed),
        cmocka_unit_test(the_next_address_is_tried),
        cmocka_unit_test(nobody_there_is_said_at_once),
        cmocka_unit_test(an_old_broker_is_asked_again),
        cmocka_unit_test(a_lost_connection_is_made_again),
        cmocka_unit_test(a_call_is_answered),
        cmocka_unit_test(a_lost_call_is_made_again),
        cmocka_unit_test(a_call_ends_in_time),
        cmocka_unit_test(a_call_can_be_interrupted),
        cmocka_unit_test(a_version_that_the_broker_lacks),
        cmocka_unit_test(what_waits_at_the_end_is_answered),
        cmocka_unit_test(a_producer_id_is_asked_for_again),
        cmocka_unit_test(a_refused_producer_id_ends_the_stream),
        cmocka_unit_test(a_broker_without_producer_ids),
        cmocka_unit_test(a_producer_may_go_at_any_moment),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests_name("client_metadata", tests, NULL, NULL);
}
