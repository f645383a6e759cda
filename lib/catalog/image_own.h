/*
 * image_own - how images and topics are made and counted; for lib/catalog alone.
 */
#ifndef KCORE_CATALOG_IMAGE_OWN_H
#define KCORE_CATALOG_IMAGE_OWN_H

#include "catalog/image.h"

#include <stdatomic.h>

/* A topic is one allocation, shared by all images that have it. */
const struct catalog_topic *topic_copy(const struct catalog_topic *from); /* NULL without memory */
const struct catalog_topic *topic_hold(const struct catalog_topic *t);
void topic_release(const struct catalog_topic *t);

/* So are all settings of brokers: count of them at v, sorted. */
struct broker_configs {
    atomic_int refs;
    int32_t count;
    struct catalog_broker_config v[];
};
/* NULL without memory. */
const struct broker_configs *broker_configs_copy(const struct catalog_broker_config *v, int32_t n);
const struct broker_configs *broker_configs_hold(const struct broker_configs *c);
/* c may be NULL. */
void broker_configs_release(const struct broker_configs *c);

typedef int (*topic_order_fn)(const struct catalog_topic *a, const struct catalog_topic *b);
int topic_order_name(const struct catalog_topic *a, const struct catalog_topic *b);
int topic_order_id(const struct catalog_topic *a, const struct catalog_topic *b);

struct image {
    struct catalog_image pub; /* first: a pub is its image */
    atomic_int refs;
    const struct catalog_topic **by_id;
    const struct broker_configs *broker_configs; /* NULL: none */
    const struct catalog_topic *slots[];         /* by name, then by id */
};

/* With one reference and room for topics that the caller fills in, each with a reference of its
 * own. NULL without memory. */
struct image *image_new(size_t topics);

#endif
