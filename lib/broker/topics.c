/*
 * CreateTopics and DeleteTopics: every topic is checked, becomes one catalog command, and the
 * answer waits for all of them. What the catalog decides is what is answered: two who create the
 * same name at once get one success.
 */
#include "broker/dispatch.h"
#include "broker/propose.h"
#include "broker/reactor.h"
#include "broker/topic_conf.h"
#include "wire/create_topics_request.h"
#include "wire/create_topics_response.h"
#include "wire/delete_topics_request.h"
#include "wire/delete_topics_response.h"
#include "wire/error.h"

#include <stdlib.h>

enum config_source { SOURCE_TOPIC = 1, SOURCE_STATIC_BROKER = 4, SOURCE_DEFAULT = 5 };

struct change {
    struct proposal proposal;
    struct batch *batch;
    int16_t *error;
};

/* The commands of one request that are still open. */
struct batch {
    struct request *r;
    int open;
    bool create;
    struct create_topics_response created;
    struct delete_topics_response deleted;
};

static void reply(struct batch *t)
{
    struct request *r = t->r;
    struct buf b = {0};

    request_reply_begin(r, &b);
    request_reply(r, &b,
                  t->create ? create_topics_response_encode(&t->created, &b, r->version)
                            : delete_topics_response_encode(&t->deleted, &b, r->version));
}

static void decided(struct proposal *p)
{
    struct change *c = (struct change *)p;

    *c->error = proposal_error(p);
    if (--c->batch->open == 0)
        reply(c->batch);
}

