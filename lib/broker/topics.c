/*
 * CreateTopics and DeleteTopics: every topic is checked, becomes one catalog command, and the
 * answer waits for all of them. What the catalog decides is what is answered: two who create the
 * same name at once get one success.
 */
#include "broker/dispatch.h"
#include "broker/propose.h"
#include "broker/settings.h"
#include "wire/create_topics_request.h"
#include "wire/create_topics_response.h"
#include "wire/delete_topics_request.h"
#include "wire/delete_topics_response.h"
#include "wire/error.h"

#include <stdlib.h>

#define PARTITIONS_MAX 10000 /* in one request, as in Kafka */

struct batch {
    struct round round;
    struct create_topics_response created;
    struct delete_topics_response deleted;
};

/* What was refused has a message, and nothing of what would have been. */
static void say_why(struct batch *t)
{
    for (int32_t i = 0; i < t->created.topics.n; i++) {
        struct create_topics_response_creatable_topic_result *c = &t->created.topics.v[i];
        if (!c->error_code)
            continue;
        c->num_partitions = c->replication_factor = -1;
        c->configs.n = -1;
        c->topic_id = (struct uuid){{0}};
        if (!c->error_message.p)
            c->error_message = slice_str(wire_error_text(c->error_code));
    }
    for (int32_t i = 0; i < t->deleted.responses.n; i++) {
        struct delete_topics_response_deletable_topic_result *d = &t->deleted.responses.v[i];
        if (d->error_code)
            d->error_message = slice_str(wire_error_text(d->error_code));
    }
}

static int encode_created(struct round *d, struct buf *b)
{
    struct batch *t = (struct batch *)d;

    say_why(t);
    d->r->failed = create_topics_response_has_error(&t->created);
    return create_topics_response_encode(&t->created, b, d->r->version);
}

static int encode_deleted(struct round *d, struct buf *b)
{
    struct batch *t = (struct batch *)d;

    say_why(t);
    d->r->failed = delete_topics_response_has_error(&t->deleted);
    return delete_topics_response_encode(&t->deleted, b, d->r->version);
}

static struct batch *batch_new(struct request *r, int (*encode)(struct round *d, struct buf *b))
{
    struct batch *t = arena_alloc(&r->arena, sizeof *t);

    if (!t)
        return NULL;
    round_init(&t->round, r, encode);
    create_topics_response_init(&t->created);
    delete_topics_response_init(&t->deleted);
    return t;
}

/* ---- create ---- */

typedef struct create_topics_request_creatable_topic creatable;
typedef struct create_topics_response_creatable_topic_result created;

static int16_t refuse(created *out, int16_t error, const char *message)
{
    out->error_message = slice_str(message);
    return error;
}

/* Manual assignments: each partition from 0 on, once, on this node. */
static int16_t check_assignments(struct request *r, const creatable *t, created *out)
{
    int32_t n = t->assignments.n;
    bool *seen = arena_array(&r->arena, (size_t)n, sizeof *seen);

    if (!seen)
        return KAFKA_UNKNOWN_SERVER_ERROR;
    for (int32_t i = 0; i < n; i++) {
        const struct create_topics_request_creatable_replica_assignment *a = &t->assignments.v[i];
        if (a->partition_index < 0 || a->partition_index >= n || seen[a->partition_index])
            return refuse(out, KAFKA_INVALID_REPLICA_ASSIGNMENT,
                          "partitions must be numbered from 0 without gaps or repetitions");
        seen[a->partition_index] = true;
        if (a->broker_ids.n != 1 || a->broker_ids.v[0] != r->broker->conf.node_id)
            return refuse(out, KAFKA_INVALID_REPLICA_ASSIGNMENT,
                          "every partition must be assigned to this one broker");
    }
    return 0;
}

