/* What a broker must not be believed: cut, garbled, misplaced and lying answers. Nothing of it may
 * crash, and nothing is acknowledged that the broker has not said. */
#include "client_support.h"

#include "base/bytes.h"
#include "client/producer.h"
#include "record/batch.h"
#include "wire/error.h"
#include "wire/header.h"
#include "wire/metadata_response.h"
#include "wire/produce_request.h"
#include "wire/produce_response.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct rig rig;
static struct producer *producer;
static struct peer_topic *stored;
static struct client_topic *topic;
static int acknowledged, failed;

static void on_report(void *arg, const struct producer_report *r)
{
    (void)arg;
    *(r->err ? &failed : &acknowledged) += r->records->count;
}

static void begin(int32_t partitions)
{
    static const char *const settings[] = {
        "request.timeout.ms", "1000", "retry.backoff.ms", "10", "delivery.timeout.ms",
        "100000000",          NULL};

    rig_start(&rig, 2, settings);
    stored = rig_topic(&rig, "t", partitions);
    assert_int_equal(producer_new(&producer, rig.c, on_report, NULL, NULL), 0);
    acknowledged = failed = 0;
    topic = rig_know(&rig, "t");
}

static void end(void)
{
    producer_free(producer);
    rig_stop(&rig);
}

static void put(int32_t partition, uint64_t id)
{
    char value[64];

    assert_int_equal(producer_send(producer, topic, partition, 0, slice_str("k"),
                                   rig_value(value, id, 0), NULL, 0, (struct producer_mark){id, id},
                                   NULL),
                     0);
}

static bool is_idle(void *arg)
{
    return producer_idle(arg);
}

static void finish(int records)
{
    producer_flush(producer);
    rig_until(&rig, is_idle, producer);
    assert_int_equal(failed, 0);
    assert_int_equal(acknowledged, records);
    for (int32_t p = 0; p < stored->count; p++)
        for (int64_t i = 0; i < stored->parts[p].end; i++) {
            int times;
            rig_find(&stored->parts[p], stored->parts[p].ids[i], &times);
            assert_int_equal(times, 1);
        }
}

/* ---- bytes that are not what they were ---- */

struct damage {
    int16_t key; /* of the API whose answers are damaged */
    int left;    /* so many of them */
    size_t cut;  /* to this length */
    bool lie;    /* though the frame announces all */
    uint64_t dice;
    int flips; /* bytes changed behind the header */
    int seen;
    size_t size; /* of the largest answer */
};

static void damage(struct rig *r, struct peer_call *q, struct buf *frame)
{
    struct damage *d = r->arg;

    if (q->key != d->key || d->left == 0)
        return;
    assert_int_equal(acknowledged, 0);
    d->left--;
    d->seen++;
    d->size = frame->n > d->size ? frame->n : d->size;
    for (int i = 0; i < d->flips && frame->n > 8; i++)
        frame->p[8 + rig_random(&d->dice) % (frame->n - 8)] = (uint8_t)rig_random(&d->dice);
    if (d->flips == 0 && d->cut < frame->n) {
        frame->n = d->cut;
        if (!d->lie && frame->n >= 4)
            put_be32(frame->p, (uint32_t)(frame->n - 4));
    }
}

static size_t with_cut_answers(int16_t key, size_t cut, bool lie)
{
    struct damage d = {.key = key, .left = 2, .cut = cut, .lie = lie};

    begin(1);
    rig.arg = &d;
    rig.on_answer = damage;
    put(0, 1);
    finish(1);
    end();
    return d.size;
}

static void a_cut_answer_is_no_answer(void **state)
{
    static const int16_t keys[] = {API_PRODUCE, API_INIT_PRODUCER_ID};

    (void)state;
    for (size_t k = 0; k < 2; k++)
        for (int lie = 0; lie < 2; lie++)
            for (size_t cut = 0, size = 100; cut < size; cut++)
                size = with_cut_answers(keys[k], cut, lie);
}

/* The same for what has to be known before anything can be sent. */
static void know_after(int16_t key, size_t cut, bool lie, size_t *size)
{
    static const char *const settings[] = {
        "request.timeout.ms", "500", "retry.backoff.ms", "1", "reconnect.backoff.ms", "1", NULL};
    struct damage d = {.key = key, .left = 1, .cut = cut, .lie = lie};
    struct client_topic *t;

    rig_start(&rig, 1, settings);
    rig_topic(&rig, "t", 2);
    rig.arg = &d;
    rig.on_answer = damage;
    acknowledged = 0;
    client_be_patient(rig.c);
    t = client_topic(rig.c, slice_str("t"));
    while (!t->known)
        assert_true(rig_step(&rig));
    assert_int_equal(t->count, 2);
    assert_int_equal(d.seen, 1);
    *size = d.size;
    rig_stop(&rig);
}

