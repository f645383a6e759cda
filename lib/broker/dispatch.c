#include "broker/dispatch.h"

#include "broker/reactor.h"
#include "wire/header.h"

/* Produce is listed from 0 for old librdkafka's feature test (KAFKA-18659); 0 to 2 end the
 * connection. */
const struct api_entry api_table[] = {
    {API_PRODUCE, 0, false, QUOTA_PRODUCE, handle_produce},
    {API_FETCH, 4, false, QUOTA_FETCH, handle_fetch},
    {API_LIST_OFFSETS, 1, false, QUOTA_REQUEST, handle_list_offsets},
    {API_METADATA, 0, false, QUOTA_REQUEST, handle_metadata},
    {API_FIND_COORDINATOR, 0, false, QUOTA_REQUEST, handle_find_coordinator},
    {API_API_VERSIONS, 0, true, QUOTA_NONE, handle_api_versions},
    {API_CREATE_TOPICS, 2, false, QUOTA_REQUEST, handle_create_topics},
    {API_DELETE_TOPICS, 1, false, QUOTA_REQUEST, handle_delete_topics},
    {API_DELETE_RECORDS, 0, false, QUOTA_REQUEST, handle_delete_records},
    {API_INIT_PRODUCER_ID, 0, false, QUOTA_REQUEST, handle_init_producer_id},
    {API_OFFSET_FOR_LEADER_EPOCH, 2, false, QUOTA_REQUEST, handle_offset_for_leader_epoch},
    {API_DESCRIBE_CONFIGS, 1, false, QUOTA_REQUEST, handle_describe_configs},
    {API_ALTER_CONFIGS, 0, false, QUOTA_REQUEST, handle_alter_configs},
    {API_DESCRIBE_LOG_DIRS, 1, false, QUOTA_REQUEST, handle_describe_log_dirs},
    {API_CREATE_PARTITIONS, 0, false, QUOTA_REQUEST, handle_create_partitions},
    {API_INCREMENTAL_ALTER_CONFIGS, 0, false, QUOTA_REQUEST, handle_incremental_alter_configs},
    {API_DESCRIBE_CLUSTER, 0, false, QUOTA_REQUEST, handle_describe_cluster},
    {API_DESCRIBE_TOPIC_PARTITIONS, 0, false, QUOTA_REQUEST, handle_describe_topic_partitions},
    {API_LIST_CONFIG_RESOURCES, 0, false, QUOTA_REQUEST, handle_list_config_resources},
    {0, 0, false, QUOTA_NONE, NULL},
};

size_t api_count(void)
{
    return sizeof api_table / sizeof api_table[0] - 1;
}

const struct api_entry *api_find(int16_t key)
{
    for (const struct api_entry *a = api_table; a->handle; a++)
        if (a->key == key)
            return a;
    return NULL;
}

bool request_keep(struct request *r, ptrdiff_t *moved)
{
    const uint8_t *old = r->frame.data;

    if (!net_frame_keep(r->connection->conn, &r->frame))
        return false;
    *moved = r->frame.data - old;
    return true;
}

bool request_alive(const struct request *r)
{
    return net_answer_wanted(r->answer);
}

void request_watch(struct request *r, void (*gone)(struct request *r))
{
    struct connection *c = r->connection;

    r->gone = gone;
    r->next_watch = c->watching;
    r->watch_at = &c->watching;
    if (r->next_watch)
        r->next_watch->watch_at = &r->next_watch;
    c->watching = r;
}

/* ---- what is counted ---- */

static struct api_stats *stats_of(const struct request *r)
{
    return &r->reactor->stats[r->api - api_table];
}

static int bucket_of(int64_t ns)
{
    int i = 0;

    while (i < STAT_BOUNDS && ns > stat_bounds_us[i] * INT64_C(1000))
        i++;
    return i;
}

/* The clock itself is asked: a loop's time stands still while a handler runs. */
static mono_ns now(const struct request *r)
{
    return os_mono(r->broker->clock);
}

static void count_begun(struct request *r)
{
    struct api_stats *s = stats_of(r);

    r->started = now(r);
    counter_add(&s->begun, 1);
    counter_add(&s->bytes_in, (int64_t)r->frame.n + 4);
}

static void count_done(struct request *r)
{
    struct api_stats *s = stats_of(r);
    int64_t ns = (r->answered.ns ? r->answered : now(r)).ns - r->started.ns;

    counter_add(&s->done, 1);
    counter_add(&s->errors, r->failed);
    counter_add(&s->ns, ns);
    counter_add(&s->bucket[bucket_of(ns)], 1);
}

/* ---- the end of a request ---- */