/* cmd's memory is given back. */
static void submit(struct batch *t, struct buf *cmd, int16_t *error)
{
    struct change *c = arena_alloc(&t->r->arena, sizeof *c);

    if (c) {
        c->batch = t;
        c->error = error;
        c->proposal.done = decided;
        c->proposal.loop = t->r->reactor->loop;
    }
    if (c && !cmd->failed && propose(t->r->broker, buf_slice(cmd), &c->proposal) == 0)
        t->open++;
    else
        *error = KAFKA_KAFKA_STORAGE_ERROR;
    buf_free(cmd);
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
static int16_t check_assignments(const struct request *r, const creatable *t, created *out)
{
    for (int32_t want = 0; want < t->assignments.n; want++) {
        int32_t seen = 0;
        for (int32_t i = 0; i < t->assignments.n; i++)
            seen += t->assignments.v[i].partition_index == want;
        if (seen != 1)
            return refuse(out, KAFKA_INVALID_REPLICA_ASSIGNMENT,
                          "partitions must be numbered from 0 without gaps or repetitions");
        if (t->assignments.v[want].broker_ids.n != 1 ||
            t->assignments.v[want].broker_ids.v[0] != r->broker->conf.node_id)
            return refuse(out, KAFKA_INVALID_REPLICA_ASSIGNMENT,
                          "every partition must be assigned to this one broker");
    }
    return 0;
}

static int16_t check_numbers(const struct request *r, const creatable *t, created *out,
                             int32_t *partitions)
{
    if (t->assignments.n > 0) {
        if (t->num_partitions != -1 || t->replication_factor != -1)
            return refuse(out, KAFKA_INVALID_REQUEST,
                          "assignments exclude a number of partitions and a replication factor");
        *partitions = t->assignments.n;
        return check_assignments(r, t, out);
    }
    *partitions = t->num_partitions == -1 ? r->broker->conf.num_partitions : t->num_partitions;
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

static int16_t check_configs(struct request *r, const creatable *t, created *out,
                             struct catalog_config **configs)
{
    struct catalog_config *c = arena_array(&r->arena, (size_t)t->configs.n, sizeof *c);
    bool ok = c != NULL;

    for (int32_t i = 0; ok && i < t->configs.n; i++) {
        const struct topic_conf_key *k = topic_conf_find(t->configs.v[i].name);
        struct kerr e = {0};
        c[i] = (struct catalog_config){t->configs.v[i].name, t->configs.v[i].value};
        if (!k || topic_conf_check(k, t->configs.v[i].value, &e) < 0) {
            out->error_message = k ? arena_dup(&r->arena, slice_str(kerr_msg(&e)), &ok)
                                   : slice_str("unknown topic configuration");
            return KAFKA_INVALID_CONFIG;
        }
        for (int32_t n = 0; n < i; n++)
            if (slice_eq(c[n].name, c[i].name))
                return refuse(out, KAFKA_INVALID_CONFIG, "a configuration is given twice");
    }
    if (!ok)
        return KAFKA_UNKNOWN_SERVER_ERROR;
    qsort(c, (size_t)t->configs.n, sizeof *c, by_name);
    *configs = c;
    return 0;
}

/* The value that a setting has without the topic's own, and where it is from. */
static struct slice default_of(const struct broker *b, const struct topic_conf_key *k,
                               int8_t *source)
{
    struct slice s = buf_slice(&b->conf.topic_defaults), found = slice_str(k->value);
    size_t name = strlen(k->name);

    *source = SOURCE_DEFAULT;
    while (s.n > 0) {
        const uint8_t *end = memchr(s.p, '\n', s.n);
        size_t n = end ? (size_t)(end - s.p) : s.n;
        if (n > name && memcmp(s.p, k->name, name) == 0 && s.p[name] == '=') {
            found = slice_of(s.p + name + 1, n - name - 1);
            *source = SOURCE_STATIC_BROKER;
        }
        s = slice_of(s.p + n + (end != NULL), s.n - n - (end != NULL));
    }
    return found;
}

static bool list_configs(struct request *r, const struct catalog_topic *t, created *out)
{
    int32_t n = 0;

    while (topic_conf_keys[n].name)
        n++;
    out->configs.v = arena_array(&r->arena, (size_t)n, sizeof *out->configs.v);
    out->configs.n = n;
    for (int32_t i = 0; out->configs.v && i < n; i++) {
        struct create_topics_response_creatable_topic_configs *c = &out->configs.v[i];
        create_topics_response_creatable_topic_configs_init(c);
        c->name = slice_str(topic_conf_keys[i].name);
        c->value = default_of(r->broker, &topic_conf_keys[i], &c->config_source);
        for (int32_t k = 0; k < t->config_count; k++)
            if (slice_eq(t->configs[k].name, c->name)) {
                c->value = t->configs[k].value;
                c->config_source = SOURCE_TOPIC;
            }
    }
    return out->configs.v != NULL;
}

static bool named_twice(const struct create_topics_request *q, int32_t i)
{
    for (int32_t k = 0; k < q->topics.n; k++)
        if (k != i && slice_eq(q->topics.v[k].name, q->topics.v[i].name))
            return true;
    return false;
}

static int16_t create_one(struct batch *t, const struct create_topics_request *q, int32_t i,
                          const struct catalog_image *image, created *out)
{
    const creatable *w = &q->topics.v[i];
    struct catalog_stamp stamp = broker_stamp(t->r->broker);
    struct catalog_config *configs = NULL;
    struct catalog_topic *topic;
    struct buf cmd = {0};
    int32_t partitions;
    int16_t err;

    if (named_twice(q, i))
        return refuse(out, KAFKA_INVALID_REQUEST, "the request names the topic twice");
    if (!authz_check(t->r, OP_CREATE, RES_TOPIC, w->name))
        return KAFKA_TOPIC_AUTHORIZATION_FAILED;
    if ((err = check_numbers(t->r, w, out, &partitions)) != 0 ||
        (err = plan_refusal(t->r->broker, image, w->name, partitions)) != 0 ||
        (err = check_configs(t->r, w, out, &configs)) != 0)
        return err;
    topic = plan_topic(t->r->broker, &t->r->arena, out->name, partitions);
    if (!topic)
        return KAFKA_UNKNOWN_SERVER_ERROR;
    topic->configs = configs;
    topic->config_count = w->configs.n;
    out->num_partitions = partitions;
    out->replication_factor = 1;
    if (!list_configs(t->r, topic, out))
        return KAFKA_UNKNOWN_SERVER_ERROR;
    if (q->validate_only)
        return 0;
    out->topic_id = topic->id;
    if (catalog_cmd_create_topic(&cmd, &stamp, topic) < 0)
        cmd.failed = true;
    submit(t, &cmd, &out->error_code);
    return out->error_code;
}

/* A message for what has none of its own yet. */
static void explain_all(struct batch *t)
{
    for (int32_t i = 0; i < t->created.topics.n; i++) {
        created *c = &t->created.topics.v[i];
        if (c->error_code && !c->error_message.p)
            c->error_message = slice_str(wire_error_text(c->error_code));
    }
}

/* The values of a request's configs and names lie in its frame, which is gone when the catalog has
 * decided. */
static bool keep_values(struct request *r, struct create_topics_response *m)
{
    bool ok = true;

    for (int32_t i = 0; i < m->topics.n; i++)
        for (int32_t k = 0; k < m->topics.v[i].configs.n; k++) {
            struct create_topics_response_creatable_topic_configs *c = &m->topics.v[i].configs.v[k];
            if (c->config_source == SOURCE_TOPIC)
                c->value = arena_dup(&r->arena, c->value, &ok);
        }
    return ok;
}

int handle_create_topics(struct request *r)
{
    struct create_topics_request q;
    const struct catalog_image *image;
    struct batch *t;
    bool ok = true;

    if (create_topics_request_decode(&q, &r->body, r->version) < 0)
        return KE_CORRUPT;
    t = arena_alloc(&r->arena, sizeof *t);
    if (t) {
        create_topics_response_init(&t->created);
        t->created.topics.v = arena_array(&r->arena, (size_t)q.topics.n, sizeof(created));
    }
    if (!t || !t->created.topics.v) {
        request_kill(r, "out of memory");
        return 0;
    }
    t->r = r;
    t->create = true;
    t->created.topics.n = q.topics.n;
    t->open = 1; /* this function */
    image = catalog_image(r->broker->catalog);
    for (int32_t i = 0; i < q.topics.n; i++) {
        created *out = &t->created.topics.v[i];
        create_topics_response_creatable_topic_result_init(out);
        out->num_partitions = out->replication_factor = -1;
        out->name = arena_dup(&r->arena, q.topics.v[i].name, &ok);
        out->configs.n = -1;
        out->error_code = ok ? create_one(t, &q, i, image, out) : KAFKA_UNKNOWN_SERVER_ERROR;
        if (out->error_code) {
            out->num_partitions = out->replication_factor = -1;
            out->configs.n = -1;
        }
    }
    catalog_image_release(image);
    keep_values(r, &t->created);
    explain_all(t);
    if (--t->open == 0)
        reply(t);
    return 0;
}

/* ---- delete ---- */

typedef struct delete_topics_response_deletable_topic_result deleted;

static int16_t delete_one(struct batch *t, const struct catalog_image *image, bool by_id,
                          deleted *out)
{
    const struct catalog_topic *topic =
        by_id ? catalog_topic_by_id(image, out->topic_id) : catalog_topic_by_name(image, out->name);
    struct catalog_stamp stamp = broker_stamp(t->r->broker);
    struct buf cmd = {0};
    bool ok = true;

    if (!authz_check(t->r, OP_DELETE, RES_TOPIC, topic ? topic->name : out->name))
        return by_id ? KAFKA_UNKNOWN_TOPIC_ID : KAFKA_TOPIC_AUTHORIZATION_FAILED;
    if (!topic)
        return by_id ? KAFKA_UNKNOWN_TOPIC_ID : KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
    out->name = arena_dup(&t->r->arena, topic->name, &ok);
    out->topic_id = topic->id;
    if (!ok || catalog_cmd_delete_topic(&cmd, &stamp, topic->id) < 0)
        cmd.failed = true;
    submit(t, &cmd, &out->error_code);
    return out->error_code;
}

int handle_delete_topics(struct request *r)
{
    struct delete_topics_request q;
    const struct catalog_image *image;
    struct batch *t;
    bool states, ok = true;
    int32_t n;

    if (delete_topics_request_decode(&q, &r->body, r->version) < 0)
        return KE_CORRUPT;
    states = r->version >= 6;
    n = states ? q.topics.n : q.topic_names.n;
    t = arena_alloc(&r->arena, sizeof *t);
    if (t) {
        delete_topics_response_init(&t->deleted);
        t->deleted.responses.v = arena_array(&r->arena, (size_t)n, sizeof(deleted));
    }
    if (!t || !t->deleted.responses.v) {
        request_kill(r, "out of memory");
        return 0;
    }
    t->r = r;
    t->deleted.responses.n = n;
    t->open = 1;
    image = catalog_image(r->broker->catalog);
    for (int32_t i = 0; i < n; i++) {
        deleted *out = &t->deleted.responses.v[i];
        struct slice name = states ? q.topics.v[i].name : q.topic_names.v[i];
        delete_topics_response_deletable_topic_result_init(out);
        out->name = arena_dup(&r->arena, name, &ok);
        if (states)
            out->topic_id = q.topics.v[i].topic_id;
        /* one or the other */
        if (!ok || (states && slice_is_null(name) == uuid_is_zero(out->topic_id)))
            out->error_code = KAFKA_INVALID_REQUEST;
        else
            out->error_code = delete_one(t, image, slice_is_null(name), out);
    }
    catalog_image_release(image);
    if (--t->open == 0)
        reply(t);
    return 0;
}
