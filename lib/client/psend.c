/*
 * Which batches go where, when.
 */
#include "client/producer_impl.h"
#include "wire/api.h"
#include "wire/produce_request.h"

#include <stdlib.h>
#include <string.h>

#define REQUEST_BYTES ((size_t)4 << 20) /* one more batch is not added past this */
#define REQUEST_MAX   1000              /* batches */

int64_t producer_backoff(const struct client_conf *k, int attempts)
{
    int64_t ms = k->retry_backoff_ms;

    for (int i = 1; i < attempts && ms < k->retry_backoff_max_ms; i++)
        ms *= 2;
    return ms < k->retry_backoff_max_ms ? ms : k->retry_backoff_max_ms;
}

/* ---- what may be sent ---- */

static int32_t leader_of(const struct ppart *part)
{
    const struct client_topic *t = part->topic;

    return part->index < t->count ? t->partitions[part->index].leader : -1;
}

/* How many batches may be under way. A broker takes the first that it sees of a producer under any
 * sequence: were the first one refused for the moment, a second one would be stored before it. */
static int window_of(const struct ppart *part)
{
    return part->recovering || (part->p->idempotent && !part->acked) ? 1 : PRODUCER_FLYING_MAX;
}

/* Its next batch may go to its leader now. */
static bool sendable(struct ppart *part, mono_ns now)
{
    struct producer *p = part->p;
    int32_t leader = leader_of(part);

    if (!part->ready || part->not_before.ns > now.ns)
        return false;
    /* those under way come back first: order is theirs to keep */
    if (part->recovering && part->flying > 0)
        return false;
    if (part->flying >= window_of(part))
        return false;
    /* only behind each other on one connection they keep their order */
    if (part->flying > 0 &&
        (part->flying_to != leader || part->flying_losses != client_losses(p->c, leader)))
        return false;
    if (leader < 0) {
        client_refresh(p->c);
        return false;
    }
    if (client_in_flight(p->c, leader) >= p->conf->max_in_flight)
        return false;
    return part->ready->sequence >= 0 || pid_ready(p);
}

/* ---- making a request ---- */

static int by_topic(const void *x, const void *y)
{
    const struct pbatch *const *a = x, *const *b = y;
    int32_t i = (*a)->part->topic->number, k = (*b)->part->topic->number;

    return (i > k) - (i < k);
}

static size_t batch_size(const struct pbatch *b)
{
    return b->bytes.p ? b->bytes.n : b->raw_n;
}

/* Takes one batch of every partition that leads to the broker and is sendable; those partitions go
 * to the end of the list, so that all get their turn. */
static struct prequest *gather(struct producer *p, int32_t leader, mono_ns now)
{
    struct ppart *kept = NULL, **kept_tail = &kept, *used = NULL, **used_tail = &used;
    struct prequest *q = malloc(sizeof *q + sizeof(struct pbatch *) * REQUEST_MAX);
    size_t bytes = 0;

    if (!q)
        return NULL;
    *q = (struct prequest){.p = p, .leader = leader};
    for (struct ppart *part = p->active, *next; part; part = next) {
        bool take = q->n < REQUEST_MAX && leader_of(part) == leader && sendable(part, now) &&
                    (q->n == 0 || bytes + batch_size(part->ready) <= REQUEST_BYTES);
        next = part->next;
        part->next = NULL;
        if (take) {
            bytes += batch_size(part->ready);
            q->v[q->n++] = ppart_take(part);
            *used_tail = part;
            used_tail = &part->next;
        } else {
            *kept_tail = part;
            kept_tail = &part->next;
        }
    }
    *kept_tail = used;
    p->active = kept;
    qsort(q->v, (size_t)q->n, sizeof q->v[0], by_topic);
    return q;
}

