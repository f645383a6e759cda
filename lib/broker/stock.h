/*
 * stock - the catalog's partitions and the log directories, held against each other: by topic id,
 * at the start, and at every change of the catalog after it. The catalog leads, directories follow.
 */
#ifndef KCORE_BROKER_STOCK_H
#define KCORE_BROKER_STOCK_H

#include "broker/core.h"

/*
 * Opens what the catalog lists; sets aside (-stray) directories that it does not list. A partition
 * without a directory is KE_NOTFOUND, unless accept_missing is set, or the last stop was unclean
 * and so the crash may have come between the commit and the mkdir: then it is made empty, and said.
 */
int stock_open(struct broker *b, struct kerr *e);

/* True when there are partition directories: then a missing catalog is no fresh start. */
int stock_present(struct broker *b, bool *present, struct kerr *e);

/* Makes catalog rows of the directories found (--adopt). The catalog is empty and open. */
int stock_adopt(struct broker *b, struct kerr *e);

/* A catalog_watch_fn: makes and deletes directories. */
void stock_follow(void *broker, const struct catalog_image *before,
                  const struct catalog_image *after);

/* The file's settings have changed: works out again what each log's come to. */
void stock_refresh(struct broker *b);

/* Closes every log. */
void stock_close(struct broker *b, bool clean);

#endif