static void a_cut_answer_teaches_nothing(void **state)
{
    static const int16_t keys[] = {API_API_VERSIONS, API_METADATA};

    (void)state;
    for (size_t k = 0; k < 2; k++)
        for (int lie = 0; lie < 2; lie++)
            for (size_t cut = 0, size = 100; cut < size; cut++)
                know_after(keys[k], cut, lie, &size);
}

/* Whatever a garbled answer to Produce says: each record is reported once. */
static void garbled_answers(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 400; seed++) {
        struct damage d = {.key = seed % 3 ? API_PRODUCE : API_INIT_PRODUCER_ID,
                           .left = 1,
                           .dice = seed,
                           .flips = 1 + (int)(seed % 4)};
        begin(2);
        rig.arg = &d;
        rig.on_answer = damage;
        for (uint64_t i = 0; i < 20; i++)
            put((int32_t)(i % 2), i);
        producer_flush(producer);
        rig_until(&rig, is_idle, producer);
        assert_int_equal(acknowledged + failed, 20);
        end();
    }
}

static void garbled_versions(void **state)
{
    static const char *const settings[] = {
        "request.timeout.ms", "500", "retry.backoff.ms", "1", "reconnect.backoff.ms", "1", NULL};

    (void)state;
    for (uint64_t seed = 1; seed <= 300; seed++) {
        struct damage d = {.key = API_API_VERSIONS, .left = 1, .dice = seed, .flips = 3};
        rig_start(&rig, 1, settings);
        rig_topic(&rig, "t", 2);
        rig.arg = &d;
        rig.on_answer = damage;
        acknowledged = 0;
        client_be_patient(rig.c);
        client_topic(rig.c, slice_str("t"));
        rig_pass(&rig, 3000);
        rig_stop(&rig);
    }
}

/* ---- frames out of place ---- */

struct misplaced {
    struct buf frame; /* in place of the answer to the first Produce */
    int left;
};

static bool send_misplaced(struct rig *r, struct peer_call *q)
{
    struct misplaced *m = r->arg;

    if (q->key != API_PRODUCE || m->left == 0)
        return false;
    m->left--;
    assert_int_equal(acknowledged, 0);
    peer_answer_bytes(q, buf_slice(&m->frame));
    return true;
}

/* One Produce is answered with these bytes; the record goes through all the same, later. */
static void run_misplaced(struct misplaced *m)
{
    begin(1);
    m->left = 1;
    rig.arg = m;
    rig.on_call = send_misplaced;
    put(0, 1);
    finish(1);
    assert_int_equal(m->left, 0);
    end();
    buf_free(&m->frame);
}

static void frames_that_make_no_sense(void **state)
{
    static const struct {
        const char *bytes;
        size_t n;
    } frames[] = {
        {"\x00\x00\x00\x00", 4},                             /* of no length */
        {"\xff\xff\xff\xff", 4},                             /* negative */
        {"\x7f\xff\xff\xff\x00\x00", 6},                     /* two gigabytes, of which two bytes */
        {"HTTP/1.1 400 Bad Request\r\n\r\n", 28},            /* another protocol */
        {"\x15\x03\x01\x00\x02\x02\x16", 7},                 /* a TLS alert */
        {"\x00\x00\x00\x04\x7f\x00\x00\x01", 8},             /* a strange correlation id */
        {"\x00\x00\x00\x01\x00", 5},                         /* half of one */
        {"\x00\x00\x00\x05\x00\x00\x00\x03\xff\xff\xff", 11} /* endless tags */
    };

    (void)state;
    for (size_t i = 0; i < sizeof frames / sizeof frames[0]; i++) {
        struct misplaced m = {{0}, 0};
        buf_put(&m.frame, frames[i].bytes, frames[i].n);
        run_misplaced(&m);
    }
}

/* All is well with it, but for the number of the request. */
static void renumber(struct rig *r, struct peer_call *q, struct buf *frame)
{
    int *left = r->arg;

    if (q->key != API_PRODUCE || *left == 0)
        return;
    assert_int_equal(acknowledged, 0);
    --*left;
    frame->p[7] ^= 1;
}

