#include "log/producers.h"

#include "base/hash.h"
#include "log/format.h"
#include "os/random.h"

#include <stdlib.h>
#include <string.h>

void producers_init(struct producers *t)
{
    *t = (struct producers){0};
}

void producers_clear(struct producers *t)
{
    for (size_t i = 0; i < t->cap; i++)
        free(t->slots[i]);
    free(t->slots);
    free(t->spare);
    producers_init(t);
}

static size_t slot_of(const struct producers *t, int64_t id)
{
    return (size_t)siphash(slice_of(&id, sizeof id), t->k0, t->k1) & (t->cap - 1);
}

static struct producer *find(const struct producers *t, int64_t id)
{
    if (t->cap == 0)
        return NULL;
    for (size_t i = slot_of(t, id); t->slots[i]; i = (i + 1) & (t->cap - 1))
        if (t->slots[i]->id == id)
            return t->slots[i];
    return NULL;
}

static void put(struct producers *t, struct producer *p)
{
    size_t i = slot_of(t, p->id);

    while (t->slots[i])
        i = (i + 1) & (t->cap - 1);
    t->slots[i] = p;
}

/* Rebuilds the table with room for n entries. */
static bool resize(struct producers *t, size_t n)
{
    struct producers old = *t;
    size_t cap = 4;

    while (cap * 3 / 4 < n)
        cap *= 2;
    t->slots = calloc(cap, sizeof *t->slots);
    if (!t->slots) {
        *t = old;
        return false;
    }
    if (old.cap == 0) {
        t->k0 = os_random_u64();
        t->k1 = os_random_u64();
    }
    t->cap = cap;
    for (size_t i = 0; i < old.cap; i++)
        if (old.slots[i])
            put(t, old.slots[i]);
    free(old.slots);
    return true;
}

/* Makes room for one more, and that one: the spare, which is not in the table yet. */
static struct producer *prepare(struct producers *t, int64_t id, int16_t epoch)
{
    if (t->n + 1 > t->cap * 3 / 4 && !resize(t, t->n + 1))
        return NULL;
    if (!t->spare)
        t->spare = malloc(sizeof *t->spare);
    if (t->spare)
        *t->spare = (struct producer){.id = id, .epoch = epoch, .coordinator_epoch = -1};
    return t->spare;
}

static void adopt_spare(struct producers *t)
{
    put(t, t->spare);
    t->spare = NULL;
    t->n++;
}

static struct producer_batch *nth(struct producer *p, int i)
{
    return &p->batch[(p->oldest + i) % PRODUCER_BATCHES];
}

/* The sequence so many behind s: they wrap to 0. */
static int32_t sequence_add(int32_t s, int32_t n)
{
    return (int32_t)(((int64_t)s + n) % ((int64_t)INT32_MAX + 1));
}

static int32_t last_sequence(const struct batch *b)
{
    return sequence_add(b->base_sequence, b->last_offset_delta);
}

static bool is_duplicate(struct producer *p, const struct batch *b, int64_t *first, int64_t *last)
{
    for (int i = 0; i < p->count; i++) {
        const struct producer_batch *v = nth(p, i);
        if (v->last_sequence == last_sequence(b) && v->offset_delta == b->last_offset_delta) {
            *first = v->last_offset - v->offset_delta;
            *last = v->last_offset;
            return true;
        }
    }
    return false;
}

int producers_check(struct producers *t, const struct batch *b, struct producer **out,
                    int64_t *first, int64_t *last, struct kerr *e)
{
    struct producer *p;
    int32_t expected;

    *out = NULL;
    if (b->producer_id < 0)
        return 0;
    p = find(t, b->producer_id);
    if (!p) {
        *out = prepare(t, b->producer_id, b->producer_epoch);
        return *out ? 0 : kerr_set(e, KE_NOMEM, "producer id %lld", (long long)b->producer_id);
    }
    *out = p;
    if (b->producer_epoch < p->epoch)
        return kerr_set(e, KE_EPOCH, "producer id %lld: epoch %d, the log has seen %d",
                        (long long)p->id, b->producer_epoch, p->epoch);
    if (b->producer_epoch > p->epoch || p->count == 0)
        expected = 0;
    else if (is_duplicate(p, b, first, last))
        return 1;
    else
        expected = sequence_add(nth(p, p->count - 1)->last_sequence, 1);
    if (b->base_sequence != expected)
        return kerr_set(e, KE_SEQUENCE, "producer id %lld, epoch %d: sequence %d, expected %d",
                        (long long)p->id, b->producer_epoch, b->base_sequence, expected);
    return 0;
}

