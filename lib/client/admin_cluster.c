/*
 * The cluster, its brokers, and what lies on their disks.
 */
#include "client/admin.h"
#include "wire/api.h"
#include "wire/api_versions_request.h"
#include "wire/api_versions_response.h"
#include "wire/describe_cluster_request.h"
#include "wire/describe_cluster_response.h"
#include "wire/describe_log_dirs_request.h"
#include "wire/describe_log_dirs_response.h"
#include "wire/error.h"

#include <stdlib.h>

static const struct slice no_message = {NULL, 0};

static int put_cluster(void *arg, struct buf *b, int16_t version)
{
    struct describe_cluster_request m;

    (void)arg;
    describe_cluster_request_init(&m);
    return describe_cluster_request_encode(&m, b, version);
}

static int take_cluster(const struct describe_cluster_response *m, struct admin_cluster *out,
                        struct kerr *e)
{
    out->id = m->cluster_id;
    out->controller = m->controller_id;
    out->brokers = arena_array(&out->answer.arena, (size_t)m->brokers.n, sizeof *out->brokers);
    if (!out->brokers)
        return kerr_set(e, KE_NOMEM, "brokers");
    for (int32_t i = 0; i < m->brokers.n; i++)
        out->brokers[out->broker_count++] =
            (struct admin_broker){m->brokers.v[i].broker_id, m->brokers.v[i].port,
                                  m->brokers.v[i].host, m->brokers.v[i].rack};
    return 0;
}

int admin_cluster(struct client *c, int64_t timeout_ms, struct admin_cluster *out, struct kerr *e)
{
    struct client_request q = {.key = API_DESCRIBE_CLUSTER, .encode = put_cluster};
    struct describe_cluster_response m;
    int rc;

    *out = (struct admin_cluster){0};
    rc = client_call(c, CLIENT_ANY, &q, timeout_ms, &out->answer, e);
    if (rc < 0)
        return rc;
    if (describe_cluster_response_decode(&m, &out->answer.body, out->answer.version) < 0)
        rc = kerr_set(e, KE_CORRUPT, "malformed answer to DescribeCluster");
    else if (m.error_code)
        rc = client_refused(e, m.error_code, m.error_message, "the cluster");
    else
        rc = take_cluster(&m, out, e);
    if (rc < 0)
        admin_cluster_free(out);
    return rc;
}

void admin_cluster_free(struct admin_cluster *k)
{
    client_answer_free(&k->answer);
    *k = (struct admin_cluster){0};
}

/* ---- directories ---- */

static int put_dirs(void *arg, struct buf *b, int16_t version)
{
    const struct client_topic *topic = arg;
    struct describe_log_dirs_request_describable_log_dir_topic t;
    struct describe_log_dirs_request m;
    int rc;

    describe_log_dirs_request_init(&m);
    describe_log_dirs_request_describable_log_dir_topic_init(&t);
    m.topics.n = -1;
    if (topic) {
        m.topics.v = &t;
        m.topics.n = 1;
        t.topic = slice_str(topic->name);
        t.partitions.v = calloc((size_t)topic->count + 1, sizeof *t.partitions.v);
        if (!t.partitions.v)
            return KE_NOMEM;
        while (t.partitions.n < topic->count) {
            t.partitions.v[t.partitions.n] = t.partitions.n;
            t.partitions.n++;
        }
    }
    rc = describe_log_dirs_request_encode(&m, b, version);
    free(t.partitions.v);
    return rc;
}

static bool take_dir(const struct describe_log_dirs_response_describe_log_dirs_result *m,
                     struct arena *arena, struct admin_dir *out)
{
    size_t n = 0;

    *out = (struct admin_dir){m->log_dir, m->error_code, m->total_bytes, m->usable_bytes, NULL, 0};
    for (int32_t i = 0; i < m->topics.n; i++)
        n += (size_t)m->topics.v[i].partitions.n;
    out->replicas = arena_array(arena, n, sizeof *out->replicas);
    for (int32_t i = 0; out->replicas && i < m->topics.n; i++)
        for (int32_t k = 0; k < m->topics.v[i].partitions.n; k++) {
            const struct describe_log_dirs_response_describe_log_dirs_partition *p =
                &m->topics.v[i].partitions.v[k];
            if (!p->is_future_key) /* not yet what is served */
                out->replicas[out->replica_count++] = (struct admin_replica){
                    m->topics.v[i].name, p->partition_index, p->partition_size};
        }
    return out->replicas != NULL;
}

