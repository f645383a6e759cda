/*
 * verify - checks a partition's files as they lie on the disk: framing, CRC, records in every
 * codec, ascending offsets, and that the indexes, snapshots and checkpoints agree with the log.
 * Changes nothing; needs no lock, but on a live directory may find a tail that is being written.
 */
#ifndef KCORE_LOG_VERIFY_H
#define KCORE_LOG_VERIFY_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

enum verify_kind {
    VERIFY_TORN,   /* the newest segment ends in bytes that are no whole, valid batch */
    VERIFY_DAMAGE, /* in the log, with good batches behind it or in an older segment */
    VERIFY_INDEX,  /* an index or checkpoint that does not fit the log: it can be made again */
};

struct verify_problem {
    enum verify_kind kind;
    const char *file; /* its name in the directory */
    int64_t position; /* in that file, -1 where it makes no sense */
    int64_t offset;   /* the first that may be concerned, -1 unknown */
    const char *what;
};

struct verify_options {
    void (*problem)(void *arg, const struct verify_problem *p);
    void *arg;
    size_t cap; /* of the decoded records of a batch, as in record_iter_begin */
};

struct verify_result {
    int64_t segments, batches, records, bytes;
    int64_t start, end;          /* offsets: of the first segment, and behind the last good batch */
    int64_t torn, damage, index; /* problems of each kind */
};

/* A partition's directory. 0 when all could be read, whatever was found; KE_NOTFOUND, KE_IO,
 * KE_NOMEM otherwise. *r is added to: zero it first. */
int verify_dir(const char *dir, const struct verify_options *o, struct verify_result *r,
               struct kerr *e);

/* One .log file with the indexes beside it; taken as the newest segment when none is newer in its
 * directory. */
int verify_file(const char *path, const struct verify_options *o, struct verify_result *r,
                struct kerr *e);

#endif
