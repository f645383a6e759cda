/*
 * offsets - where a partition begins and ends, and what was written when (ListOffsets).
 */
#ifndef KCORE_CLIENT_OFFSETS_H
#define KCORE_CLIENT_OFFSETS_H

#include "client/client.h"

enum { OFFSETS_END = -1, OFFSETS_START = -2 };

struct offset_query {
    struct client_topic *topic;
    int32_t partition;
    int64_t at; /* milliseconds since the epoch, OFFSETS_END or OFFSETS_START */
    /* the answer */
    int64_t offset;       /* by time: of the first record at or after it; -1: there is none */
    bool asked, answered; /* internal */
};

/* Asks the leaders, all at the same time, again while leaders move. The end is the high watermark,
 * with read_committed the last stable offset. A partition may be asked for once in a call: brokers
 * refuse it twice in a request (INVALID_REQUEST, KafkaApis.handleListOffsetRequest). 0, or the
 * first thing that went wrong for good: KE_REMOTE, KE_TIMEOUT (-1: request.timeout.ms), KE_IO,
 * KE_CLOSED. */
int client_offsets(struct client *c, struct offset_query *q, size_t n, bool read_committed,
                   int64_t timeout_ms, struct kerr *e);

#endif
