/*
 * Fetch: the header is made in memory, the records go from file to socket. A fetch that finds too
 * little parks on its partitions until the high watermark moves or its time is up; one that would
 * wait for a disk goes to the pool, which brings the pages in, and then tries again.
 *
 * In a session (KIP-227, sessions.h) all its partitions are looked at, but only those with news are
 * in the answer.
 */
#include "broker/dispatch.h"
#include "broker/errmap.h"
#include "broker/lookup.h"
#include "broker/reactor.h"
#include "broker/sessions.h"
#include "os/file.h"
#include "wire/error.h"
#include "wire/fetch_request.h"
#include "wire/fetch_response.h"

#include <stdlib.h>

#define SERVER_MAX ((int64_t)55 << 20) /* fetch.max.bytes of the broker */
#define COLD_TRIES 4                   /* after that the reactor waits for the disk itself */
#define LARGE_MS   1000                /* the longest wait of one that holds much memory */

struct fetch;

struct part {
    struct waiter waiter;
    struct fetch *fetch;
    struct partition *partition;
    int32_t index, leader_epoch;
    int64_t offset, seen; /* seen: the bound at the last look */
    size_t max;
    int16_t error;
    struct plog_ends ends;
    struct plog_source source;
};

struct topic {
    struct slice name;
    struct uuid id;
    struct part *parts;
    int32_t count;
};

struct fetch {
    struct request *r;
    struct topic *topics;
    int32_t topic_count;
    bool committed; /* isolation level */
    int16_t error;  /* of the whole */
    struct session_step session;
    int64_t min_bytes, max_bytes;
    mono_ns until;
    int cold_tries;
    bool done, on_pool, timed;
    _Atomic bool woken;
    struct net_task wake, back;
    struct pool_task warm;
    struct net_timer timer;
};

static void try_now(struct fetch *f);

/* ---- looking ---- */

static void drop_sources(struct fetch *f)
{
    for (int32_t i = 0; i < f->topic_count; i++)
        for (int32_t k = 0; k < f->topics[i].count; k++) {
            struct part *p = &f->topics[i].parts[k];
            if (p->source.size > 0)
                plog_source_release(&p->source);
            p->source = (struct plog_source){0};
        }
}

static int64_t bound_of(const struct fetch *f, const struct plog_ends *ends)
{
    return f->committed ? ends->lso : ends->high_watermark;
}

/* KE_AGAIN when a disk would be waited for. left: bytes that may still be taken. */
static int look(struct fetch *f, struct part *p, size_t left, bool first, int flags)
{
    size_t max = p->max < left ? p->max : left;
    struct kerr e = {0};
    int rc;

    if (!p->partition || p->error)
        return 0;
    if (atomic_load(&p->partition->gone)) {
        p->error = KAFKA_UNKNOWN_TOPIC_OR_PARTITION; /* its id was known */
        return 0;
    }
    plog_ends(p->partition->log, &p->ends);
    p->seen = bound_of(f, &p->ends);
    if (!first && max == 0)
        return 0;
    rc = plog_read(p->partition->log, p->offset, p->seen, max,
                   flags | (first ? PLOG_WHOLE_FIRST : 0), &p->source, &e);
    if (rc == KE_AGAIN)
        return rc;
    if (rc < 0) {
        p->source = (struct plog_source){0};
        p->error = rc == KE_RANGE ? KAFKA_OFFSET_OUT_OF_RANGE : errmap(rc);
        if (rc != KE_RANGE)
            diag(f->r->broker->diag, DIAG_ERROR, "fetch of %s at offset %lld: %s",
                 plog_name(p->partition->log), (long long)p->offset, kerr_msg(&e));
    }
    return 0;
}

struct found {
    int64_t bytes;
    bool error; /* somewhere: the answer is due */
};

/* Looks at every partition in the order of the request. The first that has something gives a whole
 * batch. */