static int take_dirs(const struct describe_log_dirs_response *m, struct admin_dirs *out,
                     struct kerr *e)
{
    out->v = arena_array(&out->answer.arena, (size_t)m->results.n, sizeof *out->v);
    for (int32_t i = 0; out->v && i < m->results.n; i++)
        if (!take_dir(&m->results.v[i], &out->answer.arena, &out->v[out->n++]))
            return kerr_set(e, KE_NOMEM, "directories");
    return out->v ? 0 : kerr_set(e, KE_NOMEM, "directories");
}

int admin_dirs(struct client *c, int32_t broker, const struct client_topic *topic,
               int64_t timeout_ms, struct admin_dirs *out, struct kerr *e)
{
    struct client_request q = {
        .key = API_DESCRIBE_LOG_DIRS, .encode = put_dirs, .arg = (void *)(uintptr_t)topic};
    struct describe_log_dirs_response m;
    int rc;

    *out = (struct admin_dirs){0};
    rc = client_brokers_wait(c, timeout_ms, e);
    if (rc == 0)
        rc = client_call(c, broker, &q, timeout_ms, &out->answer, e);
    if (rc < 0)
        return rc;
    if (describe_log_dirs_response_decode(&m, &out->answer.body, out->answer.version) < 0)
        rc = kerr_set(e, KE_CORRUPT, "malformed answer to DescribeLogDirs");
    else if (m.error_code)
        rc = client_refused(e, m.error_code, no_message, "directories of broker %d", broker);
    else
        rc = take_dirs(&m, out, e);
    if (rc < 0)
        admin_dirs_free(out);
    return rc;
}

void admin_dirs_free(struct admin_dirs *d)
{
    client_answer_free(&d->answer);
    *d = (struct admin_dirs){0};
}

/* ---- versions ---- */

static int put_versions(void *arg, struct buf *b, int16_t version)
{
    struct api_versions_request m;

    (void)arg;
    api_versions_request_init(&m);
    m.client_software_name = slice_str("kcore");
    m.client_software_version = slice_str(KCORE_VERSION);
    return api_versions_request_encode(&m, b, version);
}

static int take_versions(const struct api_versions_response *m, struct admin_versions *out,
                         struct kerr *e)
{
    out->features =
        arena_array(&out->answer.arena, (size_t)m->finalized_features.n, sizeof *out->features);
    if (!out->features)
        return kerr_set(e, KE_NOMEM, "features");
    for (int32_t i = 0; i < m->finalized_features.n; i++)
        out->features[out->feature_count++] = (struct admin_feature){
            m->finalized_features.v[i].name, m->finalized_features.v[i].max_version_level};
    return 0;
}

int admin_versions(struct client *c, int32_t broker, int64_t timeout_ms, struct admin_versions *out,
                   struct kerr *e)
{
    struct client_request q = {.key = API_API_VERSIONS, .encode = put_versions};
    struct api_versions_response m;
    int rc;

    *out = (struct admin_versions){0};
    rc = client_brokers_wait(c, timeout_ms, e);
    if (rc == 0)
        rc = client_call(c, broker, &q, timeout_ms, &out->answer, e);
    if (rc < 0)
        return rc;
    if (api_versions_response_decode(&m, &out->answer.body, out->answer.version) < 0)
        rc = kerr_set(e, KE_CORRUPT, "malformed answer to ApiVersions");
    else if (m.error_code)
        rc = client_refused(e, m.error_code, no_message, "versions of broker %d", broker);
    else
        rc = take_versions(&m, out, e);
    if (rc < 0)
        admin_versions_free(out);
    return rc;
}

void admin_versions_free(struct admin_versions *v)
{
    client_answer_free(&v->answer);
    *v = (struct admin_versions){0};
}
