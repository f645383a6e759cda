#include "client/producer_impl.h"

#include "client/partitioner.h"
#include "os/random.h"

#include <stdlib.h>
#include <string.h>

/* ---- partitions ---- */

static bool grow_topics(struct producer *p, int32_t n)
{
    struct ptopic *v = realloc(p->topics, (size_t)n * sizeof *v);

    if (!v)
        return false;
    for (int32_t i = p->topic_count; i < n; i++)
        v[i] = (struct ptopic){.sticky = -1};
    p->topics = v;
    p->topic_count = n;
    return true;
}

static struct ppart *new_part(struct producer *p, struct client_topic *t, int32_t index)
{
    struct ptopic *pt = &p->topics[t->number];
    struct ppart *part, **v;

    if (index >= pt->n) {
        v = realloc(pt->v, (size_t)t->count * sizeof *v);
        if (!v)
            return NULL;
        for (int32_t i = pt->n; i < t->count; i++)
            v[i] = NULL;
        pt->v = v;
        pt->n = t->count;
    }
    part = calloc(1, sizeof *part);
    if (!part)
        return NULL;
    part->p = p;
    part->topic = t;
    part->index = index;
    return pt->v[index] = part;
}

/* splitmix64: where records without a key go needs no secrecy. */
static uint32_t throw_dice(struct producer *p)
{
    uint64_t z = p->dice += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return (uint32_t)(z >> 32);
}

/* A partition that has a leader now, if there is any. */
static int32_t choose(struct producer *p, const struct client_topic *t)
{
    uint32_t n = (uint32_t)t->count, first = throw_dice(p) % n;

    for (uint32_t i = 0; i < n; i++)
        if (t->partitions[(first + i) % n].leader >= 0)
            return (int32_t)((first + i) % n);
    return (int32_t)first;
}

static int find_part(struct producer *p, struct client_topic *t, int32_t partition,
                     struct slice key, struct ppart **out, struct kerr *e)
{
    struct ptopic *pt;

    if (t->count == 0 || partition >= t->count)
        return kerr_set(e, KE_INVALID, "topic %s has no partition %d, but %d of them", t->name,
                        partition, t->count);
    if (t->number >= p->topic_count && !grow_topics(p, t->number + 1))
        return kerr_set(e, KE_NOMEM, "topic %s", t->name);
    pt = &p->topics[t->number];
    if (partition < 0 && key.p)
        partition = partition_for_key(key, t->count);
    else if (partition < 0)
        partition = pt->sticky < 0 ? pt->sticky = choose(p, t) : pt->sticky;
    *out = partition < pt->n ? pt->v[partition] : NULL;
    if (!*out && !(*out = new_part(p, t, partition)))
        return kerr_set(e, KE_NOMEM, "topic %s", t->name);
    return 0;
}

/* ---- records in ---- */

static size_t size_bound(struct slice key, struct slice value, const struct header *headers,
                         int32_t n)
{
    size_t size = key.n + value.n + 40;

    for (int32_t i = 0; i < n; i++)
        size += headers[i].name.n + headers[i].value.n + 10;
    return size;
}

static int full(struct producer *p, struct kerr *e)
{
    producer_flush(p);
    if (p->used < p->conf->buffer_memory)
        return 0;
    return kerr_set(e, KE_AGAIN, "buffer.memory is full");
}

static int open_batch(struct ppart *part, struct kerr *e)
{
    struct producer *p = part->p;
    int64_t linger = p->conf->linger_ms;

    part->open = pbatch_new(part);
    if (!part->open)
        return kerr_set(e, KE_NOMEM, "batch");
    p->used += (int64_t)part->open->w.buf.n;
    if (!part->active) {
        part->active = true;
        part->next = p->active;
        p->active = part;
    }
    if (p->timer_at.ns == 0 || p->timer_at.ns > mono_add_ms(part->open->born, linger).ns) {
        p->timer_at = mono_add_ms(part->open->born, linger);
        if (net_timer_set(&p->timer, linger) < 0)
            return kerr_set(e, KE_NOMEM, "timer");
    }
    return 0;
}

/* The partition's batch closes, because the record does not fit or the batch is full. */
static void close_and_send(struct ppart *part)
{
    ppart_close_open(part);
    producer_drain(part->p);
}

