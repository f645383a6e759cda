#include "catalog_support.h"

#include "os/file.h"
#include "wire/catalog_command.h"
#include "wire/catalog_delete_topic.h"
#include "wire/catalog_producer_ids.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- directories -------------------------------------------------------------------------------
 */

char *scratch_dir(void)
{
    const char *tmp = getenv("TMPDIR");
    char *dir;

    assert_true(asprintf(&dir, "%s/kcore-catalog.XXXXXX", tmp ? tmp : "/tmp") > 0);
    assert_non_null(mkdtemp(dir));
    return dir;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *f)
{
    (void)st;
    (void)type;
    (void)f;
    return remove(path);
}

void scratch_remove(char *dir)
{
    nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* ---- commands ----------------------------------------------------------------------------------
 */

struct uuid uuid_of(uint32_t n)
{
    struct uuid u = {{0x5a}};

    memcpy(u.b + 12, &n, sizeof n);
    return u;
}

static struct catalog_stamp stamp(int64_t seq)
{
    return (struct catalog_stamp){
        .proposer = uuid_of(77), .seq = seq, .now = {1700000000000 + seq}};
}

void cmd_create(struct buf *b, int64_t seq, const char *name, uint32_t id, int32_t partitions)
{
    static const int32_t replicas[] = {1, 2};
    static const struct catalog_config configs[] = {
        {{(const uint8_t *)"segment.bytes", 13}, {(const uint8_t *)"1048576", 7}},
        {{(const uint8_t *)"flush", 5}, {(const uint8_t *)"os", 2}},
    };
    struct catalog_partition *p = calloc((size_t)partitions + 1, sizeof *p);
    struct catalog_topic t = {
        .name = slice_str(name),
        .id = uuid_of(id),
        .partitions = p,
        .partition_count = partitions,
        .configs = configs,
        .config_count = (int32_t)(id % 3),
    };
    const struct catalog_stamp s = stamp(seq);

    assert_non_null(p);
    for (int32_t i = 0; i < partitions; i++)
        p[i] = (struct catalog_partition){
            .leader = 1,
            .leader_epoch = i,
            .replicas = replicas,
            .isr = replicas,
            .replica_count = 2,
            .isr_count = 1 + i % 2,
            .directory_id = uuid_of(id + 1000),
        };
    buf_clear(b);
    assert_int_equal(catalog_cmd_create_topic(b, &s, &t), 0);
    free(p);
}

void cmd_delete(struct buf *b, int64_t seq, uint32_t id)
{
    const struct catalog_stamp s = stamp(seq);

    buf_clear(b);
    assert_int_equal(catalog_cmd_delete_topic(b, &s, uuid_of(id)), 0);
}

void cmd_create_partitions(struct buf *b, int64_t seq, uint32_t id, int32_t count, int32_t n)
{
    static const int32_t replicas[] = {3, 1};
    const struct catalog_stamp s = stamp(seq);
    struct catalog_partition p[4];

    for (int32_t i = 0; i < n; i++)
        p[i] = (struct catalog_partition){
            .leader = 3,
            .leader_epoch = 7 + i,
            .replicas = replicas,
            .isr = replicas,
            .replica_count = 2,
            .isr_count = 1,
            .directory_id = uuid_of(id + 2000),
        };
    buf_clear(b);
    assert_int_equal(catalog_cmd_create_partitions(b, &s, uuid_of(id), count, p, n), 0);
}

void cmd_alter(struct buf *b, int64_t seq, uint32_t id, const char *broker, bool replace,
               const char *name, const char *value, const char *was)
{
    const struct catalog_stamp s = stamp(seq);
    struct catalog_config_change c = {
        .name = slice_str(name),
        .value = value ? slice_str(value) : (struct slice){NULL, 0},
        .checked = was != NULL,
        .was = was && strcmp(was, "-") != 0 ? slice_str(was) : (struct slice){NULL, 0},
    };

    buf_clear(b);
    assert_int_equal(catalog_cmd_alter_configs(b, &s, id ? uuid_of(id) : (struct uuid){{0}},
                                               slice_str(broker), replace, &c, 1),
                     0);
}

void cmd_producer_ids(struct buf *b, int64_t seq, int32_t count)
{
    const struct catalog_stamp s = stamp(seq);

    buf_clear(b);
    assert_int_equal(catalog_cmd_producer_ids(b, &s, count), 0);
}

uint32_t rng_below(struct rng *r, uint32_t n)
{
    r->state = r->state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(r->state >> 33) % n;
}

/* Two changes: producer ids, then a deletion that may well be refused. */
static void cmd_two(struct buf *b, int64_t seq, uint32_t id)
{
    struct catalog_delete_topic gone = {.topic_id = uuid_of(id)};
    struct catalog_producer_ids ids = {.count = 10};
    struct catalog_command_change change[2] = {{.kind = CATALOG_KIND_PRODUCER_IDS},
                                               {.kind = CATALOG_KIND_DELETE_TOPIC}};
    struct catalog_command m;
    struct buf body[2] = {0};

    assert_int_equal(catalog_producer_ids_encode(&ids, &body[0], 0), 0);
    assert_int_equal(catalog_delete_topic_encode(&gone, &body[1], 0), 0);
    catalog_command_init(&m);
    m.proposer = uuid_of(78);
    m.seq = seq;
    m.changes.v = change;
    m.changes.n = 2;
    for (int i = 0; i < 2; i++)
        change[i].body = buf_slice(&body[i]);
    buf_clear(b);
    buf_put(b, "\0\0", 2);
    assert_int_equal(catalog_command_encode(&m, b, 0), 0);
    buf_free(&body[0]);
    buf_free(&body[1]);
}

static void cmd_alter_random(struct buf *b, struct rng *r, int64_t seq, uint32_t id)
{
    static const char *const names[] = {"flush", "segment.bytes", "retention.ms"};
    static const char *const values[] = {"os", "1", NULL};
    static const char *const before[] = {NULL, NULL, "os", "-"};
    static const char *const brokers[] = {"", "1", "2"};

    cmd_alter(b, seq, rng_below(r, 2) ? id : 0, brokers[rng_below(r, 3)], rng_below(r, 4) == 0,
              names[rng_below(r, 3)], values[rng_below(r, 3)], before[rng_below(r, 4)]);
}

void cmd_random(struct buf *b, struct rng *r)
{
    int64_t seq = rng_below(r, 200);
    uint32_t id = 1 + rng_below(r, 25);
    char name[16];

    snprintf(name, sizeof name, "topic%u", rng_below(r, 20));
    switch (rng_below(r, 13)) {
    case 0:
    case 1:
        cmd_delete(b, seq, id);
        break;
    case 2:
        cmd_producer_ids(b, seq, (int32_t)rng_below(r, 5) - 1);
        break;
    case 3:
        cmd_two(b, seq, id);
        break;
    case 4:
    case 5:
        cmd_create_partitions(b, seq, id, (int32_t)rng_below(r, 4), (int32_t)rng_below(r, 3));
        break;
    case 6:
    case 7:
    case 8:
        cmd_alter_random(b, r, seq, id);
        break;
    default:
        cmd_create(b, seq, name, id, (int32_t)rng_below(r, 4));
    }
}

/* ---- proposing ---------------------------------------------------------------------------------
 */

static pthread_mutex_t answered_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t answered = PTHREAD_COND_INITIALIZER;

static void take_answer(void *arg, int err, int64_t index, enum catalog_result result,
                        int64_t value)
{
    struct answer *a = arg;

    pthread_mutex_lock(&answered_lock);
    assert_false(a->done); /* once */
    *a = (struct answer){true, err, index, result, value};
    pthread_cond_broadcast(&answered);
    pthread_mutex_unlock(&answered_lock);
}

void propose_all(struct catalog *c, const struct buf *cmds, size_t n, struct answer *out)
{
    memset(out, 0, n * sizeof *out);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(catalog_propose(c, buf_slice(&cmds[i]), take_answer, &out[i]), 0);
    pthread_mutex_lock(&answered_lock);
    for (size_t i = 0; i < n; i++)
        while (!out[i].done)
            pthread_cond_wait(&answered, &answered_lock);
    pthread_mutex_unlock(&answered_lock);
}

struct answer propose(struct catalog *c, const struct buf *cmd)
{
    struct answer a;

    propose_all(c, cmd, 1, &a);
    return a;
}

/* ---- what is in the file -----------------------------------------------------------------------
 */

static void dump_rows(sqlite3 *db, struct buf *to, const char *table)
{
    sqlite3_stmt *st;
    char sql[128];
    int n, rc;

    buf_printf(to, "%s\n", table);
    snprintf(sql, sizeof sql, "SELECT * FROM %s ORDER BY 1, 2", table);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &st, NULL), SQLITE_OK);
    n = sqlite3_column_count(st);
    while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
        for (int i = 0; i < n; i++) {
            const uint8_t *p = sqlite3_column_blob(st, i);
            for (int k = 0; k < sqlite3_column_bytes(st, i); k++)
                buf_printf(to, p[k] >= ' ' && p[k] <= '~' ? "%c" : "\\x%02x", p[k]);
            buf_printf(to, "|");
        }
        buf_printf(to, "\n");
    }
    assert_int_equal(rc, SQLITE_DONE);
    sqlite3_finalize(st);
}

