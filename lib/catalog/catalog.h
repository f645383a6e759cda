/*
 * catalog - what exists: topics, partitions, configs, producer-id blocks; SQLite in
 * metadata.log.dir/catalog.db (WAL, synchronous=FULL). Anyone may query the file while the broker
 * runs; nothing else may write it.
 *
 * Every change is one command (catalog/command.h). catalog_propose() is asynchronous; one writer
 * thread applies in order, and what waits together shares a transaction. Apply is a pure function
 * of (catalog, command). Index and running hash of all commands are written in the same
 * transaction. A precondition that fails is a result, not an error. After an I/O error the catalog
 * is dead (catalog_failed): the process should end and find out at its next start what was kept.
 *
 * The running hash is SipHash over the command, keyed with the hash before it, twice with different
 * keys: 128 bits. It is there to notice that two machines, or two runs, have applied different
 * commands. It is no defence against somebody who wants two histories to collide; that would take
 * a cryptographic hash, and OpenSSL costs 2 MB in every broker.
 *
 * Readers hold an image (catalog/image.h).
 */
#ifndef KCORE_CATALOG_CATALOG_H
#define KCORE_CATALOG_CATALOG_H

#include "base/diag.h"
#include "base/err.h"
#include "base/slice.h"
#include "base/uuid.h"
#include "catalog/command.h"
#include "catalog/image.h"
#include "catalog/snapshot.h"

#define CATALOG_FILE "catalog.db"

struct catalog;

struct catalog_conf {
    const char *dir;        /* metadata.log.dir; must exist */
    struct uuid cluster_id; /* of a catalog that has to be made; an existing one keeps its own */
    const struct diag *diag;
    /* Called once, on the writer thread, when the catalog has died. May be NULL. */
    void (*failed)(void *arg);
    void *arg;
};

/* KE_NOTFOUND when there is none and create is false; KE_FOREIGN for a file that is not ours or
 * newer than we know; KE_CORRUPT, KE_DENIED, KE_IO. A catalog that is made is there whole, with its
 * cluster id, or not at all. */
int catalog_open(struct catalog **out, const struct catalog_conf *c, bool create, struct kerr *e);
/* Applies what is queued, then ends. */
void catalog_close(struct catalog *c);
bool catalog_failed(const struct catalog *c);

/* The newest image; give it back. Thread-safe. */
const struct catalog_image *catalog_image(struct catalog *c);

/* Called on the writer thread after each transaction that changed a topic or a setting (several
 * commands may have shared it), in index order, before those commands' done(). The images are the
 * caller's to hold, not to keep. Subscribe before the first propose; at most CATALOG_WATCHERS. */
#define CATALOG_WATCHERS 4
typedef void (*catalog_watch_fn)(void *arg, const struct catalog_image *before,
                                 const struct catalog_image *after);
void catalog_subscribe(struct catalog *c, catalog_watch_fn fn, void *arg);

enum catalog_result {
    CATALOG_DONE,
    CATALOG_TOPIC_EXISTS, /* by name or by id */
    CATALOG_NO_SUCH_TOPIC,
    CATALOG_INVALID, /* a change that makes no sense: a bad name, no partitions, a block of 0 ids */
    CATALOG_PARTITIONS_EXIST, /* the topic has got more partitions meanwhile */
    CATALOG_CONFLICT          /* a setting is no longer what the change started from */
};

/*
 * err 0: there is a result, and index is where it stands. A command whose (proposer, seq) was
 *     applied before, within the last 1,000 commands, changes nothing and gets result, index and
 *     value of that first time.
 * KE_CORRUPT, KE_UNSUPPORTED: the command cannot be read; it was not applied and has no index.
 * KE_NOMEM, KE_NOSPACE, KE_LOCKED (somebody else locked the file): not applied, the catalog goes
 * on. KE_IO: not applied, and nothing will be any more. KE_UNKNOWN_OUTCOME: the commit failed; the
 * next start will show. On the writer thread; who wants it on a reactor posts it there. Must not
 * call catalog_close.
 */
typedef void (*catalog_done_fn)(void *arg, int err, int64_t index, enum catalog_result result,
                                int64_t value);

/* cmd is copied. 0: done will be called, once. KE_NOMEM: it will not. Thread-safe. */
int catalog_propose(struct catalog *c, struct slice cmd, catalog_done_fn done, void *arg)
    __attribute__((warn_unused_result));

#endif
