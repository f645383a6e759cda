/*
 * What is known of the cluster: brokers and topics, asked for when needed, when something said that
 * it is out of date, and when it is old.
 */
#include "client/client_impl.h"
#include "wire/api.h"
#include "wire/error.h"
#include "wire/metadata_request.h"
#include "wire/metadata_response.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MIN_VERSION 4 /* below, asking for a topic makes it */

/* ---- asking ---- */

static bool to_be_made(const struct client_topic *t)
{
    return t->create && t->known && t->error == KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
}

static bool any_to_be_made(const struct client *c)
{
    for (int32_t i = 0; i < c->topic_count; i++)
        if (to_be_made(c->topic_list[i]))
            return true;
    return false;
}

/* Topics that the broker may make are asked for on their own: the permission is the request's. */
static int put_request(void *arg, struct buf *b, int16_t version)
{
    struct client *c = arg;
    bool create = any_to_be_made(c);
    struct metadata_request m;
    int rc;

    metadata_request_init(&m);
    m.allow_auto_topic_creation = create;
    m.topics.v = calloc((size_t)c->topic_count + 1, sizeof *m.topics.v);
    m.topics.n = 0;
    if (!m.topics.v)
        return KE_NOMEM;
    for (int32_t i = 0; i < c->topic_count; i++) {
        const struct client_topic *t = c->topic_list[i];
        if (create && !to_be_made(t))
            continue;
        metadata_request_topic_init(&m.topics.v[m.topics.n]);
        m.topics.v[m.topics.n++].name = slice_str(t->name);
    }
    rc = metadata_request_encode(&m, b, version);
    free(m.topics.v);
    return rc;
}

static void answered(void *arg, const struct client_reply *r);

static void ask(struct client *c)
{
    struct client_request rq = {.key = API_METADATA,
                                .min_version = MIN_VERSION,
                                .encode = put_request,
                                .done = answered,
                                .arg = c};
    struct kerr e = {0};

    c->refresh_flying = true;
    c->refresh_again = false;
    if (client_send(c, CLIENT_ANY, &rq, &e) < 0) {
        struct client_reply r = {.err = e.code, .why = &e};
        answered(c, &r);
    }
}

static void refresh_due(struct net_timer *t)
{
    struct client *c = CLIENT_OWNER(struct client, refresh_timer, t);

    if (!c->refresh_flying)
        ask(c);
}

static int64_t backoff_ms(const struct client *c)
{
    int64_t ms = c->conf.retry_backoff_ms;

    for (int i = 1; i < c->refresh_failures && ms < c->conf.retry_backoff_max_ms; i++)
        ms *= 2;
    return ms < c->conf.retry_backoff_max_ms ? ms : c->conf.retry_backoff_max_ms;
}

void client_refresh(struct client *c)
{
    int64_t since = mono_diff_ms(net_loop_now(c->loop), c->refreshed), wait = 0;

    c->refresh_again = true;
    if (c->refresh_flying || c->closing)
        return;
    if (c->refreshed.ns != 0 && since < backoff_ms(c))
        wait = backoff_ms(c) - since;
    net_timer_set(&c->refresh_timer, wait);
}

/* ---- answers ---- */

static bool same_place(const struct node *n, const struct net_addr *a)
{
    char x[300], y[300], z[300];

    net_addr_format(a, x, sizeof x);
    return strcmp(x, net_addr_format(&n->addr, y, sizeof y)) == 0 ||
           strcmp(x, net_addr_format(&n->numeric, z, sizeof z)) == 0;
}

/* A broker's address as the cluster tells it; a Unix one is ours alone. */
static bool broker_addr(const struct metadata_response_broker *b, struct net_addr *out)
{
    *out = (struct net_addr){.listener = "PLAINTEXT"};
    if (b->host.n > 5 && memcmp(b->host.p, "unix:", 5) == 0) {
        out->is_unix = true;
        return snprintf(out->host, sizeof out->host, "%.*s", (int)b->host.n - 5, b->host.p + 5) <
               (int)sizeof out->host;
    }
    if (b->port < 0 || b->port > 65535 || b->host.n == 0 || b->host.n >= sizeof out->host ||
        memchr(b->host.p, 0, b->host.n))
        return false;
    memcpy(out->host, b->host.p, b->host.n);
    out->port = (uint16_t)b->port;
    return true;
}

/* The connection to an address of bootstrap.servers becomes the one to the broker that says it is
 * there. */
static void learn_broker(struct client *c, const struct metadata_response_broker *b)
{
    struct node *n = node_find(c, b->node_id);
    struct net_addr addr;

    if (b->node_id < 0 || !broker_addr(b, &addr))
        return;
    if (n && same_place(n, &addr))
        return;
    if (n && n->bootstrap) {
        n->id = -1;
        n = NULL;
    }
    if (n) { /* it has moved */
        n->addr = addr;
        node_fail(n, KE_IO, "the broker has another address now");
        return;
    }
    for (n = c->nodes; n; n = n->next)
        if (n->bootstrap && n->id < 0 && same_place(n, &addr)) {
            n->id = b->node_id;
            return;
        }
    node_new(c, b->node_id, &addr);
}

