/*
 * Produce: each partition's batch is appended as soon as the request is read; with acks=all the
 * answer waits until every one of them is stable. A partition whose log stalls is appended to on
 * the pool, in its own order.
 */
#include "broker/dispatch.h"
#include "broker/errmap.h"
#include "broker/lookup.h"
#include "broker/reactor.h"
#include "broker/settings.h"
#include "record/batch.h"
#include "wire/error.h"
#include "wire/produce_request.h"
#include "wire/produce_response.h"

#include <stdio.h>

struct produce;

/* One partition of the request. */
struct part {
    struct append_job job;
    struct waiter waiter;
    struct net_task done; /* from the pool */
    struct produce *produce;
    struct partition *partition; /* NULL: there is none, error says why */
    struct plog_append append;
    int32_t index, leader_epoch;
    int16_t error;
    bool null_records, appended, queued;
    struct kerr *why;     /* of a queued one, in the arena */
    struct slice message; /* for people, there too */
};

struct topic {
    struct slice name;
    struct uuid id;
    struct part *parts;
    int32_t count;
};

struct produce {
    struct request *r;
    struct topic *topics;
    int32_t topic_count;
    int16_t acks;
    int32_t timeout_ms;
    int queued;        /* parts with the pool */
    bool parked, done; /* done: answered, waits only for a wake-up under way */
    _Atomic bool woken;
    struct net_task wake;
    struct net_timer timer;
};

static void explain(struct part *p, const struct kerr *e)
{
    bool ok = true;

    p->message = arena_dup(&p->produce->r->arena, slice_str(kerr_msg(e)), &ok);
}

/* Refusals that are not a matter of the log. */
static int16_t check_request(const struct produce *m, const struct produce_request *q)
{
    if (q->acks < -1 || q->acks > 1)
        return KAFKA_INVALID_REQUIRED_ACKS;
    if (!slice_is_null(q->transactional_id)) {
        if (!authz_check(m->r, OP_WRITE, RES_TRANSACTIONAL_ID, q->transactional_id))
            return KAFKA_TRANSACTIONAL_ID_AUTHORIZATION_FAILED;
        return KAFKA_INVALID_TXN_STATE; /* there are no transactions yet */
    }
    return 0;
}

/* What the log does not know: the request's version, and that there are no transactions. */
static int16_t check_batch(const struct request *r, struct slice records)
{
    struct batch b;

    if (records.n == 0)
        return KAFKA_INVALID_RECORD;
    if (batch_parse(records, &b, NULL, NULL) < 0)
        return 0; /* the append says what is wrong */
    if (r->version < 7 && batch_codec(&b) == CODEC_ZSTD)
        return KAFKA_UNSUPPORTED_COMPRESSION_TYPE;
    return b.attributes & BATCH_TRANSACTIONAL ? KAFKA_INVALID_TXN_STATE : 0;
}

/* On a reactor or on the pool; why it failed goes to e. */
static void append(struct part *p, struct kerr *e)
{
    struct produce *m = p->produce;
    int rc;

    p->append.leader_epoch = p->leader_epoch;
    rc = plog_append(p->partition->log, &p->append, os_wall(m->r->broker->clock), e);
    p->appended = rc == 0;
    if (rc == 0)
        return;
    p->error = errmap(rc);
    if (rc == KE_RANGE)
        p->error = KAFKA_RECORD_LIST_TOO_LARGE;
}

static void finish(struct produce *m);
static void settle(struct produce *m);

static void back_from_pool(struct net_task *t)
{
    struct part *p = (struct part *)((char *)t - offsetof(struct part, done));
    struct produce *m = p->produce;

    p->queued = false;
    if (!p->appended)
        explain(p, p->why);
    if (p->appended && (m->acks == -1 || atomic_load(&p->partition->eager) > 0))
        plog_flush_soon(p->partition->log);
    if (--m->queued == 0)
        settle(m);
}