static int16_t check_numbers(struct request *r, const creatable *t, created *out,
                             int32_t *partitions)
{
    if (t->assignments.n > 0) {
        if (t->num_partitions != -1 || t->replication_factor != -1)
            return refuse(out, KAFKA_INVALID_REQUEST,
                          "assignments exclude a number of partitions and a replication factor");
        *partitions = t->assignments.n;
        return check_assignments(r, t, out);
    }
    *partitions = t->num_partitions == -1 ? r->broker->live.num_partitions : t->num_partitions;
    if (*partitions < 1)
        return refuse(out, KAFKA_INVALID_PARTITIONS, "the number of partitions must be 1 or more");
    if (t->replication_factor != -1 && t->replication_factor != 1)
        return refuse(out, KAFKA_INVALID_REPLICATION_FACTOR,
                      "there is one broker: the replication factor must be 1");
    return 0;
}

static int by_name(const void *a, const void *b)
{
    return slice_cmp(((const struct catalog_config *)a)->name,
                     ((const struct catalog_config *)b)->name);
}

static int16_t refuse_config(struct request *r, created *out, const char *fmt, struct slice what)
{
    struct buf text = {0};
    bool ok = true;

    buf_printf(&text, fmt, (int)(what.n < 256 ? what.n : 256), (const char *)what.p);
    out->error_message = arena_dup(&r->arena, buf_slice(&text), &ok);
    buf_free(&text);
    return KAFKA_INVALID_CONFIG;
}

/* *configs: sorted by name; what they point to outlives the frame. */
static int16_t check_configs(struct request *r, const creatable *t, created *out,
                             struct catalog_config **configs)
{
    struct catalog_config *c = arena_array(&r->arena, (size_t)t->configs.n, sizeof *c);
    bool ok = c != NULL;

    for (int32_t i = 0; ok && i < t->configs.n; i++) {
        const struct create_topics_request_creatable_topic_config *q = &t->configs.v[i];
        const struct config_key *k = config_find_topic(q->name);
        struct kerr e = {0};
        if (!k)
            return refuse_config(r, out, "there is no topic configuration '%.*s'", q->name);
        if (config_check(k, k->topic, q->value, &e) < 0)
            return refuse_config(r, out, "%.*s", slice_str(kerr_msg(&e)));
        c[i] = (struct catalog_config){slice_str(k->topic), arena_dup(&r->arena, q->value, &ok)};
    }
    if (!ok)
        return KAFKA_UNKNOWN_SERVER_ERROR;
    qsort(c, (size_t)t->configs.n, sizeof *c, by_name);
    for (int32_t i = 1; i < t->configs.n; i++)
        if (slice_eq(c[i].name, c[i - 1].name))
            return refuse_config(r, out, "%.*s is given twice", c[i].name);
    *configs = c;
    return 0;
}

static bool list_configs(struct request *r, const struct catalog_image *image,
                         const struct catalog_topic *t, created *out)
{
    int32_t n = 0;

    while (config_keys[n].topic)
        n++;
    out->configs.v = arena_array(&r->arena, (size_t)n, sizeof *out->configs.v);
    out->configs.n = n;
    for (int32_t i = 0; out->configs.v && i < n; i++) {
        struct create_topics_response_creatable_topic_configs *c = &out->configs.v[i];
        struct setting s = setting_of(r->broker, image, t, &config_keys[i], &r->arena);
        bool ok = true;
        create_topics_response_creatable_topic_configs_init(c);
        c->name = s.name;
        c->value = arena_dup(&r->arena, s.value, &ok); /* the image may be gone before the answer */
        c->config_source = s.source;
        if (!ok)
            return false;
    }
    return out->configs.v != NULL;
}

/* One of the request's topics on its way to be sorted by name. */
struct named {
    struct slice name;
    int32_t at;
};

static int by_topic(const void *a, const void *b)
{
    return slice_cmp(((const struct named *)a)->name, ((const struct named *)b)->name);
}

