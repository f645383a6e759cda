/*
 * apply - what a command does: a pure function of (catalog, command).
 *
 * No clock, no random, no order of rows: two catalogs that were given the same commands at the same
 * indexes are equal, hash included.
 */
#ifndef KCORE_CATALOG_APPLY_H
#define KCORE_CATALOG_APPLY_H

#include "catalog/catalog.h"
#include "catalog/edit.h"
#include "catalog/store.h"

/* How many commands back (proposer, seq) is remembered. */
#define APPLY_REMEMBERED 1000

struct applied {
    int err; /* 0; KE_CORRUPT, KE_UNSUPPORTED: cannot be read, has no index and changed nothing */
    int64_t index;
    enum catalog_result result;
    int64_t value;
};

/*
 * Applies cmd as number index, within a transaction of s and on ed, which are at the same index and
 * together stay what will be true after the commit. An index that was applied before does nothing;
 * one that leaves a gap is KE_INVALID. 0, or what the store answered: then roll the transaction
 * back and throw ed away.
 */
int catalog_apply(struct store *s, struct edit *ed, int64_t index, struct slice cmd,
                  struct applied *out, struct kerr *e);

#endif
