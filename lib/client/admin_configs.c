/*
 * Configurations of topics and brokers. A broker is asked for its own by itself.
 */
#include "client/admin.h"
#include "wire/api.h"
#include "wire/describe_configs_request.h"
#include "wire/describe_configs_response.h"
#include "wire/error.h"
#include "wire/incremental_alter_configs_request.h"
#include "wire/incremental_alter_configs_response.h"

#include <stdlib.h>

enum { OP_SET = 0, OP_DELETE = 1 }; /* Kafka's AlterConfigOp */

static const char *what_of(const struct admin_target *t)
{
    return t->type == ADMIN_TOPIC ? "topic " : t->name[0] ? "broker " : "all brokers";
}

static int refused(const struct admin_target *t, int16_t code, struct slice message, struct kerr *e)
{
    if (code == KAFKA_UNKNOWN_TOPIC_OR_PARTITION && t->type == ADMIN_TOPIC)
        return kerr_set(e, KE_NOTFOUND, "topic %s does not exist", t->name);
    return client_refused(e, code, message, "%s%s", what_of(t), t->name);
}

/* The call, to the broker that it is about. */
static int call(struct client *c, const struct admin_target *t, const struct client_request *q,
                int64_t timeout_ms, struct client_answer *a, struct kerr *e)
{
    int rc;

    if (t->type != ADMIN_BROKER || !t->name[0])
        return client_call(c, CLIENT_CONTROLLER, q, timeout_ms, a, e);
    rc = client_brokers_wait(c, timeout_ms, e);
    return rc < 0 ? rc : client_call(c, (int32_t)atoi(t->name), q, timeout_ms, a, e);
}

/* ---- what there is ---- */

static int put_question(void *arg, struct buf *b, int16_t version)
{
    const struct admin_target *t = arg;
    struct describe_configs_request_describe_configs_resource r;
    struct describe_configs_request m;

    describe_configs_request_describe_configs_resource_init(&r);
    r.resource_type = (int8_t)t->type;
    r.resource_name = slice_str(t->name);
    r.configuration_keys.n = -1;
    describe_configs_request_init(&m);
    m.resources.v = &r;
    m.resources.n = 1;
    m.include_synonyms = true;
    m.include_documentation = version >= 3;
    return describe_configs_request_encode(&m, b, version);
}

static bool ends_with(struct slice s, const char *end)
{
    size_t n = strlen(end);

    return s.n >= n && memcmp(s.p + s.n - n, end, n) == 0;
}

static bool take_setting(const struct describe_configs_response_describe_configs_resource_result *m,
                         struct arena *arena, struct admin_setting *out)
{
    static const struct slice none = {NULL, 0};

    *out = (struct admin_setting){.is = {m->name, m->value, m->config_source},
                                  .read_only = m->read_only,
                                  .sensitive = m->is_sensitive,
                                  .idle = ends_with(m->documentation, WIRE_CONFIG_IDLE),
                                  .documentation = m->documentation.n ? m->documentation : none};
    if (m->is_sensitive)
        out->is.value = none;
    out->others = arena_array(arena, (size_t)m->synonyms.n, sizeof *out->others);
    for (int32_t i = 0; out->others && i < m->synonyms.n; i++)
        out->others[out->other_count++] = (struct admin_value){
            m->synonyms.v[i].name, m->is_sensitive ? out->is.value : m->synonyms.v[i].value,
            m->synonyms.v[i].source};
    return out->others != NULL;
}

static int by_name(const void *a, const void *b)
{
    return slice_cmp(((const struct admin_setting *)a)->is.name,
                     ((const struct admin_setting *)b)->is.name);
}

