#include "catalog/store.h"

#include "base/bytes.h"
#include "os/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECKPOINT_PAGES 512
#define BUSY_MS          2000

#define BROKER_CONFIGS                                                                             \
    "CREATE TABLE broker_configs (broker TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL,"  \
    "  PRIMARY KEY (broker, name)) STRICT, WITHOUT ROWID;"

/* Text where people may want to read or type it. WITHOUT ROWID: the order of rows is the key's.
 * proposals remembers what the last commands were answered. */
static const char schema[] =
    "CREATE TABLE meta (one INTEGER PRIMARY KEY CHECK (one = 1), applied INTEGER NOT NULL,"
    "  hash BLOB NOT NULL) STRICT;"
    "CREATE TABLE cluster (one INTEGER PRIMARY KEY CHECK (one = 1), id TEXT NOT NULL) STRICT;"
    "CREATE TABLE producer_ids (one INTEGER PRIMARY KEY CHECK (one = 1),"
    "  next INTEGER NOT NULL) STRICT;"
    "CREATE TABLE topics (id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE,"
    "  created_ms INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE TABLE partitions (topic TEXT NOT NULL, partition INTEGER NOT NULL,"
    "  leader INTEGER NOT NULL, leader_epoch INTEGER NOT NULL, partition_epoch INTEGER NOT NULL,"
    "  replicas TEXT NOT NULL, isr TEXT NOT NULL, directory TEXT NOT NULL,"
    "  PRIMARY KEY (topic, partition)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE configs (topic TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL,"
    "  PRIMARY KEY (topic, name)) STRICT, WITHOUT ROWID;" BROKER_CONFIGS
    "CREATE TABLE proposals (idx INTEGER PRIMARY KEY, proposer TEXT NOT NULL,"
    "  seq INTEGER NOT NULL, result INTEGER NOT NULL, value INTEGER NOT NULL,"
    "  UNIQUE (proposer, seq)) STRICT;"
    "INSERT INTO meta VALUES (1, 0, zeroblob(16));"
    "INSERT INTO cluster VALUES (1, 'AAAAAAAAAAAAAAAAAAAAAA');"
    "INSERT INTO producer_ids VALUES (1, 0);";

static const char *const sql[STORE_STATEMENTS] = {
#define STORE_SQL(name, text) text,
    STORE_LIST(STORE_SQL)
#undef STORE_SQL
};

static int code_of(int rc)
{
    switch (rc & 0xff) {
    case SQLITE_NOMEM:
        return KE_NOMEM;
    case SQLITE_FULL:
        return KE_NOSPACE;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return KE_LOCKED;
    case SQLITE_CORRUPT:
    case SQLITE_CONSTRAINT: /* preconditions are checked before, so the tables are not ours */
    case SQLITE_ERROR:      /* no such table or column */
        return KE_CORRUPT;
    case SQLITE_NOTADB:
        return KE_FOREIGN;
    case SQLITE_PERM:
    case SQLITE_READONLY:
        return KE_DENIED;
    default:
        return KE_IO;
    }
}

int store_error(struct store *s, const char *doing, struct kerr *e)
{
    int rc = sqlite3_extended_errcode(s->db);
    int sys = sqlite3_system_errno(s->db);

    if (sys != 0 && ((rc & 0xff) == SQLITE_IOERR || (rc & 0xff) == SQLITE_CANTOPEN)) {
        errno = sys;
        /* not KE_NOSPACE: an I/O error, unlike SQLITE_FULL, leaves the file in doubt */
        kerr_sys(e, KE_IO, "%s: SQLite: %s", doing, sqlite3_errmsg(s->db));
        if (e)
            e->code = KE_IO;
        return KE_IO;
    }
    return kerr_set(e, code_of(rc), "%s: SQLite: %s", doing, sqlite3_errmsg(s->db));
}

sqlite3_stmt *store_statement(struct store *s, enum store_statement which, struct kerr *e)
{
    sqlite3_stmt **st = &s->statement[which];

    if (*st) {
        sqlite3_reset(*st);
        sqlite3_clear_bindings(*st);
    } else if (sqlite3_prepare_v3(s->db, sql[which], -1, SQLITE_PREPARE_PERSISTENT, st, NULL) !=
               SQLITE_OK) {
        store_error(s, sql[which], e);
    }
    return *st;
}

int store_step(struct store *s, sqlite3_stmt *st, struct kerr *e)
{
    int rc = sqlite3_step(st);

    if (rc == SQLITE_ROW)
        return 1;
    if (rc != SQLITE_DONE)
        rc = store_error(s, sqlite3_sql(st), e);
    else
        rc = 0;
    sqlite3_reset(st);
    return rc;
}

