/*
 * dump - hands out what a file of a partition contains, for people to look at. Printing is the
 * caller's work; what is damaged is handed out as far as it can be understood.
 */
#ifndef KCORE_LOG_DUMP_H
#define KCORE_LOG_DUMP_H

#include "log/format.h"
#include "record/batch.h"

/* Members that are NULL are not wanted. A callback that returns other than 0 ends the dump with
 * that. Offsets are absolute. */
struct dump_sink {
    /* crc: what was computed, b->crc is what is stored */
    int (*batch)(void *arg, const struct batch *b, int64_t position, uint32_t crc);
    /* Only of batches whose CRC is right. */
    int (*record)(void *arg, const struct batch *b, const struct record *r);
    int (*index)(void *arg, int64_t offset, int64_t position);
    int (*time)(void *arg, int64_t timestamp, int64_t offset);
    int (*txn)(void *arg, const struct txn_entry *t);
    int (*producer)(void *arg, const struct producer_entry *p);
    int (*epoch)(void *arg, const struct epoch_entry *v);
    int (*topic_id)(void *arg, struct uuid id);
    void *arg;
    size_t cap; /* of the decoded records of a batch, as in record_iter_begin */
};

/*
 * What path holds is told by its name, which must be one of a partition's directory: KE_INVALID.
 * 0 at the end of a whole file. A .log that ends within a batch gives KE_AGAIN, one that goes on
 * with something else KE_CORRUPT, each with the position, after all that is in front of it.
 */
int dump_file(const char *path, const struct dump_sink *sink, struct kerr *e);

#endif
