/*
 * shim - a disk that misbehaves, by LD_PRELOAD: calls on files whose path has FAULT_PATH in it
 * fail, come back short or take their time. All other files, stdout and sockets are left alone.
 *
 *     FAULT_PATH=SUBSTRING          which files (required)
 *     FAULT_WHEN=FILE               only while FILE exists; so faults are switched on and off
 *     FAULT_WRITE=ERRNO:AFTER:COUNT after AFTER good calls the next COUNT fail (write and its kin)
 *     FAULT_SYNC=ERRNO:AFTER:COUNT  the same for fsync, fdatasync
 *     FAULT_ALLOCATE=ERRNO:AFTER:COUNT   fallocate and its kin
 *     FAULT_LIE=1                   syncs say that all is well and do nothing
 *     FAULT_SHORT=N                 every N-th write takes only half of its bytes
 *     FAULT_SLOW_WRITE_MS=N FAULT_SLOW_SYNC_MS=N    each call takes that much longer
 *     FAULT_SLOW_READ_MS=N          fetching a MiB from the disk takes that long (pread, sendfile)
 *     FAULT_LOG=FILE                a line for each sync, with the seconds of CLOCK_MONOTONIC:
 *                                   "begin 12.345678 PATH", "end 13.345678 PATH RESULT"
 *
 * Calls are counted from when the faults are on. A failed call has done nothing, except that a
 * failed sync may well have written.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

struct plan {
    int error;
    long after, count;
    atomic_long calls;
};

static struct plan writes, syncs, allocations;
static long short_every, slow_write_ms, slow_sync_ms, slow_read_ms, lie;
static const char *path_part, *when_file;
static int log_fd = -1;

static void read_plan(const char *name, struct plan *p)
{
    const char *s = getenv(name);

    if (s && sscanf(s, "%d:%ld:%ld", &p->error, &p->after, &p->count) != 3) {
        fprintf(stderr, "shim: %s=%s: expected ERRNO:AFTER:COUNT\n", name, s);
        _exit(2);
    }
}

static long read_number(const char *name)
{
    const char *s = getenv(name);

    return s ? atol(s) : 0;
}

__attribute__((constructor)) static void start(void)
{
    const char *log = getenv("FAULT_LOG");

    path_part = getenv("FAULT_PATH");
    when_file = getenv("FAULT_WHEN");
    read_plan("FAULT_WRITE", &writes);
    read_plan("FAULT_SYNC", &syncs);
    read_plan("FAULT_ALLOCATE", &allocations);
    short_every = read_number("FAULT_SHORT");
    slow_write_ms = read_number("FAULT_SLOW_WRITE_MS");
    slow_sync_ms = read_number("FAULT_SLOW_SYNC_MS");
    slow_read_ms = read_number("FAULT_SLOW_READ_MS");
    lie = read_number("FAULT_LIE");
    if (log)
        log_fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

/* Is fd one of the files, now? path gets its name. errno stays. */
static bool concerns(int fd, char path[512])
{
    int saved = errno;
    char link[64];
    ssize_t n;

    if (!path_part || (when_file && access(when_file, F_OK) != 0)) {
        errno = saved;
        return false;
    }
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    n = readlink(link, path, 511);
    errno = saved;
    if (n < 0)
        return false;
    path[n] = '\0';
    return strstr(path, path_part) != NULL;
}

static void pause_ms(long ms)
{
    struct timespec t = {ms / 1000, ms % 1000 * 1000000};

    while (ms > 0 && nanosleep(&t, &t) != 0)
        ;
}

/* True when this call is to fail; errno is set. *call: the how-manieth it is. */
static bool strikes(struct plan *p, long *call)
{
    *call = atomic_fetch_add(&p->calls, 1);
    if (*call < p->after || *call >= p->after + p->count)
        return false;
    errno = p->error;
    return true;
}

