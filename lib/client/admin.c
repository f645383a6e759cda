#include "client/admin.h"

#include "wire/api.h"
#include "wire/create_topics_request.h"
#include "wire/create_topics_response.h"
#include "wire/delete_topics_request.h"
#include "wire/delete_topics_response.h"
#include "wire/error.h"

#include <stdlib.h>

#define SERVER_TIMEOUT_MS 30000

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
    int16_t code;
    int rc = client_call(c, CLIENT_CONTROLLER, &q, timeout_ms, &a, e);

    if (rc < 0)
        return rc;
    if (delete_topics_response_decode(&m, &a.body, a.version) < 0 || m.responses.n != 1) {
        rc = kerr_set(e, KE_CORRUPT, "malformed answer to DeleteTopics");
    } else {
        code = m.responses.v[0].error_code;
        if (code == KAFKA_UNKNOWN_TOPIC_OR_PARTITION)
            rc = kerr_set(e, KE_NOTFOUND, "topic %s does not exist", name);
        else if (code)
            rc = client_refused(e, code, m.responses.v[0].error_message, "topic %s", name);
    }
    client_answer_free(&a);
    return rc;
}
