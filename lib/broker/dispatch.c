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

static void count(struct request *r, bool error)
{
    struct api_stats *s = &r->reactor->stats[r->api->key];

    atomic_fetch_add_explicit(&s->requests, 1, memory_order_relaxed);
    if (error)
        atomic_fetch_add_explicit(&s->errors, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&s->ns, net_loop_now(r->reactor->loop).ns - r->started.ns,
                              memory_order_relaxed);
}

void request_end(struct request *r)
{
    count(r, false);
    net_frame_free(&r->frame);
    reactor_recycle(r->reactor, r);
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
    net_answer_send(r->answer);
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
    net_answer_drop(r->answer);
    count(r, true);
    net_frame_free(&r->frame);
    reactor_recycle(r->reactor, r);
    if (alive)
        net_conn_close(c->conn);
}

static void refuse(struct connection *c, const char *what, int key, int version)
{
    reactor_complain(c->reactor, "%s: %s (API %d, version %d), connection closed",
                     net_conn_peer(c->conn), what, key, version);
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
        refuse(c, "out of memory", 0, 0);
        return;
    }
    wire_reader_init(&body, slice_of(f->data, f->n), &r->arena);
    request_header_init(&h);
    rc = wire_read_request_header(&h, &body);
    r->api = rc < 0 ? NULL : api_find(h.request_api_key);
    if (rc < 0 || !servable(r->api, h.request_api_version)) {
        reactor_recycle(c->reactor, r);
        refuse(c, rc == KE_CORRUPT ? "malformed request header" : "unsupported request",
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
    r->started = net_loop_now(c->reactor->loop);
    atomic_fetch_add_explicit(&c->reactor->stats[r->api->key].bytes_in, (int64_t)f->n,
                              memory_order_relaxed);
    r->answer = net_answer_new(c->conn);
    if (!r->answer) {
        reactor_recycle(c->reactor, r);
        refuse(c, "out of memory", h.request_api_key, h.request_api_version);
        return;
    }
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
