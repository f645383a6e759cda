/*
 * edit - changes collected on top of an image, until they become the next image.
 *
 * Apply asks the edit what exists, not the database: the edit knows what earlier commands of the
 * same transaction did. Used by one thread.
 */
#ifndef KCORE_CATALOG_EDIT_H
#define KCORE_CATALOG_EDIT_H

#include "catalog/image.h"

struct broker_configs;

struct edit_op {
    const struct catalog_topic *topic; /* a reference */
    bool gone;                         /* taken away, else added */
};

struct edit {
    const struct catalog_image *base;
    struct edit_op *ops;
    size_t n, cap;
    /* what the next image will have */
    int64_t index;
    uint8_t hash[CATALOG_HASH];
    struct uuid cluster_id;
    int64_t next_producer_id;
    const struct broker_configs *broker_configs;
    const struct broker_configs **made; /* all that were, until edit_free */
    size_t made_count;
};

/* base must be held until edit_free. */
void edit_init(struct edit *ed, const struct catalog_image *base);
void edit_free(struct edit *ed);

const struct catalog_topic *edit_topic_by_name(const struct edit *ed, struct slice name);
const struct catalog_topic *edit_topic_by_id(const struct edit *ed, struct uuid id);

/* Copies t (partition ids become their places). Name and id must be free. False without memory. */
bool edit_add(struct edit *ed, const struct catalog_topic *t);
/* t as edit_topic_by_id gave it. False without memory. */
bool edit_remove(struct edit *ed, const struct catalog_topic *t);

/* old as edit_topic_by_id gave it; t, copied, has its name and id. False without memory: then old
 * may be gone, and the caller undoes its command. */
bool edit_replace(struct edit *ed, const struct catalog_topic *old, const struct catalog_topic *t);

/* What the brokers' settings are now, and what they are to be: all of them, sorted; copied. False
 * without memory. */
const struct catalog_broker_config *edit_broker_configs(const struct edit *ed, int32_t *count);
bool edit_set_broker_configs(struct edit *ed, const struct catalog_broker_config *v, int32_t n);

/* Where a command began, and back to there. Index and hash are not undone: they change last. */
struct edit_mark {
    size_t n;
    struct uuid cluster_id;
    int64_t next_producer_id;
    const struct broker_configs *broker_configs;
};
struct edit_mark edit_mark(const struct edit *ed);
void edit_undo(struct edit *ed, const struct edit_mark *m);

/* The next image, with one reference, or NULL without memory. */
const struct catalog_image *edit_build(const struct edit *ed);

/* The image of a catalog in which nothing has happened; NULL without memory. */
const struct catalog_image *image_empty(void);

#endif
