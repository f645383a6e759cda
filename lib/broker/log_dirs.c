/* DescribeLogDirs: what lies where, and how much room there is. */
#include "broker/dispatch.h"
#include "broker/errmap.h"
#include "wire/describe_log_dirs_request.h"
#include "wire/describe_log_dirs_response.h"
#include "wire/error.h"

#include <stdlib.h>

typedef struct describe_log_dirs_request_describable_log_dir_topic asked_topic;
typedef struct describe_log_dirs_response_describe_log_dirs_result described_dir;
typedef struct describe_log_dirs_response_describe_log_dirs_topic described_topic;

struct answer {
    struct request *r;
    const struct catalog_image *image;
    struct describe_log_dirs_response m;
};

/* The place of the next partition of a topic in a directory; topics come one after the other. */
static struct describe_log_dirs_response_describe_log_dirs_partition *
place_of(struct answer *a, described_dir *d, const struct catalog_topic *t)
{
    described_topic *last = d->topics.n ? &d->topics.v[d->topics.n - 1] : NULL;

    if (!last || !slice_eq(last->name, t->name)) {
        last = &d->topics.v[d->topics.n++];
        describe_log_dirs_response_describe_log_dirs_topic_init(last);
        last->name = t->name;
        last->partitions.v =
            arena_array(&a->r->arena, (size_t)t->partition_count, sizeof *last->partitions.v);
    }
    return last->partitions.v ? &last->partitions.v[last->partitions.n++] : NULL;
}

static bool add_partition(struct answer *a, const struct catalog_topic *t, int32_t index)
{
    struct describe_log_dirs_response_describe_log_dirs_partition *out;
    struct broker *b = a->r->broker;
    struct partition *p = partitions_get(&b->partitions, t->id, index);
    struct plog_ends ends;
    int dir = 0;

    if (!p)
        return true;
    while (b->dirs[dir] != plog_dir(p->log))
        dir++;
    out = place_of(a, &a->m.results.v[dir], t);
    if (out) {
        describe_log_dirs_response_describe_log_dirs_partition_init(out);
        plog_ends(p->log, &ends);
        out->partition_index = index;
        out->partition_size = ends.size;
    }
    partition_release(&b->partitions, p);
    return out != NULL;
}

static bool add_all(struct answer *a)
{
    for (int32_t i = 0; i < a->image->topic_count; i++)
        for (int32_t k = 0; k < a->image->topics[i]->partition_count; k++)
            if (!add_partition(a, a->image->topics[i], k))
                return false;
    return true;
}

static int by_topic(const void *a, const void *b)
{
    return slice_cmp(((const asked_topic *)a)->topic, ((const asked_topic *)b)->topic);
}

static int by_number(const void *a, const void *b)
{
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;

    return (x > y) - (x < y);
}

/* What is named more than once is told once. */
static bool add_asked(struct answer *a, struct describe_log_dirs_request *q)
{
    int32_t n = 0;
    int32_t *index;

    if (q->topics.n > 1)
        qsort(q->topics.v, (size_t)q->topics.n, sizeof *q->topics.v, by_topic);
    for (int32_t from = 0, to; from < q->topics.n; from = to) {
        const struct catalog_topic *t = catalog_topic_by_name(a->image, q->topics.v[from].topic);
        size_t total = 0;
        for (to = from; to < q->topics.n && by_topic(&q->topics.v[from], &q->topics.v[to]) == 0;
             to++)
            total += (size_t)q->topics.v[to].partitions.n;
        index = arena_array(&a->r->arena, total, sizeof *index);
        if (!index)
            return false;
        n = 0;
        for (int32_t i = from; i < to; i++)
            for (int32_t k = 0; k < q->topics.v[i].partitions.n; k++)
                index[n++] = q->topics.v[i].partitions.v[k];
        qsort(index, (size_t)n, sizeof *index, by_number);
        for (int32_t i = 0; t && i < n; i++)
            if (index[i] >= 0 && index[i] < t->partition_count &&
                (i == 0 || index[i] != index[i - 1]) && !add_partition(a, t, index[i]))
                return false;
    }
    return true;
}

static bool describe(struct answer *a, struct describe_log_dirs_request *q)
{
    struct broker *b = a->r->broker;
    size_t topics = (size_t)(q->topics.n < 0 ? a->image->topic_count : q->topics.n);

    a->m.results.v = arena_array(&a->r->arena, (size_t)b->dir_count, sizeof *a->m.results.v);
    if (!a->m.results.v)
        return false;
    for (int i = 0; i < b->dir_count; i++) {
        described_dir *d = &a->m.results.v[a->m.results.n++];
        struct kerr e = {0};
        describe_log_dirs_response_describe_log_dirs_result_init(d);
        d->log_dir = slice_str(logdir_path(b->dirs[i]));
        d->error_code = errmap(logdir_space(b->dirs[i], &d->total_bytes, &d->usable_bytes, &e));
        if (d->error_code)
            diag(b->diag, DIAG_ERROR, "%s", kerr_msg(&e));
        d->topics.v = arena_array(&a->r->arena, topics, sizeof *d->topics.v);
        if (!d->topics.v)
            return false;
    }
    return q->topics.n < 0 ? add_all(a) : add_asked(a, q);
}

int handle_describe_log_dirs(struct request *r)
{
    struct answer a = {.r = r};
    struct describe_log_dirs_request q;
    struct buf b = {0};
    bool ok = true;
    int rc;

    if ((rc = describe_log_dirs_request_decode(&q, &r->body, r->version)) < 0)
        return rc;
    describe_log_dirs_response_init(&a.m);
    a.image = catalog_image(r->broker->catalog);
    if (authz_cluster(r, OP_DESCRIBE))
        ok = describe(&a, &q);
    else
        a.m.error_code = KAFKA_CLUSTER_AUTHORIZATION_FAILED;
    r->failed = ok && describe_log_dirs_response_has_error(&a.m);
    request_reply_begin(r, &b);
    request_reply(r, &b, ok ? describe_log_dirs_response_encode(&a.m, &b, r->version) : KE_NOMEM);
    catalog_image_release(a.image);
    return 0;
}
