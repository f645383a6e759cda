#include "catalog/snapshot.h"

#include "catalog/catalog.h"
#include "catalog/store.h"
#include "os/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

static int sync_directory(int dirfd, struct kerr *e)
{
    return os_fsync(dirfd) == 0 ? 0 : kerr_sys(e, KE_IO, "sync the directory");
}

static int open_directory(const char *dir, int *out, struct kerr *e)
{
    *out = os_openat(AT_FDCWD, dir, O_RDONLY | O_DIRECTORY, 0);
    return *out >= 0 ? 0 : kerr_sys(e, errno == EACCES ? KE_DENIED : KE_IO, "open %s", dir);
}

/* The directory that file lies in. */
static int open_parent(const char *file, int *out, struct kerr *e)
{
    const char *slash = strrchr(file, '/');
    char *dir;
    int rc;

    dir = slash ? strndup(file, slash == file ? 1 : (size_t)(slash - file)) : strdup(".");
    if (!dir)
        return kerr_set(e, KE_NOMEM, "snapshot");
    rc = open_directory(dir, out, e);
    free(dir);
    return rc;
}

/* SQLite's own copy is of one transaction, whatever the writer does meanwhile, and takes no lock
 * that would stop it. The file is there already, empty, so that it has its mode from the start. */
static int vacuum_into(struct store *s, const char *file, struct kerr *e)
{
    sqlite3_stmt *st;
    int rc;

    if (sqlite3_prepare_v2(s->db, "VACUUM INTO ?1", -1, &st, NULL) != SQLITE_OK)
        return store_error(s, "snapshot", e);
    store_bind_text(st, 1, slice_str(file));
    rc = store_step(s, st, e);
    sqlite3_finalize(st);
    return rc;
}

int catalog_snapshot(const char *dir, const char *file, struct kerr *e)
{
    int dirfd = -1, parent = -1, fd = -1, rc;
    struct store s = {0};
    struct stat st;

    rc = open_directory(dir, &dirfd, e);
    if (rc == 0 && fstatat(dirfd, CATALOG_FILE, &st, AT_SYMLINK_NOFOLLOW) != 0)
        rc = kerr_sys(e, errno == ENOENT ? KE_NOTFOUND : KE_IO, CATALOG_FILE);
    if (rc == 0)
        rc = store_open(&s, dir, CATALOG_FILE, e);
    if (rc == 0)
        rc = open_parent(file, &parent, e);
    if (rc == 0) {
        fd = os_openat(AT_FDCWD, file, O_RDWR | O_CREAT | O_EXCL, 0600);
        if (fd < 0)
            rc = kerr_sys(e, errno == EEXIST ? KE_EXISTS : KE_IO, "create %s", file);
    }
    if (fd >= 0) {
        rc = vacuum_into(&s, file, e);
        if (rc == 0 && os_fsync(fd) != 0)
            rc = kerr_sys(e, KE_IO, "sync %s", file);
        if (rc == 0)
            rc = sync_directory(parent, e);
        if (rc < 0)
            os_unlinkat(AT_FDCWD, file, 0);
        os_close(fd);
    }
    store_close(&s, false);
    if (parent >= 0)
        os_close(parent);
    if (dirfd >= 0)
        os_close(dirfd);
    return rc < 0 ? kerr_ctx(e, rc, "snapshot of the catalog") : 0;
}

/* ---- restore -----------------------------------------------------------------------------------
 */

static const char new_name[] = CATALOG_FILE ".new";

static int copy_bytes(int from, int to, struct kerr *e)
{
    char block[65536];
    off_t at = 0;
    ssize_t n;

    while ((n = os_pread(from, block, sizeof block, at)) > 0) {
        if (os_pwrite(to, block, (size_t)n, at) != 0)
            return kerr_sys(e, KE_IO, "write %s", new_name);
        at += n;
    }
    return n < 0 ? kerr_sys(e, KE_IO, "read") : 0;
}

static int copy_file(const char *file, int dirfd, struct kerr *e)
{
    int from = os_openat(AT_FDCWD, file, O_RDONLY, 0);
    int to, rc;

    if (from < 0)
        return kerr_sys(e, errno == ENOENT ? KE_NOTFOUND : KE_IO, "open");
    if (os_unlinkat(dirfd, new_name, 0) != 0 && errno != ENOENT) {
        os_close(from);
        return kerr_sys(e, KE_IO, "remove %s", new_name);
    }
    to = os_openat(dirfd, new_name, O_RDWR | O_CREAT | O_EXCL, 0600);
    rc = to < 0 ? kerr_sys(e, KE_IO, "create %s", new_name) : copy_bytes(from, to, e);
    os_close(from);
    if (to >= 0)
        os_close(to);
    return rc;
}

/* Every page and every value, before it becomes the catalog. */
static int check_copy(struct store *s, struct kerr *e)
{
    const struct catalog_image *image = NULL;
    sqlite3_stmt *st;
    int rc;

    if (sqlite3_prepare_v2(s->db, "PRAGMA integrity_check(1)", -1, &st, NULL) != SQLITE_OK)
        return store_error(s, "check", e);
    rc = store_step(s, st, e);
    if (rc == 1 && strcmp((const char *)sqlite3_column_text(st, 0), "ok") == 0)
        rc = 0;
    else if (rc >= 0)
        rc = kerr_set(e, KE_CORRUPT, "damaged");
    sqlite3_finalize(st);
    if (rc == 0)
        rc = store_load(s, &image, e);
    catalog_image_release(image);
    return rc;
}

int catalog_restore(const char *file, const char *dir, struct kerr *e)
{
    struct store s = {0};
    struct stat st;
    int dirfd, rc;

    rc = open_directory(dir, &dirfd, e);
    if (rc < 0)
        return rc;
    if (fstatat(dirfd, CATALOG_FILE, &st, AT_SYMLINK_NOFOLLOW) == 0)
        rc = kerr_set(e, KE_EXISTS, "%s has a catalog", dir);
    else if (errno != ENOENT)
        rc = kerr_sys(e, KE_IO, "%s", dir);
    if (rc == 0)
        rc = copy_file(file, dirfd, e);
    if (rc == 0)
        rc = store_check(dirfd, new_name, e);
    if (rc == 0)
        rc = store_open(&s, dir, new_name, e);
    if (rc == 0) {
        rc = check_copy(&s, e);
        if (rc == 0)
            rc = store_finish(&s, dirfd, new_name, e);
        else
            store_close(&s, false);
    }
    if (rc < 0 && rc != KE_EXISTS)
        os_unlinkat(dirfd, new_name, 0);
    os_close(dirfd);
    return rc < 0 ? kerr_ctx(e, rc, "restore %s", file) : 0;
}