/* Lifts off: sequences, bytes. A batch that cannot be made up ends the stream. */
static bool make_up(struct prequest *q)
{
    struct producer *p = q->p;
    int32_t n = 0;

    for (int32_t i = 0; i < q->n; i++) {
        struct pbatch *b = q->v[i];
        struct kerr e = {0};
        int rc = 0;
        pid_assign(b);
        if (!b->bytes.p)
            rc = pbatch_finish(b, p->conf, &e);
        if (rc < 0) {
            producer_fail(p, b, rc, &e);
            continue;
        }
        b->attempts++;
        b->flying = true;
        b->part->flying_to = q->leader;
        b->part->flying_losses = client_losses(p->c, q->leader);
        b->part->flight[b->part->flying++] = b;
        q->v[n++] = b;
    }
    q->n = n;
    return n > 0;
}

/* Version 13 tells topics by id, which older brokers have not. */
static int16_t newest_version(const struct prequest *q)
{
    for (int32_t i = 0; i < q->n; i++)
        if (uuid_is_zero(q->v[i]->part->topic->id))
            return 12;
    return 0;
}

static int fill(const struct prequest *q, struct produce_request *m,
                struct produce_request_topic_produce_data *topics,
                struct produce_request_partition_produce_data *parts, bool elsewhere)
{
    m->topic_data.v = topics;
    m->topic_data.n = 0;
    for (int32_t i = 0; i < q->n; i++) {
        const struct pbatch *b = q->v[i];
        const struct client_topic *t = b->part->topic;
        struct produce_request_topic_produce_data *topic;
        if (i == 0 || t != q->v[i - 1]->part->topic) {
            topic = &topics[m->topic_data.n++];
            produce_request_topic_produce_data_init(topic);
            topic->name = slice_str(t->name);
            topic->topic_id = t->id;
            topic->partition_data.v = &parts[i];
        }
        topic = &topics[m->topic_data.n - 1];
        topic->partition_data.n++;
        parts[i].index = b->part->index;
        parts[i].records = elsewhere ? wire_records_elsewhere(b->bytes.n) : b->bytes;
    }
    return 0;
}

/* One batch is lent as it lies in memory; what follows it in the request is put behind it there. */
static int lend_one(struct pbatch *b, const struct produce_request *m, struct buf *out,
                    int16_t version, struct slice *body)
{
    struct wire_gap gap;
    struct wire_gaps gaps = {.v = &gap, .max = 1};
    struct buf all = {0};
    struct buf *home = b->bytes.p == b->w.packed.p ? &b->w.packed : &b->w.buf;
    size_t size = b->bytes.n;
    int rc = produce_request_encode_gaps(m, &all, version, &gaps);

    if (rc == 0 && gaps.n == 1) {
        buf_put(out, all.p, gap.at);
        home->n = size;
        buf_put(home, all.p + gap.at, all.n - gap.at);
        b->bytes = slice_of(home->p, size);
        *body = buf_slice(home);
        if (home->failed || out->failed)
            rc = KE_NOMEM;
    }
    buf_free(&all);
    return rc;
}

static int put_request(void *arg, struct buf *out, int16_t version, struct slice *body)
{
    struct prequest *q = arg;
    struct produce_request m;
    struct produce_request_topic_produce_data *topics;
    struct produce_request_partition_produce_data *parts;
    int rc = KE_NOMEM;

    if (!q->p)
        return KE_CLOSED;
    produce_request_init(&m);
    m.acks = q->p->conf->acks;
    m.timeout_ms = (int32_t)q->p->conf->request_timeout_ms;
    topics = calloc((size_t)q->n, sizeof *topics);
    parts = calloc((size_t)q->n, sizeof *parts);
    if (topics && parts) {
        fill(q, &m, topics, parts, q->n == 1);
        rc = q->n == 1 ? lend_one(q->v[0], &m, out, version, body)
                       : produce_request_encode(&m, out, version);
    }
    free(topics);
    free(parts);
    return rc;
}

/* ---- sending ---- */

