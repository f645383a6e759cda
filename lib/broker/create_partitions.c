/*
 * CreatePartitions: a topic gets more partitions, by one catalog command a topic that says how many
 * there were; of two who ask at once, one is told that it comes too late.
 */
#include "broker/dispatch.h"
#include "broker/propose.h"
#include "wire/create_partitions_request.h"
#include "wire/create_partitions_response.h"
#include "wire/error.h"

#include <stdlib.h>

#define PARTITIONS_MAX 10000 /* that one topic may get in one request */

typedef struct create_partitions_request_create_partitions_topic asked_topic;
typedef struct create_partitions_response_create_partitions_topic_result result;

struct growth {
    struct round round;
    struct create_partitions_response m;
};

static int encode(struct round *d, struct buf *b)
{
    struct growth *g = (struct growth *)d;

    for (int32_t i = 0; i < g->m.results.n; i++) {
        result *o = &g->m.results.v[i];
        if (o->error_code && !o->error_message.p)
            o->error_message = slice_str(wire_error_text(o->error_code));
    }
    d->r->failed = create_partitions_response_has_error(&g->m);
    return create_partitions_response_encode(&g->m, b, d->r->version);
}

static int16_t refuse(result *out, int16_t error, const char *message)
{
    out->error_message = slice_str(message);
    return error;
}

static int16_t check(struct request *r, const asked_topic *q, const struct catalog_topic *t,
                     result *out)
{
    if (q->count <= t->partition_count)
        return refuse(out, KAFKA_INVALID_PARTITIONS,
                      q->count == t->partition_count
                          ? "the topic has that many partitions already"
                          : "the topic has more partitions than that; they can only become more");
    if (q->count - t->partition_count > PARTITIONS_MAX)
        return refuse(out, KAFKA_POLICY_VIOLATION, "more than 10,000 partitions in one request");
    if (plan_too_many(r->broker, q->count - t->partition_count))
        return refuse(out, KAFKA_POLICY_VIOLATION, "more partitions than max.partitions allows");
    if (q->assignments.n >= 0 && q->assignments.n != q->count - t->partition_count)
        return refuse(out, KAFKA_INVALID_REPLICA_ASSIGNMENT,
                      "there must be one assignment for each partition that is added");
    for (int32_t i = 0; i < q->assignments.n; i++)
        if (q->assignments.v[i].broker_ids.n != 1 ||
            q->assignments.v[i].broker_ids.v[0] != r->broker->conf.node_id)
            return refuse(out, KAFKA_INVALID_REPLICA_ASSIGNMENT,
                          "every partition must be assigned to this one broker, once");
    return 0;
}

static int16_t grow(struct growth *g, const struct catalog_image *image, const asked_topic *q,
                    bool validate_only, result *out)
{
    struct request *r = g->round.r;
    const struct catalog_topic *t = catalog_topic_by_name(image, q->name);
    struct catalog_stamp stamp = broker_stamp(r->broker);
    struct catalog_partition *more;
    struct buf cmd = {0};
    int16_t err;
    int32_t n;

    if (!authz_check(r, OP_ALTER, RES_TOPIC, q->name))
        return KAFKA_TOPIC_AUTHORIZATION_FAILED;
    if (!t)
        return KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
    err = check(r, q, t, out);
    if (err || validate_only)
        return err;
    n = q->count - t->partition_count;
    more = plan_partitions(r->broker, &r->arena, n);
    if (!more ||
        catalog_cmd_create_partitions(&cmd, &stamp, t->id, t->partition_count, more, n) < 0)
        cmd.failed = true;
    round_propose(&g->round, &cmd,
                  &(struct round_change){.partitions = n, .error = &out->error_code});
    return out->error_code;
}

static int by_name(const void *a, const void *b)
{
    return slice_cmp(((const asked_topic *)a)->name, ((const asked_topic *)b)->name);
}

/* A name that is there twice is answered once, with an error. */
static void grow_all(struct growth *g, struct create_partitions_request *q)
{
    const struct catalog_image *image = catalog_image(g->round.r->broker->catalog);
    bool ok = true;

    if (q->topics.n > 1)
        qsort(q->topics.v, (size_t)q->topics.n, sizeof *q->topics.v, by_name);
    for (int32_t from = 0, to; from < q->topics.n; from = to) {
        const asked_topic *t = &q->topics.v[from];
        result *out = &g->m.results.v[g->m.results.n++];
        for (to = from; to < q->topics.n && by_name(t, &q->topics.v[to]) == 0;)
            to++;
        create_partitions_response_create_partitions_topic_result_init(out);
        out->name = arena_dup(&g->round.r->arena, t->name, &ok);
        if (to > from + 1)
            out->error_code =
                refuse(out, KAFKA_INVALID_REQUEST, "the request names the topic twice");
        else
            out->error_code =
                ok ? grow(g, image, t, q->validate_only, out) : KAFKA_UNKNOWN_SERVER_ERROR;
    }
    catalog_image_release(image);
}

int handle_create_partitions(struct request *r)
{
    struct create_partitions_request q;
    struct growth *g;
    int rc;

    if ((rc = create_partitions_request_decode(&q, &r->body, r->version)) < 0)
        return rc;
    g = arena_alloc(&r->arena, sizeof *g);
    if (g) {
        round_init(&g->round, r, encode);
        create_partitions_response_init(&g->m);
        g->m.results.v = arena_array(&r->arena, (size_t)q.topics.n, sizeof *g->m.results.v);
    }
    if (!g || !g->m.results.v) {
        request_kill(r, "out of memory");
        return 0;
    }
    grow_all(g, &q);
    round_wait(&g->round, q.timeout_ms);
    return 0;
}
