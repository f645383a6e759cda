/* Topics, partitions and the cluster under administration, over a real socket. */
#include "broker_support.h"

#include "wire/create_partitions_request.h"
#include "wire/create_partitions_response.h"
#include "wire/delete_records_request.h"
#include "wire/delete_records_response.h"
#include "wire/describe_cluster_request.h"
#include "wire/describe_cluster_response.h"
#include "wire/describe_log_dirs_request.h"
#include "wire/describe_log_dirs_response.h"
#include "wire/describe_topic_partitions_request.h"
#include "wire/describe_topic_partitions_response.h"
#include "wire/error.h"
#include "wire/offset_for_leader_epoch_request.h"
#include "wire/offset_for_leader_epoch_response.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cmocka.h>

static struct rig rig;
static struct raw c;

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

static void restart(void)
{
    raw_close(&c);
    assert_int_equal(broker_free(rig.broker, 1000, NULL), 0);
    rig_restart(&rig, NULL);
    raw_open(&c, &rig);
}

/* Asks and gives the answer's body. */
static void exchange(int16_t key, int16_t version, struct buf *body, struct wire_reader *answer)
{
    raw_send(&c, key, version, 9, body);
    raw_receive(&c, key, version, 9, answer);
}

static void produce(const char *topic, struct uuid id, int batches)
{
    struct batch_builder w = {0};

    for (int i = 0; i < batches; i++)
        assert_int_equal(
            raw_produce(&c, 9, topic, id, -1, make_batch(&w, i * 10, 10, 20, -1, -1)).error, 0);
    batch_builder_free(&w);
}

/* ---- OffsetForLeaderEpoch ---- */

struct epoch_end {
    int16_t error;
    int32_t epoch;
    int64_t offset;
};

static struct epoch_end ask_epoch(int16_t v, const char *topic, int32_t index, int32_t current,
                                  int32_t epoch)
{
    struct offset_for_leader_epoch_request_offset_for_leader_partition p;
    struct offset_for_leader_epoch_request_offset_for_leader_topic t;
    struct offset_for_leader_epoch_request q;
    struct offset_for_leader_epoch_response m;
    struct offset_for_leader_epoch_response_epoch_end_offset *o;
    struct wire_reader r;
    struct buf b = {0};

    offset_for_leader_epoch_request_init(&q);
    offset_for_leader_epoch_request_offset_for_leader_topic_init(&t);
    offset_for_leader_epoch_request_offset_for_leader_partition_init(&p);
    p.partition = index;
    p.current_leader_epoch = current;
    p.leader_epoch = epoch;
    t.topic = slice_str(topic);
    t.partitions.v = &p;
    t.partitions.n = 1;
    q.topics.v = &t;
    q.topics.n = 1;
    assert_int_equal(offset_for_leader_epoch_request_encode(&q, &b, v), 0);
    exchange(API_OFFSET_FOR_LEADER_EPOCH, v, &b, &r);
    assert_int_equal(offset_for_leader_epoch_response_decode(&m, &r, v), 0);
    assert_int_equal(wire_left(&r), 0);
    assert_true(slice_eq_str(m.topics.v[0].topic, topic));
    o = &m.topics.v[0].partitions.v[0];
    assert_int_equal(o->partition, index);
    return (struct epoch_end){o->error_code, o->leader_epoch, o->end_offset};
}

static void check_epoch(struct epoch_end got, int16_t error, int32_t epoch, int64_t offset)
{
    assert_int_equal(got.error, error);
    assert_int_equal(got.epoch, epoch);
    assert_int_equal(got.offset, offset);
}

static void where_an_epoch_ended(void **state)
{
    struct uuid id = raw_create(&c, "t", 1, NULL);

    (void)state;
    check_epoch(ask_epoch(4, "t", 0, -1, 0), 0, 0, 0); /* nothing was written in it yet */
    produce("t", id, 3);
    for (int16_t v = 2; v <= 4; v++) {
        check_epoch(ask_epoch(v, "t", 0, -1, 0), 0, 0, 30);
        check_epoch(ask_epoch(v, "t", 0, 0, 0), 0, 0, 30);
        check_epoch(ask_epoch(v, "t", 0, 0, 5), 0, -1, -1);
        check_epoch(ask_epoch(v, "t", 0, 0, -1), 0, -1, -1);
        check_epoch(ask_epoch(v, "t", 0, 3, 0), KAFKA_UNKNOWN_LEADER_EPOCH, -1, -1);
        check_epoch(ask_epoch(v, "t", 1, 0, 0), KAFKA_UNKNOWN_TOPIC_OR_PARTITION, -1, -1);
        check_epoch(ask_epoch(v, "no", 0, 0, 0), KAFKA_UNKNOWN_TOPIC_OR_PARTITION, -1, -1);
    }
}