char *dump_catalog(const char *dir)
{
    static const char *const tables[] = {"meta",       "cluster", "producer_ids",   "topics",
                                         "partitions", "configs", "broker_configs", "proposals"};
    struct buf to = {0};
    char path[512];
    sqlite3 *db;

    snprintf(path, sizeof path, "%s/catalog.db", dir);
    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++)
        dump_rows(db, &to, tables[i]);
    sqlite3_close(db);
    assert_non_null(buf_cstr(&to));
    return (char *)to.p;
}

/* ---- the disk ----------------------------------------------------------------------------------
 */

struct change { /* not synced yet: a write of n bytes, or a truncation (p == NULL) */
    sqlite3_int64 at;
    uint8_t *p;
    size_t n;
};

struct tracked {
    char *path;
    struct buf synced;
    struct change *changes;
    size_t change_count;
};

static struct {
    pthread_mutex_t lock;
    enum fault kind;
    long at, calls;
    bool struck;
    struct tracked files[16];
    size_t file_count;
} disk = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void forget_changes(struct tracked *t)
{
    for (size_t i = 0; i < t->change_count; i++)
        free(t->changes[i].p);
    free(t->changes);
    t->changes = NULL;
    t->change_count = 0;
}

static struct tracked *find_file(const char *path)
{
    for (size_t i = 0; i < disk.file_count; i++)
        if (strcmp(disk.files[i].path, path) == 0)
            return &disk.files[i];
    return NULL;
}

