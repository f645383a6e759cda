/*
 * lookup - from what a request names (a topic's name or id, a partition) to a partition, or to
 * Kafka's error.
 */
#ifndef KCORE_BROKER_LOOKUP_H
#define KCORE_BROKER_LOOKUP_H

#include "broker/request.h"

/* One topic of a request, in one image of the catalog. */
struct lookup {
    const struct catalog_topic *topic; /* NULL: error */
    int16_t error;
};

/* by_id: the request names ids, not names. Asks authz_check. Unknown names: 3, unknown ids: 100;
 * where a name is given beside the id, it is the one that the id had: 3, or 103 when it is another
 * topic's now. */
struct lookup lookup_topic(const struct request *r, const struct catalog_image *image, bool by_id,
                           struct slice name, struct uuid id, enum operation op);

/* The partition, with a reference, or NULL and *error: the topic's, 3 for an index that it does not
 * have, 6 for one whose log is not there, 74 or 75 where epoch (-1: not told) is not the leader's.
 */
struct partition *lookup_partition(const struct request *r, const struct lookup *l, int32_t index,
                                   int32_t epoch, int16_t *error);

#endif