static void append_on_pool(struct append_job *j)
{
    struct part *p = (struct part *)((char *)j - offsetof(struct part, job));

    append(p, p->why);
    net_post(p->produce->r->reactor->loop, &p->done);
}

/* ---- waiting for stable storage ---- */

static void woken(struct net_task *t)
{
    struct produce *m = (struct produce *)((char *)t - offsetof(struct produce, wake));

    atomic_store(&m->woken, false);
    if (m->done)
        request_end(m->r); /* m lies in its arena */
    else
        settle(m);
}

/* Any thread; the partition's lock is held. */
static void wake(struct waiter *w)
{
    struct produce *m = ((struct part *)((char *)w - offsetof(struct part, waiter)))->produce;

    if (!atomic_exchange(&m->woken, true))
        net_post(m->r->reactor->loop, &m->wake);
}

static void timed_out(struct net_timer *t)
{
    struct produce *m = (struct produce *)((char *)t - offsetof(struct produce, timer));

    for (int32_t i = 0; i < m->topic_count; i++)
        for (int32_t k = 0; k < m->topics[i].count; k++) {
            struct part *p = &m->topics[i].parts[k];
            if (p->waiter.partition)
                p->error = KAFKA_REQUEST_TIMED_OUT;
        }
    finish(m);
}

/* After a cut the offsets above it are used again: only what lay below the one cut since is surely
 * there. */
static bool may_be_lost(const struct part *p, const struct plog_ends *ends)
{
    int64_t cuts = ends->cuts - p->append.cuts;

    return cuts != 0 && !(cuts == 1 && ends->cut_at > p->append.last_offset);
}

/* True while p's record is not yet stable. A record that may have been lost is an error. */
static bool unstable(struct part *p)
{
    struct plog_ends ends;

    if (!p->appended || p->error)
        return false;
    plog_ends(p->partition->log, &ends);
    if (may_be_lost(p, &ends))
        p->error = KAFKA_KAFKA_STORAGE_ERROR;
    else if (atomic_load(&p->partition->gone))
        p->error = KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
    if (p->error)
        return false;
    if (ends.high_watermark > p->append.last_offset)
        return false;
    if (p->waiter.partition)
        return true;
    p->waiter.need = p->append.last_offset + 1;
    p->waiter.cuts = p->append.cuts;
    p->waiter.wake = wake;
    /* what it waits for may have come meanwhile: then look again */
    return partition_wait(p->partition, &p->waiter) || unstable(p);
}

static void settle(struct produce *m)
{
    bool waits = false;

    for (int32_t i = 0; m->acks == -1 && i < m->topic_count; i++)
        for (int32_t k = 0; k < m->topics[i].count; k++)
            waits |= unstable(&m->topics[i].parts[k]);
    if (!waits) {
        finish(m);
    } else if (!m->parked) {
        m->parked = true;
        net_timer_init(&m->timer, m->r->reactor->loop, timed_out);
        if (net_timer_set(&m->timer, m->timeout_ms) < 0)
            timed_out(&m->timer);
    }
}

/* ---- the answer ---- */

static void fill_part(const struct produce *m, const struct part *p,
                      struct produce_response_partition_produce_response *out,
                      struct produce_response_batch_index_and_error_message *why)
{
    produce_response_partition_produce_response_init(out);
    out->index = p->index;
    out->error_code = p->error;
    out->base_offset = -1;
    if (!p->error) {
        out->base_offset = p->append.base_offset;
        out->log_append_time_ms = p->append.append_time;
        out->log_start_offset = p->append.log_start;
    }
    if (p->message.p && m->r->version >= 8) {
        out->error_message = p->message;
        if (p->error == KAFKA_INVALID_RECORD || p->error == KAFKA_INVALID_TIMESTAMP) {
            produce_response_batch_index_and_error_message_init(why);
            why->batch_index_error_message = p->message;
            out->record_errors.v = why;
            out->record_errors.n = 1;
        }
    }
}

