#include "client/producer_impl.h"
#include "record/batch.h"

#include <stdlib.h>
#include <string.h>

#define SPARES_MAX 16 /* batches that are kept with their memory */

struct pbatch *pbatch_new(struct ppart *part)
{
    struct producer *p = part->p;
    struct pbatch *b = p->spare;

    if (b) {
        p->spare = b->next;
        p->spares--;
    } else {
        b = calloc(1, sizeof *b);
        if (!b)
            return NULL;
    }
    *b = (struct pbatch){
        .part = part, .w = b->w, .deltas = b->deltas, .delta_cap = b->delta_cap, .sequence = -1};
    batch_start(&b->w);
    b->born = net_loop_now(client_loop(p->c));
    p->batches++;
    return b;
}

void pbatch_free(struct pbatch *b)
{
    batch_builder_free(&b->w);
    free(b->deltas);
    free(b);
}

void pbatch_recycle(struct pbatch *b)
{
    struct producer *p = b->part->p;

    p->batches--;
    if (p->spares >= SPARES_MAX) {
        pbatch_free(b);
        return;
    }
    b->next = p->spare;
    p->spare = b;
    p->spares++;
}

/* ---- marks ---- */

bool pbatch_fits_mark(struct pbatch *b, struct producer_mark m)
{
    uint32_t *grown;
    int32_t cap = b->delta_cap ? b->delta_cap * 2 : 256;

    if (b->w.count > 0 && (m.at - b->first.at > UINT32_MAX || m.line - b->first.line > UINT32_MAX))
        return false;
    if (b->w.count < b->delta_cap)
        return true;
    grown = realloc(b->deltas, (size_t)cap * 2 * sizeof *grown);
    if (!grown)
        return false;
    b->deltas = grown;
    b->delta_cap = cap;
    return true;
}

static struct producer_mark mark_at(struct producer_mark first, const uint32_t *deltas, int32_t i)
{
    return (struct producer_mark){first.at + deltas[2 * i], first.line + deltas[2 * i + 1]};
}

struct producer_mark pbatch_mark(const struct pbatch *b, int32_t i)
{
    return mark_at(b->first, b->deltas, i);
}

struct producer_mark producer_report_mark(const struct producer_report *r, int32_t i)
{
    return mark_at(r->first, r->deltas, i);
}

/* ---- bytes ---- */

void pbatch_records(const struct pbatch *b, struct batch *out)
{
    *out = (struct batch){
        .base_timestamp = b->w.base_timestamp,
        .max_timestamp = b->w.max_timestamp,
        .producer_id = -1,
        .count = b->w.count,
        .last_offset_delta = b->w.count - 1,
        .records = slice_of(b->w.buf.p + BATCH_HEADER, b->raw_n - BATCH_HEADER),
    };
}

int pbatch_finish(struct pbatch *b, const struct client_conf *conf, struct kerr *e)
{
    struct producer *p = b->part->p;
    struct batch_fields f = {
        .codec = conf->codec,
        .level = conf->levels[conf->codec],
        .leader_epoch = -1,
        .producer_id = b->sequence < 0 ? -1 : p->producer_id,
        .producer_epoch = b->sequence < 0 ? -1 : p->epoch,
        .base_sequence = b->sequence,
    };

    b->w.buf.n = b->raw_n; /* what was sent may have had a tail */
    return batch_finish(&b->w, &f, &b->bytes, e);
}

/* Adds the records [from, to) of b to half, with their marks. */
static bool copy_records(struct pbatch *b, struct record_iter *it, int32_t from, int32_t to,
                         struct pbatch *half)
{
    struct header headers[64], *h = headers;
    struct batch all;
    struct record r;
    bool ok;

    pbatch_records(b, &all);
    ok = record_iter_begin(it, &all, 0, NULL) == 0;
    for (int32_t i = 0; ok && i < to; i++) {
        struct slice at;
        ok = record_next(it, &r, NULL) == 1;
        if (!ok || i < from)
            continue;
        if (r.header_count > 64 && !(h = calloc((size_t)r.header_count, sizeof *h)))
            return false;
        at = r.headers;
        for (int32_t k = 0; k < r.header_count; k++)
            record_header_next(&at, &h[k]);
        ok = pbatch_fits_mark(half, pbatch_mark(b, i)) &&
             batch_add(&half->w, r.timestamp, r.key, r.value, h, r.header_count);
        if (ok)
            pbatch_add_mark(half, pbatch_mark(b, i));
        if (h != headers)
            free(h);
        h = headers;
    }
    half->raw_n = half->w.buf.n;
    return ok;
}

void pbatch_add_mark(struct pbatch *b, struct producer_mark m)
{
    int32_t i = b->w.count - 1;

    if (i == 0)
        b->first = m;
    b->deltas[2 * i] = (uint32_t)(m.at - b->first.at);
    b->deltas[2 * i + 1] = (uint32_t)(m.line - b->first.line);
    b->last = m;
}

/* b gets the contents of half, and half the memory of b. */
static void take_over(struct pbatch *b, struct pbatch *half)
{
    struct batch_builder w = b->w;
    uint32_t *deltas = b->deltas;
    int32_t cap = b->delta_cap;

    b->w = half->w;
    b->deltas = half->deltas;
    b->delta_cap = half->delta_cap;
    b->first = half->first;
    b->last = half->last;
    b->raw_n = half->raw_n;
    half->w = w;
    half->deltas = deltas;
    half->delta_cap = cap;
}

struct pbatch *pbatch_split(struct pbatch *b, int32_t keep)
{
    struct producer *p = b->part->p;
    struct pbatch *head = pbatch_new(b->part), *tail = pbatch_new(b->part);
    struct record_iter *it = NULL;
    int64_t before = (int64_t)b->raw_n;
    bool ok = head && tail && record_iter_new(&it, NULL) == 0 &&
              copy_records(b, it, 0, keep, head) && copy_records(b, it, keep, b->w.count, tail);

    record_iter_free(it);
    if (ok) {
        take_over(b, head);
        p->used += (int64_t)(b->raw_n + tail->raw_n) - before;
        b->bytes = (struct slice){NULL, 0};
        tail->order = b->order + (uint64_t)keep;
        tail->born = b->born;
        tail->attempts = b->attempts;
        if (b->sequence >= 0) {
            tail->sequence = (int32_t)(((uint32_t)b->sequence + (uint32_t)keep) & INT32_MAX);
            p->sequenced++;
        }
    } else if (tail) {
        pbatch_recycle(tail);
        tail = NULL;
    }
    if (head)
        pbatch_recycle(head);
    return tail;
}
