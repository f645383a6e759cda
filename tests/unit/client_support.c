#include "client_support.h"

#include "base/bytes.h"
#include "client/client_impl.h"
#include "net/loop_impl.h"
#include "record/batch.h"
#include "wire/api_versions_response.h"
#include "wire/error.h"
#include "wire/header.h"
#include "wire/init_producer_id_response.h"
#include "wire/metadata_request.h"
#include "wire/metadata_response.h"
#include "wire/produce_request.h"
#include "wire/produce_response.h"

#include <errno.h>
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

#define DAY_MS ((int64_t)24 * 3600 * 1000)

int rig_inside;

static void *must(void *p)
{
    assert_non_null(p);
    return p;
}

void rig_tell(const struct rig *r, const char *fmt, ...)
{
    va_list ap;

    if (!getenv("CLIENT_DIAG"))
        return;
    fprintf(stderr, "# %lld ms: ", (long long)(r->ns / 1000000));
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
}

/* ---- time ---- */

static mono_ns now_mono(void *arg)
{
    const struct rig *r = arg;

    return (mono_ns){r->ns + (r->flows ? os_mono(os_clock_real()).ns : 0)};
}

static wall_ms now_wall(void *arg)
{
    return (wall_ms){1700000000000 + now_mono(arg).ns / 1000000};
}

static bool due_now(struct rig *r)
{
    const struct net_timer *t = net_timers_first(&client_loop(r->c)->timers);

    return t && t->due.ns <= now_mono(r).ns;
}

void rig_settle(struct rig *r)
{
    for (int quiet = 0; quiet < 3; quiet++) {
        uint64_t before = r->events;
        bool due = due_now(r);
        client_poll(r->c, 0);
        if (r->events != before || due)
            quiet = 0;
    }
}

bool rig_step(struct rig *r)
{
    const struct net_timer *t;

    rig_settle(r);
    t = net_timers_first(&client_loop(r->c)->timers);
    if (!t)
        return false;
    if (t->due.ns > r->ns)
        r->ns = t->due.ns;
    rig_settle(r);
    return true;
}

void rig_until(struct rig *r, bool (*holds)(void *arg), void *arg)
{
    int64_t limit = r->ns + DAY_MS * 1000000;

    rig_settle(r);
    while (!holds(arg)) {
        if (!rig_step(r))
            fail_msg("nothing is left that could happen");
        if (r->ns > limit)
            fail_msg("it does not happen in a day");
    }
}

void rig_pass(struct rig *r, int64_t ms)
{
    int64_t until = r->ns + ms * 1000000;
    const struct net_timer *t;

    for (;;) {
        rig_settle(r);
        t = net_timers_first(&client_loop(r->c)->timers);
        if (!t || t->due.ns > until)
            break;
        r->ns = t->due.ns;
    }
    r->ns = until;
    rig_settle(r);
}

uint64_t rig_random(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return *state >> 33;
}

/* ---- connections ---- */

static void unlist(struct peer_call *q)
{
    struct peer_call **at = &q->rig->calls;

    while (*at != q)
        at = &(*at)->next;
    *at = q->next;
}

static void call_free(struct peer_call *q)
{
    unlist(q);
    arena_free(&q->arena);
    buf_free(&q->answer);
    free(q->bytes);
    free(q);
}

static void conn_close(struct peer_conn *p)
{
    struct peer_conn **at = &p->rig->conns;

    while (*at != p)
        at = &(*at)->next;
    *at = p->next;
    for (struct peer_call *q = p->calls, *next; q; q = next) {
        next = q->next_in_conn;
        q->conn = NULL;
        if (q->answered)
            call_free(q);
    }
    p->rig->events++;
    net_watch_clear(&p->watch);
    net_timer_clear(&p->timer);
    close(p->fd);
    buf_free(&p->in);
    buf_free(&p->out);
    free(p);
}

static void conn_watch(struct peer_conn *p)
{
    assert_int_equal(net_watch_set(&p->watch, client_loop(p->rig->c), p->fd, true, p->out.n > 0),
                     0);
}

