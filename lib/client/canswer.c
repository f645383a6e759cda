/*
 * What an answer to Fetch brings.
 */
#include "client/consumer_impl.h"
#include "wire/error.h"
#include "wire/fetch_response.h"

#include <stdlib.h>

void cdelivery_free(struct cdelivery *d)
{
    if (!d)
        return;
    net_frame_free(&d->frame);
    arena_free(&d->arena);
    free(d);
}

/* ---- one partition ---- */

static int by_producer(const void *x, const void *y)
{
    const struct caborted *a = x, *b = y;

    if (a->producer_id != b->producer_id)
        return a->producer_id < b->producer_id ? -1 : 1;
    return (a->first > b->first) - (a->first < b->first);
}

static bool take_aborted(struct cchunk *c, struct arena *arena,
                         const struct fetch_response_partition_data *m)
{
    int32_t n = m->aborted_transactions.n;

    if (n <= 0 || !c->part->k->conf->read_committed)
        return true;
    c->aborted = arena_array(arena, (size_t)n, sizeof *c->aborted);
    if (!c->aborted)
        return false;
    for (int32_t i = 0; i < n; i++)
        c->aborted[i] = (struct caborted){m->aborted_transactions.v[i].producer_id,
                                          m->aborted_transactions.v[i].first_offset, false};
    c->aborted_count = n;
    qsort(c->aborted, (size_t)n, sizeof *c->aborted, by_producer);
    return true;
}

/* Where the next fetch begins: behind the last whole batch. False when there is none. */
static bool look_ahead(struct cpart *p, struct slice s)
{
    struct batch b;
    bool any = false;
    int rc;

    while ((rc = s.n ? batch_parse(s, &b, NULL, NULL) : KE_AGAIN) == 0) {
        p->ahead = batch_last_offset(&b) + 1;
        any = true;
        s = slice_of(s.p + b.size, s.n - b.size);
    }
    p->damaged = rc != KE_AGAIN;
    return any || p->damaged;
}

/* Partitions that have been given something make way for the others. */
static void move_to_end(struct cpart *p)
{
    struct cpart **at = &p->k->parts;

    while (*at != p)
        at = &(*at)->next;
    *at = p->next;
    while (*at)
        at = &(*at)->next;
    p->next = NULL;
    *at = p;
}

static void recovered(struct cpart *p)
{
    if (p->attempts >= 1 && p->k->warned) {
        p->k->warned = false;
        diag(client_diag(p->k->c), DIAG_WARN, "%s-%d: it goes on", p->topic->name, p->index);
    }
    p->attempts = p->nonsense = 0;
}

static void refused(struct cpart *p, int16_t code)
{
    struct kerr why = {0};

    client_refused(&why, code, (struct slice){NULL, 0}, "%s-%d, offset %lld", p->topic->name,
                   p->index, (long long)p->ahead);
    if (code == KAFKA_OFFSET_OUT_OF_RANGE)
        why.code = KE_RANGE;
    else if (code == KAFKA_CORRUPT_MESSAGE)
        why.code = KE_CORRUPT;
    else if (wire_error_retriable(code) || code == KAFKA_UNKNOWN_SERVER_ERROR) {
        cpart_retry(p, &why);
        return;
    }
    cpart_fail(p, &why);
}

struct taking {
    struct crequest *q;
    struct cdelivery *d;
    bool any_bytes; /* of a partition before this one */
};

/* Something, but not even one batch: so it is with all but the first partition that has anything.
 */
static void no_batch(struct taking *t, struct cpart *p, size_t n)
{
    struct kerr why = {0};

    if (t->any_bytes)
        return;
    kerr_set(&why, KE_CORRUPT, "%s-%d, offset %lld: %zu bytes are no whole batch", p->topic->name,
             p->index, (long long)p->ahead, n);
    cpart_doubt(p, &why);
}

