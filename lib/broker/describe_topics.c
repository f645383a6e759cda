/*
 * DescribeTopicPartitions (KIP-966): topics in the order of their names, as many partitions as the
 * caller asks for and PARTITIONS_MAX allows, and a cursor to where the next answer begins.
 */
#include "broker/dispatch.h"
#include "broker/lookup.h"
#include "wire/describe_topic_partitions_request.h"
#include "wire/describe_topic_partitions_response.h"
#include "wire/error.h"

#include <stdlib.h>

#define PARTITIONS_MAX 2000 /* Kafka's max.request.partition.size.limit */

struct answer {
    struct request *r;
    const struct catalog_image *image;
    struct describe_topic_partitions_response m;
    struct describe_topic_partitions_response_cursor next;
    int32_t self;
    int32_t left; /* partitions that may still be told */
};

static void describe_partition(struct answer *a, const struct catalog_topic *t, int32_t index,
                               struct describe_topic_partitions_response_partition *out)
{
    struct partition *here = partitions_get(&a->r->broker->partitions, t->id, index);

    describe_topic_partitions_response_partition_init(out);
    out->partition_index = index;
    out->leader_id = here ? a->self : -1;
    out->leader_epoch = t->partitions[index].leader_epoch;
    out->error_code = here ? 0 : KAFKA_LEADER_NOT_AVAILABLE;
    out->replica_nodes.v = out->isr_nodes.v = out->offline_replicas.v = &a->self;
    out->replica_nodes.n = 1;
    out->isr_nodes.n = here ? 1 : 0;
    out->offline_replicas.n = here ? 0 : 1;
    out->eligible_leader_replicas.n = out->last_known_elr.n = 0;
    if (here)
        partition_release(&a->r->broker->partitions, here);
}

static bool describe_topic(struct answer *a, const struct catalog_topic *t, int32_t from,
                           struct describe_topic_partitions_response_topic *out)
{
    int32_t n = from < t->partition_count ? t->partition_count - from : 0;

    if (n > a->left) {
        n = a->left;
        a->next.topic_name = t->name;
        a->next.partition_index = from + n;
        a->m.next_cursor = &a->next;
    }
    a->left -= n;
    out->topic_id = t->id;
    out->is_internal = catalog_topic_name_internal(t->name);
    out->partitions.n = n;
    out->partitions.v = arena_array(&a->r->arena, (size_t)n, sizeof *out->partitions.v);
    if (!out->partitions.v)
        return false;
    for (int32_t i = 0; i < n; i++)
        describe_partition(a, t, from + i, &out->partitions.v[i]);
    return true;
}

/* One topic more in the answer, or the cursor to it. False without memory. */
static bool add(struct answer *a, struct slice name, const struct catalog_topic *t, int16_t error,
                int32_t from)
{
    struct describe_topic_partitions_response_topic *out = &a->m.topics.v[a->m.topics.n];

    if (a->left == 0) {
        a->next.topic_name = name;
        a->next.partition_index = 0;
        a->m.next_cursor = &a->next;
        return true;
    }
    a->m.topics.n++;
    describe_topic_partitions_response_topic_init(out);
    out->name = name;
    out->error_code = error;
    if (error != KAFKA_TOPIC_AUTHORIZATION_FAILED)
        out->topic_authorized_operations = authz_operations(a->r, RES_TOPIC, name);
    return !t || describe_topic(a, t, from, out);
}

static int by_name(const void *a, const void *b)
{
    return slice_cmp(((const struct describe_topic_partitions_request_topic_request *)a)->name,
                     ((const struct describe_topic_partitions_request_topic_request *)b)->name);
}

static int32_t from_of(const struct describe_topic_partitions_request *q, struct slice name)
{
    return q->cursor && slice_eq(q->cursor->topic_name, name) ? q->cursor->partition_index : 0;
}

static bool before_cursor(const struct describe_topic_partitions_request *q, struct slice name)
{
    return q->cursor && slice_cmp(name, q->cursor->topic_name) < 0;
}

static bool add_asked(struct answer *a, struct describe_topic_partitions_request *q)
{
    qsort(q->topics.v, (size_t)q->topics.n, sizeof *q->topics.v, by_name);
    for (int32_t i = 0; !a->m.next_cursor && i < q->topics.n; i++) {
        struct slice name = q->topics.v[i].name;
        struct lookup l;
        if (before_cursor(q, name) || (i > 0 && slice_eq(name, q->topics.v[i - 1].name)))
            continue;
        l = lookup_topic(a->r, a->image, false, name, (struct uuid){{0}}, OP_DESCRIBE);
        if (l.error == KAFKA_UNKNOWN_TOPIC_OR_PARTITION && !catalog_topic_name_valid(name))
            l.error = KAFKA_INVALID_TOPIC_EXCEPTION;
        if (!add(a, name, l.topic, l.error, from_of(q, name)))
            return false;
    }
    return true;
}

static bool add_all(struct answer *a, const struct describe_topic_partitions_request *q)
{
    for (int32_t i = 0; !a->m.next_cursor && i < a->image->topic_count; i++) {
        const struct catalog_topic *t = a->image->topics[i];
        if (before_cursor(q, t->name) || !authz_check(a->r, OP_DESCRIBE, RES_TOPIC, t->name))
            continue;
        if (!add(a, t->name, t, 0, from_of(q, t->name)))
            return false;
    }
    return true;
}

/* A cursor must name one of the topics that are asked for. */
static bool cursor_fits(const struct describe_topic_partitions_request *q)
{
    if (!q->cursor)
        return true;
    if (q->cursor->partition_index < 0)
        return false;
    for (int32_t i = 0; i < q->topics.n; i++)
        if (slice_eq(q->topics.v[i].name, q->cursor->topic_name))
            return true;
    return q->topics.n == 0;
}

static void refuse_all(struct answer *a, const struct describe_topic_partitions_request *q)
{
    a->m.topics.n = q->topics.n;
    for (int32_t i = 0; i < q->topics.n; i++) {
        describe_topic_partitions_response_topic_init(&a->m.topics.v[i]);
        a->m.topics.v[i].name = q->topics.v[i].name;
        a->m.topics.v[i].error_code = KAFKA_INVALID_REQUEST;
    }
}

int handle_describe_topic_partitions(struct request *r)
{
    struct answer a = {.r = r, .self = r->broker->conf.node_id};
    struct describe_topic_partitions_request q;
    struct buf b = {0};
    bool ok;
    int rc;

    if ((rc = describe_topic_partitions_request_decode(&q, &r->body, r->version)) < 0)
        return rc;
    describe_topic_partitions_response_init(&a.m);
    a.left = q.response_partition_limit;
    a.left = a.left < 1 ? 1 : a.left > PARTITIONS_MAX ? PARTITIONS_MAX : a.left;
    a.image = catalog_image(r->broker->catalog);
    a.m.topics.v = arena_array(&r->arena, (size_t)(q.topics.n ? q.topics.n : a.image->topic_count),
                               sizeof *a.m.topics.v);
    ok = a.m.topics.v != NULL;
    if (ok && !cursor_fits(&q))
        refuse_all(&a, &q);
    else if (ok)
        ok = q.topics.n ? add_asked(&a, &q) : add_all(&a, &q);
    r->failed = ok && describe_topic_partitions_response_has_error(&a.m);
    request_reply_begin(r, &b);
    request_reply(r, &b,
                  ok ? describe_topic_partitions_response_encode(&a.m, &b, r->version) : KE_NOMEM);
    catalog_image_release(a.image);
    return 0;
}