static void note(const char *what, const char *path, int result)
{
    struct timespec t;
    int saved = errno;

    if (log_fd < 0)
        return;
    clock_gettime(CLOCK_MONOTONIC, &t);
    dprintf(log_fd, "%s %lld.%06ld %s %d\n", what, (long long)t.tv_sec, t.tv_nsec / 1000, path,
            result);
    errno = saved;
}

/* The real function behind ours. */
static void *real(const char *name)
{
    void *f = dlsym(RTLD_NEXT, name);

    if (!f) {
        fprintf(stderr, "shim: no %s\n", name);
        _exit(2);
    }
    return f;
}

/* ---- writes ------------------------------------------------------------------------------------
 */

/* What is to happen to a write of n bytes: false when it fails, else *n may be smaller. */
static bool write_goes_on(int fd, size_t *n)
{
    char path[512];
    long call;

    if (!concerns(fd, path))
        return true;
    pause_ms(slow_write_ms);
    if (strikes(&writes, &call))
        return false;
    if (short_every > 0 && call % short_every == short_every - 1 && *n > 1)
        *n /= 2;
    return true;
}

/* The first n bytes of v, in a copy with at most count pieces. */
static int cut_vector(struct iovec *to, const struct iovec *v, int count, size_t n)
{
    int k = 0;

    for (; k < count && n > 0; k++) {
        to[k] = v[k];
        if (to[k].iov_len > n)
            to[k].iov_len = n;
        n -= to[k].iov_len;
    }
    return k;
}

static size_t vector_size(const struct iovec *v, int count)
{
    size_t n = 0;

    for (int i = 0; i < count; i++)
        n += v[i].iov_len;
    return n;
}

ssize_t write(int fd, const void *p, size_t n)
{
    ssize_t (*f)(int, const void *, size_t) = real("write");

    return write_goes_on(fd, &n) ? f(fd, p, n) : -1;
}

ssize_t pwrite(int fd, const void *p, size_t n, off_t at)
{
    ssize_t (*f)(int, const void *, size_t, off_t) = real("pwrite");

    return write_goes_on(fd, &n) ? f(fd, p, n, at) : -1;
}

ssize_t pwrite64(int fd, const void *p, size_t n, off64_t at)
{
    return pwrite(fd, p, n, at);
}

ssize_t writev(int fd, const struct iovec *v, int count)
{
    ssize_t (*f)(int, const struct iovec *, int) = real("writev");
    size_t all = vector_size(v, count), n = all;
    struct iovec cut[1024];

    if (!write_goes_on(fd, &n))
        return -1;
    if (n == all || count > 1024)
        return f(fd, v, count);
    return f(fd, cut, cut_vector(cut, v, count, n));
}

/* glibc's pwritev passes through here as well, so that one wrapper counts once. */
ssize_t pwritev2(int fd, const struct iovec *v, int count, off_t at, int flags)
{
    ssize_t (*f)(int, const struct iovec *, int, off_t, int) = real("pwritev2");
    size_t all = vector_size(v, count), n = all;
    struct iovec cut[1024];

    if (!write_goes_on(fd, &n))
        return -1;
    if (n == all || count > 1024)
        return f(fd, v, count, at, flags);
    return f(fd, cut, cut_vector(cut, v, count, n), at, flags);
}

ssize_t pwritev64v2(int fd, const struct iovec *v, int count, off64_t at, int flags)
{
    return pwritev2(fd, v, count, at, flags);
}

ssize_t pwritev(int fd, const struct iovec *v, int count, off_t at)
{
    return pwritev2(fd, v, count, at, 0);
}

ssize_t pwritev64(int fd, const struct iovec *v, int count, off64_t at)
{
    return pwritev2(fd, v, count, at, 0);
}

/* ---- reads -------------------------------------------------------------------------------------
 *
 * A disk that is slow to read, whatever the page cache holds: each MiB of a file has to be fetched,
 * and is then at hand for a second.
 */

enum { BLOCK = 20, BLOCKS = 1 << 12, AT_HAND_S = 1 };

static atomic_llong fetched[BLOCKS]; /* when; 0: never */

