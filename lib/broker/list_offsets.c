/*
 * ListOffsets: the ends are known; searches by time may wait for a disk and go to the pool, the
 * whole request at once.
 */
#include "broker/dispatch.h"
#include "broker/errmap.h"
#include "broker/lookup.h"
#include "broker/reactor.h"
#include "wire/error.h"
#include "wire/list_offsets_request.h"
#include "wire/list_offsets_response.h"

#include <stdlib.h>

enum special {
    LATEST = -1,
    EARLIEST = -2,
    MAX_TIMESTAMP = -3,
    EARLIEST_LOCAL = -4,
    LATEST_TIERED = -5,
    EARLIEST_PENDING_UPLOAD = -6
};

struct ask {
    struct partition *partition; /* NULL: no search */
    int64_t timestamp;
    struct list_offsets_response_list_offsets_partition_response *out;
};

/* A partition that the request names, at the place-th place. */
struct mention {
    struct slice topic;
    int32_t index, place;
};

enum named { ONCE, TWICE, AGAIN /* the others of one that is named twice */ };

struct listing {
    struct request *r;
    struct list_offsets_response m;
    bool committed;
    struct ask *searches;
    int32_t search_count;
    struct pool_task search;
    struct net_task back;
};

/* The first version that knows a special timestamp. */
static int16_t known_from(int64_t timestamp)
{
    switch (timestamp) {
    case MAX_TIMESTAMP:
        return 7;
    case EARLIEST_LOCAL:
        return 8;
    case LATEST_TIERED:
        return 9;
    case EARLIEST_PENDING_UPLOAD:
        return 11;
    default:
        return timestamp < EARLIEST ? INT16_MAX : 0;
    }
}

static int64_t bound_of(const struct listing *l, const struct plog_ends *ends)
{
    return l->committed ? ends->lso : ends->high_watermark;
}

/* True when it is answered; false: it has to be searched for. An empty log has its leader's epoch.
 */
static bool answer_end(const struct listing *l, struct partition *p, int64_t timestamp,
                       int32_t epoch,
                       struct list_offsets_response_list_offsets_partition_response *out)
{
    struct plog_ends ends;

    plog_ends(p->log, &ends);
    switch (timestamp) {
    case LATEST:
        out->offset = bound_of(l, &ends);
        out->leader_epoch = ends.leader_epoch < 0 ? epoch : ends.leader_epoch;
        return true;
    case EARLIEST:
    case EARLIEST_LOCAL:
        out->offset = timestamp == EARLIEST ? ends.log_start : ends.local_start;
        out->leader_epoch = ends.leader_epoch < 0 ? epoch : plog_epoch_at(p->log, out->offset);
        return true;
    case LATEST_TIERED: /* nothing is tiered: -1, -1 */
    case EARLIEST_PENDING_UPLOAD:
        return true;
    default:
        return false;
    }
}

static void search_one(const struct listing *l, struct ask *a)
{
    struct plog *log = a->partition->log;
    struct plog_ends ends;
    struct kerr e = {0};
    int64_t offset = -1, timestamp = -1;
    int rc;

    plog_ends(log, &ends);
    if (a->timestamp == MAX_TIMESTAMP)
        rc = plog_max_time(log, bound_of(l, &ends), &offset, &timestamp, &e);
    else
        rc = plog_find_time(log, a->timestamp, bound_of(l, &ends), &offset, &timestamp, &e);
    if (rc < 0) {
        a->out->error_code = errmap(rc);
        diag(l->r->broker->diag, DIAG_ERROR, "offset by time in %s: %s", plog_name(log),
             kerr_msg(&e));
        return;
    }
    a->out->offset = offset;
    a->out->timestamp = offset < 0 ? -1 : timestamp;
    if (offset >= 0)
        a->out->leader_epoch = plog_epoch_at(log, offset);
}

static void reply(struct listing *l)
{
    struct request *r = l->r;
    struct buf b = {0};

    for (int32_t i = 0; i < l->search_count; i++)
        partition_release(&r->broker->partitions, l->searches[i].partition);
    for (int32_t i = 0; r->version < 4 && i < l->m.topics.n; i++)
        for (int32_t k = 0; k < l->m.topics.v[i].partitions.n; k++)
            l->m.topics.v[i].partitions.v[k].leader_epoch = -1; /* cannot be told */
    r->failed = list_offsets_response_has_error(&l->m);
    request_reply_begin(r, &b);
    request_reply(r, &b, list_offsets_response_encode(&l->m, &b, r->version));
}

static void searched(struct net_task *t)
{
    reply((struct listing *)((char *)t - offsetof(struct listing, back)));
}

static void search(struct pool_task *t)
{
    struct listing *l = (struct listing *)((char *)t - offsetof(struct listing, search));

    for (int32_t i = 0; i < l->search_count; i++)
        search_one(l, &l->searches[i]);
    net_post(l->r->reactor->loop, &l->back);
}

static void ask_one(struct listing *l, const struct lookup *k,
                    const struct list_offsets_request_list_offsets_partition *q,
                    struct list_offsets_response_list_offsets_partition_response *out)
{
    struct partition *p;