/* False without memory: nothing has been sent. */
static bool send_to(struct producer *p, int32_t leader, mono_ns now)
{
    struct prequest *q = gather(p, leader, now);
    struct kerr e = {0};
    struct client_request rq = {
        .key = API_PRODUCE,
        .lend = put_request,
        .done = prequest_done,
        .arg = q,
        .no_answer = p->conf->acks == 0,
    };

    if (!q)
        return false;
    if (!make_up(q)) {
        free(q);
        return true;
    }
    rq.max_version = newest_version(q);
    q->next = p->requests;
    p->requests = q;
    if (client_send(p->c, leader, &rq, &e) < 0) {
        struct client_reply r = {.err = KE_IO, .why = &e};
        prequest_done(q, &r);
    }
    return true;
}

/* False when there is nothing that could be sent. */
static bool send_some(struct producer *p)
{
    mono_ns now = net_loop_now(client_loop(p->c));

    for (struct ppart *part = p->active; part; part = part->next)
        if (sendable(part, now)) {
            if (!send_to(p, leader_of(part), now))
                part->not_before = mono_add_ms(now, p->conf->retry_backoff_ms + 1);
            return true;
        }
    return false;
}

/* ---- time ---- */

static void sooner(mono_ns *due, mono_ns at)
{
    if (due->ns == 0 || at.ns < due->ns)
        *due = at;
}

/* Batches that have waited for too long. */
static void expire(struct producer *p, mono_ns now)
{
    struct kerr why = {0};

    for (struct ppart *part = p->active; part; part = part->next) {
        struct pbatch *b = part->ready;
        if (!b || mono_diff_ms(now, b->born) < p->conf->delivery_timeout_ms)
            continue;
        kerr_set(&why, KE_TIMEOUT, "not acknowledged in %lld ms%s%s",
                 (long long)p->conf->delivery_timeout_ms, b->why.code ? ": " : "",
                 b->why.code ? b->why.msg : "");
        why.remote = b->why.remote;
        producer_fail(p, ppart_take(part), KE_TIMEOUT, &why);
    }
}

static void close_lingering(struct producer *p, mono_ns now)
{
    for (struct ppart *part = p->active; part; part = part->next)
        if (part->open && mono_diff_ms(now, part->open->born) >= p->conf->linger_ms)
            ppart_close_open(part);
}

/* Drops partitions without batches; the next moment at which something is due. */
static mono_ns sweep(struct producer *p, mono_ns now)
{
    mono_ns due = {0};

    for (struct ppart **at = &p->active, *part; (part = *at) != NULL;) {
        if (!part->open && !part->ready && part->flying == 0) {
            part->active = false;
            *at = part->next;
            continue;
        }
        if (part->open)
            sooner(&due, mono_add_ms(part->open->born, p->conf->linger_ms));
        if (part->ready) {
            sooner(&due, mono_add_ms(part->ready->born, p->conf->delivery_timeout_ms));
            if (part->not_before.ns > now.ns)
                sooner(&due, part->not_before);
            if (p->pid_state == PID_NONE && p->pid_not_before.ns > now.ns)
                sooner(&due, p->pid_not_before);
        }
        at = &part->next;
    }
    return due;
}

void producer_drain(struct producer *p)
{
    mono_ns now = net_loop_now(client_loop(p->c)), due;
    int64_t ms;

    p->drain_again = true;
    if (p->draining)
        return;
    p->draining = true;
    while (p->drain_again) {
        p->drain_again = false;
        close_lingering(p, now);
        expire(p, now);
        while (send_some(p))
            ;
    }
    p->draining = false;
    due = sweep(p, now);
    if (due.ns == 0 || (p->timer_at.ns != 0 && p->timer_at.ns <= due.ns))
        return;
    ms = mono_diff_ms(due, now);
    if (net_timer_set(&p->timer, ms < 0 ? 0 : ms + 1) == 0)
        p->timer_at = due;
}
