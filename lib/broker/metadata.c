#include "broker/dispatch.h"
#include "broker/lookup.h"
#include "broker/propose.h"
#include "broker/self.h"
#include "wire/error.h"
#include "wire/metadata_request.h"
#include "wire/metadata_response.h"

#define MADE_MAX 1000 /* topics that one request may have made; the others with the next one */

struct answer {
    struct request *r;
    const struct catalog_image *image;
    struct metadata_response m;
    int32_t self;
    int made; /* topics that this request has had made, or refused */
    bool topic_operations, ok;
};

static void add_self(struct answer *a, struct metadata_response_broker *out,
                     const struct self *self)
{
    metadata_response_broker_init(out);
    out->node_id = a->self;
    out->host = slice_str(self->host);
    out->port = self->port;
    a->m.brokers.v = out;
    a->m.brokers.n = 1;
}

static void add_partition(struct answer *a, const struct catalog_topic *t, int32_t index,
                          struct metadata_response_partition *out)
{
    const struct catalog_partition *p = &t->partitions[index];
    struct partition *here = partitions_get(&a->r->broker->partitions, t->id, index);

    metadata_response_partition_init(out);
    out->partition_index = index;
    out->leader_id = here ? a->self : -1;
    out->leader_epoch = p->leader_epoch;
    out->error_code = here ? 0 : KAFKA_LEADER_NOT_AVAILABLE;
    out->replica_nodes.v = &a->self;
    out->replica_nodes.n = 1;
    out->isr_nodes.v = &a->self;
    out->isr_nodes.n = here ? 1 : 0;
    out->offline_replicas.v = &a->self;
    out->offline_replicas.n = here ? 0 : 1;
    if (here)
        partition_release(&a->r->broker->partitions, here);
}

static void add_topic(struct answer *a, const struct catalog_topic *t,
                      struct metadata_response_topic *out)
{
    out->name = t->name;
    out->topic_id = t->id;
    out->is_internal = catalog_topic_name_internal(t->name);
    if (a->topic_operations)
        out->topic_authorized_operations = authz_operations(a->r, RES_TOPIC, t->name);
    out->partitions.n = t->partition_count;
    out->partitions.v =
        arena_array(&a->r->arena, (size_t)t->partition_count, sizeof *out->partitions.v);
    a->ok &= out->partitions.v != NULL;
    for (int32_t i = 0; a->ok && i < t->partition_count; i++)
        add_partition(a, t, i, &out->partitions.v[i]);
}

static int16_t make_missing(struct answer *a, struct slice name, bool allowed)
{
    struct broker *b = a->r->broker;
    int16_t refused;

    if (!catalog_topic_name_valid(name))
        return KAFKA_INVALID_TOPIC_EXCEPTION;
    if (!allowed || !b->live.auto_create || !authz_check(a->r, OP_CREATE, RES_TOPIC, name) ||
        a->made++ >= MADE_MAX)
        return KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
    refused = plan_refusal(b, a->image, name, b->live.num_partitions);
    if (refused)
        return refused;
    propose_topic_quietly(b, name); /* made or not: the client asks again */
    return KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
}

static void add_asked(struct answer *a, const struct metadata_request_topic *q, bool allowed,
                      struct metadata_response_topic *out)
{
    bool by_id = slice_is_null(q->name) || !uuid_is_zero(q->topic_id);
    struct lookup l;

    metadata_response_topic_init(out);
    if (by_id && a->r->version < 12) {
        out->name = slice_is_null(q->name) ? slice_str("") : q->name;
        out->error_code = KAFKA_INVALID_REQUEST;
        return;
    }
    l = lookup_topic(a->r, a->image, by_id, q->name, q->topic_id, OP_DESCRIBE);
    out->name = q->name;
    out->topic_id = q->topic_id;
    out->error_code = l.error;
    if (l.topic)
        add_topic(a, l.topic, out);
    else if (!by_id && l.error == KAFKA_UNKNOWN_TOPIC_OR_PARTITION)
        out->error_code = make_missing(a, q->name, allowed);
}

static void add_all(struct answer *a)
{
    int32_t n = 0;

    for (int32_t i = 0; i < a->image->topic_count; i++) {
        const struct catalog_topic *t = a->image->topics[i];
        if (!authz_check(a->r, OP_DESCRIBE, RES_TOPIC, t->name))
            continue;
        metadata_response_topic_init(&a->m.topics.v[n]);
        add_topic(a, t, &a->m.topics.v[n++]);
    }
    a->m.topics.n = n;
}

static void add_topics(struct answer *a, const struct metadata_request *q)
{
    /* version 0 has no null: there an empty list asks for all */
    bool all = q->topics.n < 0 || (a->r->version == 0 && q->topics.n == 0);
    int32_t n = all ? a->image->topic_count : q->topics.n;

    a->m.topics.v = arena_array(&a->r->arena, (size_t)n, sizeof *a->m.topics.v);
    a->m.topics.n = n;
    a->ok &= a->m.topics.v != NULL;
    if (a->ok && all)
        add_all(a);
    for (int32_t i = 0; a->ok && !all && i < n; i++)
        add_asked(a, &q->topics.v[i], q->allow_auto_topic_creation, &a->m.topics.v[i]);
}

int handle_metadata(struct request *r)
{
    struct answer a = {.r = r, .self = r->broker->conf.node_id, .ok = true};
    const struct self self = self_of(r);
    struct metadata_response_broker broker;
    struct metadata_request q;
    char cluster[UUID_TEXT];
    struct buf b = {0};
    int rc;

    if ((rc = metadata_request_decode(&q, &r->body, r->version)) < 0)
        return rc;
    metadata_response_init(&a.m);
    a.image = catalog_image(r->broker->catalog);
    a.topic_operations = q.include_topic_authorized_operations;
    add_self(&a, &broker, &self);
    a.m.cluster_id = slice_str(uuid_format(r->broker->cluster_id, cluster));
    a.m.controller_id = a.self;
    if (q.include_cluster_authorized_operations)
        a.m.cluster_authorized_operations = authz_operations(r, RES_CLUSTER, slice_str(""));
    add_topics(&a, &q);
    r->failed = a.ok && metadata_response_has_error(&a.m);
    request_reply_begin(r, &b);
    rc = KE_NOMEM;
    if (a.ok)
        rc = metadata_response_encode(&a.m, &b, r->version);
    catalog_image_release(a.image);
    request_reply(r, &b, rc);
    return 0;
}
