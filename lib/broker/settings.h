/*
 * settings - what a topic's configuration comes to: its own values, else the broker's, else
 * Kafka's defaults.
 */
#ifndef KCORE_BROKER_SETTINGS_H
#define KCORE_BROKER_SETTINGS_H

#include "broker/core.h"
#include "broker/topic_conf.h"

/* Kafka's ConfigSource. */
enum config_source { SOURCE_TOPIC = 1, SOURCE_STATIC_BROKER = 4, SOURCE_DEFAULT = 5 };

/* The value that a setting has without the topic's own, and where it is from. */
struct slice setting_default(const struct broker *b, const struct topic_conf_key *k,
                             int8_t *source);
/* The value that acts for a topic. */
struct slice setting_of(const struct broker *b, const struct catalog_topic *t, const char *name);

#endif
