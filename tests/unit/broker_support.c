#include "broker_support.h"

#include "base/bytes.h"
#include "os/file.h"
#include "wire/create_topics_request.h"
#include "wire/create_topics_response.h"
#include "wire/delete_topics_request.h"
#include "wire/delete_topics_response.h"
#include "wire/error.h"
#include "wire/fetch_request.h"
#include "wire/fetch_response.h"
#include "wire/produce_request.h"
#include "wire/produce_response.h"

#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static void on_stderr(void *arg, enum diag_level level, const char *msg)
{
    (void)arg;
    (void)level;
    fprintf(stderr, "# %s\n", msg);
}

void rig_restart(struct rig *r, const char *const *settings)
{
    static const struct diag d = {DIAG_WARN, on_stderr, NULL};
    struct broker_env env = {NULL, &d};
    struct broker_conf conf;
    struct kerr e = {0};

    broker_conf_init(&conf);
    assert_int_equal(broker_conf_set(&conf, "log.dirs", r->dir, &e), 0);
    assert_int_equal(broker_conf_set(&conf, "listeners", "127.0.0.1:0", &e), 0);
    assert_int_equal(broker_conf_set(&conf, "num.network.threads", "2", &e), 0);
    for (; settings && *settings; settings += 2)
        assert_int_equal(broker_conf_set(&conf, settings[0], settings[1], &e), 0);
    assert_int_equal(broker_conf_check(&conf, &e), 0);
    if (broker_new(&r->broker, &conf, &env, &e) < 0)
        fail_msg("broker: %s", kerr_msg(&e));
    broker_conf_free(&conf);
}

void rig_start(struct rig *r, const char *const *settings)
{
    const char *tmp = getenv("TMPDIR");

    signal(SIGPIPE, SIG_IGN);
    snprintf(r->dir, sizeof r->dir, "%s/kbXXXXXX", tmp ? tmp : "/tmp");
    assert_non_null(mkdtemp(r->dir));
    rig_restart(r, settings);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *f)
{
    (void)st;
    (void)type;
    (void)f;
    return remove(path);
}

