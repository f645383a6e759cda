/* Fetch sessions: the table against a dumber model, and over a real socket. */
#include "broker_support.h"

#include "broker/sessions.h"
#include "wire/error.h"
#include "wire/fetch_request.h"
#include "wire/fetch_response.h"
#include "wire/produce_request.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* ---- the table ---- */

static mono_ns at_ms(int64_t ms)
{
    return (mono_ns){ms * 1000000};
}

enum { TOPICS = 3, PARTS = 4 };

/* One request: topic t's partition k is wanted with offset offset[t][k], or (-1) not named, or (-2)
 * forgotten. */
static void request(struct fetch_request *q, struct arena *a, int32_t id, int32_t epoch,
                    int64_t offset[TOPICS][PARTS])
{
    static const char *const name[TOPICS] = {"a", "b", "c"};

    fetch_request_init(q);
    q->session_id = id;
    q->session_epoch = epoch;
    q->topics.v = arena_array(a, TOPICS, sizeof *q->topics.v);
    q->forgotten_topics_data.v = arena_array(a, TOPICS, sizeof *q->forgotten_topics_data.v);
    for (int t = 0; t < TOPICS; t++) {
        struct fetch_request_fetch_topic *w = &q->topics.v[q->topics.n];
        struct fetch_request_forgotten_topic *f =
            &q->forgotten_topics_data.v[q->forgotten_topics_data.n];
        fetch_request_fetch_topic_init(w);
        fetch_request_forgotten_topic_init(f);
        w->topic = f->topic = slice_str(name[t]);
        w->partitions.v = arena_array(a, PARTS, sizeof *w->partitions.v);
        f->partitions.v = arena_array(a, PARTS, sizeof *f->partitions.v);
        for (int k = 0; k < PARTS; k++) {
            if (offset[t][k] == -2)
                f->partitions.v[f->partitions.n++] = k;
            if (offset[t][k] < 0)
                continue;
            fetch_request_fetch_partition_init(&w->partitions.v[w->partitions.n]);
            w->partitions.v[w->partitions.n].partition = k;
            w->partitions.v[w->partitions.n++].fetch_offset = offset[t][k];
        }
        q->topics.n += w->partitions.n > 0;
        q->forgotten_topics_data.n += f->partitions.n > 0;
    }
}

static struct session *begin_new(struct sessions *t, int64_t now, int64_t offset[TOPICS][PARTS])
{
    static const struct session_told told = {0, 0};
    struct session *s = sessions_make(t, false, at_ms(now));
    struct arena a = {0};
    struct fetch_request q;

    request(&q, &a, 0, 0, offset);
    for (int32_t i = 0; s && i < q.topics.n; i++)
        for (int32_t k = 0; k < q.topics.v[i].partitions.n; k++)
            assert_true(session_add(t, s, &(struct session_topic){q.topics.v[i].topic, {{0}}},
                                    &q.topics.v[i].partitions.v[k], &told));
    arena_free(&a);
    return s;
}

/* Many random changes: what a session spells out is always what the client would have said in a
 * full request, each partition once. */
static void a_session_is_what_the_client_thinks(void **state)
{
    struct sessions *t = sessions_new(10);
    int64_t model[TOPICS][PARTS];
    struct session *s;
    uint64_t rng = 7;
    int32_t id, epoch = 1;

    (void)state;
    for (int i = 0; i < TOPICS * PARTS; i++)
        model[i / PARTS][i % PARTS] = i % 3 ? i : -1;
    s = begin_new(t, 0, model);
    id = session_id(s);
    sessions_release(t);
    for (int round = 0; round < 3000; round++) {
        int64_t change[TOPICS][PARTS];
        struct session_step step;
        struct fetch_request q;
        struct arena a = {0};
        int seen = 0, want = 0;
        for (int i = 0; i < TOPICS * PARTS; i++) {
            int64_t *c = &change[i / PARTS][i % PARTS], *m = &model[i / PARTS][i % PARTS];
            rng = rng * 6364136223846793005u + 1442695040888963407u;
            *c = (rng >> 40) % 4 == 0 ? -2 : (rng >> 40) % 4 == 1 ? (int64_t)(rng >> 50) : -1;
            if (*c == -2 && i == 0)
                *c = 1; /* one stays */
            *m = *c == -2 ? -1 : *c >= 0 ? *c : *m;
            want += *m >= 0;
        }
        request(&q, &a, id, epoch++, change);
        step = sessions_begin(t, &q, false, at_ms(round), &a);
        assert_int_equal(step.error, 0);
        assert_int_equal(step.kind, SESSION_GOES_ON);
        for (int32_t i = 0; i < q.topics.n; i++)
            for (int32_t k = 0; k < q.topics.v[i].partitions.n; k++, seen++) {
                const struct fetch_request_fetch_partition *p = &q.topics.v[i].partitions.v[k];
                assert_int_equal(p->fetch_offset,
                                 model[q.topics.v[i].topic.p[0] - 'a'][p->partition]);
            }
        assert_int_equal(seen, want);
        s = sessions_hold(t, id); /* one of them goes to the end */
        session_tell(s, &(struct session_topic){slice_str("b"), {{0}}}, round % PARTS, true, false,
                     &(struct session_told){1, 1});
        sessions_release(t);
        arena_free(&a);
    }
    sessions_free(t);
}

