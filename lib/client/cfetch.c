/*
 * Which partitions are asked for, where and when.
 */
#include "client/consumer_impl.h"
#include "wire/api.h"
#include "wire/fetch_request.h"

#include <stdlib.h>

#define WARN_AT      3 /* failed attempts in a row before people are told */
#define NONSENSE_MAX 5

/* ---- trouble ---- */

static int64_t backoff_ms(const struct client_conf *k, int attempts)
{
    int64_t ms = k->retry_backoff_ms;

    for (int i = 1; i < attempts && ms < k->retry_backoff_max_ms; i++)
        ms *= 2;
    return ms < k->retry_backoff_max_ms ? ms : k->retry_backoff_max_ms;
}

void cpart_retry(struct cpart *p, const struct kerr *why)
{
    struct consumer *k = p->k;
    bool tell = ++p->attempts == WARN_AT && !k->warned;

    k->warned |= tell;
    diag(client_diag(k->c), tell ? DIAG_WARN : DIAG_INFO, "%s-%d: %s; trying again", p->topic->name,
         p->index, kerr_msg(why));
    p->not_before = mono_add_ms(net_loop_now(client_loop(k->c)), backoff_ms(k->conf, p->attempts));
    client_refresh(k->c);
}

void cpart_doubt(struct cpart *p, const struct kerr *why)
{
    if (++p->nonsense >= NONSENSE_MAX)
        cpart_fail(p, why);
    else
        cpart_retry(p, why);
}

/* ---- what may be asked for ---- */

static int32_t leader_of(const struct cpart *p)
{
    const struct client_topic *t = p->topic;

    return p->index < t->count ? t->partitions[p->index].leader : -1;
}

/* It needs more, and nothing but its leader may stand in the way. */
static bool hungry(const struct cpart *p)
{
    return !p->ended && !p->why.code && !p->damaged && !p->flying && p->ahead < p->to;
}

static bool ready(const struct cpart *p, mono_ns now)
{
    return hungry(p) && p->not_before.ns <= now.ns;
}

/* NULL without memory. */
static struct cleader *leader_at(struct consumer *k, int32_t node)
{
    struct cleader *l = k->leaders;

    while (l && l->node != node)
        l = l->next;
    if (l || !(l = calloc(1, sizeof *l)))
        return l;
    l->node = node;
    l->next = k->leaders;
    k->leaders = l;
    return l;
}

/* ---- the request ---- */

/* Version 13 tells topics by id, which older brokers have not. */
static int16_t newest_version(const struct crequest *q)
{
    for (int32_t i = 0; i < q->n; i++)
        if (uuid_is_zero(q->v[i]->id))
            return 12;
    return 0;
}

static void fill_part(const struct cpart *p, struct fetch_request_fetch_partition *m)
{
    fetch_request_fetch_partition_init(m);
    m->partition = p->index;
    m->fetch_offset = p->ahead;
    m->partition_max_bytes = p->k->conf->partition_max_bytes;
    if (p->index < p->topic->count)
        m->current_leader_epoch = p->topic->partitions[p->index].leader_epoch;
}

/* The order of the partitions is meant: the first that has anything gives a whole batch (KIP-74),
 * so a topic may be there more than once. */
static void fill_topics(const struct crequest *q, struct fetch_request *m,
                        struct fetch_request_fetch_partition *parts)
{
    m->topics.n = 0;
    for (int32_t i = 0; i < q->n; i++) {
        const struct cpart *p = q->v[i];
        struct fetch_request_fetch_topic *t;
        if (i == 0 || p->topic != q->v[i - 1]->topic) {
            t = &m->topics.v[m->topics.n++];
            fetch_request_fetch_topic_init(t);
            t->topic = slice_str(p->topic->name);
            t->topic_id = p->id;
            t->partitions.v = &parts[i];
            t->partitions.n = 0;
        }
        m->topics.v[m->topics.n - 1].partitions.n++;
        fill_part(p, &parts[i]);
    }
}

static int put_request(void *arg, struct buf *b, int16_t version)
{
    const struct crequest *q = arg;
    struct fetch_request_fetch_partition *parts;
    struct fetch_request m;
    int rc = KE_NOMEM;

    if (!q->k)
        return KE_CLOSED;
    fetch_request_init(&m);
    m.max_wait_ms = q->k->conf->fetch_max_wait_ms;
    m.min_bytes = q->k->conf->fetch_min_bytes;
    m.max_bytes = q->k->conf->fetch_max_bytes;
    m.isolation_level = q->k->conf->read_committed;
    m.topics.v = calloc((size_t)q->n, sizeof *m.topics.v);
    parts = calloc((size_t)q->n, sizeof *parts);
    if (m.topics.v && parts) {
        fill_topics(q, &m, parts);
        rc = fetch_request_encode(&m, b, version);
    }
    free(m.topics.v);
    free(parts);
    return rc;
}