/* Which topics the request names more than once; NULL without memory. */
static bool *find_repeated(struct request *r, const struct create_topics_request *q)
{
    size_t n = (size_t)q->topics.n;
    struct named *v = arena_array(&r->arena, n, sizeof *v);
    bool *repeated = arena_array(&r->arena, n, sizeof *repeated);

    if (!v || !repeated)
        return NULL;
    for (size_t i = 0; i < n; i++)
        v[i] = (struct named){q->topics.v[i].name, (int32_t)i};
    qsort(v, n, sizeof *v, by_topic);
    for (size_t i = 1; i < n; i++)
        if (slice_eq(v[i].name, v[i - 1].name))
            repeated[v[i].at] = repeated[v[i - 1].at] = true;
    return repeated;
}

/* Whether the request asks for more partitions than one request may. */
static bool too_many(const struct request *r, const struct create_topics_request *q)
{
    int64_t total = 0;

    for (int32_t i = 0; i < q->topics.n; i++) {
        const creatable *t = &q->topics.v[i];
        total += t->assignments.n > 0      ? t->assignments.n
                 : t->num_partitions == -1 ? r->broker->live.num_partitions
                 : t->num_partitions > 0   ? t->num_partitions
                                           : 0;
    }
    return total > PARTITIONS_MAX;
}

static int16_t create_one(struct batch *t, const creatable *w, bool validate_only,
                          const struct catalog_image *image, created *out)
{
    struct broker *b = t->round.r->broker;
    struct catalog_stamp stamp = broker_stamp(b);
    struct catalog_config *configs = NULL;
    struct catalog_topic *topic;
    struct buf cmd = {0};
    int32_t partitions;
    int16_t err;

    if (!authz_check(t->round.r, OP_CREATE, RES_TOPIC, w->name))
        return KAFKA_TOPIC_AUTHORIZATION_FAILED;
    if ((err = check_numbers(t->round.r, w, out, &partitions)) != 0 ||
        (err = plan_refusal(b, image, w->name, partitions)) != 0 ||
        (err = check_configs(t->round.r, w, out, &configs)) != 0)
        return err;
    topic = plan_topic(b, &t->round.r->arena, out->name, partitions);
    if (!topic)
        return KAFKA_UNKNOWN_SERVER_ERROR;
    topic->configs = configs;
    topic->config_count = w->configs.n;
    out->num_partitions = partitions;
    out->replication_factor = 1;
    if (t->round.r->version >= 5 && !list_configs(t->round.r, image, topic, out))
        return KAFKA_UNKNOWN_SERVER_ERROR;
    if (validate_only)
        return 0;
    out->topic_id = topic->id;
    if (catalog_cmd_create_topic(&cmd, &stamp, topic) < 0)
        cmd.failed = true;
    round_propose(
        &t->round, &cmd,
        &(struct round_change){.topics = 1, .partitions = partitions, .error = &out->error_code});
    return out->error_code;
}

static void create_all(struct batch *t, const struct create_topics_request *q, const bool *repeated)
{
    const struct catalog_image *image = catalog_image(t->round.r->broker->catalog);
    bool much = too_many(t->round.r, q);

    for (int32_t i = 0; i < q->topics.n; i++) {
        created *out = &t->created.topics.v[i];
        bool ok = true;
        create_topics_response_creatable_topic_result_init(out);
        out->num_partitions = out->replication_factor = -1;
        out->configs.n = -1;
        out->error_message = (struct slice){NULL, 0};
        out->name = arena_dup(&t->round.r->arena, q->topics.v[i].name, &ok);
        if (!ok)
            out->error_code = KAFKA_UNKNOWN_SERVER_ERROR;
        else if (much)
            out->error_code =
                refuse(out, KAFKA_POLICY_VIOLATION, "more than 10,000 partitions in one request");
        else if (repeated[i])
            out->error_code =
                refuse(out, KAFKA_INVALID_REQUEST, "the request names the topic twice");
        else
            out->error_code = create_one(t, &q->topics.v[i], q->validate_only, image, out);
    }
    catalog_image_release(image);
}

