/*
 * A broker's address, the connection to it, and the requests that go over it.
 *
 * down -> connecting -> asking (for its ApiVersions) -> up. A failure at any point answers every
 * request with KE_IO; who wants to, sends again, and that waits until the back-off has passed.
 */
#include "client/client_impl.h"
#include "wire/api.h"
#include "wire/api_versions_request.h"
#include "wire/api_versions_response.h"
#include "wire/error.h"
#include "wire/header.h"

#include <stdlib.h>
#include <string.h>

/* ---- queues of requests ---- */

static void queue_init(struct call_queue *q)
{
    *q = (struct call_queue){.tail = &q->head};
}

static void queue_add(struct call_queue *q, struct call *call)
{
    call->next = NULL;
    *q->tail = call;
    q->tail = &call->next;
    q->n++;
}

static struct call *queue_take(struct call_queue *q)
{
    struct call *call = q->head;

    if (call) {
        q->head = call->next;
        if (!q->head)
            q->tail = &q->head;
        q->n--;
    }
    return call;
}

static void queue_remove(struct call_queue *q, struct call *call)
{
    struct call **at = &q->head;

    while (*at != call)
        at = &(*at)->next;
    *at = call->next;
    if (!call->next)
        q->tail = at;
    q->n--;
}

/* The last of a call: it is in no queue any more. */
static void finish(struct call *call, const struct client_reply *r)
{
    net_timer_clear(&call->timer);
    call->rq.done(call->rq.arg, r);
    buf_free(&call->body);
    free(call);
}

static void finish_failed(struct call *call, int err, bool sent, const struct kerr *why)
{
    struct client_reply r = {
        .err = err, .sent = sent, .version = call->version, .why = why, .node = call->node->id};

    finish(call, &r);
}

/* ---- failure ---- */

static void back_off(struct node *n)
{
    const struct client_conf *k = &n->c->conf;
    int64_t ms = k->reconnect_backoff_ms;

    for (int i = 1; i < n->failures && ms < k->reconnect_backoff_max_ms; i++)
        ms *= 2;
    if (ms > k->reconnect_backoff_max_ms)
        ms = k->reconnect_backoff_max_ms;
    n->backing_off = net_timer_set(&n->timer, ms) == 0;
}

static void fail_all(struct node *n, int err)
{
    /* what done() sends meanwhile is not among these */
    struct call_queue flying = n->flying, waiting = n->waiting;
    struct kerr why = n->why;
    struct call *call;

    queue_init(&n->flying);
    queue_init(&n->waiting);
    while ((call = flying.head) != NULL) {
        flying.head = call->next;
        finish_failed(call, err, true, &why);
    }
    while ((call = waiting.head) != NULL) {
        waiting.head = call->next;
        finish_failed(call, err, false, &why);
    }
}

void node_fail(struct node *n, int err, const char *why)
{
    char addr[300];
    struct net_conn *conn = n->conn;

    if (n->state == NODE_DOWN)
        return;
    kerr_set(&n->why, err, "%s: %s", net_addr_format(&n->addr, addr, sizeof addr), why);
    if (!n->c->closing)
        diag(n->c->diag, DIAG_DEBUG, "%s", n->why.msg);
    n->state = NODE_DOWN;
    n->conn = NULL;
    if (conn)
        net_conn_close(conn);
    n->failures++;
    n->losses++;
    back_off(n);
    fail_all(n, err);
}

/* ---- sending ---- */

static bool common_version(const struct node *n, const struct client_request *rq, int16_t *version)
{
    const struct wire_api *api = wire_api_find(rq->key);
    int16_t min, max;

    if (!api || rq->key >= CLIENT_MAX_KEY)
        return false;
    min = api->min > rq->min_version ? api->min : rq->min_version;
    max = rq->max_version > 0 && rq->max_version < api->max ? rq->max_version : api->max;
    if (max > n->versions[rq->key].max)
        max = n->versions[rq->key].max;
    if (min < n->versions[rq->key].min)
        min = n->versions[rq->key].min;
    *version = max;
    return max >= min;
}

