/*
 * command - the catalog's commands as bytes: int16 version, then a CatalogCommand of that version
 * (lib/wire/schema/catalog_*.schema), whose changes are applied in order, all or none.
 *
 * Ids, times and uuids are chosen by the caller, because applying a command must give the same on
 * every machine and at every repetition.
 */
#ifndef KCORE_CATALOG_COMMAND_H
#define KCORE_CATALOG_COMMAND_H

#include "base/buf.h"
#include "base/err.h"
#include "catalog/image.h"
#include "os/clock.h"

struct catalog_stamp {
    struct uuid proposer; /* random per process */
    int64_t seq;          /* another one for each command; they need not come in order */
    wall_ms now;
};

/* A change's kind, as it is stored. */
enum catalog_kind {
    CATALOG_KIND_CLUSTER_ID = 1,
    CATALOG_KIND_CREATE_TOPIC = 2,
    CATALOG_KIND_DELETE_TOPIC = 3,
    CATALOG_KIND_PRODUCER_IDS = 4,
    CATALOG_KIND_CREATE_PARTITIONS = 5,
    CATALOG_KIND_ALTER_CONFIGS = 6,
};

/* Each appends one command to b. 0, KE_NOMEM, or what the encoder finds fault with (KE_TOOBIG).
 * Whether the topic makes sense is found out when it is applied. Partition ids are not looked at:
 * they are their places in the array. */
int catalog_cmd_create_topic(struct buf *b, const struct catalog_stamp *s,
                             const struct catalog_topic *t);
int catalog_cmd_delete_topic(struct buf *b, const struct catalog_stamp *s, struct uuid id);
/* count: how many partitions the topic has; the n of more come behind them. */
int catalog_cmd_create_partitions(struct buf *b, const struct catalog_stamp *s, struct uuid id,
                                  int32_t count, const struct catalog_partition *more, int32_t n);

struct catalog_config_change {
    struct slice name;
    struct slice value; /* null: the setting is taken away */
    bool checked;       /* only if it is was until now (null: not there); else CATALOG_CONFLICT */
    struct slice was;
};
/* Of a topic, or (topic zero) of a broker, "" for all; replace: whatever is not named is taken
 * away. */
int catalog_cmd_alter_configs(struct buf *b, const struct catalog_stamp *s, struct uuid topic,
                              struct slice broker, bool replace,
                              const struct catalog_config_change *v, int32_t n);
/* value of done() is the first id of the block */
int catalog_cmd_producer_ids(struct buf *b, const struct catalog_stamp *s, int32_t block);
/* Only once in the life of a catalog; catalog_open() does it. */
int catalog_cmd_set_cluster_id(struct buf *b, const struct catalog_stamp *s, struct uuid id);

#endif
