/* Opening what is and what is not a catalog, readers beside the writer, watchers, other processes.
 */
#include "catalog_support.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static int try_open(const char *dir, struct catalog **c, bool create, struct kerr *e)
{
    const struct catalog_conf conf = {.dir = dir, .cluster_id = uuid_of(9)};

    *e = (struct kerr){0};
    return catalog_open(c, &conf, create, e);
}

static struct catalog *must_open(const char *dir)
{
    struct catalog *c;
    struct kerr e;

    if (try_open(dir, &c, true, &e) < 0)
        fail_msg("%s", kerr_msg(&e));
    return c;
}

static void path_in(char out[512], const char *dir, const char *name)
{
    snprintf(out, 512, "%s/%s", dir, name);
}

static void put_file(const char *dir, const char *name, const void *p, size_t n)
{
    char path[512];
    FILE *f;

    path_in(path, dir, name);
    f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(p, 1, n, f), n);
    fclose(f);
}

static void sql(const char *dir, const char *text)
{
    char path[512];
    sqlite3 *db;

    path_in(path, dir, "catalog.db");
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static bool exists(const char *dir, const char *name)
{
    char path[512];

    path_in(path, dir, name);
    return access(path, F_OK) == 0;
}

/* Refused with that code and with a message in which that stands. */
static void assert_refused(const char *dir, bool create, int code, const char *says)
{
    struct catalog *c;
    struct kerr e;

    assert_int_equal(try_open(dir, &c, create, &e), code);
    assert_null(c);
    assert_non_null(strstr(e.msg, says));
    assert_non_null(strstr(e.msg, "catalog.db"));
}

static void made_once_and_private(void **state)
{
    char *dir = scratch_dir(), path[512];
    const struct catalog_image *image;
    struct catalog *c;
    struct stat st;

    (void)state;
    assert_refused(dir, false, KE_NOTFOUND, "No such file");
    put_file(dir, "catalog.db.new", "half of a file that a crash left", 32);
    c = must_open(dir);
    image = catalog_image(c);
    assert_true(uuid_eq(image->cluster_id, uuid_of(9)));
    assert_int_equal(image->index, 1);
    assert_int_equal(image->topic_count, 0);
    catalog_image_release(image);
    path_in(path, dir, "catalog.db");
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    catalog_close(c);
    assert_false(exists(dir, "catalog.db.new"));
    const struct catalog_conf other = {.dir = dir, .cluster_id = uuid_of(10)};
    assert_int_equal(catalog_open(&c, &other, true, NULL), 0);
    image = catalog_image(c);
    assert_true(uuid_eq(image->cluster_id, uuid_of(9)));
    catalog_image_release(image);
    catalog_close(c);
    scratch_remove(dir);
    free(dir);
}

static void foreign_files_are_refused_untouched(void **state)
{
    char *dir = scratch_dir(), path[512];
    char text[200];

    (void)state;
    memset(text, 'x', sizeof text);
    put_file(dir, "catalog.db", "", 0);
    assert_refused(dir, true, KE_FOREIGN, "not an SQLite file");
    put_file(dir, "catalog.db", text, sizeof text);
    assert_refused(dir, true, KE_FOREIGN, "not an SQLite file");
    path_in(path, dir, "catalog.db");
    unlink(path);
    sql(dir, "PRAGMA journal_mode = WAL; CREATE TABLE t (a)");
    assert_refused(dir, true, KE_FOREIGN, "not a catalog");
    assert_false(exists(dir, "catalog.db-wal"));
    unlink(path);
    assert_int_equal(symlink("elsewhere", path), 0);
    assert_refused(dir, true, KE_IO, "symbolic links");
    unlink(path);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_refused(dir, true, KE_FOREIGN, "not a file");
    scratch_remove(dir);
    free(dir);
}

static void newer_and_damaged_files_are_refused(void **state)
{
    static const struct {
        const char *change, *says;
        int code;
    } damage[] = {
        {"PRAGMA user_version = 3", "newer kcore: format 3, known is 2", KE_FOREIGN},
        {"PRAGMA user_version = 2; DROP TABLE partitions", "no such table: partitions", KE_CORRUPT},
        {"UPDATE partitions SET replicas = '1,,2'", "topic t: a list of replicas", KE_CORRUPT},
        {"UPDATE partitions SET replicas = '99999999999'", "a list of replicas", KE_CORRUPT},
        {"UPDATE partitions SET leader = 1 << 40", "out of range", KE_CORRUPT},
        {"UPDATE partitions SET partition = 3 WHERE partition = 1", "partition 1 is missing",
         KE_CORRUPT},
        {"DELETE FROM partitions", "no partitions", KE_CORRUPT},
        {"UPDATE topics SET name = '../x'", "a name that none can have", KE_CORRUPT},
        {"UPDATE topics SET id = 'short'", "no valid id", KE_CORRUPT},
        {"DELETE FROM meta", "no row", KE_CORRUPT},
        {"UPDATE meta SET hash = x'00'", "impossible value", KE_CORRUPT},
    };
    struct buf cmd = {0};

    (void)state;
    cmd_create(&cmd, 1, "t", 1, 2);
    for (size_t i = 0; i < sizeof damage / sizeof damage[0]; i++) {
        char *dir = scratch_dir();
        struct catalog *c = must_open(dir);
        assert_int_equal(propose(c, &cmd).err, 0);
        catalog_close(c);
        sql(dir, damage[i].change);
        assert_refused(dir, true, damage[i].code, damage[i].says);
        scratch_remove(dir);
        free(dir);
    }
    buf_free(&cmd);
}

/* Any page of the file overwritten: refused, or opened with all values in range; never a crash. */
static void garbled_pages_do_no_harm(void **state)
{
    char *dir = scratch_dir(), path[512];
    struct catalog *c = must_open(dir);
    struct buf cmd = {0};
    struct rng r = {5};
    struct stat st;
    char *whole;
    int refused = 0;
    FILE *f;

    (void)state;
    cmd_create(&cmd, 1, "t", 2, 50);
    assert_int_equal(propose(c, &cmd).err, 0);
    catalog_close(c);
    path_in(path, dir, "catalog.db");
    assert_int_equal(stat(path, &st), 0);
    whole = malloc((size_t)st.st_size);
    f = fopen(path, "r");
    assert_int_equal(fread(whole, 1, (size_t)st.st_size, f), (size_t)st.st_size);
    fclose(f);
    for (int round = 0; round < 150; round++) {
        char *bad = malloc((size_t)st.st_size);
        struct kerr e;
        memcpy(bad, whole, (size_t)st.st_size);
        for (int k = 0; k < 8; k++)
            bad[100 + rng_below(&r, (uint32_t)st.st_size - 100)] = (char)rng_below(&r, 256);
        put_file(dir, "catalog.db", bad, (size_t)st.st_size);
        if (try_open(dir, &c, true, &e) == 0)
            catalog_close(c);
        else
            refused++;
        free(bad);
    }
    assert_true(refused > 20);
    free(whole);
    scratch_remove(dir);
    free(dir);
    buf_free(&cmd);
}

/* ---- other processes ----------------------------------------------------------------------------
 */

/* What a person at a sqlite3 shell does: opens, asks, ends. This program itself, started again:
 * SQLite must not be used across a fork. */
static int shell_main(const char *dir)
{
    sqlite3_stmt *st;
    char path[512];
    sqlite3 *db;
    int rc;

    path_in(path, dir, "catalog.db");
    if (sqlite3_open(path, &db) != SQLITE_OK ||
        sqlite3_prepare_v2(db, "SELECT count(*) FROM topics", -1, &st, NULL) != SQLITE_OK)
        return 1;
    rc = sqlite3_step(st);
    sqlite3_finalize(st);
    sqlite3_close(db);
    return rc != SQLITE_ROW;
}

static const char *self; /* /proc/self/exe is valgrind under valgrind */

static void shell(const char *dir)
{
    pid_t pid = fork();
    int status;

    assert_true(pid >= 0);
    if (pid == 0) {
        execl(self, "shell", dir, NULL);
        _exit(127);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

/* The last user of a database deletes its write-ahead log. A shell must not take itself for that
 * while the broker runs, not even after a snapshot was taken by the same process. */
static void a_shell_beside_us_does_not_take_the_log_away(void **state)
{
    char *dir = scratch_dir(), file[512];
    struct catalog *c = must_open(dir);
    struct buf cmd = {0};
    struct kerr e = {0};

    (void)state;
    for (int i = 0; i < 3; i++) {
        char name[16];
        snprintf(name, sizeof name, "t%d", i);
        cmd_create(&cmd, i, name, (uint32_t)i + 1, 1);
        assert_int_equal(propose(c, &cmd).err, 0);
        snprintf(file, sizeof file, "%s/snapshot%d", dir, i);
        if (catalog_snapshot(dir, file, &e) < 0)
            fail_msg("%s", kerr_msg(&e));
        shell(dir);
        assert_true(exists(dir, "catalog.db-wal"));
    }
    catalog_close(c);
    assert_false(exists(dir, "catalog.db-wal"));
    scratch_remove(dir);
    free(dir);
    buf_free(&cmd);
}

/* Who holds the write lock delays us; who has written kills us, because then nothing is certain. */
static void another_writer_is_noticed(void **state)
{
    char *dir = scratch_dir(), path[512];
    struct catalog *c = must_open(dir);
    struct buf cmd = {0};
    sqlite3 *db;

    (void)state;
    path_in(path, dir, "catalog.db");
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    cmd_create(&cmd, 1, "t", 1, 1);
    assert_int_equal(propose(c, &cmd).err, KE_LOCKED);
    assert_false(catalog_failed(c));
    assert_int_equal(sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(propose(c, &cmd).result, CATALOG_DONE);
    assert_int_equal(sqlite3_exec(db, "UPDATE meta SET applied = 7", NULL, NULL, NULL), SQLITE_OK);
    cmd_create(&cmd, 2, "u", 2, 1);
    assert_int_equal(propose(c, &cmd).err, KE_IO);
    assert_true(catalog_failed(c));
    assert_int_equal(propose(c, &cmd).err, KE_IO);
    sqlite3_close(db);
    catalog_close(c);
    scratch_remove(dir);
    free(dir);
    buf_free(&cmd);
}

/* ---- threads ------------------------------------------------------------------------------------
 */

enum { PROPOSERS = 3, EACH = 60 };

struct crowd {
    struct catalog *c;
    const char *dir;
    atomic_int next;
    atomic_bool over;
    int64_t watched; /* index of the last image that the watcher was given */
    int created;     /* by the watcher's count */
};

static void count_new(void *arg, const struct catalog_topic *before,
                      const struct catalog_topic *after)
{
    if (after && !before)
        ++*(int *)arg;
}

static void watch(void *arg, const struct catalog_image *before, const struct catalog_image *after)
{
    struct crowd *w = arg;

    assert_true(before->index < after->index && before->index >= w->watched);
    w->watched = after->index;
    catalog_image_diff(before, after, count_new, &w->created);
}

static void *proposer(void *arg)
{
    struct crowd *w = arg;
    struct buf cmd = {0};

    for (int i = 0; i < EACH; i++) {
        int n = atomic_fetch_add(&w->next, 1);
        const struct catalog_image *image;
        struct answer a;
        char name[16];
        snprintf(name, sizeof name, "t%d", n);
        cmd_create(&cmd, n, name, (uint32_t)n + 1, 2);
        a = propose(w->c, &cmd);
        assert_int_equal(a.err, 0);
        image = catalog_image(w->c); /* what was answered can be seen */
        assert_true(image->index >= a.index);
        assert_non_null(catalog_topic_by_name(image, slice_str(name)));
        catalog_image_release(image);
    }
    buf_free(&cmd);
    return NULL;
}

static void *reader(void *arg)
{
    struct crowd *w = arg;
    int64_t last = 0;

    while (!atomic_load(&w->over)) {
        const struct catalog_image *image = catalog_image(w->c);
        assert_true(image->index >= last);
        last = image->index;
        for (int32_t i = 0; i < image->topic_count; i++)
            assert_ptr_equal(catalog_topic_by_id(image, image->topics[i]->id), image->topics[i]);
        catalog_image_release(image);
    }
    return NULL;
}

static void proposers_and_readers_at_once(void **state)
{
    char *dir = scratch_dir(), file[512];
    struct crowd w = {.c = must_open(dir), .dir = dir};
    pthread_t p[PROPOSERS], r;
    struct kerr e = {0};

    (void)state;
    catalog_subscribe(w.c, watch, &w);
    assert_int_equal(pthread_create(&r, NULL, reader, &w), 0);
    for (int i = 0; i < PROPOSERS; i++)
        assert_int_equal(pthread_create(&p[i], NULL, proposer, &w), 0);
    for (int i = 0; i < 5; i++) {
        snprintf(file, sizeof file, "%s/snapshot%d", dir, i);
        if (catalog_snapshot(dir, file, &e) < 0)
            fail_msg("%s", kerr_msg(&e));
    }
    for (int i = 0; i < PROPOSERS; i++)
        pthread_join(p[i], NULL);
    atomic_store(&w.over, true);
    pthread_join(r, NULL);
    catalog_close(w.c);
    assert_int_equal(w.created, PROPOSERS * EACH);
    scratch_remove(dir);
    free(dir);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(made_once_and_private),
        cmocka_unit_test(foreign_files_are_refused_untouched),
        cmocka_unit_test(newer_and_damaged_files_are_refused),
        cmocka_unit_test(garbled_pages_do_no_harm),
        cmocka_unit_test(a_shell_beside_us_does_not_take_the_log_away),
        cmocka_unit_test(another_writer_is_noticed),
        cmocka_unit_test(proposers_and_readers_at_once),
    };
    self = argv[0];
    if (argc > 1)
        return shell_main(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
