/* DescribeConfigs (KIP-133, KIP-226, KIP-569). */
#include "broker/config_target.h"
#include "broker/dispatch.h"
#include "broker/settings.h"
#include "wire/api.h"
#include "wire/describe_configs_request.h"
#include "wire/describe_configs_response.h"
#include "wire/error.h"

#include <stdio.h>

typedef struct describe_configs_request_describe_configs_resource asked;
typedef struct describe_configs_response_describe_configs_result result;
typedef struct describe_configs_response_describe_configs_resource_result config;

struct answer {
    struct request *r;
    const struct catalog_image *image;
    bool synonyms, documentation;
    struct slice *docs; /* by place in the table, made when they are first asked for */
    bool ok;
};

static struct slice documentation(struct answer *a, const struct config_key *k, struct slice value)
{
    bool idle_item = k->idle && config_list_has(value, k->idle);
    struct slice once = {NULL, 0}, *doc = idle_item ? &once : &a->docs[k - config_keys];
    char text[512];

    if (!a->documentation)
        return (struct slice){NULL, 0};
    if (!k->doc)
        return slice_str("Known to Apache Kafka; " WIRE_CONFIG_IDLE);
    if (broker_conf_acts(k) && !idle_item)
        return slice_str(k->doc);
    if (!doc->p) {
        snprintf(text, sizeof text, "%s %s%s, but " WIRE_CONFIG_IDLE, k->doc,
                 idle_item ? k->idle : "Kept", idle_item ? " itself is kept" : "");
        *doc = arena_dup(&a->r->arena, slice_str(text), &a->ok);
    }
    return *doc;
}

static void add_synonyms(struct answer *a, const struct setting *v, int n, bool sensitive,
                         config *out)
{
    out->synonyms.v = arena_array(&a->r->arena, (size_t)n, sizeof *out->synonyms.v);
    a->ok &= out->synonyms.v != NULL;
    for (int i = 0; out->synonyms.v && i < n; i++) {
        struct describe_configs_response_describe_configs_synonym *s = &out->synonyms.v[i];
        describe_configs_response_describe_configs_synonym_init(s);
        s->name = v[i].name;
        s->value = sensitive ? (struct slice){NULL, 0} : v[i].value;
        s->source = v[i].source;
        out->synonyms.n++;
    }
}

static void add_config(struct answer *a, const struct config_target *t, const struct config_key *k,
                       config *out)
{
    struct setting v[SETTINGS_MAX];
    struct setting s = setting_of(a->r->broker, a->image, t->topic, k, &a->r->arena);
    bool sensitive = k->flags & CONFIG_SENSITIVE;

    describe_configs_response_describe_configs_resource_result_init(out);
    out->name = s.name;
    out->value = sensitive ? (struct slice){NULL, 0} : s.value;
    out->config_source = s.source;
    out->read_only = !t->topic && !config_is_dynamic(k);
    out->is_sensitive = sensitive;
    out->config_type = (int8_t)k->type;
    out->documentation = documentation(a, k, out->value);
    if (a->synonyms)
        add_synonyms(a, v, setting_values(a->r->broker, a->image, t->topic, k, v), sensitive, out);
}

/* What was set for all brokers, and only that. False: nothing was. */
static bool add_default(struct answer *a, const struct config_key *k, config *out)
{
    struct setting s = {slice_str(k->broker),
                        catalog_broker_value(a->image, slice_str(""), slice_str(k->broker)),
                        SOURCE_DYNAMIC_DEFAULT};

    if (!s.value.p)
        return false;
    describe_configs_response_describe_configs_resource_result_init(out);
    out->name = s.name;
    out->value = s.value;
    out->config_source = s.source;
    out->config_type = (int8_t)k->type;
    out->documentation = documentation(a, k, s.value);
    if (a->synonyms)
        add_synonyms(a, &s, 1, false, out);
    return true;
}

