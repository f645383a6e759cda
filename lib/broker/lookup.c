#include "broker/lookup.h"

#include "wire/error.h"

struct lookup lookup_topic(const struct request *r, const struct catalog_image *image, bool by_id,
                           struct slice name, struct uuid id, enum operation op)
{
    struct lookup l = {0};

    if (by_id) {
        l.topic = catalog_topic_by_id(image, id);
        l.error = name.n == 0                          ? KAFKA_UNKNOWN_TOPIC_ID
                  : catalog_topic_by_name(image, name) ? KAFKA_INCONSISTENT_TOPIC_ID
                                                       : KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
    } else {
        l.topic = catalog_topic_by_name(image, name);
        l.error = KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
    }
    if (!authz_check(r, op, RES_TOPIC, l.topic ? l.topic->name : name)) {
        l.topic = NULL;
        /* alike whether or not it exists */
        l.error = by_id ? KAFKA_UNKNOWN_TOPIC_ID : KAFKA_TOPIC_AUTHORIZATION_FAILED;
    }
    if (l.topic)
        l.error = 0;
    return l;
}

struct partition *lookup_partition(const struct request *r, const struct lookup *l, int32_t index,
                                   int32_t epoch, int16_t *error)
{
    const struct catalog_partition *c;
    struct partition *p;

    *error = l->error;
    if (!l->topic)
        return NULL;
    *error = KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
    if (index < 0 || index >= l->topic->partition_count)
        return NULL;
    c = &l->topic->partitions[index];
    if (epoch >= 0 && epoch != c->leader_epoch) {
        *error = epoch < c->leader_epoch ? KAFKA_FENCED_LEADER_EPOCH : KAFKA_UNKNOWN_LEADER_EPOCH;
        return NULL;
    }
    p = partitions_get(&r->broker->partitions, l->topic->id, index);
    /* being made or being deleted at this moment, or its directory could not be made */
    *error = p ? 0 : KAFKA_NOT_LEADER_OR_FOLLOWER;
    return p;
}
