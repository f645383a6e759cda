#include "client/consumer_impl.h"
#include "record/control.h"
#include "wire/error.h"

#include <stdlib.h>

#define MISSING_MAX 3 /* refreshes that do not know a topic before it counts as deleted */

/* ---- ends ---- */

void consumer_queue(struct consumer *k, struct cdelivery *d)
{
    d->next = NULL;
    *k->last = d;
    k->last = &d->next;
}

static void end(struct cpart *p)
{
    if (!p->ended)
        p->k->active--;
    p->ended = true;
}

/* In its turn behind what has been fetched before: a delivery of nothing else. */
void cpart_fail(struct cpart *p, const struct kerr *why)
{
    struct cdelivery *d = calloc(1, sizeof *d);

    p->why = *why;
    if (d)
        d->chunks = arena_array(&d->arena, 1, sizeof *d->chunks);
    if (!d || !d->chunks) {
        free(d);
        p->why = (struct kerr){0}; /* fails again when there is memory */
        return;
    }
    d->chunks[0] = (struct cchunk){.part = p, .err = why->code};
    d->n = 1;
    consumer_queue(p->k, d);
}

/* ---- transactions ---- */

/* The last transaction of the producer that began at offset or before. */
static struct caborted *find_aborted(const struct cchunk *c, int64_t producer_id, int64_t offset)
{
    int32_t low = 0, high = c->aborted_count;

    while (low < high) {
        int32_t mid = low + (high - low) / 2;
        const struct caborted *a = &c->aborted[mid];
        if (a->producer_id < producer_id || (a->producer_id == producer_id && a->first <= offset))
            low = mid + 1;
        else
            high = mid;
    }
    if (low == 0 || c->aborted[low - 1].producer_id != producer_id)
        return NULL;
    return &c->aborted[low - 1];
}

static bool is_abort_marker(const struct batch *b)
{
    struct record_iter *it = NULL;
    struct record r;
    int32_t epoch;
    int16_t type = -1;
    bool is = record_iter_new(&it, NULL) == 0 && record_iter_begin(it, b, 0, NULL) == 0 &&
              record_next(it, &r, NULL) == 1 && control_parse(&r, &type, &epoch) &&
              type == CONTROL_ABORT;

    record_iter_free(it);
    return is;
}

/* Whether the batch has records for the caller. */
static bool is_data(struct cchunk *c, const struct batch *b)
{
    struct caborted *a = NULL;

    if (c->aborted_count > 0 && (b->attributes & BATCH_TRANSACTIONAL))
        a = find_aborted(c, b->producer_id, batch_last_offset(b));
    if (b->attributes & BATCH_CONTROL) {
        if (a && !a->over && is_abort_marker(b))
            a->over = true;
        return false;
    }
    return b->count > 0 && (!a || a->over);
}

/* ---- digesting ---- */

/* The next batch of the chunk. 1, 0: there is no further one, negative. */
static int next_batch(struct cchunk *c, struct batch *b, struct kerr *e)
{
    struct cpart *p = c->part;
    int rc;

    if (c->rest.n == 0)
        return 0;
    rc = batch_parse(c->rest, b, NULL, e);
    if (rc == KE_AGAIN) { /* the tail may be cut anywhere */
        c->rest.n = 0;
        return 0;
    }
    if (rc == 0 && p->k->conf->check_crcs)
        rc = batch_check_crc(b, e);
    /* only the first may begin below what was asked for */
    if (rc == 0 &&
        (batch_last_offset(b) < p->position || (c->begun && b->base_offset < p->position)))
        rc = kerr_set(e, KE_CORRUPT, "batch of offsets %lld to %lld goes back",
                      (long long)b->base_offset, (long long)batch_last_offset(b));
    if (rc < 0)
        return kerr_ctx(e, rc, "%s-%d, offset %lld", p->topic->name, p->index,
                        (long long)p->position);
    c->rest = slice_of(c->rest.p + b->size, c->rest.n - b->size);
    c->begun = true;
    return 1;
}

static void fill(const struct cpart *p, struct consumer_batch *out)
{
    *out = (struct consumer_batch){
        .topic = p->topic,
        .partition = p->index,
        .tag = p->tag,
        .from = p->position,
        .to = p->to,
    };
}

/* 1: out is filled, 0: the chunk is used up, negative: its partition has ended. */
static int digest(struct cchunk *c, struct consumer_batch *out, struct kerr *e)
{
    struct cpart *p = c->part;
    struct batch b;
    int rc = 0;

    if (p->ended)
        return 0;
    fill(p, out);
    while (!c->err && !p->ended && (rc = next_batch(c, &b, e)) == 1) {
        bool data = is_data(c, &b) && b.base_offset < p->to;
        out->from = p->position;
        out->batch = b;
        p->position = batch_last_offset(&b) + 1;
        if (p->position >= p->to)
            end(p);
        if (data)
            return 1;
        rc = 0;
    }
    if (c->err) {
        if (e)
            *e = p->why;
        rc = c->err;
    }
    if (rc < 0)
        end(p);
    return rc;
}

