/*
 * partitioner - which partition a key belongs to, the same as Kafka's Java producer says: the same
 * key must go to the same partition whoever writes it (org.apache.kafka.common.utils.Utils.murmur2,
 * BuiltInPartitioner.partitionForKey).
 */
#ifndef KCORE_CLIENT_PARTITIONER_H
#define KCORE_CLIENT_PARTITIONER_H

#include "base/slice.h"

/* MurmurHash2, 32 bits, with Kafka's seed. */
uint32_t murmur2(struct slice s);

/* count > 0. */
static inline int32_t partition_for_key(struct slice key, int32_t count)
{
    return (int32_t)((murmur2(key) & 0x7fffffff) % (uint32_t)count);
}

#endif
