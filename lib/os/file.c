#include "os/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static os_hook_fn hook;
static void *hook_arg;

void os_hook_set(os_hook_fn fn, void *arg)
{
    hook_arg = arg;
    hook = fn;
}

/* True when the hook wants the operation to fail; errno is set. */
static bool refused(enum os_op op, int fd, const char *name, size_t *len)
{
    size_t none = 0;
    int err;

    if (!hook)
        return false;
    err = hook(hook_arg, op, fd, name, len ? len : &none);
    if (err)
        errno = err;
    return err != 0;
}

int os_openat(int dirfd, const char *name, int flags, mode_t mode)
{
    int fd;

    if (refused(OS_OPEN, dirfd, name, NULL))
        return -1;
    do
        fd = openat(dirfd, name, flags | O_CLOEXEC | O_NOFOLLOW, mode);
    while (fd < 0 && errno == EINTR);
    return fd;
}

int os_close(int fd)
{
    return close(fd);
}

ssize_t os_pread(int fd, void *p, size_t n, off_t at)
{
    size_t done = 0;

    while (done < n) {
        size_t want = n - done;
        ssize_t k;
        if (refused(OS_READ, fd, NULL, &want))
            return -1;
        k = pread(fd, (char *)p + done, want, at + (off_t)done);
        if (k < 0 && errno == EINTR)
            continue;
        if (k < 0)
            return -1;
        if (k == 0)
            break;
        done += (size_t)k;
    }
    return (ssize_t)done;
}

ssize_t os_pread_nowait(int fd, void *p, size_t n, off_t at)
{
    struct iovec v = {p, n};
    ssize_t k;

    if (refused(OS_READ, fd, NULL, &v.iov_len))
        return -1;
    do
        k = preadv2(fd, &v, 1, at, RWF_NOWAIT);
    while (k < 0 && errno == EINTR);
    if (k < 0 && errno == EOPNOTSUPP)
        return pread(fd, p, v.iov_len, at);
    return k;
}

void os_no_readahead(int fd)
{
    posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM);
}

/* Moves the vector past n written bytes. */
static void advance(struct iovec **iov, int *count, size_t n)
{
    while (*count > 0 && n >= (*iov)->iov_len) {
        n -= (*iov)->iov_len;
        (*iov)++;
        (*count)--;
    }
    if (*count > 0) {
        (*iov)->iov_base = (char *)(*iov)->iov_base + n;
        (*iov)->iov_len -= n;
    }
}

/* One write of at most len bytes of the vector. */
static ssize_t write_some(int fd, struct iovec *iov, int count, size_t total, size_t len, off_t at)
{
    struct iovec one;

    if (len >= total)
        return pwritev(fd, iov, count, at);
    one = iov[0];
    if (one.iov_len > len)
        one.iov_len = len;
    return pwritev(fd, &one, 1, at);
}

int os_pwritev(int fd, struct iovec *iov, int count, off_t at, size_t *done)
{
    size_t total = 0, wrote = 0;
    int rc = 0;

    for (int i = 0; i < count; i++)
        total += iov[i].iov_len;
    while (wrote < total) {
        size_t len = total - wrote;
        ssize_t k;
        if (refused(OS_WRITE, fd, NULL, &len)) {
            rc = -1;
            break;
        }
        k = write_some(fd, iov, count, total - wrote, len, at + (off_t)wrote);
        if (k < 0 && errno == EINTR)
            continue;
        if (k <= 0) {
            if (k == 0)
                errno = EIO;
            rc = -1;
            break;
        }
        wrote += (size_t)k;
        advance(&iov, &count, (size_t)k);
    }
    if (done)
        *done = wrote;
    return rc;
}

int os_pwrite(int fd, const void *p, size_t n, off_t at)
{
    struct iovec v = {(void *)(uintptr_t)p, n};

    return os_pwritev(fd, &v, 1, at, NULL);
}

int os_fsync(int fd)
{
    if (refused(OS_SYNC, fd, NULL, NULL))
        return -1;
    return fsync(fd);
}

int os_fdatasync(int fd)
{
    if (refused(OS_SYNC, fd, NULL, NULL))
        return -1;
    return fdatasync(fd);
}

int os_syncfs(int fd)
{
    if (refused(OS_SYNCFS, fd, NULL, NULL))
        return -1;
    return syncfs(fd);
}

int os_ftruncate(int fd, off_t length)
{
    int rc;

    if (refused(OS_TRUNCATE, fd, NULL, NULL))
        return -1;
    do
        rc = ftruncate(fd, length);
    while (rc < 0 && errno == EINTR);
    return rc;
}

int os_renameat(int fromdir, const char *from, int todir, const char *to)
{
    if (refused(OS_RENAME, fromdir, from, NULL))
        return -1;
    return renameat(fromdir, from, todir, to);
}

int os_unlinkat(int dirfd, const char *name, int flags)
{
    if (refused(OS_UNLINK, dirfd, name, NULL))
        return -1;
    return unlinkat(dirfd, name, flags);
}

int os_mkdirat(int dirfd, const char *name, mode_t mode)
{
    if (refused(OS_MKDIR, dirfd, name, NULL))
        return -1;
    return mkdirat(dirfd, name, mode);
}

int os_reserve(int fd, off_t at, off_t n)
{
    int rc;

    if (refused(OS_ALLOCATE, fd, NULL, NULL))
        return -1;
    do
        rc = fallocate(fd, FALLOC_FL_KEEP_SIZE, at, n);
    while (rc < 0 && errno == EINTR);
    return rc;
}

int os_replace(int dirfd, const char *name, const void *p, size_t n)
{
    char tmp[256];
    int fd, err;

    if (snprintf(tmp, sizeof tmp, "%s.tmp", name) >= (int)sizeof tmp) {
        errno = ENAMETOOLONG;
        return -1;
    }
    fd = os_openat(dirfd, tmp, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (fd < 0)
        return -1;
    if (os_pwrite(fd, p, n, 0) < 0 || os_fsync(fd) < 0)
        goto fail;
    if (os_close(fd) < 0) {
        fd = -1;
        goto fail;
    }
    fd = -1;
    if (os_renameat(dirfd, tmp, dirfd, name) < 0)
        goto fail;
    return os_fsync(dirfd);
fail:
    err = errno;
    if (fd >= 0)
        os_close(fd);
    os_unlinkat(dirfd, tmp, 0);
    errno = err;
    return -1;
}

char *os_read_all(int dirfd, const char *name, size_t max, size_t *n)
{
    int fd = os_openat(dirfd, name, O_RDONLY, 0);
    struct stat st;
    char *p = NULL;
    ssize_t k;
    int err;

    if (fd < 0)
        return NULL;
    if (fstat(fd, &st) < 0)
        goto out;
    if (!S_ISREG(st.st_mode) || st.st_size < 0 || (size_t)st.st_size > max) {
        errno = S_ISREG(st.st_mode) ? EFBIG : EINVAL;
        goto out;
    }
    p = malloc((size_t)st.st_size + 1);
    if (!p)
        goto out;
    k = os_pread(fd, p, (size_t)st.st_size, 0);
    if (k < 0) {
        err = errno;
        free(p);
        p = NULL;
        errno = err;
        goto out;
    }
    p[k] = 0;
    if (n)
        *n = (size_t)k;
out:
    err = errno;
    os_close(fd);
    errno = err;
    return p;
}