void rig_stop(struct rig *r)
{
    struct kerr e = {0};

    if (broker_free(r->broker, 2000, &e) < 0)
        fail_msg("stop: %s", kerr_msg(&e));
    nftw(r->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* ---- the raw client ---- */

void raw_open(struct raw *c, const struct rig *r)
{
    struct timeval limit = {30, 0};

    *c = (struct raw){0};
    assert_int_equal(net_addr_connect(broker_listener(r->broker, 0), &c->fd, NULL), 0);
    assert_int_equal(fcntl(c->fd, F_SETFL, 0), 0);
    setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
}

void raw_close(struct raw *c)
{
    close(c->fd);
    free(c->answer);
    arena_free(&c->arena);
}

static void send_all(int fd, const uint8_t *p, size_t n)
{
    while (n > 0) {
        ssize_t k = send(fd, p, n, MSG_NOSIGNAL);
        assert_true(k > 0);
        p += k;
        n -= (size_t)k;
    }
}

static bool receive_all(int fd, void *p, size_t n)
{
    for (size_t done = 0; done < n;) {
        ssize_t k = recv(fd, (char *)p + done, n - done, 0);
        if (k <= 0)
            return false;
        done += (size_t)k;
    }
    return true;
}

void raw_send(struct raw *c, int16_t key, int16_t version, int32_t correlation, struct buf *body)
{
    struct request_header h;
    struct buf b = {0};
    uint8_t length[4];

    request_header_init(&h);
    h.request_api_key = key;
    h.request_api_version = version;
    h.correlation_id = correlation;
    h.client_id = slice_str("test");
    assert_int_equal(wire_write_request_header(&h, &b), 0);
    buf_put_slice(&b, buf_slice(body));
    put_be32(length, (uint32_t)b.n);
    send_all(c->fd, length, 4);
    send_all(c->fd, b.p, b.n);
    buf_free(&b);
    buf_free(body);
}

void raw_receive(struct raw *c, int16_t key, int16_t version, int32_t correlation,
                 struct wire_reader *r)
{
    uint8_t length[4];
    int32_t got;

    if (!receive_all(c->fd, length, 4))
        fail_msg("%s version %d: no answer", wire_api_name(key), version);
    c->size = get_be32(length);
    free(c->answer);
    c->answer = malloc(c->size);
    arena_free(&c->arena);
    assert_true(receive_all(c->fd, c->answer, c->size));
    wire_reader_init(r, slice_of(c->answer, c->size), &c->arena);
    assert_int_equal(wire_read_response_header(r, key, version, &got), 0);
    assert_int_equal(got, correlation);
}

bool raw_closed(struct raw *c)
{
    uint8_t b;

    return recv(c->fd, &b, 1, 0) == 0;
}

/* ---- requests ---- */

struct uuid raw_create(struct raw *c, const char *topic, int32_t partitions,
                       const char *const *settings)
{
    struct create_topics_request_creatable_topic_config configs[8];
    struct create_topics_request_creatable_topic t;
    struct create_topics_request q;
    struct create_topics_response m;
    struct wire_reader r;
    struct buf b = {0};
    int n = 0;

    for (; settings && settings[0]; settings += 2, n++) {
        create_topics_request_creatable_topic_config_init(&configs[n]);
        configs[n].name = slice_str(settings[0]);
        configs[n].value = slice_str(settings[1]);
    }
    create_topics_request_init(&q);
    create_topics_request_creatable_topic_init(&t);
    t.name = slice_str(topic);
    t.num_partitions = partitions;
    t.replication_factor = 1;
    t.configs.v = configs;
    t.configs.n = n;
    q.topics.v = &t;
    q.topics.n = 1;
    assert_int_equal(create_topics_request_encode(&q, &b, 7), 0);
    raw_send(c, API_CREATE_TOPICS, 7, 1, &b);
    raw_receive(c, API_CREATE_TOPICS, 7, 1, &r);
    assert_int_equal(create_topics_response_decode(&m, &r, 7), 0);
    assert_int_equal(m.topics.v[0].error_code, 0);
    return m.topics.v[0].topic_id;
}

int16_t raw_delete(struct raw *c, const char *topic)
{
    struct slice name = slice_str(topic);
    struct delete_topics_request q;
    struct delete_topics_response m;
    struct wire_reader r;
    struct buf b = {0};

    delete_topics_request_init(&q);
    q.topic_names.v = &name;
    q.topic_names.n = 1;
    assert_int_equal(delete_topics_request_encode(&q, &b, 5), 0);
    raw_send(c, API_DELETE_TOPICS, 5, 2, &b);
    raw_receive(c, API_DELETE_TOPICS, 5, 2, &r);
    assert_int_equal(delete_topics_response_decode(&m, &r, 5), 0);
    return m.responses.v[0].error_code;
}

struct slice make_batch(struct batch_builder *w, int from, int count, size_t size,
                        int64_t producer_id, int32_t sequence)
{
    struct batch_fields f = {.level = CODEC_LEVEL_DEFAULT,
                             .leader_epoch = 17, /* librdkafka sends anything */
                             .producer_id = producer_id,
                             .producer_epoch = (int16_t)(producer_id < 0 ? -1 : 0),
                             .base_sequence = sequence};
    char *value = calloc(1, size + 16);
    struct slice out;

    batch_start(w);
    for (int i = 0; i < count; i++) {
        int n = snprintf(value, size + 16, "v%d", from + i);
        assert_true(batch_add(w, 1700000000000 + i, (struct slice){NULL, 0},
                              slice_of(value, (size_t)n > size ? (size_t)n : size), NULL, 0));
    }
    assert_int_equal(batch_finish(w, &f, &out, NULL), 0);
    free(value);
    return out;
}

void raw_send_produce(struct raw *c, int16_t version, const char *topic, struct uuid id,
                      int16_t acks, struct slice batch, int32_t correlation)
{
    struct produce_request_topic_produce_data t;
    struct produce_request_partition_produce_data p;
    struct produce_request q;
    struct buf b = {0};

    produce_request_init(&q);
    produce_request_topic_produce_data_init(&t);
    produce_request_partition_produce_data_init(&p);
    p.records = batch;
    t.name = slice_str(topic);
    t.topic_id = id;
    t.partition_data.v = &p;
    t.partition_data.n = 1;
    q.acks = acks;
    q.timeout_ms = 30000;
    q.topic_data.v = &t;
    q.topic_data.n = 1;
    if (version < 13)
        t.topic_id = (struct uuid){{0}};
    else
        t.name = slice_str("");
    assert_int_equal(produce_request_encode(&q, &b, version), 0);
    raw_send(c, API_PRODUCE, version, correlation, &b);
}

void raw_receive_produce(struct raw *c, int16_t version, int32_t correlation, struct produced *out)
{
    struct produce_response m;
    struct wire_reader r;

    raw_receive(c, API_PRODUCE, version, correlation, &r);
    assert_int_equal(produce_response_decode(&m, &r, version), 0);
    assert_int_equal(wire_left(&r), 0);
    assert_int_equal(m.responses.n, 1);
    out->error = m.responses.v[0].partition_responses.v[0].error_code;
    out->base_offset = m.responses.v[0].partition_responses.v[0].base_offset;
}

struct produced raw_produce(struct raw *c, int16_t version, const char *topic, struct uuid id,
                            int16_t acks, struct slice batch)
{
    struct produced out;

    raw_send_produce(c, version, topic, id, acks, batch, 77);
    raw_receive_produce(c, version, 77, &out);
    return out;
}

void raw_send_fetch(struct raw *c, int16_t version, const struct fetch_ask *a, int32_t correlation)
{
    struct fetch_request_fetch_topic t;
    struct fetch_request_fetch_partition p;
    struct fetch_request q;
    struct buf b = {0};

    fetch_request_init(&q);
    fetch_request_fetch_topic_init(&t);
    fetch_request_fetch_partition_init(&p);
    p.fetch_offset = a->offset;
    p.partition_max_bytes = a->partition_max ? a->partition_max : 1 << 20;
    t.topic = slice_str(version < 13 ? a->topic : "");
    if (version >= 13)
        t.topic_id = a->id;
    t.partitions.v = &p;
    t.partitions.n = 1;
    q.max_wait_ms = a->max_wait;
    q.min_bytes = a->min_bytes;
    q.max_bytes = a->max_bytes ? a->max_bytes : 1 << 20;
    q.isolation_level = a->isolation;
    q.topics.v = &t;
    q.topics.n = 1;
    if (version >= 7)
        q.session_epoch = -1;
    assert_int_equal(fetch_request_encode(&q, &b, version), 0);
    raw_send(c, API_FETCH, version, correlation, &b);
}

void raw_receive_fetch(struct raw *c, int16_t version, int32_t correlation, struct fetched *out)
{
    struct fetch_response_partition_data *p;
    struct fetch_response m;
    struct wire_reader r;

    raw_receive(c, API_FETCH, version, correlation, &r);
    assert_int_equal(fetch_response_decode(&m, &r, version), 0);
    assert_int_equal(wire_left(&r), 0);
    assert_int_equal(m.error_code, 0);
    assert_int_equal(m.session_id, 0);
    assert_int_equal(m.responses.n, 1);
    p = &m.responses.v[0].partitions.v[0];
    *out = (struct fetched){p->error_code,       p->high_watermark, p->last_stable_offset,
                            p->log_start_offset, p->records,        slice_is_null(p->records)};
}

struct fetched raw_fetch(struct raw *c, int16_t version, const struct fetch_ask *a)
{
    struct fetched out;

    raw_send_fetch(c, version, a, 88);
    raw_receive_fetch(c, version, 88, &out);
    return out;
}