static void an_answer_to_another_request(void **state)
{
    int left = 2;

    (void)state;
    begin(1);
    rig.arg = &left;
    rig.on_answer = renumber;
    put(0, 1);
    finish(1);
    assert_int_equal(left, 0);
    end();
}

/* An answer without a request: the connection is given up, what is under way is sent again. */
static bool send_twice(struct rig *r, struct peer_call *q)
{
    static const uint8_t more[] = {0, 0, 0, 5, 0, 0, 0, 99, 0};
    int *left = r->arg;

    if (q->key != API_PRODUCE || *left == 0)
        return false;
    --*left;
    buf_put(&q->conn->out, more, sizeof more);
    return false;
}

static void an_answer_too_many(void **state)
{
    int left = 1;

    (void)state;
    begin(1);
    rig.arg = &left;
    rig.on_call = send_twice;
    put(0, 1);
    put(0, 2);
    finish(2);
    assert_int_equal(left, 0);
    assert_true(rig.node[0].accepted > 1);
    end();
}

/* ---- answers that decode and lie ---- */

enum lie {
    OTHER_PARTITION,
    OTHER_TOPIC,
    NO_PARTITION,
    NO_TOPIC,
    NEGATIVE_PARTITION,
    HUGE_PARTITION,
    LIES
};

struct liar {
    enum lie lie;
    int left;
};

static bool lie_once(struct rig *r, struct peer_call *q)
{
    struct produce_response_partition_produce_response p;
    struct produce_response_topic_produce_response t;
    struct produce_response m;
    struct liar *l = r->arg;
    struct buf b = {0};

    if (q->key != API_PRODUCE || l->left == 0)
        return false;
    l->left--;
    produce_response_init(&m);
    produce_response_topic_produce_response_init(&t);
    produce_response_partition_produce_response_init(&p);
    t.name = slice_str(l->lie == OTHER_TOPIC ? "u" : "t");
    t.topic_id = stored->id;
    if (l->lie == OTHER_TOPIC)
        t.topic_id.b[3] = 1;
    p.index = l->lie == OTHER_PARTITION      ? 1
              : l->lie == NEGATIVE_PARTITION ? -1
              : l->lie == HUGE_PARTITION     ? INT32_MAX
                                             : 0;
    p.base_offset = 7;
    t.partition_responses.v = &p;
    t.partition_responses.n = l->lie == NO_PARTITION ? 0 : 1;
    m.responses.v = &t;
    m.responses.n = l->lie == NO_TOPIC ? 0 : 1;
    if (q->version >= 13)
        t.name = slice_str("");
    else
        t.topic_id = (struct uuid){{0}};
    assert_int_equal(produce_response_encode(&m, &b, q->version), 0);
    peer_answer(q, &b);
    return true;
}

static void an_answer_about_something_else_acknowledges_nothing(void **state)
{
    (void)state;
    for (int old = 0; old < 2; old++)
        for (int lie = 0; lie < LIES; lie++) {
            struct liar l = {(enum lie)lie, 1};
            begin(2);
            rig.max_version[API_PRODUCE] = old ? 12 : 13;
            rig.arg = &l;
            rig.on_call = lie_once;
            put(0, 1);
            producer_flush(producer);
            rig_settle(&rig);
            if (l.left == 0)
                assert_int_equal(acknowledged, 0);
            finish(1);
            assert_int_equal(l.left, 0);
            end();
        }
}

/* ---- what Metadata may claim ---- */

struct claims {
    int32_t index[4], leader[4]; /* of partitions */
    int32_t count;
    const char *host; /* of broker 1 */
    int32_t host_n, port, id;
    int left;
};

