/*
 * store - catalog.db itself: what SQLite is told to be, its tables, the statements on them.
 *
 * The file is ours when its application id says so, and known when its user version is not newer
 * than STORE_FORMAT. Statements take bound parameters only. One thread at a time.
 *
 * Errors: KE_NOMEM, KE_NOSPACE, KE_LOCKED (another process has the write lock) leave everything as
 * before the transaction once it is rolled back. KE_IO, KE_CORRUPT, KE_DENIED: the file is not to
 * be written any more.
 */
#ifndef KCORE_CATALOG_STORE_H
#define KCORE_CATALOG_STORE_H

#include "base/err.h"
#include "catalog/image.h"

#include <sqlite3.h>

#define STORE_APPLICATION_ID 0x6b636f72 /* "kcor" */
#define STORE_FORMAT         2 /* 1 had no broker_configs: it is brought up to date when it is opened */

/* One list: name, SQL. */
#define STORE_LIST(X)                                                                              \
    X(STORE_BEGIN, "BEGIN IMMEDIATE")                                                              \
    X(STORE_COMMIT, "COMMIT")                                                                      \
    X(STORE_ROLLBACK, "ROLLBACK")                                                                  \
    X(STORE_SAVEPOINT, "SAVEPOINT command")                                                        \
    X(STORE_RELEASE, "RELEASE command")                                                            \
    X(STORE_UNDO, "ROLLBACK TO command")                                                           \
    X(STORE_SET_META, "UPDATE meta SET applied = ?1, hash = ?2 WHERE applied = ?1 - 1")            \
    X(STORE_SET_CLUSTER, "UPDATE cluster SET id = ?1")                                             \
    X(STORE_SET_PRODUCER_IDS, "UPDATE producer_ids SET next = ?1")                                 \
    X(STORE_ADD_TOPIC, "INSERT INTO topics (id, name, created_ms) VALUES (?1, ?2, ?3)")            \
    X(STORE_ADD_PARTITION, "INSERT INTO partitions (topic, partition, leader, leader_epoch, "      \
                           "partition_epoch, replicas, isr, directory) "                           \
                           "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")                              \
    X(STORE_ADD_CONFIG, "INSERT INTO configs (topic, name, value) VALUES (?1, ?2, ?3)")            \
    X(STORE_ADD_BROKER_CONFIG,                                                                     \
      "INSERT INTO broker_configs (broker, name, value) VALUES (?1, ?2, ?3)")                      \
    X(STORE_DROP_BROKER_CONFIGS, "DELETE FROM broker_configs WHERE broker = ?1")                   \
    X(STORE_DROP_TOPIC, "DELETE FROM topics WHERE id = ?1")                                        \
    X(STORE_DROP_PARTITIONS, "DELETE FROM partitions WHERE topic = ?1")                            \
    X(STORE_DROP_CONFIGS, "DELETE FROM configs WHERE topic = ?1")                                  \
    X(STORE_FIND_PROPOSAL, "SELECT idx, result, value FROM proposals "                             \
                           "WHERE proposer = ?1 AND seq = ?2")                                     \
    X(STORE_ADD_PROPOSAL, "INSERT INTO proposals (idx, proposer, seq, result, value) "             \
                          "VALUES (?1, ?2, ?3, ?4, ?5)")                                           \
    X(STORE_DROP_PROPOSALS, "DELETE FROM proposals WHERE idx <= ?1")

enum store_statement {
#define STORE_ENUM(name, sql) name,
    STORE_LIST(STORE_ENUM)
#undef STORE_ENUM
        STORE_STATEMENTS
};

struct store {
    sqlite3 *db;
    sqlite3_stmt *statement[STORE_STATEMENTS]; /* prepared when first used */
    int wal_pages;                             /* in the write-ahead log after the last commit */
};

/* Makes DIR/name with its tables and nothing in them, ready for a first transaction; it is not on
 * stable storage before store_finish() has closed, synced and renamed it to DIR/CATALOG_FILE. What
 * a crash left of name goes away first. */
int store_make(struct store *s, int dirfd, const char *dir, const char *name, struct kerr *e);
/* Closes s in any case. */
int store_finish(struct store *s, int dirfd, const char *name, struct kerr *e);

/* Is there a file, and is it ours? Asked before SQLite touches a foreign one and makes files beside
 * it. Not while this process has the file open: closing any descriptor of a file drops the
 * process's POSIX locks on it, SQLite's too, and then the next sqlite3 shell to end takes itself
 * for the last user and deletes the write-ahead log. KE_NOTFOUND, KE_FOREIGN, KE_DENIED, KE_IO. */
int store_check(int dirfd, const char *name, struct kerr *e);
/* KE_FOREIGN, KE_CORRUPT, KE_DENIED, KE_IO (no such file, too). */
int store_open(struct store *s, const char *dir, const char *name, struct kerr *e);
/* keep_wal: without the checkpoint that the last one usually does, after a failure. */
void store_close(struct store *s, bool keep_wal);

/* The whole catalog, with one reference. Everything in it is checked (KE_CORRUPT). */
int store_load(struct store *s, const struct catalog_image **out, struct kerr *e);

/* The statement, reset and without bindings, or NULL (e says why). */
sqlite3_stmt *store_statement(struct store *s, enum store_statement which, struct kerr *e);
/* Steps it once: 1 a row, 0 done, or an error. Parameters that could not be bound count too. */
int store_step(struct store *s, sqlite3_stmt *st, struct kerr *e);
/* A statement without parameters and rows. */
int store_run(struct store *s, enum store_statement which, struct kerr *e);
/* What SQLite last complained of. */
int store_error(struct store *s, const char *doing, struct kerr *e);

void store_bind_text(sqlite3_stmt *st, int at, struct slice text); /* must live until the step */
void store_bind_uuid(sqlite3_stmt *st, int at, struct uuid id);    /* as Kafka prints it */

/* Rolls back what is begun. False when that cannot be known to have happened. */
bool store_rollback(struct store *s);
/* Moves the log into the file where it has grown. */
int store_checkpoint(struct store *s, struct kerr *e);

#endif