static int look_everywhere(struct fetch *f, int flags, struct found *found)
{
    *found = (struct found){0};
    for (int32_t i = 0; i < f->topic_count; i++)
        for (int32_t k = 0; k < f->topics[i].count; k++) {
            struct part *p = &f->topics[i].parts[k];
            int64_t left = f->max_bytes - found->bytes;
            if (look(f, p, left > 0 ? (size_t)left : 0, found->bytes == 0, flags) == KE_AGAIN)
                return KE_AGAIN;
            found->bytes += (int64_t)p->source.size;
            found->error |= p->error != 0;
        }
    return 0;
}

/* ---- waiting for a disk ---- */

static void back_from_pool(struct net_task *t)
{
    struct fetch *f = (struct fetch *)((char *)t - offsetof(struct fetch, back));

    f->on_pool = false;
    try_now(f);
}

/* Reads the range through, so that it is in the page cache when the reactor sends it. In small
 * steps, without the kernel's readahead, which may be megabytes, and not while a flush runs: what
 * the disk is busy with is what other partitions' flushes wait behind. */
static void read_through(const struct plog_source *s, struct pool *flushes)
{
    enum { STEP = 64 << 10, PATIENCE_NS = 1000000 };
    char *junk = malloc(STEP);
    size_t at = 0;

    if (s->size > 0)
        os_no_readahead(s->fd);
    while (junk && at < s->size) {
        size_t n = s->size - at < STEP ? s->size - at : STEP;
        ssize_t k;
        pool_give_way(flushes, PATIENCE_NS);
        k = os_pread(s->fd, junk, n, s->at + (int64_t)at);
        if (k <= 0)
            break;
        at += (size_t)k;
    }
    free(junk);
}

static void warm(struct pool_task *t)
{
    struct fetch *f = (struct fetch *)((char *)t - offsetof(struct fetch, warm));
    struct found found;

    look_everywhere(f, 0, &found);
    for (int32_t i = 0; i < f->topic_count; i++)
        for (int32_t k = 0; k < f->topics[i].count; k++)
            read_through(&f->topics[i].parts[k].source, f->r->broker->flush_pool);
    drop_sources(f);
    net_post(f->r->reactor->loop, &f->back);
}

/* ---- the answer ---- */

static void stop_waiting(struct fetch *f)
{
    net_timer_clear(&f->timer);
    for (int32_t i = 0; i < f->topic_count; i++)
        for (int32_t k = 0; k < f->topics[i].count; k++)
            partition_unwait(&f->topics[i].parts[k].waiter);
}

static void let_go(struct fetch *f)
{
    stop_waiting(f);
    drop_sources(f);
    for (int32_t i = 0; i < f->topic_count; i++)
        for (int32_t k = 0; k < f->topics[i].count; k++) {
            struct part *p = &f->topics[i].parts[k];
            if (p->partition)
                partition_release(&f->r->broker->partitions, p->partition);
            p->partition = NULL;
        }
}

static void fill_part(const struct fetch *f, const struct part *p,
                      struct fetch_response_partition_data *out)
{
    fetch_response_partition_data_init(out);
    out->partition_index = p->index;
    out->error_code = p->error;
    out->high_watermark = -1;
    out->records = slice_of("", 0); /* null breaks old clients */
    if (!p->partition)
        return;
    if (!p->error) {
        out->high_watermark = p->ends.high_watermark;
        out->last_stable_offset = p->ends.lso;
        out->log_start_offset = p->ends.log_start;
    }
    if (f->committed) {
        out->aborted_transactions.v = NULL;
        out->aborted_transactions.n = 0;
    } else {
        out->aborted_transactions.n = -1;
    }
    if (p->source.size > 0)
        out->records = wire_records_elsewhere(p->source.size);
}

/* The session of this answer, held: the one that goes on, or a new one. NULL: there is none. */
static struct session *hold_session(struct fetch *f)
{
    struct sessions *t = f->r->broker->sessions;

    if (f->session.kind == SESSION_GOES_ON)
        return sessions_hold(t, f->session.id);
    if (f->session.kind == SESSION_NEW)
        return sessions_make(t, f->r->version >= 13, net_loop_now(f->r->reactor->loop));
    return NULL;
}