/* ---- the answer ---- */

static bool may_pass(int err)
{
    return err == KE_IO || err == KE_TIMEOUT || err == KE_NOTFOUND;
}

/* For the partitions that have got no answer of their own. */
static void put_off(struct crequest *q, int err, const struct kerr *why)
{
    for (int32_t i = 0; i < q->n; i++) {
        struct cpart *p = q->v[i];
        if (!p || p->ended || p->why.code)
            continue;
        if (may_pass(err))
            cpart_retry(p, why);
        else if (err == KE_CORRUPT)
            cpart_doubt(p, why);
        else
            cpart_fail(p, why);
    }
}

static void forget(struct crequest *q)
{
    struct crequest **at = &q->k->requests;

    while (*at != q)
        at = &(*at)->next;
    *at = q->next;
    q->leader->flying = false;
    for (int32_t i = 0; i < q->n; i++)
        q->v[i]->flying = false;
}

static void answered(void *arg, const struct client_reply *r)
{
    struct crequest *q = arg;
    struct consumer *k = q->k;
    struct kerr why = {0};
    int rc = r->err;

    if (k && rc != KE_CLOSED) {
        forget(q);
        if (rc == 0)
            rc = canswer_take(q, r, &why);
        else if (r->why)
            why = *r->why;
        if (rc == 0)
            rc = kerr_set(&why, KE_CORRUPT, "the answer to Fetch lacks a partition");
        why.code = rc;
        put_off(q, rc, &why);
        free(q);
        consumer_fetch(k);
        return;
    }
    if (k)
        forget(q);
    free(q);
}

/* ---- sending ---- */

/* All partitions of the leader that are ready, in the order of the list. */
static struct crequest *gather(struct consumer *k, struct cleader *l, mono_ns now)
{
    struct crequest *q;
    size_t n = 0;

    for (const struct cpart *p = k->parts; p; p = p->next)
        n += ready(p, now) && leader_of(p) == l->node;
    q = malloc(sizeof *q + n * sizeof(struct cpart *));
    if (!q)
        return NULL;
    *q = (struct crequest){.next = k->requests, .k = k, .leader = l};
    for (struct cpart *p = k->parts; p; p = p->next)
        if (ready(p, now) && leader_of(p) == l->node) {
            p->flying = true;
            q->v[q->n++] = p;
        }
    l->flying = true;
    k->requests = q;
    return q;
}

static void send_to(struct consumer *k, struct cleader *l, mono_ns now)
{
    struct crequest *q = gather(k, l, now);
    struct kerr e = {0};
    struct client_request rq = {
        .key = API_FETCH,
        .encode = put_request,
        .done = answered,
        .arg = q,
        .timeout_ms = k->conf->request_timeout_ms + k->conf->fetch_max_wait_ms,
    };

    if (!q)
        return;
    rq.max_version = newest_version(q);
    if (client_send(k->c, l->node, &rq, &e) < 0) {
        forget(q);
        put_off(q, KE_IO, &e);
        free(q);
    }
}

/* Wakes the consumer when the first of those that were put off is due. */
static void set_timer(struct consumer *k, mono_ns now)
{
    int64_t due = INT64_MAX;

    for (const struct cpart *p = k->parts; p; p = p->next)
        if (hungry(p) && p->not_before.ns > now.ns && p->not_before.ns < due)
            due = p->not_before.ns;
    if (due < INT64_MAX)
        net_timer_set(&k->timer, (due - now.ns) / 1000000 + 1);
}

void consumer_fetch(struct consumer *k)
{
    mono_ns now = net_loop_now(client_loop(k->c));

    for (struct cpart *p = k->parts, *next; p; p = next) {
        int32_t node = leader_of(p);
        struct cleader *l;
        next = p->next;
        if (!ready(p, now))
            continue;
        if (node < 0) {
            client_refresh(k->c);
            continue;
        }
        l = leader_at(k, node);
        if (l && !l->flying && l->held < CONSUMER_HELD_MAX)
            send_to(k, l, now);
    }
    set_timer(k, now);
}