/* A request without an answer is done when the kernel has it. Not from within taken(), which is
 * called too when the connection is lost: then node_fail() comes before this. */
static void sweep(struct net_timer *t)
{
    struct node *n = CLIENT_OWNER(struct node, sweep, t);
    struct call *call = n->flying.head, *next;

    for (; call; call = next) {
        struct client_reply r = {.version = call->version, .node = n->id, .sent = true};
        next = call->next;
        if (!call->rq.no_answer || call->lent)
            continue;
        queue_remove(&n->flying, call);
        finish(call, &r);
        next = n->flying.head; /* done() may have changed the queue */
    }
}

static void taken(void *arg)
{
    struct call *call = arg;

    call->lent = false;
    if (call->rq.no_answer)
        net_timer_set(&call->node->sweep, 0);
}

static int put_body(struct call *call, struct buf *head, struct slice *lent)
{
    int rc;

    if (call->rq.lend)
        return call->rq.lend(call->rq.arg, head, call->version, lent);
    if (!call->rq.no_answer)
        return call->rq.encode(call->rq.arg, head, call->version);
    rc = call->rq.encode(call->rq.arg, &call->body, call->version);
    *lent = buf_slice(&call->body);
    return call->body.failed ? KE_NOMEM : rc;
}

static int write_call(struct node *n, struct call *call)
{
    struct request_header h = {
        .request_api_key = call->rq.key,
        .request_api_version = call->version,
        .correlation_id = call->correlation = n->next_correlation++ & INT32_MAX,
        .client_id = slice_str(n->c->conf.client_id),
    };
    struct slice lent = {NULL, 0};
    struct buf head = {0};
    int rc = wire_write_request_header(&h, &head);

    if (rc == 0)
        rc = put_body(call, &head, &lent);
    if (rc == 0) {
        call->lent = lent.p != NULL;
        rc = net_conn_send(n->conn, &head, lent, taken, call);
    }
    buf_free(&head);
    return rc;
}

/* Encodes and hands to the connection; queues what will be answered. */
static void launch(struct node *n, struct call *call)
{
    struct kerr why = {0};
    int rc = 0;

    if (!common_version(n, &call->rq, &call->version))
        rc = kerr_set(&why, KE_UNSUPPORTED, "broker %s has no version of %s that we know",
                      net_conn_peer(n->conn), wire_api_name(call->rq.key));
    /* in the queue before it is sent: the loss of the connection then finds it there */
    if (rc == 0)
        queue_add(&n->flying, call);
    if (rc == 0 && (rc = write_call(n, call)) < 0) {
        kerr_set(&why, rc, "%s request: %s", wire_api_name(call->rq.key), kerr_text(rc));
        queue_remove(&n->flying, call);
    }
    if (rc < 0)
        finish_failed(call, rc, false, &why);
}

static void call_expired(struct net_timer *t)
{
    struct call *call = CLIENT_OWNER(struct call, timer, t);
    struct node *n = call->node;
    struct kerr why = {0};
    char addr[300];

    for (struct call *w = n->waiting.head; w; w = w->next)
        if (w == call) {
            queue_remove(&n->waiting, call);
            kerr_set(&why, KE_TIMEOUT, "%s: no connection in time",
                     net_addr_format(&n->addr, addr, sizeof addr));
            finish_failed(call, KE_TIMEOUT, false, &why);
            return;
        }
    for (struct call *f = n->flying.head; f; f = f->next)
        if (f == call) {
            queue_remove(&n->flying, call);
            kerr_set(&why, KE_TIMEOUT, "%s: no answer to %s in time",
                     net_addr_format(&n->addr, addr, sizeof addr), wire_api_name(call->rq.key));
            /* answers come in order: the ones behind it would not be known from it */
            node_fail(n, KE_IO, "a request was not answered in time");
            finish_failed(call, KE_TIMEOUT, true, &why);
            return;
        }
}

static void start_connecting(struct node *n);