int producer_send(struct producer *p, struct client_topic *t, int32_t partition, int64_t timestamp,
                  struct slice key, struct slice value, const struct header *headers,
                  int32_t header_count, struct producer_mark mark, struct kerr *e)
{
    size_t limit = (size_t)p->conf->batch_size, bound, before;
    struct ppart *part = NULL;
    struct pbatch *b;
    int rc;

    if (p->used >= p->conf->buffer_memory && (rc = full(p, e)) < 0)
        return rc;
    bound = size_bound(key, value, headers, header_count);
    if (bound > (size_t)p->conf->max_request_size)
        return kerr_set(e, KE_TOOBIG, "record of %zu bytes exceeds max.request.size (%d)",
                        key.n + value.n, p->conf->max_request_size);
    rc = p->ended ? 0 : find_part(p, t, partition, key, &part, e);
    if (part && part->open &&
        (part->open->w.buf.n + bound > limit || !pbatch_fits_mark(part->open, mark)))
        close_and_send(part);
    if (p->ended)
        return kerr_set(e, KE_CLOSED, "the stream has ended");
    if (rc < 0)
        return rc;
    if (!part->open && (rc = open_batch(part, e)) < 0)
        return rc;
    b = part->open;
    before = b->w.buf.n;
    if (!pbatch_fits_mark(b, mark) ||
        !batch_add(&b->w, timestamp, key, value, headers, header_count))
        return kerr_set(e, KE_NOMEM, "record of %zu bytes", key.n + value.n);
    pbatch_add_mark(b, mark);
    p->used += (int64_t)(b->w.buf.n - before);
    if (b->w.buf.n >= limit)
        close_and_send(part);
    return 0;
}

void producer_flush(struct producer *p)
{
    for (struct ppart *part = p->active; part; part = part->next)
        ppart_close_open(part);
    producer_drain(p);
}

bool producer_idle(const struct producer *p)
{
    return p->batches == 0;
}

static void older(const struct pbatch *b, struct producer_mark *m, bool *any)
{
    if (b->w.count > 0 && (!*any || b->first.at < m->at))
        *m = b->first;
    *any |= b->w.count > 0;
}

bool producer_oldest(const struct producer *p, struct producer_mark *m)
{
    bool any = false;

    for (const struct ppart *part = p->active; part; part = part->next) {
        if (part->open)
            older(part->open, m, &any);
        for (const struct pbatch *b = part->ready; b; b = b->next)
            older(b, m, &any);
        for (int i = 0; i < part->flying; i++)
            older(part->flight[i], m, &any);
    }
    return any;
}

void producer_stop(struct producer *p)
{
    struct kerr why;

    kerr_set(&why, KE_CLOSED, "not sent");
    producer_end(p, KE_CLOSED, &why);
}

bool producer_failed(const struct producer *p, struct kerr *e, struct producer_mark *at)
{
    if (p->failed && e)
        *e = p->why;
    if (p->failed && at)
        *at = p->failed_at;
    return p->failed;
}

/* ---- events ---- */

static void timer_rang(struct net_timer *t)
{
    struct producer *p = PRODUCER_OWNER(struct producer, timer, t);

    p->timer_at = (mono_ns){0};
    producer_drain(p);
}

static void metadata_changed(struct client_watch *w)
{
    producer_drain(PRODUCER_OWNER(struct producer, watch, w));
}

/* ---- life ---- */

int producer_new(struct producer **out, struct client *c,
                 void (*report)(void *arg, const struct producer_report *r), void *arg,
                 struct kerr *e)
{
    struct producer *p = calloc(1, sizeof *p);

    *out = p;
    if (!p)
        return kerr_set(e, KE_NOMEM, "producer");
    p->c = c;
    p->conf = client_conf_of(c);
    p->report = report;
    p->arg = arg;
    p->idempotent = p->conf->idempotence;
    p->dice = os_random_u64();
    net_timer_init(&p->timer, client_loop(c), timer_rang);
    p->watch.changed = metadata_changed;
    client_watch_add(c, &p->watch);
    return 0;
}

static void free_queue(struct pbatch *b)
{
    for (struct pbatch *next; b; b = next) {
        next = b->next;
        pbatch_free(b);
    }
}

void producer_free(struct producer *p)
{
    if (!p)
        return;
    /* what is under way frees its batches when it is done */
    for (struct prequest *q = p->requests; q; q = q->next)
        q->p = NULL;
    pid_forget(p);
    for (int32_t t = 0; t < p->topic_count; t++) {
        for (int32_t i = 0; i < p->topics[t].n; i++) {
            struct ppart *part = p->topics[t].v[i];
            if (!part)
                continue;
            if (part->open)
                pbatch_free(part->open);
            free_queue(part->ready);
            free(part);
        }
        free(p->topics[t].v);
    }
    free_queue(p->spare);
    free(p->topics);
    net_timer_clear(&p->timer);
    client_watch_remove(p->c, &p->watch);
    free(p);
}
