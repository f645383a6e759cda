#include "broker/config_target.h"

#include "broker/settings.h"
#include "wire/error.h"

static int16_t refuse(struct slice *message, int16_t error, const char *text)
{
    *message = slice_str(text);
    return error;
}

static int16_t find_topic(const struct request *r, const struct catalog_image *image,
                          struct slice name, enum operation op, struct config_target *out,
                          struct slice *message)
{
    if (!authz_check(r, op, RES_TOPIC, name))
        return refuse(message, KAFKA_TOPIC_AUTHORIZATION_FAILED, "not authorized for the topic");
    out->topic = catalog_topic_by_name(image, name);
    if (out->topic)
        return 0;
    if (!catalog_topic_name_valid(name))
        return refuse(message, KAFKA_INVALID_TOPIC_EXCEPTION, "no topic can have that name");
    return refuse(message, KAFKA_UNKNOWN_TOPIC_OR_PARTITION, "there is no such topic");
}

static int16_t find_broker(const struct request *r, struct slice name, enum operation op,
                           struct config_target *out, struct slice *message)
{
    char self[BROKER_NAME];

    if (!authz_cluster(r, op))
        return refuse(message, KAFKA_CLUSTER_AUTHORIZATION_FAILED,
                      "not authorized for the cluster");
    if (name.n > 0 && !slice_eq(name, broker_name(r->broker, self)))
        return refuse(message, KAFKA_INVALID_REQUEST,
                      "no other broker's configurations are here: ask for this one's number, or "
                      "for the empty name, which is all brokers");
    out->broker = name;
    return 0;
}

static int16_t find_loggers(const struct request *r, struct slice name, enum operation op,
                            struct config_target *out, struct slice *message)
{
    if (name.n == 0)
        return refuse(message, KAFKA_INVALID_REQUEST, "loggers are a broker's: give its number");
    out->loggers = true;
    return find_broker(r, name, op, out, message);
}

int16_t config_target_find(const struct request *r, const struct catalog_image *image, int8_t type,
                           struct slice name, enum operation op, struct config_target *out,
                           struct slice *message)
{
    *out = (struct config_target){.broker = slice_str("")};
    switch (type) {
    case CONFIG_RESOURCE_TOPIC:
        return find_topic(r, image, name, op, out, message);
    case CONFIG_RESOURCE_BROKER:
        return find_broker(r, name, op, out, message);
    case CONFIG_RESOURCE_LOGGERS:
        return find_loggers(r, name, op, out, message);
    default:
        return refuse(
            message, KAFKA_INVALID_REQUEST,
            "only topics (2), brokers (4) and their loggers (8) have configurations here");
    }
}
