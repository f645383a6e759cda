/*
 * stats - what the broker has done and how it stands, at one moment.
 *
 * Counters live where the work is done (reactors, logs, partitions), each written there alone;
 * here they are summed up. It takes no lock that is held across I/O and none for long: what is
 * slow about ten thousand partitions is making text of them, and that is the reader's.
 */
#ifndef KCORE_BROKER_STATS_H
#define KCORE_BROKER_STATS_H

#include "broker/core.h"
#include "broker/reactor.h"

struct stats_api {
    int16_t key;
    int64_t requests, errors, waiting; /* waiting: begun and not ended yet */
    int64_t bytes_in, bytes_out, ns;
    int64_t bucket[STAT_BUCKETS];
};

struct stats_partition {
    struct slice topic; /* the image's */
    int64_t partition;
    int64_t bytes_in, records_in, bytes_out;
    int64_t flushes, flush_ns, lag_ns;
    int64_t log_start, stable, high_watermark, end, size;
    int64_t producer_ids;
};

struct stats {
    int64_t started_ms; /* wall clock */
    int64_t connections, accepted, refused[CONNECTION_REFUSALS], closed[NET_CLOSE_REASONS];
    int64_t refused_requests[REQUEST_REFUSALS];
    int64_t memory, memory_max; /* of requests */
    int64_t sessions, session_partitions, sessions_evicted;
    int64_t topics, producer_ids;
    struct stats_api *apis;
    size_t api_count;
    struct stats_partition *partitions; /* by topic and number */
    int64_t partition_count;
    const struct catalog_image *image;
};

/* False without memory: then there is nothing to free. Not for a reactor where there may be many
 * partitions. */
bool stats_take(struct broker *b, struct stats *out);
void stats_free(struct stats *s);

/* Words for the reasons. */
extern const char *const stats_close_reasons[NET_CLOSE_REASONS];
extern const char *const stats_connection_refusals[CONNECTION_REFUSALS];
extern const char *const stats_request_refusals[REQUEST_REFUSALS];

#endif