static bool fill(const struct produce *m, struct produce_response *out)
{
    struct arena *a = &m->r->arena;

    produce_response_init(out);
    out->responses.n = m->topic_count;
    out->responses.v = arena_array(a, (size_t)m->topic_count, sizeof *out->responses.v);
    if (!out->responses.v)
        return false;
    for (int32_t i = 0; i < m->topic_count; i++) {
        const struct topic *t = &m->topics[i];
        struct produce_response_topic_produce_response *o = &out->responses.v[i];
        struct produce_response_batch_index_and_error_message *why;
        produce_response_topic_produce_response_init(o);
        o->name = t->name;
        o->topic_id = t->id;
        o->partition_responses.n = t->count;
        o->partition_responses.v =
            arena_array(a, (size_t)t->count, sizeof *o->partition_responses.v);
        why = arena_array(a, (size_t)t->count, sizeof *why);
        if (!o->partition_responses.v || !why)
            return false;
        for (int32_t k = 0; k < t->count; k++)
            fill_part(m, &t->parts[k], &o->partition_responses.v[k], &why[k]);
    }
    return true;
}

static bool failed_somewhere(const struct produce *m)
{
    for (int32_t i = 0; i < m->topic_count; i++)
        for (int32_t k = 0; k < m->topics[i].count; k++)
            if (m->topics[i].parts[k].error)
                return true;
    return false;
}

/* Gives back what the request holds. */
static void let_go(struct produce *m)
{
    net_timer_clear(&m->timer);
    for (int32_t i = 0; i < m->topic_count; i++)
        for (int32_t k = 0; k < m->topics[i].count; k++) {
            struct part *p = &m->topics[i].parts[k];
            partition_unwait(&p->waiter);
            if (p->partition)
                partition_release(&m->r->broker->partitions, p->partition);
            p->partition = NULL;
        }
}

/* Gives up what start() has begun, before the queued parts are with the pool. */
static void give_up(struct produce *m)
{
    for (int32_t i = 0; i < m->topic_count; i++)
        for (int32_t k = 0; k < m->topics[i].count; k++)
            if (m->topics[i].parts[k].queued)
                partition_append_never(m->topics[i].parts[k].partition);
    let_go(m);
    request_kill(m->r, "out of memory");
}

static void finish(struct produce *m)
{
    struct request *r = m->r;
    struct produce_response out;
    struct buf b = {0};

    let_go(m);
    r->failed = failed_somewhere(m);
    if (m->acks == 0) {
        /* the only way to tell the client */
        if (r->failed)
            request_kill(r, "acks=0 and the append failed");
        else
            request_drop(r);
        return;
    }
    request_reply_begin(r, &b);
    if (!fill(m, &out) || produce_response_encode(&out, &b, r->version) < 0)
        b.failed = true;
    /* a wake-up may be on its way to m, which lies in r's arena: then it ends r */
    m->done = atomic_load(&m->woken);
    if (m->done)
        request_answer(r, &b, 0);
    else
        request_reply(r, &b, 0);
}

/* ---- the beginning ---- */

static void start_part(struct produce *m, struct part *p, const struct lookup *l,
                       const struct produce_request_partition_produce_data *q, int16_t refused)
{
    struct kerr e = {0};

    p->produce = m;
    p->index = q->index;
    p->error = refused;
    p->append.append_time = -1;
    if (refused)
        return;
    p->partition = lookup_partition(m->r, l, q->index, -1, &p->error);
    if (!p->partition)
        return;
    p->leader_epoch = l->topic->partitions[q->index].leader_epoch;
    if (m->acks == -1 &&
        l->topic->partitions[q->index].isr_count < setting_min_insync(m->r->broker, l->topic)) {
        p->error = KAFKA_NOT_ENOUGH_REPLICAS;
        return;
    }
    p->error = check_batch(m->r, q->records);
    if (p->error)
        return;
    p->append.bytes = (uint8_t *)(uintptr_t)q->records.p;
    p->append.size = q->records.n;
    p->queued = !partition_append_direct(p->partition);
    m->queued += p->queued;
    if (p->queued)
        return;
    append(p, &e);
    if (!p->appended)
        explain(p, &e);
}