int consumer_next(struct consumer *k, struct consumer_batch *out, struct kerr *e)
{
    struct cdelivery *d;

    while ((d = k->first) != NULL) {
        while (d->at < d->n) {
            int rc = digest(&d->chunks[d->at], out, e);
            if (rc > 0)
                return rc;
            d->at++;
            if (rc < 0)
                return rc;
        }
        k->first = d->next;
        if (!k->first)
            k->last = &k->first;
        if (d->leader)
            d->leader->held--;
        cdelivery_free(d);
        consumer_fetch(k);
    }
    return 0;
}

int32_t consumer_active(const struct consumer *k)
{
    return k->active;
}

/* ---- what the cluster says ---- */

static void look_at_topic(struct cpart *p)
{
    const struct client_topic *t = p->topic;
    struct kerr why = {0};

    p->missing = t->error == KAFKA_UNKNOWN_TOPIC_OR_PARTITION ? p->missing + 1 : 0;
    if (p->missing >= MISSING_MAX)
        kerr_set(&why, KE_NOTFOUND, "topic %s has been deleted", t->name);
    else if (t->error == 0 && !uuid_is_zero(p->id) && !uuid_is_zero(t->id) &&
             !uuid_eq(p->id, t->id))
        kerr_set(&why, KE_NOTFOUND, "topic %s has been deleted and made anew", t->name);
    else if (t->error == KAFKA_TOPIC_AUTHORIZATION_FAILED)
        client_refused(&why, t->error, (struct slice){NULL, 0}, "topic %s", t->name);
    if (t->error == 0 && uuid_is_zero(p->id))
        p->id = t->id;
    if (why.code)
        cpart_fail(p, &why);
    else if (p->missing > 0)
        client_refresh(p->k->c);
}

static void cluster_changed(struct client_watch *w)
{
    struct consumer *k = CONSUMER_OWNER(struct consumer, watch, w);

    for (struct cpart *p = k->parts; p; p = p->next)
        if (!p->ended && !p->why.code)
            look_at_topic(p);
    consumer_fetch(k);
}

static void timer_rang(struct net_timer *t)
{
    struct consumer *k = CONSUMER_OWNER(struct consumer, timer, t);

    consumer_fetch(k);
}

/* ---- life ---- */

int consumer_new(struct consumer **out, struct client *c, struct kerr *e)
{
    struct consumer *k = calloc(1, sizeof *k);

    *out = k;
    if (!k)
        return kerr_set(e, KE_NOMEM, "consumer");
    k->c = c;
    k->conf = client_conf_of(c);
    k->last = &k->first;
    net_timer_init(&k->timer, client_loop(c), timer_rang);
    k->watch.changed = cluster_changed;
    client_watch_add(c, &k->watch);
    return 0;
}

void consumer_free(struct consumer *k)
{
    struct cdelivery *d;
    struct cleader *l;
    struct cpart *p;

    if (!k)
        return;
    client_watch_remove(k->c, &k->watch);
    net_timer_clear(&k->timer);
    for (struct crequest *q = k->requests; q; q = q->next)
        q->k = NULL;
    while ((d = k->first) != NULL) {
        k->first = d->next;
        cdelivery_free(d);
    }
    while ((p = k->parts) != NULL) {
        k->parts = p->next;
        free(p);
    }
    while ((l = k->leaders) != NULL) {
        k->leaders = l->next;
        free(l);
    }
    free(k);
}

static struct cpart *find_part(const struct consumer *k, const struct client_topic *t, int32_t i)
{
    struct cpart *p = k->parts;

    while (p && (p->topic != t || p->index != i || p->ended))
        p = p->next;
    return p;
}

int consumer_assign(struct consumer *k, struct client_topic *t, int32_t partition, int64_t from,
                    int64_t to, void *tag, struct kerr *e)
{
    struct cpart *p, **at = &k->parts;

    if (from < 0 || find_part(k, t, partition))
        return kerr_set(e, KE_INVALID, "%s-%d: %s", t->name, partition,
                        from < 0 ? "a negative offset" : "assigned twice");
    p = calloc(1, sizeof *p);
    if (!p)
        return kerr_set(e, KE_NOMEM, "partition %s-%d", t->name, partition);
    *p = (struct cpart){
        .k = k,
        .topic = t,
        .index = partition,
        .id = t->id,
        .tag = tag,
        .position = from,
        .ahead = from,
        .to = to,
        .ended = from >= to,
    };
    while (*at)
        at = &(*at)->next;
    *at = p;
    k->active += !p->ended;
    consumer_fetch(k);
    return 0;
}
