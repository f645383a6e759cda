/*
 * catalog - what exists: topics, partitions, configs, producer-id blocks; SQLite in
 * metadata.log.dir/catalog.db (WAL, synchronous=FULL).
 *
 * Every change is one command: bytes of lib/wire's generator (schema/Catalog*.schema: format,
 * proposer, seq, wall time, changes). catalog_propose() is asynchronous; one writer thread applies
 * in order. Apply is a pure function of (catalog, command). Index and running hash of all commands
 * are written in the same transaction. A precondition that fails is a result, not an error. An I/O
 * error in apply is reported to every waiting done() as KE_IO and then the catalog is dead
 * (catalog_failed): the process should end and replay at its next start.
 *
 * Readers hold an image: an immutable, reference-counted picture of one index.
 */
#ifndef KCORE_CATALOG_CATALOG_H
#define KCORE_CATALOG_CATALOG_H

#include "base/buf.h"
#include "base/diag.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/slice.h"
#include "base/uuid.h"
#include "os/clock.h"

struct catalog;

struct catalog_conf {
    const char *dir; /* metadata.log.dir */
    const struct diag *diag;
};

/* KE_NOTFOUND when there is none and create is false; KE_FOREIGN for a file that is not ours or
 * newer than we know. */
int catalog_open(struct catalog **out, const struct catalog_conf *c, bool create, struct kerr *e);
/* Applies what is queued, then ends. */
void catalog_close(struct catalog *c);
bool catalog_failed(const struct catalog *c);

struct catalog_partition {
    int32_t id;
    int32_t leader, leader_epoch, partition_epoch;
    const int32_t *replicas, *isr;
    int32_t replica_count, isr_count;
    struct uuid directory_id; /* of the log dir that holds it here */
};

struct catalog_config {
    struct slice name, value;
};

struct catalog_topic {
    struct slice name;
    struct uuid id;
    const struct catalog_partition *partitions; /* by id, from 0 */
    int32_t partition_count;
    const struct catalog_config *configs; /* sorted by name */
    int32_t config_count;
};

struct catalog_image {
    int64_t index;
    uint8_t hash[32];
    struct uuid cluster_id;
    const struct catalog_topic *const *topics; /* sorted by name */
    int32_t topic_count;
    int64_t next_producer_id;
};

/* The newest image; give it back. Thread-safe. */
const struct catalog_image *catalog_image(struct catalog *c);
void catalog_image_release(const struct catalog_image *i);
const struct catalog_topic *catalog_topic_by_name(const struct catalog_image *i, struct slice name);
const struct catalog_topic *catalog_topic_by_id(const struct catalog_image *i, struct uuid id);

/* Called on the writer thread after each command that changed something, in index order; before
 * that command's done(). */
typedef void (*catalog_watch_fn)(void *arg, const struct catalog_image *before,
                                 const struct catalog_image *after);
void catalog_subscribe(struct catalog *c, catalog_watch_fn fn, void *arg);

enum catalog_result {
    CATALOG_DONE,
    CATALOG_TOPIC_EXISTS,
    CATALOG_NO_SUCH_TOPIC,
    CATALOG_DUPLICATE /* (proposer, seq) was applied before */
};

/* err: 0 and a result at index; KE_IO: not applied, and nothing will be any more;
 * KE_UNKNOWN_OUTCOME. On the writer thread; who wants it on a reactor posts it there. */
typedef void (*catalog_done_fn)(void *arg, int err, int64_t index, enum catalog_result result,
                                int64_t value);

/* cmd is copied. */
void catalog_propose(struct catalog *c, struct slice cmd, catalog_done_fn done, void *arg);

/* Commands, built with ids, times and uuids chosen by the caller; append to b. Proposer and seq are
 * given by the catalog's owner. */
struct catalog_stamp {
    struct uuid proposer; /* random per process */
    int64_t seq;
    wall_ms now;
};
int catalog_cmd_create_topic(struct buf *b, const struct catalog_stamp *s,
                             const struct catalog_topic *t);
int catalog_cmd_delete_topic(struct buf *b, const struct catalog_stamp *s, struct uuid id);
/* value of done() is the first id of the block */
int catalog_cmd_producer_ids(struct buf *b, const struct catalog_stamp *s, int32_t block);
int catalog_cmd_set_cluster_id(struct buf *b, const struct catalog_stamp *s, struct uuid id);

/* A copy of the whole catalog as it is at one index, into a new file; and back into an empty
 * directory. While running. */
int catalog_snapshot(struct catalog *c, const char *file, struct kerr *e);
int catalog_restore(const char *file, const char *dir, struct kerr *e);

#endif