static atomic_llong *block_of(int fd, off_t at)
{
    struct stat st = {0};
    int saved = errno;

    fstat(fd, &st);
    errno = saved;
    return &fetched[(st.st_ino * 1021 + (size_t)(at >> BLOCK)) % BLOCKS];
}

static long long seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + 1;
}

static bool at_hand(int fd, off_t at)
{
    return seconds() - atomic_load(block_of(fd, at)) <= AT_HAND_S;
}

/* Fetches what of these bytes is not at hand. */
static void fetch(int fd, size_t n, off_t at)
{
    char path[512];

    if (slow_read_ms == 0 || n == 0 || !concerns(fd, path))
        return;
    for (off_t b = at >> BLOCK; b <= (at + (off_t)n - 1) >> BLOCK; b++) {
        if (at_hand(fd, b << BLOCK))
            continue;
        pause_ms(slow_read_ms);
        atomic_store(block_of(fd, b << BLOCK), seconds());
    }
}

ssize_t pread(int fd, void *p, size_t n, off_t at)
{
    ssize_t (*f)(int, void *, size_t, off_t) = real("pread");

    fetch(fd, n, at);
    return f(fd, p, n, at);
}

ssize_t pread64(int fd, void *p, size_t n, off64_t at)
{
    return pread(fd, p, n, at);
}

ssize_t preadv2(int fd, const struct iovec *v, int count, off_t at, int flags)
{
    ssize_t (*f)(int, const struct iovec *, int, off_t, int) = real("preadv2");
    char path[512];

    if (flags & RWF_NOWAIT) {
        if (slow_read_ms > 0 && concerns(fd, path) && !at_hand(fd, at)) {
            errno = EAGAIN;
            return -1;
        }
    } else {
        fetch(fd, vector_size(v, count), at);
    }
    return f(fd, v, count, at, flags);
}

ssize_t preadv64v2(int fd, const struct iovec *v, int count, off64_t at, int flags)
{
    return preadv2(fd, v, count, at, flags);
}

ssize_t sendfile(int to, int fd, off_t *at, size_t n)
{
    ssize_t (*f)(int, int, off_t *, size_t) = real("sendfile");

    if (at)
        fetch(fd, n, *at);
    return f(to, fd, at, n);
}

ssize_t sendfile64(int to, int fd, off64_t *at, size_t n)
{
    return sendfile(to, fd, at, n);
}

/* ---- syncs -------------------------------------------------------------------------------------
 */

static int do_sync(const char *name, int fd)
{
    int (*f)(int) = real(name);
    char path[512];
    long call;
    int rc;

    if (!concerns(fd, path))
        return f(fd);
    note("begin", path, 0);
    pause_ms(slow_sync_ms);
    rc = strikes(&syncs, &call) ? -1 : lie ? 0 : f(fd);
    note("end", path, rc);
    return rc;
}

int fsync(int fd)
{
    return do_sync("fsync", fd);
}

int fdatasync(int fd)
{
    return do_sync("fdatasync", fd);
}

int syncfs(int fd)
{
    return lie ? 0 : do_sync("syncfs", fd); /* it is about every file */
}

/* ---- room --------------------------------------------------------------------------------------
 */

int fallocate(int fd, int mode, off_t at, off_t n)
{
    int (*f)(int, int, off_t, off_t) = real("fallocate");
    char path[512];
    long call;

    if (concerns(fd, path) && strikes(&allocations, &call))
        return -1;
    return f(fd, mode, at, n);
}

int fallocate64(int fd, int mode, off64_t at, off64_t n)
{
    return fallocate(fd, mode, at, n);
}

/* Returns the error instead of setting errno. */
int posix_fallocate(int fd, off_t at, off_t n)
{
    int (*f)(int, off_t, off_t) = real("posix_fallocate");
    char path[512];
    long call;

    if (concerns(fd, path) && strikes(&allocations, &call))
        return errno;
    return f(fd, at, n);
}

int posix_fallocate64(int fd, off64_t at, off64_t n)
{
    return posix_fallocate(fd, at, n);
}
