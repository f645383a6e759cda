#include "client/admin.h"

#include "wire/api.h"
#include "wire/create_partitions_request.h"
#include "wire/create_partitions_response.h"
#include "wire/create_topics_request.h"
#include "wire/create_topics_response.h"
#include "wire/delete_records_request.h"
#include "wire/delete_records_response.h"
#include "wire/delete_topics_request.h"
#include "wire/delete_topics_response.h"
#include "wire/error.h"
#include "wire/metadata_request.h"
#include "wire/metadata_response.h"

#include <stdlib.h>

#define SERVER_TIMEOUT_MS 30000

static int topic_refused(int16_t code, struct slice message, const char *name, struct kerr *e)
{
    if (code == KAFKA_UNKNOWN_TOPIC_OR_PARTITION)
        return kerr_set(e, KE_NOTFOUND, "topic %s does not exist", name);
    return code ? client_refused(e, code, message, "topic %s", name) : 0;
}

struct creation {
    const struct admin_topic *topic;
    bool check;
};

static int put_creation(void *arg, struct buf *b, int16_t version)
{
    const struct creation *w = arg;
    const struct admin_topic *t = w->topic;
    struct create_topics_request_creatable_topic_config *configs =
        calloc(t->config_count + 1, sizeof *configs);
    struct create_topics_request_creatable_topic q;
    struct create_topics_request m;
    int rc;

    if (!configs)
        return KE_NOMEM;
    for (size_t i = 0; i < t->config_count; i++) {
        create_topics_request_creatable_topic_config_init(&configs[i]);
        configs[i].name = slice_str(t->configs[i].name);
        configs[i].value = slice_str(t->configs[i].value);
    }
    create_topics_request_creatable_topic_init(&q);
    q.name = slice_str(t->name);
    q.num_partitions = t->partitions;
    q.replication_factor = t->replication;
    q.configs.v = configs;
    q.configs.n = (int32_t)t->config_count;
    create_topics_request_init(&m);
    m.topics.v = &q;
    m.topics.n = 1;
    m.timeout_ms = SERVER_TIMEOUT_MS;
    m.validate_only = w->check;
    rc = create_topics_request_encode(&m, b, version);
    free(configs);
    return rc;
}

int admin_create(struct client *c, const struct admin_topic *t, bool check, int64_t timeout_ms,
                 int32_t *partitions, struct kerr *e)
{
    struct creation w = {t, check};
    /* defaults are known from version 4 on (KIP-464) */
    struct client_request q = {.key = API_CREATE_TOPICS,
                               .min_version = t->partitions < 0 || t->replication < 0 ? 4 : 0,
                               .encode = put_creation,
                               .arg = &w};
    struct create_topics_response m;
    struct client_answer a;
    int rc = client_call(c, CLIENT_CONTROLLER, &q, timeout_ms, &a, e);

    if (rc < 0)
        return rc;
    if (create_topics_response_decode(&m, &a.body, a.version) < 0 || m.topics.n != 1)
        rc = kerr_set(e, KE_CORRUPT, "malformed answer to CreateTopics");
    else if (m.topics.v[0].error_code)
        rc = client_refused(e, m.topics.v[0].error_code, m.topics.v[0].error_message, "topic %s",
                            t->name);
    else if (partitions)
        *partitions =
            m.topics.v[0].num_partitions > 0 ? m.topics.v[0].num_partitions : t->partitions;
    client_answer_free(&a);
    return rc;
}

static int put_deletion(void *arg, struct buf *b, int16_t version)
{
    struct delete_topics_request_delete_topic_state state;
    struct delete_topics_request m;
    struct slice name = slice_str(arg);

    delete_topics_request_init(&m);
    delete_topics_request_delete_topic_state_init(&state);
    state.name = name;
    if (version >= 6) {
        m.topics.v = &state;
        m.topics.n = 1;
    } else {
        m.topic_names.v = &name;
        m.topic_names.n = 1;
    }
    m.timeout_ms = SERVER_TIMEOUT_MS;
    return delete_topics_request_encode(&m, b, version);
}

