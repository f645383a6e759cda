/*
 * settings - what a configuration comes to: a topic's own value, else what was set for this broker
 * or for all brokers while it ran (the catalog has these), else the file's and the command line's,
 * else the default.
 */
#ifndef KCORE_BROKER_SETTINGS_H
#define KCORE_BROKER_SETTINGS_H

#include "base/arena.h"
#include "broker/config.h"
#include "broker/core.h"

/* Kafka's ConfigSource. */
enum config_source {
    SOURCE_TOPIC = 1,
    SOURCE_DYNAMIC_BROKER = 2,
    SOURCE_DYNAMIC_DEFAULT = 3,
    SOURCE_STATIC_BROKER = 4,
    SOURCE_DEFAULT = 5
};

struct setting {
    struct slice name, value;
    int8_t source;
};

/* As the catalog names this broker's own settings. */
#define BROKER_NAME 12
struct slice broker_name(const struct broker *b, char out[BROKER_NAME]);

/* Every value that there is for k, the one that acts first; Kafka's synonyms. t: as a setting of
 * that topic; NULL: as the broker's. They start with the first that has the name itself: values
 * under older names only follow. Returns how many; what they point to is the image's, b's or
 * constant. */
#define SETTINGS_MAX 16
int setting_values(const struct broker *b, const struct catalog_image *image,
                   const struct catalog_topic *t, const struct config_key *k,
                   struct setting out[SETTINGS_MAX]);

/* The one that acts; from an older name in another unit (log.roll.hours) it is made in the arena.
 * A null value: none. */
struct setting setting_of(const struct broker *b, const struct catalog_image *image,
                          const struct catalog_topic *t, const struct config_key *k,
                          struct arena *a);

/* Whether a topic's cleanup.policy has the item. */
bool setting_cleanup(const struct broker *b, const struct catalog_image *image,
                     const struct catalog_topic *t, const char *policy);

/* How many replicas must be in sync for a topic to take records with acks=all. */
int64_t setting_min_insync(const struct broker *b, const struct catalog_topic *t);

/* What the settings that are for all topics come to, into b: stock's, at the start and when they
 * change. */
void settings_refresh(struct broker *b, const struct catalog_image *image);
/* What a topic's own settings change about a log's. */
void setting_log(const struct catalog_topic *t, struct plog_conf *c);

#endif