static int take_settings(const struct describe_configs_response_describe_configs_result *m,
                         struct admin_settings *out, struct kerr *e)
{
    out->v = arena_array(&out->answer.arena, (size_t)m->configs.n, sizeof *out->v);
    for (int32_t i = 0; out->v && i < m->configs.n; i++)
        if (!take_setting(&m->configs.v[i], &out->answer.arena, &out->v[out->n++]))
            return kerr_set(e, KE_NOMEM, "configurations");
    if (!out->v)
        return kerr_set(e, KE_NOMEM, "configurations");
    qsort(out->v, (size_t)out->n, sizeof *out->v, by_name);
    return 0;
}

int admin_configs(struct client *c, const struct admin_target *t, int64_t timeout_ms,
                  struct admin_settings *out, struct kerr *e)
{
    struct client_request q = {
        .key = API_DESCRIBE_CONFIGS, .encode = put_question, .arg = (void *)(uintptr_t)t};
    struct describe_configs_response m;
    int rc;

    *out = (struct admin_settings){0};
    rc = call(c, t, &q, timeout_ms, &out->answer, e);
    if (rc < 0)
        return rc;
    if (describe_configs_response_decode(&m, &out->answer.body, out->answer.version) < 0 ||
        m.results.n != 1)
        rc = kerr_set(e, KE_CORRUPT, "malformed answer to DescribeConfigs");
    else if (m.results.v[0].error_code)
        rc = refused(t, m.results.v[0].error_code, m.results.v[0].error_message, e);
    else
        rc = take_settings(&m.results.v[0], out, e);
    if (rc < 0)
        admin_settings_free(out);
    return rc;
}

void admin_settings_free(struct admin_settings *s)
{
    client_answer_free(&s->answer);
    *s = (struct admin_settings){0};
}

/* ---- what is to change ---- */

struct alteration {
    const struct admin_target *target;
    const struct admin_config *changes;
    size_t n;
    bool check;
};

static int put_alteration(void *arg, struct buf *b, int16_t version)
{
    const struct alteration *w = arg;
    struct incremental_alter_configs_request_alter_configs_resource r;
    struct incremental_alter_configs_request m;
    int rc;

    incremental_alter_configs_request_alter_configs_resource_init(&r);
    r.resource_type = (int8_t)w->target->type;
    r.resource_name = slice_str(w->target->name);
    r.configs.v = calloc(w->n + 1, sizeof *r.configs.v);
    r.configs.n = (int32_t)w->n;
    if (!r.configs.v)
        return KE_NOMEM;
    for (size_t i = 0; i < w->n; i++) {
        incremental_alter_configs_request_alterable_config_init(&r.configs.v[i]);
        r.configs.v[i].name = slice_str(w->changes[i].name);
        r.configs.v[i].config_operation = w->changes[i].value ? OP_SET : OP_DELETE;
        r.configs.v[i].value = slice_str(w->changes[i].value);
    }
    incremental_alter_configs_request_init(&m);
    m.resources.v = &r;
    m.resources.n = 1;
    m.validate_only = w->check;
    rc = incremental_alter_configs_request_encode(&m, b, version);
    free(r.configs.v);
    return rc;
}

int admin_alter_configs(struct client *c, const struct admin_target *t,
                        const struct admin_config *changes, size_t n, bool check,
                        int64_t timeout_ms, struct kerr *e)
{
    struct alteration w = {t, changes, n, check};
    struct client_request q = {
        .key = API_INCREMENTAL_ALTER_CONFIGS, .encode = put_alteration, .arg = &w};
    struct incremental_alter_configs_response m;
    struct client_answer a;
    int rc = call(c, t, &q, timeout_ms, &a, e);

    if (rc < 0)
        return rc;
    if (incremental_alter_configs_response_decode(&m, &a.body, a.version) < 0 || m.responses.n != 1)
        rc = kerr_set(e, KE_CORRUPT, "malformed answer to IncrementalAlterConfigs");
    else if (m.responses.v[0].error_code)
        rc = refused(t, m.responses.v[0].error_code, m.responses.v[0].error_message, e);
    client_answer_free(&a);
    return rc;
}