/* False: it has been closed. */
static bool conn_flush(struct peer_conn *p)
{
    bool watched = p->out.n > 0;
    struct peer_call *q;

    while ((q = p->calls) != NULL && q->answered) {
        if (q->due.ns > now_mono(p->rig).ns) {
            net_timer_set(&p->timer, mono_diff_ms(q->due, now_mono(p->rig)) + 1);
            break;
        }
        if (!q->dropped)
            buf_put_slice(&p->out, buf_slice(&q->answer));
        p->calls = q->next_in_conn;
        call_free(q);
    }
    while (p->out.n > 0) {
        ssize_t k = send(p->fd, p->out.p, p->out.n, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (k < 0 && errno == EAGAIN)
            break;
        if (k <= 0) {
            conn_close(p);
            return false;
        }
        p->rig->events++;
        memmove(p->out.p, p->out.p + k, p->out.n - (size_t)k);
        p->out.n -= (size_t)k;
    }
    if (watched || p->out.n > 0)
        conn_watch(p);
    return true;
}

static void conn_timer(struct net_timer *t)
{
    rig_inside++;
    conn_flush(CLIENT_OWNER(struct peer_conn, timer, t));
    rig_inside--;
}

static bool conn_is_open(const struct rig *r, const struct peer_conn *p)
{
    for (const struct peer_conn *x = r->conns; x; x = x->next)
        if (x == p)
            return true;
    return false;
}

static void take_frame(struct peer_conn *p, const uint8_t *bytes, size_t n)
{
    struct peer_call *q = must(calloc(1, sizeof *q)), **last = &p->calls;
    struct request_header h;

    q->rig = p->rig;
    q->conn = p;
    q->node = p->node;
    q->bytes = must(malloc(n + 1));
    memcpy(q->bytes, bytes, n);
    wire_reader_init(&q->body, slice_of(q->bytes, n), &q->arena);
    assert_int_equal(wire_read_request_header(&h, &q->body), 0);
    q->key = h.request_api_key;
    q->version = h.request_api_version;
    q->correlation = h.correlation_id;
    q->next = p->rig->calls;
    p->rig->calls = q;
    while (*last)
        last = &(*last)->next_in_conn;
    *last = q;
    p->rig->events++;
    p->rig->asked[q->key]++;
    if (!p->rig->on_call || !p->rig->on_call(p->rig, q))
        peer_default(q);
}

static void serve_conn(struct peer_conn *p, bool readable, bool writable)
{
    struct rig *r = p->rig;
    size_t at = 0;
    ssize_t k;

    if (writable && !conn_flush(p))
        return;
    if (!readable)
        return;
    must(buf_reserve(&p->in, 65536) ? p : NULL);
    k = recv(p->fd, p->in.p + p->in.n, 65536, MSG_DONTWAIT);
    if (k < 0 && errno == EAGAIN)
        return;
    r->events++;
    if (k <= 0) {
        conn_close(p);
        return;
    }
    p->in.n += (size_t)k;
    while (p->in.n - at >= 4 && p->in.n - at - 4 >= get_be32(p->in.p + at)) {
        size_t n = get_be32(p->in.p + at);
        take_frame(p, p->in.p + at + 4, n);
        if (!conn_is_open(r, p))
            return;
        at += 4 + n;
    }
    memmove(p->in.p, p->in.p + at, p->in.n - at);
    p->in.n -= at;
}

static void conn_ready(struct net_watch *w, bool readable, bool writable)
{
    rig_inside++;
    serve_conn(CLIENT_OWNER(struct peer_conn, watch, w), readable, writable);
    rig_inside--;
}

static void accept_one(struct net_watch *w, bool readable, bool writable)
{
    struct peer_node *n = CLIENT_OWNER(struct peer_node, watch, w);
    struct rig *r = n->rig;
    int fd = accept4(n->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    struct peer_conn *p;

    (void)readable;
    (void)writable;
    if (fd < 0)
        return;
    rig_inside++;
    p = must(calloc(1, sizeof *p));
    p->rig = r;
    p->node = (int)(n - r->node);
    p->fd = fd;
    p->watch.ready = conn_ready;
    net_timer_init(&p->timer, client_loop(r->c), conn_timer);
    p->next = r->conns;
    r->conns = p;
    r->events++;
    n->accepted++;
    conn_watch(p);
    rig_inside--;
}

/* ---- what is done with requests ---- */

static void put_frame_head(struct peer_call *q)
{
    buf_put(&q->answer, "\0\0\0\0", 4);
    assert_int_equal(wire_write_response_header(&q->answer, q->key, q->version, q->correlation), 0);
}

void peer_answer_in(struct peer_call *q, struct buf *body, int64_t ms)
{
    if (!q->conn) {
        buf_free(body);
        call_free(q);
        return;
    }
    put_frame_head(q);
    buf_put_slice(&q->answer, buf_slice(body));
    put_be32(q->answer.p, (uint32_t)(q->answer.n - 4));
    buf_free(body);
    if (q->rig->on_answer)
        q->rig->on_answer(q->rig, q, &q->answer);
    q->answered = true;
    q->due = mono_add_ms(now_mono(q->rig), ms);
    q->rig->events++;
    conn_flush(q->conn);
}

void peer_answer(struct peer_call *q, struct buf *body)
{
    peer_answer_in(q, body, 0);
}

void peer_answer_bytes(struct peer_call *q, struct slice frame)
{
    if (!q->conn) {
        call_free(q);
        return;
    }
    buf_put_slice(&q->answer, frame);
    q->answered = true;
    q->rig->events++;
    conn_flush(q->conn);
}

void peer_drop(struct peer_call *q)
{
    if (!q->conn) {
        call_free(q);
        return;
    }
    q->answered = q->dropped = true;
    q->rig->events++;
    conn_flush(q->conn);
}

void peer_cut(struct peer_call *q)
{
    struct peer_conn *p = q->conn;

    q->answered = true;
    if (p)
        conn_close(p);
    else
        call_free(q);
}

/* ---- the brokers' own answers ---- */

static void answer_versions(struct peer_call *q)
{
    struct api_versions_response m;
    int16_t version = q->version;
    struct buf b = {0};

    api_versions_response_init(&m);
    if (version > q->rig->max_version[API_API_VERSIONS]) { /* KIP-511 */
        m.error_code = KAFKA_UNSUPPORTED_VERSION;
        version = 0;
    }
    m.api_keys.v = must(calloc(128, sizeof *m.api_keys.v));
    m.api_keys.n = 0;
    for (int16_t k = 0; k < 128; k++) {
        const struct wire_api *a = wire_api_find(k);
        if (!a || q->rig->max_version[k] < a->min)
            continue;
        m.api_keys.v[m.api_keys.n++] =
            (struct api_versions_response_api_version){k, a->min, q->rig->max_version[k]};
    }
    assert_int_equal(api_versions_response_encode(&m, &b, version), 0);
    free(m.api_keys.v);
    peer_answer(q, &b);
}

static void tell_topic(struct peer_call *q, struct peer_topic *t, struct slice name,
                       struct metadata_response_topic *out)
{
    metadata_response_topic_init(out);
    out->name = name;
    out->error_code = KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
    if (!t)
        return;
    out->topic_id = t->id;
    out->error_code = t->error;
    if (t->absent > 0) {
        t->absent--;
        out->error_code = KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
    }
    if (out->error_code)
        return;
    out->partitions.v = arena_array(&q->arena, (size_t)t->count, sizeof *out->partitions.v);
    out->partitions.n = t->count;
    for (int32_t i = 0; i < t->count; i++) {
        struct metadata_response_partition *p = &out->partitions.v[i];
        metadata_response_partition_init(p);
        p->partition_index = i;
        p->leader_id = t->parts[i].leader;
        p->leader_epoch = t->parts[i].epoch;
        if (p->leader_id < 0)
            p->error_code = KAFKA_LEADER_NOT_AVAILABLE;
    }
}

static void answer_metadata(struct peer_call *q)
{
    struct rig *r = q->rig;
    struct metadata_request ask;
    struct metadata_response m;
    struct buf b = {0};
    char host[RIG_NODES][128];
    int32_t n;

    assert_int_equal(metadata_request_decode(&ask, &q->body, q->version), 0);
    metadata_response_init(&m);
    m.controller_id = 0;
    m.brokers.v = arena_array(&q->arena, RIG_NODES, sizeof *m.brokers.v);
    for (int i = 0; i < r->nodes; i++) {
        struct metadata_response_broker *k = &m.brokers.v[m.brokers.n++];
        metadata_response_broker_init(k);
        snprintf(host[i], sizeof host[i], "unix:%s", r->node[i].path);
        k->node_id = i;
        k->host = slice_str(host[i]);
    }
    n = ask.topics.n < 0 ? r->topic_count : ask.topics.n;
    m.topics.v = arena_array(&q->arena, (size_t)n + 1, sizeof *m.topics.v);
    for (int32_t i = 0; i < n; i++) {
        struct slice name = ask.topics.n < 0 ? slice_str(r->topics[i]->name) : ask.topics.v[i].name;
        struct peer_topic *t = rig_topic_find(r, name);
        if (!t && ask.allow_auto_topic_creation && r->auto_create > 0) {
            t = rig_topic(r, memcpy(must(arena_alloc(&q->arena, name.n + 1)), name.p, name.n),
                          r->auto_create);
            t->absent = 1;
        }
        tell_topic(q, t, name, &m.topics.v[m.topics.n++]);
    }
    assert_int_equal(metadata_response_encode(&m, &b, q->version), 0);
    peer_answer(q, &b);
}

static void answer_producer_id(struct peer_call *q)
{
    struct init_producer_id_response m;
    struct buf b = {0};

    init_producer_id_response_init(&m);
    m.producer_id = q->rig->next_producer_id++;
    m.producer_epoch = 0;
    assert_int_equal(init_producer_id_response_encode(&m, &b, q->version), 0);
    peer_answer(q, &b);
}

static int16_t take_batch(struct peer_call *q, struct peer_topic *t, int32_t index,
                          struct slice batch, int64_t *offset, struct peer_verdict *sum)
{
    struct rig *r = q->rig;
    struct peer_verdict v = {.store = true};
    int16_t code;

    *offset = -1;
    if (!t || index < 0 || index >= t->count)
        return KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
    if (t->parts[index].leader != q->node)
        return KAFKA_NOT_LEADER_OR_FOLLOWER;
    if (r->max_batch && batch.n > r->max_batch)
        return KAFKA_MESSAGE_TOO_LARGE;
    if (r->on_batch)
        v = r->on_batch(r, q, t, index, batch);
    if (v.delay_ms > sum->delay_ms)
        sum->delay_ms = v.delay_ms;
    sum->cut |= v.cut;
    code = v.store ? peer_append(&t->parts[index], batch, offset) : 0;
    rig_tell(
        r,
        "  broker %d, %s-%d: sequence %u epoch %u: store %d (error %d, offset %lld), say %d in "
        "%lld ms%s",
        q->node, t->name, index, get_be32(batch.p + 53), get_be16(batch.p + 51), v.store, code,
        (long long)*offset, v.error, (long long)v.delay_ms, v.cut ? ", cut" : "");
    if (v.error)
        *offset = -1;
    return v.error ? v.error : code;
}

static struct peer_topic *topic_by_id(struct rig *r, struct uuid id)
{
    for (int32_t i = 0; i < r->topic_count; i++)
        if (uuid_eq(r->topics[i]->id, id))
            return r->topics[i];
    return NULL;
}

static void answer_produce(struct peer_call *q)
{
    struct peer_verdict sum = {0};
    struct produce_request ask;
    struct produce_response m;
    struct buf b = {0};

    assert_int_equal(produce_request_decode(&ask, &q->body, q->version), 0);
    assert_int_equal(wire_left(&q->body), 0);
    produce_response_init(&m);
    m.responses.n = ask.topic_data.n;
    m.responses.v = must(arena_array(&q->arena, (size_t)m.responses.n + 1, sizeof *m.responses.v));
    for (int32_t i = 0; i < m.responses.n; i++) {
        const struct produce_request_topic_produce_data *in = &ask.topic_data.v[i];
        struct produce_response_topic_produce_response *out = &m.responses.v[i];
        struct peer_topic *t =
            q->version >= 13 ? topic_by_id(q->rig, in->topic_id) : rig_topic_find(q->rig, in->name);
        produce_response_topic_produce_response_init(out);
        out->name = in->name;
        out->topic_id = in->topic_id;
        out->partition_responses.n = in->partition_data.n;
        out->partition_responses.v = must(arena_array(&q->arena, (size_t)in->partition_data.n + 1,
                                                      sizeof *out->partition_responses.v));
        for (int32_t k = 0; k < in->partition_data.n; k++) {
            struct produce_response_partition_produce_response *p = &out->partition_responses.v[k];
            produce_response_partition_produce_response_init(p);
            p->index = in->partition_data.v[k].index;
            p->error_code =
                take_batch(q, t, p->index, in->partition_data.v[k].records, &p->base_offset, &sum);
        }
    }
    if (sum.cut) {
        peer_cut(q);
    } else if (ask.acks == 0) {
        peer_drop(q);
    } else {
        assert_int_equal(produce_response_encode(&m, &b, q->version), 0);
        peer_answer_in(q, &b, sum.delay_ms);
    }
}

void peer_default(struct peer_call *q)
{
    switch (q->key) {
    case API_API_VERSIONS:
        answer_versions(q);
        break;
    case API_METADATA:
        answer_metadata(q);
        break;
    case API_INIT_PRODUCER_ID:
        answer_producer_id(q);
        break;
    case API_PRODUCE:
        answer_produce(q);
        break;
    default:
        fail_msg("%s: nobody answers it", wire_api_name(q->key));
    }
}

/* ---- topics, and what is stored ---- */

struct peer_topic *rig_topic_find(struct rig *r, struct slice name)
{
    for (int32_t i = 0; i < r->topic_count; i++)
        if (slice_eq_str(name, r->topics[i]->name))
            return r->topics[i];
    return NULL;
}

struct peer_topic *rig_topic(struct rig *r, const char *name, int32_t partitions)
{
    struct peer_topic *t = must(calloc(1, sizeof *t));

    t->name = must(strdup(name));
    t->id.b[0] = 0x70;
    t->id.b[15] = (uint8_t)(r->topic_count + 1);
    t->count = partitions;
    t->parts = must(calloc((size_t)partitions + 1, sizeof *t->parts));
    for (int32_t i = 0; i < partitions; i++)
        t->parts[i].leader = i % r->nodes;
    r->topics = must(realloc(r->topics, ((size_t)r->topic_count + 1) * sizeof *r->topics));
    return r->topics[r->topic_count++] = t;
}

void rig_move_leader(struct peer_topic *t, int32_t partition, int32_t to)
{
    t->parts[partition].leader = to;
    t->parts[partition].epoch++;
}

struct client_topic *rig_know(struct rig *r, const char *name)
{
    struct client_topic *t = client_topic(r->c, slice_str(name));
    struct kerr e = {0};

    if (client_topic_wait(r->c, must(t), false, -1, NULL, &e) < 0)
        fail_msg("%s", kerr_msg(&e));
    return t;
}

struct slice rig_value(char *out, uint64_t id, size_t size)
{
    size_t n = (size_t)sprintf(out, "%llu:", (unsigned long long)id);

    if (n < size) {
        memset(out + n, 'x', size - n);
        n = size;
    }
    return slice_of(out, n);
}

uint64_t rig_value_id(struct slice value)
{
    uint64_t id = 0;
    size_t i = 0;

    for (; i < value.n && value.p[i] != ':'; i++)
        id = id * 10 + (uint64_t)(value.p[i] - '0');
    assert_true(i > 0 && i < value.n);
    return id;
}

int64_t rig_find(const struct peer_part *p, uint64_t id, int *times)
{
    int64_t at = -1;

    *times = 0;
    for (int64_t i = 0; i < p->end; i++)
        if (p->ids[i] == id) {
            at = i;
            ++*times;
        }
    return at;
}

static void store(struct peer_part *p, const struct batch *b)
{
    struct record_iter *it;
    struct record rec;
    int rc;

    p->batches = must(realloc(p->batches, ((size_t)p->batch_count + 1) * sizeof *p->batches));
    p->batches[p->batch_count++] = (struct peer_batch){.producer_id = b->producer_id,
                                                       .base_offset = p->end,
                                                       .epoch = b->producer_epoch,
                                                       .sequence = b->base_sequence,
                                                       .count = b->count};
    p->ids = must(realloc(p->ids, ((size_t)p->end + (size_t)b->count) * sizeof *p->ids));
    assert_int_equal(record_iter_new(&it, NULL), 0);
    assert_int_equal(record_iter_begin(it, b, 0, NULL), 0);
    while ((rc = record_next(it, &rec, NULL)) == 1)
        p->ids[p->end++] = rig_value_id(rec.value);
    assert_int_equal(rc, 0);
    record_iter_free(it);
}

int16_t peer_append(struct peer_part *p, struct slice bytes, int64_t *base_offset)
{
    const struct peer_batch *last = NULL;
    struct batch b;
    int seen = 0;

    assert_int_equal(batch_parse(bytes, &b, NULL, NULL), 0);
    assert_int_equal(b.size, bytes.n);
    assert_int_equal(batch_check_crc(&b, NULL), 0);
    assert_int_equal(b.last_offset_delta, b.count - 1);
    assert_true(b.count > 0);
    for (int32_t i = p->batch_count - 1; i >= 0 && b.producer_id >= 0; i--) {
        const struct peer_batch *x = &p->batches[i];
        if (x->producer_id != b.producer_id || x->forgotten)
            continue;
        last = last ? last : x;
        if (x->epoch != b.producer_epoch || x->epoch != last->epoch || ++seen > 5)
            break;
        if (x->sequence == b.base_sequence && x->count == b.count) {
            *base_offset = x->base_offset;
            return 0;
        }
    }
    if (last && b.producer_epoch < last->epoch)
        return KAFKA_INVALID_PRODUCER_EPOCH;
    if (last &&
        b.base_sequence !=
            (b.producer_epoch > last->epoch
                 ? 0
                 : (int32_t)(((uint32_t)last->sequence + (uint32_t)last->count) & INT32_MAX)))
        return KAFKA_OUT_OF_ORDER_SEQUENCE_NUMBER;
    *base_offset = p->end;
    store(p, &b);
    return 0;
}

/* ---- life ---- */

void rig_node_up(struct rig *r, int node)
{
    struct peer_node *n = &r->node[node];
    struct net_addr addr;
    struct sockaddr_storage sa;
    unsigned len;
    char text[128];

    snprintf(text, sizeof text, "unix:%s", n->path);
    assert_int_equal(net_addr_parse(text, &addr, NULL), 0);
    assert_int_equal(net_addr_to(&addr, &sa, &len, NULL), 0);
    n->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(n->fd, (struct sockaddr *)&sa, len), 0);
    assert_int_equal(listen(n->fd, 16), 0);
    n->watch.ready = accept_one;
    assert_int_equal(net_watch_set(&n->watch, client_loop(r->c), n->fd, true, false), 0);
}

static void close_conns(struct rig *r, int node)
{
    for (struct peer_conn *p = r->conns, *next; p; p = next) {
        next = p->next;
        if (node < 0 || p->node == node)
            conn_close(p);
    }
}

void rig_node_down(struct rig *r, int node)
{
    struct peer_node *n = &r->node[node];

    close_conns(r, node);
    net_watch_clear(&n->watch);
    if (n->fd >= 0)
        close(n->fd);
    n->fd = -1;
    unlink(n->path);
}

static void on_message(void *arg, enum diag_level level, const char *msg)
{
    struct rig *r = arg;

    (void)level;
    rig_tell(r, "%s", msg);
    if (r->keep_messages)
        buf_printf(&r->messages, "%s\n", msg);
}

void rig_start(struct rig *r, int nodes, const char *const *settings)
{
    static struct diag diag;
    const char *tmp = getenv("TMPDIR");
    struct client_conf conf;
    struct buf servers = {0};
    struct kerr e = {0};

    signal(SIGPIPE, SIG_IGN);
    *r = (struct rig){.nodes = nodes, .ns = 1000000000, .next_producer_id = 4000};
    r->clock = (struct os_clock){now_wall, now_mono, r};
    diag = (struct diag){DIAG_DEBUG, on_message, r};
    for (int16_t k = 0; k < 128; k++)
        r->max_version[k] = wire_api_find(k) ? wire_api_find(k)->max : -1;
    snprintf(r->dir, sizeof r->dir, "%s/kcXXXXXX", tmp ? tmp : "/tmp");
    assert_non_null(mkdtemp(r->dir));
    for (int i = 0; i < nodes; i++) {
        r->node[i].rig = r;
        snprintf(r->node[i].path, sizeof r->node[i].path, "%s/%d", r->dir, i);
        buf_printf(&servers, "%sunix:%s", i ? "," : "", r->node[i].path);
    }
    client_conf_init(&conf);
    assert_int_equal(client_conf_set(&conf, "bootstrap.servers", buf_cstr(&servers), &e), 0);
    for (; settings && settings[0]; settings += 2)
        if (client_conf_set(&conf, settings[0], settings[1], &e) < 0)
            fail_msg("%s: %s", settings[0], kerr_msg(&e));
    if (client_new_timed(&r->c, &conf, &diag, &r->clock, &e) < 0)
        fail_msg("client: %s", kerr_msg(&e));
    client_conf_free(&conf);
    buf_free(&servers);
    for (int i = 0; i < nodes; i++)
        rig_node_up(r, i);
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
    for (int i = 0; i < r->nodes; i++)
        rig_node_down(r, i);
    client_free(r->c);
    while (r->calls)
        call_free(r->calls);
    for (int32_t i = 0; i < r->topic_count; i++) {
        for (int32_t k = 0; k < r->topics[i]->count; k++) {
            free(r->topics[i]->parts[k].batches);
            free(r->topics[i]->parts[k].ids);
        }
        free(r->topics[i]->parts);
        free(r->topics[i]->name);
        free(r->topics[i]);
    }
    free(r->topics);
    buf_free(&r->messages);
    nftw(r->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}
