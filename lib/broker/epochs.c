/*
 * OffsetForLeaderEpoch (KIP-101, KIP-320): where a leader epoch ended. A consumer learns up to its
 * high watermark, as with everything else.
 */
#include "broker/dispatch.h"
#include "broker/lookup.h"
#include "wire/error.h"
#include "wire/offset_for_leader_epoch_request.h"
#include "wire/offset_for_leader_epoch_response.h"

typedef struct offset_for_leader_epoch_request_offset_for_leader_partition asked;
typedef struct offset_for_leader_epoch_response_epoch_end_offset answered;

static void find_end(const struct request *r, const struct lookup *l, const asked *q, answered *out)
{
    struct partition *p;
    struct plog_ends ends;

    offset_for_leader_epoch_response_epoch_end_offset_init(out);
    out->partition = q->partition;
    p = lookup_partition(r, l, q->partition, q->current_leader_epoch, &out->error_code);
    if (!p)
        return;
    plog_ends(p->log, &ends);
    if (q->leader_epoch >= 0)
        plog_epoch_end(p->log, q->leader_epoch, &out->leader_epoch, &out->end_offset);
    /* nothing was written in the present epoch yet: it ends where the log does */
    if (out->leader_epoch < 0 &&
        q->leader_epoch == l->topic->partitions[q->partition].leader_epoch) {
        out->leader_epoch = q->leader_epoch;
        out->end_offset = ends.high_watermark;
    }
    if (out->end_offset > ends.high_watermark)
        out->end_offset = ends.high_watermark;
    partition_release(&r->broker->partitions, p);
}

static bool answer(struct request *r, const struct catalog_image *image,
                   const struct offset_for_leader_epoch_request *q,
                   struct offset_for_leader_epoch_response *m)
{
    m->topics.n = q->topics.n;
    m->topics.v = arena_array(&r->arena, (size_t)q->topics.n, sizeof *m->topics.v);
    for (int32_t i = 0; m->topics.v && i < q->topics.n; i++) {
        const struct offset_for_leader_epoch_request_offset_for_leader_topic *t = &q->topics.v[i];
        struct offset_for_leader_epoch_response_offset_for_leader_topic_result *o = &m->topics.v[i];
        struct lookup l = lookup_topic(r, image, false, t->topic, (struct uuid){{0}}, OP_DESCRIBE);
        offset_for_leader_epoch_response_offset_for_leader_topic_result_init(o);
        o->topic = t->topic;
        o->partitions.n = t->partitions.n;
        o->partitions.v = arena_array(&r->arena, (size_t)t->partitions.n, sizeof *o->partitions.v);
        if (!o->partitions.v)
            return false;
        for (int32_t k = 0; k < t->partitions.n; k++)
            find_end(r, &l, &t->partitions.v[k], &o->partitions.v[k]);
    }
    return m->topics.v != NULL;
}

int handle_offset_for_leader_epoch(struct request *r)
{
    struct offset_for_leader_epoch_request q;
    struct offset_for_leader_epoch_response m;
    const struct catalog_image *image;
    struct buf b = {0};
    bool ok;
    int rc;

    if ((rc = offset_for_leader_epoch_request_decode(&q, &r->body, r->version)) < 0)
        return rc;
    offset_for_leader_epoch_response_init(&m);
    image = catalog_image(r->broker->catalog);
    ok = answer(r, image, &q, &m);
    catalog_image_release(image);
    r->failed = ok && offset_for_leader_epoch_response_has_error(&m);
    request_reply_begin(r, &b);
    request_reply(r, &b,
                  ok ? offset_for_leader_epoch_response_encode(&m, &b, r->version) : KE_NOMEM);
    return 0;
}
