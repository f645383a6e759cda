/*
 * committed - what a reader with isolation.level=read_committed sees of a partition's directory:
 * no records of aborted transactions, no markers, nothing from the first open transaction on.
 *
 * What was aborted is in the .txnindex files, and which transactions are open in the newest
 * .snapshot: from there on a second reader runs ahead to the log's end. One thread.
 */
#ifndef KCORE_LOG_COMMITTED_H
#define KCORE_LOG_COMMITTED_H

#include "log/offline.h"

struct committed;

/* The same arguments as offline_open. */
int committed_open(struct committed **out, const char *dir, const char *topic, int32_t partition,
                   struct kerr *e);
void committed_free(struct committed *c);

/* The last stable offset: the first open transaction's, else the end; as of the last look. */
int64_t committed_end(const struct committed *c);

/* offline_next of o, without what is not committed; 0 also in front of an open transaction. */
int committed_next(struct committed *c, struct offline *o, struct batch *b, struct kerr *e);

#endif
