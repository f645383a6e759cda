/*
 * verify_index - holds a segment's .index, .timeindex and .txnindex against its batches as they go
 * by. What is asked of an entry is what makes a look-up right:
 *   .index      at its position begins a batch, and all offsets in front of that are smaller;
 *   .timeindex  no batch up to its offset has a later time;
 * both ascend, and lead to nothing behind the log's end.
 */
#ifndef KCORE_LOG_VERIFY_INDEX_H
#define KCORE_LOG_VERIFY_INDEX_H

#include "log/format.h"
#include "record/batch.h"

/* position is that of the entry in its file */
typedef void (*verify_index_tell)(void *arg, const char *file, int64_t position, const char *what);

struct verify_index_file {
    char name[LOG_FILE_NAME];
    uint8_t *bytes; /* NULL: there is no such file */
    size_t n, i;    /* entries, and the next to be looked at */
};

struct verify_index {
    verify_index_tell tell;
    void *arg;
    int64_t base;
    struct verify_index_file offsets, times, txns;
    struct index_entry last; /* the one before offsets.i */
    struct time_entry last_time;
    int64_t largest; /* of the timestamps so far */
};

/* Missing files are no problem. KE_IO, KE_NOMEM. */
int verify_index_open(struct verify_index *v, int dirfd, int64_t base, verify_index_tell tell,
                      void *arg, struct kerr *e);
void verify_index_batch(struct verify_index *v, const struct batch *b, int64_t position);
/* Nothing is known of what lies in front of position: entries that lead there are passed over. */
void verify_index_skip(struct verify_index *v, int64_t position);
/* After the last batch; end is the log's. */
void verify_index_end(struct verify_index *v, int64_t end);
void verify_index_close(struct verify_index *v);

#endif
