/*
 * file - every file operation of the library goes through here, so that a test can make the N-th
 * one fail, come back short, be slow, or be the last thing the process does.
 *
 * All functions return what the system call would, with errno; EINTR is retried. Descriptors are
 * opened with O_CLOEXEC, and with O_NOFOLLOW on the last component.
 *
 * The hook is one for the process (the kernel's files are, too). It is set before threads start and
 * is NULL outside tests; then it costs a load and a branch.
 */
#ifndef KCORE_OS_FILE_H
#define KCORE_OS_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>

enum os_op {
    OS_OPEN,
    OS_READ,
    OS_WRITE,
    OS_SYNC, /* fsync and fdatasync of a file, fsync of a directory */
    OS_SYNCFS,
    OS_RENAME,
    OS_UNLINK,
    OS_TRUNCATE,
    OS_ALLOCATE,
    OS_MKDIR,
};

/* Called before the operation. fd is the file (the directory for operations on names, with the name
 * in name, else NULL). For reads and writes *len is the length and may be made smaller. Returns 0
 * to go on, or an errno with which the operation fails without being done. */
typedef int (*os_hook_fn)(void *arg, enum os_op op, int fd, const char *name, size_t *len);
void os_hook_set(os_hook_fn fn, void *arg);

/* dirfd may be AT_FDCWD. */
int os_openat(int dirfd, const char *name, int flags, mode_t mode);
int os_close(int fd);

/* Reads until n bytes or the end of the file: returns the count (short only at the end) or -1. */
ssize_t os_pread(int fd, void *p, size_t n, off_t at);

/* Like os_pread, but only what is in the page cache: -1 with EAGAIN where a disk would be waited
 * for. */
ssize_t os_pread_nowait(int fd, void *p, size_t n, off_t at);

/* From now on reads through fd bring in what they ask for and nothing behind it. */
void os_no_readahead(int fd);

/* Writes all of it: 0, or -1 with *done (may be NULL) telling how many bytes went in. iov is
 * changed. */
int os_pwritev(int fd, struct iovec *iov, int count, off_t at, size_t *done);
int os_pwrite(int fd, const void *p, size_t n, off_t at);

int os_fsync(int fd);
int os_fdatasync(int fd);
/* All that has been written to the file system that fd lies in. */
int os_syncfs(int fd);
int os_ftruncate(int fd, off_t length);
int os_renameat(int fromdir, const char *from, int todir, const char *to);
/* flags as unlinkat: AT_REMOVEDIR for directories. */
int os_unlinkat(int dirfd, const char *name, int flags);
int os_mkdirat(int dirfd, const char *name, mode_t mode);

/* Reserves blocks for [at, at + n) without changing the size. -1 with EOPNOTSUPP where the file
 * system has no such thing. */
int os_reserve(int fd, off_t at, off_t n);

/* Writes a small file so that after a crash it is the old one or the new one, whole:
 * name.tmp, fsync, rename, fsync of the directory. Mode 0600. */
int os_replace(int dirfd, const char *name, const void *p, size_t n);

/* The whole of a small file in malloc'ed memory with a NUL behind it, or NULL (errno; EFBIG past
 * max). */
char *os_read_all(int dirfd, const char *name, size_t max, size_t *n);

#endif
