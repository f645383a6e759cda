/*
 * config_target - what the config APIs are about: a topic, or this broker, or all brokers, or
 * what this broker says of itself (its loggers).
 */
#ifndef KCORE_BROKER_CONFIG_TARGET_H
#define KCORE_BROKER_CONFIG_TARGET_H

#include "broker/request.h"

/* Kafka's ConfigResource.Type. */
enum config_resource {
    CONFIG_RESOURCE_TOPIC = 2,
    CONFIG_RESOURCE_BROKER = 4,
    CONFIG_RESOURCE_LOGGERS = 8
};

struct config_target {
    bool loggers;
    const struct catalog_topic *topic; /* NULL: brokers */
    struct slice broker; /* as the catalog names it: "" for all; lies in the request */
};

/* 0, or Kafka's error with a message. op: what is to be done there; authz_check is asked. */
int16_t config_target_find(const struct request *r, const struct catalog_image *image, int8_t type,
                           struct slice name, enum operation op, struct config_target *out,
                           struct slice *message);

#endif