int admin_delete(struct client *c, const char *name, int64_t timeout_ms, struct kerr *e)
{
    struct client_request q = {
        .key = API_DELETE_TOPICS, .encode = put_deletion, .arg = (void *)(uintptr_t)name};
    struct delete_topics_response m;
    struct client_answer a;
    int rc = client_call(c, CLIENT_CONTROLLER, &q, timeout_ms, &a, e);

    if (rc < 0)
        return rc;
    if (delete_topics_response_decode(&m, &a.body, a.version) < 0 || m.responses.n != 1)
        rc = kerr_set(e, KE_CORRUPT, "malformed answer to DeleteTopics");
    else
        rc = topic_refused(m.responses.v[0].error_code, m.responses.v[0].error_message, name, e);
    client_answer_free(&a);
    return rc;
}

struct growth {
    const char *name;
    int32_t count;
    bool check;
};

static int put_growth(void *arg, struct buf *b, int16_t version)
{
    const struct growth *w = arg;
    struct create_partitions_request_create_partitions_topic t;
    struct create_partitions_request m;

    create_partitions_request_create_partitions_topic_init(&t);
    t.name = slice_str(w->name);
    t.count = w->count;
    t.assignments.n = -1; /* the broker chooses */
    create_partitions_request_init(&m);
    m.topics.v = &t;
    m.topics.n = 1;
    m.timeout_ms = SERVER_TIMEOUT_MS;
    m.validate_only = w->check;
    return create_partitions_request_encode(&m, b, version);
}

int admin_grow(struct client *c, const char *name, int32_t count, bool check, int64_t timeout_ms,
               struct kerr *e)
{
    struct growth w = {name, count, check};
    struct client_request q = {.key = API_CREATE_PARTITIONS, .encode = put_growth, .arg = &w};
    struct create_partitions_response m;
    struct client_answer a;
    int rc = client_call(c, CLIENT_CONTROLLER, &q, timeout_ms, &a, e);

    if (rc < 0)
        return rc;
    if (create_partitions_response_decode(&m, &a.body, a.version) < 0 || m.results.n != 1)
        rc = kerr_set(e, KE_CORRUPT, "malformed answer to CreatePartitions");
    else
        rc = topic_refused(m.results.v[0].error_code, m.results.v[0].error_message, name, e);
    client_answer_free(&a);
    return rc;
}

static int put_topic(void *arg, struct buf *b, int16_t version)
{
    struct metadata_request_topic t;
    struct metadata_request m;

    metadata_request_topic_init(&t);
    t.name = slice_str(arg);
    metadata_request_init(&m);
    m.topics.v = &t;
    m.topics.n = 1;
    m.allow_auto_topic_creation = false;
    return metadata_request_encode(&m, b, version);
}

static int take_partitions(const struct metadata_response_topic *t, struct admin_partitions *out,
                           struct kerr *e)
{
    out->v = arena_array(&out->answer.arena, (size_t)t->partitions.n, sizeof *out->v);
    if (!out->v)
        return kerr_set(e, KE_NOMEM, "partitions");
    for (int32_t i = 0; i < t->partitions.n; i++) {
        const struct metadata_response_partition *p = &t->partitions.v[i];
        out->v[out->n++] =
            (struct admin_partition){p->partition_index, p->replica_nodes.v, p->isr_nodes.v,
                                     p->replica_nodes.n, p->isr_nodes.n};
    }
    return 0;
}

int admin_partitions(struct client *c, const char *topic, int64_t timeout_ms,
                     struct admin_partitions *out, struct kerr *e)
{
    /* older ones would make the topic */
    struct client_request q = {.key = API_METADATA,
                               .min_version = 4,
                               .encode = put_topic,
                               .arg = (void *)(uintptr_t)topic};
    struct metadata_response m;
    int rc;

    *out = (struct admin_partitions){0};
    rc = client_call(c, CLIENT_ANY, &q, timeout_ms, &out->answer, e);
    if (rc < 0)
        return rc;
    if (metadata_response_decode(&m, &out->answer.body, out->answer.version) < 0 || m.topics.n != 1)
        rc = kerr_set(e, KE_CORRUPT, "malformed answer to Metadata");
    else
        rc = topic_refused(m.topics.v[0].error_code, (struct slice){NULL, 0}, topic, e);
    if (rc == 0)
        rc = take_partitions(&m.topics.v[0], out, e);
    if (rc < 0)
        admin_partitions_free(out);
    return rc;
}

void admin_partitions_free(struct admin_partitions *p)
{
    client_answer_free(&p->answer);
    *p = (struct admin_partitions){0};
}

/* ---- records ---- */

