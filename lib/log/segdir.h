/*
 * segdir - which partitions a log directory has, and which segments a partition.
 */
#ifndef KCORE_LOG_SEGDIR_H
#define KCORE_LOG_SEGDIR_H

#include "base/err.h"
#include "log/format.h"

struct partition_name {
    char topic[PARTITION_TOPIC];
    int32_t partition;
};

/* The partitions that have a directory under dir, sorted by topic and number; *out is malloc'ed.
 * KE_NOTFOUND, KE_IO. */
int segdir_partitions(const char *dir, struct partition_name **out, size_t *n, struct kerr *e);

/* The base offsets of the .log files in the directory, ascending; *out is malloc'ed, NULL when
 * there is none. */
int segdir_list(int dirfd, int64_t **out, size_t *n, struct kerr *e);
/* The same of another kind of file. */
int segdir_files(int dirfd, enum log_file kind, int64_t **out, size_t *n, struct kerr *e);

#endif
