#include "log/segdir.h"

#include "log/format.h"
#include "os/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

static int ascending(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

static int collect(DIR *dir, enum log_file want, struct buf *found, struct kerr *e)
{
    struct dirent *entry;
    enum log_file kind;
    int64_t base;

    for (errno = 0; (entry = readdir(dir)) != NULL; errno = 0)
        if (log_file_parse(entry->d_name, &base, &kind) && kind == want)
            buf_put(found, &base, sizeof base);
    if (errno)
        return kerr_sys(e, KE_IO, "read a directory");
    return found->failed ? kerr_set(e, KE_NOMEM, "list of files") : 0;
}

int segdir_files(int dirfd, enum log_file kind, int64_t **out, size_t *n, struct kerr *e)
{
    /* a descriptor of its own: the place in the directory is the open file's */
    int fd = os_openat(dirfd, ".", O_RDONLY | O_DIRECTORY, 0), rc;
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    struct buf found = {0};

    *out = NULL;
    *n = 0;
    if (!dir) {
        rc = kerr_sys(e, KE_IO, "open a directory");
        if (fd >= 0)
            os_close(fd);
        return rc;
    }
    rc = collect(dir, kind, &found, e);
    closedir(dir);
    if (rc < 0) {
        buf_free(&found);
        return rc;
    }
    *out = (int64_t *)(void *)found.p; /* malloc's alignment */
    *n = found.n / sizeof **out;
    if (*n)
        qsort(*out, *n, sizeof **out, ascending);
    return 0;
}

int segdir_list(int dirfd, int64_t **out, size_t *n, struct kerr *e)
{
    return segdir_files(dirfd, LOG_FILE_LOG, out, n, e);
}

static int by_name(const void *a, const void *b)
{
    const struct partition_name *x = a, *y = b;
    int topic = strcmp(x->topic, y->topic);

    return topic ? topic : (x->partition > y->partition) - (x->partition < y->partition);
}

int segdir_partitions(const char *dir, struct partition_name **out, size_t *n, struct kerr *e)
{
    DIR *d = opendir(dir);
    struct partition_name p;
    struct buf found = {0};
    struct dirent *entry;
    int err;

    *out = NULL;
    *n = 0;
    if (!d)
        return kerr_sys(e, errno == ENOENT ? KE_NOTFOUND : KE_IO, "open %s", dir);
    memset(&p, 0, sizeof p);
    for (errno = 0; (entry = readdir(d)) != NULL; errno = 0)
        if (partition_dir_parse(entry->d_name, p.topic, &p.partition))
            buf_put(&found, &p, sizeof p);
    err = errno;
    closedir(d);
    errno = err;
    if (err || found.failed) {
        buf_free(&found);
        return err ? kerr_sys(e, KE_IO, "read %s", dir) : kerr_set(e, KE_NOMEM, "read %s", dir);
    }
    *out = (struct partition_name *)(void *)found.p;
    *n = found.n / sizeof **out;
    if (*n)
        qsort(*out, *n, sizeof **out, by_name);
    return 0;
}