static int16_t step_error(struct sessions *t, int32_t id, int32_t epoch, bool by_id)
{
    int64_t none[TOPICS][PARTS];
    struct arena a = {0};
    struct fetch_request q;
    struct session_step step;

    memset(none, -1, sizeof none);
    request(&q, &a, id, epoch, none);
    step = sessions_begin(t, &q, by_id, at_ms(0), &a);
    arena_free(&a);
    return step.error;
}

static void out_of_step(void **state)
{
    int64_t some[TOPICS][PARTS] = {{5, 6, -1, -1}, {-1, -1, -1, -1}, {-1, 1, -1, -1}};
    struct sessions *t = sessions_new(10);
    struct session *s = begin_new(t, 0, some);
    int32_t id = session_id(s);

    (void)state;
    sessions_release(t);
    assert_int_equal(step_error(t, id, 2, false), KAFKA_INVALID_FETCH_SESSION_EPOCH);
    assert_int_equal(step_error(t, id, 1, true), KAFKA_FETCH_SESSION_TOPIC_ID_ERROR);
    assert_int_equal(step_error(t, id, 1, false), 0);
    assert_int_equal(step_error(t, id, 1, false), KAFKA_INVALID_FETCH_SESSION_EPOCH);
    assert_int_equal(step_error(t, id, -2, false), KAFKA_INVALID_FETCH_SESSION_EPOCH);
    assert_int_equal(step_error(t, id ^ 1, 1, false), KAFKA_FETCH_SESSION_ID_NOT_FOUND);
    assert_int_equal(step_error(t, 0, 1, false), KAFKA_FETCH_SESSION_ID_NOT_FOUND);
    assert_int_equal(step_error(t, 0, -2, false), KAFKA_FETCH_SESSION_ID_NOT_FOUND);
    assert_int_equal(step_error(t, id, -1, false), 0); /* its end */
    assert_int_equal(step_error(t, id, 2, false), KAFKA_FETCH_SESSION_ID_NOT_FOUND);
    sessions_free(t);
}

static void what_is_told(void **state)
{
    int64_t some[TOPICS][PARTS] = {{5, -1, -1, -1}, {-1, -1, -1, -1}, {-1, -1, -1, -1}};
    const struct session_topic a = {slice_str("a"), {{0}}}, b = {slice_str("b"), {{0}}};
    struct sessions *t = sessions_new(10);
    struct session *s = begin_new(t, 0, some);

    (void)state;
    assert_false(session_tell(s, &a, 0, false, false, &(struct session_told){0, 0}));
    assert_true(session_tell(s, &a, 0, true, false, &(struct session_told){0, 0}));
    assert_true(session_tell(s, &a, 0, false, true, &(struct session_told){0, 0}));
    assert_true(session_tell(s, &a, 0, false, false, &(struct session_told){9, 0}));
    assert_false(session_tell(s, &a, 0, false, false, &(struct session_told){9, 0}));
    assert_true(session_tell(s, &a, 0, false, false, &(struct session_told){9, 4}));
    assert_true(session_tell(s, &b, 0, false, false, &(struct session_told){9, 4})); /* forgotten */
    sessions_release(t);
    sessions_free(t);
}

static void the_longest_idle_one_goes(void **state)
{
    int64_t some[TOPICS][PARTS] = {{5, 6, -1, -1}, {-1, -1, -1, -1}, {-1, 1, -1, -1}};
    struct sessions *t = sessions_new(2);
    int32_t first, second;

    (void)state;
    first = session_id(begin_new(t, 0, some));
    sessions_release(t);
    second = session_id(begin_new(t, 5, some));
    sessions_release(t);
    assert_null(begin_new(t, SESSION_IDLE_MS - 1, some));
    assert_non_null(begin_new(t, SESSION_IDLE_MS, some));
    sessions_release(t);
    assert_null(sessions_hold(t, first));
    assert_non_null(sessions_hold(t, second));
    sessions_release(t);
    sessions_free(t);
}

