/*
 * DeleteRecords: the low watermark goes up (-1: to the high watermark), segments that lie below it
 * go. The pool does it: files are deleted, and the answer waits until the new starts are on stable
 * storage, so that what was deleted does not come back after a crash.
 */
#include "broker/dispatch.h"
#include "broker/errmap.h"
#include "broker/lookup.h"
#include "broker/reactor.h"
#include "broker/settings.h"
#include "wire/delete_records_request.h"
#include "wire/delete_records_response.h"
#include "wire/error.h"

#define TO_HIGH_WATERMARK (-1)

typedef struct delete_records_response_delete_records_partition_result result;

struct trim {
    struct partition *partition;
    int64_t offset;
    result *out;
};

struct deletion {
    struct request *r;
    struct delete_records_response m;
    struct trim *trims;
    int32_t trim_count;
    struct pool_task work;
    struct net_task back;
};

static void reply(struct deletion *d)
{
    struct request *r = d->r;
    struct buf b = {0};

    for (int32_t i = 0; i < d->trim_count; i++)
        partition_release(&r->broker->partitions, d->trims[i].partition);
    r->failed = delete_records_response_has_error(&d->m);
    request_reply_begin(r, &b);
    request_reply(r, &b, delete_records_response_encode(&d->m, &b, r->version));
}

static void worked(struct net_task *t)
{
    reply((struct deletion *)((char *)t - offsetof(struct deletion, back)));
}

static void trim_one(struct deletion *d, struct trim *t)
{
    struct plog *log = t->partition->log;
    struct plog_ends ends;
    struct kerr e = {0};
    int rc;

    plog_ends(log, &ends);
    if (t->offset == TO_HIGH_WATERMARK)
        t->offset = ends.high_watermark;
    rc = t->offset < 0 ? KE_RANGE : plog_trim(log, t->offset, &e);
    t->out->error_code = errmap(rc);
    if (rc < 0 && rc != KE_RANGE)
        diag(d->r->broker->diag, DIAG_ERROR, "%s", kerr_msg(&e));
    if (rc < 0)
        return;
    plog_ends(log, &ends);
    t->out->low_watermark = ends.log_start;
}

/* The new starts of one directory, if it has any. */
static void keep_starts(struct deletion *d, struct logdir *dir)
{
    struct kerr e = {0};
    int rc = 0;

    for (int32_t i = 0; i < d->trim_count && rc == 0; i++)
        if (plog_dir(d->trims[i].partition->log) == dir && !d->trims[i].out->error_code) {
            rc = logdir_checkpoint_starts(dir, &e);
            break;
        }
    if (rc == 0)
        return;
    diag(d->r->broker->diag, DIAG_ERROR, "%s", kerr_msg(&e));
    for (int32_t i = 0; i < d->trim_count; i++)
        if (plog_dir(d->trims[i].partition->log) == dir && !d->trims[i].out->error_code) {
            d->trims[i].out->error_code = errmap(rc);
            d->trims[i].out->low_watermark = -1;
        }
}

static void work(struct pool_task *t)
{
    struct deletion *d = (struct deletion *)((char *)t - offsetof(struct deletion, work));
    struct broker *b = d->r->broker;

    for (int32_t i = 0; i < d->trim_count; i++)
        trim_one(d, &d->trims[i]);
    for (int i = 0; i < b->dir_count; i++)
        keep_starts(d, b->dirs[i]);
    net_post(d->r->reactor->loop, &d->back);
}

/* Topics of the brokers' own are not for clients to cut, and of compacted ones only the compaction
 * takes away. */
static int16_t refusal(const struct deletion *d, const struct catalog_image *image,
                       const struct lookup *l)
{
    if (!l->topic)
        return l->error;
    if (catalog_topic_name_internal(l->topic->name))
        return KAFKA_INVALID_TOPIC_EXCEPTION;
    return setting_cleanup(d->r->broker, image, l->topic, "compact") &&
                   !setting_cleanup(d->r->broker, image, l->topic, "delete")
               ? KAFKA_POLICY_VIOLATION
               : 0;
}

static bool ask_topic(struct deletion *d, const struct catalog_image *image,
                      const struct delete_records_request_delete_records_topic *q,
                      struct delete_records_response_delete_records_topic_result *o)
{
    struct lookup l = lookup_topic(d->r, image, false, q->name, (struct uuid){{0}}, OP_DELETE);
    int16_t refused = refusal(d, image, &l);
    bool ok = true;

    delete_records_response_delete_records_topic_result_init(o);
    o->name = arena_dup(&d->r->arena, q->name, &ok);
    o->partitions.n = q->partitions.n;
    o->partitions.v = arena_array(&d->r->arena, (size_t)q->partitions.n, sizeof *o->partitions.v);
    for (int32_t i = 0; ok && o->partitions.v && i < q->partitions.n; i++) {
        result *out = &o->partitions.v[i];
        struct partition *p = NULL;
        delete_records_response_delete_records_partition_result_init(out);
        out->partition_index = q->partitions.v[i].partition_index;
        out->low_watermark = -1;
        out->error_code = refused;
        if (!refused)
            p = lookup_partition(d->r, &l, out->partition_index, -1, &out->error_code);
        if (p)
            d->trims[d->trim_count++] = (struct trim){p, q->partitions.v[i].offset, out};
    }
    return ok && o->partitions.v;
}

static bool start(struct deletion *d, const struct delete_records_request *q)
{
    const struct catalog_image *image = catalog_image(d->r->broker->catalog);
    size_t total = 0;
    bool ok;

    for (int32_t i = 0; i < q->topics.n; i++)
        total += (size_t)q->topics.v[i].partitions.n;
    d->trims = arena_array(&d->r->arena, total, sizeof *d->trims);
    d->m.topics.n = q->topics.n;
    d->m.topics.v = arena_array(&d->r->arena, (size_t)q->topics.n, sizeof *d->m.topics.v);
    ok = d->trims && d->m.topics.v;
    for (int32_t i = 0; ok && i < q->topics.n; i++)
        ok = ask_topic(d, image, &q->topics.v[i], &d->m.topics.v[i]);
    catalog_image_release(image);
    return ok;
}

int handle_delete_records(struct request *r)
{
    struct delete_records_request q;
    struct deletion *d;
    int rc;

    if ((rc = delete_records_request_decode(&q, &r->body, r->version)) < 0)
        return rc;
    d = arena_alloc(&r->arena, sizeof *d);
    if (d) {
        d->r = r;
        delete_records_response_init(&d->m);
    }
    if (!d || !start(d, &q)) {
        for (int32_t i = 0; d && i < d->trim_count; i++)
            partition_release(&r->broker->partitions, d->trims[i].partition);
        request_kill(r, "out of memory");
        return 0;
    }
    d->work.run = work;
    d->back.run = worked;
    if (d->trim_count == 0)
        reply(d);
    else if (pool_submit(r->broker->pool, &d->work) < 0)
        work(&d->work);
    return 0;
}