static struct tracked *track(const char *path)
{
    struct tracked *t = find_file(path);

    if (t)
        return t;
    assert_true(disk.file_count < sizeof disk.files / sizeof disk.files[0]);
    t = &disk.files[disk.file_count++];
    *t = (struct tracked){.path = strdup(path)};
    return t;
}

static void untrack(struct tracked *t)
{
    forget_changes(t);
    buf_free(&t->synced);
    free(t->path);
    *t = disk.files[--disk.file_count];
}

static void forget_files(void)
{
    while (disk.file_count > 0)
        untrack(&disk.files[0]);
}

static void note_change(const char *path, sqlite3_int64 at, const void *p, size_t n)
{
    struct tracked *t = track(path);
    struct change *c;

    t->changes = reallocarray(t->changes, t->change_count + 1, sizeof *t->changes);
    assert_non_null(t->changes);
    c = &t->changes[t->change_count++];
    *c = (struct change){.at = at, .n = n, .p = p ? malloc(n) : NULL};
    if (p)
        memcpy(c->p, p, n);
}

static void apply_write(struct buf *b, sqlite3_int64 at, const uint8_t *p, size_t n)
{
    size_t end = (size_t)at + n;

    if (end > b->n) {
        size_t old = b->n;
        assert_non_null(buf_add(b, end - old));
        memset(b->p + old, 0, end - old);
    }
    if (n)
        memcpy(b->p + at, p, n);
}

static void apply_change(struct buf *b, const struct change *c, size_t n)
{
    if (c->p)
        apply_write(b, c->at, c->p, n);
    else if ((size_t)c->at < b->n)
        b->n = (size_t)c->at;
}

static void note_sync(const char *path)
{
    struct tracked *t = track(path);

    for (size_t i = 0; i < t->change_count; i++)
        apply_change(&t->synced, &t->changes[i], t->changes[i].n);
    forget_changes(t);
}

/* A file written before the faults began is on the disk already. */
static void note_open(const char *path)
{
    struct buf *to;
    char block[4096];
    size_t n;
    FILE *f;

    if (find_file(path))
        return;
    f = fopen(path, "r");
    if (!f)
        return;
    to = &track(path)->synced;
    while ((n = fread(block, 1, sizeof block, f)) > 0)
        buf_put(to, block, n);
    fclose(f);
}

/* True when this call is to fail. Called with the lock. */
static bool strikes(void)
{
    long call = disk.calls++;
    bool hit = false;

    if (disk.kind == FAULT_ERROR)
        hit = call == disk.at;
    else if (disk.kind != FAULT_NONE)
        hit = call >= disk.at;
    disk.struck |= hit;
    return hit;
}

/* Room matters only to who asks for more of it. */
static bool fails(bool takes_room)
{
    bool hit;

    pthread_mutex_lock(&disk.lock);
    hit = strikes() && (disk.kind != FAULT_FULL || takes_room);
    pthread_mutex_unlock(&disk.lock);
    return hit;
}