void request_end(struct request *r)
{
    count_done(r);
    net_frame_free(&r->frame);
    reactor_recycle(r->reactor, r);
}

void request_send(struct request *r)
{
    if (request_alive(r))
        counter_add(&stats_of(r)->bytes_out, (int64_t)net_answer_size(r->answer));
    r->answered = now(r);
    net_answer_send(r->answer);
}

void request_reply_begin(struct request *r, struct buf *b)
{
    if (wire_write_response_header(b, r->api->key, r->version, r->correlation_id) < 0)
        b->failed = true;
}

/* False: the answer cannot be made; b is given back. */
static bool send(struct request *r, struct buf *b, int rc)
{
    if (rc < 0 || b->failed || !net_answer_bytes(r->answer, b)) {
        buf_free(b);
        return false;
    }
    request_send(r);
    return true;
}

void request_reply(struct request *r, struct buf *b, int rc)
{
    if (send(r, b, rc))
        request_end(r);
    else
        request_kill(r, "no memory for the answer");
}

void request_answer(struct request *r, struct buf *b, int rc)
{
    bool alive = request_alive(r);

    if (send(r, b, rc))
        return;
    r->failed = true;
    net_answer_drop(r->answer);
    if (alive)
        net_conn_close(r->connection->conn);
}

void request_drop(struct request *r)
{
    net_answer_drop(r->answer);
    request_end(r);
}

void request_kill(struct request *r, const char *why)
{
    bool alive = request_alive(r);
    struct connection *c = r->connection;

    diag(r->broker->diag, DIAG_DEBUG, "%s: %s", wire_api_name(r->api->key), why);
    r->failed = true;
    request_drop(r);
    if (alive)
        net_conn_close(c->conn);
}

/* ---- the beginning ---- */

static void refuse(struct connection *c, enum refused_request why, int key, int version)
{
    static const char *const what[] = {"malformed request header", "unsupported request",
                                       "out of memory"};

    counter_add(&c->reactor->conns.refused_requests[why], 1);
    reactor_complain(c->reactor, "%s: %s (API %d, version %d), connection closed",
                     net_conn_peer(c->conn), what[why], key, version);
    net_conn_close(c->conn);
}

/* What may be served: a version of the protocol's that is listed, or ApiVersions in any. */
static bool servable(const struct api_entry *a, int16_t version)
{
    const struct wire_api *w;

    if (!a)
        return false;
    if (a->key == API_API_VERSIONS)
        return version >= 0;
    w = wire_api_find(a->key);
    return version >= w->min && version <= w->max;
}

void dispatch(struct connection *c, struct net_frame *f)
{
    struct request_header h;
    struct wire_reader body;
    struct reactor *reactor = c->reactor; /* c may go within the handler */
    struct request *r = reactor_request(reactor);
    int rc;

    if (!r) {
        refuse(c, REQUEST_NO_MEMORY, 0, 0);
        return;
    }
    wire_reader_init(&body, slice_of(f->data, f->n), &r->arena);
    request_header_init(&h);
    rc = wire_read_request_header(&h, &body);
    r->api = rc < 0 ? NULL : api_find(h.request_api_key);
    if (rc < 0 || !servable(r->api, h.request_api_version)) {
        reactor_recycle(c->reactor, r);
        refuse(c, rc == KE_CORRUPT ? REQUEST_MALFORMED : REQUEST_UNSUPPORTED,
               rc == KE_CORRUPT ? -1 : h.request_api_key,
               rc == KE_CORRUPT ? -1 : h.request_api_version);
        return;
    }
    r->connection = c;
    r->listener = c->listener;
    r->version = h.request_api_version;
    r->correlation_id = h.correlation_id;
    r->client_id = h.client_id;
    r->body = body;
    r->frame = *f;
    r->answer = net_answer_new(c->conn);
    if (!r->answer) {
        reactor_recycle(c->reactor, r);
        refuse(c, REQUEST_NO_MEMORY, h.request_api_key, h.request_api_version);
        return;
    }
    count_begun(r);
    reactor->handled = r;
    rc = r->api->handle(r);
    if (rc < 0) {
        reactor_complain(reactor, "%s: %s %s request, connection closed", net_conn_peer(c->conn),
                         rc == KE_NOMEM ? "too large a" : "malformed",
                         wire_api_name(h.request_api_key));
        request_kill(r, "malformed");
    } else if (reactor->handled == r && r->arena.total > SPARE_ARENA) {
        /* it waits, and all that memory with it */
        r->charged = r->arena.total;
        net_budget_charge(&r->broker->budget, r->charged);
    }
    reactor->handled = NULL;
}