    list_offsets_response_list_offsets_partition_response_init(out);
    out->partition_index = q->partition_index;
    p = lookup_partition(l->r, k, q->partition_index, q->current_leader_epoch, &out->error_code);
    if (p && l->r->version < known_from(q->timestamp))
        out->error_code = KAFKA_UNSUPPORTED_VERSION;
    if (p && !out->error_code &&
        !answer_end(l, p, q->timestamp, k->topic->partitions[q->partition_index].leader_epoch,
                    out)) {
        l->searches[l->search_count++] = (struct ask){p, q->timestamp, out};
        return;
    }
    if (p)
        partition_release(&l->r->broker->partitions, p);
}

/* ---- who is named twice ---- */

static int by_mention(const void *a, const void *b)
{
    const struct mention *x = a, *y = b;
    int c = slice_cmp(x->topic, y->topic);

    if (c == 0)
        c = x->index < y->index ? -1 : x->index > y->index;
    return c ? c : x->place < y->place ? -1 : x->place > y->place;
}

static bool same_partition(const struct mention *a, const struct mention *b)
{
    return a->index == b->index && slice_eq(a->topic, b->topic);
}

/* By place. NULL without memory. */
static enum named *find_repeated(const struct list_offsets_request *q, int32_t total,
                                 struct arena *a)
{
    enum named *named = arena_array(a, (size_t)total, sizeof *named);
    struct mention *v = arena_array(a, (size_t)total, sizeof *v);
    int32_t n = 0;

    if (!named || !v)
        return NULL;
    for (int32_t i = 0; i < q->topics.n; i++)
        for (int32_t k = 0; k < q->topics.v[i].partitions.n; k++, n++)
            v[n] = (struct mention){q->topics.v[i].name,
                                    q->topics.v[i].partitions.v[k].partition_index, n};
    if (total > 1)
        qsort(v, (size_t)total, sizeof *v, by_mention);
    for (int32_t i = 1; i < total; i++)
        if (same_partition(&v[i], &v[i - 1])) {
            named[v[i].place] = AGAIN;
            if (named[v[i - 1].place] == ONCE)
                named[v[i - 1].place] = TWICE;
        }
    return named;
}

static int32_t count_partitions(const struct list_offsets_request *q)
{
    int32_t total = 0;

    for (int32_t i = 0; i < q->topics.n; i++)
        total += q->topics.v[i].partitions.n;
    return total;
}

/* ---- the beginning ---- */

/* What is named twice is an error, told once. */
static void ask_topic(struct listing *l, const struct lookup *k,
                      const struct list_offsets_request_list_offsets_topic *t,
                      const enum named *named,
                      struct list_offsets_response_list_offsets_topic_response *o)
{
    for (int32_t i = 0; i < t->partitions.n; i++) {
        struct list_offsets_response_list_offsets_partition_response *out =
            &o->partitions.v[o->partitions.n];
        o->partitions.n += named[i] != AGAIN;
        if (named[i] == ONCE) {
            ask_one(l, k, &t->partitions.v[i], out);
        } else if (named[i] == TWICE) {
            list_offsets_response_list_offsets_partition_response_init(out);
            out->partition_index = t->partitions.v[i].partition_index;
            out->error_code = KAFKA_INVALID_REQUEST;
        }
    }
}

/* The names have to outlive the frame. */
static bool start(struct listing *l, const struct list_offsets_request *q,
                  const struct catalog_image *image)
{
    struct arena *a = &l->r->arena;
    int32_t total = count_partitions(q);
    const enum named *named = find_repeated(q, total, a);
    bool ok = true;

    l->searches = arena_array(a, (size_t)total, sizeof *l->searches);
    l->m.topics.v = arena_array(a, (size_t)q->topics.n, sizeof *l->m.topics.v);
    if (!named || !l->searches || !l->m.topics.v)
        return false;
    for (int32_t i = 0; i < q->topics.n; i++) {
        const struct list_offsets_request_list_offsets_topic *t = &q->topics.v[i];
        struct list_offsets_response_list_offsets_topic_response *o = &l->m.topics.v[l->m.topics.n];
        struct lookup k =
            lookup_topic(l->r, image, false, t->name, (struct uuid){{0}}, OP_DESCRIBE);
        list_offsets_response_list_offsets_topic_response_init(o);
        o->name = arena_dup(a, t->name, &ok);
        o->partitions.v = arena_array(a, (size_t)t->partitions.n, sizeof *o->partitions.v);
        if (!o->partitions.v || !ok)
            return false;
        ask_topic(l, &k, t, named, o);
        named += t->partitions.n;
        l->m.topics.n += o->partitions.n > 0 || t->partitions.n == 0;
    }
    return true;
}

int handle_list_offsets(struct request *r)
{
    struct list_offsets_request q;
    const struct catalog_image *image;
    struct listing *l;
    bool ok;
    int rc;

    if ((rc = list_offsets_request_decode(&q, &r->body, r->version)) < 0)
        return rc;
    l = arena_alloc(&r->arena, sizeof *l);
    if (!l) {
        request_kill(r, "out of memory");
        return 0;
    }
    l->r = r;
    l->committed = q.isolation_level == 1;
    list_offsets_response_init(&l->m);
    image = catalog_image(r->broker->catalog);
    ok = start(l, &q, image);
    catalog_image_release(image);
    if (!ok) {
        for (int32_t i = 0; i < l->search_count; i++)
            partition_release(&r->broker->partitions, l->searches[i].partition);
        request_kill(r, "out of memory");
        return 0;
    }
    l->search.run = search;
    l->back.run = searched;
    if (l->search_count == 0)
        reply(l);
    else if (pool_submit(r->broker->pool, &l->search) < 0)
        search(&l->search);
    return 0;
}