/* ---- DeleteRecords ---- */

static int16_t trim(int16_t v, const char *topic, int32_t index, int64_t offset, int64_t *low)
{
    struct delete_records_request_delete_records_partition p;
    struct delete_records_request_delete_records_topic t;
    struct delete_records_request q;
    struct delete_records_response m;
    struct delete_records_response_delete_records_partition_result *o;
    struct wire_reader r;
    struct buf b = {0};

    delete_records_request_init(&q);
    delete_records_request_delete_records_topic_init(&t);
    delete_records_request_delete_records_partition_init(&p);
    p.partition_index = index;
    p.offset = offset;
    t.name = slice_str(topic);
    t.partitions.v = &p;
    t.partitions.n = 1;
    q.topics.v = &t;
    q.topics.n = 1;
    assert_int_equal(delete_records_request_encode(&q, &b, v), 0);
    exchange(API_DELETE_RECORDS, v, &b, &r);
    assert_int_equal(delete_records_response_decode(&m, &r, v), 0);
    assert_int_equal(wire_left(&r), 0);
    assert_true(slice_eq_str(m.topics.v[0].name, topic));
    o = &m.topics.v[0].partitions.v[0];
    assert_int_equal(o->partition_index, index);
    *low = o->low_watermark;
    return o->error_code;
}

/* What the file says that a start after a crash goes by. */
static void check_start_on_disk(const char *line)
{
    char path[128], text[512] = "";
    FILE *f;

    snprintf(path, sizeof path, "%s/log-start-offset-checkpoint", rig.dir);
    f = fopen(path, "r");
    assert_non_null(f);
    assert_true(fread(text, 1, sizeof text - 1, f) > 0);
    fclose(f);
    assert_non_null(strstr(text, line));
}

static bool segment_there(int64_t base)
{
    char path[160];

    snprintf(path, sizeof path, "%s/t-0/%020lld.log", rig.dir, (long long)base);
    return access(path, F_OK) == 0;
}

