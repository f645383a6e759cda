/*
 * image - an immutable, reference-counted picture of the catalog at one index.
 *
 * Two images share every topic that did not change between them: creating topic 10,001 copies two
 * arrays of pointers and no topic. What hangs on an image lives as long as the image is held, and
 * may be read by any number of threads.
 */
#ifndef KCORE_CATALOG_IMAGE_H
#define KCORE_CATALOG_IMAGE_H

#include "base/slice.h"
#include "base/uuid.h"

struct catalog_partition {
    int32_t id;
    int32_t leader, leader_epoch, partition_epoch;
    const int32_t *replicas, *isr;
    int32_t replica_count, isr_count;
    struct uuid directory_id; /* of the log dir that holds it here */
};

struct catalog_config {
    struct slice name, value;
};

struct catalog_topic {
    struct slice name;
    struct uuid id;
    const struct catalog_partition *partitions; /* by id, from 0 */
    int32_t partition_count;
    const struct catalog_config *configs; /* sorted by name */
    int32_t config_count;
};

/* One setting of brokers; "" as the broker: of all that have none of their own. */
struct catalog_broker_config {
    struct slice broker, name, value;
};

#define CATALOG_HASH 16

struct catalog_image {
    int64_t index;              /* of the last command in it; 0: none */
    uint8_t hash[CATALOG_HASH]; /* over all commands up to index */
    struct uuid cluster_id;
    const struct catalog_topic *const *topics; /* sorted by name */
    int32_t topic_count;
    int64_t next_producer_id;
    /* sorted by broker and name; the same pointer in two images: the same settings */
    const struct catalog_broker_config *broker_configs;
    int32_t broker_config_count;
};

/* One more holder; thread-safe. Returns i. */
const struct catalog_image *catalog_image_hold(const struct catalog_image *i);
/* i may be NULL. */
void catalog_image_release(const struct catalog_image *i);

/* NULL when there is none. */
const struct catalog_topic *catalog_topic_by_name(const struct catalog_image *i, struct slice name);
const struct catalog_topic *catalog_topic_by_id(const struct catalog_image *i, struct uuid id);

/* A setting of brokers; null when there is none. */
struct slice catalog_broker_value(const struct catalog_image *i, struct slice broker,
                                  struct slice name);

/* Calls fn for every topic in which the two differ, in the order of names: (topic, NULL) for one
 * that is gone, (NULL, topic) for a new one, both for one that changed. A name that now belongs to
 * another id is gone first and then new. */
typedef void (*catalog_diff_fn)(void *arg, const struct catalog_topic *before,
                                const struct catalog_topic *after);
void catalog_image_diff(const struct catalog_image *before, const struct catalog_image *after,
                        catalog_diff_fn fn, void *arg);

/* The names that a topic may have: 1 to 249 of [A-Za-z0-9._-], but not "." and ".."
 * (org.apache.kafka.common.internals.Topic). They become the names of directories. */
bool catalog_topic_name_valid(struct slice name);
/* Topics of the brokers' own: offsets of groups, states of transactions and share groups. */
bool catalog_topic_name_internal(struct slice name);

#endif