/* Whether a partition is to be in the answer. A new session that gets no further is given up. */
static bool is_told(struct fetch *f, struct session **s, const struct topic *t,
                    const struct part *p)
{
    const struct session_topic topic = {t->name, t->id};
    struct session_told now = {-1, -1};
    struct fetch_request_fetch_partition q;

    if (!*s)
        return true; /* also when the session has gone meanwhile: its client will find out */
    if (p->partition && !p->error)
        now = (struct session_told){p->ends.high_watermark, p->ends.log_start};
    if (f->session.kind == SESSION_GOES_ON)
        return session_tell(*s, &topic, p->index, p->source.size > 0, p->error != 0, &now);
    fetch_request_fetch_partition_init(&q);
    q.partition = p->index;
    q.current_leader_epoch = p->leader_epoch;
    q.fetch_offset = p->offset;
    q.partition_max_bytes = p->max < INT32_MAX ? (int32_t)p->max : INT32_MAX;
    if (!session_add(f->r->broker->sessions, *s, &topic, &q, &now)) {
        session_drop(f->r->broker->sessions, *s);
        sessions_release(f->r->broker->sessions);
        *s = NULL;
    }
    return true;
}

static bool fill_topics(struct fetch *f, struct session **s, struct fetch_response *out,
                        struct part **with, int32_t *count)
{
    struct arena *a = &f->r->arena;

    out->responses.v = arena_array(a, (size_t)f->topic_count, sizeof *out->responses.v);
    for (int32_t i = 0; out->responses.v && i < f->topic_count; i++) {
        struct topic *t = &f->topics[i];
        struct fetch_response_fetchable_topic_response *o = &out->responses.v[out->responses.n];
        fetch_response_fetchable_topic_response_init(o);
        o->topic = t->name;
        o->topic_id = t->id;
        o->partitions.v = arena_array(a, (size_t)t->count, sizeof *o->partitions.v);
        if (!o->partitions.v)
            return false;
        for (int32_t k = 0; k < t->count; k++) {
            if (!is_told(f, s, t, &t->parts[k]))
                continue;
            fill_part(f, &t->parts[k], &o->partitions.v[o->partitions.n++]);
            if (t->parts[k].source.size > 0)
                with[(*count)++] = &t->parts[k];
        }
        out->responses.n += o->partitions.n > 0 || f->session.kind != SESSION_GOES_ON;
    }
    return out->responses.v != NULL;
}

static bool fill(struct fetch *f, struct fetch_response *out, struct part **with, int32_t *count)
{
    struct session *s = hold_session(f);
    bool ok;

    fetch_response_init(out);
    out->error_code = f->error;
    ok = fill_topics(f, &s, out, with, count);
    out->session_id = s ? session_id(s) : f->session.id;
    if (s && !ok && f->session.kind == SESSION_NEW)
        session_drop(f->r->broker->sessions, s);
    if (s)
        sessions_release(f->r->broker->sessions);
    return ok;
}

static void release_source(void *arg)
{
    plog_source_release(arg);
    free(arg);
}

/* Cuts the encoded answer at its gaps and puts the files in. The sources go to the answer. */
static bool weave(struct fetch *f, const struct buf *b, const struct wire_gaps *gaps,
                  struct part **with)
{
    size_t from = 0;

    for (int32_t i = 0; i <= gaps->n; i++) {
        size_t to = i < gaps->n ? gaps->v[i].at : b->n;
        struct buf piece = {0};
        struct plog_source *s;
        struct net_file file;
        buf_put(&piece, b->p + from, to - from);
        if (piece.failed || !net_answer_bytes(f->r->answer, &piece)) {
            buf_free(&piece);
            return false;
        }
        from = to;
        if (i == gaps->n)
            break;
        s = malloc(sizeof *s);
        if (!s)
            return false;
        *s = with[i]->source;
        atomic_fetch_add_explicit(&with[i]->partition->bytes_out, (int64_t)s->size,
                                  memory_order_relaxed);
        with[i]->source = (struct plog_source){0};
        file = (struct net_file){s->fd, s->at, s->size, release_source, s};
        if (!net_answer_file(f->r->answer, &file)) {
            release_source(s);
            return false;
        }
    }
    return true;
}

