/* ListOffsets: every partition's answer is its own, leaders may move, and what is not answered is
 * not made up. */
#include "client_support.h"

#include "client/offsets.h"
#include "wire/error.h"
#include "wire/list_offsets_request.h"
#include "wire/list_offsets_response.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { PARTITIONS = 5 };

static const char *const settings[] = {
    "retry.backoff.ms", "1", "reconnect.backoff.ms", "1", "request.timeout.ms", "2000", NULL};

static struct rig rig;
static struct peer_topic *stored;
static struct kerr e;

/* What the brokers do to the next answers. */
static struct {
    int16_t error; /* of partition 1 */
    int errors;    /* so often */
    int cut;       /* connections in place of answers */
    bool lacks;    /* partition 2 */
    bool other;    /* another partition in its place */
    bool committed;
} plan;

/* Each its own number, and the end another one for each isolation level. */
static int64_t offset_of(int32_t partition, int64_t at, bool committed)
{
    return at == OFFSETS_START ? partition
           : at == OFFSETS_END ? 1000 + partition - (committed ? 10 : 0)
                               : 100 + partition + at;
}

static bool answer(struct rig *r, struct peer_call *q)
{
    struct list_offsets_response_list_offsets_partition_response *parts;
    struct list_offsets_response_list_offsets_topic_response *topics;
    struct list_offsets_request ask;
    struct list_offsets_response m;
    struct buf b = {0};

    (void)r;
    if (q->key != API_LIST_OFFSETS)
        return false;
    if (plan.cut > 0) {
        plan.cut--;
        peer_cut(q);
        return true;
    }
    assert_int_equal(list_offsets_request_decode(&ask, &q->body, q->version), 0);
    assert_int_equal(ask.replica_id, -1);
    assert_int_equal(ask.isolation_level, plan.committed);
    list_offsets_response_init(&m);
    topics = arena_array(&q->arena, (size_t)ask.topics.n + 1, sizeof *topics);
    parts = arena_array(&q->arena, (size_t)ask.topics.n + 1, sizeof *parts);
    m.topics.v = topics;
    for (int32_t i = 0; i < ask.topics.n; i++) {
        int32_t p = ask.topics.v[i].partitions.v[0].partition_index;
        int64_t at = ask.topics.v[i].partitions.v[0].timestamp;
        assert_int_equal(ask.topics.v[i].partitions.n, 1);
        if (plan.lacks && p == 2)
            continue;
        list_offsets_response_list_offsets_topic_response_init(&topics[m.topics.n]);
        list_offsets_response_list_offsets_partition_response_init(&parts[m.topics.n]);
        parts[m.topics.n].partition_index = plan.other && p == 2 ? 77 : p;
        if (stored->parts[p].leader != q->node)
            parts[m.topics.n].error_code = KAFKA_NOT_LEADER_OR_FOLLOWER;
        else if (p == 1 && plan.errors > 0)
            plan.errors--, parts[m.topics.n].error_code = plan.error;
        else
            parts[m.topics.n].offset = offset_of(p, at, plan.committed);
        topics[m.topics.n].name = ask.topics.v[i].name;
        topics[m.topics.n].partitions.v = &parts[m.topics.n];
        topics[m.topics.n++].partitions.n = 1;
    }
    assert_int_equal(list_offsets_response_encode(&m, &b, q->version), 0);
    peer_answer(q, &b);
    return true;
}

static void begin(struct offset_query q[PARTITIONS], int64_t at)
{
    struct client_topic *t;

    e = (struct kerr){0};
    memset(&plan, 0, sizeof plan);
    rig_start(&rig, 3, settings);
    rig.flows = true;
    rig.on_call = answer;
    stored = rig_topic(&rig, "t", PARTITIONS);
    t = rig_know(&rig, "t");
    for (int32_t i = 0; i < PARTITIONS; i++)
        q[i] = (struct offset_query){.topic = t, .partition = i, .at = at, .offset = -7};
}

static int ask(struct offset_query q[PARTITIONS], int64_t timeout_ms)
{
    return client_offsets(rig.c, q, PARTITIONS, plan.committed, timeout_ms, &e);
}

static void check(const struct offset_query q[PARTITIONS])
{
    for (int32_t i = 0; i < PARTITIONS; i++)
        assert_int_equal(q[i].offset, offset_of(i, q[i].at, plan.committed));
}