struct trimming {
    struct admin_trim *v;
    size_t n;
    int32_t leader;
};

/* A topic entry for each partition, as in offsets.c. */
static int put_trims(void *arg, struct buf *b, int16_t version)
{
    const struct trimming *w = arg;
    struct delete_records_request m;
    struct delete_records_request_delete_records_partition *parts = calloc(w->n, sizeof *parts);
    int rc = KE_NOMEM;

    delete_records_request_init(&m);
    m.timeout_ms = SERVER_TIMEOUT_MS;
    m.topics.v = calloc(w->n, sizeof *m.topics.v);
    m.topics.n = 0;
    for (size_t i = 0; parts && m.topics.v && i < w->n; i++) {
        if (w->v[i].leader != w->leader)
            continue;
        delete_records_request_delete_records_partition_init(&parts[i]);
        parts[i].partition_index = w->v[i].partition;
        parts[i].offset = w->v[i].offset;
        delete_records_request_delete_records_topic_init(&m.topics.v[m.topics.n]);
        m.topics.v[m.topics.n].name = slice_str(w->v[i].topic->name);
        m.topics.v[m.topics.n].partitions.v = &parts[i];
        m.topics.v[m.topics.n++].partitions.n = 1;
    }
    if (parts && m.topics.v)
        rc = delete_records_request_encode(&m, b, version);
    free(parts);
    free(m.topics.v);
    return rc;
}

static int take_trim(struct trimming *w, struct slice topic,
                     const struct delete_records_response_delete_records_partition_result *p,
                     struct kerr *e)
{
    for (size_t i = 0; i < w->n; i++) {
        struct admin_trim *t = &w->v[i];
        if (t->partition != p->partition_index || !slice_eq_str(topic, t->topic->name) ||
            t->leader != w->leader)
            continue;
        if (p->error_code)
            return client_refused(e, p->error_code, (struct slice){NULL, 0}, "records of %s-%d",
                                  t->topic->name, t->partition);
        t->start = p->low_watermark;
        return 0;
    }
    return 0;
}

/* Asks one leader. What it does not answer for was perhaps done: that is an error. */
static int trim_at(struct client *c, struct trimming *w, int64_t timeout_ms, struct kerr *e)
{
    struct client_request q = {.key = API_DELETE_RECORDS, .encode = put_trims, .arg = w};
    struct delete_records_response m;
    struct client_answer a;
    struct kerr first = {0};
    int rc = client_call(c, w->leader, &q, timeout_ms, &a, e);

    if (rc < 0)
        return rc;
    if (delete_records_response_decode(&m, &a.body, a.version) < 0) {
        kerr_set(&first, KE_CORRUPT, "malformed answer to DeleteRecords");
        m.topics.n = 0;
    }
    for (int32_t i = 0; i < m.topics.n; i++) /* all of them: what was done is to be known */
        for (int32_t k = 0; k < m.topics.v[i].partitions.n; k++)
            take_trim(w, m.topics.v[i].name, &m.topics.v[i].partitions.v[k],
                      first.code ? NULL : &first);
    for (size_t i = 0; !first.code && i < w->n; i++)
        if (w->v[i].leader == w->leader && w->v[i].start < 0)
            kerr_set(&first, KE_CORRUPT, "the answer to DeleteRecords lacks %s-%d",
                     w->v[i].topic->name, w->v[i].partition);
    client_answer_free(&a);
    if (first.code && e)
        *e = first;
    return first.code;
}

int admin_trim(struct client *c, struct admin_trim *v, size_t n, int64_t timeout_ms, struct kerr *e)
{
    struct trimming w = {v, n, -1};
    int rc = 0;

    for (size_t i = 0; i < n; i++) {
        bool known = v[i].partition >= 0 && v[i].partition < v[i].topic->count;
        v[i].start = -1;
        v[i].leader = known ? v[i].topic->partitions[v[i].partition].leader : -1;
        if (v[i].leader < 0)
            return kerr_set(e, KE_REMOTE, "partition %s-%d has no leader", v[i].topic->name,
                            v[i].partition);
    }
    for (size_t i = 0; rc == 0 && i < n; i++) {
        bool asked = false;
        w.leader = v[i].leader;
        for (size_t k = 0; !asked && k < i; k++)
            asked = v[k].leader == w.leader;
        if (!asked)
            rc = trim_at(c, &w, timeout_ms, e);
    }
    return rc;
}