int handle_create_topics(struct request *r)
{
    struct create_topics_request q;
    struct batch *t;
    bool *repeated;
    int rc;

    if ((rc = create_topics_request_decode(&q, &r->body, r->version)) < 0)
        return rc;
    t = batch_new(r, encode_created);
    repeated = find_repeated(r, &q);
    if (t) {
        t->created.topics.n = q.topics.n;
        t->created.topics.v = arena_array(&r->arena, (size_t)q.topics.n, sizeof(created));
    }
    if (!t || !repeated || !t->created.topics.v) {
        request_kill(r, "out of memory");
        return 0;
    }
    create_all(t, &q, repeated);
    round_wait(&t->round, q.timeout_ms);
    return 0;
}

/* ---- delete ---- */

typedef struct delete_topics_response_deletable_topic_result deleted;

static int16_t delete_one(struct batch *t, const struct catalog_image *image, bool by_id,
                          deleted *out)
{
    const struct catalog_topic *topic =
        by_id ? catalog_topic_by_id(image, out->topic_id) : catalog_topic_by_name(image, out->name);
    struct catalog_stamp stamp = broker_stamp(t->round.r->broker);
    struct buf cmd = {0};
    bool ok = true;

    if (!authz_check(t->round.r, OP_DELETE, RES_TOPIC, topic ? topic->name : out->name))
        return by_id ? KAFKA_UNKNOWN_TOPIC_ID : KAFKA_TOPIC_AUTHORIZATION_FAILED;
    if (!topic)
        return by_id ? KAFKA_UNKNOWN_TOPIC_ID : KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
    if (!t->round.r->broker->live.delete_topics)
        return t->round.r->version < 3 ? KAFKA_INVALID_REQUEST : KAFKA_TOPIC_DELETION_DISABLED;
    out->name = arena_dup(&t->round.r->arena, topic->name, &ok);
    out->topic_id = topic->id;
    if (!ok || catalog_cmd_delete_topic(&cmd, &stamp, topic->id) < 0)
        cmd.failed = true;
    round_propose(&t->round, &cmd,
                  &(struct round_change){.no_topic = by_id ? KAFKA_UNKNOWN_TOPIC_ID : 0,
                                         .error = &out->error_code});
    return out->error_code;
}

static void delete_all(struct batch *t, const struct delete_topics_request *q)
{
    const struct catalog_image *image = catalog_image(t->round.r->broker->catalog);
    bool states = t->round.r->version >= 6; /* names or ids */

    for (int32_t i = 0; i < t->deleted.responses.n; i++) {
        deleted *out = &t->deleted.responses.v[i];
        struct slice name = states ? q->topics.v[i].name : q->topic_names.v[i];
        bool ok = true;
        delete_topics_response_deletable_topic_result_init(out);
        out->name = arena_dup(&t->round.r->arena, name, &ok);
        if (states)
            out->topic_id = q->topics.v[i].topic_id;
        if (!ok)
            out->error_code = KAFKA_UNKNOWN_SERVER_ERROR;
        else if (states && slice_is_null(name) == uuid_is_zero(out->topic_id))
            out->error_code = KAFKA_INVALID_REQUEST; /* one or the other */
        else
            out->error_code = delete_one(t, image, slice_is_null(name), out);
    }
    catalog_image_release(image);
}

int handle_delete_topics(struct request *r)
{
    struct delete_topics_request q;
    struct batch *t;
    int32_t n;
    int rc;

    if ((rc = delete_topics_request_decode(&q, &r->body, r->version)) < 0)
        return rc;
    n = r->version >= 6 ? q.topics.n : q.topic_names.n;
    t = batch_new(r, encode_deleted);
    if (t) {
        t->deleted.responses.n = n;
        t->deleted.responses.v = arena_array(&r->arena, (size_t)n, sizeof(deleted));
    }
    if (!t || !t->deleted.responses.v) {
        request_kill(r, "out of memory");
        return 0;
    }
    delete_all(t, &q);
    round_wait(&t->round, q.timeout_ms);
    return 0;
}