static void each_partition_has_its_answer(void **state)
{
    static const int64_t at[] = {OFFSETS_START, OFFSETS_END, 50};
    struct offset_query q[PARTITIONS];

    (void)state;
    for (size_t i = 0; i < 6; i++) {
        begin(q, at[i % 3]);
        plan.committed = i >= 3;
        assert_int_equal(ask(q, -1), 0);
        check(q);
        assert_int_equal(rig.asked[API_LIST_OFFSETS], 3); /* one for each leader */
        rig_stop(&rig);
    }
}

static void moved_leaders_and_lost_connections_are_asked_again(void **state)
{
    struct offset_query q[PARTITIONS];

    (void)state;
    begin(q, OFFSETS_END);
    rig_move_leader(stored, 0, 2);
    rig_move_leader(stored, 3, 1);
    plan.cut = 2;
    assert_int_equal(ask(q, 60000), 0);
    check(q);
    rig_stop(&rig);
}

static void a_partition_without_a_leader_is_waited_for(void **state)
{
    struct offset_query q[PARTITIONS];

    (void)state;
    begin(q, OFFSETS_END);
    q[2].topic->partitions[2].leader = -1; /* until the next answer to Metadata */
    assert_int_equal(ask(q, 60000), 0);
    check(q);
    rig_stop(&rig);
    begin(q, OFFSETS_END);
    rig_move_leader(stored, 2, -1);
    assert_int_equal(ask(q, 50), KE_TIMEOUT);
    rig_stop(&rig);
}

static void errors_that_pass_and_that_stay(void **state)
{
    static const int16_t passing[] = {KAFKA_NOT_LEADER_OR_FOLLOWER, KAFKA_FENCED_LEADER_EPOCH,
                                      KAFKA_UNKNOWN_LEADER_EPOCH, KAFKA_LEADER_NOT_AVAILABLE};
    struct offset_query q[PARTITIONS];

    (void)state;
    for (size_t i = 0; i < sizeof passing / sizeof passing[0]; i++) {
        begin(q, OFFSETS_END);
        plan.error = passing[i];
        plan.errors = 2;
        assert_int_equal(ask(q, 60000), 0);
        check(q);
        rig_stop(&rig);
    }
    begin(q, OFFSETS_END);
    plan.error = KAFKA_TOPIC_AUTHORIZATION_FAILED;
    plan.errors = 1;
    assert_int_equal(ask(q, 60000), KE_REMOTE);
    assert_int_equal(e.remote, KAFKA_TOPIC_AUTHORIZATION_FAILED);
    assert_non_null(strstr(kerr_msg(&e), "offsets of t-1: "));
    rig_stop(&rig);
}

/* No answer is not the answer 0. */
static void what_is_not_answered_is_not_made_up(void **state)
{
    struct offset_query q[PARTITIONS];

    (void)state;
    begin(q, OFFSETS_END);
    plan.lacks = true;
    assert_int_equal(ask(q, 60000), KE_CORRUPT);
    assert_non_null(strstr(kerr_msg(&e), "lacks"));
    rig_stop(&rig);
    begin(q, OFFSETS_END);
    plan.other = true;
    assert_int_equal(ask(q, 60000), KE_CORRUPT);
    rig_stop(&rig);
}

static bool cut_short(struct rig *r, struct peer_call *q)
{
    struct buf b = {0};

    (void)r;
    if (q->key != API_LIST_OFFSETS)
        return false;
    buf_put(&b, "\0\0\0\0\177", 5);
    peer_answer(q, &b);
    return true;
}

static void a_malformed_answer_is_an_error(void **state)
{
    struct offset_query q[PARTITIONS];

    (void)state;
    begin(q, OFFSETS_END);
    rig.on_call = cut_short;
    assert_int_equal(ask(q, 60000), KE_CORRUPT);
    rig_stop(&rig);
}

static void it_can_be_interrupted(void **state)
{
    struct offset_query q[PARTITIONS];

    (void)state;
    begin(q, OFFSETS_END);
    client_interrupt(rig.c, true);
    assert_int_equal(ask(q, 60000), KE_CLOSED);
    client_interrupt(rig.c, false);
    rig_settle(&rig); /* what was under way comes in, and is for nobody */
    assert_int_equal(ask(q, 60000), 0);
    check(q);
    rig_stop(&rig);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_partition_has_its_answer),
        cmocka_unit_test(moved_leaders_and_lost_connections_are_asked_again),
        cmocka_unit_test(a_partition_without_a_leader_is_waited_for),
        cmocka_unit_test(errors_that_pass_and_that_stay),
        cmocka_unit_test(what_is_not_answered_is_not_made_up),
        cmocka_unit_test(a_malformed_answer_is_an_error),
        cmocka_unit_test(it_can_be_interrupted),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests_name("client_offsets", tests, NULL, NULL);
}