static int32_t part_count(const struct fetch *f)
{
    int32_t n = 0;

    for (int32_t i = 0; i < f->topic_count; i++)
        n += f->topics[i].count;
    return n;
}

/* False: the answer cannot be made. */
static bool make_answer(struct fetch *f)
{
    size_t n = (size_t)part_count(f);
    struct part **with = arena_array(&f->r->arena, n, sizeof *with);
    struct wire_gaps gaps = {.v = arena_array(&f->r->arena, n, sizeof *gaps.v), .max = (int32_t)n};
    struct fetch_response out;
    struct buf b = {0};
    int32_t count = 0;
    bool ok = with && gaps.v && fill(f, &out, with, &count);

    if (ok) {
        f->r->failed = fetch_response_has_error(&out);
        request_reply_begin(f->r, &b);
        ok = fetch_response_encode_gaps(&out, &b, f->r->version, &gaps) == 0 && !b.failed &&
             weave(f, &b, &gaps, with);
    }
    buf_free(&b);
    return ok;
}

static void answer(struct fetch *f)
{
    struct request *r = f->r;
    struct connection *c = r->connection;
    bool alive = request_alive(r), ok = alive && make_answer(f);

    let_go(f);
    f->done = true;
    r->failed |= alive && !ok;
    if (ok)
        request_send(r);
    else
        net_answer_drop(r->answer);
    /* a wake-up on its way ends the request instead (f lies in its arena) */
    if (!atomic_load(&f->woken))
        request_end(r);
    if (alive && !ok)
        net_conn_close(c->conn);
}

/* Nobody waits for the answer any more. */
static void gone(struct request *r)
{
    struct fetch *f = r->waiting;

    if (!f->on_pool)
        answer(f);
}

/* ---- waiting for records ---- */

static void woken(struct net_task *t)
{
    struct fetch *f = (struct fetch *)((char *)t - offsetof(struct fetch, wake));

    atomic_store(&f->woken, false);
    if (f->done)
        request_end(f->r);
    else if (!f->on_pool)
        try_now(f);
}

static void wake(struct waiter *w)
{
    struct fetch *f = ((struct part *)((char *)w - offsetof(struct part, waiter)))->fetch;

    if (!atomic_exchange(&f->woken, true))
        net_post(f->r->reactor->loop, &f->wake);
}

static void time_is_up(struct net_timer *t)
{
    struct fetch *f = (struct fetch *)((char *)t - offsetof(struct fetch, timer));

    if (!f->on_pool)
        try_now(f);
}

/* False when something has come already. */
static bool park(struct fetch *f)
{
    bool all = true;

    for (int32_t i = 0; i < f->topic_count; i++)
        for (int32_t k = 0; k < f->topics[i].count; k++) {
            struct part *p = &f->topics[i].parts[k];
            if (!p->partition)
                continue;
            partition_unwait(&p->waiter);
            p->waiter.need = p->ends.high_watermark + 1;
            p->waiter.eager = true;
            p->waiter.wake = wake;
            all &= partition_wait(p->partition, &p->waiter);
            /* what was appended and is not stable yet is wanted now */
            if (p->ends.end > p->ends.stable)
                plog_flush_soon(p->partition->log);
        }
    return all;
}

static void try_now(struct fetch *f)
{
    struct request *r = f->r;
    mono_ns now = net_loop_now(r->reactor->loop);
    struct found found;
    bool over;

    do {
        drop_sources(f);
        over = now.ns >= f->until.ns || atomic_load(&r->broker->stopping) || !request_alive(r);
        if (look_everywhere(f, f->cold_tries < COLD_TRIES ? PLOG_NOWAIT : 0, &found) == KE_AGAIN) {
            f->cold_tries++;
            f->on_pool = true;
            drop_sources(f);
            if (pool_submit(r->broker->pool, &f->warm) == 0)
                return;
            f->on_pool = false;
            f->cold_tries = COLD_TRIES;
            continue;
        }
        if (found.bytes >= f->min_bytes || found.error || over || part_count(f) == 0) {
            answer(f);
            return;
        }
    } while (!park(f));
    drop_sources(f);
    if (!f->timed) {
        int64_t ms = (f->until.ns - now.ns + 999999) / 1000000;
        if (r->arena.total > SPARE_ARENA && ms > LARGE_MS) {
            ms = LARGE_MS;
            f->until = mono_add_ms(now, ms);
        }
        f->timed = true;
        r->waiting = f;
        request_watch(r, gone);
        if (net_timer_set(&f->timer, ms) < 0)
            answer(f);
    }
}