static void trimmed_records_are_gone_for_good(void **state)
{
    static const char *const rolls[] = {"segment.bytes", "500", NULL};
    struct uuid id = raw_create(&c, "t", 1, rolls);
    struct fetch_ask a = {.topic = "t", .id = id, .min_bytes = 1};
    struct fetched f;
    int64_t low;

    (void)state;
    produce("t", id, 10);
    assert_true(segment_there(0));
    for (int16_t v = 0; v <= 2; v++) {
        int64_t to = 20 + v * 2 + 1;
        assert_int_equal(trim(v, "t", 0, to, &low), 0);
        assert_int_equal(low, to);
        assert_int_equal(trim(v, "t", 0, 10, &low), 0); /* further back changes nothing */
        assert_int_equal(low, to);
        assert_int_equal(trim(v, "t", 0, 101, &low), KAFKA_OFFSET_OUT_OF_RANGE);
        assert_int_equal(low, -1);
        assert_int_equal(trim(v, "t", 0, -2, &low), KAFKA_OFFSET_OUT_OF_RANGE);
        assert_int_equal(trim(v, "t", 1, 0, &low), KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
        assert_int_equal(low, -1);
        assert_int_equal(trim(v, "none", 0, 0, &low), KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
    }
    check_start_on_disk("t 0 25\n");
    assert_false(segment_there(0));
    for (int round = 0; round < 2; round++) {
        a.offset = 24;
        assert_int_equal(raw_fetch(&c, 12, &a).error, KAFKA_OFFSET_OUT_OF_RANGE);
        a.offset = 25;
        f = raw_fetch(&c, 12, &a);
        assert_int_equal(f.error, 0);
        assert_int_equal(f.log_start, 25);
        assert_int_equal(f.high_watermark, 100);
        assert_true(f.records.n > 0);
        restart();
    }
    assert_int_equal(trim(2, "t", 0, -1, &low), 0);
    assert_int_equal(low, 100);
    check_start_on_disk("t 0 100\n");
    produce("t", id, 1);
    a.offset = 100;
    assert_int_equal(raw_fetch(&c, 12, &a).log_start, 100);
}

static void compacted_topics_are_not_trimmed(void **state)
{
    static const char *const compact[] = {"cleanup.policy", "compact", NULL};
    static const char *const both[] = {"cleanup.policy", "compact,delete", NULL};
    int64_t low;

    (void)state;
    raw_create(&c, "compacted", 1, compact);
    raw_create(&c, "both", 1, both);
    assert_int_equal(trim(2, "compacted", 0, 0, &low), KAFKA_POLICY_VIOLATION);
    assert_int_equal(trim(2, "both", 0, 0, &low), 0);
}

/* ---- CreatePartitions ---- */

struct grow {
    const char *topic;
    int32_t count;
    bool validate_only;
    int assignments; /* -1: none given; each to node */
    int32_t node;
};

static void send_grow(struct raw *conn, int16_t v, const struct grow *g)
{
    struct create_partitions_request_create_partitions_assignment assignment[8];
    struct create_partitions_request_create_partitions_topic t;
    struct create_partitions_request q;
    struct buf b = {0};
    int32_t node = g->node;

    create_partitions_request_init(&q);
    create_partitions_request_create_partitions_topic_init(&t);
    t.name = slice_str(g->topic);
    t.count = g->count;
    t.assignments.v = assignment;
    t.assignments.n = g->assignments;
    for (int i = 0; i < g->assignments; i++) {
        create_partitions_request_create_partitions_assignment_init(&assignment[i]);
        assignment[i].broker_ids.v = &node;
        assignment[i].broker_ids.n = 1;
    }
    q.topics.v = &t;
    q.topics.n = 1;
    q.timeout_ms = 30000;
    q.validate_only = g->validate_only;
    assert_int_equal(create_partitions_request_encode(&q, &b, v), 0);
    raw_send(conn, API_CREATE_PARTITIONS, v, 9, &b);
}

static int16_t receive_grow(struct raw *conn, int16_t v)
{
    struct create_partitions_response m;
    struct wire_reader r;

    raw_receive(conn, API_CREATE_PARTITIONS, v, 9, &r);
    assert_int_equal(create_partitions_response_decode(&m, &r, v), 0);
    assert_int_equal(wire_left(&r), 0);
    assert_int_equal(m.results.n, 1);
    assert_true(m.results.v[0].error_code == 0 ? !m.results.v[0].error_message.p
                                               : m.results.v[0].error_message.n > 0);
    return m.results.v[0].error_code;
}

static int16_t grow(int16_t v, const struct grow *g)
{
    send_grow(&c, v, g);
    return receive_grow(&c, v);
}

/* An error where the partition is not served. */
static int16_t probe(int32_t index)
{
    return ask_epoch(4, "t", index, 0, 0).error;
}

static void partitions_are_added(void **state)
{
    char path[128];

    (void)state;
    raw_create(&c, "t", 1, NULL);
    for (int16_t v = 0; v <= 3; v++) {
        int32_t now = v + 1;
        assert_int_equal(grow(v, &(struct grow){"t", now, false, -1, 0}), KAFKA_INVALID_PARTITIONS);
        assert_int_equal(grow(v, &(struct grow){"t", 0, false, -1, 0}), KAFKA_INVALID_PARTITIONS);
        assert_int_equal(grow(v, &(struct grow){"t", -1, false, -1, 0}), KAFKA_INVALID_PARTITIONS);
        assert_int_equal(grow(v, &(struct grow){"no", 3, false, -1, 0}),
                         KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
        assert_int_equal(grow(v, &(struct grow){"t", now + 2, false, 1, 1}),
                         KAFKA_INVALID_REPLICA_ASSIGNMENT);
        assert_int_equal(grow(v, &(struct grow){"t", now + 1, false, 1, 7}),
                         KAFKA_INVALID_REPLICA_ASSIGNMENT);
        assert_int_equal(grow(v, &(struct grow){"t", 2000000, true, -1, 1}),
                         KAFKA_POLICY_VIOLATION);
        assert_int_equal(grow(v, &(struct grow){"t", now + 1, true, -1, 1}), 0);
        assert_int_equal(probe(now), KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
        assert_int_equal(grow(v, &(struct grow){"t", now + 1, false, v % 2 ? 1 : -1, 1}), 0);
        assert_int_equal(probe(now), 0); /* at once */
    }
    snprintf(path, sizeof path, "%s/t-4/partition.metadata", rig.dir);
    assert_int_equal(access(path, F_OK), 0);
    restart();
    assert_int_equal(probe(4), 0);
}

static void of_two_who_add_at_once_one_is_too_late(void **state)
{
    struct grow g = {"t", 5, false, -1, 0};
    struct raw other;
    int16_t first, second;

    (void)state;
    raw_create(&c, "t", 1, NULL);
    raw_open(&other, &rig);
    send_grow(&c, 3, &g);
    send_grow(&other, 3, &g);
    first = receive_grow(&c, 3);
    second = receive_grow(&other, 3);
    assert_true((first == 0 && second == KAFKA_INVALID_PARTITIONS) ||
                (second == 0 && first == KAFKA_INVALID_PARTITIONS));
    raw_close(&other);
}

/* The commit was there, the directory not yet. */
static void a_crash_between_catalog_and_directory(void **state)
{
    char path[128], other[128];

    (void)state;
    raw_create(&c, "t", 1, NULL);
    assert_int_equal(grow(3, &(struct grow){"t", 3, false, -1, 0}), 0);
    raw_close(&c);
    assert_int_equal(broker_free(rig.broker, 1000, NULL), 0);
    snprintf(path, sizeof path, "%s/.kafka_cleanshutdown", rig.dir);
    assert_int_equal(unlink(path), 0);
    snprintf(path, sizeof path, "%s/t-2", rig.dir);
    snprintf(other, sizeof other, "%s/t-2.0123456789abcdef0123456789abcdef-delete", rig.dir);
    assert_int_equal(rename(path, other), 0);
    rig_restart(&rig, NULL);
    raw_open(&c, &rig);
    assert_int_equal(ask_epoch(4, "t", 2, 0, 0).error, 0);
    assert_int_equal(access(path, F_OK), 0);
}

/* ---- DescribeCluster ---- */

static struct describe_cluster_response ask_cluster(int16_t v, int8_t endpoint, bool operations)
{
    struct describe_cluster_request q;
    struct describe_cluster_response m;
    struct wire_reader r;
    struct buf b = {0};

    describe_cluster_request_init(&q);
    q.endpoint_type = endpoint;
    q.include_cluster_authorized_operations = operations;
    assert_int_equal(describe_cluster_request_encode(&q, &b, v), 0);
    exchange(API_DESCRIBE_CLUSTER, v, &b, &r);
    assert_int_equal(describe_cluster_response_decode(&m, &r, v), 0);
    assert_int_equal(wire_left(&r), 0);
    return m;
}

static void the_cluster_is_this_broker(void **state)
{
    (void)state;
    for (int16_t v = 0; v <= 2; v++) {
        struct describe_cluster_response m = ask_cluster(v, 1, v == 2);
        assert_int_equal(m.error_code, 0);
        assert_int_equal(m.endpoint_type, 1);
        assert_int_equal(m.cluster_id.n, 22);
        assert_int_equal(m.controller_id, 1);
        assert_int_equal(m.brokers.n, 1);
        assert_int_equal(m.brokers.v[0].broker_id, 1);
        assert_true(slice_eq_str(m.brokers.v[0].host, "127.0.0.1"));
        assert_int_equal(m.brokers.v[0].port, broker_listener(rig.broker, 0)->port);
        assert_int_equal(m.cluster_authorized_operations, v == 2 ? 8096 : INT32_MIN);
        if (v == 0)
            continue;
        m = ask_cluster(v, 2, false);
        assert_int_equal(m.error_code, KAFKA_MISMATCHED_ENDPOINT_TYPE);
        assert_int_equal(m.brokers.n, 0);
        assert_int_equal(ask_cluster(v, 3, false).error_code, KAFKA_UNSUPPORTED_ENDPOINT_TYPE);
    }
}

/* ---- DescribeTopicPartitions ---- */

struct cursor {
    char topic[64];
    int32_t index;
    bool there;
};

static struct describe_topic_partitions_response ask_topics(const char *const *topics,
                                                            int32_t limit, struct cursor *at)
{
    struct describe_topic_partitions_request_topic_request t[8];
    struct describe_topic_partitions_request_cursor from;
    struct describe_topic_partitions_request q;
    struct describe_topic_partitions_response m;
    struct wire_reader r;
    struct buf b = {0};

    describe_topic_partitions_request_init(&q);
    q.topics.v = t;
    for (; topics && *topics; topics++) {
        describe_topic_partitions_request_topic_request_init(&t[q.topics.n]);
        t[q.topics.n++].name = slice_str(*topics);
    }
    q.response_partition_limit = limit;
    if (at->there) {
        describe_topic_partitions_request_cursor_init(&from);
        from.topic_name = slice_str(at->topic);
        from.partition_index = at->index;
        q.cursor = &from;
    }
    assert_int_equal(describe_topic_partitions_request_encode(&q, &b, 0), 0);
    exchange(API_DESCRIBE_TOPIC_PARTITIONS, 0, &b, &r);
    assert_int_equal(describe_topic_partitions_response_decode(&m, &r, 0), 0);
    assert_int_equal(wire_left(&r), 0);
    at->there = m.next_cursor != NULL;
    if (m.next_cursor) {
        snprintf(at->topic, sizeof at->topic, "%.*s", (int)m.next_cursor->topic_name.n,
                 (const char *)m.next_cursor->topic_name.p);
        at->index = m.next_cursor->partition_index;
    }
    return m;
}

/* Whatever the limit, page after page gives every partition once, in order, and no page has more
 * than was asked for. */
static void topics_page_by_page(void **state)
{
    static const char *const name[] = {"a", "b", "c", "d"};
    static const int32_t count[] = {3, 1, 5, 2};
    struct uuid id[4];

    (void)state;
    for (int i = 0; i < 4; i++)
        id[i] = raw_create(&c, name[i], count[i], NULL);
    for (int32_t limit = -1; limit <= 12; limit++) {
        int most = limit < 1 ? 1 : limit, topic = 0, index = 0, pages = 0;
        struct cursor at = {0};
        do {
            struct describe_topic_partitions_response m = ask_topics(NULL, limit, &at);
            int here = 0;
            for (int32_t i = 0; i < m.topics.n; i++) {
                assert_int_equal(m.topics.v[i].error_code, 0);
                assert_true(slice_eq_str(m.topics.v[i].name, name[topic]));
                assert_true(uuid_eq(m.topics.v[i].topic_id, id[topic]));
                assert_int_equal(m.topics.v[i].topic_authorized_operations, 3576);
                for (int32_t k = 0; k < m.topics.v[i].partitions.n; k++, here++) {
                    assert_int_equal(m.topics.v[i].partitions.v[k].partition_index, index++);
                    assert_int_equal(m.topics.v[i].partitions.v[k].leader_id, 1);
                    assert_int_equal(m.topics.v[i].partitions.v[k].isr_nodes.n, 1);
                }
                if (index == count[topic]) {
                    topic++;
                    index = 0;
                }
            }
            assert_true(here <= most);
            assert_true(here == most || !at.there);
            assert_true(++pages < 20);
        } while (at.there);
        assert_int_equal(topic, 4);
    }
}

static void topics_by_name_and_cursors_that_do_not_fit(void **state)
{
    static const char *const some[] = {"c", "none", "a", "a", "bad name", NULL};
    struct describe_topic_partitions_response m;
    struct cursor at = {0};

    (void)state;
    raw_create(&c, "a", 1, NULL);
    raw_create(&c, "c", 2, NULL);
    m = ask_topics(some, 2000, &at);
    assert_int_equal(m.topics.n, 4);
    assert_int_equal(m.topics.v[0].error_code, 0);
    assert_int_equal(m.topics.v[1].error_code, KAFKA_INVALID_TOPIC_EXCEPTION);
    assert_int_equal(m.topics.v[2].partitions.n, 2);
    assert_int_equal(m.topics.v[3].error_code, KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
    at = (struct cursor){"b", 0, true}; /* not among the topics */
    m = ask_topics(some, 2000, &at);
    assert_int_equal(m.topics.n, 5);
    assert_int_equal(m.topics.v[0].error_code, KAFKA_INVALID_REQUEST);
    assert_false(at.there);
    at = (struct cursor){"a", -1, true};
    assert_int_equal(ask_topics(some, 2000, &at).topics.v[0].error_code, KAFKA_INVALID_REQUEST);
    at = (struct cursor){"b", 3, true}; /* gone meanwhile: on with the next */
    m = ask_topics(NULL, 2000, &at);
    assert_int_equal(m.topics.n, 1);
    assert_int_equal(m.topics.v[0].partitions.n, 2);
}

/* ---- DescribeLogDirs ---- */

static struct describe_log_dirs_response ask_dirs(int16_t v, const char *topic, int32_t index)
{
    struct describe_log_dirs_request_describable_log_dir_topic t[2];
    struct describe_log_dirs_request q;
    struct describe_log_dirs_response m;
    int32_t twice[2] = {index, index};
    struct wire_reader r;
    struct buf b = {0};

    describe_log_dirs_request_init(&q);
    for (int i = 0; i < 2; i++) {
        describe_log_dirs_request_describable_log_dir_topic_init(&t[i]);
        t[i].topic = slice_str(topic ? topic : "");
        t[i].partitions.v = twice;
        t[i].partitions.n = 2;
    }
    q.topics.v = t;
    q.topics.n = topic ? 2 : -1;
    assert_int_equal(describe_log_dirs_request_encode(&q, &b, v), 0);
    exchange(API_DESCRIBE_LOG_DIRS, v, &b, &r);
    assert_int_equal(describe_log_dirs_response_decode(&m, &r, v), 0);
    assert_int_equal(wire_left(&r), 0);
    return m;
}

static void what_lies_in_which_directory(void **state)
{
    char dirs[2][96], both[200], path[160];
    const char *settings[] = {"log.dirs", both, NULL};
    struct statvfs space;
    struct stat st;
    struct uuid id;

    (void)state;
    rig_start(&rig, NULL); /* for a place; then with two directories in it */
    assert_int_equal(broker_free(rig.broker, 1000, NULL), 0);
    for (int i = 0; i < 2; i++)
        snprintf(dirs[i], sizeof dirs[i], "%s/d%d", rig.dir, i);
    snprintf(both, sizeof both, "%s,%s", dirs[0], dirs[1]);
    rig_restart(&rig, settings);
    raw_open(&c, &rig);
    id = raw_create(&c, "t", 4, NULL);
    produce("t", id, 5);
    assert_int_equal(statvfs(rig.dir, &space), 0);
    for (int16_t v = 1; v <= 5; v++) {
        struct describe_log_dirs_response m = ask_dirs(v, NULL, 0);
        int seen = 0;
        assert_int_equal(m.error_code, 0);
        assert_int_equal(m.results.n, 2);
        for (int32_t d = 0; d < 2; d++) {
            assert_int_equal(m.results.v[d].error_code, 0);
            assert_true(slice_eq_str(m.results.v[d].log_dir, dirs[d]));
            assert_int_equal(m.results.v[d].total_bytes,
                             v >= 4 ? (int64_t)(space.f_blocks * space.f_frsize) : -1);
            assert_int_equal(m.results.v[d].usable_bytes > 0, v >= 4);
            assert_int_equal(m.results.v[d].topics.n, 1);
            for (int32_t i = 0; i < m.results.v[d].topics.v[0].partitions.n; i++, seen++) {
                struct describe_log_dirs_response_describe_log_dirs_partition *p =
                    &m.results.v[d].topics.v[0].partitions.v[i];
                snprintf(path, sizeof path, "%s/t-%d/00000000000000000000.log", dirs[d],
                         p->partition_index);
                assert_int_equal(stat(path, &st), 0); /* there and not in the other */
                assert_int_equal(p->partition_size, st.st_size);
                assert_int_equal(st.st_size > 0, p->partition_index == 0);
                assert_int_equal(p->offset_lag, 0);
            }
        }
        assert_int_equal(seen, 4);
        m = ask_dirs(v, "t", 3); /* named four times, told once */
        assert_int_equal(m.results.v[0].topics.n + m.results.v[1].topics.n, 1);
        assert_int_equal(ask_dirs(v, "t", 9).results.v[0].topics.n, 0);
        assert_int_equal(ask_dirs(v, "none", 0).results.v[1].topics.n, 0);
    }
}

#define WITH_BROKER(f) cmocka_unit_test_setup_teardown(f, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_BROKER(where_an_epoch_ended),
        WITH_BROKER(trimmed_records_are_gone_for_good),
        WITH_BROKER(compacted_topics_are_not_trimmed),
        WITH_BROKER(partitions_are_added),
        WITH_BROKER(of_two_who_add_at_once_one_is_too_late),
        WITH_BROKER(a_crash_between_catalog_and_directory),
        WITH_BROKER(the_cluster_is_this_broker),
        WITH_BROKER(topics_page_by_page),
        WITH_BROKER(topics_by_name_and_cursors_that_do_not_fit),
        cmocka_unit_test_teardown(what_lies_in_which_directory, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