/* ---- over a socket ---- */

static struct rig rig;
static struct raw c;

static int start(void **state)
{
    static const char *const two[] = {"max.incremental.fetch.session.cache.slots", "2", NULL};

    (void)state;
    rig_start(&rig, two);
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

struct ask {
    int32_t session, epoch;
    int count; /* of partitions named */
    struct {
        int32_t index;
        int64_t offset; /* -1: forgotten */
    } part[4];
    int32_t max_wait;
};

static struct fetch_response *send_and_receive(int16_t v, struct uuid id, const struct ask *w)
{
    static struct fetch_response m;
    struct fetch_request_fetch_partition p[4];
    struct fetch_request_forgotten_topic gone;
    struct fetch_request_fetch_topic t;
    int32_t forgotten[4];
    struct fetch_request q;
    struct wire_reader r;
    struct buf b = {0};

    fetch_request_init(&q);
    fetch_request_fetch_topic_init(&t);
    fetch_request_forgotten_topic_init(&gone);
    t.topic = gone.topic = slice_str(v < 13 ? "t" : "");
    if (v >= 13)
        t.topic_id = gone.topic_id = id;
    t.partitions.v = p;
    gone.partitions.v = forgotten;
    for (int i = 0; i < w->count; i++) {
        if (w->part[i].offset < 0) {
            forgotten[gone.partitions.n++] = w->part[i].index;
            continue;
        }
        fetch_request_fetch_partition_init(&p[t.partitions.n]);
        p[t.partitions.n].partition = w->part[i].index;
        p[t.partitions.n].fetch_offset = w->part[i].offset;
        p[t.partitions.n++].partition_max_bytes = 1 << 20;
    }
    q.topics.v = &t;
    q.topics.n = t.partitions.n > 0;
    q.forgotten_topics_data.v = &gone;
    q.forgotten_topics_data.n = gone.partitions.n > 0;
    q.session_id = w->session;
    q.session_epoch = w->epoch;
    q.max_wait_ms = w->max_wait;
    q.min_bytes = 1;
    assert_int_equal(fetch_request_encode(&q, &b, v), 0);
    raw_send(&c, API_FETCH, v, 4, &b);
    raw_receive(&c, API_FETCH, v, 4, &r);
    assert_int_equal(fetch_response_decode(&m, &r, v), 0);
    assert_int_equal(wire_left(&r), 0);
    return &m;
}

/* One partition is in the answer, and no other. */
static void check_only(const struct fetch_response *m, int32_t session, int32_t index, bool records)
{
    assert_int_equal(m->error_code, 0);
    assert_int_equal(m->session_id, session);
    assert_int_equal(m->responses.n, 1);
    assert_int_equal(m->responses.v[0].partitions.n, 1);
    assert_int_equal(m->responses.v[0].partitions.v[0].partition_index, index);
    assert_int_equal(m->responses.v[0].partitions.v[0].error_code, 0);
    assert_int_equal(m->responses.v[0].partitions.v[0].records.n > 0, records);
}

/* Five records, on stable storage. */
static void produce_to(int32_t index)
{
    struct produce_request_partition_produce_data p;
    struct produce_request_topic_produce_data t;
    struct batch_builder w = {0};
    struct produce_request q;
    struct produced out;
    struct buf b = {0};

    produce_request_init(&q);
    produce_request_topic_produce_data_init(&t);
    produce_request_partition_produce_data_init(&p);
    p.index = index;
    p.records = make_batch(&w, 0, 5, 10, -1, -1);
    t.name = slice_str("t");
    t.partition_data.v = &p;
    t.partition_data.n = 1;
    q.acks = -1;
    q.timeout_ms = 30000;
    q.topic_data.v = &t;
    q.topic_data.n = 1;
    assert_int_equal(produce_request_encode(&q, &b, 9), 0);
    raw_send(&c, API_PRODUCE, 9, 3, &b);
    raw_receive_produce(&c, 9, 3, &out);
    assert_int_equal(out.error, 0);
    batch_builder_free(&w);
}

static void only_news_in_every_version(void **state)
{
    struct uuid id = raw_create(&c, "t", 3, NULL);
    int64_t end = 0;

    (void)state;
    for (int16_t v = 7; v <= 18; v++) {
        struct ask w = {0, 0, 3, {{0, end}, {1, 0}, {2, end}}, 0};
        struct fetch_response *m = send_and_receive(v, id, &w);
        int32_t session = m->session_id;
        assert_true(session != 0);
        assert_int_equal(m->responses.n, 1);
        assert_int_equal(m->responses.v[0].partitions.n, 3); /* a full one tells all */
        w = (struct ask){session, 1, 0, {{0, 0}}, 0};
        m = send_and_receive(v, id, &w);
        assert_int_equal(m->session_id, session);
        assert_int_equal(m->responses.n, 0); /* no news */
        produce_to(2);
        w.epoch = 2;
        check_only(send_and_receive(v, id, &w), session, 2, true);
        w = (struct ask){session, 3, 1, {{2, end + 5}}, 0}; /* on */
        assert_int_equal(send_and_receive(v, id, &w)->responses.n, 0);
        produce_to(0);
        w = (struct ask){session, 4, 1, {{0, -1}}, 0}; /* and no more of 0 */
        assert_int_equal(send_and_receive(v, id, &w)->responses.n, 0);
        w = (struct ask){session, 9, 0, {{0, 0}}, 0};
        assert_int_equal(send_and_receive(v, id, &w)->error_code,
                         KAFKA_INVALID_FETCH_SESSION_EPOCH);
        w = (struct ask){session, -1, 1, {{1, 0}}, 0}; /* its end, and a full one without */
        m = send_and_receive(v, id, &w);
        assert_int_equal(m->session_id, 0);
        assert_int_equal(m->responses.v[0].partitions.n, 1);
        w = (struct ask){session, 5, 0, {{0, 0}}, 0};
        assert_int_equal(send_and_receive(v, id, &w)->error_code, KAFKA_FETCH_SESSION_ID_NOT_FOUND);
        end += 5;
    }
}

static void who_gets_no_session_goes_on_without(void **state)
{
    struct uuid id = raw_create(&c, "t", 3, NULL);
    struct ask w = {0, 0, 2, {{0, 0}, {1, 0}}, 0};

    (void)state;
    assert_true(send_and_receive(12, id, &w)->session_id != 0);
    assert_true(send_and_receive(12, id, &w)->session_id != 0);
    for (int i = 0; i < 3; i++) {
        struct fetch_response *m = send_and_receive(12, id, &w);
        assert_int_equal(m->session_id, 0);
        assert_int_equal(m->error_code, 0);
        assert_int_equal(m->responses.v[0].partitions.n, 2);
    }
}

/* An error is told each time, and a parked fetch of a session wakes as any other. */
static void errors_and_parking(void **state)
{
    struct uuid id = raw_create(&c, "t", 3, NULL);
    struct ask w = {0, 0, 2, {{0, 99}, {1, 0}}, 0};
    int32_t session = send_and_receive(13, id, &w)->session_id;
    struct fetch_response *m;

    (void)state;
    for (int i = 1; i <= 2; i++) {
        w = (struct ask){session, i, 0, {{0, 0}}, 60000};
        m = send_and_receive(13, id, &w);
        assert_int_equal(m->responses.v[0].partitions.n, 1);
        assert_int_equal(m->responses.v[0].partitions.v[0].error_code, KAFKA_OFFSET_OUT_OF_RANGE);
    }
    w = (struct ask){session, 3, 1, {{0, 0}}, 0};
    assert_int_equal(send_and_receive(13, id, &w)->responses.v[0].partitions.v[0].error_code, 0);
    assert_int_equal(raw_delete(&c, "t"), 0);
    w = (struct ask){session, 4, 0, {{0, 0}}, 60000};
    m = send_and_receive(13, id, &w);
    assert_int_equal(m->responses.v[0].partitions.n, 2);
    assert_int_equal(m->responses.v[0].partitions.v[0].error_code,
                     KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
    raw_create(&c, "t", 3, NULL); /* another one */
    w = (struct ask){session, 5, 0, {{0, 0}}, 60000};
    m = send_and_receive(13, id, &w);
    assert_int_equal(m->responses.v[0].partitions.v[0].error_code, KAFKA_INCONSISTENT_TOPIC_ID);
}

#define WITH_BROKER(f) cmocka_unit_test_setup_teardown(f, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_session_is_what_the_client_thinks),
        cmocka_unit_test(out_of_step),
        cmocka_unit_test(what_is_told),
        cmocka_unit_test(the_longest_idle_one_goes),
        WITH_BROKER(only_news_in_every_version),
        WITH_BROKER(who_gets_no_session_goes_on_without),
        WITH_BROKER(errors_and_parking),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