/* ---- the beginning ---- */

static void start_part(struct fetch *f, struct part *p, const struct lookup *l,
                       const struct fetch_request_fetch_partition *q)
{
    p->fetch = f;
    p->index = q->partition;
    p->offset = q->fetch_offset;
    p->leader_epoch = q->current_leader_epoch;
    p->max = q->partition_max_bytes > 0 ? (size_t)q->partition_max_bytes : 0;
    p->partition = lookup_partition(f->r, l, q->partition, q->current_leader_epoch, &p->error);
}

/* A session keeps the name that an id had: with it a topic that has gone is told from one that has
 * been made anew. */
static void name_topics(struct fetch_request *q, const struct catalog_image *image)
{
    for (int32_t i = 0; i < q->topics.n; i++) {
        const struct catalog_topic *t = catalog_topic_by_id(image, q->topics.v[i].topic_id);
        q->topics.v[i].topic = t ? t->name : slice_of("", 0);
    }
}

static bool start(struct fetch *f, const struct fetch_request *q, const struct catalog_image *image)
{
    struct arena *a = &f->r->arena;
    bool ok = true;

    f->topics = arena_array(a, (size_t)q->topics.n, sizeof *f->topics);
    for (int32_t i = 0; f->topics && i < q->topics.n; i++) {
        const struct fetch_request_fetch_topic *d = &q->topics.v[i];
        struct topic *t = &f->topics[i];
        struct lookup l =
            lookup_topic(f->r, image, f->r->version >= 13, d->topic, d->topic_id, OP_READ);
        t->name = arena_dup(a, d->topic, &ok);
        t->id = d->topic_id;
        t->parts = arena_array(a, (size_t)d->partitions.n, sizeof *t->parts);
        if (!t->parts || !ok)
            return false;
        t->count = d->partitions.n;
        f->topic_count = i + 1;
        for (int32_t k = 0; k < t->count; k++)
            start_part(f, &t->parts[k], &l, &d->partitions.v[k]);
    }
    return f->topics != NULL;
}

int handle_fetch(struct request *r)
{
    struct fetch_request q;
    const struct catalog_image *image;
    struct fetch *f;
    bool ok;
    int rc;

    if ((rc = fetch_request_decode(&q, &r->body, r->version)) < 0)
        return rc;
    f = arena_alloc(&r->arena, sizeof *f);
    if (!f) {
        request_kill(r, "out of memory");
        return 0;
    }
    f->r = r;
    f->committed = q.isolation_level == 1;
    f->max_bytes = q.max_bytes < SERVER_MAX ? q.max_bytes : SERVER_MAX;
    f->min_bytes = q.min_bytes < f->max_bytes ? q.min_bytes : f->max_bytes;
    f->until = mono_add_ms(net_loop_now(r->reactor->loop), q.max_wait_ms > 0 ? q.max_wait_ms : 0);
    f->wake.run = woken;
    f->back.run = back_from_pool;
    f->warm.run = warm;
    net_timer_init(&f->timer, r->reactor->loop, time_is_up);
    image = catalog_image(r->broker->catalog);
    if (r->version >= 13)
        name_topics(&q, image);
    f->session = sessions_begin(r->broker->sessions, &q, r->version >= 13,
                                net_loop_now(r->reactor->loop), &r->arena);
    f->error = f->session.error;
    ok = f->error || start(f, &q, image);
    catalog_image_release(image);
    if (f->error) {
        answer(f);
        return 0;
    }
    if (!ok) {
        let_go(f);
        request_kill(r, "out of memory");
        return 0;
    }
    try_now(f);
    return 0;
}