int store_run(struct store *s, enum store_statement which, struct kerr *e)
{
    sqlite3_stmt *st = store_statement(s, which, e);

    return st ? store_step(s, st, e) : code_of(sqlite3_errcode(s->db));
}

void store_bind_text(sqlite3_stmt *st, int at, struct slice text)
{
    sqlite3_bind_text64(st, at, text.n ? (const char *)text.p : "", text.n, SQLITE_STATIC,
                        SQLITE_UTF8);
}

void store_bind_uuid(sqlite3_stmt *st, int at, struct uuid id)
{
    char text[UUID_TEXT];

    sqlite3_bind_text(st, at, uuid_format(id, text), -1, SQLITE_TRANSIENT);
}

bool store_rollback(struct store *s)
{
    if (!sqlite3_get_autocommit(s->db))
        store_run(s, STORE_ROLLBACK, NULL);
    return sqlite3_get_autocommit(s->db) != 0;
}

static int note_wal(void *arg, sqlite3 *db, const char *name, int pages)
{
    (void)db;
    (void)name;
    ((struct store *)arg)->wal_pages = pages;
    return SQLITE_OK;
}

int store_checkpoint(struct store *s, struct kerr *e)
{
    int rc;

    if (s->wal_pages < CHECKPOINT_PAGES)
        return 0;
    s->wal_pages = 0; /* the next commit tells again */
    rc = sqlite3_wal_checkpoint_v2(s->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    if (rc == SQLITE_OK || rc == SQLITE_BUSY || rc == SQLITE_FULL)
        return 0; /* a reader is in the way, or there is no room: the log grows, later again */
    return store_error(s, "checkpoint", e);
}

/* Opens DIR/name for SQLite. A file of somebody else's making may hold anything: no triggers or
 * views of its own are run, and pages are checked as they are read. */
static int connect(struct store *s, const char *dir, const char *name, struct kerr *e)
{
    char *path;
    int rc;

    if (asprintf(&path, "%s/%s", dir, name) < 0)
        return kerr_set(e, KE_NOMEM, "open %s", name);
    rc = sqlite3_open_v2(path, &s->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    free(path);
    if (!s->db)
        return kerr_set(e, KE_NOMEM, "open %s", name);
    sqlite3_extended_result_codes(s->db, 1);
    if (rc != SQLITE_OK)
        return store_error(s, "open", e);
    sqlite3_busy_timeout(s->db, BUSY_MS);
    sqlite3_db_config(s->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(s->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_db_config(s->db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
    sqlite3_db_config(s->db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
    return 0;
}

static int execute(struct store *s, const char *text, struct kerr *e)
{
    return sqlite3_exec(s->db, text, NULL, NULL, NULL) == SQLITE_OK ? 0 : store_error(s, text, e);
}

/* The first column of the first row. */
static int ask_int(struct store *s, const char *text, int64_t *out, struct kerr *e)
{
    sqlite3_stmt *st;
    int rc;

    if (sqlite3_prepare_v2(s->db, text, -1, &st, NULL) != SQLITE_OK)
        return store_error(s, text, e);
    rc = store_step(s, st, e);
    if (rc == 1)
        *out = sqlite3_column_int64(st, 0);
    sqlite3_finalize(st);
    return rc == 0 ? kerr_set(e, KE_CORRUPT, "%s: no answer", text) : rc < 0 ? rc : 0;
}

void store_close(struct store *s, bool keep_wal)
{
    for (size_t i = 0; i < STORE_STATEMENTS; i++)
        sqlite3_finalize(s->statement[i]);
    if (keep_wal && s->db)
        sqlite3_db_config(s->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    sqlite3_close(s->db);
    *s = (struct store){0};
}

/* ---- a new file --------------------------------------------------------------------------------
 */

static int remove_if_there(int dirfd, const char *name, const char *suffix, struct kerr *e)
{
    char full[64];

    snprintf(full, sizeof full, "%s%s", name, suffix);
    if (os_unlinkat(dirfd, full, 0) != 0 && errno != ENOENT)
        return kerr_sys(e, KE_IO, "remove %s", full);
    return 0;
}

/* No journal file and no syncs: until it has its real name nobody believes in it, so one sync at
 * the end does for all. */
int store_make(struct store *s, int dirfd, const char *dir, const char *name, struct kerr *e)
{
    static const char *const suffix[] = {"", "-journal", "-wal", "-shm"};
    char mark[128];
    int rc = 0, fd;

    *s = (struct store){0};
    for (size_t i = 0; rc == 0 && i < sizeof suffix / sizeof suffix[0]; i++)
        rc = remove_if_there(dirfd, name, suffix[i], e);
    if (rc < 0)
        return rc;
    fd = os_openat(dirfd, name, O_RDWR | O_CREAT | O_EXCL, 0600);
    if (fd < 0)
        return kerr_sys(e, errno == EACCES ? KE_DENIED : KE_IO, "create %s", name);
    os_close(fd);
    snprintf(mark, sizeof mark, "PRAGMA application_id = %d; PRAGMA user_version = %d",
             STORE_APPLICATION_ID, STORE_FORMAT);
    rc = connect(s, dir, name, e);
    if (rc == 0)
        rc = execute(s, "PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF; BEGIN", e);
    if (rc == 0)
        rc = execute(s, mark, e);
    if (rc == 0)
        rc = execute(s, schema, e);
    if (rc == 0)
        rc = execute(s, "COMMIT", e);
    if (rc < 0)
        store_close(s, false);
    return rc;
}

int store_finish(struct store *s, int dirfd, const char *name, struct kerr *e)
{
    /* the mode is a property of the file, so that opening it need not change it */
    int rc = execute(s, "PRAGMA journal_mode = WAL", e);
    int fd;

    store_close(s, false);
    if (rc < 0)
        return rc;
    fd = os_openat(dirfd, name, O_RDWR, 0);
    if (fd < 0)
        return kerr_sys(e, KE_IO, "open %s", name);
    if (os_fsync(fd) != 0)
        rc = kerr_sys(e, KE_IO, "sync %s", name);
    os_close(fd);
    if (rc == 0 && os_renameat(dirfd, name, dirfd, "catalog.db") != 0)
        rc = kerr_sys(e, KE_IO, "rename %s", name);
    if (rc == 0 && os_fsync(dirfd) != 0)
        rc = kerr_sys(e, KE_IO, "sync the directory of %s", name);
    return rc;
}

/* ---- an existing file --------------------------------------------------------------------------
 */

int store_check(int dirfd, const char *name, struct kerr *e)
{
    static const char magic[16] = "SQLite format 3";
    uint8_t head[100];
    struct stat st;
    ssize_t n;
    int fd = os_openat(dirfd, name, O_RDONLY, 0);

    if (fd < 0)
        return kerr_sys(e,
                        errno == ENOENT   ? KE_NOTFOUND
                        : errno == EACCES ? KE_DENIED
                                          : KE_IO,
                        "open");
    if (fstat(fd, &st) == 0 && !S_ISREG(st.st_mode)) {
        os_close(fd);
        return kerr_set(e, KE_FOREIGN, "not a file");
    }
    n = os_pread(fd, head, sizeof head, 0);
    os_close(fd);
    if (n < 0)
        return kerr_sys(e, KE_IO, "read");
    if (n < (ssize_t)sizeof head || memcmp(head, magic, sizeof magic) != 0)
        return kerr_set(e, KE_FOREIGN, "not an SQLite file");
    if (get_be32(head + 68) != STORE_APPLICATION_ID)
        return kerr_set(e, KE_FOREIGN, "an SQLite file, but not a catalog");
    return 0;
}

/* From an older format, at once or not at all. */
static int bring_up_to_date(struct store *s, int64_t version, struct kerr *e)
{
    char text[512];

    if (version == STORE_FORMAT)
        return 0;
    snprintf(text, sizeof text,
             "BEGIN IMMEDIATE; " BROKER_CONFIGS " PRAGMA user_version = %d; COMMIT", STORE_FORMAT);
    return execute(s, text, e);
}

int store_open(struct store *s, const char *dir, const char *name, struct kerr *e)
{
    int64_t version = 0, id = 0;
    int rc;

    *s = (struct store){0};
    rc = connect(s, dir, name, e);
    if (rc == 0)
        rc = ask_int(s, "PRAGMA application_id", &id, e);
    if (rc == 0 && id != STORE_APPLICATION_ID)
        rc = kerr_set(e, KE_FOREIGN, "an SQLite file, but not a catalog");
    if (rc == 0)
        rc = ask_int(s, "PRAGMA user_version", &version, e);
    if (rc == 0 && version > STORE_FORMAT)
        rc = kerr_set(e, KE_FOREIGN, "written by a newer kcore: format %lld, known is %d",
                      (long long)version, STORE_FORMAT);
    if (rc == 0 && version < 1)
        rc = kerr_set(e, KE_FOREIGN, "catalog of the unknown format %lld", (long long)version);
    if (rc == 0)
        rc = execute(s,
                     "PRAGMA cell_size_check = ON; PRAGMA cache_size = -400; "
                     "PRAGMA temp_store = MEMORY; PRAGMA journal_mode = WAL; "
                     "PRAGMA synchronous = FULL; PRAGMA journal_size_limit = 4194304; "
                     "PRAGMA wal_autocheckpoint = 0",
                     e);
    if (rc == 0)
        rc = bring_up_to_date(s, version, e);
    if (rc == 0)
        sqlite3_wal_hook(s->db, note_wal, s);
    else
        store_close(s, true);
    return rc;
}