void fault_set(enum fault kind, long at)
{
    pthread_mutex_lock(&disk.lock);
    forget_files();
    disk.kind = kind;
    disk.at = at;
    disk.calls = 0;
    disk.struck = false;
    pthread_mutex_unlock(&disk.lock);
}

void fault_clear(void)
{
    pthread_mutex_lock(&disk.lock);
    disk.kind = FAULT_NONE;
    pthread_mutex_unlock(&disk.lock);
}

long fault_calls(void)
{
    return disk.calls;
}

bool fault_struck(void)
{
    return disk.struck;
}

void fault_power_back(const char *dir, uint64_t seed)
{
    struct rng r = {seed};

    fault_clear();
    for (size_t i = 0; i < disk.file_count; i++) {
        struct tracked *t = &disk.files[i];
        struct buf b = {0};
        char path[512];
        FILE *f;
        buf_put_slice(&b, buf_slice(&t->synced));
        for (size_t k = 0; k < t->change_count; k++)
            switch (rng_below(&r, 4)) {
            case 0:
                break;
            case 1:
                apply_change(&b, &t->changes[k], t->changes[k].n / 2);
                break;
            default:
                apply_change(&b, &t->changes[k], t->changes[k].n);
            }
        snprintf(path, sizeof path, "%s/%s", dir, strrchr(t->path, '/') + 1);
        f = fopen(path, "w");
        assert_non_null(f);
        assert_int_equal(fwrite(b.p ? b.p : (const uint8_t *)"", 1, b.n, f), b.n);
        fclose(f);
        buf_free(&b);
    }
    forget_files();
}