static void learn_topic(struct client *c, const struct metadata_response_topic *m)
{
    struct client_topic *t = hash_get(&c->topics, m->name);
    struct client_partition *p = NULL;
    int32_t n = m->error_code == 0 && m->partitions.n > 0 ? m->partitions.n : 0;

    if (!t)
        return;
    t->known = true;
    t->error = m->error_code;
    t->id = m->topic_id;
    if (n == 0 && m->error_code == 0)
        t->error = KAFKA_LEADER_NOT_AVAILABLE;
    if (n > 0 && !(p = calloc((size_t)n, sizeof *p)))
        return;
    for (int32_t i = 0; i < n; i++)
        p[i] = (struct client_partition){KAFKA_LEADER_NOT_AVAILABLE, -1, -1};
    for (int32_t i = 0; i < n; i++) {
        const struct metadata_response_partition *q = &m->partitions.v[i];
        if (q->partition_index >= 0 && q->partition_index < n)
            p[q->partition_index] =
                (struct client_partition){q->error_code, q->leader_id, q->leader_epoch};
    }
    /* a topic that is gone for a moment keeps its shape: others hold on to its partitions */
    if (n == 0 && t->count > 0)
        return;
    free(t->partitions);
    t->partitions = p;
    t->count = n;
}

static void learn(struct client *c, const struct metadata_response *m)
{
    for (int32_t i = 0; i < m->brokers.n; i++)
        learn_broker(c, &m->brokers.v[i]);
    c->controller = node_find(c, m->controller_id) ? m->controller_id : -1;
    for (int32_t i = 0; i < m->topics.n; i++)
        learn_topic(c, &m->topics.v[i]);
}

/* Asked again soon while something is missing, else when it has become old. */
static bool complete(const struct client *c)
{
    for (int32_t i = 0; i < c->topic_count; i++) {
        const struct client_topic *t = c->topic_list[i];
        if (!t->known || t->error == KAFKA_LEADER_NOT_AVAILABLE || to_be_made(t))
            return false;
        for (int32_t k = 0; k < t->count; k++)
            if (t->partitions[k].leader < 0)
                return false;
    }
    return true;
}

/* A topic that is being made is there in a moment, or not at all. */
static int64_t making_ms(struct client *c)
{
    int64_t ms = INT64_C(5) << (c->making < 8 ? c->making : 8);

    c->making++;
    return ms < c->conf.retry_backoff_ms ? ms : c->conf.retry_backoff_ms;
}

static void plan_next(struct client *c)
{
    if (c->closing)
        return;
    if (any_to_be_made(c) && !c->refresh_failures)
        net_timer_set(&c->refresh_timer, making_ms(c));
    else if (c->refresh_again || c->refresh_failures || !complete(c))
        net_timer_set(&c->refresh_timer, backoff_ms(c));
    else
        net_timer_set(&c->refresh_timer, c->conf.metadata_age_ms);
}

static void answered(void *arg, const struct client_reply *r)
{
    struct client *c = arg;
    struct metadata_response m;
    struct arena arena = {0};
    struct wire_reader in;
    struct kerr why = {0};
    int rc = r->err;

    c->refresh_flying = false;
    if (rc == 0) {
        wire_reader_init(&in, r->body, &arena);
        rc = metadata_response_decode(&m, &in, r->version);
        if (rc < 0)
            kerr_set(&why, rc, "malformed answer to Metadata");
        else if (m.error_code)
            rc = client_refused(&why, m.error_code, (struct slice){NULL, 0}, "Metadata");
        else
            learn(c, &m);
    } else if (r->why) {
        why = *r->why;
    }
    c->refreshed = net_loop_now(c->loop);
    c->refresh_failures = rc < 0 ? c->refresh_failures + 1 : 0;
    c->refresh_why = why;
    if (!any_to_be_made(c))
        c->making = 0;
    arena_free(&arena);
    plan_next(c);
    for (struct client_watch *w = c->watches, *next; w; w = next) {
        next = w->next;
        w->changed(w);
    }
}

/* ---- topics ---- */

struct client_topic *client_topic(struct client *c, struct slice name)
{
    struct client_topic *t = hash_get(&c->topics, name), **list;
    char *copy;

    if (t)
        return t;
    list = realloc(c->topic_list, ((size_t)c->topic_count + 1) * sizeof(struct client_topic *));
    if (!list)
        return NULL;
    c->topic_list = list;
    t = calloc(1, sizeof *t);
    copy = malloc(name.n + 1);
    if (!t || !copy || !hash_put(&c->topics, name, t, NULL)) {
        free(t);
        free(copy);
        return NULL;
    }
    memcpy(copy, name.p, name.n);
    copy[name.n] = 0;
    t->name = copy;
    t->number = c->topic_count;
    c->topic_list[c->topic_count++] = t;
    c->refreshed = (mono_ns){0}; /* no need to wait */
    client_refresh(c);
    return t;
}

struct client_topic *client_topic_known(const struct client *c, struct slice name)
{
    return hash_get(&c->topics, name);
}

struct client_topic *client_topic_by_id(struct client *c, struct uuid id)
{
    for (int32_t i = 0; i < c->topic_count; i++)
        if (!uuid_is_zero(id) && uuid_eq(c->topic_list[i]->id, id))
            return c->topic_list[i];
    return NULL;
}

void client_watch_add(struct client *c, struct client_watch *w)
{
    w->next = c->watches;
    c->watches = w;
}

void client_watch_remove(struct client *c, struct client_watch *w)
{
    struct client_watch **at = &c->watches;

    while (*at && *at != w)
        at = &(*at)->next;
    if (*at)
        *at = w->next;
}

void metadata_init(struct client *c)
{
    net_timer_init(&c->refresh_timer, c->loop, refresh_due);
}

void metadata_free(struct client *c)
{
    net_timer_clear(&c->refresh_timer);
    for (int32_t i = 0; i < c->topic_count; i++) {
        struct client_topic *t = c->topic_list[i];
        free(t->partitions);
        free((char *)t->name);
        free(t);
    }
    free(c->topic_list);
    hash_free(&c->topics);
}
