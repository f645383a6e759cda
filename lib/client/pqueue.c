#include "client/producer_impl.h"

#include <string.h>

/* ---- a partition's batches ---- */

static void activate(struct ppart *part)
{
    if (part->active)
        return;
    part->active = true;
    part->next = part->p->active;
    part->p->active = part;
}

void ppart_insert(struct ppart *part, struct pbatch *b)
{
    struct pbatch *before = NULL;

    if (part->ready_last && part->ready_last->order <= b->order)
        before = part->ready_last;
    else
        for (struct pbatch *x = part->ready; x && x->order <= b->order; x = x->next)
            before = x;
    b->next = before ? before->next : part->ready;
    if (before)
        before->next = b;
    else
        part->ready = b;
    if (!b->next)
        part->ready_last = b;
    activate(part);
}

struct pbatch *ppart_take(struct ppart *part)
{
    struct pbatch *b = part->ready;

    part->ready = b->next;
    if (!part->ready)
        part->ready_last = NULL;
    b->next = NULL;
    return b;
}

void ppart_close_open(struct ppart *part)
{
    struct pbatch *b = part->open;
    struct ptopic *t = &part->p->topics[part->topic->number];

    if (!b)
        return;
    part->open = NULL;
    b->raw_n = b->w.buf.n;
    if (b->w.count == 0) { /* there was no memory for its first record */
        part->p->used -= (int64_t)b->raw_n;
        pbatch_recycle(b);
        return;
    }
    b->order = part->next_order;
    part->next_order += (uint64_t)b->w.count;
    if (t->sticky == part->index)
        t->sticky = -1;
    ppart_insert(part, b);
}

void ppart_land(struct ppart *part, struct pbatch *b)
{
    int i = 0;

    while (part->flight[i] != b)
        i++;
    part->flying--;
    memmove(&part->flight[i], &part->flight[i + 1],
            (size_t)(part->flying - i) * sizeof(struct pbatch *));
    b->flying = false;
}

/* Puts a chain of batches back. */
static void requeue(struct ppart *part, struct pbatch *b)
{
    for (struct pbatch *next; b; b = next) {
        next = b->next;
        ppart_insert(part, b);
    }
}

/* ---- the end of a batch ---- */

void pbatch_settle(struct pbatch *b, int err, int64_t base_offset, const struct kerr *why)
{
    struct ppart *part = b->part;
    struct producer *p = part->p;
    struct batch records;
    struct producer_report r = {
        .topic = part->topic,
        .partition = part->index,
        .err = err,
        .maybe_stored = err != 0 && b->maybe_stored,
        .why = why,
        .base_offset = base_offset,
        .records = &records,
        .first = b->first,
        .deltas = b->deltas,
    };

    pbatch_records(b, &records);
    pid_release(b);
    p->used -= (int64_t)b->raw_n;
    p->report(p->arg, &r);
    pbatch_recycle(b);
}

bool pbatch_is_dead(const struct pbatch *b)
{
    return b->part->dead && b->order >= b->part->dead_from;
}

static void settle_dead(struct ppart *part, int err, const struct kerr *why)
{
    struct pbatch *alive = NULL, **tail = &alive, *b;

    ppart_close_open(part);
    while (part->ready) {
        b = ppart_take(part);
        if (pbatch_is_dead(b)) {
            pbatch_settle(b, err, -1, why);
            continue;
        }
        *tail = b;
        tail = &b->next;
    }
    requeue(part, alive);
}

/* ---- the end of the stream ---- */

static bool behind(struct producer_mark m, struct producer_mark limit)
{
    return m.at > limit.at || (m.at == limit.at && m.line > limit.line);
}

/* How many records of b lie before limit. */
static int32_t records_before(const struct pbatch *b, struct producer_mark limit)
{
    int32_t low = 0, high = b->w.count;

    while (low < high) {
        int32_t mid = low + (high - low) / 2;
        if (behind(pbatch_mark(b, mid), limit))
            high = mid;
        else
            low = mid + 1;
    }
    return low;
}

/* Of what has never been sent only records before limit stay. */
static void cut_unsent(struct ppart *part, const struct producer_mark *limit, int err,
                       const struct kerr *why)
{
    struct pbatch *stay = NULL, **tail = &stay, *b;

    ppart_close_open(part);
    while (part->ready) {
        struct pbatch *rest = NULL;
        int32_t keep;
        b = ppart_take(part);
        keep = b->attempts > 0 ? b->w.count : limit ? records_before(b, *limit) : 0;
        if (keep > 0 && keep < b->w.count && !(rest = pbatch_split(b, keep)))
            keep = 0;
        if (keep > 0) {
            *tail = b;
            tail = &b->next;
            b = rest;
        }
        if (b)
            pbatch_settle(b, err, -1, why);
    }
    requeue(part, stay);
}

void producer_fail(struct producer *p, struct pbatch *b, int err, const struct kerr *why)
{
    struct producer_mark limit = p->failed ? p->failed_at : b->first;
    struct ppart *dead = b->part;
    struct kerr said, unsent;

    said = why ? *why : (struct kerr){.code = err};
    kerr_set(&unsent, KE_CLOSED, "not sent, because of a failure before it");
    if (!p->failed || behind(limit, b->first)) {
        p->failed_at = limit = b->first;
        p->why = said;
    }
    p->ended = p->failed = true;
    if (!pbatch_is_dead(b))
        dead->dead_from = b->order;
    dead->dead = true;
    pbatch_settle(b, err, -1, &said);
    settle_dead(dead, KE_CLOSED, &unsent);
    for (struct ppart *part = p->active; part; part = part->next)
        if (!part->dead)
            cut_unsent(part, &limit, KE_CLOSED, &unsent);
}

void producer_end(struct producer *p, int err, const struct kerr *why)
{
    struct kerr said = why ? *why : (struct kerr){.code = err};

    p->ended = true;
    for (struct ppart *part = p->active; part; part = part->next)
        cut_unsent(part, NULL, err, &said);
}

void producer_lost(struct producer *p, const struct kerr *why)
{
    if (!p->failed) {
        p->failed = true;
        p->why = *why;
        p->failed_at = (struct producer_mark){UINT64_MAX, UINT64_MAX};
    }
    producer_end(p, why->code, why);
}