/* lib/os: catalog.db.new is made, synced and renamed there. */
static int os_fault(void *arg, enum os_op op, int fd, const char *name, size_t *len)
{
    char link[64], path[512];
    struct stat st;
    ssize_t n;

    (void)arg;
    (void)len;
    if (fails(op == OS_WRITE || op == OS_ALLOCATE))
        return disk.kind == FAULT_FULL ? ENOSPC : EIO;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    n = readlink(link, path, sizeof path - 32);
    if (n < 0)
        return 0;
    path[n] = '\0';
    pthread_mutex_lock(&disk.lock);
    if (op == OS_SYNC && fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
        note_sync(path);
    if (op == OS_RENAME && strcmp(name, "catalog.db.new") == 0) {
        strcat(path, "/catalog.db.new");
        struct tracked *t = find_file(path);
        if (t)
            *strrchr(t->path, '.') = '\0';
    }
    pthread_mutex_unlock(&disk.lock);
    return 0;
}

/* ---- SQLite's files ---- */

struct vfs_file {
    sqlite3_file base;
    bool tracked;
    char path[512];
    sqlite3_file *real; /* behind this struct */
};

static sqlite3_vfs *real_vfs;

static sqlite3_file *real_of(sqlite3_file *f)
{
    return ((struct vfs_file *)f)->real;
}

static int vfs_close(sqlite3_file *f)
{
    return real_of(f)->pMethods->xClose(real_of(f));
}

static int vfs_read(sqlite3_file *f, void *p, int n, sqlite3_int64 at)
{
    if (fails(false))
        return SQLITE_IOERR_READ;
    return real_of(f)->pMethods->xRead(real_of(f), p, n, at);
}

static int vfs_write(sqlite3_file *f, const void *p, int n, sqlite3_int64 at)
{
    struct vfs_file *v = (struct vfs_file *)f;
    int rc;

    if (fails(true)) {
        if (disk.kind != FAULT_FULL)
            return SQLITE_IOERR_WRITE;
        v->real->pMethods->xWrite(v->real, p, n / 2, at); /* what went in before it was full */
        return SQLITE_FULL;
    }
    rc = v->real->pMethods->xWrite(v->real, p, n, at);
    pthread_mutex_lock(&disk.lock);
    if (v->tracked)
        note_change(v->path, at, p, (size_t)n);
    pthread_mutex_unlock(&disk.lock);
    return rc;
}

static int vfs_truncate(sqlite3_file *f, sqlite3_int64 size)
{
    struct vfs_file *v = (struct vfs_file *)f;

    if (fails(false))
        return SQLITE_IOERR_TRUNCATE;
    pthread_mutex_lock(&disk.lock);
    if (v->tracked)
        note_change(v->path, size, NULL, 0);
    pthread_mutex_unlock(&disk.lock);
    return v->real->pMethods->xTruncate(v->real, size);
}

static int vfs_sync(sqlite3_file *f, int flags)
{
    struct vfs_file *v = (struct vfs_file *)f;

    if (fails(false))
        return SQLITE_IOERR_FSYNC;
    pthread_mutex_lock(&disk.lock);
    if (v->tracked)
        note_sync(v->path);
    pthread_mutex_unlock(&disk.lock);
    return v->real->pMethods->xSync(v->real, flags);
}

static int vfs_size(sqlite3_file *f, sqlite3_int64 *size)
{
    return real_of(f)->pMethods->xFileSize(real_of(f), size);
}

static int vfs_lock(sqlite3_file *f, int level)
{
    return real_of(f)->pMethods->xLock(real_of(f), level);
}

static int vfs_unlock(sqlite3_file *f, int level)
{
    return real_of(f)->pMethods->xUnlock(real_of(f), level);
}

static int vfs_check_lock(sqlite3_file *f, int *out)
{
    return real_of(f)->pMethods->xCheckReservedLock(real_of(f), out);
}

static int vfs_control(sqlite3_file *f, int op, void *arg)
{
    return real_of(f)->pMethods->xFileControl(real_of(f), op, arg);
}

static int vfs_sector(sqlite3_file *f)
{
    return real_of(f)->pMethods->xSectorSize(real_of(f));
}

static int vfs_traits(sqlite3_file *f)
{
    return real_of(f)->pMethods->xDeviceCharacteristics(real_of(f));
}

static int vfs_shm_map(sqlite3_file *f, int region, int size, int extend, void volatile **out)
{
    return real_of(f)->pMethods->xShmMap(real_of(f), region, size, extend, out);
}

static int vfs_shm_lock(sqlite3_file *f, int offset, int n, int flags)
{
    return real_of(f)->pMethods->xShmLock(real_of(f), offset, n, flags);
}

static void vfs_shm_barrier(sqlite3_file *f)
{
    real_of(f)->pMethods->xShmBarrier(real_of(f));
}

static int vfs_shm_unmap(sqlite3_file *f, int remove)
{
    return real_of(f)->pMethods->xShmUnmap(real_of(f), remove);
}

static const sqlite3_io_methods vfs_methods = {
    .iVersion = 2,
    .xClose = vfs_close,
    .xRead = vfs_read,
    .xWrite = vfs_write,
    .xTruncate = vfs_truncate,
    .xSync = vfs_sync,
    .xFileSize = vfs_size,
    .xLock = vfs_lock,
    .xUnlock = vfs_unlock,
    .xCheckReservedLock = vfs_check_lock,
    .xFileControl = vfs_control,
    .xSectorSize = vfs_sector,
    .xDeviceCharacteristics = vfs_traits,
    .xShmMap = vfs_shm_map,
    .xShmLock = vfs_shm_lock,
    .xShmBarrier = vfs_shm_barrier,
    .xShmUnmap = vfs_shm_unmap,
};

static int vfs_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *out)
{
    struct vfs_file *v = (struct vfs_file *)f;
    int rc;

    (void)vfs;
    memset(v, 0, sizeof *v);
    if (fails(false))
        return SQLITE_CANTOPEN;
    v->real = (sqlite3_file *)(v + 1);
    v->tracked = name && (flags & (SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_WAL)) != 0;
    if (v->tracked) {
        pthread_mutex_lock(&disk.lock);
        snprintf(v->path, sizeof v->path, "%s", name);
        note_open(name);
        pthread_mutex_unlock(&disk.lock);
    }
    rc = real_vfs->xOpen(real_vfs, name, v->real, flags, out);
    if (v->real->pMethods)
        v->base.pMethods = &vfs_methods;
    return rc;
}

static int vfs_delete(sqlite3_vfs *vfs, const char *name, int sync)
{
    struct tracked *t;

    (void)vfs;
    if (fails(false))
        return SQLITE_IOERR_DELETE;
    pthread_mutex_lock(&disk.lock);
    t = find_file(name);
    if (t)
        untrack(t);
    pthread_mutex_unlock(&disk.lock);
    return real_vfs->xDelete(real_vfs, name, sync);
}

void fault_install(void)
{
    static sqlite3_vfs vfs;

    if (real_vfs)
        return;
    real_vfs = sqlite3_vfs_find(NULL);
    vfs = *real_vfs;
    vfs.zName = "fault";
    vfs.szOsFile = (int)sizeof(struct vfs_file) + real_vfs->szOsFile;
    vfs.xOpen = vfs_open;
    vfs.xDelete = vfs_delete;
    assert_int_equal(sqlite3_vfs_register(&vfs, 1), SQLITE_OK);
    os_hook_set(os_fault, NULL);
}