static int take_part(struct taking *t, struct cpart *p,
                     const struct fetch_response_partition_data *m, struct kerr *e)
{
    struct cchunk c = {.part = p, .rest = m->records};

    if (p->ended || p->why.code)
        return 0;
    if (m->error_code) {
        refused(p, m->error_code);
        return 0;
    }
    if (m->records.n == 0) {
        recovered(p);
        return 0;
    }
    if (!take_aborted(&c, &t->d->arena, m))
        return kerr_set(e, KE_NOMEM, "aborted transactions");
    if (look_ahead(p, m->records)) {
        recovered(p);
        move_to_end(p);
        t->d->chunks[t->d->n++] = c;
    } else {
        no_batch(t, p, m->records.n);
    }
    t->any_bytes = true;
    return 0;
}

/* ---- all of it ---- */

static bool is_topic(const struct cpart *p, const struct fetch_response_fetchable_topic_response *t,
                     int16_t version)
{
    return version >= 13 ? uuid_eq(p->id, t->topic_id) : slice_eq_str(t->topic, p->topic->name);
}

/* Answers come in the order of the request: the search begins behind the last one found. */
static struct cpart *claim(struct crequest *q,
                           const struct fetch_response_fetchable_topic_response *t, int32_t index,
                           int16_t version)
{
    for (int32_t k = 0; k < q->n; k++) {
        int32_t i = (q->claimed + k) % q->n;
        struct cpart *p = q->v[i];
        if (p && p->index == index && is_topic(p, t, version)) {
            q->v[i] = NULL;
            q->claimed = i + 1;
            return p;
        }
    }
    return NULL;
}

static int take_topic(struct taking *t, const struct fetch_response_fetchable_topic_response *m,
                      int16_t version, struct kerr *e)
{
    int rc = 0;

    for (int32_t i = 0; rc == 0 && i < m->partitions.n; i++) {
        const struct fetch_response_partition_data *d = &m->partitions.v[i];
        struct cpart *p = claim(t->q, m, d->partition_index, version);
        if (!p)
            return kerr_set(e, KE_CORRUPT,
                            "the answer to Fetch tells of a partition that was not asked for");
        rc = take_part(t, p, d, e);
    }
    return rc;
}

static int take_error(struct crequest *q, int16_t code)
{
    for (int32_t i = 0; i < q->n; i++) {
        struct cpart *p = q->v[i];
        q->v[i] = NULL;
        if (!p->ended && !p->why.code)
            refused(p, code);
    }
    return 0;
}

static int take(struct taking *t, struct slice body, int16_t version, struct kerr *e)
{
    struct fetch_response m;
    struct wire_reader in;
    int rc;

    wire_reader_init(&in, body, &t->d->arena);
    rc = fetch_response_decode(&m, &in, version);
    if (rc < 0)
        return kerr_set(e, rc, "malformed answer to Fetch");
    if (m.error_code)
        return take_error(t->q, m.error_code);
    t->d->chunks = arena_array(&t->d->arena, (size_t)t->q->n, sizeof *t->d->chunks);
    if (!t->d->chunks)
        return kerr_set(e, KE_NOMEM, "answer to Fetch");
    for (int32_t i = 0; rc == 0 && i < m.responses.n; i++)
        rc = take_topic(t, &m.responses.v[i], version, e);
    return rc;
}

int canswer_take(struct crequest *q, const struct client_reply *r, struct kerr *e)
{
    struct taking t = {.q = q, .d = calloc(1, sizeof *t.d)};
    size_t head = (size_t)(r->body.p - r->frame->data);
    int rc;

    if (!t.d || !net_frame_keep(r->conn, r->frame)) {
        free(t.d);
        return kerr_set(e, KE_NOMEM, "answer to Fetch");
    }
    t.d->frame = *r->frame;
    t.d->leader = q->leader;
    rc = take(&t, slice_of(t.d->frame.data + head, r->body.n), r->version, e);
    if (t.d->n == 0) {
        cdelivery_free(t.d);
        return rc;
    }
    q->leader->held++;
    consumer_queue(q->k, t.d);
    return rc;
}
