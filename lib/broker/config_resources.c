/*
 * ListConfigResources (KIP-1142): topics and this broker. Version 0 asks for the resources of
 * client metrics, of which there are none.
 */
#include "broker/config_target.h"
#include "broker/dispatch.h"
#include "broker/settings.h"
#include "wire/error.h"
#include "wire/list_config_resources_request.h"
#include "wire/list_config_resources_response.h"

/* Kafka's other types: none of theirs exist here. */
enum { CLIENT_METRICS = 16, GROUPS = 32 };

static bool known(int8_t type)
{
    return type == CONFIG_RESOURCE_TOPIC || type == CONFIG_RESOURCE_BROKER ||
           type == CONFIG_RESOURCE_LOGGERS || type == CLIENT_METRICS || type == GROUPS;
}

/* No type at all is every type. */
static bool wanted(const struct list_config_resources_request *q, int8_t type)
{
    for (int32_t i = 0; i < q->resource_types.n; i++)
        if (q->resource_types.v[i] == type)
            return true;
    return q->resource_types.n == 0;
}

static void add(struct list_config_resources_response *m, int8_t type, struct slice name)
{
    struct list_config_resources_response_config_resource *o =
        &m->config_resources.v[m->config_resources.n++];

    list_config_resources_response_config_resource_init(o);
    o->resource_type = type;
    o->resource_name = name;
}

static int16_t refusal(const struct request *r, const struct list_config_resources_request *q)
{
    if (!authz_cluster(r, OP_DESCRIBE_CONFIGS))
        return KAFKA_CLUSTER_AUTHORIZATION_FAILED;
    for (int32_t i = 0; i < q->resource_types.n; i++)
        if (!known(q->resource_types.v[i]))
            return KAFKA_UNSUPPORTED_VERSION;
    return 0;
}

int handle_list_config_resources(struct request *r)
{
    struct list_config_resources_request q;
    struct list_config_resources_response m;
    const struct catalog_image *image;
    char self[BROKER_NAME];
    struct buf b = {0};
    int rc;

    if ((rc = list_config_resources_request_decode(&q, &r->body, r->version)) < 0)
        return rc;
    list_config_resources_response_init(&m);
    image = catalog_image(r->broker->catalog);
    m.error_code = refusal(r, &q);
    m.config_resources.v =
        arena_array(&r->arena, (size_t)image->topic_count + 2, sizeof *m.config_resources.v);
    if (m.config_resources.v && m.error_code == 0 && r->version > 0) {
        for (int32_t i = 0; wanted(&q, CONFIG_RESOURCE_TOPIC) && i < image->topic_count; i++)
            if (authz_check(r, OP_DESCRIBE_CONFIGS, RES_TOPIC, image->topics[i]->name))
                add(&m, CONFIG_RESOURCE_TOPIC, image->topics[i]->name);
        if (wanted(&q, CONFIG_RESOURCE_BROKER))
            add(&m, CONFIG_RESOURCE_BROKER, broker_name(r->broker, self));
        if (wanted(&q, CONFIG_RESOURCE_LOGGERS))
            add(&m, CONFIG_RESOURCE_LOGGERS, broker_name(r->broker, self));
    }
    r->failed = m.error_code != 0;
    request_reply_begin(r, &b);
    request_reply(r, &b,
                  m.config_resources.v ? list_config_resources_response_encode(&m, &b, r->version)
                                       : KE_NOMEM);
    catalog_image_release(image);
    return 0;
}
