/*
 * snapshot - a copy of the whole catalog as it is at one index: an SQLite file of its own.
 */
#ifndef KCORE_CATALOG_SNAPSHOT_H
#define KCORE_CATALOG_SNAPSHOT_H

#include "base/err.h"

/* Copies DIR/catalog.db into a new file (0600), which is on stable storage when it returns. May be
 * called while a broker runs, from any thread or process. KE_EXISTS when there is such a file;
 * KE_NOTFOUND without a catalog; KE_FOREIGN, KE_IO, KE_NOSPACE: then file does not exist. */
int catalog_snapshot(const char *dir, const char *file, struct kerr *e);

/* Makes file the catalog of dir. Every page of it is checked first (KE_CORRUPT, KE_FOREIGN).
 * KE_EXISTS when dir has a catalog. */
int catalog_restore(const char *file, const char *dir, struct kerr *e);

#endif