void producers_add(struct producers *t, struct producer *p, const struct batch *b, mono_ns now)
{
    struct producer_batch *v;

    if (p == t->spare)
        adopt_spare(t);
    if (p->epoch != b->producer_epoch) {
        p->epoch = b->producer_epoch;
        p->count = p->oldest = 0;
    }
    if (p->count == PRODUCER_BATCHES) {
        p->oldest = (uint8_t)((p->oldest + 1) % PRODUCER_BATCHES);
        p->count--;
    }
    v = nth(p, p->count++);
    *v = (struct producer_batch){last_sequence(b), b->last_offset_delta, batch_last_offset(b),
                                 b->max_timestamp};
    p->used = now;
}

bool producers_replay(struct producers *t, const struct batch *b, mono_ns now)
{
    struct producer *p;

    if (b->producer_id < 0 || b->base_sequence < 0 || (b->attributes & BATCH_CONTROL))
        return true;
    p = find(t, b->producer_id);
    if (!p)
        p = prepare(t, b->producer_id, b->producer_epoch);
    if (p)
        producers_add(t, p, b, now);
    return p != NULL;
}

void producers_recall(struct producers *t, const struct producers *before)
{
    for (size_t i = 0; i < t->cap; i++) {
        struct producer *p = t->slots[i], *q = p ? find(before, p->id) : NULL;
        if (!q || p->count != 1 || q->count == 0 || q->epoch != p->epoch ||
            nth(q, q->count - 1)->last_offset != nth(p, 0)->last_offset)
            continue;
        memcpy(p->batch, q->batch, sizeof p->batch);
        p->count = q->count;
        p->oldest = q->oldest;
    }
}

void producers_expire(struct producers *t, mono_ns before)
{
    struct producers old = *t;
    size_t kept = 0;

    for (size_t i = 0; i < t->cap; i++)
        kept += t->slots[i] && t->slots[i]->used.ns >= before.ns;
    if (kept == t->n)
        return;
    /* Without memory for the new table they stay until the next time. */
    t->slots = calloc(t->cap, sizeof *t->slots);
    if (!t->slots) {
        *t = old;
        return;
    }
    for (size_t i = 0; i < t->cap; i++) {
        if (old.slots[i] && old.slots[i]->used.ns >= before.ns)
            put(t, old.slots[i]);
        else
            free(old.slots[i]);
    }
    free(old.slots);
    t->n = kept;
    resize(t, kept + 1);
}

bool producers_save(const struct producers *t, struct buf *out)
{
    struct producer_entry *v = calloc(t->n ? t->n : 1, sizeof *v);
    int32_t n = 0;
    bool ok;

    if (!v)
        return false;
    for (size_t i = 0; i < t->cap; i++) {
        struct producer *p = t->slots[i];
        if (!p)
            continue;
        v[n] = (struct producer_entry){.producer_id = p->id,
                                       .epoch = p->epoch,
                                       .last_sequence = -1,
                                       .last_offset = -1,
                                       .timestamp = -1,
                                       .coordinator_epoch = p->coordinator_epoch,
                                       .txn_first_offset = -1};
        if (p->count > 0) {
            const struct producer_batch *b = nth(p, p->count - 1);
            v[n].last_sequence = b->last_sequence;
            v[n].last_offset = b->last_offset;
            v[n].offset_delta = b->offset_delta;
            v[n].timestamp = b->timestamp;
        }
        n++;
    }
    ok = snapshot_write(out, v, n);
    free(v);
    return ok;
}

int producers_load(struct producers *t, struct slice snapshot, mono_ns now, struct kerr *e)
{
    int32_t n;
    int rc = snapshot_parse(snapshot, &n, e);

    if (rc < 0)
        return rc;
    for (int32_t i = 0; i < n; i++) {
        struct producer_entry v = snapshot_entry(snapshot, i);
        struct producer *p;
        if (v.producer_id < 0 || v.epoch < 0 || v.offset_delta < 0 ||
            v.last_offset < (v.last_sequence < 0 ? -1 : v.offset_delta) || find(t, v.producer_id))
            return kerr_set(e, KE_CORRUPT, "producer snapshot: entry %d", i);
        p = prepare(t, v.producer_id, v.epoch);
        if (!p)
            return kerr_set(e, KE_NOMEM, "producer snapshot of %d entries", n);
        adopt_spare(t);
        p->coordinator_epoch = v.coordinator_epoch;
        p->used = now;
        if (v.last_sequence < 0)
            continue;
        p->count = 1;
        p->batch[0] =
            (struct producer_batch){v.last_sequence, v.offset_delta, v.last_offset, v.timestamp};
    }
    return 0;
}
