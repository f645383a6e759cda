/*
 * checkpoint - the small text files at the top of a log directory, as bytes in and out, without any
 * I/O. (Those of a partition are in log/format.h.)
 *
 *     recovery-point-offset-checkpoint, log-start-offset-checkpoint, replication-offset-checkpoint
 *                         "0", the number of entries, then "TOPIC PARTITION OFFSET" lines
 *     meta.properties     version=1, node.id, cluster.id, directory.id
 *
 * (Kafka: OffsetCheckpointFile, MetaProperties.) Decoders allocate with malloc and give KE_CORRUPT,
 * KE_UNSUPPORTED (a version that is not known) or KE_NOMEM; encoders append to a buf, whose failure
 * is sticky.
 */
#ifndef KCORE_LOG_CHECKPOINT_H
#define KCORE_LOG_CHECKPOINT_H

#include "base/buf.h"
#include "base/err.h"
#include "base/uuid.h"
#include "log/format.h"

struct offset_entry {
    char topic[PARTITION_TOPIC];
    int32_t partition;
    int64_t offset;
};

int offset_checkpoint_decode(struct slice file, struct offset_entry **out, size_t *n,
                             struct kerr *e);
void offset_checkpoint_begin(struct buf *b, size_t n);
void offset_checkpoint_add(struct buf *b, const char *topic, int32_t partition, int64_t offset);

struct meta_properties {
    int32_t node_id;
    struct uuid cluster_id, directory_id; /* directory_id: zero when there is none */
};

int meta_properties_decode(struct slice file, struct meta_properties *out, struct kerr *e);
void meta_properties_encode(struct buf *b, const struct meta_properties *m);

#endif