static bool claim(struct rig *r, struct peer_call *q)
{
    struct metadata_response_partition parts[4];
    struct metadata_response_broker brokers[2];
    struct metadata_response_topic t;
    struct metadata_response m;
    struct claims *c = r->arg;
    struct buf b = {0};
    char host[128];

    if (q->key != API_METADATA || c->left == 0)
        return false;
    c->left--;
    metadata_response_init(&m);
    metadata_response_topic_init(&t);
    snprintf(host, sizeof host, "unix:%s", r->node[0].path);
    for (int i = 0; i < 2; i++) {
        metadata_response_broker_init(&brokers[i]);
        brokers[i].node_id = i ? c->id : 0;
        brokers[i].host = i ? slice_of(c->host, (size_t)c->host_n) : slice_str(host);
        brokers[i].port = i ? c->port : 0;
    }
    for (int32_t i = 0; i < 4; i++) {
        metadata_response_partition_init(&parts[i]);
        parts[i].partition_index = c->index[i];
        parts[i].leader_id = c->leader[i];
    }
    t.name = slice_str("t");
    t.topic_id = stored->id;
    t.partitions.v = parts;
    t.partitions.n = c->count;
    m.brokers.v = brokers;
    m.brokers.n = 2;
    m.controller_id = INT32_MAX;
    m.topics.v = &t;
    m.topics.n = 1;
    assert_int_equal(metadata_response_encode(&m, &b, q->version), 0);
    peer_answer(q, &b);
    return true;
}

/* The first answer claims this; what follows is the truth, and the records arrive. */
static void run_claims(struct claims c)
{
    static const char *const settings[] = {"request.timeout.ms",
                                           "1000",
                                           "retry.backoff.ms",
                                           "10",
                                           "delivery.timeout.ms",
                                           "100000000",
                                           "metadata.max.age.ms",
                                           "2000",
                                           NULL};

    c.left = 1;
    rig_start(&rig, 2, settings);
    stored = rig_topic(&rig, "t", 2);
    rig.arg = &c;
    rig.on_call = claim;
    acknowledged = failed = 0;
    assert_int_equal(producer_new(&producer, rig.c, on_report, NULL, NULL), 0);
    topic = client_topic(rig.c, slice_str("t"));
    while (!topic->known || topic->count == 0)
        assert_true(rig_step(&rig));
    assert_int_equal(c.left, 0);
    put(0, 1);
    producer_flush(producer);
    rig_pass(&rig, 5000);
    put(1, 2);
    finish(2);
    end();
}

static void metadata_that_lies(void **state)
{
    static const char nul[] = "a\0b", *far = "unix:/nowhere/at/all";
    static char lengthy[5000];
    const int32_t none = -1, max = INT32_MAX, min = INT32_MIN;
    struct claims plain = {.index = {0, 1, 2, 3},
                           .leader = {0, 0, 0, 0},
                           .count = 2,
                           .host = far,
                           .host_n = 20,
                           .id = 1};
    struct claims c;

    (void)state;
    memset(lengthy, 'h', sizeof lengthy);
    run_claims(plain);
    for (int i = 0; i < 2; i++) { /* indexes that are not there, or twice */
        const int32_t wrong[] = {none, max, min, 2, 0};
        for (size_t k = 0; k < sizeof wrong / sizeof wrong[0]; k++) {
            c = plain;
            c.index[i] = wrong[k];
            run_claims(c);
            c = plain;
            c.leader[i] = wrong[k]; /* leaders that are not there */
            run_claims(c);
        }
    }
    for (int32_t n = 0; n <= 4; n++) { /* fewer and more partitions than there are */
        c = plain;
        c.count = n;
        run_claims(c);
    }
    c = plain;
    c.host = nul;
    c.host_n = 3;
    run_claims(c);
    c.host_n = 0;
    run_claims(c);
    c = plain;
    c.host = lengthy;
    c.host_n = (int32_t)sizeof lengthy;
    run_claims(c);
    memcpy(lengthy, "unix:", 5);
    run_claims(c);
    c = plain;
    c.host = "127.0.0.1";
    c.host_n = 9;
    c.port = 65536;
    run_claims(c);
    c.port = -1;
    run_claims(c);
    for (int i = 0; i < 3; i++) { /* strange numbers of brokers */
        c = plain;
        c.id = i == 0 ? none : i == 1 ? max : min;
        run_claims(c);
        c.id = 0; /* the one at the other address, again */
        run_claims(c);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cut_answer_is_no_answer),
        cmocka_unit_test(a_cut_answer_teaches_nothing),
        cmocka_unit_test(garbled_answers),
        cmocka_unit_test(garbled_versions),
        cmocka_unit_test(frames_that_make_no_sense),
        cmocka_unit_test(an_answer_to_another_request),
        cmocka_unit_test(an_answer_too_many),
        cmocka_unit_test(an_answer_about_something_else_acknowledges_nothing),
        cmocka_unit_test(metadata_that_lies),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests_name("client_hostile", tests, NULL, NULL);
}