int node_send(struct node *n, const struct client_request *r, struct kerr *e)
{
    struct call *call = calloc(1, sizeof *call);
    int64_t ms = r->timeout_ms > 0 ? r->timeout_ms : n->c->conf.request_timeout_ms;

    if (!call)
        return kerr_set(e, KE_NOMEM, "request");
    call->node = n;
    call->rq = *r;
    net_timer_init(&call->timer, n->c->loop, call_expired);
    if (net_timer_set(&call->timer, ms) < 0) {
        free(call);
        return kerr_set(e, KE_NOMEM, "request");
    }
    if (n->state == NODE_UP) {
        launch(n, call);
        return 0;
    }
    queue_add(&n->waiting, call);
    if (n->state == NODE_DOWN && !n->backing_off)
        start_connecting(n);
    return 0;
}

/* ---- answers ---- */

/* The first request that is owed an answer. */
static struct call *awaiting(const struct node *n)
{
    struct call *call = n->flying.head;

    while (call && call->rq.no_answer)
        call = call->next;
    return call;
}

static void on_frame(void *arg, struct net_conn *conn, struct net_frame *f)
{
    struct node *n = arg;
    struct call *call = awaiting(n);
    struct client_reply r = {.frame = f, .conn = conn, .node = n->id, .sent = true};
    struct wire_reader in;
    int32_t correlation;

    wire_reader_init(&in, slice_of(f->data, f->n), NULL);
    if (!call || call->lent) {
        node_fail(n, KE_CORRUPT, "an answer that no request was sent for");
        return;
    }
    if (wire_read_response_header(&in, call->rq.key, call->version, &correlation) < 0 ||
        correlation != call->correlation) {
        node_fail(n, KE_CORRUPT, "an answer that does not belong to the request");
        return;
    }
    queue_remove(&n->flying, call);
    r.version = call->version;
    r.body = slice_of(in.p, wire_left(&in));
    finish(call, &r);
}

static void on_closed(void *arg, struct net_conn *conn, enum net_close_reason why, const char *text)
{
    struct node *n = arg;

    (void)why;
    if (n->conn != conn)
        return; /* node_fail closes it */
    n->conn = NULL;
    node_fail(n, KE_IO, text);
}

/* ---- becoming up ---- */

static int put_versions_request(void *arg, struct buf *b, int16_t version)
{
    struct api_versions_request m;

    (void)arg;
    api_versions_request_init(&m);
    m.client_software_name = slice_str("kcore");
    m.client_software_version = slice_str(KCORE_VERSION);
    return api_versions_request_encode(&m, b, version);
}

static void ask_versions(struct node *n, int16_t version);

static void take_versions(struct node *n, const struct api_versions_response *m)
{
    struct call *call;

    for (int i = 0; i < CLIENT_MAX_KEY; i++)
        n->versions[i].max = -1;
    for (int32_t i = 0; i < m->api_keys.n; i++) {
        const struct api_versions_response_api_version *v = &m->api_keys.v[i];
        if (v->api_key < 0 || v->api_key >= CLIENT_MAX_KEY)
            continue;
        n->versions[v->api_key].min = v->min_version;
        n->versions[v->api_key].max = v->max_version;
    }
    n->state = NODE_UP;
    n->failures = 0;
    n->c->ever_up = true;
    net_timer_clear(&n->timer);
    while (n->state == NODE_UP && (call = queue_take(&n->waiting)) != NULL)
        launch(n, call);
}

static void versions_answered(void *arg, const struct client_reply *r)
{
    struct node *n = arg;
    struct api_versions_response m;
    struct arena arena = {0};
    struct wire_reader in;
    int16_t version = r->version;
    int rc;

    if (r->err)
        return; /* whoever closed the connection has said why */
    /* a broker that does not know the version says so in version 0 (KIP-511) */
    if (r->body.n >= 2 && r->body.p[0] == 0 && r->body.p[1] == KAFKA_UNSUPPORTED_VERSION)
        version = 0;
    wire_reader_init(&in, r->body, &arena);
    rc = api_versions_response_decode(&m, &in, version);
    if (rc < 0)
        node_fail(n, KE_CORRUPT, "malformed answer to ApiVersions");
    else if (m.error_code == KAFKA_UNSUPPORTED_VERSION && r->version > 0)
        ask_versions(n, 0);
    else if (m.error_code)
        node_fail(n, KE_REMOTE, wire_error_text(m.error_code));
    else
        take_versions(n, &m);
    arena_free(&arena);
}