static bool wanted(const asked *q, const char *name)
{
    for (int32_t i = 0; i < q->configuration_keys.n; i++)
        if (slice_eq_str(q->configuration_keys.v[i], name))
            return true;
    return q->configuration_keys.n <= 0;
}

static size_t count_configs(const struct config_target *t, const asked *q)
{
    size_t n = 0;

    for (const struct config_key *k = config_keys; k->topic || k->broker; k++)
        n += (t->topic ? k->topic : k->broker) != NULL;
    if (q->configuration_keys.n > 0 && (size_t)q->configuration_keys.n < n)
        n = (size_t)q->configuration_keys.n;
    return n;
}

static void add_configs(struct answer *a, const struct config_target *t, const asked *q,
                        result *out)
{
    out->configs.v = arena_array(&a->r->arena, count_configs(t, q), sizeof *out->configs.v);
    a->ok &= out->configs.v != NULL;
    for (const struct config_key *k = config_keys; a->ok && (k->topic || k->broker); k++) {
        const char *name = t->topic ? k->topic : k->broker;
        config *c = &out->configs.v[out->configs.n];
        if (!name || !wanted(q, name))
            continue;
        if (!t->topic && t->broker.n == 0) {
            out->configs.n += add_default(a, k, c);
        } else {
            add_config(a, t, k, c);
            out->configs.n++;
        }
    }
}

/* Kafka's ConfigSource of a logger's level, which has no type. */
#define SOURCE_LOGGER 6

static void add_loggers(struct answer *a, const asked *q, result *out)
{
    out->configs.v = arena_array(&a->r->arena, LOGGER_COUNT, sizeof *out->configs.v);
    a->ok &= out->configs.v != NULL;
    for (int i = 0; a->ok && i < LOGGER_COUNT; i++) {
        config *c = &out->configs.v[out->configs.n];
        if (!wanted(q, logger_name((enum logger)i)))
            continue;
        describe_configs_response_describe_configs_resource_result_init(c);
        c->name = slice_str(logger_name((enum logger)i));
        c->value = slice_str(loggers_level(&a->r->broker->loggers, (enum logger)i));
        c->config_source = SOURCE_LOGGER;
        out->configs.n++;
    }
}

static void describe(struct answer *a, const asked *q, result *out)
{
    struct config_target t;

    describe_configs_response_describe_configs_result_init(out);
    out->resource_type = q->resource_type;
    out->resource_name = q->resource_name;
    out->error_code = config_target_find(a->r, a->image, q->resource_type, q->resource_name,
                                         OP_DESCRIBE_CONFIGS, &t, &out->error_message);
    if (out->error_code == 0 && t.loggers)
        add_loggers(a, q, out);
    else if (out->error_code == 0)
        add_configs(a, &t, q, out);
}

int handle_describe_configs(struct request *r)
{
    struct answer a = {.r = r, .ok = true};
    struct describe_configs_request q;
    struct describe_configs_response m;
    struct buf b = {0};
    size_t keys = 0;
    int rc;

    if ((rc = describe_configs_request_decode(&q, &r->body, r->version)) < 0)
        return rc;
    describe_configs_response_init(&m);
    a.image = catalog_image(r->broker->catalog);
    a.synonyms = q.include_synonyms;
    a.documentation = q.include_documentation;
    m.results.v = arena_array(&r->arena, (size_t)q.resources.n, sizeof *m.results.v);
    while (config_keys[keys].topic || config_keys[keys].broker)
        keys++;
    a.docs = arena_array(&r->arena, keys, sizeof *a.docs);
    a.ok = m.results.v && a.docs;
    for (int32_t i = 0; a.ok && i < q.resources.n; i++)
        describe(&a, &q.resources.v[i], &m.results.v[m.results.n++]);
    r->failed = a.ok && describe_configs_response_has_error(&m);
    request_reply_begin(r, &b);
    request_reply(r, &b, a.ok ? describe_configs_response_encode(&m, &b, r->version) : KE_NOMEM);
    catalog_image_release(a.image);
    return 0;
}