/* Where a partition is named twice Kafka takes the last batch. Here both are appended, in their
 * order. */
static bool start(struct produce *m, const struct produce_request *q,
                  const struct catalog_image *image)
{
    struct arena *a = &m->r->arena;
    int16_t refused = check_request(m, q);
    bool ok = true;

    m->topics = arena_array(a, (size_t)q->topic_data.n, sizeof *m->topics);
    for (int32_t i = 0; m->topics && i < q->topic_data.n; i++) {
        const struct produce_request_topic_produce_data *d = &q->topic_data.v[i];
        struct lookup l =
            lookup_topic(m->r, image, m->r->version >= 13, d->name, d->topic_id, OP_WRITE);
        struct topic *t = &m->topics[i];
        t->name = arena_dup(a, d->name, &ok);
        t->id = d->topic_id;
        t->parts = arena_array(a, (size_t)d->partition_data.n, sizeof *t->parts);
        if (!t->parts || !ok)
            return false;
        t->count = d->partition_data.n;
        m->topic_count = i + 1;
        for (int32_t k = 0; k < t->count; k++)
            start_part(m, &t->parts[k], &l, &d->partition_data.v[k], refused);
    }
    return m->topics != NULL;
}

/* Room for why the queued parts failed: on the pool the arena is not theirs to use. */
static bool make_room_for_errors(struct produce *m)
{
    for (int32_t i = 0; i < m->topic_count; i++)
        for (int32_t k = 0; k < m->topics[i].count; k++) {
            struct part *p = &m->topics[i].parts[k];
            if (p->queued && !(p->why = arena_alloc(&m->r->arena, sizeof *p->why)))
                return false;
        }
    return true;
}

/* Hands the queued parts to the pool; the frame has to stay. */
static bool queue_parts(struct produce *m)
{
    ptrdiff_t moved;

    if (!make_room_for_errors(m) || !request_keep(m->r, &moved))
        return false;
    for (int32_t i = 0; i < m->topic_count; i++)
        for (int32_t k = 0; k < m->topics[i].count; k++) {
            struct part *p = &m->topics[i].parts[k];
            if (!p->queued)
                continue;
            p->append.bytes += moved;
            p->job.run = append_on_pool;
            p->done.run = back_from_pool;
            partition_append_later(p->partition, &p->job);
        }
    return true;
}

/* Of what was appended here; who is queued belongs to the pool and asks when it is back. */
static void ask_for_flushes(struct produce *m)
{
    for (int32_t i = 0; i < m->topic_count; i++)
        for (int32_t k = 0; k < m->topics[i].count; k++) {
            struct part *p = &m->topics[i].parts[k];
            /* what the pool has is its own until it comes back */
            if (!p->queued && p->appended &&
                (m->acks == -1 || atomic_load(&p->partition->eager) > 0))
                plog_flush_soon(p->partition->log);
        }
}

int handle_produce(struct request *r)
{
    struct produce_request q;
    struct produce *m;
    const struct catalog_image *image;
    bool ok;
    int rc;

    if ((rc = produce_request_decode(&q, &r->body, r->version)) < 0)
        return rc;
    m = arena_alloc(&r->arena, sizeof *m);
    if (!m) {
        request_kill(r, "out of memory");
        return 0;
    }
    m->r = r;
    m->acks = q.acks;
    m->timeout_ms = q.timeout_ms > 0 ? q.timeout_ms : 1;
    m->wake.run = woken;
    image = catalog_image(r->broker->catalog);
    ok = start(m, &q, image);
    catalog_image_release(image);
    broker_touch(r->broker);
    if (!ok || (m->queued > 0 && !queue_parts(m))) {
        give_up(m);
        return 0;
    }
    ask_for_flushes(m);
    if (m->queued == 0)
        settle(m);
    return 0;
}