static void ask_versions(struct node *n, int16_t version)
{
    struct call *call = calloc(1, sizeof *call);

    if (!call) {
        node_fail(n, KE_NOMEM, "out of memory");
        return;
    }
    call->node = n;
    call->rq = (struct client_request){
        .key = API_API_VERSIONS,
        .max_version = version,
        .encode = put_versions_request,
        .done = versions_answered,
        .arg = n,
    };
    net_timer_init(&call->timer, n->c->loop, call_expired);
    /* nothing is known of the broker yet: this one version is tried */
    n->versions[API_API_VERSIONS].min = n->versions[API_API_VERSIONS].max = version;
    n->state = NODE_ASKING;
    launch(n, call);
}

static void on_connected(void *arg, struct net_conn *conn)
{
    (void)conn;
    ask_versions(arg, 3);
}

static const struct net_conn_ops ops = {
    .on_frame = on_frame, .on_closed = on_closed, .on_connected = on_connected};

static void start_connecting(struct node *n)
{
    struct client *c = n->c;
    struct kerr e = {0};
    int rc;

    n->state = NODE_CONNECTING;
    n->numeric = n->addr;
    rc = net_addr_resolve(&n->numeric, &e);
    if (rc == 0)
        rc = net_connect(&n->conn, c->loop, &n->numeric, &c->limits, &ops, n, &e);
    if (rc == 0 && net_timer_set(&n->timer, c->conf.connect_timeout_ms) == 0)
        return;
    /* not from within node_send(): its caller has not seen it return */
    n->why = e;
    n->backing_off = false;
    net_timer_set(&n->timer, 0);
}

static void timer_rang(struct net_timer *t)
{
    struct node *n = CLIENT_OWNER(struct node, timer, t);

    if (n->state == NODE_DOWN) {
        n->backing_off = false;
        if (n->waiting.n)
            start_connecting(n);
    } else if (!n->conn) {
        struct kerr why = n->why;
        node_fail(n, KE_IO, kerr_msg(&why));
    } else if (n->state != NODE_UP) {
        node_fail(n, KE_IO,
                  n->state == NODE_CONNECTING ? "no connection in time"
                                              : "no answer to ApiVersions in time");
    }
}

/* ---- life, and choice ---- */

struct node *node_new(struct client *c, int32_t id, const struct net_addr *addr)
{
    struct node *n = calloc(1, sizeof *n), **at = &c->nodes;

    if (!n)
        return NULL;
    n->c = c;
    n->id = id;
    n->addr = *addr;
    queue_init(&n->waiting);
    queue_init(&n->flying);
    net_timer_init(&n->timer, c->loop, timer_rang);
    net_timer_init(&n->sweep, c->loop, sweep);
    while (*at)
        at = &(*at)->next;
    *at = n;
    return n;
}

void node_free(struct node *n)
{
    if (n->state == NODE_DOWN) {
        kerr_set(&n->why, KE_CLOSED, "closed");
        fail_all(n, KE_CLOSED);
    } else {
        node_fail(n, KE_CLOSED, "closed");
    }
    net_timer_clear(&n->timer);
    net_timer_clear(&n->sweep);
    free(n);
}

struct node *node_find(const struct client *c, int32_t id)
{
    struct node *n = c->nodes;

    while (n && n->id != id)
        n = n->next;
    return n;
}

struct node *node_any(const struct client *c)
{
    struct node *best = NULL;

    for (struct node *n = c->nodes; n; n = n->next) {
        if (!best || n->state > best->state ||
            (n->state == best->state &&
             (n->failures < best->failures ||
              (n->failures == best->failures && n->flying.n < best->flying.n))))
            best = n;
    }
    return best;
}
